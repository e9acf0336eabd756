/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_nat.c - conntrack and its translation: net/netfilter/nf_conntrack_core.c, nf_nat_core.c. Only
 * what a connection's first packet and the answer to it meet.
 */
#include "path/explain_internal.h"

#include <linux/if_addr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>

#define ECHO 8
#define ECHO6 128
#define TCP_SYN 2
#define TCP_ACK 16
#define RANDOM_PORTS                                                                               \
	(NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY | NF_NAT_RANGE_PROTO_OFFSET)

/* ---- conntrack ---- */

static uint16_t be(uint16_t v)
{
	return htons(v);
}

static struct nfteval_tuple tuple_of(const struct walk *w)
{
	struct nfteval_tuple t = {.sport = be(walk_sport(w)), .dport = be(walk_dport(w))};
	const uint8_t *p = walk_is_icmp(w) ? walk_l4_header(w, 8) : NULL;

	memcpy(&t.src, walk_src(w), walk_addr_len(w));
	memcpy(&t.dst, walk_dst(w), walk_addr_len(w));
	if (p)
		memcpy(&t.dport, p, 2); /* type and code */
	return t;
}

static struct nfteval_tuple answer_of(const struct walk *w, const struct nfteval_tuple *t)
{
	struct nfteval_tuple a = {
		.src = t->dst, .dst = t->src, .sport = t->dport, .dport = t->sport};

	if (walk_is_icmp(w)) {
		const uint8_t type[2] = {w->family == AF_INET ? 0 : ECHO6 + 1, 0};

		a.sport = t->sport;
		memcpy(&a.dport, type, sizeof(a.dport));
	}
	return a;
}

