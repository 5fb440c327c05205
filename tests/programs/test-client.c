/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client library: every function succeeds at least once and fails at least once with the code
 * of the ABI, over a socket and in-process.
 */
#include "common/dma-span.h"
#include "tests/lib/asserts.h"
#include "tests/lib/nvme-host.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct rig rig;

/* Shared memory, as of a VMM. */
static void *shared_memory(size_t size, int *fd)
{
	void *memory;

	*fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, (off_t)size), 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void test_connect(void **state)
{
	io_connect_t connection = connect_device();

	(void)state;
	apple_dext_disconnect(connection);
	apple_dext_disconnect(IO_OBJECT_NULL);
	assert_int_equal(apple_dext_connect(9, 0, 0), IO_OBJECT_NULL);
	assert_non_null(strstr(apple_dext_last_error(), "09:00.0"));
	assert_int_equal(apple_dext_connect(1, 32, 0), IO_OBJECT_NULL);
	assert_int_equal(apple_dext_connect(1, 0, 8), IO_OBJECT_NULL);
}

static void test_identity_and_enumeration(void **state)
{
	io_connect_t connection = apple_dext_connect(2, 0x1f, 7);
	AppleDextIdentity identity;
	AppleDextDevice *devices;
	size_t count;

	(void)state;
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_get_identity(connection, &identity));
	assert_int_equal(identity.bus, 2);
	assert_int_equal(identity.device, 0x1f);
	assert_int_equal(identity.function, 7);
	assert_int_equal(identity.class_code, 0x010802);
	assert_fails(apple_dext_get_identity(connection, NULL), kIOReturnBadArgument);
	assert_fails(apple_dext_get_identity(IO_OBJECT_NULL, &identity), kIOReturnBadArgument);
	apple_dext_disconnect(connection);

	assert_ok(apple_dext_copy_bound_devices(&devices, &count));
	assert_int_equal(count, 2);
	assert_int_equal(devices[0].identity.bus, 1);
	assert_int_equal(devices[1].identity.bus, 2);
	assert_int_not_equal(devices[0].registry_entry_id, devices[1].registry_entry_id);
	apple_dext_free_bound_devices(devices);
	apple_dext_free_bound_devices(NULL);
	assert_fails(apple_dext_copy_bound_devices(NULL, &count), kIOReturnBadArgument);
}

