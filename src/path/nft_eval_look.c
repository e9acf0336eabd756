/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_look.c - expressions that look at what is known of the packet besides its bytes (meta, ct,
 * fib, rt), and up in sets. Each follows the kernel's: where that gives up (no such interface, no
 * connection), the rule does not match.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include "path/nft_eval_internal.h"

#define NAME_LEN 16

static enum nfteval_flow put_name(struct nfteval_state *s, int reg, const char *name)
{
	char padded[NAME_LEN] = {0};

	if (name)
		memcpy(padded, name, size_min(strlen(name), sizeof(padded) - 1));
	return nfteval_put(s, reg, padded, sizeof(padded));
}

/*
 * Kernels differ in what they do where no interface is there (egress, the bridge's postrouting): 6.18
 * takes the one that the packet is at, others let the rule fail. And so with both, of different types.
 */
static enum nfteval_flow meta_iiftype(struct nfteval_state *s, const struct nftprog_expr *e)
{
	const struct nfteval_dev *in = s->pkt.in, *out = s->pkt.out;
	const char *why = "meta iiftype where a packet leaves";

	if (in && (!out || out->type == in->type))
		return nfteval_put_u16(s, e->dreg, in->type);
	if (nfteval_put_unknown(s, e->dreg, 2, why) == NFTEVAL_OPAQUE)
		return NFTEVAL_OPAQUE;
	return nfteval_maybe(s, why);
}

static enum nfteval_flow meta_dev(struct nfteval_state *s, const struct nftprog_expr *e,
				  const struct nfteval_dev *dev)
{
	switch (e->key) {
	case NFT_META_IIF:
	case NFT_META_OIF:
		return nfteval_put_u32(s, e->dreg, dev ? dev->index : 0);
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		return put_name(s, e->dreg, dev ? dev->name : NULL);
	case NFT_META_IIFTYPE:
		return meta_iiftype(s, e);
	case NFT_META_OIFTYPE:
		return dev ? nfteval_put_u16(s, e->dreg, dev->type) : NFTEVAL_BREAK;
	case NFT_META_IIFGROUP:
	case NFT_META_OIFGROUP:
		return dev ? nfteval_put_u32(s, e->dreg, dev->group) : NFTEVAL_BREAK;
	case NFT_META_IIFKIND:
	case NFT_META_OIFKIND:
		return dev && dev->kind ? put_name(s, e->dreg, dev->kind) : NFTEVAL_BREAK;
	case NFT_META_BRI_IIFNAME:
	case NFT_META_BRI_OIFNAME:
		return dev && dev->bridge ? put_name(s, e->dreg, dev->bridge) : NFTEVAL_BREAK;
	}
	return nfteval_opaque(s, "meta");
}

#define SECONDS_A_DAY 86400

static enum nfteval_flow meta_time(struct nfteval *v, struct nfteval_state *s,
				   const struct nftprog_expr *e)
{
	int64_t now = v->at->now_s;
	uint64_t ns = (uint64_t)now * 1000000000u;

	if (!now)
		return nfteval_put_unknown(s, e->dreg, 8, "the time");
	if (e->key == NFT_META_TIME_NS)
		return nfteval_put(s, e->dreg, &ns, sizeof(ns));
	/* 1 January 1970 was a Thursday. */
	if (e->key == NFT_META_TIME_DAY)
		return nfteval_put_u8(s, e->dreg, (uint8_t)((4 + now / SECONDS_A_DAY) % 7));
	return nfteval_put_u32(s, e->dreg, (uint32_t)(now % SECONDS_A_DAY));
}

/*
 * A packet that IP received has no socket before the host itself takes it; what programs write to a
 * tap has one at first, which IP takes away.
 */
static bool has_no_socket(const struct nfteval *v, const struct nfteval_state *s)
{
	return !s->pkt.local && (v->at->pf == NFPROTO_IPV4 || v->at->pf == NFPROTO_IPV6) &&
	       v->at->hook != NF_INET_LOCAL_IN && v->at->hook != NF_INET_LOCAL_OUT;
}

