/* SPDX-License-Identifier: BSD-3-Clause */
/* Files mapped for a client: sharing, growth, and invalid descriptors. */
#include "iokit/file-maps.h"
#include "tests/lib/cmocka-all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static struct iou_file_maps *maps;
/* The teardown releases mappings that the test has not released. */
static struct iou_file_map *held[65536 + 64];
static size_t held_count;

static int setup(void **state)
{
	(void)state;
	maps = iou_file_maps_create();
	return maps ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	while (held_count)
		iou_file_maps_put(held[--held_count]);
	iou_file_maps_release(maps);
	return 0;
}

static int memory_file(uint64_t size)
{
	int fd = memfd_create("test-file-maps", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

struct range {
	struct iou_file_map *map;
	char *address;
	bool writable;
};

static kern_return_t get_in(
	struct iou_file_maps *table, int fd, uint64_t offset, uint64_t length, struct range *range)
{
	void *address = NULL;
	kern_return_t status;

	range->writable = true;
	status = iou_file_maps_get(
		table, fd, offset, length, &range->writable, &range->map, &address);
	range->address = address;
	if (status == kIOReturnSuccess)
		held[held_count++] = range->map;
	return status;
}

static kern_return_t get(int fd, uint64_t offset, uint64_t length, struct range *range)
{
	return get_in(maps, fd, offset, length, range);
}

static void put(struct iou_file_map *map)
{
	size_t i = 0;

	while (held[i] != map)
		i++;
	held[i] = held[--held_count];
	iou_file_maps_put(map);
}

/* A mapping in use outlives its client; the last release frees the table. */
static void test_mappings_outlast_the_client(void **state)
{
	int fd = memory_file(2 * PAGE);
	struct range a, b;

	(void)state;
	assert_int_equal(pwrite(fd, "x", 1, PAGE), 1);
	assert_int_equal(get(fd, 0, PAGE, &a), kIOReturnSuccess);
	assert_int_equal(get(fd, PAGE, PAGE, &b), kIOReturnSuccess);
	iou_file_maps_release(maps);
	put(a.map);
	assert_int_equal(*b.address, 'x');
	put(b.map);
	maps = iou_file_maps_create(); /* for teardown() */
	assert_non_null(maps);
	close(fd);
}

static void test_ranges_of_a_file_share_one_mapping(void **state)
{
	int fd = memory_file(16 * PAGE), other = dup(fd);
	struct range a, b;

	(void)state;
	assert_int_equal(get(fd, 0, PAGE, &a), kIOReturnSuccess);
	assert_int_equal(get(other, 8 * PAGE + 3, PAGE, &b), kIOReturnSuccess);
	assert_ptr_equal(a.map, b.map);
	assert_ptr_equal(b.address, a.address + 8 * PAGE + 3);
	assert_true(a.writable);
	assert_int_equal(pwrite(fd, "x", 1, 8 * PAGE + 3), 1);
	assert_int_equal(*b.address, 'x');
	put(a.map);
	assert_int_equal(*b.address, 'x'); /* still mapped */
	put(b.map);
	close(fd);
	close(other);
}

static void test_different_files_do_not_share(void **state)
{
	int first = memory_file(PAGE), second = memory_file(PAGE);
	struct range a, b;

	(void)state;
	assert_int_equal(get(first, 0, PAGE, &a), kIOReturnSuccess);
	assert_int_equal(get(second, 0, PAGE, &b), kIOReturnSuccess);
	assert_ptr_not_equal(a.map, b.map);
	*a.address = 1;
	*b.address = 2;
	assert_int_equal(*a.address, 1);
	close(first);
	close(second);
	/* teardown() releases the rest with the table. */
}

/* A file that has grown is mapped again; existing mappings do not change. */
static void test_a_file_that_has_grown(void **state)
{
	int fd = memory_file(PAGE);
	struct range a, b, c;

	(void)state;
	assert_int_equal(get(fd, 0, PAGE, &a), kIOReturnSuccess);
	assert_int_equal(get(fd, PAGE, PAGE, &b), kIOReturnBadArgument);
	assert_int_equal(ftruncate(fd, 4 * PAGE), 0);
	assert_int_equal(get(fd, PAGE, 3 * PAGE, &b), kIOReturnSuccess);
	assert_int_equal(get(fd, 0, PAGE, &c), kIOReturnSuccess);
	assert_ptr_not_equal(a.map, b.map);
	assert_ptr_equal(c.map, b.map);
	*a.address = 'g';
	assert_int_equal(*c.address, 'g');
	put(a.map);
	put(b.map);
	assert_int_equal(*c.address, 'g');
	put(c.map);
	close(fd);
}

static void test_read_only_descriptors(void **state)
{
	int fd = memory_file(PAGE), narrow;
	struct range wide, range;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	narrow = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(narrow >= 0);
	assert_int_equal(get(narrow, 0, PAGE, &range), kIOReturnSuccess);
	assert_false(range.writable);
	/* It is not shared with the writable mapping. */
	assert_int_equal(get(fd, 0, PAGE, &wide), kIOReturnSuccess);
	assert_true(wide.writable);
	assert_ptr_not_equal(wide.map, range.map);
	put(range.map);
	put(wide.map);
	close(narrow);
	close(fd);
}

static void test_descriptors_that_cannot_be_mapped(void **state)
{
	char path[64], folder[] = "/tmp/test-file-maps-XXXXXX";
	int file = memory_file(PAGE), pair[2], ends[2];
	struct range range;
	int wrong[8];
	size_t count = 0;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_non_null(mkdtemp(folder));
	wrong[count++] = open(path, O_WRONLY | O_CLOEXEC);
	wrong[count++] = open(path, O_PATH | O_CLOEXEC);
	wrong[count++] = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wrong[count++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	wrong[count++] = pair[0];
	wrong[count++] = ends[0];
	for (size_t i = 0; i < count; i++) {
		assert_true(wrong[i] >= 0);
		assert_int_equal(get(wrong[i], 0, 1, &range), kIOReturnBadArgument);
		close(wrong[i]);
	}
	assert_int_equal(get(-1, 0, 1, &range), kIOReturnBadArgument);
	close(pair[1]);
	close(ends[1]);
	close(file);
	rmdir(folder);
}

static void test_files_that_are_too_short(void **state)
{
	int fd = memory_file(2 * PAGE), empty = memory_file(0);
	struct range range;

	(void)state;
	assert_int_equal(get(fd, 0, 2 * PAGE + 1, &range), kIOReturnBadArgument);
	assert_int_equal(get(fd, 2 * PAGE, 1, &range), kIOReturnBadArgument);
	assert_int_equal(get(fd, 0, 0, &range), kIOReturnBadArgument);
	assert_int_equal(get(fd, UINT64_MAX, 1, &range), kIOReturnBadArgument);
	assert_int_equal(get(fd, 1, UINT64_MAX, &range), kIOReturnBadArgument);
	assert_int_equal(get(fd, UINT64_MAX - 1, 1, &range), kIOReturnBadArgument);
	assert_int_equal(get(empty, 0, 1, &range), kIOReturnBadArgument);
	assert_int_equal(get(fd, 2 * PAGE - 1, 1, &range), kIOReturnSuccess);
	put(range.map);
	close(fd);
	close(empty);
}

static uint64_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &pages), 1);
	fclose(file);
	return pages * PAGE;
}

