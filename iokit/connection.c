/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/connection.h"
#include "iokit/process.h"

#include <iokit-user/client.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapping {
	LIST_ENTRY(mapping) link;
	uint32_t memory_type;
	void *address; /* NULL: a descriptor that was copied to the program */
	size_t size;
	/* Which part of which file it is. */
	dev_t device;
	ino_t inode;
	uint64_t offset;
};

struct connection {
	struct iou_object object;
	const struct iou_transport *transport;
	void *state;
	pid_t owner;
	/* The lock makes calls one at a time, and guards the mappings and closed. */
	pthread_mutex_t lock;
	bool closed;
	LIST_HEAD(, mapping) mappings;
};

static void mapping_free(struct mapping *mapping)
{
	LIST_REMOVE(mapping, link);
	if (mapping->address)
		munmap(mapping->address, mapping->size);
	free(mapping);
}

/* Unmap its memory and close the transport. It is locked, or this is its last reference. */
static void close_down(struct connection *connection)
{
	struct mapping *mapping;

	connection->closed = true;
	while ((mapping = LIST_FIRST(&connection->mappings)))
		mapping_free(mapping);
	connection->transport->close(connection->state);
}

static void connection_free(struct iou_object *object)
{
	struct connection *connection = (struct connection *)object;

	/* Where IOObjectRelease() dropped the last name, IOServiceClose() has not been called. */
	if (!connection->closed && connection->owner == iou_process_id())
		close_down(connection);
	pthread_mutex_destroy(&connection->lock);
	free(connection);
}

io_connect_t iou_connection_create(const struct iou_transport *transport, void *state)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection) {
		transport->close(state);
		return IO_OBJECT_NULL;
	}
	iou_object_init(&connection->object, IOU_CONNECTION, connection_free);
	connection->transport = transport;
	connection->state = state;
	connection->owner = iou_process_id();
	pthread_mutex_init(&connection->lock, NULL);
	LIST_INIT(&connection->mappings);
	/* Without a name the connection is freed, and so closed, at once. */
	return iou_name_create(&connection->object);
}

/*
 * Look a connection up and lock it. kIOReturnBadArgument for an unknown or closed one;
 * kIOReturnNotPermitted in another process than the one that opened it.
 */
static kern_return_t connection_lock(io_connect_t connect, struct connection **found)
{
	struct connection *connection = iou_name_lookup(connect, IOU_CONNECTION);
	kern_return_t status = kIOReturnBadArgument;

	if (!connection)
		return status;
	if (connection->owner != iou_process_id()) {
		/* Before its lock, which another thread of the parent may have held at fork(). */
		status = kIOReturnNotPermitted;
	} else {
		pthread_mutex_lock(&connection->lock);
		if (!connection->closed) {
			*found = connection;
			return kIOReturnSuccess;
		}
		pthread_mutex_unlock(&connection->lock);
	}
	iou_object_release(&connection->object);
	return status;
}

static void connection_unlock(struct connection *connection)
{
	pthread_mutex_unlock(&connection->lock);
	iou_object_release(&connection->object);
}

kern_return_t IOServiceClose(io_connect_t connect)
{
	struct connection *connection;
	kern_return_t status = connection_lock(connect, &connection);

	if (status != kIOReturnSuccess)
		return status;
	close_down(connection);
	connection_unlock(connection);
	/* A close releases all references that the program has to the name. */
	while (iou_name_release(connect, IOU_CONNECTION) == kIOReturnSuccess)
		;
	return kIOReturnSuccess;
}

/* At most @max, and 0 where the program gave no buffer or no count: the rest stays unused. */
static size_t clamp_room(const void *buffer, size_t room, size_t max)
{
	if (!buffer)
		return 0;
	return room < max ? room : max;
}

