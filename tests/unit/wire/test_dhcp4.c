/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/wire/dhcp4.c: messages of real clients, broken ones, and what we build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "wire/dhcp4.h"
#include "dhcp4_equal.h"

#define FIXED 240
#define SNAME_AT 44
#define FILE_AT 108

/* struct packet - a message under construction for the tests, apart from dhcp4_build(). */
struct packet {
	uint8_t b[2048];
	size_t len;
};

static const uint8_t header[] = {1, 1, 6, 0, 0x11, 0x22, 0x33, 0x44, 0, 3, 0x80, 0};
static const uint8_t mac[] = {0x52, 0x54, 0, 0x39, 0xd3, 0xfe};
static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};

static void packet_init(struct packet *p)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->b, header, sizeof(header));
	memcpy(p->b + 28, mac, sizeof(mac));
	memcpy(p->b + 236, cookie, sizeof(cookie));
	p->len = FIXED;
}

static void packet_add(struct packet *p, const void *bytes, size_t len)
{
	assert_true(p->len + len <= sizeof(p->b));
	memcpy(p->b + p->len, bytes, len);
	p->len += len;
}

/* A message with these options, parsed from memory that ends where it ends. */
static int parse_options(const void *options, size_t len, struct dhcp4_msg *ret)
{
	struct packet p;
	uint8_t *exact;
	int r;

	packet_init(&p);
	packet_add(&p, options, len);
	exact = malloc(p.len);
	assert_non_null(exact);
	memcpy(exact, p.b, p.len);
	r = dhcp4_parse(exact, p.len, ret);
	free(exact);
	return r;
}

/* The value of option @code in a built message, or NULL. */
static const uint8_t *option_find(const uint8_t *b, size_t len, uint8_t code, size_t *ret_len)
{
	for (size_t i = FIXED; i < len && b[i] != 255;) {
		if (b[i] == 0) {
			i++;
			continue;
		}
		if (b[i] == code) {
			*ret_len = b[i + 1];
			return b + i + 2;
		}
		i += 2u + b[i + 1];
	}
	return NULL;
}

static bool option_sent(const uint8_t *b, size_t len, uint8_t code)
{
	size_t n;

	return option_find(b, len, code, &n) != NULL;
}

static struct in_addr addr(const char *text)
{
	struct in_addr a;

	assert_int_equal(ip4_parse(text, &a), 0);
	return a;
}

static void test_header(void **state)
{
	struct dhcp4_msg m;
	struct packet p;

	(void)state;
	packet_init(&p);
	memcpy(p.b + 12, "\x0a\0\0\1\x0a\0\0\2\x0a\0\0\3\x0a\0\0\4", 16);
	packet_add(&p, "\x35\1\1\xff", 4);
	assert_int_equal(dhcp4_parse(p.b, p.len, &m), 0);
	assert_int_equal(m.op, 1);
	assert_int_equal(m.xid, 0x11223344);
	assert_int_equal(m.secs, 3);
	assert_true(m.broadcast);
	assert_true(ip4_equal(m.ciaddr, addr("10.0.0.1")));
	assert_true(ip4_equal(m.yiaddr, addr("10.0.0.2")));
	assert_true(ip4_equal(m.siaddr, addr("10.0.0.3")));
	assert_true(ip4_equal(m.giaddr, addr("10.0.0.4")));
	assert_memory_equal(m.chaddr.b, mac, sizeof(mac));
	assert_int_equal(m.type, DHCP4_DISCOVER);
}

