/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Usage: test-device nvme|edu|net BUS:DEVICE.FUNCTION
 *
 * Every function of the client library against one device of the driver service at
 * $DEXT_SOCKET. Nothing here knows whether the device is software or physical: what differs
 * between the two is a fault of one of them. The device's data is overwritten.
 */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/irq-listener.h"
#include "tests/lib/nvme-host.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define assert_ok(call)		 assert_int_equal((call), kIOReturnSuccess)
#define assert_fails(call, code) assert_int_equal((call), (code))

#define IOVA	    UINT64_C(0x1000000) /* within the 28 bits that an edu device has */
#define MEMORY_SIZE (UINT64_C(1) << 20)

static enum { NVME, EDU, NET } kind;
static uint8_t bus, slot, function;

/* A connection and memory for DMA, created for each test. */
static struct {
	io_connect_t connection;
	uint8_t *memory;
	int fd;
} rig;

static io_connect_t connect_device(void)
{
	io_connect_t connection = apple_dext_connect(bus, slot, function);

	assert_string_equal(apple_dext_last_error(), "");
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	return connection;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

/* The service completes a disconnect asynchronously. */
static int setup(void **state)
{
	AppleDextStatus status;

	(void)state;
	rig.connection = connect_device();
	for (unsigned i = 0; i < 1000; i++, nap()) {
		assert_ok(apple_dext_get_status(rig.connection, &status));
		if (status.clients == 1)
			break;
	}
	rig.fd = memfd_create("test-device", MFD_CLOEXEC);
	assert_true(rig.fd >= 0 && ftruncate(rig.fd, MEMORY_SIZE) == 0);
	rig.memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, rig.fd, 0);
	assert_ptr_not_equal(rig.memory, MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	apple_dext_disconnect(rig.connection);
	munmap(rig.memory, MEMORY_SIZE);
	close(rig.fd);
	return 0;
}

static void test_identity(void **state)
{
	AppleDextIdentity identity;
	AppleDextDevice *devices;
	uint64_t id, class;
	size_t count, found = 0;

	(void)state;
	assert_ok(apple_dext_get_identity(rig.connection, &identity));
	assert_int_equal(identity.bus, bus);
	assert_int_equal(identity.device, slot);
	assert_int_equal(identity.function, function);
	assert_ok(apple_dext_config_read(rig.connection, 0, 4, &id));
	assert_int_equal(identity.vendor_id | (uint32_t)identity.device_id << 16, id);
	assert_ok(apple_dext_config_read(rig.connection, 8, 4, &class));
	assert_int_equal(identity.class_code, class >> 8);
	assert_ok(apple_dext_copy_bound_devices(&devices, &count));
	for (size_t i = 0; i < count; i++)
		found += devices[i].identity.bus == bus && devices[i].identity.device == slot &&
			 devices[i].identity.function == function && !*devices[i].root;
	assert_int_equal(found, 1);
	apple_dext_free_bound_devices(devices);
}

static void test_config(void **state)
{
	uint8_t block[256];
	uint64_t value, command;

	(void)state;
	assert_ok(apple_dext_config_read_block(rig.connection, 0, block, sizeof(block)));
	for (unsigned offset = 0x40; offset < sizeof(block); offset += 4) {
		assert_ok(apple_dext_config_read(rig.connection, offset, 1, &value));
		assert_int_equal(value, block[offset]);
	}
	assert_fails(apple_dext_config_read(rig.connection, 1, 2, &value), kIOReturnNotAligned);
	assert_fails(apple_dext_config_read(rig.connection, 0, 3, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_read(rig.connection, 4096, 4, &value), kIOReturnBadArgument);
	assert_fails(apple_dext_config_write(rig.connection, 4, 2, 0), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_config_read(rig.connection, 4, 2, &command));
	assert_int_equal(command & 6, 6); /* a claim enables memory space and bus mastering */
	assert_ok(apple_dext_config_write(rig.connection, 4, 2, command & ~UINT64_C(4)));
	assert_ok(apple_dext_config_read(rig.connection, 4, 2, &value));
	assert_int_equal(value & 6, 2);
	assert_ok(apple_dext_config_write(rig.connection, 4, 2, command));
	/* Identification is read-only. */
	assert_ok(apple_dext_config_read(rig.connection, 0, 4, &value));
	assert_ok(apple_dext_config_write(rig.connection, 0, 4, 0));
	assert_ok(apple_dext_config_read(rig.connection, 0, 4, &command));
	assert_int_equal(value, command);
}

/* A register whose value does not change, for each device. */
static uint64_t steady_register(void)
{
	return kind == NVME ? 0x08 : kind == EDU ? 0x00 : 0x00; /* VS; identification; CTRL */
}

static void test_bars(void **state)
{
	uint64_t size, value;
	uint8_t index, type, memory_index = 0;

	(void)state;
	for (uint8_t bar = 0; bar < 6; bar++) {
		kern_return_t status =
			apple_dext_get_bar_info(rig.connection, bar, &index, &size, &type);

		if (status == kIOReturnNotFound)
			continue;
		assert_ok(status);
		assert_int_equal(index, memory_index++);
		assert_true(size >= 4 && (size & (size - 1)) == 0);
		assert_ok(apple_dext_config_read(rig.connection, 0x10u + 4u * bar, 4, &value));
		assert_int_equal(value, type); /* address bits read as zero */
	}
	assert_true(memory_index >= 1);
	assert_fails(
		apple_dext_get_bar_info(rig.connection, 6, NULL, NULL, NULL), kIOReturnBadArgument);
	assert_fails(apple_dext_mmio_read(rig.connection, 0, 0, 4, &value), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_get_bar_info(rig.connection, 0, &index, &size, NULL));
	assert_ok(apple_dext_mmio_read(rig.connection, index, steady_register(), 4, &value));
	assert_int_not_equal(value, UINT32_MAX);
	assert_fails(
		apple_dext_mmio_read(rig.connection, index, size, 4, &value), kIOReturnBadArgument);
	assert_fails(
		apple_dext_mmio_read(rig.connection, index, 2, 4, &value), kIOReturnNotAligned);
	assert_fails(apple_dext_mmio_read(rig.connection, memory_index, 0, 4, &value),
		kIOReturnNotFound);
}

/* A mapped BAR has the same values as calls; a BAR that cannot be mapped is accessed by calls. */
static void test_mapped_bar(void **state)
{
	mach_vm_address_t address;
	mach_vm_size_t size;
	uint64_t value;
	kern_return_t status;

	(void)state;
	assert_fails(
		apple_dext_map_bar(rig.connection, 0, &address, &size, NULL), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(rig.connection));
	status = apple_dext_map_bar(rig.connection, 0, &address, &size, NULL);
	if (status == kIOReturnNotReady)
		skip();
	assert_ok(status);
	assert_ok(apple_dext_mmio_read(rig.connection, 0, steady_register(), 4, &value));
	assert_int_equal(*(volatile uint32_t *)(uintptr_t)(address + steady_register()), value);
	assert_ok(apple_dext_unmap_bar(rig.connection, 0, address));
}

static void test_dma_regions(void **state)
{
	AppleDextSegment segments[4];
	AppleDextRegionInfo *regions;
	AppleDextDMALimits before, after;
	uint64_t address, length, word;
	size_t count = 4;

	(void)state;
	assert_fails(apple_dext_register_dma(rig.connection, IOVA, (uintptr_t)rig.memory,
			     MEMORY_SIZE, &address, &length),
		kIOReturnNotOpen);
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_get_dma_limits(rig.connection, &before));
	assert_ok(apple_dext_register_dma(
		rig.connection, IOVA, (uintptr_t)rig.memory, MEMORY_SIZE, &address, &length));
	assert_int_equal(length, MEMORY_SIZE);
	if (before.kind == DEXT_IOMMU_IDENTITY)
		assert_int_equal(address, IOVA);
	assert_ok(apple_dext_get_dma_limits(rig.connection, &after));
	assert_int_equal(after.bytes_used - before.bytes_used, MEMORY_SIZE);
	assert_fails(apple_dext_register_dma(
			     rig.connection, IOVA, (uintptr_t)rig.memory, MEMORY_SIZE, NULL, NULL),
		kIOReturnStillOpen);
	memcpy(rig.memory + MEMORY_SIZE - 8, "\1\2\3\4\5\6\7\10", 8);
	assert_ok(apple_dext_probe_dma(rig.connection, IOVA, MEMORY_SIZE - 8, &word));
	assert_int_equal(word, 0x0807060504030201);
	assert_fails(apple_dext_probe_dma(rig.connection, IOVA, MEMORY_SIZE - 7, &word),
		kIOReturnOverrun);
	assert_fails(
		apple_dext_probe_dma(rig.connection, IOVA + 4096, 0, &word), kIOReturnNotFound);
	assert_ok(apple_dext_copy_dma_regions(rig.connection, &regions, &count));
	assert_int_equal(count, 1);
	assert_int_equal(regions[0].iova, IOVA);
	assert_int_equal(regions[0].bus_address, address);
	free(regions);
	assert_ok(apple_dext_unregister_dma(rig.connection, IOVA));
	assert_fails(apple_dext_unregister_dma(rig.connection, IOVA), kIOReturnNotFound);
	count = 4;
	assert_ok(apple_dext_register_dma_segments(
		rig.connection, IOVA, (uintptr_t)rig.memory, MEMORY_SIZE, segments, &count));
	assert_int_equal(count, 1);
	assert_ok(apple_dext_unregister_dma_segments(rig.connection, IOVA, MEMORY_SIZE));
	assert_ok(apple_dext_get_dma_limits(rig.connection, &after));
	assert_int_equal(after.bytes_used, before.bytes_used);
}

static void test_dma_batch(void **state)
{
	AppleDextDMARequest requests[8];
	AppleDextDMAResult results[8];
	kern_return_t statuses[8];
	uint64_t iovas[8];

	(void)state;
	assert_ok(apple_dext_claim(rig.connection));
	for (size_t i = 0; i < 8; i++) {
		iovas[i] = IOVA + i * 0x10000;
		requests[i] = (AppleDextDMARequest){ iovas[i], (uintptr_t)rig.memory + i * 0x10000,
			0x10000 };
	}
	requests[7].iova = iovas[0]; /* in use */
	assert_ok(apple_dext_register_dma_batch(rig.connection, requests, 8, results));
	for (size_t i = 0; i < 7; i++)
		assert_ok(results[i].status);
	assert_fails(results[7].status, kIOReturnStillOpen);
	assert_ok(apple_dext_unregister_dma_batch(rig.connection, iovas, 8, statuses));
	for (size_t i = 0; i < 7; i++)
		assert_ok(statuses[i]);
	assert_fails(statuses[7], kIOReturnNotFound);
}

static void test_dma_buffer(void **state)
{
	AppleDextDMABuffer buffer, second;

	(void)state;
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_allocate_dma_buffer(rig.connection, 65536, 0, &buffer));
	assert_true(buffer.size >= 65536 && buffer.bus_length >= 65536);
	memset((void *)(uintptr_t)buffer.address, 0xa5, 65536);
	assert_fails(apple_dext_allocate_dma_buffer(rig.connection, 4096, 0, &second),
		kIOReturnStillOpen);
	assert_ok(apple_dext_free_dma_buffer(rig.connection, &buffer));
}

