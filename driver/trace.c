/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace: a ring that clients map read-only, so that looking costs the driver nothing. */
#include "driver/internal.h"

#include <fcntl.h>
#include <string.h>
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

/* Memory that this process alone can write: nobody else's mapping of it can be writable. */
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
		atomic_fetch_add(&trace->users, 1);	/* what it sees of the ring is made */
	pthread_mutex_unlock(&trace->lock);
	*memory = (struct iouser_memory){ .fd = trace->fd, .size = DEXT_TRACE_SIZE,
		.read_only = true };
	return status;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The time, or 0 when nobody wants to know. */
uint64_t dext_trace_begin(const struct driver_trace *trace)
{
	return atomic_load(&trace->users) ? now() : 0;
}

static void copy_scalars(uint64_t *to, const uint64_t *from, size_t count)
{
	if (count)
		memcpy(to, from, sizeof(*to) * (count < DEXT_TRACE_SCALARS ? count :
									    DEXT_TRACE_SCALARS));
}

void dext_trace_end(struct dext_client *client, const struct iouser_arguments *arguments,
	kern_return_t status, uint64_t began)
{
	struct dext_trace *ring = client->driver->trace.ring;
	uint64_t number = __atomic_fetch_add(&ring->next, 1, __ATOMIC_SEQ_CST);
	struct dext_trace_entry *entry = &ring->entries[number % DEXT_TRACE_ENTRIES];

	__atomic_store_n(&entry->sequence, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);	/* before anything else of the slot changes */
	entry->began = began;
	entry->took = now() - began;
	entry->client = client->number;
	entry->selector = arguments->selector;
	entry->status = status;
	entry->in_count = (uint16_t)arguments->scalar_input_count;
	entry->out_count = (uint16_t)arguments->scalar_output_count;
	copy_scalars(entry->in, arguments->scalar_input, entry->in_count);
	copy_scalars(entry->out, arguments->scalar_output, entry->out_count);
	__atomic_store_n(&entry->sequence, number + 1, __ATOMIC_SEQ_CST);
}
