/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/device.h"
#include "vfio-user/irq.h"
#include "vfio-user/platform.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct vector {
	int fd; /* -1: none */
	bool masked;
	bool pending; /* raised, and could not be delivered */
};

struct irq_index {
	uint32_t count; /* constant */
	struct vector *vectors;
	uint32_t in_use; /* one more than the last vector with an eventfd */
	bool active;	 /* enabled by the VMM, with eventfds or without */
};

struct vu_irq {
	struct vu_device *device;
	bool level;	      /* constant: the device has INTx alone, see STATUS */
	bool vectors_enabled; /* at the device; the session's thread alone */
	/*
	 * Likewise: the eventfd that the driver was given last to signal itself, by the device's
	 * vector; -1: none. Where it has refused, it notifies this server.
	 */
	int direct[DEXT_VECTORS_MAX];
	uint32_t device_vectors;	/* 0: the driver cannot */
	int controls[VU_INTX_CONTROLS]; /* likewise; -1: none */
	unsigned control_changes;	/* likewise: how often one was set */
	/*
	 * Guards everything below against the notification queue. Held for as
	 * long as it takes to signal eventfds, which never waits. The driver is
	 * called with it once alone, in vu_irq_attach().
	 */
	pthread_mutex_t lock;
	AppleDextInterruptNotify *notify; /* NULL: the device has no interrupts */
	struct irq_index indices[VFIO_PCI_NUM_IRQS];
	bool intx_disabled;
	unsigned intx_changes; /* incremented when an earlier read of STATUS is out of date */
};

/* What each index can do. Error interrupts do not exist here: their count is 0. */
static const uint32_t index_flags[VFIO_PCI_NUM_IRQS] = {
	[VFIO_PCI_INTX_IRQ_INDEX] =
		VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED,
	[VFIO_PCI_MSI_IRQ_INDEX] = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE,
	[VFIO_PCI_MSIX_IRQ_INDEX] = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE,
	[VFIO_PCI_ERR_IRQ_INDEX] = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
	[VFIO_PCI_REQ_IRQ_INDEX] = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
};

uint32_t vu_irq_count(const struct vu_irq *irq, uint32_t index)
{
	return index < VFIO_PCI_NUM_IRQS ? irq->indices[index].count : 0;
}

uint32_t vu_irq_flags(uint32_t index)
{
	return index < VFIO_PCI_NUM_IRQS ? index_flags[index] : 0;
}

/* --- Delivery; the lock is held ------------------------------------------------ */

static void deliver(struct vu_irq *irq, uint32_t index, uint32_t number)
{
	struct vector *vector = &irq->indices[index].vectors[number];

	if (vector->masked || vector->fd < 0 ||
		(index == VFIO_PCI_INTX_IRQ_INDEX && irq->intx_disabled)) {
		vector->pending = true;
		return;
	}
	vector->pending = false;
	if ((index_flags[index] & VFIO_IRQ_INFO_AUTOMASKED) != 0)
		vector->masked = true;
	vu_platform_signal_event(vector->fd);
}

static void deliver_pending(struct vu_irq *irq, uint32_t index, uint32_t number)
{
	if (irq->indices[index].vectors[number].pending)
		deliver(irq, index, number);
}

/* --- INTx of a device without MSI and MSI-X ------------------------------- */

/* The lock is held. */
static bool intx_deliverable(const struct vu_irq *irq)
{
	const struct vector *line = irq->indices[VFIO_PCI_INTX_IRQ_INDEX].vectors;

	return !line->masked && line->fd >= 0 && !irq->intx_disabled;
}

/*
 * Deliver INTx if STATUS says that it is asserted and the VMM can take it. STATUS is read without
 * the lock, and read again when something has changed meanwhile.
 */
