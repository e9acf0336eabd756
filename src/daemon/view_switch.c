/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_switch.c - the switch's own view as JSON: ports, MAC table; and the leases. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/service.h"

/* Takes over @list. */
static int give(const char *name, json_t *list, int r, json_t **ret)
{
	json_t *j;

	if (r < 0) {
		json_decref(list);
		return r;
	}
	j = json_pack("{s:o}", name, list);
	if (!j)
		return -ENOMEM;
	*ret = j;
	return 0;
}

static struct network_rt *network_by_ifindex(struct manager *m, int ifindex)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		if (n->ifindex && n->ifindex == ifindex)
			return n;
	}
	return NULL;
}

static json_t *name_or_null(const struct guest_rt *g)
{
	return g ? json_string(g->g.name) : json_null();
}

static json_t *port_json(struct manager *m, const struct network_rt *n, const struct link_state *l)
{
	const struct guest_rt *g = manager_guest_by_tap(m, l->name);
	char mac[MAC_STRLEN];
	json_t *j;

	j = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:s, s:b, s:b, s:b}", "network", n->name,
		      "bridge", n->config->bridge, "port", l->name, "ifindex", l->ifindex, "guest",
		      name_or_null(g), "mac",
		      g ? json_string(mac_format(&g->g.mac, mac)) : json_null(), "state",
		      port_state_name(l->port_state), "up", l->up, "carrier", l->carrier,
		      "isolated", l->isolated);
	json_object_set_new(j, "learning", json_boolean(!l->no_learning));
	json_object_set_new(j, "rx_packets", json_integer((json_int_t)l->rx_packets));
	json_object_set_new(j, "tx_packets", json_integer((json_int_t)l->tx_packets));
	json_object_set_new(j, "rx_bytes", json_integer((json_int_t)l->rx_bytes));
	json_object_set_new(j, "tx_bytes", json_integer((json_int_t)l->tx_bytes));
	return j;
}

int view_port_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	json_t *list = json_array();
	struct actual a = {0};
	struct err e = {0};
	int r = rtnl_snapshot_counters(m->rtnl, &a, &e);

	if (r < 0)
		err_list_push(errs, &e);
	for (size_t i = 0; r == 0 && i < a.n_links; i++) {
		const struct network_rt *n = network_by_ifindex(m, a.links[i].master);

		if (n)
			json_array_append_new(list, port_json(m, n, &a.links[i]));
	}
	actual_done(&a);
	return give("ports", list, r, ret);
}

static json_t *mac_json(struct manager *m, const struct actual *a, const struct network_rt *n,
			const struct fdb_entry *f)
{
	const struct link_state *port = actual_link_by_index(a, f->port);
	const char *kind = f->local ? "local" : f->is_static ? "static" : "learned";
	const struct guest_rt *g = manager_guest_by_mac(m, &f->mac);
	char mac[MAC_STRLEN];

	if (!g && port && !f->local)
		g = manager_guest_by_tap(m, port->name);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "network", n->name, "bridge",
			 n->config->bridge, "mac", mac_format(&f->mac, mac), "port",
			 port ? json_string(port->name) : json_null(), "guest", name_or_null(g),
			 "kind", kind, "age_s",
			 f->local || f->is_static ? json_null() : json_integer(f->age_s));
}

/* Multicast groups are in the same table; they are nobody's station. */
static bool is_station(const struct fdb_entry *f)
{
	return !mac_is_multicast(&f->mac);
}

/* All tables in one dump: asking for each bridge takes longer. */
static int add_macs(struct manager *m, const struct actual *a, json_t *list, struct err *e)
{
	_cleanup_(freep) struct fdb_entry *fdb = NULL;
	const struct network_rt *n = NULL;
	size_t count = 0;
	int r = rtnl_fdb_dump(m->rtnl, 0, &fdb, &count, e);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!is_station(&fdb[i]))
			continue;
		if (!n || n->ifindex != fdb[i].bridge)
			n = network_by_ifindex(m, fdb[i].bridge);
		if (n)
			json_array_append_new(list, mac_json(m, a, n, &fdb[i]));
	}
	return r;
}

