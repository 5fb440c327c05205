/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vfio-user client on a connected socket, for tests of a session in this process and of the
 * server as a program. An error fails the current test (cmocka), unless the function returns it.
 */
#ifndef TESTS_LIB_VFIO_USER_CLIENT_H
#define TESTS_LIB_VFIO_USER_CLIENT_H

#include "vfio-user/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vu_client {
	int fd;
	uint16_t id; /* of the last command */
};

struct vu_reply {
	struct vfio_user_header header;
	unsigned char payload[VU_PAYLOAD_MAX];
	size_t size; /* of the payload */
	int fd;	     /* the descriptor received with it, or -1; the caller closes it */
};

/** vu_client_try_connect - connect to a listening socket. Return: 0 or an errno. */
int vu_client_try_connect(struct vu_client *client, const char *path);
/** vu_client_connect - the same; an error fails the test. */
void vu_client_connect(struct vu_client *client, const char *path);
void vu_client_close(struct vu_client *client);
/** vu_client_negotiate - VERSION. Return: as vu_client_call(). */
int vu_client_negotiate(struct vu_client *client);
/** vu_client_send_version, vu_client_receive_version - its two halves. Return: as vu_client_call(). */
void vu_client_send_version(struct vu_client *client);
int vu_client_receive_version(struct vu_client *client);
/** vu_client_open - connect and negotiate the version. Return: as vu_client_call(). */
int vu_client_open(struct vu_client *client, const char *path);

/** vu_client_send - send raw bytes; an error fails the test. */
void vu_client_send(
	struct vu_client *client, const void *data, size_t size, const int *fds, size_t count);
/** vu_client_try_send - send raw bytes. Return: false when the server has closed the socket. */
bool vu_client_try_send(
	struct vu_client *client, const void *data, size_t size, const int *fds, size_t count);
/** vu_client_send_command - send a header with the next message ID and @flags, and @payload. */
void vu_client_send_command(struct vu_client *client, uint16_t command, uint32_t flags,
	const void *payload, size_t size, const int *fds, size_t count);
/** vu_client_receive - the next reply. Return: false when the server has closed the socket. */
bool vu_client_receive(struct vu_client *client, struct vu_reply *reply);

/**
 * vu_client_exchange - send a command and receive its reply
 * @reply: NULL: the reply must have no descriptor
 *
 * Return: the errno of the reply, 0 for success; -1 when the server has closed the socket.
 */
int vu_client_exchange(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, struct vu_reply *reply);
/**
 * vu_client_call - the same, for a reply without a descriptor
 * @reply: receives at most @room bytes of the payload
 */
int vu_client_call(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, void *reply, size_t room);

/* The reply to DEVICE_GET_REGION_INFO. */
struct vu_client_region {
	struct vfio_user_region_info info;
	struct vfio_user_sparse_mmap sparse; /* with VFIO_REGION_INFO_FLAG_CAPS */
	int fd;				     /* as in struct vu_reply */
};
/**
 * vu_client_region - query a region, with an argsz for the whole reply. Return: as
 * vu_client_call().
 */
int vu_client_region(struct vu_client *client, uint32_t index, struct vu_client_region *region);

/* Region accesses; writes of at most 64 bytes. Return: as vu_client_call(). */
int vu_client_read(
	struct vu_client *client, uint32_t region, uint64_t offset, void *data, uint32_t count);
int vu_client_write(struct vu_client *client, uint32_t region, uint64_t offset, const void *data,
	uint32_t count);
/* Config space, little-endian; an error fails the test. */
uint32_t vu_client_config(struct vu_client *client, uint64_t offset, uint32_t width);
void vu_client_set_config(
	struct vu_client *client, uint64_t offset, uint32_t width, uint32_t value);

/** vu_client_map - DMA_MAP of @fd at @address; -1: memory without a descriptor. */
int vu_client_map(struct vu_client *client, uint64_t address, uint64_t size, int fd);

/* DEVICE_SET_IRQS. Return: as vu_client_call(). */
int vu_client_set_irqs(struct vu_client *client, uint32_t index, uint32_t flags, uint32_t start,
	uint32_t count, const int *fds, size_t fd_count);
/* The same with DATA_BOOL and up to 64 bytes. */
int vu_client_set_bools(struct vu_client *client, uint32_t index, uint32_t action, uint32_t start,
	uint32_t count, const void *bools, size_t bool_count);
/** vu_client_event - connect @fd to an interrupt. */
int vu_client_event(struct vu_client *client, uint32_t index, uint32_t vector, int fd);

#endif
