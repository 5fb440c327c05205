/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runtime's protocol between a client process and a driver service:
 * see docs/runtime-protocol.md. Each message is one SOCK_SEQPACKET packet, with descriptors in
 * SCM_RIGHTS, in the byte order of the host.
 */
#ifndef IOKIT_WIRE_H
#define IOKIT_WIRE_H

#include "common/fd-dispose.h"

#include <iokit-user/service.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOU_MAGIC	      0x554b4f49u /* "IOKU" */
#define IOU_VERSION_MAJOR     1u
#define IOU_VERSION_MINOR     3u
#define IOU_MINOR_CHANNEL     1u /* from this one on there is CHANNEL */
#define IOU_MINOR_DESCRIPTORS 2u /* from this one on a CALL may have descriptors of the caller's */
#define IOU_MINOR_REPEATS     3u /* from this one on there is IOU_EVENT_REPEATS */

#define IOU_NAME_MAX	   64
#define IOU_PROPERTIES_MAX 256
#define IOU_FDS_MAX	   64 /* descriptors in one message */
#define IOU_RANGES_MAX	   64 /* ranges in one MEMORY reply */

enum iou_message {
	IOU_HELLO = 1, /* c: version -> s: version */
	IOU_LIST,      /* c: nothing -> s: ENTRY ..., then the LIST reply */
	IOU_ENTRY,     /* s: one service */
	IOU_OPEN,      /* c: entry, type -> s: status */
	IOU_CALL, /* c: selector, scalars, bytes [, port] [, descriptors] -> s: status, scalars, bytes */
	IOU_MAP,     /* c: memory type -> s: size, offset, descriptor */
	IOU_UNMAP,   /* c: memory type; no reply */
	IOU_MEMORY,  /* s: range of the client's memory -> c: its ranges, descriptors */
	IOU_EVENT,   /* s, on a port: token, status, arguments */
	IOU_WATCH,   /* c: nothing -> s: status, then CHANGED whenever the registry changes */
	IOU_CHANGED, /* s */
	IOU_CHANNEL, /* c: nothing -> s: the descriptor of a call channel */
	IOU_MESSAGES,
};

#define IOU_REPLY 0x8000u /* in type: answers the message with the same id */

struct iou_header {
	uint32_t type;
	uint32_t id;
	uint32_t size;	/* of the whole message */
	int32_t status; /* of a reply: an IOReturn */
};

struct iou_hello {
	struct iou_header header;
	uint32_t magic;
	uint16_t major, minor;
};

struct iou_entry {
	struct iou_header header;
	uint64_t entry_id;
	char name[IOU_NAME_MAX]; /* each NUL-terminated */
	char user_class[IOU_NAME_MAX];
	char properties[IOU_PROPERTIES_MAX]; /* key, NUL, value, NUL, ...; an empty key ends it */
};

struct iou_open {
	struct iou_header header;
	uint64_t entry_id;
	uint32_t type;
	uint32_t reserved;
};

#define IOU_CALL_ASYNC 1u /* the first descriptor of the call is a port */
struct iou_call {
	struct iou_header header;
	uint32_t selector;
	uint32_t flags;
	uint64_t token; /* of an asynchronous call, the client's own */
	uint32_t scalar_input_count, scalar_output_room;
	uint32_t structure_input_size, structure_output_room;
	/* the scalars, then the bytes, follow */
};

struct iou_call_reply {
	struct iou_header header;
	uint32_t scalar_output_count, structure_output_size;
	/* the scalars, then the bytes, follow */
};

struct iou_map {
	struct iou_header header;
	uint32_t memory_type;
	uint32_t reserved;
};

struct iou_map_reply {
	struct iou_header header;
	uint64_t offset, size;
	uint32_t read_only;
	uint32_t reserved;
};
/* Follows the reply if a range of the memory is not shared with the client. */
struct iou_map_hole {
	uint64_t offset, size;
};
struct iou_map_reply_with_hole {
	struct iou_map_reply reply;
	struct iou_map_hole hole;
};

struct iou_memory_query {
	struct iou_header header;
	uint64_t va, size;
};

#define IOU_RANGE_PRIVATE UINT32_MAX /* no descriptor: private memory of the process */
#define IOU_RANGES_MORE	  1u	     /* another reply with the same id follows */
struct iou_range {
	uint64_t va, length;
	uint64_t fd_offset;
	uint32_t fd_index;
	uint32_t writable;
};
struct iou_memory_reply {
	struct iou_header header;
	uint32_t count;
	uint32_t flags;
	struct iou_range ranges[];
};

#define IOU_EVENT_DROPPED 1u /* the call will never complete */
#define IOU_EVENT_REPEATS 2u /* the call stays outstanding: more events may follow */
struct iou_event {
	struct iou_header header;
	uint64_t token;
	uint32_t count;
	uint32_t flags;
	uint64_t args[IOUSER_SCALARS_MAX];
};

/* The largest message, and a buffer for any message with room for its alignment. */
#define IOU_MESSAGE_MAX                                                                            \
	(sizeof(struct iou_call) + IOUSER_SCALARS_MAX * sizeof(uint64_t) + IOUSER_STRUCT_MAX)
union iou_buffer {
	struct iou_header header;
	struct iou_hello hello;
	struct iou_entry entry;
	struct iou_open open;
	struct iou_call call;
	struct iou_call_reply call_reply;
	struct iou_map map;
	struct iou_map_reply map_reply;
	struct iou_map_reply_with_hole map_reply_with_hole;
	struct iou_memory_query memory_query;
	struct iou_memory_reply memory_reply;
	struct iou_event event;
	unsigned char bytes[IOU_MESSAGE_MAX];
};
_Static_assert(sizeof(struct iou_memory_reply) + IOU_RANGES_MAX * sizeof(struct iou_range) <=
		       IOU_MESSAGE_MAX,
	"a full memory reply must fit the buffer");

/* The descriptors of a message; -1 for one that has been taken. */
struct iou_fds {
	size_t count;
	/*
	 * Some were lost, because this process is out of descriptors or the peer is past its limit.
	 * None is left then.
	 */
	bool lost;
	struct fd_peer *peer; /* charged for them; NULL for a trusted peer */
	int fd[IOU_FDS_MAX];
};

/* CLOCK_MONOTONIC in milliseconds, for deadlines over several messages. */
int64_t iou_now_ms(void);

/* Dispose of those that have not been taken. */
void iou_fds_close(struct iou_fds *fds);
/* Take descriptor @index, to be given to fd_dispose() with the same peer: -1 when there is none. */
int iou_fds_take(struct iou_fds *fds, size_t index);

/*
 * Send one message; header.size is set to @size. @timeout_ms: -1 waits without limit, 0 does not
 * wait. Returns 0 or a negative errno: -EPIPE or -ECONNRESET when the peer has disconnected,
 * -ETIMEDOUT when it does not read.
 */
int iou_send(int fd, void *message, size_t size, const int *fds, size_t fd_count, int timeout_ms);

/*
 * Receive one message into @buffer. Returns its size, which equals header.size; 0 when the peer
 * has disconnected; -ETIMEDOUT; -EPROTO for a message that is too short, too long, or has more
 * than IOU_FDS_MAX descriptors (all of which are disposed of); another negative errno. Lost
 * descriptors are not an error: @fds->lost is set.
 */
int iou_receive(int fd, union iou_buffer *buffer, struct iou_fds *fds, int timeout_ms);
/* The same from a peer that is not trusted: its descriptors are charged to it. */
int iou_receive_from(struct fd_peer *peer, int fd, union iou_buffer *buffer, struct iou_fds *fds,
	int timeout_ms);

#endif
