/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - what the firewall has to know of guests that networks' policies speak of, and of those
 * with limits: their MACs and addresses, and when these change. firewall/policy.h has the rules.
 */
#ifndef VMLANE_DAEMON_POLICY_H
#define VMLANE_DAEMON_POLICY_H

#include "daemon/work.h"

/*
 * policy_want() - fill @f's part of it for the running network @c; what it points to lives as long as
 * @w. -ENOMEM, or what reading leases gave, with @e.
 */
int policy_want(struct work *w, const struct network_config *c, struct fw_network *f,
		struct err *e) __must_check;
void policy_want_done(struct work *w);

/* policy_plug() - guest @name of @n is known to @m and about to be plugged in: its MAC may be news. */
int policy_plug(struct manager *m, const struct network_rt *n, const char *name,
		struct err *e) __must_check;
/* policy_changed() - guest @name of @n has gone, or got an address: rules follow soon. */
void policy_changed(struct manager *m, const struct network_rt *n, const char *name);
/* policy_lease() - @mac has a lease of @n: rules that speak of its guest follow, where that has no fixed address. */
void policy_lease(struct manager *m, const struct network_rt *n, const struct mac *mac);

#endif
