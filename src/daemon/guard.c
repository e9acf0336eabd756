/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.c - see guard.h: all ports, looked at and brought to what they should be. Single guests and
 * leases are guard_one.c's. Next on the walk: guard_ports.c has what a port is to know, kernel/portguard.c
 * puts it there.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/guard_ports.h"

#define GUARD_TABLE_MAX (64 * 1024 * 1024)
#define OLD_TABLE "bridge vmlane" /* of vmlane before it had programs at the ports */

/* ---- what is to be done ---- */

/* struct guard_change - @tap ("" when it has gone) is @ifindex, and shall have @facts. */
struct guard_change {
	char tap[IFNAMSIZ];
	int ifindex;
	struct port_facts facts;
};

void guard_work_done(struct work *w)
{
	free(w->guards);
	w->guards = NULL;
}

static int add_change(struct work *w, const char *tap, int ifindex, const struct port_facts *facts)
{
	struct guard_change *c;

	c = reallocarray(w->guards, w->n_guards + 1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	w->guards = c;
	c += w->n_guards++;
	*c = (struct guard_change){.ifindex = ifindex};
	strcpy(c->tap, tap);
	if (facts)
		c->facts = *facts;
	return 0;
}

/* ---- looking ---- */

/*
 * struct looking - the ports that are there, by name; @leases of the target's networks, when asked for;
 * @failed, @why: the guards' programs cannot be had, which is tried once
 */
struct looking {
	struct work *w;
	int failed;
	struct err why;
	struct guard_leases *leases;
	bool *loaded;
	const struct link_state **links;
	int *guarded;
	size_t n_guarded;
};

static int link_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct link_state *const *)a)->name,
		      (*(const struct link_state *const *)b)->name);
}

static const struct link_state *find_link(const struct looking *x, const char *name)
{
	struct link_state key = {0};
	const struct link_state *wanted = &key, **l;

	strcpy(key.name, name);
	l = bsearch(&wanted, x->links, x->w->actual.n_links, sizeof(*x->links), link_cmp);
	return l ? *l : NULL;
}

static bool is_guests(const struct link_state *l, const struct state_guest *g)
{
	size_t len = strlen(ALIAS_GUEST);

	return l && strncmp(l->alias, ALIAS_GUEST, len) == 0 &&
	       strcmp(l->alias + len, g->name) == 0;
}

static int looking_init(struct looking *x, struct work *w)
{
	size_t guests = HASH_COUNT(w->m->guests);

	*x = (struct looking){.w = w};
	x->leases = calloc(w->target->n + 1, sizeof(*x->leases));
	x->loaded = calloc(w->target->n + 1, sizeof(*x->loaded));
	x->links = calloc(w->actual.n_links + 1, sizeof(*x->links));
	x->guarded = calloc(guests + 1, sizeof(*x->guarded));
	if (!x->leases || !x->loaded || !x->links || !x->guarded)
		return -ENOMEM;
	for (size_t i = 0; i < w->actual.n_links; i++)
		x->links[i] = &w->actual.links[i];
	qsort(x->links, w->actual.n_links, sizeof(*x->links), link_cmp);
	return 0;
}

static void looking_done(struct looking *x)
{
	for (size_t i = 0; x->leases && i < x->w->target->n; i++)
		guard_leases_done(&x->leases[i]);
	free(x->leases);
	free(x->loaded);
	free(x->links);
	free(x->guarded);
}

static int wanted_facts(struct looking *x, const struct state_guest *g, struct port_facts *ret,
			struct err *e)
{
	struct work *w = x->w;
	size_t of = work_find(w, w->by_name, g->network);
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (of == w->target->n)
		return 0;
	if (!x->loaded[of]) {
		r = guard_leases(w->m, w->target->networks[of].config, &x->leases[of], e);
		x->loaded[of] = true;
	}
	if (r == 0)
		r = guard_facts(w->m, w->target->networks[of].config, g, x->leases[of].table, ret);
	return r;
}

/*
 * have_guards() - m->guard is there. Else that is told, and what is plugged in already goes on as it is:
 * nothing else of the host waits for it.
 */
static bool have_guards(struct looking *x)
{
	struct work *w = x->w;

	if (!w->m->guard && !x->failed) {
		x->failed = guard_open(w->m, &x->why);
		if (x->failed < 0) {
			err_list_push(w->errs, &x->why);
			w->refused = x->failed;
		}
	}
	return w->m->guard != NULL;
}

