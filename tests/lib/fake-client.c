/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/fake-client.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTION 0x77u /* the first one; each restart changes it */

struct AppleDextInterruptNotify {
	void (*handler)(void *opaque);
	void *opaque;
	bool armed, ending, running;
	pthread_t thread;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Protected by the lock. */
static struct fake_client state;
static uint64_t pending[DEXT_IRQ_WORDS];
static bool interrupts;
static io_connect_t connection_now;
static struct AppleDextInterruptNotify *current;
static int bar_fds[DEXT_BARS];

static const struct {
	uint64_t size;
	uint8_t type;
} bars[DEXT_BARS] = {
	[0] = { FAKE_BAR0_SIZE, DEXT_BAR_MEM64 },
	[2] = { FAKE_BAR2_SIZE, DEXT_BAR_IO },
	[4] = { FAKE_BAR4_SIZE, 0 },
};

struct fake_client *fake_client_lock(void)
{
	pthread_mutex_lock(&lock);
	return &state;
}

void fake_client_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static void put(uint64_t offset, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		state.config[offset + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(uint64_t offset, uint64_t width)
{
	uint64_t value = 0;

	for (uint64_t i = 0; i < width; i++)
		value |= (uint64_t)state.config[offset + i] << (8 * i);
	return value;
}

static void fill_config(void)
{
	static const struct {
		uint16_t offset;
		uint8_t width;
		uint32_t value;
	} registers[] = {
		{ 0x00, 4, 0x00101b36 },
		{ 0x04, 2, 0x0006 },
		{ 0x06, 2, 0x0010 },
		{ 0x08, 4, 0x01080201 },
		{ 0x34, 1, FAKE_PM },
		{ 0x3c, 2, 0x0105 },
		{ FAKE_PM, 4, 0x00030001 | FAKE_MSI << 8 },
		{ FAKE_PM + 4, 4, 0x8000 },
		/* 64-bit, with mask bits, 8 messages */
		{ FAKE_MSI, 4, 0x01860005 | FAKE_PCIE << 8 },
		{ FAKE_MSI + 4, 4, 0xfee01000 },
		{ FAKE_MSI + 12, 2, 0x4041 },
		{ FAKE_PCIE, 4, 0x00020010 | FAKE_MSIX << 8 },
		{ FAKE_PCIE + 4, 4, 0x10008000 },
		{ FAKE_PCIE + 8, 4, 0x000f2810 },
		{ FAKE_PCIE + 0x10, 4, 0x10110040 },
		{ FAKE_MSIX, 4, 0x80000011 | FAKE_VENDOR << 8 | (FAKE_MSIX_VECTORS - 1) << 16 },
		{ FAKE_MSIX + 4, 4, FAKE_MSIX_TABLE },
		{ FAKE_MSIX + 8, 4, FAKE_MSIX_PENDING },
		/* the list loops back */
		{ FAKE_VENDOR, 4, 0x00100009 | FAKE_PM << 8 },
		{ FAKE_AER, 4, 0x00010001 | (uint32_t)FAKE_SRIOV << 20 },
		{ FAKE_SRIOV, 4, 0x00010010 },
	};

	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		put(registers[i].offset, registers[i].width, registers[i].value);
}

/* The lock is held. */
static void drop_region(size_t at)
{
	if (state.regions[at].mapping)
		munmap(state.regions[at].mapping, state.regions[at].size);
	state.regions[at] = state.regions[--state.region_count];
}

/* Offset of each BAR in its file. */
#define BAR_OFFSET 0x10000

static void *bar_memory(size_t bar)
{
	void *memory = MAP_FAILED;

	bar_fds[bar] = memfd_create("bar", MFD_CLOEXEC);
	if (bar_fds[bar] >= 0 && ftruncate(bar_fds[bar], BAR_OFFSET + FAKE_BAR0_SIZE) == 0)
		memory = mmap(NULL, bars[bar].size, PROT_READ | PROT_WRITE, MAP_SHARED,
			bar_fds[bar], BAR_OFFSET);
	if (memory == MAP_FAILED)
		abort();
	return memory;
}

static void drop_eventfds(size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		if (state.eventfds[i] >= 0)
			close(state.eventfds[i]);
		state.eventfds[i] = -1;
	}
}

void fake_client_begin(void)
{
	memset(&state, 0, sizeof(state));
	state.gone_result = kIOReturnOffline;
	memset(pending, 0, sizeof(pending));
	interrupts = false;
	connection_now = CONNECTION;
	fill_config();
	state.eventfd_result = kIOReturnUnsupported;
	for (size_t i = 0; i < FAKE_MSIX_VECTORS; i++)
		state.eventfds[i] = -1;
	for (size_t i = 0; i < DEXT_BARS; i++)
		if (bars[i].size != 0)
			state.bars[i] = bar_memory(i);
}

void fake_client_line_only(void)
{
	pthread_mutex_lock(&lock);
	put(FAKE_PM + 1, 1, FAKE_PCIE);
	put(FAKE_PCIE + 1, 1, FAKE_VENDOR);
	pthread_mutex_unlock(&lock);
}

void fake_client_set_line(bool asserted)
{
	pthread_mutex_lock(&lock);
	put(0x06, 1, asserted ? 0x18 : 0x10);
	pthread_mutex_unlock(&lock);
}

void fake_client_end(void)
{
	drop_eventfds(0, FAKE_MSIX_VECTORS);
	for (size_t i = 0; i < DEXT_BARS; i++) {
		if (!state.bars[i])
			continue;
		munmap(state.bars[i], bars[i].size);
		close(bar_fds[i]);
	}
}

void fake_client_stop(void)
{
	pthread_mutex_lock(&lock);
	connection_now++;
	interrupts = false;
	drop_eventfds(0, FAKE_MSIX_VECTORS);
	memset(pending, 0, sizeof(pending));
	memset(state.config, 0, sizeof(state.config));
	fill_config();
	while (state.region_count)
		drop_region(state.region_count - 1);
	state.down = true;
	pthread_mutex_unlock(&lock);
}

void fake_client_restart(void)
{
	pthread_mutex_lock(&lock);
	state.down = false;
	pthread_mutex_unlock(&lock);
}

/* --- Connections ------------------------------------------------------------------ */

/* Lock, and return the result that the test has set for this connection. */
static kern_return_t enter(io_connect_t connection)
{
	pthread_mutex_lock(&lock);
	if (connection == connection_now)
		return state.failure;
	return connection == IO_OBJECT_NULL ? kIOReturnBadArgument : state.gone_result;
}

static kern_return_t leave(kern_return_t result)
{
	pthread_mutex_unlock(&lock);
	return result;
}

io_connect_t apple_dext_connect(uint8_t bus, uint8_t device, uint8_t function)
{
	io_connect_t connection = IO_OBJECT_NULL;

	pthread_mutex_lock(&lock);
	if (bus == 1 && device == 0 && function == 0 && !state.down) {
		state.connects++;
		connection = connection_now;
	}
	pthread_mutex_unlock(&lock);
	return connection;
}

io_connect_t apple_dext_connect_with_root(
	const char *root, uint8_t bus, uint8_t device, uint8_t function)
{
	return strcmp(root, "left") == 0 ? apple_dext_connect(bus, device, function) :
					   IO_OBJECT_NULL;
}

const char *apple_dext_last_error(void)
{
	return "no such device";
}

void apple_dext_disconnect(io_connect_t connection)
{
	if (connection == IO_OBJECT_NULL)
		return;
	pthread_mutex_lock(&lock);
	state.disconnects++;
	pthread_mutex_unlock(&lock);
}

kern_return_t apple_dext_claim_exclusive(io_connect_t connection)
{
	kern_return_t result = enter(connection);

	return leave(result != kIOReturnSuccess ? result : state.claim_result);
}

kern_return_t apple_dext_reset_device(io_connect_t connection)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = state.reset_result;
	if (result == kIOReturnSuccess) {
		state.resets++;
		state.descriptors_at_reset = state.descriptors_out;
		state.master_at_reset = (state.config[4] & 4) != 0;
		state.regions_at_reset = state.region_count;
	}
	return leave(result);
}

/* --- Config space ------------------------------------------------------------------- */

static kern_return_t check_config(uint64_t offset, uint64_t width)
{
	if ((width != 1 && width != 2 && width != 4) || offset > DEXT_CONFIG_SIZE - width)
		return kIOReturnBadArgument;
	return offset % width != 0 ? kIOReturnNotAligned : kIOReturnSuccess;
}

kern_return_t apple_dext_config_read(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t *out_value)
{
	kern_return_t result = enter(connection);
	void (*hook)(void) = NULL;

	if (result == kIOReturnSuccess)
		result = check_config(offset, width);
	if (result == kIOReturnSuccess)
		*out_value = get(offset, width);
	if (offset == 0x06) {
		state.line_reads++;
		hook = state.line_hook;
		state.line_hook = NULL;
	}
	result = leave(result);
	if (hook)
		hook();
	return result;
}

kern_return_t apple_dext_config_read_block(
	io_connect_t connection, uint64_t offset, void *buf, size_t len)
{
	kern_return_t result = enter(connection);

	state.block_reads++;
	if (result == kIOReturnSuccess &&
		(offset > DEXT_CONFIG_SIZE || len > DEXT_CONFIG_SIZE - offset))
		result = kIOReturnBadArgument;
	if (result == kIOReturnSuccess)
		memcpy(buf, state.config + offset, len);
	return leave(result);
}

/* Each write is stored and recorded; the fake has no read-only registers. */
kern_return_t apple_dext_config_write(
	io_connect_t connection, uint64_t offset, uint64_t width, uint64_t value)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = check_config(offset, width);
	if (result == kIOReturnSuccess && value >> (8 * width) != 0)
		result = kIOReturnBadArgument;
	if (result == kIOReturnSuccess) {
		put(offset, (unsigned)width, value);
		if (state.config_write_count < FAKE_WRITES_MAX)
			state.config_writes[state.config_write_count++] =
				(struct fake_client_access){ offset, width, value };
	}
	return leave(result);
}

