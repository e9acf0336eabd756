/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_monitor.c - hearing of changes to links, ports of bridges, addresses, routes and what of the
 * sysctls is told (forwarding), on a socket of its own, so that a flood of events never mixes with
 * the answers to our requests.
 *
 * Not heard of: STP states of ports (the kernel tells them apart from the link's own changes); a
 * snapshot has them.
 */
#include "kernel/rtnl_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MONITOR_RCVBUF (4 << 20)
/* Datagrams read in one go, so that a flood does not starve the rest of the event loop. */
#define MONITOR_BATCH 256

/**
 * struct rtnl_monitor - an event socket
 * @sk:		owned, non-blocking
 * @buf:	RTNL_RECV_SIZE bytes; owned
 * @fn:		called for each event with @ctx
 */
struct rtnl_monitor {
	struct mnl_socket *sk;
	char *buf;
	rtnl_event_fn fn;
	void *ctx;
};

static int membership(struct rtnl_monitor *m, int group, bool on)
{
	if (mnl_socket_setsockopt(m->sk, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
				  &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

static int open_monitor(struct rtnl_monitor *m)
{
	int size = MONITOR_RCVBUF, fd;

	m->sk = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->sk)
		return -errno;
	fd = mnl_socket_get_fd(m->sk);
	/* FORCE goes past net.core.rmem_max; without CAP_NET_ADMIN take what there is. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		return -errno;
	return mnl_socket_bind(m->sk, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
}

static int join_usual(struct rtnl_monitor *m)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE};
	static const int others[] = {RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_TC};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups) && r == 0; i++)
		r = membership(m, groups[i], true);
	/* Whoever needs to know looks now and then, too. */
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		(void)membership(m, others[i], true);
	return r;
}

/*
 * The kernel passes on none but static entries of bridges' MAC tables, so that what is learnt costs
 * this process nothing. The filter sees the message from its head on, in network byte order.
 */
static int join_pins(struct rtnl_monitor *m)
{
	const unsigned int family = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_family);
	const unsigned int state = NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_state);
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_ABS | BPF_B, family),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 0, 3),
		BPF_STMT(BPF_LD | BPF_ABS | BPF_H, state),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NUD_NOARP), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = {ARRAY_SIZE(steps), steps};

	if (setsockopt(mnl_socket_get_fd(m->sk), SOL_SOCKET, SO_ATTACH_FILTER, &filter,
		       sizeof(filter)) < 0)
		return -errno;
	return membership(m, RTNLGRP_NEIGH, true);
}

static int monitor_new(rtnl_event_fn fn, void *ctx, int (*join)(struct rtnl_monitor *),
		       struct rtnl_monitor **ret, int *ret_fd)
{
	struct rtnl_monitor *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->fn = fn;
	m->ctx = ctx;
	m->buf = malloc(RTNL_RECV_SIZE);
	err = m->buf ? open_monitor(m) : -ENOMEM;
	if (err == 0)
		err = join(m);
	if (err < 0) {
		rtnl_monitor_free(m);
		return err;
	}
	*ret = m;
	*ret_fd = mnl_socket_get_fd(m->sk);
	return 0;
}

int rtnl_monitor_new(rtnl_event_fn fn, void *ctx, struct rtnl_monitor **ret, int *ret_fd)
{
	return monitor_new(fn, ctx, join_usual, ret, ret_fd);
}

int rtnl_monitor_new_pins(rtnl_event_fn fn, void *ctx, struct rtnl_monitor **ret, int *ret_fd)
{
	return monitor_new(fn, ctx, join_pins, ret, ret_fd);
}

void rtnl_monitor_free(struct rtnl_monitor *m)
{
	if (!m)
		return;
	if (m->sk)
		mnl_socket_close(m->sk);
	free(m->buf);
	free(m);
}

static bool link_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	ev->kind = nlh->nlmsg_type == RTM_NEWLINK ? RTNL_EVENT_LINK : RTNL_EVENT_LINK_DEL;
	return rtnl_parse_link(nlh, &ev->link) > 0;
}

static bool addr_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	struct addr_state a;

	if (rtnl_parse_addr(nlh, &a) <= 0)
		return false;
	ev->kind = RTNL_EVENT_ADDR;
	ev->link.ifindex = a.ifindex;
	ev->addr = a.prefix.addr;
	ev->gone = nlh->nlmsg_type == RTM_DELADDR;
	return true;
}

