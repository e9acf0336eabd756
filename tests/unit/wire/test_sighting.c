/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/wire/sighting.c: who says to have which address, and what is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "wire/craft.h"
#include "wire/dhcp4.h"
#include "wire/sighting.h"

#define ROOM 2000

static const struct mac guest_mac = {{0x52, 0x54, 0, 1, 2, 3}};
static const struct mac other_mac = {{0x52, 0x54, 0, 1, 2, 4}};

/* An ARP request or (@op 2) reply from @src. */
static size_t arp(const char *src, uint8_t op, uint8_t *f)
{
	struct craft c = {.kind = CRAFT_ARP_REQUEST, .family = AF_INET, .eth_src = guest_mac};
	int n;

	assert_int_equal(inet_pton(AF_INET, src, c.src), 1);
	memcpy(c.dst, "\xc0\x00\x02\x01", 4);
	n = craft_build(&c, f, ROOM);
	assert_true(n >= 42);
	f[21] = op;
	return (size_t)n;
}

static void assert_says(const uint8_t *f, size_t len, enum sighting_kind kind, const char *address)
{
	uint8_t want[16] = {0};
	struct sighting s;

	assert_int_equal(sighting_parse(f, len, &s), 0);
	assert_int_equal(s.kind, kind);
	assert_int_equal(s.family, strchr(address, ':') ? AF_INET6 : AF_INET);
	assert_int_equal(inet_pton(s.family, address, want), 1);
	assert_memory_equal(s.addr, want, sizeof(want));
	assert_true(mac_equal(&s.mac, &guest_mac));
	assert_false(s.gone);
}

static void test_arp(void **state)
{
	/* A probe (RFC 5227), and what no station can have. */
	static const char *const none[] = {"0.0.0.0",	"127.0.0.1",	   "224.0.0.1",
					   "240.1.2.3", "255.255.255.255", "0.1.2.3"};
	struct sighting s;
	uint8_t f[ROOM];
	size_t n;

	n = arp("192.0.2.7", 1, f);
	assert_says(f, n, SIGHTING_ARP, "192.0.2.7");
	n = arp("192.0.2.7", 2, f);
	assert_says(f, n, SIGHTING_ARP, "192.0.2.7");
	n = arp("192.0.2.7", 3, f); /* reverse ARP */
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		n = arp(none[i], 1, f);
		assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	}
	/* It speaks of another than itself; it is nobody; it is a group. */
	n = arp("192.0.2.7", 1, f);
	f[27]++;
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	n = arp("192.0.2.7", 1, f);
	memset(f + 6, 0, 6);
	memset(f + 22, 0, 6);
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	f[6] = f[22] = 1;
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	n = arp("192.0.2.7", 1, f);
	for (size_t i = 0; i < 42; i++)
		assert_int_equal(sighting_parse(f, i, &s), -EBADMSG);
}

/* struct message - neighbour discovery behind its first eight bytes, with one option. */
struct message {
	uint8_t target[16];
	uint8_t option[8];
};

static size_t nd(uint8_t type, const char *src, const char *target, uint8_t option,
		 const struct mac *mac, uint8_t *f)
{
	struct message m = {.option = {option, 1}};
	struct craft c = {.kind = CRAFT_ICMP,
			  .family = AF_INET6,
			  .eth_src = guest_mac,
			  .icmp_type = type,
			  .ttl = 255,
			  .payload = &m,
			  .payload_len = option ? sizeof(m) : sizeof(m.target)};
	int n;

	memcpy(m.option + 2, mac, sizeof(*mac));
	assert_int_equal(inet_pton(AF_INET6, src, c.src), 1);
	assert_int_equal(inet_pton(AF_INET6, target, m.target), 1);
	n = craft_build(&c, f, ROOM);
	assert_true(n > 0);
	f[21] = 255;
	return (size_t)n;
}

