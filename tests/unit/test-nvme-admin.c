/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: identify, queues, aborts and asynchronous events. */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PC NVME_QUEUE_PC

static uint16_t identify(struct host *host, unsigned cns, uint32_t nsid, void *data)
{
	uint64_t page = host_pages(host, 1);
	uint16_t status = host_admin(host,
		(struct nvme_command){
			.opcode = NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = page, .cdw10 = cns });

	if (data)
		host_peek(host, page, data, HOST_PAGE);
	return status;
}

static void test_identify_controller(void **state)
{
	struct nvme_identify_controller id;
	struct host host;

	(void)state;
	host_start(&host, "size=1M,serial=ABC 123,model=Test disk,mdts=64K");
	assert_int_equal(identify(&host, NVME_CNS_CONTROLLER, 0, &id), NVME_OK);
	assert_int_equal(fake_soft_identity(host.device)->vendor_id, le16toh(id.vid));
	assert_memory_equal("ABC 123             ", id.sn, 20);
	assert_memory_equal("Test disk                               ", id.mn, 40);
	assert_int_equal(id.mdts, 4);
	assert_int_equal(le32toh(id.ver), 0x10400);
	assert_int_equal(id.sqes, 0x66);
	assert_int_equal(id.cqes, 0x44);
	assert_int_equal(le32toh(id.nn), 1);
	assert_int_equal(le32toh(id.sgls), 0);
	assert_int_equal(id.vwc, 7);
	assert_true(le16toh(id.oncs) & NVME_ONCS_DSM);
	assert_memory_equal("nqn.2014-08.org.nvmexpress:uuid:", id.subnqn, 32);
	assert_int_equal(strnlen(id.subnqn, sizeof(id.subnqn)), 68);
	assert_true(le16toh(id.wctemp) > 273 && le16toh(id.cctemp) > le16toh(id.wctemp));
	host_close(&host);
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

static void test_identify_namespace(void **state)
{
	struct nvme_identify_namespace id;
	uint8_t list[4096];
	struct host host;

	(void)state;
	host_start(&host, "size=1M,block=4096");
	assert_int_equal(identify(&host, NVME_CNS_NAMESPACE, 1, &id), NVME_OK);
	assert_int_equal(le64toh(id.nsze), 256);
	assert_int_equal(le64toh(id.ncap), 256);
	assert_int_equal(id.lbaf[0].lbads, 12);
	assert_int_equal(id.nlbaf, 0);
	assert_int_equal(id.nsattr, 0);
	assert_int_equal(id.dlfeat, 9);
	assert_false(all_zero(id.nguid, 16));
	assert_false(all_zero(id.eui64, 8));

	assert_int_equal(identify(&host, NVME_CNS_DESCRIPTORS, 1, list), NVME_OK);
	assert_int_equal(list[0], NVME_NIDT_EUI64);
	assert_memory_equal(id.eui64, list + 4, 8);
	assert_int_equal(list[12], NVME_NIDT_NGUID);
	assert_memory_equal(id.nguid, list + 16, 16);
	assert_int_equal(list[32], NVME_NIDT_UUID);
	assert_int_equal(list[33], 16);
	assert_false(all_zero(list + 36, 16));
	assert_true(all_zero(list + 52, sizeof(list) - 52));

	assert_int_equal(identify(&host, NVME_CNS_ACTIVE_LIST, 0, list), NVME_OK);
	assert_int_equal(list[0], 1);
	assert_true(all_zero(list + 1, sizeof(list) - 1));
	assert_int_equal(identify(&host, NVME_CNS_ACTIVE_LIST, 1, list), NVME_OK);
	assert_true(all_zero(list, sizeof(list)));
	host_close(&host);
}

static void test_identify_errors(void **state)
{
	static const struct {
		unsigned cns;
		uint32_t nsid;
		uint16_t status;
	} cases[] = {
		{ NVME_CNS_NAMESPACE, 0, NVME_INVALID_NAMESPACE },
		{ NVME_CNS_NAMESPACE, 2, NVME_INVALID_NAMESPACE },
		{ NVME_CNS_NAMESPACE, NVME_NSID_ALL, NVME_INVALID_NAMESPACE },
		{ NVME_CNS_DESCRIPTORS, 2, NVME_INVALID_NAMESPACE },
		{ NVME_CNS_ACTIVE_LIST, NVME_NSID_ALL, NVME_INVALID_NAMESPACE },
		{ NVME_CNS_ACTIVE_LIST, NVME_NSID_ALL - 1, NVME_INVALID_NAMESPACE },
		{ 0x04, 1, NVME_INVALID_FIELD },
		{ 0x06, 0, NVME_INVALID_FIELD },
		{ 0x10, 0, NVME_INVALID_FIELD },
		{ 0xff, 0, NVME_INVALID_FIELD },
	};
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			cases[i].status, identify(&host, cases[i].cns, cases[i].nsid, NULL));
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_IDENTIFY,
						   .cdw10 = 1,
						   .prp1 = UINT64_C(1) << 60 }),
		NVME_DATA_TRANSFER_ERROR);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_IDENTIFY,
						   .cdw10 = 1,
						   .prp1 = FAKE_SOFT_RAM_BASE + 2 }),
		NVME_INVALID_PRP_OFFSET);
	host_close(&host);
}

