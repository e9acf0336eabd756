/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_holdings.c - what belongs to an interface, and whether its gateway answers; see rtnl_move.h.
 * Nothing is written here but the question to the gateway.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/rtnl_internal.h"
#include "kernel/rtnl_move.h"

static uint32_t u32_of(const struct nlattr *attr)
{
	uint32_t v = 0;

	memcpy(&v, mnl_attr_get_payload(attr), size_min(sizeof(v), mnl_attr_get_payload_len(attr)));
	return v;
}

/* ---- is it the interface's? ---- */

static bool addr_is_of(const struct ifaddrmsg *ifa, int ifindex)
{
	return (int)ifa->ifa_index == ifindex;
}

static bool hops_name(const struct nlattr *multipath, int ifindex)
{
	struct rtnl_attrs rest = rtnl_attrs_in(multipath), attrs;
	struct rtnexthop nh;

	while (rtnl_nexthop_next(&rest, &nh, &attrs))
		if (nh.rtnh_ifindex == ifindex)
			return true;
	return false;
}

static bool route_is_of(struct rtnl_attrs attrs, const struct rtmsg *rtm, int ifindex,
			struct takeover_item *item, bool *ret_nexthop)
{
	bool ours = false, nexthop = false;
	uint32_t table = rtm->rtm_table;
	const struct nlattr *attr;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_TABLE:
			table = u32_of(attr);
			break;
		case RTA_OIF:
			ours |= (int)u32_of(attr) == ifindex;
			break;
		case RTA_GATEWAY:
		case RTA_VIA:
			item->gateway = true;
			break;
		case RTA_MULTIPATH:
			item->gateway = item->multipath = true;
			ours |= hops_name(attr, ifindex);
			break;
		case RTA_NH_ID:
			nexthop = true;
			break;
		}
	}
	if (!ours || table == RT_TABLE_LOCAL || (rtm->rtm_flags & RTM_F_CLONED))
		return false;
	if (nexthop)
		*ret_nexthop = true;
	return !nexthop;
}

static bool rule_is_of(struct rtnl_attrs attrs, const char *ifname)
{
	const struct nlattr *attr;
	char name[IFNAMSIZ];

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) != FRA_IIFNAME &&
		    mnl_attr_get_type(attr) != FRA_OIFNAME)
			continue;
		rtnl_attr_text(attr, name, sizeof(name));
		if (strcmp(name, ifname) == 0)
			return true;
	}
	return false;
}

static bool is_of(const struct nlmsghdr *nlh, int ifindex, const char *ifname,
		  struct takeover_item *item, bool *ret_nexthop)
{
	const void *head = mnl_nlmsg_get_payload(nlh);
	size_t len = mnl_nlmsg_get_payload_len(nlh);

	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
		item->kind = ITEM_ADDR;
		return len >= sizeof(struct ifaddrmsg) && addr_is_of(head, ifindex);
	case RTM_NEWROUTE:
		item->kind = ITEM_ROUTE;
		return len >= sizeof(struct rtmsg) &&
		       route_is_of(
			       rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct rtmsg))),
			       head, ifindex, item, ret_nexthop);
	case RTM_NEWRULE:
		item->kind = ITEM_RULE;
		return len >= sizeof(struct fib_rule_hdr) &&
		       rule_is_of(rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(
									    struct fib_rule_hdr))),
				  ifname);
	default:
		return false;
	}
}

int holding_parse(const struct nlmsghdr *nlh, int ifindex, const char *ifname,
		  struct takeover_item *ret, bool *ret_nexthop)
{
	const uint8_t *family = mnl_nlmsg_get_payload(nlh); /* first byte of all three headers */
	struct takeover_item item = {0};

	if (!is_of(nlh, ifindex, ifname, &item, ret_nexthop))
		return 0;
	if (*family != AF_INET && *family != AF_INET6)
		return 0;
	item.family = *family;
	item.len = (uint16_t)size_min(mnl_nlmsg_get_payload_len(nlh), UINT16_MAX);
	item.bytes = mnl_nlmsg_get_payload(nlh);
	*ret = item;
	return 1;
}

/* ---- collecting ---- */

/* struct collect - what the dump's callback, which has only its array, needs to know. */
struct collect {
	struct takeover_snapshot *s;
	bool *nexthops;
};

/* The array holds one pointer: to the struct collect. */
static int on_message(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct collect *c = out->v;
	struct takeover_item item;

	if (holding_parse(nlh, c->s->ifindex, c->s->ifname, &item, c->nexthops) <= 0)
		return 0;
	return takeover_snapshot_add(c->s, &item);
}

static int dump_kind(struct rtnl *r, struct collect *c, uint16_t type, uint8_t family,
		     struct err *e)
{
	static const char *const what = "list what belongs to the interface";
	size_t head = type == RTM_GETADDR    ? sizeof(struct ifaddrmsg)
		      : type == RTM_GETROUTE ? sizeof(struct rtmsg)
					     : sizeof(struct fib_rule_hdr);
	struct rtnl_array out = {.v = c};
	struct rtnl_request q = {.what = what, .ifname = c->s->ifname};
	uint8_t *h = rtnl_request_begin(r, &q, type, NLM_F_DUMP, head);

