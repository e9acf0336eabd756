/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor_way.c - would guests' packets get through? Their ways are concluded as `vmlane explain` does, and
 * what is wrong with one is told as of a real packet (path/diagnose.h). Nothing is sent.
 *
 * A network stands for its guests: what stops those that are tried alike is told once, with a command for
 * the whole of it.
 */
#include "inspect/doctor_internal.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "inspect/explain.h"
#include "inspect/probe_all.h"

#define HTTPS 443
#define DNS 53
#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define TTL 64
#define SPORT 50000
#define TCP_SYN 2
#define TEST_NET 0xc00002fe /* 192.0.2.254, RFC 5737 */
#define GUESTS_MAX 4	    /* of one network, that are tried */
#define PACKETS_MAX 600	    /* of all networks */

/**
 * struct way - a packet under way
 * @n:		from which network; @g: from which guest, NULL: anybody's, who is behind none of its ports
 * @craft:	the packet
 * @all:	what is wrong with it is told of the whole network
 * @silent:	nothing is told, only remembered
 * @bad:	something was wrong; @print: what; @unknown: it cannot be said
 */
struct way {
	struct doctor *d;
	const struct doctor_net *n;
	const struct inventory_guest *g;
	struct craft craft;
	bool all;
	bool silent;
	bool bad;
	bool unknown;
	uint64_t print;
};

/* ---- what is wrong with it ---- */

/*
 * What is as it was set up, by us or by the network's own maker; what other checks know better; and what
 * would be wrong with a guest that sent such a packet.
 */
static const char *const passed_over[] = {
	"vmlane-policy",   "guard",	     "probe",	      "not-wanted",	 "ttl",
	"source-is-hosts", "no-listener",    "no-port",	      "no-vm",		 "port-down",
	"port-shut",	   "port-blocked",   "isolated",      "unknown",	 "too-big",
	"not-in-bridge",   "neighbour-wait", "guest-address", "guest-netmask",	 "guest-gateway",
	"arp-unanswered",  "mac-twice",	     "address-twice", "mac-table-wrong", "no-carrier",
};

/* About the host as a whole, whichever network it was seen from. */
static const char *const of_host[] = {
	"ip-forward-off",  "no-default-route",	"no-route",	  "uplink-down",
	"route-blackhole", "route-unreachable", "route-prohibit", "conntrack-full",
	"accept-ra",	   "neighbour-silent",
};

