/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path_event.h - what the programs of path.bpf.c tell user space: the records of the ring buffer and
 * what the programs are told before they are loaded. All fixed widths; host byte order unless _be.
 *
 * Shared by src/bpf (clang -target bpf) and src/path/tracer.c.
 */
#ifndef VMLANE_BPF_PATH_EVENT_H
#define VMLANE_BPF_PATH_EVENT_H

#include <linux/types.h>

/* enum path_event_type - which tracepoint saw it */
enum path_event_type {
	PATH_RX = 1, /* netif_receive_skb: a device hands the packet to the stack */
	PATH_TX,     /* net_dev_start_xmit: the stack hands it to a device's driver */
	PATH_QUEUE,  /* net_dev_queue: and before that to its queueing discipline */
	PATH_DROP,   /* kfree_skb */
	PATH_FREE,   /* consume_skb: it was used up, as it should */
	PATH_READ,   /* skb_copy_datagram_iovec: a process (the VMM) reads it */
	PATH_ICMP,   /* icmp_send: the kernel answers it with an ICMP error */
	PATH_ROUTE,  /* fib_table_lookup, fib6_table_lookup */
	PATH_TRACE,  /* an nftrace message about it was queued to our socket */
	PATH_CT,     /* conntrack has, or has changed, its connection */
	PATH_NEIGH,  /* neigh_event_send_done: it was queued until a neighbour's MAC is known */
	PATH_WAKE,   /* a packet to follow while nothing is followed (rest.bpf.c); the head only */
	PATH_EVENT_TYPES,
};

/**
 * struct path_head - begins every record
 * @time_ns:	CLOCK_MONOTONIC
 * @skb:	the kernel's address of the packet; it tells copies of one packet apart
 * @packet:	counts up from 1 with each packet that is followed
 * @netns:	inode of the network namespace, 0 when there is no device to tell it
 * @ifindex:	of the device in it, 0 for none
 * @type:	enum path_event_type
 */
struct path_head {
	__u64 time_ns;
	__u64 skb;
	__u32 packet;
	__u32 netns;
	__u32 ifindex;
	__u16 type;
	__u16 cpu;
};

/* enum path_flag - bits of path_seen.flags */
enum path_flag {
	PATH_FRAGMENT = 1, /* IP fragment: @frag_offset; MORE_FRAGMENTS when not the last */
	PATH_MORE_FRAGMENTS = 2,
	PATH_DF = 4,	/* IPv4: do not fragment */
	PATH_CLONE = 8, /* another skb than the packet's first, made from it */
	PATH_L4 = 16,	/* ports (ICMP: id, type, code) are valid */
};

/**
 * struct path_seen - a packet at a device, or where it ended; PATH_RX to PATH_ICMP
 * @location:	PATH_DROP: address of the code that dropped it
 * @reason:	PATH_DROP: enum skb_drop_reason of this kernel; PATH_ICMP: type << 8 | code that is sent;
 *		PATH_READ: bytes read
 * @len:	bytes from the network header on
 * @vlan:	the innermost VLAN tag's id, 0 for none
 * @mark:	the packet's fwmark
 * @ethertype:	host byte order
 * @gso_segs:	above 1: it stands for so many packets, of @gso_size bytes of payload each
 * @ip_id:	IPv4's identification, host byte order
 * @sport, @dport: host byte order; ICMP: @sport is the echo's id, @dport type << 8 | code; ARP:
 *		@sport is the operation
 * @seq:	TCP's sequence number, ICMP echo's sequence; of other packets what they say: of ICMP errors
 *		about TCP and UDP its protocol << 16 | destination port, of DHCP and DHCPv6 the message
 *		type, of DNS the header's flags; 0 where that could not be read
 * @src, @dst:	addresses, network byte order, IPv4 in the first four bytes; ARP: sender, target
 */
struct path_seen {
	struct path_head head;
	__u64 location;
	__u32 reason;
	__u32 len;
	__u32 mark;
	__u32 seq;
	__u16 ethertype;
	__u16 gso_segs;
	__u16 gso_size;
	__u16 ip_id;
	__u16 frag_offset;
	__u16 sport;
	__u16 dport;
	__u16 vlan;
	__u8 l4;
	__u8 ttl;
	__u8 tcp_flags;
	__u8 flags;
	__u8 smac[6];
	__u8 dmac[6];
	__u8 src[16];
	__u8 dst[16];
};

/**
 * struct path_route - a routing table was asked; PATH_ROUTE
 * @head:	@ifindex is the device of the route that was found
 * @table:	routing table's id, 0: not known
 * @err:	0, or -errno: -EAGAIN none found in this table, -EINVAL blackhole, ...
 * @iif, @oif:	what the question said: came in by, has to leave by; 0 for any
 * @family:	AF_INET or AF_INET6
 * @gw_family:	0: on link
 * @reverse:	the question was about the source: where would its answer go (rp_filter)?
 * @whole_len:	not 0: the packet was last seen as a fragment, and has so many bytes now that its
 *		fragments are together, the IP header among them
 */
