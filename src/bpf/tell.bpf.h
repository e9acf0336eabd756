/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tell.bpf.h - whose a packet is, and the records that user space is told.
 */
#ifndef VMLANE_BPF_TELL_H
#define VMLANE_BPF_TELL_H

#include "bpf/read.bpf.h"

/* ---- whose packet is it? ---- */

static __always_inline void tuple_of(const struct path_seen *s, struct path_tuple *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	__builtin_memcpy(ret->src, s->src, 16);
	__builtin_memcpy(ret->dst, s->dst, 16);
	ret->sport = s->sport;
	ret->dport = s->l4 == 1 || s->l4 == 58 ? 0 : s->dport;
	ret->l4 = s->l4;
	ret->family = s->ethertype == ETH_P_IP ? AF_INET : AF_INET6;
}

static __always_inline void flow_add(const struct path_tuple *t, __u64 now)
{
	bloom_add(flow_bloom, flow_generation, tuple_hash(t));
	bpf_map_update_elem(&flows, t, &now, BPF_ANY);
}

static __always_inline bool flow_known(const struct path_seen *s)
{
	struct path_tuple t;

	if (s->ethertype != ETH_P_IP && s->ethertype != ETH_P_IPV6)
		return false;
	tuple_of(s, &t);
	if (!bloom_has(flow_bloom, tuple_hash(&t)))
		return false;
	return bpf_map_lookup_elem(&flows, &t);
}

static __always_inline __u32 mac_same(const __u8 *a, const __u8 *b)
{
	__u32 differs = 0;

	for (int i = 0; i < 6; i++)
		differs |= a[i] ^ b[i];
	return is_zero(differs);
}

_Static_assert(__builtin_offsetof(struct path_seen, src) % 4 == 0 &&
		       __builtin_offsetof(struct path_seen, dst) % 4 == 0 &&
		       __builtin_offsetof(struct path_guest, addrs) % 4 == 0,
	       "addresses are compared in words");

/* 0 when two addresses are the same; without a branch, as each doubles the verifier's ways. */
static __always_inline __u32 differ(const __u8 *a, const __u8 *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;

	return (x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]);
}

/* Functions that the verifier looks at once, as headers_read(). */
__noinline int guest_address(const struct path_seen *s)
{
	__u32 found = 0;
	__u8 family;

	if (!s ||
	    (s->ethertype != ETH_P_IP && s->ethertype != ETH_P_IPV6 && s->ethertype != ETH_P_ARP))
		return false;
	family = s->ethertype == ETH_P_IPV6 ? AF_INET6 : AF_INET;
	for (int i = 0; i < PATH_ADDRS_MAX; i++) {
		__u32 other = guest.families[i] ^ family;

		if (i >= guest.n_addrs)
			break;
		found |= is_zero(other | differ(guest.addrs[i], s->src));
		found |= is_zero(other | differ(guest.addrs[i], s->dst));
	}
	return found;
}

__noinline int is_guests(const struct path_seen *s)
{
	if (!s)
		return false;
	if (guest.has_mac && (mac_same(s->dmac, guest.mac) | mac_same(s->smac, guest.mac)))
		return true;
	return guest_address(s) || flow_known(s);
}

/* ---- telling ---- */

static __always_inline void head_fill(struct path_head *h, enum path_event_type type, __u64 skb,
				      __u32 packet, __u32 netns, __u32 ifindex)
{
	h->time_ns = bpf_ktime_get_ns();
	h->skb = skb;
	h->packet = packet;
	h->netns = netns;
	h->ifindex = ifindex;
	h->type = type;
	h->cpu = bpf_get_smp_processor_id();
}

static __always_inline void tell(void *event, __u64 size)
{
	if (bpf_ringbuf_output(&events, event, size, 0) < 0)
		count(PATH_LOST);
}

static __always_inline void tuple_read(const struct nf_conntrack_tuple *t, struct path_tuple *ret)
{
	ret->family = BPF_CORE_READ(t, src.l3num);
	ret->l4 = BPF_CORE_READ(t, dst.protonum);
	bpf_probe_read_kernel(ret->src, 16, &t->src.u3);
	bpf_probe_read_kernel(ret->dst, 16, &t->dst.u3);
	ret->sport = bpf_ntohs(BPF_CORE_READ(t, src.u.all));
	ret->dport = ret->l4 == 1 || ret->l4 == 58 ? 0 : bpf_ntohs(BPF_CORE_READ(t, dst.u.all));
}

/* What conntrack knows of a packet that is followed, when that is news. @skb: where that is. */
__noinline int tell_ct(__u64 skb, struct track *t)
{
	struct nf_conn *ct = (void *)(BPF_CORE_READ((struct sk_buff *)skb, _nfct) & CT_POINTER);
	struct path_ct e = {};
	unsigned long status;

	if (!ct || !t)
		return 0;
	status = BPF_CORE_READ(ct, status);
	if (t->ct == (__u64)ct && t->ct_status == status)
		return 0;
	t->ct = (__u64)ct;
	t->ct_status = status;
	head_fill(&e.head, PATH_CT, skb, t->packet, 0, 0);
	e.ct = (__u64)ct;
	e.status = status;
	/* Constant indices: only those are relocated. */
	tuple_read(&ct->tuplehash[0].tuple, &e.original);
	tuple_read(&ct->tuplehash[1].tuple, &e.reply);
	flow_add(&e.original, e.head.time_ns);
	flow_add(&e.reply, e.head.time_ns);
	tell(&e, sizeof(e));
	return 0;
}

#endif
