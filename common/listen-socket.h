/* SPDX-License-Identifier: BSD-3-Clause */
/* A listening AF_UNIX socket with a name in the file system. */
#ifndef COMMON_LISTEN_SOCKET_H
#define COMMON_LISTEN_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

struct listen_socket {
	int fd; /* -1: none */
	char *path;
	dev_t device; /* device and inode of the file that bind() created: */
	ino_t inode;  /* a file of another server is not removed */
};

struct listen_socket_options {
	const char *path;
	int backlog;
	mode_t mode; /* of the file; 0: 0777 & ~umask */
	gid_t group; /* of the file; (gid_t)-1: the file system decides */
};

/** listen_socket_path_limit - the largest number of bytes in a socket's path, without the NUL. */
size_t listen_socket_path_limit(void);

/**
 * listen_socket_open - bind a socket to a path and listen
 * @socket: set to the socket for listen_socket_close(); after a failure its fd is -1
 * @fd: a new AF_UNIX socket of any type that can listen; ownership passes to @socket, also on
 *	failure
 * @error: set to one line without a newline on failure
 * @size: of @error
 *
 * The file appears at the path only after the socket listens and mode and group are set. A
 * stale socket, to which no process is bound, is replaced. Any other file, and a socket of
 * any type to which a process is bound, is never removed, even if it appears during this
 * call. The kernel's list of sockets shows the path in a temporary folder instead.
 *
 * The path may have listen_socket_path_limit() bytes, that of its folder ten fewer.
 *
 * Return: 0, or -1.
 */
int listen_socket_open(struct listen_socket *socket, int fd,
	const struct listen_socket_options *options, char *error, size_t size);

/**
 * listen_socket_close - remove the file and close the socket
 *
 * The file is left alone if it is not the one that listen_socket_open() created. A socket
 * that was never opened must have the fd -1.
 */
void listen_socket_close(struct listen_socket *socket);

#endif
