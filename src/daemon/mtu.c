/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mtu.c - the MTU of a network: what its file says, else the smallest of the uplinks it goes out by.
 *
 * The guests are told by DHCP. TCP is told at each connection's beginning also where they were
 * not (firewall/ruleset.c clamps its MSS), so that a larger `mtu` than the uplink's is no mistake:
 * guests may have large frames among themselves. Next on the walk: model/plan.c has the order in
 * which bridge and taps are changed.
 */
#include "daemon/work.h"

#include <errno.h>
#include <string.h>

#include "daemon/bridged.h"
#include "model/config_value.h"

/* The link of the smallest MTU among those of @names that are there, or NULL. */
static const struct link_state *smallest(const struct actual *a, const char (*names)[IFNAMSIZ],
					 size_t n)
{
	const struct link_state *found = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct link_state *l = actual_link_by_name(a, names[i]);

		if (l && (!found || l->mtu < found->mtu))
			found = l;
	}
	return found;
}

/* The narrowest way out of @c, which has uplinks; @defaults are those of `auto`. */
static const struct link_state *way_out(struct manager *m, const struct network_config *c,
					const struct actual *a, const char (*defaults)[IFNAMSIZ],
					size_t n_defaults)
{
	const struct takeover_rt *t;

	if (!c->uplink[0])
		return smallest(a, defaults, n_defaults);
	t = bridged_by_uplink(m, c->uplink);
	return actual_link_by_name(a, t ? t->row.bridge : c->uplink);
}

/* By either family's default route: a frame is the same size in both. */
static const struct link_state *narrowest(const struct work *w, const struct network_config *c)
{
	const struct link_state *l, *l6 = NULL;

	l = way_out(w->m, c, &w->actual, (const char(*)[IFNAMSIZ])w->uplinks, w->n_uplinks);
	if (c->ipv6.on && !c->uplink[0])
		l6 = smallest(&w->actual, (const char(*)[IFNAMSIZ])w->uplinks6, w->n_uplinks6);
	return l && l6 ? (l->mtu <= l6->mtu ? l : l6) : l ? l : l6;
}

uint32_t mtu_want(const struct work *w, const struct network_config *c)
{
	/* On an interface with less the kernel switches IPv6 off. */
	uint32_t min = c->ipv6.on ? IPV6_MTU_MIN : CONFIG_MTU_MIN;
	const struct link_state *l;

	if (c->mode == NETWORK_BRIDGED)
		return bridged_mtu(&w->actual, c);
	if (c->mtu)
		return c->mtu;
	if (!network_has_uplink(c))
		return NETWORK_MTU_DEFAULT;
	l = narrowest(w, c);
	if (!l)
		return NETWORK_MTU_DEFAULT;
	if (l->mtu < min)
		return min;
	return l->mtu > CONFIG_MTU_MAX ? CONFIG_MTU_MAX : l->mtu;
}

void mtu_follow(struct work *w)
{
	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct desired_network *d = &w->desired.networks[i];
		struct network_rt *n = manager_network(w->m, d->config->name);

		if (!n || n->mtu == d->mtu)
			continue;
		n->mtu = d->mtu;
		network_refresh_dhcp(w->m, n);
	}
}

uint32_t network_mtu(const struct network_rt *n)
{
	if (n->mtu)
		return n->mtu;
	return n->config->mtu ? n->config->mtu : NETWORK_MTU_DEFAULT;
}

bool mtu_note(struct manager *m, const struct network_rt *n, const struct actual *a,
	      struct err *ret)
{
	const struct network_config *c = n->config;
	char names[UPLINKS_MAX][IFNAMSIZ];
	const struct link_state *l;
	size_t count = 0;

	if (!c->mtu || n->stopped || !network_has_uplink(c))
		return false;
	if (!c->uplink[0])
		count = actual_uplinks(a, names, UPLINKS_MAX);
	l = way_out(m, c, a, (const char(*)[IFNAMSIZ])names, count);
	if (!l || l->mtu >= c->mtu)
		return false;
	err_set(ret, 0, "mtu-over-uplink", n->name,
		"its mtu of %u is over the %u of uplink %s: what of its guests' packets is larger "
		"is fragmented or refused there, but for TCP, which is told; leave `mtu` out of %s "
		"to follow the uplink, unless the guests need it among themselves",
		c->mtu, l->mtu, l->name, n->file);
	return true;
}
