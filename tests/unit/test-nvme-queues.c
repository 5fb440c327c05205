/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: full and wrapping queues, a mapped BAR, resets during transfers. */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void expect_completions(struct host *host, unsigned count, uint16_t *cid)
{
	for (unsigned i = 0; i < count; i++) {
		struct nvme_completion completion = host_wait(host, &host->io);

		assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
		assert_int_equal((*cid)++, completion.cid);
	}
}

/* Many rounds with every number of entries: the phase tag inverts at each wrap. */
static void wrap(struct host *host)
{
	uint16_t cid = host->ctrl.next_cid;

	for (unsigned round = 0; round < 60; round++) {
		host_put_flushes(host, round % 15 + 1);
		expect_completions(host, round % 15 + 1, &cid);
	}
}

static void test_wrap(void **state)
{
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	wrap(&host);
	host_close(&host);
}

/* Room for three completions: the others wait until entries are released. */
static void put_ten_flushes(struct host *host)
{
	for (unsigned i = 0; i < 10; i++) {
		struct nvme_command command = nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0);

		command.cid = htole16((uint16_t)(100 + i));
		command.nsid = htole32(1);
		host_fill(host, host->io.sq + i * sizeof(command), &command, sizeof(command));
	}
	host_ring(host, nvme_sq_doorbell(1), 10);
}

static void test_full_completion_queue(void **state)
{
	struct nvme_completion completion;
	struct host host;
	uint16_t cid = 100;

	(void)state;
	host_open(&host, "size=1M");
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	host_create_io(&host, 4);
	/* The submission queue again, with more entries than its completion queue. */
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_DELETE_SQ,
						   .cdw10 = 1 }),
		NVME_OK);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_SQ,
						   .prp1 = host.io.sq,
						   .cdw10 = 15u << 16 | 1,
						   .cdw11 = 1u << 16 | NVME_QUEUE_PC }),
		NVME_OK);
	put_ten_flushes(&host);
	for (unsigned taken = 0; taken < 10;) {
		unsigned now = 0;

		while (!host_take(&host, &host.io, &completion))
			host_nap();
		do {
			assert_int_equal(cid++, completion.cid);
			now++;
			host_barrier(&host);
		} while (host_take(&host, &host.io, &completion));
		assert_int_equal(10 - taken < 3 ? 10 - taken : 3, now);
		taken += now;
		host_release(&host, &host.io);
	}
	assert_int_equal(fake_soft_dma_faults(host.device), 0);
	host_close(&host);
}

static bool rung(struct host *host)
{
	struct nvme_controller *nvme = soft_private(host->device);

	pthread_mutex_lock(&nvme->registers.lock);
	bool any = nvme->registers.rung[0];
	pthread_mutex_unlock(&nvme->registers.lock);
	return any;
}

/* A tail that passes the head: more commands than the queue holds. Those before it complete. */
static void test_overtaking_tail(void **state)
{
	struct nvme_completion completion;
	struct host host;
	uint16_t cid;

	(void)state;
	host_start(&host, "size=1M");
	host_put(
		&host, &host.ctrl.admin, (struct nvme_command){ .opcode = NVME_ADMIN_ASYNC_EVENT });
	host_submit(&host, &host.ctrl.admin);
	host_barrier(&host);
	fake_soft_set_bus_master(host.device, false);
	cid = host.ctrl.next_cid;
	host_put_flushes(&host, 10);
	/*
	 * The device reads the first doorbell value before the second, and both before it can
	 * fetch.
	 */
	while (rung(&host))
		host_nap();
	host_ring(&host, nvme_sq_doorbell(1), 5);
	while (rung(&host))
		host_nap();
	fake_soft_set_bus_master(host.device, true);
	expect_completions(&host, 10, &cid);
	completion = host_wait(&host, &host.ctrl.admin);
	assert_int_equal(completion.result, 0x010100);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

/* All accesses are loads and stores to the BAR's memory. */
static void test_mapped(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_open(&host, "size=1M");
	host_map(&host, true);
	for (int i = 0; i < 2; i++) {
		host_enable(&host, 32, NVME_CTRL_ENABLE);
		host_create_io(&host, 16);
		wrap(&host);
		page = host_pages(&host, 1);
		assert_int_equal(
			host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8, page, 0)), NVME_OK);
		host_disable(&host);
	}
	/* Calls while it is mapped, and after unmapping. */
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	host.mapped = false;
	host_create_io(&host, 16);
	host.mapped = true;
	wrap(&host);
	host_map(&host, false);
	wrap(&host);
	host_close(&host);
}

