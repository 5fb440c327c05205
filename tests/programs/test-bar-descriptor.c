/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors of BARs: use of a descriptor, and its revocation when the client has returned it or
 * disconnected but still has it mapped.
 */
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>
#include <dext-abi.h>
#include <iokit-user/client.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, BAR_SIZE = 0x8000 };

static struct rig rig;

static io_connect_t claim(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_claim(connection));
	return connection;
}

/* Map BAR0 through a descriptor, and close the descriptor at once. */
static volatile uint32_t *map_copy(io_connect_t connection)
{
	volatile uint32_t *registers;
	uint64_t offset, size;
	int fd;

	assert_ok(apple_dext_copy_bar_descriptor(connection, 0, &fd, &offset, &size));
	assert_int_equal(size, BAR_SIZE);
	registers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(registers, MAP_FAILED);
	close(fd);
	return registers;
}

static void unmap(volatile uint32_t *registers)
{
	munmap((void *)(uintptr_t)registers, BAR_SIZE);
}

static uint64_t read_by_call(io_connect_t connection, uint64_t offset)
{
	uint64_t value = UINT64_MAX;

	assert_ok(apple_dext_mmio_read(connection, 0, offset, 4, &value));
	return value;
}

/* The device polls for stores, and notices this one asynchronously. */
static void expect_noticed(io_connect_t connection, volatile uint32_t *registers, uint32_t value)
{
	__atomic_store_n(&registers[AQA / 4], value, __ATOMIC_RELEASE);
	for (int i = 0; i < 10000 && read_by_call(connection, AQA) != value; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_equal(read_by_call(connection, AQA), value);
}

static void test_refusals(void **state)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	uint64_t offset, size;
	int fd = -1;

	(void)state;
	assert_fails(apple_dext_copy_bar_descriptor(connection, 0, &fd, &offset, &size),
		kIOReturnNotOpen);
	assert_ok(apple_dext_claim(connection));
	assert_fails(apple_dext_copy_bar_descriptor(connection, 1, &fd, &offset, &size),
		kIOReturnNotFound);
	assert_fails(apple_dext_copy_bar_descriptor(connection, 6, &fd, &offset, &size),
		kIOReturnBadArgument);
	assert_fails(apple_dext_copy_bar_descriptor(connection, 0, NULL, &offset, &size),
		kIOReturnBadArgument);
	assert_fails(apple_dext_copy_bar_descriptor(IO_OBJECT_NULL, 0, &fd, &offset, &size),
		kIOReturnBadArgument);
	assert_fails(apple_dext_return_bar_descriptor(connection, 0), kIOReturnBadArgument);
	assert_fails(apple_dext_return_bar_descriptor(connection, 6), kIOReturnBadArgument);
	assert_fails(apple_dext_return_bar_descriptor(IO_OBJECT_NULL, 0), kIOReturnBadArgument);
	/* A BAR without memory cannot be mapped. */
	apple_dext_disconnect(connection);
	connection = apple_dext_connect(2, 0, 0);
	assert_ok(apple_dext_claim(connection));
	assert_fails(apple_dext_copy_bar_descriptor(connection, 0, &fd, &offset, &size),
		kIOReturnNotReady);
	assert_int_equal(fd, -1);
	apple_dext_disconnect(connection);
}

static void test_stores_reach_the_device(void **state)
{
	io_connect_t connection = claim();
	volatile uint32_t *registers = map_copy(connection);

	(void)state;
	assert_int_equal(registers[2], 0x00010400); /* the version */
	expect_noticed(connection, registers, 0x001f001f);
	/* The memory does not change at a reset. */
	assert_ok(apple_dext_reset_device(connection));
	assert_int_equal(registers[AQA / 4], 0);
	expect_noticed(connection, registers, 0x000f000f);
	assert_ok(apple_dext_return_bar_descriptor(connection, 0));
	unmap(registers);
	apple_dext_disconnect(connection);
}

/* Stores through a mapping that was returned do not reach the device of another client. */
static void expect_no_effect(volatile uint32_t *kept, io_connect_t connection)
{
	volatile uint32_t *registers = map_copy(connection);

	for (uint32_t offset = 0; offset < 0x2000; offset += 4)
		kept[offset / 4] = 0x00460001;
	expect_noticed(connection, registers, 0x00070007);
	assert_int_equal(read_by_call(connection, CC), 0);
	assert_int_equal(read_by_call(connection, CSTS), 0);
	assert_int_equal(read_by_call(connection, 0x1000), 0);
	assert_int_equal(registers[CC / 4], 0);
	assert_int_equal(kept[AQA / 4], 0x00460001);
	assert_ok(apple_dext_return_bar_descriptor(connection, 0));
	unmap(registers);
}

static void test_a_returned_descriptor_has_no_effect(void **state)
{
	io_connect_t connection = claim();
	volatile uint32_t *kept = map_copy(connection);

	(void)state;
	expect_noticed(connection, kept, 0x001f001f);
	assert_ok(apple_dext_return_bar_descriptor(connection, 0));
	assert_fails(apple_dext_return_bar_descriptor(connection, 0), kIOReturnBadArgument);
	assert_int_equal(read_by_call(connection, AQA), 0x001f001f);
	expect_no_effect(kept, connection);
	unmap(kept);
	apple_dext_disconnect(connection);
}

