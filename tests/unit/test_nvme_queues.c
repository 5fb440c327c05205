/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: full and wrapping queues, interrupts, a mapped BAR, resets in the middle. */
#include "tests/unit/test_nvme_host.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void put_flushes(struct host *host, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		host_put(host, &host->io, host_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(host, &host->io);
}

static void expect_completions(struct host *host, unsigned count, uint16_t *cid)
{
	for (unsigned i = 0; i < count; i++) {
		struct nvme_completion completion = host_wait(host, &host->io);

		assert_int_equal(NVME_OK, host_status(&completion));
		assert_int_equal((*cid)++, completion.cid);
	}
}

/* Many times around, with all amounts: the phase tag turns over where it should. */
static void wrap(struct host *host)
{
	uint16_t cid = host->next_cid;

	for (unsigned round = 0; round < 60; round++) {
		put_flushes(host, round % 15 + 1);
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

/* A command on another queue: when it is done, the device has got as far as it can. */
static void barrier(struct host *host)
{
	host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_ABORT });
}

/* Room for three completions: what does not fit waits, and comes when there is room. */
static void put_ten_flushes(struct host *host)
{
	for (unsigned i = 0; i < 10; i++) {
		struct nvme_command command = host_rw(NVME_IO_FLUSH, 0, 1, 0, 0);

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
	host_enable(&host, 32, HOST_CC_ENABLE);
	host_create_io(&host, 4);
	/* The submission queue again, larger than its completion queue. */
	assert_int_equal(NVME_OK, host_admin(&host, (struct nvme_command){
		.opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1 }));
	assert_int_equal(NVME_OK, host_admin(&host, (struct nvme_command){
		.opcode = NVME_ADMIN_CREATE_SQ, .prp1 = host.io.sq,
		.cdw10 = 15u << 16 | 1, .cdw11 = 1u << 16 | NVME_QUEUE_PC }));
	put_ten_flushes(&host);
	for (unsigned taken = 0; taken < 10;) {
		unsigned now = 0;

		while (!host_take(&host, &host.io, &completion))
			host_nap();
		do {
			assert_int_equal(cid++, completion.cid);
			now++;
			barrier(&host);
		} while (host_take(&host, &host.io, &completion));
		assert_int_equal(10 - taken < 3 ? 10 - taken : 3, now);
		taken += now;
		host_release(&host, &host.io);
	}
	assert_int_equal(0, double_dma_faults(host.device));
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

/* A tail that overtakes the head: more commands than the queue holds. Those before count. */
static void test_overtaking_tail(void **state)
{
	struct nvme_completion completion;
	struct host host;
	uint16_t cid;

	(void)state;
	host_start(&host, "size=1M");
	host_put(&host, &host.admin, (struct nvme_command){ .opcode = NVME_ADMIN_ASYNC_EVENT });
	host_submit(&host, &host.admin);
	barrier(&host);
	double_set_bus_master(host.device, false);
	cid = host.next_cid;
	put_flushes(&host, 10);
	/* Not by two threads' chance: the first ring has been seen when the second comes. */
	while (rung(&host))
		host_nap();
	host_ring(&host, nvme_sq_doorbell(1), 5);
	double_set_bus_master(host.device, true);
	expect_completions(&host, 10, &cid);
	completion = host_wait(&host, &host.admin);
	assert_int_equal(0x010100, completion.result);
	assert_int_equal(NVME_OK, host_io(&host, host_rw(NVME_IO_FLUSH, 0, 1, 0, 0)));
	host_close(&host);
}

static void test_interrupts(void **state)
{
	struct host host;
	unsigned before;

	(void)state;
	host_start(&host, "size=1M");
	before = double_irqs(host.device, 1);
	assert_int_equal(NVME_OK, host_io(&host, host_rw(NVME_IO_FLUSH, 0, 1, 0, 0)));
	while (double_irqs(host.device, 1) == before)
		host_nap();
	/* Masked, as a host without MSI-X does: it comes when the mask goes. */
	host_write(&host, NVME_REG_INTMS, 2);
	before = double_irqs(host.device, 1);
	put_flushes(&host, 1);
	while (!host_take(&host, &host.io, &(struct nvme_completion){ 0 }))
		host_nap();
	barrier(&host);
	assert_int_equal(before, double_irqs(host.device, 1));
	host_write(&host, NVME_REG_INTMC, 2);
	while (double_irqs(host.device, 1) == before)
		host_nap();
	assert_int_equal(before + 1, double_irqs(host.device, 1));
	host_close(&host);
}

/* Told of, and left in the queue while the vector is masked: told of again. */
static void check_unmasking(bool mapped)
{
	struct host host;
	unsigned before;

	host_start(&host, "size=1M");
	host_map(&host, mapped);
	before = double_irqs(host.device, 1);
	put_flushes(&host, 1);
	while (double_irqs(host.device, 1) == before)
		host_nap();
	for (unsigned i = 2; i < 5; i++) {
		host_write(&host, NVME_REG_INTMS, 2);
		host_await(&host, NVME_REG_INTMS, 2, 2);
		barrier(&host);
		assert_int_equal(before + i - 1, double_irqs(host.device, 1));
		host_write(&host, NVME_REG_INTMC, 2);
		while (double_irqs(host.device, 1) == before + i - 1)
			host_nap();
		barrier(&host);
		assert_int_equal(before + i, double_irqs(host.device, 1));
	}
	/* Not when it was taken meanwhile. */
	host_write(&host, NVME_REG_INTMS, 2);
	host_wait(&host, &host.io);
	host_write(&host, NVME_REG_INTMC, 2);
	barrier(&host);
	assert_int_equal(before + 4, double_irqs(host.device, 1));
	host_close(&host);
}

static void test_unmasking(void **state)
{
	(void)state;
	check_unmasking(false);
	check_unmasking(true);
}

static bool line(struct host *host)
{
	return soft_nvme_model.line(host->device);
}

/* A command without data, until its completion has arrived. */
static void complete_one(struct host *host)
{
	struct nvme_completion completion;

	host_put(host, &host->admin, (struct nvme_command){
		.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_ARBITRATION });
	host_submit(host, &host->admin);
	while (!host_take(host, &host->admin, &completion))
		host_nap();
}

/* Asserted from an entry's arrival until the host's doorbell says that it has taken it. */
static void check_line(bool mapped)
{
	struct host host;

	host_open(&host, "size=1M,irq=intx");
	host_map(&host, mapped);
	host_enable(&host, 8, HOST_CC_ENABLE);
	assert_false(line(&host));
	for (int i = 0; i < 20; i++) {
		complete_one(&host);
		/* The entry is seen in memory before the controller is done with it. */
		while (!line(&host))
			host_nap();
		/* At once, though the worker may not have seen it yet. */
		host_release(&host, &host.admin);
		assert_false(line(&host));
	}
	/* The mask, until it goes. */
	complete_one(&host);
	host_write(&host, NVME_REG_INTMS, 1);
	while (line(&host))
		host_nap();
	host_write(&host, NVME_REG_INTMC, 1);
	while (!line(&host))
		host_nap();
	host_disable(&host);
	assert_false(line(&host));
	host_close(&host);
}

static void test_line(void **state)
{
	(void)state;
	check_line(false);
	check_line(true);
}

/* A host that takes entries the moment they are there. */
struct early {
	struct host *host;
	unsigned asserted;
	atomic_uint taken;
};

static void take_at_once(void *context)
{
	struct early *early = context;
	struct nvme_completion completion;

	if (!host_take(early->host, &early->host->admin, &completion))
		return;
	host_release(early->host, &early->host->admin);
	early->asserted += line(early->host);
	atomic_fetch_add(&early->taken, 1);
}

/* It has taken all there is, whatever the controller has still to do about it. */
static void check_line_of_early(bool mapped)
{
	struct host host;
	struct early early = { .host = &host };

	host_open(&host, "size=1M,irq=intx");
	host_map(&host, mapped);
	host_enable(&host, 4, HOST_CC_ENABLE);
	double_on_write(host.device, take_at_once, &early);
	for (unsigned i = 0; i < 9; i++) {
		host_put(&host, &host.admin, (struct nvme_command){
			.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_ARBITRATION });
		host_submit(&host, &host.admin);
		while (atomic_load(&early.taken) == i)
			host_nap();
	}
	assert_int_equal(0, early.asserted);
	host_close(&host);
}

static void test_line_of_early(void **state)
{
	(void)state;
	check_line_of_early(false);
	check_line_of_early(true);
}

static void test_queue_without_interrupts(void **state)
{
	struct host host;
	uint64_t pages;

	(void)state;
	host_start(&host, "size=1M");
	pages = host_pages(&host, 2);
	assert_int_equal(NVME_OK, host_admin(&host, (struct nvme_command){
		.opcode = NVME_ADMIN_CREATE_CQ, .prp1 = pages,
		.cdw10 = 7u << 16 | 2, .cdw11 = 5u << 16 | NVME_QUEUE_PC }));
	assert_int_equal(NVME_OK, host_admin(&host, (struct nvme_command){
		.opcode = NVME_ADMIN_CREATE_SQ, .prp1 = pages + HOST_PAGE,
		.cdw10 = 7u << 16 | 2, .cdw11 = 2u << 16 | NVME_QUEUE_PC }));
	host.io = (struct host_queue){ .qid = 2, .size = 8, .cq = pages,
		.sq = pages + HOST_PAGE, .phase = true };
	assert_int_equal(NVME_OK, host_io(&host, host_rw(NVME_IO_FLUSH, 0, 1, 0, 0)));
	barrier(&host);
	assert_int_equal(0, double_irqs(host.device, 5));
	host_close(&host);
}

/* Everything by loads and stores in the BAR's memory. */
static void test_mapped(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_open(&host, "size=1M");
	host_map(&host, true);
	for (int i = 0; i < 2; i++) {
		host_enable(&host, 32, HOST_CC_ENABLE);
		host_create_io(&host, 16);
		wrap(&host);
		page = host_pages(&host, 1);
		assert_int_equal(NVME_OK, host_io(&host, host_rw(NVME_IO_WRITE, 0, 8, page, 0)));
		host_disable(&host);
	}
	/* By call beside it, and after it. */
	host_enable(&host, 32, HOST_CC_ENABLE);
	host.mapped = false;
	host_create_io(&host, 16);
	host.mapped = true;
	wrap(&host);
	host_map(&host, false);
	wrap(&host);
	host_close(&host);
}

/* What was stored just before the last mapping went is not lost. */
static void test_last_look(void **state)
{
	struct nvme_completion completion;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (int i = 0; i < 20; i++) {
		host_map(&host, true);
		put_flushes(&host, 1);
		host_map(&host, false);
		completion = host_wait(&host, &host.io);
		assert_int_equal(NVME_OK, host_status(&completion));
	}
	host_close(&host);
}

static void test_scribbles_are_undone(void **state)
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
	/* Reserved bits of a register that can be written. */
	host_write(&host, NVME_REG_CC, HOST_CC_ENABLE | 0xff000000);
	host_await(&host, NVME_REG_CC, UINT32_MAX, HOST_CC_ENABLE);
	assert_int_equal(NVME_OK, host_io(&host, host_rw(NVME_IO_FLUSH, 0, 1, 0, 0)));
	host_close(&host);
}

static uint32_t mask_of(struct host *host)
{
	return (uint32_t)soft_nvme_model.bar_read(host->device, 0, NVME_REG_INTMS, 4);
}

static void await_mask(struct host *host, uint32_t mask)
{
	while (mask_of(host) != mask)
		host_nap();
	host_await(host, NVME_REG_INTMS, UINT32_MAX, mask);
	host_await(host, NVME_REG_INTMC, UINT32_MAX, 0);
}

/* Bits that are set are written to INTMC again and again, the very value that the mask has. */
static void test_mapped_interrupt_mask(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	host_map(&host, true);
	for (int i = 0; i < 10; i++) {
		host_write(&host, NVME_REG_INTMS, 3);
		await_mask(&host, 3);
		host_write(&host, NVME_REG_INTMS, 4);
		await_mask(&host, 7);
		host_write(&host, NVME_REG_INTMC, 7);
		await_mask(&host, 0);
	}
	host_close(&host);
}

/* A transfer that stays in the middle until the controller is told to stop. */
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
	double_on_file(host->device, wait_at_gate, gate);
	/* Two segments: the first is under way, the second must not be. */
	host_put(host, &host->io, host_rw(NVME_IO_READ, 0, 16, pages, pages + 2 * HOST_PAGE));
	put_flushes(host, 4);
	while (!atomic_load(&gate->entered))
		host_nap();
}

