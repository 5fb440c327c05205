/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of a client to the vfio-user server, and events of its device. An input is a sequence of
 * steps: messages, valid or corrupted; interrupts; the end and the restart of the driver service.
 * The session runs in the fuzzer's thread: when it waits for its client, the next step is executed.
 * Required: at the end all resources of the client are released.
 */
#include "tests/fuzz/fd-samples.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/fake-client.h"
#include "vfio-user/platform.h"
#include "vfio-user/message.h"
#include "vfio-user/serve.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_MAX   64
#define PAYLOAD_MAX 4096u
#define FDS_MAX	    20

static struct run {
	struct fuzz_input input;
	int client, session; /* the ends of the socket; client: -1 after disconnecting */
	int stop[2];
	unsigned steps;
	struct vu_loop loop;
	struct vu_device *device;
	/* Parser of the replies: the part received so far. */
	unsigned char reply[sizeof(struct vfio_user_header)];
	size_t reply_got, reply_left;
} run;

struct message {
	struct vfio_user_header header;
	unsigned char payload[PAYLOAD_MAX];
	size_t size; /* of the payload */
	int fds[FDS_MAX];
	size_t fd_count;
};

/* --- Functions called by the code under test ----------------------------------------- */

/* Its log is discarded. */
void __wrap_vu_log(const char *format, ...);
void __wrap_vu_log(const char *format, ...)
{
	(void)format;
}

static void step(void);

static void check_reply(void)
{
	struct vfio_user_header header;

	memcpy(&header, run.reply, sizeof(header));
	fuzz_require((header.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_TYPE_REPLY,
		"a message that is not a reply");
	fuzz_require(
		header.size >= sizeof(header) && header.size <= sizeof(header) + VU_PAYLOAD_MAX,
		"a reply with an invalid size");
	fuzz_require((header.flags & VFIO_USER_ERROR) != 0 ?
			     header.error != 0 && header.size == 16 :
			     header.error == 0,
		"a reply with an invalid error");
	run.reply_left = header.size - sizeof(header);
}

static void take_reply(const unsigned char *data, size_t size)
{
	while (size > 0) {
		size_t part = sizeof(run.reply) - run.reply_got;

		if (run.reply_got == sizeof(run.reply)) {
			part = run.reply_left < size ? run.reply_left : size;
			run.reply_left -= part;
			if (run.reply_left == 0)
				run.reply_got = 0;
		} else {
			part = part < size ? part : size;
			memcpy(run.reply + run.reply_got, data, part);
			run.reply_got += part;
			if (run.reply_got == sizeof(run.reply))
				check_reply();
			if (run.reply_got == sizeof(run.reply) && run.reply_left == 0)
				run.reply_got = 0;
		}
		data += part;
		size -= part;
	}
}

static void take_replies(void)
{
	unsigned char data[65536];
	ssize_t got;

	while ((got = recv(run.client, data, sizeof(data), MSG_DONTWAIT)) > 0)
		take_reply(data, (size_t)got);
}

static void hang_up(void)
{
	if (run.client >= 0)
		close(run.client);
	run.client = -1;
}

int __real_vu_wait_for(
	struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms);
int __wrap_vu_wait_for(
	struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms);

/* The session waits for its client: execute the next step. */
int __wrap_vu_wait_for(
	struct vu_wait *wait, struct vu_wait_entry *entries, size_t count, int timeout_ms)
{
	bool waits = false;

	for (size_t i = 0; i < count; i++)
		waits = waits || (timeout_ms != 0 && entries[i].fd == run.session);
	if (waits && run.client >= 0) {
		take_replies();
		if (fuzz_more(&run.input) && run.steps++ < STEPS_MAX)
			step();
		else
			hang_up();
	}
	/* If the step sent nothing, the wait returns 0, and the session calls it again. */
	return __real_vu_wait_for(wait, entries, count, waits ? 0 : timeout_ms);
}

/* fuzz.c needs the real one. */
int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
	return __real_poll(fds, count, timeout_ms);
}

/* --- Messages ------------------------------------------------------------------------ */

static void put(struct message *message, const void *data, size_t size)
{
	memcpy(message->payload + message->size, data, size);
	message->size += size;
}

static void attach(struct message *message, unsigned kind)
{
	if (message->fd_count < FDS_MAX)
		message->fds[message->fd_count++] = fd_samples_get(kind);
}

static uint32_t number32(void)
{
	return (uint32_t)fuzz_number(&run.input);
}

