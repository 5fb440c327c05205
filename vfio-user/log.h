/* SPDX-License-Identifier: BSD-3-Clause */
/* One line at a time on standard error. */
#ifndef VFIO_USER_LOG_H
#define VFIO_USER_LOG_H

/** vu_log - write "dext-vfio-user: " and one line, in one piece. Safe from any thread. */
void vu_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** vu_errno_name - "EINVAL" and the like; "ok" for 0, "error" for one that commands do not give. */
const char *vu_errno_name(int error);

#endif
