/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of BARs: a client that keeps a mapping after unmapping has no access to the device. */
#include "tests/lib/provider-rig.h"
#include "provider/soft/nvme/nvme-spec.h"
#include "provider/soft/odd/odd.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ODD  "odd,addr=01:00.0"
#define NVME "nvme,addr=01:00.0,size=1M"

static struct provider_rig rig;

/* A client's mapping: its own descriptor, mapped. */
struct mapping {
	int fd;
	volatile uint8_t *bytes;
	size_t size;
};

static struct mapping map(unsigned bar)
{
	struct mapping mapping = { .size = (size_t)rig.provider->bars[bar].size };
	struct pci_bar_memory memory;

	assert_int_equal(
		rig.provider->ops->bar_memory(rig.provider, bar, &memory), kIOReturnSuccess);
	mapping.fd = fcntl(memory.fd, F_DUPFD_CLOEXEC, 0);
	assert_true(mapping.fd >= 0);
	mapping.bytes = mmap(NULL, mapping.size, PROT_READ | PROT_WRITE, MAP_SHARED, mapping.fd,
		(off_t)memory.offset);
	assert_ptr_not_equal(mapping.bytes, MAP_FAILED);
	return mapping;
}

/* Report the mapping as ended without unmapping it. */
static void end_without_unmapping(unsigned bar)
{
	rig.provider->ops->bar_unmapped(rig.provider, bar);
}

static void drop(struct mapping *mapping)
{
	munmap((void *)(uintptr_t)mapping->bytes, mapping->size);
	close(mapping->fd);
}

static void store(const struct mapping *mapping, uint32_t offset, uint32_t value)
{
	__atomic_store_n((uint32_t *)(uintptr_t)(mapping->bytes + offset), value, __ATOMIC_RELEASE);
}

static uint32_t load(const struct mapping *mapping, uint32_t offset)
{
	return __atomic_load_n((uint32_t *)(uintptr_t)(mapping->bytes + offset), __ATOMIC_ACQUIRE);
}

static void test_a_mapping_that_ended_has_no_effect(void **state)
{
	struct mapping kept, next;

	(void)state;
	prig_open(&rig, ODD);
	kept = map(ODD_BAR_MEMORY);
	store(&kept, 0x1000, 0x11223344);
	end_without_unmapping(ODD_BAR_MEMORY);
	/* The content belongs to the device, and is unchanged. */
	assert_int_equal(prig_read(&rig, ODD_BAR_MEMORY, 0x1000, 4), 0x11223344);
	store(&kept, 0x1000, 0x55667788);
	assert_int_equal(prig_read(&rig, ODD_BAR_MEMORY, 0x1000, 4), 0x11223344);
	prig_write(&rig, ODD_BAR_MEMORY, 0x1000, 4, 0x99aabbcc);
	assert_int_equal(load(&kept, 0x1000), 0x55667788);
	next = map(ODD_BAR_MEMORY);
	assert_int_equal(load(&next, 0x1000), 0x99aabbcc);
	store(&next, 0x1004, 1);
	assert_int_equal(prig_read(&rig, ODD_BAR_MEMORY, 0x1004, 4), 1);
	assert_int_equal(load(&kept, 0x1004), 0);
	store(&kept, 0x1004, 2);
	assert_int_equal(load(&next, 0x1004), 1);
	end_without_unmapping(ODD_BAR_MEMORY);
	drop(&kept);
	drop(&next);
	prig_close(&rig);
}

static void test_memory_is_the_same_while_any_client_maps_it(void **state)
{
	struct mapping one, other;

	(void)state;
	prig_open(&rig, ODD);
	one = map(ODD_BAR_BUFFER);
	other = map(ODD_BAR_BUFFER);
	store(&one, 0, 7);
	assert_int_equal(load(&other, 0), 7);
	end_without_unmapping(ODD_BAR_BUFFER);
	store(&other, 0, 8);
	assert_int_equal(prig_read(&rig, ODD_BAR_BUFFER, 0, 4), 8);
	/* A reset clears the memory; it does not replace it. */
	assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
	assert_int_equal(load(&other, 0), 0);
	store(&other, 0, 9);
	assert_int_equal(prig_read(&rig, ODD_BAR_BUFFER, 0, 4), 9);
	end_without_unmapping(ODD_BAR_BUFFER);
	drop(&one);
	drop(&other);
	prig_close(&rig);
}

