/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where Apple's IOKit differs from what one would expect, the runtime does as Apple's does
 * (docs/macos.md): failed mappings, unmapping, read-only mappings, and a driver that has gone.
 * Against scripted drivers, in another process and in this one.
 */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fds.h"
#include "tests/lib/memory-driver.h"
#include "tests/lib/program.h"

#include <apple-dext-client.h>
#include <errno.h>
#include <iokit-user/service.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define TYPE 3u

static io_connect_t connection;

static struct iouser_memory new_memory(void)
{
	struct iouser_memory memory = { .fd = memfd_create("memory", MFD_CLOEXEC), .size = PAGE };

	if (memory.fd < 0 || ftruncate(memory.fd, PAGE) != 0)
		abort();
	return memory;
}

static kern_return_t map(IOOptionBits options, mach_vm_address_t *address)
{
	mach_vm_size_t size;

	return IOConnectMapMemory64(
		connection, TYPE, mach_task_self(), address, &size, kIOMapAnywhere | options);
}

static kern_return_t unmap(mach_vm_address_t address)
{
	return IOConnectUnmapMemory64(connection, TYPE, mach_task_self(), address);
}

static bool is_mapped(mach_vm_address_t address)
{
	return msync((void *)(uintptr_t)address, PAGE, MS_ASYNC) == 0;
}

/* The kernel stores there what a file holds, and says when it cannot. */
static bool is_writable(mach_vm_address_t address)
{
	ssize_t got = pread(memory_driver.memory.fd, (void *)(uintptr_t)address, 1, 0);

	if (got != 1)
		assert_int_equal(errno, EFAULT);
	return got == 1;
}

static bool open_service(const char *name)
{
	io_service_t found =
		IOServiceGetMatchingService(kIOMainPortDefault, IOServiceNameMatching(name));
	kern_return_t status = IOServiceOpen(found, mach_task_self(), 0, &connection);

	IOObjectRelease(found);
	return status == kIOReturnSuccess;
}

/* --- A driver in another process ------------------------------------------------ */

struct service {
	char folder[32], path[64];
	pid_t process;
	io_service_t entry;
};

static void serve(const char *path)
{
	const struct iouser_server_options options = { .path = path, .group = (gid_t)-1 };
	struct iouser_server *server;
	char error[256];

	memory_driver.memory = new_memory();
	if (iouser_service_publish("Mortal", &memory_driver_class, &memory_driver, NULL)) {
		server = iouser_server_create(&options, error, sizeof(error));
		if (server)
			iouser_server_run(server);
	}
	_exit(1);
}

static int start_service(void **state)
{
	static struct service service;

	strcpy(service.folder, "/tmp/apple-iokit-XXXXXX");
	if (!mkdtemp(service.folder))
		return -1;
	snprintf(service.path, sizeof(service.path), "%s/socket", service.folder);
	setenv("DEXT_SOCKET", service.path, 1);
	service.process = fork();
	if (service.process == 0)
		serve(service.path);
	*state = &service;
	if (!program_wait_listening(service.path, service.process))
		return -1;
	service.entry =
		IOServiceGetMatchingService(kIOMainPortDefault, IOServiceNameMatching("Mortal"));
	return open_service("Mortal") ? 0 : -1;
}

static void kill_service(struct service *service)
{
	kill(service->process, SIGKILL);
	assert_int_equal(waitpid(service->process, NULL, 0), service->process);
}

static int stop_service(void **state)
{
	struct service *service = *state;

	IOServiceClose(connection);
	IOObjectRelease(service->entry);
	unlink(service->path);
	return rmdir(service->folder);
}

static kern_return_t call_selector(uint32_t selector)
{
	return IOConnectCallScalarMethod(connection, selector, NULL, 0, NULL, NULL);
}

static void test_driver_exits_during_a_call(void **state)
{
	struct service *service = *state;
	io_connect_t other;

	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnSuccess);
	assert_int_equal(call_selector(MEMORY_DRIVER_EXIT), MIG_SERVER_DIED);
	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnOffline);
	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnOffline);
	assert_int_equal(waitpid(service->process, NULL, 0), service->process);
	assert_int_equal(
		IOServiceOpen(service->entry, mach_task_self(), 0, &other), kIOReturnOffline);
}

static void test_driver_exits_before_a_call(void **state)
{
	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnSuccess);
	kill_service(*state);
	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), MACH_SEND_INVALID_DEST);
	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnOffline);
}

/* By then calls are made through shared memory, where the machine has a processor for it. */
static void test_driver_exits_after_many_calls(void **state)
{
	for (int i = 0; i < 100; i++)
		assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnSuccess);
	kill_service(*state);
	assert_true(apple_dext_is_gone(call_selector(MEMORY_DRIVER_NOTHING)));
	assert_int_equal(call_selector(MEMORY_DRIVER_NOTHING), kIOReturnOffline);
}

/* Its memory stays until the connection is closed. */
static void test_memory_of_a_driver_that_has_gone(void **state)
{
	mach_vm_address_t address, other;

	assert_int_equal(map(0, &address), kIOReturnSuccess);
	kill_service(*state);
	assert_true(apple_dext_is_gone(unmap(address)));
	assert_true(is_mapped(address));
	assert_int_equal(map(0, &other), kIOReturnBadArgument);
	assert_int_equal(IOServiceClose(connection), kIOReturnSuccess);
	assert_false(is_mapped(address));
}