/* clang-format off */
/* The options that busybox udhcpc 1.35 sends in its REQUEST. */
static const uint8_t udhcpc_request[] = {
	53, 1, 3, 50, 4, 192, 168, 122, 50, 54, 4, 192, 168, 122, 1, 57, 2, 2, 64,
	55, 7, 1, 3, 6, 12, 15, 28, 42, 12, 4, 'w', 'e', 'b', '1',
	60, 12, 'u', 'd', 'h', 'c', 'p', ' ', '1', '.', '3', '5', '.', '0',
	61, 7, 1, 0x52, 0x54, 0, 0x39, 0xd3, 0xfe, 255, 0, 0, 0,
};
/* ISC dhclient 4.4's DISCOVER. */
static const uint8_t dhclient_discover[] = {
	53, 1, 1, 12, 2, 'v', 'm', 55, 13, 1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42, 255,
};
/* dhcpcd 9.4's REQUEST: the address before the type, RFC 4361 identifier, options 80 and 145. */
static const uint8_t dhcpcd_request[] = {
	50, 4, 192, 168, 122, 50, 53, 1, 3, 54, 4, 192, 168, 122, 1,
	55, 14, 1, 121, 3, 6, 12, 15, 26, 28, 33, 51, 54, 58, 59, 119, 57, 2, 5, 192,
	61, 19, 255, 0, 0x39, 0xd3, 0xfe, 0, 1, 0, 1, 0x32, 0x93, 0xb7, 0x12, 0x52, 0x54, 0, 0x39,
	0xd3, 0xfe, 80, 0, 145, 1, 1, 255,
};
/* clang-format on */

static void test_udhcpc(void **state)
{
	struct dhcp4_msg m;

	(void)state;
	assert_int_equal(parse_options(udhcpc_request, sizeof(udhcpc_request), &m), 0);
	assert_int_equal(m.type, DHCP4_REQUEST);
	assert_true(ip4_equal(m.requested, addr("192.168.122.50")));
	assert_true(ip4_equal(m.server_id, addr("192.168.122.1")));
	assert_int_equal(m.max_size, 576);
	assert_int_equal(m.n_params, 7);
	assert_memory_equal(m.params, "\x01\x03\x06\x0c\x0f\x1c\x2a", 7);
	assert_string_equal(m.hostname, "web1");
	assert_string_equal(m.vendor_class, "udhcp 1.35.0");
	assert_int_equal(m.client_id_len, 7);
	assert_memory_equal(m.client_id, "\x01\x52\x54\x00\x39\xd3\xfe", 7);
}

static void test_dhclient(void **state)
{
	struct dhcp4_msg m;

	(void)state;
	assert_int_equal(parse_options(dhclient_discover, sizeof(dhclient_discover), &m), 0);
	assert_int_equal(m.type, DHCP4_DISCOVER);
	assert_string_equal(m.hostname, "vm");
	assert_int_equal(m.client_id_len, 0);
	assert_int_equal(m.requested.s_addr, 0);
	assert_int_equal(m.max_size, 0);
}

static void test_dhcpcd(void **state)
{
	struct dhcp4_msg m;

	(void)state;
	assert_int_equal(parse_options(dhcpcd_request, sizeof(dhcpcd_request), &m), 0);
	assert_int_equal(m.type, DHCP4_REQUEST);
	assert_true(ip4_equal(m.requested, addr("192.168.122.50")));
	assert_int_equal(m.client_id_len, 19);
	assert_int_equal(m.client_id[0], 255);
	assert_string_equal(m.hostname, "");
}

/* struct options_case - options and what parsing them answers. */
struct options_case {
	const char *what;
	const char *bytes;
	size_t len;
	int expected;
};
#define CASE(what, bytes, expected)                                                                \
	{                                                                                          \
		what, bytes, sizeof(bytes) - 1, expected                                           \
	}

