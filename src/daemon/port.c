/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.c - what a guest's port of the switch is set to: kept apart, whether it learns, which MACs
 * are pinned to it. Used where guests are plugged in (service_guest.c) and where they are found
 * plugged in (want.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/manager.h"

void port_want(const struct network_config *c, const char *name, const struct mac *mac,
	       struct desired_tap *t)
{
	const struct guest_config *known = network_guest_find(c, name);

	t->isolated = known && known->isolate;
	t->managed = !c->learning;
	/* Where nothing is learned it would not be found otherwise. */
	t->pinned = t->managed || (known && known->pinned);
	t->mac = *mac;
	t->macs = known ? known->macs : NULL;
	t->n_macs = known ? known->n_macs : 0;
	t->rate = known ? known->rate : (struct guest_rate){0};
}

int port_set(struct manager *m, const struct desired_tap *t, struct err *e)
{
	int r = 0;

	if (t->isolated)
		r = rtnl_port_set_isolated(m->rtnl, t->name, true, e);
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
