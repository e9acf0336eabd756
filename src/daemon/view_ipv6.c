/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_ipv6.c - see view_ipv6.h; docs/API.md has the shapes. Changes nothing. */
#include "daemon/view_ipv6.h"

#include <linux/neighbour.h>
#include <string.h>

static bool any_ipv6(const struct manager *m)
{
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		if (n->config->ipv6.on)
			return true;
	return false;
}

int view_ipv6_look(struct manager *m, struct actual *a, struct err *e)
{
	return any_ipv6(m) ? rtnl_snapshot_ipv6(m->rtnl, a, e) : 0;
}

static int mac_cmp(const void *a, const void *b)
{
	return memcmp(&((const struct neigh6_entry *)a)->mac,
		      &((const struct neigh6_entry *)b)->mac, sizeof(struct mac));
}

void view_ipv6_neighbours(struct manager *m, struct neighbours *ret)
{
	*ret = (struct neighbours){0};
	if (any_ipv6(m) && rtnl_neigh6_dump(m->rtnl, &ret->v, &ret->n, NULL) < 0)
		*ret = (struct neighbours){0};
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), mac_cmp);
}

/* The first of @seen that is not below @mac. */
static size_t first_of(const struct neighbours *seen, const struct mac *mac)
{
	const struct neigh6_entry wanted = {.mac = *mac};
	size_t low = 0, high = seen->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (mac_cmp(&seen->v[mid], &wanted) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static json_t *addr_json(const struct in6_addr *a)
{
	char text[IP6_STRLEN];

	return json_string(ip6_format(a, text));
}

/* The interface's first address that goes further than the link. */
static json_t *address_of(const struct actual *a, const char *ifname)
{
	const struct link_state *l = actual_link_by_name(a, ifname);
	size_t i = l ? actual_first_addr6(a, l->ifindex) : a->n_addrs6;

	for (; i < a->n_addrs6 && a->addrs6[i].ifindex == l->ifindex; i++)
		if (!ip6_is_linklocal(&a->addrs6[i].prefix.addr))
			return addr_json(&a->addrs6[i].prefix.addr);
	return json_null();
}

#define SHOWN_MAX 8

static json_t *uplinks_json(const struct actual *a, const struct network_config *c)
{
	char names[SHOWN_MAX][IFNAMSIZ];
	json_t *list = json_array();
	size_t n = 1;

	strcpy(names[0], c->uplink);
	if (!c->uplink[0])
		n = actual_uplinks6(a, names, SHOWN_MAX);
	if (!network_has_uplink(c))
		n = 0;
	for (size_t i = 0; i < n; i++)
		if (actual_link_by_name(a, names[i]))
			json_array_append_new(list, json_pack("{s:s, s:o}", "name", names[i],
							      "address", address_of(a, names[i])));
	return list;
}

json_t *view_ipv6_json(struct manager *m, const struct actual *a, const struct network_rt *n)
{
	const struct network_ipv6 *c = &n->config->ipv6;
	const struct in6_addr *dns;
	char subnet[IP6_PREFIX_STRLEN];
	json_t *list = json_array();
	size_t n_dns;

	if (!c->on || c->subnet.len == 0) {
		json_decref(list);
		return json_null();
	}
	n_dns = network_resolvers6(m, n, &dns);
	for (size_t i = 0; i < n_dns; i++)
		json_array_append_new(list, addr_json(&dns[i]));
	return json_pack("{s:s, s:b, s:o, s:o, s:b, s:o}", "subnet",
			 ip6_prefix_format(&c->subnet, subnet), "subnet_auto", c->subnet_auto,
			 "gateway", addr_json(&c->gateway), "dns", list, "router", n->router6,
			 "uplinks", uplinks_json(a, n->config));
}

json_t *view_ipv6_addresses(const struct neighbours *seen, const struct network_rt *n,
			    const struct mac *mac)
{
	const uint16_t known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
	json_t *list = json_array();

	if (!n || !n->ifindex || !n->config->ipv6.subnet.len || !mac)
		return list;
	for (size_t i = first_of(seen, mac); i < seen->n && mac_equal(&seen->v[i].mac, mac); i++) {
		const struct neigh6_entry *e = &seen->v[i];

		if (e->ifindex == n->ifindex && (e->state & known) &&
		    ip6_in(&n->config->ipv6.subnet, &e->addr))
			json_array_append_new(list, addr_json(&e->addr));
	}
	return list;
}

json_t *view_ipv6_uplinks(const struct actual *a)
{
	char names[SHOWN_MAX][IFNAMSIZ];
	size_t n = actual_uplinks6(a, names, SHOWN_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

json_t *view_ipv6_counters(struct manager *m)
{
	struct ra_counters sum = {0};

	for (const struct network_rt *n = m->networks; n; n = n->hh.next) {
		struct ra_counters c;

		if (!n->ra)
			continue;
		ra_server_counters(n->ra, &c);
		sum.received += c.received;
		sum.bad += c.bad;
		sum.answered += c.answered;
		sum.multicast += c.multicast;
		sum.put_off += c.put_off;
		sum.send_failed += c.send_failed;
		sum.socket_drops += c.socket_drops;
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "received",
			 (json_int_t)sum.received, "bad", (json_int_t)sum.bad, "answered",
			 (json_int_t)sum.answered, "multicast", (json_int_t)sum.multicast,
			 "put_off", (json_int_t)sum.put_off, "send_failed",
			 (json_int_t)sum.send_failed, "socket_drops", (json_int_t)sum.socket_drops);
}
