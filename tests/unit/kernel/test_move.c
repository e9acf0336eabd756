/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of what moves from a NIC to a bridge as messages, and of what is said on the LAN then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/announce.h"
#include "kernel/nic.h"
#include "kernel/rtnl_internal.h"
#include "kernel/rtnl_move.h"

static union {
	char bytes[1024];
	struct nlmsghdr nlh;
} message;

static const struct move there = {
	.nic = 7, .bridge = 9, .nic_name = "eth0", .bridge_name = "vl-lan", .now_us = 11000000};

static struct takeover_snapshot snapshot = {.ifname = "eth0", .ifindex = 7, .taken_us = 1000000};

static void *begin(uint16_t type, size_t header_size)
{
	memset(&message, 0, sizeof(message));
	mnl_nlmsg_put_header(message.bytes)->nlmsg_type = type;
	return mnl_nlmsg_put_extra_header(&message.nlh, header_size);
}

static void make_addr(int ifindex, uint8_t family, const char *label)
{
	const struct ifa_cacheinfo ci = {.ifa_prefered = 5, .ifa_valid = 100};
	struct ifaddrmsg *ifa = begin(RTM_NEWADDR, sizeof(*ifa));

	ifa->ifa_family = family;
	ifa->ifa_prefixlen = 24;
	ifa->ifa_index = (uint32_t)ifindex;
	mnl_attr_put_u32(&message.nlh, IFA_LOCAL, htonl(0xcb007102));
	mnl_attr_put_strz(&message.nlh, IFA_LABEL, label);
	mnl_attr_put_u32(&message.nlh, IFA_FLAGS, IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT);
	mnl_attr_put(&message.nlh, IFA_CACHEINFO, sizeof(ci), &ci);
}

static const struct nlattr *find(const struct nlmsghdr *nlh, size_t head, uint16_t type)
{
	struct rtnl_attrs attrs = rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(head));
	const struct nlattr *attr;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

/* The message of @op for what is in @message, moved by @m. */
static struct nlmsghdr *moved(const struct move *m, enum takeover_op op)
{
	static union {
		char bytes[MOVE_MESSAGE_MAX];
		struct nlmsghdr nlh;
	} out;
	struct takeover_item item;
	bool nexthop = false;

	assert_int_equal(holding_parse(&message.nlh, 7, "eth0", &item, &nexthop), 1);
	assert_false(nexthop);
	assert_true(move_message(m, &snapshot, op, &item, out.bytes) > 0);
	return &out.nlh;
}

static void test_address(void **state)
{
	const struct nlmsghdr *nlh;
	const struct ifaddrmsg *ifa;
	struct ifa_cacheinfo ci;
	struct move back = there;

	(void)state;
	make_addr(7, AF_INET, "eth0:1");
	nlh = moved(&there, TAKEOVER_ADD);
	ifa = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(nlh->nlmsg_type, RTM_NEWADDR);
	assert_int_equal(ifa->ifa_index, 9);
	assert_int_equal(ifa->ifa_prefixlen, 24);
	assert_string_equal(mnl_attr_get_str(find(nlh, sizeof(*ifa), IFA_LABEL)), "vl-lan:1");
	assert_int_equal(mnl_attr_get_u32(find(nlh, sizeof(*ifa), IFA_FLAGS)), IFA_F_NOPREFIXROUTE);
	/* Ten seconds have gone, and a lifetime that is over is not "for ever". */
	memcpy(&ci, mnl_attr_get_payload(find(nlh, sizeof(*ifa), IFA_CACHEINFO)), sizeof(ci));
	assert_int_equal(ci.ifa_valid, 90);
	assert_int_equal(ci.ifa_prefered, 1);
	nlh = moved(&there, TAKEOVER_DEL);
	ifa = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(nlh->nlmsg_type, RTM_DELADDR);
	assert_int_equal(ifa->ifa_index, 7);
	assert_string_equal(mnl_attr_get_str(find(nlh, sizeof(*ifa), IFA_LABEL)), "eth0:1");
	back.home = true;
	nlh = moved(&back, TAKEOVER_ADD);
	ifa = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(ifa->ifa_index, 7);
	/* A label that is not the interface's, or has no room behind the new name, stays. */
	make_addr(7, AF_INET, "eth0extra");
	nlh = moved(&there, TAKEOVER_ADD);
	assert_string_equal(mnl_attr_get_str(find(nlh, sizeof(*ifa), IFA_LABEL)), "eth0extra");
	make_addr(7, AF_INET, "eth0:long-label");
	nlh = moved(&there, TAKEOVER_ADD);
	assert_string_equal(mnl_attr_get_str(find(nlh, sizeof(*ifa), IFA_LABEL)),
			    "eth0:long-label");
}

static void test_no_dad(void **state)
{
	size_t head = sizeof(struct ifaddrmsg);

	(void)state;
	make_addr(7, AF_INET6, "x");
	assert_int_equal(mnl_attr_get_u32(find(moved(&there, TAKEOVER_ADD), head, IFA_FLAGS)),
			 IFA_F_NOPREFIXROUTE | IFA_F_NODAD);
	assert_int_equal(mnl_attr_get_u32(find(moved(&there, TAKEOVER_SETTLE), head, IFA_FLAGS)),
			 IFA_F_NOPREFIXROUTE);
}

