/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's side of the runtime: publishing services, and being called by
 * user clients. The words are DriverKit's (IOUserClient::ExternalMethod,
 * CopyClientMemoryForType, AsyncCompletion); the transport, a socket or none at
 * all, is not seen here.
 *
 * A process that publishes services finds these alone when it looks services up;
 * any other process finds those of the driver service at iouser_socket_path().
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

/* Who is at the other end of a user client, and the key to its memory. */
struct iouser_peer;
/* An asynchronous call that has not been completed. */
struct iouser_completion;
/* A published service. */
struct iouser_service;

/* The arguments of one call (IOUserClientMethodArguments). Everything in it is borrowed. */
struct iouser_arguments {
	uint32_t selector;
	const uint64_t *scalar_input;
	uint32_t scalar_input_count;
	const void *structure_input;
	size_t structure_input_size;
	/*
	 * What the call gives. Buffers are zeroed and counts are 0 when the driver is called; what
	 * it does not count does not reach the client.
	 */
	uint64_t *scalar_output;
	uint32_t scalar_output_room, scalar_output_count;
	void *structure_output;
	size_t structure_output_room, structure_output_size; /* in bytes */
	struct iouser_completion *completion; /* of an asynchronous call, else NULL */
};

/* Memory that a user client gives to its client. */
struct iouser_memory {
	int fd; /* borrowed; the runtime duplicates it */
	uint64_t offset;
	uint64_t size;
	/*
	 * Pages of it that the client does not get (hole_size 0: none): the client's mapping has
	 * zeroed memory of its own there. A multiple of the page size, both.
	 */
	uint64_t hole, hole_size;
	bool read_only;
};

/*
 * What a driver provides. new_user_client, external_method, copy_client_memory
 * and client_closed of one user client are never called at the same time; those
 * of different ones are.
 */
struct iouser_class {
	/* A client opens the service. On success *client is handed to the others. */
	kern_return_t (*new_user_client)(
		void *driver, uint32_t type, struct iouser_peer *peer, void **client);
	kern_return_t (*external_method)(void *client, struct iouser_arguments *arguments);
	kern_return_t (*copy_client_memory)(
		void *client, uint32_t memory_type, struct iouser_memory *memory);
	/* The client has unmapped one mapping of that memory. */
	void (*client_unmapped)(void *client, uint32_t memory_type);
	/* The client has gone, however it went. Frees the user client. */
	void (*client_closed)(void *client);
};

/**
 * iouser_service_publish - put a service into the registry
 * @user_class: the driver's class, property IOUserClass; also the entry's name
 * @provides: what the class provides; must outlive the service
 * @driver: handed to new_user_client
 *
 * Return: the service, or NULL without memory.
 */
struct iouser_service *iouser_service_publish(
	const char *user_class, const struct iouser_class *provides, void *driver);
/* A registry property of a service: text. */
struct iouser_property {
	const char *key, *value;
};

/**
 * iouser_service_publish_with - iouser_service_publish() with properties of the driver's own
 * @properties: an array that ends with a NULL key, copied; NULL for none. All keys and
 *	values together have room in 256 bytes, with a NUL after each.
 *
 * Return: the service, or NULL without memory or when the properties have no room.
 */
struct iouser_service *iouser_service_publish_with(const char *user_class,
	const struct iouser_class *provides, void *driver,
	const struct iouser_property *properties);
/**
 * iouser_service_terminate - take a service out of the registry
 *
 * No user client is opened any more. Those that are open go on until their
 * clients close them.
 */
void iouser_service_terminate(struct iouser_service *service);
/**
 * iouser_service_release - free a service
 *
 * Terminates it if need be and waits until no user client is left.
 */
void iouser_service_release(struct iouser_service *service);

/** iouser_completion_retain - keep a completion beyond the call that brought it. */
struct iouser_completion *iouser_completion_retain(struct iouser_completion *completion);
/** iouser_completion_release - give it up; uncompleted, the client's call never completes. */
void iouser_completion_release(struct iouser_completion *completion);
/**
 * iouser_async_completion - complete an asynchronous call (AsyncCompletion)
 * @count: how many of @args, at most IOUSER_SCALARS_MAX
 *
 * Once for each completion; never blocks; safe from any thread. Does not
 * release it.
 */
