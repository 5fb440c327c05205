/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/vfio-user-rig.h"
#include "vfio-user/platform.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

void expect_fds(size_t count)
{
	for (int i = 0; i < 20000 && count_fds() != count; i++)
		usleep(1000);
	assert_int_equal(count_fds(), count);
}

static void *run(void *argument)
{
	struct rig *rig = argument;

	vu_serve_client(rig->device, rig->session_fd, &rig->loop);
	vu_loop_close_client(rig->session_fd);
	assert_int_equal(write(rig->ended[1], "", 1), 1);
	return NULL;
}

void rig_open(struct rig *rig)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	rig->client.fd = ends[0];
	rig->session_fd = ends[1];
}

void rig_begin(struct rig *rig)
{
	rig->running = true;
	assert_int_equal(pthread_create(&rig->thread, NULL, run, rig), 0);
}

void rig_connect(struct rig *rig)
{
	rig_open(rig);
	rig_begin(rig);
}

void rig_wait_end(struct rig *rig)
{
	char byte;

	assert_true(rig->running);
	pthread_join(rig->thread, NULL);
	assert_int_equal(read(rig->ended[0], &byte, 1), 1);
	rig->running = false;
}

void rig_disconnect(struct rig *rig)
{
	vu_client_close(&rig->client);
	if (rig->running)
		rig_wait_end(rig);
}

static int setup(void **state, enum vu_bar_access access, void (*prepare)(void), bool agreed)
{
	struct vu_device_options options = { .bus = 1, .bar_access = access };
	char error[VU_ERROR_SIZE];
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	/* In a thread's own arena, free() opens a file of /proc for a moment, which would be counted. */
	mallopt(M_ARENA_MAX, 1);
	/* It keeps descriptors open until the process ends. */
	assert_int_equal(vu_platform_prepare_events(), 0);
	rig->fds_before = count_fds();
	rig->client.fd = -1;
	fake_client_begin();
	if (prepare)
		prepare();
	rig->device = vu_device_open(&options, error);
	assert_non_null(rig->device);
	assert_int_equal(pipe(rig->stop), 0);
	assert_int_equal(pipe(rig->ended), 0);
	rig->loop = (struct vu_loop){ .wait = vu_wait_create(),
		.stop_fd = rig->stop[0],
		.listen_fd = -1,
		.irq = rig->device->irq,
		.name = rig->device->name };
	assert_non_null(rig->loop.wait);
	*state = rig;
	if (agreed) {
		rig_connect(rig);
		rig_negotiate(rig);
	}
	return 0;
}

int rig_setup_with(void **state, enum vu_bar_access access, bool agreed)
{
	return setup(state, access, NULL, agreed);
}

int rig_setup(void **state)
{
	return setup(state, VU_BARS_MAPPED, NULL, false);
}

int rig_setup_negotiated(void **state)
{
	return setup(state, VU_BARS_MAPPED, NULL, true);
}

int rig_setup_calls(void **state)
{
	return setup(state, VU_BARS_CALLS, NULL, true);
}

int rig_setup_line(void **state)
{
	return setup(state, VU_BARS_MAPPED, fake_client_line_only, true);
}

/* Free everything, whatever state the test left. */
int rig_teardown(void **state)
{
	struct rig *rig = *state;
	struct fake_client *device;

	rig_disconnect(rig);
	vu_device_close(rig->device);
	device = fake_client_lock();
	assert_true(device->failure != kIOReturnSuccess || device->region_count == 0);
	assert_int_equal(device->connects, device->disconnects);
	assert_int_equal(device->mapped_bars, 0);
	assert_int_equal(device->descriptors_out, 0);
	fake_client_unlock();
	vu_wait_destroy(rig->loop.wait);
	close_all(rig->stop, 2);
	close_all(rig->ended, 2);
	fake_client_end();
	expect_fds(rig->fds_before);
	free(rig);
	return 0;
}

void rig_expect_closed(struct rig *rig)
{
	char byte;

	/* Closing a socket with unread data resets the connection. */
	assert_true(recv(rig->client.fd, &byte, 1, 0) == 0 || errno == ECONNRESET);
	rig_wait_end(rig);
}

void rig_negotiate(struct rig *rig)
{
	assert_int_equal(vu_client_negotiate(&rig->client), 0);
}

#ifdef VFIO_USER_POSIX
/* A pipe with both its ends in one descriptor. */
int event_new(void)
{
	char folder[] = "/tmp/test-vfio-user-XXXXXX", path[64];
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/event", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(path);
	rmdir(folder);
	return fd;
}

uint64_t event_fill(int fd)
{
	const uint64_t one = 1;
	uint64_t count = 0;

	while (write(fd, &one, sizeof(one)) == sizeof(one))
		count++;
	return count;
}
#else
int event_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

uint64_t event_fill(int fd)
{
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	return UINT64_MAX - 1;
}
#endif

void event_signal(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

/* One read clears an eventfd; a pipe has an entry for each signal. */
uint64_t event_read(int fd)
{
	uint64_t count, sum = 0;

	while (read(fd, &count, sizeof(count)) == sizeof(count))
		sum += count;
	return sum;
}

int memory_new(uint64_t size)
{
#ifdef VFIO_USER_POSIX
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/test-vfio-user-%d", (int)getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	shm_unlink(name);
#else
	int fd = memfd_create("guest", MFD_CLOEXEC);
#endif

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

void raise_vector(unsigned vector)
{
	fake_client_fire(vector);
	fake_client_wait_idle();
}

void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}
