/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/wire/frame.c: frames taken apart and built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "wire/frame.h"

/* clang-format off */
#define ETHER(type) 0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, (type) >> 8, (type) & 0xff
#define SRC 192, 168, 122, 10
#define DST 203, 0, 113, 9

/* The checksums below were not made by the code under test. */
static const uint8_t udp[] = {
	ETHER(0x0800),
	0x45, 0, 0, 30, 0x12, 0x34, 0, 0, 64, 17, 0xf1, 0xde, SRC, DST,
	0x30, 0x39, 0, 53, 0, 10, 0xf0, 0x45, 'h', 'i',
	0, 0, 0, 0, /* Ethernet padding */
};
static const uint8_t tcp[] = {
	ETHER(0x0800),
	0x45, 0, 0, 46, 0, 1, 0x40, 0, 64, 6, 0xc4, 0x0c, SRC, DST,
	0x9c, 0x40, 0, 80, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0x60, 0x12, 0xff, 0xff, 0, 0, 0, 0,
	2, 4, 5, 0xb4, 'o', 'k',
};
static const uint8_t icmp[] = {
	ETHER(0x0800),
	0x45, 0, 0, 30, 0, 2, 0, 0, 64, 1, 0x04, 0x21, SRC, DST,
	8, 0, 0, 0, 0x11, 0x22, 0, 7, 'p', 'q',
};
static const uint8_t arp[] = {
	ETHER(0x0806),
	0, 1, 8, 0, 6, 4, 0, 2, 0x52, 0x54, 0, 0, 0, 1, SRC, 0x52, 0x54, 0, 0, 0, 2, DST,
};
/* clang-format on */

static struct in_addr addr(const char *text)
{
	struct in_addr a;

	assert_int_equal(ip4_parse(text, &a), 0);
	return a;
}

/* As the bytes of a header that is meant to be right: fill the IPv4 header checksum in. */
static void fix_ip_checksum(uint8_t *frame)
{
	uint8_t *h = frame + 14;
	uint32_t sum = 0;

	h[10] = h[11] = 0;
	for (size_t i = 0; i < (size_t)(h[0] & 0xf) * 4; i += 2)
		sum += (uint32_t)(h[i] << 8 | h[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	h[10] = (uint8_t)(~sum >> 8);
	h[11] = (uint8_t)~sum;
}

static void test_udp(void **state)
{
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(udp, sizeof(udp), true, &f), 0);
	assert_int_equal(f.kind, FRAME_UDP);
	assert_int_equal(f.eth_dst.b[5], 2);
	assert_int_equal(f.eth_src.b[5], 1);
	assert_int_equal(f.ethertype, 0x0800);
	assert_true(ip4_equal(f.src, addr("192.168.122.10")));
	assert_true(ip4_equal(f.dst, addr("203.0.113.9")));
	assert_int_equal(f.ip_id, 0x1234);
	assert_int_equal(f.ttl, 64);
	assert_int_equal(f.sport, 12345);
	assert_int_equal(f.dport, 53);
	assert_false(f.fragment);
	assert_int_equal(f.payload_len, 2);
	assert_memory_equal(f.payload, "hi", 2);
}

static void test_tcp(void **state)
{
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(tcp, sizeof(tcp), true, &f), 0);
	assert_int_equal(f.kind, FRAME_TCP);
	assert_int_equal(f.sport, 40000);
	assert_int_equal(f.dport, 80);
	assert_int_equal(f.tcp_seq, 0xdeadbeef);
	assert_int_equal(f.tcp_flags, 0x12);
	assert_int_equal(f.payload_len, 2);
	assert_memory_equal(f.payload, "ok", 2);
}

