/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/asserts.h"
#include "tests/lib/odd-host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void odd_host_open(struct odd_host *host, const char *keys)
{
	const char *specs[] = { NULL, NULL };
	char spec[160];

	memset(host, 0, sizeof(*host));
	snprintf(spec, sizeof(spec), "odd,addr=01:00.0%s%s", *keys ? "," : "", keys);
	specs[0] = spec;
	assert_true(rig_start(&host->rig, specs));
	host->connection = apple_dext_connect(1, 0, 0);
	assert_int_not_equal(host->connection, IO_OBJECT_NULL);
	assert_ok(apple_dext_claim(host->connection));
	assert_ok(apple_dext_get_bar_info(
		host->connection, ODD_BAR_REGISTERS, &host->registers, NULL, NULL));
}

void odd_host_close(struct odd_host *host)
{
	apple_dext_disconnect(host->connection);
	free(host->memory);
	assert_true(rig_stop(&host->rig));
}

void odd_host_add_memory(struct odd_host *host)
{
	host->memory = aligned_alloc(16384, ODD_HOST_MEMORY);
	assert_non_null(host->memory);
	memset(host->memory, 0, ODD_HOST_MEMORY);
	assert_ok(apple_dext_register_dma(host->connection, ODD_HOST_IOVA, (uintptr_t)host->memory,
		ODD_HOST_MEMORY, &host->bus, NULL));
}

uint64_t odd_host_get(struct odd_host *host, uint64_t offset, unsigned width)
{
	uint64_t value;

	assert_ok(apple_dext_mmio_read(host->connection, host->registers, offset, width, &value));
	return value;
}

void odd_host_set(struct odd_host *host, uint64_t offset, unsigned width, uint64_t value)
{
	assert_ok(apple_dext_mmio_write(host->connection, host->registers, offset, width, value));
}

uint64_t odd_host_config(struct odd_host *host, uint64_t offset, unsigned width)
{
	uint64_t value;

	assert_ok(apple_dext_config_read(host->connection, offset, width, &value));
	return value;
}

uint32_t odd_host_transfer(struct odd_host *host, uint64_t source, uint64_t destination,
	uint32_t length, uint32_t control)
{
	uint32_t status = 0;

	odd_host_set(host, ODD_SOURCE, 8, source);
	odd_host_set(host, ODD_DESTINATION, 8, destination);
	odd_host_set(host, ODD_LENGTH, 4, length);
	odd_host_set(host, ODD_CONTROL, 4, control | ODD_CONTROL_GO);
	for (unsigned i = 0; i < 60000 && !(status & ODD_DMA_DONE); i++) {
		status = (uint32_t)odd_host_get(host, ODD_DMA_STATUS, 4);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return status;
}
