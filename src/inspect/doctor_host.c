/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_host.c - what all networks share: the ways out of the host, and its settings as a whole. */
#include "inspect/doctor_internal.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "inspect/probe_all.h"
#include "kernel/rtnl_detail.h"
#include "path/tcx.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED_UPSTREAM "/run/systemd/resolve/resolv.conf"
#define FULL_PERCENT 90

/* ---- uplinks ---- */

/* Unnumbered lines borrow an address: lo's, or one that is alone in its subnet. */
static bool is_borrowed(const struct doctor *d, const struct addr_state *a)
{
	const struct link_state *l = actual_link_by_index(d->f->host, a->ifindex);

	if (!l || ip4_host(a->prefix.addr) >> 24 == 127)
		return false;
	return strcmp(l->name, "lo") == 0 || (a->prefix.len == 32 && doctor_is_way_out(d, l));
}

static bool has_address(const struct doctor *d, int ifindex)
{
	for (size_t i = 0; i < d->f->host->n_addrs; i++)
		if (d->f->host->addrs[i].ifindex == ifindex ||
		    is_borrowed(d, &d->f->host->addrs[i]))
			return true;
	return false;
}

static bool is_default(const struct route_state *r)
{
	return r->dst.len == 0 && r->table == RT_TABLE_MAIN && r->oif;
}

/* A way out that another is preferred to is missed only when that one fails. */
static enum doctor_severity how_bad(const struct doctor *d, const struct route_state *r)
{
	for (size_t i = 0; i < d->f->host->n_routes; i++)
		if (is_default(&d->f->host->routes[i]) && d->f->host->routes[i].metric < r->metric)
			return DOCTOR_WARNING;
	return DOCTOR_ERROR;
}

static void check_line(struct doctor *d, const struct route_state *r, const struct link_state *l)
{
	struct doctor_finding f = doctor_new_finding(how_bad(d, r), "no-carrier", NULL);

	if (!l->up || l->carrier)
		return;
	diagnosis_cause(&f.why,
			"the uplink %s has no carrier, and the default route leads out by it: "
			"its cable, or its other end, is dead",
			l->name);
	diagnosis_saw(&f.why, "interface", "%s no carrier", l->name);
	diagnosis_advice(&f.why, "no command of this host mends that: look at the other end of %s",
			 l->name);
	doctor_add(d, &f);
}

/* A point-to-point line needs none of its own. */
static void check_address(struct doctor *d, const struct route_state *r, const struct link_state *l)
{
	struct doctor_finding f = doctor_new_finding(how_bad(d, r), "uplink-no-address", NULL);
	bool ethernet = !mac_is_zero(&l->mac);

	if (!ethernet || !l->carrier || has_address(d, l->ifindex))
		return;
	diagnosis_cause(&f.why,
			"the default route leads out by %s, which has no IPv4 address: nothing can "
			"be translated to it, and nobody can answer",
			l->name);
	diagnosis_saw(&f.why, "interface", "%s no address", l->name);
	diagnosis_advice(&f.why, "its network manager or DHCP client should give it one");
	doctor_add(d, &f);
}

static void check_gateway(struct doctor *d, const struct route_state *r, const struct link_state *l)
{
	struct doctor_finding f = doctor_new_finding(how_bad(d, r), "neighbour-silent", NULL);
	const struct fact_neigh *n;
	char text[IP4_STRLEN];
	uint8_t addr[16] = {0};

	memcpy(addr, &r->gateway, sizeof(r->gateway));
	n = r->gateway.s_addr ? fact_neigh(d->f, l->ifindex, AF_INET, addr) : NULL;
	if (!n || !(n->state & NUD_FAILED) || !l->carrier)
		return;
	ip4_format(r->gateway, text);
	diagnosis_cause(&f.why,
			"the gateway %s does not answer on %s when asked for its MAC: it is off, "
			"not on that network, or the address is wrong",
			text, l->name);
	diagnosis_saw(&f.why, "neighbour", "%s dev %s FAILED", text, l->name);
	diagnosis_saw(&f.why, "route", "default via %s dev %s metric %u", text, l->name, r->metric);
	diagnosis_advice(&f.why, "no command of this host mends that: see to %s, then ask again",
			 text);
	doctor_add(d, &f);
}

void doctor_check_uplinks(struct doctor *d)
{
	for (size_t i = 0; i < d->f->host->n_routes; i++) {
		const struct route_state *r = &d->f->host->routes[i];
		const struct link_state *l =
			is_default(r) ? actual_link_by_index(d->f->host, r->oif) : NULL;

		if (!l)
			continue;
		check_line(d, r, l);
		check_address(d, r, l);
		check_gateway(d, r, l);
	}
}

