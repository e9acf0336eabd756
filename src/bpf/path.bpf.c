// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * path.bpf.c - follows packets through the kernel by tracepoints, and tells user space each thing that
 * happens to them (path_event.h). Nothing here changes a packet. Next on the walk: path/tracer.c.
 *
 * A packet begins to be followed at the first device where it is known to be the guest's: when it
 * comes in by the guest's port, when its MAC or address is the guest's, or when its tuple is in
 * `flows`, where conntrack's two tuples of each followed packet are put: so a reply is the guest's
 * although it is addressed to the host. What only turns out later to be the guest's (a new
 * connection from outside to a forwarded port) is told from `scratch`, which holds the last frame
 * that came in on this CPU.
 *
 * From then on its skb's address is its identity, checked each time by a fingerprint that
 * translation leaves alone: addresses of freed skbs are used again, and not each end of an skb has a
 * tracepoint. Copies (flooding), fragments and segments are other skbs; they are made while their
 * origin is the CPU's current packet, or share its data.
 *
 * These programs see each packet of each namespace of the machine: most must cost next to nothing,
 * so bitmaps are asked before maps, and maps before packets are read.
 */
#include "bpf/follow.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(on_receive, struct sk_buff *skb)
{
	on_way(skb, skb->dev, PATH_RX);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(on_xmit, struct sk_buff *skb, struct net_device *dev)
{
	on_way(skb, dev, PATH_TX);
	return 0;
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(on_queue, struct sk_buff *skb)
{
	on_way(skb, skb->dev, PATH_QUEUE);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, int reason)
{
	on_packet(skb, PATH_DROP, (__u64)location, (__u32)reason, true);
	return 0;
}

SEC("tp_btf/consume_skb")
int BPF_PROG(on_free, struct sk_buff *skb)
{
	on_packet(skb, PATH_FREE, 0, 0, true);
	return 0;
}

SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(on_read, struct sk_buff *skb, int len)
{
	on_packet(skb, PATH_READ, 0, (__u32)len, true);
	return 0;
}

SEC("tp_btf/icmp_send")
int BPF_PROG(on_icmp, struct sk_buff *skb, int type, int code)
{
	on_packet(skb, PATH_ICMP, 0, (__u32)(type << 8 | code), false);
	return 0;
}

/* ---- what is about the current packet, without having it as an argument ---- */

/* The current packet as it is now; NULL when none is, or its skb is another's meanwhile. */
static __always_inline struct cpu *current_packet(void)
{
	return following && *current_of_cpu() ? this_cpu() : NULL;
}

#define LOOPBACK_IFINDEX 1 /* of each namespace */

_Static_assert(__builtin_offsetof(struct path_route, src) % 4 == 0 &&
		       __builtin_offsetof(struct path_route, dst) % 4 == 0,
	       "addresses are compared in words");

/*
 * Whether the question @r is about the current packet. Its destination may have been translated
 * since it was seen, which the tuple of conntrack's reply tells later; its source has not yet.
 *
 * Of what came in, others ask as well, and as if it were the host's own: rules (fib), and the kernel
 * where it looks for the way of an ICMP error, whose questions go in both directions.
 */
static __always_inline bool about_current(struct cpu *cpu, struct path_route *r)
{
	__u16 type = r->family == AF_INET ? ETH_P_IP : ETH_P_IPV6;

	if (cpu->current.ethertype != type || cpu->answered)
		return false;
	if (!differ(r->src, cpu->current.src))
		return !cpu->came_in || r->iif > LOOPBACK_IFINDEX;
	r->reverse = is_zero(differ(r->dst, cpu->current.src));
	return r->reverse;
}

#define ICMP_ERRORS (1u << 3 | 1u << 5 | 1u << 11 | 1u << 12) /* RFC 792 */

/*
 * The kernel looks for the way of an ICMP error: what it asks from here on is not about the current
 * packet, which may be forwarded no more.
 */
static __always_inline void note_answer(struct cpu *cpu, const struct path_route *r, __u8 proto,
					__u8 type)
{
	__u32 error = is_zero(proto ^ 1) & is_zero(type >> 5) & ICMP_ERRORS >> (type & 31);
	__u32 error6 = is_zero(proto ^ 58) & is_zero(type >> 7) & (1 - is_zero(type));

	cpu->answered |= (error | error6) & is_zero(differ(r->dst, cpu->current.src));
}

#define IP_FRAGMENT 0x3fff     /* more fragments, or an offset (RFC 791) */
#define IP6_HEADER_FRAGMENT 44 /* RFC 8200, 4.5 */

/*
 * How long the current packet is, which was seen as a fragment and is none any more; 0: that it is not.
 * conntrack puts it together before it is routed, and the last fragment to come carries it on.
 */
static __always_inline __u32 whole_len(const struct cpu *cpu)
{
	const struct sk_buff *skb = (void *)*current_of_cpu();
	const unsigned char *l3;
	__u16 word[4] = {};

	if (!(cpu->current.flags & PATH_FRAGMENT))
		return 0;
	l3 = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	if (bpf_probe_read_kernel(word, sizeof(word), l3))
		return 0;
	if (cpu->current.ethertype == ETH_P_IPV6)
		return bpf_ntohs(word[3]) >> 8 == IP6_HEADER_FRAGMENT ? 0 : bpf_ntohs(word[2]) + 40;
	if (word[2] != bpf_htons(cpu->current.ip_id) || bpf_ntohs(word[3]) & IP_FRAGMENT)
		return 0;
	return bpf_ntohs(word[1]);
}

static __always_inline void route_tell(struct cpu *cpu, struct path_route *r,
				       const struct net_device *dev)
{
	__u32 ifindex = 0, netns = 0;

	if (dev) {
		ifindex = BPF_CORE_READ(dev, ifindex);
		netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	if (dev && netns != config.netns)
		return;
	if (!about_current(cpu, r))
		return;
	r->whole_len = whole_len(cpu);
	head_fill(&r->head, PATH_ROUTE, *current_of_cpu(), cpu->packet, netns, ifindex);
	tell(r, sizeof(*r));
}

SEC("tp_btf/fib_table_lookup")
int BPF_PROG(on_route, __u32 table, const struct flowi4 *flow, const struct fib_nh_common *nh,
	     int err)
{
	struct path_route r = {.table = table, .err = err, .family = AF_INET};
	struct cpu *cpu = current_packet();
	struct net_device *dev = NULL;

	if (!cpu)
		return 0;
	r.iif = flow->__fl_common.flowic_iif;
	r.oif = flow->__fl_common.flowic_oif;
	r.mark = flow->__fl_common.flowic_mark;
	*(__u32 *)r.src = flow->saddr;
	*(__u32 *)r.dst = flow->daddr;
	note_answer(cpu, &r, flow->__fl_common.flowic_proto, flow->uli.icmpt.type);
	if (nh) {
		dev = BPF_CORE_READ(nh, nhc_dev);
		r.gw_family = BPF_CORE_READ(nh, nhc_gw_family);
		bpf_probe_read_kernel(r.gateway, 16, &nh->nhc_gw);
	}
	route_tell(cpu, &r, dev);
	return 0;
}

#define RTF_REJECT 0x0200 /* linux/ipv6_route.h */

/*
 * A route that refuses, by its type (RTN_* of linux/rtnetlink.h), as IPv4's tables say it. A table
 * without an answer gives the one route of this type that all of them share.
 */
static __always_inline int refusal6(__u32 flags, __u8 type)
{
	if (!(flags & RTF_REJECT))
		return 0;
	switch (type) {
	case 6: /* RTN_BLACKHOLE */
		return -22;
	case 8: /* RTN_PROHIBIT */
		return -13;
	default:
		return -11;
	}
}

SEC("tp_btf/fib6_table_lookup")
int BPF_PROG(on_route6, const void *net, const struct fib6_result *res, struct fib6_table *table,
	     const struct flowi6 *flow)
{
	struct path_route r = {.family = AF_INET6};
	struct cpu *cpu = current_packet();
	struct net_device *dev = NULL;
	struct fib6_nh *nh;

	if (!cpu)
		return 0;
	r.table = BPF_CORE_READ(table, tb6_id);
	r.iif = BPF_CORE_READ(flow, __fl_common.flowic_iif);
	r.oif = BPF_CORE_READ(flow, __fl_common.flowic_oif);
	r.mark = BPF_CORE_READ(flow, __fl_common.flowic_mark);
	bpf_probe_read_kernel(r.src, 16, &flow->saddr);
	bpf_probe_read_kernel(r.dst, 16, &flow->daddr);
	note_answer(cpu, &r, BPF_CORE_READ(flow, __fl_common.flowic_proto),
		    BPF_CORE_READ(flow, uli.icmpt.type));
	nh = BPF_CORE_READ(res, nh);
	r.err = refusal6(BPF_CORE_READ(res, fib6_flags), BPF_CORE_READ(res, fib6_type));
	if (nh && !r.err) {
		dev = BPF_CORE_READ(nh, nh_common.nhc_dev);
		r.gw_family = BPF_CORE_READ(nh, nh_common.nhc_gw_family);
		bpf_probe_read_kernel(r.gateway, 16, &nh->nh_common.nhc_gw);
	} else if (!r.err) {
		r.err = -11;
	}
	route_tell(cpu, &r, dev);
	return 0;
}

/*
 * Whether @skb, at the current packet's address, is that packet still, and not another that has got its
 * memory: its source or its destination may have been translated.
 */
static __always_inline bool is_current(const struct cpu *cpu, const struct sk_buff *skb)
{
	const unsigned char *l3 = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	const struct path_seen *s = &cpu->current;
	__u8 src[16] __attribute__((aligned(4))) = {}, dst[16] __attribute__((aligned(4))) = {};
	__u16 id = 0;

	if (BPF_CORE_READ(skb, protocol) != bpf_htons(s->ethertype) ||
	    is_zero(BPF_CORE_READ(skb, skb_iif)) == cpu->came_in)
		return false;
	if (s->ethertype == ETH_P_IP) {
		bpf_probe_read_kernel(&id, 2, l3 + 4);
		return id == bpf_htons(s->ip_id);
	}
	if (s->ethertype != ETH_P_IPV6)
		return false;
	bpf_probe_read_kernel(src, 16, l3 + 8);
	bpf_probe_read_kernel(dst, 16, l3 + 24);
	return !differ(src, s->src) || !differ(dst, s->dst);
}

/*
 * The current packet is the last in the queue of a neighbour whose MAC is not known: it waits there. What
 * is sent to neighbours whose MAC is known does not come here.
 */
SEC("tp_btf/neigh_event_send_done")
int BPF_PROG(on_neigh, const struct neighbour *n, int rc)
{
	struct path_neigh e = {};
	struct net_device *dev;
	struct cpu *cpu;

	if (!rc)
		return 0;
	cpu = current_packet();
	if (!cpu || (__u64)BPF_CORE_READ(n, arp_queue.prev) != *current_of_cpu())
		return 0;
	dev = BPF_CORE_READ(n, dev);
	if (BPF_CORE_READ(dev, nd_net.net, ns.inum) != config.netns ||
	    !is_current(cpu, BPF_CORE_READ(n, arp_queue.prev)))
		return 0;
	e.family = BPF_CORE_READ(n, tbl, family);
	bpf_probe_read_kernel(e.addr, e.family == AF_INET ? 4 : 16, &n->primary_key);
	head_fill(&e.head, PATH_NEIGH, *current_of_cpu(), cpu->packet, config.netns,
		  BPF_CORE_READ(dev, ifindex));
	tell(&e, sizeof(e));
	return 0;
}

/*
 * nf_tables queues a trace message to our netlink socket while it evaluates the packet: whichever
 * is current on this CPU. The message is the last in the socket's queue.
 */
static __always_inline int on_message(const struct sock *sk)
{
	struct cpu *cpu = current_packet();
	struct path_trace e = {};
	unsigned char *data;
	struct sk_buff *skb;
	__u16 attr[2];

	if (!config.trace_socket ||
	    BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino) != config.trace_socket)
		return 0;
	e.number = __sync_fetch_and_add(&last_trace, 1);
	if (!cpu)
		return 0;
	skb = BPF_CORE_READ(sk, sk_receive_queue.prev);
	data = BPF_CORE_READ(skb, data) + 20; /* behind nlmsghdr and nfgenmsg */
	for (int i = 0; i < 8; i++) {
		/* Its reader may have taken it already: told without an id then. */
		if (bpf_probe_read_kernel(attr, sizeof(attr), data))
			break;
		if ((attr[1] & 0x3fff) == 6) { /* NFTA_TRACE_ID */
			bpf_probe_read_kernel(&e.id, 4, data + 4);
			e.id = bpf_ntohl(e.id);
			break;
		}
		data += (attr[0] + 3) & ~3;
	}
	head_fill(&e.head, PATH_TRACE, *current_of_cpu(), cpu->packet, 0, 0);
	tell(&e, sizeof(e));
	return 0;
}

/*
 * Three places for it, of which user space attaches the first that this kernel has: kernels before
 * 6.3 have no tracepoint where it is queued, and there the function itself has to do.
 */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(on_trace, const struct sock *sk)
{
	return on_message(sk);
}

SEC("fentry/sock_def_readable")
int BPF_PROG(on_trace_entry, const struct sock *sk)
{
	return on_message(sk);
}

SEC("kprobe/sock_def_readable")
int BPF_KPROBE(on_trace_probe, const struct sock *sk)
{
	return on_message(sk);
}
