/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts: from the device's vectors to eventfds, in every form of SET_IRQS. */
#include "tests/lib/vfio-user-rig.h"

/* --- Connecting ---------------------------------------------------------------------- */

static void test_msix_has_an_eventfd_for_each_vector(void **state)
{
	int fds[4];

	for (size_t i = 0; i < 4; i++)
		fds[i] = event_new();
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 4, fds, 4), 0);
	raise_vector(2);
	assert_int_equal(event_read(fds[2]), 1);
	raise_vector(0);
	raise_vector(0);
	assert_int_equal(event_read(fds[0]), 2);
	assert_int_equal(event_read(fds[1]) + event_read(fds[2]) + event_read(fds[3]), 0);
	close_all(fds, 4);
}

/* As QEMU sends a whole table: descriptors in chunks, with vectors without eventfd in between. */
static void test_large_sets_in_chunks(void **state)
{
	int fds[FAKE_MSIX_VECTORS];

	for (size_t i = 0; i < FAKE_MSIX_VECTORS; i++)
		fds[i] = event_new();
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 16, fds, 16), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 16, 4, NULL, 0), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 20, 16, fds + 20, 16),
		0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 36, 4, fds + 36, 4),
		0);
	for (unsigned i = 0; i < FAKE_MSIX_VECTORS; i++) {
		raise_vector(i);
		assert_int_equal(event_read(fds[i]), i < 16 || i >= 20);
	}
	close_all(fds, FAKE_MSIX_VECTORS);
}

static void test_an_eventfd_is_replaced(void **state)
{
	int fds[2] = { event_new(), event_new() };
	size_t before = count_fds();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 5, 1, &fds[0], 1), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 5, 1, &fds[1], 1), 0);
	raise_vector(5);
	assert_int_equal(event_read(fds[0]), 0);
	assert_int_equal(event_read(fds[1]), 1);
	expect_fds(before + 1);
	close_all(fds, 2);
}

/* An interrupt between two eventfds stays pending, and is not lost. */
static void test_interrupts_before_the_eventfd_are_pending(void **state)
{
	int fd = event_new();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, NULL, 0), 0);
	raise_vector(3);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 3, 1, &fd, 1), 0);
	assert_int_equal(event_read(fd), 1);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 3, 1, NULL, 0), 0);
	raise_vector(3);
	raise_vector(3);
	assert_int_equal(event_read(fd), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 3, 1, &fd, 1), 0);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_disabling_discards_pending_interrupts(void **state)
{
	int fd = event_new();
	size_t before = count_fds();
	struct fake_client *device;

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &fd, 1), 0);
	assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0),
		0);
	raise_vector(0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
	expect_fds(before);
	raise_vector(0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &fd, 1), 0);
	assert_int_equal(event_read(fd), 0);
	/* While no eventfd is connected, the device's vectors are masked. */
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
	device = fake_client_lock();
	assert_int_equal(device->irq_mask[0] | device->irq_mask[3], 0);
	fake_client_unlock();
	close(fd);
}

static void test_msi_signals_all_vectors(void **state)
{
	int fds[4];

	for (size_t i = 0; i < 4; i++)
		fds[i] = event_new();
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSI_IRQ_INDEX, CONNECT, 0, 4, fds, 4), 0);
	raise_vector(1);
	raise_vector(5);
	raise_vector(39);
	assert_int_equal(event_read(fds[1]), 2);
	assert_int_equal(event_read(fds[3]), 1);
	assert_int_equal(event_read(fds[0]) + event_read(fds[2]), 0);
	close_all(fds, 4);
}

/* --- INTx ---------------------------------------------------------------------------- */

static int unmask_intx(struct rig *rig)
{
	return vu_client_set_irqs(&rig->client, VFIO_PCI_INTX_IRQ_INDEX,
		VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL, 0);
}

