/* SPDX-License-Identifier: BSD-3-Clause */
/* Standard output and standard error of a command that runs in the test's own process. */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

/* Write both to memory from now on. */
void capture_begin(void);
/* Restore them. *@output and *@errors, which are freed first, are set to what was written. */
void capture_end(char **output, char **errors);

#endif
