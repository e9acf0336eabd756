/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * follow.bpf.h - a packet begins to be followed, is known again at the next device, and ends.
 */
#ifndef VMLANE_BPF_FOLLOW_H
#define VMLANE_BPF_FOLLOW_H

#include "bpf/filter.bpf.h"
#include "bpf/tell.bpf.h"

static __always_inline struct track *track_find(__u64 skb)
{
	if (!bloom_has(skb_bloom, skb))
		return NULL;
	return bpf_map_lookup_elem(&skbs, &skb);
}

/* Its skb is another packet's now, whose data @pk->head is: that may be followed. */
static __always_inline void track_forget(const struct packet *pk, const struct track *t)
{
	__u64 key = pk->key, head = t->head;
	const struct track *whose = bpf_map_lookup_elem(&heads, &head);

	if (whose && whose->packet == t->packet)
		bpf_map_delete_elem(&heads, &head);
	bpf_map_delete_elem(&skbs, &key);
}

/* The skb is at its end; its memory, and that of its data, may be another packet's soon. */
static __always_inline void track_end(const struct packet *pk, bool clone)
{
	__u64 key = pk->key, head = pk->head;

	bpf_map_delete_elem(&skbs, &key);
	if (!clone)
		bpf_map_delete_elem(&heads, &head);
}

static __always_inline struct track *track_put(const struct packet *pk, const struct track *t)
{
	__u64 key = pk->key, head = pk->head;

	bloom_add(skb_bloom, skb_generation, key);
	bpf_map_update_elem(&skbs, &key, t, BPF_ANY);
	if (!t->clone) {
		bloom_add(skb_bloom, skb_generation, head);
		bpf_map_update_elem(&heads, &head, t, BPF_ANY);
	}
	return bpf_map_lookup_elem(&skbs, &key);
}

/*
 * A fragment or segment of the packet that was last seen as @whole. One of its sides may have been
 * translated since.
 */
__noinline int is_piece(const struct path_seen *whole, const struct path_seen *s)
{
	__u32 from, to;

	if (!whole || !s || s->ethertype != whole->ethertype || s->l4 != whole->l4)
		return false;
	from = differ(s->src, whole->src);
	to = differ(s->dst, whole->dst);
	if (from && to)
		return false;
	if (s->flags & PATH_FRAGMENT)
		return s->ip_id == whole->ip_id || s->ethertype == ETH_P_IPV6;
	if (whole->gso_segs < 2)
		return false;
	if ((from || s->sport != whole->sport) && (to || s->dport != whole->dport))
		return false;
	return s->l4 == 17 || s->seq - whole->seq < whole->len;
}

/* Copies are made at once: a head that is known for longer may be another's meanwhile. */
#define HEAD_NS 100000000ull

/*
 * An skb that nobody knows, on its way out: a copy, fragment or segment of one that is followed?
 * NULL when it is none of these.
 */
static __always_inline struct track *adopt(struct cpu *cpu, const struct packet *pk,
					   const struct finger *finger)
{
	__u64 head = pk->head;
	struct track t = {.finger = *finger, .clone = 1, .head = head};
	struct track *known = NULL;

	t.time_ns = t.seen_ns = bpf_ktime_get_ns();
	t.came_in = !!pk->skb->skb_iif;

	/* What is no copy only has the memory that was freed with another. */
	if (BPF_CORE_READ_BITFIELD_PROBED(pk->skb, cloned) && bloom_has(skb_bloom, head))
		known = bpf_map_lookup_elem(&heads, &head);
	if (known && t.time_ns - known->time_ns < HEAD_NS && (t.came_in || !known->came_in) &&
	    finger_same(&known->finger, finger)) {
		t.packet = known->packet;
		return track_put(pk, &t);
	}
	if (*current_of_cpu() && is_piece(&cpu->current, &cpu->seen)) {
		t.packet = cpu->packet;
		return track_put(pk, &t);
	}
	return NULL;
}

