/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - `guard` of guests: the program at each guest's port, which knows its MACs and addresses; from
 * the configuration, and from the leases, which it follows one by one.
 *
 * Order: a port is guarded before it is plugged into the bridge, and an address is allowed before the
 * ACK that gives it. So a daemon that is killed at any moment leaves no guest unguarded, nor cut off.
 */
#ifndef VMLANE_DAEMON_GUARD_H
#define VMLANE_DAEMON_GUARD_H

#include "daemon/work.h"
#include "kernel/portguard.h"

/*
 * guard_look() - @w->guards: what of the ports that are there is not as it should be. Where guards cannot
 * be at all, the guests that should have them are told so, and the rest goes on.
 */
int guard_look(struct work *w, struct err *e) __must_check;
void guard_say(struct work *w);
/* guard_do() - put it right; the first error, which is the guest's problem too. */
int guard_do(struct work *w) __must_check;
void guard_work_done(struct work *w);

/* guard_enslave() - @tap, of a guest of @w's target, is there and about to get its bridge. */
int guard_enslave(struct work *w, const char *tap, struct err *e) __must_check;
/* guard_plug() - the same of @g, a guest of @n that need not be registered. */
int guard_plug(struct manager *m, const struct network_rt *n, const struct state_guest *g,
	       struct err *e) __must_check;
/* guard_unplug() - the port of name @tap is gone. */
void guard_unplug(struct manager *m, const char *tap);
/* guard_done() - all that is in memory; what is in the kernel stays. */
void guard_done(struct manager *m);
/*
 * guard_lease() - @mac has the lease of @addr on @n until @until_s (wall clock, seconds since 1970),
 * or has it no more (0). Called before the guest is told of it.
 */
void guard_lease(struct manager *m, struct network_rt *n, const struct mac *mac,
		 struct in_addr addr, int64_t until_s);
/* guard_expiry() - look at the leases again when the first of them ends. */
void guard_expiry(struct manager *m);

/*
 * guard_check() - the next ports in turn, @n of them, and the pins: whether somebody has taken off the program
 * of one. Pins that are missing are put back here.
 */
bool guard_check(struct manager *m, size_t n);
/* guard_is_right() - the program that was put at port @tap, if one was, is there. */
bool guard_is_right(struct manager *m, const char *tap);

/* guard_drops() - what was dropped at port @tap; false: nothing is known of it. */
bool guard_drops(struct manager *m, const char *tap, struct port_drops *ret);

#endif