/* --- BARs --------------------------------------------------------------------------- */

kern_return_t apple_dext_get_bar_info(io_connect_t connection, uint8_t bar, uint8_t *out_mem_idx,
	uint64_t *out_size, uint8_t *out_type)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess && (bar >= DEXT_BARS || bars[bar].size == 0))
		result = kIOReturnNotFound;
	if (result == kIOReturnSuccess) {
		if (out_mem_idx)
			*out_mem_idx = bar / 2;
		if (out_size)
			*out_size = bars[bar].size;
		if (out_type)
			*out_type = bars[bar].type;
	}
	return leave(result);
}

/* What the driver would answer, which IOKit does not pass on when memory is mapped. */
static kern_return_t map_status(uint8_t bar)
{
	if (state.map_result != kIOReturnSuccess)
		return state.map_result;
	return (bars[bar].type & DEXT_BAR_IO) != 0 ? kIOReturnNotReady : kIOReturnSuccess;
}

kern_return_t apple_dext_get_memory_status(
	io_connect_t connection, uint32_t memory_type, kern_return_t *out_status)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = state.memory_status_result;
	if (result == kIOReturnSuccess)
		*out_status = map_status((uint8_t)(memory_type - DEXT_MEMORY_BAR0));
	return leave(result);
}

kern_return_t apple_dext_get_status(io_connect_t connection, AppleDextStatus *out_status)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = state.status_result;
	if (result == kIOReturnSuccess)
		*out_status = (AppleDextStatus){ .polls_bars = state.polls_bars };
	return leave(result);
}

