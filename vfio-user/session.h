/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One client, from its first message to its last. It begins by agreeing on the
 * version; anything else before that ends it. A command that is refused is
 * answered with an error and changes nothing; a stream that cannot be followed
 * any more ends the session.
 *
 * While the device is away, what needs it is answered with ENODEV, and the rest is
 * carried out: the client goes on sharing memory and connecting eventfds, and when the
 * device is back it gets all of that. A device that has gone for good is asked back
 * from the VMM by the request interrupt.
 *
 * Threads: the server's alone.
 */
#ifndef VFIO_USER_SESSION_H
#define VFIO_USER_SESSION_H

#include "vfio-user/bar.h"
#include "vfio-user/config-view.h"
#include "vfio-user/dma.h"
#include "vfio-user/loop.h"
#include "vfio-user/message.h"

/* What the client said of itself, and what was agreed on. */
struct vu_limits {
	uint32_t client_fds;  /* descriptors it takes with one message of ours */
	uint64_t client_data; /* bytes of data it takes in one */
	uint32_t maps;	      /* DMA ranges at a time */
	uint64_t page_sizes;  /* of DMA ranges, or'ed; the smallest is what counts */
	bool write_multiple;
};

struct vu_session {
	struct vu_device *device;
	struct vu_channel channel;
	bool agreed; /* on the version; the device is the client's */
	struct vu_limits limits;
	struct vu_config_view view;
	struct vu_bar_space bars;
	struct vu_dma dma;
	unsigned ticks_silent;	   /* without an agreement */
	unsigned ticks_gone;	   /* since the device went */
	struct fd_peer *peer;	   /* who pays for the client's descriptors */
	struct vu_message message; /* the one being carried out */
	unsigned char *reply;	   /* room for VU_PAYLOAD_MAX bytes */
	size_t reply_size;	   /* set by the handler; 0 before */
	int reply_fd;		   /* to go with it, borrowed; -1 before */
};

/**
 * vu_session_run - serve a client until it goes, or the server is to stop
 * @fd: its socket; stays the caller's
 * @loop: where to wait
 *
 * At the return the client has no memory, no eventfd and no interrupt left
 * here, and its device has been reset and masters the bus no more.
 */
void vu_session_run(struct vu_device *device, int fd, struct vu_loop *loop);

/** vu_session_begin - make the device the client's, now that they agree. Return: an errno or 0. */
int vu_session_begin(struct vu_session *session);

/** vu_session_reset - reset the device at the client's wish. Return: an errno or 0. */
int vu_session_reset(struct vu_session *session);

/*
 * Handlers: carry out session->message, leave a payload in session->reply.
 * They may take descriptors out of the message. Return: an errno or 0.
 */
int vu_version(struct vu_session *session);
int vu_dma_map_command(struct vu_session *session);
int vu_dma_unmap_command(struct vu_session *session);
int vu_get_device_info(struct vu_session *session);
int vu_get_region_info(struct vu_session *session);
int vu_get_region_io_fds(struct vu_session *session);
int vu_device_feature(struct vu_session *session);
int vu_get_irq_info(struct vu_session *session);
int vu_set_irqs(struct vu_session *session);
int vu_region_read(struct vu_session *session);
int vu_region_write(struct vu_session *session);
int vu_region_write_multi(struct vu_session *session);

/** vu_region_size - how many bytes a region has; 0 when it is not there. */
uint64_t vu_region_size(const struct vu_device *device, uint32_t index);

#endif