static bool addr6_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	struct addr6_state a;

	if (rtnl_parse_addr6(nlh, &a) <= 0)
		return false;
	ev->kind = RTNL_EVENT_ADDR6;
	ev->link.ifindex = a.ifindex;
	ev->gone = nlh->nlmsg_type == RTM_DELADDR;
	return true;
}

/* Of the family bridge: the port's own settings; RTM_DELLINK: it is none any more. */
static bool port_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtnl_attrs attrs;
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_BRIDGE)
		return false;
	ev->kind = RTNL_EVENT_PORT;
	ev->link.ifindex = ifi->ifi_index;
	attrs = rtnl_attrs_behind(nlh, *ifi);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			rtnl_attr_text(attr, ev->link.name, sizeof(ev->link.name));
	return ev->link.name[0] != '\0';
}

static bool conf_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	struct rtnl_attrs attrs = rtnl_attrs_behind(nlh, struct netconfmsg);
	const struct nlattr *attr;
	int ifindex = 0;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == NETCONFA_IFINDEX)
			rtnl_attr_copy(attr, &ifindex, sizeof(ifindex));
	ev->kind = RTNL_EVENT_CONF;
	ev->link.ifindex = ifindex > 0 ? ifindex : 0;
	return true;
}

static bool route_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	struct rtnl_array routes = {.size = sizeof(struct route_state)};
	int n = rtnl_parse_route(nlh, &routes);
	const struct route_state *first = routes.v;

	ev->kind = RTNL_EVENT_ROUTE;
	ev->default_route = routes.n == 0 || first->dst.len == 0;
	free(routes.v);
	/* Short of memory for a look at it: say that there was one. */
	return n != 0;
}

static bool route6_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	struct rtnl_array routes = {.size = sizeof(struct route6_state)};
	int n = rtnl_parse_route6(nlh, &routes);
	const struct route6_state *first = routes.v;

	ev->kind = RTNL_EVENT_ROUTE;
	ev->default_route = routes.n == 0 || first->dst.len == 0;
	free(routes.v);
	return n != 0;
}

static bool fdb_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	ev->kind = nlh->nlmsg_type == RTM_NEWNEIGH ? RTNL_EVENT_FDB : RTNL_EVENT_FDB_DEL;
	return rtnl_parse_fdb(nlh, &ev->fdb) > 0;
}

static bool tc_event(const struct nlmsghdr *nlh, struct rtnl_event *ev)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*tc))
		return false;
	ev->kind = RTNL_EVENT_TC;
	ev->link.ifindex = tc->tcm_ifindex;
	return true;
}

static void deliver(struct rtnl_monitor *m, const struct nlmsghdr *nlh)
{
	struct rtnl_event ev = {0};
	bool wanted = false;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		wanted = link_event(nlh, &ev) || port_event(nlh, &ev);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		wanted = addr_event(nlh, &ev) || addr6_event(nlh, &ev);
		break;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		wanted = tc_event(nlh, &ev);
		break;
	case RTM_NEWNETCONF:
		wanted = conf_event(nlh, &ev);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		wanted = route_event(nlh, &ev) || route6_event(nlh, &ev);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		wanted = fdb_event(nlh, &ev);
		break;
	}
	if (wanted)
		m->fn(&ev, m->ctx);
}

int rtnl_monitor_fdb(struct rtnl_monitor *m, bool on)
{
	return membership(m, RTNLGRP_NEIGH, on);
}

int rtnl_monitor_ipv6(struct rtnl_monitor *m, bool on)
{
	int r = membership(m, RTNLGRP_IPV6_ROUTE, on);
	int addresses = membership(m, RTNLGRP_IPV6_IFADDR, on);

	return r < 0 ? r : addresses;
}

int rtnl_monitor_read(struct rtnl_monitor *m)
{
	for (unsigned int i = 0; i < MONITOR_BATCH; i++) {
		const struct rtnl_event resync = {.kind = RTNL_EVENT_RESYNC};
		int len = rtnl_receive(m->sk, m->buf, RTNL_RECV_SIZE);
		struct rtnl_messages messages = {.p = m->buf};
		const struct nlmsghdr *nlh;

		if (len == -EAGAIN)
			return 0;
		if (len == -ENOBUFS || len == -EMSGSIZE)
			m->fn(&resync, m->ctx);
		else if (len < 0)
			return len;
		messages.left = len > 0 ? (size_t)len : 0;
		while ((nlh = rtnl_messages_next(&messages)) != NULL)
			deliver(m, nlh);
	}
	return 0;
}
