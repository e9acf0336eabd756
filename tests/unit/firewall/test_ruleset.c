/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/firewall/ruleset.c: structs to text, and the differences between two rulesets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/forwards.h"
#include "firewall/ruleset.h"
#include "golden.h"

static const char uplinks[][IFNAMSIZ] = {"eth0", "wlan0", "wwan0"};

static struct fw_network network(const char *bridge, const char *subnet)
{
	struct fw_network n = {.port_min = 1024, .port_max = 65535, .uplinks = uplinks};

	n.n_uplinks = 1;
	strncpy(n.bridge, bridge, IFNAMSIZ - 1);
	assert_int_equal(ip4_prefix_parse(subnet, &n.subnet), 0);
	return n;
}

static void build(const struct fw_network *n, size_t count, struct fw_ruleset *ret)
{
	const struct fw_desired d = {.networks = n, .n = count};

	assert_int_equal(fw_ruleset_build(&d, ret), 0);
}

static void golden_text(const char *name)
{
	struct buf out = BUF_INIT(GOLDEN_TEXT_MAX);
	struct golden_input in;
	struct fw_ruleset r;

	golden_input_read(name, &in);
	assert_int_equal(fw_ruleset_build(&in.desired, &r), 0);
	fw_ruleset_full(&r, &out);
	assert_int_equal(out.error, 0);
	golden_check(name, "nft", buf_str(&out));
	fw_ruleset_done(&r);
	buf_done(&out);
}

static void test_golden(void **state)
{
	(void)state;
	golden_each(golden_text);
}

#define LONG_NAME "a-name-that-is-as-long-as-it-gets"

/* The longest rules there can be, as many as a host may have. */
static void test_most_rules(void **state)
{
	struct policy_set sets[] = {{.name = LONG_NAME}};
	struct network_policy policy = {.sets = sets, .n_sets = 1, .n_rules = POLICY_RULES_MAX};
	const size_t count = POLICY_HOST_RULES_MAX / POLICY_RULES_MAX;
	struct fw_network *networks = calloc(count, sizeof(*networks));
	struct fw_ruleset r;

	(void)state;
	sets[0].name[POLICY_NAME_MAX] = '\0';
	policy.rules = calloc(POLICY_RULES_MAX, sizeof(*policy.rules));
	assert_non_null(networks);
	assert_non_null(policy.rules);
	for (size_t i = 0; i < POLICY_RULES_MAX; i++) {
		struct policy_rule *rule = &policy.rules[i];

		*rule = (struct policy_rule){.action = POLICY_REJECT,
					     .direction = POLICY_OUT,
					     .match = POLICY_PROTO,
					     .proto = IPPROTO_SCTP,
					     .n_ports = POLICY_PORTS_MAX,
					     .from.kind = POLICY_SET,
					     .to.kind = POLICY_SET,
					     .log = true};
		for (size_t k = 0; k < POLICY_PORTS_MAX; k++) {
			rule->ports[k].first = (uint16_t)(10000 + 1000 * k + i);
			rule->ports[k].last = (uint16_t)(10300 + 1000 * k + i);
		}
		strcpy(rule->from.name, sets[0].name);
		strcpy(rule->to.name, sets[0].name);
	}
	for (size_t i = 0; i < count; i++) {
		networks[i] = network("vl-a", "10.0.0.0/24");
		snprintf(networks[i].bridge, IFNAMSIZ, "vl-%zu", i);
		snprintf(networks[i].name, sizeof(networks[i].name), "%.29s%03zu", LONG_NAME, i);
		networks[i].policy = &policy;
	}
	build(networks, count, &r);
	fw_ruleset_done(&r);
	free(policy.rules);
	free(networks);
}

