/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_judge.h - which guard drops a frame: the one place where that is decided, for the program at the
 * port (guard.bpf.c) and for whoever predicts it. docs/GUARD.md has it as a table. No map, no packet: facts
 * and bytes in, a guard out.
 *
 * What has a loop is a function of its own: the verifier looks at each once then, whatever calls it.
 */
#ifndef VMLANE_BPF_GUARD_JUDGE_H
#define VMLANE_BPF_GUARD_JUDGE_H

#include "bpf/port_facts.h"

#ifdef __bpf__
#define JUDGE_FN __attribute__((noinline))
#define JUDGE_INLINE static __attribute__((always_inline)) inline
#else
#define JUDGE_FN static
#define JUDGE_INLINE static inline
#endif

#define JUDGE_EXTENSIONS 8
#define JUDGE_ND_OPTIONS 16
#define JUDGE_TAGS 2

enum {
	JUDGE_IP4 = 0x0800,
	JUDGE_ARP = 0x0806,
	JUDGE_8021Q = 0x8100,
	JUDGE_IP6 = 0x86dd,
	JUDGE_8021AD = 0x88a8,
	JUDGE_UDP = 17,
	JUDGE_IGMP = 2,
	JUDGE_ICMP6 = 58,
};

/* ---- bytes ---- */

JUDGE_INLINE const __u8 *judge_at(const struct port_window *w, __u32 at)
{
	return w->b + (at & (PORT_WINDOW - 1));
}

JUDGE_INLINE __u16 judge_u16(const __u8 *b)
{
	return (__u16)(b[0] << 8 | b[1]);
}

/* IPv4 addresses are compared as they are in memory. */
JUDGE_INLINE __u32 judge_addr4(const __u8 *b)
{
	__u32 a;

	__builtin_memcpy(&a, b, 4);
	return a;
}

