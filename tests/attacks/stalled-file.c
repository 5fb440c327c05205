/* SPDX-License-Identifier: BSD-3-Clause */
/* A FUSE file system of one file that leaves requests unanswered, without libfuse. */
#include "tests/attacks/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NODE = 2 };
#define FOR_EVER UINT32_MAX

static void reply(
	int fuse, const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct {
		struct fuse_out_header header;
		unsigned char data[256];
	} out = { .header = { .len = (uint32_t)(sizeof(out.header) + size),
			  .error = -error,
			  .unique = in->unique } };

	if (size)
		memcpy(out.data, data, size);
	(void)!write(fuse, &out, out.header.len);
}

static struct fuse_attr attributes(uint64_t node)
{
	bool is_file = node == FILE_NODE;

	return (struct fuse_attr){ .ino = node,
		.size = is_file ? STALLED_FILE_SIZE : 0,
		.mode = is_file ? S_IFREG | 0666 : S_IFDIR | 0777,
		.nlink = 1,
		.blksize = 4096 };
}

static void answer_init(int fuse, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096
	};

	reply(fuse, in, 0, &init, sizeof(init));
}

static void answer_lookup(int fuse, const struct fuse_in_header *in, bool silent)
{
	struct fuse_entry_out entry = { .nodeid = FILE_NODE,
		.entry_valid = FOR_EVER,
		.attr_valid = silent ? 0 : FOR_EVER,
		.attr = attributes(FILE_NODE) };

	reply(fuse, in, 0, &entry, sizeof(entry));
}

static void answer_attributes(int fuse, const struct fuse_in_header *in, bool silent)
{
	struct fuse_attr_out attr = { .attr_valid = FOR_EVER, .attr = attributes(in->nodeid) };

	if (!silent || in->nodeid != FILE_NODE)
		reply(fuse, in, 0, &attr, sizeof(attr));
}

/* Requests of the attackers' own processes are answered. */
static bool is_of_victim(const struct fuse_in_header *in, pid_t victim)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u", (int)victim, in->pid);
	return access(path, F_OK) == 0;
}

static void answer(int fuse, const struct fuse_in_header *in, pid_t victim, bool silent)
{
	struct fuse_open_out opened = { .open_flags = 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		answer_init(fuse, in);
		break;
	case FUSE_LOOKUP:
		answer_lookup(fuse, in, silent);
		break;
	case FUSE_GETATTR:
		answer_attributes(fuse, in, silent && is_of_victim(in, victim));
		break;
	case FUSE_OPEN:
		reply(fuse, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* requests without a reply */
	default:
		if (!is_of_victim(in, victim))
			reply(fuse, in, ENOSYS, NULL, 0);
	}
}

/* Until the process exits; then all pending requests fail. */
static void serve(int fuse, pid_t victim, bool silent)
{
	static _Alignas(8) char request[FUSE_MIN_READ_BUFFER + 4096];
	const struct fuse_in_header *in = (const void *)request;

	while (read(fuse, request, sizeof(request)) >= (ssize_t)sizeof(*in) || errno == EINTR)
		answer(fuse, in, victim, silent);
}

/* Mounted in a private mount namespace, so that it ends with this process and its children. */
static bool mount_fuse(int fuse, const char *folder)
{
	char options[128];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		fuse);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("attack", folder, "fuse", MS_NOSUID | MS_NODEV, options) == 0;
}

int make_stalled_file(pid_t victim, bool silent_attributes)
{
	char folder[] = "/tmp/dextpci-stall-XXXXXX", path[64];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), fd = -1;

	if (fuse < 0 || !mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	if (mount_fuse(fuse, folder) && fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fuse, victim, silent_attributes);
		_exit(0);
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	close(fuse);
	/* The path is not needed any more. */
	umount2(folder, MNT_DETACH);
	rmdir(folder);
	return fd;
}
