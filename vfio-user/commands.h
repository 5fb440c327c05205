/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of commands. */
#ifndef VFIO_USER_COMMANDS_H
#define VFIO_USER_COMMANDS_H

#include "vfio-user/session.h"

struct vu_command_row {
	const char *name;			    /* NULL: no such command */
	int (*handler)(struct vu_session *session); /* NULL: refused with ENOTSUP */
	uint32_t payload_min;
	uint32_t fds_max;
	bool has_argsz;	   /* the payload's first 32 bits; refused if less than the payload */
	bool needs_device; /* refused with ENODEV while the device is not there */
};

/** vu_command_find - the row of a command; NULL when the protocol has none of that number. */
const struct vu_command_row *vu_command_find(uint16_t command);

#endif
