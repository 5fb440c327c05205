/* SPDX-License-Identifier: BSD-3-Clause */
/* The sessions: socket pairs, the threads of live sessions, and checks of replies. */
#include "iokit/session.h"
#include "iokit/wire.h"
#include "tests/fuzz/fd-samples.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/service-rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static struct link {
	int client, service; /* both ends; client is -1 after it was closed */
	bool holds_itself;
	pthread_t thread;
	sem_t begin, end;
} links[RIG_SESSIONS];

static atomic_bool live;

/* How long a live session waits for a client that does not read. */
#define LIVE_PATIENCE_MS 20

/* In a session that is not live, no message can arrive while it waits: poll() returns at once. */
int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
	int patience = atomic_load(&live) ? LIVE_PATIENCE_MS : 0;

	return __real_poll(
		fds, count, timeout_ms < 0 || timeout_ms > patience ? patience : timeout_ms);
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) != 0 && errno == EINTR)
		;
}

static void *session_thread(void *argument)
{
	struct link *link = argument;

	for (;;) {
		wait_for(&link->begin);
		iou_session_run(link->service, NULL);
		sem_post(&link->end);
	}
	return NULL;
}

static void start_threads(void)
{
	static bool started;

	for (unsigned i = 0; i < RIG_SESSIONS && !started; i++) {
		sem_init(&links[i].begin, 0, 0);
		sem_init(&links[i].end, 0, 0);
		fuzz_require(pthread_create(&links[i].thread, NULL, session_thread, &links[i]) == 0,
			"the harness needs threads");
	}
	started = true;
}

void rig_begin(bool live_wanted)
{
	atomic_store(&live, live_wanted);
	if (live_wanted)
		start_threads();
	for (unsigned i = 0; i < RIG_SESSIONS; i++) {
		int ends[2];

		fuzz_require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0,
			"the harness needs sockets");
		links[i].client = ends[0];
		links[i].service = ends[1];
		links[i].holds_itself = false;
		if (live_wanted)
			sem_post(&links[i].begin);
	}
}

int rig_client_end(unsigned session)
{
	return links[session % RIG_SESSIONS].client;
}

void rig_holds_itself(unsigned session)
{
	links[session % RIG_SESSIONS].holds_itself = true;
}

void rig_disconnect(unsigned session)
{
	struct link *link = &links[session % RIG_SESSIONS];

	if (link->client < 0)
		return;
	if (link->holds_itself)
		shutdown(link->client,
			SHUT_RDWR); /* as the thread that waits for the exit of the process */
	close(link->client);
	link->client = -1;
}

static bool reply_is_valid(const union iou_buffer *answer)
{
	size_t size = answer->header.size;

	if (answer->header.status != kIOReturnSuccess)
		return size == sizeof(answer->header) || size == sizeof(answer->hello);
	switch (answer->header.type & ~IOU_REPLY) {
	case IOU_HELLO:
		return size == sizeof(answer->hello) && answer->hello.magic == IOU_MAGIC;
	case IOU_CALL:
		return answer->call_reply.scalar_output_count <= IOUSER_SCALARS_MAX &&
		       size == sizeof(answer->call_reply) +
				       answer->call_reply.scalar_output_count * sizeof(uint64_t) +
				       answer->call_reply.structure_output_size;
	case IOU_MAP:
		return size == sizeof(answer->map_reply) && answer->map_reply.size;
	case IOU_LIST:
	case IOU_OPEN:
	case IOU_WATCH:
		return size == sizeof(answer->header);
	default:
		return false;
	}
}

static bool is_valid(const union iou_buffer *answer)
{
	if (answer->header.type & IOU_REPLY)
		return reply_is_valid(answer);
	if (answer->header.type == IOU_CHANGED)
		return answer->header.size == sizeof(answer->header);
	if (answer->header.type == IOU_ENTRY)
		return answer->header.size == sizeof(answer->entry);
	return answer->header.type == IOU_MEMORY &&
	       answer->header.size == sizeof(answer->memory_query);
}

static void require_valid_replies(int client)
{
	union iou_buffer answer;
	struct iou_fds fds;
	int size;

	while ((size = iou_receive(client, &answer, &fds, 0)) > 0) {
		bool map = answer.header.type == (IOU_MAP | IOU_REPLY) &&
			   answer.header.status == kIOReturnSuccess;

		fuzz_require(is_valid(&answer), "an invalid reply");
		fuzz_require(fds.count == (map ? 1 : 0), "unexpected descriptors");
		iou_fds_close(&fds);
	}
	fuzz_require(size != -EPROTO, "a malformed message");
}

static void require_valid_events(void)
{
	struct iou_event event;
	ssize_t size;

	while ((size = recv(fd_samples_port_peer(), &event, sizeof(event), MSG_DONTWAIT)) > 0)
		fuzz_require(size == (ssize_t)sizeof(event) && event.header.type == IOU_EVENT &&
				     event.header.size == sizeof(event) &&
				     event.count <= IOUSER_SCALARS_MAX,
			"an invalid event");
}

static void end(struct link *link)
{
	if (link->client >= 0)
		shutdown(link->client, SHUT_WR);
	if (atomic_load(&live))
		wait_for(&link->end);
	else
		iou_session_run(link->service, NULL);
	close(link->service);
	if (link->client < 0)
		return;
	require_valid_replies(link->client);
	close(link->client);
}

void rig_end(void)
{
	for (unsigned i = 0; i < RIG_SESSIONS; i++)
		end(&links[i]);
	require_valid_events();
}