static enum nfteval_flow meta_packet(struct nfteval *v, struct nfteval_state *s,
				     const struct nftprog_expr *e)
{
	const struct nfteval_packet *p = &s->pkt;

	switch (e->key) {
	case NFT_META_LEN:
		return nfteval_put_u32(s, e->dreg, nfteval_length(s, v->at));
	case NFT_META_PROTOCOL:
		return nfteval_put_u16(s, e->dreg, htons(p->protocol));
	case NFT_META_NFPROTO:
		return nfteval_put_u8(s, e->dreg, s->h.pf);
	case NFT_META_L4PROTO:
		return s->h.l4 ? nfteval_put_u8(s, e->dreg, s->h.proto) : NFTEVAL_BREAK;
	case NFT_META_MARK:
		return nfteval_put_u32(s, e->dreg, p->mark);
	case NFT_META_PRIORITY:
		return p->priority_unknown ? nfteval_put_unknown(s, e->dreg, 4, "meta priority")
					   : nfteval_put_u32(s, e->dreg, p->priority);
	case NFT_META_PKTTYPE:
		return p->pkttype == PACKET_LOOPBACK
			       ? nfteval_put_unknown(s, e->dreg, 1, "meta pkttype on lo")
			       : nfteval_put_u8(s, e->dreg, p->pkttype);
	}
	return nfteval_opaque(s, "meta");
}

/* What has a value that nobody knows; @len: its length */
static const struct {
	uint32_t key;
	uint32_t len;
	const char *text;
} unknown_meta[] = {
	{NFT_META_CPU, 4, "meta cpu"},
	{NFT_META_PRANDOM, 4, "meta random"},
	{NFT_META_RTCLASSID, 4, "meta rtclassid"},
	{NFT_META_SECMARK, 4, "meta secmark"},
	{NFT_META_SECPATH, 1, "meta ipsec"},
	{NFT_META_SDIF, 4, "meta sdif"},
	{NFT_META_SDIFNAME, NAME_LEN, "meta sdifname"},
	{NFT_META_SKUID, 4, "meta skuid"},
	{NFT_META_SKGID, 4, "meta skgid"},
	{NFT_META_CGROUP, 4, "meta cgroup"},
	{NFT_META_BRI_IIFPVID, 2, "meta ibrpvid"},
	{NFT_META_BRI_IIFVPROTO, 2, "meta ibrvproto"},
};

/* Some of those may have no value at all: then the rule does not match. */
static enum nfteval_flow meta_unknown(struct nfteval *v, struct nfteval_state *s,
				      const struct nftprog_expr *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown_meta); i++) {
		const char *text = unknown_meta[i].text;

		if (unknown_meta[i].key != e->key)
			continue;
		if (nfteval_put_unknown(s, e->dreg, unknown_meta[i].len, text) == NFTEVAL_OPAQUE)
			return NFTEVAL_OPAQUE;
		return e->key == NFT_META_CPU || e->key == NFT_META_PRANDOM
			       ? NFTEVAL_NEXT
			       : nfteval_maybe(s, text);
	}
	return nfteval_opaque(s, "meta");
}

enum nfteval_flow nfteval_meta(struct nfteval *v, struct nfteval_state *s,
			       const struct nftprog_expr *e)
{
	switch (e->key) {
	case NFT_META_IIF:
	case NFT_META_IIFNAME:
	case NFT_META_IIFTYPE:
	case NFT_META_IIFGROUP:
	case NFT_META_IIFKIND:
	case NFT_META_BRI_IIFNAME:
		return meta_dev(s, e, s->pkt.in);
	case NFT_META_OIF:
	case NFT_META_OIFNAME:
	case NFT_META_OIFTYPE:
	case NFT_META_OIFGROUP:
	case NFT_META_OIFKIND:
	case NFT_META_BRI_OIFNAME:
		return meta_dev(s, e, s->pkt.out);
	case NFT_META_TIME_NS:
	case NFT_META_TIME_DAY:
	case NFT_META_TIME_HOUR:
		return meta_time(v, s, e);
	case NFT_META_SKUID:
	case NFT_META_SKGID:
	case NFT_META_CGROUP:
		return has_no_socket(v, s) ? NFTEVAL_BREAK : meta_unknown(v, s, e);
	case NFT_META_LEN:
	case NFT_META_PROTOCOL:
	case NFT_META_NFPROTO:
	case NFT_META_L4PROTO:
	case NFT_META_MARK:
	case NFT_META_PRIORITY:
	case NFT_META_PKTTYPE:
		return meta_packet(v, s, e);
	}
	return meta_unknown(v, s, e);
}

