/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_write.c - changing links and addresses: one function, one request. Nothing is looked up
 * beyond interface indexes, nothing is decided: model/plan.c knows what is to be written.
 */
#include "kernel/rtnl_internal.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* A request about link @name, which has to fit and must not be a template ("vl-%d"). */
static int begin_link(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
		      const char *name, struct err *e)
{
	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ || strchr(name, '%'))
		return err_set(e, -EINVAL, "kernel", name, "`%s` cannot be an interface's name",
			       name);
	q->ifname = name;
	rtnl_request_begin(r, q, type, (uint16_t)(flags | NLM_F_ACK), sizeof(struct ifinfomsg));
	mnl_attr_put_strz(q->last, IFLA_IFNAME, name);
	return 0;
}

static int put_alias(struct rtnl_request *q, const char *alias, struct err *e)
{
	if (strlen(alias) >= ALIAS_MAX)
		return err_set(e, -EINVAL, "kernel", q->ifname, "the alias is longer than %d bytes",
			       ALIAS_MAX - 1);
	mnl_attr_put(q->last, IFLA_IFALIAS, strlen(alias), alias);
	return 0;
}

/* One bridge option, IFLA_BR_*. */
static void put_bridge(struct rtnl_request *q, uint16_t type, uint32_t value)
{
	struct nlattr *info = mnl_attr_nest_start(q->last, IFLA_LINKINFO);
	struct nlattr *data;

	mnl_attr_put_strz(q->last, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(q->last, IFLA_INFO_DATA);
	mnl_attr_put_u32(q->last, type, value);
	mnl_attr_nest_end(q->last, data);
	mnl_attr_nest_end(q->last, info);
}

static int refuse_existing(struct rtnl *r, const char *name, struct err *e)
{
	struct link_state l;
	int err = rtnl_link_get(r, name, 0, &l, e);

	if (err == -ENODEV)
		return 0;
	if (err < 0)
		return err;
	return err_set(e, -EEXIST, "kernel", name, "an interface of this name is there already");
}

/*
 * The kernel ignores IFLA_IFALIAS when it creates a link. The bridge must not be there without
 * its alias for even a moment in which we could be killed, as it would not be known as ours again.
 * So both messages go in one sendmsg(), which no signal cuts in two. The kernel carries the second
 * out also when the first fails, hence the look beforehand.
 */
int rtnl_bridge_create(struct rtnl *r, const char *name, const struct mac *mac, const char *alias,
		       struct err *e)
{
	struct rtnl_request q = {.what = "create the bridge"};
	int err = refuse_existing(r, name, e);

	/* Sequence numbers are given as a request is begun: nothing else may be asked from here. */
	if (err == 0)
		err = begin_link(r, &q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, e);
	if (err < 0)
		return err;
	mnl_attr_put(q.last, IFLA_ADDRESS, sizeof(mac->b), mac->b);
	put_bridge(&q, IFLA_BR_FORWARD_DELAY, 0); /* STP is off in a new one */
	err = begin_link(r, &q, RTM_SETLINK, 0, name, e);
	if (err == 0)
		err = put_alias(&q, alias, e);
	if (err < 0)
		return err;
	return rtnl_request_write(r, &q, e);
}

/*
 * In two messages, as the kernel reads the forward delay first: while STP is still on it takes none
 * below 2 s, and when STP goes on it raises those that are.
 */
int rtnl_bridge_set_stp(struct rtnl *r, const char *name, bool on, uint32_t forward_delay,
			struct err *e)
{
	struct rtnl_request q = {.what = on ? "switch STP on" : "switch STP off"};
	int err = begin_link(r, &q, RTM_NEWLINK, 0, name, e);

	if (err < 0)
		return err;
	put_bridge(&q, IFLA_BR_STP_STATE, on);
	err = begin_link(r, &q, RTM_NEWLINK, 0, name, e);
	if (err < 0)
		return err;
	put_bridge(&q, IFLA_BR_FORWARD_DELAY, forward_delay);
	return rtnl_request_write(r, &q, e);
}

int rtnl_bridge_set_ageing(struct rtnl *r, const char *name, uint32_t seconds, struct err *e)
{
	struct rtnl_request q = {.what = "set the MAC ageing time"};
	int err = begin_link(r, &q, RTM_NEWLINK, 0, name, e);

	if (err < 0)
		return err;
	put_bridge(&q, IFLA_BR_AGEING_TIME, seconds * 100);
	return rtnl_request_write(r, &q, e);
}

/* struct port_option - one option of a bridge's port, IFLA_BRPORT_*. */
struct port_option {
	uint16_t type;
	bool value;
};

static int set_port(struct rtnl *r, struct rtnl_request *q, const char *name,
		    const struct port_option *options, size_t n, struct err *e)
{
	int err = begin_link(r, q, RTM_NEWLINK, 0, name, e);
	struct nlattr *info, *data;

	if (err < 0)
		return err;
	info = mnl_attr_nest_start(q->last, IFLA_LINKINFO);
	mnl_attr_put_strz(q->last, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(q->last, IFLA_INFO_SLAVE_DATA);
	for (size_t i = 0; i < n; i++)
		mnl_attr_put_u8(q->last, options[i].type, options[i].value);
	mnl_attr_nest_end(q->last, data);
	mnl_attr_nest_end(q->last, info);
	return rtnl_request_write(r, q, e);
}

int rtnl_port_set_isolated(struct rtnl *r, const char *name, bool isolated, struct err *e)
{
	struct rtnl_request q = {.what = isolated ? "isolate the port"
						  : "end the port's isolation"};
	const struct port_option o = {IFLA_BRPORT_ISOLATED, isolated};

	return set_port(r, &q, name, &o, 1, e);
}

int rtnl_port_set_root_guard(struct rtnl *r, const char *name, bool on, struct err *e)
{
	struct rtnl_request q = {.what = on ? "set the port's root guard"
					    : "end the port's root guard"};
	const struct port_option o = {IFLA_BRPORT_PROTECT, on};

	return set_port(r, &q, name, &o, 1, e);
}

int rtnl_port_set_managed(struct rtnl *r, const char *name, bool managed, struct err *e)
{
	struct rtnl_request q = {.what = managed ? "end the port's learning of MACs"
						 : "let the port learn MACs"};
	const struct port_option o[] = {{IFLA_BRPORT_LEARNING, !managed},
					{IFLA_BRPORT_UNICAST_FLOOD, !managed}};

	return set_port(r, &q, name, o, ARRAY_SIZE(o), e);
}

static int fdb(struct rtnl *r, struct rtnl_request *q, uint16_t type, const struct ndmsg *entry,
	       uint16_t flags, const struct mac *mac, struct err *e)
{
	int ifindex, err = rtnl_ifindex(r, q->ifname, &ifindex, e);
	struct ndmsg *nd;

	if (err < 0)
		return err;
	nd = rtnl_request_begin(r, q, type, (uint16_t)(flags | NLM_F_ACK), sizeof(*nd));
	*nd = *entry;
	nd->ndm_family = AF_BRIDGE;
	nd->ndm_ifindex = ifindex;
	nd->ndm_flags |= NTF_MASTER;
	mnl_attr_put(q->last, NDA_LLADDR, sizeof(mac->b), mac->b);
	return rtnl_request_write(r, q, e);
}

int rtnl_fdb_pin(struct rtnl *r, const char *name, const struct mac *mac, struct err *e)
{
	struct rtnl_request q = {.what = "pin the MAC to the port", .ifname = name};
	const struct ndmsg entry = {.ndm_state = NUD_NOARP, .ndm_flags = NTF_STICKY};

	return fdb(r, &q, RTM_NEWNEIGH, &entry, NLM_F_CREATE | NLM_F_REPLACE, mac, e);
}

int rtnl_fdb_remove(struct rtnl *r, const char *name, const struct mac *mac, struct err *e)
{
	struct rtnl_request q = {.what = "forget the MAC", .ifname = name};
	struct err refused = {0};
	int err = fdb(r, &q, RTM_DELNEIGH, &(struct ndmsg){0}, 0, mac, &refused);

	/* It may have aged since it was seen. */
	if (err < 0 && err != -ENOENT && e)
		*e = refused;
	return err == -ENOENT ? 0 : err;
}

int rtnl_neigh_learn(struct rtnl *r, int ifindex, uint8_t family, const uint8_t *addr,
		     const struct mac *mac, struct err *e)
{
	struct rtnl_request q = {.what = "put a neighbour into its table"};
	struct ndmsg *nd = rtnl_request_begin(r, &q, RTM_NEWNEIGH,
					      NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*nd));
	struct err refused = {0};
	int err;

	nd->ndm_family = family;
	nd->ndm_ifindex = ifindex;
	nd->ndm_state = NUD_STALE;
	mnl_attr_put(q.last, NDA_DST, family == AF_INET ? 4 : 16, addr);
	mnl_attr_put(q.last, NDA_LLADDR, sizeof(mac->b), mac->b);
	err = rtnl_request_write(r, &q, &refused);
	if (err < 0 && err != -EEXIST && e)
		*e = refused;
	return err == -EEXIST ? 0 : err;
}

int rtnl_neigh_remove(struct rtnl *r, int ifindex, uint8_t family, const void *addr, struct err *e)
{
	struct rtnl_request q = {.what = "forget the neighbour"};
	struct err refused = {0};
	struct ndmsg *nd;
	int err;

	nd = rtnl_request_begin(r, &q, RTM_DELNEIGH, NLM_F_ACK, sizeof(*nd));
	nd->ndm_family = family;
	nd->ndm_ifindex = ifindex;
	mnl_attr_put(q.last, NDA_DST, family == AF_INET ? 4 : 16, addr);
	err = rtnl_request_write(r, &q, &refused);
	/* It may have been given up since it was seen. */
	if (err < 0 && err != -ENOENT && e)
		*e = refused;
	return err == -ENOENT ? 0 : err;
}

int rtnl_link_delete(struct rtnl *r, const char *name, struct err *e)
{
	struct rtnl_request q = {.what = "delete the link"};
	int err = begin_link(r, &q, RTM_DELLINK, 0, name, e);

	return err < 0 ? err : rtnl_request_write(r, &q, e);
}

int rtnl_link_set_up(struct rtnl *r, const char *name, bool up, struct err *e)
{
	struct rtnl_request q = {.what = up ? "set the link up" : "set the link down"};
	int err = begin_link(r, &q, RTM_SETLINK, 0, name, e);
	struct ifinfomsg *ifi;

	if (err < 0)
		return err;
	ifi = mnl_nlmsg_get_payload(q.last);
	ifi->ifi_flags = up ? IFF_UP : 0;
	ifi->ifi_change = IFF_UP;
	return rtnl_request_write(r, &q, e);
}

int rtnl_link_set_mtu(struct rtnl *r, const char *name, uint32_t mtu, struct err *e)
{
	struct rtnl_request q = {.what = "set the MTU"};
	int err = begin_link(r, &q, RTM_SETLINK, 0, name, e);

	if (err < 0)
		return err;
	mnl_attr_put_u32(q.last, IFLA_MTU, mtu);
	return rtnl_request_write(r, &q, e);
}

int rtnl_link_set_mac(struct rtnl *r, const char *name, const struct mac *mac, struct err *e)
{
	struct rtnl_request q = {.what = "set the MAC"};
	int err = begin_link(r, &q, RTM_SETLINK, 0, name, e);

	if (err < 0)
		return err;
	mnl_attr_put(q.last, IFLA_ADDRESS, sizeof(mac->b), mac->b);
	return rtnl_request_write(r, &q, e);
}

int rtnl_link_set_alias(struct rtnl *r, const char *name, const char *alias, struct err *e)
{
	struct rtnl_request q = {.what = "set the alias"};
	int err = begin_link(r, &q, RTM_SETLINK, 0, name, e);

	if (err == 0)
		err = put_alias(&q, alias, e);
	return err < 0 ? err : rtnl_request_write(r, &q, e);
}

int rtnl_link_enslave(struct rtnl *r, const char *name, const char *bridge, struct err *e)
{
	struct rtnl_request q = {.what = bridge ? "plug the link into its bridge"
						: "unplug the link from its bridge"};
	int master = 0, err = 0;

	if (bridge)
		err = rtnl_ifindex(r, bridge, &master, e);
	if (err == 0)
		err = begin_link(r, &q, RTM_SETLINK, 0, name, e);
	if (err < 0)
		return err;
	mnl_attr_put_u32(q.last, IFLA_MASTER, (uint32_t)master);
	return rtnl_request_write(r, &q, e);
}

static int address(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
		   const struct ip4_prefix *addr, struct err *e)
{
	int ifindex, err = rtnl_ifindex(r, q->ifname, &ifindex, e);
	struct ifaddrmsg *ifa;

	if (err < 0)
		return err;
	ifa = rtnl_request_begin(r, q, type, (uint16_t)(flags | NLM_F_ACK), sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_index = (uint32_t)ifindex;
	ifa->ifa_prefixlen = addr->len;
	mnl_attr_put_u32(q->last, IFA_LOCAL, addr->addr.s_addr);
	mnl_attr_put_u32(q->last, IFA_ADDRESS, addr->addr.s_addr);
	/* There is no broadcast address in a /31 or /32 (RFC 3021). */
	if (type == RTM_NEWADDR && addr->len < 31)
		mnl_attr_put_u32(q->last, IFA_BROADCAST, ip4_broadcast(addr).s_addr);
	return rtnl_request_write(r, q, e);
}

int rtnl_addr_add(struct rtnl *r, const char *ifname, const struct ip4_prefix *addr, struct err *e)
{
	struct rtnl_request q = {.what = "add the address", .ifname = ifname};

	return address(r, &q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, addr, e);
}

int rtnl_addr_del(struct rtnl *r, const char *ifname, const struct ip4_prefix *addr, struct err *e)
{
	struct rtnl_request q = {.what = "remove the address", .ifname = ifname};

	return address(r, &q, RTM_DELADDR, 0, addr, e);
}
