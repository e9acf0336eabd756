/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of guard.c: from ports to a table, into the kernel, and back from its listing; one port and one
 * address at a time; every choice of guards. What the rules do to frames is tests/netns/test_guard.py's.
 */
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

#define TEXT_MAX (16 * 1024 * 1024)

static struct nft *nft;

static const struct mac macs[] = {{{0x52, 0x54, 0, 1, 2, 3}}, {{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}}};

/* struct fixture - a port with something of everything */
struct fixture {
	struct fw_guard_pair pairs[2];
	struct guest_prefix prefixes[4];
	struct fw_guard_port port;
};

static void fixture_init(struct fixture *f, const char *ifname, uint16_t guards)
{
	static const char *const prefixes[] = {"10.8.0.0/24", "10.7.0.9", "fd00:8::/64",
					       "fd00:a::7"};

	*f = (struct fixture){.port = {.ifname = ifname,
				       .guards = guards,
				       .known4 = true,
				       .known6 = true,
				       .macs = macs,
				       .n_macs = 2,
				       .n_pairs = 2,
				       .n_prefixes = 4,
				       .n_routers6 = 2}};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(guest_prefix_parse(prefixes[i], &f->prefixes[i]), 0);
	for (size_t i = 0; i < 2; i++)
		f->pairs[i] =
			(struct fw_guard_pair){macs[i], ip4_from_host(0x0a070005 + (uint32_t)i)};
	f->port.pairs = f->pairs;
	f->port.prefixes = f->prefixes;
	assert_int_equal(ip4_parse("10.7.0.1", &f->port.gateway), 0);
	assert_int_equal(ip4_prefix_parse("10.7.0.0/24", &f->port.subnet), 0);
	assert_int_equal(ip6_prefix_parse("fd00:a::/64", &f->port.subnet6), 0);
	assert_int_equal(ip6_parse("fd00:a::1", &f->port.routers6[0]), 0);
	assert_int_equal(ip6_parse("fe80::1", &f->port.routers6[1]), 0);
}

static void run(const char *text)
{
	struct err e = {0};

	if (nft_run(nft, text, &e) < 0)
		fail_msg("%s:\n%s", e.message, text);
}

static void put_full(const struct fw_ruleset *r)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	fw_ruleset_full(r, &text);
	run(buf_str(&text));
	buf_done(&text);
}

static struct fw_ruleset read_back(void)
{
	struct buf listing = BUF_INIT(TEXT_MAX);
	struct fw_ruleset r = {0};

	assert_int_equal(nft_list_guard(nft, &listing, NULL), 0);
	assert_int_equal(fw_guard_read(buf_str(&listing), &r), 0);
	buf_done(&listing);
	return r;
}

/* The kernel has the elements of @r, in the same words. */
static void expect(const struct fw_ruleset *r)
{
	struct fw_ruleset now = read_back();

	for (size_t i = 0; i < r->n_elements && i < now.n_elements; i++)
		assert_string_equal(now.elements[i], r->elements[i]);
	assert_int_equal(now.n_elements, r->n_elements);
	fw_ruleset_done(&now);
}

static void test_there_and_back(void **state)
{
	struct fw_guard_port ports[3];
	struct fixture f[3];
	struct fw_ruleset r;

	(void)state;
	fixture_init(&f[0], "vl-web1", GUARDS_ALL);
	fixture_init(&f[1], "vl-web10", GUARDS_ALL & ~(1u << GUARD_DHCP));
	fixture_init(&f[2], "veth@7", GUARDS_ALL & ~(1u << GUARD_MAC));
	for (size_t i = 0; i < 3; i++)
		ports[i] = f[i].port;
	assert_int_equal(fw_guard_build(ports, 3, &r), 0);
	put_full(&r);
	expect(&r);
	put_full(&r); /* over itself */
	expect(&r);
	fw_ruleset_done(&r);
}

