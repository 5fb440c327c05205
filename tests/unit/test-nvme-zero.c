/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Write Zeroes and Deallocate of the NVMe device on block devices: a loop device where the machine
 * has one (root), and everywhere a file for which fstat(), ioctl() and fallocate() are replaced to
 * make it look like one.
 */
#include "tests/lib/nvme-model.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SIZE (1 << 20)

static struct {
	bool on;
	dev_t number;
	int sector;
	atomic_uint calls; /* of fallocate() */
} fake;

/* As blkdev_fallocate() of Linux for a device without Write Zeroes. */
int fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (!fake.on)
		return (int)syscall(SYS_fallocate, fd, mode, offset, length);
	atomic_fetch_add(&fake.calls, 1);
	errno = EINVAL;
	if (offset >= SIZE || (offset | length) & (fake.sector - 1))
		return -1;
	errno = EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int fstat(int fd, struct stat *status)
{
	int result = (int)syscall(SYS_fstat, fd, status);

	if (fake.on && result == 0 && S_ISREG(status->st_mode)) {
		status->st_mode = S_IFBLK | 0600;
		status->st_rdev = fake.number;
	}
	return result;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (!fake.on || request != BLKSSZGET)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	*(int *)argument = fake.sector;
	return 0;
}

static void start(struct host *host, const char *path)
{
	char keys[128];

	snprintf(keys, sizeof(keys), "image=%s", path);
	host_start(host, keys);
}

static bool offers_deallocate(struct host *host)
{
	struct nvme_identify_controller id;
	uint64_t page = host_pages(host, 1);

	assert_int_equal(host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_IDENTIFY,
						  .cdw10 = NVME_CNS_CONTROLLER,
						  .prp1 = page }),
		NVME_OK);
	host_peek(host, page, &id, sizeof(id));
	return le16toh(id.oncs) & NVME_ONCS_DSM;
}

static uint16_t deallocate(struct host *host, uint64_t slba, uint32_t blocks)
{
	const struct nvme_dsm_range range = { .slba = htole64(slba), .blocks = htole32(blocks) };
	uint64_t page = host_pages(host, 1);

	host_fill(host, page, &range, sizeof(range));
	return host_io(host, (struct nvme_command){ .opcode = NVME_IO_DATASET_MANAGEMENT,
				     .nsid = 1,
				     .prp1 = page,
				     .cdw11 = NVME_DSM_AD });
}

static struct nvme_command write_zeroes(uint64_t slba, uint32_t blocks, bool deallocate)
{
	struct nvme_command command = nvme_ctrl_rw(NVME_IO_WRITE_ZEROES, slba, blocks, 0, 0);

	command.cdw12 |= deallocate ? NVME_IO_DEALLOCATE : 0;
	return command;
}

/* Write the pattern to the first 4096 bytes. */
static void write_pattern(struct host *host)
{
	uint64_t page = host_pages(host, 1);

	host_fill_pattern(host, page, 0, 4096);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_OK);
}

/* Of the first 8 blocks, 2 to 4 are zero, the others unchanged. */
static void expect_hole(struct host *host)
{
	static const uint8_t zeroes[1536];
	uint64_t page = host_pages(host, 1);
	uint8_t data[1536];

	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_READ, 0, 8, page, 0)), NVME_OK);
	host_expect_pattern(host, page, 0, 1024);
	host_peek(host, page + 1024, data, sizeof(data));
	assert_memory_equal(zeroes, data, sizeof(data));
	host_expect_pattern(host, page + 2560, 2560, 1536);
}

static void set_fake(dev_t number, int sector)
{
	fake.number = number;
	fake.sector = sector;
	atomic_store(&fake.calls, 0);
	fake.on = true;
}

