/* SPDX-License-Identifier: BSD-3-Clause */
/* The device type "nvme": its keys, its place on the bus, its making and its end. */
#include "provider/soft/nvme/nvme.h"

#include <stdlib.h>

/*
 * The identity that virtual NVMe controllers over vfio-user have, which pci.ids knows as
 * "Nutanix, Inc. Virtual NVMe Controller". The one of QEMU's device would bring the host's
 * workaround for that one: Linux ignores its namespace identifiers, and says so.
 */
#define VENDOR_ID  0x4e58
#define DEVICE_ID  0x0001
#define CLASS_NVME 0x010802 /* mass storage, non-volatile memory, NVM Express I/O controller */

#define DEFAULT_QUEUES	63u
#define DEFAULT_VECTORS 64u
#define DEFAULT_MDTS	(512u * 1024u)

static_assert(NVME_REG_DOORBELLS + 8 * (NVME_QUEUES_MAX + 1) <= NVME_BAR_MSIX,
	"the doorbells end before the MSI-X table");
static_assert(NVME_BAR_MSIX + 16 * NVME_VECTORS_MAX <= NVME_BAR_PBA,
	"the MSI-X table ends before the PBA");

static const struct spec_key keys[] = {
	{ "image", "FILE", "raw image or block device; exactly one of image and size" },
	{ "size", "SIZE", "memory of this size, forgotten with the device" },
	{ "block", "512|4096", "bytes of a logical block (512)" },
	{ "readonly", "on|off", "write-protected namespace (off)" },
	{ "queues", "N", "pairs of I/O queues, 1 to 255 (63)" },
	{ "irq", "KIND", "its interrupts: msix, msi or intx (msix)" },
	{ "vectors", "N", "msix: 1 to 256 (64); msi: a power of two up to 32 (32)" },
	{ "mdts", "SIZE", "most data of one command, 8K to 4M, a power of two (512K)" },
	{ "dbbuf", "on|off",
		"shadow doorbells (Doorbell Buffer Config) are offered (on, with irq=intx off)" },
	{ "serial", "TEXT", "serial number, up to 20 characters (from the image's path)" },
	{ "model", "TEXT", "model number, up to 40 characters" },
	{ NULL, NULL, NULL },
};

/*
 * Not with an interrupt pin: a VMM takes the access to a register that ends the interrupt
 * handler for the deassertion of the pin, and a host with shadow doorbells may make none.
 */
static bool parse_doorbell_buffer(
	struct nvme_controller *nvme, const struct device_spec *spec, struct spec_error *error)
{
	bool intx = nvme->interrupts.kind == DEXT_INTERRUPT_INTX;

	if (!spec_get_switch(spec, "dbbuf", !intx, &nvme->offers_doorbell_buffer, error))
		return false;
	return !intx || !nvme->offers_doorbell_buffer ||
	       spec_invalid(error, "nvme: dbbuf=on does not go with irq=intx");
}

static bool parse(
	struct nvme_controller *nvme, const struct device_spec *spec, struct spec_error *error)
{
	uint64_t queues, mdts;

	if (!spec_get_number(spec, "queues", 1, NVME_QUEUES_MAX, DEFAULT_QUEUES, &queues, error) ||
		!soft_parse_interrupts(
			spec, false, NVME_VECTORS_MAX, DEFAULT_VECTORS, &nvme->interrupts, error) ||
		!parse_doorbell_buffer(nvme, spec, error) ||
		!spec_get_size(spec, "mdts", DEFAULT_MDTS, &mdts, error))
		return false;
	if (mdts < NVME_MDTS_MIN || mdts > NVME_MDTS_MAX || (mdts & (mdts - 1)))
		return spec_invalid(error, "nvme: mdts=%s: it is a power of two from 8K to 4M",
			spec_get(spec, "mdts"));
	nvme->queues = (unsigned)queues;
	nvme->mdts = (uint32_t)mdts;
	return true;
}

static void add_interrupts(struct nvme_controller *nvme)
{
	unsigned vectors = nvme->interrupts.vectors;

	if (nvme->interrupts.kind == DEXT_INTERRUPT_MSIX)
		soft_add_msix_capability(nvme->device, vectors, 0, NVME_BAR_MSIX, 0, NVME_BAR_PBA);
	else if (nvme->interrupts.kind == DEXT_INTERRUPT_MSI)
		soft_add_msi_capability(nvme->device, vectors);
}

static bool add_to_bus(struct nvme_controller *nvme, struct spec_error *error)
{
	const struct soft_identity identity = {
		.vendor_id = VENDOR_ID,
		.device_id = DEVICE_ID,
		.subsystem_vendor_id = VENDOR_ID,
		.subsystem_id = DEVICE_ID,
		.class_code = CLASS_NVME,
		.revision = 1,
		.interrupt_pin = 1,
	};

	nvme->vendor_id = identity.vendor_id;
	nvme->subsystem_vendor_id = identity.subsystem_vendor_id;
	soft_set_identity(nvme->device, &identity);
	soft_set_memory_lock(nvme->device, &nvme->registers.lock);
	nvme->registers.bar = soft_add_bar(
		nvme->device, 0, NVME_BAR_SIZE, DEXT_BAR_MEM64, SOFT_BAR_SHARED, error);
	if (!nvme->registers.bar)
		return false;
	soft_add_pm_capability(nvme->device);
	soft_add_pcie_capability(nvme->device, true);
	add_interrupts(nvme);
	return true;
}

