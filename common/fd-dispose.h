/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Closing descriptors that another process sent.
 *
 * close() of such a descriptor can block for as long as its sender wants: a TCP socket with
 * SO_LINGER, a file of a FUSE daemon that does not answer FLUSH, an AF_UNIX socket whose
 * queue contains such descriptors. Descriptors whose close() may block are therefore closed
 * by detached threads, and stay charged to the peer that sent them until close() returns.
 *
 * All functions are thread-safe and do not block.
 */
#ifndef COMMON_FD_DISPOSE_H
#define COMMON_FD_DISPOSE_H

#include <stdbool.h>
#include <sys/types.h>

/* The other end of one connection, to which descriptors are charged. */
struct fd_peer;

/* Descriptors of one peer that are not closed yet. */
#define FD_PEER_HELD_MAX 256u
/* Of these, disposed of and waiting for close(). */
#define FD_PEER_WAITING_MAX 64u
/* Threads that close descriptors of one peer, and of all peers of one user. */
#define FD_PEER_THREADS_MAX 2u
#define FD_USER_THREADS_MAX 32u

/**
 * fd_peer_create - allocate the account of a peer
 * @user: the peer's user; all peers of a user share a further limit
 *
 * Return: the peer, to be released by fd_peer_release(); NULL without memory.
 */
struct fd_peer *fd_peer_create(uid_t user);
/** fd_peer_release - the connection has ended. Descriptors that wait are still closed. */
void fd_peer_release(struct fd_peer *peer);

/**
 * fd_peer_charge - account for @count descriptors received from the peer
 *
 * Must be called when they are received, whether the peer is full or not. Each must later be
 * passed to fd_dispose() or fd_close_known().
 */
void fd_peer_charge(struct fd_peer *peer, unsigned count);
/**
 * fd_peer_is_full - whether a peer exceeds its limit of descriptors
 *
 * Return: true when it has more than FD_PEER_HELD_MAX, or its user's peers have more than a
 * quarter of RLIMIT_NOFILE. The caller should refuse and dispose of further descriptors.
 */
bool fd_peer_is_full(struct fd_peer *peer);
/**
 * fd_peer_waiting - number of a peer's descriptors that wait for close()
 *
 * A peer that exceeds FD_PEER_WAITING_MAX should be disconnected.
 */
unsigned fd_peer_waiting(struct fd_peer *peer);

/**
 * fd_dispose - close a descriptor without blocking
 * @fd: the descriptor; ownership passes to this function; negative values are ignored
 * @peer: the peer that is charged for it; NULL: this process created it, plain close()
 *
 * Memory files and eventfds (fd_kind()) are closed before it returns. Others are closed by a
 * thread later; when no thread can be created, together with the next descriptor of the same
 * user. Without memory the descriptor stays open, charged to the peer.
 */
void fd_dispose(int fd, struct fd_peer *peer);

/**
 * fd_close_known - close a descriptor whose close() is known not to block
 * @fd: the descriptor; ownership passes to this function
 * @peer: the peer that is charged for it, or NULL
 */
void fd_close_known(int fd, struct fd_peer *peer);

#endif
