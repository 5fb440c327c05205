/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --bar-access shared: a client that drives an NVMe controller through its own mapping, and keeps
 * the mapping afterwards. The server is $DEXT_VFIO_USER, with an embedded device and with one of a
 * driver service, $DEXTD.
 */
#include "tests/lib/program.h"
#include "tests/lib/vfio-user-client.h"
#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Registers and bits of the NVMe 1.4 specification, section 3.1. */
enum { CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, DOORBELLS = 0x1000 };
#define CC_ENABLE  0x00460001u
#define CSTS_READY 1u
#define CSTS_FATAL 2u
#define ENTRIES	   16u

#define BAR_SIZE   0x8000u
#define MSIX_TABLE 0x4000u

/* The guest's memory: queues first, then data. */
#define MEMORY	    0x10000u
#define SUBMISSIONS 0x0000u
#define COMPLETIONS 0x1000u
#define DATA	    0x2000u

static char folder[] = "/tmp/dextpci-vu-XXXXXX";
static char dextd_socket[64], path[64];
static pid_t dextd, server;

/* A client with the controller's registers mapped. */
struct host {
	struct vu_client client;
	volatile uint32_t *registers;
	size_t mapped;
	uint8_t *memory;
	int memory_fd;
	uint32_t tail, phase;
};

/* --- The programs ---------------------------------------------------------------------- */

static void start_dextd(void)
{
	const char *const argv[] = { getenv("DEXTD"), "--socket", dextd_socket, "--device",
		"nvme,addr=01:00.0,size=1M,serial=shared", NULL };

	unlink(dextd_socket);
	dextd = program_start(argv, NULL, NULL);
	assert_true(program_wait_listening(dextd_socket, 0));
}

static void start_server(const char *option, const char *value, const char *access)
{
	const char *const argv[] = { getenv("DEXT_VFIO_USER"), "--socket", path, option, value,
		"--bar-access", access, NULL };

	server = program_start(argv, NULL, NULL);
	assert_true(program_wait_listening(path, 0));
}

/* A driver service detects a client's end asynchronously. */
static void wait_until_it_is_free(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	AppleDextStatus status = { .claims = 1 };

	assert_int_not_equal(connection, IO_OBJECT_NULL);
	for (int i = 0; i < 4000 && status.claims != 0; i++) {
		assert_int_equal(apple_dext_get_status(connection, &status), kIOReturnSuccess);
		poll(NULL, 0, 5);
	}
	assert_int_equal(status.claims, 0);
	apple_dext_disconnect(connection);
}

static int setup_embedded(void **state)
{
	(void)state;
	start_server("--device", "nvme,addr=01:00.0,size=1M,serial=shared", "shared");
	return 0;
}

static int setup_split(void **state)
{
	(void)state;
	start_dextd();
	start_server("--addr", "01:00.0", "shared");
	return 0;
}

static int setup_mapped(void **state)
{
	(void)state;
	start_server("--device", "nvme,addr=01:00.0,size=1M", "mapped");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (server != 0)
		assert_int_equal(program_end(server, SIGTERM), 0);
	if (dextd != 0)
		assert_int_equal(program_end(dextd, SIGTERM), 0);
	server = dextd = 0;
	return 0;
}

/* --- The host -------------------------------------------------------------------------- */

static uint32_t load(const struct host *host, uint32_t offset)
{
	return __atomic_load_n(&host->registers[offset / 4], __ATOMIC_ACQUIRE);
}

static void store(struct host *host, uint32_t offset, uint32_t value)
{
	__atomic_store_n(&host->registers[offset / 4], value, __ATOMIC_RELEASE);
}

static uint32_t read_by_message(struct host *host, uint32_t offset)
{
	uint32_t value = 0;

	assert_int_equal(vu_client_read(&host->client, 0, offset, &value, 4), 0);
	return value;
}

