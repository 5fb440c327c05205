/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What POSIX does not offer, or not without a race. One file for each host
 * implements it, and one does for hosts that have nothing better (meson's option
 * events); nothing else in this folder is a host's own.
 */
#ifndef VFIO_USER_PLATFORM_H
#define VFIO_USER_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/** vu_platform_socket - a listening-to-be AF_UNIX stream socket, closed on exec. -1 with errno. */
int vu_platform_socket(void);

/** vu_platform_pipe - a pipe whose ends do not block and are closed on exec. -1 with errno. */
int vu_platform_pipe(int ends[2]);

/** vu_platform_accept - accept(), the new descriptor closed on exec. -1 with errno. */
int vu_platform_accept(int fd);

/** vu_platform_prepare - what a client's socket needs before the two below. False: no use. */
bool vu_platform_prepare(int fd);

/** vu_platform_receive - recvmsg() that does not wait; received descriptors are closed on exec. */
ssize_t vu_platform_receive(int fd, struct msghdr *message);

/**
 * vu_platform_fds_come_first - where the data of one recvmsg() begins and ends
 *
 * True: it begins with the data that its descriptors came with. False: it ends with that data.
 */
extern const bool vu_platform_fds_come_first;

/** vu_platform_send - sendmsg() that neither waits nor raises SIGPIPE. */
ssize_t vu_platform_send(int fd, const struct msghdr *message);

/** vu_platform_peer_user - the user at the other end of a socket; (uid_t)-1 when unknown. */
uid_t vu_platform_peer_user(int fd);

/**
 * vu_platform_prepare_events - get what the functions below need, once for the process
 *
 * Any thread, any number of times; before the sandbox is entered. What it gets is kept.
 *
 * Return: 0 or an errno.
 */
int vu_platform_prepare_events(void);

/* What the server does with an event. */
enum vu_event_use {
	VU_EVENT_SIGNAL, /* vu_platform_signal_event() */
	VU_EVENT_TAKE,	 /* vu_platform_take_event() */
};

/**
 * vu_platform_event_problem - why a descriptor cannot be used as an event
 *
 * Does not wait, whatever is behind the descriptor. Only events are written to and read
 * from, and are closed without further thought: no file system and no protocol is behind
 * them that could wait.
 *
 * Return: NULL when it can be; else what it is and what was expected, for a message to the user.
 */
const char *vu_platform_event_problem(int fd, enum vu_event_use use);

/**
 * vu_platform_signal_event - signal an event
 *
 * Never waits: a counter that is full stays as it is, which its reader cannot tell from
 * one signal more. Any thread; locks may be held.
 */
void vu_platform_signal_event(int fd);

/**
 * vu_platform_take_event - take an event's signals without waiting
 *
 * Return: 1 when there were any, 0 when there were none, -1 when it is no use
 * to ask again.
 */
int vu_platform_take_event(int fd);

#endif
