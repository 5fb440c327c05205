/* SPDX-License-Identifier: BSD-3-Clause */
/* Registration and release of guest memory. */
#include "tests/lib/vfio-user-rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define RW (VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE)

static int map(
	struct rig *rig, uint64_t address, uint64_t size, uint64_t offset, uint32_t flags, int fd)
{
	struct vfio_user_dma_map request = { .argsz = sizeof(request),
		.flags = flags,
		.offset = offset,
		.address = address,
		.size = size };

	return vu_client_exchange(&rig->client, VFIO_USER_DMA_MAP, &request, sizeof(request), &fd,
		fd >= 0 ? 1 : 0, NULL);
}

static int unmap(struct rig *rig, uint64_t address, uint64_t size, uint32_t flags)
{
	struct vfio_user_dma_unmap request = {
		.argsz = sizeof(request), .flags = flags, .address = address, .size = size
	};
	struct vu_reply *reply = malloc(sizeof(*reply));
	int error = vu_client_exchange(
		&rig->client, VFIO_USER_DMA_UNMAP, &request, sizeof(request), NULL, 0, reply);

	if (error == 0) {
		assert_int_equal(reply->size, sizeof(request));
		assert_memory_equal(reply->payload, &request, sizeof(request));
	}
	free(reply);
	return error;
}

static size_t registered(void)
{
	size_t count = fake_client_lock()->region_count;

	fake_client_unlock();
	return count;
}

static void test_shared_memory_is_registered(void **state)
{
	int fd = memory_new(0x10000);
	struct fake_client *device;

	assert_int_equal(pwrite(fd, "guest", 5, 0x3000), 5);
	assert_int_equal(map(*state, 0x100000, 0x4000, 0x3000, RW, fd), 0);
	device = fake_client_lock();
	assert_int_equal(device->region_count, 1);
	assert_int_equal(device->regions[0].iova, 0x100000);
	assert_int_equal(device->regions[0].size, 0x4000);
	assert_memory_equal((void *)(uintptr_t)device->regions[0].va, "guest", 5);
	memcpy((void *)(uintptr_t)device->regions[0].va, "device", 6);
	fake_client_unlock();
	assert_memory_equal(mmap(NULL, 0x1000, PROT_READ, MAP_SHARED, fd, 0x3000), "device", 6);
	assert_int_equal(unmap(*state, 0x100000, 0x4000, 0), 0);
	assert_int_equal(registered(), 0);
	close(fd);
}

static void set_takes_no_fds(void)
{
	fake_client_lock()->takes_no_fds = true;
	fake_client_unlock();
}

/* The memory is mapped in the server then. */
static void test_a_driver_without_descriptors_gets_addresses(void **state)
{
	int fd = memory_new(0x10000);
	struct fake_client *device;

	set_takes_no_fds();
	assert_int_equal(pwrite(fd, "guest", 5, 0x3000), 5);
	assert_int_equal(map(*state, 0x100000, 0x4000, 0x3000, VFIO_USER_F_DMA_REGION_READ, fd), 0);
	device = fake_client_lock();
	assert_int_equal(device->region_count, 1);
	assert_null(device->regions[0].mapping);
	assert_memory_equal((void *)(uintptr_t)device->regions[0].va, "guest", 5);
	fake_client_unlock();
	assert_int_equal(unmap(*state, 0x100000, 0x4000, 0), 0);
	assert_int_equal(registered(), 0);
	close(fd);
}

/* It is registered again through the descriptor when the driver has been away. */
static void test_the_descriptor_stays_open_while_mapped(void **state)
{
	size_t before = count_fds();
	int fd = memory_new(0x1000);

	assert_int_equal(map(*state, 0, 0x1000, 0, RW, fd), 0);
	close(fd);
	expect_fds(before + 1);
	assert_int_equal(unmap(*state, 0, 0x1000, 0), 0);
	expect_fds(before);
}

static void test_memory_without_descriptor_is_recorded(void **state)
{
	assert_int_equal(map(*state, 0xc0000, 0x20000, 0, VFIO_USER_F_DMA_REGION_READ, -1), 0);
	assert_int_equal(registered(), 0);
	assert_int_equal(map(*state, 0xc0000, 0x1000, 0, RW, -1), EEXIST);
	assert_int_equal(unmap(*state, 0xc0000, 0x20000, 0), 0);
	assert_int_equal(unmap(*state, 0xc0000, 0x20000, 0), ENOENT);
}

