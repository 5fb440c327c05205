/* SPDX-License-Identifier: BSD-3-Clause */
/* Software devices whose accesses to memory block. */
#include "common/pci-regs.h"
#include "provider/soft/edu/edu.h"
#include "provider/soft/nvme/nvme-spec.h"
#include "provider/soft/odd/odd.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/provider-rig.h"
#include "tests/lib/stall.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define STALL_BUS  UINT64_C(0x8000000)
#define STALL_SIZE (UINT64_C(64) << 10)

/* Memory whose page faults block, mapped for DMA. */
struct scene {
	struct provider_rig rig;
	struct stall stall;
	struct dma_owner owner;
	sem_t owner_freed; /* posted when the owner is freed */
	struct dma_segment segment;
};

static void owner_free(struct dma_owner *owner)
{
	sem_post(&((struct scene *)((char *)owner - offsetof(struct scene, owner)))->owner_freed);
}

/* Skips the test where userfaultfd is not available. */
static void begin(struct scene *scene, const char *spec)
{
	struct dma_span span = { .length = STALL_SIZE, .writable = true };
	const struct dma_request request = { .iova = STALL_BUS,
		.length = STALL_SIZE,
		.spans = &span,
		.span_count = 1,
		.owner = &scene->owner };

	memset(scene, 0, sizeof(*scene));
	if (!stall_begin(&scene->stall, STALL_SIZE))
		skip();
	span.host = scene->stall.memory;
	sem_init(&scene->owner_freed, 0, 0);
	atomic_init(&scene->owner.references, 1);
	scene->owner.free = owner_free;
	prig_open(&scene->rig, spec);
	assert_int_equal(
		scene->rig.provider->ops->dma_map(scene->rig.provider, &request, &scene->segment),
		kIOReturnSuccess);
	dma_owner_put(&scene->owner); /* the mapping keeps a reference */
}

static void unmap(struct scene *scene)
{
	scene->rig.provider->ops->dma_unmap(scene->rig.provider, &scene->segment);
}

static bool is_owner_freed(struct scene *scene)
{
	return sem_trywait(&scene->owner_freed) == 0;
}

/* Resume the access; the memory is then released. */
static void await_owner_freed(struct scene *scene)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	assert_int_equal(sem_timedwait(&scene->owner_freed, &until), 0);
}

static void end(struct scene *scene)
{
	stall_free(&scene->stall);
	sem_destroy(&scene->owner_freed);
}

static void command(struct scene *scene, bool master)
{
	prig_config_write(&scene->rig, PCI_COMMAND, 2,
		PCI_COMMAND_IO | PCI_COMMAND_MEMORY | (master ? PCI_COMMAND_MASTER : 0u));
}

/* --- Operations of each type -------------------------------------------------------- */

static void edu_read(struct scene *scene, uint64_t bus)
{
	prig_write(&scene->rig, 0, EDU_DMA_SOURCE, 8, bus);
	prig_write(&scene->rig, 0, EDU_DMA_DESTINATION, 8, EDU_BUFFER);
	prig_write(&scene->rig, 0, EDU_DMA_COUNT, 8, 8);
	prig_write(&scene->rig, 0, EDU_DMA_COMMAND, 8, EDU_COMMAND_START);
}

static void edu_done(struct scene *scene)
{
	prig_await(&scene->rig, 0, EDU_DMA_COMMAND, EDU_COMMAND_START, 0);
}

static void odd_read(struct scene *scene, uint64_t bus)
{
	prig_write(&scene->rig, ODD_BAR_REGISTERS, ODD_SOURCE, 8, bus);
	prig_write(&scene->rig, ODD_BAR_REGISTERS, ODD_LENGTH, 4, 8);
	prig_write(&scene->rig, ODD_BAR_REGISTERS, ODD_CONTROL, 4,
		ODD_CONTROL_GO | ODD_CONTROL_TO_BUFFER);
}

