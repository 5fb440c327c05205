/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver service or a device that disappears during a session, and may return. */
#include "tests/lib/vfio-user-rig.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RW (VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE)

/* The session checks its device every few milliseconds, and expects it to return. */
static int setup_with(void **state, enum vu_bar_access access)
{
	struct rig *rig;

	if (rig_setup_with(state, access, false) != 0)
		return -1;
	rig = *state;
	rig->loop.tick_ms = 5;
	rig->device->options.reconnect = true;
	rig_open(rig);
	/* Sent before the server runs, which rejects a client without VERSION after ten ticks. */
	vu_client_send_version(&rig->client);
	rig_begin(rig);
	assert_int_equal(vu_client_receive_version(&rig->client), 0);
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, VU_BARS_MAPPED);
}

static int setup_shared(void **state)
{
	return setup_with(state, VU_BARS_SHARED);
}

static int setup_without_return(void **state)
{
	int result = setup(state);

	((struct rig *)*state)->device->options.reconnect = false;
	return result;
}

static int map(struct rig *rig, uint64_t address, uint64_t size, bool shared)
{
	struct vfio_user_dma_map request = {
		.argsz = sizeof(request), .flags = RW, .address = address, .size = size
	};
	int fd = -1, error;

	if (shared) {
		fd = memory_new(size);
		error = vu_client_exchange(
			&rig->client, VFIO_USER_DMA_MAP, &request, sizeof(request), &fd, 1, NULL);
		close(fd);
		return error;
	}
	return vu_client_exchange(
		&rig->client, VFIO_USER_DMA_MAP, &request, sizeof(request), NULL, 0, NULL);
}

static int unmap(struct rig *rig, uint64_t address, uint64_t size)
{
	struct vfio_user_dma_unmap request = {
		.argsz = sizeof(request), .address = address, .size = size
	};

	return vu_client_exchange(
		&rig->client, VFIO_USER_DMA_UNMAP, &request, sizeof(request), NULL, 0, NULL);
}

/* Config space does not read as all ones. */
static bool device_responds(struct rig *rig)
{
	return vu_client_config(&rig->client, 0, 4) != UINT32_MAX;
}

static void wait_until_it_responds(struct rig *rig, bool wanted)
{
	while (device_responds(rig) != wanted)
		poll(NULL, 0, 1);
}

