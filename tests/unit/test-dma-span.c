/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies from and to spans, and memory that is removed during the copy. */
#include "common/dma-span.h"
#include "tests/lib/cmocka-all.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

/*
 * ThreadSanitizer holds internal locks during an atomic access and during a copy; siglongjmp() out
 * of one leaves them locked. Cases that fault are skipped under it.
 */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

static void catch_faults(void)
{
	if (UNDER_TSAN)
		skip();
	dma_spans_catch_faults(); /* cmocka installs its own handlers before each test */
}

static struct dma_span host_span(void *host, uint64_t length)
{
	return (struct dma_span){ .length = length, .host = host, .writable = true };
}

static void test_spans_are_contiguous(void **state)
{
	char a[5] = "01234", b[3] = "567", c[2] = "89", out[11] = "";
	const struct dma_span spans[] = { host_span(a, 5), host_span(b, 3), host_span(c, 2) };

	(void)state;
	for (uint64_t from = 0; from < 10; from++) {
		for (size_t length = 1; from + length <= 10; length++) {
			memset(out, 0, sizeof(out));
			assert_true(dma_spans_read(spans, 3, from, out, length));
			assert_int_equal(strncmp(out, &"0123456789"[from], length), 0);
		}
		assert_false(dma_spans_read(spans, 3, from, out, (size_t)(11 - from)));
	}
	assert_true(dma_spans_read(spans, 3, 10, out, 0));
	assert_false(dma_spans_read(spans, 3, 10, out, 1));
	assert_false(dma_spans_read(spans, 3, UINT64_MAX, out, 1));
	assert_true(dma_spans_write(spans, 3, 4, "abcdef", 6));
	assert_memory_equal(a, "0123a", 5);
	assert_memory_equal(b, "bcd", 3);
	assert_memory_equal(c, "ef", 2);
}

/* Every length, with both sides at every offset: bytes next to them do not change. */
static void test_every_alignment(void **state)
{
	_Alignas(64) char memory[256];
	_Alignas(64) char buffer[256];

	(void)state;
	for (size_t to = 0; to < 9; to++) {
		for (size_t from = 0; from < 9; from++) {
			for (size_t length = 1; length < 140; length++) {
				const struct dma_span span = host_span(memory + to, length);
				char back[140];

				memset(memory, 0x55, sizeof(memory));
				for (size_t i = 0; i < length; i++)
					buffer[from + i] = (char)(i + length);
				assert_true(dma_spans_write(&span, 1, 0, buffer + from, length));
				assert_memory_equal(memory + to, buffer + from, length);
				assert_int_equal(memory[to + length], 0x55);
				assert_true(!to || memory[to - 1] == 0x55);
				assert_true(dma_spans_read(&span, 1, 0, back, length));
				assert_memory_equal(back, buffer + from, length);
			}
		}
	}
}

static void test_read_only_memory(void **state)
{
	char memory[8] = "keep me";
	struct dma_span spans[] = { host_span(memory, 4), host_span(memory + 4, 4) };

	(void)state;
	spans[1].writable = false;
	assert_true(dma_spans_write(spans, 2, 0, "K", 1));
	assert_false(dma_spans_write(spans, 2, 4, "x", 1));
	assert_false(dma_spans_write(spans, 2, 3, "yy", 2));
	assert_string_equal(memory + 4, " me");
}

/* A file truncated under its mapping: SIGBUS, the access fails. */
static void test_a_truncated_file(void **state)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	char word[8] = "", *memory;
	struct dma_span span;

	(void)state;
	catch_faults();
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	span = host_span(memory, 2 * PAGE);
	assert_true(dma_spans_write(&span, 1, PAGE, "here", 5));
	assert_int_equal(ftruncate(fd, PAGE), 0);
	for (int again = 0; again < 3; again++) {
		assert_false(dma_spans_read(&span, 1, PAGE, word, 8));
		assert_false(dma_spans_write(&span, 1, PAGE, word, 8));
		assert_false(dma_spans_read(&span, 1, PAGE - 4, word, 8));
		assert_true(dma_spans_read(&span, 1, PAGE - 8, word, 8));
	}
	munmap(memory, 2 * PAGE);
	close(fd);
}

