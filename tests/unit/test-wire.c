/* SPDX-License-Identifier: BSD-3-Clause */
/* Single messages: complete ones, and every kind of invalid one. */
#include "iokit/wire.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fds.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return 0;
}

static int receive(union iou_buffer *buffer, struct iou_fds *fds)
{
	return iou_receive(ends[1], buffer, fds, 1000);
}

static void test_a_message_arrives_unchanged(void **state)
{
	struct iou_open message = {
		.header = { .type = IOU_OPEN, .id = 7 }, .entry_id = 0x100000001, .type = 3
	};
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	assert_int_equal(iou_send(ends[0], &message, sizeof(message), NULL, 0, 0), 0);
	assert_int_equal(receive(&buffer, &fds), sizeof(message));
	assert_int_equal(buffer.header.size, sizeof(message));
	assert_int_equal(fds.count, 0);
	assert_memory_equal(&buffer, &message, sizeof(message));
}

static void test_the_largest_message(void **state)
{
	static union iou_buffer sent, received;
	struct iou_fds fds;

	(void)state;
	memset(&sent, 0x5a, sizeof(sent));
	assert_int_equal(iou_send(ends[0], &sent, sizeof(sent), NULL, 0, 0), 0);
	assert_int_equal(receive(&received, &fds), sizeof(sent));
	assert_memory_equal(&received, &sent, sizeof(sent));
}

static void test_one_byte_too_many(void **state)
{
	static _Alignas(union iou_buffer) char sent[sizeof(union iou_buffer) + 1];
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	assert_int_equal(iou_send(ends[0], sent, sizeof(sent), NULL, 0, 0), 0);
	assert_int_equal(receive(&buffer, &fds), -EPROTO);
}

static void test_too_short_for_a_header(void **state)
{
	const struct iou_header header = { .type = IOU_LIST, .size = sizeof(header) };
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	for (size_t size = 1; size < sizeof(header); size++) {
		assert_int_equal(send(ends[0], &header, size, 0), (ssize_t)size);
		assert_int_equal(receive(&buffer, &fds), -EPROTO);
	}
}

static void test_a_wrong_size_in_the_header(void **state)
{
	const uint32_t sizes[] = { 0, 1, sizeof(struct iou_open) - 1, sizeof(struct iou_open) + 1,
		UINT32_MAX };
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct iou_open message = { .header = { .type = IOU_OPEN, .size = sizes[i] } };

		assert_int_equal(send(ends[0], &message, sizeof(message), 0), sizeof(message));
		assert_int_equal(receive(&buffer, &fds), -EPROTO);
	}
}

static void test_descriptors_arrive(void **state)
{
	struct iou_header message = { .type = IOU_MEMORY | IOU_REPLY };
	size_t before = count_fds();
	int sent[IOU_FDS_MAX], taken;
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	for (size_t i = 0; i < IOU_FDS_MAX; i++)
		sent[i] = ends[0];
	assert_int_equal(iou_send(ends[0], &message, sizeof(message), sent, IOU_FDS_MAX, 0), 0);
	assert_int_equal(receive(&buffer, &fds), sizeof(message));
	assert_int_equal(fds.count, IOU_FDS_MAX);
	assert_int_equal(count_fds(), before + IOU_FDS_MAX);
	taken = iou_fds_take(&fds, 3);
	assert_true(taken >= 0);
	assert_int_equal(iou_fds_take(&fds, 3), -1);
	assert_int_equal(iou_fds_take(&fds, IOU_FDS_MAX), -1);
	iou_fds_close(&fds);
	assert_int_equal(count_fds(), before + 1);
	close(taken);
}

