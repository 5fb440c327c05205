/* SPDX-License-Identifier: BSD-3-Clause */
/* The interrupt line of a device that has nothing better: STATUS tells what it shows. */
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

static void test_it_is_all_there_is(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(vu_irq_count(rig->device->irq, VFIO_PCI_INTX_IRQ_INDEX), 1);
	assert_int_equal(vu_irq_count(rig->device->irq, VFIO_PCI_MSI_IRQ_INDEX), 0);
	assert_int_equal(vu_irq_count(rig->device->irq, VFIO_PCI_MSIX_IRQ_INDEX), 0);
}

static void test_an_asserted_line_is_told_of(void **state)
{
	int fd = event_new();

	connect_line(*state, &fd);
	fake_client_set_line(true);
	raise_vector(0);
	assert_int_equal(event_read(fd), 1);
	raise_vector(0); /* it is masked */
	assert_int_equal(event_read(fd), 0);
	close(fd);
}

/* The guest has dealt with it already, because of the interrupt before. */
static void test_one_that_is_over_is_not(void **state)
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

/* Without another interrupt of the device: the line is what counts. */
static void test_still_asserted_it_comes_again(void **state)
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

static void test_it_waits_for_an_eventfd(void **state)
{
	int fd = event_new();

	fake_client_set_line(true);
	raise_vector(0);
	connect_line(*state, &fd);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_command_holds_it_back(void **state)
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

/* The VMM tries its eventfd: what the line shows does not matter. */
static void test_the_vmm_can_trigger_it(void **state)
{
	int fd = event_new();

	connect_line(*state, &fd);
	assert_int_equal(act(*state, VFIO_IRQ_SET_ACTION_TRIGGER), 0);
	assert_int_equal(event_read(fd), 1);
	close(fd);
}

static void test_a_device_that_has_gone_asserts_nothing(void **state)
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

/* Between the look at STATUS and the telling the guest has dealt with it. */
static void test_a_look_that_is_too_old_is_not_believed(void **state)
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

/* Just after the look that connecting it brings. */
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

/* --- The device, the notification queue and the VMM, each at its own pace ---------------- */

#define ASSERTIONS 3000u

static atomic_uint asserted, dealt_with;

/* Asserts its line as soon as the guest has dealt with it; and interrupts for nothing, too. */
static void *device(void *argument)
{
	for (unsigned i = 1; i <= ASSERTIONS; i++) {
		atomic_store(&asserted, i);
		fake_client_set_line(true);
		fake_client_fire(0);
		while (atomic_load(&dealt_with) < i)
			sched_yield();
		if (i % 3 == 0)
			fake_client_fire(0);
	}
	return argument;
}

static void test_no_assertion_is_lost_and_none_is_made_up(void **state)
{
	struct rig *rig = *state;
	int fd = event_new();
	struct pollfd told = { .fd = fd, .events = POLLIN };
	pthread_t thread;

	atomic_store(&asserted, 0);
	atomic_store(&dealt_with, 0);
	connect_line(rig, &fd);
	assert_int_equal(pthread_create(&thread, NULL, device, NULL), 0);
	for (unsigned i = 1; i <= ASSERTIONS; i++) {
		assert_int_equal(poll(&told, 1, 60000), 1);
		assert_int_equal(event_read(fd), 1);
		assert_int_equal(atomic_load(&asserted), i);
		fake_client_set_line(false);
		/* Whichever comes first, the next assertion or the unmasking, it is told of. */
		if (i % 2 == 0) {
			atomic_store(&dealt_with, i);
			unmask(rig);
		} else {
			unmask(rig);
			atomic_store(&dealt_with, i);
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
		ON(test_it_is_all_there_is),
		ON(test_an_asserted_line_is_told_of),
		ON(test_one_that_is_over_is_not),
		ON(test_still_asserted_it_comes_again),
		ON(test_it_waits_for_an_eventfd),
		ON(test_nothing_is_lost_while_it_is_connected),
		ON(test_command_holds_it_back),
		ON(test_the_vmm_can_trigger_it),
		ON(test_a_device_that_has_gone_asserts_nothing),
		ON(test_a_look_that_is_too_old_is_not_believed),
		ON(test_no_assertion_is_lost_and_none_is_made_up),
	};

	return cmocka_run_group_tests_name("vfio-user interrupt line", tests, NULL, NULL);
}
