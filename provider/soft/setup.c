/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions for a model's create: identity, BARs, capabilities. */
#include "common/pci-regs.h"
#include "provider/soft/device.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void soft_set_private(struct soft_device *device, void *state)
{
	device->private = state;
}

void *soft_private(struct soft_device *device)
{
	return device->private;
}

void soft_set_identity(struct soft_device *device, const struct soft_identity *identity)
{
	struct soft_config *config = &device->config;

	soft_config_set(config, PCI_VENDOR_ID, 2, identity->vendor_id);
	soft_config_set(config, PCI_DEVICE_ID, 2, identity->device_id);
	soft_config_set(config, PCI_REVISION_ID, 1, identity->revision);
	soft_config_set(config, PCI_CLASS_PROG, 1, identity->class_code & 0xff);
	soft_config_set(config, PCI_CLASS_PROG + 1, 2, identity->class_code >> 8);
	soft_config_set(config, PCI_SUBSYSTEM_VENDOR_ID, 2, identity->subsystem_vendor_id);
	soft_config_set(config, PCI_SUBSYSTEM_ID, 2, identity->subsystem_id);
	soft_config_set(config, PCI_INTERRUPT_PIN, 1, identity->interrupt_pin);
}

void soft_set_memory_lock(struct soft_device *device, pthread_mutex_t *lock)
{
	device->memory_lock = lock;
}

void *soft_add_bar(struct soft_device *device, unsigned bar, uint64_t size, uint8_t type,
	enum soft_bar_memory memory, struct spec_error *error)
{
	struct soft_config *config = &device->config;
	unsigned at = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint64_t address_bits = ~(size - 1);

	assert(bar < DEXT_BARS && size >= 4 && (size & (size - 1)) == 0);
	assert(memory != SOFT_BAR_SHARED || device->memory_lock);
	if (memory == SOFT_BAR_SHARED && !soft_bar_create(&device->bars[bar], size)) {
		spec_fail(error, "no memory for a BAR of %llu bytes (%s)", (unsigned long long)size,
			strerror(errno));
		return NULL;
	}
	device->provider.bars[bar] = (struct pci_bar){ true, type, size };
	soft_config_set(config, at, 4, type);
	soft_config_set_writable(
		config, at, 4, (uint32_t)address_bits & ~(type & DEXT_BAR_IO ? 3u : 15u));
	if (!(type & DEXT_BAR_IO) && (type & DEXT_BAR_MEM64))
		soft_config_set_writable(config, at + 4, 4, (uint32_t)(address_bits >> 32));
	return device->bars[bar].memory;
}

unsigned soft_add_pm_capability(struct soft_device *device)
{
	unsigned at = soft_config_add_capability(&device->config, PCI_CAP_ID_PM, 8);

	soft_config_set(&device->config, at + PCI_PM_PMC, 2, 3); /* version 1.2 of PM */
	soft_config_set_writable(&device->config, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
	return at;
}

unsigned soft_add_pcie_capability(struct soft_device *device, bool flr)
{
	struct soft_config *config = &device->config;
	unsigned at = soft_config_add_capability(config, PCI_CAP_ID_EXP, 60);

	soft_config_set(config, at + PCI_EXP_FLAGS, 2, 0x0002); /* version 2, endpoint */
	/* Role-based error reporting, payloads of 128 bytes. */
	soft_config_set(config, at + PCI_EXP_DEVCAP, 4, 0x8000u | (flr ? PCI_EXP_DEVCAP_FLR : 0));
	soft_config_set_writable(config, at + PCI_EXP_DEVCTL, 2, 0x7fffu);
	soft_config_set(config, at + PCI_EXP_DEVCTL, 2, 0x2810u); /* power-on defaults */
	config->clearable[at + PCI_EXP_DEVSTA] = 0x0f;
	soft_config_set(
		config, at + PCI_EXP_LNKCAP, 4, 0x00000c11u); /* x1, 2.5 GT/s, ASPM as L0s and L1 */
	soft_config_set_writable(config, at + PCI_EXP_LNKCTL, 2, 0x00c3u);
	soft_config_set(config, at + PCI_EXP_LNKSTA, 2, 0x0011u);
	soft_config_set_writable(config, at + PCI_EXP_DEVCTL2, 2, 0x001fu);
	return at;
}

unsigned soft_add_msi_capability(struct soft_device *device, unsigned vectors)
{
	struct soft_config *config = &device->config;
	unsigned at = soft_config_add_capability(config, PCI_CAP_ID_MSI, 14);
	unsigned log2 = 0;

	while (1u << log2 < vectors)
		log2++;
	soft_config_set(config, at + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT | log2 << 1);
	soft_config_set_writable(
		config, at + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	soft_config_set_writable(config, at + 4, 4, ~3u);
	soft_config_set_writable(config, at + 8, 4, ~0u);
	soft_config_set_writable(config, at + 12, 2, 0xffffu);
	return at;
}

unsigned soft_add_msix_capability(struct soft_device *device, unsigned vectors, unsigned table_bar,
	uint32_t table_offset, unsigned pba_bar, uint32_t pba_offset)
{
	struct soft_config *config = &device->config;
	unsigned at = soft_config_add_capability(config, PCI_CAP_ID_MSIX, 12);

	soft_config_set(config, at + PCI_MSIX_FLAGS, 2, vectors - 1);
	soft_config_set_writable(
		config, at + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	soft_config_set(config, at + PCI_MSIX_TABLE, 4, table_offset | table_bar);
	soft_config_set(config, at + PCI_MSIX_PBA, 4, pba_offset | pba_bar);
	return at;
}

unsigned soft_add_vendor_capability(struct soft_device *device, const void *data, uint8_t length)
{
	struct soft_config *config = &device->config;
	unsigned size = length + 3u;
	unsigned at;

	assert(size <= UINT8_MAX);
	at = soft_config_add_capability(config, PCI_CAP_ID_VNDR, size);
	soft_config_set(config, at + 2, 1, size);
	memcpy(&config->value[at + 3], data, length);
	return at;
}

void soft_set_config(struct soft_device *device, unsigned offset, unsigned width, uint32_t value)
{
	assert(width <= 4 && offset <= DEXT_CONFIG_SIZE - width);
	soft_config_set(&device->config, offset, width, value);
}