static void test_interrupts(void **state)
{
	const uint64_t none[4] = { 0 }, all[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	mach_vm_address_t address;
	struct irq_listener listener;
	uint32_t vectors;
	uint64_t pending[4];

	(void)state;
	assert_fails(apple_dext_setup_interrupts(rig.connection, &vectors), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(rig.connection));
	assert_fails(apple_dext_read_pending_irqs(rig.connection, pending), kIOReturnNotReady);
	assert_ok(apple_dext_setup_interrupts(rig.connection, &vectors));
	assert_true(vectors >= 1 && vectors <= 256);
	assert_fails(apple_dext_setup_interrupts(rig.connection, NULL), kIOReturnStillOpen);
	assert_true(irq_listen(&listener, rig.connection));
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	assert_true(irq_wait_one(&listener, 0));
	assert_ok(apple_dext_trigger_interrupt(rig.connection, vectors - 1));
	assert_true(irq_wait_one(&listener, vectors - 1));
	assert_fails(apple_dext_trigger_interrupt(rig.connection, vectors), kIOReturnBadArgument);
	irq_listen_end(&listener);
	/* An interrupt of a disabled vector is dropped. */
	assert_ok(apple_dext_set_irq_mask(rig.connection, none));
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	for (unsigned i = 0; i < 20; i++)
		nap();
	assert_ok(apple_dext_read_pending_irqs(rig.connection, pending));
	assert_memory_equal(pending, none, sizeof(none));
	assert_ok(apple_dext_set_irq_mask(rig.connection, all));
	assert_ok(apple_dext_map_irq_state(rig.connection, &address));
	assert_ok(apple_dext_unmap_irq_state(rig.connection, address));
}

/* Wait for a signal of an eventfd, and take it. */
static bool signalled(int fd)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	eventfd_t count;

	return poll(&entry, 1, 60000) == 1 && eventfd_read(fd, &count) == 0;
}

