/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that blocks: a file of a file system that does not answer, and private memory behind a
 * userfaultfd. Threads that access it block without limit; other clients must not.
 */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"
#include "tests/attacks/descriptors.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Registers of the NVMe 1.4 specification, section 3.1. */
enum {
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
	REG_SQ0TDBL = 0x1000
};
#define IOVA   0x100000u
#define LENGTH 0x10000u

struct stall {
	const struct victim *victim;
	struct iou_range range;
	int fd; /* -1: the memory is private */
};

static void write_register(struct peer *peer, uint64_t offset, uint64_t width, uint64_t value)
{
	const uint64_t in[DEXT_IN_MMIOWrite] = { 0, offset, width, value };

	peer_scalars(peer, DEXT_SELECTOR_MMIOWrite, in, DEXT_IN_MMIOWrite, NULL, 0);
}

static bool is_ready(struct peer *peer)
{
	const uint64_t in[DEXT_IN_MMIORead] = { 0, REG_CSTS, 4 };
	uint64_t value = 0;

	peer_scalars(peer, DEXT_SELECTOR_MMIORead, in, DEXT_IN_MMIORead, &value, 1);
	return value & 1;
}

/* Let the controller fetch a command from the memory. */
static void use_as_queue(struct peer *peer)
{
	write_register(peer, REG_AQA, 4, 0x001f001f);
	write_register(peer, REG_ASQ, 8, IOVA);
	write_register(peer, REG_ACQ, 8, IOVA + 0x1000);
	write_register(peer, REG_CC, 4, 0x00460001);
	for (int i = 0; i < 1000 && !is_ready(peer); i++)
		poll(NULL, 0, 2);
	write_register(peer, REG_SQ0TDBL, 4, 1);
	poll(NULL, 0, 50); /* time for the controller to fetch it */
}

/* Return: false when the memory is refused. */
static bool register_memory(const struct stall *stall, struct peer *peer)
{
	return peer_claim_when_free(
		       peer, stall->victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim) &&
	       peer_register(peer, IOVA, LENGTH, &stall->range, 1, &stall->fd,
		       stall->fd >= 0 ? 1 : 0) == kIOReturnSuccess;
}

static void under_dma(const void *context)
{
	struct peer peer;

	if (register_memory(context, &peer))
		use_as_queue(&peer);
}

/* The call blocks as long as the memory does: do not wait for it. */
static void under_a_probe(const void *context)
{
	const uint64_t in[DEXT_IN_ProbeDMARegion] = { IOVA, 0 };
	const struct peer_call probe = { .selector = DEXT_SELECTOR_ProbeDMARegion,
		.scalars = in,
		.scalar_count = DEXT_IN_ProbeDMARegion,
		.scalar_room = DEXT_OUT_ProbeDMARegion };
	struct peer peer;

	if (register_memory(context, &peer))
		peer_send_call(&peer, &probe);
	poll(NULL, 0, 50);
}

/* Only the descriptor: the service queries its attributes, and the query blocks. */
static void under_a_question(const void *context)
{
	const struct stall *stall = context;
	struct peer peer;

	if (peer_claim_when_free(&peer, stall->victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		peer_send_register(&peer, IOVA, LENGTH, &stall->range, 1, &stall->fd, 1);
	poll(NULL, 0, 50);
}

/* A client that exits meanwhile must lose the device; then one that stays does the same. */
static void stall(const struct stall *stall, void (*act)(const void *context))
{
	pid_t accomplice = accomplice_start(act, stall);
	struct peer peer;

	if (!accomplice_wait(accomplice))
		got_through("a call of the attacker's own never returns, and holds it");
	if (!peer_claim_when_free(
		    &peer, stall->victim->service, ATTACKED_BUS, DEXT_SELECTOR_ClaimExclusive))
		got_through("the device stays a dead client's");
	close(peer.fd);
	act(stall);
}

static struct stall by_file(const struct victim *victim, bool silent_attributes)
{
	struct stall stall = { .victim = victim,
		.range = { .va = 0x10000, .length = LENGTH, .writable = 1 },
		.fd = make_stalled_file(victim->pid, silent_attributes) };

	if (stall.fd < 0)
		attack_skip("FUSE is not to be had");
	return stall;
}

static void file_dma(const struct victim *victim)
{
	struct stall file = by_file(victim, false);

	stall(&file, under_dma);
}

static void file_probe(const struct victim *victim)
{
	struct stall file = by_file(victim, false);

	stall(&file, under_a_probe);
}

static void file_attributes(const struct victim *victim)
{
	struct stall file = by_file(victim, true);

	stall(&file, under_a_question);
}

/* Pages whose faults are never resolved. */
static void *missing_memory(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *memory =
		mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	range.range.start = (uintptr_t)memory;
	range.range.len = LENGTH;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0 || ioctl(fd, UFFDIO_REGISTER, &range) != 0)
		attack_skip("there is no userfaultfd");
	return memory;
}

static void private_by(const struct victim *victim, void (*act)(const void *context))
{
	struct stall private = { .victim = victim, .fd = -1 };

	private.range = (struct iou_range){ .va = (uintptr_t)missing_memory(),
		.length = LENGTH,
		.fd_index = IOU_RANGE_PRIVATE,
		.writable = 1 };
	act(&private);
}

static void private_dma(const struct victim *victim)
{
	private_by(victim, under_dma);
}

static void private_probe(const struct victim *victim)
{
	private_by(victim, under_a_probe);
}

const struct attack attacks_stall[] = {
	{ .name = "stall/file-dma",
		.tries = "to keep a device waiting for memory, and others for it",
		.user = AS_ROOT,
		.keeps_thread = true,
		.run = file_dma },
	{ .name = "stall/file-probe",
		.tries = "the same, with the service's own look at memory",
		.user = AS_ROOT,
		.keeps_thread = true,
		.run = file_probe },
	{ .name = "stall/file-attributes",
		.tries = "the same, by a file that fstat() waits for",
		.user = AS_ROOT,
		.keeps_thread = true,
		.run = file_attributes },
	{ .name = "stall/private-dma",
		.tries = "the same as file-dma, by private memory",
		.user = AS_ROOT,
		.run = private_dma },
	{ .name = "stall/private-probe",
		.tries = "the same as file-probe, by private memory",
		.user = AS_ROOT,
		.run = private_probe },
	{ .name = NULL },
};
