/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS: three types of data (none, a byte for each
 * interrupt, an eventfd for each) by three actions (mask, unmask, trigger).
 */
#include "vfio-user/commands.h"
#include "vfio-user/log.h"
#include "vfio-user/platform.h"

#include <errno.h>
#include <string.h>

int vu_command_irq_info(struct vu_session *session)
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
	vu_command_reply(session, &info, sizeof(info));
	return 0;
}

/* What is done to one interrupt, for data of the kinds none and bool. */
typedef void (*irq_action)(struct vu_irq *irq, uint32_t index, uint32_t vector);

static bool one_bit(uint32_t flags)
{
	return flags != 0 && (flags & (flags - 1)) == 0;
}

/* Disabling a whole index: the one form with a count of 0. */
static int check_disable(const struct vfio_user_irq_set *set)
{
	return set->start == 0 && set->flags ==
					  (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER) ?
		       0 :
		       EINVAL;
}

static int check_set(const struct vu_session *session, const struct vfio_user_irq_set *set)
{
	uint32_t count = vu_irq_count(session->device->irq, set->index);

	if (set->index >= VFIO_PCI_NUM_IRQS ||
		(set->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK)) !=
			0 ||
		!one_bit(set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) ||
		!one_bit(set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return EINVAL;
	if (set->count == 0)
		return check_disable(set);
	return set->start < count && set->count <= count - set->start ? 0 : EINVAL;
}

/* The VMM signals by the eventfds of the controls, and this server by all others. */
static int check_events(struct vu_session *session, const struct vfio_user_irq_set *set)
{
	const struct vu_message *message = &session->message;
	enum vu_event_use use =
		(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER) != 0 ? VU_EVENT_SIGNAL : VU_EVENT_TAKE;

	for (size_t i = 0; i < message->fd_count; i++) {
		const char *problem = vu_platform_event_problem(message->fds[i], use);

		if (!problem)
			continue;
		if (!session->event_refused)
			vu_log("device %s: interrupts refused: descriptor %zu of %zu is %s",
				session->device->name, i + 1, message->fd_count, problem);
		session->event_refused = true;
		return EINVAL;
	}
	return 0;
}

static int check_data(struct vu_session *session, const struct vfio_user_irq_set *set)
{
	const struct vu_message *message = &session->message;
	size_t bytes = message->payload_size - sizeof(*set);

	if ((set->flags & VFIO_IRQ_SET_DATA_EVENTFD) == 0 && message->fd_count != 0)
		return EINVAL;
	if ((set->flags & VFIO_IRQ_SET_DATA_BOOL) != 0 && bytes != set->count)
		return EINVAL;
	/* All of them, or none: that disconnects what was connected. */
	if (message->fd_count != 0 && message->fd_count != set->count)
		return EINVAL;
	return check_events(session, set);
}

static void connect_triggers(struct vu_session *session, const struct vfio_user_irq_set *set)
{
	struct vu_message *message = &session->message;
	int fds[VU_FDS_MAX];

	for (uint32_t i = 0; i < message->fd_count; i++)
		fds[i] = vu_message_take_fd(message, i);
	vu_irq_assign(session->device->irq, set->index, set->start, set->count,
		message->fd_count != 0 ? fds : NULL);
}

/* Only the line that masks itself needs unmasking without a message. */
static int connect_control(struct vu_session *session, const struct vfio_user_irq_set *set)
{
	struct vu_message *message = &session->message;

	if (set->index != VFIO_PCI_INTX_IRQ_INDEX)
		return ENOTSUP;
	vu_irq_set_control(session->device->irq,
		(set->flags & VFIO_IRQ_SET_ACTION_MASK) != 0 ? VU_INTX_MASK : VU_INTX_UNMASK,
		message->fd_count > 0 ? vu_message_take_fd(message, 0) : -1);
	return 0;
}

static int connect_eventfds(struct vu_session *session, const struct vfio_user_irq_set *set)
{
	if ((set->flags & VFIO_IRQ_SET_ACTION_TRIGGER) == 0)
		return connect_control(session, set);
	connect_triggers(session, set);
	return 0;
}

static irq_action action_of(uint32_t flags)
{
	if ((flags & VFIO_IRQ_SET_ACTION_MASK) != 0)
		return vu_irq_mask;
	return (flags & VFIO_IRQ_SET_ACTION_UNMASK) != 0 ? vu_irq_unmask : vu_irq_trigger;
}

static void act(struct vu_session *session, const struct vfio_user_irq_set *set)
{
	const unsigned char *wanted = session->message.payload + sizeof(*set);
	irq_action action = action_of(set->flags);

	for (uint32_t i = 0; i < set->count; i++)
		if ((set->flags & VFIO_IRQ_SET_DATA_NONE) != 0 || wanted[i] != 0)
			action(session->device->irq, set->index, set->start + i);
}

int vu_command_set_irqs(struct vu_session *session)
{
	struct vfio_user_irq_set set;
	int error;

	memcpy(&set, session->message.payload, sizeof(set));
	error = check_set(session, &set);
	if (error == 0)
		error = check_data(session, &set);
	if (error != 0)
		return error;
	if (set.count == 0) {
		vu_irq_disable(session->device->irq, set.index);
		/* The controls belong to the line's eventfd. */
		for (int i = 0; set.index == VFIO_PCI_INTX_IRQ_INDEX && i < VU_INTX_CONTROLS; i++)
			vu_irq_set_control(session->device->irq, (enum vu_irq_control)i, -1);
	} else if ((set.flags & VFIO_IRQ_SET_DATA_EVENTFD) != 0) {
		error = connect_eventfds(session, &set);
	} else {
		act(session, &set);
	}
	return error;
}
