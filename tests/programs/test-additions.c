/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The selectors after the first eighteen: segments, batches, lists, the trace, roots, triggering,
 * removal; and the client library with a driver that lacks them.
 */
#include "common/dma-span.h"
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <fcntl.h>
#include <iokit-user/service.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct rig rig;

#define GIB (UINT64_C(1) << 30)

static io_connect_t claim(uint8_t bus)
{
	io_connect_t connection = apple_dext_connect(bus, 0, 0);

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_claim(connection));
	return connection;
}

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

/* A selector without a structure output returns none, even if the caller has room for one. */
static void test_no_stray_output(void **state)
{
	static const uint32_t selectors[] = { DEXT_SELECTOR_Claim, DEXT_SELECTOR_GetIdentity,
		DEXT_SELECTOR_ClaimExclusive, DEXT_SELECTOR_GetStatus, DEXT_SELECTOR_GetDMALimits };
	unsigned char bytes[IOUSER_STRUCT_MAX];
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	uint64_t scalars[IOUSER_SCALARS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(selectors) / sizeof(*selectors); i++) {
		uint32_t count = IOUSER_SCALARS_MAX;
		size_t size = sizeof(bytes);

		assert_ok(IOConnectCallMethod(
			connection, selectors[i], NULL, 0, NULL, 0, scalars, &count, bytes, &size));
		assert_int_equal(size, 0);
		assert_true(count < IOUSER_SCALARS_MAX);
	}
	apple_dext_disconnect(connection);
}

static void test_segments(void **state)
{
	io_connect_t connection = claim(1);
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
	connection = claim(1);
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
	io_connect_t connection = claim(2);
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
	io_connect_t connection = claim(1);
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
	io_connect_t connection = claim(1);
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
	io_connect_t connection = claim(1);
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

static void test_clients(void **state)
{
	io_connect_t first = claim(1), second = apple_dext_connect(1, 0, 0);
	AppleDextClientInfo *clients;
	size_t count;

	(void)state;
	assert_ok(apple_dext_setup_interrupts(first, NULL));
	assert_ok(apple_dext_trigger_interrupt(second, 5));
	assert_ok(apple_dext_copy_clients(second, &clients, &count));
	while (count > 2) { /* a connection of the previous test may still be closing */
		free(clients);
		assert_ok(apple_dext_copy_clients(second, &clients, &count));
	}
	assert_int_equal(count, 2);
	assert_true(clients[0].client < clients[1].client);
	assert_true(clients[0].claimed && clients[0].takes_interrupts && !clients[0].is_caller);
	assert_int_equal(clients[0].interrupts, 1);
	assert_true(!clients[1].claimed && clients[1].is_caller);
	assert_int_equal(clients[0].pid, getpid());
	free(clients);
	assert_fails(apple_dext_copy_clients(second, NULL, &count), kIOReturnBadArgument);
	assert_fails(
		apple_dext_copy_clients(IO_OBJECT_NULL, &clients, &count), kIOReturnBadArgument);
	apple_dext_disconnect(first);
	apple_dext_disconnect(second);
}

static void test_trigger(void **state)
{
	io_connect_t connection = claim(1);
	uint64_t pending[4];

	(void)state;
	assert_ok(apple_dext_trigger_interrupt(connection, 3)); /* no client listens: no error */
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_ok(apple_dext_trigger_interrupt(connection, 63));
	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], UINT64_C(1) << 63);
	assert_fails(apple_dext_trigger_interrupt(connection, 64), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
}

