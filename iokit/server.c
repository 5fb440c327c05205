/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket on which other processes find this one's services. */
#include "common/fd-dispose.h"
#include "common/listen-socket.h"
#include "iokit/admission.h"
#include "iokit/places.h"
#include "iokit/session.h"
#include "iokit/wire.h"

#include <errno.h>
#include <iokit-user/service.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* Clients at a time. Once it has said something, each has a thread. */
#define CLIENTS_MAX 1024
/* Of these, for this process's user and root. */
#define CLIENTS_RESERVED 64
/* Of one process, and of one user besides those two, unless the options say otherwise. */
#define CONNECTIONS_DEFAULT 256
/* Clients that are to be told that they are not served. They have no thread. */
#define REFUSED_MAX 64
/* How long a client may take to say HELLO, and one that is not served. */
#define GREETING_MS 5000
#define REFUSAL_MS  1000
/* A session's thread needs little: a few message buffers and the driver's frames. */
#define CLIENT_STACK_SIZE (512u << 10)

/* What iouser_server_run() is woken for, besides clients: those by number, with what happened. */
#define EVENT_STOP	       UINT64_MAX
#define EVENT_ACCEPT	       (UINT64_MAX - 1)
#define EVENT_GREETED	       0u /* it has said something, or gone, before it has a thread */
#define EVENT_ENDED	       1u /* its process has */
#define EVENT_OF(client, what) ((client)->number << 1 | (what))

/*
 * A connection. It begins without a thread, as one that has a place and has not greeted, or as
 * one that is refused. Until a thread is begun for it only iouser_server_run() removes it.
 */
struct client {
	struct iou_place place; /* first; in the server's places, or its refused ones */
	struct iouser_server *server;
	int fd;
	struct fd_peer *charged; /* for fd and all descriptors that the client sends */
	uint64_t number;	 /* never used again */
	int process;	       /* a pidfd: the session ends with the process; -1: it is not known */
	int64_t deadline;      /* to say something, on the clock of iou_now_ms() */
	kern_return_t refusal; /* kIOReturnSuccess: it is served */
};

struct iouser_server {
	char *path;
	struct iouser_server_options options; /* its arrays are copies */
	struct listen_socket listener;
	int stop;
	int epoll; /* what iouser_server_run() waits for */
	uint64_t last_number;
	struct iou_place_list refused; /* iouser_server_run()'s own; the oldest first */
	unsigned refused_count;
	/* The lock guards what follows. Nothing is waited for while it is held. */
	pthread_mutex_t lock;
	pthread_cond_t client_gone;
	struct iou_places places;
};

static bool fail(char *error, size_t size, const char *what, const char *path, int code)
{
	snprintf(error, size, "socket %s: %s (%s)", path, what, strerror(code));
	return false;
}

static bool bind_listener(struct iouser_server *server, char *error, size_t size)
{
	const struct listen_socket_options options = {
		.path = server->path,
		.backlog = 64,
		.mode = iou_socket_mode(&server->options),
		.group = server->options.group,
	};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fail(error, size, "cannot be made", server->path, errno);
	return listen_socket_open(&server->listener, fd, &options, error, size) == 0;
}

static void server_free(struct iouser_server *server)
{
	listen_socket_close(&server->listener);
	if (server->stop >= 0)
		close(server->stop);
	if (server->epoll >= 0)
		close(server->epoll);
	pthread_cond_destroy(&server->client_gone);
	pthread_mutex_destroy(&server->lock);
	free((void *)(uintptr_t)server->options.allowed_uids);
	free((void *)(uintptr_t)server->options.allowed_gids);
	free(server->path);
	free(server);
}

/* A copy of an array, which is not NULL even for none. */
static void *copy_array(const void *array, size_t count, size_t size)
{
	void *copy = calloc(count + 1, size);

	if (copy && count)
		memcpy(copy, array, count * size);
	return copy;
}

static bool copy_options(struct iouser_server *server, const struct iouser_server_options *options)
{
	struct iouser_server_options *own = &server->options;

	*own = *options;
	if (!own->connections_max)
		own->connections_max = CONNECTIONS_DEFAULT;
	if (!own->user_connections_max)
		own->user_connections_max = CONNECTIONS_DEFAULT;
	server->places.per_process = own->connections_max;
	server->places.per_user = own->user_connections_max;
	server->places.total = CLIENTS_MAX;
	server->places.reserved = CLIENTS_RESERVED;
	server->path = strdup(options->path);
	own->path = server->path;
	own->allowed_uids =
		copy_array(options->allowed_uids, options->allowed_uid_count, sizeof(uid_t));
	own->allowed_gids =
		copy_array(options->allowed_gids, options->allowed_gid_count, sizeof(gid_t));
	return server->path && own->allowed_uids && own->allowed_gids;
}

