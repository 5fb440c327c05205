/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of an NVMe controller and what its files offer each other.
 *
 * Who owns what: struct nvme_registers is shared by every thread and has a lock.
 * All else of struct nvme_controller belongs to the worker thread alone; other threads
 * set flags in the registers and wake it. The lock is never held over a call into the
 * framework (DMA, interrupts, logging), which has locks of its own and may hold one
 * when it calls bar_write, command_changed or reset.
 */
#ifndef PROVIDER_SOFT_NVME_H
#define PROVIDER_SOFT_NVME_H

#include "provider/soft/nvme/backend.h"
#include "provider/soft/nvme/nvme-spec.h"
#include "provider/soft/soft.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/*
 * BAR0. The registers and doorbells have the first 16 KiB to themselves, so that a host
 * with pages of that size can map them without the MSI-X structures.
 */
#define NVME_BAR_SIZE 0x8000u
#define NVME_BAR_MSIX 0x4000u
#define NVME_BAR_PBA  0x6000u

#define NVME_REGISTER_WORDS 16u	  /* what is watched and restored: up to ACQ, and a little */
#define NVME_DOORBELLS	    1024u /* words in the doorbell page */

#define NVME_QUEUES_MAX	 255u /* pairs for I/O; queue 0 is the admin queue */
#define NVME_VECTORS_MAX 256u
#define NVME_ENTRIES_MAX 1024u /* of an I/O queue: CAP.MQES + 1 */
#define NVME_PAGE_MIN	 4096u
#define NVME_PAGE_ORDERS 4u    /* CAP.MPSMAX: up to 64 KiB */
#define NVME_MDTS_MIN	 8192u /* MDTS 1: 0 would mean no limit */
#define NVME_MDTS_MAX	 (4096u * 1024u)
#define NVME_ASYNC_MAX	 4u  /* asynchronous event requests held */
#define NVME_ERRORS_MAX	 64u /* entries of the error log */

/* Temperatures in kelvin. The device has none of its own, so it reports one that is constant. */
#define NVME_TEMPERATURE	  313u
#define NVME_TEMPERATURE_WARNING  343u
#define NVME_TEMPERATURE_CRITICAL 353u

#define NVME_FIRMWARE "1.0     "

/* What a handler returns for a command that gets no completion, or none yet. */
#define NVME_NO_COMPLETION 0xffffu

#define NVME_NSID 1u /* the one namespace */

/* Fixed when the device is created. */
struct nvme_identity {
	char serial[NVME_SERIAL_LENGTH + 1];
	char model[NVME_MODEL_LENGTH + 1];
	uint8_t uuid[16], nguid[16], eui64[8];
};

/* Why the worker was woken. */
enum nvme_wake {
	NVME_WAKE_CC = 1u << 0,
	NVME_WAKE_DISABLED = 1u << 1, /* CC.EN was cleared, whatever it is now */
	NVME_WAKE_OTHER = 1u << 2,    /* doorbells, interrupt mask, bus mastering */
};

struct nvme_registers {
	pthread_mutex_t lock;
	pthread_cond_t wake;	   /* the worker waits; CLOCK_MONOTONIC */
	pthread_cond_t reset_done; /* CLOCK_MONOTONIC too */
	/* All below under the lock, the memory of @bar (shared with clients) included. */
	uint8_t *bar;
	uint32_t value[NVME_REGISTER_WORDS]; /* @bar only shows them */
	uint32_t doorbell[NVME_DOORBELLS];   /* last value taken from a host */
	uint64_t rung[NVME_DOORBELLS / 64];  /* written, and not applied by the worker yet */
	unsigned reasons;		     /* enum nvme_wake */
	/* Vectors unmasked since nvme_interrupt_mask(); written under the lock. */
	atomic_uint_least32_t unmasked;
	bool mapped;	/* clients can store into @bar */
	bool last_poll; /* unmapped just now: poll once more for earlier stores */
	bool stop, reset;
};

