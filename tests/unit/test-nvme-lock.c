/* SPDX-License-Identifier: BSD-3-Clause */
/* The locks on the NVMe device's image, with other programs that lock it. */
#include "tests/lib/nvme-model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Return: the device, or NULL when it was refused with an error that names the image. */
static struct soft_device *open_device(bool read_only)
{
	struct spec_error error = { .text = "" };
	char text[128];
	struct soft_device *device;

	snprintf(
		text, sizeof(text), "nvme,image=%s%s", host_image, read_only ? ",readonly=on" : "");
	device = fake_soft_create(&soft_nvme_model, text, &error);
	if (!device) {
		assert_non_null(strstr(error.text, host_image));
		assert_non_null(strstr(error.text, "in use"));
	}
	return device;
}

/*
 * The locks of QEMU on an image: a shared lock on byte 100 + N for each permission that it uses,
 * on 200 + N for each that it does not share; no other process may then lock the counterpart. The
 * disk of a guest shares reading (bit 0), but not writing (1) or resizing (3).
 */
struct qemu {
	int fd;
	unsigned used, not_shared;
};

static const struct qemu writer = { -1, 1u << 0 | 1u << 1, 1u << 1 | 1u << 3 };
static const struct qemu reader = { -1, 1u << 0, 1u << 1 | 1u << 3 };

static int byte_lock(int fd, int command, short type, off_t offset)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };

	if (fcntl(fd, command, &lock) < 0)
		return -1;
	return command == F_OFD_GETLK && lock.l_type != F_UNLCK ? -1 : 0;
}

static bool qemu_open(struct qemu *qemu)
{
	bool free = true;

	qemu->fd = open(host_image, O_RDWR);
	assert_true(qemu->fd >= 0);
	for (unsigned i = 0; i < 4; i++) {
		if (qemu->used & 1u << i)
			free &= byte_lock(qemu->fd, F_OFD_SETLK, F_RDLCK, 100 + i) == 0;
		if (qemu->not_shared & 1u << i)
			free &= byte_lock(qemu->fd, F_OFD_SETLK, F_RDLCK, 200 + i) == 0;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (qemu->used & 1u << i)
			free &= byte_lock(qemu->fd, F_OFD_GETLK, F_WRLCK, 200 + i) == 0;
		if (qemu->not_shared & 1u << i)
			free &= byte_lock(qemu->fd, F_OFD_GETLK, F_WRLCK, 100 + i) == 0;
	}
	return free;
}

static const struct {
	const struct qemu *qemu;
	bool read_only, both;
} pairs[] = {
	{ &writer, false, false },
	{ &writer, true, false },
	{ &reader, false, false },
	{ &reader, true, true },
};
#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static void test_qemu_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < PAIRS; i++) {
		struct qemu qemu = *pairs[i].qemu;
		struct soft_device *device;

		assert_true(qemu_open(&qemu));
		device = open_device(pairs[i].read_only);
		if (pairs[i].both != (device != NULL))
			fail_msg("pair %zu: opened: %d", i, device != NULL);
		if (device)
			fake_soft_destroy(device);
		close(qemu.fd);
		/* A refused device holds no lock. */
		device = open_device(false);
		assert_non_null(device);
		fake_soft_destroy(device);
	}
}

static void test_device_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < PAIRS; i++) {
		struct soft_device *device = open_device(pairs[i].read_only);
		struct qemu qemu = *pairs[i].qemu;
		bool opened;

		assert_non_null(device);
		opened = qemu_open(&qemu);
		if (pairs[i].both != opened)
			fail_msg("pair %zu: opened: %d", i, opened);
		close(qemu.fd);
		fake_soft_destroy(device);
		assert_true(qemu_open(&qemu));
		close(qemu.fd);
	}
}

/* Shared and exclusive locks on the whole file. */
static void test_whole_file(void **state)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct soft_device *device;
	int fd = open(host_image, O_RDWR);

	(void)state;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
	assert_null(open_device(false));
	close(fd);
	fd = open(host_image, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_null(open_device(false));
	assert_null(open_device(true));
	assert_int_equal(flock(fd, LOCK_UN), 0);
	device = open_device(false);
	assert_non_null(device);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), -1);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	fake_soft_destroy(device);
	close(fd);
}

static void test_devices(void **state)
{
	struct soft_device *first = open_device(true), *second = open_device(true);

	(void)state;
	assert_non_null(first);
	assert_non_null(second);
	assert_null(open_device(false));
	fake_soft_destroy(first);
	assert_null(open_device(false));
	fake_soft_destroy(second);
	first = open_device(false);
	assert_non_null(first);
	assert_null(open_device(false));
	assert_null(open_device(true));
	fake_soft_destroy(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qemu_first),
		cmocka_unit_test(test_device_first),
		cmocka_unit_test(test_whole_file),
		cmocka_unit_test(test_devices),
	};

	return cmocka_run_group_tests(tests, host_image_create, host_image_remove);
}
