/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of cli/verb.c: what is typed, and what the verb is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"

#define RAN 77

static struct verb_args seen;

static int run(struct cli *cli, const struct verb_args *a)
{
	(void)cli;
	seen = *a;
	return RAN;
}

enum { OPT_SUBNET, OPT_FORCE };

static const struct verb_opt opts[] = {
	[OPT_SUBNET] = {"subnet", "CIDR", "addresses"},
	[OPT_FORCE] = {"force", NULL, "also then"},
};

static const struct verb verbs[] = {
	{"create", "NAME", "make one", .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 1, .max = 1,
	 .run = run},
	{"list", "", "show all", .run = run},
};

static const struct noun noun = {"thing", "things", verbs, ARRAY_SIZE(verbs)};

static const struct verb start_verb = {
	"start",  "-- CMD",	   "start one",	    .opts = opts, .n_opts = ARRAY_SIZE(opts),
	.min = 1, .max = VERB_ANY, .command = true, .run = run,
};

static const struct noun start_noun = {"start", "start one", &start_verb, 1};

#define ARGS_MAX 12

static int dispatch(const struct noun *n, struct cli *cli, const char *text)
{
	static char copy[256];
	char *argv[ARGS_MAX + 1] = {NULL}, *save = NULL;
	int argc = 0;

	memset(&seen, 0, sizeof(seen));
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < ARGS_MAX);
		argv[argc++] = w;
	}
	return noun_dispatch(cli, n, argc, argv);
}

static void test_options(void **state)
{
	struct cli cli = {.socket = "/default"};

	(void)state;
	assert_int_equal(dispatch(&noun, &cli, "thing create a --subnet 1.2.3.0/24"), RAN);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.opt[OPT_SUBNET], "1.2.3.0/24");
	assert_null(seen.opt[OPT_FORCE]);

	assert_int_equal(dispatch(&noun, &cli, "thing create --force --subnet=x a"), RAN);
	assert_string_equal(seen.opt[OPT_SUBNET], "x");
	assert_non_null(seen.opt[OPT_FORCE]);
	assert_false(cli.json);
}

/* The global ones may stand before the verb, behind it, and behind its arguments. */
static void test_globals(void **state)
{
	static const char *const lines[] = {
		"thing -o json --socket /s create a",
		"thing create -o json a --socket=/s",
		"thing create a --socket /s --output=json",
		"thing --socket /s list -ojson",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct cli cli = {.socket = "/default"};

		assert_int_equal(dispatch(&noun, &cli, lines[i]), RAN);
		assert_true(cli.json);
		assert_string_equal(cli.socket, "/s");
	}
}

static void test_usage(void **state)
{
	static const char *const wrong[] = {
		"thing",
		"thing crate a",
		"thing create",
		"thing create a b",
		"thing list a",
		"thing create a --subent x",
		"thing create a -x",
		"thing create a --subnet",
		"thing create a --force=1",
		"thing -o",
		"thing -o xml list",
		"thing list -o",
		"thing --force create a",
		"thing list --subnet x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct cli cli = {.socket = "/default"};

		assert_int_equal(dispatch(&noun, &cli, wrong[i]), EXIT_USAGE);
		assert_int_equal(seen.n, 0);
	}
}

/* Behind the first argument everything is the foreign command's, with and without "--". */
static void test_command(void **state)
{
	static const char *const lines[] = {
		"start --subnet x -- vmm -o json --force -- -h",
		"start --subnet x vmm -o json --force -- -h",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct cli cli = {.socket = "/default"};

		assert_int_equal(dispatch(&start_noun, &cli, lines[i]), RAN);
		assert_int_equal(seen.n, 6);
		assert_string_equal(seen.arg[0], "vmm");
		assert_string_equal(seen.arg[5], "-h");
		assert_null(seen.arg[6]);
		assert_null(seen.opt[OPT_FORCE]);
		assert_false(cli.json);
	}
	assert_int_equal(dispatch(&start_noun, &(struct cli){0}, "start --subnet x --"),
			 EXIT_USAGE);
}

static void test_help(void **state)
{
	static const char *const lines[] = {"thing -h", "thing create --help", "thing list -h"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(dispatch(&noun, &(struct cli){0}, lines[i]), EXIT_OK);
		assert_int_equal(seen.n, 0);
	}
	assert_true(noun_is_single(&start_noun));
	assert_false(noun_is_single(&noun));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options), cmocka_unit_test(test_globals),
		cmocka_unit_test(test_usage),	cmocka_unit_test(test_command),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
