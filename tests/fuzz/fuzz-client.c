/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of a driver service to a client. An input is a sequence of steps: messages of the
 * service are queued, then a public function of the runtime or the client library is called, which
 * reads them. Required: each call returns, the client answers only valid queries for memory, and
 * all resources are released at the end.
 */
#include "tests/fuzz/client-rig.h"
#include "tests/fuzz/fd-samples.h"
#include "tests/fuzz/packet.h"

#include <IOKit/IOKitLib.h>
#include <apple-dext-client.h>
#include <dext-abi.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_MAX	24
#define CONNECTIONS_MAX 4

/* A connection of the client, and its state in the service. */
struct connection {
	io_connect_t name;
	int link;
	uint32_t last_id;
	mach_vm_address_t mapping;
	uint32_t mapping_type;
};

struct client {
	struct fuzz_input input;
	io_service_t service;
	struct connection connections[CONNECTIONS_MAX];
	IONotificationPortRef port;
	dispatch_queue_t queue;
	uint64_t last_token;
	io_iterator_t watch;
	struct packet packet; /* the message that is being built */
};

/* Send the packet. The input tells whether it is corrupted first. */
static void send_message(struct client *client, int link)
{
	if (fuzz_byte(&client->input) >= 0xe0)
		packet_tamper(&client->packet, &client->input);
	if (link_service(link) >= 0)
		packet_send(&client->packet, link_service(link));
}

static void send_status(struct client *client, int link, uint32_t type, uint32_t id)
{
	packet_begin(&client->packet, type | IOU_REPLY, id, sizeof(struct iou_header));
	send_message(client, link);
}

static void send_hello(struct client *client, int link)
{
	packet_begin(&client->packet, IOU_HELLO | IOU_REPLY, 0, sizeof(struct iou_hello));
	client->packet.message.hello.magic = IOU_MAGIC;
	client->packet.message.hello.major = IOU_VERSION_MAJOR;
	send_message(client, link);
}

static void send_entries(struct client *client, int link)
{
	unsigned count = 1 + fuzz_byte(&client->input) % 4;

	for (unsigned i = 0; i < count; i++) {
		struct iou_entry *entry = &client->packet.message.entry;

		packet_begin(&client->packet, IOU_ENTRY, 0, sizeof(*entry));
		entry->entry_id = 1 + i;
		memset(entry->name, 'n', fuzz_byte(&client->input) % (IOU_NAME_MAX + 1));
		memcpy(entry->user_class, DEXT_USER_CLASS, sizeof(DEXT_USER_CLASS));
		send_message(client, link);
	}
	send_status(client, link, IOU_LIST, 0);
}

/* Another message than the reply: a query, a reply to an earlier call, arbitrary bytes. */
static void send_unexpected(struct client *client, int link, const uint64_t *named, unsigned count)
{
	struct iou_memory_query *query = &client->packet.message.memory_query;
	uint8_t how = fuzz_byte(&client->input);

	if (how >= 0xc0) {
		packet_garble(&client->packet, &client->input);
		packet_send(&client->packet, link_service(link));
	} else if (how >= 0x80) {
		send_status(client, link, how & 15, how >> 4);
	} else {
		packet_begin(&client->packet, IOU_MEMORY, how, sizeof(*query));
		query->va = count ? named[how % count] : (uintptr_t)arena();
		query->size = count ? named[(how >> 3) % count] : how;
		send_message(client, link);
	}
}

static void send_call_reply(struct client *client, struct connection *connection)
{
	uint8_t scalars = fuzz_byte(&client->input), bytes = fuzz_byte(&client->input);
	struct iou_call_reply *reply = &client->packet.message.call_reply;

	packet_begin(&client->packet, IOU_CALL | IOU_REPLY, ++connection->last_id,
		sizeof(*reply) + (scalars & 31u) * 8 + bytes);
	reply->scalar_output_count = scalars & 31;
	reply->structure_output_size = bytes;
	for (unsigned i = 0; i < (scalars & 31u) && (scalars & 0x80); i++) {
		uint64_t value = fuzz_number(&client->input);

		memcpy(client->packet.bytes + sizeof(*reply) + 8 * i, &value, sizeof(value));
	}
	if (scalars & 0x40)
		reply->header.status = (int32_t)kIOReturnError;
	if (scalars & 0x20)
		packet_attach(&client->packet, bytes);
	send_message(client, connection->link);
}

