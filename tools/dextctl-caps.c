/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk along the two chains of capabilities. What each one says: dextctl-caps-describe.c. */
#include "tools/dextctl-caps.h"

#include <pci/pci.h>
#include <stdio.h>
#include <string.h>

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

	*cap = (struct cap){.id = id, .offset = (uint16_t)offset};
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
	struct visited visited = {0};
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
	struct visited visited = {0};
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
		if (!header)	/* how an empty list looks, and a harmless end of any */
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
