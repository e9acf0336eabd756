/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of port_facts.c and bpf/guard_judge.h: which guard drops which frame, and that what passes at a
 * glance passes when it is looked at. tests/netns/test_guard.py sends such frames through the program itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/port_facts.h"

#define CASE(f) cmocka_unit_test(f)
#define FRAME_MAX 2048
#define ALL GUARDS_ALL

static const struct mac own = {{0x52, 0x54, 0, 1, 2, 3}},
			inner = {{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}};
static const struct mac stranger = {{2, 0, 0, 0, 0, 0x77}}, bridge = {{0x52, 0x54, 0, 9, 9, 9}};

/* ---- frames ---- */

/* struct frame - bytes that are added one after the other */
struct frame {
	uint8_t b[FRAME_MAX];
	size_t len;
};

static void put(struct frame *f, const void *b, size_t n)
{
	assert_true(f->len + n <= sizeof(f->b));
	memcpy(f->b + f->len, b, n);
	f->len += n;
}

static void put8(struct frame *f, unsigned int v)
{
	uint8_t b = (uint8_t)v;

	put(f, &b, 1);
}

static void put16(struct frame *f, unsigned int v)
{
	put8(f, v >> 8);
	put8(f, v & 0xff);
}

static void put_zeros(struct frame *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put8(f, 0);
}

static struct frame ether(const struct mac *src, unsigned int type)
{
	struct frame f = {.len = 0};

	put(&f, "\xff\xff\xff\xff\xff\xff", 6);
	put(&f, src->b, 6);
	put16(&f, type);
	return f;
}

static void put_ip4_addr(struct frame *f, const char *text)
{
	struct in_addr a;

	assert_int_equal(ip4_parse(text, &a), 0);
	put(f, &a, 4);
}

static void put_ip6_addr(struct frame *f, const char *text)
{
	struct in6_addr a;

	assert_int_equal(ip6_parse(text, &a), 0);
	put(f, &a, 16);
}

/* IPv4 with @options words of them, of a fragment at @offset (in 8 bytes). */
static void put_ip4(struct frame *f, const char *src, unsigned int l4, unsigned int options,
		    unsigned int offset)
{
	put8(f, 0x45 + options);
	put8(f, 0);
	put16(f, 40);
	put16(f, 0);
	put16(f, offset);
	put8(f, 64);
	put8(f, l4);
	put16(f, 0);
	put_ip4_addr(f, src);
	put_ip4_addr(f, "10.7.0.9");
	put_zeros(f, 4 * options);
}

static void put_udp(struct frame *f, unsigned int sport, unsigned int dport)
{
	put16(f, sport);
	put16(f, dport);
	put16(f, 20);
	put_zeros(f, 14);
}

static struct frame udp4(const struct mac *mac, const char *src, unsigned int sport,
			 unsigned int dport)
{
	struct frame f = ether(mac, 0x0800);

	put_ip4(&f, src, 17, 0, 0);
	put_udp(&f, sport, dport);
	return f;
}

static struct frame arp(const struct mac *sender, const struct mac *sha, const char *spa)
{
	struct frame f = ether(sender, 0x0806);

	put(&f, "\0\1\x08\0\6\4\0\2", 8);
	put(&f, sha->b, 6);
	put_ip4_addr(&f, spa);
	put_zeros(&f, 10);
	return f;
}

static void put_ip6(struct frame *f, const char *src, unsigned int next)
{
	put(f, "\x60\0\0\0\0\x40", 6);
	put8(f, next);
	put8(f, 255);
	put_ip6_addr(f, src);
	put_ip6_addr(f, "ff02::1");
}

static struct frame ip6(const struct mac *mac, const char *src, unsigned int next)
{
	struct frame f = ether(mac, 0x86dd);

	put_ip6(&f, src, next);
	return f;
}

/* An extension header of 8 bytes. */
static void put_extension(struct frame *f, unsigned int next)
{
	put8(f, next);
	put_zeros(f, 7);
}

