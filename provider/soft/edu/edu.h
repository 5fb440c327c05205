/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The teaching device that QEMU documents (docs/specs/edu.rst there): a factorial that
 * takes its time, interrupts to raise and acknowledge, DMA to and from a buffer of its
 * own. Drivers written for that one find nothing different here.
 *
 * Its BAR has no memory to map: liveness is the inverse of what was stored, an
 * acknowledgement takes bits out of another register, and a status that a computation
 * is waiting for changes with the store that starts it. A mapped store cannot do any of
 * that in the moment it is made, so every access is a call.
 */
#ifndef PROVIDER_SOFT_EDU_EDU_H
#define PROVIDER_SOFT_EDU_EDU_H

#include "provider/soft/soft.h"

#include <pthread.h>

#define EDU_BAR_SIZE (UINT64_C(1) << 20)

enum edu_register_offset {
	EDU_IDENTIFICATION = 0x00,
	EDU_LIVENESS = 0x04,
	EDU_FACTORIAL = 0x08,
	EDU_STATUS = 0x20,
	EDU_INTERRUPT_STATUS = 0x24,
	EDU_INTERRUPT_RAISE = 0x60,
	EDU_INTERRUPT_ACKNOWLEDGE = 0x64,
	EDU_DMA_SOURCE = 0x80, /* from here on 8 bytes each */
	EDU_DMA_DESTINATION = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98,
};

#define EDU_IDENTITY 0x010000edu /* version 1.0 */

#define EDU_STATUS_COMPUTING 0x01u /* read-only */
#define EDU_STATUS_INTERRUPT 0x80u /* raise one when the factorial is there */

#define EDU_COMMAND_START	0x01u
#define EDU_COMMAND_FROM_DEVICE 0x02u /* else from memory to the device */
#define EDU_COMMAND_INTERRUPT	0x04u

/* What the device's own interrupts put into the interrupt status register. */
#define EDU_INTERRUPT_FACTORIAL 0x001u
#define EDU_INTERRUPT_DMA	0x100u

/* The buffer, in the device's own addresses: DMA reaches it, loads and stores do not. */
#define EDU_BUFFER	UINT64_C(0x40000)
#define EDU_BUFFER_SIZE UINT64_C(4096)

/* The DMA registers, in their order. */
enum edu_dma_register { EDU_SOURCE, EDU_DESTINATION, EDU_COUNT, EDU_COMMAND, EDU_DMA_REGISTERS };

struct edu {
	struct soft_device *device;
	uint64_t dma_mask;
	uint64_t delay_ns; /* what a factorial and a transfer take at least */
	struct soft_worker worker;

	/*
	 * lock guards all that follows. It is held over raising an interrupt, but not while
	 * a transfer moves bytes.
	 */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* of the worker; CLOCK_MONOTONIC */
	pthread_cond_t idle; /* the worker has moved bytes; CLOCK_MONOTONIC */
	bool stop;
	bool moving; /* the worker moves bytes, without the lock */
	uint32_t liveness, factorial, status, interrupts;
	uint64_t factorial_due_ns, dma_due_ns;
	uint64_t dma[EDU_DMA_REGISTERS];
	uint8_t buffer[EDU_BUFFER_SIZE];
};

/* registers.c */
uint64_t edu_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width);
void edu_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value);
/* Put @bits into the interrupt status and raise the interrupt. The lock is held. */
void edu_interrupt(struct edu *edu, uint32_t bits);
/* Everything as after power-on; work under way is forgotten. The lock is held. */
void edu_power_on(struct edu *edu);

/*
 * worker.c: the thread that computes and transfers. An error number or 0; @discard: as
 * soft_worker_start() has it.
 */
int edu_worker_start(struct edu *edu, void (*discard)(void *edu));
void edu_worker_stop(struct edu *edu);
/* Wait for bytes that move. False: they still do at @until. The lock is held. */
bool edu_worker_idle(struct edu *edu, const struct timespec *until);
/* When work that begins now is to be done. */
uint64_t edu_due_ns(const struct edu *edu);

#endif
