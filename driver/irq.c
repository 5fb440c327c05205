/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts. Each client has an IRQ state page. An interrupt sets the pending bit of its vector
 * in the pages where it is enabled, and completes the armed call; arming a call completes it at
 * once if a bit is pending. Both happen under irq_lock, so that no interrupt is lost.
 *
 * A call of ArmInterrupts stays armed. The client arms it again by a store to its page, without the
 * lock: dext-abi.h has the protocol, and tests/model/irq.pml is a model of it. A client may write
 * anything to the page. It then gets too many completions, but not more than interrupts, or too
 * few.
 *
 * Where a client has passed an eventfd for a vector, an interrupt signals that instead. If no other
 * client takes interrupts, and the provider can, it does so itself, and none of this is executed.
 */
#include "driver/internal.h"
#include "common/eventfd-signal.h"
#include "common/fd-kind.h"
#include "common/pci-regs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void dext_find_interrupts(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	unsigned msix = dext_find_capability(provider, PCI_CAP_ID_MSIX);
	unsigned msi = dext_find_capability(provider, PCI_CAP_ID_MSI);
	uint32_t value = 0;

	if (msix && provider->ops->config_read(provider, msix + PCI_MSIX_FLAGS, 2, &value) ==
			    kIOReturnSuccess) {
		driver->interrupt_kind = DEXT_INTERRUPT_MSIX;
		driver->vectors = (value & PCI_MSIX_FLAGS_QSIZE) + 1;
	} else if (msi && provider->ops->config_read(provider, msi + PCI_MSI_FLAGS, 2, &value) ==
				  kIOReturnSuccess) {
		driver->interrupt_kind = DEXT_INTERRUPT_MSI;
		driver->vectors = 1u << ((value & PCI_MSI_FLAGS_QMASK) >> 1);
	} else if (provider->ops->config_read(provider, PCI_INTERRUPT_PIN, 1, &value) ==
			   kIOReturnSuccess &&
		   value) {
		driver->interrupt_kind = DEXT_INTERRUPT_INTX;
		driver->vectors = 1;
	}
	if (driver->vectors > DEXT_VECTORS_MAX)
		driver->vectors = DEXT_VECTORS_MAX;
}

static bool anything_pending(const struct dext_irq_state *state)
{
	uint64_t any = 0;

	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		any |= __atomic_load_n(&state->pending[word], __ATOMIC_SEQ_CST);
	return any;
}

/* Complete a call that stays armed. */
static void complete_repeated(struct client_irq *irq, kern_return_t status)
{
	if (status != kIOReturnSuccess ||
		__atomic_exchange_n(&irq->state->armed, 0, __ATOMIC_SEQ_CST))
		iouser_async_completion_repeated(irq->armed, status, NULL, 0);
}

/*
 * Complete the armed call, if there is one. kIOReturnOffline ends also one that stays armed.
 * irq_lock is held.
 */
static void complete(struct client_irq *irq, kern_return_t status)
{
	if (!irq->armed)
		return;
	if (irq->stays_armed && status != kIOReturnOffline) {
		complete_repeated(irq, status);
		return;
	}
	iouser_async_completion(irq->armed, status, NULL, 0);
	iouser_completion_release(irq->armed);
	irq->armed = NULL;
}

/* The pci_irq_sink: vector @vector fired. Runs on a thread of the provider. */
static void fire(void *context, unsigned vector)
{
	struct dext_driver *driver = context;
	unsigned word = vector / 64;
	uint64_t bit = UINT64_C(1) << vector % 64;
	struct client_irq *irq;

	if (vector >= driver->vectors)
		return;
	pthread_mutex_lock(&driver->irq_lock);
	LIST_FOREACH (irq, &driver->irq_clients, link) {
		if (!(__atomic_load_n(&irq->state->enabled[word], __ATOMIC_SEQ_CST) & bit))
			continue;
		atomic_fetch_add(&irq->client->interrupts, 1);
		if (irq->eventfds[vector] >= 0) {
			eventfd_signal(irq->eventfds[vector]);
			continue;
		}
		__atomic_fetch_or(&irq->state->pending[word], bit, __ATOMIC_SEQ_CST);
		complete(irq, kIOReturnSuccess);
	}
	pthread_mutex_unlock(&driver->irq_lock);
}

