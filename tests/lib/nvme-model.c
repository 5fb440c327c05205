/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/nvme-model.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Limit of each wait, long enough for a slow machine. */
#define TIMEOUT_SECONDS 60

void host_nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
}

static uint64_t read_register(void *context, uint32_t offset, unsigned width)
{
	struct host *host = context;

	return width == 8 ? host_read(host, offset) | (uint64_t)host_read(host, offset + 4) << 32 :
			    host_read(host, offset);
}

static void write_register(void *context, uint32_t offset, unsigned width, uint64_t value)
{
	if (width == 8)
		host_write64(context, offset, value);
	else
		host_write(context, offset, (uint32_t)value);
}

static uint32_t load(void *context, uint64_t address)
{
	uint32_t value;

	host_peek(context, address, &value, sizeof(value));
	return value;
}

static void get(void *context, uint64_t address, void *data, size_t size)
{
	host_peek(context, address, data, size);
}

static void put(void *context, uint64_t address, const void *data, size_t size)
{
	host_fill(context, address, data, size);
}

static const struct nvme_ctrl_ops ops = { read_register, write_register, load, get, put };

void host_open(struct host *host, const char *keys)
{
	struct spec_error error = { .text = "" };
	char text[512];

	snprintf(text, sizeof(text), "nvme,%s", keys);
	*host = (struct host){ .next_page = FAKE_SOFT_RAM_BASE,
		.ctrl = {
			.ops = &ops, .context = host, .timeout = TIMEOUT_SECONDS, .next_cid = 1 } };
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
	if (!nvme_ctrl_await(&host->ctrl, offset, mask, value))
		fail_msg("register %#x is %#x, never %#x", offset, host_read(host, offset), value);
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

static struct nvme_ctrl_queue make_queue(struct host *host, unsigned qid, uint32_t entries)
{
	return (struct nvme_ctrl_queue){
		.qid = qid,
		.size = entries,
		.sq = host_pages(host, pages_for(entries, sizeof(struct nvme_command))),
		.cq = host_pages(host, pages_for(entries, sizeof(struct nvme_completion))),
		.phase = true,
	};
}

void host_enable(struct host *host, uint32_t entries, uint32_t cc)
{
	host->ctrl.admin = make_queue(host, 0, entries);
	assert_true(nvme_ctrl_enable(&host->ctrl, cc));
}

void host_disable(struct host *host)
{
	assert_true(nvme_ctrl_disable(&host->ctrl));
}

void host_create_io(struct host *host, uint32_t entries)
{
	host->io = make_queue(host, 1, entries);
	assert_true(nvme_ctrl_create(&host->ctrl, &host->io, 1));
}

void host_start(struct host *host, const char *keys)
{
	host_open(host, keys);
	host_enable(host, 32, NVME_CTRL_ENABLE);
	host_create_io(host, 16);
}

uint16_t host_put(struct host *host, struct nvme_ctrl_queue *queue, struct nvme_command command)
{
	return nvme_ctrl_put(&host->ctrl, queue, command);
}

void host_submit(struct host *host, struct nvme_ctrl_queue *queue)
{
	nvme_ctrl_submit(&host->ctrl, queue);
}

bool host_take(struct host *host, struct nvme_ctrl_queue *queue, struct nvme_completion *completion)
{
	return nvme_ctrl_take(&host->ctrl, queue, completion);
}

void host_release(struct host *host, struct nvme_ctrl_queue *queue)
{
	nvme_ctrl_release(&host->ctrl, queue);
}

struct nvme_completion host_wait(struct host *host, struct nvme_ctrl_queue *queue)
{
	struct nvme_completion completion;

	if (!nvme_ctrl_wait(&host->ctrl, queue, &completion))
		fail_msg("no completion in queue %u", queue->qid);
	return completion;
}

uint16_t host_run(struct host *host, struct nvme_ctrl_queue *queue, struct nvme_command command,
	uint32_t *result)
{
	uint16_t cid = host_put(host, queue, command);
	struct nvme_completion completion;

	host_submit(host, queue);
	completion = host_wait(host, queue);
	assert_int_equal(completion.cid, cid);
	assert_int_equal(completion.sq_id, queue->qid);
	assert_int_equal(completion.sq_head, queue->tail);
	if (result)
		*result = completion.result;
	return nvme_ctrl_status(&completion);
}

uint16_t host_admin(struct host *host, struct nvme_command command)
{
	return host_run(host, &host->ctrl.admin, command, NULL);
}

uint16_t host_io(struct host *host, struct nvme_command command)
{
	return host_run(host, &host->io, command, NULL);
}

void host_put_flushes(struct host *host, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		host_put(host, &host->io, nvme_ctrl_rw(NVME_IO_FLUSH, 0, 1, 0, 0));
	host_submit(host, &host->io);
}

void host_barrier(struct host *host)
{
	host_admin(host, (struct nvme_command){ .opcode = NVME_ADMIN_ABORT });
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

#define IMAGE_TEMPLATE "/tmp/test-nvme-XXXXXX"

char host_image[] = IMAGE_TEMPLATE;

int host_image_create(void **state)
{
	int fd;

	(void)state;
	strcpy(host_image, IMAGE_TEMPLATE);
	fd = mkstemp(host_image);
	if (fd < 0 || ftruncate(fd, 1 << 20) < 0)
		return -1;
	return close(fd);
}

int host_image_remove(void **state)
{
	(void)state;
	return unlink(host_image);
}
