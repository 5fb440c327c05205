/* SPDX-License-Identifier: BSD-3-Clause */
/* How addresses, moments, durations, processes and the limits of an IOMMU are shown. */
#include "tools/cli.h"
#include "tools/dextctl/format.h"
#include "tools/dextctl/json.h"

#include <ctype.h>
#include <dext-abi.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *format_address(
	const char *root, const AppleDextIdentity *identity, char text[PCI_ADDRESS_SIZE])
{
	struct pci_address address = { identity->bus, identity->device, identity->function, "" };

	memcpy(address.root, root, strnlen(root, DEXT_ROOT_MAX - 1));
	return pci_address_format(&address, text);
}

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
	} units[] = { { CLOCK_SECOND, "s" }, { 1000000, "ms" }, { 1000, "us" } };

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

const char *process_name(int32_t pid, char text[PROCESS_NAME_SIZE])
{
	char path[sizeof("/proc//comm") + PROCESS_ID_SIZE];
	const char *read;
	FILE *file;

	if (pid <= 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	read = fgets(text, PROCESS_NAME_SIZE, file);
	fclose(file);
	if (!read)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	/* A process names itself as it likes: no control characters for the terminal. */
	for (char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	return text;
}

const char *process_id(int32_t pid, char text[PROCESS_ID_SIZE])
{
	if (pid)
		snprintf(text, PROCESS_ID_SIZE, "%d", pid);
	else
		snprintf(text, PROCESS_ID_SIZE, "-");
	return text;
}

#define NO_LIMIT UINT64_MAX

const char *limits_kind(const AppleDextDMALimits *limits)
{
	static const char *const names[] = {
		[DEXT_IOMMU_IDENTITY] = "identity",
		[DEXT_IOMMU_DART] = "dart",
	};

	return limits->kind < sizeof(names) / sizeof(names[0]) ? names[limits->kind] : "unknown";
}

bool limits_exist(const AppleDextDMALimits *limits)
{
	return limits->bytes != NO_LIMIT || limits->maps != NO_LIMIT;
}

const char *limits_use(const AppleDextDMALimits *limits, char text[LIMITS_TEXT_SIZE])
{
	char used[CLI_SIZE_SIZE], bytes[CLI_SIZE_SIZE + 4] = "", maps[32] = "";

	cli_format_size(limits->bytes_used, used);
	if (limits->bytes != NO_LIMIT) {
		char size[CLI_SIZE_SIZE];

		cli_format_size(limits->bytes, size);
		snprintf(bytes, sizeof(bytes), " of %s", size);
	}
	if (limits->maps != NO_LIMIT)
		snprintf(maps, sizeof(maps), " of %" PRIu64, limits->maps);
	snprintf(text, LIMITS_TEXT_SIZE, "%s%s, %" PRIu64 "%s mapping%s", used, bytes,
		limits->maps_used, maps,
		(limits->maps == NO_LIMIT ? limits->maps_used : limits->maps) == 1 ? "" : "s");
	return text;
}

static void put_limit(struct json_object *object, const char *key, uint64_t limit)
{
	if (limit == NO_LIMIT)
		json_put_null(object, key);
	else
		json_put_number(object, key, limit);
}

void limits_put(struct json_object *object, const AppleDextDMALimits *limits)
{
	struct json_object *value;

	if (!limits) {
		json_put_null(object, "limits");
		return;
	}
	value = json_put_object(object, "limits");
	json_put_text(value, "iommu", limits_kind(limits));
	put_limit(value, "bytes", limits->bytes);
	put_limit(value, "maps", limits->maps);
	json_put_number(value, "bytes_used", limits->bytes_used);
	json_put_number(value, "maps_used", limits->maps_used);
}