static void send_map_reply(struct client *client, struct connection *connection)
{
	static const uint64_t sizes[] = { 0x4000, 0x1000, 1, 0, UINT64_MAX, INT64_MAX,
		UINT64_C(1) << 40, UINT64_C(1) << 47, 0x4001 };
	static const uint64_t offsets[] = { 0, 0x1000, 1, UINT64_MAX, INT64_MAX, UINT64_C(1) << 62,
		UINT64_MAX - 0xfff };
	struct iou_map_reply *reply = &client->packet.message.map_reply;
	uint8_t kind;

	packet_begin(&client->packet, IOU_MAP | IOU_REPLY, ++connection->last_id, sizeof(*reply));
	reply->size = FUZZ_PICK(&client->input, sizes);
	reply->offset = FUZZ_PICK(&client->input, offsets);
	kind = fuzz_byte(&client->input);
	reply->read_only = kind >> 7;
	if (kind != 0x7f)
		packet_attach(&client->packet, kind & 0x7f);
	send_message(client, connection->link);
}

static struct connection *pick_connection(struct client *client)
{
	return &client->connections[fuzz_byte(&client->input) % CONNECTIONS_MAX];
}

static void look_at_service(io_service_t service)
{
	CFTypeRef class = IORegistryEntryCreateCFProperty(
		service, CFSTR("IOUserClass"), kCFAllocatorDefault, 0);
	io_name_t name;
	uint64_t id;

	if (class)
		CFRelease(class);
	fuzz_require(IORegistryEntryGetRegistryEntryID(service, &id) == kIOReturnSuccess &&
			     IORegistryEntryGetName(service, name) == kIOReturnSuccess &&
			     memchr(name, 0, sizeof(name)),
		"a service without a name");
}

static void step_list(struct client *client)
{
	int link = link_prepare();
	io_iterator_t iterator;
	io_service_t service;

	send_hello(client, link);
	send_entries(client, link);
	if (IOServiceGetMatchingServices(kIOMainPortDefault,
		    fuzz_byte(&client->input) & 1 ? IOServiceNameMatching("n") :
						    IOServiceMatching("IOUserService"),
		    &iterator) != kIOReturnSuccess)
		return;
	while ((service = IOIteratorNext(iterator))) {
		look_at_service(service);
		if (client->service)
			IOObjectRelease(client->service);
		client->service = service;
	}
	IOObjectRelease(iterator);
}

/* The service that was found last. If there is none, find one with valid replies. */
static io_service_t any_service(struct client *client)
{
	struct fuzz_input rest = client->input;

	if (client->service)
		return client->service;
	client->input = fuzz_begin(NULL, 0);
	step_list(client);
	client->input = rest;
	return client->service;
}

static void step_open(struct client *client)
{
	struct connection *connection = pick_connection(client);
	io_service_t service = any_service(client);

	if (connection->name)
		IOServiceClose(connection->name);
	*connection = (struct connection){ .link = link_prepare(), .last_id = 1 };
	send_hello(client, connection->link);
	if (fuzz_byte(&client->input) & 0x80)
		send_unexpected(client, connection->link, NULL, 0);
	send_status(client, connection->link, IOU_OPEN, 1);
	IOServiceOpen(service, mach_task_self(), DEXT_USER_CLIENT_TYPE, &connection->name);
}

static void completed(void *refcon, IOReturn result)
{
	(void)result;
	fuzz_require(refcon == (void *)arena(), "a completion with a wrong context");
}

static void step_call(struct client *client, bool async)
{
	struct connection *connection = pick_connection(client);
	uint8_t how = fuzz_byte(&client->input);
	uint64_t in[] = { 0, (uintptr_t)arena() + (how >> 4) * 0x1000u, 0x1000, 0x4000, 0x7fff,
		UINT64_MAX, 0x10000, 1 };
	uint64_t out[IOUSER_SCALARS_MAX] = { 0 }, reference[kIOAsyncCalloutCount] = { 0 };
	unsigned char bytes[256];
	uint32_t out_count = how & 15;
	size_t out_size = fuzz_byte(&client->input);

	for (unsigned i = how & 3; i; i--)
		send_unexpected(client, connection->link, in, 8);
	send_call_reply(client, connection);
	reference[kIOAsyncCalloutFuncIndex] = (uintptr_t)completed;
	reference[kIOAsyncCalloutRefconIndex] = (uintptr_t)arena();
	if (async)
		IOConnectCallAsyncMethod(connection->name, how,
			IONotificationPortGetMachPort(client->port), reference,
			kIOAsyncCalloutCount, in, 8, NULL, 0, out, &out_count, bytes, &out_size);
	else
		IOConnectCallMethod(connection->name, how, in, how & 8 ? 8 : 4, in + 4,
			how & 4 ? sizeof(in) / 2 : 0, out, &out_count, bytes, &out_size);
	fuzz_require(out_count <= IOUSER_SCALARS_MAX && out_size <= sizeof(bytes),
		"more output than the buffer has space for");
}

