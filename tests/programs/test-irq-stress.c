/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts under load, with the driver in this process and a device that only raises vectors,
 * from several threads: no wake-up is lost, masked interrupts are dropped, and clients connect and
 * disconnect meanwhile. Handlers arm by a store to the IRQ state page; with the argument "calls"
 * the client library does not get the page, and arms by calls.
 *
 * $IRQ_SEED is the seed, $IRQ_ROUNDS the number of rounds.
 */
#include "driver/driver.h"
#include "common/pci-regs.h"
#include "tests/lib/cmocka-all.h"

#include <IOKit/IOKitLib.h>
#include <apple-dext-client.h>
#include <dext-abi.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VECTORS 200u /* bits in all four words, but not the last ones */
#define MSIX	0x40u

/* --- The device ----------------------------------------------------------------- */

struct gun {
	struct pci_provider provider;
	pthread_mutex_t config_lock; /* protects config */
	uint8_t config[DEXT_CONFIG_SIZE];
	/* Held for reading while it raises, so that several threads can do so. */
	pthread_rwlock_t route;
	pci_irq_sink sink;
	void *context;
};

static struct gun *gun_of(struct pci_provider *provider)
{
	return (struct gun *)provider;
}

static kern_return_t gun_open(struct pci_provider *provider)
{
	(void)provider;
	return kIOReturnSuccess;
}

static void gun_close(struct pci_provider *provider)
{
	(void)provider;
}

static kern_return_t gun_config_read(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t *value)
{
	struct gun *gun = gun_of(provider);

	*value = 0;
	pthread_mutex_lock(&gun->config_lock);
	for (uint32_t i = 0; i < width; i++)
		*value |= (uint32_t)gun->config[offset + i] << (8 * i);
	pthread_mutex_unlock(&gun->config_lock);
	return kIOReturnSuccess;
}

static kern_return_t gun_config_write(
	struct pci_provider *provider, uint32_t offset, uint32_t width, uint32_t value)
{
	struct gun *gun = gun_of(provider);

	pthread_mutex_lock(&gun->config_lock);
	for (uint32_t i = 0; i < width && offset == PCI_COMMAND; i++)
		gun->config[offset + i] = (uint8_t)(value >> (8 * i));
	pthread_mutex_unlock(&gun->config_lock);
	return kIOReturnSuccess;
}

static kern_return_t gun_irq_setup(struct pci_provider *provider, enum dext_interrupt_kind kind,
	unsigned vectors, pci_irq_sink sink, void *context)
{
	struct gun *gun = gun_of(provider);

	assert_int_equal(kind, DEXT_INTERRUPT_MSIX);
	assert_int_equal(vectors, VECTORS);
	pthread_rwlock_wrlock(&gun->route);
	gun->sink = sink;
	gun->context = context;
	pthread_rwlock_unlock(&gun->route);
	return kIOReturnSuccess;
}

static void gun_irq_teardown(struct pci_provider *provider)
{
	struct gun *gun = gun_of(provider);

	pthread_rwlock_wrlock(&gun->route);
	gun->sink = NULL;
	pthread_rwlock_unlock(&gun->route);
}

static kern_return_t gun_reset(struct pci_provider *provider, enum pci_reset kind)
{
	(void)provider;
	return kind == PCI_RESET_FUNCTION ? kIOReturnSuccess : kIOReturnUnsupported;
}

static uint64_t gun_dma_faults(struct pci_provider *provider)
{
	(void)provider;
	return 0;
}

static void gun_destroy(struct pci_provider *provider)
{
	struct gun *gun = gun_of(provider);

	pthread_rwlock_destroy(&gun->route);
	pthread_mutex_destroy(&gun->config_lock);
	free(gun);
}

/* It has no BARs and no DMA. */
static const struct pci_provider_ops gun_ops = {
	.open = gun_open,
	.close = gun_close,
	.config_read = gun_config_read,
	.config_write = gun_config_write,
	.irq_setup = gun_irq_setup,
	.irq_teardown = gun_irq_teardown,
	.reset = gun_reset,
	.dma_faults = gun_dma_faults,
	.destroy = gun_destroy,
};

static struct gun *gun_create(void)
{
	struct gun *gun = calloc(1, sizeof(*gun));

