/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_xt.c - the matches of iptables that iptables-nft puts into rules as they are. What is not
 * in the table at the end is unknown, by its name.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_devgroup.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "path/nft_eval_internal.h"

/* uapi's own headers of these want struct in_addr from elsewhere: their layout, in short. */
struct icmp_info {
	uint8_t type;
	uint8_t code[2];
	uint8_t invert;
};

struct ttl_info {
	uint8_t mode; /* 0 =, 1 !=, 2 <, 3 > */
	uint8_t ttl;
};

/* Does the match hold? UNSURE: state.why says why. */
enum answer { NO, YES, UNSURE };

/* struct asking - what a match looks at; @info: its parameters, long enough for the table's size */
struct asking {
	struct nfteval *v;
	struct nfteval_state *s;
	const struct nftprog_expr *e;
	const void *info;
};

static enum answer unsure(struct asking *a, const char *why)
{
	a->s->why = why;
	return UNSURE;
}

static enum answer is(bool holds)
{
	return holds ? YES : NO;
}

/* Bytes of the transport header; later fragments have none. */
static bool transport(const struct asking *a, size_t at, void *ret, size_t len)
{
	const struct nfteval_headers *h = &a->s->h;

	return h->l4 && !h->fragment && nfteval_read(a->s, h->transport + at, ret, len);
}

static bool in_range(uint16_t port, const uint16_t range[2], bool invert)
{
	return (port >= range[0] && port <= range[1]) != invert;
}

static bool ports_of(const struct asking *a, uint16_t ret[2])
{
	if (!transport(a, 0, ret, 2 * sizeof(*ret)))
		return false;
	ret[0] = ntohs(ret[0]);
	ret[1] = ntohs(ret[1]);
	return true;
}

static bool has_tcp_option(const struct asking *a, uint8_t option)
{
	uint8_t h[60];
	size_t len, n;

	if (!transport(a, 0, h, 20))
		return false;
	len = (h[12] >> 4) * 4u;
	if (len < 20 || !transport(a, 0, h, len))
		return false;
	for (size_t i = 20; i < len; i += n) {
		n = h[i] < 2 || i + 1 >= len || h[i + 1] == 0 ? 1 : h[i + 1];
		if (h[i] == option)
			return true;
	}
	return false;
}

static enum answer match_tcp(struct asking *a)
{
	const struct xt_tcp *t = a->info;
	uint16_t port[2];
	uint8_t flags;

	if (!ports_of(a, port) || !transport(a, 13, &flags, 1))
		return NO;
	if (!in_range(port[0], t->spts, t->invflags & XT_TCP_INV_SRCPT) ||
	    !in_range(port[1], t->dpts, t->invflags & XT_TCP_INV_DSTPT))
		return NO;
	if (((flags & t->flg_mask) == t->flg_cmp) == !!(t->invflags & XT_TCP_INV_FLAGS))
		return NO;
	if (t->option && a->s->options_changed)
		return unsure(a, "a tcp option after a change");
	return is(!t->option ||
		  has_tcp_option(a, t->option) != !!(t->invflags & XT_TCP_INV_OPTION));
}

static enum answer match_udp(struct asking *a)
{
	const struct xt_udp *u = a->info;
	uint16_t port[2];

	return is(ports_of(a, port) && in_range(port[0], u->spts, u->invflags & XT_UDP_INV_SRCPT) &&
		  in_range(port[1], u->dpts, u->invflags & XT_UDP_INV_DSTPT));
}

/* iptables' type 255 is any; ip6tables has no such. */
static enum answer match_icmp(struct asking *a)
{
	const struct icmp_info *i = a->info;
	bool any = i->type == 255 && strcmp(a->e->name, "icmp") == 0;
	uint8_t h[2];

	if (!transport(a, 0, h, sizeof(h)))
		return NO;
	return is((any || (h[0] == i->type && h[1] >= i->code[0] && h[1] <= i->code[1])) !=
		  (i->invert & 1));
}

/* @flags: which of a range's two ports the entry is the first of */
static bool one_port(const struct xt_multiport_v1 *m, size_t *i, uint16_t port)
{
	uint16_t first = m->ports[*i], last = first;

	if (m->pflags[*i] && *i + 1 < m->count && *i + 1 < XT_MULTI_PORTS)
		last = m->ports[++*i];
	return port >= first && port <= last;
}

static enum answer match_multiport(struct asking *a)
{
	const struct xt_multiport_v1 *m = a->info;
	uint16_t port[2];

