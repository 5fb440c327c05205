/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Spans of a client's memory, and copying into and out of them. The client can take the
 * memory away at any moment (truncate the file, unmap the page): such an access fails, and
 * never ends this process with SIGBUS or SIGSEGV.
 */
#ifndef COMMON_DMA_SPAN_H
#define COMMON_DMA_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A piece of memory, as this process can reach it. */
struct dma_span {
	uint64_t length;
	union {
		void *host;  /* mapped here */
		uint64_t va; /* private memory of another process: where it is there */
	};
	int memory_fd; /* private memory: that process's /proc/PID/mem; borrowed */
	bool is_private;
	bool writable;
};

/**
 * dma_spans_read - copy out of spans
 * dma_spans_write - copy into them
 * @spans: @count of them, one after the other
 * @offset: where to begin, in bytes from the first one's beginning
 *
 * An aligned access of 1, 2, 4 or 8 bytes within one span is one load or store; one of
 * whole aligned 8-byte words, up to 64 bytes, is as many, in ascending order. Of larger
 * ones the order is not promised. @buffer need not be aligned.
 *
 * Return: whether all of it was there, and writable for a write.
 */
bool dma_spans_read(
	const struct dma_span *spans, size_t count, uint64_t offset, void *buffer, size_t length);
bool dma_spans_write(const struct dma_span *spans, size_t count, uint64_t offset,
	const void *buffer, size_t length);

/**
 * dma_spans_catch_faults - take SIGBUS and SIGSEGV over, for accesses of this file's alone
 *
 * Happens by itself with the first access. For a program that sets handlers of its
 * own afterwards (a test framework, say): call it again then. Faults from
 * elsewhere go to the handlers that were there before.
 */
void dma_spans_catch_faults(void);

/**
 * dma_spans_iovec - the stretch of memory at @offset that this process has mapped
 * @iov: set to it, of at most @length bytes
 * @writable: whether it must be so
 *
 * For system calls, which fail with EFAULT where a load would raise a signal.
 *
 * Return: false when the memory there is another process's own, or not writable.
 */
bool dma_spans_iovec(const struct dma_span *spans, size_t count, uint64_t offset, size_t length,
	bool writable, struct iovec *iov);

/**
 * dma_touch - read from each page of mapped memory once
 *
 * So that a system call that follows is not held up by pages that are not there yet.
 *
 * Return: false when a page is gone.
 */
bool dma_touch(const void *memory, size_t length);

#endif