	assert_non_null(gun);
	gun->provider.ops = &gun_ops;
	gun->provider.address = (struct pci_address){ .bus = 3 };
	pthread_mutex_init(&gun->config_lock, NULL);
	pthread_rwlock_init(&gun->route, NULL);
	memcpy(gun->config + PCI_VENDOR_ID, (uint8_t[]){ 0x36, 0x1b, 0x99, 0x00 }, 4);
	gun->config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	gun->config[PCI_CAPABILITY_LIST] = MSIX;
	gun->config[MSIX] = PCI_CAP_ID_MSIX;
	gun->config[MSIX + PCI_MSIX_FLAGS] = VECTORS - 1;
	return gun;
}

static void gun_fire(struct gun *gun, unsigned vector)
{
	pthread_rwlock_rdlock(&gun->route);
	if (gun->sink)
		gun->sink(gun->context, vector);
	pthread_rwlock_unlock(&gun->route);
}

/* --- What the tests share --------------------------------------------------------- */

static struct gun *gun;
static struct dext_driver *driver;
static unsigned seed, rounds;
static bool arms_by_calls;
static _Thread_local bool gets_no_memory;

/* In place of the runtime's, for the client library too. */
kern_return_t IOConnectMapMemory64(io_connect_t connect, uint32_t memory_type,
	task_port_t into_task, mach_vm_address_t *address, mach_vm_size_t *size,
	IOOptionBits options)
{
	static typeof(IOConnectMapMemory64) *real;

	if (gets_no_memory)
		return kIOReturnBadArgument;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "IOConnectMapMemory64");
	return real(connect, memory_type, into_task, address, size, options);
}

/* A client whose handler records how often each vector had been raised when it cleared its bit. */
struct listener {
	io_connect_t connection;
	AppleDextInterruptNotify *notify;
	struct dext_irq_state *state;
	bool by_call;			/* clears the bits by the call; otherwise in the page */
	uint64_t takes[DEXT_IRQ_WORDS]; /* bits that the handler clears */
	atomic_uint fired[VECTORS], seen[VECTORS];
};

static void see(struct listener *listener, unsigned word, uint64_t bits)
{
	for (; bits; bits &= bits - 1) {
		unsigned vector = word * 64 + (unsigned)__builtin_ctzll(bits);

		atomic_store(&listener->seen[vector], atomic_load(&listener->fired[vector]));
	}
}

static void interrupted(void *opaque)
{
	struct listener *listener = opaque;
	uint64_t bits[DEXT_IRQ_WORDS];

	if (listener->by_call)
		apple_dext_read_pending_irqs(listener->connection, bits);
	for (unsigned word = 0; word < DEXT_IRQ_WORDS; word++) {
		uint64_t mine = listener->takes[word];

		if (!listener->by_call)
			bits[word] = mine & __atomic_fetch_and(&listener->state->pending[word],
						    ~mine, __ATOMIC_SEQ_CST);
		see(listener, word, bits[word]);
	}
	apple_dext_interrupt_notify_rearm(listener->notify);
}

/* Connect, and set up interrupts without a handler. */
static void listen_to(struct listener *listener, bool by_call)
{
	mach_vm_address_t page;
	uint32_t vectors;

	memset(listener, 0, sizeof(*listener));
	memset(listener->takes, 0xff, sizeof(listener->takes));
	listener->by_call = by_call;
	listener->connection = apple_dext_connect(3, 0, 0);
	assert_int_not_equal(listener->connection, IO_OBJECT_NULL);
	assert_int_equal(apple_dext_claim(listener->connection), kIOReturnSuccess);
	assert_int_equal(
		apple_dext_setup_interrupts(listener->connection, &vectors), kIOReturnSuccess);
	assert_int_equal(vectors, VECTORS);
	assert_int_equal(apple_dext_map_irq_state(listener->connection, &page), kIOReturnSuccess);
	listener->state = (struct dext_irq_state *)(uintptr_t)page;
}

/* Separate, as the handler may run before the creation has returned; nothing is raised yet. */
static void start_handler(struct listener *listener)
{
	gets_no_memory = arms_by_calls;
	listener->notify =
		apple_dext_interrupt_notify_create(listener->connection, interrupted, listener);
	gets_no_memory = false;
	assert_non_null(listener->notify);
	/* Nothing has fired yet. */
	assert_int_equal(listener->state->armed, !arms_by_calls);
}

static void stop_listening(struct listener *listener)
{
	apple_dext_interrupt_notify_destroy(listener->notify);
	apple_dext_disconnect(listener->connection);
}

