/* SPDX-License-Identifier: BSD-3-Clause */
/* The identify command. What is promised here is what the other files keep. */
#include "provider/soft/nvme/nvme.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define NAMESPACE	 1u
#define IDENTIFY_SIZE	 4096u
#define CONTROLLER_ID	 1u
#define MAX_POWER	 2500u /* 25 W, in 0.01 W */
#define ABORTS_AT_ONCE	 4u
#define UUID_TEXT_LENGTH 36

uint16_t nvme_oncs(const struct nvme_controller *nvme)
{
	uint16_t oncs =
		NVME_ONCS_COMPARE | NVME_ONCS_WRITE_ZEROES | NVME_ONCS_SELECT | NVME_ONCS_TIMESTAMP;

	/* Without holes to punch, deallocation would be an offer with nothing behind it. */
	if (nvme->backend.punches)
		oncs |= NVME_ONCS_DSM;
	return oncs;
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

	if (request->command.nsid != NAMESPACE)
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
	if (request->command.nsid < NAMESPACE)
		list[0] = htole32(NAMESPACE);
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

	if (request->command.nsid != NAMESPACE)
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