static void test_every_choice_loads(void **state)
{
	struct fw_guard_port *ports = calloc(4 * GUARDS_ALL + 4, sizeof(*ports));
	struct fixture *f = calloc(GUARDS_ALL + 1, sizeof(*f));
	char(*names)[16] = calloc(GUARDS_ALL + 1, sizeof(*names));
	struct fw_ruleset r;
	size_t n = 0;

	(void)state;
	assert_true(ports && f && names);
	for (unsigned int mask = 0; mask <= GUARDS_ALL; mask++) {
		snprintf(names[mask], sizeof(names[mask]), "vl-%u", mask);
		fixture_init(&f[mask], names[mask], (uint16_t)mask);
		f[mask].port.known4 = mask & 1 || mask % 3;
		f[mask].port.known6 = mask & 2 || mask % 5;
		ports[n++] = f[mask].port;
	}
	assert_int_equal(fw_guard_build(ports, n, &r), 0);
	put_full(&r);
	expect(&r);
	fw_ruleset_done(&r);
	free(ports);
	free(f);
	free(names);
}

/* Chains come and go with the ports that need them; another port of a longer name stays. */
static void test_one_port(void **state)
{
	struct fw_ruleset r, part, of, more;
	struct buf text = BUF_INIT(TEXT_MAX);
	struct fixture a, b;

	(void)state;
	fixture_init(&a, "vl-web1", GUARDS_ALL);
	fixture_init(&b, "vl-web10", 1u << GUARD_RA);
	assert_int_equal(fw_guard_build(&a.port, 1, &r), 0);
	put_full(&r);
	assert_int_equal(fw_guard_build(&b.port, 1, &part), 0);
	assert_false(fw_guard_has_chains(&r, &part));
	assert_true(fw_guard_has_chains(&r, &r));
	assert_int_equal(fw_guard_build((struct fw_guard_port[]){a.port, b.port}, 2, &more), 0);
	assert_true(fw_ruleset_delta(&r, &more, &text) > 0);
	run(buf_str(&text));
	expect(&more);
	assert_int_equal(fw_guard_of(&more, "vl-web1", &of), 0);
	assert_int_equal(of.n_elements, r.n_elements);
	free(of.elements);
	assert_int_equal(fw_guard_merge(&more, "vl-web10", NULL), 0);
	assert_int_equal(more.n_elements, r.n_elements);
	assert_int_equal(fw_guard_merge(&more, "vl-web10", &part), 0);
	expect(&more);
	buf_done(&text);
	text = BUF_INIT(TEXT_MAX);
	assert_true(fw_ruleset_delta(&more, &r, &text) > 0);
	run(buf_str(&text));
	expect(&r);
	buf_done(&text);
	fw_ruleset_done(&r);
	fw_ruleset_done(&part);
	fw_ruleset_done(&more);
}

/* By raw netlink, into each of the sets that hold addresses. */
static void test_one_address(void **state)
{
	static const uint16_t choices[] = {GUARDS_ALL, GUARDS_ALL & ~(1u << GUARD_BPDU),
					   GUARDS_ALL & ~(1u << GUARD_MAC)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const struct fw_guard_pair pair = {macs[1], ip4_from_host(0x0a070077)};
		char line[FW_GUARD_LINE_MAX];
		struct fw_ruleset r;
		struct fixture f;

		fixture_init(&f, "vl-web1", choices[i]);
		assert_int_equal(fw_guard_build(&f.port, 1, &r), 0);
		put_full(&r);
		fw_guard_pair(&f.port, &pair, line, sizeof(line));
		assert_int_equal(nft_guard_pair(nft, &f.port, &pair, false), -ENOENT);
		assert_int_equal(nft_guard_pair(nft, &f.port, &pair, true), 0);
		assert_int_equal(nft_guard_pair(nft, &f.port, &pair, true), 0);
		assert_false(fw_guard_has_line(&r, line));
		assert_int_equal(fw_guard_line(&r, line, true), 0);
		assert_true(fw_guard_has_line(&r, line));
		expect(&r);
		assert_int_equal(nft_guard_pair(nft, &f.port, &pair, false), 0);
		assert_int_equal(fw_guard_line(&r, line, false), 0);
		expect(&r);
		fw_ruleset_done(&r);
	}
	run("delete table bridge vmlane\n");
	assert_int_equal(nft_guard_pair(nft, &(struct fw_guard_port){.ifname = "x"},
					&(struct fw_guard_pair){0}, true),
			 -ENOENT);
}

