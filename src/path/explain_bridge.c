/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_bridge.c - a frame in a bridge: net/bridge/br_input.c, br_forward.c, br_device.c, br_vlan.c,
 * and br_netfilter_hooks.c.
 */
#include "path/explain_internal.h"

#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define VLAN_TAG 4

static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};

static const uint8_t *dmac(const struct walk *w)
{
	return w->pkt.bytes;
}

static const uint8_t *smac(const struct walk *w)
{
	return w->pkt.bytes + 6;
}

static const char *mac_text(const uint8_t *b, char buf[static MAC_STRLEN])
{
	struct mac m;

	memcpy(m.b, b, sizeof(m.b));
	return mac_format(&m, buf);
}

/* ---- VLANs ---- */

static const struct vlan_detail *vlan_of(const struct walk *w, int port, uint16_t vid)
{
	for (size_t i = 0; i < w->h->detail->n_vlans; i++)
		if (w->h->detail->vlans[i].port == port && w->h->detail->vlans[i].vid == vid)
			return &w->h->detail->vlans[i];
	return NULL;
}

static uint16_t pvid_of(const struct walk *w, int port)
{
	for (size_t i = 0; i < w->h->detail->n_vlans; i++)
		if (w->h->detail->vlans[i].port == port && w->h->detail->vlans[i].pvid)
			return w->h->detail->vlans[i].vid;
	return 0;
}

/* Which VLAN an untagged frame from @from (a port, or the bridge itself) is in; 0: none, it goes. */
static bool enter_vlan(struct walk *w, const struct link_detail *br, int from)
{
	w->vid = 0;
	if (!br->bridge.vlan_filtering)
		return true;
	w->vid = pvid_of(w, from);
	return w->vid;
}

static bool may_leave(const struct walk *w, const struct link_detail *br, int port)
{
	return !br->bridge.vlan_filtering || vlan_of(w, port, w->vid);
}

static void leave_vlan(struct walk *w, const struct link_detail *br, int port)
{
	const struct vlan_detail *v = br->bridge.vlan_filtering ? vlan_of(w, port, w->vid) : NULL;

	w->pkt.has_vlan = v && !v->untagged;
	w->pkt.vlan_tci = w->pkt.has_vlan ? w->vid : 0;
}

/* ---- the MAC table ---- */

static const struct fdb_detail *table_entry(const struct walk *w, int bridge, const uint8_t *mac)
{
	for (size_t i = 0; i < w->h->detail->n_fdb; i++) {
		const struct fdb_detail *f = &w->h->detail->fdb[i];

		if (f->bridge == bridge && f->vlan == w->vid && memcmp(f->mac.b, mac, 6) == 0)
			return f;
	}
	return NULL;
}

static const struct explain_learned *learned(const struct walk *w, int bridge, const uint8_t *mac)
{
	for (size_t i = ARRAY_SIZE(w->x->learned); i > 0; i--) {
		const struct explain_learned *l = &w->x->learned[i - 1];

		if (l->has && l->bridge == bridge && l->vlan == w->vid &&
		    memcmp(l->mac.b, mac, 6) == 0)
			return l;
	}
	return NULL;
}

/* As it is once what the packets taught the bridge is in it. */
static bool fdb_find(const struct walk *w, int bridge, const uint8_t *mac, struct fdb_detail *ret)
{
	const struct explain_learned *l = learned(w, bridge, mac);
	const struct fdb_detail *f = table_entry(w, bridge, mac);

	if (l)
		*ret = (struct fdb_detail){
			.bridge = bridge, .port = l->port, .mac = l->mac, .vlan = l->vlan};
	else if (f)
		*ret = *f;
	return l || f;
}

static void learn(struct walk *w, const struct link_detail *br, const struct link_detail *port)
{
	const struct fdb_detail *f = table_entry(w, br->ifindex, smac(w));
	struct explain_learned *l;

	if (!port->port.learning || (f && (f->local || f->sticky)))
		return;
	l = &w->x->learned[w->reply];
	*l = (struct explain_learned){
		.has = true, .bridge = br->ifindex, .port = port->ifindex, .vlan = w->vid};
	memcpy(l->mac.b, smac(w), 6);
}

/* ---- br_netfilter ---- */

static bool shows_ip(const struct walk *w, const struct link_detail *br)
{
	if (w->pkt.has_vlan)
		return false;
	if (w->family == AF_INET)
		return br->bridge.call_ip ||
		       walk_sysctl(w, 0, "net/bridge/bridge-nf-call-iptables") == 1;
	if (w->family == AF_INET6)
		return br->bridge.call_ip6 ||
		       walk_sysctl(w, 0, "net/bridge/bridge-nf-call-ip6tables") == 1;
	return false;
}

