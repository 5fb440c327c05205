/* SPDX-License-Identifier: BSD-3-Clause */
/* A software device, as the framework's own files see it. */
#ifndef PROVIDER_SOFT_DEVICE_H
#define PROVIDER_SOFT_DEVICE_H

#include "provider/soft/config.h"
#include "provider/soft/iommu.h"
#include "provider/soft/soft.h"

#include <pthread.h>
#include <stdatomic.h>

/* Memory and size are fixed once created, the rest is guarded by map_lock. */
struct soft_bar {
	void *memory; /* NULL: none; what is behind the address changes: bar-memory.c */
	uint64_t size;
	int fd;	   /* of what is behind it now */
	int spare; /* what will be behind it when the last mapping ends; -1: none yet */
	unsigned mappings;
};

struct soft_device {
	struct pci_provider provider; /* first: the device is the provider */
	const struct soft_model *model;
	void *private;
	char name[48];
	struct soft_bar bars[DEXT_BARS];

	/*
	 * Accesses to BARs hold access for reading, a reset for writing. It is taken
	 * before config_lock. It guards which model there is: private, worker and
	 * memory_lock are others after a reset that replaced it.
	 */
	pthread_rwlock_t access;
	struct soft_worker *worker;
	/* config_lock guards config; it is a leaf: nothing is called with it held. */
	pthread_mutex_t config_lock;
	struct soft_config config;
	atomic_uint command; /* a copy for those that only look */

	/*
	 * map_lock guards who has BARs mapped, and makes bar_mapped calls one at a time. It
	 * is taken before access and before memory_lock, the model's: soft_set_memory_lock().
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
	 * When the device answers again after a reset: CLOCK_MONOTONIC in nanoseconds,
	 * 0: it does, UINT64_MAX: not before a hot reset. Written with access held for
	 * writing.
	 */
	atomic_uint_fast64_t ready_at;
	unsigned reset_timeout_ms;

	atomic_bool removed; /* pulled out, for good */

	struct soft_iommu *iommu;
	atomic_uint_fast64_t faults;
	atomic_uint_fast64_t log_second; /* and the number of lines logged in it: work.c */
};

/* Take the copy of COMMAND that those who only look use. config_lock is held. */
void soft_publish_command(struct soft_device *device);

/*
 * bar-memory.c: the memory of a BAR, zeroed; false with errno. What has been created, in
 * part or not at all, can be destroyed.
 */
bool soft_bar_create(struct soft_bar *bar, uint64_t size);
void soft_bar_destroy(struct soft_bar *bar);
/* bar-memory.c: the provider's functions of these names. */
kern_return_t soft_bar_memory(
	struct pci_provider *provider, unsigned bar, struct pci_bar_memory *memory);
void soft_bar_unmapped(struct pci_provider *provider, unsigned bar);

/* reset.c: whether the device answers, or is not ready after a reset. */
bool soft_answers(struct soft_device *device);
/*
 * reset.c: a reset as config space or the bus asks for it, which need not succeed and
 * is not waited for. No lock is held. Return: as try_reset.
 */
kern_return_t soft_begin_reset(struct soft_device *device, enum pci_reset kind);
/*
 * reset.c: the model back to power-on, replaced by a new one if its memory access does not
 * return. access is held for writing. Return: false when it could not be replaced either.
 */
bool soft_reset_model(struct soft_device *device);
/* reset.c: the end of the model: its thread has ended, or is abandoned. Nobody else is there. */
void soft_end_model(struct soft_device *device);
/* reset.c: the provider's reset. */
kern_return_t soft_reset(struct pci_provider *provider, enum pci_reset kind);
/* provider.c */
extern const struct pci_provider_ops soft_provider_ops;

/* The device types there are; ends with NULL. */
extern const struct soft_model *const soft_models[];
/* Create a device of a parsed specification. */
struct pci_provider *soft_create(const struct device_spec *spec, struct spec_error *error);
/* The keys that every software device has; ends with a NULL name. */
extern const struct spec_key soft_keys[];

#endif
