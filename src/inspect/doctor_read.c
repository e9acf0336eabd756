/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_read.c - the one reading of the host that all checks share, and its bridges. */
#include "inspect/doctor_internal.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "path/nft_program.h"

/* ---- the daemon ---- */

/* The daemon's answer, a new reference; NULL: none, and why is in *@ret. */
static json_t *ask(const struct doctor *d, const char *path, int *ret)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	json_t *answer = NULL;

	*ret = errs ? api_call(d->o->socket, "GET", path, NULL, &answer, errs) : -ENOMEM;
	free(errs);
	return *ret == 0 ? answer : NULL;
}

static void ask_daemon(struct doctor *d)
{
	int r;

	d->status = ask(d, "/v1/status", &r);
	if (!d->status) {
		d->daemon = r == -EACCES ? DAEMON_FORBIDDEN : DAEMON_DOWN;
		return;
	}
	d->daemon = DAEMON_ANSWERS;
	/* It may end between two answers: who needs one looks whether it came. */
	d->networks = ask(d, "/v1/networks", &r);
	d->our_guests = ask(d, "/v1/guests", &r);
	d->our_leases = ask(d, "/v1/leases", &r);
}

/* ---- the bridges ---- */

static const char *after(const char *alias, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(alias, prefix, len) == 0 ? alias + len : NULL;
}

static void net_ours(const struct doctor *d, struct doctor_net *n)
{
	const json_t *one;
	size_t i;

	n->ours = after(n->bridge->alias, ALIAS_NETWORK);
	if (!n->ours) {
		n->ours = after(n->bridge->alias, ALIAS_BRIDGED);
		n->bridged = n->ours;
	}
	json_array_foreach (json_object_get(d->networks, "networks"), i, one) {
		const char *bridge = json_string_value(json_object_get(one, "bridge"));

		if (!bridge || strcmp(bridge, n->bridge->name) != 0)
			continue;
		n->config = one;
		n->ours = json_string_value(json_object_get(one, "name"));
		n->mode = json_string_value(json_object_get(one, "mode"));
		n->bridged = n->mode && strcmp(n->mode, "bridged") == 0;
	}
}

static void net_addresses(const struct doctor *d, struct doctor_net *n)
{
	const struct actual *a = d->f->host;

	for (size_t i = 0; i < a->n_addrs && !n->addr; i++)
		if (a->addrs[i].ifindex == n->bridge->ifindex)
			n->addr = &a->addrs[i];
	for (size_t i = actual_first_addr6(a, n->bridge->ifindex);
	     i < a->n_addrs6 && a->addrs6[i].ifindex == n->bridge->ifindex; i++)
		n->has_addr6 |= !ip6_is_linklocal(&a->addrs6[i].prefix.addr);
}

bool doctor_runs(const struct inventory_guest *g)
{
	return g->up && g->carrier;
}

static bool leads_out(const struct link_state *port)
{
	return port->up && port->carrier && port->port_state == PORT_FORWARDING;
}

static void net_ports(const struct doctor *d, struct doctor_net *n)
{
	for (size_t i = 0; i < d->guests.n; i++) {
		const struct inventory_guest *g = &d->guests.v[i];

		if (strcmp(g->bridge, n->bridge->name) != 0)
			continue;
		if (!n->guests)
			n->guests = g;
		n->n_guests++;
		n->n_running += doctor_runs(g);
	}
	for (size_t i = 0; i < d->f->host->n_links; i++) {
		const struct link_state *l = &d->f->host->links[i];

		if (l->master != n->bridge->ifindex || doctor_is_guest_port(d, l->ifindex))
			continue;
		n->n_uplinks++;
		if (!n->uplink || !leads_out(n->uplink))
			n->uplink = l;
	}
}

/* A bridge without address and guests is nobody's network (yet). */
static bool is_network(const struct doctor_net *n)
{
	return n->ours || n->n_guests || n->addr || n->has_addr6;
}

static bool is_wanted(const struct doctor *d, const struct doctor_net *n)
{
	return !d->o->only || strcmp(d->o->only, n->bridge->name) == 0 ||
	       (n->ours && strcmp(d->o->only, n->ours) == 0);
}

static int not_found(const struct doctor *d, const struct buf *known, struct err *e)
{
	return err_set(e, -ENOENT, "not-found", d->o->only,
		       "there is no network and no bridge '%s' here; there are: %s", d->o->only,
		       known->len ? buf_str(known) : "none");
}

/* The daemon knows of the network that is asked for; if not, those that it does are added to @known. */
static bool knows_network(const struct doctor *d, struct buf *known)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(d->networks, "networks"), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		const char *bridge = json_string_value(json_object_get(one, "bridge"));
		const struct link_state *l =
			bridge ? actual_link_by_name(d->f->host, bridge) : NULL;

		if (name && strcmp(name, d->o->only) == 0)
			return true;
		if (name && !(l && strcmp(l->kind, "bridge") == 0))
			buf_printf(known, "%s%s", known->len ? ", " : "", name);
	}
	return false;
}

static void take_net(struct doctor *d, const struct doctor_net *n)
{
	const struct actual *a = d->f->host;

	for (size_t i = 0; i < a->n_addrs; i++)
		if (a->addrs[i].ifindex == n->bridge->ifindex)
			d->subnets[d->n_subnets++] =
				(struct doctor_subnet){a->addrs[i].prefix, d->n_nets};
	d->nets[d->n_nets++] = *n;
}

