/* SPDX-License-Identifier: BSD-3-Clause */
/* A client of the odd device, with its own driver service for each test. */
#ifndef TESTS_LIB_ODD_HOST_H
#define TESTS_LIB_ODD_HOST_H

#include "provider/soft/odd/odd.h"
#include "tests/lib/rig.h"

#include <apple-dext-client.h>

#define ODD_HOST_MEMORY 65536u
#define ODD_HOST_IOVA	UINT64_C(0x7000000)

struct odd_host {
	struct rig rig;
	io_connect_t connection;
	uint8_t registers; /* memory index of BAR4 */
	uint8_t *memory;   /* NULL: none registered */
	uint64_t bus;
};

/* Serve "odd,addr=01:00.0,@keys" and claim it. An error fails the current test. */
void odd_host_open(struct odd_host *host, const char *keys);
void odd_host_close(struct odd_host *host);
/* Register ODD_HOST_MEMORY bytes for DMA at ODD_HOST_IOVA. */
void odd_host_add_memory(struct odd_host *host);

uint64_t odd_host_get(struct odd_host *host, uint64_t offset, unsigned width);
void odd_host_set(struct odd_host *host, uint64_t offset, unsigned width, uint64_t value);
uint64_t odd_host_config(struct odd_host *host, uint64_t offset, unsigned width);
/* Run a transfer and wait for its end. Return: DMA_STATUS. */
uint32_t odd_host_transfer(struct odd_host *host, uint64_t source, uint64_t destination,
	uint32_t length, uint32_t control);

#endif