static void test_refused(void **state)
{
	static const char *const bad_names[] = {"",	"a\"b", "vl-*", "a\\b", "a b",
						"a\tb", "a\nb", "a:b",	"a/b",	"a\x7f"};
	struct fw_network n = network("vl-a", "10.0.0.0/24");
	struct fw_desired d = {.networks = &n, .n = 1};
	struct fw_ruleset r = {0};
	char uplink[1][IFNAMSIZ];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
		n = network(bad_names[i], "10.0.0.0/24");
		assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
		n = network("vl-a", "10.0.0.0/24");
		strcpy(uplink[0], bad_names[i]);
		n.uplinks = (const char(*)[IFNAMSIZ])uplink;
		assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	}
	n = network("eth0", "10.0.0.0/24"); /* its own uplink */
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	n = network("vl-a", "0.0.0.0/0");
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	n = network("vl-a", "10.0.0.0/24");
	n.port_min = 0;
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	n.port_min = 2000;
	n.port_max = 1999;
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	n = network("vl-a", "10.0.0.0/24");
	n.source_first = ip4_from_host(0x0b000002);
	n.source_last = ip4_from_host(0x0b000001);
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	n = network("vl-a", "10.0.0.0/24");
	n.mode = NETWORK_ISOLATED; /* with a way out */
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	n = network("vl-a", "10.0.0.0/24");
	n.mode = NETWORK_ROUTED;
	n.subnet.len = 0;
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	assert_null(r.skeleton); /* outputs are untouched by failures */
}

/* Two networks on one bridge that want different verdicts cannot both have theirs. */
static void test_contradiction(void **state)
{
	struct fw_network n[2] = {network("vl-a", "10.0.0.0/24"), network("vl-a", "10.0.1.0/24")};
	const struct fw_desired d = {.networks = n, .n = 2};
	struct fw_ruleset r;

	(void)state;
	n[1].port_min = 5000;
	assert_int_equal(fw_ruleset_build(&d, &r), -EEXIST);
}

static void test_order_does_not_matter(void **state)
{
	struct fw_network a[2] = {network("vl-a", "10.0.0.0/24"), network("vl-b", "10.0.1.0/25")};
	struct fw_network b[2] = {a[1], a[0]};
	const char twice[][IFNAMSIZ] = {"wlan0", "eth0", "wlan0"};
	struct buf out = BUF_INIT(4096);
	struct fw_ruleset x, y, z;

	(void)state;
	a[0].n_uplinks = 2;
	b[1].uplinks = twice;
	b[1].n_uplinks = 3;
	build(a, 2, &x);
	build(b, 2, &y);
	build(b, 1, &z);
	assert_int_equal(fw_ruleset_delta(&x, &y, &out), 0);
	assert_string_equal(buf_str(&out), "");
	assert_true(fw_ruleset_delta(&x, &z, &out) > 0);
	fw_ruleset_done(&x);
	fw_ruleset_done(&y);
	fw_ruleset_done(&z);
	buf_done(&out);
}

/* struct listing_case - a text, and whether it is a listing; @elements joined by '|' */
struct listing_case {
	const char *text;
	bool ok;
	const char *elements;
	const char *skeleton;
};

