/* SPDX-License-Identifier: BSD-3-Clause */
/* Claims of the device, teardown of clients, termination, removal. */
#include "driver/internal.h"
#include "common/pci-regs.h"

/* Change bits of COMMAND. driver->lock is held. */
static kern_return_t change_command(struct dext_driver *driver, uint32_t set, uint32_t clear)
{
	struct pci_provider *provider = driver->provider;
	uint32_t command;
	kern_return_t status;

	status = provider->ops->config_read(provider, PCI_COMMAND, 2, &command);
	if (status != kIOReturnSuccess)
		return status;
	return provider->ops->config_write(provider, PCI_COMMAND, 2, (command & ~clear) | set);
}

static bool has_io_bar(const struct pci_provider *provider)
{
	for (unsigned bar = 0; bar < DEXT_BARS; bar++)
		if (provider->bars[bar].implemented && (provider->bars[bar].type & DEXT_BAR_IO))
			return true;
	return false;
}

/* The first claim. driver->lock is held. */
static kern_return_t open_device(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	kern_return_t status = provider->ops->open(provider);
	uint32_t bits = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (status != kIOReturnSuccess)
		return status;
	if (has_io_bar(provider))
		bits |= PCI_COMMAND_IO;
	/* Restored when the last claim ends. */
	dext_save_config(provider, &driver->initial);
	status = dext_responds(driver) ? change_command(driver, bits, 0) : kIOReturnNotResponding;
	if (status != kIOReturnSuccess)
		provider->ops->close(provider);
	return status;
}

/*
 * The last claim has ended: restore the config space that the first one found, reset the
 * device and disable bus mastering, so that no state passes to the next client.
 * driver->lock is held, so that nobody claims the device before that.
 */
static void close_device(struct dext_driver *driver)
{
	const uint32_t all = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY | PCI_COMMAND_IO;

	if (atomic_load(&driver->state) != DRIVER_REMOVED) {
		driver->saved = driver->initial;
		atomic_store(&driver->restore_pending, true);
		dext_reset(driver);
		change_command(driver, 0, all);
	}
	/* After a reset that timed out, do not restore when another client has claimed the device. */
	atomic_store(&driver->restore_pending, false);
	driver->provider->ops->close(driver->provider);
}

static bool has_bars_mapped(const struct dext_client *client)
{
	for (unsigned bar = 0; bar < DEXT_BARS; bar++)
		if (client->mappings[DEXT_MEMORY_BAR0 + bar])
			return true;
	return false;
}

/* driver->lock is held, and the thread executes the client's calls. */
static kern_return_t claim(struct dext_client *client, bool exclusive)
{
	struct dext_driver *driver = client->driver;
	unsigned others = driver->claims - client->claimed;
	kern_return_t status;

	if (atomic_load(&driver->state) != DRIVER_RUNNING)
		return kIOReturnOffline;
	if (others && (exclusive || driver->exclusive))
		return kIOReturnExclusiveAccess;
	/* Disconnected clients may still have the BAR memory mapped that this client has mapped. */
	if (exclusive && driver->shared && has_bars_mapped(client))
		return kIOReturnBusy;
	if (!driver->claims) {
		status = open_device(driver);
		if (status != kIOReturnSuccess)
			return status;
	}
	if (!client->claimed)
		driver->claims++;
	client->claimed = true;
	driver->exclusive = driver->exclusive || exclusive;
	driver->shared = !driver->exclusive && (driver->shared || driver->claims > 1);
	return kIOReturnSuccess;
}

static kern_return_t claim_locked(struct dext_client *client, bool exclusive)
{
	kern_return_t status;

	pthread_mutex_lock(&client->driver->lock);
	status = claim(client, exclusive);
	pthread_mutex_unlock(&client->driver->lock);
	return status;
}

kern_return_t dext_handle_Claim(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	(void)in, (void)out, (void)arguments;
	return claim_locked(client, false);
}

kern_return_t dext_handle_ClaimExclusive(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	(void)in, (void)out, (void)arguments;
	return claim_locked(client, true);
}

/*
 * Teardown of a client, under driver->lock up to step 5. Steps 1 and 3 are for the last claim.
 * 1. Disable bus mastering: stores to BARs that the client still makes start no DMA.
 * 2. Revoke its BAR mappings: it cannot write to the device after the reset.
 * 3. Reset the device, which stops DMA in progress.
 * 4. Unmap its DMA regions and buffer: after the reset, or the device would fault on them.
 * 5. Release the claim: another client can claim the device.
 * 6. Free the memory of its regions, without the lock, since that can stall.
 */
void dext_unclaim(struct dext_client *client)
{
	struct dext_driver *driver = client->driver;
	bool last;

	pthread_mutex_lock(&driver->lock);
	last = client->claimed && driver->claims == 1;
	if (last && atomic_load(&driver->state) != DRIVER_REMOVED)
		change_command(driver, 0, PCI_COMMAND_MASTER);
	dext_drop_mappings(client);
	if (last)
		close_device(driver);
	dext_unmap_regions(client);
	dext_drop_buffer(client);
	if (client->claimed) {
		client->claimed = false;
		driver->exclusive = false; /* only a sole claim is exclusive */
		driver->claims--;
		driver->shared = driver->shared && driver->claims;
	}
	pthread_mutex_unlock(&driver->lock);
	dext_drop_regions(client);
}

void dext_withdraw(struct dext_driver *driver, enum driver_state state)
{
	iouser_service_terminate(driver->service);
	pthread_mutex_lock(&driver->lock);
	if (atomic_load(&driver->state) == DRIVER_RUNNING) {
		if (state == DRIVER_TERMINATED && driver->claims) {
			change_command(driver, 0, PCI_COMMAND_MASTER);
			/* Restores COMMAND as it is now: bus mastering stays disabled. */
			dext_reset(driver);
		}
		atomic_store(&driver->state, state);
	}
	pthread_mutex_unlock(&driver->lock);
	dext_complete_all(driver, kIOReturnOffline);
}

/* Remove the service from the registry, disable bus mastering and reset the device. */
kern_return_t dext_handle_Terminate(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	(void)in, (void)out, (void)arguments;
	dext_withdraw(client->driver, DRIVER_TERMINATED);
	return kIOReturnSuccess;
}

kern_return_t dext_handle_RemoveDevice(struct dext_client *client, const uint64_t *in,
	uint64_t *out, struct iouser_arguments *arguments)
{
	struct pci_provider *provider = client->driver->provider;
	kern_return_t status;

	(void)in, (void)out, (void)arguments;
	if (!provider->ops->remove)
		return kIOReturnUnsupported;
	status = provider->ops->remove(provider);
	if (status == kIOReturnSuccess)
		dext_withdraw(client->driver, DRIVER_REMOVED);
	return status;
}
