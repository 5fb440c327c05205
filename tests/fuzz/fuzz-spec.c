/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device specifications. The text is parsed; each of its values is parsed by each of the parsers
 * for values; if it names no file and little memory, the device is created and destroyed.
 */
#include "driver/provider.h"
#include "provider/soft/device.h"
#include "provider/spec.h"
#include "tests/fuzz/fuzz.h"

#include <poll.h>
#include <string.h>

#define TEXT_MAX   1024
#define SIZE_LIMIT (UINT64_C(64) << 20)

int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
	return __real_poll(fds, count, timeout_ms);
}

static void require_one_line(const struct spec_error *error)
{
	const char *end = memchr(error->text, 0, sizeof(error->text));

	fuzz_require(end && end != error->text, "an empty error message");
}

static void read_values(const struct device_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		const char *key = spec->entries[i].key;
		struct spec_error error = { .text = "" };
		struct pci_address address;
		uint64_t value;

		if (!spec_get_size(spec, key, 1, &value, &error))
			require_one_line(&error);
		if (!spec_get_number(spec, key, 3, 300, 4, &value, &error))
			require_one_line(&error);
		else
			fuzz_require(
				value >= 3 && value <= 300, "a number out of range was accepted");
		if (!pci_address_parse(spec->entries[i].value, &address, NULL))
			fuzz_require(address.device < 32 && address.function < 8,
				"an invalid address was accepted");
	}
}

/* Do not open, create or fill files of the host. */
static bool is_harmless(const struct device_spec *spec)
{
	uint64_t size;
	struct spec_error error;

	return !spec_get(spec, "image") && !spec_get(spec, "file") &&
	       spec_get_size(spec, "size", 0, &size, &error) && size <= SIZE_LIMIT;
}

static void create(const char *text)
{
	struct spec_error error = { .text = "" };
	struct pci_provider *provider = provider_create(text, &error);

	if (!provider) {
		require_one_line(&error);
		return;
	}
	fuzz_require(provider->address.device < 32 && provider->address.function < 8,
		"an invalid address was accepted");
	provider->ops->destroy(provider);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec_error error = { .text = "" };
	struct device_spec spec;
	char text[TEXT_MAX + 1];
	bool harmless;

	if (size > TEXT_MAX)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	fuzz_note_fds();
	if (!spec_parse(text, &spec, &error)) {
		require_one_line(&error);
		return 0;
	}
	read_values(&spec);
	if (!spec_check(&spec, soft_keys, &error))
		require_one_line(&error);
	harmless = is_harmless(&spec);
	spec_free(&spec);
	if (harmless)
		create(text);
	fuzz_require_fds_as_noted();
	return 0;
}
