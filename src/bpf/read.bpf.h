/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * read.bpf.h - the bytes of an skb, and the headers in them as a struct path_seen.
 */
#ifndef VMLANE_BPF_READ_H
#define VMLANE_BPF_READ_H

#include "bpf/state.bpf.h"

static __always_inline __u16 be16_at(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

static __always_inline __u32 be32_at(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

/* 1 for 0, and 0 for all else. */
static __always_inline __u32 is_zero(__u32 x)
{
	return ((__u64)x - 1) >> 63;
}

/* A pointer to @n bytes at @off of @f, or NULL: for the verifier as much as for short frames. */
#define AT(f, off, n)                                                                              \
	({                                                                                         \
		__u32 _o = (off);                                                                  \
		_o < PATH_FRAME_MAX &&_o + (n) <= (f)->len                                         \
			? &(f)->bytes[_o & (PATH_FRAME_MAX - 1)]                                   \
			: NULL;                                                                    \
	})

static __always_inline bool is_tag(__u16 ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD;
}

/* Behind VLAN tags, of which the stack has taken out none yet, or the first. */
static __always_inline void skip_tags(struct frame *f)
{
	f->tags = 0;
	for (int i = 0; i < 2; i++) {
		const __u8 *type = AT(f, f->l3 - 2, 2);

		if (!type || !is_tag(be16_at(type)) || !AT(f, f->l3, 4))
			return;
		f->l3 += 4;
		f->l3_at += 4;
		f->tags += 4;
	}
}

/*
 * Read the frame of @skb into @f. @at_network: skb->data is the network header, as it is where a
 * device hands a frame up, before the stack has set network_header.
 */
static __always_inline int frame_read(const struct packet *pk, bool at_network, struct frame *f)
{
	struct sk_buff *skb = pk->skb;
	__u64 head = pk->head;
	__u64 tail = head + skb->tail;
	__u16 mac_header = skb->mac_header;
	__u64 data = number_of(skb->data);
	__u64 l3 = at_network ? data : head + skb->network_header;
	__u64 l2 = head + mac_header;
	__u64 n;

	if (l3 < head || l3 > tail)
		return -1;
	f->tags = 0;
	f->l3_at = l3;
	f->end = tail;
	f->link = l3 > data && l3 - data < PATH_FRAME_MAX ? l3 - data : 0;
	if (mac_header == NO_HEADER || l2 > l3 || l3 - l2 > 22 || l3 - l2 < ETH_HLEN) {
		/* No Ethernet header yet: one of zeros, for the filter's sake. */
		__u16 protocol = skb->protocol;

		__builtin_memset(f->bytes, 0, ETH_HLEN);
		__builtin_memcpy(f->bytes + 12, &protocol, 2);
		f->l3 = ETH_HLEN;
		n = tail - l3;
		if (n > PATH_FRAME_MAX - ETH_HLEN)
			n = PATH_FRAME_MAX - ETH_HLEN;
		f->len = ETH_HLEN + n;
		if (n == 0)
			return -1;
		return bpf_probe_read_kernel(f->bytes + ETH_HLEN, (__u32)n & 127, (void *)l3);
	}
	f->l3 = l3 - l2;
	n = tail - l2;
	if (n >= PATH_FRAME_MAX)
		n = PATH_FRAME_MAX - 1;
	f->len = n;
	if (bpf_probe_read_kernel(f->bytes, (__u32)n & 127, (void *)l2))
		return -1;
	skip_tags(f);
	return 0;
}

/* What an ICMP error is about; @off: of the header that it quotes. */
static __always_inline __u32 quoted_read(const struct frame *f, __u32 off, bool v6)
{
	const __u8 *p = AT(f, off, v6 ? 40 : 20);
	__u8 l4;

	if (!p || (!v6 && ((p[6] & 0x1f) | p[7])))
		return 0;
	l4 = v6 ? p[6] : p[9];
	if (l4 != 6 && l4 != 17)
		return 0;
	p = AT(f, off + (v6 ? 40 : (p[0] & 15) * 4), 4);
	return p ? (__u32)l4 << 16 | be16_at(p + 2) : 0;
}

static __always_inline void icmp_read(const struct frame *f, __u32 off, struct path_seen *s)
{
	const __u8 *p = AT(f, off, 8);
	__u8 type;

	if (!p)
		return;
	type = p[0];
	if ((s->l4 == 1 && (type == 8 || type == 0)) || type == 128 || type == 129) {
		s->sport = be16_at(p + 4);
		s->seq = be16_at(p + 6);
	} else if (s->l4 == 58 ? type < 128 : type == 3 || type == 11 || type == 12) {
		s->seq = quoted_read(f, off + 8, s->l4 == 58);
	}
}

/* The message type of DHCPv6, the flags of DNS. */
static __always_inline __u32 udp_read(const struct frame *f, __u32 off, const struct path_seen *s)
{
	const __u8 *p = AT(f, off + 8, 4);

	if (!p)
		return 0;
	if (s->dport == 53 || s->sport == 53)
		return be16_at(p + 2);
	if (s->dport == 546 || s->dport == 547)
		return p[0];
	return 0;
}

static __always_inline void l4_read(const struct frame *f, __u32 off, struct path_seen *s)
{
	const __u8 *p = AT(f, off, 8);

	if (!p)
		return;
	switch (s->l4) {
	case 6:
		s->seq = be32_at(p + 4);
		s->flags |= PATH_L4;
		s->sport = be16_at(p);
		s->dport = be16_at(p + 2);
		p = AT(f, off + 12, 2);
		if (p)
			s->tcp_flags = p[1];
		break;
	case 17:
	case 132:
		s->flags |= PATH_L4;
		s->sport = be16_at(p);
		s->dport = be16_at(p + 2);
		if (s->l4 == 17)
			s->seq = udp_read(f, off, s);
		break;
	case 1:
	case 58:
		s->flags |= PATH_L4;
		s->dport = be16_at(p);
		icmp_read(f, off, s);
		break;
	}
}

static __always_inline void ip4_read(const struct frame *f, struct path_seen *s)
{
	const __u8 *p = AT(f, f->l3, 20);
	__u16 off;

	if (!p)
		return;
	s->ip_id = be16_at(p + 4);
	off = be16_at(p + 6);
	s->ttl = p[8];
	s->l4 = p[9];
	__builtin_memcpy(s->src, p + 12, 4);
	__builtin_memcpy(s->dst, p + 16, 4);
	s->frag_offset = (off & 0x1fff) * 8;
	if (off & 0x4000)
		s->flags |= PATH_DF;
	if (off & 0x3fff)
		s->flags |= PATH_FRAGMENT;
	if (off & 0x2000)
		s->flags |= PATH_MORE_FRAGMENTS;
	if (!s->frag_offset)
		l4_read(f, f->l3 + (p[0] & 15) * 4, s);
}

static __always_inline void ip6_read(const struct frame *f, struct path_seen *s)
{
	const __u8 *p = AT(f, f->l3, 40);
	__u32 off = f->l3 + 40;

	if (!p)
		return;
	s->ttl = p[7];
	s->l4 = p[6];
	__builtin_memcpy(s->src, p + 8, 16);
	__builtin_memcpy(s->dst, p + 24, 16);
	if (s->l4 == 44 ||
	    s->l4 == 0) { /* fragment, hop-by-hop (MLD): one of them is seen through */
		bool fragment = s->l4 == 44;

		p = AT(f, off, 8);
		if (!p)
			return;
		s->l4 = p[0];
		if (fragment) {
			s->flags |= PATH_FRAGMENT;
			s->frag_offset = be16_at(p + 2) & 0xfff8;
			if (p[3] & 1)
				s->flags |= PATH_MORE_FRAGMENTS;
			s->ip_id = be16_at(p + 6);
			off += 8;
		} else {
			off += 8 + p[1] * 8;
		}
	}
	if (!s->frag_offset)
		l4_read(f, off, s);
}

static __always_inline void arp_read(const struct frame *f, struct path_seen *s)
{
	const __u8 *p = AT(f, f->l3, 28);

	if (!p)
		return;
	s->flags |= PATH_L4;
	s->sport = be16_at(p + 6);
	__builtin_memcpy(s->src, p + 14, 4);
	__builtin_memcpy(s->dst, p + 24, 4);
}

/*
 * The headers of @f into @s; not what is not in the frame. This and finger_make() are functions that
 * the verifier looks at once, not again for each way to their callers: these would be too many.
 */
__noinline int headers_read(const struct frame *f, struct path_seen *s)
{
	const __u8 *l2, *type;

	if (!f || !s)
		return 0;
	l2 = AT(f, 0, 12);
	type = AT(f, f->l3 - 2, 2);
	if (!l2 || !type)
		return 0;
	__builtin_memcpy(s->dmac, l2, 6);
	__builtin_memcpy(s->smac, l2 + 6, 6);
	s->ethertype = be16_at(type);
	type = AT(f, f->l3 - 4, 2);
	if (f->tags && type)
		s->vlan = be16_at(type) & 0xfff;
	if (s->ethertype == ETH_P_IP)
		ip4_read(f, s);
	else if (s->ethertype == ETH_P_IPV6)
		ip6_read(f, s);
	else if (s->ethertype == ETH_P_ARP)
		arp_read(f, s);
	return 0;
}

#define DHCP_OPTIONS 240 /* behind BOOTP's fields and the cookie (RFC 2131, 2) */
#define DHCP_MESSAGE_TYPE 53
#define DHCP_END 255
#define DHCP_READ 64

/*
 * DHCP's message type, an option that all clients and servers put among the first. Its place is behind
 * the bytes that are read of all frames.
 */
__noinline int dhcp_type(const struct frame *f, const struct path_seen *s)
{
	__u8 options[DHCP_READ] = {};
	__u32 headers, o = 0, n, over = 0, type = 0;
	const __u8 *p;
	__u64 at;

	if (!f || !s)
		return 0;
	p = AT(f, f->l3, 1);
	if (!p || s->l4 != 17 || s->ethertype != ETH_P_IP || s->frag_offset)
		return 0;
	headers = (p[0] & 15) * 4 + 8;
	at = f->l3_at + headers + DHCP_OPTIONS;
	if (at >= f->end)
		return 0;
	n = f->end - at > DHCP_READ ? DHCP_READ : f->end - at;
	if (n > DHCP_READ || bpf_probe_read_kernel(options, n & (DHCP_READ * 2 - 1), (void *)at))
		return 0;
	/* Without a branch, as each doubles the verifier's ways. An option 255 is the last. */
	for (int i = 0; i < 8; i++) {
		__u32 code = options[o & (DHCP_READ - 1)];
		__u32 on = is_zero((o + 2) / DHCP_READ) & is_zero(over);

		type |= on * is_zero(code ^ DHCP_MESSAGE_TYPE) * options[(o + 2) & (DHCP_READ - 1)];
		over |= is_zero(code ^ DHCP_MESSAGE_TYPE) | is_zero(code ^ DHCP_END);
		o += 1 + (1 - is_zero(code)) * (1 + options[(o + 1) & (DHCP_READ - 1)]);
	}
	return type;
}

/* Where what is behind ports and checksum begins in @f: at IGMP's group, which has no ports. */
__noinline int payload_offset(const struct frame *f, const struct path_seen *s)
{
	const __u8 *p;

	if (!f || !s)
		return 0;
	if (s->ethertype == ETH_P_IPV6) {
		p = AT(f, f->l3 + 6, 1);
		if (!p)
			return 0;
		return f->l3 + (p[0] == 44 || p[0] == 0 ? 56 : 48);
	}
	if (s->ethertype == ETH_P_IP) {
		p = AT(f, f->l3, 1);
		return p ? f->l3 + (p[0] & 15) * 4 + (s->l4 == 2 ? 4 : 8) : 0;
	}
	return f->l3;
}

/* Bytes from the network header on, by that header: what a NIC has padded a short frame with is no part. */
static __always_inline __u32 ip_length(const struct frame *f, const struct path_seen *s)
{
	const __u8 *p = AT(f, f->l3, 6);

	if (!p || (s->ethertype != ETH_P_IP && s->ethertype != ETH_P_IPV6))
		return 0;
	return s->ethertype == ETH_P_IP ? be16_at(p + 2) : be16_at(p + 4) + 40;
}

static __always_inline void finger_of_arp(const struct frame *f, const struct path_seen *s,
					  struct finger *ret)
{
	const __u8 *p = AT(f, f->l3, 28);

	if (!p)
		return;
	ret->kind = s->sport;
	ret->payload = be32_at(p + 14);
	ret->seq = be32_at(p + 24);
	ret->has = FINGER_PAYLOAD;
}

/* Errors quote the packet they are about, which is translated too. */
static __always_inline bool is_icmp_error(const struct path_seen *s)
{
	__u8 type = s->dport >> 8;

	if (s->l4 == 1)
		return type != 0 && type != 8;
	return s->l4 == 58 && type < 128;
}

__noinline int finger_make(const struct frame *f, const struct path_seen *s, struct finger *ret)
{
	__u32 off, len, end;
	const __u8 *p;

	if (!f || !s || !ret)
		return 0;
	off = payload_offset(f, s);
	len = ip_length(f, s);
	end = f->l3 + len;
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->seq = is_icmp_error(s) || s->l4 == 17 ? 0 : s->seq; /* what is quoted is translated */
	ret->ip_id = s->ip_id;
	ret->ethertype = s->ethertype;
	ret->l4 = s->l4;
	ret->frag_offset = s->frag_offset;
	ret->fragment = !!(s->flags & PATH_FRAGMENT);
	if (s->l4 == 1 || s->l4 == 58)
		ret->kind = s->dport;
	if (s->l4 != 6 && s->l4 != 17)
		ret->len = len;
	if (s->ethertype == ETH_P_ARP)
		finger_of_arp(f, s, ret);
	if (!off || s->ethertype == ETH_P_ARP)
		return 0;
	p = AT(f, off, 4);
	if (p && (!len || off + 4 <= end)) {
		ret->payload = be32_at(p);
		ret->has = FINGER_PAYLOAD;
	}
	p = AT(f, off - 4, 2);
	if (p && s->l4 == 17)
		ret->seq = be16_at(p);
	p = AT(f, off + 4, 12);
	if (!p || s->l4 == 6 || is_icmp_error(s) || (len && off + 16 > end))
		return 0;
	ret->more = be32_at(p) * 31 * 31 + be32_at(p + 4) * 31 + be32_at(p + 8);
	ret->has |= FINGER_MORE;
	return 0;
}

/*
 * @b, seen after @a, is the same packet: no byte that was in the skb's head has left it. Without a branch, as
 * each doubles the verifier's ways.
 */
__noinline int finger_same(const struct finger *a, const struct finger *b)
{
	__u32 other;

	if (!a || !b)
		return 0;
	other = (a->seq ^ b->seq) | (a->ip_id ^ b->ip_id) | (a->ethertype ^ b->ethertype) |
		(a->frag_offset ^ b->frag_offset) | (a->kind ^ b->kind) | (a->len ^ b->len) |
		(a->l4 ^ b->l4) | (a->has & ~b->has);
	other |= (a->payload ^ b->payload) & -(__u32)(a->has & FINGER_PAYLOAD);
	other |= (a->more ^ b->more) & -(__u32)(a->has / FINGER_MORE & 1);
	return is_zero(other);
}

/*
 * The same skb, put together from its fragments, or taken apart again: conntrack does both. The last
 * fragment to come carries the others on, and goes out as the first; what it was meanwhile may not have
 * been seen.
 */
static __always_inline bool finger_rejoined(const struct finger *a, const struct finger *b)
{
	bool both = a->fragment == b->fragment && !(a->fragment && a->frag_offset);

	if (both || a->ethertype != b->ethertype || a->l4 != b->l4 || b->frag_offset)
		return false;
	return a->ip_id == b->ip_id || a->ethertype == ETH_P_IPV6;
}

#endif
