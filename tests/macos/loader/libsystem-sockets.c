/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/macos/loader/libsystem.h"
#include "tests/macos/loader/macho.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DARWIN_SOL_SOCKET = 0xffff, DARWIN_SO_NOSIGPIPE = 0x1022 };

/* Darwin's structures. struct iovec is the same. */
struct darwin_sockaddr_un {
	unsigned char sun_len, sun_family;
	char sun_path[104];
};

struct darwin_msghdr {
	void *msg_name;
	socklen_t msg_namelen;
	struct iovec *msg_iov;
	int msg_iovlen;
	void *msg_control;
	socklen_t msg_controllen;
	int msg_flags;
};

struct darwin_cmsghdr {
	socklen_t cmsg_len;
	int cmsg_level, cmsg_type;
};

/* Descriptors in one message, as many as Linux can send. */
#define RIGHTS_MAX 253
union rights {
	struct cmsghdr align;
	unsigned char space[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
};

static const struct flag message_flags[] = {
	{ 0x8, MSG_EOR },
	{ 0x10, MSG_TRUNC },
	{ 0x20, MSG_CTRUNC },
	{ 0x80, MSG_DONTWAIT },
	{ 0x80000, MSG_NOSIGNAL },
};

static int host_message_flags(int flags)
{
	return (int)flags_to_host("message flags", flags, message_flags, COUNT(message_flags));
}

/* AF_UNIX and the types are the same. */
static int shim_socket(int family, int type, int protocol)
{
	if (family != AF_UNIX)
		libsystem_untranslated("socket family", family);
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		libsystem_untranslated("socket type", type);
	return socket(family, type, protocol);
}

static struct sockaddr_un host_address(const struct darwin_sockaddr_un *address)
{
	struct sockaddr_un host = { .sun_family = AF_UNIX };

	if (address->sun_family != AF_UNIX)
		libsystem_untranslated("address family", address->sun_family);
	memcpy(host.sun_path, address->sun_path, sizeof(address->sun_path));
	return host;
}

static int shim_bind(int fd, const struct darwin_sockaddr_un *address, socklen_t size)
{
	struct sockaddr_un host = host_address(address);

	(void)size;
	return bind(fd, (const struct sockaddr *)&host, sizeof(host));
}

static int shim_connect(int fd, const struct darwin_sockaddr_un *address, socklen_t size)
{
	struct sockaddr_un host = host_address(address);

	(void)size;
	return connect(fd, (const struct sockaddr *)&host, sizeof(host));
}

static int shim_accept(int fd, void *address, socklen_t *size)
{
	(void)size;
	if (address)
		libsystem_untranslated("accept with an address", 0);
	return accept(fd, NULL, NULL);
}

/* sendmsg() here raises no SIGPIPE, which is all that SO_NOSIGPIPE is for. */
static int shim_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	(void)fd, (void)value, (void)size;
	if (level != DARWIN_SOL_SOCKET || name != DARWIN_SO_NOSIGPIPE)
		libsystem_untranslated("socket option", name);
	return 0;
}

static void give_rights(struct darwin_msghdr *message, struct msghdr *host)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(host);
	struct darwin_cmsghdr header = { .cmsg_level = DARWIN_SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	size_t bytes;

	message->msg_controllen = 0;
	if (!control)
		return;
	if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
		CMSG_NXTHDR(host, control))
		libsystem_untranslated("control message", control->cmsg_type);
	bytes = control->cmsg_len - CMSG_LEN(0);
	header.cmsg_len = (socklen_t)(sizeof(header) + bytes);
	memcpy(message->msg_control, &header, sizeof(header));
	memcpy((unsigned char *)message->msg_control + sizeof(header), CMSG_DATA(control), bytes);
	message->msg_controllen = header.cmsg_len;
}

/*
 * How much to read at once. What one recvmsg() returns begins on Darwin with the data that
 * descriptors came with, and ends on Linux with it. A look ahead shows only whether there are
 * descriptors, not where: then byte by byte. One is received for that, and closed.
 */
static size_t size_of_read(int fd, void *data, size_t size)
{
	union rights control;
	struct iovec vector = { .iov_base = data, .iov_len = size };
	struct msghdr host = { .msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t got = recvmsg(fd, &host, MSG_PEEK | MSG_DONTWAIT);
	struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&host) : NULL;
	int copy;

	if (!header || header->cmsg_type != SCM_RIGHTS)
		return got > 0 ? (size_t)got : size;
	memcpy(&copy, CMSG_DATA(header), sizeof(copy));
	close(copy);
	return 1;
}

static ssize_t shim_recvmsg(int fd, struct darwin_msghdr *message, int flags)
{
	union rights rights;
	struct iovec vector;
	struct msghdr host = { .msg_iov = &vector, .msg_iovlen = 1 };
	size_t room = message->msg_control ? message->msg_controllen : 0;
	ssize_t got;

	if (message->msg_iovlen != 1)
		libsystem_untranslated("recvmsg with vectors", message->msg_iovlen);
	vector = message->msg_iov[0];
	vector.iov_len = size_of_read(fd, vector.iov_base, vector.iov_len);
	if (room >= sizeof(struct darwin_cmsghdr)) {
		room = (room - sizeof(struct darwin_cmsghdr)) / sizeof(int);
		host.msg_control = &rights;
		host.msg_controllen =
			CMSG_LEN((room < RIGHTS_MAX ? room : RIGHTS_MAX) * sizeof(int));
	}
	got = recvmsg(fd, &host, host_message_flags(flags));
	if (got < 0)
		return got;
	give_rights(message, &host);
	message->msg_flags =
		(int)flags_to_darwin(host.msg_flags, message_flags, COUNT(message_flags));
	return got;
}

static void take_rights(
	const struct darwin_msghdr *message, struct msghdr *host, union rights *rights)
{
	struct darwin_cmsghdr header;
	size_t bytes;

	memcpy(&header, message->msg_control, sizeof(header));
	bytes = header.cmsg_len - sizeof(header);
	if (header.cmsg_level != DARWIN_SOL_SOCKET || header.cmsg_type != SCM_RIGHTS ||
		bytes > RIGHTS_MAX * sizeof(int) || header.cmsg_len > message->msg_controllen)
		libsystem_untranslated("control message", header.cmsg_type);
	memset(rights, 0, sizeof(*rights));
	rights->align = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(bytes), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
	};
	memcpy(CMSG_DATA(&rights->align),
		(const unsigned char *)message->msg_control + sizeof(header), bytes);
	host->msg_control = rights;
	host->msg_controllen = CMSG_SPACE(bytes);
}

static ssize_t shim_sendmsg(int fd, const struct darwin_msghdr *message, int flags)
{
	union rights rights;
	struct msghdr host = { .msg_iov = message->msg_iov,
		.msg_iovlen = (size_t)message->msg_iovlen };

	if (message->msg_control && message->msg_controllen != 0)
		take_rights(message, &host, &rights);
	return sendmsg(fd, &host, host_message_flags(flags));
}

/* struct pollfd and the events are the same; the count has 32 bits there. */
static int shim_poll(struct pollfd *entries, unsigned count, int timeout)
{
	return poll(entries, count, timeout);
}

const struct libsystem_row libsystem_sockets[] = {
	{ "_socket", shim_socket },
	{ "_bind", shim_bind },
	{ "_connect", shim_connect },
	{ "_accept", shim_accept },
	{ "_setsockopt", shim_setsockopt },
	{ "_recvmsg", shim_recvmsg },
	{ "_sendmsg", shim_sendmsg },
	{ "_poll", shim_poll },
	{ NULL, NULL },
};
