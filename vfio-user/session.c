/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/log.h"
#include "vfio-user/platform.h"
#include "vfio-user/session.h"

#include <stdlib.h>

/* How often the VMM is asked to unplug a device that was removed, in ticks. */
#define REQUEST_TICKS 10
/* How long a client may take to send VERSION. No other client is served meanwhile. */
#define VERSION_TICKS 10

struct vu_session *vu_session_create(struct vu_device *device, const struct vu_channel *channel)
{
	struct vu_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->device = device;
	session->channel = *channel;
	session->reply = malloc(VU_PAYLOAD_MAX);
	session->peer = fd_peer_create(vu_platform_peer_user(channel->fd));
	if (session->reply && session->peer && vu_message_init(&session->message, session->peer))
		return session;
	vu_session_destroy(session);
	return NULL;
}

int vu_session_begin(struct vu_session *session, const struct vu_limits *limits)
{
	int error = vu_device_enable_bars(session->device);

	session->limits = *limits;
	if (error == 0)
		error = vu_config_view_init(&session->view, session->device);
	if (error == 0)
		error = vu_bar_space_init(&session->bars, session->device);
	if (error != 0)
		return error;
	vu_dma_init(&session->dma, session->device, limits->maps,
		limits->page_sizes & -limits->page_sizes);
	session->negotiated = true;
	return 0;
}

/*
 * 1. Disable bus mastering: the device can neither access memory nor raise interrupts. A
 *    reset restores config space, so it stays disabled.
 * 2. Disconnect eventfds and unmap guest memory.
 * 3. Take shared BARs back, so that the client cannot store there after the reset.
 * 4. Reset the device, and clear interrupts that were pending before.
 */
static void end(struct vu_session *session)
{
	struct vu_device *device = session->device;
	int error;

	vu_device_disable_bus_master(device);
	vu_irq_disconnect_all(device->irq);
	vu_dma_destroy(&session->dma);
	vu_bar_space_destroy(&session->bars);
	vu_bar_unshare_all(device);
	error = vu_device_reset(device);
	if (error != 0 && vu_device_is_present(device))
		vu_log("device %s: reset after the client disconnected failed: %s", device->name,
			vu_errno_name(error));
	vu_irq_clear_pending(device->irq);
}

void vu_session_destroy(struct vu_session *session)
{
	if (!session)
		return;
	if (session->negotiated)
		end(session);
	vu_message_destroy(&session->message);
	fd_peer_release(session->peer);
	free(session->reply);
	free(session);
}

int vu_session_reset_device(struct vu_session *session)
{
	int error = vu_device_reset(session->device);

	if (error != 0)
		return error;
	vu_irq_clear_pending(session->device->irq);
	vu_config_view_reset_power_state(&session->view);
	return 0;
}

/*
 * The device is back in the state after a reset. The guest's driver notices by its commands'
 * timeouts and initialises it again; memory and COMMAND are the VMM's, so they are restored here.
 */
static void resume(struct vu_session *session)
{
	int error = vu_device_enable_bars(session->device);

	vu_dma_register_all(&session->dma);
	if (error == 0)
		error = vu_config_view_restore_command(&session->view);
	if (error != 0)
		vu_log("device %s: COMMAND cannot be restored: %s", session->device->name,
			vu_errno_name(error));
}

bool vu_session_tick(void *context)
{
	struct vu_session *session = context;
	struct vu_device *device = session->device;

	vu_device_check(device);
	switch (atomic_load(&device->state)) {
	case VU_DEVICE_PRESENT:
		break;
	case VU_DEVICE_DISCONNECTED:
		if (vu_device_reopen(device, true) && session->negotiated)
			resume(session);
		break;
	default:
		if (session->ticks_removed++ % REQUEST_TICKS == 0)
			vu_irq_request(device->irq);
	}
	if (session->negotiated || ++session->ticks_unnegotiated <= VERSION_TICKS)
		return true;
	vu_log("device %s: client rejected: it has not sent VERSION", device->name);
	return false;
}
