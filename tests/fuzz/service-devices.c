/* SPDX-License-Identifier: BSD-3-Clause */
/* The devices, their drivers, and a client that remains connected from input to input. */
#include "driver/driver.h"
#include "iokit/peer.h"
#include "iokit/service.h"
#include "provider/spec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/service-rig.h"

#include <dext-abi.h>
#include <stdlib.h>

static const char *const specs[RIG_DEVICES] = {
	"nvme,addr=01:00.0,size=1M,queues=4,vectors=8",
	"nvme,addr=02:00.0,size=1M,queues=4,vectors=8,dma=dart,dma-bytes=2M,dma-maps=4",
	"edu,addr=03:00.0,delay=0,dma-mask=64",
	"odd,addr=04:00.0,irq=msi,caps=loop,flr=fail,hot-reset=on",
};

static struct device {
	struct dext_driver *driver;
	uint64_t entry_id;
	struct iou_user_client watcher;
} devices[RIG_DEVICES];

static struct iouser_peer watcher_peer;

struct timespec;
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

/* nanosleep() returns at once, so that a driver does not wait for a device after a reset. */
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)wanted, (void)left;
	return 0;
}

/* A driver allocates its trace at the first mapping, and does not free it: allocate it now. */
static void allocate_trace(struct device *device)
{
	const struct iou_user_client *watcher = &device->watcher;
	struct iouser_memory memory;

	if (watcher->class->copy_client_memory(watcher->client, DEXT_MEMORY_TRACE, &memory) ==
		kIOReturnSuccess)
		watcher->class->client_unmapped(watcher->client, DEXT_MEMORY_TRACE);
}

static void watch(struct device *device)
{
	fuzz_require(iou_user_client_open(device->entry_id, DEXT_USER_CLIENT_TYPE, &watcher_peer,
			     &device->watcher) == kIOReturnSuccess,
		"a published service cannot be opened");
}

static void device_create(unsigned index)
{
	struct device *device = &devices[index];
	struct iou_entry_info *list;
	struct spec_error error;
	size_t count;

	device->driver = dext_driver_create(provider_create(specs[index], &error));
	list = iou_services_list(&count);
	fuzz_require(device->driver && count, "the harness needs a device");
	device->entry_id = list[count - 1].entry_id;
	free(list);
	watch(device);
	allocate_trace(device);
}

void rig_start(void)
{
	for (unsigned i = 0; i < RIG_DEVICES; i++)
		if (!devices[i].driver)
			device_create(i);
}

uint64_t rig_entry(unsigned device)
{
	return devices[device % RIG_DEVICES].entry_id;
}

static kern_return_t call(struct device *device, uint32_t selector, uint64_t *output)
{
	struct iouser_arguments arguments = {
		.selector = selector,
		.scalar_output = output,
		.scalar_output_room = IOUSER_SCALARS_MAX,
	};

	return device->watcher.class->external_method(device->watcher.client, &arguments);
}

void rig_other(unsigned index, enum rig_other what)
{
	struct device *device = &devices[index % RIG_DEVICES];
	uint64_t output[IOUSER_SCALARS_MAX];

	if (what == RIG_OTHER_IDLE)
		return;
	call(device,
		what == RIG_OTHER_EXCLUDES ? DEXT_SELECTOR_ClaimExclusive : DEXT_SELECTOR_Claim,
		output);
	if (what == RIG_OTHER_INTERRUPTED)
		call(device, DEXT_SELECTOR_SetupInterrupts, output);
}

/*
 * Release the claim of this client first. Return: false if the driver was terminated, or its device
 * removed.
 */
static bool require_clean(struct device *device)
{
	uint64_t status[IOUSER_SCALARS_MAX] = { 0 };

	if (call(device, DEXT_SELECTOR_GetStatus, status) != kIOReturnSuccess)
		return false;
	if (status[DEXT_STATUS_CLAIMS]) {
		fuzz_require(status[DEXT_STATUS_CLAIMS] == 1 &&
				     (status[DEXT_STATUS_FLAGS] & DEXT_STATUS_CLAIMED_BY_CALLER),
			"a claim was not released");
		iou_user_client_close(&device->watcher);
		watch(device);
		call(device, DEXT_SELECTOR_GetStatus, status);
	}
	fuzz_require(!status[DEXT_STATUS_CLAIMS] &&
			     !(status[DEXT_STATUS_FLAGS] & (DEXT_STATUS_CLAIMED_BY_CALLER |
								   DEXT_STATUS_CLAIMED_EXCLUSIVE)),
		"a claim was not released");
	fuzz_require(status[DEXT_STATUS_CLIENTS] == 1, "a user client was not released");
	fuzz_require(!status[DEXT_STATUS_REGIONS] && !status[DEXT_STATUS_BYTES_WIRED],
		"a DMA region was not released");
	return true;
}

void rig_require_clean(void)
{
	for (unsigned i = 0; i < RIG_DEVICES; i++) {
		if (require_clean(&devices[i]))
			continue;
		iou_user_client_close(&devices[i].watcher);
		dext_driver_destroy(devices[i].driver);
		device_create(i);
	}
}