/* False for a device with INTx alone. */
static bool connect_eventfds(const int *fds, unsigned count)
{
	kern_return_t status;

	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_setup_interrupts(rig.connection, NULL));
	status = apple_dext_set_interrupt_eventfds(rig.connection, 0, count, fds);
	if (status != kIOReturnUnsupported)
		assert_ok(status);
	return status == kIOReturnSuccess;
}

static void test_eventfds(void **state)
{
	const uint64_t none[4] = { 0 }, all[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct irq_listener listener;
	uint64_t pending[4];
	eventfd_t count;

	(void)state;
	if (!connect_eventfds(&fd, 1)) {
		close(fd);
		skip();
	}
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	assert_true(signalled(fd));
	assert_ok(apple_dext_read_pending_irqs(rig.connection, pending));
	assert_memory_equal(pending, none, sizeof(none));
	/* Masked, it is dropped; without an eventfd it is pending. */
	assert_ok(apple_dext_set_irq_mask(rig.connection, none));
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	for (unsigned i = 0; i < 20; i++)
		nap();
	assert_ok(apple_dext_set_irq_mask(rig.connection, all));
	assert_int_equal(eventfd_read(fd, &count), -1);
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	assert_true(signalled(fd));
	assert_ok(apple_dext_set_interrupt_eventfds(rig.connection, 0, 1, NULL));
	assert_true(irq_listen(&listener, rig.connection));
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	assert_true(irq_wait_one(&listener, 0));
	irq_listen_end(&listener);
	assert_int_equal(eventfd_read(fd, &count), -1);
	close(fd);
}

/*
 * With $DEXT_STOP, the PID of the driver service: the kernel signals the eventfd while that is
 * stopped. For a physical edu device, whose interrupt is raised by a store.
 */
static void test_eventfds_without_the_driver(void **state)
{
	const char *pid = getenv("DEXT_STOP");
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	volatile uint32_t *registers;
	mach_vm_address_t address;
	mach_vm_size_t size;
	bool done;

	(void)state;
	if (!pid || kind != EDU) {
		close(fd);
		skip();
	}
	assert_true(connect_eventfds(&fd, 1));
	assert_ok(apple_dext_map_bar(rig.connection, 0, &address, &size, NULL));
	registers = (volatile uint32_t *)(uintptr_t)address;
	assert_int_equal(kill((pid_t)atoi(pid), SIGSTOP), 0);
	registers[0x60 / 4] = 1; /* raise */
	done = signalled(fd);
	registers[0x64 / 4] = 1; /* acknowledge */
	assert_int_equal(kill((pid_t)atoi(pid), SIGCONT), 0);
	assert_true(done);
	assert_ok(apple_dext_unmap_bar(rig.connection, 0, address));
	close(fd);
}

/* Interrupts and DMA regions survive a reset, and config space is restored. */
static void test_reset(void **state)
{
	uint64_t before, after, word;
	struct irq_listener listener;
	kern_return_t status;

	(void)state;
	assert_fails(apple_dext_reset_device(rig.connection), kIOReturnNotOpen);
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_setup_interrupts(rig.connection, NULL));
	assert_true(irq_listen(&listener, rig.connection));
	assert_ok(apple_dext_register_dma(
		rig.connection, IOVA, (uintptr_t)rig.memory, MEMORY_SIZE, NULL, NULL));
	assert_ok(apple_dext_config_read(rig.connection, 4, 2, &before));
	status = apple_dext_reset_device(rig.connection);
	if (status == kIOReturnUnsupported) {
		irq_listen_end(&listener);
		skip(); /* it has no kind of reset */
	}
	assert_ok(status);
	assert_ok(apple_dext_config_read(rig.connection, 4, 2, &after));
	assert_int_equal(before, after);
	assert_ok(apple_dext_probe_dma(rig.connection, IOVA, 0, &word));
	assert_ok(apple_dext_trigger_interrupt(rig.connection, 0));
	assert_true(irq_wait_one(&listener, 0));
	irq_listen_end(&listener);
}

