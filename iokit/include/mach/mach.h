/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of <mach/mach.h> that clients of IOKit's user clients need. */
#ifndef MACH_MACH_H
#define MACH_MACH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int kern_return_t;
typedef unsigned int mach_port_t;
typedef mach_port_t task_port_t;
typedef uint64_t mach_vm_address_t;
typedef uint64_t mach_vm_size_t;

#define KERN_SUCCESS   0
#define MACH_PORT_NULL ((mach_port_t)0)

/* The receiver of a message has gone: before the message was sent, or before it replied. */
#define MACH_SEND_INVALID_DEST 0x10000003
#define MIG_SERVER_DIED	       (-308)

/**
 * mach_task_self - the name of the calling task
 *
 * The runtime knows one task alone, the calling one; no other name is accepted
 * where a task port is asked for.
 */
mach_port_t mach_task_self(void);

#ifdef __cplusplus
}
#endif
#endif
