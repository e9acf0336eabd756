/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_ip.c - drops by the host's routing, its neighbours, its devices and its sockets.
 *
 * Reasons and functions are those of Linux 6.18; where older kernels have no reason of their own, the
 * function and the facts have to do.
 */
#include "path/diagnose_internal.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define REFUSED_NONE (-11)
#define DEFAULT_TABLE RT_TABLE_MAIN

/* ---- forwarding ---- */

static const char *ip_dir(const struct look *l)
{
	return l->family == AF_INET6 ? "ipv6" : "ipv4";
}

static bool found_route(const struct look *l)
{
	return l->route && !l->route->route.err;
}

static bool forwarding_off(const struct look *l)
{
	return found_route(l) && fact_number(l->f, 1, "net/%s/conf/all/forwarding", ip_dir(l)) == 0;
}

static void tell_forwarding_off(const struct look *l, struct diagnosis *d)
{
	const char *name =
		l->family == AF_INET6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward";

	diagnosis_cause(d, "this host does not forward %s packets at all",
			l->family == AF_INET6 ? "IPv6" : "IPv4");
	diagnosis_saw(d, "sysctl", "%s = 0", name);
	diagnosis_mend(d, "sysctl -w %s=1", name);
	if (l->family == AF_INET6)
		diagnosis_advice(d, "a forwarding host takes no router advertisements by itself: "
				    "set accept_ra=2 on its uplink before, if it needs them");
}

static bool forwarding_off_here(const struct look *l)
{
	return found_route(l) && l->dev && l->family == AF_INET &&
	       fact_number(l->f, 1, "net/ipv4/conf/%s/forwarding", l->dev->name) == 0;
}

static void tell_forwarding_off_here(const struct look *l, struct diagnosis *d)
{
	diagnosis_cause(d, "this host forwards, but nothing that comes in by %s", l->dev->name);
	diagnosis_saw(d, "sysctl", "net/ipv4/conf/%s/forwarding = 0", l->dev->name);
	/* With slashes, since a name may have dots. */
	diagnosis_mend(d, "sysctl -w net/ipv4/conf/%s/forwarding=1",
		       shell_quote(l->dev->name).text);
}

/* ---- routes ---- */

static bool route_err(const struct look *l, int err)
{
	return l->route && l->route->route.err == err;
}

static const struct fact_refusal *refusal_of(const struct look *l, uint8_t type)
{
	const struct path_route *route = &l->route->route;
	const struct fact_refusal *best = NULL;

	for (size_t i = 0; i < l->f->n_refusals; i++) {
		const struct fact_refusal *r = &l->f->refusals[i];

		if (r->family == route->family && r->type == type && r->table == route->table &&
		    address_in(r->dst, r->len, route->dst) && (!best || r->len > best->len))
			best = r;
	}
	return best;
}

static bool is_blackhole(const struct look *l)
{
	return route_err(l, -22);
}

/* Of IPv6 the kernel says the same of a table that knows nothing. */
static bool is_unreachable(const struct look *l)
{
	if (route_err(l, REFUSED_NONE) && l->family == AF_INET6)
		return refusal_of(l, RTN_UNREACHABLE);
	return route_err(l, -113);
}

static bool is_prohibit(const struct look *l)
{
	return route_err(l, -13);
}