static void test_trace(void **state)
{
	io_connect_t connection = claim(1);
	const struct dext_trace_entry *entry;
	const struct dext_trace *trace;
	mach_vm_address_t address;
	uint64_t value, first;

	(void)state;
	assert_ok(apple_dext_map_trace(connection, &address));
	trace = (const struct dext_trace *)address;
	first = __atomic_load_n(&trace->next, __ATOMIC_SEQ_CST);
	assert_ok(apple_dext_config_read(connection, 0x08, 4, &value));
	assert_fails(apple_dext_config_read(connection, 2, 4, &value), kIOReturnNotAligned);
	assert_int_equal(__atomic_load_n(&trace->next, __ATOMIC_SEQ_CST), first + 2);
	entry = &trace->entries[first % DEXT_TRACE_ENTRIES];
	assert_int_equal(__atomic_load_n(&entry->sequence, __ATOMIC_SEQ_CST), first + 1);
	assert_int_equal(entry->selector, DEXT_SELECTOR_ConfigRead);
	assert_int_equal(entry->in_count, 2);
	assert_int_equal(entry->in[0], 0x08);
	assert_int_equal(entry->out[0] >> 8, 0x010802);
	assert_int_equal(entry[1].status, kIOReturnNotAligned);
	/* It cannot be made writable. */
	assert_int_not_equal(mprotect((void *)address, 4096, PROT_READ | PROT_WRITE), 0);
	assert_ok(apple_dext_unmap_trace(connection, address));
	assert_fails(apple_dext_unmap_trace(connection, address), kIOReturnBadArgument);
	assert_fails(apple_dext_map_trace(connection, NULL), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
}

static void test_roots(void **state)
{
	AppleDextDevice *devices;
	io_connect_t connection;
	size_t count;

	(void)state;
	assert_int_equal(apple_dext_connect(3, 0, 0), IO_OBJECT_NULL);
	assert_non_null(strstr(apple_dext_last_error(), "ambiguous"));
	assert_non_null(strstr(apple_dext_last_error(), "left/03:00.0"));
	assert_non_null(strstr(apple_dext_last_error(), "right/03:00.0"));
	connection = apple_dext_connect_with_root("left", 3, 0, 0);
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	apple_dext_disconnect(connection);
	assert_int_equal(apple_dext_connect_with_root("", 3, 0, 0), IO_OBJECT_NULL);
	assert_int_equal(apple_dext_connect_with_root("middle", 3, 0, 0), IO_OBJECT_NULL);
	assert_non_null(strstr(apple_dext_last_error(), "middle/03:00.0"));
	connection = apple_dext_connect_with_root("", 1, 0, 0);
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	apple_dext_disconnect(connection);
	assert_ok(apple_dext_copy_bound_devices(&devices, &count));
	assert_int_equal(count, 4);
	assert_string_equal(devices[0].root, "");
	assert_string_equal(devices[2].root, "left");
	assert_string_equal(devices[3].root, "right");
	apple_dext_free_bound_devices(devices);
}

/* A block has the bytes of single reads; it may begin and end anywhere. */
static void test_config_blocks(void **state)
{
	static const struct {
		uint64_t offset;
		size_t length;
	} blocks[] = { { 0, DEXT_CONFIG_SIZE }, { 1, 7 }, { 0x0e, 0x25 }, { 0x11, 5 }, { 0x27, 6 },
		{ 3, 4 }, { 0xffb, 5 }, { 0x100, 0 }, { DEXT_CONFIG_SIZE, 0 } };
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	unsigned char expected[DEXT_CONFIG_SIZE], got[DEXT_CONFIG_SIZE];
	AppleDextClientInfo *clients;
	uint64_t value, calls;
	size_t count;

	(void)state;
	for (uint64_t i = 0; i < DEXT_CONFIG_SIZE; i++) {
		assert_ok(apple_dext_config_read(connection, i, 1, &value));
		expected[i] = (unsigned char)value;
	}
	assert_int_equal(expected[0x10], DEXT_BAR_MEM64);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		memset(got, 0x5a, sizeof(got));
		assert_ok(apple_dext_config_read_block(
			connection, blocks[i].offset, got, blocks[i].length));
		assert_memory_equal(got, expected + blocks[i].offset, blocks[i].length);
		if (blocks[i].length < sizeof(got))
			assert_int_equal(got[blocks[i].length], 0x5a);
	}
	assert_fails(apple_dext_config_read_block(connection, 1, got, DEXT_CONFIG_SIZE),
		kIOReturnBadArgument);
	assert_fails(
		apple_dext_config_read_block(connection, UINT64_MAX, got, 8), kIOReturnBadArgument);

	/* All of it by one call. */
	assert_ok(apple_dext_copy_clients(connection, &clients, &count));
	assert_int_equal(count, 1);
	calls = clients[0].calls;
	free(clients);
	assert_ok(apple_dext_config_read_block(connection, 0, got, DEXT_CONFIG_SIZE));
	assert_ok(apple_dext_copy_clients(connection, &clients, &count));
	assert_int_equal(clients[0].calls, calls + 2); /* and the list itself */
	free(clients);
	apple_dext_disconnect(connection);
}

/* The selector itself, with arguments that the library does not pass. */
static void test_config_block_arguments(void **state)
{
	static const struct {
		uint64_t offset, length;
		size_t room;
	} cases[] = { { 0, 64, 63 }, { 0, DEXT_CONFIG_SIZE + 1, DEXT_CONFIG_SIZE },
		{ DEXT_CONFIG_SIZE, 1, 64 }, { DEXT_CONFIG_SIZE + 1, 0, 64 }, { UINT64_MAX, 8, 64 },
		{ 8, UINT64_MAX, 64 }, { 1, UINT64_MAX, 64 } };
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	unsigned char got[DEXT_CONFIG_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const uint64_t in[] = { cases[i].offset, cases[i].length };
		size_t size = cases[i].room;

		assert_fails(IOConnectCallMethod(connection, DEXT_SELECTOR_ConfigReadBlock, in, 2,
				     NULL, 0, NULL, NULL, got, &size),
			kIOReturnBadArgument);
	}
	apple_dext_disconnect(connection);
}