/*
 * How many packets it stands for. Of what a VM's device gives, the kernel does not count them before it
 * takes it apart.
 */
static __always_inline __u16 segments(const struct frame *f, const struct path_seen *s,
				      __u16 counted)
{
	__u32 headers = s->ethertype == ETH_P_IPV6 ? 40 : 20;
	const __u8 *doff = AT(f, f->l3 + headers + 12, 1);

	if (counted || !s->gso_size)
		return s->gso_size ? counted : 0;
	headers += s->l4 == 6 && doff ? (doff[0] >> 4) * 4 : 8;
	return s->len > headers ? (s->len - headers + s->gso_size - 1) / s->gso_size : 1;
}

/* A VLAN tag beside the data. */
static __always_inline bool has_tag(struct sk_buff *skb)
{
	if (bpf_core_field_exists(skb->vlan_present))
		return BPF_CORE_READ_BITFIELD_PROBED(skb, vlan_present);
	return skb->vlan_proto;
}

static __always_inline void seen_fill(const struct packet *pk, const struct frame *f,
				      struct path_seen *s)
{
	struct sk_buff *skb = pk->skb;
	struct skb_shared_info *shared = (void *)(pk->head + skb->end);

	__builtin_memset(s, 0, sizeof(*s));
	headers_read(f, s);
	if (s->l4 == 17 && (s->dport == 67 || s->dport == 68))
		s->seq = dhcp_type(f, s);
	s->mark = skb->mark;
	s->len = skb->len - f->link - f->tags;
	if (!s->vlan && has_tag(skb))
		s->vlan = skb->vlan_tci & 0xfff;
	s->gso_size = BPF_CORE_READ(shared, gso_size);
	s->gso_segs = segments(f, s, BPF_CORE_READ(shared, gso_segs));
}

/* struct place - where a packet is: a device (0 for none), and whether it comes in there. */
struct place {
	__u32 ifindex;
	__u32 netns;
	bool in;
};

/* As its connection has it: @s was read when its destination had been translated already. */
static __always_inline void seen_before_nat(unsigned long nfct, struct path_seen *s)
{
	struct nf_conn *ct = (void *)(nfct & CT_POINTER);
	struct path_tuple t = {};
	__u32 info = nfct & 7; /* enum ip_conntrack_info */

	if (!ct || info == 1 || info == 4) /* an ICMP error is no packet of the connection */
		return;
	if (info < 3)
		tuple_read(&ct->tuplehash[0].tuple, &t);
	else
		tuple_read(&ct->tuplehash[1].tuple, &t);
	if (t.l4 != s->l4)
		return;
	__builtin_memcpy(s->src, t.src, 16);
	__builtin_memcpy(s->dst, t.dst, 16);
	s->sport = t.sport;
	if (s->l4 != 1 && s->l4 != 58)
		s->dport = t.dport;
}

/*
 * What came in unknown, and has only now turned out to be the guest's: it was addressed to the host, or
 * to all. The frame that was kept tells, if it is the same still; else, when it had to wait on its way,
 * the device that it came in by, at a time that is not known any more.
 */
__noinline int tell_arrival(struct cpu *cpu, __u64 skb, __u32 packet, const struct finger *finger)
{
	struct sk_buff *now = (struct sk_buff *)skb;
	__u32 iif = BPF_CORE_READ(now, skb_iif);
	struct finger first;
	struct path_seen *s;

	if (!iif || !cpu || !finger)
		return 0;  /* the host's own */
	s = &cpu->current; /* about to be written anew anyway */
	__builtin_memset(s, 0, sizeof(*s));
	headers_read(&cpu->in, s);
	finger_make(&cpu->in, s, &first);
	/* A copy that was flooded shares its data with what came in. */
	if ((cpu->in.skb != skb && cpu->in.head != number_of(BPF_CORE_READ(now, head))) ||
	    !finger_same(&first, finger)) {
		__builtin_memcpy(s, &cpu->seen, sizeof(*s));
		seen_before_nat(BPF_CORE_READ(now, _nfct), s);
		head_fill(&s->head, PATH_RX, skb, packet, config.netns, iif);
		tell(s, sizeof(*s));
		return 0;
	}
	s->len = cpu->seen.len;
	s->vlan = cpu->seen.vlan;
	if (s->l4 == 17)
		s->seq = cpu->seen.seq;
	head_fill(&s->head, PATH_RX, skb, packet, config.netns, cpu->in.ifindex);
	s->head.time_ns = cpu->in.time_ns;
	tell(s, sizeof(*s));
	return 0;
}

