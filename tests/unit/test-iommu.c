/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IOMMU of software devices, identity and DART: addresses, limits, and accesses to unmapped
 * addresses.
 */
#include "provider/soft/iommu.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
/* An iova that is ignored. */
#define ANYWHERE UINT64_C(0x0123456789abcdef)

static struct soft_iommu *iommu;
static _Alignas(16384) char memory[1 << 20];

static int begin(const struct dma_limits *limits)
{
	memset(memory, 0, sizeof(memory));
	iommu = soft_iommu_create(limits);
	return iommu ? 0 : -1;
}

static int setup_identity(void **state)
{
	const struct dma_limits limits = {
		.kind = DEXT_IOMMU_IDENTITY, .bytes = UINT64_MAX, .maps = UINT64_MAX
	};

	(void)state;
	return begin(&limits);
}

static int setup_dart(void **state)
{
	const struct dma_limits limits = {
		.kind = DEXT_IOMMU_DART,
		.bytes = SOFT_DART_BYTES_MAX,
		.maps = SOFT_DART_MAPS_MAX,
	};

	(void)state;
	return begin(&limits);
}

static int teardown(void **state)
{
	(void)state;
	soft_iommu_destroy(iommu);
	return 0;
}

static kern_return_t map_aligned(uint64_t iova, uint64_t offset, uint64_t length,
	uint64_t alignment, struct dma_segment *segment)
{
	const struct dma_span span = {
		.length = length, .host = memory + offset, .writable = true
	};
	const struct dma_request request = { .anywhere = iova == ANYWHERE,
		.iova = iova,
		.alignment = alignment,
		.length = length,
		.spans = &span,
		.span_count = 1 };

	return soft_iommu_map(iommu, &request, segment);
}

static kern_return_t map(
	uint64_t iova, uint64_t offset, uint64_t length, struct dma_segment *segment)
{
	return map_aligned(iova, offset, length, 0, segment);
}

static void unmap(uint64_t address, uint64_t length)
{
	soft_iommu_unmap(iommu, &(struct dma_segment){ address, length });
}

/* Identity -------------------------------------------------------------------- */

static void test_the_bus_address_is_the_iova(void **state)
{
	struct dma_segment segment;
	char word[8];

	(void)state;
	assert_int_equal(map(0x12345001, 3, PAGE, &segment), kIOReturnSuccess);
	assert_true(segment.bus_address == 0x12345001 && segment.length == PAGE);
	memcpy(memory + 3, "seven77", 8);
	assert_true(soft_iommu_read(iommu, 0x12345001, word, 8));
	assert_string_equal(word, "seven77");
	assert_true(soft_iommu_write(iommu, 0x12345001 + PAGE - 1, "z", 1));
	assert_int_equal(memory[3 + PAGE - 1], 'z');
}

static void test_exact_boundaries(void **state)
{
	struct dma_segment segment;
	char bytes[2];

	(void)state;
	assert_int_equal(map(0x10000, 0, PAGE, &segment), kIOReturnSuccess);
	assert_true(soft_iommu_read(iommu, 0x10000, bytes, 1));
	assert_true(soft_iommu_read(iommu, 0x10fff, bytes, 1));
	assert_false(soft_iommu_read(iommu, 0xffff, bytes, 1));
	assert_false(soft_iommu_read(iommu, 0xffff, bytes, 2));
	assert_false(soft_iommu_read(iommu, 0x10fff, bytes, 2));
	assert_false(soft_iommu_read(iommu, 0x11000, bytes, 1));
	assert_false(soft_iommu_read(iommu, UINT64_MAX, bytes, 2));
}

