/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe device while flushes and reads wait for the medium. fdatasync() and preadv2() are
 * replaced here: each waits at a gate while that is closed, and can be made to fail. The page
 * cache seems to be empty.
 */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096u

/* Where the calls of one kind wait. */
struct gate {
	bool closed;
	unsigned waiting, passed;
	int failure; /* an errno for the next call that passes; 0: it succeeds */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static struct gate flushes, reads; /* under the lock */

/* Return: the errno that the call is to fail with. */
static int pass(struct gate *gate)
{
	int failure;

	pthread_mutex_lock(&lock);
	gate->waiting++;
	while (gate->closed)
		pthread_cond_wait(&opened, &lock);
	gate->waiting--;
	gate->passed++;
	failure = gate->failure;
	gate->failure = 0;
	pthread_mutex_unlock(&lock);
	return failure;
}

int fdatasync(int fd)
{
	int failure = pass(&flushes);

	if (!failure)
		return (int)syscall(SYS_fdatasync, fd);
	errno = failure;
	return -1;
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	int failure = flags & RWF_NOWAIT ? EAGAIN : pass(&reads);

	if (!failure)
		return syscall(SYS_preadv2, fd, iov, count, offset, 0, 0);
	errno = failure;
	return -1;
}

static void close_gate(struct gate *gate)
{
	pthread_mutex_lock(&lock);
	gate->closed = true;
	pthread_mutex_unlock(&lock);
}

/* The next call that passes fails with @failure, or succeeds for 0. */
static void open_gate(struct gate *gate, int failure)
{
	pthread_mutex_lock(&lock);
	gate->closed = false;
	gate->failure = failure;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&lock);
}

static unsigned waiting_at(struct gate *gate)
{
	pthread_mutex_lock(&lock);
	unsigned count = gate->waiting;
	pthread_mutex_unlock(&lock);
	return count;
}

static unsigned passed_at(struct gate *gate)
{
	pthread_mutex_lock(&lock);
	unsigned count = gate->passed;
	pthread_mutex_unlock(&lock);
	return count;
}

static void await_waiting(struct gate *gate, unsigned count)
{
	while (waiting_at(gate) != count)
		host_nap();
}

static void await_passed(struct gate *gate, unsigned count)
{
	while (passed_at(gate) < count)
		host_nap();
}

/* Gates open, and the host has I/O queues 1 and 2, of @entries. */
struct scene {
	struct host host;
	struct nvme_ctrl_queue second;
};

static void create_queues(struct scene *scene, uint32_t entries)
{
	struct host *host = &scene->host;
	unsigned pages = (unsigned)(entries * sizeof(struct nvme_command) / HOST_PAGE + 1);

	host_create_io(host, entries);
	scene->second = (struct nvme_ctrl_queue){ .qid = 2, .size = entries, .phase = true };
	scene->second.sq = host_pages(host, pages);
	scene->second.cq = host_pages(host, pages);
	assert_true(nvme_ctrl_create(&host->ctrl, &scene->second, 2));
}

static void start(struct scene *scene, uint32_t entries)
{
	struct host *host = &scene->host;
	struct nvme_controller *nvme;
	char keys[64];

	flushes = reads = (struct gate){ .closed = false };
	snprintf(keys, sizeof(keys), "image=%s,block=4096,queues=2", host_image);
	host_open(host, keys);
	nvme = soft_private(host->device);
	nvme->backend.waits = true; /* also if the image is in memory */
	fake_soft_set_uncached(host->device, true);
	host_enable(host, 64, NVME_CTRL_ENABLE);
	create_queues(scene, entries);
}

static void finish(struct scene *scene)
{
	open_gate(&flushes, 0);
	open_gate(&reads, 0);
	host_close(&scene->host);
}

static uint16_t put(struct scene *scene, struct nvme_ctrl_queue *queue, uint8_t opcode,
	uint64_t block, uint64_t page)
{
	return host_put(&scene->host, queue, nvme_ctrl_rw(opcode, block, 1, page, 0));
}

