/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole server, $DEXT_VFIO_USER, with embedded devices and with devices of a driver service,
 * $DEXTD, which is killed and restarted. $SANDBOX is "yes" when the server was built with its
 * sandbox, $NOTIFY when both notify systemd.
 */
#include "tests/lib/lingering.h"
#include "tests/lib/program.h"
#include "tests/lib/vfio-user-client.h"
#include "tests/lib/cmocka-all.h"

#include <apple-dext-client.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMORY 0x100000u

static char folder[] = "/tmp/dextpci-vu-XXXXXX";
static char dextd_socket[64], first[64], second[64], config[64];
static pid_t dextd, server;

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && strcmp(value, "yes") == 0;
}

static void start_dextd(void)
{
	const char *const argv[] = { getenv("DEXTD"), "--socket", dextd_socket, "--device",
		"nvme,addr=01:00.0,size=1M", "--device", "nvme,addr=02:00.0,size=1M", NULL };

	unlink(dextd_socket);
	dextd = program_start(argv, NULL, NULL);
	assert_true(program_wait_listening(dextd_socket, 0));
}

static void kill_dextd(void)
{
	assert_int_equal(program_end(dextd, SIGKILL), 128 + SIGKILL);
	dextd = 0;
}

static void start_server(const char *option, const char *value)
{
	const char *const argv[] = { getenv("DEXT_VFIO_USER"), "--socket", first, option, value,
		NULL };

	server = program_start(argv, NULL, NULL);
	assert_true(program_wait_listening(first, 0));
}

static void write_config(const char *format, ...)
{
	FILE *file = fopen(config, "we");
	va_list arguments;

	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	assert_int_equal(fclose(file), 0);
}

static void start_two_servers(void)
{
	const char *const argv[] = { getenv("DEXT_VFIO_USER"), "--config", config, NULL };

	server = program_start(argv, NULL, NULL);
	assert_true(program_wait_listening(first, 0));
	assert_true(program_wait_listening(second, 0));
}

static int read_ids(struct vu_client *client, uint32_t *ids)
{
	return vu_client_read(client, VFIO_PCI_CONFIG_REGION_INDEX, 0, ids, 4);
}

static void expect_nvme(struct vu_client *client)
{
	uint32_t class = 0;

	assert_int_equal(vu_client_read(client, VFIO_PCI_CONFIG_REGION_INDEX, 8, &class, 4), 0);
	assert_int_equal(class >> 8, 0x010802);
}

static int setup(void **state)
{
	(void)state;
	server = dextd = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (server != 0)
		assert_int_equal(program_end(server, SIGTERM), 0);
	if (dextd != 0)
		assert_int_equal(program_end(dextd, SIGTERM), 0);
	return 0;
}

/* --- Descriptors from clients ------------------------------------------------------- */

/* Descriptors whose close() blocks for an hour. The server is stopped meanwhile. */
static void test_descriptors_that_linger_do_not_block(void **state)
{
	const struct vfio_user_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_USER_F_DMA_REGION_READ, .size = MEMORY
	};
	const struct vfio_user_header header = { .command = VFIO_USER_DMA_MAP,
		.size = sizeof(header) + sizeof(map),
		.flags = VFIO_USER_NO_REPLY };
	struct vu_client one, other;
	int readers[2], fds[2] = { lingering_socket(&readers[0]), lingering_socket(&readers[1]) };

	(void)state;
	start_server("--device", "nvme,addr=01:00.0,size=1M");
	assert_int_equal(vu_client_open(&one, first), 0);
	/* The server has the last reference before it has the whole message. */
	vu_client_try_send(&one, &header, 1, &fds[0], 1);
	close(fds[0]);
	vu_client_try_send(&one, (const char *)&header + 1, sizeof(header) - 1, NULL, 0);
	vu_client_try_send(&one, &map, sizeof(map), NULL, 0);
	expect_nvme(&one);
	/* The second one is in the middle of a message when the client disconnects. */
	vu_client_try_send(&one, "a", 1, &fds[1], 1);
	close(fds[1]);
	vu_client_close(&one);
	while (vu_client_open(&other, first) != 0)
		vu_client_close(&other);
	expect_nvme(&other);
	assert_int_equal(program_end(server, SIGTERM), 0);
	server = 0;
	vu_client_close(&other);
	close(readers[0]);
	close(readers[1]);
}

/* --- Many devices ----------------------------------------------------------------------- */

