/* SPDX-License-Identifier: BSD-3-Clause */
/* What every command checks of its arguments, and replies to queries. */
#include "tests/lib/vfio-user-rig.h"
#include "vfio-user/commands.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* --- The table ----------------------------------------------------------------------- */

static void test_every_command_checks_its_payload_size(void **state)
{
	unsigned char payload[64] = { 0 };

	for (uint16_t command = 0; command < 32; command++) {
		const struct vu_command *row = vu_command_find(command);

		if (!row || !row->handler)
			continue;
		for (uint32_t size = 0; size < row->payload_min; size++)
			assert_int_equal(
				vu_client_exchange(*state, command, payload, size, NULL, 0, NULL),
				EINVAL);
	}
}

static void test_every_command_refuses_unexpected_descriptors(void **state)
{
	unsigned char payload[64] = { 0 };
	int fds[20];
	size_t before = count_fds();

	for (size_t i = 0; i < 20; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	for (uint16_t command = 0; command < 32; command++) {
		const struct vu_command *row = vu_command_find(command);

		if (!row || !row->handler)
			continue;
		assert_int_equal(vu_client_exchange(*state, command, payload, row->payload_min, fds,
					 row->fds_max + 1, NULL),
			EINVAL);
		expect_fds(before + 20);
	}
	for (size_t i = 0; i < 20; i++)
		close(fds[i]);
}

static void test_unknown_commands_are_refused(void **state)
{
#define ONE_MORE(number, name) +1
	/* Commands are numbered from 1, without gaps. */
	static const uint16_t commands[] = { 0, 1 VFIO_USER_COMMANDS(ONE_MORE), 255, 999,
		UINT16_MAX };
#undef ONE_MORE

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_int_equal(
			vu_client_exchange(*state, commands[i], "abc", 3, NULL, 0, NULL), EINVAL);
	assert_int_equal(vu_client_config(*state, 0, 2), 0x1b36);
}

static void test_commands_that_are_not_offered_are_not_supported(void **state)
{
	static const uint16_t commands[] = { VFIO_USER_DMA_READ, VFIO_USER_DMA_WRITE,
		VFIO_USER_DIRTY_PAGES, VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_DATA_WRITE };
	unsigned char payload[32] = { 32 };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_int_equal(vu_client_exchange(*state, commands[i], payload, sizeof(payload),
					 NULL, 0, NULL),
			ENOTSUP);
}

/* --- argsz ----------------------------------------------------------------------- */

/* argsz, the first 32 bits of a payload, must not be less than the payload. */
static void test_argsz_covers_the_payload(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t size;
		struct {
			uint32_t argsz, words[7];
		} payload;
		int error; /* with a valid argsz */
	} cases[] = {
		{ VFIO_USER_DMA_MAP, 32, { .words = { VFIO_USER_F_DMA_REGION_READ, [5] = 0x1000 } },
			0 },
		{ VFIO_USER_DMA_UNMAP, 24, { .words = { VFIO_DMA_UNMAP_FLAG_ALL } }, 0 },
		{ VFIO_USER_DEVICE_GET_INFO, 16, { .words = { 0 } }, 0 },
		{ VFIO_USER_DEVICE_GET_REGION_INFO, 32, { .words = { 0 } }, 0 },
		{ VFIO_USER_DEVICE_GET_REGION_IO_FDS, 16, { .words = { 0 } }, 0 },
		{ VFIO_USER_DEVICE_GET_IRQ_INFO, 16, { .words = { 0 } }, 0 },
		{ VFIO_USER_DEVICE_SET_IRQS, 20,
			{ .words = { VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
				  VFIO_PCI_MSIX_IRQ_INDEX, 0, 1 } },
			0 },
		/* The structure, and one byte per interrupt. */
		{ VFIO_USER_DEVICE_SET_IRQS, 22,
			{ .words = { VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER,
				  VFIO_PCI_MSIX_IRQ_INDEX, 0, 2 } },
			0 },
		{ VFIO_USER_DEVICE_FEATURE, 8, { .words = { VFIO_DEVICE_FEATURE_GET } }, ENOTTY },
		{ VFIO_USER_DEVICE_FEATURE, 16, { .words = { VFIO_DEVICE_FEATURE_SET } }, ENOTTY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char payload[sizeof(cases[i].payload)];

		for (uint32_t less = 0; less <= cases[i].size; less++) {
			uint32_t argsz = cases[i].size - less;

			memcpy(payload, &cases[i].payload, sizeof(payload));
			memcpy(payload, &argsz, sizeof(argsz));
			assert_int_equal(vu_client_exchange(*state, cases[i].command, payload,
						 cases[i].size, NULL, 0, NULL),
				less == 0 ? cases[i].error : EINVAL);
		}
	}
}

/* --- Queries ------------------------------------------------------------------------- */

static void test_device_info(void **state)
{
	struct vfio_user_device_info info = { .argsz = 32 };
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_INFO, &info, sizeof(info),
				 NULL, 0, reply),
		0);
	assert_int_equal(reply->size, sizeof(info));
	memcpy(&info, reply->payload, sizeof(info));
	assert_int_equal(info.argsz, 16);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	info.argsz = 15;
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_INFO, &info, sizeof(info),
				 NULL, 0, NULL),
		EINVAL);
	free(reply);
}

