/* SPDX-License-Identifier: BSD-3-Clause */
/* A second program is started on a path on which a server listens: it must fail. */
#include "tests/attacks/attacks.h"
#include "tests/attacks/victim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct start {
	enum attack_target program;
	const char *path;
};

static void execute(const void *context)
{
	const struct start *start = context;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execl(victim_program_path(start->program), "second", "--socket", start->path, "--device",
		"nvme,addr=09:00.0,size=1M", NULL);
}

static struct stat look_at(const char *path)
{
	struct stat status = { .st_ino = 0 };

	lstat(path, &status);
	return status;
}

static void expect_refusal(enum attack_target program, const char *path)
{
	const struct start start = { program, path };
	struct stat before = look_at(path), after;
	pid_t second = accomplice_start(execute, &start);
	bool ended = accomplice_wait(second);

	after = look_at(path);
	if (before.st_ino != after.st_ino || before.st_dev != after.st_dev)
		got_through("%s replaces a socket on which a server listens",
			program == ON_DEXTD ? "dextd" : "dext-vfio-user");
	if (!ended)
		got_through("it keeps running");
}

static void path_of_dextd(const struct victim *victim)
{
	expect_refusal(ON_DEXTD, victim->service);
	expect_refusal(ON_VFIO_USER, victim->service);
}

static void path_of_vfio_user(const struct victim *victim)
{
	expect_refusal(ON_VFIO_USER, victim->honest_vfio_user);
	expect_refusal(ON_DEXTD, victim->honest_vfio_user);
}

static void path_of_another(const struct victim *victim)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);

		snprintf(address.sun_path, sizeof(address.sun_path), "%.64s/other-%d-%zu",
			victim->folder, (int)getpid(), i);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
			(types[i] != SOCK_DGRAM && listen(fd, 1) != 0))
			attack_skip("no socket can be made");
		expect_refusal(ON_DEXTD, address.sun_path);
		expect_refusal(ON_VFIO_USER, address.sun_path);
	}
}

const struct attack attacks_paths[] = {
	{ .name = "paths/dextd",
		.tries = "to start another program on dextd's socket",
		.user = AS_SERVICE,
		.run = path_of_dextd },
	{ .name = "paths/vfio-user",
		.tries = "the same on dext-vfio-user's",
		.user = AS_SERVICE,
		.target = ON_VFIO_USER,
		.run = path_of_vfio_user },
	{ .name = "paths/another",
		.tries = "the same on a server's that is none of these",
		.user = AS_SERVICE,
		.run = path_of_another },
	{ .name = NULL },
};
