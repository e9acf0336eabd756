/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/rules.c: the listings of tests/golden/rules/NAME.listing, and what is read from
 * them, NAME.rules. GOLDEN_UPDATE=1 in the environment writes the expectations anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "path/rules.h"

#define FILE_SIZE_MAX (1 << 20)

static char *file_read(const char *path)
{
	char *text = calloc(1, FILE_SIZE_MAX);
	FILE *f = fopen(path, "re");

	if (!f || !text)
		fail_msg("%s: cannot be read", path);
	assert_true(fread(text, 1, FILE_SIZE_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

static void dump(const struct rules *r, struct buf *out)
{
	const struct rules_chain *chains;
	const struct rules_rule *rules;
	size_t n_chains = rules_chains(r, &chains), n_rules = rules_all(r, &rules);

	for (size_t i = 0; i < n_chains; i++) {
		const struct rules_chain *c = &chains[i];

		assert_ptr_equal(rules_chain(r, c->table->family, c->table->name, c->name), c);
		buf_printf(out, "chain %s %s%s %s #%" PRIu64, rules_family_name(c->table->family),
			   c->table->name, c->table->iptables ? " (iptables)" : "", c->name,
			   c->handle);
		if (c->base)
			buf_printf(out, ": %s %s%s%s %d %s", c->type, c->hook,
				   *c->device ? " " : "", c->device, c->priority,
				   c->drop ? "drop" : "accept");
		buf_puts(out, "\n");
	}
	for (size_t i = 0; i < n_rules; i++) {
		const struct rules_table *t = rules[i].chain->table;

		assert_ptr_equal(rules_find(r, t->family, t->name, rules[i].handle), &rules[i]);
		buf_printf(out, "%s %s %s #%" PRIu64 " <%s>\n", rules_family_name(t->family),
			   t->name, rules[i].chain->name, rules[i].handle, rules[i].text);
	}
	buf_printf(out, "conntrack: %s\n", rules_conntrack(r) ? "yes" : "not seen");
}

static void golden(const char *listing)
{
	_cleanup_(freep) char *text = file_read(listing), *expected = NULL;
	_cleanup_(rules_freep) struct rules *r = NULL;
	struct buf out = BUF_INIT(FILE_SIZE_MAX);
	char path[PATH_MAX];

	print_message("%s\n", strrchr(listing, '/') + 1);
	snprintf(path, sizeof(path), "%.*s.rules", (int)(strrchr(listing, '.') - listing), listing);
	assert_int_equal(rules_parse(text, strlen(text), &r), 0);
	dump(r, &out);
	if (getenv("GOLDEN_UPDATE")) {
		FILE *f = fopen(path, "we");

		assert_non_null(f);
		fputs(buf_str(&out), f);
		assert_int_equal(fclose(f), 0);
	}
	expected = file_read(path);
	assert_string_equal(buf_str(&out), expected);
	buf_done(&out);
}

static void test_golden(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob(GOLDEN_DIR "/*.listing", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		golden(found.gl_pathv[i]);
	globfree(&found);
}

static void test_absent(void **state)
{
	static const char text[] = "table ip t { # handle 1\n\tchain c { # handle 1\n"
				   "\t\taccept # handle 2\n\t}\n}\n";
	_cleanup_(rules_freep) struct rules *r = NULL, *empty = NULL;

	(void)state;
	assert_int_equal(rules_parse(text, strlen(text), &r), 0);
	assert_string_equal(rules_find(r, NFPROTO_IPV4, "t", 2)->text, "accept");
	assert_null(rules_find(r, NFPROTO_IPV4, "t", 3));
	assert_null(rules_find(r, NFPROTO_IPV4, "u", 2));
	assert_null(rules_find(r, NFPROTO_INET, "t", 2));
	assert_null(rules_chain(r, NFPROTO_IPV4, "t", "d"));
	assert_false(rules_chain(r, NFPROTO_IPV4, "t", "c")->base);
	assert_int_equal(rules_parse("", 0, &empty), 0);
	assert_null(rules_find(empty, NFPROTO_IPV4, "t", 2));
	assert_null(rules_chain(empty, NFPROTO_IPV4, "t", "c"));
}

/* Without handles there is nothing to find rules by, but chains there are. */
static void test_without_handles(void **state)
{
	static const char text[] =
		"table ip t {\n\tchain c {\n\t\taccept\n\t\tdrop\n\t}\n\n\tchain d {\n\t}\n}\n";
	_cleanup_(rules_freep) struct rules *r = NULL;
	const struct rules_rule *all;

	(void)state;
	assert_int_equal(rules_parse(text, strlen(text), &r), 0);
	assert_int_equal(rules_all(r, &all), 0);
	assert_non_null(rules_chain(r, NFPROTO_IPV4, "t", "d"));
}

static void test_broken(void **state)
{
	static const char *const texts[] = {
		"nonsense\n",
		"table ip t { # handle 1\n",
		"table t { # handle 1\n}\n",
		"table ipx t { # handle 1\n}\n",
		"table ip t { # handle 1\n\tchain c {\n",
		"table ip t { # handle 1\n\tset s {\n",
		"table ip t { # handle 1\n\tchain c {\n\t\taccept\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct rules *r = NULL;

		assert_int_equal(rules_parse(texts[i], strlen(texts[i]), &r), -EBADMSG);
		assert_null(r);
	}
	rules_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_without_handles),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
