/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that go on until somebody ends them: Ctrl-C, SIGTERM, or they themselves. */
#ifndef TOOLS_DEXTCTL_WAIT_H
#define TOOLS_DEXTCTL_WAIT_H

#include "tools/dextctl.h"

/* How often the driver is asked whether it is still there: nothing announces that it went. */
#define CTL_ALIVE_MS 1000

/**
 * ctl_catch_signals - from now on SIGINT and SIGTERM end ctl_wait(); once, for a second
 * one ends the program, wherever it is stuck
 *
 * Return: true; false when it has said why not.
 */
bool ctl_catch_signals(void);

/** ctl_wake - end ctl_wait(), from any thread or from a signal handler. */
void ctl_wake(void);

/**
 * ctl_wait - wait up to @ms
 *
 * Return: true when it is time to end, now and ever after.
 */
bool ctl_wait(int ms);

/** ctl_alive - kIOReturnSuccess, or what has become of the driver or the device. */
kern_return_t ctl_alive(const struct ctl_device *device);

#endif
