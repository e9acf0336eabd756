/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/verdicts.c: sequences of messages, written as short lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "path/verdicts.h"

#define FIRST .l3 = {(const uint8_t *)"\x45", 1}, .iif = 3
#define RULE(c, h, v) .chain = c, .handle = h, .type = NFTRACE_RULE, .verdict = v
#define JUMP(c, h, to) RULE(c, h, NFT_JUMP), .target = to
#define GOTO(c, h, to) RULE(c, h, NFT_GOTO), .target = to
#define END(c) .chain = c, .type = NFTRACE_RETURN, .verdict = NFT_CONTINUE
#define POLICY(c, v) .chain = c, .type = NFTRACE_POLICY, .verdict = v

#define MSGS_MAX 40

static const char listing[] = "table ip t { # handle 1\n"
			      "\tchain base { # handle 1\n"
			      "\t\ttype filter hook forward priority filter; policy drop;\n"
			      "\t\tjump a # handle 2\n"
			      "\t\tip saddr 1.2.3.4 goto b # handle 3\n"
			      "\t}\n"
			      "\tchain b { # handle 4\n"
			      "\t\taccept # handle 5\n"
			      "\t}\n"
			      "}\n";

/* Fold what has a chain of @given; what it is in words, a line each, has to be @expected. */
static void check(const struct nftrace_msg *given, const struct rules *r, const char *expected)
{
	static struct nftrace_msg msgs[MSGS_MAX];
	const struct nftrace_msg *pointers[MSGS_MAX];
	struct buf out = BUF_INIT(1 << 16);
	struct verdict verdicts[8];
	size_t n = 0, k;

	for (; given[n].chain; n++) {
		msgs[n] = given[n];
		msgs[n].number = (uint32_t)n;
		if (!msgs[n].table)
			msgs[n].table = "t";
		if (!msgs[n].target)
			msgs[n].target = "";
		if (!msgs[n].family)
			msgs[n].family = NFPROTO_IPV4;
		pointers[n] = &msgs[n];
	}
	k = verdicts_fold(pointers, n, verdicts, ARRAY_SIZE(verdicts));
	for (size_t i = 0; i < k; i++) {
		verdict_print(&verdicts[i], r, &out);
		buf_puts(&out, verdicts[i].whole ? "\n" : " (not whole)\n");
		assert_true(verdicts[i].first <= verdicts[i].last);
	}
	assert_string_equal(buf_str(&out), expected);
	buf_done(&out);
}

static void test_decisions(void **state)
{
	const struct nftrace_msg one_rule[] = {{FIRST, RULE("base", 5, NF_ACCEPT)}, {0}};
	const struct nftrace_msg nothing_matched[] = {
		{FIRST, END("base")}, {POLICY("base", NF_DROP)}, {0}};
	const struct nftrace_msg jump_returns[] = {{FIRST, JUMP("base", 2, "a")},
						   {RULE("a", 9, NFT_CONTINUE)},
						   {END("a")},
						   {RULE("base", 3, NF_DROP)},
						   {0}};
	const struct nftrace_msg explicit_return[] = {
		{FIRST, JUMP("base", 2, "a")},
		{.chain = "a", .handle = 9, .type = NFTRACE_RETURN, .verdict = NFT_RETURN},
		{END("base")},
		{POLICY("base", NF_ACCEPT)},
		{0}};
	const struct nftrace_msg queued[] = {{FIRST, RULE("base", 5, NF_QUEUE), .queue = 3}, {0}};

	(void)state;
	check(one_rule, NULL, "fw ip t base #5 accept\n");
	check(nothing_matched, NULL, "fw ip t base policy drop\n");
	check(jump_returns, NULL, "fw ip t base #3 drop\n");
	check(explicit_return, NULL, "fw ip t base policy accept\n");
	check(queued, NULL, "fw ip t base #5 queue 3\n");
}

/* A goto leaves nothing to come back to: where its chain ends, the last jump's does. */
static void test_gotos(void **state)
{
	const struct nftrace_msg chain[] = {{FIRST, JUMP("base", 2, "a")},
					    {GOTO("a", 4, "b")},
					    {JUMP("b", 5, "c")},
					    {RULE("c", 6, NF_ACCEPT)},
					    {0}};
	const struct nftrace_msg back_to_base[] = {{FIRST, JUMP("base", 2, "a")},
						   {GOTO("a", 4, "b")},
						   {JUMP("b", 5, "c")},
						   {END("c")},
						   {END("b")},
						   {GOTO("base", 3, "d")},
						   {RULE("d", 8, NF_DROP)},
						   {0}};
	const struct nftrace_msg goto_ends[] = {
		{FIRST, GOTO("base", 3, "b")}, {END("b")}, {POLICY("base", NF_DROP)}, {0}};

	(void)state;
	check(chain, NULL, "fw ip t base #2 -> a #4 -> b #5 -> c #6 accept\n");
	check(back_to_base, NULL, "fw ip t base #3 -> d #8 drop\n");
	check(goto_ends, NULL, "fw ip t base policy drop\n");
}

