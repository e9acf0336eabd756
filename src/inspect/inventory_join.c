/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inventory_join.c - links, MAC tables, neighbours, processes, namespaces and leases to guests. No I/O, no
 * clock; all look-ups are in sorted copies, so that ten thousand guests are no more than a sort.
 */
#include "inspect/inventory.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_S 300 /* a bridge forgets a MAC after that (br_stp_if.c: ageing_time) */

const char *const inventory_sources[] = {
	[INVENTORY_LEASE] = "lease-file", [INVENTORY_NEIGH] = "neighbour",
	[INVENTORY_ARP] = "arp",	  [INVENTORY_ND] = "nd",
	[INVENTORY_DHCP] = "dhcp",
};
_Static_assert(ARRAY_SIZE(inventory_sources) == INVENTORY_SOURCE_COUNT,
	       "a source without its word");

const char *const inventory_kinds[] = {
	[INVENTORY_TAP] = "tap",
	[INVENTORY_MACVTAP] = "macvtap",
	[INVENTORY_VETH] = "veth",
};
_Static_assert(ARRAY_SIZE(inventory_kinds) == INVENTORY_KIND_COUNT, "a kind without its word");

/* struct neigh - a neighbour of either family. */
struct neigh {
	struct mac mac;
	int ifindex;
	uint16_t state;
	uint32_t age_s;
	uint8_t family;
	uint8_t addr[16];
};

/* struct join - sorted copies of what @f has; owned. */
struct join {
	const struct inventory_facts *f;
	struct fdb_entry *fdb;			     /* by port */
	struct neigh *neighs;			     /* by MAC */
	struct foreign_lease *leases;		     /* by MAC */
	const struct vmm_holder **holders;	     /* by tap */
	const struct inventory_sighting **sightings; /* by port */
	size_t n_fdb, n_neighs, n_leases, n_holders;
};

/* ---- sorting ---- */

static int by_port(const void *a, const void *b)
{
	const struct fdb_entry *x = a, *y = b;

	return x->port < y->port ? -1 : x->port > y->port;
}

/* Both structs begin with their MAC. */
static int by_mac(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac));
}
_Static_assert(offsetof(struct neigh, mac) == 0 && offsetof(struct foreign_lease, mac) == 0,
	       "by_mac() compares the first bytes");

static int by_tap(const void *a, const void *b)
{
	const struct vmm_holder *const *x = a, *const *y = b;

	return strcmp((*x)->tap, (*y)->tap);
}

/* Those whose port is not known stand by their bridge, behind a sign that no name has. */
static int by_seen_port(const void *a, const void *b)
{
	const struct inventory_sighting *const *x = a, *const *y = b;
	int r = strcmp((*x)->port, (*y)->port);

	if (r == 0 && !(*x)->port[0])
		r = strcmp((*x)->bridge, (*y)->bridge);
	return r;
}

/* The first of @n sorted elements of @size bytes that is not below @key; @n when all are. */
static size_t first_of(const void *v, size_t n, size_t size, const void *key,
		       int (*cmp)(const void *a, const void *b))
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cmp((const char *)v + mid * size, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool useful(uint16_t state)
{
	return !(state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP)) && state != NUD_NONE;
}

static void take_neighs(struct join *j)
{
	const struct inventory_facts *f = j->f;

	for (size_t i = 0; i < f->n_neighs; i++) {
		const struct neigh_entry *e = &f->neighs[i];
		struct neigh *n = &j->neighs[j->n_neighs];

		if (!useful(e->state))
			continue;
		*n = (struct neigh){e->mac, e->ifindex, e->state, e->age_s, AF_INET, {0}};
		memcpy(n->addr, &e->addr, sizeof(e->addr));
		j->n_neighs++;
	}
	for (size_t i = 0; i < f->n_neighs6; i++) {
		const struct neigh6_entry *e = &f->neighs6[i];
		struct neigh *n = &j->neighs[j->n_neighs];

		if (!useful(e->state))
			continue;
		*n = (struct neigh){e->mac, e->ifindex, e->state, e->age_s, AF_INET6, {0}};
		memcpy(n->addr, &e->addr, sizeof(e->addr));
		j->n_neighs++;
	}
}

