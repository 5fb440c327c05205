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

#include "provider/soft/nvme/nvme-spec.h"
#include "provider/soft/soft.h"

#include <pthread.h>
#include <stdatomic.h>

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

/* Fixed when the device is created. */
struct nvme_identity {
	char serial[NVME_SERIAL_LENGTH + 1];
	char model[NVME_MODEL_LENGTH + 1];
	uint8_t uuid[16], nguid[16], eui64[8];
};

/* The namespace: a file, or a memfd, of @blocks << @block_shift bytes. Fixed once opened. */
struct nvme_backend {
	int fd;
	char *name; /* for messages: the path of the image */
	unsigned block_shift;
	uint64_t blocks;
	bool read_only;
	bool punches; /* holes can be punched, and read as zeroes */
	bool zeroes;  /* ranges can be zeroed without writing them */
};

/* Why the worker was woken. */
enum nvme_wake {
	NVME_WAKE_CC = 1u << 0,
	NVME_WAKE_DISABLED = 1u << 1, /* CC.EN was cleared, whatever it is now */
	NVME_WAKE_OTHER = 1u << 2,    /* look again: doorbells, masks, bus mastering */
};

struct nvme_registers {
	pthread_mutex_t lock;
	pthread_cond_t wake;	   /* the worker waits; CLOCK_MONOTONIC */
	pthread_cond_t reset_done; /* CLOCK_MONOTONIC too */
	/* All below under the lock, the memory of @bar (shared with clients) included. */
	uint8_t *bar;
	uint32_t value[NVME_REGISTER_WORDS]; /* the truth; @bar only shows it */
	uint32_t doorbell[NVME_DOORBELLS];   /* last value taken from a host */
	uint64_t rung[NVME_DOORBELLS / 64];  /* doorbells the worker has not looked at */
	unsigned reasons;		     /* enum nvme_wake */
	/* Vectors whose mask has gone since the worker looked; written under the lock. */
	atomic_uint_least32_t unmasked;
	bool mapped;	/* clients can store into @bar */
	bool last_look; /* unmapped just now: notice what came before */
	bool stop, reset;
};

/* A copy of the registers that the worker acts on. */
struct nvme_events {
	unsigned reasons;
	uint32_t cc, aqa;
	uint64_t asq, acq;
};

struct nvme_sq {
	bool live;
	uint16_t cqid;
	uint32_t size, head, tail;
	uint64_t base;
};

struct nvme_cq {
	bool live, interrupts, phase;
	bool due; /* an interrupt is to be raised */
	uint16_t vector;
	uint32_t size, head, tail;
	uint64_t base;
	unsigned sqs; /* submission queues that complete here */
};

struct nvme_segment {
	uint64_t address;
	size_t length;
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

	struct nvme_registers registers;
	atomic_bool halt; /* leave the command in hand: it is being reset */
	/* Of each completion queue, what line.c compares with its doorbell. */
	atomic_uint_least32_t posted[NVME_QUEUES_MAX + 1];
	struct soft_worker worker;

	/* The worker's own. */
	bool running;  /* CSTS.RDY, not fatal, not shut down */
	uint32_t cc;   /* as acted upon */
	uint32_t page; /* memory page size of the host */
	unsigned turn; /* the submission queue that was served last */
	struct nvme_sq sqs[NVME_QUEUES_MAX + 1];
	struct nvme_cq cqs[NVME_QUEUES_MAX + 1];
	struct nvme_features features;
	struct nvme_async async;
	struct nvme_error_log error_log;
	struct nvme_statistics statistics;
	/* The negative errno of the first failure to persist data, or 0. No reset clears it. */
	int medium_error;
	struct nvme_segment *segments; /* where the data of the command in hand is */
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
};

extern const struct nvme_operation nvme_admin_operations[256];
extern const struct nvme_operation nvme_io_operations[256];

/* --- registers.c: the register file, from any thread ------------------------------- */