/* A neighbour's message of @type about @target, with an option of @kind that tells of @mac (NULL: none). */
static void put_nd(struct frame *f, unsigned int type, const char *target, unsigned int kind,
		   const struct mac *mac)
{
	put8(f, type);
	put_zeros(f, 7);
	if (target)
		put_ip6_addr(f, target);
	if (!mac)
		return;
	put8(f, kind);
	put8(f, 1);
	put(f, mac->b, 6);
}

/* ---- a port ---- */

static void add_prefix(struct port_facts *f, const char *text)
{
	struct guest_prefix p;

	assert_int_equal(guest_prefix_parse(text, &p), 0);
	assert_int_equal(port_facts_prefix(f, &p), 0);
}

static struct in_addr addr4(const char *text)
{
	struct in_addr a;

	assert_int_equal(ip4_parse(text, &a), 0);
	return a;
}

/* 10.7.0.5 is its own's, 10.7.0.6 the inner one's; others may be anybody's. */
static struct port_facts port(unsigned int guards)
{
	struct in6_addr local = ip6_linklocal(&bridge), router, net;
	struct port_facts f;

	memset(&f, 0, sizeof(f));
	f.guards = (uint16_t)guards;
	f.known4 = f.known6 = 1;
	f.gateway = addr4("10.7.0.1").s_addr;
	assert_int_equal(port_facts_mac(&f, &own), 0);
	assert_int_equal(port_facts_mac(&f, &inner), 0);
	assert_int_equal(port_facts_pair(&f, &inner, addr4("10.7.0.6")), 0);
	assert_int_equal(port_facts_pair(&f, &own, addr4("10.7.0.5")), 0);
	assert_int_equal(ip6_parse("fd00:a::1", &router), 0);
	assert_int_equal(ip6_parse("fd00:a::", &net), 0);
	assert_int_equal(port_facts_router6(&f, &local), 0);
	assert_int_equal(port_facts_router6(&f, &router), 0);
	f.has_net6 = 1;
	memcpy(f.net6, &net, sizeof(f.net6));
	add_prefix(&f, "10.8.0.0/24");
	add_prefix(&f, "10.7.0.0/29");
	add_prefix(&f, "fd00:8::/61");
	add_prefix(&f, "fd00:a::7");
	return f;
}

static const char *name_of(enum guard g)
{
	return g == GUARD_COUNT ? "pass" : guard_name(g);
}

/* What is said of it is the same, and at a glance never more than that. */
static void expect(const struct port_facts *p, const struct frame *f, enum guard want, int line)
{
	struct port_window w;
	struct port_fast fast;
	enum guard got;

	port_window_fill(f->b, f->len, &w);
	got = port_judge(p, &w);
	if (got != want)
		fail_msg("line %d: %s, not %s", line, name_of(got), name_of(want));
	port_facts_fast(p, 7, &fast);
	if (port_judge_fast(&fast, &w) && got != GUARD_COUNT)
		fail_msg("line %d: passes at a glance, but guard %s drops it", line, name_of(got));
}

#define EXPECT(on, bytes, want)                                                                    \
	do {                                                                                       \
		struct port_facts facts_ = port(on);                                               \
		struct frame frame_ = (bytes);                                                     \
		expect(&facts_, &frame_, want, __LINE__);                                          \
	} while (0)
#define PASS GUARD_COUNT
#define WITHOUT(g) (ALL & ~(1u << (g)))

/* ---- guards ---- */

static void macs_and_addresses(void **state)
{
	EXPECT(ALL, udp4(&own, "10.7.0.5", 9, 9), PASS);
	EXPECT(ALL, udp4(&inner, "10.7.0.6", 9, 9), PASS);
	EXPECT(ALL, udp4(&stranger, "10.7.0.5", 9, 9), GUARD_MAC);
	EXPECT(WITHOUT(GUARD_MAC), udp4(&stranger, "10.7.0.5", 9, 9), PASS);
	/* 10.7.0.6 is in a prefix too; this one is not: each MAC has its own. */
	EXPECT(ALL, udp4(&own, "10.7.0.9", 9, 9), GUARD_IP);
	EXPECT(ALL, udp4(&own, "10.7.0.1", 9, 9), GUARD_IP);
	EXPECT(ALL, udp4(&own, "10.8.0.77", 9, 9), PASS);
	EXPECT(ALL, udp4(&own, "10.8.1.77", 9, 9), GUARD_IP);
	EXPECT(WITHOUT(GUARD_IP), udp4(&own, "8.8.8.8", 9, 9), PASS);
	EXPECT(0, udp4(&stranger, "8.8.8.8", 67, 68), PASS);
	(void)state;
}