static uint16_t run(struct scene *scene, struct nvme_ctrl_queue *queue, uint8_t opcode,
	uint64_t block, uint64_t page)
{
	return host_run(&scene->host, queue, nvme_ctrl_rw(opcode, block, 1, page, 0), NULL);
}

static void expect_status(
	struct scene *scene, struct nvme_ctrl_queue *queue, uint16_t cid, uint16_t status)
{
	struct nvme_completion completion = host_wait(&scene->host, queue);

	assert_int_equal(completion.cid, cid);
	assert_int_equal(nvme_ctrl_status(&completion), status);
}

static bool has_completed(struct scene *scene, struct nvme_ctrl_queue *queue)
{
	struct nvme_completion completion;

	return host_take(&scene->host, queue, &completion);
}

/* A page with @byte everywhere. */
static uint64_t page_of(struct scene *scene, uint8_t byte)
{
	uint64_t page = host_pages(&scene->host, 1);
	uint8_t data[BLOCK];

	memset(data, byte, sizeof(data));
	host_fill(&scene->host, page, data, sizeof(data));
	return page;
}

static void expect_page(struct scene *scene, uint64_t page, uint8_t byte)
{
	uint8_t data[BLOCK];

	host_peek(&scene->host, page, data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], byte);
}

static void write_block(struct scene *scene, uint64_t block, uint8_t byte)
{
	assert_int_equal(
		run(scene, &scene->second, NVME_IO_WRITE, block, page_of(scene, byte)), NVME_OK);
}

/* --- Other commands go on -------------------------------------------------------------- */

static void test_a_flush_delays_no_other_command(void **state)
{
	struct scene scene;
	uint16_t cid;

	(void)state;
	start(&scene, 16);
	close_gate(&flushes);
	cid = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&flushes, 1);
	write_block(&scene, 3, 7);
	uint64_t page = page_of(&scene, 0);

	assert_int_equal(run(&scene, &scene.second, NVME_IO_READ, 3, page), NVME_OK);
	expect_page(&scene, page, 7);
	host_barrier(&scene.host);
	/* Its own queue goes on as well. */
	uint16_t read = put(&scene, &scene.host.io, NVME_IO_READ, 3, page_of(&scene, 0));

	host_submit(&scene.host, &scene.host.io);
	expect_status(&scene, &scene.host.io, read, NVME_OK);
	assert_false(has_completed(&scene, &scene.host.io));
	open_gate(&flushes, 0);
	expect_status(&scene, &scene.host.io, cid, NVME_OK);
	finish(&scene);
}

static void test_a_read_delays_no_other_command(void **state)
{
	struct scene scene;
	uint64_t page;
	uint16_t cid;

	(void)state;
	start(&scene, 16);
	write_block(&scene, 5, 9);
	page = page_of(&scene, 0);
	close_gate(&reads);
	cid = put(&scene, &scene.host.io, NVME_IO_READ, 5, page);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&reads, 1);
	write_block(&scene, 6, 1);
	assert_int_equal(run(&scene, &scene.second, NVME_IO_FLUSH, 0, 0), NVME_OK);
	host_barrier(&scene.host);
	assert_false(has_completed(&scene, &scene.host.io));
	expect_page(&scene, page, 0);
	open_gate(&reads, 0);
	expect_status(&scene, &scene.host.io, cid, NVME_OK);
	expect_page(&scene, page, 9);
	finish(&scene);
}

static void test_forced_unit_access(void **state)
{
	struct scene scene;
	struct nvme_command write, read;
	uint64_t page;

	(void)state;
	start(&scene, 16);
	write = nvme_ctrl_rw(NVME_IO_WRITE, 1, 1, page_of(&scene, 4), 0);
	write.cdw12 |= NVME_IO_FUA;
	close_gate(&flushes);
	uint16_t cid = host_put(&scene.host, &scene.host.io, write);

	host_submit(&scene.host, &scene.host.io);
	await_waiting(&flushes, 1);
	host_barrier(&scene.host);
	assert_false(has_completed(&scene, &scene.host.io));
	open_gate(&flushes, 0);
	expect_status(&scene, &scene.host.io, cid, NVME_OK);
	page = page_of(&scene, 0);
	read = nvme_ctrl_rw(NVME_IO_READ, 1, 1, page, 0);
	read.cdw12 |= NVME_IO_FUA;
	assert_int_equal(host_io(&scene.host, read), NVME_OK);
	expect_page(&scene, page, 4);
	assert_int_equal(passed_at(&flushes), 2);
	finish(&scene);
}

