/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that go on until somebody ends them: Ctrl-C, SIGTERM, or they themselves. */
#ifndef TOOLS_DEXTCTL_TERMINAL_H
#define TOOLS_DEXTCTL_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/**
 * ctl_catch_signals - from now on SIGINT and SIGTERM end ctl_wait(); once, for a second
 * one ends the program, wherever it is stuck
 *
 * Return: true; false when it has said why not.
 */
bool ctl_catch_signals(void);

/** ctl_wake - end ctl_wait(), from any thread or from a signal handler. */
void ctl_wake(void);

/**
 * ctl_read_keys - from now on q ends ctl_wait() too, where standard input is a terminal
 *
 * The terminal is restored at the end of the program, at the first signal already.
 */
void ctl_read_keys(void);

/**
 * ctl_wait - wait up to @ms
 *
 * Return: true when it is time to end, now and ever after.
 */
bool ctl_wait(int ms);

/* --- The screen ----------------------------------------------------------------- */

/*
 * Text that is shown again and again: in place on a terminal, one after the
 * other elsewhere.
 */

struct screen {
	FILE *out;
	bool terminal;	/* in place: one whose TERM is set and not dumb */
	unsigned lines; /* that fit; 0 when it is not known */
	unsigned shown; /* how often something was */
};

/** screen_begin - find out what @out is. */
void screen_begin(struct screen *screen, FILE *out);
/**
 * screen_show - show @text, whole lines, in place of what was shown before
 *
 * What does not fit on the terminal is left out. Elsewhere an empty line goes before
 * all but the first.
 */
void screen_show(struct screen *screen, const char *text);

#endif
