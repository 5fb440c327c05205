/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that holds the namespace: image.c opens it, backend.c accesses it. */
#ifndef PROVIDER_SOFT_NVME_BACKEND_H
#define PROVIDER_SOFT_NVME_BACKEND_H

#include "provider/spec.h"

struct nvme_controller;

/* The namespace: a file, or a memfd, of @blocks << @block_shift bytes. Fixed once opened. */
struct nvme_backend {
	int fd;
	char *name; /* for messages: the path of the image */
	unsigned block_shift;
	uint64_t blocks;
	bool read_only;
	bool waits;   /* there is a medium: reads and flushes can take long */
	bool punches; /* holes can be punched, and read as zeroes */
	bool zeroes;  /* ranges can be zeroed without writing them */
};

bool nvme_backend_open(
	struct nvme_backend *backend, const struct device_spec *spec, struct spec_error *error);
void nvme_backend_close(struct nvme_backend *backend);
/* Find out how it can be zeroed; its content stays. */
void nvme_backend_probe(struct nvme_backend *backend);

/* All below return 0 or a negative errno. A flush that failed may succeed when repeated. */
int nvme_backend_flush(const struct nvme_backend *backend);
/*
 * Without @may_wait also -EAGAIN: the page cache has not all of it, and -EOPNOTSUPP: the file
 * cannot be read that way.
 */
int nvme_backend_read(const struct nvme_backend *backend, void *buffer, size_t length,
	uint64_t offset, bool may_wait);
int nvme_backend_write(
	const struct nvme_backend *backend, const void *data, size_t length, uint64_t offset);
/* Both work in pieces, between which they test nvme->halt and return -ECANCELED. */
int nvme_backend_zero(
	struct nvme_controller *nvme, uint64_t offset, uint64_t length, bool deallocate);
int nvme_backend_deallocate(struct nvme_controller *nvme, uint64_t offset, uint64_t length);

#endif
