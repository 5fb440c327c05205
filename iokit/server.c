/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket on which other processes find this one's services. */
#include "iokit/admission.h"
#include "iokit/session.h"
#include "iokit/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <iokit-user/service.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
	uint64_t number;	/* never used again */
	pid_t pid;
	int process;		/* a pidfd: the session ends with the process; -1: it is not known */
	kern_return_t refusal;	/* kIOReturnSuccess: it is served */
};

struct iouser_server {
	char *path;
	struct iouser_server_options options;	/* its arrays are copies */
	int listener, stop, lock_file;
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

/* Whether a name still stands for an open file: a service that ends removes its own. */
static bool is_same_file(int fd, const char *name)
{
	struct stat open_file, named;

	return fstat(fd, &open_file) == 0 && stat(name, &named) == 0 &&
	       open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

/*
 * Whoever holds the lock file owns the path, so that two services that start at
 * once cannot both find the socket stale.
 */
static bool take_lock(struct iouser_server *server, char *error, size_t size)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];

	snprintf(name, sizeof(name), "%s.lock", server->path);
	do {	/* until the file that is locked is the one that has the name */
		if (server->lock_file >= 0)
			close(server->lock_file);
		server->lock_file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (server->lock_file < 0)
			return fail(error, size, "cannot make its lock file", server->path, errno);
		if (flock(server->lock_file, LOCK_EX | LOCK_NB) != 0) {
			snprintf(error, size, "socket %s: another driver service is running there",
				server->path);
			return false;
		}
	} while (!is_same_file(server->lock_file, name));
	return true;
}

static bool remove_stale(const char *path, char *error, size_t size)
{
	struct stat file;

	if (lstat(path, &file) != 0)
		return errno == ENOENT || fail(error, size, "cannot be looked at", path, errno);
	if (!S_ISSOCK(file.st_mode)) {
		snprintf(error, size, "socket %s: there is a file of another kind", path);
		return false;
	}
	return unlink(path) == 0 || fail(error, size, "cannot be replaced", path, errno);
}

/* The group first: the mode is what lets it in. */
static bool set_access(struct iouser_server *server, char *error, size_t size)
{
	const struct iouser_server_options *options = &server->options;

	if (options->group != (gid_t)-1 && chown(server->path, (uid_t)-1, options->group) != 0)
		return fail(error, size, "cannot be given its group", server->path, errno);
	if (options->mode && chmod(server->path, options->mode) != 0)
		return fail(error, size, "cannot be given its mode", server->path, errno);
	return true;
}

static bool bind_listener(struct iouser_server *server, char *error, size_t size)
{
	struct sockaddr_un address;
	mode_t mask;
	int bound;

	if (iou_socket_address(server->path, &address) < 0) {
		snprintf(error, size, "socket path %.60s... is %zu bytes long (at most %zu)",
			server->path, strlen(server->path), sizeof(address.sun_path) - 1);
		return false;
	}
	if (!take_lock(server, error, size) || !remove_stale(server->path, error, size))
		return false;
	server->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener < 0)
		return fail(error, size, "cannot be made", server->path, errno);
	mask = umask(0177);	/* the owner's alone, from its first moment on */
	bound = bind(server->listener, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound == 0 && !set_access(server, error, size))
		return false;
	if (bound != 0 || listen(server->listener, 64) != 0)
		return fail(error, size, "cannot be bound", server->path, errno);
	return true;
}

static void server_free(struct iouser_server *server, bool unlink_path)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];

	if (server->listener >= 0)
		close(server->listener);
	if (unlink_path) {
		unlink(server->path);
		snprintf(name, sizeof(name), "%s.lock", server->path);
		unlink(name);
	}
	if (server->lock_file >= 0)
		close(server->lock_file);
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
		epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &accept) == 0)
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
	server->listener = server->lock_file = server->epoll = -1;
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->client_gone, NULL);
	LIST_INIT(&server->clients);
	server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!copy_options(server, options) || server->stop < 0)
		snprintf(error, error_size, "out of memory or descriptors");
	else if (bind_listener(server, error, error_size) && wait_for_events(server, error, error_size))
		return server;
	server_free(server, false);
	return NULL;
}

static void *client_thread(void *argument)
{
	struct client *client = argument;
	struct iouser_server *server = client->server;

	pthread_setname_np(pthread_self(), "client");
	if (client->refusal == kIOReturnSuccess)
		iou_session_run(client->fd);
	else
		iou_session_refuse(client->fd, client->refusal);
	pthread_mutex_lock(&server->lock);
	LIST_REMOVE(client, link);
	close(client->fd);	/* under the lock: nobody shuts down a descriptor used anew */
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
static bool begin_client(struct iouser_server *server, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	pthread_attr_t attributes;
	pthread_t thread;
	bool begun = false;

	if (!client)
		return false;
	client->server = server;
	client->fd = fd;
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

static void accept_client(struct iouser_server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0 && !begin_client(server, fd))
		close(fd);
	else if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		poll(NULL, 0, 50);	/* out of descriptors: wait for clients to go */
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

	pthread_mutex_lock(&server->lock);
	LIST_FOREACH (client, &server->clients, link)
		shutdown(client->fd, SHUT_RDWR);
	while (server->client_count)
		pthread_cond_wait(&server->client_gone, &server->lock);
	pthread_mutex_unlock(&server->lock);
	server_free(server, true);
}
