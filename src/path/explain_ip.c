/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_ip.c - a packet in the host's own stack: devices (net/core/dev.c), ARP (net/ipv4/arp.c), the
 * way in and through (net/ipv4/ip_input.c, route.c, ip_forward.c, ip_output.c; net/ipv6 likewise).
 * Next on the walk: explain_route.c.
 */
#include "path/explain_route.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "bpf/port_facts.h"

#define ARP_REQUEST 1
#define ICMP_ECHO_REQUEST 8
#define ICMP6_ECHO_REQUEST 128
#define NEIGH_KNOWN (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

static struct hook_at hook_of(const struct walk *w, unsigned int hook, int in, int out)
{
	return (struct hook_at){.pf = w->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6,
				.hook = hook,
				.in = in,
				.out = out};
}

/* ---- devices ---- */

static bool programs(struct walk *w, const struct link_detail *l, bool egress)
{
	char name[64];

	if (!w->h->program(l->ifindex, egress, name, sizeof(name), w->h->ctx))
		return true;
	return walk_unknown(w, "tc program %s at %s %s", name, l->name,
			    egress ? "egress" : "ingress");
}

static bool guarded(struct walk *w, const struct link_detail *l)
{
	int tci = w->pkt.has_vlan ? w->pkt.vlan_tci : -1;
	enum guard g = w->h->guard(l->ifindex, w->pkt.bytes, w->pkt.len, tci, w->h->ctx);

	if (g == GUARD_COUNT)
		return true;
	w->pkt.mark = PORT_GUARD_MARK | g;
	return walk_drop(w, l->ifindex, "TC_INGRESS", "__netif_receive_skb_core");
}

/* A macvlan's parent gives away frames for it; other kinds take all. */
static bool given_away(struct walk *w, const struct link_detail *l)
{
	for (size_t i = 0; i < w->h->detail->n_links; i++) {
		const struct link_detail *up = &w->h->detail->links[i];

		if (up->lower != l->ifindex)
			continue;
		if (strncmp(up->kind, "ipvl", 4) == 0 || strcmp(up->kind, "ipvtap") == 0 ||
		    (strncmp(up->kind, "macv", 4) == 0 &&
		     memcmp(up->mac.b, w->pkt.bytes, 6) == 0)) {
			walk_unknown(w, "%s (%s) takes frames from %s", up->name, up->kind,
				     l->name);
			return true;
		}
	}
	return false;
}

static void take_type(struct walk *w, const struct link_detail *l)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};

	if (memcmp(w->pkt.bytes, all, 6) == 0)
		w->pkt.pkttype = PACKET_BROADCAST;
	else if (w->pkt.bytes[0] & 1)
		w->pkt.pkttype = PACKET_MULTICAST;
	else if (memcmp(w->pkt.bytes, l->mac.b, 6) == 0)
		w->pkt.pkttype = PACKET_HOST;
	else
		w->pkt.pkttype = PACKET_OTHERHOST;
}

static void arp_receive(struct walk *w, const struct link_detail *l);
static void ip_receive(struct walk *w, const struct link_detail *l);

void device_receive(struct walk *w, const struct link_detail *l)
{
	const struct hook_at ingress = {
		.pf = NFPROTO_NETDEV, .hook = 0, .device = l->name, .in = l->ifindex};
	bool first = !w->port && strcmp(l->kind, "bridge") != 0;

	walk_tell(w, PATH_RX, l->ifindex);
	if (first)
		take_type(w, l);
	if (l->xdp) {
		walk_unknown(w, "XDP program %u at %s", l->xdp, l->name);
		return;
	}
	if (!guarded(w, l) || !programs(w, l, false) || !walk_hook_all(w, &ingress, l->ifindex))
		return;
	if (strcmp(l->slave_kind, "bridge") == 0 && first) {
		bridge_receive(w, l);
	} else if (l->slave_kind[0] && strcmp(l->slave_kind, "vrf") != 0 && first) {
		walk_unknown(w, "%s is a part of another interface (%s)", l->name, l->slave_kind);
	} else if (l->slave_kind[0]) {
		walk_unknown(w, "%s belongs to a %s", l->name, l->slave_kind);
	} else if (!given_away(w, l)) {
		if (w->pkt.protocol == ETHERTYPE_ARP)
			arp_receive(w, l);
		else
			ip_receive(w, l);
	}
}

void device_transmit(struct walk *w, const struct link_detail *l)
{
	const struct hook_at egress = {
		.pf = NFPROTO_NETDEV, .hook = 1, .device = l->name, .out = l->ifindex};

	if (!walk_hook_all(w, &egress, l->ifindex) || !programs(w, l, true))
		return;
	walk_tell(w, PATH_TX, l->ifindex);
	if (strcmp(l->kind, "bridge") == 0)
		bridge_transmit(w, l);
}

