/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that run until a signal or a key ends them, and the screen of a terminal. */
#ifndef TOOLS_DEXTCTL_TERMINAL_H
#define TOOLS_DEXTCTL_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/**
 * ctl_catch_signals - let SIGINT and SIGTERM end ctl_wait()
 *
 * A second one ends the program, whatever it does.
 *
 * Return: false if that failed: an error has been printed.
 */
bool ctl_catch_signals(void);

/** ctl_wake - end ctl_wait(); from any thread or signal handler. */
void ctl_wake(void);

/**
 * ctl_read_keys - let the key q end ctl_wait(), if standard input is a terminal
 *
 * The terminal's mode is restored at the first signal and when the program exits.
 */
void ctl_read_keys(void);

/** ctl_wait - wait up to @ms. Return: true if the command is to end, also in all later calls. */
bool ctl_wait(int ms);

/* --- The screen ----------------------------------------------------------------- */

struct screen {
	FILE *out;
	bool terminal;	/* with cursor control: TERM is set and not dumb */
	unsigned shown; /* number of texts */
};

/** screen_begin - begin output on @out. */
void screen_begin(struct screen *screen, FILE *out);
/**
 * screen_show - print @text, which is whole lines
 *
 * On a terminal it replaces the text before, and lines that do not fit are left out. Elsewhere it
 * is printed after the text before and an empty line.
 */
void screen_show(struct screen *screen, const char *text);

#endif
