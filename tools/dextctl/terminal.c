/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting until a signal or a key ends a command, and the screen of a terminal. */
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

/* A byte in this pipe ends ctl_wait(). It is created before anybody writes to it. */
static int wake_fds[2] = { -1, -1 };

void ctl_wake(void)
{
	int saved = errno;
	/* If the pipe is full, ctl_wait() ends anyway. */
	ssize_t written = write(wake_fds[1], "", 1);

	(void)written;
	errno = saved;
}

/* The mode of standard input before ctl_read_keys(). */
static struct termios saved_mode;
static volatile sig_atomic_t reads_keys;

static void restore_mode(void)
{
	if (reads_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
	reads_keys = false;
}

/* The next signal may end the program, so this one restores the terminal. */
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
	/* SA_RESTART: a write of output that is interrupted continues. */
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

	/* A background process that changes its terminal's mode is stopped. */
	if (isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
		tcgetattr(STDIN_FILENO, &saved_mode) < 0)
		return;
	mode = saved_mode;
	mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	reads_keys = true;
	/* TCSADRAIN does not discard a q that was typed before. */
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) < 0)
		reads_keys = false;
	atexit(restore_mode);
}

/* Return: true if q was typed. */
static bool take_keys(void)
{
	char keys[64];
	ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));

	if (got > 0)
		return memchr(keys, 'q', (size_t)got) || memchr(keys, 'Q', (size_t)got);
	if (got == 0 || errno != EINTR)
		restore_mode(); /* the terminal was closed: do not poll it again */
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

		/* The byte stays in the pipe, for later calls. */
		if (ready > 0 && fds[1].revents && take_keys())
			ctl_wake();
		else if (ready > 0 && fds[0].revents)
			return true;
		else if (!left)
			return false;
	}
}

/* --- The screen ----------------------------------------------------------------- */

/* Erase the screen, move to its top left, erase to the end of the line, of the screen. */
#define ERASE	   "\033[2J"
#define HOME	   "\033[H"
#define ERASE_LINE "\033[K"
#define ERASE_REST "\033[J"
/* Truncate lines at the right edge, or wrap them. */
#define CUT  "\033[?7l"
#define WRAP "\033[?7h"

void screen_begin(struct screen *screen, FILE *out)
{
	const char *kind = getenv("TERM");

	*screen = (struct screen){ .out = out,
		.terminal =
			isatty(fileno(out)) == 1 && kind && *kind && strcmp(kind, "dumb") != 0 };
}

static void replace_text(const struct screen *screen, const char *text)
{
	struct winsize size = { 0 };
	unsigned left = ~0u;

	/* The cursor takes the last line. */
	if (ioctl(fileno(screen->out), TIOCGWINSZ, &size) == 0 && size.ws_row > 1)
		left = size.ws_row - 1u;
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
	if (screen->terminal)
		replace_text(screen, text);
	else
		fprintf(screen->out, "%s%s", screen->shown ? "\n" : "", text);
	screen->shown++;
	fflush(screen->out);
}