static void test_claims(void **state)
{
	io_connect_t other = connect_device();
	AppleDextClientInfo *clients;
	AppleDextStatus status;
	size_t count;

	(void)state;
	assert_ok(apple_dext_claim_exclusive(rig.connection));
	assert_ok(apple_dext_claim_exclusive(rig.connection));
	assert_fails(apple_dext_claim(other), kIOReturnExclusiveAccess);
	assert_ok(apple_dext_get_status(rig.connection, &status));
	assert_true(status.claimed_by_caller && status.claimed_exclusive);
	assert_int_equal(status.claims, 1);
	assert_int_equal(status.clients, 2);
	assert_ok(apple_dext_copy_clients(rig.connection, &clients, &count));
	assert_int_equal(count, 2);
	free(clients);
	apple_dext_disconnect(rig.connection);
	for (unsigned i = 0; i < 3000 && apple_dext_claim(other) != kIOReturnSuccess; i++)
		nap();
	assert_ok(apple_dext_claim(other));
	rig.connection = other;
}

/* Blocks are written to the disk and read back by DMA, with interrupts. */
static void test_nvme_transfers(void **state)
{
	static struct nvme_host host;
	struct irq_listener listener;

	(void)state;
	if (kind != NVME)
		skip();
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_setup_interrupts(rig.connection, NULL));
	assert_true(nvme_host_start(&host, rig.connection, NVME_HOST_CALLS, IOVA));
	assert_true(irq_listen(&listener, rig.connection));
	for (unsigned i = 0; i < 64; i++) {
		memset(host.memory + NVME_HOST_DATA, (int)i + 1, 8192);
		assert_true(nvme_host_transfer(&host, true, i * 16, 0, 8192));
		assert_true(irq_wait_one(&listener, 1));
	}
	for (unsigned i = 0; i < 64; i++) {
		memset(host.memory + NVME_HOST_DATA, 0, 8192);
		assert_true(nvme_host_transfer(&host, false, i * 16, 0, 8192));
		assert_int_equal(host.memory[NVME_HOST_DATA], i + 1);
		assert_int_equal(host.memory[NVME_HOST_DATA + 8191], i + 1);
	}
	irq_listen_end(&listener);
	nvme_host_stop(&host);
}

