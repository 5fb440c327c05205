/* SPDX-License-Identifier: BSD-3-Clause */
#include "iokit/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* One page; NULL where the kernel cannot clear it (before Linux 4.14). */
static _Atomic pid_t *kept;

static void allocate(void)
{
	void *page = mmap(
		NULL, sizeof(*kept), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, sizeof(*kept), MADV_WIPEONFORK) == 0)
		kept = page;
	else
		munmap(page, sizeof(*kept));
}

pid_t iou_process_id(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pid_t id;

	pthread_once(&once, allocate);
	if (!kept)
		return getpid();
	id = atomic_load_explicit(kept, memory_order_relaxed);
	if (!id) {
		id = getpid();
		atomic_store_explicit(kept, id, memory_order_relaxed);
	}
	return id;
}
