/* SPDX-License-Identifier: BSD-3-Clause */
/* The server: its socket, one client after another, its shutdown. */
#include "tests/lib/lingering.h"
#include "tests/lib/vfio-user-rig.h"
#include "vfio-user/platform.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

/* More than a slow machine needs, and far less than close() takes. */
#define HANGS_MS 60000

struct server_rig {
	struct rig rig; /* its client; the session's own parts are unused */
	char directory[64], path[96], error[VU_ERROR_SIZE];
	struct vu_server *server;
	pthread_t thread;
	bool running, result;
};

static void *run(void *argument)
{
	struct server_rig *rig = argument;

	rig->result = vu_server_run(rig->server);
	return NULL;
}

static int setup(void **state)
{
	struct vu_device_options options = { .bus = 1 };
	struct server_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	/* It keeps descriptors open until the process ends. */
	assert_int_equal(vu_platform_prepare_events(), 0);
	rig->rig.fds_before = count_fds();
	rig->rig.client.fd = -1;
	fake_client_begin();
	strcpy(rig->directory, "/tmp/test-vfio-user-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	snprintf(rig->path, sizeof(rig->path), "%s/socket", rig->directory);
	rig->rig.device = vu_device_open(&options, rig->error);
	assert_non_null(rig->rig.device);
	*state = rig;
	return 0;
}

static void create(struct server_rig *rig)
{
	rig->server = vu_server_create(rig->rig.device, rig->path, rig->error);
	assert_non_null(rig->server);
}

static void run_in_thread(struct server_rig *rig)
{
	rig->running = true;
	assert_int_equal(pthread_create(&rig->thread, NULL, run, rig), 0);
}

static void start(struct server_rig *rig)
{
	create(rig);
	run_in_thread(rig);
}

static void join(struct server_rig *rig)
{
	pthread_join(rig->thread, NULL);
	rig->running = false;
}

static int teardown(void **state)
{
	struct server_rig *rig = *state;

	if (rig->rig.client.fd >= 0)
		close(rig->rig.client.fd);
	if (rig->running) {
		vu_server_stop(rig->server);
		join(rig);
	}
	vu_server_destroy(rig->server);
	vu_device_close(rig->rig.device);
	fake_client_end();
	expect_fds(rig->rig.fds_before);
	unlink(rig->path);
	assert_int_equal(rmdir(rig->directory), 0);
	free(rig);
	return 0;
}

static bool join_in_time(struct server_rig *rig)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += HANGS_MS / 1000;
	rig->running = pthread_timedjoin_np(rig->thread, NULL, &limit) != 0;
	return !rig->running;
}

static int connect_to(const char *path)
{
	struct vu_client client;

	vu_client_connect(&client, path);
	return client.fd;
}

static void test_clients_are_served_one_after_the_other(void **state)
{
	struct server_rig *rig = *state;

	start(rig);
	for (int i = 0; i < 5; i++) {
		rig->rig.client.fd = connect_to(rig->path);
		rig_negotiate(&rig->rig);
		assert_int_equal(vu_client_config(&rig->rig.client, 0, 2), 0x1b36);
		close(rig->rig.client.fd);
		rig->rig.client.fd = -1;
	}
	/* The end of the previous session is visible when the next client is served. */
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	assert_int_equal(fake_client_lock()->resets, 5);
	fake_client_unlock();
}

static void test_a_second_client_is_rejected_at_once(void **state)
{
	struct server_rig *rig = *state;
	char byte;
	int second;

	start(rig);
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	for (int i = 0; i < 3; i++) {
		second = connect_to(rig->path);
		assert_int_equal(recv(second, &byte, 1, 0), 0);
		close(second);
	}
	/* Also while the first has sent half a message. */
	vu_client_send(&rig->rig.client, "abc", 3, NULL, 0);
	second = connect_to(rig->path);
	assert_int_equal(recv(second, &byte, 1, 0), 0);
	close(second);
	assert_int_equal(fake_client_lock()->resets, 0);
	fake_client_unlock();
}

/*
 * Descriptors whose close() blocks for an hour, sent by a client that is refused and by one that
 * is rejected as the second. The next client is served, and the server stops.
 */
static void test_descriptors_left_in_sockets_do_not_block(void **state)
{
	struct server_rig *rig = *state;
	int others[2], readers[2],
		fds[2] = { lingering_socket(&readers[0]), lingering_socket(&readers[1]) };
	struct pollfd answer = { .events = POLLIN };
	struct vu_reply *reply = malloc(sizeof(*reply));
	bool answered, stopped;

	assert_non_null(reply);
	create(rig);
	/* In the order of accept(). */
	rig->rig.client.fd = others[0] = connect_to(rig->path);
	vu_client_send_command(&rig->rig.client, VFIO_USER_VERSION, 0, "\x9\0\0\0", 4, NULL, 0);
	assert_true(send_fds(others[0], "a", 1, &fds[0], 1));
	rig->rig.client.fd = answer.fd = connect_to(rig->path);
	others[1] = connect_to(rig->path);
	assert_true(send_fds(others[1], "a", 1, &fds[1], 1));
	close_all(fds, 2);
	run_in_thread(rig);
	vu_client_send_command(&rig->rig.client, VFIO_USER_VERSION, 0, "\0\0\1\0", 4, NULL, 0);
	answered = poll(&answer, 1, HANGS_MS) == 1;
	if (!answered)
		close_all(readers, 2);
	assert_true(answered);
	assert_true(vu_client_receive(&rig->rig.client, reply));
	assert_int_equal(reply->header.error, 0);
	answer.fd = others[1];
	assert_int_equal(poll(&answer, 1, HANGS_MS), 1);
	vu_server_stop(rig->server);
	stopped = join_in_time(rig);
	close_all(readers, 2);
	assert_true(stopped);
	assert_true(rig->result);
	close_all(others, 2);
	free(reply);
}

