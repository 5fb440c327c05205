/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Spans of a client's memory, and copies from and to them. The client can remove the memory
 * at any time (truncate the file, unmap the page): the access then fails; this process does
 * not receive a fatal SIGBUS or SIGSEGV.
 */
#ifndef COMMON_DMA_SPAN_H
#define COMMON_DMA_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A contiguous range of memory, as this process accesses it. */
struct dma_span {
	uint64_t length;
	union {
		void *host;  /* address of the mapping in this process */
		uint64_t va; /* is_private: virtual address in the other process */
	};
	int memory_fd; /* is_private: the other process's /proc/PID/mem; not owned */
	bool is_private;
	bool writable;
};

/**
 * dma_spans_read - copy from spans to a buffer
 * dma_spans_write - copy from a buffer to spans
 * @spans: @count spans, which are addressed as one contiguous range
 * @offset: first byte of the copy, from the start of the first span
 *
 * An aligned access of 1, 2, 4 or 8 bytes within one span is one load or store. Up to 64
 * bytes of aligned 8-byte words are one load or store each, in ascending order. For larger
 * accesses the order is unspecified. @buffer need not be aligned.
 *
 * Return: true when all bytes were accessible, and writable for a write.
 */
bool dma_spans_read(
	const struct dma_span *spans, size_t count, uint64_t offset, void *buffer, size_t length);
bool dma_spans_write(const struct dma_span *spans, size_t count, uint64_t offset,
	const void *buffer, size_t length);

/**
 * dma_spans_catch_faults - install handlers of SIGBUS and SIGSEGV for accesses by this file
 *
 * The first access does this. A program that installs its own handlers afterwards (a test
 * framework, for example) must call it again. Faults in other code are passed to the
 * handlers that were installed before.
 */
void dma_spans_catch_faults(void);

/**
 * dma_spans_iovec - the mapped memory at @offset, for a system call
 * @iov: set to the contiguous mapping there, at most @length bytes
 * @writable: whether it must be writable
 *
 * System calls fail with EFAULT where a load would raise a signal.
 *
 * Return: false when the memory is private to another process, or not writable.
 */
bool dma_spans_iovec(const struct dma_span *spans, size_t count, uint64_t offset, size_t length,
	bool writable, struct iovec *iov);

/**
 * dma_touch - read one byte of each page of mapped memory
 *
 * A following system call then does not wait for page faults.
 *
 * Return: false when a page is not accessible.
 */
bool dma_touch(const void *memory, size_t length);

#endif
