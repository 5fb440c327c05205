/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's teaching device (docs/specs/edu.rst of QEMU): it computes factorials with a delay,
 * raises interrupts, and transfers by DMA between memory and an internal buffer. Drivers for
 * QEMU's device work unchanged.
 *
 * Its BAR cannot be mapped, and every access is a call, because most registers have side
 * effects: liveness reads as the inverse of the value written, an acknowledgement clears bits
 * of another register, and a write of the factorial register changes the status register.
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
#define EDU_STATUS_INTERRUPT 0x80u /* raise one when the factorial is computed */

#define EDU_COMMAND_START	0x01u
#define EDU_COMMAND_FROM_DEVICE 0x02u /* else from memory to the device */
#define EDU_COMMAND_INTERRUPT	0x04u

/* Bits of the interrupt status register that the device itself sets. */
#define EDU_INTERRUPT_FACTORIAL 0x001u
#define EDU_INTERRUPT_DMA	0x100u

/* The internal buffer, in the device's address space. Only DMA accesses it. */
#define EDU_BUFFER	UINT64_C(0x40000)
#define EDU_BUFFER_SIZE UINT64_C(4096)

/* The DMA registers, in their order. */
enum edu_dma_register { EDU_SOURCE, EDU_DESTINATION, EDU_COUNT, EDU_COMMAND, EDU_DMA_REGISTERS };

struct edu {
	struct soft_device *device;
	uint64_t dma_mask;
	uint64_t delay_ns; /* the minimum duration of a factorial or a transfer */
	struct soft_worker worker;

	/*
	 * lock guards what follows. It is held while an interrupt is raised, but not while
	 * a transfer accesses memory.
	 */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* of the worker; CLOCK_MONOTONIC */
	pthread_cond_t idle; /* moving is false; CLOCK_MONOTONIC */
	bool stop;
	bool moving; /* the worker is accessing memory, without the lock */
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
/* Set the power-on state, which cancels work in progress. The lock is held. */
void edu_power_on(struct edu *edu);

/*
 * worker.c: the thread that computes and transfers. An error number or 0; @discard: as
 * soft_worker_start() has it.
 */
int edu_worker_start(struct edu *edu, void (*discard)(void *edu));
void edu_worker_stop(struct edu *edu);
/* Wait until no transfer accesses memory. Return: false when one still does at @until. The lock is held. */
bool edu_worker_idle(struct edu *edu, const struct timespec *until);

#endif
