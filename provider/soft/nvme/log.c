/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get Log Page, and the Asynchronous Event Requests whose completions refer to log pages.
 * Requests are held until there is an event to report; a type that was reported is masked
 * until the host has read its log page. A page is built in the scratch buffer, then the part
 * asked for is transferred.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <string.h>

#define SPARE	      100u /* percent */
#define SPARE_LOW     10u
#define DATA_UNIT     (UINT64_C(1000) * 512)
#define NS_PER_MINUTE UINT64_C(60000000000)
#define NS_PER_HOUR   (60 * NS_PER_MINUTE)

struct event_kind {
	uint8_t type, information, log_page;
};

static const struct event_kind kinds[NVME_EVENT_KINDS] = {
	[NVME_EVENT_DOORBELL_REGISTER] = { NVME_EVENT_ERROR, 0, NVME_LOG_ERROR },
	[NVME_EVENT_DOORBELL_VALUE] = { NVME_EVENT_ERROR, 1, NVME_LOG_ERROR },
	[NVME_EVENT_RELIABILITY] = { NVME_EVENT_SMART, 0, NVME_LOG_SMART },
	[NVME_EVENT_TEMPERATURE] = { NVME_EVENT_SMART, 1, NVME_LOG_SMART },
};

uint16_t nvme_async_request(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct nvme_async *async = &nvme->async;

	if (async->held == NVME_ASYNC_MAX)
		return NVME_ASYNC_LIMIT;
	async->cids[async->held++] = request->command.cid;
	return NVME_NO_COMPLETION;
}

static uint16_t take_request(struct nvme_async *async, unsigned index)
{
	uint16_t cid = async->cids[index];

	async->held--;
	memmove(&async->cids[index], &async->cids[index + 1],
		(async->held - index) * sizeof(async->cids[0]));
	return cid;
}

void nvme_events_post(struct nvme_controller *nvme)
{
	struct nvme_async *async = &nvme->async;

	for (unsigned event = 0; event < NVME_EVENT_KINDS; event++) {
		const struct event_kind *kind = &kinds[event];

		if (!(async->pending & 1u << event) || (async->masked & 1u << kind->type))
			continue;
		if (!async->held || !nvme->running || !nvme_cq_has_room(&nvme->cqs[0]))
			return;
		async->pending &= ~(1u << event);
		async->masked |= 1u << kind->type;
		nvme_post(nvme, 0, take_request(async, 0), NVME_OK,
			kind->type | (uint32_t)kind->information << 8 |
				(uint32_t)kind->log_page << 16);
	}
}

/* A log page was read: events that refer to it may be reported again. */
static void unmask_events(struct nvme_controller *nvme, unsigned log_page)
{
	for (unsigned event = 0; event < NVME_EVENT_KINDS; event++)
		if (kinds[event].log_page == log_page)
			nvme->async.masked &= ~(1u << kinds[event].type);
}

bool nvme_event_abort(struct nvme_controller *nvme, uint16_t cid)
{
	struct nvme_async *async = &nvme->async;
	struct nvme_cq *cq = &nvme->cqs[0];

	for (unsigned index = 0; index < async->held; index++) {
		if (async->cids[index] != cid)
			continue;
		/* One entry is for the completion of the abort command itself. */
		cq->owed++;
		bool has_room = nvme_cq_has_room(cq);

		cq->owed--;
		if (!has_room)
			return false;
		take_request(async, index);
		nvme_post(nvme, 0, cid, NVME_ABORT_REQUESTED, 0);
		return nvme->running;
	}
	return false;
}

static void build_errors(struct nvme_controller *nvme, void *page)
{
	struct nvme_error_entry *entries = page;
	const struct nvme_error_log *log = &nvme->error_log;

	/* The latest comes first. */
	for (unsigned i = 0; i < NVME_ERRORS_MAX; i++)
		entries[i] =
			log->entries[(log->next + 2 * NVME_ERRORS_MAX - 1 - i) % NVME_ERRORS_MAX];
}

static uint64_t data_units(uint64_t bytes)
{
	return bytes / DATA_UNIT + (bytes % DATA_UNIT ? 1 : 0);
}