/* ---- ARP ---- */

static long arp_setting(const struct walk *w, const struct link_detail *l, const char *name)
{
	long all = walk_sysctl(w, 0, "net/ipv4/conf/all/%s", name);
	long own = walk_sysctl(w, 0, "net/ipv4/conf/%s/%s", l->name, name);

	return all > own ? all : own;
}

/* Whether the host says "that is me"; its words for why. */
static void arp_answer(struct walk *w, const struct link_detail *l)
{
	const uint8_t *target = w->pkt.bytes + ETH_HEADER + 24;
	long ignore = arp_setting(w, l, "arp_ignore");
	char text[INET_ADDRSTRLEN];
	int owner;

	w->family = AF_INET;
	owner = ip_is_local(w, target);
	w->family = 0;
	inet_ntop(AF_INET, target, text, sizeof(text));
	if (owner && (ignore == 0 || (ignore <= 2 && owner == l->ifindex)))
		walk_note(w, HOP_BRIDGE_IN, "%s is the host's own: it answers", text);
	else if (owner)
		walk_note(w, HOP_BRIDGE_IN,
			  "%s is the host's own, but arp_ignore is %ld: it does not answer", text,
			  ignore);
	else if (arp_setting(w, l, "proxy_arp"))
		walk_note(w, HOP_BRIDGE_IN,
			  "proxy_arp: the host answers if its route to %s leads elsewhere", text);
	else
		walk_note(w, HOP_BRIDGE_IN, "%s is not the host's: it does not answer", text);
}

static void arp_receive(struct walk *w, const struct link_detail *l)
{
	const struct hook_at in = {.pf = NFPROTO_ARP, .hook = NF_ARP_IN, .in = l->ifindex};

	if (get16(w->pkt.bytes + ETH_HEADER + 6) == ARP_REQUEST)
		arp_answer(w, l);
	if (l->flags & IFF_NOARP || w->pkt.pkttype == PACKET_OTHERHOST ||
	    !walk_hook_all(w, &in, l->ifindex))
		return;
	walk_tell(w, PATH_FREE, l->ifindex);
}

/* ---- in, and to the host itself ---- */

static void deliver_echo(struct walk *w, const struct link_detail *l)
{
	bool six = w->family == AF_INET6;
	const uint8_t *p = walk_l4_header(w, 8);
	bool silent = walk_sysctl(
		w, 0, six ? "net/ipv6/icmp/echo_ignore_all" : "net/ipv4/icmp_echo_ignore_all");

	w->x->local = true;
	w->x->answers = EXPLAIN_NO;
	if (!p || p[0] != (six ? ICMP6_ECHO_REQUEST : ICMP_ECHO_REQUEST))
		return;
	w->x->answers = silent ? EXPLAIN_NO : EXPLAIN_YES;
	if (silent)
		walk_note(w, HOP_HOST_IN, "echo_ignore_all = 1: the host does not answer pings");
}

static bool is_group(const struct walk *w, const uint8_t *addr)
{
	static const uint8_t all[4] = {255, 255, 255, 255};

	if (w->family == AF_INET6)
		return addr[0] == 0xff;
	return (addr[0] & 0xf0) == 0xe0 || memcmp(addr, all, 4) == 0;
}

static void deliver_port(struct walk *w, const struct link_detail *l)
{
	uint8_t l4 = walk_l4(w);
	enum explain_answer listens =
		w->h->listener(w->family, l4, walk_dst(w), walk_dport(w), w->h->ctx);
	const char *tcp = w->family == AF_INET ? "tcp_v4_rcv" : "tcp_v6_rcv";
	const char *udp = w->family == AF_INET ? "__udp4_lib_rcv" : "udpv6_rcv";

	switch (listens) {
	case EXPLAIN_NO:
		if (l4 == IPPROTO_UDP && w->family == AF_INET && !is_group(w, walk_dst(w)))
			walk_tell_icmp(w, l->ifindex, 3, 3);
		walk_drop(w, l->ifindex, "NO_SOCKET", l4 == IPPROTO_TCP ? tcp : udp);
		walk_note(w, HOP_DROP, "no socket listens on port %u", walk_dport(w));
		break;
	case EXPLAIN_YES:
		w->x->local = true;
		/* What a program behind a UDP socket does is its own business. */
		w->x->answers = l4 == IPPROTO_TCP ? EXPLAIN_YES : EXPLAIN_NOBODY_KNOWS;
		break;
	default:
		walk_unknown_behind(w, "whether a socket takes port %u cannot be known",
				    walk_dport(w));
	}
}

