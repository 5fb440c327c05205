/* SPDX-License-Identifier: BSD-3-Clause */
/* A software device, for the files of the framework. */
#ifndef PROVIDER_SOFT_DEVICE_H
#define PROVIDER_SOFT_DEVICE_H

#include "provider/soft/config.h"
#include "provider/soft/iommu.h"
#include "provider/soft/soft.h"

#include <pthread.h>
#include <stdatomic.h>

/* Memory and size are fixed once created, the rest is guarded by map_lock. */
struct soft_bar {
	void *memory; /* NULL: cannot be mapped; bar-memory.c replaces the pages */
	uint64_t size;
	int fd;	   /* of the memory */
	int spare; /* of the memory that replaces it after the last mapping; -1: none */
	unsigned mappings;
};

struct soft_device {
	struct pci_provider provider; /* first: the device is the provider */
	const struct soft_model *model;
	void *private;
	char name[48];
	struct soft_bar bars[DEXT_BARS];

	/*
	 * Accesses to BARs hold access for reading, a reset for writing. It is taken before
	 * config_lock. It guards private, worker and memory_lock, which change when a reset
	 * replaces the model.
	 */
	pthread_rwlock_t access;
	struct soft_worker *worker;
	/* config_lock guards config; it is a leaf: nothing is called with it held. */
	pthread_mutex_t config_lock;
	struct soft_config config;
	atomic_uint command; /* a copy of COMMAND, read without config_lock */

	/*
	 * map_lock guards the mappings of BARs, and serializes calls of bar_mapped. It is taken
	 * before access and before memory_lock, the model's lock (soft_set_memory_lock()).
	 */
	pthread_mutex_t map_lock;
	pthread_mutex_t *memory_lock;

	/* irq_lock guards the route; it is held while the sink runs. */
	pthread_mutex_t irq_lock;
	pci_irq_sink sink; /* NULL: not set up */
	void *sink_context;
	enum dext_interrupt_kind irq_kind;
	unsigned irq_vectors;

	/*
	 * When the device responds again after a reset, in nanoseconds of CLOCK_MONOTONIC; 0: it
	 * responds; UINT64_MAX: not before a hot reset. Written with access held for writing.
	 */
	atomic_uint_fast64_t ready_at;
	unsigned reset_timeout_ms;

	atomic_bool removed; /* unplugged; never reset to false */

	struct soft_iommu *iommu;
	atomic_uint_fast64_t faults;
	atomic_uint_fast64_t log_second; /* and the number of lines logged in it: work.c */
};

/* provider.c: update the copy of COMMAND. config_lock is held. */
void soft_update_command(struct soft_device *device);

/*
 * bar-memory.c: allocate the memory of a BAR, zeroed. Return: false with errno on failure.
 * soft_bar_destroy() also accepts a BAR whose creation failed or was not tried.
 */
bool soft_bar_create(struct soft_bar *bar, uint64_t size);
void soft_bar_destroy(struct soft_bar *bar);
/* bar-memory.c: operations of the provider. */
kern_return_t soft_bar_memory(
	struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory);
void soft_bar_unmapped(struct pci_provider *provider, unsigned bar);

/* reset.c: whether the device responds: it is not unplugged, and ready after a reset. */
bool soft_responds(struct soft_device *device);
/*
 * reset.c: start a reset, requested by config space or the bus, without waiting until the device
 * is ready. No lock is held. Return: as try_reset.
 */
kern_return_t soft_begin_reset(struct soft_device *device, enum pci_reset kind);
/*
 * reset.c: reset the model to power-on, or replace it if its access to memory does not return.
 * access is held for writing. Return: false when it could not be replaced either.
 */
bool soft_reset_model(struct soft_device *device);
/* reset.c: destroy the model, or abandon its thread. The device is not in use. */
void soft_end_model(struct soft_device *device);
/* reset.c: operation of the provider. */
kern_return_t soft_reset(struct pci_provider *provider, enum pci_reset kind);
/* provider.c */
extern const struct pci_provider_ops soft_provider_ops;

/* All device types; ends with NULL. */
extern const struct soft_model *const soft_models[];
/* Create a device of a parsed specification. */
struct pci_provider *soft_create(const struct device_spec *spec, struct spec_error *error);
/* The keys of all software devices; ends with a NULL name. */
extern const struct spec_key soft_keys[];

#endif
