/* SPDX-License-Identifier: BSD-3-Clause */
/* The program under attack: dextd, or dext-vfio-user with an embedded driver. */
#ifndef TESTS_ATTACKS_VICTIM_H
#define TESTS_ATTACKS_VICTIM_H

#include "tests/attacks/attacks.h"

struct victim_program {
	struct victim victim;
	char folder[64], service[96], vfio_user[96], honest_vfio_user[96], log[96];
};

/* Group of attackers of another user; dextd lets its members connect. */
#define STRANGER 65534

/*
 * Start it with the three devices and a low limit of descriptors. The program is $DEXTD or
 * $DEXT_VFIO_USER, otherwise that of this build directory.
 */
bool victim_start(struct victim_program *program, const struct attack *attack);
/*
 * Send SIGTERM, and wait until it has exited. A thread may be left in the kernel, in close() of a
 * descriptor of an attacker's file system, which cannot be killed. Return: the milliseconds that
 * it took; -1 after a timeout.
 */
int victim_terminate(struct victim_program *program);
/* After the attackers have ended: its exit status; -1 when it has not exited. */
int victim_status(struct victim_program *program);
/* Whether it has exited without a signal of the test. */
bool victim_has_ended(struct victim_program *program);
/* Print the end of its log. */
void victim_print_log(const struct victim_program *program);
/* Kill it if it still runs, and remove its folder. */
void victim_remove(struct victim_program *program);
/* Path of a program of this build. */
const char *victim_program_path(enum attack_target target);

#endif