JUDGE_INLINE _Bool judge_equal(const __u8 *a, const __u8 *b, unsigned int n)
{
	__u8 differ = 0;

	for (unsigned int i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

JUDGE_INLINE _Bool judge_zero(const __u8 *b, unsigned int n)
{
	__u8 any = 0;

	for (unsigned int i = 0; i < n; i++)
		any |= b[i];
	return any == 0;
}

/* ---- what is the guest's ---- */

/* @at: where a MAC is in @w. Its index in p->macs, or PORT_MACS_MAX. */
JUDGE_FN int judge_mac(const struct port_facts *p, const struct port_window *w, __u32 at)
{
	const __u8 *mac;

	if (!p || !w)
		return PORT_MACS_MAX;
	mac = judge_at(w, at);
	for (int i = 0; i < PORT_MACS_MAX; i++) {
		if (i >= p->n_macs)
			break;
		if (judge_equal(p->macs[i], mac, 6))
			return i;
	}
	return PORT_MACS_MAX;
}

/* The MAC at @mac_at may have the IPv4 address @addr; with guard `mac` off any may. */
JUDGE_FN int judge_pair(const struct port_facts *p, const struct port_window *w, __u32 mac_at,
			__u32 addr)
{
	__u32 any, mac;

	if (!p || !w)
		return 0;
	any = !(p->guards & 1u << PORT_GUARD_MAC);
	mac = (__u32)judge_mac(p, w, mac_at);
	for (int i = 0; i < PORT_PAIRS_MAX; i++) {
		__u32 other_mac = p->pair_mac[i] ^ mac;

		if (i >= p->n_pairs)
			break;
		/* One branch for both: each doubles the verifier's ways. */
		if (!((p->pair_addr[i] ^ addr) | (any ? 0 : other_mac)))
			return 1;
	}
	return 0;
}

/* Eight bytes as a number of which the first bit is the highest. */
JUDGE_INLINE __u64 judge_u64(const __u8 *b)
{
	__u64 v;

	__builtin_memcpy(&v, b, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* The first @bits (0 to 64) of a number. */
JUDGE_INLINE __u64 judge_mask(unsigned int bits)
{
	return bits == 0 ? 0 : ~0ull << (64 - bits);
}

/* The address at @at, of @family (4 or 6), is in one of the port's prefixes. */
JUDGE_FN int judge_prefix(const struct port_facts *p, const struct port_window *w, __u32 at,
			  __u32 family)
{
	__u64 first, second;

	if (!p || !w)
		return 0;
	first = judge_u64(judge_at(w, at));
	second = judge_u64(judge_at(w, at) + 8);
	for (int i = 0; i < PORT_PREFIXES_MAX; i++) {
		const struct port_prefix *x = &p->prefixes[i];
		__u64 differ;

		if (i >= p->n_prefixes)
			break;
		differ = (judge_u64(x->addr) ^ first) & x->mask[0];
		differ |= (judge_u64(x->addr + 8) ^ second) & x->mask[1];
		if (x->family == family && !differ)
			return 1;
	}
	return 0;
}

/* Half an IPv6 address that is made of one of the port's MACs (RFC 4291 appendix A). */
JUDGE_FN int judge_own_half(const struct port_facts *p, const struct port_window *w, __u32 at)
{
	const __u8 *half;

	if (!p || !w)
		return 0;
	half = judge_at(w, at);
	for (int i = 0; i < PORT_MACS_MAX; i++) {
		const __u8 *m = p->macs[i];
		const __u8 own[6] = {m[0] ^ 2, m[1], m[2], m[3], m[4], m[5]};
		const __u8 has[6] = {half[0], half[1], half[2], half[5], half[6], half[7]};

		if (i >= p->n_macs)
			break;
		if (judge_equal(own, has, 6))
			return 1;
	}
	return 0;
}

/*
 * A guest makes its IPv6 addresses itself. Those whose last half is made of a MAC are of the guest that has
 * the MAC; of the others any within the guest's networks.
 */
JUDGE_FN int judge_may_have6(const struct port_facts *p, const struct port_window *w, __u32 at)
{
	static const __u8 local[8] = {0xfe, 0x80};
	const __u8 *a;

	if (!p || !w)
		return 0;
	a = judge_at(w, at);
	for (int i = 0; i < PORT_ROUTERS6_MAX; i++)
		if (i < p->n_routers6 && judge_equal(p->routers6[i], a, 16))
			return 0;
	if (judge_prefix(p, w, at, 6))
		return 1;
	if (p->guards & 1u << PORT_GUARD_MAC && a[11] == 0xff && a[12] == 0xfe &&
	    !judge_own_half(p, w, at + 8))
		return 0;
	return judge_equal(a, local, 8) || (p->has_net6 && judge_equal(a, p->net6, 8));
}

JUDGE_INLINE _Bool judge_on(const struct port_facts *p, enum port_guard g)
{
	return p->guards & 1u << g;
}

/* ---- IPv4, ARP ---- */

/* @ip: where the IPv4 header is. */
JUDGE_FN int judge_ip4(const struct port_facts *p, const struct port_window *w, __u32 ip)
{
	_Bool checked, later, udp;
	const __u8 *b, *l4;
	__u32 src, at;

	if (!p || !w)
		return PORT_GUARD_IP;
	b = judge_at(w, ip);
	checked = judge_on(p, PORT_GUARD_IP) && p->known4;
	if (ip + 20 > w->len)
		return checked ? PORT_GUARD_IP : PORT_GUARD_PASS;
	src = judge_addr4(b + 12);
	later = judge_u16(b + 6) & 0x1fff;
	at = ip + (__u32)(b[0] & 15) * 4;
	l4 = judge_at(w, at);
	udp = b[9] == JUDGE_UDP && !later && at + 4 <= w->len;
	if (checked && !judge_pair(p, w, 6, src)) {
		/* Who has no address yet may ask for one, and tell of multicast groups. */
		if (src == 0 &&
		    ((udp && judge_u16(l4) == 68 && judge_u16(l4 + 2) == 67) || b[9] == JUDGE_IGMP))
			return PORT_GUARD_PASS;
		if ((p->gateway && src == p->gateway) || !judge_prefix(p, w, ip + 12, 4))
			return PORT_GUARD_IP;
	}
	if (judge_on(p, PORT_GUARD_DHCP) && udp && judge_u16(l4) == 67)
		return PORT_GUARD_DHCP;
	return PORT_GUARD_PASS;
}

/* Of Ethernet and IPv4 (RFC 826); a probe's sender has no address yet (RFC 5227). */
JUDGE_FN int judge_arp(const struct port_facts *p, const struct port_window *w, __u32 arp)
{
	static const __u8 ethernet_ip4[6] = {0, 1, 8, 0, 6, 4};
	const __u8 *b;
	__u32 spa;

	if (!p || !w)
		return PORT_GUARD_ARP;
	if (!judge_on(p, PORT_GUARD_ARP))
		return PORT_GUARD_PASS;
	b = judge_at(w, arp);
	if (arp + 28 > w->len || !judge_equal(b, ethernet_ip4, 6))
		return PORT_GUARD_ARP;
	spa = judge_addr4(b + 14);
	if (p->known4 && judge_pair(p, w, arp + 8, spa))
		return PORT_GUARD_PASS;
	if (judge_on(p, PORT_GUARD_MAC) && judge_mac(p, w, arp + 8) == PORT_MACS_MAX)
		return PORT_GUARD_ARP;
	if (!p->known4 || spa == 0)
		return PORT_GUARD_PASS;
	if (p->gateway && spa == p->gateway)
		return PORT_GUARD_ARP;
	return judge_prefix(p, w, arp + 14, 4) ? PORT_GUARD_PASS : PORT_GUARD_ARP;
}

/* ---- IPv6 ---- */

#define JUDGE_NO_L4 (1u << 16) /* a fragment that is not the first */
#define JUDGE_CUT (2u << 16)   /* behind more headers than are looked at */

/* hop by hop, routing, fragment, authentication, destination; mobility, HIP, Shim6 */
#define JUDGE_SKIPPED (1ull << 0 | 1ull << 43 | 1ull << 44 | 1ull << 51 | 1ull << 60)
#define JUDGE_SKIPPED_128 (1ull << (135 - 128) | 1ull << (139 - 128) | 1ull << (140 - 128))

/* Without branches, of which each doubles the verifier's ways. */
JUDGE_INLINE _Bool judge_skipped(__u32 next)
{
	__u64 low = JUDGE_SKIPPED >> (next & 63) & (next >> 6 == 0);
	__u64 high = JUDGE_SKIPPED_128 >> (next & 63) & (next >> 6 == 2);

	return (low | high) & 1;
}

/* Protocols of which messages are looked at: at least 8 bytes each (RFC 768, 4443; MLD and ND have more). */
JUDGE_INLINE _Bool judge_read(__u32 next)
{
	return next == JUDGE_UDP || next == JUDGE_ICMP6;
}

/*
 * judge_l4() - behind the extension headers of the IPv6 packet at @ip: where it is, and in the bits from
 * 24 on what it is; or JUDGE_NO_L4, JUDGE_CUT.
 */
JUDGE_FN __u32 judge_l4(const struct port_window *w, __u32 ip)
{
	__u32 at = ip + 40, next;

	if (!w)
		return JUDGE_CUT;
	next = *judge_at(w, ip + 6);
	for (int i = 0; i <= JUDGE_EXTENSIONS; i++) {
		const __u8 *b;
		__u32 units;

		at &= 0xffff;
		/* A first fragment has them all (RFC 7112). */
		if (at + 8 > w->len && (judge_skipped(next) || judge_read(next)))
			return JUDGE_CUT;
		if (!judge_skipped(next))
			return next << 24 | at;
		b = judge_at(w, at);
		if (next == 44 && judge_u16(b + 2) & 0xfff8)
			return JUDGE_NO_L4;
		units = next == 44 ? 0 : b[1];
		at += next == 51 ? (units + 2) * 4 : (units + 1) * 8;
		next = b[0];
	}
	return JUDGE_CUT;
}

/* All MACs that options of a neighbour's message tell of are the guest's (RFC 4861 4.6). */
JUDGE_FN int judge_nd_options(const struct port_facts *p, const struct port_window *w, __u32 at)
{
	if (!p || !w)
		return 0;
	for (int i = 0; i < JUDGE_ND_OPTIONS; i++) {
		const __u8 *b;

		at &= 0xffff;
		if (at + 8 > w->len)
			return !w->cut;
		b = judge_at(w, at);
		if (b[1] == 0)
			return 0;
		if ((b[0] == 1 || b[0] == 2) && judge_mac(p, w, at + 2) == PORT_MACS_MAX)
			return 0;
		at += b[1] * 8u;
	}
	return 0;
}

/* In the name of somebody else; @at: its ICMPv6 header. */
JUDGE_FN int judge_nd(const struct port_facts *p, const struct port_window *w, __u32 ip, __u32 at)
{
	__u8 type;

	if (!p || !w)
		return PORT_GUARD_ND;
	type = *judge_at(w, at);
	if (!judge_on(p, PORT_GUARD_ND) || (type != 133 && type != 135 && type != 136))
		return PORT_GUARD_PASS;
	if (judge_on(p, PORT_GUARD_MAC) && !judge_nd_options(p, w, at + (type == 133 ? 8 : 24)))
		return PORT_GUARD_ND;
	/* In a solicitation from :: the target is what the sender wants for itself (RFC 4862 5.4.2). */
	if (!p->known6 || !(type == 136 || (type == 135 && judge_zero(judge_at(w, ip + 8), 16))))
		return PORT_GUARD_PASS;
	/* One that is short is no neighbour's message; of one that is cut nobody sees what it says. */
	if (at + 24 > w->len)
		return w->cut ? PORT_GUARD_ND : PORT_GUARD_PASS;
	return judge_may_have6(p, w, at + 8) ? PORT_GUARD_PASS : PORT_GUARD_ND;
}

/* What has no address yet may say: neighbour and router solicitations, multicast reports. */
JUDGE_INLINE _Bool judge_unspecified6(__u8 type)
{
	return type == 131 || type == 132 || type == 133 || type == 135 || type == 143;
}

/* Who serves and routes: PORT_GUARD_PASS when it does not. */
JUDGE_FN int judge_served6(const struct port_facts *p, const struct port_window *w, __u32 l4)
{
	const __u8 *b;
	__u32 proto = l4 >> 24;

	if (!p || !w)
		return PORT_GUARD_RA;
	if (l4 & JUDGE_CUT) {
		/* It could be anything: receivers need not look that far either (RFC 8504 5.3). */
		if (judge_on(p, PORT_GUARD_RA))
			return PORT_GUARD_RA;
		if (judge_on(p, PORT_GUARD_DHCP))
			return PORT_GUARD_DHCP;
		return judge_on(p, PORT_GUARD_ND) ? PORT_GUARD_ND : PORT_GUARD_PASS;
	}
	if (!judge_read(proto))
		return PORT_GUARD_PASS;
	b = judge_at(w, l4 & 0xffff);
	if (judge_on(p, PORT_GUARD_RA) && proto == JUDGE_ICMP6 && (b[0] == 134 || b[0] == 137))
		return PORT_GUARD_RA;
	if (judge_on(p, PORT_GUARD_DHCP) && proto == JUDGE_UDP && judge_u16(b) == 547)
		return PORT_GUARD_DHCP;
	return PORT_GUARD_PASS;
}

JUDGE_FN int judge_ip6(const struct port_facts *p, const struct port_window *w, __u32 ip)
{
	_Bool checked, icmp;
	__u32 l4;
	int g;

	if (!p || !w)
		return PORT_GUARD_IP;
	checked = judge_on(p, PORT_GUARD_IP) && p->known6;
	if (ip + 40 > w->len)
		return checked ? PORT_GUARD_IP : PORT_GUARD_PASS;
	l4 = judge_l4(w, ip);
	icmp = false;
	if (!(l4 & JUDGE_NO_L4)) {
		g = judge_served6(p, w, l4);
		if (g != PORT_GUARD_PASS)
			return g;
		icmp = l4 >> 24 == JUDGE_ICMP6 && (l4 & 0xffff) < w->len;
	}
	if (icmp) {
		g = judge_nd(p, w, ip, l4 & 0xffff);
		if (g != PORT_GUARD_PASS)
			return g;
	}
	if (!checked || judge_may_have6(p, w, ip + 8))
		return PORT_GUARD_PASS;
	if (icmp && judge_zero(judge_at(w, ip + 8), 16) &&
	    judge_unspecified6(*judge_at(w, l4 & 0xffff)))
		return PORT_GUARD_PASS;
	return PORT_GUARD_IP;
}

/* ---- a frame ---- */

/* The EtherType within tags; @ret_at: what it is the header of. @ret_vlan: a tag says more than a priority. */
JUDGE_INLINE __u16 judge_ethertype(const struct port_window *w, __u32 *ret_at, _Bool *ret_vlan)
{
	__u16 type = judge_u16(w->b + 12);
	__u32 at = 14;

	*ret_vlan = w->tag == JUDGE_8021AD || (w->tag && w->tci & 0xfff);
	for (int i = 0; i < JUDGE_TAGS; i++) {
		if (type != JUDGE_8021Q && type != JUDGE_8021AD)
			break;
		*ret_vlan = *ret_vlan || type == JUDGE_8021AD || judge_u16(w->b + at) & 0xfff;
		type = judge_u16(w->b + at + 2);
		at += 4;
	}
	*ret_at = at;
	return type;
}

/* For switches alone: 01:80:c2:00:00:00 to 0f (IEEE 802.1Q table 8-1). */
JUDGE_INLINE _Bool judge_bpdu(const __u8 *dmac)
{
	static const __u8 reserved[5] = {0x01, 0x80, 0xc2, 0, 0};

	return judge_equal(dmac, reserved, 5) && dmac[5] < 16;
}

/* @dmac: of a frame to many. */
JUDGE_INLINE _Bool judge_broadcast(const __u8 *dmac)
{
	static const __u8 all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return judge_equal(dmac, all, 6);
}

/*
 * guard_judge() - which guard of a port with facts @p drops the frame @w: enum port_guard. Those that
 * count have the last word, by what is not in the frame: guard_count.h.
 */
JUDGE_INLINE int guard_judge(const struct port_facts *p, const struct port_window *w)
{
	_Bool vlan;
	__u16 type;
	__u32 at;

	if (w->len < 14)
		return p->guards ? PORT_GUARD_ETHERTYPE : PORT_GUARD_PASS;
	type = judge_ethertype(w, &at, &vlan);
	if (judge_on(p, PORT_GUARD_BPDU) && judge_bpdu(w->b))
		return PORT_GUARD_BPDU;
	if (judge_on(p, PORT_GUARD_ETHERTYPE) &&
	    (vlan || (type != JUDGE_IP4 && type != JUDGE_ARP && type != JUDGE_IP6)))
		return PORT_GUARD_ETHERTYPE;
	if (judge_on(p, PORT_GUARD_MAC) && judge_mac(p, w, 6) == PORT_MACS_MAX)
		return PORT_GUARD_MAC;
	if (type == JUDGE_IP4)
		return judge_ip4(p, w, at);
	if (type == JUDGE_ARP)
		return judge_arp(p, w, at);
	if (type == JUDGE_IP6)
		return judge_ip6(p, w, at);
	return PORT_GUARD_PASS;
}

/* ---- at a glance ---- */

#define GUARD_FAST_IP4_LEN 36 /* so much is looked at of IPv4, and of IPv6 */
#define GUARD_FAST_IP6_LEN 62 /* a whole UDP header: what is shorter is for judge_l4() to say */

/*
 * IPv6 from its own address of the network, TCP or UDP without extension headers; what has a half that is
 * made of a MAC has it of its own.
 */
JUDGE_INLINE _Bool judge_fast6(const struct port_fast *f, const __u8 *b)
{
	__u64 net, half;

	if (b[20] != 6 && (b[20] != JUDGE_UDP || judge_u16(b + 54) == 547))
		return 0;
	if (f->flags & PORT_FAST_IP6_ANY)
		return 1;
	if (!(f->flags & PORT_FAST_IP6))
		return 0;
	__builtin_memcpy(&net, b + 22, 8);
	__builtin_memcpy(&half, b + 30, 8);
	if (net != f->net6)
		return 0;
	if (b[33] == 0xff && b[34] == 0xfe)
		return half == f->own6;
	return half != f->router6;
}

/* IPv4 from its own address, not from a DHCP server's port. */
JUDGE_INLINE _Bool judge_fast4(const struct port_fast *f, const __u8 *b)
{
	__u32 src;

	if (b[23] == JUDGE_UDP && (b[14] != 0x45 || judge_u16(b + 34) == 67))
		return 0;
	__builtin_memcpy(&src, b + 26, 4);
	return f->flags & PORT_FAST_IP4_ANY || src == f->addr4[0] || src == f->addr4[1] ||
	       src == f->addr4[2] || src == f->addr4[3];
}

/* guard_fast_one() - guard_fast() of a frame to one receiver. */
JUDGE_INLINE _Bool guard_fast_one(const struct port_fast *f, const __u8 *b, const __u8 *end)
{
	const __u16 *words = (const __u16 *)b;
	__u16 type;

	if (b + GUARD_FAST_IP4_LEN > end)
		return 0;
	type = judge_u16(b + 12);
	if (words[3] != f->mac[0] || words[4] != f->mac[1] || words[5] != f->mac[2])
		return 0;
	if (type == JUDGE_IP4)
		return f->flags & (PORT_FAST_IP4 | PORT_FAST_IP4_ANY) && judge_fast4(f, b);
	return type == JUDGE_IP6 && b + GUARD_FAST_IP6_LEN <= end && judge_fast6(f, b);
}

/*
 * guard_fast() - whether the frame from @b to @end, without a VLAN tag beside it, is known to be good, but
 * for what is counted; false: guard_judge() has to say. @b is at an even address.
 */
JUDGE_INLINE _Bool guard_fast(const struct port_fast *f, const __u8 *b, const __u8 *end)
{
	return guard_fast_one(f, b, end) && !(b[0] == 0x01 && b[1] == 0x80);
}

#endif
