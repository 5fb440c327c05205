/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that a test starts. They die with the test. */
#ifndef TESTS_LIB_PROGRAM_H
#define TESTS_LIB_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * program_start - run a program
 * @argv: ends with NULL; argv[0] is its path
 * @prepare: called in the child before the program is executed; NULL for none
 *
 * A program that cannot be executed exits with status 127. Return: its process; -1 on failure.
 */
pid_t program_start(
	const char *const *argv, void (*prepare)(const void *context), const void *context);
/** program_end - send a signal, and wait. Return: the exit status; 128 + a signal's number. */
int program_end(pid_t program, int signal);
/**
 * program_wait_listening - wait up to 20 s until a process listens on the socket @path
 *
 * Asks the kernel, without connecting. Return: false when nobody listens, or when @program, unless
 * it is 0, has ended.
 */
bool program_wait_listening(const char *path, pid_t program);

#endif