static void test_compare(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene, 16);
	write_block(&scene, 2, 8);
	assert_int_equal(
		run(&scene, &scene.host.io, NVME_IO_COMPARE, 2, page_of(&scene, 8)), NVME_OK);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_COMPARE, 2, page_of(&scene, 9)),
		NVME_COMPARE_FAILURE);
	assert_int_equal(passed_at(&reads), 2);
	finish(&scene);
}

/* A flush that runs has begun before the others came: they share the next one. */
static void test_flushes_share_a_flush(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene, 16);
	close_gate(&flushes);
	host_put_flushes(&scene.host, 1);
	await_waiting(&flushes, 1);
	host_put_flushes(&scene.host, 5);
	host_barrier(&scene.host);
	assert_int_equal(waiting_at(&flushes), 1);
	open_gate(&flushes, 0);
	for (unsigned i = 0; i < 6; i++)
		host_wait(&scene.host, &scene.host.io);
	assert_int_equal(passed_at(&flushes), 2);
	finish(&scene);
}

/* A block that is written while it is read is the new one, and not a mixture. */
static void test_a_block_written_meanwhile(void **state)
{
	struct scene scene;
	uint64_t page, other;
	uint16_t cid;

	(void)state;
	start(&scene, 16);
	page = page_of(&scene, 0);
	close_gate(&reads);
	cid = put(&scene, &scene.host.io, NVME_IO_READ, 5, page);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&reads, 1);
	write_block(&scene, 5, 3);
	open_gate(&reads, 0);
	expect_status(&scene, &scene.host.io, cid, NVME_OK);
	expect_page(&scene, page, 3);
	assert_int_equal(passed_at(&reads), 2);
	other = page_of(&scene, 0);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_READ, 5, other), NVME_OK);
	assert_int_equal(passed_at(&reads), 3);
	finish(&scene);
}

/* --- Errors ---------------------------------------------------------------------------- */

static void test_a_read_fails(void **state)
{
	struct scene scene;
	uint64_t page;

	(void)state;
	start(&scene, 16);
	page = page_of(&scene, 0xaa);
	open_gate(&reads, EIO);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_READ, 0, page), NVME_UNRECOVERED_READ);
	expect_page(&scene, page, 0xaa);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_READ, 0, page), NVME_OK);
	expect_page(&scene, page, 0);
	finish(&scene);
}

/* The error is reported to one fdatasync() alone: the next flush does not succeed all the same. */
static void test_a_flush_fails(void **state)
{
	struct scene scene;
	uint16_t first, second;

	(void)state;
	start(&scene, 16);
	close_gate(&flushes);
	first = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&flushes, 1);
	second = put(&scene, &scene.second, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.second);
	host_barrier(&scene.host);
	open_gate(&flushes, EIO);
	expect_status(&scene, &scene.host.io, first, NVME_WRITE_FAULT);
	expect_status(&scene, &scene.second, second, NVME_WRITE_FAULT);
	finish(&scene);
}

/* --- Queues ---------------------------------------------------------------------------- */

/* More commands than the completion queue has room for, and than may wait at a time. */
static void test_a_queue_full_of_jobs(void **state)
{
	enum { ENTRIES = 256, COMMANDS = ENTRIES - 1 };
	struct scene scene;
	uint64_t page;

	(void)state;
	start(&scene, ENTRIES);
	page = host_pages(&scene.host, 1);
	close_gate(&reads);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < COMMANDS; i++)
			put(&scene, &scene.host.io, NVME_IO_READ, i % 64, page);
		host_submit(&scene.host, &scene.host.io);
		host_barrier(&scene.host);
		write_block(&scene, 100, 1);
		assert_false(has_completed(&scene, &scene.host.io));
		open_gate(&reads, 0);
		for (unsigned i = 0; i < COMMANDS; i++) {
			struct nvme_completion completion = host_wait(&scene.host, &scene.host.io);

			assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
		}
		close_gate(&reads);
	}
	finish(&scene);
}

