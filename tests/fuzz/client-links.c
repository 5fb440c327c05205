/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service's ends of connections, and wrappers of the system calls that the client connects
 * with.
 */
#include "iokit/wire.h"
#include "tests/fuzz/client-rig.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct sockaddr;
int __wrap_socket(int domain, int type, int protocol);
int __real_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);

static struct link {
	int client, service; /* client: -1 once connected; service: -1 once closed */
} links[LINKS_MAX];
static int link_count;
static int port = -1;

int __wrap_socket(int domain, int type, int protocol)
{
	if (!link_count)
		return __real_socket(domain, type, protocol); /* of the harness */
	for (int i = 0; i < link_count; i++) {
		int fd = links[i].client;

		links[i].client = -1;
		if (fd >= 0)
			return fd;
	}
	errno = EMFILE;
	return -1;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	(void)fd, (void)address, (void)size;
	return 0;
}

int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
	(void)timeout_ms;
	return __real_poll(fds, count, 0);
}

int link_prepare(void)
{
	int ends[2];

	if (link_count == LINKS_MAX)
		return -1;
	fuzz_require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0,
		"the harness needs sockets");
	links[link_count] = (struct link){ ends[0], ends[1] };
	return link_count++;
}

int link_service(int link)
{
	return link < 0 ? -1 : links[link].service;
}

bool link_connected(int link)
{
	return link >= 0 && links[link].client < 0;
}

void link_close(int link)
{
	if (link < 0 || links[link].service < 0)
		return;
	close(links[link].service);
	links[link].service = -1;
}

unsigned char *arena(void)
{
	static unsigned char *memory;
	int fd;

	if (memory)
		return memory;
	memory = mmap(NULL, 4 * ARENA_PART, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd = memfd_create("arena", MFD_CLOEXEC);
	fuzz_require(memory != MAP_FAILED && fd >= 0 && ftruncate(fd, ARENA_PART) == 0,
		"the harness needs memory");
	mmap(memory, ARENA_PART, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	mprotect(memory + ARENA_PART, ARENA_PART, PROT_READ | PROT_WRITE);
	mprotect(memory + 2 * ARENA_PART, ARENA_PART, PROT_READ);
	return memory;
}

static bool ranges_are_sound(const struct iou_memory_reply *reply, size_t fds)
{
	uint64_t begin = (uintptr_t)arena(), end = begin + 4 * ARENA_PART;

	if (reply->header.status != kIOReturnSuccess)
		return !reply->count && !fds;
	if (!reply->count || reply->count > IOU_RANGES_MAX ||
		reply->header.size != sizeof(*reply) + reply->count * sizeof(reply->ranges[0]))
		return false;
	for (uint32_t i = 0; i < reply->count; i++) {
		const struct iou_range *range = &reply->ranges[i];

		if (range->va < begin || range->length > end - begin ||
			range->va + range->length > end ||
			(range->fd_index >= fds && range->fd_index != IOU_RANGE_PRIVATE))
			return false;
	}
	return true;
}

static bool request_is_sound(const union iou_buffer *message, const struct iou_fds *fds)
{
	size_t size = message->header.size;
	const struct iou_call *call = &message->call;

	switch (message->header.type) {
	case IOU_HELLO:
		return size == sizeof(message->hello) && !fds->count;
	case IOU_LIST:
	case IOU_WATCH:
		return size == sizeof(message->header) && !fds->count;
	case IOU_OPEN:
		return size == sizeof(message->open) && !fds->count;
	case IOU_MAP:
	case IOU_UNMAP:
		return size == sizeof(message->map) && !fds->count;
	case IOU_CALL:
		return size == sizeof(*call) + call->scalar_input_count * sizeof(uint64_t) +
				       call->structure_input_size &&
		       fds->count == (call->flags & IOU_CALL_ASYNC);
	case IOU_MEMORY | IOU_REPLY:
		return ranges_are_sound(&message->memory_reply, fds->count);
	default:
		return false;
	}
}

static void check_messages(struct link *link)
{
	union iou_buffer message;
	struct iou_fds fds;
	int size;

	while ((size = iou_receive(link->service, &message, &fds, 0)) > 0) {
		fuzz_require(
			request_is_sound(&message, &fds), "the client sent an invalid message");
		if (message.header.type == IOU_CALL && fds.count) {
			if (port >= 0)
				close(port);
			port = iou_fds_take(&fds, 0);
		}
		iou_fds_close(&fds);
	}
	fuzz_require(size != -EPROTO, "the client sent a malformed message");
}

void links_read(void)
{
	for (int i = 0; i < link_count; i++)
		if (links[i].service >= 0)
			check_messages(&links[i]);
}

int port_descriptor(void)
{
	return port;
}

void client_rig_end(void)
{
	links_read();
	for (int i = 0; i < link_count; i++) {
		if (links[i].client >= 0)
			close(links[i].client);
		link_close(i);
	}
	link_count = 0;
	if (port >= 0)
		close(port);
	port = -1;
}
