/* SPDX-License-Identifier: BSD-3-Clause */
/* A software device's config space: bytes, and for each bit what a write does to it. */
#ifndef PROVIDER_SOFT_CONFIG_H
#define PROVIDER_SOFT_CONFIG_H

#include <dext-abi.h>
#include <stdint.h>

struct soft_config {
	uint8_t value[DEXT_CONFIG_SIZE];
	uint8_t writable[DEXT_CONFIG_SIZE];  /* bits that a write sets */
	uint8_t clearable[DEXT_CONFIG_SIZE]; /* bits that writing 1 clears */
	uint8_t power_on[DEXT_CONFIG_SIZE];  /* what a reset restores */
	unsigned last_capability;	     /* offset; 0: none yet */
	uint8_t capability_at[0x20];	     /* by id: where the first one was added, 0: nowhere */
	unsigned next_free;		     /* where the next capability goes */
};

void soft_config_init(struct soft_config *config);
/* Remember the present content as what resets restore. */
void soft_config_seal(struct soft_config *config);
void soft_config_reset(struct soft_config *config);

/* Raw access, little-endian, past all rules. */
uint32_t soft_config_get(const struct soft_config *config, unsigned offset, unsigned width);
void soft_config_set(struct soft_config *config, unsigned offset, unsigned width, uint32_t value);
void soft_config_set_writable(
	struct soft_config *config, unsigned offset, unsigned width, uint32_t mask);

/* A write as it comes from software. */
void soft_config_write(struct soft_config *config, unsigned offset, unsigned width, uint32_t value);

/* Append a capability of @size bytes to the list: its offset. */
unsigned soft_config_add_capability(struct soft_config *config, uint8_t id, unsigned size);
/* The offset of a capability that was added, 0 for none: whatever the list says by now. */
unsigned soft_config_find(const struct soft_config *config, uint8_t id);

#endif
