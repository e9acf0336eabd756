/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack.c - see conntrack.h: ctnetlink, one dump, and one request for each that goes. */
#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/rtnl_internal.h"

#define CT_MESSAGE(type) ((NFNL_SUBSYS_CTNETLINK << 8) | (type))

/* struct tuple - one direction of a connection, in network byte order. */
struct tuple {
	struct in_addr src;
	struct in_addr dst;
	uint8_t proto;
	uint16_t sport_be;
	uint16_t dport_be;
};

/* struct entry - what it takes to name a connection to the kernel: @id tells it from a later one. */
struct entry {
	struct tuple orig;
	uint16_t zone_be;
	uint32_t id;
};

/* struct search - a dump under way; @out holds struct entry. @each: in place of @match, which picks none */
struct search {
	struct rtnl_array out;
	bool (*match)(const struct conntrack_flow *f, void *ctx);
	void (*each)(const struct conntrack_flow *f, void *ctx);
	void *ctx;
};

static void take(const struct nlattr *attr, void *ret, size_t size)
{
	if (mnl_attr_get_payload_len(attr) >= size)
		memcpy(ret, mnl_attr_get_payload(attr), size);
}

static void parse_part(const struct nlattr *part, struct tuple *t)
{
	bool ip = mnl_attr_get_type(part) == CTA_TUPLE_IP;
	struct rtnl_attrs attrs = rtnl_attrs_in(part);
	const struct nlattr *a;

	while ((a = rtnl_attrs_next(&attrs)) != NULL) {
		int type = mnl_attr_get_type(a);

		if (ip && type == CTA_IP_V4_SRC)
			take(a, &t->src, sizeof(t->src));
		else if (ip && type == CTA_IP_V4_DST)
			take(a, &t->dst, sizeof(t->dst));
		else if (!ip && type == CTA_PROTO_NUM)
			take(a, &t->proto, sizeof(t->proto));
		else if (!ip && type == CTA_PROTO_SRC_PORT)
			take(a, &t->sport_be, sizeof(t->sport_be));
		else if (!ip && type == CTA_PROTO_DST_PORT)
			take(a, &t->dport_be, sizeof(t->dport_be));
	}
}

static void parse_tuple(const struct nlattr *attr, struct tuple *ret)
{
	struct rtnl_attrs parts = rtnl_attrs_in(attr);
	const struct nlattr *part;

	while ((part = rtnl_attrs_next(&parts)) != NULL)
		if (mnl_attr_get_type(part) == CTA_TUPLE_IP ||
		    mnl_attr_get_type(part) == CTA_TUPLE_PROTO)
			parse_part(part, ret);
}

static int on_flow(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct search *s = (struct search *)out; /* its first member */
	struct rtnl_attrs attrs =
		rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg)));
	struct tuple reply = {0};
	struct conntrack_flow f;
	struct entry e = {0};
	const struct nlattr *a;

	while ((a = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG)
			parse_tuple(a, &e.orig);
		else if (mnl_attr_get_type(a) == CTA_TUPLE_REPLY)
			parse_tuple(a, &reply);
		else if (mnl_attr_get_type(a) == CTA_ZONE)
			take(a, &e.zone_be, sizeof(e.zone_be));
		else if (mnl_attr_get_type(a) == CTA_ID)
			take(a, &e.id, sizeof(e.id));
	}
	if (e.orig.proto != IPPROTO_TCP && e.orig.proto != IPPROTO_UDP)
		return 0;
	f = (struct conntrack_flow){.proto = e.orig.proto,
				    .src = e.orig.src,
				    .dst = e.orig.dst,
				    .sport = ntohs(e.orig.sport_be),
				    .dport = ntohs(e.orig.dport_be),
				    .answers = reply.src,
				    .answers_port = ntohs(reply.sport_be),
				    .seen_as = reply.dst,
				    .seen_port = ntohs(reply.dport_be)};
	if (s->each) {
		s->each(&f, s->ctx);
		return 0;
	}
	return s->match(&f, s->ctx) ? rtnl_array_add(out, &e) : 0;
}

static void *begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags)
{
	struct nfgenmsg *nfg = rtnl_request_begin(r, q, CT_MESSAGE(type), flags, sizeof(*nfg));

	nfg->nfgen_family = AF_INET;
	nfg->version = NFNETLINK_V0;
	return nfg;
}

