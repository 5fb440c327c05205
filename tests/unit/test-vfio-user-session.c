/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a session, framing, and polling for messages. */
#include "tests/lib/vfio-user-rig.h"
#include "vfio-user/commands.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* --- The state ----------------------------------------------------------------------- */

static void test_the_version_comes_first(void **state)
{
	for (uint16_t command = 0; command < 20; command++) {
		if (command == VFIO_USER_VERSION)
			continue;
		rig_connect(*state);
		assert_int_equal(
			vu_client_exchange(*state, command, NULL, 0, NULL, 0, NULL), EINVAL);
		rig_expect_closed(*state);
		rig_disconnect(*state);
	}
	/* No client has used the device, so it was not reset. */
	assert_int_equal(fake_client_lock()->resets, 0);
	fake_client_unlock();
}

static void test_the_version_comes_once(void **state)
{
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_VERSION, "\0\0\1\0", 4, NULL, 0, NULL),
		EINVAL);
	assert_int_equal(vu_client_config(*state, 0, 2), 0x1b36);
}

/* --- Framing ------------------------------------------------------------------------- */

static void test_invalid_sizes_end_the_session(void **state)
{
	static const uint32_t sizes[] = { 0, 15,
		sizeof(struct vfio_user_header) + VU_PAYLOAD_MAX + 1, UINT32_MAX };
	struct vu_reply *reply = malloc(sizeof(*reply));

	rig_disconnect(*state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct vfio_user_header header = {
			.id = 7, .command = VFIO_USER_REGION_READ, .size = sizes[i]
		};

		rig_connect(*state);
		rig_negotiate(*state);
		vu_client_send(*state, &header, sizeof(header), NULL, 0);
		assert_true(vu_client_receive(*state, reply));
		assert_int_equal(reply->header.error, EINVAL);
		assert_int_equal(reply->header.id, 7);
		rig_expect_closed(*state);
		rig_disconnect(*state);
	}
	free(reply);
}

static void test_fragmented_messages_are_reassembled(void **state)
{
	struct {
		struct vfio_user_header header;
		struct vfio_user_region_access access;
	} request = {
		.header = { .command = VFIO_USER_REGION_READ, .size = sizeof(request) },
		.access = { .region = VFIO_PCI_CONFIG_REGION_INDEX, .count = 4 },
	};
	struct vu_reply *reply = malloc(sizeof(*reply));

	for (size_t i = 0; i < sizeof(request); i++)
		vu_client_send(*state, (unsigned char *)&request + i, 1, NULL, 0);
	assert_true(vu_client_receive(*state, reply));
	assert_int_equal(reply->header.error, 0);
	assert_memory_equal(reply->payload + sizeof(request.access), "\x36\x1b\x10\x00", 4);
	free(reply);
}

static void test_messages_in_a_row_are_answered_in_order(void **state)
{
	struct vu_reply *reply = malloc(sizeof(*reply));

	for (uint16_t i = 0; i < 20; i++) {
		struct {
			struct vfio_user_header header;
			struct vfio_user_region_access access;
		} request = {
			.header = { .id = i,
				.command = VFIO_USER_REGION_READ,
				.size = sizeof(request) },
			.access = { .region = VFIO_PCI_CONFIG_REGION_INDEX, .count = 1 },
		};

		vu_client_send(*state, &request, sizeof(request), NULL, 0);
	}
	for (uint16_t i = 0; i < 20; i++) {
		assert_true(vu_client_receive(*state, reply));
		assert_int_equal(reply->header.id, i);
	}
	free(reply);
}

