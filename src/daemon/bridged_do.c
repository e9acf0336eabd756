/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridged_do.c - taking a NIC into a bridge and giving it back, step by step; see bridged.h. Each
 * step may find its work done: it may have been done by a daemon that was killed.
 *
 * Next on the walk: kernel/rtnl_move.c.
 */
#include "daemon/bridged.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/test_hooks.h"
#include "kernel/nic.h"
#include "kernel/sysctl.h"

static int journal(struct manager *m, struct takeover_rt *t, enum takeover_phase phase,
		   struct err *e)
{
	int r;

	test_hook_step();
	t->row.phase = phase;
	r = takeover_store_put(state_db(m->state), &t->row, e);
	test_hook_step();
	return r;
}

/* ---- looking before it ---- */

static int look_at_nic(struct manager *m, const struct network_config *c, struct takeover_row *row,
		       struct link_state *ret, struct err *e)
{
	struct nic_facts facts;
	int r = nic_facts_read(m->rtnl, "", c->uplink, &facts, e);

	if (r == 0 && facts.exists)
		r = rtnl_holdings(m->rtnl, c->uplink, clock_boot_us(), &row->things,
				  &facts.nexthops, e);
	if (r == 0)
		r = takeover_refuse(&facts, c->name, m->ask.force, e);
	if (r == 0)
		r = rtnl_link_get(m->rtnl, c->uplink, 0, ret, e);
	if (r == 0 && !ret->up)
		r = err_set(e, -EBUSY, "uplink-down", c->uplink,
			    "%s is down; `ip link set %s up` first", c->uplink, c->uplink);
	return r;
}

/* A leftover without a port, or the one that network @name had in another mode. */
static bool is_former(const struct link_state *l, const char *name)
{
	static const char *const ours[] = {ALIAS_BRIDGED, ALIAS_NETWORK};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (strncmp(l->alias, ours[i], strlen(ours[i])) == 0 &&
		    strcmp(l->alias + strlen(ours[i]), name) == 0)
			return strcmp(l->kind, "bridge") == 0;
	return false;
}

static int check_bridge_name(struct manager *m, const struct network_config *c, struct err *e)
{
	struct link_state l;
	int r = rtnl_link_get(m->rtnl, c->bridge, 0, &l, NULL);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return err_set(e, r, "kernel", c->bridge, "%s", strerror(-r));
	if (is_former(&l, c->name))
		return rtnl_link_delete(m->rtnl, c->bridge, e);
	return err_set(
		e, -EEXIST, "in-the-way", c->bridge,
		"interface %s is in the way: it is somebody else's; to use that bridge as it "
		"is, write `bridge: %s`, else choose another name for the network",
		c->bridge, c->bridge);
}

/* ---- the bridge ---- */

/* What the host was set up to do on the NIC it shall do on the bridge. */
static const struct {
	const char *family;
	const char *key;
} copied[] = {
	{"ipv6", "disable_ipv6"},
	{"ipv4", "forwarding"},
	{"ipv4", "rp_filter"},
	{"ipv4", "accept_redirects"},
	{"ipv4", "secure_redirects"},
	{"ipv4", "send_redirects"},
	{"ipv4", "accept_source_route"},
	{"ipv4", "accept_local"},
	{"ipv4", "arp_announce"},
	{"ipv4", "arp_filter"},
	{"ipv4", "arp_ignore"},
	{"ipv4", "arp_notify"},
	{"ipv4", "arp_accept"},
	{"ipv4", "ignore_routes_with_linkdown"},
	{"ipv4", "log_martians"},
	{"ipv4", "promote_secondaries"},
	{"ipv4", "proxy_arp"},
	{"ipv4", "route_localnet"},
	{"ipv4", "src_valid_mark"},
	{"ipv6", "forwarding"},
	{"ipv6", "accept_ra"},
	{"ipv6", "accept_ra_defrtr"},
	{"ipv6", "accept_ra_mtu"},
	{"ipv6", "accept_ra_pinfo"},
	{"ipv6", "accept_ra_rt_info_max_plen"},
	{"ipv6", "accept_redirects"},
	{"ipv6", "accept_dad"},
	{"ipv6", "autoconf"},
	{"ipv6", "dad_transmits"},
	{"ipv6", "keep_addr_on_down"},
	{"ipv6", "proxy_ndp"},
	{"ipv6", "router_solicitations"},
	{"ipv6", "use_tempaddr"},
};

