/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/completion.h"
#include "iokit/wire.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct iou_port_end {
	atomic_uint references;
	int fd;
	struct fd_peer *peer;
};

struct iouser_completion {
	atomic_uint references;
	atomic_bool completed;
	bool repeats; /* the client takes several events of one call */
	struct iou_port_end *end;
	uint64_t token;
	struct iou_outstanding *outstanding; /* counts this one; may be NULL */
};

/* Shared by the session and its completions. */
struct iou_outstanding {
	atomic_uint references, count;
};

struct iou_outstanding *iou_outstanding_create(void)
{
	struct iou_outstanding *outstanding = calloc(1, sizeof(*outstanding));

	if (outstanding)
		atomic_init(&outstanding->references, 1);
	return outstanding;
}

void iou_outstanding_release(struct iou_outstanding *outstanding)
{
	if (outstanding && atomic_fetch_sub(&outstanding->references, 1) == 1)
		free(outstanding);
}

unsigned iou_outstanding_count(const struct iou_outstanding *outstanding)
{
	return atomic_load(&outstanding->count);
}

struct iou_port_end *iou_port_end_create(int fd, struct fd_peer *peer)
{
	struct iou_port_end *end = calloc(1, sizeof(*end));

	if (!end) {
		fd_dispose(fd, peer);
		return NULL;
	}
	atomic_init(&end->references, 1);
	end->fd = fd;
	end->peer = peer;
	return end;
}

void iou_port_end_release(struct iou_port_end *end)
{
	if (!end || atomic_fetch_sub(&end->references, 1) != 1)
		return;
	fd_dispose(end->fd, end->peer);
	free(end);
}

struct iouser_completion *iou_completion_create(
	struct iou_port_end *end, uint64_t token, bool repeats, struct iou_outstanding *outstanding)
{
	struct iouser_completion *completion = calloc(1, sizeof(*completion));

	if (!completion)
		return NULL;
	atomic_init(&completion->references, 1);
	atomic_fetch_add(&end->references, 1);
	completion->end = end;
	completion->token = token;
	completion->repeats = repeats;
	completion->outstanding = outstanding;
	if (outstanding) {
		atomic_fetch_add(&outstanding->references, 1);
		atomic_fetch_add(&outstanding->count, 1);
	}
	return completion;
}

/*
 * Does not block: when the port is full because its owner does not read it, the event is lost.
 */
static void send_event(struct iouser_completion *completion, IOReturn status, uint32_t flags,
	const uint64_t *args, uint32_t count)
{
	struct iou_event event = {
		.header = { .type = IOU_EVENT, .status = status },
		.token = completion->token,
		.count = count,
		.flags = flags,
	};

	if (count)
		memcpy(event.args, args, count * sizeof(*args));
	iou_send(completion->end->fd, &event, sizeof(event), NULL, 0, 0);
}

void iou_completion_refuse(struct iouser_completion *completion)
{
	if (completion)
		atomic_store(&completion->completed, true);
}

struct iouser_completion *iouser_completion_retain(struct iouser_completion *completion)
{
	atomic_fetch_add(&completion->references, 1);
	return completion;
}

void iouser_completion_release(struct iouser_completion *completion)
{
	if (!completion || atomic_fetch_sub(&completion->references, 1) != 1)
		return;
	if (!atomic_load(&completion->completed))
		send_event(completion, kIOReturnAborted, IOU_EVENT_DROPPED, NULL, 0);
	if (completion->outstanding) {
		atomic_fetch_sub(&completion->outstanding->count, 1);
		iou_outstanding_release(completion->outstanding);
	}
	iou_port_end_release(completion->end);
	free(completion);
}

void iouser_async_completion(
	struct iouser_completion *completion, IOReturn status, const uint64_t *args, uint32_t count)
{
	if (count > IOUSER_SCALARS_MAX || atomic_exchange(&completion->completed, true))
		return;
	send_event(completion, status, 0, args, count);
}

bool iouser_completion_repeats(const struct iouser_completion *completion)
{
	return completion->repeats;
}

void iouser_async_completion_repeated(
	struct iouser_completion *completion, IOReturn status, const uint64_t *args, uint32_t count)
{
	if (completion->repeats && count <= IOUSER_SCALARS_MAX &&
		!atomic_load(&completion->completed))
		send_event(completion, status, IOU_EVENT_REPEATS, args, count);
}
