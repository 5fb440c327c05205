/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroing and deallocating parts of the namespace, and finding out how it can be done. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fallocate() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

/* How much is zeroed before a reset is looked for again: without writing, and by writing. */
#define ZERO_PIECE  (UINT64_C(32) << 20)
#define WRITE_PIECE NVME_SCRATCH

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)

/* Behind the end of a file there is nothing to lose; the hole gives back what zeroing took. */
static void probe_file(struct nvme_backend *backend)
{
	off_t end = (off_t)(backend->blocks << backend->block_shift);

	backend->zeroes = fallocate(backend->fd, ZERO, end, 4096) == 0;
	backend->punches = fallocate(backend->fd, PUNCH, end, 4096) == 0;
}

void nvme_backend_probe(struct nvme_backend *backend)
{
	backend->punches = backend->zeroes = false;
	if (!backend->read_only)
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
		int result = nvme_halted(nvme) ? -ECANCELED
			: mode ? allocate(fd, mode, offset, piece)
			       : nvme_backend_write(&nvme->backend, nvme->scratch, piece, offset);

		if (result < 0)
			return result;
		offset += piece;
		length -= piece;
	}
	return 0;
}

int nvme_backend_zero(struct nvme_controller *nvme, uint64_t offset, uint64_t length,
	bool deallocate)
{
	memset(nvme->scratch, 0, WRITE_PIECE);
	return zero_range(nvme, zero_mode(&nvme->backend, deallocate), offset, length);
}

int nvme_backend_deallocate(struct nvme_controller *nvme, uint64_t offset, uint64_t length)
{
	return zero_range(nvme, PUNCH, offset, length);
}
