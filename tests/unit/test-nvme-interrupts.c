/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: when it interrupts, the interrupt mask, and INTx. */
#include "tests/lib/nvme-model.h"

#include <pthread.h>

static void test_interrupts(void **state)
{
	struct host host;
	unsigned before;

	(void)state;
	host_start(&host, "size=1M");
	before = fake_soft_irqs(host.device, 1);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	while (fake_soft_irqs(host.device, 1) == before)
		host_nap();
	/* Masked by INTMS, as without MSI-X: raised when unmasked. */
	host_write(&host, NVME_REG_INTMS, 2);
	before = fake_soft_irqs(host.device, 1);
	host_put_flushes(&host, 1);
	while (!host_take(&host, &host.io, &(struct nvme_completion){ 0 }))
		host_nap();
	host_barrier(&host);
	assert_int_equal(before, fake_soft_irqs(host.device, 1));
	host_write(&host, NVME_REG_INTMC, 2);
	while (fake_soft_irqs(host.device, 1) == before)
		host_nap();
	assert_int_equal(before + 1, fake_soft_irqs(host.device, 1));
	host_close(&host);
}

/* A completion that is still in the queue when its vector is unmasked raises it again. */
static void check_unmasking(bool mapped)
{
	struct host host;
	unsigned before;

	host_start(&host, "size=1M");
	host_map(&host, mapped);
	before = fake_soft_irqs(host.device, 1);
	host_put_flushes(&host, 1);
	while (fake_soft_irqs(host.device, 1) == before)
		host_nap();
	for (unsigned i = 2; i < 5; i++) {
		host_write(&host, NVME_REG_INTMS, 2);
		host_await(&host, NVME_REG_INTMS, 2, 2);
		host_barrier(&host);
		assert_int_equal(before + i - 1, fake_soft_irqs(host.device, 1));
		host_write(&host, NVME_REG_INTMC, 2);
		while (fake_soft_irqs(host.device, 1) == before + i - 1)
			host_nap();
		host_barrier(&host);
		assert_int_equal(before + i, fake_soft_irqs(host.device, 1));
	}
	/* It does not if the entry was released meanwhile. */
	host_write(&host, NVME_REG_INTMS, 2);
	host_wait(&host, &host.io);
	host_write(&host, NVME_REG_INTMC, 2);
	host_barrier(&host);
	assert_int_equal(before + 4, fake_soft_irqs(host.device, 1));
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

/* A command without data; waits for its completion. */
static void complete_one(struct host *host)
{
	struct nvme_completion completion;

	host_put(host, &host->ctrl.admin,
		(struct nvme_command){
			.opcode = NVME_ADMIN_GET_FEATURES, .cdw10 = NVME_FEAT_ARBITRATION });
	host_submit(host, &host->ctrl.admin);
	while (!host_take(host, &host->ctrl.admin, &completion))
		host_nap();
}

/* INTx is asserted from the arrival of an entry until the head doorbell releases it. */
static void check_line(bool mapped)
{
	struct host host;

	host_open(&host, "size=1M,irq=intx");
	host_map(&host, mapped);
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	assert_false(line(&host));
	for (int i = 0; i < 20; i++) {
		complete_one(&host);
		/* The entry is visible in memory before the controller asserts the pin. */
		while (!line(&host))
			host_nap();
		/* Deasserted at once, even if the worker has not seen the doorbell yet. */
		host_release(&host, &host.ctrl.admin);
		assert_false(line(&host));
	}
	/* Deasserted while masked. */
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

/* A host that releases entries as soon as they are visible. */
struct early {
	struct host *host;
	unsigned asserted;
	atomic_uint taken;
};

static void release_at_once(void *context)
{
	struct early *early = context;
	struct nvme_completion completion;

	if (!host_take(early->host, &early->host->ctrl.admin, &completion))
		return;
	host_release(early->host, &early->host->ctrl.admin);
	early->asserted += line(early->host);
	atomic_fetch_add(&early->taken, 1);
}

/* All entries are released before the controller has finished with them. */
static void check_line_of_early(bool mapped)
{
	struct host host;
	struct early early = { .host = &host };

	host_open(&host, "size=1M,irq=intx");
	host_map(&host, mapped);
	host_enable(&host, 4, NVME_CTRL_ENABLE);
	fake_soft_on_write(host.device, release_at_once, &early);
	for (unsigned i = 0; i < 9; i++) {
		host_put(&host, &host.ctrl.admin,
			(struct nvme_command){ .opcode = NVME_ADMIN_GET_FEATURES,
				.cdw10 = NVME_FEAT_ARBITRATION });
		host_submit(&host, &host.ctrl.admin);
		while (atomic_load(&early.taken) == i)
			host_nap();
	}
	assert_int_equal(early.asserted, 0);
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
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_CQ,
						   .prp1 = pages,
						   .cdw10 = 7u << 16 | 2,
						   .cdw11 = 5u << 16 | NVME_QUEUE_PC }),
		NVME_OK);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_SQ,
						   .prp1 = pages + HOST_PAGE,
						   .cdw10 = 7u << 16 | 2,
						   .cdw11 = 2u << 16 | NVME_QUEUE_PC }),
		NVME_OK);
	host.io = (struct nvme_ctrl_queue){
		.qid = 2, .size = 8, .cq = pages, .sq = pages + HOST_PAGE, .phase = true
	};
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_barrier(&host);
	assert_int_equal(fake_soft_irqs(host.device, 5), 0);
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

/* Store the current mask to INTMC repeatedly: the value does not change, the store counts. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_unmasking),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_of_early),
		cmocka_unit_test(test_queue_without_interrupts),
		cmocka_unit_test(test_mapped_interrupt_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
