/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of model/subnet.c: the first /24 that is free, whatever is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/macro.h"
#include "model/subnet.h"

#define USED_MAX 8

/* struct pick_case - what is taken, and what is chosen then; NULL: nothing is left. */
struct pick_case {
	const char *used[USED_MAX];
	const char *expected;
};

static const struct pick_case cases[] = {
	{{0}, "192.168.122.0/24"},
	{{"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"}, "192.168.122.0/24"},
	{{"203.0.113.0/24", "192.168.121.0/24", "192.168.123.0/24"}, "192.168.122.0/24"},
	/* the host is a guest itself: its address, with host bits */
	{{"192.168.122.50/24"}, "192.168.123.0/24"},
	/* narrower and wider ones are in the way both */
	{{"192.168.122.7/32"}, "192.168.123.0/24"},
	{{"192.168.122.252/30", "192.168.123.0/25"}, "192.168.124.0/24"},
	{{"192.168.120.0/22"}, "192.168.124.0/24"},
	{{"192.168.128.0/17", "192.168.122.0/23", "192.168.124.0/22"}, "192.168.2.0/24"},
	{{"192.168.64.0/18", "192.168.128.0/17", "192.168.0.0/21"}, "192.168.8.0/24"},
	{{"192.168.0.0/16"}, "172.16.0.0/24"},
	{{"128.0.0.0/2", "192.168.0.0/16"}, "10.0.0.0/24"},
	{{"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/9", "10.128.0.1/32"}, "10.128.1.0/24"},
	{{"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8"}, NULL},
	{{"192.0.0.0/2", "128.0.0.0/2", "10.0.0.0/9", "10.128.0.0/9"}, NULL},
	/* up to the last one there is */
	{{"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/9", "10.128.0.0/10", "10.192.0.0/11",
	  "10.224.0.0/12", "10.240.0.0/13", "10.248.0.0/14"},
	 "10.252.0.0/24"},
};

static void test_pick(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip4_prefix used[USED_MAX], found = {.len = 99};
		char text[IP4_PREFIX_STRLEN];
		size_t n = 0;
		int r;

		for (; n < USED_MAX && cases[i].used[n]; n++)
			assert_int_equal(ip4_prefix_parse(cases[i].used[n], &used[n]), 0);
		r = subnet_pick(used, n, &found);
		if (!cases[i].expected) {
			assert_int_equal(r, -ENOSPC);
			assert_int_equal(found.len, 99); /* untouched */
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(ip4_prefix_format(&found, text), cases[i].expected);
	}
}

/* One after the other, each is free and none comes twice; the last addresses are used too. */
static void test_all_of_them(void **state)
{
	static struct ip4_prefix used[600] = {{{0}, 0}};
	struct ip4_prefix p;
	size_t n = 0;

	(void)state;
	assert_int_equal(ip4_prefix_parse("10.0.0.0/9", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.128.0.0/10", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.192.0.0/11", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.224.0.0/12", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.240.0.0/13", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.248.0.0/14", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.252.0.0/15", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("10.254.0.0/16", &used[n++]), 0);
	assert_int_equal(ip4_prefix_parse("172.16.0.0/12", &used[n++]), 0);
	while (n < ARRAY_SIZE(used) && subnet_pick(used, n, &p) == 0) {
		for (size_t i = 0; i < n; i++)
			assert_false(ip4_overlap(&used[i], &p));
		used[n++] = p;
	}
	assert_int_equal(n, 9 + 254 + 256);
	assert_int_equal(ip4_host(p.addr), 0x0affff00);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_all_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
