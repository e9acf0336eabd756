/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manager.c - opening and closing everything; see manager.h. Next on the walk: load.c. */
#include "daemon/manager.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/accepts.h"
#include "daemon/bridged.h"
#include "daemon/events.h"
#include "daemon/guard.h"
#include "daemon/files.h"
#include "daemon/firewalld.h"
#include "daemon/forwards.h"
#include "daemon/guardian.h"
#include "daemon/policy_log.h"
#include "daemon/reconcile.h"
#include "daemon/snoop.h"

static void host_id_load(struct manager *m)
{
	sd_id128_t id;

	/* Not the id itself but one derived from it: MACs are visible to others. */
	if (sd_id128_get_machine_app_specific(
		    SD_ID128_MAKE(6a, 1f, 55, 9c, e0, 3d, 4b, 8a, 9e, 21, 5a, 40, 7c, d2, 18, 66),
		    &id) < 0)
		return;
	memcpy(m->host_id_bytes, id.bytes, sizeof(m->host_id_bytes));
	m->host_id = m->host_id_bytes;
}

/* ---- the kernel's news ---- */

static void bridge_gone(struct manager *m, struct network_rt *n)
{
	if (!n->stopped)
		log_warning("network %s: somebody deleted its bridge %s%s", n->name,
			    n->config->bridge,
			    m->options->no_guardian ? "; `vmlane apply` makes it again" : "");
	if (network_serve(m, n, NULL) < 0)
		log_error("network %s: its DHCP server could not be stopped", n->name);
}

/* The news may be old: a guest that was plugged in since has a new tap of that name. */
static void on_link_gone(struct manager *m, const struct link_state *link)
{
	struct guest_rt *g = manager_guest_by_tap(m, link->name);
	struct network_rt *n;

	if (g) {
		if (g->g.kind == GUEST_RUN && !guest_has_tap(m, g))
			guest_ended(m, g);
		return;
	}
	if (bridged_by_uplink(m, link->name))
		log_warning("network %s: its NIC %s was removed",
			    bridged_by_uplink(m, link->name)->row.network, link->name);
	n = manager_network_by_bridge(m, link->name);
	if (n && n->ifindex == link->ifindex)
		bridge_gone(m, n);
}

/* Events were lost: what they may have told is looked up. */
static void resync(struct manager *m)
{
	struct network_rt *n, *next_n;
	struct guest_rt *g, *next_g;
	struct link_state link;

	log_notice("the kernel's events came too fast; looking at everything again");
	HASH_ITER (hh, m->guests, g, next_g) {
		if (g->g.kind == GUEST_RUN && !guest_has_tap(m, g))
			guest_ended(m, g);
	}
	HASH_ITER (hh, m->networks, n, next_n) {
		if (n->ifindex && rtnl_link_get(m->rtnl, NULL, n->ifindex, &link, NULL) < 0)
			bridge_gone(m, n);
	}
}

/*
 * Our own doings: a tap has no alias yet when it appears. Neither is anybody's way out, unlike a
 * bridge that has a NIC.
 */
static bool is_ours(struct manager *m, const struct link_state *link)
{
	return (strncmp(link->alias, "vmlane:", 7) == 0 &&
		strncmp(link->alias, ALIAS_BRIDGED, strlen(ALIAS_BRIDGED)) != 0) ||
	       manager_guest_by_tap(m, link->name);
}

/* A bridge that somebody else makes, and guests wait for, is there. */
static void on_link(struct manager *m, const struct link_state *link)
{
	const struct network_rt *n = manager_network_by_bridge(m, link->name);

	if (n && n->config->adopted && n->ifindex != link->ifindex)
		m->follow_all = true;
}

static void on_rtnl_event(const struct rtnl_event *ev, void *ctx)
{
	struct manager *m = ctx;

	guardian_heard(m, ev);
	switch (ev->kind) {
	case RTNL_EVENT_LINK_DEL:
		snoop_link_gone(m, ev->link.ifindex);
		on_link_gone(m, &ev->link);
		if (is_ours(m, &ev->link))
			return;
		break;
	case RTNL_EVENT_RESYNC:
		resync(m);
		snoop_resync(m);
		break;
	case RTNL_EVENT_FDB:
	case RTNL_EVENT_FDB_DEL:
		events_fdb(m, ev);
		return;
	case RTNL_EVENT_LINK:
		events_link(m, &ev->link);
		snoop_link(m, &ev->link);
		if (is_ours(m, &ev->link))
			return;
		on_link(m, &ev->link);
		break;
	case RTNL_EVENT_ROUTE:
		if (!ev->default_route)
			return;
		break;
	case RTNL_EVENT_ADDR:
		if (!forwards_wait_for(m, ev->addr))
			return;
		break;
	case RTNL_EVENT_ADDR6:
	case RTNL_EVENT_PORT:
	case RTNL_EVENT_TC:
	case RTNL_EVENT_CONF:
		return;
	default:
		break;
	}
	reconcile_later(m);
}

