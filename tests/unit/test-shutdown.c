/* SPDX-License-Identifier: BSD-3-Clause */
/* A shutdown that does not complete. */
#include "tools/shutdown.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/stall.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(int signal)
{
	(void)signal;
	shutdown_begin();
}

/* Block, in a page fault where userfaultfd is available. */
static void block(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct stall stall;

	if (!shutdown_init("a-daemon"))
		_exit(3);
	sigaction(SIGTERM, &action, NULL);
	shutdown_phase("a page");
	raise(SIGTERM);
	raise(SIGTERM);
	if (stall_begin(&stall, 4096))
		*(volatile char *)stall.memory = 1;
	for (;;)
		pause();
}

static void test_a_process_that_is_stuck_ends(void **state)
{
	char line[256] = "";
	int output[2], status = 0;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(output), 0);
	child = fork();
	if (child == 0) {
		dup2(output[1], STDERR_FILENO);
		close(output[1]);
		block();
	}
	close(output[1]);
	while ((got = read(output[0], line + length, sizeof(line) - 1 - length)) > 0)
		length += (size_t)got;
	assert_string_equal(line, "a-daemon: not shut down within 4 seconds, "
				  "still waiting for a page: exiting anyway\n");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	close(output[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_process_that_is_stuck_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