/* A command that waits has its place in the completion queue: no other one takes it. */
static void test_completions_have_room(void **state)
{
	enum { ENTRIES = 4 };
	struct scene scene;
	uint16_t flush;

	(void)state;
	start(&scene, ENTRIES);
	close_gate(&flushes);
	flush = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&flushes, 1);
	/* Three of four entries can be in use: one is the flush's, two the reads'. */
	for (unsigned i = 0; i < 3; i++)
		put(&scene, &scene.host.io, NVME_IO_READ, 0, host_pages(&scene.host, 1));
	host_submit(&scene.host, &scene.host.io);
	await_passed(&reads, 2);
	host_barrier(&scene.host);
	assert_int_equal(passed_at(&reads), 2);
	open_gate(&flushes, 0);
	bool seen = false;

	for (unsigned i = 0; i < 4; i++)
		seen |= host_wait(&scene.host, &scene.host.io).cid == flush;
	assert_true(seen);
	assert_int_equal(passed_at(&reads), 3);
	finish(&scene);
}

/* What follows when the commands of queue 1 are gone: their jobs end, and nothing happens. */
static void expect_silence(struct scene *scene, uint64_t page)
{
	uint64_t before;

	host_barrier(&scene->host);
	before = fake_soft_dma_count(scene->host.device);
	open_gate(&reads, 0);
	open_gate(&flushes, 0);
	await_passed(&reads, 1);
	await_passed(&flushes, 1);
	host_barrier(&scene->host);
	/* Of the barrier: the command is fetched, and its completion written in two parts. */
	assert_int_equal(fake_soft_dma_count(scene->host.device) - before, 3);
	expect_page(scene, page, 0xaa);
}

/* A read and a flush wait, and another flush for that one. Return: the page of the read. */
static uint64_t begin_jobs(struct scene *scene)
{
	uint64_t page = page_of(scene, 0xaa);

	close_gate(&flushes);
	close_gate(&reads);
	put(scene, &scene->host.io, NVME_IO_READ, 0, page);
	put(scene, &scene->host.io, NVME_IO_FLUSH, 0, 0);
	put(scene, &scene->host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene->host, &scene->host.io);
	await_waiting(&flushes, 1);
	await_waiting(&reads, 1);
	return page;
}

static void test_a_queue_is_deleted(void **state)
{
	struct scene scene;
	uint64_t page;

	(void)state;
	start(&scene, 16);
	page = begin_jobs(&scene);
	assert_int_equal(
		host_admin(&scene.host,
			(struct nvme_command){ .opcode = NVME_ADMIN_DELETE_SQ, .cdw10 = 1 }),
		NVME_OK);
	for (unsigned i = 0; i < 3; i++) {
		struct nvme_completion completion = host_wait(&scene.host, &scene.host.io);

		assert_int_equal(nvme_ctrl_status(&completion), NVME_ABORTED_SQ_DELETION);
	}
	assert_int_equal(
		host_admin(&scene.host,
			(struct nvme_command){ .opcode = NVME_ADMIN_DELETE_CQ, .cdw10 = 1 }),
		NVME_OK);
	expect_silence(&scene, page);
	host_create_io(&scene.host, 16);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_READ, 0, page), NVME_OK);
	finish(&scene);
}

static uint32_t abort_command(struct scene *scene, unsigned sqid, uint16_t cid)
{
	uint32_t result;

	assert_int_equal(host_run(&scene->host, &scene->host.ctrl.admin,
				 (struct nvme_command){ .opcode = NVME_ADMIN_ABORT,
					 .cdw10 = (uint32_t)cid << 16 | sqid },
				 &result),
		NVME_OK);
	return result;
}

