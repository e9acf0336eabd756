/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_port.c - bridges and their ports: what lets nothing through, what is left over, who is there twice. */
#include "inspect/doctor_internal.h"

#include <ctype.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- bridges ---- */

static void tell_lan_port(const struct doctor_net *n, const struct link_state *p,
			  struct diagnosis *d)
{
	if (!p->up) {
		d->code = "uplink-down";
		diagnosis_cause(d,
				"%s, by which the bridge %s is on the LAN, is down: guests reach "
				"each other at most",
				p->name, n->bridge->name);
		diagnosis_saw(d, "interface", "%s down", p->name);
		diagnosis_mend(d, "ip link set dev %s up", shell_quote(p->name).text);
		return;
	}
	d->code = "no-carrier";
	diagnosis_cause(d,
			"%s, by which the bridge %s is on the LAN, has no carrier: its cable, or "
			"its other end, is dead",
			p->name, n->bridge->name);
	diagnosis_saw(d, "interface", "%s no carrier", p->name);
	diagnosis_advice(d, "no command of this host mends that: look at the other end of %s",
			 p->name);
}

/* @n->uplink works, if any of its ports to the LAN does. */
static void check_lan_port(struct doctor *d, const struct doctor_net *n)
{
	struct doctor_finding f =
		doctor_new_finding(n->n_guests ? DOCTOR_ERROR : DOCTOR_NOTE, "", n);
	const struct link_state *p = n->uplink;

	if (!p || !n->bridge->up)
		return;
	f.safe = false;
	if (!p->up || !p->carrier)
		tell_lan_port(n, p, &f.why);
	else if (p->port_state == PORT_FORWARDING ||
		 !diagnose_port(p->ifindex, &d->subject.view, d->f, &f.why))
		return;
	doctor_add(d, &f);
}

static void check_bridge_down(struct doctor *d, const struct doctor_net *n)
{
	struct doctor_finding f =
		doctor_new_finding(n->n_running ? DOCTOR_ERROR : DOCTOR_NOTE, "bridge-down", n);

	if (n->bridge->up || !n->n_guests)
		return;
	diagnosis_cause(&f.why, "the bridge %s is down: its guests reach nobody", n->bridge->name);
	diagnosis_saw(&f.why, "interface", "%s down", n->bridge->name);
	diagnosis_mend(&f.why, "ip link set dev %s up", shell_quote(n->bridge->name).text);
	doctor_add(d, &f);
}

void doctor_check_bridges(struct doctor *d)
{
	for (size_t i = 0; i < d->n_nets; i++) {
		check_bridge_down(d, &d->nets[i]);
		check_lan_port(d, &d->nets[i]);
	}
}

/* ---- guests' ports ---- */

/* "vnet7" (libvirt), "tap100i0" (Proxmox): their programs always take those away with the VM. */
static bool is_others_vm(const char *name)
{
	const char *p = name;

	if (strncmp(name, "vnet", 4) == 0)
		return name[4] && strspn(name + 4, "0123456789") == strlen(name + 4);
	if (strncmp(name, "tap", 3) != 0 || !isdigit((unsigned char)name[3]))
		return false;
	p += 3 + strspn(name + 3, "0123456789");
	return *p == 'i' && p[1] && strspn(p + 1, "0123456789") == strlen(p + 1);
}

static bool daemon_knows(const struct doctor *d, const char *tap)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(d->our_guests, "guests"), i, one) {
		const char *name = json_string_value(json_object_get(one, "tap"));

		if (name && strcmp(name, tap) == 0)
			return true;
	}
	return false;
}

