/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rates.h - `rate` of guests: what goes to them is held by a queueing discipline on the tap (a step
 * of the plan), what comes from them by the table `netdev vmlane`, in one transaction for all.
 */
#ifndef VMLANE_DAEMON_RATES_H
#define VMLANE_DAEMON_RATES_H

#include "daemon/work.h"

/* rates_look() - the taps' limits as the kernel has them, to @w->actual and @w->rates_now. */
int rates_look(struct work *w, struct err *e) __must_check;
/* rates_say() - what rates_do() would do. */
void rates_say(struct work *w);
/* rates_are_right() - what goes to @g of @n by @ifindex is limited as it should be, or that is told. */
bool rates_are_right(struct manager *m, const struct network_rt *n, const struct guest_rt *g,
		     int ifindex);
/* rates_do() - what guests send; where one tap fails the others get theirs all the same. */
int rates_do(struct work *w) __must_check;

/*
 * rates_plug() - @g has a new tap. A limit that the kernel cannot set is @g's problem, told by
 * `guest show` and `status`; the guest goes on without.
 */
void rates_plug(struct manager *m, const struct network_rt *n, struct guest_rt *g);
/*
 * rates_unplug() - @tap of @n's guest @name is gone. Newer kernels (6.16) keep its chain for the
 * next interface of that name. @n may be NULL: then all that was its is gone already.
 */
void rates_unplug(struct manager *m, const struct network_rt *n, const char *name, const char *tap);

#endif