static void test_invalid_ranges_are_refused(void **state)
{
	static const struct {
		uint64_t address, size, offset;
		uint32_t flags;
	} cases[] = {
		{ 0, 0, 0, RW },	 /* size 0 */
		{ 0x10, 0x1000, 0, RW }, /* not page-aligned */
		{ 0, 0x1800, 0, RW },
		{ 0, 0x1000, 0x10, RW },
		{ UINT64_MAX - 0xfff, 0x2000, 0, RW }, /* wraps around */
		{ 0x1000, UINT64_MAX - 0xfff, 0, RW },
		{ 0, 0x1000, UINT64_MAX - 0xfff, RW },
		{ 0, 0x2000, INT64_MAX - 0xfff, RW },
		{ 0, 0x1000, 0, 0 }, /* neither readable nor writable */
		{ 0, 0x1000, 0, RW | 4 },
		{ 0, 0x4000, 0x1000, RW }, /* past the end of the file */
		{ 0, 0x5000, 0, RW },
		{ 0, 0x1000, 0x4000, RW },
	};
	int fd = memory_new(0x4000);
	struct vfio_user_dma_map request = { .argsz = 31, .flags = RW, .size = 0x1000 };
	size_t before = count_fds();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(map(*state, cases[i].address, cases[i].size, cases[i].offset,
					 cases[i].flags, fd),
			EINVAL);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DMA_MAP, &request, sizeof(request),
				 NULL, 0, NULL),
		EINVAL);
	assert_int_equal(registered(), 0);
	expect_fds(before);
	/* The last page of the address space is valid. */
	assert_int_equal(map(*state, UINT64_MAX - 0xfff, 0x1000, 0, RW, fd), 0);
	close(fd);
}

static void test_descriptors_that_are_no_memory_are_refused(void **state)
{
	int ends[2], fds[4];

	assert_int_equal(pipe(ends), 0);
	fds[0] = ends[0];
	fds[1] = eventfd(0, EFD_CLOEXEC);
	fds[2] = open("/", O_RDONLY | O_CLOEXEC);
	fds[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(map(*state, 0, 0x1000, 0, RW, fds[i]), EINVAL);
		close(fds[i]);
	}
	close(ends[1]);
}

static void test_a_descriptor_must_allow_the_access_in_the_flags(void **state)
{
	int fd = memory_new(0x1000), read_only;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read_only >= 0);
	assert_int_equal(map(*state, 0, 0x1000, 0, RW, read_only), EACCES);
	assert_int_equal(map(*state, 0, 0x1000, 0, VFIO_USER_F_DMA_REGION_READ, read_only), 0);
	close(read_only);
	close(fd);
}

static void test_overlaps_are_refused(void **state)
{
	static const struct {
		uint64_t address, size;
		int error;
	} cases[] = {
		{ 0x4000, 0x4000, EEXIST }, /* the same */
		{ 0x4000, 0x1000, EEXIST }, /* first part, last part, within */
		{ 0x7000, 0x1000, EEXIST },
		{ 0x5000, 0x1000, EEXIST },
		{ 0x3000, 0x2000, EEXIST }, /* across one edge, across both */
		{ 0x7000, 0x2000, EEXIST },
		{ 0x3000, 0x6000, EEXIST },
		{ 0x0000, 0x4000, 0 }, /* adjacent */
		{ 0x8000, 0x1000, 0 },
		{ 0x3000, 0x1000, EEXIST },
	};
	int fd = memory_new(0x10000);

	assert_int_equal(map(*state, 0x4000, 0x4000, 0, RW, fd), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			map(*state, cases[i].address, cases[i].size, 0, RW, fd), cases[i].error);
	assert_int_equal(registered(), 3);
	close(fd);
}

static void test_only_whole_mappings_are_unmapped(void **state)
{
	struct vfio_user_dma_unmap request = { .argsz = 8, .address = 0x4000, .size = 0x4000 };
	int fd = memory_new(0x10000);

	assert_int_equal(map(*state, 0x4000, 0x4000, 0, RW, fd), 0);
	assert_int_equal(unmap(*state, 0x5000, 0x1000, 0), ENOENT);
	assert_int_equal(unmap(*state, 0x3000, 0x5000, 0), ENOENT);
	assert_int_equal(unmap(*state, 0x9000, 0x1000, 0), ENOENT);
	assert_int_equal(unmap(*state, 0x4000, 0x1000, 0), EINVAL);
	assert_int_equal(unmap(*state, 0x4000, 0x8000, 0), EINVAL);
	assert_int_equal(unmap(*state, 0x4000, 0, 0), EINVAL);
	assert_int_equal(unmap(*state, 0x4000, UINT64_MAX, 0), EINVAL);
	assert_int_equal(unmap(*state, 0x4000, 0x4000, 4), EINVAL);
	assert_int_equal(
		unmap(*state, 0x4000, 0x4000, VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP), ENOTSUP);
	assert_int_equal(unmap(*state, 0x4000, 0x4000, VFIO_DMA_UNMAP_FLAG_ALL), EINVAL);
	assert_int_equal(
		unmap(*state, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP),
		EINVAL);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DMA_UNMAP, &request, sizeof(request),
				 NULL, 0, NULL),
		EINVAL);
	assert_int_equal(registered(), 1);
	assert_int_equal(unmap(*state, 0x4000, 0x4000, 0), 0);
	close(fd);
}

