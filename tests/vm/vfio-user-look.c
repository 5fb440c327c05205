/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio-user-look SOCKET: a vfio-user client for scripts. It connects, negotiates the version, and
 * prints vendor and device ID, the numbers of regions and of IRQ types, and the first register
 * of BAR 0. It remains connected, and prints them again for each line of standard input.
 *
 * Exit status: 0 when the last query found a device, else 1. Ids of all ones are no device.
 */
#include "tests/lib/vfio-user-client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool failed(const char *what, int error)
{
	printf("vfio-user-look: %s: %s\n", what, error < 0 ? "connection closed" : strerror(error));
	fflush(stdout);
	return false;
}

static bool negotiate(struct vu_client *client, const char *path)
{
	int error = vu_client_try_connect(client, path);

	if (error != 0)
		return failed(path, error);
	error = vu_client_negotiate(client);
	return error == 0 || failed("version", error);
}

static bool look(struct vu_client *client)
{
	struct vfio_user_device_info info = { .argsz = sizeof(info) };
	uint32_t ids = 0, reg = 0;
	uint16_t command = 2; /* Memory Space Enable */
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
	if (!negotiate(&client, argv[1]))
		return EXIT_FAILURE;
	seen = look(&client);
	while (fgets(line, sizeof(line), stdin))
		seen = look(&client);
	vu_client_close(&client);
	return seen ? EXIT_SUCCESS : EXIT_FAILURE;
}