static void tell_refusal(const struct look *l, struct diagnosis *d)
{
	static const struct {
		const char *code, *name;
		uint8_t type;
	} kinds[] = {{"route-blackhole", "blackhole", RTN_BLACKHOLE},
		     {"route-unreachable", "unreachable", RTN_UNREACHABLE},
		     {"route-prohibit", "prohibit", RTN_PROHIBIT}};
	struct address_str dst = address_str(l->family, l->route->route.dst);
	const char *name = "", *option = l->family == AF_INET6 ? "-6 " : "";
	const struct fact_refusal *r = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].code, d->code) != 0)
			continue;
		name = kinds[i].name;
		r = refusal_of(l, kinds[i].type);
	}
	diagnosis_cause(d, "a %s route of this host refuses what goes to %s", name, dst.text);
	if (!r) {
		diagnosis_advice(d, "the route is gone meanwhile, or of a rule (ip rule)");
		return;
	}
	dst = address_str(r->family, r->dst);
	diagnosis_saw(d, "route", "%s %s/%u table %u metric %u", name, dst.text, r->len, r->table,
		      r->metric);
	diagnosis_mend(d, "ip %sroute del %s %s/%u table %u metric %u", option, name, dst.text,
		       r->len, r->table, r->metric);
	diagnosis_advice(d, "somebody has put it there: is it wanted?");
}

/* Neither a guest's port nor a bridge nor the loopback: it may lead out. */
static bool may_be_uplink(const struct look *l, const struct link_state *k)
{
	const struct path_device *v = path_device_find(l->w->view, k->ifindex);

	return v && v->role == DEVICE_UPLINK && !k->master && strcmp(k->name, "lo") != 0;
}

static const struct addr_state *address_on(const struct facts *f, int ifindex)
{
	for (size_t i = 0; i < f->host->n_addrs; i++)
		if (f->host->addrs[i].ifindex == ifindex)
			return &f->host->addrs[i];
	return NULL;
}

/* The interface that would lead out, if there is but one; @up: whether it is. */
static const struct link_state *only_uplink(const struct look *l, bool up)
{
	const struct link_state *found = NULL;

	for (size_t i = 0; i < l->f->host->n_links; i++) {
		const struct link_state *k = &l->f->host->links[i];

		if (!may_be_uplink(l, k) || k->up != up || !address_on(l->f, k->ifindex))
			continue;
		if (found)
			return NULL;
		found = k;
	}
	return found;
}

static bool no_route(const struct look *l)
{
	return route_err(l, REFUSED_NONE);
}

static bool has_default(const struct look *l)
{
	for (size_t i = 0; i < l->f->host->n_routes; i++)
		if (l->f->host->routes[i].dst.len == 0 &&
		    l->f->host->routes[i].table == DEFAULT_TABLE)
			return true;
	return false;
}

static bool no_route_uplink_down(const struct look *l)
{
	return no_route(l) && l->family == AF_INET && !has_default(l) && only_uplink(l, false) &&
	       !only_uplink(l, true);
}

static void tell_uplink_down(const struct look *l, struct diagnosis *d)
{
	const struct link_state *k = only_uplink(l, false);

	diagnosis_cause(d, "the uplink %s is down, and the routes by it are gone", k->name);
	diagnosis_saw(d, "interface", "%s down", k->name);
	diagnosis_mend(d, "ip link set dev %s up", shell_quote(k->name).text);
	diagnosis_advice(d, "the default route does not come back by itself, unless a network "
			    "manager sets it");
}

static bool no_default(const struct look *l)
{
	return no_route(l) && l->family == AF_INET && !has_default(l);
}

static bool has_default6(const struct look *l)
{
	for (size_t i = 0; i < l->f->host->n_routes6; i++)
		if (l->f->host->routes6[i].dst.len == 0 &&
		    l->f->host->routes6[i].table == DEFAULT_TABLE)
			return true;
	return false;
}

static bool no_default6(const struct look *l)
{
	return no_route(l) && l->family == AF_INET6 && !has_default6(l);
}

/* An uplink that would take a default route from its router, if the host did not forward. */
static const struct link_state *deaf_uplink(const struct look *l)
{
	const struct link_state *found = NULL;

	for (size_t i = 0; i < l->f->host->n_links; i++) {
		const struct link_state *k = &l->f->host->links[i];

		if (!may_be_uplink(l, k) || !k->up ||
		    fact_number(l->f, 0, "net/ipv6/conf/%s/accept_ra", k->name) != 1 ||
		    fact_number(l->f, 0, "net/ipv6/conf/%s/forwarding", k->name) != 1)
			continue;
		if (found)
			return NULL;
		found = k;
	}
	return found;
}