static void test_overlaps_are_refused(void **state)
{
	static const struct {
		uint64_t iova, length;
		kern_return_t expected;
	} rows[] = {
		{ 0x10000, 0x1000, kIOReturnBusy },
		{ 0x10fff, 1, kIOReturnBusy },
		{ 0x0f000, 0x1001, kIOReturnBusy },
		{ 0x0f000, 0x4000, kIOReturnBusy },
		{ 0x10800, 0x10, kIOReturnBusy },
		{ 0x0f000, 0x1000, kIOReturnSuccess },
		{ 0x11000, 0x1000, kIOReturnSuccess },
		{ 0x0e000, 0x4000, kIOReturnBusy },
	};
	struct dma_segment segment;

	(void)state;
	assert_int_equal(map(0x10000, 0, 0x1000, &segment), kIOReturnSuccess);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(map(rows[i].iova, 0, rows[i].length, &segment), rows[i].expected);
	unmap(0x10000, 0x1000);
	assert_int_equal(map(0x10000, 0, 0x1000, &segment), kIOReturnSuccess);
}

static void test_the_end_of_the_address_space(void **state)
{
	struct dma_segment segment;
	char byte = 0;

	(void)state;
	assert_int_equal(map(UINT64_MAX - 0xfff, 0, 0x1001, &segment), kIOReturnBadArgument);
	assert_int_equal(map(UINT64_MAX - 0xfff, 0, 0x1000, &segment), kIOReturnSuccess);
	assert_true(soft_iommu_read(iommu, UINT64_MAX, &byte, 1));
	assert_int_equal(map(UINT64_MAX - 0x1fff, 0, 0x1001, &segment), kIOReturnBusy);
	assert_int_equal(map(0, 0, 0x1000, &segment), kIOReturnSuccess);
	assert_true(soft_iommu_read(iommu, 0, &byte, 1));
	assert_false(soft_iommu_read(iommu, UINT64_MAX, &byte, 2)); /* no wrap-around */
}

static void test_allocated_addresses(void **state)
{
	struct dma_segment first, second, third;

	(void)state;
	assert_int_equal(map_aligned(ANYWHERE, 0, 0x100, 0, &first), kIOReturnSuccess);
	assert_int_equal(map_aligned(ANYWHERE, 0, 0x100, 1 << 20, &second), kIOReturnSuccess);
	assert_int_equal(first.bus_address % PAGE, 0);
	assert_int_equal(second.bus_address % (1 << 20), 0);
	assert_true(second.bus_address >= first.bus_address + 0x100);
	/* Addresses that a client chose itself are avoided. */
	assert_int_equal(map(second.bus_address + PAGE, 0, 5 * PAGE, &third), kIOReturnSuccess);
	assert_int_equal(map_aligned(ANYWHERE, 0, PAGE, 0, &third), kIOReturnSuccess);
	assert_true(third.bus_address >= second.bus_address + 6 * PAGE);
	assert_int_equal(
		map_aligned(ANYWHERE, 0, 0x100, UINT64_C(1) << 63, &third), kIOReturnNoSpace);
}

static void test_unmapping_what_is_not_mapped(void **state)
{
	struct dma_segment segment;
	char byte;

	(void)state;
	assert_int_equal(map(0x10000, 0, 0x1000, &segment), kIOReturnSuccess);
	unmap(0x10001, 0xfff);
	unmap(0xf000, 0x1000);
	unmap(0, 1);
	assert_true(soft_iommu_read(iommu, 0x10000, &byte, 1));
	unmap(0x10000, 0x1000);
	assert_false(soft_iommu_read(iommu, 0x10000, &byte, 1));
}

static int from_file(uint64_t address, int fd, uint64_t offset, uint64_t length)
{
	const struct dma_segment segment = { address, length };

	return soft_iommu_from_file(iommu, &segment, 1, fd, offset, true);
}

static int to_file(uint64_t address, int fd, uint64_t offset, uint64_t length)
{
	const struct dma_segment segment = { address, length };

	return soft_iommu_to_file(iommu, &segment, 1, fd, offset);
}