static void test_malformed(void **state)
{
	static const struct options_case cases[] = {
		CASE("no options", "", -EPROTONOSUPPORT),
		CASE("only the end", "\xff", -EPROTONOSUPPORT),
		CASE("no message type", "\x0c\1a\xff", -EPROTONOSUPPORT),
		CASE("no end option", "\x35\1\1", 0),
		CASE("pads before, between and after", "\0\0\x35\1\1\0\0\xff\0\0", 0),
		CASE("garbage after the end", "\x35\1\1\xff\x35\xff", 0),
		CASE("type after the end", "\xff\x35\1\1", -EPROTONOSUPPORT),
		CASE("a code without a length", "\x35\1\1\x0c", -EBADMSG),
		CASE("a value cut short", "\x35\1\1\x0c\4ab", -EBADMSG),
		CASE("an option over the end", "\x35\1\1\x0c\xff", -EBADMSG),
		CASE("type of no bytes", "\x35\0\xff", -EBADMSG),
		CASE("type of two bytes", "\x35\2\1\1\xff", -EBADMSG),
		CASE("two types", "\x35\1\1\x35\1\3\xff", -EBADMSG),
		CASE("type 0", "\x35\1\0\xff", -EBADMSG),
		CASE("type 8, INFORM", "\x35\1\x08\xff", 0),
		CASE("type 9, FORCERENEW", "\x35\1\x09\xff", -EPROTONOSUPPORT),
		CASE("type 255", "\x35\1\xff\xff", -EPROTONOSUPPORT),
		CASE("requested of 3 bytes", "\x35\1\1\x32\3\1\1\1\xff", -EBADMSG),
		CASE("requested twice", "\x35\1\1\x32\4\1\1\1\1\x32\4\1\1\1\1\xff", -EBADMSG),
		CASE("server id of 5 bytes", "\x35\1\1\x36\5\1\1\1\1\1\xff", -EBADMSG),
		CASE("max size of 1 byte", "\x35\1\1\x39\1\2\xff", -EBADMSG),
		CASE("lease of 3 bytes", "\x35\1\1\x33\3\1\2\3\xff", -EBADMSG),
		CASE("routers of 6 bytes", "\x35\1\1\3\6\1\1\1\1\1\1\xff", -EBADMSG),
		CASE("no DNS server", "\x35\1\1\6\0\xff", -EBADMSG),
		CASE("overload 0", "\x35\1\1\x34\1\0\xff", -EBADMSG),
		CASE("overload 4", "\x35\1\1\x34\1\4\xff", -EBADMSG),
		CASE("overload of two bytes", "\x35\1\1\x34\2\1\1\xff", -EBADMSG),
		CASE("two overloads", "\x35\1\1\x34\1\1\x34\1\2\xff", -EBADMSG),
		CASE("empty host name and identifier", "\x35\1\1\x0c\0\x3d\0\xff", 0),
	};
	struct dhcp4_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = parse_options(cases[i].bytes, cases[i].len, &m);

		if (r != cases[i].expected)
			fail_msg("%s: %d, not %d", cases[i].what, r, cases[i].expected);
	}
}

static void test_bad_header(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t byte;
		int expected;
	} cases[] = {
		{"op 0", 0, 0, -EBADMSG},
		{"op 3", 0, 3, -EBADMSG},
		{"a reply", 0, 2, 0},
		{"IEEE 1394", 1, 24, -EPROTONOSUPPORT},
		{"an address of 16 bytes", 2, 16, -EPROTONOSUPPORT},
		{"an address of 0 bytes", 2, 0, -EPROTONOSUPPORT},
		{"another cookie", 239, 0, -EBADMSG},
	};
	struct dhcp4_msg m = {.mtu = 99};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		packet_init(&p);
		packet_add(&p, "\x35\1\1\xff", 4);
		p.b[cases[i].at] = cases[i].byte;
		m.mtu = 99;
		r = dhcp4_parse(p.b, p.len, &m);
		if (r != cases[i].expected)
			fail_msg("%s: %d, not %d", cases[i].what, r, cases[i].expected);
		if (r < 0)
			assert_int_equal(m.mtu, 99); /* untouched on failure */
	}
	for (size_t len = 0; len < FIXED; len++) {
		packet_init(&p);
		assert_int_equal(dhcp4_parse(p.b, len, &m), -EBADMSG);
	}
}