/* They overlap, and become others: the kernel takes them so. */
static void test_overlapping_addresses(void **state)
{
	static const char *const texts[][3] = {
		{"10.8.0.0/16", "10.8.1.0/24", "10.8.1.7"},
		{"10.8.1.0/24", "10.8.1.0/24", "10.8.2.7"},
		{"fd00:8::/32", "fd00:8:1::/48", "fd00:8::/32"},
		{"fd00:8:1::/48", "fd00:8:1::7", "fd00:8:2::/48"},
		{"0.0.0.0/1", "128.0.0.0/1", "::/1"},
	};
	static const size_t left[] = {1, 2, 1, 2, 3};
	struct fw_ruleset before, r;
	struct fixture f;

	(void)state;
	fixture_init(&f, "vl-web1", GUARDS_ALL);
	f.port.subnet.len = 0;
	f.port.n_prefixes = 0;
	assert_int_equal(fw_guard_build(&f.port, 1, &before), 0);
	put_full(&before);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct buf text = BUF_INIT(TEXT_MAX);
		size_t n = before.n_elements;

		f.port.n_prefixes = 3;
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(guest_prefix_parse(texts[i][k], &f.prefixes[k]), 0);
		assert_int_equal(fw_guard_build(&f.port, 1, &r), 0);
		assert_int_equal(r.n_elements, i ? n - left[i - 1] + left[i] : n + left[i]);
		assert_true(fw_ruleset_delta(&before, &r, &text) > 0);
		run(buf_str(&text));
		expect(&r);
		fw_ruleset_done(&before);
		before = r;
		buf_done(&text);
	}
	fw_ruleset_done(&before);
}

static void count(const char *ifname, enum guard g, uint64_t packets, void *ctx)
{
	assert_string_equal(ifname, "vl-web1");
	assert_int_equal(g, GUARD_RA);
	*(uint64_t *)ctx += packets;
}

static void test_drops(void **state)
{
	uint64_t packets = 0;
	struct fw_ruleset r;
	struct fixture f;
	struct err e = {0};

	(void)state;
	assert_int_equal(nft_guard_drops(nft, count, &packets, &e), 0);
	fixture_init(&f, "vl-web1", GUARDS_ALL);
	assert_int_equal(fw_guard_build(&f.port, 1, &r), 0);
	put_full(&r);
	run("add element bridge vmlane dropped_ra { \"vl-web1\" counter packets 5 bytes 300 }\n");
	expect(&r); /* they are no difference */
	assert_int_equal(nft_guard_drops(nft, count, &packets, &e), 0);
	assert_int_equal(packets, 5);
	assert_int_equal(nft_guard_forget(nft, "vl-web1"), 1);
	assert_int_equal(nft_guard_drops(nft, count, &packets, &e), 0);
	assert_int_equal(packets, 5);
	fw_ruleset_done(&r);
	run("delete table bridge vmlane\n");
}

static void test_refused(void **state)
{
	struct fw_ruleset r;

	(void)state;
	assert_int_equal(fw_guard_build(&(struct fw_guard_port){.ifname = "eth*"}, 1, &r), -EINVAL);
	assert_int_equal(fw_guard_build(NULL, 0, &r), 0);
	assert_int_equal(r.n_elements, 0);
	fw_ruleset_done(&r);
}

static int setup(void **state)
{
	(void)state;
	return nft_new(&nft);
}

static int teardown(void **state)
{
	(void)state;
	nft_free(nft);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_every_choice_loads),
		cmocka_unit_test(test_one_port),
		cmocka_unit_test(test_one_address),
		cmocka_unit_test(test_overlapping_addresses),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_refused),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, setup, teardown);
}
