/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interrupt line of a device without MSI and MSI-X: Interrupt Status in STATUS shows its
 * state.
 */
#include "tests/lib/vfio-user-rig.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

static int act(struct rig *rig, uint32_t action)
{
	return vu_client_set_irqs(&rig->client, VFIO_PCI_INTX_IRQ_INDEX,
		VFIO_IRQ_SET_DATA_NONE | action, 0, 1, NULL, 0);
}

static void unmask(struct rig *rig)
{
	assert_int_equal(act(rig, VFIO_IRQ_SET_ACTION_UNMASK), 0);
}

static void connect_line(struct rig *rig, int *fd)
{
	assert_int_equal(
		vu_client_set_irqs(&rig->client, VFIO_PCI_INTX_IRQ_INDEX, CONNECT, 0, 1, fd, 1), 0);
}

static void test_only_intx_is_offered(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(vu_irq_count(rig->device->irq, VFIO_PCI_INTX_IRQ_INDEX), 1);
	assert_int_equal(vu_irq_count(rig->device->irq, VFIO_PCI_MSI_IRQ_INDEX), 0);
	assert_int_equal(vu_irq_count(rig->device->irq, VFIO_PCI_MSIX_IRQ_INDEX), 0);
}

static void test_an_asserted_line_is_signalled(void **state)
{
	int fd = event_new();

	connect_line(*state, &fd);
	fake_client_set_line(true);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	raise_vector(0); /* the line is masked */
	assert_int_equal(event_read(fd), 0);
	close(fd);
}

/* The guest has already handled the assertion, because of the interrupt before. */
static void test_a_deasserted_line_is_not_signalled(void **state)
{
	int fd = event_new();

	connect_line(*state, &fd);
	raise_vector(0);
	assert_int_equal(event_read(fd), 0);
	fake_client_set_line(true);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	raise_vector(0);
	fake_client_set_line(false);
	unmask(*state);
	assert_int_equal(event_read(fd), 0);
	close(fd);
}

/* Without another interrupt of the device: the state of the line counts. */
static void test_a_line_still_asserted_is_signalled_again(void **state)
{
	int fd = event_new();

	connect_line(*state, &fd);
	fake_client_set_line(true);
	raise_vector(0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(event_read(fd), 1);
		unmask(*state);
	}
	assert_int_equal(event_read(fd), 1);
	fake_client_set_line(false);
	unmask(*state);
	assert_int_equal(event_read(fd), 0);
	close(fd);
}

static void test_it_is_pending_until_an_eventfd_is_connected(void **state)
{
	int fd = event_new();

	fake_client_set_line(true);
	raise_vector(0);
	connect_line(*state, &fd);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_command_disables_it(void **state)
{
	struct rig *rig = *state;
	int fd = event_new();

	connect_line(rig, &fd);
	vu_client_set_config(&rig->client, 0x04, 2, 0x0406);
	fake_client_set_line(true);
	raise_vector(0);
	assert_int_equal(event_read(fd), 0);
	vu_client_set_config(&rig->client, 0x04, 2, 0x0006);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

/* The VMM tests its eventfd: the state of the line does not matter. */
static void test_the_vmm_can_trigger_it(void **state)
{
	int fd = event_new();

	connect_line(*state, &fd);
	assert_int_equal(act(*state, VFIO_IRQ_SET_ACTION_TRIGGER), 0);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_a_removed_device_asserts_nothing(void **state)
{
	struct fake_client *device;
	int fd = event_new();

	connect_line(*state, &fd);
	fake_client_set_line(true);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	device = fake_client_lock();
	memset(device->config, 0xff, sizeof(device->config));
	fake_client_unlock();
	unmask(*state);
	assert_int_equal(event_read(fd), 0);
	close(fd);
}

static struct rig *racing;

static void unmask_meanwhile(void)
{
	fake_client_set_line(false);
	vu_irq_unmask(racing->device->irq, VFIO_PCI_INTX_IRQ_INDEX, 0);
}

/* Between the read of STATUS and the signal the guest has handled the assertion. */
static void test_an_outdated_status_is_ignored(void **state)
{
	struct fake_client *device;
	int fd = event_new();

	racing = *state;
	connect_line(racing, &fd);
	fake_client_set_line(true);
	device = fake_client_lock();
	device->line_hook = unmask_meanwhile;
	device->line_reads = 0;
	fake_client_unlock();
	raise_vector(0);
	assert_int_equal(event_read(fd), 0);
	device = fake_client_lock();
	assert_true(device->line_reads >= 2);
	fake_client_unlock();
	close(fd);
}

static void assert_it_now(void)
{
	fake_client_set_line(true);
	fake_client_fire(0);
}

/* Just after the read of STATUS at the connection. */
static void test_nothing_is_lost_while_it_is_connected(void **state)
{
	int fd = event_new();

	fake_client_lock()->line_hook = assert_it_now;
	fake_client_unlock();
	connect_line(*state, &fd);
	fake_client_wait_idle();
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

/* --- The device, the notification queue and the VMM run concurrently --------------------- */

#define ASSERTIONS 3000u

static atomic_uint asserted, handled;

/* Asserts its line again when the guest has handled it; also raises spurious interrupts. */
static void *device(void *argument)
{
	for (unsigned i = 1; i <= ASSERTIONS; i++) {
		atomic_store(&asserted, i);
		fake_client_set_line(true);
		fake_client_fire(0);
		while (atomic_load(&handled) < i)
			sched_yield();
		if (i % 3 == 0)
			fake_client_fire(0);
	}
	return argument;
}

static void test_no_assertion_is_lost_or_spurious(void **state)
{
	struct rig *rig = *state;
	int fd = event_new();
	struct pollfd told = { .fd = fd, .events = POLLIN };
	pthread_t thread;

	atomic_store(&asserted, 0);
	atomic_store(&handled, 0);
	connect_line(rig, &fd);
	assert_int_equal(pthread_create(&thread, NULL, device, NULL), 0);
	for (unsigned i = 1; i <= ASSERTIONS; i++) {
		assert_int_equal(poll(&told, 1, 60000), 1);
		assert_int_equal(event_read(fd), 1);
		assert_int_equal(atomic_load(&asserted), i);
		fake_client_set_line(false);
		/* The next assertion is signalled, whether it or the unmasking comes first. */
		if (i % 2 == 0) {
			atomic_store(&handled, i);
			unmask(rig);
		} else {
			unmask(rig);
			atomic_store(&handled, i);
		}
	}
	pthread_join(thread, NULL);
	fake_client_wait_idle();
	assert_int_equal(event_read(fd), 0);
	close(fd);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, rig_setup_line, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_only_intx_is_offered),
		ON(test_an_asserted_line_is_signalled),
		ON(test_a_deasserted_line_is_not_signalled),
		ON(test_a_line_still_asserted_is_signalled_again),
		ON(test_it_is_pending_until_an_eventfd_is_connected),
		ON(test_nothing_is_lost_while_it_is_connected),
		ON(test_command_disables_it),
		ON(test_the_vmm_can_trigger_it),
		ON(test_a_removed_device_asserts_nothing),
		ON(test_an_outdated_status_is_ignored),
		ON(test_no_assertion_is_lost_or_spurious),
	};

	return cmocka_run_group_tests_name("vfio-user interrupt line", tests, NULL, NULL);
}
