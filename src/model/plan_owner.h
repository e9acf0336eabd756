/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_owner.h - whose an interface is: ours, by its alias, or somebody else's. Inside src/model only. */
#ifndef VMLANE_MODEL_PLAN_OWNER_H
#define VMLANE_MODEL_PLAN_OWNER_H

#include "model/plan.h"

enum owner {
	OWNER_NONE, /* there is no such interface */
	OWNER_US,
	OWNER_US_HALF_MADE, /* ours, killed before it got its alias */
	OWNER_OTHER,
};

/* plan_is_our_bridge() - @l is a bridge of ours, of network @network (NULL: of any). */
bool plan_is_our_bridge(const struct link_state *l, const char *network);
/* plan_is_our_tap() - the same of taps and guests. */
bool plan_is_our_tap(const struct link_state *l, const char *guest);
/* plan_bridge_owner() - @l (may be NULL) has the name of @n's bridge. */
enum owner plan_bridge_owner(const struct link_state *l, const struct desired_network *n);
enum owner plan_tap_owner(const struct link_state *l, const struct desired_tap *t);
/* plan_bridge_in_way() - @l is somebody else's, so that @n's bridge cannot be; @e says so. */
bool plan_bridge_in_way(const struct desired_network *n, const struct link_state *l, struct err *e);
bool plan_tap_in_way(const struct desired_tap *t, const struct link_state *l, struct err *e);

#endif