#define DST_METADATA 0x80 /* include/net/dst.h */
#define RTF_GATEWAY 2	  /* linux/ipv6_route.h */

/*
 * The route that it took while nobody knew whose it was: what its routing table was asked is over, but
 * the answer goes with it. Which table gave it is not known any more.
 */
__noinline int tell_taken_route(const struct cpu *cpu, __u64 skb, __u32 packet)
{
	struct sk_buff *s = (struct sk_buff *)skb;
	struct dst_entry *dst = (void *)(BPF_CORE_READ(s, _skb_refdst) & ~1ul);
	struct path_route r = {};
	struct net_device *dev;

	if (!cpu || !dst || BPF_CORE_READ(dst, flags) & DST_METADATA)
		return 0;
	dev = BPF_CORE_READ(dst, dev);
	if (cpu->seen.ethertype == ETH_P_IP) {
		struct rtable *rt = (void *)dst;

		r.family = AF_INET;
		r.gw_family = BPF_CORE_READ(rt, rt_gw_family);
		if (r.gw_family == AF_INET)
			bpf_probe_read_kernel(r.gateway, 4, &rt->rt_gw4);
		else if (r.gw_family)
			bpf_probe_read_kernel(r.gateway, 16, &rt->rt_gw6);
	} else if (cpu->seen.ethertype == ETH_P_IPV6) {
		struct rt6_info *rt = (void *)dst;

		r.family = AF_INET6;
		if (BPF_CORE_READ(rt, rt6i_flags) & RTF_GATEWAY) {
			r.gw_family = AF_INET6;
			bpf_probe_read_kernel(r.gateway, 16, &rt->rt6i_gateway);
		}
	} else {
		return 0;
	}
	r.iif = BPF_CORE_READ(s, skb_iif);
	r.mark = BPF_CORE_READ(s, mark);
	__builtin_memcpy(r.src, cpu->seen.src, 16);
	__builtin_memcpy(r.dst, cpu->seen.dst, 16);
	head_fill(&r.head, PATH_ROUTE, skb, packet, config.netns, BPF_CORE_READ(dev, ifindex));
	tell(&r, sizeof(r));
	return 0;
}

/* A packet that is not followed yet: shall it be? */
static __always_inline bool wanted(struct frame *f, const struct path_seen *s,
				   const struct place *p)
{
	if (p->netns != config.netns || !bit_get(p->in ? watch_in : watch_out, p->ifindex))
		return false;
	if (flow_known(s))
		return true;
	if (config.mark)
		return s->mark == config.mark;
	if (!bit_get(guest_ports, p->ifindex) && !is_guests(s))
		return false;
	if (filter_matches(f))
		return true;
	count(PATH_FILTERED);
	return false;
}

/*
 * What a probe's packet may be answered with, before anything is told of its connection: the host
 * answers as soon as it has it, and conntrack may look at it no sooner, or never.
 */