static void test_icmp(void **state)
{
	uint8_t unreachable[sizeof(icmp)];
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(icmp, sizeof(icmp), true, &f), 0);
	assert_int_equal(f.kind, FRAME_ICMP);
	assert_int_equal(f.icmp_type, 8);
	assert_int_equal(f.icmp_id, 0x1122);
	assert_int_equal(f.icmp_seq, 7);
	assert_int_equal(f.payload_len, 2);
	assert_memory_equal(f.payload, "pq", 2);

	memcpy(unreachable, icmp, sizeof(icmp));
	unreachable[34] = 3;
	unreachable[35] = 1;
	assert_int_equal(frame_parse(unreachable, sizeof(unreachable), true, &f), 0);
	assert_int_equal(f.icmp_type, 3);
	assert_int_equal(f.icmp_code, 1);
	assert_int_equal(f.icmp_id, 0); /* only echo has one */
	assert_int_equal(f.payload_len, 2);
}

static void test_arp(void **state)
{
	uint8_t other[sizeof(arp)];
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(arp, sizeof(arp), true, &f), 0);
	assert_int_equal(f.kind, FRAME_ARP);
	assert_int_equal(f.arp_op, 2);
	assert_int_equal(f.arp_sender_mac.b[5], 1);
	assert_true(ip4_equal(f.arp_sender_ip, addr("192.168.122.10")));
	assert_true(ip4_equal(f.arp_target_ip, addr("203.0.113.9")));
	assert_int_equal(f.payload_len, 0);

	memcpy(other, arp, sizeof(arp));
	other[15] = 6; /* IEEE 802 hardware */
	assert_int_equal(frame_parse(other, sizeof(other), true, &f), 0);
	assert_int_equal(f.kind, FRAME_OTHER);
	assert_int_equal(f.arp_op, 0);
	assert_ptr_equal(f.payload, other + 14);
	assert_int_equal(f.payload_len, sizeof(arp) - 14);
}

static void test_other(void **state)
{
	static const uint8_t ip6[] = {ETHER(0x86dd), 0x60, 0, 0, 0};
	uint8_t gre[sizeof(udp)];
	struct frame f;

	(void)state;
	assert_int_equal(frame_parse(ip6, sizeof(ip6), true, &f), 0);
	assert_int_equal(f.kind, FRAME_OTHER);
	assert_int_equal(f.ethertype, 0x86dd);
	assert_int_equal(f.payload_len, 4);
	assert_int_equal(frame_parse(ip6, 14, true, &f), 0);
	assert_int_equal(f.payload_len, 0);

	memcpy(gre, udp, sizeof(udp));
	gre[23] = 47;
	fix_ip_checksum(gre);
	assert_int_equal(frame_parse(gre, sizeof(gre), true, &f), 0);
	assert_int_equal(f.kind, FRAME_IP4);
	assert_int_equal(f.ip_proto, 47);
	assert_int_equal(f.payload_len, 10);
}

/* IPv4 options are skipped, and the payload still begins where it begins. */
static void test_ip_options(void **state)
{
	uint8_t bytes[sizeof(udp) + 4];
	struct frame f;

	(void)state;
	memcpy(bytes, udp, 34);
	memset(bytes + 34, 1, 4); /* no-operation */
	memcpy(bytes + 38, udp + 34, sizeof(udp) - 34);
	bytes[14] = 0x46;
	bytes[17] = 34;
	fix_ip_checksum(bytes);
	assert_int_equal(frame_parse(bytes, sizeof(bytes), true, &f), 0);
	assert_int_equal(f.dport, 53);
	assert_memory_equal(f.payload, "hi", 2);
}

