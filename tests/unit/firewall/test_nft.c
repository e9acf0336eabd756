/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/firewall/nft.c and of the golden rulesets, against the kernel in a namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../netns.h"
#include "firewall/nft.h"
#include "golden.h"

static struct nft *nft;

static void list(struct buf *out)
{
	struct err e;

	*out = BUF_INIT(GOLDEN_TEXT_MAX);
	assert_int_equal(nft_list(nft, out, &e), 0);
}

/* As table.c does when there is nothing left to filter; `add` makes it fine when there is none. */
static void drop_table(void)
{
	struct err e;

	assert_int_equal(nft_run(nft, "add table inet vmlane\ndelete table inet vmlane\n", &e), 0);
}

static void commit_full(const struct fw_ruleset *r)
{
	struct buf text = BUF_INIT(GOLDEN_TEXT_MAX);
	struct err e = {0};

	fw_ruleset_full(r, &text);
	assert_int_equal(text.error, 0);
	if (nft_run(nft, buf_str(&text), &e) != 0)
		fail_msg("%s", e.message);
	buf_done(&text);
}

static void golden_listing(const char *name)
{
	struct golden_input in;
	struct fw_ruleset r;
	struct buf listing;

	golden_input_read(name, &in);
	assert_int_equal(fw_ruleset_build(&in.desired, &r), 0);
	commit_full(&r);
	commit_full(&r); /* over itself */
	list(&listing);
	golden_check(name, "listing", buf_str(&listing));
	fw_ruleset_done(&r);
	buf_done(&listing);
}

static void test_golden(void **state)
{
	(void)state;
	golden_each(golden_listing);
}

static struct fw_network numbered(unsigned int i, unsigned int shift)
{
	static const char uplinks[][IFNAMSIZ] = {"eth0", "wlan0", "wwan0"};
	struct fw_network n = {.port_min = 1024, .port_max = 65535, .uplinks = uplinks};

	snprintf(n.bridge, sizeof(n.bridge), "vl-%u", (i * 7919) % 10007);
	n.subnet.addr = ip4_from_host(0x0a000000u + ((i + shift) << 8));
	n.subnet.len = 24;
	n.n_uplinks = (i + shift) % 4;
	return n;
}

static void build_numbered(size_t first, size_t n, unsigned int shift, struct fw_ruleset *ret)
{
	struct fw_network *networks = calloc(n, sizeof(*networks));
	const struct fw_desired d = {.networks = networks, .n = n};

	assert_non_null(networks);
	for (size_t i = 0; i < n; i++)
		networks[i] = numbered((unsigned int)(first + i), shift);
	assert_int_equal(fw_ruleset_build(&d, ret), 0);
	free(networks);
}

/* Whatever way led there, the same ruleset is the same listing: restarts are told by it. */
static void test_delta_ends_where_full_does(void **state)
{
	struct buf delta = BUF_INIT(GOLDEN_TEXT_MAX), by_delta, by_full;
	struct fw_ruleset from, to;
	struct err e = {0};

	(void)state;
	build_numbered(0, 40, 0, &from);
	build_numbered(20, 40, 1, &to);
	commit_full(&from);
	assert_true(fw_ruleset_delta(&from, &to, &delta) > 0);
	if (nft_run(nft, buf_str(&delta), &e) != 0)
		fail_msg("%s", e.message);
	list(&by_delta);
	drop_table();
	commit_full(&to);
	list(&by_full);
	assert_string_equal(buf_str(&by_delta), buf_str(&by_full));
	fw_ruleset_done(&from);
	fw_ruleset_done(&to);
	buf_done(&delta);
	buf_done(&by_delta);
	buf_done(&by_full);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a listing in alphabetical order: chains that came later stand elsewhere in it. */
static void sorted_listing(struct buf *out)
{
	char *lines[4096], *save = NULL;
	struct buf listing;
	char *text;
	size_t n = 0;

	list(&listing);
	text = strdup(buf_str(&listing));
	assert_non_null(text);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		assert_true(n < ARRAY_SIZE(lines));
		lines[n++] = l;
	}
	qsort(lines, n, sizeof(*lines), compare_lines);
	*out = BUF_INIT(GOLDEN_TEXT_MAX);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s\n", lines[i]);
	free(text);
	buf_done(&listing);
}

