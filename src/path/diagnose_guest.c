/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_guest.c - packets that nobody dropped, and that get no answer all the same: nobody
 * translates them, they go to the wrong place, or the guest's own settings are wrong.
 */
#include "path/diagnose_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ARP_REQUEST 1
#define ARP_PATIENCE 2 /* questions in vain before the next is worth a word */

/* ---- what is seen without facts ---- */

bool diagnosis_untranslated(const struct journey *g, const struct path_view *v)
{
	bool routed = false, from_guest = false, out = false;

	for (size_t i = 0; i < g->n_hops; i++) {
		routed |= g->hops[i].kind == HOP_ROUTE && !g->hops[i].route.err;
		from_guest |= g->hops[i].kind == HOP_VM_OUT;
		out |= g->hops[i].kind == HOP_UPLINK_OUT;
	}
	if (g->end != JOURNEY_DELIVERED || !out || !routed || !from_guest || g->answers)
		return false;
	/* Translated to an address that is private, too: another router comes behind this one. */
	if (memcmp(g->began.from.addr, g->flow.from.addr, sizeof(g->flow.from.addr)) != 0)
		return false;
	return address_private(g->flow.family, g->flow.from.addr) &&
	       !address_private(g->flow.family, g->flow.to.addr);
}

int guest_bridge(const struct journey *g, const struct path_view *v)
{
	const struct path_device *d;

	if (!g->n_hops || g->hops[0].kind != HOP_VM_OUT)
		return 0;
	d = path_device_find(v, g->hops[0].ifindex);
	return d ? d->master : 0;
}

static bool sent_by_guest(const struct journey *g, const struct path_view *v)
{
	const struct path_device *d = g->n_hops && g->hops[0].kind == HOP_VM_OUT
					      ? path_device_find(v, g->hops[0].ifindex)
					      : NULL;

	return d && d->role == DEVICE_GUEST;
}

/* Whether @addr is in a network of the host's on @bridge; @ret_any: whether it has one at all. */
static bool in_networks(const struct path_view *v, int bridge, const uint8_t *addr, bool *ret_any)
{
	bool in = false;

	*ret_any = false;
	for (size_t i = 0; i < v->n_locals; i++) {
		const struct path_address *l = &v->locals[i];

		if (l->family != AF_INET || l->ifindex != bridge)
			continue;
		*ret_any = true;
		in |= address_in(l->addr, l->len, addr);
	}
	return in;
}

/* Of an IPv4 address: nothing that a host has for good. */
static bool is_special(const uint8_t *a)
{
	return a[0] == 0 || a[0] >= 224 || a[0] == 127;
}

/*
 * The only port that the bridge gave it to, when that is not the guest's; NULL: else. It may be another
 * guest's, or that of the host's NIC, behind which the LAN is.
 */
static const struct path_device *elsewhere(const struct journey *g, const struct path_view *v)
{
	for (size_t i = g->n_hops; i > 0; i--) {
		const struct hop *h = &g->hops[i - 1];
		const struct path_device *d;

		if (h->kind != HOP_BRIDGE_FWD)
			continue;
		d = h->copies == 1 ? path_device_find(v, h->ports[0]) : NULL;
		return d && d->role != DEVICE_GUEST ? d : NULL;
	}
	return NULL;
}

/*
 * The bridge gave it to another guest, and to nobody else, as the guest wanted it. What the host had
 * routed or translated before (a forwarded port of its address) was sent to the right place.
 */
static bool to_another(const struct journey *g, const struct path_view *v)
{
	const struct path_device *d = elsewhere(g, v);

	for (size_t i = 0; i < g->n_hops; i++)
		if (g->hops[i].kind == HOP_ROUTE || g->hops[i].kind == HOP_NAT ||
		    g->hops[i].kind == HOP_BRIDGE_IN)
			return false;
	return d && d->role == DEVICE_PORT;
}

static const struct hop *forward_hop(const struct journey *g)
{
	for (size_t i = g->n_hops; i > 0; i--)
		if (g->hops[i - 1].kind == HOP_BRIDGE_FWD)
			return &g->hops[i - 1];
	return NULL;
}

static bool is_for_guest(const struct journey *g, const struct diagnosis_guest *guest)
{
	const struct hop *h = forward_hop(g);

	if (!h)
		return false;
	if (guest->has_mac && memcmp(h->seen.dmac, guest->mac.b, sizeof(guest->mac.b)) == 0)
		return true;
	for (size_t i = 0; i < guest->n_addrs && g->flow.family == AF_INET; i++)
		if (guest->addrs[i].family == AF_INET &&
		    memcmp(guest->addrs[i].addr, g->flow.to.addr, 4) == 0)
			return true;
	return false;
}

