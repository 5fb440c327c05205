/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: the memory of a command's data, in all forms of PRP. */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024u

/* A data buffer scattered over every second page, last page first. */
struct scatter {
	uint64_t pages[512];
	size_t count;
	uint64_t offset; /* into the first page */
};

static struct scatter scatter(struct host *host, size_t length, uint64_t offset)
{
	struct scatter s = { .count = (offset + length + HOST_PAGE - 1) / HOST_PAGE,
		.offset = offset };
	uint64_t base = host_pages(host, 2 * (unsigned)s.count);

	for (size_t i = 0; i < s.count; i++)
		s.pages[i] = base + 2 * (s.count - 1 - i) * HOST_PAGE;
	return s;
}

typedef void piece_fn(struct host *host, uint64_t address, uint64_t position, size_t length);

static void each_piece(
	struct host *host, const struct scatter *s, uint64_t position, size_t length, piece_fn *fn)
{
	uint64_t offset = s->offset;

	for (size_t i = 0; length; i++, offset = 0) {
		size_t piece = HOST_PAGE - offset < length ? HOST_PAGE - offset : length;

		fn(host, s->pages[i] + offset, position, piece);
		position += piece;
		length -= piece;
	}
}

/* A PRP list of all pages but the first; it starts at entry @slot of its page, and chains. */
static uint64_t make_list(struct host *host, const struct scatter *s, unsigned slot)
{
	uint64_t page = host_pages(host, 1), first = page + 8 * slot;

	for (size_t i = 1; i < s->count; i++) {
		uint64_t entry = htole64(s->pages[i]);

		if (slot == 511 && i + 1 < s->count) {
			uint64_t next = host_pages(host, 1);
			uint64_t link = htole64(next);

			host_fill(host, page + 8 * slot, &link, 8);
			page = next;
			slot = 0;
		}
		host_fill(host, page + 8 * slot++, &entry, 8);
	}
	return first;
}

static uint64_t prp2_for(struct host *host, const struct scatter *s, unsigned slot)
{
	if (s->count == 1)
		return 0;
	return s->count == 2 ? s->pages[1] : make_list(host, s, slot);
}

static void write_and_read(
	struct host *host, unsigned shift, size_t length, uint64_t offset, unsigned slot)
{
	struct scatter out = scatter(host, length, offset), in = scatter(host, length, offset);
	uint64_t slba = 3, position = slba << shift;
	uint32_t blocks = (uint32_t)(length >> shift);

	each_piece(host, &out, position, length, host_fill_pattern);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_WRITE, slba, blocks,
					       out.pages[0] + offset, prp2_for(host, &out, slot))),
		NVME_OK);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_COMPARE, slba, blocks,
					       out.pages[0] + offset, prp2_for(host, &out, slot))),
		NVME_OK);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_READ, slba, blocks,
					       in.pages[0] + offset, prp2_for(host, &in, slot))),
		NVME_OK);
	each_piece(host, &in, position, length, host_expect_pattern);
	/* Other blocks are unchanged. */
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_COMPARE, slba + 1, blocks,
					       out.pages[0] + offset, prp2_for(host, &out, slot))),
		NVME_COMPARE_FAILURE);
}