static void ip_deliver(struct walk *w, const struct link_detail *l)
{
	const struct hook_at in = hook_of(w, NF_INET_LOCAL_IN, l->ifindex, 0);

	w->snat = (struct nfteval_nat){0};
	if (!walk_hook_all(w, &in, l->ifindex))
		return;
	if (w->snat.set) {
		walk_unknown_behind(w,
				    "source translation of what is for the host is not modelled");
		return;
	}
	if (w->reply) {
		w->x->local = true;
		return;
	}
	if (walk_is_icmp(w))
		deliver_echo(w, l);
	else if (walk_l4(w) == IPPROTO_TCP || walk_l4(w) == IPPROTO_UDP)
		deliver_port(w, l);
	else
		walk_unknown_behind(w, "protocol %u to the host is not modelled", walk_l4(w));
}

/* ---- out ---- */

static const struct neigh_detail *neighbour(const struct walk *w, int ifindex, uint8_t family,
					    const uint8_t *addr)
{
	for (size_t i = 0; i < w->h->detail->n_neighs; i++) {
		const struct neigh_detail *n = &w->h->detail->neighs[i];

		if (n->family == family && n->ifindex == ifindex &&
		    memcmp(n->addr, addr, family == AF_INET ? 4 : 16) == 0)
			return n;
	}
	return NULL;
}

/* The Ethernet header it leaves with. */
static bool resolve(struct walk *w, const struct link_detail *out, const struct route_answer *a)
{
	uint8_t family = a->gw_family ? a->gw_family : (uint8_t)w->family;
	const uint8_t *next = a->gw_family ? a->gateway : walk_dst(w);
	const struct neigh_detail *n = neighbour(w, out->ifindex, family, next);
	char text[INET6_ADDRSTRLEN];

	if (out->type != ARPHRD_ETHER || out->flags & IFF_NOARP)
		return true;
	inet_ntop(family, next, text, sizeof(text));
	if (!n || !(n->state & NEIGH_KNOWN)) {
		if (w->h->presume && out->carrier && !(n && n->state & NUD_FAILED)) {
			memcpy(w->pkt.bytes, "\x52\x54\x00\x00\x00\xfe", 6);
			memcpy(w->pkt.bytes + 6, out->mac.b, 6);
			w->pkt.link = 0;
			return true;
		}
		if (!out->carrier)
			return walk_drop(w, out->ifindex, "NEIGH_FAILED", "neigh_invalidate");
		return walk_unknown_behind(
			w, "neighbour unknown: %s on %s will be asked for its MAC%s", text,
			out->name,
			n && n->state & NUD_FAILED ? ", and has not answered before" : "");
	}
	if (!out->carrier)
		return walk_unknown_behind(w, "%s has no carrier", out->name);
	memcpy(w->pkt.bytes, n->mac.b, 6);
	memcpy(w->pkt.bytes + 6, out->mac.b, 6);
	w->pkt.link = 0;
	return true;
}

static void ip_output(struct walk *w, int in, const struct link_detail *out,
		      const struct route_answer *a)
{
	const struct hook_at post = hook_of(w, NF_INET_POST_ROUTING, in, out->ifindex);
	const uint8_t *gateway = a->gw_family == w->family ? a->gateway : NULL;

	w->pkt.route_mtu = a->mtu ? a->mtu : out->mtu;
	/* IPsec looks at it once more after its source was translated. */
	if (!walk_postrouting(w, &post, out->ifindex, gateway) ||
	    !walk_others(w, post.pf, post.hook) || !resolve(w, out, a))
		return;
	device_transmit(w, out);
}

static bool ttl_lasts(struct walk *w, const struct link_detail *in)
{
	uint8_t *ttl = walk_ttl(w);

	if (*ttl > 1)
		return true;
	if (w->family == AF_INET)
		walk_tell_icmp(w, in->ifindex, 11, 0);
	return walk_drop(w, in->ifindex, "IP_INHDR",
			 w->family == AF_INET ? "ip_forward" : "ip6_forward");
}

static bool fits(struct walk *w, const struct link_detail *in, const struct link_detail *out,
		 const struct route_answer *a)
{
	uint32_t mtu = a->mtu ? a->mtu : out->mtu;

	if (walk_size(w) <= mtu || !walk_must_not_fragment(w))
		return true;
	if (w->family == AF_INET)
		walk_tell_icmp(w, in->ifindex, 3, 4);
	walk_drop(w, in->ifindex, "PKT_TOO_BIG",
		  w->family == AF_INET ? "ip_forward" : "ip6_forward");
	walk_note(w, HOP_DROP, "%u bytes, and the %s's MTU is %u", walk_size(w),
		  a->mtu ? "route" : "device", mtu);
	return false;
}

