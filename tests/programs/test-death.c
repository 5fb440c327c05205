/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients killed at random times while they map, transfer and wait: afterwards dextd holds none of
 * their resources, and serves the next client.
 *
 * $DEATH_ROUNDS is their number (200), $DEATH_SEED the seed (printed).
 */
#include "tests/lib/nvme-host.h"
#include "tests/lib/rig.h"
#include "tests/lib/cmocka-all.h"

#include <dext-abi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct rig rig;

static void ignore(void *opaque)
{
	(void)opaque;
}

/* A client that uses every kind of resource, in an endless loop. */
static void __attribute__((noreturn)) run_client(unsigned seed)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	enum nvme_host_access access = seed % 2 ? NVME_HOST_MAPPED : NVME_HOST_CALLS;
	uint64_t iova = 0x100000000ull + (uint64_t)seed % 64 * 0x1000000;
	AppleDextDMABuffer buffer;
	struct nvme_host host;

	if (connection == IO_OBJECT_NULL || apple_dext_claim(connection) != kIOReturnSuccess)
		_exit(1);
	apple_dext_setup_interrupts(connection, NULL);
	apple_dext_interrupt_notify_create(connection, ignore, NULL);
	apple_dext_allocate_dma_buffer(connection, 1 << 20, 0, &buffer);
	for (unsigned round = 0;; round++) {
		void *private = malloc(1 << 16);

		apple_dext_register_dma(connection, iova + 0x800000 + (round % 16) * 0x20000ull,
			(uintptr_t) private, 1 << 16, NULL, NULL);
		if (nvme_host_start(&host, connection, access, iova))
			for (unsigned i = 0; i < 64; i++)
				nvme_host_transfer(&host, i % 2, 16ull * (i % 32), 0, 8192);
		nvme_host_stop(&host);
	}
}

static pid_t begin_client(unsigned seed)
{
	pid_t client = fork();

	if (client == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_client(seed);
	}
	return client;
}

/* A client that works and disconnects normally. */
static bool run_normal_client(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	struct nvme_host host;
	bool worked = false;

	if (connection == IO_OBJECT_NULL)
		return false;
	if (apple_dext_claim(connection) == kIOReturnSuccess &&
		nvme_host_start(&host, connection, NVME_HOST_CALLS, 0x10000000)) {
		memset(host.memory + NVME_HOST_DATA, 0xa5, 8192);
		worked = nvme_host_transfer(&host, true, 0, 0, 8192) &&
			 nvme_host_transfer(&host, false, 0, 8192, 8192) &&
			 memcmp(host.memory + NVME_HOST_DATA, host.memory + NVME_HOST_DATA + 8192,
				 8192) == 0;
		nvme_host_stop(&host);
	}
	apple_dext_disconnect(connection);
	return worked;
}

static bool wait_free(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	AppleDextStatus status = { .claims = 1 };

	for (int i = 0; i < 2000 && (status.claims || status.dma_regions || status.dma_bytes);
		i++) {
		apple_dext_get_status(connection, &status);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	apple_dext_disconnect(connection);
	return !status.claims && !status.dma_regions && !status.dma_bytes;
}

static unsigned from_environment(const char *name, unsigned fallback)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : fallback;
}

/* Rounds of one to three clients at a time. */
static void kill_clients(unsigned rounds, unsigned *seed)
{
	for (unsigned round = 0; round < rounds; round++) {
		pid_t clients[3];
		unsigned count = 1 + (unsigned)rand_r(seed) % 3;

		for (unsigned i = 0; i < count; i++)
			clients[i] = begin_client((unsigned)rand_r(seed));
		nanosleep(&(struct timespec){ .tv_nsec = rand_r(seed) % 30000000 }, NULL);
		for (unsigned i = 0; i < count; i++) {
			kill(clients[i], SIGKILL);
			waitpid(clients[i], NULL, 0);
		}
	}
}

static void test_killed_clients(void **state)
{
	unsigned rounds = from_environment("DEATH_ROUNDS", 200);
	unsigned seed = from_environment("DEATH_SEED", (unsigned)time(NULL));
	struct rig_resources before, after;

	(void)state;
	printf("seed %u, %u clients\n", seed, rounds);
	/* Some first, so that one-time allocations (stacks, arenas) have been made. */
	kill_clients(rounds / 10 + 1, &seed);
	assert_true(run_normal_client());
	assert_true(wait_free());
	before = rig_resources(rig.dextd);
	kill_clients(rounds, &seed);
	assert_true(wait_free());
	assert_true(rig_wait_resources(rig.dextd, &before, 20));
	after = rig_resources(rig.dextd);
	printf("descriptors %u -> %u, mappings %u -> %u, threads %u -> %u, memory %u -> %u KiB\n",
		before.descriptors, after.descriptors, before.mappings, after.mappings,
		before.threads, after.threads, before.memory_kb, after.memory_kb);
	assert_true(run_normal_client());
}

