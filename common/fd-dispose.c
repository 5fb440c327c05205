/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/fd-dispose.h"
#include "common/fd-kind.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREAD_STACK_SIZE (64u << 10)

struct waiting {
	STAILQ_ENTRY(waiting) link;
	int fd;
};

/* All peers of one user, which share its threads. Freed with the last peer. */
struct fd_user {
	LIST_ENTRY(fd_user) link;
	uid_t uid;
	unsigned peer_count, held;
	unsigned threads;
	unsigned closing; /* threads in close(); the others are about to call find_work() */
	TAILQ_HEAD(, fd_peer) peers; /* least recently served first */
};

struct fd_peer {
	TAILQ_ENTRY(fd_peer) link;
	struct fd_user *user;
	bool released;
	unsigned held;		      /* descriptors that are not closed yet */
	unsigned waiting;	      /* of these, passed to fd_dispose() */
	unsigned closing;	      /* of these, in close() */
	STAILQ_HEAD(, waiting) queue; /* waiting, not in close() */
};

/* Protects all users and peers. A leaf lock: nothing blocks while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, fd_user) users = LIST_HEAD_INITIALIZER(users);

static struct fd_user *find_user(uid_t uid)
{
	struct fd_user *user;

	LIST_FOREACH (user, &users, link)
		if (user->uid == uid)
			return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INIT(&user->peers);
	LIST_INSERT_HEAD(&users, user, link);
	return user;
}

/* Free a peer that is released and has no descriptors, and a user without peers and threads. */
static void free_unused(struct fd_user *user, struct fd_peer *peer)
{
	if (peer && peer->released && !peer->held) {
		TAILQ_REMOVE(&user->peers, peer, link);
		user->peer_count--;
		free(peer);
	}
	if (!user->peer_count && !user->threads) {
		LIST_REMOVE(user, link);
		free(user);
	}
}

struct fd_peer *fd_peer_create(uid_t uid)
{
	struct fd_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	STAILQ_INIT(&peer->queue);
	pthread_mutex_lock(&lock);
	peer->user = find_user(uid);
	if (peer->user) {
		TAILQ_INSERT_TAIL(&peer->user->peers, peer, link);
		peer->user->peer_count++;
	}
	pthread_mutex_unlock(&lock);
	if (peer->user)
		return peer;
	free(peer);
	return NULL;
}

void fd_peer_release(struct fd_peer *peer)
{
	if (!peer)
		return;
	pthread_mutex_lock(&lock);
	peer->released = true;
	free_unused(peer->user, peer);
	pthread_mutex_unlock(&lock);
}

void fd_peer_charge(struct fd_peer *peer, unsigned count)
{
	pthread_mutex_lock(&lock);
	peer->held += count;
	peer->user->held += count;
	pthread_mutex_unlock(&lock);
}

bool fd_peer_is_full(struct fd_peer *peer)
{
	struct rlimit limit;
	bool full;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = RLIM_INFINITY;
	pthread_mutex_lock(&lock);
	full = peer->held > FD_PEER_HELD_MAX || peer->user->held > limit.rlim_cur / 4;
	pthread_mutex_unlock(&lock);
	return full;
}

unsigned fd_peer_waiting(struct fd_peer *peer)
{
	unsigned waiting;

	pthread_mutex_lock(&lock);
	waiting = peer->waiting;
	pthread_mutex_unlock(&lock);
	return waiting;
}

/* A peer of the user with a descriptor to close that may occupy another thread. */
static struct fd_peer *find_work(struct fd_user *user)
{
	struct fd_peer *peer;

	TAILQ_FOREACH (peer, &user->peers, link)
		if (!STAILQ_EMPTY(&peer->queue) && peer->closing < FD_PEER_THREADS_MAX)
			return peer;
	return NULL;
}

static void *disposal_thread(void *argument);

/* Create a thread if there is work and each thread is in close(). The lock is held. */
static void start_thread(struct fd_user *user)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;

	if (user->threads > user->closing || user->threads >= FD_USER_THREADS_MAX ||
		!find_work(user) || pthread_attr_init(&attributes) != 0)
		return;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
	/* Signals are handled by the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, &attributes, disposal_thread, user) == 0)
		user->threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

/* Close one descriptor. The lock is held, but released during close(). */
static void close_one(struct fd_user *user, struct fd_peer *peer)
{
	struct waiting *waiting = STAILQ_FIRST(&peer->queue);

	STAILQ_REMOVE_HEAD(&peer->queue, link);
	TAILQ_REMOVE(&user->peers, peer, link);
	TAILQ_INSERT_TAIL(&user->peers, peer, link);
	peer->closing++;
	user->closing++;
	start_thread(user); /* close() below may not return */
	pthread_mutex_unlock(&lock);
	close(waiting->fd);
	free(waiting);
	pthread_mutex_lock(&lock);
	user->closing--;
	user->held--;
	peer->closing--;
	peer->waiting--;
	peer->held--;
	free_unused(user, peer);
}

static void *disposal_thread(void *argument)
{
	struct fd_user *user = argument;
	struct fd_peer *peer;

#ifdef __linux__
	pthread_setname_np(pthread_self(), "fd-dispose"); /* for ps -L */
#endif
	pthread_mutex_lock(&lock);
	while ((peer = find_work(user)))
		close_one(user, peer);
	user->threads--;
	free_unused(user, NULL);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static bool closes_at_once(int fd)
{
	enum fd_kind kind = fd_kind(fd);

	return kind == FD_KIND_MEMORY || kind == FD_KIND_EVENT;
}

static void close_later(int fd, struct fd_peer *peer)
{
	struct waiting *waiting = malloc(sizeof(*waiting));

	pthread_mutex_lock(&lock);
	peer->waiting++;
	if (waiting) {
		waiting->fd = fd;
		STAILQ_INSERT_TAIL(&peer->queue, waiting, link);
	}
	start_thread(peer->user);
	pthread_mutex_unlock(&lock);
}

void fd_close_known(int fd, struct fd_peer *peer)
{
	close(fd);
	if (!peer)
		return;
	pthread_mutex_lock(&lock);
	peer->held--;
	peer->user->held--;
	free_unused(peer->user, peer);
	pthread_mutex_unlock(&lock);
}

void fd_dispose(int fd, struct fd_peer *peer)
{
	if (fd < 0)
		return;
	if (!peer) {
		close(fd);
		return;
	}
	if (closes_at_once(fd))
		fd_close_known(fd, peer);
	else
		close_later(fd, peer);
}
