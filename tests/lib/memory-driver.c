/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/memory-driver.h"

#include <unistd.h>

struct memory_driver memory_driver;

static kern_return_t new_client(
	void *driver, uint32_t type, struct iouser_peer *peer, void **client)
{
	(void)type, (void)peer;
	*client = driver;
	return kIOReturnSuccess;
}

static kern_return_t call(void *client, struct iouser_arguments *arguments)
{
	(void)client;
	if (arguments->selector == MEMORY_DRIVER_EXIT)
		_exit(0);
	return kIOReturnSuccess;
}

static kern_return_t give_memory(void *client, uint32_t memory_type, struct iouser_memory *memory)
{
	(void)client;
	memory_driver.asked++;
	*memory = memory_driver.memory;
	if (memory_driver.status == kIOReturnSuccess)
		memory_driver.in_use[memory_type]++;
	return memory_driver.status;
}

static void unmapped(void *client, uint32_t memory_type)
{
	(void)client;
	memory_driver.in_use[memory_type]--;
}

static void closed(void *client)
{
	(void)client;
}

const struct iouser_class memory_driver_class = {
	.new_user_client = new_client,
	.external_method = call,
	.copy_client_memory = give_memory,
	.client_unmapped = unmapped,
	.client_closed = closed,
};
