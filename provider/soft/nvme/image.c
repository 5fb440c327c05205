/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that holds the namespace: an image, locked against other programs, or memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * Locks on an image. flock() excludes programs that lock with it, other devices of this
 * program included. The locks on single bytes (open file description locks) are those of
 * QEMU's "file" driver: a shared lock on byte PERMISSION + N is held by a user of
 * permission N, one on byte NOT_SHARED + N by one that does not share it. Each program takes
 * its own locks first and then tests for those of others, so that of two that start at the
 * same time at least one fails.
 */
#define PERMISSION 100
#define NOT_SHARED 200
enum { CONSISTENT_READ, WRITE, WRITE_UNCHANGED, RESIZE };

struct byte {
	off_t offset;
	bool if_writing; /* not for a write-protected device */
};

static const struct byte held[] = {
	{ PERMISSION + CONSISTENT_READ, false },
	{ PERMISSION + WRITE, true },
	{ NOT_SHARED + WRITE, false },
	{ NOT_SHARED + RESIZE, false },
};

/* Held by programs that use what this one does not share, or do not share what it uses. */
static const struct byte conflicting[] = {
	{ PERMISSION + WRITE, false },
	{ PERMISSION + RESIZE, false },
	{ NOT_SHARED + CONSISTENT_READ, false },
	{ NOT_SHARED + WRITE, true },
};

static bool take_bytes(int fd, bool read_only)
{
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		struct flock lock = { .l_type = F_RDLCK,
			.l_whence = SEEK_SET,
			.l_start = held[i].offset,
			.l_len = 1 };

		if (!(held[i].if_writing && read_only) && fcntl(fd, F_OFD_SETLK, &lock) < 0)
			return false;
	}
	return true;
}

static bool bytes_are_free(int fd, bool read_only)
{
	for (size_t i = 0; i < sizeof(conflicting) / sizeof(conflicting[0]); i++) {
		/* Locks of this open file description are not reported. */
		struct flock lock = { .l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = conflicting[i].offset,
			.l_len = 1 };

		if (conflicting[i].if_writing && read_only)
			continue;
		if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
			return false;
		if (lock.l_type != F_UNLCK) {
			errno = EAGAIN;
			return false;
		}
	}
	return true;
}

static bool lock_image(int fd, const char *path, bool read_only, struct spec_error *error)
{
	if (flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 &&
		take_bytes(fd, read_only) && bytes_are_free(fd, read_only))
		return true;
	if (errno == EAGAIN || errno == EACCES)
		return spec_fail(error,
			"nvme: image %s: in use by another device or program; only devices with "
			"readonly=on can share it",
			path);
	return spec_fail(error, "nvme: image %s: cannot be locked: %s", path, strerror(errno));
}

static bool parse_block(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error)
{
	uint64_t block;

	if (!spec_get_number(spec, "block", 512, 4096, 512, &block, error))
		return false;
	if (block != 512 && block != 4096)
		return spec_invalid(error, "nvme: block=%llu: a block has 512 or 4096 bytes",
			(unsigned long long)block);
	backend->block_shift = (unsigned)__builtin_ctzll(block);
	return true;
}

/* @what names it in messages: "image disk.img", "size". */
static bool set_size(struct nvme_backend *backend, uint64_t bytes, const char *what,
	const char *name, struct spec_error *error)
{
	uint64_t block = UINT64_C(1) << backend->block_shift;

	if (bytes < block)
		return spec_fail(error, "nvme: %s %s: %llu bytes are less than one block of %llu",
			what, name, (unsigned long long)bytes, (unsigned long long)block);
	if (bytes % block)
		return spec_fail(error,
			"nvme: %s %s: %llu bytes are not a multiple of the block size, %llu", what,
			name, (unsigned long long)bytes, (unsigned long long)block);
	if (bytes > INT64_MAX)
		return spec_fail(error, "nvme: %s %s: more than a file can hold", what, name);
	backend->blocks = bytes >> backend->block_shift;
	return true;
}

static bool is_image(int fd, const char *path, struct spec_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return spec_fail(error, "nvme: image %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
		return spec_fail(error, "nvme: image %s: neither a file nor a block device", path);
	return true;
}

/* Whether the file lies elsewhere than in memory. */
static bool has_medium(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status) < 0 ||
	       (status.f_type != TMPFS_MAGIC && status.f_type != RAMFS_MAGIC);
}

static bool open_image(struct nvme_backend *backend, const char *path, struct spec_error *error)
{
	/* Not to hang on a FIFO; for what is accepted it makes no difference. */
	int flags = (backend->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	off_t size;

	backend->fd = open(path, flags);
	if (backend->fd < 0)
		return spec_fail(error, "nvme: image %s: %s", path, strerror(errno));
	if (!is_image(backend->fd, path, error) ||
		!lock_image(backend->fd, path, backend->read_only, error))
		return false;
	backend->waits = has_medium(backend->fd);
	size = lseek(backend->fd, 0, SEEK_END);
	if (size < 0)
		return spec_fail(error, "nvme: image %s: %s", path, strerror(errno));
	return set_size(backend, (uint64_t)size, "image", path, error);
}

static bool open_memory(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error)
{
	uint64_t size;

	if (!spec_get_size(spec, "size", 0, &size, error))
		return false;
	if (!set_size(backend, size, "size", spec_get(spec, "size"), error)) {
		error->is_invalid =
			true; /* unlike the size of an image, it is in the specification */
		return false;
	}
	backend->fd = memfd_create("nvme", MFD_CLOEXEC);
	if (backend->fd < 0 || ftruncate(backend->fd, (off_t)size) < 0)
		return spec_fail(error, "nvme: size %s: no such memory: %s", spec_get(spec, "size"),
			strerror(errno));
	return true;
}

bool nvme_backend_open(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error)
{
	const char *image = spec_get(spec, "image");
	bool opened;

	*backend = (struct nvme_backend){ .fd = -1 };
	if (!image == !spec_get(spec, "size"))
		return spec_invalid(error,
			"nvme: exactly one of image=FILE and size=SIZE is needed, %s",
			image ? "not both" : "there is neither");
	if (!parse_block(backend, spec, error) ||
		!spec_get_switch(spec, "readonly", false, &backend->read_only, error))
		return false;
	opened = image ? open_image(backend, image, error) : open_memory(backend, spec, error);
	backend->name = strdup(image ? image : "in memory");
	if (opened && !backend->name)
		opened = spec_fail(error, "nvme: out of memory");
	if (!opened) {
		nvme_backend_close(backend);
		return false;
	}
	nvme_backend_probe(backend);
	return true;
}

void nvme_backend_close(struct nvme_backend *backend)
{
	if (backend->fd >= 0)
		close(backend->fd);
	backend->fd = -1;
	free(backend->name);
	backend->name = NULL;
}