static void set_memory_and_master(struct rig *rig)
{
	vu_client_set_config(&rig->client, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void survive_a_restart(struct rig *rig)
{
	struct fake_client *device;
	int event = event_new();
	unsigned char data[4] = { 1, 2, 3, 4 };

	assert_int_equal(map(rig, 0, 0x10000, true), 0);
	assert_int_equal(map(rig, 0x100000, 0x1000, true), 0);
	assert_int_equal(map(rig, 0x200000, 0x1000, false), 0);
	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 3, 1, &event, 1),
		0);
	set_memory_and_master(rig);

	fake_client_stop();
	wait_until_it_responds(rig, false);
	assert_int_equal(vu_client_write(&rig->client, 0, 0, data, 4), 0);
	assert_int_equal(vu_client_read(&rig->client, 0, 0, data, 4), 0);
	assert_memory_equal(data, "\xff\xff\xff\xff", 4);
	assert_int_equal(
		vu_client_exchange(&rig->client, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL),
		ENODEV);
	/* Commands that need no device still work. */
	assert_int_equal(map(rig, 0x300000, 0x1000, true), 0);
	assert_int_equal(unmap(rig, 0x100000, 0x1000), 0);

	fake_client_restart();
	wait_until_it_responds(rig, true);
	device = fake_client_lock();
	assert_int_equal(device->connects, 2);
	assert_int_equal(device->disconnects, 1);
	assert_int_equal(device->fd_batches, 1);
	assert_int_equal(device->region_count, 2);
	assert_int_equal(device->regions[0].iova, 0);
	assert_int_equal(device->regions[0].size, 0x10000);
	assert_int_equal(device->regions[1].iova, 0x300000);
	assert_int_equal(device->config[PCI_COMMAND], PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(device->irq_mask[0], UINT64_MAX);
	fake_client_unlock();
	assert_int_equal(vu_client_write(&rig->client, 0, 0, data, 4), 0);
	raise_vector(3);
	assert_int_equal(event_read(event), 1);
	close(event);
}

static void test_a_restart_is_survived(void **state)
{
	survive_a_restart(*state);
}

/* The ranges are mapped then, once. */
static void test_a_restart_without_descriptors_is_survived(void **state)
{
	fake_client_lock()->takes_no_fds = true;
	fake_client_unlock();
	survive_a_restart(*state);
	assert_null(fake_client_lock()->regions[0].mapping);
	fake_client_unlock();
	rig_disconnect(*state);
	assert_int_equal(fake_client_lock()->region_count, 0);
	fake_client_unlock();
}

/* Its successor may take none, although it took them itself. */
static void test_a_successor_without_descriptors_gets_addresses(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(map(rig, 0, 0x10000, true), 0);
	fake_client_stop();
	wait_until_it_responds(rig, false);
	fake_client_lock()->takes_no_fds = true;
	fake_client_unlock();
	fake_client_restart();
	wait_until_it_responds(rig, true);
	assert_int_equal(fake_client_lock()->region_count, 1);
	fake_client_unlock();
	assert_int_equal(unmap(rig, 0, 0x10000), 0);
	assert_int_equal(fake_client_lock()->region_count, 0);
	fake_client_unlock();
}

static void test_writes_during_the_outage_are_restored(void **state)
{
	struct rig *rig = *state;
	uint8_t none[2] = { 0 };

	set_memory_and_master(rig);
	fake_client_stop();
	wait_until_it_responds(rig, false);
	assert_int_equal(
		vu_client_write(&rig->client, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, none, 2),
		0);
	/* Emulated registers work without a device. */
	vu_client_set_config(&rig->client, PCI_INTERRUPT_LINE, 1, 7);
	assert_int_equal(vu_client_config(&rig->client, PCI_INTERRUPT_LINE, 1), 7);
	fake_client_restart();
	wait_until_it_responds(rig, true);
	assert_int_equal(fake_client_lock()->config[PCI_COMMAND], 0);
	fake_client_unlock();
}

static void test_several_restarts_are_survived(void **state)
{
	struct rig *rig = *state;
	size_t fds;

	assert_int_equal(map(rig, 0, 0x10000, true), 0);
	fds = count_fds();
	for (unsigned i = 0; i < 20; i++) {
		fake_client_stop();
		wait_until_it_responds(rig, false);
		fake_client_restart();
		wait_until_it_responds(rig, true);
		assert_int_equal(fake_client_lock()->region_count, 1);
		fake_client_unlock();
	}
	expect_fds(fds);
}

static void test_a_map_that_finds_the_driver_dead_succeeds(void **state)
{
	struct rig *rig = *state;

	/* Before the server notices. */
	fake_client_stop();
	assert_int_equal(map(rig, 0, 0x10000, true), 0);
	fake_client_restart();
	wait_until_it_responds(rig, true);
	assert_int_equal(fake_client_lock()->region_count, 1);
	fake_client_unlock();
}

static void test_memory_that_cannot_be_registered_again_is_dropped(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(map(rig, 0, 0x10000, true), 0);
	fake_client_stop();
	wait_until_it_responds(rig, false);
	fake_client_lock()->register_result = kIOReturnNoSpace;
	fake_client_unlock();
	fake_client_restart();
	wait_until_it_responds(rig, true);
	assert_int_equal(fake_client_lock()->region_count, 0);
	fake_client_unlock();
	assert_int_equal(unmap(rig, 0, 0x10000), 0);
}

static void test_a_device_that_cannot_be_claimed_is_waited_for(void **state)
{
	struct rig *rig = *state;
	unsigned connects;

	fake_client_stop();
	wait_until_it_responds(rig, false);
	fake_client_lock()->claim_result = kIOReturnExclusiveAccess;
	fake_client_unlock();
	fake_client_restart();
	do {
		assert_false(device_responds(rig));
		connects = fake_client_lock()->connects;
		fake_client_unlock();
	} while (connects < 4);
	fake_client_lock()->claim_result = kIOReturnSuccess;
	fake_client_unlock();
	wait_until_it_responds(rig, true);
}

static void test_a_different_device_is_not_accepted(void **state)
{
	struct rig *rig = *state;
	int request = event_new();

	assert_int_equal(vu_client_set_irqs(
				 &rig->client, VFIO_PCI_REQ_IRQ_INDEX, CONNECT, 0, 1, &request, 1),
		0);
	fake_client_stop();
	fake_client_lock()->config[PCI_SUBSYSTEM_VENDOR_ID] ^= 1;
	fake_client_unlock();
	wait_until_it_responds(rig, false);
	fake_client_restart();
	while (event_read(request) == 0)
		poll(NULL, 0, 1);
	assert_false(device_responds(rig));
	assert_int_equal(atomic_load(&rig->device->state), VU_DEVICE_REMOVED);
	close(request);
}

/* Apple's IOKit has several codes for it, and each may also be that of another call. */
static void test_every_code_of_a_dead_driver_is_an_outage(void **state)
{
	static const kern_return_t codes[] = { kIOReturnOffline, kIOReturnNotReady, MIG_SERVER_DIED,
		MACH_SEND_INVALID_DEST };
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		fake_client_lock()->gone_result = codes[i];
		fake_client_unlock();
		assert_int_equal(vu_device_error(rig->device, codes[i]), ENODEV);
		assert_int_equal(atomic_load(&rig->device->state), VU_DEVICE_PRESENT);
		fake_client_stop();
		wait_until_it_responds(rig, false);
		assert_int_equal(atomic_load(&rig->device->state), VU_DEVICE_DISCONNECTED);
		fake_client_restart();
		wait_until_it_responds(rig, true);
	}
}

