/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the networks in memory and state, and what serves their guests; see manager.h. */
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/events.h"
#include "daemon/guard.h"
#include "daemon/policy.h"
#include "daemon/manager.h"
#include "daemon/snoop.h"

struct network_rt *manager_network(struct manager *m, const char *name)
{
	struct network_rt *n;

	HASH_FIND_STR(m->networks, name, n);
	return n;
}

struct network_rt *manager_network_by_bridge(struct manager *m, const char *bridge)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		if (strcmp(n->config->bridge, bridge) == 0)
			return n;
	}
	return NULL;
}

static int by_name(const struct network_rt *a, const struct network_rt *b)
{
	return strcmp(a->name, b->name);
}

int network_add(struct manager *m, struct network_config *config, const char *file, bool stopped,
		struct network_rt **ret)
{
	struct network_rt *n = calloc(1, sizeof(*n));
	char *copy = strdup(file);

	if (!n || !copy) {
		free(n);
		free(copy);
		return -ENOMEM;
	}
	strcpy(n->name, config->name);
	n->config = config;
	n->file = copy;
	n->stopped = stopped;
	HASH_ADD_INORDER(hh, m->networks, name[0], strlen(n->name), n, by_name);
	if (ret)
		*ret = n;
	return 0;
}

int network_store(struct manager *m, const struct network_config *config, const char *file,
		  bool stopped, struct err *e)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	char subnet[IP4_PREFIX_STRLEN], subnet6[IP6_PREFIX_STRLEN];
	int r;

	network_config_emit(config, &text);
	r = text.error;
	if (r == 0 && config->subnet_auto)
		r = state_subnet_put(m->state, config->name,
				     ip4_prefix_format(&config->subnet, subnet), e);
	if (r == 0 && config->ipv6.subnet_auto)
		r = state_subnet6_put(m->state, config->name,
				      ip6_prefix_format(&config->ipv6.subnet, subnet6), e);
	if (r == 0)
		r = state_network_put(m->state,
				      &(struct state_network){.name = config->name,
							      .config = buf_str(&text),
							      .file = file,
							      .stopped = stopped},
				      e);
	buf_done(&text);
	return r;
}

int network_save(struct manager *m, const struct network_rt *n, struct err *e)
{
	return network_store(m, n->config, n->file, n->stopped, e);
}

static void dhcp_off(struct network_rt *n)
{
	lease_server_free(n->dhcp);
	n->dhcp = NULL;
}

/* Nothing serves on the bridge any more. */
static void services_off(struct network_rt *n)
{
	dhcp_off(n);
	advertise_off(n, false);
	lease_socket_free(n->socket);
	n->socket = NULL;
}

static void network_free(struct network_rt *n)
{
	services_off(n);
	network_config_free(n->config);
	free(n->guests);
	free(n->file);
	free(n);
}

int network_unstore(struct manager *m, const struct network_rt *n, struct err *e)
{
	int r = lease_store_forget(m->leases, n->name, e);

	for (const struct guest_rt *g = m->guests; g && r == 0; g = g->hh.next) {
		if (strcmp(g->g.network, n->name) == 0)
			r = state_guest_remove(m->state, g->g.name, e);
	}
	return r < 0 ? r : state_network_remove(m->state, n->name, e);
}

void network_drop(struct manager *m, struct network_rt *n)
{
	struct guest_rt *g, *next;

	HASH_ITER (hh, m->guests, g, next) {
		if (strcmp(g->g.network, n->name) == 0)
			guest_drop(m, g);
	}
	HASH_DEL(m->networks, n);
	advertise_off(n, true);
	network_free(n);
}

int network_remove(struct manager *m, struct network_rt *n, struct err *e)
{
	int r = state_begin(m->state, e);

	if (r < 0)
		return r;
	r = state_end(m->state, network_unstore(m, n, e), e);
	if (r < 0)
		return r;
	network_drop(m, n);
	return 0;
}

void networks_free(struct manager *m)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		HASH_DEL(m->networks, n);
		network_free(n);
	}
}

size_t network_guest_count(const struct manager *m, const char *name)
{
	const struct guest_rt *g;
	size_t count = 0;

	for (g = m->guests; g; g = g->hh.next)
		count += strcmp(g->g.network, name) == 0;
	return count;
}

