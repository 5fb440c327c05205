/* SPDX-License-Identifier: BSD-3-Clause */
/* The device type "edu": keys of its specification, config space, creation, destruction. */
#include "provider/soft/edu/edu.h"

#include <stdlib.h>
#include <string.h>

/* Those of QEMU's device. */
#define VENDOR_ID	    0x1234
#define DEVICE_ID	    0x11e8
#define SUBSYSTEM_VENDOR_ID 0x1af4
#define SUBSYSTEM_ID	    0x1100
#define CLASS_OTHER	    0x00ff00
#define REVISION	    0x10

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

static void init_config(struct soft_device *device, struct spec_error *error)
{
	const struct soft_identity identity = {
		.vendor_id = VENDOR_ID,
		.device_id = DEVICE_ID,
		.subsystem_vendor_id = SUBSYSTEM_VENDOR_ID,
		.subsystem_id = SUBSYSTEM_ID,
		.class_code = CLASS_OTHER,
		.revision = REVISION,
		.interrupt_pin = 1,
	};

	soft_set_identity(device, &identity);
	soft_add_bar(device, 0, EDU_BAR_SIZE, 0, SOFT_BAR_CALLS, error);
	soft_add_msi_capability(device, 1);
}

static void release(void *edu)
{
	pthread_cond_destroy(&((struct edu *)edu)->wake);
	pthread_cond_destroy(&((struct edu *)edu)->idle);
	pthread_mutex_destroy(&((struct edu *)edu)->lock);
	free(edu);
}

static struct edu *allocate(struct soft_device *device)
{
	struct edu *edu = calloc(1, sizeof(*edu));
	pthread_condattr_t monotonic;

	if (!edu)
		return NULL;
	edu->device = device;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&edu->lock, NULL);
	pthread_cond_init(&edu->wake, &monotonic);
	pthread_cond_init(&edu->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return edu;
}

static bool create(
	struct soft_device *device, const struct device_spec *spec, struct spec_error *error)
{
	struct edu *edu = allocate(device);
	int failure;

	if (!edu)
		return spec_fail(error, "edu: out of memory");
	if (!parse(edu, spec, error)) {
		release(edu);
		return false;
	}
	failure = edu_worker_start(edu, release);
	if (failure) {
		release(edu);
		return spec_fail(error, "edu: cannot start its thread: %s", strerror(failure));
	}
	init_config(device, error);
	soft_set_private(device, edu);
	return true;
}

static void destroy(struct soft_device *device)
{
	struct edu *edu = soft_private(device);

	edu_worker_stop(edu);
	soft_set_private(device, NULL);
	release(edu);
}

static bool reset(struct soft_device *device, const struct timespec *until)
{
	struct edu *edu = soft_private(device);
	bool idle;

	pthread_mutex_lock(&edu->lock);
	edu_power_on(edu); /* cancels a transfer that is accessing memory */
	idle = edu_worker_idle(edu, until);
	pthread_mutex_unlock(&edu->lock);
	return idle;
}

static bool replace(struct soft_device *device)
{
	const struct edu *stuck = soft_private(device);
	struct edu *edu = allocate(device);

	if (!edu)
		return false;
	edu->dma_mask = stuck->dma_mask;
	edu->delay_ns = stuck->delay_ns;
	if (edu_worker_start(edu, release) != 0) {
		release(edu);
		return false;
	}
	soft_set_private(device, edu);
	return true;
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
	.replace = replace,
};
