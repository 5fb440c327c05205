/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IOKit's user-client API, for hosts that have no IOKit. Names, signatures and
 * semantics are Apple's: a program written against this header compiles and
 * behaves the same with Apple's.
 *
 * Threads: every function is safe to call from any thread. Calls on one
 * connection are executed one at a time; calls on different connections run
 * concurrently. A handle must not be released while another thread uses it.
 *
 * Processes: a connection belongs to the process that opened it and does not
 * survive fork(); in a child, calls on it return kIOReturnNotPermitted.
 */
#ifndef IOKIT_IOKITLIB_H
#define IOKIT_IOKITLIB_H

#include <CoreFoundation/CoreFoundation.h>
#include <IOKit/IOReturn.h>
#include <dispatch/dispatch.h>
#include <mach/mach.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef mach_port_t io_object_t;
typedef io_object_t io_connect_t;
typedef io_object_t io_iterator_t;
typedef io_object_t io_registry_entry_t;
typedef io_object_t io_service_t;
typedef uint32_t IOOptionBits;
typedef char io_name_t[128];
typedef struct IONotificationPort *IONotificationPortRef;

#define IO_OBJECT_NULL	     ((io_object_t)0)
#define kIOMainPortDefault   ((mach_port_t)0)
#define kIOMasterPortDefault kIOMainPortDefault

/* Registry keys (IOKit/IOKitKeys.h). */
#define kIOProviderClassKey "IOProviderClass"
#define kIONameMatchKey	    "IONameMatch"
#define kIOServiceClass	    "IOService"

/* Where the callout and its context stand in an asynchronous call's reference (OSMessageNotification.h). */
enum {
	kIOAsyncReservedIndex = 0,
	kIOAsyncReservedCount,
	kIOAsyncCalloutFuncIndex = kIOAsyncReservedCount,
	kIOAsyncCalloutRefconIndex,
	kIOAsyncCalloutCount,
};

/* The callouts of asynchronous calls, by the number of values that the driver sends. */
typedef void (*IOAsyncCallback0)(void *refcon, IOReturn result);
typedef void (*IOAsyncCallback1)(void *refcon, IOReturn result, void *arg0);
typedef void (*IOAsyncCallback2)(void *refcon, IOReturn result, void *arg0, void *arg1);
typedef void (*IOAsyncCallback)(void *refcon, IOReturn result, void **args, uint32_t numArgs);

/* Options of IOConnectMapMemory64 (IOTypes.h). */
enum {
	kIOMapAnywhere = 0x00000001,
	kIOMapCacheMask = 0x00000f00,
	kIOMapDefaultCache = 0x00000000,
	kIOMapInhibitCache = 0x00000100,
	kIOMapWriteThruCache = 0x00000200,
	kIOMapCopybackCache = 0x00000300,
	kIOMapWriteCombineCache = 0x00000400,
	kIOMapReadOnly = 0x00001000,
};

/*
 * Matching. A dictionary made here is given to one of the two look-ups, which
 * consumes it.
 */

/**
 * IOServiceMatching - match services by class
 * @name: the service's class or one that it inherits from. The service of a driver extension is
 *	an IOUserService, and also matches by its IOUserClass.
 *
 * Return: a new dictionary, or NULL without memory.
 */
CFMutableDictionaryRef IOServiceMatching(const char *name);
/** IOServiceNameMatching - match services by name. Return: a new dictionary, or NULL. */
CFMutableDictionaryRef IOServiceNameMatching(const char *name);
/**
 * IOServiceGetMatchingServices - look services up
 * @main_port: kIOMainPortDefault
 * @matching: consumed, whatever happens
 * @existing: set to an iterator over the services found, which may be none
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a NULL.
 */
kern_return_t IOServiceGetMatchingServices(
	mach_port_t main_port, CFDictionaryRef matching, io_iterator_t *existing);
/** IOServiceGetMatchingService - the first service that matches (a new reference), or IO_OBJECT_NULL. */
io_service_t IOServiceGetMatchingService(mach_port_t main_port, CFDictionaryRef matching);

/** IOIteratorNext - the next object, a new reference, or IO_OBJECT_NULL at the end. */
io_object_t IOIteratorNext(io_iterator_t iterator);
/** IOIteratorReset - begin again with the first object. */
void IOIteratorReset(io_iterator_t iterator);

