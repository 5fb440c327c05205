/* SPDX-License-Identifier: BSD-3-Clause */
/* A device as it is shown: reading it, and printing it as text and as JSON. */
#include "tools/dextctl/view.h"
#include "tools/dextctl/format.h"

#include <inttypes.h>
#include <pci/pci.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Read config space up to @end. */
static kern_return_t read_config(io_connect_t connection, struct view *view, size_t end)
{
	size_t begin = view->config_size;
	kern_return_t status =
		apple_dext_config_read_block(connection, begin, view->config + begin, end - begin);

	if (status == kIOReturnSuccess)
		view->config_size = end;
	caps_read(view->config, view->config_size, &view->caps);
	return status;
}

static kern_return_t read_bars(io_connect_t connection, struct view *view)
{
	for (uint8_t i = 0; i < DEXT_BARS; i++) {
		struct view_bar *bar = &view->bars[i];
		kern_return_t status =
			apple_dext_get_bar_info(connection, i, NULL, &bar->size, &bar->type);

		if (status != kIOReturnSuccess && status != kIOReturnNotFound)
			return status;
		bar->present = status == kIOReturnSuccess;
	}
	view->bars_known = true;
	return kIOReturnSuccess;
}

kern_return_t view_read(io_connect_t connection, enum view_depth depth, struct view *view)
{
	kern_return_t status = apple_dext_get_status(connection, &view->status);

	view->status_known = status == kIOReturnSuccess;
	if (status == kIOReturnSuccess || status == kIOReturnUnsupported)
		status = read_config(connection, view, CAP_CONFIG_SMALL);
	if (status != kIOReturnSuccess || depth == VIEW_BRIEF)
		return status;
	if (caps_find(&view->caps, false, PCI_CAP_ID_EXP))
		status = read_config(connection, view, DEXT_CONFIG_SIZE);
	if (status == kIOReturnSuccess)
		status = read_bars(connection, view);
	if (status != kIOReturnSuccess)
		return status;
	status = apple_dext_get_dma_limits(connection, &view->limits);
	view->limits_known = status == kIOReturnSuccess;
	return status == kIOReturnUnsupported ? kIOReturnSuccess : status;
}

void view_address(const struct view *view, char text[PCI_ADDRESS_SIZE])
{
	format_address(view->root, &view->identity, text);
}

/* The PCI root in printable characters, in @text; NULL if the device has none. */
static const char *printable_root(const struct view *view, char text[PCI_ADDRESS_SIZE])
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

/* Without the connection of dextctl itself. */
static unsigned other_clients(const struct view *view)
{
	return view->status.clients ? view->status.clients - 1 : 0;
}

struct view_interrupts view_interrupts(const struct view *view)
{
	const struct cap *msix = caps_find(&view->caps, false, PCI_CAP_ID_MSIX);
	const struct cap *msi = caps_find(&view->caps, false, PCI_CAP_ID_MSI);
	const AppleDextStatus *status = &view->status;

	if (view->status_known && status->interrupt_kind <= DEXT_INTERRUPT_MSIX)
		return (struct view_interrupts){ true,
			(enum dext_interrupt_kind)status->interrupt_kind,
			status->interrupt_vectors };
	if (msix)
		return (struct view_interrupts){ true, DEXT_INTERRUPT_MSIX,
			(unsigned)cap_field_number(msix, "vectors", 0) };
	if (msi)
		return (struct view_interrupts){ true, DEXT_INTERRUPT_MSI,
			(unsigned)cap_field_number(msi, "vectors", 0) };
	if (view->config_size && view->config[PCI_INTERRUPT_PIN])
		return (struct view_interrupts){ true, DEXT_INTERRUPT_INTX, 1 };
	return (struct view_interrupts){ view->config_size != 0, DEXT_INTERRUPT_NONE, 0 };
}

/* In text and in JSON. */
static const char *const interrupt_names[][2] = {
	[DEXT_INTERRUPT_NONE] = { "none", "none" },
	[DEXT_INTERRUPT_INTX] = { "INTx", "intx" },
	[DEXT_INTERRUPT_MSI] = { "MSI", "msi" },
	[DEXT_INTERRUPT_MSIX] = { "MSI-X", "msi-x" },
};

const char *view_interrupt_name(enum dext_interrupt_kind kind)
{
	return interrupt_names[kind][0];
}

