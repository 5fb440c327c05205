/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sysfs, proc and /run in a folder of their own, for tests of the code that inspects and binds
 * the host's PCI devices. What cannot be created ends the test.
 */
#ifndef TESTS_LIB_FAKE_SYSFS_H
#define TESTS_LIB_FAKE_SYSFS_H

#include "common/host-pci.h"

struct fake_pci {
	const char *address;
	unsigned id; /* vendor, device: 0x8086100e */
	unsigned class_code;
	const char *driver; /* NULL: none */
	int group;	    /* -1: none */
};

/* Create the tree, without devices. Return: its paths, until fake_sysfs_remove(). */
const struct host_pci_paths *fake_sysfs_create(void);
void fake_sysfs_remove(void);

void fake_sysfs_add(const struct fake_pci *device);
/* Bind a device to a driver, or with NULL to none: its link "driver". */
void fake_sysfs_bind(const char *address, const char *driver);

/* Write a file, with its folders; the path is below the tree: "sys/...", "proc/...". */
void fake_sysfs_write(const char *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The content of a file, without the newline at its end; "" when there is none. */
const char *fake_sysfs_read(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
