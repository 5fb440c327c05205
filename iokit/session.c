/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One client's connection, served by one thread. All resources of the client belong to the frame
 * of iou_session_run(), which releases them when the socket is closed.
 */
#include "iokit/session.h"
#include "iokit/channel.h"
#include "iokit/completion.h"
#include "iokit/file-maps.h"
#include "iokit/service.h"
#include "iokit/task-memory.h"
#include "iokit/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that does not read its replies is disconnected after this time. */
#define REPLY_TIMEOUT_MS 10000
/* Time for a client's reply to a MEMORY query during its call. */
#define QUERY_TIMEOUT_MS 10000
/* Outstanding asynchronous calls of one client: more fail with kIOReturnBusy. */
#define OUTSTANDING_MAX 64

enum state { STATE_NEW, STATE_GREETED, STATE_OPEN };

struct session {
	struct iouser_peer peer; /* first: the peer is the session */
	int fd;
	enum state state;
	struct iou_user_client user; /* in STATE_OPEN */
	struct iou_outstanding *outstanding;
	struct fd_peer *charged;
	struct iou_channel channel; /* once the client has asked for it */
	bool by_channel;	    /* the current call came through it */
	bool repeats;		    /* the client knows IOU_EVENT_REPEATS */
	struct iou_port_end *port;  /* where the last asynchronous call completes, or NULL */
	uint64_t port_cookie;	    /* SO_COOKIE of that socket */
	uint32_t last_query_id;
	bool broken; /* the client violated the protocol during a call */
};

/* A negative return of a handler ends the session. */
typedef int (*handler)(struct session *session, union iou_buffer *message, struct iou_fds *fds);

static int reply(struct session *session, void *message, size_t size,
	const struct iou_header *request, kern_return_t status, const int *fds, size_t fd_count)
{
	struct iou_header *header = message;

	header->type = request->type | IOU_REPLY;
	header->id = request->id;
	header->status = status;
	header->size = (uint32_t)size;
	if (session->by_channel && iou_channel_reply(&session->channel, message, size))
		return 0;
	return iou_send(session->fd, message, size, fds, fd_count, REPLY_TIMEOUT_MS);
}

/* A reply that consists of a status. */
static int reply_status(
	struct session *session, const struct iou_header *request, kern_return_t status)
{
	struct iou_header header = { .type = 0 };

	return reply(session, &header, sizeof(header), request, status, NULL, 0);
}

/* Likewise, with a descriptor. */
static int reply_with_fd(struct session *session, const struct iou_header *request, int fd)
{
	struct iou_header header = { .type = 0 };

	return reply(session, &header, sizeof(header), request, kIOReturnSuccess, &fd, 1);
}

static int handle_hello(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	struct iou_hello hello = {
		.magic = IOU_MAGIC, .major = IOU_VERSION_MAJOR, .minor = IOU_VERSION_MINOR
	};
	bool same = message->hello.magic == IOU_MAGIC && message->hello.major == IOU_VERSION_MAJOR;
	int sent;

	(void)fds;
	sent = reply(session, &hello, sizeof(hello), &message->header,
		same ? kIOReturnSuccess : kIOReturnUnsupported, NULL, 0);
	if (!same)
		return -EPROTO;
	session->repeats = message->hello.minor >= IOU_MINOR_REPEATS;
	session->state = STATE_GREETED;
	return sent;
}

static int handle_list(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	struct iou_entry_info *list;
	size_t count;
	int sent = 0;

	(void)fds;
	list = iou_services_list(&count);
	for (size_t i = 0; i < count && sent == 0; i++) {
		struct iou_entry entry = { .header = { .type = IOU_ENTRY },
			.entry_id = list[i].entry_id };

		memcpy(entry.name, list[i].name, sizeof(entry.name));
		memcpy(entry.user_class, list[i].user_class, sizeof(entry.user_class));
		memcpy(entry.properties, list[i].properties, sizeof(entry.properties));
		sent = iou_send(session->fd, &entry, sizeof(entry), NULL, 0, REPLY_TIMEOUT_MS);
	}
	free(list);
	return sent < 0 ? sent : reply_status(session, &message->header, kIOReturnSuccess);
}

