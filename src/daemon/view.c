/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.c - status, networks and guests as JSON; docs/API.md has the shapes. Changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config.h"
#include "daemon/accepts.h"
#include "daemon/bridged.h"
#include "daemon/forwards.h"
#include "daemon/guardian.h"
#include "daemon/reconcile.h"
#include "daemon/service.h"
#include "daemon/source.h"
#include "daemon/view_ipv6.h"
#include "kernel/tap.h"
#include "kernel/vmm.h"

static json_t *text_or_null(const char *s)
{
	return s && s[0] ? json_string(s) : json_null();
}

static json_t *addr_json(struct in_addr a)
{
	char text[IP4_STRLEN];

	return json_string(ip4_format(a, text));
}

static json_t *err_json(const struct err *e)
{
	return json_pack("{s:s, s:s, s:s}", "code", e->code, "where", e->where, "message",
			 e->message);
}

int view_snapshot(struct manager *m, struct actual *ret, struct err_list *errs)
{
	struct err e = {0};
	int r = rtnl_snapshot(m->rtnl, ret, &e);

	if (r == 0)
		r = view_ipv6_look(m, ret, &e);
	if (r < 0)
		actual_done(ret);
	if (r < 0)
		err_list_push(errs, &e);
	return r;
}

static int give(json_t *j, json_t **ret)
{
	if (!j)
		return -ENOMEM;
	*ret = j;
	return 0;
}

/* ---- networks ---- */

static json_t *addrs_of(const struct actual *a, const char *ifname)
{
	const struct link_state *link = actual_link_by_name(a, ifname);

	for (size_t i = 0; link && i < a->n_addrs; i++) {
		if (a->addrs[i].ifindex == link->ifindex)
			return addr_json(a->addrs[i].prefix.addr);
	}
	return json_null();
}

static json_t *uplinks_json(const struct actual *a, const struct network_config *c)
{
	char names[8][IFNAMSIZ];
	size_t n = 1;
	json_t *list = json_array();
	bool bridged = c->mode == NETWORK_BRIDGED;

	strcpy(names[0], c->uplink);
	if (!c->uplink[0])
		n = bridged ? 0 : actual_uplinks(a, names, ARRAY_SIZE(names));
	if (!bridged && !network_has_uplink(c))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		if (actual_link_by_name(a, names[i]))
			json_array_append_new(list, json_pack("{s:s, s:o}", "name", names[i],
							      "address", addrs_of(a, names[i])));
	}
	return list;
}

static json_t *dhcp_json(const struct network_config *c)
{
	char first[IP4_STRLEN], last[IP4_STRLEN];

	if (!c->dhcp)
		return json_null();
	return json_pack("{s:o, s:I}", "range",
			 json_sprintf("%s-%s", ip4_format(c->range_first, first),
				      ip4_format(c->range_last, last)),
			 "lease_s", (json_int_t)c->lease_s);
}

static json_t *dns_json(struct manager *m, const struct network_config *c)
{
	const struct in_addr *list;
	size_t n = network_resolvers(m, c, &list);
	json_t *j = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(j, addr_json(list[i]));
	return j;
}

static json_t *guest_names(struct manager *m, const char *network)
{
	json_t *list = json_array();

	for (const struct guest_rt *g = m->guests; g; g = g->hh.next) {
		if (strcmp(g->g.network, network) == 0)
			json_array_append_new(list, json_string(g->g.name));
	}
	return list;
}

static void count_bound(const struct lease *l, void *ctx)
{
	size_t *n = ctx;

	*n += l->state == LEASE_BOUND && l->expires_s > clock_wall_s();
}

static size_t bound_leases(struct network_rt *n)
{
	size_t count = 0;

	if (n->dhcp)
		lease_each(lease_server_table(n->dhcp), count_bound, &count);
	return count;
}

static const char *network_state(struct manager *m, const struct network_rt *n,
				 const struct actual *a)
{
	struct err nic;

	if (n->stopped)
		return "stopped";
	bridged_problem(m, n, a, &nic);
	if (strcmp(nic.code, BRIDGED_FILTERED) == 0)
		nic.code[0] = '\0';
	return n->problem.code[0] || nic.code[0] || !n->ifindex ? "failed" : "running";
}