static void pairs_are_of_their_macs(void **state)
{
	struct port_facts f = port(ALL);
	struct frame mine = udp4(&own, "10.9.0.5", 9, 9), other = udp4(&inner, "10.9.0.5", 9, 9);

	assert_int_equal(port_facts_pair(&f, &inner, addr4("10.9.0.5")), 0);
	expect(&f, &other, PASS, __LINE__);
	expect(&f, &mine, GUARD_IP, __LINE__);
	assert_true(port_facts_unpair(&f, &inner, addr4("10.9.0.5")));
	assert_false(port_facts_unpair(&f, &inner, addr4("10.9.0.5")));
	expect(&f, &other, GUARD_IP, __LINE__);
	(void)state;
}

static struct frame igmp(const char *src)
{
	struct frame f = ether(&own, 0x0800);

	put_ip4(&f, src, 2, 1, 0);
	put_zeros(&f, 8);
	return f;
}

static struct frame with_options(unsigned int sport)
{
	struct frame f = ether(&own, 0x0800);

	put_ip4(&f, "10.7.0.5", 17, 3, 0);
	put_udp(&f, sport, 68);
	return f;
}

static struct frame later_fragment(const char *src)
{
	struct frame f = ether(&own, 0x0800);

	put_ip4(&f, src, 17, 0, 100);
	put_udp(&f, 67, 68);
	return f;
}

static void without_an_address(void **state)
{
	EXPECT(ALL, udp4(&own, "0.0.0.0", 68, 67), PASS);
	EXPECT(ALL, udp4(&own, "0.0.0.0", 68, 68), GUARD_IP);
	EXPECT(ALL, udp4(&own, "0.0.0.0", 9, 9), GUARD_IP);
	EXPECT(ALL, igmp("0.0.0.0"), PASS);
	EXPECT(ALL, igmp("10.7.0.9"), GUARD_IP);
	(void)state;
}

static void servers(void **state)
{
	EXPECT(ALL, udp4(&own, "10.7.0.5", 67, 68), GUARD_DHCP);
	EXPECT(WITHOUT(GUARD_DHCP), udp4(&own, "10.7.0.5", 67, 68), PASS);
	EXPECT(ALL, with_options(67), GUARD_DHCP);
	EXPECT(ALL, with_options(68), PASS);
	/* Those bytes are no ports. */
	EXPECT(ALL, later_fragment("10.7.0.5"), PASS);
	EXPECT(ALL, later_fragment("10.7.0.9"), GUARD_IP);
	(void)state;
}

static struct frame odd_arp(const char *head)
{
	struct frame f = arp(&own, &own, "10.7.0.5");

	memcpy(f.b + 14, head, 6);
	return f;
}

static void arps(void **state)
{
	struct frame cut = arp(&own, &own, "10.7.0.5");

	EXPECT(ALL, arp(&own, &own, "10.7.0.5"), PASS);
	EXPECT(ALL, arp(&own, &own, "0.0.0.0"), PASS);
	EXPECT(ALL, arp(&own, &own, "10.7.0.1"), GUARD_ARP);
	EXPECT(ALL, arp(&own, &own, "10.7.0.9"), GUARD_ARP);
	EXPECT(ALL, arp(&own, &own, "10.8.0.9"), PASS);
	EXPECT(ALL, arp(&own, &stranger, "10.7.0.5"), GUARD_ARP);
	EXPECT(ALL, arp(&own, &stranger, "0.0.0.0"), GUARD_ARP);
	EXPECT(WITHOUT(GUARD_MAC), arp(&own, &stranger, "10.7.0.5"), PASS);
	EXPECT(WITHOUT(GUARD_ARP), arp(&own, &stranger, "10.7.0.1"), PASS);
	EXPECT(ALL, odd_arp("\0\1\x08\0\x08\4"), GUARD_ARP);
	EXPECT(ALL, odd_arp("\0\6\x08\0\6\4"), GUARD_ARP);
	cut.len -= 11;
	EXPECT(ALL, cut, GUARD_ARP);
	(void)state;
}

