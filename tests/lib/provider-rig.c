/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/provider-rig.h"
#include "common/pci-regs.h"
#include "tests/lib/cmocka-all.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void map_memory(struct provider_rig *rig)
{
	const struct dma_span span = {
		.length = RIG_MEMORY_SIZE,
		.host = rig->memory,
		.writable = true,
	};
	const struct dma_request request = {
		.iova = RIG_MEMORY_BUS,
		.length = RIG_MEMORY_SIZE,
		.spans = &span,
		.span_count = 1,
	};
	struct dma_segment segment;

	assert_int_equal(
		rig->provider->ops->dma_map(rig->provider, &request, &segment), kIOReturnSuccess);
	assert_int_equal(segment.length, RIG_MEMORY_SIZE);
	rig->bus = segment.bus_address;
}

void prig_open(struct provider_rig *rig, const char *spec)
{
	struct spec_error error = { .text = "" };

	memset(rig, 0, sizeof(*rig));
	rig->provider = provider_create(spec, &error);
	if (!rig->provider)
		fail_msg("%s", error.text);
	rig->memory = aligned_alloc(16384, RIG_MEMORY_SIZE);
	assert_non_null(rig->memory);
	memset(rig->memory, 0, RIG_MEMORY_SIZE);
	map_memory(rig);
	assert_int_equal(rig->provider->ops->open(rig->provider), kIOReturnSuccess);
	prig_config_write(
		rig, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void prig_close(struct provider_rig *rig)
{
	rig->provider->ops->irq_teardown(rig->provider);
	rig->provider->ops->close(rig->provider);
	rig->provider->ops->destroy(rig->provider);
	free(rig->memory);
}

void prig_refuses(const char *spec, const char *part)
{
	struct spec_error error = { .text = "" };
	struct pci_provider *provider = provider_create(spec, &error);

	if (provider)
		fail_msg("%s: not refused", spec);
	if (!strstr(error.text, part))
		fail_msg("%s: \"%s\" does not say \"%s\"", spec, error.text, part);
	assert_null(strchr(error.text, '\n'));
}

uint32_t prig_config_read(struct provider_rig *rig, unsigned offset, unsigned width)
{
	uint32_t value = 0;

	assert_int_equal(rig->provider->ops->config_read(rig->provider, offset, width, &value),
		kIOReturnSuccess);
	return value;
}

void prig_config_write(struct provider_rig *rig, unsigned offset, unsigned width, uint32_t value)
{
	assert_int_equal(rig->provider->ops->config_write(rig->provider, offset, width, value),
		kIOReturnSuccess);
}

uint64_t prig_read(struct provider_rig *rig, unsigned bar, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	assert_int_equal(rig->provider->ops->bar_read(rig->provider, bar, offset, width, &value),
		kIOReturnSuccess);
	return value;
}

void prig_write(
	struct provider_rig *rig, unsigned bar, uint64_t offset, unsigned width, uint64_t value)
{
	assert_int_equal(rig->provider->ops->bar_write(rig->provider, bar, offset, width, value),
		kIOReturnSuccess);
}

void prig_await(
	struct provider_rig *rig, unsigned bar, uint64_t offset, uint32_t mask, uint32_t value)
{
	for (unsigned i = 0; i < 60000; i++) {
		if ((prig_read(rig, bar, offset, 4) & mask) == value)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	fail_msg("BAR %u, %#llx: never %#x in %#x", bar, (unsigned long long)offset, value, mask);
}

static void count(void *context, unsigned vector)
{
	struct provider_rig *rig = context;

	atomic_fetch_add(&rig->irqs[vector], 1);
}

void prig_irq_setup(struct provider_rig *rig, enum dext_interrupt_kind kind, unsigned vectors)
{
	assert_int_equal(rig->provider->ops->irq_setup(rig->provider, kind, vectors, count, rig),
		kIOReturnSuccess);
}

unsigned prig_irq_total(struct provider_rig *rig)
{
	unsigned total = 0;

	for (unsigned vector = 0; vector < RIG_VECTORS; vector++)
		total += atomic_load(&rig->irqs[vector]);
	return total;
}

kern_return_t prig_reset(struct provider_rig *rig, enum pci_reset kind)
{
	return rig->provider->ops->reset(rig->provider, kind);
}

uint64_t prig_faults(struct provider_rig *rig)
{
	return rig->provider->ops->dma_faults(rig->provider);
}
