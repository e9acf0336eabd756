/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.c - what a guest's port of the switch is set to: kept apart, whether it learns, which MACs
 * are pinned to it. Used where guests are plugged in (service_guest.c) and where they are found
 * plugged in (want.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/work.h"

void port_want(const struct network_config *c, const char *name, const struct mac *mac,
	       struct desired_tap *t)
{
	const struct guest_config *known = network_guest_find(c, name);

	t->isolated = known && known->isolate;
	t->root_guard = c->stp && guards_of(c, known) & 1u << GUARD_BPDU;
	t->managed = !c->learning;
	/* Where nothing is learned it would not be found otherwise. */
	t->pinned = t->managed || (known && known->pinned) || guards_of(c, known) & 1u << GUARD_MAC;
	t->mac = *mac;
	t->macs = known ? known->macs : NULL;
	t->n_macs = known ? known->n_macs : 0;
	t->vlan = known ? known->vlan : 0;
	t->rate = known ? known->rate : (struct guest_rate){0};
}

/* It was born in the bridge's VLAN for untagged frames. */
static int set_vlan(struct manager *m, const struct desired_tap *t, struct err *e)
{
	struct link_state bridge;
	int r = rtnl_link_get(m->rtnl, t->bridge, 0, &bridge, e);

	if (r == 0)
		r = rtnl_port_vlan_add(m->rtnl, t->name, t->vlan, true, e);
	if (r == 0 && bridge.default_pvid && bridge.default_pvid != t->vlan)
		r = rtnl_port_vlan_del(m->rtnl, t->name, bridge.default_pvid, e);
	return r;
}

int port_vlan_check(struct manager *m, const struct network_rt *n, const char *name, struct err *e)
{
	const struct guest_config *known = network_guest_find(n->config, name);
	struct link_state bridge;

	if (!known || !known->vlan)
		return 0;
	if (rtnl_link_get(m->rtnl, n->config->bridge, 0, &bridge, e) < 0)
		return -ENODEV;
	return plan_vlan_refused(n->config, &bridge, known->vlan, e) ? -EOPNOTSUPP : 0;
}

/* A guest that cannot be kept in its VLAN is left out of the bridge, and that is told. */
static void tell_vlan(struct work *w, const struct desired_tap *t)
{
	struct guest_rt *g = manager_guest_by_tap(w->m, t->name);
	const struct link_state *bridge;
	size_t of;

	if (!g || (!t->vlan && strcmp(g->problem.code, "no-vlan-filtering") != 0))
		return;
	if (strcmp(g->problem.code, "no-vlan-filtering") == 0)
		g->problem = (struct err){0};
	of = work_find(w, w->by_bridge, t->bridge);
	bridge = actual_link_by_name(&w->actual, t->bridge);
	if (of == w->target->n ||
	    !plan_vlan_refused(w->target->networks[of].config, bridge, t->vlan, &g->problem))
		return;
	if (!w->only_look) {
		err_list_push(w->errs, &g->problem);
		w->refused = -EOPNOTSUPP;
	}
}

int port_vlans_look(struct work *w, struct err *e)
{
	bool needed = false;
	int r = 0;

	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct desired_network *n = &w->desired.networks[i];
		const struct link_state *l;

		if (!n->external)
			continue;
		l = actual_link_by_name(&w->actual, n->config->bridge);
		needed = needed || (l && l->vlan_filtering) || network_has_vlans(n->config);
	}
	if (needed)
		r = rtnl_vlans(w->m->rtnl, &w->actual, e);
	for (size_t i = 0; i < w->desired.n_taps && r == 0; i++)
		tell_vlan(w, &w->desired.taps[i]);
	return r;
}