static struct frame udp6(const char *src, unsigned int sport)
{
	struct frame f = ip6(&own, src, 17);

	put_udp(&f, sport, 9);
	return f;
}

static void ip6_addresses(void **state)
{
	EXPECT(ALL, udp6("fe80::1:2", 9), PASS);
	EXPECT(ALL, udp6("fd00:a::dead:beef", 9), PASS);
	EXPECT(ALL, udp6("fd00:a::5054:ff:fe01:203", 9), PASS);
	EXPECT(ALL, udp6("fe80::5054:ff:fe01:203", 9), PASS);
	EXPECT(ALL, udp6("fe80::5054:ff:feaa:bbcc", 9), PASS);
	EXPECT(ALL, udp6("fd00:a::5054:ff:fe01:204", 9), GUARD_IP);
	EXPECT(WITHOUT(GUARD_MAC), udp6("fd00:a::5054:ff:fe01:204", 9), PASS);
	EXPECT(ALL, udp6("fe80::5054:ff:fe09:909", 9), GUARD_IP);
	EXPECT(WITHOUT(GUARD_MAC), udp6("fe80::5054:ff:fe09:909", 9), GUARD_IP);
	EXPECT(ALL, udp6("fd00:a::1", 9), GUARD_IP);
	EXPECT(ALL, udp6("fd00:a::7", 9), PASS);
	EXPECT(ALL, udp6("fd00:8:0:7::9", 9), PASS);
	EXPECT(ALL, udp6("fd00:8:0:8::9", 9), GUARD_IP);
	EXPECT(ALL, udp6("2001:db8::1", 9), GUARD_IP);
	EXPECT(ALL, udp6("fe80:0:0:1::1", 9), GUARD_IP);
	EXPECT(ALL, udp6("::", 9), GUARD_IP);
	EXPECT(WITHOUT(GUARD_IP), udp6("2001:db8::1", 9), PASS);
	EXPECT(ALL, udp6("fe80::1:2", 547), GUARD_DHCP);
	(void)state;
}

static struct frame nd(const char *src, unsigned int type, const char *target, unsigned int kind,
		       const struct mac *mac)
{
	struct frame f = ip6(&own, src, 58);

	put_nd(&f, type, target, kind, mac);
	return f;
}

static void neighbours(void **state)
{
	static const char me[] = "fe80::5054:ff:fe01:203";

	EXPECT(ALL, nd(me, 136, me, 2, &own), PASS);
	EXPECT(ALL, nd(me, 136, "fd00:a::1", 2, &own), GUARD_ND);
	EXPECT(ALL, nd(me, 136, "2001:db8::1", 2, &own), GUARD_ND);
	EXPECT(ALL, nd(me, 136, me, 2, &stranger), GUARD_ND);
	EXPECT(WITHOUT(GUARD_MAC), nd(me, 136, me, 2, &stranger), PASS);
	EXPECT(ALL, nd(me, 135, "2001:db8::1", 1, &own), PASS);
	EXPECT(ALL, nd(me, 135, "2001:db8::1", 1, &stranger), GUARD_ND);
	EXPECT(ALL, nd("::", 135, "fd00:a::55", 0, NULL), PASS);
	EXPECT(ALL, nd("::", 135, "fd00:a::1", 0, NULL), GUARD_ND);
	EXPECT(ALL, nd(me, 133, NULL, 1, &own), PASS);
	EXPECT(ALL, nd(me, 133, NULL, 1, &stranger), GUARD_ND);
	EXPECT(ALL, nd("::", 133, NULL, 0, NULL), PASS);
	EXPECT(ALL, nd("::", 136, me, 2, &own), GUARD_IP);
	EXPECT(WITHOUT(GUARD_ND), nd(me, 136, "fd00:a::1", 2, &stranger), PASS);
	EXPECT(ALL, nd(me, 134, NULL, 0, NULL), GUARD_RA);
	EXPECT(ALL, nd(me, 137, NULL, 0, NULL), GUARD_RA);
	EXPECT(WITHOUT(GUARD_RA), nd(me, 134, NULL, 0, NULL), PASS);
	EXPECT(ALL, nd(me, 128, NULL, 0, NULL), PASS);
	(void)state;
}