/* An unmapped page: SIGSEGV, the access fails; for large copies and small ones. */
static void test_an_unmapped_page(void **state)
{
	char *memory =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct dma_span span = host_span(memory, 3 * PAGE);
	static char buffer[3 * PAGE];

	(void)state;
	catch_faults();
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_true(dma_spans_read(&span, 1, 0, buffer, sizeof(buffer)));
	munmap(memory + PAGE, PAGE);
	assert_false(dma_spans_read(&span, 1, 0, buffer, sizeof(buffer)));
	assert_false(dma_spans_read(&span, 1, PAGE, buffer, 1));
	assert_true(dma_spans_read(&span, 1, 2 * PAGE, buffer, PAGE));
	assert_int_equal(mprotect(memory, PAGE, PROT_READ), 0);
	assert_false(dma_spans_write(&span, 1, 0, buffer, 4));
	assert_true(dma_spans_read(&span, 1, 0, buffer, 4));
	munmap(memory, PAGE);
	munmap(memory + 2 * PAGE, PAGE);
}

/* siglongjmp() out of the signal handler restores the thread's signal mask. */
static void test_the_signal_mask_is_restored(void **state)
{
	char *memory = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct dma_span span = host_span(memory, PAGE);
	sigset_t blocked, before, after;
	char byte;

	(void)state;
	catch_faults();
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
	for (int again = 0; again < 3; again++) {
		assert_false(dma_spans_read(&span, 1, 0, &byte, 1));
		assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
		for (int signal = 1; signal < 32; signal++)
			assert_int_equal(sigismember(&after, signal),
				sigismember(&before, signal) || signal == SIGUSR1);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(memory, PAGE);
}

static void *fault_often(void *context)
{
	const struct dma_span *span = context;
	uintptr_t failed = 0;
	char word[8];

	for (int i = 0; i < 500; i++)
		failed += !dma_spans_read(span, 1, 0, word, 8);
	return (void *)failed;
}

static void test_faults_on_several_threads(void **state)
{
	char *memory = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dma_span span = host_span(memory, PAGE);
	pthread_t threads[4];
	void *failed;

	(void)state;
	catch_faults();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fault_often, &span), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_int_equal((uintptr_t)failed, 500);
	}
	munmap(memory, PAGE);
}

/* A fault outside of these accesses is passed to the handler installed before. */
static void previous_handler(int signal)
{
	_exit(signal == SIGSEGV ? 42 : 1);
}

