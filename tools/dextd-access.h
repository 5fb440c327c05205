/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the users that dextd serves can connect to its socket. */
#ifndef TOOLS_DEXTD_ACCESS_H
#define TOOLS_DEXTD_ACCESS_H

#include <iokit-user/service.h>

/**
 * access_report - print who is served, and who cannot connect
 *
 * If users other than the socket's owner are served: print the mode of the socket and these
 * users on standard error, and for each of them the first folder of the path that its mode does
 * not let them enter. Nothing is changed.
 */
void access_report(const struct iouser_server_options *options);

#endif