int view_mac_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	json_t *list = json_array();
	struct actual a = {0};
	struct err e = {0};
	int r = view_snapshot(m, &a, errs);

	if (r == 0) {
		r = add_macs(m, &a, list, &e);
		if (r < 0)
			err_list_push(errs, &e);
	}
	actual_done(&a);
	return give("macs", list, r, ret);
}

/* ---- leases ---- */

struct lease_list {
	struct manager *m;
	struct network_rt *network;
	json_t *list;
	int64_t now_s;
};

static json_t *client_id_json(const struct lease *l)
{
	char hex[2 * DHCP4_CLIENT_ID_MAX + 1];
	static const char digits[] = "0123456789abcdef";

	if (!l->client_id_len)
		return json_null();
	for (size_t i = 0; i < l->client_id_len; i++) {
		hex[2 * i] = digits[l->client_id[i] >> 4];
		hex[2 * i + 1] = digits[l->client_id[i] & 15];
	}
	hex[2 * l->client_id_len] = '\0';
	return json_string(hex);
}

static const struct guest_config *configured_by_mac(const struct network_config *c,
						    const struct mac *mac)
{
	for (size_t i = 0; i < c->n_guests; i++) {
		if (c->guests[i].has_mac && mac_equal(&c->guests[i].mac, mac))
			return &c->guests[i];
	}
	return NULL;
}

static void add_lease(const struct lease *l, void *ctx)
{
	struct lease_list *w = ctx;
	const struct guest_rt *g = manager_guest_by_mac(w->m, &l->mac);
	const struct guest_config *c = configured_by_mac(w->network->config, &l->mac);
	char addr[IP4_STRLEN], mac[MAC_STRLEN];
	bool declined = l->state == LEASE_DECLINED;
	bool expired = l->expires_s <= w->now_s;
	json_t *j;

	if (l->state == LEASE_OFFERED && expired)
		return;
	if (!c && g)
		c = network_guest_find(w->network->config, g->g.name);
	j = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:b}", "network",
		      w->network->name, "address", ip4_format(l->addr, addr), "mac",
		      declined ? json_null() : json_string(mac_format(&l->mac, mac)), "guest",
		      g	  ? json_string(g->g.name)
		      : c ? json_string(c->name)
			  : json_null(),
		      "hostname", l->hostname[0] ? json_string(l->hostname) : json_null(),
		      "client_id", client_id_json(l), "state",
		      expired && l->state == LEASE_BOUND ? "released" : lease_state_name(l->state),
		      "expires", (json_int_t)l->expires_s, "expires_in_s",
		      (json_int_t)(expired ? 0 : l->expires_s - w->now_s), "fixed",
		      c && c->has_ipv4 && ip4_equal(c->ipv4, l->addr));
	json_array_append_new(w->list, j);
}

/* A network that is stopped has its leases on disk only. */
static int stored_leases(struct lease_list *w, struct err *e)
{
	_cleanup_(lease_table_freep) struct lease_table *t = NULL;
	int r = lease_table_new(&t);

	if (r == 0)
		r = lease_store_load(w->m->leases, w->network->name, t, e);
	if (r == 0)
		lease_each(t, add_lease, w);
	return r;
}

int view_lease_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct lease_list w = {.m = ctx, .list = json_array(), .now_s = clock_wall_s()};
	struct network_rt *n, *next;
	struct err e = {0};
	int r = 0;

	HASH_ITER (hh, w.m->networks, n, next) {
		w.network = n;
		if (n->dhcp)
			lease_each(lease_server_table(n->dhcp), add_lease, &w);
		else if (r == 0)
			r = stored_leases(&w, &e);
	}
	if (r < 0)
		err_list_push(errs, &e);
	return give("leases", w.list, r, ret);
}
