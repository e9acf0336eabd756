/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the configuration reader that no golden file holds: sizes, depths, bombs, the contract
 * of its outputs, and equality.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model/config.h"

/* struct result - what network_config_parse() said about a text. */
struct result {
	int r;
	struct network_config *n;
	struct err_list errs;
};

static struct result *parse(const char *text, size_t len)
{
	struct result *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->r = network_config_parse("f.yaml", text, len, &p->n, &p->errs);
	assert_true((p->r == 0) == (p->n != NULL));
	assert_true((p->r == 0) == (p->errs.n == 0));
	return p;
}

static void result_free(struct result *p)
{
	network_config_free(p->n);
	free(p);
}

static void expect_ok(const char *text, size_t len)
{
	struct result *p = parse(text, len);

	if (p->r < 0)
		fail_msg("%s: %s", p->errs.items[0].where, p->errs.items[0].message);
	result_free(p);
}

/* The first mistake is at @where and its message has @words. */
static void expect_mistake(const char *text, size_t len, const char *where, const char *words)
{
	struct result *p = parse(text, len);

	assert_int_equal(p->r, -EINVAL);
	assert_string_equal(p->errs.items[0].where, where);
	if (!strstr(p->errs.items[0].message, words))
		fail_msg("\"%s\" is not in \"%s\"", words, p->errs.items[0].message);
	result_free(p);
}

#define HEAD "network: a\nipv4: {subnet: 10.0.0.0/8}\n"

static struct buf text_of(const char *head)
{
	struct buf b = BUF_INIT(16 * CONFIG_FILE_MAX);

	buf_puts(&b, head);
	return b;
}

static void test_oversize(void **state)
{
	struct buf b = text_of(HEAD "# ");

	(void)state;
	while (b.len < CONFIG_FILE_MAX - 1)
		buf_append(&b, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
			   size_min(33, CONFIG_FILE_MAX - 1 - b.len));
	buf_puts(&b, "\n");
	assert_int_equal(b.len, CONFIG_FILE_MAX);
	expect_ok(b.data, b.len);
	buf_puts(&b, "\n");
	expect_mistake(b.data, b.len, "f.yaml", "1048577 bytes; at most 1048576");
	for (size_t i = 0; i < 10 * CONFIG_FILE_MAX; i += 16)
		buf_puts(&b, "network: default\n");
	expect_mistake(b.data, b.len, "f.yaml", "bytes; at most 1048576");
	buf_done(&b);
}

static void repeat(struct buf *b, const char *piece, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_puts(b, piece);
}

static void test_depth(void **state)
{
	static const char deep[] = "nested more than 8 levels deep";
	static const struct {
		const char *piece;
		const char *where;
		const char *words;
	} cases[] = {
		{"[", "f.yaml:1:9", deep},
		{"{a: ", "f.yaml:1:33", deep},
		{"- ", "f.yaml:1:17", deep},
		{"? ", "f.yaml:1:3", "a key must be text"},
	};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		b = text_of("");
		repeat(&b, cases[i].piece, 200000);
		expect_mistake(b.data, b.len, cases[i].where, cases[i].words);
		buf_done(&b);
	}
}

/* Nothing is expanded, so each alias is one mistake; nine to the ninth values never exist. */
static void test_alias_bomb(void **state)
{
	struct buf b = text_of("a: &a [x,x,x,x,x,x,x,x,x]\n");
	struct result *p;

	(void)state;
	for (int c = 'b'; c < 'j'; c++) {
		buf_printf(&b, "%c: &%c [", c, c);
		for (int i = 0; i < 9; i++)
			buf_printf(&b, "*%c%s", c - 1, i < 8 ? "," : "]\n");
	}
	p = parse(b.data, b.len);
	assert_int_equal(p->errs.n, ERR_LIST_MAX);
	/* 9 anchors, 72 aliases, 9 unknown keys, 2 missing keys */
	assert_int_equal(p->errs.n + p->errs.dropped, 92);
	result_free(p);
	buf_done(&b);
}

