/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_one.c - see guard.h: one guest that comes or goes, one lease that begins or ends. None of it
 * looks at the other guests; what cannot be done so is done by a reconciliation.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/guard_ports.h"

#define TEXT_MAX (16 * 1024 * 1024)

/* ---- guests ---- */

/* From what @port has to what @part says; there may be nothing to do. */
static int change_port(struct manager *m, const char *port, const struct fw_ruleset *part,
		       struct err *e)
{
	struct fw_ruleset old, new = *part;
	struct buf text = BUF_INIT(TEXT_MAX);
	int r = fw_guard_of(&m->guard, port, &old);

	if (r < 0)
		return err_set(e, r, "memory", port, "%s", strerror(-r));
	/* The chains stay as they are. */
	new.skeleton = m->guard.skeleton;
	r = fw_ruleset_delta(&old, &new, &text);
	if (r > 0)
		r = guard_commit(m, buf_str(&text), e);
	if (r == 0 && (old.n_elements || part->n_elements))
		r = fw_guard_merge(&m->guard, port, part);
	if (r < 0)
		m->guard_generation = 0;
	free(old.elements);
	buf_done(&text);
	return r < 0 ? r : 0;
}

static int one_port(struct manager *m, const struct network_rt *n, const struct state_guest *g,
		    struct guard_ports *p, struct err *e)
{
	const struct guest_config *known = network_guest_find(n->config, g->name);
	struct guard_leases leases;
	int r = guard_ports_init(p, 1, 1 + (known ? known->n_macs : 0));

	if (r < 0)
		return err_set(e, r, "memory", g->name, "%s", strerror(-r));
	r = guard_leases(m, n->config, &leases, e);
	if (r == 0)
		guard_ports_add(m, n->config, g, leases.table, p);
	guard_leases_done(&leases);
	return r;
}

int guard_plug(struct manager *m, struct network_rt *n, const struct state_guest *g, struct err *e)
{
	struct guard_ports p = {0};
	struct fw_ruleset part = {0};
	int r = one_port(m, n, g, &p, e);

	if (r == 0)
		r = fw_guard_build(p.v, p.n, &part);
	if (r < 0 && !e->code[0])
		err_set(e, r, "firewall", g->tap, "the guards of %s could not be made: %s", g->name,
			strerror(-r));
	if (r == 0 && part.n_elements) {
		m->guard_used = true;
		/* The first guest, or one with a choice of guards that no other has, or rules changed. */
		if (guard_known(m) && fw_guard_has_chains(&m->guard, &part))
			r = change_port(m, g->tap, &part, e);
		else
			r = reconcile_guards(m, g, e);
	}
	fw_ruleset_done(&part);
	guard_ports_done(&p);
	return r;
}

void guard_unplug(struct manager *m, const char *tap)
{
	const struct fw_ruleset none = {.table = FW_GUARD_TABLE};
	struct fw_ruleset of = {0};
	uint32_t before = 0;
	struct err e = {0};
	bool has, last;
	int r;

	if (!m->guard.skeleton || fw_guard_of(&m->guard, tap, &of) < 0)
		return;
	has = of.n_elements != 0;
	last = of.n_elements == m->guard.n_elements;
	free(of.elements);
	if (!has)
		return;
	if (last || !guard_known(m)) {
		r = reconcile_guards(m, NULL, &e);
	} else {
		r = change_port(m, tap, &none, &e);
		if (r == 0 && nft_generation(m->nft, &before) == 0)
			manager_committed(m, before, nft_guard_forget(m->nft, tap));
	}
	if (r < 0)
		log_warning("the guard of %s is left over: %s", tap, e.message);
}

/* ---- leases ---- */

/* Whose @mac is: a guest's own, or one of those behind it. */
static const struct guest_rt *guest_of(struct manager *m, const struct network_rt *n,
				       const struct mac *mac)
{
	const struct guest_rt *g = manager_guest_by_mac(m, mac);

	for (size_t i = 0; !g && i < n->config->n_guests; i++) {
		const struct guest_config *c = &n->config->guests[i];

		for (size_t k = 0; k < c->n_macs; k++)
			if (mac_equal(&c->macs[k], mac))
				g = manager_guest(m, c->name);
	}
	return g && strcmp(g->g.network, n->name) == 0 ? g : NULL;
}

static void arm(struct manager *m, int64_t at_s);

/* @pair was brought into the kernel, or out of it. */
static int note_pair(struct manager *m, uint32_t before, const char *line, bool bound)
{
	int r = fw_guard_line(&m->guard, line, bound);

	if (r < 0)
		m->guard_generation = 0;
	else
		manager_committed(m, before, 1);
	return r;
}

static int set_pair(struct manager *m, const struct fw_guard_port *port,
		    const struct fw_guard_pair *pair, bool bound)
{
	char line[FW_GUARD_LINE_MAX];
	uint32_t before = 0;
	int r;

	fw_guard_pair(port, pair, line, sizeof(line));
	if (fw_guard_has_line(&m->guard, line) == bound)
		return 0;
	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	r = nft_guard_pair(m->nft, port, pair, bound);
	return r < 0 ? r : note_pair(m, before, line, bound);
}

void guard_lease(struct manager *m, struct network_rt *n, const struct mac *mac,
		 struct in_addr addr, int64_t until_s)
{
	const struct guest_rt *g = guest_of(m, n, mac);
	const struct guest_config *known = g ? network_guest_find(n->config, g->g.name) : NULL;
	const struct fw_guard_pair pair = {*mac, addr};
	struct guard_ports p = {0};
	struct err e = {0};
	int r;

	if (until_s)
		arm(m, until_s);
	/* What is configured is allowed without a lease. */
	if (!g || !guards_of(n->config, known) ||
	    (known && known->has_ipv4 && ip4_equal(known->ipv4, addr)))
		return;
	r = guard_ports_init(&p, 1, 1 + (known ? known->n_macs : 0));
	if (r == 0) {
		guard_ports_add(m, n->config, &g->g, NULL, &p);
		r = guard_known(m) ? set_pair(m, &p.v[0], &pair, until_s != 0) : -ESTALE;
	}
	guard_ports_done(&p);
	/* Somebody has changed rules, maybe these: all of them are looked at. */
	if (r < 0 && reconcile_guards(m, NULL, &e) < 0)
		log_warning("the guard of %s does not know its lease: %s", g->g.name, e.message);
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
