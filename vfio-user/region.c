/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and writes of regions: BARs and config space. */
#include "vfio-user/session.h"

#include <errno.h>
#include <string.h>

static int check_access(
	const struct vu_session *session, const struct vfio_user_region_access *access)
{
	uint64_t size = vu_region_size(session->device, access->region);

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
		vu_dma_expect(&session->dma);

	vu_irq_set_intx_off(
		session->device->irq, (session->view.command & PCI_COMMAND_INTX_DISABLE) != 0);
	if (error == 0 && reset)
		error = vu_session_reset(session);
	return error;
}

/*
 * A device that has gone reads as ones and takes no writes, as on a bus: that is what a
 * guest's driver looks for. An error would tell it no more, and there are clients that
 * do not look at errors and wait for the data for ever.
 */
static int as_on_a_bus(int error)
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
	return as_on_a_bus(error);
}

int vu_region_read(struct vu_session *session)
{
	struct vfio_user_region_access access;
	unsigned char *data = session->reply + sizeof(access);
	int error;

	memcpy(&access, session->message.payload, sizeof(access));
	/* More than the client said that it takes in one message. */
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
	return as_on_a_bus(error);
}

int vu_region_write(struct vu_session *session)
{
	struct vfio_user_region_access access;
	int error;

	memcpy(&access, session->message.payload, sizeof(access));
	if (session->message.payload_size - sizeof(access) != access.count)
		return EINVAL;
	error = write_region(session, &access, session->message.payload + sizeof(access));
	memcpy(session->reply, &access, sizeof(access));
	session->reply_size = sizeof(access);
	return error;
}

/* In order, up to the first that fails; the reply says how many were done. */
int vu_region_write_multi(struct vu_session *session)
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
	memcpy(session->reply, &done, sizeof(done));
	session->reply_size = sizeof(done);
	return done > 0 ? 0 : error;
}
