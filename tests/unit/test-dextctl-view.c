/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device as text and as JSON. The calls of the client library are faked here, also for
 * drivers without some of them.
 */
#include "tools/dextctl/view.h"
#include "tests/lib/cmocka-all.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION ((io_connect_t)7)

/* The results of the fakes. */
static struct {
	uint8_t config[DEXT_CONFIG_SIZE];
	size_t config_read; /* end of the last read */
	kern_return_t config_result, bar_result, status_result, limits_result;
	struct view_bar bars[DEXT_BARS];
	AppleDextStatus status;
	AppleDextDMALimits limits;
} device;

kern_return_t apple_dext_config_read_block(
	io_connect_t connection, uint64_t offset, void *buf, size_t len)
{
	assert_int_equal(connection, CONNECTION);
	assert_true(len <= DEXT_CONFIG_SIZE && offset <= DEXT_CONFIG_SIZE - len);
	if (device.config_result != kIOReturnSuccess)
		return device.config_result;
	memcpy(buf, device.config + offset, len);
	device.config_read = offset + len;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_get_bar_info(io_connect_t connection, uint8_t bar, uint8_t *out_mem_idx,
	uint64_t *out_size, uint8_t *out_type)
{
	(void)out_mem_idx;
	assert_int_equal(connection, CONNECTION);
	assert_true(bar < DEXT_BARS);
	if (device.bar_result != kIOReturnSuccess)
		return device.bar_result;
	if (!device.bars[bar].present)
		return kIOReturnNotFound;
	*out_size = device.bars[bar].size;
	*out_type = device.bars[bar].type;
	return kIOReturnSuccess;
}

kern_return_t apple_dext_get_status(io_connect_t connection, AppleDextStatus *out_status)
{
	assert_int_equal(connection, CONNECTION);
	*out_status = device.status;
	return device.status_result;
}

kern_return_t apple_dext_get_dma_limits(io_connect_t connection, AppleDextDMALimits *out_limits)
{
	assert_int_equal(connection, CONNECTION);
	*out_limits = device.limits;
	return device.limits_result;
}

static const uint8_t header[64] = {
	[0x00] = 0x36,
	0x1b,
	0x10,
	0x00,
	0x06,
	0x04,
	0x10,
	0x00,
	0x02,
	0x02,
	0x08,
	0x01,
	[0x2c] = 0xf4,
	0x1a,
	0x00,
	0x11,
	[0x34] = 0x40,
	[0x3d] = 0x01,
};

static void put(size_t offset, const uint8_t *bytes, size_t count)
{
	memcpy(device.config + offset, bytes, count);
}

#define PUT(offset, ...)                                                                           \
	put(offset, (const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

/* An NVMe endpoint with each kind of BAR and capability. */
static int setup(void **state)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return -1;
	memset(&device, 0, sizeof(device));
	memcpy(device.config, header, sizeof(header));
	PUT(0x40, 0x01, 0x60, 0x03, 0x00);
	PUT(0x60, 0x10, 0x80, 0x02, 0x00, 0x00, 0x00, 0x00, 0x10);
	PUT(0x80, 0x11, 0x00, 0x08, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x30, 0x00, 0x00);
	PUT(0x100, 0x01, 0x00, 0x02, 0x00);
	device.bars[0] = (struct view_bar){ true, DEXT_BAR_MEM64, 16384 };
	device.bars[2] = (struct view_bar){ true, DEXT_BAR_IO, 64 };
	device.bars[4] = (struct view_bar){ true, DEXT_BAR_PREFETCHABLE, 1u << 20 };
	device.status = (AppleDextStatus){ .claims = 1,
		.clients = 2,
		.interrupt_vectors = 9,
		.interrupt_kind = DEXT_INTERRUPT_MSIX,
		.dma_regions = 3,
		.dma_bytes = 3u << 20,
		.resets = 4 };
	device.limits = (AppleDextDMALimits){ .kind = DEXT_IOMMU_DART,
		.bytes = UINT64_C(3) << 29,
		.maps = 65536,
		.bytes_used = 3u << 20,
		.maps_used = 3 };
	view->identity = (AppleDextIdentity){ 1, 0, 0, 0x1b36, 0x0010, 0x010802 };
	*state = view;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static char *print(const struct view *view)
{
	struct names *names = names_open(true);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	view_print(view, names, out);
	fclose(out);
	names_close(names);
	return text;
}

static void test_text(void **state)
{
	struct view *view = *state;
	char *text;

	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	text = print(view);
	assert_string_equal(text,
		"01:00.0 0108: 1b36:0010 (rev 02) (prog-if 02)\n"
		"\tIDs:          1b36:0010, class 010802\n"
		"\tSubsystem:    1af4:1100\n"
		"\tControl:      I/O- Mem+ BusMaster+ DisINTx+\n"
		"\tRegion 0:     Memory (64-bit, non-prefetchable) [size=16K]\n"
		"\tRegion 2:     I/O ports [size=64]\n"
		"\tRegion 4:     Memory (32-bit, prefetchable) [size=1M]\n"
		"\tInterrupts:   MSI-X, 9 vectors\n"
		"\tClaim:        claimed by 1 client, opened by 1\n"
		"\tDMA:          3 regions [size=3M], 0 faults\n"
		"\tResets:       4\n"
		"\tDMA limits:   dart, 3M of 1536M, 3 of 65536 mappings\n"
		"\tCapabilities: [40] Power Management version 3, in D0\n"
		"\t              [60] Express (v2) Endpoint, MSI 00, FLReset+\n"
		"\t              [80] MSI-X: Enable- Count=9 Masked-, table in BAR 0 at 00002000, "
		"PBA in BAR 0 at 00003000\n"
		"\t              [100 v2] Advanced Error Reporting\n");
	free(text);
}

/* The title is that of lspci, without the root. */
static void test_text_with_a_root(void **state)
{
	struct view *view = *state;
	char *text, address[PCI_ADDRESS_SIZE];

	strcpy(view->root, "le\033ft");
	device.limits.bytes = device.limits.maps = UINT64_MAX;
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	text = print(view);
	assert_ptr_equal(strstr(text, "01:00.0 "), text);
	assert_non_null(strstr(text, "\n\tRoot:         le?ft\n\tIDs: "));
	assert_null(strstr(text, "DMA limits"));
	free(text);
	view_address(view, address);
	assert_string_equal(address, "le?ft/01:00.0");
}

static void test_text_of_an_old_driver(void **state)
{
	struct view *view = *state;
	char *text;

	device.status_result = device.limits_result = kIOReturnUnsupported;
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	assert_string_equal(view_claim(view), "unknown");
	text = print(view);
	assert_non_null(strstr(text, "\n\tInterrupts:   MSI-X, 9 vectors\n\tClaim:        unknown\n"
				     "\tCapabilities: "));
	assert_null(strstr(text, "DMA:"));
	free(text);
}

static void test_broken_chain(void **state)
{
	struct view *view = *state;
	char *text;

	device.config[0x81] = 0x40;
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	text = print(view);
	assert_non_null(strstr(text, "\n\t              <the chain loops: 80 leads back to 40>\n"));
	free(text);

	device.config[0x06] = 0;
	memset(view, 0, sizeof(*view));
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	text = print(view);
	assert_non_null(strstr(text, "\n\tCapabilities: none\n"));
	free(text);
}

static void test_depth(void **state)
{
	struct view *view = *state;

	assert_int_equal(view_read(CONNECTION, VIEW_BRIEF, view), kIOReturnSuccess);
	assert_int_equal(device.config_read, 256);
	assert_false(view->bars_known);

	/* Without an Express capability there is no extended config space. */
	memset(view, 0, sizeof(*view));
	device.config[0x60] = 0x09;
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	assert_int_equal(device.config_read, 256);
	assert_true(view->bars_known);
}

static void test_errors(void **state)
{
	struct view *view = *state;

	device.limits_result = kIOReturnTimeout;
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnTimeout);
	assert_false(view->limits_known);
	memset(view, 0, sizeof(*view));
	device.bar_result = kIOReturnOffline;
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnOffline);
	assert_false(view->bars_known);
	device.config_result = kIOReturnTimeout;
	memset(view, 0, sizeof(*view));
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnTimeout);
	assert_int_equal(view->config_size, 0);
	device.status_result = MIG_SERVER_DIED;
	assert_int_equal(view_read(CONNECTION, VIEW_BRIEF, view), MIG_SERVER_DIED);
	assert_false(view->status_known);
}

