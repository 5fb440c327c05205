/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong, in words; and the checks of arguments that say so themselves. */
#include "common/number.h"
#include "tools/dextctl/dextctl.h"

/* The name is not expanded: it is what stands in the source. */
#define ROW(result, text)                                                                          \
	{                                                                                          \
		(result), #result, (text)                                                          \
	}

static const struct {
	kern_return_t result;
	const char *name, *text;
} explanations[] = {
	ROW(kIOReturnSuccess, "success"),
	ROW(kIOReturnError, "general error"),
	ROW(kIOReturnNoMemory, "no memory"),
	ROW(kIOReturnNoResources, "no resources"),
	ROW(kIOReturnIPCError, "the driver service cannot be talked to"),
	ROW(kIOReturnNoDevice, "no such device"),
	ROW(kIOReturnNotPrivileged,
		"only for clients that have claimed the device, the service's own user, and root"),
	ROW(kIOReturnBadArgument, "refused as a bad argument"),
	ROW(kIOReturnExclusiveAccess, "another client has claimed the device for itself alone"),
	ROW(kIOReturnUnsupported, "the driver or the device does not support it"),
	ROW(kIOReturnVMError, "no such memory"),
	ROW(kIOReturnInternalError, "internal error of the driver"),
	ROW(kIOReturnIOError, "I/O error"),
	ROW(kIOReturnNotOpen, "the device is not claimed"),
	ROW(kIOReturnNotAligned, "not aligned"),
	ROW(kIOReturnStillOpen, "set up already"),
	ROW(kIOReturnDMAError, "DMA error"),
	ROW(kIOReturnBusy, "busy"),
	ROW(kIOReturnTimeout, "no answer in time"),
	ROW(kIOReturnOffline, "the device has gone"),
	ROW(kIOReturnNotReady, "not ready"),
	ROW(kIOReturnNotAttached, "the driver service has gone"),
	ROW(kIOReturnNoSpace, "no space left"),
	ROW(kIOReturnNotPermitted, "not permitted"),
	ROW(kIOReturnOverrun, "past the end"),
	ROW(kIOReturnDeviceError, "the device reports an error"),
	ROW(kIOReturnAborted, "aborted"),
	ROW(kIOReturnNotResponding, "the device does not respond"),
	ROW(kIOReturnNotFound, "not found"),
};

const char *ctl_explain(kern_return_t result)
{
	for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (explanations[i].result == result)
			return explanations[i].text;
	return "unknown error";
}

const char *ctl_result_name(kern_return_t result)
{
	for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (explanations[i].result == result)
			return explanations[i].name;
	return NULL;
}

bool ctl_number(const char *what, const char *text, uint64_t max, uint64_t *value)
{
	const char *problem = number_parse(text, max, value);

	if (problem && max < UINT64_MAX)
		cli_error("%s %s: %s, at most %llu", what, text, problem, (unsigned long long)max);
	else if (problem)
		cli_error("%s %s: %s", what, text, problem);
	return !problem;
}

bool ctl_hex(const char *what, const char *text, uint64_t *value)
{
	const char *problem = number_parse_hex(text, UINT64_MAX, value);

	if (problem)
		cli_error("%s %s: %s", what, text, problem);
	return !problem;
}

bool ctl_check_width(uint64_t width, uint64_t max)
{
	if (width && width <= max && !(width & (width - 1)))
		return true;
	cli_error("width %llu: expected 1, 2%s 4%s bytes", (unsigned long long)width,
		max > 4 ? "," : " or", max > 4 ? " or 8" : "");
	return false;
}

bool ctl_check_access(const char *what, uint64_t offset, uint64_t width, uint64_t size)
{
	if (offset % width) {
		cli_error("%s, offset 0x%llx: expected a multiple of the width, %llu", what,
			(unsigned long long)offset, (unsigned long long)width);
		return false;
	}
	if (offset >= size || width > size - offset) {
		cli_error("%s, offset 0x%llx: past the end (its size is 0x%llx)", what,
			(unsigned long long)offset, (unsigned long long)size);
		return false;
	}
	return true;
}

bool ctl_check_value(uint64_t value, uint64_t width)
{
	if (width >= 8 || !(value >> (width * 8)))
		return true;
	cli_error("value 0x%llx: does not fit in %llu byte%s", (unsigned long long)value,
		(unsigned long long)width, width == 1 ? "" : "s");
	return false;
}
