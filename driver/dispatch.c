/* SPDX-License-Identifier: BSD-3-Clause */
/* From a selector to its handler, by the ABI table; counts and preconditions are checked here alone. */
#include "driver/internal.h"

struct row {
	uint32_t selector;
	uint8_t in, out;
	enum dext_need needs;
	dext_handler handle;
};

#define ROW(number, name, in, out, needs) { number, in, out, needs, dext_handle_##name },
static const struct row selectors[] = { DEXT_SELECTORS(ROW) };
static const struct row additions[] = { DEXT_ADDITIONS(ROW) };
#undef ROW

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Both tables are numbered without gaps, from their first row's number on. */
static const struct row *find(uint32_t selector)
{
	uint32_t index = selector - additions[0].selector;

	if (selector < COUNT(selectors))
		return &selectors[selector];
	return selector >= additions[0].selector && index < COUNT(additions) ? &additions[index] :
									      NULL;
}

static kern_return_t check_need(const struct dext_client *client, enum dext_need need)
{
	if (need == DEXT_NEEDS_CLAIM && !client->claimed)
		return kIOReturnNotOpen;
	if (need == DEXT_NEEDS_INTERRUPTS && !client->irq)
		return kIOReturnNotReady;
	return kIOReturnSuccess;
}

kern_return_t dext_dispatch(struct dext_client *client, struct iouser_arguments *arguments)
{
	const struct row *row = find(arguments->selector);
	kern_return_t status;

	if (atomic_load(&client->driver->terminated))
		return kIOReturnOffline;
	if (!row)
		return kIOReturnUnsupported;
	if (arguments->scalar_input_count < row->in || arguments->scalar_output_count < row->out)
		return kIOReturnBadArgument;
	status = check_need(client, row->needs);
	if (status == kIOReturnSuccess)
		status = row->handle(client, arguments->scalar_input, arguments->scalar_output,
			arguments);
	arguments->scalar_output_count = status == kIOReturnSuccess ? row->out : 0;
	arguments->structure_output_size = 0;
	return status;
}
