/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inventory.c - reads what inventory_join() needs. */
#include "inspect/inventory.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* struct sources - all that was read; owned. */
struct sources {
	struct rtnl *rtnl;
	struct actual actual;
	struct neigh_entry *neighs;
	struct neigh6_entry *neighs6;
	struct vmm_holder *holders;
	struct netns_holder *netns;
	struct foreign_leases leases;
};

static void sources_done(struct sources *s)
{
	actual_done(&s->actual);
	free(s->neighs);
	free(s->neighs6);
	free(s->holders);
	free(s->netns);
	foreign_leases_done(&s->leases);
	rtnl_free(s->rtnl);
}

static int read_kernel(struct sources *s, struct inventory_facts *f, struct err *e)
{
	int r = rtnl_new(&s->rtnl);

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = rtnl_snapshot(s->rtnl, &s->actual, e);
	if (r == 0)
		r = rtnl_fdb_dump(s->rtnl, 0, &s->actual.fdb, &s->actual.n_fdb, e);
	if (r == 0)
		r = rtnl_vlans(s->rtnl, &s->actual, e);
	if (r == 0)
		r = rtnl_neigh_dump(s->rtnl, 0, &s->neighs, &f->n_neighs, e);
	if (r == 0)
		r = rtnl_neigh6_dump(s->rtnl, &s->neighs6, &f->n_neighs6, e);
	return r;
}

/* What needs rights that the user may lack, or files that are not there, only leaves cells empty. */
static int read_processes(struct sources *s, struct inventory_facts *f, struct err *e)
{
	int r = vmm_scan(&s->holders, &f->n_holders);

	if (r == 0)
		r = netns_scan(s->rtnl, &s->netns, &f->n_netns);
	if (r == 0)
		r = foreign_leases_read(&s->leases);
	return r < 0 ? err_set(e, r, "processes", "/proc", "%s", strerror(-r)) : 0;
}

int inventory_read(const struct inventory_sighting *seen, size_t n, struct inventory *ret,
		   struct err *e)
{
	struct inventory_facts f = {.sightings = seen, .n_sightings = n, .now_s = clock_wall_s()};
	struct sources s = {0};
	int r = read_kernel(&s, &f, e);

	if (r == 0)
		r = read_processes(&s, &f, e);
	if (r == 0) {
		f.actual = &s.actual;
		f.neighs = s.neighs;
		f.neighs6 = s.neighs6;
		f.holders = s.holders;
		f.netns = s.netns;
		f.leases = &s.leases;
		r = inventory_join(&f, ret);
		if (r < 0)
			err_set(e, r, "memory", "guests", "%s", strerror(-r));
	}
	sources_done(&s);
	return r;
}
