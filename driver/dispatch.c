/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls the handler of a selector, from the ABI table. Only this file checks counts of scalars,
 * and what a client needs for a selector or a memory type.
 */
#include "driver/internal.h"

#include <string.h>

struct row {
	uint32_t selector;
	uint8_t in, out;
	enum dext_need needs;
	dext_handler handle;
};

#define ROW(number, name, in, out, needs) { number, in, out, needs, dext_handle_##name },
static const struct row selectors[] = { DEXT_SELECTORS(ROW) };
static const struct row extensions[] = { DEXT_EXTENSION_SELECTORS(ROW) };
#undef ROW

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The selectors of both tables are consecutive. */
static const struct row *find(uint32_t selector)
{
	uint32_t index = selector - extensions[0].selector;

	if (selector < COUNT(selectors))
		return &selectors[selector];
	return selector >= extensions[0].selector && index < COUNT(extensions) ?
		       &extensions[index] :
		       NULL;
}

static kern_return_t check_need(const struct dext_client *client, enum dext_need need)
{
	if (need == DEXT_NEEDS_CLAIM && !client->claimed)
		return kIOReturnNotOpen;
	if (need == DEXT_NEEDS_INTERRUPTS && !client->irq)
		return kIOReturnNotReady;
	if (need == DEXT_NEEDS_CLAIM_OR_OWNER && !client->claimed &&
		!iouser_peer_is_privileged(client->peer))
		return kIOReturnNotPrivileged;
	return kIOReturnSuccess;
}

kern_return_t dext_check_memory(const struct dext_client *client, uint32_t type)
{
	static const struct {
		uint32_t first, last;
		enum dext_need needs;
	} rows[] = {
#define MEMORY_ROW(first, last, needs) { first, last, needs },
		DEXT_MEMORY_NEEDS(MEMORY_ROW)
#undef MEMORY_ROW
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (type >= rows[i].first && type <= rows[i].last)
			return check_need(client, rows[i].needs);
	return kIOReturnUnsupported;
}

/* After a removal config space reads as all ones, as on a bus; all other calls fail. */
static kern_return_t execute_without_device(
	struct dext_client *client, const struct row *row, struct iouser_arguments *arguments)
{
	uint64_t width = row->in > 1 ? arguments->scalar_input[1] : 0;

	if (atomic_load(&client->driver->state) != DRIVER_REMOVED)
		return kIOReturnOffline;
	if (row->selector == DEXT_SELECTOR_ConfigReadBlock) {
		if (width > arguments->structure_output_room)
			return kIOReturnBadArgument;
		if (width)
			memset(arguments->structure_output, 0xff, width);
		arguments->structure_output_size = width;
		return kIOReturnSuccess;
	}
	if (row->selector != DEXT_SELECTOR_ConfigRead)
		return kIOReturnOffline;
	arguments->scalar_output[0] = width < 4 ? (UINT64_C(1) << 8 * width) - 1 : UINT32_MAX;
	return kIOReturnSuccess;
}

static kern_return_t execute(
	struct dext_client *client, const struct row *row, struct iouser_arguments *arguments)
{
	kern_return_t status;

	if (arguments->scalar_input_count < row->in || arguments->scalar_output_room < row->out)
		return kIOReturnBadArgument;
	if (atomic_load(&client->driver->state) != DRIVER_RUNNING)
		return execute_without_device(client, row, arguments);
	status = check_need(client, row->needs);
	if (status != kIOReturnSuccess)
		return status;
	if (atomic_load_explicit(&client->driver->restore_pending, memory_order_relaxed))
		dext_restore_pending(client->driver);
	return row->handle(client, arguments->scalar_input, arguments->scalar_output, arguments);
}

kern_return_t dext_dispatch(struct dext_client *client, struct iouser_arguments *arguments)
{
	const struct row *row = find(arguments->selector);
	uint64_t began = dext_trace_begin(&client->driver->trace);
	kern_return_t status = row ? execute(client, row, arguments) : kIOReturnUnsupported;

	atomic_fetch_add_explicit(&client->calls, 1, memory_order_relaxed);
	/* Handlers set structure_output_size themselves. */
	if (row && status == kIOReturnSuccess)
		arguments->scalar_output_count = row->out;
	if (began)
		dext_trace_end(client, arguments, status, began);
	return status;
}
