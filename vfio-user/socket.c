/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/platform.h"
#include "vfio-user/server.h"
#include "vfio-user/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

size_t vu_server_path_limit(void)
{
	return sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
}

/* Whether somebody listens there. Whoever does sees a client that goes at once. */
static bool is_live(const struct sockaddr_un *address)
{
	int fd = vu_platform_socket();
	bool live;

	if (fd < 0)
		return true;
	live = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno != ECONNREFUSED;
	close(fd);
	return live;
}

/* Something is at @path already: remove it if it is a socket that nobody listens on. */
static int replace_stale(int fd, const struct sockaddr_un *address, char *error)
{
	struct stat status;

	if (lstat(address->sun_path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
		snprintf(error, VU_ERROR_SIZE, "socket %s: there is a file that is no socket",
			address->sun_path);
		return -1;
	}
	if (is_live(address)) {
		snprintf(error, VU_ERROR_SIZE, "socket %s: in use by another server",
			address->sun_path);
		return -1;
	}
	if (unlink(address->sun_path) == 0 &&
		bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 0;
	snprintf(error, VU_ERROR_SIZE, "socket %s: %s", address->sun_path, strerror(errno));
	return -1;
}

static int bind_path(int fd, const struct sockaddr_un *address, char *error)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 0;
	if (errno == EADDRINUSE)
		return replace_stale(fd, address, error);
	snprintf(error, VU_ERROR_SIZE, "socket %s: %s", address->sun_path, strerror(errno));
	return -1;
}

static int remember(struct vu_socket *listener, const char *path)
{
	struct stat status;

	listener->path = strdup(path);
	if (!listener->path || lstat(path, &status) != 0)
		return -1;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

int vu_socket_listen(struct vu_socket *listener, const char *path, char *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	*listener = (struct vu_socket){.fd = -1};
	if (length == 0 || length > vu_server_path_limit()) {
		snprintf(error, VU_ERROR_SIZE,
			"socket %.200s: the path has %zu bytes, it must have 1 to %zu", path,
			length, vu_server_path_limit());
		return -1;
	}
	memcpy(address.sun_path, path, length);
	listener->fd = vu_platform_socket();
	if (listener->fd >= 0 && bind_path(listener->fd, &address, error) != 0) {
		close(listener->fd);
		listener->fd = -1;
		return -1;
	}
	if (listener->fd >= 0 && remember(listener, path) == 0 &&
		listen(listener->fd, BACKLOG) == 0)
		return 0;
	snprintf(error, VU_ERROR_SIZE, "socket %s: %s", path, strerror(errno));
	vu_socket_close(listener);
	return -1;
}

void vu_socket_close(struct vu_socket *listener)
{
	struct stat status;

	if (listener->path && lstat(listener->path, &status) == 0 &&
		status.st_dev == listener->device && status.st_ino == listener->inode)
		unlink(listener->path);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener->path);
	*listener = (struct vu_socket){.fd = -1};
}
