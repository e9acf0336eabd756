/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/wire/craft.c: what it makes is read again, and its checksums are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/craft.h"
#include "wire/frame.h"

static struct craft ip4(enum craft_kind kind)
{
	struct craft c = {
		.kind = kind,
		.family = AF_INET,
		.eth_src = {{0x52, 0x54, 0, 1, 2, 3}},
		.eth_dst = {{0x52, 0x54, 0, 4, 5, 6}},
		.sport = 40000,
		.dport = 443,
		.ip_id = 777,
		.ttl = 64,
		.tcp_flags = 2,
		.tcp_seq = 0x01020304,
	};

	assert_int_equal(inet_pton(AF_INET, "192.168.122.10", c.src), 1);
	assert_int_equal(inet_pton(AF_INET, "198.51.100.7", c.dst), 1);
	return c;
}

/* The sum over pseudo header and all behind the IP header has to come out as 0. */
static void check_transport(const uint8_t *p, size_t len, const struct craft *c, uint8_t proto)
{
	size_t header = c->family == AF_INET ? 34 : 54, addr = c->family == AF_INET ? 4 : 16;
	uint32_t sum = 0;

	if (proto != IPPROTO_ICMP) {
		sum = checksum_add(sum, c->src, addr);
		sum = checksum_add(sum, c->dst, addr);
		sum += proto + (uint32_t)(len - header);
	}
	assert_int_equal(checksum_finish(checksum_add(sum, p + header, len - header)), 0);
}

static void test_ip4(void **state)
{
	static const struct {
		enum craft_kind kind;
		enum frame_kind parsed;
		uint8_t proto;
	} cases[] = {
		{CRAFT_TCP, FRAME_TCP, IPPROTO_TCP},
		{CRAFT_UDP, FRAME_UDP, IPPROTO_UDP},
		{CRAFT_ECHO, FRAME_ICMP, IPPROTO_ICMP},
		{CRAFT_ECHO_REPLY, FRAME_ICMP, IPPROTO_ICMP},
	};
	uint8_t buf[2048];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t payload = 0; payload < 66; payload++) {
			struct craft c = ip4(cases[i].kind);
			struct frame f;
			int len;

			c.payload_len = payload;
			len = craft_build(&c, buf, sizeof(buf));
			assert_true(len > 0);
			assert_int_equal(frame_parse(buf, (size_t)len, true, &f), 0);
			assert_int_equal(f.kind, cases[i].parsed);
			assert_int_equal(f.ip_id, 777);
			assert_int_equal(f.ttl, 64);
			assert_memory_equal(&f.src, c.src, 4);
			assert_memory_equal(&f.dst, c.dst, 4);
			assert_int_equal(f.payload_len, payload);
			if (f.kind == FRAME_ICMP) {
				assert_int_equal(f.icmp_id, 40000);
				assert_int_equal(f.icmp_seq, 443);
			} else {
				assert_int_equal(f.sport, 40000);
				assert_int_equal(f.dport, 443);
			}
			check_transport(buf, (size_t)len, &c, cases[i].proto);
		}
	}
}

static void test_ip6(void **state)
{
	static const enum craft_kind kinds[] = {CRAFT_TCP, CRAFT_UDP, CRAFT_ECHO, CRAFT_ECHO_REPLY};
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, IPPROTO_ICMPV6};
	uint8_t buf[2048];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct craft c = ip4(kinds[i]);
		int len;

		c.family = AF_INET6;
		c.payload_len = 33;
		assert_int_equal(inet_pton(AF_INET6, "fd00:1::10", c.src), 1);
		assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", c.dst), 1);
		len = craft_build(&c, buf, sizeof(buf));
		assert_int_equal(len, 14 + 40 + (kinds[i] == CRAFT_TCP ? 20 : 8) + 33);
		assert_int_equal(buf[12] << 8 | buf[13], 0x86dd);
		assert_int_equal(buf[18] << 8 | buf[19], len - 54);
		assert_int_equal(buf[20], protos[i]);
		check_transport(buf, (size_t)len, &c, protos[i]);
	}
}

static void test_arp(void **state)
{
	struct craft c = ip4(CRAFT_ARP_REQUEST);
	uint8_t buf[64];
	struct frame f;
	int len = craft_build(&c, buf, sizeof(buf));

	assert_int_equal(len, 42);
	assert_int_equal(frame_parse(buf, (size_t)len, false, &f), 0);
	assert_int_equal(f.kind, FRAME_ARP);
	assert_int_equal(f.arp_op, 1);
	assert_memory_equal(&f.arp_sender_ip, c.src, 4);
	assert_memory_equal(&f.arp_target_ip, c.dst, 4);
	assert_true(mac_equal(&f.arp_sender_mac, &c.eth_src));
}

static void test_limits(void **state)
{
	struct craft c = ip4(CRAFT_TCP);
	static uint8_t buf[70000];

	for (size_t cap = 0; cap < 54; cap++)
		assert_int_equal(craft_build(&c, buf, cap), -ENOBUFS);
	assert_int_equal(craft_build(&c, buf, 54), 54);
	c.payload_len = 65536;
	assert_int_equal(craft_build(&c, buf, sizeof(buf)), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip4),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