/* Power-on values, shown in the BAR. The lock is held, or nobody else is there. */
void nvme_registers_power_on(struct nvme_controller *nvme);
/* A store of a 32-bit word, by call or noticed by polling. The lock is held. */
void nvme_register_store(struct nvme_controller *nvme, unsigned word, uint32_t value);
/* What the BAR's memory shows of a register. The lock is held. */
uint32_t nvme_register_shown(const struct nvme_registers *registers, unsigned word);
void nvme_status_change(struct nvme_controller *nvme, uint32_t clear, uint32_t set);
/* Bytes of the MSI-X table in the BAR; 0 without MSI-X. */
size_t nvme_msix_size(const struct nvme_controller *nvme);
/* A controller reset clears the interrupt mask. */
void nvme_registers_unmask(struct nvme_controller *nvme);
/* And *@unmasked: the vectors whose mask has gone since this was called last. */
uint32_t nvme_interrupt_mask(struct nvme_controller *nvme, uint32_t *unmasked);
/* A doorbell was written. The lock is held. */
void nvme_doorbell_ring(struct nvme_registers *registers, unsigned index, uint32_t value);
/* A queue is new: its doorbell is zero and not rung. */
void nvme_doorbell_clear(struct nvme_controller *nvme, unsigned index);
/* Wake the worker. The lock is held. */
void nvme_wake(struct nvme_registers *registers, unsigned reasons);
/* A word of the BAR's memory, which clients share: always one atomic access. */
uint32_t nvme_bar_load(const struct nvme_registers *registers, size_t offset);
void nvme_bar_store(struct nvme_registers *registers, size_t offset, uint32_t value);
bool nvme_bar_replace(
	struct nvme_registers *registers, size_t offset, uint32_t expected, uint32_t value);

static inline unsigned nvme_sq_doorbell(unsigned qid)
{
	return 2 * qid;
}

static inline unsigned nvme_cq_doorbell(unsigned qid)
{
	return 2 * qid + 1;
}

/* --- access.c: BAR accesses by call ------------------------------------------------ */

uint64_t nvme_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width);
void nvme_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value);

/* --- poll.c: stores in a mapped BAR ------------------------------------------------ */

/* Look at the BAR's memory once. The lock is held. Return: whether anything had changed. */
bool nvme_poll(struct nvme_controller *nvme);

/* --- worker.c: the thread ---------------------------------------------------------- */

/* @discard: as soft_worker_start() has it; it calls nvme_worker_release(). */
bool nvme_worker_start(
	struct nvme_controller *nvme, void (*discard)(void *nvme), struct spec_error *error);
void nvme_worker_stop(struct nvme_controller *nvme);
/* Free what the thread needed, after its end. */
void nvme_worker_release(struct nvme_controller *nvme);
/* Back to power-on. False: it is not so at @until. */
bool nvme_worker_reset(struct nvme_controller *nvme, const struct timespec *until);
uint64_t nvme_now_ns(void);

static inline bool nvme_halted(struct nvme_controller *nvme)
{
	return atomic_load_explicit(&nvme->halt, memory_order_relaxed);
}

/* --- controller.c: enabling, disabling, shutting down ------------------------------ */

void nvme_controller_apply(struct nvme_controller *nvme, const struct nvme_events *events);
/* Drop the queues and all that a controller reset drops. */
void nvme_controller_clear(struct nvme_controller *nvme);
/* CSTS.CFS: stop, and wait for the host to reset. */
void nvme_controller_fatal(struct nvme_controller *nvme, const char *why);

/* --- queue.c ----------------------------------------------------------------------- */

void nvme_sq_create(
	struct nvme_controller *nvme, unsigned qid, uint64_t base, uint32_t size, uint16_t cqid);
void nvme_sq_delete(struct nvme_controller *nvme, unsigned qid);
void nvme_cq_create(struct nvme_controller *nvme, unsigned qid, uint64_t base, uint32_t size,
	uint16_t vector, bool interrupts);
void nvme_cq_delete(struct nvme_controller *nvme, unsigned qid);
/* Act upon a doorbell that was rung. */
void nvme_doorbell_apply(struct nvme_controller *nvme, unsigned index, uint32_t value);
bool nvme_cq_has_room(const struct nvme_cq *cq);
/* Post a completion: the queue has room. */
void nvme_post(struct nvme_controller *nvme, unsigned sqid, uint16_t cid, uint16_t status,
	uint32_t result);
/* Raise the interrupts that are due and not masked. */
void nvme_interrupts_raise(struct nvme_controller *nvme);

/* --- line.c: the interrupt pin ------------------------------------------------------ */