static void test_listing(void **state)
{
	static const struct listing_case cases[] = {
		{"", true, "", ""},
		{"set a {\n\telements = { \"x\" }\n}\n", true, "a\t\"x\"|", "set a {\n}\n"},
		{"map m {\n\telements = { \"y\" . \"z\" : goto c,\n\t\t\t\"a,}\" : drop }\n}\n",
		 true, "m\t\"a,}\" : drop|m\t\"y\" . \"z\" : goto c|", "map m {\n}\n"},
		{"chain c {\n\tip daddr { 1.2.3.4, 5.6.7.8 } return\n}\n", true, "",
		 "chain c {\n\tip daddr { 1.2.3.4, 5.6.7.8 } return\n}\n"},
		{"set a {\n\telements = { \"x\",\n", false, "", ""},
		{"set a {\n\telements = { \"x }\n}\n", false, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf joined = BUF_INIT(1000);
		struct fw_ruleset r = {0};

		assert_int_equal(fw_listing_read(cases[i].text, &r), cases[i].ok ? 0 : -EBADMSG);
		for (size_t j = 0; j < r.n_elements; j++)
			buf_printf(&joined, "%s|", r.elements[j]);
		assert_string_equal(buf_str(&joined), cases[i].elements);
		if (cases[i].ok)
			assert_string_equal(r.skeleton, cases[i].skeleton);
		fw_ruleset_done(&r);
		buf_done(&joined);
	}
}

/* Each direction is an element, and the chains stay. */
static void test_peers(void **state)
{
	struct fw_network n[2] = {network("vl-a", "10.0.0.0/24"), network("vl-b", "10.0.1.0/24")};
	struct fw_peer peers[] = {{"vl-b", "vl-a"}, {"vl-a", "vl-b"}};
	const struct fw_desired d = {.networks = n, .n = 2, .peers = peers, .n_peers = 2};
	struct buf out = BUF_INIT(4096);
	struct fw_ruleset from, to;

	(void)state;
	build(n, 2, &from);
	assert_int_equal(fw_ruleset_build(&d, &to), 0);
	assert_int_equal(fw_ruleset_delta(&from, &to, &out), 2);
	assert_string_equal(buf_str(&out),
			    "add element inet vmlane ways_out { \"vl-a\" . \"vl-b\", "
			    "\"vl-b\" . \"vl-a\" }\n");
	fw_ruleset_done(&from);
	fw_ruleset_done(&to);
	buf_done(&out);
	strcpy(peers[1].to, "*");
	assert_int_equal(fw_ruleset_build(&d, &to), -EINVAL);
}

static void tell(const struct fw_forward *f, void *ctx)
{
	char addr[IP4_STRLEN], to[IP4_STRLEN];

	buf_printf(ctx, "%s %u %u -> %s %u\n", ip4_format(f->addr, addr), f->proto, f->port,
		   ip4_format(f->to, to), f->to_port);
}

static void assert_changed(const struct fw_ruleset *a, const struct fw_ruleset *b, const char *text)
{
	struct buf out = BUF_INIT(4096);

	fw_forwards_changed(a, b, tell, &out);
	assert_string_equal(buf_str(&out), text);
	buf_done(&out);
}

/* A port is an element, whatever it was written with; what changed is read back from these. */
static void test_forwards(void **state)
{
	struct fw_network n = network("vl-a", "10.0.0.0/24");
	struct forward f[] = {{FORWARD_TCP, {INADDR_ANY}, 8000, 8002, 80, 0, 0},
			      {FORWARD_UDP, {htonl(0x0a090001)}, 53, 53, 53, 0, 0}};
	struct guest_config g = {.has_ipv4 = true, .ipv4 = {htonl(0x0a000009)}, .forwards = f};
	struct buf out = BUF_INIT(4096);
	struct fw_ruleset none, one, two;

	(void)state;
	build(&n, 1, &none);
	n.guests = &g;
	n.n_guests = 1;
	g.n_forwards = 1;
	build(&n, 1, &one);
	assert_string_equal(one.skeleton, none.skeleton);
	f[0].last = 8001;
	f[0].to = 81;
	g.n_forwards = 2;
	build(&n, 1, &two);
	assert_int_equal(fw_ruleset_delta(&one, &two, &out), 8);
	assert_string_equal(
		buf_str(&out),
		"delete element inet vmlane forward_any { 6 . 8000, 6 . 8001, 6 . 8002 }\n"
		"delete element inet vmlane forwarded { 10.0.0.9 . 6 . 80 }\n"
		"add element inet vmlane forward_any { 6 . 8000 : 10.0.0.9 . 81, "
		"6 . 8001 : 10.0.0.9 . 82 }\n"
		"add element inet vmlane forward_at { 10.9.0.1 . 17 . 53 : 10.0.0.9 . 53 }\n"
		"add element inet vmlane forwarded { 10.0.0.9 . 17 . 53 }\n");
	assert_changed(&none, &one, "");
	assert_changed(&one, &none,
		       "0.0.0.0 6 8000 -> 10.0.0.9 80\n0.0.0.0 6 8001 -> 10.0.0.9 81\n"
		       "0.0.0.0 6 8002 -> 10.0.0.9 82\n");
	assert_changed(&two, &one,
		       "0.0.0.0 6 8000 -> 10.0.0.9 81\n0.0.0.0 6 8001 -> 10.0.0.9 82\n"
		       "10.9.0.1 17 53 -> 10.0.0.9 53\n");
	assert_changed(&two, &two, "");
	fw_ruleset_done(&none);
	fw_ruleset_done(&one);
	fw_ruleset_done(&two);
	buf_done(&out);
}

/* What the model lets through to nobody is refused here too. */
static void test_forwards_refused(void **state)
{
	struct fw_network n = network("vl-a", "10.0.0.0/24");
	struct forward f[] = {{FORWARD_TCP, {INADDR_ANY}, 80, 80, 80, 0, 0},
			      {FORWARD_TCP, {INADDR_ANY}, 80, 80, 81, 0, 0}};
	struct guest_config g = {.forwards = f, .n_forwards = 1};
	const struct fw_desired d = {.networks = &n, .n = 1};
	struct fw_ruleset r;

	(void)state;
	n.guests = &g;
	n.n_guests = 1;
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL); /* to where? */
	g.has_ipv4 = true;
	g.ipv4.s_addr = htonl(0x0a000009);
	g.n_forwards = 2;
	assert_int_equal(fw_ruleset_build(&d, &r), -EEXIST);
	g.n_forwards = 1;
	n.mode = NETWORK_ISOLATED;
	n.n_uplinks = 0;
	assert_int_equal(fw_ruleset_build(&d, &r), -EINVAL);
	g.n_forwards = 0;
	assert_int_equal(fw_ruleset_build(&d, &r), 0);
	fw_ruleset_done(&r);
}

