/* SPDX-License-Identifier: BSD-3-Clause */
/* Creation of a software device from a specification. */
#include "provider/soft/device.h"
#include "common/pci-regs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL(name) &soft_##name##_model,
const struct soft_model *const soft_models[] = { SOFT_MODELS(MODEL) NULL };
#undef MODEL

#define RESET_TIMEOUT_MS 1000

const struct spec_key soft_keys[] = {
	{ "addr", "BB:DD.F", "its PCI address: bus:device.function in hex (needed)" },
	{ "dma", "identity|dart",
		"who chooses bus addresses: the client, or the IOMMU with Apple silicon's limits "
		"(identity)" },
	{ "dma-bytes", "SIZE", "dart: how much can be mapped at a time (1536M)" },
	{ "dma-maps", "N", "dart: how many mappings there can be (65536)" },
	{ "reset-timeout", "MS",
		"how long a reset may take before it has failed, 1 to 60000 (1000)" },
	{ NULL, NULL, NULL },
};

/* Check a specification's keys against the framework's and the model's together. */
static bool check_keys(
	const struct device_spec *spec, const struct soft_model *model, struct spec_error *error)
{
	struct spec_key all[SPEC_KEYS_MAX * 2];
	size_t count = 0;

	for (const struct spec_key *key = soft_keys; key->name; key++)
		all[count++] = *key;
	for (const struct spec_key *key = model->keys; key->name && count < SPEC_KEYS_MAX * 2 - 1;
		key++)
		all[count++] = *key;
	all[count] = (struct spec_key){ .name = NULL };
	return spec_check(spec, all, error);
}

static bool parse_iommu(
	const struct device_spec *spec, struct soft_device *device, struct spec_error *error)
{
	const char *dma = spec_get(spec, "dma");
	struct dma_limits limits = {
		.kind = DEXT_IOMMU_IDENTITY, .bytes = UINT64_MAX, .maps = UINT64_MAX
	};
	bool dart = dma && strcmp(dma, "dart") == 0;

	if (dma && !dart && strcmp(dma, "identity") != 0)
		return spec_invalid(error, "device \"%s\": dma=%s is neither identity nor dart",
			spec->type, dma);
	if (!dart && (spec_get(spec, "dma-bytes") || spec_get(spec, "dma-maps")))
		return spec_invalid(error, "device \"%s\": dma-bytes and dma-maps go with dma=dart",
			spec->type);
	if (dart) {
		limits.kind = DEXT_IOMMU_DART;
		if (!spec_get_size(spec, "dma-bytes", SOFT_DART_BYTES_MAX, &limits.bytes, error) ||
			!spec_get_number(spec, "dma-maps", 1, UINT32_MAX, SOFT_DART_MAPS_MAX,
				&limits.maps, error))
			return false;
	}
	device->iommu = soft_iommu_create(&limits);
	return device->iommu || spec_fail(error, "out of memory");
}

static bool parse_address(
	const struct device_spec *spec, struct soft_device *device, struct spec_error *error)
{
	struct pci_address *address = &device->provider.address;

	if (!spec_get_address(spec, address, error))
		return false;
	snprintf(device->name, sizeof(device->name), "%s %02x:%02x.%x", spec->type, address->bus,
		address->device, address->function);
	return true;
}

static bool parse_reset(
	const struct device_spec *spec, struct soft_device *device, struct spec_error *error)
{
	uint64_t timeout;

	if (!spec_get_number(spec, "reset-timeout", 1, 60000, RESET_TIMEOUT_MS, &timeout, error))
		return false;
	device->reset_timeout_ms = (unsigned)timeout;
	return true;
}

static struct soft_device *device_alloc(const struct soft_model *model)
{
	struct soft_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->provider.ops = &soft_provider_ops;
	device->provider.polls_bars = true;
	device->model = model;
	for (unsigned bar = 0; bar < DEXT_BARS; bar++)
		device->bars[bar].fd = device->bars[bar].spare = -1;
	pthread_rwlock_init(&device->access, NULL);
	pthread_mutex_init(&device->config_lock, NULL);
	pthread_mutex_init(&device->map_lock, NULL);
	pthread_mutex_init(&device->irq_lock, NULL);
	soft_config_init(&device->config);
	return device;
}

static bool fail_unknown_type(const char *type, struct spec_error *error)
{
	char known[200] = "";

	for (const struct soft_model *const *model = soft_models; *model; model++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
			(*model)->name);
	}
	return spec_invalid(error, "no device type \"%s\" (there is: %s)", type, known);
}

struct pci_provider *soft_create(const struct device_spec *spec, struct spec_error *error)
{
	const struct soft_model *const *model = soft_models;
	struct soft_device *device;

	while (*model && strcmp((*model)->name, spec->type) != 0)
		model++;
	if (!*model) {
		fail_unknown_type(spec->type, error);
		return NULL;
	}
	device = device_alloc(*model);
	if (!device) {
		spec_fail(error, "out of memory");
		return NULL;
	}
	if (!check_keys(spec, *model, error) || !parse_address(spec, device, error) ||
		!parse_iommu(spec, device, error) || !parse_reset(spec, device, error) ||
		!(*model)->create(device, spec, error)) {
		device->private = NULL; /* create has freed it */
		soft_provider_ops.destroy(&device->provider);
		return NULL;
	}
	soft_config_seal(&device->config);
	return &device->provider;
}
