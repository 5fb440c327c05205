/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/connection.h"
#include "iokit/process.h"

#include <iokit-user/client.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

struct mapping {
	LIST_ENTRY(mapping) link;
	uint32_t memory_type;
	void *address; /* NULL: a descriptor, which the program has */
	size_t size;
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

static void forget(struct mapping *mapping)
{
	LIST_REMOVE(mapping, link);
	if (mapping->address)
		munmap(mapping->address, mapping->size);
	free(mapping);
}

/* Let go of all that the connection holds. It is locked, or nobody has it any more. */
static void close_down(struct connection *connection)
{
	struct mapping *mapping;

	connection->closed = true;
	while ((mapping = LIST_FIRST(&connection->mappings)))
		forget(mapping);
	connection->transport->close(connection->state);
}

static void connection_free(struct iou_object *object)
{
	struct connection *connection = (struct connection *)object;

	/* Its last name can be released without a close: then this is the close. */
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
 * Look a connection up and lock it. kIOReturnBadArgument for what is none or has
 * been closed; kIOReturnNotPermitted in another process than its owner's.
 */
static kern_return_t enter(io_connect_t connect, struct connection **found)
{
	struct connection *connection = iou_name_lookup(connect, IOU_CONNECTION);
	kern_return_t status = kIOReturnSuccess;

	if (!connection)
		return kIOReturnBadArgument;
	if (connection->owner != iou_process_id()) {
		iou_object_release(&connection->object);
		return kIOReturnNotPermitted;
	}
	pthread_mutex_lock(&connection->lock);
	if (connection->closed)
		status = kIOReturnBadArgument;
	if (status != kIOReturnSuccess) {
		pthread_mutex_unlock(&connection->lock);
		iou_object_release(&connection->object);
		return status;
	}
	*found = connection;
	return kIOReturnSuccess;
}

static void leave(struct connection *connection)
{
	pthread_mutex_unlock(&connection->lock);
	iou_object_release(&connection->object);
}

kern_return_t IOServiceClose(io_connect_t connect)
{
	struct connection *connection;
	kern_return_t status = enter(connect, &connection);

	if (status != kIOReturnSuccess)
		return status;
	close_down(connection);
	leave(connection);
	/* Whoever closes gives up all references that the program has to the name. */
	while (iou_name_release(connect, IOU_CONNECTION) == kIOReturnSuccess)
		;
	return kIOReturnSuccess;
}

/* Whether a count without its pointer, or a count past the limits, was given. */
static bool arguments_are_bad(const struct iou_call_args *args)
{
	return args->input_count > IOUSER_SCALARS_MAX || (args->input_count && !args->input) ||
	       args->input_struct_size > IOUSER_STRUCT_MAX ||
	       (args->input_struct_size && !args->input_struct);
}

static kern_return_t call(io_connect_t connect, struct iou_call_args *args, uint32_t *output_count,
	size_t *output_struct_size)
{
	struct connection *connection;
	kern_return_t status;

	/* Room past what a driver can fill is no error: nothing comes there. */
	args->output_count = args->output && output_count ? *output_count : 0;
	if (args->output_count > IOUSER_SCALARS_MAX)
		args->output_count = IOUSER_SCALARS_MAX;
	args->output_struct_size =
		args->output_struct && output_struct_size ? *output_struct_size : 0;
	if (args->output_struct_size > IOUSER_STRUCT_MAX)
		args->output_struct_size = IOUSER_STRUCT_MAX;
	if (arguments_are_bad(args))
		return kIOReturnBadArgument;
	status = enter(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	status = connection->transport->call(connection->state, args);
	leave(connection);
	if (output_count)
		*output_count = status == kIOReturnSuccess ? args->output_count : 0;
	if (output_struct_size)
		*output_struct_size = status == kIOReturnSuccess ? args->output_struct_size : 0;
	return status;
}

kern_return_t IOConnectCallMethod(mach_port_t connect, uint32_t selector, const uint64_t *input,
	uint32_t input_count, const void *input_struct, size_t input_struct_size, uint64_t *output,
	uint32_t *output_count, void *output_struct, size_t *output_struct_size)
{
	struct iou_call_args args = {
		.selector = selector,
		.input = input,
		.input_count = input_count,
		.input_struct = input_struct,
		.input_struct_size = input_struct_size,
		.output = output,
		.output_struct = output_struct,
		.wake = { .fd = -1 },
	};

	return call(connect, &args, output_count, output_struct_size);
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
	struct iou_call_args args = {
		.selector = selector,
		.input = input,
		.input_count = input_count,
		.input_struct = input_struct,
		.input_struct_size = input_struct_size,
		.output = output,
		.output_struct = output_struct,
	};
	struct IONotificationPort *port;
	kern_return_t status;

	if (!reference || reference_count < kIOAsyncCalloutCount || reference_count > 8)
		return kIOReturnBadArgument;
	status = iou_port_expect(wake_port, reference, reference_count, &port, &args.wake);
	if (status != kIOReturnSuccess)
		return status;
	status = call(connect, &args, output_count, output_struct_size);
	if (status != kIOReturnSuccess)
		iou_port_forget(port, args.wake.token);
	iou_port_put(port);
	return status;
}

kern_return_t IOConnectCallAsyncScalarMethod(mach_port_t connect, uint32_t selector,
	mach_port_t wake_port, uint64_t *reference, uint32_t reference_count, const uint64_t *input,
	uint32_t input_count, uint64_t *output, uint32_t *output_count)
{
	return IOConnectCallAsyncMethod(connect, selector, wake_port, reference, reference_count,
		input, input_count, NULL, 0, output, output_count, NULL, NULL);
}

/* Whether what the driver gave can be a part of a file. */
static bool is_sound(const struct iou_map_result *result)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return result->size && result->size <= SIZE_MAX / 2 && result->offset <= INT64_MAX &&
	       result->size <= INT64_MAX - result->offset && result->hole <= result->size &&
	       result->hole_size <= result->size - result->hole && result->hole % page == 0 &&
	       result->hole_size % page == 0;
}

/* What is not the driver's to give is memory of this process alone; or MAP_FAILED. */
static void *map_around_hole(const struct iou_map_result *result, int protection)
{
	size_t size = (size_t)result->size, hole = (size_t)result->hole;
	size_t after = hole + (size_t)result->hole_size;
	char *all = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return all;
	if ((hole && mmap(all, hole, protection, MAP_SHARED | MAP_FIXED, result->fd,
			     (off_t)result->offset) == MAP_FAILED) ||
		(after < size &&
			mmap(all + after, size - after, protection, MAP_SHARED | MAP_FIXED,
				result->fd, (off_t)(result->offset + after)) == MAP_FAILED)) {
		munmap(all, size);
		return MAP_FAILED;
	}
	return all;
}

/* Map what the driver gave and remember it. The connection is locked. */
static kern_return_t map_result(struct connection *connection, uint32_t memory_type,
	const struct iou_map_result *result, IOOptionBits options, struct mapping **mapped)
{
	bool read_only = result->read_only || (options & kIOMapReadOnly);
	struct mapping *mapping;

	if (!is_sound(result))
		return kIOReturnVMError;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return kIOReturnNoMemory;
	mapping->memory_type = memory_type;
	mapping->size = (size_t)result->size;
	mapping->address = map_around_hole(result, read_only ? PROT_READ : PROT_READ | PROT_WRITE);
	if (mapping->address == MAP_FAILED) {
		free(mapping);
		return kIOReturnVMError;
	}
	LIST_INSERT_HEAD(&connection->mappings, mapping, link);
	*mapped = mapping;
	return kIOReturnSuccess;
}

kern_return_t IOConnectMapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t into_task, mach_vm_address_t *address, mach_vm_size_t *size,
	IOOptionBits options)
{
	struct iou_map_result result = { .fd = -1 };
	struct connection *connection;
	struct mapping *mapping;
	kern_return_t status;

	if (!address || !size || into_task != mach_task_self())
		return kIOReturnBadArgument;
	if (!(options & kIOMapAnywhere))
		return kIOReturnUnsupported;
	status = enter(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	status = connection->transport->map(connection->state, memory_type, &result);
	if (status == kIOReturnSuccess) {
		status = map_result(connection, memory_type, &result, options, &mapping);
		close(result.fd);
		if (status == kIOReturnSuccess) {
			*address = (uintptr_t)mapping->address;
			*size = mapping->size;
		} else {
			connection->transport->unmapped(connection->state, memory_type);
		}
	}
	leave(connection);
	return status;
}

/* Undo one mapping at @address, or one copy of the descriptor with NULL. */
static kern_return_t unmap(io_connect_t connect, uint32_t memory_type, const void *address)
{
	struct connection *connection;
	struct mapping *mapping;
	kern_return_t status = enter(connect, &connection);

	if (status != kIOReturnSuccess)
		return status;
	LIST_FOREACH (mapping, &connection->mappings, link)
		if (mapping->memory_type == memory_type && mapping->address == address)
			break;
	if (mapping) {
		forget(mapping);
		connection->transport->unmapped(connection->state, memory_type);
	}
	leave(connection);
	return mapping ? kIOReturnSuccess : kIOReturnBadArgument;
}

kern_return_t IOConnectUnmapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t from_task, mach_vm_address_t address)
{
	if (from_task != mach_task_self() || !address)
		return kIOReturnBadArgument;
	return unmap(connect, memory_type, (void *)(uintptr_t)address);
}

/* Remember that the program has the descriptor. The connection is locked. */
static kern_return_t hand_out(
	struct connection *connection, uint32_t memory_type, const struct iou_map_result *result)
{
	struct mapping *mapping;

