/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of a client to a driver service. An input is a byte of flags and a sequence of steps.
 * Each step queues messages, valid or corrupted, at one of two sessions of drivers of software
 * devices. Required: at the end the sessions have ended, and their resources are released.
 */
#include "tests/fuzz/fd-samples.h"
#include "tests/fuzz/packet.h"
#include "tests/fuzz/service-rig.h"

#include <dext-abi.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX 48 /* the socket must have space for all replies, which are read at the end */

/* The first byte of an input. */
enum {
	FLAGS_READY = 0x03,  /* initial state of the first session (live: of each), an enum ready */
	FLAGS_DEVICE = 0x0c, /* index of the device */
	FLAGS_OTHER = 0x30,  /* another client's action */
	FLAGS_LIVE = 0xc0,   /* both bits: the sessions run at the same time */
};
enum ready { READY_FOR_NOTHING, READY_TO_OPEN, READY_TO_CLAIM, READY_TO_USE };

struct client {
	unsigned session;
	uint32_t last_id;
	uint32_t questions;  /* memory queries that the service is expected to send */
	uint64_t registered; /* bit mask of registered iovas[] */
	unsigned device;
	bool claims;
};

static const uint64_t iovas[] = { 0, 0x1000, 0x100000, 0x200000, 0x10000, 8, UINT64_C(1) << 46,
	UINT64_MAX, UINT64_MAX - 0xfff, UINT64_C(1) << 63, 0x300000 };
/* Memory at an address that nothing else uses: see fuzz_number(). */
static unsigned char scratch[0x4000];

struct step {
	struct client *client;
	struct fuzz_input *input;
	bool tamper;
	struct packet packet;
};

static void send_packet(struct step *step)
{
	if (step->tamper)
		packet_tamper(&step->packet, step->input);
	step->tamper = false; /* for the first message of a step */
	packet_send(&step->packet, rig_client_end(step->client->session));
}

static void send_hello(struct step *step)
{
	packet_begin(&step->packet, IOU_HELLO, ++step->client->last_id, sizeof(struct iou_hello));
	step->packet.message.hello.magic = IOU_MAGIC;
	step->packet.message.hello.major = IOU_VERSION_MAJOR;
	send_packet(step);
}

/* A message without a body. */
static void send_request(struct step *step, uint32_t type)
{
	packet_begin(&step->packet, type, ++step->client->last_id, sizeof(struct iou_header));
	send_packet(step);
}

static void send_open(struct step *step, uint64_t entry, uint32_t type)
{
	packet_begin(&step->packet, IOU_OPEN, ++step->client->last_id, sizeof(struct iou_open));
	step->packet.message.open.entry_id = entry;
	step->packet.message.open.type = type;
	send_packet(step);
}

/* Build a call with scalars and @size bytes after them. */
static void begin_call(struct step *step, uint32_t selector, const uint64_t *scalars,
	uint32_t count, uint32_t room, uint32_t size)
{
	struct packet *packet = &step->packet;

	packet_begin(packet, IOU_CALL, ++step->client->last_id,
		sizeof(struct iou_call) + count * sizeof(*scalars) + size);
	packet->message.call.selector = selector;
	packet->message.call.scalar_input_count = count;
	packet->message.call.scalar_output_room = room;
	packet->message.call.structure_input_size = size;
	if (count)
		memcpy(packet->bytes + sizeof(struct iou_call), scalars, count * sizeof(*scalars));
}

static void send_call(struct step *step, uint32_t selector, const uint64_t *scalars, uint32_t count)
{
	begin_call(step, selector, scalars, count, IOUSER_SCALARS_MAX, 0);
	step->packet.message.call.structure_output_room = IOUSER_STRUCT_MAX;
	send_packet(step);
}

static void claim(struct step *step)
{
	send_call(step, DEXT_SELECTOR_Claim, NULL, 0);
	step->client->claims = true;
}

