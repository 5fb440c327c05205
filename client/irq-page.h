/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IRQ state page, where the driver offers its extension: pending bits are taken and the
 * notification is armed without a call. Notifications of one connection share a mapping.
 */
#ifndef CLIENT_IRQ_PAGE_H
#define CLIENT_IRQ_PAGE_H

#include <apple-dext-client.h>

struct irq_page;

/* Map the page for a notification; NULL where the driver does not offer it, or without memory. */
struct irq_page *irq_page_use(io_connect_t connection);
/* Undo it, and forget the owner if it is @owner. The page may be NULL. */
void irq_page_release(struct irq_page *page, const void *owner);
/* Stop the use of the page of a connection that ends, or has lost its driver: calls return why. */
void irq_page_close(io_connect_t connection);

/* Take the pending bits; false without a page. */
bool irq_page_take(io_connect_t connection, uint64_t pending[4]);

/*
 * Call ArmInterrupts by @call, and record that its completions are for @owner. One call at a time:
 * the record is of the last one.
 */
kern_return_t irq_page_register(
	struct irq_page *page, void *owner, kern_return_t (*call)(void *owner));
/* Whether the call that stays armed is that of @owner. */
bool irq_page_is_owner(struct irq_page *page, const void *owner);

enum irq_page_armed {
	IRQ_PAGE_NOT_OWNER, /* not armed: ArmInterrupts must be called */
	IRQ_PAGE_ARMED,
	IRQ_PAGE_PENDING, /* not armed, since an interrupt is pending: no completion will come */
};
/* Arm the call of @owner. */
enum irq_page_armed irq_page_arm(struct irq_page *page, const void *owner);

#endif
