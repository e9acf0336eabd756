/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_bridge.c - drops at a bridge and its ports: net/bridge/br_input.c, br_forward.c. Most have no
 * reason of their own, so that the ports' state and the MAC table have to tell.
 */
#include "path/diagnose_internal.h"

#include <stdio.h>
#include <string.h>

/* The port by which it came into the bridge. */
static const struct link_state *ingress(const struct look *l)
{
	for (size_t i = l->g->n_hops; i > 0; i--) {
		const struct hop *h = &l->g->hops[i - 1];

		if (h->kind == HOP_VM_OUT || h->kind == HOP_UPLINK_IN)
			return fact_link(l->f, h->ifindex);
	}
	return NULL;
}

static int bridge_of(const struct look *l)
{
	const struct link_state *in = ingress(l);

	if (in && in->master)
		return in->master;
	return l->dev && l->dev->master ? l->dev->master : l->dev ? l->dev->ifindex : 0;
}

/* The port that the MAC table has for its destination; NULL: none. */
static const struct link_state *egress(const struct look *l, const struct fdb_entry **ret)
{
	const struct fdb_entry *e = fact_fdb(l->f, bridge_of(l), l->drop->seen.dmac);

	*ret = e;
	return e ? fact_link(l->f, e->port) : NULL;
}

static const char *dmac_text(const struct look *l, char buf[static MAC_STRLEN])
{
	struct mac m;

	memcpy(m.b, l->drop->seen.dmac, sizeof(m.b));
	return mac_format(&m, buf);
}

/* ---- a port that lets nothing through ---- */

static void tell_down(const struct link_state *p, struct diagnosis *d)
{
	d->code = "port-down";
	diagnosis_cause(d, "the port %s is down", p->name);
	diagnosis_saw(d, "interface", "%s down", p->name);
	diagnosis_mend(d, "ip link set dev %s up", shell_quote(p->name).text);
}

static void tell_no_vm(const struct link_state *p, const struct facts *f, struct diagnosis *d)
{
	struct fact_vmm vmm;

	d->code = "no-vm";
	diagnosis_saw(d, "interface", "%s no carrier", p->name);
	if (strcmp(p->kind, "tun") != 0) {
		diagnosis_cause(d, "the port %s has no carrier: its other end is down", p->name);
		diagnosis_advice(d, "see to the other end of %s", p->name);
	} else if (f->vmm(p->name, &vmm, f->ctx)) {
		diagnosis_cause(d, "the VM's process holds the tap %s, but has set its link down",
				p->name);
		diagnosis_saw(d, "process", "%d (%s)", vmm.pid, vmm.comm);
		diagnosis_advice(d, "set the link up in the VM's monitor (QEMU: set_link; virsh "
				    "domif-setlink)");
	} else {
		diagnosis_cause(d, "no process has the tap %s open: the VM does not run", p->name);
		diagnosis_advice(d, "start the VM");
	}
}

/* Ports of @bridge that are no guests': with two of them there may be a loop. */
static size_t other_ports(const struct facts *f, const struct path_view *v, int bridge)
{
	size_t n = 0;

	for (size_t i = 0; i < f->host->n_links; i++) {
		const struct path_device *d;

		if (f->host->links[i].master != bridge)
			continue;
		d = path_device_find(v, f->host->links[i].ifindex);
		n += d && d->role == DEVICE_UPLINK;
	}
	return n;
}

static void tell_stp(const struct link_state *p, const struct path_view *v, const struct facts *f,
		     struct diagnosis *d)
{
	const struct link_state *bridge = fact_link(f, p->master);