static void test_fragments(void **state)
{
	uint8_t bytes[sizeof(udp)];
	struct frame f;

	(void)state;
	memcpy(bytes, udp, sizeof(udp));
	bytes[20] = 0x20; /* more fragments: the first */
	bytes[39] = 200;  /* the whole datagram is longer than this piece */
	fix_ip_checksum(bytes);
	assert_int_equal(frame_parse(bytes, sizeof(bytes), true, &f), 0);
	assert_int_equal(f.kind, FRAME_UDP);
	assert_true(f.fragment);
	assert_int_equal(f.dport, 53);
	assert_int_equal(f.payload_len, 2);

	bytes[20] = 0;
	bytes[21] = 1; /* a later one: its bytes are no ports */
	fix_ip_checksum(bytes);
	assert_int_equal(frame_parse(bytes, sizeof(bytes), true, &f), 0);
	assert_int_equal(f.kind, FRAME_IP4);
	assert_true(f.fragment);
	assert_int_equal(f.dport, 0);
	assert_int_equal(f.payload_len, 10);
}

/* struct lie - one byte of a good frame changed so that it is bad. */
struct lie {
	const char *what;
	const uint8_t *frame;
	size_t len;
	size_t at;
	uint8_t byte;
	bool fix_checksum;
	bool only_checked;
};

static void test_lies(void **state)
{
	static const struct lie lies[] = {
		{"IP version 6", udp, sizeof(udp), 14, 0x65, true},
		{"IP header of 16 bytes", udp, sizeof(udp), 14, 0x44, false},
		{"total length under the header's", udp, sizeof(udp), 17, 19, true},
		{"total length over the frame's", udp, sizeof(udp), 17, 200, true},
		{"IP header checksum", udp, sizeof(udp), 22, 63, false},
		{"UDP length under its header's", udp, sizeof(udp), 39, 7, false},
		{"UDP length over the packet's", udp, sizeof(udp), 39, 11, false},
		{"UDP checksum", udp, sizeof(udp), 42, 'H', false, true},
		{"TCP header of 16 bytes", tcp, sizeof(tcp), 46, 0x40, false},
		{"TCP header over the packet's end", tcp, sizeof(tcp), 46, 0xf0, false},
	};
	struct frame f = {.ttl = 77};
	uint8_t bytes[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		const struct lie *l = &lies[i];

		memcpy(bytes, l->frame, l->len);
		bytes[l->at] = l->byte;
		if (l->fix_checksum)
			fix_ip_checksum(bytes);
		if (frame_parse(bytes, l->len, true, &f) != -EBADMSG)
			fail_msg("not seen: %s", l->what);
		if (!l->only_checked && frame_parse(bytes, l->len, false, &f) != -EBADMSG)
			fail_msg("not seen without the checksum: %s", l->what);
		assert_int_equal(f.ttl, 77); /* untouched on failure */
	}
}

static void test_udp_checksum_left_open(void **state)
{
	uint8_t bytes[sizeof(udp)];
	struct frame f;

	(void)state;
	memcpy(bytes, udp, sizeof(udp));
	bytes[40] ^= 0xff;
	assert_int_equal(frame_parse(bytes, sizeof(bytes), true, &f), -EBADMSG);
	assert_int_equal(frame_parse(bytes, sizeof(bytes), false, &f), 0);
	bytes[40] = bytes[41] = 0; /* RFC 768: no checksum */
	assert_int_equal(frame_parse(bytes, sizeof(bytes), true, &f), 0);
}

/* A datagram that is shorter than its packet: what follows is not its. */
static void test_udp_shorter(void **state)
{
	uint8_t bytes[sizeof(udp)];
	struct frame f;

	(void)state;
	memcpy(bytes, udp, sizeof(udp));
	bytes[39] = 9;
	assert_int_equal(frame_parse(bytes, sizeof(bytes), false, &f), 0);
	assert_int_equal(f.payload_len, 1);
	bytes[39] = 8;
	assert_int_equal(frame_parse(bytes, sizeof(bytes), false, &f), 0);
	assert_int_equal(f.payload_len, 0);
}

