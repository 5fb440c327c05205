/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors whose close() blocks for an hour, in every place where a client can send one: the
 * session answers the next command, or ends, without delay.
 */
#include "tests/lib/lingering.h"
#include "tests/lib/vfio-user-rig.h"

#include <poll.h>

#define RW (VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE)

/* More than a slow machine needs, and far less than close() takes. */
#define HANGS_MS 60000

static int reader = -1; /* the end that lets close() of the latest one return; -1: closed */

static void close_reader(void)
{
	close(reader);
	reader = -1;
}

static int new_lingering(void)
{
	return lingering_socket(&reader);
}

static int new_queued(void)
{
	return socket_with_queued(new_lingering(), SOCK_STREAM);
}

typedef int (*maker)(void);
static const maker makers[] = { new_lingering, new_queued };

/*
 * Send a command with a descriptor that is closed here before the session has received the whole
 * command: its close() is the last one, which blocks.
 */
static void send_last_copy(
	struct rig *rig, uint16_t command, const void *payload, size_t size, int fd)
{
	struct vfio_user_header header = { .command = command,
		.size = (uint32_t)(sizeof(header) + size) };

	vu_client_send(&rig->client, &header, 1, &fd, 1);
	close(fd);
	vu_client_send(&rig->client, (char *)&header + 1, sizeof(header) - 1, NULL, 0);
	vu_client_send(&rig->client, payload, size, NULL, 0);
}

/* Also when the session has closed the socket. */
static void expect_readable(struct rig *rig)
{
	struct pollfd answer = { .fd = rig->client.fd, .events = POLLIN };

	assert_int_equal(poll(&answer, 1, HANGS_MS), 1);
}

static void expect_error(struct rig *rig, uint32_t error)
{
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_non_null(reply);
	expect_readable(rig);
	assert_true(vu_client_receive(&rig->client, reply));
	assert_int_equal(reply->header.error, error);
	free(reply);
}

/* The descriptors of one command have been disposed of when the next is answered. */
static void expect_next_answer(struct rig *rig)
{
	vu_client_send_command(
		&rig->client, VFIO_USER_DEVICE_RESET, VFIO_USER_TYPE_COMMAND, NULL, 0, NULL, 0);
	expect_error(rig, 0);
}

/* The session has closed its socket, and reset the device. */
static void expect_end(struct rig *rig)
{
	struct pollfd end = { .fd = rig->ended[0], .events = POLLIN };

	assert_int_equal(poll(&end, 1, HANGS_MS), 1);
	rig_wait_end(rig);
}

static void test_a_refused_message(void **state)
{
	const struct vfio_user_dma_map map = { .argsz = sizeof(map), .flags = RW, .size = 0x1000 };
	const struct vfio_user_irq_set set = {
		.argsz = sizeof(set), .flags = CONNECT, .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = 1
	};
	const struct vfio_user_dma_unmap unmap = { .argsz = sizeof(unmap), .size = 0x1000 };
	const struct {
		uint16_t command;
		const void *payload;
		size_t size;
		uint32_t error;
	} cases[] = {
		{ VFIO_USER_DMA_MAP, &map, sizeof(map), EINVAL },
		{ VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), ENOENT },
		{ VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), EINVAL },
		{ VFIO_USER_DEVICE_RESET, NULL, 0, EINVAL },
		{ VFIO_USER_DMA_READ, NULL, 0, ENOTSUP },
		{ 0x7777, NULL, 0, EINVAL },
	};

	for (size_t m = 0; m < 2; m++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			send_last_copy(*state, cases[i].command, cases[i].payload, cases[i].size,
				makers[m]());
			expect_error(*state, cases[i].error);
			expect_next_answer(*state);
			close_reader();
		}
}

/* More descriptors than a message may have: the kernel does not close the extra ones. */
static void test_a_message_with_too_many(void **state)
{
	int fds[SEND_FDS_MAX];

	for (size_t m = 0; m < 2; m++) {
		for (size_t i = 0; i < SEND_FDS_MAX - 1; i++)
			fds[i] = event_new();
		fds[SEND_FDS_MAX - 1] = makers[m]();
		rig_open(*state);
		vu_client_send_command(*state, VFIO_USER_VERSION, 0, "\0\0\1\0", 4, NULL, 0);
		vu_client_send_command(
			*state, VFIO_USER_DEVICE_SET_IRQS, 0, NULL, 0, fds, SEND_FDS_MAX);
		/* These are not the last references. */
		close_all(fds, SEND_FDS_MAX);
		rig_begin(*state);
		expect_error(*state, 0);
		expect_error(*state, EINVAL);
		expect_next_answer(*state);
		rig_disconnect(*state);
		close_reader();
	}
}

static void test_the_first_message(void **state)
{
	for (size_t m = 0; m < 2; m++) {
		rig_connect(*state);
		send_last_copy(*state, VFIO_USER_VERSION, "\0\0\1\0", 4, makers[m]());
		expect_end(*state);
		rig_disconnect(*state);
		close_reader();
	}
}

static void test_half_a_message(void **state)
{
	struct rig *rig = *state;
	int fd = new_lingering();

	vu_client_send(&rig->client, "abc", 3, &fd, 1);
	close(fd);
	close(rig->client.fd);
	rig->client.fd = -1;
	expect_end(rig);
	close_reader();
}

/* A client that repeats this is disconnected. */
static void test_too_many_messages(void **state)
{
	static int readers[2 * FD_PEER_WAITING_MAX];
	const struct vfio_user_header header = { .command = VFIO_USER_VERSION,
		.size = VU_PAYLOAD_MAX };
	struct rig *rig = *state;

	rig_open(rig);
	vu_client_send(&rig->client, &header, sizeof(header), NULL, 0);
	for (size_t i = 0; i < 2 * FD_PEER_WAITING_MAX; i++) {
		int fd = lingering_socket(&readers[i]);

		vu_client_send(&rig->client, " ", 1, &fd, 1);
		close(fd);
	}
	rig_begin(rig);
	expect_end(rig);
	reader = -1;
	close_all(readers, 2 * FD_PEER_WAITING_MAX);
}

/* A session that blocks, which fails the test, continues when the reader is closed. */
static int teardown(void **state)
{
	if (reader >= 0)
		close_reader();
	return rig_teardown(state);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(rig_setup_negotiated, test_a_refused_message),
		ON(rig_setup, test_a_message_with_too_many),
		ON(rig_setup, test_the_first_message),
		ON(rig_setup_negotiated, test_half_a_message),
		ON(rig_setup, test_too_many_messages),
	};

	return cmocka_run_group_tests_name("vfio-user lingering", tests, NULL, NULL);
}