static void assert_interrupts(
	const struct view *view, enum dext_interrupt_kind kind, unsigned vectors)
{
	struct view_interrupts interrupts = view_interrupts(view);

	assert_true(interrupts.known);
	assert_int_equal(interrupts.kind, kind);
	assert_int_equal(interrupts.vectors, vectors);
}

/* From the driver's status; if it is unknown or invalid, from config space. */
static void test_interrupts(void **state)
{
	struct view *view = *state;

	assert_false(view_interrupts(view).known);
	device.status.interrupt_vectors = 5;
	assert_int_equal(view_read(CONNECTION, VIEW_BRIEF, view), kIOReturnSuccess);
	assert_interrupts(view, DEXT_INTERRUPT_MSIX, 5);
	view->status.interrupt_kind = 77;
	assert_interrupts(view, DEXT_INTERRUPT_MSIX, 9);

	view->status_known = false;
	view->config[0x80] = 0x05;
	caps_read(view->config, view->config_size, &view->caps);
	assert_interrupts(view, DEXT_INTERRUPT_MSI, 16);
	view->config[0x80] = 0x09;
	caps_read(view->config, view->config_size, &view->caps);
	assert_interrupts(view, DEXT_INTERRUPT_INTX, 1);
	view->config[0x3d] = 0;
	assert_interrupts(view, DEXT_INTERRUPT_NONE, 0);
}

