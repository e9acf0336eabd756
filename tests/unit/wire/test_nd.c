/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/wire/nd.c: solicitations taken apart, advertisements built. The bytes below were not
 * made by the code under test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "nd_read.h"
#include "wire/nd.h"

/* clang-format off */
static const uint8_t rs[] = {
	0x33, 0x33, 0x00, 0x00, 0x00, 0x02, 0x52, 0x54, 0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00,
	0x00, 0x00, 0x00, 0x10, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x50, 0x54,
	0x00, 0xff, 0xfe, 0x00, 0x00, 0x01, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x85, 0x00, 0xda, 0x83, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01,
	0x52, 0x54, 0x00, 0x00, 0x00, 0x01,
};
static const uint8_t rs_unspecified[] = {
	0x33, 0x33, 0x00, 0x00, 0x00, 0x02, 0x52, 0x54, 0x00, 0x00, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00,
	0x00, 0x00, 0x00, 0x08, 0x3a, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x85, 0x00, 0x7b, 0xb8, 0x00, 0x00, 0x00, 0x00,
};
static const uint8_t ra_bytes[] = {
	0x52, 0x54, 0x00, 0x00, 0x00, 0x01, 0x52, 0x54, 0x00, 0xff, 0x00, 0x01, 0x86, 0xdd, 0x60, 0x00,
	0x00, 0x00, 0x00, 0xc8, 0x3a, 0xff, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x50, 0x54,
	0x00, 0xff, 0xfe, 0x00, 0x00, 0x01, 0x86, 0x00, 0x07, 0x9d, 0x40, 0x00, 0x23, 0x28, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01, 0x52, 0x54, 0x00, 0xff, 0x00, 0x01, 0x05, 0x01,
	0x00, 0x00, 0x00, 0x00, 0x05, 0x78, 0x03, 0x04, 0x40, 0xc0, 0x00, 0x01, 0x51, 0x80, 0x00, 0x00,
	0x38, 0x40, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x04, 0x30, 0x80, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x19, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x00,
	0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x19, 0x05,
	0x00, 0x00, 0x00, 0x00, 0x23, 0x28, 0xfd, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x53, 0x1f, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x6f,
	0x6c, 0x64, 0x02, 0x76, 0x6d, 0x00, 0x1f, 0x03, 0x00, 0x00, 0x00, 0x00, 0x23, 0x28, 0x07, 0x64,
	0x65, 0x66, 0x61, 0x75, 0x6c, 0x74, 0x02, 0x76, 0x6d, 0x00, 0x00, 0x00, 0x00, 0x00,
};
/* clang-format on */

#define ICMP 54 /* where the ICMPv6 message begins */
#define IP_LENGTH 18
#define NEXT_HEADER 20
#define HOPS 21
#define SOURCE 22
#define CODE 55
#define SUM 56
#define OPTION 62

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;

	assert_int_equal(ip6_parse(text, &a), 0);
	return a;
}

static struct mac mac(const char *text)
{
	struct mac m;

	assert_int_equal(mac_parse(text, &m), 0);
	return m;
}

/* A message that was bent gets a right checksum, so that nothing but the bend is wrong. */
static void fix_sum(uint8_t *frame, size_t len)
{
	uint32_t sum;
	uint16_t right;

	frame[SUM] = frame[SUM + 1] = 0;
	sum = checksum_add((uint32_t)(len - ICMP) + frame[NEXT_HEADER], frame + SOURCE, 32);
	right = checksum_finish(checksum_add(sum, frame + ICMP, len - ICMP));
	frame[SUM] = (uint8_t)(right >> 8);
	frame[SUM + 1] = (uint8_t)right;
}

static void test_rs(void **state)
{
	struct in6_addr ll = addr("fe80::5054:ff:fe00:1");
	struct mac sender = mac("52:54:00:00:00:01");
	uint8_t padded[sizeof(rs_unspecified) + 10];
	struct nd_rs got;

	(void)state;
	assert_int_equal(nd_rs_parse(rs, sizeof(rs), &got), 0);
	assert_true(mac_equal(&got.eth_src, &sender));
	assert_true(ip6_equal(&got.src, &ll));
	/* Ethernet pads short frames */
	memset(padded, 0xaa, sizeof(padded));
	memcpy(padded, rs_unspecified, sizeof(rs_unspecified));
	assert_int_equal(nd_rs_parse(padded, sizeof(padded), &got), 0);
	assert_true(ip6_is_unspecified(&got.src));
}

