/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations of several clients, on a driver and on the model of model.h: every return code
 * and every output must be the same.
 *
 * $PROPERTY_OPERATIONS is their number (20,000), $PROPERTY_SEED the seed (printed). When something
 * differs, the last operations are printed; the same seed repeats them.
 */
#include "tests/programs/property.h"
#include "tests/lib/rig.h"
#include "tests/lib/cmocka-all.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define OPERATIONS 20000ul
#define LOG_LINES  30
#define DART_BYTES (1u << 20)
#define DART_MAPS  24

static struct rig rig;
static struct property property;
static struct {
	char line[LOG_LINES][160];
	unsigned long next;
} log_;

/* --- Random numbers: splitmix64 --- */

uint64_t property_random(struct property *state)
{
	uint64_t value = state->random += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

uint64_t property_below(struct property *state, uint64_t limit)
{
	return property_random(state) % limit;
}

bool property_one_in(struct property *state, unsigned n)
{
	return property_below(state, n) == 0;
}

/* --- Log and comparison --- */

void property_say(
	struct property *state, const struct property_client *client, const char *format, ...)
{
	char *line = log_.line[log_.next++ % LOG_LINES];
	size_t size = sizeof(log_.line[0]);
	const struct model_client *model = client->model;
	va_list args;
	int used;

	used = snprintf(line, size, "%7lu: client %td of %s%s: ", state->operation,
		client - state->clients,
		model->device == state->model.devices ? "01:00.0" : "02:00.0 (dart)",
		model->claimed ? ", claimed" : "");
	va_start(args, format);
	vsnprintf(line + used, size - (size_t)used, format, args);
	va_end(args);
}

static void __attribute__((noreturn)) differ(const char *what, uint64_t got, uint64_t expected)
{
	unsigned long from = log_.next > LOG_LINES ? log_.next - LOG_LINES : 0;

	fprintf(stderr, "The last operations:\n");
	for (unsigned long i = from; i < log_.next; i++)
		fprintf(stderr, "%s\n", log_.line[i % LOG_LINES]);
	fail_msg("the last one's %s: %#llx instead of %#llx", what, (unsigned long long)got,
		(unsigned long long)expected);
	abort(); /* not reached: fail_msg() ends the test */
}

/* Results of calls. Each of these must have occurred by the end. */
static struct {
	kern_return_t code;
	const char *name;
	unsigned long count;
} returned[] = {
#define RETURNED(name) { kIOReturn##name, #name, 0 },
	RETURNED(Success) RETURNED(BadArgument) RETURNED(Busy) RETURNED(ExclusiveAccess)
		RETURNED(NoSpace) RETURNED(NotAligned) RETURNED(NotFound) RETURNED(NotOpen)
			RETURNED(NotReady) RETURNED(Overrun) RETURNED(StillOpen)
				RETURNED(Unsupported) RETURNED(VMError)
#undef RETURNED
};
#define RETURNED_COUNT (sizeof(returned) / sizeof(*returned))

static void report_returned(bool all)
{
	for (size_t i = 0; i < RETURNED_COUNT; i++) {
		print_message("%8lu %s\n", returned[i].count, returned[i].name);
		if (all)
			assert_int_not_equal(returned[i].count, 0);
	}
}

bool property_status(struct property *state, kern_return_t got, kern_return_t expected)
{
	state->comparisons++;
	for (size_t i = 0; i < RETURNED_COUNT; i++)
		returned[i].count += returned[i].code == got;
	if (got != expected)
		differ("status", (uint32_t)got, (uint32_t)expected);
	return got == kIOReturnSuccess;
}

void property_value(struct property *state, const char *what, uint64_t got, uint64_t expected)
{
	state->comparisons++;
	if (got != expected)
		differ(what, got, expected);
}

void property_true(struct property *state, const char *what, bool holds)
{
	property_value(state, what, holds, true);
}

/* --- Maps --- */

struct property_map *property_free_map(struct property_client *client)
{
	for (size_t i = 0; i < PROPERTY_MAPS_MAX; i++)
		if (!client->maps[i].address)
			return &client->maps[i];
	return NULL;
}

struct property_map *property_pick_map(
	struct property *state, struct property_client *client, uint32_t type)
{
	size_t from = property_below(state, PROPERTY_MAPS_MAX);

	for (size_t i = 0; i < PROPERTY_MAPS_MAX; i++) {
		struct property_map *map = &client->maps[(from + i) % PROPERTY_MAPS_MAX];

		if (map->address && map->type == type)
			return map;
	}
	return NULL;
}

/* --- Clients connect and disconnect --- */

static io_connect_t connect_to(size_t device)
{
	return apple_dext_connect((uint8_t)(device + 1), 0, 0);
}

#define CLOSE_SECONDS 30

/* The driver releases a client's resources asynchronously. */
static void wait_released(struct model_device *device)
{
	io_connect_t observer = property.observers[device - property.model.devices];
	unsigned clients = model_clients(&property.model, device) + 1;
	AppleDextStatus status = { 0 };
	uint64_t command = 0;

	for (unsigned i = 0; i < CLOSE_SECONDS * 10000; i++) {
		property_status(
			&property, apple_dext_get_status(observer, &status), kIOReturnSuccess);
		if (status.clients == clients)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	property_value(&property, "clients", status.clients, clients);
	property_value(&property, "claims", status.claims, model_claims(&property.model, device));
	property_value(&property, "regions", status.dma_regions, model_regions(device));
	property_value(&property, "bytes", status.dma_bytes, model_bytes(device));
	property_value(&property, "resets", status.resets, device->resets);
	property_status(
		&property, apple_dext_config_read(observer, 4, 2, &command), kIOReturnSuccess);
	property_value(&property, "COMMAND", command, model_command(device));
}

static void open_client(struct property_client *client)
{
	size_t device = property_below(&property, MODEL_DEVICES);

	model_open(client->model, &property.model.devices[device]);
	client->connection = connect_to(device);
	client->buffers = 0;
	atomic_store(&client->notified, 0);
	property_say(&property, client, "open");
	property_true(&property, "connection", client->connection != IO_OBJECT_NULL);
	for (size_t i = 0; i < MODEL_DEVICES; i++) /* it may have queried the other device, too */
		wait_released(&property.model.devices[i]);
}

static void close_client(struct property_client *client)
{
	struct model_device *device = client->model->device;

	property_say(&property, client, "close");
	apple_dext_interrupt_notify_destroy(client->notify);
	client->notify = NULL;
	memset(client->maps, 0, sizeof(client->maps));
	apple_dext_disconnect(client->connection);
	client->connection = IO_OBJECT_NULL;
	model_close(&property.model, client->model);
	wait_released(device);
}

static void run_claim(struct property *state, struct property_client *client)
{
	bool exclusive = property_one_in(state, 3);
	kern_return_t expected = model_claim(&state->model, client->model, exclusive);

	property_say(state, client, exclusive ? "exclusive claim" : "claim");
	property_status(state,
		exclusive ? apple_dext_claim_exclusive(client->connection) :
			    apple_dext_claim(client->connection),
		expected);
}

/* --- Random operations --- */

static const struct property_row property_claims[] = {
	{ run_claim, 3, false },
	{ NULL, 0, false },
};
static const struct property_row *const tables[] = { property_claims, property_calls, property_dma,
	property_irqs };

static const struct property_row *pick_row(void)
{
	uint64_t total = 0, chosen;

	for (size_t table = 0; table < sizeof(tables) / sizeof(*tables); table++)
		for (const struct property_row *row = tables[table]; row->run; row++)
			total += row->weight;
	chosen = property_below(&property, total);
	for (size_t table = 0;; table++)
		for (const struct property_row *row = tables[table]; row->run; row++) {
			if (chosen < row->weight)
				return row;
			chosen -= row->weight;
		}
}

/* The intended number of clients: many, one that can claim the device exclusively, or none. */
#define MOOD_OPERATIONS 300

static unsigned wanted_clients(void)
{
	static unsigned wanted;

	if (property.operation % MOOD_OPERATIONS == 0)
		wanted = (unsigned)property_below(&property, MODEL_CLIENTS + 1);
	return wanted;
}

static unsigned open_clients(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < MODEL_DEVICES; i++)
		count += model_clients(&property.model, &property.model.devices[i]);
	return count;
}

/* A random client, open or closed as requested; one must exist. */
static struct property_client *pick_client(bool open)
{
	struct property_client *client;

	do
		client = &property.clients[property_below(&property, MODEL_CLIENTS)];
	while ((client->model->device != NULL) != open);
	return client;
}

static void one_operation(void)
{
	unsigned wanted = wanted_clients(), open = open_clients();
	const struct property_row *row = pick_row();
	struct property_client *client;

	if (open < wanted && (!open || property_one_in(&property, 8))) {
		open_client(pick_client(false));
		return;
	}
	if (!open)
		return;
	client = pick_client(true);
	if (open > wanted || property_one_in(&property, 200)) {
		close_client(client);
	} else {
		/* Operations that need a claim are rarely tried without one. */
		if (row->only_claimed && !client->model->claimed && !property_one_in(&property, 3))
			row = property_claims;
		row->run(&property, client);
	}
}

/* --- Setting up --- */

static void *map_at(unsigned offset, size_t size, int flags, int fd, off_t file_offset)
{
	void *memory = mmap(property.arena + offset, size, PROT_READ | PROT_WRITE,
		flags | MAP_FIXED, fd, file_offset);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* The files stay open: the runtime uses their descriptors. */
static int shared_file(off_t size)
{
	int fd = memfd_create("test-property", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void make_arena(int files[2])
{
	property.arena =
		mmap(NULL, ARENA_END + ARENA_HOLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(property.arena, MAP_FAILED);
	files[0] = shared_file(ARENA_PRIVATE - ARENA_SHARED);
	files[1] = shared_file((1 << 16) + ARENA_END - ARENA_OTHER);
	map_at(ARENA_SHARED, ARENA_PRIVATE - ARENA_SHARED, MAP_SHARED, files[0], 0);
	map_at(ARENA_PRIVATE, ARENA_OTHER - ARENA_PRIVATE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map_at(ARENA_OTHER, ARENA_END - ARENA_OTHER, MAP_SHARED, files[1], 1 << 16);
	for (size_t at = 0; at < ARENA_END; at += 8) {
		uint64_t word = property_random(&property);

		memcpy(property.arena + at, &word, sizeof(word));
	}
}

static void init_device(size_t index)
{
	struct model_device *device = &property.model.devices[index];
	unsigned char config[DEXT_CONFIG_SIZE];
	io_connect_t observer = connect_to(index);
	AppleDextStatus status;
	uint64_t size, low, high;

	assert_int_not_equal(observer, IO_OBJECT_NULL);
	property.observers[index] = observer;
	assert_int_equal(apple_dext_config_read_block(observer, 0, config, sizeof(config)), 0);
	assert_int_equal(apple_dext_get_bar_info(observer, 0, NULL, &size, NULL), 0);
	assert_int_equal(apple_dext_get_status(observer, &status), 0);
	/*
	 * Reading the capabilities needs a claim. Its end resets the device, so count from then
	 * on.
	 */
	io_connect_t reader = connect_to(index);
	assert_int_equal(apple_dext_claim(reader), 0);
	assert_int_equal(apple_dext_mmio_read(reader, 0, 0, 4, &low), 0);
	assert_int_equal(apple_dext_mmio_read(reader, 0, 4, 4, &high), 0);
	apple_dext_disconnect(reader);
	device->dart = index == 1;
	device->bytes_max = DART_BYTES;
	device->maps_max = DART_MAPS;
	model_device_init(device, config, high << 32 | low, size, status.interrupt_vectors);
	device->resets = status.resets + 1;
	wait_released(device);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t random_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void test_driver_equals_model(void **state)
{
	uint64_t seed = number_of("PROPERTY_SEED", random_seed());
	uint64_t operations = number_of("PROPERTY_OPERATIONS", OPERATIONS);
	int files[2];

	(void)state;
	print_message("PROPERTY_SEED=%llu PROPERTY_OPERATIONS=%llu\n", (unsigned long long)seed,
		(unsigned long long)operations);
	property.random = seed;
	make_arena(files);
	for (size_t i = 0; i < MODEL_CLIENTS; i++)
		property.clients[i].model = &property.model.clients[i];
	for (size_t i = 0; i < MODEL_DEVICES; i++)
		init_device(i);
	for (; property.operation < operations; property.operation++)
		one_operation();
	for (size_t i = 0; i < MODEL_CLIENTS; i++)
		if (property.clients[i].model->device)
			close_client(&property.clients[i]);
	print_message("%lu comparisons\n", property.comparisons);
	report_returned(operations >= OPERATIONS);
	munmap(property.arena, ARENA_END + ARENA_HOLE);
	close(files[0]);
	close(files[1]);
}

static int start(void **state)
{
	static const char *const specs[] = {
		"nvme,addr=01:00.0,size=1M,vectors=70",
		"nvme,addr=02:00.0,size=1M,vectors=8,dma=dart,dma-bytes=1M,dma-maps=24",
		NULL,
	};

	(void)state;
	return rig_start(&rig, specs) ? 0 : -1;
}

/* Also after a difference: a driver can only be stopped when its clients have disconnected. */
static int stop(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODEL_CLIENTS; i++) {
		apple_dext_interrupt_notify_destroy(property.clients[i].notify);
		apple_dext_disconnect(property.clients[i].connection);
	}
	for (size_t i = 0; i < MODEL_DEVICES; i++)
		apple_dext_disconnect(property.observers[i]);
	return rig_stop(&rig) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_driver_equals_model),
	};

	return cmocka_run_group_tests_name("property", tests, start, stop);
}
