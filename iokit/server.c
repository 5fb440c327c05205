/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket on which other processes find this one's services. */
#include "common/listen-socket.h"
#include "iokit/admission.h"
#include "iokit/session.h"
#include "iokit/socket.h"

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

/* Clients at a time; each has a thread. More are turned away at once. */
#define CLIENTS_MAX 1024
/* Of these, one process may have so many unless the options say otherwise. */
#define CONNECTIONS_DEFAULT 256
/* A session's thread needs little: a few message buffers and the driver's frames. */
#define CLIENT_STACK_SIZE (512u << 10)

/* What iouser_server_run() is woken for, besides the ends of processes (by client number). */
#define EVENT_STOP   UINT64_MAX
#define EVENT_ACCEPT (UINT64_MAX - 1)

struct client {
	LIST_ENTRY(client) link;
	struct iouser_server *server;
	int fd;
	struct fd_peer *charged;	/* for fd and all descriptors that the client sends */
	uint64_t number;	/* never used again */
	pid_t pid;
	int process;		/* a pidfd: the session ends with the process; -1: it is not known */
	kern_return_t refusal;	/* kIOReturnSuccess: it is served */
};

struct iouser_server {
	char *path;
	struct iouser_server_options options;	/* its arrays are copies */
	struct listen_socket listener;
	int stop;
	int epoll;	/* the three things that iouser_server_run() waits for */
	uint64_t last_number;
	/* The lock guards what follows. */
	pthread_mutex_t lock;
	pthread_cond_t client_gone;
	LIST_HEAD(, client) clients;
	unsigned client_count;
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
	server->path = strdup(options->path);
	own->path = server->path;
	own->allowed_uids = copy_array(
		options->allowed_uids, options->allowed_uid_count, sizeof(uid_t));
	own->allowed_gids = copy_array(
		options->allowed_gids, options->allowed_gid_count, sizeof(gid_t));
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
	LIST_INIT(&server->clients);
	server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!copy_options(server, options) || server->stop < 0)
		snprintf(error, error_size, "out of memory or descriptors");
	else if (bind_listener(server, error, error_size) && wait_for_events(server, error, error_size))
		return server;
	server_free(server);
	return NULL;
}

/*
 * End a connection. The other end learns of it at once; the socket is disposed of, since messages
 * that nobody has received may be in it, with descriptors.
 */
static void hang_up(int fd, struct fd_peer *charged)
{
	shutdown(fd, SHUT_RDWR);
	fd_dispose(fd, charged);
	fd_peer_release(charged);
}

static void *client_thread(void *argument)
{
	struct client *client = argument;
	struct iouser_server *server = client->server;

	pthread_setname_np(pthread_self(), "client");
	if (client->refusal == kIOReturnSuccess)
		iou_session_run(client->fd, client->charged);
	else
		iou_session_refuse(client->fd, client->charged, client->refusal);
	pthread_mutex_lock(&server->lock);
	LIST_REMOVE(client, link);
	hang_up(client->fd, client->charged);	/* under the lock: nobody shuts down a descriptor used anew */
	if (client->process >= 0)
		close(client->process);
	server->client_count--;
	pthread_cond_broadcast(&server->client_gone);
	pthread_mutex_unlock(&server->lock);
	free(client);
	return NULL;
}

/* The kernel says who connected; whether that one is served. The lock is held. */
static kern_return_t admit(struct iouser_server *server, struct client *client)
{
	struct client *other;
	unsigned connections = 0;

	if (!iou_peer_is_allowed(&server->options, client->fd, &client->pid))
		return kIOReturnNotPermitted;
	LIST_FOREACH (other, &server->clients, link)
		connections += other->pid == client->pid;
	return connections < server->options.connections_max ? kIOReturnSuccess :
							       kIOReturnNoResources;
}

/*
 * A process that ends must lose its connection even if somebody else still holds an end of
 * it: another process, or this one, to which it was sent as a port. The lock is held.
 */
static void watch_process(struct iouser_server *server, struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN };

	client->number = ++server->last_number;
	client->process = iou_peer_process(client->fd, client->pid);
	if (client->process < 0)
		return;
	event.data.u64 = client->number;
	epoll_ctl(server->epoll, EPOLL_CTL_ADD, client->process, &event);
}

static void process_ended(struct iouser_server *server, uint64_t number)
{
	struct client *client;

	pthread_mutex_lock(&server->lock);
	LIST_FOREACH (client, &server->clients, link)
		if (client->number == number)
			break;
	if (client) {
		epoll_ctl(server->epoll, EPOLL_CTL_DEL, client->process, NULL);
		shutdown(client->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&server->lock);
}

/* Begin a thread for a new client. False: turned away. */
static bool begin_client(struct iouser_server *server, int fd, struct fd_peer *charged)
{
	struct client *client = calloc(1, sizeof(*client));
	pthread_attr_t attributes;
	pthread_t thread;
	bool begun = false;

	if (!client)
		return false;
	client->server = server;
	client->fd = fd;
	client->charged = charged;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, CLIENT_STACK_SIZE);
	pthread_mutex_lock(&server->lock);
	client->refusal = admit(server, client);
	watch_process(server, client);
	if (server->client_count < CLIENTS_MAX &&
		pthread_create(&thread, &attributes, client_thread, client) == 0) {
		LIST_INSERT_HEAD(&server->clients, client, link);
		server->client_count++;
		begun = true;
	}
	pthread_mutex_unlock(&server->lock);
	pthread_attr_destroy(&attributes);
	if (!begun) {
		if (client->process >= 0)
			close(client->process);
		free(client);
	}
	return begun;
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
			poll(NULL, 0, 50);	/* out of descriptors: wait for clients to go */
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

void iouser_server_run(struct iouser_server *server)
{
	struct epoll_event event;

	for (;;) {
		int ready = epoll_wait(server->epoll, &event, 1, -1);

		if (ready < 0 && errno != EINTR)
			return;
		if (ready <= 0)
			continue;
		if (event.data.u64 == EVENT_STOP)
			return;
		if (event.data.u64 == EVENT_ACCEPT)
			accept_client(server);
		else
			process_ended(server, event.data.u64);
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

	stop_listening(server);
	pthread_mutex_lock(&server->lock);
	LIST_FOREACH (client, &server->clients, link)
		shutdown(client->fd, SHUT_RDWR);
	while (server->client_count)
		pthread_cond_wait(&server->client_gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
	server_free(server);
}