static void test_faults_of_other_code(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	if (UNDER_TSAN)
		skip();
	child = fork();
	if (child == 0) {
		char *memory = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		const struct dma_span span = host_span(memory, PAGE);
		char byte;

		signal(SIGSEGV, previous_handler);
		dma_spans_catch_faults();
		if (dma_spans_read(&span, 1, 0, &byte, 1))
			_exit(2);
		*(volatile char *)memory = 1;
		_exit(3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

/* Private memory of another process, which then exits. */
static void test_private_memory_of_a_process(void **state)
{
	volatile char *memory =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int to_child[2], from_child[2], status;
	struct dma_span span;
	char word[16] = "", path[32];
	pid_t child;
	int fd;

	(void)state;
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	child = fork();
	if (child == 0) {
		memcpy((char *)(uintptr_t)memory + PAGE - 4, "the child's", 12);
		if (write(from_child[1], "r", 1) != 1 || read(to_child[0], word, 1) != 1)
			_exit(1);
		_exit(memory[PAGE] == 'W' ? 42 : 2);
	}
	assert_int_equal(read(from_child[0], word, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
	fd = open(path, O_RDWR | O_CLOEXEC);
	span = (struct dma_span){ .length = 2 * PAGE,
		.memory_fd = fd,
		.is_private = true,
		.va = (uintptr_t)memory,
		.writable = true };
	if (!dma_spans_read(&span, 1, PAGE - 4, word, 12)) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		skip(); /* this host does not allow access to other processes' memory */
	}
	assert_string_equal(word, "the child's");
	assert_int_equal(memory[PAGE], 0); /* this process's own memory is unchanged */
	assert_true(dma_spans_write(&span, 1, PAGE, "W", 1));
	assert_false(dma_spans_read(&span, 1, 2 * PAGE, word, 1));
	span.length = 1u << 30;
	assert_false(dma_spans_read(&span, 1, (1u << 30) - 8, word, 8));
	assert_int_equal(write(to_child[1], "g", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 42);
	/* The process has exited; its PID may be that of another process now. */
	span.length = 2 * PAGE;
	assert_false(dma_spans_read(&span, 1, 0, word, 8));
	close(fd);
	assert_false(dma_spans_read(&span, 1, 0, word, 1));
	munmap((void *)(uintptr_t)memory, 2 * PAGE);
}

/*
 * An aligned store of up to 8 bytes is never seen in part, for any alignment of the device's
 * buffer.
 */
struct stores {
	_Alignas(64) _Atomic uint64_t word;
	atomic_bool stop;
};

static void *watch(void *context)
{
	struct stores *stores = context;
	uintptr_t torn = 0;

	while (!atomic_load(&stores->stop)) {
		uint64_t seen = atomic_load(&stores->word);

		torn += seen != 0 && seen != UINT64_MAX;
	}
	return (void *)torn;
}

static void test_aligned_stores_are_whole(void **state)
{
	static struct stores stores;
	const struct dma_span span = host_span(&stores.word, 8);
	char buffers[2][9];
	pthread_t thread;
	void *torn;

	(void)state;
	memset(buffers[0], 0, sizeof(buffers[0]));
	memset(buffers[1], 0xff, sizeof(buffers[1]));
	assert_int_equal(pthread_create(&thread, NULL, watch, &stores), 0);
	for (int i = 0; i < 200000; i++)
		assert_true(dma_spans_write(&span, 1, 0, buffers[i % 2] + 1, 8));
	atomic_store(&stores.stop, true);
	pthread_join(thread, &torn);
	assert_int_equal((uintptr_t)torn, 0);
}

/* Words are stored in ascending order: a reader that sees the last one sees all. */
struct record {
	_Alignas(64) _Atomic uint64_t words[8];
	atomic_bool stop;
};

static void *watch_record(void *context)
{
	struct record *record = context;
	uintptr_t behind = 0;

	while (!atomic_load(&record->stop)) {
		uint64_t last = atomic_load(&record->words[7]);

		for (int i = 6; i >= 0; i--)
			behind += atomic_load(&record->words[i]) < last;
	}
	return (void *)behind;
}

static void test_words_are_stored_in_order(void **state)
{
	static struct record record;
	const struct dma_span span = host_span(&record.words, 64);
	pthread_t thread;
	void *behind;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, watch_record, &record), 0);
	for (uint64_t i = 1; i <= 100000; i++) {
		uint64_t values[8] = { i, i, i, i, i, i, i, i };

		assert_true(dma_spans_write(&span, 1, 0, values, sizeof(values)));
	}
	atomic_store(&record.stop, true);
	pthread_join(thread, &behind);
	assert_int_equal((uintptr_t)behind, 0);
}

static void test_memory_for_system_calls(void **state)
{
	char a[16], b[16];
	struct dma_span spans[] = { host_span(a, 16), host_span(b, 16),
		{ .length = 16,
			.memory_fd = -1,
			.is_private = true,
			.va = 0x1000,
			.writable = true } };
	struct iovec iov;

	(void)state;
	spans[1].writable = false;
	assert_true(dma_spans_iovec(spans, 3, 4, 100, true, &iov));
	assert_ptr_equal(iov.iov_base, a + 4);
	assert_int_equal(iov.iov_len, 12);
	assert_true(dma_spans_iovec(spans, 3, 4, 5, true, &iov));
	assert_int_equal(iov.iov_len, 5);
	assert_false(dma_spans_iovec(spans, 3, 16, 1, true, &iov));
	assert_true(dma_spans_iovec(spans, 3, 16, 1, false, &iov));
	assert_ptr_equal(iov.iov_base, b);
	assert_false(dma_spans_iovec(spans, 3, 32, 1, false, &iov));
	assert_false(dma_spans_iovec(spans, 3, 48, 1, false, &iov));
	assert_false(dma_spans_iovec(spans, 0, 0, 1, false, &iov));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* These two fork: run them before a thread is created. */
		cmocka_unit_test(test_faults_of_other_code),
		cmocka_unit_test(test_private_memory_of_a_process),
		cmocka_unit_test(test_spans_are_contiguous),
		cmocka_unit_test(test_every_alignment),
		cmocka_unit_test(test_read_only_memory),
		cmocka_unit_test(test_a_truncated_file),
		cmocka_unit_test(test_an_unmapped_page),
		cmocka_unit_test(test_the_signal_mask_is_restored),
		cmocka_unit_test(test_faults_on_several_threads),
		cmocka_unit_test(test_aligned_stores_are_whole),
		cmocka_unit_test(test_words_are_stored_in_order),
		cmocka_unit_test(test_memory_for_system_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
