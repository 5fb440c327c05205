/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A double of Darwin's kqueue() and kevent(), over poll(). What is believed of Darwin is what
 * tests/unit/test-kqueue.c checks. It knows what the vfio-user server uses: EVFILT_READ and
 * EVFILT_WRITE, EV_ADD and EV_DELETE; anything else ends the process. An event's @data is 0 but for
 * errors. One thread at a time may wait for a queue; descriptors may be closed by any.
 */
#ifndef TESTS_LIB_KQUEUE_H
#define TESTS_LIB_KQUEUE_H

#include "tests/lib/darwin/sys/event.h"

/**
 * kqueue_closing - a descriptor is about to be closed
 *
 * On Darwin close() makes all queues forget it, so whatever closes descriptors here calls this
 * first. tests/lib/kqueue-close.c does for programs that are linked with --wrap=close.
 */
void kqueue_closing(int fd);

/** kqueue_changes - the number of changes that this process has asked for. */
unsigned kqueue_changes(void);

#endif