static void build_smart(struct nvme_controller *nvme, void *page)
{
	struct nvme_smart_log *smart = page;
	const struct nvme_statistics *statistics = &nvme->statistics;
	uint64_t on = nvme_now_ns() - statistics->started_ns;

	smart->critical_warning = nvme_critical_warning(nvme);
	smart->temperature = htole16(NVME_TEMPERATURE);
	smart->spare = SPARE;
	smart->spare_threshold = SPARE_LOW;
	smart->units_read[0] = htole64(data_units(statistics->bytes_read));
	smart->units_written[0] = htole64(data_units(statistics->bytes_written));
	smart->reads[0] = htole64(statistics->reads);
	smart->writes[0] = htole64(statistics->writes);
	smart->busy_minutes[0] = htole64(statistics->busy_ns / NS_PER_MINUTE);
	smart->power_cycles[0] = htole64(1);
	smart->power_on_hours[0] = htole64(on / NS_PER_HOUR);
	smart->media_errors[0] = htole64(statistics->media_errors);
	smart->error_entries[0] = htole64(statistics->errors);
}

static void build_firmware(struct nvme_controller *nvme, void *page)
{
	struct nvme_firmware_log *log = page;

	(void)nvme;
	log->active = 1;
	memcpy(log->slots[0], NVME_FIRMWARE, sizeof(log->slots[0]));
}

static void list_effects(
	const struct nvme_controller *nvme, uint32_t *list, const struct nvme_operation *operations)
{
	for (unsigned opcode = 0; opcode < 256; opcode++)
		if (nvme_supports(nvme, &operations[opcode]))
			list[opcode] = htole32(operations[opcode].effects);
}

static void build_effects(struct nvme_controller *nvme, void *page)
{
	struct nvme_effects_log *log = page;

	list_effects(nvme, log->admin, nvme_admin_operations);
	list_effects(nvme, log->io, nvme_io_operations);
}

struct log_page {
	uint8_t id;
	uint16_t size;
	void (*build)(struct nvme_controller *nvme, void *page); /* into zeroes */
};

static const struct log_page pages[] = {
	{ NVME_LOG_ERROR, NVME_ERRORS_MAX * sizeof(struct nvme_error_entry), build_errors },
	{ NVME_LOG_SMART, sizeof(struct nvme_smart_log), build_smart },
	{ NVME_LOG_FIRMWARE, sizeof(struct nvme_firmware_log), build_firmware },
	{ NVME_LOG_EFFECTS, sizeof(struct nvme_effects_log), build_effects },
};

static const struct log_page *find(unsigned id)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (pages[i].id == id)
			return &pages[i];
	return NULL;
}

/* Every page is about the controller; the health of the one namespace is the same. */
static bool scope_valid(const struct log_page *page, uint32_t nsid)
{
	if (page->id == NVME_LOG_SMART)
		return nsid == 0 || nsid == NVME_NSID || nsid == NVME_NSID_ALL;
	return true;
}

uint16_t nvme_get_log_page(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_command *command = &request->command;
	const struct log_page *page = find(command->cdw10 & 0xff);
	uint64_t dwords = (command->cdw10 >> 16 | (uint64_t)(command->cdw11 & 0xffff) << 16) + 1;
	uint64_t offset = command->cdw12 | (uint64_t)command->cdw13 << 32;
	uint16_t status;

	if (!page)
		return NVME_INVALID_LOG_PAGE;
	if (!scope_valid(page, command->nsid))
		return NVME_INVALID_NAMESPACE;
	if ((offset & 3) || offset >= page->size || 4 * dwords > nvme->mdts)
		return NVME_INVALID_FIELD;

	uint64_t length = 4 * dwords < page->size - offset ? 4 * dwords : page->size - offset;

	memset(nvme->scratch, 0, page->size);
	page->build(nvme, nvme->scratch);
	status = nvme_data_to_host(nvme, request, nvme->scratch + offset, length);
	if (status == NVME_OK && !(command->cdw10 & NVME_LOG_RETAIN_EVENT))
		unmask_events(nvme, page->id);
	return status;
}
