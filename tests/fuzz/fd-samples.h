/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors of every kind that a peer could attach to a message. */
#ifndef TESTS_FUZZ_FD_SAMPLES_H
#define TESTS_FUZZ_FD_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

enum fd_kind {
	FD_MEMORY,	 /* a valid memfd of FD_MEMORY_SIZE */
	FD_PORT,	 /* a connected SOCK_SEQPACKET socket, valid as a notification port */
	FD_MEMORY_SHORT, /* a memfd that ends within a page */
	FD_MEMORY_EMPTY,
	FD_MEMORY_SPARSE, /* larger than the limit for mapping it whole */
	FD_MEMORY_READ_ONLY,
	FD_MEMORY_WRITE_ONLY,
	FD_MEMORY_SEALED, /* open for writing, but sealed against writing */
	FD_MEMORY_ABSENT, /* can be mapped, but each access raises SIGBUS (no huge pages) */
	FD_MEMORY_PATH,	  /* O_PATH: refers to the file without access to it */
	FD_PORT_DEAD,	  /* its other end is closed */
	FD_PORT_LISTENING,
	FD_STREAM,
	FD_DATAGRAM,
	FD_PIPE_READ,
	FD_PIPE_WRITE,
	FD_NULL,
	FD_ZERO,
	FD_FOLDER,
	FD_EPOLL,
	FD_EVENT,
	FD_KINDS,
};

#define FD_MEMORY_SIZE 0x100000u

/* Create one of each kind; they stay open. Ends the process on failure. */
void fd_samples_open(void);
int fd_samples_get(unsigned kind); /* modulo FD_KINDS */
/* The content of FD_MEMORY. */
unsigned char *fd_samples_memory(void);
/* The other end of FD_PORT. */
int fd_samples_port_peer(void);

#endif