static kern_return_t call(io_connect_t connect, struct iouser_arguments *arguments,
	const struct iou_wake *wake, uint32_t *output_count, size_t *output_struct_size)
{
	struct connection *connection;
	kern_return_t status;

	if (arguments->descriptor_count > IOUSER_DESCRIPTORS_MAX ||
		(arguments->descriptor_count && !arguments->descriptors) ||
		arguments->scalar_input_count > IOUSER_SCALARS_MAX ||
		(arguments->scalar_input_count && !arguments->scalar_input) ||
		arguments->structure_input_size > IOUSER_STRUCT_MAX ||
		(arguments->structure_input_size && !arguments->structure_input))
		return kIOReturnBadArgument;
	arguments->scalar_output_room = (uint32_t)clamp_room(
		arguments->scalar_output, output_count ? *output_count : 0, IOUSER_SCALARS_MAX);
	arguments->structure_output_room = clamp_room(arguments->structure_output,
		output_struct_size ? *output_struct_size : 0, IOUSER_STRUCT_MAX);
	status = connection_lock(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	status = connection->transport->call(connection->state, arguments, wake);
	connection_unlock(connection);
	if (output_count)
		*output_count = status == kIOReturnSuccess ? arguments->scalar_output_count : 0;
	if (output_struct_size)
		*output_struct_size =
			status == kIOReturnSuccess ? arguments->structure_output_size : 0;
	return status;
}

kern_return_t IOUserConnectCallDescriptors(io_connect_t connect, uint32_t selector,
	const uint64_t *input, uint32_t input_count, const void *input_struct,
	size_t input_struct_size, uint64_t *output, uint32_t *output_count, void *output_struct,
	size_t *output_struct_size, const int *descriptors, uint32_t descriptor_count)
{
	const struct iou_wake synchronous = { .fd = -1 };
	struct iouser_arguments arguments = {
		.selector = selector,
		.scalar_input = input,
		.scalar_input_count = input_count,
		.structure_input = input_struct,
		.structure_input_size = input_struct_size,
		.descriptors = descriptors,
		.descriptor_count = descriptor_count,
		.scalar_output = output,
		.structure_output = output_struct,
	};

	return call(connect, &arguments, &synchronous, output_count, output_struct_size);
}

kern_return_t IOConnectCallMethod(mach_port_t connect, uint32_t selector, const uint64_t *input,
	uint32_t input_count, const void *input_struct, size_t input_struct_size, uint64_t *output,
	uint32_t *output_count, void *output_struct, size_t *output_struct_size)
{
	return IOUserConnectCallDescriptors(connect, selector, input, input_count, input_struct,
		input_struct_size, output, output_count, output_struct, output_struct_size, NULL,
		0);
}

kern_return_t IOConnectCallScalarMethod(mach_port_t connect, uint32_t selector,
	const uint64_t *input, uint32_t input_count, uint64_t *output, uint32_t *output_count)
{
	return IOConnectCallMethod(
		connect, selector, input, input_count, NULL, 0, output, output_count, NULL, NULL);
}

kern_return_t IOConnectCallStructMethod(mach_port_t connect, uint32_t selector,
	const void *input_struct, size_t input_struct_size, void *output_struct,
	size_t *output_struct_size)
{
	return IOConnectCallMethod(connect, selector, NULL, 0, input_struct, input_struct_size,
		NULL, NULL, output_struct, output_struct_size);
}

kern_return_t IOConnectCallAsyncMethod(mach_port_t connect, uint32_t selector,
	mach_port_t wake_port, uint64_t *reference, uint32_t reference_count, const uint64_t *input,
	uint32_t input_count, const void *input_struct, size_t input_struct_size, uint64_t *output,
	uint32_t *output_count, void *output_struct, size_t *output_struct_size)
{
	struct iouser_arguments arguments = {
		.selector = selector,
		.scalar_input = input,
		.scalar_input_count = input_count,
		.structure_input = input_struct,
		.structure_input_size = input_struct_size,
		.scalar_output = output,
		.structure_output = output_struct,
	};
	struct IONotificationPort *port;
	struct iou_wake wake;
	kern_return_t status;

	if (!reference || reference_count < kIOAsyncCalloutCount || reference_count > 8)
		return kIOReturnBadArgument;
	status = iou_port_add_call(wake_port, reference, reference_count, &port, &wake);
	if (status != kIOReturnSuccess)
		return status;
	status = call(connect, &arguments, &wake, output_count, output_struct_size);
	if (status != kIOReturnSuccess)
		iou_port_remove_call(port, wake.token);
	iou_port_release(port);
	return status;
}

kern_return_t IOConnectCallAsyncScalarMethod(mach_port_t connect, uint32_t selector,
	mach_port_t wake_port, uint64_t *reference, uint32_t reference_count, const uint64_t *input,
	uint32_t input_count, uint64_t *output, uint32_t *output_count)
{
	return IOConnectCallAsyncMethod(connect, selector, wake_port, reference, reference_count,
		input, input_count, NULL, 0, output, output_count, NULL, NULL);
}

/* Whether the driver's answer describes part of a file. */
static bool memory_is_valid(const struct iouser_memory *memory)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return memory->size && memory->size <= SIZE_MAX / 2 && memory->offset <= INT64_MAX &&
	       memory->size <= INT64_MAX - memory->offset && memory->hole <= memory->size &&
	       memory->hole_size <= memory->size - memory->hole && memory->hole % page == 0 &&
	       memory->hole_size % page == 0;
}