/* RFC 2132 9.3: the file and sname fields may hold options; RFC 3396: one option over all three. */
static void test_overload(void **state)
{
	static const struct {
		uint8_t overload;
		const char *hostname;
	} cases[] = {{1, "onetwo"}, {2, "onethree"}, {3, "onetwothree"}};
	struct dhcp4_msg m;
	struct packet p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		packet_init(&p);
		memcpy(p.b + FILE_AT, "\x0c\3two\xff\x0c", 7);
		memcpy(p.b + SNAME_AT, "\x0c\5three\xff", 8);
		packet_add(&p, "\x35\1\1\x34\1", 5);
		packet_add(&p, &cases[i].overload, 1);
		packet_add(&p, "\x0c\3one\xff", 6);
		assert_int_equal(dhcp4_parse(p.b, p.len, &m), 0);
		assert_string_equal(m.hostname, cases[i].hostname);
	}

	packet_init(&p); /* the message type may be there too */
	memcpy(p.b + SNAME_AT, "\x35\1\3\xff", 4);
	packet_add(&p, "\x34\1\2\xff", 4);
	assert_int_equal(dhcp4_parse(p.b, p.len, &m), 0);
	assert_int_equal(m.type, DHCP4_REQUEST);

	packet_init(&p); /* without option 52 the fields are names */
	memcpy(p.b + FILE_AT, "\x0c\3two\xff", 6);
	packet_add(&p, "\x35\1\1\xff", 4);
	assert_int_equal(dhcp4_parse(p.b, p.len, &m), 0);
	assert_string_equal(m.hostname, "");

	packet_init(&p); /* an option in sname must end in sname */
	memcpy(p.b + SNAME_AT, "\x0c\x3f", 2);
	packet_add(&p, "\x35\1\1\x34\1\2\xff", 7);
	assert_int_equal(dhcp4_parse(p.b, p.len, &m), -EBADMSG);

	packet_init(&p); /* a second overload there says nothing */
	memcpy(p.b + SNAME_AT, "\x34\1\1\xff", 4);
	memcpy(p.b + FILE_AT, "\x0c\3two\xff", 6);
	packet_add(&p, "\x35\1\1\x34\1\2\xff", 7);
	assert_int_equal(dhcp4_parse(p.b, p.len, &m), 0);
	assert_string_equal(m.hostname, "");
}

static void test_split(void **state)
{
	uint8_t bytes[1600] = {53, 1, 1};
	struct dhcp4_msg m;
	size_t n = 3;

	(void)state;
	assert_int_equal(parse_options("\x35\1\1\x3d\2\1\2\x0c\1w\x3d\3\3\4\5\xff", 16, &m), 0);
	assert_int_equal(m.client_id_len, 5);
	assert_memory_equal(m.client_id, "\1\2\3\4\5", 5);
	assert_int_equal(parse_options("\x35\1\1\x32\2\x0a\0\x32\2\0\7\xff", 12, &m), 0);
	assert_true(ip4_equal(m.requested, addr("10.0.0.7")));

	for (; n + 2 + 200 <= sizeof(bytes); n += 202) { /* joined: longer than we keep */
		bytes[n] = 12;
		bytes[n + 1] = 200;
	}
	assert_int_equal(parse_options(bytes, n, &m), 0);
	bytes[3] = 61; /* 200 bytes of identifier are kept, 400 are more than can be echoed */
	assert_int_equal(parse_options(bytes, n, &m), 0);
	assert_int_equal(m.client_id_len, 200);
	bytes[205] = 61;
	assert_int_equal(parse_options(bytes, n, &m), 0);
	assert_int_equal(m.client_id_len, 0);
}

/* An option that is longer, in all its pieces, than any message we take. */
static void test_split_too_long(void **state)
{
	static uint8_t bytes[FIXED + 7 * 257 + 3];
	struct dhcp4_msg m;
	struct packet p;

	(void)state;
	packet_init(&p);
	memcpy(bytes, p.b, FIXED);
	memcpy(bytes + FIXED, "\x35\1\1", 3);
	for (size_t i = 0; i < 7; i++)
		memcpy(bytes + FIXED + 3 + 257 * i, "\x3c\xff", 2);
	assert_int_equal(dhcp4_parse(bytes, FIXED + 3 + 5 * 257, &m), 0);
	assert_int_equal(dhcp4_parse(bytes, sizeof(bytes), &m), -EBADMSG);
}