static void test_delta_of_an_uplink(void **state)
{
	struct fw_network n = network("vl-a", "10.0.0.0/24");
	struct buf out = BUF_INIT(4096);
	struct fw_ruleset from, to;

	(void)state;
	build(&n, 1, &from);
	n.uplinks = &uplinks[1];
	build(&n, 1, &to);
	assert_int_equal(fw_ruleset_delta(&from, &to, &out), 4);
	assert_string_equal(buf_str(&out),
			    "delete element inet vmlane translate { \"vl-a\" . \"eth0\" }\n"
			    "delete element inet vmlane ways_out { \"vl-a\" . \"eth0\" }\n"
			    "add element inet vmlane translate { \"vl-a\" . \"wlan0\" : goto "
			    "snat_1024_65535 }\n"
			    "add element inet vmlane ways_out { \"vl-a\" . \"wlan0\" }\n");
	fw_ruleset_done(&from);
	fw_ruleset_done(&to);
	buf_done(&out);
}

/* The same key with another verdict has to go before it comes back. */
static void test_delta_of_a_verdict(void **state)
{
	struct fw_network n[2] = {network("vl-a", "10.0.0.0/24"), network("vl-b", "10.0.1.0/24")};
	struct buf out = BUF_INIT(4096);
	struct fw_ruleset from, to;

	(void)state;
	n[0].port_min = 5000;
	build(n, 2, &from);
	n[0].port_min = 1024;
	n[1].port_min = 5000;
	build(n, 2, &to);
	assert_int_equal(fw_ruleset_delta(&from, &to, &out), 4);
	assert_string_equal(
		buf_str(&out),
		"delete element inet vmlane translate { \"vl-a\" . \"eth0\", \"vl-b\" . \"eth0\" "
		"}\n"
		"add element inet vmlane translate { \"vl-a\" . \"eth0\" : goto snat_1024_65535, "
		"\"vl-b\" . \"eth0\" : goto snat_5000_65535 }\n");
	fw_ruleset_done(&from);
	fw_ruleset_done(&to);
	buf_done(&out);
}

/* A chain comes before what leads to it, and goes after that. */
static void test_delta_of_chains(void **state)
{
	struct fw_network n = network("vl-a", "10.0.0.0/24");
	struct buf out = BUF_INIT(8192);
	struct fw_ruleset from, to;
	const char *text, *goes, *chain, *leads;

	(void)state;
	n.port_min = 5000;
	build(&n, 1, &from);
	n.port_min = 6000;
	build(&n, 1, &to);
	assert_int_equal(fw_ruleset_delta(&from, &to, &out), 4);
	text = buf_str(&out);
	goes = strstr(text, "delete element inet vmlane translate { \"vl-a\" . \"eth0\" }\n");
	chain = strstr(text, "table inet vmlane {\n\tchain snat_6000_65535 {\n");
	leads = strstr(text, "}\nadd element inet vmlane translate { \"vl-a\" . \"eth0\" : goto "
			     "snat_6000_65535 }\n");
	assert_ptr_equal(goes, text);
	assert_true(chain > goes && leads > chain);
	text = strstr(text, "delete chain");
	assert_string_equal(text, "delete chain inet vmlane snat_5000_65535\n");
	assert_true(text > leads);
	buf_done(&out);
	fw_ruleset_done(&to);
	n = network("vl-a", "10.0.0.0/25");
	build(&n, 1, &to);
	out = BUF_INIT(8192);
	assert_true(fw_ruleset_delta(&from, &to, &out) > 0);
	assert_non_null(strstr(buf_str(&out), "\tchain guest_25 {\n"));
	assert_non_null(strstr(buf_str(&out), "\tchain host_25 {\n"));
	buf_done(&out);
	fw_ruleset_done(&from);
	fw_ruleset_done(&to);
}

