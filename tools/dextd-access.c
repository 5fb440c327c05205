/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextd-access.h"
#include "tools/cli.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GROUPS_MAX 256

/* A user with its groups, or a group. */
struct subject {
	const char *kind; /* "user", "a member of group" */
	unsigned id;
	uid_t uid; /* (uid_t)-1 for a group */
	gid_t groups[GROUPS_MAX];
	int group_count;
};

static struct subject of_user(uid_t uid)
{
	struct subject subject = { .kind = "user", .id = uid, .uid = uid };
	const struct passwd *user = getpwuid(uid);

	subject.group_count = user ? GROUPS_MAX : 0;
	if (user &&
		getgrouplist(user->pw_name, user->pw_gid, subject.groups, &subject.group_count) < 0)
		subject.group_count = GROUPS_MAX; /* the others are ignored */
	return subject;
}

static struct subject of_group(gid_t gid)
{
	return (struct subject){ .kind = "a member of group",
		.id = gid,
		.uid = (uid_t)-1,
		.groups = { gid },
		.group_count = 1 };
}

static bool may_enter(const struct subject *subject, const struct stat *folder)
{
	if (subject->uid == 0)
		return true;
	if (subject->uid == folder->st_uid)
		return folder->st_mode & S_IXUSR;
	for (int i = 0; i < subject->group_count; i++)
		if (subject->groups[i] == folder->st_gid)
			return folder->st_mode & S_IXGRP;
	return folder->st_mode & S_IXOTH;
}

/* Report the first folder of the absolute @path that the subject may not enter. */
static void check_path(const struct subject *subject, const char *path)
{
	char name[PATH_MAX];
	struct stat status;

	for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		int length = slash == path ? 1 : (int)(slash - path);

		snprintf(name, sizeof(name), "%.*s", length, path);
		if (stat(name, &status) != 0 || may_enter(subject, &status))
			continue;
		cli_error("socket %s: %s %u may not enter the folder %s (mode %04o, user %u, "
			  "group %u) and cannot connect, unless an ACL of the folder allows it",
			path, subject->kind, subject->id, name, (unsigned)status.st_mode & 07777,
			(unsigned)status.st_uid, (unsigned)status.st_gid);
		return;
	}
}

static void list_allowed(const struct iouser_server_options *options)
{
	for (size_t i = 0; i < options->allowed_uid_count; i++)
		fprintf(stderr, ", user %u", (unsigned)options->allowed_uids[i]);
	for (size_t i = 0; i < options->allowed_gid_count; i++)
		fprintf(stderr, ", group %u", (unsigned)options->allowed_gids[i]);
}

void access_report(const struct iouser_server_options *options)
{
	char path[PATH_MAX];
	struct subject subject;
	struct stat status;

	if ((!options->allowed_uid_count && !options->allowed_gid_count) ||
		!realpath(options->path, path) || stat(path, &status) != 0)
		return;
	fprintf(stderr, "dextd: socket %s: mode %04o; served are its owner, root", options->path,
		(unsigned)status.st_mode & 07777);
	list_allowed(options);
	fprintf(stderr, "; others are refused\n");
	for (size_t i = 0; i < options->allowed_uid_count; i++) {
		subject = of_user(options->allowed_uids[i]);
		check_path(&subject, path);
	}
	for (size_t i = 0; i < options->allowed_gid_count; i++) {
		subject = of_group(options->allowed_gids[i]);
		check_path(&subject, path);
	}
}