static bool allocate(struct nvme_controller *nvme, struct spec_error *error)
{
	/* Data that begins inside a page touches one page more. */
	size_t pages = nvme->mdts / NVME_PAGE_MIN + 1;

	nvme->segments = calloc(pages, sizeof(nvme->segments[0]));
	nvme->prp_list = calloc(pages, sizeof(nvme->prp_list[0]));
	nvme->scratch = calloc(1, NVME_SCRATCH);
	nvme->scratch_file = calloc(1, NVME_SCRATCH);
	nvme_parked_init(nvme);
	if (!nvme->jobs)
		nvme->jobs = nvme_jobs_create(&nvme->backend);
	if (!nvme->segments || !nvme->prp_list || !nvme->scratch || !nvme->scratch_file ||
		!nvme->jobs)
		return spec_fail(error, "nvme: out of memory");
	return true;
}

/* All that create() or replace() made, but for the thread and its locks. */
static void release(struct nvme_controller *nvme)
{
	nvme_jobs_destroy(nvme->jobs);
	nvme_backend_close(&nvme->backend);
	free(nvme->segments);
	free(nvme->prp_list);
	free(nvme->scratch);
	free(nvme->scratch_file);
	free(nvme);
}

/* On the thread, once it is abandoned: the image is the next one's. */
static void discard(void *nvme)
{
	nvme_worker_release(nvme);
	release(nvme);
}

static bool set_up(
	struct nvme_controller *nvme, const struct device_spec *spec, struct spec_error *error)
{
	return parse(nvme, spec, error) &&
	       nvme_identity_make(&nvme->identity, spec, soft_name(nvme->device), error) &&
	       nvme_backend_open(&nvme->backend, spec, error) && allocate(nvme, error) &&
	       add_to_bus(nvme, error) && nvme_worker_start(nvme, discard, error);
}

static bool create(
	struct soft_device *device, const struct device_spec *spec, struct spec_error *error)
{
	struct nvme_controller *nvme = calloc(1, sizeof(*nvme));

	if (!nvme)
		return spec_fail(error, "nvme: out of memory");
	nvme->device = device;
	nvme->backend.fd = -1;
	nvme->statistics.started_ns = nvme_now_ns();
	if (!set_up(nvme, spec, error)) {
		release(nvme);
		return false;
	}
	soft_set_private(device, nvme);
	return true;
}

static void destroy(struct soft_device *device)
{
	struct nvme_controller *nvme = soft_private(device);

	nvme_worker_stop(nvme);
	soft_set_private(device, NULL);
	nvme_worker_release(nvme);
	release(nvme);
}

static void bar_mapped(struct soft_device *device, unsigned bar, bool mapped)
{
	struct nvme_controller *nvme = soft_private(device);
	struct nvme_registers *registers = &nvme->registers;

	if (bar != 0)
		return;
	pthread_mutex_lock(&registers->lock);
	registers->mapped = mapped;
	registers->last_poll = !mapped;
	nvme_wake(registers, NVME_WAKE_OTHER);
	pthread_mutex_unlock(&registers->lock);
}

static bool reset(struct soft_device *device, const struct timespec *until)
{
	return nvme_worker_reset(soft_private(device), until);
}

/*
 * The image passes to the new controller, and with it what is known of it, and the threads that
 * access it. The old one, which is frozen in an access to memory, does not touch it, nor the BAR,
 * any more.
 */
static bool replace(struct soft_device *device)
{
	struct nvme_controller *stuck = soft_private(device);
	struct nvme_controller *nvme = calloc(1, sizeof(*nvme));
	struct spec_error error;

	if (!nvme)
		return false;
	nvme->device = device;
	nvme->queues = stuck->queues;
	nvme->interrupts = stuck->interrupts;
	nvme->mdts = stuck->mdts;
	nvme->identity = stuck->identity;
	nvme->vendor_id = stuck->vendor_id;
	nvme->subsystem_vendor_id = stuck->subsystem_vendor_id;
	nvme->offers_doorbell_buffer = stuck->offers_doorbell_buffer;
	nvme->statistics = stuck->statistics;
	nvme->medium_error = stuck->medium_error;
	nvme->registers.bar = stuck->registers.bar;
	nvme->registers.mapped = stuck->registers.mapped;
	nvme->backend = stuck->backend;
	nvme->jobs = stuck->jobs;
	nvme_parked_leave(stuck); /* which is to be reset in any case */
	if (!allocate(nvme, &error) || !nvme_worker_start(nvme, discard, &error)) {
		nvme->backend = (struct nvme_backend){ .fd = -1 };
		nvme->jobs = NULL;
		release(nvme);
		nvme_jobs_set_owner(stuck->jobs, &stuck->registers);
		return false;
	}
	stuck->backend = (struct nvme_backend){ .fd = -1 };
	stuck->jobs = NULL;
	soft_set_memory_lock(device, &nvme->registers.lock);
	soft_set_private(device, nvme);
	return true;
}

/* Bus mastering may have come on: what was waiting for it can go on. */
static void command_changed(struct soft_device *device, uint16_t command)
{
	struct nvme_controller *nvme = soft_private(device);

	(void)command;
	pthread_mutex_lock(&nvme->registers.lock);
	nvme_wake(&nvme->registers, NVME_WAKE_OTHER);
	pthread_mutex_unlock(&nvme->registers.lock);
}

const struct soft_model soft_nvme_model = {
	.name = "nvme",
	.summary = "NVM Express 1.4 disk, on an image or in memory",
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.bar_read = nvme_bar_read,
	.bar_write = nvme_bar_write,
	.bar_mapped = bar_mapped,
	.reset = reset,
	.replace = replace,
	.command_changed = command_changed,
	.line = nvme_line,
};