static void test_codes_of_a_driver_that_has_gone(void **state)
{
	static const kern_return_t others[] = { kIOReturnSuccess, kIOReturnError, kIOReturnNoDevice,
		kIOReturnBadArgument, kIOReturnTimeout, kIOReturnNotAttached, kIOReturnNotOpen,
		kIOReturnNotResponding, kIOReturnAborted, kIOReturnUnsupported, 1, -1 };

	(void)state;
	assert_true(apple_dext_is_gone((kern_return_t)0xe00002d7)); /* kIOReturnOffline */
	assert_true(apple_dext_is_gone((kern_return_t)0xe00002d8)); /* kIOReturnNotReady */
	assert_true(apple_dext_is_gone(-308));			    /* MIG_SERVER_DIED */
	assert_true(apple_dext_is_gone(0x10000003));		    /* MACH_SEND_INVALID_DEST */
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(apple_dext_is_gone(others[i]));
}

/* --- A driver in this process ------------------------------------------------------ */

static int begin(void **state)
{
	(void)state;
	memory_driver.memory = new_memory();
	memory_driver.status = kIOReturnSuccess;
	memory_driver.asked = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(memory_driver.memory.fd);
	return memory_driver.in_use[TYPE];
}

static void test_failed_map_gives_no_reason(void **state)
{
	static const kern_return_t reasons[] = { kIOReturnNotReady, kIOReturnNotOpen,
		kIOReturnUnsupported, kIOReturnNoMemory, kIOReturnOffline, kIOReturnNotPrivileged };
	mach_vm_address_t address = 7;
	size_t fds = count_fds();

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		memory_driver.status = reasons[i];
		assert_int_equal(map(0, &address), kIOReturnBadArgument);
	}
	memory_driver.status = kIOReturnSuccess;
	memory_driver.memory.size = 0;
	assert_int_equal(map(0, &address), kIOReturnBadArgument);
	assert_int_equal(address, 7);
	assert_int_equal(count_fds(), fds);
}

static void test_unmap_asks_the_driver_again(void **state)
{
	mach_vm_address_t first, second;
	size_t fds = count_fds();

	(void)state;
	assert_int_equal(map(0, &first), kIOReturnSuccess);
	assert_int_equal(map(0, &second), kIOReturnSuccess);
	assert_int_equal(memory_driver.asked, 2);
	assert_int_equal(unmap(second), kIOReturnSuccess);
	assert_int_equal(memory_driver.asked, 3);
	assert_int_equal(memory_driver.in_use[TYPE], 1);
	assert_true(is_mapped(first));
	assert_int_equal(unmap(first), kIOReturnSuccess);
	assert_int_equal(memory_driver.asked, 4);
	assert_false(is_mapped(first));
	assert_int_equal(unmap(first), kIOReturnBadArgument);
	assert_int_equal(count_fds(), fds);
}

static void test_what_the_driver_does_not_return_stays_mapped(void **state)
{
	struct iouser_memory original = memory_driver.memory, other = new_memory();
	mach_vm_address_t address;

	(void)state;
	assert_int_equal(map(0, &address), kIOReturnSuccess);
	memory_driver.status = kIOReturnNotReady;
	assert_int_equal(unmap(address), kIOReturnNotReady);
	assert_true(is_mapped(address));
	memory_driver.status = kIOReturnSuccess;
	memory_driver.memory = other;
	assert_int_equal(unmap(address), kIOReturnBadArgument);
	assert_true(is_mapped(address));
	memory_driver.memory = original;
	memory_driver.memory.size = PAGE / 2; /* another part of the same file */
	assert_int_equal(unmap(address), kIOReturnBadArgument);
	assert_true(is_mapped(address));
	assert_int_equal(memory_driver.in_use[TYPE], 1);
	memory_driver.memory = original;
	assert_int_equal(unmap(address), kIOReturnSuccess);
	assert_false(is_mapped(address));
	close(other.fd);
}

static void test_read_only_is_granted_by_the_driver_alone(void **state)
{
	mach_vm_address_t address;

	(void)state;
	assert_int_equal(map(kIOMapReadOnly, &address), kIOReturnSuccess);
	assert_true(is_writable(address));
	assert_int_equal(unmap(address), kIOReturnSuccess);
	memory_driver.memory.read_only = true;
	assert_int_equal(map(0, &address), kIOReturnSuccess);
	assert_false(is_writable(address));
	assert_int_equal(unmap(address), kIOReturnSuccess);
}

#define MORTAL(test) cmocka_unit_test_setup_teardown(test, start_service, stop_service)
#define LOCAL(test)  cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest mortal[] = {
		MORTAL(test_driver_exits_during_a_call),
		MORTAL(test_driver_exits_before_a_call),
		MORTAL(test_driver_exits_after_many_calls),
		MORTAL(test_memory_of_a_driver_that_has_gone),
		cmocka_unit_test(test_codes_of_a_driver_that_has_gone),
	};
	const struct CMUnitTest local[] = {
		LOCAL(test_failed_map_gives_no_reason),
		LOCAL(test_unmap_asks_the_driver_again),
		LOCAL(test_what_the_driver_does_not_return_stays_mapped),
		LOCAL(test_read_only_is_granted_by_the_driver_alone),
	};
	int failed = cmocka_run_group_tests_name("a driver that has gone", mortal, NULL, NULL);
	/* From here on, look-ups find the services of this process only. */
	struct iouser_service *service =
		iouser_service_publish("Local", &memory_driver_class, &memory_driver, NULL);

	if (!service || !open_service("Local"))
		return 1;
	failed += cmocka_run_group_tests_name("memory", local, NULL, NULL);
	IOServiceClose(connection);
	iouser_service_release(service);
	return failed;
}