static void test_region_info(void **state)
{
	static const uint64_t sizes[VFIO_PCI_NUM_REGIONS] = { FAKE_BAR0_SIZE, 0, FAKE_BAR2_SIZE, 0,
		FAKE_BAR4_SIZE, 0, 0, 4096, 0 };
	struct vu_reply *reply = malloc(sizeof(*reply));
	struct vfio_user_region_info info;

	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		info = (struct vfio_user_region_info){ .argsz = sizeof(info), .index = i };
		assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_REGION_INFO, &info,
					 sizeof(info), NULL, 0, reply),
			0);
		assert_int_equal(reply->size, sizeof(info));
		memcpy(&info, reply->payload, sizeof(info));
		assert_int_equal(info.argsz, sizeof(info));
		assert_int_equal(info.index, i);
		assert_int_equal(info.size, sizes[i]);
		assert_int_equal(info.flags, sizes[i] != 0 ? 3 : 0);
		assert_int_equal(info.cap_offset, 0);
	}
	info = (struct vfio_user_region_info){ .argsz = sizeof(info),
		.index = VFIO_PCI_NUM_REGIONS };
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_REGION_INFO, &info,
				 sizeof(info), NULL, 0, NULL),
		EINVAL);
	info = (struct vfio_user_region_info){ .argsz = 8 };
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_REGION_INFO, &info,
				 sizeof(info), NULL, 0, NULL),
		EINVAL);
	free(reply);
}

static int io_fds(struct rig *rig, struct vfio_user_region_io_fds info, struct vu_reply *reply)
{
	return vu_client_exchange(&rig->client, VFIO_USER_DEVICE_GET_REGION_IO_FDS, &info,
		sizeof(info), NULL, 0, reply);
}

static void test_no_region_has_io_fds(void **state)
{
	struct vu_reply *reply = malloc(sizeof(*reply));

	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		struct vfio_user_region_io_fds info = { .argsz = 4096, .index = i }, found;

		assert_int_equal(io_fds(*state, info, reply), 0);
		assert_int_equal(reply->size, sizeof(info));
		memcpy(&found, reply->payload, sizeof(found));
		assert_int_equal(found.argsz, sizeof(info));
		assert_int_equal(found.flags, 0);
		assert_int_equal(found.index, i);
		assert_int_equal(found.count, 0);
	}
	assert_int_equal(
		io_fds(*state, (struct vfio_user_region_io_fds){ .argsz = 15 }, reply), EINVAL);
	assert_int_equal(io_fds(*state,
				 (struct vfio_user_region_io_fds){
					 .argsz = 16, .index = VFIO_PCI_NUM_REGIONS },
				 reply),
		EINVAL);
	assert_int_equal(
		io_fds(*state, (struct vfio_user_region_io_fds){ .argsz = 16, .flags = 1 }, reply),
		EINVAL);
	assert_int_equal(
		io_fds(*state, (struct vfio_user_region_io_fds){ .argsz = 16, .count = 1 }, reply),
		EINVAL);
	free(reply);
}

static int feature(struct rig *rig, uint32_t argsz, uint32_t flags)
{
	struct vfio_user_device_feature request = { .argsz = argsz, .flags = flags };

	return vu_client_exchange(
		&rig->client, VFIO_USER_DEVICE_FEATURE, &request, sizeof(request), NULL, 0, NULL);
}

