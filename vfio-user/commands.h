/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of the protocol: one table, and the functions it names. */
#ifndef VFIO_USER_COMMANDS_H
#define VFIO_USER_COMMANDS_H

#include "vfio-user/session.h"

struct vu_command {
	const char *name;			    /* NULL: no such command */
	int (*handler)(struct vu_session *session); /* NULL: refused with ENOTSUP */
	uint32_t payload_min;
	uint32_t fds_max;
	bool has_argsz;	   /* the payload begins with argsz, which must cover the payload */
	bool needs_device; /* refused with ENODEV unless the device is present */
};

/** vu_command_find - a command's row; NULL for a number that the protocol does not define. */
const struct vu_command *vu_command_find(uint16_t number);

/**
 * vu_command_execute - check and execute session->message
 *
 * Sets @reply, @reply_size and @reply_fd of the session. Handlers may take descriptors out of
 * the message; the caller disposes of the others.
 *
 * Return: the errno for the reply, or 0.
 */
int vu_command_execute(struct vu_session *session);

/*
 * Handlers, called by vu_command_execute() with a message of the size and the number of
 * descriptors that the table allows. Return: an errno or 0.
 */
int vu_command_version(struct vu_session *session);
int vu_command_region_info(struct vu_session *session);
int vu_command_region_io_fds(struct vu_session *session);
int vu_command_region_read(struct vu_session *session);
int vu_command_region_write(struct vu_session *session);
int vu_command_region_write_multi(struct vu_session *session);
int vu_command_irq_info(struct vu_session *session);
int vu_command_set_irqs(struct vu_session *session);

/* Sets the reply's payload. */
void vu_command_reply(struct vu_session *session, const void *payload, size_t size);

#endif
