/* SPDX-License-Identifier: GPL-2.0-or-later */
/* footprint.c - see footprint.h. */
#include "inspect/footprint.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Not learned but configured, or of a kind that is never asked for. */
#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP)

static int look(struct footprint *f, struct err *e)
{
	struct rtnl *rtnl;
	int r = rtnl_new(&rtnl);

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = rtnl_neigh_dump(rtnl, 0, &f->neighs, &f->n_neighs, e);
	if (r == 0)
		r = rtnl_fdb_dump(rtnl, 0, &f->fdb, &f->n_fdb, e);
	/* A kernel may have no IPv6. */
	if (r == 0 && rtnl_neigh6_dump(rtnl, &f->neighs6, &f->n_neighs6, NULL) < 0)
		f->n_neighs6 = 0;
	rtnl_free(rtnl);
	return r;
}

int footprint_take(struct footprint *f, struct err *e)
{
	*f = (struct footprint){0};
	return look(f, e);
}

void footprint_done(struct footprint *f)
{
	free(f->neighs);
	free(f->neighs6);
	free(f->fdb);
	*f = (struct footprint){0};
}

static bool has_addr(const struct footprint *f, uint8_t family, const void *addr)
{
	size_t len = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < f->n_addrs; i++)
		if (f->families[i] == family && memcmp(f->addrs[i], addr, len) == 0)
			return true;
	return false;
}

void footprint_addr(struct footprint *f, uint8_t family, const uint8_t addr[16])
{
	if (f->n_addrs == FOOTPRINT_ADDRS_MAX || has_addr(f, family, addr))
		return;
	f->families[f->n_addrs] = family;
	memcpy(f->addrs[f->n_addrs++], addr, family == AF_INET ? 4 : 16);
}

static bool has_mac(const struct footprint *f, const struct mac *mac)
{
	for (size_t i = 0; i < f->n_macs; i++)
		if (mac_equal(&f->macs[i], mac))
			return true;
	return false;
}

void footprint_mac(struct footprint *f, const struct mac *mac)
{
	if (f->n_macs < FOOTPRINT_MACS_MAX && !has_mac(f, mac))
		f->macs[f->n_macs++] = *mac;
}

void footprint_journey(struct footprint *f, const struct journey *j)
{
	for (size_t i = 0; i < j->n_hops; i++) {
		const struct path_route *r = &j->hops[i].route;

		if (j->hops[i].kind != HOP_ROUTE)
			continue;
		if (r->gw_family)
			footprint_addr(f, r->gw_family, r->gateway);
		else
			footprint_addr(f, r->family, r->dst);
	}
}

static bool neigh_was_there(const struct footprint *f, const struct neigh_entry *n)
{
	for (size_t i = 0; i < f->n_neighs; i++)
		if (f->neighs[i].ifindex == n->ifindex && ip4_equal(f->neighs[i].addr, n->addr))
			return true;
	return false;
}

static bool neigh6_was_there(const struct footprint *f, const struct neigh6_entry *n)
{
	for (size_t i = 0; i < f->n_neighs6; i++)
		if (f->neighs6[i].ifindex == n->ifindex &&
		    memcmp(&f->neighs6[i].addr, &n->addr, sizeof(n->addr)) == 0)
			return true;
	return false;
}

static bool fdb_was_there(const struct footprint *f, const struct fdb_entry *n)
{
	for (size_t i = 0; i < f->n_fdb; i++)
		if (f->fdb[i].bridge == n->bridge && mac_equal(&f->fdb[i].mac, &n->mac))
			return true;
	return false;
}

static void wipe_neighs(const struct footprint *f, const struct footprint *now, struct rtnl *rtnl)
{
	for (size_t i = 0; i < now->n_neighs; i++) {
		const struct neigh_entry *n = &now->neighs[i];

		if (!(n->state & NUD_FIXED) && has_addr(f, AF_INET, &n->addr) &&
		    !neigh_was_there(f, n))
			(void)!rtnl_neigh_remove(rtnl, n->ifindex, AF_INET, &n->addr, NULL);
	}
	for (size_t i = 0; i < now->n_neighs6; i++) {
		const struct neigh6_entry *n = &now->neighs6[i];

		if (!(n->state & NUD_FIXED) && has_addr(f, AF_INET6, &n->addr) &&
		    !neigh6_was_there(f, n))
			(void)!rtnl_neigh_remove(rtnl, n->ifindex, AF_INET6, &n->addr, NULL);
	}
}

static void wipe_fdb(const struct footprint *f, const struct footprint *now, struct rtnl *rtnl)
{
	char name[IFNAMSIZ];

	for (size_t i = 0; i < now->n_fdb; i++) {
		const struct fdb_entry *n = &now->fdb[i];

		if (n->local || n->is_static || !has_mac(f, &n->mac) || fdb_was_there(f, n))
			continue;
		if (if_indextoname((unsigned int)n->port, name))
			(void)!rtnl_fdb_remove(rtnl, name, &n->mac, NULL);
	}
}

void footprint_wipe(struct footprint *f)
{
	struct footprint now = {0};
	struct rtnl *rtnl;

	if (look(&now, NULL) == 0 && rtnl_new(&rtnl) == 0) {
		wipe_neighs(f, &now, rtnl);
		wipe_fdb(f, &now, rtnl);
		rtnl_free(rtnl);
	}
	footprint_done(&now);
}
