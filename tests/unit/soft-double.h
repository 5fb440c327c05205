/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stand-in for the framework of software devices, for units of one device model: its
 * memory is an array, and what the model does to the world is recorded.
 */
#ifndef TESTS_UNIT_SOFT_DOUBLE_H
#define TESTS_UNIT_SOFT_DOUBLE_H

#include "provider/soft/soft.h"

#define DOUBLE_RAM_BASE UINT64_C(0x100000)
#define DOUBLE_RAM_SIZE (UINT64_C(16) << 20)

/**
 * double_create - make a device of @model; @text is TYPE,key=value,... as for a user
 *
 * Return: NULL, with @error filled in, when the model refuses.
 */
struct soft_device *double_create(
	const struct soft_model *model, const char *text, struct spec_error *error);
void double_destroy(struct soft_device *device);

/* The memory that clients of the BAR map. */
/* A reset, which the model must come to the end of. */
void double_reset(struct soft_device *device);
uint8_t *double_bar(struct soft_device *device);
const struct soft_identity *double_identity(struct soft_device *device);
unsigned double_msi_vectors(struct soft_device *device);
unsigned double_msix_vectors(struct soft_device *device);

/* The host's own accesses of its RAM, by bus address. */
void double_ram_read(struct soft_device *device, uint64_t address, void *buffer, size_t length);
void double_ram_write(
	struct soft_device *device, uint64_t address, const void *buffer, size_t length);

unsigned double_irqs(struct soft_device *device, unsigned vector);
/* Accesses by DMA, all kinds. */
uint64_t double_dma_count(struct soft_device *device);
uint64_t double_dma_faults(struct soft_device *device);
/* Calls the model's command_changed as well. */
void double_set_bus_master(struct soft_device *device, bool on);

/* File transfers fail with this negative errno; 0: they work. */
void double_fail_files(struct soft_device *device, int error);
/* The last line of soft_log_always(). Return: how many there were. */
unsigned double_log(struct soft_device *device, char *line, size_t size);
/* Called after each write by DMA, on the model's thread; NULL: no more. */
void double_on_write(struct soft_device *device, void (*hook)(void *context), void *context);
/* Called before each read by DMA of @address, on the model's thread; NULL: no more. */
void double_on_read(
	struct soft_device *device, void (*hook)(void *context, uint64_t address), void *context);
/* Called before each file transfer, on the model's thread. */
void double_on_file(struct soft_device *device, void (*hook)(void *context), void *context);

#endif
