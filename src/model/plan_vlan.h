/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_vlan.h - what VLANs the ports of a bridge on the LAN have to come into and go out of. plan.c
 * makes steps of it; others only ask whether there would be any.
 */
#ifndef VMLANE_MODEL_PLAN_VLAN_H
#define VMLANE_MODEL_PLAN_VLAN_H

#include "model/plan.h"

typedef void (*vlan_change_fn)(void *ctx, const char *ifname, bool add, const struct port_vlan *v);

/* vlan_is_taken() - @l is the bridge with which @c has taken its NIC. */
bool vlan_is_taken(const struct network_config *c, const struct link_state *l);

/*
 * vlan_diff_tap() - @t's port shall be in its one VLAN. @port: its ifindex, 0 for one that is not
 * there yet. What comes is called before what goes, so that it is never without.
 */
void vlan_diff_tap(const struct actual *a, const struct link_state *bridge, int port,
		   const struct desired_tap *t, vlan_change_fn change, void *ctx);
/* vlan_diff_uplink() - @nic shall carry all VLANs of @c's guests, tagged, besides the untagged. */
void vlan_diff_uplink(const struct actual *a, const struct link_state *bridge,
		      const struct link_state *nic, const struct network_config *c,
		      vlan_change_fn change, void *ctx);

#endif