/* A copy of the registers that the worker acts on. */
/* Doorbell Buffer Config. */
struct nvme_doorbell_buffer {
	bool enabled;
	uint64_t shadow, event_idx; /* bus addresses */
};

struct nvme_events {
	unsigned reasons;
	uint32_t cc, aqa;
	uint64_t asq, acq;
};

struct nvme_sq {
	bool live;
	uint16_t cqid;
	uint32_t size, head, tail;
	uint32_t shadow; /* the last value of its shadow doorbell */
	uint64_t base;
};

struct nvme_cq {
	bool live, interrupts, phase;
	bool due; /* an interrupt is to be raised */
	uint16_t vector;
	uint32_t size, head, tail;
	uint32_t shadow; /* the last value of its shadow doorbell */
	uint64_t base;
	unsigned sqs; /* submission queues that complete here */
};

struct nvme_request {
	struct nvme_command command; /* in the machine's byte order */
	uint16_t sqid;
	uint32_t result;
};

/* Since the device was created; resets leave them alone, as they would of hardware. */
struct nvme_statistics {
	uint64_t bytes_read, bytes_written, reads, writes;
	uint64_t media_errors, errors;
	uint64_t busy_ns, started_ns;
};

struct nvme_features {
	uint32_t value[NVME_FEATURES];
	uint32_t temperature_under;
	uint32_t uncoalesced[NVME_VECTORS_MAX / 32];
	uint64_t timestamp_ms, timestamp_at_ns;
	bool timestamp_set;
};

struct nvme_async {
	uint16_t cids[NVME_ASYNC_MAX];
	unsigned held;
	unsigned pending; /* bits: events not reported yet */
	unsigned masked;  /* bits: types reported, whose log page was not read since */
};

struct nvme_error_log {
	struct nvme_error_entry entries[NVME_ERRORS_MAX];
	unsigned next;
};

struct nvme_controller {
	struct soft_device *device;
	unsigned queues;
	struct soft_interrupts interrupts;
	uint32_t mdts;
	struct nvme_identity identity;
	struct nvme_backend backend;
	uint16_t vendor_id, subsystem_vendor_id;
	bool offers_doorbell_buffer;

	struct nvme_registers registers;
	atomic_bool halt; /* abandon the current command: a reset or stop is pending */
	/* Of each completion queue, the tail that nvme_line() compares with the doorbell. */
	atomic_uint_least32_t posted[NVME_QUEUES_MAX + 1];
	struct soft_worker worker;

	/* The worker's own. */
	bool running;	    /* CSTS.RDY, not fatal, not shut down */
	uint32_t cc;	    /* as acted upon */
	uint32_t page;	    /* memory page size of the host */
	unsigned last_sqid; /* the submission queue served last */
	struct nvme_sq sqs[NVME_QUEUES_MAX + 1];
	struct nvme_cq cqs[NVME_QUEUES_MAX + 1];
	struct nvme_doorbell_buffer doorbell_buffer; /* a controller reset disables it */
	struct nvme_features features;
	struct nvme_async async;
	struct nvme_error_log error_log;
	struct nvme_statistics statistics;
	/* The negative errno of the first failure to persist data, or 0. No reset clears it. */
	int medium_error;
	struct dma_segment *segments; /* where the data of the current command is */
	size_t segment_count;
	uint64_t *prp_list;    /* one page of a PRP list */
	uint8_t *scratch;      /* NVME_SCRATCH bytes */
	uint8_t *scratch_file; /* as many again, for what is to be compared */
};

#define NVME_SCRATCH 65536u

typedef uint16_t nvme_handler(struct nvme_controller *nvme, struct nvme_request *request);

struct nvme_operation {
	nvme_handler *handler;
	uint32_t effects; /* NVME_EFFECT_* */
	uint16_t oncs;	  /* the bit of ONCS that must be set for it, or 0 */
	uint16_t oacs;	  /* likewise of OACS */
};

extern const struct nvme_operation nvme_admin_operations[256];
extern const struct nvme_operation nvme_io_operations[256];

static inline unsigned nvme_sq_doorbell(unsigned qid)
{
	return 2 * qid;
}

