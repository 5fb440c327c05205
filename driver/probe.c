/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A look at a client's memory. The memory can hold up whoever looks for as long as the client
 * likes, and the thread that carries out the client's calls has its end to see to as well: so
 * another thread looks.
 */
#include "common/dma-span.h"
#include "driver/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* How long a look is waited for. */
#define PROBE_SECONDS 1
/* Looks that have not ended, of all clients that this process has and had. */
#define PROBES_MAX 64

static atomic_uint under_way;

/* Shared by the client and the thread: the last one frees it. */
struct dext_probe {
	atomic_uint references;
	struct dma_owner *owner; /* of the memory, held until the look has ended */
	struct dma_span spans[8];
	size_t span_count;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t ended; /* CLOCK_MONOTONIC */
	bool done, there;
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

static void *look(void *argument)
{
	struct dext_probe *probe = argument;
	uint64_t value = 0;
	bool there = dma_spans_read(probe->spans, probe->span_count, 0, &value, sizeof(value));

	/* Before anybody knows: who has seen the end of it can count on the memory being free. */
	dma_owner_put(probe->owner);
	probe->owner = NULL;
	pthread_mutex_lock(&probe->lock);
	probe->done = true;
	probe->there = there;
	probe->value = value;
	pthread_cond_signal(&probe->ended);
	pthread_mutex_unlock(&probe->lock);
	atomic_fetch_sub(&under_way, 1);
	put(probe);
	return NULL;
}

static bool start(struct dext_probe *probe)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int failure;

	if (atomic_fetch_add(&under_way, 1) >= PROBES_MAX) {
		atomic_fetch_sub(&under_way, 1);
		return false;
	}
	atomic_fetch_add(&probe->references, 1);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	failure = pthread_create(&thread, &attributes, look, probe);
	pthread_attr_destroy(&attributes);
	if (!failure)
		return true;
	atomic_fetch_sub(&probe->references, 1);
	atomic_fetch_sub(&under_way, 1);
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

static kern_return_t wait_for(struct dext_probe *probe, uint64_t *value)
{
	struct timespec until;
	kern_return_t status;
	int waited = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PROBE_SECONDS;
	pthread_mutex_lock(&probe->lock);
	while (!probe->done && waited != ETIMEDOUT)
		waited = pthread_cond_timedwait(&probe->ended, &probe->lock, &until);
	status = !probe->done ? kIOReturnTimeout :
		 probe->there ? kIOReturnSuccess :
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

/* The last look of the client's, if it has not ended. */
static bool is_stuck(struct dext_client *client)
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
	if (is_stuck(client))
		return kIOReturnBusy;
	probe = create(region, in[1]);
	if (!probe)
		return kIOReturnNoMemory;
	status = start(probe) ? wait_for(probe, out) : kIOReturnNoResources;
	if (status == kIOReturnTimeout)
		client->probe = probe;
	else
		put(probe);
	return status;
}