kern_return_t apple_dext_map_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t *out_addr,
	mach_vm_size_t *out_size, uint8_t *out_type)
{
	kern_return_t result = enter(connection);

	(void)out_type;
	if (result == kIOReturnSuccess && map_status(bar) != kIOReturnSuccess)
		result = kIOReturnBadArgument;
	if (result == kIOReturnSuccess) {
		state.mapped_bars++;
		state.maps++;
		*out_addr = (uintptr_t)state.bars[bar];
		*out_size = bars[bar].size;
	}
	return leave(result);
}

kern_return_t apple_dext_unmap_bar(io_connect_t connection, uint8_t bar, mach_vm_address_t addr)
{
	(void)connection;
	pthread_mutex_lock(&lock);
	state.mapped_bars -= addr == (uintptr_t)state.bars[bar];
	pthread_mutex_unlock(&lock);
	return kIOReturnSuccess;
}

kern_return_t apple_dext_copy_bar_descriptor(
	io_connect_t connection, uint8_t bar, int *out_fd, uint64_t *out_offset, uint64_t *out_size)
{
	kern_return_t result = enter(connection);
	void (*hook)(void) = NULL;

	if (result == kIOReturnSuccess)
		result = state.descriptor_result;
	if (result == kIOReturnSuccess && (bars[bar].type & DEXT_BAR_IO) != 0)
		result = kIOReturnNotReady;
	if (result == kIOReturnSuccess) {
		*out_fd = fcntl(bar_fds[bar], F_DUPFD_CLOEXEC, 0);
		*out_offset = BAR_OFFSET + state.descriptor_skew;
		*out_size = bars[bar].size;
		if (*out_fd >= 0)
			state.descriptors_out++;
		else
			result = kIOReturnNoResources;
		hook = state.descriptor_hook;
		state.descriptor_hook = NULL;
	}
	result = leave(result);
	if (hook)
		hook();
	return result;
}

