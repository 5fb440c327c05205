/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/call.h"
#include "client/host.h"
#include "client/irq-page.h"

kern_return_t apple_dext_setup_interrupts(io_connect_t connection, uint32_t *out_num_vectors)
{
	uint64_t vectors;
	kern_return_t status = dext_call(connection, SetupInterrupts, NULL, &vectors);

	if (status == kIOReturnSuccess && out_num_vectors)
		*out_num_vectors = (uint32_t)vectors;
	return status;
}

kern_return_t apple_dext_set_irq_mask(io_connect_t connection, const uint64_t mask[4])
{
	if (!mask)
		return kIOReturnBadArgument;
	return dext_call(connection, SetIRQMask, mask, NULL);
}

kern_return_t apple_dext_read_pending_irqs(io_connect_t connection, uint64_t pending[4])
{
	if (!pending)
		return kIOReturnBadArgument;
	if (irq_page_take(connection, pending))
		return kIOReturnSuccess;
	return dext_call(connection, CheckInterrupt, NULL, pending);
}

kern_return_t apple_dext_map_irq_state(io_connect_t connection, mach_vm_address_t *out_address)
{
	mach_vm_size_t size;
	kern_return_t status;

	if (connection == IO_OBJECT_NULL || !out_address)
		return kIOReturnBadArgument;
	status = dext_map_memory(
		connection, DEXT_MEMORY_IRQ_STATE, kIOMapDefaultCache, out_address, &size);
	if (status == kIOReturnSuccess && size < DEXT_IRQ_STATE_SIZE) {
		apple_dext_unmap_irq_state(connection, *out_address);
		*out_address = 0;
		status = kIOReturnIPCError;
	}
	return status;
}

kern_return_t apple_dext_unmap_irq_state(io_connect_t connection, mach_vm_address_t address)
{
	if (connection == IO_OBJECT_NULL)
		return kIOReturnBadArgument;
	return IOConnectUnmapMemory64(connection, DEXT_MEMORY_IRQ_STATE, mach_task_self(), address);
}

kern_return_t apple_dext_set_interrupt_eventfds(
	io_connect_t connection, uint32_t first, uint32_t count, const int *eventfds)
{
	kern_return_t status = kIOReturnBadArgument;

	if (connection == IO_OBJECT_NULL)
		return status;
	for (uint32_t done = 0, part; done < count; done += part) {
		uint64_t in[DEXT_IN_SetInterruptEventfds];

		part = !eventfds || count - done < HOST_DESCRIPTORS_MAX ? count - done :
									  HOST_DESCRIPTORS_MAX;
		in[DEXT_EVENTFDS_FIRST] = first + done;
		in[DEXT_EVENTFDS_COUNT] = part;
		status =
			IOUserConnectCallDescriptors(connection, DEXT_SELECTOR_SetInterruptEventfds,
				in, DEXT_IN_SetInterruptEventfds, NULL, 0, NULL, NULL, NULL, NULL,
				eventfds ? eventfds + done : NULL, eventfds ? part : 0);
		if (status == kIOReturnSuccess)
			continue;
		if (eventfds)
			apple_dext_set_interrupt_eventfds(connection, first, count, NULL);
		break;
	}
	return status;
}
