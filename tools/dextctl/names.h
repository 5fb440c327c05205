/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of vendors, devices and classes from pci.ids. Not thread-safe. */
#ifndef TOOLS_DEXTCTL_NAMES_H
#define TOOLS_DEXTCTL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_SIZE 256

struct names;

/** names_open - open the database; with @numeric, or without pci.ids, no name is found. */
struct names *names_open(bool numeric);
void names_close(struct names *names);

/*
 * Return: @text, the name as lspci shows it, with numbers where there is no name: "Red Hat, Inc.
 * Device 1234", or "1b36:1234" if names are numeric.
 */
const char *names_class(struct names *names, uint32_t class_code, char text[NAME_SIZE]);
const char *names_device(
	struct names *names, uint16_t vendor_id, uint16_t device_id, char text[NAME_SIZE]);

/* Return: @text, or NULL if there is no name. */
const char *names_find_class(struct names *names, uint32_t class_code, char text[NAME_SIZE]);
const char *names_find_interface(struct names *names, uint32_t class_code, char text[NAME_SIZE]);
const char *names_find_vendor(struct names *names, uint16_t vendor_id, char text[NAME_SIZE]);
const char *names_find_device(
	struct names *names, uint16_t vendor_id, uint16_t device_id, char text[NAME_SIZE]);

const char *names_find_subsystem(struct names *names, uint16_t vendor_id, uint16_t device_id,
	uint16_t subsystem_vendor_id, uint16_t subsystem_id, char text[NAME_SIZE]);

#endif