static json_t *network_problem(struct manager *m, const struct network_rt *n,
			       const struct actual *a)
{
	struct err nic, source;

	if (n->problem.code[0])
		return err_json(&n->problem);
	bridged_problem(m, n, a, &nic);
	if (nic.code[0] || ipv6_note(n, &nic))
		return err_json(&nic);
	source_problem(m, n, a, &source);
	if (source.code[0])
		return err_json(&source);
	if (n->stopped || n->ifindex)
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "code", "bridge-gone", "where", n->name, "message",
			 json_sprintf("its bridge %s is gone; `vmlane apply` makes it again",
				      n->config->bridge));
}

static json_t *source_json(const struct network_config *c)
{
	char text[IP4_RANGE_STRLEN];

	if (c->mode != NETWORK_NAT || !network_has_source(c))
		return json_null();
	return json_string(ip4_range_format(c->source_first, c->source_last, text));
}

/* The way out and the way in, as far as the mode has them. */
static json_t *way_json(const struct actual *a, const struct network_config *c)
{
	bool routed = c->mode == NETWORK_ROUTED;
	bool uplink = c->mode == NETWORK_BRIDGED ? c->uplink[0] != 0 : network_has_uplink(c);

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "source", source_json(c), "uplink",
			 uplink ? json_string(c->uplink[0] ? c->uplink : "auto") : json_null(),
			 "uplinks", uplinks_json(a, c), "ports",
			 c->mode == NETWORK_NAT ? json_sprintf("%u-%u", c->port_min, c->port_max)
						: json_null(),
			 "inbound",
			 routed ? json_string(network_inbound_name(c->inbound)) : json_null());
}

/* What is worth knowing of a network that runs as it should. */
static json_t *notes_json(struct manager *m, const struct network_rt *n, const struct actual *a)
{
	json_t *list = json_array();
	struct err e = {0};

	if (mtu_note(m, n, a, &e))
		json_array_append_new(list, err_json(&e));
	return list;
}

static bool follows_uplink(const struct network_config *c)
{
	return c->mode == NETWORK_BRIDGED || (!c->mtu && network_has_uplink(c));
}

static json_t *peers_json(const struct network_config *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_peers; i++)
		json_array_append_new(list, json_string(c->peers[i]));
	return list;
}

static json_t *network_json(struct manager *m, const struct actual *a, struct network_rt *n)
{
	const struct network_config *c = n->config;
	bool ipv4 = network_has_ipv4(c);
	char subnet[IP4_PREFIX_STRLEN];
	json_t *j, *way = way_json(a, c);

	j = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:I, s:s, s:o, "
		      "s:o, s:b}",
		      "name", n->name, "mode", network_mode_name(c->mode), "state",
		      network_state(m, n, a), "bridge", c->bridge, "host",
		      ipv4 || c->mode == NETWORK_BRIDGED, "subnet",
		      ipv4 ? json_string(ip4_prefix_format(&c->subnet, subnet)) : json_null(),
		      "gateway", ipv4 ? addr_json(c->gateway) : json_null(), "mtu",
		      (int)network_mtu(n), "dhcp", dhcp_json(c), "domain", text_or_null(c->domain),
		      "dns", dns_json(m, c), "guests", guest_names(m, n->name), "leases",
		      (json_int_t)bound_leases(n), "file", n->file, "problem",
		      network_problem(m, n, a), "takeover", bridged_json(m, n), "adopted",
		      c->adopted);
	json_object_set_new(j, "subnet_auto", json_boolean(c->subnet_auto));
	json_object_set_new(j, "mtu_auto", json_boolean(follows_uplink(c)));
	json_object_set_new(j, "notes", notes_json(m, n, a));
	json_object_set_new(j, "peers", peers_json(c));
	json_object_set_new(j, "forwards", view_forwards(n, NULL));
	json_object_set_new(j, "policy", view_policy(c));
	json_object_set_new(j, "ipv6", view_ipv6_json(m, a, n));
	json_object_set_new(j, "accepts", accepts_of(m, n->name));
	json_object_set_new(j, "stp", json_boolean(c->stp));
	json_object_set_new(j, "learning", json_boolean(c->learning));
	json_object_set_new(j, "ageing_s", json_integer(c->ageing_s));
	json_object_update(j, way);
	json_decref(way);
	return j;
}

int view_network_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n, *next;
	struct actual a = {0};
	json_t *list;
	int r = view_snapshot(m, &a, errs);

	if (r < 0)
		return r;
	list = json_array();
	HASH_ITER (hh, m->networks, n, next)
		json_array_append_new(list, network_json(m, &a, n));
	actual_done(&a);
	return give(json_pack("{s:o}", "networks", list), ret);
}