/*
 * One range of a reply. It begins at the end of the previous one, unless the input adds an error.
 */
static void add_range(struct step *step, uint64_t *va, uint64_t end)
{
	static const uint64_t lengths[] = { UINT64_MAX, 0x1000, 1, 7, 0x800, 0, 8 };
	static const uint64_t offsets[] = { 0, 0x1000, FD_MEMORY_SIZE - 8, FD_MEMORY_SIZE, 1, 4096,
		UINT64_MAX, INT64_MAX, UINT64_C(1) << 40, (UINT64_C(1) << 40) + 5 };
	struct iou_memory_reply *reply = &step->packet.message.memory_reply;
	uint64_t length = FUZZ_PICK(step->input, lengths);
	uint8_t how = fuzz_byte(step->input);
	struct iou_range *range;

	if (reply->count >= IOU_RANGES_MAX)
		return;
	range = &reply->ranges[reply->count++];
	*range = (struct iou_range){
		.va = *va + (how >> 7),
		.length = length > end - *va ? end - *va : length,
		.fd_offset = FUZZ_PICK(step->input, offsets),
		.fd_index = (how & 7) == 7 ? IOU_RANGE_PRIVATE : how & 7,
		.writable = !(how & 8),
	};
	*va += range->length;
	step->packet.size += sizeof(*range);
	reply->header.size = (uint32_t)step->packet.size;
}

static void send_answer(struct step *step, uint64_t *va, uint64_t end, bool last)
{
	unsigned ranges = fuzz_byte(step->input), fds = ranges >> 6;

	packet_begin(&step->packet, IOU_MEMORY | IOU_REPLY, step->client->questions,
		sizeof(struct iou_memory_reply));
	step->packet.message.memory_reply.flags = last ? 0 : IOU_RANGES_MORE;
	for (unsigned i = 0; i <= (ranges & 63); i++)
		add_range(step, va, end);
	for (unsigned i = 0; i <= fds; i++)
		packet_attach(&step->packet, fuzz_byte(step->input));
	send_packet(step);
}

static void send_answers(struct step *step, uint64_t va, uint64_t size)
{
	uint8_t how = fuzz_byte(step->input);

	step->tamper = how & 0x80;
	for (unsigned i = 0; i <= (how & 3); i++)
		send_answer(step, &va, va + size, i == (how & 3u));
}

static void step_register(struct step *step)
{
	const uint64_t vas[] = { 0x10000, (uintptr_t)scratch, (uintptr_t)scratch + 1, 0, 1, 0x10001,
		UINT64_MAX - 0xfff };
	static const uint64_t sizes[] = { 0x10000, FD_MEMORY_SIZE, 0x1000, 1, 8, 9, 0x1001,
		DEXT_CHUNK_MAX, DEXT_CHUNK_MAX + 1, DEXT_CHUNK_MAX * DEXT_CHUNKS_MAX,
		DEXT_CHUNK_MAX * DEXT_CHUNKS_MAX + 1, 0, UINT64_MAX, 0x2000 };
	unsigned iova = fuzz_byte(step->input) % (sizeof(iovas) / sizeof(*iovas));
	uint64_t va = FUZZ_PICK(step->input, vas), size = FUZZ_PICK(step->input, sizes);
	const uint64_t scalars[] = { iovas[iova], va, size };
	struct client *client = step->client;

	send_call(step, DEXT_SELECTOR_RegisterDMARegion, scalars, DEXT_IN_RegisterDMARegion);
	if (!client->claims || !va || !size || (client->registered >> iova & 1) ||
		size > DEXT_CHUNK_MAX * DEXT_CHUNKS_MAX || va + size < va)
		return;
	client->questions++;
	client->registered |= UINT64_C(1) << iova;
	send_answers(step, va, size);
}

