/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconcile.c - see reconcile.h. Next on the walk: want.c, steps.c, table.c. */
#include "daemon/bridged.h"
#include "daemon/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/events.h"
#include "daemon/accepts.h"
#include "daemon/guard.h"
#include "daemon/guardian.h"
#include "daemon/policy.h"
#include "daemon/rates.h"

#define FOLLOW_DELAY_US 20000

int target_runtime(struct manager *m, struct target *ret)
{
	struct target t = {0};
	struct network_rt *n, *next;

	t.networks = calloc(HASH_COUNT(m->networks) + 1, sizeof(*t.networks));
	if (!t.networks)
		return -ENOMEM;
	HASH_ITER (hh, m->networks, n, next) {
		t.networks[t.n].config = n->config;
		t.networks[t.n++].run = !n->stopped && strcmp(n->problem.code, "refused") != 0;
	}
	*ret = t;
	return 0;
}

void target_done(struct target *t)
{
	free(t->networks);
	*t = (struct target){0};
}

static void work_done(struct work *w)
{
	actual_done(&w->actual);
	desired_done(&w->desired);
	plan_done(&w->plan);
	fw_ruleset_done(&w->fw);
	buf_done(&w->fw_text);
	guard_work_done(w);
	fw_rates_done(&w->rates);
	fw_rates_done(&w->rates_now);
	policy_want_done(w);
	free(w->fw_nets);
	free(w->fw_ways);
	free(w->fw_peers);
	free(w->failed);
	free(w->bridges);
	free(w->used);
	free(w->used6);
	free(w->closed6);
	free(w->switches);
	free(w->by_name);
	free(w->by_bridge);
}

int work_mark_failed(struct work *w, const char *bridge, int r, const struct err *e)
{
	size_t of = work_find(w, w->by_bridge, bridge);
	struct network_rt *n;

	err_list_push(w->errs, e);
	if (w->only_look || of == w->target->n)
		return r;
	w->failed[of] = true;
	n = manager_network(w->m, w->target->networks[of].config->name);
	if (n)
		n->problem = *e;
	return r;
}

static int index_cmp(const void *a, const void *b)
{
	return strcmp(((const struct target_index *)a)->key, ((const struct target_index *)b)->key);
}

static int make_indexes(struct work *w)
{
	size_t n = w->target->n;

	w->failed = calloc(n + 1, sizeof(*w->failed));
	w->bridges = calloc(n + 1, sizeof(*w->bridges));
	w->by_name = calloc(n + 1, sizeof(*w->by_name));
	w->by_bridge = calloc(n + 1, sizeof(*w->by_bridge));
	if (!w->failed || !w->bridges || !w->by_name || !w->by_bridge)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct network_config *c = w->target->networks[i].config;

		w->by_name[i] = (struct target_index){c->name, i};
		w->by_bridge[i] = (struct target_index){c->bridge, i};
	}
	qsort(w->by_name, n, sizeof(*w->by_name), index_cmp);
	qsort(w->by_bridge, n, sizeof(*w->by_bridge), index_cmp);
	return 0;
}

size_t work_find(const struct work *w, const struct target_index *index, const char *key)
{
	const struct target_index wanted = {.key = key};
	const struct target_index *found =
		bsearch(&wanted, index, w->target->n, sizeof(*index), index_cmp);

	return found ? found->index : w->target->n;
}

void work_say(struct work *w, const char *op, const char *object, const char *text)
{
	if (w->changes)
		json_array_append_new(w->changes, json_pack("{s:s, s:s, s:s}", "op", op, "object",
							    object, "text", text));
}

/* The MAC tables: what only follows the uplinks leaves them alone. */
static int look_at_fdb(struct work *w, struct err *e)
{
	if (w->follow_only)
		return 0;
	return rtnl_fdb_dump(w->m->rtnl, 0, &w->actual.fdb, &w->actual.n_fdb, e);
}

/* look() - what there is, what there should be, and how they differ; nothing is written. */
static int look(struct work *w)
{
	struct err e = {0};
	int r = rtnl_snapshot(w->m->rtnl, &w->actual, &e);

	if (r == 0)
		r = look_at_fdb(w, &e);
	if (r == 0)
		r = want_ipv6_look(w, &e);
	for (size_t i = 0; i < w->actual.n_links; i++) {
		size_t of = work_find(w, w->by_bridge, w->actual.links[i].name);

		if (of < w->target->n)
			w->bridges[of] = w->actual.links[i].ifindex;
	}
	if (r == 0) {
		w->n_uplinks = actual_uplinks(&w->actual, w->uplinks, UPLINKS_MAX);
		events_uplinks(w->m, w->uplinks, w->n_uplinks);
		if (!w->only_look)
			sysctls_follow(w);
		r = want_all(w);
	}
	if (r == 0)
		r = port_vlans_look(w, &e);
	if (r == 0)
		r = rates_look(w, &e);
	if (r == 0)
		r = guard_look(w, &e);
	if (r == 0)
		r = steps_plan(w);
	if (r == 0)
		r = table_diff(w, &e);
	if (r < 0 && e.code[0])
		err_list_push(w->errs, &e);
	return r;
}