/* As the kernel shifts them: invalid 1, established 2, related 4, new 8, untracked 64. */
static uint32_t ct_state_bit(enum nfteval_ct_state state)
{
	static const uint32_t bits[] = {
		[NFTEVAL_CT_NONE] = 1,	      [NFTEVAL_CT_UNTRACKED] = 64, [NFTEVAL_CT_NEW] = 8,
		[NFTEVAL_CT_ESTABLISHED] = 2, [NFTEVAL_CT_RELATED] = 4,
	};

	return bits[state];
}

static enum nfteval_flow ct_address(struct nfteval_state *s, const struct nftprog_expr *e,
				    const struct nfteval_tuple *t)
{
	const struct nfteval_ct *ct = &s->pkt.ct;
	bool src = e->key == NFT_CT_SRC || e->key == NFT_CT_SRC_IP || e->key == NFT_CT_SRC_IP6;
	bool ip4 = ct->family == NFPROTO_IPV4;

	if ((e->key == NFT_CT_SRC_IP || e->key == NFT_CT_DST_IP) && !ip4)
		return NFTEVAL_BREAK;
	if ((e->key == NFT_CT_SRC_IP6 || e->key == NFT_CT_DST_IP6) && ip4)
		return NFTEVAL_BREAK;
	return nfteval_put(s, e->dreg, src ? &t->src : &t->dst, ip4 ? 4 : 16);
}

static enum nfteval_flow ct_tuple(struct nfteval_state *s, const struct nftprog_expr *e)
{
	const struct nfteval_ct *ct = &s->pkt.ct;
	const struct nfteval_tuple *t = e->dir == 1 ? &ct->answer : &ct->orig;

	/* NAT changes the reply's tuple; the caller has not said to what yet. */
	if (s->translated && e->dir == 1)
		return nfteval_put_unknown(s, e->dreg, 16, "ct reply after a nat rule");
	if (e->key == NFT_CT_PROTO_SRC)
		return nfteval_put_u16(s, e->dreg, t->sport);
	if (e->key == NFT_CT_PROTO_DST)
		return nfteval_put_u16(s, e->dreg, t->dport);
	return ct_address(s, e, t);
}

/* Nobody has seen a connection's first packet but the rules that were evaluated for it. */
static bool has_known_labels(const struct nfteval_ct *ct)
{
	return ct->state == NFTEVAL_CT_NEW && !(ct->status & IPS_CONFIRMED) && !ct->labels_unknown;
}

static enum nfteval_flow ct_value(struct nfteval_state *s, const struct nftprog_expr *e)
{
	const struct nfteval_ct *ct = &s->pkt.ct;