static __always_inline void expect_answer(const struct path_seen *s)
{
	struct path_tuple t;

	if (s->ethertype != ETH_P_IP && s->ethertype != ETH_P_IPV6)
		return;
	tuple_of(s, &t);
	__builtin_memcpy(t.src, s->dst, 16);
	__builtin_memcpy(t.dst, s->src, 16);
	if (s->l4 != 1 && s->l4 != 58) {
		t.sport = s->dport;
		t.dport = s->sport;
	}
	flow_add(&t, bpf_ktime_get_ns());
}

static __always_inline struct track *begin(struct cpu *cpu, const struct packet *pk, bool in,
					   const struct finger *finger)
{
	struct track t = {.finger = *finger, .head = pk->head};

	following = 1;
	t.time_ns = t.seen_ns = bpf_ktime_get_ns();
	t.came_in = in || pk->skb->skb_iif;
	t.packet = __sync_fetch_and_add(&last_packet, 1) + 1;
	count(PATH_FOLLOWED);
	if (config.mark)
		expect_answer(&cpu->seen);
	if (!in) {
		tell_arrival(cpu, pk->key, t.packet, finger);
		if (pk->skb->skb_iif)
			tell_taken_route(cpu, pk->key, t.packet);
	}
	return track_put(pk, &t);
}

static __always_inline void remember(struct cpu *cpu, const struct packet *pk,
				     const struct track *t)
{
	bool segment =
		cpu->packet == t->packet && cpu->current.gso_segs > 1 && cpu->seen.gso_segs < 2;

	*current_of_cpu() = pk->key;
	cpu->packet = t->packet;
	cpu->came_in = t->came_in;
	cpu->answered = 0;
	/* Others like this one come next: what they are segments of is kept. */
	if (!segment)
		__builtin_memcpy(&cpu->current, &cpu->seen, sizeof(cpu->seen));
	bloom_add(skb_bloom, skb_generation, pk->key); /* for another generation */
}

static __always_inline bool read_frame(const struct packet *pk, bool in, struct frame *f)
{
	if (frame_read(pk, in, f) == 0)
		return true;
	count(PATH_UNREADABLE);
	f->skb = 0;
	return false;
}

static __always_inline void read_headers(struct cpu *cpu, const struct packet *pk,
					 const struct frame *f, struct finger *ret)
{
	seen_fill(pk, f, &cpu->seen);
	finger_make(f, &cpu->seen, ret);
}

static __always_inline void tell_seen(struct cpu *cpu, const struct packet *pk, struct track *t,
				      enum path_event_type type, const struct place *p)
{
	if (t->clone)
		cpu->seen.flags |= PATH_CLONE;
	tell_ct(pk->key, t);
	head_fill(&cpu->seen.head, type, pk->key, t->packet, p->netns, p->ifindex);
	tell(&cpu->seen, sizeof(cpu->seen));
}

/*
 * The frame itself, for captures. Where it comes in skb->data is behind the link-layer header, where it
 * goes out at it; where it is dropped that is anybody's guess, and the bytes that were looked at have to
 * do.
 */
static __always_inline void tell_frame(struct cpu *cpu, const struct packet *pk,
				       const struct frame *f, enum path_event_type type)
{
	struct path_frame *shot = &cpu->shot;
	__u32 snaplen = config.snaplen, link, n = 0;

	if (!snaplen)
		return;
	link = type == PATH_RX ? f->l3 - f->tags : type == PATH_TX ? 0 : f->len;
	if (link > PATH_FRAME_MAX)
		return;
	shot->whole_len = type == PATH_TX ? pk->skb->len : pk->skb->len + f->l3 - f->tags;
	if (shot->whole_len < link)
		shot->whole_len = link;
	if (link > snaplen)
		link = snaplen;
	if (type != PATH_DROP)
		n = pk->skb->len;
	if (n > snaplen - link)
		n = snaplen - link;
	if (n > PATH_FRAME_BYTES)
		n = PATH_FRAME_BYTES;
	shot->n_link = link;
	shot->n_bytes = n;
	__builtin_memcpy(&shot->seen, &cpu->seen, sizeof(cpu->seen));
	__builtin_memcpy(shot->link, f->bytes, sizeof(shot->link));
	if (bpf_skb_output(pk->skb, &frames, (__u64)n << 32 | BPF_F_CURRENT_CPU, shot,
			   sizeof(*shot)) < 0)
		count(PATH_LOST);
}