/* Sleep for a short random time. */
static void sleep_randomly(unsigned *random)
{
	unsigned turns = (unsigned)rand_r(random) % 200;

	if (turns < 4)
		sched_yield();
	for (volatile unsigned i = 0; i < turns * 4; i++)
		;
}

/* Wait until the last interrupt of @vector has been seen; false after a timeout. */
static bool was_seen(struct listener *listener, unsigned vector)
{
	time_t limit = time(NULL) + 60;

	while (atomic_load(&listener->seen[vector]) != atomic_load(&listener->fired[vector])) {
		if (time(NULL) > limit)
			return false;
		sched_yield();
	}
	return true;
}

/* --- No wake-up is lost ------------------------------------------------------------- */

struct shooter {
	struct listener *listener;
	unsigned seed, first, count; /* vectors of this thread */
	unsigned rounds;
	bool lost;
	pthread_t thread;
};

/*
 * Raise, and raise again when it has been seen: each interrupt arrives while the handler rearms,
 * and if one is lost, no later one wakes the handler.
 */
static void *shoot_and_wait(void *context)
{
	struct shooter *shooter = context;
	unsigned random = shooter->seed;

	for (unsigned i = 0; i < shooter->rounds && !shooter->lost; i++) {
		unsigned vector = shooter->first + (unsigned)rand_r(&random) % shooter->count;

		atomic_fetch_add(&shooter->listener->fired[vector], 1);
		gun_fire(gun, vector);
		shooter->lost = !was_seen(shooter->listener, vector);
		sleep_randomly(&random);
	}
	return NULL;
}

static void shoot_from(unsigned threads, bool by_call)
{
	static struct listener listener;
	unsigned refused = 0, wrong = 0;
	struct shooter shooters[4];

	listen_to(&listener, by_call);
	start_handler(&listener);
	for (unsigned i = 0; i < threads; i++) {
		shooters[i] = (struct shooter){ .listener = &listener,
			.seed = seed + i,
			.first = i * (VECTORS / threads),
			.count = VECTORS / threads,
			.rounds = rounds / threads };
		assert_int_equal(
			pthread_create(&shooters[i].thread, NULL, shoot_and_wait, &shooters[i]), 0);
	}
	/* Rearming has no effect if already armed: the call is refused. */
	for (unsigned i = 0; i < rounds / 4; i++) {
		kern_return_t status = apple_dext_interrupt_notify_rearm(listener.notify);

		refused += status == kIOReturnNoResources;
		wrong += status != kIOReturnSuccess && status != kIOReturnNoResources;
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(shooters[i].thread, NULL);
		assert_false(shooters[i].lost);
	}
	stop_listening(&listener);
	assert_int_equal(wrong, 0);
	/* Some calls succeeded; a store is not refused. */
	assert_in_range(refused, 0, arms_by_calls ? rounds / 4 - 1 : 0);
}

static void test_no_wake_up_is_lost_one_thread(void **state)
{
	(void)state;
	shoot_from(1, true);
	shoot_from(1, false);
}

static void test_no_wake_up_is_lost_many_threads(void **state)
{
	(void)state;
	shoot_from(4, true);
	shoot_from(4, false);
}

/* --- Masked interrupts are dropped ----------------------------------------------------- */

#define MASKED_WORD 1 /* vectors 64 to 127 are handled by the test, the others by the handler */

static void fire_all_of_the_word(void)
{
	for (unsigned vector = 0; vector < 64; vector++)
		gun_fire(gun, MASKED_WORD * 64 + vector);
}

static uint64_t clear_own_bits(struct listener *listener)
{
	return __atomic_exchange_n(&listener->state->pending[MASKED_WORD], 0, __ATOMIC_SEQ_CST);
}

struct noise {
	atomic_bool stop;
	unsigned seed;
};

/* Raises the test's word continuously, so that masking meets interrupts in progress. */
static void *raise_continuously(void *context)
{
	struct noise *noise = context;

	while (!atomic_load(&noise->stop)) {
		gun_fire(gun, MASKED_WORD * 64 + (unsigned)rand_r(&noise->seed) % 64);
		sleep_randomly(&noise->seed);
	}
	return NULL;
}

