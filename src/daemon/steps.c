/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steps.c - links, addresses and sysctls: the plan's steps told and carried out. Next on the walk:
 * model/plan.c decides the steps, kernel/rtnl_write.c writes.
 */
#include "daemon/guard.h"
#include "daemon/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sysctl.h"
#include "kernel/tap.h"

/* Where somebody else's interface has a name of ours, that network or guest has to wait. */
static void leave_out_blocked(struct work *w)
{
	struct desired *d = &w->desired;
	size_t kept = 0;
	struct err e;

	for (size_t i = 0; i < d->n_networks; i++) {
		if (plan_network_blocked(&d->networks[i], &w->actual, &e))
			w->refused =
				work_mark_failed(w, d->networks[i].config->bridge, -EEXIST, &e);
		else
			d->networks[kept++] = d->networks[i];
	}
	d->n_networks = kept;
	kept = 0;
	for (size_t i = 0; i < d->n_taps; i++) {
		if (plan_tap_blocked(&d->taps[i], &w->actual, &e))
			w->refused = work_mark_failed(w, "", -EEXIST, &e);
		else
			d->taps[kept++] = d->taps[i];
	}
	d->n_taps = kept;
}

/* They come anew with their interface. */
static void forget_sysctls(struct desired *d, const char *ifname)
{
	char dir[IFNAMSIZ + sizeof("/conf//")];

	snprintf(dir, sizeof(dir), "/conf/%s/", ifname);
	for (size_t i = 0; i < d->n_sysctls; i++) {
		if (strstr(d->sysctls[i].path, dir))
			d->sysctls_now[i].value[0] = '\0';
	}
}

/*
 * free_own_names() - a network has the bridge name that another of our networks had before: that
 * bridge is deleted first. It is taken out of what there is, and its deletion put into @ret.
 */
static int free_own_names(struct work *w, struct plan *ret)
{
	struct plan p = {.steps = calloc(w->desired.n_networks + 1, sizeof(*p.steps))};
	struct actual *a = &w->actual;

	if (!p.steps)
		return -ENOMEM;
	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct desired_network *n = &w->desired.networks[i];
		const struct link_state *l = actual_link_by_name(a, n->config->bridge);

		if (!l || strncmp(l->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) != 0 ||
		    strcmp(l->kind, "bridge") != 0 || !plan_network_blocked(n, a, NULL))
			continue;
		p.steps[p.n].kind = STEP_BRIDGE_DELETE;
		strcpy(p.steps[p.n++].ifname, l->name);
		forget_sysctls(&w->desired, l->name);
		a->links[l - a->links] = a->links[--a->n_links];
	}
	*ret = p;
	return 0;
}

/* The steps of @first before those of @w->plan. */
static int prepend(struct work *w, const struct plan *first)
{
	struct plan_step *steps = calloc(first->n + w->plan.n + 1, sizeof(*steps));

	if (!steps)
		return -ENOMEM;
	memcpy(steps, first->steps, first->n * sizeof(*steps));
	if (w->plan.n)
		memcpy(steps + first->n, w->plan.steps, w->plan.n * sizeof(*steps));
	free(w->plan.steps);
	w->plan.steps = steps;
	w->plan.n += first->n;
	return 0;
}

int steps_plan(struct work *w)
{
	struct plan freed = {0};
	int r = plan_diff(&w->desired, &w->actual, &w->plan, NULL);

	if (r != -EEXIST)
		return r;
	r = free_own_names(w, &freed);
	if (r == 0) {
		leave_out_blocked(w);
		r = plan_diff(&w->desired, &w->actual, &w->plan, w->errs);
	}
	if (r == 0)
		r = prepend(w, &freed);
	plan_done(&freed);
	return r;
}

static void say_step(struct work *w, const struct plan_step *s)
{
	struct buf text = BUF_INIT(4096);

	plan_step_text(s, &text);
	work_say(w, plan_step_op(s), s->kind == STEP_SYSCTL_SET ? s->sysctl.path : s->ifname,
		 buf_str(&text));
	buf_done(&text);
}

void steps_say(struct work *w)
{
	for (size_t i = 0; i < w->plan.n; i++)
		say_step(w, &w->plan.steps[i]);
}

/*
 * What is done before the rules change: deletions, and the end of IPv6 forwarding that only we had
 * begun, since the rules that keep it closed between the host's other interfaces go then.
 */
static bool is_before_rules(const struct work *w, const struct plan_step *s, size_t of)
{
	return s->kind == STEP_TAP_DELETE || s->kind == STEP_BRIDGE_DELETE ||
	       (s->kind == STEP_SYSCTL_SET && of == w->target->n && sysctls_closes(&s->sysctl));
}

/* The target network that a step is done for, or w->target->n when for all of them. */
static size_t step_network(const struct work *w, const struct plan_step *s)
{
	size_t i = work_find(w, w->by_bridge, s->ifname);

	/* To others a bridge on the LAN is a way out like any: its old values are kept. */
	if (i < w->target->n && s->kind == STEP_SYSCTL_SET &&
	    w->target->networks[i].config->mode == NETWORK_BRIDGED)
		return w->target->n;
	return i < w->target->n ? i : work_find(w, w->by_bridge, s->bridge);
}

static int do_sysctl(struct work *w, const struct plan_step *s, struct err *e)
{
	int r = 0;

	/* Those of our bridges go with them. */
	if (step_network(w, s) == w->target->n)
		r = sysctls_save(w, s->sysctl.path, s->replaces, e);
	return r < 0 ? r : sysctl_write(s->sysctl.path, s->sysctl.value, e);
}

