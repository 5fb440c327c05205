/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of capabilities in config space (PCI 3.0, 6.7). */
#ifndef COMMON_PCI_CAPABILITY_H
#define COMMON_PCI_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

/* Reads @width bytes of config space at @offset. Return: false when the read fails. */
typedef bool pci_config_reader(void *device, uint32_t offset, uint32_t width, uint32_t *value);

/**
 * pci_find_capability - find a capability by its ID
 * @read: called with @device, on this thread
 *
 * The walk ends at a loop and at a pointer into the header.
 *
 * Return: its offset in config space; 0 when there is none, or a read fails.
 */
unsigned pci_find_capability(pci_config_reader *read, void *device, uint8_t id);

#endif