static void test_intx_is_masked_automatically(void **state)
{
	int fd = event_new();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 1, &fd, 1), 0);
	raise_vector(7);
	assert_int_equal(event_read(fd), 1);
	raise_vector(7);
	raise_vector(8);
	assert_int_equal(event_read(fd), 0);
	/* An interrupt raised while masked is signalled once now, and masks again. */
	assert_int_equal(unmask_intx(*state), 0);
	assert_int_equal(event_read(fd), 1);
	assert_int_equal(unmask_intx(*state), 0);
	assert_int_equal(event_read(fd), 0);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_intx_is_not_signalled_while_disabled_by_command(void **state)
{
	int fd = event_new();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 1, &fd, 1), 0);
	vu_client_set_config(*state, 4, 2, 0x0406);
	raise_vector(0);
	assert_int_equal(event_read(fd), 0);
	vu_client_set_config(*state, 5, 1, 0x00);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_intx_is_unmasked_by_an_eventfd(void **state)
{
	int fd = event_new(), unmask = event_new(), mask = event_new();
	size_t before = count_fds();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 1, &fd, 1), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, &unmask, 1),
		0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, 0, 1, &mask, 1),
		0);
	raise_vector(0);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	event_signal(unmask);
	while (event_read(fd) == 0)
		usleep(100);
	/* Masked automatically again. Unmask it, then mask it by the other eventfd. */
	assert_int_equal(unmask_intx(*state), 0);
	event_signal(mask);
	while (event_read(mask) != 0) {
		event_signal(mask);
		usleep(100);
	}
	assert_int_equal(vu_client_config(*state, 0, 2), 0x1b36);
	raise_vector(0);
	assert_int_equal(event_read(fd), 0);
	/* Disconnected, alone and with the whole index. */
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0),
		0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
	expect_fds(before);
	close(fd);
	close(unmask);
	close(mask);
}

static void test_a_guest_switches_from_intx_to_msix_and_back(void **state)
{
	int line = event_new(), vector = event_new();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 1, &line, 1), 0);
	raise_vector(0);
	assert_int_equal(event_read(line), 1);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &vector, 1), 0);
	raise_vector(0);
	assert_int_equal(event_read(vector), 1);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, NULL, 0), 0);
	assert_int_equal(unmask_intx(*state), 0);
	raise_vector(0);
	assert_int_equal(event_read(line), 1);
	assert_int_equal(event_read(vector), 0);
	close(line);
	close(vector);
}

/* --- Masks and triggers -------------------------------------------------------------- */

static void test_masked_vectors_stay_pending(void **state)
{
	static const uint32_t indices[] = { VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX };

	for (size_t i = 0; i < 2; i++) {
		int fds[2] = { event_new(), event_new() };

		assert_int_equal(vu_client_set_irqs(*state, indices[i], CONNECT, 0, 2, fds, 2), 0);
		assert_int_equal(
			vu_client_set_irqs(*state, indices[i],
				VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 2, NULL, 0),
			0);
		raise_vector(0);
		raise_vector(1);
		raise_vector(1);
		assert_int_equal(event_read(fds[0]) + event_read(fds[1]), 0);
		assert_int_equal(vu_client_set_bools(*state, indices[i], VFIO_IRQ_SET_ACTION_UNMASK,
					 0, 2, "\0\1", 2),
			0);
		assert_int_equal(event_read(fds[0]), 0);
		assert_int_equal(event_read(fds[1]), 1);
		assert_int_equal(
			vu_client_set_irqs(*state, indices[i],
				VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 2, NULL, 0),
			0);
		assert_int_equal(event_read(fds[0]), 1);
		assert_int_equal(event_read(fds[1]), 0);
		assert_int_equal(vu_client_set_irqs(*state, indices[i], DISABLE, 0, 0, NULL, 0), 0);
		close_all(fds, 2);
	}
}

static void test_the_vmm_triggers_interrupts(void **state)
{
	int fds[2] = { event_new(), event_new() };

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds, 2), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 1, 1, NULL, 0),
		0);
	assert_int_equal(event_read(fds[0]), 0);
	assert_int_equal(event_read(fds[1]), 1);
	assert_int_equal(vu_client_set_bools(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_ACTION_TRIGGER, 0, 2, "\1\0", 2),
		0);
	assert_int_equal(event_read(fds[0]), 1);
	assert_int_equal(event_read(fds[1]), 0);
	/* No eventfd: no effect. */
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 10, NULL, 0),
		0);
	close_all(fds, 2);
}

