/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A copy of config space: its capabilities, and registers by the names of setpci.
 *
 * The device wrote the contents, so nothing in it is trusted: pointers may loop, or point out
 * of the space or into each other.
 */
#ifndef TOOLS_DEXTCTL_CONFIG_SPACE_H
#define TOOLS_DEXTCTL_CONFIG_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAP_CONFIG_SMALL 256u /* the size without PCI Express */
#define CAP_FIELDS_MAX	 8
#define CAP_TEXT_SIZE	 160

/* The largest possible number: one for each doubleword of 0x40..0xff and of 0x100..0xfff. */
#define CAPS_MAX ((256 - 64) / 4 + (4096 - 256) / 4)

enum cap_field_kind {
	CAP_FIELD_NUMBER,
	CAP_FIELD_BOOL,
	CAP_FIELD_TEXT,
};

/* A decoded field of a capability. */
struct cap_field {
	const char *key; /* in JSON */
	enum cap_field_kind kind;
	uint64_t number;  /* also the value of CAP_FIELD_BOOL */
	const char *text; /* static */
};

struct cap {
	uint16_t id;
	uint16_t offset;
	bool extended;
	uint8_t version;	  /* of an extended one */
	const char *symbol;	  /* "MSIX", as in setpci's CAP_MSIX; NULL if unknown */
	const char *name;	  /* "MSI-X"; NULL if unknown */
	char text[CAP_TEXT_SIZE]; /* the name and the decoded fields, as lspci writes them */
	size_t field_count;
	struct cap_field fields[CAP_FIELDS_MAX];
};

struct cap_list {
	size_t count;
	struct cap caps[CAPS_MAX];
	char broken[96]; /* why the list ends early; "" if it does not */
};

/**
 * caps_read - find and decode the capabilities
 * @config: config space
 * @size: its size: 256 or 4096; anything less has no capabilities
 * @list: filled in
 *
 * Extended capabilities are only read if there is a PCI Express capability and @size is 4096.
 */
void caps_read(const uint8_t *config, size_t size, struct cap_list *list);

/** caps_find - the first capability with that ID, or NULL. */
const struct cap *caps_find(const struct cap_list *list, bool extended, uint16_t id);

/** cap_field_number - the field with that key; @fallback if it is missing or @cap is NULL. */
uint64_t cap_field_number(const struct cap *cap, const char *key, uint64_t fallback);

/* Little-endian values in config space; the caller has checked that they are inside. */
static inline uint16_t config_get16(const uint8_t *config, size_t offset)
{
	return (uint16_t)(config[offset] | config[offset + 1] << 8);
}

static inline uint32_t config_get32(const uint8_t *config, size_t offset)
{
	return config_get16(config, offset) | (uint32_t)config_get16(config, offset + 2) << 16;
}

/* --- Registers by name, as in setpci: 40, COMMAND, CAP_EXP+8, ECAP_AER+4.l --------------- */

struct register_ref {
	enum { REGISTER_AT, REGISTER_IN_CAP, REGISTER_IN_ECAP } where;
	uint16_t cap;	 /* the ID of the capability */
	uint64_t offset; /* in config space, or from the start of the capability */
	uint8_t width;	 /* in bytes: as given, else that of the register, else 0 */
	bool width_given;
};

/**
 * register_parse - parse the name of a register
 * @text: a name of the type 0 header or an offset in hex; optionally "+" and a further offset;
 *	optionally .b, .w or .l. A capability is CAP_MSI, or CAP05 by its ID; an extended one
 *	ECAP_AER or ECAP0001. Upper and lower case are the same.
 *
 * Return: NULL with @ref set, or what was expected, for an error message after the text.
 */
const char *register_parse(const char *text, struct register_ref *ref);

/**
 * register_find - get the offset of a register in config space
 * @caps: only read for a register in a capability
 *
 * Return: false if the device has no such capability.
 */
bool register_find(const struct register_ref *ref, const struct cap_list *caps, uint64_t *offset);

#define REGISTER_NAME_SIZE 40

/**
 * register_name - name the register at an offset: "COMMAND", "COMMAND+1", "CAP_EXP+8"
 * @caps: may be NULL: then only registers of the header have names
 *
 * Behind the header, the name is that of the last capability that starts at or before @offset.
 * Return: @text, "" if there is no name.
 */
const char *register_name(
	uint64_t offset, const struct cap_list *caps, char text[REGISTER_NAME_SIZE]);

#endif
