/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/commands.h"

static int device_reset(struct vu_session *session)
{
	return vu_session_reset(session);
}

#define ROW(command, function, least, fds)                                                         \
	[VFIO_USER_##command] = {                                                                  \
		.name = #command, .handler = (function), .payload_min = (least), .fds_max = (fds)  \
	}
/* Likewise; what they do is done by the device itself, not by what is known of it here. */
#define DEVICE_ROW(command, function, least, fds)                                                  \
	[VFIO_USER_##command] = { .name = #command,                                                \
		.handler = (function),                                                             \
		.payload_min = (least),                                                            \
		.fds_max = (fds),                                                                  \
		.needs_device = true }
/* Likewise; the payload begins with argsz. */
#define SIZED_ROW(command, function, type, fds)                                                    \
	[VFIO_USER_##command] = { .name = #command,                                                \
		.handler = (function),                                                             \
		.payload_min = sizeof(type),                                                       \
		.fds_max = (fds),                                                                  \
		.has_argsz = true }
/* Commands of migration, and those of the other direction. */
#define REFUSED(command) [VFIO_USER_##command] = { .name = #command }

static const struct vu_command_row rows[] = {
	DEVICE_ROW(VERSION, vu_version, sizeof(struct vfio_user_version), 0),
	SIZED_ROW(DMA_MAP, vu_dma_map_command, struct vfio_user_dma_map, 1),
	/* Some clients send the memory's descriptor here too. It is closed. */
	SIZED_ROW(DMA_UNMAP, vu_dma_unmap_command, struct vfio_user_dma_unmap, 1),
	SIZED_ROW(DEVICE_GET_INFO, vu_get_device_info, struct vfio_user_device_info, 0),
	SIZED_ROW(DEVICE_GET_REGION_INFO, vu_get_region_info, struct vfio_user_region_info, 0),
	SIZED_ROW(
		DEVICE_GET_REGION_IO_FDS, vu_get_region_io_fds, struct vfio_user_region_io_fds, 0),
	SIZED_ROW(DEVICE_FEATURE, vu_device_feature, struct vfio_user_device_feature, 0),
	SIZED_ROW(DEVICE_GET_IRQ_INFO, vu_get_irq_info, struct vfio_user_irq_info, 0),
	SIZED_ROW(DEVICE_SET_IRQS, vu_set_irqs, struct vfio_user_irq_set, VU_FDS_MAX),
	ROW(REGION_READ, vu_region_read, sizeof(struct vfio_user_region_access), 0),
	ROW(REGION_WRITE, vu_region_write, sizeof(struct vfio_user_region_access), 0),
	ROW(REGION_WRITE_MULTI, vu_region_write_multi, sizeof(uint64_t), 0),
	DEVICE_ROW(DEVICE_RESET, device_reset, 0, 0),
	REFUSED(DMA_READ),
	REFUSED(DMA_WRITE),
	REFUSED(DIRTY_PAGES),
	REFUSED(MIG_DATA_READ),
	REFUSED(MIG_DATA_WRITE),
};

const struct vu_command_row *vu_command_find(uint16_t command)
{
	if (command >= sizeof(rows) / sizeof(rows[0]) || !rows[command].name)
		return NULL;
	return &rows[command];
}
