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

/*
 * None, for any region: what is written to a register must reach the device, and an
 * eventfd says that something was written, not what.
 */
int vu_get_region_io_fds(struct vu_session *session)
{
	struct vu_region_io_fds info;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.flags != 0 || info.index >= VU_REGIONS ||
		info.count != 0)
		return EINVAL;
	info = (struct vu_region_io_fds){.argsz = sizeof(info), .index = info.index};
	answer(session, &info, sizeof(info));
	return 0;
}

/*
 * There are none: they are all parts of migration, which a device that is passed
 * through cannot have. ENOTTY is how VFIO says so.
 */
int vu_device_feature(struct vu_session *session)
{
	const uint32_t methods = VU_FEATURE_GET | VU_FEATURE_SET;
	struct vu_device_feature feature;

	memcpy(&feature, session->message.payload, sizeof(feature));
	if (feature.argsz < sizeof(feature) ||
		(feature.flags & ~(VU_FEATURE_NUMBER | methods | VU_FEATURE_PROBE)) != 0 ||
		(feature.flags & (methods | VU_FEATURE_PROBE)) == 0 ||
		(feature.flags & (methods | VU_FEATURE_PROBE)) == methods)
		return EINVAL;
	return ENOTTY;
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