/* A failed copy is not counted, and does not end the connection. */
static void test_a_copy_without_descriptors_fails(void **state)
{
	io_connect_t connection = claim();
	struct rlimit limit, none;
	volatile uint32_t *kept;
	uint64_t offset, size;
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Close the connection's other descriptors: poll() checks the limit, too. */
	fd = dup(0);
	none = (struct rlimit){ .rlim_cur = (rlim_t)fd, .rlim_max = limit.rlim_max };
	close(fd);
	fd = -1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_fails(apple_dext_copy_bar_descriptor(connection, 0, &fd, &offset, &size),
		kIOReturnNoResources);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(fd, -1);
	kept = map_copy(connection);
	expect_noticed(connection, kept, 0x001f001f);
	assert_ok(apple_dext_return_bar_descriptor(connection, 0));
	expect_no_effect(kept, connection);
	unmap(kept);
	apple_dext_disconnect(connection);
}

/* Claim the device exclusively, when the previous connection has ended. */
static io_connect_t claim_next(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	kern_return_t status;

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	do
		status = apple_dext_claim_exclusive(connection);
	while (status == kIOReturnExclusiveAccess);
	assert_ok(status);
	return connection;
}

#define ROUNDS 300

static volatile uint32_t *_Atomic kept_last;
static atomic_bool enough;

static void *store_continuously(void *argument)
{
	while (!atomic_load(&enough)) {
		volatile uint32_t *registers = atomic_load(&kept_last);

		registers[AQA / 4] ^= 0x00020002;
		registers[CC / 4] ^= 0x00460001;
	}
	return argument;
}

/*
 * A client disconnects without returning its descriptor, and stores continuously while the next
 * one claims.
 */
static void test_a_disconnected_client_has_no_effect(void **state)
{
	io_connect_t connection = claim_next();
	volatile uint32_t *kept[ROUNDS] = { map_copy(connection) };
	pthread_t thread;

	(void)state;
	atomic_store(&kept_last, kept[0]);
	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&thread, NULL, store_continuously, NULL), 0);
	for (unsigned i = 1; i < ROUNDS; i++) {
		apple_dext_disconnect(connection);
		connection = claim_next();
		/* The value of power-on, at whatever time the stores were made. */
		assert_int_equal(read_by_call(connection, AQA), 0);
		assert_int_equal(read_by_call(connection, CC), 0);
		kept[i] = map_copy(connection);
		assert_int_equal(kept[i][AQA / 4], 0);
		assert_int_equal(kept[i][CC / 4], 0);
		atomic_store(&kept_last, kept[i]);
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	apple_dext_disconnect(connection);
	connection = claim_next();
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < ROUNDS; i++)
		unmap(kept[i]);
	apple_dext_disconnect(connection);
}

static void test_clients_that_share_it_share_memory(void **state)
{
	io_connect_t one = claim(), other = claim();
	volatile uint32_t *ones = map_copy(one), *others = map_copy(other);

	(void)state;
	expect_noticed(one, ones, 0x001f001f);
	assert_int_equal(others[AQA / 4], 0x001f001f);
	assert_ok(apple_dext_return_bar_descriptor(one, 0));
	expect_noticed(other, others, 0x000f000f);
	unmap(ones);
	apple_dext_disconnect(one);
	apple_dext_disconnect(other);
	unmap(others);
}

/*
 * A client that has disconnected but keeps its mapping reaches the device while another client
 * shares that memory, and not once a client has claimed the device exclusively.
 */
static void test_an_exclusive_claim_revokes_all_mappings(void **state)
{
	io_connect_t one = claim(), other = claim();
	volatile uint32_t *kept = map_copy(one), *others = map_copy(other);
	AppleDextStatus status;

	(void)state;
	apple_dext_disconnect(one);
	do
		assert_ok(apple_dext_get_status(other, &status));
	while (status.claims > 1);
	expect_noticed(other, kept, 0x001f001f);
	assert_fails(apple_dext_claim_exclusive(other), kIOReturnBusy);
	assert_ok(apple_dext_return_bar_descriptor(other, 0));
	assert_ok(apple_dext_claim_exclusive(other));
	expect_no_effect(kept, other);
	apple_dext_disconnect(other);
	unmap(kept);
	unmap(others);
}

/* Memory that clients only read has no descriptor, as it would allow writing. */
static void test_the_trace_has_no_descriptor(void **state)
{
	io_connect_t connection = claim();
	uint64_t offset, size;
	int fd;

	(void)state;
	assert_fails(IOUserConnectCopyMemoryDescriptor(
			     connection, DEXT_MEMORY_TRACE, &fd, &offset, &size),
		kIOReturnNotPermitted);
	assert_fails(IOUserConnectCopyMemoryDescriptor(connection, 99, &fd, &offset, &size),
		kIOReturnUnsupported);
	apple_dext_disconnect(connection);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=16M", "edu,addr=02:00.0", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_refusals, rig_await_idle),
		cmocka_unit_test_setup(test_stores_reach_the_device, rig_await_idle),
		cmocka_unit_test_setup(test_a_returned_descriptor_has_no_effect, rig_await_idle),
		cmocka_unit_test_setup(test_a_copy_without_descriptors_fails, rig_await_idle),
		cmocka_unit_test_setup(test_a_disconnected_client_has_no_effect, rig_await_idle),
		cmocka_unit_test_setup(test_clients_that_share_it_share_memory, rig_await_idle),
		cmocka_unit_test_setup(
			test_an_exclusive_claim_revokes_all_mappings, rig_await_idle),
		cmocka_unit_test_setup(test_the_trace_has_no_descriptor, rig_await_idle),
	};

	return cmocka_run_group_tests_name("descriptors of BARs", tests, setup, rig_stop_group);
}
