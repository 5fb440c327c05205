/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who the device is: serial number, model and the identifiers of its namespace. A host
 * that sees the same identifiers twice refuses the second device, and one that sees them
 * change takes it for another disk. So they follow from the serial number; without
 * one, from the image's path; and where the content is as fresh as the device, from chance.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getrandom() */
#endif
#include "provider/soft/nvme/nvme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_MODEL "dextpci virtual NVMe disk"

/* FNV-1a of 64 bits, with its bits mixed once more at the end. */
static uint64_t digest(const char *text, uint64_t salt)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ salt;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 31;
}

static void put_digest(uint8_t out[8], const char *text, uint64_t salt)
{
	uint64_t hash = digest(text, salt);

	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(hash >> (56 - 8 * i));
}

static bool copy_text(
	char *to, size_t longest, const char *key, const char *value, struct spec_error *error)
{
	size_t length = strlen(value);

	if (length == 0 || length > longest)
		return spec_wrong(error, "nvme: %s=%s: 1 to %zu characters are needed, not %zu",
			key, value, longest, length);
	for (size_t i = 0; i < length; i++)
		if (value[i] < ' ' || value[i] > '~')
			return spec_wrong(error, "nvme: %s: character %zu is not printable ASCII",
				key, i + 1);
	memcpy(to, value, length + 1);
	return true;
}

/* What the identifiers follow from; to be freed, NULL when there is no memory. */
static char *make_seed(const struct device_spec *spec, const char *device_name)
{
	const char *serial = spec_get(spec, "serial"), *image = spec_get(spec, "image");
	uint64_t chance[2] = { 0, 0 };
	char *path, *seed;

	if (serial)
		return asprintf(&seed, "serial %s", serial) < 0 ? NULL : seed;
	if (image) {
		path = realpath(image, NULL);
		if (asprintf(&seed, "image %s", path ? path : image) < 0)
			seed = NULL;
		free(path);
		return seed;
	}
	if (getrandom(chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		chance[0] = nvme_now_ns();
	if (asprintf(&seed, "memory %s %016llx%016llx", device_name, (unsigned long long)chance[0],
		    (unsigned long long)chance[1]) < 0)
		return NULL;
	return seed;
}

static void make_identifiers(struct nvme_identity *identity, const char *seed)
{
	put_digest(identity->uuid, seed, 1);
	put_digest(identity->uuid + 8, seed, 2);
	/* Version 8 (a scheme of one's own), the usual variant. */
	identity->uuid[6] = (uint8_t)((identity->uuid[6] & 0x0f) | 0x80);
	identity->uuid[8] = (uint8_t)((identity->uuid[8] & 0x3f) | 0x80);

	/* A locally administered prefix, the one that virtual machines use. */
	put_digest(identity->eui64, seed, 3);
	identity->eui64[0] = 0x52;
	identity->eui64[1] = 0x54;
	identity->eui64[2] = 0x00;
	put_digest(identity->nguid, seed, 4);
	memcpy(identity->nguid + 8, identity->eui64, sizeof(identity->eui64));
}

bool nvme_identity_make(struct nvme_identity *identity, const struct device_spec *spec,
	const char *device_name, struct spec_error *error)
{
	const char *serial = spec_get(spec, "serial"), *model = spec_get(spec, "model");
	char *seed;

	*identity = (struct nvme_identity){ .serial = "" };
	if (serial && !copy_text(identity->serial, NVME_SERIAL_LENGTH, "serial", serial, error))
		return false;
	if (!copy_text(identity->model, NVME_MODEL_LENGTH, "model", model ? model : DEFAULT_MODEL,
		    error))
		return false;
	seed = make_seed(spec, device_name);
	if (!seed)
		return spec_fail(error, "nvme: out of memory");
	make_identifiers(identity, seed);
	if (!serial)
		snprintf(identity->serial, sizeof(identity->serial), "%016llX",
			(unsigned long long)digest(seed, 5));
	free(seed);
	return true;
}