static bool is_one_of(const char *code, const char *const *codes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(codes[i], code) == 0)
			return true;
	return false;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* "iifname X oifname X ... drop": guests of the bridge shall not reach each other (Docker's icc=false). */
static bool parts_guests(const char *rule, const char *bridge)
{
	char from[IFNAMSIZ + 16], to[IFNAMSIZ + 16];

	snprintf(from, sizeof(from), "iifname \"%s\"", bridge);
	snprintf(to, sizeof(to), "oifname \"%s\"", bridge);
	return strstr(rule, from) && strstr(rule, to);
}

/*
 * Rules by which the network's own maker sets it apart: libvirt's isolated networks, Docker's and Podman's
 * internal ones and those that they keep from each other. DOCKER-USER has what the administrator wrote.
 */
static bool is_makers(const struct journey *j, const struct doctor_net *n)
{
	for (size_t i = 0; i < j->n_hops; i++) {
		const struct path_decision *p = &j->hops[i].decision;

		if (j->hops[i].kind != HOP_DROP || !p->drops)
			continue;
		if (begins(p->chain, "LIBVIRT_") || strcmp(p->table, "libvirt_network") == 0)
			return true;
		if (n->ours)
			continue;
		if ((begins(p->chain, "DOCKER") && !begins(p->chain, "DOCKER-USER")) ||
		    begins(p->chain, "NETAVARK") || strcmp(p->table, "netavark") == 0 ||
		    parts_guests(p->rule, n->bridge->name))
			return true;
	}
	return false;
}

static bool is_code(const struct diagnosis *d, const char *code)
{
	return strcmp(d->code, code) == 0;
}

static bool is_forwarding(const struct diagnosis *why)
{
	return is_code(why, "ip-forward-off") || is_code(why, "forwarding-off");
}

/*
 * An uplink whose own address is private has a router behind it that may translate, and know the way; a tunnel
 * has somebody who seldom does.
 */
static enum doctor_severity how_bad_untranslated(const struct doctor *d, const struct journey *j)
{
	const struct link_state *out = NULL;

	for (size_t i = 0; i < j->n_hops; i++)
		if (j->hops[i].kind == HOP_UPLINK_OUT)
			out = actual_link_by_index(d->f->host, j->hops[i].ifindex);
	for (size_t i = 0; i < d->f->host->n_addrs && out; i++) {
		const struct addr_state *a = &d->f->host->addrs[i];
		uint8_t addr[16] = {0};

		memcpy(addr, &a->prefix.addr, sizeof(a->prefix.addr));
		if (a->ifindex == out->ifindex && !address_private(AF_INET, addr))
			return DOCTOR_WARNING;
	}
	return out && mac_is_zero(&out->mac) ? DOCTOR_WARNING : DOCTOR_NOTE;
}

/*
 * Of a host that neither forwards nor translates for anybody nobody has said that guests shall get out: then
 * it is for them to say what is wrong.
 */
static enum doctor_severity how_bad(const struct way *w, const struct journey *j,
				    const struct diagnosis *why)
{
	if (w->n->ours)
		return DOCTOR_ERROR;
	if (!w->n->n_running)
		return DOCTOR_NOTE;
	if (is_code(why, "not-translated"))
		return how_bad_untranslated(w->d, j);
	if (is_forwarding(why) && !doctor_translates(w->d))
		return DOCTOR_NOTE;
	/* For this bridge alone: somebody may have cut it off. */
	if (is_code(why, "forwarding-off"))
		return DOCTOR_WARNING;
	return DOCTOR_ERROR;
}

/*
 * Without the daemon nobody tells whether a network of ours is routed or isolated. Its rules stand, so
 * that it is taken to be as it shall be.
 */
static bool is_our_choice(const struct way *w, const struct diagnosis *why)
{
	return (is_code(why, "not-translated") || is_forwarding(why)) && w->n->ours &&
	       !w->n->mode && w->d->f->chain("inet", "vmlane", "forward", w->d->f->ctx);
}

/* Networks of ours forward by their interfaces' own settings, whatever the host as a whole does. */
static void tell_our_forwarding(struct way *w)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "forwarding-off", w->n);
	const char *name = w->n->bridge->name;

	diagnosis_cause(&f.why,
			"nothing that comes in by %s is forwarded: somebody has changed what "
			"vmlaned had set",
			name);
	diagnosis_saw(&f.why, "sysctl", "net/ipv4/conf/%s/forwarding = %ld", name,
		      fact_number(w->d->f, 0, "net/ipv4/conf/%s/forwarding", name));
	diagnosis_mend(&f.why, "vmlane apply");
	doctor_add(w->d, &f);
}

static void tell(struct way *w, const struct journey *j, const struct diagnosis *why)
{
	struct doctor_finding f = w->g && !w->all ? doctor_of_guest(DOCTOR_ERROR, "", w->g)
						  : doctor_new_finding(DOCTOR_ERROR, "", w->n);

	if (is_forwarding(why) && w->n->ours && w->craft.family == AF_INET) {
		tell_our_forwarding(w);
		return;
	}
	if (is_one_of(why->code, of_host, ARRAY_SIZE(of_host)))
		snprintf(f.where, sizeof(f.where), "host");
	f.why = *why;
	f.severity = how_bad(w, j, why);
	doctor_add(w->d, &f);
}

static uint64_t print_of(const struct diagnosis *d)
{
	uint64_t h = hash_str(HASH_INIT, d->code);

	for (size_t i = 0; i < d->n_evidence; i++)
		h = hash_str(h, d->evidence[i].text);
	return h;
}

static bool explained(const struct way *w, const struct journey *j,
		      const struct journey_words *words, struct diagnosis *ret)
{
	struct facts f = *w->d->f;

	f.guest = (struct diagnosis_guest){.all = w->all};
	return diagnosis_wanted(j, words->view, &f.guest) && diagnose(j, words, &f, ret);
}

/* Nobody answers where nobody is. */
static bool is_nobodys(const struct way *w, bool reply)
{
	return reply && !w->g && !w->n->n_running;
}

static void tell_unknown(struct way *w, const struct journey *j)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "unknown", w->n);
	const struct hop *h = &j->hops[j->n_hops - 1];

	w->unknown = true;
	if (w->silent || h->kind != HOP_UNKNOWN)
		return;
	diagnosis_cause(&f.why, "it cannot be said whether packets of its guests get through: %s",
			h->decision.rule);
	diagnosis_saw(&f.why, "packet", "%s", h->decision.rule);
	diagnosis_advice(&f.why, "vmlane probe GUEST --all finds out, with packets");
	doctor_add(w->d, &f);
}