static int join_prepare(struct join *j)
{
	const struct inventory_facts *f = j->f;

	j->fdb = calloc(f->actual->n_fdb + 1, sizeof(*j->fdb));
	j->neighs = calloc(f->n_neighs + f->n_neighs6 + 1, sizeof(*j->neighs));
	j->leases = calloc(f->leases->n + 1, sizeof(*j->leases));
	j->holders = calloc(f->n_holders + 1, sizeof(*j->holders));
	j->sightings = calloc(f->n_sightings + 1, sizeof(*j->sightings));
	if (!j->fdb || !j->neighs || !j->leases || !j->holders || !j->sightings)
		return -ENOMEM;
	for (size_t i = 0; i < f->actual->n_fdb; i++)
		if (!f->actual->fdb[i].local)
			j->fdb[j->n_fdb++] = f->actual->fdb[i];
	take_neighs(j);
	for (size_t i = 0; i < f->leases->n; i++)
		j->leases[j->n_leases++] = f->leases->v[i];
	for (size_t i = 0; i < f->n_holders; i++)
		j->holders[j->n_holders++] = &f->holders[i];
	for (size_t i = 0; i < f->n_sightings; i++)
		j->sightings[i] = &f->sightings[i];
	qsort(j->sightings, f->n_sightings, sizeof(*j->sightings), by_seen_port);
	qsort(j->fdb, j->n_fdb, sizeof(*j->fdb), by_port);
	qsort(j->neighs, j->n_neighs, sizeof(*j->neighs), by_mac);
	qsort(j->leases, j->n_leases, sizeof(*j->leases), by_mac);
	qsort(j->holders, j->n_holders, sizeof(*j->holders), by_tap);
	return 0;
}

static void join_done(struct join *j)
{
	free(j->fdb);
	free(j->neighs);
	free(j->leases);
	free(j->holders);
	free(j->sightings);
}

/* ---- which ports are guests' ---- */

static bool is_behind(const struct join *j, const struct mac *mac, int port)
{
	const struct fdb_entry key = {.port = port};

	for (size_t i = first_of(j->fdb, j->n_fdb, sizeof(key), &key, by_port);
	     i < j->n_fdb && j->fdb[i].port == port; i++)
		if (mac_equal(&j->fdb[i].mac, mac))
			return true;
	return false;
}

/* A veth can also be the host's own way out: then its gateway is behind it. */
static bool is_way_out(const struct join *j, const struct link_state *l)
{
	const struct actual *a = j->f->actual;

	for (size_t i = 0; i < a->n_routes; i++) {
		if (a->routes[i].oif != l->master || !a->routes[i].gateway.s_addr)
			continue;
		for (size_t n = 0; n < j->f->n_neighs; n++)
			if (ip4_equal(j->f->neighs[n].addr, a->routes[i].gateway) &&
			    is_behind(j, &j->f->neighs[n].mac, l->ifindex))
				return true;
	}
	return false;
}

/* Point-to-point tun interfaces (VPNs) have the kind of taps, and no MAC. */
static bool guest_kind(const struct join *j, const struct link_state *l, enum inventory_kind *ret)
{
	if (strcmp(l->kind, "tun") == 0 && !mac_is_zero(&l->mac))
		*ret = INVENTORY_TAP;
	else if (strcmp(l->kind, "macvtap") == 0)
		*ret = INVENTORY_MACVTAP;
	else if (strcmp(l->kind, "veth") == 0 && l->master && !is_way_out(j, l))
		*ret = INVENTORY_VETH;
	else
		return false;
	return true;
}

/* ---- what is known of one ---- */

static const struct vmm_holder *holder_of(const struct join *j, const char *tap)
{
	const struct vmm_holder key_of = {0}, *key = &key_of, *best = NULL;
	struct vmm_holder named = key_of;

	snprintf(named.tap, sizeof(named.tap), "%s", tap);
	key = &named;
	for (size_t i = first_of(j->holders, j->n_holders, sizeof(key), &key, by_tap);
	     i < j->n_holders && strcmp(j->holders[i]->tap, tap) == 0; i++)
		if (!best || (!best->nic_model[0] && j->holders[i]->nic_model[0]))
			best = j->holders[i];
	return best;
}

static const struct netns_holder *netns_of(const struct join *j, const struct link_state *l)
{
	for (size_t i = 0; i < j->f->n_netns && l->elsewhere; i++)
		if (j->f->netns[i].id == l->link_netnsid)
			return &j->f->netns[i];
	return NULL;
}

static void set_name(struct inventory_guest *g, const char *name)
{
	if (!g->name[0])
		snprintf(g->name, sizeof(g->name), "%s", name);
}

