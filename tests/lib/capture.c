/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/lib/capture.h"

#include <stdio.h>
#include <stdlib.h>

static FILE *real_out, *real_err;
static char *out_text, *err_text;
static size_t out_size, err_size;

void capture_begin(void)
{
	real_out = stdout;
	real_err = stderr;
	stdout = open_memstream(&out_text, &out_size);
	stderr = open_memstream(&err_text, &err_size);
}

void capture_end(char **output, char **errors)
{
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_err;
	free(*output);
	free(*errors);
	*output = out_text;
	*errors = err_text;
}
