/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capabilities out of a copy of config space. The device wrote it, so nothing in
 * it is believed: pointers may loop, lead out of the space or into each other.
 */
#ifndef TOOLS_DEXTCTL_CAPS_H
#define TOOLS_DEXTCTL_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAP_CONFIG_SMALL 256u /* what every function has */
#define CAP_FACTS_MAX	 8
#define CAP_TEXT_SIZE	 160

/* The most that fit: one a doubleword of 0x40..0xff, one a doubleword of 0x100..0xfff. */
#define CAPS_MAX ((256 - 64) / 4 + (4096 - 256) / 4)

enum cap_fact_kind {
	CAP_FACT_NUMBER,
	CAP_FACT_BOOL,
	CAP_FACT_TEXT,
};

/* Something that a capability says, under the name that it has in JSON. */
struct cap_fact {
	const char *key;
	enum cap_fact_kind kind;
	uint64_t number;  /* of CAP_FACT_BOOL too */
	const char *text; /* a string that stays */
};

struct cap {
	uint16_t id;
	uint16_t offset;
	bool extended;
	uint8_t version;	  /* of an extended one */
	const char *symbol;	  /* "MSIX", as in setpci's CAP_MSIX; NULL without a name */
	const char *name;	  /* "MSI-X"; NULL for one that is shown by its id alone */
	char text[CAP_TEXT_SIZE]; /* name and what matters, in one line, in lspci's words */
	size_t fact_count;
	struct cap_fact facts[CAP_FACTS_MAX];
};

struct cap_list {
	size_t count;
	struct cap caps[CAPS_MAX];
	char broken[96]; /* why the walk ended early; "" when it ended well */
};

/**
 * caps_read - walk the capabilities
 * @config: config space
 * @size: how much of it there is: 256 or 4096
 * @list: filled in, however odd the space is
 *
 * Extended ones are looked for when there is a PCI Express capability and @size
 * is 4096.
 */
void caps_read(const uint8_t *config, size_t size, struct cap_list *list);

/** caps_find - the first capability of that id, or NULL. */
const struct cap *caps_find(const struct cap_list *list, bool extended, uint16_t id);

/**
 * cap_by_symbol - the id of the capability that setpci calls CAP_@symbol or ECAP_@symbol
 *
 * Case does not matter. Return: false when it has none of that name.
 */
bool cap_by_symbol(const char *symbol, bool extended, uint16_t *id);

/** cap_fact_number - a fact by its name, or @fallback where the capability does not say it. */
uint64_t cap_fact_number(const struct cap *cap, const char *key, uint64_t fallback);

/*
 * For the walker and the decoders: what is in config space, little-endian,
 * whatever the host. The caller has checked that it is inside.
 */
static inline uint16_t config_get16(const uint8_t *config, size_t offset)
{
	return (uint16_t)(config[offset] | config[offset + 1] << 8);
}

static inline uint32_t config_get32(const uint8_t *config, size_t offset)
{
	return config_get16(config, offset) | (uint32_t)config_get16(config, offset + 2) << 16;
}

/**
 * cap_describe - fill in name, text and facts of a capability
 * @cap: with id, offset, extended and version set
 * @config: config space
 * @end: of the space that it may lie in: 256, or 4096 for an extended one
 */
void cap_describe(struct cap *cap, const uint8_t *config, size_t end);

#endif
