/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands with a fake of the client library: addresses with roots, dma, irq trigger, reset and
 * remove, and their errors.
 */
#include "tools/dextctl/dextctl.h"
#include "tests/lib/capture.h"
#include "tests/lib/cmocka-all.h"

#include <iokit-user/client.h>
#include <iokit-user/service.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES_MAX 4

static struct {
	AppleDextDevice devices[DEVICES_MAX];
	size_t device_count;
	char connected_root[16];
	unsigned connects, disconnects;
	kern_return_t service_status; /* without devices */
	kern_return_t list_result, limits_result, regions_result, trigger_result, remove_result,
		claim_result, reset_result;
	AppleDextDMALimits limits;
	AppleDextStatus status;
	AppleDextRegionInfo regions[3];
	AppleDextClientInfo clients[2];
	size_t region_count;
	uint32_t triggered;
	bool removed;
} driver;

static char *output, *errors;

bool iouser_service_probe(char *error, size_t error_size)
{
	snprintf(error, error_size, "no driver service");
	return driver.device_count;
}

kern_return_t IOUserServiceStatus(const char **why)
{
	(void)why;
	return driver.device_count ? kIOReturnSuccess : driver.service_status;
}

kern_return_t apple_dext_copy_bound_devices(AppleDextDevice **out_devices, size_t *out_count)
{
	*out_devices = NULL;
	if (driver.list_result != kIOReturnSuccess)
		return driver.list_result;
	*out_devices = cli_allocate(sizeof(driver.devices));
	memcpy(*out_devices, driver.devices, sizeof(driver.devices));
	*out_count = driver.device_count;
	return kIOReturnSuccess;
}

void apple_dext_free_bound_devices(AppleDextDevice *devices)
{
	free(devices);
}

/* A connection is a device's number, from 1 on. */
io_connect_t apple_dext_connect_with_root(
	const char *root, uint8_t bus, uint8_t device, uint8_t function)
{
	assert_non_null(root);
	for (size_t i = 0; i < driver.device_count; i++) {
		const AppleDextIdentity *identity = &driver.devices[i].identity;

		if (strcmp(root, driver.devices[i].root) != 0 || identity->bus != bus ||
			identity->device != device || identity->function != function)
			continue;
		strcpy(driver.connected_root, root);
		driver.connects++;
		return (io_connect_t)(i + 1);
	}
	return IO_OBJECT_NULL;
}

const char *apple_dext_last_error(void)
{
	return "refused";
}

void apple_dext_disconnect(io_connect_t connection)
{
	driver.disconnects += connection != IO_OBJECT_NULL;
}

