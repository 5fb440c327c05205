/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 32

static int ends[2] = { -1, -1 };
static pid_t other;

static void __attribute__((noreturn)) echo(int fd)
{
	char bytes[BYTES];
	ssize_t length;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((length = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		if (send(fd, bytes, (size_t)length, MSG_NOSIGNAL) != length)
			break;
	_exit(0);
}

bool bench_ping_pong_begin(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		perror("dextpci: socketpair");
		return false;
	}
	other = fork();
	if (other == 0) {
		close(ends[0]);
		echo(ends[1]);
	}
	close(ends[1]);
	return other > 0;
}

void bench_ping_pong_end(void)
{
	if (ends[0] >= 0)
		close(ends[0]); /* ends the other side */
	ends[0] = -1;
	if (other > 0)
		waitpid(other, NULL, 0);
	other = 0;
}

double bench_ping_pong(void *unused)
{
	char bytes[BYTES] = { 0 };
	double began = bench_now();

	(void)unused;
	if (send(ends[0], bytes, sizeof(bytes), MSG_NOSIGNAL) != BYTES ||
		recv(ends[0], bytes, sizeof(bytes), 0) != BYTES)
		return -1;
	return bench_now() - began;
}