static void add_process(const struct join *j, const struct link_state *l, struct inventory_guest *g)
{
	const struct vmm_holder *h = holder_of(j, l->name);
	const struct netns_holder *n = netns_of(j, l);

	if (strncmp(l->alias, ALIAS_GUEST, strlen(ALIAS_GUEST)) == 0)
		set_name(g, l->alias + strlen(ALIAS_GUEST));
	if (h) {
		g->pid = h->pid;
		snprintf(g->comm, sizeof(g->comm), "%s", h->comm);
		snprintf(g->nic_model, sizeof(g->nic_model), "%s", h->nic_model);
		g->has_mac = h->has_mac;
		g->mac = h->mac;
		set_name(g, h->vm_name);
	}
	if (n) {
		g->pid = n->pid;
		snprintf(g->comm, sizeof(g->comm), "%s", n->comm);
		set_name(g, n->name);
	}
}

static void set_network(struct inventory_guest *g, const char *alias)
{
	static const char *const before[] = {ALIAS_NETWORK, ALIAS_BRIDGED};

	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		if (strncmp(alias, before[i], strlen(before[i])) == 0)
			snprintf(g->network, sizeof(g->network), "%s", alias + strlen(before[i]));
}

static bool is_uplink(const struct join *j, const struct link_state *l)
{
	enum inventory_kind kind;

	return l->master && strcmp(l->kind, "tun") != 0 && !guest_kind(j, l, &kind);
}

/* The port by which the guests of bridge @ifindex are on a LAN. */
static const char *uplink_of(const struct join *j, int ifindex)
{
	const struct actual *a = j->f->actual;

	for (size_t i = 0; i < a->n_links; i++)
		if (a->links[i].master == ifindex && is_uplink(j, &a->links[i]))
			return a->links[i].name;
	return "";
}

static void add_place(const struct join *j, const struct link_state *l, struct inventory_guest *g)
{
	const struct actual *a = j->f->actual;
	const struct link_state *bridge = actual_link_by_index(a, l->master);
	const struct link_state *below = actual_link_by_index(a, l->link);

	if (g->kind == INVENTORY_MACVTAP && below && !l->elsewhere)
		snprintf(g->uplink, sizeof(g->uplink), "%s", below->name);
	if (!l->master || !bridge)
		return;
	snprintf(g->bridge, sizeof(g->bridge), "%s", bridge->name);
	set_network(g, bridge->alias);
	for (size_t i = 0; i < a->n_port_vlans && bridge->vlan_filtering; i++)
		if (a->port_vlans[i].port == l->ifindex && a->port_vlans[i].access)
			g->vlan = a->port_vlans[i].vid;
}

/* The MAC that was seen last, unless the VMM said which it is; how many others, and when. */
static void add_macs(const struct join *j, const struct link_state *l, struct inventory_guest *g)
{
	const struct fdb_entry key = {.port = l->ifindex}, *best = NULL;
	size_t n = 0;

	if (g->kind == INVENTORY_MACVTAP) {
		g->mac = l->mac;
		g->has_mac = true;
	}
	for (size_t i = first_of(j->fdb, j->n_fdb, sizeof(key), &key, by_port);
	     i < j->n_fdb && j->fdb[i].port == l->ifindex; i++) {
		const struct fdb_entry *e = &j->fdb[i];

		/* With VLANs a MAC has one entry for each. */
		if (best && mac_equal(&best->mac, &e->mac))
			continue;
		if (!g->has_mac || !mac_equal(&g->mac, &e->mac))
			n++;
		/* A pinned one is renewed by frames as a learned one is; it begins when it is pinned. */
		if ((!e->is_static || e->sticky) && (g->seen_s < 0 || e->age_s < g->seen_s))
			g->seen_s = e->age_s;
		if (!best || e->age_s < best->age_s)
			best = e;
	}
	if (g->has_mac) {
		g->more_macs = (unsigned int)n;
	} else if (best) {
		g->has_mac = true;
		g->mac = best->mac;
		g->more_macs = (unsigned int)n - 1;
	}
}

/* ---- addresses ---- */

static size_t addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static void add_address(struct inventory_guest *g, const struct inventory_address *a)
{
	for (size_t i = 0; i < g->n_addrs; i++) {
		struct inventory_address *old = &g->addrs[i];

		if (old->family != a->family ||
		    memcmp(old->addr, a->addr, addr_len(a->family)) != 0)
			continue;
		if (a->age_s >= 0 && (old->age_s < 0 || a->age_s < old->age_s))
			old->age_s = a->age_s;
		old->stale = old->stale && a->stale;
		old->duplicate = old->duplicate || a->duplicate;
		return;
	}
	if (g->n_addrs < INVENTORY_ADDRS_MAX)
		g->addrs[g->n_addrs++] = *a;
}