static void test_abort(void **state)
{
	struct scene scene;
	uint64_t page;
	uint16_t read, first, second;

	(void)state;
	start(&scene, 16);
	page = page_of(&scene, 0xaa);
	close_gate(&flushes);
	close_gate(&reads);
	read = put(&scene, &scene.host.io, NVME_IO_READ, 0, page);
	first = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	second = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&flushes, 1);
	await_waiting(&reads, 1);
	assert_int_equal(abort_command(&scene, 2, read), 1);
	assert_int_equal(abort_command(&scene, 1, (uint16_t)(second + 100)), 1);
	assert_int_equal(abort_command(&scene, 1, read), 0);
	expect_status(&scene, &scene.host.io, read, NVME_ABORT_REQUESTED);
	assert_int_equal(abort_command(&scene, 1, read), 1);
	assert_int_equal(abort_command(&scene, 1, first), 0);
	expect_status(&scene, &scene.host.io, first, NVME_ABORT_REQUESTED);
	open_gate(&reads, 0);
	open_gate(&flushes, 0);
	expect_status(&scene, &scene.host.io, second, NVME_OK);
	await_passed(&reads, 1);
	host_barrier(&scene.host);
	assert_false(has_completed(&scene, &scene.host.io));
	expect_page(&scene, page, 0xaa);
	finish(&scene);
}

/* Completions wait until the device may write them. */
static void test_bus_mastering(void **state)
{
	struct scene scene;
	uint16_t cid;

	(void)state;
	start(&scene, 16);
	close_gate(&flushes);
	cid = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.host.io);
	await_waiting(&flushes, 1);
	fake_soft_set_bus_master(scene.host.device, false);
	open_gate(&flushes, 0);
	await_passed(&flushes, 1);
	for (unsigned i = 0; i < 100; i++)
		host_nap();
	assert_false(has_completed(&scene, &scene.host.io));
	fake_soft_set_bus_master(scene.host.device, true);
	expect_status(&scene, &scene.host.io, cid, NVME_OK);
	assert_int_equal(host_read(&scene.host, NVME_REG_CSTS), NVME_CSTS_RDY);
	finish(&scene);
}

/* --- Resets ---------------------------------------------------------------------------- */

static void device_reset(struct scene *scene)
{
	fake_soft_reset(scene->host.device);
}

static void controller_reset(struct scene *scene)
{
	host_disable(&scene->host);
}

/* A reset waits for no job. Afterwards the device works, and jobs from before do nothing. */
static void reset_with_jobs(void (*reset)(struct scene *scene))
{
	struct scene scene;
	uint64_t page;

	start(&scene, 16);
	page = begin_jobs(&scene);
	reset(&scene);
	assert_int_equal(waiting_at(&flushes), 1);
	assert_int_equal(waiting_at(&reads), 1);
	host_enable(&scene.host, 64, NVME_CTRL_ENABLE);
	create_queues(&scene, 16);
	write_block(&scene, 0, 5);
	expect_silence(&scene, page);
	/* Of the two flushes the second had not begun. */
	assert_int_equal(passed_at(&flushes), 1);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_READ, 0, page), NVME_OK);
	expect_page(&scene, page, 5);
	assert_int_equal(run(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0), NVME_OK);
	finish(&scene);
}

static void test_device_reset(void **state)
{
	(void)state;
	reset_with_jobs(device_reset);
}

static void test_controller_reset(void **state)
{
	(void)state;
	reset_with_jobs(controller_reset);
}

/* Jobs that have not begun when the reset comes never do. */
static void test_reset_cancels_jobs(void **state)
{
	enum { ENTRIES = 64, COMMANDS = 60 };
	struct scene scene;
	unsigned begun;

	(void)state;
	start(&scene, ENTRIES);
	close_gate(&reads);
	for (unsigned i = 0; i < COMMANDS; i++)
		put(&scene, &scene.host.io, NVME_IO_READ, i, host_pages(&scene.host, 1));
	host_submit(&scene.host, &scene.host.io);
	host_barrier(&scene.host);
	device_reset(&scene);
	begun = waiting_at(&reads);
	assert_true(begun < COMMANDS);
	host_enable(&scene.host, 64, NVME_CTRL_ENABLE);
	create_queues(&scene, ENTRIES);
	open_gate(&reads, 0);
	assert_int_equal(
		run(&scene, &scene.host.io, NVME_IO_READ, 0, host_pages(&scene.host, 1)), NVME_OK);
	assert_true(passed_at(&reads) < COMMANDS);
	finish(&scene);
}

