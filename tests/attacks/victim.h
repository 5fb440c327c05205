/* SPDX-License-Identifier: BSD-3-Clause */
/* The program under attack: dextd, or dext-vfio-user with the driver inside. */
#ifndef TESTS_ATTACKS_VICTIM_H
#define TESTS_ATTACKS_VICTIM_H

#include "tests/attacks/attacks.h"

struct victim_program {
	struct victim victim;
	char folder[64], service[96], vfio_user[96], honest_vfio_user[96], log[96];
};

/* The group that attackers of another user belong to; dextd lets its members connect. */
#define STRANGER 65534

/*
 * Start it with the three devices, under a limit of descriptors low enough to be reached.
 * Where it is: $DEXTD or $DEXT_VFIO_USER, else in the build directory of this program.
 */
bool victim_start(struct victim_program *program, const struct attack *attack);
/*
 * SIGTERM, and wait until it has exited. A thread of it may be left in the kernel, which closes
 * a descriptor that an attacker's file system does not let go of: nobody can end that one.
 * Return: the milliseconds that it took; -1 when it does not exit in time.
 */
int victim_terminate(struct victim_program *program);
/* Once the attackers are gone: the status that it has ended with; -1 when it has not. */
int victim_status(struct victim_program *program);
/* Whether it has ended by itself. */
bool victim_has_ended(struct victim_program *program);
/* Print the end of its log. */
void victim_print_log(const struct victim_program *program);
/* Kill it if it still runs, and remove its folder. */
void victim_remove(struct victim_program *program);
/* Where a program of this build is. */
const char *victim_program_path(enum attack_target target);

#endif
