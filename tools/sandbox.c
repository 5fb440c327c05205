/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/sandbox.h"
#include "tools/landlock.h"

#include <stdio.h>

#ifndef HAVE_SECCOMP

bool sandbox_available(void)
{
	return false;
}

void sandbox_prepare(const char *const *sockets, size_t count)
{
	(void)sockets, (void)count;
}

bool sandbox_enter(char *error, size_t size)
{
	snprintf(error, size, "sandbox: built without it, since libseccomp was missing");
	return false;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

/* By purpose. Names that the architecture does not have are ignored. */
static const char *const allowed[] = {
	/* data */
	"read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev",
	"pwritev2", "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate", "lseek",
	"fadvise64", "ioctl", "io_submit", "io_getevents",
	/* descriptors; for fcntl() see allow_fcntl() */
	"close", "dup", "dup2", "dup3", "fstat", "fstat64", "fstatfs", "newfstatat", "stat",
	"lstat", "statx", "pipe", "pipe2", "eventfd2", "memfd_create", "timerfd_create",
	"timerfd_settime", "timerfd_gettime", "getdents64", "readlink", "readlinkat",
	/* the daemon's socket; Landlock limits the folders */
	"unlink", "unlinkat",
	/* sockets; for socket() see allow_arguments() */
	"socketpair", "connect", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "recvfrom",
	"recvmsg", "recvmmsg", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
	/* waiting */
	"poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait",
	"epoll_pwait", "futex", "futex_waitv", "nanosleep", "clock_nanosleep", "restart_syscall",
	"sched_yield",
	/* time */
	"clock_gettime", "clock_getres", "gettimeofday", "time",
	/* memory */
	"mmap", "mmap2", "munmap", "mprotect", "mremap", "madvise", "msync", "mincore", "brk",
	"membarrier",
	/* threads; for clone() see allow_arguments() */
	"set_robust_list", "set_tid_address", "rseq", "gettid", "exit", "exit_group",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "arch_prctl", "prctl",
	/* signals; for tgkill() see allow_arguments() */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack",
	/* identity */
	"getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrandom", "uname",
	"sysinfo", "getrlimit", "getcpu",
#ifdef SANITIZED
	/* reports of the sanitizers */
	"clone", "clone3", "getdents", "ptrace", "wait4", "prlimit64", "tgkill", "kill", "open",
	"openat", "getcwd", "access", "faccessat", "personality", "setrlimit"
#endif
};

static int allow_listed(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);
		int status = 0;

		if (number != __NR_SCMP_ERROR)
			status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		/* EDOM: the call is of other architectures. */
		if (status != 0 && status != -EDOM)
			return status;
	}
	return 0;
}

/* Without those for signals (F_SETOWN) and for watching folders (F_NOTIFY). */
static const int fcntl_commands[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
	F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_ADD_SEALS,
	F_GET_SEALS, F_GETPIPE_SZ, F_SETPIPE_SZ };

static int allow_fcntl(scmp_filter_ctx filter)
{
	const int calls[] = { SCMP_SYS(fcntl), SCMP_SYS(fcntl64) };
	int status = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (size_t j = 0; j < sizeof(fcntl_commands) / sizeof(int) && status == 0; j++) {
			status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
				SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)fcntl_commands[j]));
			if (status == -EDOM)
				status = 0; /* fcntl64() exists on 32-bit architectures */
		}
	return status;
}

/* Calls that are allowed with some values of an argument. */
static int allow_arguments(scmp_filter_ctx filter)
{
	const struct {
		int call;
		struct scmp_arg_cmp argument;
	} rules[] = {
		{ SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0) },
#ifndef SANITIZED
		/* Reading files: the process's own maps. */
		{ SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ,
					    O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY) },
		{ SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) },
		/* Signals within this process, which does not fork any more; its own limits. */
		{ SCMP_SYS(tgkill), SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid()) },
		{ SCMP_SYS(prlimit64), SCMP_A0_32(SCMP_CMP_EQ, 0) },
#endif
	};
	int status = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && status == 0; i++)
		status = seccomp_rule_add_array(
			filter, SCMP_ACT_ALLOW, rules[i].call, 1, &rules[i].argument);
#ifndef SANITIZED
	/* A filter cannot read the flags of clone3() in memory; the C library then uses clone(). */
	if (status == 0)
		status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
#endif
	return status;
}

bool sandbox_available(void)
{
	return true;
}

void sandbox_prepare(const char *const *sockets, size_t count)
{
	(void)landlock_confine(sockets, count);
}

bool sandbox_enter(char *error, size_t size)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int status = filter ? 0 : -ENOMEM;

	/* Include the threads that exist. */
	if (status == 0)
		status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (status == 0)
		status = allow_listed(filter);
	if (status == 0)
		status = allow_arguments(filter);
	if (status == 0)
		status = allow_fcntl(filter);
	if (status == 0)
		status = seccomp_load(filter);
	seccomp_release(filter);
	if (status != 0)
		snprintf(error, size, "sandbox: %s; --no-sandbox does without", strerror(-status));
	return status == 0;
}

#endif
