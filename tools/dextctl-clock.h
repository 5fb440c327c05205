/* SPDX-License-Identifier: BSD-3-Clause */
/* Moments and durations, in nanoseconds, and how they are shown. */
#ifndef TOOLS_DEXTCTL_CLOCK_H
#define TOOLS_DEXTCTL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND UINT64_C(1000000000)

/** clock_now - nanoseconds of CLOCK_MONOTONIC or CLOCK_REALTIME. */
uint64_t clock_now(clockid_t clock);

#define CLOCK_TEXT_SIZE sizeof("23:59:59.999999999")

/** clock_format - local time of day of a moment of CLOCK_REALTIME, with 0 to 9 decimals. */
void clock_format(uint64_t moment, unsigned decimals, char text[CLOCK_TEXT_SIZE]);

#define CLOCK_DURATION_SIZE 48

/** clock_format_duration - "850ns", "12.3us", "4.5ms", "2.0s". */
void clock_format_duration(uint64_t duration, char text[CLOCK_DURATION_SIZE]);

#endif
