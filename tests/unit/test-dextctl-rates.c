/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates of clients, as text and JSON, on a terminal and elsewhere. */
#include "tools/dextctl/top.h"
#include "tools/dextctl/terminal.h"
#include "tests/lib/cmocka-all.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static AppleDextClientInfo before_clients[] = {
	{ .client = 1, .calls = 100, .is_caller = true },
	{ .client = 2, .calls = 100, .interrupts = 10 },
	{ .client = 3, .calls = 50 },
	{ .client = 4, .calls = 50 },
};
static AppleDextClientInfo now_clients[] = {
	{ .client = 1, .calls = 900, .is_caller = true },
	{ .client = 2,
		.calls = 100,
		.interrupts = 11,
		.claimed = true,
		.regions = 3,
		.bytes_wired = 3 << 20 },
	{ .client = 3, .calls = 51, .claimed = true, .exclusive = true },
	{ .client = 5, .calls = 8, .interrupts = 4 }, /* new */
	{ .client = 4, .calls = 49 },		      /* a counter that goes back */
};
static const struct rates_sample before = { 1 * SECOND, before_clients, 4 };
static const struct rates_sample now = { 3 * SECOND, now_clients, 5 };

static int setup(void **state)
{
	struct rates *rates = calloc(1, sizeof(*rates));

	if (!rates)
		return -1;
	rates_add(rates, "01:00.0", &before, &now);
	rates_sort(rates);
	*state = rates;
	return 0;
}

static int teardown(void **state)
{
	rates_free(*state);
	free(*state);
	return 0;
}

static void assert_rate(const struct rate *rate, uint32_t client, double calls, double interrupts)
{
	assert_int_equal(rate->client.client, client);
	assert_true(rate->calls == calls);
	assert_true(rate->interrupts == interrupts);
}

static void test_rates(void **state)
{
	struct rates *rates = *state;
	double calls, interrupts;

	assert_int_equal(rates->count, 4);
	assert_rate(&rates->rates[0], 5, 4, 2);
	assert_rate(&rates->rates[1], 3, 0.5, 0);
	assert_rate(&rates->rates[2], 2, 0, 0.5);
	assert_rate(&rates->rates[3], 4, 0, 0);
	rates_sum(rates, &calls, &interrupts);
	assert_true(calls == 4.5 && interrupts == 2.5);
}

static void test_no_time_between(void **state)
{
	struct rates rates = { .rates = NULL };
	struct rates_sample same = now;

	(void)state;
	same.taken = before.taken;
	rates_add(&rates, "01:00.0", &before, &same);
	assert_int_equal(rates.count, 4);
	assert_true(rates.rates[2].calls == 0);
	rates_free(&rates);
	assert_int_equal(rates.count, 0);
	rates_sort(&rates);
}

static void test_text(void **state)
{
	struct rates *rates = *state;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	rates->rates[1].client.pid = getpid();
	top_print(rates, "12:34:56", out);
	fclose(out);
	assert_ptr_equal(strstr(text, "12:34:56  4 clients, 4.5 calls/s, 2.5 interrupts/s\n"
				      "ADDRESS  CLIENT  PID"),
		text);
	assert_non_null(strstr(text, "\n01:00.0  5       -"));
	assert_non_null(strstr(text, "exclusive"));
	assert_non_null(strstr(text, "test-dextctl-ra\n")); /* as the kernel cuts it */
	assert_non_null(strstr(text, "3M"));
	free(text);
}

static struct json_object *at(struct json_object *object, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(object, key, &value));
	return value;
}

static void test_json(void **state)
{
	struct json_object *object = top_json(*state, "12:34:56"), *client;

	assert_string_equal(json_object_get_string(at(object, "time")), "12:34:56");
	assert_int_equal(json_object_array_length(at(object, "clients")), 4);
	client = json_object_array_get_idx(at(object, "clients"), 1);
	assert_int_equal(json_object_get_int(at(client, "client")), 3);
	assert_string_equal(json_object_get_string(at(client, "claim")), "exclusive");
	assert_string_equal(json_object_get_string(at(client, "calls_per_second")), "0.5");
	assert_null(at(client, "pid"));
	assert_null(at(client, "command"));
	client = json_object_array_get_idx(at(object, "clients"), 2);
	assert_string_equal(json_object_get_string(at(client, "claim")), "claimed");
	assert_int_equal(json_object_get_int(at(client, "bytes_wired")), 3 << 20);
	json_object_put(object);
}

static void test_no_terminal(void **state)
{
	struct screen screen;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	screen_begin(&screen, out);
	screen_show(&screen, "one\n");
	screen_show(&screen, "two\n");
	fclose(out);
	assert_string_equal(text, "one\n\ntwo\n");
	free(text);
}

/* Show "one", "two", "three" on a terminal of @lines. Return: its input, for free(). */
static char *show_on_terminal(unsigned short lines)
{
	struct winsize size = { .ws_row = lines, .ws_col = 80 };
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	char *text = calloc(1, 512);
	struct screen screen;
	size_t length = 0;
	ssize_t got;
	FILE *out;
	int slave;

	assert_true(text && master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	/* O_NOCTTY: as the controlling terminal, closing it would end this process. */
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	out = fdopen(slave, "r+");
	assert_non_null(out);
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	screen_begin(&screen, out);
	screen_show(&screen, "one\ntwo\nthree\n");
	screen_show(&screen, "!\n");
	while (!strchr(text, '!') || !strstr(text, "\033[?7h\033[H")) {
		got = read(master, text + length, 511 - length);
		assert_true(got > 0);
		length += (size_t)got;
	}
	fclose(out);
	close(master);
	return text;
}

static void test_terminal(void **state)
{
	char *text;

	(void)state;
	setenv("TERM", "xterm", 1);
	text = show_on_terminal(24);
	assert_ptr_equal(
		strstr(text, "\033[2J\033[H\033[?7lone\033[K\r\ntwo\033[K\r\nthree\033[K\r\n"
			     "\033[J\033[?7h\033[H\033[?7l!"),
		text);
	free(text);
	/* The cursor takes one of three lines. */
	text = show_on_terminal(3);
	assert_ptr_equal(
		strstr(text, "\033[2J\033[H\033[?7lone\033[K\r\ntwo\033[K\r\n\033[J"), text);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
		cmocka_unit_test(test_no_time_between),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test(test_no_terminal),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