/*
 * A client that sends its own connection as the port of its notification: the driver then holds an
 * end of it, which must not keep the dead client's claim alive. Any descriptor of a socket of the
 * right type is accepted as a port, so every one is tried.
 */
static void __attribute__((noreturn)) send_itself_as_port(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };
	IONotificationPortRef port = IONotificationPortCreate(kIOMainPortDefault);
	int before = dup(0), type;

	/* The port's sending end is the newest socket: replace it by the connection. */
	for (int fd = before - 1, sending = -1; fd > 2; fd--) {
		socklen_t size = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
			continue;
		if (sending < 0)
			sending = fd;
		else if (fd != sending - 1)
			dup2(fd, sending);
	}
	if (apple_dext_claim(connection) != kIOReturnSuccess ||
		apple_dext_setup_interrupts(connection, NULL) != kIOReturnSuccess)
		_exit(1);
	_exit(IOConnectCallAsyncScalarMethod(connection, DEXT_SELECTOR_WaitInterrupt,
		      IONotificationPortGetMachPort(port), reference, kIOAsyncCalloutCount, NULL, 0,
		      NULL, NULL) != kIOReturnSuccess);
}

static void test_a_connection_as_its_own_port(void **state)
{
	pid_t client = fork();
	int status;

	(void)state;
	if (client == 0)
		send_itself_as_port();
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(wait_free());
}

/* A client that is stopped, not killed, does not block others. */
static void test_a_stopped_client_does_not_block(void **state)
{
	pid_t client = begin_client(2);
	AppleDextStatus status = { .claims = 0 };
	io_connect_t connection = apple_dext_connect(1, 0, 0);

	(void)state;
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	for (int i = 0; i < 4000 && !status.claims; i++) {
		assert_int_equal(apple_dext_get_status(connection, &status), kIOReturnSuccess);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	assert_int_equal(status.claims, 1);
	apple_dext_disconnect(connection);
	/* Some time later it is in the middle of a call, or between two. */
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	kill(client, SIGSTOP);
	connection = apple_dext_connect(1, 0, 0);
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_int_equal(apple_dext_get_status(connection, &status), kIOReturnSuccess);
	assert_int_equal(status.claims, 1);
	assert_int_equal(apple_dext_claim(connection), kIOReturnSuccess);
	apple_dext_disconnect(connection);
	kill(client, SIGKILL);
	waitpid(client, NULL, 0);
	assert_true(wait_free());
}

/* The driver is killed: calls fail at once, and nothing hangs. */
static void test_a_dead_driver(void **state)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	AppleDextInterruptNotify *notify;
	mach_vm_address_t bar;
	mach_vm_size_t size;
	uint64_t value;

	(void)state;
	assert_int_equal(apple_dext_claim(connection), kIOReturnSuccess);
	assert_int_equal(apple_dext_setup_interrupts(connection, NULL), kIOReturnSuccess);
	assert_int_equal(apple_dext_map_bar(connection, 0, &bar, &size, NULL), kIOReturnSuccess);
	notify = apple_dext_interrupt_notify_create(connection, ignore, NULL);
	assert_non_null(notify);
	rig_kill(&rig);
	assert_int_equal(apple_dext_config_read(connection, 0, 4, &value), MACH_SEND_INVALID_DEST);
	assert_int_equal(apple_dext_reset_device(connection), kIOReturnOffline);
	/* This is a store, which does not show it. */
	assert_int_equal(apple_dext_interrupt_notify_rearm(notify), kIOReturnSuccess);
	/* The BAR is still mapped: loads return its last content. */
	value = *(volatile uint32_t *)(bar + 8);
	assert_int_equal(value, 0x00010400);
	apple_dext_interrupt_notify_destroy(notify);
	apple_dext_disconnect(connection);
	assert_int_equal(apple_dext_connect(1, 0, 0), IO_OBJECT_NULL);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=16M", NULL };

	(void)state;
	return rig_start(&rig, specs) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	rig_kill(&rig); /* already dead, unless a test failed */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_clients),
		cmocka_unit_test(test_a_connection_as_its_own_port),
		cmocka_unit_test(test_a_stopped_client_does_not_block),
		cmocka_unit_test(test_a_dead_driver),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