static void test_many_keys(void **state)
{
	struct buf b = text_of("");
	struct result *p;

	(void)state;
	for (unsigned int i = 0; i < 90000; i++)
		buf_printf(&b, "k%u: 1\n", i % 50000);
	p = parse(b.data, b.len);
	assert_int_equal(p->r, -EINVAL);
	/* 50,000 unknown keys, 40,000 of them again, and two missing ones */
	assert_int_equal(p->errs.n + p->errs.dropped, 90002);
	result_free(p);
	buf_done(&b);
}

static void test_many_values(void **state)
{
	struct buf b = text_of("access: [");

	(void)state;
	repeat(&b, "a,", 300000);
	expect_mistake(b.data, b.len, "f.yaml:1:400004", "more than 200000 values");
	buf_done(&b);
}

static void guests_text(struct buf *b, unsigned int n)
{
	buf_puts(b, "guests:\n");
	for (unsigned int i = 0; i < n; i++)
		buf_printf(b, " g%u: {mac: 52:54:00:%02x:%02x:%02x, ipv4: 10.1.%u.%u}\n", i,
			   i >> 16 & 255, i >> 8 & 255, i & 255, i >> 8, i & 255);
}

/* As many guests as may be, sorted by name, emitted and read again; one more is a mistake. */
static void test_many_guests(void **state)
{
	struct buf b = text_of(HEAD), out = BUF_INIT(CONFIG_FILE_MAX);
	struct network_config *copy = NULL;
	struct result *p;

	(void)state;
	guests_text(&b, NETWORK_GUESTS_MAX);
	p = parse(b.data, b.len);
	assert_int_equal(p->r, 0);
	assert_int_equal(p->n->n_guests, NETWORK_GUESTS_MAX);
	assert_non_null(network_guest_find(p->n, "g9999"));
	assert_int_equal(network_guest_find(p->n, "g777")->at.line, 781);
	network_config_emit(p->n, &out);
	assert_int_equal(network_config_parse("x", buf_str(&out), out.len, &copy, NULL), 0);
	assert_true(network_config_equal(p->n, copy));
	network_config_free(copy);
	result_free(p);
	buf_done(&b);
	buf_done(&out);
	b = text_of(HEAD);
	guests_text(&b, NETWORK_GUESTS_MAX + 1);
	expect_mistake(b.data, b.len, "f.yaml:4:2", "10001 guests; at most 10000");
	buf_done(&b);
}

/* Texts that make careless readers quadratic; each megabyte is read in well under five seconds. */
static void test_slow_texts(void **state)
{
	static const char *const pieces[] = {
		"a",	 "a ",	    "a\n", "a: b: ",   "\"a\" ", "# x\n",	"&a ",	 "- a\n",
		"? a\n", "{a: b},", "'",   "\\",       " ",	 "\n",		"---\n", "a:\n ",
		"|\n",	 "%A\n",    "!a ", "\xc3\xa4", "!<",	 "%TAG !a! b\n"};
	struct timespec a, z;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct buf b = text_of("");
		struct result *p;

		repeat(&b, pieces[i], CONFIG_FILE_MAX / strlen(pieces[i]));
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		p = parse(b.data, b.len);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &z);
		assert_int_equal(p->r, -EINVAL);
		if (z.tv_sec - a.tv_sec > 5)
			fail_msg("\"%s\" takes %ld s", pieces[i], (long)(z.tv_sec - a.tv_sec));
		result_free(p);
		buf_done(&b);
	}
}

/* *ret and earlier errors are left alone; without a list the answer is the same. */
static void test_outputs(void **state)
{
	struct network_config mark, *n = &mark;
	struct err_list *errs = calloc(1, sizeof(*errs));
	static const char bad[] = "network: a\nmtu: 1\nbridge: lo\n";

	(void)state;
	assert_int_equal(err_add(errs, -EIO, "x", "z.yaml:9:9", "earlier"), -EIO);
	assert_int_equal(network_config_parse("f.yaml", bad, sizeof(bad) - 1, &n, errs), -EINVAL);
	assert_ptr_equal(n, &mark);
	assert_int_equal(errs->n, 4);
	assert_string_equal(errs->items[0].where, "z.yaml:9:9");
	assert_string_equal(errs->items[0].code, "x");
	assert_string_equal(errs->items[1].where, "f.yaml:1:1");
	assert_string_equal(errs->items[1].code, "missing-key");
	assert_string_equal(errs->items[2].where, "f.yaml:2:6");
	assert_string_equal(errs->items[2].code, "bad-value");
	assert_int_equal(network_config_parse("f.yaml", bad, sizeof(bad) - 1, &n, NULL), -EINVAL);
	assert_ptr_equal(n, &mark);
	assert_int_equal(network_config_parse("f.yaml", "", 0, &n, NULL), -EINVAL);
	free(errs);
}