/* Nobody has the tap open: the VM is off, or the tap was left behind. */
static void tell_idle(struct doctor *d, const struct inventory_guest *g,
		      const struct diagnosis *why)
{
	struct doctor_finding f = doctor_of_guest(DOCTOR_WARNING, "leaked-tap", g);
	bool ours = doctor_is_ours(d, g), named = strncmp(g->port, "vl-", 3) == 0;

	if ((ours || named) &&
	    (!json_is_array(json_object_get(d->our_guests, "guests")) || daemon_knows(d, g->port)))
		return; /* a guest of ours that is off */
	if (!ours && !named && !is_others_vm(g->port)) {
		f.severity = DOCTOR_NOTE;
		f.why = *why;
		diagnosis_advice(&f.why,
				 "start the VM; if there is none any more: ip link del dev %s",
				 shell_quote(g->port).text);
		doctor_add(d, &f);
		return;
	}
	f.safe = ours;
	diagnosis_cause(&f.why,
			"no process has the tap %s open, and %s: whoever made it has left it "
			"behind",
			g->port,
			ours || named ? "vmlaned knows no such guest"
				      : "such taps go with their VM as a rule");
	diagnosis_saw(&f.why, "interface", "%s no carrier%s%s", g->port,
		      g->bridge[0] ? ", in bridge " : "", g->bridge);
	diagnosis_mend(&f.why, "ip link del dev %s", shell_quote(g->port).text);
	doctor_add(d, &f);
}

static void tell_stopped(struct doctor *d, const struct inventory_guest *g,
			 const struct fact_vmm *vmm)
{
	struct doctor_finding f = doctor_of_guest(DOCTOR_WARNING, "vm-not-reading", g);

	diagnosis_cause(&f.why, "the VM does not read its tap %s: its process is stopped", g->port);
	diagnosis_saw(&f.why, "process", "%d (%s)%s%s", vmm->pid, vmm->comm,
		      vmm->vm_name[0] ? " VM " : "", vmm->vm_name);
	diagnosis_mend(&f.why, "kill -CONT %d", vmm->pid);
	diagnosis_advice(&f.why, "somebody has stopped it: was that wanted?");
	doctor_add(d, &f);
}

static bool is_code(const struct diagnosis *d, const char *code)
{
	return strcmp(d->code, code) == 0;
}

/* Something shuts the port: as bad as whom it keeps from the network. */
static enum doctor_severity how_bad(const struct inventory_guest *g, const struct diagnosis *why)
{
	if (is_code(why, "no-vm"))
		return DOCTOR_NOTE; /* its other end is down: that is up to whoever is there */
	if (is_code(why, "port-blocked") && !why->mend[0])
		return DOCTOR_NOTE; /* spanning tree at its work */
	return g->carrier || g->kind == INVENTORY_VETH ? DOCTOR_ERROR : DOCTOR_NOTE;
}

/*
 * All ports of a bridge that is down are shut: that is told of the bridge. One that has just got its
 * carrier is opened by the kernel within a second.
 */
static bool is_shut_anyway(const struct doctor *d, const struct inventory_guest *g,
			   const struct diagnosis *why)
{
	const struct link_state *bridge = actual_link_by_name(d->f->host, g->bridge);
	const struct link_state *port = actual_link_by_index(d->f->host, g->ifindex);

	return is_code(why, "port-blocked") &&
	       ((bridge && !bridge->up) || (port && !port->running));
}

static void check_port(struct doctor *d, const struct inventory_guest *g)
{
	struct doctor_finding f = doctor_of_guest(DOCTOR_ERROR, "", g);
	struct fact_vmm vmm;

	if (g->kind == INVENTORY_TAP && g->pid && d->f->vmm(g->port, &vmm, d->f->ctx) &&
	    vmm.stopped)
		tell_stopped(d, g, &vmm);
	if (!diagnose_port(g->ifindex, &d->subject.view, d->f, &f.why) ||
	    is_shut_anyway(d, g, &f.why))
		return;
	if (g->kind == INVENTORY_TAP && !g->carrier && !g->pid) {
		tell_idle(d, g, &f.why);
		return;
	}
	/* What others have plugged into a network of ours they may have shut as well. */
	f.safe = doctor_is_ours(d, g);
	f.severity = how_bad(g, &f.why);
	doctor_add(d, &f);
}

/* Guests that are in no bridge belong to no network: they are looked at with all. */
static bool is_wanted(const struct doctor *d, const struct inventory_guest *g)
{
	const struct link_state *bridge = actual_link_by_name(d->f->host, g->bridge);

	return !d->only || (bridge && doctor_net_of(d, bridge->ifindex));
}