/* One page, two pages, a list, a chained list; with and without offsets. */
static void prp_shapes(unsigned block, unsigned shift)
{
	static const struct {
		size_t length;
		uint64_t offset;
		unsigned slot;
	} shapes[] = {
		{ 4 * KIB, 0, 0 },     /* PRP1 */
		{ 4 * KIB, 0xe00, 0 }, /* PRP1 and PRP2 */
		{ 8 * KIB, 0, 0 },
		{ 8 * KIB, 4, 0 },  /* a list of two */
		{ 12 * KIB, 0, 0 }, /* a list of two, whole pages */
		{ 128 * KIB, 0x200, 0 },
		{ 128 * KIB, 0, 480 },	  /* a list that just fits into the rest of its page */
		{ 128 * KIB, 0x10, 511 }, /* the first entry is a link */
		{ 128 * KIB, 0, 500 },
		{ 512 * KIB, 0xffc, 400 },
		{ 512 * KIB, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct host host;

		host_start(&host, block == 512 ? "size=2M" : "size=2M,block=4096");
		write_and_read(&host, shift, shapes[i].length, shapes[i].offset, shapes[i].slot);
		host_close(&host);
	}
}

static void test_prp_shapes_512(void **state)
{
	(void)state;
	prp_shapes(512, 9);
}

static void test_prp_shapes_4096(void **state)
{
	(void)state;
	prp_shapes(4096, 12);
}

/* A list of three pages, with blocks of both sizes. */
static void test_long_chain(void **state)
{
	struct host host;

	(void)state;
	host_start(&host, "size=8M,mdts=1M");
	write_and_read(&host, 9, 512, 0, 0);
	write_and_read(&host, 9, 1024 * KIB, 8, 510);
	host_close(&host);
}

#define BIG (16 * KIB)

/* Queues of eight at page @index of pages of 16 KiB. */
static struct nvme_ctrl_queue big_queue(uint64_t base, unsigned qid, unsigned index)
{
	return (struct nvme_ctrl_queue){ .qid = qid,
		.size = 8,
		.sq = base + index * BIG,
		.cq = base + (index + 1) * BIG,
		.phase = true };
}

static void enable_big_pages(struct host *host)
{
	host_write(host, NVME_REG_AQA, 7u << 16 | 7);
	host_write64(host, NVME_REG_ASQ, host->ctrl.admin.sq);
	host_write64(host, NVME_REG_ACQ, host->ctrl.admin.cq);
	host_write(host, NVME_REG_CC, NVME_CTRL_ENABLE | 2u << 7);
	host_await(host, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
}

static void test_large_pages(void **state)
{
	struct nvme_command command = {
		.opcode = NVME_ADMIN_CREATE_CQ, .cdw10 = 7u << 16 | 1, .cdw11 = NVME_QUEUE_PC
	};
	uint64_t base = FAKE_SOFT_RAM_BASE, data = base + 4 * BIG;
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	host.ctrl.admin = big_queue(base, 0, 0);
	host.io = big_queue(base, 1, 2);
	enable_big_pages(&host);
	command.prp1 = host.io.cq + HOST_PAGE;
	assert_int_equal(host_admin(&host, command), NVME_INVALID_PRP_OFFSET);
	command.prp1 = host.io.cq;
	assert_int_equal(host_admin(&host, command), NVME_OK);
	command.opcode = NVME_ADMIN_CREATE_SQ;
	command.prp1 = host.io.sq;
	command.cdw11 |= 1u << 16;
	assert_int_equal(host_admin(&host, command), NVME_OK);
	/* 24 KiB from the middle of a page: with 4 KiB pages this would need a list. */
	host_fill_pattern(&host, data + 8 * KIB, 0, 24 * KIB);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 48, data + 8 * KIB, data + BIG)),
		NVME_OK);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 48, data + 3 * BIG + 8 * KIB,
						data + 2 * BIG)),
		NVME_OK);
	host_expect_pattern(&host, data + 3 * BIG + 8 * KIB, 0, 8 * KIB);
	host_expect_pattern(&host, data + 2 * BIG, 8 * KIB, 16 * KIB);
	host_close(&host);
}

static void test_prp_errors(void **state)
{
	struct host host;
	uint64_t page, list, entry;

	(void)state;
	host_start(&host, "size=1M");
	page = host_pages(&host, 4);
	list = page + 3 * HOST_PAGE;
	/* One page, two pages, a list: each with an invalid offset. */
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 1, page + 1, 0)),
		NVME_INVALID_PRP_OFFSET);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 16, page, page + 4096 + 512)),
		NVME_INVALID_PRP_OFFSET);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 24, page, list + 4)),
		NVME_INVALID_PRP_OFFSET);
	entry = htole64(page + 512);
	host_fill(&host, list, &entry, 8);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 24, page, list)),
		NVME_INVALID_PRP_OFFSET);
	/* The pointer to the next list must be page-aligned. */
	entry = htole64(list + 8);
	host_fill(&host, list + 4088, &entry, 8);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 24, page, list + 4088)),
		NVME_INVALID_PRP_OFFSET);
	/* Unmapped addresses. */
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 1, UINT64_C(1) << 50, 0)),
		NVME_DATA_TRANSFER_ERROR);
	assert_int_equal(
		host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 16, page, UINT64_C(1) << 50)),
		NVME_DATA_TRANSFER_ERROR);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 24, page, UINT64_C(1) << 50)),
		NVME_DATA_TRANSFER_ERROR);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_COMPARE, 0, 8,
						UINT64_C(0xfffffffffffff000), 0)),
		NVME_DATA_TRANSFER_ERROR);
	host_close(&host);
}

/* A write of one block whose data is in two separate pages. */
struct halves {
	struct host host;
	uint64_t prp1, prp2;
	atomic_bool entered;
};

static void start_halves(struct halves *halves)
{
	uint64_t page;

	*halves = (struct halves){ .prp1 = 0 };
	host_start(&halves->host, "size=1M,block=4096");
	page = host_pages(&halves->host, 1);
	host_fill_pattern(&halves->host, page, 0, 4096);
	assert_int_equal(
		host_io(&halves->host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 1, page, 0)), NVME_OK);
	halves->prp1 = host_pages(&halves->host, 1) + 2048;
	host_pages(&halves->host, 1); /* a gap, so that the two are separate segments */
	halves->prp2 = host_pages(&halves->host, 1);
	host_fill_pattern(&halves->host, halves->prp1, 4096, 2048);
	host_fill_pattern(&halves->host, halves->prp2, 4096 + 2048, 2048);
}

