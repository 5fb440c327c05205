/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's side of the runtime: publishing services and serving user clients. The terms are
 * DriverKit's (IOUserClient::ExternalMethod, CopyClientMemoryForType, AsyncCompletion). The
 * transport is a socket, or a function call within one process.
 *
 * In a process that publishes services, look-ups find only these. In any other process they
 * find those of the driver service at iouser_socket_path().
 */
#ifndef IOKIT_USER_SERVICE_H
#define IOKIT_USER_SERVICE_H

#include <IOKit/IOReturn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOUSER_SCALARS_MAX 16
#define IOUSER_STRUCT_MAX  4096
/* Descriptors that a client passes with one call. */
#define IOUSER_DESCRIPTORS_MAX 32

/* The client of a user client; gives access to its memory. */
struct iouser_peer;
/* An asynchronous call that has not been completed. */
struct iouser_completion;
/* A published service. */
struct iouser_service;

/* The arguments of one call (IOUserClientMethodArguments). All pointers are valid during the call. */
struct iouser_arguments {
	uint32_t selector;
	const uint64_t *scalar_input;
	uint32_t scalar_input_count;
	const void *structure_input;
	size_t structure_input_size;
	/*
	 * Descriptors that came with the call, for iouser_copy_file_memory(). They are of any kind:
	 * another use of one can block for ever. They are closed when the call returns.
	 */
	const int *descriptors;
	size_t descriptor_count;
	/*
	 * Output. Buffers are zeroed and counts are 0 when the driver is called. Only what the
	 * driver counts is sent to the client.
	 */
	uint64_t *scalar_output;
	uint32_t scalar_output_room, scalar_output_count;
	void *structure_output;
	size_t structure_output_room, structure_output_size; /* in bytes */
	struct iouser_completion *completion; /* of an asynchronous call, else NULL */
};

/* Memory of the driver that a client maps. */
struct iouser_memory {
	int fd; /* of the driver; the runtime duplicates it */
	uint64_t offset;
	uint64_t size;
	/*
	 * A range that is not shared with the client (hole_size 0: none): its mapping has private
	 * zeroed memory there. Both are multiples of the page size.
	 */
	uint64_t hole, hole_size;
	bool read_only;
};

/*
 * The operations of a driver. They are not called concurrently for one user client, but for
 * different ones they are.
 */
struct iouser_class {
	/* A client opens the service. On success *@client is the argument of the others. */
	kern_return_t (*new_user_client)(
		void *driver, uint32_t type, struct iouser_peer *peer, void **client);
	kern_return_t (*external_method)(void *client, struct iouser_arguments *arguments);
	kern_return_t (*copy_client_memory)(
		void *client, uint32_t memory_type, struct iouser_memory *memory);
	/* The client has unmapped one mapping of that memory. */
	void (*client_unmapped)(void *client, uint32_t memory_type);
	/* The client has closed the connection or exited. Frees the user client. */
	void (*client_closed)(void *client);
};

/* A registry property of a service: text. */
struct iouser_property {
	const char *key, *value;
};

/**
 * iouser_service_publish - add a service to the registry
 * @user_class: the driver's class, property IOUserClass; also the entry's name
 * @provides: the operations; must outlive the service
 * @driver: argument of new_user_client
 * @properties: an array that ends with a NULL key, copied; NULL for none. All keys and values,
 *	with a NUL after each, fit 256 bytes.
 *
 * Return: the service, or NULL when memory is out or the properties are too long.
 */
struct iouser_service *iouser_service_publish(const char *user_class,
	const struct iouser_class *provides, void *driver,
	const struct iouser_property *properties);
/**
 * iouser_service_terminate - remove a service from the registry
 *
 * No new user client is opened. Those that are open work until their clients close them.
 */
void iouser_service_terminate(struct iouser_service *service);
/**
 * iouser_service_release - free a service
 *
 * Terminates it if it is published, and waits until all its user clients are closed.
 */
void iouser_service_release(struct iouser_service *service);

/** iouser_completion_retain - add a reference, to use the completion after its call has returned. */
struct iouser_completion *iouser_completion_retain(struct iouser_completion *completion);
/** iouser_completion_release - drop a reference; with the last one, a call that is not complete never completes. */
void iouser_completion_release(struct iouser_completion *completion);
/**
 * iouser_async_completion - complete an asynchronous call (AsyncCompletion)
 * @count: number of elements of @args, at most IOUSER_SCALARS_MAX
 *
 * Only the first call for a completion has an effect. Does not block, and does not drop a
 * reference. Any thread.
 */
void iouser_async_completion(struct iouser_completion *completion, IOReturn status,
	const uint64_t *args, uint32_t count);
/**
 * iouser_completion_repeats - whether iouser_async_completion_repeated() has an effect
 *
 * It has none for a client whose runtime forgets a call after its first completion.
 */
bool iouser_completion_repeats(const struct iouser_completion *completion);
/**
 * iouser_async_completion_repeated - iouser_async_completion() of a call that stays outstanding
 *
 * Any number of these may come before iouser_async_completion(). One that does not fit the
 * client's port is lost.
 */
void iouser_async_completion_repeated(struct iouser_completion *completion, IOReturn status,
	const uint64_t *args, uint32_t count);

struct dma_span; /* common/dma-span.h */

struct iouser_task_memory; /* memory of a client, valid until it is released */

