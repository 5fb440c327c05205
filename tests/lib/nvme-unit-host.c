/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/nvme-unit-host.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long anything may take before a test gives it up: far beyond what a slow machine needs. */
#define PATIENCE_NS UINT64_C(60000000000)

void host_nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
}

void host_open(struct host *host, const char *keys)
{
	struct spec_error error = { .text = "" };
	char text[512];

	snprintf(text, sizeof(text), "nvme,%s", keys);
	*host = (struct host){ .next_page = FAKE_SOFT_RAM_BASE, .next_cid = 1 };
	host->device = fake_soft_create(&soft_nvme_model, text, &error);
	if (!host->device)
		fail_msg("%s", error.text);
}

void host_close(struct host *host)
{
	fake_soft_destroy(host->device);
}

void host_map(struct host *host, bool mapped)
{
	soft_nvme_model.bar_mapped(host->device, 0, mapped);
	host->mapped = mapped;
}

static uint32_t *bar_word(struct host *host, unsigned offset)
{
	return (uint32_t *)(void *)(fake_soft_bar(host->device) + offset);
}

uint32_t host_read(struct host *host, unsigned offset)
{
	if (host->mapped)
		return le32toh(__atomic_load_n(bar_word(host, offset), __ATOMIC_ACQUIRE));
	return (uint32_t)soft_nvme_model.bar_read(host->device, 0, offset, 4);
}

void host_write(struct host *host, unsigned offset, uint32_t value)
{
	if (host->mapped)
		__atomic_store_n(bar_word(host, offset), htole32(value), __ATOMIC_RELEASE);
	else
		soft_nvme_model.bar_write(host->device, 0, offset, 4, value);
}

void host_write64(struct host *host, unsigned offset, uint64_t value)
{
	host_write(host, offset, (uint32_t)value);
	host_write(host, offset + 4, (uint32_t)(value >> 32));
}

void host_ring(struct host *host, unsigned doorbell, uint32_t value)
{
	host_write(host, NVME_REG_DOORBELLS + 4 * doorbell, value);
}

void host_await(struct host *host, unsigned offset, uint32_t mask, uint32_t value)
{
	uint64_t begin = nvme_now_ns();

	while ((host_read(host, offset) & mask) != value) {
		if (nvme_now_ns() - begin > PATIENCE_NS)
			fail_msg("register %#x is %#x, never %#x", offset, host_read(host, offset),
				value);
		host_nap();
	}
}

uint64_t host_pages(struct host *host, unsigned count)
{
	uint64_t address = host->next_page;

	host->next_page += count * HOST_PAGE;
	assert_true(host->next_page <= FAKE_SOFT_RAM_BASE + FAKE_SOFT_RAM_SIZE);
	return address;
}

void host_fill(struct host *host, uint64_t address, const void *data, size_t length)
{
	fake_soft_ram_write(host->device, address, data, length);
}

void host_peek(struct host *host, uint64_t address, void *data, size_t length)
{
	fake_soft_ram_read(host->device, address, data, length);
}

static unsigned pages_for(uint32_t entries, size_t size)
{
	return (unsigned)((entries * size + HOST_PAGE - 1) / HOST_PAGE);
}

static struct host_queue make_queue(struct host *host, unsigned qid, uint32_t entries)
{
	return (struct host_queue){
		.qid = qid,
		.size = entries,
		.sq = host_pages(host, pages_for(entries, sizeof(struct nvme_command))),
		.cq = host_pages(host, pages_for(entries, sizeof(struct nvme_completion))),
		.phase = true,
	};
}

void host_enable(struct host *host, uint32_t entries, uint32_t cc)
{
	host->admin = make_queue(host, 0, entries);
	host_write(host, NVME_REG_AQA, (entries - 1) << 16 | (entries - 1));
	host_write64(host, NVME_REG_ASQ, host->admin.sq);
	host_write64(host, NVME_REG_ACQ, host->admin.cq);
	host_write(host, NVME_REG_CC, cc);
	host_await(host, NVME_REG_CSTS, NVME_CSTS_RDY, NVME_CSTS_RDY);
}

void host_disable(struct host *host)
{
	host_write(host, NVME_REG_CC, host_read(host, NVME_REG_CC) & ~NVME_CC_EN);
	host_await(host, NVME_REG_CSTS, NVME_CSTS_RDY, 0);
}

void host_create_io(struct host *host, uint32_t entries)
{
	host->io = make_queue(host, 1, entries);
	assert_int_equal(NVME_OK,
		host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_CQ,
					 .prp1 = host->io.cq,
					 .cdw10 = (entries - 1) << 16 | 1,
					 .cdw11 = 1u << 16 | NVME_QUEUE_IEN | NVME_QUEUE_PC }));
	assert_int_equal(
		NVME_OK, host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_CREATE_SQ,
						  .prp1 = host->io.sq,
						  .cdw10 = (entries - 1) << 16 | 1,
						  .cdw11 = 1u << 16 | NVME_QUEUE_PC }));
}