	if (!ports_of(a, port))
		return NO;
	for (size_t i = 0; i < m->count && i < XT_MULTI_PORTS; i++) {
		size_t src = i, dst = i;
		bool by_src = one_port(m, &src, port[0]), by_dst = one_port(m, &dst, port[1]);

		if ((m->flags != XT_MULTIPORT_DESTINATION && by_src) ||
		    (m->flags != XT_MULTIPORT_SOURCE && by_dst))
			return is(!m->invert);
		i = src;
	}
	return is(m->invert);
}

static bool is_tracked(const struct nfteval_ct *ct)
{
	return ct->state != NFTEVAL_CT_NONE && ct->state != NFTEVAL_CT_UNTRACKED;
}

/* Numbered as in the kernel's match; SNAT and DNAT are states there too. */
static uint16_t ct_bits(const struct nfteval_ct *ct)
{
	static const uint16_t bits[] = {
		[NFTEVAL_CT_NONE] = XT_CONNTRACK_STATE_INVALID,
		[NFTEVAL_CT_UNTRACKED] = XT_CONNTRACK_STATE_UNTRACKED,
		[NFTEVAL_CT_NEW] = XT_CONNTRACK_STATE_BIT(IP_CT_NEW),
		[NFTEVAL_CT_ESTABLISHED] = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED),
		[NFTEVAL_CT_RELATED] = XT_CONNTRACK_STATE_BIT(IP_CT_RELATED),
	};
	uint16_t state = bits[ct->state];

	if (is_tracked(ct) && ct->status & IPS_SRC_NAT)
		state |= XT_CONNTRACK_STATE_SNAT;
	if (is_tracked(ct) && ct->status & IPS_DST_NAT)
		state |= XT_CONNTRACK_STATE_DNAT;
	return state;
}

static bool same_masked(const void *addr, const union nf_inet_addr *want,
			const union nf_inet_addr *mask, bool ip4)
{
	uint32_t words[4];

	memcpy(words, addr, sizeof(words));
	for (int i = 0; i < (ip4 ? 1 : 4); i++)
		if ((words[i] ^ want->all[i]) & mask->all[i])
			return false;
	return true;
}

static bool agrees(const struct xt_conntrack_mtinfo3 *m, uint16_t what, bool holds)
{
	return !(m->match_flags & what) || holds != !!(m->invert_flags & what);
}

static bool ct_addresses(const struct nfteval_ct *ct, const struct xt_conntrack_mtinfo3 *m)
{
	bool ip4 = ct->family == NFPROTO_IPV4;

	return agrees(m, XT_CONNTRACK_ORIGSRC,
		      same_masked(&ct->orig.src, &m->origsrc_addr, &m->origsrc_mask, ip4)) &&
	       agrees(m, XT_CONNTRACK_ORIGDST,
		      same_masked(&ct->orig.dst, &m->origdst_addr, &m->origdst_mask, ip4)) &&
	       agrees(m, XT_CONNTRACK_REPLSRC,
		      same_masked(&ct->answer.src, &m->replsrc_addr, &m->replsrc_mask, ip4)) &&
	       agrees(m, XT_CONNTRACK_REPLDST,
		      same_masked(&ct->answer.dst, &m->repldst_addr, &m->repldst_mask, ip4));
}

static bool port_in(uint16_t port_be, uint16_t low, uint16_t high)
{
	uint16_t port = ntohs(port_be);

	return port >= low && port <= high;
}

static bool ct_ports(const struct nfteval_ct *ct, const struct xt_conntrack_mtinfo3 *m)
{
	return agrees(m, XT_CONNTRACK_ORIGSRC_PORT,
		      port_in(ct->orig.sport, m->origsrc_port, m->origsrc_port_high)) &&
	       agrees(m, XT_CONNTRACK_ORIGDST_PORT,
		      port_in(ct->orig.dport, m->origdst_port, m->origdst_port_high)) &&
	       agrees(m, XT_CONNTRACK_REPLSRC_PORT,
		      port_in(ct->answer.sport, m->replsrc_port, m->replsrc_port_high)) &&
	       agrees(m, XT_CONNTRACK_REPLDST_PORT,
		      port_in(ct->answer.dport, m->repldst_port, m->repldst_port_high));
}

static enum answer match_conntrack(struct asking *a)
{
	const struct xt_conntrack_mtinfo3 *m = a->info;
	const struct nfteval_ct *ct = &a->s->pkt.ct;