/* Several regions in one call, each of which is queried. */
static void step_batch(struct step *step)
{
	struct dext_batch_region regions[4];
	unsigned count = 1 + fuzz_byte(step->input) % 4;
	struct client *client = step->client;

	for (unsigned i = 0; i < count; i++)
		regions[i] = (struct dext_batch_region){
			.iova = FUZZ_PICK(step->input, iovas),
			.va = 0x10000,
			.size = 0x1000u << (fuzz_byte(step->input) & 7),
		};
	begin_call(step, DEXT_SELECTOR_RegisterDMABatch, NULL, 0, 0,
		(uint32_t)(count * sizeof(regions[0])));
	memcpy(step->packet.bytes + sizeof(struct iou_call), regions, count * sizeof(regions[0]));
	step->packet.message.call.structure_output_room = IOUSER_STRUCT_MAX;
	send_packet(step);
	for (unsigned i = 0; i < count && client->claims; i++) {
		client->questions++;
		send_answers(step, regions[i].va, regions[i].size);
	}
}

/* Regions by descriptors, one or several, with a valid or wrong number and kind of descriptors. */
static void step_register_files(struct step *step)
{
	static const uint64_t sizes[] = { 0x10000, FD_MEMORY_SIZE, 0x1000, 1, 0x1001, 0, UINT64_MAX,
		DEXT_CHUNK_MAX + 1, INT64_MAX };
	static const uint64_t offsets[] = { 0, 0x1000, FD_MEMORY_SIZE - 8, 1, FD_MEMORY_SIZE,
		UINT64_MAX, UINT64_C(1) << 40, INT64_MAX };
	struct dext_batch_file files[4];
	uint8_t how = fuzz_byte(step->input);
	unsigned count = 1 + (how & 3), fds = how >> 4;

	for (unsigned i = 0; i < count; i++)
		files[i] = (struct dext_batch_file){
			.iova = FUZZ_PICK(step->input, iovas),
			.offset = FUZZ_PICK(step->input, offsets),
			.size = FUZZ_PICK(step->input, sizes),
			.flags = fuzz_byte(step->input) & 7,
		};
	if (how & 4)
		begin_call(step, DEXT_SELECTOR_RegisterDMAFile, &files[0].iova,
			DEXT_IN_RegisterDMAFile, IOUSER_SCALARS_MAX, 0);
	else
		begin_call(step, DEXT_SELECTOR_RegisterDMAFileBatch, NULL, 0, 0,
			(uint32_t)(count * sizeof(files[0])));
	if (!(how & 4))
		memcpy(step->packet.bytes + sizeof(struct iou_call), files,
			count * sizeof(files[0]));
	step->packet.message.call.structure_output_room = IOUSER_STRUCT_MAX;
	for (unsigned i = 0; i < fds; i++)
		packet_attach(&step->packet, fuzz_byte(step->input));
	send_packet(step);
}

static void step_unregister(struct step *step)
{
	unsigned iova = fuzz_byte(step->input) % (sizeof(iovas) / sizeof(*iovas));

	send_call(step, DEXT_SELECTOR_UnregisterDMARegion, &iovas[iova], 1);
	step->client->registered &= ~(UINT64_C(1) << iova);
}

static void step_probe(struct step *step)
{
	uint64_t scalars[2] = { FUZZ_PICK(step->input, iovas), fuzz_number(step->input) };

	send_call(step, DEXT_SELECTOR_ProbeDMARegion, scalars, DEXT_IN_ProbeDMARegion);
}

static bool ends_device(const char *selector)
{
	return strcmp(selector, "Terminate") == 0 || strcmp(selector, "RemoveDevice") == 0;
}

