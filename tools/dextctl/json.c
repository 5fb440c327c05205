/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/cli.h"
#include "tools/dextctl/json.h"

#include <stdlib.h>

static struct json_object *need(struct json_object *object)
{
	if (!object) {
		cli_error("out of memory");
		exit(EXIT_FAILURE);
	}
	return object;
}

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		need(NULL);
}

struct json_object *json_new_object(void)
{
	return need(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return need(json_object_new_array());
}

void json_put_number(struct json_object *object, const char *key, uint64_t number)
{
	put(object, key, need(json_object_new_uint64(number)));
}

void json_put_pid(struct json_object *object, const char *key, int32_t pid)
{
	put(object, key, pid ? need(json_object_new_int(pid)) : NULL);
}

void json_put_rate(struct json_object *object, const char *key, double rate)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", rate);
	put(object, key, need(json_object_new_double_s(rate, text)));
}

void json_put_bool(struct json_object *object, const char *key, bool value)
{
	put(object, key, need(json_object_new_boolean(value)));
}

static struct json_object *new_hex(int digits, uint64_t number)
{
	char text[sizeof("0xffffffffffffffff")];

	snprintf(text, sizeof(text), "0x%0*llx", digits, (unsigned long long)number);
	return need(json_object_new_string(text));
}

void json_put_hex(struct json_object *object, const char *key, int digits, uint64_t number)
{
	put(object, key, new_hex(digits, number));
}

void json_put_text(struct json_object *object, const char *key, const char *text)
{
	put(object, key, text ? need(json_object_new_string(text)) : NULL);
}

void json_put_null(struct json_object *object, const char *key)
{
	put(object, key, NULL);
}

struct json_object *json_put_object(struct json_object *object, const char *key)
{
	struct json_object *value = json_new_object();

	put(object, key, value);
	return value;
}

struct json_object *json_put_array(struct json_object *object, const char *key)
{
	struct json_object *value = json_new_array();

	put(object, key, value);
	return value;
}

void json_add(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		need(NULL);
}

struct json_object *json_add_object(struct json_object *array)
{
	struct json_object *value = json_new_object();

	json_add(array, value);
	return value;
}

void json_add_hex(struct json_object *array, int digits, uint64_t number)
{
	json_add(array, new_hex(digits, number));
}

void json_drop(struct json_object *object)
{
	json_object_put(object);
}

static void print(struct json_object *object, int flags)
{
	puts(json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void json_print(struct json_object *object)
{
	print(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

void json_print_line(struct json_object *object)
{
	print(object, JSON_C_TO_STRING_PLAIN);
}
