/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thousands of clients that connect and disconnect, and of invalid messages: the server,
 * $DEXT_VFIO_USER, must not leak a descriptor, a thread, a mapping or memory.
 *
 * $VFIO_USER_CYCLES and $VFIO_USER_MESSAGES are the numbers (3000 and 300000; with $SANITIZED
 * 300 and 30000), $VFIO_USER_SEED the seed. $SANITIZED is "yes" when freed memory is
 * quarantined, so that growth cannot be measured.
 */
#include "tests/lib/program.h"
#include "tests/lib/vfio-user-client.h"
#include "tests/lib/cmocka-all.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUEST_MEMORY 0x200000u
#define BATCH	     64u
#define MESSAGE_MAX  256u

/* Variation of the allocator: growth up to this many KiB is ignored. */
#define ALLOCATOR_KIB 768

struct resources {
	long descriptors, threads, mappings, kib;
};

static char folder[] = "/tmp/dextpci-soak-XXXXXX", path[64];
static pid_t server;
static unsigned seed;
static int descriptors[3]; /* sent with messages */

static unsigned from_environment(const char *name, unsigned fallback)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : fallback;
}

static bool is_sanitized(void)
{
	const char *value = getenv("SANITIZED");

	return value && strcmp(value, "yes") == 0;
}

/* The number from the environment or @count; fewer with sanitizers. */
static unsigned scaled_count(const char *name, unsigned count)
{
	return from_environment(name, is_sanitized() ? count / 10 : count);
}

static unsigned any(unsigned below)
{
	return (unsigned)rand_r(&seed) % below;
}

