/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconcile.c - see reconcile.h. Next on the walk: model/plan.h, firewall/ruleset.h, kernel/. */
#include "daemon/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "kernel/sysctl.h"
#include "kernel/tap.h"

#define UPLINKS_MAX 32
#define FOLLOW_DELAY_US 20000
#define FW_TEXT_MAX (64 * 1024 * 1024)

/**
 * struct work - one reconciliation under way
 * @actual:	the kernel as it was found
 * @uplinks:	names of the interfaces with a default route, for `uplink: auto`
 * @used:	@used[i]: some running network goes out by uplinks[i]
 * @fw_present:	there is a table of ours in the kernel
 * @fw_full:	@fw_text replaces the table as a whole
 * @fw_nets:	one for each running network, as the firewall wants them
 * @failed:	@failed[i]: target network i had a step fail; the rest of its steps is left out
 * @refused:	0, or the error of a network that could not even be planned
 */
struct work {
	struct manager *m;
	const struct target *target;
	struct actual actual;
	struct desired desired;
	struct plan plan;
	char uplinks[UPLINKS_MAX][IFNAMSIZ];
	size_t n_uplinks;
	struct fw_network *fw_nets;
	struct fw_ruleset fw;
	struct buf fw_text;
	int fw_changes;
	bool fw_present;
	bool fw_full;
	bool *failed;
	int refused;
	json_t *changes;
	struct err_list *errs;
};

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
	free(w->fw_nets);
	free(w->failed);
}

/* ---- what is wanted ---- */

static const struct target_network *target_find(const struct target *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->networks[i].config->name, name) == 0)
			return &t->networks[i];
	}
	return NULL;
}

/* mark_failed() - the network on @bridge ("" for none) cannot be as it should; returns @r. */
static int mark_failed(struct work *w, const char *bridge, int r, const struct err *e)
{
	err_list_push(w->errs, e);
	for (size_t i = 0; i < w->target->n; i++) {
		const struct network_config *c = w->target->networks[i].config;
		struct network_rt *n = manager_network(w->m, c->name);

		if (strcmp(c->bridge, bridge) != 0)
			continue;
		w->failed[i] = true;
		if (n)
			n->problem = *e;
	}
	return r;
}

static int want_networks(struct work *w)
{
	struct desired *d = &w->desired;

	d->networks = calloc(w->target->n + 1, sizeof(*d->networks));
	if (!d->networks)
		return -ENOMEM;
	for (size_t i = 0; i < w->target->n; i++) {
		const struct target_network *t = &w->target->networks[i];

		if (!t->run)
			continue;
		d->networks[d->n_networks].config = t->config;
		d->networks[d->n_networks++].mac =
			mac_derive(w->m->host_id, t->config->name, "", 0);
	}
	return 0;
}

static int want_taps(struct work *w)
{
	struct desired *d = &w->desired;
	struct guest_rt *g, *next;

	d->taps = calloc(HASH_COUNT(w->m->guests) + 1, sizeof(*d->taps));
	if (!d->taps)
		return -ENOMEM;
	HASH_ITER (hh, w->m->guests, g, next) {
		const struct target_network *t = target_find(w->target, g->g.network);
		struct desired_tap *tap;

		if (!t)
			continue;
		tap = &d->taps[d->n_taps++];
		strcpy(tap->name, g->g.tap);
		strcpy(tap->guest, g->g.name);
		/* A stopped network's guests keep their taps, on no bridge. */
		strcpy(tap->bridge, t->run ? t->config->bridge : "");
		tap->queues = g->g.queues;
		tap->owner_uid = g->g.owner_uid;
		tap->persistent = g->g.kind == GUEST_ATTACHED;
	}
	return 0;
}

