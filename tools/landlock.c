/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/landlock.h"

#ifndef __linux__

bool landlock_confine(const char *const *paths, size_t count)
{
	(void)paths, (void)count;
	return false;
}

#else

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel's ABI (Documentation/userspace-api/landlock.rst), since the headers of the build may
 * not have it. The numbers of the calls are the same on all architectures.
 */
#define CREATE_RULESET 444
#define ADD_RULE       445
#define RESTRICT_SELF  446

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1
#define ACCESS_FS_REMOVE_DIR   (UINT64_C(1) << 4)
#define ACCESS_FS_REMOVE_FILE  (UINT64_C(1) << 5)
#define ACCESS_FS_REFER	       (UINT64_C(1) << 13)
#define SCOPE_SIGNAL	       (UINT64_C(1) << 1)

/*
 * Versions of the ABI. Without REFER, a confined process cannot move files between folders, which
 * is how a socket gets its name.
 */
#define REFER_SINCE	       2
#define SCOPES_SINCE	       6

/* What is forbidden outside the folders of the sockets. */
#define REMOVAL		       (ACCESS_FS_REMOVE_DIR | ACCESS_FS_REMOVE_FILE | ACCESS_FS_REFER)

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_beneath {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

static int create_ruleset(void)
{
	struct ruleset ruleset = { .handled_access_fs = REMOVAL };
	size_t size = sizeof(ruleset.handled_access_fs);
	long version = syscall(CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);

	if (version < REFER_SINCE)
		return -1;
	/* An older kernel refuses a structure that is longer than it knows. */
	if (version >= SCOPES_SINCE) {
		ruleset.scoped = SCOPE_SIGNAL;
		size = sizeof(ruleset);
	}
	return (int)syscall(CREATE_RULESET, &ruleset, size, 0);
}

/* Open the folder of a file. */
static int open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (!slash)
		return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if ((size_t)(slash - path) >= sizeof(folder))
		return -1;
	snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool allow_removal(int ruleset, const char *path)
{
	struct path_beneath rule = { REMOVAL, open_folder(path) };
	bool allowed;

	if (rule.parent_fd < 0)
		return false;
	allowed = syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return allowed;
}

bool landlock_confine(const char *const *paths, size_t count)
{
	int ruleset = create_ruleset();
	bool confined = ruleset >= 0;

	for (size_t i = 0; i < count && confined; i++)
		confined = allow_removal(ruleset, paths[i]);
	confined = confined && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		   syscall(RESTRICT_SELF, ruleset, 0) == 0;
	if (ruleset >= 0)
		close(ruleset);
	return confined;
}

#endif
