/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the commands of dextctl share. A command is a struct ctl_command, defined in the file of
 * its concern, and a row of the table in main.c.
 *
 * Variables named status are a kern_return_t; the exit status of the program is exit_status.
 */
#ifndef TOOLS_DEXTCTL_H
#define TOOLS_DEXTCTL_H

#include "common/pci-address.h"
#include "tools/cli.h"
#include "tools/dextctl/config-space.h"

#include <apple-dext-client.h>

/* Exit statuses. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
};

struct ctl_options {
	bool json, numeric, help;
	bool host; /* list the devices of this host */
	const char *socket;
	uint64_t width;	  /* in bytes: 1, 2, 4 or 8; 0: not given */
	uint64_t count;	  /* 0: not given, no end */
	const char *mask; /* a list of vectors, not yet parsed; NULL: not given */
};

/* The options that only some commands take; bits of struct ctl_command.options. */
#define CTL_TAKES_WIDTH 1u
#define CTL_TAKES_COUNT 2u
#define CTL_TAKES_MASK	4u
#define CTL_TAKES_HOST	8u

struct ctl_command {
	const char *name;      /* one word or two: "list", "config read" */
	const char *arguments; /* for the usage line: "ADDR BAR [OFFSET]"; "" for none */
	unsigned options;
	const char *summary;  /* for the list of commands */
	const char *help;     /* lines, each with a newline */
	const char *examples; /* lines "dextctl ...", each with a newline */
	/* @arguments has as many as the usage line says, and a NULL. */
	enum ctl_exit (*run)(const struct ctl_options *options, char **arguments);
};

extern const struct ctl_command ctl_list, ctl_info, ctl_config_read, ctl_config_write,
	ctl_config_dump, ctl_bar_read, ctl_bar_write, ctl_bar_dump, ctl_dma, ctl_irq_watch,
	ctl_irq_trigger, ctl_reset, ctl_remove, ctl_trace, ctl_top, ctl_bind, ctl_unbind;

/** ctl_list_host - dextctl list --host (bind.c). */
enum ctl_exit ctl_list_host(const struct ctl_options *options);

/* --- Options, arguments and help: options.c -------------------------------------- */

/**
 * ctl_parse_options - parse the options in @argv
 * @options: filled in
 * @given: set to the CTL_TAKES_* bits of the options found
 *
 * Arguments are moved to the end of @argv, from optind on.
 *
 * Return: OPTIONS_CONTINUE, or the exit status: of --version, or of a printed error.
 */
int ctl_parse_options(int argc, char **argv, struct ctl_options *options, unsigned *given);
/** ctl_check_given - false, with an error, if @command does not take all options of @given. */
bool ctl_check_given(const struct ctl_command *command, unsigned given);

/** ctl_print_usage - print the help on the program; @commands ends with NULL. */
void ctl_print_usage(const struct ctl_command *const *commands, FILE *out);
/** ctl_print_command_help - print the help on one command. */
void ctl_print_command_help(const struct ctl_command *command, FILE *out);

/* These parse or check an argument. Return: false if it is invalid: the error is printed. */

/** ctl_number - parse a number up to @max; @what is its name in errors: "LENGTH". */
bool ctl_number(const char *what, const char *text, uint64_t max, uint64_t *value);
/** ctl_hex - parse a number in hex, with or without 0x: an offset or the value of a register. */
bool ctl_hex(const char *what, const char *text, uint64_t *value);
/** ctl_vectors - parse "0,4-7": bit n % 64 of word n / 64 is set for vector n. */
bool ctl_vectors(const char *what, const char *text, uint64_t mask[DEXT_IRQ_WORDS]);
/** ctl_check_access - an access must be aligned to @width, and inside of @size bytes. */
bool ctl_check_access(const char *what, uint64_t offset, uint64_t width, uint64_t size);
/** ctl_check_width - @width must be a power of two up to @max. */
bool ctl_check_width(uint64_t width, uint64_t max);
/** ctl_check_value - @value must fit in @width bytes. */
bool ctl_check_value(uint64_t value, uint64_t width);

/* --- The driver service and its devices: device.c --------------------------------- */

/** ctl_service_answers - false, with an error, if there is no driver service. */
bool ctl_service_answers(void);

struct ctl_device {
	char name[PCI_ADDRESS_SIZE]; /* the address, with the PCI root if it has one */
	char root[DEXT_ROOT_MAX];
	io_connect_t connection;
	AppleDextIdentity identity;
};

/**
 * ctl_open - find a device and connect to it
 * @address: as on the command line
 * @device: filled in, for ctl_close()
 *
 * Return: CTL_OK; else an error has been printed.
 */
enum ctl_exit ctl_open(const char *address, struct ctl_device *device);
/** ctl_open_listed - as ctl_open(), for a device of apple_dext_copy_bound_devices(). */
enum ctl_exit ctl_open_listed(const AppleDextDevice *listed, struct ctl_device *device);
void ctl_close(struct ctl_device *device);

/* How often ctl_alive() is called while a command waits: nothing reports a driver's end. */
#define CTL_ALIVE_MS 1000
/** ctl_alive - whether driver and device still answer: kIOReturnSuccess or an error. */
kern_return_t ctl_alive(const struct ctl_device *device);

/** ctl_status_text - a status in words: "the device was removed". */
const char *ctl_status_text(kern_return_t status);
/** ctl_status_name - its name: "kIOReturnOffline"; NULL if it is unknown. */
const char *ctl_status_name(kern_return_t status);

/** ctl_fail - print an error: @what, a format, failed with @status. Return: CTL_FAILED. */
enum ctl_exit ctl_fail(const struct ctl_device *device, kern_return_t status, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/** ctl_note - print a note on standard error. */
void ctl_note(const struct ctl_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum ctl_intent {
	CTL_TO_READ,
	CTL_TO_WRITE,
	CTL_TO_RESET,
	CTL_TO_REMOVE,
};

/** ctl_note_other_clients - note which other clients are affected, if the driver knows. */
void ctl_note_other_clients(const struct ctl_device *device, enum ctl_intent intent);
/** ctl_claim - claim the device, with notes for all but CTL_TO_READ. Return: as ctl_open(). */
enum ctl_exit ctl_claim(const struct ctl_device *device, enum ctl_intent intent);

/* --- Accesses to config space and BARs: config.c ---------------------------------- */

struct access {
	const char *device; /* its address */
	int bar;	    /* -1: config space */
	uint64_t offset, width, value;
	char name[REGISTER_NAME_SIZE]; /* of a register of config space; "" if it has none */
};

/** access_print - print the value and the register; with --json the whole access. */
void access_print(const struct access *access, const struct ctl_options *options);
/** access_print_written - print nothing; with --json the whole access. */
void access_print_written(const struct access *access, const struct ctl_options *options);

struct json_object;
/** access_json - a new object with the keys address, bar or register, offset, width. */
struct json_object *access_json(const struct access *access);

#endif