/* Return: false if the device has no subsystem IDs. */
static bool find_subsystem(const struct view *view, uint16_t *vendor_id, uint16_t *subsystem_id)
{
	if (!view->config_size || (view->config[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return false;
	*vendor_id = config_get16(view->config, PCI_SUBSYSTEM_VENDOR_ID);
	*subsystem_id = config_get16(view->config, PCI_SUBSYSTEM_ID);
	return *vendor_id && *vendor_id != 0xffff;
}

/* --- As text, in the words of lspci ------------------------------------------------- */

/* Print a label and a text; the label of a list is NULL in all lines but the first. */
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
	if (!find_subsystem(view, &vendor_id, &subsystem_id))
		return;
	if (!names_find_subsystem(
		    names, identity->vendor_id, identity->device_id, vendor_id, subsystem_id, name))
		snprintf(name, sizeof(name), "Device %04x", subsystem_id);
	if (names_find_vendor(names, vendor_id, vendor))
		line(out, "Subsystem:", "%s %s [%04x:%04x]", vendor, name, vendor_id, subsystem_id);
	else
		line(out, "Subsystem:", "%04x:%04x", vendor_id, subsystem_id);
}

/* The command register and the BARs, whose addresses the host owns. */
static void print_regions(const struct view *view, FILE *out)
{
	unsigned command = config_get16(view->config, PCI_COMMAND);
	char label[sizeof("Region 4294967295:")], size[CLI_SIZE_SIZE];

	line(out, "Control:", "I/O%c Mem%c BusMaster%c DisINTx%c", sign(command & PCI_COMMAND_IO),
		sign(command & PCI_COMMAND_MEMORY), sign(command & PCI_COMMAND_MASTER),
		sign(command & PCI_COMMAND_DISABLE_INTx));
	for (unsigned i = 0; i < DEXT_BARS; i++) {
		const struct view_bar *bar = &view->bars[i];

		if (!bar->present)
			continue;
		snprintf(label, sizeof(label), "Region %u:", i);
		cli_format_size(bar->size, size);
		if (bar->type & DEXT_BAR_IO)
			line(out, label, "I/O ports [size=%s]", size);
		else
			line(out, label, "Memory (%d-bit, %sprefetchable) [size=%s]",
				bar->type & DEXT_BAR_MEM64 ? 64 : 32,
				bar->type & DEXT_BAR_PREFETCHABLE ? "" : "non-", size);
	}
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

static void print_use(const struct view *view, FILE *out)
{
	const AppleDextStatus *status = &view->status;
	char size[CLI_SIZE_SIZE], faults[FAULTS_TEXT_SIZE], limits[LIMITS_TEXT_SIZE];
	unsigned claims = status->claims, clients = other_clients(view);

	if (!view->status_known || !clients)
		line(out, "Claim:", "%s", view_claim(view));
	else if (claims && !status->claimed_exclusive)
		line(out, "Claim:", "claimed by %u client%s, opened by %u", claims, plural(claims),
			clients);
	else
		line(out, "Claim:", "%s, opened by %u client%s", view_claim(view), clients,
			plural(clients));
	if (view->status_known) {
		cli_format_size(status->dma_bytes, size);
		line(out, "DMA:", "%u region%s [size=%s], %s", status->dma_regions,
			plural(status->dma_regions), size, faults_text(status->dma_faults, faults));
		line(out, "Resets:", "%" PRIu64, status->resets);
	}
	if (view->limits_known && limits_exist(&view->limits))
		line(out, "DMA limits:", "%s, %s", limits_kind(&view->limits),
			limits_use(&view->limits, limits));
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
	if (printable_root(view, root))
		line(out, "Root:", "%s", root);
	print_ids(view, names, out);
	print_regions(view, out);
	print_interrupts(view, out);
	print_use(view, out);
	print_caps(&view->caps, out);
}

/* --- As JSON: keys are documented in dextctl(1), and never changed or removed ----------- */

static void put_identity(struct json_object *object, const struct view *view, struct names *names)
{
	const AppleDextIdentity *identity = &view->identity;
	char address[PCI_ADDRESS_SIZE], root[PCI_ADDRESS_SIZE], name[NAME_SIZE];

	view_address(view, address);
	json_put_text(object, "address", address);
	json_put_text(object, "root", printable_root(view, root));
	json_put_hex(object, "vendor_id", 4, identity->vendor_id);
	json_put_hex(object, "device_id", 4, identity->device_id);
	json_put_hex(object, "class_code", 6, identity->class_code & 0xffffffu);
	if (view->config_size)
		json_put_hex(object, "revision", 2, view->config[PCI_REVISION_ID]);
	else
		json_put_null(object, "revision");
	json_put_text(object, "vendor_name", names_find_vendor(names, identity->vendor_id, name));
	json_put_text(object, "device_name",
		names_find_device(names, identity->vendor_id, identity->device_id, name));
	json_put_text(object, "class_name", names_find_class(names, identity->class_code, name));
}

static void put_use(struct json_object *object, const struct view *view)
{
	struct view_interrupts interrupts = view_interrupts(view);
	struct json_object *claim = json_put_object(object, "claim");
	struct json_object *irq = json_put_object(object, "interrupts");

	json_put_text(claim, "state", view_claim(view));
	if (view->status_known) {
		json_put_number(claim, "claims", view->status.claims);
		json_put_number(claim, "clients", other_clients(view));
	} else {
		json_put_null(claim, "claims");
		json_put_null(claim, "clients");
	}
	if (interrupts.known) {
		json_put_text(irq, "kind", interrupt_names[interrupts.kind][1]);
		json_put_number(irq, "vectors", interrupts.vectors);
	} else {
		json_put_text(irq, "kind", "unknown");
		json_put_null(irq, "vectors");
	}
}

static void put_subsystem(struct json_object *object, const struct view *view, struct names *names)
{
	const AppleDextIdentity *identity = &view->identity;
	uint16_t vendor_id, subsystem_id;
	struct json_object *subsystem;
	char name[NAME_SIZE];

	if (!find_subsystem(view, &vendor_id, &subsystem_id)) {
		json_put_null(object, "subsystem");
		return;
	}
	subsystem = json_put_object(object, "subsystem");
	json_put_hex(subsystem, "vendor_id", 4, vendor_id);
	json_put_hex(subsystem, "device_id", 4, subsystem_id);
	json_put_text(subsystem, "vendor_name", names_find_vendor(names, vendor_id, name));
	json_put_text(subsystem, "device_name",
		names_find_subsystem(names, identity->vendor_id, identity->device_id, vendor_id,
			subsystem_id, name));
}

static void put_bars(struct json_object *object, const struct view *view)
{
	struct json_object *bars = json_put_array(object, "bars");

	for (unsigned i = 0; i < DEXT_BARS; i++) {
		const struct view_bar *from = &view->bars[i];
		struct json_object *bar;
		bool io = from->type & DEXT_BAR_IO;

		if (!from->present)
			continue;
		bar = json_add_object(bars);
		json_put_number(bar, "bar", i);
		json_put_text(bar, "kind", io ? "io" : "memory");
		json_put_number(bar, "bits", !io && from->type & DEXT_BAR_MEM64 ? 64 : 32);
		json_put_bool(bar, "prefetchable", !io && from->type & DEXT_BAR_PREFETCHABLE);
		json_put_number(bar, "size", from->size);
	}
}

static void put_caps(struct json_object *object, const struct cap_list *list)
{
	struct json_object *caps = json_put_array(object, "capabilities");

	for (size_t i = 0; i < list->count; i++) {
		const struct cap *from = &list->caps[i];
		struct json_object *cap = json_add_object(caps), *details;

		json_put_hex(cap, "id", from->extended ? 4 : 2, from->id);
		json_put_bool(cap, "extended", from->extended);
		json_put_number(cap, "offset", from->offset);
		json_put_text(cap, "name", from->name);
		json_put_text(cap, "text", from->text);
		details = json_put_object(cap, "details");
		if (from->extended)
			json_put_number(details, "version", from->version);
		for (const struct cap_field *field = from->fields;
			field < from->fields + from->field_count; field++) {
			if (field->kind == CAP_FIELD_NUMBER)
				json_put_number(details, field->key, field->number);
			else if (field->kind == CAP_FIELD_BOOL)
				json_put_bool(details, field->key, field->number);
			else
				json_put_text(details, field->key, field->text);
		}
	}
	json_put_text(object, "capabilities_broken", list->broken[0] ? list->broken : NULL);
}

static void put_dma(struct json_object *object, const struct view *view)
{
	struct json_object *dma;

	if (!view->status_known) {
		json_put_null(object, "dma");
		json_put_null(object, "resets");
		return;
	}
	dma = json_put_object(object, "dma");
	json_put_number(dma, "regions", view->status.dma_regions);
	json_put_number(dma, "bytes", view->status.dma_bytes);
	json_put_faults(dma, view->status.dma_faults);
	limits_put(dma, view->limits_known ? &view->limits : NULL);
	json_put_number(object, "resets", view->status.resets);
}

struct json_object *view_json(const struct view *view, struct names *names, enum view_depth depth)
{
	struct json_object *object = json_new_object();

	put_identity(object, view, names);
	put_use(object, view);
	if (depth == VIEW_BRIEF)
		return object;
	put_subsystem(object, view, names);
	json_put_hex(object, "command", 4, config_get16(view->config, PCI_COMMAND));
	put_bars(object, view);
	put_caps(object, &view->caps);
	put_dma(object, view);
	return object;
}
