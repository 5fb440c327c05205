/* SPDX-License-Identifier: BSD-3-Clause */
/* Creation and destruction of the driver and of its clients, and their mappings. */
#include "driver/driver.h"
#include "driver/internal.h"
#include "common/eventfd-signal.h"
#include "common/pci-regs.h"

#include <stdlib.h>

static kern_return_t new_user_client(
	void *context, uint32_t type, struct iouser_peer *peer, void **out)
{
	struct dext_driver *driver = context;
	struct dext_client *client;

	if (type != DEXT_USER_CLIENT_TYPE)
		return kIOReturnUnsupported;
	client = calloc(1, sizeof(*client));
	if (!client)
		return kIOReturnNoMemory;
	client->driver = driver;
	client->peer = peer;
	RB_INIT(&client->regions);
	pthread_mutex_lock(&driver->lock);
	client->number = ++driver->last_number;
	TAILQ_INSERT_TAIL(&driver->clients, client, link);
	pthread_mutex_unlock(&driver->lock);
	*out = client;
	return kIOReturnSuccess;
}

static kern_return_t external_method(void *context, struct iouser_arguments *arguments)
{
	return dext_dispatch(context, arguments);
}

static bool is_bar(uint32_t memory_type)
{
	return memory_type >= DEXT_MEMORY_BAR0 && memory_type <= DEXT_MEMORY_BAR5;
}

/* The client's number of mappings of that memory; NULL for an unknown memory type. */
static unsigned *mappings_of(struct dext_client *client, uint32_t memory_type)
{
	if (memory_type == DEXT_MEMORY_TRACE)
		memory_type = DEXT_MEMORY_TYPES;
	return memory_type <= DEXT_MEMORY_TYPES ? &client->mappings[memory_type] : NULL;
}

static kern_return_t copy_client_memory(
	void *context, uint32_t memory_type, struct iouser_memory *memory)
{
	struct dext_client *client = context;
	kern_return_t status;

	if (atomic_load(&client->driver->state) != DRIVER_RUNNING)
		return kIOReturnOffline;
	status = dext_check_memory(client, memory_type);
	if (status != kIOReturnSuccess)
		return status;
	if (is_bar(memory_type))
		status = dext_bar_memory(client, memory_type - DEXT_MEMORY_BAR0, memory);
	else if (memory_type == DEXT_MEMORY_DMA_BUFFER)
		status = dext_buffer_memory(client, memory);
	else if (memory_type == DEXT_MEMORY_IRQ_STATE)
		status = dext_irq_memory(client, memory);
	else
		status = dext_trace_memory(&client->driver->trace, memory);
	if (status == kIOReturnSuccess)
		++*mappings_of(client, memory_type);
	return status;
}

/* Clients are not trusted: unmapping what is not mapped is ignored. */
static void client_unmapped(void *context, uint32_t memory_type)
{
	struct dext_client *client = context;
	struct pci_provider *provider = client->driver->provider;
	unsigned *mappings =
		memory_type == DEXT_MEMORY_TYPES ? NULL : mappings_of(client, memory_type);

	if (!mappings || !*mappings)
		return;
	--*mappings;
	if (is_bar(memory_type) && provider->ops->bar_unmapped)
		provider->ops->bar_unmapped(provider, memory_type - DEXT_MEMORY_BAR0);
	else if (memory_type == DEXT_MEMORY_TRACE)
		atomic_fetch_sub(&client->driver->trace.users, 1);
}

/* Whether memory can be mapped is known when it has been. */
kern_return_t dext_handle_GetMemoryStatus(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct iouser_memory memory;
	kern_return_t status = kIOReturnUnsupported;

	(void)arguments;
	if (in[0] <= UINT32_MAX)
		status = copy_client_memory(client, (uint32_t)in[0], &memory);
	if (status == kIOReturnSuccess)
		client_unmapped(client, (uint32_t)in[0]);
	out[0] = (uint32_t)status;
	return kIOReturnSuccess;
}

