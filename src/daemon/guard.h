/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - `guard` of guests: the table `bridge vmlane`, which knows each guest's port, MACs and
 * addresses; from the configuration, and from the leases, which it follows one by one.
 *
 * Order: a port's rules come before the port and go after it, an address before the ACK that gives
 * it. So a daemon that is killed at any moment leaves no guest unguarded, nor cut off.
 */
#ifndef VMLANE_DAEMON_GUARD_H
#define VMLANE_DAEMON_GUARD_H

#include "daemon/work.h"

/* guard_look() - the table as it should be, and how it differs from what is in the kernel. */
int guard_look(struct work *w, struct err *e) __must_check;
void guard_say(struct work *w);
/* guard_do() - commit it: before the ports are made. */
int guard_do(struct work *w, struct err *e) __must_check;

/* guard_plug() - @g, a guest of @n that need not be registered, is about to get its port. */
int guard_plug(struct manager *m, struct network_rt *n, const struct state_guest *g,
	       struct err *e) __must_check;
/* guard_unplug() - the port of name @tap is gone. */
void guard_unplug(struct manager *m, const char *tap);
/*
 * guard_lease() - @mac has the lease of @addr on @n until @until_s (wall clock, seconds since 1970),
 * or has it no more (0). Called before the guest is told of it.
 */
void guard_lease(struct manager *m, struct network_rt *n, const struct mac *mac,
		 struct in_addr addr, int64_t until_s);
/* guard_expiry() - look at the leases again when the first of them ends. */
void guard_expiry(struct manager *m);

#endif
