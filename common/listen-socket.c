/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket is created in a temporary folder (mode 0700) beside its path, where no other user
 * can replace the file while its mode and group are set. link() then gives it its path;
 * unlike rename() it fails when the path exists.
 */
#include "common/listen-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FOLDER_TEMPLATE "/.XXXXXX"
/* Attempts to lock the path's folder, and the time between them. */
#define LOCK_TRIES  100
#define LOCK_GAP_MS 10
/* In the temporary folder: the new socket, and a stale one that was at the path. */
#define NEW_NAME   "s"
#define STALE_NAME "o"
/* Bytes that the template and "/s" add to the path of the path's folder. */
#define FOLDER_ROOM (sizeof(FOLDER_TEMPLATE) - 1 + sizeof("/" NEW_NAME) - 1)

/* The temporary folder, while the socket is created. */
struct temporary {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;
};

/* The path that errors name, and the buffer for the error. */
struct error_buffer {
	const char *path;
	char *error;
	size_t size;
};

static bool fail(const struct error_buffer *to, const char *what, int code)
{
	if (code)
		snprintf(to->error, to->size, "socket %s: %s (%s)", to->path, what, strerror(code));
	else
		snprintf(to->error, to->size, "socket %s: %s", to->path, what);
	return false;
}

size_t listen_socket_path_limit(void)
{
	return sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
}

/* The length of the folder's path in @path, without the slash; *folder is "." for none. */
static size_t split_folder(const char *path, const char **folder)
{
	const char *slash = strrchr(path, '/');

	*folder = slash ? path : ".";
	return slash ? (size_t)(slash - path) : 1;
}

static bool check_length(const struct error_buffer *to)
{
	size_t limit = listen_socket_path_limit(), length = strlen(to->path);
	const char *folder;

	if (length == 0 || length > limit) {
		snprintf(to->error, to->size,
			"socket %.60s%s: the path has %zu bytes, it must have 1 to %zu", to->path,
			length > 60 ? "..." : "", length, limit);
		return false;
	}
	length = split_folder(to->path, &folder);
	if (length + FOLDER_ROOM <= limit)
		return true;
	snprintf(to->error, to->size,
		"socket %s: the path of its folder has %zu bytes, it may have %zu at most",
		to->path, length, limit - FOLDER_ROOM);
	return false;
}

/* Create the temporary folder, and check that it is ours and closed to other users. */
static bool temporary_open(struct temporary *temporary, const struct error_buffer *to)
{
	const char *folder;
	int length = (int)split_folder(to->path, &folder);
	struct stat status;

	snprintf(temporary->path, sizeof(temporary->path), "%.*s" FOLDER_TEMPLATE, length, folder);
	if (!mkdtemp(temporary->path))
		return fail(to, "no file can be created in its folder", errno);
	temporary->fd = open(temporary->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (temporary->fd >= 0 && fstat(temporary->fd, &status) == 0 &&
		status.st_uid == geteuid() && (status.st_mode & 0777) == 0700)
		return true;
	fail(to, "its temporary folder was replaced, or cannot be opened", errno);
	if (temporary->fd >= 0)
		close(temporary->fd);
	rmdir(temporary->path);
	return false;
}

static void temporary_close(struct temporary *temporary)
{
	unlinkat(temporary->fd, NEW_NAME, 0);
	close(temporary->fd);
	rmdir(temporary->path);
}

static struct sockaddr_un address_in(const struct temporary *temporary, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* check_length() has made sure that it fits. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%.*s/%s",
		(int)(sizeof(address.sun_path) - sizeof("/" NEW_NAME)), temporary->path, name);
	return address;
}

/*
 * Whether a process is bound to a socket of any type there. connect() of a datagram socket is
 * refused when no process is bound; otherwise it succeeds or reports the wrong type. It
 * neither waits for a place in the backlog nor appears as a client. When this cannot be
 * determined the result is true, and errno is the reason.
 */
static bool is_bound(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	bool bound;
	int why;

	if (fd < 0)
		return true;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	errno = EPROTOTYPE;
	bound = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		(errno != ECONNREFUSED && errno != ENOENT);
	why = errno;
	close(fd);
	errno = why;
	return bound;
}

static bool fail_in_use(const struct error_buffer *to)
{
	if (errno == EACCES || errno == EMFILE || errno == ENFILE)
		return fail(to, "exists, and whether it is in use cannot be determined", errno);
	return fail(to, "in use by another server", 0);
}

