/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device, reached through the client library, open as long as the server runs.
 * The state that belongs to one VMM connection is in session.h.
 *
 * Threads: the thread that runs the server; @state is also changed by the
 * notification queue.
 */
#ifndef VFIO_USER_DEVICE_H
#define VFIO_USER_DEVICE_H

#include "vfio-user/irq.h"
#include "vfio-user/pci-info.h"
#include "vfio-user/vfio-user.h"

#include <dext-abi.h>
#include <stdatomic.h>

struct vu_bar {
	uint64_t size;		    /* 0: not implemented */
	uint8_t type;		    /* DEXT_BAR_* */
	uint8_t memory_index;	    /* for apple_dext_mmio_read() */
	mach_vm_address_t mapped;   /* 0: not mapped */
	int descriptor;		    /* shared with the client, see bar.h; -1: not shared */
	uint64_t descriptor_offset; /* offset of the BAR in the file */
};

enum vu_device_state {
	VU_DEVICE_PRESENT,
	VU_DEVICE_DISCONNECTED, /* its driver service exited; the server waits for it to restart */
	VU_DEVICE_REMOVED,	/* the device was removed, for good */
};

struct vu_device {
	struct vu_device_options options;
	char name[32]; /* 01:00.0, or with its root, left/01:00.0 */
	io_connect_t connection;
	struct vu_bar bars[DEXT_BARS];
	struct vu_pci_info pci;
	struct vu_irq *irq;
	atomic_int state; /* enum vu_device_state */
	bool bars_shared; /* the client may have mapped BARs */
};

/** vu_device_is_present - whether the driver can be called for it. Any thread. */
static inline bool vu_device_is_present(const struct vu_device *device)
{
	return atomic_load(&device->state) == VU_DEVICE_PRESENT;
}

/**
 * vu_device_error - convert the status of a client library call to an errno
 *
 * With a code for a driver that has gone, vu_device_check() is called. Any thread.
 *
 * Return: an errno; 0 for kIOReturnSuccess.
 */
int vu_device_error(struct vu_device *device, kern_return_t status);

/**
 * vu_device_intx_asserted - read Interrupt Status from the STATUS register
 *
 * Any thread. Return: whether INTx is asserted; false when STATUS cannot be read.
 */
bool vu_device_intx_asserted(struct vu_device *device);

/**
 * vu_device_enable_bars - set I/O and memory space enable in COMMAND, as the BARs need
 *
 * Bus mastering is disabled.
 *
 * Return: an errno or 0.
 */
int vu_device_enable_bars(struct vu_device *device);

/**
 * vu_device_check - query whether the driver and the device still exist, and update the state
 *
 * The first change is logged. Any thread.
 */
void vu_device_check(struct vu_device *device);

/**
 * vu_device_reopen - connect to the device again, claim it and set it up as vu_device_open() does
 * @same: accept only a device with the same identity, BARs and capabilities, and keep the
 *	eventfds that are connected; otherwise accept any device at the address, and
 *	replace @irq
 *
 * Logs nothing while there is no such device. With @same, the device is considered removed when
 * a different one is found, or when the client may have mapped BARs: the client's
 * mappings would refer to memory that the new device does not use.
 *
 * Return: whether the device is present again.
 */
bool vu_device_reopen(struct vu_device *device, bool same);

/**
 * vu_device_map_bar - map a BAR into this process, if the driver says that it can be
 *
 * Return: kIOReturnSuccess, also for a BAR that can only be accessed by calls: its @mapped is 0.
 */
kern_return_t vu_device_map_bar(struct vu_device *device, uint8_t index);
/** vu_device_unmap_bar - remove the BAR's mapping and return its descriptor, if there are any. */
void vu_device_unmap_bar(struct vu_device *device, uint8_t index);

/** vu_device_disable_bus_master - clear Bus Master Enable, which stops DMA and MSI. */
void vu_device_disable_bus_master(struct vu_device *device);

/** vu_device_reset - reset the device. Return: an errno or 0. */
int vu_device_reset(struct vu_device *device);

#endif
