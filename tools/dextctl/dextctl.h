/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the sub-commands of dextctl share. A sub-command is one struct
 * ctl_command, defined in the file of its concern, and a row of the table in main.c.
 */
#ifndef TOOLS_DEXTCTL_H
#define TOOLS_DEXTCTL_H

#include "common/pci-address.h"
#include "tools/cli.h"
#include "tools/dextctl/registers.h"

#include <apple-dext-client.h>

/* How the program ends. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
};

/* What the options said. */
struct ctl_options {
	bool json, numeric, help, version;
	bool host; /* the devices of this host */
	const char *socket;
	uint64_t width;	  /* in bytes: 1, 2, 4 or 8; 0 unless given */
	uint64_t count;	  /* 0 unless given: without end */
	const char *mask; /* vectors, unparsed; NULL unless given */
};

/* Options that only some commands take; bits of struct ctl_command.options. */
#define CTL_TAKES_WIDTH 1u
#define CTL_TAKES_COUNT 2u
#define CTL_TAKES_MASK	4u
#define CTL_TAKES_HOST	8u

struct ctl_command {
	const char *name;      /* one word or two: "list", "config read" */
	const char *arguments; /* for the usage line: "ADDR OFFSET"; "" for none */
	int min_arguments, max_arguments;
	unsigned options;
	const char *summary;  /* for the list of commands */
	const char *help;     /* what it does, lines that end in a newline */
	const char *examples; /* lines "dextctl ..." that end in a newline */
	/* @arguments has min to max of them, then NULL. */
	enum ctl_exit (*run)(const struct ctl_options *options, char **arguments);
};

extern const struct ctl_command ctl_list, ctl_info, ctl_config_read, ctl_config_write,
	ctl_config_dump, ctl_bar_read, ctl_bar_write, ctl_bar_dump, ctl_dma, ctl_irq_watch,
	ctl_irq_trigger, ctl_reset, ctl_remove, ctl_trace, ctl_top, ctl_bind, ctl_unbind;

/** ctl_list_host - dextctl list --host (bind.c). */
enum ctl_exit ctl_list_host(const struct ctl_options *options);

/* --- Options and help: options.c ---------------------- */

/**
 * ctl_parse_options - take the options out of @argv
 * @options: filled in
 * @given: set to the CTL_TAKES_* of those that only some commands take
 *
 * Return: the index of the first argument, all of which now stand at the end; or
 * -1 when it has said what is wrong.
 */
int ctl_parse_options(int argc, char **argv, struct ctl_options *options, unsigned *given);
/** ctl_check_given - false, said so, when @command takes not all options in @given. */
bool ctl_check_given(const struct ctl_command *command, unsigned given);

/** ctl_print_usage - all commands (@commands ends with NULL), or with @command that one. */
void ctl_print_usage(const struct ctl_command *const *commands, FILE *out);
void ctl_print_command_help(const struct ctl_command *command, FILE *out);

/* --- Errors: error.c ---------------------------------------------------- */

/** ctl_explain - a return code in words: "the device has gone". */
const char *ctl_explain(kern_return_t result);
/** ctl_result_name - its name: "kIOReturnOffline"; NULL for a code that has none here. */
const char *ctl_result_name(kern_return_t result);

/**
 * ctl_number - a number out of an argument
 * @what: its name in the error: "OFFSET"
 *
 * Return: true; false when it has said what is wrong.
 */
bool ctl_number(const char *what, const char *text, uint64_t max, uint64_t *value);

/** ctl_hex - as ctl_number(), in hex with or without 0x: offsets and values of registers. */
bool ctl_hex(const char *what, const char *text, uint64_t *value);

/** ctl_check_access - whether an access is aligned and inside, else it says so. */
bool ctl_check_access(const char *what, uint64_t offset, uint64_t width, uint64_t size);
/** ctl_check_width - whether @width is a power of two up to @max, else it says so. */
bool ctl_check_width(uint64_t width, uint64_t max);
/** ctl_check_value - whether @value fits in @width bytes, else it says so. */
bool ctl_check_value(uint64_t value, uint64_t width);

/* --- The driver service and its devices: device.c ------------------------ */

/** ctl_service_answers - whether there is a driver service, else it says so. */
bool ctl_service_answers(void);

struct ctl_device {
	char name[PCI_ADDRESS_SIZE]; /* with its root, where it names one */
	char root[DEXT_ROOT_MAX];
	io_connect_t connection;
	AppleDextIdentity identity;
};

/**
 * ctl_open - find the device of that address
 * @address: as typed
 *
 * Return: CTL_OK, with @device for ctl_close(); else the way to end, having said why.
 */
enum ctl_exit ctl_open(const char *address, struct ctl_device *device);
/** ctl_open_listed - open a device of apple_dext_copy_bound_devices(). Return: as ctl_open(). */
enum ctl_exit ctl_open_listed(const AppleDextDevice *listed, struct ctl_device *device);
void ctl_close(struct ctl_device *device);

/* How often the driver is asked whether it is still there: nothing announces that it went. */
#define CTL_ALIVE_MS 1000

/** ctl_alive - kIOReturnSuccess, or what has become of the driver or the device. */
kern_return_t ctl_alive(const struct ctl_device *device);

/** ctl_fail - say that @what (a format) failed with @result. Return: CTL_FAILED. */
enum ctl_exit ctl_fail(const struct ctl_device *device, kern_return_t result, const char *what, ...)
	__attribute__((format(printf, 3, 4)));
/** ctl_note - a line on standard error about what is no error. */
void ctl_note(const struct ctl_device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum ctl_intent {
	CTL_TO_LOOK,
	CTL_TO_WRITE,  /* notes that a reset may undo it, or who else sees it */
	CTL_TO_RESET,  /* notes who else is hit */
	CTL_TO_REMOVE, /* likewise */
};

/** ctl_note_company - note who is concerned by what comes, as far as the driver tells. */
void ctl_note_company(const struct ctl_device *device, enum ctl_intent intent);
/** ctl_claim - claim the device for that purpose. Return: as ctl_open(). */
enum ctl_exit ctl_claim(const struct ctl_device *device, enum ctl_intent intent);

/* Accesses to config space and BARs. */

/* One access, or with values the first of several. */
struct access {
	const char *device; /* its address */
	int bar;	    /* -1 for config space */
	uint64_t offset, width, value;
	char name[REGISTER_NAME_SIZE]; /* of a register of config space; "" for none */
};

/** access_print - the value that was read, and its register; as JSON the whole access. */
void access_print(const struct access *access, const struct ctl_options *options);
/** access_print_written - nothing; as JSON the whole access. */
void access_print_written(const struct access *access, const struct ctl_options *options);

struct json_object;
/** access_json - a new object with the keys address, bar or register, offset, width. */
struct json_object *access_json(const struct access *access);

#endif
