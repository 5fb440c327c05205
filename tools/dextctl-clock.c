/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-clock.h"

#include <stdio.h>

uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

void clock_format(uint64_t moment, unsigned decimals, char text[CLOCK_TEXT_SIZE])
{
	time_t seconds = (time_t)(moment / CLOCK_SECOND);
	char nanoseconds[16];
	struct tm parts;
	size_t used;

	localtime_r(&seconds, &parts);
	used = strftime(text, CLOCK_TEXT_SIZE, "%H:%M:%S", &parts);
	snprintf(nanoseconds, sizeof(nanoseconds), "%09u", (unsigned)(moment % CLOCK_SECOND));
	if (decimals)
		snprintf(text + used, CLOCK_TEXT_SIZE - used, ".%.*s",
			(int)(decimals > 9 ? 9 : decimals), nanoseconds);
}

void clock_format_duration(uint64_t duration, char text[CLOCK_DURATION_SIZE])
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {{CLOCK_SECOND, "s"}, {1000000, "ms"}, {1000, "us"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint64_t unit = units[i].unit;

		if (duration < unit)
			continue;
		snprintf(text, CLOCK_DURATION_SIZE, "%llu.%u%s",
			(unsigned long long)(duration / unit),
			(unsigned)(duration % unit / (unit / 10)), units[i].name);
		return;
	}
	snprintf(text, CLOCK_DURATION_SIZE, "%uns", (unsigned)duration);
}
