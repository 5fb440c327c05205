/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IOKIT_PROCESS_H
#define IOKIT_PROCESS_H

#include <sys/types.h>

/*
 * iou_process_id - getpid() without a system call
 *
 * The number is kept in a page that the kernel clears in a child of fork(), however it was forked.
 */
pid_t iou_process_id(void);

#endif