/* The edu device's registers. */
enum {
	EDU_DMA_SOURCE = 0x80,
	EDU_DMA_DESTINATION = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98
};
#define EDU_BUFFER	 0x40000u
#define EDU_START	 1u
#define EDU_TO_MEMORY	 2u
#define EDU_TRANSFER_MAX 4096u

static void edu_start(io_connect_t connection, uint64_t bus_address)
{
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_SOURCE, 4, EDU_BUFFER));
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_DESTINATION, 4, bus_address));
	assert_ok(apple_dext_mmio_write(connection, 0, EDU_DMA_COUNT, 4, EDU_TRANSFER_MAX));
	assert_ok(apple_dext_mmio_write(
		connection, 0, EDU_DMA_COMMAND, 4, EDU_START | EDU_TO_MEMORY));
}

static void edu_wait(io_connect_t connection)
{
	uint64_t command = EDU_START;

	for (unsigned i = 0; i < 1000 && (command & EDU_START); i++, nap())
		assert_ok(apple_dext_mmio_read(connection, 0, EDU_DMA_COMMAND, 4, &command));
	assert_int_equal(command & EDU_START, 0);
}

static bool memory_is(const uint8_t *memory, uint8_t value)
{
	for (size_t i = 0; i < MEMORY_SIZE; i++)
		if (memory[i] != value)
			return false;
	return true;
}

