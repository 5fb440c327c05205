/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device as it is shown: everything that was asked of the driver, in one copy,
 * from which text and JSON are made without asking again.
 */
#ifndef TOOLS_DEXTCTL_VIEW_H
#define TOOLS_DEXTCTL_VIEW_H

#include "tools/dextctl/caps.h"
#include "tools/dextctl/dextctl.h"
#include "tools/dextctl/names.h"

#include <apple-dext-client.h>
#include <dext-abi.h>

struct view_bar {
	bool present;
	uint8_t type; /* DEXT_BAR_* */
	uint64_t size;
};

struct view {
	AppleDextIdentity identity;
	char root[DEXT_ROOT_MAX]; /* "" when it names none */
	uint8_t config[DEXT_CONFIG_SIZE];
	size_t config_size;   /* how much of it was read: 0, 256 or 4096 */
	struct cap_list caps; /* found in that */
	bool bars_known;
	struct view_bar bars[DEXT_BARS];
	bool status_known; /* false with a driver that lacks the call */
	AppleDextStatus status;
	bool limits_known; /* likewise */
	AppleDextDMALimits limits;
};

enum view_depth {
	VIEW_BRIEF, /* status, and the 256 bytes of config space that every function has */
	VIEW_WHOLE, /* BARs, extended config space and the limits of DMA too */
};

/**
 * view_read - ask the driver everything
 * @view: with identity and root set, and all else 0
 *
 * Return: kIOReturnSuccess, or the error of the first call that failed; what was
 * read until then is in @view.
 */
kern_return_t view_read(io_connect_t connection, enum view_depth depth, struct view *view);

/** view_address - "01:00.0", or "left/01:00.0" where it names a root. */
void view_address(const struct view *view, char text[PCI_ADDRESS_SIZE]);

/** view_root - the root in printable characters, in @text; NULL when it names none. */
const char *view_root(const struct view *view, char text[PCI_ADDRESS_SIZE]);

/** view_claim - "free", "claimed", "exclusive" or "unknown". */
const char *view_claim(const struct view *view);
/** view_other_clients - how many have it open, besides who asked; where status is known. */
unsigned view_other_clients(const struct view *view);

struct view_interrupts {
	bool known;
	enum dext_interrupt_kind kind;
	unsigned vectors;
};

/**
 * view_interrupts - what setting interrupts up would take
 *
 * From the driver's status, else from the capabilities, as the driver chooses:
 * MSI-X, MSI, the legacy interrupt.
 */
struct view_interrupts view_interrupts(const struct view *view);
/** view_interrupt_name - "MSI-X", "MSI", "INTx", "none". */
const char *view_interrupt_name(enum dext_interrupt_kind kind);

/**
 * view_title - the device in one line, as lspci has it
 *
 * "01:00.0 Class name: Vendor Device (rev 02)", without a root, of which lspci knows
 * nothing. Return: a new string for free().
 */
char *view_title(const struct view *view, struct names *names);

/** view_subsystem - vendor and id of the subsystem; false where there is none. */
bool view_subsystem(const struct view *view, uint16_t *vendor_id, uint16_t *subsystem_id);

/** view_print - the device in full, as text. */
void view_print(const struct view *view, struct names *names, FILE *out);

struct json_object;
/**
 * view_json - the device as a JSON object (keys: dextctl(1))
 * @depth: VIEW_BRIEF for the keys of list alone
 */
struct json_object *view_json(const struct view *view, struct names *names, enum view_depth depth);

/* What the commands that show one device whole have in common. */

/**
 * ctl_look - read a device whole and print it
 * @address: as on the command line
 * @otherwise: what to say of it when it cannot be read
 *
 * Return: the exit status; what failed has been printed.
 */
enum ctl_exit ctl_look(const struct ctl_options *options, const char *address,
	const char *otherwise,
	void (*print)(const struct view *view, struct names *names, bool json));

#endif