int view_network_show(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = manager_network(m, name);
	struct actual a = {0};
	json_t *j;
	int r;

	if (!n)
		return err_add(errs, -ENOENT, "no-network", "",
			       "there is no network '%s'; `vmlane network list` shows those there "
			       "are",
			       name);
	r = view_snapshot(m, &a, errs);
	if (r < 0)
		return r;
	j = network_json(m, &a, n);
	actual_done(&a);
	return give(j, ret);
}

/* ---- guests ---- */

/**
 * struct guest_view - a guest to be shown, plugged in (@rt) or only configured (@known)
 * @seen:	who was seen with which IPv6 address
 */
struct guest_view {
	const char *name;
	struct network_rt *network;
	const struct guest_rt *rt;
	const struct guest_config *known;
	const struct neighbours *seen;
};

static bool guest_address(const struct guest_view *v, const struct mac *mac, struct in_addr *ret,
			  const char **ret_source)
{
	const struct lease_table *t;
	const struct lease *l;

	if (v->known && v->known->has_ipv4) {
		*ret = v->known->ipv4;
		*ret_source = "fixed";
		return true;
	}
	if (!v->network || !v->network->dhcp || !mac)
		return false;
	t = lease_server_table(v->network->dhcp);
	l = lease_find_mac(t, mac);
	*ret_source = "lease";
	if (l && l->state == LEASE_BOUND && l->expires_s > clock_wall_s()) {
		*ret = l->addr;
		return true;
	}
	*ret_source = "seen";
	return lease_seen_addr(t, mac, ret);
}

static void add_process(json_t *j, const struct state_guest *g)
{
	struct vmm_holder h = {.pid = g->pid};
	bool known = g->pid > 0 && vmm_describe(&h, &g->mac) == 0;

	json_object_set_new(j, "pid", known ? json_integer(g->pid) : json_null());
	json_object_set_new(j, "process", text_or_null(known ? h.comm : NULL));
	json_object_set_new(j, "nic_model", text_or_null(known ? h.nic_model : NULL));
}

static void add_plug(json_t *j, const struct state_guest *g, const struct actual *a,
		     const char *bridge)
{
	const struct link_state *link = actual_link_by_name(a, g->tap);
	bool carrier = link && link->carrier && link->up;

	json_object_set_new(j, "state", json_string(carrier ? "running" : "off"));
	json_object_set_new(j, "kind", json_string(g->kind == GUEST_ATTACHED ? "attached" : "run"));
	json_object_set_new(j, "tap", json_string(g->tap));
	json_object_set_new(j, "bridge", json_string(bridge));
	json_object_set_new(j, "queues", json_integer(g->queues));
	json_object_set_new(j, "owner_uid",
			    g->owner_uid == TAP_NO_OWNER ? json_null()
							 : json_integer(g->owner_uid));
	json_object_set_new(j, "carrier", json_boolean(carrier));
	add_process(j, g);
}

static void add_absent(json_t *j, const char *bridge)
{
	static const char *const nulls[] = {"tap", "owner_uid", "pid", "process", "nic_model"};

	json_object_set_new(j, "state", json_string("absent"));
	json_object_set_new(j, "kind", json_string("configured"));
	json_object_set_new(j, "bridge", json_string(bridge));
	json_object_set_new(j, "queues", json_integer(1));
	json_object_set_new(j, "carrier", json_false());
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
		json_object_set_new(j, nulls[i], json_null());
}

static json_t *bits_json(uint64_t bits)
{
	return bits ? json_integer((json_int_t)bits) : json_null();
}

/* As configured; what of it is not so is in "problem". */
static json_t *rate_json(const struct guest_config *c)
{
	if (!c || !(c->rate.up || c->rate.down))
		return json_null();
	return json_pack("{s:o, s:o}", "up", bits_json(c->rate.up), "down",
			 bits_json(c->rate.down));
}

