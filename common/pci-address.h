/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of PCI functions: bus, device, function, and the root that they are under. */
#ifndef COMMON_PCI_ADDRESS_H
#define COMMON_PCI_ADDRESS_H

#include <dext-abi.h>
#include <stdbool.h>
#include <stdint.h>

struct pci_address {
	uint8_t bus, device, function;
	char root[DEXT_ROOT_MAX]; /* the PCI root's name; "" when it has none */
};

/* "fifteen-letters/ff:1f.7" */
#define PCI_ADDRESS_SIZE (DEXT_ROOT_MAX + sizeof("ff:1f.7"))

/**
 * pci_address_parse - an address as people and PCI tools write it
 * @text: BB:DD.F in hex, as in 01:00.0 or 1:0.0; with domain 0 in front, 0000:01:00.0, as
 *        lspci -D prints it; with a root's name in front, ROOT/01:00.0. A name has 1 to 15
 *        letters, digits, "_", "." and "-".
 * @address: set, unless something is wrong
 * @rooted: set to whether there is a slash. The slash alone, "/01:00.0", then stands for the
 *          root without a name. NULL: it needs a name.
 *
 * Other domains than 0 are refused: what is a domain elsewhere is a root here, and has a name.
 *
 * Return: NULL, or what was expected, in words to stand after the text itself. Any thread.
 */
const char *pci_address_parse(const char *text, struct pci_address *address, bool *rooted);

/**
 * pci_address_format - "01:00.0", or "left/01:00.0" under a named root
 *
 * A root's name may come from a peer: what does not belong into one becomes "?", so that it
 * can be shown on a terminal. Return: @text. Any thread.
 */
const char *pci_address_format(const struct pci_address *address, char text[PCI_ADDRESS_SIZE]);

/** pci_address_equal - whether both are the same, their roots too. */
bool pci_address_equal(const struct pci_address *a, const struct pci_address *b);

#endif
