/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls here are chosen because none of them sends a request to a file system: fstat() and
 * fstatfs() would on FUSE and NFS.
 */
#include "common/fd-kind.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* File systems whose data is on a block device of this machine and whose code is the kernel's. */
static const char *const local_types[] = { "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs",
	"ramfs", "xfs", "zfs" };

static bool is_local_type(const char *type, size_t length)
{
	for (size_t i = 0; i < sizeof(local_types) / sizeof(*local_types); i++)
		if (strlen(local_types[i]) == length && memcmp(local_types[i], type, length) == 0)
			return true;
	return false;
}

/*
 * Whether a line of mountinfo (proc(5)) is about the file's mount. A file opened in another
 * mount namespace has the ID of a mount there; the device is the same. btrfs reports another
 * device for each subvolume; the ID is the same.
 */
static bool is_mount_of(const char *line, const struct statx *file)
{
	uint64_t id;
	unsigned device_major, device_minor;

	if (sscanf(line, "%" SCNu64 " %*u %u:%u", &id, &device_major, &device_minor) != 3)
		return false;
	return ((file->stx_mask & STATX_MNT_ID) && file->stx_mnt_id == id) ||
	       (file->stx_dev_major == device_major && file->stx_dev_minor == device_minor);
}

static bool is_on_local_disk(const struct statx *file)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	bool local = false;
	char *line = NULL;
	size_t size = 0;

	if (!mounts)
		return false;
	while (getline(&line, &size, mounts) > 0) {
		const char *type = strstr(line, " - "); /* spaces in paths are escaped */

		if (!type || !is_mount_of(line, file))
			continue;
		type += strlen(" - ");
		local = is_local_type(type, strcspn(type, " "));
		break;
	}
	free(line);
	fclose(mounts);
	return local;
}

static bool is_eventfd(int fd)
{
	static const char eventfd_link[] = "anon_inode:[eventfd]";
	char path[32], link[sizeof(eventfd_link)];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link));
	return length == (ssize_t)strlen(eventfd_link) &&
	       memcmp(link, eventfd_link, (size_t)length) == 0;
}

enum fd_kind fd_kind(int fd)
{
	struct statx file;

	/* Only shmem and hugetlbfs have seals: all of their files, not memfds alone. */
	if (fcntl(fd, F_GET_SEALS) >= 0)
		return FD_KIND_MEMORY;
	if (is_eventfd(fd))
		return FD_KIND_EVENT;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &file) !=
		0)
		return FD_KIND_OTHER;
	if (!S_ISREG(file.stx_mode) || (fcntl(fd, F_GETFL) & O_PATH))
		return FD_KIND_OTHER;
	return is_on_local_disk(&file) ? FD_KIND_LOCAL_FILE : FD_KIND_FOREIGN_FILE;
}