static json_t *guest_json(struct manager *m, const struct guest_view *v, const struct actual *a)
{
	const struct mac *mac = v->rt ? &v->rt->g.mac : NULL;
	const char *bridge = v->network ? v->network->config->bridge : "";
	const char *source = NULL;
	char text[MAC_STRLEN];
	struct in_addr ip;
	bool has_ip;
	json_t *j;

	if (!mac && v->known && v->known->has_mac)
		mac = &v->known->mac;
	has_ip = guest_address(v, mac, &ip, &source);
	j = json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", v->name, "network",
		      v->network ? v->network->name : v->rt->g.network, "mac",
		      text_or_null(mac ? mac_format(mac, text) : NULL), "ipv4",
		      has_ip ? addr_json(ip) : json_null(), "ipv4_source",
		      text_or_null(has_ip ? source : NULL));
	json_object_set_new(
		j, "vlan", v->known && v->known->vlan ? json_integer(v->known->vlan) : json_null());
	json_object_set_new(j, "rate", rate_json(v->known));
	json_object_set_new(j, "allowed_addresses", view_addresses(v->known));
	json_object_set_new(j, "guard",
			    view_guard(m, v->network ? v->network->config : NULL, v->known,
				       v->rt ? v->rt->g.tap : NULL));
	json_object_set_new(j, "problem",
			    v->rt && v->rt->problem.code[0] ? err_json(&v->rt->problem)
							    : json_null());
	json_object_set_new(j, "forwards",
			    v->network ? view_forwards(v->network, v->name) : json_array());
	json_object_set_new(j, "ipv6", view_ipv6_addresses(v->seen, v->network, mac));
	if (v->rt)
		add_plug(j, &v->rt->g, a, bridge);
	else
		add_absent(j, bridge);
	return j;
}

/* The arguments with which a VMM takes a persistent tap; see FACTS in docs/ARCHITECTURE.md. */
static json_t *args_json(const struct state_guest *g)
{
	char mac[MAC_STRLEN];
	json_t *qemu, *ch;
	bool mq = g->queues > 1;

	mac_format(&g->mac, mac);
	qemu = json_pack(
		"[s, o, s, o]", "-netdev",
		mq ? json_sprintf("tap,id=net0,ifname=%s,script=no,downscript=no,queues=%u", g->tap,
				  g->queues)
		   : json_sprintf("tap,id=net0,ifname=%s,script=no,downscript=no", g->tap),
		"-device",
		mq ? json_sprintf("virtio-net-pci,netdev=net0,mac=%s,mq=on,vectors=%u", mac,
				  2 * g->queues + 2)
		   : json_sprintf("virtio-net-pci,netdev=net0,mac=%s", mac));
	ch = json_pack("[s, o]", "--net",
		       mq ? json_sprintf("tap=%s,mac=%s,num_queues=%u", g->tap, mac, 2 * g->queues)
			  : json_sprintf("tap=%s,mac=%s", g->tap, mac));
	return json_pack("{s:o, s:o, s:o}", "qemu", qemu, "cloud_hypervisor", ch, "firecracker",
			 mq ? json_null()
			    : json_pack("{s:s, s:s, s:s}", "iface_id", "net0", "guest_mac", mac,
					"host_dev_name", g->tap));
}

static struct guest_view view_of(struct manager *m, const struct guest_rt *g,
				 const struct neighbours *seen)
{
	struct guest_view v = {.name = g->g.name, .rt = g, .seen = seen};

	v.network = manager_network(m, g->g.network);
	if (v.network)
		v.known = network_guest_find(v.network->config, g->g.name);
	return v;
}

static void add_configured(struct manager *m, const struct actual *a, const struct neighbours *seen,
			   json_t *list)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		for (size_t i = 0; i < n->config->n_guests; i++) {
			const struct guest_config *c = &n->config->guests[i];
			struct guest_view v = {
				.name = c->name, .network = n, .known = c, .seen = seen};

			if (!manager_guest(m, c->name))
				json_array_append_new(list, guest_json(m, &v, a));
		}
	}
}

int view_guest_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct actual a = {0};
	struct neighbours seen;
	json_t *list;
	int r = view_snapshot(m, &a, errs);

	if (r < 0)
		return r;
	view_ipv6_neighbours(m, &seen);
	list = json_array();
	for (const struct guest_rt *g = m->guests; g; g = g->hh.next) {
		struct guest_view v = view_of(m, g, &seen);

		json_array_append_new(list, guest_json(m, &v, &a));
	}
	add_configured(m, &a, &seen, list);
	free(seen.v);
	actual_done(&a);
	return give(json_pack("{s:o}", "guests", list), ret);
}

static bool find_guest(struct manager *m, const char *name, struct guest_view *ret)
{
	const struct guest_rt *g = manager_guest(m, name);
	struct network_rt *n, *next;

	if (g) {
		*ret = view_of(m, g, NULL);
		return true;
	}
	HASH_ITER (hh, m->networks, n, next) {
		const struct guest_config *c = network_guest_find(n->config, name);

		if (c) {
			*ret = (struct guest_view){.name = c->name, .network = n, .known = c};
			return true;
		}
	}
	return false;
}

