/* SPDX-License-Identifier: BSD-3-Clause */
/* Eventfds that are signalled when vectors fire. */
#include "tests/lib/asserts.h"
#include "tests/lib/rig.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct rig rig;

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

/* How often it has been signalled since the last time. */
static uint64_t take(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

static io_connect_t claim_with_interrupts(void)
{
	io_connect_t connection = claim_device();

	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	return connection;
}

static void assert_pending(io_connect_t connection, uint64_t expected)
{
	uint64_t pending[4];

	assert_ok(apple_dext_read_pending_irqs(connection, pending));
	assert_int_equal(pending[0], expected);
}

static void test_eventfds_of_vectors(void **state)
{
	io_connect_t connection = claim_with_interrupts();
	const uint64_t none[4] = { 0 }, all[4] = { ~UINT64_C(0) };
	int fds[40], other = new_eventfd();

	(void)state;
	for (size_t i = 0; i < 40; i++)
		fds[i] = new_eventfd();
	/* More than go with one call; vectors without one become pending. */
	assert_ok(apple_dext_set_interrupt_eventfds(connection, 2, 40, fds));
	for (uint32_t vector = 1; vector < 43; vector++)
		assert_ok(apple_dext_trigger_interrupt(connection, vector));
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(take(fds[i]), 1);
	assert_pending(connection, UINT64_C(1) << 1 | UINT64_C(1) << 42);
	/* Masked, it is dropped. */
	assert_ok(apple_dext_set_irq_mask(connection, none));
	assert_ok(apple_dext_trigger_interrupt(connection, 2));
	assert_ok(apple_dext_set_irq_mask(connection, all));
	assert_int_equal(take(fds[0]), 0);
	assert_pending(connection, 0);
	/* Replaced, and taken away. A reset leaves it. */
	assert_ok(apple_dext_set_interrupt_eventfds(connection, 2, 1, &other));
	assert_ok(apple_dext_reset_device(connection));
	assert_ok(apple_dext_trigger_interrupt(connection, 2));
	assert_int_equal(take(fds[0]), 0);
	assert_int_equal(take(other), 1);
	assert_ok(apple_dext_set_interrupt_eventfds(connection, 2, 1, NULL));
	assert_ok(apple_dext_trigger_interrupt(connection, 2));
	assert_int_equal(take(other), 0);
	assert_pending(connection, UINT64_C(1) << 2);
	assert_ok(apple_dext_trigger_interrupt(connection, 3));
	assert_int_equal(take(fds[1]), 1);
	apple_dext_disconnect(connection);
	for (size_t i = 0; i < 40; i++)
		close(fds[i]);
	close(other);
}

static void test_what_is_no_eventfd(void **state)
{
	io_connect_t connection = claim_device();
	int good = new_eventfd(), ends[2], fds[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_fails(apple_dext_set_interrupt_eventfds(connection, 0, 1, &good), kIOReturnNotReady);
	assert_ok(apple_dext_setup_interrupts(connection, NULL));
	fds[0] = good;
	fds[1] = ends[1];
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 2, fds), kIOReturnBadArgument);
	fds[1] = memfd_create("test", MFD_CLOEXEC);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 2, fds), kIOReturnBadArgument);
	/* None of them is connected. */
	assert_ok(apple_dext_trigger_interrupt(connection, 0));
	assert_int_equal(take(good), 0);
	assert_pending(connection, 1);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 0, &good), kIOReturnBadArgument);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 64, 1, &good), kIOReturnBadArgument);
	assert_fails(
		apple_dext_set_interrupt_eventfds(connection, 0, 65, NULL), kIOReturnBadArgument);
	assert_fails(apple_dext_set_interrupt_eventfds(IO_OBJECT_NULL, 0, 1, &good),
		kIOReturnBadArgument);
	apple_dext_disconnect(connection);
	close(fds[1]);
	close(good);
	close(ends[0]);
	close(ends[1]);
}

/* A write() to it would wait; the device's interrupts do not, and other clients get theirs. */
static void test_a_full_eventfd_delays_no_other_client(void **state)
{
	io_connect_t filler = claim_with_interrupts(), other = claim_with_interrupts();
	int full = eventfd(0, EFD_CLOEXEC);
	uint64_t count;

	(void)state;
	assert_int_equal(eventfd_write(full, UINT64_MAX - 1), 0);
	assert_ok(apple_dext_set_interrupt_eventfds(filler, 0, 1, &full));
	for (int i = 0; i < 3; i++) {
		assert_ok(apple_dext_trigger_interrupt(other, 0));
		assert_pending(other, 1);
	}
	assert_int_equal(read(full, &count, sizeof(count)), sizeof(count));
	assert_true(count >= UINT64_MAX - 1);
	apple_dext_disconnect(filler);
	apple_dext_disconnect(other);
	close(full);
}

static void test_eventfds_end_with_the_connection(void **state)
{
	io_connect_t leaver = claim_with_interrupts(), other = claim_with_interrupts();
	int fd = new_eventfd(), kept = new_eventfd();
	AppleDextStatus status;

	(void)state;
	assert_ok(apple_dext_set_interrupt_eventfds(leaver, 0, 1, &fd));
	assert_ok(apple_dext_set_interrupt_eventfds(other, 0, 1, &kept));
	assert_ok(apple_dext_trigger_interrupt(other, 0));
	assert_int_equal(take(fd), 1);
	assert_int_equal(take(kept), 1);
	apple_dext_disconnect(leaver);
	do
		assert_ok(apple_dext_get_status(other, &status));
	while (status.clients > 1);
	assert_ok(apple_dext_trigger_interrupt(other, 0));
	assert_int_equal(take(fd), 0);
	assert_int_equal(take(kept), 1);
	apple_dext_disconnect(other);
	close(fd);
	close(kept);
}

static int setup(void **state)
{
	const char *const specs[] = { "nvme,addr=01:00.0,size=1M", NULL };

	return rig_start_group(state, &rig, specs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_eventfds_of_vectors, rig_await_idle),
		cmocka_unit_test_setup(test_what_is_no_eventfd, rig_await_idle),
		cmocka_unit_test_setup(test_a_full_eventfd_delays_no_other_client, rig_await_idle),
		cmocka_unit_test_setup(test_eventfds_end_with_the_connection, rig_await_idle),
	};

	return cmocka_run_group_tests(tests, setup, rig_stop_group);
}
