/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_ipv6.c - IPv6 addresses, routes and neighbours: single messages, dumps, and the two writes.
 * As rtnl_parse.c, rtnl_dump.c and rtnl_write.c do it for IPv4.
 */
#include "kernel/rtnl_internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* ---- single messages ---- */

int rtnl_parse_addr6(const struct nlmsghdr *nlh, struct addr6_state *ret)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct addr6_state a = {0};
	const struct nlattr *attr;
	struct rtnl_attrs attrs;
	bool found = false, local = false;

	if (nlh->nlmsg_type != RTM_NEWADDR && nlh->nlmsg_type != RTM_DELADDR)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) || ifa->ifa_family != AF_INET6)
		return 0;
	a.ifindex = (int)ifa->ifa_index;
	a.prefix.len = ifa->ifa_prefixlen;
	/* With a peer IFA_ADDRESS is the peer's, and IFA_LOCAL ours; else there is only the former. */
	attrs = rtnl_attrs_behind(nlh, *ifa);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local |= rtnl_attr_copy(attr, &a.prefix.addr, sizeof(a.prefix.addr));
		else if (mnl_attr_get_type(attr) == IFA_ADDRESS && !local)
			found |= rtnl_attr_copy(attr, &a.prefix.addr, sizeof(a.prefix.addr));
	}
	if ((!found && !local) || a.prefix.len > 128)
		return 0;
	*ret = a;
	return 1;
}

static int add_nexthops(const struct nlattr *multipath, const struct route6_state *base,
			struct rtnl_array *out)
{
	struct rtnl_attrs rest = rtnl_attrs_in(multipath), attrs;
	struct rtnexthop nh;
	int n = 0;

	for (; rtnl_nexthop_next(&rest, &nh, &attrs); n++) {
		struct route6_state route = *base;
		int r;

		route.oif = nh.rtnh_ifindex;
		r = rtnl_array_add(out, &route);
		if (r < 0)
			return r;
	}
	return n;
}

int rtnl_parse_route6(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *multipath = NULL;
	struct route6_state r = {0};
	struct rtnl_attrs attrs;
	uint32_t oif = 0;
	int err;

	if (nlh->nlmsg_type != RTM_NEWROUTE && nlh->nlmsg_type != RTM_DELROUTE)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || rtm->rtm_family != AF_INET6)
		return 0;
	r.table = rtm->rtm_table;
	r.dst.len = rtm->rtm_dst_len;
	r.by_ra = rtm->rtm_protocol == RTPROT_RA;
	attrs = rtnl_attrs_behind(nlh, *rtm);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			rtnl_attr_copy(attr, &r.table, sizeof(r.table));
		else if (mnl_attr_get_type(attr) == RTA_DST)
			rtnl_attr_copy(attr, &r.dst.addr, sizeof(r.dst.addr));
		else if (mnl_attr_get_type(attr) == RTA_PRIORITY)
			rtnl_attr_copy(attr, &r.metric, sizeof(r.metric));
		else if (mnl_attr_get_type(attr) == RTA_OIF)
			rtnl_attr_copy(attr, &oif, sizeof(oif));
		else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			multipath = attr;
	}
	if (rtm->rtm_type != RTN_UNICAST || r.table == RT_TABLE_LOCAL || r.dst.len > 128 ||
	    (rtm->rtm_flags & RTM_F_CLONED))
		return 0;
	if (multipath)
		return add_nexthops(multipath, &r, out);
	r.oif = (int)oif;
	err = rtnl_array_add(out, &r);
	return err < 0 ? err : 1;
}

int rtnl_parse_neigh6(const struct nlmsghdr *nlh, struct neigh6_entry *ret)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct neigh6_entry n = {0};
	const struct nlattr *attr;
	struct rtnl_attrs attrs;
	bool found = false;

	if (nlh->nlmsg_type != RTM_NEWNEIGH)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) || nd->ndm_family != AF_INET6)
		return 0;
	n.ifindex = nd->ndm_ifindex;
	n.state = nd->ndm_state;
	n.router = nd->ndm_flags & NTF_ROUTER;
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

/* ---- reading ---- */

static int on_addr(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct addr6_state a;

	return rtnl_parse_addr6(nlh, &a) > 0 ? rtnl_array_add(out, &a) : 0;
}

