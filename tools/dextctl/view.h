/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device as it is shown: a copy of all data from the driver, from which both text and JSON are
 * made.
 */
#ifndef TOOLS_DEXTCTL_VIEW_H
#define TOOLS_DEXTCTL_VIEW_H

#include "tools/dextctl/config-space.h"
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
	char root[DEXT_ROOT_MAX]; /* "" if it has none */
	uint8_t config[DEXT_CONFIG_SIZE];
	size_t config_size; /* bytes that were read: 0, 256 or 4096 */
	struct cap_list caps;
	bool bars_known;
	struct view_bar bars[DEXT_BARS];
	bool status_known; /* false if the driver does not implement the call */
	AppleDextStatus status;
	bool limits_known; /* likewise */
	AppleDextDMALimits limits;
};

enum view_depth {
	VIEW_BRIEF, /* status, and the first 256 bytes of config space */
	VIEW_WHOLE, /* also BARs, extended config space and the limits of DMA */
};

/**
 * view_read - read a device
 * @view: with identity and root set, everything else 0
 *
 * Return: kIOReturnSuccess, or the error of the first call that failed; @view has what was read
 * until then.
 */
kern_return_t view_read(io_connect_t connection, enum view_depth depth, struct view *view);

/** view_address - "01:00.0", or "left/01:00.0" for a device with a PCI root. */
void view_address(const struct view *view, char text[PCI_ADDRESS_SIZE]);

/** view_claim - "free", "claimed", "exclusive" or "unknown". */
const char *view_claim(const struct view *view);

struct view_interrupts {
	bool known;
	enum dext_interrupt_kind kind;
	unsigned vectors;
};

/**
 * view_interrupts - the interrupts that a client would get
 *
 * From the status of the driver; if that is unknown, from the capabilities, in the driver's order:
 * MSI-X, MSI, INTx.
 */
struct view_interrupts view_interrupts(const struct view *view);
/** view_interrupt_name - "MSI-X", "MSI", "INTx", "none". */
const char *view_interrupt_name(enum dext_interrupt_kind kind);

/**
 * view_title - the first line of lspci: "01:00.0 Class name: Vendor Device (rev 02)"
 *
 * Without the PCI root, which lspci does not know. Return: a new string for free().
 */
char *view_title(const struct view *view, struct names *names);

/** view_print - print everything as text. */
void view_print(const struct view *view, struct names *names, FILE *out);

struct json_object;
/** view_json - a new object (keys: dextctl(1)); with VIEW_BRIEF only the keys of list. */
struct json_object *view_json(const struct view *view, struct names *names, enum view_depth depth);

/**
 * view_show - read a device and print it (list.c)
 * @address: as on the command line
 *
 * Return: the exit status; an error has been printed.
 */
enum ctl_exit view_show(const struct ctl_options *options, const char *address,
	void (*print)(const struct view *view, struct names *names, bool json));

#endif
