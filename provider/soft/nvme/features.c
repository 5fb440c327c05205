/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get and set features. Most are one word that is kept; the table says which bits of it
 * count. Nothing can be saved across resets, so saved values are the defaults.
 */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <string.h>

/* The arbitration burst that is recommended in identify: 2^3 commands. */
#define BURST_DEFAULT 3u

#define TEMPERATURE_SELECT(cdw11) ((cdw11) >> 16 & 0xf)
#define TEMPERATURE_ALL		  0xfu
#define TEMPERATURE_KIND(cdw11)	  ((cdw11) >> 20 & 0x3)
enum { TEMPERATURE_OVER, TEMPERATURE_UNDER };

#define TIMESTAMP_MASK ((UINT64_C(1) << 48) - 1)

struct feature {
	bool known, per_namespace;
	uint32_t initial;
	uint32_t bits;	  /* that are kept */
	uint32_t refused; /* that must be zero */
	uint16_t (*get)(struct nvme_controller *nvme, struct nvme_request *request, bool initial);
	uint16_t (*set)(struct nvme_controller *nvme, struct nvme_request *request);
};

static uint16_t get_temperature(
	struct nvme_controller *nvme, struct nvme_request *request, bool initial)
{
	uint32_t cdw11 = request->command.cdw11;

	if (TEMPERATURE_SELECT(cdw11) != 0 || TEMPERATURE_KIND(cdw11) > TEMPERATURE_UNDER)
		return NVME_INVALID_FIELD;
	if (TEMPERATURE_KIND(cdw11) == TEMPERATURE_UNDER)
		request->result = initial ? 0 : nvme->features.temperature_under;
	else
		request->result = initial ? NVME_TEMPERATURE_WARNING :
					    nvme->features.value[NVME_FEAT_TEMPERATURE];
	return NVME_OK;
}

static uint16_t set_temperature(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t cdw11 = request->command.cdw11;
	uint32_t select = TEMPERATURE_SELECT(cdw11);
	uint8_t before = nvme_critical_warning(nvme);

	if ((select != 0 && select != TEMPERATURE_ALL) ||
		TEMPERATURE_KIND(cdw11) > TEMPERATURE_UNDER)
		return NVME_INVALID_FIELD;
	if (TEMPERATURE_KIND(cdw11) == TEMPERATURE_UNDER)
		nvme->features.temperature_under = cdw11 & 0xffff;
	else
		nvme->features.value[NVME_FEAT_TEMPERATURE] = cdw11 & 0xffff;
	nvme_warnings_report(nvme, (uint32_t)nvme_critical_warning(nvme) & ~(uint32_t)before);
	return NVME_OK;
}

/* What holds already is an event for who asks for such events now. */
static uint16_t set_async_events(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t before = nvme->features.value[NVME_FEAT_ASYNC_EVENTS];

	nvme->features.value[NVME_FEAT_ASYNC_EVENTS] = request->command.cdw11;
	nvme_warnings_report(nvme, nvme_critical_warning(nvme) & ~before);
	return NVME_OK;
}

static uint16_t cache_flushed(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	(void)request, (void)job;
	return nvme_flush_status(nvme);
}

static uint16_t cache_switched_off(
	struct nvme_controller *nvme, struct nvme_request *request, const struct nvme_job *job)
{
	uint16_t status = cache_flushed(nvme, request, job);

	nvme->features.value[NVME_FEAT_WRITE_CACHE] = status != NVME_OK;
	return status;
}

/* It is off from now on, so that nothing written during the flush is left in the cache. */
static uint16_t set_write_cache(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t enabled = request->command.cdw11 & 1;
	bool was_enabled = nvme->features.value[NVME_FEAT_WRITE_CACHE];

	nvme->features.value[NVME_FEAT_WRITE_CACHE] = enabled;
	if (enabled)
		return NVME_OK;
	return nvme_flush_then(nvme, request, was_enabled ? cache_switched_off : cache_flushed);
}

static uint16_t get_queues(struct nvme_controller *nvme, struct nvme_request *request, bool initial)
{
	(void)initial;
	request->result = (nvme->queues - 1) | (nvme->queues - 1) << 16;
	return NVME_OK;
}

static uint16_t set_queues(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t cdw11 = request->command.cdw11;

	for (unsigned qid = 1; qid <= nvme->queues; qid++)
		if (nvme->sqs[qid].live || nvme->cqs[qid].live)
			return NVME_COMMAND_SEQUENCE_ERROR;
	if ((cdw11 & 0xffff) == 0xffff || cdw11 >> 16 == 0xffff)
		return NVME_INVALID_FIELD;
	return get_queues(nvme, request, false);
}

static uint16_t get_vector(struct nvme_controller *nvme, struct nvme_request *request, bool initial)
{
	uint32_t vector = request->command.cdw11 & 0xffff;

	if (vector >= nvme->interrupts.vectors)
		return NVME_INVALID_FIELD;
	request->result = vector;
	if (!initial && (nvme->features.uncoalesced[vector / 32] >> (vector % 32) & 1))
		request->result |= NVME_VECTOR_CD;
	return NVME_OK;
}

static uint16_t set_vector(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t vector = request->command.cdw11 & 0xffff;
	uint32_t bit = 1u << (vector % 32);

	if (vector >= nvme->interrupts.vectors)
		return NVME_INVALID_FIELD;
	if (request->command.cdw11 & NVME_VECTOR_CD)
		nvme->features.uncoalesced[vector / 32] |= bit;
	else
		nvme->features.uncoalesced[vector / 32] &= ~bit;
	return NVME_OK;
}

