/* SPDX-License-Identifier: BSD-3-Clause */
/* DEVICE_GET_REGION_INFO, DEVICE_GET_REGION_IO_FDS, REGION_READ, REGION_WRITE, REGION_WRITE_MULTI. */
#include "vfio-user/commands.h"

#include <errno.h>
#include <string.h>

/* Return: the size in bytes; 0 for a region that does not exist. */
static uint64_t region_size(const struct vu_device *device, uint32_t index)
{
	if (index < DEXT_BARS)
		return device->bars[index].size;
	return index == VFIO_PCI_CONFIG_REGION_INDEX ? device->pci.config_size : 0;
}

struct region_reply {
	struct vfio_user_region_info info;
	struct vfio_user_sparse_mmap sparse;
};

/*
 * Make the region mappable. When only a part is, a client whose argsz has no room for the sparse
 * mmap capability gets the argsz that is needed, and no descriptor.
 */
static void add_mmap_info(struct vu_session *session, struct region_reply *reply, uint32_t argsz,
	const struct vu_shared_bar *shared)
{
	struct vfio_user_region_info *info = &reply->info;

	if (shared->area.size != info->size) {
		info->argsz = sizeof(*reply);
		if (argsz < sizeof(*reply))
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

int vu_command_region_info(struct vu_session *session)
{
	struct vfio_user_region_info request;
	struct vu_shared_bar shared;
	struct region_reply reply;
	uint64_t size;

	memcpy(&request, session->message.payload, sizeof(request));
	if (request.index >= VFIO_PCI_NUM_REGIONS)
		return EINVAL;
	size = region_size(session->device, request.index);
	reply.info = (struct vfio_user_region_info){
		.argsz = sizeof(reply.info),
		.flags = size != 0 ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0,
		.index = request.index,
		.size = size,
	};
	if (request.index < DEXT_BARS && session->limits.client_fds > 0 &&
		vu_bar_share(session->device, request.index, &shared))
		add_mmap_info(session, &reply, request.argsz, &shared);
	vu_command_reply(session, &reply,
		(reply.info.flags & VFIO_REGION_INFO_FLAG_CAPS) != 0 ? sizeof(reply) :
								       sizeof(reply.info));
	return 0;
}

/*
 * No region has any: a value written to a register must reach the device, and an ioeventfd does
 * not transfer the value.
 */
int vu_command_region_io_fds(struct vu_session *session)
{
	struct vfio_user_region_io_fds info;

	memcpy(&info, session->message.payload, sizeof(info));
	if (info.flags != 0 || info.index >= VFIO_PCI_NUM_REGIONS || info.count != 0)
		return EINVAL;
	info = (struct vfio_user_region_io_fds){ .argsz = sizeof(info), .index = info.index };
	vu_command_reply(session, &info, sizeof(info));
	return 0;
}

static int check_access(
	const struct vu_session *session, const struct vfio_user_region_access *access)
{
	uint64_t size = region_size(session->device, access->region);

	if (access->region >= VFIO_PCI_NUM_REGIONS || access->count > VU_DATA_MAX)
		return EINVAL;
	if (access->offset > size || access->count > size - access->offset)
		return EINVAL;
	return 0;
}

static int write_config(struct vu_session *session, const struct vfio_user_region_access *access,
	const uint8_t *data)
{
	uint16_t before = session->view.command;
	bool reset;
	int error = vu_config_write(&session->view, access->offset, data, access->count, &reset);

	if ((session->view.command & ~before & PCI_COMMAND_MASTER) != 0)
		vu_dma_warn_if_unshared(&session->dma);
	vu_irq_set_intx_disable(
		session->device->irq, (session->view.command & PCI_COMMAND_INTX_DISABLE) != 0);
	if (error == 0 && reset)
		error = vu_session_reset_device(session);
	return error;
}

/*
 * A device that is not present reads as ones and ignores writes, as on a PCI bus: drivers check
 * for that. The reply is not an error, since some clients then wait for the data forever.
 */
static int ignore_absence(int error)
{
	return error == ENODEV ? 0 : error;
}

static int write_region(struct vu_session *session, const struct vfio_user_region_access *access,
	const uint8_t *data)
{
	int error = check_access(session, access);

	if (error != 0 || access->count == 0)
		return error;
	if (access->region == VFIO_PCI_CONFIG_REGION_INDEX)
		error = write_config(session, access, data);
	else
		error = vu_bar_write(&session->bars, access->region, access->offset, data,
			access->count, session->view.command);
	return ignore_absence(error);
}

int vu_command_region_read(struct vu_session *session)
{
	struct vfio_user_region_access access;
	unsigned char *data = session->reply + sizeof(access);
	int error;

	memcpy(&access, session->message.payload, sizeof(access));
	/* The reply would exceed the client's max_data_xfer_size. */
	if (access.count > session->limits.client_data)
		return EINVAL;
	error = check_access(session, &access);
	if (error != 0)
		return error;
	if (access.region == VFIO_PCI_CONFIG_REGION_INDEX)
		error = vu_config_read(&session->view, access.offset, data, access.count);
	else if (access.count > 0)
		error = vu_bar_read(&session->bars, access.region, access.offset, data,
			access.count, session->view.command);
	if (error == ENODEV)
		memset(data, 0xff, access.count);
	memcpy(session->reply, &access, sizeof(access));
	session->reply_size = sizeof(access) + access.count;
	return ignore_absence(error);
}

int vu_command_region_write(struct vu_session *session)
{
	struct vfio_user_region_access access;
	int error;

	memcpy(&access, session->message.payload, sizeof(access));
	if (session->message.payload_size - sizeof(access) != access.count)
		return EINVAL;
	error = write_region(session, &access, session->message.payload + sizeof(access));
	vu_command_reply(session, &access, sizeof(access));
	return error;
}

/* Executed in order, up to the first that fails. The reply has the number of writes done. */
int vu_command_region_write_multi(struct vu_session *session)
{
	const unsigned char *at = session->message.payload + sizeof(uint64_t);
	size_t size = session->message.payload_size - sizeof(uint64_t);
	uint64_t count, done = 0;
	int error = 0;

	memcpy(&count, session->message.payload, sizeof(count));
	if (!session->limits.write_multiple)
		return ENOTSUP;
	if (size % sizeof(struct vfio_user_region_write) != 0 ||
		count != size / sizeof(struct vfio_user_region_write))
		return EINVAL;
	for (; done < count && error == 0; at += sizeof(struct vfio_user_region_write)) {
		struct vfio_user_region_write write;
		struct vfio_user_region_access access;

		memcpy(&write, at, sizeof(write));
		access = (struct vfio_user_region_access){
			.offset = write.offset, .region = write.region, .count = write.count
		};
		error = write.count > sizeof(write.data) ?
				EINVAL :
				write_region(session, &access, write.data);
		if (error == 0)
			done++;
	}
	vu_command_reply(session, &done, sizeof(done));
	return done > 0 ? 0 : error;
}