static enum guest_fault fault_of_arp(const struct journey *g, const struct path_view *v,
				     const struct diagnosis_guest *guest)
{
	bool any;

	if (g->first.sport != ARP_REQUEST || is_special(g->first.dst) ||
	    memcmp(g->first.src, g->first.dst, 4) == 0)
		return GUEST_FINE;
	if (!in_networks(v, guest_bridge(g, v), g->first.dst, &any) && any)
		return GUEST_NETMASK;
	return any && guest->asked.times > ARP_PATIENCE ? GUEST_ARP : GUEST_FINE;
}

enum guest_fault guest_fault(const struct journey *g, const struct path_view *v,
			     const struct diagnosis_guest *guest)
{
	bool from_guest = sent_by_guest(g, v), any, in;
	int bridge = guest_bridge(g, v);
	enum guest_fault fault;

	/* What was asked has arrived, also where the last of it was not seen: see questions.c. */
	if (g->end != JOURNEY_DELIVERED && guest->asked.kind == QUESTION_NONE)
		return GUEST_FINE;
	fault = asked_fault(g, v, guest);
	if (fault != GUEST_FINE || g->end != JOURNEY_DELIVERED)
		return fault;
	if (elsewhere(g, v) && !from_guest && is_for_guest(g, guest))
		return GUEST_MISDELIVERED;
	if (from_guest && bridge && g->first.ethertype == ETHERTYPE_ARP)
		return fault_of_arp(g, v, guest);
	if (from_guest && bridge && g->first.ethertype == ETHERTYPE_IP4 &&
	    !is_special(g->first.src) && !is_special(g->first.dst)) {
		in = in_networks(v, bridge, g->first.src, &any);
		if (any && !in)
			return GUEST_SOURCE;
		in = in_networks(v, bridge, g->first.dst, &any);
		if (any && !in && to_another(g, v))
			return GUEST_GATEWAY;
	}
	return diagnosis_untranslated(g, v) ? GUEST_NOT_TRANSLATED : GUEST_FINE;
}

/* ---- in words ---- */

static bool tell_untranslated(const struct look *l, struct diagnosis *d)
{
	struct address_str src = address_str(l->g->flow.family, l->g->flow.from.addr);
	const char *network = fact_ours(l->in);
	char prefix[IP4_PREFIX_STRLEN];
	const struct addr_state *net;
	struct ip4_prefix p;
	struct in_addr a;

	if (network && l->f->routed(network, l->f->ctx))
		return false;
	d->code = "not-translated";
	diagnosis_cause(
		d,
		"it leaves by %s with the private address %s, to which nobody out there can "
		"answer: no rule of this host translates it",
		l->out ? l->out->name : "an uplink", src.text);
	if (l->out)
		diagnosis_saw(d, "interface", "%s", l->out->name);
	if (network) {
		diagnosis_saw(d, "network", "%s", network);
		if (l->f->daemon(l->f->ctx)) {
			diagnosis_mend(d, "vmlane apply");
			return true;
		}
		diagnosis_saw(d, "daemon", "vmlaned does not answer");
		diagnosis_mend(d, "systemctl start vmlaned");
		diagnosis_advice(d, "vmlane's rules are gone, and its daemon, which would restore "
				    "them, does not run");
		return true;
	}
	memcpy(&a, l->g->flow.from.addr, sizeof(a));
	net = l->family == AF_INET && l->in ? fact_network(l->f, l->in->ifindex, a) : NULL;
	if (!net || !l->out || shell_quote(l->out->name).text[0] == '\'')
		return true;
	p = (struct ip4_prefix){ip4_network(&net->prefix), net->prefix.len};
	ip4_prefix_format(&p, prefix);
	diagnosis_mend(d,
		       "nft 'add table ip guests_nat; add chain ip guests_nat postrouting { type "
		       "nat hook postrouting priority srcnat; }; add rule ip guests_nat "
		       "postrouting ip saddr %s oifname \"%s\" masquerade'",
		       prefix, l->out->name);
	diagnosis_advice(d,
			 "not needed where the next router knows the way to %s and translates it",
			 prefix);
	return true;
}

