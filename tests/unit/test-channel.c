/* SPDX-License-Identifier: BSD-3-Clause */
/* The call channel: both ends in one process, the service on its own thread. */
#include "iokit/channel.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct iou_channel service, client;

static int setup(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(iou_channel_create(&service, &fd), 0);
	assert_int_equal(iou_channel_attach(&client, fd), 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	iou_channel_free(&service);
	iou_channel_free(&client);
	return 0;
}

static union iou_buffer request(uint32_t id, uint32_t bytes)
{
	union iou_buffer message = {
		.call = { .header = { .type = IOU_CALL, .id = id } },
	};

	message.header.size = (uint32_t)sizeof(message.call) + bytes;
	memset(message.bytes + sizeof(message.call), (int)id, bytes);
	return message;
}

/* As after several calls in quick succession. */
static void begin_polling(void)
{
	service.policy.short_waits = service.policy.needed;
	/* The CPUs of the threads do not matter here. */
	atomic_store(&service.slot->client_cpu, UINT32_MAX);
	assert_true(iou_channel_begin(&service));
}

/* Serve @count requests; each reply is a copy of its request. */
static void *echo(void *argument)
{
	for (unsigned served = 0; served < *(unsigned *)argument;) {
		union iou_buffer message;
		int size = iou_channel_poll(&service, &message);

		if (size == 0)
			begin_polling();
		if (size <= 0)
			continue;
		message.header.type |= IOU_REPLY;
		if (iou_channel_reply(&service, &message, (size_t)size))
			served++;
		else
			begin_polling();
	}
	return NULL;
}

static void test_calls_get_their_replies(void **state)
{
	unsigned count = 10000, done = 0;
	pthread_t thread;

	(void)state;
	begin_polling();
	assert_int_equal(pthread_create(&thread, NULL, echo, &count), 0);
	while (done < count) {
		union iou_buffer message = request(done, done % IOUSER_STRUCT_MAX), reply;
		int size = iou_channel_call(&client, &message, &reply);

		/* On a loaded machine either side may stop polling; the call is then repeated. */
		if (size == 0 || size == -EINPROGRESS)
			continue;
		assert_int_equal(size, message.header.size);
		message.header.type |= IOU_REPLY;
		assert_memory_equal(&reply, &message, (size_t)size);
		done++;
	}
	pthread_join(thread, NULL);
}

static void test_a_service_that_does_not_poll_is_called_by_the_socket(void **state)
{
	union iou_buffer message = request(1, 0), reply;

	(void)state;
	assert_int_equal(iou_channel_call(&client, &message, &reply), 0);
	begin_polling();
	iou_channel_sent(&client);
	assert_int_equal(iou_channel_poll(&service, &message), 0);
	begin_polling();
	/* No request arrives: the service stops polling, and does not start again at once. */
	assert_int_equal(iou_channel_poll(&service, &message), 0);
	assert_int_equal(atomic_load(&service.slot->state), IOU_CHANNEL_SOCKET);
	assert_false(iou_channel_begin(&service));
}

static void test_polling_begins_after_short_waits(void **state)
{
	(void)state;
	assert_false(iou_channel_begin(&service));
	for (unsigned i = 0; i < service.policy.needed; i++) {
		service.wait_began = INT64_MAX; /* the wait takes no time */
		iou_channel_wait_ended(&service);
	}
	assert_true(iou_channel_begin(&service));
	iou_channel_sent(&client);
	service.wait_began = 0; /* a long wait */
	iou_channel_wait_ended(&service);
	assert_false(iou_channel_begin(&service));
}

static void test_a_client_that_gave_up_gets_its_reply_by_the_socket(void **state)
{
	union iou_buffer message = request(1, 8), reply, got;

	(void)state;
	begin_polling();
	/* The service does not poll: the client stops polling. */
	assert_int_equal(iou_channel_call(&client, &message, &reply), -EINPROGRESS);
	assert_int_equal(iou_channel_poll(&service, &got), message.header.size);
	assert_memory_equal(&got, &message, message.header.size);
	assert_false(iou_channel_reply(&service, &got, got.header.size));
	assert_int_equal(atomic_load(&service.slot->state), IOU_CHANNEL_SOCKET);
	/* The next calls use the socket, even if the service polls. */
	begin_polling();
	assert_int_equal(iou_channel_call(&client, &message, &reply), 0);
}

static void test_a_question_continues_the_call_on_the_socket(void **state)
{
	union iou_buffer message = request(1, 0);

	(void)state;
	begin_polling();
	memcpy(client.slot->request, &message, message.header.size);
	atomic_store(&client.slot->state, IOU_CHANNEL_POSTED);
	assert_true(iou_channel_poll(&service, &message) > 0);
	iou_channel_divert(&service);
	assert_int_equal(atomic_load(&client.slot->state), IOU_CHANNEL_WAITING);
	assert_false(iou_channel_reply(&service, &message, message.header.size));
}

static void test_an_invalid_request_ends_the_session(void **state)
{
	static const uint32_t sizes[] = { 0, sizeof(struct iou_header) - 1, IOU_MESSAGE_MAX + 1,
		UINT32_MAX };
	union iou_buffer message = request(1, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		begin_polling();
		message.header.size = sizes[i];
		memcpy(client.slot->request, &message, sizeof(message.header));
		atomic_store(&client.slot->state, IOU_CHANNEL_POSTED);
		assert_int_equal(iou_channel_poll(&service, &message), -EPROTO);
	}
	/* The service does not wait for a state that is invalid. */
	atomic_store(&client.slot->state, 77);
	assert_int_equal(iou_channel_poll(&service, &message), 0);
}

static void *reply_with_invalid_data(void *argument)
{
	while (atomic_load(&service.slot->state) != IOU_CHANNEL_POSTED)
		;
	memcpy(service.slot->reply, argument, sizeof(struct iou_header));
	atomic_store(&service.slot->state, IOU_CHANNEL_POLLING);
	return NULL;
}

static void test_an_invalid_reply_is_refused(void **state)
{
	union iou_buffer message = request(1, 0), reply = request(1, 0);
	int size = -EINPROGRESS;

	(void)state;
	reply.header.size = UINT32_MAX;
	/* If the other thread was late the client has given up the call. */
	while (size == -EINPROGRESS) {
		pthread_t thread;

		atomic_store(&service.slot->state, IOU_CHANNEL_POLLING);
		client.policy.needed = 2;
		assert_int_equal(pthread_create(&thread, NULL, reply_with_invalid_data, &reply), 0);
		size = iou_channel_call(&client, &message, &reply);
		atomic_store(&service.slot->state, IOU_CHANNEL_POSTED);
		pthread_join(thread, NULL);
	}
	assert_int_equal(size, -EPROTO);
}

static void test_memory_that_could_shrink_is_refused(void **state)
{
	struct iou_channel other = { .slot = NULL };
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, sizeof(struct iou_channel_slot)), 0);
	assert_int_equal(iou_channel_attach(&other, fd), -EINVAL);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(iou_channel_attach(&other, fd), -EINVAL);
	assert_null(other.slot);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_calls_get_their_replies),
		TEST(test_a_service_that_does_not_poll_is_called_by_the_socket),
		TEST(test_polling_begins_after_short_waits),
		TEST(test_a_client_that_gave_up_gets_its_reply_by_the_socket),
		TEST(test_a_question_continues_the_call_on_the_socket),
		TEST(test_an_invalid_request_ends_the_session),
		TEST(test_an_invalid_reply_is_refused),
		TEST(test_memory_that_could_shrink_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
