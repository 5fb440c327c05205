/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nvme: a small user-space NVMe driver that uses the client library: identify, read, write. It
 * works with a software controller, a physical one through VFIO, and one that a DriverKit
 * extension owns. NVM Express base specification 1.4: registers in 3.1, queues in 4, commands
 * in 5 and 6.
 */
#include <apple-dext-client.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Controller registers. */
enum { CAP = 0x00, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30, DOORBELLS = 0x1000 };
#define CC_ENABLE  (1u | 6u << 16 | 4u << 20) /* entries of 64 and 16 bytes */
#define CSTS_READY 1u
#define CSTS_FATAL 2u

enum { ADMIN_CREATE_SQ = 0x01, ADMIN_CREATE_CQ = 0x05, ADMIN_IDENTIFY = 0x06 };
enum { IO_FLUSH = 0x00, IO_WRITE = 0x01, IO_READ = 0x02 };

#define ENTRIES	  16u
#define PAGE	  4096u
#define CHUNK	  (128u << 10) /* bytes of one read or write; a list of PRPs fits a page */
#define TIMEOUT_S 10

/* Memory for DMA, mapped at IOVA: two pages for each of two queue pairs, then: */
#define IOVA	    UINT64_C(0x1000000)
#define PRP_LIST    (4 * PAGE)
#define DATA	    (5 * PAGE)
#define MEMORY_SIZE (DATA + CHUNK)

struct queue_pair {
	unsigned number;
	unsigned tail, head; /* of the submission queue, of the completion queue */
	unsigned phase;
};

static struct {
	io_connect_t device;
	volatile uint8_t *bar; /* NULL: registers are accessed by calls */
	unsigned doorbell_stride;
	uint8_t *memory;
	uint64_t bus_address; /* of memory */
	struct queue_pair admin, io;
	AppleDextInterruptNotify *notify;
	sem_t interrupted;
	volatile bool lost; /* the device was removed, or its driver has ended */
	uint64_t blocks;
	unsigned block_size;
	size_t largest; /* transfer, in bytes */
} nvme;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "nvme: %s: %s\n", what, why);
	exit(1);
}

static void check(const char *what, kern_return_t status)
{
	char text[32];

	snprintf(text, sizeof(text), "error 0x%08x", (unsigned)status);
	if (status != KERN_SUCCESS)
		fail(what, text);
}

static uint64_t get(uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	if (nvme.bar && width == 4)
		return *(volatile uint32_t *)(nvme.bar + offset);
	if (nvme.bar)
		return *(volatile uint64_t *)(nvme.bar + offset);
	check("register read", apple_dext_mmio_read(nvme.device, 0, offset, width, &value));
	return value;
}

static void set(uint64_t offset, unsigned width, uint64_t value)
{
	if (nvme.bar && width == 4)
		*(volatile uint32_t *)(nvme.bar + offset) = (uint32_t)value;
	else if (nvme.bar)
		*(volatile uint64_t *)(nvme.bar + offset) = value;
	else
		check("register write",
			apple_dext_mmio_write(nvme.device, 0, offset, width, value));
}

