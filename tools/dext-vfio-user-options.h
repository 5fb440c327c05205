/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of dext-vfio-user, and the file of --config. */
#ifndef TOOLS_DEXT_VFIO_USER_OPTIONS_H
#define TOOLS_DEXT_VFIO_USER_OPTIONS_H

#include "common/pci-address.h"
#include "tools/option-table.h"
#include "vfio-user/vfio-user.h"

/* A device to serve. */
struct entry {
	char where[288]; /* the beginning of errors: "FILE:LINE: ", or "" */
	char *socket;
	char *spec;	    /* of a device that this program creates; NULL: see below */
	char *address_text; /* of a device of a driver service; NULL: see above */
	struct pci_address address;
	struct vu_device_options device;
};

struct options {
	struct entry *entries;
	size_t count;
	const char *driver; /* the socket of the driver service; NULL: the default */
	bool sandbox;
};

/**
 * options_parse - parse the command line, and the file of --config
 * @options: filled in; for options_free(), also after an error
 *
 * Each line of the file is a device, with its options as on the command line. Words are separated
 * by blanks; '...' and "..." quote blanks. A # at the beginning of a word begins a comment.
 *
 * Return: OPTIONS_CONTINUE, or the exit status: of --help and --version, or of a printed error.
 */
int options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

#endif
