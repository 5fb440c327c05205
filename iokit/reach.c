/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/reach.h"
#include "iokit/service.h"
#include "iokit/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <iokit-user/client.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static _Thread_local struct {
	int error;
	char text[IOU_REACH_SIZE];
} last;

static void say_denied(const char *where, const struct stat *status, const char *path)
{
	snprintf(last.text, sizeof(last.text),
		"no permission to reach the driver service at %s (%s): %s has mode %04o, user %u "
		"and "
		"group %u, and this process is user %u; dextd --group or --allow-uid lets others "
		"in",
		path, strerror(EACCES), where, (unsigned)status->st_mode & 07777,
		(unsigned)status->st_uid, (unsigned)status->st_gid, (unsigned)geteuid());
}

/* EACCES: a folder on the way may not be entered, or the socket not be written to. */
static void say_permission(const char *path)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)], where[sizeof(name) + 16];
	struct stat status;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int length = slash == path ? 1 : (int)(slash - path);

		snprintf(name, sizeof(name), "%.*s", length, path);
		if (faccessat(AT_FDCWD, name, X_OK, AT_EACCESS) == 0 || stat(name, &status) != 0)
			continue;
		snprintf(where, sizeof(where), "the folder %s", name);
		say_denied(where, &status, path);
		return;
	}
	if (stat(path, &status) == 0)
		say_denied("the socket", &status, path);
	else
		snprintf(last.text, sizeof(last.text),
			"no permission to reach the driver service at %s (%s)", path,
			strerror(EACCES));
}

void iou_reach_note(const char *path, int error)
{
	last.error = error;
	switch (error) {
	case 0:
		last.text[0] = '\0';
		return;
	case EACCES:
		say_permission(path);
		return;
	case EPERM:
		snprintf(last.text, sizeof(last.text),
			"the driver service at %s does not allow user %u (%s): dextd --allow-uid "
			"or "
			"--allow-gid lets others in",
			path, (unsigned)geteuid(), strerror(EPERM));
		return;
	case EUSERS:
		snprintf(last.text, sizeof(last.text),
			"the driver service at %s allows this process or user no more connections",
			path);
		return;
	case EPROTO:
		snprintf(last.text, sizeof(last.text),
			"what answers at %s does not speak version %u of the runtime's protocol",
			path, IOU_VERSION_MAJOR);
		return;
	case ENAMETOOLONG:
		snprintf(last.text, sizeof(last.text),
			"the socket path %.60s... is %zu bytes long (at most %zu)", path,
			strlen(path), sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return;
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		snprintf(last.text, sizeof(last.text), "no driver service at %s (%s)", path,
			strerror(error));
		return;
	default:
		snprintf(last.text, sizeof(last.text),
			"the driver service at %s cannot be reached (%s)", path, strerror(error));
	}
}

static kern_return_t status_of(int error)
{
	static const struct {
		int error;
		kern_return_t status;
	} known[] = {
		{ 0, kIOReturnSuccess },
		{ EACCES, kIOReturnNotPermitted },
		{ EPERM, kIOReturnNotPermitted },
		{ EUSERS, kIOReturnNoResources },
		{ EMFILE, kIOReturnNoResources },
		{ ENFILE, kIOReturnNoResources },
		{ ENOMEM, kIOReturnNoMemory },
		{ EPROTO, kIOReturnUnsupported },
		{ ENAMETOOLONG, kIOReturnBadArgument },
		{ ETIMEDOUT, kIOReturnTimeout },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].error == error)
			return known[i].status;
	return kIOReturnNotAttached;
}

kern_return_t IOUserServiceStatus(const char **why)
{
	if (iou_services_published())
		iou_reach_note("", 0);
	if (why)
		*why = last.text;
	return status_of(last.error);
}
