/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether those whom dextd allows can reach its socket. */
#ifndef TOOLS_DEXTD_ACCESS_H
#define TOOLS_DEXTD_ACCESS_H

#include <iokit-user/service.h>

/*
 * Where others than the socket's owner are allowed: say on standard error which mode the
 * socket has and whom it lets in, and name each folder on the way that one of them may not
 * enter by its mode. Nothing is changed.
 */
void access_tell(const struct iouser_server_options *options);

#endif
