/* SPDX-License-Identifier: BSD-3-Clause */
/* A listening socket with a name in the file system. */
#ifndef VFIO_USER_SOCKET_H
#define VFIO_USER_SOCKET_H

#include <sys/types.h>

struct vu_socket {
	int fd;
	char *path;
	dev_t device;	/* of the file that bind() made, */
	ino_t inode;	/* so that nobody else's is removed */
};

/**
 * vu_socket_listen - make the socket and listen
 * @error: VU_ERROR_SIZE bytes; gets one line when it fails
 *
 * Return: 0, or -1.
 */
int vu_socket_listen(struct vu_socket *listener, const char *path, char *error);
/** vu_socket_close - stop listening and remove the file. */
void vu_socket_close(struct vu_socket *listener);

#endif
