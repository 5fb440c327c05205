/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that share memory and take it back. */
#include "vfio-user/session.h"

#include <string.h>

int vu_dma_map_command(struct vu_session *session)
{
	struct vu_message *message = &session->message;
	struct vfio_user_dma_map request;
	int error;

	memcpy(&request, message->payload, sizeof(request));
	error = vu_dma_map(&session->dma, &request, message->fd_count > 0 ? message->fds[0] : -1);
	if (error == 0 && message->fd_count > 0)
		vu_message_take_fd(message, 0);
	return error;
}

int vu_dma_unmap_command(struct vu_session *session)
{
	struct vfio_user_dma_unmap request;
	int error;

	memcpy(&request, session->message.payload, sizeof(request));
	error = vu_dma_unmap(&session->dma, &request);
	memcpy(session->reply, &request, sizeof(request));
	session->reply_size = sizeof(request);
	return error;
}
