/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe device with a hostile host: queues with random content, random writes of doorbells and
 * registers, by call and through the mapped BAR. It must neither crash nor hang: a reset always
 * recovers it.
 */
#include "tests/lib/nvme-model.h"

#include <stdlib.h>
#include <string.h>

#define SEED   0x6e766d65u
#define ROUNDS 40

static uint32_t state;

/* A generator with the same numbers on every C library. */
static uint32_t noise(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Addresses that are often valid. */
static uint64_t noisy_address(void)
{
	switch (noise() % 6) {
	case 0:
		return (uint64_t)noise() << 32 | noise();
	case 1:
		return FAKE_SOFT_RAM_BASE + noise() % FAKE_SOFT_RAM_SIZE;
	case 2:
		return FAKE_SOFT_RAM_BASE + FAKE_SOFT_RAM_SIZE - 4096;
	case 3:
		return UINT64_MAX - noise() % 8192;
	default:
		return FAKE_SOFT_RAM_BASE + (noise() % FAKE_SOFT_RAM_SIZE & ~UINT64_C(4095));
	}
}

static struct nvme_command noisy_command(void)
{
	return (struct nvme_command){
		.opcode = (uint8_t)(noise() % 8 ? noise() % 16 : noise()),
		.flags = (uint8_t)(noise() % 16 ? 0 : noise()),
		.cid = (uint16_t)noise(),
		.nsid = noise() % 4 ? 1 : noise(),
		.prp1 = noisy_address(),
		.prp2 = noisy_address(),
		.cdw10 = noise() % 3 ? noise() % 16 | (noise() % 64) << 16 : noise(),
		.cdw11 = noise() % 3 ? noise() % 8 | (noise() % 8) << 16 : noise(),
		.cdw12 = noise() % 3 ? noise() % 256 : noise(),
		.cdw13 = noise() % 8 ? 0 : noise(),
	};
}

/* PRP lists that point at each other, and commands in the memory of queues. */
static void write_noise(struct host *host)
{
	for (unsigned i = 0; i < 400; i++) {
		struct nvme_command command = noisy_command();

		host_fill(host, FAKE_SOFT_RAM_BASE + (noise() % 1024) * sizeof(command), &command,
			sizeof(command));
	}
	for (unsigned i = 0; i < 400; i++) {
		uint64_t entry = noisy_address();

		host_fill(host, FAKE_SOFT_RAM_BASE + 65536 + 8 * (noise() % 16384), &entry, 8);
	}
}

static void noisy_store(struct host *host)
{
	static const unsigned registers[] = { NVME_REG_INTMS, NVME_REG_INTMC, NVME_REG_AQA,
		NVME_REG_ASQ, NVME_REG_ACQ, NVME_REG_CSTS, NVME_REG_CAP };
	uint32_t what = noise();

	host->mapped = noise() % 2;
	if (what % 64 == 0)
		host_write(host, NVME_REG_CC, noise() % 2 ? NVME_CTRL_ENABLE : noise());
	else if (what % 16 == 0)
		host_write(host, registers[noise() % 7], noise());
	else
		host_ring(host, noise() % 4 ? noise() % 8 : noise() % NVME_DOORBELLS,
			noise() % 4 ? noise() % 32 : noise());
	if (what % 256 == 1)
		soft_nvme_model.bar_write(host->device, 0, noise() % 0x9000, 1u << noise() % 4,
			(uint64_t)noise() << 32 | noise());
	if (what % 256 == 2)
		soft_nvme_model.bar_read(host->device, 0, noise() % 0x9000, 1u << noise() % 4);
}

/* Enable with queues of random content, at valid addresses. */
static void noisy_enable(struct host *host)
{
	host->mapped = false;
	host_write(host, NVME_REG_AQA, 31u << 16 | 31);
	host_write64(host, NVME_REG_ASQ, FAKE_SOFT_RAM_BASE);
	host_write64(host, NVME_REG_ACQ, FAKE_SOFT_RAM_BASE + 32768);
	host_write(host, NVME_REG_CC, NVME_CTRL_ENABLE);
	host_await(host, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
}

/* A command that is known to access unmapped addresses. */
static void submit_unmapped(struct host *host)
{
	const struct nvme_command command = { .opcode = NVME_ADMIN_IDENTIFY,
		.prp1 = htole64(FAKE_SOFT_RAM_BASE + 2 * (uint64_t)FAKE_SOFT_RAM_SIZE),
		.cdw10 = htole32(1) };
	uint64_t before = fake_soft_dma_faults(host->device);

	host_fill(host, FAKE_SOFT_RAM_BASE, &command, sizeof(command));
	host_ring(host, nvme_sq_doorbell(0), 1);
	while (fake_soft_dma_faults(host->device) == before)
		host_nap();
}

static void expect_recovery(struct host *host)
{
	host->mapped = false;
	fake_soft_reset(host->device);
	assert_int_equal(host_read(host, NVME_REG_CSTS), 0);
	assert_int_equal(host_read(host, NVME_REG_VS), 0x10400);
	host->next_page = FAKE_SOFT_RAM_BASE + FAKE_SOFT_RAM_SIZE / 2;
	memset(&host->io, 0, sizeof(host->io));
	uint8_t zeroes[4096] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		host_fill(host, host->next_page + i * sizeof(zeroes), zeroes, sizeof(zeroes));
	host_enable(host, 8, NVME_CTRL_ENABLE);
	host_create_io(host, 8);
	assert_int_equal(host_io(host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	fake_soft_reset(host->device);
}

static void test_noise(void **unused)
{
	struct host host;

	(void)unused;
	state = SEED;
	host_open(&host, "size=4M,queues=3,vectors=4");
	soft_nvme_model.bar_mapped(host.device, 0, true);
	for (unsigned round = 0; round < ROUNDS; round++) {
		write_noise(&host);
		noisy_enable(&host);
		submit_unmapped(&host);
		for (unsigned i = 0; i < 500; i++) {
			noisy_store(&host);
			if (i % 100 == 0)
				write_noise(&host);
			if (i % 50 == 0)
				host_nap();
		}
		expect_recovery(&host);
	}
	host_close(&host);
}

/* A PRP list whose every page links to itself. */
static void test_endless_list(void **unused)
{
	uint64_t entries[512], page;
	struct host host;

	(void)unused;
	host_start(&host, "size=8M,mdts=4M");
	page = host_pages(&host, 2);
	for (unsigned i = 0; i < 512; i++)
		entries[i] = page;
	host_fill(&host, page, entries, sizeof(entries));
	/* The data is the list itself: it may be overwritten during the command. */
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_WRITE, 0, 8192, page, page)), NVME_OK);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_READ, 0, 8192, page, page)), NVME_OK);
	host_close(&host);
}

/* A queue that is never empty: the host submits continuously, and reads no completion. */
static void test_flood(void **unused)
{
	struct host host;

	(void)unused;
	host_start(&host, "size=1M");
	for (unsigned i = 0; i < 5000; i++) {
		host_ring(&host, nvme_cq_doorbell(1), i % 16);
		host_ring(&host, nvme_sq_doorbell(1), i % 16);
	}
	host_disable(&host);
	expect_recovery(&host);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_endless_list),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