static void make_route(int oif, uint32_t table)
{
	struct rtmsg *rtm = begin(RTM_NEWROUTE, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_flags = RTNH_F_ONLINK | RTNH_F_LINKDOWN | RTNH_F_DEAD;
	mnl_attr_put_u32(&message.nlh, RTA_TABLE, table);
	mnl_attr_put_u32(&message.nlh, RTA_OIF, (uint32_t)oif);
	mnl_attr_put_u32(&message.nlh, RTA_GATEWAY, htonl(0xcb007101));
	mnl_attr_put_u32(&message.nlh, 200, 4711); /* of a kernel of the future */
}

static void test_route(void **state)
{
	size_t head = sizeof(struct rtmsg);
	struct takeover_item item;
	const struct nlmsghdr *nlh;
	const struct rtmsg *rtm;
	bool nexthop = false;

	(void)state;
	make_route(7, 100);
	nlh = moved(&there, TAKEOVER_ADD);
	rtm = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(rtm->rtm_flags, RTNH_F_ONLINK);
	assert_int_equal(mnl_attr_get_u32(find(nlh, head, RTA_OIF)), 9);
	assert_int_equal(mnl_attr_get_u32(find(nlh, head, RTA_TABLE)), 100);
	assert_int_equal(mnl_attr_get_u32(find(nlh, head, 200)), 4711);
	make_route(8, 254);
	assert_int_equal(holding_parse(&message.nlh, 7, "eth0", &item, &nexthop), 0);
	make_route(7, RT_TABLE_LOCAL);
	assert_int_equal(holding_parse(&message.nlh, 7, "eth0", &item, &nexthop), 0);
	assert_false(nexthop);
	make_route(7, 254);
	mnl_attr_put_u32(&message.nlh, RTA_NH_ID, 1);
	assert_int_equal(holding_parse(&message.nlh, 7, "eth0", &item, &nexthop), 0);
	assert_true(nexthop);
}

/* Cut anywhere, nothing is read behind the end. */
static void test_cut(void **state)
{
	(void)state;
	make_route(7, 254);
	for (uint32_t len = NLMSG_HDRLEN; len < message.nlh.nlmsg_len; len++) {
		struct nlmsghdr *copy = malloc(len);
		struct takeover_item item;
		bool nexthop = false;
		char buf[MOVE_MESSAGE_MAX];

		assert_non_null(copy);
		memcpy(copy, &message, len);
		copy->nlmsg_len = len;
		if (len > NLMSG_HDRLEN && holding_parse(copy, 7, "eth0", &item, &nexthop) == 1)
			assert_true(move_message(&there, &snapshot, TAKEOVER_ADD, &item, buf) > 0);
		free(copy);
	}
}

static void test_announce(void **state)
{
	static const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	static const uint8_t arp[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   1, 8, 6,
				      0,    1,	  8,	0,    6,    4,	  0, 1, 2, 0, 0,   0, 0, 1,
				      192,  0,	  2,	1,    0,    0,	  0, 0, 0, 0, 192, 0, 2, 1};
	uint8_t buf[ANNOUNCE_MAX];
	struct in6_addr six;
	uint32_t check = 32 + IPPROTO_ICMPV6;

	(void)state;
	assert_int_equal(announce_arp((struct in_addr){htonl(0xc0000201)}, &mac, buf), sizeof(arp));
	assert_memory_equal(buf, arp, sizeof(arp));
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &six), 1);
	assert_int_equal(announce_na(&six, &mac, buf), 14 + 40 + 32);
	assert_int_equal(buf[54], 136);
	/* RFC 4443 2.3: over addresses, length, protocol and message it sums up to all ones. */
	for (size_t i = 22; i < 14 + 40 + 32; i += 2)
		check += (uint32_t)(buf[i] << 8 | buf[i + 1]);
	while (check >> 16)
		check = (check & 0xffff) + (check >> 16);
	assert_int_equal(check, 0xffff);
}

static const struct {
	const char *words[6];
	bool is;
} cmdlines[] = {
	{{"dhclient", "-4", "-v", "eth0"}, true},
	{{"/sbin/dhclient", "-pf", "/run/dhclient.eth1.pid", "eth1"}, false},
	{{"busybox", "udhcpc", "-i", "eth0"}, true},
	{{"udhcpc", "-ieth0", "-f"}, true},
	{{"dhcpcd: eth0 [ip4]"}, true},
	{{"dhcpcd: eth01 [ip4]"}, false},
	{{"vi", "dhclient", "of", "eth0"}, true}, /* as good as it gets: a script's name is there */
	{{"tcpdump", "-i", "eth0", "dhclient"}, false},
	{{"dhclient"}, false},
};

static void test_cmdlines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cmdlines); i++) {
		char text[256];
		size_t len = 0;

		for (size_t w = 0; w < 6 && cmdlines[i].words[w]; w++) {
			strcpy(text + len, cmdlines[i].words[w]);
			len += strlen(cmdlines[i].words[w]) + 1;
		}
		if (nic_dhcp_cmdline(text, len, "eth0") != cmdlines[i].is)
			fail_msg("%s %s", cmdlines[i].words[0], cmdlines[i].words[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),	 cmocka_unit_test(test_no_dad),
		cmocka_unit_test(test_route),	 cmocka_unit_test(test_cut),
		cmocka_unit_test(test_announce), cmocka_unit_test(test_cmdlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
