/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_ipv6.h - what of IPv6 networks and guests have, as JSON; for view.c. */
#ifndef VMLANE_DAEMON_VIEW_IPV6_H
#define VMLANE_DAEMON_VIEW_IPV6_H

#include <jansson.h>
#include "daemon/manager.h"

/* struct neighbours - the host's IPv6 neighbours at one moment, sorted by MAC; @v is owned. */
struct neighbours {
	struct neigh6_entry *v;
	size_t n;
};

/* view_ipv6_look() - fill in @a's IPv6 part when a network has IPv6. */
int view_ipv6_look(struct manager *m, struct actual *a, struct err *e) __must_check;
/* view_ipv6_neighbours() - none where no network has IPv6, or where they cannot be read. */
void view_ipv6_neighbours(struct manager *m, struct neighbours *ret);
/* view_ipv6_counters() - of all router advertisers together. */
json_t *view_ipv6_counters(struct manager *m);
/* view_ipv6_json() - the object `ipv6` of a network, or null. */
json_t *view_ipv6_json(struct manager *m, const struct actual *a, const struct network_rt *n);
/* view_ipv6_addresses() - those of a guest of @n that were seen; @mac may be NULL. */
json_t *view_ipv6_addresses(const struct neighbours *seen, const struct network_rt *n,
			    const struct mac *mac);
/* view_ipv6_uplinks() - the names of the interfaces with an IPv6 default route. */
json_t *view_ipv6_uplinks(const struct actual *a);

#endif
