/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/vfio-user-client.h"
#include "tests/lib/send-fds.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void vu_client_connect(struct vu_client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*client = (struct vu_client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_true(client->fd >= 0);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(
		connect(client->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

void vu_client_close(struct vu_client *client)
{
	close(client->fd);
	client->fd = -1;
}

int vu_client_propose(struct vu_client *client)
{
	static const char proposal[] = "\0\0\1\0{\"capabilities\":{\"max_msg_fds\":16,"
				       "\"write_multiple\":true}}";

	return vu_client_call(
		client, VFIO_USER_VERSION, proposal, sizeof(proposal), NULL, 0, NULL, 0);
}

int vu_client_agree(struct vu_client *client, const char *path)
{
	vu_client_connect(client, path);
	return vu_client_propose(client);
}

void vu_client_send(
	struct vu_client *client, const void *data, size_t size, const int *fds, size_t count)
{
	/* The server may have hung up: the reply that does not come tells. */
	(void)send_fds(client->fd, data, size, fds, count);
}

static bool receive(int fd, void *data, size_t size)
{
	return size == 0 || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

/* A header, and the descriptor that came with it, or -1. */
static bool receive_header(int socket, struct vfio_user_header *header, int *fd)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = header, .iov_len = sizeof(*header) };
	struct msghdr message = { .msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	*fd = -1;
	if (recvmsg(socket, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(*header))
		return false;
	if (CMSG_FIRSTHDR(&message))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(*fd));
	return true;
}

static int receive_reply(
	struct vu_client *client, uint16_t command, void *reply, size_t room, int *fd)
{
	unsigned char rest[256];
	struct vfio_user_header header;
	size_t size, kept;

	if (!receive_header(client->fd, &header, fd))
		return -1;
	assert_int_equal(header.id, client->id);
	assert_int_equal(header.command, command);
	assert_int_equal(header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
	size = header.size - sizeof(header);
	kept = size < room ? size : room;
	assert_true(receive(client->fd, reply, kept));
	for (size -= kept; size > 0; size -= kept) {
		kept = size < sizeof(rest) ? size : sizeof(rest);
		assert_true(receive(client->fd, rest, kept));
	}
	return (header.flags & VFIO_USER_ERROR) != 0 ? (int)header.error : 0;
}

static int call(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, void *reply, size_t room, int *fd)
{
	struct {
		struct vfio_user_header header;
		unsigned char payload[512];
	} message = { .header = { .id = ++client->id,
			      .command = command,
			      .size = (uint32_t)(sizeof(struct vfio_user_header) + size) } };

	assert_true(size <= sizeof(message.payload));
	if (size > 0)
		memcpy(message.payload, payload, size);
	vu_client_send(client, &message, message.header.size, fds, count);
	return receive_reply(client, command, reply, room, fd);
}

int vu_client_call(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, void *reply, size_t room)
{
	int fd, error = call(client, command, payload, size, fds, count, reply, room, &fd);

	assert_int_equal(fd, -1);
	return error;
}

int vu_client_region(struct vu_client *client, uint32_t index, struct vu_client_region *region)
{
	struct {
		struct vfio_user_region_info info;
		struct vfio_user_sparse_mmap sparse;
	} reply = { .info = { .argsz = 0 } };
	struct vfio_user_region_info info = { .argsz = sizeof(reply), .index = index };
	int error = call(client, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0,
		&reply, sizeof(reply), &region->fd);

	region->info = reply.info;
	region->sparse = reply.sparse;
	return error;
}

int vu_client_read(
	struct vu_client *client, uint32_t region, uint64_t offset, void *data, uint32_t count)
{
	struct {
		struct vfio_user_region_access access;
		unsigned char data[8];
	} reply, request = { .access = { .offset = offset, .region = region, .count = count } };
	int error;

	assert_true(count <= sizeof(reply.data));
	error = vu_client_call(client, VFIO_USER_REGION_READ, &request, sizeof(request.access),
		NULL, 0, &reply, sizeof(reply));
	if (error == 0)
		memcpy(data, reply.data, count);
	return error;
}

int vu_client_write(struct vu_client *client, uint32_t region, uint64_t offset, const void *data,
	uint32_t count)
{
	struct {
		struct vfio_user_region_access access;
		unsigned char data[8];
	} request = { .access = { .offset = offset, .region = region, .count = count } };

	assert_true(count <= sizeof(request.data));
	memcpy(request.data, data, count);
	return vu_client_call(client, VFIO_USER_REGION_WRITE, &request,
		sizeof(request.access) + count, NULL, 0, NULL, 0);
}

int vu_client_map(struct vu_client *client, uint64_t address, uint64_t size, int fd)
{
	struct vfio_user_dma_map map = { .argsz = sizeof(map),
		.flags = VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE,
		.address = address,
		.size = size };

	return vu_client_call(
		client, VFIO_USER_DMA_MAP, &map, sizeof(map), &fd, fd >= 0 ? 1 : 0, NULL, 0);
}

int vu_client_event(struct vu_client *client, uint32_t index, uint32_t vector, int fd)
{
	struct vfio_user_irq_set set = { .argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.start = vector,
		.count = 1 };

	return vu_client_call(
		client, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), &fd, 1, NULL, 0);
}

/* --- Programs --------------------------------------------------------------------------- */

pid_t program_start(const char *const *argv)
{
	pid_t program = fork();

	assert_true(program >= 0);
	if (program > 0)
		return program;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(argv[0], (char **)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int program_end(pid_t program, int signal)
{
	int status;

	kill(program, signal);
	assert_int_equal(waitpid(program, &status, 0), program);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * A datagram socket asks: it is refused where nobody is bound, and told of the wrong type
 * where somebody is, who does not hear of it. Servers put a socket into its place when it
 * listens.
 */
static bool is_listening(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool bound;

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	bound = connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
		errno == EPROTOTYPE;
	close(fd);
	return bound;
}

void wait_for_socket(const char *path)
{
	for (int i = 0; i < 4000 && !is_listening(path); i++)
		poll(NULL, 0, 5);
	assert_true(is_listening(path));
}