static bool on_journey(const struct journey *j, const struct journey_words *words, bool reply,
		       void *ctx)
{
	struct way *w = ctx;
	struct diagnosis why;

	if (is_nobodys(w, reply))
		return false;
	if (j->end == JOURNEY_UNKNOWN && j->n_hops) {
		tell_unknown(w, j);
		return false;
	}
	if (!explained(w, j, words, &why))
		return false;
	if (is_one_of(why.code, passed_over, ARRAY_SIZE(passed_over)) || is_makers(j, w->n) ||
	    is_our_choice(w, &why))
		return true;
	w->bad = true;
	w->print = print_of(&why);
	if (!w->silent)
		tell(w, j, &why);
	return true;
}

/* ---- whose it is ---- */

static struct path_device *device_of(struct doctor *d, int ifindex)
{
	for (size_t i = 0; i < d->subject.view.n_devices; i++)
		if (d->subject.devices[i].ifindex == ifindex)
			return &d->subject.devices[i];
	return NULL;
}

static void walk(struct way *w)
{
	struct probe_request r = {.frame = w->craft,
				  .where = w->g ? w->g->ifindex : w->n->bridge->ifindex};
	struct path_device *port = w->g ? device_of(w->d, w->g->ifindex) : NULL;
	struct explain_outcome outcome;

	if (!w->d->state || w->d->report->packets == PACKETS_MAX)
		return;
	w->d->report->packets++;
	if (port)
		port->role = DEVICE_GUEST;
	if (explain_run_in(w->d->state, &w->d->subject, &r, on_journey, w, &outcome, NULL) < 0)
		w->d->report->packets--;
	if (port)
		port->role = DEVICE_PORT;
}

/* The last address of its network that is not the host's: if it is a guest's, that does no harm. */
static struct in_addr anybody(const struct addr_state *net)
{
	struct in_addr a = ip4_from_host(ip4_host(ip4_broadcast(&net->prefix)) - 1);

	return ip4_equal(a, net->prefix.addr) ? ip4_from_host(ip4_host(a) - 1) : a;
}

static struct in_addr source_of(const struct way *w)
{
	struct in_addr a;

	for (size_t i = 0; w->g && i < w->g->n_addrs; i++) {
		if (w->g->addrs[i].family != AF_INET || w->g->addrs[i].stale)
			continue;
		memcpy(&a, w->g->addrs[i].addr, sizeof(a));
		if (ip4_in(&w->n->addr->prefix, a))
			return a;
	}
	return anybody(w->n->addr);
}

static struct way way_from(struct doctor *d, const struct doctor_net *n,
			   const struct inventory_guest *g)
{
	struct way w = {.d = d, .n = n, .g = g};

	w.craft = (struct craft){.family = AF_INET,
				 .eth_dst = n->bridge->mac,
				 .sport = SPORT,
				 .ttl = TTL,
				 .tcp_flags = TCP_SYN};
	if (g)
		w.craft.eth_src = g->mac;
	else
		memcpy(w.craft.eth_src.b, "\x52\x54\x00\x00\x00\xfe", 6);
	return w;
}

static void set_source(struct way *w)
{
	struct in_addr src = source_of(w);

	memcpy(w->craft.src, &src, sizeof(src));
}

/*
 * Guests that can speak for their network: on, and with a MAC; where guards look at addresses, with one that is
 * known, too. At most @max into @ret; their number.
 */
static size_t speakers(const struct doctor_net *n, const struct inventory_guest **ret, size_t max)
{
	size_t found = 0;

	for (size_t i = 0; i < n->n_guests && found < max; i++) {
		const struct inventory_guest *g = &n->guests[i];

		if (doctor_runs(g) && g->has_mac && (!n->ours || g->n_addrs))
			ret[found++] = g;
	}
	return found;
}

/* ---- questions ---- */

static void outside4(struct way *w)
{
	inet_pton(AF_INET, PROBE_OUTSIDE4, w->craft.dst);
	w->craft.kind = CRAFT_TCP;
	w->craft.dport = HTTPS;
	set_source(w);
	walk(w);
}