/* lease_guests() - names and MACs of the plugged-in guests of @n, so that leases get their names. */
static int lease_guests(struct manager *m, struct network_rt *n, size_t *ret_n)
{
	size_t count = network_guest_count(m, n->name), i = 0;
	struct lease_guest *list = calloc(count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (const struct guest_rt *g = m->guests; g; g = g->hh.next) {
		const struct guest_config *known;

		if (strcmp(g->g.network, n->name) != 0)
			continue;
		known = network_guest_find(n->config, g->g.name);
		strcpy(list[i].name, g->g.name);
		list[i].mac = g->g.mac;
		if (known && known->has_ipv4)
			list[i].ipv4 = known->ipv4;
		i++;
	}
	free(n->guests);
	n->guests = list;
	*ret_n = count;
	return 0;
}

size_t network_resolvers(const struct manager *m, const struct network_config *c,
			 const struct in_addr **ret)
{
	*ret = c->n_dns ? c->dns : m->resolvers;
	if (c->n_dns)
		return c->n_dns;
	/* Guests that do not get out cannot ask those of the host. */
	return network_has_uplink(c) ? m->n_resolvers : 0;
}

size_t network_resolvers6(const struct manager *m, const struct network_rt *n,
			  const struct in6_addr **ret)
{
	const struct network_ipv6 *c = &n->config->ipv6;

	*ret = c->n_dns ? c->dns : m->resolvers6;
	if (c->n_dns)
		return c->n_dns;
	return n->router6 && network_has_uplink(n->config) ? m->n_resolvers6 : 0;
}

static int lease_config_fill(struct manager *m, struct network_rt *n, struct lease_config *ret)
{
	struct lease_config c = {.network = n->config, .mtu = (uint16_t)network_mtu(n)};
	const struct in_addr *dns;
	int r = lease_guests(m, n, &c.n_guests);

	if (r < 0)
		return r;
	c.guests = n->guests;
	c.n_dns = network_resolvers(m, n->config, &dns);
	memcpy(c.dns, dns, c.n_dns * sizeof(c.dns[0]));
	*ret = c;
	return 0;
}

/* The server reads what its configuration points to: it must not outlive that. */
static int tell_dhcp(struct manager *m, struct network_rt *n)
{
	struct lease_config c;
	int r;

	if (!n->dhcp)
		return 0;
	r = lease_config_fill(m, n, &c);
	if (r == 0)
		lease_server_configure(n->dhcp, &c);
	return r;
}

void network_refresh_dhcp(struct manager *m, struct network_rt *n)
{
	if (tell_dhcp(m, n) < 0)
		log_error("network %s: out of memory; its DHCP server does not know the latest "
			  "guests",
			  n->name);
	advertise_refresh(m, n);
}

int network_swap_config(struct manager *m, struct network_rt *n, struct network_config *config,
			const char *file, struct network_config **ret_old)
{
	struct network_config *old = n->config;
	char *copy = strdup(file);

	if (!copy)
		return -ENOMEM;
	free(n->file);
	n->file = copy;
	n->config = config;
	n->problem = (struct err){0};
	if (!config->dhcp || tell_dhcp(m, n) < 0)
		dhcp_off(n);
	advertise_refresh(m, n);
	if (!n->dhcp && !n->ra)
		services_off(n);
	*ret_old = old;
	return 0;
}

int network_replace_config(struct manager *m, struct network_rt *n, struct network_config *config,
			   const char *file)
{
	struct network_config *old = NULL;
	int r = network_swap_config(m, n, config, file, &old);

	if (r == 0)
		network_config_free(old);
	return r;
}

static void on_lease(const struct lease_event *ev, void *ctx)
{
	struct manager *m = ctx;
	const struct guest_rt *g = manager_guest_by_mac(m, &ev->lease.mac);
	char mac[MAC_STRLEN], addr[IP4_STRLEN];

	log_info("dhcp %s: %s -> %s: %s %s%s%s", ev->network, dhcp4_type_name(ev->request),
		 dhcp4_type_name(ev->type), mac_format(&ev->lease.mac, mac),
		 ip4_format(ev->lease.addr, addr), g ? " guest " : "", g ? g->g.name : "");
	if (ev->type == DHCP4_ACK && ev->request == DHCP4_REQUEST)
		events_emit(m, "lease", ev->network, g ? g->g.name : NULL,
			    json_pack("{s:s, s:s}", "mac", mac, "address", addr), "%s has %s (%s)",
			    g ? g->g.name : "a guest", addr, mac);
	else if (ev->type == DHCP4_NAK)
		events_emit(m, "lease-refused", ev->network, g ? g->g.name : NULL,
			    json_pack("{s:s, s:s}", "mac", mac, "address", addr),
			    "%s may not have %s (%s)", g ? g->g.name : "a guest", addr, mac);
}

static void on_bound(const char *network, const struct mac *mac, struct in_addr addr,
		     int64_t until_s, void *ctx)
{
	struct network_rt *n = manager_network(ctx, network);

	if (!n)
		return;
	guard_lease(ctx, n, mac, addr, until_s);
	policy_lease(ctx, n, mac);
}

/* Who already uses which address, as far as the kernel's neighbour table knows. */
static void sight_neighbours(struct manager *m, struct network_rt *n)
{
	_cleanup_(freep) struct neigh_entry *list = NULL;
	size_t count = 0;

	if (rtnl_neigh_dump(m->rtnl, n->ifindex, &list, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (list[i].state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE))
			lease_seen(lease_server_table(n->dhcp), list[i].addr, &list[i].mac,
				   clock_wall_s());
	}
}

static int serve_dhcp(struct manager *m, struct network_rt *n, const struct mac *mac, struct err *e)
{
	struct lease_config c;
	int r = lease_config_fill(m, n, &c);

	if (r == 0)
		r = lease_server_new(n->socket, m->leases, mac, &c, on_lease, m, &n->dhcp, e);
	if (r == 0)
		lease_server_watch(n->dhcp, on_bound);
	if (r == 0)
		sight_neighbours(m, n);
	return r;
}

static int serve(struct manager *m, struct network_rt *n, struct err *e)
{
	struct link_state link;
	int r = 0;

	if (n->stopped || rtnl_link_get(m->rtnl, n->config->bridge, 0, &link, NULL) < 0) {
		services_off(n);
		n->ifindex = 0;
		return 0;
	}
	if ((!n->config->dhcp && !n->ipv6) || link.ifindex != n->ifindex)
		services_off(n);
	n->ifindex = link.ifindex;
	if (!n->config->dhcp && !n->ipv6)
		return 0;
	if (!n->socket)
		r = lease_socket_new(m->loop, link.ifindex, n->name, &n->socket, e);
	if (n->dhcp)
		network_refresh_dhcp(m, n);
	else if (r == 0 && n->config->dhcp)
		r = serve_dhcp(m, n, &link.mac, e);
	if (r == 0 && n->ipv6)
		r = advertise_serve(m, n, e);
	return r;
}

int network_serve(struct manager *m, struct network_rt *n, struct err *e)
{
	int r = serve(m, n, e);

	snoop_served(m, n);
	return r;
}
