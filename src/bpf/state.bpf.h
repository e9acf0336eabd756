/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.bpf.h - what the programs remember: the configuration, the Bloom filters, the maps.
 */
#ifndef VMLANE_BPF_STATE_H
#define VMLANE_BPF_STATE_H

#include "bpf/core.h"

#include <asm/ptrace.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/path_event.h"

#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_HLEN 14
#define NO_HEADER 0xffff
#define CT_POINTER (~7ul)

const volatile struct path_config config = {};
struct path_guest guest;

/* One bit a device: frames that come in there are looked at; frames that go out there are. */
__u64 watch_in[PATH_IFINDEX_MAX / 64];
__u64 watch_out[PATH_IFINDEX_MAX / 64];
__u64 guest_ports[PATH_IFINDEX_MAX / 64];
/* What each device is to the packets that pass it: enum path_device_kind, or-ed. */
__u8 device_kinds[PATH_IFINDEX_MAX];

/*
 * Bloom filters in front of the maps, so that what is not followed costs no look-up: bits that are
 * set are "maybe". Two generations of each, both of which count: user space empties the older one
 * from time to time (for flows it puts in again what the map has) and makes it the current one.
 */
#define BLOOM_BITS 65536
__u64 skb_bloom[2][BLOOM_BITS / 64];
__u64 flow_bloom[2][BLOOM_BITS / 64];
__u32 skb_generation;
__u32 flow_generation;

/* The skb that each CPU is at, 0 for one that is not followed. */
#define CPUS_MAX 1024
__u64 current_skb[CPUS_MAX];
/* Where number_of() makes numbers of pointers. */
volatile __u64 numbers[CPUS_MAX];

/*
 * Set by the first packet that is followed, emptied by user space when there was none for long: as long
 * as it is 0 only what comes in at a watched device needs a look.
 */
__u32 following;

/* rest.bpf.c has told that there is a packet to follow; user space clears it before a rest. */
__u32 woken;

__u64 counters[PATH_COUNTERS];
__u32 last_packet;
__u32 last_trace;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} frames SEC(".maps");

/* struct packet - an skb as argument, with its and its data's addresses as numbers. */
struct packet {
	struct sk_buff *skb;
	__u64 key;
	__u64 head;
};

/**
 * struct finger - what stays the same of a packet, whatever is translated or counted down
 * @seq:	TCP's and echo's; of UDP the length; of ARP whom it asks for
 * @payload:	4 bytes from where NAT leaves all alone; of TCP the acknowledged number, of ARP the sender
 * @more:	a hash of the 12 bytes after these, not of TCP and ICMP's errors
 * @kind:	ICMP's type << 8 | code, ARP's operation
 * @len:	bytes by the IP header, where no helper of conntrack changes them: not of TCP and UDP
 * @has:	FINGER_PAYLOAD, FINGER_MORE: as much as was in the skb's head, which may grow
 * @fragment:	it was one
 */
struct finger {
	__u32 seq;
	__u32 payload;
	__u32 more;
	__u16 ip_id;
	__u16 ethertype;
	__u16 frag_offset;
	__u16 kind;
	__u16 len;
	__u8 l4;
	__u8 has;
	__u8 fragment;
	__u8 pad[3];
};

#define FINGER_PAYLOAD 1
#define FINGER_MORE 2

/*
 * struct track - an skb that is followed, since @time_ns, with its data at @head then. @seen_ns: last
 * seen. @ct and @ct_status: as last told. @clone: it is another than the packet's first. @came_in: by a
 * device; else it is the host's own. @last, @last_ifindex: the event that was last told of it at a
 * device, enum path_event_type.
 */
struct track {
	struct finger finger;
	__u32 packet;
	__u64 ct;
	__u64 ct_status;
	__u64 time_ns;
	__u64 seen_ns;
	__u64 head;
	__u16 clone;
	__u16 came_in;
	__u16 last;
	__u16 pad;
	__u32 last_ifindex;
	__u32 pad2;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct track);
} skbs SEC(".maps");

