/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A double of the client library: apple_dext_*() on one device in memory, at
 * 01:00.0, with MSI-X, MSI, INTx, power management and PCI Express.
 *
 * BAR0 is memory, 64 bit, with the MSI-X table at 0x2000 and the pending bits at
 * 0x3000; BAR2 is I/O; BAR4 is memory, 32 bit. Tests look at the state and turn
 * its knobs under double_lock() while a server runs.
 */
#ifndef CLIENT_DOUBLE_H
#define CLIENT_DOUBLE_H

#include <apple-dext-client.h>
#include <dext-abi.h>

enum {
	DOUBLE_BAR0_SIZE = 0x4000,
	DOUBLE_BAR2_SIZE = 0x20,
	DOUBLE_BAR4_SIZE = 0x1000,
	DOUBLE_MSIX_TABLE = 0x2000,
	DOUBLE_MSIX_PENDING = 0x3000,
	DOUBLE_MSIX_VECTORS = 40,
	DOUBLE_MSI_VECTORS = 8,
	DOUBLE_PM = 0x40,
	DOUBLE_MSI = 0x50,
	DOUBLE_PCIE = 0x70,
	DOUBLE_MSIX = 0xb0,
	DOUBLE_VENDOR = 0xc0, /* a vendor's own capability */
	DOUBLE_AER = 0x100,
	DOUBLE_SRIOV = 0x140,
	DOUBLE_REGIONS_MAX = 64,
	DOUBLE_WRITES_MAX = 64,
};

struct double_region {
	uint64_t iova, va, size;
};

struct double_access {
	uint64_t offset, width, value;
};

struct double_state {
	uint8_t config[DEXT_CONFIG_SIZE];
	unsigned char *bars[DEXT_BARS]; /* memory, of the I/O BAR too */
	struct double_region regions[DOUBLE_REGIONS_MAX];
	size_t region_count;
	struct double_access config_writes[DOUBLE_WRITES_MAX];
	size_t config_write_count;
	struct double_access bar_calls[DOUBLE_WRITES_MAX];
	size_t bar_call_count;
	uint64_t irq_mask[DEXT_IRQ_WORDS];
	unsigned line_reads;	 /* of STATUS */
	void (*line_hook)(void); /* called by the first of them, once, without the lock */
	unsigned resets, connects, disconnects, mapped_bars, notifications;
	unsigned lent;		       /* descriptors of BARs */
	void (*descriptor_hook)(void); /* called once, when one was copied, without the lock */
	unsigned maps;		       /* how often a BAR has been mapped */
	bool master_at_reset;	       /* at the last reset */
	unsigned lent_at_reset;
	size_t regions_at_reset;
	/* Knobs. */
	kern_return_t failure; /* every call returns it, unless it is success */
	kern_return_t claim_result, register_result, reset_result, setup_result;
	uint64_t bus_offset;			     /* between iova and bus address */
	bool down;				     /* nobody can connect */
	kern_return_t descriptor_result, map_result; /* of BARs */
	uint64_t descriptor_skew;		     /* added to where in the file the BAR begins */
};

/** double_begin - a device fresh from the factory. */
void double_begin(void);
/** double_line_only - before anybody looks: a device without MSI and MSI-X. */
void double_line_only(void);
/** double_set_line - what STATUS shows of its interrupt pin. */
void double_set_line(bool asserted);
/** double_end - free what it has. */
void double_end(void);
/** double_stop - the driver service ends: connections are dead, the device as from the factory. */
void double_stop(void);
/** double_restart - it is there again. */
void double_restart(void);
/** double_lock - the state, locked. */
struct double_state *double_lock(void);
void double_unlock(void);
/** double_fire - raise a vector. */
void double_fire(unsigned vector);
/** double_wait_idle - wait until the handler has taken what was raised and armed again. */
void double_wait_idle(void);

#endif
