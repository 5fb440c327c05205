/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config space as the VMM sees it. Each bit is one of three kinds: the view's
 * own (the VMM reads what it wrote, the device knows nothing of it), forwarded
 * to the device, or read-only. Reads of what is not the view's own go to the
 * device. Which is which: config-rules.c.
 *
 * Threads: the session's alone.
 */
#ifndef VFIO_USER_CONFIG_VIEW_H
#define VFIO_USER_CONFIG_VIEW_H

#include "vfio-user/device.h"

/* A bit which, written as 1, asks for a function level reset, and reads as 0. */
struct vu_reset_bit {
	uint16_t offset; /* of its byte */
	uint8_t bit;
};
#define VU_RESET_BITS_MAX 4

struct vu_config_view {
	struct vu_device *device;
	uint8_t value[PCI_CFG_SPACE_EXP_SIZE];	   /* of the view's own bits */
	uint8_t own[PCI_CFG_SPACE_EXP_SIZE];	   /* bits: the view's own */
	uint8_t writable[PCI_CFG_SPACE_EXP_SIZE];  /* of these, those that the VMM changes */
	uint8_t forwarded[PCI_CFG_SPACE_EXP_SIZE]; /* bits: written on to the device */
	struct vu_reset_bit resets[VU_RESET_BITS_MAX];
	size_t reset_count;
	uint16_t power_control; /* where the power state is; 0: nowhere */
	uint16_t command;	/* COMMAND as the device has it, or is to have */
};

/**
 * vu_config_view_init - the view of a device that no VMM has touched
 *
 * Return: an errno or 0.
 */
int vu_config_view_init(struct vu_config_view *view, struct vu_device *device);

/** vu_config_view_restore_command - write COMMAND as the VMM last had it. Return: an errno or 0. */
int vu_config_view_restore_command(struct vu_config_view *view);

/** vu_config_view_reset_power_state - the device has been reset: it is at full power again. */
void vu_config_view_reset_power_state(struct vu_config_view *view);

/**
 * vu_config_read - read any stretch
 * @offset: with @count within the device's config space
 *
 * Return: an errno or 0.
 */
int vu_config_read(struct vu_config_view *view, uint64_t offset, uint8_t *data, size_t count);

/**
 * vu_config_write - write any stretch
 * @reset: set to true when that asks for a reset, which is the caller's to do
 *
 * Return: an errno or 0.
 */
int vu_config_write(struct vu_config_view *view, uint64_t offset, const uint8_t *data, size_t count,
	bool *reset);

/** vu_config_apply_rules - fill in which bit is of which kind (config-rules.c). Return: an errno or 0. */
int vu_config_apply_rules(struct vu_config_view *view);

#endif
