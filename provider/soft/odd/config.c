/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space: identity, BARs, and a capability list that can be broken on purpose. */
#include "common/pci-regs.h"
#include "provider/soft/odd/odd.h"

/* Vendor 0x1234 with an unused device ID; class: none of the defined ones. */
#define VENDOR_ID 0x1234
#define DEVICE_ID 0x0dd0
#define CLASS	  0xff0000

/* Targets of the last capability's next pointer. */
#define HEADER_OFFSET PCI_BASE_ADDRESS_0
#define LAST_OFFSET   0xfc

static bool add_bars(struct odd *odd, struct spec_error *error)
{
	struct soft_device *device = odd->device;

	soft_add_bar(device, ODD_BAR_IO, ODD_IO_SIZE, DEXT_BAR_IO, SOFT_BAR_CALLS, error);
	soft_set_memory_lock(device, &odd->lock);
	odd->buffer = soft_add_bar(device, ODD_BAR_BUFFER, ODD_BUFFER_SIZE, DEXT_BAR_PREFETCHABLE,
		SOFT_BAR_SHARED, error);
	if (!odd->buffer)
		return false;
	odd->memory = soft_add_bar(device, ODD_BAR_MEMORY, ODD_MEMORY_SIZE,
		DEXT_BAR_PREFETCHABLE | DEXT_BAR_MEM64, SOFT_BAR_SHARED, error);
	if (!odd->memory)
		return false;
	soft_add_bar(device, ODD_BAR_REGISTERS, ODD_REGISTERS_SIZE, 0, SOFT_BAR_CALLS, error);
	return true;
}

static void add_interrupts(struct odd *odd)
{
	const struct soft_interrupts *interrupts = &odd->options.interrupts;

	if (interrupts->kind == DEXT_INTERRUPT_MSIX)
		soft_add_msix_capability(odd->device, interrupts->vectors, ODD_BAR_REGISTERS,
			ODD_TABLE, ODD_BAR_REGISTERS, ODD_PBA);
	else if (interrupts->kind == DEXT_INTERRUPT_MSI)
		soft_add_msi_capability(odd->device, interrupts->vectors);
}

/* Set the next pointer of the capability at @last, the end of the list, to an invalid offset. */
static void break_list(struct odd *odd, unsigned first, unsigned last)
{
	const unsigned targets[ODD_CAPS_KINDS] = {
		[ODD_CAPS_SANE] = 0,
		[ODD_CAPS_LOOP] = first,
		[ODD_CAPS_SELF] = last,
		[ODD_CAPS_HEADER] = HEADER_OFFSET,
		[ODD_CAPS_END] = LAST_OFFSET,
	};

	soft_set_config(odd->device, last + 1, 1, targets[odd->options.caps]);
	/* A vendor-specific capability there claims to be longer than the rest of the space. */
	if (odd->options.caps == ODD_CAPS_END)
		soft_set_config(odd->device, LAST_OFFSET, 4, 0x00200009u);
}

static void add_capabilities(struct odd *odd)
{
	static const uint8_t first_data[] = { 'o', 'd', 'd' };
	struct soft_device *device = odd->device;
	unsigned power, last;

	power = soft_add_pm_capability(device);
	if (odd->options.resets[PCI_RESET_POWER] == ODD_RESET_OFF)
		soft_set_config(device, power + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET);
	soft_add_pcie_capability(device, odd->options.resets[PCI_RESET_FUNCTION] != ODD_RESET_OFF);
	add_interrupts(odd);
	soft_add_vendor_capability(device, first_data, sizeof(first_data));
	last = soft_add_vendor_capability(device, "", 0);
	break_list(odd, power, last);
}

bool odd_init_config(struct odd *odd, struct spec_error *error)
{
	const struct soft_identity identity = {
		.vendor_id = VENDOR_ID,
		.device_id = DEVICE_ID,
		.subsystem_vendor_id = VENDOR_ID,
		.subsystem_id = DEVICE_ID,
		.class_code = CLASS,
		.revision = 1,
		.interrupt_pin = odd->options.interrupts.kind != DEXT_INTERRUPT_NONE,
	};

	soft_set_identity(odd->device, &identity);
	if (!add_bars(odd, error))
		return false;
	add_capabilities(odd);
	return true;
}
