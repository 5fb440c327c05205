/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client to look at: it claims the device at 01:00.0, registers two DMA regions, takes
 * interrupts, says "ready", and makes calls until its standard input ends.
 */
#include <apple-dext-client.h>
#include <poll.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define REGION_SIZE 16384u

static alignas(REGION_SIZE) unsigned char memory[2 * REGION_SIZE];

static void need(const char *what, kern_return_t result)
{
	if (result == kIOReturnSuccess)
		return;
	fprintf(stderr, "dma-client: %s: 0x%08x\n", what, (unsigned)result);
	exit(EXIT_FAILURE);
}

static void set_up(io_connect_t connection)
{
	need("claim", apple_dext_claim(connection));
	need("first region", apple_dext_register_dma(connection, 0x100000, (uintptr_t)memory,
				     REGION_SIZE, NULL, NULL));
	need("second region", apple_dext_register_dma(connection, 0x200000,
				      (uintptr_t)(memory + REGION_SIZE), REGION_SIZE, NULL, NULL));
	need("interrupts", apple_dext_setup_interrupts(connection, NULL));
}

int main(void)
{
	io_connect_t connection = apple_dext_connect(1, 0, 0);
	struct pollfd input = { .fd = 0, .events = POLLIN };
	uint64_t word;

	if (connection == IO_OBJECT_NULL) {
		fprintf(stderr, "dma-client: %s\n", apple_dext_last_error());
		return EXIT_FAILURE;
	}
	set_up(connection);
	puts("ready");
	fflush(stdout);
	while (poll(&input, 1, 20) == 0) {
		kern_return_t status = apple_dext_probe_dma(connection, 0x100000, 8, &word);

		/* A probe that a loaded machine delays for a second times out; the next is busy. */
		if (status != kIOReturnSuccess && status != kIOReturnTimeout &&
			status != kIOReturnBusy)
			break; /* the test removed the device, or ended the driver */
	}
	apple_dext_disconnect(connection);
	return EXIT_SUCCESS;
}
