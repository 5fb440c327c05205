/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver service in the harness's own process: drivers of two software devices,
 * sessions over socket pairs, and a check of the resources that are left afterwards.
 */
#ifndef TESTS_FUZZ_SERVICE_RIG_H
#define TESTS_FUZZ_SERVICE_RIG_H

#include <stdbool.h>
#include <stdint.h>

enum { RIG_DEVICES = 4 };
enum { RIG_SESSIONS = 2 };

/* What another client, in this process, does with a device meanwhile. */
enum rig_other { RIG_OTHER_IDLE, RIG_OTHER_CLAIMS, RIG_OTHER_EXCLUDES, RIG_OTHER_INTERRUPTED };

/* Make what lasts from input to input. Calls after the first do nothing. */
void rig_start(void);
uint64_t rig_entry(unsigned device);
void rig_other(unsigned device, enum rig_other what);
/* Require that no session has left anything behind; a terminated driver is made anew. */
void rig_require_clean(void);

/*
 * Sessions. Messages are queued at the client's end. A session that is not live runs
 * in rig_end(), on this thread, which no thread has to be woken for; live ones run on
 * threads of their own while messages are still being queued.
 */
void rig_begin(bool live);
int rig_client_end(unsigned session);
/*
 * The session itself holds the client's end, which it was given as a port: no end of it
 * can be seen, and the client's process, when it dies, is what has to be watched.
 */
void rig_holds_itself(unsigned session);
/* The client goes now, and reads no answer. */
void rig_disconnect(unsigned session);
/* End all sessions, and require that every answer and event holds together. */
void rig_end(void);

#endif
