/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_xt_do.c - the targets of iptables and ebtables that their nft versions put into rules as
 * they are. What is not in the tables is unknown, by its name.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_CLASSIFY.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_MARK.h>
#include <string.h>
#include "path/nft_eval_internal.h"

typedef enum nfteval_flow (*target_fn)(struct nfteval_state *s, const struct nftprog_expr *e);

static bool is_tracked(const struct nfteval_state *s)
{
	return s->pkt.ct.state != NFTEVAL_CT_NONE && s->pkt.ct.state != NFTEVAL_CT_UNTRACKED;
}

static enum nfteval_flow target_nothing(struct nfteval_state *s, const struct nftprog_expr *e)
{
	return NFTEVAL_NEXT;
}

static enum nfteval_flow target_tee(struct nfteval_state *s, const struct nftprog_expr *e)
{
	s->res.dup = true;
	return NFTEVAL_NEXT;
}

static enum nfteval_flow target_reject(struct nfteval_state *s, const struct nftprog_expr *e)
{
	s->res.rejected = true;
	return nfteval_verdict(s, NF_DROP, NULL);
}

static enum nfteval_flow target_mark(struct nfteval_state *s, const struct nftprog_expr *e)
{
	struct xt_mark_tginfo2 m;

	memcpy(&m, e->data, sizeof(m));
	s->pkt.mark = (s->pkt.mark & ~m.mask) ^ m.mark;
	return NFTEVAL_NEXT;
}

static uint32_t shifted(uint32_t v, uint8_t dir, uint8_t bits)
{
	if (bits >= 32)
		return v;
	return dir == D_SHIFT_RIGHT ? v >> bits : v << bits;
}

/* Revision 1 has no shift; the mode stands where revision 2 has the shift's direction. */
static enum nfteval_flow target_connmark(struct nfteval_state *s, const struct nftprog_expr *e)
{
	struct nfteval_packet *p = &s->pkt;
	struct xt_connmark_tginfo2 m = {0};
	uint32_t v;

	memcpy(&m, e->data, e->revision == 1 ? sizeof(struct xt_connmark_tginfo1) : sizeof(m));
	if (e->revision == 1) {
		m.mode = m.shift_dir;
		m.shift_dir = m.shift_bits = 0;
	}
	if (!is_tracked(s))
		return NFTEVAL_NEXT;
	switch (m.mode) {
	case XT_CONNMARK_SET:
		p->ct.mark =
			shifted((p->ct.mark & ~m.ctmask) ^ m.ctmark, m.shift_dir, m.shift_bits);
		return NFTEVAL_NEXT;
	case XT_CONNMARK_SAVE:
		v = shifted(p->mark & m.nfmask, m.shift_dir, m.shift_bits);
		p->ct.mark = (p->ct.mark & ~m.ctmask) ^ v;
		return NFTEVAL_NEXT;
	case XT_CONNMARK_RESTORE:
		v = shifted(p->ct.mark & m.ctmask, m.shift_dir, m.shift_bits);
		p->mark = (p->mark & ~m.nfmask) ^ v;
		return NFTEVAL_NEXT;
	}
	return nfteval_opaque(s, e->text);
}

static enum nfteval_flow target_classify(struct nfteval_state *s, const struct nftprog_expr *e)
{
	struct xt_classify_target_info c;

	memcpy(&c, e->data, sizeof(c));
	s->pkt.priority = c.priority;
	s->pkt.priority_unknown = false;
	return NFTEVAL_NEXT;
}

static enum nfteval_flow notrack(struct nfteval_state *s)
{
	if (s->pkt.ct.state == NFTEVAL_CT_NONE && !s->res.set_zone) {
		s->pkt.ct.state = NFTEVAL_CT_UNTRACKED;
		s->res.notrack = true;
	}
	return NFTEVAL_NEXT;
}

static enum nfteval_flow target_notrack(struct nfteval_state *s, const struct nftprog_expr *e)
{
	return notrack(s);
}

