/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe device when its image fails to store data. fdatasync() and fallocate() are replaced
 * here: each can be made to fail once, as Linux reports a failed write-back once.
 */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int sync_failure, allocate_failure; /* an errno, for one call */

int fdatasync(int fd)
{
	int failure = atomic_exchange(&sync_failure, 0);

	if (!failure)
		return (int)syscall(SYS_fdatasync, fd);
	errno = failure;
	return -1;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	int failure = atomic_exchange(&allocate_failure, 0);

	if (!failure)
		return (int)syscall(SYS_fallocate, fd, mode, offset, length);
	errno = failure;
	return -1;
}

static void start(struct host *host)
{
	char keys[64];

	snprintf(keys, sizeof(keys), "image=%s", host_image);
	host_start(host, keys);
}

/* The status with DNR, without More and the Phase Tag. */
static uint16_t run(struct host *host, struct nvme_ctrl_queue *queue, struct nvme_command command)
{
	struct nvme_completion completion;

	host_put(host, queue, command);
	host_submit(host, queue);
	completion = host_wait(host, queue);
	return completion.status >> 1 & (uint16_t)~NVME_STATUS_MORE;
}

static uint16_t io(struct host *host, uint8_t opcode, uint32_t flags)
{
	struct nvme_command command = nvme_ctrl_rw(opcode, 0, 8, host_pages(host, 1), 0);

	command.cdw12 |= flags;
	return run(host, &host->io, command);
}

static uint16_t set_feature(struct host *host, uint32_t fid, uint32_t value)
{
	return run(host, &host->ctrl.admin,
		(struct nvme_command){
			.opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = fid, .cdw11 = value });
}

static uint16_t deallocate(struct host *host)
{
	const struct nvme_dsm_range range = { .blocks = htole32(8) };
	uint64_t page = host_pages(host, 1);

	host_fill(host, page, &range, sizeof(range));
	return run(host, &host->io,
		(struct nvme_command){ .opcode = NVME_IO_DATASET_MANAGEMENT,
			.nsid = 1,
			.prp1 = page,
			.cdw11 = NVME_DSM_AD });
}

static void read_smart(struct host *host, struct nvme_smart_log *smart)
{
	uint64_t page = host_pages(host, 1);

	assert_int_equal(host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_GET_LOG_PAGE,
						  .prp1 = page,
						  .nsid = NVME_NSID_ALL,
						  .cdw10 = 127u << 16 | NVME_LOG_SMART }),
		NVME_OK);
	host_peek(host, page, smart, sizeof(*smart));
}

static uint8_t namespace_attributes(struct host *host)
{
	struct nvme_identify_namespace id;
	uint64_t page = host_pages(host, 1);

	assert_int_equal(host_admin(host,
				 (struct nvme_command){
					 .opcode = NVME_ADMIN_IDENTIFY, .nsid = 1, .prp1 = page }),
		NVME_OK);
	host_peek(host, page, &id, sizeof(id));
	return id.nsattr;
}

#define FAULT	 (NVME_WRITE_FAULT | NVME_STATUS_DNR)
#define READONLY (NVME_WRITE_TO_READ_ONLY | NVME_STATUS_DNR)

static void expect_failed(struct host *host)
{
	struct nvme_smart_log smart;

	assert_int_equal(io(host, NVME_IO_FLUSH, 0), FAULT);
	assert_int_equal(io(host, NVME_IO_FLUSH, 0), FAULT);
	assert_int_equal(set_feature(host, NVME_FEAT_WRITE_CACHE, 0), FAULT);
	assert_int_equal(io(host, NVME_IO_WRITE, 0), READONLY);
	assert_int_equal(io(host, NVME_IO_WRITE, NVME_IO_FUA), READONLY);
	assert_int_equal(io(host, NVME_IO_WRITE_ZEROES, 0), READONLY);
	assert_int_equal(deallocate(host), READONLY);
	assert_int_equal(io(host, NVME_IO_READ, 0), NVME_OK);
	assert_int_equal(
		io(host, NVME_IO_READ, NVME_IO_FUA), NVME_UNRECOVERED_READ | NVME_STATUS_DNR);
	read_smart(host, &smart);
	assert_int_equal(smart.critical_warning, NVME_SMART_RELIABILITY | NVME_SMART_READ_ONLY);
	assert_true(le64toh(smart.media_errors[0]) > 0);
	assert_int_equal(namespace_attributes(host), NVME_NSATTR_PROTECTED);
}

