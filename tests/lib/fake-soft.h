/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fake of the framework of software devices, for unit tests of one device model. RAM is an
 * array; interrupts, DMA accesses and log lines of the model are recorded.
 */
#ifndef TESTS_LIB_FAKE_SOFT_H
#define TESTS_LIB_FAKE_SOFT_H

#include "provider/soft/soft.h"

#define FAKE_SOFT_RAM_BASE UINT64_C(0x100000)
#define FAKE_SOFT_RAM_SIZE (UINT64_C(16) << 20)

/**
 * fake_soft_create - create a device of @model; @text is TYPE,key=value,... as on a command line
 *
 * Return: NULL, with @error set, when the model refuses the specification.
 */
struct soft_device *fake_soft_create(
	const struct soft_model *model, const char *text, struct spec_error *error);
void fake_soft_destroy(struct soft_device *device);

/* The memory of the BAR that clients map. */
/* Reset the device; waits until the model has completed it. */
void fake_soft_reset(struct soft_device *device);
uint8_t *fake_soft_bar(struct soft_device *device);
const struct soft_identity *fake_soft_identity(struct soft_device *device);
unsigned fake_soft_msi_vectors(struct soft_device *device);
unsigned fake_soft_msix_vectors(struct soft_device *device);

/* Accesses to RAM by the host, by bus address. */
void fake_soft_ram_read(struct soft_device *device, uint64_t address, void *buffer, size_t length);
void fake_soft_ram_write(
	struct soft_device *device, uint64_t address, const void *buffer, size_t length);

unsigned fake_soft_irqs(struct soft_device *device, unsigned vector);
/* Number of DMA accesses of all kinds. */
uint64_t fake_soft_dma_count(struct soft_device *device);
uint64_t fake_soft_dma_faults(struct soft_device *device);
/* Also calls the model's command_changed. */
void fake_soft_set_bus_master(struct soft_device *device, bool on);

/* File transfers fail with this negative errno; 0: they succeed. */
void fake_soft_fail_files(struct soft_device *device, int error);
/* The page cache is empty: soft_dma_from_file() without may_wait fails with -EAGAIN. */
void fake_soft_set_uncached(struct soft_device *device, bool uncached);
/* Copy the last line of soft_log_always(). Return: the number of lines so far. */
unsigned fake_soft_log(struct soft_device *device, char *line, size_t size);
/* Called after each DMA write, on the model's thread; NULL removes it. */
void fake_soft_on_write(struct soft_device *device, void (*hook)(void *context), void *context);
/* Called before each DMA read of @address, on the model's thread; NULL removes it. */
void fake_soft_on_read(
	struct soft_device *device, void (*hook)(void *context, uint64_t address), void *context);
/* Called before each file transfer, on the model's thread. */
void fake_soft_on_file(struct soft_device *device, void (*hook)(void *context), void *context);

#endif