/* Zones by mark, and timeouts, are not modelled; a helper changes nothing for this packet. */
static enum nfteval_flow target_ct(struct nfteval_state *s, const struct nftprog_expr *e)
{
	struct xt_ct_target_info c;

	memcpy(&c, e->data, sizeof(c));
	if (c.flags & XT_CT_NOTRACK)
		return notrack(s);
	if (is_tracked(s) || s->pkt.ct.state == NFTEVAL_CT_UNTRACKED)
		return NFTEVAL_NEXT;
	if (c.flags & XT_CT_ZONE_MARK)
		return nfteval_opaque(s, e->text);
	s->res.set_zone = true;
	s->res.zone = c.zone;
	if (c.helper[0])
		s->res.helper = (const char *)e->data + offsetof(struct xt_ct_target_info, helper);
	return NFTEVAL_NEXT;
}

static enum nfteval_flow target_tcpmss(struct nfteval_state *s, const struct nftprog_expr *e)
{
	s->options_changed = true;
	s->res.mtu_clamped = true;
	return NFTEVAL_NEXT;
}

static enum nfteval_flow target_nfqueue(struct nfteval_state *s, const struct nftprog_expr *e)
{
	uint16_t num;

	memcpy(&num, e->data, sizeof(num));
	return nfteval_verdict(s, (int32_t)(NF_QUEUE | (uint32_t)num << NF_VERDICT_QBITS), NULL);
}

static void take_range(const struct nf_nat_range *r, struct nfteval_nat *n)
{
	n->flags = r->flags;
	n->has_addr = r->flags & NF_NAT_RANGE_MAP_IPS;
	n->has_port = r->flags & NF_NAT_RANGE_PROTO_SPECIFIED;
	if (n->has_addr) {
		memcpy(&n->min_addr, &r->min_addr, sizeof(n->min_addr));
		memcpy(&n->max_addr, &r->max_addr, sizeof(n->max_addr));
	}
	n->min_port = ntohs(r->min_proto.all);
	n->max_port = ntohs(r->max_proto.all);
}

/* IPv4's first revisions have a layout of their own. */
static bool take_range4(const struct nftprog_expr *e, struct nfteval_nat *n)
{
	struct nf_nat_ipv4_multi_range_compat m;
	struct nf_nat_range r = {0};

	if (e->data_len < sizeof(m))
		return false;
	memcpy(&m, e->data, sizeof(m));
	if (m.rangesize != 1)
		return false;
	r.flags = m.range[0].flags;
	r.min_addr.ip = m.range[0].min_ip;
	r.max_addr.ip = m.range[0].max_ip;
	r.min_proto = m.range[0].min;
	r.max_proto = m.range[0].max;
	take_range(&r, n);
	return true;
}

static bool take_nat(const struct nfteval_state *s, const struct nftprog_expr *e,
		     struct nfteval_nat *n)
{
	struct nf_nat_range r;
	bool simple = strcmp(e->name, "MASQUERADE") == 0 || strcmp(e->name, "REDIRECT") == 0;

	memset(n, 0, sizeof(*n));
	if (e->revision == 0 && s->h.pf == NFPROTO_IPV4)
		return take_range4(e, n);
	if ((e->revision == 0) != simple || e->data_len < sizeof(r))
		return false;
	memcpy(&r, e->data, sizeof(r));
	take_range(&r, n);
	return !(n->flags & NF_NAT_RANGE_PROTO_OFFSET);
}

static enum nfteval_flow target_nat(struct nfteval_state *s, const struct nftprog_expr *e)
{
	bool source = strcmp(e->name, "SNAT") == 0 || strcmp(e->name, "MASQUERADE") == 0;
	struct nfteval_nat n;

	if (!take_nat(s, e, &n))
		return nfteval_opaque(s, e->text);
	n.masquerade = strcmp(e->name, "MASQUERADE") == 0;
	n.redirect = strcmp(e->name, "REDIRECT") == 0;
	return nfteval_translate(s, source, &n);
}