kern_return_t apple_dext_return_bar_descriptor(io_connect_t connection, uint8_t bar)
{
	kern_return_t result = kIOReturnSuccess;

	(void)connection, (void)bar;
	pthread_mutex_lock(&lock);
	if (state.descriptors_out > 0)
		state.descriptors_out--;
	else
		result = kIOReturnBadArgument;
	pthread_mutex_unlock(&lock);
	return result;
}

static kern_return_t bar_call(uint8_t index, uint64_t offset, uint64_t width, uint64_t value)
{
	if (index > 2 || width > 8 || (width & (width - 1)) != 0 || width == 0 ||
		offset > bars[index * 2].size - width)
		return kIOReturnBadArgument;
	if (offset % width != 0)
		return kIOReturnNotAligned;
	if (state.bar_call_count < FAKE_WRITES_MAX)
		state.bar_calls[state.bar_call_count++] =
			(struct fake_client_access){ offset, width, value };
	return kIOReturnSuccess;
}

kern_return_t apple_dext_mmio_read(io_connect_t connection, uint8_t mem_idx, uint64_t offset,
	uint64_t width, uint64_t *out_value)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = bar_call(mem_idx, offset, width, 0);
	*out_value = 0;
	if (result == kIOReturnSuccess)
		memcpy(out_value, state.bars[mem_idx * 2] + offset, width);
	return leave(result);
}

kern_return_t apple_dext_mmio_write(
	io_connect_t connection, uint8_t mem_idx, uint64_t offset, uint64_t width, uint64_t value)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = bar_call(mem_idx, offset, width, value);
	if (result == kIOReturnSuccess)
		memcpy(state.bars[mem_idx * 2] + offset, &value, width);
	return leave(result);
}

/* --- DMA ---------------------------------------------------------------------------- */

/* The lock is held; @result: of enter(). */
static kern_return_t add_region(
	kern_return_t result, const struct fake_client_region *region, uint64_t *bus_address)
{
	if (result == kIOReturnSuccess)
		result = state.register_result;
	for (size_t i = 0; i < state.region_count && result == kIOReturnSuccess; i++)
		if (state.regions[i].iova == region->iova)
			result = kIOReturnStillOpen;
	if (result == kIOReturnSuccess && state.region_count == FAKE_REGIONS_MAX)
		result = kIOReturnNoSpace;
	if (result == kIOReturnSuccess) {
		state.regions[state.region_count++] = *region;
		*bus_address = region->iova + state.bus_offset;
	}
	return result;
}

static kern_return_t register_address(
	io_connect_t connection, const AppleDextDMARequest *request, uint64_t *bus_address)
{
	const struct fake_client_region region = { request->iova, request->client_va, request->size,
		NULL };
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess && !region.va)
		result = kIOReturnBadArgument;
	return leave(add_region(result, &region, bus_address));
}

