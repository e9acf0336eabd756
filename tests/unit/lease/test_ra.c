/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/lease/ra.c: what is advertised, to whom and when, by a clock that the test turns.
 * Section numbers are RFC 4861's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/macro.h"
#include "lease/ra.h"

#define S UINT64_C(1000000) /* a second */
#define START (1000 * S)

static const struct mac guest = {{0x52, 0x54, 0, 1, 0, 1}};

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;

	assert_int_equal(ip6_parse(text, &a), 0);
	return a;
}

static struct ip6_prefix prefix(const char *text)
{
	struct ip6_prefix p;

	assert_int_equal(ip6_prefix_parse(text, &p), 0);
	return p;
}

static struct ra_config config(void)
{
	struct ra_config c = {.source = addr("fe80::1"),
			      .prefix = prefix("fd00:1::/64"),
			      .mtu = 1400,
			      .router = true,
			      .n_dns = 1,
			      .domain = "default.vm"};

	c.dns[0] = addr("fd00:1::1");
	return c;
}

static struct ra_state started(const struct ra_config *c)
{
	struct ra_state s;

	ra_init(&s, c, START);
	return s;
}

/* The next multicast one, at the moment when it is due and not a microsecond before. */
static uint64_t next(struct ra_state *s, uint32_t random, struct ra_send *ret)
{
	uint64_t at = ra_next_us(s);

	assert_false(ra_due(s, at - 1, random, ret));
	assert_true(ra_due(s, at, random, ret));
	assert_false(ra_due(s, at, random, ret));
	return at;
}

static void assert_multicast(const struct ra_send *send)
{
	static const struct mac group = {{0x33, 0x33, 0, 0, 0, 1}};
	struct in6_addr all = addr("ff02::1");

	assert_true(ip6_equal(&send->dst, &all));
	assert_true(mac_equal(&send->eth_dst, &group));
}

static void assert_prefix(const struct nd_prefix *p, const char *text, uint32_t valid_s,
			  uint32_t preferred_s)
{
	char is[IP6_PREFIX_STRLEN];

	assert_string_equal(ip6_prefix_format(&p->prefix, is), text);
	assert_int_equal(p->valid_s, valid_s);
	assert_int_equal(p->preferred_s, preferred_s);
	assert_true(p->on_link);
}

/* 6.2.3 */
static void test_contents(void **state)
{
	struct in6_addr dns = addr("fd00:1::1");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	next(&s, 0, &send);
	assert_multicast(&send);
	assert_int_equal(send.ra.hop_limit, 64);
	assert_int_equal(send.ra.router_s, RA_ROUTER_S);
	assert_int_equal(send.ra.mtu, 1400);
	assert_int_equal(send.ra.n_prefixes, 1);
	assert_prefix(&send.ra.prefixes[0], "fd00:1::/64", RA_VALID_S, RA_PREFERRED_S);
	assert_true(send.ra.prefixes[0].autonomous);
	assert_int_equal(send.ra.n_dns, 1);
	assert_true(ip6_equal(&send.ra.dns[0], &dns));
	assert_int_equal(send.ra.dns_s, RA_ROUTER_S);
	assert_string_equal(send.ra.domain, "default.vm");
	assert_int_equal(send.ra.n_old_dns, 0);
	assert_string_equal(send.ra.old_domain, "");
}

static void test_contents_bare(void **state)
{
	struct ra_config c = {.source = addr("fe80::1")};
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	next(&s, 0, &send);
	assert_int_equal(send.ra.router_s, 0); /* no way out: no default router */
	assert_int_equal(send.ra.n_prefixes + send.ra.n_dns, 0);
	assert_int_equal(send.ra.mtu, 0);
	c.prefix = prefix("fd00:1::/72"); /* no addresses can be made of it */
	ra_configure(&s, &c, START + 60 * S);
	next(&s, 0, &send);
	assert_prefix(&send.ra.prefixes[0], "fd00:1::/72", RA_VALID_S, RA_PREFERRED_S);
	assert_false(send.ra.prefixes[0].autonomous);
}

