/* SPDX-License-Identifier: BSD-3-Clause */
#include "provider/spec.h"
#include "common/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool spec_fail(struct spec_error *error, const char *format, ...)
{
	va_list args;

	error->is_invalid = false;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

bool spec_invalid(struct spec_error *error, const char *format, ...)
{
	va_list args;

	error->is_invalid = true;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

/* Add one "key=value" to @spec. */
static bool add_entry(struct device_spec *spec, char *entry, struct spec_error *error)
{
	char *equals = strchr(entry, '=');

	if (!equals || equals == entry)
		return spec_invalid(
			error, "device \"%s\": \"%s\" is not key=value", spec->type, entry);
	*equals = '\0';
	if (spec_get(spec, entry))
		return spec_invalid(
			error, "device \"%s\": key \"%s\" is given twice", spec->type, entry);
	if (spec->count == SPEC_KEYS_MAX)
		return spec_invalid(
			error, "device \"%s\": more than %d keys", spec->type, SPEC_KEYS_MAX);
	spec->entries[spec->count].key = entry;
	spec->entries[spec->count++].value = equals + 1;
	return true;
}

bool spec_parse(const char *text, struct device_spec *spec, struct spec_error *error)
{
	char *rest, *entry;

	*spec = (struct device_spec){ .text = strdup(text) };
	if (!spec->text)
		return spec_fail(error, "out of memory");
	rest = spec->text;
	spec->type = strsep(&rest, ",");
	if (!*spec->type || strchr(spec->type, '=')) {
		spec_free(spec);
		return spec_invalid(error,
			"device \"%s\": it must begin with a type, as in nvme,addr=01:00.0,...",
			text);
	}
	while ((entry = strsep(&rest, ","))) {
		if (!add_entry(spec, entry, error)) {
			spec_free(spec);
			return false;
		}
	}
	return true;
}

void spec_free(struct device_spec *spec)
{
	free(spec->text);
	*spec = (struct device_spec){ .text = NULL };
}

static bool is_key(const char *name, const struct spec_key *keys)
{
	for (; keys->name; keys++)
		if (strcmp(name, keys->name) == 0)
			return true;
	return false;
}

bool spec_check(
	const struct device_spec *spec, const struct spec_key *keys, struct spec_error *error)
{
	char known[200] = "";

	for (size_t i = 0; i < spec->count; i++) {
		if (is_key(spec->entries[i].key, keys))
			continue;
		for (; keys->name; keys++) {
			size_t used = strlen(known);

			snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
				keys->name);
		}
		return spec_invalid(error, "device \"%s\": no key \"%s\" (it has: %s)", spec->type,
			spec->entries[i].key, known);
	}
	return true;
}

const char *spec_get(const struct device_spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->count; i++)
		if (strcmp(spec->entries[i].key, key) == 0)
			return spec->entries[i].value;
	return NULL;
}

bool spec_get_switch(const struct device_spec *spec, const char *key, bool fallback, bool *value,
	struct spec_error *error)
{
	const char *text = spec_get(spec, key);

	*value = text ? strcmp(text, "on") == 0 : fallback;
	if (!text || *value || strcmp(text, "off") == 0)
		return true;
	return spec_invalid(error, "%s: %s=%s: it is on or off", spec->type, key, text);
}

bool spec_get_size(const struct device_spec *spec, const char *key, uint64_t fallback,
	uint64_t *value, struct spec_error *error)
{
	const char *text = spec_get(spec, key);
	const char *problem = text ? number_parse_size(text, UINT64_MAX, value) : NULL;

	if (problem)
		return spec_invalid(
			error, "device \"%s\": %s=%s: %s", spec->type, key, text, problem);
	if (!text)
		*value = fallback;
	return true;
}

bool spec_get_number(const struct device_spec *spec, const char *key, uint64_t min, uint64_t max,
	uint64_t fallback, uint64_t *value, struct spec_error *error)
{
	const char *text = spec_get(spec, key);

	*value = fallback;
	if (!text)
		return true;
	if (number_parse(text, max, value) || *value < min)
		return spec_invalid(error, "device \"%s\": %s=%s is not a number from %llu to %llu",
			spec->type, key, text, (unsigned long long)min, (unsigned long long)max);
	return true;
}

bool spec_get_word(const struct device_spec *spec, const char *key, const char *const *names,
	unsigned fallback, unsigned *value, struct spec_error *error)
{
	const char *text = spec_get(spec, key);
	char all[100] = "";
	size_t used = 0;

	*value = fallback;
	if (!text)
		return true;
	for (unsigned i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*value = i;
			return true;
		}
		if (used < sizeof(all))
			used += (size_t)snprintf(
				all + used, sizeof(all) - used, "%s%s", used ? ", " : "", names[i]);
	}
	return spec_invalid(error, "%s: %s=%s: it is one of %s", spec->type, key, text, all);
}

bool spec_get_address(
	const struct device_spec *spec, struct pci_address *address, struct spec_error *error)
{
	const char *text = spec_get(spec, "addr");
	const char *problem = text ? pci_address_parse(text, address, NULL) : NULL;

	if (!text)
		return spec_invalid(error,
			"device \"%s\": no address (addr=BB:DD.F, as in addr=01:00.0)", spec->type);
	if (problem)
		return spec_invalid(error, "device \"%s\": addr=%s: %s", spec->type, text, problem);
	return true;
}
