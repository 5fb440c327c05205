/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio-user-look SOCKET: a vfio-user client for scripts, where no VMM is at hand. It
 * connects, agrees on the version, and tells what there is: numbers of regions and
 * interrupt kinds, ids from config space, and the first register of BAR 0. It stays
 * connected and looks once more for each line of standard input.
 *
 * Exit status: 0 when the last look saw a device, else 1. One that reads as ones is none.
 */
#include "tests/lib/vfio-user-client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool failed(const char *what, int error)
{
	printf("vfio-user-look: %s: %s\n", what, error < 0 ? "hung up" : strerror(error));
	fflush(stdout);
	return false;
}

/* As vu_client_agree(), which takes a socket that cannot be connected to for a bug. */
static bool agree(struct vu_client *client, const char *path)
{
	const struct vfio_user_version version = { VFIO_USER_VERSION_MAJOR,
		VFIO_USER_VERSION_MINOR };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int error;

	*client = (struct vu_client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (strlen(path) >= sizeof(address.sun_path))
		return failed(path, ENAMETOOLONG);
	strcpy(address.sun_path, path);
	if (connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return failed(path, errno);
	error = vu_client_call(
		client, VFIO_USER_VERSION, &version, sizeof(version), NULL, 0, NULL, 0);
	return error == 0 || failed("version", error);
}

static bool look(struct vu_client *client)
{
	struct vfio_user_device_info info = { .argsz = sizeof(info) };
	uint32_t ids = 0, reg = 0;
	uint16_t command = 2; /* memory space: BARs answer */
	int error = vu_client_call(client, VFIO_USER_DEVICE_GET_INFO, &info, sizeof(info), NULL, 0,
		&info, sizeof(info));

	if (error != 0)
		return failed("device info", error);
	error = vu_client_read(client, VFIO_PCI_CONFIG_REGION_INDEX, 0, &ids, sizeof(ids));
	if (error == 0 && ids == UINT32_MAX)
		error = ENODEV;
	if (error != 0)
		return failed("config", error);
	error = vu_client_write(client, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command, sizeof(command));
	if (error == 0)
		error = vu_client_read(client, 0, 0, &reg, sizeof(reg));
	if (error != 0)
		return failed("BAR 0", error);
	printf("%04x:%04x, %u regions, %u interrupt kinds, BAR 0 begins with %08x\n", ids & 0xffffu,
		ids >> 16, info.num_regions, info.num_irqs, reg);
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct vu_client client;
	bool seen;
	char line[64];

	if (argc != 2) {
		fputs("Usage: vfio-user-look SOCKET\n", stderr);
		return 2;
	}
	if (!agree(&client, argv[1]))
		return EXIT_FAILURE;
	seen = look(&client);
	while (fgets(line, sizeof(line), stdin))
		seen = look(&client);
	close(client.fd);
	return seen ? EXIT_SUCCESS : EXIT_FAILURE;
}
