/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/session-rig.h"

#include "tests/lib/cmocka-all.h"
#include "tests/lib/lingering.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* --- A driver ----------------------------------------------------------------------- */

struct user {
	struct iouser_peer *peer;
	struct iouser_completion *kept;
};

static kern_return_t new_user(void *driver, uint32_t type, struct iouser_peer *peer, void **client)
{
	struct user *user = calloc(1, sizeof(*user));

	(void)driver, (void)type;
	user->peer = peer;
	*client = user;
	return kIOReturnSuccess;
}

static kern_return_t keep(struct user *user, struct iouser_arguments *arguments)
{
	if (!arguments->completion)
		return kIOReturnBadArgument;
	iouser_completion_release(user->kept);
	user->kept = iouser_completion_retain(arguments->completion);
	iouser_async_completion_repeated(user->kept, kIOReturnSuccess, NULL, 0);
	arguments->scalar_output[0] = iouser_completion_repeats(user->kept);
	arguments->scalar_output_count = 1;
	return kIOReturnSuccess;
}

/* The number of segments of the memory that the client names. */
static kern_return_t count_segments(struct user *user, struct iouser_arguments *arguments)
{
	struct iouser_task_memory *memory;
	kern_return_t status = iouser_copy_task_memory(
		user->peer, arguments->scalar_input[0], arguments->scalar_input[1], &memory);

	if (status != kIOReturnSuccess)
		return status;
	arguments->scalar_output[0] = iouser_task_memory_count(memory);
	arguments->scalar_output_count = 1;
	iouser_task_memory_release(memory);
	return kIOReturnSuccess;
}

/* Map a page of each descriptor of the call. The status is that of the last. */
static kern_return_t map_files(struct user *user, struct iouser_arguments *arguments)
{
	kern_return_t status = kIOReturnNotFound;

	for (size_t i = 0; i < arguments->descriptor_count; i++) {
		struct iouser_task_memory *memory;

		status = iouser_copy_file_memory(
			user->peer, arguments->descriptors[i], 0, PAGE, true, &memory);
		if (status == kIOReturnSuccess)
			iouser_task_memory_release(memory);
	}
	return status;
}

static kern_return_t method(void *client, struct iouser_arguments *arguments)
{
	switch (arguments->selector) {
	case SELECT_KEEP:
		return keep(client, arguments);
	case SELECT_MEMORY:
		return count_segments(client, arguments);
	case SELECT_FILE:
		return map_files(client, arguments);
	case SELECT_TOO_MUCH:
		arguments->structure_output_size = arguments->structure_output_room + 1;
		return kIOReturnSuccess;
	default:
		return kIOReturnSuccess; /* without an output */
	}
}

static kern_return_t no_memory(void *client, uint32_t type, struct iouser_memory *memory)
{
	(void)client, (void)type, (void)memory;
	return kIOReturnUnsupported;
}

static void unmapped(void *client, uint32_t type)
{
	(void)client, (void)type;
}

static void closed(void *client)
{
	struct user *user = client;

	iouser_completion_release(user->kept);
	free(user);
}

static const struct iouser_class driver_class = {
	.new_user_client = new_user,
	.external_method = method,
	.copy_client_memory = no_memory,
	.client_unmapped = unmapped,
	.client_closed = closed,
};

/* --- The server --------------------------------------------------------------------- */

/* The peers of the lingering sockets. */
#define READERS_MAX 8
static int readers[READERS_MAX];
static unsigned reader_count;

static char folder[64], path[96];
static struct iouser_service *service;
static struct iouser_server *server;
static pthread_t server_thread;
static bool running;

static void *run(void *argument)
{
	iouser_server_run(argument);
	return NULL;
}

int session_setup(void **state)
{
	struct iouser_server_options options = {
		.path = path, .group = (gid_t)-1, .connections_max = 4
	};
	char error[256];

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test-session-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	service = iouser_service_publish("Hostile", &driver_class, NULL, NULL);
	assert_non_null(service);
	server = iouser_server_create(&options, error, sizeof(error));
	assert_non_null(server);
	assert_int_equal(pthread_create(&server_thread, NULL, run, server), 0);
	running = true;
	/* The threads that it creates inherit the name at first. */
	pthread_setname_np(server_thread, "server");
	return 0;
}

/* Stopping and destroying wait for the sessions' threads: a test whose server is blocked does not end. */
void session_stop_server(void)
{
	if (!running)
		return;
	iouser_server_stop(server);
	pthread_join(server_thread, NULL);
	running = false;
}

void session_destroy_server(void)
{
	if (server)
		iouser_server_destroy(server);
	server = NULL;
}

int session_teardown(void **state)
{
	(void)state;
	session_stop_server();
	session_destroy_server();
	iouser_service_release(service);
	rmdir(folder);
	while (reader_count)
		close(readers[--reader_count]);
	return 0;
}

/*
 * The server is held while a client sends a descriptor and closes its own: then the server has the
 * last reference. Its threads get a signal, and block in the handler until they are released.
 */
static int gate[2];
static atomic_uint held_count;
static atomic_int held[16]; /* the threads that are held */