/* Types of IOServiceAddMatchingNotification() (IOKit/IOKitKeys.h). */
#define kIOPublishNotification	    "IOServicePublish"
#define kIOFirstPublishNotification "IOServiceFirstPublish"
#define kIOMatchedNotification	    "IOServiceMatched"
#define kIOFirstMatchNotification   "IOServiceFirstMatch"
#define kIOTerminatedNotification   "IOServiceTerminate"

/** IOServiceMatchingCallback - services were published or terminated; the iterator has them */
typedef void (*IOServiceMatchingCallback)(void *refcon, io_iterator_t iterator);

/**
 * IOServiceAddMatchingNotification - call back when services are published or terminated
 * @port: on whose queue the callback runs
 * @type: one of the names above. All but kIOTerminatedNotification mean the same here, where a
 *	service is complete when it is published.
 * @matching: consumed, whatever happens
 * @callback: called when services are added to the iterator, if it is armed
 * @refcon: its first argument
 * @notification: set to an iterator over the services that exist already (empty for
 *	kIOTerminatedNotification). Iterating to its end arms the notification; releasing it
 *	cancels the notification.
 *
 * When a driver service exits, its services count as terminated. A service that starts later is
 * looked for every 200 ms.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for a NULL or another type;
 * kIOReturnNoMemory or kIOReturnNoResources.
 */
kern_return_t IOServiceAddMatchingNotification(IONotificationPortRef port, const char *type,
	CFDictionaryRef matching, IOServiceMatchingCallback callback, void *refcon,
	io_iterator_t *notification);

/** IOObjectRetain - add a reference. kIOReturnBadArgument for an unknown name. */
kern_return_t IOObjectRetain(io_object_t object);
/** IOObjectRelease - drop a reference. kIOReturnBadArgument for an unknown name. */
kern_return_t IOObjectRelease(io_object_t object);
/** IOObjectConformsTo - whether the object's class is, or inherits from, @class_name. */
int IOObjectConformsTo(io_object_t object, const char *class_name); /* an io_name_t */

/** IORegistryEntryCreateCFProperty - a copy of one property (a new reference), or NULL. */
CFTypeRef IORegistryEntryCreateCFProperty(
	io_registry_entry_t entry, CFStringRef key, CFAllocatorRef allocator, IOOptionBits options);
/** IORegistryEntryGetRegistryEntryID - get the unique ID of the entry; IDs are not reused. */
kern_return_t IORegistryEntryGetRegistryEntryID(io_registry_entry_t entry, uint64_t *entry_id);
/** IORegistryEntryGetName - the entry's name. */
kern_return_t IORegistryEntryGetName(io_registry_entry_t entry, io_name_t name);

/**
 * IOServiceOpen - open a user client on a service
 * @service: the service
 * @owning_task: mach_task_self()
 * @type: which kind of user client, the driver's own choice
 * @connect: set to a new connection, closed with IOServiceClose()
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument; kIOReturnOffline when the service has
 * terminated; else the driver's status.
 */
kern_return_t IOServiceOpen(
	io_service_t service, task_port_t owning_task, uint32_t type, io_connect_t *connect);
/**
 * IOServiceClose - close a connection
 *
 * The driver releases all resources of the connection, and memory mapped through it is
 * unmapped. kIOReturnBadArgument for an unknown connection.
 */
kern_return_t IOServiceClose(io_connect_t connect);

/**
 * IOConnectCallMethod - call the driver and wait for the answer
 * @connect: the connection
 * @selector: number of the method
 * @input: scalars in; may be NULL when @input_count is 0
 * @input_count: number of scalars, at most 16
 * @input_struct: bytes in; may be NULL when @input_struct_size is 0
 * @input_struct_size: number of bytes, at most 4096
 * @output: buffer of scalars out
 * @output_count: in: size of @output in scalars; out: number of scalars returned
 * @output_struct: buffer of bytes out
 * @output_struct_size: in: size of @output_struct; out: number of bytes returned
 *
 * Return: the driver's status; kIOReturnBadArgument for an unknown connection or counts past the
 * limits; when the driver has exited MIG_SERVER_DIED, if it did during the call,
 * MACH_SEND_INVALID_DEST before it, kIOReturnOffline in later calls (Apple's IOKit also returns
 * kIOReturnNotReady); kIOReturnTimeout when it does not answer.
 */
kern_return_t IOConnectCallMethod(mach_port_t connect, uint32_t selector, const uint64_t *input,
	uint32_t input_count, const void *input_struct, size_t input_struct_size, uint64_t *output,
	uint32_t *output_count, void *output_struct, size_t *output_struct_size);
