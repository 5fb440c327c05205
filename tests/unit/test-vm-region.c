/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mappings of an address space, by a query of single addresses where the kernel supports it,
 * and by the text of the maps file; both must give the same result.
 */
#include "iokit/vm-region.h"
#include "tests/lib/cmocka-all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static char *map(size_t pages, int protection, int flags, int fd, uint64_t offset)
{
	char *at = mmap(NULL, pages * PAGE, protection, flags, fd, (off_t)offset);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static int memory_file(uint64_t size)
{
	int fd = memfd_create("test-vm-region", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* A copy of this process's maps file: it does not support queries. */
static int copy_maps(void)
{
	int copy = memfd_create("maps", MFD_CLOEXEC), maps = open("/proc/self/maps", O_RDONLY);
	char buffer[4096];
	ssize_t size;

	assert_true(copy >= 0 && maps >= 0);
	while ((size = read(maps, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(copy, buffer, (size_t)size), size);
	close(maps);
	lseek(copy, 0, SEEK_SET);
	return copy;
}

struct found {
	struct iou_vm_region *regions;
	size_t count;
	kern_return_t status;
};

/* Query both ways; compare the results, and release them once. */
static struct found ask(const void *va, uint64_t size)
{
	uint64_t at = (uintptr_t)va;
	struct found by_kernel, by_text;
	int copy;

	by_kernel.status = iou_vm_regions(at, size, &by_kernel.regions, &by_kernel.count);
	copy = copy_maps();
	by_text.status = iou_vm_regions_from(copy, at, size, &by_text.regions, &by_text.count);
	close(copy);
	assert_int_equal(by_text.status, by_kernel.status);
	assert_int_equal(by_text.count, by_kernel.count);
	for (size_t i = 0; i < by_text.count; i++) {
		const struct iou_vm_region *a = &by_kernel.regions[i], *b = &by_text.regions[i];

		assert_true(a->va == b->va && a->length == b->length);
		assert_int_equal(a->writable, b->writable);
		assert_int_equal(a->shared, b->shared);
		assert_true(!a->shared || (a->offset == b->offset && a->inode == b->inode &&
						  a->device == b->device));
	}
	free(by_text.regions);
	return by_kernel;
}

static void assert_region(const struct found *found, size_t index, const char *va, uint64_t length)
{
	assert_int_equal(found->status, kIOReturnSuccess);
	assert_true(index < found->count);
	assert_true(found->regions[index].va == (uintptr_t)va);
	assert_true(found->regions[index].length == length);
}

static void test_private_memory(void **state)
{
	char *at = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct found found = ask(at + 100, 2 * PAGE);

	(void)state;
	assert_int_equal(found.count, 1);
	assert_region(&found, 0, at + 100, 2 * PAGE);
	assert_true(found.regions[0].writable);
	assert_false(found.regions[0].shared);
	assert_int_equal(iou_vm_region_fd(&found.regions[0]), -1);
	free(found.regions);
	munmap(at, 4 * PAGE);
}

static void test_a_shared_file_and_its_offset(void **state)
{
	int fd = memory_file(16 * PAGE), copy;
	char *at = map(4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 8 * PAGE), byte = 0;
	struct found found = ask(at + PAGE + 8, PAGE);

	(void)state;
	assert_int_equal(found.count, 1);
	assert_region(&found, 0, at + PAGE + 8, PAGE);
	assert_true(found.regions[0].shared);
	assert_true(found.regions[0].offset == 9 * PAGE + 8);
	at[PAGE + 8] = 0x77;
	copy = iou_vm_region_fd(&found.regions[0]);
	assert_true(copy >= 0);
	assert_int_not_equal(copy, fd); /* a new descriptor, independent of the first */
	close(fd);
	assert_int_equal(pread(copy, &byte, 1, 9 * PAGE + 8), 1);
	assert_int_equal(byte, 0x77);
	close(copy);
	free(found.regions);
	munmap(at, 4 * PAGE);
}

static void test_read_only_memory(void **state)
{
	int fd = memory_file(PAGE), copy;
	char *at = map(1, PROT_READ, MAP_SHARED, fd, 0);
	struct found found = ask(at, PAGE);

	(void)state;
	assert_int_equal(found.count, 1);
	assert_false(found.regions[0].writable);
	copy = iou_vm_region_fd(&found.regions[0]);
	assert_true(copy >= 0);
	close(copy);
	free(found.regions);
	munmap(at, PAGE);
	close(fd);
}

/* Of two descriptors of one file, the one with sufficient access is used. */
static void test_a_descriptor_with_the_access_of_the_mapping(void **state)
{
	int writable = memory_file(PAGE), copy;
	char path[64], *at;
	struct found found;
	int narrow;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", writable);
	narrow = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(narrow >= 0);
	at = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, writable, 0);
	found = ask(at, PAGE);
	copy = iou_vm_region_fd(&found.regions[0]);
	assert_true(copy >= 0);
	assert_int_equal(fcntl(copy, F_GETFL) & O_ACCMODE, O_RDWR);
	close(copy);
	free(found.regions);
	munmap(at, PAGE);
	close(narrow);
	close(writable);
}

static void test_a_hole(void **state)
{
	char *at = map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct found found;

	(void)state;
	munmap(at + PAGE, PAGE);
	found = ask(at, 3 * PAGE);
	assert_int_equal(found.status, kIOReturnVMError);
	assert_int_equal(found.count, 0);
	assert_null(found.regions);
	found = ask(at + PAGE, PAGE);
	assert_int_equal(found.status, kIOReturnVMError);
	found = ask(at, PAGE);
	assert_region(&found, 0, at, PAGE);
	free(found.regions);
	munmap(at, PAGE);
	munmap(at + 2 * PAGE, PAGE);
}

static void test_unreadable_memory(void **state)
{
	char *at = map(2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct found found = ask(at, PAGE);

	(void)state;
	assert_int_equal(found.status, kIOReturnVMError);
	munmap(at, 2 * PAGE);
}

/* A range over several mappings: split at their boundaries, clipped to the range. */
static void test_a_range_over_split_mappings(void **state)
{
	int fd = memory_file(4 * PAGE);
	char *at = map(6, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct found found;

	(void)state;
	assert_int_equal(mprotect(at + PAGE, PAGE, PROT_READ), 0);
	assert_ptr_equal(mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, fd, PAGE),
		at + 2 * PAGE);
	found = ask(at + 16, 5 * PAGE);
	assert_int_equal(found.count, 4);
	assert_region(&found, 0, at + 16, PAGE - 16);
	assert_region(&found, 1, at + PAGE, PAGE);
	assert_false(found.regions[1].writable);
	assert_region(&found, 2, at + 2 * PAGE, 2 * PAGE);
	assert_true(found.regions[2].shared);
	assert_true(found.regions[2].offset == PAGE);
	assert_region(&found, 3, at + 4 * PAGE, PAGE + 16);
	free(found.regions);
	munmap(at, 6 * PAGE);
	close(fd);
}

static void test_invalid_ranges(void **state)
{
	struct iou_vm_region *regions;
	size_t count;

	(void)state;
	assert_int_equal(iou_vm_regions(PAGE, 0, &regions, &count), kIOReturnBadArgument);
	assert_int_equal(
		iou_vm_regions(UINT64_MAX - 8, 16, &regions, &count), kIOReturnBadArgument);
	assert_int_equal(iou_vm_regions(0, PAGE, &regions, &count), kIOReturnVMError);
}

static void ask_text(const char *text, uint64_t va, uint64_t size, struct found *found)
{
	int fd = memfd_create("maps", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	lseek(fd, 0, SEEK_SET);
	found->status = iou_vm_regions_from(fd, va, size, &found->regions, &found->count);
	close(fd);
}

/* File names may be longer than a line, and contain text like another mapping. */
static void test_text_with_long_names(void **state)
{
	char text[4096], name[1500];
	struct found found;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text),
		"1000-2000 rw-s 00000000 00:01 5 /%s 2000-9000 rw-p 00000000 00:00 0\n"
		"2000-3000 r--s 00001000 00:01 5 /%s\n"
		"3000-4000 rw-p 00000000 00:00 0\n",
		name, name);
	ask_text(text, 0x1800, 0x2000, &found);
	assert_int_equal(found.status, kIOReturnSuccess);
	assert_int_equal(found.count, 3);
	assert_true(found.regions[0].length == 0x800 && found.regions[0].offset == 0x800);
	assert_true(found.regions[1].va == 0x2000 && found.regions[1].offset == 0x1000);
	assert_true(found.regions[2].length == 0x800 && !found.regions[2].shared);
	free(found.regions);
	ask_text(text, 0x3000, 0x2000, &found);
	assert_int_equal(found.status, kIOReturnVMError);
	ask_text("", 0x1000, 0x1000, &found);
	assert_int_equal(found.status, kIOReturnVMError);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_private_memory),
		cmocka_unit_test(test_a_shared_file_and_its_offset),
		cmocka_unit_test(test_read_only_memory),
		cmocka_unit_test(test_a_descriptor_with_the_access_of_the_mapping),
		cmocka_unit_test(test_a_hole),
		cmocka_unit_test(test_unreadable_memory),
		cmocka_unit_test(test_a_range_over_split_mappings),
		cmocka_unit_test(test_invalid_ranges),
		cmocka_unit_test(test_text_with_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