/* @nonces options before the one that tells of @mac. */
static struct frame many_options(unsigned int nonces, const struct mac *mac)
{
	struct frame f = ip6(&own, "fe80::1:2", 58);

	put_nd(&f, 136, "fe80::1:2", 0, NULL);
	for (unsigned int i = 0; i < nonces; i++)
		put(&f, "\x0e\1abcdef", 8);
	put(&f, "\2\1", 2);
	put(&f, mac->b, 6);
	return f;
}

static void options_are_walked(void **state)
{
	struct frame endless = many_options(0, &own);

	EXPECT(ALL, many_options(1, &own), PASS);
	EXPECT(ALL, many_options(1, &stranger), GUARD_ND);
	EXPECT(ALL, many_options(14, &stranger), GUARD_ND);
	EXPECT(ALL, many_options(14, &own), PASS);
	/* More than are looked at. */
	EXPECT(ALL, many_options(16, &own), GUARD_ND);
	/* An option without length is no option (RFC 4861 4.6). */
	endless.b[endless.len - 7] = 0;
	EXPECT(ALL, endless, GUARD_ND);
	(void)state;
}

/* @n destination options in front of a router's advertisement. */
static struct frame behind_headers(unsigned int n, unsigned int last)
{
	struct frame f = ip6(&own, "fe80::1:2", n ? 60 : last);

	for (unsigned int i = 0; i < n; i++)
		put_extension(&f, i + 1 < n ? 60 : last);
	if (last == 58)
		put_nd(&f, 134, NULL, 0, NULL);
	else
		put_udp(&f, 547, 546);
	return f;
}

static struct frame fragment6(unsigned int offset, bool more)
{
	struct frame f = ip6(&own, "fe80::1:2", 44);

	put8(&f, 58);
	put8(&f, 0);
	put16(&f, offset << 3 | more);
	put_zeros(&f, 4);
	put_nd(&f, 134, NULL, 0, NULL);
	return f;
}

/* One of @len bytes in front of it: where the window ends, or behind that. */
static struct frame behind_long_header(unsigned int len, unsigned int last, unsigned int type,
				       unsigned int sport)
{
	struct frame f = ip6(&own, "fe80::1:2", 60);

	put8(&f, last);
	put8(&f, len / 8 - 1);
	put_zeros(&f, len - 2);
	if (last == 58)
		put_nd(&f, type, "fd00:a::1", 2, &own);
	else
		put_udp(&f, sport, 546);
	return f;
}

/* A first fragment that ends where its message begins. */
static struct frame bare_fragment(unsigned int next)
{
	struct frame f = ip6(&own, "fe80::1:2", 44);

	put8(&f, next);
	put8(&f, 0);
	put16(&f, 1);
	put_zeros(&f, 4);
	return f;
}

static void long_headers(void **state)
{
	for (unsigned int len = 936; len <= 1000; len += 8) {
		EXPECT(ALL, behind_long_header(len, 58, 134, 0), GUARD_RA);
		EXPECT(ALL, behind_long_header(len, 17, 0, 547),
		       54 + len + 8 > PORT_WINDOW ? GUARD_RA : GUARD_DHCP);
		EXPECT(WITHOUT(GUARD_RA) & WITHOUT(GUARD_DHCP), behind_long_header(len, 58, 136, 0),
		       GUARD_ND);
		EXPECT(WITHOUT(GUARD_RA) & WITHOUT(GUARD_DHCP) & WITHOUT(GUARD_MAC),
		       behind_long_header(len, 58, 136, 0), GUARD_ND);
		EXPECT(ALL, behind_long_header(len, 6, 0, 547), PASS);
	}
	EXPECT(ALL, bare_fragment(58), GUARD_RA);
	EXPECT(WITHOUT(GUARD_RA), bare_fragment(17), GUARD_DHCP);
	EXPECT(ALL, bare_fragment(6), PASS);
	(void)state;
}

