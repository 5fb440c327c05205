/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts. Each client has an IRQ state page. An interrupt sets the pending bit of its vector
 * in the pages where it is enabled, and completes the armed call; arming a call completes it at
 * once if a bit is pending. Both happen under irq_lock, so that no interrupt is lost.
 */
#include "driver/internal.h"
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

/* Complete the armed call, if there is one. irq_lock is held. */
static void complete(struct client_irq *irq, kern_return_t status)
{
	if (!irq->armed)
		return;
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
		__atomic_fetch_or(&irq->state->pending[word], bit, __ATOMIC_SEQ_CST);
		atomic_fetch_add(&irq->client->interrupts, 1);
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
	for (unsigned vector = 0; vector < client->driver->vectors; vector++)
		irq->state->enabled[vector / 64] |= UINT64_C(1) << vector % 64;
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
	if (last && driver->irq_routed) {
		/* Without irq_lock: it waits for a running fire(), which takes that lock. */
		driver->provider->ops->irq_teardown(driver->provider);
		driver->irq_routed = false;
	}
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

kern_return_t dext_handle_WaitInterrupt(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct dext_driver *driver = client->driver;
	struct iouser_completion *replaced;

	(void)in, (void)out;
	if (!arguments->completion)
		return kIOReturnBadArgument; /* it was not called asynchronously */
	pthread_mutex_lock(&driver->irq_lock);
	/* dext_withdraw() completes armed calls after it has changed the state. */
	if (atomic_load(&driver->state) != DRIVER_RUNNING) {
		pthread_mutex_unlock(&driver->irq_lock);
		return kIOReturnOffline;
	}
	replaced = client->irq->armed;
	client->irq->armed = iouser_completion_retain(arguments->completion);
	if (anything_pending(client->irq->state))
		complete(client->irq, kIOReturnSuccess);
	pthread_mutex_unlock(&driver->irq_lock);
	iouser_completion_release(replaced);
	/* Without irq_lock: the provider holds its own lock during fire(), which takes irq_lock. */
	if (driver->interrupt_kind == DEXT_INTERRUPT_INTX && driver->provider->ops->irq_unmask)
		driver->provider->ops->irq_unmask(driver->provider);
	return kIOReturnSuccess;
}

kern_return_t dext_handle_SetIRQMask(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	(void)out, (void)arguments;
	/* Under the lock: once this returns, no masked vector becomes pending. */
	pthread_mutex_lock(&client->driver->irq_lock);
	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++)
		__atomic_store_n(&client->irq->state->enabled[word], in[word], __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&client->driver->irq_lock);
	return kIOReturnSuccess;
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