static void test_nd(void **state)
{
	struct sighting s;
	uint8_t f[ROOM];
	size_t n;

	/* A question to somebody else; the question whether somebody has it; the answer to one. */
	n = nd(135, "2001:db8::7", "2001:db8::1", 1, &guest_mac, f);
	assert_says(f, n, SIGHTING_ND, "2001:db8::7");
	n = nd(135, "::", "fe80::7", 0, &guest_mac, f);
	assert_says(f, n, SIGHTING_ND, "fe80::7");
	n = nd(136, "fe80::7", "2001:db8::8", 2, &guest_mac, f);
	assert_says(f, n, SIGHTING_ND, "2001:db8::8");
	for (size_t i = 0; i < n; i++)
		assert_true(sighting_parse(f, i, &s) < 0);
	/* The option names somebody else; the other option does not matter. */
	n = nd(135, "2001:db8::7", "2001:db8::1", 1, &other_mac, f);
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	n = nd(136, "fe80::7", "2001:db8::8", 2, &other_mac, f);
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	n = nd(135, "2001:db8::7", "2001:db8::1", 2, &other_mac, f);
	assert_says(f, n, SIGHTING_ND, "2001:db8::7");
	/* Endless options; a router's; forwarded; addresses that nobody has. */
	n = nd(136, "fe80::7", "2001:db8::8", 2, &guest_mac, f);
	f[n - 7] = 0;
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	n = nd(134, "fe80::7", "2001:db8::8", 2, &guest_mac, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	n = nd(135, "2001:db8::7", "2001:db8::1", 1, &guest_mac, f);
	f[21] = 64;
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	n = nd(135, "::", "ff02::1", 0, &guest_mac, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	n = nd(136, "fe80::7", "::", 2, &guest_mac, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	n = nd(136, "fe80::7", "::ffff:192.0.2.1", 2, &guest_mac, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
}

static size_t dhcp(const struct dhcp4_msg *m, const struct mac *src, uint16_t sport, uint16_t dport,
		   uint8_t *f)
{
	uint8_t bytes[DHCP4_MSG_MAX];
	int len = dhcp4_build(m, bytes, sizeof(bytes)), n;
	struct craft c = {
		.kind = CRAFT_UDP,
		.family = AF_INET,
		.eth_src = *src,
		.sport = sport,
		.dport = dport,
		.ttl = 64,
		.payload = bytes,
	};

	assert_true(len > 0);
	c.payload_len = (size_t)len;
	n = craft_build(&c, f, ROOM);
	assert_true(n > 0);
	return (size_t)n;
}

static void test_dhcp(void **state)
{
	struct dhcp4_msg m = {.op = 1, .xid = 7, .type = DHCP4_REQUEST, .chaddr = guest_mac};
	struct sighting s;
	uint8_t f[ROOM];
	size_t n;

	m.requested.s_addr = inet_addr("192.0.2.9");
	n = dhcp(&m, &guest_mac, 68, 67, f);
	assert_says(f, n, SIGHTING_DHCP, "192.0.2.9");
	n = dhcp(&m, &other_mac, 68, 67, f);
	assert_int_equal(sighting_parse(f, n, &s), -EBADMSG);
	n = dhcp(&m, &guest_mac, 68, 69, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	m.requested.s_addr = 0;
	m.ciaddr.s_addr = inet_addr("192.0.2.10");
	n = dhcp(&m, &guest_mac, 68, 67, f);
	assert_says(f, n, SIGHTING_DHCP, "192.0.2.10");
	m.type = DHCP4_DISCOVER;
	n = dhcp(&m, &guest_mac, 68, 67, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	m.type = DHCP4_RELEASE;
	n = dhcp(&m, &guest_mac, 68, 67, f);
	assert_int_equal(sighting_parse(f, n, &s), 0);
	assert_true(s.gone && mac_equal(&s.mac, &guest_mac));
	/* What a server says is about its client. */
	m = (struct dhcp4_msg){.op = 2, .xid = 7, .type = DHCP4_ACK, .chaddr = guest_mac};
	m.yiaddr.s_addr = inet_addr("192.0.2.11");
	n = dhcp(&m, &other_mac, 67, 68, f);
	assert_says(f, n, SIGHTING_DHCP, "192.0.2.11");
	m.type = DHCP4_OFFER;
	n = dhcp(&m, &other_mac, 67, 68, f);
	assert_int_equal(sighting_parse(f, n, &s), -EPROTONOSUPPORT);
	m.type = DHCP4_NAK;
	n = dhcp(&m, &other_mac, 67, 68, f);
	assert_int_equal(sighting_parse(f, n, &s), 0);
	assert_true(s.gone && mac_equal(&s.mac, &guest_mac) && s.kind == SIGHTING_DHCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_nd),
		cmocka_unit_test(test_dhcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
