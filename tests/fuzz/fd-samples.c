/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/fd-samples.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int samples[FD_KINDS];
static unsigned char *memory;
static int port_peer;

int fd_samples_get(unsigned kind)
{
	return samples[kind % FD_KINDS];
}

unsigned char *fd_samples_memory(void)
{
	return memory;
}

int fd_samples_port_peer(void)
{
	return port_peer;
}

static int make_memory(off_t size, unsigned flags)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | flags);

	fuzz_require(fd >= 0 && ftruncate(fd, size) == 0, "the harness needs memory");
	return fd;
}

/* Open the file of @fd again, with other flags. */
static int reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	fuzz_require(again >= 0, "the harness needs /proc/self/fd");
	return again;
}

static void open_memories(void)
{
	samples[FD_MEMORY] = make_memory(FD_MEMORY_SIZE, 0);
	memory = mmap(
		NULL, FD_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, samples[FD_MEMORY], 0);
	fuzz_require(memory != MAP_FAILED, "the harness needs memory");
	samples[FD_MEMORY_SHORT] = make_memory(5000, 0);
	samples[FD_MEMORY_EMPTY] = make_memory(0, 0);
	samples[FD_MEMORY_SPARSE] = make_memory((off_t)1 << 41, 0);
	samples[FD_MEMORY_READ_ONLY] = reopen(samples[FD_MEMORY], O_RDONLY);
	samples[FD_MEMORY_WRITE_ONLY] = reopen(samples[FD_MEMORY], O_WRONLY);
	samples[FD_MEMORY_PATH] = reopen(samples[FD_MEMORY], O_PATH);
	samples[FD_MEMORY_SEALED] = make_memory(65536, MFD_ALLOW_SEALING);
	fcntl(samples[FD_MEMORY_SEALED], F_ADD_SEALS, F_SEAL_WRITE);
	samples[FD_MEMORY_ABSENT] = memfd_create("fuzz", MFD_CLOEXEC | MFD_HUGETLB);
	if (samples[FD_MEMORY_ABSENT] < 0 || ftruncate(samples[FD_MEMORY_ABSENT], 1 << 22) != 0)
		samples[FD_MEMORY_ABSENT] = make_memory(1 << 22, 0); /* no huge pages */
}

static void pair(int type, int *one, int *other)
{
	int ends[2];

	fuzz_require(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
		"the harness needs sockets");
	*one = ends[0];
	*other = ends[1];
}

static void open_sockets(void)
{
	int other;

	pair(SOCK_SEQPACKET, &samples[FD_PORT], &port_peer);
	pair(SOCK_SEQPACKET, &samples[FD_PORT_DEAD], &other);
	close(other);
	pair(SOCK_STREAM, &samples[FD_STREAM], &other);
	pair(SOCK_DGRAM, &samples[FD_DATAGRAM], &other);
	samples[FD_PORT_LISTENING] =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void fd_samples_open(void)
{
	int ends[2];

	open_memories();
	open_sockets();
	fuzz_require(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "the harness needs a pipe");
	samples[FD_PIPE_READ] = ends[0];
	samples[FD_PIPE_WRITE] = ends[1];
	samples[FD_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	samples[FD_ZERO] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	samples[FD_FOLDER] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	samples[FD_EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	samples[FD_EVENT] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned kind = 0; kind < FD_KINDS; kind++)
		fuzz_require(samples[kind] >= 0, "the harness needs a descriptor of each kind");
}