static void poll_intx(struct vu_irq *irq)
{
	bool deliverable, asserted, settled = false;
	unsigned changes;

	while (!settled) {
		pthread_mutex_lock(&irq->lock);
		changes = irq->intx_changes;
		deliverable = intx_deliverable(irq);
		pthread_mutex_unlock(&irq->lock);
		if (!deliverable)
			return;
		asserted = vu_device_intx_asserted(irq->device);
		pthread_mutex_lock(&irq->lock);
		settled = changes == irq->intx_changes;
		if (settled && asserted) {
			irq->intx_changes++;
			deliver(irq, VFIO_PCI_INTX_IRQ_INDEX, 0);
		}
		pthread_mutex_unlock(&irq->lock);
	}
}

/* Deliver vectors that have just become deliverable. Called with the lock, releases it. */
static void deliver_enabled_and_unlock(
	struct vu_irq *irq, uint32_t index, uint32_t start, uint32_t count)
{
	bool poll = irq->level && index == VFIO_PCI_INTX_IRQ_INDEX;

	irq->intx_changes += poll;
	for (uint32_t i = 0; i < count && !poll; i++)
		deliver_pending(irq, index, start + i);
	pthread_mutex_unlock(&irq->lock);
	if (poll)
		poll_intx(irq);
}

/* --- From vectors to indices; the lock is held ---------------------------------- */

/* In order of preference. */
static const uint32_t order[] = { VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
	VFIO_PCI_INTX_IRQ_INDEX };
#define ORDERS (sizeof(order) / sizeof(order[0]))

/*
 * The index that interrupts are delivered to: the preferred one that has an eventfd. Without any,
 * the preferred one that the VMM has enabled: interrupts are pending there until it connects
 * eventfds.
 */
static uint32_t current_index(const struct vu_irq *irq)
{
	for (size_t i = 0; i < ORDERS; i++)
		if (irq->indices[order[i]].in_use > 0)
			return order[i];
	for (size_t i = 0; i < ORDERS; i++)
		if (irq->indices[order[i]].active)
			return order[i];
	return VFIO_PCI_NUM_IRQS;
}

static void raise_vector(struct vu_irq *irq, uint32_t number)
{
	uint32_t index = current_index(irq);
	const struct irq_index *current = &irq->indices[index % VFIO_PCI_NUM_IRQS];

	if (index == VFIO_PCI_NUM_IRQS)
		return;
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		number = 0;
	else if (index == VFIO_PCI_MSI_IRQ_INDEX)
		number %= current->in_use > 0 ? current->in_use : 1;
	if (number < current->count)
		deliver(irq, index, number);
}

/* --- The notification queue ---------------------------------------------------- */

/* Return: the notification, to be armed again. */
static AppleDextInterruptNotify *raise_pending(
	struct vu_irq *irq, const uint64_t pending[DEXT_IRQ_WORDS])
{
	AppleDextInterruptNotify *notify;

	if (irq->level)
		poll_intx(irq);
	pthread_mutex_lock(&irq->lock);
	notify = irq->notify;
	for (uint32_t word = 0; word < DEXT_IRQ_WORDS && !irq->level; word++)
		for (uint64_t bits = pending[word]; bits != 0; bits &= bits - 1)
			raise_vector(irq, word * 64 + (uint32_t)__builtin_ctzll(bits));
	pthread_mutex_unlock(&irq->lock);
	return notify;
}

static void on_interrupt(void *opaque)
{
	struct vu_irq *irq = opaque;
	uint64_t pending[DEXT_IRQ_WORDS] = { 0 };
	kern_return_t status = apple_dext_read_pending_irqs(irq->device->connection, pending);

	/* After a timeout the driver is queried again; any other failure is permanent. */
	if (vu_device_error(irq->device, status) != 0 && status != kIOReturnTimeout)
		return;
	status = apple_dext_interrupt_notify_rearm(raise_pending(irq, pending));
	if (status != kIOReturnAborted)
		vu_device_error(irq->device, status);
}

/* --- The session's thread ------------------------------------------------------ */

/*
 * The eventfd that an interrupt of the device's vector signals, if that is all that it does; -1
 * where it is to go through this server. Without the lock: only this thread changes what is read.
 */
