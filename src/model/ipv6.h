/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipv6.h - choosing a ULA, and which IPv6 addresses a bridge has. Pure. */
#ifndef VMLANE_MODEL_IPV6_H
#define VMLANE_MODEL_IPV6_H

#include "model/plan.h"

#define ULA_GLOBAL_ID_LEN 5 /* bytes, RFC 4193 3.1 */

/* ula_subnet() - the /64 fdXX:XXXX:XXXX:0::/64 of @global_id, random bytes (RFC 4193 3.2.1). */
struct ip6_prefix ula_subnet(const uint8_t global_id[static ULA_GLOBAL_ID_LEN]);
/* ip6_is_taken() - @p overlaps with one of @used (@n of them); up to 3 bits are default routes. */
bool ip6_is_taken(const struct ip6_prefix *used, size_t n, const struct ip6_prefix *p);

#define BRIDGE_ADDRS6 2

/*
 * ipv6_bridge_addrs() - the addresses of @n's bridge: the link-local one of its MAC, by which it is
 * the guests' router (RFC 4861 6.1.2), and the gateway. Their number: BRIDGE_ADDRS6, or 0 when
 * there is no IPv6 on it.
 */
size_t ipv6_bridge_addrs(const struct desired_network *n,
			 struct ip6_prefix ret[static BRIDGE_ADDRS6]);

/* struct addr6_walk - where ipv6_addr_step() is; {0} at first. */
struct addr6_walk {
	size_t seen;
	size_t wanted;
	bool present[BRIDGE_ADDRS6];
};

/*
 * ipv6_addr_step() - one after the other the addresses that @n's bridge @l (NULL: it is new) has too
 * many, then those that it lacks: @kind and @addr6 of @ret. False when there are no more. None go
 * where there is no IPv6 on it, since the sysctl takes all of them off.
 */
bool ipv6_addr_step(const struct desired_network *n, const struct actual *a,
		    const struct link_state *l, struct addr6_walk *walk, struct plan_step *ret);

#endif
