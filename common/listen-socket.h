/* SPDX-License-Identifier: BSD-3-Clause */
/* A listening AF_UNIX socket with a name in the file system. */
#ifndef COMMON_LISTEN_SOCKET_H
#define COMMON_LISTEN_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

struct listen_socket {
	int fd; /* -1: there is none */
	char *path;
	dev_t device; /* of the file that bind() made, */
	ino_t inode;  /* so that nobody else's is removed */
};

struct listen_socket_options {
	const char *path;
	int backlog;
	mode_t mode; /* of the file; 0: 0777 without the bits of the umask */
	gid_t group; /* of the file; (gid_t)-1: the file system decides */
};

/** listen_socket_path_limit - the largest number of bytes in a socket's path, without the NUL. */
size_t listen_socket_path_limit(void);

/**
 * listen_socket_open - bind a socket to a path and listen
 * @socket: set to the socket for listen_socket_close(); after a failure its fd is -1
 * @fd: a fresh AF_UNIX socket of any type that listens; @socket owns it, also after a failure
 * @error: gets one line without a newline when it fails
 * @size: of @error
 *
 * The file appears at the path when the socket listens and mode and group are set, not
 * before. A socket to which no process is bound is replaced. Any other file, and a socket
 * of any type to which a process is bound, is left alone, also when it appears at the last
 * moment. The kernel's list of sockets shows the path of a temporary folder beside it.
 *
 * The path may have listen_socket_path_limit() bytes, that of its folder ten fewer.
 *
 * Return: 0, or -1.
 */
int listen_socket_open(struct listen_socket *socket, int fd,
	const struct listen_socket_options *options, char *error, size_t size);

/**
 * listen_socket_close - remove the file, unless the path names another one by now, and
 * close the socket
 *
 * A socket that was never opened must have the fd -1.
 */
void listen_socket_close(struct listen_socket *socket);

#endif