/* A store just before the last unmapping is processed. */
static void test_store_before_unmapping(void **state)
{
	struct nvme_completion completion;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (int i = 0; i < 20; i++) {
		host_map(&host, true);
		host_put_flushes(&host, 1);
		host_map(&host, false);
		completion = host_wait(&host, &host.io);
		assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
	}
	host_close(&host);
}

static void test_stores_to_read_only_registers_are_reverted(void **state)
{
	static const unsigned offsets[] = { 0x00, 0x04, 0x08, 0x18, 0x1c, 0x20, 0x38, 0x3c };
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	host_map(&host, true);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		uint32_t truth = (uint32_t)soft_nvme_model.bar_read(host.device, 0, offsets[i], 4);

		host_write(&host, offsets[i], ~truth);
		host_await(&host, offsets[i], UINT32_MAX, truth);
		assert_int_equal(truth, soft_nvme_model.bar_read(host.device, 0, offsets[i], 4));
	}
	/* Reserved bits of a writable register. */
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE | 0xff000000);
	host_await(&host, NVME_REG_CC, UINT32_MAX, NVME_CTRL_ENABLE);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

/* A transfer that blocks halfway until the controller is told to stop. */
struct gate {
	struct nvme_controller *nvme;
	atomic_bool entered;
};

static void wait_at_gate(void *context)
{
	struct gate *gate = context;

	atomic_store(&gate->entered, true);
	while (!nvme_halted(gate->nvme))
		host_nap();
}

static void begin_read(struct host *host, struct gate *gate)
{
	uint64_t pages = host_pages(host, 4);

	*gate = (struct gate){ .nvme = soft_private(host->device) };
	fake_soft_on_file(host->device, wait_at_gate, gate);
	/* It is under way; the commands after it must not be. */
	host_put(host, &host->io, nvme_ctrl_rw(NVME_IO_READ, 0, 16, pages, pages + 2 * HOST_PAGE));
	host_put_flushes(host, 4);
	while (!atomic_load(&gate->entered))
		host_nap();
}

static void expect_no_access(struct host *host)
{
	struct nvme_completion completion;
	uint64_t count = fake_soft_dma_count(host->device);

	for (int i = 0; i < 100; i++)
		host_nap();
	assert_int_equal(count, fake_soft_dma_count(host->device));
	assert_false(host_take(host, &host->io, &completion));
}

static void expect_restart(struct host *host)
{
	fake_soft_on_file(host->device, NULL, NULL);
	host_enable(host, 32, NVME_CTRL_ENABLE);
	host_create_io(host, 16);
	wrap(host);
}

static void test_reset_in_the_middle(void **state)
{
	struct gate gate;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	begin_read(&host, &gate);
	fake_soft_reset(host.device);
	expect_no_access(&host);
	expect_restart(&host);
	host_close(&host);
}

static void test_disable_in_the_middle(void **state)
{
	struct gate gate;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	begin_read(&host, &gate);
	host_disable(&host);
	expect_no_access(&host);
	expect_restart(&host);
	host_close(&host);
}

static void test_destroy_in_the_middle(void **state)
{
	struct gate gate;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	begin_read(&host, &gate);
	host_close(&host);
	assert_true(atomic_load(&gate.entered));
}

/* Two threads write registers by call while a third resets. */
static void *ring_repeatedly(void *argument)
{
	struct host *host = argument;

	for (unsigned i = 0; i < 2000; i++)
		soft_nvme_model.bar_write(
			host->device, 0, NVME_REG_DOORBELLS + 4 * (i % 6), 4, i % 16);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[2];
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_repeatedly, &host), 0);
	for (unsigned i = 0; i < 20; i++) {
		host_map(&host, i % 2);
		assert_int_equal(host_read(&host, NVME_REG_VS), 0x10400);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	host_map(&host, false);
	fake_soft_reset(host.device);
	expect_restart(&host);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_full_completion_queue),
		cmocka_unit_test(test_overtaking_tail),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_store_before_unmapping),
		cmocka_unit_test(test_stores_to_read_only_registers_are_reverted),
		cmocka_unit_test(test_reset_in_the_middle),
		cmocka_unit_test(test_disable_in_the_middle),
		cmocka_unit_test(test_destroy_in_the_middle),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
