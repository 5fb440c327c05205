/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/dma-span.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <ucontext.h>

/*
 * A copy whose memory was removed receives SIGBUS or SIGSEGV on its own thread; the handler
 * jumps back to the start of the copy. Signals from other code are passed to the handlers
 * that were installed before.
 */
static _Thread_local sigjmp_buf *guard;
static struct sigaction previous_bus, previous_segv;

static void handle_fault(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *previous = signal == SIGBUS ? &previous_bus : &previous_segv;

	if (guard) {
		/* siglongjmp() does not restore it: saving the mask costs a system call per access. */
		pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
		siglongjmp(*guard, 1);
	}
	if (previous->sa_flags & SA_SIGINFO) {
		previous->sa_sigaction(signal, info, context);
	} else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
		previous->sa_handler(signal);
	} else {
		/* The access is repeated, and ends the process. */
		sigaction(signal, previous, NULL);
	}
}

static void catch (int signal, const struct sigaction *action, struct sigaction *previous)
{
	struct sigaction present;

	sigaction(signal, NULL, &present);
	if (!(present.sa_flags & SA_SIGINFO) || present.sa_sigaction != handle_fault)
		sigaction(signal, action, previous);
}

void dma_spans_catch_faults(void)
{
	/* SA_ONSTACK: a stack overflow must still reach the handler installed before. */
	struct sigaction action = { .sa_sigaction = handle_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	catch (SIGBUS, &action, &previous_bus);
	catch (SIGSEGV, &action, &previous_segv);
}

/* Devices and drivers synchronize by small accesses; larger ones are data. */
#define SMALL_COPY 64

/*
 * One load or store of the shared memory, whose address is a multiple of the width. @buffer
 * is this thread's own, and may be unaligned.
 */
#define MOVE(type)                                                                                 \
	do {                                                                                       \
		type value;                                                                        \
		if (write) {                                                                       \
			memcpy(&value, buffer, sizeof(value));                                     \
			__atomic_store_n((type *)shared, value, __ATOMIC_RELEASE);                 \
		} else {                                                                           \
			value = __atomic_load_n((type *)shared, __ATOMIC_ACQUIRE);                 \
			memcpy(buffer, &value, sizeof(value));                                     \
		}                                                                                  \
	} while (0)

static void move_word(char *shared, char *buffer, size_t width, bool write)
{
	if (width == 8)
		MOVE(uint64_t);
	else if (width == 4)
		MOVE(uint32_t);
	else if (width == 2)
		MOVE(uint16_t);
	else
		MOVE(uint8_t);
}

/* The width of the words of a small aligned access; 0 for any other access. */
static size_t word_width(const void *shared, size_t length)
{
	size_t width = length == 1 || length == 2 || length == 4 ? length : 8;

	bool aligned = (((uintptr_t)shared | length) & (width - 1)) == 0;

	return aligned && length <= SMALL_COPY ? width : 0;
}

/* Not inlined: no variable of the caller of sigsetjmp() may change before the jump. */
static void __attribute__((noinline)) move(char *shared, char *buffer, size_t length, bool write)
{
	size_t width = word_width(shared, length);

	for (size_t at = 0; width && at < length; at += width)
		move_word(shared + at, buffer + at, width, write);
	if (!width)
		memcpy(write ? shared : buffer, write ? buffer : shared, length);
}

static bool guarded_move(char *shared, char *buffer, size_t length, bool write)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	sigjmp_buf here;

	pthread_once(&once, dma_spans_catch_faults);
	if (sigsetjmp(here, 0)) {
		guard = NULL;
		return false;
	}
	guard = &here;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	move(shared, buffer, length, write);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	guard = NULL;
	return true;
}

/* Copy within one span. */
static bool span_copy(
	const struct dma_span *span, uint64_t offset, void *buffer, size_t length, bool write)
{
	if (write && !span->writable)
		return false;
	if (span->is_private)
		return (write ? pwrite(span->memory_fd, buffer, length,
					(off_t)(span->va + offset)) :
				pread(span->memory_fd, buffer, length,
					(off_t)(span->va + offset))) == (ssize_t)length;
	return guarded_move((char *)span->host + offset, buffer, length, write);
}

static bool spans_copy(const struct dma_span *spans, size_t count, uint64_t offset, char *buffer,
	size_t length, bool write)
{
	for (size_t i = 0; i < count && length; i++) {
		size_t part;

		if (offset >= spans[i].length) {
			offset -= spans[i].length;
			continue;
		}
		part = spans[i].length - offset < length ? (size_t)(spans[i].length - offset) :
							   length;
		if (!span_copy(&spans[i], offset, buffer, part, write))
			return false;
		buffer += part;
		length -= part;
		offset = 0;
	}
	return !length;
}

bool dma_spans_read(
	const struct dma_span *spans, size_t count, uint64_t offset, void *buffer, size_t length)
{
	return spans_copy(spans, count, offset, buffer, length, false);
}

bool dma_spans_write(const struct dma_span *spans, size_t count, uint64_t offset,
	const void *buffer, size_t length)
{
	/* The buffer is only read from; one function serves both directions. */
	return spans_copy(spans, count, offset, (char *)(uintptr_t)buffer, length, true);
}

bool dma_spans_iovec(const struct dma_span *spans, size_t count, uint64_t offset, size_t length,
	bool writable, struct iovec *iov)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t left;

		if (offset >= spans[i].length) {
			offset -= spans[i].length;
			continue;
		}
		if (spans[i].is_private || (writable && !spans[i].writable))
			return false;
		left = spans[i].length - offset;
		iov->iov_base = (char *)spans[i].host + offset;
		iov->iov_len = left < length ? (size_t)left : length;
		return true;
	}
	return false;
}

bool dma_touch(const void *memory, size_t length)
{
	const uintptr_t page = 4096; /* the smallest page size of any machine */
	uintptr_t at = (uintptr_t)memory, end = at + length;
	char byte;

	for (; at < end; at = (at & ~(page - 1)) + page)
		if (!guarded_move((char *)at, &byte, 1, false))
			return false;
	return true;
}
