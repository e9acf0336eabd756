/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often what others provoke is done: pace.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/pace.h"

#define SECOND 1000000ULL

static void empty(struct pace *p, uint64_t now)
{
	for (int i = 0; i < PACE_BURST; i++)
		assert_int_equal(pace_ask(p, now), 0);
}

static void test_seldom(void **state)
{
	struct pace p = {0};

	(void)state;
	for (uint64_t t = 0; t < 1000; t++)
		assert_int_equal(pace_ask(&p, 5 * SECOND + t * SECOND), 0);
	assert_false(p.held);
}

/* A look takes nothing, and says what asking would. */
static void test_wait(void **state)
{
	struct pace p = {0};
	uint64_t now = 7 * SECOND;

	(void)state;
	for (int i = 0; i < 10 * PACE_BURST; i++)
		assert_int_equal(pace_wait(&p, now), 0);
	assert_int_equal(p.used, 0);
	empty(&p, now);
	assert_int_equal(pace_wait(&p, now), SECOND);
	assert_int_equal(pace_ask(&p, now), SECOND);
	assert_int_equal(pace_wait(&p, now + SECOND), 0);
}

static void test_without_end(void **state)
{
	struct pace p = {0};
	uint64_t now = 7 * SECOND;
	int done = 0;

	(void)state;
	empty(&p, now);
	assert_false(p.held);
	/* Every millisecond of a minute, or whenever it says. */
	for (uint64_t end = now + 60 * SECOND; now < end; now += 1000)
		done += pace_ask(&p, now) == 0;
	assert_in_range(done, 59, 60);
	assert_true(p.held);
}

static void test_waits_as_long_as_it_says(void **state)
{
	struct pace p = {0};
	uint64_t wait;

	(void)state;
	empty(&p, SECOND);
	wait = pace_ask(&p, SECOND + 300000);
	assert_int_equal(wait, 700000);
	assert_int_equal(pace_ask(&p, SECOND + 300000 + wait), 0);
	assert_int_equal(pace_ask(&p, SECOND + 300000 + wait), SECOND);
}

static void test_quiet_again(void **state)
{
	struct pace p = {0};
	uint64_t now = SECOND;

	(void)state;
	empty(&p, now);
	assert_true(pace_ask(&p, now) > 0);
	assert_true(pace_settle(&p, now + SECOND));
	assert_false(pace_settle(&p, now + PACE_BURST * SECOND));
	empty(&p, now + PACE_BURST * SECOND);
}

/* The clock does not go back; should it, nothing is given away. */
static void test_clock_goes_back(void **state)
{
	struct pace p = {0};

	(void)state;
	empty(&p, 100 * SECOND);
	assert_true(pace_ask(&p, 50 * SECOND) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seldom),	    cmocka_unit_test(test_wait),
		cmocka_unit_test(test_without_end), cmocka_unit_test(test_waits_as_long_as_it_says),
		cmocka_unit_test(test_quiet_again), cmocka_unit_test(test_clock_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