/* The same serial number or image gives the same identifiers; memory gets new ones each time. */
static void identifiers(const char *keys, struct nvme_identify_controller *id)
{
	struct host host;

	host_open(&host, keys);
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	assert_int_equal(identify(&host, NVME_CNS_CONTROLLER, 0, id), NVME_OK);
	host_close(&host);
}

static void test_identifiers_are_stable(void **state)
{
	struct nvme_identify_controller a, b;
	char image[] = "/tmp/test-nvme-XXXXXX", keys[64];
	int fd = mkstemp(image);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	close(fd);
	snprintf(keys, sizeof(keys), "image=%s", image);
	identifiers(keys, &a);
	identifiers(keys, &b);
	assert_memory_equal(a.subnqn, b.subnqn, sizeof(a.subnqn));
	assert_memory_equal(a.sn, b.sn, sizeof(a.sn));
	snprintf(keys, sizeof(keys), "image=%s,serial=X", image);
	identifiers(keys, &b);
	assert_memory_not_equal(a.subnqn, b.subnqn, sizeof(a.subnqn));
	identifiers("size=1M,serial=X", &a);
	assert_memory_equal(a.subnqn, b.subnqn, sizeof(a.subnqn));
	identifiers("size=1M", &a);
	identifiers("size=1M", &b);
	assert_memory_not_equal(a.subnqn, b.subnqn, sizeof(a.subnqn));
	unlink(image);
}

static uint16_t create_cq(
	struct host *host, uint32_t qid, uint32_t size, uint32_t cdw11, uint64_t prp1)
{
	return host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_CQ,
					.prp1 = prp1,
					.cdw10 = size << 16 | qid,
					.cdw11 = cdw11 });
}

static uint16_t create_sq(
	struct host *host, uint32_t qid, uint32_t size, uint32_t cdw11, uint64_t prp1)
{
	return host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_SQ,
					.prp1 = prp1,
					.cdw10 = size << 16 | qid,
					.cdw11 = cdw11 });
}

static uint16_t delete_queue(struct host *host, uint8_t opcode, uint32_t qid)
{
	return host_admin(host, (struct nvme_command){ .opcode = opcode, .cdw10 = qid });
}