	if (a->s->translated || (a->s->res.set_zone && ct->state == NFTEVAL_CT_NONE))
		return unsure(a, "ct after a rule has changed it");
	if (!agrees(m, XT_CONNTRACK_STATE, m->state_mask & ct_bits(ct)))
		return NO;
	if (!is_tracked(ct))
		return is(m->match_flags & XT_CONNTRACK_STATE);
	if (!agrees(m, XT_CONNTRACK_DIRECTION, !ct->reply) || !ct_addresses(ct, m) ||
	    !agrees(m, XT_CONNTRACK_PROTO, m->l4proto == ct->proto) || !ct_ports(ct, m) ||
	    !agrees(m, XT_CONNTRACK_STATUS, m->status_mask & ct->status))
		return NO;
	return m->match_flags & XT_CONNTRACK_EXPIRES ? unsure(a, "ct expiration") : YES;
}

static enum answer match_state(struct asking *a)
{
	const struct xt_state_info *i = a->info;
	const struct nfteval_ct *ct = &a->s->pkt.ct;

	if (a->s->res.set_zone && ct->state == NFTEVAL_CT_NONE)
		return unsure(a, "ct after a rule has changed it");
	return is(i->statemask & ct_bits(ct) &
		  ~(uint32_t)(XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT));
}

/* IPv6 knows fewer types, and asks the tables only for some. */
static bool type_in6(const struct in6_addr *addr, uint32_t type, uint16_t mask)
{
	bool multicast = IN6_IS_ADDR_MULTICAST(addr), none = IN6_IS_ADDR_UNSPECIFIED(addr);
	uint16_t found = 0;

	if ((mask & XT_ADDRTYPE_MULTICAST && !multicast) ||
	    (mask & XT_ADDRTYPE_UNICAST && (multicast || none)) ||
	    (mask & XT_ADDRTYPE_UNSPEC && !none))
		return false;
	if (!(mask & (XT_ADDRTYPE_LOCAL | XT_ADDRTYPE_ANYCAST | XT_ADDRTYPE_UNREACHABLE)))
		return true;
	if (type == RTN_LOCAL)
		found = XT_ADDRTYPE_LOCAL;
	else if (type == RTN_ANYCAST)
		found = XT_ADDRTYPE_ANYCAST;
	else if (type == RTN_UNREACHABLE || type == RTN_BLACKHOLE || type == RTN_PROHIBIT)
		found = XT_ADDRTYPE_UNREACHABLE;
	return mask & found;
}

static enum answer type_is(struct asking *a, const struct in6_addr *addr, uint32_t dev,
			   uint16_t mask, bool invert)
{
	uint32_t type;

	if (!mask)
		return YES;
	if (!nfteval_type_of(a->v, a->s, addr, dev, &type))
		return unsure(a, "match addrtype");
	if (a->s->pkt.protocol == ETH_P_IPV6)
		return is(type_in6(addr, type, mask) != invert);
	return is(!!(mask & (1u << type)) != invert);
}

static enum answer match_addrtype(struct asking *a)
{
	const struct xt_addrtype_info_v1 *t = a->info;
	const struct nfteval_packet *p = &a->s->pkt;
	const struct nfteval_dev *dev = NULL;
	struct in6_addr src, dst;
	enum answer by_src;

	if (t->flags & XT_ADDRTYPE_LIMIT_IFACE_IN)
		dev = p->in;
	else if (t->flags & XT_ADDRTYPE_LIMIT_IFACE_OUT)
		dev = p->out;
	if (a->s->translated)
		return unsure(a, "match addrtype after a nat rule");
	if (!nfteval_ip(a->s, &src, &dst))
		return NO;
	by_src = type_is(a, &src, dev ? dev->index : 0, t->source,
			 t->flags & XT_ADDRTYPE_INVERT_SOURCE);
	if (by_src == NO)
		return NO;
	switch (type_is(a, &dst, dev ? dev->index : 0, t->dest,
			t->flags & XT_ADDRTYPE_INVERT_DEST)) {
	case NO:
		return NO;
	case UNSURE:
		return UNSURE;
	case YES:
		break;
	}
	return by_src;
}

static enum answer match_mark(struct asking *a)
{
	const struct xt_mark_mtinfo1 *m = a->info;

	return is(((a->s->pkt.mark & m->mask) == m->mark) != m->invert);
}

static enum answer match_connmark(struct asking *a)
{
	const struct xt_connmark_mtinfo1 *m = a->info;
	const struct nfteval_ct *ct = &a->s->pkt.ct;

	return is(is_tracked(ct) && ((ct->mark & m->mask) == m->mark) != m->invert);
}

