/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of bpf/guard_count.h: how many frames a rate lets through, whenever they come, and how many MACs are
 * let in behind a port. tests/netns/test_flood.py floods the program itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/guard_count.h"

#define CASE(f) cmocka_unit_test(f)
#define S COUNT_SECOND_NS
#define BOOT (12345 * S)

/* ---- frames ---- */

/* How many of @n at @at_ns pass. */
static unsigned int passed(__u64 *due, __u32 rate, unsigned int n, __u64 at_ns)
{
	unsigned int passed = 0;

	for (unsigned int i = 0; i < n; i++)
		passed += count_frames(due, rate, 1, at_ns);
	return passed;
}

static void a_second_at_once(void **state)
{
	static const __u32 rates[] = {1, 2, 3, 7, 1000, 20000, 999999, 10000000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		__u64 due = 0;
		unsigned int n = rates[i] + 5;

		/* Where a second is no multiple of one frame's time, one more fits into it. */
		assert_in_range(passed(&due, rates[i], n, BOOT), rates[i], rates[i] + 1);
		assert_int_equal(passed(&due, rates[i], n, BOOT), 0);
		/* One more as soon as there is room for it, and not before. */
		assert_in_range(passed(&due, rates[i], n, BOOT + S / rates[i] + 1), 0, 2);
		/* Not more than a second's worth after however long a pause. */
		assert_in_range(passed(&due, rates[i], n, BOOT + 5000 * S), rates[i], rates[i] + 1);
	}
	(void)state;
}

static void never_more_than_the_rate(void **state)
{
	const __u32 rate = 100;
	__u64 due = 0, now = BOOT;
	unsigned int sent = 0;

	srand(7);
	for (int i = 0; i < 200000; i++) {
		now += (__u64)(rand() % 1000) * 1000;
		sent += count_frames(&due, rate, 1, now);
		assert_true(sent <= rate + rate * (now - BOOT) / S + 1);
	}
	/* Of twenty times too much it is what may come, not less. */
	assert_true(sent >= rate * ((now - BOOT) / S));
	(void)state;
}

static void below_the_rate_nothing_is_lost(void **state)
{
	__u64 due = 0, now = BOOT;

	for (int i = 0; i < 10000; i++, now += S / 100 + 1)
		assert_true(count_frames(&due, 100, 1, now));
	(void)state;
}

/* One frame that becomes 40: the debt is paid before the next passes. */
static void pieces_count(void **state)
{
	__u64 due = 0;

	assert_true(count_frames(&due, 10, 40, BOOT));
	assert_false(count_frames(&due, 10, 1, BOOT));
	assert_false(count_frames(&due, 10, 1, BOOT + 3 * S));
	assert_true(count_frames(&due, 10, 1, BOOT + 3 * S + S / 10));
	assert_false(count_frames(&due, 10, 1, BOOT + 3 * S + S / 10));
	(void)state;
}

/* Processors' clocks differ a little. */
static void time_that_goes_back(void **state)
{
	__u64 due = 0;

	assert_true(count_frames(&due, 1, 1, BOOT));
	assert_false(count_frames(&due, 1, 1, BOOT - 5));
	assert_true(count_frames(&due, 1, 1, BOOT + S));
	(void)state;
}

/* ---- MACs ---- */

static struct port_seen seen;

static __u64 random_mac(void)
{
	return ((__u64)rand() << 24 ^ (__u64)rand()) & 0xffffffffffff;
}

static unsigned int used(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < PORT_SEEN_PLACES; i++)
		n += seen.place[i] != 0;
	return n;
}

static void so_many_and_no_more(void **state)
{
	memset(&seen, 0, sizeof(seen));
	for (__u64 mac = 1; mac <= 1000; mac++)
		assert_int_equal(count_seen(&seen, mac, 5, 256), mac <= 256);
	assert_int_equal(seen.now + seen.before, 256);
	assert_int_equal(used(), 256);
	for (__u64 mac = 1; mac <= 1000; mac++) {
		assert_int_equal(count_knows(&seen, mac, 5), mac <= 256);
		assert_int_equal(count_seen(&seen, mac, 5, 256), mac <= 256);
	}
	(void)state;
}