/* --- Eventfds of vectors ---------------------------------------------------------------------- */

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

/* How often it has been signalled since the last time. */
static uint64_t take(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

static io_connect_t claim_with_interrupts(void)
{
	io_connect_t connection = claim(1);

	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	return connection;
}

static void assert_pending(io_connect_t connection, uint64_t expected)
{
	uint64_t pending[4];

	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], expected);
}

static void test_eventfds_of_vectors(void **state)
{
	io_connect_t connection = claim_with_interrupts();
	const uint64_t none[4] = { 0 }, all[4] = { ~UINT64_C(0) };
	int fds[40], other = new_eventfd();

	(void)state;
	for (size_t i = 0; i < 40; i++)
		fds[i] = new_eventfd();
	/* More than go with one call; vectors without one become pending. */
	assert_ok(apple_dext_set_interrupt_eventfds(connection, 2, 40, fds));
	for (uint32_t vector = 1; vector < 43; vector++)
		assert_ok(apple_dext_trigger_interrupt(connection, vector));
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(take(fds[i]), 1);
	assert_pending(connection, UINT64_C(1) << 1 | UINT64_C(1) << 42);
	/* Masked, it is dropped. */
	assert_ok(apple_dext_set_irq_mask(connection, none));
	assert_ok(apple_dext_trigger_interrupt(connection, 2));
	assert_ok(apple_dext_set_irq_mask(connection, all));
	assert_int_equal(take(fds[0]), 0);
	assert_pending(connection, 0);
	/* Replaced, and taken away. A reset leaves it. */
	assert_ok(apple_dext_set_interrupt_eventfds(connection, 2, 1, &other));
	assert_ok(apple_dext_reset_device(connection));
	assert_ok(apple_dext_trigger_interrupt(connection, 2));
	assert_int_equal(take(fds[0]), 0);
	assert_int_equal(take(other), 1);
	assert_ok(apple_dext_set_interrupt_eventfds(connection, 2, 1, NULL));
	assert_ok(apple_dext_trigger_interrupt(connection, 2));
	assert_int_equal(take(other), 0);
	assert_pending(connection, UINT64_C(1) << 2);
	assert_ok(apple_dext_trigger_interrupt(connection, 3));
	assert_int_equal(take(fds[1]), 1);
	apple_dext_disconnect(connection);
	for (size_t i = 0; i < 40; i++)
		close(fds[i]);
	close(other);
}

static void test_what_is_no_eventfd(void **state)
{
	io_connect_t connection = claim(1);
	int good = new_eventfd(), ends[2], fds[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_fails(apple_dext_set_interrupt_eventfds(connection, 0, 1, &good), kIOReturnNotReady);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	fds[0] = good;
	fds[1] = ends[1];
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 2, fds), kIOReturnBadArgument);
	fds[1] = memfd_create("test", MFD_CLOEXEC);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 2, fds), kIOReturnBadArgument);
	/* None of them is connected. */
	assert_ok(apple_dext_trigger_interrupt(connection, 0));
	assert_int_equal(take(good), 0);
	assert_pending(connection, 1);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 0, &good), kIOReturnBadArgument);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 64, 1, &good), kIOReturnBadArgument);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 65, NULL), kIOReturnBadArgument);
	assert_fails(apple_dext_set_interrupt_eventfds(IO_OBJECT_NULL, 0, 1, &good),
		kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	close(fds[1]);
	close(good);
	close(ends[0]);
	close(ends[1]);
}

/* A write() to it would wait; the device's interrupts do not, and other clients get theirs. */
static void test_a_full_eventfd_holds_up_nobody(void **state)
{
	io_connect_t filler = claim_with_interrupts(), other = claim_with_interrupts();
	int full = eventfd(0, EFD_CLOEXEC);
	uint64_t count;

	(void)state;
	assert_int_equal(eventfd_write(full, UINT64_MAX - 1), 0);
	assert_ok(apple_dext_set_interrupt_eventfds(filler, 0, 1, &full));
	for (int i = 0; i < 3; i++) {
		assert_ok(apple_dext_trigger_interrupt(other, 0));
		assert_pending(other, 1);
	}
	assert_int_equal(read(full, &count, sizeof(count)), sizeof(count));
	assert_true(count >= UINT64_MAX - 1);
	apple_dext_disconnect(filler);
	apple_dext_disconnect(other);
	close(full);
}

