/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guardian.c - see guardian.h: noticing. Events only mark what they are about; when they have all been
 * read, the marked things are compared with what they should be, so that what we did ourselves costs
 * one look at one interface. Next on the walk: guardian_mend.c.
 */
#include "daemon/guardian_internal.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/bridged.h"
#include "daemon/guard.h"
#include "daemon/rates.h"
#include "daemon/work.h"

#define PLACES_US 200000 /* of other firewalls' rules, since the last of them came */
#define PLACES_MAX_US 2000000
#define TICK_US 1000000 /* of what may not have been told, and of guards */
#define TICK_GUARDS 500 /* so many ports are looked at */

static void arm(struct guardian *g, uint64_t in_us)
{
	uint64_t due_us = clock_boot_us() + in_us;
	int r = 0;

	if (!g->on || (g->armed && g->due_us <= due_us))
		return;
	if (!g->timer)
		r = sd_event_add_time_relative(g->m->loop, &g->timer, CLOCK_MONOTONIC, in_us, 1,
					       guardian_on_timer, g);
	else
		r = sd_event_source_set_time_relative(g->timer, in_us);
	if (r >= 0)
		r = sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
	g->armed = r >= 0;
	g->due_us = due_us;
	if (r < 0)
		log_error("out of memory: what others change is not mended");
}

void guardian_arm(struct guardian *g, uint64_t in_us)
{
	arm(g, in_us);
}

void guardian_look(struct guardian *g)
{
	if (!g->look)
		g->noticed_us = clock_boot_us();
	g->look = true;
	arm(g, GUARDIAN_SETTLE_US);
}

/* ---- rules ---- */

/*
 * They load theirs in many transactions, and some delete a chain only when it is empty: they are left
 * to do so.
 */
void guardian_look_at_places(struct guardian *g)
{
	uint64_t now_us = clock_boot_us();

	if (!g->places)
		g->places_last_us = now_us + PLACES_MAX_US;
	g->places = true;
	g->places_us = now_us + PLACES_US;
	if (g->places_us > g->places_last_us)
		g->places_us = g->places_last_us;
	arm(g, PLACES_US);
}

bool guardian_instead(struct manager *m)
{
	struct guardian *g = m->guardian;

	if (!g->on || fw_watch_read(g->watch) < 0 || !g->look ||
	    pace_wait(&g->pace, clock_boot_us()) || pace_ask(&g->looks, clock_boot_us()))
		return false;
	guardian_mend(g);
	return true;
}

bool guardian_waits(const struct manager *m)
{
	return m->guardian && m->guardian->on && m->guardian->places;
}

static void on_change(const struct fw_change *c, void *ctx)
{
	struct manager *m = ctx;
	struct guardian *g = m->guardian;

	if (c->generation && manager_made(m, c->generation))
		return;
	if (c->foreign)
		guardian_look_at_places(g);
	if (!c->ours) {
		manager_unrelated(m, c->generation);
		return;
	}
	if (!c->generation)
		log_notice("rules changed faster than it was heard; looking at all of ours");
	if (c->generation) {
		g->by.pid = c->pid;
		strcpy(g->by.process, c->process);
		/* The kernel tells of a transaction after it counts: a look for another reason may be faster. */
		g->overtaken |= manager_went_on(m, c->generation, g->told);
	}
	guardian_look(g);
}

static int on_watch(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct guardian *g = ctx;

	(void)s;
	(void)fd;
	(void)revents;
	if (fw_watch_read(g->watch) < 0)
		log_error("the kernel's rule events cannot be read");
	return 0;
}

/* ---- links and sysctls: marking ---- */

void guardian_mark(struct guardian *g, const char *name, bool link, bool conf)
{
	struct marked *v = NULL;

	for (size_t i = 0; i < g->n_marked && !v; i++)
		if (strcmp(g->marked[i].name, name) == 0)
			v = &g->marked[i];
	if (!v && g->n_marked == MARKED_MAX) {
		guardian_look(g);
		return;
	}
	if (!v) {
		v = &g->marked[g->n_marked++];
		*v = (struct marked){0};
		snprintf(v->name, sizeof(v->name), "%s", name);
	}
	v->link = v->link || link;
	v->conf = v->conf || conf;
	if (!g->noticed_us)
		g->noticed_us = clock_boot_us();
	arm(g, GUARDIAN_SETTLE_US);
}