/* ---- reverse path ---- */

static void tell_strict(struct doctor *d, const struct link_state *l, const struct link_state *best,
			const struct route_state *r)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "rp-filter", NULL);

	diagnosis_cause(&f.why,
			"what comes from the Internet by %s is dropped: answers to it would leave "
			"by %s, and rp_filter (strict) takes it for a forgery",
			l->name, best->name);
	diagnosis_saw(&f.why, "sysctl", "net/ipv4/conf/%s/rp_filter = %ld (all: %ld)", l->name,
		      fact_number(d->f, 0, "net/ipv4/conf/%s/rp_filter", l->name),
		      fact_number(d->f, 0, "net/ipv4/conf/all/rp_filter"));
	diagnosis_saw(&f.why, "route", "default dev %s metric %u", l->name, r->metric);
	diagnosis_mend(&f.why, "sysctl -w net/ipv4/conf/%s/rp_filter=2", shell_quote(l->name).text);
	diagnosis_advice(&f.why,
			 "2 is loose: any route to the sender will do. Where nothing shall come "
			 "in by %s, all is well",
			 l->name);
	doctor_add(d, &f);
}

/* The kernel says it itself: a packet from there that comes in by @ifindex, to @addr, goes past its checks or not. */
static bool lets_in(const struct doctor *d, int ifindex, struct in_addr addr)
{
	struct route_question q = {.family = AF_INET, .iif = ifindex, .has_src = true};
	struct route_answer a;

	inet_pton(AF_INET, PROBE_OUTSIDE4, q.src);
	memcpy(q.dst, &addr, sizeof(addr));
	/* EXDEV; since 6.13 EINVAL. */
	return rtnl_lookup(d->rtnl, &q, &a, NULL) < 0 || !a.error;
}

static const struct addr_state *address_on(const struct doctor *d, int ifindex)
{
	for (size_t i = 0; i < d->f->host->n_addrs; i++)
		if (d->f->host->addrs[i].ifindex == ifindex)
			return &d->f->host->addrs[i];
	return NULL;
}

/* Several default routes: strict lets in by the best of them only, unless routing rules say otherwise. */
void doctor_check_rp_filter(struct doctor *d)
{
	const struct actual *a = d->f->host;
	const struct route_state *best = NULL;
	const struct link_state *first;

	for (size_t i = 0; i < a->n_routes; i++)
		if (is_default(&a->routes[i]) && (!best || a->routes[i].metric < best->metric))
			best = &a->routes[i];
	first = best ? actual_link_by_index(a, best->oif) : NULL;
	for (size_t i = 0; i < a->n_routes && first; i++) {
		const struct route_state *r = &a->routes[i];
		const struct link_state *l = is_default(r) ? actual_link_by_index(a, r->oif) : NULL;
		const struct addr_state *own = l ? address_on(d, l->ifindex) : NULL;

		/* Of one metric: both are used. */
		if (own && r->oif != best->oif && r->metric > best->metric && l->carrier &&
		    !lets_in(d, l->ifindex, own->prefix.addr))
			tell_strict(d, l, first, r);
	}
}

/* ---- conntrack ---- */

void doctor_check_conntrack(struct doctor *d)
{
	long max = fact_number(d->f, 0, "net/netfilter/nf_conntrack_max");
	long n = fact_number(d->f, 0, "net/netfilter/nf_conntrack_count");
	struct doctor_finding f = doctor_new_finding(n >= max ? DOCTOR_ERROR : DOCTOR_WARNING,
						     "conntrack-full", NULL);

	if (max <= 0 || n < max / 100 * FULL_PERCENT)
		return;
	diagnosis_cause(&f.why, "conntrack's table is %s: %s", n >= max ? "full" : "nearly full",
			n >= max ? "new connections are dropped"
				 : "once it is full, new connections are dropped");
	diagnosis_saw(&f.why, "sysctl", "net.netfilter.nf_conntrack_count = %ld", n);
	diagnosis_saw(&f.why, "sysctl", "net.netfilter.nf_conntrack_max = %ld", max);
	if (d->f->writable("net/netfilter/nf_conntrack_max", d->f->ctx))
		diagnosis_mend(&f.why, "sysctl -w net.netfilter.nf_conntrack_max=%ld", max * 2);
	else
		diagnosis_advice(&f.why,
				 "in the machine's first network namespace: sysctl -w "
				 "net.netfilter.nf_conntrack_max=%ld",
				 max * 2);
	doctor_add(d, &f);
}

/* ---- resolvers ---- */