/* Whether conntrack takes it for the beginning of a connection. */
static bool begins_connection(const struct walk *w)
{
	const uint8_t *p;

	switch (walk_l4(w)) {
	case IPPROTO_TCP:
		p = walk_l4_header(w, 20);
		return p && (p[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		p = walk_l4_header(w, 8);
		return p && p[0] == (w->family == AF_INET ? ECHO : ECHO6);
	default:
		return true;
	}
}

static void track_new(struct walk *w)
{
	struct nfteval_tuple t = tuple_of(w);

	w->pkt.ct = (struct nfteval_ct){
		.state = NFTEVAL_CT_NEW,
		.family = w->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6,
		.proto = walk_l4(w),
		.orig = t,
		.answer = answer_of(w, &t),
	};
}

bool walk_track(struct walk *w, int where)
{
	struct explain_conn *c = &w->x->conn;

	if (w->pkt.ct.state != NFTEVAL_CT_NONE)
		return true;
	if (w->reply && c->tracked) {
		w->pkt.ct = c->ct;
		w->pkt.ct.state = NFTEVAL_CT_ESTABLISHED;
		w->pkt.ct.reply = true;
		w->pkt.ct.status |= IPS_SEEN_REPLY;
		return true;
	}
	if (!begins_connection(w))
		return true; /* invalid: no connection */
	if (w->h->conntrack_full(w->h->ctx))
		return walk_unknown(w, "conntrack's table is full: whether an old connection makes "
				       "room is chance");
	track_new(w);
	return true;
}

/* What the first packet has made of its connection, for the answer to it. */
static void remember(struct walk *w)
{
	if (w->reply || w->pkt.ct.state != NFTEVAL_CT_NEW)
		return;
	w->x->conn.tracked = true;
	w->x->conn.ct = w->pkt.ct;
	w->x->conn.ct.status |= IPS_CONFIRMED;
}

/* ---- headers ---- */

static void set_port(struct walk *w, bool source, uint16_t port)
{
	uint8_t *p = walk_l4_header(w, 8);

	if (!p)
		return;
	if (walk_is_icmp(w))
		put16(p + 4, port);
	else if (walk_l4(w) == IPPROTO_TCP || walk_l4(w) == IPPROTO_UDP)
		put16(p + (source ? 0 : 2), port);
}

static void set_address(struct walk *w, bool source, const void *addr)
{
	memcpy(source ? walk_src(w) : walk_dst(w), addr, walk_addr_len(w));
}

static bool is_zero(const void *addr, size_t len)
{
	static const uint8_t none[16];

	return memcmp(addr, none, len) == 0;
}

/* ---- a connection's first packet ---- */

/* The address, when there is but one to choose from. */
static bool only_address(struct walk *w, const struct nfteval_nat *n, bool source,
			 struct in6_addr *ret)
{
	static const char several[] = "nat: which of several addresses is the kernel's choice";

	if (memcmp(&n->min_addr, &n->max_addr, walk_addr_len(w)) != 0 &&
	    !is_zero(&n->max_addr, walk_addr_len(w)))
		return source ? walk_unknown_behind(w, several) : walk_unknown(w, several);
	*ret = n->min_addr;
	return true;
}

/*
 * The port that it gets; its own where that is in the range and free. *@ret_any: which, is the
 * kernel's choice.
 */
static uint16_t choose_port(struct walk *w, const struct nfteval_nat *n, bool source, bool *ret_any)
{
	uint16_t own = source || walk_is_icmp(w) ? walk_sport(w) : walk_dport(w);
	bool in_range = own >= n->min_port && own <= n->max_port;

	*ret_any = false;
	if (walk_l4(w) != IPPROTO_TCP && walk_l4(w) != IPPROTO_UDP && !walk_is_icmp(w))
		return own;
	if (n->has_port && n->min_port == n->max_port)
		return n->min_port;
	*ret_any = n->flags & RANDOM_PORTS || (n->has_port && !in_range) ||
		   w->h->taken(w->pkt.ct.family, walk_l4(w), &w->pkt.ct.answer, w->h->ctx);
	return own;
}

static void masquerade_address4(const struct walk *w, int out, const uint8_t *next, void *ret)
{
	const struct addr_detail *first = NULL, *near = NULL;

	for (size_t i = 0; i < w->h->detail->n_addrs; i++) {
		const struct addr_detail *a = &w->h->detail->addrs[i];
		struct ip4_prefix p = {.len = a->len};
		struct in_addr gw;

		if (a->family != AF_INET || a->ifindex != out || a->flags & IFA_F_SECONDARY ||
		    a->scope > RT_SCOPE_UNIVERSE)
			continue;
		memcpy(&p.addr, a->addr, 4);
		memcpy(&gw, next, 4);
		if (!first)
			first = a;
		if (!near && ip4_in(&p, gw))
			near = a;
	}
	near = near ? near : first;
	if (near)
		memcpy(ret, near->addr, 4);
}

/* RFC 6724 has many rules; with one address that others could answer to there is no choice. */
static bool masquerade_address6(const struct walk *w, int out, void *ret)
{
	const struct addr_detail *only = NULL;

	for (size_t i = 0; i < w->h->detail->n_addrs; i++) {
		const struct addr_detail *a = &w->h->detail->addrs[i];

		if (a->family != AF_INET6 || a->ifindex != out || a->scope != RT_SCOPE_UNIVERSE ||
		    a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
			continue;
		if (only)
			return false;
		only = a;
	}
	if (only)
		memcpy(ret, only->addr, 16);
	return only;
}

static bool masquerade_address(struct walk *w, const struct hook_at *at, const uint8_t *next,
			       struct in6_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (w->family == AF_INET)
		masquerade_address4(w, at->out, next, ret);
	else if (!masquerade_address6(w, at->out, ret))
		return walk_unknown_behind(
			w, "masquerade: which of several IPv6 addresses is not modelled");
	if (is_zero(ret, walk_addr_len(w)))
		return walk_unknown_behind(w, "masquerade: the interface has no address to be had");
	return true;
}

/* `redirect`: the first address of the interface it came in by. */
static bool redirect_address(struct walk *w, const struct hook_at *at, struct in6_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!at->in || w->family != AF_INET)
		return walk_unknown(w, "redirect: of IPv6 and of the host's own is not modelled");
	for (size_t i = 0; i < w->h->detail->n_addrs; i++) {
		const struct addr_detail *a = &w->h->detail->addrs[i];

		if (a->family != AF_INET || a->ifindex != at->in)
			continue;
		memcpy(ret, a->addr, 4);
		return true;
	}
	return walk_unknown(w, "redirect: the interface has no address");
}

static void translate_destination(struct walk *w, const struct in6_addr *addr, bool has_addr,
				  uint16_t port)
{
	struct nfteval_ct *ct = &w->pkt.ct;

	if (has_addr) {
		set_address(w, false, addr);
		memcpy(&ct->answer.src, addr, walk_addr_len(w));
	}
	set_port(w, false, port);
	ct->answer.sport = be(port);
	w->x->conn.dnat = true;
	ct->status |= IPS_DST_NAT;
}

static bool destination_nat(struct walk *w, const struct hook_at *at)
{
	const struct nfteval_nat *n = &w->dnat;
	struct in6_addr addr = n->min_addr;
	bool has_addr = n->has_addr || n->redirect, any;
	uint16_t port;

	if (n->redirect && !redirect_address(w, at, &addr))
		return false;
	if (n->has_addr && !n->redirect && !only_address(w, n, false, &addr))
		return false;
	port = choose_port(w, n, false, &any);
	if (any)
		return walk_unknown(w, "nat: which of several ports is the kernel's choice");
	translate_destination(w, &addr, has_addr, port);
	return true;
}

static bool source_nat(struct walk *w, const struct hook_at *at, const uint8_t *next)
{
	const struct nfteval_nat *n = &w->snat;
	struct nfteval_ct *ct = &w->pkt.ct;
	struct in6_addr addr = n->min_addr;
	uint16_t port;

	if (n->masquerade ? !masquerade_address(w, at, next, &addr)
			  : n->has_addr && !only_address(w, n, true, &addr))
		return false;
	if (n->masquerade || n->has_addr) {
		set_address(w, true, &addr);
		memcpy(&ct->answer.dst, &addr, walk_addr_len(w));
	}
	port = choose_port(w, n, true, &w->x->conn.any_port);
	set_port(w, true, port);
	if (walk_is_icmp(w))
		ct->answer.sport = be(port);
	else
		ct->answer.dport = be(port);
	w->x->conn.snat = true;
	ct->status |= IPS_SRC_NAT;
	return true;
}

/* ---- the answer: what was done is undone ---- */

static void restore_destination(struct walk *w)
{
	const struct explain_conn *c = &w->x->conn;

	if (!c->snat)
		return;
	set_address(w, false, &c->ct.orig.src);
	set_port(w, false, ntohs(c->ct.orig.sport));
}

static void restore_source(struct walk *w)
{
	const struct explain_conn *c = &w->x->conn;

	if (!c->dnat)
		return;
	set_address(w, true, &c->ct.orig.dst);
	if (!walk_is_icmp(w))
		set_port(w, true, ntohs(c->ct.orig.dport));
}

/* ---- hooks with translation ---- */

static bool is_answer(const struct walk *w)
{
	return w->pkt.ct.state == NFTEVAL_CT_ESTABLISHED && w->pkt.ct.reply;
}

bool walk_prerouting(struct walk *w, const struct hook_at *at, int where)
{
	w->dnat = (struct nfteval_nat){0};
	if (!walk_hook(w, at, NFTEVAL_FIRST, NF_IP_PRI_CONNTRACK, where) || !walk_track(w, where) ||
	    !walk_hook(w, at, NF_IP_PRI_CONNTRACK, NF_IP_PRI_NAT_DST + 1, where))
		return false;
	if (w->dnat.set && !destination_nat(w, at))
		return false;
	w->pkt.ct.dnat_done = true;
	if (is_answer(w))
		restore_destination(w);
	if (!walk_hook(w, at, NF_IP_PRI_NAT_DST + 1, NFTEVAL_LAST, where))
		return false;
	remember(w);
	return true;
}

bool walk_postrouting(struct walk *w, const struct hook_at *at, int where, const uint8_t *gateway)
{
	w->snat = (struct nfteval_nat){0};
	if (!walk_hook(w, at, NFTEVAL_FIRST, NF_IP_PRI_NAT_SRC + 1, where))
		return false;
	if (w->snat.set && !source_nat(w, at, gateway ? gateway : walk_dst(w)))
		return false;
	w->pkt.ct.snat_done = true;
	if (is_answer(w))
		restore_source(w);
	if (!walk_hook(w, at, NF_IP_PRI_NAT_SRC + 1, NFTEVAL_LAST, where))
		return false;
	remember(w);
	return true;
}
