/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program in the way of those in the field: IOKit, CoreFoundation, dispatch and
 * mach headers alone, numbers from the ABI's text. It finds the device at 01:00.0,
 * claims it, looks at it, and drives its NVMe controller far enough to take an
 * interrupt through an asynchronous call.
 */
#include <CoreFoundation/CoreFoundation.h>
#include <IOKit/IOKitLib.h>
#include <dispatch/dispatch.h>
#include <mach/mach.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static bool is_driver(io_service_t service)
{
	CFTypeRef class = IORegistryEntryCreateCFProperty(
		service, CFSTR("IOUserClass"), kCFAllocatorDefault, 0);
	bool is = class && CFGetTypeID(class) == CFStringGetTypeID() &&
		  CFStringCompare((CFStringRef) class, CFSTR("VFIOUserPCIDriver"), 0) ==
			  kCFCompareEqualTo;

	if (class)
		CFRelease(class);
	return is;
}

/* The connection to the device at 01:00.0, or IO_OBJECT_NULL. */
static io_connect_t find_device(void)
{
	io_connect_t found = IO_OBJECT_NULL;
	io_iterator_t iterator;
	io_service_t service;

	CHECK(IOServiceGetMatchingServices(kIOMainPortDefault, IOServiceMatching("IOUserService"),
		      &iterator) == KERN_SUCCESS);
	while ((service = IOIteratorNext(iterator)) != IO_OBJECT_NULL) {
		io_connect_t connection;
		uint64_t identity[6];
		uint32_t count = 6;

		if (found == IO_OBJECT_NULL && is_driver(service) &&
			IOServiceOpen(service, mach_task_self(), 0, &connection) == KERN_SUCCESS) {
			CHECK(IOConnectCallScalarMethod(connection, 0, NULL, 0, identity, &count) ==
				KERN_SUCCESS);
			if (identity[0] == 1 && identity[1] == 0 && identity[2] == 0)
				found = connection;
			else
				IOServiceClose(connection);
		}
		IOObjectRelease(service);
	}
	IOObjectRelease(iterator);
	return found;
}

static uint64_t call(io_connect_t connection, uint32_t selector, const uint64_t *in, uint32_t count,
	uint32_t out_count)
{
	uint64_t out[16] = { 0 };

	CHECK(IOConnectCallMethod(connection, selector, in, count, NULL, 0, out, &out_count, NULL,
		      NULL) == KERN_SUCCESS);
	return out[0];
}

static int interrupts;

static void interrupted(void *refcon, IOReturn result)
{
	CHECK(result == kIOReturnSuccess);
	__atomic_fetch_add((int *)refcon, 1, __ATOMIC_SEQ_CST);
}

static void arm(io_connect_t connection, IONotificationPortRef port)
{
	uint64_t reference[kIOAsyncCalloutCount] = { 0 };

	reference[kIOAsyncCalloutFuncIndex] = (uint64_t)(uintptr_t)interrupted;
	reference[kIOAsyncCalloutRefconIndex] = (uint64_t)(uintptr_t)&interrupts;
	CHECK(IOConnectCallAsyncMethod(connection, 15, IONotificationPortGetMachPort(port),
		      reference, kIOAsyncCalloutCount, NULL, 0, NULL, 0, NULL, NULL, NULL,
		      NULL) == KERN_SUCCESS);
}

/* Bring the admin queue up in @memory, which the device sees at @bus, and send Identify. */
static void identify(volatile uint8_t *bar, uint8_t *memory, uint64_t bus)
{
	uint32_t command[16] = { [0] = 0x06 | 7 << 16, [10] = 1 };
	uint64_t data = bus + 0x2000;

	*(volatile uint32_t *)(bar + 0x24) = 15 << 16 | 15; /* AQA */
	*(volatile uint64_t *)(bar + 0x28) = bus;	    /* ASQ */
	*(volatile uint64_t *)(bar + 0x30) = bus + 0x1000;  /* ACQ */
	*(volatile uint32_t *)(bar + 0x14) = 0x00460001;    /* CC: enable */
	for (int i = 0; i < 10000 && !(*(volatile uint32_t *)(bar + 0x1c) & 1); i++)
		usleep(1000);
	CHECK(*(volatile uint32_t *)(bar + 0x1c) & 1);
	memcpy(&command[6], &data, sizeof(data));
	memcpy(memory, command, sizeof(command));
	/* The admin queue's doorbell, after what stands in the queue. */
	__atomic_store_n((uint32_t *)(uintptr_t)(bar + 0x1000), 1, __ATOMIC_RELEASE);
}

int main(void)
{
	io_connect_t connection = find_device();
	mach_vm_address_t bar = 0;
	mach_vm_size_t bar_size = 0;
	IONotificationPortRef port;
	dispatch_queue_t queue;
	uint64_t out[4];
	uint32_t count = 3;
	void *memory;

	CHECK(connection != IO_OBJECT_NULL);
	CHECK(IOConnectCallScalarMethod(connection, 13, NULL, 0, out, &count) == kIOReturnNotOpen);
	call(connection, 1, NULL, 0, 0);
	CHECK(call(connection, 8, (uint64_t[]){ 0x08, 4 }, 2, 1) >> 8 == 0x010802);
	CHECK(call(connection, 13, NULL, 0, 1) >= 1);
	CHECK(IOConnectMapMemory64(connection, 1, mach_task_self(), &bar, &bar_size,
		      kIOMapAnywhere) == KERN_SUCCESS);
	CHECK(posix_memalign(&memory, 16384, 16384) == 0);
	memset(memory, 0, 16384);
	count = 3;
	CHECK(IOConnectCallScalarMethod(connection, 5,
		      (uint64_t[]){ 0x40000000, (uint64_t)(uintptr_t)memory, 16384 }, 3, out,
		      &count) == KERN_SUCCESS);
	CHECK(out[0] == 1 && out[2] == 16384);

	port = IONotificationPortCreate(kIOMainPortDefault);
	queue = dispatch_queue_create("interrupts", DISPATCH_QUEUE_SERIAL);
	CHECK(port && queue);
	IONotificationPortSetDispatchQueue(port, queue);
	arm(connection, port);
	identify((volatile uint8_t *)(uintptr_t)bar, memory, out[1]);
	for (int i = 0; i < 10000 && !__atomic_load_n(&interrupts, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	CHECK(__atomic_load_n(&interrupts, __ATOMIC_SEQ_CST) == 1);
	CHECK(call(connection, 14, NULL, 0, 4) == 1);
	/* The completion says success, and the model number stands where Identify put it. */
	CHECK(((uint32_t *)memory)[0x1000 / 4 + 3] >> 17 == 0);
	CHECK(((char *)memory)[0x2000 + 24] > ' ');
	printf("model: %.40s\n", (char *)memory + 0x2000 + 24);

	IONotificationPortDestroy(port);
	dispatch_release(queue);
	CHECK(IOServiceClose(connection) == KERN_SUCCESS);
	free(memory);
	return 0;
}