static void odd_done(struct scene *scene)
{
	prig_await(&scene->rig, ODD_BAR_REGISTERS, ODD_DMA_STATUS,
		ODD_DMA_RUNS | ODD_DMA_DONE | ODD_DMA_FAILED, ODD_DMA_DONE);
}

/* NVMe: queues of 16 entries in the rig's memory; a write of one block. */
enum { ADMIN_SQ = 0x0, ADMIN_CQ = 0x1000, IO_SQ = 0x2000, IO_CQ = 0x3000, DATA = 0x4000 };
#define ENTRIES 16u

static void doorbell(struct scene *scene, unsigned index, unsigned value)
{
	prig_write(&scene->rig, 0, NVME_REG_DOORBELLS + 4 * (uint64_t)index, 4, value);
}

/* Write the command to @slot of queue @qid, and write the doorbell. */
static void submit(struct scene *scene, unsigned qid, unsigned slot, struct nvme_command command)
{
	uint8_t *queue = scene->rig.memory + (qid ? IO_SQ : ADMIN_SQ);

	command.cid = htole16((uint16_t)slot);
	memcpy(queue + slot * sizeof(command), &command, sizeof(command));
	doorbell(scene, 2 * qid, slot + 1);
}

/* Wait for the completion in @slot of @qid, in the first round of the queue. */
static void await_completion(struct scene *scene, unsigned qid, unsigned slot)
{
	const uint8_t *queue = scene->rig.memory + (qid ? IO_CQ : ADMIN_CQ);
	const uint16_t *status = (const void *)(queue + slot * 16 + 14);

	for (unsigned i = 0; i < 60000; i++) {
		uint16_t seen = le16toh(__atomic_load_n(status, __ATOMIC_ACQUIRE));

		if (seen & 1) {
			assert_int_equal(seen >> 1, 0);
			return;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	fail_msg("command %u of queue %u has not completed", slot, qid);
}

static void nvme_enable(struct scene *scene)
{
	uint64_t bus = scene->rig.bus;

	memset(scene->rig.memory, 0, DATA);
	prig_write(&scene->rig, 0, NVME_REG_AQA, 4, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	prig_write(&scene->rig, 0, NVME_REG_ASQ, 8, bus + ADMIN_SQ);
	prig_write(&scene->rig, 0, NVME_REG_ACQ, 8, bus + ADMIN_CQ);
	prig_write(&scene->rig, 0, NVME_REG_CC, 4, 6u << 16 | 4u << 20 | NVME_CC_EN);
	prig_await(&scene->rig, 0, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
	submit(scene, 0, 0,
		(struct nvme_command){ .opcode = 0x05,
			.prp1 = htole64(bus + IO_CQ),
			.cdw10 = htole32((ENTRIES - 1) << 16 | 1),
			.cdw11 = htole32(1) });
	await_completion(scene, 0, 0);
	submit(scene, 0, 1,
		(struct nvme_command){ .opcode = 0x01,
			.prp1 = htole64(bus + IO_SQ),
			.cdw10 = htole32((ENTRIES - 1) << 16 | 1),
			.cdw11 = htole32(1 << 16 | 1) });
	await_completion(scene, 0, 1);
}

static void nvme_write(struct scene *scene, unsigned slot, uint64_t bus)
{
	submit(scene, 1, slot,
		(struct nvme_command){ .opcode = 0x01, .nsid = htole32(1), .prp1 = htole64(bus) });
}

static void nvme_read(struct scene *scene, unsigned slot, uint64_t bus)
{
	submit(scene, 1, slot,
		(struct nvme_command){ .opcode = 0x02, .nsid = htole32(1), .prp1 = htole64(bus) });
}

/* For all files the page cache seems to be empty, so that reads are jobs (provider/soft/nvme). */
static atomic_bool uncached;

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	if ((flags & RWF_NOWAIT) && atomic_load(&uncached)) {
		errno = EAGAIN;
		return -1;
	}
	return syscall(SYS_preadv2, fd, iov, count, offset, 0, flags);
}

/* --- Tests -------------------------------------------------------------------------- */

/* A device with a single transfer. */
static const struct simple {
	const char *spec;
	void (*read)(struct scene *scene, uint64_t bus);
	void (*done)(struct scene *scene);
} simple[] = {
	{ "edu,addr=01:00.0,delay=0,dma-mask=64", edu_read, edu_done },
	{ "odd,addr=01:00.0", odd_read, odd_done },
};

/* The client disconnects: reset, and its memory unmapped. The device works for the next client. */
static void test_a_reset_ends(void **state)
{
	const struct simple *type = *state;
	struct scene scene;

	begin(&scene, type->spec);
	type->read(&scene, STALL_BUS);
	assert_true(stall_await(&scene.stall));
	command(&scene, false);
	assert_int_equal(prig_reset(&scene.rig, PCI_RESET_HOT), kIOReturnSuccess);
	unmap(&scene);
	assert_false(is_owner_freed(&scene));
	command(&scene, true);
	type->read(&scene, scene.rig.bus);
	type->done(&scene);
	stall_end(&scene.stall);
	await_owner_freed(&scene);
	type->read(&scene, scene.rig.bus);
	type->done(&scene);
	prig_close(&scene.rig);
	end(&scene);
}

/* A blocked access does not delay unmapping, other mappings or their use. */
static void test_other_memory_is_usable(void **state)
{
	const struct simple *type = *state;
	struct scene scene;
	char other[16] = "";
	const struct dma_span span = { .length = 16, .host = other, .writable = true };
	const struct dma_request request = {
		.iova = 0x9000000, .length = 16, .spans = &span, .span_count = 1
	};
	struct dma_segment segment;
	struct dma_limits limits;

	begin(&scene, type->spec);
	type->read(&scene, STALL_BUS);
	assert_true(stall_await(&scene.stall));
	assert_int_equal(scene.rig.provider->ops->dma_map(scene.rig.provider, &request, &segment),
		kIOReturnSuccess);
	scene.rig.provider->ops->dma_limits(scene.rig.provider, &limits);
	scene.rig.provider->ops->dma_unmap(scene.rig.provider, &segment);
	prig_read(&scene.rig, type == &simple[0] ? 0 : ODD_BAR_REGISTERS, 0, 4);
	unmap(&scene);
	assert_false(is_owner_freed(&scene));
	stall_end(&scene.stall);
	await_owner_freed(&scene);
	prig_close(&scene.rig);
	end(&scene);
}

/* Removal and destruction do not wait either; the thread frees the rest. */
static void test_the_device_is_destroyed_first(void **state)
{
	const struct simple *type = *state;
	struct scene scene;

	begin(&scene, type->spec);
	type->read(&scene, STALL_BUS);
	assert_true(stall_await(&scene.stall));
	unmap(&scene);
	prig_close(&scene.rig);
	assert_false(is_owner_freed(&scene));
	stall_end(&scene.stall);
	await_owner_freed(&scene);
	end(&scene);
}

static void test_removal(void **state)
{
	const struct simple *type = *state;
	struct scene scene;

	begin(&scene, type->spec);
	type->read(&scene, STALL_BUS);
	assert_true(stall_await(&scene.stall));
	assert_int_equal(scene.rig.provider->ops->remove(scene.rig.provider), kIOReturnSuccess);
	unmap(&scene);
	stall_end(&scene.stall);
	await_owner_freed(&scene);
	prig_close(&scene.rig);
	end(&scene);
}

/* A blocked write does not change the image after another client has claimed the device. */
static void test_the_image_of_the_next_client(void **state)
{
	char path[] = "/tmp/test-stall-XXXXXX", spec[128], block[512], seen[512];
	int image = mkstemp(path);
	struct scene scene;

	(void)state;
	assert_true(image >= 0);
	assert_int_equal(ftruncate(image, 1 << 20), 0);
	snprintf(spec, sizeof(spec), "nvme,addr=01:00.0,image=%s", path);
	begin(&scene, spec);
	nvme_enable(&scene);
	nvme_write(&scene, 0, STALL_BUS);
	assert_true(stall_await(&scene.stall));
	command(&scene, false);
	assert_int_equal(prig_reset(&scene.rig, PCI_RESET_FUNCTION), kIOReturnSuccess);
	unmap(&scene);
	command(&scene, true);
	nvme_enable(&scene);
	memset(block, 'n', sizeof(block));
	memcpy(scene.rig.memory + DATA, block, sizeof(block));
	nvme_write(&scene, 0, scene.rig.bus + DATA);
	await_completion(&scene, 1, 0);
	stall_end(&scene.stall);
	await_owner_freed(&scene);
	nvme_write(&scene, 1, scene.rig.bus + DATA);
	await_completion(&scene, 1, 1);
	prig_close(&scene.rig);
	assert_int_equal(pread(image, seen, sizeof(seen), 0), sizeof(seen));
	assert_memory_equal(seen, block, sizeof(block));
	close(image);
	unlink(path);
	end(&scene);
}

/*
 * What a job has read is being copied to the host, other jobs have ended or are under way. They
 * belong to the controller that is replaced, but their threads to the next one.
 */
static void test_jobs_of_a_replaced_controller(void **state)
{
	char path[] = "/tmp/test-stall-XXXXXX", spec[128], block[512];
	int image = mkstemp(path);
	struct statfs status;
	struct scene scene;

	(void)state;
	assert_true(image >= 0);
	memset(block, 'n', sizeof(block));
	assert_int_equal(ftruncate(image, 1 << 20), 0);
	assert_int_equal(pwrite(image, block, sizeof(block), 0), sizeof(block));
	assert_int_equal(fstatfs(image, &status), 0);
	if (status.f_type == TMPFS_MAGIC) {
		unlink(path);
		skip(); /* where reads never wait */
	}
	snprintf(spec, sizeof(spec), "nvme,addr=01:00.0,image=%s", path);
	begin(&scene, spec);
	atomic_store(&uncached, true);
	nvme_enable(&scene);
	for (unsigned slot = 0; slot < 8; slot++)
		nvme_read(&scene, slot, STALL_BUS);
	assert_true(stall_await(&scene.stall));
	command(&scene, false);
	assert_int_equal(prig_reset(&scene.rig, PCI_RESET_FUNCTION), kIOReturnSuccess);
	unmap(&scene);
	command(&scene, true);
	nvme_enable(&scene);
	nvme_read(&scene, 0, scene.rig.bus + DATA);
	await_completion(&scene, 1, 0);
	assert_memory_equal(scene.rig.memory + DATA, block, sizeof(block));
	/* It is the same device: it offers Doorbell Buffer Config as before. */
	submit(&scene, 0, 2,
		(struct nvme_command){ .opcode = 0x7c,
			.prp1 = htole64(scene.rig.bus + DATA + 0x1000),
			.prp2 = htole64(scene.rig.bus + DATA + 0x2000) });
	await_completion(&scene, 0, 2);
	stall_end(&scene.stall);
	await_owner_freed(&scene);
	prig_close(&scene.rig);
	atomic_store(&uncached, false);
	close(image);
	unlink(path);
	end(&scene);
}

#define FOR_EACH(function)                                                                         \
	{ #function " (edu)", function, NULL, NULL, (void *)&simple[0] },                          \
	{                                                                                          \
#function " (odd)", function, NULL, NULL, (void *)&simple[1]                       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOR_EACH(test_a_reset_ends),
		FOR_EACH(test_other_memory_is_usable),
		FOR_EACH(test_the_device_is_destroyed_first),
		FOR_EACH(test_removal),
		cmocka_unit_test(test_the_image_of_the_next_client),
		cmocka_unit_test(test_jobs_of_a_replaced_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
