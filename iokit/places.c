/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/places.h"

#include <stddef.h>

static bool of_one_process(const struct iou_place *a, const struct iou_place *b)
{
	return a->pid == b->pid && (a->pid != 0 || a->uid == b->uid);
}

static bool of_one_user(const struct iou_place *a, const struct iou_place *b)
{
	return a->uid == b->uid;
}

static bool of_others(const struct iou_place *a, const struct iou_place *b)
{
	(void)a;
	return !b->privileged;
}

static bool of_anybody(const struct iou_place *a, const struct iou_place *b)
{
	(void)a, (void)b;
	return true;
}

/* A limit, and the places that count: those for which counts(newcomer, place). */
struct limit {
	bool (*counts)(const struct iou_place *newcomer, const struct iou_place *place);
	unsigned max;
	bool spares_privileged;
};

/* Whether there is room under one limit if *leaves goes, which stays NULL if nobody has to. */
static bool has_room(const struct iou_places *places, const struct limit *limit,
	const struct iou_place *newcomer, struct iou_place **leaves)
{
	struct iou_place *place, *silent = NULL;
	unsigned count = 0;

	if (limit->spares_privileged && newcomer->privileged)
		return true;
	TAILQ_FOREACH (place, &places->all, link) {
		if (!limit->counts(newcomer, place) || place == *leaves)
			continue;
		count++;
		if (!silent && !place->greeted)
			silent = place;
	}
	if (count < limit->max)
		return true;
	/* One goes for one that comes, no more. */
	if (*leaves || !silent)
		return false;
	*leaves = silent;
	return true;
}

kern_return_t iou_places_find(const struct iou_places *places, const struct iou_place *newcomer,
	struct iou_place **leaves)
{
	/* From the narrowest to the widest. */
	const struct limit limits[] = {
		{ of_one_process, places->per_process, false },
		{ of_one_user, places->per_user, true },
		{ of_others, places->total - places->reserved, true },
		{ of_anybody, places->total, false },
	};

	*leaves = NULL;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (!has_room(places, &limits[i], newcomer, leaves))
			return kIOReturnNoResources;
	return kIOReturnSuccess;
}