void doctor_check_ports(struct doctor *d)
{
	for (size_t i = 0; i < d->guests.n; i++)
		if (is_wanted(d, &d->guests.v[i]))
			check_port(d, &d->guests.v[i]);
}

/* ---- isolation ---- */

static void check_isolation(struct doctor *d, const struct doctor_net *n)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "isolated", n);
	const struct inventory_guest *last = NULL;
	size_t count = 0;

	for (size_t i = 0; i < n->n_guests; i++) {
		const struct inventory_guest *g = &n->guests[i];
		const struct link_state *p = actual_link_by_index(d->f->host, g->ifindex);

		if (!p || !p->isolated || doctor_is_ours(d, g))
			continue;
		if (count++ < 2)
			diagnosis_saw(&f.why, "interface", "%s isolated on", p->name);
		last = g;
	}
	if (count < 2)
		return;
	diagnosis_cause(&f.why,
			"%zu guests of %s have isolated ports: they may talk to the host and to "
			"other ports, but not to each other",
			count, n->bridge->name);
	diagnosis_mend(&f.why, "bridge link set dev %s isolated off", shell_quote(last->port).text);
	diagnosis_advice(&f.why,
			 "somebody has set that: the command is for one who may talk to all");
	doctor_add(d, &f);
}

void doctor_check_isolation(struct doctor *d)
{
	for (size_t i = 0; i < d->n_nets; i++)
		if (d->nets[i].n_guests > 1)
			check_isolation(d, &d->nets[i]);
}

/* ---- MTU ---- */

static void check_port_mtu(struct doctor *d, const struct doctor_net *n, const struct link_state *p)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_WARNING, "too-big-for-port", n);
	bool lan = !doctor_is_guest_port(d, p->ifindex);

	if (p->mtu >= n->bridge->mtu)
		return;
	if (lan)
		f.why.code = "mtu-over-uplink";
	diagnosis_cause(&f.why,
			"the bridge %s carries packets of %u bytes, but its port %s takes %u at "
			"most: larger ones are dropped there, and nobody is told",
			n->bridge->name, n->bridge->mtu, p->name, p->mtu);
	diagnosis_saw(&f.why, "interface", "%s mtu %u", p->name, p->mtu);
	diagnosis_saw(&f.why, "interface", "%s mtu %u", n->bridge->name, n->bridge->mtu);
	if (lan) {
		diagnosis_mend(&f.why, "ip link set dev %s mtu %u",
			       shell_quote(n->bridge->name).text, p->mtu);
		diagnosis_advice(&f.why, "the guests need that MTU, too");
	} else {
		diagnosis_mend(&f.why, "ip link set dev %s mtu %u", shell_quote(p->name).text,
			       n->bridge->mtu);
		diagnosis_advice(&f.why,
				 "all ports of a bridge, and the guests behind them, should "
				 "have one MTU");
	}
	doctor_add(d, &f);
}

/* The best default route's. */
static const struct link_state *first_uplink(const struct doctor *d)
{
	const struct route_state *best = NULL;

	for (size_t i = 0; i < d->f->host->n_routes; i++) {
		const struct route_state *r = &d->f->host->routes[i];

		if (r->dst.len == 0 && r->table == RT_TABLE_MAIN && r->oif &&
		    (!best || r->metric < best->metric))
			best = r;
	}
	return best ? actual_link_by_index(d->f->host, best->oif) : NULL;
}

