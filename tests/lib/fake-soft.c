/* SPDX-License-Identifier: BSD-3-Clause */
/* A fake of the framework of software devices. One lock protects the RAM and the records. */
#include "tests/lib/fake-soft.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct soft_device {
	const struct soft_model *model;
	void *state;
	struct soft_identity identity;
	uint8_t *bar;
	unsigned msi_vectors, msix_vectors;
	pthread_mutex_t lock;
	uint8_t *ram;
	bool bus_master;
	unsigned irqs[DEXT_VECTORS_MAX];
	uint64_t dma_count, dma_faults;
	int file_error;
	bool uncached;
	char log[512];
	unsigned log_lines;
	void (*hook)(void *context);
	void *hook_context;
	void (*write_hook)(void *context);
	void *write_hook_context;
	void (*read_hook)(void *context, uint64_t address);
	void *read_hook_context;
};

/* --- The device ------------------------------------------------------------------- */

struct soft_device *fake_soft_create(
	const struct soft_model *model, const char *text, struct spec_error *error)
{
	struct soft_device *device = calloc(1, sizeof(*device));
	struct device_spec spec;
	bool parsed, created;

	parsed = spec_parse(text, &spec, error);
	assert(device && parsed);
	device->model = model;
	device->bus_master = true;
	device->ram = calloc(1, FAKE_SOFT_RAM_SIZE);
	assert(device->ram);
	pthread_mutex_init(&device->lock, NULL);
	created = model->create(device, &spec, error);
	spec_free(&spec);
	if (created)
		return device;
	device->model = NULL;
	fake_soft_destroy(device);
	return NULL;
}

void fake_soft_destroy(struct soft_device *device)
{
	if (device->model)
		device->model->destroy(device);
	pthread_mutex_destroy(&device->lock);
	free(device->bar);
	free(device->ram);
	free(device);
}

void soft_set_private(struct soft_device *device, void *state)
{
	device->state = state;
}

void *soft_private(struct soft_device *device)
{
	return device->state;
}

void soft_set_identity(struct soft_device *device, const struct soft_identity *identity)
{
	device->identity = *identity;
}

void soft_set_memory_lock(struct soft_device *device, pthread_mutex_t *lock)
{
	(void)device, (void)lock;
}

void *soft_add_bar(struct soft_device *device, unsigned bar, uint64_t size, uint8_t type,
	enum soft_bar_memory memory, struct spec_error *error)
{
	assert(bar == 0 && memory == SOFT_BAR_SHARED && type == DEXT_BAR_MEM64);
	assert(size >= 16384 && (size & (size - 1)) == 0);
	device->bar = aligned_alloc(4096, size);
	if (!device->bar)
		spec_fail(error, "out of memory");
	else
		memset(device->bar, 0, size);
	return device->bar;
}

unsigned soft_add_pm_capability(struct soft_device *device)
{
	(void)device;
	return 0x40;
}

unsigned soft_add_pcie_capability(struct soft_device *device, bool flr)
{
	(void)device;
	assert(flr);
	return 0x48;
}

unsigned soft_add_msi_capability(struct soft_device *device, unsigned vectors)
{
	device->msi_vectors = vectors;
	return 0x84;
}

unsigned soft_add_msix_capability(struct soft_device *device, unsigned vectors, unsigned table_bar,
	uint32_t table_offset, unsigned pba_bar, uint32_t pba_offset)
{
	assert(table_bar == 0 && table_offset % 4096 == 0);
	assert(pba_bar == 0 && pba_offset % 4096 == 0);
	device->msix_vectors = vectors;
	return 0x84;
}

/* --- Operation ---------------------------------------------------------------------- */

/* The lock is held. Return: the RAM at that address, NULL for a master abort. */
static uint8_t *ram_at(struct soft_device *device, uint64_t address, size_t length)
{
	device->dma_count++;
	if (device->bus_master && address >= FAKE_SOFT_RAM_BASE && length <= FAKE_SOFT_RAM_SIZE &&
		address - FAKE_SOFT_RAM_BASE <= FAKE_SOFT_RAM_SIZE - length)
		return device->ram + (address - FAKE_SOFT_RAM_BASE);
	device->dma_faults++;
	return NULL;
}