static void make_version(struct message *message)
{
	static const char *const texts[] = {
		"{\"capabilities\":{\"max_msg_fds\":16,\"write_multiple\":true}}",
		"",
		"{}",
		"{\"capabilities\":{\"max_data_xfer_size\":16,\"max_dma_maps\":2}}",
		"{\"capabilities\":{\"pgsizes\":65536,\"max_msg_fds\":0}}",
		"{\"capabilities\":{\"pgsizes\":-1}}",
		"[",
		"{\"capabilities\":[]}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}",
	};
	const char *text = texts[fuzz_byte(&run.input) % (sizeof(texts) / sizeof(*texts))];
	struct vfio_user_version version = { .minor = VFIO_USER_VERSION_MINOR };

	put(message, &version, sizeof(version));
	if (text[0] != '\0')
		put(message, text, strlen(text) + 1);
}

static uint64_t address(void)
{
	static const uint64_t addresses[] = { 0, 0x1000, 0x10000, 0x100000, 0x4000,
		UINT64_MAX - 0xfff, UINT64_C(1) << 63, 0x1001, UINT64_MAX };

	return FUZZ_PICK(&run.input, addresses);
}

static uint64_t extent(void)
{
	static const uint64_t sizes[] = { 0x1000, 0x10000, 0x100000, 0x4000, 0, 1, 0x101000,
		UINT64_MAX, UINT64_C(1) << 63, INT64_MAX };

	return FUZZ_PICK(&run.input, sizes);
}

static void make_dma_map(struct message *message)
{
	uint8_t flags = fuzz_byte(&run.input);
	struct vfio_user_dma_map map = { .argsz = sizeof(map), .flags = flags == 0 ? 3 : flags };

	map.address = address();
	map.size = extent();
	map.offset = address();
	put(message, &map, sizeof(map));
	if (fuzz_byte(&run.input) < 0xc0)
		attach(message, fuzz_byte(&run.input));
}

static void make_dma_unmap(struct message *message)
{
	struct vfio_user_dma_unmap unmap = { .argsz = sizeof(unmap),
		.flags = fuzz_byte(&run.input) };

	unmap.address = address();
	unmap.size = extent();
	put(message, &unmap, sizeof(unmap));
}

/* All of these queries start with the same four words. */
static void make_query(struct message *message)
{
	static const uint16_t commands[] = { VFIO_USER_DEVICE_GET_INFO,
		VFIO_USER_DEVICE_GET_REGION_INFO, VFIO_USER_DEVICE_GET_IRQ_INFO,
		VFIO_USER_DEVICE_GET_REGION_IO_FDS, VFIO_USER_DEVICE_FEATURE };
	/* With and without space for capabilities. */
	uint32_t words[8] = { (run.steps & 1) != 0 ? 64 : 32 };

	message->header.command = commands[fuzz_byte(&run.input) % 5];
	words[message->header.command == VFIO_USER_DEVICE_FEATURE ? 1 : 2] = number32();
	put(message, words, message->header.command == VFIO_USER_DEVICE_GET_REGION_INFO ? 32 : 16);
}

static void make_set_irqs(struct message *message)
{
	static const uint64_t kinds[] = { 0x24, 0x21, 0x22, 0x09, 0x11, 0x0a, 0x12, 0x0c, 0x14,
		0x20, 0x04, 0x3f, 0x40 };
	struct vfio_user_irq_set set = { .argsz = sizeof(set) };
	uint8_t data[8] = { 1, 0, 1 };
	unsigned fds;

	set.flags = (uint32_t)FUZZ_PICK(&run.input, kinds);
	set.index = fuzz_byte(&run.input) % 7;
	set.start = number32();
	set.count = number32();
	put(message, &set, sizeof(set));
	if ((set.flags & VFIO_IRQ_SET_DATA_BOOL) != 0 && set.count <= sizeof(data))
		put(message, data, set.count);
	fds = (set.flags & VFIO_IRQ_SET_DATA_EVENTFD) != 0 ? fuzz_byte(&run.input) % (FDS_MAX + 1) :
							     0;
	for (unsigned i = 0; i < fds; i++)
		attach(message, fuzz_byte(&run.input) < 0xc0 ? FD_EVENT : fuzz_byte(&run.input));
}

static uint64_t offset_in(uint32_t region)
{
	static const uint64_t in_config[] = { 0x04, 0x3c, 0x30, 0x10, FAKE_PM + 4, FAKE_MSI + 2,
		FAKE_PCIE + 8, FAKE_MSIX + 2, FAKE_SRIOV, FAKE_AER, 0xffc, 0x1000 };
	static const uint64_t in_bar[] = { 0, FAKE_MSIX_TABLE, FAKE_MSIX_PENDING,
		FAKE_MSIX_TABLE - 4, FAKE_MSIX_TABLE + 16 * FAKE_MSIX_VECTORS - 4,
		FAKE_BAR0_SIZE - 1, FAKE_BAR0_SIZE, UINT64_MAX, 0x1c };

	if (fuzz_byte(&run.input) >= 0xe0)
		return fuzz_number(&run.input);
	return region == VFIO_PCI_CONFIG_REGION_INDEX ? FUZZ_PICK(&run.input, in_config) :
							FUZZ_PICK(&run.input, in_bar);
}