/* The one router that is known, by its link-local address; NULL when there is none, or more. */
static const struct fact_neigh *only_router(const struct look *l)
{
	const struct fact_neigh *found = NULL;

	for (size_t i = 0; i < l->f->n_neighs; i++) {
		const struct fact_neigh *n = &l->f->neighs[i];
		const struct link_state *k = fact_link(l->f, n->ifindex);

		if (n->family != AF_INET6 || !n->router || n->addr[0] != 0xfe || !k ||
		    !may_be_uplink(l, k))
			continue;
		if (found)
			return NULL;
		found = n;
	}
	return found;
}

static void tell_no_default6(const struct look *l, struct diagnosis *d)
{
	const struct link_state *deaf = deaf_uplink(l);
	const struct fact_neigh *router = only_router(l);
	const struct link_state *k = router ? fact_link(l->f, router->ifindex) : NULL;

	diagnosis_saw(d, "route", "no default in table main");
	if (deaf) {
		d->code = "accept-ra";
		diagnosis_cause(
			d,
			"this host has no IPv6 default route: as it forwards, it takes none "
			"from the router advertisements that come in by %s",
			deaf->name);
		diagnosis_saw(d, "sysctl", "net/ipv6/conf/%s/accept_ra = 1 (forwarding: 1)",
			      deaf->name);
		diagnosis_mend(d, "sysctl -w net/ipv6/conf/%s/accept_ra=2",
			       shell_quote(deaf->name).text);
		diagnosis_advice(d, "then with the router's next advertisement, which may take "
				    "minutes; if there is a router out there that advertises");
		return;
	}
	diagnosis_cause(d, "this host has no IPv6 default route: it does not know where the "
			   "Internet is");
	if (router) {
		struct address_str who = address_str(AF_INET6, router->addr);

		diagnosis_saw(d, "neighbour", "%s dev %s router", who.text, k->name);
		diagnosis_mend(d, "ip -6 route add default via %s dev %s", who.text,
			       shell_quote(k->name).text);
		return;
	}
	diagnosis_advice(d, "ip -6 route add default via ROUTER dev UPLINK: no router has "
			    "advertised itself here");
}

/* The one neighbour that is known on @k; NULL when there is none, or more. */
static const struct fact_neigh *only_neighbour(const struct look *l, const struct link_state *k)
{
	const struct fact_neigh *found = NULL;

	for (size_t i = 0; i < l->f->n_neighs; i++) {
		const struct fact_neigh *n = &l->f->neighs[i];

		if (n->ifindex != k->ifindex || n->family != AF_INET || mac_is_zero(&n->mac))
			continue;
		if (found)
			return NULL;
		found = n;
	}
	return found;
}

static void tell_no_default(const struct look *l, struct diagnosis *d)
{
	const struct link_state *k = only_uplink(l, true);
	const struct fact_neigh *n = k ? only_neighbour(l, k) : NULL;
	char source[128], text[IP4_STRLEN];
	struct in_addr gateway;

	diagnosis_cause(d,
			"this host has no default route: it does not know where the Internet is");
	diagnosis_saw(d, "route", "no default in table main");
	if (k && l->f->gateway(k->ifindex, &gateway, source, sizeof(source), l->f->ctx)) {
		diagnosis_saw(d, "lease", "%s: router %s", source, ip4_format(gateway, text));
	} else if (n) {
		memcpy(&gateway, n->addr, sizeof(gateway));
		diagnosis_saw(d, "neighbour", "%s, the only one on %s", ip4_format(gateway, text),
			      k->name);
		diagnosis_advice(d, "that the only neighbour is the router is likely, not certain");
	} else {
		diagnosis_advice(d,
				 "ip route add default via GATEWAY%s%s: the gateway's address is "
				 "not known here, ask whoever runs that network",
				 k ? " dev " : "", k ? k->name : "");
		return;
	}
	diagnosis_mend(d, "ip route add default via %s dev %s", ip4_format(gateway, text),
		       shell_quote(k->name).text);
}