static bool is_ours(struct manager *m, const char *name)
{
	return manager_guest_by_tap(m, name) || manager_network_by_bridge(m, name) ||
	       bridged_by_uplink(m, name);
}

static void heard_conf(struct guardian *g, int ifindex)
{
	char name[IF_NAMESIZE] = "";

	if (ifindex && !if_indextoname((unsigned int)ifindex, name))
		return;
	guardian_mark_conf(g, name);
}

/* An address that came is no business of ours. */
static void heard_addr(struct guardian *g, int ifindex)
{
	char name[IF_NAMESIZE];
	const struct network_rt *n;

	if (!if_indextoname((unsigned int)ifindex, name))
		return;
	n = manager_network_by_bridge(g->m, name);
	if (n && !n->stopped && n->ifindex == ifindex && n->config->mode != NETWORK_BRIDGED)
		guardian_look(g);
}

/* A guest's port is compared alone: most of what is told is our own, as a guest is plugged in. */
static void heard_tc(struct guardian *g, int ifindex)
{
	char name[IF_NAMESIZE];

	if (!if_indextoname((unsigned int)ifindex, name) || !manager_guest_by_tap(g->m, name))
		return;
	guardian_mark(g, name, false, false);
	for (size_t i = 0; i < g->n_marked; i++)
		if (strcmp(g->marked[i].name, name) == 0)
			g->marked[i].tc = true;
}

void guardian_heard(struct manager *m, const struct rtnl_event *ev)
{
	struct guardian *g = m->guardian;

	if (!g || !g->on)
		return;
	switch (ev->kind) {
	case RTNL_EVENT_LINK:
	case RTNL_EVENT_LINK_DEL:
	case RTNL_EVENT_PORT:
		if (is_ours(m, ev->link.name))
			guardian_mark(g, ev->link.name, true, false);
		break;
	case RTNL_EVENT_ADDR:
	case RTNL_EVENT_ADDR6:
		if (ev->gone)
			heard_addr(g, ev->link.ifindex);
		break;
	case RTNL_EVENT_TC:
		heard_tc(g, ev->link.ifindex);
		break;
	case RTNL_EVENT_CONF:
		heard_conf(g, ev->link.ifindex);
		break;
	case RTNL_EVENT_RESYNC:
		guardian_look(g);
		break;
	default:
		break;
	}
}

/* ---- is it as it should be? ---- */

static bool held_is_right(struct guardian *g, const struct takeover_rt *t, struct actual *ports)
{
	const struct network_rt *n = manager_network(g->m, t->row.network);
	struct manager *m = g->m;
	struct link_state bridge, nic;

	if (t->row.phase != PHASE_HELD && t->row.phase != PHASE_TAKING)
		return true;
	if (rtnl_link_get(m->rtnl, t->row.bridge, 0, &bridge, NULL) < 0)
		return false;
	/* A NIC that was removed comes back when it likes; status tells of it. */
	if (rtnl_link_get(m->rtnl, t->row.uplink, 0, &nic, NULL) < 0)
		return true;
	return nic.master == bridge.ifindex && bridge.up &&
	       (!n || guardian_vlans_are_right(g, n, NULL, &nic, ports));
}

static bool network_is_right(struct guardian *g, const struct network_rt *n, struct actual *ports)
{
	struct manager *m = g->m;
	const struct takeover_rt *t = bridged_find(m, n->name);
	struct link_state l;

	if (n->stopped || n->problem.code[0])
		return true;
	if (n->config->mode == NETWORK_BRIDGED)
		return !t || held_is_right(g, t, ports);
	return rtnl_link_get(m->rtnl, n->config->bridge, 0, &l, NULL) == 0 &&
	       l.ifindex == n->ifindex && l.up && l.stp == n->config->stp &&
	       (!n->mtu || l.mtu == n->mtu);
}

static bool port_is_right(const struct network_rt *n, const struct guest_rt *g,
			  const struct link_state *l)
{
	struct desired_tap want = {0};

	port_want(n->config, g->g.name, &g->g.mac, &want);
	return l->up && l->isolated == want.isolated && l->root_guard == want.root_guard &&
	       l->no_learning == want.managed && l->no_flood == want.managed &&
	       (!n->mtu || n->config->mode == NETWORK_BRIDGED || l->mtu == n->mtu);
}

