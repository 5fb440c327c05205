/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking the driver about a device, and what follows from the answers. */
#include "tools/dextctl/format.h"
#include "tools/dextctl/view.h"

#include <pci/pci.h>
#include <string.h>

static kern_return_t read_config(io_connect_t connection, struct view *view, size_t end)
{
	size_t begin = view->config_size;
	kern_return_t result =
		apple_dext_config_read_block(connection, begin, view->config + begin, end - begin);

	if (result == kIOReturnSuccess)
		view->config_size = end;
	caps_read(view->config, view->config_size, &view->caps);
	return result;
}

static kern_return_t read_bars(io_connect_t connection, struct view *view)
{
	for (uint8_t i = 0; i < DEXT_BARS; i++) {
		struct view_bar *bar = &view->bars[i];
		kern_return_t result =
			apple_dext_get_bar_info(connection, i, NULL, &bar->size, &bar->type);

		if (result != kIOReturnSuccess && result != kIOReturnNotFound)
			return result;
		bar->present = result == kIOReturnSuccess;
	}
	view->bars_known = true;
	return kIOReturnSuccess;
}

static kern_return_t read_status(io_connect_t connection, struct view *view)
{
	kern_return_t result = apple_dext_get_status(connection, &view->status);

	view->status_known = result == kIOReturnSuccess;
	return result == kIOReturnUnsupported ? kIOReturnSuccess : result;
}

static kern_return_t read_limits(io_connect_t connection, struct view *view)
{
	kern_return_t result = apple_dext_get_dma_limits(connection, &view->limits);

	view->limits_known = result == kIOReturnSuccess;
	return result == kIOReturnUnsupported ? kIOReturnSuccess : result;
}

kern_return_t view_read(io_connect_t connection, enum view_depth depth, struct view *view)
{
	kern_return_t result = read_status(connection, view);

	if (result == kIOReturnSuccess)
		result = read_config(connection, view, CAP_CONFIG_SMALL);
	if (result != kIOReturnSuccess || depth == VIEW_BRIEF)
		return result;
	if (caps_find(&view->caps, false, PCI_CAP_ID_EXP))
		result = read_config(connection, view, DEXT_CONFIG_SIZE);
	if (result == kIOReturnSuccess)
		result = read_bars(connection, view);
	if (result == kIOReturnSuccess)
		result = read_limits(connection, view);
	return result;
}

void view_address(const struct view *view, char text[PCI_ADDRESS_SIZE])
{
	format_address(view->root, &view->identity, text);
}

const char *view_root(const struct view *view, char text[PCI_ADDRESS_SIZE])
{
	if (!view->root[0])
		return NULL;
	view_address(view, text);
	*strchr(text, '/') = '\0';
	return text;
}

const char *view_claim(const struct view *view)
{
	if (!view->status_known)
		return "unknown";
	if (view->status.claimed_exclusive)
		return "exclusive";
	return view->status.claims ? "claimed" : "free";
}

unsigned view_other_clients(const struct view *view)
{
	/* The connection that asked is counted too. */
	return view->status.clients ? view->status.clients - 1 : 0;
}

/* The driver's choice, made again from the capabilities. */
static struct view_interrupts interrupts_from_config(const struct view *view)
{
	const struct cap *msix = caps_find(&view->caps, false, PCI_CAP_ID_MSIX);
	const struct cap *msi = caps_find(&view->caps, false, PCI_CAP_ID_MSI);

	if (msix)
		return (struct view_interrupts){ true, DEXT_INTERRUPT_MSIX,
			(unsigned)cap_fact_number(msix, "vectors", 0) };
	if (msi)
		return (struct view_interrupts){ true, DEXT_INTERRUPT_MSI,
			(unsigned)cap_fact_number(msi, "vectors", 0) };
	if (view->config_size && view->config[PCI_INTERRUPT_PIN])
		return (struct view_interrupts){ true, DEXT_INTERRUPT_INTX, 1 };
	return (struct view_interrupts){ view->config_size != 0, DEXT_INTERRUPT_NONE, 0 };
}

struct view_interrupts view_interrupts(const struct view *view)
{
	const AppleDextStatus *status = &view->status;

	if (!view->status_known || status->interrupt_kind > DEXT_INTERRUPT_MSIX)
		return interrupts_from_config(view);
	return (struct view_interrupts){ true, (enum dext_interrupt_kind)status->interrupt_kind,
		status->interrupt_vectors };
}

const char *view_interrupt_name(enum dext_interrupt_kind kind)
{
	static const char *const names[] = {
		[DEXT_INTERRUPT_NONE] = "none",
		[DEXT_INTERRUPT_INTX] = "INTx",
		[DEXT_INTERRUPT_MSI] = "MSI",
		[DEXT_INTERRUPT_MSIX] = "MSI-X",
	};

	return names[kind];
}

bool view_subsystem(const struct view *view, uint16_t *vendor_id, uint16_t *subsystem_id)
{
	if (!view->config_size || (view->config[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return false;
	*vendor_id = config_get16(view->config, PCI_SUBSYSTEM_VENDOR_ID);
	*subsystem_id = config_get16(view->config, PCI_SUBSYSTEM_ID);
	return *vendor_id && *vendor_id != 0xffff;
}