/* Any selector of the table, with its number of scalars. */
static void step_call(struct step *step)
{
#define ROW(number, name, in, out, needs) { #name, number, in },
	static const struct {
		const char *name;
		uint32_t selector, in;
	} rows[] = { DEXT_SELECTORS(ROW) DEXT_EXTENSION_SELECTORS(ROW) };
#undef ROW
	unsigned row = fuzz_byte(step->input) % (sizeof(rows) / sizeof(*rows));
	uint64_t scalars[IOUSER_SCALARS_MAX];

	/* Rarely, because recreating a driver takes as long as a dozen inputs. */
	if (ends_device(rows[row].name) && fuzz_byte(step->input) < 0xf8)
		return;
	for (uint32_t i = 0; i < rows[row].in; i++)
		scalars[i] = fuzz_number(step->input);
	if (rows[row].selector == DEXT_SELECTOR_RegisterDMARegion)
		scalars[DEXT_REGION_VA] = 0; /* of step_register() */
	send_call(step, rows[row].selector, scalars, rows[row].in);
}

/* Any selector, with any counts and bytes. */
static void step_call_oddly(struct step *step)
{
	uint64_t scalars[IOUSER_SCALARS_MAX];
	uint32_t selector = (uint32_t)fuzz_number(step->input);
	uint32_t count = fuzz_byte(step->input) % (IOUSER_SCALARS_MAX + 1);
	uint32_t room = (uint32_t)fuzz_number(step->input);
	uint32_t size = (uint32_t)fuzz_number(step->input) % (IOUSER_STRUCT_MAX + 1);

	for (uint32_t i = 0; i < count; i++)
		scalars[i] = fuzz_number(step->input);
	begin_call(step, selector, scalars, count, room, size);
	step->packet.message.call.structure_output_room = (uint32_t)fuzz_number(step->input);
	send_packet(step);
}

static void step_wait(struct step *step)
{
	uint8_t kind = fuzz_byte(step->input);

	begin_call(step, DEXT_SELECTOR_WaitInterrupt, NULL, 0, 0, 0);
	step->packet.message.call.flags = IOU_CALL_ASYNC;
	step->packet.message.call.token = step->client->last_id;
	if (kind == UINT8_MAX && rig_client_end(step->client->session) >= 0) {
		step->packet.fds[step->packet.fd_count++] = rig_client_end(step->client->session);
		rig_holds_itself(step->client->session);
	} else if (kind != UINT8_MAX - 1) {
		packet_attach(&step->packet, kind + FD_PORT);
	}
	send_packet(step);
}

static void step_map(struct step *step, uint32_t message)
{
	packet_begin(&step->packet, message, ++step->client->last_id, sizeof(struct iou_map));
	step->packet.message.map.memory_type = (uint32_t)fuzz_number(step->input);
	send_packet(step);
}

static void step_mmio(struct step *step)
{
	static const uint64_t offsets[] = { 0x14, 0x24, 0x28, 0x30, 0x1000, 0x1004, 0x0c, 0x10, 0x0,
		0x20, 0x2000, 0x3000, 0x3ff8, 0x3fff, 0x4000 };
	static const uint64_t values[] = { 0x460001, 0x000f000f, 0x1000, 0x2000, 0, 1, 2, 0x464001,
		0x460000, UINT32_MAX };
	uint64_t scalars[4] = { 0, FUZZ_PICK(step->input, offsets), 4,
		FUZZ_PICK(step->input, values) };

	send_call(step, DEXT_SELECTOR_MMIOWrite, scalars, DEXT_IN_MMIOWrite);
}

/* Enable the NVMe controller, with queues in memory that is registered at 0. */
static void step_enable(struct step *step)
{
	static const uint64_t writes[][4] = { { 0, 0x24, 4, 0x000f000f }, { 0, 0x28, 8, 0x1000 },
		{ 0, 0x30, 8, 0x2000 }, { 0, 0x14, 4, 0x00460001 }, { 0, 0x1000, 4, 1 } };

	send_call(step, DEXT_SELECTOR_SetupInterrupts, NULL, 0);
	for (unsigned i = 0; i < sizeof(writes) / sizeof(*writes); i++)
		send_call(step, DEXT_SELECTOR_MMIOWrite, writes[i], 4);
}

