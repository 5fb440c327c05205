/* SPDX-License-Identifier: BSD-3-Clause */
/* Negotiation of the version and of limits. */
#include "tests/lib/vfio-user-rig.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* Propose a version with some text and its NUL. Return: the errno of the reply. */
static int propose(
	struct rig *rig, uint16_t major, uint16_t minor, const char *text, struct vu_reply *reply)
{
	unsigned char payload[512];
	struct vfio_user_version version = { .major = major, .minor = minor };
	size_t size = text ? strlen(text) + 1 : 0;

	memcpy(payload, &version, sizeof(version));
	if (text)
		memcpy(payload + sizeof(version), text, size);
	rig_connect(rig);
	return vu_client_exchange(
		&rig->client, VFIO_USER_VERSION, payload, sizeof(version) + size, NULL, 0, reply);
}

static int64_t capability(const struct vu_reply *reply, const char *name)
{
	struct json_object *top, *capabilities, *member;
	int64_t value = -1;

	assert_int_equal(reply->payload[reply->size - 1], 0);
	top = json_tokener_parse((const char *)reply->payload + sizeof(struct vfio_user_version));
	assert_non_null(top);
	assert_true(json_object_object_get_ex(top, "capabilities", &capabilities));
	if (json_object_object_get_ex(capabilities, name, &member))
		value = json_object_get_int64(member);
	json_object_put(top);
	return value;
}

static void test_version_states_the_servers_limits(void **state)
{
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_int_equal(propose(*state, 0, 1, NULL, reply), 0);
	assert_memory_equal(reply->payload, "\0\0\1\0", 4);
	assert_int_equal(capability(reply, "max_msg_fds"), 16);
	assert_int_equal(capability(reply, "max_data_xfer_size"), 1 << 20);
	/* Optional, and not proposed. */
	assert_int_equal(capability(reply, "write_multiple"), -1);
	assert_int_equal(capability(reply, "pgsizes"), -1);
	free(reply);
}

static void test_version_is_the_lower_minor(void **state)
{
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_int_equal(propose(*state, 0, 0, "{}", reply), 0);
	assert_memory_equal(reply->payload, "\0\0\0\0", 4);
	rig_disconnect(*state);
	assert_int_equal(propose(*state, 0, 7, "{}", reply), 0);
	assert_memory_equal(reply->payload, "\0\0\1\0", 4);
	free(reply);
}

static void test_version_takes_lower_limits(void **state)
{
	static const char text[] = "{\"capabilities\":{\"max_dma_maps\":2,\"pgsizes\":16384,"
				   "\"write_multiple\":true,\"unknown\":[1]}}";
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_USER_F_DMA_REGION_READ, .size = 0x4000
	};
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_int_equal(propose(*state, 0, 1, text, reply), 0);
	assert_int_equal(capability(reply, "max_dma_maps"), 2);
	assert_int_equal(capability(reply, "pgsizes"), 16384);
	assert_int_equal(capability(reply, "write_multiple"), 1);
	for (int i = 0; i < 3; i++, map.address += 0x4000)
		assert_int_equal(vu_client_exchange(*state, VFIO_USER_DMA_MAP, &map, sizeof(map),
					 NULL, 0, NULL),
			i < 2 ? 0 : ENOSPC);
	free(reply);
}

static void test_version_page_sizes_are_respected(void **state)
{
	static const char text[] = "{\"capabilities\":{\"pgsizes\":81920}}"; /* 16 and 64 KiB */
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_USER_F_DMA_REGION_READ, .size = 0x1000
	};

	assert_int_equal(propose(*state, 0, 1, text, NULL), 0);
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_DMA_MAP, &map, sizeof(map), NULL, 0, NULL),
		EINVAL);
	map.size = 0x4000;
	map.address = 0x1000;
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_DMA_MAP, &map, sizeof(map), NULL, 0, NULL),
		EINVAL);
	map.address = 0x4000;
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_DMA_MAP, &map, sizeof(map), NULL, 0, NULL), 0);
}

static void test_version_client_data_limit_is_respected(void **state)
{
	unsigned char data[64];

	assert_int_equal(
		propose(*state, 0, 1, "{\"capabilities\":{\"max_data_xfer_size\":16}}", NULL), 0);
	assert_int_equal(vu_client_read(*state, VFIO_PCI_CONFIG_REGION_INDEX, 0, data, 16), 0);
	assert_int_equal(vu_client_read(*state, VFIO_PCI_CONFIG_REGION_INDEX, 0, data, 17), EINVAL);
	/* What it sends is limited by the server's limit. */
	assert_int_equal(vu_client_write(*state, 4, 0, data, 32), 0);
}

/* QEMU's own proposal; the reply must not be longer. */
static void test_version_reply_fits_into_the_proposal(void **state)
{
	static const char text[] =
		"{\"capabilities\": {\"migration\": {\"max_bitmap_size\": 268435456, "
		"\"pgsize\": 4096}, \"max_msg_fds\": 16, \"write_multiple\": true, "
		"\"max_data_xfer_size\": 1048576, \"pgsizes\": 4096, \"max_dma_maps\": 65535}}";
	struct vu_reply *reply = malloc(sizeof(*reply));

	assert_int_equal(propose(*state, 0, 0, text, reply), 0);
	assert_true(reply->size <= sizeof(struct vfio_user_version) + sizeof(text));
	free(reply);
}

static void test_bad_versions_end_the_session(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"\"",
		"[]",
		"{}x",
		"null",
		"{\"capabilities\":\"23\"}",
		"{\"capabilities\":{\"max_msg_fds\":\"foo\"}}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":1e3}}",
		"{\"capabilities\":{\"max_msg_fds\":99999999999}}",
		"{\"capabilities\":{\"max_data_xfer_size\":-5}}",
		"{\"capabilities\":{\"write_multiple\":1}}",
		"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(propose(*state, 0, 1, texts[i], NULL), EINVAL);
		rig_expect_closed(*state);
		rig_disconnect(*state);
	}
	assert_int_equal(propose(*state, 1, 0, "{}", NULL), EINVAL);
	rig_expect_closed(*state);
}

static void test_version_text_must_end_with_its_only_nul(void **state)
{
	static const struct {
		const char *payload;
		size_t size;
	} cases[] = {
		{ "\0\0\1\0{}", 6 },	 /* no NUL */
		{ "\0\0\1\0{}\0\0", 8 }, /* two NULs */
		{ "\0\0\1", 3 },	 /* too short for a version */
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_connect(*state);
		assert_int_equal(vu_client_exchange(*state, VFIO_USER_VERSION, cases[i].payload,
					 cases[i].size, NULL, 0, NULL),
			EINVAL);
		rig_expect_closed(*state);
		rig_disconnect(*state);
	}
}

static void test_version_has_no_descriptors(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	rig_connect(*state);
	assert_int_equal(
		vu_client_exchange(*state, VFIO_USER_VERSION, "\0\0\1\0", 4, &fd, 1, NULL), EINVAL);
	rig_expect_closed(*state);
	close(fd);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_version_states_the_servers_limits),
		ON(test_version_is_the_lower_minor),
		ON(test_version_takes_lower_limits),
		ON(test_version_page_sizes_are_respected),
		ON(test_version_client_data_limit_is_respected),
		ON(test_version_reply_fits_into_the_proposal),
		ON(test_bad_versions_end_the_session),
		ON(test_version_text_must_end_with_its_only_nul),
		ON(test_version_has_no_descriptors),
	};

	return cmocka_run_group_tests_name("vfio-user version", tests, NULL, NULL);
}