static void extension_headers(void **state)
{
	EXPECT(ALL, behind_headers(1, 58), GUARD_RA);
	EXPECT(ALL, behind_headers(8, 58), GUARD_RA);
	EXPECT(ALL, behind_headers(8, 17), GUARD_DHCP);
	EXPECT(WITHOUT(GUARD_RA), behind_headers(1, 58), PASS);
	/* Behind more than are looked at there may be anything. */
	EXPECT(ALL, behind_headers(9, 17), GUARD_RA);
	EXPECT(WITHOUT(GUARD_RA), behind_headers(9, 58), GUARD_DHCP);
	EXPECT(WITHOUT(GUARD_RA) & WITHOUT(GUARD_DHCP), behind_headers(9, 58), GUARD_ND);
	EXPECT(ALL, fragment6(0, false), GUARD_RA);
	EXPECT(ALL, fragment6(0, true), GUARD_RA);
	EXPECT(ALL, fragment6(10, false), PASS);
	(void)state;
}

static struct frame tagged(unsigned int type, unsigned int tci, const char *src)
{
	struct frame f = ether(&own, type);

	put16(&f, tci);
	put16(&f, 0x0800);
	put_ip4(&f, src, 6, 0, 0);
	put_zeros(&f, 20);
	return f;
}

static struct frame tagged_twice(const char *src)
{
	struct frame f = ether(&own, 0x88a8);

	put16(&f, 7);
	put16(&f, 0x8100);
	put16(&f, 8);
	put16(&f, 0x0800);
	put_ip4(&f, src, 6, 0, 0);
	put_zeros(&f, 20);
	return f;
}

static struct frame to_switches(unsigned int last)
{
	struct frame f = udp4(&own, "10.7.0.5", 9, 9);

	memcpy(f.b, "\x01\x80\xc2\0\0", 5);
	f.b[5] = (uint8_t)last;
	return f;
}

static void frames(void **state)
{
	struct frame runt = ether(&own, 0x0800);

	EXPECT(ALL, ether(&own, 0x88b5), GUARD_ETHERTYPE);
	EXPECT(ALL, ether(&own, 38), GUARD_ETHERTYPE);
	EXPECT(WITHOUT(GUARD_ETHERTYPE), ether(&own, 0x88b5), PASS);
	EXPECT(ALL, tagged(0x8100, 0xa000, "10.7.0.5"), PASS);
	EXPECT(ALL, tagged(0x8100, 0xa000, "10.7.0.9"), GUARD_IP);
	EXPECT(ALL, tagged(0x8100, 7, "10.7.0.5"), GUARD_ETHERTYPE);
	EXPECT(ALL, tagged(0x88a8, 0, "10.7.0.5"), GUARD_ETHERTYPE);
	EXPECT(WITHOUT(GUARD_ETHERTYPE), tagged(0x8100, 7, "10.7.0.9"), GUARD_IP);
	EXPECT(WITHOUT(GUARD_ETHERTYPE), tagged_twice("10.7.0.9"), GUARD_IP);
	EXPECT(WITHOUT(GUARD_ETHERTYPE), tagged_twice("10.7.0.5"), PASS);
	EXPECT(ALL, to_switches(0), GUARD_BPDU);
	EXPECT(ALL, to_switches(15), GUARD_BPDU);
	EXPECT(ALL, to_switches(16), PASS);
	EXPECT(WITHOUT(GUARD_BPDU), to_switches(0), PASS);
	/* Without all of its header it has no source. */
	EXPECT(ALL, runt, GUARD_IP);
	runt.len = 13;
	EXPECT(ALL, runt, GUARD_ETHERTYPE);
	(void)state;
}

/* ---- facts ---- */