static uint32_t region(void)
{
	static const uint64_t regions[] = { VFIO_PCI_CONFIG_REGION_INDEX, 0, 2, 4, 1,
		VFIO_PCI_ROM_REGION_INDEX, VFIO_PCI_VGA_REGION_INDEX, VFIO_PCI_NUM_REGIONS,
		UINT32_MAX };

	return (uint32_t)FUZZ_PICK(&run.input, regions);
}

static void make_region_read(struct message *message)
{
	struct vfio_user_region_access access = { .region = region() };

	access.offset = offset_in(access.region);
	access.count = number32();
	put(message, &access, sizeof(access));
}

static void make_region_write(struct message *message)
{
	struct vfio_user_region_access access = { .region = region() };
	uint8_t data[64];

	access.offset = offset_in(access.region);
	access.count = fuzz_byte(&run.input) % (sizeof(data) + 1);
	fuzz_bytes(&run.input, data, access.count < 8 ? access.count : 8);
	put(message, &access, sizeof(access));
	put(message, data, access.count);
}

static void make_write_multi(struct message *message)
{
	uint64_t count = fuzz_byte(&run.input) % 5;

	put(message, &count, sizeof(count));
	for (uint64_t i = 0; i < count; i++) {
		struct vfio_user_region_write write = { .region = region() };

		write.offset = offset_in(write.region);
		write.count = fuzz_byte(&run.input) % 10;
		fuzz_bytes(&run.input, write.data, 4);
		put(message, &write, sizeof(write));
	}
}

static void make_nothing(struct message *message)
{
	(void)message;
}

/* Any command, any bytes. */
static void make_garbage(struct message *message)
{
	message->header.command = fuzz_byte(&run.input);
	message->size = fuzz_byte(&run.input);
	fuzz_bytes(&run.input, message->payload, message->size);
	for (unsigned fds = fuzz_byte(&run.input) % 4; fds > 0; fds--)
		attach(message, fuzz_byte(&run.input));
}

static const struct {
	uint16_t command;
	void (*make)(struct message *message);
} makers[] = {
	{ VFIO_USER_VERSION, make_version },
	{ VFIO_USER_DMA_MAP, make_dma_map },
	{ VFIO_USER_DMA_UNMAP, make_dma_unmap },
	{ VFIO_USER_DEVICE_GET_INFO, make_query },
	{ VFIO_USER_DEVICE_SET_IRQS, make_set_irqs },
	{ VFIO_USER_REGION_READ, make_region_read },
	{ VFIO_USER_REGION_WRITE, make_region_write },
	{ VFIO_USER_REGION_WRITE_MULTI, make_write_multi },
	{ VFIO_USER_DEVICE_RESET, make_nothing },
	{ VFIO_USER_DIRTY_PAGES, make_garbage },
};
#define MAKERS (sizeof(makers) / sizeof(makers[0]))