kern_return_t apple_dext_register_dma_batch(io_connect_t connection,
	const AppleDextDMARequest *requests, size_t count, AppleDextDMAResult *results)
{
	fake_client_lock()->batches++;
	fake_client_unlock();
	for (size_t i = 0; i < count; i++) {
		results[i] = (AppleDextDMAResult){ .segments = 1 };
		results[i].status =
			register_address(connection, &requests[i], &results[i].bus_address);
	}
	return kIOReturnSuccess;
}

/* As the driver checks it. */
static kern_return_t check_file(const AppleDextDMAFile *file)
{
	int mode = fcntl(file->fd, F_GETFL) & O_ACCMODE;
	struct stat status;

	if (fstat(file->fd, &status) != 0 || mode == O_WRONLY ||
		(uint64_t)status.st_size < file->offset + file->size)
		return kIOReturnBadArgument;
	return (file->flags & DEXT_DMA_DEVICE_WRITES) && mode != O_RDWR ? kIOReturnNotPermitted :
									  kIOReturnSuccess;
}

/* As the library: by address where descriptors are not supported, if there is an address. */
static kern_return_t register_file(
	io_connect_t connection, const AppleDextDMAFile *file, uint64_t *bus_address)
{
	const AppleDextDMARequest request = { file->iova, file->client_va, file->size };
	int protection = file->flags & DEXT_DMA_DEVICE_WRITES ? PROT_READ | PROT_WRITE : PROT_READ;
	struct fake_client_region region = { .iova = file->iova, .size = file->size };
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess && state.takes_no_fds) {
		leave(result);
		return file->client_va ? register_address(connection, &request, bus_address) :
					 kIOReturnUnsupported;
	}
	if (result == kIOReturnSuccess)
		result = check_file(file);
	region.mapping =
		mmap(NULL, file->size, protection, MAP_SHARED, file->fd, (off_t)file->offset);
	if (result == kIOReturnSuccess && region.mapping == MAP_FAILED)
		result = kIOReturnVMError;
	region.va = (uintptr_t)region.mapping;
	result = add_region(result, &region, bus_address);
	if (result != kIOReturnSuccess && region.mapping != MAP_FAILED)
		munmap(region.mapping, file->size);
	return leave(result);
}

kern_return_t apple_dext_register_dma_fd(io_connect_t connection, uint64_t iova, int fd,
	uint64_t offset, uint64_t client_va, uint64_t size, uint32_t flags, uint64_t *out_bus_addr,
	uint64_t *out_bus_len)
{
	const AppleDextDMAFile file = { iova, client_va, size, offset, fd, flags };

	(void)out_bus_len;
	return register_file(connection, &file, out_bus_addr);
}

kern_return_t apple_dext_register_dma_fd_batch(io_connect_t connection,
	const AppleDextDMAFile *files, size_t count, AppleDextDMAResult *results)
{
	fake_client_lock()->fd_batches++;
	fake_client_unlock();
	for (size_t i = 0; i < count; i++) {
		results[i] = (AppleDextDMAResult){ .segments = 1 };
		results[i].status = register_file(connection, &files[i], &results[i].bus_address);
	}
	return kIOReturnSuccess;
}

/* The lock is held; @result: of enter(). */
static kern_return_t remove_region(kern_return_t result, uint64_t iova)
{
	size_t at = 0;

	while (at < state.region_count && state.regions[at].iova != iova)
		at++;
	if (result == kIOReturnSuccess && at == state.region_count)
		result = kIOReturnNotFound;
	if (result == kIOReturnSuccess)
		drop_region(at);
	return result;
}

kern_return_t apple_dext_unregister_dma(io_connect_t connection, uint64_t iova)
{
	kern_return_t result = enter(connection);

	state.unregistrations++;
	return leave(remove_region(result, iova));
}

kern_return_t apple_dext_unregister_dma_batch(
	io_connect_t connection, const uint64_t *iovas, size_t count, kern_return_t *statuses)
{
	kern_return_t result = enter(connection);

	state.unregister_batches++;
	for (size_t i = 0; i < count; i++)
		statuses[i] = remove_region(result, iovas[i]);
	return leave(result);
}

/* --- Interrupts ----------------------------------------------------------------------- */