static int direct_eventfd(const struct vu_irq *irq, uint32_t number)
{
	uint32_t index = current_index(irq);
	const struct irq_index *current;

	if (index != VFIO_PCI_MSIX_IRQ_INDEX && index != VFIO_PCI_MSI_IRQ_INDEX)
		return -1;
	current = &irq->indices[index];
	if (index == VFIO_PCI_MSI_IRQ_INDEX && current->in_use > 0)
		number %= current->in_use;
	if (number >= current->count || current->vectors[number].masked)
		return -1;
	return current->vectors[number].fd;
}

static bool wants_change(const struct vu_irq *irq, uint32_t number, bool connect)
{
	int fd = number < irq->device_vectors ? direct_eventfd(irq, number) : -1;

	return number < irq->device_vectors && fd != irq->direct[number] && connect == (fd >= 0);
}

/* Connect a run of vectors from @first on, or disconnect them. Return: the end of the run. */
static uint32_t change_direct(struct vu_irq *irq, uint32_t first, bool connect)
{
	int fds[DEXT_VECTORS_MAX];
	uint32_t count = 0;
	kern_return_t status;

	while (wants_change(irq, first + count, connect)) {
		fds[count] = direct_eventfd(irq, first + count);
		count++;
	}
	status = apple_dext_set_interrupt_eventfds(
		irq->device->connection, first, count, connect ? fds : NULL);
	/* Without it, interrupts are notified as before. */
	if (status == kIOReturnUnsupported)
		irq->device_vectors = 0;
	else
		vu_device_error(irq->device, status);
	/* After a timeout it is tried again. */
	for (uint32_t i = 0; i < count && status != kIOReturnTimeout; i++)
		irq->direct[first + i] = fds[i];
	return first + count;
}

/*
 * Have the driver signal the VMM's eventfds itself where it can. When this has returned, it signals
 * none that are masked or disconnected. An eventfd that replaces another has another number than
 * it, since both are open at that time.
 */
static void update_direct(struct vu_irq *irq)
{
	if (irq->level || !irq->notify)
		return;
	for (uint32_t i = 0; i < irq->device_vectors && vu_device_is_present(irq->device);) {
		if (wants_change(irq, i, false))
			i = change_direct(irq, i, false);
		else if (wants_change(irq, i, true))
			i = change_direct(irq, i, true);
		else
			i++;
	}
}

/* Mask the vectors at the device while no eventfd is connected: they cost nothing then. */
static void update_device_mask(struct vu_irq *irq)
{
	uint64_t mask[DEXT_IRQ_WORDS];
	bool wanted = false;

	/* The session's thread is the only one that changes @active. */
	for (size_t i = 0; i < ORDERS; i++)
		wanted = wanted || irq->indices[order[i]].active;
	if (!irq->notify || wanted == irq->vectors_enabled || !vu_device_is_present(irq->device))
		return;
	memset(mask, wanted ? 0xff : 0, sizeof(mask));
	if (vu_device_error(irq->device, apple_dext_set_irq_mask(irq->device->connection, mask)) ==
		0)
		irq->vectors_enabled = wanted;
}

static void replace_fd(int *place, int fd)
{
	if (*place >= 0)
		close(*place);
	*place = fd;
}

static void count_in_use(struct irq_index *index)
{
	index->in_use = index->count;
	while (index->in_use > 0 && index->vectors[index->in_use - 1].fd < 0)
		index->in_use--;
}

void vu_irq_assign(
	struct vu_irq *irq, uint32_t index, uint32_t start, uint32_t count, const int *fds)
{
	struct irq_index *chosen = &irq->indices[index];

	pthread_mutex_lock(&irq->lock);
	chosen->active = true;
	for (uint32_t i = 0; i < count; i++)
		replace_fd(&chosen->vectors[start + i].fd, fds ? fds[i] : -1);
	count_in_use(chosen);
	pthread_mutex_unlock(&irq->lock);
	/* Before STATUS is read: INTx asserted from now on is an interrupt. */
	update_device_mask(irq);
	pthread_mutex_lock(&irq->lock);
	deliver_enabled_and_unlock(irq, index, start, count);
	update_direct(irq);
}

