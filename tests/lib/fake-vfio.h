/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel with VFIO and iommufd: a fake sysfs, and open(), access(), ioctl(), pread() and pwrite()
 * wrapped (with --wrap of the linker) for the files of VFIO. Group 7 has two devices: a disk, which
 * is bound to vfio-pci, and a network adapter, which is bound to no driver.
 */
#ifndef TESTS_LIB_FAKE_VFIO_H
#define TESTS_LIB_FAKE_VFIO_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_VFIO_DISK "0000:01:00.0"
#define FAKE_VFIO_NIC  "0000:01:00.1"
#define FAKE_VFIO_PM   0x40 /* the power management capability */

/* Ioctls of linux/iommufd.h, which Debian 12 does not have. */
#define FAKE_DEVICE_BIND   _IO(VFIO_TYPE, VFIO_BASE + 18)
#define FAKE_DEVICE_ATTACH _IO(VFIO_TYPE, VFIO_BASE + 19)
#define FAKE_IOAS_ALLOC	   _IO(';', 0x81)
#define FAKE_IOAS_RANGES   _IO(';', 0x84)

/* What it does; tests change it. An error is an errno; 0: none. */
struct fake_vfio {
	const char *unopenable; /* the path that cannot be opened */
	int open_error;
	bool has_iommufd, is_stuck; /* is_stuck: writes to the device have no effect */
	unsigned group_flags, device_flags;
	unsigned long failing; /* the ioctl that fails */
	int error, bar_error;
	int device, request; /* memory of the device; the eventfd of its request interrupt */
	/* What has been mapped. */
	unsigned map_flags, maps, unmaps;
	uint64_t iova, length;
};
extern struct fake_vfio fake_vfio;

/* Setup and teardown of a cmocka test. */
int fake_vfio_setup(void **state);
int fake_vfio_teardown(void **state);

/* Set 32 bits of config space. */
void fake_vfio_set_config(unsigned offset, uint32_t value);

#endif