static void test_eventfds_end_with_the_connection(void **state)
{
	io_connect_t leaver = claim_with_interrupts(), other = claim_with_interrupts();
	int fd = new_eventfd(), kept = new_eventfd();
	AppleDextStatus status;

	(void)state;
	assert_ok(apple_dext_set_interrupt_eventfds(leaver, 0, 1, &fd));
	assert_ok(apple_dext_set_interrupt_eventfds(other, 0, 1, &kept));
	assert_ok(apple_dext_trigger_interrupt(other, 0));
	assert_int_equal(take(fd), 1);
	assert_int_equal(take(kept), 1);
	apple_dext_disconnect(leaver);
	do
		assert_ok(apple_dext_get_status(other, &status));
	while (status.clients > 1);
	assert_ok(apple_dext_trigger_interrupt(other, 0));
	assert_int_equal(take(fd), 0);
	assert_int_equal(take(kept), 1);
	apple_dext_disconnect(other);
	close(fd);
	close(kept);
}

static sem_t status_came;
static atomic_int last_status;

static void note_status(void *unused, kern_return_t status)
{
	(void)unused;
	atomic_store(&last_status, status);
	sem_post(&status_came);
}

static void no_interrupt(void *unused)
{
	(void)unused;
	abort();
}

static void test_removal(void **state)
{
	io_connect_t holder = apple_dext_connect_with_root("right", 3, 0, 0);
	io_connect_t other = apple_dext_connect_with_root("right", 3, 0, 0);
	AppleDextInterruptNotify *notify;
	unsigned char block[64];
	uint64_t value;

	(void)state;
	assert_ok(apple_dext_claim(holder));
	assert_ok(apple_dext_setup_interrupts(holder, NULL));
	assert_ok(apple_dext_interrupt_notify_create_into(holder, no_interrupt, NULL, &notify));
	sem_init(&status_came, 0, 0);
	assert_ok(apple_dext_interrupt_notify_set_status_handler(notify, note_status));
	assert_ok(apple_dext_remove_device(other));
	while (sem_wait(&status_came) != 0)
		;
	assert_fails(atomic_load(&last_status), kIOReturnOffline);
	assert_fails(apple_dext_interrupt_notify_rearm(notify), kIOReturnOffline);
	apple_dext_interrupt_notify_destroy(notify);
	assert_ok(apple_dext_config_read(holder, 0, 4, &value));
	assert_int_equal(value, UINT32_MAX);
	assert_ok(apple_dext_config_read(holder, 2, 2, &value));
	assert_int_equal(value, UINT16_MAX);
	assert_ok(apple_dext_config_read_block(holder, 0, block, sizeof(block)));
	for (size_t i = 0; i < sizeof(block); i++)
		assert_int_equal(block[i], 0xff);
	assert_fails(apple_dext_config_write(holder, 4, 2, 0), kIOReturnOffline);
	assert_fails(apple_dext_mmio_read(holder, 0, 0, 4, &value), kIOReturnOffline);
	assert_fails(apple_dext_reset_device(holder), kIOReturnOffline);
	assert_fails(apple_dext_remove_device(holder), kIOReturnOffline);
	assert_int_equal(apple_dext_connect_with_root("right", 3, 0, 0), IO_OBJECT_NULL);
	apple_dext_disconnect(holder);
	apple_dext_disconnect(other);
	/* The address is no longer ambiguous. */
	other = apple_dext_connect(3, 0, 0);
	assert_int_not_equal(other, IO_OBJECT_NULL);
	apple_dext_disconnect(other);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=1M",
		"nvme,addr=02:00.0,size=1M,dma=dart,dma-bytes=2G", "nvme,addr=left/03:00.0,size=1M",
		"nvme,addr=right/03:00.0,size=1M", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_stray_output, rig_await_idle),
		cmocka_unit_test_setup(test_segments, rig_await_idle),
		cmocka_unit_test_setup(test_the_largest_region, rig_await_idle),
		cmocka_unit_test_setup(test_rollback, rig_await_idle),
		cmocka_unit_test_setup(test_batches, rig_await_idle),
		cmocka_unit_test_setup(test_descriptors, rig_await_idle),
		cmocka_unit_test_setup(test_refused_descriptors, rig_await_idle),
		cmocka_unit_test_setup(test_batches_of_descriptors, rig_await_idle),
		cmocka_unit_test_setup(test_clients, rig_await_idle),
		cmocka_unit_test_setup(test_trigger, rig_await_idle),
		cmocka_unit_test_setup(test_eventfds_of_vectors, rig_await_idle),
		cmocka_unit_test_setup(test_what_is_no_eventfd, rig_await_idle),
		cmocka_unit_test_setup(test_a_full_eventfd_holds_up_nobody, rig_await_idle),
		cmocka_unit_test_setup(test_eventfds_end_with_the_connection, rig_await_idle),
		cmocka_unit_test_setup(test_trace, rig_await_idle),
		cmocka_unit_test_setup(test_roots, rig_await_idle),
		cmocka_unit_test_setup(test_config_blocks, rig_await_idle),
		cmocka_unit_test_setup(test_config_block_arguments, rig_await_idle),
		cmocka_unit_test_setup(test_removal, rig_await_idle),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
