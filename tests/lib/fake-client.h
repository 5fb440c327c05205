/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fake of the client library: apple_dext_*() on one device in memory, at 01:00.0, with MSI-X,
 * MSI, INTx, power management and PCI Express.
 *
 * BAR0 is memory, 64-bit, with the MSI-X table at 0x2000 and the PBA at 0x3000; BAR2 is I/O; BAR4
 * is memory, 32-bit. Tests read and change the state under fake_client_lock() while a server runs.
 */
#ifndef TESTS_LIB_FAKE_CLIENT_H
#define TESTS_LIB_FAKE_CLIENT_H

#include <apple-dext-client.h>
#include <dext-abi.h>

enum {
	FAKE_BAR0_SIZE = 0x4000,
	FAKE_BAR2_SIZE = 0x20,
	FAKE_BAR4_SIZE = 0x1000,
	FAKE_MSIX_TABLE = 0x2000,
	FAKE_MSIX_PENDING = 0x3000,
	FAKE_MSIX_VECTORS = 40,
	FAKE_MSI_VECTORS = 8,
	FAKE_PM = 0x40,
	FAKE_MSI = 0x50,
	FAKE_PCIE = 0x70,
	FAKE_MSIX = 0xb0,
	FAKE_VENDOR = 0xc0, /* vendor-specific capability */
	FAKE_AER = 0x100,
	FAKE_SRIOV = 0x140,
	FAKE_REGIONS_MAX = 64,
	FAKE_WRITES_MAX = 64,
};

struct fake_client_region {
	uint64_t iova, va, size;
	void *mapping; /* of a descriptor: also at va; else NULL */
};

struct fake_client_access {
	uint64_t offset, width, value;
};

struct fake_client {
	uint8_t config[DEXT_CONFIG_SIZE];
	unsigned char *bars[DEXT_BARS]; /* memory of each BAR, also of the I/O BAR */
	struct fake_client_region regions[FAKE_REGIONS_MAX];
	size_t region_count;
	unsigned batches, fd_batches; /* calls that register by address, by descriptor */
	unsigned unregistrations, unregister_batches; /* calls */
	unsigned block_reads;			      /* calls of apple_dext_config_read_block() */
	struct fake_client_access config_writes[FAKE_WRITES_MAX];
	size_t config_write_count;
	struct fake_client_access bar_calls[FAKE_WRITES_MAX];
	size_t bar_call_count;
	uint64_t irq_mask[DEXT_IRQ_WORDS];
	/* Given to apple_dext_set_interrupt_eventfds(), and signalled by write(). */
	int eventfds[FAKE_MSIX_VECTORS]; /* duplicates; -1: none */
	unsigned eventfd_calls;
	unsigned line_reads;	 /* reads of the STATUS register */
	void (*line_hook)(void); /* called once, by the first of these reads, without the lock */
	unsigned resets, connects, disconnects, mapped_bars, notifications;
	unsigned descriptors_out;      /* BAR descriptors copied and not returned */
	void (*descriptor_hook)(void); /* called once, after a copy, without the lock */
	unsigned maps;		       /* calls of apple_dext_map_bar() */
	bool master_at_reset;	       /* Bus Master Enable at the last reset */
	unsigned descriptors_at_reset;
	size_t regions_at_reset;
	/* Set by tests. */
	kern_return_t failure; /* result of every call, unless it is success */
	kern_return_t eventfd_result;
	kern_return_t claim_result, register_result, reset_result, setup_result;
	bool takes_no_fds;			     /* DMA memory by address only */
	uint64_t bus_offset;			     /* bus address minus iova */
	bool down;				     /* connecting fails */
	kern_return_t descriptor_result, map_result; /* results for BARs */
	kern_return_t memory_status_result;	     /* result of the query of memory status */
	kern_return_t status_result;		     /* result of apple_dext_get_status() */
	bool polls_bars;			     /* in that status */
	kern_return_t gone_result;		     /* result of calls on a dead connection */
	uint64_t descriptor_skew;		     /* added to the BAR's offset in its file */
};

/** fake_client_begin - initialize the fake, as a device after power-on. */
void fake_client_begin(void);
/** fake_client_line_only - hide MSI and MSI-X. Call it before a client connects. */
void fake_client_line_only(void);
/** fake_client_set_line - set the Interrupt Status bit of STATUS. */
void fake_client_set_line(bool asserted);
/** fake_client_end - free the state. */
void fake_client_end(void);
/** fake_client_stop - end the driver service: connections fail, the device is as after power-on. */
void fake_client_stop(void);
/** fake_client_restart - start the driver service again. */
void fake_client_restart(void);
/** fake_client_lock - lock the state and return it. */
struct fake_client *fake_client_lock(void);
void fake_client_unlock(void);
/** fake_client_fire - raise a vector. */
void fake_client_fire(unsigned vector);
/** fake_client_wait_idle - wait until the handler has read the pending bits and rearmed. */
void fake_client_wait_idle(void);

#endif
