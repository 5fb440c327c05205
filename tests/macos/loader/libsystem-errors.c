/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/macos/loader/libsystem.h"

#include <errno.h>
#include <string.h>

/* Those that differ; 1 to 34 are the same but for 11. */
static const struct {
	int darwin, host;
} numbers[] = { { 11, EDEADLK }, { 35, EAGAIN }, { 36, EINPROGRESS }, { 37, EALREADY },
	{ 38, ENOTSOCK }, { 39, EDESTADDRREQ }, { 40, EMSGSIZE }, { 41, EPROTOTYPE },
	{ 42, ENOPROTOOPT }, { 43, EPROTONOSUPPORT }, { 44, ESOCKTNOSUPPORT }, { 102, EOPNOTSUPP },
	{ 45, ENOTSUP }, { 46, EPFNOSUPPORT }, { 47, EAFNOSUPPORT }, { 48, EADDRINUSE },
	{ 49, EADDRNOTAVAIL }, { 50, ENETDOWN }, { 51, ENETUNREACH }, { 52, ENETRESET },
	{ 53, ECONNABORTED }, { 54, ECONNRESET }, { 55, ENOBUFS }, { 56, EISCONN },
	{ 57, ENOTCONN }, { 58, ESHUTDOWN }, { 59, ETOOMANYREFS }, { 60, ETIMEDOUT },
	{ 61, ECONNREFUSED }, { 62, ELOOP }, { 63, ENAMETOOLONG }, { 64, EHOSTDOWN },
	{ 65, EHOSTUNREACH }, { 66, ENOTEMPTY }, { 68, EUSERS }, { 69, EDQUOT }, { 70, ESTALE },
	{ 77, ENOLCK }, { 78, ENOSYS }, { 84, EOVERFLOW }, { 89, ECANCELED }, { 90, EIDRM },
	{ 91, ENOMSG }, { 92, EILSEQ }, { 94, EBADMSG }, { 96, ENODATA }, { 97, ENOLINK },
	{ 100, EPROTO }, { 101, ETIME } };

int darwin_errno(int error)
{
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (numbers[i].host == error)
			return numbers[i].darwin;
	return error;
}

int linux_errno(int error)
{
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (numbers[i].darwin == error)
			return numbers[i].host;
	return error;
}

/*
 * errno is what __error returns the address of. The host's errno is 0 but where a call has failed since: whichever of the
 * two was set last counts.
 */
static int *shim_error(void)
{
	static _Thread_local int last;

	if (errno != 0) {
		last = darwin_errno(errno);
		errno = 0;
	}
	return &last;
}

static char *shim_strerror(int error)
{
	return strerror(linux_errno(error));
}

const struct libsystem_row libsystem_errors[] = {
	{ "___error", shim_error },
	{ "_strerror", shim_strerror },
	{ NULL, NULL },
};
