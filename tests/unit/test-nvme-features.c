/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: features and log pages. */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

static uint16_t get(
	struct host *host, uint32_t fid, uint32_t select, uint32_t cdw11, uint32_t *result)
{
	return host_run(host, &host->ctrl.admin,
		(struct nvme_command){ .opcode = NVME_ADMIN_GET_FEATURES,
			.nsid = fid == NVME_FEAT_ERROR_RECOVERY,
			.cdw10 = select << 8 | fid,
			.cdw11 = cdw11 },
		result);
}

static uint16_t set(
	struct host *host, uint32_t fid, uint32_t nsid, uint32_t cdw11, uint32_t *result)
{
	return host_run(host, &host->ctrl.admin,
		(struct nvme_command){ .opcode = NVME_ADMIN_SET_FEATURES,
			.nsid = nsid,
			.cdw10 = fid,
			.cdw11 = cdw11 },
		result);
}

static const struct {
	uint32_t fid, initial, value, selector;
} round_trips[] = {
	{ NVME_FEAT_ARBITRATION, 3, 0x01020305, 0 },
	{ NVME_FEAT_POWER, 0, 0x20, 0 },
	{ NVME_FEAT_TEMPERATURE, NVME_TEMPERATURE_WARNING, 333, 0 },
	{ NVME_FEAT_TEMPERATURE, 0, 200, 1u << 20 }, /* the under temperature threshold */
	{ NVME_FEAT_ERROR_RECOVERY, 0, 0x1234, 0 },
	{ NVME_FEAT_WRITE_CACHE, 1, 0, 0 },
	{ NVME_FEAT_COALESCING, 0, 0x0807, 0 },
	{ NVME_FEAT_VECTOR, 5, NVME_VECTOR_CD | 5, 5 },
	{ NVME_FEAT_ATOMICITY, 0, 1, 0 },
	{ NVME_FEAT_ASYNC_EVENTS, NVME_SMART_RELIABILITY | NVME_SMART_READ_ONLY, 0xff, 0 },
};
#define ROUND_TRIPS (sizeof(round_trips) / sizeof(round_trips[0]))

static void test_round_trips(void **state)
{
	struct host host;
	uint32_t result;

	(void)state;
	host_start(&host, "size=1M");
	for (size_t i = 0; i < ROUND_TRIPS; i++) {
		uint32_t fid = round_trips[i].fid, selector = round_trips[i].selector;

		assert_int_equal(get(&host, fid, NVME_SEL_CURRENT, selector, &result), NVME_OK);
		assert_int_equal(round_trips[i].initial, result);
		assert_int_equal(set(&host, fid, fid == NVME_FEAT_ERROR_RECOVERY,
					 round_trips[i].value | selector, NULL),
			NVME_OK);
		assert_int_equal(get(&host, fid, NVME_SEL_CURRENT, selector, &result), NVME_OK);
		assert_int_equal(round_trips[i].value, result);
		for (uint32_t select = NVME_SEL_DEFAULT; select <= NVME_SEL_SAVED; select++) {
			assert_int_equal(get(&host, fid, select, selector, &result), NVME_OK);
			assert_int_equal(round_trips[i].initial, result);
		}
		assert_int_equal(
			get(&host, fid, NVME_SEL_CAPABILITIES, selector, &result), NVME_OK);
		assert_int_equal(fid == NVME_FEAT_ERROR_RECOVERY ? 6 : 4, result);
	}
	/* A controller reset restores the defaults. */
	host_disable(&host);
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	for (size_t i = 0; i < ROUND_TRIPS; i++) {
		assert_int_equal(get(&host, round_trips[i].fid, NVME_SEL_CURRENT,
					 round_trips[i].selector, &result),
			NVME_OK);
		assert_int_equal(round_trips[i].initial, result);
	}
	host_close(&host);
}

static void test_feature_errors(void **state)
{
	struct host host;
	uint32_t result;

	(void)state;
	host_start(&host, "size=1M,vectors=8");
	assert_int_equal(get(&host, 0x00, 0, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, 0x03, 0, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, 0xff, 0, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, NVME_FEAT_WRITE_CACHE, 4, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, NVME_FEAT_VECTOR, 0, 8, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, NVME_FEAT_TEMPERATURE, 0, 1u << 16, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, NVME_FEAT_TEMPERATURE, 0, 2u << 20, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, 0x0c, 0, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEATURE_SAVE | NVME_FEAT_WRITE_CACHE, 0, 1, NULL),
		NVME_FEATURE_NOT_SAVEABLE);
	assert_int_equal(
		set(&host, NVME_FEAT_WRITE_CACHE, 1, 1, NULL), NVME_FEATURE_NOT_PER_NAMESPACE);
	assert_int_equal(set(&host, NVME_FEAT_WRITE_CACHE, 2, 1, NULL), NVME_INVALID_NAMESPACE);
	assert_int_equal(set(&host, NVME_FEAT_ERROR_RECOVERY, 0, 1, NULL), NVME_INVALID_NAMESPACE);
	assert_int_equal(
		set(&host, NVME_FEAT_ERROR_RECOVERY, 1, 1u << 16, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEAT_POWER, 0, 1, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEAT_VECTOR, 0, 8, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEAT_ASYNC_EVENTS, 0, 256, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEAT_TEMPERATURE, 0, 3u << 20, NULL), NVME_INVALID_FIELD);
	assert_int_equal(get(&host, NVME_FEAT_WRITE_CACHE, 0, 0, &result), NVME_OK);
	assert_int_equal(result, 1);
	host_close(&host);
}

