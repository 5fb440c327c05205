/* SPDX-License-Identifier: BSD-3-Clause */
/* Files, memory, limits and time. */
#include "tests/macos/loader/libsystem.h"
#include "tests/macos/loader/macho.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* O_RDONLY, O_WRONLY and O_RDWR are the same: 0, 1 and 2. */
static const struct flag open_flags[] = {
	{ 0x1, O_WRONLY },
	{ 0x2, O_RDWR },
	{ 0x4, O_NONBLOCK },
	{ 0x8, O_APPEND },
	{ 0x100, O_NOFOLLOW },
	{ 0x200, O_CREAT },
	{ 0x400, O_TRUNC },
	{ 0x800, O_EXCL },
	{ 0x100000, O_DIRECTORY },
	{ 0x1000000, O_CLOEXEC },
};

/* AT_SYMLINK_NOFOLLOW and AT_REMOVEDIR */
static const struct flag at_flags[] = { { 0x20, AT_SYMLINK_NOFOLLOW }, { 0x80, AT_REMOVEDIR } };

static int host_at(int fd)
{
	return fd == -2 ? AT_FDCWD : fd;
}

static int host_at_flags(int flags)
{
	return (int)flags_to_host("at flags", flags, at_flags, COUNT(at_flags));
}

static int shim_open(const char *path, int flags, ...)
{
	int host = (int)flags_to_host("open flags", flags, open_flags, COUNT(open_flags));
	va_list arguments;
	mode_t mode = 0;

	va_start(arguments, flags);
	if (host & O_CREAT)
		mode = (mode_t)va_arg(arguments, int);
	va_end(arguments);
	return open(path, host, mode);
}

static int shim_fcntl(int fd, int command, ...)
{
	va_list arguments;
	int argument, flags;

	va_start(arguments, command);
	argument = va_arg(arguments, int);
	va_end(arguments);
	switch (command) {
	case F_DUPFD: /* 0 to 4 are the same */
	case F_GETFD:
	case F_SETFD:
		return fcntl(fd, command, argument);
	case F_GETFL:
		flags = fcntl(fd, F_GETFL);
		return flags < 0 ? -1 : (int)flags_to_darwin(flags, open_flags, COUNT(open_flags));
	case F_SETFL:
		return fcntl(fd, F_SETFL,
			flags_to_host("fcntl flags", argument, open_flags, COUNT(open_flags)));
	default:
		libsystem_untranslated("fcntl", command);
	}
}

/* sys/stat.h, with 64-bit inodes */
struct darwin_stat {
	int st_dev;
	unsigned short st_mode, st_nlink;
	unsigned long st_ino;
	unsigned st_uid, st_gid;
	int st_rdev;
	struct timespec times[4]; /* access, modification, change, birth */
	long st_size, st_blocks;
	int st_blksize;
	unsigned st_flags, st_gen;
	int spare;
	long spares[2];
};
_Static_assert(sizeof(struct darwin_stat) == 144, "as in Darwin's sys/stat.h");

static int give_stat(int result, const struct stat *from, struct darwin_stat *to)
{
	if (result != 0)
		return result;
	*to = (struct darwin_stat){
		.st_dev = (int)from->st_dev,
		.st_mode = (unsigned short)from->st_mode,
		.st_nlink = (unsigned short)from->st_nlink,
		.st_ino = from->st_ino,
		.st_uid = from->st_uid,
		.st_gid = from->st_gid,
		.times = { from->st_atim, from->st_mtim, from->st_ctim, from->st_ctim },
		.st_size = from->st_size,
		.st_blocks = from->st_blocks,
		.st_blksize = (int)from->st_blksize,
	};
	return 0;
}

static int shim_fstat(int fd, struct darwin_stat *status)
{
	struct stat host;

	return give_stat(fstat(fd, &host), &host, status);
}

static int shim_lstat(const char *path, struct darwin_stat *status)
{
	struct stat host;

	return give_stat(lstat(path, &host), &host, status);
}

static int shim_fstatat(int fd, const char *path, struct darwin_stat *status, int flags)
{
	struct stat host;

	return give_stat(fstatat(host_at(fd), path, &host, host_at_flags(flags)), &host, status);
}

static int shim_fchmodat(int fd, const char *path, unsigned short mode, int flags)
{
	return fchmodat(host_at(fd), path, mode, host_at_flags(flags));
}

static int shim_fchownat(int fd, const char *path, uid_t user, gid_t group, int flags)
{
	return fchownat(host_at(fd), path, user, group, host_at_flags(flags));
}

static int shim_linkat(int from, const char *path, int to, const char *name, int flags)
{
	return linkat(host_at(from), path, host_at(to), name, host_at_flags(flags));
}

static int shim_renameat(int from, const char *path, int to, const char *name)
{
	return renameat(host_at(from), path, host_at(to), name);
}

static int shim_unlinkat(int fd, const char *path, int flags)
{
	return unlinkat(host_at(fd), path, host_at_flags(flags));
}

/* Protections are the same. */
static const struct flag map_flags[] = {
	{ 0x1, MAP_SHARED },
	{ 0x2, MAP_PRIVATE },
	{ 0x10, MAP_FIXED },
	{ 0x40, MAP_NORESERVE },
	{ 0x1000, MAP_ANONYMOUS },
};

static void *shim_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return mmap(at, size, protection,
		(int)flags_to_host("mmap flags", flags, map_flags, COUNT(map_flags)), fd, offset);
}

#define DARWIN_RLIM_INFINITY ((UINT64_C(1) << 63) - 1)

static int host_limit(int resource)
{
	if (resource != 8)
		libsystem_untranslated("limit", resource);
	return RLIMIT_NOFILE;
}

static int shim_getrlimit(int resource, struct rlimit *limit)
{
	int result = getrlimit(host_limit(resource), limit);

	if (result == 0 && limit->rlim_cur == RLIM_INFINITY)
		limit->rlim_cur = DARWIN_RLIM_INFINITY;
	if (result == 0 && limit->rlim_max == RLIM_INFINITY)
		limit->rlim_max = DARWIN_RLIM_INFINITY;
	return result;
}

static int shim_setrlimit(int resource, const struct rlimit *limit)
{
	struct rlimit host = *limit;

	if (host.rlim_cur == DARWIN_RLIM_INFINITY)
		host.rlim_cur = RLIM_INFINITY;
	if (host.rlim_max == DARWIN_RLIM_INFINITY)
		host.rlim_max = RLIM_INFINITY;
	return setrlimit(host_limit(resource), &host);
}

static int shim_clock_gettime(int clock, struct timespec *now)
{
	if (clock != 6)
		libsystem_untranslated("clock", clock);
	return clock_gettime(CLOCK_MONOTONIC, now);
}

const struct libsystem_row libsystem_files[] = {
	{ "_open", shim_open },
	{ "_fcntl", shim_fcntl },
	{ "_fstat$INODE64", shim_fstat },
	{ "_lstat$INODE64", shim_lstat },
	{ "_fstatat$INODE64", shim_fstatat },
	{ "_fchmodat", shim_fchmodat },
	{ "_fchownat", shim_fchownat },
	{ "_linkat", shim_linkat },
	{ "_renameat", shim_renameat },
	{ "_unlinkat", shim_unlinkat },
	{ "_mmap", shim_mmap },
	{ "_getrlimit", shim_getrlimit },
	{ "_setrlimit", shim_setrlimit },
	{ "_clock_gettime", shim_clock_gettime },
	{ NULL, NULL },
};
