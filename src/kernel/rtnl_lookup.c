/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_lookup.c - RTM_GETROUTE for a single packet. With an incoming interface the kernel does all that
 * it does with a packet from there: rules, tables, rp_filter, forwarding.
 */
#include "kernel/rtnl_detail.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/rtnl_internal.h"

static void take_metrics(const struct nlattr *metrics, struct route_answer *a)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(metrics);
	const struct nlattr *attr;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			rtnl_attr_copy(attr, &a->mtu, sizeof(a->mtu));
}

/* RTA_VIA: a gateway of another family than the route. */
static void take_via(const struct nlattr *attr, struct route_answer *a)
{
	struct {
		uint16_t family;
		uint8_t addr[16];
	} via = {0};
	size_t len = size_min(sizeof(via), mnl_attr_get_payload_len(attr));

	memcpy(&via, mnl_attr_get_payload(attr), len);
	a->gw_family = (uint8_t)via.family;
	memcpy(a->gateway, via.addr, sizeof(a->gateway));
}

static int on_answer(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route_answer a = {0};
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	size_t len;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return 0;
	len = rtm->rtm_family == AF_INET ? 4 : 16;
	a.type = rtm->rtm_type;
	a.table = rtm->rtm_table;
	attrs = rtnl_attrs_behind(nlh, *rtm);
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			rtnl_attr_copy(attr, &a.oif, sizeof(a.oif));
			break;
		case RTA_TABLE:
			rtnl_attr_copy(attr, &a.table, sizeof(a.table));
			break;
		case RTA_GATEWAY:
			if (rtnl_attr_copy(attr, a.gateway, len))
				a.gw_family = rtm->rtm_family;
			break;
		case RTA_VIA:
			take_via(attr, &a);
			break;
		case RTA_METRICS:
			take_metrics(attr, &a);
			break;
		case RTA_PREFSRC:
			a.has_source = rtnl_attr_copy(attr, a.source, len);
			break;
		}
	}
	return rtnl_array_add(out, &a);
}

static void put_question(struct nlmsghdr *h, const struct route_question *q)
{
	size_t len = q->family == AF_INET ? 4 : 16;

	mnl_attr_put(h, RTA_DST, len, q->dst);
	if (q->has_src)
		mnl_attr_put(h, RTA_SRC, len, q->src);
	if (q->iif)
		mnl_attr_put_u32(h, RTA_IIF, (uint32_t)q->iif);
	if (q->oif)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)q->oif);
	if (q->mark)
		mnl_attr_put_u32(h, RTA_MARK, q->mark);
	if (!q->l4)
		return;
	mnl_attr_put_u8(h, RTA_IP_PROTO, q->l4);
	if (q->l4 != IPPROTO_TCP && q->l4 != IPPROTO_UDP)
		return;
	if (q->sport)
		mnl_attr_put_u16(h, RTA_SPORT, htons(q->sport));
	if (q->dport)
		mnl_attr_put_u16(h, RTA_DPORT, htons(q->dport));
}

int rtnl_lookup(struct rtnl *r, const struct route_question *q, struct route_answer *ret,
		struct err *e)
{
	struct rtnl_array out = {.size = sizeof(struct route_answer)};
	struct rtnl_request req = {.what = "look up a route"};
	uint8_t bits = q->family == AF_INET ? 32 : 128;
	struct rtmsg *rtm;
	int err;

	rtm = rtnl_request_begin(r, &req, RTM_GETROUTE, NLM_F_ACK, sizeof(*rtm));
	rtm->rtm_family = q->family;
	rtm->rtm_dst_len = bits;
	rtm->rtm_src_len = q->has_src ? bits : 0;
	/* IPv6 tells it unasked, and takes the flag for a mistake. */
	rtm->rtm_flags = q->family == AF_INET ? RTM_F_LOOKUP_TABLE : 0;
	put_question(req.last, q);
	err = rtnl_request_run(r, &req, on_answer, &out, e);
	switch (err) {
	case 0:
		if (!out.n)
			err = -EBADMSG;
		else
			memcpy(ret, out.v, sizeof(*ret));
		break;
	/* All that the kernel says of packets; what else it says is about the question. */
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EACCES:
	case -EINVAL:
	case -EXDEV:
		*ret = (struct route_answer){.error = err};
		err = 0;
		break;
	default:
		break;
	}
	free(out.v);
	return err;
}