	switch (e->key) {
	case NFT_CT_DIRECTION:
		return nfteval_put_u8(s, e->dreg, ct->reply);
	case NFT_CT_STATUS:
		return s->translated
			       ? nfteval_put_unknown(s, e->dreg, 4, "ct status after a nat rule")
			       : nfteval_put_u32(s, e->dreg, ct->status);
	case NFT_CT_MARK:
		return nfteval_put_u32(s, e->dreg, ct->mark);
	case NFT_CT_HELPER:
		return ct->helper ? put_name(s, e->dreg, ct->helper) : NFTEVAL_BREAK;
	case NFT_CT_L3PROTOCOL:
		return nfteval_put_u8(s, e->dreg, ct->family);
	case NFT_CT_PROTOCOL:
		return nfteval_put_u8(s, e->dreg, ct->proto);
	case NFT_CT_ZONE:
		return nfteval_put_u16(s, e->dreg, ct->zone);
	case NFT_CT_SRC:
	case NFT_CT_DST:
	case NFT_CT_SRC_IP:
	case NFT_CT_DST_IP:
	case NFT_CT_SRC_IP6:
	case NFT_CT_DST_IP6:
	case NFT_CT_PROTO_SRC:
	case NFT_CT_PROTO_DST:
		return ct_tuple(s, e);
	case NFT_CT_EXPIRATION:
		return nfteval_put_unknown(s, e->dreg, 4, "ct expiration");
	case NFT_CT_LABELS:
		return has_known_labels(ct)
			       ? nfteval_put(s, e->dreg, ct->labels, sizeof(ct->labels))
			       : nfteval_put_unknown(s, e->dreg, 16, "ct label");
	case NFT_CT_PKTS:
		return nfteval_put_unknown(s, e->dreg, 8, "ct packets");
	case NFT_CT_BYTES:
		return nfteval_put_unknown(s, e->dreg, 8, "ct bytes");
	case NFT_CT_AVGPKT:
		return nfteval_put_unknown(s, e->dreg, 8, "ct avgpkt");
	case NFT_CT_ID:
		return nfteval_put_unknown(s, e->dreg, 4, "ct id");
	case NFT_CT_SECMARK:
		return nfteval_put_unknown(s, e->dreg, 4, "ct secmark");
	}
	return nfteval_opaque(s, "ct");
}

enum nfteval_flow nfteval_ct(struct nfteval *v, struct nfteval_state *s,
			     const struct nftprog_expr *e)
{
	enum nfteval_ct_state state = s->pkt.ct.state;

	/* Such a packet has a connection that is none yet, only the place for its zone. */
	if (s->res.set_zone && state == NFTEVAL_CT_NONE) {
		enum nfteval_flow flow =
			nfteval_put_unknown(s, e->dreg, e->key == NFT_CT_STATE ? 4 : 16, "ct zone");

		return flow == NFTEVAL_NEXT ? nfteval_maybe(s, "ct after ct zone set") : flow;
	}
	if (e->key == NFT_CT_STATE)
		return nfteval_put_u32(s, e->dreg, ct_state_bit(state));
	if (state == NFTEVAL_CT_NONE || state == NFTEVAL_CT_UNTRACKED)
		return NFTEVAL_BREAK;
	return ct_value(s, e);
}

bool nfteval_type_of(struct nfteval *v, const struct nfteval_state *s, const struct in6_addr *addr,
		     uint32_t dev, uint32_t *ret)
{
	struct nfteval_fib q = {.family = s->pkt.protocol == ETH_P_IP ? AF_INET : AF_INET6,
				.dst = *addr,
				.dev = dev};

	return v->asked->type && v->asked->type(v->asked->ctx, &q, ret) == 0;
}

static const struct nfteval_dev *fib_dev(const struct nfteval_state *s,
					 const struct nftprog_expr *e)
{
	if (e->flags & NFTA_FIB_F_IIF)
		return s->pkt.in;
	return e->flags & NFTA_FIB_F_OIF ? s->pkt.out : NULL;
}

static enum nfteval_flow fib_store(struct nfteval *v, struct nfteval_state *s,
				   const struct nftprog_expr *e, uint32_t index)
{
	char name[NAME_LEN] = {0};

	if (e->flags & NFTA_FIB_F_PRESENT && e->key == NFT_FIB_RESULT_OIF)
		return nfteval_put_u32(s, e->dreg, index != 0);
	if (e->flags & NFTA_FIB_F_PRESENT)
		return nfteval_put_u8(s, e->dreg, index != 0);
	if (e->key == NFT_FIB_RESULT_OIF)
		return nfteval_put_u32(s, e->dreg, index);
	if (index && (!v->asked->name || v->asked->name(v->asked->ctx, index, name)))
		return nfteval_put_unknown(s, e->dreg, NAME_LEN, "fib oifname");
	return nfteval_put(s, e->dreg, name, sizeof(name));
}

static bool is_unicast_ip4(const struct in6_addr *a)
{
	return a->s6_addr[0] != 0 && a->s6_addr[0] < 224;
}

static bool is_loopback(const struct nfteval_dev *dev)
{
	return dev && dev->name && strcmp(dev->name, "lo") == 0;
}

/*
 * Where the kernel does not look up: on lo, and what has no address of its own yet. True with the
 * interface that it says instead.
 */
