/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_do.c - statements: what rules change about the packet and its connection, and what they
 * decide besides plain verdicts. Effects are kept in the state.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include "path/nft_eval_internal.h"

static bool get_u32(struct nfteval_state *s, int reg, uint32_t *ret)
{
	const uint8_t *v = nfteval_get(s, reg, sizeof(*ret));

	if (v)
		memcpy(ret, v, sizeof(*ret));
	return v;
}

static enum nfteval_flow set_meta(struct nfteval_state *s, const struct nftprog_expr *e)
{
	uint32_t value = 0;
	bool known = get_u32(s, e->sreg, &value);
	uint8_t byte;

	switch (e->key) {
	case NFT_META_MARK:
		if (!known)
			return nfteval_opaque(s, s->why);
		s->pkt.mark = value;
		return NFTEVAL_NEXT;
	case NFT_META_PRIORITY:
		s->pkt.priority = known ? value : 0;
		s->pkt.priority_unknown = !known;
		return NFTEVAL_NEXT;
	case NFT_META_PKTTYPE:
		if (!known)
			return nfteval_opaque(s, s->why);
		memcpy(&byte, &value, 1);
		if (byte <= PACKET_OTHERHOST && s->pkt.pkttype <= PACKET_OTHERHOST)
			s->pkt.pkttype = byte;
		return NFTEVAL_NEXT;
	case NFT_META_NFTRACE:
	case NFT_META_SECMARK:
		return NFTEVAL_NEXT;
	}
	return nfteval_opaque(s, "meta set");
}

static bool is_tracked(const struct nfteval_state *s)
{
	return s->pkt.ct.state != NFTEVAL_CT_NONE && s->pkt.ct.state != NFTEVAL_CT_UNTRACKED;
}

/* A rule adds labels and takes none away; @v: NULL when nobody knows which. */
static void set_labels(struct nfteval_state *s, const uint8_t *v)
{
	struct nfteval_ct *ct = &s->pkt.ct;

	if (!is_tracked(s))
		return;
	if (!v)
		ct->labels_unknown = true;
	for (size_t i = 0; v && i < sizeof(ct->labels); i++)
		ct->labels[i] |= v[i];
}

static enum nfteval_flow set_ct(struct nfteval_state *s, const struct nftprog_expr *e)
{
	uint32_t value = 0;
	uint16_t zone;

	switch (e->key) {
	case NFT_CT_MARK:
		if (!is_tracked(s))
			return NFTEVAL_NEXT;
		if (!get_u32(s, e->sreg, &value))
			return nfteval_opaque(s, s->why);
		s->pkt.ct.mark = value;
		return NFTEVAL_NEXT;
	case NFT_CT_ZONE:
		if (is_tracked(s))
			return NFTEVAL_NEXT;
		if (!get_u32(s, e->sreg, &value))
			return nfteval_opaque(s, s->why);
		memcpy(&zone, &value, sizeof(zone));
		s->res.set_zone = true;
		s->res.zone = zone;
		return NFTEVAL_NEXT;
	case NFT_CT_LABELS:
		set_labels(s, nfteval_get(s, e->sreg, sizeof(s->pkt.ct.labels)));
		return NFTEVAL_NEXT;
	case NFT_CT_EVENTMASK:
	case NFT_CT_SECMARK:
		return NFTEVAL_NEXT;
	}
	return nfteval_opaque(s, "ct set");
}

static enum nfteval_flow set_payload(struct nfteval_state *s, const struct nftprog_expr *e)
{
	struct nfteval_write *w = &s->writes[s->n_writes];
	size_t base = (size_t)s->pkt.network;
	uint8_t was[NFTPROG_VALUE_MAX];
	const uint8_t *v;