/* Reads no byte behind @len: the text here ends with its allocation. */
static void test_not_terminated(void **state)
{
	static const char *const texts[] = {HEAD,	    "a: \"", "\ta", "a\r",
					    "\xef\xbb\xbf", "\xc3",  "@",   "a: \x01"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i]);
		char *exact = malloc(len);

		assert_non_null(exact);
		memcpy(exact, texts[i], len);
		result_free(parse(exact, len));
		free(exact);
	}
}

/* Each of these texts means something else than the first. */
static void test_equal(void **state)
{
	static const char *const texts[] = {
		"{network: a, ipv4: {subnet: 10.0.0.0/24}}",
		"{network: b, ipv4: {subnet: 10.0.0.0/24}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/25}}",
		"{network: a, ipv4: {subnet: 10.0.1.0/24}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24, gateway: 10.0.0.2}}",
		"{network: a, bridge: b, ipv4: {subnet: 10.0.0.0/24}}",
		"{network: a, mtu: 1500, ipv4: {subnet: 10.0.0.0/24}}",
		"{network: a, access: [], ipv4: {subnet: 10.0.0.0/24}}",
		"{network: a, access: [\"user:a\"], ipv4: {subnet: 10.0.0.0/24}}",
		"{network: a, access: [\"group:a\"], ipv4: {subnet: 10.0.0.0/24}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, nat: {ports: 1023-65535}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, nat: {ports: 1024-65534}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, nat: {uplink: e}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, nat: {source: 192.0.2.1}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, nat: {source: 192.0.2.2}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, nat: {source: 192.0.2.1-192.0.2.2}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dhcp: {enabled: false}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dhcp: {range: 10.0.0.2-10.0.0.3}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dhcp: {range: 10.0.0.3-10.0.0.254}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dhcp: {lease: 61}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dns: {domain: a}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dns: {servers: [1.1.1.1]}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, dns: {servers: [1.1.1.2]}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, guests: {g: {}}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, guests: {h: {}}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, guests: {g: {mac: 52:54:00:00:00:01}}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, guests: {g: {mac: 52:54:00:00:00:02}}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, guests: {g: {ipv4: 10.0.0.9}}}",
		"{network: a, ipv4: {subnet: 10.0.0.0/24}, guests: {g: {ipv4: 10.0.0.8}}}",
	};
	struct result *p[ARRAY_SIZE(texts)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		p[i] = parse(texts[i], strlen(texts[i]));
		if (p[i]->r)
			fail_msg("%s: %s", texts[i], p[i]->errs.items[0].message);
		for (size_t j = 0; j <= i; j++) {
			assert_true(network_config_equal(p[i]->n, p[j]->n) == (i == j));
			assert_true(network_config_equal(p[j]->n, p[i]->n) == (i == j));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		result_free(p[i]);
}

/* Defaults and places, as network.h promises them. */
static void test_fields(void **state)
{
	static const char text[] = "ipv4:\n  subnet: 10.0.0.0/30\nnetwork: a\nguests:\n  w: {}\n";
	struct result *p = parse(text, sizeof(text) - 1);
	const struct network_config *n = p->n;

	(void)state;
	assert_int_equal(p->r, 0);
	assert_string_equal(n->bridge, "vl-a");
	assert_int_equal(n->mode, NETWORK_NAT);
	assert_int_equal(ip4_host(n->gateway), 0x0a000001);
	assert_int_equal(ip4_host(n->range_first), 0x0a000002);
	assert_int_equal(ip4_host(n->range_last), 0x0a000002);
	assert_string_equal(n->uplink, "");
	assert_int_equal(n->port_min, 1024);
	assert_int_equal(n->port_max, 65535);
	assert_int_equal(n->mtu, 0);
	assert_true(n->dhcp);
	assert_int_equal(n->lease_s, 3600);
	assert_string_equal(n->domain, "");
	assert_int_equal(n->n_dns, 0);
	assert_true(n->open_access);
	assert_int_equal(n->subnet_at.line, 2);
	assert_int_equal(n->subnet_at.col, 11);
	assert_int_equal(n->name_at.line, 3);
	assert_int_equal(n->name_at.col, 10);
	assert_int_equal(n->guests[0].at.line, 5);
	assert_int_equal(n->guests[0].at.col, 3);
	assert_false(n->guests[0].has_mac || n->guests[0].has_ipv4);
	result_free(p);
}

static struct network_config *parse_good(const char *text)
{
	struct network_config *n = NULL;
	struct err_list errs = {0};

	if (network_config_parse("f.yaml", text, strlen(text), &n, &errs) < 0)
		fail_msg("%s", errs.items[0].message);
	return n;
}

/* Whom the policy speaks of, and whose a MAC is: found without a look at all guests. */
static void test_index(void **state)
{
	struct network_config *n =
		parse_good("network: a\nipv4: {subnet: 10.0.0.0/24}\n"
			   "policy:\n  rules: [deny out from x, deny in to @s, allow in to x, deny "
			   "host from @s]\n"
			   "  sets: {s: [y, x, 10.0.0.0/8, z], unused: [w]}\n"
			   "guests:\n  z: {mac: 52:54:00:00:00:09, macs: [52:54:00:00:00:01]}\n"
			   "  y: {macs: [52:54:00:00:00:05, 52:54:00:00:00:03]}\n  x: {}\n  w: {}\n"
			   "  v: {mac: 52:54:00:00:00:04}\n");
	static const struct {
		uint8_t last;
		const char *guest;
	} macs[] = {{9, "z"}, {1, "z"}, {5, "y"}, {3, "y"}, {4, "v"}, {2, NULL}};

	(void)state;
	assert_true(policy_names_guest(&n->policy, "x")->direct);
	assert_false(policy_names_guest(&n->policy, "y")->direct);
	assert_false(policy_names_guest(&n->policy, "z")->direct);
	assert_false(policy_names_guest(&n->policy, "w")->direct);
	assert_null(policy_names_guest(&n->policy, "v"));
	assert_null(policy_names_guest(&n->policy, "s"));
	assert_int_equal(n->policy.n_named, 4);
	for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
		const struct mac mac = {{0x52, 0x54, 0, 0, 0, macs[i].last}};
		const struct guest_config *g = network_guest_by_mac(n, &mac);

		if (macs[i].guest)
			assert_string_equal(g->name, macs[i].guest);
		else
			assert_null(g);
	}
	network_config_free(n);
}

/* As many ports as a rule may have, each as long as it can be, there and back. */
static void test_longest_rule(void **state)
{
	static const char head[] =
		"network: a\nipv4: {subnet: 10.0.0.0/24}\npolicy:\n  rules:\n    - ";
	struct buf text = BUF_INIT(4096), again = BUF_INIT(4096);
	char back[POLICY_RULE_STRLEN];
	struct network_config *n, *m;

	(void)state;
	buf_printf(&text, "%sreject out sctp ", head);
	for (unsigned int i = 0; i < POLICY_PORTS_MAX; i++)
		buf_printf(&text, "%s%u-%u", i ? "," : "", 10000 + 1000 * i, 10999 + 1000 * i);
	buf_puts(&text, " from 2001:db8:1111:2222:3333:4444:5555:6660/124"
			" to 2001:db8:1111:2222:3333:4444:5555:7770/124 log");
	n = parse_good(buf_str(&text));
	assert_int_equal(n->policy.rules[0].n_ports, POLICY_PORTS_MAX);
	buf_printf(&again, "%s%s", head, policy_rule_format(&n->policy.rules[0], back));
	assert_string_equal(buf_str(&again), buf_str(&text));
	m = parse_good(buf_str(&again));
	assert_true(policy_equal(&n->policy, &m->policy));
	network_config_free(n);
	network_config_free(m);
	buf_done(&text);
	buf_done(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),	       cmocka_unit_test(test_longest_rule),
		cmocka_unit_test(test_oversize),       cmocka_unit_test(test_depth),
		cmocka_unit_test(test_alias_bomb),     cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_many_values),    cmocka_unit_test(test_many_guests),
		cmocka_unit_test(test_slow_texts),     cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_not_terminated), cmocka_unit_test(test_equal),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
