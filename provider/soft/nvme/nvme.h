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
#include <sys/queue.h>
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
/* What functions that read return where the page cache has not the data. */
#define NVME_NOT_CACHED 0xfffeu

/* The queue of a request that is no command: a shutdown. */
#define NVME_NO_QUEUE 0xffffu
#define NVME_ANY_CID  0x10000u

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
	unsigned parked; /* commands that wait for jobs */
};

struct nvme_cq {
	bool live, interrupts, phase;
	bool due;    /* an interrupt is to be raised */
	bool urgent; /* and not to be held back: a command has failed */
	/* Of entries without an interrupt so far: how many, and when the first one came. */
	unsigned held;
	uint64_t held_since_ns;
	uint16_t vector;
	uint32_t size, head, tail;
	uint32_t shadow; /* the last value of its shadow doorbell */
	uint64_t base;
	unsigned sqs;  /* submission queues that complete here */
	unsigned owed; /* completions to come, of commands that wait for jobs */
};

struct nvme_request {
	struct nvme_command command; /* in the machine's byte order */
	uint16_t sqid;
	uint32_t result;
};

struct nvme_job;

/* Goes on with a command when @job has ended; NULL: there was nothing to wait for. */
typedef uint16_t nvme_resume(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job);

/* A command that waits for a job. */
struct nvme_parked {
	TAILQ_ENTRY(nvme_parked) link;
	struct nvme_request request;
	nvme_resume *resume;
};

/* A flush, or a read of the file. */
struct nvme_job {
	/* Of jobs.c, as are @data and @result until the controller has taken the job. */
	TAILQ_ENTRY(nvme_job) queue;
	uint8_t *data; /* of a read: @length bytes */
	int result;    /* 0 or a negative errno */
	/* Fixed once submitted. */
	bool flush;
	uint64_t offset;
	size_t length;
	/* Of the controller's thread. */
	TAILQ_ENTRY(nvme_job) link;
	TAILQ_HEAD(, nvme_parked) waiting;
	bool is_followed; /* in running_jobs */
	bool overwritten; /* the file has changed where it reads */
};
TAILQ_HEAD(nvme_job_list, nvme_job);

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

	/* The worker's own. (Jobs have threads of their own, which access jobs alone.) */
	bool running;	      /* CSTS.RDY, not fatal, not shut down */
	uint32_t cc;	      /* as acted upon */
	uint32_t page;	      /* memory page size of the host */
	unsigned last_sqid;   /* the submission queue served last */
	uint64_t raise_at_ns; /* when an interrupt is due that is held back, or 0 */
	struct nvme_sq sqs[NVME_QUEUES_MAX + 1];
	struct nvme_cq cqs[NVME_QUEUES_MAX + 1];
	struct nvme_doorbell_buffer doorbell_buffer; /* a controller reset disables it */
	struct nvme_features features;
	struct nvme_async async;
	struct nvme_error_log error_log;
	struct nvme_statistics statistics;
	uint64_t busy_since_ns; /* 0: no command is in progress */
	unsigned parked;	/* commands that wait for jobs */
	struct nvme_job_list running_jobs, ended_jobs;
	/* The flush that runs, and the next one, for what came since; or NULL. */
	struct nvme_job *flush, *next_flush;
	struct nvme_jobs *jobs; /* their threads */
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

/* --- jobs.c: threads for what waits ------------------------------------------------- */

/* NULL: out of memory. The @backend stays open until nvme_jobs_destroy(). */
struct nvme_jobs *nvme_jobs_create(const struct nvme_backend *backend);
/* Wait for the jobs that run, and free all. NULL does nothing. */
void nvme_jobs_destroy(struct nvme_jobs *jobs);
/* The controller that is woken when a job has ended; NULL for none. */
void nvme_jobs_set_owner(struct nvme_jobs *jobs, struct nvme_registers *owner);
/* registers.lock is not held. */
void nvme_jobs_submit(struct nvme_jobs *jobs, struct nvme_job *job);
/* Return: false: it runs, or has ended, and can be taken in the end. */
bool nvme_jobs_cancel(struct nvme_jobs *jobs, struct nvme_job *job);
/* Set @list to the jobs that have ended, in the order in which they did. */
void nvme_jobs_take(struct nvme_jobs *jobs, struct nvme_job_list *list);
/* Free a job that is in no list, with its data. NULL does nothing. */
void nvme_job_free(struct nvme_job *job);

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
/* A flush has ended with 0 or a negative errno. */
void nvme_flush_ended(struct nvme_controller *nvme, int result);
/* Flush, if that takes no time. Return: false: it is to be done by a job. */
bool nvme_flush_now(struct nvme_controller *nvme);
/* After a flush: NVME_OK, or NVME_WRITE_FAULT now and ever after. */
uint16_t nvme_flush_status(struct nvme_controller *nvme);
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
/* Post the completion of a command, and record the error if its status is one. */
void nvme_complete(
	struct nvme_controller *nvme, const struct nvme_request *request, uint16_t status);
/*
 * Raise the interrupts that are due, not masked, and not held back for more completions to come
 * (Interrupt Coalescing). Where some are, nvme->raise_at_ns is at most their time.
 */
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
/*
 * The segments that nvme_prp_map() found, against the file from @offset on. The first and the
 * last also return NVME_NOT_CACHED; @job: the data is what it has read.
 */
uint16_t nvme_file_to_segments(struct nvme_controller *nvme, uint64_t offset);
uint16_t nvme_segments_to_file(struct nvme_controller *nvme, uint64_t offset);
uint16_t nvme_segments_compare(
	struct nvme_controller *nvme, uint64_t offset, const struct nvme_job *job);
/* What the job has read to the data of the command. */
uint16_t nvme_job_to_host(struct nvme_controller *nvme, const struct nvme_request *request,
	const struct nvme_job *job);

/* --- parked.c: commands that wait for jobs ------------------------------------------ */

void nvme_parked_init(struct nvme_controller *nvme);
/*
 * Read @length bytes of the file, or make everything written durable, and go on with @resume:
 * the status of that, where there is nothing to wait for, NVME_NO_COMPLETION when it will be
 * called, or NVME_INTERNAL_ERROR.
 */
uint16_t nvme_read_then(struct nvme_controller *nvme, const struct nvme_request *request,
	uint64_t offset, size_t length, nvme_resume *resume);
uint16_t nvme_flush_then(
	struct nvme_controller *nvme, struct nvme_request *request, nvme_resume *resume);
/*
 * These bytes of the file are going to change. A job that reads them may find a block that is
 * neither the old nor the new one: its commands read again.
 */
void nvme_overwritten(struct nvme_controller *nvme, uint64_t offset, uint64_t length);
/* Resume the commands whose jobs have ended. */
void nvme_parked_resume(struct nvme_controller *nvme);
/*
 * Abort the commands of a queue with this @cid, or NVME_ANY_CID: each completes with @status.
 * Return: whether there were any.
 */
bool nvme_parked_abort(struct nvme_controller *nvme, unsigned sqid, unsigned cid, uint16_t status);
/* Drop all commands, without a completion. */
void nvme_parked_forget(struct nvme_controller *nvme);
/*
 * Drop those whose jobs have not ended. The thread may be in an access to memory meanwhile, for
 * a command whose job has.
 */
void nvme_parked_leave(struct nvme_controller *nvme);

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

/* No command is in progress: end the time that counts as busy. */
void nvme_idle(struct nvme_controller *nvme);
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
