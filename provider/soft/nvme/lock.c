/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The locks on an image. flock() excludes programs that lock with it, other devices of
 * ours among them. The locks on single bytes (open file description locks) are those of
 * QEMU's "file" driver: a shared lock on byte PERMISSION + N is held by whoever uses
 * permission N, one on byte NOT_SHARED + N by whoever does not allow others to use it.
 * Each takes its own locks first and then looks for those of others, so that of two that
 * start at the same time at least one gives up.
 */
#include "provider/soft/nvme/nvme.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

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

/* Held by those who use what we do not share, or do not share what we use. */
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
		/* Locks of this description itself do not count. */
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

bool nvme_image_lock(int fd, const char *path, bool read_only, struct spec_error *error)
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