/* 6.2.4: three quick ones, then at random between the limits; whatever the dice say. */
static void test_rhythm(void **state)
{
	static const uint32_t dice[] = {0, 1, UINT32_MAX / 2, UINT32_MAX - 1, UINT32_MAX};
	struct ra_config c = config();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dice); i++) {
		struct ra_state s = started(&c);
		uint64_t first, second, third, fourth, fifth;
		struct ra_send send;

		first = next(&s, dice[i], &send);
		second = next(&s, dice[i], &send);
		third = next(&s, dice[i], &send);
		fourth = next(&s, dice[i], &send);
		fifth = next(&s, dice[i], &send);
		assert_int_equal(first, START);
		assert_int_equal(second - first, RA_INITIAL_INTERVAL_S * S);
		assert_int_equal(third - second, RA_INITIAL_INTERVAL_S * S);
		assert_in_range(fourth - third, RA_MIN_INTERVAL_S * S, RA_MAX_INTERVAL_S * S);
		assert_int_equal(fifth - fourth, fourth - third);
	}
}

/* The dice do matter, over the whole span. */
static void test_random(void **state)
{
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;
	uint64_t at;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		at = next(&s, 0, &send);
	at = next(&s, UINT32_MAX, &send);
	assert_in_range(ra_next_us(&s) - at, (RA_MAX_INTERVAL_S - 1) * S, RA_MAX_INTERVAL_S * S);
	at = next(&s, 0, &send);
	assert_int_equal(ra_next_us(&s) - at, RA_MIN_INTERVAL_S * S);
	at = next(&s, UINT32_MAX / 2 + 1, &send);
	assert_int_equal(ra_next_us(&s) - at, (RA_MIN_INTERVAL_S + RA_MAX_INTERVAL_S) / 2 * S);
}

/* A timer that comes late (the host slept) sends one, not all that it missed. */
static void test_late_timer(void **state)
{
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		next(&s, 0, &send);
	assert_true(ra_due(&s, START + 100000 * S, 0, &send));
	assert_int_equal(ra_next_us(&s), START + (100000 + RA_MIN_INTERVAL_S) * S);
}

/* 6.2.6: at once, to who asked, and the rhythm stays as it was. */
static void test_solicited(void **state)
{
	struct in6_addr src = addr("fe80::5054:ff:fe01:1"), none = addr("::"),
			all = addr("ff02::1");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send, answer;
	uint64_t at;

	(void)state;
	next(&s, 0, &send);
	at = ra_next_us(&s);
	assert_int_equal(ra_solicited(&s, &guest, &src, START, &answer), RA_NOW);
	assert_true(ip6_equal(&answer.dst, &src));
	assert_true(mac_equal(&answer.eth_dst, &guest));
	assert_memory_equal(&answer.ra, &send.ra, sizeof(send.ra));
	assert_int_equal(ra_solicited(&s, &guest, &none, START, &answer), RA_NOW);
	assert_true(ip6_equal(&answer.dst, &all));
	assert_true(mac_equal(&answer.eth_dst, &guest)); /* RFC 6085 */
	assert_int_equal(ra_next_us(&s), at);
}

/* A flood of solicitations: so many answers in a second, and one for all the others. */
static void test_flood(void **state)
{
	struct in6_addr src = addr("fe80::2");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;
	unsigned int now = 0;
	uint64_t at;

	(void)state;
	at = next(&s, 0, &send);
	for (unsigned int i = 0; i < 3 * RA_ANSWERS_PER_S; i++)
		now += ra_solicited(&s, &guest, &src, at + i, &send) == RA_NOW;
	assert_int_equal(now, RA_ANSWERS_PER_S);
	/* 6.2.6: not sooner than MIN_DELAY_BETWEEN_RAS after the last */
	assert_int_equal(next(&s, 0, &send), at + RA_MIN_DELAY_S * S);
	assert_multicast(&send);
	assert_int_equal(ra_solicited(&s, &guest, &src, at + RA_MIN_DELAY_S * S, &send), RA_NOW);
	/* and at once when there was none for long */
	at = ra_next_us(&s) - S;
	for (unsigned int i = 0; i < RA_ANSWERS_PER_S; i++)
		assert_int_equal(ra_solicited(&s, &guest, &src, at, &send), RA_NOW);
	assert_int_equal(ra_solicited(&s, &guest, &src, at, &send), RA_LATER);
	assert_int_equal(next(&s, 0, &send), at);
}