static void expect_block(struct halves *halves, uint64_t position)
{
	uint64_t page = host_pages(&halves->host, 1);

	assert_int_equal(
		host_io(&halves->host, nvme_ctrl_rw(NVME_IO_READ, 0, 1, page, 0)), NVME_OK);
	host_expect_pattern(&halves->host, page, position, 4096);
}

static void test_block_whole_despite_fault(void **state)
{
	struct halves halves;

	(void)state;
	start_halves(&halves);
	assert_int_equal(host_io(&halves.host,
				 nvme_ctrl_rw(NVME_IO_WRITE, 0, 1, halves.prp1, UINT64_C(1) << 50)),
		NVME_DATA_TRANSFER_ERROR);
	expect_block(&halves, 0);
	assert_int_equal(
		host_io(&halves.host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 1, halves.prp1, halves.prp2)),
		NVME_OK);
	expect_block(&halves, 4096);
	host_close(&halves.host);
}

static void wait_for_halt(void *context)
{
	struct halves *halves = context;

	atomic_store(&halves->entered, true);
	while (!nvme_halted(soft_private(halves->host.device)))
		host_nap();
}

static void wait_at_first_half(void *context, uint64_t address)
{
	struct halves *halves = context;

	if (address == halves->prp1)
		wait_for_halt(halves);
}

/* A reset during the transfer of the first half. */
static void test_block_whole_despite_reset(void **state)
{
	struct halves halves;
	struct host *host = &halves.host;

	(void)state;
	start_halves(&halves);
	fake_soft_on_read(host->device, wait_at_first_half, &halves);
	fake_soft_on_file(host->device, wait_for_halt, &halves);
	host_put(host, &host->io, nvme_ctrl_rw(NVME_IO_WRITE, 0, 1, halves.prp1, halves.prp2));
	host_submit(host, &host->io);
	while (!atomic_load(&halves.entered))
		host_nap();
	fake_soft_reset(host->device);
	fake_soft_on_read(host->device, NULL, NULL);
	fake_soft_on_file(host->device, NULL, NULL);
	host_enable(host, 32, NVME_CTRL_ENABLE);
	host_create_io(host, 16);
	expect_block(&halves, 0);
	host_close(host);
}

enum { DISK = 1024 * 1024, MOST = 256 * 1024 };

/* The expected content of the disk, for each_piece(). */
static uint8_t copy[DISK];

static void fill_copy(struct host *host, uint64_t address, uint64_t position, size_t length)
{
	for (size_t i = 0; i < length; i++)
		copy[position + i] = (uint8_t)rand();
	host_fill(host, address, copy + position, length);
}

static void expect_copy(struct host *host, uint64_t address, uint64_t position, size_t length)
{
	uint8_t data[HOST_PAGE];

	host_peek(host, address, data, length);
	assert_memory_equal(copy + position, data, length);
}

static void random_transfer(struct host *host, unsigned shift)
{
	uint32_t slba = (uint32_t)rand() % (DISK >> shift);
	uint32_t left = (DISK >> shift) - slba, most = MOST >> shift;
	uint32_t blocks = (uint32_t)rand() % (left < most ? left : most) + 1;
	uint64_t position = (uint64_t)slba << shift, rest = host->next_page;
	size_t length = (size_t)blocks << shift;
	struct scatter s = scatter(host, length, (uint64_t)(rand() % 1024) * 4);
	uint64_t prp1 = s.pages[0] + s.offset, prp2 = prp2_for(host, &s, (unsigned)rand() % 512);

	if (rand() % 2) {
		each_piece(host, &s, position, length, fill_copy);
		assert_int_equal(
			host_io(host, nvme_ctrl_rw(NVME_IO_WRITE, slba, blocks, prp1, prp2)),
			NVME_OK);
	} else {
		assert_int_equal(
			host_io(host, nvme_ctrl_rw(NVME_IO_READ, slba, blocks, prp1, prp2)),
			NVME_OK);
		each_piece(host, &s, position, length, expect_copy);
	}
	host->next_page = rest;
}

/* Random reads and writes, compared with a copy of the disk. */
static void random_io(unsigned seed, const char *keys, unsigned shift)
{
	struct host host;

	srand(seed);
	memset(copy, 0, sizeof(copy));
	host_start(&host, keys);
	for (int round = 0; round < 300; round++)
		random_transfer(&host, shift);
	host_close(&host);
}

static void test_random(void **state)
{
	const char *given = getenv("TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)nvme_now_ns();

	(void)state;
	print_message("TEST_SEED=%u\n", seed);
	random_io(seed, "size=1M", 9);
	random_io(seed, "size=1M,block=4096", 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prp_shapes_512),
		cmocka_unit_test(test_prp_shapes_4096),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_prp_errors),
		cmocka_unit_test(test_block_whole_despite_fault),
		cmocka_unit_test(test_block_whole_despite_reset),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
