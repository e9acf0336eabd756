/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core.h - the few fields of kernel structures that the programs in this folder read.
 *
 * CO-RE: each access is relocated when the program is loaded, against the BTF of the kernel that
 * runs; the order, the offsets and what is left out here do not matter. Bit fields are read with
 * BPF_CORE_READ_BITFIELD_PROBED only.
 */
#ifndef VMLANE_BPF_CORE_H
#define VMLANE_BPF_CORE_H

#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

/* include/net/netfilter/nf_conntrack_tuple.h; of the unions only what is used */
union nf_inet_addr {
	__u32 all[4];
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union {
		__be16 all;
	} u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
			struct {
				__u8 type;
				__u8 code;
			} icmp;
		} u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
};

struct sk_buff {
	struct net_device *dev;
	unsigned long _nfct;
	unsigned int len;
	unsigned int data_len;
	__u8 cloned : 1;
	__u8 vlan_present : 1; /* up to Linux 6.1; later kernels empty vlan_proto instead */
	__u32 mark;
	int skb_iif;
	unsigned long _skb_refdst;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__be16 protocol;
	__u16 network_header;
	__u16 mac_header;
	unsigned int tail;
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
};

struct skb_shared_info {
	unsigned short gso_size;
	unsigned short gso_segs;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct socket {
	struct file *file;
};

struct sk_buff_head {
	struct sk_buff *prev;
};

struct sock {
	struct socket *sk_socket;
	struct sk_buff_head sk_receive_queue;
};

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct flowi_common {
	int flowic_oif;
	int flowic_iif;
	__u32 flowic_mark;
	__u8 flowic_proto;
};

union flowi_uli {
	struct {
		__u8 type;
		__u8 code;
	} icmpt;
};

struct flowi4 {
	struct flowi_common __fl_common;
	__be32 saddr;
	__be32 daddr;
	union flowi_uli uli;
};

struct flowi6 {
	struct flowi_common __fl_common;
	struct in6_addr daddr;
	struct in6_addr saddr;
	union flowi_uli uli;
};

struct fib_nh_common {
	struct net_device *nhc_dev;
	__u8 nhc_gw_family;
	union {
		__be32 ipv4;
		struct in6_addr ipv6;
	} nhc_gw;
};

struct fib6_nh {
	struct fib_nh_common nh_common;
};

struct fib6_result {
	struct fib6_nh *nh;
	__u32 fib6_flags;
	__u8 fib6_type;
};

struct fib6_table {
	__u32 tb6_id;
};

struct dst_entry {
	struct net_device *dev;
	unsigned short flags;
};

struct rtable {
	__u8 rt_gw_family;
	__be32 rt_gw4;
	struct in6_addr rt_gw6;
};

struct rt6_info {
	struct in6_addr rt6i_gateway;
	__u32 rt6i_flags;
};

struct neigh_table {
	int family;
};

struct neighbour {
	struct neigh_table *tbl;
	struct sk_buff_head arp_queue;
	struct net_device *dev;
	__u8 primary_key[0];
};

#pragma clang attribute pop

#endif