/* An address in a region that has been unregistered. */
#define STALE_IOVA (IOVA + MEMORY_SIZE / 2)

static void register_half(void)
{
	assert_ok(apple_dext_register_dma(rig.connection, STALE_IOVA,
		(uintptr_t)rig.memory + MEMORY_SIZE / 2, MEMORY_SIZE / 2, NULL, NULL));
	assert_ok(apple_dext_unregister_dma(rig.connection, STALE_IOVA));
	assert_ok(apple_dext_register_dma(
		rig.connection, IOVA, (uintptr_t)rig.memory, MEMORY_SIZE / 2, NULL, NULL));
}

/* Check the driver's count of DMA faults, where the host reports them. */
static void assert_counted(uint64_t faults_before)
{
	AppleDextStatus status;

	assert_ok(apple_dext_get_status(rig.connection, &status));
	if (faults_before == UINT64_MAX)
		assert_true(status.dma_faults == UINT64_MAX);
	else
		assert_true(status.dma_faults > faults_before);
}

/* A transfer to an unmapped address has no effect, and the device works afterwards. */
static void test_edu_unmapped_dma(void **state)
{
	AppleDextStatus before;

	(void)state;
	if (kind != EDU)
		skip();
	assert_ok(apple_dext_claim(rig.connection));
	register_half();
	assert_ok(apple_dext_get_status(rig.connection, &before));
	memset(rig.memory, 0xa5, MEMORY_SIZE);
	edu_start(rig.connection, STALE_IOVA);
	edu_wait(rig.connection);
	assert_true(memory_is(rig.memory, 0xa5));
	assert_counted(before.dma_faults);
	edu_start(rig.connection, IOVA);
	edu_wait(rig.connection);
	assert_int_not_equal(memcmp(rig.memory, rig.memory + MEMORY_SIZE / 2, EDU_TRANSFER_MAX), 0);
}

/*
 * The same for a controller, which may report a Data Transfer Error (NVMe 1.4, 4.6.1.2.1); QEMU's
 * reports success.
 */
