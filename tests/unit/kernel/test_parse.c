/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/kernel/rtnl_parse.c: messages made here, whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rtnl_internal.h"

static union {
	char bytes[1024];
	struct nlmsghdr nlh;
} message;

static struct nlmsghdr *begin(uint16_t type, size_t header_size, void **ret_header)
{
	memset(&message, 0, sizeof(message));
	mnl_nlmsg_put_header(message.bytes)->nlmsg_type = type;
	*ret_header = mnl_nlmsg_put_extra_header(&message.nlh, header_size);
	return &message.nlh;
}

static struct nlmsghdr *port_message(void)
{
	static const struct mac mac = {{0x52, 0x54, 0, 1, 2, 3}};
	struct rtnl_link_stats64 stats = {.rx_packets = 1,
					  .tx_packets = 2,
					  .rx_bytes = 3,
					  .tx_bytes = 4,
					  .rx_dropped = 5,
					  .tx_dropped = 6};
	struct nlattr *info, *data;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = 7;
	ifi->ifi_flags = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "vl-web1");
	mnl_attr_put_strz(nlh, IFLA_IFALIAS, "vmlane:guest=web1");
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac.b), mac.b);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1400);
	mnl_attr_put_u32(nlh, IFLA_MASTER, 3);
	mnl_attr_put_u8(nlh, IFLA_CARRIER, 1);
	mnl_attr_put(nlh, IFLA_STATS64, sizeof(stats), &stats);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "tun");
	mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(nlh, IFLA_BRPORT_STATE, PORT_FORWARDING);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return nlh;
}

static void test_port(void **state)
{
	struct link_state l;

	(void)state;
	assert_int_equal(rtnl_parse_link(port_message(), &l), 1);
	assert_int_equal(l.ifindex, 7);
	assert_string_equal(l.name, "vl-web1");
	assert_string_equal(l.alias, "vmlane:guest=web1");
	assert_string_equal(l.kind, "tun");
	assert_int_equal(l.mac.b[5], 3);
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(l.master, 3);
	assert_true(l.up);
	assert_true(l.carrier);
	assert_int_equal(l.port_state, PORT_FORWARDING);
	assert_int_equal(l.rx_packets, 1);
	assert_int_equal(l.tx_bytes, 4);
	assert_int_equal(l.tx_dropped, 6);
}

static struct nlmsghdr *conf_message(size_t n_conf, uint32_t localnet)
{
	uint32_t conf[IPV4_DEVCONF_MAX] = {0};
	struct nlattr *spec, *family;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, sizeof(*ifi), (void **)&ifi);

	conf[IPV4_DEVCONF_ROUTE_LOCALNET - 1] = localnet;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "vl-a");
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u32(nlh, IFLA_INET6_FLAGS, 1);
	mnl_attr_nest_end(nlh, family);
	family = mnl_attr_nest_start(nlh, AF_INET);
	mnl_attr_put(nlh, IFLA_INET_CONF, n_conf * sizeof(conf[0]), conf);
	mnl_attr_nest_end(nlh, family);
	mnl_attr_nest_end(nlh, spec);
	return nlh;
}

static void test_route_localnet(void **state)
{
	struct link_state l;

	(void)state;
	assert_int_equal(rtnl_parse_link(conf_message(IPV4_DEVCONF_MAX, 1), &l), 1);
	assert_true(l.route_localnet);
	assert_int_equal(rtnl_parse_link(conf_message(IPV4_DEVCONF_MAX, 0), &l), 1);
	assert_false(l.route_localnet);
	/* A kernel that has fewer of them. */
	assert_int_equal(rtnl_parse_link(conf_message(IPV4_DEVCONF_ROUTE_LOCALNET - 1, 1), &l), 1);
	assert_false(l.route_localnet);
}

static void test_bridge(void **state)
{
	struct nlattr *info, *data;
	struct link_state l;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, sizeof(*ifi), (void **)&ifi);

	(void)state;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "br0");
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, 1);
	mnl_attr_put_u32(nlh, IFLA_BR_FORWARD_DELAY, 1500);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	assert_int_equal(rtnl_parse_link(nlh, &l), 1);
	assert_true(l.stp);
	assert_int_equal(l.forward_delay, 1500);
	assert_false(l.up);
	assert_false(l.carrier);
}

static void test_long_alias_is_cut(void **state)
{
	char alias[200];
	struct link_state l;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, sizeof(*ifi), (void **)&ifi);

	(void)state;
	memset(alias, 'a', sizeof(alias));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	mnl_attr_put(nlh, IFLA_IFALIAS, sizeof(alias), alias);
	assert_int_equal(rtnl_parse_link(nlh, &l), 1);
	assert_int_equal(strlen(l.alias), ALIAS_MAX - 1);
}