/* The delta leads to what a full replacement would have made. */
static void walk_to(const struct fw_ruleset *from, const char *name)
{
	struct buf delta = BUF_INIT(GOLDEN_TEXT_MAX), by_delta, by_full;
	struct golden_input in;
	struct fw_ruleset to;
	struct err e = {0};

	golden_input_read(name, &in);
	assert_int_equal(fw_ruleset_build(&in.desired, &to), 0);
	commit_full(&to);
	sorted_listing(&by_full);
	commit_full(from);
	assert_true(fw_ruleset_delta(from, &to, &delta) >= 0);
	if (delta.len && nft_run(nft, buf_str(&delta), &e) != 0)
		fail_msg("%s", e.message);
	sorted_listing(&by_delta);
	assert_string_equal(buf_str(&by_delta), buf_str(&by_full));
	fw_ruleset_done(&to);
	buf_done(&delta);
	buf_done(&by_delta);
	buf_done(&by_full);
}

static struct fw_ruleset walk_from;

static void walk_on(const char *name)
{
	walk_to(&walk_from, name);
}

static void walk(const char *name)
{
	struct golden_input in;

	golden_input_read(name, &in);
	assert_int_equal(fw_ruleset_build(&in.desired, &walk_from), 0);
	golden_each(walk_on);
	fw_ruleset_done(&walk_from);
}

/* Every golden case becomes every other, whatever chains that takes. */
static void test_delta_from_each_to_each(void **state)
{
	(void)state;
	golden_each(walk);
}

static void test_thousand_networks(void **state)
{
	struct fw_ruleset r;
	struct buf listing;

	(void)state;
	build_numbered(0, 1000, 0, &r);
	commit_full(&r);
	list(&listing);
	assert_non_null(strstr(buf_str(&listing), "\"vl-7919\" . 10.0.1.0"));
	fw_ruleset_done(&r);
	buf_done(&listing);
}

static void assert_same_elements(const struct fw_ruleset *a, const struct fw_ruleset *b)
{
	assert_int_equal(a->n_elements, b->n_elements);
	for (size_t i = 0; i < a->n_elements; i++)
		assert_string_equal(a->elements[i], b->elements[i]);
}

/* What the kernel lists reads back as what was built, and only elements depend on networks. */
static void test_listing_reads_back(void **state)
{
	static const size_t counts[] = {0, 1, 7, 300};
	char *skeleton = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct fw_ruleset built, read;
		struct buf listing;

		build_numbered(0, counts[i], 0, &built);
		commit_full(&built);
		list(&listing);
		assert_int_equal(fw_listing_read(buf_str(&listing), &read), 0);
		assert_same_elements(&built, &read);
		if (skeleton)
			assert_string_equal(read.skeleton, skeleton);
		free(skeleton);
		skeleton = strdup(read.skeleton);
		fw_ruleset_done(&built);
		fw_ruleset_done(&read);
		buf_done(&listing);
	}
	free(skeleton);
}

static void test_generation(void **state)
{
	uint32_t before, after;
	struct fw_ruleset r;
	struct buf listing;

	(void)state;
	build_numbered(0, 2, 0, &r);
	commit_full(&r);
	assert_int_equal(nft_generation(nft, &before), 0);
	list(&listing);
	assert_int_equal(nft_generation(nft, &after), 0);
	assert_int_equal(after, before);
	commit_full(&r);
	assert_int_equal(nft_generation(nft, &after), 0);
	assert_int_equal(after, before + 1);
	fw_ruleset_done(&r);
	buf_done(&listing);
}

