/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading, writing, flushing, zeroing and deallocating the namespace's file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate(), preadv2() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

int nvme_backend_read(const struct nvme_backend *backend, void *buffer, size_t length,
	uint64_t offset, bool may_wait)
{
	uint8_t *to = buffer;

	while (length) {
		const struct iovec iov = { to, length };
		ssize_t count =
			preadv2(backend->fd, &iov, 1, (off_t)offset, may_wait ? 0 : RWF_NOWAIT);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		to += count;
		offset += (size_t)count;
		length -= (size_t)count;
	}
	return 0;
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

/* How much is zeroed before a reset is looked for again: without writing, and by writing. */
#define ZERO_PIECE  (UINT64_C(32) << 20)
#define WRITE_PIECE NVME_SCRATCH

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)

/* Whether the kernel has a request for zeroing blocks of this device (or of its whole disk). */
static bool zeroes_by_request(dev_t device)
{
	static const char *const folders[] = { "queue", "../queue" };
	unsigned long long most = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[96];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/write_zeroes_max_bytes",
			major(device), minor(device), folders[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &most) != 1)
			most = 0;
		fclose(file);
		break;
	}
	return most > 0;
}

/*
 * Nothing lies behind the end of a block device, so there is no place to try. fallocate()
 * there zeroes in whole sectors: a hole is punched by a request to the device alone, which
 * deallocates where the device can; for zeroing the kernel writes when there is none.
 */
static void probe_device(struct nvme_backend *backend, dev_t device)
{
	int sector;

	if (ioctl(backend->fd, BLKSSZGET, &sector) < 0 || sector > 1 << backend->block_shift)
		return;
	backend->zeroes = true;
	backend->punches = zeroes_by_request(device);
}

/* Behind the end of a file there is nothing to lose; the hole gives back what zeroing took. */
static void probe_file(struct nvme_backend *backend)
{
	off_t end = (off_t)(backend->blocks << backend->block_shift);

	backend->zeroes = fallocate(backend->fd, ZERO, end, 4096) == 0;
	backend->punches = fallocate(backend->fd, PUNCH, end, 4096) == 0;
}

void nvme_backend_probe(struct nvme_backend *backend)
{
	struct stat status;

	backend->punches = backend->zeroes = false;
	if (backend->read_only || fstat(backend->fd, &status) < 0)
		return;
	if (S_ISBLK(status.st_mode))
		probe_device(backend, status.st_rdev);
	else
		probe_file(backend);
}

static int allocate(int fd, int mode, uint64_t offset, uint64_t length)
{
	while (fallocate(fd, mode, (off_t)offset, (off_t)length) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* How to zero: a fallocate() mode, or 0 for writing. Holes would do, but give up their space. */
static int zero_mode(const struct nvme_backend *backend, bool deallocate)
{
	if (backend->punches && (deallocate || !backend->zeroes))
		return PUNCH;
	return backend->zeroes ? ZERO : 0;
}

/* @mode 0 writes zeroes. Gives up with -ECANCELED between pieces. */
static int zero_range(struct nvme_controller *nvme, int mode, uint64_t offset, uint64_t length)
{
	uint64_t most = mode ? ZERO_PIECE : WRITE_PIECE;
	int fd = nvme->backend.fd;

	while (length) {
		uint64_t piece = length < most ? length : most;
		int result =
			nvme_halted(nvme) ? -ECANCELED :
			mode		  ? allocate(fd, mode, offset, piece) :
			       nvme_backend_write(&nvme->backend, nvme->scratch, piece, offset);

		if (result < 0)
			return result;
		offset += piece;
		length -= piece;
	}
	return 0;
}

int nvme_backend_zero(
	struct nvme_controller *nvme, uint64_t offset, uint64_t length, bool deallocate)
{
	int mode = zero_mode(&nvme->backend, deallocate);
	int result = mode ? zero_range(nvme, mode, offset, length) : -EOPNOTSUPP;

	/* A device may turn out not to know the request only when it gets one. */
	if (result == -EOPNOTSUPP && mode != ZERO && nvme->backend.zeroes)
		result = zero_range(nvme, ZERO, offset, length);
	if (result != -EOPNOTSUPP)
		return result;
	memset(nvme->scratch, 0, WRITE_PIECE);
	return zero_range(nvme, 0, offset, length);
}

int nvme_backend_deallocate(struct nvme_controller *nvme, uint64_t offset, uint64_t length)
{
	return zero_range(nvme, PUNCH, offset, length);
}