static bool tell_misdelivered(const struct look *l, struct diagnosis *d)
{
	const struct path_device *to = elsewhere(l->g, l->w->view);
	const struct link_state *port = to ? fact_link(l->f, to->ifindex) : NULL;
	const struct hop *h = forward_hop(l->g);
	const struct diagnosis_guest *guest = &l->f->guest;
	struct address_str addr = address_str(AF_INET, l->g->flow.to.addr);
	const struct fdb_entry *e;
	char mac[MAC_STRLEN];

	if (!port || !h || !guest->has_mac)
		return false;
	if (memcmp(h->seen.dmac, guest->mac.b, sizeof(guest->mac.b)) != 0) {
		struct mac other;

		memcpy(other.b, h->seen.dmac, sizeof(other.b));
		d->code = "address-twice";
		diagnosis_cause(d,
				"it is for %s, but went to %s: another guest there uses the same "
				"address",
				addr.text, port->name);
		diagnosis_saw(d, "neighbour", "%s is at %s, behind %s", addr.text,
			      mac_format(&other, mac), port->name);
		diagnosis_saw(d, "guest", "has the MAC %s", mac_format(&guest->mac, mac));
		diagnosis_advice(d, "give one of the two another address, then: ip neigh flush %s",
				 addr.text);
		return true;
	}
	e = fact_fdb(l->f, port->master, guest->mac.b);
	mac_format(&guest->mac, mac);
	if (e && (e->is_static || e->sticky) && e->port == port->ifindex) {
		d->code = "mac-table-wrong";
		diagnosis_cause(d,
				"the bridge's MAC table has the guest's MAC fixed to %s, where the "
				"guest is not",
				port->name);
		diagnosis_saw(d, "mac-table", "%s dev %s static", mac, port->name);
		diagnosis_mend(d, "bridge fdb del %s dev %s master", mac,
			       shell_quote(port->name).text);
		return true;
	}
	d->code = "mac-twice";
	diagnosis_cause(d,
			"it is for the guest's MAC, but went to %s: another guest there sends with "
			"the same MAC",
			port->name);
	diagnosis_saw(d, "mac-table", "%s dev %s", mac, port->name);
	diagnosis_advice(d, "give one of the two another MAC");
	return true;
}

/*
 * The host's network on the guest's bridge that the guest is in, or should be: that of its own address,
 * else the first. There may be several, one bridge for all of them.
 */
static const struct addr_state *network_of(const struct look *l, int bridge)
{
	const struct addr_state *found = NULL;
	struct in_addr src;

	memcpy(&src, l->g->first.src, sizeof(src));
	for (size_t i = 0; i < l->f->host->n_addrs; i++) {
		const struct addr_state *a = &l->f->host->addrs[i];

		if (a->ifindex == bridge && ip4_in(&a->prefix, src))
			return a;
		if (a->ifindex == bridge && !found)
			found = a;
	}
	return found;
}

/* The host has a network, or a route without a gateway, on @bridge, that @addr is in. */
static bool at_home_on(const struct look *l, int bridge, const uint8_t *addr)
{
	struct in_addr a;

	memcpy(&a, addr, sizeof(a));
	if (fact_network(l->f, bridge, a))
		return true;
	for (size_t i = 0; i < l->f->host->n_routes; i++) {
		const struct route_state *r = &l->f->host->routes[i];

		if (r->oif == bridge && !r->gateway.s_addr && ip4_in(&r->dst, a))
			return true;
	}
	return false;
}

/* The host answers for others on @bridge: who is asked for need not be there. */
static bool has_proxy(const struct look *l, int bridge)
{
	const struct link_state *k = fact_link(l->f, bridge);

	return fact_number(l->f, 0, "net/ipv4/conf/all/proxy_arp") ||
	       (k && (fact_number(l->f, 0, "net/ipv4/conf/%s/proxy_arp", k->name) ||
		      fact_number(l->f, 0, "net/ipv4/conf/%s/proxy_arp_pvlan", k->name)));
}

/* What was seen without facts is no fault: the host's addresses alone do not tell all. */
static bool is_right_after_all(const struct look *l, enum guest_fault fault, int bridge)
{
	if (fault == GUEST_SOURCE)
		return at_home_on(l, bridge, l->g->first.src);
	if (fault == GUEST_NETMASK || fault == GUEST_GATEWAY)
		return at_home_on(l, bridge, l->g->first.dst) || has_proxy(l, bridge);
	return fault == GUEST_ARP && has_proxy(l, bridge);
}

static void saw_networks(const struct look *l, int bridge, struct diagnosis *d)
{
	char prefix[IP4_PREFIX_STRLEN], router[IP4_STRLEN];

	for (size_t i = 0; i < l->f->host->n_addrs; i++) {
		const struct addr_state *a = &l->f->host->addrs[i];
		struct ip4_prefix p = {ip4_network(&a->prefix), a->prefix.len};

		if (a->ifindex != bridge)
			continue;
		ip4_prefix_format(&p, prefix);
		diagnosis_saw(d, "network", "%s, router %s", prefix,
			      ip4_format(a->prefix.addr, router));
	}
}