static void test_no_feature_is_supported(void **state)
{
	static const uint32_t wrong[] = { 0, 1, 0x80000 | VFIO_DEVICE_FEATURE_GET, 0x80000000,
		VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET };

	for (uint32_t number = 0; number < 12; number++) {
		assert_int_equal(feature(*state, 8, number | VFIO_DEVICE_FEATURE_GET), ENOTTY);
		assert_int_equal(feature(*state, 8, number | VFIO_DEVICE_FEATURE_SET), ENOTTY);
		assert_int_equal(feature(*state, 8, number | VFIO_DEVICE_FEATURE_PROBE), ENOTTY);
		assert_int_equal(feature(*state, 8,
					 number | VFIO_DEVICE_FEATURE_PROBE |
						 VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET),
			ENOTTY);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(feature(*state, 8, wrong[i]), EINVAL);
	assert_int_equal(feature(*state, 7, VFIO_DEVICE_FEATURE_GET), EINVAL);
}

static void test_irq_info(void **state)
{
	static const uint32_t counts[VFIO_PCI_NUM_IRQS] = { 1, FAKE_MSI_VECTORS, FAKE_MSIX_VECTORS,
		0, 1 };
	struct vu_reply *reply = malloc(sizeof(*reply));
	struct vfio_user_irq_info info;

	for (uint32_t i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		info = (struct vfio_user_irq_info){ .argsz = sizeof(info), .index = i };
		assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_IRQ_INFO, &info,
					 sizeof(info), NULL, 0, reply),
			0);
		assert_int_equal(reply->size, sizeof(info));
		memcpy(&info, reply->payload, sizeof(info));
		assert_int_equal(info.argsz, sizeof(info));
		assert_int_equal(info.index, i);
		assert_int_equal(info.count, counts[i]);
		assert_int_equal(
			(info.flags & VFIO_IRQ_INFO_AUTOMASKED) != 0, i == VFIO_PCI_INTX_IRQ_INDEX);
		assert_true((info.flags & VFIO_IRQ_INFO_EVENTFD) != 0);
	}
	info = (struct vfio_user_irq_info){ .argsz = sizeof(info), .index = VFIO_PCI_NUM_IRQS };
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_IRQ_INFO, &info,
				 sizeof(info), NULL, 0, NULL),
		EINVAL);
	info = (struct vfio_user_irq_info){ .argsz = 4 };
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_GET_IRQ_INFO, &info,
				 sizeof(info), NULL, 0, NULL),
		EINVAL);
	free(reply);
}

static void test_device_reset(void **state)
{
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(fake_client_lock()->resets, 1);
	fake_client_unlock();
	fake_client_lock()->reset_result = kIOReturnTimeout;
	fake_client_unlock();
	assert_int_equal(vu_client_exchange(*state, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL),
		ETIMEDOUT);
}

/* --- A removed device ---------------------------------------------------------------- */

static void test_a_removed_device_reads_as_ones(void **state)
{
	struct rig *rig = *state;
	unsigned char data[4] = { 0 };

	fake_client_lock()->failure = MIG_SERVER_DIED;
	fake_client_unlock();
	assert_int_equal(vu_client_config(&rig->client, 0, 4), UINT32_MAX);
	assert_int_equal(vu_client_write(&rig->client, 0, 0, data, 4), 0);
	assert_int_equal(vu_client_read(&rig->client, 0, 0, data, 4), 0);
	assert_memory_equal(data, "\xff\xff\xff\xff", 4);
	assert_int_equal(
		vu_client_exchange(&rig->client, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL),
		ENODEV);
	rig_disconnect(rig);
	assert_int_equal(atomic_load(&rig->device->state), VU_DEVICE_REMOVED);
}

static void test_a_device_in_use_is_reported(void **state)
{
	struct vu_device_options options = { .bus = 1 };
	char error[VU_ERROR_SIZE];

	fake_client_lock()->claim_result = kIOReturnExclusiveAccess;
	fake_client_unlock();
	assert_null(vu_device_open(&options, error));
	assert_string_equal(error, "device 01:00.0 is in use by another client");
	fake_client_lock()->claim_result = kIOReturnSuccess;
	fake_client_unlock();
	options.bus = 2;
	assert_null(vu_device_open(&options, error));
	assert_string_equal(error, "no such device");
	(void)state;
}

static void test_a_device_may_have_a_root(void **state)
{
	struct vu_device_options options = { .bus = 1, .root = "right" };
	char error[VU_ERROR_SIZE];
	struct vu_device *device;

	assert_null(vu_device_open(&options, error));
	strcpy(options.root, "left");
	fake_client_stop(); /* the rig's connection has the interrupts */
	fake_client_restart();
	device = vu_device_open(&options, error);
	assert_non_null(device);
	assert_string_equal(vu_device_name(device), "left/01:00.0");
	vu_device_close(device);
	(void)state;
}

