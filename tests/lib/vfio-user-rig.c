/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/vfio-user-rig.h"
#include "tests/lib/send-fds.h"
#include "vfio-user/platform.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

size_t count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

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
	rig->fd = ends[0];
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

void rig_hang_up(struct rig *rig)
{
	if (rig->fd >= 0)
		close(rig->fd);
	rig->fd = -1;
	if (rig->running)
		rig_wait_end(rig);
}

static int setup(void **state, enum vu_bar_access access, void (*prepare)(void), bool agreed)
{
	struct vu_device_options options = { .bus = 1, .bar_access = access };
	char error[VU_ERROR_SIZE];
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	/* Keeps descriptors for good. */
	assert_int_equal(vu_platform_prepare_events(), 0);
	rig->fds_before = count_fds();
	rig->fd = -1;
	fake_client_begin();
	if (prepare)
		prepare();
	rig->device = vu_device_open(&options, error);
	assert_non_null(rig->device);
	assert_int_equal(pipe(rig->stop), 0);
	assert_int_equal(pipe(rig->ended), 0);
	rig->loop = (struct vu_loop){ .stop_fd = rig->stop[0],
		.listen_fd = -1,
		.irq = rig->device->irq,
		.name = rig->device->name };
	*state = rig;
	if (agreed) {
		rig_connect(rig);
		rig_agree(rig);
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

int rig_setup_agreed(void **state)
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

/* Whatever the test did: nothing of it is left. */
int rig_teardown(void **state)
{
	struct rig *rig = *state;
	struct fake_client *device;

	rig_hang_up(rig);
	vu_device_close(rig->device);
	device = fake_client_lock();
	assert_true(device->failure != kIOReturnSuccess || device->region_count == 0);
	assert_int_equal(device->connects, device->disconnects);
	assert_int_equal(device->mapped_bars, 0);
	assert_int_equal(device->lent, 0);
	fake_client_unlock();
	close_all(rig->stop, 2);
	close_all(rig->ended, 2);
	fake_client_end();
	expect_fds(rig->fds_before);
	free(rig);
	return 0;
}

void rig_send_raw(struct rig *rig, const void *data, size_t size, const int *fds, size_t count)
{
	assert_true(send_fds(rig->fd, data, size, fds, count));
}

void rig_send(struct rig *rig, uint16_t command, uint32_t flags, const void *payload, size_t size,
	const int *fds, size_t count)
{
	struct vfio_user_header header = { .id = (uint16_t)(0x5500 + command),
		.command = command,
		.size = (uint32_t)(sizeof(header) + size),
		.flags = flags };
	unsigned char *whole = malloc(sizeof(header) + size);

	assert_non_null(whole);
	memcpy(whole, &header, sizeof(header));
	if (size > 0)
		memcpy(whole + sizeof(header), payload, size);
	rig_send_raw(rig, whole, sizeof(header) + size, fds, count);
	free(whole);
}

static bool receive_all(int fd, void *data, size_t size)
{
	return size == 0 || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

bool rig_receive(struct rig *rig, struct reply *reply)
{
	if (!receive_all(rig->fd, &reply->header, sizeof(reply->header)))
		return false;
	assert_int_equal(reply->header.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
	reply->size = reply->header.size - sizeof(reply->header);
	assert_true(reply->size <= sizeof(reply->payload));
	assert_true(receive_all(rig->fd, reply->payload, reply->size));
	return true;
}

int rig_call(struct rig *rig, uint16_t command, const void *payload, size_t size, const int *fds,
	size_t count, struct reply *reply)
{
	struct reply *own = reply ? reply : malloc(sizeof(*own));
	int error;

	assert_non_null(own);
	rig_send(rig, command, VFIO_USER_TYPE_COMMAND, payload, size, fds, count);
	assert_true(rig_receive(rig, own));
	assert_int_equal(own->header.command, command);
	assert_int_equal(own->header.id, (uint16_t)(0x5500 + command));
	error = (int)own->header.error;
	assert_int_equal((own->header.flags & VFIO_USER_ERROR) != 0, error != 0);
	if (error != 0)
		assert_int_equal(own->size, 0);
	if (!reply)
		free(own);
	return error;
}

void rig_expect_closed(struct rig *rig)
{
	char byte;

	/* Closing it unread is a reset. */
	assert_true(recv(rig->fd, &byte, 1, 0) == 0 || errno == ECONNRESET);
	rig_wait_end(rig);
}

void rig_agree(struct rig *rig)
{
	static const char proposal[] = "\0\0\1\0{\"capabilities\":{\"max_msg_fds\":16,"
				       "\"write_multiple\":true}}";

	assert_int_equal(
		rig_call(rig, VFIO_USER_VERSION, proposal, sizeof(proposal), NULL, 0, NULL), 0);
}

int rig_read(struct rig *rig, uint32_t region, uint64_t offset, void *data, uint32_t count)
{
	struct vfio_user_region_access access = {
		.offset = offset, .region = region, .count = count
	};
	struct reply *reply = malloc(sizeof(*reply));
	int error;

	assert_non_null(reply);
	error = rig_call(rig, VFIO_USER_REGION_READ, &access, sizeof(access), NULL, 0, reply);
	if (error == 0) {
		assert_int_equal(reply->size, sizeof(access) + count);
		assert_memory_equal(reply->payload, &access, sizeof(access));
		if (count > 0)
			memcpy(data, reply->payload + sizeof(access), count);
	}
	free(reply);
	return error;
}

int rig_write(struct rig *rig, uint32_t region, uint64_t offset, const void *data, uint32_t count)
{
	struct {
		struct vfio_user_region_access access;
		unsigned char data[64];
	} request = { .access = { .offset = offset, .region = region, .count = count } };
	struct reply *reply = malloc(sizeof(*reply));
	int error;

	assert_non_null(reply);
	assert_true(count <= sizeof(request.data));
	memcpy(request.data, data, count);
	error = rig_call(rig, VFIO_USER_REGION_WRITE, &request, sizeof(request.access) + count,
		NULL, 0, reply);
	if (error == 0) {
		assert_int_equal(reply->size, sizeof(request.access));
		assert_memory_equal(reply->payload, &request.access, sizeof(request.access));
	}
	free(reply);
	return error;
}

uint32_t rig_config(struct rig *rig, uint64_t offset, uint32_t width)
{
	uint8_t bytes[4] = { 0 };

	assert_int_equal(rig_read(rig, VFIO_PCI_CONFIG_REGION_INDEX, offset, bytes, width), 0);
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

void rig_set_config(struct rig *rig, uint64_t offset, uint32_t width, uint32_t value)
{
	uint8_t bytes[4];

	for (size_t i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	assert_int_equal(rig_write(rig, VFIO_PCI_CONFIG_REGION_INDEX, offset, bytes, width), 0);
}

int rig_set_irqs(struct rig *rig, uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
	const int *fds, size_t fd_count)
{
	struct vfio_user_irq_set set = {
		.argsz = sizeof(set), .flags = flags, .index = index, .start = start, .count = count
	};

	return rig_call(rig, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), fds, fd_count, NULL);
}

int rig_set_bools(struct rig *rig, uint32_t index, uint32_t action, uint32_t start, uint32_t count,
	const void *bools, size_t bool_count)
{
	struct {
		struct vfio_user_irq_set set;
		unsigned char bools[64];
	} request = { .set = { .argsz = (uint32_t)(sizeof(request.set) + bool_count),
			      .flags = VFIO_IRQ_SET_DATA_BOOL | action,
			      .index = index,
			      .start = start,
			      .count = count } };

	memcpy(request.bools, bools, bool_count);
	return rig_call(rig, VFIO_USER_DEVICE_SET_IRQS, &request, sizeof(request.set) + bool_count,
		NULL, 0, NULL);
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

/* One read empties an eventfd; a pipe has an entry for each signal. */
uint64_t event_take(int fd)
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
