/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl/address.h"

#include <ctype.h>
#include <string.h>

static bool in_root(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static const char *parse_root(const char *text, size_t length, char root[DEXT_ROOT_MAX])
{
	static const char problem[] =
		"expected a PCI root of up to 15 letters, digits, '_', '.' and '-' before the '/'";

	if (length >= DEXT_ROOT_MAX)
		return problem;
	for (size_t i = 0; i < length; i++)
		if (!in_root(text[i]))
			return problem;
	memcpy(root, text, length);
	root[length] = '\0';
	return NULL;
}

const char *address_parse(const char *text, struct address *address)
{
	const char *slash = strchr(text, '/'), *problem = NULL;

	*address = (struct address){.rooted = slash};
	if (slash)
		problem = parse_root(text, (size_t)(slash - text), address->root);
	return problem ? problem : cli_parse_address(slash ? slash + 1 : text, &address->at);
}

void address_format(const char *root, const AppleDextIdentity *identity, char text[ADDRESS_SIZE])
{
	char at[CLI_ADDRESS_SIZE];
	size_t length = 0;

	/* A driver names its root: what does not belong into one must not reach a terminal. */
	for (; length < DEXT_ROOT_MAX - 1 && root[length]; length++)
		text[length] = in_root(root[length]) ? root[length] : '?';
	cli_format_address(
		&(struct cli_address){identity->bus, identity->device, identity->function}, at);
	snprintf(text + length, ADDRESS_SIZE - length, "%s%s", length ? "/" : "", at);
}

bool address_is(const struct address *address, const AppleDextDevice *device)
{
	const AppleDextIdentity *identity = &device->identity;

	return identity->bus == address->at.bus && identity->device == address->at.device &&
		identity->function == address->at.function &&
		(!address->rooted ||
			strncmp(address->root, device->root, sizeof(device->root)) == 0);
}