static int on_monitor(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct manager *m = ctx;

	(void)s;
	(void)fd;
	(void)revents;
	if (rtnl_monitor_read(m->monitor) < 0)
		log_error("the kernel's link and route events cannot be read");
	return 0;
}

/* ---- open and close ---- */

static int open_kernel(struct manager *m, struct err *e)
{
	int fd = -1;
	int r = rtnl_new(&m->rtnl);

	if (r == 0)
		r = nft_new(&m->nft);
	if (r == 0)
		r = rtnl_monitor_new(on_rtnl_event, m, &m->monitor, &fd);
	if (r == 0)
		r = sd_event_add_io(m->loop, &m->monitor_source, fd, EPOLLIN, on_monitor, m);
	if (r >= 0)
		r = guardian_new(m);
	if (r < 0)
		return err_set(e, r, "kernel", "", "netlink cannot be opened: %s", strerror(-r));
	return 0;
}

static int open_disk(struct manager *m, struct err *e)
{
	const struct options *o = m->options;
	char networks[PATH_MAX];
	int r;

	snprintf(networks, sizeof(networks), "%s/networks", o->config_dir);
	r = files_mkdir(networks, 0755, e);
	if (r == 0)
		r = files_mkdir(o->state_dir, 0700, e);
	if (r == 0)
		r = state_open(o->state_dir, &m->state, e);
	if (r == 0)
		r = lease_store_new(state_db(m->state), &m->leases, e);
	return r;
}

void manager_log_errors(const struct err_list *errs)
{
	char line[800];

	for (size_t i = 0; errs && i < errs->n; i++)
		log_error("%s", err_format(&errs->items[i], line, sizeof(line)));
	if (errs && errs->dropped)
		log_error("and %zu more mistakes", errs->dropped);
}

static void remember_own(struct manager *m, uint32_t after, uint32_t last)
{
	struct own_run *newest = &m->own[(m->n_own + OWN_RUNS - 1) % OWN_RUNS];

	if (m->n_own && newest->last == after)
		newest->last = last;
	else
		m->own[m->n_own++ % OWN_RUNS] = (struct own_run){after, last};
}

bool manager_made(const struct manager *m, uint32_t generation)
{
	for (size_t i = 0; i < OWN_RUNS && i < m->n_own; i++)
		if ((int32_t)(generation - m->own[i].after) > 0 &&
		    (int32_t)(generation - m->own[i].last) <= 0)
			return true;
	return false;
}

bool manager_went_on(const struct manager *m, uint32_t generation, uint32_t since)
{
	for (size_t i = 0; i < OWN_RUNS && i < m->n_own; i++)
		if (m->own[i].after == generation && (int32_t)(m->own[i].last - since) > 0)
			return true;
	return false;
}

void manager_committed(struct manager *m, uint32_t before, unsigned int n)
{
	uint32_t after = 0;

	if (!before || !n || nft_generation(m->nft, &after) < 0 || after != before + n)
		return;
	remember_own(m, before, after);
	if (m->fw_generation == before)
		m->fw_generation = after;
}

void manager_unrelated(struct manager *m, uint32_t generation)
{
	if (m->fw_generation && m->fw_generation + 1 == generation)
		m->fw_generation = generation;
}

static int bring_up(struct manager *m)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	int r;

	if (!errs)
		return -ENOMEM;
	r = reconcile(m, NULL, RECONCILE_ALL, NULL, errs);
	manager_log_errors(errs);
	free(errs);
	return r == -ENOMEM ? r : 0;
}

int manager_new(const struct options *o, sd_event *loop, struct manager **ret, struct err *e)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->options = o;
	m->loop = loop;
	m->started_us = clock_boot_us();
	m->rates_used = true;	/* by an earlier run */
	m->guard_before = true; /* likewise */
	host_id_load(m);
	r = open_kernel(m, e);
	if (r == 0)
		r = open_disk(m, e);
	if (r == 0)
		r = load_start(m, e);
	if (r == 0)
		r = bridged_load(m, e);
	if (r == 0) {
		resolvers_load(m);
		if (resolvers_watch(m) < 0)
			log_warning("changes of the host's resolvers will not be noticed");
		r = bring_up(m);
		guardian_on(m);
		if (r == 0)
			r = snoop_new(m);
	}
	if (r < 0) {
		manager_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	api_server_free(m->api);
	guardian_free(m->guardian);
	accepts_free(m->accepts);
	firewalld_free(m->firewalld);
	sd_event_source_disable_unref(m->follow);
	sd_event_source_disable_unref(m->guard_expiry);
	for (size_t i = 0; i < RESOLV_WATCHES; i++)
		sd_event_source_disable_unref(m->resolv_watch[i]);
	sd_event_source_disable_unref(m->monitor_source);
	bridged_free(m);
	networks_free(m);
	snoop_free(m->snoop);
	guests_free(m);
	policy_log_listen(m, false);
	events_done(m);
	lease_store_free(m->leases);
	state_close(m->state);
	rtnl_monitor_free(m->monitor);
	rtnl_free(m->rtnl);
	nft_free(m->nft);
	fw_ruleset_done(&m->fw);
	guard_done(m);
	free(m->saved);
	free(m);
}
