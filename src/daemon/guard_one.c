/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_one.c - see guard.h: one guest that comes or goes, one lease that begins or ends. None of it
 * looks at the other guests.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/guard_ports.h"

/* ---- guests ---- */

static int guard_tap(struct manager *m, const struct network_config *c, const struct state_guest *g,
		     struct err *e)
{
	unsigned int ifindex = if_nametoindex(g->tap);
	struct guard_leases leases;
	struct port_facts facts;
	int r;

	if (!ifindex)
		return err_set(e, -ENODEV, "kernel", g->tap, "%s is not there", g->tap);
	r = guard_leases(m, c, &leases, e);
	if (r == 0)
		r = guard_facts(m, c, g, leases.table, &facts);
	guard_leases_done(&leases);
	if (r == 0)
		r = guard_put(m, g->tap, (int)ifindex, &facts, e);
	if (r < 0 && !e->code[0])
		err_set(e, r, "kernel", g->tap, "%s cannot be guarded: %s", g->name, strerror(-r));
	return r;
}

int guard_plug(struct manager *m, const struct network_rt *n, const struct state_guest *g,
	       struct err *e)
{
	return guard_tap(m, n->config, g, e);
}

int guard_enslave(struct work *w, const char *tap, struct err *e)
{
	const struct guest_rt *g = manager_guest_by_tap(w->m, tap);
	size_t of = g ? work_find(w, w->by_name, g->g.network) : w->target->n;

	return of == w->target->n ? 0 : guard_tap(w->m, w->target->networks[of].config, &g->g, e);
}

void guard_unplug(struct manager *m, const char *tap)
{
	const struct guard_port *p = guard_port_find(m, tap);
	struct err e = {0};

	if (!p || !m->guard)
		return;
	if (portguard_remove(m->guard, p->ifindex, &e) < 0)
		log_warning("the guard of %s is left over: %s", tap, e.message);
	else if (guard_port_note(m, tap, 0) < 0)
		log_error("out of memory");
}

/* ---- leases ---- */

/* Whose @mac is: a guest's own, or one of those behind it. */
static const struct guest_rt *guest_of(struct manager *m, const struct network_rt *n,
				       const struct mac *mac)
{
	const struct guest_rt *g = manager_guest_by_mac(m, mac);

	if (!g) {
		const struct guest_config *c = network_guest_by_mac(n->config, mac);

		g = c ? manager_guest(m, c->name) : NULL;
	}
	return g && strcmp(g->g.network, n->name) == 0 ? g : NULL;
}

static void arm(struct manager *m, int64_t at_s);

/* Brought to what @facts say by now. */
static void follow(struct manager *m, const struct guest_rt *g, int ifindex,
		   const struct port_facts *facts)
{
	int r = portguard_update(m->guard, ifindex, facts);

	if (r < 0)
		log_warning("the guard of %s does not know its lease: %s", g->g.name, strerror(-r));
}

static bool is_configured(const struct guest_config *known, struct in_addr addr)
{
	return known && known->has_ipv4 && ip4_equal(known->ipv4, addr);
}

void guard_lease(struct manager *m, struct network_rt *n, const struct mac *mac,
		 struct in_addr addr, int64_t until_s)
{
	const struct guest_rt *g = guest_of(m, n, mac);
	const struct guard_port *p = g ? guard_port_find(m, g->g.tap) : NULL;
	struct port_facts facts;
	unsigned int before;

	if (until_s)
		arm(m, until_s);
	/* What is configured is allowed without a lease. */
	if (!p || !m->guard || is_configured(network_guest_find(n->config, g->g.name), addr) ||
	    portguard_facts(m->guard, p->ifindex, &facts) < 0)
		return;
	before = facts.n_pairs;
	if (until_s ? port_facts_pair(&facts, mac, addr) == 0 && facts.n_pairs != before
		    : port_facts_unpair(&facts, mac, addr))
		follow(m, g, p->ifindex, &facts);
}

/* ---- leases that end ---- */

/* struct expiry - a look at one network's leases. */
struct expiry {
	struct manager *m;
	struct network_rt *n;
	int64_t now_s;
	int64_t next_s;
};

static void look_at(const struct lease *l, void *ctx)
{
	struct expiry *x = ctx;

	if (l->state != LEASE_BOUND)
		return;
	if (!lease_live(l, x->now_s))
		guard_lease(x->m, x->n, &l->mac, l->addr, 0);
	else if (!x->next_s || l->expires_s < x->next_s)
		x->next_s = l->expires_s;
}

void guard_expiry(struct manager *m)
{
	struct expiry x = {.m = m, .now_s = clock_wall_s()};
	struct network_rt *n, *next;

	m->guard_expiry = sd_event_source_disable_unref(m->guard_expiry);
	HASH_ITER (hh, m->networks, n, next) {
		x.n = n;
		if (n->dhcp)
			lease_each(lease_server_table(n->dhcp), look_at, &x);
	}
	if (x.next_s)
		arm(m, x.next_s);
}

static int on_expiry(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)s;
	(void)usec;
	guard_expiry(ctx);
	return 0;
}

/* A second later, since leases are counted in seconds. */
static void arm(struct manager *m, int64_t at_s)
{
	uint64_t usec = 0, wanted = (uint64_t)(at_s + 1) * 1000000;

	if (m->guard_expiry && sd_event_source_get_time(m->guard_expiry, &usec) >= 0 &&
	    usec <= wanted)
		return;
	m->guard_expiry = sd_event_source_disable_unref(m->guard_expiry);
	if (sd_event_add_time(m->loop, &m->guard_expiry, CLOCK_REALTIME, wanted, 0, on_expiry, m) <
	    0)
		log_error("out of memory: leases that end are not followed by the guards");
}