/* The packet that an skb's data belong to: copies share them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct track);
} heads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct path_tuple);
	__type(value, __u64);
} flows SEC(".maps");

/**
 * struct frame - a frame as read from an skb
 * @skb:	whose it is, and @head its data's; @time_ns, @ifindex: when and where it was read, of those that came in
 * @bytes:	from the Ethernet header on; @len of them
 * @l3:		offset of the network header in @bytes, which the kernel has at address @l3_at; what the
 *		skb's own memory has of it ends at @end
 * @tags:	bytes of VLAN tags before @l3
 * @link:	bytes from skb->data to the network header, as the stack has it: before @tags
 *
 * AT_MAX more bytes make each access that begins inside a proper one for the verifier.
 */
#define AT_MAX 64
struct frame {
	__u64 skb;
	__u64 head;
	__u64 time_ns;
	__u64 l3_at;
	__u64 end;
	__u32 len;
	__u32 l3;
	__u32 ifindex;
	__u32 link;
	__u32 tags;
	__u32 pad;
	__u8 bytes[PATH_FRAME_MAX + AT_MAX];
};

/**
 * struct cpu - what this CPU is at; too large for the stack
 * @packet:	the number of the packet that is being followed right now (current_skb), which was
 *		last seen as @current
 * @came_in:	it came in by a device; else it is the host's own
 * @answered:	the kernel looks for the way of an ICMP error about it
 * @seen:	the event under construction
 * @in:		the last frame that came in and was looked at, followed or not
 * @out:	the last one that was looked at elsewhere
 */
struct cpu {
	__u32 packet;
	__u16 came_in;
	__u16 answered;
	struct path_seen seen;
	struct path_seen current;
	struct frame in;
	struct frame out;
	struct path_frame shot;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

static __always_inline struct cpu *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void count(enum path_counter c)
{
	__sync_fetch_and_add(&counters[c], 1);
}

/*
 * What is known to be below @max, a power of two, is made so once more: verifiers up to Linux 6.1 lose
 * the comparison when the compiler goes on with a copy, and compilers leave out what changes nothing.
 */
#define index_bound(i, max)                                                                        \
	do {                                                                                       \
		asm volatile("" : "+r"(i));                                                        \
		(i) &= (max)-1;                                                                    \
	} while (0)

static __always_inline bool bit_get(const __u64 *bits, __u32 i)
{
	if (i >= PATH_IFINDEX_MAX)
		return false;
	index_bound(i, PATH_IFINDEX_MAX);
	return bits[i / 64] >> (i % 64) & 1;
}

static __always_inline bool device_is(__u32 ifindex, enum path_device_kind kind)
{
	if (ifindex >= PATH_IFINDEX_MAX)
		return false;
	index_bound(ifindex, PATH_IFINDEX_MAX);
	return device_kinds[ifindex] & kind;
}

static __always_inline __u64 *current_of_cpu(void)
{
	return &current_skb[bpf_get_smp_processor_id() & (CPUS_MAX - 1)];
}

/* The address as a number: with pointers of the kernel the verifier allows no arithmetic. */
static __always_inline __u64 number_of(const void *pointer)
{
	__u32 cpu = bpf_get_smp_processor_id() & (CPUS_MAX - 1);

	numbers[cpu] = (__u64)pointer;
	return numbers[cpu];
}

static __always_inline __u32 bloom_bit(__u64 key)
{
	return (key * 0x9e3779b97f4a7c15ull) >> 48; /* 16 bits: BLOOM_BITS */
}

static __always_inline void bloom_add(__u64 bloom[2][BLOOM_BITS / 64], __u32 generation, __u64 key)
{
	__u32 bit = bloom_bit(key);

	__sync_fetch_and_or(&bloom[generation & 1][bit / 64 & (BLOOM_BITS / 64 - 1)],
			    1ull << (bit % 64));
}

static __always_inline bool bloom_has(const __u64 bloom[2][BLOOM_BITS / 64], __u64 key)
{
	__u32 bit = bloom_bit(key);
	__u32 word = bit / 64 & (BLOOM_BITS / 64 - 1);

	return (bloom[0][word] | bloom[1][word]) >> (bit % 64) & 1;
}

static __always_inline __u64 tuple_hash(const struct path_tuple *t)
{
	const __u64 *w = (const __u64 *)t;
	__u64 h = 0;

	for (int i = 0; i < 5; i++)
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ull;
	return h;
}

#endif