static void who_is_silent_makes_room(void **state)
{
	memset(&seen, 0, sizeof(seen));
	for (__u64 mac = 1; mac <= 10; mac++)
		assert_true(count_seen(&seen, mac, 5, 10));
	/* In the next period they still count, whether they are heard or not. */
	assert_false(count_knows(&seen, 1, 6));
	assert_true(count_seen(&seen, 1, 6, 10));
	assert_true(count_knows(&seen, 1, 6));
	assert_false(count_seen(&seen, 11, 6, 10));
	assert_int_equal(seen.now, 1);
	assert_int_equal(seen.before, 9);
	/* Then only who was heard. */
	for (__u64 mac = 11; mac <= 19; mac++)
		assert_true(count_seen(&seen, mac, 7, 10));
	assert_false(count_seen(&seen, 20, 7, 10));
	assert_false(count_seen(&seen, 2, 7, 10));
	assert_true(count_seen(&seen, 1, 7, 10));
	/* After a long silence nobody. */
	for (__u64 mac = 101; mac <= 110; mac++)
		assert_true(count_seen(&seen, mac, 700, 10));
	assert_false(count_seen(&seen, 1, 700, 10));
	(void)state;
}

/* A processor whose clock is behind neither forgets nor lets in. */
static void periods_that_go_back(void **state)
{
	memset(&seen, 0, sizeof(seen));
	for (__u64 mac = 1; mac <= 10; mac++)
		assert_true(count_seen(&seen, mac, 6, 10));
	assert_false(count_seen(&seen, 11, 5, 10));
	assert_true(count_seen(&seen, 3, 5, 10));
	assert_int_equal(seen.now, 10);
	assert_int_equal(seen.period, 6);
	(void)state;
}

/* With the highest limit there is a place for each MAC, whatever the MACs are, and for the next ones too. */
static void there_are_places(void **state)
{
	for (unsigned int seed = 0; seed < 200; seed++) {
		unsigned int in = 0;

		memset(&seen, 0, sizeof(seen));
		srand(seed);
		for (int i = 0; i < PORT_SEEN_MAX; i++)
			in += count_seen(&seen, seed & 1 ? random_mac() : 0x525400000000 + (__u64)i,
					 2 + (__u32)i / 700, PORT_SEEN_MAX);
		assert_true(in >= PORT_SEEN_MAX - 1);
		assert_int_equal(seen.now + seen.before, in);
	}
	(void)state;
}

/* Whatever comes in whatever order: the count is that of the places in use. */
static void the_count_is_right(void **state)
{
	__u32 period = 1;

	memset(&seen, 0, sizeof(seen));
	srand(9);
	for (int i = 0; i < 300000; i++) {
		unsigned int now = 0, before = 0;

		period += rand() % 2000 == 0 ? (__u32)(1 + rand() % 3) : 0;
		(void)count_seen(&seen, (__u64)(rand() % 900), period, 300);
		assert_true(seen.now + seen.before <= 300);
		if (i % 1000)
			continue;
		for (size_t p = 0; p < PORT_SEEN_PLACES; p++) {
			now += seen.place[p] && count_age(seen.place[p], seen.period) == 0;
			before += seen.place[p] && count_age(seen.place[p], seen.period) == 1;
		}
		assert_int_equal(seen.now, now);
		assert_int_equal(seen.before, before);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_second_at_once),
		CASE(never_more_than_the_rate),
		CASE(below_the_rate_nothing_is_lost),
		CASE(pieces_count),
		CASE(time_that_goes_back),
		CASE(so_many_and_no_more),
		CASE(who_is_silent_makes_room),
		CASE(periods_that_go_back),
		CASE(there_are_places),
		CASE(the_count_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
