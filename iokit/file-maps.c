/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/file-maps.h"
#include "common/fd-kind.h"
#include "iokit/address-space.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

struct file_key {
	uint64_t device, inode, writable;
};

struct file {
	UT_hash_handle hh;
	struct file_key key;
	unsigned maps;
};

/* A window is found by where it begins. */
struct window_key {
	struct file *file;
	uint64_t begin;
};

struct iou_file_map {
	UT_hash_handle hh;
	struct iou_file_maps *table;
	struct window_key key;
	bool current; /* in the hash; else outgrown by its file, and only still in use */
	unsigned uses;
	char *address;
	uint64_t size;
};

struct iou_file_maps {
	/* The lock guards all of it, and of its mappings, and is not held over munmap(). */
	pthread_mutex_t lock;
	bool released;
	struct file *files;
	struct iou_file_map *current;	/* the newest of each beginning */
	struct iou_address_space space; /* of all there are */
};

/* What has been found out about a descriptor. */
struct file_facts {
	struct file_key key;
	uint64_t size;
	uint64_t page; /* what mappings of it are a multiple of: a huge page's size on hugetlbfs */
};

struct iou_file_maps *iou_file_maps_create(void)
{
	struct iou_file_maps *maps = calloc(1, sizeof(*maps));

	if (maps)
		pthread_mutex_init(&maps->lock, NULL);
	return maps;
}

/* Unlock the table, and free it if nobody needs it any more. */
static void leave(struct iou_file_maps *maps)
{
	bool last = maps->released && !maps->space.maps;

	pthread_mutex_unlock(&maps->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&maps->lock);
	free(maps);
}

void iou_file_maps_release(struct iou_file_maps *maps)
{
	if (!maps)
		return;
	pthread_mutex_lock(&maps->lock);
	maps->released = true;
	leave(maps);
}

static void unhash(struct iou_file_maps *maps, struct iou_file_map *map)
{
	if (map->current)
		HASH_DEL(maps->current, map);
	map->current = false;
}

static void file_put(struct iou_file_maps *maps, struct file *file)
{
	if (file->maps)
		return;
	HASH_DEL(maps->files, file);
	free(file);
}

/* The kind comes first: the other calls may wait on a file of a kind that is refused. */
static kern_return_t check_kind(int fd)
{
	switch (fd_kind(fd)) {
	case FD_KIND_MEMORY:
	case FD_KIND_LOCAL_FILE:
		return kIOReturnSuccess;
	case FD_KIND_FOREIGN_FILE:
		return kIOReturnNotPermitted;
	default:
		return kIOReturnBadArgument;
	}
}

/* Check a descriptor that came from elsewhere, and clear *writable where it is not. */
static kern_return_t check_file(int fd, uint64_t end, bool *writable, struct file_facts *facts)
{
	struct stat file;
	int mode = fcntl(fd, F_GETFL);
	kern_return_t status = check_kind(fd);

	if (status != kIOReturnSuccess)
		return status;
	if (mode < 0 || (mode & O_PATH) || (mode & O_ACCMODE) == O_WRONLY)
		return kIOReturnBadArgument;
	if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size < 0 ||
		end > (uint64_t)file.st_size)
		return kIOReturnBadArgument;
	*writable = *writable && (mode & O_ACCMODE) == O_RDWR;
	memset(facts, 0, sizeof(*facts));
	facts->key.device = file.st_dev;
	facts->key.inode = file.st_ino;
	facts->key.writable = *writable;
	facts->size = (uint64_t)file.st_size;
	facts->page = (uint64_t)sysconf(_SC_PAGESIZE);
	if ((uint64_t)file.st_blksize > facts->page && !(file.st_blksize & (file.st_blksize - 1)))
		facts->page = (uint64_t)file.st_blksize;
	return kIOReturnSuccess;
}

static struct file *find_file(struct iou_file_maps *maps, const struct file_key *key)
{
	struct file *file;

	HASH_FIND(hh, maps->files, key, sizeof(*key), file);
	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->key = *key;
	HASH_ADD(hh, maps->files, key, sizeof(file->key), file);
	return file;
}

static struct iou_file_map *find_window(
	struct iou_file_maps *maps, struct file *file, uint64_t begin)
{
	struct iou_file_map *map;
	struct window_key key;

	memset(&key, 0, sizeof(key));
	key.file = file;
	key.begin = begin;
	HASH_FIND(hh, maps->current, &key, sizeof(key), map);
	return map;
}

/* A window that holds the range: windows begin at a multiple of their class. */
static struct iou_file_map *find_covering(
	struct iou_file_maps *maps, struct file *file, uint64_t offset, uint64_t end)
{
	for (unsigned class = 0; class < IOU_WINDOW_CLASSES; class ++) {
		uint64_t begin = offset & ~((IOU_WINDOW_MIN << class) - 1);
		struct iou_file_map *map = find_window(maps, file, begin);

		if (map && end <= begin + map->size)
			return map;
	}
	return NULL;
}