static void test_nvme_unmapped_dma(void **state)
{
	static struct nvme_host host;
	const uint64_t hole = IOVA + 0x400000;
	const struct nvme_command identify = {
		.opcode = NVME_ADMIN_IDENTIFY, .prp1 = hole, .cdw10 = 1
	};
	struct nvme_completion completion;
	AppleDextStatus before;

	(void)state;
	if (kind != NVME)
		skip();
	assert_ok(apple_dext_claim(rig.connection));
	assert_ok(apple_dext_setup_interrupts(rig.connection, NULL));
	assert_true(nvme_host_start(&host, rig.connection, NVME_HOST_CALLS, IOVA));
	assert_ok(apple_dext_get_status(rig.connection, &before));
	assert_true(nvme_ctrl_run(&host.ctrl, &host.ctrl.admin, identify, &completion));
	assert_true(nvme_ctrl_status(&completion) == NVME_OK ||
		    nvme_ctrl_status(&completion) == NVME_DATA_TRANSFER_ERROR);
	assert_counted(before.dma_faults);
	assert_true(nvme_host_transfer(&host, true, 0, 0, 8192));
	nvme_host_stop(&host);
}

/* In a child: start transfers repeatedly until it is killed. */
static void begin_and_die(void)
{
	static struct nvme_host host;
	io_connect_t connection = connect_device();

	assert_ok(apple_dext_claim(connection));
	assert_ok(apple_dext_register_dma(
		connection, IOVA, (uintptr_t)rig.memory, MEMORY_SIZE, NULL, NULL));
	if (kind == EDU)
		edu_start(connection, IOVA);
	if (kind == NVME) {
		assert_ok(apple_dext_setup_interrupts(connection, NULL));
		assert_true(nvme_host_start(&host, connection, NVME_HOST_CALLS, 2 * IOVA));
		for (unsigned i = 0; i < host.quiet.size - 1; i++)
			nvme_ctrl_put(&host.ctrl, &host.quiet,
				nvme_ctrl_rw(NVME_IO_READ, 8 * i, 8, IOVA + i * 4096, 0));
		nvme_ctrl_submit(&host.ctrl, &host.quiet);
	}
	raise(SIGKILL);
}

/*
 * A client is killed while its device writes to its memory: when all its resources have been
 * released, the memory does not change any more.
 */
static void test_killed_in_transfer(void **state)
{
	uint8_t *before = malloc(MEMORY_SIZE);
	AppleDextStatus status;
	int how;
	pid_t child;

	(void)state;
	if (kind == NET)
		skip();
	memset(rig.memory, 0xa5, MEMORY_SIZE);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		begin_and_die();
		_exit(1);
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
	do {
		nap();
		assert_ok(apple_dext_get_status(rig.connection, &status));
	} while (status.clients > 1);
	assert_int_equal(status.dma_regions, 0);
	assert_int_equal(status.dma_bytes, 0);
	memcpy(before, rig.memory, MEMORY_SIZE);
	for (unsigned i = 0; i < 50; i++)
		nap(); /* longer than a transfer takes */
	assert_memory_equal(before, rig.memory, MEMORY_SIZE);
	free(before);
	assert_ok(apple_dext_claim(rig.connection));
}

static void usage(void)
{
	fprintf(stderr, "usage: test-device nvme|edu|net BUS:DEVICE.FUNCTION\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bars, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mapped_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dma_regions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dma_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dma_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_eventfds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_eventfds_without_the_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nvme_transfers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edu_unmapped_dma, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nvme_unmapped_dma, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_in_transfer, setup, teardown),
	};
	static const char *const kinds[] = { "nvme", "edu", "net" };
	unsigned b, d, f, i = 0;

	if (argc != 3 || sscanf(argv[2], "%x:%x.%x", &b, &d, &f) != 3)
		usage();
	while (i < 3 && strcmp(argv[1], kinds[i]) != 0)
		i++;
	if (i == 3)
		usage();
	kind = i;
	bus = (uint8_t)b;
	slot = (uint8_t)d;
	function = (uint8_t)f;
	return cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
}
