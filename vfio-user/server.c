/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/log.h"
#include "vfio-user/loop.h"
#include "vfio-user/platform.h"
#include "vfio-user/session.h"
#include "vfio-user/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct vu_server {
	struct vu_device *device;
	struct vu_socket listener;
	int stop[2];	/* a byte in this pipe stops the server */
};

struct vu_server *vu_server_create(struct vu_device *device, const char *path, char *error)
{
	struct vu_server *server = calloc(1, sizeof(*server));

	if (!server || vu_platform_pipe(server->stop) != 0) {
		snprintf(error, VU_ERROR_SIZE, "socket %.200s: %s", path, strerror(errno));
		free(server);
		return NULL;
	}
	server->device = device;
	if (vu_socket_listen(&server->listener, path, error) == 0)
		return server;
	vu_server_destroy(server);
	return NULL;
}

bool vu_server_run(struct vu_server *server)
{
	struct vu_loop loop = {
		.stop_fd = server->stop[0],
		.listen_fd = server->listener.fd,
		.irq = server->device->irq,
		.name = server->device->name,
	};

	while (!atomic_load(&server->device->gone)) {
		int client = vu_loop_accept(&loop);

		if (client < 0) {
			if (client != -1)
				vu_log("device %s: the socket has failed: %s",
					server->device->name, strerror(errno));
			return client == -1;
		}
		/* One that was told to stop leaves the byte in the pipe. */
		vu_session_run(server->device, client, &loop);
		close(client);
	}
	return false;
}

void vu_server_stop(struct vu_server *server)
{
	int saved = errno;

	/* A full pipe holds stops enough. */
	if (write(server->stop[1], "", 1) < 0)
		errno = saved;
	errno = saved;
}

void vu_server_destroy(struct vu_server *server)
{
	if (!server)
		return;
	vu_socket_close(&server->listener);
	close(server->stop[0]);
	close(server->stop[1]);
	free(server);
}