static void wait_for_release(int signal)
{
	char byte;

	(void)signal;
	atomic_store(&held[atomic_fetch_add(&held_count, 1) % 16], gettid());
	(void)!read(gate[0], &byte, 1);
}

/* Whether a thread belongs to the server, other than those that only close. */
static bool is_of_server(pid_t thread)
{
	char name[64], line[64] = "";
	FILE *comm;

	snprintf(name, sizeof(name), "/proc/self/task/%d/comm", (int)thread);
	comm = fopen(name, "re");
	if (!comm)
		return false;
	if (!fgets(line, sizeof(line), comm))
		line[0] = '\0';
	fclose(comm);
	return strcmp(line, "server\n") == 0 || strcmp(line, "client\n") == 0;
}

static bool is_held(pid_t thread)
{
	for (size_t i = 0; i < 16; i++)
		if (atomic_load(&held[i]) == thread)
			return true;
	return false;
}

void session_hold_server(void)
{
	struct sigaction action = { .sa_handler = wait_for_release, .sa_flags = SA_RESTART };
	struct dirent *task;
	DIR *tasks;

#ifdef __SANITIZE_THREAD__
	skip(); /* it defers the signal until the thread's system call returns */
#endif
	tasks = opendir("/proc/self/task");
	assert_non_null(tasks);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	atomic_store(&held_count, 0);
	for (size_t i = 0; i < 16; i++)
		atomic_store(&held[i], 0);
	while ((task = readdir(tasks))) {
		pid_t thread = atoi(task->d_name);

		if (!is_of_server(thread))
			continue;
		syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
		while (!is_held(thread) && is_of_server(thread)) /* it may be exiting */
			usleep(100);
	}
	closedir(tasks);
}

void session_release_server(void)
{
	close(gate[1]); /* end of file for all threads */
}

/* --- A client ----------------------------------------------------------------------- */

int session_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int send_hello(int fd, uint16_t minor, const int *fds, size_t count)
{
	struct iou_hello hello = { .header = { .type = IOU_HELLO },
		.magic = IOU_MAGIC,
		.major = IOU_VERSION_MAJOR,
		.minor = minor };

	return iou_send(fd, &hello, sizeof(hello), fds, count, -1);
}

int session_send_hello(int fd, const int *fds, size_t count)
{
	return send_hello(fd, 0, fds, count);
}

kern_return_t session_receive_status(int fd, union iou_buffer *reply)
{
	struct iou_fds fds;

	assert_true(iou_receive(fd, reply, &fds, -1) > 0);
	iou_fds_close(&fds);
	assert_true(reply->header.type & IOU_REPLY);
	return reply->header.status;
}

/* Whether the server has ended the session; earlier messages are skipped. */
bool session_ended(int fd)
{
	union iou_buffer reply;
	struct iou_fds fds;
	int size;

	while ((size = iou_receive(fd, &reply, &fds, -1)) > 0)
		iou_fds_close(&fds);
	return size == 0 || size == -ECONNRESET;
}

/* The only published service. */
static uint64_t find_entry(int fd)
{
	struct iou_header list = { .type = IOU_LIST };
	union iou_buffer reply;
	struct iou_fds fds;
	uint64_t entry;

	assert_int_equal(iou_send(fd, &list, sizeof(list), NULL, 0, -1), 0);
	assert_true(iou_receive(fd, &reply, &fds, -1) > 0);
	assert_int_equal(reply.header.type, IOU_ENTRY);
	entry = reply.entry.entry_id;
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	return entry;
}

int session_open(void)
{
	return session_open_version(0);
}

int session_open_version(uint16_t minor)
{
	struct iou_open open = { .header = { .type = IOU_OPEN } };
	union iou_buffer reply;
	int fd = session_connect();

	assert_int_equal(send_hello(fd, minor, NULL, 0), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	open.entry_id = find_entry(fd);
	assert_int_equal(iou_send(fd, &open, sizeof(open), NULL, 0, -1), 0);
	assert_int_equal(session_receive_status(fd, &reply), kIOReturnSuccess);
	return fd;
}

int session_send_call(int fd, uint32_t selector, const uint64_t *scalars, uint32_t count,
	const int *fds, size_t fd_count)
{
	union iou_buffer message = { .call = {
					     .header = { .type = IOU_CALL, .id = 7 },
					     .selector = selector,
					     .flags = selector == SELECT_KEEP ? IOU_CALL_ASYNC : 0,
					     .scalar_input_count = count,
					     .scalar_output_room = IOUSER_SCALARS_MAX,
					     .structure_output_room = IOUSER_STRUCT_MAX,
				     } };

	if (count)
		memcpy(message.bytes + sizeof(message.call), scalars, count * sizeof(*scalars));
	return iou_send(
		fd, &message, sizeof(message.call) + count * sizeof(*scalars), fds, fd_count, -1);
}

kern_return_t session_call_with_port(int fd, int port)
{
	union iou_buffer reply;

	assert_int_equal(session_send_call(fd, SELECT_KEEP, NULL, 0, &port, 1), 0);
	return session_receive_status(fd, &reply);
}

int session_lingering_socket(void)
{
	assert_true(reader_count < READERS_MAX);
	return lingering_socket(&readers[reader_count++]);
}
