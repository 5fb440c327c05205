/* SPDX-License-Identifier: BSD-3-Clause */
/* Resets: the gentlest that works, and config space as it was before. */
#include "driver/internal.h"
#include "common/pci-regs.h"

#include <time.h>

/* How long a device that does not answer is waited for before it is reset. */
#define ANSWER_TIMEOUT_MS 1000

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
	{ PCI_CAP_ID_MSI, 4, 4 }, /* the address, and what follows it in either layout */
	{ PCI_CAP_ID_MSI, 8, 4 },
	{ PCI_CAP_ID_MSI, 12, 4 },
	{ PCI_CAP_ID_MSI, PCI_MSI_FLAGS, 2 }, /* after them: it enables */
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

bool dext_answers(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	uint32_t id;

	return provider->ops->config_read(provider, PCI_VENDOR_ID, 2, &id) == kIOReturnSuccess &&
	       id != UINT16_MAX;
}

/*
 * A device in the middle of a reset of somebody else's making (a bit in config space)
 * reads as ones: that is nothing to restore.
 */
static bool wait_until_it_answers(struct dext_driver *driver)
{
	for (unsigned ms = 0; ms < ANSWER_TIMEOUT_MS && !dext_answers(driver); ms++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return dext_answers(driver);
}

/* Restore what a reset that did not come to its end has left undone. driver->lock is held. */
static void restore_now(struct dext_driver *driver)
{
	if (!atomic_load(&driver->unrestored) || !dext_answers(driver))
		return;
	restore_config(driver->provider, &driver->saved);
	atomic_store(&driver->unrestored, false);
}

void dext_restore_late(struct dext_driver *driver)
{
	pthread_mutex_lock(&driver->lock);
	restore_now(driver);
	pthread_mutex_unlock(&driver->lock);
}

kern_return_t dext_reset(struct dext_driver *driver)
{
	struct pci_provider *provider = driver->provider;
	kern_return_t status = kIOReturnUnsupported, attempt;

	/* What an earlier one saved is still what is to be restored. */
	if (!atomic_load(&driver->unrestored) && wait_until_it_answers(driver)) {
		dext_save_config(provider, &driver->saved);
		atomic_store(&driver->unrestored, true);
	}
	for (unsigned kind = 0; kind < PCI_RESET_KINDS; kind++) {
		attempt = provider->ops->reset(provider, (enum pci_reset)kind);
		if (attempt == kIOReturnSuccess) {
			restore_now(driver);
			atomic_fetch_add(&driver->resets, 1);
			return kIOReturnSuccess;
		}
		/* A kind that the device lacks says less than one that failed. */
		if (attempt != kIOReturnUnsupported)
			status = attempt;
	}
	restore_now(driver); /* if it answers at all; else with the next call that finds it so */
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