/* The alias makes it ours; plan_diff() mends a tap that we were killed before giving it one. */
static int do_tap_create(struct work *w, const struct plan_step *s, struct err *e)
{
	int r = tap_create(s->ifname, s->queues, s->owner_uid, e);

	return r < 0 ? r : rtnl_link_set_alias(w->m->rtnl, s->ifname, s->alias, e);
}

/* Not before it is guarded. */
static int do_tap_enslave(struct work *w, const struct plan_step *s, struct err *e)
{
	int r = s->bridge[0] ? guard_enslave(w, s->ifname, e) : 0;

	if (r < 0)
		return r;
	return rtnl_link_enslave(w->m->rtnl, s->ifname, s->bridge[0] ? s->bridge : NULL, e);
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
	case STEP_BRIDGE_STP:
		return rtnl_bridge_set_stp(r, s->ifname, s->on, s->on ? PLAN_FORWARD_DELAY : 0, e);
	case STEP_BRIDGE_AGEING:
		return rtnl_bridge_set_ageing(r, s->ifname, s->ageing_s, e);
	case STEP_PORT_ISOLATE:
		return rtnl_port_set_isolated(r, s->ifname, s->on, e);
	case STEP_PORT_ROOT_GUARD:
		return rtnl_port_set_root_guard(r, s->ifname, s->on, e);
	case STEP_PORT_MANAGE:
		return rtnl_port_set_managed(r, s->ifname, s->on, e);
	case STEP_MAC_DEL:
		return rtnl_fdb_remove(r, s->ifname, &s->mac, e);
	case STEP_MAC_ADD:
		return rtnl_fdb_pin(r, s->ifname, &s->mac, e);
	case STEP_BRIDGE_VLANS:
		return rtnl_bridge_set_vlan_filtering(r, s->ifname, s->on, e);
	case STEP_VLAN_ADD:
		return rtnl_port_vlan_add(r, s->ifname, s->vid, s->on, e);
	case STEP_VLAN_DEL:
		return rtnl_port_vlan_del(r, s->ifname, s->vid, e);
	case STEP_TAP_RATE:
		return rtnl_rate_set(r, s->ifname, s->rate_down, e);
	case STEP_ADDR_DEL:
		return rtnl_addr_del(r, s->ifname, &s->addr, e);
	case STEP_ADDR_ADD:
		return rtnl_addr_add(r, s->ifname, &s->addr, e);
	case STEP_SYSCTL_SET:
		return do_sysctl(w, s, e);
	case STEP_LINK_UP:
		return rtnl_link_set_up(r, s->ifname, true, e);
	case STEP_ADDR6_DEL:
		return rtnl_addr6_del(r, s->ifname, &s->addr6, e);
	case STEP_ADDR6_ADD:
		return rtnl_addr6_add(r, s->ifname, &s->addr6, e);
	case STEP_TAP_CREATE:
		return do_tap_create(w, s, e);
	case STEP_TAP_ENSLAVE:
		return do_tap_enslave(w, s, e);
	case STEP_KIND_COUNT:
		break;
	}
	return -EINVAL;
}
/* A tap that ended with its VMM since we looked needs nothing any more. */
static bool is_gone(const struct work *w, const struct plan_step *s, int r)
{
	const struct guest_rt *g = manager_guest_by_tap(w->m, s->ifname);

	return r == -ENODEV && g && g->g.kind == GUEST_RUN;
}

/*
 * Following the uplinks: their sysctls, and the MTU of what is there, where it has to be another
 * one now. What is not there, or was changed by somebody, waits until it is asked for.
 */
static bool follows(const struct work *w, const struct plan_step *s, size_t of)
{
	const struct network_rt *n;

	if (s->kind == STEP_SYSCTL_SET)
		return of == w->target->n;
	if (s->kind != STEP_LINK_MTU || of == w->target->n)
		return false;
	n = manager_network(w->m, w->target->networks[of].config->name);
	return n && n->mtu != s->mtu && actual_link_by_name(&w->actual, s->ifname);
}

/* An address that somebody has given a bridge of ours, besides that of the gateway. */
static bool is_others(const struct work *w, const struct plan_step *s, size_t of)
{
	return s->kind == STEP_ADDR6_DEL ||
	       (s->kind == STEP_ADDR_DEL &&
		(of == w->target->n ||
		 !ip4_equal(s->addr.addr, w->target->networks[of].config->gateway)));
}

/* The guest goes on, without the limit. */
static void mark_guest(struct manager *m, const char *tap, const struct err *e)
{
	struct guest_rt *g = manager_guest_by_tap(m, tap);

	if (g)
		g->problem = *e;
}

int steps_do(struct work *w, bool before_rules, bool follow_only)
{
	int first = 0;

	for (size_t i = 0; i < w->plan.n; i++) {
		const struct plan_step *s = &w->plan.steps[i];
		size_t of = step_network(w, s);
		struct err e = {0};
		int r;

		if (is_before_rules(w, s, of) != before_rules ||
		    (of < w->target->n && w->failed[of]))
			continue;
		if ((follow_only && !follows(w, s, of)) || (w->mend_only && is_others(w, s, of)))
			continue;
		say_step(w, s);
		r = do_step(w, s, &e);
		if (of < w->target->n &&
		    (s->kind == STEP_BRIDGE_CREATE || s->kind == STEP_BRIDGE_DELETE))
			w->bridges[of] = 0;
		if (r == 0 || is_gone(w, s, r))
			continue;
		if (!e.code[0])
			err_set(&e, r, "kernel", s->ifname, "%s", strerror(-r));
		if (s->kind == STEP_TAP_RATE)
			mark_guest(w->m, s->ifname, &e);
		r = work_mark_failed(
			w, of < w->target->n ? w->target->networks[of].config->bridge : "", r, &e);
		first = first ? first : r;
	}
	return first;
}