/*
 * The path exists: remove it if it is a stale socket. Another server may replace it between
 * the check and the removal. The file is therefore moved into the temporary folder, where no
 * other user can replace it, checked again, and moved back if it is not stale.
 */
static bool remove_stale(const struct temporary *temporary, const struct error_buffer *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat status;
	bool stale;

	if (lstat(to->path, &status) != 0)
		return errno == ENOENT || fail(to, "cannot be inspected", errno);
	if (!S_ISSOCK(status.st_mode))
		return fail(to, "the file there is not a socket", 0);
	memcpy(address.sun_path, to->path, strlen(to->path));
	if (is_bound(&address))
		return fail_in_use(to);
	if (renameat(AT_FDCWD, to->path, temporary->fd, STALE_NAME) != 0)
		return errno == ENOENT || fail(to, "cannot be replaced", errno);
	address = address_in(temporary, STALE_NAME);
	stale = fstatat(temporary->fd, STALE_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISSOCK(status.st_mode) && !is_bound(&address);
	/* If the path exists again, the file and its temporary folder are left in place. */
	if (stale || linkat(temporary->fd, STALE_NAME, AT_FDCWD, to->path, 0) == 0)
		unlinkat(temporary->fd, STALE_NAME, 0);
	return stale || fail(to, "in use by another server", 0);
}

/*
 * Servers that start at the same time are serialized by a lock on the path's folder. Any
 * process that can read the folder can hold that lock, so after a second this server goes on
 * without it; the only effect is that a live socket may be missing from its path briefly.
 * Return: the descriptor that holds the lock, to be closed; -1 for none.
 */
static int lock_folder(const char *path)
{
	char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const char *folder;
	int length = (int)split_folder(path, &folder);
	int fd;

	snprintf(name, sizeof(name), "%.*s/", length, folder);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			break;
		poll(NULL, 0, LOCK_GAP_MS);
	}
	return fd;
}

/* Link the socket to its path. */
static bool link_to_path(const struct temporary *temporary, const struct error_buffer *to)
{
	for (int tries = 0; tries < 8; tries++) {
		if (linkat(temporary->fd, NEW_NAME, AT_FDCWD, to->path, 0) == 0)
			return true;
		if (errno != EEXIST)
			return fail(to, "cannot be linked to its path", errno);
		if (!remove_stale(temporary, to))
			return false;
	}
	return fail(to, "other servers repeatedly take the path", 0);
}

static bool create(struct listen_socket *listener, const struct temporary *temporary,
	const struct listen_socket_options *options, const struct error_buffer *to)
{
	struct sockaddr_un address = address_in(temporary, NEW_NAME);
	struct stat status;
	bool placed;
	int folder_fd;

	if (bind(listener->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		fstatat(temporary->fd, NEW_NAME, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(to, "cannot be bound", errno);
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	if (options->group != (gid_t)-1 && fchownat(temporary->fd, NEW_NAME, (uid_t)-1,
						   options->group, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(to, "its group cannot be set", errno);
	if (options->mode && fchmodat(temporary->fd, NEW_NAME, options->mode, 0) != 0)
		return fail(to, "its mode cannot be set", errno);
	if (listen(listener->fd, options->backlog) != 0)
		return fail(to, "cannot be listened on", errno);
	folder_fd = lock_folder(to->path);
	placed = link_to_path(temporary, to);
	if (folder_fd >= 0)
		close(folder_fd);
	return placed;
}

int listen_socket_open(struct listen_socket *listener, int fd,
	const struct listen_socket_options *options, char *error, size_t size)
{
	const struct error_buffer to = { options->path, error, size };
	struct temporary temporary;
	bool made = false;

	*listener = (struct listen_socket){ .fd = fd };
	if (check_length(&to) && temporary_open(&temporary, &to)) {
		listener->path = strdup(options->path);
		made = listener->path ? create(listener, &temporary, options, &to) :
					fail(&to, "out of memory", 0);
		temporary_close(&temporary);
	}
	if (!made)
		listen_socket_close(listener);
	return made ? 0 : -1;
}

void listen_socket_close(struct listen_socket *listener)
{
	struct stat status;

	/* While the socket is open its inode number is not reused. */
	if (listener->path && lstat(listener->path, &status) == 0 &&
		status.st_dev == listener->device && status.st_ino == listener->inode)
		unlink(listener->path);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener->path);
	*listener = (struct listen_socket){ .fd = -1 };
}
