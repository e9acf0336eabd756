/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forwards.h - port forwards in the table `inet vmlane`. For this folder, but for fw_forward_*().
 *
 *   prerouting, output  what is for an address of the host itself: `forward_at` (address . protocol .
 *             port) or `forward_any` (protocol . port) has the guest's address and port. Only the
 *             first packet of a connection comes here. A range is one element a port: a map with
 *             intervals can neither shift ports nor is it a hash.
 *   forward   `forwarded` has the guests' ends (address . protocol . port). A translated connection
 *             to one of them is let in from outside (to_guest), and from guests of other networks
 *             (visit), where these get out at all: `visitors`, as far as the policies let them. What somebody else's table
 *             translates to another port of a guest is refused as ever.
 *   postrouting  turn_LEN, by the guest's bridge: what comes from the guest's own subnet has to go
 *             back through the host, and what comes from 127.0.0.0/8 needs an address to go back
 *             to: both get the gateway's. All others are seen as who they are.
 *
 * The last needs route_localnet on the bridge. With it the kernel routes what guests send to
 * 127.0.0.0/8 to the host's own services (CVE-2020-8558): in the input hook only replies may have
 * such a destination.
 *
 * The kernel may show frames inside a bridge to these chains (br_netfilter); they have no input
 * interface in postrouting, so the source tells that it is the guest's own network.
 */
#ifndef VMLANE_FIREWALL_FORWARDS_H
#define VMLANE_FIREWALL_FORWARDS_H

#include "firewall/lines.h"
#include "firewall/ruleset.h"

/* ---- pieces of the skeleton ---- */

/* The target has to be one of ours, whoever translated. */
#define FORWARDS_TARGET "ip daddr . meta l4proto . th dport @forwarded"

/* Ahead of the chains that look into them. */
#define FORWARDS_SETS                                                                              \
	"	map forward_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . "              \
	"inet_service; }\n"                                                                        \
	"	map forward_any { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"        \
	"	set forwarded { type ipv4_addr . inet_proto . inet_service; }\n"                         \
	"	set forwarding { type ifname; }\n"                                                       \
	"	set visitors { type ifname; }\n"                                                         \
	"	chain visitor {\n"                                                                       \
	"		ct state new jump new_out\n"                                                            \
	"		accept\n"                                                                               \
	"	}\n"                                                                                     \
	"	chain visit {\n"                                                                         \
	"		iifname @forwarding ct direction reply accept\n"                                        \
	"		iifname @visitors " FORWARDS_TARGET " goto visitor\n"                      \
	"		counter name refused_out reject with icmpx admin-prohibited\n"                          \
	"	}\n"                                                                                     \
	"	chain loopback {\n"                                                                      \
	"		ct direction reply return\n"                                                            \
	"		counter name spoofed drop\n"                                                            \
	"	}\n"

/* In refuse_out: a guest of ours on its way to another network, or the answer. */
#define FORWARDS_VISIT "		ct status & dnat != 0 goto visit\n"
/* In to_guest. */
#define FORWARDS_IN "		ct status & dnat != 0 " FORWARDS_TARGET " accept\n"
/* In host_LEN. */
#define FORWARDS_LOOPBACK "		ip daddr 127.0.0.0/8 jump loopback\n"
/* In postrouting. */
#define FORWARDS_BACK "		ct status & dnat != 0 oifname vmap @turns\n"

/* Without a family of its own `dnat ip` would look at IPv6 packets' ports too. */
#define FORWARDS_HOOKS                                                                             \
	"	map turns { type ifname : verdict; }\n"                                                  \
	"	chain forwards {\n"                                                                      \
	"		dnat ip to ip daddr . meta l4proto . th dport map @forward_at\n"                        \
	"		dnat ip to meta l4proto . th dport map @forward_any\n"                                  \
	"	}\n"                                                                                     \
	"	chain prerouting {\n"                                                                    \
	"		type nat hook prerouting priority dstnat; policy accept;\n"                             \
	"		ip daddr != 127.0.0.0/8 fib daddr type local goto forwards\n"                           \
	"	}\n"                                                                                     \
	"	chain output {\n"                                                                        \
	"		type nat hook output priority -100; policy accept;\n"                                   \
	"		meta nfproto ipv4 fib daddr type local goto forwards\n"                                 \
	"	}\n"

/* fw_forwards_chain() - turn_LEN for prefix length @len. */
void fw_forwards_chain(unsigned int len, struct buf *out);

/* ---- elements ---- */

/* fw_forwards_possible() - its guests' forwards can be; @shut: nothing gets into the network. */
bool fw_forwards_possible(const struct fw_network *n, bool shut);
/* fw_forwards_exist() - some network has some. */
bool fw_forwards_exist(const struct fw_desired *d);
void fw_forwards_elements(const struct fw_network *n, struct lines *out);

/* ---- for those who carry a ruleset out ---- */

/**
 * struct fw_forward - one port of the host and where it leads
 * @addr:	INADDR_ANY: all of the host's
 * @proto:	as in the IPv4 header
 * @port, @to_port: host byte order
 */
struct fw_forward {
	struct in_addr addr;
	uint8_t proto;
	uint16_t port;
	struct in_addr to;
	uint16_t to_port;
};

/*
 * fw_forwards_changed() - call @fn with each port's forward that @a has and @b has not (or leads
 * elsewhere), in the order of the elements' text.
 */
void fw_forwards_changed(const struct fw_ruleset *a, const struct fw_ruleset *b,
			 void (*fn)(const struct fw_forward *f, void *ctx), void *ctx);

#endif