/* More descriptors than there is room for: none of the received ones stays open. */
static void test_descriptors_cut_off(void **state)
{
	struct iou_header message = { .type = IOU_LIST, .size = sizeof(message) };
	struct iovec iov = { &message, sizeof(message) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * (IOU_FDS_MAX + 1))];
	} control = { .space = { 0 } };
	struct msghdr out = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space) };
	size_t before = count_fds();
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int) * (IOU_FDS_MAX + 1)) };
	for (size_t i = 0; i <= IOU_FDS_MAX; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &ends[0], sizeof(int));
	assert_int_equal(sendmsg(ends[0], &out, 0), sizeof(message));
	assert_int_equal(receive(&buffer, &fds), -EPROTO);
	assert_int_equal(fds.count, 0);
	assert_int_equal(count_fds(), before);
}

/* The message arrived, its descriptors did not: the next call could not receive them either. */
static void test_no_room_for_descriptors(void **state)
{
	size_t before = count_fds();
	struct iou_header message = { .type = IOU_LIST };
	struct rlimit limit, none;
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	/* Room for one of two: it must be a free number. */
	none.rlim_cur = (rlim_t)dup(ends[0]) + 1;
	close((int)none.rlim_cur - 1);
	assert_int_equal(iou_send(ends[0], &message, sizeof(message), ends, 2, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(receive(&buffer, &fds), sizeof(message));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(fds.lost);
	assert_int_equal(fds.count, 0);
	assert_int_equal(iou_fds_take(&fds, 0), -1);
	assert_int_equal(count_fds(), before);
	assert_int_equal(iou_send(ends[0], &message, sizeof(message), ends, 1, 0), 0);
	assert_int_equal(receive(&buffer, &fds), sizeof(message));
	assert_false(fds.lost);
	assert_int_equal(fds.count, 1);
	iou_fds_close(&fds);
}

/* The descriptors of a message refused for another reason are closed, too. */
static void test_descriptors_of_a_wrong_message(void **state)
{
	static _Alignas(union iou_buffer) char sent[sizeof(union iou_buffer) + 1];
	size_t before = count_fds();
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	assert_int_equal(iou_send(ends[0], sent, sizeof(sent), ends, 2, 0), 0);
	assert_int_equal(receive(&buffer, &fds), -EPROTO);
	assert_int_equal(count_fds(), before);
}

static void test_no_message(void **state)
{
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	assert_int_equal(iou_receive(ends[1], &buffer, &fds, 0), -ETIMEDOUT);
	assert_int_equal(iou_receive(ends[1], &buffer, &fds, 10), -ETIMEDOUT);
	assert_int_equal(fds.count, 0);
}

static void test_a_full_socket(void **state)
{
	struct iou_header message = { .type = IOU_LIST };
	int sent = 0;

	(void)state;
	for (int i = 0; i < 100000 && sent == 0; i++)
		sent = iou_send(ends[0], &message, sizeof(message), NULL, 0, 0);
	assert_int_equal(sent, -ETIMEDOUT);
	assert_int_equal(iou_send(ends[0], &message, sizeof(message), NULL, 0, 10), -ETIMEDOUT);
}

static void test_the_peer_has_disconnected(void **state)
{
	struct iou_header message = { .type = IOU_LIST };
	union iou_buffer buffer;
	struct iou_fds fds;

	(void)state;
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(receive(&buffer, &fds), 0);
	assert_int_equal(iou_receive(ends[1], &buffer, &fds, -1), 0);
	assert_int_equal(iou_send(ends[1], &message, sizeof(message), NULL, 0, -1), -EPIPE);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_a_message_arrives_unchanged),
		EACH(test_the_largest_message),
		EACH(test_one_byte_too_many),
		EACH(test_too_short_for_a_header),
		EACH(test_a_wrong_size_in_the_header),
		EACH(test_descriptors_arrive),
		EACH(test_descriptors_cut_off),
		EACH(test_no_room_for_descriptors),
		EACH(test_descriptors_of_a_wrong_message),
		EACH(test_no_message),
		EACH(test_a_full_socket),
		EACH(test_the_peer_has_disconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