static void tell_no_route(const struct look *l, struct diagnosis *d)
{
	struct address_str dst = address_str(l->family, l->route->route.dst);

	diagnosis_cause(d, "no route of this host leads to %s", dst.text);
	diagnosis_saw(d, "route", "none to %s", dst.text);
	diagnosis_advice(d, "ip %sroute add %s via ROUTER: who that is, is not known here",
			 l->family == AF_INET6 ? "-6 " : "", dst.text);
}

/* ---- reverse path ---- */

static long rp_filter(const struct look *l)
{
	long all = fact_number(l->f, 0, "net/ipv4/conf/all/rp_filter");
	long dev = l->dev ? fact_number(l->f, 0, "net/ipv4/conf/%s/rp_filter", l->dev->name) : 0;

	return all > dev ? all : dev;
}

static bool rp_filter_strict(const struct look *l)
{
	return l->dev && rp_filter(l) == 1;
}

static void tell_rp_filter(const struct look *l, struct diagnosis *d)
{
	struct address_str src = address_str(l->family, l->drop->seen.src);
	const struct path_route *r = &l->g->source_route;
	const struct link_state *back =
		l->g->has_source_route ? fact_link(l->f, (int)r->head.ifindex) : NULL;

	diagnosis_cause(d,
			"it came in by %s, but this host's route to its sender %s leads %s%s: "
			"rp_filter (strict) takes that for a forgery",
			l->dev->name, src.text, back ? "out by " : "elsewhere",
			back ? back->name : "");
	diagnosis_saw(d, "sysctl", "net/ipv4/conf/%s/rp_filter = %ld (all: %ld)", l->dev->name,
		      fact_number(l->f, 0, "net/ipv4/conf/%s/rp_filter", l->dev->name),
		      fact_number(l->f, 0, "net/ipv4/conf/all/rp_filter"));
	if (back)
		diagnosis_saw(d, "route", "%s dev %s", src.text, back->name);
	diagnosis_mend(d, "sysctl -w net/ipv4/conf/%s/rp_filter=2", shell_quote(l->dev->name).text);
	diagnosis_advice(d,
			 "2 is loose: any route to the sender will do. If the way in is the wrong "
			 "one, mend that route instead");
}

/* ---- size ---- */

static bool too_big(const struct look *l)
{
	return l->out && l->drop->seen.len > l->out->mtu;
}

static void tell_too_big(const struct look *l, struct diagnosis *d)
{
	uint32_t len = l->drop->seen.len;

	diagnosis_cause(d,
			"it has %u bytes and must not be fragmented, but %s takes %u at most; the "
			"sender was told so (ICMP)",
			len, l->out->name, l->out->mtu);
	diagnosis_saw(d, "interface", "%s mtu %u", l->out->name, l->out->mtu);
	diagnosis_mend(d, "ip link set dev %s mtu %u", shell_quote(l->out->name).text, len);
	diagnosis_advice(d,
			 "only if the line behind %s carries that; else give the guests an MTU of "
			 "%u",
			 l->out->name, l->out->mtu);
}

/* ---- neighbours ---- */

static const uint8_t *next_hop(const struct look *l)
{
	return l->route->route.gw_family ? l->route->route.gateway : l->route->route.dst;
}

static bool out_no_carrier(const struct look *l)
{
	return l->route && l->out && !l->out->carrier;
}

static void tell_no_carrier(const struct look *l, struct diagnosis *d)
{
	diagnosis_cause(d, "%s has no carrier: %s", l->out->name,
			strcmp(l->out->kind, "bridge") == 0
				? "none of its ports is up"
				: "its cable, or its other end, is dead");
	diagnosis_saw(d, "interface", "%s no carrier", l->out->name);
	diagnosis_advice(d, "no command of this host mends that: look at the other end of %s",
			 l->out->name);
}

