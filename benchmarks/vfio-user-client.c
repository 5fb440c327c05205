/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"
#include "vfio-user/protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS 10

static char folder[64], path[80];
static pid_t server;
static int fd = -1;
static uint16_t next_id;

static void __attribute__((noreturn)) exec_server(const char *spec)
{
	const char *program = getenv("DEXT_VFIO_USER");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its "serving ..." is not for the report. */
	if (program && freopen("/dev/null", "w", stdout))
		execl(program, program, "--socket", path, "--device", spec, (char *)NULL);
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
	return recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

/* One message and its answer, of @reply_size bytes at most, the header apart. */
static bool exchange(enum vu_command command, const void *payload, size_t size, void *reply,
	size_t reply_size)
{
	struct {
		struct vu_header header;
		char payload[64];
	} message = { .header = { .id = next_id++, .command = (uint16_t)command,
			      .size = (uint32_t)(sizeof(struct vu_header) + size) } };
	struct vu_header answer;

	memcpy(message.payload, payload, size);
	if (send(fd, &message, message.header.size, MSG_NOSIGNAL) != (ssize_t)message.header.size ||
		!receive(&answer, sizeof(answer)))
		return false;
	return answer.id == message.header.id && !(answer.flags & VU_ERROR) &&
	       answer.size >= sizeof(answer) && answer.size - sizeof(answer) <= reply_size &&
	       receive(reply, answer.size - sizeof(answer));
}

/* Memory space on, so that the BARs answer. */
static bool enable_memory(void)
{
	struct {
		struct vu_region_access access;
		uint16_t command;
	} __attribute__((packed)) write = {
		.access = { .offset = 4, .region = VU_REGION_CONFIG, .count = 2 },
		.command = 2,
	};
	char reply[64];

	return exchange(VU_REGION_WRITE, &write, sizeof(write), reply, sizeof(reply));
}

static bool greet(void)
{
	const struct vu_version version = { VU_VERSION_MAJOR, VU_VERSION_MINOR };
	char reply[4096];

	return exchange(VU_VERSION, &version, sizeof(version), reply, sizeof(reply)) &&
	       enable_memory();
}

bool bench_vfio_user_begin(const char *spec)
{
	snprintf(folder, sizeof(folder), "/tmp/dextpci-bench-XXXXXX");
	if (!mkdtemp(folder)) {
		perror("dextpci: /tmp");
		return false;
	}
	snprintf(path, sizeof(path), "%s/vfio-user", folder);
	server = fork();
	if (server == 0)
		exec_server(spec);
	for (unsigned i = 0; i < START_SECONDS * 100 && !try_connect(); i++) {
		if (waitpid(server, NULL, WNOHANG) == server) {
			server = 0;
			break;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	if (fd >= 0 && greet())
		return true;
	fprintf(stderr, "dextpci: dext-vfio-user does not answer\n");
	return false;
}

void bench_vfio_user_end(void)
{
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
	const struct vu_region_access access = { .region = *(uint32_t *)region, .count = 4 };
	char reply[sizeof(access) + 4];
	double began = bench_now();

	if (!exchange(VU_REGION_READ, &access, sizeof(access), reply, sizeof(reply)))
		return -1;
	return bench_now() - began;
}