static int forget(struct rtnl *r, const struct entry *entry, struct err *e)
{
	struct rtnl_request q = {.what = "forget a connection"};
	struct nlattr *tuple, *part;

	begin(r, &q, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
	tuple = mnl_attr_nest_start(q.last, CTA_TUPLE_ORIG);
	part = mnl_attr_nest_start(q.last, CTA_TUPLE_IP);
	mnl_attr_put_u32(q.last, CTA_IP_V4_SRC, entry->orig.src.s_addr);
	mnl_attr_put_u32(q.last, CTA_IP_V4_DST, entry->orig.dst.s_addr);
	mnl_attr_nest_end(q.last, part);
	part = mnl_attr_nest_start(q.last, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(q.last, CTA_PROTO_NUM, entry->orig.proto);
	mnl_attr_put_u16(q.last, CTA_PROTO_SRC_PORT, entry->orig.sport_be);
	mnl_attr_put_u16(q.last, CTA_PROTO_DST_PORT, entry->orig.dport_be);
	mnl_attr_nest_end(q.last, part);
	mnl_attr_nest_end(q.last, tuple);
	if (entry->zone_be)
		mnl_attr_put_u16(q.last, CTA_ZONE, entry->zone_be);
	mnl_attr_put_u32(q.last, CTA_ID, entry->id);
	return rtnl_request_write(r, &q, e);
}

int conntrack_forget(bool (*match)(const struct conntrack_flow *f, void *ctx), void *ctx,
		     size_t *ret_n, struct err *e)
{
	struct search s = {.out.size = sizeof(struct entry), .match = match, .ctx = ctx};
	struct rtnl_request q = {.what = "list the connections"};
	struct rtnl *r = NULL;
	size_t n = 0;
	int err = rtnl_new_for(NETLINK_NETFILTER, &r);

	if (err < 0)
		return err_set(e, err, "kernel", "conntrack", "no netlink socket: %s",
			       strerror(-err));
	begin(r, &q, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
	err = rtnl_request_dump(r, &q, on_flow, &s.out, e);
	for (size_t i = 0; i < s.out.n && err == 0; i++) {
		err = forget(r, (struct entry *)s.out.v + i, e);
		n += err == 0;
		/* It has ended by itself meanwhile. */
		if (err == -ENOENT)
			err = 0;
	}
	free(s.out.v);
	rtnl_free(r);
	if (err == 0 && ret_n)
		*ret_n = n;
	return err;
}

int conntrack_each(void (*fn)(const struct conntrack_flow *f, void *ctx), void *ctx, struct err *e)
{
	struct search s = {.out.size = sizeof(struct entry), .each = fn, .ctx = ctx};
	struct rtnl_request q = {.what = "list the connections"};
	_cleanup_(rtnl_freep) struct rtnl *r = NULL;
	int err = rtnl_new_for(NETLINK_NETFILTER, &r);

	if (err < 0)
		return err_set(e, err, "kernel", "conntrack", "no netlink socket: %s",
			       strerror(-err));
	begin(r, &q, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
	return rtnl_request_dump(r, &q, on_flow, &s.out, e);
}

/* ---- one connection, of any family and protocol ---- */

static void put_addresses(struct nlmsghdr *h, const struct conntrack_tuple *t)
{
	struct nlattr *ip = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	if (t->family == AF_INET) {
		mnl_attr_put(h, CTA_IP_V4_SRC, 4, t->src);
		mnl_attr_put(h, CTA_IP_V4_DST, 4, t->dst);
	} else {
		mnl_attr_put(h, CTA_IP_V6_SRC, 16, t->src);
		mnl_attr_put(h, CTA_IP_V6_DST, 16, t->dst);
	}
	mnl_attr_nest_end(h, ip);
}

static void put_protocol(struct nlmsghdr *h, const struct conntrack_tuple *t)
{
	struct nlattr *proto = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(h, CTA_PROTO_NUM, t->l4);
	switch (t->l4) {
	case IPPROTO_ICMP:
		mnl_attr_put_u16(h, CTA_PROTO_ICMP_ID, htons(t->sport));
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_TYPE, 8);
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_CODE, 0);
		break;
	case IPPROTO_ICMPV6:
		mnl_attr_put_u16(h, CTA_PROTO_ICMPV6_ID, htons(t->sport));
		mnl_attr_put_u8(h, CTA_PROTO_ICMPV6_TYPE, 128);
		mnl_attr_put_u8(h, CTA_PROTO_ICMPV6_CODE, 0);
		break;
	default:
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(t->sport));
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(t->dport));
	}
	mnl_attr_nest_end(h, proto);
}

int conntrack_delete(const struct conntrack_tuple *t)
{
	_cleanup_(rtnl_freep) struct rtnl *r = NULL;
	struct rtnl_request q = {.what = "forget the connection"};
	struct nlattr *tuple;
	struct nfgenmsg *nf;
	int err = rtnl_new_for(NETLINK_NETFILTER, &r);

	if (err < 0)
		return err;
	nf = begin(r, &q, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
	nf->nfgen_family = t->family;
	tuple = mnl_attr_nest_start(q.last, CTA_TUPLE_ORIG);
	put_addresses(q.last, t);
	put_protocol(q.last, t);
	mnl_attr_nest_end(q.last, tuple);
	return rtnl_request_write(r, &q, NULL);
}

static int on_any(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	return 0;
}

bool conntrack_has(const struct conntrack_tuple *t)
{
	_cleanup_(rtnl_freep) struct rtnl *r = NULL;
	struct rtnl_request q = {.what = "look for a connection"};
	struct rtnl_array none = {0};
	struct nlattr *tuple;
	struct nfgenmsg *nf;

	if (rtnl_new_for(NETLINK_NETFILTER, &r) < 0)
		return false;
	nf = begin(r, &q, IPCTNL_MSG_CT_GET, NLM_F_ACK);
	nf->nfgen_family = t->family;
	tuple = mnl_attr_nest_start(q.last, CTA_TUPLE_ORIG);
	put_addresses(q.last, t);
	put_protocol(q.last, t);
	mnl_attr_nest_end(q.last, tuple);
	return rtnl_request_run(r, &q, on_any, &none, NULL) == 0;
}
