/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of one client's connection, from VERSION to its end.
 *
 * Threads: the server's alone.
 */
#ifndef VFIO_USER_SESSION_H
#define VFIO_USER_SESSION_H

#include "vfio-user/bar.h"
#include "vfio-user/config-view.h"
#include "vfio-user/dma.h"
#include "vfio-user/message.h"

/* Negotiated with VERSION. */
struct vu_limits {
	uint32_t client_fds;  /* max_msg_fds of the client */
	uint64_t client_data; /* max_data_xfer_size of the client, in bytes */
	uint32_t maps;	      /* max_dma_maps */
	uint64_t page_sizes;  /* pgsizes: a bit mask; DMA ranges are multiples of the smallest */
	bool write_multiple;
};

struct vu_session {
	struct vu_device *device;
	struct vu_channel channel;
	struct fd_peer *peer; /* accounts for the client's descriptors */
	bool negotiated;      /* VERSION succeeded: everything below is initialised */
	struct vu_limits limits;
	struct vu_config_view view;
	struct vu_bar_space bars;
	struct vu_dma dma;
	bool event_refused; /* a descriptor was no event, which is logged once */
	unsigned ticks_unnegotiated;
	unsigned ticks_removed;	   /* since the device was removed */
	struct vu_message message; /* the command being executed */
	unsigned char *reply;	   /* VU_PAYLOAD_MAX bytes */
	size_t reply_size;	   /* set by the command's handler; 0 before */
	int reply_fd;		   /* sent with the reply, borrowed; -1: none */
};

/** vu_session_create - a client's state, not negotiated. Return: NULL without memory. */
struct vu_session *vu_session_create(struct vu_device *device, const struct vu_channel *channel);

/**
 * vu_session_destroy - end the session and free it; NULL is fine
 *
 * The device has been reset afterwards, with bus mastering disabled, and no memory, eventfd or
 * shared BAR of the client is in use.
 */
void vu_session_destroy(struct vu_session *session);

/** vu_session_begin - set up the device for the client, with @limits. Return: an errno or 0. */
int vu_session_begin(struct vu_session *session, const struct vu_limits *limits);

/** vu_session_reset_device - reset the device for the client. Return: an errno or 0. */
int vu_session_reset_device(struct vu_session *session);

/**
 * vu_session_tick - check the device, once a second
 * @context: the session
 *
 * Reconnects to a driver service that has restarted. When the device was removed, asks the VMM
 * to unplug it by the request interrupt.
 *
 * Return: false when the client has not sent VERSION in time.
 */
bool vu_session_tick(void *context);

#endif
