/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/config-view.h"

#include <errno.h>
#include <string.h>

/* Accesses of more bytes are to a block, and not to one or two registers. */
#define REGISTER_MAX 8

int vu_config_view_init(struct vu_config_view *view, struct vu_device *device)
{
	uint64_t command = 0;
	int error;

	memset(view, 0, sizeof(*view));
	view->device = device;
	error = vu_config_apply_rules(view);
	if (error == 0)
		error = vu_device_error(device,
			apple_dext_config_read(device->connection, PCI_COMMAND, 2, &command));
	view->command = (uint16_t)command;
	return error;
}

int vu_config_view_restore_command(struct vu_config_view *view)
{
	return vu_device_error(view->device,
		apple_dext_config_write(view->device->connection, PCI_COMMAND, 2, view->command));
}

void vu_config_view_reset_power_state(struct vu_config_view *view)
{
	if (view->power_control != 0)
		view->value[view->power_control] &= (uint8_t)~PCI_PM_CTRL_STATE_MASK;
}

/* The longest naturally aligned piece at the beginning of a stretch. */
static size_t piece(uint64_t offset, size_t count)
{
	if ((offset & 3) == 0 && count >= 4)
		return 4;
	return (offset & 1) == 0 && count >= 2 ? 2 : 1;
}

static bool all_own(const struct vu_config_view *view, uint64_t offset, size_t width)
{
	for (size_t i = 0; i < width; i++)
		if (view->own[offset + i] != 0xff)
			return false;
	return true;
}

/* Replace the view's own bits in what was read from the device. */
static void merge_own(
	const struct vu_config_view *view, uint64_t offset, uint8_t *data, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t own = view->own[offset + i];

		data[i] = (uint8_t)((view->value[offset + i] & own) | (data[i] & (uint8_t)~own));
	}
}

static int read_piece(struct vu_config_view *view, uint64_t offset, uint8_t *data, size_t width)
{
	uint64_t value = 0;
	int error = 0;

	if (!all_own(view, offset, width) && !vu_device_is_present(view->device))
		error = ENODEV;
	else if (!all_own(view, offset, width))
		error = vu_device_error(view->device,
			apple_dext_config_read(view->device->connection, offset, width, &value));
	if (error != 0)
		return error;
	for (size_t i = 0; i < width; i++)
		data[i] = (uint8_t)(value >> (8 * i));
	merge_own(view, offset, data, width);
	return 0;
}

int vu_config_read(struct vu_config_view *view, uint64_t offset, uint8_t *data, size_t count)
{
	int error = 0;

	if (count > REGISTER_MAX && vu_device_is_present(view->device)) {
		error = vu_device_error(
			view->device, apple_dext_config_read_block(
					      view->device->connection, offset, data, count));
		if (error == 0)
			merge_own(view, offset, data, count);
		return error;
	}
	while (count > 0 && error == 0) {
		size_t width = piece(offset, count);

		error = read_piece(view, offset, data, width);
		offset += width;
		data += width;
		count -= width;
	}
	return error;
}

static bool asks_for_reset(
	const struct vu_config_view *view, uint64_t offset, const uint8_t *data, size_t count)
{
	for (size_t i = 0; i < view->reset_count; i++) {
		uint64_t at = view->resets[i].offset;

		if (at >= offset && at - offset < count &&
			(data[at - offset] & view->resets[i].bit) != 0)
			return true;
	}
	return false;
}

static void write_own(
	struct vu_config_view *view, uint64_t offset, const uint8_t *data, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t change = view->own[offset + i] & view->writable[offset + i];

		view->value[offset + i] =
			(uint8_t)((view->value[offset + i] & ~change) | (data[i] & change));
	}
}

/*
 * Bytes with forwarded bits, as few and as wide writes as they allow: COMMAND
 * is written whole, and never together with STATUS beside it.
 */
static size_t forwarded_piece(const struct vu_config_view *view, uint64_t offset, size_t count)
{
	size_t run = 0;

	while (run < count && run < 4 && view->forwarded[offset + run] != 0)
		run++;
	return run == 0 ? 0 : piece(offset, run);
}

static int forward_piece(
	struct vu_config_view *view, uint64_t offset, const uint8_t *data, size_t width)
{
	uint64_t value = 0;
	int error = ENODEV;

	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)(data[i] & view->forwarded[offset + i]) << (8 * i);
	if (vu_device_is_present(view->device))
		error = vu_device_error(view->device,
			apple_dext_config_write(view->device->connection, offset, width, value));
	/* A device that is away gets it later: see vu_config_view_restore_command(). */
	if (error != 0 && vu_device_is_present(view->device))
		return error;
	for (size_t i = 0; i < width; i++) {
		if (offset + i == PCI_COMMAND)
			view->command = (uint16_t)((view->command & 0xff00) | data[i]);
		else if (offset + i == PCI_COMMAND + 1)
			view->command = (uint16_t)((view->command & 0x00ff) | data[i] << 8);
	}
	return error;
}

int vu_config_write(struct vu_config_view *view, uint64_t offset, const uint8_t *data, size_t count,
	bool *reset)
{
	int error = 0;

	*reset = asks_for_reset(view, offset, data, count);
	write_own(view, offset, data, count);
	while (count > 0 && error == 0) {
		size_t width = forwarded_piece(view, offset, count);

		if (width > 0)
			error = forward_piece(view, offset, data, width);
		else
			width = 1;
		offset += width;
		data += width;
		count -= width;
	}
	return error;
}
