/* SPDX-License-Identifier: BSD-3-Clause */
/* What there is: the device, its regions, its interrupts. */
#include "vfio-user/session.h"
#include "vfio-user/share.h"

#include <errno.h>
#include <string.h>

static void answer(struct vu_session *session, const void *payload, size_t size)
{
	memcpy(session->reply, payload, size);
	session->reply_size = size;
}

int vu_get_device_info(struct vu_session *session)
{
	struct vfio_user_device_info info = {
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.num_regions = VFIO_PCI_NUM_REGIONS,
		.num_irqs = VFIO_PCI_NUM_IRQS,
	};
	answer(session, &info, sizeof(info));
	return 0;
}

uint64_t vu_region_size(const struct vu_device *device, uint32_t index)
{
	if (index < DEXT_BARS)
		return device->bars[index].size;
	return index == VFIO_PCI_CONFIG_REGION_INDEX ? device->config_size : 0;
}

struct region_reply {
	struct vfio_user_region_info info;
	struct vfio_user_sparse_mmap sparse;
};

/*
 * Say that the region can be mapped, and by which descriptor. A client that has left no
 * room for what it must know of it learns how much room that takes, and asks again.
 */
static void offer(struct vu_session *session, struct region_reply *reply, uint32_t room,
	const struct vu_shared *shared)
{
	struct vfio_user_region_info *info = &reply->info;

	if (shared->area.size != info->size) {
		info->argsz = sizeof(*reply);
		if (room < sizeof(*reply))
			return;
		info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
		info->cap_offset = offsetof(struct region_reply, sparse);
		reply->sparse = (struct vfio_user_sparse_mmap){
			.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP,
			.version = VFIO_REGION_INFO_CAP_SPARSE_MMAP_VERSION,
			.count = 1,
			.offset = shared->area.offset,
			.size = shared->area.size,
		};
	}
	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	info->offset = shared->offset;
	session->reply_fd = shared->fd;
}

int vu_get_region_info(struct vu_session *session)
{
	struct vfio_user_region_info asked;
	struct vu_shared shared;
	struct region_reply reply;
	uint64_t size;

	memcpy(&asked, session->message.payload, sizeof(asked));
	if (asked.index >= VFIO_PCI_NUM_REGIONS)
		return EINVAL;
	size = vu_region_size(session->device, asked.index);
	reply.info = (struct vfio_user_region_info){
		.argsz = sizeof(reply.info),
		.flags = size != 0 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0,
		.index = asked.index,
		.size = size,
	};
	if (asked.index < DEXT_BARS && session->limits.client_fds > 0 &&
		vu_share_bar(session->device, asked.index, &shared))
		offer(session, &reply, asked.argsz, &shared);
	answer(session, &reply,
		(reply.info.flags & VFIO_REGION_INFO_FLAG_CAPS) != 0 ? sizeof(reply) :
								       sizeof(reply.info));
	return 0;
}

/*
 * None, for any region: what is written to a register must reach the device, and an
 * eventfd says that something was written, not what.
 */
int vu_get_region_io_fds(struct vu_session *session)
{
	struct vfio_user_region_io_fds info;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.flags != 0 || info.index >= VFIO_PCI_NUM_REGIONS || info.count != 0)
		return EINVAL;
	info = (struct vfio_user_region_io_fds){ .argsz = sizeof(info), .index = info.index };
	answer(session, &info, sizeof(info));
	return 0;
}

/*
 * There are none: they are all parts of migration, which a device that is passed
 * through cannot have. ENOTTY is how VFIO says so.
 */
int vu_device_feature(struct vu_session *session)
{
	const uint32_t methods = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	struct vfio_user_device_feature feature;

	memcpy(&feature, session->message.payload, sizeof(feature));
	if ((feature.flags & ~(VFIO_DEVICE_FEATURE_MASK | methods | VFIO_DEVICE_FEATURE_PROBE)) !=
			0 ||
		(feature.flags & (methods | VFIO_DEVICE_FEATURE_PROBE)) == 0 ||
		(feature.flags & (methods | VFIO_DEVICE_FEATURE_PROBE)) == methods)
		return EINVAL;
	return ENOTTY;
}

int vu_get_irq_info(struct vu_session *session)
{
	struct vfio_user_irq_info info;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.index >= VFIO_PCI_NUM_IRQS)
		return EINVAL;
	info = (struct vfio_user_irq_info){
		.argsz = sizeof(info),
		.flags = vu_irq_flags(info.index),
		.index = info.index,
		.count = vu_irq_count(session->device->irq, info.index),
	};
	answer(session, &info, sizeof(info));
	return 0;
}