int view_guest_show(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct neighbours seen;
	struct guest_view v;
	struct actual a = {0};
	json_t *j;
	int r;

	if (!find_guest(m, name, &v))
		return err_add(errs, -ENOENT, "no-guest", "",
			       "there is no guest '%s'; `vmlane guest list` shows those there are",
			       name);
	r = view_snapshot(m, &a, errs);
	if (r < 0)
		return r;
	view_ipv6_neighbours(m, &seen);
	v.seen = &seen;
	j = guest_json(m, &v, &a);
	free(seen.v);
	actual_done(&a);
	if (j && v.rt && v.rt->g.kind == GUEST_ATTACHED)
		json_object_set_new(j, "args", args_json(&v.rt->g));
	return give(j, ret);
}

/* ---- status ---- */

static json_t *dhcp_counters(struct manager *m)
{
	struct lease_counters sum = {0};
	struct network_rt *n, *next;
	uint64_t sent = 0;

	HASH_ITER (hh, m->networks, n, next) {
		struct lease_counters c;

		if (!n->dhcp)
			continue;
		lease_server_counters(n->dhcp, &c);
		sum.received += c.received;
		sum.bad += c.bad;
		sum.ignored += c.ignored;
		sum.store_failed += c.store_failed;
		sum.send_failed += c.send_failed;
		sum.socket_drops += c.socket_drops;
		for (size_t i = 0; i < DHCP4_TYPE_COUNT; i++)
			sent += c.sent[i];
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "received",
			 (json_int_t)sum.received, "bad", (json_int_t)sum.bad, "ignored",
			 (json_int_t)sum.ignored, "sent", (json_int_t)sent, "store_failed",
			 (json_int_t)sum.store_failed, "send_failed", (json_int_t)sum.send_failed,
			 "socket_drops", (json_int_t)sum.socket_drops);
}

static json_t *counters_json(struct manager *m)
{
	return json_pack(
		"{s:I, s:I, s:o, s:o, s:o}", "kernel_writes", (json_int_t)kernel_write_count(),
		"firewall_transactions", (json_int_t)nft_transactions(m->nft), "firewall",
		view_firewall_counters(m), "dhcp", dhcp_counters(m), "ra", view_ipv6_counters(m));
}

static void add_errors(json_t *list, const struct err_list *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		json_array_append_new(list, err_json(&errs->items[i]));
	if (errs->dropped)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o}", "code", "more", "where", "", "message",
					json_sprintf("and %zu more mistakes", errs->dropped)));
}

static json_t *file_gone(struct manager *m, const struct network_rt *n)
{
	bool used = network_guest_count(m, n->name) > 0;

	return json_pack("{s:s, s:s, s:o}", "code", "file", "where", n->file, "message",
			 json_sprintf("is gone, and network %s goes on as it was; put the file "
				      "back, or end the network: `vmlane apply%s`",
				      n->name, used ? " --force" : ""));
}

/* A network whose interface's name is taken is told by network_problem() already. */
static bool is_told(struct manager *m, const struct err *e)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		if (strcmp(n->problem.message, e->message) == 0)
			return true;
	}
	return false;
}

/* Where the kernel is not as it should be, and what stands in the way of mending that. */
static void add_differences(struct manager *m, json_t *list)
{
	_cleanup_(freep) struct err_list *errs = calloc(1, sizeof(*errs));
	json_t *changes = json_array();

	if (!errs || !changes) {
		json_decref(changes);
		return;
	}
	if (reconcile(m, NULL, RECONCILE_DIFF, changes, errs) < 0) {
		for (size_t i = 0; i < errs->n; i++) {
			if (!is_told(m, &errs->items[i]))
				json_array_append_new(list, err_json(&errs->items[i]));
		}
	}
	if (json_array_size(changes))
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o}", "code", "differs", "where", "kernel",
				  "message",
				  json_sprintf("%zu things are not as configured; `vmlane diff` "
					       "shows them, `vmlane apply` mends them",
					       json_array_size(changes))));
	json_decref(changes);
}

/* What is wrong now: the files, the networks, and where the kernel is not as it should be. */
/* A route that came since, a VPN's say; those that were there at the last look are told already. */
static void add_clashes(struct manager *m, json_t *list)
{
	_cleanup_(freep) struct err_list *errs = calloc(1, sizeof(*errs));

	if (!errs)
		return;
	load_clashes(m, errs);
	for (size_t i = 0; i < errs->n; i++) {
		const struct err *e = &errs->items[i];
		bool told = false;

		for (size_t j = 0; j < m->config_errors.n; j++)
			told = told || strcmp(m->config_errors.items[j].message, e->message) == 0;
		if (!told)
			json_array_append_new(list, err_json(e));
	}
}