kern_return_t apple_dext_get_identity(io_connect_t connection, AppleDextIdentity *out_identity)
{
	assert_in_range(connection, 1, driver.device_count);
	*out_identity = driver.devices[connection - 1].identity;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_claim(io_connect_t connection)
{
	(void)connection;
	return driver.claim_result;
}

kern_return_t apple_dext_get_status(io_connect_t connection, AppleDextStatus *out_status)
{
	(void)connection;
	*out_status = driver.status;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_get_dma_limits(io_connect_t connection, AppleDextDMALimits *out_limits)
{
	(void)connection;
	*out_limits = driver.limits;
	return driver.limits_result;
}

kern_return_t apple_dext_copy_dma_regions(
	io_connect_t connection, AppleDextRegionInfo **out_regions, size_t *out_count)
{
	(void)connection;
	*out_regions = NULL;
	if (driver.regions_result != kIOReturnSuccess)
		return driver.regions_result;
	if (driver.region_count) {
		*out_regions = cli_allocate(sizeof(driver.regions));
		memcpy(*out_regions, driver.regions, sizeof(driver.regions));
	}
	*out_count = driver.region_count;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_copy_clients(
	io_connect_t connection, AppleDextClientInfo **out_clients, size_t *out_count)
{
	(void)connection;
	*out_clients = cli_allocate(sizeof(driver.clients));
	memcpy(*out_clients, driver.clients, sizeof(driver.clients));
	*out_count = sizeof(driver.clients) / sizeof(driver.clients[0]);
	return kIOReturnSuccess;
}

kern_return_t apple_dext_trigger_interrupt(io_connect_t connection, uint32_t vector)
{
	(void)connection;
	driver.triggered = vector;
	return driver.trigger_result;
}

kern_return_t apple_dext_reset_device(io_connect_t connection)
{
	(void)connection;
	return driver.reset_result;
}

kern_return_t apple_dext_remove_device(io_connect_t connection)
{
	(void)connection;
	driver.removed = driver.remove_result == kIOReturnSuccess;
	return driver.remove_result;
}

static AppleDextDevice device(const char *root, uint8_t bus)
{
	AppleDextDevice device = { .identity = { .bus = bus } };

	strcpy(device.root, root);
	return device;
}

static int setup(void **state)
{
	(void)state;
	memset(&driver, 0, sizeof(driver));
	driver.devices[0] = device("", 1);
	driver.devices[1] = device("", 2);
	driver.devices[2] = device("left", 2);
	driver.devices[3] = device("right", 3);
	driver.device_count = 4;
	driver.limits = (AppleDextDMALimits){ .kind = DEXT_IOMMU_DART,
		.bytes = 3u << 29,
		.maps = 65536,
		.bytes_used = 0x6000,
		.maps_used = 2 };
	driver.status = (AppleDextStatus){ .interrupt_vectors = 9, .dma_faults = 5, .claims = 1 };
	driver.clients[0] = (AppleDextClientInfo){ .client = 4, .pid = getpid() };
	driver.clients[1] = (AppleDextClientInfo){ .client = 5, .is_caller = true };
	driver.regions[0] = (AppleDextRegionInfo){ .client = 4,
		.segments = 1,
		.iova = 0x1000,
		.size = 0x4000,
		.bus_address = 0xfff00000,
		.bus_length = 0x4000 };
	driver.regions[1] = (AppleDextRegionInfo){ .client = 7,
		.segments = 2,
		.iova = UINT64_MAX - 0x1fff,
		.size = 0x2000,
		.bus_address = 0,
		.bus_length = 0x1000 };
	driver.region_count = 2;
	output = errors = NULL;
	return 0;
}

static void forget_output(void)
{
	free(output);
	free(errors);
	output = errors = NULL;
}

static int teardown(void **state)
{
	(void)state;
	forget_output();
	/* Each connection is closed. */
	return driver.connects == driver.disconnects ? 0 : -1;
}

/* Run a command on two arguments at most; output and errors are those of this run. */
static enum ctl_exit run(
	const struct ctl_command *command, bool json, const char *first, const char *second)
{
	struct ctl_options options = { .json = json, .width = 4 };
	char *arguments[] = { (char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL };
	enum ctl_exit status;

	capture_begin();
	status = command->run(&options, arguments);
	capture_end(&output, &errors);
	return status;
}

static void assert_one_error(const char *text)
{
	char *line = cli_format("dextpci: %s\n", text);

	assert_string_equal(errors, line);
	assert_string_equal(output, "");
	free(line);
}

static void test_roots(void **state)
{
	(void)state;
	assert_int_equal(run(&ctl_dma, false, "left/02:00.0", NULL), CTL_OK);
	assert_string_equal(driver.connected_root, "left");
	assert_ptr_equal(strstr(output, "left/02:00.0\n"), output);
	/* The root is optional if only one device has the address; it is printed. */
	assert_int_equal(run(&ctl_dma, false, "03:00.0", NULL), CTL_OK);
	assert_string_equal(driver.connected_root, "right");
	assert_ptr_equal(strstr(output, "right/03:00.0\n"), output);
	assert_int_equal(run(&ctl_dma, false, "/02:00.0", NULL), CTL_OK);
	assert_string_equal(driver.connected_root, "");
	assert_ptr_equal(strstr(output, "02:00.0\n"), output);
}

static void test_bad_addresses(void **state)
{
	(void)state;
	assert_int_equal(run(&ctl_dma, false, "02:00.0", NULL), CTL_FAILED);
	assert_one_error("02:00.0: 2 devices have this address, on several PCI roots: expected "
			 "one of /02:00.0, left/02:00.0");
	assert_int_equal(run(&ctl_dma, false, "right/02:00.0", NULL), CTL_FAILED);
	assert_one_error("right/02:00.0: no such device (there are: 01:00.0, 02:00.0, "
			 "left/02:00.0, right/03:00.0)");
	assert_int_equal(run(&ctl_dma, false, "le ft/02:00.0", NULL), CTL_USAGE);
	assert_one_error("le ft/02:00.0: expected a PCI root of 1 to 15 letters, digits, '_', "
			 "'.' and '-' before the '/'");
	assert_int_equal(driver.connects, 0);
	driver.list_result = kIOReturnNoMemory;
	assert_int_equal(run(&ctl_dma, false, "01:00.0", NULL), CTL_FAILED);
	driver.device_count = 0;
	/* If a service refuses the connection, starting another does not help. */
	driver.service_status = kIOReturnNotPermitted;
	assert_int_equal(run(&ctl_dma, false, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("no driver service");
	driver.service_status = kIOReturnNotAttached;
	assert_int_equal(run(&ctl_dma, false, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("no driver service: start one with dextd --device SPEC");
}

static void test_dma_text(void **state)
{
	char *row = cli_format("\n4       %d ", (int)getpid());

	(void)state;
	assert_int_equal(run(&ctl_dma, false, "01:00.0", NULL), CTL_OK);
	assert_ptr_equal(strstr(output, "01:00.0\n"
					"\tIOMMU:   dart\n"
					"\tMapped:  24K of 1536M, 2 of 65536 mappings\n"
					"\tFaults:  5\n"
					"\nCLIENT  PID"),
		output);
	assert_non_null(strstr(output, row));
	assert_non_null(strstr(output, "0x1000              16K   1         0xfff00000\n"));
	assert_non_null(strstr(output, "0xffffffffffffe000  8K    2         0x0\n"));
	free(row);

	driver.region_count = 0;
	driver.limits =
		(AppleDextDMALimits){ .bytes = UINT64_MAX, .maps = UINT64_MAX, .maps_used = 1 };
	assert_int_equal(run(&ctl_dma, false, "01:00.0", NULL), CTL_OK);
	assert_string_equal(output, "01:00.0\n\tIOMMU:   identity\n\tMapped:  0, 1 mapping\n"
				    "\tFaults:  5\n\tRegions: none\n");
}

static struct json_object *at(struct json_object *object, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(object, key, &value));
	return value;
}

static void test_dma_json(void **state)
{
	struct json_object *object, *region;

	(void)state;
	assert_int_equal(run(&ctl_dma, true, "01:00.0", NULL), CTL_OK);
	object = json_tokener_parse(output);
	assert_non_null(object);
	assert_int_equal(json_object_get_int(at(object, "faults")), 5);
	assert_int_equal(json_object_get_int(at(at(object, "limits"), "bytes")), 3u << 29);
	assert_int_equal(json_object_array_length(at(object, "regions")), 2);
	region = json_object_array_get_idx(at(object, "regions"), 0);
	assert_int_equal(json_object_get_int(at(region, "pid")), getpid());
	assert_non_null(at(region, "command"));
	assert_string_equal(
		json_object_get_string(at(region, "bus_address")), "0x00000000fff00000");
	region = json_object_array_get_idx(at(object, "regions"), 1);
	assert_null(at(region, "pid"));
	assert_null(at(region, "command"));
	assert_int_equal(json_object_get_int(at(region, "segments")), 2);
	json_object_put(object);
}

static void test_dma_of_an_old_driver(void **state)
{
	(void)state;
	driver.limits_result = kIOReturnUnsupported;
	assert_int_equal(run(&ctl_dma, false, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("01:00.0: limits of DMA: the driver or the device does not support it "
			 "(0xe00002c7)");
	driver.limits_result = kIOReturnSuccess;
	driver.regions_result = MIG_SERVER_DIED;
	assert_int_equal(run(&ctl_dma, true, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("01:00.0: DMA regions: the driver has gone (0xfffffecc)");
}

static void test_trigger(void **state)
{
	(void)state;
	assert_int_equal(run(&ctl_irq_trigger, false, "01:00.0", "8"), CTL_OK);
	assert_int_equal(driver.triggered, 8);
	assert_string_equal(output, "");
	assert_int_equal(run(&ctl_irq_trigger, true, "01:00.0", "0x7"), CTL_OK);
	assert_int_equal(driver.triggered, 7);
	assert_non_null(strstr(output, "\"vector\": 7"));
	assert_int_equal(run(&ctl_irq_trigger, false, "01:00.0", "256"), CTL_USAGE);
	assert_one_error("VECTOR 256: too large a number, at most 255");
	driver.trigger_result = kIOReturnBadArgument;
	assert_int_equal(run(&ctl_irq_trigger, false, "01:00.0", "9"), CTL_FAILED);
	assert_one_error("01:00.0: vector 9: no such vector (0 to 8)");
	driver.status.interrupt_vectors = 0;
	assert_int_equal(run(&ctl_irq_trigger, false, "01:00.0", "0"), CTL_FAILED);
	assert_one_error("01:00.0: the device has no interrupts");
	driver.trigger_result = kIOReturnUnsupported;
	assert_int_equal(run(&ctl_irq_trigger, true, "01:00.0", "0"), CTL_FAILED);
	assert_one_error("01:00.0: vector 0: not triggered: only software devices' interrupts "
			 "can be");
}

static void test_reset(void **state)
{
	(void)state;
	driver.status.claims = 0;
	assert_int_equal(run(&ctl_reset, true, "01:00.0", NULL), CTL_OK);
	assert_non_null(strstr(output, "\"reset\": true"));
	driver.reset_result = kIOReturnTimeout;
	assert_int_equal(run(&ctl_reset, true, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("01:00.0: not reset: timeout (0xe00002d6)");
	driver.claim_result = kIOReturnExclusiveAccess;
	assert_int_equal(run(&ctl_reset, false, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("01:00.0: claim refused: another client, such as a virtual machine, has "
			 "claimed the device exclusively");
}

static void test_remove(void **state)
{
	(void)state;
	assert_int_equal(run(&ctl_remove, true, "01:00.0", NULL), CTL_OK);
	assert_true(driver.removed);
	assert_non_null(strstr(output, "\"removed\": true"));
	assert_string_equal(errors,
		"dextpci: note: 01:00.0: 1 other client has claimed it, and sees the removal\n");
	driver.status.claims = 0;
	driver.remove_result = kIOReturnUnsupported;
	assert_int_equal(run(&ctl_remove, false, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("01:00.0: not removed: only software devices can be");
	driver.remove_result = kIOReturnTimeout;
	assert_int_equal(run(&ctl_remove, true, "01:00.0", NULL), CTL_FAILED);
	assert_one_error("01:00.0: not removed: timeout (0xe00002d6)");
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_roots),
		CASE(test_bad_addresses),
		CASE(test_dma_text),
		CASE(test_dma_json),
		CASE(test_dma_of_an_old_driver),
		CASE(test_trigger),
		CASE(test_reset),
		CASE(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