static void test_names(void **state)
{
	static const struct {
		const char *sent;
		const char *kept;
	} cases[] = {
		{"web1", "web1"},
		{"Web-1.Example", "Web-1.Example"},
		{"my_host name", "myhostname"},
		{"\xc3\xa9t\xc3\xa9", "t"},
		{"..--a--..", "a"},
		{"a..b", "a.b"},
		{"$(reboot)", "reboot"},
		{"\x1b[2J\n", "2J"},
		{"-.-", ""},
		{"0123456789012345678901234567890123456789012345678901234567890123456",
		 "012345678901234567890123456789012345678901234567890123456789012"},
		{"01234567890123456789012345678901234567890123456789012345678901.3",
		 "01234567890123456789012345678901234567890123456789012345678901"},
	};
	uint8_t bytes[128] = {53, 1, 1, 12};
	struct dhcp4_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = strlen(cases[i].sent);

		bytes[4] = (uint8_t)n;
		memcpy(bytes + 5, cases[i].sent, n);
		assert_int_equal(parse_options(bytes, 5 + n, &m), 0);
		assert_string_equal(m.hostname, cases[i].kept);
	}
	assert_int_equal(parse_options("\x35\1\1\x0c\5ab\0\0\0\xff", 11, &m), 0);
	assert_string_equal(m.hostname, "ab"); /* some clients send the NUL */
}

static void test_fqdn(void **state)
{
	static const struct {
		const char *what;
		const char *bytes;
		size_t len;
		const char *kept;
	} cases[] = {
		{"text", "\x51\x07\0\0\0web1", 9, "web1"},
		{"labels", "\x51\x0d\4\0\0\4web1\3lan\0", 15, "web1.lan"},
		{"labels without the root", "\x51\x08\4\0\0\4web1", 10, "web1"},
		{"a label cut short", "\x51\x08\4\0\0\7web1", 10, ""},
		{"a pointer", "\x51\x05\4\0\0\xc0\x0c", 7, ""},
		{"no name", "\x51\x03\4\0\0", 5, ""},
		{"too short", "\x51\x02\4\0", 4, ""},
		{"empty", "\x51\0", 2, ""},
		{"host name wins", "\x51\x07\0\0\0web1\x0c\2db", 13, "db"},
		{"unless it is empty", "\x51\x07\0\0\0web1\x0c\1_", 12, "web1"},
	};
	uint8_t bytes[64] = {53, 1, 1};
	struct dhcp4_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(bytes + 3, cases[i].bytes, cases[i].len);
		assert_int_equal(parse_options(bytes, 3 + cases[i].len, &m), 0);
		if (strcmp(m.hostname, cases[i].kept) != 0)
			fail_msg("%s: '%s'", cases[i].what, m.hostname);
	}
}

static void test_long_params(void **state)
{
	uint8_t bytes[3 + 2 + 200] = {53, 1, 1, 55, 200};
	struct dhcp4_msg m;

	(void)state;
	memset(bytes + 5, 3, 200);
	assert_int_equal(parse_options(bytes, sizeof(bytes), &m), 0);
	assert_int_equal(m.n_params, DHCP4_PARAMS_MAX);
}

