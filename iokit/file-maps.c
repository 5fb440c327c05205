/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/file-maps.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <uthash.h>

/* Files up to this size are mapped whole, so that every range of theirs shares one mapping. */
#define WHOLE_FILE_MAX (UINT64_C(1) << 40)

struct key {
	uint64_t device, inode, writable;
};

struct iou_file_map {
	LIST_ENTRY(iou_file_map) link;
	UT_hash_handle hh;
	struct iou_file_maps *maps;
	struct key key;
	bool current;	/* in the hash; else outgrown by its file, and only still in use */
	unsigned uses;
	char *address;
	uint64_t offset, size;	/* what of the file is mapped */
};

struct iou_file_maps {
	/* The lock guards all of it, and of its mappings, and is not held over munmap(). */
	pthread_mutex_t lock;
	bool released;
	struct iou_file_map *current;	/* the newest of each file, by key */
	LIST_HEAD(, iou_file_map) all;
	unsigned count;		/* of all, */
	uint64_t bytes;		/* and what they take of the address space */
};

struct iou_file_maps *iou_file_maps_create(void)
{
	struct iou_file_maps *maps = calloc(1, sizeof(*maps));

	if (maps)
		pthread_mutex_init(&maps->lock, NULL);
	return maps;
}

static void unhash(struct iou_file_maps *maps, struct iou_file_map *map)
{
	if (map->current)
		HASH_DEL(maps->current, map);
	map->current = false;
}

static void maps_free(struct iou_file_maps *maps)
{
	pthread_mutex_destroy(&maps->lock);
	free(maps);
}

void iou_file_maps_release(struct iou_file_maps *maps)
{
	bool last;

	if (!maps)
		return;
	pthread_mutex_lock(&maps->lock);
	maps->released = true;
	last = LIST_EMPTY(&maps->all);
	pthread_mutex_unlock(&maps->lock);
	if (last)
		maps_free(maps);
}

/* Check a descriptor that came from elsewhere, and clear *writable where it is not. */
static kern_return_t check_file(
	int fd, uint64_t end, bool *writable, struct key *key, uint64_t *file_size)
{
	struct stat file;
	int mode = fcntl(fd, F_GETFL);

	if (mode < 0 || (mode & O_PATH) || (mode & O_ACCMODE) == O_WRONLY)
		return kIOReturnBadArgument;
	if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size < 0 ||
		end > (uint64_t)file.st_size)
		return kIOReturnBadArgument;
	*writable = *writable && (mode & O_ACCMODE) == O_RDWR;
	memset(key, 0, sizeof(*key));
	key->device = file.st_dev;
	key->inode = file.st_ino;
	key->writable = *writable;
	*file_size = (uint64_t)file.st_size;
	return kIOReturnSuccess;
}

static struct iou_file_map *map_create(struct iou_file_maps *maps, int fd, const struct key *key,
	uint64_t offset, uint64_t size)
{
	struct iou_file_map *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->maps = maps;
	map->key = *key;
	map->offset = offset;
	map->size = size;
	map->address = mmap(NULL, (size_t)size, PROT_READ | (key->writable ? PROT_WRITE : 0),
		MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);
	if (map->address == MAP_FAILED) {
		free(map);
		return NULL;
	}
	LIST_INSERT_HEAD(&maps->all, map, link);
	maps->count++;
	maps->bytes += size;
	return map;
}

/* The mapping of [offset, end) of the file, made if there is none. The lock is held. */
static kern_return_t find_or_map(struct iou_file_maps *maps, int fd, const struct key *key,
	uint64_t offset, uint64_t end, uint64_t file_size, struct iou_file_map **found)
{
	struct iou_file_map *map, *outgrown;
	uint64_t begin = 0;

	HASH_FIND(hh, maps->current, key, sizeof(*key), map);
	*found = map;
	if (map && offset >= map->offset && end <= map->offset + map->size)
		return kIOReturnSuccess;
	outgrown = map;
	if (file_size > WHOLE_FILE_MAX) {
		begin = offset & ~UINT64_C(0xffff);	/* any host's page size */
		file_size = end - begin;
	}
	if (maps->count >= IOU_FILE_MAPS_MAX || file_size > IOU_FILE_MAPS_BYTES - maps->bytes)
		return kIOReturnNoSpace;
	map = map_create(maps, fd, key, begin, file_size);
	if (!map)
		return kIOReturnVMError;
	if (outgrown)
		unhash(maps, outgrown);
	HASH_ADD(hh, maps->current, key, sizeof(map->key), map);
	map->current = true;
	*found = map;
	return kIOReturnSuccess;
}

kern_return_t iou_file_maps_get(struct iou_file_maps *maps, int fd, uint64_t offset,
	uint64_t length, bool *writable, struct iou_file_map **found, void **address)
{
	struct iou_file_map *map;
	struct key key;
	uint64_t end, file_size;
	kern_return_t status;

	if (!length || __builtin_add_overflow(offset, length, &end))
		return kIOReturnBadArgument;
	status = check_file(fd, end, writable, &key, &file_size);
	if (status != kIOReturnSuccess)
		return status;
	pthread_mutex_lock(&maps->lock);
	status = find_or_map(maps, fd, &key, offset, end, file_size, &map);
	if (status == kIOReturnSuccess)
		map->uses++;
	pthread_mutex_unlock(&maps->lock);
	if (status != kIOReturnSuccess)
		return status;
	*found = map;
	*address = map->address + (offset - map->offset);
	return kIOReturnSuccess;
}

void iou_file_maps_put(struct iou_file_map *map)
{
	struct iou_file_maps *maps = map->maps;
	bool last_use, last_map = false;

	pthread_mutex_lock(&maps->lock);
	last_use = --map->uses == 0;
	if (last_use) {
		unhash(maps, map);
		LIST_REMOVE(map, link);
		maps->count--;
		maps->bytes -= map->size;
		last_map = maps->released && LIST_EMPTY(&maps->all);
	}
	pthread_mutex_unlock(&maps->lock);
	if (last_use) {
		munmap(map->address, (size_t)map->size);
		free(map);
	}
	if (last_map)
		maps_free(maps);
}
