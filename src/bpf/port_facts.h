/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_facts.h - what is known of a guest's port, as the guards' program has it in its maps; what it
 * counts; and what it looks at of a frame. Addresses are in network byte order.
 *
 * Shared by guard.bpf.c (clang -target bpf) and user space. The layouts are on a running host longer than
 * a daemon is: where one changes, PORT_GUARD_LAYOUT changes, and the maps are made anew.
 */
#ifndef VMLANE_BPF_PORT_FACTS_H
#define VMLANE_BPF_PORT_FACTS_H

#include <linux/bpf.h>
#include <linux/types.h>

#define PORT_GUARD_LAYOUT 2

/* enum port_guard - as enum guard of model/guard.h, in the same order */
enum port_guard {
	PORT_GUARD_MAC,
	PORT_GUARD_IP,
	PORT_GUARD_ARP,
	PORT_GUARD_ND,
	PORT_GUARD_DHCP,
	PORT_GUARD_RA,
	PORT_GUARD_ETHERTYPE,
	PORT_GUARD_BPDU,
	PORT_GUARD_BROADCAST,
	PORT_GUARD_MULTICAST,
	PORT_GUARD_MACS,
	PORT_GUARD_COUNT,
	PORT_GUARD_PASS = 255, /* no guard drops it */
};

#define PORT_MACS_MAX 33
#define PORT_PAIRS_MAX (2 * PORT_MACS_MAX)
#define PORT_PREFIXES_MAX 65
#define PORT_ROUTERS6_MAX 2

/*
 * struct port_prefix - @addr in the bits of @mask, a prefix' halves as numbers of the host's byte order; of
 * IPv4 (@family 4, else 6) its first 4 bytes
 */
struct port_prefix {
	__u8 addr[16];
	__u64 mask[2];
	__u32 family;
	__u32 pad;
};

/**
 * struct port_facts - all that is known of a port
 * @guards:	1 << enum port_guard of those that are on
 * @known4:	its IPv4 addresses are known, else none is checked; @known6 likewise
 * @gateway:	an IPv4 address that is the router's, whatever @prefixes say; 0: none
 * @has_net6:	its IPv6 addresses may be in @net6, the first half of a prefix, besides fe80::/64
 * @routers6:	IPv6 addresses that are the router's
 * @macs:	its MACs; the first is the guest's own
 * @pair_mac:	index in @macs of who has the IPv4 address @pair_addr
 * @group_rate:	broadcasts, and other multicast frames, a second; 0 where that guard is off
 * @macs_max:	so many MACs besides @macs may be behind it; 0: not counted
 * @mac_age_s:	those that have been silent for twice as long are not there any more; not 0 with @macs_max
 * @prefixes:	addresses that any of its MACs may have
 *
 * What is not used is 0, so that equal facts are equal bytes.
 */
struct port_facts {
	__u16 guards;
	__u8 known4;
	__u8 known6;
	__u8 n_macs;
	__u8 n_pairs;
	__u8 n_prefixes;
	__u8 n_routers6;
	__u32 gateway;
	__u8 has_net6;
	__u8 pad[3];
	__u8 net6[8];
	__u8 routers6[PORT_ROUTERS6_MAX][16];
	__u8 macs[PORT_MACS_MAX][6];
	__u8 pair_mac[PORT_PAIRS_MAX];
	__u32 pair_addr[PORT_PAIRS_MAX];
	__u32 group_rate[2];
	__u32 macs_max;
	__u32 mac_age_s;
	struct port_prefix prefixes[PORT_PREFIXES_MAX];
};

_Static_assert(sizeof(struct port_facts) ==
			       __builtin_offsetof(struct port_facts, prefixes) +
				       PORT_PREFIXES_MAX * sizeof(struct port_prefix) &&
		       __builtin_offsetof(struct port_facts, prefixes) % 8 == 0,
	       "facts have no holes");

