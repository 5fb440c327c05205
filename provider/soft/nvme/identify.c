/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Identify command, and the identifiers that it reports. A host that sees the same
 * identifiers twice refuses the second device, and one that sees them change takes it for
 * another disk. So they are derived from the serial number; without one, from the image's
 * path; for memory, whose content is new each time, they are random.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getrandom() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define IDENTIFY_SIZE	 4096u
#define CONTROLLER_ID	 1u
#define MAX_POWER	 2500u /* 25 W, in 0.01 W */
#define ABORTS_AT_ONCE	 4u
#define UUID_TEXT_LENGTH 36

#define DEFAULT_MODEL "dextpci virtual NVMe disk"

/* FNV-1a of 64 bits, with its bits mixed once more at the end. */
static uint64_t digest(const char *text, uint64_t salt)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ salt;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 31;
}

static void put_digest(uint8_t out[8], const char *text, uint64_t salt)
{
	uint64_t hash = digest(text, salt);

	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(hash >> (56 - 8 * i));
}

static bool copy_text(
	char *to, size_t longest, const char *key, const char *value, struct spec_error *error)
{
	size_t length = strlen(value);

	if (length == 0 || length > longest)
		return spec_invalid(error, "nvme: %s=%s: 1 to %zu characters are needed, not %zu",
			key, value, longest, length);
	for (size_t i = 0; i < length; i++)
		if (value[i] < ' ' || value[i] > '~')
			return spec_invalid(error, "nvme: %s: character %zu is not printable ASCII",
				key, i + 1);
	memcpy(to, value, length + 1);
	return true;
}

