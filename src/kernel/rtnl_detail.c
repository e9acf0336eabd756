/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl_detail.c - see rtnl_detail.h: dumps, and what is taken of each message. */
#include "kernel/rtnl_detail.h"

#include <linux/fib_rules.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/rtnl_internal.h"

#define FDB_EXT_LOCKED 2u /* NTF_EXT_LOCKED of linux/neighbour.h, 6.2 */

static bool flag_of(const struct nlattr *attr)
{
	uint8_t u8 = 0;

	return rtnl_attr_copy(attr, &u8, sizeof(u8)) && u8;
}

/* ---- interfaces ---- */

static void parse_port(const struct nlattr *data, struct port_detail *p)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(data);
	const struct nlattr *attr;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		bool on = flag_of(attr);
		uint8_t state = 0;

		switch (mnl_attr_get_type(attr)) {
		case IFLA_BRPORT_STATE:
			if (rtnl_attr_copy(attr, &state, 1) && state < PORT_STATE_COUNT)
				p->state = (enum port_state)state;
			break;
		case IFLA_BRPORT_MODE:
			p->hairpin = on;
			break;
		case IFLA_BRPORT_ISOLATED:
			p->isolated = on;
			break;
		case IFLA_BRPORT_LEARNING:
			p->learning = on;
			break;
		case IFLA_BRPORT_UNICAST_FLOOD:
			p->flood = on;
			break;
		case IFLA_BRPORT_MCAST_FLOOD:
			p->mcast_flood = on;
			break;
		case IFLA_BRPORT_BCAST_FLOOD:
			p->bcast_flood = on;
			break;
		case IFLA_BRPORT_PROXYARP:
		case IFLA_BRPORT_PROXYARP_WIFI:
			p->proxyarp |= on;
			break;
		case IFLA_BRPORT_VLAN_TUNNEL:
			p->vlan_tunnel = on;
			break;
		case IFLA_BRPORT_NEIGH_SUPPRESS:
			p->suppress = on;
			break;
		case IFLA_BRPORT_LOCKED:
			p->locked = on;
			break;
		case IFLA_BRPORT_BACKUP_PORT:
			rtnl_attr_copy(attr, &p->backup, sizeof(p->backup));
			break;
		}
	}
}

static void parse_bridge(const struct nlattr *data, struct bridge_detail *b)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(data);
	const struct nlattr *attr;
	uint16_t be = 0;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_BR_VLAN_FILTERING:
			b->vlan_filtering = flag_of(attr);
			break;
		case IFLA_BR_VLAN_PROTOCOL:
			if (rtnl_attr_copy(attr, &be, sizeof(be)))
				b->vlan_protocol = ntohs(be);
			break;
		case IFLA_BR_NF_CALL_IPTABLES:
			b->call_ip = flag_of(attr);
			break;
		case IFLA_BR_NF_CALL_IP6TABLES:
			b->call_ip6 = flag_of(attr);
			break;
		case IFLA_BR_NF_CALL_ARPTABLES:
			b->call_arp = flag_of(attr);
			break;
		case IFLA_BR_MCAST_SNOOPING:
			b->snooping = flag_of(attr);
			break;
		}
	}
}

static void parse_linkinfo(const struct nlattr *info, struct link_detail *l)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(info);
	const struct nlattr *attr, *data = NULL, *slave = NULL;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_INFO_KIND:
			rtnl_attr_text(attr, l->kind, sizeof(l->kind));
			break;
		case IFLA_INFO_SLAVE_KIND:
			rtnl_attr_text(attr, l->slave_kind, sizeof(l->slave_kind));
			break;
		case IFLA_INFO_DATA:
			data = attr;
			break;
		case IFLA_INFO_SLAVE_DATA:
			slave = attr;
			break;
		}
	}
	if (data && strcmp(l->kind, "bridge") == 0)
		parse_bridge(data, &l->bridge);
	if (slave && strcmp(l->slave_kind, "bridge") == 0)
		parse_port(slave, &l->port);
}

/* The program's id; where it has none that can be told, any number that is not 0. */
static uint32_t parse_xdp(const struct nlattr *xdp)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(xdp);
	const struct nlattr *attr;
	uint32_t id = 0, found = 0;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == IFLA_XDP_ATTACHED && flag_of(attr) && !found)
			found = UINT32_MAX;
		if (mnl_attr_get_type(attr) == IFLA_XDP_PROG_ID && rtnl_attr_copy(attr, &id, 4))
			found = id;
	}
	return found;
}

