/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capabilities: what each one says, one table row an id and one decoder where there is more
 * than a name; and the walk along the two chains. The tables have what programs and people
 * meet daily; the others are shown by their id, and lspci -F knows them all.
 */
#include "tools/dextctl/caps.h"

#include <pci/pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct kind {
	uint16_t id;
	const char *symbol; /* setpci's name, without CAP_ or ECAP_ */
	const char *name;
	size_t size; /* that decode() reads, from the capability's beginning */
	void (*decode)(struct cap *cap, const uint8_t *at);
};

static void say(struct cap *cap, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct cap *cap, const char *format, ...)
{
	size_t used = strlen(cap->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(cap->text + used, sizeof(cap->text) - used, format, arguments);
	va_end(arguments);
}

static void put_fact(struct cap *cap, const struct cap_fact *fact)
{
	if (cap->fact_count < CAP_FACTS_MAX)
		cap->facts[cap->fact_count++] = *fact;
}

static void put_number(struct cap *cap, const char *key, uint64_t number)
{
	put_fact(cap, &(struct cap_fact){ .key = key, .kind = CAP_FACT_NUMBER, .number = number });
}

static void put_bool(struct cap *cap, const char *key, bool value)
{
	put_fact(cap, &(struct cap_fact){ .key = key, .kind = CAP_FACT_BOOL, .number = value });
}

static void put_text(struct cap *cap, const char *key, const char *text)
{
	put_fact(cap, &(struct cap_fact){ .key = key, .kind = CAP_FACT_TEXT, .text = text });
}

/* lspci's way to show a flag: the name with a + or a -. */
static char sign(bool set)
{
	return set ? '+' : '-';
}

static void decode_power_management(struct cap *cap, const uint8_t *at)
{
	static const char *const states[] = { "D0", "D1", "D2", "D3hot" };
	unsigned version = config_get16(at, PCI_CAP_FLAGS) & PCI_PM_CAP_VER_MASK;
	const char *state = states[config_get16(at, PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK];

	say(cap, " version %u, in %s", version, state);
	put_number(cap, "version", version);
	put_text(cap, "state", state);
}

static void decode_msi(struct cap *cap, const uint8_t *at)
{
	unsigned flags = config_get16(at, PCI_MSI_FLAGS);
	unsigned count = 1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
	unsigned in_use = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);
	bool enabled = flags & PCI_MSI_FLAGS_ENABLE;
	bool maskable = flags & PCI_MSI_FLAGS_MASK_BIT;
	bool wide = flags & PCI_MSI_FLAGS_64BIT;

	say(cap, ": Enable%c Count=%u/%u Maskable%c 64bit%c", sign(enabled), in_use, count,
		sign(maskable), sign(wide));
	put_number(cap, "vectors", count);
	put_bool(cap, "enabled", enabled);
	put_bool(cap, "maskable", maskable);
	put_bool(cap, "address_64bit", wide);
}

/* A place in a BAR, as MSI-X says it: the BAR in the low bits of the offset. */
static uint32_t msix_bar(uint32_t where)
{
	return where & PCI_MSIX_BIR;
}

static uint32_t msix_offset(uint32_t where)
{
	return where & ~(uint32_t)PCI_MSIX_BIR;
}

static void decode_msix(struct cap *cap, const uint8_t *at)
{
	unsigned flags = config_get16(at, PCI_MSI_FLAGS);
	unsigned count = (flags & PCI_MSIX_TABSIZE) + 1;
	bool enabled = flags & PCI_MSIX_ENABLE;
	bool masked = flags & PCI_MSIX_MASK;
	uint32_t table = config_get32(at, PCI_MSIX_TABLE);
	uint32_t pba = config_get32(at, PCI_MSIX_PBA);

	say(cap, ": Enable%c Count=%u Masked%c, table in BAR %u at %08x, PBA in BAR %u at %08x",
		sign(enabled), count, sign(masked), msix_bar(table), msix_offset(table),
		msix_bar(pba), msix_offset(pba));
	put_number(cap, "vectors", count);
	put_bool(cap, "enabled", enabled);
	put_bool(cap, "masked", masked);
	put_number(cap, "table_bar", msix_bar(table));
	put_number(cap, "table_offset", msix_offset(table));
	put_number(cap, "pba_bar", msix_bar(pba));
	put_number(cap, "pba_offset", msix_offset(pba));
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

static void decode_express(struct cap *cap, const uint8_t *at)
{
	unsigned flags = config_get16(at, PCI_EXP_FLAGS);
	unsigned version = flags & PCI_EXP_FLAGS_VERS;
	const char *type = express_types[(flags & PCI_EXP_FLAGS_TYPE) >> 4];
	unsigned message = (flags & PCI_EXP_FLAGS_IRQ) >> 9;
	bool flr = config_get32(at, PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLRESET;

	if (!type)
		type = "Unknown type";
	say(cap, " (v%u) %s, MSI %02x, FLReset%c", version, type, message, sign(flr));
	put_number(cap, "version", version);
	put_text(cap, "type", type);
	put_number(cap, "interrupt_message", message);
	put_bool(cap, "flr", flr);
}

static void decode_advanced_features(struct cap *cap, const uint8_t *at)
{
	bool flr = at[3] & 2; /* AF capabilities register */

	say(cap, ": FLR%c", sign(flr));
	put_bool(cap, "flr", flr);
}

static void decode_vendor_specific(struct cap *cap, const uint8_t *at)
{
	say(cap, ": Len=%02x", at[2]);
	put_number(cap, "length", at[2]);
}

static const struct kind kinds[] = {
	{ PCI_CAP_ID_PM, "PM", "Power Management", 6, decode_power_management },
	{ PCI_CAP_ID_VPD, "VPD", "Vital Product Data", 0, NULL },
	{ PCI_CAP_ID_MSI, "MSI", "MSI", 4, decode_msi },
	{ PCI_CAP_ID_VNDR, "VNDR", "Vendor Specific Information", 3, decode_vendor_specific },
	{ PCI_CAP_ID_SSVID, "SSVID", "Subsystem", 0, NULL },
	{ PCI_CAP_ID_EXP, "EXP", "Express", 8, decode_express },
	{ PCI_CAP_ID_MSIX, "MSIX", "MSI-X", 12, decode_msix },
	{ PCI_CAP_ID_AF, "AF", "PCI Advanced Features", 4, decode_advanced_features },
};

static void decode_serial_number(struct cap *cap, const uint8_t *at)
{
	/* Written from the most significant byte down. */
	say(cap, " %02x-%02x-%02x-%02x-%02x-%02x-%02x-%02x", at[11], at[10], at[9], at[8], at[7],
		at[6], at[5], at[4]);
}

static void decode_sriov(struct cap *cap, const uint8_t *at)
{
	unsigned total = config_get16(at, 0x0e); /* TotalVFs */

	say(cap, ": Total VFs: %u", total);
	put_number(cap, "total_vfs", total);
}

static const struct kind extended_kinds[] = {
	{ PCI_EXT_CAP_ID_AER, "AER", "Advanced Error Reporting", 0, NULL },
	{ PCI_EXT_CAP_ID_VC, "VC", "Virtual Channel", 0, NULL },
	{ PCI_EXT_CAP_ID_DSN, "DSN", "Device Serial Number", 12, decode_serial_number },
	{ PCI_EXT_CAP_ID_VNDR, "VNDR", "Vendor Specific Information", 0, NULL },
	{ PCI_EXT_CAP_ID_ACS, "ACS", "Access Control Services", 0, NULL },
	{ PCI_EXT_CAP_ID_ARI, "ARI", "Alternative Routing-ID Interpretation (ARI)", 0, NULL },
	{ PCI_EXT_CAP_ID_ATS, "ATS", "Address Translation Service (ATS)", 0, NULL },
	{ PCI_EXT_CAP_ID_SRIOV, "SRIOV", "Single Root I/O Virtualization (SR-IOV)", 16,
		decode_sriov },
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

struct table {
	const struct kind *kinds;
	size_t count;
};

#define TABLE(rows)                                                                                \
	(struct table)                                                                             \
	{                                                                                          \
		(rows), sizeof(rows) / sizeof((rows)[0])                                           \
	}

static struct table table_of(bool extended)
{
	return extended ? TABLE(extended_kinds) : TABLE(kinds);
}

static const struct kind *find_kind(const struct cap *cap)
{
	struct table table = table_of(cap->extended);

	for (size_t i = 0; i < table.count; i++)
		if (table.kinds[i].id == cap->id)
			return &table.kinds[i];
	return NULL;
}

bool cap_by_symbol(const char *symbol, bool extended, uint16_t *id)
{
	struct table table = table_of(extended);

	for (size_t i = 0; i < table.count; i++) {
		if (strcasecmp(table.kinds[i].symbol, symbol) != 0)
			continue;
		*id = table.kinds[i].id;
		return true;
	}
	return false;
}

void cap_describe(struct cap *cap, const uint8_t *config, size_t end)
{
	const struct kind *kind = find_kind(cap);

	cap->text[0] = '\0';
	cap->fact_count = 0;
	if (!kind) {
		say(cap, "Capability %0*x", cap->extended ? 4 : 2, cap->id);
		return;
	}
	cap->symbol = kind->symbol;
	cap->name = kind->name;
	say(cap, "%s", kind->name);
	if (!kind->decode)
		return;
	if (kind->size > end - cap->offset)
		say(cap, " <runs past the end of its space>");
	else
		kind->decode(cap, config + cap->offset);
}

/* --- The walk along the two chains ---------------------------------------------- */

#define EXTENDED_BEGIN 0x100u
#define EXTENDED_END   0x1000u

/* Doublewords that a chain has been at, so that a loop is noticed. */
struct visited {
	bool at[EXTENDED_END / 4];
};

static bool visit(struct visited *visited, size_t offset)
{
	bool *at = &visited->at[offset / 4];
	bool first = !*at;

	*at = true;
	return first;
}

static struct cap *add(struct cap_list *list, uint16_t id, size_t offset)
{
	struct cap *cap = &list->caps[list->count++];

	*cap = (struct cap){ .id = id, .offset = (uint16_t)offset };
	return cap;
}

/* Where the first pointer of the small space stands, by the layout of the header; 0 for none. */
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

static void walk_small(const uint8_t *config, struct cap_list *list)
{
	struct visited visited = { 0 };
	size_t pointer = first_pointer(config);

	if (!pointer || !(config_get16(config, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return;
	for (;;) {
		size_t offset = config[pointer] & ~3u;

		if (!offset)
			return;
		if (offset < 0x40) {
			snprintf(list->broken, sizeof(list->broken),
				"the pointer at %02zx leads into the header, to %02zx", pointer,
				offset);
			return;
		}
		if (!visit(&visited, offset)) {
			snprintf(list->broken, sizeof(list->broken),
				"the chain loops: %02zx leads back to %02zx", pointer - 1, offset);
			return;
		}
		if (config[offset] == 0xff) {
			snprintf(list->broken, sizeof(list->broken),
				"nothing answers at %02zx, where the chain leads", offset);
			return;
		}
		cap_describe(add(list, config[offset], offset), config, CAP_CONFIG_SMALL);
		pointer = offset + PCI_CAP_LIST_NEXT;
	}
}

static void walk_extended(const uint8_t *config, struct cap_list *list)
{
	struct visited visited = { 0 };
	size_t offset = EXTENDED_BEGIN;

	for (size_t from = 0; offset;) {
		uint32_t header;
		struct cap *cap;

		if (offset < EXTENDED_BEGIN) {
			snprintf(list->broken, sizeof(list->broken),
				"%03zx leads out of extended space, to %03zx", from, offset);
			return;
		}
		if (!visit(&visited, offset)) {
			snprintf(list->broken, sizeof(list->broken),
				"the chain loops: %03zx leads back to %03zx", from, offset);
			return;
		}
		header = config_get32(config, offset);
		if (!header) /* how an empty list looks, and a harmless end of any */
			return;
		if (header == UINT32_MAX) {
			/* A host that hides extended space answers so at its beginning. */
			if (from)
				snprintf(list->broken, sizeof(list->broken),
					"nothing answers at %03zx, where the chain leads", offset);
			return;
		}
		cap = add(list, (uint16_t)(header & 0xffff), offset);
		cap->extended = true;
		cap->version = (header >> 16) & 0xf;
		cap_describe(cap, config, EXTENDED_END);
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
	walk_small(config, list);
	if (size >= EXTENDED_END && caps_find(list, false, PCI_CAP_ID_EXP))
		walk_extended(config, list);
}

const struct cap *caps_find(const struct cap_list *list, bool extended, uint16_t id)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->caps[i].extended == extended && list->caps[i].id == id)
			return &list->caps[i];
	return NULL;
}

uint64_t cap_fact_number(const struct cap *cap, const char *key, uint64_t fallback)
{
	for (size_t i = 0; cap && i < cap->fact_count; i++)
		if (strcmp(cap->facts[i].key, key) == 0)
			return cap->facts[i].number;
	return fallback;
}
