/* SPDX-License-Identifier: BSD-3-Clause */
#include "provider/soft/config.h"
#include "common/pci-regs.h"

#include <assert.h>
#include <string.h>

void soft_config_init(struct soft_config *config)
{
	memset(config, 0, sizeof(*config));
	config->next_free = 0x40;
	soft_config_set_writable(config, PCI_COMMAND, 2,
		PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
			PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	config->clearable[PCI_STATUS + 1] = 0xf9; /* the error bits */
	soft_config_set_writable(config, PCI_CACHE_LINE_SIZE, 1, 0xff);
	soft_config_set_writable(config, PCI_INTERRUPT_LINE, 1, 0xff);
}

void soft_config_seal(struct soft_config *config)
{
	memcpy(config->power_on, config->value, sizeof(config->power_on));
}

void soft_config_reset(struct soft_config *config)
{
	memcpy(config->value, config->power_on, sizeof(config->value));
}

uint32_t soft_config_get(const struct soft_config *config, unsigned offset, unsigned width)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value |= (uint32_t)config->value[offset + i] << (8 * i);
	return value;
}

void soft_config_set(struct soft_config *config, unsigned offset, unsigned width, uint32_t value)
{
	for (unsigned i = 0; i < width; i++)
		config->value[offset + i] = (uint8_t)(value >> (8 * i));
}

void soft_config_set_writable(
	struct soft_config *config, unsigned offset, unsigned width, uint32_t mask)
{
	for (unsigned i = 0; i < width; i++)
		config->writable[offset + i] = (uint8_t)(mask >> (8 * i));
}

void soft_config_write(struct soft_config *config, unsigned offset, unsigned width, uint32_t value)
{
	for (unsigned i = 0; i < width; i++) {
		unsigned at = offset + i;
		unsigned byte = value >> (8 * i) & 0xff;
		unsigned kept = config->value[at] & ~(unsigned)config->writable[at];

		kept &= ~(byte & config->clearable[at]);
		config->value[at] = (uint8_t)(kept | (byte & config->writable[at]));
	}
}

unsigned soft_config_add_capability(struct soft_config *config, uint8_t id, unsigned size)
{
	unsigned at = config->next_free;

	assert(at + size <= 0x100);
	config->value[at] = id;
	config->value[config->last_capability ? config->last_capability + 1 : PCI_CAPABILITY_LIST] =
		(uint8_t)at;
	config->value[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	if (id < sizeof(config->capability_at) && !config->capability_at[id])
		config->capability_at[id] = (uint8_t)at;
	config->last_capability = at;
	config->next_free = (at + size + 3) & ~3u;
	return at;
}

unsigned soft_config_find(const struct soft_config *config, uint8_t id)
{
	return id < sizeof(config->capability_at) ? config->capability_at[id] : 0;
}