/* All who speak for it, or anybody: told of the whole network when all have the same. */
static void ask_each(struct doctor *d, const struct doctor_net *n, void (*question)(struct way *w))
{
	const struct inventory_guest *g[GUESTS_MAX] = {NULL};
	size_t k = speakers(n, g, GUESTS_MAX), bad = 0;
	bool alike = true, unknown = false;
	uint64_t print = 0;

	if (!k)
		k = 1; /* g[0] is NULL: anybody */
	for (size_t i = 0; i < k; i++) {
		struct way w = way_from(d, n, g[i]);

		w.silent = true;
		question(&w);
		alike &= !bad || !w.bad || w.print == print;
		print = w.bad ? w.print : print;
		bad += w.bad;
		unknown |= w.unknown;
	}
	for (size_t i = 0; i < k && (bad || unknown); i++) {
		struct way w = way_from(d, n, g[i]);

		w.all = alike && bad == k;
		question(&w);
		if (w.all || !bad)
			break;
	}
}

/* ---- IPv6 ---- */

static const struct addr6_state *address6(const struct doctor *d, const struct doctor_net *n)
{
	const struct actual *a = d->f->host;

	for (size_t i = actual_first_addr6(a, n->bridge->ifindex);
	     i < a->n_addrs6 && a->addrs6[i].ifindex == n->bridge->ifindex; i++)
		if (!ip6_is_linklocal(&a->addrs6[i].prefix.addr))
			return &a->addrs6[i];
	return NULL;
}

static void outside6(struct way *w)
{
	const struct addr6_state *net = address6(w->d, w->n);
	struct in6_addr src = ip6_from_mac(&net->prefix, &w->craft.eth_src);

	for (size_t i = 0; w->g && i < w->g->n_addrs; i++) {
		struct in6_addr a;

		memcpy(&a, w->g->addrs[i].addr, sizeof(a));
		if (w->g->addrs[i].family == AF_INET6 && !w->g->addrs[i].stale &&
		    ip6_in(&net->prefix, &a))
			src = a;
	}
	inet_pton(AF_INET6, PROBE_OUTSIDE6, w->craft.dst);
	memcpy(w->craft.src, &src, sizeof(src));
	w->craft.family = AF_INET6;
	w->craft.kind = CRAFT_TCP;
	w->craft.dport = HTTPS;
	walk(w);
}

/* A host without IPv6 of its own, or that is no router, has promised nothing. */
static bool promises_ipv6(const struct doctor *d, const struct doctor_net *n)
{
	const json_t *config = json_object_get(n->config, "ipv6");

	if (!address6(d, n))
		return false;
	if (n->ours)
		return json_is_true(json_object_get(config, "router"));
	for (size_t i = 0; i < d->f->host->n_routes6; i++)
		if (d->f->host->routes6[i].dst.len == 0 &&
		    d->f->host->routes6[i].oif != n->bridge->ifindex)
			return fact_number(d->f, 0, "net/ipv6/conf/all/forwarding") != 0;
	return false;
}

/* ---- the host's services ---- */

/* enum service - who hears what comes to a port on @n */
enum service { NOBODY, SOMEBODY, FOR_IT };

static enum service service_at(const struct doctor *d, const struct doctor_net *n, uint16_t port)
{
	enum service s = NOBODY;

	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct listener *l = &d->listeners[i];

		if (l->proto != IPPROTO_UDP || l->port != port ||
		    (l->ifindex && l->ifindex != n->bridge->ifindex))
			continue;
		if (l->ifindex || (n->addr && ip4_equal(l->addr, n->addr->prefix.addr)))
			return FOR_IT;
		if (l->addr.s_addr == INADDR_ANY)
			s = SOMEBODY;
	}
	return s;
}

/* A server on all interfaces may not be meant for this network; where it is the only one, it is. */
static bool is_served(const struct doctor *d, const struct doctor_net *n, uint16_t port)
{
	enum service s = service_at(d, n, port);
	size_t others = 0;

	for (size_t i = 0; i < d->n_nets; i++)
		others += !d->nets[i].ours && d->nets[i].addr && d->nets[i].n_guests;
	return s == FOR_IT || (s == SOMEBODY && !n->ours && others == 1 && !d->only);
}

static void ask_name(struct way *w)
{
	memcpy(w->craft.dst, &w->n->addr->prefix.addr, 4);
	w->craft.kind = CRAFT_UDP;
	w->craft.dport = DNS;
	set_source(w);
	walk(w);
}

/* DISCOVER goes to all and has no source; by the bridge, as its ports would be flooded in vain. */
static void ask_address(struct doctor *d, const struct doctor_net *n)
{
	struct way w = way_from(d, n, NULL);

	memset(w.craft.eth_dst.b, 0xff, sizeof(w.craft.eth_dst.b));
	memset(w.craft.dst, 0xff, 4);
	w.craft.kind = CRAFT_UDP;
	w.craft.sport = DHCP_CLIENT;
	w.craft.dport = DHCP_SERVER;
	w.all = true;
	walk(&w);
}

