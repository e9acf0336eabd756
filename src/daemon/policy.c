/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c - see policy.h. Used by table.c. */
#include "daemon/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* struct policy_data - what struct fw_guest points to, for one network; all owned. */
struct policy_data {
	struct fw_guest *who;
	struct mac *macs;
	struct guest_prefix *addrs;
	size_t n_macs;
	size_t n_addrs;
	struct policy_data *next;
};

/* ---- who matters ---- */

static bool has_own_limits(const struct network_config *c, const struct guest_config *g)
{
	struct guest_limits all = limits_of(c, NULL), own = limits_of(c, g);

	return all.connections != own.connections || all.new_s != own.new_s;
}

static bool matters(const struct network_config *c, const struct guest_config *g)
{
	return has_own_limits(c, g) || policy_names_guest(&c->policy, g->name);
}

/* ---- leases ---- */

/* struct leases - @table: the DHCP server's, or one read from the store (@own, owned); NULL: none. */
struct leases {
	const struct lease_table *table;
	struct lease_table *own;
};

static int leases_of(struct manager *m, const struct network_config *c, struct leases *ret,
		     struct err *e)
{
	struct network_rt *n = manager_network(m, c->name);
	struct leases l = {0};
	int r = 0;

	if (!c->dhcp) {
		*ret = l;
		return 0;
	}
	if (n && n->dhcp) {
		l.table = lease_server_table(n->dhcp);
	} else {
		r = lease_table_new(&l.own);
		if (r == 0)
			r = lease_store_load(m->leases, c->name, l.own, e);
		l.table = l.own;
	}
	if (r < 0)
		lease_table_free(l.own);
	else
		*ret = l;
	return r;
}

/* ---- filling in ---- */

static void add_mac(struct policy_data *p, struct fw_guest *g, const struct mac *mac)
{
	for (size_t i = 0; i < g->n_macs; i++)
		if (mac_equal(&g->macs[i], mac))
			return;
	p->macs[p->n_macs++] = *mac;
	g->n_macs++;
}

static void add_addr4(struct policy_data *p, struct fw_guest *g, struct in_addr addr)
{
	p->addrs[p->n_addrs++] = (struct guest_prefix){.ip4 = {addr, 32}};
	g->n_addrs++;
}

static void fill(struct manager *m, const struct network_config *c,
		 const struct guest_config *known, const struct lease_table *leases,
		 struct policy_data *p, struct fw_guest *g)
{
	const struct guest_rt *rt = manager_guest(m, known->name);
	int64_t now_s = clock_wall_s();

	g->name = known->name;
	g->limits = limits_of(c, known);
	g->macs = &p->macs[p->n_macs];
	g->addrs = &p->addrs[p->n_addrs];
	if (known->has_mac)
		add_mac(p, g, &known->mac);
	if (rt && strcmp(rt->g.network, c->name) == 0)
		add_mac(p, g, &rt->g.mac);
	for (size_t i = 0; i < known->n_macs; i++)
		add_mac(p, g, &known->macs[i]);
	if (known->has_ipv4)
		add_addr4(p, g, known->ipv4);
	for (size_t i = 0; i < g->n_macs; i++) {
		const struct lease *l = leases ? lease_find_mac(leases, &g->macs[i]) : NULL;

		if (l && l->state == LEASE_BOUND && lease_live(l, now_s))
			add_addr4(p, g, l->addr);
		if (c->ipv6.on && c->ipv6.subnet.len) {
			p->addrs[p->n_addrs++] = (struct guest_prefix){
				.ip6 = {ip6_from_mac(&c->ipv6.subnet, &g->macs[i]), 128}};
			g->n_addrs++;
		}
	}
	for (size_t i = 0; i < known->n_addresses; i++) {
		p->addrs[p->n_addrs++] = known->addresses[i];
		g->n_addrs++;
	}
}

static void data_free(struct policy_data *p)
{
	free(p->who);
	free(p->macs);
	free(p->addrs);
	free(p);
}

/* Room for the guests of @c that matter; *ret is NULL when there are none. */
static int data_new(const struct network_config *c, struct policy_data **ret)
{
	size_t guests = 0, macs = 0, addrs = 0;
	struct policy_data *p;

	for (size_t i = 0; i < c->n_guests; i++) {
		if (!matters(c, &c->guests[i]))
			continue;
		guests++;
		macs += 2 + c->guests[i].n_macs;
		addrs += 1 + 2 * (2 + c->guests[i].n_macs) + c->guests[i].n_addresses;
	}
	*ret = NULL;
	if (guests == 0)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->who = calloc(guests, sizeof(*p->who));
	p->macs = calloc(macs, sizeof(*p->macs));
	p->addrs = calloc(addrs, sizeof(*p->addrs));
	if (!p->who || !p->macs || !p->addrs) {
		data_free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

int policy_want(struct work *w, const struct network_config *c, struct fw_network *f, struct err *e)
{
	struct leases leases = {0};
	struct policy_data *p;
	int r = data_new(c, &p);

	f->policy = &c->policy;
	f->limits = limits_of(c, NULL);
	if (r < 0 || !p)
		return r;
	p->next = w->policies;
	w->policies = p;
	f->who = p->who;
	r = leases_of(w->m, c, &leases, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_guests; i++)
		if (matters(c, &c->guests[i]))
			fill(w->m, c, &c->guests[i], leases.table, p, &p->who[f->n_who++]);
	lease_table_free(leases.own);
	return 0;
}

void policy_want_done(struct work *w)
{
	struct policy_data *next;

	for (struct policy_data *p = w->policies; p; p = next) {
		next = p->next;
		data_free(p);
	}
	w->policies = NULL;
}

/* ---- when it changes ---- */

int policy_plug(struct manager *m, const struct network_rt *n, const char *name, struct err *e)
{
	const struct guest_config *g = network_guest_find(n->config, name);
	struct err_list *errs;
	int r;

	/* A MAC that is configured is in the rules already. */
	if (!g || g->has_mac || !matters(n->config, g))
		return 0;
	errs = calloc(1, sizeof(*errs));
	r = errs ? reconcile(m, NULL, RECONCILE_FOLLOW, NULL, errs) : -ENOMEM;
	if (r < 0 && errs && errs->n)
		*e = errs->items[0];
	free(errs);
	return r;
}

void policy_changed(struct manager *m, const struct network_rt *n, const char *name)
{
	const struct guest_config *g = n ? network_guest_find(n->config, name) : NULL;

	if (g && matters(n->config, g))
		reconcile_later(m);
}

void policy_lease(struct manager *m, const struct network_rt *n, const struct mac *mac)
{
	const struct guest_rt *rt = manager_guest_by_mac(m, mac);
	const struct guest_config *g;

	if (m->follow || n->config->policy.n_named == 0)
		return;
	g = rt && strcmp(rt->g.network, n->name) == 0 ? network_guest_find(n->config, rt->g.name)
						      : network_guest_by_mac(n->config, mac);
	if (g && !g->has_ipv4 && policy_names_guest(&n->config->policy, g->name))
		reconcile_later(m);
}
