/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver service in the process of the harness: drivers of software devices, sessions on socket
 * pairs, and checks that all resources are released.
 */
#ifndef TESTS_FUZZ_SERVICE_RIG_H
#define TESTS_FUZZ_SERVICE_RIG_H

#include <stdbool.h>
#include <stdint.h>

enum { RIG_DEVICES = 4 };
enum { RIG_SESSIONS = 2 };

/* The action of another client, which is in this process, on a device. */
enum rig_other { RIG_OTHER_IDLE, RIG_OTHER_CLAIMS, RIG_OTHER_EXCLUDES, RIG_OTHER_INTERRUPTED };

/* Create the objects that are used for all inputs. Only the first call has an effect. */
void rig_start(void);
uint64_t rig_entry(unsigned device);
void rig_other(unsigned device, enum rig_other what);
/* Require that the resources of all sessions are released. Recreates a terminated driver. */
void rig_require_clean(void);

/*
 * Sessions. Messages are queued at the client's end. A session that is not live runs in rig_end(),
 * on the calling thread, without a wake-up of another thread. A live session runs on its own thread
 * while messages are being queued.
 */
void rig_begin(bool live);
int rig_client_end(unsigned session);
/*
 * The session holds a descriptor of the client's end, which it received as a port. Then the socket
 * is never closed by the client's exit, and the session must detect the exit by other means (a
 * pidfd).
 */
void rig_holds_itself(unsigned session);
/* The client closes its end now, without reading replies. */
void rig_disconnect(unsigned session);
/* End all sessions, and require that all replies and events are valid. */
void rig_end(void);

#endif
