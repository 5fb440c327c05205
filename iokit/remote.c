/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections to a driver in another process. Calls are made one at a time (the connection's
 * lock). While a call waits for its reply, it answers the driver's queries for the memory that is
 * among its arguments.
 */
#include "iokit/channel.h"
#include "iokit/connection.h"
#include "iokit/service-socket.h"
#include "iokit/vm-region.h"
#include "iokit/wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define CALLS_BEFORE_CHANNEL 16u

struct remote {
	LIST_ENTRY(remote) link;
	int fd; /* -1: disconnected */
	uint32_t last_id;
	uint16_t minor; /* of the protocol's version, the service's */
	unsigned calls; /* until there is a channel */
	struct iou_channel channel;
};

/*
 * All connections of this process. A child of fork() closes them, so that the driver notices when
 * the parent exits. The lock guards the list, not its elements.
 */
static pthread_mutex_t remotes_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, remote) remotes = LIST_HEAD_INITIALIZER(remotes);

static void before_fork(void)
{
	pthread_mutex_lock(&remotes_lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&remotes_lock);
}

static void in_child(void)
{
	struct remote *remote;

	LIST_FOREACH (remote, &remotes, link)
		if (remote->fd >= 0) {
			close(remote->fd);
			/* The slot is not in this process's memory. */
			remote->channel.slot = NULL;
		}
	LIST_INIT(&remotes); /* connection_lock() refuses calls on them */
	pthread_mutex_unlock(&remotes_lock);
}

static void register_fork_handlers(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

static void list_add(struct remote *remote)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_fork_handlers);
	pthread_mutex_lock(&remotes_lock);
	LIST_INSERT_HEAD(&remotes, remote, link);
	pthread_mutex_unlock(&remotes_lock);
}

static void list_remove(struct remote *remote)
{
	pthread_mutex_lock(&remotes_lock);
	LIST_REMOVE(remote, link);
	pthread_mutex_unlock(&remotes_lock);
}

/* Return: the code for a driver that has gone, or misbehaved, before it replied to a call. */
static kern_return_t disconnect(struct remote *remote)
{
	if (remote->fd >= 0)
		close(remote->fd);
	remote->fd = -1;
	return MIG_SERVER_DIED;
}

/* Whether @value is one of the call's scalars or of the aligned words of its bytes. */
static bool is_argument(const struct iouser_arguments *args, uint64_t value)
{
	uint64_t word;

	for (uint32_t i = 0; i < args->scalar_input_count; i++)
		if (args->scalar_input[i] == value)
			return true;
	for (size_t at = 0; at + sizeof(word) <= args->structure_input_size; at += sizeof(word)) {
		memcpy(&word, (const char *)args->structure_input + at, sizeof(word));
		if (word == value)
			return true;
	}
	return false;
}

/* The descriptors of one MEMORY reply, closed once it is sent. */
struct reply_fds {
	size_t count;
	int fd[IOU_FDS_MAX];
	dev_t device[IOU_FDS_MAX];
	ino_t inode[IOU_FDS_MAX];
	bool writable[IOU_FDS_MAX];
};

/* Add the region's descriptor. Returns its index, or IOU_RANGE_PRIVATE. */
static uint32_t attach_region(struct reply_fds *fds, const struct iou_vm_region *region)
{
	int fd;

	for (size_t i = 0; i < fds->count; i++)
		if (region->shared && fds->device[i] == region->device &&
			fds->inode[i] == region->inode && fds->writable[i] == region->writable)
			return (uint32_t)i;
	fd = iou_vm_region_fd(region);
	if (fd < 0)
		return IOU_RANGE_PRIVATE;
	fds->fd[fds->count] = fd;
	fds->device[fds->count] = region->device;
	fds->inode[fds->count] = region->inode;
	fds->writable[fds->count] = region->writable;
	return (uint32_t)fds->count++;
}

