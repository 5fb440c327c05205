/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-limits.h"
#include "tools/cli.h"
#include "tools/dextctl-json.h"

#include <dext-abi.h>
#include <inttypes.h>

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
