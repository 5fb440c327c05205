/* SPDX-License-Identifier: BSD-3-Clause */
/* What the namespace is kept in: an image file (or block device), or memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate(), memfd_create() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much is zeroed before a reset is looked for again: without writing, and by writing. */
#define ZERO_PIECE  (UINT64_C(32) << 20)
#define WRITE_PIECE NVME_SCRATCH

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)

static bool parse_block(struct nvme_backend *backend, const struct device_spec *spec,
	struct spec_error *error)
{
	uint64_t block;

	if (!spec_get_number(spec, "block", 512, 4096, 512, &block, error))
		return false;
	if (block != 512 && block != 4096)
		return spec_fail(error, "nvme: block=%llu: a block has 512 or 4096 bytes",
			(unsigned long long)block);
	backend->block_shift = (unsigned)__builtin_ctzll(block);
	return true;
}

static bool parse_read_only(struct nvme_backend *backend, const struct device_spec *spec,
	struct spec_error *error)
{
	const char *value = spec_get(spec, "readonly");

	if (value && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return spec_fail(error, "nvme: readonly=%s: it is on or off", value);
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

static bool open_memory(struct nvme_backend *backend, const struct device_spec *spec,
	struct spec_error *error)
{
	uint64_t size;

	if (!spec_get_size(spec, "size", 0, &size, error) ||
		!set_size(backend, size, "size", spec_get(spec, "size"), error))
		return false;
	backend->fd = memfd_create("nvme", MFD_CLOEXEC);
	if (backend->fd < 0 || ftruncate(backend->fd, (off_t)size) < 0)
		return spec_fail(error, "nvme: size %s: no such memory: %s",
			spec_get(spec, "size"), strerror(errno));
	return true;
}

/* Behind the end of a file there is nothing to lose: a safe place to try. */
static bool supports(const struct nvme_backend *backend, int mode)
{
	uint64_t end = backend->blocks << backend->block_shift;

	return !backend->read_only && fallocate(backend->fd, mode, (off_t)end, 4096) == 0;
}

bool nvme_backend_open(struct nvme_backend *backend, const struct device_spec *spec,
	struct spec_error *error)
{
	const char *image = spec_get(spec, "image");
	bool opened;

	*backend = (struct nvme_backend){ .fd = -1 };
	if (!image == !spec_get(spec, "size"))
		return spec_fail(error,
			"nvme: exactly one of image=FILE and size=SIZE is needed, %s",
			image ? "not both" : "there is neither");
	if (!parse_block(backend, spec, error) || !parse_read_only(backend, spec, error))
		return false;
	opened = image ? open_image(backend, image, error) : open_memory(backend, spec, error);
	if (!opened) {
		nvme_backend_close(backend);
		return false;
	}
	backend->punches = supports(backend, PUNCH);
	backend->zeroes = supports(backend, ZERO);
	return true;
}

void nvme_backend_close(struct nvme_backend *backend)
{
	if (backend->fd >= 0)
		close(backend->fd);
	backend->fd = -1;
}

int nvme_backend_flush(const struct nvme_backend *backend)
{
	if (backend->read_only || fdatasync(backend->fd) == 0)
		return 0;
	return -errno;
}

static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	while (fallocate(fd, mode, (off_t)offset, (off_t)length) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int write_zeroes(int fd, const uint8_t *zeroes, uint64_t offset, uint64_t length)
{
	while (length) {
		ssize_t count = pwrite(fd, zeroes, length, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		offset += (size_t)count;
		length -= (size_t)count;
	}
	return 0;
}

/* How to zero: a fallocate() mode, or 0 for writing. Holes would do, but give up their space. */
static int zero_mode(const struct nvme_backend *backend, bool deallocate)
{
	if (backend->punches && (deallocate || !backend->zeroes))
		return PUNCH;
	return backend->zeroes ? ZERO : 0;
}

int nvme_backend_zero(struct nvme_controller *nvme, uint64_t offset, uint64_t length,
	bool deallocate)
{
	const struct nvme_backend *backend = &nvme->backend;
	int mode = zero_mode(backend, deallocate);
	uint64_t most = mode ? ZERO_PIECE : WRITE_PIECE;

	memset(nvme->scratch, 0, WRITE_PIECE);
	while (length) {
		uint64_t piece = length < most ? length : most;
		int result = nvme_halted(nvme) ? -ECANCELED
			: mode ? allocate(backend->fd, mode, offset, piece)
			       : write_zeroes(backend->fd, nvme->scratch, offset, piece);

		if (result < 0)
			return result;
		offset += piece;
		length -= piece;
	}
	return 0;
}

void nvme_backend_deallocate(struct nvme_controller *nvme, uint64_t offset, uint64_t length)
{
	/* A wish, not an order: blocks that could not be deallocated keep their content. */
	int result = allocate(nvme->backend.fd, PUNCH, offset, length);

	if (result < 0)
		soft_log(nvme->device, "deallocating failed: %s", strerror(-result));
}
