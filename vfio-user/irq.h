/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts: from the device's vectors to the VMM's eventfds.
 *
 * The host takes the device's interrupts once, in the best way the device has,
 * and keeps them. What the VMM sees is made of that here: with MSI-X, vector by
 * vector; with MSI, vector v as message v modulo the messages in use; with INTx,
 * any vector as the one line, which masks itself until the VMM unmasks it. An
 * interrupt that cannot be delivered now (masked, or no eventfd yet) is kept and
 * delivered when it can.
 *
 * Of a device that has nothing better than INTx, STATUS tells what the line shows: it is
 * looked at before the VMM is told, and again when the VMM unmasks. One interrupt too
 * many would be one too many for ever: a guest that finds nothing to do does not touch
 * the device, and that is what QEMU takes for the end of the interrupt.
 *
 * One more is the server's own: by the request interrupt it asks the VMM to unplug a
 * device that has gone.
 */
#ifndef VFIO_USER_IRQ_H
#define VFIO_USER_IRQ_H

#include "vfio-user/protocol.h"

#include <apple-dext-client.h>
#include <poll.h>

struct vu_device;
struct vu_irq;

/**
 * vu_irq_create - take the device's interrupts
 * @device: its capabilities have been read
 * @result: set to why not
 *
 * A device without interrupts is served all the same.
 *
 * Return: the interrupts, or NULL.
 */
struct vu_irq *vu_irq_create(struct vu_device *device, kern_return_t *result);
/** vu_irq_destroy - no handler is running afterwards. NULL is fine. */
void vu_irq_destroy(struct vu_irq *irq);

/**
 * vu_irq_detach - let go of the device's interrupts, before its connection changes
 *
 * The session's thread alone. No handler is running afterwards.
 */
void vu_irq_detach(struct vu_irq *irq);
/**
 * vu_irq_attach - take them again, on a new connection to the same device
 *
 * What the VMM has connected stays so. What was kept is forgotten: nobody waits for it
 * any more. Return: kIOReturnSuccess, or why not.
 */
kern_return_t vu_irq_attach(struct vu_irq *irq);

/** vu_irq_count - how many interrupts an index has; 0 for an unknown one. Any thread. */
uint32_t vu_irq_count(const struct vu_irq *irq, uint32_t index);
/** vu_irq_flags - what an index can do: VU_IRQ_*. Any thread. */
uint32_t vu_irq_flags(uint32_t index);

/*
 * What follows is called by the session's thread alone. Indices, and ranges
 * within them, have been checked by the caller.
 */

/** vu_irq_assign - connect interrupts with eventfds, which are consumed; NULL disconnects. */
void vu_irq_assign(
	struct vu_irq *irq, uint32_t index, uint32_t start, uint32_t count, const int *fds);
/** vu_irq_disable - disconnect a whole index; masks and kept interrupts are forgotten. */
void vu_irq_disable(struct vu_irq *irq, uint32_t index);
/** vu_irq_mask - hold one interrupt back. */
void vu_irq_mask(struct vu_irq *irq, uint32_t index, uint32_t vector);
/** vu_irq_unmask - deliver it again, and what was kept of it now. */
void vu_irq_unmask(struct vu_irq *irq, uint32_t index, uint32_t vector);
/** vu_irq_trigger - as if the device had raised it; nothing without an eventfd. */
void vu_irq_trigger(struct vu_irq *irq, uint32_t index, uint32_t vector);
/** vu_irq_request - ask the VMM to give the device up. */
void vu_irq_request(struct vu_irq *irq);
/** vu_irq_set_intx_off - the VMM has set or cleared COMMAND's interrupt disable bit. */
void vu_irq_set_intx_off(struct vu_irq *irq, bool off);
/** vu_irq_forget - the device has been reset: what was kept is no longer true. */
void vu_irq_forget(struct vu_irq *irq);
/** vu_irq_release - the client has gone: everything disconnected, vectors masked at the device. */
void vu_irq_release(struct vu_irq *irq);

/* Eventfds by which the VMM masks and unmasks INTx without a message. */
enum vu_irq_control { VU_INTX_MASK, VU_INTX_UNMASK, VU_INTX_CONTROLS };

/** vu_irq_set_control - use @fd from now on, which becomes the interrupts' own; -1 for none. */
void vu_irq_set_control(struct vu_irq *irq, enum vu_irq_control control, int fd);
/** vu_irq_poll - what to poll for: fills in VU_INTX_CONTROLS entries. */
void vu_irq_poll(const struct vu_irq *irq, struct pollfd *entries);
/** vu_irq_polled - do what the entries that vu_irq_poll() filled in say after poll(). */
void vu_irq_polled(struct vu_irq *irq, const struct pollfd *entries);

#endif
