/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/symbols.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "path/symbols.h"

static void test_find(void **state)
{
	static const char text[] = "ffffffff81000100 T first\n"
				   "ffffffff81000300 t third\t[bridge]\n"
				   "ffffffff81000200 W second\n"
				   "ffffffff81000280 d data\n"
				   "\n"
				   "nonsense\n"
				   "ffffffff81000400 \n";
	_cleanup_(symbols_freep) struct symbols *s = NULL;

	assert_int_equal(symbols_parse(text, strlen(text), &s), 0);
	assert_null(symbols_find(s, 0xffffffff810000ffull));
	assert_string_equal(symbols_find(s, 0xffffffff81000100ull), "first");
	assert_string_equal(symbols_find(s, 0xffffffff810001ffull), "first");
	assert_string_equal(symbols_find(s, 0xffffffff810002ffull), "second");
	assert_string_equal(symbols_find(s, UINT64_MAX), "third");
}

/* Hidden addresses are no addresses. */
static void test_hidden(void **state)
{
	static const char text[] = "0000000000000000 T first\n0000000000000000 T second\n";
	struct symbols *s = NULL;

	assert_int_equal(symbols_parse(text, strlen(text), &s), -EPERM);
	assert_int_equal(symbols_parse("", 0, &s), -EPERM);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
