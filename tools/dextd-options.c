/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextd-options.h"
#include "common/number.h"
#include "provider/spec.h"
#include "tools/cli.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(const char *option, const char *text, const char *expected)
{
	cli_error("--%s %s: %s", option, text, expected);
	return false;
}

static bool parse_count(const char *option, const char *text, uint64_t max, unsigned *value)
{
	uint64_t number;

	if (number_parse(text, max, &number) || !number) {
		cli_error("--%s %s: expected a number from 1 to %llu", option, text,
			(unsigned long long)max);
		return false;
	}
	*value = (unsigned)number;
	return true;
}

static bool parse_uid(const char *option, const char *text, uid_t *uid)
{
	const struct passwd *user = getpwnam(text);
	uint64_t number;

	if (!user && number_parse(text, UINT32_MAX - 1, &number))
		return refuse(option, text, "no such user, and no number");
	*uid = user ? user->pw_uid : (uid_t)number;
	return true;
}

static bool parse_gid(const char *option, const char *text, gid_t *gid)
{
	const struct group *group = getgrnam(text);
	uint64_t number;

	if (!group && number_parse(text, UINT32_MAX - 1, &number))
		return refuse(option, text, "no such group, and no number");
	*gid = group ? group->gr_gid : (gid_t)number;
	return true;
}

static bool add_device(struct options *options, const char *spec)
{
	if (options->count == DEVICES_MAX) {
		cli_error("more than %d devices", DEVICES_MAX);
		return false;
	}
	options->specs[options->count++] = spec;
	return true;
}

static bool allow_uid(struct options *options, const char *text)
{
	size_t *count = &options->server.allowed_uid_count;

	if (*count == ALLOWED_MAX)
		return refuse("allow-uid", text, "more than 64 users");
	return parse_uid("allow-uid", text, &options->uids[(*count)++]);
}

static bool allow_gid(struct options *options, const char *text)
{
	size_t *count = &options->server.allowed_gid_count;

	if (*count == ALLOWED_MAX)
		return refuse("allow-gid", text, "more than 64 groups");
	return parse_gid("allow-gid", text, &options->gids[(*count)++]);
}

/* The socket's group: it may connect, and is served. */
static bool set_group(struct options *options, const char *text)
{
	return parse_gid("group", text, &options->server.group) && allow_gid(options, text);
}

static bool set_wired(struct options *options, const char *text)
{
	uint64_t *wired = &options->quotas.bytes_wired;
	const char *problem = number_parse_size(text, UINT64_MAX, wired);

	if (problem)
		return refuse("max-wired", text, problem);
	return *wired || refuse("max-wired", text, "expected more than 0 bytes");
}

/* --- The table ----------------------------------------------------------------------- */

static int take_device(void *context, const char *value)
{
	return option_taken(add_device(context, value));
}

static int take_socket(void *context, const char *value)
{
	struct options *options = context;

	options->server.path = value;
	return OPTIONS_GO_ON;
}

static int take_group(void *context, const char *value)
{
	return option_taken(set_group(context, value));
}

static int take_allow_uid(void *context, const char *value)
{
	return option_taken(allow_uid(context, value));
}

static int take_allow_gid(void *context, const char *value)
{
	return option_taken(allow_gid(context, value));
}

static int take_max_connections(void *context, const char *value)
{
	struct options *options = context;

	return option_taken(
		parse_count("max-connections", value, 1024, &options->server.connections_max));
}

static int take_max_user_connections(void *context, const char *value)
{
	struct options *options = context;

	return option_taken(parse_count(
		"max-user-connections", value, 960, &options->server.user_connections_max));
}

static int take_max_regions(void *context, const char *value)
{
	struct options *options = context;

	return option_taken(
		parse_count("max-regions", value, DEXT_REGIONS_MAX, &options->quotas.regions));
}

static int take_max_wired(void *context, const char *value)
{
	return option_taken(set_wired(context, value));
}

static int take_user(void *context, const char *value)
{
	struct options *options = context;

	options->user = value;
	return option_taken(getpwnam(value) || refuse("user", value, "no such user"));
}