static void test_masked_interrupts_are_dropped(void **state)
{
	static struct listener listener;
	struct shooter shooter = {
		.listener = &listener, .seed = seed, .first = 0, .count = 64, .rounds = rounds / 2
	};
	uint64_t mask[DEXT_IRQ_WORDS];
	unsigned random = seed;

	(void)state;
	listen_to(&listener, false);
	listener.takes[MASKED_WORD] = 0;
	start_handler(&listener);
	assert_int_equal(pthread_create(&shooter.thread, NULL, shoot_and_wait, &shooter), 0);
	for (unsigned i = 0; i < rounds / 20; i++) {
		memset(mask, 0xff, sizeof(mask));
		mask[MASKED_WORD] = (uint64_t)rand_r(&random) << 40 ^
				    (uint64_t)rand_r(&random) << 20 ^ (uint64_t)rand_r(&random);
		assert_int_equal(
			apple_dext_set_irq_mask(listener.connection, mask), kIOReturnSuccess);
		clear_own_bits(&listener);
		fire_all_of_the_word();
		/* All that were enabled, and no other. */
		assert_true(clear_own_bits(&listener) == mask[MASKED_WORD]);
	}
	pthread_join(shooter.thread, NULL);
	assert_false(shooter.lost);
	stop_listening(&listener);
}

/* When the call that masks has returned, interrupts in progress have been delivered. */
static void test_masking_waits_for_interrupts_in_progress(void **state)
{
	static struct listener listener;
	struct noise noise = { .seed = seed };
	uint64_t open[DEXT_IRQ_WORDS], shut[DEXT_IRQ_WORDS] = { 0 };
	pthread_t thread;

	(void)state;
	memset(open, 0xff, sizeof(open));
	listen_to(&listener, false);
	assert_int_equal(pthread_create(&thread, NULL, raise_continuously, &noise), 0);
	for (unsigned i = 0; i < rounds; i++) {
		assert_int_equal(
			apple_dext_set_irq_mask(listener.connection, open), kIOReturnSuccess);
		sleep_randomly(&noise.seed);
		assert_int_equal(
			apple_dext_set_irq_mask(listener.connection, shut), kIOReturnSuccess);
		clear_own_bits(&listener);
		sleep_randomly(&noise.seed);
		assert_true(clear_own_bits(&listener) == 0);
	}
	atomic_store(&noise.stop, true);
	pthread_join(thread, NULL);
	apple_dext_disconnect(listener.connection);
}

/* --- Clients connect and disconnect ----------------------------------------------------- */

static void test_clients_connect_and_disconnect(void **state)
{
	static struct listener staying, going;
	struct shooter shooter = { .listener = &staying,
		.seed = seed,
		.first = 0,
		.count = VECTORS,
		.rounds = rounds / 2 };

	(void)state;
	listen_to(&staying, true);
	start_handler(&staying);
	assert_int_equal(pthread_create(&shooter.thread, NULL, shoot_and_wait, &shooter), 0);
	for (unsigned i = 0; i < rounds / 50; i++) {
		listen_to(&going, i % 2);
		gets_no_memory = arms_by_calls;
		/*
		 * Its own handler may run already, and rearm with the notification that it finds.
		 */
		if (i % 3 == 0)
			apple_dext_disconnect(going.connection);
		else
			apple_dext_interrupt_notify_destroy(apple_dext_interrupt_notify_create(
				going.connection, interrupted, &going));
		gets_no_memory = false;
		if (i % 3)
			apple_dext_disconnect(going.connection);
	}
	pthread_join(shooter.thread, NULL);
	assert_false(shooter.lost);
	stop_listening(&staying);
}

static unsigned from_environment(const char *name, unsigned fallback)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : fallback;
}

static int setup(void **state)
{
	(void)state;
	seed = from_environment("IRQ_SEED", 20240607);
	rounds = from_environment("IRQ_ROUNDS", 4000);
	printf("seed %u, %u rounds\n", seed, rounds);
	gun = gun_create();
	driver = dext_driver_create(&gun->provider);
	return driver ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	dext_driver_destroy(driver);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_wake_up_is_lost_one_thread),
		cmocka_unit_test(test_no_wake_up_is_lost_many_threads),
		cmocka_unit_test(test_masked_interrupts_are_dropped),
		cmocka_unit_test(test_masking_waits_for_interrupts_in_progress),
		cmocka_unit_test(test_clients_connect_and_disconnect),
	};

	arms_by_calls = argc > 1 && strcmp(argv[1], "calls") == 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