static bool wait_for_events(struct iouser_server *server, char *error, size_t size)
{
	struct epoll_event stop = { .events = EPOLLIN, .data.u64 = EVENT_STOP };
	struct epoll_event accept = { .events = EPOLLIN, .data.u64 = EVENT_ACCEPT };

	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll >= 0 &&
		epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->stop, &stop) == 0 &&
		epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener.fd, &accept) == 0)
		return true;
	return fail(error, size, "cannot be waited for", server->path, errno);
}

struct iouser_server *iouser_server_create(const char *path, char *error, size_t error_size)
{
	const struct iouser_server_options options = { .path = path, .group = (gid_t)-1 };

	return iouser_server_create_with(&options, error, error_size);
}

struct iouser_server *iouser_server_create_with(
	const struct iouser_server_options *options, char *error, size_t error_size)
{
	struct iouser_server *server = calloc(1, sizeof(*server));

	if (!server) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	server->listener.fd = server->epoll = -1;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->client_gone, NULL);
	TAILQ_INIT(&server->places.all);
	TAILQ_INIT(&server->refused);
	server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!copy_options(server, options) || server->stop < 0)
		snprintf(error, error_size, "out of memory or descriptors");
	else if (bind_listener(server, error, error_size) &&
		 wait_for_events(server, error, error_size))
		return server;
	server_free(server);
	return NULL;
}

/*
 * End a connection. The other end learns of it at once; the socket is disposed of, since
 * messages that nobody has received may be in it, with descriptors.
 */
static void hang_up(int fd, struct fd_peer *charged)
{
	shutdown(fd, SHUT_RDWR);
	fd_dispose(fd, charged);
	fd_peer_release(charged);
}

static void client_free(struct client *client)
{
	hang_up(client->fd, client->charged);
	if (client->process >= 0)
		close(client->process);
	free(client);
}

/* Watch a descriptor of a client's. Those of one that goes leave the set when they are closed. */
static bool watch(struct client *client, int fd, unsigned what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = EVENT_OF(client, what) };

	return epoll_ctl(client->server->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/*
 * A process that ends must lose its connection even if somebody else still holds an end of
 * it: another process, or this one, to which it was sent as a port.
 */
static void watch_process(struct client *client)
{
	client->process = iou_peer_process(client->fd, client->place.pid);
	if (client->process >= 0)
		watch(client, client->process, EVENT_ENDED);
}

/* Remove a client that has no thread. */
static void drop(struct client *client)
{
	struct iouser_server *server = client->server;

	/* The kernel may keep the socket for a while. */
	epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	if (client->refusal != kIOReturnSuccess) {
		TAILQ_REMOVE(&server->refused, &client->place, link);
		server->refused_count--;
	} else {
		pthread_mutex_lock(&server->lock);
		TAILQ_REMOVE(&server->places.all, &client->place, link);
		pthread_mutex_unlock(&server->lock);
	}
	client_free(client);
}

static void *client_thread(void *argument)
{
	struct client *client = argument;
	struct iouser_server *server = client->server;

	pthread_setname_np(pthread_self(), "client");
	iou_session_run(client->fd, client->charged);
	/* Under the lock: nobody shuts down a descriptor that is used anew. */
	pthread_mutex_lock(&server->lock);
	TAILQ_REMOVE(&server->places.all, &client->place, link);
	client_free(client);
	pthread_cond_broadcast(&server->client_gone);
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* Give a client that has said something its thread. */
static void begin_session(struct client *client)
{
	struct iouser_server *server = client->server;
	pthread_attr_t attributes;
	pthread_t thread;
	bool begun;

	epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, CLIENT_STACK_SIZE);
	pthread_mutex_lock(&server->lock);
	client->place.greeted = true;
	begun = pthread_create(&thread, &attributes, client_thread, client) == 0;
	pthread_mutex_unlock(&server->lock);
	pthread_attr_destroy(&attributes);
	if (begun)
		return;
	iou_peer_refuse(client->fd, kIOReturnNoResources);
	drop(client);
}

/* The kernel says who connected; whether that one is served, and then it has a place. */
static kern_return_t admit(struct iouser_server *server, struct client *client)
{
	struct iou_place *leaves;
	struct ucred peer;
	bool allowed = iou_peer_is_allowed(&server->options, client->fd, &peer);
	kern_return_t status;

	client->place.uid = peer.uid;
	client->place.pid = peer.pid;
	client->place.privileged = iou_uid_is_privileged(peer.uid);
	if (!allowed)
		return kIOReturnNotPermitted;
	pthread_mutex_lock(&server->lock);
	status = iou_places_find(&server->places, &client->place, &leaves);
	if (status == kIOReturnSuccess)
		TAILQ_INSERT_TAIL(&server->places.all, &client->place, link);
	pthread_mutex_unlock(&server->lock);
	if (status == kIOReturnSuccess && leaves)
		drop((struct client *)leaves);
	return status;
}

static void refuse(struct iouser_server *server, struct client *client)
{
	if (server->refused_count == REFUSED_MAX)
		drop((struct client *)TAILQ_FIRST(&server->refused));
	TAILQ_INSERT_TAIL(&server->refused, &client->place, link);
	server->refused_count++;
}

/* Take over a connection: it waits until it greets, or is dropped. False without memory. */
static bool begin_client(struct iouser_server *server, int fd, struct fd_peer *charged)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return false;
	client->server = server;
	client->fd = fd;
	client->charged = charged;
	client->process = -1;
	client->number = ++server->last_number;
	client->refusal = admit(server, client);
	client->deadline =
		iou_now_ms() + (client->refusal == kIOReturnSuccess ? GREETING_MS : REFUSAL_MS);
	if (client->refusal != kIOReturnSuccess)
		refuse(server, client);
	else
		watch_process(client);
	if (!watch(client, fd, EVENT_GREETED))
		drop(client);
	return true;
}