/* Send CHANGED after every change until the client disconnects. Ends the session. */
static int handle_watch(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	int changes = iou_services_watch();
	struct pollfd polled[] = {
		{ .fd = session->fd, .events = POLLIN },
		{ .fd = changes, .events = POLLIN },
	};
	uint64_t counter;
	int sent;

	(void)fds;
	sent = reply_status(
		session, &message->header, changes >= 0 ? kIOReturnSuccess : kIOReturnNoResources);
	while (sent == 0 && changes >= 0) {
		struct iou_header changed = { .type = IOU_CHANGED };

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			break;
		if (polled[0].revents)
			break; /* disconnected, or a message that is not valid here */
		if (polled[1].revents && read(changes, &counter, sizeof(counter)) > 0)
			sent = iou_send(
				session->fd, &changed, sizeof(changed), NULL, 0, REPLY_TIMEOUT_MS);
	}
	if (changes >= 0) {
		iou_services_unwatch(changes);
		close(changes);
	}
	return -ECONNRESET;
}

static int handle_open(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	kern_return_t status;

	(void)fds;
	status = iou_user_client_open(
		message->open.entry_id, message->open.type, &session->peer, &session->user);
	if (status == kIOReturnSuccess)
		session->state = STATE_OPEN;
	return reply_status(session, &message->header, status);
}

/* Whether a call's counts are within the limits and match the size of the message. */
static bool call_is_valid(const struct iou_call *call)
{
	return call->scalar_input_count <= IOUSER_SCALARS_MAX &&
	       call->scalar_output_room <= IOUSER_SCALARS_MAX &&
	       call->structure_input_size <= IOUSER_STRUCT_MAX &&
	       call->structure_output_room <= IOUSER_STRUCT_MAX &&
	       call->header.size == sizeof(*call) + call->scalar_input_count * sizeof(uint64_t) +
					    call->structure_input_size;
}

/*
 * Whether a descriptor is a socket of the type of a port; *@cookie is set to its unique number.
 * getsockopt() does not block on any kind of descriptor.
 */
static bool is_port(int fd, uint64_t *cookie)
{
	int type = 0, domain = 0;
	socklen_t type_size = sizeof(type), domain_size = sizeof(domain);
	socklen_t cookie_size = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 &&
	       type == SOCK_SEQPACKET && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &cookie_size) == 0;
}

/*
 * Make a descriptor the session's port. Most clients send the same socket with each call: then
 * the session keeps its descriptor and closes the new one, which cannot block, since it is not
 * the last one of the socket.
 */
static kern_return_t take_port(struct session *session, int fd)
{
	struct iou_port_end *port;
	uint64_t cookie;

	if (!is_port(fd, &cookie)) {
		fd_dispose(fd, session->charged);
		return kIOReturnBadArgument;
	}
	if (session->port && session->port_cookie == cookie) {
		fd_close_known(fd, session->charged);
		return kIOReturnSuccess;
	}
	port = iou_port_end_create(fd, session->charged);
	if (!port)
		return kIOReturnNoMemory;
	iou_port_end_release(session->port);
	session->port = port;
	session->port_cookie = cookie;
	return kIOReturnSuccess;
}

/* Create the completion of an asynchronous call, from the port that came with it. */
static kern_return_t take_completion(struct session *session, const struct iou_call *call,
	struct iou_fds *fds, struct iouser_completion **completion)
{
	kern_return_t status;
	int fd;

	*completion = NULL;
	if (!(call->flags & IOU_CALL_ASYNC))
		return kIOReturnSuccess;
	if (iou_outstanding_count(session->outstanding) >= OUTSTANDING_MAX)
		return kIOReturnBusy;
	fd = iou_fds_take(fds, 0);
	if (fd < 0)
		return kIOReturnBadArgument;
	status = take_port(session, fd);
	if (status != kIOReturnSuccess)
		return status;
	*completion = iou_completion_create(
		session->port, call->token, session->repeats, session->outstanding);
	return *completion ? kIOReturnSuccess : kIOReturnNoMemory;
}