/* Send up to IOU_RANGES_MAX regions. */
static int send_ranges(struct remote *remote, uint32_t id, const struct iou_vm_region *regions,
	size_t count, bool more)
{
	struct reply_fds fds = { .count = 0 };
	union iou_buffer buffer;
	int status;

	buffer.memory_reply = (struct iou_memory_reply){
		.header = { .type = IOU_MEMORY | IOU_REPLY, .id = id },
		.count = (uint32_t)count,
		.flags = more ? IOU_RANGES_MORE : 0,
	};
	for (size_t i = 0; i < count; i++)
		buffer.memory_reply.ranges[i] = (struct iou_range){
			.va = regions[i].va,
			.length = regions[i].length,
			.fd_offset = regions[i].offset,
			.fd_index = attach_region(&fds, &regions[i]),
			.writable = regions[i].writable,
		};
	status = iou_send(remote->fd, &buffer,
		sizeof(buffer.memory_reply) + count * sizeof(struct iou_range), fds.fd, fds.count,
		IOU_CALL_TIMEOUT_MS);
	for (size_t i = 0; i < fds.count; i++)
		close(fds.fd[i]);
	return status;
}

/*
 * Answer a query for this process's memory. The driver can only query memory whose address and size
 * are both arguments of the current call.
 */
static int answer_memory(struct remote *remote, const struct iou_memory_query *query,
	const struct iouser_arguments *args)
{
	struct iou_memory_reply refusal = {
		.header = { .type = IOU_MEMORY | IOU_REPLY, .id = query->header.id },
	};
	struct iou_vm_region *regions = NULL;
	size_t count = 0, sent = 0;
	int status = 0;

	if (!args || !is_argument(args, query->va) || !is_argument(args, query->size))
		refusal.header.status = kIOReturnNotPermitted;
	else
		refusal.header.status = iou_vm_regions(query->va, query->size, &regions, &count);
	if (refusal.header.status != kIOReturnSuccess)
		return iou_send(
			remote->fd, &refusal, sizeof(refusal), NULL, 0, IOU_CALL_TIMEOUT_MS);
	while (sent < count && status == 0) {
		size_t part = count - sent < IOU_RANGES_MAX ? count - sent : IOU_RANGES_MAX;

		status = send_ranges(
			remote, query->header.id, regions + sent, part, sent + part < count);
		sent += part;
	}
	free(regions);
	return status;
}

/*
 * Wait for the reply to message @id. Replies to earlier calls that timed out are skipped. There is
 * one timeout for all messages, so that a service cannot extend it by sending more. After
 * kIOReturnTimeout the connection can still be used; any other error disconnects it.
 */
static kern_return_t await_reply(struct remote *remote, uint32_t type, uint32_t id,
	const struct iouser_arguments *args, union iou_buffer *reply, struct iou_fds *fds)
{
	int64_t deadline = 0;

	for (;;) {
		int64_t left = deadline ? deadline - iou_now_ms() : IOU_CALL_TIMEOUT_MS;
		int size = iou_receive(remote->fd, reply, fds, left > 0 ? (int)left : 0);

		if (size == -ETIMEDOUT)
			return kIOReturnTimeout;
		if (size <= 0)
			return disconnect(remote);
		if (reply->header.type == (type | IOU_REPLY) && reply->header.id == id)
			return kIOReturnSuccess;
		iou_fds_close(fds);
		/* Starts with the first other message, so that most calls do not read the clock. */
		if (!deadline)
			deadline = iou_now_ms() + IOU_CALL_TIMEOUT_MS;
		else if (iou_now_ms() >= deadline)
			return kIOReturnTimeout;
		if (reply->header.type & IOU_REPLY)
			continue;
		if (reply->header.type != IOU_MEMORY || size != (int)sizeof(reply->memory_query) ||
			answer_memory(remote, &reply->memory_query, args) < 0)
			return disconnect(remote);
	}
}

/* Send a request and wait for its reply, whose fixed part is at least @minimum bytes. */
static kern_return_t exchange(struct remote *remote, void *message, size_t size, const int *fds,
	size_t fd_count, const struct iouser_arguments *args, union iou_buffer *reply,
	struct iou_fds *reply_fds, size_t minimum)
{
	struct iou_header *header = message;
	kern_return_t status;
	int taken = 0; /* bytes of a reply in the channel, or what became of the message */