static void test_create_cq_errors(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M,queues=4,vectors=3");
	page = host_pages(&host, 1);
	assert_int_equal(create_cq(&host, 0, 15, PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_cq(&host, 1, 15, PC, page), NVME_INVALID_QUEUE_ID); /* it exists */
	assert_int_equal(create_cq(&host, 5, 15, PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_cq(&host, 2, 0, PC, page), NVME_INVALID_QUEUE_SIZE);
	assert_int_equal(create_cq(&host, 2, 1024, PC, page), NVME_INVALID_QUEUE_SIZE);
	assert_int_equal(create_cq(&host, 2, 15, 0, page), NVME_INVALID_FIELD);
	assert_int_equal(create_cq(&host, 2, 15, PC, page + 16), NVME_INVALID_PRP_OFFSET);
	assert_int_equal(create_cq(&host, 2, 15, 3u << 16 | PC, page), NVME_INVALID_VECTOR);
	assert_int_equal(create_cq(&host, 2, 1023, 2u << 16 | PC, page), NVME_OK);
	assert_int_equal(create_cq(&host, 4, 1, PC, page), NVME_OK);
	host_close(&host);
}

static void test_create_sq_errors(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M,queues=4");
	page = host_pages(&host, 1);
	assert_int_equal(create_sq(&host, 0, 15, 1u << 16 | PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_sq(&host, 1, 15, 1u << 16 | PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_sq(&host, 5, 15, 1u << 16 | PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_sq(&host, 2, 15, PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_sq(&host, 2, 15, 5u << 16 | PC, page), NVME_INVALID_QUEUE_ID);
	assert_int_equal(create_sq(&host, 2, 15, 2u << 16 | PC, page), NVME_INVALID_CQ);
	assert_int_equal(create_sq(&host, 2, 0, 1u << 16 | PC, page), NVME_INVALID_QUEUE_SIZE);
	assert_int_equal(create_sq(&host, 2, 1024, 1u << 16 | PC, page), NVME_INVALID_QUEUE_SIZE);
	assert_int_equal(create_sq(&host, 2, 15, 1u << 16, page), NVME_INVALID_FIELD);
	assert_int_equal(create_sq(&host, 2, 15, 1u << 16 | PC, page + 4), NVME_INVALID_PRP_OFFSET);
	assert_int_equal(create_sq(&host, 2, 15, 1u << 16 | PC, page), NVME_OK);
	host_close(&host);
}

static void test_entry_sizes(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	host_enable(&host, 8, NVME_CC_EN);
	assert_int_equal(create_cq(&host, 1, 15, PC, host_pages(&host, 1)), NVME_INVALID_FIELD);
	host_close(&host);
}

static void test_delete_queues(void **state)
{
	struct host host;

	(void)state;
	host_start(&host, "size=1M,queues=4");
	for (unsigned i = 0; i < 2; i++) {
		uint8_t opcode = i ? NVME_ADMIN_DELETE_CQ : NVME_ADMIN_DELETE_SQ;

		assert_int_equal(delete_queue(&host, opcode, 0), NVME_INVALID_QUEUE_ID);
		assert_int_equal(delete_queue(&host, opcode, 2), NVME_INVALID_QUEUE_ID);
		assert_int_equal(delete_queue(&host, opcode, 9), NVME_INVALID_QUEUE_ID);
	}
	assert_int_equal(delete_queue(&host, NVME_ADMIN_DELETE_CQ, 1), NVME_INVALID_QUEUE_DELETION);
	assert_int_equal(delete_queue(&host, NVME_ADMIN_DELETE_SQ, 1), NVME_OK);
	assert_int_equal(delete_queue(&host, NVME_ADMIN_DELETE_CQ, 1), NVME_OK);
	assert_int_equal(delete_queue(&host, NVME_ADMIN_DELETE_CQ, 1), NVME_INVALID_QUEUE_ID);
	/* Created again, they start empty. */
	host_create_io(&host, 8);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

static void test_unknown_commands(void **state)
{
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	assert_int_equal(
		host_admin(&host, (struct nvme_command){ .opcode = 0x80 }), NVME_INVALID_OPCODE);
	assert_int_equal(host_io(&host, (struct nvme_command){ .opcode = 0x7f, .nsid = 1 }),
		NVME_INVALID_OPCODE);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_IDENTIFY,
						   .flags = 1 }),
		NVME_INVALID_FIELD); /* fused */
	assert_int_equal(
		host_io(&host,
			(struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1, .flags = 0x40 }),
		NVME_INVALID_FIELD); /* SGL */
	host_close(&host);
}

static uint16_t put_event_request(struct host *host)
{
	uint16_t cid = host_put(
		host, &host->ctrl.admin, (struct nvme_command){ .opcode = NVME_ADMIN_ASYNC_EVENT });

	host_submit(host, &host->ctrl.admin);
	return cid;
}

static uint16_t abort_of(struct host *host, unsigned sqid, uint16_t cid, uint32_t *result)
{
	return host_run(host, &host->ctrl.admin,
		(struct nvme_command){
			.opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 | sqid },
		result);
}

static void test_abort(void **state)
{
	struct nvme_completion completion;
	struct host host;
	uint32_t result;
	uint16_t cid;

	(void)state;
	host_start(&host, "size=1M");
	assert_int_equal(abort_of(&host, 1, 77, &result), NVME_OK);
	assert_int_equal(result, 1);
	assert_int_equal(abort_of(&host, 2, 77, NULL), NVME_INVALID_FIELD);
	put_event_request(&host);
	cid = put_event_request(&host);
	host_put(&host, &host.ctrl.admin,
		(struct nvme_command){ .opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 });
	host_submit(&host, &host.ctrl.admin);
	completion = host_wait(&host, &host.ctrl.admin);
	assert_int_equal(completion.cid, cid);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_ABORT_REQUESTED);
	completion = host_wait(&host, &host.ctrl.admin);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
	assert_int_equal(completion.result, 0);
	host_close(&host);
}

static struct nvme_completion abort_without_release(struct host *host, uint16_t cid)
{
	struct nvme_completion completion;

	host_put(host, &host->ctrl.admin,
		(struct nvme_command){ .opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)cid << 16 });
	host_submit(host, &host->ctrl.admin);
	while (!host_take(host, &host->ctrl.admin, &completion))
		host_nap();
	return completion;
}

/* One free completion entry is not enough for the abort and the aborted command. */
static void test_abort_without_room(void **state)
{
	struct nvme_completion completion;
	struct host host;
	uint16_t cid;

	(void)state;
	host_open(&host, "size=1M");
	host_enable(&host, 3, NVME_CTRL_ENABLE);
	cid = put_event_request(&host);
	abort_without_release(&host, 99);
	completion = abort_without_release(&host, cid);
	assert_int_equal(completion.result, 1);
	host_release(&host, &host.ctrl.admin);
	completion = abort_without_release(&host, cid);
	assert_int_equal(completion.cid, cid);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_ABORT_REQUESTED);
	completion = host_wait(&host, &host.ctrl.admin);
	assert_int_equal(completion.result, 0);
	host_close(&host);
}

static void test_event_limit(void **state)
{
	struct nvme_completion completion;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (unsigned i = 0; i < NVME_ASYNC_MAX; i++)
		put_event_request(&host);
	put_event_request(&host);
	completion = host_wait(&host, &host.ctrl.admin);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_ASYNC_LIMIT);
	host_close(&host);
}