int port_set(struct manager *m, const struct desired_tap *t, struct err *e)
{
	int r = 0;

	if (t->vlan)
		r = set_vlan(m, t, e);
	if (r == 0 && t->isolated)
		r = rtnl_port_set_isolated(m->rtnl, t->name, true, e);
	if (r == 0 && t->root_guard)
		r = rtnl_port_set_root_guard(m->rtnl, t->name, true, e);
	if (r == 0 && t->managed)
		r = rtnl_port_set_managed(m->rtnl, t->name, true, e);
	if (r == 0 && t->pinned)
		r = rtnl_fdb_pin(m->rtnl, t->name, &t->mac, e);
	for (size_t i = 0; r == 0 && i < t->n_macs; i++)
		r = rtnl_fdb_pin(m->rtnl, t->name, &t->macs[i], e);
	return r;
}

/* struct bridge_mac - a bridge's MAC, and the network that it is of. */
struct bridge_mac {
	struct mac mac;
	const char *network;
};

static int bridge_mac_cmp(const void *a, const void *b)
{
	return memcmp(((const struct bridge_mac *)a)->mac.b, ((const struct bridge_mac *)b)->mac.b,
		      sizeof(((const struct bridge_mac *)a)->mac.b));
}

/* struct bridge_macs - those of the networks that are and that shall be, sorted; @v is owned. */
struct bridge_macs {
	struct bridge_mac *v;
	size_t n;
};

static void add_bridge(struct manager *m, const char *network, struct bridge_macs *l)
{
	l->v[l->n++] = (struct bridge_mac){mac_derive(m->host_id, network, "", 0), network};
}

static int list_bridges(struct manager *m, const struct config_set *set, struct bridge_macs *ret)
{
	struct bridge_macs l = {0};

	l.v = calloc(set->n + HASH_COUNT(m->networks) + 1, sizeof(*l.v));
	if (!l.v)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network)
			add_bridge(m, set->files[i].network->name, &l);
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		add_bridge(m, n->name, &l);
	qsort(l.v, l.n, sizeof(*l.v), bridge_mac_cmp);
	*ret = l;
	return 0;
}

static int check_mac(struct manager *m, const struct bridge_macs *bridges, const char *path,
		     const struct guest_config *g, const struct mac *mac, struct err_list *errs)
{
	const struct bridge_mac wanted = {.mac = *mac}, *bridge;
	const struct guest_rt *other = manager_guest_by_mac(m, mac);
	char text[MAC_STRLEN], where[LOCATION_STRLEN];

	bridge = bsearch(&wanted, bridges->v, bridges->n, sizeof(wanted), bridge_mac_cmp);
	if (other && strcmp(other->g.name, g->name) == 0)
		other = NULL;
	if (!bridge && !other)
		return 0;
	location_format(path, g->at, where, sizeof(where));
	mac_format(mac, text);
	if (bridge)
		return err_add(errs, -EINVAL, "duplicate-mac", where,
			       "MAC %s of guest \"%s\" is that of network \"%s\"'s bridge; choose "
			       "another",
			       text, g->name, bridge->network);
	return err_add(errs, -EINVAL, "duplicate-mac", where,
		       "MAC %s of guest \"%s\" is that of guest \"%s\", which is plugged into "
		       "network %s; choose another, or detach that one",
		       text, g->name, other->g.name, other->g.network);
}

static int check_guests(struct manager *m, const struct bridge_macs *bridges,
			const struct config_file *f, struct err_list *errs)
{
	int r = 0;

	for (size_t i = 0; i < f->network->n_guests; i++) {
		const struct guest_config *g = &f->network->guests[i];

		if (g->has_mac && check_mac(m, bridges, f->path, g, &g->mac, errs) < 0)
			r = -EINVAL;
		for (size_t k = 0; k < g->n_macs; k++)
			if (check_mac(m, bridges, f->path, g, &g->macs[k], errs) < 0)
				r = -EINVAL;
	}
	return r;
}

int port_check_macs(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	struct bridge_macs bridges = {0};
	int r = list_bridges(m, set, &bridges);

	for (size_t i = 0; i < set->n && r != -ENOMEM; i++)
		if (set->files[i].network && check_guests(m, &bridges, &set->files[i], errs) < 0)
			r = -EINVAL;
	free(bridges.v);
	return r;
}
