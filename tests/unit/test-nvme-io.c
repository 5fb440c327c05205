/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: the I/O commands, their bounds, and images. */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_bounds(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M,mdts=8K"); /* 2048 blocks */
	page = host_pages(&host, 3);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t opcode =
			(const uint8_t[]){ NVME_IO_READ, NVME_IO_WRITE, NVME_IO_WRITE_ZEROES }[i];

		assert_int_equal(host_io(&host, nvme_ctrl_rw(opcode, 2047, 1, page, 0)), NVME_OK);
		assert_int_equal(host_io(&host, nvme_ctrl_rw(opcode, 2048, 1, page, 0)),
			NVME_LBA_OUT_OF_RANGE);
		assert_int_equal(host_io(&host, nvme_ctrl_rw(opcode, 2047, 2, page, 0)),
			NVME_LBA_OUT_OF_RANGE);
		assert_int_equal(host_io(&host, nvme_ctrl_rw(opcode, UINT64_MAX, 1, page, 0)),
			NVME_LBA_OUT_OF_RANGE);
		assert_int_equal(
			host_io(&host, nvme_ctrl_rw(opcode, UINT64_C(1) << 55, 1, page, 0)),
			NVME_LBA_OUT_OF_RANGE);
	}
	/* MDTS applies to transferred data only. */
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 16, page, page + 4096)), NVME_OK);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 17, page, page + 4096)),
		NVME_INVALID_FIELD);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE_ZEROES, 0, 2048, 0, 0)), NVME_OK);
	host_close(&host);
}

static void test_namespaces(void **state)
{
	static const uint8_t opcodes[] = { NVME_IO_READ, NVME_IO_WRITE, NVME_IO_WRITE_ZEROES,
		NVME_IO_DATASET_MANAGEMENT, NVME_IO_COMPARE, NVME_IO_FLUSH };
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (size_t i = 0; i < sizeof(opcodes); i++) {
		struct nvme_command command =
			nvme_ctrl_rw(opcodes[i], 0, 1, host_pages(&host, 1), 0);

		command.nsid = 0;
		assert_int_equal(host_io(&host, command), NVME_INVALID_NAMESPACE);
		command.nsid = 2;
		assert_int_equal(host_io(&host, command), NVME_INVALID_NAMESPACE);
		command.nsid = NVME_NSID_ALL;
		assert_int_equal(opcodes[i] == NVME_IO_FLUSH ? NVME_OK : NVME_INVALID_NAMESPACE,
			host_io(&host, command));
	}
	host_close(&host);
}

static void expect_zeroes(struct host *host, uint64_t address, uint64_t position, size_t length)
{
	uint8_t *data = malloc(length);

	(void)position;
	assert_non_null(data);
	host_peek(host, address, data, length);
	for (size_t i = 0; i < length; i++)
		if (data[i])
			fail_msg("byte %zu of %zu is not zero", i, length);
	free(data);
}

/*
 * Write the pattern to blocks 0 to 7, then run @command: blocks 2 to 4 must be zero, the others
 * unchanged.
 */
static void zeroes(struct host *host, struct nvme_command command)
{
	uint64_t page = host_pages(host, 1);

	host_fill_pattern(host, page, 0, 4096);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_OK);
	assert_int_equal(host_io(host, command), NVME_OK);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_READ, 0, 8, page, 0)), NVME_OK);
	host_expect_pattern(host, page, 0, 1024);
	expect_zeroes(host, page + 1024, 0, 1536);
	host_expect_pattern(host, page + 2560, 2560, 1536);
}

static struct nvme_command deallocate(
	struct host *host, uint64_t slba, uint32_t blocks, uint32_t attributes)
{
	const struct nvme_dsm_range ranges[2] = {
		{ .blocks = 0, .slba = htole64(2048) },
		{ .blocks = htole32(blocks), .slba = htole64(slba) },
	};
	uint64_t page = host_pages(host, 1);

	host_fill(host, page, ranges, sizeof(ranges));
	return (struct nvme_command){ .opcode = NVME_IO_DATASET_MANAGEMENT,
		.nsid = 1,
		.prp1 = page,
		.cdw10 = 1,
		.cdw11 = attributes };
}

