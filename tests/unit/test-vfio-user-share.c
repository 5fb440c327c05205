/* SPDX-License-Identifier: BSD-3-Clause */
/* BARs that the client maps: region info, descriptors, and their revocation. */
#include "tests/lib/vfio-user-rig.h"
#include "vfio-user/bar.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define RW	    (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)
#define MAP	    VFIO_REGION_INFO_FLAG_MMAP
#define CAPS	    VFIO_REGION_INFO_FLAG_CAPS
#define PAYLOAD_MAX 4096 /* SPDK's request is as long as the reply may be */

/* The reply to a query of a region, and its descriptor. */
struct answer {
	struct vfio_user_region_info info;
	struct vfio_user_sparse_mmap sparse;
	size_t size;
	int fd;
};

static struct answer ask(struct rig *rig, uint32_t index, uint32_t argsz, size_t payload)
{
	unsigned char question[PAYLOAD_MAX] = { 0 };
	struct vfio_user_region_info info = { .argsz = argsz, .index = index };
	const size_t both = sizeof(info) + sizeof(struct vfio_user_sparse_mmap);
	struct vu_reply *reply = malloc(sizeof(*reply));
	struct answer answer = { .size = 0 };

	assert_non_null(reply);
	memcpy(question, &info, sizeof(info));
	assert_int_equal(vu_client_exchange(&rig->client, VFIO_USER_DEVICE_GET_REGION_INFO,
				 question, payload, NULL, 0, reply),
		0);
	answer.fd = reply->fd;
	answer.size = reply->size;
	assert_true(reply->size >= sizeof(info) && reply->size <= both);
	memcpy(&answer.info, reply->payload, sizeof(info));
	if (reply->size == both)
		memcpy(&answer.sparse, reply->payload + sizeof(info), sizeof(answer.sparse));
	free(reply);
	assert_int_equal(answer.info.index, index);
	assert_int_equal((answer.info.flags & MAP) != 0, answer.fd >= 0);
	return answer;
}

/* A region that cannot be mapped, without capabilities. */
static void expect_plain(struct rig *rig, uint32_t index)
{
	static const uint32_t rooms[] = { 32, 64, 4064 };

	for (size_t i = 0; i < 3; i++) {
		struct answer answer = ask(rig, index, rooms[i], 32);

		assert_int_equal(answer.info.flags, answer.info.size != 0 ? RW : 0);
		assert_int_equal(answer.info.argsz, 32);
		assert_int_equal(answer.info.cap_offset, 0);
		assert_int_equal(answer.info.offset, 0);
		assert_int_equal(answer.size, 32);
	}
}

static void expect_descriptors_out(unsigned count)
{
	assert_int_equal(fake_client_lock()->descriptors_out, count);
	fake_client_unlock();
}

/* The client's mapping and its messages access the same memory. */
static void expect_mapped(
	struct rig *rig, const struct answer *answer, uint64_t offset, uint64_t size)
{
	uint32_t value = 0xc0ffee00 | answer->info.index;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, answer->fd,
		(off_t)(answer->info.offset + offset));

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(vu_client_write(&rig->client, answer->info.index, offset + size - 4,
				 &value, sizeof(value)),
		0);
	assert_memory_equal(memory + size - 4, &value, sizeof(value));
	memory[0] = 0x5a;
	assert_int_equal(vu_client_read(&rig->client, answer->info.index, offset, &value, 1), 0);
	assert_int_equal(value & 0xff, 0x5a);
	munmap(memory, size);
}

static int setup_shared(void **state)
{
	return rig_setup_with(state, VU_BARS_SHARED, true);
}

static int setup_shared_alone(void **state)
{
	return rig_setup_with(state, VU_BARS_SHARED, false);
}