static void send_bytes(const struct message *message, size_t size)
{
	union {
		struct cmsghdr align;
		unsigned char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec vectors[2] = {
		{ .iov_base = (void *)(uintptr_t)&message->header,
			.iov_len = sizeof(message->header) },
		{ .iov_base = (void *)(uintptr_t)message->payload },
	};
	struct msghdr sent = { .msg_iov = vectors, .msg_iovlen = 2 };

	if (size < sizeof(message->header))
		vectors[0].iov_len = size;
	else
		vectors[1].iov_len = size - sizeof(message->header);
	if (message->fd_count > 0) {
		struct cmsghdr *header;

		sent.msg_control = &control;
		sent.msg_controllen = CMSG_SPACE(message->fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&sent);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(message->fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), message->fds, message->fd_count * sizeof(int));
	}
	sendmsg(run.client, &sent, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Corrupt a valid message: a field of its header, or its end. */
static size_t spoil(struct message *message)
{
	size_t size = sizeof(message->header) + message->size;

	switch (fuzz_byte(&run.input) % 8) {
	case 0:
		message->header.size = number32();
		break;
	case 1:
		message->header.flags = fuzz_byte(&run.input);
		break;
	case 2:
		message->header.flags = VFIO_USER_NO_REPLY;
		break;
	case 3:
		message->header.command = (uint16_t)number32();
		break;
	case 4:
		attach(message, fuzz_byte(&run.input));
		break;
	case 5: /* a byte of the payload */
		message->payload[fuzz_byte(&run.input) % PAYLOAD_MAX] = fuzz_byte(&run.input);
		break;
	case 6: /* the message is shorter, and its header has that size */
		if (message->size > 0)
			size -= fuzz_byte(&run.input) % message->size;
		message->header.size = (uint32_t)size;
		break;
	default: /* only a part is sent, the rest with the next message */
		size = fuzz_byte(&run.input) % (size + 1);
	}
	return size;
}

static void send_message(uint8_t kind, bool spoilt)
{
	struct message *message = calloc(1, sizeof(*message));
	size_t size;

	fuzz_require(message != NULL, "out of memory");
	message->header.id = (uint16_t)run.steps;
	message->header.command = makers[kind % MAKERS].command;
	makers[kind % MAKERS].make(message);
	size = sizeof(message->header) + message->size;
	message->header.size = (uint32_t)size;
	if (spoilt)
		size = spoil(message);
	send_bytes(message, size);
	free(message);
}

/* --- Events of the device ---------------------------------------------------------------- */

static void set_failure(void)
{
	static const kern_return_t failures[] = { kIOReturnSuccess, kIOReturnTimeout,
		kIOReturnOffline, MIG_SERVER_DIED, kIOReturnNoMemory, kIOReturnIOError };
	uint8_t which = fuzz_byte(&run.input);
	struct fake_client *device = fake_client_lock();

	device->failure = failures[which % 6];
	device->register_result = failures[which / 6 % 6];
	device->reset_result = failures[which / 36 % 6];
	fake_client_unlock();
}

static void tick(void)
{
	if (run.loop.tick)
		run.loop.tick(run.loop.tick_context);
}

static void happen(uint8_t what)
{
	switch (what % 8) {
	case 0:
		fake_client_fire(fuzz_byte(&run.input) % 64);
		fake_client_wait_idle();
		break;
	case 1:
		fake_client_stop();
		break;
	case 2:
		fake_client_restart();
		break;
	case 3:
		set_failure();
		break;
	case 4:
		fake_client_lock()->config[fuzz_byte(&run.input) % 64] ^= 1;
		fake_client_unlock();
		break;
	case 5:
		hang_up();
		break;
	case 6:
		run.device->options.reconnect = !run.device->options.reconnect;
		break;
	default:
		break;
	}
	tick();
}

/* 0xxxxxxx: a message; 10xxxxxx: a corrupted message; 11xxxxxx: another step. */
static void step(void)
{
	uint8_t what = fuzz_byte(&run.input);

	if (what < 0xc0)
		send_message(what & 0x3f, what >= 0x80);
	else
		happen(what);
}

/* --- An input ------------------------------------------------------------------------------ */

static void require_nothing_left(void)
{
	struct fake_client *device = fake_client_lock();
	bool quiet = device->failure != kIOReturnSuccess || !vu_device_is_present(run.device);

	fuzz_require(quiet || device->region_count == 0, "memory is still registered");
	fuzz_require(device->descriptors_out == 0, "descriptors of BARs were not returned");
	fuzz_require(quiet || (device->config[4] & 4) == 0, "bus mastering is still enabled");
	fuzz_require(quiet || device->irq_mask[0] == 0, "interrupts are still enabled");
	fake_client_unlock();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum vu_bar_access accesses[] = { VU_BARS_MAPPED, VU_BARS_CALLS,
		VU_BARS_SHARED, VU_BARS_AUTO };
	static bool ready;
	struct vu_device_options options = { .bus = 1 };
	char error[VU_ERROR_SIZE];
	int ends[2];

	if (!ready) {
		fd_samples_open();
		/* It keeps descriptors open until the process ends. */
		fuzz_require(vu_platform_prepare_events() == 0, "the kernel has no io_setup()");
	}
	ready = true;
	fuzz_note_fds();
	run = (struct run){ .input = fuzz_begin(data, size) };
	options.bar_access = accesses[fuzz_byte(&run.input) % 4];
	options.reconnect = true;
	fake_client_begin();
	run.device = vu_device_open(&options, error);
	fuzz_require(run.device != NULL, "no device");
	fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 &&
			     pipe(run.stop) == 0,
		"no sockets");
	run.client = ends[0];
	run.session = ends[1];
	/* Its timer expires in a step. */
	run.loop = (struct vu_loop){ .wait = vu_wait_create(),
		.stop_fd = run.stop[0],
		.listen_fd = -1,
		.irq = run.device->irq,
		.name = "fuzz",
		.tick_ms = 1u << 30 };
	fuzz_require(run.loop.wait != NULL, "out of memory");
	if ((fuzz_byte(&run.input) & 0xf0) != 0xf0)
		send_message(0, false); /* most inputs start with a valid VERSION */
	vu_serve_client(run.device, run.session, &run.loop);
	hang_up();
	close(run.session);
	require_nothing_left();
	vu_device_close(run.device);
	fake_client_end();
	vu_wait_destroy(run.loop.wait);
	close(run.stop[0]);
	close(run.stop[1]);
	fuzz_require_fds_as_noted();
	return 0;
}