	if (e->base == NFT_PAYLOAD_LL_HEADER) {
		if (s->pkt.link < 0)
			return NFTEVAL_BREAK;
		base = (size_t)s->pkt.link;
	} else if (e->base == NFT_PAYLOAD_TRANSPORT_HEADER) {
		if (!s->h.l4 || s->h.fragment)
			return NFTEVAL_BREAK;
		base = s->h.transport;
	} else if (e->base != NFT_PAYLOAD_NETWORK_HEADER) {
		return nfteval_opaque(s, "payload set");
	}
	if (e->len > sizeof(was) || !nfteval_read(s, base + e->offset, was, e->len))
		return NFTEVAL_BREAK;
	v = nfteval_get(s, e->sreg, e->len);
	if (!v || s->n_writes == NFTEVAL_WRITES || s->translated ||
	    (e->base == NFT_PAYLOAD_LL_HEADER && s->pkt.has_vlan))
		return nfteval_opaque(s, !v ? s->why : "payload set");
	if (memcmp(was, v, e->len) == 0)
		return NFTEVAL_NEXT;
	w->at = base + e->offset;
	w->len = e->len;
	memcpy(w->bytes, v, e->len);
	s->n_writes++;
	return NFTEVAL_NEXT;
}

/* Only TCP's options can be written: the largest segment, or to remove one. */
static enum nfteval_flow set_option(struct nfteval_state *s, const struct nftprog_expr *e)
{
	if (e->cmp != NFT_EXTHDR_OP_TCPOPT)
		return nfteval_opaque(s, "option set");
	if (!s->h.l4 || s->h.proto != IPPROTO_TCP || s->h.fragment)
		return nfteval_maybe(s, "tcp option set");
	s->options_changed = true;
	s->res.mtu_clamped = true;
	return NFTEVAL_NEXT;
}

static size_t count_elements(const struct nfteval_state *s, const struct nftprog_set *set)
{
	size_t n = set->n_elems;

	for (size_t i = 0; i < s->n_touched; i++)
		n += s->touched[i].set == set && s->touched[i].there;
	return n;
}

static enum nfteval_flow touch(struct nfteval_state *s, const struct nftprog_set *set,
			       const uint8_t *key, bool there)
{
	struct nfteval_touch *t = &s->touched[s->n_touched];

	if (s->n_touched == NFTEVAL_TOUCHED)
		return nfteval_opaque(s, "more sets are changed than are kept in mind");
	t->set = set;
	t->there = there;
	memcpy(t->key, key, set->key_len);
	s->n_touched++;
	return NFTEVAL_NEXT;
}

/* A set that is full, as far as is known, takes no more; elements may time out any moment. */
static enum nfteval_flow do_dynset(struct nfteval *v, struct nfteval_state *s,
				   const struct nftprog_expr *e)
{
	const struct nftprog_elem *elem = NULL;
	const uint8_t *in = nfteval_get(s, e->sreg, e->set->key_len);
	uint8_t key[NFTPROG_VALUE_MAX];
	enum nfteval_flow flow;

	if (!in)
		return nfteval_opaque(s, s->why);
	if (e->text && v->at->below && v->at->below(s->at.chain))
		return NFTEVAL_BREAK;
	memcpy(key, in, e->set->key_len);
	if (e->invert)
		return nfteval_opaque(s, "a set's update");
	flow = nfteval_found(s, e->set, key, &elem);
	if (e->cmp == NFT_DYNSET_OP_DELETE)
		return flow == NFTEVAL_BREAK ? NFTEVAL_NEXT : touch(s, e->set, key, false);
	if (flow == NFTEVAL_BREAK) {
		if (e->set->max && count_elements(s, e->set) >= e->set->max)
			return nfteval_maybe(s, "a set that is full");
		if (touch(s, e->set, key, true) == NFTEVAL_OPAQUE)
			return NFTEVAL_OPAQUE;
	}
	if (e->text)
		return nfteval_maybe(s, e->text);
	return elem && elem->stateful ? nfteval_maybe(s, elem->stateful) : NFTEVAL_NEXT;
}

enum nfteval_flow nfteval_quota(struct nfteval_state *s, uint64_t quota, uint64_t consumed,
				uint32_t len)
{
	if (consumed > quota)
		return NFTEVAL_NEXT;
	return consumed + len < quota ? NFTEVAL_BREAK : nfteval_maybe(s, "quota, nearly used up");
}

