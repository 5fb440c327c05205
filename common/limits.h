/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

/**
 * limits_set - set the resource limits of a service
 *
 * The soft limit of open descriptors (RLIMIT_NOFILE) is raised to the hard limit. The number
 * of malloc arenas is limited, since short-lived threads would each leave one behind. Limits
 * that cannot be set are left unchanged.
 *
 * For main(), before threads are created.
 */
void limits_set(void);

#endif
