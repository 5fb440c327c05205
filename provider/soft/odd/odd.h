/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device for tests: it combines properties that real devices rarely have.
 *
 *   BAR0     I/O, 256 bytes, by calls: memory
 *   BAR1     32-bit memory, prefetchable, 64 KiB, can be mapped: the internal buffer
 *   BAR2, 3  64-bit memory, prefetchable, 1 MiB, can be mapped: memory
 *   BAR4     32-bit memory, 128 KiB, by calls: registers, MSI-X table and PBA
 *   BAR5     absent
 *
 * BAR4; registers have 4 bytes, those marked 8 two halves that can be accessed as one.
 * What is not in the table reads as 0 and ignores writes, and so do writes of 1 and 2
 * bytes everywhere but in the MSI-X table.
 *
 *   0x00  IDENTITY     RO  0x0ddb0001
 *   0x04  SCRATCH      RW  a value without function
 *   0x08  RESETS       RO  number of resets; survives them
 *   0x0c  RESET_LOG    RO  the last eight resets requested, one hex digit each, the last
 *                          one lowest: 1 FLR, 2 hot, 3 power cycle; includes failed
 *                          ones; survives resets
 *   0x10  RAISE        WO  raise this vector; ignored if the device lacks it
 *   0x14  STALL        RW  duration of a read of this register in milliseconds, up to 10000
 *   0x18  LINE         RW  bit 0: INTx is asserted, set by raising a vector; writing 0
 *                          deasserts it
 *   0x20  SOURCE       RW  8: a bus address, or an offset in the internal buffer
 *   0x28  DESTINATION  RW  8: likewise
 *   0x30  LENGTH       RW  bytes to transfer
 *   0x34  CONTROL      WO  bit 0: start; bit 1: the source is in the internal buffer;
 *                          bit 2: the destination is; bit 3: raise the vector in bits
 *                          31:16 at the end; ignored during a transfer
 *   0x38  DMA_STATUS   RO  bit 0: running; bit 1: done; bit 2: done with an error: not
 *                          mapped, or not within the internal buffer; bytes transferred
 *                          before the error remain
 *   0x8000             RW  MSI-X table, 2048 entries
 *   0x10000            RO  MSI-X PBA
 *
 * A reset clears everything but RESETS and RESET_LOG, including BARs 0 to 2. dextpci(7)
 * documents this for users.
 */
#ifndef PROVIDER_SOFT_ODD_ODD_H
#define PROVIDER_SOFT_ODD_ODD_H

#include "provider/soft/soft.h"

#include <pthread.h>

#define ODD_IO_SIZE	   256u
#define ODD_BUFFER_SIZE	   (UINT64_C(64) << 10)	 /* BAR1 */
#define ODD_MEMORY_SIZE	   (UINT64_C(1) << 20)	 /* BAR2 */
#define ODD_REGISTERS_SIZE (UINT64_C(128) << 10) /* BAR4 */
enum odd_bar { ODD_BAR_IO = 0, ODD_BAR_BUFFER = 1, ODD_BAR_MEMORY = 2, ODD_BAR_REGISTERS = 4 };

enum odd_register_offset {
	ODD_IDENTITY = 0x00,
	ODD_SCRATCH = 0x04,
	ODD_RESETS = 0x08,
	ODD_RESET_LOG = 0x0c,
	ODD_RAISE = 0x10,
	ODD_STALL = 0x14,
	ODD_LINE = 0x18,
	ODD_SOURCE = 0x20,
	ODD_DESTINATION = 0x28,
	ODD_LENGTH = 0x30,
	ODD_CONTROL = 0x34,
	ODD_DMA_STATUS = 0x38,
};
#define ODD_REGISTERS	   (ODD_DMA_STATUS / 4 + 1)
#define ODD_IDENTITY_VALUE 0x0ddb0001u
#define ODD_STALL_MAX_MS   10000u

#define ODD_CONTROL_GO		 0x01u
#define ODD_CONTROL_FROM_BUFFER	 0x02u
#define ODD_CONTROL_TO_BUFFER	 0x04u
#define ODD_CONTROL_RAISE	 0x08u
#define ODD_CONTROL_VECTOR_SHIFT 16

#define ODD_DMA_RUNS   0x01u
#define ODD_DMA_DONE   0x02u
#define ODD_DMA_FAILED 0x04u

#define ODD_VECTORS_MAX 2048u /* of MSI-X */
#define ODD_TABLE	0x8000u
#define ODD_TABLE_SIZE	(ODD_VECTORS_MAX * 16)
#define ODD_PBA		0x10000u

enum odd_caps {
	ODD_CAPS_SANE,
	ODD_CAPS_LOOP,
	ODD_CAPS_SELF,
	ODD_CAPS_HEADER,
	ODD_CAPS_END,
	ODD_CAPS_KINDS
};
/* A kind of reset succeeds, is not supported, fails, or leaves the device without response. */
enum odd_reset { ODD_RESET_ON, ODD_RESET_OFF, ODD_RESET_FAIL, ODD_RESET_HANG, ODD_RESET_WAYS };

/* From the specification. */
struct odd_options {
	struct soft_interrupts interrupts;
	enum odd_caps caps;
	enum odd_reset resets[PCI_RESET_KINDS];
	unsigned reset_ms; /* or SOFT_NEVER */
};

/* A transfer in progress. */
struct odd_transfer {
	uint64_t source, destination;
	uint64_t left;
	uint32_t control;
};

struct odd {
	struct soft_device *device;
	struct odd_options options;
	struct soft_worker worker;
	uint8_t *bounce; /* of the worker: ODD_BUFFER_SIZE bytes */

	/* lock guards what follows, and accesses by call to the memory of BARs. */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* of the worker */
	pthread_cond_t idle; /* the worker has moved a piece; CLOCK_MONOTONIC */
	bool stop;
	bool moving;			   /* the worker is moving a piece, without the lock */
	uint32_t registers[ODD_REGISTERS]; /* of BAR4, by offset / 4 */
	struct odd_transfer transfer;	   /* valid while DMA_STATUS has ODD_DMA_RUNS */
	uint8_t io[ODD_IO_SIZE];
	uint8_t table[ODD_TABLE_SIZE];
	uint8_t *buffer, *memory; /* BAR1, BAR2: clients may have them mapped */
};

/* config.c: identity, BARs and capabilities, with the errors that the options ask for. */
bool odd_init_config(struct odd *odd, struct spec_error *error);

/* A register of BAR4. The lock is held. */
static inline uint32_t *odd_register(struct odd *odd, enum odd_register_offset offset)
{
	return &odd->registers[offset / 4];
}

/* registers.c: accesses of BARs by call. */
uint64_t odd_bar_read(struct soft_device *device, unsigned bar, uint64_t offset, unsigned width);
void odd_bar_write(
	struct soft_device *device, unsigned bar, uint64_t offset, unsigned width, uint64_t value);
/* registers.c: raise a vector, unless the device lacks it. The lock is held. */
void odd_raise(struct odd *odd, uint32_t vector);
/* registers.c: clear what a reset clears. The lock is held, and no piece is being moved. */
void odd_power_on(struct odd *odd);

/* engine.c: the thread that executes DMA transfers. */
bool odd_engine_start(struct odd *odd, struct spec_error *error);
void odd_engine_stop(struct odd *odd);
/* A write of CONTROL. The lock is held. */
void odd_engine_control(struct odd *odd, uint32_t control);
/* Cancel the transfer. Return: false when a piece is still being moved at @until. The lock is held. */
bool odd_engine_cancel(struct odd *odd, const struct timespec *until);

#endif