static enum nfteval_flow do_quota(struct nfteval *v, struct nfteval_state *s, uint64_t quota,
				  uint64_t consumed, bool over)
{
	enum nfteval_flow flow = nfteval_quota(s, quota, consumed, nfteval_length(s, v->at));

	if (flow == NFTEVAL_MAYBE)
		return flow;
	return (flow == NFTEVAL_NEXT) == over ? NFTEVAL_NEXT : NFTEVAL_BREAK;
}

static enum nfteval_flow do_object(struct nfteval *v, struct nfteval_state *s, uint32_t type,
				   const struct nftprog_object *o)
{
	switch (type) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_TUNNEL:
	case NFT_OBJECT_CT_TIMEOUT:
	case NFT_OBJECT_SECMARK:
	case NFT_OBJECT_CT_EXPECT:
		return NFTEVAL_NEXT;
	case NFT_OBJECT_QUOTA:
		if (o && o->type == type)
			return do_quota(v, s, o->quota, o->consumed, o->over);
		return nfteval_maybe(s, "quota");
	case NFT_OBJECT_CT_HELPER:
		if (!o || o->type != type || !o->helper)
			return nfteval_opaque(s, "ct helper");
		if (is_tracked(s))
			s->res.helper = o->helper;
		return NFTEVAL_NEXT;
	case NFT_OBJECT_LIMIT:
		return nfteval_maybe(s, "limit (how much of it is left, the kernel does not tell)");
	case NFT_OBJECT_CONNLIMIT:
		return nfteval_maybe(s, "ct count");
	}
	return nfteval_opaque(s, type == NFT_OBJECT_SYNPROXY ? "synproxy" : "an object");
}

static enum nfteval_flow do_objref(struct nfteval *v, struct nfteval_state *s,
				   const struct nftprog_expr *e)
{
	const struct nftprog_elem *elem = NULL;
	uint8_t key[NFTPROG_VALUE_MAX];
	const uint8_t *in;

	if (!e->set)
		return do_object(v, s, e->key, e->object);
	in = nfteval_get(s, e->sreg, e->set->key_len);
	if (!in)
		return nfteval_opaque(s, s->why);
	memcpy(key, in, e->set->key_len);
	if (nfteval_found(s, e->set, key, &elem) == NFTEVAL_MAYBE)
		return nfteval_opaque(s, s->why);
	if (!elem)
		elem = e->set->catchall;
	if (!elem)
		return NFTEVAL_BREAK;
	return elem->object ? do_object(v, s, elem->object->type, elem->object)
			    : nfteval_opaque(s, "an object");
}

enum nfteval_flow nfteval_translate(struct nfteval_state *s, bool source,
				    const struct nfteval_nat *nat)
{
	struct nfteval_nat *to = source ? &s->res.snat : &s->res.dnat;

	*to = *nat;
	to->set = true;
	to->rule = &s->at.chain->rules[s->at.rule];
	s->translated = true;
	if (source)
		s->pkt.ct.snat_done = true;
	else
		s->pkt.ct.dnat_done = true;
	return nfteval_verdict(s, NF_ACCEPT, NULL);
}

/* @reg: the first port's register, @reg_max: the last one's; network byte order there. */
static bool take_ports(struct nfteval_state *s, int reg, int reg_max, struct nfteval_nat *n)
{
	const uint8_t *v;
	uint16_t port;

	if (reg < 0)
		return true;
	v = nfteval_get(s, reg, sizeof(port));
	if (!v)
		return false;
	memcpy(&port, v, sizeof(port));
	n->has_port = true;
	n->min_port = n->max_port = ntohs(port);
	if (reg_max < 0)
		return true;
	v = nfteval_get(s, reg_max, sizeof(port));
	if (!v)
		return false;
	memcpy(&port, v, sizeof(port));
	n->max_port = ntohs(port);
	return true;
}

