/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio-user/commands.h"
#include "vfio-user/log.h"

#include <errno.h>
#include <string.h>

void vu_command_reply(struct vu_session *session, const void *payload, size_t size)
{
	memcpy(session->reply, payload, size);
	session->reply_size = size;
}

static int dma_map(struct vu_session *session)
{
	struct vu_message *message = &session->message;
	struct vfio_user_dma_map request;
	int error;

	memcpy(&request, message->payload, sizeof(request));
	error = vu_dma_map(&session->dma, &request, message->fd_count > 0 ? message->fds[0] : -1);
	if (error == 0 && message->fd_count > 0)
		vu_message_take_fd(message, 0);
	return error;
}

static int dma_unmap(struct vu_session *session)
{
	struct vfio_user_dma_unmap request;
	int error;

	memcpy(&request, session->message.payload, sizeof(request));
	error = vu_dma_unmap(&session->dma, &request);
	vu_command_reply(session, &request, sizeof(request));
	return error;
}

static int device_get_info(struct vu_session *session)
{
	struct vfio_user_device_info info = {
		.argsz = sizeof(info),
		.flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI,
		.num_regions = VFIO_PCI_NUM_REGIONS,
		.num_irqs = VFIO_PCI_NUM_IRQS,
	};

	vu_command_reply(session, &info, sizeof(info));
	return 0;
}

/*
 * No feature is implemented: all of them are for migration, which a passed-through device does
 * not support. As in VFIO, an unknown feature is ENOTTY.
 */
static int device_feature(struct vu_session *session)
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

static int device_reset(struct vu_session *session)
{
	return vu_session_reset_device(session);
}

#define ROW(command, function, least, fds)                                                         \
	[VFIO_USER_##command] = {                                                                  \
		.name = #command, .handler = (function), .payload_min = (least), .fds_max = (fds)  \
	}
/* Likewise; needs the device. */
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
/* Commands for migration, and commands that only a server sends. */
#define REFUSED(command) [VFIO_USER_##command] = { .name = #command }

static const struct vu_command commands[] = {
	DEVICE_ROW(VERSION, vu_command_version, sizeof(struct vfio_user_version), 0),
	SIZED_ROW(DMA_MAP, dma_map, struct vfio_user_dma_map, 1),
	/* Some clients also send the memory's descriptor here. It is closed. */
	SIZED_ROW(DMA_UNMAP, dma_unmap, struct vfio_user_dma_unmap, 1),
	SIZED_ROW(DEVICE_GET_INFO, device_get_info, struct vfio_user_device_info, 0),
	SIZED_ROW(DEVICE_GET_REGION_INFO, vu_command_region_info, struct vfio_user_region_info, 0),
	SIZED_ROW(DEVICE_GET_REGION_IO_FDS, vu_command_region_io_fds,
		struct vfio_user_region_io_fds, 0),
	SIZED_ROW(DEVICE_FEATURE, device_feature, struct vfio_user_device_feature, 0),
	SIZED_ROW(DEVICE_GET_IRQ_INFO, vu_command_irq_info, struct vfio_user_irq_info, 0),
	SIZED_ROW(DEVICE_SET_IRQS, vu_command_set_irqs, struct vfio_user_irq_set, VU_FDS_MAX),
	ROW(REGION_READ, vu_command_region_read, sizeof(struct vfio_user_region_access), 0),
	ROW(REGION_WRITE, vu_command_region_write, sizeof(struct vfio_user_region_access), 0),
	ROW(REGION_WRITE_MULTI, vu_command_region_write_multi, sizeof(uint64_t), 0),
	DEVICE_ROW(DEVICE_RESET, device_reset, 0, 0),
	REFUSED(DMA_READ),
	REFUSED(DMA_WRITE),
	REFUSED(DIRTY_PAGES),
	REFUSED(MIG_DATA_READ),
	REFUSED(MIG_DATA_WRITE),
};

const struct vu_command *vu_command_find(uint16_t number)
{
	if (number >= sizeof(commands) / sizeof(commands[0]) || !commands[number].name)
		return NULL;
	return &commands[number];
}

/* argsz is the size of the payload or, in some commands, a larger limit for the reply. */
static bool argsz_covers_payload(const struct vu_message *message)
{
	uint32_t argsz;

	memcpy(&argsz, message->payload, sizeof(argsz));
	return argsz >= message->payload_size;
}

/* The checks that all commands have in common. Return: an errno or 0. */
static int check_message(const struct vu_session *session, const struct vu_command *command)
{
	const struct vu_message *message = &session->message;

	if ((message->header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND || !command)
		return EINVAL;
	/* VERSION is the first message, and sent once. */
	if (session->negotiated == (message->header.command == VFIO_USER_VERSION))
		return EINVAL;
	if (!command->handler)
		return ENOTSUP;
	if (message->payload_size < command->payload_min || message->fds_lost ||
		message->fd_count > command->fds_max ||
		(command->has_argsz && !argsz_covers_payload(message)))
		return EINVAL;
	return command->needs_device && !vu_device_is_present(session->device) ? ENODEV : 0;
}

static void log_command(
	const struct vu_session *session, const struct vu_command *command, int error)
{
	const struct vu_message *message = &session->message;

	if (session->device->options.verbose)
		vu_log("device %s: %s: %zu bytes, %zu descriptors -> %zu bytes, %s",
			session->device->name, command ? command->name : "unknown command",
			message->payload_size, message->fd_count,
			error == 0 ? session->reply_size : 0, vu_errno_name(error));
}

int vu_command_execute(struct vu_session *session)
{
	const struct vu_command *command = vu_command_find(session->message.header.command);
	int error = check_message(session, command);

	session->reply_size = 0;
	session->reply_fd = -1;
	if (error == 0)
		error = command->handler(session);
	log_command(session, command, error);
	return error;
}