static long count_entries(const char *what)
{
	struct dirent *entry;
	char name[64];
	long count = 0;
	DIR *directory;

	snprintf(name, sizeof(name), "/proc/%d/%s", (int)server, what);
	directory = opendir(name);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

/* Count shared mappings in a file of /proc; with @key: the number after this key. */
static long count_or_value(const char *what, const char *key)
{
	char name[64], line[512];
	long found = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/%s", (int)server, what);
	file = fopen(name, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (!key)
			found += strstr(line, " rw-s ") || strstr(line, " r--s ");
		else if (strncmp(line, key, strlen(key)) == 0)
			found = strtol(line + strlen(key), NULL, 10);
	}
	fclose(file);
	return found;
}

static struct resources measure(void)
{
	return (struct resources){ count_entries("fd"), count_entries("task"),
		count_or_value("maps", NULL), count_or_value("status", "VmRSS:") };
}

static void say(const char *when, const struct resources *now)
{
	printf("%s: %ld descriptors, %ld threads, %ld shared mappings, %ld KiB\n", when,
		now->descriptors, now->threads, now->mappings, now->kib);
}

/* The server notices the end of a session asynchronously, so resources may be released later. */
static void expect_no_growth(const struct resources *before)
{
	struct resources now = measure();

	for (int i = 0; i < 2000 &&
			(now.descriptors > before->descriptors || now.threads > before->threads ||
				now.mappings > before->mappings);
		i++) {
		poll(NULL, 0, 5);
		now = measure();
	}
	say("after", &now);
	assert_true(now.descriptors <= before->descriptors);
	assert_true(now.threads <= before->threads);
	assert_true(now.mappings <= before->mappings);
	if (!is_sanitized())
		assert_true(now.kib <= before->kib + ALLOCATOR_KIB);
}

/* --- Clients connect and disconnect ---------------------------------------------------------- */

static void share_and_connect(struct vu_client *client)
{
	int memory = memfd_create("guest", MFD_CLOEXEC);
	uint16_t command = 6;

	assert_int_equal(ftruncate(memory, GUEST_MEMORY), 0);
	assert_int_equal(vu_client_map(client, 0, GUEST_MEMORY, memory), 0);
	assert_int_equal(vu_client_map(client, GUEST_MEMORY, GUEST_MEMORY, -1), 0);
	close(memory);
	for (uint32_t vector = 0; vector < 2; vector++) {
		int event = eventfd(0, EFD_CLOEXEC);

		assert_int_equal(
			vu_client_event(client, VFIO_PCI_MSIX_IRQ_INDEX, vector, event), 0);
		close(event);
	}
	assert_int_equal(vu_client_write(client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, 2), 0);
}

static void one_cycle(void)
{
	static const char half[] = "\1\0\1\0";
	struct vu_client client;

	switch (any(5)) {
	case 0: /* no message */
		vu_client_connect(&client, path);
		break;
	case 1: /* half a message */
		vu_client_connect(&client, path);
		vu_client_try_send(&client, half, sizeof(half), NULL, 0);
		break;
	case 2:
		assert_int_equal(vu_client_open(&client, path), 0);
		break;
	default:
		assert_int_equal(vu_client_open(&client, path), 0);
		share_and_connect(&client);
	}
	vu_client_close(&client);
}

/* The server is idle when one more client has been served and its descriptors are closed. */
static void wait_until_idle(void)
{
	struct vu_client client;
	long open_now;

	vu_client_connect(&client, path);
	vu_client_close(&client);
	do {
		open_now = count_entries("fd");
		poll(NULL, 0, 50);
	} while (count_entries("fd") != open_now);
}

static void test_clients_connect_and_disconnect(void **state)
{
	unsigned cycles = scaled_count("VFIO_USER_CYCLES", 3000);
	struct resources before;

	(void)state;
	/* One-time allocations of the first clients (thread stacks, for example) stay. */
	for (unsigned i = 0; i < 50; i++)
		one_cycle();
	wait_until_idle();
	before = measure();
	say("before", &before);
	for (unsigned i = 0; i < cycles; i++)
		one_cycle();
	printf("%u clients\n", cycles);
	expect_no_growth(&before);
}

/*
 * --- Invalid messages --------------------------------------------------------------------------
 */

/* Values that are valid in most structures, more often than random ones. */
static uint32_t word(void)
{
	static const uint32_t words[] = { 0, 1, 2, 3, 7, 8, 16, 24, 32, 64, 0x1000, 0x100000,
		0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff };

	return any(4) != 0 ? words[any(sizeof(words) / sizeof(words[0]))] : (uint32_t)rand_r(&seed);
}

static size_t make_message(unsigned char *to, uint16_t id)
{
	uint32_t words = any(12);
	struct vfio_user_header header = { .id = id,
		.command = (uint16_t)(any(20) != 0 ? any(20) : word()),
		.size = (uint32_t)(sizeof(header) + words * 4) };
	size_t size = header.size;

	/* A message whose reply is awaited must not have the flag No Reply; others may. */
	if (any(30) == 0)
		header.flags = word() & ~VFIO_USER_NO_REPLY;
	/* After these two the stream is out of step. */
	if (any(3000) == 0)
		header.size = any(2) != 0 ? any(sizeof(header)) : 0x80000000 | word();
	memcpy(to, &header, sizeof(header));
	for (uint32_t i = 0; i < words; i++) {
		uint32_t value = word();

		memcpy(to + sizeof(header) + i * 4, &value, 4);
	}
	return size;
}

static bool receive(int fd, void *data, size_t size)
{
	return size == 0 || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static bool skip_payload(int fd, size_t size)
{
	static unsigned char rest[65536];

	while (size > 0) {
		size_t part = size < sizeof(rest) ? size : sizeof(rest);

		if (!receive(fd, rest, part))
			return false;
		size -= part;
	}
	return true;
}

/* Send a batch and receive the replies. Return: false when the server has closed the socket. */
static bool one_batch(struct vu_client *client, unsigned long *errors)
{
	unsigned char *batch = malloc(BATCH * MESSAGE_MAX);
	struct vfio_user_header header;
	size_t size = 0;
	bool there = true;

	assert_non_null(batch);
	for (uint16_t i = 0; i < BATCH; i++)
		size += make_message(batch + size, i);
	/* The descriptors belong to the first message. */
	vu_client_try_send(client, batch, size, descriptors, any(4) == 0 ? any(4) : 0);
	free(batch);
	for (unsigned i = 0; i < BATCH && there; i++) {
		there = receive(client->fd, &header, sizeof(header)) &&
			skip_payload(client->fd, header.size - sizeof(header));
		if (there) {
			assert_int_equal(header.id, i);
			assert_int_equal(header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
			*errors += (header.flags & VFIO_USER_ERROR) != 0;
		}
	}
	return there;
}

static void open_descriptors(void)
{
	descriptors[0] = memfd_create("guest", MFD_CLOEXEC);
	descriptors[1] = eventfd(0, EFD_CLOEXEC);
	descriptors[2] = dup(STDIN_FILENO);
	assert_int_equal(ftruncate(descriptors[0], GUEST_MEMORY), 0);
}

static void close_descriptors(void)
{
	for (size_t i = 0; i < 3; i++)
		close(descriptors[i]);
}

static void send_batches(unsigned messages, unsigned long *errors, unsigned *disconnects)
{
	struct vu_client client;

	assert_int_equal(vu_client_open(&client, path), 0);
	for (unsigned i = 0; i < messages; i += BATCH) {
		if (one_batch(&client, errors))
			continue;
		++*disconnects;
		vu_client_close(&client);
		assert_int_equal(vu_client_open(&client, path), 0);
	}
	vu_client_close(&client);
}

static void test_invalid_messages(void **state)
{
	unsigned messages = scaled_count("VFIO_USER_MESSAGES", 300000), disconnects = 0;
	unsigned long errors = 0;
	struct resources before;

	(void)state;
	open_descriptors();
	send_batches(20000, &errors, &disconnects);
	wait_until_idle();
	before = measure();
	say("before", &before);
	errors = disconnects = 0;
	send_batches(messages, &errors, &disconnects);
	printf("%u messages, %lu answered with an error, %u connections closed\n", messages, errors,
		disconnects);
	/* Most messages were invalid. */
	assert_true(errors > messages / 2);
	expect_no_growth(&before);
	close_descriptors();
}

/* --- The server
 * ------------------------------------------------------------------------------------ */

static int setup(void **state)
{
	const char *const argv[] = { getenv("DEXT_VFIO_USER"), "--socket", path, "--device",
		"nvme,addr=01:00.0,size=1M", NULL };
	int log = dup(STDERR_FILENO);

	(void)state;
	seed = from_environment("VFIO_USER_SEED", 1);
	printf("seed %u\n", seed);
	/* The server logs a line for each rejected client. */
	assert_non_null(freopen("/dev/null", "w", stderr));
	server = program_start(argv, NULL, NULL);
	dup2(log, STDERR_FILENO);
	close(log);
	assert_true(program_wait_listening(path, 0));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(program_end(server, SIGTERM), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_clients_connect_and_disconnect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalid_messages, setup, teardown),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/s", folder);
	failed = cmocka_run_group_tests_name("vfio-user soak", tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
