/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/file-maps.h"
#include "common/fd-kind.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

/*
 * The limits of address space and mappings (vm.max_map_count). Each client has a guaranteed share;
 * beyond it, all clients take from a common pool.
 */
struct pool {
	uint64_t guaranteed, client_max, size;
	atomic_uint_fast64_t taken;
};

static struct pool bytes_pool = { IOU_BYTES_GUARANTEED, IOU_BYTES_MAX, IOU_BYTES_POOL, 0 };
static struct pool maps_pool = { IOU_MAPS_GUARANTEED, IOU_MAPS_MAX, IOU_MAPS_POOL, 0 };

/* The part of @held that is beyond the guaranteed share. */
static uint64_t from_pool(const struct pool *pool, uint64_t held)
{
	return held > pool->guaranteed ? held - pool->guaranteed : 0;
}

static void pool_give(struct pool *pool, uint64_t *held, uint64_t amount)
{
	uint64_t before = from_pool(pool, *held);

	*held -= amount;
	atomic_fetch_sub(&pool->taken, before - from_pool(pool, *held));
}

static bool pool_take(struct pool *pool, uint64_t *held, uint64_t amount)
{
	uint64_t more, taken = atomic_load(&pool->taken);

	if (amount > pool->client_max - *held)
		return false;
	more = from_pool(pool, *held + amount) - from_pool(pool, *held);
	do
		if (more > pool->size - taken)
			return false;
	while (!atomic_compare_exchange_weak(&pool->taken, &taken, taken + more));
	*held += amount;
	return true;
}

bool iou_address_space_take(struct iou_address_space *space, uint64_t bytes)
{
	if (!pool_take(&maps_pool, &space->maps, 1))
		return false;
	if (pool_take(&bytes_pool, &space->bytes, bytes))
		return true;
	pool_give(&maps_pool, &space->maps, 1);
	return false;
}

void iou_address_space_give(struct iou_address_space *space, uint64_t bytes)
{
	pool_give(&bytes_pool, &space->bytes, bytes);
	pool_give(&maps_pool, &space->maps, 1);
}

struct file_key {
	uint64_t device, inode, writable;
};

struct file {
	UT_hash_handle hh;
	struct file_key key;
	unsigned maps;
};

/* Windows are keyed by their first offset. */
struct window_key {
	struct file *file;
	uint64_t begin;
};

struct iou_file_map {
	UT_hash_handle hh;
	struct iou_file_maps *table;
	struct window_key key;
	bool current; /* in the hash; else replaced by a larger window, and still in use */
	unsigned uses;
	char *address;
	uint64_t size;
};

struct iou_file_maps {
	/* The lock guards all of it, and of its mappings, and is not held over munmap(). */
	pthread_mutex_t lock;
	bool released;
	struct file *files;
	struct iou_file_map *current;	/* by key: the newest at each offset */
	struct iou_address_space space; /* of all windows, current or not */
};

/* Properties of a descriptor. */
struct file_info {
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

/* Unlock the table, and free it if it is released and has no mappings. */
static void unlock_and_free(struct iou_file_maps *maps)
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
	unlock_and_free(maps);
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

/* Checked before fstat(), which may wait on a file of a refused kind. */
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

/* Check a descriptor from another process; *writable is cleared for one that is read-only. */
static kern_return_t check_file(int fd, uint64_t end, bool *writable, struct file_info *info)
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
	memset(info, 0, sizeof(*info));
	info->key.device = file.st_dev;
	info->key.inode = file.st_ino;
	info->key.writable = *writable;
	info->size = (uint64_t)file.st_size;
	info->page = (uint64_t)sysconf(_SC_PAGESIZE);
	if ((uint64_t)file.st_blksize > info->page && !(file.st_blksize & (file.st_blksize - 1)))
		info->page = (uint64_t)file.st_blksize;
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

/* A window that contains the range. Windows begin at a multiple of their class size. */
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

/* Map [begin, end), and make it the current window at that offset. */
static kern_return_t map_window(struct iou_file_maps *maps, struct file *file, int fd,
	uint64_t begin, uint64_t end, struct iou_file_map **made)
{
	struct iou_file_map *map, *replaced;

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
	replaced = find_window(maps, file, begin);
	if (replaced)
		unhash(maps, replaced);
	HASH_ADD(hh, maps->current, key, sizeof(map->key), map);
	map->current = true;
	*made = map;
	return kIOReturnSuccess;
}

/* Map a window around the range, or just the pages of the range where the limits allow no more. */
static kern_return_t map_around(struct iou_file_maps *maps, struct file *file, int fd,
	uint64_t offset, uint64_t end, const struct file_info *info, struct iou_file_map **made)
{
	unsigned class = file->maps < IOU_WINDOW_CLASSES ? file->maps : IOU_WINDOW_CLASSES - 1;
	uint64_t size = IOU_WINDOW_MIN << class;
	uint64_t whole = (info->size + info->page - 1) & ~(info->page - 1);
	uint64_t begin, last;
	kern_return_t status;

	if (end - offset >= size)
		size = IOU_WINDOW_MIN; /* the range is as large as the window */
	if (size < info->page)
		size = info->page;
	begin = offset & ~(size - 1);
	last = (end + size - 1) & ~(size - 1);
	status = map_window(maps, file, fd, begin, last < whole ? last : whole, made);
	if (status == kIOReturnSuccess || size == info->page)
		return status;
	begin = offset & ~(info->page - 1);
	last = (end + info->page - 1) & ~(info->page - 1);
	return map_window(maps, file, fd, begin, last, made);
}

/* Find or map the window of [offset, end), and count one more use. The lock is held. */
static kern_return_t find_or_map(struct iou_file_maps *maps, int fd, uint64_t offset, uint64_t end,
	const struct file_info *info, struct iou_file_map **found)
{
	struct file *file = find_file(maps, &info->key);
	kern_return_t status = kIOReturnSuccess;

	if (!file)
		return kIOReturnNoMemory;
	*found = find_covering(maps, file, offset, end);
	if (!*found)
		status = map_around(maps, file, fd, offset, end, info, found);
	if (status == kIOReturnSuccess)
		(*found)->uses++;
	else
		file_put(maps, file);
	return status;
}

kern_return_t iou_file_maps_get(struct iou_file_maps *maps, int fd, uint64_t offset,
	uint64_t length, bool *writable, struct iou_file_map **found, void **address)
{
	struct file_info info;
	uint64_t end;
	kern_return_t status;

	/* Files reach to INT64_MAX at most: the sums that follow do not wrap. */
	if (!length || __builtin_add_overflow(offset, length, &end))
		return kIOReturnBadArgument;
	status = check_file(fd, end, writable, &info);
	if (status != kIOReturnSuccess)
		return status;
	pthread_mutex_lock(&maps->lock);
	status = find_or_map(maps, fd, offset, end, &info, found);
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
	unlock_and_free(maps);
	free(map);
}
