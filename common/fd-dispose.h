/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Closing descriptors that another process sent.
 *
 * close() of such a descriptor can wait for as long as its sender likes: a TCP socket with
 * SO_LINGER, a file of a FUSE daemon that does not answer FLUSH, an AF_UNIX socket in whose
 * queue such descriptors lie. So what is not known to close at once is closed by threads of
 * this file's own, which nothing waits for, and stays charged to the peer that sent it until
 * close() has returned.
 *
 * All functions are thread-safe and do not block.
 */
#ifndef COMMON_FD_DISPOSE_H
#define COMMON_FD_DISPOSE_H

#include <stdbool.h>
#include <sys/types.h>

/* Whom descriptors are charged to: the other end of one connection. */
struct fd_peer;

/* Descriptors of one peer, held and waiting together. */
#define FD_PEER_HELD_MAX 256u
/* Of these, waiting for close(). */
#define FD_PEER_WAITING_MAX 64u
/* Threads that close descriptors of one peer, and of all peers of one user. */
#define FD_PEER_THREADS_MAX 2u
#define FD_USER_THREADS_MAX 32u

/**
 * fd_peer_create - begin to count descriptors of a peer
 * @user: the peer's user: all peers of a user together are limited, too
 *
 * Return: the peer, for fd_peer_release(), or NULL when memory is out.
 */
struct fd_peer *fd_peer_create(uid_t user);
/** fd_peer_release - the connection has ended. Descriptors that wait are closed all the same. */
void fd_peer_release(struct fd_peer *peer);

/**
 * fd_peer_charge - @count descriptors have come from the peer
 *
 * To be called as soon as they are received, whether the peer is full or not; each is then to be
 * given to fd_dispose().
 */
void fd_peer_charge(struct fd_peer *peer, unsigned count);
/**
 * fd_peer_is_full - whether a peer has more descriptors here than it may have
 *
 * Return: true when it has more than FD_PEER_HELD_MAX, or its user's peers have more than a
 * quarter of what this process can have open (RLIMIT_NOFILE). What it brings is then to be
 * refused and disposed of.
 */
bool fd_peer_is_full(struct fd_peer *peer);
/**
 * fd_peer_waiting - how many of a peer's descriptors wait for close()
 *
 * A peer past FD_PEER_WAITING_MAX does it on purpose and should be served no longer.
 */
unsigned fd_peer_waiting(struct fd_peer *peer);

/**
 * fd_dispose - close a descriptor, and never wait for it
 * @fd: a descriptor, which is the caller's no more; a negative one is ignored
 * @peer: who sent it and is charged for it; NULL: this process made it, it is closed as by close()
 *
 * Memory files and eventfds (fd_kind()) are closed before it returns. The rest is closed at
 * some later time: when no thread can be had, with the next one of the same user. When memory
 * is out it stays open, charged to the peer.
 */
void fd_dispose(int fd, struct fd_peer *peer);

/**
 * fd_close_known - close a descriptor of which the caller knows that close() does not wait
 * @fd: a descriptor, which is the caller's no more
 * @peer: who sent it and is charged for it, or NULL
 */
void fd_close_known(int fd, struct fd_peer *peer);

#endif