static void test_a_whole_bar_has_no_capabilities(void **state)
{
	static const uint32_t rooms[] = { 32, 33, 64, 4064 };

	for (size_t i = 0; i < 4; i++) {
		struct answer answer = ask(*state, 4, rooms[i], 32);

		assert_int_equal(answer.info.flags, RW | MAP);
		assert_int_equal(answer.info.argsz, 32);
		assert_int_equal(answer.info.cap_offset, 0);
		assert_int_equal(answer.info.size, FAKE_BAR4_SIZE);
		assert_int_equal(answer.size, 32);
		expect_mapped(*state, &answer, 0, FAKE_BAR4_SIZE);
		close(answer.fd);
	}
	/* The descriptor is the same for repeated queries. */
	expect_descriptors_out(1);
}

static void test_a_part_of_a_bar_needs_room_for_the_capability(void **state)
{
	static const uint32_t rooms[] = { 32, 63 };

	for (size_t i = 0; i < 2; i++) {
		struct answer answer = ask(*state, 0, rooms[i], 32);

		assert_int_equal(answer.info.argsz, 64);
		assert_int_equal(answer.info.flags, RW);
		assert_int_equal(answer.info.cap_offset, 0);
		assert_int_equal(answer.size, 32);
		assert_int_equal(answer.fd, -1);
	}
}

static void test_pages_of_msix_are_left_out(void **state)
{
	static const struct {
		uint32_t room;
		size_t payload;
	} questions[] = { { 64, 32 }, { 64, 64 }, { 4064, 4064 }, { UINT32_MAX, 32 } };

	for (size_t i = 0; i < 4; i++) {
		struct answer answer = ask(*state, 0, questions[i].room, questions[i].payload);

		assert_int_equal(answer.size, 64);
		assert_int_equal(answer.info.argsz, 64);
		assert_int_equal(answer.info.flags, RW | MAP | CAPS);
		assert_int_equal(answer.info.size, FAKE_BAR0_SIZE);
		assert_int_equal(answer.info.cap_offset, 32);
		assert_int_equal(answer.sparse.id, 1);
		assert_int_equal(answer.sparse.version, 1);
		assert_int_equal(answer.sparse.next, 0);
		assert_int_equal(answer.sparse.count, 1);
		assert_int_equal(answer.sparse.reserved, 0);
		assert_int_equal(answer.sparse.offset, 0);
		assert_int_equal(answer.sparse.size, FAKE_MSIX_TABLE);
		expect_mapped(*state, &answer, answer.sparse.offset, answer.sparse.size);
		close(answer.fd);
	}
	expect_descriptors_out(1);
}

static void test_other_regions_are_unchanged(void **state)
{
	static const uint32_t others[] = { 1, 2, 3, 5, VFIO_PCI_ROM_REGION_INDEX,
		VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_VGA_REGION_INDEX };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_plain(*state, others[i]);
	expect_descriptors_out(0);
}

/* The table is emulated: the client's writes are read back, and do not reach the device. */
static void test_the_msix_table_is_accessed_by_messages(void **state)
{
	struct answer answer = ask(*state, 0, 64, 32);
	uint32_t value = 0xfee00000, found = 0;

	assert_int_equal(vu_client_write(*state, 0, FAKE_MSIX_TABLE, &value, 4), 0);
	assert_int_equal(vu_client_read(*state, 0, FAKE_MSIX_TABLE, &found, 4), 0);
	assert_int_equal(found, value);
	memcpy(&found, fake_client_lock()->bars[0] + FAKE_MSIX_TABLE, 4);
	fake_client_unlock();
	assert_int_equal(found, 0);
	close(answer.fd);
}

static void test_it_is_off_by_default(void **state)
{
	expect_plain(*state, 0);
	expect_plain(*state, 4);
	expect_descriptors_out(0);
}

static int negotiate(struct rig *rig, const char *text)
{
	unsigned char message[128] = { 0, 0, 1, 0 };

	memcpy(message + 4, text, strlen(text) + 1);
	rig_connect(rig);
	return vu_client_exchange(&rig->client, VFIO_USER_VERSION, message,
		text[0] != '\0' ? 4 + strlen(text) + 1 : 4, NULL, 0, NULL);
}

