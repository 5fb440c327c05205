/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients that implement the runtime's protocol themselves, with a server in this process. close()
 * of a descriptor that they send would block for an hour: the server continues, and can be
 * destroyed, only if it does not wait for it.
 */
#include "common/fd-dispose.h"
#include "iokit/wire.h"
#include "tests/lib/cmocka-all.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define LINGER_SECONDS 3600
#define PAGE	       UINT64_C(4096)

/* --- A driver ----------------------------------------------------------------------- */

enum { SELECT_NOTHING, SELECT_KEEP, SELECT_MEMORY, SELECT_TOO_MUCH, SELECT_FILE };

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
	arguments->scalar_output[0] = memory->count;
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

static void *run(void *argument)
{
	iouser_server_run(argument);
	return NULL;
}

static int setup(void **state)
{
	struct iouser_server_options options = {
		.path = path, .group = (gid_t)-1, .connections_max = 4
	};
	char error[256];

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/test-hostile-session-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	service = iouser_service_publish("Hostile", &driver_class, NULL);
	assert_non_null(service);
	server = iouser_server_create_with(&options, error, sizeof(error));
	assert_non_null(server);
	assert_int_equal(pthread_create(&server_thread, NULL, run, server), 0);
	/* The threads that it creates inherit the name at first. */
	pthread_setname_np(server_thread, "server");
	return 0;
}

/* Both wait for the sessions' threads: a test whose server is blocked does not end. */
static int teardown(void **state)
{
	(void)state;
	if (server) {
		iouser_server_stop(server);
		pthread_join(server_thread, NULL);
		iouser_server_destroy(server);
		server = NULL;
	}
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

static void hold_server(void)
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

static void release_server(void)
{
	close(gate[1]); /* end of file for all threads */
}

/* --- A client ----------------------------------------------------------------------- */

static int connect_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int send_hello(int fd, const int *fds, size_t count)
{
	struct iou_hello hello = {
		.header = { .type = IOU_HELLO }, .magic = IOU_MAGIC, .major = IOU_VERSION_MAJOR
	};

	return iou_send(fd, &hello, sizeof(hello), fds, count, -1);
}

static kern_return_t receive_status(int fd, union iou_buffer *reply)
{
	struct iou_fds fds;

	assert_true(iou_receive(fd, reply, &fds, -1) > 0);
	iou_fds_close(&fds);
	assert_true(reply->header.type & IOU_REPLY);
	return reply->header.status;
}

/* Whether the server has ended the session; earlier messages are skipped. */
static bool session_ended(int fd)
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
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	return entry;
}