static bool name_is(const struct nfteval_dev *dev, const char *want, const char *mask)
{
	char name[IFNAMSIZ] = {0};

	memcpy(name, dev->name, size_min(strlen(dev->name), sizeof(name) - 1));
	for (size_t i = 0; i < sizeof(name); i++)
		if ((name[i] ^ want[i]) & mask[i])
			return false;
	return true;
}

static enum answer match_physdev(struct asking *a)
{
	const struct xt_physdev_info *m = a->info;
	const struct nfteval_dev *in = a->s->pkt.phys_in, *out = a->s->pkt.phys_out;
	uint8_t wanted = m->bitmask & (uint8_t)~m->invert, asked = m->bitmask;

	/* Not a bridge's packet: only what is denied holds. */
	if (!in && !out)
		return is(!(wanted & XT_PHYSDEV_OP_MASK));
	if (asked & XT_PHYSDEV_OP_BRIDGED && !out == !(m->invert & XT_PHYSDEV_OP_BRIDGED))
		return NO;
	if (asked & XT_PHYSDEV_OP_ISIN && !in == !(m->invert & XT_PHYSDEV_OP_ISIN))
		return NO;
	if (asked & XT_PHYSDEV_OP_ISOUT && !out == !(m->invert & XT_PHYSDEV_OP_ISOUT))
		return NO;
	if (asked & XT_PHYSDEV_OP_IN && in &&
	    name_is(in, m->physindev, m->in_mask) == !!(m->invert & XT_PHYSDEV_OP_IN))
		return NO;
	if (!(asked & XT_PHYSDEV_OP_OUT))
		return YES;
	return is(out &&
		  name_is(out, m->physoutdev, m->out_mask) != !!(m->invert & XT_PHYSDEV_OP_OUT));
}

/* Numerically, as bytes in network order compare. */
static bool within(const struct in6_addr *addr, const union nf_inet_addr *low,
		   const union nf_inet_addr *high, size_t len)
{
	return memcmp(addr, low, len) >= 0 && memcmp(addr, high, len) <= 0;
}

static enum answer match_iprange(struct asking *a)
{
	const struct xt_iprange_mtinfo *m = a->info;
	size_t len = a->s->pkt.protocol == ETH_P_IP ? 4 : 16;
	struct in6_addr src, dst;

	if (a->s->translated)
		return unsure(a, "match iprange after a nat rule");
	if (!nfteval_ip(a->s, &src, &dst))
		return NO;
	if (m->flags & IPRANGE_SRC &&
	    within(&src, &m->src_min, &m->src_max, len) == !!(m->flags & IPRANGE_SRC_INV))
		return NO;
	return is(!(m->flags & IPRANGE_DST) ||
		  within(&dst, &m->dst_min, &m->dst_max, len) != !!(m->flags & IPRANGE_DST_INV));
}

static enum answer match_length(struct asking *a)
{
	const struct xt_length_info *m = a->info;
	uint32_t len = nfteval_length(a->s, a->v->at);

	return is((len >= m->min && len <= m->max) != m->invert);
}

static enum answer match_mac(struct asking *a)
{
	const struct xt_mac_info *m = a->info;
	uint8_t src[ETH_ALEN];

	if (a->s->pkt.link < 0 ||
	    !nfteval_read(a->s, (size_t)a->s->pkt.link + ETH_ALEN, src, sizeof(src)))
		return NO;
	return is((memcmp(src, m->srcaddr, sizeof(src)) == 0) != !!m->invert);
}

static enum answer match_pkttype(struct asking *a)
{
	const struct xt_pkttype_info *m = a->info;

	if (a->s->pkt.pkttype == 5) /* PACKET_LOOPBACK: told by the address */
		return unsure(a, "match pkttype on lo");
	return is((a->s->pkt.pkttype == m->pkttype) != !!m->invert);
}

static enum answer match_ttl(struct asking *a)
{
	const struct ttl_info *m = a->info;
	size_t at = a->s->pkt.protocol == ETH_P_IP ? 8 : 7;
	uint8_t ttl;

	if (!nfteval_read(a->s, (size_t)a->s->pkt.network + at, &ttl, 1))
		return NO;
	switch (m->mode) {
	case 0:
		return is(ttl == m->ttl);
	case 1:
		return is(ttl != m->ttl);
	case 2:
		return is(ttl < m->ttl);
	case 3:
		return is(ttl > m->ttl);
	}
	return NO;
}