/* A connection, and who is charged for it: false when there is none, with errno set. */
static bool accept_connection(struct iouser_server *server, int *fd, struct fd_peer **charged)
{
	*fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC);
	if (*fd < 0)
		return false;
	*charged = fd_peer_create(iou_peer_uid(*fd));
	if (*charged) {
		fd_peer_charge(*charged, 1);
		return true;
	}
	close(*fd);
	errno = ENOMEM;
	return false;
}

static void accept_client(struct iouser_server *server)
{
	struct fd_peer *charged;
	int fd;

	if (!accept_connection(server, &fd, &charged)) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			poll(NULL, 0, 50); /* out of descriptors: wait for clients to go */
	} else if (!begin_client(server, fd, charged)) {
		hang_up(fd, charged);
	}
}

/* Nobody connects any more; those that nobody has accepted are turned away. */
static void stop_listening(struct iouser_server *server)
{
	struct fd_peer *charged;
	int fd;

	shutdown(server->listener.fd, SHUT_RDWR);
	while (accept_connection(server, &fd, &charged))
		hang_up(fd, charged);
}

static struct client *find_in(struct iou_place_list *list, uint64_t number)
{
	struct iou_place *place;

	TAILQ_FOREACH (place, list, link)
		if (((struct client *)place)->number == number)
			return (struct client *)place;
	return NULL;
}

/* A client, which is refused or has not greeted, has said something or gone. */
static void client_greets(struct iouser_server *server, uint64_t number)
{
	struct client *client = find_in(&server->refused, number);

	if (client) {
		iou_peer_refuse(client->fd, client->refusal);
		drop(client);
		return;
	}
	pthread_mutex_lock(&server->lock);
	client = find_in(&server->places.all, number);
	pthread_mutex_unlock(&server->lock);
	if (client)
		begin_session(client);
}

static void process_ended(struct iouser_server *server, uint64_t number)
{
	struct client *client;

	pthread_mutex_lock(&server->lock);
	client = find_in(&server->places.all, number);
	if (client) {
		epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->process, NULL);
		shutdown(client->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&server->lock);
}

/* The oldest client in a list that has said nothing: it has no thread. */
static struct client *first_silent(struct iouser_server *server, struct iou_place_list *list)
{
	struct iou_place *place;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH (place, list, link)
		if (!place->greeted)
			break;
	pthread_mutex_unlock(&server->lock);
	return (struct client *)place;
}

/* Drop those that are past their time. Returns how long to wait for the next: -1 for ever. */
static int drop_overdue(struct iouser_server *server, struct iou_place_list *list)
{
	struct client *client;

	while ((client = first_silent(server, list))) {
		int64_t left = client->deadline - iou_now_ms();

		if (left > 0)
			return (int)left;
		drop(client);
	}
	return -1;
}

static int drop_silent(struct iouser_server *server)
{
	int served = drop_overdue(server, &server->places.all);
	int refused = drop_overdue(server, &server->refused);

	return served < 0 || (refused >= 0 && refused < served) ? refused : served;
}

void iouser_server_run(struct iouser_server *server)
{
	struct epoll_event event;

	for (;;) {
		int ready = epoll_wait(server->epoll, &event, 1, drop_silent(server));

		if (ready < 0 && errno != EINTR)
			return;
		if (ready <= 0)
			continue;
		if (event.data.u64 == EVENT_STOP)
			return;
		if (event.data.u64 == EVENT_ACCEPT)
			accept_client(server);
		else if (event.data.u64 & EVENT_ENDED)
			process_ended(server, event.data.u64 >> 1);
		else
			client_greets(server, event.data.u64 >> 1);
	}
}

void iouser_server_stop(struct iouser_server *server)
{
	uint64_t one = 1;

	(void)!write(server->stop, &one, sizeof(one));
}

void iouser_server_destroy(struct iouser_server *server)
{
	struct client *client;
	struct iou_place *place;

	stop_listening(server);
	while ((client = first_silent(server, &server->refused)))
		drop(client);
	while ((client = first_silent(server, &server->places.all)))
		drop(client);
	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH (place, &server->places.all, link)
		shutdown(((struct client *)place)->fd, SHUT_RDWR);
	while (!TAILQ_EMPTY(&server->places.all))
		pthread_cond_wait(&server->client_gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
	server_free(server);
}
