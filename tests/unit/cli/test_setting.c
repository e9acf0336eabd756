// SPDX-License-Identifier: GPL-2.0-or-later
/* What people write behind the '=' of `network set`, and what it means as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "cli/setting.h"

static const struct {
	const char *text;
	const char *json; /* NULL: refused */
} rows[] = {
	{"", "null"},
	{"1400", "\"1400\""},
	{"a, b", "\"a, b\""},
	{"[]", "[]"},
	{"[ ]", "[]"},
	{"[a, b]", "[\"a\", \"b\"]"},
	{"[a,b,]", "[\"a\", \"b\"]"},
	{"[ , a ,, b  ]", "[\"a\", \"b\"]"},
	{"[\"a\", 1]", "[\"a\", 1]"},
	{"{\"a\": \"1\"}", "{\"a\": \"1\"}"},
	{"[{\"a\": \"1\"}]", "[{\"a\": \"1\"}]"},
	/* Addresses and numbers are words of their own, with and without blanks between them. */
	{"[1.1.1.1,8.8.8.8]", "[\"1.1.1.1\", \"8.8.8.8\"]"},
	{"[10,20, 30]", "[10, 20, 30]"},
	{"[10,20,a]", "[\"10\", \"20\", \"a\"]"},
	{"[tcp 8080 -> 80,udp 53 -> 53]", "[\"tcp 8080 -> 80\", \"udp 53 -> 53\"]"},
	/* Ports of a rule belong together. */
	{"[deny in tcp 80,443]", "[\"deny in tcp 80,443\"]"},
	{"[deny in tcp 80,443, allow out]", "[\"deny in tcp 80,443\", \"allow out\"]"},
	{"[deny in tcp 22,80,8000-8099,allow out udp 1,2 to @all]",
	 "[\"deny in tcp 22,80,8000-8099\", \"allow out udp 1,2 to @all\"]"},
	{"[deny out to 10.0.0.0/8,allow out]", "[\"deny out to 10.0.0.0/8\", \"allow out\"]"},
	{"[deny in tcp 80,]", "[\"deny in tcp 80\"]"},
	/* In quotes everything does, also where the rest is not in quotes. */
	{"[\"deny in tcp 80, 443\", allow out]", "[\"deny in tcp 80, 443\", \"allow out\"]"},
	{"[allow out,'deny in tcp 80,443' , \"a\"]",
	 "[\"allow out\", \"deny in tcp 80,443\", \"a\"]"},
	{"['it\"s']", "[\"it\\\"s\"]"},
	{"['']", "[]"},
	{"['a' b]", NULL},
	{"['a]", NULL},
	{"[a, \"]", NULL},
	{"[a", NULL},
	{"[", NULL},
	{"{a: b}", NULL},
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *value = setting_value(rows[i].text);
		char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

		if (!text != !rows[i].json || (text && strcmp(text, rows[i].json) != 0))
			fail_msg("%s: got %s, not %s", rows[i].text, text ? text : "nothing",
				 rows[i].json ? rows[i].json : "nothing");
		free(text);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
