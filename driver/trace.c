/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace of calls: a ring that clients map read-only, so that reading it needs no call. */
#include "driver/internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

void dext_trace_init(struct driver_trace *trace)
{
	pthread_mutex_init(&trace->lock, NULL);
	trace->fd = -1;
}

void dext_trace_destroy(struct driver_trace *trace)
{
	if (trace->ring)
		munmap(trace->ring, DEXT_TRACE_SIZE);
	if (trace->fd >= 0)
		close(trace->fd);
	pthread_mutex_destroy(&trace->lock);
}

/* Memory that is sealed against writable mappings of other processes. */
static bool make_ring(struct driver_trace *trace)
{
	void *ring;
	int fd = memfd_create("dext-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return false;
	if (ftruncate(fd, DEXT_TRACE_SIZE) != 0)
		goto fail;
	ring = mmap(NULL, DEXT_TRACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		goto fail;
	if (fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
		munmap(ring, DEXT_TRACE_SIZE);
		goto fail;
	}
	trace->fd = fd;
	trace->ring = ring;
	return true;
fail:
	close(fd);
	return false;
}

kern_return_t dext_trace_memory(struct driver_trace *trace, struct iouser_memory *memory)
{
	kern_return_t status = kIOReturnSuccess;

	pthread_mutex_lock(&trace->lock);
	if (trace->fd < 0 && !make_ring(trace))
		status = kIOReturnNoMemory;
	else
		atomic_fetch_add(&trace->users, 1); /* after the ring exists */
	pthread_mutex_unlock(&trace->lock);
	*memory = (struct iouser_memory){
		.fd = trace->fd, .size = DEXT_TRACE_SIZE, .read_only = true
	};
	return status;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The time, or 0 when calls are not traced. */
uint64_t dext_trace_begin(const struct driver_trace *trace)
{
	return atomic_load(&trace->users) ? now() : 0;
}

/* Release: a reader that sees a new value also sees the sequence 0 stored before it. */
#define PUT(field, value) __atomic_store_n(&entry->field, value, __ATOMIC_RELEASE)

void dext_trace_end(struct dext_client *client, const struct iouser_arguments *arguments,
	kern_return_t status, uint64_t began)
{
	struct dext_trace *ring = client->driver->trace.ring;
	uint64_t number = __atomic_fetch_add(&ring->next, 1, __ATOMIC_SEQ_CST);
	struct dext_trace_entry *entry = &ring->entries[number % DEXT_TRACE_ENTRIES];

	__atomic_store_n(&entry->sequence, 0, __ATOMIC_RELAXED);
	PUT(began, began);
	PUT(took, now() - began);
	PUT(client, client->number);
	PUT(selector, arguments->selector);
	PUT(status, status);
	PUT(in_count, (uint16_t)arguments->scalar_input_count);
	PUT(out_count, (uint16_t)arguments->scalar_output_count);
	for (uint32_t i = 0; i < DEXT_TRACE_SCALARS; i++) {
		PUT(in[i], i < arguments->scalar_input_count ? arguments->scalar_input[i] : 0);
		PUT(out[i], i < arguments->scalar_output_count ? arguments->scalar_output[i] : 0);
	}
	__atomic_store_n(&entry->sequence, number + 1, __ATOMIC_SEQ_CST);
}
