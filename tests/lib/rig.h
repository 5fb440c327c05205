/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver to test against: in this process when $DEXT_TEST_TRANSPORT is "local",
 * else a dextd of one's own ($DEXTD is the program).
 */
#ifndef TESTS_LIB_RIG_H
#define TESTS_LIB_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct dext_driver;

#define RIG_DEVICES_MAX 4

struct rig {
	bool local;
	pid_t dextd;
	char folder[64], socket[96];
	struct dext_driver *drivers[RIG_DEVICES_MAX];
	size_t driver_count;
};

/* Start it with these specifications (ends with NULL) and point this process at it. */
bool rig_start(struct rig *rig, const char *const *specs);
/* End it; false when dextd did not end cleanly. */
bool rig_stop(struct rig *rig);
/* The setup of a group of cmocka tests: rig_start(), for rig_stop_group(). */
int rig_start_group(void **state, struct rig *rig, const char *const *specs);
/* The teardown of that group. */
int rig_stop_group(void **state);
/* Kill dextd, as a crash would. */
void rig_kill(struct rig *rig);

/* Start dextd again after rig_kill(), at the same place. */
bool rig_restart(struct rig *rig, const char *const *specs);

/*
 * The setup of a cmocka test, for the device at 01:00.0. A disconnect is carried out a
 * moment later by the other side: the test begins when what the one before it held has gone.
 */
int rig_quiet(void **state);

/* How many descriptors, mappings and threads a process has. */
struct rig_holdings {
	unsigned descriptors, mappings, threads;
	unsigned memory_kb; /* resident and its own */
};
struct rig_holdings rig_holdings(pid_t process);
/*
 * Wait until @process holds no more than @before, for @seconds at the most. Memory may
 * have grown by what an allocator keeps: RIG_MEMORY_SLACK_KB.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_MEMORY_SLACK_KB (512u << 10) /* what is freed is kept for a while */
#else
#define RIG_MEMORY_SLACK_KB 4096u
#endif
bool rig_wait_holdings(pid_t process, const struct rig_holdings *before, unsigned seconds);

#endif
