/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI devices of this host from sysfs (Linux: Documentation/ABI/testing/sysfs-bus-pci): their
 * driver, IOMMU group, and whether the host uses them. Linux only. All functions are
 * thread-safe.
 */
#ifndef COMMON_HOST_PCI_H
#define COMMON_HOST_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "0000:01:00.0" */
#define HOST_PCI_ADDRESS_SIZE sizeof("ffffffff:ff:1f.7")

/* Where sysfs and proc are mounted, and the folder of state that lasts until the next boot. */
struct host_pci_paths {
	const char *sys, *proc, *run;
};
/* The host's: "/sys", "/proc", "/run". Tests change them before they call anything else. */
extern struct host_pci_paths host_pci_paths;

struct host_pci {
	char address[HOST_PCI_ADDRESS_SIZE];
	uint16_t vendor_id, device_id;
	uint32_t class_code; /* 24 bits */
	char driver[64];     /* bound to it; "" for none */
	int group;	     /* number of its IOMMU group; -1: no IOMMU */
	bool noiommu;	     /* the group is one of VFIO's noiommu mode */
};

/**
 * host_pci_address - convert an address to the form of sysfs
 * @text: DDDD:BB:DD.F, or BB:DD.F in domain 0; hex
 * @address: set to the form that sysfs uses
 *
 * Return: true; false when @text is not an address.
 */
bool host_pci_address(const char *text, char address[HOST_PCI_ADDRESS_SIZE]);

/** host_pci_read - fill in @device. Return: false when the host has no device of that address. */
bool host_pci_read(
	const struct host_pci_paths *paths, const char *address, struct host_pci *device);

/** host_pci_is_bridge - whether it is a bridge (base class 06), which cannot be passed through. */
bool host_pci_is_bridge(const struct host_pci *device);

/**
 * host_pci_list - the devices of an IOMMU group, or with -1 all of the host, by address
 * @devices: set to an array for free()
 *
 * Return: true; false without memory, or when sysfs cannot be read.
 */
bool host_pci_list(
	const struct host_pci_paths *paths, int group, struct host_pci **devices, size_t *count);

/**
 * host_pci_in_use - whether the host uses a device
 * @why: set to the use, as text to print after "is in use: "
 *
 * A disk that is mounted, swapped to or a part of another block device; a network interface
 * that is up; the graphics adapter of the console.
 */
bool host_pci_in_use(
	const struct host_pci_paths *paths, const struct host_pci *device, char *why, size_t size);

#endif