#define RESOLVERS_MAX 16

/* The guest has been told of this resolver by its network, which nobody in it is. */
static bool tell_resolver(const struct look *l, const char *network, struct diagnosis *d)
{
	struct address_str dst = address_str(AF_INET, l->g->first.dst);
	struct in_addr all[RESOLVERS_MAX];
	char text[IP4_STRLEN], others[RESOLVERS_MAX * (IP4_STRLEN + 2)] = "";
	size_t n, len = 0;
	bool given = false;

	n = network ? l->f->resolvers(network, all, ARRAY_SIZE(all), l->f->ctx) : 0;
	for (size_t i = 0; i < n; i++) {
		if (memcmp(&all[i], l->g->first.dst, sizeof(all[i])) == 0)
			given = true;
		else
			len += (size_t)snprintf(&others[len], sizeof(others) - len, "%s%s",
						len ? ", " : "", ip4_format(all[i], text));
	}
	if (!given)
		return false;
	d->code = "dns-silent";
	diagnosis_cause(
		d,
		"the guest's resolver %s does not answer: network %s gives it to its guests, "
		"and nobody in that network has the address",
		dst.text, network);
	diagnosis_saw(d, "network", "%s", network);
	diagnosis_saw(d, "packet", "who-has %s, in vain", dst.text);
	if (len)
		diagnosis_mend(d, "vmlane network set %s 'dns.servers=[%s]'", network, others);
	else
		diagnosis_mend(d, "vmlane network set %s dns.servers=", network);
	diagnosis_advice(d,
			 "guests learn of it when they ask for their lease again; or switch that "
			 "resolver on");
	return true;
}

static bool tell_settings(const struct look *l, enum guest_fault fault, struct diagnosis *d)
{
	int bridge = guest_bridge(l->g, l->w->view);
	const struct addr_state *net = network_of(l, bridge);
	struct address_str src = address_str(AF_INET, l->g->first.src);
	struct address_str dst = address_str(AF_INET, l->g->first.dst);
	char prefix[IP4_PREFIX_STRLEN], router[IP4_STRLEN];
	struct ip4_prefix p;

	if (!net || is_right_after_all(l, fault, bridge))
		return false;
	if (fault == GUEST_ARP && tell_resolver(l, fact_ours(fact_link(l->f, bridge)), d))
		return true;
	p = (struct ip4_prefix){ip4_network(&net->prefix), net->prefix.len};
	ip4_prefix_format(&p, prefix);
	ip4_format(net->prefix.addr, router);
	saw_networks(l, bridge, d);
	switch (fault) {
	case GUEST_SOURCE:
		d->code = "guest-address";
		diagnosis_cause(
			d,
			"the guest sends from %s, which is not in its network %s: answers do "
			"not come back to it. Has its network changed since it got that address?",
			src.text, prefix);
		break;
	case GUEST_NETMASK:
		d->code = "guest-netmask";
		diagnosis_cause(d,
				"the guest asks its neighbours for %s, which is not in its network "
				"%s: its netmask is too wide, or its gateway wrong",
				dst.text, prefix);
		break;
	case GUEST_GATEWAY:
		d->code = "guest-gateway";
		diagnosis_cause(
			d,
			"the guest sends what is for %s to another guest rather than to the "
			"router %s: its gateway is wrong",
			dst.text, router);
		break;
	default:
		d->code = "arp-unanswered";
		diagnosis_cause(
			d,
			"the guest asks for %s again and again, and nobody answers; if that "
			"is its gateway or resolver, it is the wrong one: the router here is %s",
			dst.text, router);
	}
	diagnosis_advice(d, "in the guest: an address of %s, gateway %s; or DHCP", prefix, router);
	return true;
}

bool diagnose_guest(const struct look *l, struct diagnosis *d)
{
	enum guest_fault fault = guest_fault(l->g, l->w->view, &l->f->guest);

	switch (fault) {
	case GUEST_FINE:
		return false;
	case GUEST_NOT_TRANSLATED:
		return tell_untranslated(l, d);
	case GUEST_MISDELIVERED:
		return tell_misdelivered(l, d);
	case GUEST_SOURCE:
	case GUEST_NETMASK:
	case GUEST_GATEWAY:
	case GUEST_ARP:
		return tell_settings(l, fault, d);
	default:
		return diagnose_asked(l, fault, d);
	}
}
