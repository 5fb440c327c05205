/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that go on until somebody ends them, and the terminal that they show things on. */
#include "tools/cli.h"
#include "tools/dextctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Whoever wakes writes to it. Set once, before anybody can. */
static int wake_fds[2] = {-1, -1};

void ctl_wake(void)
{
	int saved = errno;
	/* A full pipe wakes as well. */
	ssize_t written = write(wake_fds[1], "", 1);

	(void)written;
	errno = saved;
}

static void on_signal(int number)
{
	(void)number;
	ctl_wake();
}

bool ctl_catch_signals(void)
{
	/* Restarted, so that output that is just being written is not cut off. */
	struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};

	if (pipe2(wake_fds, O_CLOEXEC) < 0 || fcntl(wake_fds[1], F_SETFL, O_NONBLOCK) < 0) {
		cli_error("pipe: %s", strerror(errno));
		return false;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return true;
}

bool ctl_wait(int ms)
{
	struct pollfd poll_fd = {.fd = wake_fds[0], .events = POLLIN};

	/* What woke stays in the pipe. */
	return poll(&poll_fd, 1, ms) > 0;
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