static struct hook_at ip_hook(const struct walk *w, unsigned int hook, int in, int out)
{
	return (struct hook_at){.pf = w->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6,
				.hook = hook,
				.in = in,
				.out = out};
}

/* A destination that ip's rules have changed: where the new one is decides over the frame. */
static bool follow_new_destination(struct walk *w, const struct link_detail *br)
{
	struct route_question q = ip_question(w, br->ifindex);
	struct route_answer a;

	if (w->h->route(&q, &a, w->h->ctx) < 0 || a.error)
		return walk_unknown(w, "br_netfilter: a translated frame whose new destination has "
				       "no route");
	if (a.oif == br->ifindex && a.type != RTN_LOCAL)
		return walk_unknown(w, "br_netfilter: a translated frame that stays in the bridge");
	memcpy(w->pkt.bytes, br->mac.b, 6);
	w->pkt.pkttype = PACKET_HOST;
	return true;
}

static bool show_ip_prerouting(struct walk *w, const struct link_detail *br,
			       const struct link_detail *port)
{
	struct hook_at at = ip_hook(w, NF_INET_PRE_ROUTING, br->ifindex, 0);
	uint8_t before[16];
	bool changed;

	if (!shows_ip(w, br))
		return true;
	memcpy(before, walk_dst(w), walk_addr_len(w));
	at.phys_in = port->ifindex;
	w->shown_ip = true;
	if (!walk_prerouting(w, &at, br->ifindex))
		return false;
	changed = memcmp(before, walk_dst(w), walk_addr_len(w)) != 0;
	return !changed || follow_new_destination(w, br);
}

static bool show_ip_forward(struct walk *w, const struct link_detail *br, int in, int out)
{
	struct hook_at at = ip_hook(w, NF_INET_FORWARD, br->ifindex, br->ifindex);

	at.phys_in = in;
	at.phys_out = out;
	return !w->shown_ip || !shows_ip(w, br) || walk_hook_all(w, &at, out);
}

static bool show_ip_postrouting(struct walk *w, const struct link_detail *br, int out)
{
	struct hook_at at = ip_hook(w, NF_INET_POST_ROUTING, 0, br->ifindex);

	at.phys_out = out;
	return !w->shown_ip || !shows_ip(w, br) || walk_postrouting(w, &at, out, NULL);
}

/* ---- the bridge's own hooks ---- */

/*
 * nft's bridge family has conntrack of its own, which is about the same connection; of packets that
 * nobody tracks there, rules that ask for it see none.
 */
static bool bridge_hook(struct walk *w, unsigned int hook, int in, int out, int64_t from,
			int64_t to, int where)
{
	const struct hook_at at = {.pf = NFPROTO_BRIDGE, .hook = hook, .in = in, .out = out};
	struct nfteval_ct ct = w->pkt.ct;
	bool on;

	if (ct.state == NFTEVAL_CT_NONE && w->family && !w->h->conntrack_full(w->h->ctx) &&
	    !walk_track(w, where))
		return false;
	on = walk_hook(w, &at, from, to, where);
	w->pkt.ct = ct;
	return on;
}

/* ---- out by a port ---- */

static bool can_deliver(const struct walk *w, const struct link_detail *br,
			const struct link_detail *p)
{
	return (p->ifindex != w->port || p->port.hairpin) && p->port.state == PORT_FORWARDING &&
	       may_leave(w, br, p->ifindex) && !(w->from_isolated && p->port.isolated);
}

/* The MTU as the bridge minds it: it neither fragments nor tells anybody, unless br_netfilter helps. */
static bool fits_port(struct walk *w, const struct link_detail *br, const struct link_detail *p)
{
	if (w->shown_ip && shows_ip(w, br) && walk_size(w) > p->mtu) {
		if (walk_must_not_fragment(w))
			return walk_drop(w, p->ifindex, "NOT_SPECIFIED", "br_nf_dev_queue_xmit");
		return true;
	}
	if (walk_size(w) > p->mtu + VLAN_TAG)
		return walk_drop(w, p->ifindex, "NOT_SPECIFIED", "br_dev_queue_push_xmit");
	return true;
}

