/* SPDX-License-Identifier: BSD-3-Clause */
/* The NVMe device: specifications, registers, enable, shutdown, resets. */
#include "tests/lib/nvme-model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char image[] = "/tmp/test-nvme-XXXXXX";

static void make_image(off_t size)
{
	int fd;

	strcpy(image, "/tmp/test-nvme-XXXXXX");
	fd = mkstemp(image);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void refused(const char *keys, const char *part)
{
	struct spec_error error = { .text = "" };
	char text[512];
	struct soft_device *device;

	snprintf(text, sizeof(text), "nvme,%s", keys);
	device = fake_soft_create(&soft_nvme_model, text, &error);
	assert_null(device);
	if (!strstr(error.text, part))
		fail_msg("\"%s\" does not say \"%s\"", error.text, part);
	assert_null(strchr(error.text, '\n'));
}

static void test_bad_specifications(void **state)
{
	(void)state;
	refused("block=512", "exactly one of image=FILE and size=SIZE");
	refused("size=1M,image=/dev/null", "not both");
	refused("size=1M,block=1024", "512 or 4096");
	refused("size=1000", "1000 bytes are not a multiple of the block size, 512");
	refused("size=512,block=4096", "less than one block");
	refused("size=1M,readonly=yes", "on or off");
	refused("size=1M,queues=256", "queues");
	refused("size=1M,vectors=257", "vectors");
	refused("size=1M,irq=none", "intx, msi, msix");
	refused("size=1M,irq=msi,vectors=24", "power of two");
	refused("size=1M,irq=intx,vectors=2", "vectors");
	refused("size=1M,mdts=4K", "power of two");
	refused("size=1M,mdts=12K", "power of two");
	refused("size=1M,mdts=8M", "power of two");
	refused("size=1M,serial=123456789012345678901", "1 to 20 characters");
	refused("size=1M,serial=", "1 to 20 characters");
	refused("size=1M,model=a\tb", "printable");
	refused("image=/nonexistent/disk.img", "/nonexistent/disk.img: No such file");
	refused("image=/tmp", "/tmp");
	refused("image=/dev/null", "neither a file nor a block device");
}

static void test_bad_images(void **state)
{
	char keys[128];

	(void)state;
	make_image(1536);
	snprintf(keys, sizeof(keys), "image=%s,block=4096", image);
	refused(keys, "1536 bytes are less than one block of 4096");
	assert_int_equal(truncate(image, 6000), 0);
	refused(keys, "6000 bytes are not a multiple of the block size, 4096");
	assert_int_equal(truncate(image, 0), 0);
	snprintf(keys, sizeof(keys), "image=%s", image);
	refused(keys, "less than one block");
	unlink(image);
}

static void test_image_is_locked(void **state)
{
	struct host host;
	char keys[128];

	(void)state;
	make_image(1 << 20);
	snprintf(keys, sizeof(keys), "image=%s", image);
	host_open(&host, keys);
	refused(keys, "in use by another device");
	host_close(&host);
	host_open(&host, keys);
	host_close(&host);
	unlink(image);
}

static void test_identity(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M,vectors=7");
	assert_int_equal(fake_soft_identity(host.device)->class_code, 0x010802);
	assert_int_equal(fake_soft_identity(host.device)->interrupt_pin, 1);
	assert_int_equal(fake_soft_msix_vectors(host.device), 7);
	assert_int_equal(fake_soft_msi_vectors(host.device), 0);
	host_close(&host);
}

static void test_interrupt_kinds(void **state)
{
	static const struct {
		const char *keys;
		unsigned msi, msix;
	} cases[] = {
		{ "size=1M", 0, 64 },
		{ "size=1M,irq=msix", 0, 64 },
		{ "size=1M,irq=msi", 32, 0 },
		{ "size=1M,irq=msi,vectors=4", 4, 0 },
		{ "size=1M,irq=intx", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host host;

		host_open(&host, cases[i].keys);
		assert_int_equal(fake_soft_identity(host.device)->interrupt_pin, 1);
		assert_int_equal(cases[i].msi, fake_soft_msi_vectors(host.device));
		assert_int_equal(cases[i].msix, fake_soft_msix_vectors(host.device));
		/* Without an MSI-X table the memory there is not writable. */
		host_write(&host, NVME_BAR_MSIX, 0xfee00000);
		assert_int_equal(cases[i].msix ? 0xfee00000 : 0, host_read(&host, NVME_BAR_MSIX));
		assert_int_equal(cases[i].msix != 0, host_read(&host, NVME_BAR_MSIX + 12));
		host_close(&host);
	}
}

static void test_registers(void **state)
{
	struct host host;
	uint64_t cap;

	(void)state;
	host_open(&host, "size=1M");
	cap = soft_nvme_model.bar_read(host.device, 0, NVME_REG_CAP, 8);
	assert_int_equal(host_read(&host, 0), (uint32_t)cap);
	assert_int_equal(host_read(&host, 4), (uint32_t)(cap >> 32));
	assert_int_equal(cap & 0xffff, 1023);
	assert_true(cap & NVME_CAP_CQR);
	assert_int_equal(cap >> 32 & 0xf, 0); /* DSTRD */
	assert_true(cap & NVME_CAP_CSS_NVM);
	assert_int_equal(host_read(&host, NVME_REG_VS), 0x10400);
	assert_int_equal(soft_nvme_model.bar_read(host.device, 0, NVME_REG_VS + 2, 1), 1);
	assert_int_equal(host_read(&host, NVME_REG_CSTS), 0);

	host_write(&host, NVME_REG_CAP, 0);
	host_write(&host, NVME_REG_VS, 0);
	host_write(&host, NVME_REG_CSTS, 0xffffffff);
	assert_int_equal((uint32_t)cap, host_read(&host, NVME_REG_CAP));
	assert_int_equal(host_read(&host, NVME_REG_VS), 0x10400);
	assert_int_equal(host_read(&host, NVME_REG_CSTS), 0);

	/* Reserved bits stay zero; an 8-byte write is two of 4; shorter writes are ignored. */
	host_write(&host, NVME_REG_AQA, 0xffffffff);
	assert_int_equal(host_read(&host, NVME_REG_AQA), NVME_AQA_WRITABLE);
	soft_nvme_model.bar_write(host.device, 0, NVME_REG_ASQ, 8, UINT64_C(0x123456789abcdef0));
	assert_int_equal(soft_nvme_model.bar_read(host.device, 0, NVME_REG_ASQ, 8),
		UINT64_C(0x123456789abcd000));
	soft_nvme_model.bar_write(host.device, 0, NVME_REG_ASQ, 2, 0xffff);
	assert_int_equal(host_read(&host, NVME_REG_ASQ), 0x9abcd000);
	/* The memory of the BAR has the same values. */
	host.mapped = true;
	assert_int_equal(host_read(&host, NVME_REG_ASQ), 0x9abcd000);
	host.mapped = false;
	host_close(&host);
}

static void test_interrupt_mask_registers(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	host_write(&host, NVME_REG_INTMS, 0x5);
	host_write(&host, NVME_REG_INTMS, 0x2);
	assert_int_equal(host_read(&host, NVME_REG_INTMS), 0x7);
	host_write(&host, NVME_REG_INTMC, 0x1);
	assert_int_equal(host_read(&host, NVME_REG_INTMC), 0x6);
	assert_int_equal(host_read(&host, NVME_REG_INTMS), 0x6);
	host_close(&host);
}

static void test_msix_table_is_memory(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M,vectors=2");
	assert_int_equal(host_read(&host, NVME_BAR_MSIX + 12), 1);
	host_write(&host, NVME_BAR_MSIX + 16, 0xfee00000);
	assert_int_equal(host_read(&host, NVME_BAR_MSIX + 16), 0xfee00000);
	host_write(&host, NVME_BAR_MSIX + 32, 0xfee00000); /* after the table */
	assert_int_equal(host_read(&host, NVME_BAR_MSIX + 32), 0);
	host_write(&host, NVME_BAR_PBA, 1);
	assert_int_equal(host_read(&host, NVME_BAR_PBA), 0);
	host_close(&host);
}

static void test_enable_disable(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	for (int i = 0; i < 3; i++) {
		host_enable(&host, 8, NVME_CTRL_ENABLE);
		host_create_io(&host, 4);
		assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
		host_disable(&host);
		/* The queue registers are not changed by a controller reset. */
		assert_int_equal(host_read(&host, NVME_REG_AQA), 7u << 16 | 7);
	}
	host_close(&host);
}

static void fatal(struct host *host, uint32_t aqa, uint64_t asq, uint64_t acq, uint32_t cc)
{
	host_write(host, NVME_REG_AQA, aqa);
	host_write64(host, NVME_REG_ASQ, asq);
	host_write64(host, NVME_REG_ACQ, acq);
	host_write(host, NVME_REG_CC, cc);
	host_await(host, NVME_REG_CSTS, NVME_CSTS_CFS | NVME_CSTS_RDY, NVME_CSTS_CFS);
	host_write(host, NVME_REG_CC, 0);
	host_await(host, NVME_REG_CSTS, NVME_CSTS_CFS, 0);
}

static void test_bad_enables(void **state)
{
	const uint32_t good = 7u << 16 | 7;
	const uint64_t page = FAKE_SOFT_RAM_BASE;
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	fatal(&host, 7u << 16, page, page, NVME_CTRL_ENABLE);
	fatal(&host, 7, page, page, NVME_CTRL_ENABLE);
	fatal(&host, good, page, page, NVME_CTRL_ENABLE | 1u << 4);  /* CSS */
	fatal(&host, good, page, page, NVME_CTRL_ENABLE | 1u << 11); /* AMS */
	fatal(&host, good, page, page, NVME_CTRL_ENABLE | 5u << 7);  /* MPS */
	fatal(&host, good, page + 0x1000, page, NVME_CTRL_ENABLE | 1u << 7);
	fatal(&host, good, page, page + 0x1000, NVME_CTRL_ENABLE | 1u << 7);
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	host_close(&host);
}

static void test_unreachable_queues_are_fatal(void **state)
{
	struct host host;

	(void)state;
	host_open(&host, "size=1M");
	host_write(&host, NVME_REG_AQA, 7u << 16 | 7);
	host_write64(&host, NVME_REG_ASQ, UINT64_C(0xfffffffffffff000));
	host_write64(&host, NVME_REG_ACQ, FAKE_SOFT_RAM_BASE);
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE);
	host_await(&host, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
	host_ring(&host, 0, 1);
	host_await(&host, NVME_REG_CSTS, NVME_CSTS_CFS, NVME_CSTS_CFS);
	host_disable(&host);

	host_write64(&host, NVME_REG_ASQ, FAKE_SOFT_RAM_BASE);
	host_write64(&host, NVME_REG_ACQ, UINT64_C(0xfffffffffffff000));
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE);
	host_await(&host, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
	host_ring(&host, 0, 1);
	host_await(&host, NVME_REG_CSTS, NVME_CSTS_CFS, NVME_CSTS_CFS);
	host_close(&host);
}

static void test_shutdown(void **state)
{
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	host_write(&host, NVME_REG_CC, NVME_CTRL_ENABLE | 1u << 14);
	host_await(&host, NVME_REG_CSTS, NVME_CSTS_SHST_MASK, NVME_CSTS_SHST_COMPLETE);
	host_write(&host, NVME_REG_CC, 0);
	host_await(&host, NVME_REG_CSTS, NVME_CSTS_SHST_MASK | NVME_CSTS_RDY, 0);
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	host_create_io(&host, 4);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

static void test_reset(void **state)
{
	struct host host;

	(void)state;
	host_start(&host, "size=1M");
	host_write(&host, NVME_REG_INTMS, 1);
	fake_soft_reset(host.device);
	for (int by_memory = 0; by_memory < 2; by_memory++) {
		host.mapped = by_memory;
		assert_int_equal(host_read(&host, NVME_REG_CC), 0);
		assert_int_equal(host_read(&host, NVME_REG_CSTS), 0);
		assert_int_equal(host_read(&host, NVME_REG_AQA), 0);
		assert_int_equal(host_read(&host, NVME_REG_ASQ), 0);
		assert_int_equal(host_read(&host, NVME_REG_INTMS), 0);
		assert_int_equal(host_read(&host, NVME_REG_VS), 0x10400);
	}
	host.mapped = false;
	host_enable(&host, 8, NVME_CTRL_ENABLE);
	host_create_io(&host, 4);
	assert_int_equal(host_io(&host, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0)), NVME_OK);
	host_close(&host);
}

/* Without bus mastering the controller waits, and continues when it is enabled again. */
static void test_bus_master(void **state)
{
	struct host host;
	struct nvme_completion completion;
	uint64_t before;

	(void)state;
	host_start(&host, "size=1M");
	fake_soft_set_bus_master(host.device, false);
	before = fake_soft_dma_count(host.device);
	host_put(&host, &host.io, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(&host, &host.io);
	for (int i = 0; i < 50; i++)
		host_nap();
	assert_false(host_take(&host, &host.io, &completion));
	assert_int_equal(before, fake_soft_dma_count(host.device));
	fake_soft_set_bus_master(host.device, true);
	completion = host_wait(&host, &host.io);
	assert_int_equal(nvme_ctrl_status(&completion), NVME_OK);
	host_close(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_specifications),
		cmocka_unit_test(test_bad_images),
		cmocka_unit_test(test_image_is_locked),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_interrupt_kinds),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_interrupt_mask_registers),
		cmocka_unit_test(test_msix_table_is_memory),
		cmocka_unit_test(test_enable_disable),
		cmocka_unit_test(test_bad_enables),
		cmocka_unit_test(test_unreachable_queues_are_fatal),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_bus_master),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