static void sysctl_path(char ret[static SYSCTL_PATH_MAX], const char *family, const char *ifname,
			const char *key)
{
	snprintf(ret, SYSCTL_PATH_MAX, "net/%s/conf/%s/%s", family, ifname, key);
}

/* What the NIC had before a NAT network of ours switched forwarding on. */
static void original_value(struct manager *m, const char *path, char value[static SYSCTL_VALUE_MAX])
{
	for (size_t i = 0; i < m->n_saved; i++) {
		if (strcmp(m->saved[i].was.path, path) == 0)
			snprintf(value, SYSCTL_VALUE_MAX, "%s", m->saved[i].was.value);
	}
}

static int copy_sysctl(struct manager *m, const struct takeover_row *row, const char *family,
		       const char *key, struct err *e)
{
	char from[SYSCTL_PATH_MAX], to[SYSCTL_PATH_MAX];
	char want[SYSCTL_VALUE_MAX], now[SYSCTL_VALUE_MAX];

	sysctl_path(from, family, row->uplink, key);
	sysctl_path(to, family, row->bridge, key);
	/* A kernel that does not have it on one of them does not need it on the other. */
	if (sysctl_read(from, want) < 0 || sysctl_read(to, now) < 0)
		return 0;
	original_value(m, from, want);
	return strcmp(want, now) == 0 ? 0 : sysctl_write(to, want, e);
}

static int set_up_sysctls(struct manager *m, const struct takeover_row *row, struct err *e)
{
	char path[SYSCTL_PATH_MAX], now[SYSCTL_VALUE_MAX];
	int r = 0;

	/* The link-local address comes from the NIC: the kernel shall not make another. */
	sysctl_path(path, "ipv6", row->bridge, "addr_gen_mode");
	if (sysctl_read(path, now) == 0)
		r = sysctl_write(path, "1", e);
	for (size_t i = 0; i < ARRAY_SIZE(copied) && r == 0; i++)
		r = copy_sysctl(m, row, copied[i].family, copied[i].key, e);
	return r;
}

static int make_bridge(struct manager *m, const struct takeover_row *row,
		       const struct link_state *nic, struct err *e)
{
	char alias[ALIAS_MAX];
	int r;

	snprintf(alias, sizeof(alias), ALIAS_BRIDGED "%s", row->network);
	r = rtnl_bridge_create(m->rtnl, row->bridge, &nic->mac, alias, e);
	test_hook_step();
	if (r == 0 && nic->mtu != 1500)
		r = rtnl_link_set_mtu(m->rtnl, row->bridge, nic->mtu, e);
	test_hook_step();
	if (r == 0)
		r = set_up_sysctls(m, row, e);
	test_hook_step();
	if (r == 0)
		r = rtnl_link_set_up(m->rtnl, row->bridge, true, e);
	test_hook_step();
	return r;
}

/* ---- moving ---- */

static int index_of(struct manager *m, const char *ifname)
{
	struct link_state l;

	return rtnl_link_get(m->rtnl, ifname, 0, &l, NULL) == 0 ? l.ifindex : 0;
}

static struct move move_of(struct manager *m, const struct takeover_row *row, bool home)
{
	struct move mv = {
		.nic = index_of(m, row->uplink),
		.bridge = index_of(m, row->bridge),
		.home = home,
		.now_us = clock_boot_us(),
		.before = test_hook(),
	};

	strcpy(mv.nic_name, row->uplink);
	strcpy(mv.bridge_name, row->bridge);
	return mv;
}

static int carry_out(struct manager *m, const struct takeover_row *row, const struct move *mv,
		     struct err *e)
{
	struct takeover_plan plan = {0};
	int r = takeover_plan_move(&row->things, mv->home, &plan);

