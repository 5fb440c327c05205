/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/attacks/victim.h"
#include "iokit/wire.h"
#include "tests/lib/program.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The default soft limit, and a hard limit sufficient for all clients. */
#define DESCRIPTORS_SOFT 1024
#define DESCRIPTORS_HARD 8192

/* Programs promise 5 s. Only a hang takes as long as this on a loaded machine. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TERMINATION_SECONDS 40
#else
#define TERMINATION_SECONDS 10
#endif

#define HONEST_DEVICE	 "nvme,addr=01:00.0,size=16M"
#define ATTACKED_DEVICE	 "nvme,addr=02:00.0,size=16M"
#define BYSTANDER_DEVICE "nvme,addr=03:00.0,size=1M"

const char *victim_program_path(enum attack_target target)
{
	static char path[PATH_MAX + 64];
	const char *given = getenv(target == ON_DEXTD ? "DEXTD" : "DEXT_VFIO_USER");
	char here[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);

	if (given || length < 0)
		return given ? given : "";
	here[length] = '\0';
	*strrchr(here, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../../tools/%s", here,
		target == ON_DEXTD ? "dextd" : "dext-vfio-user");
	return path;
}

static bool write_config(const struct victim_program *program, const char *path)
{
	FILE *config = fopen(path, "we");

	if (!config)
		return false;
	fprintf(config, "--socket %s --device %s\n--socket %s --device %s\n",
		program->honest_vfio_user, HONEST_DEVICE, program->vfio_user, ATTACKED_DEVICE);
	return fclose(config) == 0;
}

/* LeakSanitizer would stop all threads. */
static void omit_leaks(void)
{
	const char *given = getenv("ASAN_OPTIONS");
	char options[512];

	snprintf(options, sizeof(options), "%s:detect_leaks=0", given ? given : "");
	setenv("ASAN_OPTIONS", options, 1);
}

struct preparation {
	const struct attack *attack;
	const char *log;
};

/* In the child: limits, and the log. */
static void prepare(const void *context)
{
	const struct preparation *preparation = context;
	const struct rlimit descriptors = { DESCRIPTORS_SOFT, DESCRIPTORS_HARD };
	int log = open(preparation->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (preparation->attack->keeps_thread)
		omit_leaks();
	setrlimit(RLIMIT_NOFILE, &descriptors);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	if (preparation->attack->target == ON_VFIO_USER)
		umask(0); /* attackers of another user connect as well */
}

static bool name_paths(struct victim_program *program, enum attack_target target)
{
	snprintf(program->folder, sizeof(program->folder), "/tmp/dextpci-attacks-XXXXXX");
	if (!mkdtemp(program->folder) || chmod(program->folder, 01777) != 0)
		return false;
	snprintf(program->service, sizeof(program->service), "%s/dextd", program->folder);
	snprintf(program->vfio_user, sizeof(program->vfio_user), "%s/attacked", program->folder);
	snprintf(program->honest_vfio_user, sizeof(program->honest_vfio_user), "%s/honest",
		program->folder);
	snprintf(program->log, sizeof(program->log), "%s/log", program->folder);
	program->victim.folder = program->folder;
	program->victim.service = target == ON_DEXTD ? program->service : NULL;
	program->victim.vfio_user = target == ON_VFIO_USER ? program->vfio_user : NULL;
	program->victim.honest_vfio_user =
		target == ON_VFIO_USER ? program->honest_vfio_user : NULL;
	return true;
}

/* Both programs listen last; the group of dextd's socket is then set, too. */
static bool start_dextd(struct victim_program *program, const struct preparation *preparation)
{
	const char *const argv[] = { victim_program_path(ON_DEXTD), "--socket", program->service,
		"--device", HONEST_DEVICE, "--device", ATTACKED_DEVICE, "--device",
		BYSTANDER_DEVICE, geteuid() == 0 ? "--group" : NULL, "65534", NULL };

	program->victim.pid = program_start(argv, prepare, preparation);
	return program_wait_listening(program->service, program->victim.pid);
}

static bool start_dext_vfio_user(
	struct victim_program *program, const struct preparation *preparation)
{
	char config[96];
	const char *const argv[] = { victim_program_path(ON_VFIO_USER), "--config", config, NULL };

	snprintf(config, sizeof(config), "%s/config", program->folder);
	if (!write_config(program, config))
		return false;
	program->victim.pid = program_start(argv, prepare, preparation);
	return program_wait_listening(program->vfio_user, program->victim.pid) &&
	       program_wait_listening(program->honest_vfio_user, program->victim.pid);
}

bool victim_start(struct victim_program *program, const struct attack *attack)
{
	const struct preparation preparation = { attack, program->log };

	*program = (struct victim_program){ .victim = { .pid = 0 } };
	if (!name_paths(program, attack->target))
		return false;
	setenv("DEXT_SOCKET", program->service, 1);
	return attack->target == ON_DEXTD ? start_dextd(program, &preparation) :
					    start_dext_vfio_user(program, &preparation);
}

bool victim_has_ended(struct victim_program *program)
{
	if (program->victim.pid > 0 && waitpid(program->victim.pid, NULL, WNOHANG) == 0)
		return false;
	program->victim.pid = 0;
	return true;
}

/* Its first thread is a zombie: the process has exited, even if a thread is left in the kernel. */
static bool has_exited(pid_t pid)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	if (stat && fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (stat)
		fclose(stat);
	return state == 'Z';
}

int victim_terminate(struct victim_program *program)
{
	int64_t began = iou_now_ms();

	kill(program->victim.pid, SIGTERM);
	for (; iou_now_ms() < began + TERMINATION_SECONDS * 1000; poll(NULL, 0, 5))
		if (has_exited(program->victim.pid))
			return (int)(iou_now_ms() - began);
	return -1;
}

int victim_status(struct victim_program *program)
{
	int status;

	for (int i = 0; i < ATTACK_TIMEOUT_SECONDS * 200; i++, poll(NULL, 0, 5)) {
		if (waitpid(program->victim.pid, &status, WNOHANG) != program->victim.pid)
			continue;
		program->victim.pid = 0;
		return status;
	}
	return -1;
}

void victim_print_log(const struct victim_program *program)
{
	char text[4096];
	int fd = open(program->log, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return;
	if (lseek(fd, -(off_t)sizeof(text), SEEK_END) < 0)
		lseek(fd, 0, SEEK_SET);
	size = read(fd, text, sizeof(text));
	if (size > 0)
		printf("    --- log ---\n%.*s    -----------\n", (int)size, text);
	close(fd);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void victim_remove(struct victim_program *program)
{
	if (program->victim.pid > 0) {
		kill(program->victim.pid, SIGKILL);
		waitpid(program->victim.pid, NULL, 0);
	}
	nftw(program->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
