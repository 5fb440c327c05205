/* SPDX-License-Identifier: BSD-3-Clause */
/* The device type "edu": its keys, its place on the bus, its making and its end. */
#include "provider/soft/edu/edu.h"

#include <stdlib.h>

/* As QEMU's device has them. */
#define VENDOR_ID           0x1234
#define DEVICE_ID           0x11e8
#define SUBSYSTEM_VENDOR_ID 0x1af4
#define SUBSYSTEM_ID        0x1100
#define CLASS_OTHER         0x00ff00
#define REVISION            0x10

#define DEFAULT_MASK_BITS 28
#define DEFAULT_DELAY_MS  10

static const struct spec_key keys[] = {
	{ "dma-mask", "BITS", "how many bits of a bus address it drives, 1 to 64 (28)" },
	{ "delay", "MS", "what a factorial or a transfer takes, 0 to 60000 (10)" },
	{ NULL, NULL, NULL },
};

static bool parse(struct edu *edu, const struct device_spec *spec, struct spec_error *error)
{
	uint64_t bits, delay;

	if (!spec_get_number(spec, "dma-mask", 1, 64, DEFAULT_MASK_BITS, &bits, error) ||
		!spec_get_number(spec, "delay", 0, 60000, DEFAULT_DELAY_MS, &delay, error))
		return false;
	edu->dma_mask = UINT64_MAX >> (64 - bits);
	edu->delay_ns = delay * 1000000;
	return true;
}

static void add_to_bus(struct soft_device *device, struct spec_error *error)
{
	const struct soft_identity identity = {
		.vendor_id = VENDOR_ID, .device_id = DEVICE_ID,
		.subsystem_vendor_id = SUBSYSTEM_VENDOR_ID, .subsystem_id = SUBSYSTEM_ID,
		.class_code = CLASS_OTHER, .revision = REVISION, .interrupt_pin = 1,
	};

	soft_set_identity(device, &identity);
	soft_add_bar(device, 0, EDU_BAR_SIZE, 0, SOFT_BAR_CALLS, error);
	soft_add_msi_capability(device, 1);
}

static bool create(struct soft_device *device, const struct device_spec *spec,
	struct spec_error *error)
{
	struct edu *edu = calloc(1, sizeof(*edu));

	if (!edu)
		return spec_fail(error, "edu: out of memory");
	edu->device = device;
	if (!parse(edu, spec, error) || !edu_worker_start(edu, error)) {
		free(edu);
		return false;
	}
	add_to_bus(device, error);
	soft_set_private(device, edu);
	return true;
}

static void destroy(struct soft_device *device)
{
	struct edu *edu = soft_private(device);

	edu_worker_stop(edu);
	soft_set_private(device, NULL);
	free(edu);
}

static void reset(struct soft_device *device)
{
	struct edu *edu = soft_private(device);

	pthread_mutex_lock(&edu->lock);
	edu_power_on(edu);
	pthread_mutex_unlock(&edu->lock);
}

const struct soft_model soft_edu_model = {
	.name = "edu",
	.summary = "the teaching device that QEMU documents: factorials, interrupts, DMA",
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.bar_read = edu_bar_read,
	.bar_write = edu_bar_write,
	.reset = reset,
};