/* All or nothing, one transaction, and read back as part of the table. */
static void test_lifetimes(void **state)
{
	static const char *const wanted[] = {
		"ct timeout set \"nat_tcp\"\n", "ct timeout set \"nat_udp\"\n",
		"ct timeout set \"nat_icmp\"\n", "unreplied : 1000, replied : 1001",
		"syn_sent : 1002, syn_recv : 1003, established : 1004, fin_wait : 1005, "
		"close_wait : 1006, last_ack : 1007, time_wait : 1008, syn_sent2 : 1009"};
	uint32_t seconds[FW_STATE_COUNT], before, after;
	struct fw_ruleset built, read;
	struct buf listing;

	(void)state;
	for (uint32_t i = 0; i < FW_STATE_COUNT; i++)
		seconds[i] = 1000 + i;
	drop_table();
	assert_int_equal(nft_lifetimes(nft, seconds), -ENOENT);
	build_numbered(0, 2, 0, &built);
	commit_full(&built);
	assert_int_equal(nft_generation(nft, &before), 0);
	assert_int_equal(nft_lifetimes(nft, seconds), 0);
	assert_int_equal(nft_generation(nft, &after), 0);
	assert_int_equal(after, before + 1);
	assert_int_equal(nft_lifetimes(nft, seconds), -EEXIST);
	list(&listing);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strstr(buf_str(&listing), wanted[i]))
			fail_msg("no %s in\n%s", wanted[i], buf_str(&listing));
	assert_int_equal(fw_listing_read(buf_str(&listing), &read), 0);
	assert_same_elements(&built, &read);
	commit_full(&built); /* over what it did not make */
	buf_done(&listing);
	list(&listing);
	assert_null(strstr(buf_str(&listing), "ct timeout set"));
	fw_ruleset_done(&built);
	fw_ruleset_done(&read);
	buf_done(&listing);
}

/* What the RFCs demand, in their own numbers; the established one's default is the kernel's. */
static void test_lifetimes_that_will_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < FW_STATE_COUNT; i++)
		assert_true(fw_lifetimes[i].least_s >= (i == FW_ICMP ? 60 : i < 2 ? 120 : 240));
	assert_true(fw_lifetimes[FW_TCP_ESTABLISHED].least_s >= 124 * 60);
	assert_true(fw_lifetimes[FW_TCP_CLOSE_WAIT].least_s >= 124 * 60);
	assert_true(fw_lifetimes[FW_TCP_UNACK].least_s >= 124 * 60);
	assert_true(fw_lifetimes[FW_TCP_FIN_WAIT].least_s >= 124 * 60);
}

static void test_no_table(void **state)
{
	struct fw_counters c = {.spoofed = 42};
	struct err e = {0};
	struct buf out;

	(void)state;
	drop_table();
	list(&out);
	assert_string_equal(buf_str(&out), "");
	assert_int_equal(nft_counters(nft, &c, &e), -ENOENT);
	assert_int_equal(c.spoofed, 42);
	buf_done(&out);
}

static void test_counters(void **state)
{
	static const char table[] = "table inet vmlane {\n"
				    "counter spoofed { packets 1 bytes 10 }\n"
				    "counter refused_in { packets 2 bytes 20 }\n"
				    "counter refused_out { packets 3 bytes 30 }\n"
				    "counter invalid { packets 4 bytes 40 }\n"
				    "counter other { packets 5 bytes 50 }\n"
				    "}\n";
	struct fw_counters c;
	struct err e = {0};
	struct buf out;

	(void)state;
	drop_table();
	assert_int_equal(nft_run(nft, table, &e), 0);
	assert_int_equal(nft_counters(nft, &c, &e), 0);
	assert_int_equal(c.spoofed, 1);
	assert_int_equal(c.refused_in, 2);
	assert_int_equal(c.refused_out, 3);
	assert_int_equal(c.invalid, 4);
	list(&out);
	assert_null(strstr(buf_str(&out), "packets"));
	buf_done(&out);
}