/* Map [begin, end), and let it stand for what begins there. */
static kern_return_t map_window(struct iou_file_maps *maps, struct file *file, int fd,
	uint64_t begin, uint64_t end, struct iou_file_map **made)
{
	struct iou_file_map *map, *outgrown;

	if (!iou_address_space_take(&maps->space, end - begin))
		return kIOReturnNoSpace;
	map = calloc(1, sizeof(*map));
	if (map)
		map->address = mmap(NULL, (size_t)(end - begin),
			PROT_READ | (file->key.writable ? PROT_WRITE : 0),
			MAP_SHARED | MAP_NORESERVE, fd, (off_t)begin);
	if (!map || map->address == MAP_FAILED) {
		iou_address_space_give(&maps->space, end - begin);
		free(map);
		return map ? kIOReturnVMError : kIOReturnNoMemory;
	}
	map->table = maps;
	map->key.file = file;
	map->key.begin = begin;
	map->size = end - begin;
	file->maps++;
	outgrown = find_window(maps, file, begin);
	if (outgrown)
		unhash(maps, outgrown);
	HASH_ADD(hh, maps->current, key, sizeof(map->key), map);
	map->current = true;
	*made = map;
	return kIOReturnSuccess;
}

/* Map a window around the range; only what of it is needed, where there is no room for more. */
static kern_return_t map_around(struct iou_file_maps *maps, struct file *file, int fd,
	uint64_t offset, uint64_t end, const struct file_facts *facts, struct iou_file_map **made)
{
	unsigned class = file->maps < IOU_WINDOW_CLASSES ? file->maps : IOU_WINDOW_CLASSES - 1;
	uint64_t size = IOU_WINDOW_MIN << class;
	uint64_t whole = (facts->size + facts->page - 1) & ~(facts->page - 1);
	uint64_t begin, last;
	kern_return_t status;

	if (end - offset >= size)
		size = IOU_WINDOW_MIN; /* it is a window by itself */
	if (size < facts->page)
		size = facts->page;
	begin = offset & ~(size - 1);
	last = (end + size - 1) & ~(size - 1);
	status = map_window(maps, file, fd, begin, last < whole ? last : whole, made);
	if (status == kIOReturnSuccess || size == facts->page)
		return status;
	begin = offset & ~(facts->page - 1);
	last = (end + facts->page - 1) & ~(facts->page - 1);
	return map_window(maps, file, fd, begin, last, made);
}

/* The window that holds [offset, end), made if there is none, used once more. The lock is held. */
static kern_return_t find_or_map(struct iou_file_maps *maps, int fd, uint64_t offset, uint64_t end,
	const struct file_facts *facts, struct iou_file_map **found)
{
	struct file *file = find_file(maps, &facts->key);
	kern_return_t status = kIOReturnSuccess;

	if (!file)
		return kIOReturnNoMemory;
	*found = find_covering(maps, file, offset, end);
	if (!*found)
		status = map_around(maps, file, fd, offset, end, facts, found);
	if (status == kIOReturnSuccess)
		(*found)->uses++;
	else
		file_put(maps, file);
	return status;
}

kern_return_t iou_file_maps_get(struct iou_file_maps *maps, int fd, uint64_t offset,
	uint64_t length, bool *writable, struct iou_file_map **found, void **address)
{
	struct file_facts facts;
	uint64_t end;
	kern_return_t status;

	/* Files reach to INT64_MAX at most: the sums that follow do not wrap. */
	if (!length || __builtin_add_overflow(offset, length, &end))
		return kIOReturnBadArgument;
	status = check_file(fd, end, writable, &facts);
	if (status != kIOReturnSuccess)
		return status;
	pthread_mutex_lock(&maps->lock);
	status = find_or_map(maps, fd, offset, end, &facts, found);
	pthread_mutex_unlock(&maps->lock);
	if (status == kIOReturnSuccess)
		*address = (*found)->address + (offset - (*found)->key.begin);
	return status;
}

void iou_file_maps_put(struct iou_file_map *map)
{
	struct iou_file_maps *maps = map->table;
	bool last;

	pthread_mutex_lock(&maps->lock);
	last = --map->uses == 0;
	if (last) {
		unhash(maps, map);
		map->key.file->maps--;
		file_put(maps, map->key.file);
	}
	pthread_mutex_unlock(&maps->lock);
	if (!last)
		return;
	munmap(map->address, (size_t)map->size);
	pthread_mutex_lock(&maps->lock);
	iou_address_space_give(&maps->space, map->size);
	leave(maps);
	free(map);
}
