/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of a specification that choose the interrupts. */
#include "provider/soft/soft.h"

#define MSI_VECTORS_MAX 32u

static const char *const names[] = {
	[DEXT_INTERRUPT_NONE] = "none",
	[DEXT_INTERRUPT_INTX] = "intx",
	[DEXT_INTERRUPT_MSI] = "msi",
	[DEXT_INTERRUPT_MSIX] = "msix",
	NULL,
};

static bool parse_vectors(const struct device_spec *spec, unsigned most, unsigned usual,
	struct soft_interrupts *interrupts, struct spec_error *error)
{
	const unsigned limits[] = {
		[DEXT_INTERRUPT_INTX] = 1,
		[DEXT_INTERRUPT_MSI] = MSI_VECTORS_MAX,
		[DEXT_INTERRUPT_MSIX] = most,
	};
	unsigned limit = limits[interrupts->kind];
	uint64_t vectors = interrupts->kind == DEXT_INTERRUPT_MSIX ? usual : limit;

	if (!spec_get_number(spec, "vectors", 1, limit, vectors, &vectors, error))
		return false;
	if (interrupts->kind == DEXT_INTERRUPT_MSI && (vectors & (vectors - 1)))
		return spec_invalid(error,
			"%s: vectors=%s: with irq=msi it is a power of two up to 32", spec->type,
			spec_get(spec, "vectors"));
	interrupts->vectors = (unsigned)vectors;
	return true;
}

bool soft_parse_interrupts(const struct device_spec *spec, bool may_lack, unsigned most,
	unsigned usual, struct soft_interrupts *interrupts, struct spec_error *error)
{
	/* A device that must have interrupts does not accept "none". */
	unsigned first = may_lack ? DEXT_INTERRUPT_NONE : DEXT_INTERRUPT_INTX;
	unsigned kind;

	if (!spec_get_word(spec, "irq", names + first, DEXT_INTERRUPT_MSIX - first, &kind, error))
		return false;
	*interrupts = (struct soft_interrupts){ .kind = kind + first };
	if (interrupts->kind != DEXT_INTERRUPT_NONE)
		return parse_vectors(spec, most, usual, interrupts, error);
	if (spec_get(spec, "vectors"))
		return spec_invalid(error, "%s: vectors does not go with irq=none", spec->type);
	return true;
}