static int open_session(void)
{
	struct iou_open open = { .header = { .type = IOU_OPEN } };
	union iou_buffer reply;
	int fd = connect_socket();

	assert_int_equal(send_hello(fd, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	open.entry_id = find_entry(fd);
	assert_int_equal(iou_send(fd, &open, sizeof(open), NULL, 0, -1), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	return fd;
}

static int send_call(int fd, uint32_t selector, const uint64_t *scalars, uint32_t count,
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

static kern_return_t call_with_port(int fd, int port)
{
	union iou_buffer reply;

	assert_int_equal(send_call(fd, SELECT_KEEP, NULL, 0, &port, 1), 0);
	return receive_status(fd, &reply);
}

/* A connected TCP socket with data that its peer does not read; it exists until teardown(). */
static int lingering_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_SECONDS };
	static const char data[65536];
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(listener >= 0 && fd >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(reader_count < READERS_MAX);
	readers[reader_count] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(readers[reader_count++] >= 0);
	close(listener);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

/* --- Descriptors whose close() blocks ----------------------------------------------- */

/* They are in flight when the client closes its own, so that the server has the last reference. */
static void test_a_port_that_lingers(void **state)
{
	int fd = open_session(), port = lingering_socket();
	union iou_buffer reply;

	(void)state;
	hold_server();
	assert_int_equal(send_call(fd, SELECT_KEEP, NULL, 0, &port, 1), 0);
	close(port);
	release_server();
	assert_int_equal(receive_status(fd, &reply), kIOReturnBadArgument);
	/* The session continues. */
	assert_int_equal(send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	close(fd);
}

/* A valid port with such a socket in its queue; closed with the session. */
static void test_a_port_with_such_a_socket_in_its_queue(void **state)
{
	struct iou_header header = { .type = IOU_EVENT };
	int fd = open_session(), ends[2], queued = lingering_socket();
	union iou_buffer reply;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(iou_send(ends[0], &header, sizeof(header), &queued, 1, -1), 0);
	close(queued);
	hold_server();
	assert_int_equal(send_call(fd, SELECT_KEEP, NULL, 0, &ends[1], 1), 0);
	close(ends[1]);
	release_server();
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	close(ends[0]);
	/* Another port replaces it. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(call_with_port(fd, ends[1]), kIOReturnSuccess);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* One that is given to the driver, among others that are memory. */
static void test_an_argument_that_lingers(void **state)
{
	int fd = open_session(), fds[IOUSER_DESCRIPTORS_MAX + 1];
	int memory = memfd_create("test", MFD_CLOEXEC);
	union iou_buffer reply;

	(void)state;
	assert_int_equal(ftruncate(memory, PAGE), 0);
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		fds[i] = memory;
	assert_int_equal(send_call(fd, SELECT_FILE, NULL, 0, fds, IOUSER_DESCRIPTORS_MAX), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	assert_int_equal(send_call(fd, SELECT_FILE, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnNotFound);
	fds[IOUSER_DESCRIPTORS_MAX - 1] = lingering_socket();
	hold_server();
	assert_int_equal(send_call(fd, SELECT_FILE, NULL, 0, fds, IOUSER_DESCRIPTORS_MAX), 0);
	close(fds[IOUSER_DESCRIPTORS_MAX - 1]);
	release_server();
	assert_int_equal(receive_status(fd, &reply), kIOReturnBadArgument);
	/* A selector that takes none ignores them. */
	assert_int_equal(send_call(fd, SELECT_NOTHING, NULL, 0, &memory, 1), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	/* One too many. */
	fds[IOUSER_DESCRIPTORS_MAX - 1] = memory;
	assert_int_equal(send_call(fd, SELECT_FILE, NULL, 0, fds, IOUSER_DESCRIPTORS_MAX + 1), 0);
	assert_true(session_ended(fd));
	close(memory);
	close(fd);
}

static void test_descriptors_where_none_are_allowed(void **state)
{
	int fd = connect_socket(), fds[2];

	(void)state;
	fds[0] = lingering_socket();
	fds[1] = lingering_socket();
	hold_server();
	assert_int_equal(send_hello(fd, fds, 2), 0);
	close(fds[0]);
	close(fds[1]);
	release_server();
	assert_true(session_ended(fd));
	close(fd);
}

/*
 * More descriptors than a message may have: the kernel must not close the excess ones on the
 * session's thread.
 */
static void test_more_descriptors_than_a_message_may_have(void **state)
{
	struct iou_hello hello = { .header = { .type = IOU_HELLO, .size = sizeof(hello) } };
	struct iovec iov = { &hello, sizeof(hello) };
	enum { SENT = 100 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * SENT)];
	} control = { .space = { 0 } };
	struct msghdr message = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = connect_socket(), fds[SENT];

	(void)state;
	for (size_t i = 0; i < SENT - 1; i++)
		fds[i] = fd;
	fds[SENT - 1] = lingering_socket();
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(header), fds, sizeof(fds));
	hold_server();
	assert_int_equal(sendmsg(fd, &message, 0), sizeof(hello));
	close(fds[SENT - 1]);
	release_server();
	assert_true(session_ended(fd));
	close(fd);
}

/* A session in WATCH ends when the client sends another message, without receiving it. */
static void test_descriptors_that_are_never_received(void **state)
{
	struct iou_header watch = { .type = IOU_WATCH };
	int fd = connect_socket(), sent = lingering_socket();
	union iou_buffer reply;

	(void)state;
	assert_int_equal(send_hello(fd, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	assert_int_equal(iou_send(fd, &watch, sizeof(watch), NULL, 0, -1), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	hold_server();
	assert_int_equal(send_hello(fd, &sent, 1), 0);
	close(sent);
	release_server();
	assert_true(session_ended(fd));
	close(fd);
}

/* The same for a connection that is not accepted before the server ends. */
static void test_descriptors_of_a_connection_that_is_not_accepted(void **state)
{
	int fd, sent = lingering_socket();

	(void)state;
	iouser_server_stop(server);
	pthread_join(server_thread, NULL);
	fd = connect_socket();
	assert_int_equal(send_hello(fd, &sent, 1), 0);
	close(sent);
	iouser_server_destroy(server);
	assert_true(session_ended(fd));
	close(fd);
	server = NULL;
}

static void test_peers_that_are_refused(void **state)
{
	int served[4], refused, sent = lingering_socket();
	union iou_buffer reply;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		served[i] = open_session();
	refused = connect_socket();
	hold_server();
	assert_int_equal(send_hello(refused, &sent, 1), 0);
	close(sent);
	release_server();
	/* No reply: receiving its message would receive the descriptor. */
	assert_true(session_ended(refused));
	close(refused);
	refused = connect_socket();
	assert_int_equal(send_hello(refused, NULL, 0), 0);
	assert_int_equal(receive_status(refused, &reply), kIOReturnNoResources);
	close(refused);
	for (size_t i = 0; i < 4; i++)
		close(served[i]);
}

/* --- Descriptors that exceed the limit ------------------------------------------------ */

static void test_descriptors_that_are_lost(void **state)
{
	int fd = open_session(), ends[2], filler[4096];
	struct rlimit limit, low;
	union iou_buffer reply;
	size_t count = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){ .rlim_cur = 1024, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while (count < 4096 && (filler[count] = dup(ends[0])) >= 0)
		count++;
	assert_int_equal(call_with_port(fd, ends[1]), kIOReturnNoResources);
	while (count)
		close(filler[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(call_with_port(fd, ends[1]), kIOReturnSuccess);
	assert_int_equal(send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

/* --- Outputs of a call -------------------------------------------------------------- */

static void test_a_selector_without_output(void **state)
{
	int fd = open_session();
	union iou_buffer reply;

	(void)state;
	assert_int_equal(send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	assert_int_equal(reply.header.size, sizeof(reply.call_reply));
	assert_int_equal(reply.call_reply.scalar_output_count, 0);
	assert_int_equal(reply.call_reply.structure_output_size, 0);
	assert_int_equal(send_call(fd, SELECT_TOO_MUCH, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnInternalError);
	close(fd);
}

/* --- Memory -------------------------------------------------------------------------- */

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

	assert_int_equal(send_call(fd, SELECT_MEMORY, scalars, 2, NULL, 0), 0);
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
	int fd = open_session();
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
	int fd = open_session(), file = memory_file(64 * PAGE);
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
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	/* Private and writable, private and read-only, pages 5 to 8 of the file, pages from 40. */
	assert_int_equal(*(uint64_t *)(void *)(reply.bytes + sizeof(reply.call_reply)), 4);
	close(file);
	close(fd);
}

/* After a call that fails in its first reply, the session skips the replies that follow. */
static void test_replies_after_one_that_is_invalid(void **state)
{
	int fd = open_session(), file = memory_file(PAGE);
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
	assert_int_equal(receive_status(fd, &reply), kIOReturnBadArgument);
	assert_int_equal(send_call(fd, SELECT_NOTHING, NULL, 0, NULL, 0), 0);
	assert_int_equal(receive_status(fd, &reply), kIOReturnSuccess);
	close(file);
	close(fd);
}

/* A file of a file system that may not answer: procfs represents FUSE and NFS here. */
static void test_files_that_may_stall(void **state)
{
	int fd = open_session(), file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	union iou_buffer reply;
	struct answer answer;
	uint32_t id = ask(fd, PAGE, PAGE);

	(void)state;
	begin_answer(&answer, id, false);
	answer.fds[answer.fd_count++] = file;
	add_range(&answer, PAGE, PAGE, 0, 0, false);
	assert_int_equal(send_answer(fd, &answer), 0);
	close(file);
	assert_int_equal(receive_status(fd, &reply), kIOReturnNotPermitted);
	close(fd);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_a_port_that_lingers),
		EACH(test_a_port_with_such_a_socket_in_its_queue),
		EACH(test_an_argument_that_lingers),
		EACH(test_descriptors_where_none_are_allowed),
		EACH(test_more_descriptors_than_a_message_may_have),
		EACH(test_descriptors_that_are_never_received),
		EACH(test_descriptors_of_a_connection_that_is_not_accepted),
		EACH(test_peers_that_are_refused),
		EACH(test_descriptors_that_are_lost),
		EACH(test_a_selector_without_output),
		EACH(test_ranges_smaller_than_pages),
		EACH(test_adjacent_ranges_are_one_segment),
		EACH(test_replies_after_one_that_is_invalid),
		EACH(test_files_that_may_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