static void disable_locked(struct irq_index *index)
{
	for (uint32_t i = 0; i < index->count; i++) {
		replace_fd(&index->vectors[i].fd, -1);
		index->vectors[i].masked = false;
		index->vectors[i].pending = false;
	}
	index->in_use = 0;
	index->active = false;
}

void vu_irq_disable(struct vu_irq *irq, uint32_t index)
{
	pthread_mutex_lock(&irq->lock);
	disable_locked(&irq->indices[index]);
	pthread_mutex_unlock(&irq->lock);
	update_direct(irq);
	update_device_mask(irq);
}

void vu_irq_mask(struct vu_irq *irq, uint32_t index, uint32_t vector)
{
	pthread_mutex_lock(&irq->lock);
	irq->indices[index].vectors[vector].masked = true;
	pthread_mutex_unlock(&irq->lock);
	update_direct(irq);
}

void vu_irq_unmask(struct vu_irq *irq, uint32_t index, uint32_t vector)
{
	pthread_mutex_lock(&irq->lock);
	irq->indices[index].vectors[vector].masked = false;
	deliver_enabled_and_unlock(irq, index, vector, 1);
	update_direct(irq);
}

void vu_irq_trigger(struct vu_irq *irq, uint32_t index, uint32_t vector)
{
	pthread_mutex_lock(&irq->lock);
	if (irq->indices[index].vectors[vector].fd >= 0)
		deliver(irq, index, vector);
	pthread_mutex_unlock(&irq->lock);
}

void vu_irq_request(struct vu_irq *irq)
{
	vu_irq_trigger(irq, VFIO_PCI_REQ_IRQ_INDEX, 0);
}

void vu_irq_set_intx_disable(struct vu_irq *irq, bool disabled)
{
	pthread_mutex_lock(&irq->lock);
	irq->intx_disabled = disabled;
	deliver_enabled_and_unlock(irq, VFIO_PCI_INTX_IRQ_INDEX, 0,
		disabled ? 0 : irq->indices[VFIO_PCI_INTX_IRQ_INDEX].count);
}