static void test_a_client_that_accepts_no_descriptors_gets_none(void **state)
{
	assert_int_equal(negotiate(*state, "{\"capabilities\":{\"max_msg_fds\":0}}"), 0);
	expect_plain(*state, 0);
	expect_plain(*state, 4);
	expect_descriptors_out(0);
}

/* A client that states no limit accepts one. */
static void test_one_descriptor_is_enough(void **state)
{
	struct answer answer;

	assert_int_equal(negotiate(*state, ""), 0);
	answer = ask(*state, 0, 4064, 4064);
	assert_int_equal(answer.info.flags, RW | MAP | CAPS);
	close(answer.fd);
}

static void test_bars_without_descriptor_are_not_offered(void **state)
{
	static const kern_return_t results[] = { kIOReturnUnsupported, kIOReturnNotReady,
		kIOReturnNoResources, kIOReturnNotPermitted };
	struct fake_client *device;
	unsigned char data[4];

	for (size_t i = 0; i < 4; i++) {
		fake_client_lock()->descriptor_result = results[i];
		fake_client_unlock();
		expect_plain(*state, 0);
		expect_plain(*state, 4);
	}
	device = fake_client_lock();
	device->descriptor_result = kIOReturnSuccess;
	device->descriptor_skew = 2048; /* the offset is not page-aligned */
	fake_client_unlock();
	expect_plain(*state, 4);
	expect_descriptors_out(0);
	assert_int_equal(vu_client_read(*state, 4, 0, data, 4), 0);
}

