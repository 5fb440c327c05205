/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client library with a driver of the fixed eighteen selectors: a fake in this process that
 * returns kIOReturnUnsupported for all others.
 */
#include "tests/lib/asserts.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <iokit-user/service.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The registered regions, and the number of claim calls. */
static uint64_t regions[8];
static size_t region_count;
static unsigned claims;

static kern_return_t open_client(
	void *driver, uint32_t type, struct iouser_peer *peer, void **client)
{
	(void)type, (void)peer;
	*client = driver;
	return kIOReturnSuccess;
}

static size_t find(uint64_t iova)
{
	size_t i = 0;

	while (i < region_count && regions[i] != iova)
		i++;
	return i;
}

static kern_return_t do_register(struct iouser_arguments *arguments)
{
	const uint64_t *in = arguments->scalar_input;

	if (!in[1])
		return kIOReturnBadArgument;
	if (find(in[0]) < region_count)
		return kIOReturnStillOpen;
	if (region_count == 4)
		return kIOReturnNoSpace;
	regions[region_count++] = in[0];
	arguments->scalar_output[0] = 1;
	arguments->scalar_output[1] = in[0];
	arguments->scalar_output[2] = in[2] < DEXT_CHUNK_MAX ? in[2] : DEXT_CHUNK_MAX;
	arguments->scalar_output_count = 3;
	return kIOReturnSuccess;
}

static kern_return_t do_unregister(struct iouser_arguments *arguments)
{
	size_t i = find(arguments->scalar_input[0]);

	if (i == region_count)
		return kIOReturnNotFound;
	regions[i] = regions[--region_count];
	return kIOReturnSuccess;
}

/* Interrupts: one vector, and what arms it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct iouser_completion *armed;
static unsigned waits, checks;
static bool pending;

static kern_return_t do_wait(struct iouser_arguments *arguments)
{
	pthread_mutex_lock(&lock);
	iouser_completion_release(armed);
	armed = iouser_completion_retain(arguments->completion);
	waits++;
	pthread_mutex_unlock(&lock);
	return kIOReturnSuccess;
}

static kern_return_t do_check(struct iouser_arguments *arguments)
{
	pthread_mutex_lock(&lock);
	arguments->scalar_output[0] = pending;
	arguments->scalar_output_count = DEXT_IRQ_WORDS;
	pending = false;
	checks++;
	pthread_mutex_unlock(&lock);
	return kIOReturnSuccess;
}

static void fire(kern_return_t status)
{
	pthread_mutex_lock(&lock);
	pending = true;
	iouser_async_completion(armed, status, NULL, 0);
	iouser_completion_release(armed);
	armed = NULL;
	pthread_mutex_unlock(&lock);
}

static kern_return_t method(void *client, struct iouser_arguments *arguments)
{
	(void)client;
	switch (arguments->selector) {
	case DEXT_SELECTOR_GetIdentity:
		arguments->scalar_output_count = 6; /* zeroes */
		return kIOReturnSuccess;
	case DEXT_SELECTOR_Claim:
		claims++;
		return kIOReturnSuccess;
	case DEXT_SELECTOR_ConfigRead:
		arguments->scalar_output[0] = arguments->scalar_input[0];
		arguments->scalar_output_count = 1;
		return kIOReturnSuccess;
	case DEXT_SELECTOR_RegisterDMARegion:
		return do_register(arguments);
	case DEXT_SELECTOR_UnregisterDMARegion:
		return do_unregister(arguments);
	case DEXT_SELECTOR_WaitInterrupt:
		return do_wait(arguments);
	case DEXT_SELECTOR_CheckInterrupt:
		return do_check(arguments);
	default:
		return kIOReturnUnsupported;
	}
}

/* Memory that is smaller than its type requires, if the test has created it. */
static int small_memory = -1;
static unsigned unmappings;

/* An IRQ state page without the extension. */
static int irq_state = -1;

static kern_return_t memory_for_type(void *client, uint32_t type, struct iouser_memory *memory)
{
	(void)client;
	if (small_memory >= 0)
		*memory = (struct iouser_memory){ .fd = small_memory, .size = 4096 };
	else if (irq_state >= 0 && type == DEXT_MEMORY_IRQ_STATE)
		*memory = (struct iouser_memory){ .fd = irq_state, .size = DEXT_IRQ_STATE_SIZE };
	else
		return kIOReturnUnsupported;
	return kIOReturnSuccess;
}

static void unmapped(void *client, uint32_t type)
{
	(void)client, (void)type;
	unmappings++;
}

static void closed(void *client)
{
	(void)client;
	region_count = 0;
}

