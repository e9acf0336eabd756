/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.c - which address a guest may have, and which one it gets, see pool.h.
 *
 * Does not change leases; decide.c is next.
 */
#include "lease/pool.h"

#include <errno.h>
#include <stdlib.h>
#include "base/text.h"

#define BLOCK_SIZE 64u /* of lease_block() */

/* What @g, attached at run time, has fixed: by itself, or by its name in the network's file. */
static struct in_addr attached_fixed(const struct lease_config *cfg, const struct lease_guest *g)
{
	const struct guest_config *named;

	if (g->ipv4.s_addr)
		return g->ipv4;
	named = network_guest_find(cfg->network, g->name);
	if (named && named->has_ipv4 && !named->has_mac)
		return named->ipv4;
	return (struct in_addr){0};
}

struct pool_guest pool_guest_find(const struct lease_config *cfg, const struct mac *mac)
{
	const struct network_config *net = cfg->network;
	struct pool_guest found = {0};

	for (size_t i = 0; i < net->n_guests; i++) {
		const struct guest_config *g = &net->guests[i];

		if (!g->has_mac || !mac_equal(&g->mac, mac))
			continue;
		found.name = g->name;
		if (g->has_ipv4)
			found.fixed = g->ipv4;
		break;
	}
	for (size_t i = 0; i < cfg->n_guests && !found.fixed.s_addr; i++) {
		const struct lease_guest *g = &cfg->guests[i];

		if (!mac_equal(&g->mac, mac))
			continue;
		found.name = found.name ? found.name : g->name;
		found.fixed = attached_fixed(cfg, g);
	}
	return found;
}

bool pool_host_ok(const struct lease_config *cfg, struct in_addr addr)
{
	const struct network_config *net = cfg->network;

	return ip4_in(&net->subnet, addr) && !ip4_equal(addr, net->gateway) &&
	       !ip4_equal(addr, ip4_network(&net->subnet)) &&
	       !ip4_equal(addr, ip4_broadcast(&net->subnet));
}

static bool in_range(const struct lease_config *cfg, struct in_addr addr)
{
	return ip4_host(addr) >= ip4_host(cfg->network->range_first) &&
	       ip4_host(addr) <= ip4_host(cfg->network->range_last);
}

static bool is_fixed(const struct lease_config *cfg, struct in_addr addr)
{
	const struct network_config *net = cfg->network;

	for (size_t i = 0; i < net->n_guests; i++) {
		if (net->guests[i].has_ipv4 && ip4_equal(net->guests[i].ipv4, addr))
			return true;
	}
	for (size_t i = 0; i < cfg->n_guests; i++) {
		if (ip4_equal(cfg->guests[i].ipv4, addr))
			return true;
	}
	return false;
}

/* The part of pool_refuses() that is about others who have, or had, @addr. */
static const char *taken(const struct lease_table *t, int64_t now_s, const struct mac *mac,
			 struct in_addr addr)
{
	const struct lease *l = lease_find_addr(t, addr);
	bool mine = l && mac_equal(&l->mac, mac);

	if (l && lease_live(l, now_s)) {
		/* A neighbour that claims a leased address does not drive its holder away. */
		if (mine)
			return NULL;
		return l->state == LEASE_DECLINED ? "address was found in use"
						  : "address is leased to another guest";
	}
	if (lease_seen_by_other(t, addr, mac, now_s))
		return "address is in use by another machine";
	if (!l && !lease_find_mac(t, mac) && lease_count(t) >= LEASES_MAX)
		return "too many leases";
	return NULL;
}

const char *pool_refuses(const struct lease_config *cfg, const struct lease_table *t, int64_t now_s,
			 const struct mac *mac, struct in_addr addr)
{
	struct in_addr fixed = pool_guest_find(cfg, mac).fixed;

	if (!ip4_in(&cfg->network->subnet, addr))
		return "address is not on this network";
	if (!pool_host_ok(cfg, addr))
		return "address is reserved";
	if (fixed.s_addr && ip4_equal(fixed, addr))
		return taken(t, now_s, mac, addr);
	/* A fixed address that is not to be had yet is replaced by one of the pool until it is. */
	if (fixed.s_addr && pool_host_ok(cfg, fixed) && !taken(t, now_s, mac, fixed))
		return "another address is fixed for this guest";
	if (is_fixed(cfg, addr))
		return "address is fixed for another guest";
	if (!in_range(cfg, addr))
		return "address is outside the range";
	return taken(t, now_s, mac, addr);
}