static void expect_healthy(struct host *host)
{
	struct nvme_smart_log smart;

	assert_int_equal(io(host, NVME_IO_WRITE, NVME_IO_FUA), NVME_OK);
	assert_int_equal(io(host, NVME_IO_FLUSH, 0), NVME_OK);
	read_smart(host, &smart);
	assert_int_equal(smart.critical_warning, 0);
	assert_int_equal(namespace_attributes(host), 0);
}

static void enable_again(struct host *host)
{
	host_enable(host, 32, NVME_CTRL_ENABLE);
	host_create_io(host, 16);
}

static void test_failure_stays(void **state)
{
	struct host host;
	char line[512];

	(void)state;
	start(&host);
	expect_healthy(&host);
	assert_int_equal(fake_soft_log(host.device, line, sizeof(line)), 0);
	atomic_store(&sync_failure, EIO);
	assert_int_equal(io(&host, NVME_IO_FLUSH, 0), FAULT);
	expect_failed(&host);
	host_disable(&host);
	enable_again(&host);
	expect_failed(&host);
	fake_soft_reset(host.device);
	enable_again(&host);
	expect_failed(&host);
	/* One log line, which names the image and the reason. */
	assert_int_equal(fake_soft_log(host.device, line, sizeof(line)), 1);
	assert_non_null(strstr(line, host_image));
	assert_non_null(strstr(line, strerror(EIO)));
	host_close(&host);
	start(&host);
	expect_healthy(&host);
	host_close(&host);
}

enum way {
	FLUSH,
	FUA_WRITE,
	FUA_READ,
	FUA_ZEROES,
	CACHE_OFF,
	UNCACHED_WRITE,
	UNCACHED_ZEROES,
	UNCACHED_DEALLOCATE,
	ZEROES,
	DEALLOCATE,
	WRITE,
	WAYS
};

/* Make the file fail in one of these ways. Return: the status of the command. */
static uint16_t provoke(struct host *host, enum way way, int error)
{
	uint16_t status = NVME_OK;

	if (way == UNCACHED_WRITE || way == UNCACHED_ZEROES || way == UNCACHED_DEALLOCATE)
		assert_int_equal(set_feature(host, NVME_FEAT_WRITE_CACHE, 0), NVME_OK);
	if (way == WRITE)
		fake_soft_fail_files(host->device, -error);
	else
		atomic_store(way == ZEROES || way == DEALLOCATE ? &allocate_failure : &sync_failure,
			error);
	if (way == FLUSH)
		status = io(host, NVME_IO_FLUSH, 0);
	else if (way == FUA_READ)
		status = io(host, NVME_IO_READ, NVME_IO_FUA);
	else if (way == CACHE_OFF)
		status = set_feature(host, NVME_FEAT_WRITE_CACHE, 0);
	else if (way == DEALLOCATE || way == UNCACHED_DEALLOCATE)
		status = deallocate(host);
	else if (way == FUA_ZEROES || way == ZEROES || way == UNCACHED_ZEROES)
		status = io(host, NVME_IO_WRITE_ZEROES, way == FUA_ZEROES ? NVME_IO_FUA : 0);
	else
		status = io(host, NVME_IO_WRITE, way == FUA_WRITE ? NVME_IO_FUA : 0);
	fake_soft_fail_files(host->device, 0);
	atomic_store(&allocate_failure, 0);
	return status;
}