void iouser_async_completion(struct iouser_completion *completion, IOReturn status,
	const uint64_t *args, uint32_t count);

struct dma_span; /* common/dma-span.h */

/* Memory of a client, valid until it is released. */
struct iouser_task_memory {
	size_t count;
	struct dma_span *spans; /* @count of them, in order of address */
	void **owners;		/* of each span: the runtime's own */
};

/**
 * iouser_copy_task_memory - get hold of a client's memory
 * @peer: the client
 * @va: where it begins in the client; the call being carried out must have brought
 *	both @va and @size among its arguments
 * @size: in bytes
 * @memory: set to the memory, for iouser_task_memory_release()
 *
 * Only from within external_method of the same user client.
 *
 * Return: kIOReturnSuccess; kIOReturnVMError when the client has no such memory;
 * kIOReturnNoMemory; kIOReturnNotAttached when the client has gone meanwhile;
 * kIOReturnNotPermitted when it is private memory of a process that may not be looked into, or
 * of a file whose pages may never come (FUSE, network file systems); kIOReturnNoSpace when it is
 * in too many pieces, or there is no address space for it; kIOReturnNoResources when descriptors
 * are used up.
 */
kern_return_t iouser_copy_task_memory(
	struct iouser_peer *peer, uint64_t va, uint64_t size, struct iouser_task_memory **memory);
/** iouser_task_memory_release - let go of it. From any thread; the peer can be gone. */
void iouser_task_memory_release(struct iouser_task_memory *memory);

/** iouser_peer_pid - the client's process, 0 when unknown. */
pid_t iouser_peer_pid(const struct iouser_peer *peer);

/**
 * iouser_peer_is_privileged - whether the client is of this service's own user, or root
 *
 * As the kernel says of the process that connected (IOUserClient::clientHasPrivilege).
 * False when the kernel cannot tell. Any thread.
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
 * Return: a string of the calling thread's, valid until its next call of this.
 */
const char *iouser_socket_path(void);

/**
 * iouser_server_create - serve this process's published services on a socket
 * @path: of the socket; a stale socket there is replaced, one in use is not
 * @error: gets one line without a newline when it fails
 * @error_size: its size
 *
 * Return: the server, already listening, or NULL.
 */
struct iouser_server *iouser_server_create(const char *path, char *error, size_t error_size);
/* Who may use a server, and how much of it. */
struct iouser_server_options {
	const char *path;
	/* Of the socket; 0: so that whoever is allowed can connect, 0600, 0660 or 0666. */
	mode_t mode;
	gid_t group; /* of the socket; (gid_t)-1: as it comes */
	/* Besides this process's own user and root; checked on accept, whatever the mode says. */
	const uid_t *allowed_uids;
	size_t allowed_uid_count;
	const gid_t *allowed_gids; /* a client's group, or one of its supplementary ones */
	size_t allowed_gid_count;
	unsigned connections_max; /* of one process; 0 for 256 */
	/* Of one user besides the service's own and root; 0 for 256, at most 960. */
	unsigned user_connections_max;
};

/**
 * iouser_server_create_with - iouser_server_create() with options
 *
 * A client that is not allowed gets kIOReturnNotPermitted, one with too many connections
 * (of its process, of its user, or of all, which are 1024, 64 of them for the service's own
 * user and root) kIOReturnNoResources. A connection that says nothing is closed after 5
 * seconds, or when its place is needed. Of those refused: the look-ups of its runtime find nothing, and
 * iouser_service_probe() says why.
 */
struct iouser_server *iouser_server_create_with(
	const struct iouser_server_options *options, char *error, size_t error_size);
/** iouser_server_run - accept clients until iouser_server_stop(); one thread a connection. */
void iouser_server_run(struct iouser_server *server);
/** iouser_server_stop - make iouser_server_run() return. Safe in a signal handler. */
void iouser_server_stop(struct iouser_server *server);
/** iouser_server_destroy - cut off every client, wait for their threads, remove the socket. */
void iouser_server_destroy(struct iouser_server *server);

/**
 * iouser_service_probe - whether a driver service answers at iouser_socket_path()
 * @error: gets one line that says why not
 *
 * Return: true when it does, or when this process publishes services itself.
 */
bool iouser_service_probe(char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
#endif
