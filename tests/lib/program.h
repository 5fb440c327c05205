/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that a test starts. They are killed when the test ends. */
#ifndef TESTS_LIB_PROGRAM_H
#define TESTS_LIB_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * program_start - run a program
 * @argv: at most 64 arguments, ends with NULL; argv[0] is its path
 * @prepare: called in the child before exec; NULL for none
 *
 * A program that cannot be executed exits with status 127. Return: its PID; -1 on failure.
 */
pid_t program_start(
	const char *const *argv, void (*prepare)(const void *context), const void *context);
/**
 * program_end - send a signal, and wait. Return: the exit status, or 128 + the signal that ended
 * it.
 */
int program_end(pid_t program, int signal);
/**
 * program_wait_listening - wait up to 20 s until a process listens on the socket @path
 *
 * Does not connect. Return: false when no process listens, or when @program, unless it is 0, has
 * ended.
 */
bool program_wait_listening(const char *path, pid_t program);

#endif
