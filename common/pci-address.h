/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of PCI functions: bus, device, function, and the PCI root above them. */
#ifndef COMMON_PCI_ADDRESS_H
#define COMMON_PCI_ADDRESS_H

#include <dext-abi.h>
#include <stdbool.h>
#include <stdint.h>

struct pci_address {
	uint8_t bus, device, function;
	char root[DEXT_ROOT_MAX]; /* the PCI root's name; "" for none */
};

/* "fifteen-letters/ff:1f.7" */
#define PCI_ADDRESS_SIZE (DEXT_ROOT_MAX + sizeof("ff:1f.7"))

/**
 * pci_address_parse - parse an address as users and PCI tools write it
 * @text: BB:DD.F in hex, as in 01:00.0 or 1:0.0; with domain 0 in front, 0000:01:00.0, as
 *        lspci -D prints it; with a root's name in front, ROOT/01:00.0. A name has 1 to 15
 *        letters, digits, "_", "." and "-".
 * @address: set on success
 * @rooted: set to whether there is a slash. The slash alone, "/01:00.0", then stands for the
 *          root without a name. NULL: it needs a name.
 *
 * Domains other than 0 are refused: named roots take their place.
 *
 * Return: NULL, or what was expected, as text to print after the input. Thread-safe.
 */
const char *pci_address_parse(const char *text, struct pci_address *address, bool *rooted);

/**
 * pci_address_format - "01:00.0", or "left/01:00.0" under a named root
 *
 * A root's name may come from another process: characters that are invalid in a name are
 * replaced by "?", so that the text is safe on a terminal. Return: @text. Thread-safe.
 */
const char *pci_address_format(const struct pci_address *address, char text[PCI_ADDRESS_SIZE]);

/** pci_address_equal - whether bus, device, function and root are equal. */
bool pci_address_equal(const struct pci_address *a, const struct pci_address *b);

#endif