static void parse_link_attr(const struct nlattr *attr, struct link_detail *l)
{
	uint8_t u8 = 0;

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
		rtnl_attr_copy(attr, &l->master, sizeof(l->master));
		break;
	case IFLA_LINK:
		rtnl_attr_copy(attr, &l->lower, sizeof(l->lower));
		break;
	case IFLA_GROUP:
		rtnl_attr_copy(attr, &l->group, sizeof(l->group));
		break;
	case IFLA_CARRIER:
		l->carrier = rtnl_attr_copy(attr, &u8, 1) && u8;
		break;
	case IFLA_XDP:
		l->xdp = parse_xdp(attr);
		break;
	case IFLA_LINKINFO:
		parse_linkinfo(attr, l);
		break;
	}
}

static int on_link(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct link_detail l = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	    ifi->ifi_family != AF_UNSPEC)
		return 0;
	l.ifindex = ifi->ifi_index;
	l.flags = ifi->ifi_flags;
	l.type = ifi->ifi_type;
	attrs = rtnl_attrs_behind(nlh, *ifi);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		parse_link_attr(attr, &l);
	return rtnl_array_add(out, &l);
}

/* ---- addresses, neighbours, MAC tables, VLANs ---- */

static void take_address(const struct nlattr *attr, uint8_t family, uint8_t ret[16])
{
	rtnl_attr_copy(attr, ret, family == AF_INET ? 4 : 16);
}

static int on_addr(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct addr_detail a = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	bool local = false;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return 0;
	a.family = ifa->ifa_family;
	a.ifindex = (int)ifa->ifa_index;
	a.len = ifa->ifa_prefixlen;
	a.scope = ifa->ifa_scope;
	a.flags = ifa->ifa_flags;
	attrs = rtnl_attrs_behind(nlh, *ifa);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == IFA_LOCAL) {
			take_address(attr, a.family, a.addr);
			local = true;
		} else if (mnl_attr_get_type(attr) == IFA_ADDRESS && !local) {
			take_address(attr, a.family, a.addr);
		} else if (mnl_attr_get_type(attr) == IFA_FLAGS) {
			rtnl_attr_copy(attr, &a.flags, sizeof(a.flags));
		}
	}
	return rtnl_array_add(out, &a);
}

static int on_neigh(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct neigh_detail n = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) ||
	    (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6))
		return 0;
	n.family = nd->ndm_family;
	n.ifindex = nd->ndm_ifindex;
	n.state = nd->ndm_state;
	attrs = rtnl_attrs_behind(nlh, *nd);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == NDA_DST)
			take_address(attr, n.family, n.addr);
		else if (mnl_attr_get_type(attr) == NDA_LLADDR)
			rtnl_attr_copy(attr, n.mac.b, sizeof(n.mac.b));
	}
	return rtnl_array_add(out, &n);
}

static int on_fdb(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct fdb_detail f = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	uint32_t ext = 0;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) ||
	    nd->ndm_family != AF_BRIDGE)
		return 0;
	f.port = nd->ndm_ifindex;
	f.local = nd->ndm_state & NUD_PERMANENT;
	f.is_static = (nd->ndm_state & NUD_NOARP) && !f.local;
	f.sticky = nd->ndm_flags & NTF_STICKY;
	attrs = rtnl_attrs_behind(nlh, *nd);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR)
			rtnl_attr_copy(attr, f.mac.b, sizeof(f.mac.b));
		else if (mnl_attr_get_type(attr) == NDA_MASTER)
			rtnl_attr_copy(attr, &f.bridge, sizeof(f.bridge));
		else if (mnl_attr_get_type(attr) == NDA_VLAN)
			rtnl_attr_copy(attr, &f.vlan, sizeof(f.vlan));
		else if (mnl_attr_get_type(attr) == NDA_FLAGS_EXT)
			rtnl_attr_copy(attr, &ext, sizeof(ext));
	}
	f.locked = ext & FDB_EXT_LOCKED;
	/* Without a master it is a NIC's own filter. */
	return f.bridge ? rtnl_array_add(out, &f) : 0;
}

static int take_vlan(const struct nlattr *attr, int port, uint16_t *first, struct rtnl_array *out)
{
	struct bridge_vlan_info info;
	struct vlan_detail v = {.port = port};
	int r = 0;

	if (!rtnl_attr_copy(attr, &info, sizeof(info)))
		return 0;
	v.pvid = info.flags & BRIDGE_VLAN_INFO_PVID;
	v.untagged = info.flags & BRIDGE_VLAN_INFO_UNTAGGED;
	if (info.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
		*first = info.vid;
		return 0;
	}
	for (unsigned int vid = *first ? *first : info.vid; vid <= info.vid && r == 0; vid++) {
		v.vid = (uint16_t)vid;
		r = rtnl_array_add(out, &v);
	}
	*first = 0;
	return r;
}

