// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guard.bpf.c - the guards at the guests' ports: one program at the ingress of all of them. Nearly every
 * frame is known to be good by one array element and a few comparisons (guard_fast()); the others are
 * looked at in full (guard_judge.h). It is there without the daemon. Next on the walk: kernel/portguard.c.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/guard_judge.h"

char LICENSE[] SEC("license") = "GPL";

/* By ifindex % PORT_FAST_SLOTS. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_FAST_SLOTS);
	__type(key, __u32);
	__type(value, struct port_fast);
} guard_fasts SEC(".maps");

/* By ifindex; an element is replaced as a whole. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct port_facts);
} guard_facts SEC(".maps");

/* By ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct port_drops);
} guard_drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct port_window);
} guard_window SEC(".maps");

#define NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC: whoever is behind us there has it */

static __always_inline bool window_fill(struct __sk_buff *skb, struct port_window *w)
{
	__u32 len = skb->len;

	w->cut = len > PORT_WINDOW;
	if (len > PORT_WINDOW)
		len = PORT_WINDOW;
	w->len = len;
	w->tag = skb->vlan_present ? bpf_ntohs((__u16)skb->vlan_proto) : 0;
	w->tci = skb->vlan_present ? skb->vlan_tci : 0;
	/* 1 to PORT_WINDOW as before, in a way that the verifier of Linux 6.1 follows. */
	asm volatile("" : "+r"(len));
	len = ((len - 1) & (PORT_WINDOW - 1)) + 1;
	return bpf_skb_load_bytes(skb, 0, w->b, len) == 0;
}

static __always_inline void note(const struct port_window *w, __u32 ifindex, __u32 g)
{
	struct port_drops *d = bpf_map_lookup_elem(&guard_drops, &ifindex);
	struct port_last *l;
	__u32 at;
	bool vlan;

	if (!d || g >= PORT_GUARD_COUNT)
		return;
	__sync_fetch_and_add(&d->dropped[g], 1);
	l = &d->last[g];
	l->time_ns = bpf_ktime_get_boot_ns();
	l->ethertype = judge_ethertype(w, &at, &vlan);
	__builtin_memcpy(l->smac, w->b + 6, 6);
	__builtin_memset(l->src, 0, sizeof(l->src));
	if (l->ethertype == JUDGE_IP4)
		__builtin_memcpy(l->src, judge_at(w, at + 12), 4);
	else if (l->ethertype == JUDGE_ARP)
		__builtin_memcpy(l->src, judge_at(w, at + 14), 4);
	else if (l->ethertype == JUDGE_IP6)
		__builtin_memcpy(l->src, judge_at(w, at + 8), 16);
}

static __noinline int judge(struct __sk_buff *skb)
{
	__u32 zero = 0, ifindex = skb->ifindex;
	struct port_window *w = bpf_map_lookup_elem(&guard_window, &zero);
	struct port_facts *p = bpf_map_lookup_elem(&guard_facts, &ifindex);
	__u32 g;

	/* Nothing known of a port that is guarded: it is on its way in, or out. */
	if (!p || !w || !window_fill(skb, w))
		return TC_ACT_SHOT;
	g = (__u32)guard_judge(p, w);
	if (g == PORT_GUARD_PASS)
		return NEXT;
	note(w, ifindex, g);
	skb->mark = PORT_GUARD_MARK | g;
	return TC_ACT_SHOT;
}

SEC("tc")
int vmlane_guard(struct __sk_buff *skb)
{
	__u32 slot = skb->ifindex & (PORT_FAST_SLOTS - 1);
	const struct port_fast *f = bpf_map_lookup_elem(&guard_fasts, &slot);

	if (f && f->ifindex == skb->ifindex && !skb->vlan_present &&
	    guard_fast(f, (const void *)(long)skb->data, (const void *)(long)skb->data_end))
		return NEXT;
	return judge(skb);
}
