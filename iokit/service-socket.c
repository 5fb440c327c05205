/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/service-socket.h"
#include "iokit/service.h"
#include "iokit/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <iokit-user/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * The names come from the project that builds the runtime: the environment variable with the
 * path, the path's end below $XDG_RUNTIME_DIR or /run, and the program that is the service.
 */
#if !defined(SERVICE_SOCKET_VARIABLE) || !defined(SERVICE_SOCKET_NAME) || !defined(SERVICE_PROGRAM)
#error "the build must define SERVICE_SOCKET_VARIABLE, SERVICE_SOCKET_NAME and SERVICE_PROGRAM"
#endif

const char *iouser_socket_path(void)
{
	static _Thread_local char path[512];
	const char *value = getenv(SERVICE_SOCKET_VARIABLE);

	if (value && *value)
		return value;
	value = getenv("XDG_RUNTIME_DIR");
	snprintf(path, sizeof(path), "%s/" SERVICE_SOCKET_NAME, value && *value ? value : "/run");
	return path;
}

/* How the calling thread's last attempt to connect ended. */
static _Thread_local struct {
	int error; /* 0 or a positive errno; EPERM, EUSERS and EPROTO: the service refused */
	char text[512];
} last;

/*
 * Explain EACCES: either a directory of the path cannot be searched, or the socket cannot be
 * written to.
 */
static void explain_permission(const char *path)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)], where[sizeof(name) + 16];
	struct stat file;
	bool found = false;

	for (const char *slash = strchr(path, '/'); slash && !found;
		slash = strchr(slash + 1, '/')) {
		int length = slash == path ? 1 : (int)(slash - path);

		snprintf(name, sizeof(name), "%.*s", length, path);
		found = faccessat(AT_FDCWD, name, X_OK, AT_EACCESS) != 0 && stat(name, &file) == 0;
		snprintf(where, sizeof(where), "the folder %s", name);
	}
	if (!found) {
		found = stat(path, &file) == 0;
		snprintf(where, sizeof(where), "the socket");
	}
	if (!found)
		snprintf(last.text, sizeof(last.text),
			"no permission to connect to the driver service at %s (%s)", path,
			strerror(EACCES));
	else
		snprintf(last.text, sizeof(last.text),
			"no permission to connect to the driver service at %s (%s): %s has mode "
			"%04o, user %u and group %u, and this process is user %u; " SERVICE_PROGRAM
			" --group or --allow-uid gives others access",
			path, strerror(EACCES), where, (unsigned)file.st_mode & 07777,
			(unsigned)file.st_uid, (unsigned)file.st_gid, (unsigned)geteuid());
}

static void set_last_error(const char *path, int error)
{
	last.error = error;
	switch (error) {
	case 0:
		last.text[0] = '\0';
		return;
	case EACCES:
		explain_permission(path);
		return;
	case EPERM:
		snprintf(last.text, sizeof(last.text),
			"the driver service at %s does not allow user %u (%s): " SERVICE_PROGRAM
			" --allow-uid or --allow-gid gives others access",
			path, (unsigned)geteuid(), strerror(EPERM));
		return;
	case EUSERS:
		snprintf(last.text, sizeof(last.text),
			"the driver service at %s allows this process or user no more connections",
			path);
		return;
	case EPROTO:
		snprintf(last.text, sizeof(last.text),
			"the service at %s does not support version %u of the runtime's protocol",
			path, IOU_VERSION_MAJOR);
		return;
	case ENAMETOOLONG:
		snprintf(last.text, sizeof(last.text),
			"the socket path %.60s... is %zu bytes long (at most %zu)", path,
			strlen(path), sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return;
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		snprintf(last.text, sizeof(last.text), "no driver service at %s (%s)", path,
			strerror(error));
		return;
	default:
		snprintf(last.text, sizeof(last.text),
			"cannot connect to the driver service at %s (%s)", path, strerror(error));
	}
}

/* The errno for a status with which the service refuses this process. */
static int refusal_errno(kern_return_t status)
{
	if (status == kIOReturnNotPermitted)
		return -EPERM;
	return status == kIOReturnNoResources ? -EUSERS : -EPROTO;
}

/* Exchange versions: 0, or a negative errno. */
static int exchange_hello(int fd, uint16_t *minor)
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
	struct timeval timeout = { .tv_sec = IOU_HELLO_TIMEOUT_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, status;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* connect() to a service that does not accept ends after SO_SNDTIMEO. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	do
		status = connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (status != 0 && errno == EINTR);
	if (status != 0)
		status = errno == EAGAIN ? -ETIMEDOUT : -errno;
	else
		status = exchange_hello(fd, minor);
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

	set_last_error(path, fd < 0 ? -fd : 0);
	return fd;
}

static kern_return_t errno_to_status(int error)
{
	static const struct {
		int error;
		kern_return_t status;
	} known[] = {
		{ 0, kIOReturnSuccess },
		{ EACCES, kIOReturnNotPermitted },
		{ EPERM, kIOReturnNotPermitted },
		{ EUSERS, kIOReturnNoResources },
		{ EMFILE, kIOReturnNoResources },
		{ ENFILE, kIOReturnNoResources },
		{ ENOMEM, kIOReturnNoMemory },
		{ EPROTO, kIOReturnUnsupported },
		{ ENAMETOOLONG, kIOReturnBadArgument },
		{ ETIMEDOUT, kIOReturnTimeout },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].error == error)
			return known[i].status;
	return kIOReturnNotAttached;
}

kern_return_t IOUserServiceStatus(const char **why)
{
	if (iou_services_published())
		set_last_error("", 0);
	if (why)
		*why = last.text;
	return errno_to_status(last.error);
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
