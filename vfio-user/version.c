/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Agreeing on the version and on limits. The capabilities travel as JSON; what
 * the reply names is what this server takes, and of what is optional only what
 * the client proposed.
 */
#include "vfio-user/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define JSON_DEPTH 8

/* What a client that says nothing of them means. */
static const struct vu_limits defaults = {
	.client_fds = 1,
	.client_data = 1 << 20,
	.maps = VU_MAPS_MAX,
	.page_sizes = VU_PAGE_SIZE,
};

/* A number, if it is there. Return: false when it is something else or out of range. */
static bool get_number(struct json_object *object, const char *key, uint64_t max, uint64_t *value)
{
	struct json_object *member;
	int64_t number;

	if (!json_object_object_get_ex(object, key, &member))
		return true;
	if (!json_object_is_type(member, json_type_int))
		return false;
	number = json_object_get_int64(member);
	if (number < 0 || (uint64_t)number > max)
		return false;
	*value = (uint64_t)number;
	return true;
}

static bool get_boolean(struct json_object *object, const char *key, bool *value)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, key, &member))
		return true;
	if (!json_object_is_type(member, json_type_boolean))
		return false;
	*value = json_object_get_boolean(member) != 0;
	return true;
}

static bool read_capabilities(struct json_object *object, struct vu_limits *limits)
{
	uint64_t fds = limits->client_fds, maps = limits->maps, pages = limits->page_sizes;

	if (!get_number(object, "max_msg_fds", UINT16_MAX, &fds) ||
		!get_number(object, "max_data_xfer_size", INT64_MAX, &limits->client_data) ||
		!get_number(object, "max_dma_maps", INT64_MAX, &maps) ||
		!get_number(object, "pgsizes", INT64_MAX, &pages) ||
		!get_boolean(object, "write_multiple", &limits->write_multiple))
		return false;
	limits->client_fds = (uint32_t)fds;
	limits->maps = maps < VU_MAPS_MAX ? (uint32_t)maps : VU_MAPS_MAX;
	/* Any size that is made of the smallest will do. */
	pages &= ~(uint64_t)(VU_PAGE_SIZE - 1);
	limits->page_sizes = pages != 0 ? pages : VU_PAGE_SIZE;
	return true;
}

static bool read_proposal(struct json_object *proposal, struct vu_limits *limits)
{
	struct json_object *capabilities;

	if (!json_object_is_type(proposal, json_type_object))
		return false;
	if (!json_object_object_get_ex(proposal, "capabilities", &capabilities))
		return true;
	return json_object_is_type(capabilities, json_type_object) &&
	       read_capabilities(capabilities, limits);
}

/* @size bytes of text whose last one must be its only NUL. Return: NULL for what is no JSON. */
static struct json_object *parse(const char *text, size_t size)
{
	struct json_tokener *tokener;
	struct json_object *object;

	if (memchr(text, '\0', size) != text + size - 1)
		return NULL;
	tokener = json_tokener_new_ex(JSON_DEPTH);
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

/*
 * QEMU gives the reply no more room than its own message took, so the text is
 * kept short: what is at its default is not named. Numbers alone go into it,
 * nothing of the client's.
 */
static void answer(struct vu_session *session, uint16_t minor, const struct vu_limits *limits)
{
	struct vfio_user_version version = { .major = VFIO_USER_VERSION_MAJOR, .minor = minor };
	char maps[40] = "", pages[40] = "";
	int length;

	if (limits->maps != defaults.maps)
		snprintf(maps, sizeof(maps), ",\"max_dma_maps\":%" PRIu32, limits->maps);
	if (limits->page_sizes != defaults.page_sizes)
		snprintf(pages, sizeof(pages), ",\"pgsizes\":%" PRIu64, limits->page_sizes);
	memcpy(session->reply, &version, sizeof(version));
	length =
		snprintf((char *)session->reply + sizeof(version), VU_PAYLOAD_MAX - sizeof(version),
			"{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u%s%s%s}}",
			VU_FDS_MAX, VU_DATA_MAX, maps, pages,
			limits->write_multiple ? ",\"write_multiple\":true" : "");
	session->reply_size = sizeof(version) + (size_t)length + 1;
}

int vu_command_version(struct vu_session *session)
{
	const struct vu_message *message = &session->message;
	struct vu_limits limits = defaults;
	struct vfio_user_version version;
	size_t text_size = message->payload_size - sizeof(version);

	memcpy(&version, message->payload, sizeof(version));
	if (version.major != VFIO_USER_VERSION_MAJOR)
		return EINVAL;
	if (text_size > 0) {
		struct json_object *proposal =
			parse((const char *)message->payload + sizeof(version), text_size);
		bool good = proposal && read_proposal(proposal, &limits);

		json_object_put(proposal);
		if (!good)
			return EINVAL;
	}
	answer(session,
		version.minor < VFIO_USER_VERSION_MINOR ? version.minor : VFIO_USER_VERSION_MINOR,
		&limits);
	return vu_session_begin(session, &limits);
}