void dext_complete_all(struct dext_driver *driver, kern_return_t status)
{
	struct client_irq *irq;

	pthread_mutex_lock(&driver->irq_lock);
	LIST_FOREACH (irq, &driver->irq_clients, link)
		complete(irq, status);
	pthread_mutex_unlock(&driver->irq_lock);
}

/* The page is shared memory that the client cannot truncate. */
static struct client_irq *irq_create(struct dext_client *client)
{
	struct client_irq *irq = calloc(1, sizeof(*irq));

	if (!irq)
		return NULL;
	irq->fd = memfd_create("dext-irq-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (irq->fd < 0 || ftruncate(irq->fd, DEXT_IRQ_STATE_SIZE) != 0 ||
		fcntl(irq->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		goto fail;
	irq->state =
		mmap(NULL, DEXT_IRQ_STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, irq->fd, 0);
	if (irq->state == MAP_FAILED)
		goto fail;
	irq->client = client;
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		irq->eventfds[vector] = -1;
	for (unsigned vector = 0; vector < client->driver->vectors; vector++)
		irq->state->enabled[vector / 64] |= UINT64_C(1) << vector % 64;
	irq->state->features = DEXT_IRQ_TAKES_BY_EXCHANGE;
	return irq;
fail:
	if (irq->fd >= 0)
		close(irq->fd);
	free(irq);
	return NULL;
}

static void irq_free(struct client_irq *irq)
{
	iouser_completion_release(irq->armed);
	for (unsigned vector = 0; vector < DEXT_VECTORS_MAX; vector++)
		if (irq->eventfds[vector] >= 0)
			close(irq->eventfds[vector]);
	munmap(irq->state, DEXT_IRQ_STATE_SIZE);
	close(irq->fd);
	free(irq);
}

/* Route the device's vectors to fire(), unless they are already. driver->lock is held. */
static kern_return_t route(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	kern_return_t status;

	if (driver->irq_routed)
		return kIOReturnSuccess;
	status = provider->ops->irq_setup(
		provider, driver->interrupt_kind, driver->vectors, fire, driver);
	driver->irq_routed = status == kIOReturnSuccess;
	return status;
}

/* The eventfd that the provider may signal without the sink; -1: none. driver->lock is held. */
static int direct_eventfd(const struct client_irq *only, unsigned vector)
{
	uint64_t enabled;

	if (!only)
		return -1;
	enabled = __atomic_load_n(&only->state->enabled[vector / 64], __ATOMIC_SEQ_CST);
	return enabled >> vector % 64 & 1 ? only->eventfds[vector] : -1;
}

/*
 * Have the provider signal eventfds itself for @count vectors, where only one client takes
 * interrupts. Where it cannot, fire() does. driver->lock is held, and irq_lock is not: the provider
 * holds its own lock during fire().
 */
static void route_eventfds(struct dext_driver *driver, unsigned first, unsigned count)
{
	const struct client_irq *only = LIST_FIRST(&driver->irq_clients);
	int fds[DEXT_VECTORS_MAX];

	if (!driver->irq_routed || !driver->provider->ops->irq_set_eventfds)
		return;
	if (only && LIST_NEXT(only, link))
		only = NULL;
	for (unsigned i = 0; i < count; i++)
		fds[i] = direct_eventfd(only, first + i);
	driver->provider->ops->irq_set_eventfds(driver->provider, first, count, fds);
}

kern_return_t dext_handle_SetupInterrupts(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	struct client_irq *irq;
	kern_return_t status;

	(void)in, (void)arguments;
	if (client->irq)
		return kIOReturnStillOpen;
	if (driver->interrupt_kind == DEXT_INTERRUPT_NONE)
		return kIOReturnUnsupported;
	irq = irq_create(client);
	if (!irq)
		return kIOReturnNoMemory;
	pthread_mutex_lock(&driver->lock);
	pthread_mutex_lock(&driver->irq_lock);
	LIST_INSERT_HEAD(&driver->irq_clients, irq, link);
	pthread_mutex_unlock(&driver->irq_lock);
	status = route(driver);
	/* The client that had the interrupts for itself shares them now. */
	route_eventfds(driver, 0, driver->vectors);
	client->irq = irq;
	pthread_mutex_unlock(&driver->lock);
	if (status != kIOReturnSuccess) {
		dext_drop_interrupts(client);
		return status;
	}
	out[0] = driver->vectors;
	return kIOReturnSuccess;
}

void dext_drop_interrupts(struct dext_client *client)
{
	struct dext_driver *driver = client->driver;
	bool last;

	if (!client->irq)
		return;
	pthread_mutex_lock(&driver->lock);
	pthread_mutex_lock(&driver->irq_lock);
	LIST_REMOVE(client->irq, link);
	last = LIST_EMPTY(&driver->irq_clients);
	pthread_mutex_unlock(&driver->irq_lock);
	for (unsigned vector = 0; vector < driver->vectors; vector++)
		driver->eventfds -= client->irq->eventfds[vector] >= 0;
	if (last && driver->irq_routed) {
		/* Without irq_lock: it waits for a running fire(), which takes that lock. */
		driver->provider->ops->irq_teardown(driver->provider);
		driver->irq_routed = false;
	}
	route_eventfds(driver, 0, driver->vectors);
	pthread_mutex_unlock(&driver->lock);
	irq_free(client->irq);
	client->irq = NULL;
}

kern_return_t dext_handle_CheckInterrupt(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	(void)in, (void)arguments;
	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		out[word] = __atomic_exchange_n(
			&client->irq->state->pending[word], 0, __ATOMIC_SEQ_CST);
	return kIOReturnSuccess;
}

/* Arm a call in place of the one that is armed; it completes at once if a bit is pending. */
static kern_return_t arm(
	struct dext_client *client, struct iouser_completion *completion, bool stays_armed)
{
	struct dext_driver *driver = client->driver;
	struct iouser_completion *replaced;

	pthread_mutex_lock(&driver->irq_lock);
	/* dext_withdraw() completes armed calls after it has changed the state. */
	if (atomic_load(&driver->state) != DRIVER_RUNNING) {
		pthread_mutex_unlock(&driver->irq_lock);
		return kIOReturnOffline;
	}
	replaced = client->irq->armed;
	client->irq->armed = iouser_completion_retain(completion);
	client->irq->stays_armed = stays_armed;
	__atomic_store_n(&client->irq->state->armed, stays_armed, __ATOMIC_SEQ_CST);
	if (anything_pending(client->irq->state))
		complete(client->irq, kIOReturnSuccess);
	pthread_mutex_unlock(&driver->irq_lock);
	iouser_completion_release(replaced);
	return kIOReturnSuccess;
}

kern_return_t dext_handle_WaitInterrupt(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	kern_return_t status;

	(void)in, (void)out;
	if (!arguments->completion)
		return kIOReturnBadArgument; /* it was not called asynchronously */
	status = arm(client, arguments->completion, false);
	if (status != kIOReturnSuccess)
		return status;
	/* Without irq_lock: the provider holds its own lock during fire(), which takes irq_lock. */
	if (driver->interrupt_kind == DEXT_INTERRUPT_INTX && driver->provider->ops->irq_unmask)
		driver->provider->ops->irq_unmask(driver->provider);
	return kIOReturnSuccess;
}

kern_return_t dext_handle_ArmInterrupts(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	(void)in, (void)out;
	if (!arguments->completion)
		return kIOReturnBadArgument;
	/* The line is masked when it fires, and unmasked by WaitInterrupt. */
	if (client->driver->interrupt_kind == DEXT_INTERRUPT_INTX ||
		!iouser_completion_repeats(arguments->completion))
		return kIOReturnUnsupported;
	return arm(client, arguments->completion, true);
}

kern_return_t dext_handle_SetIRQMask(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;

	(void)out, (void)arguments;
	/* Under the lock: once this returns, no masked vector becomes pending. */
	pthread_mutex_lock(&driver->irq_lock);
	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		__atomic_store_n(&client->irq->state->enabled[word], in[word], __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&driver->irq_lock);
	/* A reset of the device delays this only where the provider signals eventfds itself. */
	if (driver->provider->ops->irq_set_eventfds) {
		pthread_mutex_lock(&driver->lock);
		route_eventfds(driver, 0, driver->vectors);
		pthread_mutex_unlock(&driver->lock);
	}
	return kIOReturnSuccess;
}

/* Duplicate @count eventfds of a client, or fill @kept with -1 where it has passed none. */
static kern_return_t keep_eventfds(
	const struct iouser_arguments *arguments, unsigned count, int *kept)
{
	kern_return_t status = kIOReturnSuccess;

	for (unsigned i = 0; i < count; i++)
		kept[i] = -1;
	for (unsigned i = 0; i < arguments->descriptor_count && status == kIOReturnSuccess; i++) {
		if (fd_kind(arguments->descriptors[i]) != FD_KIND_EVENT)
			status = kIOReturnBadArgument;
		else if ((kept[i] = fcntl(arguments->descriptors[i], F_DUPFD_CLOEXEC, 0)) < 0)
			status = kIOReturnNoResources;
	}
	return status;
}

/* Exchange the client's eventfds for those in @fds. driver->lock is held. */
static kern_return_t exchange_eventfds(
	struct dext_client *client, unsigned first, unsigned count, int *fds)
{
	struct dext_driver *driver = client->driver;
	unsigned added = 0, removed = 0;

	for (unsigned i = 0; i < count; i++) {
		added += fds[i] >= 0;
		removed += client->irq->eventfds[first + i] >= 0;
	}
	if (driver->eventfds - removed + added > DEXT_VECTORS_MAX)
		return kIOReturnNoResources;
	driver->eventfds += added - removed;
	pthread_mutex_lock(&driver->irq_lock);
	for (unsigned i = 0; i < count; i++) {
		int previous = client->irq->eventfds[first + i];

		client->irq->eventfds[first + i] = fds[i];
		fds[i] = previous;
	}
	pthread_mutex_unlock(&driver->irq_lock);
	route_eventfds(driver, first, count);
	return kIOReturnSuccess;
}

kern_return_t dext_handle_SetInterruptEventfds(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	uint64_t first = in[DEXT_EVENTFDS_FIRST], count = in[DEXT_EVENTFDS_COUNT];
	int fds[DEXT_VECTORS_MAX];
	kern_return_t status;

	(void)out;
	if (first >= driver->vectors || !count || count > driver->vectors - first ||
		(arguments->descriptor_count && arguments->descriptor_count != count))
		return kIOReturnBadArgument;
	/* The line is masked when it fires, and unmasked by WaitInterrupt. */
	if (driver->interrupt_kind == DEXT_INTERRUPT_INTX)
		return kIOReturnUnsupported;
	if (eventfd_signal_prepare() != 0)
		return kIOReturnNoResources;
	status = keep_eventfds(arguments, (unsigned)count, fds);
	if (status == kIOReturnSuccess) {
		pthread_mutex_lock(&driver->lock);
		status = exchange_eventfds(client, (unsigned)first, (unsigned)count, fds);
		pthread_mutex_unlock(&driver->lock);
	}
	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return status;
}

kern_return_t dext_irq_memory(struct dext_client *client, struct iouser_memory *memory)
{
	if (!client->irq)
		return kIOReturnNotReady;
	*memory = (struct iouser_memory){ .fd = client->irq->fd, .size = DEXT_IRQ_STATE_SIZE };
	return kIOReturnSuccess;
}

kern_return_t dext_handle_TriggerInterrupt(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;

	(void)out, (void)arguments;
	if (!provider->ops->irq_trigger)
		return kIOReturnUnsupported;
	if (in[0] >= client->driver->vectors)
		return kIOReturnBadArgument;
	return provider->ops->irq_trigger(provider, (unsigned)in[0]);
}