/* Map the memory, with anonymous memory in the place of its hole; NULL on failure. */
static void *map_memory(const struct iouser_memory *memory)
{
	size_t size = (size_t)memory->size, hole = (size_t)memory->hole;
	size_t after = hole + (size_t)memory->hole_size;
	int protection = memory->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	char *all = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return NULL;
	if ((hole && mmap(all, hole, protection, MAP_SHARED | MAP_FIXED, memory->fd,
			     (off_t)memory->offset) == MAP_FAILED) ||
		(after < size &&
			mmap(all + after, size - after, protection, MAP_SHARED | MAP_FIXED,
				memory->fd, (off_t)(memory->offset + after)) == MAP_FAILED)) {
		munmap(all, size);
		return NULL;
	}
	return all;
}

/* Record in a mapping which part of which file the memory is. */
static bool identify(struct mapping *mapping, const struct iouser_memory *memory)
{
	struct stat file;

	if (fstat(memory->fd, &file) != 0)
		return false;
	mapping->device = file.st_dev;
	mapping->inode = file.st_ino;
	mapping->offset = memory->offset;
	mapping->size = (size_t)memory->size;
	return true;
}

/*
 * Get memory from the driver and record it in the connection: mapped at *@address, or, where
 * @address is NULL, as a descriptor that the caller owns. After a failure the driver counts
 * no mapping, and no descriptor is open.
 */
static kern_return_t copy_memory(struct connection *connection, uint32_t memory_type,
	struct iouser_memory *memory, void **address)
{
	struct mapping *mapping;
	kern_return_t status = connection->transport->map(connection->state, memory_type, memory);

	if (status != kIOReturnSuccess)
		return status;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		status = kIOReturnNoMemory;
	else if (!memory_is_valid(memory) || !identify(mapping, memory))
		status = kIOReturnVMError;
	else if (!address && memory->read_only)
		status = kIOReturnNotPermitted; /* the descriptor may allow writes */
	if (status == kIOReturnSuccess && address) {
		*address = map_memory(memory);
		status = *address ? kIOReturnSuccess : kIOReturnVMError;
		mapping->address = *address;
	}
	if (status != kIOReturnSuccess || address)
		close(memory->fd);
	if (status == kIOReturnSuccess) {
		mapping->memory_type = memory_type;
		LIST_INSERT_HEAD(&connection->mappings, mapping, link);
	} else {
		free(mapping);
		connection->transport->unmapped(connection->state, memory_type);
	}
	return status;
}

