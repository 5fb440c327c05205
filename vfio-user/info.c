/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is: the device, its regions, its interrupts. */
#include "vfio-user/session.h"

#include <errno.h>
#include <string.h>

static void answer(struct vu_session *session, const void *payload, size_t size)
{
	memcpy(session->reply, payload, size);
	session->reply_size = size;
}

int vu_get_device_info(struct vu_session *session)
{
	struct vu_device_info info;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.argsz < sizeof(info))
		return EINVAL;
	info = (struct vu_device_info){
		.argsz = sizeof(info),
		.flags = VU_DEVICE_RESETS | VU_DEVICE_IS_PCI,
		.num_regions = VU_REGIONS,
		.num_irqs = VU_IRQS,
	};
	answer(session, &info, sizeof(info));
	return 0;
}

uint64_t vu_region_size(const struct vu_device *device, uint32_t index)
{
	if (index < DEXT_BARS)
		return device->bars[index].size;
	return index == VU_REGION_CONFIG ? device->config_size : 0;
}

int vu_get_region_info(struct vu_session *session)
{
	struct vu_region_info info;
	uint64_t size;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VU_REGIONS)
		return EINVAL;
	size = vu_region_size(session->device, info.index);
	info = (struct vu_region_info){
		.argsz = sizeof(info),
		.flags = size != 0 ? VU_REGION_CAN_READ | VU_REGION_CAN_WRITE : 0,
		.index = info.index,
		.size = size,
	};
	answer(session, &info, sizeof(info));
	return 0;
}

int vu_get_irq_info(struct vu_session *session)
{
	struct vu_irq_info info;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VU_IRQS)
		return EINVAL;
	info = (struct vu_irq_info){
		.argsz = sizeof(info),
		.flags = vu_irq_flags(info.index),
		.index = info.index,
		.count = vu_irq_count(session->device->irq, info.index),
	};
	answer(session, &info, sizeof(info));
	return 0;
}
