/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Registers of config space as setpci writes them: 40, COMMAND, CAP_EXP+8, ECAP_AER+4.l. All
 * numbers are hex. Names are those of a type 0 header and of capabilities.
 */
#ifndef TOOLS_DEXTCTL_REGISTERS_H
#define TOOLS_DEXTCTL_REGISTERS_H

#include "tools/dextctl/caps.h"

struct register_ref {
	enum { REGISTER_AT, REGISTER_IN_CAP, REGISTER_IN_ECAP } where;
	uint16_t cap;	 /* the capability's id */
	uint64_t offset; /* in config space, or from the capability's beginning on */
	uint8_t width;	 /* as typed, else the register's own; 0 where there is neither */
	bool width_typed;
};

/**
 * register_parse - a register as it was typed
 * @text: NAME or an offset in hex; then perhaps "+" and an offset from there; then perhaps one
 *        of .b, .w, .l. A capability is CAP_MSI or, by its id, CAP05; an extended one
 *        ECAP_AER or ECAP0001. Case does not matter.
 *
 * Return: NULL and @ref set, or what was expected, in words to stand after the text itself.
 */
const char *register_parse(const char *text, struct register_ref *ref);

/**
 * register_find - where a register is in config space
 * @caps: of the device; not looked at for one that is in no capability
 *
 * Return: false when the device has no such capability.
 */
bool register_find(const struct register_ref *ref, const struct cap_list *caps, uint64_t *offset);

#define REGISTER_NAME_SIZE 40

/**
 * register_name - what is at an offset: "COMMAND", "COMMAND+1", "CAP_EXP+8"
 * @caps: of the device; may be NULL, as where @offset is in the header
 *
 * An offset behind the header is told by the last capability that begins at or before it, as
 * setpci would reach it. Return: @text, "" where there is no name.
 */
const char *register_name(
	uint64_t offset, const struct cap_list *caps, char text[REGISTER_NAME_SIZE]);

#endif