	d->code = "port-blocked";
	diagnosis_saw(d, "interface", "%s %s", p->name, port_state_name(p->port_state));
	if (!bridge || !bridge->stp) {
		diagnosis_cause(d, "the bridge's port %s is %s, and nothing passes it", p->name,
				port_state_name(p->port_state));
		diagnosis_mend(d, "bridge link set dev %s state 3", shell_quote(p->name).text);
		return;
	}
	diagnosis_saw(d, "interface", "%s stp on", bridge->name);
	if (p->port_state == PORT_BLOCKING) {
		diagnosis_cause(d,
				"spanning tree (STP) of %s blocks the port %s, as there is another "
				"way to the same place",
				bridge->name, p->name);
		diagnosis_advice(d,
				 "opening it would make a loop: see which other port leads there");
		return;
	}
	diagnosis_cause(
		d,
		"spanning tree (STP) of %s still keeps the port %s shut (%s): it waits %u s "
		"twice after a port came up",
		bridge->name, p->name, port_state_name(p->port_state), bridge->forward_delay / 100);
	if (other_ports(f, v, bridge->ifindex) > 1) {
		diagnosis_advice(d, "it opens by itself");
		return;
	}
	diagnosis_mend(
		d, "ip link set dev %s type bridge stp_state 0 && bridge link set dev %s state 3",
		shell_quote(bridge->name).text, shell_quote(p->name).text);
	diagnosis_advice(d,
			 "it opens by itself, too; %s has no second line out, so that there is no "
			 "loop that STP could prevent",
			 bridge->name);
}

/* What keeps @p shut; false: nothing. */
static bool tell_shut(const struct link_state *p, const struct path_view *v, const struct facts *f,
		      struct diagnosis *d)
{
	if (!p->up)
		tell_down(p, d);
	else if (!p->carrier)
		tell_no_vm(p, f, d);
	else if (p->master && p->port_state != PORT_FORWARDING)
		tell_stp(p, v, f, d);
	else
		return false;
	return true;
}

static const struct link_state *only_bridge(const struct facts *f)
{
	const struct link_state *found = NULL;

	for (size_t i = 0; i < f->host->n_links; i++) {
		if (strcmp(f->host->links[i].kind, "bridge") != 0)
			continue;
		if (found)
			return NULL;
		found = &f->host->links[i];
	}
	return found;
}

static bool has_address(const struct facts *f, int ifindex)
{
	for (size_t i = 0; i < f->host->n_addrs; i++)
		if (f->host->addrs[i].ifindex == ifindex)
			return true;
	return false;
}

static void tell_no_bridge(const struct link_state *p, const struct facts *f, struct diagnosis *d)
{
	const struct link_state *bridge = only_bridge(f);

	d->code = "not-in-bridge";
	diagnosis_cause(
		d, "the guest's port %s is in no bridge: nothing the guest sends gets anywhere",
		p->name);
	diagnosis_saw(d, "interface", "%s has no master", p->name);
	if (bridge)
		diagnosis_mend(d, "ip link set dev %s master %s", shell_quote(p->name).text,
			       shell_quote(bridge->name).text);
	else
		diagnosis_advice(d,
				 "ip link set dev %s master BRIDGE: which of this host's bridges "
				 "it was, is not known",
				 p->name);
}

bool diagnose_port(int ifindex, const struct path_view *v, const struct facts *f,
		   struct diagnosis *ret)
{
	const struct link_state *p = fact_link(f, ifindex);

	*ret = (struct diagnosis){.code = ""};
	if (!p)
		return false;
	if (!p->master && strcmp(p->kind, "tun") == 0 && !has_address(f, ifindex)) {
		tell_no_bridge(p, f, ret);
		return true;
	}
	return tell_shut(p, v, f, ret);
}

/* ---- drops ---- */

static bool ingress_shut(const struct look *l)
{
	struct diagnosis scratch = {.code = ""};
	const struct link_state *in = ingress(l);

	return in && tell_shut(in, l->w->view, l->f, &scratch);
}

static void tell_ingress_shut(const struct look *l, struct diagnosis *d)
{
	tell_shut(ingress(l), l->w->view, l->f, d);
}

static bool egress_shut(const struct look *l)
{
	struct diagnosis scratch = {.code = ""};
	const struct fdb_entry *e;
	const struct link_state *out = egress(l, &e);

	return out && tell_shut(out, l->w->view, l->f, &scratch);
}

static void tell_egress_shut(const struct look *l, struct diagnosis *d)
{
	const struct fdb_entry *e;
	const struct link_state *out = egress(l, &e);
	char mac[MAC_STRLEN];

	tell_shut(out, l->w->view, l->f, d);
	diagnosis_saw(d, "mac-table", "%s dev %s", dmac_text(l, mac), out->name);
}

