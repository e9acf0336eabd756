/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_vlan.c - see plan_vlan.h.
 *
 * A guest's port is an access port: its VLAN untagged, and no other. The NIC's port carries them
 * tagged, as the LAN's switch has them, and beside them the untagged LAN, where the host and the
 * other guests are (the bridge's default VLAN).
 */
#include "model/plan_vlan.h"

#include <errno.h>
#include <string.h>

bool vlan_is_taken(const struct network_config *c, const struct link_state *l)
{
	size_t len = strlen(ALIAS_BRIDGED);

	return l && !c->adopted && strncmp(l->alias, ALIAS_BRIDGED, len) == 0 &&
	       strcmp(l->alias + len, c->name) == 0;
}

bool plan_vlan_refused(const struct network_config *c, const struct link_state *bridge,
		       uint16_t vlan, struct err *e)
{
	const char *nic = c->uplink[0] ? c->uplink : "eth0";

	if (!vlan || !bridge || strcmp(bridge->kind, "bridge") != 0)
		return false;
	if (!bridge->has_vlans) {
		err_set(e, -EOPNOTSUPP, "no-vlan-filtering", c->name,
			"VLAN %u: this kernel's bridges cannot filter VLANs "
			"(CONFIG_BRIDGE_VLAN_FILTERING); make an interface of that VLAN (ip link "
			"add %s.%u link %s type vlan id %u) and a network of its own with it as "
			"uplink, or leave `vlan` out",
			vlan, nic, vlan, nic, vlan);
		return true;
	}
	if (bridge->vlan_filtering || vlan_is_taken(c, bridge))
		return false;
	err_set(e, -EOPNOTSUPP, "no-vlan-filtering", c->name,
		"VLAN %u: bridge %s does not filter VLANs, and as somebody else's it is not "
		"changed; "
		"switch it on (ip link set %s type bridge vlan_filtering 1), or leave `vlan` out",
		vlan, c->bridge, c->bridge);
	return true;
}

/* The first of @a's port VLANs at @port, or past their end. */
static size_t first_at(const struct actual *a, int port)
{
	size_t low = 0, high = a->n_port_vlans;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->port_vlans[mid].port < port)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_in(const struct actual *a, int port, const struct port_vlan *v)
{
	for (size_t i = first_at(a, port); i < a->n_port_vlans && a->port_vlans[i].port == port;
	     i++)
		if (a->port_vlans[i].vid == v->vid && a->port_vlans[i].access == v->access)
			return true;
	return false;
}

void vlan_diff_tap(const struct actual *a, const struct link_state *bridge, int port,
		   const struct desired_tap *t, vlan_change_fn change, void *ctx)
{
	const struct port_vlan want = {port, t->vlan ? t->vlan : bridge->default_pvid, true};
	const struct port_vlan born = {port, bridge->default_pvid, true};

	if (port ? want.vid && !is_in(a, port, &want) : t->vlan != 0)
		change(ctx, t->name, true, &want);
	if (!port && t->vlan && born.vid && born.vid != want.vid)
		change(ctx, t->name, false, &born);
	for (size_t i = port ? first_at(a, port) : a->n_port_vlans;
	     i < a->n_port_vlans && a->port_vlans[i].port == port; i++)
		if (a->port_vlans[i].vid != want.vid)
			change(ctx, t->name, false, &a->port_vlans[i]);
}

void vlan_diff_uplink(const struct actual *a, const struct link_state *bridge,
		      const struct link_state *nic, const struct network_config *c,
		      vlan_change_fn change, void *ctx)
{
	bool wanted[VLAN_MAX + 1] = {false};

	for (size_t i = 0; i < c->n_guests; i++)
		wanted[c->guests[i].vlan] = true;
	for (uint16_t vid = 1; vid <= VLAN_MAX; vid++) {
		struct port_vlan v = {nic->ifindex, vid, vid == bridge->default_pvid};

		/* The untagged one too: somebody may have taken the port out of it. */
		wanted[vid] = wanted[vid] || v.access;
		if (wanted[vid] && !is_in(a, nic->ifindex, &v))
			change(ctx, nic->name, true, &v);
	}
	for (size_t i = first_at(a, nic->ifindex);
	     i < a->n_port_vlans && a->port_vlans[i].port == nic->ifindex; i++)
		if (!wanted[a->port_vlans[i].vid])
			change(ctx, nic->name, false, &a->port_vlans[i]);
}
