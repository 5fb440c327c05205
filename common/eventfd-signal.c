/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/eventfd-signal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * write() to an eventfd waits as long as the counter is full, and poll() beforehand does not
 * rule that out: its owner may fill it in between. O_NONBLOCK is no help, since the owner can
 * clear it. The kernel itself signals an eventfd without waiting, and does so when an
 * asynchronous operation completes that names one (IOCB_FLAG_RESFD). The operation here is
 * a poll of a pipe that has room, which completes before io_submit() returns.
 */
#define SIGNALS_MAX 64 /* between two calls of io_getevents() */

static struct {
	pthread_once_t once;
	int error; /* why there is none; an errno or 0 */
	aio_context_t context;
	int pipe[2]; /* always empty */
	/* Room that one thread has made is not taken by another. No thread waits while it holds it. */
	pthread_mutex_t lock;
} signaller = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static void make_signaller(void)
{
	if (pipe2(signaller.pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		signaller.error = errno;
	} else if (syscall(SYS_io_setup, SIGNALS_MAX, &signaller.context) != 0) {
		signaller.error = errno;
		close(signaller.pipe[0]);
		close(signaller.pipe[1]);
	}
}

int eventfd_signal_prepare(void)
{
	pthread_once(&signaller.once, make_signaller);
	return signaller.error;
}

static bool submit(struct iocb *block)
{
	return syscall(SYS_io_submit, signaller.context, 1, &block) == 1;
}

void eventfd_signal(int fd)
{
	struct iocb block = {
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)signaller.pipe[1],
		.aio_buf = POLLOUT,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct io_event completions[SIGNALS_MAX];
	struct timespec no_time = { .tv_sec = 0 };

	pthread_mutex_lock(&signaller.lock);
	if (!submit(&block) && errno == EAGAIN) {
		/* Completions, which are not read, have used up the context's room. */
		syscall(SYS_io_getevents, signaller.context, 0, SIGNALS_MAX, completions, &no_time);
		submit(&block);
	}
	pthread_mutex_unlock(&signaller.lock);
}