/* Each byte cut off is noticed, and nothing is read beyond (the sanitizers look). */
static void test_rs_cut(void **state)
{
	struct nd_rs got = {.src = addr("::7")}, before = got;

	(void)state;
	for (size_t len = 0; len < sizeof(rs); len++) {
		uint8_t *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy, rs, len);
		assert_int_equal(nd_rs_parse(copy, len, &got), -EBADMSG);
		free(copy);
	}
	assert_true(ip6_equal(&got.src, &before.src));
}

/* RFC 4861 6.1.1, one demand after the other. */
static void test_rs_invalid(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int error;
	} bends[] = {
		{HOPS, 254, -EBADMSG},
		{HOPS, 0, -EBADMSG},
		{CODE, 1, -EBADMSG},
		{OPTION + 1, 0, -EBADMSG},     /* an option of length 0 */
		{OPTION + 1, 2, -EBADMSG},     /* one that overruns */
		{6, 0x33, -EBADMSG},	       /* from a group's MAC */
		{SOURCE, 0xff, -EBADMSG},      /* from a group */
		{14, 0x40, -EBADMSG},	       /* version 4 */
		{ICMP, 134, -EPROTONOSUPPORT}, /* an advertisement */
		{ICMP, 135, -EPROTONOSUPPORT}, /* a neighbour solicitation */
		{NEXT_HEADER, 17, -EPROTONOSUPPORT},
		{NEXT_HEADER, 0, -EPROTONOSUPPORT}, /* hop-by-hop options */
		{12, 0x08, -EPROTONOSUPPORT},	    /* no IPv6 */
	};
	uint8_t f[sizeof(rs)];
	struct nd_rs got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bends); i++) {
		memcpy(f, rs, sizeof(rs));
		f[bends[i].at] = bends[i].value;
		fix_sum(f, sizeof(f));
		if (nd_rs_parse(f, sizeof(f), &got) != bends[i].error)
			fail_msg("bend %zu", i);
	}
	for (size_t at = SOURCE; at < sizeof(rs); at++) { /* and all that the sum is over */
		memcpy(f, rs, sizeof(rs));
		f[at] ^= 0x04;
		assert_int_not_equal(nd_rs_parse(f, sizeof(f), &got), 0);
	}
}

static void test_rs_options(void **state)
{
	uint8_t f[128];
	struct nd_rs got;
	size_t len = sizeof(rs) + 24;

	(void)state;
	/* unknown ones are skipped, whatever their length */
	memcpy(f, rs, sizeof(rs));
	memset(f + sizeof(rs), 0x5a, 24);
	f[sizeof(rs)] = 14; /* a nonce, RFC 3971 */
	f[sizeof(rs) + 1] = 1;
	f[sizeof(rs) + 8] = 253;
	f[sizeof(rs) + 9] = 2;
	f[IP_LENGTH + 1] = (uint8_t)(len - ICMP);
	fix_sum(f, len);
	assert_int_equal(nd_rs_parse(f, len, &got), 0);
	/* bytes that are left over are no option */
	f[IP_LENGTH + 1]--;
	fix_sum(f, len - 1);
	assert_int_equal(nd_rs_parse(f, len - 1, &got), -EBADMSG);
	/* a MAC of another length than Ethernet's */
	f[IP_LENGTH + 1]++;
	f[OPTION + 1] = 2;
	fix_sum(f, len);
	assert_int_equal(nd_rs_parse(f, len, &got), -EBADMSG);
	/* who has no address tells no MAC */
	memcpy(f, rs, sizeof(rs));
	memset(f + SOURCE, 0, 16);
	fix_sum(f, sizeof(rs));
	assert_int_equal(nd_rs_parse(f, sizeof(rs), &got), -EBADMSG);
	/* and a message of less than 8 bytes is none */
	f[IP_LENGTH + 1] = 7;
	fix_sum(f, ICMP + 7);
	assert_int_equal(nd_rs_parse(f, ICMP + 7, &got), -EBADMSG);
}

static struct nd_ra sample(void)
{
	struct nd_ra ra = {.hop_limit = 64, .router_s = 9000, .mtu = 1400, .dns_s = 9000};

