/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.c - see guard.h: the table as a whole, looked at and brought to what it should be. Single
 * guests and leases are guard_one.c's. Next on the walk: firewall/guard.c makes the text.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/guard_ports.h"

#define GUARD_TEXT_MAX (64 * 1024 * 1024)
#define NO_TABLE "delete table " FW_GUARD_TABLE "\n"

/* ---- ports ---- */

static size_t macs_of(const struct guest_config *g)
{
	return 1 + (g ? g->n_macs : 0);
}

int guard_ports_init(struct guard_ports *p, size_t guests, size_t macs)
{
	p->v = calloc(guests + 1, sizeof(*p->v));
	p->macs = calloc(macs + 1, sizeof(*p->macs));
	/* A configured address and a lease for each. */
	p->pairs = calloc(2 * macs + 1, sizeof(*p->pairs));
	return p->v && p->macs && p->pairs ? 0 : -ENOMEM;
}

void guard_ports_done(struct guard_ports *p)
{
	free(p->v);
	free(p->macs);
	free(p->pairs);
	*p = (struct guard_ports){0};
}

/* Addresses of the LAN's, or of a network without the host, are known only where they are written. */
static bool are_ours(const struct network_config *c)
{
	return c->mode != NETWORK_BRIDGED && (c->mode != NETWORK_ISOLATED || c->host);
}

static void add_prefixes(struct fw_guard_port *port, const struct guest_config *known)
{
	for (size_t i = 0; known && i < known->n_addresses; i++) {
		port->known4 |= known->addresses[i].ip4.len != 0;
		port->known6 |= known->addresses[i].ip6.len != 0;
	}
	port->prefixes = known ? known->addresses : NULL;
	port->n_prefixes = known ? known->n_addresses : 0;
}

static void add_network(struct manager *m, const struct network_config *c,
			const struct guest_config *known, struct fw_guard_port *port)
{
	const struct mac bridge = mac_derive(m->host_id, c->name, "", 0);

	port->known6 = true;
	port->routers6[port->n_routers6++] = ip6_linklocal(&bridge);
	if (c->ipv6.subnet.len) {
		port->subnet6 = c->ipv6.subnet;
		port->routers6[port->n_routers6++] = c->ipv6.gateway;
	}
	if (!network_has_ipv4(c))
		return;
	port->gateway = c->gateway;
	/* Where nobody gives addresses out guests choose their own. */
	if (!c->dhcp && !port->known4 && !(known && known->has_ipv4))
		port->subnet = c->subnet;
	port->known4 = true;
}

static void add_pair(struct guard_ports *p, struct fw_guard_port *port, const struct mac *mac,
		     struct in_addr addr)
{
	p->pairs[p->n_pairs++] = (struct fw_guard_pair){*mac, addr};
	port->n_pairs++;
}

void guard_ports_add(struct manager *m, const struct network_config *c, const struct state_guest *g,
		     const struct lease_table *leases, struct guard_ports *p)
{
	const struct guest_config *known = network_guest_find(c, g->name);
	struct fw_guard_port *port = &p->v[p->n++];
	int64_t now_s = clock_wall_s();

	*port = (struct fw_guard_port){.ifname = g->tap, .guards = guards_of(c, known)};
	port->macs = &p->macs[p->n_macs];
	port->n_macs = macs_of(known);
	p->macs[p->n_macs++] = g->mac;
	for (size_t i = 0; known && i < known->n_macs; i++)
		p->macs[p->n_macs++] = known->macs[i];
	add_prefixes(port, known);
	if (are_ours(c))
		add_network(m, c, known, port);
	port->pairs = &p->pairs[p->n_pairs];
	for (size_t i = 0; i < port->n_macs; i++) {
		const struct lease *l = leases ? lease_find_mac(leases, &port->macs[i]) : NULL;

		if (known && known->has_ipv4)
			add_pair(p, port, &port->macs[i], known->ipv4);
		if (l && l->state == LEASE_BOUND && lease_live(l, now_s))
			add_pair(p, port, &port->macs[i], l->addr);
	}
}

int guard_leases(struct manager *m, const struct network_config *c, struct guard_leases *ret,
		 struct err *e)
{
	struct network_rt *n = manager_network(m, c->name);
	int r;

	*ret = (struct guard_leases){0};
	if (!c->dhcp)
		return 0;
	if (n && n->dhcp) {
		ret->table = lease_server_table(n->dhcp);
		return 0;
	}
	r = lease_table_new(&ret->own);
	if (r == 0)
		r = lease_store_load(m->leases, c->name, ret->own, e);
	if (r < 0 && !e->code[0])
		err_set(e, r, "memory", c->name, "%s", strerror(-r));
	ret->table = ret->own;
	return r;
}

void guard_leases_done(struct guard_leases *l)
{
	lease_table_free(l->own);
	*l = (struct guard_leases){0};
}

/* ---- all of them ---- */

/* struct networks - the target's, and the leases of those that were asked for. */
struct networks {
	struct work *w;
	struct guard_leases *leases;
	bool *loaded;
};