static const struct iouser_class old_driver = {
	.new_user_client = open_client,
	.external_method = method,
	.copy_client_memory = memory_for_type,
	.client_unmapped = unmapped,
	.client_closed = closed,
};

static io_connect_t connection;

static void test_exclusive_claim_is_a_claim(void **state)
{
	(void)state;
	assert_ok(apple_dext_claim_exclusive(connection));
	assert_int_equal(claims, 1);
}

static void test_segments_become_regions(void **state)
{
	AppleDextSegment segments[8];
	size_t count = 8;

	(void)state;
	assert_ok(apple_dext_register_dma_segments(
		connection, 0x1000, 0x10000, 2 * DEXT_CHUNK_MAX + 4096, segments, &count));
	assert_int_equal(count, 3);
	assert_int_equal(region_count, 3);
	assert_int_equal(segments[1].bus_address, 0x1000 + DEXT_CHUNK_MAX);
	assert_int_equal(segments[2].length, 4096);
	assert_ok(
		apple_dext_unregister_dma_segments(connection, 0x1000, 2 * DEXT_CHUNK_MAX + 4096));
	assert_int_equal(region_count, 0);
	/* The fifth does not fit: the four before it are unregistered. */
	count = 8;
	assert_fails(apple_dext_register_dma_segments(
			     connection, 0x1000, 0x10000, 5 * DEXT_CHUNK_MAX, segments, &count),
		kIOReturnNoSpace);
	assert_int_equal(region_count, 0);
	count = 1;
	assert_fails(apple_dext_register_dma_segments(
			     connection, 0x1000, 0x10000, 2 * DEXT_CHUNK_MAX, segments, &count),
		kIOReturnOverrun);
	assert_int_equal(count, 2);
}

static void test_batches_become_calls(void **state)
{
	const AppleDextDMARequest requests[] = { { 1 << 20, 4096, 4096 }, { 1 << 20, 4096, 4096 },
		{ 2 << 20, 4096, 4096 } };
	const uint64_t iovas[] = { 1 << 20, 2 << 20, 3 << 20 };
	AppleDextDMAResult results[3];
	kern_return_t statuses[3];

	(void)state;
	assert_ok(apple_dext_register_dma_batch(connection, requests, 3, results));
	assert_ok(results[0].status);
	assert_fails(results[1].status, kIOReturnStillOpen);
	assert_ok(results[2].status);
	assert_int_equal(results[2].bus_address, 2 << 20);
	assert_ok(apple_dext_unregister_dma_batch(connection, iovas, 3, statuses));
	assert_ok(statuses[0]);
	assert_ok(statuses[1]);
	assert_fails(statuses[2], kIOReturnNotFound);
}

static void test_config_blocks_become_reads(void **state)
{
	const unsigned char expected[] = { 3, 4, 0, 0, 0, 8, 9 }; /* a byte, a word, two bytes */
	unsigned char got[sizeof(expected)];

	(void)state;
	assert_ok(apple_dext_config_read_block(connection, 3, got, sizeof(got)));
	assert_memory_equal(got, expected, sizeof(got));
}

static void test_descriptors_become_addresses(void **state)
{
	const AppleDextDMAFile files[] = {
		{ .iova = 1 << 20, .client_va = 4096, .size = 4096, .fd = STDIN_FILENO },
		{ .iova = 2 << 20, .size = 4096, .fd = STDIN_FILENO },
		{ .iova = 1 << 20, .client_va = 4096, .size = 4096, .fd = STDIN_FILENO },
	};
	AppleDextDMAResult results[3];
	uint64_t address = 0;

	(void)state;
	assert_ok(apple_dext_register_dma_fd(connection, 3 << 20, STDIN_FILENO, 0, 4096, 4096,
		DEXT_DMA_DEVICE_READS, &address, NULL));
	assert_int_equal(address, 3 << 20);
	assert_fails(apple_dext_register_dma_fd(connection, 4 << 20, STDIN_FILENO, 0, 0, 4096,
			     DEXT_DMA_DEVICE_READS, &address, NULL),
		kIOReturnUnsupported);
	assert_ok(apple_dext_register_dma_fd_batch(connection, files, 3, results));
	assert_ok(results[0].status);
	assert_fails(results[1].status, kIOReturnUnsupported);
	assert_fails(results[2].status, kIOReturnStillOpen);
	assert_ok(apple_dext_unregister_dma(connection, 1 << 20));
	assert_ok(apple_dext_unregister_dma(connection, 3 << 20));
	assert_int_equal(region_count, 0);
}