static int on_route(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	int r = rtnl_parse_route6(nlh, out);

	return r < 0 ? r : 0;
}

static int on_neigh(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct neigh6_entry n;

	return rtnl_parse_neigh6(nlh, &n) > 0 ? rtnl_array_add(out, &n) : 0;
}

static int addr_cmp(const void *a, const void *b)
{
	const struct addr6_state *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return memcmp(&x->prefix.addr, &y->prefix.addr, sizeof(x->prefix.addr));
}

static int dump_addrs(struct rtnl *r, struct rtnl_array *out, struct err *e)
{
	struct rtnl_request q = {.what = "list the IPv6 addresses"};
	struct ifaddrmsg *ifa;

	*out = (struct rtnl_array){.size = sizeof(struct addr6_state)};
	ifa = rtnl_request_begin(r, &q, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	ifa->ifa_family = AF_INET6;
	return rtnl_request_dump(r, &q, on_addr, out, e);
}

static int dump_routes(struct rtnl *r, struct rtnl_array *out, struct err *e)
{
	struct rtnl_request q = {.what = "list the IPv6 routes"};
	struct rtmsg *rtm;

	*out = (struct rtnl_array){.size = sizeof(struct route6_state)};
	rtm = rtnl_request_begin(r, &q, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	rtm->rtm_family = AF_INET6;
	rtm->rtm_type = RTN_UNICAST;
	return rtnl_request_dump(r, &q, on_route, out, e);
}

int rtnl_snapshot_ipv6(struct rtnl *r, struct actual *a, struct err *e)
{
	struct rtnl_array addrs = {0}, routes = {0};
	int err = dump_addrs(r, &addrs, e);

	if (err == 0)
		err = dump_routes(r, &routes, e);
	if (err < 0) {
		free(addrs.v);
		free(routes.v);
		return err == -EOPNOTSUPP ? 0 : err;
	}
	if (addrs.n)
		qsort(addrs.v, addrs.n, sizeof(struct addr6_state), addr_cmp);
	free(a->addrs6);
	free(a->routes6);
	a->addrs6 = addrs.v;
	a->n_addrs6 = addrs.n;
	a->routes6 = routes.v;
	a->n_routes6 = routes.n;
	return 0;
}

int rtnl_neigh6_dump(struct rtnl *r, struct neigh6_entry **ret, size_t *ret_n, struct err *e)
{
	struct rtnl_array out = {.size = sizeof(**ret)};
	struct rtnl_request q = {.what = "list the IPv6 neighbours"};
	struct ndmsg *nd;
	int err;

	nd = rtnl_request_begin(r, &q, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*nd));
	nd->ndm_family = AF_INET6;
	err = rtnl_request_dump(r, &q, on_neigh, &out, e);
	if (err < 0) {
		free(out.v);
		return err;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}

/* ---- writing ---- */

static int address(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
		   const struct ip6_prefix *addr, struct err *e)
{
	int ifindex, err = rtnl_ifindex(r, q->ifname, &ifindex, e);
	struct ifaddrmsg *ifa;

	if (err < 0)
		return err;
	ifa = rtnl_request_begin(r, q, type, (uint16_t)(flags | NLM_F_ACK), sizeof(*ifa));
	ifa->ifa_family = AF_INET6;
	ifa->ifa_index = (uint32_t)ifindex;
	ifa->ifa_prefixlen = addr->len;
	if (type == RTM_NEWADDR)
		ifa->ifa_flags = IFA_F_NODAD | IFA_F_PERMANENT;
	mnl_attr_put(q->last, IFA_LOCAL, sizeof(addr->addr), &addr->addr);
	return rtnl_request_write(r, q, e);
}

int rtnl_addr6_add(struct rtnl *r, const char *ifname, const struct ip6_prefix *addr, struct err *e)
{
	struct rtnl_request q = {.what = "add the address", .ifname = ifname};

	return address(r, &q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, addr, e);
}

int rtnl_addr6_del(struct rtnl *r, const char *ifname, const struct ip6_prefix *addr, struct err *e)
{
	struct rtnl_request q = {.what = "remove the address", .ifname = ifname};

	return address(r, &q, RTM_DELADDR, 0, addr, e);
}