/* All of them have come before the first is read, so that one read gets parts of several. */
static void test_descriptors_belong_to_their_message(void **state)
{
	const struct vfio_user_region_access access = { .region = VFIO_PCI_CONFIG_REGION_INDEX,
		.count = 4 };
	const struct vfio_user_irq_set set = {
		.argsz = sizeof(set), .flags = CONNECT, .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = 2
	};
	struct vu_reply *reply = malloc(sizeof(*reply));
	struct rig *rig = *state;
	int fds[] = { event_new(), event_new() };

	rig_open(rig);
	vu_client_send_command(&rig->client, VFIO_USER_VERSION, 0, "\0\0\1\0", 4, NULL, 0);
	for (int i = 0; i < 3; i++) {
		vu_client_send_command(
			&rig->client, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
		vu_client_send_command(
			&rig->client, VFIO_USER_DEVICE_SET_IRQS, 0, &set, sizeof(set), fds, 2);
	}
	rig_begin(rig);
	for (int i = 0; i < 7; i++) {
		assert_true(vu_client_receive(&rig->client, reply));
		assert_int_equal(reply->header.error, 0);
	}
	raise_vector(1);
	assert_int_equal(event_read(fds[0]), 0);
	assert_int_equal(event_read(fds[1]), 1);
	close_all(fds, 2);
	free(reply);
}

static void test_half_a_message_is_ignored(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_header header = { .command = VFIO_USER_DEVICE_RESET, .size = 64 };

	vu_client_send(&rig->client, &header, sizeof(header), NULL, 0);
	rig_disconnect(rig);
	/* One reset, for the client that disconnected. */
	assert_int_equal(fake_client_lock()->resets, 1);
	fake_client_unlock();
}

static void test_a_stop_interrupts_half_a_message(void **state)
{
	struct rig *rig = *state;

	vu_client_send(&rig->client, "abc", 3, NULL, 0);
	assert_int_equal(write(rig->stop[1], "", 1), 1);
	rig_expect_closed(rig);
}

/* Replies that the client does not read fill the socket; the server can still be stopped. */
static void test_a_stop_interrupts_a_blocked_reply(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_region_access access = { .region = 0, .count = FAKE_BAR0_SIZE };

	for (int i = 0; i < 64; i++)
		vu_client_send_command(
			&rig->client, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	assert_int_equal(write(rig->stop[1], "", 1), 1);
	rig_wait_end(rig);
	assert_int_equal(fake_client_lock()->resets, 1);
	fake_client_unlock();
}

/* No message, or half of one: the device must become available to others. */
static void test_a_client_without_a_version_is_disconnected(void **state)
{
	struct rig *rig = *state;

	rig->loop.tick_ms = 1;
	for (int i = 0; i < 2; i++) {
		struct pollfd end = { .events = POLLIN };

		rig_connect(rig);
		if (i == 1)
			vu_client_send(&rig->client, "abc", 3, NULL, 0);
		end.fd = rig->client.fd;
		assert_int_equal(poll(&end, 1, 60000), 1);
		rig_expect_closed(rig);
		rig_disconnect(rig);
	}
}

/* A client whose socket is never empty does not keep the session from stopping. */
static void test_a_stop_interrupts_queued_messages(void **state)
{
	static struct vfio_user_header resets[4096];
	struct rig *rig = *state;
	unsigned done;

	for (size_t i = 0; i < 4096; i++)
		resets[i] = (struct vfio_user_header){ .command = VFIO_USER_DEVICE_RESET,
			.size = sizeof(resets[i]),
			.flags = VFIO_USER_NO_REPLY };
	rig_open(rig);
	vu_client_send_command(
		&rig->client, VFIO_USER_VERSION, VFIO_USER_NO_REPLY, "\0\0\1\0", 4, NULL, 0);
	vu_client_send(&rig->client, resets, sizeof(resets), NULL, 0);
	assert_int_equal(write(rig->stop[1], "", 1), 1);
	rig_begin(rig);
	rig_wait_end(rig);
	done = fake_client_lock()->resets;
	fake_client_unlock();
	/* Some messages were executed before the stop. */
	assert_in_range(done, 1, 1000);
}

static void test_commands_without_reply_get_none(void **state)
{
	struct vfio_user_region_access access = { .region = VFIO_PCI_NUM_REGIONS, .count = 1 };

	/* One that succeeds and two that fail. */
	vu_client_send_command(
		*state, VFIO_USER_DEVICE_RESET, VFIO_USER_NO_REPLY, NULL, 0, NULL, 0);
	vu_client_send_command(*state, VFIO_USER_REGION_READ, VFIO_USER_NO_REPLY, &access,
		sizeof(access), NULL, 0);
	vu_client_send_command(
		*state, VFIO_USER_DEVICE_FEATURE, VFIO_USER_NO_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(vu_client_config(*state, 0, 2), 0x1b36);
	assert_int_equal(fake_client_lock()->resets, 1);
	fake_client_unlock();
}

static void test_an_unexpected_reply_is_refused(void **state)
{
	struct vu_reply *reply = malloc(sizeof(*reply));

	vu_client_send_command(
		*state, VFIO_USER_DEVICE_RESET, VFIO_USER_TYPE_REPLY, NULL, 0, NULL, 0);
	assert_true(vu_client_receive(*state, reply));
	assert_int_equal(reply->header.error, EINVAL);
	vu_client_send_command(*state, VFIO_USER_DEVICE_RESET, 0x7, NULL, 0, NULL, 0);
	assert_true(vu_client_receive(*state, reply));
	assert_int_equal(reply->header.error, EINVAL);
	assert_int_equal(fake_client_lock()->resets, 0);
	fake_client_unlock();
	free(reply);
}

/* --- Polling: looking for the next message without sleeping ----------------------------------- */

#define POLLED_EXCHANGES 500

static void poll_for_messages(struct rig *rig)
{
	rig->loop.poll_us = VU_POLL_US_MAX;
	poll_policy_init(&rig->loop.policy);
	rig_connect(rig);
	rig_negotiate(rig);
	for (int i = 0; i < POLLED_EXCHANGES; i++)
		assert_int_equal(vu_client_config(&rig->client, 0, 4), 0x00101b36);
}

static void test_quick_messages_are_polled_for(void **state)
{
	struct rig *rig = *state;

	poll_for_messages(rig);
	rig_disconnect(rig);
	assert_true(rig->loop.polls > 0);
}

static void test_a_stop_interrupts_polling(void **state)
{
	struct rig *rig = *state;

	poll_for_messages(rig);
	assert_int_equal(write(rig->stop[1], "", 1), 1);
	rig_expect_closed(rig);
}

/* The VMM unmasks by an eventfd, and the session is not idle for a moment. */
static void test_controls_are_heard_while_polling(void **state)
{
	struct rig *rig = *state;
	int line = event_new(), unmask = event_new();
	int fd;
	unsigned reads = 0;

	poll_for_messages(rig);
	fd = dup(line);
	assert_int_equal(vu_client_event(&rig->client, VFIO_PCI_INTX_IRQ_INDEX, 0, fd), 0);
	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_INTX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, &unmask, 1),
		0);
	raise_vector(0);
	raise_vector(0); /* is pending: the line is masked */
	assert_int_equal(event_read(line), 1);
	event_signal(unmask);
	while (event_read(line) == 0 && ++reads < 10000)
		vu_client_config(&rig->client, 0, 4);
	assert_true(reads < 10000);
	close(fd);
	close(line);
	close(unmask);
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(rig_setup, test_the_version_comes_first),
		ON(rig_setup_negotiated, test_the_version_comes_once),
		ON(rig_setup_negotiated, test_invalid_sizes_end_the_session),
		ON(rig_setup_negotiated, test_fragmented_messages_are_reassembled),
		ON(rig_setup_negotiated, test_messages_in_a_row_are_answered_in_order),
		ON(rig_setup, test_descriptors_belong_to_their_message),
		ON(rig_setup, test_quick_messages_are_polled_for),
		ON(rig_setup, test_a_stop_interrupts_polling),
		ON(rig_setup, test_controls_are_heard_while_polling),
		ON(rig_setup_negotiated, test_half_a_message_is_ignored),
		ON(rig_setup_negotiated, test_a_stop_interrupts_half_a_message),
		ON(rig_setup_negotiated, test_a_stop_interrupts_a_blocked_reply),
		ON(rig_setup, test_a_client_without_a_version_is_disconnected),
		ON(rig_setup, test_a_stop_interrupts_queued_messages),
		ON(rig_setup_negotiated, test_commands_without_reply_get_none),
		ON(rig_setup_negotiated, test_an_unexpected_reply_is_refused),
	};

	return cmocka_run_group_tests_name("vfio-user session", tests, NULL, NULL);
}