	ra.mac = mac("52:54:00:ff:00:01");
	ra.n_prefixes = 2;
	ra.prefixes[0] = (struct nd_prefix){{addr("fd00:1:2:3::77"), 64}, true, true, 86400, 14400};
	ra.prefixes[1] = (struct nd_prefix){{addr("fd00:9::"), 48}, true, false, UINT32_MAX, 0};
	ra.dns[ra.n_dns++] = addr("fd00:1:2:3::1");
	ra.dns[ra.n_dns++] = addr("2001:db8::53");
	ra.old_dns[ra.n_old_dns++] = addr("fd00:1:2:3::9");
	strcpy(ra.domain, "default.vm");
	strcpy(ra.old_domain, "old.vm");
	return ra;
}

static int build(const struct nd_ra *ra, void *buf, size_t cap)
{
	struct in6_addr src = addr("fe80::1"), dst = addr("fe80::5054:ff:fe00:1");
	struct mac to = mac("52:54:00:00:00:01");

	return nd_ra_frame_build(ra, &src, &to, &dst, buf, cap);
}

static void test_ra_bytes(void **state)
{
	struct nd_ra ra = sample();
	uint8_t f[ND_RA_FRAME_MAX];

	(void)state;
	assert_int_equal(build(&ra, f, sizeof(f)), sizeof(ra_bytes));
	assert_memory_equal(f, ra_bytes, sizeof(ra_bytes));
	for (size_t cap = 0; cap < sizeof(ra_bytes); cap++)
		assert_int_equal(build(&ra, f, cap), -ENOBUFS);
	assert_int_equal(build(&ra, f, sizeof(ra_bytes)), sizeof(ra_bytes));
}

/* What is not set is not said. */
static void test_ra_least(void **state)
{
	struct nd_ra ra = {.mac = mac("52:54:00:ff:00:01")};
	uint8_t f[ND_RA_FRAME_MAX];
	struct nd_read got;

	(void)state;
	assert_int_equal(build(&ra, f, sizeof(f)), ICMP + 16 + 8);
	assert_true(nd_read(f, ICMP + 16 + 8, &got));
	assert_true(nd_ra_same(&got.ra, &ra));
	assert_int_equal(got.ra.router_s, 0);
}

static void test_ra_most(void **state)
{
	struct nd_ra ra = sample();
	uint8_t f[ND_RA_FRAME_MAX];
	struct nd_read got;
	int len;

	(void)state;
	for (ra.n_prefixes = 0; ra.n_prefixes < ND_PREFIX_MAX; ra.n_prefixes++)
		ra.prefixes[ra.n_prefixes] = (struct nd_prefix){
			{addr("fd00::"), (uint8_t)(16 * ra.n_prefixes)}, true, false, 1, 2};
	for (size_t i = 0; i < ND_DNS_MAX; i++)
		ra.dns[i] = ra.old_dns[i] = (struct in6_addr){{{0x20, 1, [15] = (uint8_t)i}}};
	ra.n_dns = ra.n_old_dns = ND_DNS_MAX;
	memset(ra.domain, 'a', ND_DOMAIN_MAX);
	for (size_t i = 63; i < ND_DOMAIN_MAX; i += 64)
		ra.domain[i] = '.';
	memcpy(ra.old_domain, ra.domain, sizeof(ra.domain));
	len = build(&ra, f, sizeof(f));
	assert_true(len > 0);
	assert_true(len <= 14 + 1280); /* it goes through the smallest MTU that IPv6 has */
	assert_true(nd_read(f, (size_t)len, &got));
	assert_true(nd_ra_same(&got.ra, &ra));
}

static void test_ra_domains(void **state)
{
	static const char *const bad[] = {
		".",
		"a.",
		".a",
		"a..b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.vm", /* 64 */
	};
	static const char *const good[] = {
		"a",
		"ab.cd.ef",
		"abcd.f",
		"abcde.f",
		"abcdef.gh",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.vm", /* 63 */
	};
	uint8_t f[ND_RA_FRAME_MAX];
	struct nd_ra ra = sample();
	struct nd_read got;
	int len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		strcpy(ra.domain, bad[i]);
		assert_int_equal(build(&ra, f, sizeof(f)), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		strcpy(ra.domain, good[i]);
		len = build(&ra, f, sizeof(f));
		assert_true(len > 0 && nd_read(f, (size_t)len, &got));
		assert_string_equal(got.ra.domain, good[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rs),	   cmocka_unit_test(test_rs_cut),
		cmocka_unit_test(test_rs_invalid), cmocka_unit_test(test_rs_options),
		cmocka_unit_test(test_ra_bytes),   cmocka_unit_test(test_ra_least),
		cmocka_unit_test(test_ra_most),	   cmocka_unit_test(test_ra_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