/* That the flush has lost data is known afterwards, though its command is forgotten. */
static void test_a_flush_fails_after_a_reset(void **state)
{
	struct scene scene;
	uint16_t cid;

	(void)state;
	start(&scene, 16);
	begin_jobs(&scene);
	device_reset(&scene);
	host_enable(&scene.host, 64, NVME_CTRL_ENABLE);
	create_queues(&scene, 16);
	cid = put(&scene, &scene.host.io, NVME_IO_FLUSH, 0, 0);
	host_submit(&scene.host, &scene.host.io);
	host_barrier(&scene.host);
	open_gate(&flushes, EIO);
	expect_status(&scene, &scene.host.io, cid, NVME_WRITE_FAULT);
	finish(&scene);
}

#define SHUTDOWN (1u << 14) /* CC.SHN: normal */

static void test_shutdown(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene, 16);
	close_gate(&flushes);
	host_write(&scene.host, NVME_REG_CC, NVME_CTRL_ENABLE | SHUTDOWN);
	host_await(&scene.host, NVME_REG_CSTS, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_OCCURRING);
	await_waiting(&flushes, 1);
	open_gate(&flushes, 0);
	host_await(&scene.host, NVME_REG_CSTS, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_COMPLETE);
	finish(&scene);
}

/* The host gives up on a shutdown: its end is not reported any more. */
static void test_a_shutdown_that_is_given_up(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene, 16);
	begin_jobs(&scene);
	host_write(&scene.host, NVME_REG_CC, NVME_CTRL_ENABLE | SHUTDOWN);
	host_await(&scene.host, NVME_REG_CSTS, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_OCCURRING);
	host_disable(&scene.host);
	host_await(&scene.host, NVME_REG_CSTS, NVME_CSTS_SHST_MASK, 0);
	host_enable(&scene.host, 64, NVME_CTRL_ENABLE);
	open_gate(&flushes, 0);
	await_passed(&flushes, 1);
	host_barrier(&scene.host);
	assert_int_equal(host_read(&scene.host, NVME_REG_CSTS), NVME_CSTS_RDY);
	finish(&scene);
}

/* The device ends with jobs under way. */
static void test_end(void **state)
{
	struct scene scene;

	(void)state;
	start(&scene, 64);
	begin_jobs(&scene);
	for (unsigned i = 0; i < 40; i++)
		put(&scene, &scene.host.io, NVME_IO_READ, i, host_pages(&scene.host, 1));
	host_submit(&scene.host, &scene.host.io);
	host_barrier(&scene.host);
	finish(&scene);
}

#define WITH_IMAGE(test) cmocka_unit_test_setup_teardown(test, host_image_create, host_image_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_IMAGE(test_a_flush_delays_no_other_command),
		WITH_IMAGE(test_a_read_delays_no_other_command),
		WITH_IMAGE(test_forced_unit_access),
		WITH_IMAGE(test_compare),
		WITH_IMAGE(test_flushes_share_a_flush),
		WITH_IMAGE(test_a_block_written_meanwhile),
		WITH_IMAGE(test_a_read_fails),
		WITH_IMAGE(test_a_flush_fails),
		WITH_IMAGE(test_a_queue_full_of_jobs),
		WITH_IMAGE(test_completions_have_room),
		WITH_IMAGE(test_a_queue_is_deleted),
		WITH_IMAGE(test_abort),
		WITH_IMAGE(test_bus_mastering),
		WITH_IMAGE(test_device_reset),
		WITH_IMAGE(test_controller_reset),
		WITH_IMAGE(test_reset_cancels_jobs),
		WITH_IMAGE(test_a_flush_fails_after_a_reset),
		WITH_IMAGE(test_shutdown),
		WITH_IMAGE(test_a_shutdown_that_is_given_up),
		WITH_IMAGE(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