static int reply_call(struct session *session, const struct iou_header *request,
	union iou_buffer *answer, const struct iouser_arguments *arguments)
{
	size_t scalars = arguments->scalar_output_count * sizeof(uint64_t);
	unsigned char *body = answer->bytes + sizeof(answer->call_reply);

	/*
	 * The scalars are in their place; move the bytes behind them. Everything that is sent has
	 * been initialized: by iou_user_client_call(), here and in reply().
	 */
	memmove(body + scalars, arguments->structure_output, arguments->structure_output_size);
	answer->call_reply.scalar_output_count = arguments->scalar_output_count;
	answer->call_reply.structure_output_size = (uint32_t)arguments->structure_output_size;
	return reply(session, answer,
		sizeof(answer->call_reply) + scalars + arguments->structure_output_size, request,
		kIOReturnSuccess, NULL, 0);
}

static int handle_call(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	const struct iou_call *call = &message->call;
	unsigned char *input = message->bytes + sizeof(*call);
	struct iouser_arguments arguments;
	union iou_buffer answer;
	uint64_t *output = (uint64_t *)(void *)(answer.bytes + sizeof(answer.call_reply));
	size_t ports = call->flags & IOU_CALL_ASYNC && fds->count ? 1 : 0;
	kern_return_t status;

	if (!call_is_valid(call) || fds->count - ports > IOUSER_DESCRIPTORS_MAX)
		return -EPROTO;
	arguments = (struct iouser_arguments){
		.selector = call->selector,
		.scalar_input = (const uint64_t *)(const void *)input,
		.scalar_input_count = call->scalar_input_count,
		.structure_input = input + call->scalar_input_count * sizeof(uint64_t),
		.structure_input_size = call->structure_input_size,
		.descriptors = fds->fd + ports,
		.descriptor_count = fds->count - ports,
		.scalar_output = output,
		.scalar_output_room = call->scalar_output_room,
		.structure_output = output + IOUSER_SCALARS_MAX,
		.structure_output_room = call->structure_output_room,
	};
	status = take_completion(session, call, fds, &arguments.completion);
	if (status == kIOReturnSuccess)
		status = iou_user_client_call(&session->user, &arguments);
	if (status != kIOReturnSuccess)
		iou_completion_refuse(arguments.completion);
	iouser_completion_release(arguments.completion);
	if (session->broken)
		return -EPROTO;
	if (status != kIOReturnSuccess)
		return reply_status(session, &call->header, status);
	return reply_call(session, &call->header, &answer, &arguments);
}

static int handle_map(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	uint32_t type = message->map.memory_type;
	struct iou_map_reply_with_hole answer = { .reply = { .reserved = 0 } };
	struct iouser_memory memory;
	kern_return_t status;
	int sent;

	(void)fds;
	status = session->user.class->copy_client_memory(session->user.client, type, &memory);
	if (status != kIOReturnSuccess)
		return reply_status(session, &message->header, status);
	answer.reply.offset = memory.offset;
	answer.reply.size = memory.size;
	answer.reply.read_only = memory.read_only;
	answer.hole.offset = memory.hole;
	answer.hole.size = memory.hole_size;
	sent = reply(session, &answer, memory.hole_size ? sizeof(answer) : sizeof(answer.reply),
		&message->header, kIOReturnSuccess, &memory.fd, 1);
	if (sent < 0)
		session->user.class->client_unmapped(session->user.client, type);
	return sent;
}

static int handle_unmap(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	(void)fds;
	session->user.class->client_unmapped(session->user.client, message->map.memory_type);
	return 0;
}

static int handle_channel(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	int fd, sent;

	(void)fds;
	if (session->channel.slot)
		return -EPROTO;
	if (iou_channel_create(&session->channel, &fd) < 0)
		return reply_status(session, &message->header, kIOReturnNoResources);
	sent = reply_with_fd(session, &message->header, fd);
	close(fd);
	return sent;
}