/* The bridge says "the port left me" with RTM_DELLINK: the link is still there. */
static void test_bridge_family_is_passed_over(void **state)
{
	struct link_state l;
	struct nlmsghdr *nlh = port_message();

	(void)state;
	((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_family = AF_BRIDGE;
	nlh->nlmsg_type = RTM_DELLINK;
	assert_int_equal(rtnl_parse_link(nlh, &l), 0);
}

static struct nlmsghdr *route_message(uint32_t table, uint8_t type)
{
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;

	nlh = begin(RTM_NEWROUTE, sizeof(*rtm), (void **)&rtm);
	rtm->rtm_family = AF_INET;
	rtm->rtm_type = type;
	rtm->rtm_dst_len = 0;
	mnl_attr_put_u32(nlh, RTA_TABLE, table);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, 100);
	return nlh;
}

static void put_nexthop(struct nlmsghdr *nlh, int oif, const char *gateway)
{
	struct rtnexthop nh = {.rtnh_len = sizeof(nh) + 8, .rtnh_ifindex = oif};
	char *at = (char *)nlh + nlh->nlmsg_len;
	struct in_addr gw;

	assert_int_equal(ip4_parse(gateway, &gw), 0);
	memcpy(at, &nh, sizeof(nh));
	nlh->nlmsg_len += (uint32_t)sizeof(nh);
	mnl_attr_put(nlh, RTA_GATEWAY, sizeof(gw), &gw);
}

static struct nlmsghdr *multipath_message(void)
{
	struct nlmsghdr *nlh = route_message(254, RTN_UNICAST);
	struct nlattr *nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);

	put_nexthop(nlh, 4, "203.0.113.1");
	put_nexthop(nlh, 5, "198.51.100.1");
	mnl_attr_nest_end(nlh, nest);
	return nlh;
}

static void test_multipath_is_a_route_each(void **state)
{
	struct rtnl_array out = {.size = sizeof(struct route_state)};
	const struct route_state *r;
	char text[IP4_STRLEN];

	(void)state;
	assert_int_equal(rtnl_parse_route(multipath_message(), &out), 2);
	assert_int_equal(out.n, 2);
	r = out.v;
	assert_int_equal(r[0].oif, 4);
	assert_int_equal(r[1].oif, 5);
	assert_string_equal(ip4_format(r[1].gateway, text), "198.51.100.1");
	assert_int_equal(r[1].table, 254);
	assert_int_equal(r[1].metric, 100);
	free(out.v);
}

static void test_routes_that_do_not_count(void **state)
{
	struct rtnl_array out = {.size = sizeof(struct route_state)};

	(void)state;
	assert_int_equal(rtnl_parse_route(route_message(RT_TABLE_LOCAL, RTN_UNICAST), &out), 0);
	assert_int_equal(rtnl_parse_route(route_message(254, RTN_BLACKHOLE), &out), 0);
	assert_int_equal(rtnl_parse_route(route_message(1000, RTN_UNICAST), &out), 1);
	assert_int_equal(((struct route_state *)out.v)->table, 1000);
	free(out.v);
}

static struct nlmsghdr *route6_message(uint8_t type, uint8_t protocol)
{
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;

	nlh = begin(RTM_NEWROUTE, sizeof(*rtm), (void **)&rtm);
	rtm->rtm_family = AF_INET6;
	rtm->rtm_type = type;
	rtm->rtm_protocol = protocol;
	mnl_attr_put_u32(nlh, RTA_TABLE, 254);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, 1024);
	return nlh;
}

static void test_routes6(void **state)
{
	struct rtnl_array out = {.size = sizeof(struct route6_state)};
	struct nlmsghdr *nlh = route6_message(RTN_UNICAST, RTPROT_RA);
	const struct route6_state *r;
	struct nlattr *nest;

	(void)state;
	mnl_attr_put_u32(nlh, RTA_OIF, 3);
	assert_int_equal(rtnl_parse_route6(nlh, &out), 1);
	assert_int_equal(rtnl_parse_route6(route6_message(RTN_UNREACHABLE, 0), &out), 0);
	assert_int_equal(rtnl_parse_route6(route_message(254, RTN_UNICAST), &out), 0);
	nlh = route6_message(RTN_UNICAST, RTPROT_STATIC);
	nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);
	put_nexthop(nlh, 4, "0.0.0.0");
	put_nexthop(nlh, 5, "0.0.0.0");
	mnl_attr_nest_end(nlh, nest);
	assert_int_equal(rtnl_parse_route6(nlh, &out), 2);
	assert_int_equal(rtnl_parse_route(nlh, &out), 0);
	assert_int_equal(out.n, 3);
	r = out.v;
	assert_true(r[0].by_ra && r[0].oif == 3 && r[0].metric == 1024 && r[0].table == 254);
	assert_true(!r[1].by_ra && r[1].oif == 4 && r[2].oif == 5 && r[2].dst.len == 0);
	free(out.v);
}

