/* SPDX-License-Identifier: BSD-3-Clause */
/* The kind of file behind a descriptor from another process, determined without blocking. */
#ifndef COMMON_FD_KIND_H
#define COMMON_FD_KIND_H

enum fd_kind {
	/*
	 * Anything else. Its close(), read(), fstat() or page faults may block on a server, a
	 * FUSE daemon or a network peer, without limit.
	 */
	FD_KIND_OTHER,
	FD_KIND_MEMORY,	    /* a memfd, or a file of tmpfs or hugetlbfs */
	FD_KIND_LOCAL_FILE, /* a regular file of a file system on a local disk */
	/* A regular file of any other file system. It may block, like FD_KIND_OTHER. */
	FD_KIND_FOREIGN_FILE,
	FD_KIND_EVENT, /* an eventfd */
};

/**
 * fd_kind - the kind of a descriptor
 *
 * On Linux it never blocks. A file system is local if it is mounted in this process's mount
 * namespace and its type is in the list of fd-kind-linux.c. Files of FUSE, network file
 * systems and overlayfs are FD_KIND_FOREIGN_FILE.
 *
 * Elsewhere (fd-kind-posix.c) a regular file or a POSIX shared memory object is
 * FD_KIND_LOCAL_FILE on any file system; all else is FD_KIND_OTHER.
 *
 * Thread-safe. Changes no property of the descriptor.
 *
 * Return: the kind; FD_KIND_OTHER also for a descriptor that is not open.
 */
enum fd_kind fd_kind(int fd);

#endif
