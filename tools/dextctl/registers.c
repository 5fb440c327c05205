/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl/registers.h"
#include "common/number.h"

#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 0x40u

/* The type 0 header, under setpci's names. */
static const struct {
	uint8_t offset, width;
	const char *name;
} header[] = {
	{ 0x00, 2, "VENDOR_ID" },
	{ 0x02, 2, "DEVICE_ID" },
	{ 0x04, 2, "COMMAND" },
	{ 0x06, 2, "STATUS" },
	{ 0x08, 1, "REVISION" },
	{ 0x09, 1, "CLASS_PROG" },
	{ 0x0a, 2, "CLASS_DEVICE" },
	{ 0x0c, 1, "CACHE_LINE_SIZE" },
	{ 0x0d, 1, "LATENCY_TIMER" },
	{ 0x0e, 1, "HEADER_TYPE" },
	{ 0x0f, 1, "BIST" },
	{ 0x10, 4, "BASE_ADDRESS_0" },
	{ 0x14, 4, "BASE_ADDRESS_1" },
	{ 0x18, 4, "BASE_ADDRESS_2" },
	{ 0x1c, 4, "BASE_ADDRESS_3" },
	{ 0x20, 4, "BASE_ADDRESS_4" },
	{ 0x24, 4, "BASE_ADDRESS_5" },
	{ 0x28, 4, "CARDBUS_CIS" },
	{ 0x2c, 2, "SUBSYSTEM_VENDOR_ID" },
	{ 0x2e, 2, "SUBSYSTEM_ID" },
	{ 0x30, 4, "ROM_ADDRESS" },
	{ 0x34, 1, "CAPABILITIES" },
	{ 0x3c, 1, "INTERRUPT_LINE" },
	{ 0x3d, 1, "INTERRUPT_PIN" },
	{ 0x3e, 1, "MIN_GNT" },
	{ 0x3f, 1, "MAX_LAT" },
};
#define HEADER_COUNT (sizeof(header) / sizeof(header[0]))

/* "CAP_MSI", "ECAP_AER", "CAP05", "ECAP0001". */
static bool parse_capability(const char *name, struct register_ref *ref)
{
	bool extended = strncasecmp(name, "ECAP", 4) == 0;
	uint64_t id;

	if (!extended && strncasecmp(name, "CAP", 3) != 0)
		return false;
	name += extended ? 4 : 3;
	ref->where = extended ? REGISTER_IN_ECAP : REGISTER_IN_CAP;
	if (*name == '_')
		return cap_by_symbol(name + 1, extended, &ref->cap);
	if (number_parse_hex(name, extended ? UINT16_MAX : UINT8_MAX, &id))
		return false;
	ref->cap = (uint16_t)id;
	return true;
}

/* What stands before "+" and ".": a name or an offset. */
static bool parse_base(const char *name, struct register_ref *ref)
{
	for (size_t i = 0; i < HEADER_COUNT; i++) {
		if (strcasecmp(name, header[i].name) != 0)
			continue;
		ref->offset = header[i].offset;
		ref->width = header[i].width;
		return true;
	}
	return parse_capability(name, ref) || !number_parse_hex(name, UINT32_MAX, &ref->offset);
}

/* Of "b", "w" or "l"; 0 for anything else. */
static uint8_t parse_width(const char *suffix)
{
	static const struct {
		const char *suffix;
		uint8_t width;
	} widths[] = { { "b", 1 }, { "w", 2 }, { "l", 4 } };

	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		if (strcasecmp(suffix, widths[i].suffix) == 0)
			return widths[i].width;
	return 0;
}

const char *register_parse(const char *text, struct register_ref *ref)
{
	static const char problem[] =
		"expected a register: an offset in hex, or a name such as COMMAND or CAP_EXP+8";
	char base[REGISTER_NAME_SIZE], *plus, *dot;
	struct register_ref parsed = { .where = REGISTER_AT };
	uint64_t further = 0;

	if (strlen(text) >= sizeof(base))
		return problem;
	strcpy(base, text);
	dot = strchr(base, '.');
	if (dot)
		*dot = '\0';
	plus = strchr(base, '+');
	if (plus)
		*plus = '\0';
	if (!parse_base(base, &parsed) ||
		(plus && number_parse_hex(plus + 1, UINT32_MAX, &further)))
		return problem;
	parsed.offset += further;
	/* What is behind a register's beginning need not be as wide as it is. */
	if (further)
		parsed.width = 0;
	if (dot) {
		parsed.width = parse_width(dot + 1);
		parsed.width_typed = true;
		if (!parsed.width)
			return "expected a width of .b, .w or .l (1, 2 or 4 bytes)";
	}
	*ref = parsed;
	return NULL;
}

bool register_find(const struct register_ref *ref, const struct cap_list *caps, uint64_t *offset)
{
	const struct cap *cap;

	*offset = ref->offset;
	if (ref->where == REGISTER_AT)
		return true;
	cap = caps_find(caps, ref->where == REGISTER_IN_ECAP, ref->cap);
	if (cap)
		*offset += cap->offset;
	return cap;
}

static void name_in_header(uint64_t offset, char text[REGISTER_NAME_SIZE])
{
	for (size_t i = 0; i < HEADER_COUNT; i++) {
		unsigned from = header[i].offset;

		if (offset < from || offset >= from + header[i].width)
			continue;
		if (offset == from)
			snprintf(text, REGISTER_NAME_SIZE, "%s", header[i].name);
		else
			snprintf(text, REGISTER_NAME_SIZE, "%s+%x", header[i].name,
				(unsigned)offset - from);
	}
}

static void name_in_cap(const struct cap *cap, uint64_t offset, char text[REGISTER_NAME_SIZE])
{
	const char *family = cap->extended ? "ECAP" : "CAP";
	unsigned further = (unsigned)offset - cap->offset;
	char name[24], plus[16] = "";

	if (cap->symbol)
		snprintf(name, sizeof(name), "%s_%s", family, cap->symbol);
	else
		snprintf(name, sizeof(name), "%s%0*x", family, cap->extended ? 4 : 2, cap->id);
	if (further)
		snprintf(plus, sizeof(plus), "+%x", further);
	snprintf(text, REGISTER_NAME_SIZE, "%s%s", name, plus);
}

const char *register_name(
	uint64_t offset, const struct cap_list *caps, char text[REGISTER_NAME_SIZE])
{
	bool extended = offset >= CAP_CONFIG_SMALL;
	const struct cap *best = NULL;

	*text = '\0';
	if (offset < HEADER_SIZE) {
		name_in_header(offset, text);
		return text;
	}
	for (size_t i = 0; caps && i < caps->count; i++) {
		const struct cap *cap = &caps->caps[i];

		if (cap->extended == extended && cap->offset <= offset &&
			(!best || cap->offset > best->offset))
			best = cap;
	}
	/* Of two with one id, setpci means the first. */
	if (best && caps_find(caps, extended, best->id) == best)
		name_in_cap(best, offset, text);
	return text;
}