/* net.ipv6.conf.all.forwarding, or (6.17) the device's own. */
static bool forwards6(struct walk *w, const struct link_detail *in)
{
	if (walk_sysctl(w, 0, "net/ipv6/conf/all/forwarding") ||
	    walk_sysctl(w, 0, "net/ipv6/conf/%s/force_forwarding", in->name))
		return true;
	walk_drop(w, in->ifindex, "IP_INADDRERRORS", "ip6_forward");
	walk_note(w, HOP_DROP, "net.ipv6.conf.all.forwarding = 0");
	return false;
}

static bool may_forward(struct walk *w, const struct link_detail *in)
{
	const uint8_t *src = walk_src(w);

	if (w->family == AF_INET6 && !forwards6(w, in))
		return false;
	if (w->pkt.pkttype != PACKET_HOST)
		return walk_drop(w, in->ifindex, "NOT_SPECIFIED",
				 w->family == AF_INET ? "ip_forward" : "ip6_forward");
	if (w->family == AF_INET6 && src[0] == 0xfe && (src[1] & 0xc0) == 0x80)
		return walk_unknown(w, "a link-local source is not forwarded");
	return true;
}

static void ip_forward(struct walk *w, const struct link_detail *in, const struct route_answer *a)
{
	const struct link_detail *out = walk_link(w, a->oif);
	const struct hook_at at = hook_of(w, NF_INET_FORWARD, in->ifindex, a->oif);

	if (!out) {
		walk_unknown(w, "the route's interface is gone");
		return;
	}
	/* Too big comes before the TTL is one less, and both before the rules. */
	if (!may_forward(w, in) || !ttl_lasts(w, in) || !fits(w, in, out, a))
		return;
	(*walk_ttl(w))--;
	if (walk_hook_all(w, &at, in->ifindex))
		ip_output(w, in->ifindex, out, a);
}

/* From somebody who has no address yet, for all: DHCP's DISCOVER. No routing table is asked about it. */
static bool is_first_question(const struct walk *w)
{
	static const uint8_t none[4] = {0, 0, 0, 0}, all[4] = {255, 255, 255, 255};

	return w->family == AF_INET && walk_l4(w) == IPPROTO_UDP &&
	       memcmp(walk_src(w), none, 4) == 0 && memcmp(walk_dst(w), all, 4) == 0;
}

static void ip_receive(struct walk *w, const struct link_detail *l)
{
	const struct hook_at pre = hook_of(w, NF_INET_PRE_ROUTING, l->ifindex, 0);
	struct route_answer a;

	if (w->pkt.pkttype == PACKET_OTHERHOST) {
		walk_drop(w, l->ifindex, "OTHERHOST",
			  w->family == AF_INET ? "ip_rcv_core" : "ip6_rcv_core");
		return;
	}
	if (w->family == AF_INET6 && walk_sysctl(w, 0, "net/ipv6/conf/%s/disable_ipv6", l->name)) {
		walk_unknown(w, "IPv6 is switched off on %s", l->name);
		return;
	}
	/* br_netfilter has shown it to these rules in the bridge. */
	if (!w->shown_ip && !walk_prerouting(w, &pre, l->ifindex))
		return;
	if (is_first_question(w)) {
		ip_deliver(w, l);
		return;
	}
	if (is_group(w, walk_dst(w))) {
		walk_unknown(w, "what is for all or for a group is not modelled in the host");
		return;
	}
	switch (route_receive(w, l, &a)) {
	case ROUTED_FORWARD:
		ip_forward(w, l, &a);
		break;
	case ROUTED_LOCAL:
		ip_deliver(w, l);
		break;
	default:
		break;
	}
}

/* ---- the host itself sends ---- */

void ip_send(struct walk *w)
{
	struct route_question q = ip_question(w, 0);
	const struct link_detail *out = NULL;
	struct route_answer a = {0};
	struct hook_at at;

	if (w->h->route(&q, &a, w->h->ctx) == 0 && !a.error)
		out = walk_link(w, a.oif);
	walk_tell(w, PATH_QUEUE, out ? out->ifindex : 0);
	if (!out || a.type == RTN_LOCAL || is_group(w, walk_dst(w))) {
		walk_unknown(w, "the host has no way for its answer");
		return;
	}
	at = hook_of(w, NF_INET_LOCAL_OUT, 0, out->ifindex);
	if (!walk_prerouting(w, &at, out->ifindex))
		return;
	if (memcmp(q.dst, walk_dst(w), walk_addr_len(w)) != 0 || q.mark != w->pkt.mark) {
		walk_unknown(w, "the host's answer is routed again: that is not modelled");
		return;
	}
	ip_output(w, 0, out, &a);
}