/* With a peer there are both, ours being the local one, in whichever order. */
static void test_addresses6(void **state)
{
	struct in6_addr ours, peer;
	struct ifaddrmsg *ifa;
	struct addr6_state a;
	struct nlmsghdr *nlh;

	(void)state;
	assert_int_equal(ip6_parse("fd00::1", &ours), 0);
	assert_int_equal(ip6_parse("fd00::2", &peer), 0);
	for (int order = 0; order < 3; order++) {
		nlh = begin(RTM_NEWADDR, sizeof(*ifa), (void **)&ifa);
		ifa->ifa_family = AF_INET6;
		ifa->ifa_prefixlen = 64;
		ifa->ifa_index = 7;
		assert_int_equal(rtnl_parse_addr6(nlh, &a), 0);
		if (order == 1)
			mnl_attr_put(nlh, IFA_ADDRESS, sizeof(peer), &peer);
		mnl_attr_put(nlh, order ? IFA_LOCAL : IFA_ADDRESS, sizeof(ours), &ours);
		if (order == 2)
			mnl_attr_put(nlh, IFA_ADDRESS, sizeof(peer), &peer);
		assert_int_equal(rtnl_parse_addr6(nlh, &a), 1);
		assert_int_equal(a.ifindex, 7);
		assert_int_equal(a.prefix.len, 64);
		assert_true(ip6_equal(&a.prefix.addr, &ours));
	}
	ifa->ifa_prefixlen = 129;
	assert_int_equal(rtnl_parse_addr6(nlh, &a), 0);
	ifa->ifa_prefixlen = 64;
	ifa->ifa_family = AF_INET;
	assert_int_equal(rtnl_parse_addr6(nlh, &a), 0);
}

static struct nlmsghdr *fdb_message(uint16_t ndm_state, bool vlan)
{
	static const struct mac mac = {{0x52, 0x54, 0, 1, 2, 3}};
	struct nda_cacheinfo age = {.ndm_updated = 4200};
	struct nlmsghdr *nlh;
	struct ndmsg *nd;

	nlh = begin(RTM_NEWNEIGH, sizeof(*nd), (void **)&nd);
	nd->ndm_family = AF_BRIDGE;
	nd->ndm_ifindex = 9;
	nd->ndm_state = ndm_state;
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(mac.b), mac.b);
	mnl_attr_put_u32(nlh, NDA_MASTER, 3);
	mnl_attr_put(nlh, NDA_CACHEINFO, sizeof(age), &age);
	if (vlan)
		mnl_attr_put_u16(nlh, NDA_VLAN, 1);
	return nlh;
}

static void test_fdb(void **state)
{
	struct fdb_entry f;
	struct nlmsghdr *nlh;

	(void)state;
	assert_int_equal(rtnl_parse_fdb(fdb_message(NUD_REACHABLE, false), &f), 1);
	assert_int_equal(f.bridge, 3);
	assert_int_equal(f.port, 9);
	assert_int_equal(f.age_s, 4200 / sysconf(_SC_CLK_TCK));
	assert_false(f.local || f.is_static);
	assert_int_equal(rtnl_parse_fdb(fdb_message(NUD_NOARP, true), &f), 1);
	assert_true(f.is_static && !f.local);
	assert_int_equal(rtnl_parse_fdb(fdb_message(NUD_PERMANENT, false), &f), 1);
	assert_true(f.local && !f.is_static);
	/* the same MAC again, for a VLAN */
	assert_int_equal(rtnl_parse_fdb(fdb_message(NUD_PERMANENT, true), &f), 0);
	/* a NIC's own filter has no master */
	nlh = fdb_message(NUD_PERMANENT, false);
	nlh->nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg)) + 12;
	assert_int_equal(rtnl_parse_fdb(nlh, &f), 0);
}

static void parse_all(const struct nlmsghdr *nlh)
{
	struct rtnl_array routes = {.size = sizeof(struct route_state)};
	struct neigh_entry neigh;
	struct addr_state addr;
	struct link_state link;
	struct fdb_entry fdb;

	rtnl_parse_link(nlh, &link);
	rtnl_parse_addr(nlh, &addr);
	assert_true(rtnl_parse_route(nlh, &routes) >= 0);
	rtnl_parse_neigh(nlh, &neigh);
	rtnl_parse_fdb(nlh, &fdb);
	free(routes.v);
}

/* Cut anywhere, or with any one byte wrong, no read leaves the message (the sanitizers watch). */
static void harm(const struct nlmsghdr *nlh)
{
	uint32_t len = nlh->nlmsg_len;

	for (uint32_t n = NLMSG_HDRLEN; n <= len; n++) {
		struct nlmsghdr *cut = malloc(n);

		assert_non_null(cut);
		memcpy(cut, nlh, n);
		cut->nlmsg_len = n;
		parse_all(cut);
		for (uint32_t i = NLMSG_HDRLEN; n == len && i < n; i++) {
			uint8_t *b = (uint8_t *)cut + i, was = *b;

			*b = 0xff;
			parse_all(cut);
			*b = 1;
			parse_all(cut);
			*b = was;
		}
		free(cut);
	}
}

static void test_harm(void **state)
{
	(void)state;
	harm(port_message());
	harm(multipath_message());
	harm(fdb_message(NUD_REACHABLE, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_route_localnet),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_long_alias_is_cut),
		cmocka_unit_test(test_bridge_family_is_passed_over),
		cmocka_unit_test(test_multipath_is_a_route_each),
		cmocka_unit_test(test_routes_that_do_not_count),
		cmocka_unit_test(test_routes6),
		cmocka_unit_test(test_addresses6),
		cmocka_unit_test(test_fdb),
		cmocka_unit_test(test_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