/* The probe changes no data, and unsupported commands are not offered. */
static void test_probe(void **state)
{
	struct host host;

	(void)state;
	set_fake(makedev(0, 0), 512);
	start(&host, host_image);
	assert_int_equal(atomic_load(&fake.calls), 0);
	assert_false(offers_deallocate(&host));
	write_pattern(&host);
	assert_int_equal(host_io(&host, write_zeroes(2, 3, true)), NVME_OK);
	expect_hole(&host);
	assert_int_equal(atomic_load(&fake.calls), 1); /* and no data was written */
	host_close(&host);
	/* Sectors larger than blocks: fallocate() cannot zero a single block. */
	set_fake(makedev(0, 0), 4096);
	start(&host, host_image);
	write_pattern(&host);
	assert_int_equal(host_io(&host, write_zeroes(2, 3, false)), NVME_OK);
	assert_int_equal(atomic_load(&fake.calls), 0);
	expect_hole(&host);
	host_close(&host);
	fake.on = false;
}

/* The device announces support, but fails: zeroes are written, and Deallocate has no effect. */
static void test_request_that_fails(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	set_fake(makedev(0, 0), 512);
	start(&host, host_image);
	((struct nvme_controller *)soft_private(host.device))->backend.punches = true;
	write_pattern(&host);
	assert_int_equal(deallocate(&host, 2, 3), NVME_OK);
	page = host_pages(&host, 1);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 8, page, 0)), NVME_OK);
	host_expect_pattern(&host, page, 0, 4096);
	assert_int_equal(host_io(&host, write_zeroes(2, 3, true)), NVME_OK);
	expect_hole(&host);
	host_close(&host);
	fake.on = false;
}

/* The limits that the kernel reports for a disk of this machine are used. */
static void test_limits(void **state)
{
	DIR *folder = opendir("/sys/dev/block");
	struct dirent *entry;

	(void)state;
	while (folder && (entry = readdir(folder))) {
		unsigned major_number, minor_number;
		unsigned long long most = 0;
		struct host host;
		char path[320];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/dev/block/%s/queue/write_zeroes_max_bytes",
			entry->d_name);
		if (sscanf(entry->d_name, "%u:%u", &major_number, &minor_number) != 2 ||
			!(file = fopen(path, "re")))
			continue;
		assert_int_equal(fscanf(file, "%llu", &most), 1);
		fclose(file);
		set_fake(makedev(major_number, minor_number), 512);
		start(&host, host_image);
		assert_int_equal(most > 0, offers_deallocate(&host));
		assert_int_equal(atomic_load(&fake.calls), 0);
		host_close(&host);
		fake.on = false;
	}
	if (folder)
		closedir(folder);
}

/* A loop device on the image, or -1. */
static int attach_loop(char *path, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int number, loop = -1;

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, size, "/dev/loop%d", number);
	config.fd = (uint32_t)open(host_image, O_RDWR | O_CLOEXEC);
	if (number >= 0)
		loop = open(path, O_RDWR | O_CLOEXEC);
	if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
		close(loop);
		loop = -1;
	}
	close((int)config.fd);
	return loop;
}

static void test_loop_device(void **state)
{
	struct nvme_controller *nvme;
	struct host host;
	char path[32];
	int loop = attach_loop(path, sizeof(path));

	(void)state;
	if (loop < 0)
		skip();
	start(&host, path);
	nvme = soft_private(host.device);
	assert_true(nvme->backend.zeroes);
	if (nvme->backend.punches) {
		assert_true(offers_deallocate(&host));
		write_pattern(&host);
		assert_int_equal(deallocate(&host, 2, 3), NVME_OK);
		expect_hole(&host);
		assert_int_equal(deallocate(&host, SIZE / 512 - 1, 1), NVME_OK);
	}
	for (int way = 0; way < 2; way++) {
		write_pattern(&host);
		assert_int_equal(host_io(&host, write_zeroes(2, 3, way)), NVME_OK);
		expect_hole(&host);
	}
	host_close(&host);
	close(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_request_that_fails),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_loop_device),
	};

	return cmocka_run_group_tests(tests, host_image_create, host_image_remove);
}
