/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device behind the client library, for as long as the server runs. What a
 * VMM makes of it while it is connected is the session's (session.h).
 *
 * Threads: everything here belongs to the thread that runs the server, apart
 * from @presence, which the notification queue changes too.
 */
#ifndef VFIO_USER_DEVICE_H
#define VFIO_USER_DEVICE_H

#include "vfio-user/caps.h"
#include "vfio-user/irq.h"
#include "vfio-user/server.h"

#include <dext-abi.h>
#include <stdatomic.h>

struct vu_bar {
	uint64_t size;		    /* 0: not there */
	uint8_t type;		    /* DEXT_BAR_* */
	uint8_t memory_index;	    /* for apple_dext_mmio_read() */
	mach_vm_address_t mapped;   /* 0: not mapped */
	int descriptor;		    /* lent to the client: share.h; -1: it is not */
	uint64_t descriptor_offset; /* where in the file it begins */
};

/* Where the MSI-X table lies. It is the host's: see bar.h. */
struct vu_msix {
	uint32_t vectors; /* 0: no MSI-X */
	unsigned table_bar, pending_bar;
	uint32_t table_offset, pending_offset;
};

enum vu_presence {
	VU_PRESENT,
	VU_AWAY, /* its driver service has gone, and is expected back */
	VU_GONE, /* it has been taken away */
};

struct vu_device {
	struct vu_device_options options;
	char name[32]; /* 01:00.0, or with its root, left/01:00.0 */
	io_connect_t connection;
	struct vu_bar bars[DEXT_BARS];
	struct vu_caps caps;
	struct vu_msix msix;
	uint32_t msi_vectors;
	uint8_t interrupt_pin; /* 0: no INTx */
	uint32_t config_size;
	uint32_t identity[3]; /* config space: ids, class, subsystem */
	struct vu_irq *irq;
	atomic_int presence; /* enum vu_presence */
	bool lent;	     /* the client may have BARs mapped */
};

/** vu_device_is_present - whether calls make sense. Any thread. */
static inline bool vu_device_is_present(const struct vu_device *device)
{
	return atomic_load(&device->presence) == VU_PRESENT;
}

/**
 * vu_device_result - an errno for what a call returned
 *
 * Notes that the device has gone, or gone away, when it says so, with one line for
 * the first that notices. Safe from any thread.
 *
 * Return: an errno; 0 for kIOReturnSuccess.
 */
int vu_device_result(struct vu_device *device, kern_return_t result);

/**
 * vu_device_line - whether the device asserts its interrupt pin, as STATUS has it
 *
 * Any thread. Return: whether; false when there is no answer.
 */
bool vu_device_line(struct vu_device *device);

/**
 * vu_device_wake - make the device ready for a client
 *
 * Its BARs answer; bus mastering is off until the VMM wants it, as on a machine
 * just switched on.
 *
 * Return: an errno or 0.
 */
int vu_device_wake(struct vu_device *device);

/** vu_device_check - ask whether it is still there, and note it when not. */
void vu_device_check(struct vu_device *device);

/**
 * vu_device_reopen - find it again, and claim it and set it up as vu_device_open() does
 * @same: only if nothing about it has changed; else any device of that address will do,
 *	and @irq is another afterwards
 *
 * Quiet as long as there is no such device. When there is another one than before,
 * and @same, that is said, and the device counts as gone; so it does, with @same, when the
 * client may have mapped BARs: it would go on with memory that the new one does not have.
 *
 * Return: whether it is present again.
 */
bool vu_device_reopen(struct vu_device *device, bool same);

/**
 * vu_device_map_bar - map a BAR that is not mapped, for this server itself
 *
 * Return: kIOReturnSuccess, also for one that can be reached by calls alone.
 */
kern_return_t vu_device_map_bar(struct vu_device *device, uint8_t index);
/** vu_device_unmap_bar - give up its mapping and its descriptor, as far as there are. */
void vu_device_unmap_bar(struct vu_device *device, uint8_t index);

/** vu_device_silence - stop its DMA: bus mastering off. */
void vu_device_silence(struct vu_device *device);

/** vu_device_reset - reset it. Return: an errno or 0. */
int vu_device_reset(struct vu_device *device);

#endif
