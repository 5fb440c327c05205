/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/attacks/honest.h"
#include "tests/lib/irq-listener.h"
#include "tests/lib/nvme-host.h"
#include "tests/lib/vfio-user-client.h"

#include <apple-dext-client.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IOVA	    0x100000u
#define PAGES	    1024u /* of the disk, 4 KiB each */
#define PAGE_SIZE   4096u
#define PAGE_BLOCKS (PAGE_SIZE / 512u)
#define VISIT_SIZE  0x10000u

static struct honest_board *board;
static uint64_t expected[PAGES]; /* expected first word of each page */
static uint64_t last_value;

/* Access to the device. */
static struct nvme_host host;
static struct irq_listener listener; /* on dextd */
static struct vu_client vmm;	     /* on dext-vfio-user */
static int vmm_event;
static bool is_vmm;

static _Noreturn void __attribute__((format(printf, 1, 2))) lose(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(board->failure, sizeof(board->failure), format, arguments);
	va_end(arguments);
	_exit(1);
}

static void expect(kern_return_t status, const char *what)
{
	if (status != kIOReturnSuccess)
		lose("%s: 0x%08x", what, (unsigned)status);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void sample(enum honest_kind kind, uint64_t began)
{
	struct honest_samples *samples = &board->samples[atomic_load(&board->attacked)][kind];
	unsigned at = atomic_load(&samples->count);

	samples->microseconds[at % HONEST_SAMPLES] = (uint32_t)(now_us() - began);
	atomic_store(&samples->count, at + 1);
}

/* --- Access as a VMM ------------------------------------------------------------------- */

static uint64_t vmm_read(void *context, uint32_t offset, unsigned width)
{
	uint64_t value = 0;

	(void)context;
	if (vu_client_read(&vmm, 0, offset, &value, width) != 0)
		lose("a register cannot be read");
	return value;
}

static void vmm_write(void *context, uint32_t offset, unsigned width, uint64_t value)
{
	(void)context;
	if (vu_client_write(&vmm, 0, offset, &value, width) != 0)
		lose("a register cannot be written");
}

static bool vmm_share(void *context, int fd, uint64_t iova, uint64_t size)
{
	(void)context;
	return vu_client_map(&vmm, iova, size, fd) == 0;
}

static const struct nvme_host_ops vmm_ops = { vmm_read, vmm_write, vmm_share };

static void begin_as_vmm(const char *path)
{
	uint16_t memory_and_master = 6;

	is_vmm = true;
	vmm_event = eventfd(0, EFD_CLOEXEC);
	if (vu_client_open(&vmm, path) != 0 ||
		vu_client_write(&vmm, VFIO_PCI_CONFIG_REGION_INDEX, 4, &memory_and_master, 2) !=
			0 ||
		vu_client_event(&vmm, VFIO_PCI_MSIX_IRQ_INDEX, 1, vmm_event) != 0 ||
		!nvme_host_start_ops(&host, &vmm_ops, NULL, IOVA))
		lose("the device cannot be brought up through dext-vfio-user");
}

/* --- Access as a program ---------------------------------------------------------------- */

static void begin_as_program(void)
{
	io_connect_t connection = apple_dext_connect(HONEST_BUS, 0, 0);

	expect(apple_dext_claim_exclusive(connection), "the exclusive claim");
	expect(apple_dext_setup_interrupts(connection, NULL), "setting interrupts up");
	if (!irq_listen(&listener, connection) ||
		!nvme_host_start(&host, connection, NVME_HOST_MAPPED, IOVA))
		lose("the device cannot be brought up");
}

static void register_and_probe(io_connect_t connection)
{
	int fd = memfd_create("visit", MFD_CLOEXEC);
	uint64_t *memory, word = 0;

	if (fd < 0 || ftruncate(fd, VISIT_SIZE) != 0)
		lose("no memory for a visit");
	memory = mmap(NULL, VISIT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memory[1] = ++last_value;
	expect(apple_dext_register_dma(connection, IOVA, (uintptr_t)memory, VISIT_SIZE, NULL, NULL),
		"a new client's memory region");
	expect(apple_dext_probe_dma(connection, IOVA, 8, &word), "a new client's probe");
	if (word != last_value)
		lose("a new client's probe shows other data");
	expect(apple_dext_unregister_dma(connection, IOVA), "a new client's unregistering");
	munmap(memory, VISIT_SIZE);
	close(fd);
}

static void visit(void)
{
	uint64_t began = now_us();
	io_connect_t connection = apple_dext_connect(BYSTANDER_BUS, 0, 0);

	if (!connection)
		lose("a new client: %s", apple_dext_last_error());
	expect(apple_dext_claim(connection), "a new client's claim");
	register_and_probe(connection);
	apple_dext_disconnect(connection);
	sample(HONEST_VISIT, began);
}

/* --- The work ---------------------------------------------------------------------------- */

static void check_config(void)
{
	uint64_t began = now_us(), value = 0;

	if (!is_vmm)
		expect(apple_dext_config_read(host.connection, 8, 4, &value),
			"reading config space");
	else if (vu_client_read(&vmm, VFIO_PCI_CONFIG_REGION_INDEX, 8, &value, 4) != 0)
		lose("config space cannot be read");
	sample(HONEST_CALL, began);
	if (value >> 8 != 0x010802)
		lose("config space holds class code %06x", (unsigned)(value >> 8));
}

static void take_interrupt(void)
{
	struct pollfd polled = { .fd = vmm_event, .events = POLLIN };
	uint64_t count;

	if (!is_vmm && !irq_wait_one(&listener, 1))
		lose("an interrupt was not received");
	if (is_vmm && (poll(&polled, 1, ATTACK_TIMEOUT_SECONDS * 1000) != 1 ||
			      read(vmm_event, &count, sizeof(count)) < 0))
		lose("an interrupt was not received");
}

static void transfer(bool write, unsigned page)
{
	uint64_t began = now_us();

	if (!nvme_host_transfer(&host, write, (uint64_t)page * PAGE_BLOCKS, 0, PAGE_SIZE))
		lose("a %s failed", write ? "write" : "read");
	take_interrupt();
	sample(HONEST_TRANSFER, began);
}

static void write_and_read(unsigned page, unsigned other)
{
	uint64_t *data = (uint64_t *)(void *)(host.memory + NVME_HOST_DATA);

	expected[page] = ++last_value;
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*data); i++)
		data[i] = expected[page];
	transfer(true, page);
	memset(data, 0xff, PAGE_SIZE);
	transfer(false, other);
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*data); i++)
		if (data[i] != expected[other])
			lose("page %u holds other data than was written", other);
}

