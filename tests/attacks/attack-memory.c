/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory and address space of the service that no limit counts. */
#include "tests/attacks/attacker.h"
#include "tests/attacks/attacks.h"
#include "tests/attacks/descriptors.h"
#include "tests/lib/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The maximum number of ranges of one region (iokit/task-memory.h). */
#define RANGES	       65536u
#define TINY_REGIONS   16u
#define TINY_GROWTH_KB (48u << 10) /* for 1 MiB of memory: more than needed */

#define CONNECTIONS	 16u
#define FILES		 8u	       /* of 1 TiB; one page of each is registered */
#define ADDRESS_SPACE_KB (64ull << 20) /* 64 GiB, for half a MiB of memory */

static uint64_t address_space_kb(pid_t process)
{
	unsigned long long pages = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)process);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * ((uint64_t)getpagesize() / 1024);
}

/* Each range is one byte of this process's private memory. */
static struct iou_range *one_byte_ranges(void)
{
	struct iou_range *ranges = calloc(RANGES, sizeof(*ranges));
	char *memory =
		mmap(NULL, RANGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (uint32_t i = 0; ranges && i < RANGES; i++)
		ranges[i] = (struct iou_range){ .va = (uintptr_t)memory + i,
			.length = 1,
			.fd_index = IOU_RANGE_PRIVATE,
			.writable = 1 };
	return ranges;
}

static void tiny_ranges(const struct victim *victim)
{
	unsigned before = rig_resources(victim->pid).memory_kb, after;
	struct iou_range *ranges = one_byte_ranges();
	struct peer peer;

	if (!ranges ||
		!peer_claim_when_free(&peer, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		got_through("the device cannot be claimed");
	for (unsigned i = 0; i < TINY_REGIONS; i++) {
		/* A peer that was disconnected for it reconnects. */
		if (peer_register(&peer, i * RANGES, RANGES, ranges, RANGES, NULL, 0) ==
				kIOReturnNotAttached &&
			!peer_claim_when_free(
				&peer, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
			got_through("the device cannot be claimed any more");
	}
	after = rig_resources(victim->pid).memory_kb;
	if (after > before + TINY_GROWTH_KB)
		got_through("%u MiB of memory for 1 MiB that is counted", (after - before) >> 10);
}

/* Register a page of each of several files; the connection stays and holds them. */
static void register_pages(const struct victim *victim)
{
	struct iou_range range = { .va = 0x10000, .length = 0x1000, .writable = 1 };
	struct peer peer;

	if (!peer_claim_when_free(&peer, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		got_through("the device cannot be claimed");
	for (unsigned i = 0; i < FILES; i++) {
		int fd = make_sparse_file((off_t)1 << 40);
		/* All clients of the device share the bus addresses. */
		uint64_t iova =
			((uint64_t)getpid() << 24) + (uint64_t)peer.fd * 0x10000 + i * 0x1000;

		peer_register(&peer, iova, range.length, &range, 1, &fd, 1);
		close(fd);
	}
}

/* Meanwhile the honest client registers an ordinary region. */
static void sparse_files(const struct victim *victim)
{
	uint64_t before = address_space_kb(victim->pid), after;

	for (unsigned i = 0; i < CONNECTIONS; i++)
		register_pages(victim);
	after = address_space_kb(victim->pid);
	if (after > before + ADDRESS_SPACE_KB)
		got_through("%llu GiB of address space for pages of sparse files",
			(unsigned long long)(after - before) >> 20);
}

/* The service queries memory during a call, and this client does not reply. */
static void silence(const struct victim *victim)
{
	const uint64_t in[DEXT_IN_RegisterDMARegion] = { 0, 0x10000, 0x1000 };
	const struct peer_call call = { .selector = DEXT_SELECTOR_RegisterDMARegion,
		.scalars = in,
		.scalar_count = DEXT_IN_RegisterDMARegion,
		.scalar_room = DEXT_OUT_RegisterDMARegion };
	struct peer peer, other;

	if (!peer_claim_when_free(&peer, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim) ||
		!peer_send_call(&peer, &call))
		got_through("the device cannot be claimed");
	/* Another client of the device is not blocked. */
	if (!peer_claim_when_free(&other, victim->service, ATTACKED_BUS, DEXT_SELECTOR_Claim))
		got_through("no other client can claim the device");
}

const struct attack attacks_memory[] = {
	{ .name = "memory/tiny-ranges",
		.tries = "to use up memory by regions of one-byte ranges",
		.run = tiny_ranges },
	{ .name = "memory/sparse-files",
		.tries = "to use up address space by files of 1 TiB",
		.run = sparse_files },
	{ .name = "memory/silence",
		.tries = "to keep others waiting by not answering a question",
		.run = silence },
	{ .name = NULL },
};
