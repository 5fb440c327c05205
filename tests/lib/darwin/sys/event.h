/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The part of Darwin's <sys/event.h> that the vfio-user server uses, for hosts without one: its
 * numbers and its layout, so that Mach-O files can call the double (tests/lib/kqueue.c) too.
 */
#ifndef TESTS_LIB_DARWIN_SYS_EVENT_H
#define TESTS_LIB_DARWIN_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
	uintptr_t ident;
	int16_t filter;
	uint16_t flags;
	uint32_t fflags;
	intptr_t data;
	void *udata;
};
_Static_assert(sizeof(struct kevent) == 32, "as on 64-bit Darwin");

/* Filters */
#define EVFILT_READ  (-1)
#define EVFILT_WRITE (-2)

/* Flags of a change */
#define EV_ADD	  0x0001
#define EV_DELETE 0x0002
/* Flags of an event */
#define EV_ERROR 0x4000
#define EV_EOF	 0x8000

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                             \
	(*(event) = (struct kevent){ .ident = (ident_),                                            \
		 .filter = (filter_),                                                              \
		 .flags = (flags_),                                                                \
		 .fflags = (fflags_),                                                              \
		 .data = (data_),                                                                  \
		 .udata = (udata_) })

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout);

#endif
