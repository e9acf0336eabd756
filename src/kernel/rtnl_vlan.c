/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_vlan.c - VLANs of bridges and their ports (net/bridge/br_vlan.c): what they are in, and
 * changing that. The answers' layout is in linux/if_bridge.h, "bridge VLAN info".
 */
#include "kernel/rtnl_internal.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ACCESS (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED)

static int take_vlans(const struct nlattr *spec, int port, struct rtnl_array *out)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(spec);
	const struct nlattr *attr;
	int r = 0;

	while (r == 0 && (attr = rtnl_attrs_next(&attrs)) != NULL) {
		struct bridge_vlan_info info;
		struct port_vlan v = {.port = port};

		if (mnl_attr_get_type(attr) != IFLA_BRIDGE_VLAN_INFO ||
		    mnl_attr_get_payload_len(attr) < sizeof(info))
			continue;
		memcpy(&info, mnl_attr_get_payload(attr), sizeof(info));
		v.vid = info.vid;
		v.access = (info.flags & ACCESS) == ACCESS;
		r = rtnl_array_add(out, &v);
	}
	return r;
}

static int on_port(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	int r = 0;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	    ifi->ifi_family != AF_BRIDGE)
		return 0;
	attrs = rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*ifi)));
	while (r == 0 && (attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == IFLA_AF_SPEC)
			r = take_vlans(attr, ifi->ifi_index, out);
	return r;
}

static int vlan_cmp(const void *a, const void *b)
{
	const struct port_vlan *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return (x->vid > y->vid) - (x->vid < y->vid);
}

int rtnl_vlans(struct rtnl *r, struct actual *a, struct err *e)
{
	struct rtnl_array out = {.size = sizeof(struct port_vlan)};
	struct rtnl_request q = {.what = "list the bridges' VLANs"};
	struct ifinfomsg *ifi;
	int err;

	ifi = rtnl_request_begin(r, &q, RTM_GETLINK, NLM_F_DUMP, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	mnl_attr_put_u32(q.last, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
	err = rtnl_request_dump(r, &q, on_port, &out, e);
	if (err < 0) {
		free(out.v);
		return err;
	}
	if (out.n)
		qsort(out.v, out.n, out.size, vlan_cmp);
	free(a->port_vlans);
	a->port_vlans = out.v;
	a->n_port_vlans = out.n;
	return 0;
}

int rtnl_bridge_set_vlan_filtering(struct rtnl *r, const char *name, bool on, struct err *e)
{
	struct rtnl_request q = {.what = on ? "switch VLAN filtering on"
					    : "switch VLAN filtering off",
				 .ifname = name};
	int ifindex, err = rtnl_ifindex(r, name, &ifindex, e);
	struct nlattr *info, *data;
	struct ifinfomsg *ifi;

	if (err < 0)
		return err;
	ifi = rtnl_request_begin(r, &q, RTM_NEWLINK, NLM_F_ACK, sizeof(*ifi));
	ifi->ifi_index = ifindex;
	info = mnl_attr_nest_start(q.last, IFLA_LINKINFO);
	mnl_attr_put_strz(q.last, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(q.last, IFLA_INFO_DATA);
	mnl_attr_put_u8(q.last, IFLA_BR_VLAN_FILTERING, on);
	mnl_attr_nest_end(q.last, data);
	mnl_attr_nest_end(q.last, info);
	return rtnl_request_write(r, &q, e);
}

static int port_vlan(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
		     uint16_t vid, struct err *e)
{
	const struct bridge_vlan_info info = {.flags = flags, .vid = vid};
	int ifindex, err = rtnl_ifindex(r, q->ifname, &ifindex, e);
	struct ifinfomsg *ifi;
	struct nlattr *spec;

	if (err < 0)
		return err;
	ifi = rtnl_request_begin(r, q, type, NLM_F_ACK, sizeof(*ifi));
	ifi->ifi_family = AF_BRIDGE;
	ifi->ifi_index = ifindex;
	spec = mnl_attr_nest_start(q->last, IFLA_AF_SPEC);
	mnl_attr_put(q->last, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
	mnl_attr_nest_end(q->last, spec);
	return rtnl_request_write(r, q, e);
}

int rtnl_port_vlan_add(struct rtnl *r, const char *name, uint16_t vid, bool access, struct err *e)
{
	struct rtnl_request q = {.what = "put the port into its VLAN", .ifname = name};

	return port_vlan(r, &q, RTM_SETLINK, access ? ACCESS : 0, vid, e);
}

int rtnl_port_vlan_del(struct rtnl *r, const char *name, uint16_t vid, struct err *e)
{
	struct rtnl_request q = {.what = "take the port out of a VLAN", .ifname = name};

	return port_vlan(r, &q, RTM_DELLINK, 0, vid, e);
}