static void need_port(struct client *client)
{
	if (client->port)
		return;
	client->port = IONotificationPortCreate(kIOMainPortDefault);
	client->queue = dispatch_queue_create("fuzz", DISPATCH_QUEUE_SERIAL);
	fuzz_require(client->port && client->queue, "the harness needs a port");
	IONotificationPortSetDispatchQueue(client->port, client->queue);
}

static void step_call_async(struct client *client)
{
	need_port(client);
	client->last_token++;
	step_call(client, true);
}

static void take_all(void *refcon, io_iterator_t iterator)
{
	io_service_t service;

	fuzz_require(refcon == (void *)arena(), "a notification with a wrong context");
	while ((service = IOIteratorNext(iterator)))
		IOObjectRelease(service);
}

/*
 * Notifications of services: one connection for notifications, and one for the list of services
 * after each.
 */
static void step_watch(struct client *client)
{
	uint8_t how = fuzz_byte(&client->input);
	int link = link_prepare();

	need_port(client);
	if (client->watch)
		IOObjectRelease(client->watch);
	client->watch = IO_OBJECT_NULL;
	send_hello(client, link);
	send_status(client, link, IOU_WATCH, 0);
	for (unsigned i = how & 3; i; i--) {
		packet_begin(&client->packet, IOU_CHANGED, 0, sizeof(struct iou_header));
		send_message(client, link);
	}
	if (how & 0x80)
		link_close(link);
	for (unsigned i = 1 + (how >> 2 & 3u); i; i--) {
		link = link_prepare();
		send_hello(client, link);
		send_entries(client, link);
	}
	if (IOServiceAddMatchingNotification(client->port,
		    how & 0x40 ? kIOTerminatedNotification : kIOMatchedNotification,
		    IOServiceMatching("IOUserService"), take_all, arena(),
		    &client->watch) == kIOReturnSuccess)
		take_all(arena(), client->watch);
	port_deliver();
}

static void step_events(struct client *client)
{
	unsigned count = 1 + fuzz_byte(&client->input) % 4;
	struct iou_event *event = &client->packet.message.event;

	links_read();
	for (unsigned i = 0; i < count && port_descriptor() >= 0; i++) {
		uint8_t how = fuzz_byte(&client->input);

		packet_begin(&client->packet, IOU_EVENT, 0, sizeof(*event));
		event->token = client->last_token - (how >> 5);
		event->count = how & 31;
		if (how == 0x5f)
			packet_garble(&client->packet, &client->input);
		else if (fuzz_byte(&client->input) >= 0xc0)
			packet_tamper(&client->packet, &client->input);
		packet_send(&client->packet, port_descriptor());
	}
	port_deliver();
}

/* Operations of the service on the socket of the port. */
static void step_port(struct client *client)
{
	static const int how[] = { SHUT_WR, SHUT_RD, SHUT_RDWR };

	links_read();
	if (port_descriptor() < 0)
		return;
	shutdown(port_descriptor(), how[fuzz_byte(&client->input) % 3]);
	port_deliver();
}

static void step_map(struct client *client)
{
	struct connection *connection = pick_connection(client);
	uint8_t how = fuzz_byte(&client->input);
	mach_vm_address_t address;
	mach_vm_size_t size;

	if (how & 0x80)
		send_unexpected(client, connection->link, NULL, 0);
	send_map_reply(client, connection);
	if (IOConnectMapMemory64(connection->name, how & 7, mach_task_self(), &address, &size,
		    kIOMapAnywhere) != kIOReturnSuccess)
		return;
	fuzz_require(address && size, "an empty mapping");
	if (how & 0x40)
		return; /* unmapped when the connection is closed */
	/*
	 * Unmapping requests the memory from the service again. If the reply differs, it remains
	 * mapped.
	 */
	if (!(how & 0x20))
		send_map_reply(client, connection);
	IOConnectUnmapMemory64(connection->name, how & 7, mach_task_self(), address);
}