static int add_guest(struct networks *nets, const struct state_guest *g, struct guard_ports *p,
		     struct err *e)
{
	struct work *w = nets->w;
	size_t of = work_find(w, w->by_name, g->network);
	int r = 0;

	if (of == w->target->n)
		return 0;
	if (!nets->loaded[of]) {
		r = guard_leases(w->m, w->target->networks[of].config, &nets->leases[of], e);
		nets->loaded[of] = true;
	}
	if (r == 0)
		guard_ports_add(w->m, w->target->networks[of].config, g, nets->leases[of].table, p);
	return r;
}

static int collect(struct work *w, struct guard_ports *p, struct err *e)
{
	struct networks nets = {.w = w};
	size_t guests = 0, macs = 0;
	int r;

	for (const struct guest_rt *g = w->m->guests; g; g = g->hh.next) {
		size_t of = work_find(w, w->by_name, g->g.network);

		guests++;
		if (of < w->target->n)
			macs += macs_of(
				network_guest_find(w->target->networks[of].config, g->g.name));
	}
	nets.leases = calloc(w->target->n + 1, sizeof(*nets.leases));
	nets.loaded = calloc(w->target->n + 1, sizeof(*nets.loaded));
	r = nets.leases && nets.loaded ? guard_ports_init(p, guests + 1, macs + 1 + GUEST_MACS_MAX)
				       : -ENOMEM;
	for (const struct guest_rt *g = w->m->guests; g && r == 0; g = g->hh.next)
		r = add_guest(&nets, &g->g, p, e);
	if (r == 0 && w->guard_extra && !manager_guest(w->m, w->guard_extra->name))
		r = add_guest(&nets, w->guard_extra, p, e);
	for (size_t i = 0; nets.leases && i < w->target->n; i++)
		guard_leases_done(&nets.leases[i]);
	free(nets.leases);
	free(nets.loaded);
	return r;
}

/* ---- what there is ---- */

/*
 * table_read() - the table in the kernel, as m->guard can have it. -ESTALE when its chains are not
 * those that we know, or there is none.
 */
static int table_read(struct manager *m, const struct fw_ruleset *want, bool *ret_present,
		      struct fw_ruleset *ret, struct err *e)
{
	const char *candidates[] = {m->guard.skeleton, want->skeleton}, *known = NULL;
	struct buf listing = BUF_INIT(GUARD_TEXT_MAX);
	struct fw_ruleset t = {0};
	int r = nft_list_guard(m->nft, &listing, e);

	*ret_present = r == 0 && listing.len;
	if (r == 0)
		r = listing.len && fw_guard_read(buf_str(&listing), &t) == 0 ? 0 : -ESTALE;
	buf_done(&listing);
	for (size_t i = 0; i < ARRAY_SIZE(candidates) && !known; i++)
		if (candidates[i] && hash_str(HASH_INIT, candidates[i]) == m->guard_skeleton)
			known = candidates[i];
	if (r == 0 && (!known || hash_str(HASH_INIT, t.skeleton) != m->guard_listing))
		r = -ESTALE;
	if (r == 0) {
		free(t.skeleton);
		t.skeleton = strdup(known);
		r = t.skeleton ? 0 : -ENOMEM;
	}
	if (r < 0)
		fw_ruleset_done(&t);
	else
		*ret = t;
	return r;
}

bool guard_known(struct manager *m)
{
	uint32_t now = 0;

	return m->guard_generation && nft_generation(m->nft, &now) == 0 &&
	       now == m->guard_generation;
}

/* To m->guard, when it is not known to be what the kernel has. */
static int look_again(struct manager *m, const struct fw_ruleset *want, bool *ret_present,
		      struct err *e)
{
	uint32_t before = 0, after = 0;
	struct fw_ruleset t;
	int r;

	*ret_present = true;
	if (guard_known(m))
		return 0;
	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	m->guard_generation = 0;
	r = table_read(m, want, ret_present, &t, e);
	if (r < 0)
		return r;
	fw_ruleset_done(&m->guard);
	m->guard = t;
	if (before && nft_generation(m->nft, &after) == 0 && after == before)
		m->guard_generation = after;
	return 0;
}

static int plan(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	bool present = false;
	int r = look_again(m, &w->guard, &present, e);

	w->guard_text = BUF_INIT(GUARD_TEXT_MAX);
	if (nft_generation(m->nft, &w->guard_seen) < 0)
		w->guard_seen = 0;
	if (r < 0 && r != -ESTALE)
		return r;
	if (w->guard.n_elements == 0) {
		if (present)
			buf_puts(&w->guard_text, NO_TABLE);
		w->guard_changes = present;
		return w->guard_text.error;
	}
	if (r == 0)
		r = fw_ruleset_delta(&m->guard, &w->guard, &w->guard_text);
	if (r == -ESTALE) {
		buf_done(&w->guard_text);
		fw_ruleset_full(&w->guard, &w->guard_text);
		w->guard_full = true;
		r = w->guard_text.error ? w->guard_text.error : 1;
	}
	w->guard_changes = r > 0 ? r : 0;
	return r < 0 ? r : 0;
}

