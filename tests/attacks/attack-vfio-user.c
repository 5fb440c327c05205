/* SPDX-License-Identifier: BSD-3-Clause */
/* A hostile VMM. */
#include "iokit/wire.h"
#include "tests/attacks/attacks.h"
#include "tests/attacks/descriptors.h"
#include "tests/lib/vfio-user-client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Connect when the previous VMM's session has ended. Return: false after a timeout. */
static bool connect_when_free(struct vu_client *vmm, const char *path)
{
	const struct timeval patience = { .tv_sec = ATTACK_TIMEOUT_SECONDS };

	for (int64_t end = iou_now_ms() + patience.tv_sec * 1000; iou_now_ms() < end;
		poll(NULL, 0, 20)) {
		vu_client_connect(vmm, path);
		setsockopt(vmm->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(vmm->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (vu_client_negotiate(vmm) == 0)
			return true;
		vu_client_close(vmm);
	}
	return false;
}

static void expect_service(struct vu_client *vmm, const struct victim *victim, const char *after)
{
	if (!connect_when_free(vmm, victim->vfio_user))
		got_through("%s: the next VMM is not served", after);
}

/* --- Descriptors whose close() blocks ------------------------------------------------- */

static void as_memory(struct vu_client *vmm, int fd)
{
	const struct vfio_user_dma_map map = { .argsz = sizeof(map),
		.flags = VFIO_USER_F_DMA_REGION_READ | VFIO_USER_F_DMA_REGION_WRITE,
		.size = VU_PAGE_SIZE };
	struct {
		struct vfio_user_header header;
		struct vfio_user_dma_map map;
	} message = { { .command = VFIO_USER_DMA_MAP, .size = sizeof(message) }, map };

	vu_client_try_send(vmm, &message, sizeof(message), &fd, 1);
}

static void as_event(struct vu_client *vmm, int fd)
{
	struct {
		struct vfio_user_header header;
		struct vfio_user_irq_set set;
	} message = { { .command = VFIO_USER_DEVICE_SET_IRQS, .size = sizeof(message) },
		{ .argsz = sizeof(message.set),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = 1 } };

	vu_client_try_send(vmm, &message, sizeof(message), &fd, 1);
}

static void with_half_a_message(struct vu_client *vmm, int fd)
{
	vu_client_try_send(vmm, "\1\0\1", 3, &fd, 1);
}

/* Each kind by a VMM that disconnects; then one of them by a VMM that stays. */
static void deliver(const struct victim *victim, void (*hand_over)(struct vu_client *vmm, int fd))
{
	const char *after = "nothing";
	struct vu_client vmm;
	int fd;

	for (size_t i = 0; i < descriptor_kind_count; i++) {
		fd = descriptor_kinds[i].make();
		if (fd < 0)
			continue;
		expect_service(&vmm, victim, after);
		hand_over(&vmm, fd);
		close_sent(fd);
		vu_client_close(&vmm);
		after = descriptor_kinds[i].name;
	}
	expect_service(&vmm, victim, after);
	fd = make_lingering();
	hand_over(&vmm, fd);
	close_sent(fd);
}

static void memory(const struct victim *victim)
{
	deliver(victim, as_memory);
}

static void event(const struct victim *victim)
{
	deliver(victim, as_event);
}

static void half_a_message(const struct victim *victim)
{
	deliver(victim, with_half_a_message);
}

/* A second client of the honest VMM's server: the connection is closed before it is read. */
static void refused(const struct victim *victim)
{
	for (size_t i = 0; i < descriptor_kind_count; i++) {
		int fd = descriptor_kinds[i].make();
		struct vu_client second;

		vu_client_connect(&second, victim->honest_vfio_user);
		if (fd >= 0)
			with_half_a_message(&second, fd);
		close_sent(fd);
		vu_client_close(&second);
	}
}

/* --- An eventfd that is filled between check and write ------------------------------------ */

#define FILLINGS 2000

struct filling {
	int fd;
	atomic_uint calls; /* commands of the VMM that have been answered */
};

/* Clear it, fill it after a short time, and leave it full until commands are answered again. */
static void *fill_repeatedly(void *context)
{
	struct filling *filling = context;
	uint64_t count, all = UINT64_MAX - 1;

	for (unsigned i = 0;; i++) {
		unsigned calls = atomic_load(&filling->calls);
		struct pollfd polled = { .fd = filling->fd, .events = POLLIN };

		if (poll(&polled, 1, 0) == 1)
			(void)!read(filling->fd, &count, sizeof(count));
		for (volatile unsigned spin = 0; spin < i * 37 % 20000; spin++)
			;
		/* It may be non-zero already: then this write would block. */
		fcntl(filling->fd, F_SETFL, O_NONBLOCK);
		for (count = all; count > 0 && write(filling->fd, &count, sizeof(count)) < 0;)
			count -= count > 8 ? 1 : count;
		fcntl(filling->fd, F_SETFL, 0);
		while (atomic_load(&filling->calls) - calls < 3)
			poll(NULL, 0, 0);
	}
	return NULL;
}

static void eventfd_fills(const struct victim *victim)
{
	static struct filling filling; /* static: the thread continues after this function */
	const struct vfio_user_irq_set trigger = { .argsz = sizeof(trigger),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = 1 };
	struct vu_client vmm;
	pthread_t filler;

	filling.fd = eventfd(0, EFD_CLOEXEC);
	expect_service(&vmm, victim, "nothing");
	vu_client_event(&vmm, VFIO_PCI_MSIX_IRQ_INDEX, 0, filling.fd);
	pthread_create(&filler, NULL, fill_repeatedly, &filling);
	for (int i = 0; i < FILLINGS; i++) {
		if (vu_client_call(&vmm, VFIO_USER_DEVICE_SET_IRQS, &trigger, sizeof(trigger), NULL,
			    0, NULL, 0) != 0)
			got_through("the server waits for the VMM's eventfd");
		atomic_fetch_add(&filling.calls, 1);
	}
}

/* --- Inconsistent sizes --------------------------------------------------------------- */

static void argsz(const struct victim *victim)
{
	struct {
		struct vfio_user_irq_set set;
		uint8_t data[8];
	} message = { { .argsz = sizeof(message.set),
			      .index = VFIO_PCI_MSIX_IRQ_INDEX,
			      .count = 8,
			      .flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER },
		{ 0 } };
	struct vu_client vmm;

	expect_service(&vmm, victim, "nothing");
	for (uint32_t size = 0; size < sizeof(message); size++) {
		message.set.argsz = size;
		if (vu_client_call(&vmm, VFIO_USER_DEVICE_SET_IRQS, &message, sizeof(message), NULL,
			    0, NULL, 0) != EINVAL)
			got_through("SET_IRQS of %zu bytes is accepted with argsz %u",
				sizeof(message), size);
	}
	message.set.argsz = sizeof(message);
	if (vu_client_call(&vmm, VFIO_USER_DEVICE_SET_IRQS, &message, sizeof(message), NULL, 0,
		    NULL, 0) != 0)
		got_through("a valid SET_IRQS is refused");
}

/* --- Memory that blocks --------------------------------------------------------------- */

/* Registers of the NVMe 1.4 specification, section 3.1. */
enum {
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
	REG_SQ0TDBL = 0x1000
};

static void write_register(struct vu_client *vmm, uint64_t offset, uint32_t width, uint64_t value)
{
	vu_client_write(vmm, 0, offset, &value, width);
}

/* The controller fetches a command from the file, and blocks. */
static void use_as_queue(struct vu_client *vmm, int fd)
{
	uint16_t memory_and_master = 6;
	uint32_t status = 0;

	vu_client_write(vmm, VFIO_PCI_CONFIG_REGION_INDEX, 4, &memory_and_master, 2);
	if (vu_client_map(vmm, 0, STALLED_FILE_SIZE, fd) != 0)
		return; /* refused */
	write_register(vmm, REG_AQA, 4, 0x001f001f);
	write_register(vmm, REG_ASQ, 8, 0);
	write_register(vmm, REG_ACQ, 8, 0x1000);
	write_register(vmm, REG_CC, 4, 0x00460001);
	for (int i = 0; i < 1000 && (status & 1) == 0; i++, poll(NULL, 0, 2))
		vu_client_read(vmm, 0, REG_CSTS, &status, 4);
	write_register(vmm, REG_SQ0TDBL, 4, 1);
	poll(NULL, 0, 50);
}

static void stalled_memory(const struct victim *victim)
{
	int fd = make_stalled_file(victim->pid, false);
	struct vu_client vmm;

	if (fd < 0)
		attack_skip("FUSE is not to be had");
	expect_service(&vmm, victim, "nothing");
	use_as_queue(&vmm, fd);
	vu_client_close(&vmm);
	expect_service(&vmm, victim, "memory that stalls");
	use_as_queue(&vmm, fd);
}

static void stalled_attributes(const struct victim *victim)
{
	int fd = make_stalled_file(victim->pid, true);
	struct vu_client vmm;

	if (fd < 0)
		attack_skip("FUSE is not to be had");
	expect_service(&vmm, victim, "nothing");
	as_memory(&vmm, fd);
	vu_client_close(&vmm);
	expect_service(&vmm, victim, "a file that fstat() waits for");
	as_memory(&vmm, fd);
}

const struct attack attacks_vfio_user[] = {
	{ .name = "vfio-user/memory",
		.tries = "to keep the next VMM waiting for a close()",
		.target = ON_VFIO_USER,
		.run = memory },
	{ .name = "vfio-user/event",
		.tries = "the same, with a descriptor as an eventfd",
		.target = ON_VFIO_USER,
		.run = event },
	{ .name = "vfio-user/half-a-message",
		.tries = "the same, with half a message",
		.target = ON_VFIO_USER,
		.run = half_a_message },
	{ .name = "vfio-user/turned-away",
		.tries = "the same, as a second client",
		.target = ON_VFIO_USER,
		.run = refused },
	{ .name = "vfio-user/eventfd-fills",
		.tries = "to keep the server waiting for an eventfd",
		.target = ON_VFIO_USER,
		.run = eventfd_fills },
	{ .name = "vfio-user/argsz",
		.tries = "to have data read that argsz does not cover",
		.target = ON_VFIO_USER,
		.run = argsz },
	{ .name = "vfio-user/stalled-memory",
		.tries = "to keep a device waiting for memory",
		.target = ON_VFIO_USER,
		.user = AS_ROOT,
		.keeps_thread = true,
		.run = stalled_memory },
	{ .name = "vfio-user/stalled-attributes",
		.tries = "the same, by a file that fstat() waits for",
		.target = ON_VFIO_USER,
		.user = AS_ROOT,
		.keeps_thread = true,
		.run = stalled_attributes },
	{ .name = NULL },
};