static void test_a_stop_ends_it_at_any_time(void **state)
{
	struct server_rig *rig = *state;
	struct stat status;

	start(rig);
	vu_server_stop(rig->server);
	join(rig);
	assert_true(rig->result);
	vu_server_destroy(rig->server);
	assert_int_equal(stat(rig->path, &status), -1);
	start(rig);
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	vu_server_stop(rig->server);
	join(rig);
	assert_true(rig->result);
	assert_int_equal(fake_client_lock()->resets, 1);
	fake_client_unlock();
}

static void test_a_removed_device_ends_the_server_with_its_client(void **state)
{
	struct server_rig *rig = *state;

	start(rig);
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	fake_client_lock()->failure = kIOReturnOffline;
	fake_client_unlock();
	for (int i = 0; i < 2; i++)
		assert_int_equal(vu_client_config(&rig->rig.client, 0, 4), UINT32_MAX);
	close(rig->rig.client.fd);
	rig->rig.client.fd = -1;
	join(rig);
	assert_false(rig->result);
}

/* Between two clients the device is replaced by another one, with other interrupts. */
static void test_a_device_that_returns_is_served_again(void **state)
{
	struct server_rig *rig = *state;
	struct vfio_user_irq_info info = { .argsz = sizeof(info),
		.index = VFIO_PCI_INTX_IRQ_INDEX };
	struct vu_reply *reply = malloc(sizeof(*reply));

	rig->rig.device->options.reconnect = true;
	start(rig);
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	close(rig->rig.client.fd);
	fake_client_stop();
	rig->rig.client.fd = connect_to(rig->path);
	assert_int_equal(vu_client_exchange(
				 &rig->rig.client, VFIO_USER_VERSION, "\0\0\1\0", 4, NULL, 0, NULL),
		ENODEV);
	close(rig->rig.client.fd);
	fake_client_lock()->config[PCI_INTERRUPT_PIN] = 0;
	fake_client_unlock();
	fake_client_restart();
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	assert_int_equal(vu_client_exchange(&rig->rig.client, VFIO_USER_DEVICE_GET_IRQ_INFO, &info,
				 sizeof(info), NULL, 0, reply),
		0);
	memcpy(&info, reply->payload, sizeof(info));
	assert_int_equal(info.count, 0);
	free(reply);
}

static void test_an_idle_server_ends_with_its_device(void **state)
{
	struct server_rig *rig = *state;

	fake_client_stop();
	start(rig);
	join(rig);
	assert_false(rig->result);
}

static void test_a_stale_socket_is_replaced(void **state)
{
	struct server_rig *rig = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, rig->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	start(rig);
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
}

static void test_a_live_socket_is_left_alone(void **state)
{
	struct server_rig *rig = *state;

	start(rig);
	assert_null(vu_server_create(rig->rig.device, rig->path, rig->error));
	assert_non_null(strstr(rig->error, "in use by another server"));
	rig->rig.client.fd = connect_to(rig->path);
	rig_negotiate(&rig->rig);
	/* The check causes no reset. */
	assert_int_equal(fake_client_lock()->resets, 0);
	fake_client_unlock();
}

static void test_a_file_is_left_alone(void **state)
{
	struct server_rig *rig = *state;
	int fd = open(rig->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	struct stat status;

	close(fd);
	assert_null(vu_server_create(rig->rig.device, rig->path, rig->error));
	assert_non_null(strstr(rig->error, "not a socket"));
	assert_int_equal(stat(rig->path, &status), 0);
}

static void test_another_servers_socket_is_not_removed(void **state)
{
	struct server_rig *rig = *state;
	struct stat status;
	int fd;

	start(rig);
	assert_int_equal(unlink(rig->path), 0);
	fd = open(rig->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	vu_server_stop(rig->server);
	join(rig);
	vu_server_destroy(rig->server);
	rig->server = NULL;
	assert_int_equal(stat(rig->path, &status), 0);
}

static void test_paths_have_a_limit(void **state)
{
	struct server_rig *rig = *state;
	char path[200], limit[32];

	memset(path, 'x', sizeof(path));
	path[vu_server_path_limit() + 1] = '\0';
	assert_null(vu_server_create(rig->rig.device, path, rig->error));
	snprintf(limit, sizeof(limit), "%zu bytes", vu_server_path_limit() + 1);
	assert_non_null(strstr(rig->error, limit));
	assert_null(vu_server_create(rig->rig.device, "", rig->error));
	assert_null(vu_server_create(rig->rig.device, "/nonexistent/socket", rig->error));
	assert_non_null(strstr(rig->error, "/nonexistent/socket"));
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_clients_are_served_one_after_the_other),
		ON(test_a_second_client_is_rejected_at_once),
		ON(test_descriptors_left_in_sockets_do_not_block),
		ON(test_a_stop_ends_it_at_any_time),
		ON(test_a_removed_device_ends_the_server_with_its_client),
		ON(test_a_device_that_returns_is_served_again),
		ON(test_an_idle_server_ends_with_its_device),
		ON(test_a_stale_socket_is_replaced),
		ON(test_a_live_socket_is_left_alone),
		ON(test_a_file_is_left_alone),
		ON(test_another_servers_socket_is_not_removed),
		ON(test_paths_have_a_limit),
	};

	return cmocka_run_group_tests_name("vfio-user server", tests, NULL, NULL);
}
