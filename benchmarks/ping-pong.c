/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/bench.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 32

static int sockets[2] = { -1, -1 };
static pid_t echo_process;

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
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
		perror("dextpci: socketpair");
		return false;
	}
	echo_process = fork();
	if (echo_process == 0) {
		close(sockets[0]);
		echo(sockets[1]);
	}
	close(sockets[1]);
	return echo_process > 0;
}

void bench_ping_pong_end(void)
{
	if (sockets[0] >= 0)
		close(sockets[0]); /* the other process exits */
	sockets[0] = -1;
	if (echo_process > 0)
		waitpid(echo_process, NULL, 0);
	echo_process = 0;
}

double bench_ping_pong(void *unused)
{
	char bytes[BYTES] = { 0 };
	double began = bench_now();

	(void)unused;
	if (send(sockets[0], bytes, sizeof(bytes), MSG_NOSIGNAL) != BYTES ||
		recv(sockets[0], bytes, sizeof(bytes), 0) != BYTES)
		return -1;
	return bench_now() - began;
}
