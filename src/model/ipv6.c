/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipv6.c - see ipv6.h. Next on the walk: plan.c, and daemon/subnet6.c, which knows what is taken. */
#include "model/ipv6.h"

#include <string.h>

struct ip6_prefix ula_subnet(const uint8_t global_id[static ULA_GLOBAL_ID_LEN])
{
	struct ip6_prefix p = {.len = IPV6_PREFIX_LEN};

	p.addr.s6_addr[0] = 0xfd; /* fc00::/7 with the L bit: assigned locally */
	memcpy(&p.addr.s6_addr[1], global_id, ULA_GLOBAL_ID_LEN);
	return p;
}

bool ip6_is_taken(const struct ip6_prefix *used, size_t n, const struct ip6_prefix *p)
{
	for (size_t i = 0; i < n; i++)
		if (used[i].len > 3 && ip6_overlap(&used[i], p))
			return true;
	return false;
}

size_t ipv6_bridge_addrs(const struct desired_network *n,
			 struct ip6_prefix ret[static BRIDGE_ADDRS6])
{
	if (!n->ipv6)
		return 0;
	ret[0] = (struct ip6_prefix){ip6_linklocal(&n->mac), IPV6_PREFIX_LEN};
	ret[1] = (struct ip6_prefix){n->config->ipv6.gateway, IPV6_PREFIX_LEN};
	return BRIDGE_ADDRS6;
}

/* Whether @p is one of those wanted, which is present then. */
static bool is_wanted(const struct ip6_prefix *wanted, size_t n, const struct ip6_prefix *p,
		      struct addr6_walk *walk)
{
	for (size_t i = 0; i < n; i++)
		if (wanted[i].len == p->len && ip6_equal(&wanted[i].addr, &p->addr)) {
			walk->present[i] = true;
			return true;
		}
	return false;
}

bool ipv6_addr_step(const struct desired_network *n, const struct actual *a,
		    const struct link_state *l, struct addr6_walk *walk, struct plan_step *ret)
{
	struct ip6_prefix wanted[BRIDGE_ADDRS6];
	size_t n_wanted = ipv6_bridge_addrs(n, wanted);
	size_t i = l && n_wanted ? actual_first_addr6(a, l->ifindex) + walk->seen : a->n_addrs6;

	for (; i < a->n_addrs6 && a->addrs6[i].ifindex == l->ifindex; i++) {
		const struct ip6_prefix *p = &a->addrs6[i].prefix;

		walk->seen++;
		if (is_wanted(wanted, n_wanted, p, walk))
			continue;
		*ret = (struct plan_step){.kind = STEP_ADDR6_DEL, .addr6 = *p};
		return true;
	}
	while (walk->wanted < n_wanted) {
		size_t w = walk->wanted++;

		if (walk->present[w])
			continue;
		*ret = (struct plan_step){.kind = STEP_ADDR6_ADD, .addr6 = wanted[w]};
		return true;
	}
	return false;
}