static bool fib_skips(const struct nfteval *v, const struct nfteval_state *s,
		      const struct in6_addr *src, const struct in6_addr *dst, uint32_t *ret)
{
	static const struct in6_addr any;
	uint8_t to[4];

	if (!s->pkt.in)
		return false;
	*ret = s->pkt.in->index;
	if (is_loopback(s->pkt.in) && v->at->hook != NF_INET_FORWARD)
		return true;
	if (s->pkt.protocol == ETH_P_IPV6)
		return s->h.proto == IPPROTO_ICMPV6 && memcmp(src, &any, sizeof(any)) == 0 &&
		       IN6_IS_ADDR_LINKLOCAL(dst);
	memcpy(to, dst, sizeof(to));
	return src->s6_addr[0] == 0 &&
	       ((to[0] == 255 && to[1] == 255 && to[2] == 255 && to[3] == 255) ||
		(to[0] == 224 && to[1] == 0 && to[2] == 0));
}

static enum nfteval_flow fib_unknown(struct nfteval_state *s, const struct nftprog_expr *e)
{
	return nfteval_put_unknown(s, e->dreg, e->key == NFT_FIB_RESULT_OIFNAME ? NAME_LEN : 4,
				   "fib");
}

static enum nfteval_flow fib_route(struct nfteval *v, struct nfteval_state *s,
				   const struct nftprog_expr *e, const struct in6_addr *src,
				   const struct in6_addr *dst)
{
	const struct nfteval_dev *dev = fib_dev(s, e);
	bool by_dst = e->flags & NFTA_FIB_F_DADDR, ip4 = s->pkt.protocol == ETH_P_IP;
	struct nfteval_fib q = {.family = ip4 ? AF_INET : AF_INET6,
				.dst = by_dst ? *dst : *src,
				.src = by_dst ? *src : *dst,
				.dev = dev ? dev->index : 0,
				.l4proto = s->h.proto};
	uint32_t index;
	uint8_t tos;

	if (fib_skips(v, s, src, dst, &index))
		return fib_store(v, s, e, index);
	if (ip4 && !is_unicast_ip4(&q.src))
		memset(&q.src, 0, sizeof(q.src));
	if (ip4 && nfteval_read(s, (size_t)s->pkt.network + 1, &tos, 1))
		q.tos = tos & 0xfc;
	q.mark = e->flags & NFTA_FIB_F_MARK ? s->pkt.mark : 0;
	if (!by_dst && v->at->hook == NF_INET_FORWARD && e->flags & NFTA_FIB_F_IIF && s->pkt.out)
		q.iif = s->pkt.out->index;
	if (!v->asked->route || v->asked->route(v->asked->ctx, &q, &index))
		return fib_unknown(s, e);
	return fib_store(v, s, e, index);
}

enum nfteval_flow nfteval_fib(struct nfteval *v, struct nfteval_state *s,
			      const struct nftprog_expr *e)
{
	const struct nfteval_dev *dev = fib_dev(s, e);
	struct in6_addr src, dst;
	uint32_t type;

	if (s->translated)
		return fib_unknown(s, e);
	if (!nfteval_ip(s, &src, &dst))
		return NFTEVAL_BREAK;
	if (e->key == NFT_FIB_RESULT_OIF || e->key == NFT_FIB_RESULT_OIFNAME)
		return fib_route(v, s, e, &src, &dst);
	if (!nfteval_type_of(v, s, e->flags & NFTA_FIB_F_DADDR ? &dst : &src, dev ? dev->index : 0,
			     &type))
		return fib_unknown(s, e);
	return nfteval_put_u32(s, e->dreg, type);
}