/* How many servers @path names that are not on the loopback; @ret_stub: those that are. -errno: no file. */
static int read_resolvers(const char *path, int *ret_stub)
{
	char line[512], word[64];
	FILE *f = fopen(path, "re");
	int n = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nameserver %63s", word) != 1)
			continue;
		if (strncmp(word, "127.", 4) == 0 || strcmp(word, "::1") == 0)
			(*ret_stub)++;
		else
			n++;
	}
	fclose(f);
	return n;
}

static bool hands_out(const struct doctor_net *n)
{
	return n->ours && !n->bridged && !(n->mode && strcmp(n->mode, "isolated") == 0);
}

/* Without a stub that answers, the C library asks 127.0.0.1 anyway: nobody, as a rule. */
static bool stub_answers(const struct doctor *d)
{
	for (size_t i = 0; i < d->n_listeners; i++)
		if (d->listeners[i].port == 53 && (d->listeners[i].addr.s_addr == INADDR_ANY ||
						   ip4_host(d->listeners[i].addr) >> 24 == 127))
			return true;
	return false;
}

void doctor_check_resolvers(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_WARNING, "resolvers", NULL);
	int stub = 0, none = 0, n = read_resolvers(RESOLV_CONF, &stub);
	bool guests = false, any = false;

	for (size_t i = 0; i < d->n_nets; i++) {
		guests |= hands_out(&d->nets[i]);
		any |= guests || d->nets[i].n_guests;
	}
	if (n > 0 || (stub && n >= 0 && !guests && (!d->has_listeners || stub_answers(d))) ||
	    (stub && read_resolvers(RESOLVED_UPSTREAM, &none) > 0))
		return;
	if (!any)
		f.severity = DOCTOR_NOTE;
	if (n < 0)
		diagnosis_cause(&f.why, "%s cannot be read: this host knows no names%s",
				RESOLV_CONF, guests ? ", and has no resolver for its guests" : "");
	else if (stub && (!d->has_listeners || stub_answers(d)))
		diagnosis_cause(&f.why,
				"%s names a resolver on this host's loopback only, which is of no "
				"use to guests: they are told of none",
				RESOLV_CONF);
	else
		diagnosis_cause(&f.why,
				"%s names no resolver that answers: this host knows no names%s",
				RESOLV_CONF, guests ? ", and has no resolver for its guests" : "");
	diagnosis_saw(&f.why, "file", "%s: %s", RESOLV_CONF,
		      n < 0  ? strerror(-n)
		      : stub ? "only 127.0.0.0/8"
			     : "no nameserver");
	diagnosis_advice(&f.why, "name a resolver there (nameserver ADDRESS)%s",
			 guests ? ", or `dns: servers:` in the networks' files" : "");
	doctor_add(d, &f);
}

/* ---- IPv6 ---- */

static bool wants_ipv6(const struct doctor *d, const struct doctor_net *n)
{
	return n->has_addr6 || json_is_object(json_object_get(n->config, "ipv6"));
}

static void check_switched_off(struct doctor *d, const struct doctor_net *n)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "ipv6-disabled", n);
	const char *name = n->bridge->name;

	if (fact_number(d->f, 0, "net/ipv6/conf/%s/disable_ipv6", name) != 1 || !wants_ipv6(d, n))
		return;
	diagnosis_cause(&f.why, "IPv6 is switched off on %s, and the network has it", name);
	diagnosis_saw(&f.why, "sysctl", "net/ipv6/conf/%s/disable_ipv6 = 1", name);
	if (n->config && d->daemon == DAEMON_ANSWERS)
		diagnosis_mend(&f.why, "sysctl -w net/ipv6/conf/%s/disable_ipv6=0 && vmlane apply",
			       shell_quote(name).text);
	else
		diagnosis_mend(&f.why, "sysctl -w net/ipv6/conf/%s/disable_ipv6=0",
			       shell_quote(name).text);
	diagnosis_advice(&f.why, "its addresses went when it was switched off, and have to be "
				 "given anew by whoever gave them");
	doctor_add(d, &f);
}

static bool has_default6(const struct doctor *d, int oif)
{
	for (size_t i = 0; i < d->f->host->n_routes6; i++) {
		const struct route6_state *r = &d->f->host->routes6[i];

		if (r->dst.len == 0 && r->table == RT_TABLE_MAIN && (!oif || r->oif == oif))
			return true;
	}
	return false;
}

static const struct fact_neigh *router_on(const struct doctor *d, int ifindex)
{
	for (size_t i = 0; i < d->f->n_neighs; i++)
		if (d->f->neighs[i].family == AF_INET6 && d->f->neighs[i].router &&
		    d->f->neighs[i].ifindex == ifindex)
			return &d->f->neighs[i];
	return NULL;
}