static void test_claim(void **state)
{
	io_connect_t first = connect_device(), second = connect_device();
	AppleDextStatus status;
	uint64_t command;

	(void)state;
	assert_fails(apple_dext_claim(IO_OBJECT_NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_config_read(first, 4, 2, &command));
	assert_int_equal(command & 6, 0);
	assert_ok(apple_dext_claim(first));
	assert_ok(apple_dext_config_read(first, 4, 2, &command));
	assert_int_equal(command & 6, 6); /* memory space and bus master */
	assert_ok(apple_dext_claim(first));
	assert_ok(apple_dext_claim(second));
	do /* an earlier connection may still be closing */
		assert_ok(apple_dext_get_status(second, &status));
	while (status.clients > 2);
	assert_int_equal(status.claims, 2);
	assert_int_equal(status.clients, 2);
	assert_true(status.claimed_by_caller);
	assert_true(status.polls_bars);
	/* The client that opened the device disconnects: the claim of the other one remains. */
	apple_dext_disconnect(first);
	assert_ok(apple_dext_config_read(second, 4, 2, &command));
	assert_int_equal(command & 6, 6);
	apple_dext_disconnect(second);
	second = connect_device();
	do /* a disconnect completes asynchronously */
		assert_ok(apple_dext_config_read(second, 4, 2, &command));
	while (command & 4);
	assert_ok(apple_dext_get_status(second, &status));
	assert_int_equal(status.claims, 0);
	assert_false(status.claimed_by_caller);
	assert_fails(apple_dext_get_status(second, NULL), kIOReturnBadArgument);
	apple_dext_disconnect(second);
}

static void wait_unclaimed(io_connect_t connection)
{
	AppleDextStatus status;

	do
		assert_ok(apple_dext_get_status(connection, &status));
	while (status.claims);
}

static void test_exclusive_claim(void **state)
{
	io_connect_t first = connect_device(), second = connect_device();
	AppleDextStatus status;

	(void)state;
	wait_unclaimed(first);
	assert_ok(apple_dext_claim_exclusive(first));
	assert_ok(apple_dext_claim(first));
	assert_fails(apple_dext_claim(second), kIOReturnExclusiveAccess);
	assert_fails(apple_dext_claim_exclusive(second), kIOReturnExclusiveAccess);
	assert_ok(apple_dext_get_status(second, &status));
	assert_true(status.claimed_exclusive);
	assert_false(status.claimed_by_caller);
	apple_dext_disconnect(first);
	wait_unclaimed(second);
	assert_ok(apple_dext_claim(second));
	first = connect_device();
	assert_fails(apple_dext_claim_exclusive(first), kIOReturnExclusiveAccess);
	apple_dext_disconnect(first);
	apple_dext_disconnect(second);
}

static void test_register_dma(void **state)
{
	io_connect_t connection = connect_device();
	uint64_t address, length, word;
	uint64_t *memory;
	int fd;

	(void)state;
	memory = shared_memory(1 << 20, &fd);
	memory[1] = 0x0123456789abcdef;
	assert_fails(apple_dext_register_dma(connection, 0, (uintptr_t)memory, 4096, NULL, NULL),
		kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	assert_ok(apple_dext_register_dma(
		connection, 0x100000, (uintptr_t)memory, 1 << 20, &address, &length));
	assert_int_equal(address, 0x100000);
	assert_int_equal(length, 1 << 20);
	assert_fails(
		apple_dext_register_dma(connection, 0x100000, (uintptr_t)memory, 4096, NULL, NULL),
		kIOReturnStillOpen);
	assert_fails(
		apple_dext_register_dma(connection, 0x101000, (uintptr_t)memory, 4096, NULL, NULL),
		kIOReturnBusy);
	assert_fails(apple_dext_register_dma(connection, 0, (uintptr_t)memory, 0, NULL, NULL),
		kIOReturnBadArgument);
	assert_fails(
		apple_dext_register_dma(connection, 0, 0, 4096, NULL, NULL), kIOReturnBadArgument);
	assert_fails(apple_dext_register_dma(connection, 0, UINT64_MAX - 4095, 8192, NULL, NULL),
		kIOReturnBadArgument);
	assert_fails(apple_dext_register_dma(
			     connection, UINT64_MAX - 4095, (uintptr_t)memory, 8192, NULL, NULL),
		kIOReturnBadArgument);
	assert_fails(
		apple_dext_register_dma(IO_OBJECT_NULL, 0, (uintptr_t)memory, 4096, NULL, NULL),
		kIOReturnBadArgument);
	/* More than 128 chunks of 1.5 GiB. */
	assert_fails(apple_dext_register_dma(connection, 1ull << 40, (uintptr_t)memory,
			     128 * DEXT_CHUNK_MAX + 1, NULL, NULL),
		kIOReturnNoSpace);
	/* Memory that is not mapped, in whole or in part. */
	assert_fails(apple_dext_register_dma(connection, 1ull << 40, 4096, 4096, NULL, NULL),
		kIOReturnVMError);

	assert_ok(apple_dext_probe_dma(connection, 0x100000, 8, &word));
	assert_int_equal(word, 0x0123456789abcdef);
	assert_ok(apple_dext_probe_dma(connection, 0x100000, (1 << 20) - 8, &word));
	assert_fails(
		apple_dext_probe_dma(connection, 0x100000, (1 << 20) - 7, &word), kIOReturnOverrun);
	assert_fails(
		apple_dext_probe_dma(connection, 0x100000, UINT64_MAX, &word), kIOReturnOverrun);
	assert_fails(apple_dext_probe_dma(connection, 0x5000, 0, &word), kIOReturnNotFound);
	assert_fails(apple_dext_probe_dma(connection, 0x100000, 0, NULL), kIOReturnBadArgument);

	assert_ok(apple_dext_unregister_dma(connection, 0x100000));
	assert_fails(apple_dext_unregister_dma(connection, 0x100000), kIOReturnNotFound);
	assert_fails(apple_dext_unregister_dma(IO_OBJECT_NULL, 0), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	munmap(memory, 1 << 20);
	close(fd);
}

static void test_private_memory(void **state)
{
	io_connect_t connection = claim_device();
	uint64_t *memory = calloc(2, 4096), word;

	(void)state;
	memory[3] = 42;
	assert_ok(
		apple_dext_register_dma(connection, 0x100000, (uintptr_t)memory, 8192, NULL, NULL));
	assert_ok(apple_dext_probe_dma(connection, 0x100000, 24, &word));
	assert_int_equal(word, 42);
	memory[3] = 43;
	assert_ok(apple_dext_probe_dma(connection, 0x100000, 24, &word));
	assert_int_equal(word, 43);
	apple_dext_disconnect(connection);
	free(memory);
}

static void test_memory_that_is_truncated(void **state)
{
	io_connect_t connection = claim_device();
	uint64_t *memory, word;
	int fd;

	(void)state;
	if (rig.local)
		dma_spans_catch_faults(); /* cmocka has installed its own handlers */
	memory = shared_memory(16384, &fd);
	assert_ok(apple_dext_register_dma(
		connection, 0x100000, (uintptr_t)memory, 16384, NULL, NULL));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_fails(apple_dext_probe_dma(connection, 0x100000, 0, &word), kIOReturnDMAError);
	/* Nothing else is affected. */
	assert_int_equal(ftruncate(fd, 16384), 0);
	assert_ok(apple_dext_probe_dma(connection, 0x100000, 0, &word));
	assert_int_equal(word, 0);
	apple_dext_disconnect(connection);
	munmap(memory, 16384);
	close(fd);
}

static void test_config(void **state)
{
	io_connect_t connection = connect_device();
	unsigned char block[DEXT_CONFIG_SIZE];
	uint64_t value;

	(void)state;
	assert_ok(apple_dext_config_read(connection, 0x0b, 1, &value));
	assert_int_equal(value, 0x01);
	assert_ok(apple_dext_config_read(connection, 0x10, 4, &value));
	assert_int_equal(value, DEXT_BAR_MEM64);
	assert_ok(apple_dext_config_read(connection, 0x14, 4, &value));
	assert_int_equal(value, 0);
	assert_fails(apple_dext_config_read(connection, 0, 8, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read(connection, 0, 3, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read(connection, 0, 0, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read(connection, 4096, 1, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read(connection, 4094, 4, &value), kIOReturnBadArgument);
	assert_fails(
		apple_dext_config_read(connection, UINT64_MAX, 4, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read(connection, 2, 4, &value), kIOReturnNotAligned);
	assert_fails(apple_dext_config_read(connection, 0, 4, NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_config_read(connection, 4092, 4, &value));

	assert_fails(apple_dext_config_write(connection, 0x3c, 1, 11), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	assert_ok(apple_dext_config_write(connection, 0x3c, 1, 11));
	assert_ok(apple_dext_config_read(connection, 0x3c, 1, &value));
	assert_int_equal(value, 11);
	assert_fails(apple_dext_config_write(connection, 0x3d, 2, 0), kIOReturnNotAligned);
	assert_fails(apple_dext_config_write(connection, 0x3c, 1, 256), kIOReturnBadArgument);

	assert_ok(apple_dext_config_read_block(connection, 0, block, sizeof(block)));
	assert_int_equal(block[0x0b], 0x01);
	assert_int_equal(block[0x3c], 11);
	assert_ok(apple_dext_config_read_block(connection, 9, block, 3));
	assert_memory_equal(block, "\x02\x08\x01", 3);
	assert_ok(apple_dext_config_read_block(connection, 4096, block, 0));
	assert_fails(
		apple_dext_config_read_block(connection, 4095, block, 2), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read_block(connection, UINT64_MAX, block, 2),
		kIOReturnBadArgument);
	assert_fails(apple_dext_config_read_block(connection, 0, NULL, 2), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
}

static void test_bars(void **state)
{
	io_connect_t connection = connect_device();
	mach_vm_address_t address;
	mach_vm_size_t mapped;
	uint8_t index, type;
	uint64_t size, value;

	(void)state;
	assert_ok(apple_dext_get_bar_info(connection, 0, &index, &size, &type));
	assert_int_equal(index, 0);
	assert_int_equal(type, DEXT_BAR_MEM64);
	assert_true(size >= 16384);
	assert_ok(apple_dext_get_bar_info(connection, 0, NULL, NULL, NULL));
	assert_fails(apple_dext_get_bar_info(connection, 1, NULL, NULL, NULL), kIOReturnNotFound);
	assert_fails(apple_dext_get_bar_info(connection, 5, NULL, NULL, NULL), kIOReturnNotFound);
	assert_fails(
		apple_dext_get_bar_info(connection, 6, NULL, NULL, NULL), kIOReturnBadArgument);

	assert_fails(apple_dext_map_bar(connection, 0, &address, &mapped, NULL), kIOReturnNotOpen);
	assert_fails(apple_dext_mmio_read(connection, 0, 0, 4, &value), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	assert_ok(apple_dext_map_bar(connection, 0, &address, &mapped, &type));
	assert_int_equal(mapped, size);
	assert_fails(apple_dext_map_bar(connection, 1, &address, &mapped, NULL), kIOReturnNotFound);
	assert_fails(apple_dext_map_bar(connection, 0, NULL, &mapped, NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_mmio_read(connection, 0, 8, 4, &value));
	assert_int_equal(value, 0x00010400); /* NVMe 1.4, by a call and by a load */
	assert_int_equal(*(volatile uint32_t *)(address + 8), 0x00010400);
	assert_fails(apple_dext_unmap_bar(connection, 0, address + 4096), kIOReturnBadArgument);
	assert_ok(apple_dext_unmap_bar(connection, 0, address));
	assert_fails(apple_dext_unmap_bar(connection, 0, address), kIOReturnBadArgument);
	assert_fails(apple_dext_unmap_bar(connection, 6, address), kIOReturnBadArgument);

	assert_fails(apple_dext_mmio_read(connection, 1, 0, 4, &value), kIOReturnNotFound);
	assert_fails(apple_dext_mmio_read(connection, 0, size, 4, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_mmio_read(connection, 0, UINT64_MAX - 3, 4, &value),
		kIOReturnBadArgument);
	assert_fails(apple_dext_mmio_read(connection, 0, 0, 3, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_mmio_read(connection, 0, 2, 4, &value), kIOReturnNotAligned);
	assert_fails(apple_dext_mmio_read(connection, 0, 0, 4, NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_mmio_write(connection, 0, 0x28, 8, 0x1234000)); /* ASQ */
	assert_ok(apple_dext_mmio_read(connection, 0, 0x28, 8, &value));
	assert_int_equal(value, 0x1234000);
	assert_fails(apple_dext_mmio_write(connection, 0, 0x2a, 4, 0), kIOReturnNotAligned);
	assert_fails(apple_dext_mmio_write(connection, 3, 0, 4, 0), kIOReturnNotFound);
	apple_dext_disconnect(connection);
}

static kern_return_t memory_status(io_connect_t connection, uint32_t memory_type)
{
	kern_return_t status = kIOReturnError;

	assert_ok(apple_dext_get_memory_status(connection, memory_type, &status));
	return status;
}

/* Whether memory can be mapped is asked: that needs nothing, and maps nothing. */
static void test_memory_status(void **state)
{
	io_connect_t connection = connect_device();
	mach_vm_address_t address;
	mach_vm_size_t size;
	kern_return_t status;

	(void)state;
	assert_fails(memory_status(connection, DEXT_MEMORY_BAR0), kIOReturnNotOpen);
	assert_fails(memory_status(connection, DEXT_MEMORY_IRQ_STATE), kIOReturnNotReady);
	assert_fails(apple_dext_map_bar(connection, 0, &address, &size, NULL), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	assert_ok(memory_status(connection, DEXT_MEMORY_BAR0));
	assert_fails(memory_status(connection, DEXT_MEMORY_BAR0 + 2), kIOReturnNotReady);
	assert_fails(memory_status(connection, UINT32_MAX), kIOReturnUnsupported);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	assert_ok(memory_status(connection, DEXT_MEMORY_IRQ_STATE));
	assert_fails(apple_dext_get_memory_status(connection, DEXT_MEMORY_BAR0, NULL),
		kIOReturnBadArgument);
	assert_fails(apple_dext_get_memory_status(IO_OBJECT_NULL, DEXT_MEMORY_BAR0, &status),
		kIOReturnBadArgument);
	/* A mapped BAR would be in the way of this. */
	assert_ok(apple_dext_claim_exclusive(connection));
	apple_dext_disconnect(connection);
}

static void test_dma_buffer(void **state)
{
	io_connect_t connection = connect_device();
	AppleDextDMABuffer buffer, other;
	mach_vm_address_t address, freed;
	mach_vm_size_t size;

	(void)state;
	assert_fails(
		apple_dext_allocate_dma_buffer(connection, 4096, 0, &buffer), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	/* The code does not tell no memory from an unknown type: the driver does. */
	assert_fails(IOConnectMapMemory64(connection, DEXT_MEMORY_DMA_BUFFER, mach_task_self(),
			     &address, &size, kIOMapAnywhere),
		kIOReturnBadArgument);
	assert_fails(IOConnectMapMemory64(connection, DEXT_MEMORY_TYPES, mach_task_self(), &address,
			     &size, kIOMapAnywhere),
		kIOReturnBadArgument);
	assert_fails(memory_status(connection, DEXT_MEMORY_DMA_BUFFER), kIOReturnNotReady);
	assert_fails(memory_status(connection, DEXT_MEMORY_TYPES), kIOReturnUnsupported);
	assert_fails(
		apple_dext_allocate_dma_buffer(connection, 0, 0, &buffer), kIOReturnBadArgument);
	assert_fails(
		apple_dext_allocate_dma_buffer(connection, 4096, 3, &buffer), kIOReturnBadArgument);
	assert_fails(
		apple_dext_allocate_dma_buffer(connection, 4096, 0, NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_allocate_dma_buffer(connection, 5000, 1 << 20, &buffer));
	assert_true(buffer.size >= 5000);
	assert_int_equal(buffer.bus_address % (1 << 20), 0);
	assert_int_equal(buffer.segments, 1);
	memset((void *)buffer.address, 0x5a, buffer.size);
	assert_ok(memory_status(connection, DEXT_MEMORY_DMA_BUFFER));
	freed = buffer.address;
	assert_fails(
		apple_dext_allocate_dma_buffer(connection, 4096, 0, &other), kIOReturnStillOpen);
	assert_ok(apple_dext_free_dma_buffer(connection, &buffer));
	/* Once the driver has freed it, IOKit would not unmap it any more. */
	assert_int_equal(msync((void *)freed, 4096, MS_ASYNC), -1);
	assert_fails(apple_dext_free_dma_buffer(connection, &buffer), kIOReturnNotFound);
	assert_fails(apple_dext_free_dma_buffer(connection, NULL), kIOReturnBadArgument);
	apple_dext_disconnect(connection);
}

static void test_data(void **state)
{
	const enum nvme_host_access ways[] = { NVME_HOST_CALLS, NVME_HOST_MAPPED };

	(void)state;
	for (size_t way = 0; way < 2; way++) {
		io_connect_t connection = claim_device();
		struct nvme_host host;
		uint8_t *data;

		assert_true(nvme_host_start(&host, connection, ways[way], 0x10000000));
		data = host.memory + NVME_HOST_DATA;
		for (uint32_t i = 0; i < 8192; i++)
			data[i] = (uint8_t)(i * 31 + (uint32_t)way);
		assert_true(nvme_host_transfer(&host, true, 100, 0, 8192));
		memset(data + 8192, 0, 8192);
		assert_true(nvme_host_transfer(&host, false, 100, 8192, 8192));
		assert_memory_equal(data, data + 8192, 8192);
		nvme_host_stop(&host);
		apple_dext_disconnect(connection);
	}
}

/* The last test: removes the second device. */
static void test_terminate(void **state)
{
	io_connect_t connection = apple_dext_connect(2, 0x1f, 7);
	AppleDextDevice *devices;
	uint64_t value;
	size_t count;

	(void)state;
	assert_fails(apple_dext_terminate(IO_OBJECT_NULL), kIOReturnBadArgument);
	assert_ok(apple_dext_claim(connection));
	assert_ok(apple_dext_terminate(connection));
	assert_fails(apple_dext_config_read(connection, 0, 4, &value), kIOReturnOffline);
	assert_fails(apple_dext_terminate(connection), kIOReturnOffline);
	assert_ok(apple_dext_copy_bound_devices(&devices, &count));
	assert_int_equal(count, 1);
	apple_dext_free_bound_devices(devices);
	assert_int_equal(apple_dext_connect(2, 0x1f, 7), IO_OBJECT_NULL);
	apple_dext_disconnect(connection);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=16M",
		"nvme,addr=02:1f.7,size=16M,dma=dart,block=4096", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_connect, rig_await_idle),
		cmocka_unit_test_setup(test_identity_and_enumeration, rig_await_idle),
		cmocka_unit_test_setup(test_claim, rig_await_idle),
		cmocka_unit_test_setup(test_exclusive_claim, rig_await_idle),
		cmocka_unit_test_setup(test_register_dma, rig_await_idle),
		cmocka_unit_test_setup(test_private_memory, rig_await_idle),
		cmocka_unit_test_setup(test_memory_that_is_truncated, rig_await_idle),
		cmocka_unit_test_setup(test_config, rig_await_idle),
		cmocka_unit_test_setup(test_bars, rig_await_idle),
		cmocka_unit_test_setup(test_memory_status, rig_await_idle),
		cmocka_unit_test_setup(test_dma_buffer, rig_await_idle),
		cmocka_unit_test_setup(test_data, rig_await_idle),
		cmocka_unit_test_setup(test_terminate, rig_await_idle),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
