/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that is shown again and again: in place on a terminal, one after the other elsewhere. */
#ifndef TOOLS_DEXTCTL_SCREEN_H
#define TOOLS_DEXTCTL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

struct screen {
	FILE *out;
	bool terminal;		/* in place */
	unsigned lines;		/* that fit; 0 when it is not known */
	unsigned shown;		/* how often something was */
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
