/* SPDX-License-Identifier: BSD-3-Clause */
/* DMA regions by the extension selectors: all segments, batches, and memory by its descriptor. */
#include "common/dma-span.h"
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <dext-abi.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GIB (UINT64_C(1) << 30)

static struct rig rig;

/* Sparse shared memory: as large as the address space allows, none of it allocated. */
static char *sparse_memory(uint64_t size, int *fd)
{
	char *memory;

	*fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(*fd, (off_t)size), 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, *fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void test_segments(void **state)
{
	io_connect_t connection = claim_device();
	const uint64_t size = 4 * GIB;
	AppleDextSegment segments[4];
	uint64_t word, address, length;
	size_t count = 4;
	char *memory;
	int fd;

	(void)state;
	memory = sparse_memory(size, &fd);
	memory[4 * GIB - 8] = 77;
	/* The fixed call returns the first of three segments. */
	assert_ok(
		apple_dext_register_dma(connection, 0, (uintptr_t)memory, size, &address, &length));
	assert_int_equal(address, 0);
	assert_int_equal(length, DEXT_CHUNK_MAX);
	assert_ok(apple_dext_unregister_dma(connection, 0));

	assert_ok(apple_dext_register_dma_segments(
		connection, GIB, (uintptr_t)memory, size, segments, &count));
	assert_int_equal(count, 3);
	assert_int_equal(segments[0].bus_address, GIB);
	assert_int_equal(segments[1].bus_address, GIB + DEXT_CHUNK_MAX);
	assert_int_equal(segments[2].length, size - 2 * DEXT_CHUNK_MAX);
	assert_ok(apple_dext_probe_dma(connection, GIB, size - 8, &word));
	assert_int_equal(word, 77);
	assert_ok(apple_dext_unregister_dma_segments(connection, GIB, size));
	assert_fails(apple_dext_unregister_dma_segments(connection, GIB, size), kIOReturnNotFound);

	count = 2;
	assert_fails(apple_dext_register_dma_segments(
			     connection, GIB, (uintptr_t)memory, size, segments, &count),
		kIOReturnOverrun);
	assert_int_equal(count, 3);
	assert_fails(apple_dext_unregister_dma(connection, GIB), kIOReturnNotFound);
	assert_fails(apple_dext_register_dma_segments(
			     connection, GIB, (uintptr_t)memory, size, NULL, &count),
		kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	munmap(memory, size);
	close(fd);
}

/* All 128 chunks, plus one byte. */
static void test_the_largest_region(void **state)
{
	const uint64_t size = DEXT_CHUNKS_MAX * DEXT_CHUNK_MAX;
	AppleDextSegment segments[DEXT_CHUNKS_MAX];
	size_t count = DEXT_CHUNKS_MAX;
	io_connect_t connection;
	char *memory;
	int fd;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* sanitizers leave no room for 192 GiB */
#endif
	connection = claim_device();
	memory = sparse_memory(size + 4096, &fd);
	assert_ok(apple_dext_register_dma_segments(
		connection, 0, (uintptr_t)memory, size, segments, &count));
	assert_int_equal(count, DEXT_CHUNKS_MAX);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(segments[i].bus_address, i * DEXT_CHUNK_MAX);
	assert_ok(apple_dext_unregister_dma(connection, 0));
	assert_fails(
		apple_dext_register_dma(connection, 0, (uintptr_t)memory, size + 1, NULL, NULL),
		kIOReturnNoSpace);
	apple_dext_disconnect(connection);
	munmap(memory, size + 4096);
	close(fd);
}

/* Rollback: the last chunk exceeds the device's IOMMU, and the others are unmapped again. */
static void test_rollback(void **state)
{
	io_connect_t connection = claim_bus(2);
	AppleDextDMALimits limits;
	char *memory;
	int fd;

	(void)state;
	memory = sparse_memory(4 * GIB, &fd);
	assert_fails(apple_dext_register_dma(
			     connection, 0, (uintptr_t)memory, 3 * GIB + 4096, NULL, NULL),
		kIOReturnNoSpace);
	assert_ok(apple_dext_get_dma_limits(connection, &limits));
	assert_int_equal(limits.kind, DEXT_IOMMU_DART);
	assert_int_equal(limits.bytes, 2 * GIB);
	assert_int_equal(limits.bytes_used, 0);
	assert_int_equal(limits.maps_used, 0);
	/* The IOMMU maps whole pages of 16 KiB; the memory need not be aligned to these. */
	assert_ok(apple_dext_register_dma(
		connection, 0, (uintptr_t)memory, 2 * GIB - 65536, NULL, NULL));
	assert_ok(apple_dext_get_dma_limits(connection, &limits));
	assert_true(limits.bytes_used >= 2 * GIB - 65536 && limits.bytes_used <= 2 * GIB);
	assert_int_equal(limits.maps_used, 2);
	assert_fails(apple_dext_get_dma_limits(connection, NULL), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	munmap(memory, 4 * GIB);
	close(fd);
}

static void test_batches(void **state)
{
	enum { COUNT = 1000 };
	io_connect_t connection = claim_device();
	AppleDextDMARequest *requests = calloc(COUNT, sizeof(*requests));
	AppleDextDMAResult *results = calloc(COUNT, sizeof(*results));
	uint64_t *iovas = calloc(COUNT, sizeof(*iovas));
	kern_return_t *statuses = calloc(COUNT, sizeof(*statuses));
	AppleDextRegionInfo *regions;
	size_t count;
	char *memory;
	int fd;

	(void)state;
	memory = sparse_memory(COUNT * 4096, &fd);
	for (uint64_t i = 0; i < COUNT; i++) {
		iovas[i] = GIB + i * 4096;
		requests[i] = (AppleDextDMARequest){ iovas[i], (uintptr_t)memory + i * 4096, 4096 };
	}
	requests[10].iova = iovas[9]; /* already registered */
	requests[500].size = 0;
	requests[999].client_va = 4096; /* not mapped */
	assert_ok(apple_dext_register_dma_batch(connection, requests, COUNT, results));
	for (size_t i = 0; i < COUNT; i++) {
		kern_return_t expected = i == 10  ? kIOReturnStillOpen :
					 i == 500 ? kIOReturnBadArgument :
					 i == 999 ? kIOReturnVMError :
						    kIOReturnSuccess;

		assert_int_equal(results[i].status, expected);
		assert_int_equal(results[i].segments, expected == kIOReturnSuccess);
		if (expected == kIOReturnSuccess)
			assert_int_equal(results[i].bus_address, iovas[i]);
	}
	assert_ok(apple_dext_copy_dma_regions(connection, &regions, &count));
	assert_int_equal(count, COUNT - 3);
	for (size_t i = 1; i < count; i++)
		assert_true(regions[i].iova > regions[i - 1].iova);
	free(regions);
	assert_ok(apple_dext_unregister_dma_batch(connection, iovas, COUNT, statuses));
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(statuses[i],
			i == 10 || i == 500 || i == 999 ? kIOReturnNotFound : kIOReturnSuccess);
	assert_ok(apple_dext_unregister_dma_batch(connection, iovas, 1, NULL));
	assert_ok(apple_dext_register_dma_batch(connection, NULL, 0, NULL));
	assert_fails(
		apple_dext_register_dma_batch(connection, NULL, 1, results), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	assert_fails(apple_dext_register_dma_batch(connection, requests, 2, results),
		kIOReturnBadArgument);
	munmap(memory, COUNT * 4096);
	close(fd);
	free(requests), free(results), free(iovas), free(statuses);
}

#define RW (DEXT_DMA_DEVICE_READS | DEXT_DMA_DEVICE_WRITES)

static kern_return_t register_fd(
	io_connect_t connection, uint64_t iova, int fd, uint64_t offset, uint64_t size)
{
	return apple_dext_register_dma_fd(connection, iova, fd, offset, 0, size, RW, NULL, NULL);
}

/* Memory that is not mapped in this process, so that nothing but the descriptor leads to it. */
static void test_descriptors(void **state)
{
	io_connect_t connection = claim_device();
	uint64_t word = 77, address = 0, length = 0;
	int fd = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	if (rig.local)
		dma_spans_catch_faults(); /* cmocka has taken the signals over */
	assert_int_equal(ftruncate(fd, 0x10000), 0);
	assert_int_equal(pwrite(fd, &word, sizeof(word), 0x5000 + 0x1ff8), sizeof(word));
	assert_ok(apple_dext_register_dma_fd(
		connection, GIB, fd, 0x5000, 0, 0x2000, RW, &address, &length));
	assert_int_equal(address, GIB);
	assert_int_equal(length, 0x2000);
	assert_fails(register_fd(connection, GIB, fd, 0, 0x1000), kIOReturnStillOpen);
	assert_fails(register_fd(connection, GIB + 0x1000, fd, 0, 0x1000), kIOReturnBusy);
	assert_ok(register_fd(connection, GIB + 0x2000, fd, 0, 0x10000));
	/* The driver does not need this descriptor any more. */
	assert_int_equal(ftruncate(fd, 0x8000), 0);
	close(fd);
	word = 0;
	assert_ok(apple_dext_probe_dma(connection, GIB, 0x1ff8, &word));
	assert_int_equal(word, 77);
	/* Truncated after it was registered. */
	assert_fails(
		apple_dext_probe_dma(connection, GIB + 0x2000, 0xf000, &word), kIOReturnDMAError);
	assert_ok(apple_dext_unregister_dma(connection, GIB));
	assert_fails(apple_dext_probe_dma(connection, GIB, 0, &word), kIOReturnNotFound);
	assert_ok(apple_dext_unregister_dma(connection, GIB + 0x2000));
	apple_dext_disconnect(connection);
}

static void test_refused_descriptors(void **state)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	static const struct {
		uint64_t offset, size;
		uint32_t flags;
	} cases[] = {
		{ 0, 0, RW },
		{ 0, 0x4001, RW }, /* past the end of the file */
		{ 0x4000, 1, RW },
		{ 0x1000, UINT64_MAX - 0xfff, RW }, /* wraps */
		{ UINT64_MAX, 1, RW },
		{ 0, 0x1000, 0 },
		{ 0, 0x1000, RW | 4 },
	};
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), ends[2], read_only, closed;
	char path[64];

	(void)state;
	assert_int_equal(ftruncate(fd, 0x4000), 0);
	assert_fails(register_fd(connection, 0, fd, 0, 0x1000), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		kern_return_t got = apple_dext_register_dma_fd(connection, 0, fd, cases[i].offset,
			0, cases[i].size, cases[i].flags, NULL, NULL);

		/* The size that wraps is also more than a region can have. */
		assert_true(got == kIOReturnBadArgument || got == kIOReturnNoSpace);
	}
	assert_fails(register_fd(connection, 0, -1, 0, 0x1000), kIOReturnBadArgument);
	closed = dup(fd);
	close(closed);
	assert_fails(register_fd(connection, 0, closed, 0, 0x1000), kIOReturnBadArgument);
	assert_int_equal(pipe(ends), 0);
	assert_fails(register_fd(connection, 0, ends[0], 0, 0x1000), kIOReturnBadArgument);
	close(ends[0]);
	close(ends[1]);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	assert_fails(register_fd(connection, 0, read_only, 0, 0x1000), kIOReturnNotPermitted);
	assert_ok(apple_dext_register_dma_fd(
		connection, 0, read_only, 0, 0, 0x1000, DEXT_DMA_DEVICE_READS, NULL, NULL));
	close(read_only);
	/* Without a writable mapping it can be sealed. */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_fails(register_fd(connection, 0x1000, fd, 0, 0x1000), kIOReturnVMError);
	assert_ok(apple_dext_register_dma_fd(
		connection, 0x1000, fd, 0x1000, 0, 0x1000, DEXT_DMA_DEVICE_READS, NULL, NULL));
	close(fd);
	apple_dext_disconnect(connection);
	assert_fails(register_fd(IO_OBJECT_NULL, 0, STDIN_FILENO, 0, 0x1000), kIOReturnBadArgument);
}

static void test_batches_of_descriptors(void **state)
{
	enum { COUNT = 100 };
	io_connect_t connection = claim_device();
	AppleDextDMAFile files[COUNT];
	AppleDextDMAResult results[COUNT];
	int fd = memfd_create("test", MFD_CLOEXEC), ends[2];
	uint64_t word;

	(void)state;
	assert_int_equal(ftruncate(fd, COUNT * 4096), 0);
	assert_int_equal(pipe(ends), 0);
	for (uint64_t i = 0; i < COUNT; i++) {
		assert_int_equal(pwrite(fd, &i, sizeof(i), (off_t)i * 4096), sizeof(i));
		files[i] = (AppleDextDMAFile){ .iova = GIB + i * 4096,
			.size = 4096,
			.offset = i * 4096,
			.fd = fd,
			.flags = RW };
	}
	files[10].iova = files[9].iova;
	files[50].fd = ends[0];
	files[99].flags = 0;
	assert_ok(apple_dext_register_dma_fd_batch(connection, files, COUNT, results));
	for (uint64_t i = 0; i < COUNT; i++) {
		kern_return_t expected = i == 10	    ? kIOReturnStillOpen :
					 i == 50 || i == 99 ? kIOReturnBadArgument :
							      kIOReturnSuccess;

		assert_int_equal(results[i].status, expected);
		assert_int_equal(results[i].segments, expected == kIOReturnSuccess);
		if (expected != kIOReturnSuccess)
			continue;
		assert_int_equal(results[i].bus_address, files[i].iova);
		assert_ok(apple_dext_probe_dma(connection, files[i].iova, 0, &word));
		assert_int_equal(word, i);
	}
	assert_ok(apple_dext_register_dma_fd_batch(connection, NULL, 0, NULL));
	assert_fails(apple_dext_register_dma_fd_batch(connection, NULL, 1, results),
		kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	assert_fails(apple_dext_register_dma_fd_batch(connection, files, 2, results),
		kIOReturnBadArgument);
	assert_int_equal(results[1].status, kIOReturnBadArgument);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=1M",
		"nvme,addr=02:00.0,size=1M,dma=dart,dma-bytes=2G", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_segments, rig_await_idle),
		cmocka_unit_test_setup(test_the_largest_region, rig_await_idle),
		cmocka_unit_test_setup(test_rollback, rig_await_idle),
		cmocka_unit_test_setup(test_batches, rig_await_idle),
		cmocka_unit_test_setup(test_descriptors, rig_await_idle),
		cmocka_unit_test_setup(test_refused_descriptors, rig_await_idle),
		cmocka_unit_test_setup(test_batches_of_descriptors, rig_await_idle),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