static void read_log(struct host *host, unsigned id, uint32_t flags, void *data)
{
	uint64_t page = host_pages(host, 1);

	assert_int_equal(host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_GET_LOG_PAGE,
						  .nsid = NVME_NSID_ALL,
						  .prp1 = page,
						  .cdw10 = 127u << 16 | flags | id }),
		NVME_OK);
	if (data)
		host_peek(host, page, data, 512);
}

static void expect_event(struct host *host, uint16_t cid, uint32_t result)
{
	struct nvme_completion completion = host_wait(host, &host->ctrl.admin);

	assert_int_equal(completion.cid, cid);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
	assert_int_equal(result, completion.result);
}

/*
 * Doorbell writes: to a queue that does not exist (0), an invalid value (1). Masked until the
 * error log is read.
 */
static void test_doorbell_events(void **state)
{
	struct nvme_completion completion;
	struct nvme_error_entry entries[8];
	struct host host;
	uint16_t first, second;

	(void)state;
	host_start(&host, "size=1M");
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	first = put_event_request(&host);
	second = put_event_request(&host);
	host_ring(&host, nvme_sq_doorbell(9), 1);
	expect_event(&host, first, 0x010000);
	host_ring(&host, nvme_sq_doorbell(1), 16); /* the size of the queue */
	read_log(&host, NVME_LOG_SMART, 0, NULL);
	read_log(&host, NVME_LOG_ERROR, NVME_LOG_RETAIN_EVENT, entries);
	assert_int_equal(le64toh(entries[0].count), 2);
	assert_int_equal(le16toh(entries[0].sqid), 1);
	assert_int_equal(le16toh(entries[0].cid), NVME_ERROR_NO_COMMAND);
	assert_int_equal(le16toh(entries[1].sqid), 9);
	assert_false(host_take(&host, &host.ctrl.admin, &completion));
	/* The completion of the log page comes first, then the event, which is unmasked by it. */
	read_log(&host, NVME_LOG_ERROR, 0, NULL);
	expect_event(&host, second, 0x010100);
	/* The queue still works. */
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

static void test_completion_doorbell_events(void **state)
{
	struct host host;
	uint16_t cid;

	(void)state;
	host_start(&host, "size=1M");
	cid = put_event_request(&host);
	host_ring(&host, nvme_cq_doorbell(1), 3); /* no completion has been posted */
	expect_event(&host, cid, 0x010100);
	read_log(&host, NVME_LOG_ERROR, 0, NULL);
	cid = put_event_request(&host);
	host_write(&host, NVME_REG_DOORBELLS + 4092, 3);
	expect_event(&host, cid, 0x010000);
	host_close(&host);
}

static void test_temperature_event(void **state)
{
	struct nvme_smart_log smart;
	struct host host;
	uint16_t cid;

	(void)state;
	host_start(&host, "size=1M");
	cid = put_event_request(&host);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .cdw10 = NVME_FEAT_ASYNC_EVENTS,
						   .cdw11 = 2 }),
		NVME_OK);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .cdw10 = NVME_FEAT_TEMPERATURE,
						   .cdw11 = 300 }),
		NVME_OK);
	expect_event(&host, cid, 0x020101);
	read_log(&host, NVME_LOG_SMART, 0, &smart);
	assert_int_equal(smart.critical_warning, NVME_SMART_TEMPERATURE);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify_controller),
		cmocka_unit_test(test_identify_namespace),
		cmocka_unit_test(test_identify_errors),
		cmocka_unit_test(test_identifiers_are_stable),
		cmocka_unit_test(test_create_cq_errors),
		cmocka_unit_test(test_create_sq_errors),
		cmocka_unit_test(test_entry_sizes),
		cmocka_unit_test(test_delete_queues),
		cmocka_unit_test(test_unknown_commands),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_abort_without_room),
		cmocka_unit_test(test_event_limit),
		cmocka_unit_test(test_doorbell_events),
		cmocka_unit_test(test_completion_doorbell_events),
		cmocka_unit_test(test_temperature_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