static int find_nets(struct doctor *d, struct err *e)
{
	const struct actual *a = d->f->host;
	struct buf known = BUF_INIT(300);
	int r = 0;

	d->nets = calloc(a->n_links + 1, sizeof(*d->nets));
	d->subnets = calloc(a->n_addrs + 1, sizeof(*d->subnets));
	if (!d->nets || !d->subnets)
		return err_set(e, -ENOMEM, "memory", "doctor", "out of memory");
	for (size_t i = 0; i < a->n_links; i++) {
		struct doctor_net n = {.bridge = &a->links[i]};

		if (strcmp(a->links[i].kind, "bridge") != 0)
			continue;
		net_ours(d, &n);
		net_addresses(d, &n);
		net_ports(d, &n);
		buf_printf(&known, "%s%s", known.len ? ", " : "", n.ours ? n.ours : n.bridge->name);
		if (is_wanted(d, &n) && (d->o->only || is_network(&n)))
			take_net(d, &n);
	}
	d->only = d->o->only;
	/* One of ours without a bridge (failed, stopped) is told of by doctor_check_daemon(). */
	if (d->only && !d->n_nets && !knows_network(d, &known))
		r = not_found(d, &known, e);
	buf_done(&known);
	return r;
}

/* ---- all of it ---- */

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int index_ports(struct doctor *d, struct err *e)
{
	d->guest_ports = calloc(d->guests.n + 1, sizeof(*d->guest_ports));
	if (!d->guest_ports)
		return err_set(e, -ENOMEM, "memory", "doctor", "out of memory");
	for (size_t i = 0; i < d->guests.n; i++)
		d->guest_ports[i] = d->guests.v[i].ifindex;
	qsort(d->guest_ports, d->guests.n, sizeof(*d->guest_ports), by_number);
	return 0;
}

int doctor_read(struct doctor *d, struct err *e)
{
	int r = live_facts_new(d->o->socket, &d->live);

	if (r == 0)
		r = rtnl_new(&d->rtnl);
	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	d->now_s = clock_wall_s();
	d->f = live_facts_get(d->live, 0);
	if (!d->f)
		return err_set(e, -EIO, "kernel", "netlink", "the kernel cannot be asked");
	r = inventory_read(NULL, 0, &d->guests, e);
	if (r == 0)
		r = index_ports(d, e);
	if (r == 0)
		r = subject_host(&d->subject, e);
	if (r < 0)
		return r;
	if (foreign_leases_read(&d->leases) < 0)
		d->leases = (struct foreign_leases){0};
	d->has_listeners = listeners_read(&d->listeners, &d->n_listeners, NULL) == 0;
	if (explain_state_new(&d->subject.view, &d->state, &d->state_err) == 0)
		explain_state_presume(d->state);
	if (d->o->socket)
		ask_daemon(d);
	else
		d->daemon = DAEMON_NOT_ASKED;
	return find_nets(d, e);
}

void doctor_done(struct doctor *d)
{
	json_decref(d->status);
	json_decref(d->networks);
	json_decref(d->our_guests);
	json_decref(d->our_leases);
	free(d->nets);
	free(d->subnets);
	free(d->guest_ports);
	free(d->owners);
	free(d->listeners);
	foreign_leases_done(&d->leases);
	inventory_done(&d->guests);
	explain_state_free(d->state);
	subject_done(&d->subject);
	rtnl_free(d->rtnl);
	live_facts_free(d->live);
}

/* ---- facts that several checks want ---- */

const struct doctor_net *doctor_net_of(const struct doctor *d, int bridge)
{
	for (size_t i = 0; i < d->n_nets; i++)
		if (d->nets[i].bridge->ifindex == bridge)
			return &d->nets[i];
	return NULL;
}

const struct doctor_net *doctor_net_of_address(const struct doctor *d, struct in_addr addr)
{
	for (size_t i = 0; i < d->n_subnets; i++)
		if (ip4_in(&d->subnets[i].prefix, addr))
			return &d->nets[d->subnets[i].net];
	return NULL;
}

bool doctor_is_guest_port(const struct doctor *d, int ifindex)
{
	return bsearch(&ifindex, d->guest_ports, d->guests.n, sizeof(ifindex), by_number);
}

bool doctor_is_way_out(const struct doctor *d, const struct link_state *l)
{
	return strcmp(l->name, "lo") != 0 && !l->master && strcmp(l->kind, "bridge") != 0 &&
	       !doctor_is_guest_port(d, l->ifindex);
}

bool doctor_is_ours(const struct doctor *d, const struct inventory_guest *g)
{
	const struct link_state *l = actual_link_by_index(d->f->host, g->ifindex);

	return l && after(l->alias, ALIAS_GUEST);
}

bool doctor_translates(const struct doctor *d)
{
	static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_IPV6};
	const struct nftprog_chain *chains[64];

	for (size_t i = 0; i < ARRAY_SIZE(families) && d->state; i++) {
		size_t n = nftprog_bases(explain_state_host(d->state)->rules, families[i],
					 NF_INET_POST_ROUTING, NULL, chains, ARRAY_SIZE(chains));

		for (size_t k = 0; k < n && k < ARRAY_SIZE(chains); k++)
			if (chains[k]->type == NFTPROG_NAT_CHAIN &&
			    (chains[k]->n_rules || chains[k]->drop))
				return true;
	}
	return d->f->legacy(AF_INET, "nat", d->f->ctx);
}