	if (r == 0)
		r = rtnl_move(m->rtnl, mv, &row->things, &plan, e);
	takeover_plan_done(&plan);
	if (r < 0)
		return r;
	r = takeover_plan_settle(&row->things, &plan);
	if (r == 0)
		r = rtnl_move(m->rtnl, mv, &row->things, &plan, e);
	takeover_plan_done(&plan);
	return r;
}

static void announce(struct manager *m, const struct takeover_row *row, const char *ifname)
{
	struct link_state l;

	if (rtnl_link_get(m->rtnl, ifname, 0, &l, NULL) == 0)
		(void)holdings_announce(&row->things, l.ifindex, &l.mac);
}

#define RUNNING_TRIES 300
#define RUNNING_EVERY_NS 1000000

/*
 * A bridge's first port makes it run, but only when the kernel comes round to it: what is sent
 * before is lost, and an ARP request that is lost costs a second.
 */
static void await_running(struct manager *m, const struct takeover_row *row)
{
	const struct timespec pause = {.tv_nsec = RUNNING_EVERY_NS};
	struct link_state nic = {0}, bridge = {0};

	if (rtnl_link_get(m->rtnl, row->uplink, 0, &nic, NULL) < 0 || !nic.running)
		return;
	for (int i = 0; i < RUNNING_TRIES; i++) {
		if (rtnl_link_get(m->rtnl, row->bridge, 0, &bridge, NULL) < 0 || bridge.running)
			return;
		nanosleep(&pause, NULL);
	}
}

static int plug(struct manager *m, const struct takeover_row *row, const struct move *mv,
		struct err *e)
{
	struct takeover_plan plan = {0};
	int r = takeover_plan_plug(&plan);

	if (r == 0)
		r = rtnl_move(m->rtnl, mv, &row->things, &plan, e);
	takeover_plan_done(&plan);
	if (r == 0)
		await_running(m, row);
	return r;
}

static int move_in(struct manager *m, const struct takeover_row *row, struct err *e)
{
	struct move mv = move_of(m, row, false);
	int r;

	if (!mv.nic || !mv.bridge)
		return err_set(e, -ENODEV, "no-uplink", mv.nic ? row->bridge : row->uplink,
			       "the interface went away while it was being taken");
	r = plug(m, row, &mv, e);
	if (r == 0)
		r = carry_out(m, row, &mv, e);
	if (r == 0)
		r = copy_sysctl(m, row, "ipv6", "addr_gen_mode", e);
	test_hook_step();
	if (r == 0)
		announce(m, row, row->bridge);
	return r;
}

/* Now that there is a bridge it can be told whether guests can be kept in their VLANs. */
static int check_vlans(struct manager *m, const struct network_config *c, struct err *e)
{
	struct link_state bridge;
	int r = rtnl_link_get(m->rtnl, c->bridge, 0, &bridge, e);

	for (size_t i = 0; r == 0 && i < c->n_guests; i++)
		if (plan_vlan_refused(c, &bridge, c->guests[i].vlan, e))
			r = -EOPNOTSUPP;
	return r;
}

int bridged_take(struct manager *m, const struct network_config *c, struct takeover_rt *ret,
		 struct err *e)
{
	struct takeover_row *row = &ret->row;
	struct link_state nic = {0};
	struct err ignored = {0};
	int r = look_at_nic(m, c, row, &nic, e);

	if (r == 0)
		r = check_bridge_name(m, c, e);
	if (r < 0)
		return r;
	strcpy(row->network, c->name);
	strcpy(row->uplink, c->uplink);
	strcpy(row->bridge, c->bridge);
	ret->gateway = holdings_gateway(&row->things);
	if (ret->gateway.family &&
	    !(rtnl_gateway_state(m->rtnl, nic.ifindex, &ret->gateway) &
	      (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)))
		ret->gateway.family = 0;
	r = journal(m, ret, PHASE_TAKING, e);
	if (r < 0)
		return r;
	r = make_bridge(m, row, &nic, e);
	if (r == 0)
		r = check_vlans(m, c, e);
	if (r == 0)
		r = move_in(m, row, e);
	if (r < 0 && bridged_return(m, ret, NULL, &ignored) < 0)
		log_error("network %s: %s could not be given back: %s", row->network, row->uplink,
			  ignored.message);
	return r;
}

