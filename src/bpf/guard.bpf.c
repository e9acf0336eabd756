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

#include "bpf/guard_count.h"
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

/* By ifindex: of ports whose MACs are counted, 16 KiB each. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct port_seen);
} guard_seen SEC(".maps");

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

static __always_inline int drop(struct __sk_buff *skb, const struct port_window *w, __u32 g)
{
	note(w, skb->ifindex, g);
	skb->mark = PORT_GUARD_MARK | g;
	return TC_ACT_SHOT;
}

/* A frame to many, to @dmac, that is good otherwise: the guard that drops it, or PORT_GUARD_PASS. */
static __noinline int too_many(struct __sk_buff *skb, const struct port_facts *p, bool broadcast)
{
	__u32 ifindex = skb->ifindex, size = skb->gso_size, frames = 1, rate;
	struct port_drops *d = bpf_map_lookup_elem(&guard_drops, &ifindex);
	__u64 now = bpf_ktime_get_boot_ns();
	bool may = true;

	if (!p)
		return PORT_GUARD_BROADCAST;
	rate = broadcast ? p->group_rate[0] : p->group_rate[1];
	if (!rate || !d)
		return PORT_GUARD_PASS;
	/* What is cut into pieces behind the port. */
	if (size)
		frames = (skb->len + size - 1) / size;
	bpf_spin_lock(&d->lock);
	may = count_frames(broadcast ? &d->due_ns[0] : &d->due_ns[1], rate, frames, now);
	bpf_spin_unlock(&d->lock);
	if (may)
		return PORT_GUARD_PASS;
	return broadcast ? PORT_GUARD_BROADCAST : PORT_GUARD_MULTICAST;
}

/* A MAC that is not the guest's, where these are counted: whether there is room for it. */
static __noinline int has_room(const struct port_facts *p, const struct port_window *w,
			       __u32 ifindex)
{
	struct port_seen *s = bpf_map_lookup_elem(&guard_seen, &ifindex);
	__u32 period, age, max;
	__u64 mac;
	bool may;

	if (!p || !w || !s)
		return true;
	age = p->mac_age_s;
	max = p->macs_max;
	if (!age)
		return true;
	mac = count_mac(w->b + 6);
	period = count_period(bpf_ktime_get_boot_ns(), age);
	if (count_knows(s, mac, period))
		return true;
	bpf_spin_lock(&s->lock);
	may = count_seen(s, mac, period, max);
	bpf_spin_unlock(&s->lock);
	return may;
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
	if (g == PORT_GUARD_PASS && p->macs_max && judge_mac(p, w, 6) == PORT_MACS_MAX &&
	    !has_room(p, w, ifindex))
		g = PORT_GUARD_MACS;
	if (g == PORT_GUARD_PASS && w->b[0] & 1)
		g = (__u32)too_many(skb, p, judge_broadcast(w->b));
	return g == PORT_GUARD_PASS ? NEXT : drop(skb, w, g);
}

/* The same of a frame to many, most of which are known to be good, but for how many there are. */
static __noinline int judge_many(struct __sk_buff *skb)
{
	__u32 zero = 0, ifindex = skb->ifindex, slot = ifindex & (PORT_FAST_SLOTS - 1), g;
	const struct port_fast *f = bpf_map_lookup_elem(&guard_fasts, &slot);
	struct port_window *w = bpf_map_lookup_elem(&guard_window, &zero);
	struct port_facts *p = bpf_map_lookup_elem(&guard_facts, &ifindex);
	const __u8 *b = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;

	if (!f || !w || !p || f->ifindex != ifindex || !guard_fast(f, b, end))
		return judge(skb);
	g = (__u32)too_many(skb, p, judge_broadcast(b));
	if (g == PORT_GUARD_PASS)
		return NEXT;
	return window_fill(skb, w) ? drop(skb, w, g) : TC_ACT_SHOT;
}

SEC("tc")
int vmlane_guard(struct __sk_buff *skb)
{
	__u32 slot = skb->ifindex & (PORT_FAST_SLOTS - 1);
	const struct port_fast *f = bpf_map_lookup_elem(&guard_fasts, &slot);
	const __u8 *b = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;

	if (!f || f->ifindex != skb->ifindex || skb->vlan_present || b + GUARD_FAST_IP4_LEN > end)
		return judge(skb);
	if (b[0] & 1)
		return judge_many(skb);
	return guard_fast_one(f, b, end) ? NEXT : judge(skb);
}