/* Those who set their guests' MTU themselves say so themselves: see the daemon's notes. */
static void check_way_out_mtu(struct doctor *d, const struct doctor_net *n,
			      const struct link_state *out)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "mtu-over-uplink", n);

	if (n->ours || !n->addr || !n->n_guests || n->uplink || out->mtu >= n->bridge->mtu ||
	    out->ifindex == n->bridge->ifindex)
		return;
	diagnosis_cause(&f.why,
			"guests on %s send packets of %u bytes, and the uplink %s takes %u: they "
			"are told so for each destination (ICMP), which firewalls on the way may "
			"keep from working",
			n->bridge->name, n->bridge->mtu, out->name, out->mtu);
	diagnosis_saw(&f.why, "interface", "%s mtu %u", n->bridge->name, n->bridge->mtu);
	diagnosis_saw(&f.why, "interface", "%s mtu %u", out->name, out->mtu);
	diagnosis_mend(&f.why, "ip link set dev %s mtu %u", shell_quote(n->bridge->name).text,
		       out->mtu);
	diagnosis_advice(&f.why, "the guests need that MTU, too");
	doctor_add(d, &f);
}

void doctor_check_mtu(struct doctor *d)
{
	const struct link_state *out = first_uplink(d);

	for (size_t i = 0; i < d->f->host->n_links; i++) {
		const struct link_state *p = &d->f->host->links[i];
		const struct doctor_net *n = p->master ? doctor_net_of(d, p->master) : NULL;

		if (n)
			check_port_mtu(d, n, p);
	}
	for (size_t i = 0; i < d->n_nets && out; i++)
		check_way_out_mtu(d, &d->nets[i], out);
}

/* ---- MAC tables ---- */

/* struct doctor_owner begins with its MAC. */
static int by_mac(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac));
}
_Static_assert(offsetof(struct doctor_owner, mac) == 0, "by_mac() compares the first bytes");

/* Once: there may be as many entries in MAC tables as there are guests. */
static void read_owners(struct doctor *d)
{
	if (d->owners)
		return;
	d->owners = calloc(d->guests.n + 1, sizeof(*d->owners));
	for (size_t i = 0; i < d->guests.n && d->owners; i++) {
		const struct inventory_guest *g = &d->guests.v[i];
		struct fact_vmm vmm;

		if (g->kind == INVENTORY_TAP && g->pid && d->f->vmm(g->port, &vmm, d->f->ctx) &&
		    vmm.has_mac)
			d->owners[d->n_owners++] = (struct doctor_owner){vmm.mac, g};
	}
	if (d->owners)
		qsort(d->owners, d->n_owners, sizeof(*d->owners), by_mac);
}

/* Whose command line says that it has this MAC, on this bridge; NULL: nobody's. */
static const struct inventory_guest *owner_of(const struct doctor *d, const struct doctor_net *n,
					      const struct mac *mac)
{
	const struct doctor_owner *o =
		d->owners ? bsearch(mac, d->owners, d->n_owners, sizeof(*o), by_mac) : NULL;

	return o && strcmp(o->g->bridge, n->bridge->name) == 0 ? o->g : NULL;
}

static bool is_written(const struct fdb_entry *e)
{
	return !e->local && (e->is_static || e->sticky) && !mac_is_multicast(&e->mac);
}

/* @e has a guest's MAC at a port where that guest is not. */
static const struct inventory_guest *misplaced(const struct doctor *d, const struct fdb_entry *e)
{
	const struct doctor_net *n = doctor_net_of(d, e->bridge);
	const struct link_state *p = actual_link_by_index(d->f->host, e->port);
	const struct inventory_guest *g;

	if (!n || !p || !is_written(e) || strncmp(p->alias, ALIAS_GUEST, strlen(ALIAS_GUEST)) == 0)
		return NULL;
	g = owner_of(d, n, &e->mac);
	return g && g->ifindex != e->port ? g : NULL;
}

void doctor_check_macs(struct doctor *d)
{
	read_owners(d);
	for (size_t i = 0; i < d->f->host->n_fdb; i++) {
		const struct fdb_entry *e = &d->f->host->fdb[i];
		const struct inventory_guest *g = is_written(e) ? misplaced(d, e) : NULL;
		const struct link_state *p;
		char mac[MAC_STRLEN];
		struct doctor_finding f;

		if (!g)
			continue;
		p = actual_link_by_index(d->f->host, e->port);
		f = doctor_of_guest(DOCTOR_ERROR, "mac-table-wrong", g);
		mac_format(&e->mac, mac);
		diagnosis_cause(&f.why,
				"the bridge's MAC table has the guest's MAC fixed to %s, where the "
				"guest is not: nothing reaches it",
				p->name);
		diagnosis_saw(&f.why, "mac-table", "%s dev %s static", mac, p->name);
		diagnosis_saw(&f.why, "process", "%d (%s) has it at %s", (int)g->pid, g->comm,
			      g->port);
		diagnosis_mend(&f.why, "bridge fdb del %s dev %s master", mac,
			       shell_quote(p->name).text);
		diagnosis_advice(&f.why, "somebody has put that entry there; the bridge learns by "
					 "itself where the guest is");
		doctor_add(d, &f);
	}
}

