/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_parse.c - single rtnetlink messages -> structs. Pure: no socket. Every attribute is taken
 * only when it is long enough. Used by rtnl_dump.c (answers) and rtnl_monitor.c (events).
 */
#include "kernel/rtnl_internal.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* NLA_ALIGN() and RTNH_ALIGN(), without their signs. */
static size_t align4(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

const struct nlmsghdr *rtnl_messages_next(struct rtnl_messages *m)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)m->p;
	size_t step;

	if (m->left < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > m->left)
		return NULL;
	step = size_min(align4(nlh->nlmsg_len), m->left);
	m->p += step;
	m->left -= step;
	return nlh;
}

struct rtnl_attrs rtnl_attrs_of(const struct nlmsghdr *nlh, size_t offset)
{
	if (offset > nlh->nlmsg_len)
		return (struct rtnl_attrs){0};
	return (struct rtnl_attrs){.p = (const char *)nlh + offset,
				   .left = nlh->nlmsg_len - offset};
}

struct rtnl_attrs rtnl_attrs_in(const struct nlattr *attr)
{
	return (struct rtnl_attrs){.p = mnl_attr_get_payload(attr),
				   .left = mnl_attr_get_payload_len(attr)};
}

const struct nlattr *rtnl_attrs_next(struct rtnl_attrs *a)
{
	const struct nlattr *attr = (const struct nlattr *)a->p;
	size_t step;

	if (a->left < sizeof(*attr) || attr->nla_len < sizeof(*attr) || attr->nla_len > a->left)
		return NULL;
	step = size_min(align4(attr->nla_len), a->left);
	a->p += step;
	a->left -= step;
	return attr;
}

bool rtnl_attr_copy(const struct nlattr *attr, void *out, size_t len)
{
	if (mnl_attr_get_payload_len(attr) < len)
		return false;
	memcpy(out, mnl_attr_get_payload(attr), len);
	return true;
}

void rtnl_attr_text(const struct nlattr *attr, char *out, size_t size)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	len = size_min(len, size - 1);
	memcpy(out, mnl_attr_get_payload(attr), len);
	out[len] = '\0';
}

static void parse_bridge_data(const struct nlattr *data, struct link_state *l)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(data);
	const struct nlattr *attr;
	uint32_t stp = 0;
	uint8_t filtering = 0;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == IFLA_BR_STP_STATE && rtnl_attr_copy(attr, &stp, 4))
			l->stp = stp != 0;
		else if (mnl_attr_get_type(attr) == IFLA_BR_FORWARD_DELAY)
			rtnl_attr_copy(attr, &l->forward_delay, sizeof(l->forward_delay));
		else if (mnl_attr_get_type(attr) == IFLA_BR_VLAN_FILTERING)
			rtnl_attr_copy(attr, &filtering, sizeof(filtering));
		/* Only kernels that can filter VLANs tell of this one. */
		else if (mnl_attr_get_type(attr) == IFLA_BR_VLAN_DEFAULT_PVID)
			l->has_vlans =
				rtnl_attr_copy(attr, &l->default_pvid, sizeof(l->default_pvid));
		else if (mnl_attr_get_type(attr) == IFLA_BR_AGEING_TIME)
			rtnl_attr_copy(attr, &l->ageing, sizeof(l->ageing));
	}
	l->vlan_filtering = filtering != 0;
}

static void parse_port_data(const struct nlattr *data, struct link_state *l)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(data);
	const struct nlattr *attr;
	uint8_t u8;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (!rtnl_attr_copy(attr, &u8, sizeof(u8)))
			continue;
		if (mnl_attr_get_type(attr) == IFLA_BRPORT_STATE && u8 < PORT_STATE_COUNT)
			l->port_state = (enum port_state)u8;
		else if (mnl_attr_get_type(attr) == IFLA_BRPORT_ISOLATED)
			l->isolated = u8 != 0;
		else if (mnl_attr_get_type(attr) == IFLA_BRPORT_PROTECT)
			l->root_guard = u8 != 0;
		else if (mnl_attr_get_type(attr) == IFLA_BRPORT_LEARNING)
			l->no_learning = u8 == 0;
		else if (mnl_attr_get_type(attr) == IFLA_BRPORT_UNICAST_FLOOD)
			l->no_flood = u8 == 0;
	}
}