/* struct skeleton_case - two skeletons, and what leads from one to the other, or the error */
struct skeleton_case {
	const char *from;
	const char *to;
	int r;
	const char *commands;
};

#define A "\tchain a {\n\t\taccept\n\t}\n"
#define AB "\tchain ab {\n\t\tgoto a\n\t}\n"
#define BASE "\tchain b {\n\t\ttype filter hook input priority 0;\n\t}\n"
#define SET "\tset a { type ifname; }\n"
#define COUNTER "\tcounter a/b { }\n"

static void test_delta_of_skeletons(void **state)
{
	static const struct skeleton_case cases[] = {
		{"", "", 0, ""},
		{SET A, SET A, 0, ""},
		{SET, SET A AB, 2, "table inet vmlane {\n" A "}\ntable inet vmlane {\n" AB "}\n"},
		{SET A AB, SET, 2, "delete chain inet vmlane ab\ndelete chain inet vmlane a\n"},
		{A SET, SET A, 0, ""}, /* the order of chains means nothing */
		{SET A BASE, SET AB BASE, 2,
		 "table inet vmlane {\n" AB "}\ndelete chain inet vmlane a\n"},
		{SET A, A, 1, "delete set inet vmlane a\n"},
		{A, COUNTER A SET, 2,
		 "table inet vmlane {\n" COUNTER "}\ntable inet vmlane {\n" SET "}\n"},
		{COUNTER SET, "", 2, "delete set inet vmlane a\ndelete counter inet vmlane a/b\n"},
		{SET, "\tset a { type ipv4_addr; }\n", -ESTALE, NULL},
		{BASE, BASE "\t\tdrop\n", -ESTALE, NULL},
		{A, A BASE, -ESTALE, NULL},
		{A BASE, A, -ESTALE, NULL},
		{A, "\tchain a {\n\t\tdrop\n\t}\n", 1,
		 "flush chain inet vmlane a\ntable inet vmlane {\n\tchain a {\n\t\tdrop\n\t}\n}\n"},
		{A, "\tchain a {\n\t\ttype filter hook input priority 0;\n\t}\n", -ESTALE, NULL},
		{A, "\tchain a {\n", -ESTALE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fw_ruleset from = {.table = "inet vmlane",
					  .skeleton = strdup(cases[i].from)};
		struct fw_ruleset to = {.table = "inet vmlane", .skeleton = strdup(cases[i].to)};
		struct buf out = BUF_INIT(4096);

		assert_int_equal(fw_ruleset_delta(&from, &to, &out), cases[i].r);
		assert_string_equal(buf_str(&out), cases[i].commands ? cases[i].commands : "");
		fw_ruleset_done(&from);
		fw_ruleset_done(&to);
		buf_done(&out);
	}
}

static void test_full_buffer_is_told(void **state)
{
	struct fw_network n = network("vl-a", "10.0.0.0/24");
	struct buf out = BUF_INIT(16);
	struct fw_ruleset none, one;

	(void)state;
	build(NULL, 0, &none);
	build(&n, 1, &one);
	assert_int_equal(fw_ruleset_delta(&none, &one, &out), -E2BIG);
	fw_ruleset_done(&none);
	fw_ruleset_done(&one);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_most_rules),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_forwards_refused),
		cmocka_unit_test(test_delta_of_an_uplink),
		cmocka_unit_test(test_delta_of_a_verdict),
		cmocka_unit_test(test_delta_of_chains),
		cmocka_unit_test(test_delta_of_skeletons),
		cmocka_unit_test(test_full_buffer_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
