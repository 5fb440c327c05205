/* SPDX-License-Identifier: BSD-3-Clause */
/* Resets: the first kind in enum pci_reset that works; config space is saved and restored. */
#include "driver/internal.h"
#include "common/pci-regs.h"

#include <time.h>

/* How long to wait for a device that does not respond, before it is reset. */
#define RESPONSE_TIMEOUT_MS 1000

static void save(
	struct pci_provider *provider, struct saved_config *saved, unsigned offset, uint8_t width)
{
	uint32_t value;

	if (saved->count == SAVED_CONFIG_MAX ||
		provider->ops->config_read(provider, offset, width, &value) != kIOReturnSuccess)
		return;
	saved->registers[saved->count].offset = (uint16_t)offset;
	saved->registers[saved->count].width = width;
	saved->registers[saved->count++].value = value;
}

/* Control registers of a capability, by their offsets in it. */
static const struct {
	uint8_t capability;
	uint8_t offset, width;
} control_registers[] = {
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVCTL, 2 },
	{ PCI_CAP_ID_EXP, PCI_EXP_LNKCTL, 2 },
	{ PCI_CAP_ID_EXP, PCI_EXP_DEVCTL2, 2 },
	{ PCI_CAP_ID_MSI, 4, 4 }, /* address, data and masks, in either layout */
	{ PCI_CAP_ID_MSI, 8, 4 },
	{ PCI_CAP_ID_MSI, 12, 4 },
	{ PCI_CAP_ID_MSI, PCI_MSI_FLAGS, 2 }, /* last: it has the enable bit */
	{ PCI_CAP_ID_MSIX, PCI_MSIX_FLAGS, 2 },
};

void dext_save_config(struct pci_provider *provider, struct saved_config *saved)
{
	saved->count = 0;
	if (provider->ops->config_read(provider, PCI_COMMAND, 2, &saved->command) !=
		kIOReturnSuccess)
		saved->command = 0;
	save(provider, saved, PCI_CACHE_LINE_SIZE, 2);
	for (unsigned bar = 0; bar < DEXT_BARS; bar++)
		save(provider, saved, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
	save(provider, saved, PCI_ROM_ADDRESS, 4);
	save(provider, saved, PCI_INTERRUPT_LINE, 1);
	for (unsigned i = 0; i < sizeof(control_registers) / sizeof(*control_registers); i++) {
		unsigned at = dext_find_capability(provider, control_registers[i].capability);

		if (at)
			save(provider, saved, at + control_registers[i].offset,
				control_registers[i].width);
	}
}

static void restore_config(struct pci_provider *provider, const struct saved_config *saved)
{
	for (unsigned i = 0; i < saved->count; i++)
		provider->ops->config_write(provider, saved->registers[i].offset,
			saved->registers[i].width, saved->registers[i].value);
	provider->ops->config_write(provider, PCI_COMMAND, 2, saved->command);
}

bool dext_responds(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	uint32_t id;

	return provider->ops->config_read(provider, PCI_VENDOR_ID, 2, &id) == kIOReturnSuccess &&
	       id != UINT16_MAX;
}

/*
 * During a reset that a client started by config space the registers read as all ones, which
 * must not be saved.
 */
static bool wait_until_it_responds(struct dext_driver *driver)
{
	for (unsigned ms = 0; ms < RESPONSE_TIMEOUT_MS && !dext_responds(driver); ms++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return dext_responds(driver);
}

/* Restore config space if that is pending and the device responds. driver->lock is held. */
static void restore_now(struct dext_driver *driver)
{
	if (!atomic_load(&driver->restore_pending) || !dext_responds(driver))
		return;
	restore_config(driver->provider, &driver->saved);
	atomic_store(&driver->restore_pending, false);
}

void dext_restore_pending(struct dext_driver *driver)
{
	pthread_mutex_lock(&driver->lock);
	restore_now(driver);
	pthread_mutex_unlock(&driver->lock);
}

kern_return_t dext_reset(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	kern_return_t status = kIOReturnUnsupported, attempt;

	/* If a restore is pending, the registers saved before remain the ones to restore. */
	if (!atomic_load(&driver->restore_pending) && wait_until_it_responds(driver)) {
		dext_save_config(provider, &driver->saved);
		atomic_store(&driver->restore_pending, true);
	}
	for (unsigned kind = 0; kind < PCI_RESET_KINDS; kind++) {
		attempt = provider->ops->reset(provider, (enum pci_reset)kind);
		if (attempt == kIOReturnSuccess) {
			restore_now(driver);
			atomic_fetch_add(&driver->resets, 1);
			return kIOReturnSuccess;
		}
		/* The error of a kind that the device has is more useful. */
		if (attempt != kIOReturnUnsupported)
			status = attempt;
	}
	restore_now(driver); /* if it does not respond: with a later call */
	return status;
}

kern_return_t dext_handle_ResetDevice(struct dext_client *client, const uint64_t *in, uint64_t *out,
	struct iouser_arguments *arguments)
{
	kern_return_t status;

	(void)in, (void)out, (void)arguments;
	pthread_mutex_lock(&client->driver->lock);
	status = dext_reset(client->driver);
	pthread_mutex_unlock(&client->driver->lock);
	return status;
}