static void test_zeroes(void **state)
{
	struct nvme_command command = nvme_ctrl_rw(NVME_IO_WRITE_ZEROES, 2, 3, 0, 0);
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	zeroes(&host, command);
	command.cdw12 |= NVME_IO_DEALLOCATE | NVME_IO_FUA;
	zeroes(&host, command);
	zeroes(&host, deallocate(&host, 2, 3, NVME_DSM_AD));
	host_close(&host);
}

/* A file system without support for holes: zeroes are written. */
static void test_zeroes_without_holes(void **state)
{
	struct nvme_controller *nvme;
	struct host host;

	(void)state;
	for (int way = 0; way < 2; way++) {
		host_open(&host, "size=1M");
		nvme = soft_private(host.device);
		nvme->backend.punches = way;
		nvme->backend.zeroes = false;
		host_enable(&host, 32, NVME_CTRL_ENABLE);
		host_create_io(&host, 16);
		zeroes(&host, nvme_ctrl_rw(NVME_IO_WRITE_ZEROES, 2, 3, 0, 0));
		if (!way)
			assert_int_equal(host_io(&host, deallocate(&host, 2, 3, NVME_DSM_AD)),
				NVME_INVALID_OPCODE);
		host_close(&host);
	}
}

static void test_image(void **state)
{
	char image[] = "/tmp/test-nvme-XXXXXX", keys[64];
	struct host host;
	uint8_t block[512];
	int fd = mkstemp(image);
	uint64_t page;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	snprintf(keys, sizeof(keys), "image=%s", image);
	host_start(&host, keys);
	zeroes(&host, nvme_ctrl_rw(NVME_IO_WRITE_ZEROES, 2, 3, 0, 0));
	page = host_pages(&host, 1);
	host_fill_pattern(&host, page, 512, 512);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 2047, 1, page, 0)), NVME_OK);
	assert_int_equal(pread(fd, block, 512, 2047 * 512), 512);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(host_pattern(512 + i), block[i]);
	/* The file is truncated while in use: the command fails. */
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 100, 1, page, 0)), NVME_UNRECOVERED_READ);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_COMPARE, 100, 1, page, 0)),
		NVME_UNRECOVERED_READ);
	host_close(&host);
	close(fd);
	unlink(image);
}

static void test_deallocate_errors(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M");
	page = host_pages(&host, 1);
	host_fill_pattern(&host, page, 0, 4096);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_OK);
	assert_int_equal(
		host_io(&host, deallocate(&host, 2040, 9, NVME_DSM_AD)), NVME_LBA_OUT_OF_RANGE);
	assert_int_equal(host_io(&host, deallocate(&host, UINT64_MAX, 2, NVME_DSM_AD)),
		NVME_LBA_OUT_OF_RANGE);
	assert_int_equal(host_io(&host, deallocate(&host, 0, 8, 3)), NVME_OK); /* hints only */
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_COMPARE, 0, 8, page, 0)), NVME_OK);
	host_close(&host);
}

static void test_flush_and_fua(void **state)
{
	struct nvme_command command;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	command = nvme_ctrl_rw(NVME_IO_WRITE, 0, 1, host_pages(&host, 1), 0);
	command.cdw12 |= NVME_IO_FUA;
	assert_int_equal(host_io(&host, command), NVME_OK);
	command.opcode = NVME_IO_READ;
	assert_int_equal(host_io(&host, command), NVME_OK);
	host_close(&host);
}

static void test_read_only(void **state)
{
	struct nvme_identify_namespace id;
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M,readonly=on");
	page = host_pages(&host, 1);
	assert_int_equal(host_admin(&host,
				 (struct nvme_command){
					 .opcode = NVME_ADMIN_IDENTIFY, .nsid = 1, .prp1 = page }),
		NVME_OK);
	host_peek(&host, page, &id, sizeof(id));
	assert_int_equal(id.nsattr, NVME_NSATTR_PROTECTED);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 8, page, 0)), NVME_OK);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)),
		NVME_NAMESPACE_WRITE_PROTECTED);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE_ZEROES, 0, 8, 0, 0)),
		NVME_NAMESPACE_WRITE_PROTECTED);
	assert_int_equal(host_io(&host, deallocate(&host, 0, 8, NVME_DSM_AD)), NVME_INVALID_OPCODE);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_zeroes),
		cmocka_unit_test(test_zeroes_without_holes),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_deallocate_errors),
		cmocka_unit_test(test_flush_and_fua),
		cmocka_unit_test(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
