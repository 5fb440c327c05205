/* SPDX-License-Identifier: BSD-3-Clause */
/* attacks: see usage(), and attacks.h for what an attack is and how to add one. */
#include "iokit/wire.h"
#include "tests/attacks/honest.h"
#include "tests/attacks/victim.h"
#include "tests/lib/rig.h"

#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct attack *const families[] = { attacks_descriptors, attacks_exclusive,
	attacks_exhaustion, attacks_memory, attacks_output, attacks_paths, attacks_stall,
	attacks_vfio_user };
#define FAMILIES (sizeof(families) / sizeof(families[0]))

#define PROCESSES_MAX  8
#define DEFAULT_ROUNDS 2

/* meson's exit status of a skipped test */
#define ALL_SKIPPED 77

/* Limit of an attack; one that takes longer has been blocked. */
#define ROUND_SECONDS (6 * ATTACK_TIMEOUT_SECONDS)

enum outcome { HELD, GOT_THROUGH, SKIPPED };
struct report {
	enum outcome outcome;
	char text[200];
};

/* --- The attacker's process --------------------------------------------------------------- */

static int report_fd;

static _Noreturn void finish(enum outcome outcome, const char *format, va_list arguments)
{
	struct report report = { .outcome = outcome };

	vsnprintf(report.text, sizeof(report.text), format, arguments);
	(void)!write(report_fd, &report, sizeof(report));
	for (;;)
		pause();
}

_Noreturn void got_through(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finish(GOT_THROUGH, format, arguments);
}

_Noreturn void attack_skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finish(SKIPPED, format, arguments);
}

static _Noreturn void __attribute__((format(printf, 1, 2))) held(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	finish(HELD, format, arguments);
}

pid_t accomplice_start(void (*act)(const void *context), const void *context)
{
	pid_t accomplice = fork();

	if (accomplice != 0)
		return accomplice;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	act(context);
	_exit(0);
}

bool accomplice_wait(pid_t accomplice)
{
	for (int i = 0; i < ATTACK_TIMEOUT_SECONDS * 200; i++, poll(NULL, 0, 5))
		if (waitpid(accomplice, NULL, WNOHANG) == accomplice)
			return true;
	return false;
}

/* Change to the other user. Its memory stays readable for the service as far as it is shared. */
static void change_user(void)
{
	const gid_t group = STRANGER;

	if (setgroups(1, &group) != 0 || setresgid(STRANGER, STRANGER, STRANGER) != 0 ||
		setresuid(STRANGER, STRANGER, STRANGER) != 0)
		attack_skip("another user cannot be had");
	prctl(PR_SET_DUMPABLE, 1);
}

static bool is_for_us(const struct attack *attack)
{
	return geteuid() == 0 || (attack->user != AS_ROOT && attack->user != AS_STRANGER_ONLY);
}

static _Noreturn void run_attacker(const struct attack *attack, const struct victim *victim, int fd)
{
	const struct rlimit descriptors = { 4096, 4096 };
	struct victim copy = *victim;

	report_fd = fd;
	setpgid(0, 0);
	setrlimit(RLIMIT_NOFILE, &descriptors);
	if (geteuid() == 0 && (attack->user == AS_STRANGER || attack->user == AS_STRANGER_ONLY))
		change_user();
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of user, which clears it */
	attack->run(&copy);
	held("%s", "");
}

/* --- One round ---------------------------------------------------------------------------- */

struct attackers {
	pid_t processes[PROCESSES_MAX];
	unsigned count;
	int reports; /* a pipe */
};

static void attackers_start(
	struct attackers *attackers, const struct attack *attack, const struct victim *victim)
{
	int ends[2];

	attackers->count = attack->processes ? attack->processes : 1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	attackers->reports = ends[0];
	for (unsigned i = 0; i < attackers->count; i++) {
		attackers->processes[i] = fork();
		if (attackers->processes[i] == 0)
			run_attacker(attack, victim, ends[1]);
		setpgid(attackers->processes[i], 0);
	}
	close(ends[1]);
}

/* The worst of all reports. */
static void attackers_reports(struct attackers *attackers, struct report *worst)
{
	struct pollfd polled = { .fd = attackers->reports, .events = POLLIN };
	int64_t end = iou_now_ms() + ROUND_SECONDS * 1000;
	struct report report;

	*worst = (struct report){ .outcome = HELD };
	for (unsigned i = 0; i < attackers->count; i++) {
		int left = (int)(end - iou_now_ms());

		if (poll(&polled, 1, left > 0 ? left : 0) != 1 ||
			read(attackers->reports, &report, sizeof(report)) != sizeof(report)) {
			*worst = (struct report){ .outcome = GOT_THROUGH,
				.text = "an attacker was blocked, or died" };
			return;
		}
		if (report.outcome == GOT_THROUGH ||
			(report.outcome == SKIPPED && worst->outcome == HELD))
			*worst = report;
	}
}