/* __br_forward(); @local: the host itself sends it. */
static void deliver(struct walk *w, const struct link_detail *br, const struct link_detail *p,
		    bool local)
{
	int in = local ? 0 : w->port, out = p->ifindex;

	leave_vlan(w, br, out);
	if (local) {
		if (!bridge_hook(w, NF_BR_LOCAL_OUT, 0, out, NFTEVAL_FIRST, NFTEVAL_LAST, out))
			return;
	} else if (!bridge_hook(w, NF_BR_FORWARD, in, out, NFTEVAL_FIRST, NF_BR_PRI_BRNF, out) ||
		   !show_ip_forward(w, br, in, out) ||
		   !bridge_hook(w, NF_BR_FORWARD, in, out, NF_BR_PRI_BRNF, NFTEVAL_LAST, out)) {
		return;
	}
	if (!bridge_hook(w, NF_BR_POST_ROUTING, 0, out, NFTEVAL_FIRST, NFTEVAL_LAST, out))
		return;
	if (!local && !show_ip_postrouting(w, br, out))
		return;
	if (fits_port(w, br, p))
		device_transmit(w, p);
}

static bool floods_to(const struct walk *w, const struct link_detail *p)
{
	if (memcmp(dmac(w), broadcast, 6) == 0)
		return p->port.bcast_flood;
	return dmac(w)[0] & 1 ? p->port.mcast_flood : p->port.flood;
}

/* br_flood(): to all ports that take it; @keep: the original goes on to the host. */
static size_t flood(struct walk *w, const struct link_detail *br, bool local, bool keep)
{
	size_t n = 0;

	for (size_t i = 0; i < w->h->detail->n_links; i++) {
		const struct link_detail *p = &w->h->detail->links[i];
		struct walk copy;

		if (p->master != br->ifindex || strcmp(p->slave_kind, "bridge") != 0 ||
		    !floods_to(w, p) || !can_deliver(w, br, p))
			continue;
		if (!walk_copy(w, &copy))
			return n;
		deliver(&copy, br, p, local);
		walk_copy_end(&copy);
		n++;
	}
	return n;
}

static void to_known(struct walk *w, const struct link_detail *br, const struct fdb_detail *f,
		     bool local)
{
	const struct link_detail *p = walk_link(w, f->port);
	const char *kind = f->is_static || f->sticky ? " static" : "";
	char mac[MAC_STRLEN];

	if (p && p->port.backup && !p->carrier) {
		walk_unknown(w, "backup port of %s", p->name);
		return;
	}
	if (!p || !can_deliver(w, br, p)) {
		walk_drop(w, local ? br->ifindex : w->port, "NOT_SPECIFIED",
			  local ? "br_forward" : "br_handle_frame_finish");
		walk_note(w, HOP_DROP, "fdb %s dev %s%s", mac_text(dmac(w), mac),
			  p ? p->name : br->name, kind);
		return;
	}
	deliver(w, br, p, local);
	if (!w->x->unknown[0])
		walk_note(w, HOP_BRIDGE_FWD, "fdb %s dev %s%s", mac_text(dmac(w), mac), p->name,
			  kind);
}

static void to_unknown(struct walk *w, const struct link_detail *br, bool local)
{
	char mac[MAC_STRLEN];

	if (flood(w, br, local, false) || w->x->unknown[0])
		return;
	walk_drop(w, local ? br->ifindex : w->port, "NO_TX_TARGET", "br_flood");
	walk_note(w, HOP_DROP, "no fdb entry for %s", mac_text(dmac(w), mac));
}

/* ---- in by a port ---- */

/* br_pass_frame_up() */
static void pass_up(struct walk *w, const struct link_detail *br)
{
	const struct vlan_detail *v =
		br->bridge.vlan_filtering ? vlan_of(w, br->ifindex, w->vid) : NULL;

	if (br->bridge.vlan_filtering && !v) {
		walk_drop(w, w->port, "NOT_SPECIFIED", "br_pass_frame_up");
		walk_note(w, HOP_DROP, "%s itself is not in VLAN %u", br->name, w->vid);
		return;
	}
	if (v && !v->untagged) {
		walk_unknown(w,
			     "VLAN %u goes up tagged from %s: VLAN interfaces of bridges are not "
			     "modelled",
			     w->vid, br->name);
		return;
	}
	if (bridge_hook(w, NF_BR_LOCAL_IN, w->port, 0, NFTEVAL_FIRST, NFTEVAL_LAST, br->ifindex))
		device_receive(w, br);
}

static bool source_is_allowed(struct walk *w, const struct link_detail *br,
			      const struct link_detail *port)
{
	struct fdb_detail f;
	char mac[MAC_STRLEN];

	if (!port->port.locked)
		return true;
	if (fdb_find(w, br->ifindex, smac(w), &f) && f.port == port->ifindex && !f.local &&
	    !f.locked)
		return true;
	walk_drop(w, port->ifindex, "NOT_SPECIFIED", "br_handle_frame_finish");
	walk_note(w, HOP_DROP, "%s is locked, and %s is not in the MAC table there", port->name,
		  mac_text(smac(w), mac));
	return false;
}