static const struct {
	handler handle;
	enum state state; /* in which it is valid */
	size_t size;	  /* exact, or the minimum if longer is set */
	bool longer;
	size_t fds; /* maximum */
} handlers[IOU_MESSAGES] = {
	[IOU_HELLO] = { handle_hello, STATE_NEW, sizeof(struct iou_hello), false, 0 },
	[IOU_LIST] = { handle_list, STATE_GREETED, sizeof(struct iou_header), false, 0 },
	[IOU_OPEN] = { handle_open, STATE_GREETED, sizeof(struct iou_open), false, 0 },
	[IOU_CALL] = { handle_call, STATE_OPEN, sizeof(struct iou_call), true,
		1 + IOUSER_DESCRIPTORS_MAX },
	[IOU_MAP] = { handle_map, STATE_OPEN, sizeof(struct iou_map), false, 0 },
	[IOU_WATCH] = { handle_watch, STATE_GREETED, sizeof(struct iou_header), false, 0 },
	[IOU_CHANNEL] = { handle_channel, STATE_OPEN, sizeof(struct iou_header), false, 0 },
	[IOU_UNMAP] = { handle_unmap, STATE_OPEN, sizeof(struct iou_map), false, 0 },
};

static int dispatch(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	uint32_t type = message->header.type;

	if (type >= IOU_MESSAGES || !handlers[type].handle)
		return -EPROTO;
	if (session->state != handlers[type].state || fds->count > handlers[type].fds ||
		(fds->lost && !handlers[type].fds))
		return -EPROTO;
	if (message->header.size < handlers[type].size ||
		(message->header.size > handlers[type].size && !handlers[type].longer))
		return -EPROTO;
	/* This process could not receive its descriptors: the call fails, the session continues. */
	if (fds->lost)
		return reply_status(session, &message->header, kIOReturnNoResources);
	return handlers[type].handle(session, message, fds);
}

/*
 * Receive one MEMORY reply. When none arrives, or another message, the session is broken:
 * kIOReturnNotAttached or kIOReturnIPCError.
 */
static kern_return_t receive_reply(
	struct session *session, union iou_buffer *answer, struct iou_fds *fds)
{
	int size = iou_receive_from(session->charged, session->fd, answer, fds, QUERY_TIMEOUT_MS);

	if (size > 0 && answer->header.type == (IOU_MEMORY | IOU_REPLY) &&
		answer->header.id == session->last_query_id &&
		size >= (int)sizeof(answer->memory_reply))
		return kIOReturnSuccess;
	session->broken = true;
	if (size > 0)
		iou_fds_close(fds);
	return size > 0 ? kIOReturnIPCError : kIOReturnNotAttached;
}

/*
 * Receive all replies to a query. When one of them fails for lack of descriptors or address space,
 * the rest are still received, so that the next message is the client's next request.
 */
static kern_return_t receive_ranges(struct session *session, struct iou_memory_builder *builder)
{
	kern_return_t status = kIOReturnSuccess;
	unsigned replies = 0;
	bool more = true;

	while (more && !session->broken) {
		union iou_buffer answer;
		struct iou_fds fds;
		kern_return_t received = receive_reply(session, &answer, &fds);

		if (received != kIOReturnSuccess)
			return received;
		more = answer.header.status == kIOReturnSuccess &&
		       (answer.memory_reply.flags & IOU_RANGES_MORE);
		if (status == kIOReturnSuccess)
			status = answer.header.status;
		if (status == kIOReturnSuccess)
			status = fds.lost ? kIOReturnNoResources :
					    iou_memory_add(builder, &answer.memory_reply, &fds);
		iou_fds_close(&fds);
		if (status == kIOReturnIPCError || ++replies > IOU_RANGES_TOTAL_MAX)
			session->broken = true;
	}
	return status;
}