/* No flood of anything makes multicast ones come closer than 3 s. */
static void test_min_delay(void **state)
{
	struct in6_addr src = addr("fe80::2");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	uint64_t last = 0;
	struct ra_send send;
	unsigned int sent = 0;

	(void)state;
	for (uint64_t now = START; now < START + 100 * S; now += S / 100) {
		c.mtu++;
		ra_configure(&s, &c, now);
		for (unsigned int i = 0; i < 20; i++)
			(void)ra_solicited(&s, &guest, &src, now, &send);
		if (!ra_due(&s, now, 0, &send))
			continue;
		if (sent++)
			assert_true(now - last >= RA_MIN_DELAY_S * S);
		last = now;
	}
	assert_in_range(sent, 33, 34);
}

/* 6.2.4: a change is told soon and three times; no change is no reason to speak. */
static void test_configure(void **state)
{
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;
	uint64_t at, before;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		at = next(&s, 0, &send);
	before = ra_next_us(&s);
	c.prefix = prefix("fd00:1::5/64"); /* the same in other words */
	ra_configure(&s, &c, at + 10 * S);
	assert_int_equal(ra_next_us(&s), before);
	c.router = false;
	ra_configure(&s, &c, at + S);
	assert_int_equal(next(&s, 0, &send), at + RA_MIN_DELAY_S * S);
	assert_int_equal(send.ra.router_s, 0);
	at = next(&s, 0, &send);
	assert_int_equal(ra_next_us(&s) - at, RA_INITIAL_INTERVAL_S * S);
	next(&s, 0, &send);
	/* nothing was said for longer than the least delay: it is told at once */
	c.router = true;
	at = ra_next_us(&s) - 50 * S;
	ra_configure(&s, &c, at);
	assert_int_equal(next(&s, 0, &send), at);
	assert_int_equal(send.ra.router_s, RA_ROUTER_S);
}

/* Each thing that is told makes a difference when it changes. */
static void test_any_change(void **state)
{
	struct ra_config changed[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changed); i++)
		changed[i] = config();
	changed[0].source = addr("fe80::2");
	changed[1].mtu = 1500;
	changed[2].dns[0] = addr("fd00:1::2");
	changed[3].n_dns = 0;
	strcpy(changed[4].domain, "other.vm");
	changed[5].prefix.len = 65;
	for (size_t i = 0; i < ARRAY_SIZE(changed); i++) {
		struct ra_config c = config();
		struct ra_state s = started(&c);
		struct ra_send send;

		for (size_t n = 0; n < 3; n++)
			next(&s, 0, &send);
		ra_configure(&s, &changed[i], START + 100 * S);
		assert_int_equal(ra_next_us(&s), START + 100 * S);
	}
}

/* A prefix that goes is told to be out of use for as long as hosts keep its addresses. */
static void test_old_prefix(void **state)
{
	struct in6_addr src = addr("fe80::2");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	next(&s, 0, &send);
	c.prefix = prefix("fd00:2::/64");
	ra_configure(&s, &c, START + 10 * S);
	next(&s, 0, &send);
	assert_int_equal(send.ra.n_prefixes, 2);
	assert_prefix(&send.ra.prefixes[0], "fd00:2::/64", RA_VALID_S, RA_PREFERRED_S);
	assert_prefix(&send.ra.prefixes[1], "fd00:1::/64", RA_OLD_VALID_S, 0);
	assert_true(send.ra.prefixes[1].autonomous);
	(void)ra_solicited(&s, &guest, &src, START + 1010 * S, &send);
	assert_prefix(&send.ra.prefixes[1], "fd00:1::/64", RA_OLD_VALID_S - 1000, 0);
	(void)ra_solicited(&s, &guest, &src, START + (10 + RA_OLD_VALID_S) * S, &send);
	assert_int_equal(send.ra.n_prefixes, 1);
	/* it comes back before it is forgotten: it is the prefix, and nothing else */
	c.prefix = prefix("fd00:1::/64");
	ra_configure(&s, &c, START + 2000 * S);
	(void)ra_solicited(&s, &guest, &src, START + 2000 * S, &send);
	assert_int_equal(send.ra.n_prefixes, 2);
	assert_prefix(&send.ra.prefixes[0], "fd00:1::/64", RA_VALID_S, RA_PREFERRED_S);
	assert_prefix(&send.ra.prefixes[1], "fd00:2::/64", RA_OLD_VALID_S, 0);
	/* no prefix at all any more */
	c.prefix.len = 0;
	ra_configure(&s, &c, START + 2000 * S);
	(void)ra_solicited(&s, &guest, &src, START + 2000 * S, &send);
	assert_int_equal(send.ra.n_prefixes, 2);
	assert_int_equal(send.ra.prefixes[0].preferred_s + send.ra.prefixes[1].preferred_s, 0);
}

