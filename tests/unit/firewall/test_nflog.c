// SPDX-License-Identifier: GPL-2.0-or-later
/* Tests of src/firewall/nflog_msg.c: what NFLOG's messages say, and packets in words; no kernel is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/nflog.h"

#define PACKET (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)
#define MESSAGE_MAX 1024

static _Alignas(struct nlmsghdr) char message[MESSAGE_MAX];

static struct nlmsghdr *begin(uint16_t type)
{
	struct nlmsghdr *nlh;

	memset(message, 0, sizeof(message));
	nlh = mnl_nlmsg_put_header(message);
	nlh->nlmsg_type = type;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	return nlh;
}

static void put_mac(struct nlmsghdr *nlh, uint16_t len)
{
	struct nfulnl_msg_packet_hw hw = {.hw_addrlen = htons(len),
					  .hw_addr = {0x52, 0x54, 0, 0, 0, 1}};

	mnl_attr_put(nlh, NFULA_HWADDR, sizeof(hw), &hw);
}

/* The message's copy ends where it ends, for the sanitizers. */
static int parse(const struct nlmsghdr *nlh, size_t len, struct nflog_packet *ret)
{
	static void *copy;

	free(copy);
	copy = malloc(len);
	assert_non_null(copy);
	memcpy(copy, nlh, len);
	return nflog_parse(copy, len, ret);
}

static void test_whole(void **state)
{
	struct nlmsghdr *nlh = begin(PACKET);
	struct nflog_packet p;
	char mac[MAC_STRLEN];

	(void)state;
	put_mac(nlh, 6);
	mnl_attr_put_strz(nlh, NFULA_PREFIX, "lab/0123456789abcdef");
	mnl_attr_put_u32(nlh, NFULA_MARK, 7);
	mnl_attr_put(nlh, NFULA_PAYLOAD, 5, "hello");
	assert_int_equal(parse(nlh, nlh->nlmsg_len, &p), 0);
	assert_string_equal(p.prefix, "lab/0123456789abcdef");
	assert_true(p.has_mac);
	assert_string_equal(mac_format(&p.mac, mac), "52:54:00:00:00:01");
	assert_int_equal(p.len, 5);
	assert_memory_equal(p.data, "hello", 5);
}

/* A locally made packet has no MAC, InfiniBand's is none of ours; a prefix need not end, or be there. */
static void test_less(void **state)
{
	struct nlmsghdr *nlh = begin(PACKET);
	char prefix[300];
	struct nflog_packet p;

	(void)state;
	memset(prefix, 'p', sizeof(prefix));
	put_mac(nlh, 8);
	mnl_attr_put(nlh, NFULA_PREFIX, sizeof(prefix), prefix);
	mnl_attr_put(nlh, NFULA_PAYLOAD, 1, "x");
	assert_int_equal(parse(nlh, nlh->nlmsg_len, &p), 0);
	assert_false(p.has_mac);
	assert_int_equal(strlen(p.prefix), NFLOG_PREFIX_MAX - 1);
	nlh = begin(PACKET);
	mnl_attr_put(nlh, NFULA_HWADDR, 4, "\0\6\0\0");
	mnl_attr_put(nlh, NFULA_PAYLOAD, 0, "");
	assert_int_equal(parse(nlh, nlh->nlmsg_len, &p), 0);
	assert_false(p.has_mac);
	assert_int_equal(p.len, 0);
	assert_string_equal(p.prefix, "");
}

static void test_none(void **state)
{
	struct nflog_packet p = {.len = 77};
	struct nlmsghdr *nlh = begin(PACKET);

	(void)state;
	assert_int_equal(parse(nlh, nlh->nlmsg_len, &p), -EBADMSG); /* no packet */
	nlh = begin(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG);
	mnl_attr_put(nlh, NFULA_PAYLOAD, 5, "hello");
	assert_int_equal(parse(nlh, nlh->nlmsg_len, &p), -ENOMSG);
	nlh = begin(PACKET);
	mnl_attr_put(nlh, NFULA_PAYLOAD, 5, "hello");
	/* Cut short anywhere; and all that it says it has is not there. */
	for (size_t len = sizeof(*nlh); len < nlh->nlmsg_len; len++)
		assert_int_equal(parse(nlh, len, &p), -EBADMSG);
	for (uint32_t len = 0; len < 29; len++) {
		nlh->nlmsg_len = len;
		assert_int_equal(parse(nlh, 32, &p), -EBADMSG);
	}
	assert_int_equal(p.len, 77);
}

static void test_words(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *words;
		const char *dst; /* NULL: not told */
	} rows[] = {
#define IP4(ihl, proto) ihl "\0\0\0\0\0\0\0\x40" proto "\0\0\xc0\xa8\x7a\x0a\xc6\x33\x64\x07"
#define IP6(proto)                                                                                 \
	"\x60\0\0\0\0\0" proto "\x40\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"                            \
	"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
		{IP4("\x45", "\x06") "\x10\x92\0\x19", 24,
		 "tcp 192.168.122.10:4242 > 198.51.100.7:25", "198.51.100.7"},
		{IP4("\x45", "\x11") "\x10\x92\0\x19", 24,
		 "udp 192.168.122.10:4242 > 198.51.100.7:25", "198.51.100.7"},
		{IP4("\x46", "\x84") "optn\x10\x92\0\x19", 28,
		 "sctp 192.168.122.10:4242 > 198.51.100.7:25", "198.51.100.7"},
		{IP4("\x45", "\x06") "\x10\x92\0", 23, "protocol 6 192.168.122.10 > 198.51.100.7",
		 "198.51.100.7"},
		{IP4("\x45", "\x01") "\x08", 21, "icmp type 8 192.168.122.10 > 198.51.100.7",
		 "198.51.100.7"},
		{IP4("\x45", "\x2f"), 20, "protocol 47 192.168.122.10 > 198.51.100.7",
		 "198.51.100.7"},
		{IP6("\x06") "\x10\x92\0\x19", 44, "tcp [fd00::1]:4242 > [fd00::2]:25", NULL},
		{IP6("\x3a") "\x80", 41, "icmpv6 type 128 fd00::1 > fd00::2", NULL},
		{IP6("\x2b"), 40, "protocol 43 fd00::1 > fd00::2", NULL},
		/* Headers that are longer than the packet, or too short; other versions; nothing. */
		{IP4("\x46", "\x06") "\x10\x92\0", 23, "?", "198.51.100.7"},
		{IP4("\x44", "\x06") "\x10\x92\0\x19", 24, "?", "198.51.100.7"},
		{IP4("\x45", "\x06"), 19, "?", NULL},
		{IP6("\x06"), 39, "?", NULL},
		{"\x50", 1, "?", NULL},
		{"", 0, "?", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char words[160], dst[IP4_STRLEN];
		struct in_addr to = {.s_addr = 1};
		uint8_t *copy = malloc(rows[i].len + 1);

		assert_non_null(copy);
		memcpy(copy, rows[i].data, rows[i].len);
		nflog_words(copy, rows[i].len, words, sizeof(words), &to);
		assert_string_equal(words, rows[i].words);
		assert_string_equal(ip4_format(to, dst), rows[i].dst ? rows[i].dst : "0.0.0.0");
		nflog_words(copy, rows[i].len, words, sizeof(words), NULL);
		assert_string_equal(words, rows[i].words);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_less),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