static void add_leases(const struct join *j, struct inventory_guest *g)
{
	for (size_t i = first_of(j->leases, j->n_leases, sizeof(*j->leases), &g->mac, by_mac);
	     i < j->n_leases && mac_equal(&j->leases[i].mac, &g->mac); i++) {
		const struct foreign_lease *l = &j->leases[i];
		struct inventory_address a = {
			.family = AF_INET, .source = INVENTORY_LEASE, .age_s = -1};

		memcpy(a.addr, &l->addr, sizeof(l->addr));
		a.stale = l->expires_s && l->expires_s <= j->f->now_s;
		add_address(g, &a);
		set_name(g, l->hostname);
	}
}

/* Is interface @ifindex the guest's bridge or port, or on top of its bridge (a VLAN)? */
static bool on_its_way(const struct join *j, const struct link_state *l, int ifindex)
{
	const struct link_state *on;

	if (ifindex == l->ifindex || ifindex == l->master || (!l->master && ifindex == l->link))
		return true;
	on = actual_link_by_index(j->f->actual, ifindex);
	return on && l->master && on->link == l->master && !on->elsewhere;
}

static bool neigh_stale(const struct neigh *n, const struct inventory_guest *g)
{
	if (n->state & (NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT))
		return false;
	return n->age_s > SILENT_S && (g->seen_s < 0 || g->seen_s > SILENT_S);
}

static void add_neighs(const struct join *j, const struct link_state *l, struct inventory_guest *g)
{
	for (size_t i = first_of(j->neighs, j->n_neighs, sizeof(*j->neighs), &g->mac, by_mac);
	     i < j->n_neighs && mac_equal(&j->neighs[i].mac, &g->mac); i++) {
		const struct neigh *n = &j->neighs[i];
		struct inventory_address a = {.family = n->family,
					      .source = INVENTORY_NEIGH,
					      .age_s = n->state & NUD_PERMANENT ? -1
										: (int64_t)n->age_s,
					      .stale = neigh_stale(n, g)};

		if (!on_its_way(j, l, n->ifindex))
			continue;
		memcpy(a.addr, n->addr, sizeof(a.addr));
		add_address(g, &a);
	}
}

static void add_sighting(struct inventory_guest *g, const struct inventory_sighting *s)
{
	struct inventory_address a = {.family = s->family,
				      .source = s->source,
				      .age_s = s->age_s,
				      .stale = s->stale && (g->seen_s < 0 || g->seen_s > SILENT_S),
				      .duplicate = s->duplicate};

	memcpy(a.addr, s->addr, sizeof(a.addr));
	add_address(g, &a);
}

/* Heard at its port, whatever the MAC: guests inside it among them. Else by its MAC, on its bridge. */
static void add_sightings(const struct join *j, struct inventory_guest *g)
{
	struct inventory_sighting named = {0};
	const struct inventory_sighting *key = &named;
	size_t n = j->f->n_sightings;

	for (int with_port = 1; with_port >= 0; with_port--) {
		memcpy(named.bridge, g->bridge, sizeof(named.bridge));
		memcpy(named.port, with_port ? g->port : "", with_port ? sizeof(g->port) : 1);
		for (size_t i = first_of(j->sightings, n, sizeof(key), &key, by_seen_port);
		     i < n && by_seen_port(&j->sightings[i], &key) == 0; i++) {
			const struct inventory_sighting *s = j->sightings[i];

			if (with_port || (g->has_mac && mac_equal(&s->mac, &g->mac)))
				add_sighting(g, s);
		}
	}
}

/* A MAC that comes and goes between two ports is at both. */
static void add_twins(const struct inventory_facts *f, struct inventory *in)
{
	for (size_t i = 0; i < f->n_sightings; i++) {
		const struct inventory_sighting *s = &f->sightings[i];

		for (size_t k = 0; k < in->n && s->also_at[0]; k++)
			if (strcmp(in->v[k].port, s->port) == 0 ||
			    strcmp(in->v[k].port, s->also_at) == 0)
				in->v[k].duplicate_mac = true;
	}
}

static void describe(const struct join *j, const struct link_state *l, enum inventory_kind kind,
		     struct inventory_guest *g)
{
	*g = (struct inventory_guest){.kind = kind, .ifindex = l->ifindex, .seen_s = -1};
	memcpy(g->port, l->name, sizeof(g->port));
	g->up = l->up;
	g->carrier = l->carrier;
	add_process(j, l, g);
	add_place(j, l, g);
	add_macs(j, l, g);
	if (g->has_mac) {
		add_leases(j, g);
		add_neighs(j, l, g);
	}
	add_sightings(j, g);
}

