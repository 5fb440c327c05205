/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/commands.h"
#include "vfio-user/log.h"
#include "vfio-user/platform.h"
#include "vfio-user/session.h"
#include "vfio-user/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How often the VMM is asked for a device that has gone, in ticks of the loop. */
#define REQUEST_TICKS 10
/* How long a client may take to agree on the version. Meanwhile there is room for no other. */
#define SILENT_TICKS 10

int vu_session_begin(struct vu_session *session)
{
	int error = vu_device_wake(session->device);

	if (error == 0)
		error = vu_config_view_init(&session->view, session->device);
	if (error == 0)
		error = vu_bar_space_init(&session->bars, session->device);
	if (error != 0)
		return error;
	vu_dma_init(&session->dma, session->device, session->limits.maps,
		session->limits.page_sizes & -session->limits.page_sizes);
	session->agreed = true;
	return 0;
}

/*
 * Bus mastering first: from then on the device cannot touch the memory that is
 * taken away next, nor raise interrupts; and since a reset restores config
 * space, it stays off. BARs are taken away before the reset, so that nothing
 * is stored there after it.
 */
static void end(struct vu_session *session)
{
	int error;

	if (!session->agreed)
		return;
	vu_device_silence(session->device);
	vu_irq_release(session->device->irq);
	vu_dma_destroy(&session->dma);
	vu_bar_space_destroy(&session->bars);
	vu_share_end(session->device);
	error = vu_device_reset(session->device);
	if (error != 0 && vu_device_is_present(session->device))
		vu_log("device %s: not reset after its client went: %s", session->device->name,
			vu_errno_name(error));
	vu_irq_forget(session->device->irq);
}

int vu_session_reset(struct vu_session *session)
{
	int error = vu_device_reset(session->device);

	if (error != 0)
		return error;
	vu_irq_forget(session->device->irq);
	vu_config_view_was_reset(&session->view);
	return 0;
}

/*
 * The device is back as after a reset: the guest finds out when its commands time out,
 * and sets it up anew. It gets what only the VMM would: memory, and COMMAND.
 */
static void resume(struct vu_session *session)
{
	int error = vu_device_wake(session->device);

	vu_dma_resume(&session->dma);
	if (error == 0)
		error = vu_config_view_restore(&session->view);
	if (error != 0)
		vu_log("device %s: not as before: %s", session->device->name, vu_errno_name(error));
}

static bool on_tick(void *context)
{
	struct vu_session *session = context;
	struct vu_device *device = session->device;

	vu_device_check(device);
	switch (atomic_load(&device->presence)) {
	case VU_PRESENT:
		break;
	case VU_AWAY:
		if (vu_device_reopen(device, true) && session->agreed)
			resume(session);
		break;
	default:
		if (session->ticks_gone++ % REQUEST_TICKS == 0)
			vu_irq_request(device->irq);
	}
	if (session->agreed || ++session->ticks_silent <= SILENT_TICKS)
		return true;
	vu_log("device %s: a client was turned away: it has not sent its version", device->name);
	return false;
}

/* argsz counts what the client has sent, and in some commands its room for the reply besides. */
static bool argsz_covers_payload(const struct vu_message *message)
{
	uint32_t argsz;

	memcpy(&argsz, message->payload, sizeof(argsz));
	return argsz >= message->payload_size;
}

/* What is wrong with a message before its handler looks at it. */
static int check(const struct vu_session *session, const struct vu_command_row *row)
{
	const struct vu_message *message = &session->message;

	if ((message->header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND || !row)
		return EINVAL;
	/* The version comes first, and once. */
	if (session->agreed == (message->header.command == VFIO_USER_VERSION))
		return EINVAL;
	if (!row->handler)
		return ENOTSUP;
	if (message->payload_size < row->payload_min || message->fds_lost ||
		message->fd_count > row->fds_max ||
		(row->has_argsz && !argsz_covers_payload(message)))
		return EINVAL;
	return row->needs_device && !vu_device_is_present(session->device) ? ENODEV : 0;
}

static void tell(const struct vu_session *session, const struct vu_command_row *row, int error)
{
	const struct vu_message *message = &session->message;

	if (session->device->options.verbose)
		vu_log("device %s: %s: %zu bytes, %zu descriptors -> %zu bytes, %s",
			session->device->name, row ? row->name : "unknown command",
			message->payload_size, message->fd_count,
			error == 0 ? session->reply_size : 0, vu_errno_name(error));
}

/* Return: false when the session cannot go on. */
static bool carry_out(struct vu_session *session)
{
	const struct vfio_user_header *header = &session->message.header;
	const struct vu_command_row *row = vu_command_find(header->command);
	int error = check(session, row);

	session->reply_size = 0;
	session->reply_fd = -1;
	if (error == 0)
		error = row->handler(session);
	tell(session, row, error);
	vu_message_dispose_fds(&session->message);
	if ((header->flags & VFIO_USER_NO_REPLY) == 0 &&
		!vu_message_reply(&session->channel, header, error, session->reply,
			session->reply_size, session->reply_fd))
		return false;
	if (!session->agreed && error == EINVAL)
		vu_log("device %s: a client was turned away: it did not begin with a version that "
		       "suits, %u.%u",
			session->device->name, VFIO_USER_VERSION_MAJOR, VFIO_USER_VERSION_MINOR);
	else if (!session->agreed)
		vu_log("device %s: a client was turned away: %s", session->device->name,
			error == ENODEV ? "there is no device" : vu_errno_name(error));
	return session->agreed;
}

static void serve(struct vu_session *session)
{
	enum vu_received received;

	do {
		received = vu_message_receive(&session->channel, &session->message);
	} while (received == VU_RECEIVED && carry_out(session));
	if (received == VU_CLOGGED)
		vu_log("device %s: the client was cut off: it sent too many descriptors that take "
		       "long to close",
			session->device->name);
	if (received == VU_BAD_SIZE) {
		vu_log("device %s: the client sent a message of %u bytes, the limit is %zu",
			session->device->name, session->message.header.size,
			sizeof(struct vfio_user_header) + VU_PAYLOAD_MAX);
		vu_message_reply(&session->channel, &session->message.header, EINVAL, NULL, 0, -1);
	}
}

void vu_session_run(struct vu_device *device, int fd, struct vu_loop *loop)
{
	struct vu_session *session = calloc(1, sizeof(*session));

	if (session) {
		session->device = device;
		session->channel =
			(struct vu_channel){ .fd = fd, .wait = vu_loop_wait, .context = loop };
		session->reply = malloc(VU_PAYLOAD_MAX);
		session->peer = fd_peer_create(vu_platform_peer_user(fd));
	}
	if (session && session->reply && session->peer &&
		vu_message_init(&session->message, session->peer) && vu_platform_prepare(fd)) {
		loop->tick = on_tick;
		loop->tick_context = session;
		serve(session);
		loop->tick = NULL;
		end(session);
	} else {
		vu_log("device %s: out of memory: a client was turned away", device->name);
	}
	if (session) {
		vu_message_destroy(&session->message);
		fd_peer_release(session->peer);
		free(session->reply);
	}
	free(session);
}