static bool guest_is_right(struct guardian *guardian, const struct guest_rt *g,
			   struct actual *ports)
{
	struct manager *m = guardian->m;
	const struct network_rt *n = manager_network(m, g->g.network);
	struct link_state l;

	/* Gone with its VMM, or out of a VLAN that cannot be kept. */
	if (!n || g->problem.code[0] || n->problem.code[0])
		return true;
	if (rtnl_link_get(m->rtnl, g->g.tap, 0, &l, NULL) < 0)
		return g->g.kind == GUEST_RUN;
	if (n->stopped || !n->ifindex)
		return !n->stopped || !l.master;
	return l.master == n->ifindex && port_is_right(n, g, &l) &&
	       guardian_vlans_are_right(guardian, n, g, &l, ports);
}

static bool tc_is_right(struct manager *m, const struct guest_rt *g)
{
	const struct network_rt *n = manager_network(m, g->g.network);
	unsigned int ifindex = if_nametoindex(g->g.tap);

	if (!n || n->stopped || !ifindex)
		return true;
	return guard_is_right(m, g->g.tap) && rates_are_right(m, n, g, (int)ifindex);
}

static bool marked_is_right(struct guardian *g, const struct marked *v, struct actual *ports)
{
	const struct guest_rt *guest = manager_guest_by_tap(g->m, v->name);
	const struct network_rt *net = manager_network_by_bridge(g->m, v->name);
	const struct takeover_rt *t = bridged_by_uplink(g->m, v->name);

	if (v->conf && !guardian_sysctls_are_right(g, v->name))
		return false;
	if (v->tc && guest && !tc_is_right(g->m, guest))
		return false;
	return !v->link ||
	       ((!guest || guest_is_right(g, guest, ports)) &&
		(!net || network_is_right(g, net, ports)) && (!t || held_is_right(g, t, ports)));
}

bool guardian_marked_are_right(struct guardian *g)
{
	bool right = !g->all_conf || guardian_sysctls_are_right(g, NULL);
	struct actual ports = {0};

	g->all_conf = false;
	for (size_t i = 0; i < g->n_marked && right; i++)
		right = marked_is_right(g, &g->marked[i], &ports);
	if (right)
		g->n_marked = 0;
	actual_done(&ports);
	return right;
}

/* ---- beginning and end ---- */

static int on_tick(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct guardian *g = ctx;

	(void)usec;
	guardian_sysctls_tick(g);
	if (g->on)
		table_remember(g->m);
	if (g->on && !g->look && !guard_check(g->m, TICK_GUARDS))
		guardian_look(g);
	if (g->on)
		guardian_retry(g);
	guardian_settle(g);
	if (sd_event_source_set_time_relative(s, TICK_US) < 0 ||
	    sd_event_source_set_enabled(s, SD_EVENT_ONESHOT) < 0)
		log_error("sysctls and guards that others change are not noticed any more");
	return 0;
}

int guardian_new(struct manager *m)
{
	struct guardian *g = calloc(1, sizeof(*g));
	int fd = -1, r;

	if (!g)
		return -ENOMEM;
	g->m = m;
	m->guardian = g;
	r = fw_watch_new(on_change, m, &g->watch, &fd);
	if (r == 0)
		r = sd_event_add_io(m->loop, &g->watch_source, fd, EPOLLIN, on_watch, g);
	if (r >= 0)
		r = guardian_sysctls_new(g);
	if (r >= 0)
		r = guardian_switch_new(g);
	if (r >= 0)
		r = sd_event_add_time_relative(m->loop, &g->tick, CLOCK_MONOTONIC, TICK_US, 0,
					       on_tick, g);
	return r < 0 ? r : 0;
}

void guardian_on(struct manager *m)
{
	struct guardian *g = m->guardian;

	if (m->options->no_guardian)
		return;
	g->on = true;
	if (g->look || g->n_marked || g->all_conf)
		arm(g, GUARDIAN_SETTLE_US);
}

void guardian_free(struct guardian *g)
{
	if (!g)
		return;
	sd_event_source_disable_unref(g->timer);
	sd_event_source_disable_unref(g->tick);
	sd_event_source_disable_unref(g->watch_source);
	fw_watch_free(g->watch);
	json_decref(g->last);
	guardian_sysctls_done(g);
	guardian_switch_done(g);
	free(g);
}