/* enum port_fast_flag - bits of port_fast.flags */
enum port_fast_flag {
	PORT_FAST_IP4 = 1,     /* IPv4 from @mac and one of @addr4 passes */
	PORT_FAST_IP4_ANY = 2, /* IPv4 from @mac passes */
	PORT_FAST_IP6 = 4,     /* IPv6 from @mac passes, by the rules of judge_fast6() */
	PORT_FAST_IP6_ANY = 8,
};

#define PORT_FAST_ADDRS 4
#define PORT_FAST_SLOTS 16384 /* a power of two; an ifindex has slot ifindex % PORT_FAST_SLOTS */

/**
 * struct port_fast - what nearly all frames of a port are known to be good by, in one cache line; it
 * is asked before the facts, and never says no
 * @ifindex:	whose it is; 0: nobody's. Of two ports with the same slot the second has none.
 * @addr4:	filled up with the first of them
 * @net6:	as port_facts.net6, or fe80::/64 where there is none
 * @own6:	the last half of IPv6 addresses that are made of @mac
 * @router6:	the last half of the router's IPv6 address, or of fe80::
 */
struct port_fast {
	__u32 ifindex;
	__u8 flags;
	__u8 pad;
	__u16 mac[3];
	__u32 addr4[PORT_FAST_ADDRS];
	__u32 pad2;
	__u64 net6;
	__u64 own6;
	__u64 router6;
	__u64 pad3;
};

/**
 * struct port_last - the last frame that a guard has dropped; of two that are dropped at the same moment
 * by two processors it may have something of each
 * @time_ns:	CLOCK_BOOTTIME; 0: none yet
 * @ethertype:	host byte order, within a VLAN tag
 * @src:	the IP source or ARP's sender, IPv4 in the first four bytes; 0 of other frames
 */
struct port_last {
	__u64 time_ns;
	__u16 ethertype;
	__u8 smac[6];
	__u8 src[16];
};

/**
 * struct port_drops - what is counted at a port
 * @lock:	for @due_ns
 * @due_ns:	of broadcasts, and of other multicast frames: guard_count.h; CLOCK_BOOTTIME
 * @dropped:	by each guard, in frames
 */
struct port_drops {
	struct bpf_spin_lock lock;
	__u32 pad;
	__u64 due_ns[2];
	__u64 dropped[PORT_GUARD_COUNT];
	struct port_last last[PORT_GUARD_COUNT];
};

#define PORT_SEEN_SETS 256 /* powers of two; a MAC has two sets */
#define PORT_SEEN_WAYS 8
#define PORT_SEEN_PLACES (PORT_SEEN_SETS * PORT_SEEN_WAYS)
#define PORT_SEEN_MAX (PORT_SEEN_PLACES / 2) /* so that there is a place for each */

/**
 * struct port_seen - the MACs behind a port that are not the guest's (guard_count.h), where they are counted
 * @lock:	for all of it
 * @period:	the one that it is now, of port_facts.mac_age_s each; 0: before the first
 * @now:	so many were seen in it; @before: in the one before, and not since
 * @place:	MAC << 16 | the low bits of the period when it was last seen; 0: nobody yet
 */
struct port_seen {
	struct bpf_spin_lock lock;
	__u32 period;
	__u32 now;
	__u32 before;
	__u64 place[PORT_SEEN_PLACES];
};

/* A dropped frame's fwmark is this and the guard that did it, by which a trace knows it. */
#define PORT_GUARD_MARK 0x766c6700u

#define PORT_WINDOW 1024      /* bytes of a frame that are looked at; a power of two */
#define PORT_WINDOW_EXTRA 128 /* so that what begins in the window may be read */

/**
 * struct port_window - the beginning of a frame
 * @len:	so many bytes of it are in @b, the rest is 0; at most PORT_WINDOW
 * @cut:	the frame is longer
 * @tag:	EtherType of a VLAN tag that is not in @b any more, host byte order, or 0; @tci: its value
 */
struct port_window {
	__u8 b[PORT_WINDOW + PORT_WINDOW_EXTRA];
	__u32 len;
	__u16 tag;
	__u16 tci;
	__u8 cut;
};

#endif