struct path_route {
	struct path_head head;
	__u32 table;
	__s32 err;
	__u32 iif;
	__u32 oif;
	__u32 mark;
	__u8 family;
	__u8 gw_family;
	__u8 reverse;
	__u8 pad;
	__u8 src[16];
	__u8 dst[16];
	__u8 gateway[16];
	__u32 whole_len;
	__u32 pad2;
};

/**
 * struct path_neigh - PATH_NEIGH: the packet waits for the MAC of a neighbour
 * @head:	@ifindex is the device that it is on
 * @family:	AF_INET or AF_INET6, of @addr: as struct path_seen
 */
struct path_neigh {
	struct path_head head;
	__u8 family;
	__u8 pad[7];
	__u8 addr[16];
};

/* struct path_trace - PATH_TRACE; @id is the NFTA_TRACE_ID of the message, @number counts them. */
struct path_trace {
	struct path_head head;
	__u32 id;
	__u32 number;
};

/* struct path_tuple - one direction of a connection, as conntrack has it; as struct path_seen. */
struct path_tuple {
	__u8 src[16];
	__u8 dst[16];
	__u16 sport;
	__u16 dport;
	__u8 l4;
	__u8 family;
	__u8 pad[2];
};

/* struct path_ct - PATH_CT; @status: IPS_* of linux/netfilter/nf_conntrack_common.h */
struct path_ct {
	struct path_head head;
	__u64 ct;
	__u64 status;
	struct path_tuple original;
	struct path_tuple reply;
};

#define PATH_FRAME_MAX 128 /* bytes of a frame that are looked at */
#define PATH_FRAME_BYTES                                                                           \
	60000 /* of one frame at most, by way of a perf buffer's records of 64 KiB */

/**
 * struct path_frame - a frame as it was at a device, for captures: begins a record of the perf buffer,
 * and is followed by @n_bytes of the frame
 * @seen:	as told by the ring buffer
 * @link:	the frame's first @n_link bytes; the others follow
 * @whole_len:	the frame's length, with the link-layer header
 */
struct path_frame {
	struct path_seen seen;
	__u32 n_link;
	__u32 n_bytes;
	__u32 whole_len;
	__u32 pad;
	__u8 link[PATH_FRAME_MAX];
};

/* enum path_device_kind - what a device is to the packets that pass it */
enum path_device_kind {
	PATH_SOURCE = 1, /* what comes in here was made here: a NIC, a tap */
	PATH_LEAF = 2,	 /* what goes out here goes to no other device below: these, and veth */
	PATH_PORT = 4,	 /* of a bridge */
	PATH_BRIDGE = 8,
};

#define PATH_IFINDEX_MAX 65536 /* devices beyond are not looked at; counted by the loader */
#define PATH_ADDRS_MAX 16
#define PATH_FILTER_MAX 512

/* struct path_insn - one instruction of classic BPF, as struct bpf_insn of libpcap. */
struct path_insn {
	__u16 code;
	__u8 jt;
	__u8 jf;
	__u32 k;
};

/**
 * struct path_match - what a packet of the guest's must have to match the filter, which is then asked
 * whether it does: so that most of those that do not are known at a glance
 * @ethertype:	host byte order; 0: any
 * @port_be:	one of its two, as in the packet (network byte order); 0: any
 * @l4:		0: any
 * @family:	AF_INET, AF_INET6: @host is one of its two addresses; 0: any
 */
struct path_match {
	__u16 ethertype;
	__u16 port_be;
	__u8 l4;
	__u8 family;
	__u8 pad[2];
	__u8 host[16];
};

/**
 * struct path_config - what is followed; constant while the programs are loaded
 * @netns:	inode of the network namespace whose devices count
 * @trace_socket: inode of the netlink socket that receives nftrace messages, 0 for none
 * @snaplen:	not 0: frames are told too, so many bytes of each; at most PATH_FRAME_BYTES
 * @n_filter:	instructions of @filter, which sees a frame from its Ethernet header; 0: all
 * @must:	what those that match @filter have
 * @mark:	not 0: follow what has this fwmark, and nothing else
 */
struct path_config {
	__u64 trace_socket;
	__u32 netns;
	__u32 mark;
	__u32 n_filter;
	__u32 snaplen;
	__u32 pad;
	struct path_match must;
	struct path_insn filter[PATH_FILTER_MAX];
};

/**
 * struct path_guest - who the guest is; user space may add to it while the programs run
 * @has_mac:	@mac is the guest's
 * @n_addrs:	so many of @addrs are, IPv4 in the first four bytes; @families tells which
 */
struct path_guest {
	__u32 n_addrs;
	__u8 has_mac;
	__u8 pad;
	__u8 mac[6];
	__u8 families[PATH_ADDRS_MAX];
	__u8 addrs[PATH_ADDRS_MAX][16];
};

/* enum path_counter - counted by the programs, never silent */
enum path_counter {
	PATH_LOST,	 /* events that found the ring buffer full */
	PATH_FOLLOWED,	 /* packets */
	PATH_STALE,	 /* an skb's address was used for another packet meanwhile */
	PATH_FILTERED,	 /* the guest's packets that the filter left out */
	PATH_UNREADABLE, /* headers that could not be read */
	PATH_RESTED,	 /* sightings of packets to follow while nothing was followed */
	PATH_COUNTERS,
};

#endif
