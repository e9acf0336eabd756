/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard_ports.c - what the guards of a port are to know, and which ports have some; see guard_ports.h. */
#include "daemon/guard_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* ---- leases ---- */

int guard_leases(struct manager *m, const struct network_config *c, struct guard_leases *ret,
		 struct err *e)
{
	struct network_rt *n = manager_network(m, c->name);
	int r;

	*ret = (struct guard_leases){0};
	if (!c->dhcp)
		return 0;
	if (n && n->dhcp) {
		ret->table = lease_server_table(n->dhcp);
		return 0;
	}
	r = lease_table_new(&ret->own);
	if (r == 0)
		r = lease_store_load(m->leases, c->name, ret->own, e);
	if (r < 0 && !e->code[0])
		err_set(e, r, "memory", c->name, "%s", strerror(-r));
	ret->table = ret->own;
	return r;
}

void guard_leases_done(struct guard_leases *l)
{
	lease_table_free(l->own);
	*l = (struct guard_leases){0};
}

/* ---- facts ---- */

/* Addresses of the LAN's, or of a network without the host, are known only where they are written. */
static bool are_ours(const struct network_config *c)
{
	return c->mode != NETWORK_BRIDGED && (c->mode != NETWORK_ISOLATED || c->host);
}

static int add_prefixes(const struct guest_config *known, struct port_facts *f)
{
	int r = 0;

	for (size_t i = 0; known && i < known->n_addresses && r == 0; i++) {
		f->known4 |= known->addresses[i].ip4.len != 0;
		f->known6 |= known->addresses[i].ip6.len != 0;
		r = port_facts_prefix(f, &known->addresses[i]);
	}
	return r;
}

static int add_network(struct manager *m, const struct network_config *c,
		       const struct guest_config *known, struct port_facts *f)
{
	const struct mac bridge = mac_derive(m->host_id, c->name, "", 0);
	const struct in6_addr local = ip6_linklocal(&bridge);
	const struct guest_prefix subnet = {.ip4 = c->subnet};
	int r = port_facts_router6(f, &local);

	f->known6 = true;
	if (c->ipv6.subnet.len) {
		f->has_net6 = true;
		memcpy(f->net6, &c->ipv6.subnet.addr, sizeof(f->net6));
		r = r < 0 ? r : port_facts_router6(f, &c->ipv6.gateway);
	}
	if (!network_has_ipv4(c))
		return r;
	f->gateway = c->gateway.s_addr;
	/* Where nobody gives addresses out guests choose their own. */
	if (r == 0 && !c->dhcp && !f->known4 && !(known && known->has_ipv4))
		r = port_facts_prefix(f, &subnet);
	f->known4 = true;
	return r;
}

static int add_mac(const struct mac *mac, const struct guest_config *known,
		   const struct lease_table *leases, struct port_facts *f)
{
	const struct lease *l = leases ? lease_find_mac(leases, mac) : NULL;
	int r = port_facts_mac(f, mac);

	if (r == 0 && known && known->has_ipv4)
		r = port_facts_pair(f, mac, known->ipv4);
	if (r == 0 && l && l->state == LEASE_BOUND && lease_live(l, clock_wall_s()))
		r = port_facts_pair(f, mac, l->addr);
	return r;
}

#define MAC_AGE_DEFAULT_S 300 /* of bridges that are taken as they are */

static uint32_t limit_of(const struct network_config *c, const struct guest_config *known,
			 uint16_t on, enum guard g)
{
	return on & 1u << g ? guard_limit_of(c, known, g) : 0;
}

static void add_limits(const struct network_config *c, const struct guest_config *known,
		       struct port_facts *f)
{
	f->group_rate[0] = limit_of(c, known, f->guards, GUARD_BROADCAST);
	f->group_rate[1] = limit_of(c, known, f->guards, GUARD_MULTICAST);
	/* With guard `mac` there are no others. */
	if (f->guards & 1u << GUARD_MAC)
		return;
	f->macs_max = limit_of(c, known, f->guards, GUARD_MACS);
	if (f->macs_max)
		f->mac_age_s = c->ageing_s ? c->ageing_s : MAC_AGE_DEFAULT_S;
}

