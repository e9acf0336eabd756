/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * detail.h - what of the kernel's interfaces, addresses, MAC tables, neighbours and routes decides over
 * the way of a single packet. More than a plan needs (plan.h), which compares thousands of them.
 *
 * Read by kernel/rtnl_detail.c and kernel/rtnl_lookup.c, used by path/explain.h.
 */
#ifndef VMLANE_MODEL_DETAIL_H
#define VMLANE_MODEL_DETAIL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/plan.h"

/**
 * struct port_detail - a bridge's port (linux/if_link.h, IFLA_BRPORT_*)
 * @state:	of spanning tree
 * @locked:	only MACs that are in the table may send
 * @learning:	MACs are learned there
 * @flood, @mcast_flood, @bcast_flood: frames to unknown MACs, to groups, to all go there
 * @proxyarp:	the bridge itself answers ARP there; @suppress: and keeps it from going out
 * @backup:	ifindex of the port that is used while this one has no carrier, or 0
 */
struct port_detail {
	enum port_state state;
	bool hairpin;
	bool isolated;
	bool locked;
	bool learning;
	bool flood, mcast_flood, bcast_flood;
	bool proxyarp, suppress;
	bool vlan_tunnel;
	int backup;
};

/**
 * struct bridge_detail - a bridge (IFLA_BR_*)
 * @call_ip, @call_ip6, @call_arp: its own nf_call_iptables and so on, beside the sysctls
 * @snooping:	of IGMP and MLD
 */
struct bridge_detail {
	bool vlan_filtering;
	uint16_t vlan_protocol;
	bool call_ip, call_ip6, call_arp;
	bool snooping;
};

/**
 * struct link_detail - an interface
 * @flags:	IFF_* of net/if.h
 * @type:	ARPHRD_*
 * @lower:	ifindex of what it stands on (a VLAN's NIC), 0 for none; of a veth: its other end
 * @xdp:	id of an XDP program there, 0 for none
 * @kind:	as in struct link_state; @slave_kind: what it is a part of: "bridge", "bond", ...
 * @port:	when @slave_kind is "bridge"; @bridge: when @kind is
 */
struct link_detail {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];
	char slave_kind[16];
	char alias[ALIAS_MAX];
	uint32_t flags;
	bool carrier;
	uint16_t type;
	uint32_t group;
	uint32_t mtu;
	struct mac mac;
	int master;
	int lower;
	uint32_t xdp;
	struct port_detail port;
	struct bridge_detail bridge;
};

/**
 * struct addr_detail - an address of the host's, in the order of the kernel's list
 * @family:	AF_INET (in the first four bytes) or AF_INET6
 * @scope:	RT_SCOPE_*; @flags: IFA_F_*
 */
struct addr_detail {
	uint8_t family;
	int ifindex;
	uint8_t addr[16];
	uint8_t len;
	uint8_t scope;
	uint32_t flags;
};

/**
 * struct fdb_detail - an entry of a bridge's MAC table
 * @vlan:	0 without VLAN filtering
 * @local:	the bridge keeps what is for it; @locked: nobody may send with it
 */
struct fdb_detail {
	int bridge;
	int port;
	struct mac mac;
	uint16_t vlan;
	bool local;
	bool is_static;
	bool sticky;
	bool locked;
};

/* struct neigh_detail - a neighbour; @state: NUD_* of linux/neighbour.h */
struct neigh_detail {
	uint8_t family;
	int ifindex;
	uint8_t addr[16];
	struct mac mac;
	uint16_t state;
};

/* struct vlan_detail - @port (or a bridge itself) is in VLAN @vid; @pvid: untagged frames are in it */
struct vlan_detail {
	int port;
	uint16_t vid;
	bool pvid;
	bool untagged;
};

/* struct host_detail - all of a network namespace; owned, sorted as the kernel tells it */
struct host_detail {
	struct link_detail *links;
	size_t n_links;
	struct addr_detail *addrs;
	size_t n_addrs;
	struct fdb_detail *fdb;
	size_t n_fdb;
	struct neigh_detail *neighs;
	size_t n_neighs;
	struct vlan_detail *vlans;
	size_t n_vlans;
	bool rules;  /* there are routing rules of somebody's, for IPv4 */
	bool rules6; /* and for IPv6 */
};

void host_detail_done(struct host_detail *d);

/**
 * struct route_question - where would it go?
 * @iif:	it came in by this interface; 0: the host itself sends it
 * @oif:	it has to leave by this one; 0: any
 * @has_src:	@src is its source
 * @l4:		IPPROTO_TCP, _UDP, _ICMP, _ICMPV6 or 0; ports in host byte order
 */
struct route_question {
	uint8_t family;
	uint8_t dst[16];
	bool has_src;
	uint8_t src[16];
	int iif;
	int oif;
	uint32_t mark;
	uint8_t l4;
	uint16_t sport, dport;
};

/**
 * struct route_answer - what the kernel says
 * @error:	0, or -errno: -ENETUNREACH none, -EINVAL blackhole or not valid, -EHOSTUNREACH, -EACCES
 * @type:	RTN_* of linux/rtnetlink.h; what follows is filled when @error is 0
 * @gw_family:	0: on link
 * @mtu:	the route's own, 0 for none
 * @source:	the host's own address to send from, when @has_source
 */
struct route_answer {
	int error;
	uint8_t type;
	int oif;
	uint32_t table;
	uint8_t gw_family;
	uint8_t gateway[16];
	uint32_t mtu;
	bool has_source;
	uint8_t source[16];
};

#endif