/* br_handle_frame_finish(), for frames to one */
static void switch_unicast(struct walk *w, const struct link_detail *br)
{
	struct fdb_detail f;

	if (!fdb_find(w, br->ifindex, dmac(w), &f))
		to_unknown(w, br, false);
	else if (f.local)
		pass_up(w, br);
	else
		to_known(w, br, &f, false);
}

static void switch_broadcast(struct walk *w, const struct link_detail *br,
			     const struct link_detail *port)
{
	if (port->port.suppress || port->port.proxyarp) {
		walk_unknown(w,
			     "the bridge %s may answer ARP at %s itself (neigh_suppress, "
			     "proxy_arp)",
			     br->name, port->name);
		return;
	}
	flood(w, br, false, true);
	pass_up(w, br);
}

static void switch_frame(struct walk *w, const struct link_detail *br,
			 const struct link_detail *port)
{
	if (!enter_vlan(w, br, port->ifindex)) {
		walk_drop(w, port->ifindex, "VLAN_FILTER", "br_handle_frame_finish");
		walk_note(w, HOP_DROP, "%s has no PVID: untagged frames are in no VLAN",
			  port->name);
		return;
	}
	if (!source_is_allowed(w, br, port))
		return;
	learn(w, br, port);
	if (port->port.state == PORT_LEARNING) {
		walk_drop(w, port->ifindex, "BRIDGE_INGRESS_STP_STATE", "br_handle_frame_finish");
		return;
	}
	w->from_isolated = port->port.isolated;
	if (memcmp(dmac(w), broadcast, 6) == 0)
		switch_broadcast(w, br, port);
	else if (dmac(w)[0] & 1)
		walk_unknown(w, "frames to groups (multicast snooping) are not modelled");
	else
		switch_unicast(w, br);
}

static bool is_sane(struct walk *w, const struct link_detail *br, const struct link_detail *port)
{
	static const uint8_t none[6], reserved[5] = {0x01, 0x80, 0xc2, 0, 0};

	if (smac(w)[0] & 1 || memcmp(smac(w), none, 6) == 0)
		return walk_drop(w, port->ifindex, "MAC_INVALID_SOURCE", "br_handle_frame");
	if (memcmp(dmac(w), reserved, sizeof(reserved)) == 0)
		return walk_unknown(w, "reserved group addresses (01:80:c2:00:00:0X) are not "
				       "modelled");
	if (port->port.vlan_tunnel)
		return walk_unknown(w, "vlan_tunnel of %s is not modelled", port->name);
	if (port->port.state != PORT_FORWARDING && port->port.state != PORT_LEARNING)
		return walk_drop(w, port->ifindex, "BRIDGE_INGRESS_STP_STATE", "br_handle_frame");
	return true;
}

void bridge_receive(struct walk *w, const struct link_detail *port)
{
	const struct link_detail *br = walk_link(w, port->master);
	int in = port->ifindex;

	if (!br) {
		walk_unknown(w, "the bridge of %s is gone", port->name);
		return;
	}
	w->port = in;
	if (!is_sane(w, br, port))
		return;
	if (memcmp(br->mac.b, dmac(w), 6) == 0)
		w->pkt.pkttype = PACKET_HOST;
	/* Chains that were hung up later come first among equals, and br_netfilter was there before. */
	if (!bridge_hook(w, NF_BR_PRE_ROUTING, in, 0, NFTEVAL_FIRST, NF_BR_PRI_BRNF + 1, in) ||
	    !show_ip_prerouting(w, br, port) ||
	    !bridge_hook(w, NF_BR_PRE_ROUTING, in, 0, NF_BR_PRI_BRNF + 1, NFTEVAL_LAST, in))
		return;
	switch_frame(w, br, port);
}

/* ---- the host itself sends ---- */

void bridge_transmit(struct walk *w, const struct link_detail *br)
{
	struct fdb_detail f;

	w->port = 0;
	w->from_isolated = false;
	w->shown_ip = false;
	if (!enter_vlan(w, br, br->ifindex)) {
		walk_drop(w, br->ifindex, "VLAN_FILTER", "br_handle_frame_finish");
		walk_note(w, HOP_DROP, "%s itself has no PVID", br->name);
		return;
	}
	if (dmac(w)[0] & 1)
		walk_unknown(w, "what the host sends to groups is not modelled");
	else if (!fdb_find(w, br->ifindex, dmac(w), &f))
		to_unknown(w, br, true);
	else if (f.local)
		walk_drop(w, br->ifindex, "NOT_SPECIFIED", "br_forward");
	else
		to_known(w, br, &f, true);
}
