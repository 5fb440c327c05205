/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: Doorbell Buffer Config, with the rules that a host follows. */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The two buffers of a host, and its number of register writes. */
struct buffers {
	uint64_t shadow, events;
	unsigned register_writes;
};

static uint16_t configure(struct host *host, uint64_t shadow, uint64_t events)
{
	return host_admin(host, (struct nvme_command){
					.opcode = NVME_ADMIN_DOORBELL_BUFFER_CONFIG,
					.prp1 = shadow,
					.prp2 = events,
				});
}

static void start(struct host *host, const char *keys, struct buffers *buffers)
{
	host_open(host, keys);
	host_enable(host, 32, NVME_CTRL_ENABLE);
	*buffers = (struct buffers){ .shadow = host_pages(host, 1), .events = host_pages(host, 1) };
	assert_int_equal(configure(host, buffers->shadow, buffers->events), NVME_OK);
	host_create_io(host, 16);
}

static uint32_t load(struct host *host, uint64_t buffer, unsigned index)
{
	uint32_t value;

	host_peek(host, buffer + 4 * (uint64_t)index, &value, sizeof(value));
	return le32toh(value);
}

/* Write the shadow doorbell, and the register if EventIdx has been passed. */
static void ring(struct host *host, struct buffers *buffers, unsigned index, uint32_t value)
{
	uint32_t old = load(host, buffers->shadow, index), stored = htole32(value);
	uint32_t event;

	host_fill(host, buffers->shadow + 4 * (uint64_t)index, &stored, sizeof(stored));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = load(host, buffers->events, index);
	if ((uint16_t)(value - event - 1) < (uint16_t)(value - old)) {
		host_ring(host, index, value);
		buffers->register_writes++;
	}
}

/* One flush by the shadow doorbells, from submission to release. */
static void flush(struct host *host, struct buffers *buffers)
{
	struct nvme_ctrl_queue *queue = &host->io;
	struct nvme_completion completion;
	uint16_t cid =
		host_put(host, queue, (struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1 });

	ring(host, buffers, nvme_sq_doorbell(queue->qid), queue->tail);
	while (!host_take(host, queue, &completion))
		host_nap();
	assert_int_equal(completion.cid, cid);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
	ring(host, buffers, nvme_cq_doorbell(queue->qid), queue->head);
}

static uint64_t error_count(struct host *host)
{
	uint64_t page = host_pages(host, 1), count;

	assert_int_equal(host_admin(host,
				 (struct nvme_command){
					 .opcode = NVME_ADMIN_GET_LOG_PAGE,
					 .nsid = NVME_NSID_ALL,
					 .prp1 = page,
					 .cdw10 = 15u << 16 | 1,
				 }),
		NVME_OK);
	host_peek(host, page, &count, sizeof(count));
	return le64toh(count);
}

static void test_few_register_writes_are_needed(void **state)
{
	struct buffers buffers;
	struct host host;

	(void)state;
	start(&host, "size=1M", &buffers);
	for (unsigned i = 0; i < 2000; i++)
		flush(&host, &buffers);
	/*
	 * The number depends on how often the worker slept: at most one per command. Heads are
	 * written only where an index wraps.
	 */
	assert_in_range(buffers.register_writes, 1, 2000 + 2 * 2000 / 16);
	assert_int_equal(error_count(&host), 0);
	host_close(&host);
}

/* A sleeping worker is woken by the register; it has set EventIdx before it slept. */
static void test_an_idle_controller_asks_for_the_register(void **state)
{
	unsigned doorbell = nvme_sq_doorbell(1);
	struct buffers buffers;
	struct host host;

	(void)state;
	start(&host, "size=1M", &buffers);
	for (unsigned i = 0; i < 40; i++) {
		unsigned before = buffers.register_writes;

		while (load(&host, buffers.events, doorbell) != host.io.tail)
			host_nap();
		flush(&host, &buffers);
		assert_true(buffers.register_writes > before);
	}
	host_close(&host);
}

