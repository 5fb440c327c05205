/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/vfio-user-client.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/send-fds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WRITE_MAX 64

int vu_client_try_connect(struct vu_client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	strcpy(address.sun_path, path);
	*client = (struct vu_client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (client->fd < 0)
		return errno;
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	return errno;
}

void vu_client_connect(struct vu_client *client, const char *path)
{
	assert_int_equal(vu_client_try_connect(client, path), 0);
}

void vu_client_close(struct vu_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/* --- Messages ---------------------------------------------------------------------------- */

bool vu_client_try_send(
	struct vu_client *client, const void *data, size_t size, const int *fds, size_t count)
{
	return send_fds(client->fd, data, size, fds, count);
}

void vu_client_send(
	struct vu_client *client, const void *data, size_t size, const int *fds, size_t count)
{
	assert_true(vu_client_try_send(client, data, size, fds, count));
}

static bool send_command(struct vu_client *client, uint16_t command, uint32_t flags,
	const void *payload, size_t size, const int *fds, size_t count)
{
	struct vfio_user_header header = { .id = ++client->id,
		.command = command,
		.size = (uint32_t)(sizeof(header) + size),
		.flags = flags };
	unsigned char *message = malloc(sizeof(header) + size);
	bool sent;

	assert_non_null(message);
	memcpy(message, &header, sizeof(header));
	if (size > 0)
		memcpy(message + sizeof(header), payload, size);
	sent = vu_client_try_send(client, message, sizeof(header) + size, fds, count);
	free(message);
	return sent;
}

void vu_client_send_command(struct vu_client *client, uint16_t command, uint32_t flags,
	const void *payload, size_t size, const int *fds, size_t count)
{
	assert_true(send_command(client, command, flags, payload, size, fds, count));
}

/*
 * The header is received alone, and must carry the descriptor, as some clients expect. The buffer
 * has room for more descriptors than one, to detect extra ones.
 */
static bool receive_header(int socket, struct vfio_user_header *header, int *fd)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = header, .iov_len = sizeof(*header) };
	struct msghdr message = { .msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *first;

	*fd = -1;
	if (recvmsg(socket, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(*header))
		return false;
	assert_int_equal(message.msg_flags & MSG_CTRUNC, 0);
	first = CMSG_FIRSTHDR(&message);
	if (first) {
		assert_int_equal(first->cmsg_type, SCM_RIGHTS);
		assert_int_equal(first->cmsg_len, CMSG_LEN(sizeof(int)));
		assert_null(CMSG_NXTHDR(&message, first));
		memcpy(fd, CMSG_DATA(first), sizeof(*fd));
	}
	return true;
}

bool vu_client_receive(struct vu_client *client, struct vu_reply *reply)
{
	if (!receive_header(client->fd, &reply->header, &reply->fd))
		return false;
	assert_int_equal(reply->header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
	reply->size = reply->header.size - sizeof(reply->header);
	assert_true(reply->size <= sizeof(reply->payload));
	if (reply->size > 0)
		assert_int_equal(
			recv(client->fd, reply->payload, reply->size, MSG_WAITALL), reply->size);
	return true;
}

/* A reply to the last command. Return: as vu_client_call(). */
static int receive_reply(struct vu_client *client, uint16_t command, struct vu_reply *reply)
{
	int error;

	if (!vu_client_receive(client, reply))
		return -1;
	assert_int_equal(reply->header.id, client->id);
	assert_int_equal(reply->header.command, command);
	error = (int)reply->header.error;
	assert_int_equal((reply->header.flags & VFIO_USER_ERROR) != 0, error != 0);
	if (error != 0)
		assert_int_equal(reply->size, 0);
	return error;
}

void vu_client_send_version(struct vu_client *client)
{
	static const char proposal[] = "\0\0\1\0{\"capabilities\":{\"max_msg_fds\":16,"
				       "\"write_multiple\":true}}";

	/* If the server has closed the socket, vu_client_receive_version() fails. */
	(void)send_command(client, VFIO_USER_VERSION, VFIO_USER_TYPE_COMMAND, proposal,
		sizeof(proposal), NULL, 0);
}

int vu_client_receive_version(struct vu_client *client)
{
	struct vu_reply *reply = malloc(sizeof(*reply));
	int error;

	assert_non_null(reply);
	error = receive_reply(client, VFIO_USER_VERSION, reply);
	if (error == 0)
		assert_int_equal(reply->fd, -1);
	free(reply);
	return error;
}

int vu_client_negotiate(struct vu_client *client)
{
	vu_client_send_version(client);
	return vu_client_receive_version(client);
}

int vu_client_open(struct vu_client *client, const char *path)
{
	vu_client_connect(client, path);
	return vu_client_negotiate(client);
}

int vu_client_exchange(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, struct vu_reply *reply)
{
	if (!reply)
		return vu_client_call(client, command, payload, size, fds, count, NULL, 0);
	/* If the server has closed the socket, receive_reply() fails. */
	(void)send_command(client, command, VFIO_USER_TYPE_COMMAND, payload, size, fds, count);
	return receive_reply(client, command, reply);
}

int vu_client_call(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, void *reply, size_t room)
{
	struct vu_reply *whole = malloc(sizeof(*whole));
	int error;

	assert_non_null(whole);
	error = vu_client_exchange(client, command, payload, size, fds, count, whole);
	assert_int_equal(whole->fd, -1);
	if (error == 0 && room > 0)
		memcpy(reply, whole->payload, whole->size < room ? whole->size : room);
	free(whole);
	return error;
}

/* --- Regions ------------------------------------------------------------------------------ */

int vu_client_region(struct vu_client *client, uint32_t index, struct vu_client_region *region)
{
	const size_t both = sizeof(region->info) + sizeof(region->sparse);
	struct vfio_user_region_info info = { .argsz = (uint32_t)both, .index = index };
	struct vu_reply *reply = malloc(sizeof(*reply));
	int error;

	assert_non_null(reply);
	*region = (struct vu_client_region){ .fd = -1 };
	error = vu_client_exchange(
		client, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0, reply);
	if (error == 0) {
		assert_true(reply->size >= sizeof(info) && reply->size <= both);
		memcpy(&region->info, reply->payload, sizeof(info));
		if (reply->size == both)
			memcpy(&region->sparse, reply->payload + sizeof(info),
				sizeof(region->sparse));
		region->fd = reply->fd;
	}
	free(reply);
	return error;
}

int vu_client_read(
	struct vu_client *client, uint32_t region, uint64_t offset, void *data, uint32_t count)
{
	struct vfio_user_region_access access = {
		.offset = offset, .region = region, .count = count
	};
	struct vu_reply *reply = malloc(sizeof(*reply));
	int error;

	assert_non_null(reply);
	error = vu_client_exchange(
		client, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, reply);
	if (error == 0) {
		assert_int_equal(reply->size, sizeof(access) + count);
		assert_memory_equal(reply->payload, &access, sizeof(access));
		if (count > 0)
			memcpy(data, reply->payload + sizeof(access), count);
	}
	free(reply);
	return error;
}

int vu_client_write(struct vu_client *client, uint32_t region, uint64_t offset, const void *data,
	uint32_t count)
{
	struct {
		struct vfio_user_region_access access;
		unsigned char data[WRITE_MAX];
	} request = { .access = { .offset = offset, .region = region, .count = count } };
	struct vfio_user_region_access written = { .count = 0 };
	int error;

	assert_true(count <= sizeof(request.data));
	memcpy(request.data, data, count);
	error = vu_client_call(client, VFIO_USER_REGION_WRITE, &request,
		sizeof(request.access) + count, NULL, 0, &written, sizeof(written));
	if (error == 0)
		assert_memory_equal(&written, &request.access, sizeof(written));
	return error;
}

uint32_t vu_client_config(struct vu_client *client, uint64_t offset, uint32_t width)
{
	uint8_t bytes[4] = { 0 };

	assert_int_equal(
		vu_client_read(client, VFIO_PCI_CONFIG_REGION_INDEX, offset, bytes, width), 0);
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

void vu_client_set_config(struct vu_client *client, uint64_t offset, uint32_t width, uint32_t value)
{
	uint8_t bytes[4];

	for (size_t i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	assert_int_equal(
		vu_client_write(client, VFIO_PCI_CONFIG_REGION_INDEX, offset, bytes, width), 0);
}

/* --- DMA and interrupts --------------------------------------------------------------------- */

int vu_client_map(struct vu_client *client, uint64_t address, uint64_t size, int fd)
{
	struct vfio_user_dma_map map = { .argsz = sizeof(map),
		.flags = VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE,
		.address = address,
		.size = size };

	return vu_client_exchange(
		client, VFIO_USER_DMA_MAP, &map, sizeof(map), &fd, fd >= 0 ? 1 : 0, NULL);
}

int vu_client_set_irqs(struct vu_client *client, uint32_t index, uint32_t flags, uint32_t start,
	uint32_t count, const int *fds, size_t fd_count)
{
	struct vfio_user_irq_set set = {
		.argsz = sizeof(set), .flags = flags, .index = index, .start = start, .count = count
	};

	return vu_client_exchange(
		client, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), fds, fd_count, NULL);
}

int vu_client_set_bools(struct vu_client *client, uint32_t index, uint32_t action, uint32_t start,
	uint32_t count, const void *bools, size_t bool_count)
{
	struct {
		struct vfio_user_irq_set set;
		unsigned char bools[64];
	} request = { .set = { .argsz = (uint32_t)(sizeof(request.set) + bool_count),
			      .flags = VFIO_IRQ_SET_DATA_BOOL | action,
			      .index = index,
			      .start = start,
			      .count = count } };

	assert_true(bool_count <= sizeof(request.bools));
	memcpy(request.bools, bools, bool_count);
	return vu_client_exchange(client, VFIO_USER_DEVICE_SET_IRQS, &request,
		sizeof(request.set) + bool_count, NULL, 0, NULL);
}

int vu_client_event(struct vu_client *client, uint32_t index, uint32_t vector, int fd)
{
	return vu_client_set_irqs(client, index,
		VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, vector, 1, &fd, 1);
}
