/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu: the smallest driver that uses the client library. It finds a device, claims it, reads
 * config space and a BAR, handles interrupts and copies memory by DMA. The device is the
 * teaching device of QEMU (docs/specs/edu.rst there), in software or through VFIO.
 *
 * Usage: edu BUS:DEVICE.FUNCTION
 */
#include <apple-dext-client.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	IDENTIFICATION = 0x00,
	LIVENESS = 0x04,
	FACTORIAL = 0x08,
	STATUS = 0x20,
	IRQ_STATUS = 0x24,
	IRQ_ACKNOWLEDGE = 0x64,
	DMA_SOURCE = 0x80,
	DMA_DESTINATION = 0x88,
	DMA_COUNT = 0x90,
	DMA_COMMAND = 0x98
};
#define STATUS_IRQ_WHEN_DONE 0x80u
#define BUFFER		     0x40000u  /* address of the device's internal buffer */
#define IOVA		     0x100000u /* of our memory; the device has 28 address bits */
#define SIZE		     4096u

static io_connect_t device;
static AppleDextInterruptNotify *notify;
static sem_t interrupted;

/* Every call returns a kern_return_t; the first failure ends the program. */
static void check(const char *what, kern_return_t status)
{
	if (status == KERN_SUCCESS)
		return;
	fprintf(stderr, "edu: %s: error 0x%08x\n", what, (unsigned)status);
	exit(1);
}

static uint64_t get(uint64_t offset)
{
	uint64_t value = 0;

	check("register read", apple_dext_mmio_read(device, 0, offset, 4, &value));
	return value;
}

static void set(uint64_t offset, uint64_t width, uint64_t value)
{
	check("register write", apple_dext_mmio_write(device, 0, offset, width, value));
}

/* Runs on a queue of the library: read pending interrupts, acknowledge them, arm again. */
static void handle_interrupt(void *opaque)
{
	uint64_t pending[4];

	(void)opaque;
	check("pending interrupts", apple_dext_read_pending_irqs(device, pending));
	set(IRQ_ACKNOWLEDGE, 4, get(IRQ_STATUS));
	check("arming", apple_dext_interrupt_notify_rearm(notify));
	sem_post(&interrupted);
}

static void wait_for_interrupt(const char *what)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	if (sem_timedwait(&interrupted, &deadline) != 0)
		check(what, kIOReturnTimeout);
	printf("%s: interrupt\n", what);
}

/* Copy SIZE bytes between our memory and the device's buffer, and wait for the interrupt. */
static void transfer(const char *what, uint64_t source, uint64_t destination, unsigned command)
{
	set(DMA_SOURCE, 8, source);
	set(DMA_DESTINATION, 8, destination);
	set(DMA_COUNT, 4, SIZE);
	set(DMA_COMMAND, 4, command | 1 | 4); /* start, interrupt when done */
	wait_for_interrupt(what);
}

int main(int argc, char **argv)
{
	unsigned bus, slot, function;
	uint64_t id, bus_address;
	unsigned char *memory;
	char name[32];
	int fd;

	if (argc != 2 || sscanf(argv[1], "%x:%x.%x", &bus, &slot, &function) != 3) {
		fprintf(stderr, "usage: edu BUS:DEVICE.FUNCTION\n");
		return 2;
	}
	device = apple_dext_connect((uint8_t)bus, (uint8_t)slot, (uint8_t)function);
	if (device == IO_OBJECT_NULL) {
		fprintf(stderr, "edu: %s: %s\n", argv[1], apple_dext_last_error());
		return 1;
	}
	check("claim", apple_dext_claim(device));
	check("config space", apple_dext_config_read(device, 0, 4, &id));
	set(LIVENESS, 4, 0x12345678);
	printf("device %08llx, identification %08llx, liveness %08llx\n", (unsigned long long)id,
		(unsigned long long)get(IDENTIFICATION), (unsigned long long)get(LIVENESS));

	sem_init(&interrupted, 0, 0);
	check("interrupts", apple_dext_setup_interrupts(device, NULL));
	check("notification",
		apple_dext_interrupt_notify_create_into(device, handle_interrupt, NULL, &notify));
	set(STATUS, 4, STATUS_IRQ_WHEN_DONE);
	set(FACTORIAL, 4, 10);
	wait_for_interrupt("10!");
	printf("10! = %llu\n", (unsigned long long)get(FACTORIAL));

	/* DMA of a physical device needs shared memory; private pages cannot be passed on. */
	snprintf(name, sizeof(name), "/edu-%ld", (long)getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	shm_unlink(name);
	if (fd < 0 || ftruncate(fd, SIZE) != 0)
		check("memory", kIOReturnNoMemory);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check("DMA",
		apple_dext_register_dma(device, IOVA, (uintptr_t)memory, SIZE, &bus_address, NULL));
	memset(memory, 0x5a, SIZE);
	transfer("to the device", bus_address, BUFFER, 0);
	memset(memory, 0, SIZE);
	transfer("from the device", BUFFER, bus_address, 2);
	printf("%s\n",
		memory[0] == 0x5a && memory[SIZE - 1] == 0x5a ? "DMA: equal" : "DMA: differs");

	apple_dext_interrupt_notify_destroy(notify);
	apple_dext_disconnect(device); /* also ends the claim, DMA and interrupts */
	return memory[0] == 0x5a && memory[SIZE - 1] == 0x5a ? 0 : 1;
}
