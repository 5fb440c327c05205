/* SPDX-License-Identifier: BSD-3-Clause */
/* The device type "odd": keys of its specification, creation, resets, destruction. */
#include "provider/soft/odd/odd.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_VECTORS 256
#define RESET_MS_MAX	60000

static const struct spec_key keys[] = {
	{ "irq", "KIND", "its interrupts: msix, msi, intx or none (msix)" },
	{ "vectors", "N", "msix: 1 to 2048 (256); msi: a power of two up to 32 (32)" },
	{ "caps", "KIND", "where its capability list ends: sane, loop, self, header, end (sane)" },
	{ "flr", "WAY", "function level reset: on, off, fail or hang (off)" },
	{ "hot-reset", "WAY", "reset by the bus: on, off, fail or hang (on)" },
	{ "power-reset", "WAY", "D3hot to D0: on, off, fail or hang (on)" },
	{ "reset-time", "MS|never", "how long it does not answer after a reset, up to 60000 (0)" },
	{ NULL, NULL, NULL },
};

static const char *const caps_names[ODD_CAPS_KINDS + 1] = { "sane", "loop", "self", "header",
	"end" };
static const char *const reset_names[ODD_RESET_WAYS + 1] = { "on", "off", "fail", "hang" };

static bool parse_resets(
	struct odd_options *options, const struct device_spec *spec, struct spec_error *error)
{
	static const char *const names[PCI_RESET_KINDS] = { "flr", "hot-reset", "power-reset" };
	const char *time = spec_get(spec, "reset-time");
	uint64_t ms = 0;

	for (unsigned kind = 0; kind < PCI_RESET_KINDS; kind++) {
		unsigned fallback = kind == PCI_RESET_FUNCTION ? ODD_RESET_OFF : ODD_RESET_ON;
		unsigned way;

		if (!spec_get_word(spec, names[kind], reset_names, fallback, &way, error))
			return false;
		options->resets[kind] = (enum odd_reset)way;
	}
	if (time && strcmp(time, "never") == 0)
		ms = SOFT_NEVER;
	else if (!spec_get_number(spec, "reset-time", 0, RESET_MS_MAX, 0, &ms, error))
		return false;
	options->reset_ms = (unsigned)ms;
	return true;
}

static bool parse(
	struct odd_options *options, const struct device_spec *spec, struct spec_error *error)
{
	unsigned caps;

	if (!soft_parse_interrupts(
		    spec, true, ODD_VECTORS_MAX, DEFAULT_VECTORS, &options->interrupts, error) ||
		!spec_get_word(spec, "caps", caps_names, ODD_CAPS_SANE, &caps, error))
		return false;
	options->caps = (enum odd_caps)caps;
	return parse_resets(options, spec, error);
}

static bool create(
	struct soft_device *device, const struct device_spec *spec, struct spec_error *error)
{
	struct odd *odd = calloc(1, sizeof(*odd));

	if (!odd)
		return spec_fail(error, "odd: out of memory");
	odd->device = device;
	if (!parse(&odd->options, spec, error) || !odd_init_config(odd, error))
		goto fail;
	odd_power_on(odd);
	if (!odd_engine_start(odd, error))
		goto fail;
	soft_set_private(device, odd);
	return true;
fail:
	free(odd);
	return false;
}

static void destroy(struct soft_device *device)
{
	struct odd *odd = soft_private(device);

	odd_engine_stop(odd);
	soft_set_private(device, NULL);
	free(odd);
}

static kern_return_t try_reset(struct soft_device *device, enum pci_reset kind, unsigned *ready_ms)
{
	struct odd *odd = soft_private(device);
	enum odd_reset way = odd->options.resets[kind];
	uint32_t *log;

	if (way == ODD_RESET_OFF)
		return kIOReturnUnsupported;
	pthread_mutex_lock(&odd->lock);
	log = odd_register(odd, ODD_RESET_LOG);
	*log = *log << 4 | (kind + 1u);
	pthread_mutex_unlock(&odd->lock);
	if (way == ODD_RESET_FAIL)
		return kIOReturnDeviceError;
	*ready_ms = way == ODD_RESET_HANG ? SOFT_NEVER : odd->options.reset_ms;
	return kIOReturnSuccess;
}

static bool reset(struct soft_device *device, const struct timespec *until)
{
	struct odd *odd = soft_private(device);
	bool idle;

	pthread_mutex_lock(&odd->lock);
	idle = odd_engine_cancel(odd, until);
	if (idle) {
		odd_power_on(odd);
		++*odd_register(odd, ODD_RESETS);
	}
	pthread_mutex_unlock(&odd->lock);
	return idle;
}

static bool replace(struct soft_device *device)
{
	const struct odd *stuck = soft_private(device);
	struct odd *odd = calloc(1, sizeof(*odd));
	struct spec_error error;

	if (!odd)
		return false;
	odd->device = device;
	odd->options = stuck->options;
	odd->buffer = stuck->buffer;
	odd->memory = stuck->memory;
	*odd_register(odd, ODD_RESET_LOG) = stuck->registers[ODD_RESET_LOG / 4];
	*odd_register(odd, ODD_RESETS) = stuck->registers[ODD_RESETS / 4] + 1;
	odd_power_on(odd); /* before a thread exists that reads it */
	if (!odd_engine_start(odd, &error)) {
		free(odd);
		return false;
	}
	soft_set_memory_lock(device, &odd->lock);
	soft_set_private(device, odd);
	return true;
}

static bool line(struct soft_device *device)
{
	struct odd *odd = soft_private(device);
	bool asserted;

	pthread_mutex_lock(&odd->lock);
	asserted = *odd_register(odd, ODD_LINE);
	pthread_mutex_unlock(&odd->lock);
	return asserted;
}

const struct soft_model soft_odd_model = {
	.name = "odd",
	.summary = "a device for tests: every kind of BAR, broken lists, resets that fail",
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.bar_read = odd_bar_read,
	.bar_write = odd_bar_write,
	.try_reset = try_reset,
	.reset = reset,
	.replace = replace,
	.line = line,
};
