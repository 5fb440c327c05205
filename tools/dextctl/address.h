/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses as they are typed and shown: 01:00.0, or with a PCI root left/01:00.0. */
#ifndef TOOLS_DEXTCTL_ADDRESS_H
#define TOOLS_DEXTCTL_ADDRESS_H

#include "tools/cli.h"

#include <apple-dext-client.h>
#include <dext-abi.h>

struct address {
	bool rooted;			/* it says under which root */
	char root[DEXT_ROOT_MAX];	/* "" for the devices that name none */
	struct cli_address at;
};

#define ADDRESS_SIZE (DEXT_ROOT_MAX + CLI_ADDRESS_SIZE)

/**
 * address_parse - an address out of an argument
 *
 * "01:00.0" is any root's, "left/01:00.0" that of the root left, "/01:00.0" that of a
 * device that names no root. Return: NULL and @address set, or what is wrong, in words
 * to stand after the text itself.
 */
const char *address_parse(const char *text, struct address *address);

/** address_format - how a device is called: with its root where it names one. */
void address_format(const char *root, const AppleDextIdentity *identity, char text[ADDRESS_SIZE]);

/** address_is - whether @address means that device. */
bool address_is(const struct address *address, const AppleDextDevice *device);

#endif