kern_return_t IOConnectMapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t into_task, mach_vm_address_t *address, mach_vm_size_t *size,
	IOOptionBits options)
{
	struct connection *connection;
	struct iouser_memory memory;
	kern_return_t status;
	void *mapped;

	if (!address || !size || into_task != mach_task_self())
		return kIOReturnBadArgument;
	if (!(options & kIOMapAnywhere))
		return kIOReturnUnsupported;
	status = connection_lock(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	status = copy_memory(connection, memory_type, &memory, &mapped);
	connection_unlock(connection);
	/* Apple's kernel gets no reason from a driver that returns no memory. */
	if (status != kIOReturnSuccess)
		return kIOReturnBadArgument;
	*address = (uintptr_t)mapped;
	*size = memory.size;
	return kIOReturnSuccess;
}

kern_return_t IOUserConnectCopyMemoryDescriptor(io_connect_t connect, uint32_t memory_type,
	int *out_fd, uint64_t *out_offset, uint64_t *out_size)
{
	struct connection *connection;
	struct iouser_memory memory;
	kern_return_t status;

	if (!out_fd || !out_offset || !out_size)
		return kIOReturnBadArgument;
	status = connection_lock(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	status = copy_memory(connection, memory_type, &memory, NULL);
	connection_unlock(connection);
	if (status == kIOReturnSuccess) {
		*out_fd = memory.fd;
		*out_offset = memory.offset;
		*out_size = memory.size;
	}
	return status;
}

/* The mapping of that type at @address, or a copy of the descriptor with NULL; or NULL. */
static struct mapping *find_mapping(
	const struct connection *connection, uint32_t memory_type, const void *address)
{
	struct mapping *mapping;

	LIST_FOREACH (mapping, &connection->mappings, link)
		if (mapping->memory_type == memory_type && mapping->address == address)
			break;
	return mapping;
}

/* End a mapping, here and in the driver's count. kIOReturnBadArgument for NULL. */
static kern_return_t unmap(struct connection *connection, struct mapping *mapping)
{
	uint32_t memory_type;

	if (!mapping)
		return kIOReturnBadArgument;
	memory_type = mapping->memory_type;
	mapping_free(mapping);
	connection->transport->unmapped(connection->state, memory_type);
	return kIOReturnSuccess;
}

/* Whether the driver's answer is the memory that the mapping has. */
static bool is_same_memory(const struct mapping *mapping, const struct iouser_memory *memory)
{
	struct mapping now;

	return memory_is_valid(memory) && identify(&now, memory) && now.device == mapping->device &&
	       now.inode == mapping->inode && now.offset == mapping->offset &&
	       now.size == mapping->size;
}

kern_return_t IOConnectUnmapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t from_task, mach_vm_address_t address)
{
	struct connection *connection;
	struct iouser_memory memory;
	struct mapping *mapping;
	kern_return_t status;

	if (from_task != mach_task_self() || !address)
		return kIOReturnBadArgument;
	status = connection_lock(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	/*
	 * As Apple's kernel does: ask the driver for the memory, which counts as mapped once more
	 * meanwhile, and unmap what it returns. What it does not return stays mapped.
	 */
	status = connection->transport->map(connection->state, memory_type, &memory);
	if (status == kIOReturnSuccess) {
		mapping = find_mapping(connection, memory_type, (void *)(uintptr_t)address);
		if (mapping && !is_same_memory(mapping, &memory))
			mapping = NULL;
		close(memory.fd);
		connection->transport->unmapped(connection->state, memory_type);
		status = unmap(connection, mapping);
	}
	connection_unlock(connection);
	return status;
}

kern_return_t IOUserConnectReturnMemoryDescriptor(io_connect_t connect, uint32_t memory_type)
{
	struct connection *connection;
	kern_return_t status = connection_lock(connect, &connection);

	if (status != kIOReturnSuccess)
		return status;
	status = unmap(connection, find_mapping(connection, memory_type, NULL));
	connection_unlock(connection);
	return status;
}
