/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The capabilities of config space, and its registers by the names of setpci. What people look
 * at daily is decoded; for the rest there is "lspci -F" on a config dump.
 */
#include "common/number.h"
#include "tools/dextctl/config-space.h"

#include <pci/pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 0x40u

struct kind {
	uint16_t id;
	const char *symbol; /* in setpci, without CAP_ or ECAP_ */
	const char *name;
	size_t size; /* bytes that decode() always reads */
	/* @at: the capability; @room: bytes from there to the end of the space */
	void (*decode)(struct cap *cap, const uint8_t *at, size_t room);
};

static void append(struct cap *cap, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct cap *cap, const char *format, ...)
{
	size_t used = strlen(cap->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(cap->text + used, sizeof(cap->text) - used, format, arguments);
	va_end(arguments);
}

static void add_fields(struct cap *cap, const struct cap_field *fields, size_t count)
{
	for (size_t i = 0; i < count && cap->field_count < CAP_FIELDS_MAX; i++)
		cap->fields[cap->field_count++] = fields[i];
}

#define ADD_FIELDS(cap, ...)                                                                       \
	add_fields(cap, (const struct cap_field[]){ __VA_ARGS__ },                                 \
		sizeof((const struct cap_field[]){ __VA_ARGS__ }) / sizeof(struct cap_field))
#define NUMBER(key, value)                                                                         \
	{                                                                                          \
		key, CAP_FIELD_NUMBER, value, NULL                                                 \
	}
#define BOOL(key, value)                                                                           \
	{                                                                                          \
		key, CAP_FIELD_BOOL, value, NULL                                                   \
	}
#define TEXT(key, value)                                                                           \
	{                                                                                          \
		key, CAP_FIELD_TEXT, 0, value                                                      \
	}

/* A flag as lspci shows it: its name and a + or a -. */
static char sign(bool set)
{
	return set ? '+' : '-';
}

static void decode_pm(struct cap *cap, const uint8_t *at, size_t room)
{
	static const char *const states[] = { "D0", "D1", "D2", "D3hot" };
	unsigned version = config_get16(at, PCI_CAP_FLAGS) & PCI_PM_CAP_VER_MASK;
	const char *state = states[config_get16(at, PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK];

	(void)room;
	append(cap, " version %u, in %s", version, state);
	ADD_FIELDS(cap, NUMBER("version", version), TEXT("state", state));
}

static void decode_msi(struct cap *cap, const uint8_t *at, size_t room)
{
	unsigned flags = config_get16(at, PCI_MSI_FLAGS);
	unsigned count = 1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
	unsigned in_use = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);
	bool enabled = flags & PCI_MSI_FLAGS_ENABLE;
	bool maskable = flags & PCI_MSI_FLAGS_MASK_BIT;
	bool wide = flags & PCI_MSI_FLAGS_64BIT;

	(void)room;
	append(cap, ": Enable%c Count=%u/%u Maskable%c 64bit%c", sign(enabled), in_use, count,
		sign(maskable), sign(wide));
	ADD_FIELDS(cap, NUMBER("vectors", count), BOOL("enabled", enabled),
		BOOL("maskable", maskable), BOOL("address_64bit", wide));
}

static void decode_msix(struct cap *cap, const uint8_t *at, size_t room)
{
	unsigned flags = config_get16(at, PCI_MSI_FLAGS);
	unsigned count = (flags & PCI_MSIX_TABSIZE) + 1;
	bool enabled = flags & PCI_MSIX_ENABLE, masked = flags & PCI_MSIX_MASK;
	/* The low bits are the number of the BAR. */
	uint32_t table = config_get32(at, PCI_MSIX_TABLE), pba = config_get32(at, PCI_MSIX_PBA);
	uint32_t table_bar = table & PCI_MSIX_BIR, pba_bar = pba & PCI_MSIX_BIR;

	(void)room;
	table -= table_bar;
	pba -= pba_bar;
	append(cap, ": Enable%c Count=%u Masked%c, table in BAR %u at %08x, PBA in BAR %u at %08x",
		sign(enabled), count, sign(masked), table_bar, table, pba_bar, pba);
	ADD_FIELDS(cap, NUMBER("vectors", count), BOOL("enabled", enabled), BOOL("masked", masked),
		NUMBER("table_bar", table_bar), NUMBER("table_offset", table),
		NUMBER("pba_bar", pba_bar), NUMBER("pba_offset", pba));
}

static const char *const express_types[16] = {
	[PCI_EXP_TYPE_ENDPOINT] = "Endpoint",
	[PCI_EXP_TYPE_LEG_END] = "Legacy Endpoint",
	[PCI_EXP_TYPE_ROOT_PORT] = "Root Port",
	[PCI_EXP_TYPE_UPSTREAM] = "Upstream Port",
	[PCI_EXP_TYPE_DOWNSTREAM] = "Downstream Port",
	[PCI_EXP_TYPE_PCI_BRIDGE] = "PCI-Express to PCI/PCI-X Bridge",
	[PCI_EXP_TYPE_PCIE_BRIDGE] = "PCI/PCI-X to PCI-Express Bridge",
	[PCI_EXP_TYPE_ROOT_INT_EP] = "Root Complex Integrated Endpoint",
	[PCI_EXP_TYPE_ROOT_EC] = "Root Complex Event Collector",
};

static const char *const link_speeds[16] = {
	[1] = "2.5GT/s", "5GT/s", "8GT/s", "16GT/s", "32GT/s", "64GT/s"
};

/* The capability of an integrated endpoint may end before the link's registers. */
static void decode_express_link(struct cap *cap, const uint8_t *at, size_t room)
{
	unsigned status = room < PCI_EXP_LNKSTA + 2 ? 0 : config_get16(at, PCI_EXP_LNKSTA);
	const char *speed = link_speeds[status & PCI_EXP_LNKSTA_SPEED];
	unsigned width = (status & PCI_EXP_LNKSTA_WIDTH) >> 4;

	if (!width)
		return;
	append(cap, ", Speed %s, Width x%u", speed ? speed : "unknown", width);
	ADD_FIELDS(cap, TEXT("link_speed", speed), NUMBER("link_width", width));
}

static void decode_express(struct cap *cap, const uint8_t *at, size_t room)
{
	unsigned flags = config_get16(at, PCI_EXP_FLAGS);
	unsigned version = flags & PCI_EXP_FLAGS_VERS, message = (flags & PCI_EXP_FLAGS_IRQ) >> 9;
	const char *type = express_types[(flags & PCI_EXP_FLAGS_TYPE) >> 4];
	bool flr = config_get32(at, PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLRESET;

	if (!type)
		type = "Unknown type";
	append(cap, " (v%u) %s, MSI %02x, FLReset%c", version, type, message, sign(flr));
	ADD_FIELDS(cap, NUMBER("version", version), TEXT("type", type),
		NUMBER("interrupt_message", message), BOOL("flr", flr));
	decode_express_link(cap, at, room);
}

static void decode_af(struct cap *cap, const uint8_t *at, size_t room)
{
	bool flr = at[PCI_AF_CAP] & PCI_AF_CAP_FLR;

	(void)room;
	append(cap, ": FLR%c", sign(flr));
	ADD_FIELDS(cap, BOOL("flr", flr));
}

static const struct kind kinds[] = {
	{ PCI_CAP_ID_PM, "PM", "Power Management", 6, decode_pm },
	{ PCI_CAP_ID_VPD, "VPD", "Vital Product Data", 0, NULL },
	{ PCI_CAP_ID_MSI, "MSI", "MSI", 4, decode_msi },
	{ PCI_CAP_ID_VNDR, "VNDR", "Vendor Specific Information", 0, NULL },
	{ PCI_CAP_ID_SSVID, "SSVID", "Subsystem", 0, NULL },
	{ PCI_CAP_ID_EXP, "EXP", "Express", 8, decode_express },
	{ PCI_CAP_ID_MSIX, "MSIX", "MSI-X", 12, decode_msix },
	{ PCI_CAP_ID_AF, "AF", "PCI Advanced Features", 4, decode_af },
};

static const struct kind extended_kinds[] = {
	{ PCI_EXT_CAP_ID_AER, "AER", "Advanced Error Reporting", 0, NULL },
	{ PCI_EXT_CAP_ID_VC, "VC", "Virtual Channel", 0, NULL },
	{ PCI_EXT_CAP_ID_DSN, "DSN", "Device Serial Number", 0, NULL },
	{ PCI_EXT_CAP_ID_VNDR, "VNDR", "Vendor Specific Information", 0, NULL },
	{ PCI_EXT_CAP_ID_ACS, "ACS", "Access Control Services", 0, NULL },
	{ PCI_EXT_CAP_ID_ARI, "ARI", "Alternative Routing-ID Interpretation (ARI)", 0, NULL },
	{ PCI_EXT_CAP_ID_ATS, "ATS", "Address Translation Service (ATS)", 0, NULL },
	{ PCI_EXT_CAP_ID_SRIOV, "SRIOV", "Single Root I/O Virtualization (SR-IOV)", 0, NULL },
	{ PCI_EXT_CAP_ID_PRI, "PRI", "Page Request Interface (PRI)", 0, NULL },
	{ PCI_EXT_CAP_ID_REBAR, "REBAR", "Physical Resizable BAR", 0, NULL },
	{ PCI_EXT_CAP_ID_LTR, "LTR", "Latency Tolerance Reporting", 0, NULL },
	{ PCI_EXT_CAP_ID_SECPCI, "SECPCI", "Secondary PCI Express", 0, NULL },
	{ PCI_EXT_CAP_ID_PASID, "PASID", "Process Address Space ID (PASID)", 0, NULL },
	{ PCI_EXT_CAP_ID_DPC, "DPC", "Downstream Port Containment", 0, NULL },
	{ PCI_EXT_CAP_ID_L1PM, "L1PM", "L1 PM Substates", 0, NULL },
	{ PCI_EXT_CAP_ID_PTM, "PTM", "Precision Time Measurement", 0, NULL },
	{ PCI_EXT_CAP_ID_DVSEC, "DVSEC", "Designated Vendor-Specific", 0, NULL },
};

/* By ID, or with @symbol by that. */
static const struct kind *find_kind(bool extended, uint16_t id, const char *symbol)
{
	const struct kind *kind = extended ? extended_kinds : kinds;
	size_t count = extended ? sizeof(extended_kinds) / sizeof(extended_kinds[0]) :
				  sizeof(kinds) / sizeof(kinds[0]);

	for (; count; count--, kind++)
		if (symbol ? strcasecmp(kind->symbol, symbol) == 0 : kind->id == id)
			return kind;
	return NULL;
}

/* Fill in what follows from the ID, and from the contents up to @end. */
static void describe(struct cap *cap, const uint8_t *config, size_t end)
{
	const struct kind *kind = find_kind(cap->extended, cap->id, NULL);
	size_t room = end - cap->offset;

	if (!kind) {
		append(cap, "Capability %0*x", cap->extended ? 4 : 2, cap->id);
		return;
	}
	cap->symbol = kind->symbol;
	cap->name = kind->name;
	append(cap, "%s", kind->name);
	if (kind->decode && kind->size > room)
		append(cap, " <runs past the end of its space>");
	else if (kind->decode)
		kind->decode(cap, config + cap->offset, room);
}

/* --- The two lists --------------------------------------------------------------- */

#define EXTENDED_BEGIN 0x100u
#define EXTENDED_END   0x1000u

/* The offset of the pointer to the first capability; 0 if the layout of the header is unknown. */
static size_t first_pointer(const uint8_t *config)
{
	switch (config[PCI_HEADER_TYPE] & 0x7f) {
	case PCI_HEADER_TYPE_NORMAL:
	case PCI_HEADER_TYPE_BRIDGE:
		return PCI_CAPABILITY_LIST;
	case PCI_HEADER_TYPE_CARDBUS:
		return PCI_CB_CAPABILITY_LIST;
	default:
		return 0;
	}
}

static void read_list(const uint8_t *config, struct cap_list *list)
{
	bool visited[CAP_CONFIG_SMALL / 4] = { false };
	size_t pointer = first_pointer(config), offset;

	if (!pointer || !(config_get16(config, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return;
	for (; (offset = config[pointer] & ~3u) != 0; pointer = offset + PCI_CAP_LIST_NEXT) {
		struct cap *cap = &list->caps[list->count];

		if (offset < HEADER_SIZE)
			snprintf(list->broken, sizeof(list->broken),
				"the pointer at %02zx leads into the header, to %02zx", pointer,
				offset);
		else if (visited[offset / 4])
			snprintf(list->broken, sizeof(list->broken),
				"the chain loops: %02zx leads back to %02zx", pointer - 1, offset);
		else if (config[offset] == 0xff)
			snprintf(list->broken, sizeof(list->broken),
				"nothing answers at %02zx, where the chain leads", offset);
		if (list->broken[0])
			return;
		visited[offset / 4] = true;
		list->count++;
		*cap = (struct cap){ .id = config[offset], .offset = (uint16_t)offset };
		describe(cap, config, CAP_CONFIG_SMALL);
	}
}

static void read_extended_list(const uint8_t *config, struct cap_list *list)
{
	bool visited[EXTENDED_END / 4] = { false };
	size_t from = 0, offset = EXTENDED_BEGIN;

	while (offset) {
		struct cap *cap = &list->caps[list->count];
		uint32_t header = config_get32(config, offset);

		if (offset < EXTENDED_BEGIN)
			snprintf(list->broken, sizeof(list->broken),
				"%03zx leads out of extended space, to %03zx", from, offset);
		else if (visited[offset / 4])
			snprintf(list->broken, sizeof(list->broken),
				"the chain loops: %03zx leads back to %03zx", from, offset);
		else if (header == UINT32_MAX && from)
			snprintf(list->broken, sizeof(list->broken),
				"nothing answers at %03zx, where the chain leads", offset);
		/* An empty list is 0, or all ones on a host that hides the extended space. */
		if (list->broken[0] || !header || header == UINT32_MAX)
			return;
		visited[offset / 4] = true;
		list->count++;
		*cap = (struct cap){ .id = (uint16_t)(header & 0xffff),
			.offset = (uint16_t)offset,
			.extended = true,
			.version = (header >> 16) & 0xf };
		describe(cap, config, EXTENDED_END);
		from = offset;
		offset = (header >> 20) & 0xffcu;
	}
}

void caps_read(const uint8_t *config, size_t size, struct cap_list *list)
{
	list->count = 0;
	list->broken[0] = '\0';
	if (size < CAP_CONFIG_SMALL)
		return;
	read_list(config, list);
	if (size >= EXTENDED_END && caps_find(list, false, PCI_CAP_ID_EXP))
		read_extended_list(config, list);
}

const struct cap *caps_find(const struct cap_list *list, bool extended, uint16_t id)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->caps[i].extended == extended && list->caps[i].id == id)
			return &list->caps[i];
	return NULL;
}

uint64_t cap_field_number(const struct cap *cap, const char *key, uint64_t fallback)
{
	for (size_t i = 0; cap && i < cap->field_count; i++)
		if (strcmp(cap->fields[i].key, key) == 0)
			return cap->fields[i].number;
	return fallback;
}

/* --- Registers by name --------------------------------------------------------- */

/* The type 0 header. */
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
	if (*name == '_') {
		const struct kind *kind = find_kind(extended, 0, name + 1);

		ref->cap = kind ? kind->id : 0;
		return kind;
	}
	if (number_parse_hex(name, extended ? UINT16_MAX : UINT8_MAX, &id))
		return false;
	ref->cap = (uint16_t)id;
	return true;
}

/* The part before "+" and ".": a name or an offset. */
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

/* In bytes; 0 if @suffix is neither b, w nor l. */
static uint8_t parse_width(const char *suffix)
{
	static const char *const suffixes[] = { [1] = "b", [2] = "w", [4] = "l" };

	for (uint8_t width = 1; width <= 4; width *= 2)
		if (strcasecmp(suffix, suffixes[width]) == 0)
			return width;
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
	/* The register has a width, but not its parts. */
	if (further)
		parsed.width = 0;
	if (dot) {
		parsed.width = parse_width(dot + 1);
		parsed.width_given = true;
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
	/* Of several capabilities with one ID, setpci finds the first. */
	if (best && caps_find(caps, extended, best->id) == best)
		name_in_cap(best, offset, text);
	return text;
}