static void test_every_way_of_failure(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		struct host host;

		start(&host);
		assert_int_equal(way == FUA_READ ? NVME_UNRECOVERED_READ | NVME_STATUS_DNR : FAULT,
			provoke(&host, way, EIO));
		expect_failed(&host);
		host_close(&host);
	}
}

/* A write without room fails, and the host is informed: no other data is lost. */
static void test_no_room(void **state)
{
	struct host host;

	(void)state;
	start(&host);
	assert_int_equal(provoke(&host, WRITE, ENOSPC), NVME_CAPACITY_EXCEEDED);
	assert_int_equal(provoke(&host, ZEROES, ENOSPC), NVME_CAPACITY_EXCEEDED);
	assert_int_equal(provoke(&host, DEALLOCATE, ENOSPC), NVME_OK);
	expect_healthy(&host);
	/* Reported by write-back, it is a loss of data whose write had completed. */
	assert_int_equal(provoke(&host, FLUSH, ENOSPC), FAULT);
	expect_failed(&host);
	host_close(&host);
}

static void test_shutdown(void **state)
{
	const uint32_t mask = NVME_CSTS_CFS | NVME_CSTS_SHST_MASK;
	struct host host;
	char line[512];

	(void)state;
	start(&host);
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE | 1u << 14);
	host_await(&host, NVME_REG_CSTS, mask, NVME_CSTS_SHST_COMPLETE);
	host_disable(&host);
	enable_again(&host);
	atomic_store(&sync_failure, EIO);
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE | 1u << 14);
	host_await(&host, NVME_REG_CSTS, mask, NVME_CSTS_CFS | NVME_CSTS_SHST_OCCURRING);
	assert_int_equal(fake_soft_log(host.device, line, sizeof(line)), 1);
	assert_non_null(strstr(line, host_image));
	host_disable(&host);
	assert_int_equal(host_read(&host, NVME_REG_CSTS), 0);
	enable_again(&host);
	expect_failed(&host);
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE | 1u << 14);
	host_await(&host, NVME_REG_CSTS, mask, NVME_CSTS_CFS | NVME_CSTS_SHST_OCCURRING);
	host_close(&host);
}

static uint16_t request_event(struct host *host)
{
	uint16_t cid = host_put(
		host, &host->ctrl.admin, (struct nvme_command){ .opcode = NVME_ADMIN_ASYNC_EVENT });

	host_submit(host, &host->ctrl.admin);
	return cid;
}

static void expect_event(struct host *host, uint16_t cid)
{
	struct nvme_completion completion = host_wait(host, &host->ctrl.admin);

	assert_int_equal(completion.cid, cid);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
	/* SMART / Health, NVM subsystem reliability, and its log page */
	assert_int_equal(completion.result, NVME_EVENT_SMART | 0u << 8 | NVME_LOG_SMART << 16);
}

static void test_event(void **state)
{
	struct nvme_smart_log smart;
	struct host host;
	uint16_t cid;

	(void)state;
	start(&host);
	cid = request_event(&host);
	assert_int_equal(provoke(&host, FLUSH, EIO), FAULT);
	expect_event(&host, cid);
	/* Reported once to this host. */
	cid = request_event(&host);
	read_smart(&host, &smart);
	expect_failed(&host);
	/* Reported to the next host as well. */
	host_disable(&host);
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	expect_event(&host, request_event(&host));
	/* Reported to a host that enables such events later. */
	read_smart(&host, &smart);
	assert_int_equal(set_feature(&host, NVME_FEAT_ASYNC_EVENTS, 0), NVME_OK);
	assert_int_equal(set_feature(&host, NVME_FEAT_ASYNC_EVENTS, NVME_SMART_READ_ONLY), NVME_OK);
	expect_event(&host, request_event(&host));
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_stays),
		cmocka_unit_test(test_every_way_of_failure),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_event),
	};

	return cmocka_run_group_tests(tests, host_image_create, host_image_remove);
}
