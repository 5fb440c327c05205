/* SPDX-License-Identifier: BSD-3-Clause */
/* What dext-vfio-user was asked to do: by its command line, or by a file of such lines. */
#ifndef TOOLS_DEXT_VFIO_USER_OPTIONS_H
#define TOOLS_DEXT_VFIO_USER_OPTIONS_H

#include "common/pci-address.h"
#include "tools/option-table.h"
#include "vfio-user/vfio-user.h"

/* One device to be served. */
struct entry {
	char where[288]; /* "FILE:LINE: ", or nothing, for errors */
	char *socket;
	char *spec;	    /* of a device of this program's own, */
	char *address_text; /* or the address of a driver service's */
	struct pci_address address;
	struct vu_device_options device;
};

struct options {
	struct entry *entries;
	size_t count;
	char *driver; /* the driver service's socket; NULL: the usual one */
	bool sandbox;
};

/**
 * options_parse - understand the command line, and the file that it names
 * @options: filled in; for options_free() in any case
 *
 * What is wrong has been said in one line.
 *
 * Return: -1 to go on, or the exit status: also of --help and --version.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

/** option_error - say what is wrong with the command line, or with a line of the file. */
int option_error(const char *where, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- Between the command line and the file ---------------------------------------- */

/**
 * options_add - one more device
 * @where: goes in front of errors
 * @argv: options of one device alone, as on the command line; [0] is not looked at
 *
 * Return: -1, or the exit status.
 */
int options_add(struct options *options, const char *where, int argc, char **argv);

/**
 * options_read_file - add the devices of a file
 *
 * A line is a device, with its options as on the command line; words are separated by
 * blanks, and '...' or "..." keeps what is inside together. What follows a # at the
 * beginning of a word is a comment.
 *
 * Return: -1, or the exit status.
 */
int options_read_file(struct options *options, const char *path);

#endif