/* An access may span adjacent mappings, but not a gap. */
static void test_accesses_over_several_mappings(void **state)
{
	char buffer[3 * 4096], back[3 * 4096];
	struct dma_segment segment;

	(void)state;
	assert_int_equal(map(0x10000, 0x8000, PAGE, &segment), kIOReturnSuccess);
	assert_int_equal(map(0x11000, 0x2000, PAGE, &segment), kIOReturnSuccess);
	assert_int_equal(map(0x12000, 0x5000, PAGE, &segment), kIOReturnSuccess);
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (char)(i * 7 % 251);
	assert_true(soft_iommu_write(iommu, 0x10000, buffer, sizeof(buffer)));
	assert_memory_equal(memory + 0x8000, buffer, PAGE);
	assert_memory_equal(memory + 0x2000, buffer + PAGE, PAGE);
	assert_memory_equal(memory + 0x5000, buffer + 2 * PAGE, PAGE);
	assert_true(soft_iommu_read(iommu, 0x10000, back, sizeof(back)));
	assert_memory_equal(back, buffer, sizeof(back));
	unmap(0x11000, PAGE);
	assert_false(soft_iommu_read(iommu, 0x10000, back, sizeof(back)));
	assert_true(soft_iommu_read(iommu, 0x12000, back, PAGE));
}

static void test_read_only_memory(void **state)
{
	const struct dma_span span = { .length = PAGE, .host = memory };
	const struct dma_request request = {
		.iova = 0x10000, .length = PAGE, .spans = &span, .span_count = 1
	};
	int fd = memfd_create("data", MFD_CLOEXEC);
	struct dma_segment segment;
	char byte = 1;

	(void)state;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(soft_iommu_map(iommu, &request, &segment), kIOReturnSuccess);
	memory[0] = 5;
	assert_true(soft_iommu_read(iommu, 0x10000, &byte, 1));
	assert_int_equal(byte, 5);
	assert_false(soft_iommu_write(iommu, 0x10000, "w", 1));
	assert_int_equal(from_file(0x10000, fd, 0, PAGE), -EFAULT);
	assert_int_equal(memory[0], 5);
	assert_int_equal(to_file(0x10000, fd, 0, PAGE), 0);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 5);
	close(fd);
}

/* Files: direct transfer where memory is mapped in this process, through a buffer otherwise. */
static void test_files_over_mixed_mappings(void **state)
{
	static char private[8192], original[8192 + 8192];
	const int self = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	const struct dma_span spans[] = {
		{ .length = 100, .host = memory + 0x4000, .writable = true },
		{ .length = 8000,
			.memory_fd = self,
			.is_private = true,
			.va = (uintptr_t) private,
			.writable = true },
		{ .length = 92, .host = memory + 0x6000, .writable = true },
	};
	const struct dma_request request = {
		.iova = 0x10000, .length = 8192, .spans = spans, .span_count = 3
	};
	int fd = memfd_create("data", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);
	char copy[sizeof(original)];
	struct dma_segment segment;

	(void)state;
	for (size_t i = 0; i < sizeof(original); i++)
		original[i] = (char)(i % 249);
	assert_int_equal(pwrite(fd, original, sizeof(original), 10), sizeof(original));
	assert_int_equal(soft_iommu_map(iommu, &request, &segment), kIOReturnSuccess);
	assert_int_equal(map(0x12000, 0, 8192, &segment), kIOReturnSuccess);
	assert_int_equal(from_file(0x10000, fd, 10, sizeof(original)), 0);
	assert_memory_equal(memory + 0x4000, original, 100);
	assert_memory_equal(private, original + 100, 8000);
	assert_memory_equal(memory + 0x6000, original + 8100, 92);
	assert_memory_equal(memory, original + 8192, 8192);
	assert_int_equal(to_file(0x10000, out, 3, sizeof(original)), 0);
	assert_int_equal(pread(out, copy, sizeof(copy), 3), sizeof(copy));
	assert_memory_equal(copy, original, sizeof(copy));
	close(fd);
	close(out);
}

