/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket is made in a folder of its own (mode 0700) beside its path: there nobody else
 * can exchange the file while its mode and group are set. A link then puts it into its
 * place, which fails where anything is, as rename() would not.
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
/* How often, and how far apart, the lock of the folder around it is asked for. */
#define LOCK_TRIES  100
#define LOCK_GAP_MS 10
/* In the folder: the socket, and a stale one that was at the path. */
#define NEW_NAME   "s"
#define STALE_NAME "o"
/* What a folder adds to the path of the one around it: the template, "/s". */
#define FOLDER_ROOM (sizeof(FOLDER_TEMPLATE) - 1 + sizeof("/" NEW_NAME) - 1)

/* The folder, while the socket is being made. */
struct workshop {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;
};

/* Where to say what is wrong. */
struct complaint {
	const char *path;
	char *error;
	size_t size;
};

static bool fail(const struct complaint *to, const char *what, int code)
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

static bool check_length(const struct complaint *to)
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

/* Make the folder. What has been opened is ours, and nobody else may enter it. */
static bool workshop_open(struct workshop *workshop, const struct complaint *to)
{
	const char *folder;
	int length = (int)split_folder(to->path, &folder);
	struct stat status;

	snprintf(workshop->path, sizeof(workshop->path), "%.*s" FOLDER_TEMPLATE, length, folder);
	if (!mkdtemp(workshop->path))
		return fail(to, "no file can be made in its folder", errno);
	workshop->fd = open(workshop->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (workshop->fd >= 0 && fstat(workshop->fd, &status) == 0 && status.st_uid == geteuid() &&
		(status.st_mode & 0777) == 0700)
		return true;
	fail(to, "its temporary folder was exchanged, or cannot be opened", errno);
	if (workshop->fd >= 0)
		close(workshop->fd);
	rmdir(workshop->path);
	return false;
}

static void workshop_close(struct workshop *workshop)
{
	unlinkat(workshop->fd, NEW_NAME, 0);
	close(workshop->fd);
	rmdir(workshop->path);
}

static struct sockaddr_un address_in(const struct workshop *workshop, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* There is room: check_length(). */
	snprintf(address.sun_path, sizeof(address.sun_path), "%.*s/%s",
		(int)(sizeof(address.sun_path) - sizeof("/" NEW_NAME)), workshop->path, name);
	return address;
}

/*
 * Whether a process is bound to a socket of any type there. A datagram socket asks: what
 * it asks for is refused when nobody is bound, and otherwise succeeds or is of the wrong
 * type, so that it neither waits for room in a backlog nor makes a client of itself.
 * Where that cannot be found out, somebody is; errno says why it cannot.
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

static bool leave_alone(const struct complaint *to)
{
	if (errno == EACCES || errno == EMFILE || errno == ENFILE)
		return fail(to, "there is one that cannot be asked whether it is in use", errno);
	return fail(to, "in use by another server", 0);
}

/*
 * Something is at the path: remove it if it is a stale socket. Between looking and
 * removing somebody may have put a live one there. So the file is moved into the folder,
 * where nobody exchanges it, looked at again, and put back if it is not stale.
 */
static bool remove_stale(const struct workshop *workshop, const struct complaint *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat status;
	bool stale;

	if (lstat(to->path, &status) != 0)
		return errno == ENOENT || fail(to, "cannot be looked at", errno);
	if (!S_ISSOCK(status.st_mode))
		return fail(to, "there is a file that is no socket", 0);
	memcpy(address.sun_path, to->path, strlen(to->path));
	if (is_bound(&address))
		return leave_alone(to);
	if (renameat(AT_FDCWD, to->path, workshop->fd, STALE_NAME) != 0)
		return errno == ENOENT || fail(to, "cannot be replaced", errno);
	address = address_in(workshop, STALE_NAME);
	stale = fstatat(workshop->fd, STALE_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISSOCK(status.st_mode) && !is_bound(&address);
	/* Where the path is taken again the file stays in the folder, which then stays too. */
	if (stale || linkat(workshop->fd, STALE_NAME, AT_FDCWD, to->path, 0) == 0)
		unlinkat(workshop->fd, STALE_NAME, 0);
	return stale || fail(to, "in use by another server", 0);
}

/*
 * Servers that start at once take turns, by a lock on the folder around the path. Anybody
 * who can read the folder can hold that lock, so it is not waited for longer than a second:
 * then a live socket of another server could be out of its place for a moment, no more.
 * Return: the descriptor that holds the lock, to be closed; -1 for none.
 */
static int take_turns(const char *path)
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

/* Give the finished socket its name. */
static bool put_into_place(const struct workshop *workshop, const struct complaint *to)
{
	for (int tries = 0; tries < 8; tries++) {
		if (linkat(workshop->fd, NEW_NAME, AT_FDCWD, to->path, 0) == 0)
			return true;
		if (errno != EEXIST)
			return fail(to, "cannot be given its name", errno);
		if (!remove_stale(workshop, to))
			return false;
	}
	return fail(to, "other servers keep taking the path", 0);
}

static bool make(struct listen_socket *listener, const struct workshop *workshop,
	const struct listen_socket_options *options, const struct complaint *to)
{
	struct sockaddr_un address = address_in(workshop, NEW_NAME);
	struct stat status;
	bool placed;
	int turn;

	if (bind(listener->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		fstatat(workshop->fd, NEW_NAME, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(to, "cannot be bound", errno);
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	if (options->group != (gid_t)-1 && fchownat(workshop->fd, NEW_NAME, (uid_t)-1,
						   options->group, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(to, "cannot be given its group", errno);
	if (options->mode && fchmodat(workshop->fd, NEW_NAME, options->mode, 0) != 0)
		return fail(to, "cannot be given its mode", errno);
	if (listen(listener->fd, options->backlog) != 0)
		return fail(to, "cannot be listened on", errno);
	turn = take_turns(to->path);
	placed = put_into_place(workshop, to);
	if (turn >= 0)
		close(turn);
	return placed;
}

int listen_socket_open(struct listen_socket *listener, int fd,
	const struct listen_socket_options *options, char *error, size_t size)
{
	const struct complaint to = { options->path, error, size };
	struct workshop workshop;
	bool made = false;

	*listener = (struct listen_socket){ .fd = fd };
	if (check_length(&to) && workshop_open(&workshop, &to)) {
		listener->path = strdup(options->path);
		made = listener->path ? make(listener, &workshop, options, &to) :
					fail(&to, "out of memory", 0);
		workshop_close(&workshop);
	}
	if (!made)
		listen_socket_close(listener);
	return made ? 0 : -1;
}

void listen_socket_close(struct listen_socket *listener)
{
	struct stat status;

	/* While it listens no other server replaces the file, nor is the inode used anew. */
	if (listener->path && lstat(listener->path, &status) == 0 &&
		status.st_dev == listener->device && status.st_ino == listener->inode)
		unlink(listener->path);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener->path);
	*listener = (struct listen_socket){ .fd = -1 };
}
