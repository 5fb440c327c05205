/* SPDX-License-Identifier: BSD-3-Clause */
/* Creation of devices of all types, and their description for --help. */
#include "provider/soft/device.h"
#include "provider/spec.h"
#include "provider/vfio/vfio.h"

#include <stdio.h>
#include <string.h>

struct pci_provider *provider_create(const char *text, struct spec_error *error)
{
	struct pci_provider *provider;
	struct device_spec spec;

	if (!spec_parse(text, &spec, error))
		return NULL;
	provider = strcmp(spec.type, "vfio") == 0 ? vfio_create(&spec, error) :
						    soft_create(&spec, error);
	spec_free(&spec);
	return provider;
}

static void print_keys(const struct spec_key *keys)
{
	char left[48];

	for (; keys->name; keys++) {
		snprintf(left, sizeof(left), "%s=%s", keys->name, keys->value);
		printf("    %-24s %s\n", left, keys->help);
	}
}

void provider_print_types(void)
{
	printf("  TYPE,key=value,... where every software device has\n");
	print_keys(soft_keys);
	for (const struct soft_model *const *model = soft_models; *model; model++) {
		printf("  %s: %s\n", (*model)->name, (*model)->summary);
		print_keys((*model)->keys);
	}
	printf("  vfio: a physical device, through the kernel's VFIO\n");
	print_keys(vfio_keys);
}