static inline unsigned nvme_cq_doorbell(unsigned qid)
{
	return 2 * qid + 1;
}

static inline bool nvme_halted(struct nvme_controller *nvme)
{
	return atomic_load_explicit(&nvme->halt, memory_order_relaxed);
}

static inline uint64_t nvme_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * The files in their order: each calls functions of those above it alone. (The one exception
 * is data: log.c reads the tables of commands for Commands Supported and Effects.)
 */

/* --- registers.c: from any thread --------------------------------------------------- */

/* Power-on values, shown in the BAR. The lock is held, or no other thread exists. */
void nvme_registers_power_on(struct nvme_controller *nvme);
/* Change bits of CSTS. */
void nvme_status_change(struct nvme_controller *nvme, uint32_t clear, uint32_t set);
/* Set CSTS.CFS: stop, and wait for the host to reset the controller. */
void nvme_fatal(struct nvme_controller *nvme, const char *why);
/* Clear the interrupt mask, as a controller reset does. */
void nvme_registers_unmask(struct nvme_controller *nvme);
/* Return: INTMS; *@unmasked: the vectors unmasked since the last call. */
uint32_t nvme_interrupt_mask(struct nvme_controller *nvme, uint32_t *unmasked);
/* A queue was created: its doorbell is zero and not written. */
void nvme_doorbell_clear(struct nvme_controller *nvme, unsigned index);
/* A doorbell has this value, whatever was written to it: show it in the BAR. */
void nvme_doorbell_show(struct nvme_controller *nvme, unsigned index, uint32_t value);
/* Wake the worker. The lock is held. */
void nvme_wake(struct nvme_registers *registers, unsigned reasons);
/* A word of the BAR's memory, which clients share: one atomic load. */
uint32_t nvme_bar_load(const struct nvme_registers *registers, size_t offset);
/* Accesses by call: struct soft_model's functions. */
uint64_t nvme_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width);
void nvme_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value);
/* Find stores in the mapped BAR. The lock is held. Return: whether there were any. */
bool nvme_poll(struct nvme_controller *nvme);

/* --- health.c ----------------------------------------------------------------------- */

enum nvme_event {
	NVME_EVENT_DOORBELL_REGISTER,
	NVME_EVENT_DOORBELL_VALUE,
	NVME_EVENT_RELIABILITY,
	NVME_EVENT_TEMPERATURE,
	NVME_EVENT_KINDS,
};
/* Make an asynchronous event pending; nvme_events_post() reports it. */
void nvme_event_happened(struct nvme_controller *nvme, enum nvme_event event);
/* Add an entry to the error log. @request is NULL for an error without a command. */
void nvme_error_record(struct nvme_controller *nvme, const struct nvme_request *request,
	uint16_t sqid, uint16_t status);
/* Critical Warning of the SMART log: NVME_SMART_*. */
uint8_t nvme_critical_warning(const struct nvme_controller *nvme);
/* An event for those of @warnings (NVME_SMART_*) that the host has enabled. */
void nvme_warnings_report(struct nvme_controller *nvme, uint32_t warnings);
/* NVME_OK, or the status of a command that would write. */
uint16_t nvme_check_writable(const struct nvme_controller *nvme);
/* Make everything written durable: NVME_OK, or NVME_WRITE_FAULT now and ever after. */
uint16_t nvme_flush(struct nvme_controller *nvme);
/*
 * The status for the @result of writing (0 or a negative errno); @what failed, for the log.
 * A full file system is reported to the host and leaves the medium healthy, as no
 * acknowledged data is lost; any other error of the file is a failure of the medium.
 */
uint16_t nvme_write_status(struct nvme_controller *nvme, const char *what, int result);

/* --- queue.c ------------------------------------------------------------------------ */

void nvme_sq_create(
	struct nvme_controller *nvme, unsigned qid, uint64_t base, uint32_t size, uint16_t cqid);
void nvme_sq_delete(struct nvme_controller *nvme, unsigned qid);
void nvme_cq_create(struct nvme_controller *nvme, unsigned qid, uint64_t base, uint32_t size,
	uint16_t vector, bool interrupts);
