/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors whose close() blocks: each close() here would take an hour, so a test that returns
 * shows that fd_dispose() did not wait for it.
 */
#include "common/fd-dispose.h"
#include "common/limits.h"
#include "common/fd-kind.h"
#include "tests/lib/lingering.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fds.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fd_peer *new_peer(uid_t uid)
{
	struct fd_peer *peer = fd_peer_create(uid);

	assert_non_null(peer);
	return peer;
}

static void charge_and_dispose(int fd, struct fd_peer *peer)
{
	fd_peer_charge(peer, 1);
	fd_dispose(fd, peer);
}

static void wait_for_waiting(struct fd_peer *peer, unsigned wanted)
{
	while (fd_peer_waiting(peer) != wanted)
		usleep(1000);
}

static void test_a_tcp_socket_that_lingers(void **state)
{
	struct fd_peer *peer = new_peer(1);
	int reader, fd = lingering_socket(&reader);

	(void)state;
	charge_and_dispose(fd, peer);
	assert_int_equal(fd_peer_waiting(peer), 1);
	close(reader); /* resets the connection: close() returns */
	wait_for_waiting(peer, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd_peer_release(peer);
}

static void test_a_socket_in_the_queue_of_a_socket(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct fd_peer *peer = new_peer(1);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		int reader, fd = socket_with_queued(lingering_socket(&reader), types[i]);

		charge_and_dispose(fd, peer);
		close(reader);
		wait_for_waiting(peer, 0);
	}
	fd_peer_release(peer);
}

/*
 * All threads of one peer are blocked; descriptors of other peers are closed, also of the same
 * user.
 */
static void test_blocked_descriptors_do_not_delay_other_peers(void **state)
{
	enum { STUCK = FD_PEER_THREADS_MAX + 3 };
	struct fd_peer *hostile = new_peer(1), *others[] = { new_peer(1), new_peer(2) };
	int readers[STUCK], pair[2];

	(void)state;
	for (size_t i = 0; i < STUCK; i++)
		charge_and_dispose(lingering_socket(&readers[i]), hostile);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
		charge_and_dispose(pair[0], others[i]);
		charge_and_dispose(pair[1], others[i]);
		wait_for_waiting(others[i], 0);
		fd_peer_release(others[i]);
	}
	assert_int_equal(fd_peer_waiting(hostile), STUCK);
	for (size_t i = 0; i < STUCK; i++)
		close(readers[i]);
	wait_for_waiting(hostile, 0);
	fd_peer_release(hostile);
}

static void test_the_peer_is_released_first(void **state)
{
	size_t before = count_fds();
	struct fd_peer *peer = new_peer(1);
	int reader;

	(void)state;
	charge_and_dispose(lingering_socket(&reader), peer);
	fd_peer_release(peer);
	close(reader);
	while (count_fds() != before)
		usleep(1000);
}

static void test_a_peer_is_full(void **state)
{
	struct fd_peer *peer = new_peer(1), *other = new_peer(1), *stranger = new_peer(2);
	struct rlimit limit, low;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ .rlim_cur = 4 * FD_PEER_HELD_MAX + 4, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	fd_peer_charge(peer, FD_PEER_HELD_MAX);
	assert_false(fd_peer_is_full(peer));
	fd_peer_charge(other, 2); /* the limit of a user is a quarter of RLIMIT_NOFILE */
	assert_true(fd_peer_is_full(other));
	assert_false(fd_peer_is_full(stranger));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fd_peer_charge(peer, 1);
	assert_true(fd_peer_is_full(peer));
	for (unsigned i = 0; i < FD_PEER_HELD_MAX + 1; i++)
		fd_dispose(memfd_create("test", MFD_CLOEXEC), peer);
	assert_false(fd_peer_is_full(peer));
	fd_dispose(memfd_create("test", MFD_CLOEXEC), other);
	fd_dispose(memfd_create("test", MFD_CLOEXEC), other);
	fd_peer_release(peer);
	fd_peer_release(other);
	fd_peer_release(stranger);
}

static void test_descriptors_that_close_at_once(void **state)
{
	struct fd_peer *peer = new_peer(1);
	int fds[] = { memfd_create("test", MFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), dup(0) };

	(void)state;
	fd_peer_charge(peer, 2);
	fd_dispose(fds[0], peer);
	fd_dispose(fds[1], peer);
	fd_dispose(fds[2], NULL);
	assert_int_equal(fd_peer_waiting(peer), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD), -1);
	fd_dispose(-1, peer);
	fd_dispose(-1, NULL);
	fd_peer_release(peer);
}

static void test_kinds(void **state)
{
	char name[] = "/dev/shm/test-fd-kind-XXXXXX";
	int pair[2], reader;
	const struct {
		int fd;
		enum fd_kind kind;
	} cases[] = {
		{ memfd_create("test", MFD_CLOEXEC), FD_KIND_MEMORY },
		{ memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), FD_KIND_MEMORY },
		{ mkostemp(name, O_CLOEXEC), FD_KIND_MEMORY },
		{ open(name, O_PATH | O_CLOEXEC), FD_KIND_OTHER },
		{ eventfd(0, EFD_CLOEXEC), FD_KIND_EVENT },
		{ open("/dev/null", O_RDWR | O_CLOEXEC), FD_KIND_OTHER },
		{ open("/proc/self/maps", O_RDONLY | O_CLOEXEC), FD_KIND_FOREIGN_FILE },
		{ open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), FD_KIND_OTHER },
		{ lingering_socket(&reader), FD_KIND_OTHER },
	};

	(void)state;
	close(reader);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(cases[i].fd >= 0);
		assert_int_equal(fd_kind(cases[i].fd), cases[i].kind);
		close(cases[i].fd);
	}
	assert_int_equal(fd_kind(pair[0]), FD_KIND_OTHER);
	assert_int_equal(fd_kind(-1), FD_KIND_OTHER);
	close(pair[0]);
	close(pair[1]);
	unlink(name);
}

static void test_the_limit_is_raised(void **state)
{
	struct rlimit limit, low, raised;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ .rlim_cur = 256, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	limits_set();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &raised), 0);
	assert_true(raised.rlim_cur == limit.rlim_max || raised.rlim_cur == 1 << 20);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tcp_socket_that_lingers),
		cmocka_unit_test(test_a_socket_in_the_queue_of_a_socket),
		cmocka_unit_test(test_blocked_descriptors_do_not_delay_other_peers),
		cmocka_unit_test(test_the_peer_is_released_first),
		cmocka_unit_test(test_a_peer_is_full),
		cmocka_unit_test(test_descriptors_that_close_at_once),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_the_limit_is_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