#define GONE_NS 5000000000ull /* so long unseen: longer than neighbours are waited for */

/* @t is the same packet still? Its skb may have been freed unseen, and used again. */
static __always_inline struct track *checked(struct track *t, const struct packet *pk,
					     const struct finger *finger)
{
	__u64 now = bpf_ktime_get_ns();

	if (!t)
		return NULL;
	if (now - t->seen_ns < GONE_NS &&
	    (finger_same(&t->finger, finger) || finger_rejoined(&t->finger, finger))) {
		t->finger = *finger;
		t->seen_ns = now;
		return t;
	}
	count(PATH_STALE);
	track_forget(pk, t);
	return NULL;
}

/*
 * What has come in keeps that in its skb, until it leaves the stack; the host's own never gets it. Where
 * one of them is taken for the other, memory of the first is the other's now.
 */
static __always_inline bool is_others(const struct track *t, const struct packet *pk)
{
	return is_zero(pk->skb->skb_iif) == t->came_in;
}

/*
 * Another packet than @t, although it looks the same, byte for byte (ARP's questions do, and DHCP's
 * answers): it comes in where packets are made, or goes where @t, which was on its last way, cannot.
 * Not each end of an skb is seen, and its memory is used again soon.
 */
static __always_inline bool is_anew(const struct track *t, const struct packet *pk,
				    const struct place *p, enum path_event_type type)
{
	bool gone = t->last == PATH_TX && device_is(t->last_ifindex, PATH_LEAF);

	if (p->netns != config.netns)
		return false;
	/* What the bridge has handed up comes back to its ports by the bridge only. */
	if (type != PATH_RX)
		return gone || is_others(t, pk) ||
		       (t->last == PATH_RX && device_is(t->last_ifindex, PATH_BRIDGE) &&
			device_is(p->ifindex, PATH_PORT));
	if (device_is(p->ifindex, PATH_SOURCE))
		return true;
	/* Through a veth pair whose ends are both here. */
	return device_is(p->ifindex, PATH_LEAF) &&
	       (!gone || device_is(t->last_ifindex, PATH_SOURCE));
}

/* What happens in another namespace, behind a veth pair, is not ours to tell. */
static __always_inline void leave(const struct packet *pk, bool clone)
{
	track_end(pk, clone);
	*current_of_cpu() = 0;
}

/*
 * While nothing is followed: is a packet that comes in by a watched device known at a glance not to
 * match? Its data are at the network header there.
 */
static __always_inline bool passes_by(struct sk_buff *skb, const struct net_device *dev)
{
	__u8 ip[PLAIN_LEN];

	if (dev->nd_net.net->ns.inum != config.netns)
		return true;
	if (config.mark || !config.n_filter || !bit_get(guest_ports, dev->ifindex) ||
	    skb->protocol != bpf_htons(ETH_P_IP) ||
	    bpf_probe_read_kernel(ip, sizeof(ip), skb->data) || !plain_cannot_match(ip))
		return false;
	counters[PATH_FILTERED]++; /* about right is enough */
	return true;
}

/* A packet at a device, on its way. */
static __always_inline void on_way(struct sk_buff *skb, const struct net_device *dev,
				   enum path_event_type type)
{
	struct place p = {.ifindex = dev->ifindex, .in = type == PATH_RX};
	__u64 *current;
	struct packet pk = {.skb = skb};
	struct finger finger;
	struct track *t;
	struct frame *f;
	struct cpu *cpu;

