/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON in few words. Counts and sizes are numbers; ids and what registers hold
 * are strings "0x1b36", with a fixed number of digits.
 */
#ifndef TOOLS_DEXTCTL_JSON_H
#define TOOLS_DEXTCTL_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct json_object *json_new_object(void);
struct json_object *json_new_array(void);

void json_put_number(struct json_object *object, const char *key, uint64_t number);
/** json_put_pid - a process; null for 0, which is not known. */
void json_put_pid(struct json_object *object, const char *key, int32_t pid);
/** json_put_rate - a number with one decimal. */
void json_put_rate(struct json_object *object, const char *key, double rate);
void json_put_bool(struct json_object *object, const char *key, bool value);
void json_put_hex(struct json_object *object, const char *key, int digits, uint64_t number);
/** json_put_text - @text is copied; NULL becomes null. */
void json_put_text(struct json_object *object, const char *key, const char *text);
void json_put_null(struct json_object *object, const char *key);

/* What they return belongs to what they put it into. */
struct json_object *json_put_object(struct json_object *object, const char *key);
struct json_object *json_put_array(struct json_object *object, const char *key);
struct json_object *json_add_object(struct json_object *array);
/** json_add - put @value, which becomes the array's, at its end. */
void json_add(struct json_object *array, struct json_object *value);
void json_add_hex(struct json_object *array, int digits, uint64_t number);

/** json_drop - free it, unprinted. */
void json_drop(struct json_object *object);
/** json_print - print it on standard output, over several lines, and free it. */
void json_print(struct json_object *object);
/** json_print_line - print it in one line, and free it: for streams of objects. */
void json_print_line(struct json_object *object);

#endif