static void map_registers(struct host *host)
{
	struct vu_client_region region;

	assert_int_equal(vu_client_region(&host->client, 0, &region), 0);
	assert_int_equal(
		region.info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
					   VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(region.info.size, BAR_SIZE);
	assert_int_equal(region.sparse.count, 1);
	assert_int_equal(region.sparse.offset, 0);
	assert_int_equal(region.sparse.size, MSIX_TABLE);
	host->mapped = region.sparse.size;
	host->registers = mmap(NULL, host->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd,
		(off_t)(region.info.offset + region.sparse.offset));
	assert_ptr_not_equal(host->registers, MAP_FAILED);
	/* The size cannot be changed by the client. */
	assert_int_equal(ftruncate(region.fd, 0), -1);
	close(region.fd);
}

static void begin(struct host *host)
{
	uint16_t command = 6;

	*host = (struct host){ .phase = 1, .memory_fd = memfd_create("guest", MFD_CLOEXEC) };
	assert_int_equal(ftruncate(host->memory_fd, MEMORY), 0);
	host->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, host->memory_fd, 0);
	assert_ptr_not_equal(host->memory, MAP_FAILED);
	assert_int_equal(vu_client_open(&host->client, path), 0);
	assert_int_equal(vu_client_map(&host->client, 0, MEMORY, host->memory_fd), 0);
	assert_int_equal(
		vu_client_write(&host->client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, 2), 0);
	map_registers(host);
}

static void end(struct host *host)
{
	munmap((void *)(uintptr_t)host->registers, host->mapped);
	munmap(host->memory, MEMORY);
	close(host->memory_fd);
	if (host->client.fd >= 0)
		vu_client_close(&host->client);
}

static void wait_for_status(struct host *host, uint32_t wanted)
{
	for (int i = 0; i < 20000 && load(host, CSTS) != wanted; i++)
		poll(NULL, 0, 1);
	assert_int_equal(load(host, CSTS), wanted);
}

