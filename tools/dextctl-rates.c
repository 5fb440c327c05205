/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/dextctl-rates.h"
#include "tools/cli.h"
#include "tools/dextctl-clock.h"

#include <stdlib.h>
#include <string.h>

/* What a client had before; nothing when it was not there. */
static AppleDextClientInfo find(const struct rates_sample *sample, uint32_t number)
{
	for (size_t i = 0; i < sample->count; i++)
		if (sample->clients[i].client == number)
			return sample->clients[i];
	return (AppleDextClientInfo){.client = number};
}

static double a_second(uint64_t before, uint64_t now, uint64_t nanoseconds)
{
	if (now <= before || !nanoseconds)
		return 0;
	return (double)(now - before) * (double)CLOCK_SECOND / (double)nanoseconds;
}

static struct rate *grow(struct rates *rates)
{
	struct rate *larger = cli_allocate((rates->count + 1) * sizeof(*larger));

	if (rates->count)
		memcpy(larger, rates->rates, rates->count * sizeof(*larger));
	free(rates->rates);
	rates->rates = larger;
	return &larger[rates->count++];
}

void rates_add(struct rates *rates, const char *address, const struct rates_sample *before,
	const struct rates_sample *now)
{
	uint64_t passed = now->taken - before->taken;

	for (size_t i = 0; i < now->count; i++) {
		const AppleDextClientInfo *client = &now->clients[i];
		AppleDextClientInfo earlier = find(before, client->client);

		if (client->is_caller)
			continue;
		*grow(rates) = (struct rate){
			.address = address,
			.client = *client,
			.calls = a_second(earlier.calls, client->calls, passed),
			.interrupts = a_second(earlier.interrupts, client->interrupts, passed),
		};
	}
}

/* Larger ones first. */
static int compare_numbers(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;
	int order = compare_numbers(x->calls, y->calls);

	if (!order)
		order = compare_numbers(x->interrupts, y->interrupts);
	if (!order)
		order = strcmp(x->address, y->address);
	if (!order)
		order = (x->client.client > y->client.client) -
			(x->client.client < y->client.client);
	return order;
}

void rates_sort(struct rates *rates)
{
	if (rates->count)
		qsort(rates->rates, rates->count, sizeof(*rates->rates), compare);
}

void rates_sum(const struct rates *rates, double *calls, double *interrupts)
{
	*calls = *interrupts = 0;
	for (size_t i = 0; i < rates->count; i++) {
		*calls += rates->rates[i].calls;
		*interrupts += rates->rates[i].interrupts;
	}
}

void rates_free(struct rates *rates)
{
	free(rates->rates);
	*rates = (struct rates){.rates = NULL};
}
