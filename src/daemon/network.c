/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the networks in memory and state, and their DHCP servers; see manager.h. */
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/manager.h"

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

int network_replace_config(struct network_rt *n, struct network_config *config, const char *file)
{
	char *copy = strdup(file);

	if (!copy)
		return -ENOMEM;
	free(n->file);
	n->file = copy;
	network_config_free(n->config);
	n->config = config;
	n->problem = (struct err){0};
	return 0;
}

int network_save(struct manager *m, const struct network_rt *n, struct err *e)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	int r;

	network_config_emit(n->config, &text);
	r = text.error;
	if (r == 0)
		r = state_network_put(m->state,
				      &(struct state_network){.name = n->name,
							      .config = buf_str(&text),
							      .file = n->file,
							      .stopped = n->stopped},
				      e);
	buf_done(&text);
	return r;
}

static void network_free(struct network_rt *n)
{
	lease_server_free(n->dhcp);
	network_config_free(n->config);
	free(n->guests);
	free(n->file);
	free(n);
}

int network_remove(struct manager *m, struct network_rt *n, struct err *e)
{
	int r = lease_store_forget(m->leases, n->name, e);

	if (r == 0)
		r = state_network_remove(m->state, n->name, e);
	if (r < 0)
		return r;
	HASH_DEL(m->networks, n);
	network_free(n);
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

static int lease_config_fill(struct manager *m, struct network_rt *n, struct lease_config *ret)
{
	struct lease_config c = {.network = n->config, .mtu = n->config->mtu};
	int r = lease_guests(m, n, &c.n_guests);

	if (r < 0)
		return r;
	c.guests = n->guests;
	if (n->config->n_dns) {
		memcpy(c.dns, n->config->dns, sizeof(c.dns));
		c.n_dns = n->config->n_dns;
	} else {
		memcpy(c.dns, m->resolvers, sizeof(c.dns));
		c.n_dns = m->n_resolvers;
	}
	*ret = c;
	return 0;
}

void network_refresh_dhcp(struct manager *m, struct network_rt *n)
{
	struct lease_config c;

	if (!n->dhcp)
		return;
	if (lease_config_fill(m, n, &c) < 0) {
		log_error("network %s: out of memory; its DHCP server does not know the latest "
			  "guests",
			  n->name);
		return;
	}
	lease_server_configure(n->dhcp, &c);
}

static void on_lease(const struct lease_event *ev, void *ctx)
{
	struct manager *m = ctx;
	const struct guest_rt *g = manager_guest_by_mac(m, &ev->lease.mac);
	char mac[MAC_STRLEN], addr[IP4_STRLEN];

	log_info("dhcp %s: %s -> %s: %s %s%s%s", ev->network, dhcp4_type_name(ev->request),
		 dhcp4_type_name(ev->type), mac_format(&ev->lease.mac, mac),
		 ip4_format(ev->lease.addr, addr), g ? " guest " : "", g ? g->g.name : "");
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

int network_serve(struct manager *m, struct network_rt *n, struct err *e)
{
	struct link_state link;
	struct lease_config c;
	int r;

	if (n->stopped || rtnl_link_get(m->rtnl, n->config->bridge, 0, &link, NULL) < 0) {
		lease_server_free(n->dhcp);
		n->dhcp = NULL;
		n->ifindex = 0;
		return 0;
	}
	if (n->dhcp && (!n->config->dhcp || link.ifindex != n->ifindex)) {
		lease_server_free(n->dhcp);
		n->dhcp = NULL;
	}
	n->ifindex = link.ifindex;
	if (!n->config->dhcp)
		return 0;
	if (n->dhcp) {
		network_refresh_dhcp(m, n);
		return 0;
	}
	r = lease_config_fill(m, n, &c);
	if (r == 0)
		r = lease_server_new(m->loop, m->leases, link.ifindex, &link.mac, &c, on_lease, m,
				     &n->dhcp, e);
	if (r == 0)
		sight_neighbours(m, n);
	return r;
}