/* While the BAR is mapped the worker polls: it does not ask for the register, and needs none. */
static void test_a_mapped_controller_polls(void **state)
{
	unsigned doorbell = nvme_sq_doorbell(1);
	struct buffers buffers;
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	host_map(&host, true);
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	buffers =
		(struct buffers){ .shadow = host_pages(&host, 1), .events = host_pages(&host, 1) };
	assert_int_equal(configure(&host, buffers.shadow, buffers.events), NVME_OK);
	host_create_io(&host, 16);
	for (unsigned i = 0; i < 40; i++) {
		flush(&host, &buffers);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		assert_int_equal(load(&host, buffers.events, doorbell), 0);
	}
	/* Only where the index passes the value of EventIdx, once in 16. */
	assert_in_range(buffers.register_writes, 0, 2 * (40 / 16 + 1));
	/* The last mapping ends: it sleeps, and asks for the register before. */
	host_map(&host, false);
	while (load(&host, buffers.events, doorbell) != host.io.tail)
		host_nap();
	flush(&host, &buffers);
	host_close(&host);
}

/* A full completion queue: the head that makes room must wake a sleeping worker. */
static void test_a_full_queue_continues_when_there_is_room(void **state)
{
	struct nvme_completion completion;
	struct buffers buffers;
	struct host host;
	unsigned taken = 0;

	(void)state;
	start(&host, "size=1M", &buffers);
	/* 15 completions fill the queue of 16; the host releases none. */
	for (unsigned i = 0; i < 15; i++)
		host_put(&host, &host.io,
			(struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1 });
	ring(&host, &buffers, nvme_sq_doorbell(1), host.io.tail);
	while (taken < 15) {
		if (!host_take(&host, &host.io, &completion)) {
			host_nap();
			continue;
		}
		taken++;
	}
	/* Another command has no room until the device reads the heads. */
	host_put(&host, &host.io, (struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1 });
	ring(&host, &buffers, nvme_sq_doorbell(1), host.io.tail);
	while (load(&host, buffers.events, nvme_sq_doorbell(1)) != host.io.tail)
		host_nap();
	assert_false(host_take(&host, &host.io, &completion));
	ring(&host, &buffers, nvme_cq_doorbell(1), host.io.head);
	while (!host_take(&host, &host.io, &completion))
		host_nap();
	host_close(&host);
}

/* A late register write with an old value. */
static void test_a_stale_register_write_changes_nothing(void **state)
{
	struct buffers buffers;
	struct host host;

	(void)state;
	start(&host, "size=1M", &buffers);
	for (unsigned i = 0; i < 100; i++) {
		flush(&host, &buffers);
		host_ring(&host, nvme_sq_doorbell(1), (host.io.tail + 15) % 16);
		host_ring(&host, nvme_cq_doorbell(1), (host.io.head + 15) % 16);
	}
	assert_int_equal(error_count(&host), 0);
	host_close(&host);
}

static void test_a_reset_disables_the_buffers(void **state)
{
	struct buffers buffers;
	struct host host;

	(void)state;
	start(&host, "size=1M", &buffers);
	flush(&host, &buffers);
	host_disable(&host);
	host_enable(&host, 32, NVME_CTRL_ENABLE);
	host_create_io(&host, 16);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(
			host_io(&host, (struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1 }),
			NVME_OK);
	host_close(&host);
}

static void test_existing_queues_start_with_their_values(void **state)
{
	struct buffers buffers;
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			host_io(&host, (struct nvme_command){ .opcode = NVME_IO_FLUSH, .nsid = 1 }),
			NVME_OK);
	buffers =
		(struct buffers){ .shadow = host_pages(&host, 1), .events = host_pages(&host, 1) };
	assert_int_equal(configure(&host, buffers.shadow, buffers.events), NVME_OK);
	assert_int_equal(load(&host, buffers.shadow, nvme_sq_doorbell(1)), 3);
	assert_int_equal(load(&host, buffers.shadow, nvme_cq_doorbell(1)), 3);
	for (unsigned i = 0; i < 40; i++)
		flush(&host, &buffers);
	host_close(&host);
}