	reply_fds->count = 0;
	reply_fds->lost = false;
	if (remote->fd < 0)
		return kIOReturnOffline;
	header->id = ++remote->last_id;
	header->size = (uint32_t)size;
	if (header->type == IOU_CALL && !fd_count)
		taken = iou_channel_call(&remote->channel, message, reply);
	if (!taken) {
		taken = iou_send(remote->fd, message, size, fds, fd_count, IOU_CALL_TIMEOUT_MS);
		iou_channel_sent(&remote->channel);
		if (taken == -ETIMEDOUT)
			return kIOReturnTimeout;
		if (taken == -EBADF && fd_count)
			return kIOReturnBadArgument; /* nothing has been sent */
		if (taken < 0) {
			disconnect(remote);
			return MACH_SEND_INVALID_DEST;
		}
		taken = -EINPROGRESS;
	}
	if (taken == -EINPROGRESS)
		status = await_reply(remote, header->type, header->id, args, reply, reply_fds);
	else if (taken > 0 && reply->header.type == (IOU_CALL | IOU_REPLY) &&
		 reply->header.id == header->id)
		status = kIOReturnSuccess;
	else
		status = disconnect(remote);
	if (status != kIOReturnSuccess)
		return status;
	if (reply->header.status == kIOReturnSuccess && reply->header.size < minimum) {
		iou_fds_close(reply_fds);
		return disconnect(remote);
	}
	return reply->header.status;
}

/* Write a CALL message. Returns its size. */
static size_t marshal(
	union iou_buffer *buffer, const struct iouser_arguments *args, const struct iou_wake *wake)
{
	size_t scalars = args->scalar_input_count * sizeof(uint64_t);
	unsigned char *body = buffer->bytes + sizeof(buffer->call);

	buffer->call = (struct iou_call){
		.header = { .type = IOU_CALL },
		.selector = args->selector,
		.flags = wake->fd >= 0 ? IOU_CALL_ASYNC : 0,
		.token = wake->token,
		.scalar_input_count = args->scalar_input_count,
		.scalar_output_room = args->scalar_output_room,
		.structure_input_size = (uint32_t)args->structure_input_size,
		.structure_output_room = (uint32_t)args->structure_output_room,
	};
	if (scalars)
		memcpy(body, args->scalar_input, scalars);
	if (args->structure_input_size)
		memcpy(body + scalars, args->structure_input, args->structure_input_size);
	return sizeof(buffer->call) + scalars + args->structure_input_size;
}

/* Copy the output of a reply; false when its sizes are inconsistent or exceed the room. */
static bool unmarshal(const union iou_buffer *reply, struct iouser_arguments *args)
{
	const struct iou_call_reply *fixed = &reply->call_reply;
	const unsigned char *body = reply->bytes + sizeof(*fixed);
	size_t scalars;

	if (fixed->scalar_output_count > args->scalar_output_room ||
		fixed->structure_output_size > args->structure_output_room)
		return false;
	scalars = fixed->scalar_output_count * sizeof(uint64_t);
	if (fixed->header.size != sizeof(*fixed) + scalars + fixed->structure_output_size)
		return false;
	if (scalars)
		memcpy(args->scalar_output, body, scalars);
	if (fixed->structure_output_size)
		memcpy(args->structure_output, body + scalars, fixed->structure_output_size);
	args->scalar_output_count = fixed->scalar_output_count;
	args->structure_output_size = fixed->structure_output_size;
	return true;
}

/*
 * Ask for a channel once some calls have been made: a program that makes a few only does not
 * need one. It goes on without where there is none.
 */
static void begin_channel(struct remote *remote)
{
	struct iou_header message = { .type = IOU_CHANNEL };
	union iou_buffer reply;
	struct iou_fds fds;
	int fd;

	if (exchange(remote, &message, sizeof(message), NULL, 0, NULL, &reply, &fds,
		    sizeof(reply.header)) != kIOReturnSuccess)
		return;
	fd = iou_fds_take(&fds, 0);
	iou_fds_close(&fds);
	if (fd < 0)
		return;
	iou_channel_attach(&remote->channel, fd);
	close(fd);
}

static bool wants_channel(struct remote *remote)
{
	const char *setting = getenv("IOKIT_USER_CHANNEL");

	return ++remote->calls == CALLS_BEFORE_CHANNEL && remote->minor >= IOU_MINOR_CHANNEL &&
	       !(setting && strcmp(setting, "off") == 0);
}

