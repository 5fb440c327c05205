/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"
#include "vfio-user/protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS 10

static char folder[64], path[80]; /* path: of the socket, in folder */
static pid_t server;
static int fd = -1;
static uint16_t next_id;
static void *mapping;
static size_t mapped;

static void __attribute__((noreturn))
exec_server(const char *spec, const char *bar_access, const char *poll_us)
{
	const char *program = getenv("DEXT_VFIO_USER");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Discard its line "serving ...". */
	if (program && freopen("/dev/null", "w", stdout))
		execl(program, program, "--socket", path, "--device", spec, "--bar-access",
			bar_access, poll_us ? "--poll-us" : (char *)NULL, poll_us, (char *)NULL);
	fprintf(stderr, "dextpci: $DEXT_VFIO_USER: %s\n", strerror(program ? errno : EINVAL));
	_exit(127);
}

static bool try_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	close(fd);
	fd = -1;
	return false;
}

static bool receive(void *to, size_t size)
{
	/* recv() of 0 bytes would wait for a message. */
	return size == 0 || recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

/* As receive(), with a file descriptor. */
static bool receive_with(void *to, size_t size, int *descriptor)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec vector = { .iov_base = to, .iov_len = size };
	struct msghdr message = { .msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	if (recvmsg(fd, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)size)
		return false;
	if (CMSG_FIRSTHDR(&message))
		memcpy(descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(*descriptor));
	return true;
}

/*
 * Send one message, and receive its reply: at most @reply_size bytes after the header. @descriptor:
 * for the file descriptor of the reply; NULL if none is expected. @passed: the one to send, or -1.
 */
static bool exchange_with(enum vfio_user_command command, const void *payload, size_t size,
	int passed, void *reply, size_t reply_size, int *descriptor)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec vector;
	struct msghdr sent = { .msg_iov = &vector, .msg_iovlen = 1 };
	struct {
		struct vfio_user_header header;
		char payload[64];
	} message = { .header = { .id = next_id++,
			      .command = (uint16_t)command,
			      .size = (uint32_t)(sizeof(struct vfio_user_header) + size) } };
	struct vfio_user_header answer;

	memcpy(message.payload, payload, size);
	vector = (struct iovec){ .iov_base = &message, .iov_len = message.header.size };
	if (passed >= 0) {
		sent.msg_control = &control;
		sent.msg_controllen = sizeof(control);
		CMSG_FIRSTHDR(&sent)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&sent)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&sent)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&sent)), &passed, sizeof(passed));
	}
	if (sendmsg(fd, &sent, MSG_NOSIGNAL) != (ssize_t)message.header.size ||
		!(descriptor ? receive_with(&answer, sizeof(answer), descriptor) :
			       receive(&answer, sizeof(answer))))
		return false;
	return answer.id == message.header.id && !(answer.flags & VFIO_USER_ERROR) &&
	       answer.size >= sizeof(answer) && answer.size - sizeof(answer) <= reply_size &&
	       receive(reply, answer.size - sizeof(answer));
}

static bool exchange(enum vfio_user_command command, const void *payload, size_t size, void *reply,
	size_t reply_size)
{
	return exchange_with(command, payload, size, -1, reply, reply_size, NULL);
}

/* Set Memory Space Enable in the command register. */
static bool enable_memory(void)
{
	struct {
		struct vfio_user_region_access access;
		uint16_t command;
	} __attribute__((packed)) write = {
		.access = { .offset = 4, .region = VFIO_PCI_CONFIG_REGION_INDEX, .count = 2 },
		.command = 2,
	};
	char reply[64];

	return exchange(VFIO_USER_REGION_WRITE, &write, sizeof(write), reply, sizeof(reply));
}

static bool negotiate(void)
{
	const struct vfio_user_version version = { VFIO_USER_VERSION_MAJOR,
		VFIO_USER_VERSION_MINOR };
	char reply[4096];

	return exchange(VFIO_USER_VERSION, &version, sizeof(version), reply, sizeof(reply)) &&
	       enable_memory();
}

bool bench_vfio_user_begin(const char *spec, const char *bar_access, const char *poll_us)
{
	snprintf(folder, sizeof(folder), "/tmp/dextpci-bench-XXXXXX");
	if (!mkdtemp(folder)) {
		perror("dextpci: /tmp");
		return false;
	}
	snprintf(path, sizeof(path), "%s/vfio-user", folder);
	server = fork();
	if (server == 0)
		exec_server(spec, bar_access, poll_us);
	for (unsigned i = 0; i < START_SECONDS * 100 && !try_connect(); i++) {
		if (waitpid(server, NULL, WNOHANG) == server) {
			server = 0;
			break;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	if (fd >= 0 && negotiate())
		return true;
	fprintf(stderr, "dextpci: dext-vfio-user does not answer\n");
	return false;
}

void bench_vfio_user_end(void)
{
	if (mapping)
		munmap(mapping, mapped);
	mapping = NULL;
	if (fd >= 0)
		close(fd);
	fd = -1;
	if (server > 0) {
		kill(server, SIGTERM);
		waitpid(server, NULL, 0);
	}
	server = 0;
	if (folder[0])
		rmdir(folder);
}

double bench_vfio_user_read(void *region)
{
	const struct vfio_user_region_access access = { .region = *(uint32_t *)region, .count = 4 };
	char reply[sizeof(access) + 4];
	double began = bench_now();

	if (!exchange(VFIO_USER_REGION_READ, &access, sizeof(access), reply, sizeof(reply)))
		return -1;
	return bench_now() - began;
}

double bench_vfio_user_dma_map(int memory, uint64_t address, uint64_t offset, uint64_t size)
{
	const struct vfio_user_dma_map request = { .argsz = sizeof(request),
		.flags = VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE,
		.offset = offset,
		.address = address,
		.size = size };
	double began = bench_now();
	char reply[64];

	if (!exchange_with(VFIO_USER_DMA_MAP, &request, sizeof(request), memory, reply,
		    sizeof(reply), NULL))
		return -1;
	return bench_now() - began;
}

double bench_vfio_user_dma_unmap(uint64_t address, uint64_t size)
{
	const struct vfio_user_dma_unmap request = {
		.argsz = sizeof(request), .address = address, .size = size
	};
	double began = bench_now();
	char reply[64];

	if (!exchange(VFIO_USER_DMA_UNMAP, &request, sizeof(request), reply, sizeof(reply)))
		return -1;
	return bench_now() - began;
}

const uint32_t *bench_vfio_user_map(uint32_t region)
{
	struct {
		struct vfio_user_region_info info;
		struct vfio_user_sparse_mmap part;
	} reply = { .part.count = 0 };
	const struct vfio_user_region_info question = { .argsz = sizeof(reply), .index = region };
	int descriptor = -1;
	void *memory = MAP_FAILED;

	if (exchange_with(VFIO_USER_DEVICE_GET_REGION_INFO, &question, sizeof(question), -1, &reply,
		    sizeof(reply), &descriptor) &&
		descriptor >= 0) {
		mapped = reply.part.count ? reply.part.size : reply.info.size;
		memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
			(off_t)(reply.info.offset + reply.part.offset));
		close(descriptor);
	}
	if (memory == MAP_FAILED)
		return NULL;
	mapping = memory;
	return memory;
}
