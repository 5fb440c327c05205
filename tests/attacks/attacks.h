/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attacks on dextd and dext-vfio-user, by peers that send raw messages.
 *
 * The runner (runner.c) starts the real program, an honest client (honest.c) that works
 * with its own device all the time, and then runs an attack, round after round, in
 * separate processes. An attack fails when it reports itself that it succeeded, and also
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
 * attacker.h has the raw protocol of the service, descriptors.h descriptors that block, and
 * tests/lib/vfio-user-client.h the raw protocol of dext-vfio-user.
 */
#ifndef TESTS_ATTACKS_H
#define TESTS_ATTACKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Bus numbers of the devices: each is at xx:00.0. */
enum {
	HONEST_BUS = 1,	   /* claimed exclusively by the honest client */
	ATTACKED_BUS = 2,  /* for attackers */
	BYSTANDER_BUS = 3, /* claimed and released repeatedly by the honest client */
};

/* The target of an attack. */
struct victim {
	pid_t pid;		      /* of the program */
	const char *folder;	      /* writable for all users */
	const char *service;	      /* dextd's socket; NULL for attacks on dext-vfio-user */
	const char *vfio_user;	      /* dext-vfio-user's socket of the attacked device */
	const char *honest_vfio_user; /* and that of the honest client */
};

enum attack_target { ON_DEXTD, ON_VFIO_USER };

/* The user of an attack. Where the tests do not run as root, there is only one user. */
enum attack_user {
	AS_STRANGER,	  /* another user than the service's, with permission to connect */
	AS_SERVICE,	  /* the service's user */
	AS_ROOT,	  /* root; skipped for others */
	AS_STRANGER_ONLY, /* another user; skipped where there is none */
};

struct attack {
	const char *name;  /* family/what; NULL ends an array */
	const char *tries; /* purpose of the attacker, in a few words */
	enum attack_target target;
	enum attack_user user;
	unsigned processes; /* number of concurrent processes; 0 is 1 */
	/* The kernel may keep a thread of the program: the check for leaks would wait for it. */
	bool keeps_thread;
	void (*run)(const struct victim *victim);
	const char *gets_through; /* reason why it is not run by default; NULL: it is run */
};

/* Report that the attack succeeded, and block until the runner ends this process. */
_Noreturn void __attribute__((format(printf, 1, 2))) got_through(const char *format, ...);
/* Report that it cannot be tried here, and block likewise. */
_Noreturn void __attribute__((format(printf, 1, 2))) attack_skip(const char *format, ...);

/* Limit of each wait, long enough for a loaded machine: only a hang exceeds it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ATTACK_TIMEOUT_SECONDS 60
#else
#define ATTACK_TIMEOUT_SECONDS 20
#endif

/* Run @act in a new process, which exits when it returns. Return: its PID. */
pid_t accomplice_start(void (*act)(const void *context), const void *context);
/* Wait until it has exited; false after ATTACK_TIMEOUT_SECONDS. */
bool accomplice_wait(pid_t accomplice);

extern const struct attack attacks_descriptors[], attacks_exclusive[], attacks_exhaustion[],
	attacks_memory[], attacks_output[], attacks_paths[], attacks_stall[], attacks_vfio_user[];

#endif