/* Open a device of its own. Return: whether it opens. @mapped: whether BAR 0 was mapped. */
static bool opens_bars(enum vu_bar_access access, bool *mapped)
{
	struct vu_device_options options = { .bus = 1, .bar_access = access };
	char error[VU_ERROR_SIZE];
	struct vu_device *device = vu_device_open(&options, error);

	*mapped = device && device->bars[0].mapped != 0;
	if (!device)
		assert_non_null(strstr(error, "device 01:00.0 cannot be set up: error 0x"));
	vu_device_close(device);
	return device != NULL;
}

static struct fake_client *restarted_driver(void)
{
	fake_client_stop(); /* the rig's own connection has the interrupts */
	fake_client_restart();
	return fake_client_lock();
}

static bool opens_with(kern_return_t asked, kern_return_t answer, bool *mapped)
{
	struct fake_client *driver = restarted_driver();

	driver->memory_status_result = asked;
	driver->map_result = answer;
	fake_client_unlock();
	return opens_bars(VU_BARS_MAPPED, mapped);
}

/* A BAR that fails to be mapped is accessed by calls only if the driver says so, or cannot say. */
static void test_the_driver_is_asked_whether_bars_can_be_mapped(void **state)
{
	bool mapped;

	(void)state;
	assert_true(opens_with(kIOReturnSuccess, kIOReturnSuccess, &mapped));
	assert_true(mapped);
	assert_true(opens_with(kIOReturnSuccess, kIOReturnNotReady, &mapped));
	assert_false(mapped);
	assert_false(opens_with(kIOReturnSuccess, kIOReturnNoMemory, &mapped));
	assert_true(opens_with(kIOReturnUnsupported, kIOReturnSuccess, &mapped));
	assert_true(mapped);
	assert_true(opens_with(kIOReturnUnsupported, kIOReturnNoMemory, &mapped));
	assert_false(mapped);
	assert_false(opens_with(kIOReturnTimeout, kIOReturnSuccess, &mapped));
}

static bool opens_polled(enum vu_bar_access access, kern_return_t asked, bool polls, bool *mapped)
{
	struct fake_client *driver = restarted_driver();

	driver->status_result = asked;
	driver->polls_bars = polls;
	fake_client_unlock();
	return opens_bars(access, mapped);
}

static void test_bars_that_a_device_polls_are_not_mapped(void **state)
{
	bool mapped;

	(void)state;
	assert_true(opens_polled(VU_BARS_AUTO, kIOReturnSuccess, true, &mapped));
	assert_false(mapped);
	assert_true(opens_polled(VU_BARS_AUTO, kIOReturnSuccess, false, &mapped));
	assert_true(mapped);
	assert_true(opens_polled(VU_BARS_MAPPED, kIOReturnSuccess, true, &mapped));
	assert_true(mapped);
	/* A driver that cannot tell. */
	assert_true(opens_polled(VU_BARS_AUTO, kIOReturnUnsupported, true, &mapped));
	assert_true(mapped);
	assert_false(opens_polled(VU_BARS_AUTO, kIOReturnTimeout, true, &mapped));
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(rig_setup_negotiated, test_every_command_checks_its_payload_size),
		ON(rig_setup_negotiated, test_every_command_refuses_unexpected_descriptors),
		ON(rig_setup_negotiated, test_unknown_commands_are_refused),
		ON(rig_setup_negotiated, test_commands_that_are_not_offered_are_not_supported),
		ON(rig_setup_negotiated, test_argsz_covers_the_payload),
		ON(rig_setup_negotiated, test_device_info),
		ON(rig_setup_negotiated, test_region_info),
		ON(rig_setup_negotiated, test_no_region_has_io_fds),
		ON(rig_setup_negotiated, test_no_feature_is_supported),
		ON(rig_setup_negotiated, test_irq_info),
		ON(rig_setup_negotiated, test_device_reset),
		ON(rig_setup_negotiated, test_a_removed_device_reads_as_ones),
		ON(rig_setup, test_a_device_in_use_is_reported),
		ON(rig_setup, test_a_device_may_have_a_root),
		ON(rig_setup, test_the_driver_is_asked_whether_bars_can_be_mapped),
		ON(rig_setup, test_bars_that_a_device_polls_are_not_mapped),
	};

	return cmocka_run_group_tests_name("vfio-user commands", tests, NULL, NULL);
}