void host_start(struct host *host, const char *keys)
{
	host_open(host, keys);
	host_enable(host, 32, HOST_CC_ENABLE);
	host_create_io(host, 16);
}

static void to_wire(struct nvme_command *command)
{
	command->cid = htole16(command->cid);
	command->nsid = htole32(command->nsid);
	command->prp1 = htole64(command->prp1);
	command->prp2 = htole64(command->prp2);
	command->cdw10 = htole32(command->cdw10);
	command->cdw11 = htole32(command->cdw11);
	command->cdw12 = htole32(command->cdw12);
	command->cdw13 = htole32(command->cdw13);
}

uint16_t host_put(struct host *host, struct host_queue *queue, struct nvme_command command)
{
	uint16_t cid = host->next_cid++;

	command.cid = cid;
	to_wire(&command);
	host_fill(host, queue->sq + queue->tail * sizeof(command), &command, sizeof(command));
	queue->tail = (queue->tail + 1) % queue->size;
	return cid;
}

void host_submit(struct host *host, struct host_queue *queue)
{
	host_ring(host, nvme_sq_doorbell(queue->qid), queue->tail);
}

bool host_take(struct host *host, struct host_queue *queue, struct nvme_completion *completion)
{
	host_peek(host, queue->cq + queue->head * sizeof(*completion), completion,
		sizeof(*completion));
	completion->status = le16toh(completion->status);
	completion->result = le32toh(completion->result);
	completion->cid = le16toh(completion->cid);
	completion->sq_id = le16toh(completion->sq_id);
	completion->sq_head = le16toh(completion->sq_head);
	if ((completion->status & 1) != (queue->phase ? 1 : 0))
		return false;
	queue->head = (queue->head + 1) % queue->size;
	if (queue->head == 0)
		queue->phase = !queue->phase;
	return true;
}

void host_release(struct host *host, struct host_queue *queue)
{
	host_ring(host, nvme_cq_doorbell(queue->qid), queue->head);
}

struct nvme_completion host_wait(struct host *host, struct host_queue *queue)
{
	struct nvme_completion completion;
	uint64_t begin = nvme_now_ns();

	while (!host_take(host, queue, &completion)) {
		if (nvme_now_ns() - begin > PATIENCE_NS)
			fail_msg("no completion in queue %u", queue->qid);
		host_nap();
	}
	host_release(host, queue);
	return completion;
}

uint16_t host_run(
	struct host *host, struct host_queue *queue, struct nvme_command command, uint32_t *result)
{
	uint16_t cid = host_put(host, queue, command);
	struct nvme_completion completion;

	host_submit(host, queue);
	completion = host_wait(host, queue);
	assert_int_equal(cid, completion.cid);
	assert_int_equal(queue->qid, completion.sq_id);
	assert_int_equal(queue->tail, completion.sq_head);
	if (result)
		*result = completion.result;
	return host_status(&completion);
}

uint16_t host_admin(struct host *host, struct nvme_command command)
{
	return host_run(host, &host->admin, command, NULL);
}

uint16_t host_io(struct host *host, struct nvme_command command)
{
	return host_run(host, &host->io, command, NULL);
}

void host_put_flushes(struct host *host, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		host_put(host, &host->io, host_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(host, &host->io);
}

void host_barrier(struct host *host)
{
	host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_ABORT });
}

struct nvme_command host_rw(
	uint8_t opcode, uint64_t slba, uint32_t blocks, uint64_t prp1, uint64_t prp2)
{
	return (struct nvme_command){
		.opcode = opcode,
		.nsid = 1,
		.prp1 = prp1,
		.prp2 = prp2,
		.cdw10 = (uint32_t)slba,
		.cdw11 = (uint32_t)(slba >> 32),
		.cdw12 = blocks - 1,
	};
}

uint8_t host_pattern(uint64_t position)
{
	return (uint8_t)((position * 2654435761u) >> 13);
}

void host_fill_pattern(struct host *host, uint64_t address, uint64_t position, size_t length)
{
	uint8_t *data = malloc(length);

	assert_non_null(data);
	for (size_t i = 0; i < length; i++)
		data[i] = host_pattern(position + i);
	host_fill(host, address, data, length);
	free(data);
}

void host_expect_pattern(struct host *host, uint64_t address, uint64_t position, size_t length)
{
	uint8_t *data = malloc(length);

	assert_non_null(data);
	host_peek(host, address, data, length);
	for (size_t i = 0; i < length; i++)
		if (data[i] != host_pattern(position + i))
			fail_msg("byte %zu of %zu is wrong", i, length);
	free(data);
}
