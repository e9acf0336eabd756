/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_dump.c - reading: links, addresses, routes, neighbours and bridge FDBs. Strict dumps, so
 * that the kernel filters. Nothing is written here. Messages are understood in rtnl_parse.c.
 */
#include "kernel/rtnl_internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* What a dump message callback says to "1: take it": append it. */
static int keep(int taken, struct rtnl_array *out, const void *entry)
{
	return taken > 0 ? rtnl_array_add(out, entry) : taken;
}

static int on_link(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct link_state l;

	return keep(rtnl_parse_link(nlh, &l), out, &l);
}

static int on_addr(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct addr_state a;

	return keep(rtnl_parse_addr(nlh, &a), out, &a);
}

static int on_route(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	int r = rtnl_parse_route(nlh, out);

	return r < 0 ? r : 0;
}

/* Kernels without strict checking (before 4.20) filter nothing: do it again here. */
static int on_neigh(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct neigh_entry n;
	int taken = rtnl_parse_neigh(nlh, &n);

	if (taken > 0 && out->filter && n.ifindex != out->filter)
		return 0;
	return keep(taken, out, &n);
}

static int on_fdb(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct fdb_entry f;
	int taken = rtnl_parse_fdb(nlh, &f);

	if (taken > 0 && out->filter && f.bridge != out->filter)
		return 0;
	return keep(taken, out, &f);
}

static int dump_links(struct rtnl *r, bool counters, struct rtnl_array *out, struct err *e)
{
	struct rtnl_request q = {.what = "list the links"};

	*out = (struct rtnl_array){.size = sizeof(struct link_state)};
	rtnl_request_begin(r, &q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	if (!counters)
		mnl_attr_put_u32(q.last, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return rtnl_request_dump(r, &q, on_link, out, e);
}

static int dump_addrs(struct rtnl *r, struct rtnl_array *out, struct err *e)
{
	struct rtnl_request q = {.what = "list the IPv4 addresses"};
	struct ifaddrmsg *ifa;

	*out = (struct rtnl_array){.size = sizeof(struct addr_state)};
	ifa = rtnl_request_begin(r, &q, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	return rtnl_request_dump(r, &q, on_addr, out, e);
}

static int dump_routes(struct rtnl *r, struct rtnl_array *out, struct err *e)
{
	struct rtnl_request q = {.what = "list the IPv4 routes"};
	struct rtmsg *rtm;

	*out = (struct rtnl_array){.size = sizeof(struct route_state)};
	rtm = rtnl_request_begin(r, &q, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_type = RTN_UNICAST;
	return rtnl_request_dump(r, &q, on_route, out, e);
}

static int snapshot(struct rtnl *r, bool counters, struct actual *ret, struct err *e)
{
	struct rtnl_array links = {0}, addrs = {0}, routes = {0};
	int err;

	err = dump_links(r, counters, &links, e);
	if (err == 0)
		err = dump_addrs(r, &addrs, e);
	if (err == 0)
		err = dump_routes(r, &routes, e);
	if (err < 0) {
		free(links.v);
		free(addrs.v);
		free(routes.v);
		return err;
	}
	*ret = (struct actual){.links = links.v,
			       .n_links = links.n,
			       .addrs = addrs.v,
			       .n_addrs = addrs.n,
			       .routes = routes.v,
			       .n_routes = routes.n};
	return 0;
}

int rtnl_snapshot(struct rtnl *r, struct actual *ret, struct err *e)
{
	return snapshot(r, false, ret, e);
}

int rtnl_snapshot_counters(struct rtnl *r, struct actual *ret, struct err *e)
{
	return snapshot(r, true, ret, e);
}

int rtnl_link_get(struct rtnl *r, const char *name, int ifindex, struct link_state *ret,
		  struct err *e)
{
	struct rtnl_array out = {.size = sizeof(*ret)};
	struct rtnl_request q = {.what = "show the link", .ifname = name};
	struct ifinfomsg *ifi;
	int err;

	ifi = rtnl_request_begin(r, &q, RTM_GETLINK, NLM_F_ACK, sizeof(*ifi));
	if (name && strlen(name) >= IFNAMSIZ)
		return err_set(e, -ENODEV, "kernel", name, "there is no such interface");
	if (name)
		mnl_attr_put_strz(q.last, IFLA_IFNAME, name);
	else
		ifi->ifi_index = ifindex;
	err = rtnl_request_run(r, &q, on_link, &out, e);
	if (err == -ENODEV || (err == 0 && out.n == 0))
		err = err_set(e, -ENODEV, "kernel", name, "there is no such interface");
	if (err == 0)
		memcpy(ret, out.v, sizeof(*ret));
	free(out.v);
	return err;
}

int rtnl_ifindex(struct rtnl *r, const char *name, int *ret, struct err *e)
{
	struct link_state l = {0};
	int err = rtnl_link_get(r, name, 0, &l, e);

	if (err == 0)
		*ret = l.ifindex;
	return err;
}

int rtnl_neigh_dump(struct rtnl *r, int ifindex, struct neigh_entry **ret, size_t *ret_n,
		    struct err *e)
{
	struct rtnl_array out = {.size = sizeof(**ret), .filter = ifindex};
	struct rtnl_request q = {.what = "list the IPv4 neighbours"};
	struct ndmsg *nd;
	int err;

	nd = rtnl_request_begin(r, &q, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*nd));
	nd->ndm_family = AF_INET;
	if (ifindex)
		mnl_attr_put_u32(q.last, NDA_IFINDEX, (uint32_t)ifindex);
	err = rtnl_request_dump(r, &q, on_neigh, &out, e);
	if (err < 0) {
		free(out.v);
		return err;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}

int rtnl_fdb_dump(struct rtnl *r, int ifindex, struct fdb_entry **ret, size_t *ret_n, struct err *e)
{
	struct rtnl_array out = {.size = sizeof(**ret), .filter = ifindex};
	struct rtnl_request q = {.what = "list the bridge's MAC table"};
	struct ndmsg *nd;
	int err;

	nd = rtnl_request_begin(r, &q, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*nd));
	nd->ndm_family = AF_BRIDGE;
	if (ifindex)
		mnl_attr_put_u32(q.last, NDA_MASTER, (uint32_t)ifindex);
	err = rtnl_request_dump(r, &q, on_fdb, &out, e);
	if (err < 0) {
		free(out.v);
		return err;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}

int rtnl_fdb_get(struct rtnl *r, int ifindex, const struct mac *mac, uint16_t vid,
		 struct fdb_entry *ret)
{
	struct rtnl_array out = {.size = sizeof(*ret), .filter = ifindex};
	struct rtnl_request q = {.what = "look into the bridge's MAC table"};
	struct ndmsg *nd;
	int err;

	nd = rtnl_request_begin(r, &q, RTM_GETNEIGH, NLM_F_ACK, sizeof(*nd));
	nd->ndm_family = AF_BRIDGE;
	mnl_attr_put_u32(q.last, NDA_MASTER, (uint32_t)ifindex);
	mnl_attr_put(q.last, NDA_LLADDR, sizeof(*mac), mac);
	if (vid)
		mnl_attr_put_u16(q.last, NDA_VLAN, vid);
	err = rtnl_request_run(r, &q, on_fdb, &out, NULL);
	if (err == 0 && !out.n)
		err = -ENOENT;
	if (err == 0)
		memcpy(ret, out.v, sizeof(*ret));
	free(out.v);
	return err;
}
