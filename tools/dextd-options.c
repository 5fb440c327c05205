/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextd-options.h"
#include "common/number.h"
#include "provider/spec.h"

#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_ALLOW_UID = 256, OPTION_ALLOW_GID, OPTION_GROUP, OPTION_USER,
	OPTION_MAX_CONNECTIONS, OPTION_MAX_REGIONS, OPTION_MAX_WIRED };

static void print_help(void)
{
	printf("Usage: dextd [OPTION]... --device SPEC [--device SPEC ...]\n"
	       "\n"
	       "Serve PCI devices as driver extensions: programs claim them and drive them through\n"
	       "IOKit user-client calls (apple-dext-client.h), on a local socket.\n"
	       "\n"
	       "  -d, --device SPEC   a device; give it once for each\n"
	       "  -s, --socket PATH   where clients find the service: by default $DEXT_SOCKET, else\n"
	       "                      $XDG_RUNTIME_DIR/dextpci/dextd.sock, else /run/dextpci/dextd.sock\n"
	       "      --group GROUP   let the members of a group use the socket (else: its owner, root)\n"
	       "      --allow-uid USER, --allow-gid GROUP\n"
	       "                      serve them too: everybody may connect to the socket then, and\n"
	       "                      whoever else does is refused; may be given several times\n"
	       "      --max-connections N   of one process (256)\n"
	       "      --max-regions N       DMA regions of one connection (65536)\n"
	       "      --max-wired SIZE      DMA memory of one connection (no limit)\n"
	       "      --user USER     run as that user once socket and devices are open\n"
	       "  -h, --help          this text\n"
	       "  -V, --version       the version\n"
	       "\n"
	       "Devices:\n");
	provider_print_types();
	printf("\n"
	       "Examples:\n"
	       "  truncate -s 1G disk.img\n"
	       "  dextd --device nvme,addr=01:00.0,image=disk.img\n"
	       "  dextd --socket /tmp/dextd.sock --device nvme,addr=01:00.0,size=64M \\\n"
	       "        --device nvme,addr=02:00.0,size=64M,block=4096\n"
	       "  dextd --group kvm --max-wired 64G --device nvme,addr=01:00.0,image=disk.img\n"
	       "\n"
	       "Look at them with dextctl(1); give one to a virtual machine with dext-vfio-user(8).\n");
}

static bool refuse(const char *option, const char *text, const char *expected)
{
	fprintf(stderr, "dextd: --%s %s: %s\n", option, text, expected);
	return false;
}

static bool parse_count(const char *option, const char *text, uint64_t max, unsigned *value)
{
	uint64_t number;

	if (number_parse(text, max, &number) || !number) {
		fprintf(stderr, "dextd: --%s %s: expected a number from 1 to %llu\n", option, text,
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
		fprintf(stderr, "dextd: more than %d devices\n", DEVICES_MAX);
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

static bool take_option(struct options *options, int option, const char *value)
{
	unsigned *connections = &options->server.connections_max;

	switch (option) {
	case 'd':
		return add_device(options, value);
	case 's':
		options->server.path = value;
		return true;
	case OPTION_ALLOW_UID:
		return allow_uid(options, value);
	case OPTION_ALLOW_GID:
		return allow_gid(options, value);
	case OPTION_GROUP:
		return set_group(options, value);
	case OPTION_USER:
		options->user = value;
		return getpwnam(value) || refuse("user", value, "no such user");
	case OPTION_MAX_CONNECTIONS:
		return parse_count("max-connections", value, 1024, connections);
	case OPTION_MAX_REGIONS:
		return parse_count("max-regions", value, DEXT_REGIONS_MAX,
			&options->quotas.regions);
	case OPTION_MAX_WIRED:
		return set_wired(options, value);
	default:
		return false;	/* getopt has said what was wrong */
	}
}

static int check_options(int argc, char **argv, struct options *options)
{
	if (optind < argc) {
		fprintf(stderr, "dextd: \"%s\": no arguments are taken besides options (see --help)\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	if (!options->count) {
		fprintf(stderr, "dextd: no device: give at least one --device SPEC (see --help)\n");
		return EXIT_USAGE;
	}
	if (!options->server.path) {
		options->server.path = iouser_socket_path();
		options->default_socket = true;
	}
	return -1;
}

int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "socket", required_argument, NULL, 's' },
		{ "group", required_argument, NULL, OPTION_GROUP },
		{ "allow-uid", required_argument, NULL, OPTION_ALLOW_UID },
		{ "allow-gid", required_argument, NULL, OPTION_ALLOW_GID },
		{ "user", required_argument, NULL, OPTION_USER },
		{ "max-connections", required_argument, NULL, OPTION_MAX_CONNECTIONS },
		{ "max-regions", required_argument, NULL, OPTION_MAX_REGIONS },
		{ "max-wired", required_argument, NULL, OPTION_MAX_WIRED },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*options = (struct options){ .server = { .group = (gid_t)-1 },
		.quotas = { DEXT_REGIONS_MAX, UINT64_MAX } };
	options->server.allowed_uids = options->uids;
	options->server.allowed_gids = options->gids;
	while ((option = getopt_long(argc, argv, "d:s:hV", known, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return EXIT_SUCCESS;
		}
		if (option == 'V') {
			printf("dextd %s\n", DEXTPCI_VERSION);
			return EXIT_SUCCESS;
		}
		if (!take_option(options, option, optarg))
			return EXIT_USAGE;
	}
	return check_options(argc, argv, options);
}
