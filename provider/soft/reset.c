/* SPDX-License-Identifier: BSD-3-Clause */
/* Resets of a software device, and waiting until it responds again. */
#include "common/pci-regs.h"
#include "provider/soft/device.h"

#include <time.h>

#define NS_PER_MS UINT64_C(1000000)

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / (1000 * NS_PER_MS)),
		.tv_nsec = (long)(ns % (1000 * NS_PER_MS)),
	};
}

static void sleep_until(uint64_t ns)
{
	struct timespec until = to_timespec(ns);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

bool soft_responds(struct soft_device *device)
{
	uint64_t ready_at = atomic_load(&device->ready_at);

	if (atomic_load(&device->removed))
		return false;
	return !ready_at || (ready_at != UINT64_MAX && soft_now_ns() >= ready_at);
}

/* Wait until the device responds, at most reset_timeout_ms. */
static kern_return_t wait_ready(struct soft_device *device)
{
	uint64_t deadline = soft_now_ns() + device->reset_timeout_ms * NS_PER_MS;

	while (!soft_responds(device)) {
		uint64_t ready_at = atomic_load(&device->ready_at);

		if (atomic_load(&device->removed))
			return kIOReturnOffline;
		if (soft_now_ns() >= deadline)
			return kIOReturnTimeout;
		sleep_until(ready_at < deadline ? ready_at : deadline);
	}
	return kIOReturnSuccess;
}

/* Whether the device has that kind of reset, by its capabilities. config_lock is held. */
static bool has_reset(const struct soft_config *config, enum pci_reset kind)
{
	unsigned pcie = soft_config_find(config, PCI_CAP_ID_EXP);
	unsigned pm = soft_config_find(config, PCI_CAP_ID_PM);

	switch (kind) {
	case PCI_RESET_FUNCTION:
		return pcie &&
		       (soft_config_get(config, pcie + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	case PCI_RESET_POWER:
		return pm &&
		       !(soft_config_get(config, pm + PCI_PM_CTRL, 2) & PCI_PM_CTRL_NO_SOFT_RESET);
	default:
		return true; /* a hot reset needs no capability */
	}
}

/* Reset the model. Return: false when its thread is stalled by memory, and frozen. */
static bool wait_for_model(struct soft_device *device)
{
	for (;;) {
		struct timespec until = to_timespec(soft_now_ns() + SOFT_STALL_MS * NS_PER_MS);

		if (device->model->reset(device, &until))
			return true;
		if (soft_worker_freeze(device->worker))
			return false;
	}
}

static void log_abandoned(struct soft_device *device)
{
	soft_log(device,
		"an access to memory has not returned within %d ms of a reset: "
		"abandoned (%u have not ended)",
		SOFT_STALL_MS, soft_workers_abandoned());
}

bool soft_reset_model(struct soft_device *device)
{
	struct soft_worker *stuck;

	if (wait_for_model(device))
		return true;
	stuck = device->worker;
	if (soft_workers_abandoned() >= SOFT_ABANDONED_MAX || !device->model->replace(device)) {
		soft_worker_thaw(stuck);
		soft_log(device, "an access to memory does not return, and the model "
				 "cannot be replaced: the device does not respond");
		return false;
	}
	soft_worker_abandon(stuck);
	log_abandoned(device);
	return true;
}

void soft_end_model(struct soft_device *device)
{
	if (wait_for_model(device)) {
		device->model->destroy(device);
		return;
	}
	soft_worker_abandon(device->worker);
	log_abandoned(device);
}

/* Reset config space and model to power-on. access is held for writing. */
static void reset_now(struct soft_device *device, unsigned ready_ms)
{
	uint64_t ready_at = 0;

	pthread_mutex_lock(&device->config_lock);
	soft_config_reset(&device->config);
	soft_update_command(device); /* this disables bus mastering */
	pthread_mutex_unlock(&device->config_lock);
	if (!soft_reset_model(device))
		ready_ms = SOFT_NEVER; /* the next hot reset tries again */
	if (ready_ms)
		ready_at =
			ready_ms == SOFT_NEVER ? UINT64_MAX : soft_now_ns() + ready_ms * NS_PER_MS;
	atomic_store(&device->ready_at, ready_at);
}

kern_return_t soft_begin_reset(struct soft_device *device, enum pci_reset kind)
{
	kern_return_t status = kIOReturnSuccess;
	unsigned ready_ms = 0;

	pthread_rwlock_wrlock(&device->access);
	if (device->model->try_reset)
		status = device->model->try_reset(device, kind, &ready_ms);
	if (status == kIOReturnSuccess)
		reset_now(device, ready_ms);
	pthread_rwlock_unlock(&device->access);
	return status;
}

kern_return_t soft_reset(struct pci_provider *provider, enum pci_reset kind)
{
	struct soft_device *device = (struct soft_device *)provider;
	kern_return_t status = kIOReturnSuccess;
	bool has;

	if (atomic_load(&device->removed))
		return kIOReturnOffline;
	pthread_mutex_lock(&device->config_lock);
	has = has_reset(&device->config, kind);
	pthread_mutex_unlock(&device->config_lock);
	if (!has)
		return kIOReturnUnsupported;
	/* All kinds but a hot reset are requested by config space, so the device must respond. */
	if (kind != PCI_RESET_HOT)
		status = wait_ready(device);
	if (status == kIOReturnSuccess)
		status = soft_begin_reset(device, kind);
	return status == kIOReturnSuccess ? wait_ready(device) : status;
}