/* Enable the controller by stores. */
static void enable(struct host *host)
{
	assert_int_equal(load(host, CSTS), 0);
	store(host, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	store(host, ASQ, SUBMISSIONS);
	store(host, ASQ + 4, 0);
	store(host, ACQ, COMPLETIONS);
	store(host, ACQ + 4, 0);
	store(host, CC, CC_ENABLE);
	wait_for_status(host, CSTS_READY);
}

/* Submit Identify Controller, as the first command in both queues. */
static void submit_identify(struct host *host)
{
	uint32_t command[16] = { [0] = 0x06, [6] = DATA, [10] = 1 };

	memcpy(host->memory + SUBMISSIONS + 64 * host->tail, command, sizeof(command));
	host->tail++;
	store(host, DOORBELLS, host->tail);
}

static bool is_complete(const struct host *host)
{
	const uint32_t *entry =
		(const uint32_t *)(const void *)(host->memory + COMPLETIONS) + 4 * (host->tail - 1);

	return (__atomic_load_n(&entry[3], __ATOMIC_ACQUIRE) >> 16 & 1) == host->phase;
}

static void identify(struct host *host)
{
	memset(host->memory + DATA, 0, 4096);
	submit_identify(host);
	for (int i = 0; i < 20000 && !is_complete(host); i++)
		poll(NULL, 0, 1);
	assert_true(is_complete(host));
	assert_memory_equal(host->memory + DATA + 4, "shared", 6);
}

/*
 * Store to all registers in the mapping, with values that would enable the controller or ring
 * doorbells.
 */
static void scribble(struct host *host)
{
	store(host, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	store(host, ASQ, SUBMISSIONS);
	store(host, ACQ, COMPLETIONS);
	store(host, CC, load(host, CC) ^ CC_ENABLE);
	for (uint32_t offset = DOORBELLS; offset < DOORBELLS + 0x1000; offset += 4)
		store(host, offset, load(host, offset) + 1);
}

static atomic_bool enough;

static void *scribble_continuously(void *argument)
{
	while (!atomic_load(&enough))
		scribble(argument);
	return NULL;
}

/* --- Tests ------------------------------------------------------------------------------ */

static void test_a_controller_is_driven_by_stores(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct pollfd ready = { .fd = event, .events = POLLIN };
	struct host host;

	(void)state;
	begin(&host);
	assert_int_equal(vu_client_event(&host.client, VFIO_PCI_MSIX_IRQ_INDEX, 0, event), 0);
	enable(&host);
	for (int i = 0; i < 5; i++)
		identify(&host);
	assert_int_equal(poll(&ready, 1, 20000), 1);
	/* Messages still work, and have the same effect. */
	assert_int_equal(read_by_message(&host, CSTS), CSTS_READY);
	assert_int_equal(read_by_message(&host, CC), CC_ENABLE);
	/* A reset clears the memory of the BAR, which stays mapped. */
	assert_int_equal(
		vu_client_call(&host.client, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL, 0), 0);
	assert_int_equal(load(&host, CC), 0);
	host.tail = 0;
	memset(host.memory, 0, MEMORY);
	enable(&host);
	identify(&host);
	end(&host);
	close(event);
}

static void test_no_bar_can_be_mapped_by_default(void **state)
{
	struct vu_client_region region;
	struct vu_client client;

	(void)state;
	assert_int_equal(vu_client_open(&client, path), 0);
	assert_int_equal(vu_client_region(&client, 0, &region), 0);
	assert_int_equal(
		region.info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	assert_int_equal(region.fd, -1);
	vu_client_close(&client);
}

/*
 * @kept has disconnected and keeps storing to its mapping: the next client's device is not
 * affected, from the time that client is served. Until then the device still belongs to @kept.
 */
static void expect_next_unaffected(struct host *kept)
{
	pthread_t thread;
	struct host next;

	atomic_store(&enough, false);
	for (int i = 0; i < 10; i++) {
		begin(&next);
		if (i == 0) {
			memset(kept->memory, 0, MEMORY);
			assert_int_equal(
				pthread_create(&thread, NULL, scribble_continuously, kept), 0);
		}
		assert_int_equal(read_by_message(&next, CC), 0);
		assert_int_equal(read_by_message(&next, AQA), 0);
		enable(&next);
		for (int j = 0; j < 5; j++)
			identify(&next);
		assert_int_equal(read_by_message(&next, CC), CC_ENABLE);
		assert_int_equal(load(&next, DOORBELLS), next.tail);
		end(&next);
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	/* Nor has the device processed its commands. */
	for (size_t i = 0; i < MEMORY; i++)
		assert_int_equal(kept->memory[i], 0);
}

static void test_a_mapping_that_ended_has_no_effect(void **state)
{
	struct host kept;

	(void)state;
	begin(&kept);
	enable(&kept);
	identify(&kept);
	vu_client_close(&kept.client);
	expect_next_unaffected(&kept);
	end(&kept);
}

static void test_nor_after_the_server_was_killed(void **state)
{
	struct host kept;

	(void)state;
	begin(&kept);
	enable(&kept);
	assert_int_equal(program_end(server, SIGKILL), 128 + SIGKILL);
	vu_client_close(&kept.client);
	wait_until_it_is_free();
	start_server("--addr", "01:00.0", "shared");
	expect_next_unaffected(&kept);
	end(&kept);
}

/* Its mapping became invalid with the service. */
static void test_a_restarted_service_has_another_device(void **state)
{
	int request = eventfd(0, EFD_CLOEXEC);
	struct pollfd ready = { .fd = request, .events = POLLIN };
	struct host host, next;
	uint32_t ids;

	(void)state;
	begin(&host);
	assert_int_equal(vu_client_event(&host.client, VFIO_PCI_REQ_IRQ_INDEX, 0, request), 0);
	enable(&host);
	assert_int_equal(program_end(dextd, SIGKILL), 128 + SIGKILL);
	start_dextd();
	assert_int_equal(poll(&ready, 1, 20000), 1);
	assert_int_equal(vu_client_read(&host.client, VFIO_PCI_CONFIG_REGION_INDEX, 0, &ids, 4), 0);
	assert_int_equal(ids, UINT32_MAX);
	vu_client_close(&host.client);
	begin(&next);
	enable(&next);
	identify(&next);
	end(&next);
	end(&host);
	close(request);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(setup_embedded, test_a_controller_is_driven_by_stores),
		ON(setup_split, test_a_controller_is_driven_by_stores),
		ON(setup_mapped, test_no_bar_can_be_mapped_by_default),
		ON(setup_embedded, test_a_mapping_that_ended_has_no_effect),
		ON(setup_split, test_a_mapping_that_ended_has_no_effect),
		ON(setup_split, test_nor_after_the_server_was_killed),
		ON(setup_split, test_a_restarted_service_has_another_device),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(dextd_socket, sizeof(dextd_socket), "%s/d.sock", folder);
	snprintf(path, sizeof(path), "%s/vu.sock", folder);
	setenv("DEXT_SOCKET", dextd_socket, 1);
	failed = cmocka_run_group_tests_name("vfio-user share", tests, NULL, NULL);
	unlink(dextd_socket);
	rmdir(folder);
	return failed;
}