/* @n's bridge is up as it was, and what serves its guests is as it should be. */
static bool serves(const struct work *w, const struct network_rt *n)
{
	size_t i = work_find(w, w->by_name, n->name);

	return i < w->target->n && n->ifindex && n->ifindex == w->bridges[i] && !n->stopped &&
	       n->config->dhcp == (n->dhcp != NULL) && n->ipv6 == (n->ra != NULL);
}

static int serve_all(struct work *w)
{
	struct network_rt *n, *next;
	int first = 0;

	HASH_ITER (hh, w->m->networks, n, next) {
		struct err e = {0};
		int r;

		if (serves(w, n))
			continue;
		r = network_serve(w->m, n, &e);
		if (r == 0)
			continue;
		if (!e.code[0])
			err_set(&e, r, "serve", n->name,
				"the DHCP server or router advertiser could not start: %s",
				strerror(-r));
		n->problem = e;
		err_list_push(w->errs, &e);
		first = first ? first : r;
	}
	return first;
}

static int carry_out(struct work *w)
{
	bool follow_only = w->follow_only;
	int r, one;

	if (!follow_only)
		advertise_farewell(w);
	r = steps_do(w, true, follow_only);
	one = guard_do(w);
	r = r ? r : one;
	one = table_do(w);
	w->m->fw_failed = one < 0;
	r = r ? r : one;
	/* Without its filters a network is not put into service. */
	if (one == 0) {
		one = steps_do(w, false, follow_only);
		r = r ? r : one;
	}
	accepts_do(w);
	sysctls_forget(w);
	guardian_wants(w->m, &w->desired, w->n_lasting);
	mtu_follow(w);
	advertise_follow(w);
	if (!follow_only) {
		one = rates_do(w);
		r = r ? r : one;
		one = serve_all(w);
		r = r ? r : one;
		guard_expiry(w->m);
	}
	return r;
}

static void clear_problems(struct manager *m)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		if (strcmp(n->problem.code, "refused") != 0)
			n->problem = (struct err){0};
	}
	for (struct guest_rt *g = m->guests; g; g = g->hh.next)
		g->problem = (struct err){0};
}

int reconcile(struct manager *m, const struct target *target, enum reconcile_scope scope,
	      json_t *changes, struct err_list *errs)
{
	struct work w = {.m = m,
			 .changes = changes,
			 .errs = errs,
			 .only_look = scope == RECONCILE_DIFF,
			 .follow_only = scope == RECONCILE_FOLLOW,
			 .mend_only = scope == RECONCILE_MEND};
	bool whole = scope == RECONCILE_ALL || scope == RECONCILE_MEND;
	struct target runtime = {0};
	int r = 0, nics = 0;

	if (!target)
		r = target_runtime(m, &runtime);
	if (r < 0)
		return r;
	w.target = target ? target : &runtime;
	if (whole)
		clear_problems(m);
	/* First, as the taps are plugged into the bridges that come of it. */
	if (whole)
		nics = bridged_reconcile(m, w.target, changes, errs);
	r = make_indexes(&w);
	if (r == 0)
		r = look(&w);
	if (r == 0 && scope == RECONCILE_DIFF) {
		bridged_say(m, w.target, changes);
		guard_say(&w);
		steps_say(&w);
		table_say(&w);
		rates_say(&w);
		accepts_say(&w);
	} else if (r == 0) {
		r = carry_out(&w);
	} else if (scope != RECONCILE_DIFF) {
		m->fw_failed = true;
	}
	/* A name that is taken is not news to those who only follow a route. */
	if (r == 0 && scope != RECONCILE_FOLLOW)
		r = nics ? nics : w.refused;
	work_done(&w);
	target_done(&runtime);
	return r;
}

/* ---- following the host's routes ---- */

static int on_follow(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct manager *m = ctx;
	enum reconcile_scope scope;

	(void)s;
	(void)usec;
	m->follow = sd_event_source_disable_unref(m->follow);
	if (guardian_instead(m)) {
		m->follow_all = false;
		free(errs);
		return 0;
	}
	scope = m->follow_all ? RECONCILE_ALL : RECONCILE_FOLLOW;
	m->follow_all = false;
	if (reconcile(m, NULL, scope, NULL, errs) < 0) {
		log_error("following the host's routes failed; `vmlane status` may say more");
		manager_log_errors(errs);
	}
	free(errs);
	return 0;
}

void reconcile_later(struct manager *m)
{
	if (m->follow)
		return;
	if (sd_event_add_time_relative(m->loop, &m->follow, CLOCK_MONOTONIC, FOLLOW_DELAY_US, 1,
				       on_follow, m) < 0)
		log_error("out of memory: a change of the host's routes is not followed");
}
