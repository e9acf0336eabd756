/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guardian_switch.c - see guardian.h: MACs that are pinned to guests' ports, and the VLANs of ports.
 *
 * Of MAC tables the kernel tells static entries alone (rtnl_monitor_new_pins()); what becomes one like
 * those that are learnt is not noticed. VLANs are told of as the port's own settings are, when they
 * were changed as bridge(8) and systemd-networkd do, by the port (RTM_SETLINK).
 */
#include "daemon/guardian_internal.h"

#include <net/if.h>
#include <string.h>

#include "base/log.h"
#include "daemon/guard.h"
#include "model/plan_vlan.h"

/* ---- MACs ---- */

/* What guest @g's port on bridge @bridge shall be; false where it has none there. */
static bool want_of(struct manager *m, const struct guest_rt *g, int bridge,
		    struct desired_tap *ret)
{
	const struct network_rt *n = manager_network(m, g->g.network);

	*ret = (struct desired_tap){0};
	if (!n || n->stopped || !bridge || n->ifindex != bridge)
		return false;
	port_want(n->config, g->g.name, &g->g.mac, ret);
	return true;
}

static bool is_still_port(struct manager *m, int port, int bridge)
{
	struct link_state l;

	return rtnl_link_get(m->rtnl, NULL, port, &l, NULL) == 0 && l.master == bridge;
}

/* Another guest of that bridge has @mac. */
static bool is_anothers(struct manager *m, const struct guest_rt *here, int bridge,
			const struct mac *mac)
{
	struct desired_tap want;

	for (const struct guest_rt *g = m->guests; g; g = g->hh.next)
		if (g != here && want_of(m, g, bridge, &want) && desired_tap_has_mac(&want, mac))
			return true;
	return false;
}

/* What we pin ourselves is right as soon as it is told of. */
static bool is_right(struct manager *m, const struct fdb_entry *f, bool gone)
{
	const struct guest_rt *guest;
	struct desired_tap want = {0};
	char name[IF_NAMESIZE];

	if (!if_indextoname((unsigned int)f->port, name))
		return true;
	guest = manager_guest_by_tap(m, name);
	if (guest && !want_of(m, guest, f->bridge, &want))
		guest = NULL;
	if (guest && desired_tap_has_mac(&want, &f->mac))
		return gone ? !is_still_port(m, f->port, f->bridge) : f->sticky;
	if (gone)
		return true;
	return !(guest && (want.managed || f->sticky)) &&
	       !is_anothers(m, guest, f->bridge, &f->mac);
}

static void on_pin(const struct rtnl_event *ev, void *ctx)
{
	struct guardian *g = ctx;

	if (!g->on || g->look)
		return;
	if (ev->kind == RTNL_EVENT_RESYNC ||
	    ((ev->kind == RTNL_EVENT_FDB || ev->kind == RTNL_EVENT_FDB_DEL) &&
	     !is_right(g->m, &ev->fdb, ev->kind == RTNL_EVENT_FDB_DEL)))
		guardian_look(g);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct guardian *g = ctx;

	(void)s;
	(void)fd;
	(void)revents;
	if (rtnl_monitor_read(g->pins) < 0)
		log_error("the kernel's events of MAC tables cannot be read");
	return 0;
}

/* ---- VLANs ---- */

static void on_difference(void *ctx, const char *ifname, bool add, const struct port_vlan *v)
{
	(void)ifname;
	(void)add;
	(void)v;
	*(bool *)ctx = true;
}

bool guardian_vlans_are_right(struct guardian *g, const struct network_rt *n,
			      const struct guest_rt *guest, const struct link_state *port,
			      struct actual *ports)
{
	bool differs = false, taken;
	struct desired_tap want = {0};
	struct link_state bridge;

	if (n->config->mode != NETWORK_BRIDGED || !port->master ||
	    rtnl_link_get(g->m->rtnl, NULL, port->master, &bridge, NULL) < 0 || !bridge.has_vlans)
		return true;
	taken = vlan_is_taken(n->config, &bridge);
	if (taken && bridge.vlan_filtering != network_has_vlans(n->config))
		return false;
	if (!bridge.vlan_filtering || (!guest && !taken))
		return true;
	if (!ports->port_vlans && rtnl_vlans(g->m->rtnl, ports, NULL) < 0)
		return true;
	if (!guest) {
		vlan_diff_uplink(ports, &bridge, port, n->config, on_difference, &differs);
		return !differs;
	}
	port_want(n->config, guest->g.name, &guest->g.mac, &want);
	vlan_diff_tap(ports, &bridge, port->ifindex, &want, on_difference, &differs);
	return !differs;
}

/* ---- ports that were taken out ---- */

/* True where it is a matter of plugging it in alone: the rest is reconcile()'s. */
static bool is_out(struct manager *m, const struct network_rt *n, const struct guest_rt *g,
		   struct link_state *ret)
{
	struct link_state bridge;

	return n && !n->stopped && !n->problem.code[0] && !g->problem.code[0] && n->ifindex &&
	       n->config->mode != NETWORK_BRIDGED && guest_has_tap(m, g) &&
	       rtnl_link_get(m->rtnl, g->g.tap, 0, ret, NULL) == 0 && ret->master != n->ifindex &&
	       rtnl_link_get(m->rtnl, n->config->bridge, 0, &bridge, NULL) == 0 &&
	       bridge.ifindex == n->ifindex;
}

/* As it was plugged in first (service_guest.c). What does not succeed is tried and told by reconcile(). */
static void plug(struct manager *m, const struct network_rt *n, const struct guest_rt *g,
		 const struct link_state *l, json_t *changes)
{
	struct plan_step s = {.kind = STEP_TAP_ENSLAVE};
	struct desired_tap port = {0};
	struct link_state old;
	struct err e = {0};

	strcpy(s.ifname, g->g.tap);
	strcpy(s.bridge, n->config->bridge);
	strcpy(port.name, g->g.tap);
	strcpy(port.bridge, n->config->bridge);
	port_want(n->config, g->g.name, &g->g.mac, &port);
	if (l->master && rtnl_link_get(m->rtnl, NULL, l->master, &old, NULL) == 0)
		snprintf(s.replaces, sizeof(s.replaces), "%s", old.name);
	if (guard_plug(m, n, &g->g, &e) < 0 ||
	    rtnl_link_enslave(m->rtnl, g->g.tap, n->config->bridge, &e) < 0)
		return;
	guardian_say(changes, &s, s.ifname);
	if (port_set(m, &port, &e) < 0)
		log_debug("%s: %s", g->g.tap, e.message);
}

void guardian_ports_restore(struct guardian *g, json_t *changes)
{
	for (size_t i = 0; i < g->n_marked; i++) {
		const struct guest_rt *guest = manager_guest_by_tap(g->m, g->marked[i].name);
		const struct network_rt *n;
		struct link_state l;

		if (!guest || !g->marked[i].link)
			continue;
		n = manager_network(g->m, guest->g.network);
		if (is_out(g->m, n, guest, &l))
			plug(g->m, n, guest, &l, changes);
	}
}

/* ---- beginning and end ---- */

int guardian_switch_new(struct guardian *g)
{
	int fd = -1, r = rtnl_monitor_new_pins(on_pin, g, &g->pins, &fd);

	if (r == 0)
		r = sd_event_add_io(g->m->loop, &g->pins_source, fd, EPOLLIN, on_io, g);
	return r < 0 ? r : 0;
}

void guardian_switch_done(struct guardian *g)
{
	sd_event_source_disable_unref(g->pins_source);
	rtnl_monitor_free(g->pins);
}