static int print_version(void *context, const char *value)
{
	(void)context;
	(void)value;
	puts("dextd " DEXTPCI_VERSION);
	return EXIT_SUCCESS;
}

static int print_help(void *context, const char *value);

static const struct option_row rows[] = {
	{ "device", 'd', "SPEC", 0, "a device; give it once for each", take_device },
	{ "socket", 's', "PATH", 0,
		"where clients find the service: by default $DEXT_SOCKET, else\n"
		"$XDG_RUNTIME_DIR/dextpci/dextd.sock, else\n"
		"/run/dextpci/dextd.sock",
		take_socket },
	{ "group", 0, "GROUP", 0,
		"let the members of a group use the socket (else: its owner,\n"
		"root)",
		take_group },
	{ "allow-uid", 0, "USER", 0,
		"serve that user too: everybody may connect to the socket\n"
		"then, and whoever else does is refused; may be given\n"
		"several times",
		take_allow_uid },
	{ "allow-gid", 0, "GROUP", 0, "likewise, the members of a group", take_allow_gid },
	{ "max-connections", 0, "N", 0, "of one process (256)", take_max_connections },
	{ "max-user-connections", 0, "N", 0, "of one user besides dextd's own and root (256)",
		take_max_user_connections },
	{ "max-regions", 0, "N", 0, "DMA regions of one connection (65536)", take_max_regions },
	{ "max-wired", 0, "SIZE", 0, "DMA memory of one connection (no limit)", take_max_wired },
	{ "user", 0, "USER", 0, "run as that user once socket and devices are open", take_user },
	{ "help", 'h', NULL, 0, "print this help", print_help },
	{ "version", 'V', NULL, 0, "print the version", print_version },
};
static const struct option_table table = OPTION_TABLE(rows);

static int print_help(void *context, const char *value)
{
	(void)context;
	(void)value;
	printf("Usage: dextd [OPTION]... --device SPEC [--device SPEC ...]\n"
	       "\n"
	       "Serve PCI devices as driver extensions: programs claim them and drive them "
	       "through\n"
	       "IOKit user-client calls (apple-dext-client.h), on a local socket.\n"
	       "\n");
	options_print(&table, 0, stdout);
	printf("\nDevices:\n");
	provider_print_types();
	printf("\n"
	       "Examples:\n"
	       "  truncate -s 1G disk.img\n"
	       "  dextd --device nvme,addr=01:00.0,image=disk.img\n"
	       "  dextd --socket /tmp/dextd.sock --device nvme,addr=01:00.0,size=64M \\\n"
	       "        --device nvme,addr=02:00.0,size=64M,block=4096\n"
	       "  dextd --group kvm --max-wired 64G --device nvme,addr=01:00.0,image=disk.img\n"
	       "\n"
	       "Exit status: 0 after SIGTERM or SIGINT, 1 for a failure, 2 for a mistake in the\n"
	       "command line, device specifications among it.\n"
	       "\n"
	       "Look at them with dextctl(1); give one to a virtual machine with "
	       "dext-vfio-user(8).\n");
	return EXIT_SUCCESS;
}

static int check_options(int argc, char **argv, struct options *options)
{
	int status = options_no_arguments("", argc, argv);

	if (status == OPTIONS_GO_ON && !options->count) {
		cli_error("no device: give at least one --device SPEC (see --help)");
		status = EXIT_USAGE;
	}
	if (status == OPTIONS_GO_ON && !options->server.path) {
		options->server.path = iouser_socket_path();
		options->default_socket = true;
	}
	return status;
}

int parse_options(int argc, char **argv, struct options *options)
{
	int status;

	cli_set_program("dextd");
	*options = (struct options){ .server = { .group = (gid_t)-1 },
		.quotas = { DEXT_REGIONS_MAX, UINT64_MAX } };
	options->server.allowed_uids = options->uids;
	options->server.allowed_gids = options->gids;
	status = options_read(&table, 0, "", argc, argv, options, NULL);
	return status == OPTIONS_GO_ON ? check_options(argc, argv, options) : status;
}