/* Cut anywhere before its packet's end, a frame is refused and nothing past the cut is read. */
static void test_cut_short(void **state)
{
	static const struct {
		const uint8_t *frame;
		size_t len;
	} whole[] = {{udp, sizeof(udp) - 4},
		     {tcp, sizeof(tcp)},
		     {icmp, sizeof(icmp)},
		     {arp, sizeof(arp)}};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		for (size_t len = 0; len < whole[i].len; len++) {
			uint8_t *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy, whole[i].frame, len);
			assert_int_equal(frame_parse(copy, len, true, &f), -EBADMSG);
			free(copy);
		}
		assert_int_equal(frame_parse(whole[i].frame, whole[i].len, true, &f), 0);
	}
}

static void test_build(void **state)
{
	struct udp_send s = {
		.eth_src = {{0x52, 0x54, 0, 0, 0, 1}},
		.eth_dst = {{0x52, 0x54, 0, 0, 0, 2}},
		.src = addr("192.168.122.10"),
		.dst = addr("203.0.113.9"),
		.sport = 12345,
		.dport = 53,
		.ttl = 64,
		.payload = "hi",
		.payload_len = 2,
	};
	uint8_t bytes[64];
	struct frame f;

	(void)state;
	assert_int_equal(udp_frame_build(&s, bytes, sizeof(bytes)), 44);
	assert_memory_equal(bytes, udp, 14);
	assert_memory_equal(bytes + 34, udp + 34, 10); /* the checksum too */
	assert_int_equal(frame_parse(bytes, 44, true, &f), 0);
	assert_int_equal(f.ttl, 64);
	assert_true(ip4_equal(f.dst, s.dst));
	assert_false(f.fragment);
	for (size_t cap = 0; cap < 44; cap++)
		assert_int_equal(udp_frame_build(&s, bytes, cap), -ENOBUFS);

	s.payload = "hi!"; /* an odd length */
	s.payload_len = 3;
	assert_int_equal(udp_frame_build(&s, bytes, sizeof(bytes)), 45);
	assert_memory_equal(bytes + 40, "\xcf\x43", 2);
}

/* A checksum that comes out as zero is sent as ffff, for zero would say that there is none. */
static void test_build_zero_checksum(void **state)
{
	struct udp_send s = {.ttl = 1, .sport = 1, .dport = 2, .payload_len = 2};
	uint8_t bytes[64], payload[2];
	int seen = 0;

	(void)state;
	s.payload = payload;
	for (unsigned int v = 0; v <= 0xffff; v++) {
		payload[0] = (uint8_t)(v >> 8);
		payload[1] = (uint8_t)v;
		assert_int_equal(udp_frame_build(&s, bytes, sizeof(bytes)), 44);
		assert_false(bytes[40] == 0 && bytes[41] == 0);
		seen += bytes[40] == 0xff && bytes[41] == 0xff;
	}
	assert_int_equal(seen, 1);
}

static void test_build_odd_and_large(void **state)
{
	static uint8_t payload[UINT16_MAX], bytes[FRAME_MAX];
	struct udp_send s = {.ttl = 1, .payload = payload};
	const size_t max = UINT16_MAX - 28;
	struct frame f;

	(void)state;
	memset(payload, 0xab, sizeof(payload));
	for (size_t len = 0; len < 10; len++) {
		s.payload_len = len;
		assert_int_equal(udp_frame_build(&s, bytes, sizeof(bytes)), 42 + len);
		assert_int_equal(frame_parse(bytes, 42 + len, true, &f), 0);
		assert_int_equal(f.payload_len, len);
	}
	s.payload_len = max;
	assert_int_equal(udp_frame_build(&s, bytes, sizeof(bytes)), 42 + max);
	assert_int_equal(frame_parse(bytes, 42 + max, true, &f), 0);
	assert_int_equal(f.payload_len, max);
	s.payload_len = max + 1;
	assert_int_equal(udp_frame_build(&s, bytes, sizeof(bytes)), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_ip_options),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_udp_checksum_left_open),
		cmocka_unit_test(test_udp_shorter),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_build_zero_checksum),
		cmocka_unit_test(test_build_odd_and_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