static void attackers_end(struct attackers *attackers)
{
	for (unsigned i = 0; i < attackers->count; i++) {
		kill(-attackers->processes[i], SIGKILL);
		waitpid(attackers->processes[i], NULL, 0);
	}
	close(attackers->reports);
}

/* --- One attack -------------------------------------------------------------------------- */

struct trial {
	const struct attack *attack;
	struct victim_program program;
	struct honest honest;
	struct rig_resources before;
	struct report report;
	int termination_ms;
};

static bool __attribute__((format(printf, 2, 3))) fail(struct trial *trial, const char *format, ...)
{
	va_list arguments;

	trial->report.outcome = GOT_THROUGH;
	va_start(arguments, format);
	vsnprintf(trial->report.text, sizeof(trial->report.text), format, arguments);
	va_end(arguments);
	return false;
}

/* The resources without new clients: the minimum of several samples. */
static struct rig_resources least_resources(pid_t process)
{
	struct rig_resources least = rig_resources(process);

	for (int i = 0; i < 40; i++, poll(NULL, 0, 5)) {
		struct rig_resources now = rig_resources(process);

		if (now.descriptors + now.threads < least.descriptors + least.threads)
			least = now;
	}
	return least;
}

/* Run the attack; the honest client must not be affected. The attackers stay. */
static bool attack_once(struct trial *trial, struct attackers *attackers)
{
	attackers_start(attackers, trial->attack, &trial->program.victim);
	attackers_reports(attackers, &trial->report);
	if (trial->report.outcome != HELD)
		return false;
	if (!honest_progresses(&trial->honest, 3))
		return fail(trial, "the honest client: %s", honest_why(&trial->honest));
	if (victim_has_ended(&trial->program))
		return fail(trial, "the program has ended");
	return true;
}

static bool one_round(struct trial *trial)
{
	struct attackers attackers;
	bool held = attack_once(trial, &attackers);

	attackers_end(&attackers);
	return held;
}

static bool resources_are_released(struct trial *trial)
{
	return rig_wait_resources(
		       trial->program.victim.pid, &trial->before, ATTACK_TIMEOUT_SECONDS) ||
	       fail(trial, "the program holds more than before after the attackers have ended");
}

static bool all_rounds(struct trial *trial, unsigned rounds)
{
	atomic_store(&trial->honest.board->attacked, true);
	for (unsigned i = 0; i < rounds; i++) {
		if (!one_round(trial))
			return false;
		if (i > 0)
			continue;
		/* Memory that the allocator keeps after the first round is no growth. */
		trial->before.memory_kb = UINT32_MAX - RIG_MEMORY_SLACK_KB;
		if (!resources_are_released(trial))
			return false;
		trial->before.memory_kb = rig_resources(trial->program.victim.pid).memory_kb;
	}
	return resources_are_released(trial);
}

/* SIGTERM in the state after the attack. */
static bool terminate_once(struct trial *trial, struct attackers *attackers)
{
	if (!attack_once(trial, attackers))
		return false;
	if (!honest_stop(&trial->honest))
		return fail(trial, "the honest client: %s", honest_why(&trial->honest));
	trial->termination_ms = victim_terminate(&trial->program);
	if (trial->termination_ms < 0)
		return fail(trial, "SIGTERM does not end the program");
	/* The next program can start. */
	if (access(trial->program.service, F_OK) == 0 ||
		access(trial->program.vfio_user, F_OK) == 0)
		return fail(trial, "SIGTERM leaves a socket behind");
	return true;
}

static bool terminate(struct trial *trial)
{
	struct attackers attackers;
	bool held = terminate_once(trial, &attackers);
	int status;

	attackers_end(&attackers);
	if (!held)
		return false;
	status = victim_status(&trial->program);
	return status == 0 ||
	       fail(trial, "SIGTERM ends the program with status 0x%x", (unsigned)status);
}

static bool begin(struct trial *trial)
{
	if (!victim_start(&trial->program, trial->attack))
		return fail(trial, "the program does not start");
	if (!honest_start(&trial->honest, &trial->program.victim) ||
		!honest_progresses(&trial->honest, 20))
		return fail(trial, "before the attack, the honest client: %s",
			honest_why(&trial->honest));
	trial->before = least_resources(trial->program.victim.pid);
	return true;
}

