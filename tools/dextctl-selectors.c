/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-selectors.h"

#include <dext-abi.h>
#include <stdio.h>

const char *selector_name(uint32_t selector)
{
	static const struct {
		uint32_t number;
		const char *name;
	} selectors[] = {
#define SELECTOR_NAME(number, name, in, out, needs) {number, #name},
		DEXT_SELECTORS(SELECTOR_NAME) DEXT_ADDITIONS(SELECTOR_NAME)
#undef SELECTOR_NAME
	};

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++)
		if (selectors[i].number == selector)
			return selectors[i].name;
	return NULL;
}

/* As many of each as a trace keeps, in the order of the ABI. */
static const struct {
	enum dext_selector selector;
	const char *names[2][DEXT_TRACE_SCALARS];
} meanings[] = {
	{DEXT_SELECTOR_GetIdentity, {{NULL}, {"bus", "device", "function", "vendor_id"}}},
	{DEXT_SELECTOR_GetStatus, {{NULL}, {"claims", "flags", "vectors", "interrupt_kind"}}},
	{DEXT_SELECTOR_AllocateDMABuffer,
		{{"size", "alignment"}, {"size", "flags", "segments", "bus_address"}}},
	{DEXT_SELECTOR_RegisterDMARegion,
		{{"iova", "client_va", "size"}, {"segments", "bus_address", "bus_length"}}},
	{DEXT_SELECTOR_UnregisterDMARegion, {{"iova"}, {NULL}}},
	{DEXT_SELECTOR_ProbeDMARegion, {{"iova", "offset"}, {"word"}}},
	{DEXT_SELECTOR_ConfigRead, {{"offset", "width"}, {"value"}}},
	{DEXT_SELECTOR_ConfigWrite, {{"offset", "width", "value"}, {NULL}}},
	{DEXT_SELECTOR_GetBARInfo, {{"bar"}, {"memory_index", "size", "type"}}},
	{DEXT_SELECTOR_MMIORead, {{"memory_index", "offset", "width"}, {"value"}}},
	{DEXT_SELECTOR_MMIOWrite, {{"memory_index", "offset", "width", "value"}, {NULL}}},
	{DEXT_SELECTOR_SetupInterrupts, {{NULL}, {"vectors"}}},
	{DEXT_SELECTOR_CheckInterrupt, {{NULL}, {"pending0", "pending1", "pending2", "pending3"}}},
	{DEXT_SELECTOR_SetIRQMask, {{"enabled0", "enabled1", "enabled2", "enabled3"}, {NULL}}},
	{DEXT_SELECTOR_GetDMASegments, {{"iova", "first"}, {"segments", "given"}}},
	{DEXT_SELECTOR_GetDMALimits, {{NULL}, {"iommu", "bytes", "maps", "bytes_used"}}},
	{DEXT_SELECTOR_GetDMARegions, {{"first"}, {"regions"}}},
	{DEXT_SELECTOR_GetClients, {{"first"}, {"clients"}}},
	{DEXT_SELECTOR_TriggerInterrupt, {{"vector"}, {NULL}}},
};

static const char *find_meaning(uint32_t selector, enum scalar_way way, size_t index)
{
	if (index >= DEXT_TRACE_SCALARS)
		return NULL;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if ((uint32_t)meanings[i].selector == selector)
			return meanings[i].names[way][index];
	return NULL;
}

const char *scalar_name(
	uint32_t selector, enum scalar_way way, size_t index, char text[SCALAR_NAME_SIZE])
{
	const char *name = find_meaning(selector, way, index);

	if (name)
		snprintf(text, SCALAR_NAME_SIZE, "%s", name);
	else
		snprintf(text, SCALAR_NAME_SIZE, "%s%u", way == SCALAR_IN ? "arg" : "result",
			(unsigned)index % 1000);
	return text;
}