	h[0] = family;
	/* Begun anew it finds some things twice, which rtnl_move() does not mind. */
	return rtnl_request_dump(r, &q, on_message, &out, e);
}

static int collect_all(struct rtnl *r, struct collect *c, struct err *e)
{
	static const uint16_t types[] = {RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE};
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		for (size_t f = 0; f < ARRAY_SIZE(families) && err == 0; f++) {
			err = dump_kind(r, c, types[i], families[f], e);
			/* A kernel without IPv6 has none of its things. */
			if (families[f] == AF_INET6 && (err == -EOPNOTSUPP || err == -EAFNOSUPPORT))
				err = 0;
		}
	return err;
}

int rtnl_holdings(struct rtnl *r, const char *ifname, uint64_t now_us,
		  struct takeover_snapshot *ret, bool *ret_nexthops, struct err *e)
{
	struct takeover_snapshot s = {.taken_us = now_us};
	bool nexthops = false;
	struct collect c = {.s = &s, .nexthops = &nexthops};
	int err = rtnl_ifindex(r, ifname, &s.ifindex, e);

	if (err < 0)
		return err;
	snprintf(s.ifname, sizeof(s.ifname), "%s", ifname);
	err = collect_all(r, &c, e);
	if (err == -E2BIG)
		err_set(e, err, "too-many", ifname,
			"%s has more than %d addresses, routes and rules; a take-over carries no "
			"more",
			ifname, TAKEOVER_ITEMS_MAX);
	if (err < 0) {
		takeover_snapshot_done(&s);
		return err;
	}
	*ret = s;
	*ret_nexthops = nexthops;
	return 0;
}

/* ---- the gateway ---- */

static bool is_default_route(const struct takeover_item *item, struct gateway *ret)
{
	size_t head = NLMSG_ALIGN(sizeof(struct rtmsg));
	struct gateway g = {.family = item->family};
	size_t len = item->family == AF_INET ? 4 : 16;
	struct rtnl_attrs attrs = {.p = (const char *)item->bytes + head, .left = item->len - head};
	const struct nlattr *attr;
	struct rtmsg rtm;
	bool found = false;

	memcpy(&rtm, item->bytes, sizeof(rtm));
	if (rtm.rtm_dst_len != 0 || rtm.rtm_table != RT_TABLE_MAIN)
		return false;
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) != RTA_GATEWAY || mnl_attr_get_payload_len(attr) < len)
			continue;
		memcpy(g.addr, mnl_attr_get_payload(attr), len);
		found = true;
	}
	if (found)
		*ret = g;
	return found;
}

struct gateway holdings_gateway(const struct takeover_snapshot *s)
{
	struct gateway g = {0};

	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < s->n; i++) {
			const struct takeover_item *item = &s->items[i];

			if (item->kind == ITEM_ROUTE && item->len >= sizeof(struct rtmsg) &&
			    item->family == (family ? AF_INET6 : AF_INET) &&
			    is_default_route(item, &g))
				return g;
		}
	return g;
}

const char *gateway_format(const struct gateway *g, char buf[static INET6_ADDRSTRLEN])
{
	if (!inet_ntop(g->family, g->addr, buf, INET6_ADDRSTRLEN))
		buf[0] = '\0';
	return buf;
}

static void put_neigh(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
		      int ifindex, const struct gateway *g, uint16_t state, uint8_t ndm_flags)
{
	struct ndmsg *nd = rtnl_request_begin(r, q, type, flags, sizeof(*nd));

	nd->ndm_family = g->family;
	nd->ndm_ifindex = ifindex;
	nd->ndm_state = state;
	nd->ndm_flags = ndm_flags;
	mnl_attr_put(q->last, NDA_DST, g->family == AF_INET ? 4 : 16, g->addr);
}

static int on_neigh(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	uint16_t *state = out->v;

	if (nlh->nlmsg_type == RTM_NEWNEIGH && mnl_nlmsg_get_payload_len(nlh) >= sizeof(*nd) &&
	    nd->ndm_ifindex == out->filter)
		*state = nd->ndm_state;
	return 0;
}

uint16_t rtnl_gateway_state(struct rtnl *r, int ifindex, const struct gateway *g)
{
	struct rtnl_request q = {.what = "show the gateway's neighbour entry"};
	uint16_t state = 0;
	struct rtnl_array out = {.v = &state, .filter = ifindex};

	put_neigh(r, &q, RTM_GETNEIGH, NLM_F_ACK, ifindex, g, 0, 0);
	return rtnl_request_run(r, &q, on_neigh, &out, NULL) == 0 ? state : 0;
}

int rtnl_gateway_ask(struct rtnl *r, int ifindex, const struct gateway *g, uint16_t state,
		     struct err *e)
{
	struct rtnl_request q = {.what = "ask for the gateway's MAC"};

	if (state & (NUD_PROBE | NUD_INCOMPLETE))
		return 0; /* it is being asked */
	if (state & (NUD_STALE | NUD_DELAY))
		put_neigh(r, &q, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_REPLACE, ifindex, g, NUD_PROBE, 0);
	else
		put_neigh(r, &q, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE, ifindex, g, 0, NTF_USE);
	return rtnl_request_run(r, &q, NULL, NULL, e);
}
