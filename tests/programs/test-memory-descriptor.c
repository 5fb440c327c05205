/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors of a driver's memory, as the runtime passes them to clients, with a fake driver in
 * this process that counts the memory in use.
 */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fds.h"
#include "tests/lib/memory-driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <iokit-user/client.h>
#include <iokit-user/service.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 8192u

static io_connect_t connection;

static void test_a_descriptor_counts_until_it_is_returned(void **state)
{
	size_t fds = count_fds();
	uint64_t offset, size;
	char *memory;
	int fd[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			IOUserConnectCopyMemoryDescriptor(connection, 1, &fd[i], &offset, &size),
			kIOReturnSuccess);
		assert_int_equal(offset, 4096);
		assert_int_equal(size, 4096);
		assert_int_equal(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
		assert_int_equal(memory_driver.in_use[1], i + 1);
	}
	assert_int_not_equal(fd[0], fd[1]);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd[1], (off_t)offset);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memory[0] = 'm';
	munmap(memory, size);
	assert_int_equal(pread(memory_driver.memory.fd, &(char){ 0 }, 1, 4096), 1);
	close(fd[0]);
	close(fd[1]);
	assert_int_equal(memory_driver.in_use[1], 2);
	for (int i = 1; i >= 0; i--) {
		assert_int_equal(
			IOUserConnectReturnMemoryDescriptor(connection, 2), kIOReturnBadArgument);
		assert_int_equal(
			IOUserConnectReturnMemoryDescriptor(connection, 1), kIOReturnSuccess);
		assert_int_equal(memory_driver.in_use[1], i);
	}
	assert_int_equal(IOUserConnectReturnMemoryDescriptor(connection, 1), kIOReturnBadArgument);
	assert_int_equal(count_fds(), fds);
}

/*
 * A mapping is not released by the function for descriptors, nor a descriptor by that for
 * mappings.
 */
static void test_mappings_and_descriptors_are_separate(void **state)
{
	mach_vm_address_t address;
	mach_vm_size_t length;
	uint64_t offset, size;
	int fd;

	(void)state;
	assert_int_equal(IOConnectMapMemory64(connection, 1, mach_task_self(), &address, &length,
				 kIOMapAnywhere),
		kIOReturnSuccess);
	assert_int_equal(IOUserConnectReturnMemoryDescriptor(connection, 1), kIOReturnBadArgument);
	assert_int_equal(
		IOConnectUnmapMemory64(connection, 1, mach_task_self(), address), kIOReturnSuccess);
	assert_int_equal(memory_driver.in_use[1], 0);
	assert_int_equal(IOUserConnectCopyMemoryDescriptor(connection, 1, &fd, &offset, &size), 0);
	assert_int_equal(
		IOConnectUnmapMemory64(connection, 1, mach_task_self(), 0), kIOReturnBadArgument);
	assert_int_equal(memory_driver.in_use[1], 1);
	assert_int_equal(IOUserConnectReturnMemoryDescriptor(connection, 1), kIOReturnSuccess);
	assert_int_equal(memory_driver.in_use[1], 0);
	close(fd);
}

static void test_memory_that_is_no_part_of_a_file_is_refused(void **state)
{
	static const struct {
		uint64_t offset, size;
		bool read_only;
		kern_return_t status;
	} cases[] = {
		{ 0, 0, false, kIOReturnVMError },
		{ 0, UINT64_MAX, false, kIOReturnVMError },
		{ UINT64_MAX - 4095, 4096, false, kIOReturnVMError },
		{ INT64_MAX - 4095, 8192, false, kIOReturnVMError },
		{ 0, 4096, true, kIOReturnNotPermitted },
	};
	struct iouser_memory sound = memory_driver.memory;
	size_t fds = count_fds();
	uint64_t offset = 1, size = 1;
	int fd = -7;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memory_driver.memory.offset = cases[i].offset;
		memory_driver.memory.size = cases[i].size;
		memory_driver.memory.read_only = cases[i].read_only;
		assert_int_equal(
			IOUserConnectCopyMemoryDescriptor(connection, 1, &fd, &offset, &size),
			cases[i].status);
		assert_int_equal(memory_driver.in_use[1], 0);
	}
	memory_driver.memory = sound;
	memory_driver.status = kIOReturnNotReady;
	assert_int_equal(IOUserConnectCopyMemoryDescriptor(connection, 1, &fd, &offset, &size),
		kIOReturnNotReady);
	memory_driver.status = kIOReturnSuccess;
	assert_int_equal(IOUserConnectCopyMemoryDescriptor(connection, 1, NULL, &offset, &size),
		kIOReturnBadArgument);
	assert_int_equal(IOUserConnectCopyMemoryDescriptor(connection, 1, &fd, NULL, &size),
		kIOReturnBadArgument);
	assert_int_equal(IOUserConnectCopyMemoryDescriptor(connection, 1, &fd, &offset, NULL),
		kIOReturnBadArgument);
	assert_int_equal(IOUserConnectCopyMemoryDescriptor(IO_OBJECT_NULL, 1, &fd, &offset, &size),
		kIOReturnBadArgument);
	assert_int_equal(memory_driver.in_use[1], 0);
	assert_int_equal(fd, -7);
	assert_int_equal(count_fds(), fds);
}

static void test_a_child_gets_none(void **state)
{
	uint64_t offset, size;
	pid_t child = fork();
	int fd, status;

	(void)state;
	if (child == 0)
		_exit(IOUserConnectCopyMemoryDescriptor(connection, 1, &fd, &offset, &size) ==
					kIOReturnNotPermitted ?
				0 :
				1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int setup(void **state)
{
	(void)state;
	memory_driver.memory = (struct iouser_memory){
		.fd = memfd_create("memory", MFD_CLOEXEC), .offset = 4096, .size = 4096
	};
	memory_driver.status = kIOReturnSuccess;
	return ftruncate(memory_driver.memory.fd, SIZE);
}

static int teardown(void **state)
{
	(void)state;
	return close(memory_driver.memory.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_descriptor_counts_until_it_is_returned, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_mappings_and_descriptors_are_separate, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_memory_that_is_no_part_of_a_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_child_gets_none, setup, teardown),
	};
	struct iouser_service *service =
		iouser_service_publish("Memory", &memory_driver_class, &memory_driver, NULL);
	io_service_t found =
		IOServiceGetMatchingService(kIOMainPortDefault, IOServiceNameMatching("Memory"));
	int failed;

	if (!service || IOServiceOpen(found, mach_task_self(), 0, &connection) != kIOReturnSuccess)
		return 1;
	IOObjectRelease(found);
	failed = cmocka_run_group_tests_name("memory descriptors", tests, NULL, NULL);
	IOServiceClose(connection);
	iouser_service_release(service);
	return failed;
}
