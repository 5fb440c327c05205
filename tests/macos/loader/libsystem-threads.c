/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads and signals. Darwin's structures of pthread begin with a signature of 8 bytes, which
 * static initialisers set; what follows is zero then, as glibc's own initialisers are. So
 * glibc's structure stands behind the signature, where it has room.
 */
#include "tests/macos/loader/libsystem.h"
#include "tests/macos/loader/macho.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

struct darwin_mutex {
	long signature;
	pthread_mutex_t host;
};
_Static_assert(sizeof(struct darwin_mutex) <= 64, "as large as Darwin's");

struct darwin_attributes {
	long signature;
	pthread_attr_t host;
};
_Static_assert(sizeof(struct darwin_attributes) <= 64, "as large as Darwin's");

static int shim_mutex_init(struct darwin_mutex *mutex, const void *attributes)
{
	if (attributes)
		libsystem_untranslated("mutex attributes", 0);
	return darwin_errno(pthread_mutex_init(&mutex->host, NULL));
}

static int shim_mutex_destroy(struct darwin_mutex *mutex)
{
	return darwin_errno(pthread_mutex_destroy(&mutex->host));
}

static int shim_mutex_lock(struct darwin_mutex *mutex)
{
	return darwin_errno(pthread_mutex_lock(&mutex->host));
}

static int shim_mutex_unlock(struct darwin_mutex *mutex)
{
	return darwin_errno(pthread_mutex_unlock(&mutex->host));
}

static int shim_attr_init(struct darwin_attributes *attributes)
{
	return darwin_errno(pthread_attr_init(&attributes->host));
}

static int shim_attr_destroy(struct darwin_attributes *attributes)
{
	return darwin_errno(pthread_attr_destroy(&attributes->host));
}

static int shim_attr_setdetachstate(struct darwin_attributes *attributes, int state)
{
	return darwin_errno(pthread_attr_setdetachstate(
		&attributes->host, state == 2 ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE));
}

static int shim_attr_setstacksize(struct darwin_attributes *attributes, size_t size)
{
	return darwin_errno(pthread_attr_setstacksize(&attributes->host, size));
}

/* A pthread_t has 8 bytes on both. */
static int shim_create(pthread_t *thread, const struct darwin_attributes *attributes,
	void *(*run)(void *), void *argument)
{
	return darwin_errno(
		pthread_create(thread, attributes ? &attributes->host : NULL, run, argument));
}

static int shim_join(pthread_t thread, void **result)
{
	return darwin_errno(pthread_join(thread, result));
}

/* --- Signals --------------------------------------------------------------------------- */

/* By Darwin's number; 0: Linux has none of the name. */
static const int signals[32] = { 0, SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, 0, SIGFPE,
	SIGKILL, SIGBUS, SIGSEGV, SIGSYS, SIGPIPE, SIGALRM, SIGTERM, SIGURG, SIGSTOP, SIGTSTP,
	SIGCONT, SIGCHLD, SIGTTIN, SIGTTOU, SIGIO, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH,
	0, SIGUSR1, SIGUSR2 };

typedef uint32_t darwin_sigset; /* bit 0 is signal 1 */

static int host_signal(int signal)
{
	if (signal <= 0 || signal > 31 || signals[signal] == 0)
		libsystem_untranslated("signal", signal);
	return signals[signal];
}

static int darwin_signal(int host)
{
	for (int i = 1; i < 32; i++)
		if (signals[i] == host)
			return i;
	return 0;
}

static sigset_t host_set(darwin_sigset set)
{
	sigset_t host;

	/* All of them: those that Darwin has no name for as well. */
	if (set == UINT32_MAX) {
		sigfillset(&host);
		return host;
	}
	sigemptyset(&host);
	for (int i = 1; i < 32; i++)
		if ((set >> (i - 1) & 1) && signals[i] != 0)
			sigaddset(&host, signals[i]);
	return host;
}

static darwin_sigset darwin_set(const sigset_t *host)
{
	darwin_sigset set = 0;

	if (sigismember(host, SIGRTMIN) == 1)
		return UINT32_MAX;
	for (int i = 1; i < 32; i++)
		if (signals[i] != 0 && sigismember(host, signals[i]) == 1)
			set |= 1u << (i - 1);
	return set;
}

static int shim_sigmask(int how, const darwin_sigset *set, darwin_sigset *before)
{
	static const int hows[] = { 0, SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };
	sigset_t host, old;
	int error;

	if (how < 1 || how > 3)
		libsystem_untranslated("pthread_sigmask", how);
	if (set)
		host = host_set(*set);
	error = pthread_sigmask(hows[how], set ? &host : NULL, &old);
	if (error == 0 && before)
		*before = darwin_set(&old);
	return darwin_errno(error);
}

static int shim_sigpending(darwin_sigset *set)
{
	sigset_t host;

	if (sigpending(&host) != 0)
		return -1;
	*set = darwin_set(&host);
	return 0;
}

static int shim_sigwait(const darwin_sigset *set, int *signal)
{
	sigset_t host = host_set(*set);
	int error = sigwait(&host, signal);

	if (error == 0)
		*signal = darwin_signal(*signal);
	return darwin_errno(error);
}

struct darwin_sigaction {
	void (*handler)(int signal);
	darwin_sigset mask;
	int flags;
};

static void (*handlers[32])(int signal); /* by Darwin's number */

static void on_signal(int signal)
{
	int number = darwin_signal(signal);

	handlers[number](number);
}

/* SA_RESTART; SIG_DFL and SIG_IGN are 0 and 1 on both. */
static int shim_sigaction(
	int signal, const struct darwin_sigaction *action, struct darwin_sigaction *before)
{
	static const struct flag flags[] = { { 0x2, SA_RESTART } };
	struct sigaction host = { .sa_handler = action->handler };

	if (before)
		libsystem_untranslated("sigaction's old action", signal);
	host.sa_flags = (int)flags_to_host("sigaction flags", action->flags, flags, COUNT(flags));
	host.sa_mask = host_set(action->mask);
	if (action->handler != SIG_DFL && action->handler != SIG_IGN) {
		handlers[signal & 31] = action->handler;
		host.sa_handler = on_signal;
	}
	return sigaction(host_signal(signal), &host, NULL);
}

const struct libsystem_row libsystem_threads[] = {
	{ "_pthread_mutex_init", shim_mutex_init },
	{ "_pthread_mutex_destroy", shim_mutex_destroy },
	{ "_pthread_mutex_lock", shim_mutex_lock },
	{ "_pthread_mutex_unlock", shim_mutex_unlock },
	{ "_pthread_attr_init", shim_attr_init },
	{ "_pthread_attr_destroy", shim_attr_destroy },
	{ "_pthread_attr_setdetachstate", shim_attr_setdetachstate },
	{ "_pthread_attr_setstacksize", shim_attr_setstacksize },
	{ "_pthread_create", shim_create },
	{ "_pthread_join", shim_join },
	{ "_pthread_sigmask", shim_sigmask },
	{ "_sigpending", shim_sigpending },
	{ "_sigwait", shim_sigwait },
	{ "_sigaction", shim_sigaction },
	{ NULL, NULL },
};