int guard_look(struct work *w, struct err *e)
{
	struct guard_ports p = {0};
	int r;

	/* Where nobody is plugged in, and nothing was left by an earlier run, there is nothing. */
	if (w->follow_only || (!w->m->guests && !w->m->guard_used && !w->guard_extra))
		return 0;
	w->m->guard_used = true;
	r = collect(w, &p, e);
	if (r == 0)
		r = fw_guard_build(p.v, p.n, &w->guard);
	if (r == 0)
		r = plan(w, e);
	guard_ports_done(&p);
	if (r < 0 && !e->code[0])
		err_set(e, r, "firewall", FW_GUARD_TABLE,
			"the guests' guards could not be read: %s", strerror(-r));
	return r;
}

/* ---- telling ---- */

/* The port that @line is about, into @buf. */
static const char *port_of(const char *line, char buf[static IFNAMSIZ])
{
	const char *name = strchr(line, '"');

	snprintf(buf, IFNAMSIZ, "%.*s", name ? (int)strcspn(name + 1, "\"") : 0,
		 name ? name + 1 : "");
	return buf;
}

/* Elements of @a that are not in @b, each port once in a row. */
static void say_missing(struct work *w, const struct fw_ruleset *a, const struct fw_ruleset *b)
{
	char last[IFNAMSIZ] = "", port[IFNAMSIZ], text[64];
	size_t j = 0;

	for (size_t i = 0; i < a->n_elements; i++) {
		int order = 1;

		while (j < b->n_elements && (order = strcmp(b->elements[j], a->elements[i])) < 0)
			j++;
		if ((j < b->n_elements && order == 0) ||
		    strcmp(port_of(a->elements[i], port), last) == 0)
			continue;
		strcpy(last, port);
		snprintf(text, sizeof(text), "~ %s: guard", port);
		work_say(w, "change", port, text);
	}
}

void guard_say(struct work *w)
{
	if (w->guard_changes == 0)
		return;
	if (w->guard.n_elements == 0) {
		work_say(w, "delete", FW_GUARD_TABLE, "- guard table " FW_GUARD_TABLE);
	} else if (w->guard_full) {
		work_say(w, "create", FW_GUARD_TABLE, "+ guard table " FW_GUARD_TABLE);
	} else {
		say_missing(w, &w->guard, &w->m->guard);
		say_missing(w, &w->m->guard, &w->guard);
	}
}

/* ---- doing ---- */

int guard_commit(struct manager *m, const char *text, struct err *e)
{
	uint32_t before = 0;
	int r;

	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	r = nft_run(m->nft, text, e);
	if (r < 0)
		return r;
	manager_committed(m, before, 1);
	return 0;
}

/* As table.c has it of the other table: the next start knows these chains again by that. */
static int remember(struct manager *m, struct err *e)
{
	struct buf listing = BUF_INIT(GUARD_TEXT_MAX);
	struct fw_ruleset t = {0};
	char text[64];
	int r = nft_list_guard(m->nft, &listing, e);

	if (r == 0)
		r = fw_guard_read(buf_str(&listing), &t);
	if (r == 0 && !guard_known(m))
		r = err_set(e, -ESTALE, "firewall", FW_GUARD_TABLE, "somebody else changed rules");
	if (r == 0) {
		m->guard_skeleton = hash_str(HASH_INIT, m->guard.skeleton);
		m->guard_listing = hash_str(HASH_INIT, t.skeleton);
		snprintf(text, sizeof(text), "%016llx %016llx",
			 (unsigned long long)m->guard_skeleton,
			 (unsigned long long)m->guard_listing);
		r = state_meta_put(m->state, "guard", text, e);
	}
	fw_ruleset_done(&t);
	buf_done(&listing);
	return r;
}

int guard_do(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	struct err why = {0};
	bool relist;
	int r;

	if (w->guard_changes == 0)
		return 0;
	guard_say(w);
	relist = w->guard.n_elements && (w->guard_full || !m->guard.skeleton ||
					 strcmp(m->guard.skeleton, w->guard.skeleton) != 0);
	m->guard_generation = w->guard_seen;
	r = guard_commit(m, buf_str(&w->guard_text), e);
	if (r < 0) {
		m->guard_generation = 0;
		return r;
	}
	if (w->fw_seen)
		w->fw_seen++;
	fw_ruleset_done(&m->guard);
	m->guard = w->guard;
	w->guard = (struct fw_ruleset){0};
	m->guard_used = m->guard.n_elements || m->guests;
	if (m->guard.n_elements == 0) {
		fw_ruleset_done(&m->guard);
		m->guard_generation = 0;
	}
	/* Without it the next start replaces the table; the rules are the same. */
	if (relist && remember(m, &why) < 0)
		log_warning("how the guard table is listed is not kept: %s", why.message);
	return 0;
}