static void test_a_reset_discards_pending_interrupts(void **state)
{
	int fd = event_new();

	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, &fd, 1), 0);
	assert_int_equal(vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
				 VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0),
		0);
	raise_vector(0);
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL, 0),
		0);
	assert_int_equal(event_read(fd), 0);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

/* --- The end ------------------------------------------------------------------------- */

static void test_a_disconnect_releases_all_eventfds(void **state)
{
	struct rig *rig = *state;
	int fds[3] = { event_new(), event_new(), event_new() };
	size_t before = count_fds();
	struct fake_client *device;

	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 2, fds, 2),
		0);
	assert_int_equal(vu_client_set_irqs(
				 &rig->client, VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 1, fds + 2, 1),
		0);
	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_INTX_IRQ_INDEX,
			VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, fds + 2, 1),
		0);
	rig_disconnect(rig);
	expect_fds(before - 2);
	device = fake_client_lock();
	assert_int_equal(device->irq_mask[0], 0);
	fake_client_unlock();
	raise_vector(0);
	assert_int_equal(event_read(fds[0]), 0);
	/* The next client gets interrupts, and none of the previous client's. */
	rig_connect(rig);
	rig_negotiate(rig);
	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, 0, 1, fds, 1),
		0);
	assert_int_equal(event_read(fds[0]), 0);
	raise_vector(0);
	assert_int_equal(event_read(fds[0]), 1);
	close_all(fds, 3);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, rig_setup_negotiated, rig_teardown)

/* --- Eventfds that the driver signals itself -------------------------------------------------- */

static void allow_direct(void)
{
	fake_client_lock()->eventfd_result = kIOReturnSuccess;
	fake_client_unlock();
}

/* How many vectors the driver signals itself, and how often this server was notified. */
static unsigned direct_vectors(void)
{
	struct fake_client *device = fake_client_lock();
	unsigned count = 0;

	for (unsigned i = 0; i < FAKE_MSIX_VECTORS; i++)
		count += device->eventfds[i] >= 0;
	fake_client_unlock();
	return count;
}

static unsigned notifications(void)
{
	unsigned count = fake_client_lock()->notifications;

	fake_client_unlock();
	return count;
}

static void connect_msix(struct rig *rig, unsigned start, const int *fds, unsigned count)
{
	assert_int_equal(vu_client_set_irqs(&rig->client, VFIO_PCI_MSIX_IRQ_INDEX, CONNECT, start,
				 count, fds, count),
		0);
}

static int act_on_msix(struct rig *rig, uint32_t action, unsigned vector)
{
	return vu_client_set_irqs(&rig->client, VFIO_PCI_MSIX_IRQ_INDEX,
		VFIO_IRQ_SET_DATA_NONE | action, vector, 1, NULL, 0);
}

static void test_the_driver_signals_eventfds(void **state)
{
	int fds[] = { event_new(), event_new() };
	unsigned before = notifications();

	allow_direct();
	connect_msix(*state, 3, fds, 2);
	assert_int_equal(direct_vectors(), 2);
	raise_vector(3);
	raise_vector(4);
	assert_int_equal(event_read(fds[0]), 1);
	assert_int_equal(event_read(fds[1]), 1);
	assert_int_equal(notifications(), before);
	/* The one without an eventfd is still notified, and pending. */
	raise_vector(5);
	assert_int_equal(notifications(), before + 1);
	connect_msix(*state, 5, fds, 1);
	assert_int_equal(event_read(fds[0]), 1);
	close_all(fds, 2);
}

