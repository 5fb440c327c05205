/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of vendors, devices and classes, out of pci.ids. Not thread-safe. */
#ifndef TOOLS_DEXTCTL_NAMES_H
#define TOOLS_DEXTCTL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE 256

struct names;

/** names_open - @numeric: know no names. Without pci.ids there are none either. */
struct names *names_open(bool numeric);
void names_close(struct names *names);

/*
 * Each returns @text, filled with the name as lspci shows it, numbers standing
 * in for what is not known: "Red Hat, Inc. Device 1234", or "1b36:1234" when
 * names are numeric.
 */
const char *names_class(struct names *names, uint32_t class_code, char text[NAME_SIZE]);
const char *names_device(
	struct names *names, uint16_t vendor_id, uint16_t device_id, char text[NAME_SIZE]);

/*
 * Each returns @text, or NULL where the database does not know the name or names
 * are numeric: for JSON, where the numbers stand beside.
 */
const char *names_find_class(struct names *names, uint32_t class_code, char text[NAME_SIZE]);
const char *names_find_interface(struct names *names, uint32_t class_code, char text[NAME_SIZE]);
const char *names_find_vendor(struct names *names, uint16_t vendor_id, char text[NAME_SIZE]);
const char *names_find_device(
	struct names *names, uint16_t vendor_id, uint16_t device_id, char text[NAME_SIZE]);

/** names_find_subsystem - the name of a subsystem of that device, or NULL. */
const char *names_find_subsystem(struct names *names, uint16_t vendor_id, uint16_t device_id,
	uint16_t subsystem_vendor_id, uint16_t subsystem_id, char text[NAME_SIZE]);

#endif