static bool both_isolated(const struct look *l)
{
	const struct link_state *in = ingress(l);
	const struct fdb_entry *e;
	const struct link_state *out = egress(l, &e);

	return in && out && in->isolated && out->isolated && in != out;
}

static void tell_isolated(const struct look *l, struct diagnosis *d)
{
	const struct link_state *in = ingress(l);
	const struct fdb_entry *e;
	const struct link_state *out = egress(l, &e);
	const struct link_state *bridge = fact_link(l->f, in->master);
	const char *network = fact_ours(bridge);

	diagnosis_cause(
		d,
		"%s and %s are isolated ports: they may talk to the host and to other ports, "
		"but not to each other",
		in->name, out->name);
	diagnosis_saw(d, "interface", "%s isolated on", in->name);
	diagnosis_saw(d, "interface", "%s isolated on", out->name);
	if (network) {
		diagnosis_saw(d, "network", "%s", network);
		diagnosis_advice(d,
				 "that is how network %s is set up: change its configuration, if "
				 "these guests shall talk",
				 network);
		return;
	}
	diagnosis_mend(d, "bridge link set dev %s isolated off", shell_quote(out->name).text);
	diagnosis_advice(d, "then all other isolated ports may talk to %s, too", out->name);
}

static bool back_to_ingress(const struct look *l)
{
	const struct fdb_entry *e;
	const struct link_state *out = egress(l, &e);

	return out && out == ingress(l);
}

/* It was sent to an address whose port leads back to the guest itself, and translated as a bridged frame. */
static bool forwarded_to_itself(const struct look *l)
{
	bool translated = false;

	for (size_t i = 0; i < l->g->n_hops; i++)
		translated |= l->g->hops[i].kind == HOP_NAT;
	return translated && back_to_ingress(l);
}

static void tell_hairpin(const struct look *l, struct diagnosis *d)
{
	struct address_str from = address_str(l->family, l->g->began.to.addr);
	struct address_str to = address_str(l->family, l->g->flow.to.addr);
	const struct link_state *port = ingress(l);

	diagnosis_cause(
		d,
		"%s was translated to %s, which is behind %s, the very port it came from: a "
		"bridge sends nothing back there, and since bridged frames go by IP's rules "
		"it was not routed",
		from.text, to.text, port->name);
	diagnosis_saw(d, "interface", "%s hairpin off", port->name);
	diagnosis_saw(d, "sysctl", "net.bridge.bridge-nf-call-%s = 1",
		      l->family == AF_INET6 ? "ip6tables" : "iptables");
	diagnosis_mend(d, "bridge link set dev %s hairpin on", shell_quote(port->name).text);
	diagnosis_advice(d,
			 "its source has to be translated as well, or the guest does not take it");
}

static void tell_back(const struct look *l, struct diagnosis *d)
{
	const struct fdb_entry *e;
	const struct link_state *out = egress(l, &e);
	char mac[MAC_STRLEN];

	dmac_text(l, mac);
	diagnosis_saw(d, "mac-table", "%s dev %s%s", mac, out->name,
		      e->is_static || e->sticky ? " static" : "");
	diagnosis_cause(d,
			"the bridge's MAC table has its destination %s behind %s, the very port it "
			"came from",
			mac, out->name);
	if (!e->is_static && !e->sticky) {
		diagnosis_advice(d,
				 "some guest there has sent with that MAC: do two guests have the "
				 "same?");
		return;
	}
	diagnosis_mend(d, "bridge fdb del %s dev %s master", mac, shell_quote(out->name).text);
	diagnosis_advice(d,
			 "somebody has put that entry there; the bridge learns by itself where %s "
			 "is",
			 mac);
}

/* A port other than @in to which the bridge sends frames to MACs it does not know. */
static bool takes_unknown(const struct look *l, const struct link_state *p,
			  const struct link_state *in)
{
	struct diagnosis scratch = {.code = ""};

	return p->master == bridge_of(l) && p != in && !p->no_flood &&
	       !(p->isolated && in && in->isolated) && !tell_shut(p, l->w->view, l->f, &scratch);
}