static bool next_is_known(const struct look *l)
{
	return found_route(l) && l->out;
}

static void tell_silent(const struct look *l, struct diagnosis *d)
{
	uint8_t family = l->route->route.gw_family ? l->route->route.gw_family : l->family;
	struct address_str who = address_str(family, next_hop(l));
	bool gateway = l->route->route.gw_family;

	diagnosis_cause(d,
			"%s%s does not answer on %s when asked for its MAC: it is off, not on that "
			"network, or the address is wrong",
			gateway ? "the gateway " : "", who.text, l->out->name);
	diagnosis_saw(d, "neighbour", "%s dev %s FAILED", who.text, l->out->name);
	if (gateway)
		diagnosis_saw(d, "route", "via %s dev %s table %u", who.text, l->out->name,
			      l->route->route.table);
	diagnosis_advice(d, "no command of this host mends that: see to %s, then ask again",
			 who.text);
}

/* ---- the guest's tap ---- */

static void tell_full_ring(const struct look *l, struct diagnosis *d)
{
	const char *tap = l->dev ? l->dev->name : "?";
	struct fact_vmm vmm;

	if (!l->dev || !l->f->vmm(tap, &vmm, l->f->ctx)) {
		diagnosis_cause(d, "the VM does not read its tap %s: %s is full", tap,
				"the queue there");
		diagnosis_saw(d, "interface", "%s queue full", tap);
		diagnosis_advice(d, "whether it is paused or too slow cannot be seen from here");
		return;
	}
	diagnosis_saw(d, "process", "%d (%s)%s%s", vmm.pid, vmm.comm, vmm.vm_name[0] ? " VM " : "",
		      vmm.vm_name);
	if (vmm.stopped) {
		diagnosis_cause(d, "the VM does not read its tap %s: its process is stopped", tap);
		diagnosis_mend(d, "kill -CONT %d", vmm.pid);
		return;
	}
	diagnosis_cause(d,
			"the VM does not read its tap %s fast enough, or is paused: the queue "
			"there is full",
			tap);
	diagnosis_advice(d, "see whether the VM is paused (virsh list, or its monitor), or has too "
			    "little CPU");
}

static bool not_in_bridge(const struct look *l)
{
	const struct path_device *v = l->dev ? path_device_find(l->w->view, l->dev->ifindex) : NULL;

	return v && v->role == DEVICE_GUEST && !l->dev->master &&
	       !address_on(l->f, l->dev->ifindex);
}

static void tell_not_in_bridge(const struct look *l, struct diagnosis *d)
{
	diagnose_port(l->dev->ifindex, l->w->view, l->f, d);
}

/* ---- programs and sockets ---- */

static void tell_tc(const struct look *l, struct diagnosis *d)
{
	bool egress = strcmp(l->reason, "TC_EGRESS") == 0;
	const char *way = egress ? "egress" : "ingress";
	const char *dev = l->dev ? l->dev->name : "?";
	char kind[16];
	uint16_t pref;

	if (l->dev && l->f->filter(l->dev->ifindex, egress, &pref, kind, sizeof(kind), l->f->ctx)) {
		diagnosis_cause(d, "a tc filter at %s (%s) drops it", dev, way);
		diagnosis_saw(d, "tc", "%s %s pref %u %s, the only one", dev, way, pref, kind);
		diagnosis_mend(d, "tc filter del dev %s %s pref %u", shell_quote(dev).text, way,
			       pref);
		diagnosis_advice(d, "somebody has put the filter there: is it wanted?");
		return;
	}
	diagnosis_cause(d, "a tc filter or BPF program at %s (%s) drops it", dev, way);
	diagnosis_saw(d, "tc", "%s %s", dev, way);
	diagnosis_advice(d,
			 "which it is, the kernel does not say: tc filter show dev %s %s; bpftool "
			 "net show dev %s",
			 dev, way, dev);
}

