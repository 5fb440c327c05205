/* SPDX-License-Identifier: BSD-3-Clause */
/* Signalling eventfds of other processes, which may fill them, on Linux. */
#ifndef COMMON_EVENTFD_SIGNAL_H
#define COMMON_EVENTFD_SIGNAL_H

/**
 * eventfd_signal_prepare - get what eventfd_signal() needs, once for the process
 *
 * Any thread, any number of times; before a sandbox is entered. What it gets is kept.
 *
 * Return: 0 or an errno.
 */
int eventfd_signal_prepare(void);

/**
 * eventfd_signal - signal an eventfd
 * @fd: an eventfd (fd_kind())
 *
 * Never waits: a counter that is full stays as it is, which its reader cannot tell from one signal
 * more. Any thread, after eventfd_signal_prepare() has returned 0; locks may be held.
 */
void eventfd_signal(int fd);

#endif