static bool take_addresses(struct nfteval_state *s, const struct nftprog_expr *e,
			   struct nfteval_nat *n)
{
	size_t len = s->h.pf == NFPROTO_IPV6 ? 16 : 4;
	const uint8_t *v;

	if (e->sreg < 0)
		return true;
	v = nfteval_get(s, e->sreg, len);
	if (!v)
		return false;
	n->has_addr = true;
	memcpy(&n->min_addr, v, len);
	memcpy(&n->max_addr, v, len);
	if (e->sreg2 < 0)
		return true;
	v = nfteval_get(s, e->sreg2, len);
	if (!v)
		return false;
	memcpy(&n->max_addr, v, len);
	return true;
}

static enum nfteval_flow do_nat(struct nfteval_state *s, const struct nftprog_expr *e)
{
	struct nfteval_nat n = {.flags = e->flags};

	/* In family inet, a rule for addresses of one family passes over packets of the other. */
	if (e->op == NFTPROG_NAT && e->family != s->h.pf && e->family != NFPROTO_INET)
		return NFTEVAL_NEXT;
	n.masquerade = e->op == NFTPROG_MASQ;
	n.redirect = e->op == NFTPROG_REDIR;
	if (e->op == NFTPROG_NAT && !take_addresses(s, e, &n))
		return nfteval_opaque(s, s->why);
	if (!take_ports(s, e->sreg3, e->sreg4, &n))
		return nfteval_opaque(s, s->why);
	if (n.has_addr)
		n.flags |= NF_NAT_RANGE_MAP_IPS;
	if (n.has_port)
		n.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	return nfteval_translate(
		s, n.masquerade || (e->op == NFTPROG_NAT && e->key == NFT_NAT_SNAT), &n);
}

static enum nfteval_flow do_notrack(struct nfteval_state *s)
{
	if (s->pkt.ct.state == NFTEVAL_CT_NONE && !s->res.set_zone) {
		s->pkt.ct.state = NFTEVAL_CT_UNTRACKED;
		s->res.notrack = true;
	}
	return NFTEVAL_NEXT;
}

static enum nfteval_flow do_fwd(struct nfteval_state *s, const struct nftprog_expr *e)
{
	if (e->sreg2 >= 0 || !get_u32(s, e->sreg, &s->res.fwd_dev))
		return nfteval_opaque(s, e->sreg2 >= 0 ? "fwd ip to" : s->why);
	return nfteval_verdict(s, NF_STOLEN, NULL);
}

/* Only where a program listens for it; that is not looked at. */
static enum nfteval_flow do_tproxy(struct nfteval_state *s)
{
	s->res.tproxy = true;
	return nfteval_opaque(s, "tproxy");
}

enum nfteval_flow nfteval_do(struct nfteval *v, struct nfteval_state *s,
			     const struct nftprog_expr *e)
{
	switch (e->op) {
	case NFTPROG_META_SET:
		return set_meta(s, e);
	case NFTPROG_CT_SET:
		return set_ct(s, e);
	case NFTPROG_PAYLOAD_SET:
		return set_payload(s, e);
	case NFTPROG_EXTHDR_SET:
		return set_option(s, e);
	case NFTPROG_DYNSET:
		return do_dynset(v, s, e);
	case NFTPROG_OBJREF:
		return do_objref(v, s, e);
	case NFTPROG_QUOTA:
		return do_quota(v, s, e->quota, e->consumed, e->invert);
	case NFTPROG_NAT:
	case NFTPROG_MASQ:
	case NFTPROG_REDIR:
		return do_nat(s, e);
	case NFTPROG_REJECT:
		s->res.rejected = true;
		return nfteval_verdict(s, NF_DROP, NULL);
	case NFTPROG_QUEUE:
		return nfteval_verdict(s, (int32_t)(NF_QUEUE | e->key << NF_VERDICT_QBITS), NULL);
	case NFTPROG_NOTRACK:
		return do_notrack(s);
	case NFTPROG_FWD:
		return do_fwd(s, e);
	case NFTPROG_TPROXY:
		return do_tproxy(s);
	default:
		return nfteval_opaque(s, e->text);
	}
}