static void test_number_of_queues(void **state)
{
	struct host host;
	uint32_t result;

	(void)state;
	host_open(&host, "size=1M,queues=5");
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	assert_int_equal(set(&host, NVME_FEAT_QUEUES, 0, 0xffff, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEAT_QUEUES, 0, 0xffff0000, NULL), NVME_INVALID_FIELD);
	assert_int_equal(set(&host, NVME_FEAT_QUEUES, 0, 0x003f003f, &result), NVME_OK);
	assert_int_equal(result, 0x00040004);
	assert_int_equal(get(&host, NVME_FEAT_QUEUES, 0, 0, &result), NVME_OK);
	assert_int_equal(result, 0x00040004);
	host_create_io(&host, 8);
	assert_int_equal(set(&host, NVME_FEAT_QUEUES, 0, 0, NULL), NVME_COMMAND_SEQUENCE_ERROR);
	host_close(&host);
}

static void test_timestamp(void **state)
{
	const uint64_t set_to = UINT64_C(0x018000000000);
	struct nvme_command command = { .cdw10 = NVME_FEAT_TIMESTAMP };
	struct host host;
	uint64_t value = htole64(set_to);

	(void)state;
	host_start(&host, "size=1M");
	command.prp1 = host_pages(&host, 1);
	host_fill(&host, command.prp1, &value, sizeof(value));
	command.opcode = NVME_ADMIN_SET_FEATURES;
	assert_int_equal(host_admin(&host, command), NVME_OK);
	command.opcode = NVME_ADMIN_GET_FEATURES;
	assert_int_equal(host_admin(&host, command), NVME_OK);
	host_peek(&host, command.prp1, &value, sizeof(value));
	value = le64toh(value);
	assert_int_equal(value >> 48, NVME_TIMESTAMP_SET);
	assert_true((value & 0xffffffffffff) >= set_to);
	command.cdw10 |= NVME_SEL_DEFAULT << 8;
	assert_int_equal(host_admin(&host, command), NVME_OK);
	host_peek(&host, command.prp1, &value, sizeof(value));
	assert_int_equal(value, 0);
	host_close(&host);
}

static uint16_t log_page(
	struct host *host, unsigned id, uint64_t offset, uint32_t length, uint32_t nsid, void *data)
{
	uint64_t page = host_pages(host, 2);
	uint32_t dwords = length / 4 - 1;
	uint16_t status = host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_GET_LOG_PAGE,
						   .nsid = nsid,
						   .prp1 = page,
						   .prp2 = page + HOST_PAGE,
						   .cdw10 = dwords << 16 | id,
						   .cdw11 = dwords >> 16,
						   .cdw12 = (uint32_t)offset,
						   .cdw13 = (uint32_t)(offset >> 32) });

	if (data)
		host_peek(host, page, data, length);
	return status;
}

static void test_smart_counts(void **state)
{
	struct nvme_smart_log smart;
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M");
	page = host_pages(&host, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
			host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 8, page, 0)), NVME_OK);
	fake_soft_fail_files(host.device, -ENOSPC);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_CAPACITY_EXCEEDED);
	fake_soft_fail_files(host.device, -EIO);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 8, page, 0)), NVME_UNRECOVERED_READ);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_WRITE_FAULT);
	fake_soft_fail_files(host.device, 0);
	assert_int_equal(log_page(&host, NVME_LOG_SMART, 0, 512, NVME_NSID_ALL, &smart), NVME_OK);
	assert_int_equal(le64toh(smart.writes[0]), 3);
	assert_int_equal(le64toh(smart.reads[0]), 5);
	assert_int_equal(le64toh(smart.units_written[0]), 1);
	assert_int_equal(le64toh(smart.units_read[0]), 1);
	assert_int_equal(le64toh(smart.media_errors[0]), 2);
	assert_int_equal(le64toh(smart.error_entries[0]), 3);
	assert_int_equal(smart.critical_warning, NVME_SMART_RELIABILITY | NVME_SMART_READ_ONLY);
	assert_int_equal(le16toh(smart.temperature), NVME_TEMPERATURE);
	host_close(&host);
}