static void test_bad_buffers_are_refused(void **state)
{
	struct host host;
	uint64_t page;

	(void)state;
	host_start(&host, "size=1M");
	page = host_pages(&host, 1);
	assert_int_equal(configure(&host, page + 4, page), NVME_INVALID_FIELD);
	assert_int_equal(configure(&host, page, page + 2048), NVME_INVALID_FIELD);
	/* No memory at the address: detected at once, as a queue exists. */
	assert_int_equal(
		configure(&host, UINT64_MAX & ~UINT64_C(4095), page), NVME_DATA_TRANSFER_ERROR);
	host_close(&host);
}

/* An invalid value in a shadow doorbell is reported once, and the controller continues. */
static void test_invalid_values_are_errors(void **state)
{
	uint32_t nonsense = htole32(0xffff);
	struct buffers buffers;
	struct host host;

	(void)state;
	start(&host, "size=1M", &buffers);
	flush(&host, &buffers);
	host_fill(&host, buffers.shadow + 4 * (uint64_t)nvme_sq_doorbell(1), &nonsense, 4);
	host_ring(&host, nvme_sq_doorbell(1), 0xffff);
	while (error_count(&host) == 0)
		host_nap();
	for (unsigned i = 0; i < 20; i++)
		host_barrier(&host);
	assert_int_equal(error_count(&host), 1);
	ring(&host, &buffers, nvme_sq_doorbell(1), host.io.tail);
	host_ring(&host, nvme_sq_doorbell(1), host.io.tail);
	flush(&host, &buffers);
	host_close(&host);
}

/* An access to a register ends an interrupt by the pin. */
static void test_it_is_not_offered_when_off_or_with_a_pin(void **state)
{
	static const struct {
		const char *spec;
		bool offered;
	} cases[] = {
		{ "size=1M", true },
		{ "size=1M,dbbuf=on,irq=msi", true },
		{ "size=1M,dbbuf=off", false },
		{ "size=1M,irq=intx", false },
	};
	struct nvme_identify_controller *id = calloc(1, sizeof(*id));
	struct host host;
	uint64_t page;

	(void)state;
	assert_non_null(id);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool on = cases[i].offered;

		host_open(&host, cases[i].spec);
		host_enable(&host, 32, NVME_CTRL_ENABLE);
		page = host_pages(&host, 1);
		assert_int_equal(host_admin(&host,
					 (struct nvme_command){
						 .opcode = NVME_ADMIN_IDENTIFY,
						 .prp1 = page,
						 .cdw10 = 1,
					 }),
			NVME_OK);
		host_peek(&host, page, id, sizeof(*id));
		assert_int_equal(le16toh(id->oacs), on ? NVME_OACS_DOORBELL_BUFFER : 0);
		assert_int_equal(configure(&host, page, page), on ? NVME_OK : NVME_INVALID_OPCODE);
		host_close(&host);
	}
	free(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_register_writes_are_needed),
		cmocka_unit_test(test_an_idle_controller_asks_for_the_register),
		cmocka_unit_test(test_a_mapped_controller_polls),
		cmocka_unit_test(test_a_full_queue_continues_when_there_is_room),
		cmocka_unit_test(test_a_stale_register_write_changes_nothing),
		cmocka_unit_test(test_a_reset_disables_the_buffers),
		cmocka_unit_test(test_existing_queues_start_with_their_values),
		cmocka_unit_test(test_bad_buffers_are_refused),
		cmocka_unit_test(test_invalid_values_are_errors),
		cmocka_unit_test(test_it_is_not_offered_when_off_or_with_a_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
