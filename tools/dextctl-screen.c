/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-screen.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Of a terminal: erase it all; go to its beginning; erase the rest of a line, of all lines. */
#define ERASE	   "\033[2J"
#define HOME	   "\033[H"
#define ERASE_LINE "\033[K"
#define ERASE_REST "\033[J"
/* Cut lines off at the right end, or go on in the next. */
#define CUT  "\033[?7l"
#define WRAP "\033[?7h"

static unsigned terminal_lines(FILE *out)
{
	struct winsize size = {0};

	return ioctl(fileno(out), TIOCGWINSZ, &size) < 0 ? 0 : size.ws_row;
}

void screen_begin(struct screen *screen, FILE *out)
{
	*screen = (struct screen){.out = out, .terminal = isatty(fileno(out)) == 1};
}

static void show_in_place(struct screen *screen, const char *text)
{
	/* The last line is left to the cursor. */
	unsigned left = screen->lines > 1 ? screen->lines - 1 : ~0u;

	fprintf(screen->out, "%s%s%s", screen->shown ? "" : ERASE, HOME, CUT);
	for (; *text && left; left--) {
		size_t length = strcspn(text, "\n");

		fprintf(screen->out, "%.*s%s\n", (int)length, text, ERASE_LINE);
		text += length + (text[length] == '\n');
	}
	fputs(ERASE_REST WRAP, screen->out);
}

void screen_show(struct screen *screen, const char *text)
{
	if (screen->terminal) {
		screen->lines = terminal_lines(screen->out);
		show_in_place(screen, text);
	} else {
		fprintf(screen->out, "%s%s", screen->shown ? "\n" : "", text);
	}
	screen->shown++;
	fflush(screen->out);
}