static void test_the_rest_is_unsupported(void **state)
{
	AppleDextStatus status;
	AppleDextDMALimits limits;
	AppleDextClientInfo *clients;
	AppleDextRegionInfo *infos;
	mach_vm_address_t address;
	kern_return_t memory;
	size_t count;

	(void)state;
	assert_fails(apple_dext_get_status(connection, &status), kIOReturnUnsupported);
	assert_fails(apple_dext_get_dma_limits(connection, &limits), kIOReturnUnsupported);
	assert_fails(apple_dext_copy_clients(connection, &clients, &count), kIOReturnUnsupported);
	assert_fails(apple_dext_copy_dma_regions(connection, &infos, &count), kIOReturnUnsupported);
	assert_fails(apple_dext_map_trace(connection, &address), kIOReturnUnsupported);
	assert_fails(apple_dext_trigger_interrupt(connection, 0), kIOReturnUnsupported);
	assert_fails(apple_dext_remove_device(connection), kIOReturnUnsupported);
	assert_fails(apple_dext_get_memory_status(connection, DEXT_MEMORY_BAR0, &memory),
		kIOReturnUnsupported);
}

/* No status says why memory cannot be mapped. */
static void test_memory_without_a_reason(void **state)
{
	mach_vm_address_t address;

	(void)state;
	assert_fails(apple_dext_map_irq_state(connection, &address), kIOReturnBadArgument);
}

/* A mapping is used only if it contains the whole structure. */
static void test_memory_that_is_too_small(void **state)
{
	mach_vm_address_t address = 1;

	(void)state;
	small_memory = memfd_create("small", MFD_CLOEXEC);
	assert_int_equal(ftruncate(small_memory, 4096), 0);
	unmappings = 0;
	assert_fails(apple_dext_map_irq_state(connection, &address), kIOReturnIPCError);
	assert_int_equal(address, 0);
	/* To unmap memory, IOKit asks the driver for it: each time two uses end. */
	assert_int_equal(unmappings, 2);
	assert_fails(apple_dext_map_trace(connection, &address), kIOReturnIPCError);
	assert_int_equal(unmappings, 4);
	close(small_memory);
	small_memory = -1;
}

static AppleDextInterruptNotify *notify;
static sem_t handled;
static unsigned taken;
static kern_return_t status_seen;

static void handle(void *unused)
{
	uint64_t bits[DEXT_IRQ_WORDS];

	(void)unused;
	if (apple_dext_read_pending_irqs(connection, bits) == kIOReturnSuccess)
		taken += (unsigned)bits[0];
	if (apple_dext_interrupt_notify_rearm(notify) == kIOReturnSuccess)
		sem_post(&handled);
}

static void handle_status(void *unused, kern_return_t status)
{
	(void)unused;
	status_seen = status;
	sem_post(&handled);
}

/* Whether the driver has a page without the extension, or none: each interrupt is two calls. */
static void test_interrupts_become_calls(void **state)
{
	(void)state;
	sem_init(&handled, 0, 0);
	for (int has_page = 0; has_page < 2; has_page++) {
		if (has_page) {
			irq_state = memfd_create("irq-state", MFD_CLOEXEC);
			assert_int_equal(ftruncate(irq_state, DEXT_IRQ_STATE_SIZE), 0);
		}
		waits = checks = taken = unmappings = 0;
		assert_ok(
			apple_dext_interrupt_notify_create_into(connection, handle, NULL, &notify));
		assert_ok(apple_dext_interrupt_notify_set_status_handler(notify, handle_status));
		assert_int_equal(unmappings, 2 * has_page);
		for (unsigned i = 1; i <= 3; i++) {
			fire(kIOReturnSuccess);
			while (sem_wait(&handled) != 0)
				;
			assert_int_equal(taken, i);
			assert_int_equal(checks, i);
			assert_int_equal(waits, 1 + i);
		}
		fire(kIOReturnOffline);
		while (sem_wait(&handled) != 0)
			;
		assert_fails(status_seen, kIOReturnOffline);
		apple_dext_interrupt_notify_destroy(notify);
	}
	close(irq_state);
	irq_state = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive_claim_is_a_claim),
		cmocka_unit_test(test_segments_become_regions),
		cmocka_unit_test(test_batches_become_calls),
		cmocka_unit_test(test_config_blocks_become_reads),
		cmocka_unit_test(test_descriptors_become_addresses),
		cmocka_unit_test(test_the_rest_is_unsupported),
		cmocka_unit_test(test_memory_without_a_reason),
		cmocka_unit_test(test_memory_that_is_too_small),
		cmocka_unit_test(test_interrupts_become_calls),
	};
	struct iouser_service *service =
		iouser_service_publish(DEXT_USER_CLASS, &old_driver, &claims, NULL);
	int failed;

	connection = apple_dext_connect(0, 0, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	apple_dext_disconnect(connection);
	iouser_service_release(service);
	return failed;
}