static void test_several(void **state)
{
	const struct nftrace_msg two_chains[] = {
		{FIRST, .table = "vmlane_trace_7", RULE("before", 1, NF_ACCEPT)},
		{FIRST, RULE("base", 5, NF_ACCEPT)},
		{FIRST, .table = "u", .family = NFPROTO_INET, END("x")},
		{.table = "u", .family = NFPROTO_INET, POLICY("x", NF_ACCEPT)},
		{0}};
	/* `reject` answers before its own message is sent. */
	const struct nftrace_msg nested[] = {
		{FIRST, .id = 1, JUMP("base", 2, "a")},	      {FIRST, .id = 2, END("out")},
		{.id = 2, POLICY("out", NF_ACCEPT)},	      {.id = 1, RULE("a", 9, NF_DROP)},
		{FIRST, .id = 2, RULE("post", 1, NF_ACCEPT)}, {0}};

	(void)state;
	check(two_chains, NULL, "fw ip t base #5 accept\nfw inet u x policy accept\n");
	check(nested, NULL,
	      "fw ip t base #2 -> a #9 drop\nfw ip t out policy accept\nfw ip t post #1 accept\n");
}

static void test_missing(void **state)
{
	const struct nftrace_msg no_begin[] = {
		{RULE("a", 9, NF_DROP)}, {FIRST, RULE("base", 5, NF_ACCEPT)}, {0}};
	const struct nftrace_msg no_end[] = {
		{FIRST, JUMP("base", 2, "a")}, {FIRST, RULE("base", 5, NF_ACCEPT)}, {0}};
	const struct nftrace_msg deep[] = {{END("a")}, {END("b")}, {POLICY("base", NF_DROP)}, {0}};

	(void)state;
	check(no_begin, NULL, "fw ip t a #9 drop (not whole)\nfw ip t base #5 accept\n");
	check(no_end, NULL,
	      "fw ip t base #2 -> messages are missing (not whole)\nfw ip t base #5 accept\n");
	check(deep, NULL, "fw ip t base policy drop (not whole)\n");
}

/* More jumps than there is room for, and more chains than the caller has. */
static void test_limits(void **state)
{
	struct nftrace_msg msgs[MSGS_MAX] = {{FIRST, JUMP("base", 2, "a")}};
	const struct nftrace_msg *pointers[MSGS_MAX];
	struct verdict v[2];

	(void)state;
	for (size_t i = 0; i < MSGS_MAX; i++) {
		if (i)
			msgs[i] = (struct nftrace_msg){GOTO("a", 3, "a")};
		if (i == MSGS_MAX - 1)
			msgs[i] = (struct nftrace_msg){RULE("a", 4, NF_DROP), .target = ""};
		msgs[i].table = "t";
		pointers[i] = &msgs[i];
	}
	assert_int_equal(verdicts_fold(pointers, MSGS_MAX, v, 2), 1);
	assert_int_equal(v[0].n_steps, VERDICT_STEPS_MAX);
	assert_int_equal(v[0].handle, 4);
	for (size_t i = 0; i < MSGS_MAX; i++)
		pointers[i] = &msgs[MSGS_MAX - 1];
	assert_int_equal(verdicts_fold(pointers, MSGS_MAX, v, 2), 2);
	assert_int_equal(verdicts_fold(NULL, 0, v, 2), 0);
}

static void test_with_rules(void **state)
{
	_cleanup_(rules_freep) struct rules *r = NULL;
	const struct nftrace_msg msgs[] = {
		{FIRST, GOTO("base", 3, "b"), .table = "t", .family = NFPROTO_IPV4},
		{RULE("b", 5, NF_ACCEPT), .table = "t", .family = NFPROTO_IPV4},
		{0}};
	const struct nftrace_msg unknown[] = {{FIRST, RULE("new", 77, NF_DROP)}, {0}};
	const struct nftrace_msg *pointers[] = {&msgs[0], &msgs[1]};
	struct path_decision d;
	struct verdict v;

	(void)state;
	assert_int_equal(rules_parse(listing, strlen(listing), &r), 0);
	check(msgs, r,
	      "fw:forward ip t base #3 \"ip saddr 1.2.3.4 goto b\" -> b #5 \"accept\" accept\n");
	check(unknown, r, "fw ip t new #77 drop\n");
	assert_int_equal(verdicts_fold(pointers, 2, &v, 1), 1);
	verdict_decision(&v, r, &d);
	assert_string_equal(d.family, "ip");
	assert_string_equal(d.table, "t");
	assert_string_equal(d.base, "base");
	assert_string_equal(d.chain, "b");
	assert_string_equal(d.hook, "forward");
	assert_string_equal(d.verdict, "accept");
	assert_string_equal(d.rule, "accept");
	assert_int_equal(d.handle, 5);
	assert_false(d.drops);
	verdict_decision(&v, NULL, &d);
	assert_string_equal(d.hook, "");
	assert_string_equal(d.rule, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions), cmocka_unit_test(test_gotos),
		cmocka_unit_test(test_several),	  cmocka_unit_test(test_missing),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_with_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
