/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/listen-socket.h"
#include "vfio-user/log.h"
#include "vfio-user/loop.h"
#include "vfio-user/platform.h"
#include "vfio-user/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 16

struct vu_server {
	struct vu_device *device;
	struct listen_socket listener;
	struct vu_wait *wait;
	unsigned poll_us;
	int stop[2]; /* a byte in this pipe stops the server */
};

size_t vu_server_path_limit(void)
{
	return listen_socket_path_limit();
}

static bool listen_at(struct vu_server *server, const char *path, char *error)
{
	const struct listen_socket_options options = {
		.path = path, .backlog = BACKLOG, .group = (gid_t)-1
	};
	int fd = vu_platform_socket();

	if (fd >= 0)
		return listen_socket_open(&server->listener, fd, &options, error, VU_ERROR_SIZE) ==
		       0;
	snprintf(error, VU_ERROR_SIZE, "socket %.200s: %s", path, strerror(errno));
	return false;
}

struct vu_server *vu_server_create(struct vu_device *device, const char *path, char *error)
{
	struct vu_server *server = calloc(1, sizeof(*server));

	if (!server || vu_platform_pipe(server->stop) != 0) {
		snprintf(error, VU_ERROR_SIZE, "socket %.200s: %s", path, strerror(errno));
		free(server);
		return NULL;
	}
	server->device = device;
	/* With one CPU the client cannot run while this process polls. */
	server->poll_us = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? device->options.poll_us : 0;
	server->listener.fd = -1;
	server->wait = vu_wait_create();
	if (!server->wait)
		snprintf(error, VU_ERROR_SIZE, "socket %.200s: %s", path, strerror(errno));
	else if (listen_at(server, path, error))
		return server;
	vu_server_destroy(server);
	return NULL;
}

/* No client is there: look after the device. Return: whether one can be served. */
static bool look_after_device(void *context)
{
	struct vu_device *device = context;

	vu_device_check(device);
	if (device->options.reconnect && !vu_device_is_present(device))
		vu_device_reopen(device, false);
	return device->options.reconnect || vu_device_is_present(device);
}

bool vu_server_run(struct vu_server *server)
{
	struct vu_device *device = server->device;
	struct vu_loop loop = {
		.wait = server->wait,
		.stop_fd = server->stop[0],
		.listen_fd = server->listener.fd,
		.name = device->name,
		.poll_us = server->poll_us,
	};

	poll_policy_init(&loop.policy);
	for (;;) {
		int client;

		loop.irq = NULL;
		loop.tick = look_after_device;
		loop.tick_context = device;
		if (!look_after_device(device))
			return false;
		client = vu_loop_accept(&loop);
		if (client == -2)
			vu_log("device %s: the socket has failed: %s", device->name,
				strerror(errno));
		if (client < 0)
			return client == -1;
		/* A service that was started anew a moment ago. */
		look_after_device(device);
		loop.irq = device->irq;
		/* One that was told to stop leaves the byte in the pipe. */
		vu_serve_client(device, client, &loop);
		vu_loop_close_client(client);
	}
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
	listen_socket_close(&server->listener);
	vu_wait_destroy(server->wait);
	close(server->stop[0]);
	close(server->stop[1]);
	free(server);
}