void diagnose_egress(const struct egress_filter *f, struct diagnosis *ret)
{
	*ret = (struct diagnosis){.code = f->why ? "tc-unknown" : "tc"};
	if (f->why)
		diagnosis_cause(ret, "not passed: %s at %s (egress): %s", f->what, f->dev, f->why);
	else
		diagnosis_cause(ret, "the %s at %s (egress) drops it", f->what, f->dev);
	diagnosis_saw(ret, "tc", "%s egress %s", f->dev, f->what);
	if (f->why) {
		diagnosis_advice(ret, "--send lets the packet leave, by that filter");
	} else if (f->pref) {
		diagnosis_mend(ret, "tc filter del dev %s egress pref %u", shell_quote(f->dev).text,
			       f->pref);
		diagnosis_advice(ret, "somebody has put the filter there: is it wanted?");
	} else {
		diagnosis_advice(ret,
				 "somebody has put the program there, and can take it away: "
				 "bpftool net show dev %s",
				 f->dev);
	}
}

static void tell_xdp(const struct look *l, struct diagnosis *d)
{
	const char *dev = l->dev ? l->dev->name : "?";

	diagnosis_cause(d, "an XDP program at %s drops it", dev);
	diagnosis_saw(d, "xdp", "%s", dev);
	diagnosis_mend(d, "ip link set dev %s xdpgeneric off", shell_quote(dev).text);
	diagnosis_advice(d, "somebody has put the program there: is it wanted?");
}

static void tell_qdisc(const struct look *l, struct diagnosis *d)
{
	const char *dev = l->dev ? l->dev->name : "?";

	diagnosis_cause(d, "the queue at %s is full or polices: more is sent than it lets through",
			dev);
	diagnosis_saw(d, "qdisc", "%s", dev);
	diagnosis_advice(d, "tc -s qdisc show dev %s tells which, and its limits", dev);
}

static void tell_no_listener(const struct look *l, struct diagnosis *d)
{
	const struct path_seen *s = &l->drop->seen;
	struct address_str dst = address_str(l->family, s->dst);
	const char *proto = s->l4 == IPPROTO_TCP ? "TCP" : "UDP";

	diagnosis_cause(d, "nobody on this host listens on %s %s port %u%s", dst.text, proto,
			s->dport,
			s->dport == 53 ? ": a guest that asks here for names gets none" : "");
	diagnosis_saw(d, "socket", "none for %s %s:%u", proto, dst.text, s->dport);
	diagnosis_advice(d, "start the service, or let the guest ask elsewhere");
}

static bool has_ports(const struct look *l)
{
	return l->drop->seen.l4 == IPPROTO_TCP || l->drop->seen.l4 == IPPROTO_UDP;
}

static bool ttl_over(const struct look *l)
{
	return l->drop->seen.ttl <= 1;
}

static void tell_ttl(const struct look *l, struct diagnosis *d)
{
	diagnosis_cause(d, "its TTL ended here: sent so (traceroute does), or it goes round in a "
			   "loop of routes");
	diagnosis_saw(d, "packet", "ttl %u", l->drop->seen.ttl);
	diagnosis_advice(d, "nothing is broken unless packets with a usual TTL end so");
}

static void tell_local_source(const struct look *l, struct diagnosis *d)
{
	struct address_str src = address_str(l->family, l->drop->seen.src);

	diagnosis_cause(d, "the guest uses the address %s, which is this host's own", src.text);
	diagnosis_saw(d, "packet", "from %s", src.text);
	diagnosis_advice(d, "give the guest another address");
}