static void test_all_or_nothing(void **state)
{
	struct buf before, after;
	struct fw_ruleset r;
	struct err e = {0};
	uint64_t n;

	(void)state;
	build_numbered(0, 2, 0, &r);
	commit_full(&r);
	n = nft_transactions(nft);
	list(&before);
	assert_int_equal(
		nft_run(nft,
			"add element inet vmlane bridged { \"vl-x\" . \"vl-x\" }\n"
			"delete element inet vmlane bridged { \"vl-x\" . \"vl-absent\" }\n",
			&e),
		-ENOENT);
	assert_string_equal(e.code, "firewall");
	assert_non_null(strstr(e.message, "No such file or directory"));
	list(&after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	assert_int_equal(nft_transactions(nft), n + 1);
	assert_int_equal(nft_run(nft, "add elemint inet vmlane", &e), -EIO);
	assert_non_null(strstr(e.message, "syntax error"));
	assert_int_equal(nft_run(nft, "add elemint inet vmlane", NULL), -EIO);
	fw_ruleset_done(&r);
	buf_done(&before);
	buf_done(&after);
}

/* What was remembered of the table that is there makes the same table again, lifetimes and all. */
static void replays(void)
{
	uint32_t before, after;
	struct buf was, is;

	list(&was);
	assert_int_equal(nft_remember(nft), 0);
	assert_true(nft_remembers(nft));
	assert_int_equal(nft_replay(nft), -EEXIST);
	drop_table();
	assert_int_equal(nft_generation(nft, &before), 0);
	assert_int_equal(nft_replay(nft), 0);
	assert_int_equal(nft_generation(nft, &after), 0);
	assert_int_equal(after, before + 1);
	list(&is);
	assert_string_equal(buf_str(&is), buf_str(&was));
	/* And can be remembered in turn. */
	drop_table();
	assert_int_equal(nft_replay(nft), 0);
	nft_forget(nft);
	assert_false(nft_remembers(nft));
	assert_int_equal(nft_replay(nft), -ENOENT);
	buf_done(&was);
	buf_done(&is);
}

static void replay_golden(const char *name)
{
	uint32_t seconds[FW_STATE_COUNT];
	struct golden_input in;
	struct fw_ruleset r;

	for (uint32_t i = 0; i < FW_STATE_COUNT; i++)
		seconds[i] = 1000 + i;
	golden_input_read(name, &in);
	assert_int_equal(fw_ruleset_build(&in.desired, &r), 0);
	commit_full(&r);
	assert_int_equal(nft_lifetimes(nft, seconds), 0);
	replays();
	fw_ruleset_done(&r);
}

static void test_replay(void **state)
{
	struct fw_ruleset r;

	(void)state;
	golden_each(replay_golden);
	build_numbered(0, 1000, 0, &r);
	commit_full(&r);
	replays();
	fw_ruleset_done(&r);
	drop_table();
	assert_int_equal(nft_remember(nft), -ENOENT);
	assert_false(nft_remembers(nft));
}

/* What the kernel tells in several messages, the last first; and counters as they stood. */
static void test_replay_of_intervals_and_counters(void **state)
{
	struct buf text = BUF_INIT(GOLDEN_TEXT_MAX);
	struct fw_counters c;
	struct err e = {0};

	(void)state;
	drop_table();
	buf_puts(&text, "table inet vmlane {\ncounter spoofed { packets 7 bytes 70 }\n"
			"set many { type ipv4_addr; flags interval; elements = { ");
	for (unsigned int i = 0; i < 3000; i++)
		buf_printf(&text, "10.%u.%u.4-10.%u.%u.9, ", i / 200, i % 200, i / 200, i % 200);
	buf_puts(&text,
		 "0.0.0.0/8, 255.255.255.0/24 }; }\n"
		 "set six { type ipv6_addr; flags interval; elements = { ::/128, fd00::/8 }; }\n"
		 "chain c { ip saddr { 10.0.0.0/8, 192.168.0.0/16 } ip saddr @many accept\n"
		 "tcp dport { 22, 80-90 } ip6 saddr @six counter comment \"x\"\n}\n}\n");
	if (nft_run(nft, buf_str(&text), &e) != 0)
		fail_msg("%s", e.message);
	replays();
	assert_int_equal(nft_counters(nft, &c, &e), 0);
	assert_int_equal(c.spoofed, 7);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_delta_ends_where_full_does),
		cmocka_unit_test(test_delta_from_each_to_each),
		cmocka_unit_test(test_thousand_networks),
		cmocka_unit_test(test_listing_reads_back),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_lifetimes_that_will_do),
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_replay_of_intervals_and_counters),
	};
	int failed;

	netns_enter();
	if (nft_new(&nft) < 0)
		netns_skip("libnftables has no context for us");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	nft_free(nft);
	return failed;
}