static void expect_silence(struct host *host)
{
	struct nvme_completion completion;
	uint64_t count = double_dma_count(host->device);

	for (int i = 0; i < 100; i++)
		host_nap();
	assert_int_equal(count, double_dma_count(host->device));
	assert_false(host_take(host, &host->io, &completion));
}

static void expect_restart(struct host *host)
{
	double_on_file(host->device, NULL, NULL);
	host_enable(host, 32, HOST_CC_ENABLE);
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
	soft_nvme_model.reset(host.device);
	expect_silence(&host);
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
	expect_silence(&host);
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

/* Two threads that write registers by call, while resets come from a third. */
static void *ring_on(void *argument)
{
	struct host *host = argument;

	for (unsigned i = 0; i < 2000; i++)
		soft_nvme_model.bar_write(host->device, 0,
			NVME_REG_DOORBELLS + 4 * (i % 6), 4, i % 16);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[2];
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, ring_on, &host));
	for (unsigned i = 0; i < 20; i++) {
		host_map(&host, i % 2);
		assert_int_equal(0x10400, host_read(&host, NVME_REG_VS));
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	host_map(&host, false);
	soft_nvme_model.reset(host.device);
	expect_restart(&host);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_full_completion_queue),
		cmocka_unit_test(test_overtaking_tail),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_unmasking),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_of_early),
		cmocka_unit_test(test_queue_without_interrupts),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_last_look),
		cmocka_unit_test(test_scribbles_are_undone),
		cmocka_unit_test(test_mapped_interrupt_mask),
		cmocka_unit_test(test_reset_in_the_middle),
		cmocka_unit_test(test_disable_in_the_middle),
		cmocka_unit_test(test_destroy_in_the_middle),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