static void parse_linkinfo(const struct nlattr *info, struct link_state *l)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(info);
	const struct nlattr *attr, *data = NULL, *slave_data = NULL;
	char slave_kind[16] = "";

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_INFO_KIND:
			rtnl_attr_text(attr, l->kind, sizeof(l->kind));
			break;
		case IFLA_INFO_SLAVE_KIND:
			rtnl_attr_text(attr, slave_kind, sizeof(slave_kind));
			break;
		case IFLA_INFO_DATA:
			data = attr;
			break;
		case IFLA_INFO_SLAVE_DATA:
			slave_data = attr;
			break;
		}
	}
	if (data && strcmp(l->kind, "bridge") == 0)
		parse_bridge_data(data, l);
	if (slave_data && strcmp(slave_kind, "bridge") == 0)
		parse_port_data(slave_data, l);
}

/* IFLA_AF_SPEC: { AF_INET: { IFLA_INET_CONF: u32 for each IPV4_DEVCONF_*, which count from 1 } } */
static void parse_af_spec(const struct nlattr *spec, struct link_state *l)
{
	struct rtnl_attrs families = rtnl_attrs_in(spec), attrs;
	uint32_t conf[IPV4_DEVCONF_ROUTE_LOCALNET];
	const struct nlattr *family, *attr;

	while ((family = rtnl_attrs_next(&families)) != NULL) {
		if (mnl_attr_get_type(family) != AF_INET)
			continue;
		attrs = rtnl_attrs_in(family);
		while ((attr = rtnl_attrs_next(&attrs)) != NULL)
			if (mnl_attr_get_type(attr) == IFLA_INET_CONF &&
			    rtnl_attr_copy(attr, conf, sizeof(conf)))
				l->route_localnet = conf[IPV4_DEVCONF_ROUTE_LOCALNET - 1] != 0;
	}
}

static void parse_stats(const struct nlattr *attr, struct link_state *l)
{
	struct rtnl_link_stats64 s = {0};

	memcpy(&s, mnl_attr_get_payload(attr), size_min(sizeof(s), mnl_attr_get_payload_len(attr)));
	l->rx_packets = s.rx_packets;
	l->tx_packets = s.tx_packets;
	l->rx_bytes = s.rx_bytes;
	l->tx_bytes = s.tx_bytes;
	l->rx_dropped = s.rx_dropped;
	l->tx_dropped = s.tx_dropped;
}

static void parse_link_attr(const struct nlattr *attr, struct link_state *l)
{
	uint32_t u32;
	uint8_t u8;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		rtnl_attr_text(attr, l->name, sizeof(l->name));
		break;
	case IFLA_IFALIAS:
		rtnl_attr_text(attr, l->alias, sizeof(l->alias));
		break;
	case IFLA_ADDRESS:
		rtnl_attr_copy(attr, l->mac.b, sizeof(l->mac.b));
		break;
	case IFLA_MTU:
		rtnl_attr_copy(attr, &l->mtu, sizeof(l->mtu));
		break;
	case IFLA_MASTER:
		if (rtnl_attr_copy(attr, &u32, sizeof(u32)))
			l->master = (int)u32;
		break;
	case IFLA_LINK:
		if (rtnl_attr_copy(attr, &u32, sizeof(u32)))
			l->link = (int)u32;
		break;
	case IFLA_LINK_NETNSID:
		l->elsewhere = rtnl_attr_copy(attr, &l->link_netnsid, sizeof(l->link_netnsid));
		break;
	case IFLA_CARRIER:
		if (rtnl_attr_copy(attr, &u8, sizeof(u8)))
			l->carrier = u8 != 0;
		break;
	case IFLA_STATS64:
		parse_stats(attr, l);
		break;
	case IFLA_LINKINFO:
		parse_linkinfo(attr, l);
		break;
	case IFLA_AF_SPEC:
		parse_af_spec(attr, l);
		break;
	}
}

