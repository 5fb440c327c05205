/* SPDX-License-Identifier: BSD-3-Clause */
/* Device specifications: TYPE,key=value,... */
#ifndef PROVIDER_SPEC_H
#define PROVIDER_SPEC_H

#include "driver/provider.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_KEYS_MAX 24

/* An error: one line that says what was wrong and what was expected. */
struct spec_error {
	bool is_invalid; /* a usage error; else the host cannot create the device */
	char text[320];
};

/**
 * spec_fail - fill in @error: the device cannot be created on this host or now
 *
 * Return: false, for the caller to return.
 */
bool spec_fail(struct spec_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** spec_invalid - fill in @error: the specification is invalid. Return: false. */
bool spec_invalid(struct spec_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A key of a device type, for checks and --help. */
struct spec_key {
	const char *name;
	const char *value; /* its form: "FILE", "SIZE", "identity|dart" */
	const char *help;
};

/* A parsed specification. Each key occurs once. */
struct device_spec {
	char *text; /* the strings below point into it */
	const char *type;
	size_t count;
	struct {
		const char *key, *value;
	} entries[SPEC_KEYS_MAX];
};

/**
 * spec_parse - parse a specification
 *
 * spec_check() checks whether the keys exist.
 *
 * Return: true, with @spec to be freed by spec_free(); false with @error filled in for an empty
 * type, a key without "=", a repeated key, too many keys, or when memory is out.
 */
bool spec_parse(const char *text, struct device_spec *spec, struct spec_error *error);
void spec_free(struct device_spec *spec);

/** spec_check - whether each key is in @keys (an array that ends with a NULL name). */
bool spec_check(
	const struct device_spec *spec, const struct spec_key *keys, struct spec_error *error);

/** spec_get - the value of @key, or NULL. */
const char *spec_get(const struct device_spec *spec, const char *key);
/** spec_get_switch - true for "on", false for "off"; @fallback when absent. */
bool spec_get_switch(const struct device_spec *spec, const char *key, bool fallback, bool *value,
	struct spec_error *error);
/** spec_get_size - bytes, with an optional K, M, G or T (powers of 1024); @fallback when absent. */
bool spec_get_size(const struct device_spec *spec, const char *key, uint64_t fallback,
	uint64_t *value, struct spec_error *error);
/** spec_get_number - an unsigned number in [@min, @max], decimal or 0x; @fallback when absent. */
bool spec_get_number(const struct device_spec *spec, const char *key, uint64_t min, uint64_t max,
	uint64_t fallback, uint64_t *value, struct spec_error *error);
/**
 * spec_get_word - one word of a list
 * @names: the words, ending with NULL
 * @value: set to the index of the word; to @fallback when @key is absent
 */
bool spec_get_word(const struct device_spec *spec, const char *key, const char *const *names,
	unsigned fallback, unsigned *value, struct spec_error *error);

/** spec_get_address - the value of the key addr, which is required. */
bool spec_get_address(
	const struct device_spec *spec, struct pci_address *address, struct spec_error *error);

/**
 * provider_create - create a device from a specification
 *
 * Return: the provider, or NULL with @error filled in.
 */
struct pci_provider *provider_create(const char *spec, struct spec_error *error);

/** provider_print_types - one aligned line for each device type and each of its keys, for --help. */
void provider_print_types(void);

#endif