static kern_return_t session_copy_memory(
	struct iouser_peer *peer, uint64_t va, uint64_t size, struct iouser_task_memory **memory)
{
	struct session *session = (struct session *)peer;
	struct iou_memory_query query = {
		.header = { .type = IOU_MEMORY, .id = ++session->last_query_id },
		.va = va,
		.size = size,
	};
	struct iou_memory_builder builder;
	kern_return_t status;

	if (session->broken)
		return kIOReturnNotAttached;
	status = iou_memory_begin(&builder, peer, va, size);
	if (status != kIOReturnSuccess)
		return status;
	if (session->by_channel)
		iou_channel_divert(&session->channel);
	if (iou_send(session->fd, &query, sizeof(query), NULL, 0, REPLY_TIMEOUT_MS) < 0) {
		session->broken = true;
		status = kIOReturnNotAttached;
	} else {
		status = receive_ranges(session, &builder);
	}
	if (status != kIOReturnSuccess) {
		iou_memory_abandon(&builder);
		return status;
	}
	return iou_memory_finish(&builder, memory);
}

/* A client with too many descriptors that block in close() is disconnected. */
static bool has_too_many_waiting(const struct session *session)
{
	return session->charged && fd_peer_waiting(session->charged) > FD_PEER_WAITING_MAX;
}

static int serve_message(struct session *session, union iou_buffer *message, struct iou_fds *fds)
{
	bool brought_fds = fds->count || fds->lost;
	int status = dispatch(session, message, fds);

	iou_fds_close(fds);
	return status >= 0 && brought_fds && has_too_many_waiting(session) ? -EPROTO : status;
}

/*
 * Receive one message and serve it, with a timeout of 0 or -1: negative when the session is over,
 * -ETIMEDOUT when there is no message.
 */
static int serve_socket(struct session *session, int timeout_ms)
{
	union iou_buffer message;
	struct iou_fds fds;
	int size;

	if (timeout_ms)
		iou_channel_wait_begins(&session->channel);
	size = iou_receive_from(session->charged, session->fd, &message, &fds, timeout_ms);
	if (timeout_ms)
		iou_channel_wait_ended(&session->channel);
	if (size <= 0)
		return size < 0 ? size : -ECONNRESET;
	return serve_message(session, &message, &fds);
}

/* Serve calls from the channel until it is time to wait in the socket: negative as above. */
static int serve_channel(struct session *session)
{
	struct iou_fds fds = { .count = 0 };
	union iou_buffer message;
	int status, size;

	do
		status = serve_socket(session, 0);
	while (status >= 0);
	if (status != -ETIMEDOUT)
		return status;
	while ((size = iou_channel_poll(&session->channel, &message)) > 0) {
		if (message.header.type != IOU_CALL || message.call.flags & IOU_CALL_ASYNC)
			return -EPROTO;
		session->by_channel = true;
		status = serve_message(session, &message, &fds);
		session->by_channel = false;
		if (status < 0)
			return status;
	}
	return size;
}

void iou_session_run(int fd, struct fd_peer *charged)
{
	struct session session = { .fd = fd,
		.charged = charged,
		.peer = { .uid = (uid_t)-1, .copy_memory = session_copy_memory } };
	struct ucred credentials = { .pid = 0 };
	socklen_t length = sizeof(credentials);
	int status = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
		session.peer.pid = credentials.pid;
		session.peer.uid = credentials.uid;
	}
	session.peer.maps = iou_file_maps_create();
	session.outstanding = iou_outstanding_create();
	while (session.peer.maps && session.outstanding && status >= 0) {
		status = serve_socket(&session, -1);
		if (status >= 0 && iou_channel_begin(&session.channel))
			status = serve_channel(&session);
	}
	if (session.state == STATE_OPEN)
		iou_user_client_close(&session.user);
	/* Both are reference-counted: an access in progress may still use them. */
	iou_file_maps_release(session.peer.maps);
	iou_peer_memory_release(&session.peer);
	iou_port_end_release(session.port);
	iou_channel_free(&session.channel);
	iou_outstanding_release(session.outstanding);
}
