/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/pci-address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char no_address[] = "expected an address BB:DD.F in hex, such as 01:00.0";

static bool in_root(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static const char *parse_root(const char *text, size_t length, char root[DEXT_ROOT_MAX])
{
	static const char problem[] =
		"expected a PCI root of 1 to 15 letters, digits, '_', '.' and '-' before the '/'";

	if (length >= DEXT_ROOT_MAX)
		return problem;
	for (size_t i = 0; i < length; i++)
		if (!in_root(text[i]))
			return problem;
	memcpy(root, text, length);
	root[length] = '\0';
	return NULL;
}

/* Hex digits at *@text, which is moved past them. False: none, or more than anybody writes. */
static bool take_hex(const char **text, unsigned *value)
{
	int taken = 0;

	for (*value = 0; taken <= 4 && isxdigit((unsigned char)**text); taken++, (*text)++) {
		int c = tolower((unsigned char)**text);

		*value = *value << 4 | (unsigned)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return taken >= 1 && taken <= 4;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static const char *parse_numbers(const char *text, struct pci_address *address)
{
	unsigned domain = 0, bus, device, function;

	if (!take_hex(&text, &bus) || !take_char(&text, ':') || !take_hex(&text, &device))
		return no_address;
	if (take_char(&text, ':')) {
		domain = bus;
		bus = device;
		if (!take_hex(&text, &device))
			return no_address;
	}
	if (!take_char(&text, '.') || !take_hex(&text, &function) || *text)
		return no_address;
	if (domain)
		return "expected the PCI domain 0000: other roots have names, as in ROOT/01:00.0";
	if (bus > 0xff)
		return "expected a bus of 00 to ff in the address BB:DD.F";
	if (device > 0x1f)
		return "expected a device of 00 to 1f in the address BB:DD.F";
	if (function > 7)
		return "expected a function of 0 to 7 in the address BB:DD.F";
	address->bus = (uint8_t)bus;
	address->device = (uint8_t)device;
	address->function = (uint8_t)function;
	return NULL;
}

const char *pci_address_parse(const char *text, struct pci_address *address, bool *rooted)
{
	const char *slash = strchr(text, '/'), *problem = NULL;
	struct pci_address parsed = { .root = "" };

	if (slash == text && !rooted)
		return "expected the name of a PCI root before the '/'";
	if (slash)
		problem = parse_root(text, (size_t)(slash - text), parsed.root);
	if (!problem)
		problem = parse_numbers(slash ? slash + 1 : text, &parsed);
	if (problem)
		return problem;
	*address = parsed;
	if (rooted)
		*rooted = slash;
	return NULL;
}

const char *pci_address_format(const struct pci_address *address, char text[PCI_ADDRESS_SIZE])
{
	size_t length = 0;

	for (; length < DEXT_ROOT_MAX - 1 && address->root[length]; length++)
		text[length] = in_root(address->root[length]) ? address->root[length] : '?';
	snprintf(text + length, PCI_ADDRESS_SIZE - length, "%s%02x:%02x.%x", length ? "/" : "",
		address->bus, address->device & 0x1fu, address->function & 7u);
	return text;
}

bool pci_address_equal(const struct pci_address *a, const struct pci_address *b)
{
	return a->bus == b->bus && a->device == b->device && a->function == b->function &&
	       strncmp(a->root, b->root, sizeof(a->root)) == 0;
}