void dext_drop_mappings(struct dext_client *client)
{
	for (uint32_t type = 0; type < DEXT_MEMORY_TYPES; type++)
		while (client->mappings[type])
			client_unmapped(client, type);
	while (client->mappings[DEXT_MEMORY_TYPES])
		client_unmapped(client, DEXT_MEMORY_TRACE);
}

static void client_closed(void *context)
{
	struct dext_client *client = context;
	struct dext_driver *driver = client->driver;

	dext_drop_interrupts(client);
	dext_unclaim(client);
	dext_drop_probe(client);
	pthread_mutex_lock(&driver->lock);
	TAILQ_REMOVE(&driver->clients, client, link);
	pthread_mutex_unlock(&driver->lock);
	free(client);
}

static const struct iouser_class driver_class = {
	.new_user_client = new_user_client,
	.external_method = external_method,
	.copy_client_memory = copy_client_memory,
	.client_unmapped = client_unmapped,
	.client_closed = client_closed,
};

/* Read the registers that do not change. */
static bool identify(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	uint32_t ids, class;

	if (provider->ops->config_read(provider, PCI_VENDOR_ID, 4, &ids) != kIOReturnSuccess ||
		provider->ops->config_read(provider, PCI_REVISION_ID, 4, &class) !=
			kIOReturnSuccess ||
		ids == UINT32_MAX)
		return false;
	driver->vendor_id = (uint16_t)ids;
	driver->device_id = (uint16_t)(ids >> 16);
	driver->class_code = class >> 8;
	dext_find_interrupts(driver);
	return true;
}

static struct iouser_service *publish(struct dext_driver *driver)
{
	const struct iouser_property properties[] = {
		{ DEXT_ROOT_PROPERTY, driver->provider->address.root },
		{ NULL, NULL },
	};

	return iouser_service_publish(DEXT_USER_CLASS, &driver_class, driver,
		*driver->provider->address.root ? properties : NULL);
}

static void handle_event(void *context, enum pci_event event)
{
	struct dext_driver *driver = context;

	if (event == PCI_EVENT_REMOVED)
		dext_withdraw(driver, DRIVER_REMOVED);
	else
		dext_complete_all(driver, kIOReturnDeviceError);
}

static void driver_free(struct dext_driver *driver)
{
	driver->provider->ops->destroy(driver->provider);
	dext_trace_destroy(&driver->trace);
	pthread_mutex_destroy(&driver->regions_lock);
	pthread_mutex_destroy(&driver->irq_lock);
	pthread_mutex_destroy(&driver->lock);
	free(driver);
}

struct dext_driver *dext_driver_create(struct pci_provider *provider)
{
	struct dext_driver *driver = calloc(1, sizeof(*driver));

	if (!driver) {
		provider->ops->destroy(provider);
		return NULL;
	}
	driver->provider = provider;
	driver->quotas = (struct dext_quotas){ DEXT_REGIONS_MAX, UINT64_MAX };
	pthread_mutex_init(&driver->lock, NULL);
	pthread_mutex_init(&driver->irq_lock, NULL);
	pthread_mutex_init(&driver->regions_lock, NULL);
	TAILQ_INIT(&driver->clients);
	LIST_INIT(&driver->irq_clients);
	dext_trace_init(&driver->trace);
	/* Now, since later a sandbox may forbid it. SetInterruptEventfds reports an error. */
	eventfd_signal_prepare();
	if (identify(driver))
		driver->service = publish(driver);
	if (!driver->service) {
		driver_free(driver);
		return NULL;
	}
	if (provider->ops->watch)
		provider->ops->watch(provider, handle_event, driver);
	return driver;
}

void dext_driver_set_quotas(struct dext_driver *driver, const struct dext_quotas *quotas)
{
	driver->quotas = *quotas;
}

void dext_driver_destroy(struct dext_driver *driver)
{
	iouser_service_release(driver->service);
	driver_free(driver);
}