/* A page of a huge file takes little address space, also when repeated. */
static void test_pages_of_huge_files(void **state)
{
	uint64_t size = UINT64_C(1) << 40, before = address_space();
	struct range range;

	(void)state;
	for (int i = 0; i < 128; i++) {
		int fd = memory_file(size);

		assert_int_equal(get(fd, (uint64_t)i << 32, PAGE, &range), kIOReturnSuccess);
		close(fd);
	}
	assert_true(address_space() - before <= 256 * IOU_WINDOW_MIN);
}

/* Number of distinct mappings that the ranges are in. */
static unsigned distinct_maps(const struct range *ranges, unsigned count)
{
	const struct iou_file_map *seen[64];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = 0;

		while (at < n && seen[at] != ranges[i].map)
			at++;
		if (at == n) {
			assert_true(n < 64);
			seen[n++] = ranges[i].map;
		}
	}
	return n;
}

/* As many pieces of one file as a client can register: few mappings. */
static void test_many_pieces_of_one_file(void **state)
{
	enum { PIECES = 65536 };
	static struct range pieces[PIECES];
	uint64_t spacing = 16 * PAGE;
	int fd = memory_file(PIECES * spacing);

	(void)state;
	for (unsigned i = 0; i < PIECES; i++) {
		/* In an order that does not favour windows. */
		uint64_t offset = (i * UINT64_C(40503) % PIECES) * spacing;

		assert_int_equal(get(fd, offset, PAGE, &pieces[i]), kIOReturnSuccess);
		assert_true(pieces[i].writable);
	}
	/* The file has 4 GiB: one window of each size and four of the largest cover it. */
	assert_true(distinct_maps(pieces, PIECES) <= IOU_WINDOW_CLASSES + 4);
	close(fd);
}

