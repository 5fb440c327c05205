/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A software device on the real framework, with the test in the place of the driver. An error
 * fails the current test.
 */
#ifndef TESTS_LIB_PROVIDER_RIG_H
#define TESTS_LIB_PROVIDER_RIG_H

#include "provider/spec.h"

#include <stdatomic.h>

#define RIG_MEMORY_SIZE (UINT64_C(1) << 20)
#define RIG_MEMORY_BUS	UINT64_C(0x100000)
#define RIG_VECTORS	2048

struct provider_rig {
	struct pci_provider *provider;
	uint8_t *memory; /* RIG_MEMORY_SIZE bytes, mapped for DMA */
	uint64_t bus;	 /* its bus address: RIG_MEMORY_BUS unless the IOMMU chose one */
	atomic_uint irqs[RIG_VECTORS];
};

/* Create the device, with memory mapped, and memory space and bus mastering enabled. */
void prig_open(struct provider_rig *rig, const char *spec);
void prig_close(struct provider_rig *rig);
/* Check that a specification is refused with an error that contains @part. */
void prig_refuses(const char *spec, const char *part);

uint32_t prig_config_read(struct provider_rig *rig, unsigned offset, unsigned width);
void prig_config_write(struct provider_rig *rig, unsigned offset, unsigned width, uint32_t value);
uint64_t prig_read(struct provider_rig *rig, unsigned bar, uint64_t offset, unsigned width);
void prig_write(
	struct provider_rig *rig, unsigned bar, uint64_t offset, unsigned width, uint64_t value);
/* Read until (value & @mask) == @value; fails the test after a minute. */
void prig_await(
	struct provider_rig *rig, unsigned bar, uint64_t offset, uint32_t mask, uint32_t value);
/* Count interrupts in irqs[]. */
void prig_irq_setup(struct provider_rig *rig, enum dext_interrupt_kind kind, unsigned vectors);
unsigned prig_irq_total(struct provider_rig *rig);
kern_return_t prig_reset(struct provider_rig *rig, enum pci_reset kind);
uint64_t prig_faults(struct provider_rig *rig);

#endif
