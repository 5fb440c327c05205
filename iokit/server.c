/* SPDX-License-Identifier: BSD-3-Clause */
/* The server: accepts the connections of other processes to the services of this one. */
#include "common/fd-dispose.h"
#include "common/listen-socket.h"
#include "iokit/admission.h"
#include "iokit/client-table.h"
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

/* Connections at a time. Each has a thread from its first message on. */
#define CLIENTS_MAX 1024
/* Of these, reserved for this process's user and root. */
#define CLIENTS_RESERVED 64
/* Defaults of the limits per process, and per user other than those two. */
#define CONNECTIONS_DEFAULT 256
/* Connections that wait for the answer that they are refused. They have no thread. */
#define REFUSED_MAX 64
/* Time for the first message of a connection, and of one that is refused. */
#define GREETING_MS 5000
#define REFUSAL_MS  1000
/* For a few message buffers and the driver's stack frames. */
#define CLIENT_STACK_SIZE (512u << 10)

/* The epoll events of iouser_server_run(): one of these, or a client's number and event. */
#define EVENT_STOP	       UINT64_MAX
#define EVENT_ACCEPT	       (UINT64_MAX - 1)
#define EVENT_READABLE	       0u /* its first message, or end of file; it has no thread yet */
#define EVENT_EXITED	       1u /* its process has exited */
#define EVENT_OF(client, what) ((client)->number << 1 | (what))

/*
 * A connection. It starts without a thread, either in the table or in the list of refused ones.
 * Until it has a thread, only iouser_server_run() removes it.
 */
struct client {
	struct iou_client_entry entry; /* first; in server->clients or server->refused */
	struct iouser_server *server;
	int fd;
	struct fd_peer *charged; /* charged for fd and all descriptors that the client sends */
	uint64_t number;	 /* unique */
	int process;		 /* a pidfd, or -1: the session ends with the process */
	int64_t deadline;	 /* of the first message, as iou_now_ms() */
	kern_return_t refusal;	 /* kIOReturnSuccess: it is not refused */
};

struct iouser_server {
	char *path;
	struct iouser_server_options options; /* its arrays are copies */
	struct listen_socket listener;
	int stop;
	int epoll; /* of iouser_server_run() */
	uint64_t last_number;
	struct iou_client_list refused; /* used by iouser_server_run() alone; the oldest first */
	unsigned refused_count;
	/* The lock guards what follows, and is not held while anything blocks. */
	pthread_mutex_t lock;
	pthread_cond_t client_gone;
	struct iou_client_table clients;
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

/* A copy of an array; not NULL for an empty one. */
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
	server->clients.per_process = own->connections_max;
	server->clients.per_user = own->user_connections_max;
	server->clients.total = CLIENTS_MAX;
	server->clients.reserved = CLIENTS_RESERVED;
	server->path = strdup(options->path);
	own->path = server->path;
	own->allowed_uids =
		copy_array(options->allowed_uids, options->allowed_uid_count, sizeof(uid_t));
	own->allowed_gids =
		copy_array(options->allowed_gids, options->allowed_gid_count, sizeof(gid_t));
	return server->path && own->allowed_uids && own->allowed_gids;
}

static bool create_epoll(struct iouser_server *server, char *error, size_t size)
{
	struct epoll_event stop = { .events = EPOLLIN, .data.u64 = EVENT_STOP };
	struct epoll_event accept = { .events = EPOLLIN, .data.u64 = EVENT_ACCEPT };

	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll >= 0 &&
		epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->stop, &stop) == 0 &&
		epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener.fd, &accept) == 0)
		return true;
	return fail(error, size, "epoll", server->path, errno);
}

struct iouser_server *iouser_server_create(
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
	TAILQ_INIT(&server->clients.all);
	TAILQ_INIT(&server->refused);
	server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!copy_options(server, options) || server->stop < 0)
		snprintf(error, error_size, "out of memory or descriptors");
	else if (bind_listener(server, error, error_size) &&
		 create_epoll(server, error, error_size))
		return server;
	server_free(server);
	return NULL;
}

