/* SPDX-License-Identifier: BSD-3-Clause */
#include <apple-dext-client.h>

bool apple_dext_is_gone(kern_return_t status)
{
	/*
	 * Apple's kernel returns the first for a driver that was terminated, the second for one
	 * without a queue, the third when its process ends during a call, and the last when it has
	 * ended, and is not terminated yet.
	 */
	return status == kIOReturnOffline || status == kIOReturnNotReady ||
	       status == MIG_SERVER_DIED || status == MACH_SEND_INVALID_DEST;
}
