/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/pci-info.h"

#include <stdbool.h>
#include <string.h>

static kern_return_t read_list(io_connect_t connection, struct vu_caps *caps)
{
	bool seen[PCI_CFG_SPACE_SIZE / 4] = { false };
	uint64_t value;
	kern_return_t status = apple_dext_config_read(connection, PCI_STATUS, 2, &value);

	if (status != kIOReturnSuccess || (value & PCI_STATUS_CAP_LIST) == 0)
		return status;
	status = apple_dext_config_read(connection, PCI_CAPABILITY_LIST, 1, &value);
	while (status == kIOReturnSuccess) {
		uint16_t at = value & 0xfc;

		if (at < PCI_STD_HEADER_SIZEOF || seen[at / 4])
			break;
		seen[at / 4] = true;
		status = apple_dext_config_read(connection, at, 2, &value);
		if (status != kIOReturnSuccess || (value & 0xff) == 0xff)
			break;
		caps->list[caps->count++] = (struct vu_cap){ .id = value & 0xff, .offset = at };
		value >>= 8;
	}
	return status;
}

static kern_return_t read_extended_list(io_connect_t connection, struct vu_caps *caps)
{
	bool seen[PCI_CFG_SPACE_EXP_SIZE / 4] = { false };
	uint16_t at = PCI_CFG_SPACE_SIZE;
	kern_return_t status = kIOReturnSuccess;

	while (at >= PCI_CFG_SPACE_SIZE && !seen[at / 4]) {
		uint64_t value;

		seen[at / 4] = true;
		status = apple_dext_config_read(connection, at, 4, &value);
		if (status != kIOReturnSuccess || value == 0 || value == 0xffffffff)
			break;
		caps->extended[caps->extended_count++] =
			(struct vu_cap){ .id = value & 0xffff, .offset = at };
		at = (value >> 20) & 0xffc;
	}
	return status;
}

/* Return: the offset of the first capability with this id, extended ones excluded, or 0. */
static uint16_t find_cap(const struct vu_caps *caps, uint16_t id)
{
	for (size_t i = 0; i < caps->count; i++)
		if (caps->list[i].id == id)
			return caps->list[i].offset;
	return 0;
}

static kern_return_t read_msi(io_connect_t connection, struct vu_pci_info *info)
{
	uint16_t at = find_cap(&info->caps, PCI_CAP_ID_MSI);
	uint64_t control;
	kern_return_t status;

	if (at == 0)
		return kIOReturnSuccess;
	status = apple_dext_config_read(connection, at + PCI_MSI_FLAGS, 2, &control);
	/* Multiple Message Capable: 6 and 7 are reserved, the maximum is 32 messages. */
	if (status == kIOReturnSuccess && ((control >> 1) & 7) <= 5)
		info->msi_vectors = 1u << ((control >> 1) & 7);
	return status;
}

static kern_return_t read_msix(io_connect_t connection, struct vu_pci_info *info)
{
	uint16_t at = find_cap(&info->caps, PCI_CAP_ID_MSIX);
	uint64_t control, table, pending;
	kern_return_t status;

	if (at == 0 || at + PCI_MSIX_TABLE + 8u > PCI_CFG_SPACE_SIZE)
		return kIOReturnSuccess;
	status = apple_dext_config_read(connection, at + PCI_MSIX_FLAGS, 2, &control);
	if (status == kIOReturnSuccess)
		status = apple_dext_config_read(connection, at + PCI_MSIX_TABLE, 4, &table);
	if (status == kIOReturnSuccess)
		status = apple_dext_config_read(connection, at + PCI_MSIX_TABLE + 4, 4, &pending);
	if (status != kIOReturnSuccess)
		return status;
	info->msix.vectors = (control & 0x7ff) + 1;
	info->msix.table_bar = table & 7;
	info->msix.table_offset = table & 0xfffffff8;
	info->msix.pending_bar = pending & 7;
	info->msix.pending_offset = pending & 0xfffffff8;
	return kIOReturnSuccess;
}

kern_return_t vu_pci_info_read(io_connect_t connection, struct vu_pci_info *info)
{
	const struct {
		uint64_t offset, width;
		uint32_t *value;
	} registers[] = {
		{ PCI_VENDOR_ID, 4, &info->ids },
		{ PCI_CLASS_REVISION, 4, &info->class },
		{ PCI_SUBSYSTEM_VENDOR_ID, 4, &info->subsystem },
		{ PCI_INTERRUPT_PIN, 1, &info->interrupt_pin },
	};
	kern_return_t status;

	memset(info, 0, sizeof(*info));
	info->config_size = PCI_CFG_SPACE_SIZE;
	status = read_list(connection, &info->caps);
	if (status == kIOReturnSuccess && find_cap(&info->caps, PCI_CAP_ID_EXP) != 0) {
		info->config_size = PCI_CFG_SPACE_EXP_SIZE;
		status = read_extended_list(connection, &info->caps);
	}
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		uint64_t value = 0;

		if (status == kIOReturnSuccess)
			status = apple_dext_config_read(
				connection, registers[i].offset, registers[i].width, &value);
		*registers[i].value = (uint32_t)value;
	}
	if (status == kIOReturnSuccess)
		status = read_msi(connection, info);
	if (status == kIOReturnSuccess)
		status = read_msix(connection, info);
	return status;
}
