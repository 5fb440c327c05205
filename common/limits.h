/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

/**
 * limits_set - set the limits of this process as a service needs them
 *
 * The soft limit of open descriptors becomes the hard one (RLIMIT_NOFILE), so that it is not
 * what clients run into. The allocator's arenas are limited, so that threads that live for
 * one close() do not each leave an arena behind. What cannot be set stays as it is.
 *
 * For main(), before threads are created.
 */
void limits_set(void);

#endif