/*
 * Shut a connection down and dispose of the socket: close() may wait, since messages with
 * descriptors may be in its queue.
 */
static void close_connection(int fd, struct fd_peer *charged)
{
	shutdown(fd, SHUT_RDWR);
	fd_dispose(fd, charged);
	fd_peer_release(charged);
}

static void client_free(struct client *client)
{
	close_connection(client->fd, client->charged);
	if (client->process >= 0)
		close(client->process);
	free(client);
}

/* Add a descriptor of a client to the epoll set, which it leaves when it is closed. */
static bool watch_fd(struct client *client, int fd, unsigned what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = EVENT_OF(client, what) };

	return epoll_ctl(client->server->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/*
 * When a process exits, its connection ends even if another process still has the socket, or
 * this one, to which it may have been sent as a port.
 */
static void watch_process(struct client *client)
{
	client->process = iou_peer_process(client->fd, client->entry.pid);
	if (client->process >= 0)
		watch_fd(client, client->process, EVENT_EXITED);
}

/* Remove a client that has no thread. */
static void client_remove(struct client *client)
{
	struct iouser_server *server = client->server;

	/* Disposal may close the socket later. */
	epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	if (client->refusal != kIOReturnSuccess) {
		TAILQ_REMOVE(&server->refused, &client->entry, link);
		server->refused_count--;
	} else {
		pthread_mutex_lock(&server->lock);
		TAILQ_REMOVE(&server->clients.all, &client->entry, link);
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
	/* Under the lock, so that no other thread shuts down a descriptor that has been reused. */
	pthread_mutex_lock(&server->lock);
	TAILQ_REMOVE(&server->clients.all, &client->entry, link);
	client_free(client);
	pthread_cond_broadcast(&server->client_gone);
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* Start the thread of a client, after its first message. */
static void start_session(struct client *client)
{
	struct iouser_server *server = client->server;
	pthread_attr_t attributes;
	pthread_t thread;
	bool started;

	epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->fd, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, CLIENT_STACK_SIZE);
	pthread_mutex_lock(&server->lock);
	client->entry.greeted = true;
	started = pthread_create(&thread, &attributes, client_thread, client) == 0;
	pthread_mutex_unlock(&server->lock);
	pthread_attr_destroy(&attributes);
	if (started)
		return;
	iou_peer_refuse(client->fd, kIOReturnNoResources);
	client_remove(client);
}

/* Check the credentials and the limits, and add the connection to the table. */
static kern_return_t admit(struct iouser_server *server, struct client *client)
{
	struct iou_client_entry *evicted;
	struct ucred peer;
	bool allowed = iou_peer_is_allowed(&server->options, client->fd, &peer);
	kern_return_t status;

	client->entry.uid = peer.uid;
	client->entry.pid = peer.pid;
	client->entry.privileged = iou_uid_is_privileged(peer.uid);
	if (!allowed)
		return kIOReturnNotPermitted;
	pthread_mutex_lock(&server->lock);
	status = iou_client_table_check(&server->clients, &client->entry, &evicted);
	if (status == kIOReturnSuccess)
		TAILQ_INSERT_TAIL(&server->clients.all, &client->entry, link);
	pthread_mutex_unlock(&server->lock);
	if (status == kIOReturnSuccess && evicted)
		client_remove((struct client *)evicted);
	return status;
}

static void add_refused(struct iouser_server *server, struct client *client)
{
	if (server->refused_count == REFUSED_MAX)
		client_remove((struct client *)TAILQ_FIRST(&server->refused));
	TAILQ_INSERT_TAIL(&server->refused, &client->entry, link);
	server->refused_count++;
}

/* Ownership of @fd and @charged passes to this function; not when it returns false (no memory). */
static bool add_client(struct iouser_server *server, int fd, struct fd_peer *charged)
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
		add_refused(server, client);
	else
		watch_process(client);
	if (!watch_fd(client, fd, EVENT_READABLE))
		client_remove(client);
	return true;
}

/* Accept a connection and create its account of descriptors; false with errno set. */
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
			poll(NULL, 0, 50); /* wait for clients to disconnect */
	} else if (!add_client(server, fd, charged)) {
		close_connection(fd, charged);
	}
}

