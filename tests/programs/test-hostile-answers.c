/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of the runtime's server: their outputs and completions, and a client's answers about the
 * memory it names.
 */
#include "tests/lib/cmocka-all.h"
#include "tests/lib/session-rig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static void test_a_selector_without_output(void **state)
{
	int fd = session_open();
	union iou_buffer reply;

	(void)state;
	assert_int_equal(session_send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	assert_int_equal(reply.header.size, sizeof(reply.call_reply));
	assert_int_equal(reply.call_reply.scalar_output_count, 0);
	assert_int_equal(reply.call_reply.structure_output_size, 0);
	assert_int_equal(session_send_call(fd, SELECT_TOO_MUCH, NULL, 0, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnInternalError);
	close(fd);
}

/* A client that does not know calls that complete several times gets no such completion. */
static void test_completions_follow_the_version(void **state)
{
	(void)state;
	for (uint16_t minor = IOU_MINOR_REPEATS - 1; minor <= IOU_MINOR_REPEATS; minor++) {
		bool repeats = minor == IOU_MINOR_REPEATS;
		int fd = session_open_version(minor), port[2];
		union iou_buffer message;
		struct iou_fds fds;
		uint64_t answer;

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, port), 0);
		assert_int_equal(session_send_call(fd, SELECT_KEEP, NULL, 0, &port[0], 1), 0);
		assert_int_equal(session_receive_status(fd, &message), kIOReturnSuccess);
		memcpy(&answer, message.bytes + sizeof(message.call_reply), sizeof(answer));
		assert_int_equal(answer, repeats);
		assert_int_equal(iou_receive(port[1], &message, &fds, 0),
			repeats ? (int)sizeof(message.event) : -ETIMEDOUT);
		if (repeats)
			assert_int_equal(message.event.flags, IOU_EVENT_REPEATS);
		close(port[0]);
		close(port[1]);
		close(fd);
	}
}

struct answer {
	int fds[IOU_FDS_MAX];
	size_t fd_count;
	union iou_buffer buffer;
};

/* Begin a call that names memory, and receive the query. */
static uint32_t ask(int fd, uint64_t va, uint64_t size)
{
	const uint64_t scalars[] = { va, size };
	union iou_buffer question;
	struct iou_fds fds;

	assert_int_equal(session_send_call(fd, SELECT_MEMORY, scalars, 2, NULL, 0), 0);
	assert_true(iou_receive(fd, &question, &fds, -1) > 0);
	assert_int_equal(question.header.type, IOU_MEMORY);
	return question.header.id;
}

static void begin_answer(struct answer *answer, uint32_t id, bool more)
{
	memset(answer, 0, sizeof(*answer));
	answer->buffer.memory_reply = (struct iou_memory_reply){
		.header = { .type = IOU_MEMORY | IOU_REPLY, .id = id },
		.flags = more ? IOU_RANGES_MORE : 0,
	};
}

static void add_range(struct answer *answer, uint64_t va, uint64_t length, uint32_t fd_index,
	uint64_t offset, bool writable)
{
	struct iou_memory_reply *reply = &answer->buffer.memory_reply;

	assert_true(reply->count < IOU_RANGES_MAX);
	reply->ranges[reply->count++] = (struct iou_range){ .va = va,
		.length = length,
		.fd_index = fd_index,
		.fd_offset = offset,
		.writable = writable };
}

static int send_answer(int fd, struct answer *answer)
{
	return iou_send(fd, &answer->buffer,
		sizeof(answer->buffer.memory_reply) +
			answer->buffer.memory_reply.count * sizeof(struct iou_range),
		answer->fds, answer->fd_count, -1);
}

