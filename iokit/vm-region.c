/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/vm-region.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * The PROCMAP_QUERY ioctl of Linux 6.11 and later. Older headers lack struct procmap_query of
 * <linux/fs.h>.
 */
struct map_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)
enum { MAP_READABLE = 1, MAP_WRITABLE = 2, MAP_SHARED_VMA = 8 };

/* One mapping of the process. */
struct vma {
	uint64_t start, end, offset;
	bool readable, writable, shared;
	dev_t device;
	ino_t inode;
};

/* Get the mapping of @va by ioctl: 1; 0 when there is none; -1 when the ioctl is not supported. */
static int query_vma(int maps, uint64_t va, struct vma *vma)
{
	struct map_query query = { .size = sizeof(query), .query_addr = va };

	if (ioctl(maps, MAP_QUERY, &query) != 0)
		return errno == ENOENT ? 0 : -1;
	*vma = (struct vma){
		.start = query.vma_start,
		.end = query.vma_end,
		.offset = query.vma_offset,
		.readable = query.vma_flags & MAP_READABLE,
		.writable = query.vma_flags & MAP_WRITABLE,
		.shared = query.vma_flags & MAP_SHARED_VMA,
		.device = makedev(query.dev_major, query.dev_minor),
		.inode = (ino_t)query.inode,
	};
	return 1;
}

/* The same from the text of /proc/self/maps, whose lines are sorted by address. */
static int read_vma(FILE *text, uint64_t va, struct vma *vma)
{
	char line[512], flags[5];
	unsigned major, minor;
	uint64_t inode;

	while (fgets(line, sizeof(line), text)) {
		bool whole = strchr(line, '\n');
		int fields = sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64,
			&vma->start, &vma->end, flags, &vma->offset, &major, &minor, &inode);

		for (int c = 0; !whole && c != '\n' && c != EOF;)
			c = fgetc(text); /* the rest of a long file name */
		if (fields != 7 || vma->end <= va)
			continue;
		if (vma->start > va)
			return 0;
		vma->readable = flags[0] == 'r';
		vma->writable = flags[1] == 'w';
		vma->shared = flags[3] == 's';
		vma->device = makedev(major, minor);
		vma->inode = (ino_t)inode;
		return 1;
	}
	return 0;
}

/* An open /proc/PID/maps. */
struct maps {
	int fd;
	FILE *text; /* once the ioctl has failed */
};

static int next_vma(struct maps *maps, uint64_t va, struct vma *vma)
{
	int found;

	if (!maps->text) {
		found = query_vma(maps->fd, va, vma);
		if (found >= 0)
			return found;
		int fd = fcntl(maps->fd, F_DUPFD_CLOEXEC, 0);

		maps->text = fd < 0 ? NULL : fdopen(fd, "r");
		if (!maps->text) {
			if (fd >= 0)
				close(fd);
			return 0;
		}
	}
	return read_vma(maps->text, va, vma);
}

static bool append(struct iou_vm_region **regions, size_t *count, const struct vma *vma,
	uint64_t va, uint64_t end)
{
	struct iou_vm_region *larger;

	if ((*count & (*count - 1)) == 0) { /* full: the capacity is a power of two */
		larger = realloc(*regions, (*count ? *count * 2 : 1) * sizeof(*larger));
		if (!larger)
			return false;
		*regions = larger;
	}
	(*regions)[(*count)++] = (struct iou_vm_region){
		.va = va,
		.length = (vma->end < end ? vma->end : end) - va,
		.writable = vma->writable,
		.shared = vma->shared && vma->inode,
		.offset = vma->offset + (va - vma->start),
		.device = vma->device,
		.inode = vma->inode,
	};
	return true;
}

kern_return_t iou_vm_regions_from(
	int fd, uint64_t va, uint64_t size, struct iou_vm_region **regions, size_t *count)
{
	struct maps maps = { .fd = fd };
	kern_return_t status = kIOReturnSuccess;
	uint64_t end;

	*regions = NULL;
	*count = 0;
	if (!size || __builtin_add_overflow(va, size, &end))
		return kIOReturnBadArgument;
	while (va < end && status == kIOReturnSuccess) {
		struct vma vma;

		if (next_vma(&maps, va, &vma) <= 0 || !vma.readable)
			status = kIOReturnVMError;
		else if (!append(regions, count, &vma, va, end))
			status = kIOReturnNoMemory;
		else
			va = vma.end;
	}
	if (maps.text)
		fclose(maps.text);
	if (status != kIOReturnSuccess) {
		free(*regions);
		*regions = NULL;
		*count = 0;
	}
	return status;
}

kern_return_t iou_vm_regions(
	uint64_t va, uint64_t size, struct iou_vm_region **regions, size_t *count)
{
	kern_return_t status;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	*regions = NULL;
	*count = 0;
	if (fd < 0)
		return kIOReturnNoResources;
	status = iou_vm_regions_from(fd, va, size, regions, count);
	close(fd);
	return status;
}

/* Whether a descriptor is of the region's file, with the access mode that the region needs. */
static bool fd_fits(int fd, const struct iou_vm_region *region)
{
	struct stat file;
	int mode;

	if (fstat(fd, &file) != 0 || file.st_ino != region->inode || file.st_dev != region->device)
		return false;
	mode = fcntl(fd, F_GETFL);
	return mode >= 0 && !(mode & O_PATH) &&
	       (region->writable ? (mode & O_ACCMODE) == O_RDWR : (mode & O_ACCMODE) != O_WRONLY);
}

/*
 * A duplicate of the descriptor if it fits, else -1. Another thread may close the descriptor and
 * reuse its number at any time, so the duplicate is checked too.
 */
static int duplicate_fitting(int fd, const struct iou_vm_region *region)
{
	int copy;

	if (!fd_fits(fd, region))
		return -1;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0 && !fd_fits(copy, region)) {
		close(copy);
		copy = -1;
	}
	return copy;
}

/* Search this process's open descriptors. */
static int search_fds(const struct iou_vm_region *region)
{
	/* Tried first, since programs often register many ranges of one file. */
	static atomic_int last = -1;
	struct dirent *entry;
	int found = duplicate_fitting(atomic_load(&last), region);
	DIR *directory;

	if (found >= 0)
		return found;
	directory = opendir("/proc/self/fd");
	if (!directory)
		return -1;
	for (found = -1; found < 0 && (entry = readdir(directory));) {
		int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);

		found = duplicate_fitting(fd, region);
		if (found >= 0)
			atomic_store(&last, fd);
	}
	closedir(directory);
	return found;
}

/* Open the file through /proc/self/map_files, which needs privileges. */
static int open_map_file(const struct iou_vm_region *region)
{
	struct maps maps = { .fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC) };
	struct vma vma;
	char path[64];
	int fd = -1;

	if (maps.fd < 0)
		return -1;
	if (next_vma(&maps, region->va, &vma) > 0) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, vma.start,
			vma.end);
		fd = open(path, (region->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	}
	if (maps.text)
		fclose(maps.text);
	close(maps.fd);
	if (fd >= 0 && !fd_fits(fd, region)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int iou_vm_region_fd(const struct iou_vm_region *region)
{
	int fd;

	if (!region->shared)
		return -1;
	fd = search_fds(region);
	return fd >= 0 ? fd : open_map_file(region);
}