/* The traffic class of either family. */
static bool traffic_class(struct asking *a, uint8_t *ret)
{
	uint8_t h[2];

	if (!nfteval_read(a->s, (size_t)a->s->pkt.network, h, sizeof(h)))
		return false;
	*ret = a->s->pkt.protocol == ETH_P_IP ? h[1] : (uint8_t)(h[0] << 4 | h[1] >> 4);
	return true;
}

static enum answer match_dscp(struct asking *a)
{
	const struct xt_dscp_info *m = a->info;
	uint8_t tos;

	return is(traffic_class(a, &tos) && ((tos >> XT_DSCP_SHIFT) == m->dscp) != !!m->invert);
}

static enum answer match_tos(struct asking *a)
{
	const struct xt_tos_match_info *m = a->info;
	uint8_t tos;

	return is(traffic_class(a, &tos) && ((tos & m->tos_mask) == m->tos_value) != !!m->invert);
}

static bool group_is(const struct nfteval_dev *dev, uint32_t group, uint32_t mask)
{
	return dev && ((group ^ dev->group) & mask) == 0;
}

static enum answer match_devgroup(struct asking *a)
{
	const struct xt_devgroup_info *m = a->info;

	if (m->flags & XT_DEVGROUP_MATCH_SRC && group_is(a->s->pkt.in, m->src_group, m->src_mask) ==
							!!(m->flags & XT_DEVGROUP_INVERT_SRC))
		return NO;
	return is(!(m->flags & XT_DEVGROUP_MATCH_DST) ||
		  group_is(a->s->pkt.out, m->dst_group, m->dst_mask) !=
			  !!(m->flags & XT_DEVGROUP_INVERT_DST));
}

static enum answer match_comment(struct asking *a)
{
	return YES;
}

/* @size: of the parameters, so that none is read beyond what the kernel gave */
static const struct {
	const char *name;
	uint32_t revision;
	size_t size;
	enum answer (*ask)(struct asking *a);
} matches[] = {
	{"tcp", 0, sizeof(struct xt_tcp), match_tcp},
	{"udp", 0, sizeof(struct xt_udp), match_udp},
	{"udplite", 0, sizeof(struct xt_udp), match_udp},
	{"icmp", 0, sizeof(struct icmp_info), match_icmp},
	{"icmp6", 0, sizeof(struct icmp_info), match_icmp},
	{"multiport", 1, sizeof(struct xt_multiport_v1), match_multiport},
	{"conntrack", 3, sizeof(struct xt_conntrack_mtinfo3), match_conntrack},
	{"state", 0, sizeof(struct xt_state_info), match_state},
	{"addrtype", 1, sizeof(struct xt_addrtype_info_v1), match_addrtype},
	{"mark", 1, sizeof(struct xt_mark_mtinfo1), match_mark},
	{"connmark", 1, sizeof(struct xt_connmark_mtinfo1), match_connmark},
	{"physdev", 0, sizeof(struct xt_physdev_info), match_physdev},
	{"iprange", 1, sizeof(struct xt_iprange_mtinfo), match_iprange},
	{"length", 0, sizeof(struct xt_length_info), match_length},
	{"mac", 0, sizeof(struct xt_mac_info), match_mac},
	{"pkttype", 0, sizeof(struct xt_pkttype_info), match_pkttype},
	{"ttl", 0, sizeof(struct ttl_info), match_ttl},
	{"hl", 0, sizeof(struct ttl_info), match_ttl},
	{"dscp", 0, sizeof(struct xt_dscp_info), match_dscp},
	{"tos", 1, sizeof(struct xt_tos_match_info), match_tos},
	{"devgroup", 0, sizeof(struct xt_devgroup_info), match_devgroup},
	{"comment", 0, 0, match_comment},
};

enum nfteval_flow nfteval_match(struct nfteval *v, struct nfteval_state *s,
				const struct nftprog_expr *e)
{
	struct asking a = {.v = v, .s = s, .e = e, .info = e->data};

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		if (strcmp(matches[i].name, e->name) != 0 || matches[i].revision != e->revision)
			continue;
		/* ebtables' matches have names of their own, but some are the same. */
		if (e->data_len < matches[i].size || v->at->pf == NFPROTO_BRIDGE)
			break;
		switch (matches[i].ask(&a)) {
		case NO:
			return NFTEVAL_BREAK;
		case YES:
			return NFTEVAL_NEXT;
		case UNSURE:
			return nfteval_maybe(s, s->why);
		}
	}
	return nfteval_maybe(s, e->text);
}