	if (!following &&
	    (!bit_get(p.in ? watch_in : watch_out, p.ifindex) || (p.in && passes_by(skb, dev))))
		return;
	pk.key = number_of(skb);
	pk.head = number_of(skb->head);
	current = current_of_cpu();
	t = track_find(pk.key);
	if (!t && !bit_get(p.in ? watch_in : watch_out, p.ifindex) &&
	    (p.in || (!*current && !bloom_has(skb_bloom, pk.head)))) {
		if (*current && p.in)
			*current = 0;
		return;
	}
	cpu = this_cpu();
	p.netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	if (!cpu || (!t && p.netns != config.netns))
		return;
	f = p.in ? &cpu->in : &cpu->out;
	if (!read_frame(&pk, p.in, f))
		return;
	if (!t && bit_get(guest_ports, p.ifindex) && !config.mark && filter_cannot_match(f)) {
		counters[PATH_FILTERED]++; /* about right is enough */
		if (p.in)
			*current = 0;
		return;
	}
	read_headers(cpu, &pk, f, &finger);
	if (t && is_anew(t, &pk, &p, type)) {
		track_forget(&pk, t);
		t = NULL;
	}
	t = checked(t, &pk, &finger);
	if (!t && !p.in && p.netns == config.netns)
		t = adopt(cpu, &pk, &finger);
	if (!t && wanted(f, &cpu->seen, &p))
		t = begin(cpu, &pk, p.in, &finger);
	if (p.in) {
		f->skb = pk.key;
		f->head = pk.head;
		f->time_ns = bpf_ktime_get_ns();
		f->ifindex = p.ifindex;
	}
	if (!t) {
		if (p.in)
			*current = 0;
		return;
	}
	t->came_in |= p.in;
	t->last = type;
	t->last_ifindex = p.ifindex;
	tell_seen(cpu, &pk, t, type, &p);
	if (type != PATH_QUEUE && p.netns == config.netns)
		tell_frame(cpu, &pk, f, type);
	if (p.netns == config.netns)
		remember(cpu, &pk, t);
	else
		leave(&pk, t->clone);
}

/* Something that happens to a packet that is followed, or its end. */
static __always_inline void on_packet(struct sk_buff *skb, enum path_event_type type,
				      __u64 location, __u32 reason, bool ends)
{
	struct packet pk = {.skb = skb};
	const struct net_device *dev;
	struct place p = {};
	struct finger finger;
	struct track *t;
	struct cpu *cpu;

	if (!following)
		return;
	pk.key = number_of(skb);
	t = track_find(pk.key);
	pk.head = number_of(skb->head);
	/* A copy may be dropped before it was seen at any device. */
	if (!t && (type != PATH_DROP || !bloom_has(skb_bloom, pk.head)))
		return;
	cpu = this_cpu();
	if (!cpu)
		return;
	if (frame_read(&pk, false, &cpu->out)) {
		/* What was a packet is a message of netlink now, which has no headers. */
		count(PATH_STALE);
		if (t)
			track_forget(&pk, t);
		return;
	}
	read_headers(cpu, &pk, &cpu->out, &finger);
	/* What a device has been given may have left the stack: it forgets where it came in. */
	if (t && t->last != PATH_TX && is_others(t, &pk)) {
		track_forget(&pk, t);
		t = NULL;
	}
	t = checked(t, &pk, &finger);
	if (!t && type == PATH_DROP)
		t = adopt(cpu, &pk, &finger);
	if (!t)
		return;
	dev = BPF_CORE_READ(skb, dev);
	if (dev) {
		p.ifindex = BPF_CORE_READ(dev, ifindex);
		p.netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	cpu->seen.location = location;
	cpu->seen.reason = reason;
	tell_seen(cpu, &pk, t, type, &p);
	if (type == PATH_DROP)
		tell_frame(cpu, &pk, &cpu->out, type);
	if (ends)
		track_end(&pk, t->clone);
	if (ends && *current_of_cpu() == pk.key)
		*current_of_cpu() = 0;
}

#endif