void nvme_cq_delete(struct nvme_controller *nvme, unsigned qid);
void nvme_queues_clear(struct nvme_controller *nvme);
/* Act upon the value of a doorbell. */
void nvme_doorbell_apply(struct nvme_controller *nvme, unsigned index, uint32_t value);
bool nvme_cq_has_room(const struct nvme_cq *cq);
/* Post a completion: the queue has room. */
void nvme_post(struct nvme_controller *nvme, unsigned sqid, uint16_t cid, uint16_t status,
	uint32_t result);
/* Raise the interrupts that are due and not masked. */
void nvme_interrupts_raise(struct nvme_controller *nvme);
/* Whether the interrupt pin is asserted: struct soft_model's function. */
bool nvme_line(struct soft_device *device);

/* --- transfer.c --------------------------------------------------------------------- */

/* Find the segments of a command's data. */
uint16_t nvme_prp_map(
	struct nvme_controller *nvme, const struct nvme_command *command, uint64_t length);
/* A buffer, to or from the data of the command. */
uint16_t nvme_data_to_host(struct nvme_controller *nvme, const struct nvme_request *request,
	const void *data, size_t length);
uint16_t nvme_data_from_host(struct nvme_controller *nvme, const struct nvme_request *request,
	void *data, size_t length);
/* The segments that nvme_prp_map() found, against the file from @offset on. */
uint16_t nvme_file_to_segments(struct nvme_controller *nvme, uint64_t offset);
uint16_t nvme_segments_to_file(struct nvme_controller *nvme, uint64_t offset);
uint16_t nvme_segments_compare(struct nvme_controller *nvme, uint64_t offset);

/* --- identify.c, features.c, log.c: admin commands ---------------------------------- */

/* @device_name keeps memory-backed devices apart where there is no randomness. */
bool nvme_identity_make(struct nvme_identity *identity, const struct device_spec *spec,
	const char *device_name, struct spec_error *error);
/* ONCS and OACS of this controller, and whether they have what a command needs. */
uint16_t nvme_oncs(const struct nvme_controller *nvme);
uint16_t nvme_oacs(const struct nvme_controller *nvme);
bool nvme_supports(const struct nvme_controller *nvme, const struct nvme_operation *operation);
void nvme_features_reset(struct nvme_controller *nvme);
/* Complete event requests with the events that are pending. */
void nvme_events_post(struct nvme_controller *nvme);
/* Abort an event request. Return: whether there was one with that @cid. */
bool nvme_event_abort(struct nvme_controller *nvme, uint16_t cid);
nvme_handler nvme_identify, nvme_get_features, nvme_set_features, nvme_get_log_page;
nvme_handler nvme_async_request;

/* --- doorbell-buffer.c -------------------------------------------------------------- */

nvme_handler nvme_doorbell_buffer_config;
/* Act upon shadow doorbells that have changed. Return: whether there were any. */
bool nvme_doorbell_buffer_poll(struct nvme_controller *nvme);
/*
 * Before the worker sleeps: have the host write registers again. Return: true when shadow
 * doorbells have changed meanwhile.
 */
bool nvme_doorbell_buffer_arm(struct nvme_controller *nvme);

/* --- admin.c, io.c: the tables of commands above; schedule.c ------------------------ */

/* Execute a bounded number of commands. Return: whether more are waiting. */
bool nvme_run_queues(struct nvme_controller *nvme);

/* --- controller.c: the thread ------------------------------------------------------- */

/* @discard: as soft_worker_start() has it; it calls nvme_worker_release(). */
bool nvme_worker_start(
	struct nvme_controller *nvme, void (*discard)(void *nvme), struct spec_error *error);
void nvme_worker_stop(struct nvme_controller *nvme);
/* Free what the thread needed, after its end. */
void nvme_worker_release(struct nvme_controller *nvme);
/* Reset to power-on values. False: not done at @until. */
bool nvme_worker_reset(struct nvme_controller *nvme, const struct timespec *until);

#endif