/* A router has said that it is there, and the host that forwards does not listen to it. */
static void check_deaf(struct doctor *d, const struct link_state *l)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "accept-ra", NULL);
	const struct fact_neigh *router = router_on(d, l->ifindex);

	if (!router || has_default6(d, 0) ||
	    fact_number(d->f, 0, "net/ipv6/conf/%s/accept_ra", l->name) != 1 ||
	    fact_number(d->f, 0, "net/ipv6/conf/%s/forwarding", l->name) != 1)
		return;
	diagnosis_cause(&f.why,
			"this host has no IPv6 default route: as it forwards, it takes none from "
			"the router advertisements that come in by %s",
			l->name);
	diagnosis_saw(&f.why, "sysctl", "net/ipv6/conf/%s/accept_ra = 1 (forwarding: 1)", l->name);
	diagnosis_saw(&f.why, "neighbour", "%s dev %s router",
		      address_str(AF_INET6, router->addr).text, l->name);
	diagnosis_mend(&f.why, "sysctl -w net/ipv6/conf/%s/accept_ra=2", shell_quote(l->name).text);
	diagnosis_advice(&f.why,
			 "then with the router's next advertisement, which may take minutes");
	doctor_add(d, &f);
}

void doctor_check_ipv6(struct doctor *d)
{
	for (size_t i = 0; i < d->n_nets; i++)
		check_switched_off(d, &d->nets[i]);
	for (size_t i = 0; i < d->f->host->n_links; i++) {
		const struct link_state *l = &d->f->host->links[i];

		if (l->up && doctor_is_way_out(d, l))
			check_deaf(d, l);
	}
}

/* ---- programs ---- */

static void tell_program(struct doctor *d, const struct link_state *l, const char *what)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "program", NULL);

	diagnosis_cause(&f.why,
			"a program sees each packet at %s, and may drop or change it; what it "
			"does with them cannot be concluded",
			l->name);
	diagnosis_saw(&f.why, "tc", "%s %s", l->name, what);
	diagnosis_advice(&f.why,
			 "vmlane probe GUEST --all asks it with packets; bpftool net show dev %s "
			 "lists such programs",
			 l->name);
	doctor_add(d, &f);
}

static bool has_tcx(int ifindex, bool egress)
{
	uint32_t ids[1], n = ARRAY_SIZE(ids);
	int r = bpf_prog_query(ifindex, egress ? TCX_EGRESS : TCX_INGRESS, 0, NULL, ids, &n);

	return (r == 0 || r == -ENOSPC) && n > 0;
}

static void look_at_programs(struct doctor *d, const struct link_state *l)
{
	static const char *const ways[] = {"ingress", "egress"};
	char text[64];

	for (unsigned int egress = 0; egress < 2; egress++) {
		struct filter_state *all = NULL;
		size_t n = 0;

		if (has_tcx(l->ifindex, egress)) {
			snprintf(text, sizeof(text), "%s BPF program", ways[egress]);
			tell_program(d, l, text);
		} else if (rtnl_filter_dump(d->rtnl, l->ifindex, egress, &all, &n, NULL) == 0) {
			if (n) {
				snprintf(text, sizeof(text), "%s filter pref %u %s", ways[egress],
					 all[0].pref, all[0].kind);
				tell_program(d, l, text);
			}
			free(all);
		}
	}
}

/* Where guests' packets pass: their ports, their bridges, and the ways out. */
static bool is_passed(const struct doctor *d, const struct link_state *l)
{
	if (doctor_net_of(d, l->ifindex) || doctor_net_of(d, l->master))
		return true;
	for (size_t i = 0; i < d->f->host->n_routes; i++)
		if (is_default(&d->f->host->routes[i]) && d->f->host->routes[i].oif == l->ifindex)
			return true;
	return false;
}

static void look_at_xdp(struct doctor *d)
{
	const struct host_detail *all = d->state ? explain_state_host(d->state)->detail : NULL;

	for (size_t i = 0; all && i < all->n_links; i++) {
		const struct link_state *l =
			actual_link_by_index(d->f->host, all->links[i].ifindex);
		char text[32];

		if (!all->links[i].xdp || !l || !is_passed(d, l))
			continue;
		snprintf(text, sizeof(text), "XDP program %u", all->links[i].xdp);
		tell_program(d, l, text);
	}
}

/* Ours are known for what they do, wherever they hang. */
static bool is_others(const struct link_state *l)
{
	return strncmp(l->alias, ALIAS_GUEST, strlen(ALIAS_GUEST)) != 0;
}

void doctor_check_programs(struct doctor *d)
{
	for (size_t i = 0; i < d->f->host->n_links; i++) {
		const struct link_state *l = &d->f->host->links[i];

		if (l->up && is_others(l) && is_passed(d, l))
			look_at_programs(d, l);
	}
	look_at_xdp(d);
}
