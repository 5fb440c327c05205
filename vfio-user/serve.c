/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/commands.h"
#include "vfio-user/log.h"
#include "vfio-user/platform.h"
#include "vfio-user/serve.h"

#include <errno.h>

/* Return: false when the connection is to be closed. */
static bool handle_message(struct vu_session *session)
{
	const char *name = session->device->name;
	int error = vu_command_execute(session);
	bool sent;

	vu_message_dispose_fds(&session->message);
	sent = (session->message.header.flags & VFIO_USER_NO_REPLY) != 0 ||
	       vu_message_reply(&session->channel, &session->message.header, error, session->reply,
		       session->reply_size, session->reply_fd);
	if (!sent || session->negotiated)
		return sent;
	if (error == EINVAL)
		vu_log("device %s: client rejected: its first message is not a VERSION "
		       "compatible with %u.%u",
			name, VFIO_USER_VERSION_MAJOR, VFIO_USER_VERSION_MINOR);
	else
		vu_log("device %s: client rejected: %s", name,
			error == ENODEV ? "the device is not present" : vu_errno_name(error));
	return false;
}

void vu_serve_client(struct vu_device *device, int fd, struct vu_loop *loop)
{
	const struct vu_channel channel = { .fd = fd, .wait = vu_loop_wait, .context = loop };
	struct vu_session *session = vu_session_create(device, &channel);
	enum vu_receive_status status;

	if (!session || !vu_platform_prepare(fd)) {
		vu_log("device %s: client rejected: out of memory", device->name);
		vu_session_destroy(session);
		return;
	}
	loop->clients++;
	loop->tick = vu_session_tick;
	loop->tick_context = session;
	do {
		status = vu_message_receive(&session->channel, &session->message);
	} while (status == VU_RECEIVE_OK && handle_message(session));
	if (status == VU_RECEIVE_FD_LIMIT)
		vu_log("device %s: client disconnected: too many of its file descriptors are "
		       "still being closed",
			device->name);
	if (status == VU_RECEIVE_BAD_SIZE) {
		vu_log("device %s: client disconnected: message size %u, expected %zu to %zu",
			device->name, session->message.header.size, sizeof(struct vfio_user_header),
			sizeof(struct vfio_user_header) + VU_PAYLOAD_MAX);
		vu_message_reply(&session->channel, &session->message.header, EINVAL, NULL, 0, -1);
	}
	loop->tick = NULL;
	vu_session_destroy(session);
}