int guard_facts(struct manager *m, const struct network_config *c, const struct state_guest *g,
		const struct lease_table *leases, struct port_facts *ret)
{
	const struct guest_config *known = network_guest_find(c, g->name);
	struct port_facts f;
	int r;

	memset(&f, 0, sizeof(f));
	f.guards = guards_of(c, known);
	add_limits(c, known, &f);
	r = add_mac(&g->mac, known, leases, &f);
	for (size_t i = 0; known && i < known->n_macs && r == 0; i++)
		r = add_mac(&known->macs[i], known, leases, &f);
	if (r == 0)
		r = add_prefixes(known, &f);
	if (r == 0 && are_ours(c))
		r = add_network(m, c, known, &f);
	*ret = f;
	return r;
}

/* ---- which ports ---- */

struct guard_port *guard_port_find(struct manager *m, const char *tap)
{
	struct guard_port *p;

	HASH_FIND_STR(m->guard_ports, tap, p);
	return p;
}

int guard_port_note(struct manager *m, const char *tap, int ifindex)
{
	struct guard_port *p = guard_port_find(m, tap);

	if (p && ifindex) {
		if (p->ifindex != ifindex)
			memset(p->told, 0, sizeof(p->told));
		p->ifindex = ifindex;
	} else if (p) {
		HASH_DEL(m->guard_ports, p);
		free(p);
	} else if (ifindex) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		strcpy(p->tap, tap);
		p->ifindex = ifindex;
		HASH_ADD_STR(m->guard_ports, tap, p);
	}
	return 0;
}

void guard_done(struct manager *m)
{
	struct guard_port *p, *next;

	m->guard_tell = sd_event_source_disable_unref(m->guard_tell);
	HASH_ITER (hh, m->guard_ports, p, next) {
		HASH_DEL(m->guard_ports, p);
		free(p);
	}
	portguard_free(m->guard);
	m->guard = NULL;
}

int guard_open(struct manager *m, struct err *e)
{
	return m->guard ? 0 : portguard_open(&m->guard, e);
}

int guard_put(struct manager *m, const char *tap, int ifindex, const struct port_facts *f,
	      struct err *e)
{
	int r;

	if (!f->guards && !m->guard)
		return 0;
	r = guard_open(m, e);
	if (r == 0)
		r = f->guards ? portguard_put(m->guard, ifindex, f, e)
			      : portguard_remove(m->guard, ifindex, e);
	if (r == 0)
		r = guard_port_note(m, tap, f->guards ? ifindex : 0);
	return r;
}

/* ---- what is not told ---- */

static void keep_pins(struct manager *m)
{
	struct err e = {0};
	int r = portguard_keep(m->guard, &e);

	if (r > 0)
		log_notice(
			"the guards' pins were gone from the BPF filesystem; they are there again");
	if (r < 0 && !m->guard_unpinned)
		log_warning("the next vmlaned will not find the guards of this one: %s", e.message);
	m->guard_unpinned = r < 0;
}

bool guard_check(struct manager *m, size_t n)
{
	struct guard_port *p = guard_port_find(m, m->guard_next);
	size_t all = HASH_COUNT(m->guard_ports);
	struct port_facts facts;

	if (!m->guard || !all)
		return true;
	keep_pins(m);
	if (!portguard_is_silent())
		return true;
	for (size_t i = 0; i < n && i < all; i++) {
		int r;

		p = p ? p : m->guard_ports;
		r = portguard_look(m->guard, p->ifindex, &facts);
		if (r == -ENOENT || r == -ESTALE)
			return false;
		p = p->hh.next;
	}
	strcpy(m->guard_next, p ? p->tap : "");
	return true;
}

bool guard_is_right(struct manager *m, const char *tap)
{
	const struct guard_port *p = guard_port_find(m, tap);
	struct port_facts facts;
	int r;

	if (!m->guard || !p)
		return true;
	r = portguard_look(m->guard, p->ifindex, &facts);
	return r != -ENOENT && r != -ESTALE;
}

bool guard_drops(struct manager *m, const char *tap, struct port_drops *ret)
{
	const struct guard_port *p = guard_port_find(m, tap);

	return p && m->guard && portguard_drops(m->guard, p->ifindex, ret) == 0;
}
