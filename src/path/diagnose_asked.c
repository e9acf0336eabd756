/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_asked.c - questions that nobody answers, and answers that tell what is wrong: of DHCP, DNS,
 * ARP, router advertisements and TCP.
 *
 * That nobody answers is said when the guest has asked again, and of what is certain only where the
 * question got to. Why whoever it got to is silent is not known here.
 */
#include "path/diagnose_internal.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ETHERTYPE_ARP 0x0806
#define PATIENCE_NS 900000000ull
#define PORT_DNS 53
#define DNS_ANSWER 0x8000
#define DNS_RCODE 0x000f
#define DNS_REFUSED 5
#define ROUTER_ADVERTISEMENT 134
#define ICMP_PORT_UNREACHABLE 0x0303
#define ICMP6_PORT_UNREACHABLE 0x0104

/* ---- what is seen without facts ---- */

/* The device that it came in by, if that is a guest's port. */
static const struct path_device *sender_port(const struct journey *g, const struct path_view *v)
{
	const struct path_device *d = NULL;

	if (g->n_hops && g->hops[0].kind == HOP_VM_OUT)
		d = path_device_find(v, g->hops[0].ifindex);
	return d && (d->role == DEVICE_GUEST || d->role == DEVICE_PORT) ? d : NULL;
}