static void add_forwards(struct manager *m, const struct actual *a, json_t *list)
{
	_cleanup_(freep) struct err_list *errs = calloc(1, sizeof(*errs));

	if (!errs)
		return;
	forwards_problems(m, a, errs);
	add_errors(list, errs);
}

static void add_accepts(struct manager *m, json_t *list)
{
	_cleanup_(freep) struct err_list *errs = calloc(1, sizeof(*errs));

	if (!errs)
		return;
	accepts_problems(m, errs);
	add_errors(list, errs);
}

static json_t *problems_json(struct manager *m)
{
	json_t *list = json_array();
	struct network_rt *n, *next;
	struct actual a = {0};
	struct err saved;

	add_errors(list, &m->config_errors);
	add_clashes(m, list);
	if (m->fw_lifetimes.code[0])
		json_array_append_new(list, err_json(&m->fw_lifetimes));
	if (saved_rules_problem(m, &saved))
		json_array_append_new(list, err_json(&saved));
	if (rtnl_snapshot(m->rtnl, &a, NULL) < 0)
		return list;
	HASH_ITER (hh, m->networks, n, next) {
		const struct err *store = n->dhcp ? lease_server_problem(n->dhcp) : NULL;
		json_t *p = network_problem(m, n, &a), *notes;

		if (access(n->file, F_OK) < 0 && errno == ENOENT)
			json_array_append_new(list, file_gone(m, n));
		if (json_is_null(p))
			json_decref(p);
		else
			json_array_append_new(list, p);
		notes = notes_json(m, n, &a);
		json_array_extend(list, notes);
		json_decref(notes);
		if (store)
			json_array_append_new(list, err_json(store));
	}
	add_forwards(m, &a, list);
	add_accepts(m, list);
	guardian_problem(m, &saved);
	if (saved.code[0])
		json_array_append_new(list, err_json(&saved));
	actual_done(&a);
	add_differences(m, list);
	for (const struct guest_rt *g = m->guests; g; g = g->hh.next)
		if (g->problem.code[0])
			json_array_append_new(list, err_json(&g->problem));
	return list;
}

static json_t *default_uplinks(const struct actual *a)
{
	json_t *list = json_array();
	char names[8][IFNAMSIZ];
	size_t n = actual_uplinks(a, names, ARRAY_SIZE(names));

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static size_t all_leases(struct manager *m)
{
	struct network_rt *n, *next;
	size_t count = 0;

	HASH_ITER (hh, m->networks, n, next)
		count += bound_leases(n);
	return count;
}

int view_status(void *ctx, json_t **ret, struct err_list *errs)
{
	json_t *resolvers = json_array(), *uplinks, *uplinks6;
	struct manager *m = ctx;
	char text[IP6_STRLEN];
	struct actual a = {0};

	(void)errs;
	for (size_t i = 0; i < m->n_resolvers; i++)
		json_array_append_new(resolvers, addr_json(m->resolvers[i]));
	for (size_t i = 0; i < m->n_resolvers6; i++)
		json_array_append_new(resolvers, json_string(ip6_format(&m->resolvers6[i], text)));
	if (rtnl_snapshot(m->rtnl, &a, NULL) < 0 || rtnl_snapshot_ipv6(m->rtnl, &a, NULL) < 0)
		actual_done(&a);
	uplinks = default_uplinks(&a);
	uplinks6 = view_ipv6_uplinks(&a);
	actual_done(&a);
	return give(
		json_pack("{s:s, s:i, s:I, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, "
			  "s:o, s:o}",
			  "version", VMLANE_VERSION, "pid", (int)getpid(), "uptime_s",
			  (json_int_t)((clock_boot_us() - m->started_us) / 1000000), "config_dir",
			  m->options->config_dir, "state_dir", m->options->state_dir, "networks",
			  (json_int_t)HASH_COUNT(m->networks), "guests",
			  (json_int_t)HASH_COUNT(m->guests), "leases", (json_int_t)all_leases(m),
			  "uplinks", uplinks, "uplinks6", uplinks6, "resolvers", resolvers,
			  "problems", problems_json(m), "counters", counters_json(m), "guardian",
			  guardian_json(m), "accepts", accepts_json(m)),
		ret);
}