static void test_error_log(void **state)
{
	struct nvme_error_entry entries[2];
	struct nvme_completion completion;
	struct host host;
	uint16_t cid;

	(void)state;
	host_start(&host, "size=1M");
	cid = host_put(
		&host, &host.io, nvme_ctrl_rw(NVME_IO_READ, 0x123456789, 8, FAKE_SOFT_RAM_BASE, 0));
	host_submit(&host, &host.io);
	completion = host_wait(&host, &host.io);
	/* More and Do Not Retry are set. */
	assert_int_equal(
		completion.status >> 1, NVME_LBA_OUT_OF_RANGE | NVME_STATUS_MORE | NVME_STATUS_DNR);
	assert_int_equal(log_page(&host, NVME_LOG_ERROR, 0, 128, 0, entries), NVME_OK);
	assert_int_equal(le64toh(entries[0].count), 1);
	assert_int_equal(le16toh(entries[0].sqid), 1);
	assert_int_equal(le16toh(entries[0].cid), cid);
	assert_int_equal(le16toh(entries[0].status) >> 1, NVME_LBA_OUT_OF_RANGE | NVME_STATUS_DNR);
	assert_int_equal(le64toh(entries[0].lba), 0x123456789);
	assert_int_equal(le32toh(entries[0].nsid), 1);
	assert_int_equal(le64toh(entries[1].count), 0);
	/* More errors than the log holds: the latest are kept, the newest first. */
	for (unsigned i = 0; i < NVME_ERRORS_MAX + 7; i++)
		assert_int_equal(host_io(&host, (struct nvme_command){ .opcode = 0x7f }),
			NVME_INVALID_OPCODE);
	assert_int_equal(log_page(&host, NVME_LOG_ERROR, 0, 128, 0, entries), NVME_OK);
	assert_int_equal(NVME_ERRORS_MAX + 8, le64toh(entries[0].count));
	assert_int_equal(NVME_ERRORS_MAX + 7, le64toh(entries[1].count));
	assert_int_equal(log_page(&host, NVME_LOG_ERROR, 63 * 64, 64, 0, entries), NVME_OK);
	assert_int_equal(le64toh(entries[0].count), 9);
	/* A reset clears the entries; the count continues. */
	host_disable(&host);
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	assert_int_equal(log_page(&host, NVME_LOG_ERROR, 0, 64, 0, entries), NVME_OK);
	assert_int_equal(le64toh(entries[0].count), 0);
	host_admin(&host, (struct nvme_command){ .opcode = 0x7f });
	assert_int_equal(log_page(&host, NVME_LOG_ERROR, 0, 64, 0, entries), NVME_OK);
	assert_int_equal(NVME_ERRORS_MAX + 9, le64toh(entries[0].count));
	host_close(&host);
}

static void test_other_logs(void **state)
{
	struct nvme_firmware_log firmware;
	struct nvme_effects_log effects;
	struct host host;
	char part[4];

	(void)state;
	host_start(&host, "size=1M");
	assert_int_equal(log_page(&host, NVME_LOG_FIRMWARE, 0, 512, 0, &firmware), NVME_OK);
	assert_int_equal(firmware.active, 1);
	assert_memory_equal(NVME_FIRMWARE, firmware.slots[0], 8);
	assert_int_equal(log_page(&host, NVME_LOG_FIRMWARE, 8, 4, 0, part), NVME_OK);
	assert_memory_equal(NVME_FIRMWARE, part, 4);
	assert_int_equal(log_page(&host, NVME_LOG_EFFECTS, 0, 4096, 0, &effects), NVME_OK);
	assert_int_equal(le32toh(effects.admin[NVME_ADMIN_IDENTIFY]), NVME_EFFECT_SUPPORTED);
	assert_int_equal(effects.admin[0x80], 0);
	assert_int_equal(
		le32toh(effects.io[NVME_IO_WRITE]), NVME_EFFECT_SUPPORTED | NVME_EFFECT_CONTENT);
	host_close(&host);
}

static void test_log_errors(void **state)
{
	uint8_t data[8192], marker[8192];
	struct host host;

	(void)state;
	host_start(&host, "size=1M,mdts=8K");
	assert_int_equal(log_page(&host, 0, 0, 4, 0, NULL), NVME_INVALID_LOG_PAGE);
	assert_int_equal(log_page(&host, 4, 0, 4, 0, NULL), NVME_INVALID_LOG_PAGE);
	assert_int_equal(log_page(&host, 0xc0, 0, 4, 0, NULL), NVME_INVALID_LOG_PAGE);
	assert_int_equal(log_page(&host, NVME_LOG_SMART, 2, 4, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(log_page(&host, NVME_LOG_SMART, 512, 4, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(
		log_page(&host, NVME_LOG_SMART, UINT64_C(1) << 40, 4, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(log_page(&host, NVME_LOG_SMART, 0, 8196, 0, NULL), NVME_INVALID_FIELD);
	assert_int_equal(log_page(&host, NVME_LOG_SMART, 0, 4, 2, NULL), NVME_INVALID_NAMESPACE);
	/* Reading past the end returns the rest of the page only. */
	memset(marker, 0, sizeof(marker));
	assert_int_equal(log_page(&host, NVME_LOG_FIRMWARE, 4, 8192, 0, data), NVME_OK);
	assert_memory_equal(marker, data + 12, sizeof(data) - 12);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_feature_errors),
		cmocka_unit_test(test_number_of_queues),
		cmocka_unit_test(test_timestamp),
		cmocka_unit_test(test_smart_counts),
		cmocka_unit_test(test_error_log),
		cmocka_unit_test(test_other_logs),
		cmocka_unit_test(test_log_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