static int on_vlans(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtnl_attrs attrs, specs;
	const struct nlattr *attr, *spec;
	uint16_t first = 0;
	int r = 0;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	    ifi->ifi_family != AF_BRIDGE)
		return 0;
	attrs = rtnl_attrs_behind(nlh, *ifi);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) != IFLA_AF_SPEC)
			continue;
		specs = rtnl_attrs_in(attr);
		while (r == 0 && (spec = rtnl_attrs_next(&specs)) != NULL)
			if (mnl_attr_get_type(spec) == IFLA_BRIDGE_VLAN_INFO)
				r = take_vlan(spec, ifi->ifi_index, &first, out);
	}
	return r;
}

/* ---- the dumps ---- */

/* struct wanted - a dump and where its entries go. */
struct wanted {
	const char *what;
	uint16_t type;
	uint8_t family;
	size_t header;
	size_t size;
	rtnl_message_fn fn;
};

static int dump(struct rtnl *r, const struct wanted *w, void *ret, size_t *ret_n, struct err *e)
{
	struct rtnl_array out = {.size = w->size};
	struct rtnl_request q = {.what = w->what};
	uint8_t *header = rtnl_request_begin(r, &q, w->type, NLM_F_DUMP, w->header);
	int err;

	header[0] = w->family; /* the first field of all these headers */
	if (w->fn == on_link)
		mnl_attr_put_u32(q.last, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	else if (w->fn == on_vlans)
		mnl_attr_put_u32(q.last, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
	err = rtnl_request_dump(r, &q, w->fn, &out, e);
	if (err < 0) {
		free(out.v);
		return err;
	}
	*(void **)ret = out.v;
	*ret_n = out.n;
	return 0;
}

/* The kernel's own three (local, main, default) have these priorities and no selectors. */
static int on_rule(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct fib_rule_hdr *h = mnl_nlmsg_get_payload(nlh);
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	uint32_t priority = 0;

	if (nlh->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*h))
		return 0;
	attrs = rtnl_attrs_behind(nlh, *h);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == FRA_PRIORITY)
			rtnl_attr_copy(attr, &priority, sizeof(priority));
	if (priority == 0 || priority == 32766 || priority == 32767)
		return 0;
	return rtnl_array_add(out, &priority);
}

static int has_rules(struct rtnl *r, uint8_t family, bool *ret, struct err *e)
{
	const struct wanted w = {"list the routing rules",    RTM_GETRULE,	family,
				 sizeof(struct fib_rule_hdr), sizeof(uint32_t), on_rule};
	uint32_t *found = NULL;
	size_t n = 0;
	int err = dump(r, &w, &found, &n, e);

	/* No IPv6, no rules of it. */
	if (err < 0 && family == AF_INET6)
		err = 0;
	free(found);
	*ret = n > 0;
	return err;
}

int rtnl_detail(struct rtnl *r, struct host_detail *ret, struct err *e)
{
	static const struct wanted links = {"list the links",
					    RTM_GETLINK,
					    AF_UNSPEC,
					    sizeof(struct ifinfomsg),
					    sizeof(struct link_detail),
					    on_link},
				   addrs = {"list the addresses",
					    RTM_GETADDR,
					    AF_UNSPEC,
					    sizeof(struct ifaddrmsg),
					    sizeof(struct addr_detail),
					    on_addr},
				   neighs = {"list the neighbours",
					     RTM_GETNEIGH,
					     AF_UNSPEC,
					     sizeof(struct ndmsg),
					     sizeof(struct neigh_detail),
					     on_neigh},
				   fdb = {"list the MAC tables",
					  RTM_GETNEIGH,
					  AF_BRIDGE,
					  sizeof(struct ndmsg),
					  sizeof(struct fdb_detail),
					  on_fdb},
				   vlans = {"list the VLANs",
					    RTM_GETLINK,
					    AF_BRIDGE,
					    sizeof(struct ifinfomsg),
					    sizeof(struct vlan_detail),
					    on_vlans};
	struct host_detail d = {0};
	int err = dump(r, &links, &d.links, &d.n_links, e);

	if (err == 0)
		err = dump(r, &addrs, &d.addrs, &d.n_addrs, e);
	if (err == 0)
		err = dump(r, &neighs, &d.neighs, &d.n_neighs, e);
	if (err == 0)
		err = dump(r, &fdb, &d.fdb, &d.n_fdb, e);
	if (err == 0)
		err = dump(r, &vlans, &d.vlans, &d.n_vlans, e);
	if (err == 0)
		err = has_rules(r, AF_INET, &d.rules, e);
	if (err == 0)
		err = has_rules(r, AF_INET6, &d.rules6, e);
	if (err < 0)
		host_detail_done(&d);
	else
		*ret = d;
	return err;
}

void host_detail_done(struct host_detail *d)
{
	free(d->links);
	free(d->addrs);
	free(d->fdb);
	free(d->neighs);
	free(d->vlans);
	*d = (struct host_detail){0};
}
