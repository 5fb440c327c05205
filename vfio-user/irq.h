/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts: from the device's vectors to the VMM's eventfds.
 *
 * The server enables the device's interrupts once, of the best type that the device has. The
 * types that the VMM enables are emulated on top: MSI-X vector by vector; for MSI, vector v is
 * message v modulo the messages in use; for INTx, any vector is the one line, which is masked
 * automatically until the VMM unmasks it. An interrupt that cannot be delivered (masked, or no
 * eventfd yet) is pending, and delivered later.
 *
 * The driver signals the VMM's eventfds itself where a vector is neither masked nor without an
 * eventfd, and where it can (apple_dext_set_interrupt_eventfds()); this server is notified of the
 * other interrupts.
 *
 * For a device that has only INTx, Interrupt Status in the STATUS register is read before an
 * interrupt is delivered, and when the VMM unmasks. A spurious interrupt would never end: the
 * guest's driver does not access the device for it, and QEMU takes that access as the end of
 * the interrupt.
 *
 * By the request interrupt (VFIO_PCI_REQ_IRQ_INDEX) the server asks the VMM to unplug a device
 * that was removed.
 */
#ifndef VFIO_USER_IRQ_H
#define VFIO_USER_IRQ_H

#include "vfio-user/protocol.h"
#include "vfio-user/wait.h"

#include <apple-dext-client.h>

struct vu_device;
struct vu_irq;

/**
 * vu_irq_create - enable the device's interrupts
 * @device: its capabilities have been read
 * @status: set to the reason for a failure
 *
 * A device without interrupts is no failure.
 *
 * Return: the interrupts, or NULL.
 */
struct vu_irq *vu_irq_create(struct vu_device *device, kern_return_t *status);
/** vu_irq_destroy - free them; no handler is running afterwards. NULL is fine. */
void vu_irq_destroy(struct vu_irq *irq);

/**
 * vu_irq_detach - release the device's interrupts, before its connection is closed
 *
 * The session's thread alone. No handler is running afterwards.
 */
void vu_irq_detach(struct vu_irq *irq);
/**
 * vu_irq_attach - enable the device's interrupts on its new connection
 *
 * Eventfds stay connected; pending interrupts are cleared. Return: a status.
 */
kern_return_t vu_irq_attach(struct vu_irq *irq);

/** vu_irq_count - how many interrupts an index has; 0 for an unknown one. Any thread. */
uint32_t vu_irq_count(const struct vu_irq *irq, uint32_t index);
/** vu_irq_flags - what an index supports: VFIO_IRQ_INFO_*. Any thread. */
uint32_t vu_irq_flags(uint32_t index);

/*
 * The functions below are called by the session's thread alone. The caller has checked indices,
 * and ranges within them.
 */

/** vu_irq_assign - connect eventfds, which are consumed; NULL disconnects. */
void vu_irq_assign(
	struct vu_irq *irq, uint32_t index, uint32_t start, uint32_t count, const int *fds);
/** vu_irq_disable - disconnect an index; unmasks it and clears its pending interrupts. */
void vu_irq_disable(struct vu_irq *irq, uint32_t index);
/** vu_irq_mask - mask one interrupt. */
void vu_irq_mask(struct vu_irq *irq, uint32_t index, uint32_t vector);
/** vu_irq_unmask - unmask one interrupt, and deliver it if it is pending. */
void vu_irq_unmask(struct vu_irq *irq, uint32_t index, uint32_t vector);
/** vu_irq_trigger - as if the device had raised it; nothing without an eventfd. */
void vu_irq_trigger(struct vu_irq *irq, uint32_t index, uint32_t vector);
/** vu_irq_request - ask the VMM to unplug the device. */
void vu_irq_request(struct vu_irq *irq);
/** vu_irq_set_intx_disable - the VMM has written Interrupt Disable in COMMAND. */
void vu_irq_set_intx_disable(struct vu_irq *irq, bool disabled);
/** vu_irq_clear_pending - the device has been reset: no interrupt is pending. */
void vu_irq_clear_pending(struct vu_irq *irq);
/** vu_irq_disconnect_all - the client has gone: disconnect eventfds, mask vectors at the device. */
void vu_irq_disconnect_all(struct vu_irq *irq);

/* Eventfds by which the VMM masks and unmasks INTx without a message. */
enum vu_irq_control { VU_INTX_MASK, VU_INTX_UNMASK, VU_INTX_CONTROLS };

/** vu_irq_set_control - set the eventfd of a control, which is consumed; -1 for none. */
void vu_irq_set_control(struct vu_irq *irq, enum vu_irq_control control, int fd);
/** vu_irq_fill_wait - fill in VU_INTX_CONTROLS entries of a wait. */
void vu_irq_fill_wait(const struct vu_irq *irq, struct vu_wait_entry *entries);
/** vu_irq_handle_wait - mask and unmask INTx as the wait has reported in the entries. */
void vu_irq_handle_wait(struct vu_irq *irq, const struct vu_wait_entry *entries);

#endif