static void test_claims(void **state)
{
	struct view *view = *state;

	assert_string_equal(view_claim(view), "unknown");
	view->status_known = true;
	assert_string_equal(view_claim(view), "free");
	view->status.claims = 2;
	assert_string_equal(view_claim(view), "claimed");
	view->status.claimed_exclusive = true;
	assert_string_equal(view_claim(view), "exclusive");
}

static struct json_object *at(struct json_object *object, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(object, key, &value));
	return value;
}

static void assert_text(struct json_object *object, const char *key, const char *text)
{
	assert_true(json_object_is_type(at(object, key), json_type_string));
	assert_string_equal(json_object_get_string(at(object, key)), text);
}

static void assert_number(struct json_object *object, const char *key, int64_t number)
{
	assert_true(json_object_is_type(at(object, key), json_type_int));
	assert_int_equal(json_object_get_int64(at(object, key)), number);
}

static void assert_bool(struct json_object *object, const char *key, bool value)
{
	assert_true(json_object_is_type(at(object, key), json_type_boolean));
	assert_int_equal(json_object_get_boolean(at(object, key)), value);
}

static struct json_object *to_json(const struct view *view, enum view_depth depth)
{
	struct names *names = names_open(true);
	struct json_object *object = view_json(view, names, depth);

	names_close(names);
	return object;
}

static void assert_identity(struct json_object *object)
{
	assert_text(object, "address", "01:00.0");
	assert_null(at(object, "root"));
	assert_text(object, "vendor_id", "0x1b36");
	assert_text(object, "device_id", "0x0010");
	assert_text(object, "class_code", "0x010802");
	assert_text(object, "revision", "0x02");
	assert_null(at(object, "vendor_name"));
	assert_null(at(object, "device_name"));
	assert_null(at(object, "class_name"));
	assert_text(at(object, "claim"), "state", "claimed");
	assert_number(at(object, "claim"), "claims", 1);
	assert_number(at(object, "claim"), "clients", 1);
	assert_text(at(object, "interrupts"), "kind", "msi-x");
	assert_number(at(object, "interrupts"), "vectors", 9);
}

