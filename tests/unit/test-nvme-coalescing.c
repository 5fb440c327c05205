/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe device with Interrupt Coalescing. clock_gettime() is replaced here: CLOCK_MONOTONIC
 * stands still until the test advances it.
 */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_uint_fast64_t now_ns = UINT64_C(1000000000);

int clock_gettime(clockid_t clock, struct timespec *now)
{
	uint64_t ns = atomic_load(&now_ns);

	if (clock != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = (time_t)(ns / 1000000000u);
	now->tv_nsec = (long)(ns % 1000000000u);
	return 0;
}

#define THRESHOLD 4u /* entries */
#define TIME_NS	  UINT64_C(1000000)
#define VALUE	  (TIME_NS / 100000u << 8 | (THRESHOLD - 1))

static uint16_t set_feature(struct host *host, uint32_t fid, uint32_t value)
{
	return host_admin(
		host, (struct nvme_command){
			      .opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = fid, .cdw11 = value });
}

/* Coalescing with @value, and I/O queue 1 on vector 1. */
static void start(struct host *host, const char *keys, uint32_t value)
{
	host_start(host, keys);
	assert_int_equal(set_feature(host, NVME_FEAT_COALESCING, value), NVME_OK);
}

static unsigned irqs(struct host *host)
{
	return fake_soft_irqs(host->device, 1);
}

static void await_irqs(struct host *host, unsigned count)
{
	while (irqs(host) < count)
		host_nap();
	host_barrier(host);
	assert_int_equal(irqs(host), count);
}

/* Submit a command, and take its completion. */
static void complete_one(struct host *host)
{
	host_put(host, &host->io, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(host, &host->io);
	host_wait(host, &host->io);
	host_barrier(host);
}

/* The entries of these commands stay in the queue. */
static void put_flushes(struct host *host, struct nvme_ctrl_queue *queue, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		host_put(host, queue, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(host, queue);
	host_barrier(host);
}

static void test_threshold(void **state)
{
	struct host host;

	(void)state;
	start(&host, "size=1M", VALUE);
	put_flushes(&host, &host.io, THRESHOLD - 1);
	assert_int_equal(irqs(&host), 0);
	put_flushes(&host, &host.io, 1);
	await_irqs(&host, 1);
	put_flushes(&host, &host.io, THRESHOLD - 1);
	assert_int_equal(irqs(&host), 1);
	put_flushes(&host, &host.io, 1);
	await_irqs(&host, 2);
	host_close(&host);
}

static void check_time(bool mapped)
{
	struct host host;

	start(&host, "size=1M", VALUE);
	host_map(&host, mapped);
	put_flushes(&host, &host.io, 1);
	atomic_fetch_add(&now_ns, TIME_NS - 1);
	put_flushes(&host, &host.io, 1);
	assert_int_equal(irqs(&host), 0);
	atomic_fetch_add(&now_ns, 1);
	await_irqs(&host, 1);
	host_close(&host);
}

/* It is that of the first entry. */
static void test_time(void **state)
{
	(void)state;
	check_time(false);
	check_time(true);
}

/* Entries that the host has consumed need no interrupt. */
static void test_consumed(void **state)
{
	struct host host;

	(void)state;
	start(&host, "size=1M", VALUE);
	complete_one(&host);
	atomic_fetch_add(&now_ns, TIME_NS);
	host_barrier(&host);
	assert_int_equal(irqs(&host), 0);
	put_flushes(&host, &host.io, THRESHOLD - 1);
	assert_int_equal(irqs(&host), 0);
	put_flushes(&host, &host.io, 1);
	await_irqs(&host, 1);
	host_close(&host);
}

static void test_no_coalescing(void **state)
{
	static const uint32_t values[] = { 0, THRESHOLD - 1, VALUE & 0xff00 };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct host host;

		start(&host, "size=1M", values[i]);
		put_flushes(&host, &host.io, 1);
		await_irqs(&host, 1);
		host_close(&host);
	}
}

static void test_excluded_vector(void **state)
{
	struct host host;

	(void)state;
	start(&host, "size=1M", VALUE);
	assert_int_equal(set_feature(&host, NVME_FEAT_VECTOR, NVME_VECTOR_CD | 1), NVME_OK);
	put_flushes(&host, &host.io, 1);
	await_irqs(&host, 1);
	assert_int_equal(set_feature(&host, NVME_FEAT_VECTOR, 1), NVME_OK);
	put_flushes(&host, &host.io, 1);
	assert_int_equal(irqs(&host), 1);
	/* What is held is due when the vector is excluded again. */
	assert_int_equal(set_feature(&host, NVME_FEAT_VECTOR, NVME_VECTOR_CD | 1), NVME_OK);
	await_irqs(&host, 2);
	host_close(&host);
}

static void test_switched_off(void **state)
{
	struct host host;

	(void)state;
	start(&host, "size=1M", VALUE);
	put_flushes(&host, &host.io, 1);
	assert_int_equal(irqs(&host), 0);
	assert_int_equal(set_feature(&host, NVME_FEAT_COALESCING, 0), NVME_OK);
	await_irqs(&host, 1);
	host_close(&host);
}

static void test_admin_queue(void **state)
{
	struct host host;
	unsigned before;

	(void)state;
	start(&host, "size=1M", VALUE);
	host_barrier(&host);
	before = fake_soft_irqs(host.device, 0);
	host_put(&host, &host.ctrl.admin, (struct nvme_command){ .opcode = NVME_ADMIN_ABORT });
	host_submit(&host, &host.ctrl.admin);
	while (fake_soft_irqs(host.device, 0) == before)
		host_nap();
	host_close(&host);
}

static void test_an_error(void **state)
{
	struct host host;

	(void)state;
	start(&host, "size=1M", VALUE);
	put_flushes(&host, &host.io, 1);
	assert_int_equal(irqs(&host), 0);
	host_put(&host, &host.io, nvme_ctrl_rw(NVME_IO_READ, 1u << 30, 1, 0, 0));
	host_submit(&host, &host.io);
	await_irqs(&host, 1);
	host_close(&host);
}

/* The entries of all queues of a vector count, and one interrupt each is raised together. */
static void test_queues_of_one_vector(void **state)
{
	struct nvme_ctrl_queue second = { .qid = 2, .size = 16, .phase = true };
	struct host host;

	(void)state;
	start(&host, "size=1M", VALUE);
	second.sq = host_pages(&host, 1);
	second.cq = host_pages(&host, 1);
	assert_true(nvme_ctrl_create(&host.ctrl, &second, 1));
	put_flushes(&host, &host.io, THRESHOLD - 1);
	assert_int_equal(irqs(&host), 0);
	put_flushes(&host, &second, 1);
	await_irqs(&host, 2);
	host_close(&host);
}

static void test_unmasking(void **state)
{
	struct host host;

	(void)state;
	start(&host, "size=1M,irq=msi", VALUE);
	put_flushes(&host, &host.io, 1);
	host_write(&host, NVME_REG_INTMS, 2);
	host_barrier(&host);
	assert_int_equal(irqs(&host), 0);
	host_write(&host, NVME_REG_INTMC, 2);
	await_irqs(&host, 1);
	host_close(&host);
}

/* A pin shows whether there are entries: it is not held back. */
static void test_pin(void **state)
{
	struct nvme_ctrl_queue queue = { .qid = 1, .size = 16, .phase = true };
	struct host host;
	unsigned before;

	(void)state;
	host_open(&host, "size=1M,irq=intx");
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	queue.sq = host_pages(&host, 1);
	queue.cq = host_pages(&host, 1);
	assert_int_equal(set_feature(&host, NVME_FEAT_COALESCING, VALUE), NVME_OK);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_CQ,
						   .prp1 = queue.cq,
						   .cdw10 = 15u << 16 | 1,
						   .cdw11 = NVME_QUEUE_PC | NVME_QUEUE_IEN }),
		NVME_OK);
	assert_int_equal(host_admin(&host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_SQ,
						   .prp1 = queue.sq,
						   .cdw10 = 15u << 16 | 1,
						   .cdw11 = 1u << 16 | NVME_QUEUE_PC }),
		NVME_OK);
	host_barrier(&host);
	before = fake_soft_irqs(host.device, 0);
	host_put(&host, &queue, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(&host, &queue);
	while (fake_soft_irqs(host.device, 0) == before)
		host_nap();
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_consumed),
		cmocka_unit_test(test_no_coalescing),
		cmocka_unit_test(test_excluded_vector),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_admin_queue),
		cmocka_unit_test(test_an_error),
		cmocka_unit_test(test_queues_of_one_vector),
		cmocka_unit_test(test_unmasking),
		cmocka_unit_test(test_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