/**
 * iouser_copy_task_memory - get access to a client's memory
 * @peer: the client
 * @va: address in the client; both @va and @size must be among the arguments of the current call
 * @size: in bytes
 * @memory: set to the memory, for iouser_task_memory_release()
 *
 * Only from within external_method of the same user client.
 *
 * Return: kIOReturnSuccess; kIOReturnVMError when the client has no such memory;
 * kIOReturnNoMemory; kIOReturnNotAttached when the client has disconnected;
 * kIOReturnNotPermitted for private memory of a process that this one may not access, and for
 * memory of a file whose pages may never arrive (FUSE, network file systems); kIOReturnNoSpace
 * past the limits of spans and address space; kIOReturnNoResources when out of descriptors.
 */
kern_return_t iouser_copy_task_memory(
	struct iouser_peer *peer, uint64_t va, uint64_t size, struct iouser_task_memory **memory);
/**
 * iouser_copy_file_memory - get access to memory that a client passed as a descriptor
 * @peer: the client
 * @fd: one of iouser_arguments.descriptors
 * @offset: where the memory begins in the file, in bytes
 * @size: in bytes
 * @writable: whether the memory is to be written; else it is mapped read-only
 * @memory: set to the memory, for iouser_task_memory_release()
 *
 * Only from within external_method of the same user client. The descriptor is not needed
 * afterwards.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a descriptor that is not of a regular file or
 * memfd open for reading, a file that ends before the memory does, or a size of 0;
 * kIOReturnNotPermitted for a descriptor that is not open for writing where @writable, and for a
 * file whose pages may never arrive (FUSE, network file systems); kIOReturnNoSpace past the limits
 * of address space; kIOReturnVMError where the file cannot be mapped, which seals can forbid;
 * kIOReturnNoMemory.
 */
kern_return_t iouser_copy_file_memory(struct iouser_peer *peer, int fd, uint64_t offset,
	uint64_t size, bool writable, struct iouser_task_memory **memory);
/** iouser_task_memory_count - the number of spans of the memory. */
size_t iouser_task_memory_count(const struct iouser_task_memory *memory);
/**
 * iouser_task_memory_span - a span of the memory
 * @index: below iouser_task_memory_count(); the spans are in order of address
 *
 * Return: the span, valid until iouser_task_memory_release().
 */
const struct dma_span *iouser_task_memory_span(
	const struct iouser_task_memory *memory, size_t index);
/** iouser_task_memory_release - release it. Any thread, also after the peer has disconnected. */
void iouser_task_memory_release(struct iouser_task_memory *memory);

/** iouser_peer_pid - the PID of the client, 0 when unknown. */
pid_t iouser_peer_pid(const struct iouser_peer *peer);

/**
 * iouser_peer_is_privileged - whether the client runs as this service's user or as root
 *
 * By the credentials of the process that connected (IOUserClient::clientHasPrivilege). False
 * when they are unknown. Any thread.
 */
bool iouser_peer_is_privileged(const struct iouser_peer *peer);

/* --- The service that other processes find ------------------------------------ */

struct iouser_server;

/**
 * iouser_socket_path - path of the driver service's socket
 *
 * The value of the environment variable that the runtime was built with, else a path below
 * $XDG_RUNTIME_DIR, else the same path below /run (docs/runtime-protocol.md names them).
 *
 * Return: a string that is valid until the calling thread calls this again.
 */
const char *iouser_socket_path(void);

/* Which clients may use a server, and its limits. */
struct iouser_server_options {
	const char *path; /* of the socket; a stale socket there is replaced, one in use is not */
	/* Of the socket; 0: the most restrictive of 0600, 0660 and 0666 for the allowed clients. */
	mode_t mode;
	gid_t group; /* of the socket; (gid_t)-1: not changed */
	/* Besides this process's own user and root; checked on accept, independent of the mode. */
	const uid_t *allowed_uids;
	size_t allowed_uid_count;
	const gid_t *allowed_gids; /* a client's group, or one of its supplementary ones */
	size_t allowed_gid_count;
	unsigned connections_max; /* of one process; 0 for 256 */
	/* Of one user besides the service's own and root; 0 for 256, at most 960. */
	unsigned user_connections_max;
};

/**
 * iouser_server_create - serve this process's published services on a socket
 * @options: which clients may use it, and its limits; copied
 * @error: set to one line without a newline on failure
 * @error_size: its size
 *
 * A client that is not allowed is refused with kIOReturnNotPermitted; one past the limits of its
 * process, of its user, or of all connections (1024, of which 64 are reserved for the service's
 * own user and root) with kIOReturnNoResources. Look-ups in a refused process find nothing, and
 * iouser_service_probe() returns the reason. A connection that sends nothing is closed after
 * 5 seconds, or earlier for a new connection past the limits.
 *
 * Return: the server, already listening, or NULL.
 */
struct iouser_server *iouser_server_create(
	const struct iouser_server_options *options, char *error, size_t error_size);
/** iouser_server_run - accept clients until iouser_server_stop(); one thread for each connection. */
void iouser_server_run(struct iouser_server *server);
/** iouser_server_stop - make iouser_server_run() return. Async-signal-safe. */
void iouser_server_stop(struct iouser_server *server);
/** iouser_server_destroy - disconnect all clients, wait for their threads, remove the socket. */
void iouser_server_destroy(struct iouser_server *server);

/**
 * iouser_service_probe - whether a driver service answers at iouser_socket_path()
 * @error: set to one line with the reason when it does not
 *
 * Return: true when it does, or when this process publishes services itself.
 */
bool iouser_service_probe(char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
#endif
