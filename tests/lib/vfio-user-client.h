/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vfio-user client that is no VMM, and the programs that it talks to: for tests of the
 * whole server. What does not work ends the test.
 */
#ifndef TESTS_LIB_VFIO_USER_CLIENT_H
#define TESTS_LIB_VFIO_USER_CLIENT_H

#include "vfio-user/protocol.h"

#include <stdbool.h>
#include <sys/types.h>

struct vu_client {
	int fd;
	uint16_t id; /* of the last message */
};

/** vu_client_connect - connect to a socket that is listening. */
void vu_client_connect(struct vu_client *client, const char *path);
void vu_client_close(struct vu_client *client);
/** vu_client_propose - agree on the version. Return: an errno or 0; -1 when turned away. */
int vu_client_propose(struct vu_client *client);
/** vu_client_agree - connect, and both. Return: as vu_client_propose(). */
int vu_client_agree(struct vu_client *client, const char *path);

/** vu_client_send - send bytes as they are, with up to 16 descriptors. */
void vu_client_send(
	struct vu_client *client, const void *data, size_t size, const int *fds, size_t count);
/**
 * vu_client_call - one command and its reply
 * @reply: gets at most @room bytes of payload
 *
 * Return: the errno in it, 0 for a success; -1 when the server has hung up.
 */
int vu_client_call(struct vu_client *client, uint16_t command, const void *payload, size_t size,
	const int *fds, size_t count, void *reply, size_t room);

/* What the server says of a region; the descriptor is the caller's, -1 when there is none. */
struct vu_client_region {
	struct vfio_user_region_info info;
	struct vfio_user_sparse_mmap sparse; /* with VFIO_REGION_INFO_FLAG_CAPS */
	int fd;
};
/** vu_client_region - ask with room for all of it. Return: as vu_client_call(). */
int vu_client_region(struct vu_client *client, uint32_t index, struct vu_client_region *region);

/* Config space and BARs, up to 8 bytes. Return: as vu_client_call(). */
int vu_client_read(
	struct vu_client *client, uint32_t region, uint64_t offset, void *data, uint32_t count);
int vu_client_write(struct vu_client *client, uint32_t region, uint64_t offset, const void *data,
	uint32_t count);
/** vu_client_map - share @fd at @address; -1 for memory that is not shared. */
int vu_client_map(struct vu_client *client, uint64_t address, uint64_t size, int fd);
/** vu_client_event - connect an eventfd to an interrupt. */
int vu_client_event(struct vu_client *client, uint32_t index, uint32_t vector, int fd);

/** program_start - run a program, which dies with the test. @argv ends with NULL. */
pid_t program_start(const char *const *argv);
/** program_end - a signal, and wait. Return: its exit status; 128 and more: the signal. */
int program_end(pid_t program, int signal);
/** wait_for_socket - until somebody listens there: asks the kernel, without connecting. */
void wait_for_socket(const char *path);

#endif