enum nfteval_flow nfteval_rt(struct nfteval *v, struct nfteval_state *s,
			     const struct nftprog_expr *e)
{
	bool ip6 = e->key == NFT_RT_NEXTHOP6;

	/* What has just come in by a real interface has no route yet. */
	if (v->at->hook == NF_INET_PRE_ROUTING && s->pkt.in && !is_loopback(s->pkt.in))
		return NFTEVAL_BREAK;
	if (e->key == NFT_RT_NEXTHOP4 || ip6) {
		if (s->h.pf != (ip6 ? NFPROTO_IPV6 : NFPROTO_IPV4))
			return NFTEVAL_BREAK;
		return s->pkt.has_next_hop
			       ? nfteval_put(s, e->dreg, &s->pkt.next_hop, ip6 ? 16 : 4)
			       : nfteval_put_unknown(s, e->dreg, ip6 ? 16 : 4, "rt nexthop");
	}
	if (e->key == NFT_RT_TCPMSS)
		return nfteval_put_unknown(s, e->dreg, 2, "rt mtu");
	if (e->key == NFT_RT_XFRM)
		return nfteval_put_unknown(s, e->dreg, 1, "rt ipsec");
	return nfteval_put_unknown(s, e->dreg, 4, "rt");
}

enum nfteval_flow nfteval_found(struct nfteval_state *s, const struct nftprog_set *set,
				const uint8_t *key, const struct nftprog_elem **ret)
{
	const struct nftprog_elem *e = nftprog_lookup(set, key);

	*ret = e;
	for (size_t i = s->n_touched; i-- > 0;) {
		const struct nfteval_touch *t = &s->touched[i];

		if (t->set != set || memcmp(t->key, key, set->key_len) != 0)
			continue;
		if (!t->there) {
			*ret = NULL;
			return NFTEVAL_BREAK;
		}
		/* Just added: there, but what a map says for it is not kept. */
		if (!e && (set->flags & (NFT_SET_MAP | NFT_SET_OBJECT)))
			return nfteval_maybe(s, "an element that a rule has just added");
		return NFTEVAL_NEXT;
	}
	return e ? NFTEVAL_NEXT : NFTEVAL_BREAK;
}

static enum nfteval_flow take_data(struct nfteval_state *s, const struct nftprog_expr *e,
				   const struct nftprog_elem *elem)
{
	if (elem && elem->stateful)
		return nfteval_maybe(s, elem->stateful);
	if (!(e->set->flags & NFT_SET_MAP) || e->dreg < 0)
		return NFTEVAL_NEXT;
	if (!elem)
		return nfteval_opaque(s, "a map");
	if (e->set->verdicts)
		return elem->verdict == NFT_CONTINUE
			       ? NFTEVAL_NEXT
			       : nfteval_verdict(s, elem->verdict, elem->target);
	return elem->data ? nfteval_put(s, e->dreg, elem->data, e->set->data_len)
			  : nfteval_opaque(s, "a map");
}

/* A key that is not known: a map's value is not either, and a verdict could be any of its. */
static enum nfteval_flow lookup_unknown(struct nfteval_state *s, const struct nftprog_expr *e)
{
	const char *why = s->why;

	if (e->set->flags & NFT_SET_MAP && e->dreg >= 0) {
		if (e->set->verdicts ||
		    nfteval_put_unknown(s, e->dreg, e->set->data_len, why) == NFTEVAL_OPAQUE)
			return nfteval_opaque(s, why);
	}
	return nfteval_maybe(s, why);
}

enum nfteval_flow nfteval_lookup(struct nfteval *v, struct nfteval_state *s,
				 const struct nftprog_expr *e)
{
	const uint8_t *in = nfteval_get(s, e->sreg, e->set->key_len);
	const struct nftprog_elem *elem = NULL;
	uint8_t key[NFTPROG_VALUE_MAX] = {0};
	enum nfteval_flow flow;

	if (!in)
		return lookup_unknown(s, e);
	memcpy(key, in, e->set->key_len);
	flow = nfteval_found(s, e->set, key, &elem);
	if (flow == NFTEVAL_MAYBE)
		return e->set->flags & NFT_SET_MAP ? nfteval_opaque(s, s->why) : flow;
	if ((flow == NFTEVAL_NEXT) == e->invert) {
		elem = e->set->catchall;
		if (!elem)
			return NFTEVAL_BREAK;
	}
	if (e->invert && !(e->set->flags & NFT_SET_MAP))
		return elem && elem->stateful ? nfteval_maybe(s, elem->stateful) : NFTEVAL_NEXT;
	return take_data(s, e, elem);
}