static void test_the_size_is_fixed(void **state)
{
	struct mapping mapping;

	(void)state;
	prig_open(&rig, ODD);
	for (unsigned i = 0; i < 2; i++) { /* also the memory that replaces it */
		mapping = map(ODD_BAR_MEMORY);
		assert_int_equal(ftruncate(mapping.fd, 4096), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(ftruncate(mapping.fd, (off_t)mapping.size * 2), -1);
		assert_int_equal(fcntl(mapping.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
		/* A hole reads as zeroes, as if these had been stored. */
		assert_int_equal(fallocate(mapping.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 0, (off_t)mapping.size),
			0);
		prig_write(&rig, ODD_BAR_MEMORY, 0, 4, 1);
		assert_int_equal(load(&mapping, 0), 1);
		end_without_unmapping(ODD_BAR_MEMORY);
		drop(&mapping);
	}
	prig_close(&rig);
}

/* A BAR whose memory could not be replaced later must not be mapped. */
static void test_without_descriptors_mapping_fails(void **state)
{
	struct rlimit limit, none;
	struct mapping mapping;
	struct pci_bar_memory memory;

	(void)state;
	prig_open(&rig, ODD);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(rig.provider->ops->bar_memory(rig.provider, ODD_BAR_MEMORY, &memory),
		kIOReturnNoResources);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	mapping = map(ODD_BAR_MEMORY);
	/* Unmapping needs no descriptor. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	end_without_unmapping(ODD_BAR_MEMORY);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	store(&mapping, 0, 5);
	assert_int_equal(prig_read(&rig, ODD_BAR_MEMORY, 0, 4), 0);
	drop(&mapping);
	prig_close(&rig);
}

/* Store to the registers of queues and controller through a mapping that has ended. */
static void store_to_registers(const struct mapping *mapping)
{
	for (uint32_t offset = 0; offset < 0x2000; offset += 4)
		store(mapping, offset, 0x00460001);
}

static void test_a_controller_ignores_a_mapping_that_ended(void **state)
{
	struct mapping kept, next;

	(void)state;
	prig_open(&rig, NVME);
	kept = map(0);
	store(&kept, NVME_REG_AQA, 0x001f001f);
	prig_await(&rig, 0, NVME_REG_AQA, UINT32_MAX, 0x001f001f);
	end_without_unmapping(0);
	assert_int_equal(prig_reset(&rig, PCI_RESET_FUNCTION), kIOReturnSuccess);
	store_to_registers(&kept);
	next = map(0); /* the device polls for stores from now on */
	store_to_registers(&kept);
	store(&next, NVME_REG_AQA, 0x000f000f);
	prig_await(&rig, 0, NVME_REG_AQA, UINT32_MAX, 0x000f000f);
	assert_int_equal(prig_read(&rig, 0, NVME_REG_CC, 4), 0);
	assert_int_equal(prig_read(&rig, 0, NVME_REG_CSTS, 4), 0);
	assert_int_equal(prig_read(&rig, 0, NVME_REG_ASQ, 4), 0);
	assert_int_equal(prig_read(&rig, 0, NVME_REG_DOORBELLS, 4), 0);
	assert_int_equal(load(&next, NVME_REG_CC), 0);
	assert_int_equal(load(&next, NVME_REG_VS), NVME_VERSION_1_4);
	end_without_unmapping(0);
	drop(&kept);
	drop(&next);
	prig_close(&rig);
}

/* The next client finds none of these stores in the memory. */
static void test_the_next_client_finds_no_stores(void **state)
{
	static const char *const devices[] = { NVME, NVME ",irq=intx", ODD };
	static const unsigned bars[] = { 0, 0, ODD_BAR_MEMORY };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct mapping first, second;

		prig_open(&rig, devices[i]);
		first = map(bars[i]);
		for (uint32_t offset = 0; offset < first.size; offset += 4)
			store(&first, offset, 0x5ec2e700);
		end_without_unmapping(bars[i]);
		drop(&first);
		assert_int_equal(prig_reset(&rig, PCI_RESET_HOT), kIOReturnSuccess);
		second = map(bars[i]);
		for (uint32_t offset = 0; offset < second.size; offset += 4)
			assert_int_not_equal(load(&second, offset), 0x5ec2e700);
		end_without_unmapping(bars[i]);
		drop(&second);
		prig_close(&rig);
	}
}

/* --- Unmapping during the device's own stores ----------------------------------------- */

static atomic_bool enough;

static void *map_and_unmap(void *argument)
{
	unsigned *rounds = argument;

	for (; !atomic_load(&enough); ++*rounds) {
		struct pci_bar_memory memory;

		if (rig.provider->ops->bar_memory(rig.provider, ODD_BAR_BUFFER, &memory) ==
			kIOReturnSuccess)
			rig.provider->ops->bar_unmapped(rig.provider, ODD_BAR_BUFFER);
	}
	return NULL;
}

/* Fill the internal buffer by DMA from memory at @from. */
static void fill_buffer(uint32_t from)
{
	prig_write(&rig, ODD_BAR_REGISTERS, ODD_SOURCE, 8, rig.bus + from);
	prig_write(&rig, ODD_BAR_REGISTERS, ODD_DESTINATION, 8, 0);
	prig_write(&rig, ODD_BAR_REGISTERS, ODD_LENGTH, 4, ODD_BUFFER_SIZE);
	prig_write(&rig, ODD_BAR_REGISTERS, ODD_CONTROL, 4, ODD_CONTROL_GO | ODD_CONTROL_TO_BUFFER);
	prig_await(&rig, ODD_BAR_REGISTERS, ODD_DMA_STATUS, ODD_DMA_DONE, ODD_DMA_DONE);
}

static void test_no_store_of_the_device_is_lost(void **state)
{
	unsigned rounds = 0;
	pthread_t lender;

	(void)state;
	prig_open(&rig, ODD);
	for (size_t i = 0; i < RIG_MEMORY_SIZE; i++)
		rig.memory[i] = (uint8_t)(i / ODD_BUFFER_SIZE + 1);
	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&lender, NULL, map_and_unmap, &rounds), 0);
	for (unsigned i = 0; i < 300; i++) {
		uint8_t byte = (uint8_t)(i % 16 + 1);

		fill_buffer((i % 16) * (uint32_t)ODD_BUFFER_SIZE);
		for (uint32_t offset = 0; offset < ODD_BUFFER_SIZE; offset += 4096)
			assert_int_equal(prig_read(&rig, ODD_BAR_BUFFER, offset, 1), byte);
		prig_write(&rig, ODD_BAR_BUFFER, 8, 8, i);
		assert_int_equal(prig_read(&rig, ODD_BAR_BUFFER, 8, 8), i);
	}
	atomic_store(&enough, true);
	pthread_join(lender, NULL);
	assert_true(rounds > 0);
	prig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_mapping_that_ended_has_no_effect),
		cmocka_unit_test(test_memory_is_the_same_while_any_client_maps_it),
		cmocka_unit_test(test_the_size_is_fixed),
		cmocka_unit_test(test_without_descriptors_mapping_fails),
		cmocka_unit_test(test_a_controller_ignores_a_mapping_that_ended),
		cmocka_unit_test(test_the_next_client_finds_no_stores),
		cmocka_unit_test(test_no_store_of_the_device_is_lost),
	};

	return cmocka_run_group_tests_name("memory of BARs", tests, NULL, NULL);
}