int rtnl_parse_link(const struct nlmsghdr *nlh, struct link_state *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link_state l = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return 0;
	/*
	 * AF_BRIDGE messages come on the same group and are about the port, not the link: their
	 * RTM_DELLINK says that it left its bridge.
	 */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return 0;
	l.ifindex = ifi->ifi_index;
	l.up = ifi->ifi_flags & IFF_UP;
	l.running = ifi->ifi_flags & IFF_RUNNING;
	attrs = rtnl_attrs_behind(nlh, *ifi);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		parse_link_attr(attr, &l);
	if (l.name[0] == '\0')
		return 0;
	*ret = l;
	return 1;
}

int rtnl_parse_addr(const struct nlmsghdr *nlh, struct addr_state *ret)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct addr_state a = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	bool found = false;

	if (nlh->nlmsg_type != RTM_NEWADDR && nlh->nlmsg_type != RTM_DELADDR)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) || ifa->ifa_family != AF_INET)
		return 0;
	a.ifindex = (int)ifa->ifa_index;
	a.prefix.len = ifa->ifa_prefixlen;
	/* IFA_ADDRESS is the peer's on point-to-point links; IFA_LOCAL is ours. */
	attrs = rtnl_attrs_behind(nlh, *ifa);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			found |= rtnl_attr_copy(attr, &a.prefix.addr, sizeof(a.prefix.addr));
	}
	if (!found || a.prefix.len > 32)
		return 0;
	*ret = a;
	return 1;
}

static struct in_addr nexthop_gateway(struct rtnl_attrs attrs)
{
	const struct nlattr *attr;
	struct in_addr gw = {0};

	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			rtnl_attr_copy(attr, &gw, sizeof(gw));
	return gw;
}

bool rtnl_nexthop_next(struct rtnl_attrs *rest, struct rtnexthop *ret, struct rtnl_attrs *ret_attrs)
{
	size_t step;

	if (rest->left < sizeof(*ret))
		return false;
	memcpy(ret, rest->p, sizeof(*ret));
	if (ret->rtnh_len < sizeof(*ret) || ret->rtnh_len > rest->left)
		return false;
	*ret_attrs = (struct rtnl_attrs){.p = rest->p + sizeof(*ret),
					 .left = ret->rtnh_len - sizeof(*ret)};
	step = size_min(align4(ret->rtnh_len), rest->left);
	rest->p += step;
	rest->left -= step;
	return true;
}

/* One struct route_state per nexthop: a caller who looks for uplinks has to see each of them. */
static int add_nexthops(const struct nlattr *multipath, const struct route_state *base,
			struct rtnl_array *out)
{
	struct rtnl_attrs rest = rtnl_attrs_in(multipath), attrs;
	struct rtnexthop nh;
	int n = 0;

	for (; rtnl_nexthop_next(&rest, &nh, &attrs); n++) {
		struct route_state route = *base;
		int r;

		route.oif = nh.rtnh_ifindex;
		route.gateway = nexthop_gateway(attrs);
		r = rtnl_array_add(out, &route);
		if (r < 0)
			return r;
	}
	return n;
}