/**
 * struct addr_set - the fixed addresses within the range, made once for a search
 * @slots:	open addressing, 0: free; NULL when there are none
 * @mask:	number of slots - 1; at least half of them are free
 */
struct addr_set {
	uint32_t *slots;
	size_t mask;
};

static uint32_t *addr_set_slot(const struct addr_set *s, struct in_addr addr)
{
	size_t i = hash_mix(addr.s_addr) & s->mask;

	while (s->slots[i] && s->slots[i] != addr.s_addr)
		i = (i + 1) & s->mask;
	return &s->slots[i];
}

static bool addr_set_has(const struct addr_set *s, struct in_addr addr)
{
	return s->slots && *addr_set_slot(s, addr);
}

static int fixed_set_init(struct addr_set *s, const struct lease_config *cfg)
{
	const struct network_config *net = cfg->network;
	size_t n = net->n_guests + cfg->n_guests;
	size_t size = 4;

	*s = (struct addr_set){0};
	if (n == 0)
		return 0;
	while (size < 2 * n)
		size *= 2;
	s->slots = calloc(size, sizeof(*s->slots));
	if (!s->slots)
		return -ENOMEM;
	s->mask = size - 1;
	for (size_t i = 0; i < net->n_guests; i++) {
		if (net->guests[i].has_ipv4)
			*addr_set_slot(s, net->guests[i].ipv4) = net->guests[i].ipv4.s_addr;
	}
	for (size_t i = 0; i < cfg->n_guests; i++)
		*addr_set_slot(s, cfg->guests[i].ipv4) = cfg->guests[i].ipv4.s_addr;
	return 0;
}

/* struct search - what pool_pick() looks for */
struct search {
	const struct lease_config *cfg;
	const struct lease_table *t;
	int64_t now_s;
	const struct mac *mac;
	struct addr_set fixed;
};

static bool assignable(const struct search *s, struct in_addr addr)
{
	return pool_host_ok(s->cfg, addr) && !addr_set_has(&s->fixed, addr) &&
	       !lease_seen_by_other(s->t, addr, s->mac, s->now_s);
}

/* The first address from @lo to @hi that nobody ever had. */
static bool find_unused(const struct search *s, uint64_t lo, uint64_t hi, struct in_addr *ret)
{
	uint64_t gaps = 0;

	for (uint64_t a = lo; a <= hi; a++) {
		struct in_addr addr = ip4_from_host((uint32_t)a);

		if (a == lo || a % BLOCK_SIZE == 0)
			gaps = ~lease_block(s->t, addr);
		if (gaps >> (a % BLOCK_SIZE) == 0) { /* none left in this block */
			a |= BLOCK_SIZE - 1;
			continue;
		}
		if ((gaps >> (a % BLOCK_SIZE) & 1) && assignable(s, addr)) {
			*ret = addr;
			return true;
		}
	}
	return false;
}

static bool lapsed_usable(const struct lease *l, const void *ctx)
{
	const struct search *s = ctx;

	return in_range(s->cfg, l->addr) && assignable(s, l->addr);
}

static int search_run(const struct search *s, struct in_addr *ret)
{
	uint64_t first = ip4_host(s->cfg->network->range_first);
	uint64_t last = ip4_host(s->cfg->network->range_last);
	bool room = lease_count(s->t) < LEASES_MAX || lease_find_mac(s->t, s->mac);
	const struct lease *l;
	uint64_t start;

	if (first > last)
		return -ENOSPC;
	start = first +
		hash_mix(hash_bytes(HASH_INIT, s->mac->b, sizeof(s->mac->b))) % (last - first + 1);
	if (room && (find_unused(s, start, last, ret) ||
		     (start > first && find_unused(s, first, start - 1, ret))))
		return 0;
	l = lease_find_lapsed(s->t, s->now_s, lapsed_usable, s);
	if (!l)
		return -ENOSPC;
	*ret = l->addr;
	return 0;
}

int pool_pick(const struct lease_config *cfg, const struct lease_table *t, int64_t now_s,
	      const struct mac *mac, struct in_addr *ret)
{
	struct search s = {.cfg = cfg, .t = t, .now_s = now_s, .mac = mac};
	int r = fixed_set_init(&s.fixed, cfg);

	if (r == 0)
		r = search_run(&s, ret);
	free(s.fixed.slots);
	return r;
}
