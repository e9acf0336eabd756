/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_guard.c - drops by the guards at a guest's port (guard_mark.h tells which one): what it was
 * that is not the guest's, and how it gets leave.
 */
#include "path/diagnose_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "path/guard_mark.h"

#define ETHERTYPE_ARP 0x0806

bool is_guard(const struct look *l)
{
	return guard_mark_of(&l->drop->decision) < GUARD_COUNT;
}

/* struct port - the guest's; @guest, @network: names by the links' aliases, NULL when not known. */
struct port {
	const struct link_state *tap;
	const struct link_state *bridge;
	const char *guest;
	const char *network;
};

static const char *after(const struct link_state *l, const char *prefix)
{
	size_t len = strlen(prefix);

	return l && strncmp(l->alias, prefix, len) == 0 ? l->alias + len : NULL;
}

static struct port port_of(const struct look *l)
{
	struct port p = {0};

	for (size_t i = 0; i < l->g->n_hops && !p.tap; i++)
		if (l->g->hops[i].kind == HOP_VM_OUT)
			p.tap = fact_link(l->f, l->g->hops[i].ifindex);
	p.bridge = p.tap && p.tap->master ? fact_link(l->f, p.tap->master) : NULL;
	p.guest = after(p.tap, ALIAS_GUEST);
	p.network = after(p.bridge, ALIAS_NETWORK);
	if (!p.network)
		p.network = after(p.bridge, ALIAS_BRIDGED);
	return p;
}

/* The address that was not the guest's; false where it is not one, or was not seen. */
static bool offending(const struct look *l, enum guard g, struct address_str *ret)
{
	const struct path_seen *s = &l->drop->seen;
	bool arp = s->ethertype == ETHERTYPE_ARP;

	if (g != GUARD_IP && !(g == GUARD_ARP && arp))
		return false;
	if (!arp && l->family != AF_INET && l->family != AF_INET6)
		return false;
	*ret = address_str(arp ? AF_INET : l->family, s->src);
	return true;
}

static bool is_routers(const struct look *l, const struct port *p, const struct address_str *a)
{
	for (size_t i = 0; p->bridge && i < l->f->host->n_addrs; i++) {
		const struct addr_state *h = &l->f->host->addrs[i];
		char text[IP4_STRLEN];

		if (h->ifindex == p->bridge->ifindex &&
		    strcmp(ip4_format(h->prefix.addr, text), a->text) == 0)
			return true;
	}
	return false;
}

static void tell_address(const struct port *p, enum guard g, const struct address_str *a,
			 struct diagnosis *d)
{
	diagnosis_mend(d, "vmlane network set %s 'guests.%s.addresses=[%s]'", p->network, p->guest,
		       a->text);
	diagnosis_advice(d,
			 "if the guest has others in `addresses`, they belong into that list too; "
			 "or let it send as anybody: guests.%s.guard.%s=off",
			 p->guest, guard_name(g));
}

bool is_guard_by_hand(const struct look *l)
{
	const struct path_decision *p = &l->drop->decision;

	return p->drops && strcmp(p->family, "bridge") == 0 && strcmp(p->table, GUARD_BY_HAND) == 0;
}

/* To accept it ahead of that rule would undo what somebody has done on purpose. */
void tell_guard_by_hand(const struct look *l, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;
	struct port port = port_of(l);

	diagnosis_saw(d, "rule", "bridge %s %s handle %llu \"%.100s\"", p->table, p->chain,
		      (unsigned long long)p->handle, p->rule);
	diagnosis_cause(
		d,
		"a rule in table bridge %s drops it, which somebody has put there so that the "
		"guest%s%s does not mislead the others: %.120s",
		p->table, port.tap ? " behind " : "", port.tap ? port.tap->name : "", p->rule);
	diagnosis_advice(
		d,
		"nothing is broken, unless that guest shall do this: nft delete rule bridge "
		"%s %s handle %llu",
		p->table, p->chain, (unsigned long long)p->handle);
}

/* It does nothing wrong, but too much of it. */
static void tell_beyond(const struct port *p, enum guard g, struct diagnosis *d)
{
	const char *what = guard_is_rate(g) ? "frames a second" : "MACs besides its own";

	diagnosis_mend(d, "vmlane network set %s guests.%s.limits.%s=unlimited", p->network,
		       p->guest, guard_name(g));
	diagnosis_advice(
		d,
		"or a higher limit, limits.%s, in %s (%u%s where nothing is written); vmlane "
		"filter list %s shows how much it has dropped%s",
		guard_name(g), what, guard_limit_default(g), guard_is_rate(g) ? "/s" : "", p->guest,
		g == GUARD_MACS ? "; MACs that are known belong into the guest's `macs`"
				: "; a loop or a scan in the guest is the usual cause");
}

void tell_guard(const struct look *l, struct diagnosis *d)
{
	enum guard g = guard_mark_of(&l->drop->decision);
	struct port p = port_of(l);
	struct address_str a = {.text = ""};
	const char *who = p.guest ? p.guest : "the guest";
	char mac[MAC_STRLEN];
	struct mac smac;
	bool address = offending(l, g, &a), is_mac = g == GUARD_MAC || g == GUARD_MACS;

	memcpy(smac.b, l->drop->seen.smac, sizeof(smac.b));
	mac_format(&smac, mac);
	diagnosis_saw(d, "guard", "%s", guard_name(g));
	diagnosis_saw(d, "source", "%s%s%s", mac, address ? " " : "", a.text);
	diagnosis_cause(d, "guard `%s` at %s's port drops %s%s%s", guard_name(g), who,
			guard_what(g), address || is_mac ? ": " : "",
			address	 ? a.text
			: is_mac ? mac
				 : "");
	if (address && is_routers(l, &p, &a)) {
		diagnosis_advice(d, "%s is the router's address: give the guest another", a.text);
	} else if (!p.guest || !p.network) {
		diagnosis_advice(d, "`guard` and `addresses` of the guest in its network's file, "
				    "vmlane.yaml(5)");
	} else if (address) {
		tell_address(&p, g, &a, d);
	} else if (g >= GUARD_LIMITED) {
		tell_beyond(&p, g, d);
	} else {
		diagnosis_mend(d, "vmlane network set %s guests.%s.guard.%s=off", p.network,
			       p.guest, guard_name(g));
		diagnosis_advice(d, "only where the guest shall be trusted with that%s",
				 g == GUARD_MAC ? "; MACs of VMs inside it belong into its `macs`"
						: "");
	}
}
