/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors whose close(), read(), write() or mapping blocks. The process that creates one holds
 * the other end (of a connection, for example).
 */
#ifndef TESTS_ATTACKS_DESCRIPTORS_H
#define TESTS_ATTACKS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct descriptor_kind {
	const char *name;
	int (*make)(void); /* -1 where the system does not support the kind */
};
extern const struct descriptor_kind descriptor_kinds[];
extern const size_t descriptor_kind_count;

/*
 * Close a descriptor that has been sent, so that its receiver has the last reference. If the
 * receiver was faster, this close() blocks: it is interrupted.
 */
void close_sent(int fd);

/* A TCP connection with unread data: the last close() blocks for an hour. */
int make_lingering(void);
/* A SOCK_SEQPACKET socket, valid as a port, with a lingering connection in its queue. */
int make_stuffed_port(void);
/* An eventfd at its maximum: a write blocks. */
int make_full_eventfd(void);
/* A sparse file of @size bytes. */
int make_sparse_file(off_t size);

/*
 * A regular file, readable and writable, of a FUSE file system that answers @victim's threads only
 * as far as open() needs: read(), page faults and close() block. @silent_attributes: fstat()
 * blocks too. Needs root; otherwise -1.
 */
#define STALLED_FILE_SIZE 0x100000u
int make_stalled_file(pid_t victim, bool silent_attributes);

#endif