static void test_a_mask_takes_the_eventfd_from_the_driver(void **state)
{
	int fd = event_new();

	allow_direct();
	connect_msix(*state, 7, &fd, 1);
	assert_int_equal(act_on_msix(*state, VFIO_IRQ_SET_ACTION_MASK, 7), 0);
	assert_int_equal(direct_vectors(), 0);
	raise_vector(7);
	assert_int_equal(event_read(fd), 0);
	/* It is pending, and delivered once. */
	assert_int_equal(act_on_msix(*state, VFIO_IRQ_SET_ACTION_UNMASK, 7), 0);
	assert_int_equal(event_read(fd), 1);
	assert_int_equal(direct_vectors(), 1);
	raise_vector(7);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_a_replaced_eventfd_is_not_signalled(void **state)
{
	int fds[] = { event_new(), event_new() };

	allow_direct();
	connect_msix(*state, 0, &fds[0], 1);
	connect_msix(*state, 0, &fds[1], 1);
	raise_vector(0);
	assert_int_equal(event_read(fds[0]), 0);
	assert_int_equal(event_read(fds[1]), 1);
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSIX_IRQ_INDEX, DISABLE, 0, 0, NULL, 0), 0);
	assert_int_equal(direct_vectors(), 0);
	raise_vector(0);
	assert_int_equal(event_read(fds[1]), 0);
	close_all(fds, 2);
}

static void test_msi_messages_are_shared_out(void **state)
{
	int fds[] = { event_new(), event_new() };

	allow_direct();
	assert_int_equal(
		vu_client_set_irqs(*state, VFIO_PCI_MSI_IRQ_INDEX, CONNECT, 0, 2, fds, 2), 0);
	assert_int_equal(direct_vectors(), FAKE_MSIX_VECTORS);
	raise_vector(1);
	raise_vector(3);
	assert_int_equal(event_read(fds[0]), 0);
	assert_int_equal(event_read(fds[1]), 2);
	close_all(fds, 2);
}

static void test_the_end_of_a_session_takes_eventfds_from_the_driver(void **state)
{
	struct rig *rig = *state;
	int fd = event_new();

	allow_direct();
	connect_msix(rig, 1, &fd, 1);
	rig_disconnect(rig);
	assert_int_equal(direct_vectors(), 0);
	close(fd);
}

static void test_a_driver_that_cannot_is_asked_once(void **state)
{
	int fd = event_new();
	unsigned calls;

	connect_msix(*state, 1, &fd, 1);
	raise_vector(1);
	assert_int_equal(event_read(fd), 1);
	allow_direct();
	calls = fake_client_lock()->eventfd_calls;
	fake_client_unlock();
	connect_msix(*state, 1, &fd, 1);
	assert_int_equal(fake_client_lock()->eventfd_calls, calls);
	fake_client_unlock();
	close(fd);
}

/* A driver without descriptors to spare: the interrupts come by way of the server. */
static void test_a_driver_that_refuses_notifies(void **state)
{
	int fd = event_new();

	fake_client_lock()->eventfd_result = kIOReturnNoResources;
	fake_client_unlock();
	connect_msix(*state, 1, &fd, 1);
	raise_vector(1);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_msix_has_an_eventfd_for_each_vector),
		ON(test_large_sets_in_chunks),
		ON(test_an_eventfd_is_replaced),
		ON(test_interrupts_before_the_eventfd_are_pending),
		ON(test_disabling_discards_pending_interrupts),
		ON(test_msi_signals_all_vectors),
		ON(test_intx_is_masked_automatically),
		ON(test_intx_is_not_signalled_while_disabled_by_command),
		ON(test_intx_is_unmasked_by_an_eventfd),
		ON(test_a_guest_switches_from_intx_to_msix_and_back),
		ON(test_masked_vectors_stay_pending),
		ON(test_the_vmm_triggers_interrupts),
		ON(test_a_reset_discards_pending_interrupts),
		ON(test_a_disconnect_releases_all_eventfds),
		ON(test_the_driver_signals_eventfds),
		ON(test_a_mask_takes_the_eventfd_from_the_driver),
		ON(test_a_replaced_eventfd_is_not_signalled),
		ON(test_msi_messages_are_shared_out),
		ON(test_the_end_of_a_session_takes_eventfds_from_the_driver),
		ON(test_a_driver_that_cannot_is_asked_once),
		ON(test_a_driver_that_refuses_notifies),
	};

	return cmocka_run_group_tests_name("vfio-user interrupts", tests, NULL, NULL);
}
