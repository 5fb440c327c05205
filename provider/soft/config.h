/* SPDX-License-Identifier: BSD-3-Clause */
/* The config space of a software device, with masks of writable and write-1-to-clear bits. */
#ifndef PROVIDER_SOFT_CONFIG_H
#define PROVIDER_SOFT_CONFIG_H

#include <dext-abi.h>
#include <stdint.h>

struct soft_config {
	uint8_t value[DEXT_CONFIG_SIZE];
	uint8_t writable[DEXT_CONFIG_SIZE];  /* read-write bits */
	uint8_t clearable[DEXT_CONFIG_SIZE]; /* write-1-to-clear bits */
	uint8_t power_on[DEXT_CONFIG_SIZE];  /* the content after a reset */
	unsigned last_capability;	     /* offset; 0: none yet */
	uint8_t capability_at[0x20];	     /* by id: offset of the first one added; 0: none */
	unsigned next_free;		     /* offset of the next capability */
};

void soft_config_init(struct soft_config *config);
/* Save the current content as the power-on state. */
void soft_config_seal(struct soft_config *config);
void soft_config_reset(struct soft_config *config);

/* Little-endian accesses that ignore the masks. */
uint32_t soft_config_get(const struct soft_config *config, unsigned offset, unsigned width);
void soft_config_set(struct soft_config *config, unsigned offset, unsigned width, uint32_t value);
void soft_config_set_writable(
	struct soft_config *config, unsigned offset, unsigned width, uint32_t mask);

/* A config write by software: the masks apply. */
void soft_config_write(struct soft_config *config, unsigned offset, unsigned width, uint32_t value);

/* Append a capability of @size bytes to the list. Return: its offset. */
unsigned soft_config_add_capability(struct soft_config *config, uint8_t id, unsigned size);
/* The offset of the first capability @id that was added, even if the list was changed; 0: none. */
unsigned soft_config_find(const struct soft_config *config, uint8_t id);

#endif
