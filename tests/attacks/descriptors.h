/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors that do harm to whoever closes, reads, writes or maps them. What keeps them
 * harmful (the other end of a connection, say) belongs to the process that makes one.
 */
#ifndef TESTS_ATTACKS_DESCRIPTORS_H
#define TESTS_ATTACKS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct descriptor_kind {
	const char *name;
	int (*make)(void); /* -1 where the system has none of the kind */
};
extern const struct descriptor_kind descriptor_kinds[];
extern const size_t descriptor_kind_count;

/*
 * Close a descriptor that has been handed over, so that its receiver has the last copy. Where
 * the receiver was faster, this is the close() that hurts: it is cut short.
 */
void let_go(int fd);

/* A TCP connection with data that nobody takes: the last close() waits for an hour. */
int make_lingering(void);
/* A SOCK_SEQPACKET socket, good for a port, in whose queue a lingering connection waits. */
int make_stuffed_port(void);
/* An eventfd that holds all it can: a write waits. */
int make_full_eventfd(void);
/* A file of so many bytes, none of which takes room. */
int make_sparse_file(off_t size);

/*
 * A regular file, readable and writable, of a file system (FUSE) that answers to @victim's
 * threads nothing but what opening a file takes: reading it, touching its pages and closing
 * it all wait. @silent_attributes: so does fstat(). Needs root; else -1.
 */
#define STALLED_FILE_SIZE 0x100000u
int make_stalled_file(pid_t victim, bool silent_attributes);

#endif
