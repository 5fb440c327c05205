/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sandbox from inside: what a compromised process cannot do, also in a thread created before;
 * and what the daemon must still be able to do.
 */
#include "tools/landlock.h"
#include "tools/sandbox.h"
#include "tests/lib/cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static char folder[64], own[96], other[96];
static pid_t parent;

/* Report a failed condition to the parent; exit status 0 is success. */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #condition, errno);  \
			return false;                                                              \
		}                                                                                  \
	} while (0)

/* Refused, by Landlock or by seccomp. */
static bool refused(long result)
{
	return result == -1 && (errno == EPERM || errno == EACCES);
}

static bool kernel_has_landlock(void)
{
	return syscall(444, NULL, 0, 1) >= 2;
}

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* Operations that must fail. */
static bool cannot_reach_others(bool landlock)
{
	if (landlock) {
		EXPECT(refused(unlink(other)));
		EXPECT(refused(unlinkat(AT_FDCWD, other, 0)));
	}
	EXPECT(refused(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0)));
	EXPECT(refused(fcntl(STDERR_FILENO, F_SETOWN, parent)));
	EXPECT(refused(fcntl(STDERR_FILENO, F_SETSIG, SIGUSR1)));
#ifndef SANITIZED
	EXPECT(refused(kill(parent, 0)));
	EXPECT(refused(syscall(SYS_tgkill, parent, parent, 0)));
	EXPECT(refused(syscall(SYS_tgkill, -1, parent, 0)));
	EXPECT(refused(prlimit(parent, RLIMIT_NOFILE, NULL, &(struct rlimit){ 0 })));
	EXPECT(refused(open(other, O_WRONLY | O_CLOEXEC)));
#endif
	return true;
}

/* Operations that a service needs. */
static bool can_serve(void)
{
	struct rlimit limit;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), copy;

	EXPECT(fd >= 0);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	EXPECT(copy >= 0);
	EXPECT(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	EXPECT(fcntl(fd, F_GET_SEALS) == F_SEAL_SHRINK);
	EXPECT(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	EXPECT(syscall(SYS_tgkill, getpid(), gettid(), 0) == 0);
	EXPECT(pthread_kill(pthread_self(), 0) == 0);
	close(copy);
	close(fd);
	return true;
}

static sem_t entered;
static bool landlocked;

static void *earlier_thread(void *result)
{
	while (sem_wait(&entered) != 0)
		;
	*(bool *)result = cannot_reach_others(landlocked) && can_serve();
	return NULL;
}

/* As a daemon: prepare, create threads, enter the sandbox; finally remove its socket. */
static bool be_confined(void)
{
	const char *const sockets[] = { own };
	char error[256] = "";
	bool thread_well = false;
	pthread_t thread;

	landlocked = kernel_has_landlock();
	sandbox_prepare(sockets, 1);
	sem_init(&entered, 0, 0);
	EXPECT(pthread_create(&thread, NULL, earlier_thread, &thread_well) == 0);
	if (!sandbox_enter(error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		return false;
	}
	EXPECT(cannot_reach_others(landlocked));
	EXPECT(can_serve());
	sem_post(&entered);
	EXPECT(pthread_join(thread, NULL) == 0);
	EXPECT(thread_well);
	EXPECT(unlink(own) == 0);
	return true;
}

static void test_a_compromised_process(void **state)
{
	int status;
	pid_t child;

	(void)state;
	parent = getpid();
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0)
		_exit(!be_confined());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(access(own, F_OK), -1);
}

/* As listen-socket.c: create in a temporary folder of mode 0700, and link. */
static bool can_name_a_socket(void)
{
	char inner[112], made[128];

	snprintf(inner, sizeof(inner), "%s.new", own);
	snprintf(made, sizeof(made), "%s/sock", inner);
	EXPECT(mkdir(inner, 0700) == 0);
	close(open(made, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	EXPECT(rename(made, own) == 0);
	EXPECT(rmdir(inner) == 0);
	return true;
}

/* Landlock alone, where available: also signals, without the filter. */
static bool be_landlocked(void)
{
	const char *const sockets[] = { own };

	EXPECT(landlock_confine(sockets, 1));
	EXPECT(refused(unlink(other)));
	EXPECT(refused(rmdir(folder)));
	EXPECT(syscall(444, NULL, 0, 1) < 6 || refused(kill(parent, 0)));
	EXPECT(kill(getpid(), 0) == 0);
	EXPECT(can_name_a_socket());
	EXPECT(rename(other, own) == -1);
	EXPECT(unlink(own) == 0);
	return true;
}

static void test_landlock(void **state)
{
	const char *const nowhere[] = { "/nowhere/at/all" };
	int status;
	pid_t child;

	(void)state;
	if (!kernel_has_landlock())
		skip();
	parent = getpid();
	/* A folder that does not exist: no restriction is applied. */
	assert_false(landlock_confine(nowhere, 1));
	make_file(own);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0)
		_exit(!be_landlocked());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(access(other, F_OK), 0);
}

static int setup(void **state)
{
	char inner[80];

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/dextpci-sandbox-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(inner, sizeof(inner), "%s/own", folder);
	if (mkdir(inner, 0700) != 0)
		return -1;
	snprintf(own, sizeof(own), "%s/own/sock", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	make_file(own);
	make_file(other);
	return 0;
}

static int teardown(void **state)
{
	char inner[80];

	(void)state;
	snprintf(inner, sizeof(inner), "%s/own", folder);
	unlink(own);
	unlink(other);
	rmdir(inner);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_compromised_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_landlock, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