static void test_descriptors_are_revoked(void **state)
{
	struct rig *rig = *state;
	struct fake_client *device;
	struct answer answer;
	unsigned maps, resets;

	vu_client_set_config(&rig->client, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	close(ask(rig, 4, 64, 32).fd);
	answer = ask(rig, 0, 64, 32);
	expect_descriptors_out(2);
	device = fake_client_lock();
	maps = device->maps;
	resets = device->resets;
	fake_client_unlock();
	rig_disconnect(rig);
	device = fake_client_lock();
	assert_int_equal(device->descriptors_out, 0);
	assert_int_equal(device->mapped_bars, 2);
	assert_int_equal(device->maps, maps + 2); /* each is mapped again */
	assert_int_equal(device->resets, resets + 1);
	assert_int_equal(device->descriptors_at_reset, 0);
	assert_false(device->master_at_reset);
	fake_client_unlock();
	close(answer.fd);
	/* And copied again. */
	rig_connect(rig);
	rig_negotiate(rig);
	answer = ask(rig, 0, 64, 32);
	expect_descriptors_out(1);
	close(answer.fd);
}

/* A BAR that cannot be mapped again is accessed by calls. */
static void test_without_memory_calls_are_used(void **state)
{
	struct rig *rig = *state;
	struct fake_client *device;
	unsigned char data[4];

	close(ask(rig, 4, 32, 32).fd);
	fake_client_lock()->map_result = kIOReturnNoResources;
	fake_client_unlock();
	rig_disconnect(rig);
	device = fake_client_lock();
	device->map_result = kIOReturnSuccess;
	device->bar_call_count = 0;
	fake_client_unlock();
	rig_connect(rig);
	rig_negotiate(rig);
	assert_int_equal(vu_client_read(&rig->client, 4, 0, data, 4), 0);
	assert_int_equal(fake_client_lock()->bar_call_count, 1);
	fake_client_unlock();
}

/* --- The mappable area -------------------------------------------------------------- */

static void test_areas(void **state)
{
	static const struct {
		uint64_t bar, page;
		uint32_t table_bar, table, pending_bar, pending, vectors;
		uint64_t offset, size;
	} cases[] = {
		{ 0x4000, 4096, 0, 0, 0, 0, 0, 0, 0x4000 },	 /* no MSI-X */
		{ 0x4000, 4096, 1, 0, 1, 0x800, 64, 0, 0x4000 }, /* in another BAR */
		{ 0x8000, 4096, 0, 0x4000, 0, 0x6000, 64, 0, 0x4000 },
		{ 0x8000, 4096, 0, 0x6000, 0, 0x4000, 64, 0, 0x4000 }, /* in reverse order */
		{ 0x8000, 16384, 0, 0x4000, 0, 0x6000, 64, 0, 0x4000 },
		{ 0x8000, 65536, 0, 0x4000, 0, 0x6000, 64, 0, 0 },
		{ 0x1000, 4096, 0, 0x800, 0, 0xc00, 16, 0, 0 },	       /* one page, with both */
		{ 0x4000, 4096, 0, 0, 0, 0x400, 64, 0x1000, 0x3000 },  /* at the start */
		{ 0x4000, 4096, 0, 0x3000, 0, 0x3800, 64, 0, 0x3000 }, /* at the end */
		{ 0x4000, 4096, 0, 0x3ff0, 0, 0x3ff8, 1, 0, 0x3000 },
		/* In the middle: the larger side, or the first of two equal ones. */
		{ 0x10000, 4096, 0, 0x2000, 0, 0x2800, 64, 0x3000, 0xd000 },
		{ 0x3000, 4096, 0, 0x1000, 0, 0x1800, 64, 0, 0x1000 },
		/* Between the two; or before both, though the area after the table is larger. */
		{ 0x10000, 4096, 0, 0x1000, 0, 0xe000, 64, 0x2000, 0xc000 },
		{ 0xa000, 4096, 0, 0x5000, 0, 0x7000, 64, 0, 0x5000 },
		/* A table of 2048 entries takes eight pages, or nine if unaligned. */
		{ 0x10000, 4096, 0, 0x800, 1, 0, 2048, 0x9000, 0x7000 },
		/* A broken device that gives invalid offsets. */
		{ 0x4000, 4096, 0, 0xfffffff8, 0, 0xfffffff8, 2048, 0, 0x4000 },
		{ 0x4000, 4096, 0, 0x3000, 0, 0xfffffff8, 2048, 0, 0x3000 },
		{ 0x4000, 4096, 0, 0x1000, 0, 0x1000, 2048, 0, 0x1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vu_device device = {
			.bars = { { .size = cases[i].bar } },
			.pci.msix = { .vectors = cases[i].vectors,
				.table_bar = cases[i].table_bar,
				.table_offset = cases[i].table,
				.pending_bar = cases[i].pending_bar,
				.pending_offset = cases[i].pending },
		};
		struct vu_mmap_area area;

		assert_int_equal(
			vu_bar_mmap_area(&device, 0, cases[i].page, &area), cases[i].size != 0);
		assert_int_equal(area.offset, cases[i].offset);
		assert_int_equal(area.size, cases[i].size);
	}
}

#define ON(setup, test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(setup_shared, test_a_whole_bar_has_no_capabilities),
		ON(setup_shared, test_a_part_of_a_bar_needs_room_for_the_capability),
		ON(setup_shared, test_pages_of_msix_are_left_out),
		ON(setup_shared, test_other_regions_are_unchanged),
		ON(setup_shared, test_the_msix_table_is_accessed_by_messages),
		ON(rig_setup_negotiated, test_it_is_off_by_default),
		ON(rig_setup_calls, test_it_is_off_by_default),
		ON(setup_shared_alone, test_a_client_that_accepts_no_descriptors_gets_none),
		ON(setup_shared_alone, test_one_descriptor_is_enough),
		ON(setup_shared, test_bars_without_descriptor_are_not_offered),
		ON(setup_shared, test_descriptors_are_revoked),
		ON(setup_shared, test_without_memory_calls_are_used),
		cmocka_unit_test(test_areas),
	};

	return cmocka_run_group_tests_name("vfio-user share", tests, NULL, NULL);
}