/* As SPDK does. Two descriptors are refused. */
static void test_unmap_may_have_a_descriptor(void **state)
{
	struct vfio_user_dma_unmap request = {
		.argsz = sizeof(request), .address = 0x4000, .size = 0x4000
	};
	size_t before = count_fds();
	int fds[2] = { memory_new(0x10000), memory_new(0x10000) };

	assert_int_equal(map(*state, 0x4000, 0x4000, 0, RW, fds[0]), 0);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DMA_UNMAP, &request, sizeof(request),
				 fds, 2, NULL),
		EINVAL);
	assert_int_equal(registered(), 1);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DMA_UNMAP, &request, sizeof(request),
				 fds, 1, NULL),
		0);
	assert_int_equal(registered(), 0);
	close_all(fds, 2);
	expect_fds(before);
}

static void test_all_is_unmapped_at_once(void **state)
{
	size_t before = count_fds();
	int fd = memory_new(0x1000);

	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(
			map(*state, (i * 7 % 20) * 0x1000, 0x1000, 0, RW, i % 3 ? fd : -1), 0);
	assert_int_equal(registered(), 13);
	assert_int_equal(unmap(*state, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL), 0);
	assert_int_equal(registered(), 0);
	/* By one call. */
	assert_int_equal(fake_client_lock()->unregister_batches, 1);
	fake_client_unlock();
	close(fd);
	expect_fds(before);
	assert_int_equal(unmap(*state, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL), 0);
}

static void test_a_refused_registration_is_undone(void **state)
{
	static const struct {
		kern_return_t result;
		int error;
	} cases[] = {
		{ kIOReturnNoSpace, ENOSPC },
		{ kIOReturnVMError, EFAULT },
		{ kIOReturnNotAligned, EINVAL },
		{ kIOReturnBusy, EBUSY },
		{ kIOReturnStillOpen, EEXIST },
		{ kIOReturnDMAError, EIO },
	};
	int fd = memory_new(0x1000);
	size_t before = count_fds();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_client_lock()->register_result = cases[i].result;
		fake_client_unlock();
		assert_int_equal(map(*state, 0, 0x1000, 0, RW, fd), cases[i].error);
		expect_fds(before);
	}
	fake_client_lock()->register_result = kIOReturnSuccess;
	fake_client_unlock();
	assert_int_equal(map(*state, 0, 0x1000, 0, RW, fd), 0);
	close(fd);
}

static void test_a_disconnect_releases_all_memory(void **state)
{
	struct rig *rig = *state;
	int fd = memory_new(0x10000);
	size_t before = count_fds();
	struct fake_client *device;

	vu_client_set_config(&rig->client, 4, 2, 0x0006);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(map(rig, i * 0x1000, 0x1000, i * 0x1000, RW, fd), 0);
	rig_disconnect(rig);
	device = fake_client_lock();
	assert_int_equal(device->region_count, 0);
	/* At the time of the reset the memory had been unregistered. */
	assert_int_equal(device->resets, 1);
	assert_int_equal(device->regions_at_reset, 0);
	assert_false(device->master_at_reset);
	assert_int_equal(device->config[4] & 4, 0);
	fake_client_unlock();
	expect_fds(before - 2); /* minus both ends of the socket */
	close(fd);
}

/* A message refused for its size had a descriptor too. */
static void test_descriptors_of_refused_messages_are_closed(void **state)
{
	int fd = memory_new(0x1000), two[2] = { fd, fd };
	struct vfio_user_dma_map request = {
		.argsz = sizeof(request), .flags = RW, .size = 0x1000
	};
	size_t before = count_fds();

	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_DMA_MAP, &request, 8, &fd, 1, NULL), EINVAL);
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DMA_MAP, &request, sizeof(request),
				 two, 2, NULL),
		EINVAL);
	expect_fds(before);
	assert_int_equal(registered(), 0);
	close(fd);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, rig_setup_negotiated, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_shared_memory_is_registered),
		ON(test_a_driver_without_descriptors_gets_addresses),
		ON(test_the_descriptor_stays_open_while_mapped),
		ON(test_memory_without_descriptor_is_recorded),
		ON(test_invalid_ranges_are_refused),
		ON(test_descriptors_that_are_no_memory_are_refused),
		ON(test_a_descriptor_must_allow_the_access_in_the_flags),
		ON(test_overlaps_are_refused),
		ON(test_only_whole_mappings_are_unmapped),
		ON(test_unmap_may_have_a_descriptor),
		ON(test_all_is_unmapped_at_once),
		ON(test_a_refused_registration_is_undone),
		ON(test_a_disconnect_releases_all_memory),
		ON(test_descriptors_of_refused_messages_are_closed),
	};

	return cmocka_run_group_tests_name("vfio-user DMA", tests, NULL, NULL);
}
