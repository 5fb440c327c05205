/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupt notifications: an asynchronous ArmInterrupts call, armed again by a store to the IRQ
 * state page; or with a driver that does not offer this, a WaitInterrupt call, repeated by each
 * rearm.
 */
#include "client/call.h"
#include "client/irq-page.h"

#include <pthread.h>
#include <stdlib.h>

struct AppleDextInterruptNotify {
	io_connect_t connection;
	void (*handler)(void *opaque);
	void *opaque;
	IONotificationPortRef port;
	dispatch_queue_t queue;
	struct irq_page *page; /* NULL: the driver does not offer it */
	/*
	 * The lock guards what follows. It is not held while a handler runs, nor
	 * while a call is made.
	 */
	pthread_mutex_t lock;
	bool destroyed;
	bool destroyed_in_handler; /* it is freed after the handler has returned */
	void (*status_handler)(void *opaque, kern_return_t status);
	kern_return_t ended; /* the status that no interrupt follows; kIOReturnSuccess: none */
	bool end_told;	     /* to status_handler */
	bool queued;	     /* run_pending() is on the queue */
};

/* The notification one of whose handlers runs on this thread; NULL outside of handlers. */
static _Thread_local AppleDextInterruptNotify *running;

static void release(void *context)
{
	AppleDextInterruptNotify *notify = context;

	irq_page_release(notify->page, notify);
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

/* Call the handler of interrupts, or with an error that of statuses. On the queue. */
static void run_handler(AppleDextInterruptNotify *notify, kern_return_t status)
{
	AppleDextInterruptNotify *outer = running;
	void (*status_handler)(void *opaque, kern_return_t status);
	bool free_it;

	pthread_mutex_lock(&notify->lock);
	status_handler = notify->status_handler;
	pthread_mutex_unlock(&notify->lock);
	running = notify;
	if (status == kIOReturnSuccess)
		notify->handler(notify->opaque);
	else if (status_handler)
		status_handler(notify->opaque, status);
	running = outer;
	pthread_mutex_lock(&notify->lock);
	free_it = notify->destroyed_in_handler;
	pthread_mutex_unlock(&notify->lock);
	/* Behind work that is queued and uses it. */
	if (free_it)
		dispatch_async_f(notify->queue, notify, release);
}

/* Tell the handler of statuses, once, that the notification has ended. On the queue. */
static void tell_end(void *context)
{
	AppleDextInterruptNotify *notify = context;
	bool tell;

	pthread_mutex_lock(&notify->lock);
	tell = notify->ended != kIOReturnSuccess && !notify->end_told && notify->status_handler &&
	       !notify->destroyed;
	notify->end_told = notify->end_told || tell;
	pthread_mutex_unlock(&notify->lock);
	if (tell)
		run_handler(notify, notify->ended);
}

static void end(AppleDextInterruptNotify *notify, kern_return_t status)
{
	irq_page_close(notify->connection);
	pthread_mutex_lock(&notify->lock);
	if (notify->ended == kIOReturnSuccess)
		notify->ended = status;
	pthread_mutex_unlock(&notify->lock);
}

/* An interrupt was pending when the notification was armed. On the queue. */
static void run_pending(void *context)
{
	AppleDextInterruptNotify *notify = context;
	bool destroyed;

	pthread_mutex_lock(&notify->lock);
	notify->queued = false;
	destroyed = notify->destroyed;
	pthread_mutex_unlock(&notify->lock);
	if (!destroyed)
		run_handler(notify, kIOReturnSuccess);
}

static void queue_pending(AppleDextInterruptNotify *notify)
{
	bool queued;

	pthread_mutex_lock(&notify->lock);
	queued = notify->queued;
	notify->queued = true;
	pthread_mutex_unlock(&notify->lock);
	if (!queued)
		dispatch_async_f(notify->queue, notify, run_pending);
}

static kern_return_t arm(AppleDextInterruptNotify *notify);

/* The completion of the asynchronous call, on the queue. */
static void interrupted(void *refcon, IOReturn status)
{
	AppleDextInterruptNotify *notify = refcon;

	if (is_destroyed(notify))
		return;
	/* The device's error has completed the call, or left it armed; its interrupts go on. */
	if (status == kIOReturnDeviceError &&
		((notify->page && irq_page_is_owner(notify->page, notify)) ||
			arm(notify) == kIOReturnSuccess)) {
		run_handler(notify, status);
	} else if (status != kIOReturnSuccess) {
		end(notify, status);
		tell_end(notify);
	} else {
		run_handler(notify, status);
	}
}

static kern_return_t call_async(AppleDextInterruptNotify *notify, uint32_t selector)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };

	reference[kIOAsyncCalloutFuncIndex] = (uintptr_t)interrupted;
	reference[kIOAsyncCalloutRefconIndex] = (uintptr_t)notify;
	return IOConnectCallAsyncScalarMethod(notify->connection, selector,
		IONotificationPortGetMachPort(notify->port), reference, kIOAsyncCalloutCount, NULL,
		0, NULL, NULL);
}

static kern_return_t call_arm_interrupts(void *notify)
{
	return call_async(notify, DEXT_SELECTOR_ArmInterrupts);
}

static kern_return_t arm(AppleDextInterruptNotify *notify)
{
	kern_return_t status = kIOReturnUnsupported;

	if (notify->page)
		status = irq_page_register(notify->page, notify, call_arm_interrupts);
	if (status == kIOReturnUnsupported)
		status = call_async(notify, DEXT_SELECTOR_WaitInterrupt);
	return status;
}

/* Arm it when it has been armed before. */
static kern_return_t arm_again(AppleDextInterruptNotify *notify)
{
	enum irq_page_armed armed = IRQ_PAGE_NOT_OWNER;

	if (notify->page)
		armed = irq_page_arm(notify->page, notify);
	if (armed == IRQ_PAGE_PENDING)
		queue_pending(notify);
	return armed == IRQ_PAGE_NOT_OWNER ? arm(notify) : kIOReturnSuccess;
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
	notify->page = irq_page_use(connection);
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
	kern_return_t status;
	bool destroyed;

	if (!notify)
		return kIOReturnBadArgument;
	pthread_mutex_lock(&notify->lock);
	destroyed = notify->destroyed;
	status = notify->ended;
	pthread_mutex_unlock(&notify->lock);
	if (destroyed)
		return kIOReturnAborted;
	if (status != kIOReturnSuccess)
		return status;
	status = arm_again(notify);
	/* Removed while it was not armed: there is no completion that says so. */
	if (status == kIOReturnOffline) {
		end(notify, status);
		dispatch_async_f(notify->queue, notify, tell_end);
	}
	return status;
}

kern_return_t apple_dext_interrupt_notify_set_status_handler(
	AppleDextInterruptNotify *notify, void (*status_fn)(void *opaque, kern_return_t status))
{
	bool destroyed;

	if (!notify)
		return kIOReturnBadArgument;
	pthread_mutex_lock(&notify->lock);
	destroyed = notify->destroyed;
	notify->status_handler = status_fn;
	if (!destroyed && notify->ended != kIOReturnSuccess)
		dispatch_async_f(notify->queue, notify, tell_end);
	pthread_mutex_unlock(&notify->lock);
	return destroyed ? kIOReturnAborted : kIOReturnSuccess;
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
