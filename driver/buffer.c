/* SPDX-License-Identifier: BSD-3-Clause */
/* The DMA buffer of a client: memory that the driver allocates and maps for the device. */
#include "driver/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The largest page size of hosts and IOMMUs. An IOMMU that preserves the offset within the page
 * can then align the bus address as requested.
 */
#define BUFFER_PAGE UINT64_C(16384)
/* The buffer is one segment, of the size that every IOMMU can map. */
#define BUFFER_MAX DEXT_CHUNK_MAX

/* dma_owner.free: no access to the memory is in progress. */
static void release(struct dma_owner *owner)
{
	struct dma_buffer *buffer = (struct dma_buffer *)owner;

	if (buffer->address)
		munmap(buffer->address, (size_t)buffer->size);
	if (buffer->fd >= 0)
		close(buffer->fd);
	free(buffer);
}

/* Map it at a multiple of BUFFER_PAGE, within a larger reservation that is trimmed. */
static void *map_aligned(int fd, uint64_t size)
{
	char *reserved = mmap(NULL, (size_t)(size + BUFFER_PAGE), PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t before, after;
	void *mapped;

	if (reserved == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)reserved % BUFFER_PAGE;
	after = BUFFER_PAGE - before;
	mapped = mmap(reserved + before, (size_t)size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_FIXED, fd, 0);
	if (before)
		munmap(reserved, (size_t)before);
	munmap(reserved + before + size, (size_t)after);
	if (mapped != MAP_FAILED)
		return mapped;
	munmap(reserved + before, (size_t)size);
	return NULL;
}

/* Memory that the client, which gets its descriptor, cannot truncate; NULL when out of memory. */
static struct dma_buffer *allocate(uint64_t size)
{
	struct dma_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	atomic_init(&buffer->owner.references, 1);
	buffer->owner.free = release;
	buffer->size = size;
	buffer->fd = memfd_create("dext-dma-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (buffer->fd >= 0 && ftruncate(buffer->fd, (off_t)size) == 0 &&
		fcntl(buffer->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		buffer->address = map_aligned(buffer->fd, size);
	if (buffer->address)
		return buffer;
	dma_owner_put(&buffer->owner);
	return NULL;
}

static kern_return_t map_buffer(
	struct pci_provider *provider, struct dma_buffer *buffer, uint64_t alignment)
{
	const struct dma_span span = {
		.length = buffer->size,
		.host = buffer->address,
		.writable = true,
	};
	const struct dma_request request = {
		.anywhere = true,
		.alignment = alignment,
		.length = buffer->size,
		.spans = &span,
		.span_count = 1,
		.owner = &buffer->owner,
	};
	kern_return_t status = provider->ops->dma_map(provider, &request, &buffer->segment);

	if (status != kIOReturnSuccess)
		return status;
	if (buffer->segment.length == buffer->size && buffer->segment.bus_address % alignment == 0)
		return kIOReturnSuccess;
	provider->ops->dma_unmap(provider, &buffer->segment);
	return kIOReturnNotAligned;
}

kern_return_t dext_handle_AllocateDMABuffer(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	uint64_t alignment = in[1] ? in[1] : 4096;
	struct dma_buffer *buffer;
	kern_return_t status;

	(void)arguments;
	if (!in[0] || in[0] > BUFFER_MAX || (alignment & (alignment - 1)))
		return kIOReturnBadArgument;
	if (client->buffer)
		return kIOReturnStillOpen;
	if (!dext_check_quota(client, in[0]))
		return kIOReturnNoResources;
	buffer = allocate((in[0] + BUFFER_PAGE - 1) & ~(BUFFER_PAGE - 1));
	if (!buffer)
		return kIOReturnNoMemory;
	status = map_buffer(driver->provider, buffer, alignment);
	if (status != kIOReturnSuccess) {
		dma_owner_put(&buffer->owner);
		return status;
	}
	client->buffer = buffer;
	atomic_fetch_add(&client->bytes_wired, client->buffer->size);
	out[DEXT_BUFFER_SIZE] = client->buffer->size;
	out[DEXT_BUFFER_FLAGS] = DEXT_DMA_DEVICE_READS | DEXT_DMA_DEVICE_WRITES;
	out[DEXT_BUFFER_SEGMENTS] = 1;
	out[DEXT_BUFFER_ADDRESS] = client->buffer->segment.bus_address;
	out[DEXT_BUFFER_LENGTH] = client->buffer->segment.length;
	out[DEXT_BUFFER_CLASS_CODE] = driver->class_code;
	return kIOReturnSuccess;
}

void dext_drop_buffer(struct dext_client *client)
{
	struct pci_provider *provider = client->driver->provider;

	if (!client->buffer)
		return;
	provider->ops->dma_unmap(provider, &client->buffer->segment);
	atomic_fetch_sub(&client->bytes_wired, client->buffer->size);
	dma_owner_put(&client->buffer->owner);
	client->buffer = NULL;
}

kern_return_t dext_handle_FreeDMABuffer(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	(void)in, (void)out, (void)arguments;
	if (!client->buffer)
		return kIOReturnNotFound;
	dext_drop_buffer(client);
	return kIOReturnSuccess;
}

kern_return_t dext_buffer_memory(struct dext_client *client, struct iouser_memory *memory)
{
	if (!client->buffer)
		return kIOReturnNotReady;
	*memory = (struct iouser_memory){ .fd = client->buffer->fd, .size = client->buffer->size };
	return kIOReturnSuccess;
}