static kern_return_t remote_call(
	void *state, struct iouser_arguments *args, const struct iou_wake *wake)
{
	struct remote *remote = state;
	union iou_buffer message, reply;
	bool asynchronous = wake->fd >= 0;
	const int *sent = asynchronous ? &wake->fd : args->descriptors;
	struct iou_fds fds;
	kern_return_t status;

	/* No function of IOKit's or of ours makes an asynchronous call with descriptors. */
	if (args->descriptor_count && (asynchronous || remote->minor < IOU_MINOR_DESCRIPTORS))
		return kIOReturnUnsupported;
	if (remote->calls < CALLS_BEFORE_CHANNEL && wants_channel(remote))
		begin_channel(remote);
	status = exchange(remote, &message, marshal(&message, args, wake), sent,
		asynchronous ? 1 : args->descriptor_count, args, &reply, &fds,
		sizeof(reply.call_reply));
	iou_fds_close(&fds);
	if (status == kIOReturnSuccess && !unmarshal(&reply, args))
		return disconnect(remote);
	return status;
}

static void remote_unmapped(void *state, uint32_t memory_type)
{
	struct iou_map message = { .header = { .type = IOU_UNMAP }, .memory_type = memory_type };
	struct remote *remote = state;

	/* Without it the driver would count the mapping until the connection ends. */
	if (remote->fd >= 0 &&
		iou_send(remote->fd, &message, sizeof(message), NULL, 0, IOU_CALL_TIMEOUT_MS) < 0)
		disconnect(remote);
	iou_channel_sent(&remote->channel);
}

static kern_return_t remote_map(void *state, uint32_t memory_type, struct iouser_memory *memory)
{
	struct iou_map message = { .header = { .type = IOU_MAP }, .memory_type = memory_type };
	struct remote *remote = state;
	union iou_buffer reply;
	struct iou_fds fds;
	kern_return_t status;

	status = exchange(remote, &message, sizeof(message), NULL, 0, NULL, &reply, &fds,
		sizeof(reply.map_reply));
	if (status != kIOReturnSuccess) {
		iou_fds_close(&fds);
		/* The driver may count it as mapped: disconnecting undoes that. */
		if (status == kIOReturnTimeout)
			disconnect(remote);
		return status;
	}
	if (fds.lost) {
		remote_unmapped(remote, memory_type);
		return kIOReturnNoResources;
	}
	*memory = (struct iouser_memory){
		.fd = iou_fds_take(&fds, 0),
		.offset = reply.map_reply.offset,
		.size = reply.map_reply.size,
		.read_only = reply.map_reply.read_only,
	};
	if (reply.header.size >= sizeof(reply.map_reply_with_hole)) {
		memory->hole = reply.map_reply_with_hole.hole.offset;
		memory->hole_size = reply.map_reply_with_hole.hole.size;
	}
	iou_fds_close(&fds);
	return memory->fd >= 0 ? kIOReturnSuccess : disconnect(remote);
}

static void remote_close(void *state)
{
	struct remote *remote = state;

	list_remove(remote);
	disconnect(remote);
	iou_channel_free(&remote->channel);
	free(remote);
}

static const struct iou_transport remote_transport = {
	.call = remote_call,
	.map = remote_map,
	.unmapped = remote_unmapped,
	.close = remote_close,
};

kern_return_t iou_remote_open(uint64_t entry_id, uint32_t type, io_connect_t *connect)
{
	struct iou_open message = {
		.header = { .type = IOU_OPEN },
		.entry_id = entry_id,
		.type = type,
	};
	struct remote *remote = calloc(1, sizeof(*remote));
	union iou_buffer reply;
	struct iou_fds fds;
	kern_return_t status;

	if (!remote)
		return kIOReturnNoMemory;
	remote->fd = iou_socket_connect(&remote->minor);
	list_add(remote);
	status = exchange(remote, &message, sizeof(message), NULL, 0, NULL, &reply, &fds,
		sizeof(reply.header));
	iou_fds_close(&fds);
	if (status != kIOReturnSuccess) {
		remote_close(remote);
		return status;
	}
	*connect = iou_connection_create(&remote_transport, remote);
	return *connect ? kIOReturnSuccess : kIOReturnNoResources;
}