/* A client at its limit of address space leaves room for ordinary regions of others. */
static void test_limits_of_address_space_leave_room_for_others(void **state)
{
	uint64_t size = UINT64_C(1) << 40;
	struct iou_file_maps *greedy[20] = { NULL };
	struct range range;
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		kern_return_t status = kIOReturnSuccess;

		greedy[i] = iou_file_maps_create();
		assert_non_null(greedy[i]);
		for (unsigned n = 0; n < 5 && status == kIOReturnSuccess; n++) {
			int fd = memory_file(size);

			status = get_in(greedy[i], fd, 0, size, &range);
			close(fd);
		}
		if (status == kIOReturnVMError)
			skip();				    /* this host has less address space */
		assert_int_equal(status, kIOReturnNoSpace); /* a client's limit is 4 TiB */
		refused++;
	}
	assert_int_equal(refused, 20);
	{
		int fd = memory_file(UINT64_C(1) << 34);

		assert_int_equal(get(fd, 0, UINT64_C(1) << 34, &range), kIOReturnSuccess);
		close(fd);
	}
	for (size_t i = 0; i < 20; i++)
		iou_file_maps_release(greedy[i]);
}

/* The number of mappings is limited too: each client can have some. */
static void test_limits_of_the_number_of_mappings(void **state)
{
	struct iou_file_maps *greedy[12];
	struct range range;

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		kern_return_t status = kIOReturnSuccess;
		unsigned count = 0;

		greedy[i] = iou_file_maps_create();
		assert_non_null(greedy[i]);
		while (status == kIOReturnSuccess) {
			int fd = memory_file(PAGE);

			status = get_in(greedy[i], fd, 0, PAGE, &range);
			count += status == kIOReturnSuccess;
			close(fd);
		}
		assert_int_equal(status, kIOReturnNoSpace);
		assert_in_range(count, IOU_MAPS_GUARANTEED, IOU_MAPS_MAX);
	}
	for (unsigned i = 0; i < IOU_MAPS_GUARANTEED; i++) {
		int fd = memory_file(PAGE);

		assert_int_equal(get(fd, 0, PAGE, &range), kIOReturnSuccess);
		close(fd);
	}
	for (size_t i = 0; i < 12; i++)
		iou_file_maps_release(greedy[i]);
}

/* Released address space is returned to the pool. */
static void test_address_space_is_returned(void **state)
{
	struct iou_address_space space = { 0, 0 };

	(void)state;
	for (int round = 0; round < 100; round++) {
		assert_true(iou_address_space_take(&space, IOU_BYTES_GUARANTEED - 1));
		assert_true(iou_address_space_take(&space, IOU_BYTES_MAX - IOU_BYTES_GUARANTEED));
		assert_false(iou_address_space_take(&space, 2));
		assert_true(iou_address_space_take(&space, 1));
		iou_address_space_give(&space, IOU_BYTES_MAX - IOU_BYTES_GUARANTEED);
		iou_address_space_give(&space, IOU_BYTES_GUARANTEED - 1);
		iou_address_space_give(&space, 1);
		assert_true(space.bytes == 0 && space.maps == 0);
	}
}

/* Files on file systems that may not answer; procfs represents FUSE and NFS. */
static void test_files_whose_page_faults_may_block(void **state)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct range range;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(get(fd, 0, 1, &range), kIOReturnNotPermitted);
	close(fd);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_mappings_outlast_the_client),
		EACH(test_ranges_of_a_file_share_one_mapping),
		EACH(test_different_files_do_not_share),
		EACH(test_a_file_that_has_grown),
		EACH(test_read_only_descriptors),
		EACH(test_descriptors_that_cannot_be_mapped),
		EACH(test_files_that_are_too_short),
		EACH(test_pages_of_huge_files),
		EACH(test_many_pieces_of_one_file),
		EACH(test_limits_of_address_space_leave_room_for_others),
		EACH(test_limits_of_the_number_of_mappings),
		EACH(test_address_space_is_returned),
		EACH(test_files_whose_page_faults_may_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