/* @max_revision: of those that are laid out alike */
static const struct {
	const char *name;
	uint32_t max_revision;
	size_t size;
	target_fn act;
} targets[] = {
	{"LOG", 0, 0, target_nothing},
	{"NFLOG", 0, 0, target_nothing},
	{"TRACE", 0, 0, target_nothing},
	{"CHECKSUM", 0, 0, target_nothing},
	{"AUDIT", 1, 0, target_nothing},
	{"RATEEST", 0, 0, target_nothing},
	{"IDLETIMER", 1, 0, target_nothing},
	{"TEE", 1, 0, target_tee},
	{"REJECT", 0, 0, target_reject},
	{"MARK", 2, sizeof(struct xt_mark_tginfo2), target_mark},
	{"CONNMARK", 1, sizeof(struct xt_connmark_tginfo1), target_connmark},
	{"CONNMARK", 2, sizeof(struct xt_connmark_tginfo2), target_connmark},
	{"CLASSIFY", 0, sizeof(struct xt_classify_target_info), target_classify},
	{"NOTRACK", 0, 0, target_notrack},
	{"CT", 2, sizeof(struct xt_ct_target_info), target_ct},
	{"TCPMSS", 0, 0, target_tcpmss},
	{"NFQUEUE", 3, sizeof(uint16_t), target_nfqueue},
	{"MASQUERADE", 0, 0, target_nat},
	{"REDIRECT", 0, 0, target_nat},
	{"SNAT", 2, 0, target_nat},
	{"DNAT", 2, 0, target_nat},
};

/* ebtables' only target that is modelled: which mark, and what then. */
static enum nfteval_flow bridge_mark(struct nfteval_state *s, const struct nftprog_expr *e)
{
	enum { SET = 0xf0, OR = 0xe0, AND = 0xd0, XOR = 0xc0 };
	static const int32_t verdicts[] = {NF_ACCEPT, NF_DROP, NFT_CONTINUE, NFT_RETURN};
	struct {
		unsigned long mark;
		int target;
	} m;
	uint32_t value;

	memcpy(&m, e->data, sizeof(m));
	value = (uint32_t)m.mark;
	switch ((uint32_t)m.target & 0xf0) {
	case SET:
		s->pkt.mark = value;
		break;
	case OR:
		s->pkt.mark |= value;
		break;
	case AND:
		s->pkt.mark &= value;
		break;
	case XOR:
		s->pkt.mark ^= value;
		break;
	default:
		return nfteval_opaque(s, e->text);
	}
	/* -1 accept, -2 drop, -3 continue, -4 return, in the lowest four bits */
	value = 15 - ((uint32_t)m.target & 15);
	if (value >= ARRAY_SIZE(verdicts))
		return nfteval_opaque(s, e->text);
	return verdicts[value] == NFT_CONTINUE ? NFTEVAL_NEXT
					       : nfteval_verdict(s, verdicts[value], NULL);
}

static enum nfteval_flow bridge_target(struct nfteval_state *s, const struct nftprog_expr *e)
{
	if (strcmp(e->name, "log") == 0 || strcmp(e->name, "nflog") == 0)
		return NFTEVAL_NEXT;
	if (strcmp(e->name, "mark") == 0 && e->revision == 0 &&
	    e->data_len >= sizeof(unsigned long) + sizeof(int))
		return bridge_mark(s, e);
	return nfteval_opaque(s, e->text);
}

enum nfteval_flow nfteval_target(struct nfteval *v, struct nfteval_state *s,
				 const struct nftprog_expr *e)
{
	if (v->at->pf == NFPROTO_BRIDGE)
		return bridge_target(s, e);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		bool marked = targets[i].act == target_mark || targets[i].act == target_connmark;

		if (strcmp(targets[i].name, e->name) != 0 || e->data_len < targets[i].size ||
		    e->revision > targets[i].max_revision ||
		    (marked && e->revision != targets[i].max_revision))
			continue;
		return targets[i].act(s, e);
	}
	return nfteval_opaque(s, e->text);
}
