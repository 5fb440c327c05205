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

static int refuse(const char *option, const char *text, const char *problem)
{
	cli_error("--%s %s: %s", option, text, problem);
	return EXIT_USAGE;
}

static int parse_count(const char *option, const char *text, uint64_t max, unsigned *count)
{
	uint64_t number;

	if (number_parse(text, max, &number) || !number) {
		cli_error("--%s %s: expected a number from 1 to %llu", option, text,
			(unsigned long long)max);
		return EXIT_USAGE;
	}
	*count = (unsigned)number;
	return OPTIONS_CONTINUE;
}

static int parse_gid(const char *option, const char *text, gid_t *gid)
{
	const struct group *group = getgrnam(text);
	uint64_t number;

	if (!group && number_parse(text, UINT32_MAX - 1, &number))
		return refuse(option, text, "no such group, and no number");
	*gid = group ? group->gr_gid : (gid_t)number;
	return OPTIONS_CONTINUE;
}

/* --- Options: the context is a struct options ----------------------------------------- */

static int take_device(void *context, const char *value)
{
	struct options *options = context;

	if (options->count == DEVICES_MAX) {
		cli_error("more than %d devices", DEVICES_MAX);
		return EXIT_USAGE;
	}
	options->specs[options->count++] = value;
	return OPTIONS_CONTINUE;
}

static int take_allow_uid(void *context, const char *value)
{
	struct options *options = context;
	size_t *count = &options->server.allowed_uid_count;
	const struct passwd *user = getpwnam(value);
	uint64_t number;

	if (*count == ALLOWED_MAX)
		return refuse("allow-uid", value, "more than 64 users");
	if (!user && number_parse(value, UINT32_MAX - 1, &number))
		return refuse("allow-uid", value, "no such user, and no number");
	options->uids[(*count)++] = user ? user->pw_uid : (uid_t)number;
	return OPTIONS_CONTINUE;
}

static int take_allow_gid(void *context, const char *value)
{
	struct options *options = context;
	size_t *count = &options->server.allowed_gid_count;

	if (*count == ALLOWED_MAX)
		return refuse("allow-gid", value, "more than 64 groups");
	return parse_gid("allow-gid", value, &options->gids[(*count)++]);
}

/* The socket belongs to the group, whose members are served. */
static int take_group(void *context, const char *value)
{
	struct options *options = context;
	int status = parse_gid("group", value, &options->server.group);

	return status == OPTIONS_CONTINUE ? take_allow_gid(options, value) : status;
}

static int take_max_connections(void *context, const char *value)
{
	struct options *options = context;

	return parse_count("max-connections", value, 1024, &options->server.connections_max);
}

static int take_max_user_connections(void *context, const char *value)
{
	struct options *options = context;

	return parse_count(
		"max-user-connections", value, 960, &options->server.user_connections_max);
}

static int take_max_regions(void *context, const char *value)
{
	struct options *options = context;

	return parse_count("max-regions", value, DEXT_REGIONS_MAX, &options->quotas.regions);
}

static int take_max_wired(void *context, const char *value)
{
	struct options *options = context;
	const char *problem = number_parse_size(value, UINT64_MAX, &options->quotas.bytes_wired);

	if (!problem && !options->quotas.bytes_wired)
		problem = "expected more than 0 bytes";
	return problem ? refuse("max-wired", value, problem) : OPTIONS_CONTINUE;
}

static int take_user(void *context, const char *value)
{
	struct options *options = context;

	options->user = value;
	return getpwnam(value) ? OPTIONS_CONTINUE : refuse("user", value, "no such user");
}

static int print_help(void *context, const char *value);

static const struct option_row rows[] = {
	{ "device", 'd', "SPEC", 0, "a device; may be given several times", take_device, 0 },
	{ "socket", 's', "PATH", 0,
		"the socket of the service: by default $DEXT_SOCKET,\n"
		"else $XDG_RUNTIME_DIR/dextpci/dextd.sock, else\n"
		"/run/dextpci/dextd.sock",
		option_text, offsetof(struct options, server.path) },
	{ "group", 0, "GROUP", 0,
		"let the members of a group use the socket\n"
		"(otherwise: its owner and root)",
		take_group, 0 },
	{ "allow-uid", 0, "USER", 0,
		"also serve that user: then every process may\n"
		"connect to the socket, and other users are refused;\n"
		"may be given several times",
		take_allow_uid, 0 },
	{ "allow-gid", 0, "GROUP", 0, "likewise, the members of a group", take_allow_gid, 0 },
	{ "max-connections", 0, "N", 0, "of one process (256)", take_max_connections, 0 },
	{ "max-user-connections", 0, "N", 0, "of one user besides dextd's own and root (256)",
		take_max_user_connections, 0 },
	{ "max-regions", 0, "N", 0, "DMA regions of one connection (65536)", take_max_regions, 0 },
	{ "max-wired", 0, "SIZE", 0, "DMA memory of one connection (no limit)", take_max_wired, 0 },
	{ "user", 0, "USER", 0, "run as that user once socket and devices are open", take_user, 0 },
	{ "help", 'h', NULL, 0, "print this help", print_help, 0 },
	{ "version", 'V', NULL, 0, "print the version", option_version, 0 },
};
static const struct option_table table = OPTION_TABLE(rows);

static int print_help(void *context, const char *value)
{
	(void)context;
	(void)value;
	printf("Usage: dextd [OPTION]... --device SPEC [--device SPEC ...]\n"
	       "\n"
	       "Serve PCI devices as driver extensions: programs claim and drive them through\n"
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
	       "Exit status: 0 after SIGTERM or SIGINT, 1 for a failure, 2 for a usage error,\n"
	       "which includes an invalid device specification.\n"
	       "\n"
	       "dextctl(1) inspects devices; dext-vfio-user(8) offers one to a virtual machine.\n");
	return EXIT_SUCCESS;
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
	if (status == OPTIONS_CONTINUE)
		status = options_no_arguments("", argc, argv);
	if (status == OPTIONS_CONTINUE && !options->count) {
		cli_error("no device: expected at least one --device SPEC (see --help)");
		status = EXIT_USAGE;
	}
	if (status == OPTIONS_CONTINUE && !options->server.path) {
		options->server.path = iouser_socket_path();
		options->default_socket = true;
	}
	return status;
}