static void work(unsigned cycle)
{
	for (unsigned i = 0; i < 4; i++) {
		check_config();
		write_and_read((cycle * 4 + i) % PAGES, (cycle * 7 + i * 3) % PAGES);
	}
	if (!is_vmm)
		visit();
	atomic_fetch_add(&board->cycles, 1);
	poll(NULL, 0, 1); /* limits the load on a small machine */
}

static _Noreturn void run(const struct victim *victim)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (victim->service)
		begin_as_program();
	else
		begin_as_vmm(victim->honest_vfio_user);
	for (unsigned cycle = 0; !atomic_load(&board->stop); cycle++)
		work(cycle);
	_exit(0);
}

/* --- Functions for the runner ------------------------------------------------------------ */

bool honest_start(struct honest *honest, const struct victim *victim)
{
	board = mmap(
		NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return false;
	honest->board = board;
	honest->process = fork();
	if (honest->process == 0)
		run(victim);
	return honest_progresses(honest, 1);
}

/* Whether it still runs; otherwise its board has the reason. */
static bool is_there(struct honest *honest)
{
	int status = 0;

	if (honest->process > 0 && waitpid(honest->process, &status, WNOHANG) == 0)
		return true;
	if (honest->process > 0 && !honest->board->failure[0] && status != 0)
		snprintf(honest->board->failure, sizeof(honest->board->failure),
			"it ended with status 0x%x", (unsigned)status);
	honest->process = 0;
	return false;
}

bool honest_progresses(struct honest *honest, unsigned cycles)
{
	unsigned until = atomic_load(&honest->board->cycles) + cycles;

	/* A single wait of the client ends after at most a minute. */
	for (unsigned i = 0; i < 4 * ATTACK_TIMEOUT_SECONDS * 500; i++) {
		if ((int)(atomic_load(&honest->board->cycles) - until) >= 0)
			return true;
		if (!is_there(honest))
			return false;
		poll(NULL, 0, 2);
	}
	snprintf(honest->board->failure, sizeof(honest->board->failure), "it makes no progress");
	return false;
}

bool honest_stop(struct honest *honest)
{
	atomic_store(&honest->board->stop, true);
	for (unsigned i = 0; i < 4 * ATTACK_TIMEOUT_SECONDS * 500 && is_there(honest); i++)
		poll(NULL, 0, 2);
	if (honest->process > 0) {
		kill(honest->process, SIGKILL);
		waitpid(honest->process, NULL, 0);
		honest->process = 0;
		if (!honest->board->failure[0])
			strcpy(honest->board->failure, "it does not exit");
	}
	return !honest->board->failure[0];
}

const char *honest_why(const struct honest *honest)
{
	return honest->board->failure;
}

static int compare(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return (one > other) - (one < other);
}

unsigned honest_percentile(
	const struct honest *honest, bool attacked, enum honest_kind kind, unsigned percent)
{
	struct honest_samples *samples = &honest->board->samples[attacked][kind];
	unsigned count = atomic_load(&samples->count);

	count = count < HONEST_SAMPLES ? count : HONEST_SAMPLES;
	if (!count)
		return 0;
	qsort(samples->microseconds, count, sizeof(uint32_t), compare);
	return samples->microseconds[(uint64_t)(count - 1) * percent / 100];
}

void honest_free(struct honest *honest)
{
	munmap(honest->board, sizeof(*honest->board));
}