static bool is_link_local(const uint8_t *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* The host has an IPv6 network on @bridge: it is meant to be the router there. */
static bool has_network6(const struct path_view *v, int bridge)
{
	for (size_t i = 0; i < v->n_locals; i++)
		if (v->locals[i].family == AF_INET6 && v->locals[i].ifindex == bridge &&
		    !is_link_local(v->locals[i].addr))
			return true;
	return false;
}

static bool is_locals(const struct path_view *v, int ifindex, uint8_t family, const uint8_t *addr)
{
	for (size_t i = 0; i < v->n_locals; i++)
		if (v->locals[i].family == family &&
		    (!ifindex || v->locals[i].ifindex == ifindex) &&
		    memcmp(v->locals[i].addr, addr, family == AF_INET ? 4 : 16) == 0)
			return true;
	return false;
}

static bool takes_router_address(const struct journey *g, const struct path_view *v)
{
	const struct path_device *d = sender_port(g, v);

	return g->first.ethertype == ETHERTYPE_ARP && d && d->master &&
	       is_locals(v, d->master, AF_INET, g->first.src);
}

static bool is_other_router(const struct journey *g, const struct path_view *v)
{
	const struct path_device *d = sender_port(g, v);

	return g->to_guest && g->first.l4 == IPPROTO_ICMPV6 && g->first.flags & PATH_L4 &&
	       g->first.dport >> 8 == ROUTER_ADVERTISEMENT && d && d->role == DEVICE_PORT &&
	       has_network6(v, d->master);
}

/* The address of the resolver that refuses; not the host, whose refusal is a drop of its own. */
static bool is_dns_refusal(const struct journey *g, const struct path_view *v)
{
	const struct path_seen *s = &g->first;
	uint16_t unreachable =
		s->l4 == IPPROTO_ICMP ? ICMP_PORT_UNREACHABLE : ICMP6_PORT_UNREACHABLE;

	if (!g->to_guest || !(s->flags & PATH_L4))
		return false;
	if (s->l4 == IPPROTO_ICMP || s->l4 == IPPROTO_ICMPV6)
		return s->dport == unreachable && s->seq == (IPPROTO_UDP << 16 | PORT_DNS) &&
		       !is_locals(v, 0, g->flow.family, g->flow.from.addr);
	return s->l4 == IPPROTO_UDP && s->sport == PORT_DNS && s->seq & DNS_ANSWER &&
	       (s->seq & DNS_RCODE) == DNS_REFUSED;
}

static bool in_vain(const struct journey *g, const struct path_view *v, const struct asked *a)
{
	if (a->kind == QUESTION_NONE || a->kind == QUESTION_ARP || a->times < 2 ||
	    a->for_ns < PATIENCE_NS)
		return false;
	/* Who has no IPv6 there asks for a router all the same. */
	return a->kind != QUESTION_ROUTER || has_network6(v, guest_bridge(g, v));
}

enum guest_fault asked_fault(const struct journey *g, const struct path_view *v,
			     const struct diagnosis_guest *guest)
{
	if (takes_router_address(g, v))
		return GUEST_ROUTER_ADDRESS;
	if (is_other_router(g, v))
		return GUEST_OTHER_ROUTER;
	if (journey_dhcp(g, true) == DHCP_NAK)
		return GUEST_DHCP_NAK;
	if (guest->asked.other)
		return GUEST_DHCP_TWICE;
	if (is_dns_refusal(g, v))
		return GUEST_DNS_REFUSED;
	return in_vain(g, v, &guest->asked) ? GUEST_UNANSWERED : GUEST_FINE;
}

/* ---- in words ---- */

/* Where the question went, as a part of a sentence. */
struct where {
	char text[96];
};

static struct where where_to(const struct look *l)
{
	struct where w = {"reaches this host, where nobody answers"};
	const struct link_state *k;

	for (size_t i = l->g->n_hops; i > 0; i--) {
		const struct hop *h = &l->g->hops[i - 1];

		k = fact_link(l->f, h->ifindex);
		if (h->kind == HOP_UPLINK_OUT && k)
			snprintf(w.text, sizeof(w.text), "leaves by %s, and no answer comes back",
				 k->name);
		else if (h->kind == HOP_BRIDGE_FWD && h->copies == 1)
			snprintf(w.text, sizeof(w.text), "goes to %s, and no answer comes back",
				 fact_link(l->f, h->ports[0]) ? fact_link(l->f, h->ports[0])->name
							      : "another port");
		else if (h->kind == HOP_BRIDGE_FWD)
			snprintf(w.text, sizeof(w.text),
				 "goes to %u ports, and no answer comes back", h->copies);
		else
			continue;
		break;
	}
	return w;
}

static void saw_asked(const struct look *l, struct diagnosis *d)
{
	const struct asked *a = &l->f->guest.asked;

	diagnosis_saw(d, "packet", "asked %u times in %.1f s", a->times, (double)a->for_ns / 1e9);
}

/* Our network whose daemon does not run: that answers the guests' DHCP and router solicitations. */
static bool tell_daemon_off(const struct look *l, const char *what, struct diagnosis *d)
{
	const char *network = fact_ours(fact_link(l->f, guest_bridge(l->g, l->w->view)));

	if (!network || l->f->daemon(l->f->ctx))
		return false;
	diagnosis_cause(d, "%s of network %s are vmlaned's, which does not run", what, network);
	diagnosis_saw(d, "network", "%s", network);
	diagnosis_saw(d, "daemon", "vmlaned does not answer");
	diagnosis_mend(d, "systemctl start vmlaned");
	return true;
}

static void tell_dhcp_unanswered(const struct look *l, struct diagnosis *d)
{
	const struct link_state *bridge = fact_link(l->f, guest_bridge(l->g, l->w->view));

	d->code = "dhcp-unanswered";
	saw_asked(l, d);
	if (tell_daemon_off(l, "the DHCP server", d))
		return;
	diagnosis_cause(d,
			"nobody answers the guest's DHCP questions: there is no DHCP server %s%s, "
			"or it has no address for this guest",
			bridge ? "on " : "here", bridge ? bridge->name : "");
	diagnosis_advice(d,
			 "start the network's DHCP server (its log says what it refuses), or give "
			 "the guest its address by hand");
}

static void tell_router_unanswered(const struct look *l, struct diagnosis *d)
{
	const struct link_state *bridge = fact_link(l->f, guest_bridge(l->g, l->w->view));

	d->code = "ra-missing";
	saw_asked(l, d);
	if (tell_daemon_off(l, "the router advertisements", d))
		return;
	diagnosis_cause(d,
			"the guest asks for an IPv6 router, and nobody advertises one%s%s, "
			"although this host has an IPv6 network there: the guest gets neither an "
			"address nor a default route",
			bridge ? " on " : "", bridge ? bridge->name : "");
	diagnosis_advice(d, "run a router advertisement daemon there (radvd, dnsmasq "
			    "--enable-ra), or configure the guest by hand");
}

static void tell_dns_unanswered(const struct look *l, struct diagnosis *d)
{
	struct address_str who = address_str(l->family, l->g->began.to.addr);

	d->code = "dns-silent";
	diagnosis_cause(d,
			"the guest's resolver %s does not answer: the question %s; it is off, no "
			"resolver, or out of reach from there",
			who.text, where_to(l).text);
	saw_asked(l, d);
	diagnosis_advice(d,
			 "see to %s, or let the guest ask another resolver: in its DHCP server's "
			 "configuration, or in the guest",
			 who.text);
}

static void tell_tcp_unanswered(const struct look *l, struct diagnosis *d)
{
	struct address_str who = address_str(l->family, l->g->began.to.addr);
	const struct flow_end *from = &l->g->flow.from;

	d->code = "no-answer";
	diagnosis_cause(d, "%s port %u does not answer: the question %s", who.text,
			l->g->began.to.port, where_to(l).text);
	saw_asked(l, d);
	diagnosis_saw(d, "packet", "from %s port %u", address_str(l->family, from->addr).text,
		      from->port);
	diagnosis_advice(
		d,
		"on its way through this host nothing is wrong: %s is off, or drops it, or "
		"somebody before it does",
		who.text);
}

static bool tell_unanswered(const struct look *l, struct diagnosis *d)
{
	switch (l->f->guest.asked.kind) {
	case QUESTION_DHCP:
		tell_dhcp_unanswered(l, d);
		return true;
	case QUESTION_ROUTER:
		tell_router_unanswered(l, d);
		return true;
	case QUESTION_DNS:
		tell_dns_unanswered(l, d);
		return true;
	case QUESTION_TCP:
		tell_tcp_unanswered(l, d);
		return true;
	default:
		return false;
	}
}

static bool tell_dns_refused(const struct look *l, struct diagnosis *d)
{
	struct address_str who = address_str(l->family, l->g->flow.from.addr);
	bool answer = l->g->first.l4 == IPPROTO_UDP;

	d->code = "dns-refused";
	diagnosis_cause(d, "the guest's resolver %s refuses: %s", who.text,
			answer ? "it does not answer this guest's questions (REFUSED)"
			       : "nobody listens on its UDP port 53");
	diagnosis_saw(d, "packet", answer ? "DNS REFUSED from %s" : "port unreachable from %s",
		      who.text);
	diagnosis_advice(d, "%s, or let the guest ask another resolver",
			 answer ? "allow the guest's, or this host's, address in its configuration"
				: "start a resolver there");
	return true;
}

static bool tell_nak(const struct look *l, struct diagnosis *d)
{
	struct address_str who = address_str(l->family, l->g->first.src);

	d->code = "dhcp-nak";
	diagnosis_cause(d,
			"the DHCP server %s refuses the address that the guest asks for: it is one "
			"of another network, or somebody else's by now",
			who.text);
	diagnosis_saw(d, "packet", "DHCP NAK from %s", who.text);
	diagnosis_advice(d, "the guest asks for another one by itself; if it goes on, two DHCP "
			    "servers contradict each other");
	return true;
}

/* The port of a bridge that has @mac behind it, as far as its MAC table knows. */
static const struct link_state *port_of(const struct look *l, int bridge, const uint8_t mac[6])
{
	const struct fdb_entry *e = fact_fdb(l->f, bridge, mac);

	return e ? fact_link(l->f, e->port) : NULL;
}

/* A command that keeps frames that @match from coming in by @port. */
static void mend_port(struct diagnosis *d, const char *port, const char *match)
{
	if (shell_quote(port).text[0] == '\'')
		return;
	diagnosis_mend(d,
		       "nft 'add table bridge " GUARD_BY_HAND "; add chain bridge " GUARD_BY_HAND
		       " in { type "
		       "filter hook prerouting priority -300; }; add rule bridge " GUARD_BY_HAND
		       " in "
		       "iifname \"%s\" %s drop'",
		       port, match);
}

static bool tell_dhcp_twice(const struct look *l, struct diagnosis *d)
{
	const struct asked *a = &l->f->guest.asked;
	const struct path_device *from = sender_port(l->g, l->w->view);
	struct address_str one = address_str(AF_INET, l->g->first.src);
	struct address_str two = address_str(AF_INET, a->other_addr);
	const struct link_state *port;
	char mac[MAC_STRLEN];
	struct mac m;

	d->code = "dhcp-twice";
	diagnosis_cause(
		d,
		"two DHCP servers answer the guest, %s and %s: which addresses, gateway and "
		"resolver it gets is a matter of who is faster",
		one.text, two.text);
	memcpy(m.b, l->g->first.smac, sizeof(m.b));
	diagnosis_saw(d, "packet", "DHCP OFFER from %s (%s)%s%s", one.text, mac_format(&m, mac),
		      from ? ", behind " : "", from ? from->name : "");
	memcpy(m.b, a->other_mac, sizeof(m.b));
	port = from ? port_of(l, from->master, a->other_mac) : NULL;
	diagnosis_saw(d, "packet", "DHCP OFFER from %s (%s)%s%s", two.text, mac_format(&m, mac),
		      port ? ", behind " : "", port ? port->name : "");
	if (from && is_locals(l->w->view, 0, AF_INET, a->other_addr))
		mend_port(d, from->name, "udp sport 67");
	diagnosis_advice(d, "switch one of the two off");
	return true;
}

static bool tell_router_address(const struct look *l, struct diagnosis *d)
{
	const struct path_device *from = sender_port(l->g, l->w->view);
	struct address_str addr = address_str(AF_INET, l->g->first.src);
	char mac[MAC_STRLEN], match[96];
	struct mac m;

	memcpy(m.b, l->g->first.smac, sizeof(m.b));
	d->code = "router-address-taken";
	diagnosis_saw(d, "packet", "%s is at %s, behind %s", addr.text, mac_format(&m, mac),
		      from->name);
	if (from->role == DEVICE_GUEST) {
		diagnosis_cause(d,
				"the guest says that it has %s, which is this host's own address "
				"there, and as a rule the guests' gateway",
				addr.text);
		diagnosis_advice(d, "give the guest another address");
		return true;
	}
	diagnosis_cause(d,
			"another guest, behind %s, says that it has %s, which is this host's own "
			"address there: who believes it sends to it what is for the router",
			from->name, addr.text);
	snprintf(match, sizeof(match), "arp saddr ip %s", addr.text);
	mend_port(d, from->name, match);
	diagnosis_advice(d,
			 "give that guest another address; the others forget the wrong MAC with "
			 "time, or by ip neigh flush %s",
			 addr.text);
	return true;
}

static bool tell_other_router(const struct look *l, struct diagnosis *d)
{
	const struct path_device *from = sender_port(l->g, l->w->view);
	struct address_str src = address_str(AF_INET6, l->g->first.src);

	d->code = "ra-foreign";
	diagnosis_cause(d,
			"another guest, behind %s, advertises itself as an IPv6 router, where this "
			"host is: guests that believe it send to it what is for the outside",
			from->name);
	diagnosis_saw(d, "packet", "router advertisement from %s", src.text);
	diagnosis_saw(d, "interface", "%s", from->name);
	mend_port(d, from->name, "icmpv6 type nd-router-advert");
	diagnosis_advice(d, "unless that guest shall be a router, too");
	return true;
}

bool diagnose_asked(const struct look *l, enum guest_fault fault, struct diagnosis *d)
{
	switch (fault) {
	case GUEST_UNANSWERED:
		return tell_unanswered(l, d);
	case GUEST_DNS_REFUSED:
		return tell_dns_refused(l, d);
	case GUEST_DHCP_NAK:
		return tell_nak(l, d);
	case GUEST_DHCP_TWICE:
		return tell_dhcp_twice(l, d);
	case GUEST_ROUTER_ADDRESS:
		return tell_router_address(l, d);
	case GUEST_OTHER_ROUTER:
		return tell_other_router(l, d);
	default:
		return false;
	}
}