static void tell_not_wanted(const struct look *l, struct diagnosis *d)
{
	struct address_str dst = address_str(l->family, l->drop->seen.dst);

	diagnosis_cause(d, "nobody here has asked for multicast to %s: nothing is lost", dst.text);
	diagnosis_saw(d, "packet", "to %s", dst.text);
	diagnosis_advice(d, "nothing is broken");
}

/* Between our network and anything else nothing is forwarded, as it is configured. */
static bool is_isolated(const struct look *l)
{
	const char *from = fact_ours(l->in), *to = fact_ours(l->out);

	return (from && l->f->isolated(from, l->f->ctx)) || (to && l->f->isolated(to, l->f->ctx));
}

static void tell_isolated_network(const struct look *l, struct diagnosis *d)
{
	const char *from = fact_ours(l->in);
	const char *name = from && l->f->isolated(from, l->f->ctx) ? from : fact_ours(l->out);

	diagnosis_cause(d, "the network %s is isolated: nothing is forwarded out of it or into it",
			name);
	diagnosis_saw(d, "network", "%s mode isolated", name);
	diagnosis_advice(d,
			 "that is how it is configured; `mode` in its file, or vmlane network set "
			 "NAME mode=nat, changes it");
}

static const struct drop_case cases[] = {
	{"route-blackhole", NULL, {NULL}, is_blackhole, tell_refusal},
	{"route-unreachable", NULL, {NULL}, is_unreachable, tell_refusal},
	{"route-prohibit", NULL, {NULL}, is_prohibit, tell_refusal},
	{"uplink-down", NULL, {NULL}, no_route_uplink_down, tell_uplink_down},
	{"no-default-route", NULL, {NULL}, no_default, tell_no_default},
	{"no-default-route", NULL, {NULL}, no_default6, tell_no_default6},
	{"no-route", NULL, {NULL}, no_route, tell_no_route},
	{"vmlane-policy", NULL, {"ip_error", "ip6_forward"}, is_isolated, tell_isolated_network},
	{"ip-forward-off", NULL, {"ip_error", "ip6_forward"}, forwarding_off, tell_forwarding_off},
	{"forwarding-off", NULL, {"ip_error"}, forwarding_off_here, tell_forwarding_off_here},
	{"rp-filter", "IP_RPFILTER", {NULL}, rp_filter_strict, tell_rp_filter},
	{"source-is-hosts", "IP_LOCAL_SOURCE", {NULL}, NULL, tell_local_source},
	{"too-big", "PKT_TOO_BIG", {NULL}, too_big, tell_too_big},
	{"ttl", "IP_INHDR", {"ip_forward"}, ttl_over, tell_ttl},
	{"no-carrier", "NEIGH_FAILED", {NULL}, out_no_carrier, tell_no_carrier},
	{"no-carrier", NULL, {"neigh_invalidate"}, out_no_carrier, tell_no_carrier},
	{"neighbour-silent", "NEIGH_FAILED", {NULL}, next_is_known, tell_silent},
	{"neighbour-silent", NULL, {"neigh_invalidate"}, next_is_known, tell_silent},
	{"vm-not-reading", "FULL_RING", {NULL}, NULL, tell_full_ring},
	{"not-in-bridge", "OTHERHOST", {NULL}, not_in_bridge, tell_not_in_bridge},
	{"tc", "TC_EGRESS", {NULL}, NULL, tell_tc},
	{"tc", "TC_INGRESS", {NULL}, NULL, tell_tc},
	{"xdp", NULL, {"do_xdp_generic"}, NULL, tell_xdp},
	{"qdisc-full", "QDISC_DROP", {NULL}, NULL, tell_qdisc},
	{"not-wanted", NULL, {"ip6_mc_input"}, NULL, tell_not_wanted},
	{"no-listener", "NO_SOCKET", {NULL}, has_ports, tell_no_listener},
};

bool diagnose_ip(const struct look *l, struct diagnosis *d)
{
	return drop_case_find(cases, ARRAY_SIZE(cases), l, d);
}