static void what_is_not_known_is_not_checked(void **state)
{
	struct port_facts f = port(ALL);
	struct frame four = udp4(&own, "8.8.8.8", 9, 9), six = udp6("2001:db8::1", 9);
	struct frame told = arp(&own, &own, "8.8.8.8");

	f.known4 = f.known6 = 0;
	expect(&f, &four, PASS, __LINE__);
	expect(&f, &six, PASS, __LINE__);
	expect(&f, &told, PASS, __LINE__);
	(void)state;
}

static void equal_facts_are_equal_bytes(void **state)
{
	struct port_facts a = port(ALL), b = port(ALL);

	assert_int_equal(port_facts_pair(&a, &own, addr4("10.9.0.7")), 0);
	assert_int_equal(port_facts_pair(&a, &own, addr4("10.9.0.3")), 0);
	assert_int_equal(port_facts_pair(&b, &own, addr4("10.9.0.3")), 0);
	assert_int_equal(port_facts_pair(&b, &own, addr4("10.9.0.7")), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(port_facts_pair(&b, &own, addr4("10.9.0.7")), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(port_facts_unpair(&a, &own, addr4("10.9.0.3")));
	assert_int_equal(port_facts_pair(&a, &own, addr4("10.9.0.3")), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	(void)state;
}

static void limits(void **state)
{
	struct guest_prefix p = {.ip4 = {{0}, 32}};
	struct port_facts f;
	struct mac m = own;

	memset(&f, 0, sizeof(f));
	assert_int_equal(port_facts_pair(&f, &own, addr4("10.7.0.5")), -ENOENT);
	for (int i = 0; i < PORT_MACS_MAX; i++) {
		m.b[5] = (uint8_t)i;
		assert_int_equal(port_facts_mac(&f, &m), 0);
		assert_int_equal(port_facts_mac(&f, &m), 0);
	}
	m.b[5] = 200;
	assert_int_equal(port_facts_mac(&f, &m), -E2BIG);
	m.b[5] = 0;
	for (int i = 0; i < PORT_PAIRS_MAX; i++)
		assert_int_equal(port_facts_pair(&f, &m, ip4_from_host((uint32_t)i)), 0);
	assert_int_equal(port_facts_pair(&f, &m, ip4_from_host(1000)), -E2BIG);
	for (int i = 0; i < PORT_PREFIXES_MAX; i++) {
		p.ip4.addr = ip4_from_host((uint32_t)i);
		assert_int_equal(port_facts_prefix(&f, &p), 0);
		assert_int_equal(port_facts_prefix(&f, &p), 0);
	}
	p.ip4.addr = ip4_from_host(1000);
	assert_int_equal(port_facts_prefix(&f, &p), -E2BIG);
	assert_int_equal(port_facts_router6(&f, &in6addr_any), 0);
	assert_int_equal(port_facts_router6(&f, &in6addr_any), 0);
	assert_int_equal(port_facts_router6(&f, &in6addr_any), -E2BIG);
	(void)state;
}

/* What most packets are is known at a glance. */
static void at_a_glance(void **state)
{
	struct port_facts f = port(ALL);
	struct frame good[] = {udp4(&own, "10.7.0.5", 9, 9), udp6("fd00:a::55", 9),
			       udp6("fd00:a::5054:ff:fe01:203", 9)};
	struct frame ack = ether(&own, 0x0800);
	struct port_window w;
	struct port_fast fast;

	port_facts_fast(&f, 7, &fast);
	assert_int_equal(fast.ifindex, 7);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		port_window_fill(good[i].b, good[i].len, &w);
		assert_true(port_judge_fast(&fast, &w));
	}
	put_ip4(&ack, "10.7.0.5", 6, 0, 0);
	put_zeros(&ack, 20);
	port_window_fill(ack.b, ack.len, &w);
	assert_true(port_judge_fast(&fast, &w));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(macs_and_addresses),
		CASE(pairs_are_of_their_macs),
		CASE(without_an_address),
		CASE(servers),
		CASE(arps),
		CASE(ip6_addresses),
		CASE(neighbours),
		CASE(options_are_walked),
		CASE(extension_headers),
		CASE(long_headers),
		CASE(frames),
		CASE(what_is_not_known_is_not_checked),
		CASE(equal_facts_are_equal_bytes),
		CASE(limits),
		CASE(at_a_glance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
