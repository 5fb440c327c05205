/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/socket.h"
#include "iokit/reach.h"
#include "iokit/service.h"
#include "iokit/wire.h"

#include <errno.h>
#include <iokit-user/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

const char *iouser_socket_path(void)
{
	static _Thread_local char path[512];
	const char *value = getenv("DEXT_SOCKET");

	if (value && *value)
		return value;
	value = getenv("XDG_RUNTIME_DIR");
	if (value && *value) {
		snprintf(path, sizeof(path), "%s/dextpci/dextd.sock", value);
		return path;
	}
	return "/run/dextpci/dextd.sock";
}

int iou_socket_address(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, strlen(path));
	return 0;
}

/* Why a service does not serve this process, as an errno. */
static int refusal_errno(kern_return_t status)
{
	if (status == kIOReturnNotPermitted)
		return -EPERM;
	return status == kIOReturnNoResources ? -EUSERS : -EPROTO;
}

/* Exchange versions: 0, or a negative errno. */
static int say_hello(int fd, uint16_t *minor)
{
	struct iou_hello hello = {
		.header = { .type = IOU_HELLO },
		.magic = IOU_MAGIC,
		.major = IOU_VERSION_MAJOR,
		.minor = IOU_VERSION_MINOR,
	};
	union iou_buffer reply;
	struct iou_fds fds;
	int size;

	size = iou_send(fd, &hello, sizeof(hello), NULL, 0, IOU_HELLO_TIMEOUT_MS);
	if (size < 0)
		return size;
	size = iou_receive(fd, &reply, &fds, IOU_HELLO_TIMEOUT_MS);
	if (size <= 0)
		return size ? size : -ECONNRESET;
	iou_fds_close(&fds);
	if (reply.header.type == (IOU_HELLO | IOU_REPLY) && reply.header.status != kIOReturnSuccess)
		return refusal_errno(reply.header.status);
	if (size != (int)sizeof(hello) || reply.header.type != (IOU_HELLO | IOU_REPLY) ||
		reply.hello.magic != IOU_MAGIC || reply.hello.major != IOU_VERSION_MAJOR)
		return -EPROTO;
	if (minor)
		*minor = reply.hello.minor;
	return 0;
}

static int try_connect(const char *path, uint16_t *minor)
{
	struct timeval patience = { .tv_sec = IOU_HELLO_TIMEOUT_MS / 1000 };
	struct sockaddr_un address;
	int fd, status;

	status = iou_socket_address(path, &address);
	if (status < 0)
		return status;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A service that does not accept must not hang us: connect() honours this one. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	do
		status = connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (status != 0 && errno == EINTR);
	if (status != 0)
		status = errno == EAGAIN ? -ETIMEDOUT : -errno;
	else
		status = say_hello(fd, minor);
	if (status < 0) {
		close(fd);
		return status;
	}
	return fd;
}

int iou_socket_connect(uint16_t *minor)
{
	const char *path = iouser_socket_path();
	int fd = try_connect(path, minor);

	iou_reach_note(path, fd < 0 ? -fd : 0);
	return fd;
}

bool iouser_service_probe(char *error, size_t error_size)
{
	const char *why;
	int fd;

	if (iou_services_published())
		return true;
	fd = iou_socket_connect(NULL);
	if (fd < 0) {
		IOUserServiceStatus(&why);
		snprintf(error, error_size, "%s", why);
		return false;
	}
	close(fd);
	return true;
}