/* A reply with every option set. */
static void reply_init(struct dhcp4_msg *m)
{
	*m = (struct dhcp4_msg){
		.op = 2,
		.xid = 0xcafe,
		.yiaddr = addr("192.168.122.50"),
		.chaddr = {{0x52, 0x54, 0, 0x39, 0xd3, 0xfe}},
		.type = DHCP4_ACK,
		.server_id = addr("192.168.122.1"),
		.client_id = {1, 2, 3},
		.client_id_len = 3,
		.hostname = "web1",
		.agent_info = {1, 2, 'p', '7'},
		.agent_info_len = 4,
		.mask = addr("255.255.255.0"),
		.router = addr("192.168.122.1"),
		.dns = {addr("203.0.113.1"), addr("203.0.113.2")},
		.n_dns = 2,
		.domain = "default.vm",
		.mtu = 1450,
		.broadcast_addr = addr("192.168.122.255"),
		.lease_s = 3600,
		.renew_s = 1800,
		.rebind_s = 3150,
	};
}

static void test_round_trip(void **state)
{
	uint8_t bytes[DHCP4_MSG_MAX];
	struct dhcp4_msg m, back;
	int len;

	(void)state;
	reply_init(&m);
	m.broadcast = true;
	m.secs = 7;
	m.giaddr = addr("192.168.122.2");
	len = dhcp4_build(&m, bytes, sizeof(bytes));
	assert_true(len >= 300);
	assert_int_equal(dhcp4_parse(bytes, (size_t)len, &back), 0);
	assert_null(dhcp4_difference(&back, &m));

	reply_init(&m);
	m.op = 1;
	m.type = DHCP4_REQUEST;
	m.requested = addr("192.168.122.50");
	m.max_size = 1400;
	m.n_params = 2;
	m.params[0] = 1;
	m.params[1] = 3;
	strcpy(m.vendor_class, "udhcp 1.35.0");
	strcpy(m.message, "hello");
	len = dhcp4_build(&m, bytes, sizeof(bytes));
	assert_true(len >= 300);
	assert_int_equal(dhcp4_parse(bytes, (size_t)len, &back), 0);
	assert_null(dhcp4_difference(&back, &m));
}

/* The bytes of a reply, as RFC 2131 and 2132 lay them out. */
static void test_build_bytes(void **state)
{
	static const uint8_t expected[] = {53, 1,  2, 54, 4,  192, 168, 122, 1, 51,
					   4,  0,  0, 14, 16, 58,  4,	0,   0, 7,
					   8,  59, 4, 0,  0,  12,  78,	255, 0, 0};
	struct dhcp4_msg m = {
		.op = 2,
		.xid = 0x01020304,
		.broadcast = true,
		.yiaddr = addr("192.168.122.50"),
		.chaddr = {{0x52, 0x54, 0, 0x39, 0xd3, 0xfe}},
		.type = DHCP4_OFFER,
		.server_id = addr("192.168.122.1"),
		.lease_s = 3600,
		.renew_s = 1800,
		.rebind_s = 3150,
	};
	uint8_t bytes[400];

	(void)state;
	assert_int_equal(dhcp4_build(&m, bytes, sizeof(bytes)), 300);
	assert_memory_equal(bytes, "\2\1\6\0\1\2\3\4\0\0\x80\0", 12);
	assert_memory_equal(bytes + 16, "\xc0\xa8\x7a\x32", 4);
	assert_memory_equal(bytes + 28, mac, sizeof(mac));
	assert_memory_equal(bytes + 236, cookie, sizeof(cookie));
	assert_memory_equal(bytes + FIXED, expected, sizeof(expected));
	for (size_t i = FIXED + sizeof(expected); i < 300; i++)
		assert_int_equal(bytes[i], 0);
}

/* A reply too big for the client: what is needed stays, and what is nice goes. */
static void test_build_limits(void **state)
{
	static const struct {
		uint16_t max_size;
		size_t limit;
	} cases[] = {{0, 548}, {300, 548}, {576, 548}, {577, 549}, {1000, 972}, {65535, 1472}};
	uint8_t bytes[DHCP4_MSG_MAX];
	struct dhcp4_msg m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int len;

		reply_init(&m);
		memset(m.domain, 'd', sizeof(m.domain) - 1);
		m.client_id_len = 200;
		m.max_size = cases[i].max_size;
		len = dhcp4_build(&m, bytes, sizeof(bytes));
		assert_in_range(len, 300, cases[i].limit);
		for (size_t o = 0; o < 8; o++)
			assert_true(option_sent(bytes, (size_t)len,
						(uint8_t[]){53, 54, 51, 58, 59, 1, 3, 61}[o]));
		assert_true(option_sent(bytes, (size_t)len, 82));
		assert_int_equal(option_sent(bytes, (size_t)len, 15), cases[i].limit > 900);
		assert_false(option_sent(bytes, (size_t)len, 57));
		assert_int_equal(bytes[len - 1], 255);
	}
}