void vu_irq_clear_pending(struct vu_irq *irq)
{
	pthread_mutex_lock(&irq->lock);
	for (size_t i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		for (uint32_t v = 0; v < irq->indices[i].count; v++)
			irq->indices[i].vectors[v].pending = false;
	pthread_mutex_unlock(&irq->lock);
}

void vu_irq_disconnect_all(struct vu_irq *irq)
{
	pthread_mutex_lock(&irq->lock);
	for (size_t i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		disable_locked(&irq->indices[i]);
	irq->intx_disabled = false;
	pthread_mutex_unlock(&irq->lock);
	for (size_t i = 0; i < VU_INTX_CONTROLS; i++)
		replace_fd(&irq->controls[i], -1);
	update_direct(irq);
	update_device_mask(irq);
}

void vu_irq_set_control(struct vu_irq *irq, enum vu_irq_control control, int fd)
{
	replace_fd(&irq->controls[control], fd);
	irq->control_changes++;
}

void vu_irq_fill_wait(const struct vu_irq *irq, struct vu_wait_entry *entries)
{
	for (size_t i = 0; i < VU_INTX_CONTROLS; i++)
		entries[i] = (struct vu_wait_entry){
			.fd = irq->controls[i], .serial = irq->control_changes, .events = POLLIN
		};
}

void vu_irq_handle_wait(struct vu_irq *irq, const struct vu_wait_entry *entries)
{
	for (size_t i = 0; i < VU_INTX_CONTROLS; i++) {
		int taken;

		if (entries[i].fd < 0 || entries[i].revents == 0)
			continue;
		taken = vu_platform_take_event(entries[i].fd);
		if (taken < 0)
			replace_fd(&irq->controls[i], -1);
		else if (taken > 0 && i == VU_INTX_MASK)
			vu_irq_mask(irq, VFIO_PCI_INTX_IRQ_INDEX, 0);
		else if (taken > 0)
			vu_irq_unmask(irq, VFIO_PCI_INTX_IRQ_INDEX, 0);
	}
}

/* --- Creation and destruction ---------------------------------------------------------------------- */

static bool make_index(struct irq_index *index, uint32_t count)
{
	index->vectors = calloc(count > 0 ? count : 1, sizeof(*index->vectors));
	if (!index->vectors)
		return false;
	index->count = count;
	for (uint32_t i = 0; i < count; i++)
		index->vectors[i].fd = -1;
	return true;
}

static bool make_indices(struct vu_irq *irq)
{
	const struct vu_device *device = irq->device;
	const uint32_t counts[VFIO_PCI_NUM_IRQS] = {
		[VFIO_PCI_INTX_IRQ_INDEX] = device->pci.interrupt_pin != 0,
		[VFIO_PCI_MSI_IRQ_INDEX] = device->pci.msi_vectors,
		[VFIO_PCI_MSIX_IRQ_INDEX] = device->pci.msix.vectors,
		[VFIO_PCI_REQ_IRQ_INDEX] = 1,
	};

	for (size_t i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		if (!make_index(&irq->indices[i], counts[i]))
			return false;
	return true;
}

kern_return_t vu_irq_attach(struct vu_irq *irq)
{
	kern_return_t status =
		apple_dext_setup_interrupts(irq->device->connection, &irq->device_vectors);

	if (status != kIOReturnSuccess)
		return status == kIOReturnUnsupported ? kIOReturnSuccess : status;
	if (irq->device_vectors > DEXT_VECTORS_MAX)
		irq->device_vectors = DEXT_VECTORS_MAX;
	for (size_t i = 0; i < DEXT_VECTORS_MAX; i++)
		irq->direct[i] = -1;
	vu_irq_clear_pending(irq);
	irq->vectors_enabled = true;
	status = apple_dext_interrupt_notify_create_into(
		irq->device->connection, on_interrupt, irq, &irq->notify);
	if (status != kIOReturnSuccess)
		return status;
	update_device_mask(irq);
	update_direct(irq);
	return kIOReturnSuccess;
}

void vu_irq_detach(struct vu_irq *irq)
{
	AppleDextInterruptNotify *notify;

	pthread_mutex_lock(&irq->lock);
	notify = irq->notify;
	irq->notify = NULL;
	pthread_mutex_unlock(&irq->lock);
	apple_dext_interrupt_notify_destroy(notify);
}

struct vu_irq *vu_irq_create(struct vu_device *device, kern_return_t *status)
{
	struct vu_irq *irq = calloc(1, sizeof(*irq));

	*status = kIOReturnNoMemory;
	if (!irq)
		return NULL;
	irq->device = device;
	pthread_mutex_init(&irq->lock, NULL);
	for (size_t i = 0; i < VU_INTX_CONTROLS; i++)
		irq->controls[i] = -1;
	irq->level = device->pci.interrupt_pin != 0 && device->pci.msi_vectors == 0 &&
		     device->pci.msix.vectors == 0;
	if (make_indices(irq))
		*status = vu_irq_attach(irq);
	if (*status == kIOReturnSuccess)
		return irq;
	vu_irq_destroy(irq);
	return NULL;
}

void vu_irq_destroy(struct vu_irq *irq)
{
	if (!irq)
		return;
	vu_irq_detach(irq);
	for (size_t i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		disable_locked(&irq->indices[i]);
		free(irq->indices[i].vectors);
	}
	for (size_t i = 0; i < VU_INTX_CONTROLS; i++)
		replace_fd(&irq->controls[i], -1);
	pthread_mutex_destroy(&irq->lock);
	free(irq);
}