static void wait_ready(uint32_t wanted)
{
	/* CAP.TO is in units of 500 ms. */
	uint64_t left = (get(CAP, 8) >> 24 & 0xff) * 500 + 500;

	for (; left; left--) {
		uint32_t status = (uint32_t)get(CSTS, 4);

		if (status == UINT32_MAX || (status & CSTS_FATAL))
			fail("controller", "it has failed or was removed");
		if ((status & CSTS_READY) == wanted)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	fail("controller", "it does not become ready");
}

static void handle_interrupt(void *opaque)
{
	uint64_t pending[4];

	(void)opaque;
	if (apple_dext_read_pending_irqs(nvme.device, pending) != KERN_SUCCESS ||
		apple_dext_interrupt_notify_rearm(nvme.notify) != KERN_SUCCESS)
		nvme.lost = true;
	sem_post(&nvme.interrupted);
}

/*
 * The BAR of a removed device stays mapped until this program disconnects, and no interrupt comes:
 * without this handler the program would wait in vain.
 */
static void handle_status(void *opaque, kern_return_t status)
{
	(void)opaque;
	if (status == kIOReturnDeviceError)
		fputs("nvme: device: it has reported an error\n", stderr);
	else
		nvme.lost = true;
	sem_post(&nvme.interrupted);
}

/* A driver whose process has exited reports nothing. */
static void fail_timeout(void)
{
	uint64_t id;

	if (apple_dext_config_read(nvme.device, 0, 4, &id) != KERN_SUCCESS)
		fail("device", "its driver has gone");
	fail("command", "no completion within 10 s");
}

/* Wait for the next completion, which raises an interrupt. Return: its status field. */
static unsigned wait_completion(struct queue_pair *pair)
{
	volatile uint32_t *entry =
		(volatile uint32_t *)(nvme.memory + (2 * pair->number + 1) * PAGE +
				      16 * pair->head);
	struct timespec deadline;
	uint32_t last;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += TIMEOUT_S;
	while ((entry[3] >> 16 & 1) != pair->phase) {
		if (nvme.lost)
			fail("device", "it was removed");
		if (sem_timedwait(&nvme.interrupted, &deadline) != 0 && errno == ETIMEDOUT &&
			(entry[3] >> 16 & 1) != pair->phase)
			fail_timeout();
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	last = entry[3];
	pair->head = (pair->head + 1) % ENTRIES;
	if (!pair->head)
		pair->phase ^= 1;
	set(DOORBELLS + (2 * pair->number + 1) * nvme.doorbell_stride, 4, pair->head);
	return last >> 17;
}

/* Submit a command and wait for its completion. */
static void submit(struct queue_pair *pair, const char *what, const uint32_t command[16])
{
	char text[64];
	unsigned status;

	memcpy(nvme.memory + 2 * pair->number * PAGE + 64 * pair->tail, command, 64);
	pair->tail = (pair->tail + 1) % ENTRIES;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	set(DOORBELLS + 2 * pair->number * nvme.doorbell_stride, 4, pair->tail);
	status = wait_completion(pair);
	if (!status)
		return;
	snprintf(text, sizeof(text), "status code type %u, status code 0x%02x", status >> 8 & 7,
		status & 0xff);
	fail(what, text);
}

static void set_prps(uint32_t command[16], size_t length)
{
	uint64_t data = nvme.bus_address + DATA, second = data + PAGE;
	uint64_t *list = (uint64_t *)(void *)(nvme.memory + PRP_LIST);

	if (length > 2 * PAGE) {
		for (size_t page = 1; page * PAGE < length; page++)
			list[page - 1] = data + page * PAGE;
		second = nvme.bus_address + PRP_LIST;
	}
	memcpy(&command[6], &data, 8);
	memcpy(&command[8], &second, 8);
}

static const uint8_t *identify(uint32_t namespace, uint32_t what)
{
	uint32_t command[16] = { ADMIN_IDENTIFY, namespace };

	set_prps(command, PAGE);
	command[10] = what;
	submit(&nvme.admin, "identify", command);
	return nvme.memory + DATA;
}

static void make_memory(void)
{
	AppleDextSegment segment;
	size_t segments = 1;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/nvme-%ld", (long)getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	shm_unlink(name);
	if (fd < 0 || ftruncate(fd, MEMORY_SIZE) != 0)
		fail("memory", strerror(errno));
	nvme.memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (nvme.memory == MAP_FAILED)
		fail("memory", strerror(errno));
	/* With room for one segment, it fails unless the bus addresses are contiguous. */
	check("DMA region", apple_dext_register_dma_segments(nvme.device, IOVA,
				    (uintptr_t)nvme.memory, MEMORY_SIZE, &segment, &segments));
	nvme.bus_address = segment.bus_address;
}

static void create_io_queues(void)
{
	uint64_t base = nvme.bus_address + 2 * PAGE;
	uint32_t cq[16] = { ADMIN_CREATE_CQ }, sq[16] = { ADMIN_CREATE_SQ };

	cq[10] = sq[10] = (ENTRIES - 1) << 16 | 1;
	cq[11] = 1 | 2; /* contiguous, interrupts on vector 0 */
	base += PAGE;
	memcpy(&cq[6], &base, 8);
	submit(&nvme.admin, "create completion queue", cq);
	base -= PAGE;
	sq[11] = 1u << 16 | 1; /* of completion queue 1, contiguous */
	memcpy(&sq[6], &base, 8);
	submit(&nvme.admin, "create submission queue", sq);
}

static void start(void)
{
	mach_vm_address_t address;
	mach_vm_size_t size;

	check("claim", apple_dext_claim(nvme.device));
	if (apple_dext_map_bar(nvme.device, 0, &address, &size, NULL) == KERN_SUCCESS)
		nvme.bar = (volatile uint8_t *)(uintptr_t)address;
	make_memory();
	set(CC, 4, 0);
	wait_ready(0);
	nvme.doorbell_stride = 4u << (get(CAP, 8) >> 32 & 15);
	nvme.admin.phase = nvme.io.phase = 1;
	nvme.io.number = 1;
	sem_init(&nvme.interrupted, 0, 0);
	check("interrupts", apple_dext_setup_interrupts(nvme.device, NULL));
	check("notification", apple_dext_interrupt_notify_create_into(
				      nvme.device, handle_interrupt, NULL, &nvme.notify));
	check("notification",
		apple_dext_interrupt_notify_set_status_handler(nvme.notify, handle_status));
	set(AQA, 4, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	set(ASQ, 8, nvme.bus_address);
	set(ACQ, 8, nvme.bus_address + PAGE);
	set(CC, 4, CC_ENABLE);
	wait_ready(CSTS_READY);
}

/* Read names and sizes; print them if @print. */
static void read_identity(bool print)
{
	const uint8_t *data = identify(0, 1);
	unsigned exponent = data[77];
	uint8_t format;

	if (print)
		printf("model     %.40s\nserial    %.20s\nfirmware  %.8s\n", data + 24, data + 4,
			data + 64);
	nvme.largest = exponent && exponent < 5 ? (size_t)PAGE << exponent : CHUNK;
	data = identify(1, 0);
	format = data[26] & 15;
	memcpy(&nvme.blocks, data, 8);
	nvme.block_size = 1u << data[128 + 4 * format + 2];
	if (print)
		printf("namespace %llu blocks of %u bytes\n", (unsigned long long)nvme.blocks,
			nvme.block_size);
}

/* Copy @count blocks from standard input to @lba, or from there to standard output. */
static void copy(uint64_t lba, uint64_t count, bool writes)
{
	uint64_t most = nvme.largest / nvme.block_size, done = 0;

	if (lba > nvme.blocks || count > nvme.blocks - lba)
		fail("range", "past the end of the namespace");
	while (done < count) {
		uint64_t part = count - done < most ? count - done : most, at = lba + done;
		size_t length = (size_t)part * nvme.block_size;
		uint32_t command[16] = { writes ? IO_WRITE : IO_READ, 1 };

		if (writes && fread(nvme.memory + DATA, 1, length, stdin) != length)
			fail("standard input", "too short");
		set_prps(command, length);
		memcpy(&command[10], &at, 8);
		command[12] = (uint32_t)part - 1;
		submit(&nvme.io, writes ? "write" : "read", command);
		if (!writes && fwrite(nvme.memory + DATA, 1, length, stdout) != length)
			fail("standard output", strerror(errno));
		done += part;
	}
	if (writes)
		submit(&nvme.io, "flush", (const uint32_t[16]){ IO_FLUSH, 1 });
}

static int usage(void)
{
	fprintf(stderr, "usage: nvme BUS:DEVICE.FUNCTION identify\n"
			"       nvme BUS:DEVICE.FUNCTION read LBA COUNT >FILE\n"
			"       nvme BUS:DEVICE.FUNCTION write LBA COUNT <FILE\n");
	return 2;
}

/* Accesses to a mapped BAR of a physical device raise SIGBUS after it is unplugged. */
static void handle_bus_error(int signal)
{
	static const char text[] = "nvme: device: it was removed\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

int main(int argc, char **argv)
{
	unsigned bus, slot, function;
	bool copies = argc == 5 && (strcmp(argv[2], "read") == 0 || strcmp(argv[2], "write") == 0);

	if (!(copies || (argc == 3 && strcmp(argv[2], "identify") == 0)) ||
		sscanf(argv[1], "%x:%x.%x", &bus, &slot, &function) != 3)
		return usage();
	nvme.device = apple_dext_connect((uint8_t)bus, (uint8_t)slot, (uint8_t)function);
	if (nvme.device == IO_OBJECT_NULL)
		fail(argv[1], apple_dext_last_error());
	signal(SIGBUS, handle_bus_error);
	start();
	read_identity(!copies);
	create_io_queues();
	if (copies)
		copy(strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), argv[2][0] == 'w');
	set(CC, 4, 0);
	wait_ready(0);
	apple_dext_interrupt_notify_destroy(nvme.notify);
	apple_dext_disconnect(nvme.device);
	return 0;
}
