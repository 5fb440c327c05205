/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, times, processes and limits of IOMMUs as text; JSON. */
#include "tools/cli.h"
#include "tools/dextctl/format.h"

#include <ctype.h>
#include <dext-abi.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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

void clock_format(uint64_t time, unsigned decimals, char text[CLOCK_TEXT_SIZE])
{
	time_t seconds = (time_t)(time / CLOCK_SECOND);
	char nanoseconds[16];
	struct tm parts;
	size_t used;

	localtime_r(&seconds, &parts);
	used = strftime(text, CLOCK_TEXT_SIZE, "%H:%M:%S", &parts);
	snprintf(nanoseconds, sizeof(nanoseconds), "%09u", (unsigned)(time % CLOCK_SECOND));
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
	/* A process chooses its name, which may have control characters for the terminal. */
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

const char *faults_text(uint64_t faults, char text[FAULTS_TEXT_SIZE])
{
	if (faults == UINT64_MAX)
		return "faults in the kernel's log";
	snprintf(text, FAULTS_TEXT_SIZE, "%" PRIu64 " fault%s", faults, faults == 1 ? "" : "s");
	return text;
}

/* --- JSON ---------------------------------------------------------------------------- */

static struct json_object *need(struct json_object *object)
{
	if (!object) {
		cli_error("out of memory");
		exit(EXIT_FAILURE);
	}
	return object;
}

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		need(NULL);
}

struct json_object *json_new_object(void)
{
	return need(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return need(json_object_new_array());
}

void json_put_number(struct json_object *object, const char *key, uint64_t number)
{
	put(object, key, need(json_object_new_uint64(number)));
}

void json_put_pid(struct json_object *object, const char *key, int32_t pid)
{
	put(object, key, pid ? need(json_object_new_int(pid)) : NULL);
}

void json_put_rate(struct json_object *object, const char *key, double rate)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", rate);
	put(object, key, need(json_object_new_double_s(rate, text)));
}

void json_put_bool(struct json_object *object, const char *key, bool value)
{
	put(object, key, need(json_object_new_boolean(value)));
}

static struct json_object *new_hex(int digits, uint64_t number)
{
	char text[sizeof("0xffffffffffffffff")];

	snprintf(text, sizeof(text), "0x%0*llx", digits, (unsigned long long)number);
	return need(json_object_new_string(text));
}

void json_put_hex(struct json_object *object, const char *key, int digits, uint64_t number)
{
	put(object, key, new_hex(digits, number));
}

void json_put_text(struct json_object *object, const char *key, const char *text)
{
	put(object, key, text ? need(json_object_new_string(text)) : NULL);
}

void json_put_null(struct json_object *object, const char *key)
{
	put(object, key, NULL);
}

struct json_object *json_put_object(struct json_object *object, const char *key)
{
	struct json_object *value = json_new_object();

	put(object, key, value);
	return value;
}

struct json_object *json_put_array(struct json_object *object, const char *key)
{
	struct json_object *value = json_new_array();

	put(object, key, value);
	return value;
}

void json_add(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		need(NULL);
}

struct json_object *json_add_object(struct json_object *array)
{
	struct json_object *value = json_new_object();

	json_add(array, value);
	return value;
}

void json_add_hex(struct json_object *array, int digits, uint64_t number)
{
	json_add(array, new_hex(digits, number));
}

void json_drop(struct json_object *object)
{
	json_object_put(object);
}

static void print(struct json_object *object, int flags)
{
	puts(json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void json_print(struct json_object *object)
{
	print(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void json_print_line(struct json_object *object)
{
	print(object, JSON_C_TO_STRING_PLAIN);
}

void json_put_faults(struct json_object *object, uint64_t faults)
{
	if (faults == UINT64_MAX)
		json_put_null(object, "faults");
	else
		json_put_number(object, "faults", faults);
}
