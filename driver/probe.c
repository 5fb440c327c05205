/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading 8 bytes of a DMA region. A client can stall accesses to its memory for as long as it
 * likes, and the thread that executes its calls must also notice that it disconnects: so another
 * thread reads.
 */
#include "common/dma-span.h"
#include "driver/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* How long a call waits for the read. */
#define PROBE_SECONDS 1
/* The most reads in progress, including those of disconnected clients. */
#define PROBES_MAX 64

static atomic_uint running;

/* Shared by the client and the thread; the last reference frees it. */
struct dext_probe {
	atomic_uint references;
	struct dma_owner *owner; /* of the memory; referenced until the read has ended */
	struct dma_span spans[8];
	size_t span_count;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended; /* CLOCK_MONOTONIC */
	bool done, readable;
	uint64_t value;
};

static void put(struct dext_probe *probe)
{
	if (atomic_fetch_sub(&probe->references, 1) != 1)
		return;
	dma_owner_put(probe->owner);
	pthread_cond_destroy(&probe->ended);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
}

static void *read_memory(void *argument)
{
	struct dext_probe *probe = argument;
	uint64_t value = 0;
	bool readable = dma_spans_read(probe->spans, probe->span_count, 0, &value, sizeof(value));

	/* Before done is set: a client that sees the result may expect the memory to be released. */
	dma_owner_put(probe->owner);
	probe->owner = NULL;
	pthread_mutex_lock(&probe->lock);
	probe->done = true;
	probe->readable = readable;
	probe->value = value;
	pthread_cond_signal(&probe->ended);
	pthread_mutex_unlock(&probe->lock);
	atomic_fetch_sub(&running, 1);
	put(probe);
	return NULL;
}

static bool start(struct dext_probe *probe)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int failure;

	if (atomic_fetch_add(&running, 1) >= PROBES_MAX) {
		atomic_fetch_sub(&running, 1);
		return false;
	}
	atomic_fetch_add(&probe->references, 1);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	failure = pthread_create(&thread, &attributes, read_memory, probe);
	pthread_attr_destroy(&attributes);
	if (!failure)
		return true;
	atomic_fetch_sub(&probe->references, 1);
	atomic_fetch_sub(&running, 1);
	return false;
}

static struct dext_probe *create(struct dma_region *region, uint64_t offset)
{
	struct dext_probe *probe = calloc(1, sizeof(*probe));
	pthread_condattr_t monotonic;

	if (!probe)
		return NULL;
	atomic_init(&probe->references, 1);
	probe->owner = &region->owner;
	dma_owner_get(probe->owner);
	probe->span_count = dext_cut_spans(region->memory, offset, 8, probe->spans);
	pthread_mutex_init(&probe->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&probe->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return probe;
}

static kern_return_t wait_for_result(struct dext_probe *probe, uint64_t *value)
{
	struct timespec until;
	kern_return_t status;
	int waited = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PROBE_SECONDS;
	pthread_mutex_lock(&probe->lock);
	while (!probe->done && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&probe->ended, &probe->lock, &until);
	status = !probe->done	 ? kIOReturnTimeout :
		 probe->readable ? kIOReturnSuccess :
				   kIOReturnDMAError;
	*value = probe->value;
	pthread_mutex_unlock(&probe->lock);
	return status;
}

void dext_drop_probe(struct dext_client *client)
{
	if (client->probe)
		put(client->probe);
	client->probe = NULL;
}

/* Whether a probe of the client that timed out is still running. */
static bool is_running(struct dext_client *client)
{
	bool done;

	if (!client->probe)
		return false;
	pthread_mutex_lock(&client->probe->lock);
	done = client->probe->done;
	pthread_mutex_unlock(&client->probe->lock);
	if (done)
		dext_drop_probe(client);
	return !done;
}

kern_return_t dext_handle_ProbeDMARegion(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dma_region *region = dext_find_region(client, in[0]);
	struct dext_probe *probe;
	kern_return_t status;

	(void)arguments;
	if (!region)
		return kIOReturnNotFound;
	if (region->size < 8 || in[1] > region->size - 8)
		return kIOReturnOverrun;
	if (is_running(client))
		return kIOReturnBusy;
	probe = create(region, in[1]);
	if (!probe)
		return kIOReturnNoMemory;
	status = start(probe) ? wait_for_result(probe, out) : kIOReturnNoResources;
	if (status == kIOReturnTimeout)
		client->probe = probe;
	else
		put(probe);
	return status;
}