static bool copy(
	struct soft_device *device, uint64_t address, void *to, const void *from, size_t length)
{
	pthread_mutex_lock(&device->lock);
	uint8_t *ram = ram_at(device, address, length);

	if (ram)
		memcpy(to ? to : ram, from ? from : ram, length);
	pthread_mutex_unlock(&device->lock);
	return ram;
}

bool soft_dma_read(struct soft_device *device, uint64_t bus_address, void *buffer, size_t length)
{
	pthread_mutex_lock(&device->lock);
	void (*hook)(void *context, uint64_t address) = device->read_hook;
	void *context = device->read_hook_context;
	pthread_mutex_unlock(&device->lock);
	if (hook)
		hook(context, bus_address);
	return copy(device, bus_address, buffer, NULL, length);
}

bool soft_dma_write(
	struct soft_device *device, uint64_t bus_address, const void *buffer, size_t length)
{
	bool done = copy(device, bus_address, NULL, buffer, length);

	pthread_mutex_lock(&device->lock);
	void (*hook)(void *context) = device->write_hook;
	void *context = device->write_hook_context;
	pthread_mutex_unlock(&device->lock);
	if (hook)
		hook(context);
	return done;
}

static void *run_worker(void *argument)
{
	struct soft_worker *worker = argument;

	worker->main(worker->model);
	return NULL;
}

int soft_worker_start(struct soft_device *device, struct soft_worker *worker,
	void (*main)(void *model), void (*discard)(void *model), void *model)
{
	(void)device;
	worker->main = main;
	worker->discard = discard;
	worker->model = model;
	return pthread_create(&worker->thread, NULL, run_worker, worker);
}

void soft_worker_join(struct soft_worker *worker)
{
	pthread_join(worker->thread, NULL);
}

static int file_result(ssize_t moved, size_t length)
{
	if (moved < 0)
		return -errno;
	return (size_t)moved == length ? 0 : -EIO;
}

/* The lock is held. */
static int move_segment(struct soft_device *device, const struct dma_segment *segment, int fd,
	uint64_t offset, bool from_file)
{
	size_t length = (size_t)segment->length;
	uint8_t *ram = ram_at(device, segment->bus_address, length);

	if (!ram)
		return -EFAULT;
	if (device->file_error)
		return device->file_error;
	return file_result(from_file ? pread(fd, ram, length, (off_t)offset) :
				       pwrite(fd, ram, length, (off_t)offset),
		length);
}

static int move_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset, bool from_file)
{
	int result = 0;

	pthread_mutex_lock(&device->lock);
	void (*hook)(void *context) = device->hook;
	void *context = device->hook_context;
	pthread_mutex_unlock(&device->lock);
	if (hook)
		hook(context);
	pthread_mutex_lock(&device->lock);
	for (size_t i = 0; i < count && result == 0; i++) {
		result = move_segment(device, &segments[i], fd, offset, from_file);
		offset += segments[i].length;
	}
	pthread_mutex_unlock(&device->lock);
	return result;
}

int soft_dma_from_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset, bool may_wait)
{
	pthread_mutex_lock(&device->lock);
	bool waits = device->uncached && !may_wait;
	pthread_mutex_unlock(&device->lock);
	if (waits)
		return -EAGAIN;
	return move_file(device, segments, count, fd, offset, true);
}

int soft_dma_to_file(struct soft_device *device, const struct dma_segment *segments, size_t count,
	int fd, uint64_t offset)
{
	return move_file(device, segments, count, fd, offset, false);
}

void soft_irq_raise(struct soft_device *device, unsigned vector)
{
	assert(vector < DEXT_VECTORS_MAX);
	pthread_mutex_lock(&device->lock);
	device->irqs[vector]++;
	pthread_mutex_unlock(&device->lock);
}

bool soft_bus_master(struct soft_device *device)
{
	pthread_mutex_lock(&device->lock);
	bool on = device->bus_master;
	pthread_mutex_unlock(&device->lock);
	return on;
}

const char *soft_name(const struct soft_device *device)
{
	(void)device;
	return "nvme 01:00.0";
}

void soft_log(struct soft_device *device, const char *format, ...)
{
	(void)device;
	(void)format;
}

