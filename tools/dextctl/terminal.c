/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that go on until somebody ends them, and the terminal that they show things on. */
#include "tools/dextctl/terminal.h"
#include "tools/cli.h"
#include "tools/dextctl/format.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Whoever wakes writes to it. Set once, before anybody can. */
static int wake_fds[2] = { -1, -1 };

void ctl_wake(void)
{
	int saved = errno;
	/* A full pipe wakes as well. */
	ssize_t written = write(wake_fds[1], "", 1);

	(void)written;
	errno = saved;
}

/* The terminal whose keys are read one by one, and how it was before. */
static struct termios saved_mode;
static volatile sig_atomic_t reads_keys;

static void restore_mode(void)
{
	if (reads_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
	reads_keys = false;
}

/* Restores the terminal itself, since the next signal may end the program on the spot. */
static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	restore_mode();
	errno = saved;
	ctl_wake();
}

bool ctl_catch_signals(void)
{
	/* Restarted, so that output that is just being written is not cut off. */
	struct sigaction action = { .sa_handler = on_signal,
		.sa_flags = (int)(SA_RESTART | SA_RESETHAND) };

	if (pipe2(wake_fds, O_CLOEXEC) < 0 || fcntl(wake_fds[1], F_SETFL, O_NONBLOCK) < 0) {
		cli_error("pipe: %s", strerror(errno));
		return false;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return true;
}

void ctl_read_keys(void)
{
	struct termios mode;

	/* In the background a terminal is another's, and to touch it stops the program. */
	if (isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
		tcgetattr(STDIN_FILENO, &saved_mode) < 0)
		return;
	mode = saved_mode;
	mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	reads_keys = true;
	/* Not flushed: a q that was typed early counts. */
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) < 0)
		reads_keys = false;
	atexit(restore_mode);
}

/* What was typed: true when it was a q. */
static bool take_keys(void)
{
	char keys[64];
	ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));

	if (got > 0)
		return memchr(keys, 'q', (size_t)got) || memchr(keys, 'Q', (size_t)got);
	if (got == 0 || errno != EINTR)
		restore_mode(); /* the terminal has gone: its keys are not waited for again */
	return false;
}

bool ctl_wait(int ms)
{
	uint64_t end = clock_now(CLOCK_MONOTONIC) + (uint64_t)ms * 1000000u;

	for (;;) {
		struct pollfd fds[] = { { .fd = wake_fds[0], .events = POLLIN },
			{ .fd = reads_keys ? STDIN_FILENO : -1, .events = POLLIN } };
		uint64_t now = clock_now(CLOCK_MONOTONIC);
		int left = now < end ? (int)((end - now + 999999u) / 1000000u) : 0;
		int ready = poll(fds, 2, left);

		/* What woke stays in the pipe. */
		if (ready > 0 && fds[1].revents && take_keys())
			ctl_wake();
		else if (ready > 0 && fds[0].revents)
			return true;
		else if (!left)
			return false;
	}
}

/* --- The screen ----------------------------------------------------------------- */

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
	struct winsize size = { 0 };

	return ioctl(fileno(out), TIOCGWINSZ, &size) < 0 ? 0 : size.ws_row;
}

/* Whether @out is a terminal that knows the sequences above. */
static bool in_place(FILE *out)
{
	const char *kind = getenv("TERM");

	return isatty(fileno(out)) == 1 && kind && *kind && strcmp(kind, "dumb") != 0;
}

void screen_begin(struct screen *screen, FILE *out)
{
	*screen = (struct screen){ .out = out, .terminal = in_place(out) };
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