/* Stop accepting, and close the connections that are in the backlog. */
static void stop_listening(struct iouser_server *server)
{
	struct fd_peer *charged;
	int fd;

	shutdown(server->listener.fd, SHUT_RDWR);
	while (accept_connection(server, &fd, &charged))
		close_connection(fd, charged);
}

static struct client *find_in(struct iou_client_list *list, uint64_t number)
{
	struct iou_client_entry *entry;

	TAILQ_FOREACH (entry, list, link)
		if (((struct client *)entry)->number == number)
			return (struct client *)entry;
	return NULL;
}

/* A client without a thread has sent its first message or disconnected. */
static void handle_readable(struct iouser_server *server, uint64_t number)
{
	struct client *client = find_in(&server->refused, number);

	if (client) {
		iou_peer_refuse(client->fd, client->refusal);
		client_remove(client);
		return;
	}
	pthread_mutex_lock(&server->lock);
	client = find_in(&server->clients.all, number);
	pthread_mutex_unlock(&server->lock);
	if (client)
		start_session(client);
}

static void handle_exit(struct iouser_server *server, uint64_t number)
{
	struct client *client;

	pthread_mutex_lock(&server->lock);
	client = find_in(&server->clients.all, number);
	if (client) {
		epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->process, NULL);
		shutdown(client->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&server->lock);
}

/* The oldest client in a list that has sent nothing, and so has no thread. */
static struct client *first_silent(struct iouser_server *server, struct iou_client_list *list)
{
	struct iou_client_entry *entry;

	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH (entry, list, link)
		if (!entry->greeted)
			break;
	pthread_mutex_unlock(&server->lock);
	return (struct client *)entry;
}

/* Remove clients past their deadline. Returns the milliseconds to the next deadline, or -1. */
static int remove_overdue(struct iouser_server *server, struct iou_client_list *list)
{
	struct client *client;

	while ((client = first_silent(server, list))) {
		int64_t left = client->deadline - iou_now_ms();

		if (left > 0)
			return (int)left;
		client_remove(client);
	}
	return -1;
}

void iouser_server_run(struct iouser_server *server)
{
	struct epoll_event event;

	for (;;) {
		int admitted = remove_overdue(server, &server->clients.all);
		int refused = remove_overdue(server, &server->refused);
		bool refused_first = admitted < 0 || (refused >= 0 && refused < admitted);
		int ready =
			epoll_wait(server->epoll, &event, 1, refused_first ? refused : admitted);

		if (ready < 0 && errno != EINTR)
			return;
		if (ready <= 0)
			continue;
		if (event.data.u64 == EVENT_STOP)
			return;
		if (event.data.u64 == EVENT_ACCEPT)
			accept_client(server);
		else if (event.data.u64 & EVENT_EXITED)
			handle_exit(server, event.data.u64 >> 1);
		else
			handle_readable(server, event.data.u64 >> 1);
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
	struct iou_client_entry *entry;

	stop_listening(server);
	while ((client = first_silent(server, &server->refused)))
		client_remove(client);
	while ((client = first_silent(server, &server->clients.all)))
		client_remove(client);
	pthread_mutex_lock(&server->lock);
	TAILQ_FOREACH (entry, &server->clients.all, link)
		shutdown(((struct client *)entry)->fd, SHUT_RDWR);
	while (!TAILQ_EMPTY(&server->clients.all))
		pthread_cond_wait(&server->client_gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
	server_free(server);
}
