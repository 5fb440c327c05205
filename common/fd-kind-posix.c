/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/fd-kind.h"

#include <sys/mman.h>
#include <sys/stat.h>

/* Some systems give a shared memory object no file type: S_TYPEISSHM() then tells. */
#ifdef S_TYPEISSHM
#define IS_SHARED_MEMORY(file) S_TYPEISSHM(file)
#else
#define IS_SHARED_MEMORY(file) ((void)(file), 0)
#endif

enum fd_kind fd_kind(int fd)
{
	struct stat file;

	if (fstat(fd, &file) != 0)
		return FD_KIND_OTHER;
	return S_ISREG(file.st_mode) || IS_SHARED_MEMORY(&file) ? FD_KIND_LOCAL_FILE :
								  FD_KIND_OTHER;
}