/* @key of @ifname's directory in net/@family/conf shall be @value. */
static int want_sysctl(struct desired *d, const char *family, const char *ifname, const char *key,
		       const char *value)
{
	struct sysctl_state want = {0}, now = {0}, *p;

	snprintf(want.path, sizeof(want.path), "net/%s/conf/%s/%s", family, ifname, key);
	snprintf(want.value, sizeof(want.value), "%s", value);
	now = want;
	if (sysctl_read(want.path, now.value) < 0)
		now.value[0] = '\0';
	p = reallocarray(d->sysctls, d->n_sysctls + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	d->sysctls = p;
	p = reallocarray(d->sysctls_now, d->n_sysctls + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	d->sysctls_now = p;
	d->sysctls[d->n_sysctls] = want;
	d->sysctls_now[d->n_sysctls++] = now;
	return 0;
}

static bool uplink_used(const struct work *w, const char *ifname)
{
	for (size_t i = 0; i < w->target->n; i++) {
		const struct target_network *t = &w->target->networks[i];

		if (!t->run)
			continue;
		if (t->config->uplink[0]) {
			if (strcmp(t->config->uplink, ifname) == 0)
				return true;
			continue;
		}
		for (size_t u = 0; u < w->n_uplinks; u++) {
			if (strcmp(w->uplinks[u], ifname) == 0)
				return true;
		}
	}
	return false;
}

/* Forwarding of uplinks that nobody uses any more goes back to what it was. */
static int want_restored(struct work *w)
{
	for (size_t i = 0; i < w->m->n_saved; i++) {
		const struct sysctl_state *s = &w->m->saved[i];
		char ifname[IFNAMSIZ], now[SYSCTL_VALUE_MAX];
		int r;

		if (sscanf(s->path, "net/ipv4/conf/%15[^/]/forwarding", ifname) != 1 ||
		    uplink_used(w, ifname))
			continue;
		if (sysctl_read(s->path, now) < 0 || strcmp(now, s->value) == 0)
			continue;
		r = want_sysctl(&w->desired, "ipv4", ifname, "forwarding", s->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int want_sysctls(struct work *w)
{
	bool ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	int r = 0;

	for (size_t i = 0; i < w->desired.n_networks && r == 0; i++) {
		const char *bridge = w->desired.networks[i].config->bridge;

		r = want_sysctl(&w->desired, "ipv4", bridge, "forwarding", "1");
		if (r == 0 && ipv6)
			r = want_sysctl(&w->desired, "ipv6", bridge, "disable_ipv6", "1");
	}
	for (size_t i = 0; i < w->actual.n_links && r == 0; i++) {
		if (uplink_used(w, w->actual.links[i].name))
			r = want_sysctl(&w->desired, "ipv4", w->actual.links[i].name, "forwarding",
					"1");
	}
	return r < 0 ? r : want_restored(w);
}

static int want_firewall(struct work *w)
{
	struct fw_desired d = {.n = w->desired.n_networks};

	w->fw_nets = calloc(d.n + 1, sizeof(*w->fw_nets));
	if (!w->fw_nets)
		return -ENOMEM;
	for (size_t i = 0; i < d.n; i++) {
		const struct network_config *c = w->desired.networks[i].config;
		struct fw_network *f = &w->fw_nets[i];

		strcpy(f->name, c->name);
		strcpy(f->bridge, c->bridge);
		f->subnet = c->subnet;
		f->port_min = c->port_min;
		f->port_max = c->port_max;
		f->uplinks = c->uplink[0] ? &c->uplink : (const char(*)[IFNAMSIZ])w->uplinks;
		f->n_uplinks = c->uplink[0] ? 1 : w->n_uplinks;
	}
	d.networks = w->fw_nets;
	return fw_ruleset_build(&d, &w->fw);
}

/* ---- how it differs ---- */

/*
 * table_read() - the table in the kernel as a ruleset that w->fw can be compared with. -ESTALE
 * when its skeleton is not the one that w->fw has, or somebody changed it.
 */
static int table_read(struct work *w, struct fw_ruleset *ret, struct err *e)
{
	struct buf listing = BUF_INIT(FW_TEXT_MAX);
	struct fw_ruleset table = {0};
	int r = nft_list(w->m->nft, &listing, e);

	w->fw_present = r == 0 && listing.len > 0;
	if (r == 0 && !w->fw_present)
		r = -ESTALE;
	if (r == 0)
		r = fw_listing_read(buf_str(&listing), &table) < 0 ? -ESTALE : 0;
	buf_done(&listing);
	if (r == 0 && (hash_str(HASH_INIT, table.skeleton) != w->m->fw_listing ||
		       hash_str(HASH_INIT, w->fw.skeleton) != w->m->fw_skeleton))
		r = -ESTALE;
	if (r == 0) {
		/* The same skeleton, in the kernel's words: put it into ours. */
		free(table.skeleton);
		table.skeleton = strdup(w->fw.skeleton);
		r = table.skeleton ? 0 : -ENOMEM;
	}
	if (r < 0)
		fw_ruleset_done(&table);
	else
		*ret = table;
	return r;
}

/* firewall_delta() - from what is in the kernel to w->fw by elements; -ESTALE: it can't be. */
static int firewall_delta(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	struct fw_ruleset table = {0};
	uint32_t generation = 0;
	int r;

	if (m->fw_generation && nft_generation(m->nft, &generation) == 0 &&
	    generation == m->fw_generation) {
		w->fw_present = true;
		return fw_ruleset_delta(&m->fw, &w->fw, &w->fw_text);
	}
	r = table_read(w, &table, e);
	if (r == 0)
		r = fw_ruleset_delta(&table, &w->fw, &w->fw_text);
	fw_ruleset_done(&table);
	return r;
}

/* diff_firewall() - fill w->fw_text with the transaction that is needed, w->fw_changes with its size. */
static int diff_firewall(struct work *w, struct err *e)
{
	int r;

	w->fw_text = BUF_INIT(FW_TEXT_MAX);
	r = firewall_delta(w, e);
	if (w->desired.n_networks == 0 && (r >= 0 || r == -ESTALE)) {
		/* Nothing of ours stays behind when there is nothing to filter. */
		buf_done(&w->fw_text);
		if (w->fw_present)
			buf_puts(&w->fw_text, "delete table inet vmlane\n");
		r = w->fw_present;
	} else if (r == -ESTALE) {
		buf_done(&w->fw_text);
		fw_ruleset_full(&w->fw, &w->fw_text);
		w->fw_full = true;
		r = 1;
	}
	if (r >= 0 && w->fw_text.error)
		r = w->fw_text.error;
	if (r < 0 && !e->code[0])
		return err_set(e, r, "memory", "firewall", "the ruleset could not be built");
	if (r < 0)
		return r;
	w->fw_changes = r;
	return 0;
}

/* Where somebody else's interface has a name of ours, that network or guest has to wait. */
static void leave_out_blocked(struct work *w)
{
	struct desired *d = &w->desired;
	size_t kept = 0;
	struct err e;

	for (size_t i = 0; i < d->n_networks; i++) {
		if (plan_network_blocked(&d->networks[i], &w->actual, &e))
			w->refused = mark_failed(w, d->networks[i].config->bridge, -EEXIST, &e);
		else
			d->networks[kept++] = d->networks[i];
	}
	d->n_networks = kept;
	kept = 0;
	for (size_t i = 0; i < d->n_taps; i++) {
		if (plan_tap_blocked(&d->taps[i], &w->actual, &e))
			w->refused = mark_failed(w, "", -EEXIST, &e);
		else
			d->taps[kept++] = d->taps[i];
	}
	d->n_taps = kept;
}

static int look(struct work *w)
{
	struct err e = {0};
	int r = rtnl_snapshot(w->m->rtnl, &w->actual, &e);

	if (r == 0) {
		w->n_uplinks = actual_uplinks(&w->actual, w->uplinks, UPLINKS_MAX);
		r = want_networks(w);
	}
	if (r == 0)
		r = want_taps(w);
	if (r == 0)
		r = want_sysctls(w);
	if (r == 0)
		r = plan_diff(&w->desired, &w->actual, &w->plan, NULL);
	if (r == -EEXIST) {
		leave_out_blocked(w);
		r = plan_diff(&w->desired, &w->actual, &w->plan, w->errs);
	}
	if (r == 0)
		r = want_firewall(w);
	if (r == 0)
		r = diff_firewall(w, &e);
	if (r < 0 && e.code[0])
		err_list_push(w->errs, &e);
	return r;
}

static void say(struct work *w, const char *op, const char *object, const char *text)
{
	if (w->changes)
		json_array_append_new(w->changes, json_pack("{s:s, s:s, s:s}", "op", op, "object",
							    object, "text", text));
}

static void say_step(struct work *w, const struct plan_step *s)
{
	struct buf text = BUF_INIT(4096);

	plan_step_text(s, &text);
	say(w, plan_step_op(s), s->kind == STEP_SYSCTL_SET ? s->sysctl.path : s->ifname,
	    buf_str(&text));
	buf_done(&text);
}

static void say_firewall(struct work *w)
{
	if (w->fw_changes == 0)
		return;
	if (w->desired.n_networks == 0)
		say(w, "delete", "inet vmlane", "- firewall table inet vmlane");
	else if (!w->fw_present)
		say(w, "create", "inet vmlane", "+ firewall table inet vmlane");
	else
		say(w, "change", "inet vmlane", "~ firewall table inet vmlane");
}

/* ---- doing it ---- */

static bool is_delete(const struct plan_step *s)
{
	return s->kind == STEP_TAP_DELETE || s->kind == STEP_BRIDGE_DELETE;
}

/* The target network that a step is done for, or w->target->n when for all of them. */
static size_t step_network(const struct work *w, const struct plan_step *s)
{
	for (size_t i = 0; i < w->target->n; i++) {
		const char *bridge = w->target->networks[i].config->bridge;
		char ifname[IFNAMSIZ];

		if (strcmp(bridge, s->ifname) == 0 || strcmp(bridge, s->bridge) == 0)
			return i;
		if (s->kind == STEP_SYSCTL_SET &&
		    sscanf(s->sysctl.path, "net/%*4[^/]/conf/%15[^/]/", ifname) == 1 &&
		    strcmp(ifname, bridge) == 0)
			return i;
	}
	return w->target->n;
}

/* Remember what a sysctl of an uplink was, before it is changed; forget it once it is put back. */
static int save_sysctl(struct work *w, const struct plan_step *s, struct err *e)
{
	struct manager *m = w->m;
	struct sysctl_state before = s->sysctl, *p;
	int r;

	if (step_network(w, s) < w->target->n)
		return 0;
	for (size_t i = 0; i < m->n_saved; i++) {
		if (strcmp(m->saved[i].path, s->sysctl.path) == 0)
			return 0;
	}
	strcpy(before.value, s->replaces);
	r = state_sysctl_put(m->state, &before, e);
	if (r < 0)
		return r;
	p = reallocarray(m->saved, m->n_saved + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	m->saved = p;
	m->saved[m->n_saved++] = before;
	return 0;
}

static int do_sysctl(struct work *w, const struct plan_step *s, struct err *e)
{
	int r = save_sysctl(w, s, e);

	return r < 0 ? r : sysctl_write(s->sysctl.path, s->sysctl.value, e);
}

/* The alias makes it ours; plan_diff() mends a tap that we were killed before giving it one. */
static int do_tap_create(struct work *w, const struct plan_step *s, struct err *e)
{
	int r = tap_create(s->ifname, s->queues, s->owner_uid, e);

	return r < 0 ? r : rtnl_link_set_alias(w->m->rtnl, s->ifname, s->alias, e);
}

static int do_step(struct work *w, const struct plan_step *s, struct err *e)
{
	struct rtnl *r = w->m->rtnl;

	switch (s->kind) {
	case STEP_TAP_DELETE:
	case STEP_BRIDGE_DELETE:
		return rtnl_link_delete(r, s->ifname, e);
	case STEP_BRIDGE_CREATE:
		return rtnl_bridge_create(r, s->ifname, &s->mac, s->alias, e);
	case STEP_LINK_MTU:
		return rtnl_link_set_mtu(r, s->ifname, s->mtu, e);
	case STEP_LINK_MAC:
		return rtnl_link_set_mac(r, s->ifname, &s->mac, e);
	case STEP_LINK_ALIAS:
		return rtnl_link_set_alias(r, s->ifname, s->alias, e);
	case STEP_BRIDGE_STP_OFF:
		return rtnl_bridge_stp_off(r, s->ifname, e);
	case STEP_ADDR_DEL:
		return rtnl_addr_del(r, s->ifname, &s->addr, e);
	case STEP_ADDR_ADD:
		return rtnl_addr_add(r, s->ifname, &s->addr, e);
	case STEP_SYSCTL_SET:
		return do_sysctl(w, s, e);
	case STEP_LINK_UP:
		return rtnl_link_set_up(r, s->ifname, true, e);
	case STEP_TAP_CREATE:
		return do_tap_create(w, s, e);
	case STEP_TAP_ENSLAVE:
		return rtnl_link_enslave(r, s->ifname, s->bridge[0] ? s->bridge : NULL, e);
	case STEP_KIND_COUNT:
		break;
	}
	return -EINVAL;
}

static int do_steps(struct work *w, bool deletes, bool follow_only)
{
	int first = 0;

	for (size_t i = 0; i < w->plan.n; i++) {
		const struct plan_step *s = &w->plan.steps[i];
		size_t of = step_network(w, s);
		struct err e = {0};
		int r;

		if (is_delete(s) != deletes || (of < w->target->n && w->failed[of]))
			continue;
		if (follow_only && (s->kind != STEP_SYSCTL_SET || of < w->target->n))
			continue;
		say_step(w, s);
		r = do_step(w, s, &e);
		if (r == 0)
			continue;
		if (!e.code[0])
			err_set(&e, r, "kernel", s->ifname, "%s", strerror(-r));
		r = mark_failed(w, of < w->target->n ? w->target->networks[of].config->bridge : "",
				r, &e);
		first = first ? first : r;
	}
	return first;
}

/* Keep, for the next start, how the kernel lists the skeleton that we have just put there. */
static int remember_skeleton(struct work *w, struct err *e)
{
	struct buf listing = BUF_INIT(FW_TEXT_MAX);
	struct fw_ruleset table = {0};
	struct manager *m = w->m;
	char text[64];
	int r = nft_list(m->nft, &listing, e);

	if (r == 0)
		r = fw_listing_read(buf_str(&listing), &table);
	if (r == 0) {
		m->fw_skeleton = hash_str(HASH_INIT, m->fw.skeleton);
		m->fw_listing = hash_str(HASH_INIT, table.skeleton);
		snprintf(text, sizeof(text), "%016llx %016llx", (unsigned long long)m->fw_skeleton,
			 (unsigned long long)m->fw_listing);
		r = state_meta_put(m->state, "firewall", text, e);
	}
	fw_ruleset_done(&table);
	buf_done(&listing);
	return r;
}

/*
 * commit_firewall() - afterwards the generation tells whether the table is still as we left it,
 * unless somebody else's transaction came in between.
 */
static int commit_firewall(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	uint32_t before = 0, after = 0;
	int r;

	m->fw_generation = 0;
	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	say_firewall(w);
	r = nft_run(m->nft, buf_str(&w->fw_text), e);
	if (r < 0)
		return r;
	if (before && nft_generation(m->nft, &after) == 0 && after == before + 1 &&
	    w->desired.n_networks)
		m->fw_generation = after;
	return 0;
}

static int do_firewall(struct work *w)
{
	struct manager *m = w->m;
	struct err e = {0};
	int r = 0;

	if (w->fw_changes)
		r = commit_firewall(w, &e);
	if (r == 0) {
		fw_ruleset_done(&m->fw);
		m->fw = w->fw;
		w->fw = (struct fw_ruleset){0};
		if (w->fw_full)
			r = remember_skeleton(w, &e);
	}
	if (r < 0)
		err_list_push(w->errs, &e);
	return r;
}

/* Records of sysctls that are back at their old value, or whose interface is gone. */
static void forget_restored(struct work *w)
{
	struct manager *m = w->m;
	size_t kept = 0;

	for (size_t i = 0; i < m->n_saved; i++) {
		char ifname[IFNAMSIZ], now[SYSCTL_VALUE_MAX];
		bool gone = sysctl_read(m->saved[i].path, now) < 0;
		bool used = sscanf(m->saved[i].path, "net/ipv4/conf/%15[^/]/", ifname) == 1 &&
			    uplink_used(w, ifname);

		if (gone || (!used && strcmp(now, m->saved[i].value) == 0)) {
			if (state_sysctl_remove(m->state, m->saved[i].path, NULL) == 0)
				continue;
		}
		m->saved[kept++] = m->saved[i];
	}
	m->n_saved = kept;
}

static int serve_all(struct work *w)
{
	struct network_rt *n, *next;
	int first = 0;

	HASH_ITER (hh, w->m->networks, n, next) {
		struct err e = {0};
		int r = network_serve(w->m, n, &e);

		if (r == 0)
			continue;
		if (!e.code[0])
			err_set(&e, r, "dhcp", n->name, "the DHCP server could not start: %s",
				strerror(-r));
		n->problem = e;
		err_list_push(w->errs, &e);
		first = first ? first : r;
	}
	return first;
}

static int carry_out(struct work *w, bool follow_only)
{
	int r = 0, one;

	if (!follow_only)
		r = do_steps(w, true, false);
	one = do_firewall(w);
	r = r ? r : one;
	/* Without its filters a network is not put into service. */
	if (one == 0) {
		one = do_steps(w, false, follow_only);
		r = r ? r : one;
	}
	forget_restored(w);
	if (!follow_only) {
		one = serve_all(w);
		r = r ? r : one;
	}
	return r;
}

static void say_all(struct work *w)
{
	for (size_t i = 0; i < w->plan.n; i++)
		say_step(w, &w->plan.steps[i]);
	say_firewall(w);
}

static void clear_problems(struct manager *m)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		if (strcmp(n->problem.code, "refused") != 0)
			n->problem = (struct err){0};
	}
}

int reconcile(struct manager *m, const struct target *target, enum reconcile_scope scope,
	      json_t *changes, struct err_list *errs)
{
	struct work w = {.m = m, .changes = changes, .errs = errs};
	struct target runtime = {0};
	int r = 0;

	if (!target)
		r = target_runtime(m, &runtime);
	if (r < 0)
		return r;
	w.target = target ? target : &runtime;
	w.failed = calloc(w.target->n + 1, sizeof(*w.failed));
	if (scope == RECONCILE_ALL)
		clear_problems(m);
	r = w.failed ? look(&w) : -ENOMEM;
	if (r == 0 && scope == RECONCILE_DIFF)
		say_all(&w);
	else if (r == 0)
		r = carry_out(&w, scope == RECONCILE_FOLLOW);
	r = r ? r : w.refused;
	work_done(&w);
	target_done(&runtime);
	return r;
}

/* ---- following the host's routes ---- */

static int on_follow(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct manager *m = ctx;

	(void)s;
	(void)usec;
	m->follow = sd_event_source_disable_unref(m->follow);
	if (reconcile(m, NULL, RECONCILE_FOLLOW, NULL, errs) < 0) {
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
	if (sd_event_add_time_relative(m->loop, &m->follow, CLOCK_MONOTONIC, FOLLOW_DELAY_US, 0,
				       on_follow, m) < 0)
		log_error("out of memory: a change of the host's routes is not followed");
}