/* A completion queue's next entry is being written: its tail will be @next. */
void nvme_line_expect(struct nvme_controller *nvme, unsigned qid, uint32_t next);
/* A completion queue has come, gone or got an entry. */
void nvme_line_update(struct nvme_controller *nvme, unsigned qid);
/* The model's function of that name. */
bool nvme_line(struct soft_device *device);

/* --- schedule.c: which queue is next ----------------------------------------------- */

/* A bounded amount of work. Return: whether more of it is waiting. */
bool nvme_run_queues(struct nvme_controller *nvme);

/* --- prp.c, transfer.c: where data is, and moving it ------------------------------- */

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

/* --- Commands ---------------------------------------------------------------------- */

nvme_handler nvme_create_sq, nvme_create_cq, nvme_delete_sq, nvme_delete_cq;
nvme_handler nvme_identify, nvme_get_features, nvme_set_features, nvme_get_log_page;
nvme_handler nvme_async_request;
/* What of ONCS this controller has. */
uint16_t nvme_oncs(const struct nvme_controller *nvme);

void nvme_features_reset(struct nvme_controller *nvme);

/* --- health.c: whether the medium keeps what it was given --------------------------- */

/* Byte 0 of the SMART log: NVME_SMART_*. */
uint8_t nvme_critical_warning(const struct nvme_controller *nvme);
/* An event for those of @warnings (NVME_SMART_*) that the host wants events for. */
void nvme_warnings_report(struct nvme_controller *nvme, uint32_t warnings);
/* NVME_OK, or the status of a command that would write. */
uint16_t nvme_check_writable(const struct nvme_controller *nvme);
/* Make everything written durable: NVME_OK, or NVME_WRITE_FAULT now and ever after. */
uint16_t nvme_flush(struct nvme_controller *nvme);
/*
 * The status for the @result of writing (0 or a negative errno); @what failed, for the log.
 * Having no room is told to the host and leaves the medium healthy, as nothing is lost that
 * was acknowledged; any other error of the file is a failure to persist.
 */
uint16_t nvme_write_status(struct nvme_controller *nvme, const char *what, int result);

/* --- events.c, errors.c ------------------------------------------------------------ */

enum nvme_event {
	NVME_EVENT_DOORBELL_REGISTER,
	NVME_EVENT_DOORBELL_VALUE,
	NVME_EVENT_RELIABILITY,
	NVME_EVENT_TEMPERATURE,
	NVME_EVENT_KINDS,
};
void nvme_event_happened(struct nvme_controller *nvme, enum nvme_event event);
/* Report what is pending, where there is a request to report it with. */
void nvme_events_post(struct nvme_controller *nvme);
/* A log page was read: events that point at it may be reported again. */
void nvme_events_unmask(struct nvme_controller *nvme, unsigned log_page);
/* Abort an event request. Return: whether there was such a one. */
bool nvme_event_abort(struct nvme_controller *nvme, uint16_t cid);

/* @request is NULL for an error without a command. */
void nvme_error_record(struct nvme_controller *nvme, const struct nvme_request *request,
	uint16_t sqid, uint16_t status);

/* --- backend.c, lock.c, zero.c, identity.c ----------------------------------------- */

bool nvme_backend_open(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error);
void nvme_backend_close(struct nvme_backend *backend);
/* Lock the image against other programs; the locks go with the open file description. */
bool nvme_image_lock(int fd, const char *path, bool read_only, struct spec_error *error);
/* Find out how it can be zeroed; changes nothing of its content. */
void nvme_backend_probe(struct nvme_backend *backend);
/* These return 0 or a negative errno. A flush that failed may succeed when it is repeated. */
int nvme_backend_flush(const struct nvme_backend *backend);
int nvme_backend_write(
	const struct nvme_backend *backend, const void *data, size_t length, uint64_t offset);
/* Both work in pieces, between which they look at nvme->halt and give up with -ECANCELED. */
int nvme_backend_zero(
	struct nvme_controller *nvme, uint64_t offset, uint64_t length, bool deallocate);
int nvme_backend_deallocate(struct nvme_controller *nvme, uint64_t offset, uint64_t length);

/* @device_name keeps memory-backed devices apart where there is no randomness. */
bool nvme_identity_make(struct nvme_identity *identity, const struct device_spec *spec,
	const char *device_name, struct spec_error *error);

#endif
