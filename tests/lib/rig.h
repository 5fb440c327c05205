/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver service to test: in this process when $DEXT_TEST_TRANSPORT is "local", otherwise a new
 * dextd ($DEXTD is the program).
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

/* Start it with these specifications (NULL at the end), and set $DEXT_SOCKET to its socket. */
bool rig_start(struct rig *rig, const char *const *specs);
/* Stop it; false when dextd did not exit cleanly. */
bool rig_stop(struct rig *rig);
/* Setup of a group of cmocka tests: rig_start(); teardown by rig_stop_group(). */
int rig_start_group(void **state, struct rig *rig, const char *const *specs);
/* Teardown of that group. */
int rig_stop_group(void **state);
/* Kill dextd with SIGKILL. */
void rig_kill(struct rig *rig);

/* Start dextd again after rig_kill(), with the same socket. */
bool rig_restart(struct rig *rig, const char *const *specs);

/*
 * Setup of a cmocka test, for the device at 01:00.0: waits until the service has released what the
 * connections of the test before held, as a disconnect completes asynchronously.
 */
int rig_await_idle(void **state);

/* Number of descriptors, mappings and threads of a process. */
struct rig_resources {
	unsigned descriptors, mappings, threads;
	unsigned memory_kb; /* resident and private */
};
struct rig_resources rig_resources(pid_t process);
/*
 * Wait, at most @seconds, until @process holds no more than @before. Memory may have grown by
 * RIG_MEMORY_SLACK_KB, which allocators keep.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_MEMORY_SLACK_KB (512u << 10) /* freed memory is quarantined */
#else
#define RIG_MEMORY_SLACK_KB 4096u
#endif
bool rig_wait_resources(pid_t process, const struct rig_resources *before, unsigned seconds);

#endif