	if (!is_sound(result))
		return kIOReturnVMError;
	if (result->read_only)
		return kIOReturnNotPermitted; /* the descriptor may be good for more */
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return kIOReturnNoMemory;
	mapping->memory_type = memory_type;
	LIST_INSERT_HEAD(&connection->mappings, mapping, link);
	return kIOReturnSuccess;
}

kern_return_t IOUserConnectCopyMemoryDescriptor(io_connect_t connect, uint32_t memory_type,
	int *out_fd, uint64_t *out_offset, uint64_t *out_size)
{
	struct iou_map_result result = { .fd = -1 };
	struct connection *connection;
	kern_return_t status;

	if (!out_fd || !out_offset || !out_size)
		return kIOReturnBadArgument;
	status = enter(connect, &connection);
	if (status != kIOReturnSuccess)
		return status;
	status = connection->transport->map(connection->state, memory_type, &result);
	if (status == kIOReturnSuccess) {
		status = hand_out(connection, memory_type, &result);
		if (status == kIOReturnSuccess) {
			*out_fd = result.fd;
			*out_offset = result.offset;
			*out_size = result.size;
		} else {
			close(result.fd);
			connection->transport->unmapped(connection->state, memory_type);
		}
	}
	leave(connection);
	return status;
}

kern_return_t IOUserConnectReturnMemoryDescriptor(io_connect_t connect, uint32_t memory_type)
{
	return unmap(connect, memory_type, NULL);
}