/** IOConnectCallScalarMethod - IOConnectCallMethod() with scalars only. */
kern_return_t IOConnectCallScalarMethod(mach_port_t connect, uint32_t selector,
	const uint64_t *input, uint32_t input_count, uint64_t *output, uint32_t *output_count);
/** IOConnectCallStructMethod - IOConnectCallMethod() with bytes only. */
kern_return_t IOConnectCallStructMethod(mach_port_t connect, uint32_t selector,
	const void *input_struct, size_t input_struct_size, void *output_struct,
	size_t *output_struct_size);
/**
 * IOConnectCallAsyncMethod - call the driver, with a completion on a notification port
 * @wake_port: IONotificationPortGetMachPort() of the port
 * @reference: kIOAsyncCalloutCount words: the callout at kIOAsyncCalloutFuncIndex,
 *	its first argument at kIOAsyncCalloutRefconIndex; copied
 * @reference_count: kIOAsyncCalloutCount, or more (at most 8)
 *
 * The other parameters and the return value are as IOConnectCallMethod(). After a success the
 * callout runs once on the port's queue, unless the driver drops the call or exits. After a
 * failure it does not run. A port has at most 128 outstanding calls: kIOReturnNoResources past
 * that.
 */
kern_return_t IOConnectCallAsyncMethod(mach_port_t connect, uint32_t selector,
	mach_port_t wake_port, uint64_t *reference, uint32_t reference_count, const uint64_t *input,
	uint32_t input_count, const void *input_struct, size_t input_struct_size, uint64_t *output,
	uint32_t *output_count, void *output_struct, size_t *output_struct_size);
/** IOConnectCallAsyncScalarMethod - IOConnectCallAsyncMethod() with scalars only. */
kern_return_t IOConnectCallAsyncScalarMethod(mach_port_t connect, uint32_t selector,
	mach_port_t wake_port, uint64_t *reference, uint32_t reference_count, const uint64_t *input,
	uint32_t input_count, uint64_t *output, uint32_t *output_count);

/**
 * IOConnectMapMemory64 - map memory of the driver into the calling task
 * @connect: the connection
 * @memory_type: type of memory, defined by the driver
 * @into_task: mach_task_self()
 * @address: set to the address of the mapping
 * @size: set to its size in bytes
 * @options: kIOMapAnywhere, with a caching mode; a fixed address is refused. kIOMapReadOnly is
 *	ignored: memory is read-only if the driver says so.
 *
 * Return: kIOReturnSuccess; kIOReturnUnsupported without kIOMapAnywhere; kIOReturnBadArgument for
 * every other failure, whatever the driver's status is. When the driver does not answer, the
 * connection is closed.
 */
kern_return_t IOConnectMapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t into_task, mach_vm_address_t *address, mach_vm_size_t *size,
	IOOptionBits options);
/**
 * IOConnectUnmapMemory64 - undo one IOConnectMapMemory64()
 * @connect: the connection
 * @memory_type: as given to it
 * @from_task: mach_task_self()
 * @address: the address of the mapping
 *
 * The driver is asked for the memory of that type again, and what it returns is unmapped. So
 * unmap memory before the driver frees or replaces it: otherwise it stays mapped until the
 * connection is closed.
 *
 * Return: kIOReturnSuccess; kIOReturnBadArgument for an address that is no mapping of that type,
 * or when the driver returns other memory; else the driver's status.
 */
kern_return_t IOConnectUnmapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t from_task, mach_vm_address_t address);

/** IONotificationPortCreate - a port on which completions arrive. Return: the port, or NULL. */
IONotificationPortRef IONotificationPortCreate(mach_port_t main_port);
/**
 * IONotificationPortDestroy - destroy a port
 *
 * Callouts that have not started do not run. One that is running may still be running when this
 * returns; dispatch_sync_f() on the queue waits for it.
 */
void IONotificationPortDestroy(IONotificationPortRef port);
/** IONotificationPortSetDispatchQueue - run the port's callouts on @queue, which is retained; NULL stops them. */
void IONotificationPortSetDispatchQueue(IONotificationPortRef port, dispatch_queue_t queue);
/** IONotificationPortGetMachPort - the port's name, for asynchronous calls. */
mach_port_t IONotificationPortGetMachPort(IONotificationPortRef port);

#ifdef __cplusplus
}
#endif
#endif