/* The client's memory is changed or unmapped while the service uses it. */
static void step_memory(struct step *step)
{
	uint8_t how = fuzz_byte(step->input);

	if (how < 8)
		fuzz_bytes(step->input, fd_samples_memory() + 0x1000 + 64u * how, 64);
	else if (how & 1)
		(void)!ftruncate(fd_samples_get(FD_MEMORY_SHORT), 0);
	else
		(void)!ftruncate(fd_samples_get(FD_MEMORY_SHORT), 0x10000);
}

static void step_garbage(struct step *step)
{
	packet_garble(&step->packet, step->input);
	packet_send(&step->packet, rig_client_end(step->client->session));
}

static void take_step(struct step *step, unsigned kind)
{
	switch (kind) {
	case 0:
		step_call(step);
		break;
	case 1:
		step_register(step);
		break;
	case 2:
		step_unregister(step);
		break;
	case 3:
		step_probe(step);
		break;
	case 4:
		step_map(step, IOU_MAP);
		break;
	case 5:
		step_map(step, IOU_UNMAP);
		break;
	case 6:
		step_wait(step);
		break;
	case 7:
		step_mmio(step);
		break;
	case 8:
		step_enable(step);
		break;
	case 16:
		step_batch(step);
		break;
	case 18:
		step_register_files(step);
		break;
	case 17:
		send_request(step, IOU_WATCH);
		break;
	case 9:
		step_call_oddly(step);
		break;
	case 10:
		step_garbage(step);
		break;
	case 11:
		step_memory(step);
		break;
	case 12:
		send_hello(step);
		break;
	case 13:
		send_request(step, IOU_LIST);
		break;
	case 14:
		send_open(step,
			fuzz_byte(step->input) < 0xf0 ? rig_entry(step->client->device) :
							fuzz_number(step->input),
			fuzz_byte(step->input));
		break;
	default:
		claim(step);
		break;
	}
}

/*
 * The first byte of a step: bits 0 to 4 select the step, bit 6 the session; bit 7: corrupt the
 * message.
 */
static void run_steps(struct fuzz_input *input, struct client *clients)
{
	struct step step = { .input = input };

	for (unsigned i = 0; i < STEPS_MAX && fuzz_more(input); i++) {
		uint8_t byte = fuzz_byte(input);

		step.client = &clients[byte >> 6 & 1];
		step.tamper = byte & 0x80;
		if ((byte & 0x3f) == 0x3f)
			rig_disconnect(step.client->session);
		else
			take_step(&step, byte & 31);
	}
}

static void prepare(struct client *client, enum ready ready)
{
	struct step step = { .client = client };

	if (ready >= READY_TO_OPEN)
		send_hello(&step);
	if (ready >= READY_TO_CLAIM)
		send_open(&step, rig_entry(client->device), DEXT_USER_CLIENT_TYPE);
	if (ready >= READY_TO_USE)
		claim(&step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_begin(data, size);
	struct client clients[RIG_SESSIONS] = { { .session = 0 }, { .session = 1 } };
	static bool started;
	unsigned flags = fuzz_byte(&input);
	unsigned device = (flags & FLAGS_DEVICE) >> 2;
	bool live = (flags & FLAGS_LIVE) == FLAGS_LIVE;

	if (!started)
		fd_samples_open();
	started = true;
	rig_start();
	fuzz_note_fds();
	rig_other(device, (enum rig_other)((flags & FLAGS_OTHER) >> 4));
	rig_begin(live);
	for (unsigned i = 0; i < RIG_SESSIONS; i++) {
		clients[i].device = device;
		if (i == 0 || live)
			prepare(&clients[i], (enum ready)(flags & FLAGS_READY));
	}
	run_steps(&input, clients);
	rig_end();
	rig_require_clean();
	fuzz_require_fds_as_noted();
	(void)!ftruncate(fd_samples_get(FD_MEMORY_SHORT), 5000);
	return 0;
}