int rtnl_parse_route(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *multipath = NULL;
	struct route_state r = {0};
	struct rtnl_attrs attrs;
	uint32_t oif = 0;
	int err;

	if (nlh->nlmsg_type != RTM_NEWROUTE && nlh->nlmsg_type != RTM_DELROUTE)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || rtm->rtm_family != AF_INET)
		return 0;
	r.table = rtm->rtm_table;
	r.dst.len = rtm->rtm_dst_len;
	attrs = rtnl_attrs_behind(nlh, *rtm);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			rtnl_attr_copy(attr, &r.table, sizeof(r.table));
		else if (mnl_attr_get_type(attr) == RTA_DST)
			rtnl_attr_copy(attr, &r.dst.addr, sizeof(r.dst.addr));
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			rtnl_attr_copy(attr, &r.gateway, sizeof(r.gateway));
		else if (mnl_attr_get_type(attr) == RTA_PRIORITY)
			rtnl_attr_copy(attr, &r.metric, sizeof(r.metric));
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			rtnl_attr_copy(attr, &oif, sizeof(oif));
		else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			multipath = attr;
	}
	if (rtm->rtm_type != RTN_UNICAST || r.table == RT_TABLE_LOCAL || r.dst.len > 32 ||
	    (rtm->rtm_flags & RTM_F_CLONED))
		return 0;
	if (multipath)
		return add_nexthops(multipath, &r, out);
	r.oif = (int)oif;
	err = rtnl_array_add(out, &r);
	return err < 0 ? err : 1;
}

/* Ages come in USER_HZ ticks. */
static uint32_t ticks_to_s(uint32_t ticks)
{
	long hz = sysconf(_SC_CLK_TCK);

	return ticks / (uint32_t)(hz > 0 ? hz : 100);
}

uint32_t rtnl_neigh_age_s(const struct nlattr *cacheinfo)
{
	struct nda_cacheinfo age = {0};

	rtnl_attr_copy(cacheinfo, &age, sizeof(age));
	return ticks_to_s(age.ndm_confirmed);
}

int rtnl_parse_neigh(const struct nlmsghdr *nlh, struct neigh_entry *ret)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct neigh_entry n = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	bool found = false;

	if (nlh->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) || nd->ndm_family != AF_INET)
		return 0;
	n.ifindex = nd->ndm_ifindex;
	n.state = nd->ndm_state;
	attrs = rtnl_attrs_behind(nlh, *nd);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == NDA_DST)
			found |= rtnl_attr_copy(attr, &n.addr, sizeof(n.addr));
		else if (mnl_attr_get_type(attr) == NDA_LLADDR)
			rtnl_attr_copy(attr, n.mac.b, sizeof(n.mac.b));
		else if (mnl_attr_get_type(attr) == NDA_CACHEINFO)
			n.age_s = rtnl_neigh_age_s(attr);
	}
	if (!found)
		return 0;
	*ret = n;
	return 1;
}

int rtnl_parse_fdb(const struct nlmsghdr *nlh, struct fdb_entry *ret)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	bool has_mac = false, has_vlan = false;
	struct nda_cacheinfo age = {0};
	struct fdb_entry f = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWNEIGH && nlh->nlmsg_type != RTM_DELNEIGH)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) || nd->ndm_family != AF_BRIDGE)
		return 0;
	f.port = nd->ndm_ifindex;
	f.local = nd->ndm_state & NUD_PERMANENT;
	f.is_static = (nd->ndm_state & NUD_NOARP) && !f.local;
	f.sticky = nd->ndm_flags & NTF_STICKY;
	attrs = rtnl_attrs_behind(nlh, *nd);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR)
			has_mac = rtnl_attr_copy(attr, f.mac.b, sizeof(f.mac.b));
		else if (mnl_attr_get_type(attr) == NDA_MASTER)
			rtnl_attr_copy(attr, &f.bridge, sizeof(f.bridge));
		else if (mnl_attr_get_type(attr) == NDA_CACHEINFO)
			rtnl_attr_copy(attr, &age, sizeof(age));
		else if (mnl_attr_get_type(attr) == NDA_VLAN)
			has_vlan = true;
	}
	/*
	 * Without a master it is the NIC's own filter (multicast groups), not the bridge's table.
	 * The host's own MACs are there once more for each VLAN.
	 */
	if (!has_mac || f.bridge == 0 || (f.local && has_vlan))
		return 0;
	f.age_s = ticks_to_s(age.ndm_updated);
	*ret = f;
	return 1;
}