/* ---- two of one kind ---- */

static bool is_misplaced(const struct doctor *d, const struct mac *mac)
{
	for (size_t i = 0; i < d->f->host->n_fdb; i++)
		if (mac_equal(&d->f->host->fdb[i].mac, mac) && misplaced(d, &d->f->host->fdb[i]))
			return true;
	return false;
}

/* On one Ethernet: in one bridge, or on one NIC. */
static bool are_together(const struct inventory_guest *a, const struct inventory_guest *b)
{
	return strcmp(a->bridge[0] ? a->bridge : a->uplink, b->bridge[0] ? b->bridge : b->uplink) ==
	       0;
}

static void saw_guest(struct diagnosis *d, const struct inventory_guest *g)
{
	char mac[MAC_STRLEN];

	diagnosis_saw(d, "guest", "%s%s%s%s, MAC %s", g->name, g->name[0] ? " (" : "", g->port,
		      g->name[0] ? ")" : "", mac_format(&g->mac, mac));
}

static void tell_mac_twice(struct doctor *d, const struct inventory_guest *g)
{
	struct doctor_finding f = doctor_of_guest(DOCTOR_ERROR, "mac-twice", g);
	char mac[MAC_STRLEN];

	if (is_misplaced(d, &g->mac))
		return;
	diagnosis_cause(&f.why,
			"several guests of one network have the MAC %s: each gets what is for the "
			"other, whoever has sent last",
			mac_format(&g->mac, mac));
	for (size_t i = 0; i < d->guests.n; i++)
		if (d->guests.v[i].has_mac && mac_equal(&d->guests.v[i].mac, &g->mac) &&
		    are_together(&d->guests.v[i], g))
			saw_guest(&f.why, &d->guests.v[i]);
	diagnosis_advice(&f.why, "give all but one of them another MAC");
	doctor_add(d, &f);
}

static void tell_address_twice(struct doctor *d, const struct inventory_guest *g,
			       const struct inventory_address *a)
{
	struct doctor_finding f = doctor_of_guest(DOCTOR_ERROR, "address-twice", g);
	size_t len = a->family == AF_INET ? 4 : 16;

	diagnosis_cause(&f.why, "several guests of one network use the address %s",
			address_str(a->family, a->addr).text);
	for (size_t i = 0; i < d->guests.n; i++) {
		const struct inventory_guest *o = &d->guests.v[i];

		for (size_t k = 0; k < o->n_addrs; k++)
			if (o->addrs[k].duplicate && o->addrs[k].family == a->family &&
			    memcmp(o->addrs[k].addr, a->addr, len) == 0 && are_together(o, g)) {
				saw_guest(&f.why, o);
				break;
			}
	}
	diagnosis_advice(&f.why,
			 "give all but one of them another address, then: ip neigh flush %s",
			 address_str(a->family, a->addr).text);
	doctor_add(d, &f);
}

/* The same findings come from each of them: doctor_add() takes the first. */
void doctor_check_duplicates(struct doctor *d)
{
	for (size_t i = 0; i < d->guests.n; i++) {
		const struct inventory_guest *g = &d->guests.v[i];

		if (!is_wanted(d, g))
			continue;
		if (g->duplicate_mac)
			tell_mac_twice(d, g);
		for (size_t k = 0; k < g->n_addrs; k++)
			if (g->addrs[k].duplicate)
				tell_address_twice(d, g, &g->addrs[k]);
	}
}