static int memory_file(uint64_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* Ranges smaller than pages: 65,536 of them cost far more than the memory that they describe. */
static void test_ranges_smaller_than_pages(void **state)
{
	int fd = session_open();
	struct answer answer;
	uint32_t id = ask(fd, PAGE, 2);

	(void)state;
	begin_answer(&answer, id, false);
	add_range(&answer, PAGE, 1, IOU_RANGE_PRIVATE, 0, true);
	add_range(&answer, PAGE + 1, 1, IOU_RANGE_PRIVATE, 0, true);
	assert_int_equal(send_answer(fd, &answer), 0);
	assert_true(session_ended(fd));
	close(fd);
}

/*
 * Adjacent ranges are merged into one segment: private memory, and that of a file. The ends need
 * not be page-aligned.
 */
static void test_adjacent_ranges_are_one_segment(void **state)
{
	const uint64_t va = 64 * PAGE + 8;
	int fd = session_open(), file = memory_file(64 * PAGE);
	union iou_buffer reply;
	struct answer answer;
	uint32_t id = ask(fd, va, 12 * PAGE);

	(void)state;
	begin_answer(&answer, id, true);
	answer.fds[answer.fd_count++] = file;
	add_range(&answer, va, PAGE - 8, IOU_RANGE_PRIVATE, 0, true);
	add_range(&answer, va + PAGE - 8, PAGE, IOU_RANGE_PRIVATE, 0, true);
	add_range(&answer, va + 2 * PAGE - 8, PAGE, IOU_RANGE_PRIVATE, 0, false);
	add_range(&answer, va + 3 * PAGE - 8, PAGE, 0, 5 * PAGE, true);
	add_range(&answer, va + 4 * PAGE - 8, PAGE, 0, 6 * PAGE, true);
	assert_int_equal(send_answer(fd, &answer), 0);
	/* The next reply has the file again, as another descriptor. */
	begin_answer(&answer, id, false);
	answer.fds[answer.fd_count++] = file;
	add_range(&answer, va + 5 * PAGE - 8, 2 * PAGE, 0, 7 * PAGE, true);
	add_range(&answer, va + 7 * PAGE - 8, 5 * PAGE + 8, 0, 40 * PAGE, true);
	assert_int_equal(send_answer(fd, &answer), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	/* Private and writable, private and read-only, pages 5 to 8 of the file, pages from 40. */
	assert_int_equal(*(uint64_t *)(void *)(reply.bytes + sizeof(reply.call_reply)), 4);
	close(file);
	close(fd);
}

/* After a call that fails in its first reply, the session skips the replies that follow. */
static void test_replies_after_one_that_is_invalid(void **state)
{
	int fd = session_open(), file = memory_file(PAGE);
	union iou_buffer reply;
	struct answer answer;
	uint32_t id = ask(fd, PAGE, 2 * PAGE);

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin_answer(&answer, id, i == 0);
		answer.fds[answer.fd_count++] = file;
		add_range(
			&answer, (uint64_t)(1 + i) * PAGE, PAGE, 0, PAGE, true); /* past its end */
		assert_int_equal(send_answer(fd, &answer), 0);
	}
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnBadArgument);
	assert_int_equal(session_send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	close(file);
	close(fd);
}

/* A file of a file system that may not answer: procfs represents FUSE and NFS here. */
static void test_files_that_may_stall(void **state)
{
	int fd = session_open(), file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	union iou_buffer reply;
	struct answer answer;
	uint32_t id = ask(fd, PAGE, PAGE);

	(void)state;
	begin_answer(&answer, id, false);
	answer.fds[answer.fd_count++] = file;
	add_range(&answer, PAGE, PAGE, 0, 0, false);
	assert_int_equal(send_answer(fd, &answer), 0);
	close(file);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnNotPermitted);
	close(fd);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, session_setup, session_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_a_selector_without_output),
		EACH(test_completions_follow_the_version),
		EACH(test_ranges_smaller_than_pages),
		EACH(test_adjacent_ranges_are_one_segment),
		EACH(test_replies_after_one_that_is_invalid),
		EACH(test_files_that_may_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