static bool any_pending(void)
{
	return (pending[0] | pending[1] | pending[2] | pending[3]) != 0;
}

static void *notify_thread(void *argument)
{
	struct AppleDextInterruptNotify *notify = argument;

	pthread_mutex_lock(&lock);
	while (!notify->ending) {
		if (!notify->armed || !any_pending()) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		notify->armed = false;
		notify->running = true;
		state.notifications++;
		pthread_mutex_unlock(&lock);
		notify->handler(notify->opaque);
		pthread_mutex_lock(&lock);
		notify->running = false;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

kern_return_t apple_dext_setup_interrupts(io_connect_t connection, uint32_t *out_num_vectors)
{
	kern_return_t result = enter(connection);

	if (out_num_vectors)
		*out_num_vectors = FAKE_MSIX_VECTORS;
	if (result == kIOReturnSuccess)
		result = interrupts ? kIOReturnStillOpen : state.setup_result;
	if (result == kIOReturnSuccess) {
		interrupts = true;
		memset(state.irq_mask, 0xff, sizeof(state.irq_mask));
	}
	return leave(result);
}

kern_return_t apple_dext_set_irq_mask(io_connect_t connection, const uint64_t mask[4])
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		memcpy(state.irq_mask, mask, sizeof(state.irq_mask));
	return leave(result);
}

kern_return_t apple_dext_read_pending_irqs(io_connect_t connection, uint64_t out[4])
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess) {
		memcpy(out, pending, sizeof(pending));
		memset(pending, 0, sizeof(pending));
	}
	return leave(result);
}

kern_return_t apple_dext_interrupt_notify_create_into(io_connect_t connection,
	void (*handler_fn)(void *opaque), void *opaque, AppleDextInterruptNotify **out_notify)
{
	struct AppleDextInterruptNotify *notify = calloc(1, sizeof(*notify));

	(void)connection;
	notify->handler = handler_fn;
	notify->opaque = opaque;
	notify->armed = true;
	pthread_mutex_lock(&lock);
	current = notify;
	pthread_mutex_unlock(&lock);
	*out_notify = notify;
	pthread_create(&notify->thread, NULL, notify_thread, notify);
	return kIOReturnSuccess;
}

kern_return_t apple_dext_interrupt_notify_rearm(AppleDextInterruptNotify *notify)
{
	if (!notify)
		return kIOReturnBadArgument;
	pthread_mutex_lock(&lock);
	notify->armed = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return kIOReturnSuccess;
}

void apple_dext_interrupt_notify_destroy(AppleDextInterruptNotify *notify)
{
	if (!notify)
		return;
	pthread_mutex_lock(&lock);
	notify->ending = true;
	current = NULL;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(notify->thread, NULL);
	free(notify);
}

kern_return_t apple_dext_set_interrupt_eventfds(
	io_connect_t connection, uint32_t first, uint32_t count, const int *eventfds)
{
	kern_return_t result = enter(connection);

	if (result == kIOReturnSuccess)
		result = state.eventfd_result;
	if (result == kIOReturnSuccess) {
		state.eventfd_calls++;
		if (first + count > FAKE_MSIX_VECTORS)
			abort();
		drop_eventfds(first, count);
		for (uint32_t i = 0; eventfds && i < count; i++)
			state.eventfds[first + i] = dup(eventfds[i]);
	}
	return leave(result);
}

void fake_client_fire(unsigned vector)
{
	uint64_t bit = UINT64_C(1) << (vector % 64), one = 1;

	pthread_mutex_lock(&lock);
	if ((state.irq_mask[vector / 64] & bit) != 0 && vector < FAKE_MSIX_VECTORS &&
		state.eventfds[vector] >= 0)
		(void)!write(state.eventfds[vector], &one, sizeof(one));
	else if ((state.irq_mask[vector / 64] & bit) != 0)
		pending[vector / 64] |= bit;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void fake_client_wait_idle(void)
{
	pthread_mutex_lock(&lock);
	/*
	 * While calls fail, the handler reads no pending bits, and after some failures does not
	 * rearm.
	 */
	while (current && state.failure == kIOReturnSuccess &&
		((any_pending() && current->armed) || current->running))
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}