/* Prefixes that change all the time: the latest are told, and there is always room. */
static void test_many_old(void **state)
{
	struct in6_addr src = addr("fe80::2");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	for (uint8_t i = 1; i <= 20; i++) {
		c.prefix.addr.s6_addr[7] = i;
		ra_configure(&s, &c, START);
	}
	(void)ra_solicited(&s, &guest, &src, START, &send);
	assert_int_equal(send.ra.n_prefixes, RA_OLD_MAX + 1);
	assert_prefix(&send.ra.prefixes[0], "fd00:1:0:14::/64", RA_VALID_S, RA_PREFERRED_S);
	assert_prefix(&send.ra.prefixes[RA_OLD_MAX], "fd00:1:0:13::/64", RA_OLD_VALID_S, 0);
}

/* RFC 8106 5.1: what is replaced is told with a lifetime of 0. */
static void test_old_dns(void **state)
{
	struct in6_addr src = addr("fe80::2"), one = addr("fd00:1::1"), two = addr("fd00:1::2");
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	c.dns[0] = two;
	strcpy(c.domain, "other.vm");
	ra_configure(&s, &c, START);
	(void)ra_solicited(&s, &guest, &src, START, &send);
	assert_int_equal(send.ra.n_old_dns, 1);
	assert_true(ip6_equal(&send.ra.old_dns[0], &one));
	assert_true(ip6_equal(&send.ra.dns[0], &two));
	assert_string_equal(send.ra.old_domain, "default.vm");
	assert_string_equal(send.ra.domain, "other.vm");
	/* both of them again: none is old */
	c.dns[1] = one;
	c.n_dns = 2;
	strcpy(c.domain, "default.vm");
	ra_configure(&s, &c, START);
	(void)ra_solicited(&s, &guest, &src, START, &send);
	assert_int_equal(send.ra.n_old_dns, 0);
	assert_string_equal(send.ra.old_domain, "other.vm");
	/* more than there is room for: those that went last */
	for (uint8_t i = 3; i < 20; i++) {
		c.n_dns = 1;
		c.dns[0].s6_addr[15] = i;
		ra_configure(&s, &c, START);
	}
	(void)ra_solicited(&s, &guest, &src, START, &send);
	assert_int_equal(send.ra.n_old_dns, RA_DNS_MAX);
	assert_int_equal(send.ra.old_dns[0].s6_addr[15], 18);
	assert_int_equal(send.ra.old_dns[RA_DNS_MAX - 1].s6_addr[15], 19 - RA_DNS_MAX);
}

/* 6.2.5 */
static void test_last(void **state)
{
	struct ra_config c = config();
	struct ra_state s = started(&c);
	struct ra_send send;

	(void)state;
	ra_last(&s, START, &send);
	assert_multicast(&send);
	assert_int_equal(send.ra.router_s, 0);
	assert_int_equal(send.ra.dns_s, 0);
	assert_int_equal(send.ra.n_dns, 1);
	assert_prefix(&send.ra.prefixes[0], "fd00:1::/64", RA_OLD_VALID_S, 0);
	c.prefix.len = 0;
	ra_configure(&s, &c, START + 1000 * S);
	ra_last(&s, START + 2000 * S, &send);
	assert_int_equal(send.ra.n_prefixes, 1);
	assert_prefix(&send.ra.prefixes[0], "fd00:1::/64", RA_OLD_VALID_S - 1000, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),   cmocka_unit_test(test_contents_bare),
		cmocka_unit_test(test_rhythm),	   cmocka_unit_test(test_random),
		cmocka_unit_test(test_late_timer), cmocka_unit_test(test_solicited),
		cmocka_unit_test(test_flood),	   cmocka_unit_test(test_min_delay),
		cmocka_unit_test(test_configure),  cmocka_unit_test(test_any_change),
		cmocka_unit_test(test_old_prefix), cmocka_unit_test(test_many_old),
		cmocka_unit_test(test_old_dns),	   cmocka_unit_test(test_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
