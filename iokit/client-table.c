/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/client-table.h"

#include <stddef.h>

enum scope { SCOPE_PROCESS, SCOPE_USER, SCOPE_UNPRIVILEGED, SCOPE_ALL };

/* Whether @entry counts under a limit of that scope on @newcomer. */
static bool is_in_scope(enum scope scope, const struct iou_client_entry *newcomer,
	const struct iou_client_entry *entry)
{
	switch (scope) {
	case SCOPE_PROCESS: /* those with an unknown PID are told apart by user */
		return newcomer->pid == entry->pid &&
		       (newcomer->pid != 0 || newcomer->uid == entry->uid);
	case SCOPE_USER:
		return newcomer->uid == entry->uid;
	case SCOPE_UNPRIVILEGED:
		return !entry->privileged;
	default:
		return true;
	}
}

kern_return_t iou_client_table_check(const struct iou_client_table *table,
	const struct iou_client_entry *newcomer, struct iou_client_entry **evicted)
{
	const struct {
		enum scope scope;
		unsigned max;
		bool privileged; /* it applies to privileged connections too */
	} limits[] = {
		{ SCOPE_PROCESS, table->per_process, true },
		{ SCOPE_USER, table->per_user, false },
		{ SCOPE_UNPRIVILEGED, table->total - table->reserved, false },
		{ SCOPE_ALL, table->total, true },
	};

	*evicted = NULL;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct iou_client_entry *entry, *silent = NULL;
		unsigned count = 0;

		if (newcomer->privileged && !limits[i].privileged)
			continue;
		TAILQ_FOREACH (entry, &table->all, link) {
			if (entry == *evicted || !is_in_scope(limits[i].scope, newcomer, entry))
				continue;
			count++;
			if (!silent && !entry->greeted)
				silent = entry;
		}
		if (count < limits[i].max)
			continue;
		/* At most one connection is evicted for a new one. */
		if (*evicted || !silent)
			return kIOReturnNoResources;
		*evicted = silent;
	}
	return kIOReturnSuccess;
}
