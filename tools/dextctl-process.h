/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes that are clients: what they are called. */
#ifndef TOOLS_DEXTCTL_PROCESS_H
#define TOOLS_DEXTCTL_PROCESS_H

#include <stdint.h>

#define PROCESS_NAME_SIZE 32
#define PROCESS_ID_SIZE	  sizeof("-2147483648")

/**
 * process_name - what a process is called, in printable characters
 *
 * Return: @text; NULL where that is not known, as of a process that has gone.
 */
const char *process_name(int32_t pid, char text[PROCESS_NAME_SIZE]);

/** process_id - its number as text; "-" where it is not known (0). Return: @text. */
const char *process_id(int32_t pid, char text[PROCESS_ID_SIZE]);

#endif
