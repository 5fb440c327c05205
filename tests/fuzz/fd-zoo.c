/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/fd-zoo.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int zoo[FD_KINDS];
static unsigned char *memory;
static int port_peer;

int fd_zoo_get(unsigned kind)
{
	return zoo[kind % FD_KINDS];
}

unsigned char *fd_zoo_memory(void)
{
	return memory;
}

int fd_zoo_port_peer(void)
{
	return port_peer;
}

static int make_memory(off_t size, unsigned flags)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | flags);

	fuzz_require(fd >= 0 && ftruncate(fd, size) == 0, "the harness needs memory");
	return fd;
}

/* Open what @fd is once more, otherwise. */
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
	zoo[FD_MEMORY] = make_memory(FD_MEMORY_SIZE, 0);
	memory = mmap(NULL, FD_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, zoo[FD_MEMORY], 0);
	fuzz_require(memory != MAP_FAILED, "the harness needs memory");
	zoo[FD_MEMORY_SHORT] = make_memory(5000, 0);
	zoo[FD_MEMORY_EMPTY] = make_memory(0, 0);
	zoo[FD_MEMORY_SPARSE] = make_memory((off_t)1 << 41, 0);
	zoo[FD_MEMORY_READ_ONLY] = reopen(zoo[FD_MEMORY], O_RDONLY);
	zoo[FD_MEMORY_WRITE_ONLY] = reopen(zoo[FD_MEMORY], O_WRONLY);
	zoo[FD_MEMORY_PATH] = reopen(zoo[FD_MEMORY], O_PATH);
	zoo[FD_MEMORY_SEALED] = make_memory(65536, MFD_ALLOW_SEALING);
	fcntl(zoo[FD_MEMORY_SEALED], F_ADD_SEALS, F_SEAL_WRITE);
	zoo[FD_MEMORY_ABSENT] = memfd_create("fuzz", MFD_CLOEXEC | MFD_HUGETLB);
	if (zoo[FD_MEMORY_ABSENT] < 0 || ftruncate(zoo[FD_MEMORY_ABSENT], 1 << 22) != 0)
		zoo[FD_MEMORY_ABSENT] = make_memory(1 << 22, 0); /* a kernel without them */
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

	pair(SOCK_SEQPACKET, &zoo[FD_PORT], &port_peer);
	pair(SOCK_SEQPACKET, &zoo[FD_PORT_DEAD], &other);
	close(other);
	pair(SOCK_STREAM, &zoo[FD_STREAM], &other);
	pair(SOCK_DGRAM, &zoo[FD_DATAGRAM], &other);
	zoo[FD_PORT_LISTENING] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void fd_zoo_open(void)
{
	int ends[2];

	open_memories();
	open_sockets();
	fuzz_require(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "the harness needs a pipe");
	zoo[FD_PIPE_READ] = ends[0];
	zoo[FD_PIPE_WRITE] = ends[1];
	zoo[FD_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	zoo[FD_ZERO] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	zoo[FD_FOLDER] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	zoo[FD_EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	zoo[FD_EVENT] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned kind = 0; kind < FD_KINDS; kind++)
		fuzz_require(zoo[kind] >= 0, "the harness needs a descriptor of each kind");
}
