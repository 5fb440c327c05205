/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupt notifications: an asynchronous WaitInterrupt call, repeated by each rearm. */
#include "client/call.h"

#include <pthread.h>
#include <stdlib.h>

struct AppleDextInterruptNotify {
	io_connect_t connection;
	void (*handler)(void *opaque);
	void *opaque;
	IONotificationPortRef port;
	dispatch_queue_t queue;
	/*
	 * The lock guards what follows. It is not held while the handler runs, nor
	 * while a call is made.
	 */
	pthread_mutex_t lock;
	bool destroyed;
	bool destroyed_in_handler; /* interrupted() frees it after the handler has returned */
};

/* The notification whose handler runs on this thread; NULL outside of handlers. */
static _Thread_local AppleDextInterruptNotify *running;

static void release(AppleDextInterruptNotify *notify)
{
	if (notify->port)
		IONotificationPortDestroy(notify->port);
	if (notify->queue)
		dispatch_release(notify->queue);
	pthread_mutex_destroy(&notify->lock);
	free(notify);
}

static bool is_destroyed(AppleDextInterruptNotify *notify)
{
	bool destroyed;

	pthread_mutex_lock(&notify->lock);
	destroyed = notify->destroyed;
	pthread_mutex_unlock(&notify->lock);
	return destroyed;
}

/* The completion of the asynchronous call, on the queue. */
static void interrupted(void *refcon, IOReturn status)
{
	AppleDextInterruptNotify *notify = refcon;
	AppleDextInterruptNotify *outer = running;
	bool free_it;

	if (status != kIOReturnSuccess || is_destroyed(notify))
		return;
	running = notify;
	notify->handler(notify->opaque);
	running = outer;
	pthread_mutex_lock(&notify->lock);
	free_it = notify->destroyed_in_handler;
	pthread_mutex_unlock(&notify->lock);
	if (free_it)
		release(notify);
}

static kern_return_t arm(AppleDextInterruptNotify *notify)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };

	reference[kIOAsyncCalloutFuncIndex] = (uintptr_t)interrupted;
	reference[kIOAsyncCalloutRefconIndex] = (uintptr_t)notify;
	return IOConnectCallAsyncScalarMethod(notify->connection, DEXT_SELECTOR_WaitInterrupt,
		IONotificationPortGetMachPort(notify->port), reference, kIOAsyncCalloutCount, NULL,
		0, NULL, NULL);
}

/* A notification that is not armed; NULL without memory. */
static AppleDextInterruptNotify *make(
	io_connect_t connection, void (*handler_fn)(void *opaque), void *opaque)
{
	AppleDextInterruptNotify *notify = calloc(1, sizeof(*notify));

	if (!notify)
		return NULL;
	notify->connection = connection;
	notify->handler = handler_fn;
	notify->opaque = opaque;
	pthread_mutex_init(&notify->lock, NULL);
	notify->port = IONotificationPortCreate(kIOMainPortDefault);
	notify->queue = dispatch_queue_create("dext-interrupt", DISPATCH_QUEUE_SERIAL);
	if (!notify->port || !notify->queue) {
		release(notify);
		return NULL;
	}
	IONotificationPortSetDispatchQueue(notify->port, notify->queue);
	return notify;
}

kern_return_t apple_dext_interrupt_notify_create_into(io_connect_t connection,
	void (*handler_fn)(void *opaque), void *opaque, AppleDextInterruptNotify **out_notify)
{
	AppleDextInterruptNotify *notify;
	kern_return_t status;

	if (!out_notify)
		return kIOReturnBadArgument;
	*out_notify = NULL;
	if (connection == IO_OBJECT_NULL || !handler_fn)
		return kIOReturnBadArgument;
	notify = make(connection, handler_fn, opaque);
	if (!notify)
		return kIOReturnNoMemory;
	/*
	 * Stored before it is armed, so that the handler sees it: arming takes the port's lock.
	 * After a successful arm() the handler may have destroyed it already, so it is not
	 * accessed here any more.
	 */
	*out_notify = notify;
	status = arm(notify);
	if (status != kIOReturnSuccess) {
		*out_notify = NULL;
		apple_dext_interrupt_notify_destroy(notify);
	}
	return status;
}

AppleDextInterruptNotify *apple_dext_interrupt_notify_create(
	io_connect_t connection, void (*handler_fn)(void *opaque), void *opaque)
{
	AppleDextInterruptNotify *notify;

	apple_dext_interrupt_notify_create_into(connection, handler_fn, opaque, &notify);
	return notify;
}

kern_return_t apple_dext_interrupt_notify_rearm(AppleDextInterruptNotify *notify)
{
	if (!notify)
		return kIOReturnBadArgument;
	return is_destroyed(notify) ? kIOReturnAborted : arm(notify);
}

static void do_nothing(void *context)
{
	(void)context;
}

void apple_dext_interrupt_notify_destroy(AppleDextInterruptNotify *notify)
{
	bool inside = notify && running == notify;

	if (!notify)
		return;
	pthread_mutex_lock(&notify->lock);
	notify->destroyed = true;
	notify->destroyed_in_handler = inside;
	pthread_mutex_unlock(&notify->lock);
	if (inside)
		return;
	/* No handler starts from here on. Wait for one that runs: it may be using the port. */
	dispatch_sync_f(notify->queue, NULL, do_nothing);
	IONotificationPortDestroy(notify->port);
	notify->port = NULL;
	/* Wait for a callout that started before the port was destroyed. */
	dispatch_sync_f(notify->queue, NULL, do_nothing);
	release(notify);
}