/* Every length of client and agent identifiers: what is needed always fits the smallest client. */
static void test_build_worst_case(void **state)
{
	uint8_t bytes[DHCP4_MSG_MAX];
	struct dhcp4_msg m, back;

	(void)state;
	for (size_t id = 0; id <= 255; id += 5) {
		for (size_t agent = 0; agent <= 255; agent += 5) {
			int len;

			reply_init(&m);
			m.client_id_len = id;
			m.agent_info_len = agent;
			len = dhcp4_build(&m, bytes, sizeof(bytes));
			assert_in_range(len, 300, 548);
			assert_int_equal(dhcp4_parse(bytes, (size_t)len, &back), 0);
			assert_int_equal(back.client_id_len, id);
			assert_int_equal(back.rebind_s, m.rebind_s);
			assert_true(ip4_equal(back.router, m.router));
			assert_true(back.agent_info_len == 0 || back.agent_info_len == agent);
			/* echoed wherever it can be: 45 bytes of others and 308 in all */
			if (id + agent + 4 + 39 <= 307)
				assert_int_equal(back.agent_info_len, agent);
		}
	}
}

/* RFC 3046 2.2: last; RFC 2131 4.1: the end option closes. */
static void test_agent_info_last(void **state)
{
	uint8_t bytes[DHCP4_MSG_MAX];
	const uint8_t *value;
	struct dhcp4_msg m;
	size_t n;
	int len;

	(void)state;
	reply_init(&m);
	len = dhcp4_build(&m, bytes, sizeof(bytes));
	assert_true(len >= 300);
	value = option_find(bytes, (size_t)len, 82, &n);
	assert_non_null(value);
	assert_int_equal(n, 4);
	assert_memory_equal(value, m.agent_info, 4);
	assert_int_equal(value[n], 255);
}

static void test_build_small_buffer(void **state)
{
	uint8_t bytes[DHCP4_MSG_MAX];
	struct dhcp4_msg m;

	(void)state;
	reply_init(&m);
	for (size_t cap = 0; cap < 300; cap++)
		assert_int_equal(dhcp4_build(&m, bytes, cap), -ENOBUFS);
	memset(bytes, 0xaa, sizeof(bytes));
	assert_int_equal(dhcp4_build(&m, bytes, 300), 300);
	assert_int_equal(bytes[300], 0xaa);
	m.client_id_len = 255;
	assert_int_equal(dhcp4_build(&m, bytes, 300), -ENOBUFS);
}

static void test_type_name(void **state)
{
	(void)state;
	assert_string_equal(dhcp4_type_name(DHCP4_DISCOVER), "DISCOVER");
	assert_string_equal(dhcp4_type_name(DHCP4_INFORM), "INFORM");
	assert_string_equal(dhcp4_type_name((enum dhcp4_type)0), "?");
	assert_string_equal(dhcp4_type_name((enum dhcp4_type)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_udhcpc),
		cmocka_unit_test(test_dhclient),
		cmocka_unit_test(test_dhcpcd),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_too_long),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_fqdn),
		cmocka_unit_test(test_long_params),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_build_bytes),
		cmocka_unit_test(test_build_limits),
		cmocka_unit_test(test_build_worst_case),
		cmocka_unit_test(test_agent_info_last),
		cmocka_unit_test(test_build_small_buffer),
		cmocka_unit_test(test_type_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