static void print_latency(const struct honest *honest)
{
	static const char *const kinds[HONEST_KINDS] = { "call", "transfer", "new client" };

	for (enum honest_kind kind = 0; kind < HONEST_KINDS; kind++) {
		if (!atomic_load(&honest->board->samples[true][kind].count))
			continue;
		printf("    %-10s p50 %6u us, attacked %6u; p99 %6u us, attacked %6u\n",
			kinds[kind], honest_percentile(honest, false, kind, 50),
			honest_percentile(honest, true, kind, 50),
			honest_percentile(honest, false, kind, 99),
			honest_percentile(honest, true, kind, 99));
	}
}

static void print_trial(struct trial *trial)
{
	static const char *const words[] = { "ok", "not ok", "skipped" };

	printf("%s %s%s%s", words[trial->report.outcome], trial->attack->name,
		trial->report.text[0] ? ": " : "", trial->report.text);
	if (trial->report.outcome == HELD)
		printf(": SIGTERM took %d ms", trial->termination_ms);
	putchar('\n');
	if (trial->report.outcome != SKIPPED && trial->honest.board)
		print_latency(&trial->honest);
	if (trial->report.outcome == GOT_THROUGH)
		victim_print_log(&trial->program);
}

/* Return: false when the attack succeeded. */
static bool try_attack(const struct attack *attack, unsigned rounds)
{
	struct trial trial = { .attack = attack };

	if (begin(&trial) && all_rounds(&trial, rounds))
		terminate(&trial);
	if (trial.honest.board)
		honest_stop(&trial.honest);
	print_trial(&trial);
	if (trial.honest.board)
		honest_free(&trial.honest);
	victim_remove(&trial.program);
	return trial.report.outcome != GOT_THROUGH;
}

/* --- The command line ------------------------------------------------------------------------ */

struct options {
	const char *only; /* prefix of names; NULL: all */
	unsigned rounds;
	bool all, list;
};

static void usage(void)
{
	printf("Usage: attacks [--only NAME] [--rounds N] [--all]\n"
	       "   or: attacks --list\n"
	       "\n"
	       "Attacks dextd and dext-vfio-user, beside an honest client that must not be "
	       "affected.\n"
	       "\n"
	       "  --only NAME    attacks whose names begin so (a family: \"memory/\")\n"
	       "  --rounds N     so many rounds of each, and one that ends with SIGTERM (%d)\n"
	       "  --all          those as well that are known to get through\n"
	       "  --list         list the attacks\n"
	       "\n"
	       "It prints what the honest client's work took, without the attack and beside it.\n"
	       "Exit status: 0 when all held, 1 when one got through, 2 for a wrong option,\n"
	       "77 when none could be tried.\n",
		DEFAULT_ROUNDS);
}

/* Return: -1 to continue, otherwise the exit status. */
static int parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "only", required_argument, NULL, 'o' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "all", no_argument, NULL, 'a' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*options = (struct options){ .rounds = DEFAULT_ROUNDS };
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return 0;
		}
		if (option == 'o')
			options->only = optarg;
		else if (option == 'r')
			options->rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'a')
			options->all = true;
		else if (option == 'l')
			options->list = true;
		else
			return 2;
	}
	if (optind < argc || !options->rounds) {
		fprintf(stderr, "attacks: expected options and a number of rounds (see --help)\n");
		return 2;
	}
	return -1;
}

static bool is_wanted(const struct options *options, const struct attack *attack)
{
	return !options->only || strncmp(attack->name, options->only, strlen(options->only)) == 0;
}

/* Why an attack is not run; NULL: it is run. */
static const char *reason_to_skip(const struct options *options, const struct attack *attack)
{
	if (!is_for_us(attack))
		return "needs root";
	return options->all ? NULL : attack->gets_through;
}

static void list(const struct attack *attack)
{
	printf("%-28s %s%s%s\n", attack->name, attack->tries,
		attack->gets_through ? "; gets through: " : "",
		attack->gets_through ? attack->gets_through : "");
}

struct tally {
	unsigned found, tried, failed;
};

static void take(const struct options *options, const struct attack *attack, struct tally *tally)
{
	const char *skipped = reason_to_skip(options, attack);

	tally->found++;
	if (options->list) {
		list(attack);
	} else if (skipped) {
		printf("skipped %s: %s\n", attack->name, skipped);
	} else {
		tally->tried++;
		tally->failed += !try_attack(attack, options->rounds);
	}
}

int main(int argc, char **argv)
{
	struct tally tally = { .found = 0 };
	struct options options;
	int status = parse(argc, argv, &options);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0); /* the buffer is empty when processes are created */
	for (size_t family = 0; family < FAMILIES; family++)
		for (const struct attack *attack = families[family]; attack->name; attack++)
			if (is_wanted(&options, attack))
				take(&options, attack, &tally);
	if (!tally.found) {
		fprintf(stderr, "attacks: no attack of that name (see --list)\n");
		return 2;
	}
	if (!tally.tried && !options.list)
		return ALL_SKIPPED;
	return tally.failed > 0;
}