/* ---- and back ---- */

/*
 * What is on the bridge now goes back, which may be other than what came: the host was renumbered
 * meanwhile. Of a bridge that is gone what came is what is known.
 */
static int refresh_things(struct manager *m, struct takeover_rt *t, struct err *e)
{
	struct takeover_snapshot now = {0};
	bool nexthops;
	int r = rtnl_holdings(m->rtnl, t->row.bridge, clock_boot_us(), &now, &nexthops, e);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	takeover_snapshot_done(&t->row.things);
	t->row.things = now;
	return 0;
}

static int delete_bridge(struct manager *m, const struct takeover_row *row, struct err *e)
{
	struct link_state l;

	if (rtnl_link_get(m->rtnl, row->bridge, 0, &l, NULL) < 0)
		return 0;
	if (strncmp(l.alias, ALIAS_BRIDGED, strlen(ALIAS_BRIDGED)) != 0)
		return 0;
	return rtnl_link_delete(m->rtnl, row->bridge, e);
}

static int move_home(struct manager *m, const struct takeover_row *row, struct err *e)
{
	struct move mv = move_of(m, row, true);
	int r = 0;

	/* Of a NIC that was removed nothing can be put back; it may be taken up when it comes. */
	if (mv.nic)
		r = carry_out(m, row, &mv, e);
	else
		log_warning("network %s: %s is gone; what it had goes with it", row->network,
			    row->uplink);
	test_hook_step();
	if (r < 0)
		return r;
	r = delete_bridge(m, row, e);
	test_hook_step();
	if (r == 0 && mv.nic)
		announce(m, row, row->uplink);
	return r;
}

/* So that no later look takes the NIC again. */
static int stop_network(struct manager *m, const char *name, struct err *e)
{
	struct network_rt *n = manager_network(m, name);

	if (!n || n->stopped)
		return 0;
	n->stopped = true;
	return network_save(m, n, e);
}

int bridged_return(struct manager *m, struct takeover_rt *t, const char *reason, struct err *e)
{
	int r = 0;

	t->timer = sd_event_source_disable_unref(t->timer);
	if (t->row.phase == PHASE_HELD)
		r = refresh_things(m, t, e);
	if (reason)
		snprintf(t->row.reason, sizeof(t->row.reason), "%s", reason);
	if (r == 0 && reason)
		r = stop_network(m, t->row.network, e);
	if (r == 0)
		r = journal(m, t, PHASE_RETURNING, e);
	if (r == 0)
		r = move_home(m, &t->row, e);
	if (r == 0 && t->row.reason[0])
		return journal(m, t, PHASE_RETURNED, e);
	if (r == 0)
		r = takeover_store_remove(state_db(m->state), t->row.network, e);
	return r;
}

int bridged_replug(struct manager *m, const struct takeover_rt *t, struct err *e)
{
	struct link_state nic = {0}, bridge = {0};
	int r = rtnl_link_get(m->rtnl, t->row.uplink, 0, &nic, e);

	if (r == 0)
		r = rtnl_link_get(m->rtnl, t->row.bridge, 0, &bridge, e);
	if (r < 0 || nic.master == bridge.ifindex)
		return r;
	if (nic.master)
		return err_set(
			e, -EBUSY, "in-bridge", t->row.uplink,
			"somebody made %s a port of another bridge; `ip link set %s master %s` "
			"takes it back",
			t->row.uplink, t->row.uplink, t->row.bridge);
	r = rtnl_link_enslave(m->rtnl, t->row.uplink, t->row.bridge, e);
	return r < 0 || nic.up ? r : rtnl_link_set_up(m->rtnl, t->row.uplink, true, e);
}