static void test_devices_of_a_file_are_independent(void **state)
{
	struct vu_client one, other;
	uint32_t ids;

	(void)state;
	write_config("# two\n\n--socket %s --device nvme,addr=01:00.0,size=1M # one\n"
		     "  --device 'nvme,addr=02:00.0,size=2M' --socket \"%s\" --bar-access calls\n",
		first, second);
	start_two_servers();
	assert_int_equal(vu_client_open(&one, first), 0);
	/* In the middle of a message. */
	vu_client_try_send(&one, "abc", 3, NULL, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vu_client_open(&other, second), 0);
		expect_nvme(&other);
		assert_int_equal(
			vu_client_call(&other, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL, 0),
			0);
		vu_client_close(&other);
	}
	vu_client_close(&one);
	assert_int_equal(vu_client_open(&one, first), 0);
	assert_int_equal(read_ids(&one, &ids), 0);
	vu_client_close(&one);
}

static void test_several_devices_of_a_driver_service(void **state)
{
	struct vu_client one, other;

	(void)state;
	start_dextd();
	write_config("--addr 01:00.0 --socket %s\n--addr 02:00.0 --socket %s", first, second);
	start_two_servers();
	assert_int_equal(vu_client_open(&one, first), 0);
	assert_int_equal(vu_client_open(&other, second), 0);
	expect_nvme(&one);
	expect_nvme(&other);
	vu_client_close(&one);
	vu_client_close(&other);
}

/* --- Restart of the driver service -------------------------------------------------------- */

/* A removed device reads as all ones. */
static void wait_until_it_responds(struct vu_client *client, bool wanted)
{
	uint32_t ids = wanted ? UINT32_MAX : 0;

	for (int i = 0; i < 400 && (ids != UINT32_MAX) != wanted; i++) {
		assert_int_equal(read_ids(client, &ids), 0);
		poll(NULL, 0, 50);
	}
	assert_int_equal(ids != UINT32_MAX, wanted);
}

static void test_a_restarted_driver_service_is_reconnected(void **state)
{
	uint16_t command = 6;
	struct vu_client client;
	int memory = memfd_create("guest", MFD_CLOEXEC);
	AppleDextStatus status;
	io_connect_t connection;

	(void)state;
	assert_int_equal(ftruncate(memory, MEMORY), 0);
	start_dextd();
	start_server("--addr", "01:00.0");
	assert_int_equal(vu_client_open(&client, first), 0);
	assert_int_equal(vu_client_map(&client, 0, MEMORY, memory), 0);
	assert_int_equal(vu_client_write(&client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, 2), 0);
	for (int i = 0; i < 2; i++) {
		kill_dextd();
		wait_until_it_responds(&client, false);
		start_dextd();
		wait_until_it_responds(&client, true);
	}
	connection = apple_dext_connect(1, 0, 0);
	assert_int_not_equal(connection, IO_OBJECT_NULL);
	assert_int_equal(apple_dext_get_status(connection, &status), kIOReturnSuccess);
	assert_true(status.claimed_exclusive);
	assert_int_equal(status.dma_regions, 1);
	assert_int_equal(status.dma_bytes, MEMORY);
	apple_dext_disconnect(connection);
	assert_int_equal(vu_client_read(&client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, 2), 0);
	assert_int_equal(command & 6, 6);
	vu_client_close(&client);
	close(memory);
}

static void test_a_removed_device_is_requested_from_the_vmm(void **state)
{
	struct vu_client client;
	int request = eventfd(0, EFD_CLOEXEC);
	struct pollfd ready = { .fd = request, .events = POLLIN };
	io_connect_t connection;
	uint32_t ids;

	(void)state;
	start_dextd();
	start_server("--addr", "01:00.0");
	assert_int_equal(vu_client_open(&client, first), 0);
	assert_int_equal(vu_client_event(&client, VFIO_PCI_REQ_IRQ_INDEX, 0, request), 0);
	connection = apple_dext_connect(1, 0, 0);
	assert_int_equal(apple_dext_remove_device(connection), kIOReturnSuccess);
	apple_dext_disconnect(connection);
	assert_int_equal(poll(&ready, 1, 20000), 1);
	assert_int_equal(read_ids(&client, &ids), 0);
	assert_int_equal(ids, UINT32_MAX);
	vu_client_close(&client);
	/* It is not served to the next client either; the server waits for its return. */
	assert_int_equal(vu_client_open(&client, first), ENODEV);
	vu_client_close(&client);
	close(request);
}