/*
 * Sent to one MAC that the bridge does not know, with no port that takes such frames. Kernels before
 * NO_TX_TARGET have no reason for that, and name the caller of br_flood(), which ends with a jump.
 */
static bool nowhere_to_flood(const struct look *l)
{
	const struct link_state *in = ingress(l);
	const struct fdb_entry *e;

	egress(l, &e);
	if (!in || e || l->drop->seen.dmac[0] & 1 || ingress_shut(l))
		return false;
	for (size_t i = 0; i < l->f->host->n_links; i++)
		if (takes_unknown(l, &l->f->host->links[i], in))
			return false;
	return true;
}

/* The only other port of the bridge that is shut; NULL: none, or several. */
static const struct link_state *only_shut(const struct look *l)
{
	const struct link_state *found = NULL, *in = ingress(l);
	struct diagnosis scratch = {.code = ""};

	for (size_t i = 0; i < l->f->host->n_links; i++) {
		const struct link_state *p = &l->f->host->links[i];

		if (p->master != bridge_of(l) || p == in ||
		    !tell_shut(p, l->w->view, l->f, &scratch))
			continue;
		if (found)
			return NULL;
		found = p;
	}
	return found;
}

static void tell_no_target(const struct look *l, struct diagnosis *d)
{
	const struct link_state *shut = only_shut(l);
	const struct link_state *bridge = fact_link(l->f, bridge_of(l));
	char mac[MAC_STRLEN];

	dmac_text(l, mac);
	if (shut)
		tell_shut(shut, l->w->view, l->f, d);
	d->code = "no-port";
	diagnosis_cause(
		d,
		"the bridge %s does not know where %s is, and none of its other ports takes "
		"frames to unknown MACs%s%s%s",
		bridge ? bridge->name : "", mac, shut ? "; the only port that is shut is " : "",
		shut ? shut->name : "", "");
	diagnosis_saw(d, "mac-table", "no entry for %s", mac);
	if (!shut)
		diagnosis_advice(d, "whoever has that MAC is on no port of this bridge that is up");
}

static bool longer_than_port(const struct look *l)
{
	return l->dev && l->drop->seen.len > l->dev->mtu;
}

static void tell_port_mtu(const struct look *l, struct diagnosis *d)
{
	diagnosis_cause(d,
			"it has %u bytes, but the port %s takes %u at most, and a bridge neither "
			"fragments nor tells the sender",
			l->drop->seen.len, l->dev->name, l->dev->mtu);
	diagnosis_saw(d, "interface", "%s mtu %u", l->dev->name, l->dev->mtu);
	diagnosis_mend(d, "ip link set dev %s mtu %u", shell_quote(l->dev->name).text,
		       l->drop->seen.len);
	diagnosis_advice(d,
			 "all ports of a bridge, and the guests behind them, should have one MTU");
}

#define FORWARDING "br_handle_frame_finish", "br_forward", "__br_forward"

static const struct drop_case cases[] = {
	{"port-blocked", "BRIDGE_INGRESS_STP_STATE", {NULL}, ingress_shut, tell_ingress_shut},
	{"port-blocked",
	 "NOT_SPECIFIED",
	 {"br_handle_frame", "br_handle_frame_finish"},
	 ingress_shut,
	 tell_ingress_shut},
	{"port-shut", NULL, {FORWARDING}, egress_shut, tell_egress_shut},
	{"isolated", NULL, {FORWARDING}, both_isolated, tell_isolated},
	{"hairpin-off", NULL, {FORWARDING}, forwarded_to_itself, tell_hairpin},
	{"mac-table-wrong", NULL, {FORWARDING}, back_to_ingress, tell_back},
	{"no-port", "NO_TX_TARGET", {NULL}, NULL, tell_no_target},
	{"no-port",
	 "NOT_SPECIFIED",
	 {"br_handle_frame_finish", "br_flood"},
	 nowhere_to_flood,
	 tell_no_target},
	{"too-big-for-port",
	 NULL,
	 {"br_dev_queue_push_xmit", "br_nf_dev_queue_xmit"},
	 longer_than_port,
	 tell_port_mtu},
};

bool diagnose_bridge(const struct look *l, struct diagnosis *d)
{
	return drop_case_find(cases, ARRAY_SIZE(cases), l, d);
}