static void step_close(struct client *client)
{
	struct connection *connection = pick_connection(client);

	if (connection->name)
		IOServiceClose(connection->name);
	*connection = (struct connection){ .link = -1 };
}

static void step_hang_up(struct client *client)
{
	link_close(pick_connection(client)->link);
}

/*
 * The search of the client library: it requests the list, opens each service, and calls it for its
 * address.
 */
static void step_find(struct client *client)
{
	struct connection searched = { .last_id = 1 };
	AppleDextDevice *devices;
	size_t count;
	uint8_t how = fuzz_byte(&client->input);
	io_connect_t connection;

	searched.link = link_prepare();
	send_hello(client, searched.link);
	send_entries(client, searched.link);
	for (unsigned i = 0; i <= (how & 3u); i++) {
		searched.link = link_prepare();
		searched.last_id = 1;
		send_hello(client, searched.link);
		send_status(client, searched.link, IOU_OPEN, 1);
		send_call_reply(client, &searched);
	}
	if (how & 0x80) {
		if (apple_dext_copy_bound_devices(&devices, &count) == kIOReturnSuccess)
			apple_dext_free_bound_devices(devices);
		return;
	}
	connection = apple_dext_connect(0, 0, 0);
	if (connection)
		apple_dext_disconnect(connection);
}

static void call_library(io_connect_t name, uint8_t how)
{
	unsigned char block[64];
	uint64_t words[4];
	uint8_t small, type;
	mach_vm_address_t address;
	mach_vm_size_t size;
	uint32_t vectors;
	AppleDextStatus status;

	switch (how % 8) {
	case 0:
		apple_dext_get_bar_info(name, how >> 3, &small, words, &type);
		break;
	case 1:
		apple_dext_config_read_block(name, how, block, how >> 2);
		break;
	case 2:
		apple_dext_register_dma(name, how, (uintptr_t)arena(), 0x4000, words, words + 1);
		break;
	case 3:
		apple_dext_read_pending_irqs(name, words);
		break;
	case 4:
		apple_dext_setup_interrupts(name, &vectors);
		break;
	case 5:
		apple_dext_get_status(name, &status);
		break;
	case 6:
		apple_dext_mmio_read(name, 0, how, 4, words);
		break;
	default:
		if (apple_dext_map_bar(name, 0, &address, &size, &type) == kIOReturnSuccess)
			apple_dext_unmap_bar(name, 0, address);
		break;
	}
}

static void step_library(struct client *client)
{
	struct connection *connection = pick_connection(client);
	uint8_t how = fuzz_byte(&client->input);
	unsigned replies = 1 + fuzz_byte(&client->input) % 16;

	for (unsigned i = 0; i < replies; i++)
		if (how % 8 == 7 && i)
			send_map_reply(client, connection);
		else
			send_call_reply(client, connection);
	call_library(connection->name, how);
}

static void (*const steps[])(struct client *client) = { step_list, step_open, step_call_async,
	step_events, step_map, step_close, step_hang_up, step_find, step_library, step_port,
	step_watch };

static void end(struct client *client)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (client->connections[i].name)
			IOServiceClose(client->connections[i].name);
	if (client->service)
		IOObjectRelease(client->service);
	if (client->watch)
		IOObjectRelease(client->watch);
	if (client->port)
		IONotificationPortDestroy(client->port);
	if (client->queue)
		dispatch_release(client->queue);
	client_rig_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client client = { .input = fuzz_begin(data, size) };
	static bool started;

	if (!started) {
		fd_samples_open();
		arena();
	}
	started = true;
	fuzz_note_fds();
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		client.connections[i].link = -1;
	for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&client.input); i++) {
		unsigned step = fuzz_byte(&client.input) % (sizeof(steps) / sizeof(*steps) + 2);

		if (step < sizeof(steps) / sizeof(*steps))
			steps[step](&client);
		else
			step_call(&client, false);
	}
	end(&client);
	fuzz_require_fds_as_noted();
	return 0;
}