static void assert_bars(struct json_object *bars)
{
	struct json_object *bar;

	assert_int_equal(json_object_array_length(bars), 3);
	bar = json_object_array_get_idx(bars, 0);
	assert_number(bar, "bar", 0);
	assert_text(bar, "kind", "memory");
	assert_number(bar, "bits", 64);
	assert_bool(bar, "prefetchable", false);
	assert_number(bar, "size", 16384);
	bar = json_object_array_get_idx(bars, 1);
	assert_number(bar, "bar", 2);
	assert_text(bar, "kind", "io");
	bar = json_object_array_get_idx(bars, 2);
	assert_number(bar, "bits", 32);
	assert_bool(bar, "prefetchable", true);
}

static void assert_caps(struct json_object *caps)
{
	struct json_object *cap;

	assert_int_equal(json_object_array_length(caps), 4);
	cap = json_object_array_get_idx(caps, 2);
	assert_text(cap, "id", "0x11");
	assert_text(cap, "name", "MSI-X");
	assert_number(cap, "offset", 0x80);
	assert_bool(cap, "extended", false);
	assert_number(at(cap, "details"), "vectors", 9);
	assert_number(at(cap, "details"), "pba_offset", 0x3000);
	assert_bool(at(json_object_array_get_idx(caps, 1), "details"), "flr", true);
	assert_text(at(json_object_array_get_idx(caps, 1), "details"), "type", "Endpoint");
	cap = json_object_array_get_idx(caps, 3);
	assert_text(cap, "id", "0x0001");
	assert_bool(cap, "extended", true);
	assert_number(at(cap, "details"), "version", 2);
}

static void test_json(void **state)
{
	struct view *view = *state;
	struct json_object *object;

	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	object = to_json(view, VIEW_WHOLE);
	assert_identity(object);
	assert_text(at(object, "subsystem"), "vendor_id", "0x1af4");
	assert_text(at(object, "subsystem"), "device_id", "0x1100");
	assert_text(object, "command", "0x0406");
	assert_bars(at(object, "bars"));
	assert_caps(at(object, "capabilities"));
	assert_null(at(object, "capabilities_broken"));
	assert_number(at(object, "dma"), "bytes", 3 << 20);
	assert_text(at(at(object, "dma"), "limits"), "iommu", "dart");
	assert_number(at(at(object, "dma"), "limits"), "bytes", INT64_C(3) << 29);
	assert_number(at(at(object, "dma"), "limits"), "maps_used", 3);
	assert_number(object, "resets", 4);
	json_object_put(object);

	view->limits = (AppleDextDMALimits){ .kind = 9, .bytes = UINT64_MAX, .maps = UINT64_MAX };
	object = to_json(view, VIEW_WHOLE);
	assert_text(at(at(object, "dma"), "limits"), "iommu", "unknown");
	assert_null(at(at(at(object, "dma"), "limits"), "bytes"));
	json_object_put(object);
	view->limits_known = false;
	object = to_json(view, VIEW_WHOLE);
	assert_null(at(at(object, "dma"), "limits"));
	json_object_put(object);

	object = to_json(view, VIEW_BRIEF);
	assert_identity(object);
	assert_false(json_object_object_get_ex(object, "bars", NULL));
	json_object_put(object);
}

/* All keys are present. */
static void test_json_of_an_old_driver(void **state)
{
	struct view *view = *state;
	struct json_object *object;

	device.status_result = kIOReturnUnsupported;
	device.config[0x0e] = 1; /* a bridge: no subsystem in the header */
	assert_int_equal(view_read(CONNECTION, VIEW_WHOLE, view), kIOReturnSuccess);
	object = to_json(view, VIEW_WHOLE);
	assert_text(at(object, "claim"), "state", "unknown");
	assert_null(at(at(object, "claim"), "claims"));
	assert_null(at(at(object, "claim"), "clients"));
	assert_null(at(object, "dma"));
	assert_null(at(object, "resets"));
	assert_null(at(object, "subsystem"));
	json_object_put(object);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_text),
		CASE(test_text_with_a_root),
		CASE(test_text_of_an_old_driver),
		CASE(test_broken_chain),
		CASE(test_depth),
		CASE(test_errors),
		CASE(test_interrupts),
		CASE(test_claims),
		CASE(test_json),
		CASE(test_json_of_an_old_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