static void test_removal_asks_the_vmm_to_unplug(void **state)
{
	struct rig *rig = *state;
	int request = event_new();

	assert_int_equal(vu_client_set_irqs(
				 &rig->client, VFIO_PCI_REQ_IRQ_INDEX, CONNECT, 0, 1, &request, 1),
		0);
	assert_int_equal(event_read(request), 0);
	memset(fake_client_lock()->config, 0xff, 4);
	fake_client_unlock();
	/* Without a command of the client; requested again if the client does not unplug. */
	for (int i = 0; i < 2; i++)
		while (event_read(request) == 0)
			poll(NULL, 0, 1);
	assert_false(device_responds(rig));
	/* While it unplugs, the client unmaps its memory. */
	assert_int_equal(map(rig, 0, 0x10000, true), 0);
	assert_int_equal(unmap(rig, 0, 0x10000), 0);
	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0),
		0);
	close(request);
}

static void test_a_driver_that_is_not_expected_back_is_a_removal(void **state)
{
	struct rig *rig = *state;
	int request = event_new();

	assert_int_equal(vu_client_set_irqs(
				 &rig->client, VFIO_PCI_REQ_IRQ_INDEX, CONNECT, 0, 1, &request, 1),
		0);
	fake_client_stop();
	while (event_read(request) == 0)
		poll(NULL, 0, 1);
	close(request);
}

/* --- BARs that the client maps -------------------------------------------------------- */

/* Query a mappable BAR; close its descriptor, if any. */
static bool is_offered(struct rig *rig)
{
	struct vfio_user_region_info info = { .argsz = sizeof(info), .index = 4 };
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_non_null(reply);
	assert_int_equal(vu_client_exchange(&rig->client, VFIO_USER_DEVICE_GET_REGION_INFO, &info,
				 sizeof(info), NULL, 0, reply),
		0);
	memcpy(&info, reply->payload, sizeof(info));
	if (reply->fd >= 0)
		close(reply->fd);
	free(reply);
	return (info.flags & VFIO_REGION_INFO_FLAG_MMAP) != 0;
}

