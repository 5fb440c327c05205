/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/irq-page.h"
#include "client/call.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

struct irq_page {
	LIST_ENTRY(irq_page) link; /* in pages, while state is not NULL */
	io_connect_t connection;
	struct dext_irq_state *state; /* NULL: closed */
	unsigned users;
	const void *owner; /* of the call that stays armed */
	/* Held while ArmInterrupts is called, so that owner is that of the last call. */
	pthread_mutex_t registering;
};

/* The lock guards the list and its pages. It is a leaf: not held while a call is made. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, irq_page) pages = LIST_HEAD_INITIALIZER(pages);

/* The lock is held. */
static struct irq_page *find(io_connect_t connection)
{
	struct irq_page *page;

	LIST_FOREACH (page, &pages, link)
		if (page->connection == connection)
			break;
	return page;
}

/* As IOKit maps it: a driver without the page is not asked why. */
static struct dext_irq_state *map(io_connect_t connection)
{
	mach_vm_address_t address;
	mach_vm_size_t size;
	struct dext_irq_state *state;

	if (IOConnectMapMemory64(connection, DEXT_MEMORY_IRQ_STATE, mach_task_self(), &address,
		    &size, kIOMapAnywhere) != kIOReturnSuccess)
		return NULL;
	state = (struct dext_irq_state *)(uintptr_t)address;
	if (size >= DEXT_IRQ_STATE_SIZE &&
		__atomic_load_n(&state->features, __ATOMIC_SEQ_CST) & DEXT_IRQ_TAKES_BY_EXCHANGE)
		return state;
	apple_dext_unmap_irq_state(connection, address);
	return NULL;
}

static struct irq_page *use_existing(io_connect_t connection)
{
	struct irq_page *page;

	pthread_mutex_lock(&lock);
	page = find(connection);
	if (page)
		page->users++;
	pthread_mutex_unlock(&lock);
	return page;
}

struct irq_page *irq_page_use(io_connect_t connection)
{
	struct irq_page *page = use_existing(connection), *other;

	if (page)
		return page;
	page = calloc(1, sizeof(*page));
	if (!page)
		return NULL;
	page->connection = connection;
	page->users = 1;
	page->state = map(connection);
	if (!page->state) {
		free(page);
		return NULL;
	}
	pthread_mutex_init(&page->registering, NULL);
	pthread_mutex_lock(&lock);
	other = find(connection);
	if (other)
		other->users++;
	else
		LIST_INSERT_HEAD(&pages, page, link);
	pthread_mutex_unlock(&lock);
	if (!other)
		return page;
	/* Another thread has mapped it meanwhile. */
	apple_dext_unmap_irq_state(connection, (uintptr_t)page->state);
	pthread_mutex_destroy(&page->registering);
	free(page);
	return other;
}

/* The lock is held. The mapping stays until it is unmapped, or the connection ends. */
static void close_page(struct irq_page *page)
{
	if (page->state)
		LIST_REMOVE(page, link);
	page->state = NULL;
}

void irq_page_release(struct irq_page *page, const void *owner)
{
	struct dext_irq_state *state;
	bool last;

	if (!page)
		return;
	pthread_mutex_lock(&lock);
	last = --page->users == 0;
	state = page->state;
	if (page->owner == owner)
		page->owner = NULL;
	if (last)
		close_page(page);
	pthread_mutex_unlock(&lock);
	if (!last)
		return;
	if (state)
		apple_dext_unmap_irq_state(page->connection, (uintptr_t)state);
	pthread_mutex_destroy(&page->registering);
	free(page);
}

void irq_page_close(io_connect_t connection)
{
	struct irq_page *page;

	pthread_mutex_lock(&lock);
	page = find(connection);
	if (page)
		close_page(page);
	pthread_mutex_unlock(&lock);
}

bool irq_page_take(io_connect_t connection, uint64_t pending[4])
{
	struct irq_page *page;

	pthread_mutex_lock(&lock);
	page = find(connection);
	for (unsigned word = 0; page && word < DEXT_IRQ_WORDS; word++) {
		uint64_t *bits = &page->state->pending[word];

		/* The driver writes to the same line: most words are only read. */
		pending[word] = __atomic_load_n(bits, __ATOMIC_SEQ_CST);
		if (pending[word])
			pending[word] = __atomic_exchange_n(bits, 0, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&lock);
	return page;
}

static void set_owner(struct irq_page *page, const void *owner)
{
	pthread_mutex_lock(&lock);
	page->owner = owner;
	pthread_mutex_unlock(&lock);
}

kern_return_t irq_page_register(
	struct irq_page *page, void *owner, kern_return_t (*call)(void *owner))
{
	kern_return_t status;

	pthread_mutex_lock(&page->registering);
	/*
	 * Before the call: its handler can run before the call has returned, and arms by a store.
	 * The driver arms the call itself, so a store that comes earlier does no harm.
	 */
	set_owner(page, owner);
	status = call(owner);
	if (status != kIOReturnSuccess)
		set_owner(page, NULL);
	pthread_mutex_unlock(&page->registering);
	return status;
}

bool irq_page_is_owner(struct irq_page *page, const void *owner)
{
	bool is_owner;

	pthread_mutex_lock(&lock);
	is_owner = page->state && page->owner == owner;
	pthread_mutex_unlock(&lock);
	return is_owner;
}

static bool anything_pending(const struct dext_irq_state *state)
{
	uint64_t any = 0;

	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		any |= __atomic_load_n(&state->pending[word], __ATOMIC_SEQ_CST);
	return any;
}

enum irq_page_armed irq_page_arm(struct irq_page *page, const void *owner)
{
	enum irq_page_armed armed = IRQ_PAGE_ARMED;

	pthread_mutex_lock(&lock);
	if (!page->state || page->owner != owner) {
		armed = IRQ_PAGE_NOT_OWNER;
	} else {
		__atomic_store_n(&page->state->armed, 1, __ATOMIC_SEQ_CST);
		/* Where the driver has taken it meanwhile, it completes the call. */
		if (anything_pending(page->state) &&
			__atomic_exchange_n(&page->state->armed, 0, __ATOMIC_SEQ_CST))
			armed = IRQ_PAGE_PENDING;
	}
	pthread_mutex_unlock(&lock);
	return armed;
}
