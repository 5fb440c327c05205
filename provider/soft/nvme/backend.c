/* SPDX-License-Identifier: BSD-3-Clause */
/* What the namespace is kept in: an image file (or block device), or memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool parse_block(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error)
{
	uint64_t block;

	if (!spec_get_number(spec, "block", 512, 4096, 512, &block, error))
		return false;
	if (block != 512 && block != 4096)
		return spec_wrong(error, "nvme: block=%llu: a block has 512 or 4096 bytes",
			(unsigned long long)block);
	backend->block_shift = (unsigned)__builtin_ctzll(block);
	return true;
}

static bool parse_read_only(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error)
{
	const char *value = spec_get(spec, "readonly");

	if (value && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return spec_wrong(error, "nvme: readonly=%s: it is on or off", value);
	backend->read_only = value && strcmp(value, "on") == 0;
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

static bool open_image(struct nvme_backend *backend, const char *path, struct spec_error *error)
{
	/* Not to hang on a FIFO; for what is accepted it makes no difference. */
	int flags = (backend->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	off_t size;

	backend->fd = open(path, flags);
	if (backend->fd < 0)
		return spec_fail(error, "nvme: image %s: %s", path, strerror(errno));
	if (!is_image(backend->fd, path, error) ||
		!nvme_image_lock(backend->fd, path, backend->read_only, error))
		return false;
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
		error->is_wrong = true; /* other than the size of an image */
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
		return spec_wrong(error,
			"nvme: exactly one of image=FILE and size=SIZE is needed, %s",
			image ? "not both" : "there is neither");
	if (!parse_block(backend, spec, error) || !parse_read_only(backend, spec, error))
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

int nvme_backend_flush(const struct nvme_backend *backend)
{
	while (!backend->read_only && fdatasync(backend->fd) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int nvme_backend_write(
	const struct nvme_backend *backend, const void *data, size_t length, uint64_t offset)
{
	const uint8_t *from = data;

	while (length) {
		ssize_t count = pwrite(backend->fd, from, length, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		from += count;
		offset += (size_t)count;
		length -= (size_t)count;
	}
	return 0;
}