static void test_mapped_memory_does_not_survive_the_service(void **state)
{
	struct rig *rig = *state;
	int request = event_new();

	assert_int_equal(vu_client_set_irqs(
				 &rig->client, VFIO_PCI_REQ_IRQ_INDEX, CONNECT, 0, 1, &request, 1),
		0);
	assert_true(is_offered(rig));
	fake_client_stop();
	while (event_read(request) == 0)
		poll(NULL, 0, 1);
	fake_client_restart();
	/* The request is repeated: the device has not returned. */
	while (event_read(request) == 0)
		poll(NULL, 0, 1);
	assert_false(device_responds(rig));
	assert_int_equal(atomic_load(&rig->device->state), VU_DEVICE_REMOVED);
	assert_false(is_offered(rig));
	rig_disconnect(rig);
	assert_int_equal(fake_client_lock()->descriptors_out, 0);
	fake_client_unlock();
	/* For the next client any device is accepted. */
	assert_true(vu_device_reopen(rig->device, false));
	rig->loop.irq = rig->device->irq;
	rig_connect(rig);
	rig_negotiate(rig);
	assert_true(device_responds(rig));
	assert_true(is_offered(rig));
	close(request);
}

static struct vu_device *copying_device;

/* The notification queue is informed first. */
static void stop_service(void)
{
	fake_client_stop();
	vu_device_error(copying_device, MIG_SERVER_DIED);
}

static void test_memory_being_mapped_does_not_survive_the_service(void **state)
{
	struct rig *rig = *state;
	int request = event_new();

	assert_int_equal(vu_client_set_irqs(
				 &rig->client, VFIO_PCI_REQ_IRQ_INDEX, CONNECT, 0, 1, &request, 1),
		0);
	copying_device = rig->device;
	fake_client_lock()->descriptor_hook = stop_service;
	fake_client_unlock();
	assert_true(is_offered(rig));
	fake_client_restart();
	while (event_read(request) == 0 && !device_responds(rig))
		poll(NULL, 0, 1);
	assert_false(device_responds(rig));
	assert_int_equal(atomic_load(&rig->device->state), VU_DEVICE_REMOVED);
	close(request);
}

static void test_a_client_that_maps_nothing_survives_it(void **state)
{
	struct rig *rig = *state;

	fake_client_stop();
	wait_until_it_responds(rig, false);
	assert_false(is_offered(rig));
	fake_client_restart();
	wait_until_it_responds(rig, true);
	assert_true(is_offered(rig));
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(setup, test_a_restart_is_survived),
		ON(setup, test_a_restart_without_descriptors_is_survived),
		ON(setup, test_a_successor_without_descriptors_gets_addresses),
		ON(setup, test_writes_during_the_outage_are_restored),
		ON(setup, test_several_restarts_are_survived),
		ON(setup, test_a_map_that_finds_the_driver_dead_succeeds),
		ON(setup, test_memory_that_cannot_be_registered_again_is_dropped),
		ON(setup, test_a_device_that_cannot_be_claimed_is_waited_for),
		ON(setup, test_a_different_device_is_not_accepted),
		ON(setup, test_every_code_of_a_dead_driver_is_an_outage),
		ON(setup, test_removal_asks_the_vmm_to_unplug),
		ON(setup_without_return, test_a_driver_that_is_not_expected_back_is_a_removal),
		ON(setup_shared, test_mapped_memory_does_not_survive_the_service),
		ON(setup_shared, test_memory_being_mapped_does_not_survive_the_service),
		ON(setup_shared, test_a_client_that_maps_nothing_survives_it),
	};

	return cmocka_run_group_tests_name("vfio-user life", tests, NULL, NULL);
}