/* ---- each other ---- */

static bool is_isolated(const struct doctor *d, const struct inventory_guest *g)
{
	const struct link_state *p = actual_link_by_index(d->f->host, g->ifindex);

	return p && p->isolated;
}

/* Where the host has no address itself, any will do: the two are on one Ethernet. */
static struct in_addr address_of(const struct way *w, unsigned int number)
{
	struct in_addr a;

	for (size_t i = 0; i < w->g->n_addrs; i++) {
		if (w->g->addrs[i].family != AF_INET || w->g->addrs[i].stale)
			continue;
		memcpy(&a, w->g->addrs[i].addr, sizeof(a));
		return a;
	}
	return ip4_from_host((w->n->addr ? ip4_host(anybody(w->n->addr)) : TEST_NET) - number);
}

/* The first with the second: rules of bridges, and those that br_netfilter shows bridged frames. */
static void ask_neighbour(struct doctor *d, const struct doctor_net *n)
{
	const struct inventory_guest *g[2] = {NULL};
	struct in_addr src, dst;
	struct way w, to;

	if (speakers(n, g, 2) < 2 || (is_isolated(d, g[0]) && is_isolated(d, g[1])))
		return;
	w = way_from(d, n, g[0]);
	to = way_from(d, n, g[1]);
	src = address_of(&w, 0);
	dst = address_of(&to, 1);
	memcpy(w.craft.src, &src, sizeof(src));
	memcpy(w.craft.dst, &dst, sizeof(dst));
	w.craft.eth_dst = g[1]->mac;
	w.craft.kind = CRAFT_ECHO;
	w.craft.dport = 1;
	w.all = true;
	walk(&w);
}

/* By the LAN's own router, whose MAC this host may know. */
static void ask_lan(struct doctor *d, const struct doctor_net *n)
{
	const struct inventory_guest *g[1] = {NULL};
	struct way w;

	if (!speakers(n, g, 1) || !n->addr)
		return;
	w = way_from(d, n, g[0]);
	for (size_t i = 0; i < d->f->host->n_routes; i++) {
		const struct route_state *r = &d->f->host->routes[i];
		uint8_t addr[16] = {0};
		const struct fact_neigh *gateway;

		memcpy(addr, &r->gateway, sizeof(r->gateway));
		gateway = r->oif == n->bridge->ifindex && r->gateway.s_addr
				  ? fact_neigh(d->f, r->oif, AF_INET, addr)
				  : NULL;
		if (!gateway || mac_is_zero(&gateway->mac))
			continue;
		w.craft.eth_dst = gateway->mac;
		w.all = true;
		outside4(&w);
		return;
	}
}

/* ---- all of it ---- */

static bool is_isolated_net(const struct doctor_net *n)
{
	return n->mode && strcmp(n->mode, "isolated") == 0;
}

/* The host's own address on it is a LAN's: guests have their router there. */
static bool is_lan(const struct doctor_net *n)
{
	return n->bridged || n->uplink;
}

static void check_ways(struct doctor *d, const struct doctor_net *n)
{
	ask_neighbour(d, n);
	if (is_lan(n)) {
		ask_lan(d, n);
		return;
	}
	if (n->addr && is_served(d, n, DNS))
		ask_each(d, n, ask_name);
	if (is_served(d, n, DHCP_SERVER))
		ask_address(d, n);
	if (n->addr && !is_isolated_net(n))
		ask_each(d, n, outside4);
	if (promises_ipv6(d, n))
		ask_each(d, n, outside6);
}

static void tell_unseen(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "rules-unseen", NULL);

	diagnosis_cause(&f.why,
			"the host's rules cannot be read: whether packets get through was not "
			"looked at");
	diagnosis_saw(&f.why, "rule", "%.150s", d->state_err.message);
	diagnosis_advice(&f.why, "root may: sudo vmlane doctor");
	doctor_add(d, &f);
}

static void tell_more(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "more-networks", NULL);

	diagnosis_cause(&f.why,
			"the ways of %d packets were concluded, and not those of all networks",
			PACKETS_MAX);
	diagnosis_advice(&f.why, "vmlane doctor NETWORK looks at one of them");
	doctor_add(d, &f);
}

void doctor_check_ways(struct doctor *d)
{
	if (!d->state)
		tell_unseen(d);
	for (size_t i = 0; i < d->n_nets && d->state; i++)
		if (d->nets[i].bridge->up)
			check_ways(d, &d->nets[i]);
	if (d->report->packets == PACKETS_MAX)
		tell_more(d);
}
