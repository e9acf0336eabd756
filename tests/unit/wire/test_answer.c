/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/wire/answer.c: answers are told from all else, and the broken are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "wire/answer.h"
#include "wire/craft.h"
#include "wire/nd.h"

#define ROOM 2000

static const struct mac router_mac = {{0x52, 0x54, 0, 1, 2, 3}};

/* UDP from 192.0.2.1:@sport to @dport. */
static int udp(uint16_t sport, uint16_t dport, const void *payload, size_t len, uint8_t *frame)
{
	struct craft c = {
		.kind = CRAFT_UDP,
		.family = AF_INET,
		.eth_src = router_mac,
		.sport = sport,
		.dport = dport,
		.ttl = 64,
		.payload = payload,
		.payload_len = len,
	};

	memcpy(c.src, "\xc0\x00\x02\x01", 4);
	return craft_build(&c, frame, ROOM);
}

static void test_dns(void **state)
{
	uint8_t query[300], frame[ROOM];
	int len = dns_query_build(0x1234, "example.com", query, sizeof(query)), n;
	struct answer a;

	assert_int_equal(len, 12 + 13 + 4);
	assert_memory_equal(query + 12, "\7example\3com\0\0\1\0\1", 17);
	n = udp(53, 40000, query, (size_t)len, frame);
	assert_true(n > 0);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), -EPROTONOSUPPORT); /* a question */
	query[2] |= 0x80;
	query[3] = 3;
	n = udp(53, 40000, query, (size_t)len, frame);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), 0);
	assert_int_equal(a.kind, ANSWER_DNS);
	assert_int_equal(a.dns_id, 0x1234);
	assert_string_equal(dns_code_name(a.dns_code), "NXDOMAIN");
	assert_int_equal(a.addr.s_addr, inet_addr("192.0.2.1"));
	n = udp(53, 40000, query, 3, frame);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), -EBADMSG);
	n = udp(54, 40000, query, (size_t)len, frame);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), -EPROTONOSUPPORT);
}

static void test_names(void **state)
{
	static const char *const bad[] = {".", "a..b", ".a",
					  "a234567890123456789012345678901234567890123456789012345"
					  "678901234.b"};
	uint8_t query[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dns_query_build(1, bad[i], query, sizeof(query)), -EINVAL);
	assert_true(dns_query_build(1, "a.b.", query, sizeof(query)) > 0);
	assert_int_equal(dns_query_build(1, "example.com", query, 20), -ENOBUFS);
	assert_string_equal(dns_code_name(15), "?");
}

static void test_offer(void **state)
{
	struct dhcp4_msg m = {.op = 2, .xid = 7, .type = DHCP4_OFFER, .chaddr = router_mac};
	uint8_t bytes[DHCP4_MSG_MAX], frame[ROOM];
	struct answer a;
	int len = dhcp4_build(&m, bytes, sizeof(bytes)), n;

	n = udp(67, 68, bytes, (size_t)len, frame);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), 0);
	assert_int_equal(a.kind, ANSWER_DHCP);
	assert_int_equal(a.dhcp.xid, 7);
	m.op = 1;
	len = dhcp4_build(&m, bytes, sizeof(bytes));
	n = udp(67, 68, bytes, (size_t)len, frame);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), -EPROTONOSUPPORT);
}

static void test_ra(void **state)
{
	struct nd_ra ra = {.router_s = 1800, .mac = router_mac, .mtu = 1400, .n_prefixes = 2};
	struct in6_addr src = ip6_linklocal(&router_mac), all = {{{0xff, 2, [15] = 1}}};
	struct mac group = {{0x33, 0x33, 0, 0, 0, 1}};
	struct ip6_prefix made;
	uint8_t frame[ROOM];
	struct answer a;
	int n;

	assert_int_equal(ip6_prefix_parse("fd00:a::/64", &ra.prefixes[0].prefix), 0);
	assert_int_equal(ip6_prefix_parse("fd00:b::/64", &ra.prefixes[1].prefix), 0);
	ra.prefixes[1].autonomous = true;
	n = nd_ra_frame_build(&ra, &src, &group, &all, frame, sizeof(frame));
	assert_true(n > 0);
	assert_int_equal(answer_parse(frame, (size_t)n, &a), 0);
	assert_int_equal(a.kind, ANSWER_RA);
	assert_true(a.router);
	assert_true(ip6_equal(&a.addr6, &src));
	made = ra.prefixes[1].prefix;
	assert_true(ip6_prefix_equal(&a.prefix, &made));
	/* Cut anywhere it is broken, or no advertisement, and never read beyond. */
	for (int i = 0; i < n; i++)
		assert_true(answer_parse(frame, (size_t)i, &a) < 0);
}

static void test_na(void **state)
{
	struct {
		struct in6_addr target;
		uint8_t option[8];
	} body = {ip6_linklocal(&router_mac), {2, 1}};
	struct craft c = {.kind = CRAFT_ICMP,
			  .family = AF_INET6,
			  .eth_src = router_mac,
			  .icmp_type = 136,
			  .payload = &body,
			  .payload_len = sizeof(body)};
	uint8_t frame[ROOM];
	struct answer a;
	int n = craft_build(&c, frame, sizeof(frame));

	assert_int_equal(answer_parse(frame, (size_t)n, &a), 0);
	assert_int_equal(a.kind, ANSWER_NA);
	assert_true(ip6_equal(&a.addr6, &body.target));
	c.icmp_type = 135;
	n = craft_build(&c, frame, sizeof(frame));
	assert_int_equal(answer_parse(frame, (size_t)n, &a), -EPROTONOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dns),   cmocka_unit_test(test_names),
		cmocka_unit_test(test_offer), cmocka_unit_test(test_ra),
		cmocka_unit_test(test_na),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