static int look_at(struct looking *x, struct guest_rt *g, struct err *e)
{
	const struct link_state *l = find_link(x, g->g.tap);
	struct manager *m = x->w->m;
	struct port_facts want, now;
	int r = wanted_facts(x, &g->g, &want, e);

	if (r < 0)
		return r;
	if (want.guards && !have_guards(x)) {
		g->problem = x->why;
		return 0;
	}
	/* What is not there yet is guarded when it gets its bridge. */
	if (!m->guard || !is_guests(l, &g->g))
		return 0;
	r = portguard_look(m->guard, l->ifindex, &now);
	if (want.guards)
		x->guarded[x->n_guarded++] = l->ifindex;
	if (want.guards ? r == 0 && memcmp(&want, &now, sizeof(want)) == 0 : r == -ENOENT)
		return want.guards ? guard_port_note(m, g->g.tap, l->ifindex) : 0;
	return add_change(x->w, g->g.tap, l->ifindex, &want);
}

static int int_cmp(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Facts of ports that have gone, or that are nobody's who is guarded. */
static int look_for_rest(struct looking *x)
{
	_cleanup_(freep) int *ports = NULL;
	int n, r = 0;

	if (!x->w->m->guard)
		return 0;
	n = portguard_ports(x->w->m->guard, &ports);
	if (n < 0)
		return n;
	qsort(x->guarded, x->n_guarded, sizeof(*x->guarded), int_cmp);
	for (size_t i = 0; i < x->w->n_guards; i++)
		for (int k = 0; k < n && !x->w->guards[i].facts.guards; k++)
			if (ports[k] == x->w->guards[i].ifindex)
				ports[k] = 0;
	for (int k = 0; k < n && r == 0; k++)
		if (ports[k] &&
		    !bsearch(&ports[k], x->guarded, x->n_guarded, sizeof(*x->guarded), int_cmp))
			r = add_change(x->w, "", ports[k], NULL);
	return r;
}

/* The rules that an older vmlane had for all guests: not before the programs are there. */
static int look_for_table(struct work *w, struct err *e)
{
	struct buf listing = BUF_INIT(GUARD_TABLE_MAX);
	int r = nft_list_guard(w->m->nft, &listing, e);

	/* Whatever its size: that it is there counts. */
	w->guard_table = r == -E2BIG || (r == 0 && listing.len);
	buf_done(&listing);
	return r == -E2BIG ? 0 : r;
}

int guard_look(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	struct looking x;
	int r;

	if (w->follow_only || (!m->guests && !m->guard && !m->guard_before))
		return 0;
	r = looking_init(&x, w);
	if (r == 0 && m->guard_before)
		r = look_for_table(w, e);
	if (r == 0 && m->guard_before && portguard_left())
		(void)have_guards(&x);
	for (struct guest_rt *g = m->guests; g && r == 0; g = g->hh.next)
		r = look_at(&x, g, e);
	if (r == 0)
		r = look_for_rest(&x);
	looking_done(&x);
	if (r < 0 && !e->code[0])
		err_set(e, r, "memory", "guards", "%s", strerror(-r));
	return r;
}

/* ---- telling ---- */

void guard_say(struct work *w)
{
	char text[64];

	for (size_t i = 0; i < w->n_guards; i++) {
		const struct guard_change *c = &w->guards[i];

		if (!c->tap[0])
			continue;
		snprintf(text, sizeof(text), "~ %s: guard", c->tap);
		work_say(w, "change", c->tap, text);
	}
	if (w->guard_table)
		work_say(w, "delete", OLD_TABLE, "- guard table " OLD_TABLE);
}

/* ---- doing ---- */

static int do_change(struct work *w, const struct guard_change *c)
{
	struct manager *m = w->m;
	struct guest_rt *g = manager_guest_by_tap(m, c->tap);
	struct err e = {0};
	int r;

	r = c->tap[0] ? guard_put(m, c->tap, c->ifindex, &c->facts, &e)
		      : portguard_remove(m->guard, c->ifindex, &e);
	if (r == -ENODEV && c->tap[0])
		return 0; /* it has gone meanwhile */
	if (r == 0)
		return 0;
	if (!e.code[0])
		err_set(&e, r, "kernel", c->tap, "%s", strerror(-r));
	err_list_push(w->errs, &e);
	if (g)
		g->problem = e;
	return r;
}

static int end_table(struct work *w)
{
	struct err e = {0};
	uint32_t before = 0;
	int r;

	if (nft_generation(w->m->nft, &before) < 0)
		before = 0;
	r = nft_run(w->m->nft, "delete table " OLD_TABLE "\n", &e);
	if (r < 0) {
		err_list_push(w->errs, &e);
		return r;
	}
	manager_committed(w->m, before, 1);
	if (w->fw_seen)
		w->fw_seen++;
	return 0;
}

int guard_do(struct work *w)
{
	int first = 0, r;

	if (w->follow_only)
		return 0;
	guard_say(w);
	for (size_t i = 0; i < w->n_guards; i++) {
		r = do_change(w, &w->guards[i]);
		first = first ? first : r;
	}
	if (first == 0 && !w->refused && w->guard_table)
		first = end_table(w);
	if (first == 0 && !w->refused) {
		w->m->guard_before = false;
		if (w->m->guard)
			portguard_settled(w->m->guard);
	}
	return first;
}