void soft_log_always(struct soft_device *device, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	pthread_mutex_lock(&device->lock);
	vsnprintf(device->log, sizeof(device->log), format, args);
	device->log_lines++;
	pthread_mutex_unlock(&device->lock);
	va_end(args);
}

unsigned fake_soft_log(struct soft_device *device, char *line, size_t size)
{
	pthread_mutex_lock(&device->lock);
	unsigned lines = device->log_lines;
	snprintf(line, size, "%s", device->log);
	pthread_mutex_unlock(&device->lock);
	return lines;
}

/* --- For the tests ---------------------------------------------------------------- */

void fake_soft_reset(struct soft_device *device)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 60;
	done = device->model->reset(device, &until);
	assert(done);
}

uint8_t *fake_soft_bar(struct soft_device *device)
{
	return device->bar;
}

const struct soft_identity *fake_soft_identity(struct soft_device *device)
{
	return &device->identity;
}

unsigned fake_soft_msi_vectors(struct soft_device *device)
{
	return device->msi_vectors;
}

unsigned fake_soft_msix_vectors(struct soft_device *device)
{
	return device->msix_vectors;
}

static uint8_t *host_ram(struct soft_device *device, uint64_t address, size_t length)
{
	assert(address >= FAKE_SOFT_RAM_BASE &&
		address - FAKE_SOFT_RAM_BASE + length <= FAKE_SOFT_RAM_SIZE);
	return device->ram + (address - FAKE_SOFT_RAM_BASE);
}

void fake_soft_ram_read(struct soft_device *device, uint64_t address, void *buffer, size_t length)
{
	pthread_mutex_lock(&device->lock);
	memcpy(buffer, host_ram(device, address, length), length);
	pthread_mutex_unlock(&device->lock);
}

void fake_soft_ram_write(
	struct soft_device *device, uint64_t address, const void *buffer, size_t length)
{
	pthread_mutex_lock(&device->lock);
	memcpy(host_ram(device, address, length), buffer, length);
	pthread_mutex_unlock(&device->lock);
}

unsigned fake_soft_irqs(struct soft_device *device, unsigned vector)
{
	pthread_mutex_lock(&device->lock);
	unsigned count = device->irqs[vector];
	pthread_mutex_unlock(&device->lock);
	return count;
}

uint64_t fake_soft_dma_count(struct soft_device *device)
{
	pthread_mutex_lock(&device->lock);
	uint64_t count = device->dma_count;
	pthread_mutex_unlock(&device->lock);
	return count;
}

uint64_t fake_soft_dma_faults(struct soft_device *device)
{
	pthread_mutex_lock(&device->lock);
	uint64_t count = device->dma_faults;
	pthread_mutex_unlock(&device->lock);
	return count;
}

void fake_soft_set_bus_master(struct soft_device *device, bool on)
{
	pthread_mutex_lock(&device->lock);
	device->bus_master = on;
	pthread_mutex_unlock(&device->lock);
	if (device->model->command_changed)
		device->model->command_changed(device, on ? 6 : 2);
}

void fake_soft_fail_files(struct soft_device *device, int error)
{
	pthread_mutex_lock(&device->lock);
	device->file_error = error;
	pthread_mutex_unlock(&device->lock);
}

void fake_soft_set_uncached(struct soft_device *device, bool uncached)
{
	pthread_mutex_lock(&device->lock);
	device->uncached = uncached;
	pthread_mutex_unlock(&device->lock);
}

void fake_soft_on_write(struct soft_device *device, void (*hook)(void *context), void *context)
{
	pthread_mutex_lock(&device->lock);
	device->write_hook = hook;
	device->write_hook_context = context;
	pthread_mutex_unlock(&device->lock);
}

void fake_soft_on_read(
	struct soft_device *device, void (*hook)(void *context, uint64_t address), void *context)
{
	pthread_mutex_lock(&device->lock);
	device->read_hook = hook;
	device->read_hook_context = context;
	pthread_mutex_unlock(&device->lock);
}

void fake_soft_on_file(struct soft_device *device, void (*hook)(void *context), void *context)
{
	pthread_mutex_lock(&device->lock);
	device->hook = hook;
	device->hook_context = context;
	pthread_mutex_unlock(&device->lock);
}