/* Milliseconds in the low 48 bits, where they are from above. */
static uint16_t get_timestamp(
	struct nvme_controller *nvme, struct nvme_request *request, bool initial)
{
	const struct nvme_features *features = &nvme->features;
	uint64_t elapsed = (nvme_now_ns() - features->timestamp_at_ns) / 1000000u;
	uint64_t value = 0;

	if (!initial)
		value = ((features->timestamp_ms + elapsed) & TIMESTAMP_MASK) |
			(features->timestamp_set ? (uint64_t)NVME_TIMESTAMP_SET << 48 : 0);
	value = htole64(value);
	return nvme_data_to_host(nvme, request, &value, sizeof(value));
}

static uint16_t set_timestamp(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint64_t value;
	uint16_t status = nvme_data_from_host(nvme, request, &value, sizeof(value));

	if (status != NVME_OK)
		return status;
	nvme->features.timestamp_ms = le64toh(value) & TIMESTAMP_MASK;
	nvme->features.timestamp_at_ns = nvme_now_ns();
	nvme->features.timestamp_set = true;
	return NVME_OK;
}

/* There is one power state, so its number must be 0; DULBE is not offered in NSFEAT. */
static const struct feature features[NVME_FEATURES] = {
	[NVME_FEAT_ARBITRATION] = { .known = true, .initial = BURST_DEFAULT, .bits = 0xffffff07 },
	[NVME_FEAT_POWER] = { .known = true, .bits = 0xe0, .refused = 0x1f },
	[NVME_FEAT_TEMPERATURE] = { .known = true,
		.initial = NVME_TEMPERATURE_WARNING,
		.get = get_temperature,
		.set = set_temperature },
	[NVME_FEAT_ERROR_RECOVERY] = { .known = true,
		.per_namespace = true,
		.bits = 0xffff,
		.refused = 1u << 16 },
	[NVME_FEAT_WRITE_CACHE] = { .known = true, .initial = 1, .set = set_write_cache },
	[NVME_FEAT_QUEUES] = { .known = true, .get = get_queues, .set = set_queues },
	[NVME_FEAT_COALESCING] = { .known = true, .bits = 0xffff },
	[NVME_FEAT_VECTOR] = { .known = true, .get = get_vector, .set = set_vector },
	[NVME_FEAT_ATOMICITY] = { .known = true, .bits = 1 },
	[NVME_FEAT_ASYNC_EVENTS] = { .known = true,
		.initial = NVME_SMART_RELIABILITY | NVME_SMART_READ_ONLY,
		.refused = 0xffffff00,
		.set = set_async_events },
	[NVME_FEAT_TIMESTAMP] = { .known = true, .get = get_timestamp, .set = set_timestamp },
};

void nvme_features_reset(struct nvme_controller *nvme)
{
	memset(&nvme->features, 0, sizeof(nvme->features));
	for (unsigned fid = 0; fid < NVME_FEATURES; fid++)
		nvme->features.value[fid] = features[fid].initial;
	nvme->features.timestamp_at_ns = nvme_now_ns();
}

static const struct feature *find(uint32_t cdw10)
{
	uint32_t fid = cdw10 & 0xff;

	return fid < NVME_FEATURES && features[fid].known ? &features[fid] : NULL;
}

uint16_t nvme_get_features(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct feature *feature = find(request->command.cdw10);
	uint32_t select = request->command.cdw10 >> 8 & 7;

	if (!feature || select > NVME_SEL_CAPABILITIES)
		return NVME_INVALID_FIELD;
	if (feature->per_namespace && request->command.nsid != NVME_NSID)
		return NVME_INVALID_NAMESPACE;
	if (select == NVME_SEL_CAPABILITIES) {
		request->result = NVME_FEATURE_CAP_CHANGEABLE |
				  (feature->per_namespace ? NVME_FEATURE_CAP_NAMESPACE : 0);
		return NVME_OK;
	}
	if (feature->get)
		return feature->get(nvme, request, select != NVME_SEL_CURRENT);
	request->result = select == NVME_SEL_CURRENT ? nvme->features.value[feature - features] :
						       feature->initial;
	return NVME_OK;
}

static uint16_t check_namespace(const struct feature *feature, uint32_t nsid)
{
	if (feature->per_namespace)
		return nsid == NVME_NSID || nsid == NVME_NSID_ALL ? NVME_OK :
								    NVME_INVALID_NAMESPACE;
	if (nsid == 0 || nsid == NVME_NSID_ALL)
		return NVME_OK;
	return nsid == NVME_NSID ? NVME_FEATURE_NOT_PER_NAMESPACE : NVME_INVALID_NAMESPACE;
}

uint16_t nvme_set_features(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct feature *feature = find(request->command.cdw10);
	uint32_t value = request->command.cdw11;
	uint16_t status;

	if (!feature)
		return NVME_INVALID_FIELD;
	if (request->command.cdw10 & NVME_FEATURE_SAVE)
		return NVME_FEATURE_NOT_SAVEABLE;
	status = check_namespace(feature, request->command.nsid);
	if (status != NVME_OK)
		return status;
	if (value & feature->refused)
		return NVME_INVALID_FIELD;
	if (feature->set)
		return feature->set(nvme, request);
	nvme->features.value[feature - features] = value & feature->bits;
	return NVME_OK;
}
