/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of a driver in the same process, without a socket and another thread. */
#include "benchmarks/bench.h"
#include "driver/driver.h"
#include "provider/spec.h"

#include <apple-dext-client.h>
#include <stdio.h>

#define CALLS 1000

static struct dext_driver *driver;
static io_connect_t connection;

static uint64_t __attribute__((noinline)) identity(uint64_t argument)
{
	return argument;
}

static uint64_t (*volatile function)(uint64_t) = identity;

static double call_pointer(void *unused)
{
	double began = bench_now();

	(void)unused;
	for (uint64_t i = 0; i < CALLS; i++)
		function(i);
	return (bench_now() - began) / CALLS;
}

static double config_read(void *unused)
{
	double began = bench_now();
	uint64_t value;

	(void)unused;
	for (unsigned i = 0; i < CALLS; i++)
		if (apple_dext_config_read(connection, 0, 4, &value) != kIOReturnSuccess)
			return -1;
	return (bench_now() - began) / CALLS;
}

static double mmio_read(void *unused)
{
	double began = bench_now();
	uint64_t value;

	(void)unused;
	for (unsigned i = 0; i < CALLS; i++)
		if (apple_dext_mmio_read(connection, 0, 0, 4, &value) != kIOReturnSuccess)
			return -1;
	return (bench_now() - began) / CALLS;
}

static bool begin(void)
{
	struct spec_error error;
	struct pci_provider *provider = provider_create("nvme,addr=01:00.0,size=1M", &error);

	if (!provider) {
		fprintf(stderr, "dextpci: %s\n", error.text);
		return false;
	}
	driver = dext_driver_create(provider);
	if (!driver)
		return false;
	connection = apple_dext_connect(1, 0, 0);
	return apple_dext_claim(connection) == kIOReturnSuccess;
}

static void end(void)
{
	apple_dext_disconnect(connection);
	if (driver)
		dext_driver_destroy(driver);
}

static const struct bench_case cases[] = {
	{ "call through a pointer", 0, call_pointer, NULL },
	{ "config read, in-process", 0, config_read, NULL },
	{ "MMIO read, in-process", 0, mmio_read, NULL },
};

const struct bench_group bench_in_process = {
	.name = "in-process",
	.title = "Driver in the same process",
	.cases = cases,
	.case_count = sizeof(cases) / sizeof(*cases),
	.burst = 1,
	.seconds = 2,
	.begin = begin,
	.end = end,
};