/* More segments than one system call takes, in two mappings and in both directions. */
static void test_files_and_many_segments(void **state)
{
	enum { SEGMENTS = 300, LENGTH = 512, SIZE = 0x50000 };
	static char original[SEGMENTS * LENGTH], copy[SEGMENTS * LENGTH];
	struct dma_segment segments[SEGMENTS], segment;
	int fd = memfd_create("data", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < sizeof(original); i++)
		original[i] = (char)(i * 5 % 253);
	assert_int_equal(pwrite(fd, original, sizeof(original), 7), sizeof(original));
	assert_int_equal(map(0x100000, 0, SIZE, &segment), kIOReturnSuccess);
	assert_int_equal(map(0x200000, SIZE, SIZE, &segment), kIOReturnSuccess);
	for (unsigned i = 0; i < SEGMENTS; i++)
		segments[i] =
			(struct dma_segment){ (i % 2 ? 0x100000u : 0x200000u) + i * 2 * LENGTH,
				LENGTH };
	segments[17].length = 0;
	segments[18].length = 2 * LENGTH;
	assert_int_equal(soft_iommu_from_file(iommu, segments, SEGMENTS, fd, 7, true), 0);
	assert_memory_equal(memory + 2 * LENGTH, original + LENGTH, LENGTH);
	assert_int_equal(soft_iommu_to_file(iommu, segments, SEGMENTS, out, 9), 0);
	assert_int_equal(pread(out, copy, sizeof(copy), 9), sizeof(copy));
	assert_memory_equal(copy, original, sizeof(copy));
	/* One that is not mapped, in a later system call than the first. */
	segments[SEGMENTS - 1].bus_address = 0x300000;
	assert_int_equal(soft_iommu_from_file(iommu, segments, SEGMENTS, fd, 7, true), -EFAULT);
	assert_int_equal(soft_iommu_to_file(iommu, segments, SEGMENTS, out, 9), -EFAULT);
	segments[1].bus_address = UINT64_MAX - 5;
	assert_int_equal(soft_iommu_from_file(iommu, segments, SEGMENTS, fd, 7, true), -EFAULT);
	close(fd);
	close(out);
}