/* The server is killed with a client connected: the device is reset and free. */
static void test_a_killed_server_releases_its_device(void **state)
{
	uint16_t command = 6;
	struct vu_client client;
	int memory = memfd_create("guest", MFD_CLOEXEC);
	AppleDextStatus status = { .claims = 1 };
	io_connect_t connection;
	uint64_t value;

	(void)state;
	assert_int_equal(ftruncate(memory, MEMORY), 0);
	start_dextd();
	start_server("--addr", "01:00.0");
	assert_int_equal(vu_client_open(&client, first), 0);
	assert_int_equal(vu_client_map(&client, 0, MEMORY, memory), 0);
	assert_int_equal(vu_client_write(&client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, 2), 0);
	connection = apple_dext_connect(1, 0, 0);
	assert_int_equal(apple_dext_config_read(connection, 4, 2, &value), kIOReturnSuccess);
	assert_int_equal(value & 4, 4);
	assert_int_equal(program_end(server, SIGKILL), 128 + SIGKILL);
	server = 0;
	for (int i = 0; i < 2000 && (status.claims != 0 || status.dma_regions != 0); i++) {
		apple_dext_get_status(connection, &status);
		poll(NULL, 0, 5);
	}
	assert_int_equal(status.claims, 0);
	assert_int_equal(status.dma_regions, 0);
	assert_int_equal(apple_dext_config_read(connection, 4, 2, &value), kIOReturnSuccess);
	assert_int_equal(value & 4, 0);
	apple_dext_disconnect(connection);
	vu_client_close(&client);
	close(memory);
	/* Its socket is stale, and is replaced. */
	start_server("--addr", "01:00.0");
	assert_int_equal(vu_client_open(&client, first), 0);
	vu_client_close(&client);
}

/* --- Sandbox and systemd ------------------------------------------------------------------ */

static int status_of(const char *task, const char *key)
{
	char path[300], line[256];
	int value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)server, task);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = atoi(line + strlen(key));
	fclose(file);
	return value;
}

/* Every thread, also those of the driver, which existed before. */
static void test_the_sandbox_applies_to_every_thread(void **state)
{
	char path[64];
	struct dirent *entry;
	unsigned threads = 0;
	struct vu_client client;
	DIR *tasks;

	(void)state;
	if (!is_set("SANDBOX"))
		skip();
	start_server("--device", "nvme,addr=01:00.0,size=1M");
	assert_int_equal(vu_client_open(&client, first), 0);
	expect_nvme(&client);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)server);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(status_of(entry->d_name, "Seccomp:"), 2);
		assert_int_equal(status_of(entry->d_name, "NoNewPrivs:"), 1);
		threads++;
	}
	closedir(tasks);
	assert_true(threads >= 3);
	vu_client_close(&client);
}

/* start_notified - start a program as systemd does, and wait until it is ready */
static pid_t start_notified(const char *const *argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[256] = "";
	pid_t program;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	program = program_start(argv, NULL, NULL);
	unsetenv("NOTIFY_SOCKET");
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "READY=1"));
	close(fd);
	unlink(address.sun_path);
	return program;
}

/* Each is ready when clients can connect. */
static void test_systemd_is_notified_when_clients_can_connect(void **state)
{
	struct vu_client client;

	(void)state;
	if (!is_set("NOTIFY"))
		skip();
	dextd = start_notified((const char *const[]){ getenv("DEXTD"), "--socket", dextd_socket,
		"--device", "nvme,addr=01:00.0,size=1M", NULL });
	server = start_notified((const char *const[]){ getenv("DEXT_VFIO_USER"), "--socket", first,
		"--driver", dextd_socket, "--addr", "01:00.0", NULL });
	assert_int_equal(vu_client_open(&client, first), 0);
	vu_client_close(&client);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_descriptors_that_linger_do_not_block),
		ON(test_devices_of_a_file_are_independent),
		ON(test_several_devices_of_a_driver_service),
		ON(test_a_restarted_driver_service_is_reconnected),
		ON(test_a_removed_device_is_requested_from_the_vmm),
		ON(test_a_killed_server_releases_its_device),
		ON(test_the_sandbox_applies_to_every_thread),
		ON(test_systemd_is_notified_when_clients_can_connect),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(dextd_socket, sizeof(dextd_socket), "%s/d.sock", folder);
	snprintf(first, sizeof(first), "%s/1.sock", folder);
	snprintf(second, sizeof(second), "%s/2.sock", folder);
	snprintf(config, sizeof(config), "%s/config", folder);
	setenv("DEXT_SOCKET", dextd_socket, 1);
	failed = cmocka_run_group_tests_name("vfio-user server", tests, NULL, NULL);
	unlink(config);
	unlink(dextd_socket);
	rmdir(folder);
	return failed;
}
