/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, times (in nanoseconds), processes and limits of IOMMUs as text; JSON. */
#ifndef TOOLS_DEXTCTL_FORMAT_H
#define TOOLS_DEXTCTL_FORMAT_H

#include "common/pci-address.h"

#include <apple-dext-client.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/** format_address - a device's address, with its PCI root unless that is "". Return: @text. */
const char *format_address(
	const char *root, const AppleDextIdentity *identity, char text[PCI_ADDRESS_SIZE]);

#define CLOCK_SECOND UINT64_C(1000000000)

/** clock_now - nanoseconds of CLOCK_MONOTONIC or CLOCK_REALTIME. */
uint64_t clock_now(clockid_t clock);

#define CLOCK_TEXT_SIZE sizeof("23:59:59.999999999")

/** clock_format - local time of day of a time of CLOCK_REALTIME, with 0 to 9 decimals. */
void clock_format(uint64_t time, unsigned decimals, char text[CLOCK_TEXT_SIZE]);

#define CLOCK_DURATION_SIZE 48

/** clock_format_duration - "850ns", "12.3us", "4.5ms", "2.0s". */
void clock_format_duration(uint64_t duration, char text[CLOCK_DURATION_SIZE]);

#define PROCESS_NAME_SIZE 32
#define PROCESS_ID_SIZE	  sizeof("-2147483648")

/** process_name - the name of a process, in printable characters. Return: @text; NULL if unknown. */
const char *process_name(int32_t pid, char text[PROCESS_NAME_SIZE]);

/** process_id - a PID as text; "-" for 0, which is unknown. Return: @text. */
const char *process_id(int32_t pid, char text[PROCESS_ID_SIZE]);

#define LIMITS_TEXT_SIZE 128

#define FAULTS_TEXT_SIZE 40
/** faults_text - "5 faults", or for UINT64_MAX where they are reported. Return: @text. */
const char *faults_text(uint64_t faults, char text[FAULTS_TEXT_SIZE]);

/** limits_kind - "identity", "dart", or "unknown". */
const char *limits_kind(const AppleDextDMALimits *limits);
/** limits_exist - whether the IOMMU has any limit. */
bool limits_exist(const AppleDextDMALimits *limits);
/** limits_use - "12M of 1536M, 3 of 65536 mappings". Return: @text. */
const char *limits_use(const AppleDextDMALimits *limits, char text[LIMITS_TEXT_SIZE]);

struct json_object;
/** limits_put - set the key "limits"; to null if @limits is NULL. */
void limits_put(struct json_object *object, const AppleDextDMALimits *limits);

/* JSON. Counts and sizes are numbers; IDs and register values are strings such as "0x1b36". */

struct json_object *json_new_object(void);
struct json_object *json_new_array(void);

void json_put_number(struct json_object *object, const char *key, uint64_t number);
/** json_put_pid - a process; null for 0, which is unknown. */
void json_put_pid(struct json_object *object, const char *key, int32_t pid);
/** json_put_rate - a number with one decimal. */
void json_put_rate(struct json_object *object, const char *key, double rate);
void json_put_bool(struct json_object *object, const char *key, bool value);
void json_put_hex(struct json_object *object, const char *key, int digits, uint64_t number);
/** json_put_text - @text is copied; NULL becomes null. */
void json_put_text(struct json_object *object, const char *key, const char *text);
void json_put_null(struct json_object *object, const char *key);

/* The new object or array belongs to the one that it is put into. */
struct json_object *json_put_object(struct json_object *object, const char *key);
struct json_object *json_put_array(struct json_object *object, const char *key);
struct json_object *json_add_object(struct json_object *array);
/** json_add - append @value, which then belongs to @array. */
void json_add(struct json_object *array, struct json_object *value);
void json_add_hex(struct json_object *array, int digits, uint64_t number);

/** json_drop - free it without printing it; NULL is allowed. */
void json_drop(struct json_object *object);
/** json_print - print it on standard output, over several lines, and free it. */
void json_print(struct json_object *object);
/** json_print_line - print it in one line and free it, for streams of objects. */
void json_print_line(struct json_object *object);

/** json_put_faults - set the key "faults"; to null for UINT64_MAX, which is unknown. */
void json_put_faults(struct json_object *object, uint64_t faults);

#endif