/* ---- two of one kind ---- */

/* struct claim - a guest's MAC or address, on its bridge. */
struct claim {
	char bridge[IFNAMSIZ];
	uint8_t family; /* 0: a MAC */
	uint8_t bytes[16];
	size_t guest;
	bool *duplicate;
};

static int by_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = strcmp(x->bridge, y->bridge);

	if (r == 0)
		r = (int)x->family - (int)y->family;
	return r ? r : memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

/* Guests that are on a LAN by the same interface are on one Ethernet, as those of a bridge are. */
static void claim_place(struct claim *c, const struct inventory_guest *g)
{
	memcpy(c->bridge, g->bridge[0] ? g->bridge : g->uplink, sizeof(c->bridge));
}

static size_t take_claims(struct inventory *in, struct claim *c)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n; i++) {
		struct inventory_guest *g = &in->v[i];

		if (!g->has_mac || !(g->bridge[0] || g->uplink[0]))
			continue;
		c[n] = (struct claim){.guest = i, .duplicate = &g->duplicate_mac};
		claim_place(&c[n], g);
		memcpy(c[n++].bytes, &g->mac, sizeof(g->mac));
		for (size_t k = 0; k < g->n_addrs; k++) {
			if (g->addrs[k].stale)
				continue;
			c[n] = (struct claim){.family = g->addrs[k].family,
					      .guest = i,
					      .duplicate = &g->addrs[k].duplicate};
			claim_place(&c[n], g);
			memcpy(c[n++].bytes, g->addrs[k].addr, addr_len(g->addrs[k].family));
		}
	}
	return n;
}

/* Guests with one MAC share all its addresses: the MAC is what is to be told of them. */
static bool one_mac(const struct inventory *in, const struct claim *a, const struct claim *b)
{
	return a->family && mac_equal(&in->v[a->guest].mac, &in->v[b->guest].mac);
}

static int find_duplicates(struct inventory *in)
{
	struct claim *c = calloc(in->n * (1 + INVENTORY_ADDRS_MAX) + 1, sizeof(*c));
	size_t n;

	if (!c)
		return -ENOMEM;
	n = take_claims(in, c);
	qsort(c, n, sizeof(*c), by_claim);
	for (size_t i = 1; i < n; i++) {
		if (by_claim(&c[i - 1], &c[i]) != 0 || c[i - 1].guest == c[i].guest ||
		    one_mac(in, &c[i - 1], &c[i]))
			continue;
		*c[i - 1].duplicate = true;
		*c[i].duplicate = true;
	}
	free(c);
	return 0;
}

/* ---- all of them ---- */

static int by_place(const void *a, const void *b)
{
	const struct inventory_guest *x = a, *y = b;
	int r = strcmp(x->bridge, y->bridge);

	if (r == 0)
		r = strcmp(x->name, y->name);
	return r ? r : strcmp(x->port, y->port);
}

/* Bridges' uplinks are looked for once a bridge: guests stand sorted by bridge. */
static void add_uplinks(const struct join *j, struct inventory *in)
{
	for (size_t i = 0; i < in->n; i++) {
		struct inventory_guest *g = &in->v[i];
		const struct link_state *bridge;

		if (!g->bridge[0])
			continue;
		if (i && strcmp(g[-1].bridge, g->bridge) == 0) {
			memcpy(g->uplink, g[-1].uplink, sizeof(g->uplink));
			continue;
		}
		bridge = actual_link_by_name(j->f->actual, g->bridge);
		snprintf(g->uplink, sizeof(g->uplink), "%s", uplink_of(j, bridge->ifindex));
	}
}

int inventory_join(const struct inventory_facts *f, struct inventory *ret)
{
	struct inventory in = {.v = calloc(f->actual->n_links + 1, sizeof(*in.v))};
	struct join j = {.f = f};
	int r = in.v ? join_prepare(&j) : -ENOMEM;

	for (size_t i = 0; i < f->actual->n_links && r == 0; i++) {
		enum inventory_kind kind;

		if (guest_kind(&j, &f->actual->links[i], &kind))
			describe(&j, &f->actual->links[i], kind, &in.v[in.n++]);
	}
	if (r == 0) {
		qsort(in.v, in.n, sizeof(*in.v), by_place);
		add_uplinks(&j, &in);
		add_twins(f, &in);
		r = find_duplicates(&in);
	}
	join_done(&j);
	if (r < 0)
		inventory_done(&in);
	else
		*ret = in;
	return r;
}

void inventory_done(struct inventory *i)
{
	free(i->v);
	*i = (struct inventory){0};
}
