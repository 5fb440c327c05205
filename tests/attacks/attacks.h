/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attacks on dextd and dext-vfio-user, by peers that have the wire in their hands.
 *
 * The runner (runner.c) starts the real program, an honest client (honest.c) that works
 * with a device of its own all the time, and then runs an attack, round after round, in
 * processes of its own. An attack fails when it says itself that it got through, and also
 * when
 *  - the honest client loses a call, a session, an interrupt, data, or makes no progress;
 *  - the program holds more descriptors, mappings, threads or memory once the attackers
 *    are gone;
 *  - SIGTERM does not end the program while the attackers are still connected.
 *
 * How to add one: write a function, name it in the array of its family (or in a file of its
 * own: its array goes into families[] in runner.c and its name into meson.build), done.
 *
 *	static void flood(const struct victim *victim)
 *	{
 *		struct peer peer;
 *
 *		if (!peer_open(&peer, victim->service, ATTACKED_BUS))
 *			got_through("the service no longer serves");
 *		for (int i = 0; i < 100000; i++)
 *			peer_scalars(&peer, DEXT_SELECTOR_GetIdentity, NULL, 0, NULL, 0);
 *	}
 *
 *	const struct attack attacks_flood[] = {
 *		{ .name = "flood/calls", .tries = "to starve others by calls", .run = flood },
 *		{ .name = NULL },
 *	};
 *
 * Nothing has to be closed or freed: when run() returns, or has called got_through(), the
 * process stays as it is, connected and with all that it holds, until the runner ends it
 * (threads too: what they use must be static).
 * attacker.h has the raw protocol of the service, descriptors.h unpleasant descriptors, and
 * tests/lib/vfio-user-client.h the raw protocol of dext-vfio-user.
 */
#ifndef TESTS_ATTACKS_H
#define TESTS_ATTACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The devices, by bus number: all of them are xx:00.0. */
enum {
	HONEST_BUS = 1,	   /* the honest client has claimed it exclusively */
	ATTACKED_BUS = 2,  /* for attackers to use */
	BYSTANDER_BUS = 3, /* the honest client claims and leaves it, again and again */
};

/* What an attack is aimed at. */
struct victim {
	pid_t pid;		      /* of the program */
	const char *folder;	      /* everybody may make files there */
	const char *service;	      /* dextd's socket; NULL for attacks on dext-vfio-user */
	const char *vfio_user;	      /* dext-vfio-user's socket of the attacked device */
	const char *honest_vfio_user; /* and of the honest client's */
};

enum attack_target { ON_DEXTD, ON_VFIO_USER };

/* Whom an attack runs as. Where the tests do not run as root, there is one user alone. */
enum attack_user {
	AS_STRANGER,	  /* another user than the service's, who may connect */
	AS_SERVICE,	  /* the service's user */
	AS_ROOT,	  /* root; skipped for others */
	AS_STRANGER_ONLY, /* another user; skipped where there is none */
};

struct attack {
	const char *name;  /* family/what; NULL ends an array */
	const char *tries; /* what the attacker is after, in a few words */
	enum attack_target target;
	enum attack_user user;
	unsigned processes; /* it runs in so many at once; 0 is 1 */
	/* The kernel may keep a thread of the program: what checks for leaks would wait for it. */
	bool keeps_thread;
	void (*run)(const struct victim *victim);
	const char *gets_through; /* why it is not run by default; NULL: it is */
};

/* Say that the attack succeeded, and stay until the runner ends this process. */
_Noreturn void __attribute__((format(printf, 1, 2))) got_through(const char *format, ...);
/* Say that it cannot be tried here, and likewise. */
_Noreturn void __attribute__((format(printf, 1, 2))) attack_skip(const char *format, ...);

/* Patience for what must happen: long, since a machine may be loaded; only a hang exceeds it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ATTACK_PATIENCE_SECONDS 60
#else
#define ATTACK_PATIENCE_SECONDS 20
#endif

/* Run @act in a process of its own, which ends when it returns. Return: its number. */
pid_t accomplice_start(void (*act)(const void *context), const void *context);
/* Wait until it has ended; false when it does not within ATTACK_PATIENCE_SECONDS. */
bool accomplice_wait(pid_t accomplice);

extern const struct attack attacks_descriptors[], attacks_exclusive[], attacks_exhaustion[],
	attacks_memory[], attacks_output[], attacks_paths[], attacks_stall[], attacks_vfio_user[];

#endif
