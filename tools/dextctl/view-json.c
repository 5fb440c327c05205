/* SPDX-License-Identifier: BSD-3-Clause */
/* A device as JSON. The keys are documented in dextctl(1); they are added to, never changed. */
#include "tools/dextctl/format.h"
#include "tools/dextctl/view.h"

#include <pci/pci.h>

static const char *interrupt_key(const struct view_interrupts *interrupts)
{
	static const char *const keys[] = {
		[DEXT_INTERRUPT_NONE] = "none",
		[DEXT_INTERRUPT_INTX] = "intx",
		[DEXT_INTERRUPT_MSI] = "msi",
		[DEXT_INTERRUPT_MSIX] = "msi-x",
	};

	return keys[interrupts->kind];
}

static void put_identity(struct json_object *object, const struct view *view, struct names *names)
{
	const AppleDextIdentity *identity = &view->identity;
	char address[PCI_ADDRESS_SIZE], root[PCI_ADDRESS_SIZE], name[NAME_SIZE];

	view_address(view, address);
	json_put_text(object, "address", address);
	json_put_text(object, "root", view_root(view, root));
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
		json_put_number(claim, "clients", view_other_clients(view));
	} else {
		json_put_null(claim, "claims");
		json_put_null(claim, "clients");
	}
	if (interrupts.known) {
		json_put_text(irq, "kind", interrupt_key(&interrupts));
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

	if (!view_subsystem(view, &vendor_id, &subsystem_id)) {
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

static void put_fact(struct json_object *object, const struct cap_fact *fact)
{
	switch (fact->kind) {
	case CAP_FACT_NUMBER:
		json_put_number(object, fact->key, fact->number);
		break;
	case CAP_FACT_BOOL:
		json_put_bool(object, fact->key, fact->number);
		break;
	case CAP_FACT_TEXT:
		json_put_text(object, fact->key, fact->text);
		break;
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
		for (size_t k = 0; k < from->fact_count; k++)
			put_fact(details, &from->facts[k]);
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