/* What the identifiers follow from; to be freed, NULL when there is no memory. */
static char *make_seed(const struct device_spec *spec, const char *device_name)
{
	const char *serial = spec_get(spec, "serial"), *image = spec_get(spec, "image");
	uint64_t chance[2] = { 0, 0 };
	char *path, *seed;

	if (serial)
		return asprintf(&seed, "serial %s", serial) < 0 ? NULL : seed;
	if (image) {
		path = realpath(image, NULL);
		if (asprintf(&seed, "image %s", path ? path : image) < 0)
			seed = NULL;
		free(path);
		return seed;
	}
	if (getrandom(chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		chance[0] = nvme_now_ns();
	if (asprintf(&seed, "memory %s %016llx%016llx", device_name, (unsigned long long)chance[0],
		    (unsigned long long)chance[1]) < 0)
		return NULL;
	return seed;
}

static void make_identifiers(struct nvme_identity *identity, const char *seed)
{
	put_digest(identity->uuid, seed, 1);
	put_digest(identity->uuid + 8, seed, 2);
	/* Version 8 (a scheme of one's own), the usual variant. */
	identity->uuid[6] = (uint8_t)((identity->uuid[6] & 0x0f) | 0x80);
	identity->uuid[8] = (uint8_t)((identity->uuid[8] & 0x3f) | 0x80);

	/* A locally administered prefix, the one that virtual machines use. */
	put_digest(identity->eui64, seed, 3);
	identity->eui64[0] = 0x52;
	identity->eui64[1] = 0x54;
	identity->eui64[2] = 0x00;
	put_digest(identity->nguid, seed, 4);
	memcpy(identity->nguid + 8, identity->eui64, sizeof(identity->eui64));
}

bool nvme_identity_make(struct nvme_identity *identity, const struct device_spec *spec,
	const char *device_name, struct spec_error *error)
{
	const char *serial = spec_get(spec, "serial"), *model = spec_get(spec, "model");
	char *seed;

	*identity = (struct nvme_identity){ .serial = "" };
	if (serial && !copy_text(identity->serial, NVME_SERIAL_LENGTH, "serial", serial, error))
		return false;
	if (!copy_text(identity->model, NVME_MODEL_LENGTH, "model", model ? model : DEFAULT_MODEL,
		    error))
		return false;
	seed = make_seed(spec, device_name);
	if (!seed)
		return spec_fail(error, "nvme: out of memory");
	make_identifiers(identity, seed);
	if (!serial)
		snprintf(identity->serial, sizeof(identity->serial), "%016llX",
			(unsigned long long)digest(seed, 5));
	free(seed);
	return true;
}

uint16_t nvme_oncs(const struct nvme_controller *nvme)
{
	uint16_t oncs =
		NVME_ONCS_COMPARE | NVME_ONCS_WRITE_ZEROES | NVME_ONCS_SELECT | NVME_ONCS_TIMESTAMP;

	/* Without holes to punch, deallocation would be an offer with nothing behind it. */
	if (nvme->backend.punches)
		oncs |= NVME_ONCS_DSM;
	return oncs;
}

uint16_t nvme_oacs(const struct nvme_controller *nvme)
{
	return nvme->offers_doorbell_buffer ? NVME_OACS_DOORBELL_BUFFER : 0;
}

bool nvme_supports(const struct nvme_controller *nvme, const struct nvme_operation *operation)
{
	return operation->handler && !(operation->oncs & ~nvme_oncs(nvme)) &&
	       !(operation->oacs & ~nvme_oacs(nvme));
}

static void pad(char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	memset(field, ' ', size);
	memcpy(field, text, length < size ? length : size);
}

static void uuid_text(char text[UUID_TEXT_LENGTH + 1], const uint8_t *u)
{
	snprintf(text, UUID_TEXT_LENGTH + 1,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		u[15]);
}

static void describe_names(const struct nvme_controller *nvme, struct nvme_identify_controller *id)
{
	char uuid[UUID_TEXT_LENGTH + 1];

	id->vid = htole16(nvme->vendor_id);
	id->ssvid = htole16(nvme->subsystem_vendor_id);
	pad(id->sn, sizeof(id->sn), nvme->identity.serial);
	pad(id->mn, sizeof(id->mn), nvme->identity.model);
	pad(id->fr, sizeof(id->fr), NVME_FIRMWARE);
	/* The low byte first; the prefix is the one of the EUI-64. */
	for (unsigned i = 0; i < sizeof(id->ieee); i++)
		id->ieee[i] = nvme->identity.eui64[2 - i];
	uuid_text(uuid, nvme->identity.uuid);
	snprintf(id->subnqn, sizeof(id->subnqn), "nqn.2014-08.org.nvmexpress:uuid:%s", uuid);
}

static uint16_t identify_controller(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct nvme_identify_controller *id = (void *)nvme->scratch;

	memset(id, 0, sizeof(*id));
	describe_names(nvme, id);
	id->rab = 3;
	id->mdts = (uint8_t)__builtin_ctz(nvme->mdts / NVME_PAGE_MIN);
	id->cntlid = htole16(CONTROLLER_ID);
	id->ver = htole32(NVME_VERSION_1_4);
	id->cntrltype = NVME_CNTRLTYPE_IO;
	id->oacs = htole16(nvme_oacs(nvme));
	id->acl = ABORTS_AT_ONCE - 1;
	id->aerl = NVME_ASYNC_MAX - 1;
	id->frmw = NVME_FRMW_ONE_FIXED_SLOT;
	id->lpa = NVME_LPA_SMART_PER_NS | NVME_LPA_EFFECTS | NVME_LPA_EXTENDED;
	id->elpe = NVME_ERRORS_MAX - 1;
	id->wctemp = htole16(NVME_TEMPERATURE_WARNING);
	id->cctemp = htole16(NVME_TEMPERATURE_CRITICAL);
	id->sqes = NVME_SQE_SHIFT << 4 | NVME_SQE_SHIFT;
	id->cqes = NVME_CQE_SHIFT << 4 | NVME_CQE_SHIFT;
	id->nn = htole32(1);
	id->oncs = htole16(nvme_oncs(nvme));
	id->vwc = NVME_VWC_PRESENT | NVME_VWC_FLUSH_ALL;
	id->psd[0].max_power = htole16(MAX_POWER);
	return nvme_data_to_host(nvme, request, id, sizeof(*id));
}

static uint16_t identify_namespace(struct nvme_controller *nvme, struct nvme_request *request)
{
	struct nvme_identify_namespace *id = (void *)nvme->scratch;
	const struct nvme_backend *backend = &nvme->backend;

	if (request->command.nsid != NVME_NSID)
		return NVME_INVALID_NAMESPACE;
	memset(id, 0, sizeof(*id));
	id->nsze = id->ncap = id->nuse = htole64(backend->blocks);
	if (backend->punches)
		id->dlfeat = NVME_DLFEAT_READS_ZERO | NVME_DLFEAT_WRITE_ZEROES;
	id->nvmcap[0] = htole64(backend->blocks << backend->block_shift);
	if (nvme_check_writable(nvme) != NVME_OK)
		id->nsattr = NVME_NSATTR_PROTECTED;
	memcpy(id->nguid, nvme->identity.nguid, sizeof(id->nguid));
	memcpy(id->eui64, nvme->identity.eui64, sizeof(id->eui64));
	id->lbaf[0].lbads = (uint8_t)backend->block_shift;
	return nvme_data_to_host(nvme, request, id, sizeof(*id));
}

/* The namespaces above the one that was named. */
static uint16_t identify_list(struct nvme_controller *nvme, struct nvme_request *request)
{
	uint32_t *list = (void *)nvme->scratch;

	if (request->command.nsid >= NVME_NSID_ALL - 1)
		return NVME_INVALID_NAMESPACE;
	memset(list, 0, IDENTIFY_SIZE);
	if (request->command.nsid < NVME_NSID)
		list[0] = htole32(NVME_NSID);
	return nvme_data_to_host(nvme, request, list, IDENTIFY_SIZE);
}

static uint8_t *add_descriptor(
	uint8_t *at, enum nvme_descriptor_type type, const uint8_t *id, uint8_t length)
{
	at[0] = (uint8_t)type;
	at[1] = length;
	memcpy(at + 4, id, length);
	return at + 4 + length;
}

static uint16_t identify_descriptors(struct nvme_controller *nvme, struct nvme_request *request)
{
	const struct nvme_identity *identity = &nvme->identity;
	uint8_t *at = nvme->scratch;

	if (request->command.nsid != NVME_NSID)
		return NVME_INVALID_NAMESPACE;
	memset(at, 0, IDENTIFY_SIZE);
	at = add_descriptor(at, NVME_NIDT_EUI64, identity->eui64, sizeof(identity->eui64));
	at = add_descriptor(at, NVME_NIDT_NGUID, identity->nguid, sizeof(identity->nguid));
	add_descriptor(at, NVME_NIDT_UUID, identity->uuid, sizeof(identity->uuid));
	return nvme_data_to_host(nvme, request, nvme->scratch, IDENTIFY_SIZE);
}

/* The rest of CNS is for NVM sets, namespace management, other command sets: none here. */
static nvme_handler *const structures[] = {
	[NVME_CNS_NAMESPACE] = identify_namespace,
	[NVME_CNS_CONTROLLER] = identify_controller,
	[NVME_CNS_ACTIVE_LIST] = identify_list,
	[NVME_CNS_DESCRIPTORS] = identify_descriptors,
};

uint16_t nvme_identify(struct nvme_controller *nvme, struct nvme_request *request)
{
	unsigned cns = request->command.cdw10 & 0xff;

	if (cns >= sizeof(structures) / sizeof(structures[0]))
		return NVME_INVALID_FIELD;
	return structures[cns](nvme, request);
}
