/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking the driver about a device, and what follows from the answers. */
#include "tools/dextctl/format.h"
#include "tools/dextctl/view.h"

#include <inttypes.h>
#include <pci/pci.h>
#include <stdarg.h>
#include <stdlib.h>
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

/* --- As text ------------------------------------------------------------------------- */

/* A device as text, in lspci's words; what the driver knows beside it, in the same manner. */

/* One line "<label>  <text>", the labels of a device under each other; NULL goes on a list. */
static void line(FILE *out, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void line(FILE *out, const char *label, const char *format, ...)
{
	va_list arguments;

	fprintf(out, "\t%-14s", label ? label : "");
	va_start(arguments, format);
	vfprintf(out, format, arguments);
	va_end(arguments);
	fputc('\n', out);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static char sign(bool set)
{
	return set ? '+' : '-';
}

char *view_title(const struct view *view, struct names *names)
{
	const AppleDextIdentity *identity = &view->identity;
	char address[PCI_ADDRESS_SIZE], class_name[NAME_SIZE], device_name[NAME_SIZE];
	char revision[sizeof(" (rev ff)")] = "";

	format_address("", identity, address);
	if (view->config[PCI_REVISION_ID])
		snprintf(revision, sizeof(revision), " (rev %02x)", view->config[PCI_REVISION_ID]);
	return cli_format("%s %s: %s%s", address,
		names_class(names, identity->class_code, class_name),
		names_device(names, identity->vendor_id, identity->device_id, device_name),
		revision);
}

static void print_title(const struct view *view, struct names *names, FILE *out)
{
	unsigned interface = view->identity.class_code & 0xff;
	char *title = view_title(view, names), name[NAME_SIZE];

	fputs(title, out);
	free(title);
	if (names_find_interface(names, view->identity.class_code, name))
		fprintf(out, " (prog-if %02x [%s])", interface, name);
	else if (interface)
		fprintf(out, " (prog-if %02x)", interface);
	fputc('\n', out);
}

static void print_ids(const struct view *view, struct names *names, FILE *out)
{
	const AppleDextIdentity *identity = &view->identity;
	uint16_t vendor_id, subsystem_id;
	char vendor[NAME_SIZE], name[NAME_SIZE];

	line(out, "IDs:", "%04x:%04x, class %06x", identity->vendor_id, identity->device_id,
		identity->class_code & 0xffffffu);
	if (!view_subsystem(view, &vendor_id, &subsystem_id))
		return;
	if (!names_find_subsystem(
		    names, identity->vendor_id, identity->device_id, vendor_id, subsystem_id, name))
		snprintf(name, sizeof(name), "Device %04x", subsystem_id);
	if (names_find_vendor(names, vendor_id, vendor))
		line(out, "Subsystem:", "%s %s [%04x:%04x]", vendor, name, vendor_id, subsystem_id);
	else
		line(out, "Subsystem:", "%04x:%04x", vendor_id, subsystem_id);
}

static void print_control(const struct view *view, FILE *out)
{
	unsigned command = config_get16(view->config, PCI_COMMAND);

	line(out, "Control:", "I/O%c Mem%c BusMaster%c DisINTx%c", sign(command & PCI_COMMAND_IO),
		sign(command & PCI_COMMAND_MEMORY), sign(command & PCI_COMMAND_MASTER),
		sign(command & PCI_COMMAND_DISABLE_INTx));
}

/* As lspci writes it, but for the address, which the host keeps to itself. */
static void print_bar(unsigned index, const struct view_bar *bar, FILE *out)
{
	char label[] = "Region 255:", size[CLI_SIZE_SIZE];

	snprintf(label, sizeof(label), "Region %u:", index & 7u);
	cli_format_size(bar->size, size);
	if (bar->type & DEXT_BAR_IO)
		line(out, label, "I/O ports [size=%s]", size);
	else
		line(out, label, "Memory (%d-bit, %sprefetchable) [size=%s]",
			bar->type & DEXT_BAR_MEM64 ? 64 : 32,
			bar->type & DEXT_BAR_PREFETCHABLE ? "" : "non-", size);
}

static void print_interrupts(const struct view *view, FILE *out)
{
	struct view_interrupts interrupts = view_interrupts(view);

	if (!interrupts.known)
		line(out, "Interrupts:", "unknown");
	else if (interrupts.kind == DEXT_INTERRUPT_NONE)
		line(out, "Interrupts:", "none");
	else
		line(out, "Interrupts:", "%s, %u vector%s", view_interrupt_name(interrupts.kind),
			interrupts.vectors, plural(interrupts.vectors));
}

static void print_claim(const struct view *view, FILE *out)
{
	unsigned claims = view->status.claims, clients = view_other_clients(view);

	if (!view->status_known || !clients)
		line(out, "Claim:", "%s", view_claim(view));
	else if (claims && !view->status.claimed_exclusive)
		line(out, "Claim:", "claimed by %u client%s, opened by %u", claims, plural(claims),
			clients);
	else
		line(out, "Claim:", "%s, opened by %u client%s", view_claim(view), clients,
			plural(clients));
}

static void print_status(const struct view *view, FILE *out)
{
	const AppleDextStatus *status = &view->status;
	char size[CLI_SIZE_SIZE], faults[FAULTS_TEXT_SIZE];

	print_claim(view, out);
	if (!view->status_known)
		return;
	cli_format_size(status->dma_bytes, size);
	line(out, "DMA:", "%u region%s [size=%s], %s", status->dma_regions,
		plural(status->dma_regions), size, faults_text(status->dma_faults, faults));
	line(out, "Resets:", "%" PRIu64, status->resets);
}

static void print_limits(const struct view *view, FILE *out)
{
	char text[LIMITS_TEXT_SIZE];

	if (view->limits_known && limits_exist(&view->limits))
		line(out, "DMA limits:", "%s, %s", limits_kind(&view->limits),
			limits_use(&view->limits, text));
}

static void print_caps(const struct cap_list *list, FILE *out)
{
	const char *label = "Capabilities:";

	for (size_t i = 0; i < list->count; i++) {
		const struct cap *cap = &list->caps[i];

		if (cap->extended)
			line(out, label, "[%03x v%u] %s", cap->offset, cap->version, cap->text);
		else
			line(out, label, "[%02x] %s", cap->offset, cap->text);
		label = NULL;
	}
	if (list->broken[0])
		line(out, label, "<%s>", list->broken);
	else if (!list->count)
		line(out, label, "none");
}

void view_print(const struct view *view, struct names *names, FILE *out)
{
	char root[PCI_ADDRESS_SIZE];

	print_title(view, names, out);
	if (view_root(view, root))
		line(out, "Root:", "%s", root);
	print_ids(view, names, out);
	print_control(view, out);
	for (unsigned i = 0; i < DEXT_BARS; i++)
		if (view->bars[i].present)
			print_bar(i, &view->bars[i], out);
	print_interrupts(view, out);
	print_status(view, out);
	print_limits(view, out);
	print_caps(&view->caps, out);
}
