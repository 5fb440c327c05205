/* SPDX-License-Identifier: BSD-3-Clause */
#include "provider/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool spec_fail(struct spec_error *error, const char *format, ...)
{
	va_list args;

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
		return spec_fail(error, "device \"%s\": \"%s\" is not key=value", spec->type, entry);
	*equals = '\0';
	if (spec_get(spec, entry))
		return spec_fail(error, "device \"%s\": key \"%s\" is given twice", spec->type, entry);
	if (spec->count == SPEC_KEYS_MAX)
		return spec_fail(error, "device \"%s\": more than %d keys", spec->type,
			SPEC_KEYS_MAX);
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
		return spec_fail(error,
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

bool spec_check(const struct device_spec *spec, const struct spec_key *keys, struct spec_error *error)
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
		return spec_fail(error, "device \"%s\": no key \"%s\" (it has: %s)", spec->type,
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

/* Digits at the beginning of @text; *end is set behind them. */
static bool parse_digits(const char *text, uint64_t *value, char **end)
{
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
	return errno == 0;
}

bool spec_get_size(const struct device_spec *spec, const char *key, uint64_t fallback,
	uint64_t *value, struct spec_error *error)
{
	static const char units[] = "KMGT";
	const char *text = spec_get(spec, key), *unit;
	unsigned shift = 0;
	char *end;

	*value = fallback;
	if (!text)
		return true;
	if (!parse_digits(text, value, &end))
		goto bad;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			goto bad;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (*value > UINT64_MAX >> shift)
		goto bad;
	*value <<= shift;
	return true;
bad:
	return spec_fail(error, "device \"%s\": %s=%s is no size (as in 512M: bytes, or K, M, G, T)",
		spec->type, key, text);
}

bool spec_get_number(const struct device_spec *spec, const char *key, uint64_t min, uint64_t max,
	uint64_t fallback, uint64_t *value, struct spec_error *error)
{
	const char *text = spec_get(spec, key);
	char *end;

	*value = fallback;
	if (!text)
		return true;
	if (!parse_digits(text, value, &end) || *end || *value < min || *value > max)
		return spec_fail(error, "device \"%s\": %s=%s is not a number from %llu to %llu",
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
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
				used ? ", " : "", names[i]);
	}
	return spec_fail(error, "%s: %s=%s: it is one of %s", spec->type, key, text, all);
}

/* Exactly @digits hex digits. */
static bool parse_hex(const char **text, unsigned digits, unsigned *value)
{
	*value = 0;
	for (; digits; digits--, ++*text) {
		int c = tolower((unsigned char)**text);

		if (!isxdigit(c))
			return false;
		*value = *value << 4 | (unsigned)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return true;
}

/* "ROOT/" at the beginning, if there is one. */
static bool parse_root(const char **text, char root[DEXT_ROOT_MAX])
{
	const char *slash = strchr(*text, '/');
	size_t length = slash ? (size_t)(slash - *text) : 0;

	root[0] = '\0';
	if (!slash)
		return true;
	if (!length || length >= DEXT_ROOT_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)(*text)[i]) && !strchr("_.-", (*text)[i]))
			return false;
	memcpy(root, *text, length);
	root[length] = '\0';
	*text = slash + 1;
	return true;
}

bool spec_parse_address(const char *text, struct pci_address *address, struct spec_error *error)
{
	unsigned bus, device, function;
	char root[DEXT_ROOT_MAX];
	const char *at = text;

	if (!parse_root(&at, root))
		return spec_fail(error,
			"\"%s\": a PCI root's name is 1 to %d letters, digits, \"_\", \".\" or \"-\"",
			text, DEXT_ROOT_MAX - 1);
	if (!parse_hex(&at, 2, &bus) || *at++ != ':' || !parse_hex(&at, 2, &device) ||
		*at++ != '.' || !parse_hex(&at, 1, &function) || *at || device > 31 ||
		function > 7)
		return spec_fail(error,
			"\"%s\" is no PCI address (BB:DD.F in hex, device 00 to 1f, function 0 to 7)",
			text);
	*address = (struct pci_address){ .bus = (uint8_t)bus, .device = (uint8_t)device,
		.function = (uint8_t)function };
	memcpy(address->root, root, sizeof(root));
	return true;
}

const char *spec_format_address(const struct pci_address *address, char text[SPEC_ADDRESS_SIZE])
{
	snprintf(text, SPEC_ADDRESS_SIZE, "%s%s%02x:%02x.%x", address->root,
		*address->root ? "/" : "", address->bus, address->device, address->function);
	return text;
}