/* What the page cache has, or an error that says that it has not. */
static void test_files_without_waiting(void **state)
{
	char path[] = "/tmp/test-iommu-XXXXXX";
	struct dma_segment segment = { 0x10000, PAGE };
	int fd = mkstemp(path), result;

	(void)state;
	assert_true(fd >= 0);
	memset(memory + 0x8000, 0x5a, PAGE);
	assert_int_equal(pwrite(fd, memory + 0x8000, PAGE, 0), PAGE);
	assert_int_equal(map(0x10000, 0, PAGE, &segment), kIOReturnSuccess);
	for (int i = 0; i < 2; i++) {
		result = soft_iommu_from_file(iommu, &segment, 1, fd, 0, false);
		assert_true(result == 0 || result == -EAGAIN || result == -EOPNOTSUPP);
		if (result == 0)
			assert_memory_equal(memory, memory + 0x8000, PAGE);
		memset(memory, 0, PAGE);
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	assert_int_equal(soft_iommu_from_file(iommu, &segment, 1, fd, 0, true), 0);
	assert_memory_equal(memory, memory + 0x8000, PAGE);
	close(fd);
	unlink(path);
}

static void test_errors_of_file_transfers(void **state)
{
	int fd = memfd_create("data", MFD_CLOEXEC), pair[2];
	struct dma_segment segment;

	(void)state;
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(map(0x10000, 0, PAGE, &segment), kIOReturnSuccess);
	assert_int_equal(from_file(0x10000, fd, 0, 100), 0);
	assert_int_equal(from_file(0x10000, fd, 0, 101), -EIO);
	assert_int_equal(from_file(0x10000, fd, 100, 1), -EIO);
	assert_int_equal(from_file(0x10000, pair[0], 0, 1), -ESPIPE);
	assert_int_equal(to_file(0x10000, -1, 0, 1), -EBADF);
	assert_int_equal(to_file(0x11000, fd, 0, 1), -EFAULT);
	assert_int_equal(to_file(0x10fff, fd, 0, 2), -EFAULT);
	assert_int_equal(to_file(0x11000, -1, 0, 0), 0); /* nothing at all */
	close(pair[0]);
	close(pair[1]);
	close(fd);
}

/* An unmap waits for the access in progress: afterwards the device does not access the memory. */
struct device {
	atomic_bool stop;
	atomic_uint accesses, aborts;
};

static void *access_for_ever(void *context)
{
	struct device *device = context;

	while (!atomic_load(&device->stop))
		if (soft_iommu_write(iommu, 0x10000, memory + 0x40000, 0x20000))
			atomic_fetch_add(&device->accesses, 1);
		else
			atomic_fetch_add(&device->aborts, 1);
	return NULL;
}

static void test_an_unmap_waits_for_accesses(void **state)
{
	static struct device device;
	struct dma_segment segment;
	pthread_t thread;

	(void)state;
	memset(memory + 0x40000, 0x11, 0x20000);
	assert_int_equal(pthread_create(&thread, NULL, access_for_ever, &device), 0);
	for (int round = 0; round < 50; round++) {
		char *page = mmap(
			NULL, 0x20000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		const struct dma_span span = { .length = 0x20000, .host = page, .writable = true };
		const struct dma_request request = {
			.iova = 0x10000, .length = 0x20000, .spans = &span, .span_count = 1
		};
		unsigned before = atomic_load(&device.accesses);

		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(soft_iommu_map(iommu, &request, &segment), kIOReturnSuccess);
		while (atomic_load(&device.accesses) == before)
			sched_yield();
		unmap(0x10000, 0x20000);
		/* The device no longer accesses this memory. */
		memset(page, 0, 0x20000);
		before = atomic_load(&device.aborts);
		while (atomic_load(&device.aborts) == before)
			sched_yield();
		for (size_t at = 0; at < 0x20000; at++)
			if (page[at])
				fail();
		munmap(page, 0x20000);
	}
	atomic_store(&device.stop, true);
	pthread_join(thread, NULL);
}

/* DART ------------------------------------------------------------------------ */

static void test_a_dart_chooses_the_address(void **state)
{
	struct dma_segment a, b;
	char bytes[8];

	(void)state;
	assert_int_equal(map(0x1000, 0x100, 0x300, &a), kIOReturnSuccess);
	assert_int_equal(map(0x1000, 0x4000, 0x8001, &b), kIOReturnSuccess);
	/* Whole pages; the offset within the first page is that of the memory. */
	assert_int_equal(a.bus_address % SOFT_DART_PAGE, 0x100);
	assert_int_equal(b.bus_address % SOFT_DART_PAGE, 0);
	assert_true(b.bus_address / SOFT_DART_PAGE > a.bus_address / SOFT_DART_PAGE);
	memcpy(memory + 0x100, "dart ok", 8);
	assert_true(soft_iommu_read(iommu, a.bus_address, bytes, 8));
	assert_string_equal(bytes, "dart ok");
	assert_false(soft_iommu_read(iommu, 0x1000, bytes, 8));
	assert_false(soft_iommu_read(iommu, a.bus_address - 1, bytes, 1));
	assert_false(soft_iommu_read(iommu, a.bus_address + 0x300, bytes, 1));
}

static void test_a_darts_alignment(void **state)
{
	struct dma_segment segment;

	(void)state;
	for (uint64_t alignment = 1; alignment <= UINT64_C(1) << 37; alignment <<= 1) {
		assert_int_equal(map_aligned(0, 0, PAGE, alignment, &segment), kIOReturnSuccess);
		assert_int_equal(segment.bus_address % alignment, 0);
		assert_int_equal(segment.bus_address % SOFT_DART_PAGE, 0);
		unmap(segment.bus_address, segment.length);
	}
	assert_int_equal(map_aligned(0, 0, PAGE, UINT64_C(1) << 39, &segment), kIOReturnNoSpace);
}

/* The limits count whole pages. */
static void test_a_darts_limits(void **state)
{
	const struct dma_limits limits = { .kind = DEXT_IOMMU_DART, .bytes = 0x10000, .maps = 3 };
	struct dma_segment a, b, c, d;

	(void)state;
	assert_int_equal(begin(&limits), 0);
	assert_int_equal(map(0, 0, 0x10001, &a), kIOReturnNoSpace);
	assert_int_equal(map(0, 0, 0xc000, &a), kIOReturnSuccess);
	assert_int_equal(map(0, 0, 0x4001, &b), kIOReturnNoSpace);
	assert_int_equal(map(0, 0, 0x4000, &b), kIOReturnSuccess);
	assert_int_equal(map(0, 0, 1, &c), kIOReturnNoSpace);
	unmap(a.bus_address, a.length);
	assert_int_equal(map(0, 0, 1, &a), kIOReturnSuccess);
	assert_int_equal(map(0, 0, 1, &c), kIOReturnSuccess);
	assert_int_equal(map(0, 0, 1, &d), kIOReturnNoSpace); /* the fourth mapping */
	unmap(c.bus_address, c.length);
	assert_int_equal(map(0, 0, 1, &d), kIOReturnSuccess);
}

/* Addresses are reused when the window has been used up; two mappings never share one. */
static void test_a_darts_window_wraps(void **state)
{
	const uint64_t length = SOFT_DART_BYTES_MAX - (UINT64_C(1) << 20);
	struct dma_segment keep, segment, first = { 0 };
	bool wrapped = false;

	(void)state;
	assert_int_equal(map(0, 0, SOFT_DART_PAGE, &keep), kIOReturnSuccess);
	for (int i = 0; i < 1000; i++) {
		/* The memory is never accessed, so it need not exist. */
		const struct dma_span span = { .length = length, .host = memory };
		const struct dma_request request = {
			.length = length, .spans = &span, .span_count = 1
		};

		assert_int_equal(soft_iommu_map(iommu, &request, &segment), kIOReturnSuccess);
		assert_true(segment.bus_address >= keep.bus_address + keep.length ||
			    segment.bus_address + segment.length <= keep.bus_address);
		if (i == 0)
			first = segment;
		wrapped = wrapped || (i && segment.bus_address == first.bus_address);
		unmap(segment.bus_address, segment.length);
	}
	assert_true(wrapped);
}

#define IDENTITY(test) cmocka_unit_test_setup_teardown(test, setup_identity, teardown)
#define DART(test)     cmocka_unit_test_setup_teardown(test, setup_dart, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IDENTITY(test_the_bus_address_is_the_iova),
		IDENTITY(test_exact_boundaries),
		IDENTITY(test_overlaps_are_refused),
		IDENTITY(test_the_end_of_the_address_space),
		IDENTITY(test_allocated_addresses),
		IDENTITY(test_unmapping_what_is_not_mapped),
		IDENTITY(test_accesses_over_several_mappings),
		IDENTITY(test_read_only_memory),
		IDENTITY(test_files_over_mixed_mappings),
		IDENTITY(test_files_and_many_segments),
		IDENTITY(test_files_without_waiting),
		IDENTITY(test_errors_of_file_transfers),
		IDENTITY(test_an_unmap_waits_for_accesses),
		DART(test_a_dart_chooses_the_address),
		DART(test_a_darts_alignment),
		cmocka_unit_test_teardown(test_a_darts_limits, teardown),
		DART(test_a_darts_window_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
