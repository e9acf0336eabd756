/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_internal.h - a packet under way through the model, and the steps that the parts of the model
 * have in common. Functions that return bool: true, it goes on from there; false, its way has ended,
 * or cannot be said (and that has been told).
 */
#ifndef VMLANE_PATH_EXPLAIN_INTERNAL_H
#define VMLANE_PATH_EXPLAIN_INTERNAL_H

#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "path/explain.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IP6 0x86dd
#define ETH_HEADER 14
#define EXPLAIN_STEP_NS 1000

/**
 * struct walk - a packet (or a copy of it) under way
 * @devs:	of all links, in their order
 * @bytes:	owned by whoever made the walk
 * @vid:	in the bridge: its VLAN there, 0 without filtering
 * @shown_ip:	br_netfilter has shown it to the rules of ip (or ip6) already
 * @from_isolated: it came by an isolated port
 * @port:	the bridge's port it came by, or 0
 * @clone:	it is a copy, and the original goes on elsewhere
 * @snat, @dnat: what rules asked for at the hook where it is
 * @error:	-ENOMEM and such, of anything on the way
 */
struct walk {
	const struct explain_host *h;
	struct explanation *x;
	struct journeys *j;
	const struct nfteval_dev *devs;
	struct nfteval_packet pkt;
	uint32_t number;
	int family;
	uint16_t vid;
	bool shown_ip;
	bool from_isolated;
	int port;
	bool clone;
	bool reply;
	struct nfteval_nat snat, dnat;
	int *error;
};

/* ---- explain.c: what is told ---- */

/* walk_tell() - event @type (enum path_event_type) at @ifindex. */
void walk_tell(struct walk *w, uint16_t type, int ifindex);
void walk_tell_icmp(struct walk *w, int ifindex, uint8_t type, uint8_t code);
/* walk_tell_route() - @a is the answer to @q; @reverse: to where its sender is. */
void walk_tell_route(struct walk *w, const struct route_question *q, const struct route_answer *a,
		     bool reverse);
/* walk_note() - the hop of @kind that the last event makes was concluded from this. */
void walk_note(struct walk *w, enum hop_kind kind, const char *fmt, ...) __printf(3, 4);
/* walk_drop() - at @ifindex, with the reason and function that the kernel would give; false. */
bool walk_drop(struct walk *w, int ifindex, const char *reason, const char *function);
/* walk_unknown() - what is next cannot be said; nor whether a rule would drop the packet. False. */
bool walk_unknown(struct walk *w, const char *fmt, ...) __printf(2, 3);
/* walk_unknown_behind() - as walk_unknown(), where all rules that could drop the packet have had their say. */
bool walk_unknown_behind(struct walk *w, const char *fmt, ...) __printf(2, 3);
/* walk_copy() - a copy that goes its own way; walk_copy_end() frees it. false: out of memory. */
bool walk_copy(const struct walk *w, struct walk *ret);
void walk_copy_end(struct walk *w);

const struct link_detail *walk_link(const struct walk *w, int ifindex);
const struct nfteval_dev *walk_dev(const struct walk *w, int ifindex);
/* walk_sysctl() - as a number; @missing where there is none. */
long walk_sysctl(const struct walk *w, long missing, const char *fmt, ...) __printf(3, 4);

/* ---- explain.c: the packet's headers ---- */

size_t walk_addr_len(const struct walk *w);
uint8_t *walk_src(const struct walk *w);
uint8_t *walk_dst(const struct walk *w);
uint8_t walk_l4(const struct walk *w);
/* walk_l4_header() - NULL when it is cut off. */
uint8_t *walk_l4_header(const struct walk *w, size_t need);
bool walk_is_icmp(const struct walk *w);
uint16_t walk_sport(const struct walk *w); /* host byte order; ICMP: the echo's id */
uint16_t walk_dport(const struct walk *w); /* ICMP: 0 */
uint8_t *walk_ttl(const struct walk *w);
/* walk_size() - of the IP packet. */
uint32_t walk_size(const struct walk *w);
bool walk_must_not_fragment(const struct walk *w);
uint16_t get16(const uint8_t *p);
void put16(uint8_t *p, uint16_t v);

/* ---- explain_hook.c ---- */

/**
 * struct hook_at - a hook, and what rules see there
 * @pf:		NFPROTO_*; @hook: NF_INET_* etc.
 * @device:	of NFPROTO_NETDEV
 * @in, @out:	ifindexes, 0 for none; @phys_in, @phys_out: what br_netfilter adds
 */
struct hook_at {
	uint8_t pf;
	unsigned int hook;
	const char *device;
	int in, out;
	int phys_in, phys_out;
};

/* walk_hook() - chains of priorities @from <= p < @to; a drop is at the device @where. */
bool walk_hook(struct walk *w, const struct hook_at *at, int64_t from, int64_t to, int where);
/* walk_others() - who decides there besides rules; true: nobody. @pf: NFPROTO_*, @hook: NF_INET_* */
bool walk_others(struct walk *w, uint8_t pf, unsigned int hook);
/* walk_hook_all() - all of them. */
bool walk_hook_all(struct walk *w, const struct hook_at *at, int where);

/* ---- explain_nat.c ---- */

/* walk_prerouting() - all of a hook before routing (also the host's own OUTPUT). */
bool walk_prerouting(struct walk *w, const struct hook_at *at, int where);
/* walk_postrouting() - @gateway: the next hop's address, NULL: the destination itself. */
bool walk_postrouting(struct walk *w, const struct hook_at *at, int where, const uint8_t *gateway);
/* walk_track() - conntrack looks at it. */
bool walk_track(struct walk *w, int where);

/* ---- explain_bridge.c ---- */

/* bridge_receive() - it came in by @port of a bridge. */
void bridge_receive(struct walk *w, const struct link_detail *port);
/* bridge_transmit() - the host sends it by the bridge @br. */
void bridge_transmit(struct walk *w, const struct link_detail *br);

/* ---- explain_ip.c ---- */

/* device_receive() - it comes in by @link. */
void device_receive(struct walk *w, const struct link_detail *link);
/* device_transmit() - it goes out by @link, and for what it is. */
void device_transmit(struct walk *w, const struct link_detail *link);
/* ip_send() - the host itself sends it. */
void ip_send(struct walk *w);
/* ip_question() - where does it go? */
struct route_question ip_question(const struct walk *w, int iif);
/* ip_is_local() - an address of the host's; its interface, or 0. */
int ip_is_local(const struct walk *w, const uint8_t *addr);

#endif
