/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.c - the steps from what the kernel has to what it should have; see plan.h.
 *
 * It looks everything up in sorted indexes, so that thousands of networks and taps take
 * milliseconds. Next on the walk: daemon/reconcile.c carries the steps out.
 */
#include "model/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "model/ipv6.h"
#include "model/plan_owner.h"
#include "model/plan_fdb.h"
#include "model/plan_vlan.h"

/* enum turn - see turn_of(). */
enum turn {
	TURN_FIRST,
	TURN_OTHER,
	TURN_LAST,
};

/* struct sysctl_ref - the sysctl of @index, by the interface its path names ("" for none). */
struct sysctl_ref {
	enum turn turn;
	char ifname[IFNAMSIZ];
	size_t index;
};

/**
 * struct differ - a plan in the making
 * @links:	the kernel's, by name
 * @addrs:	the kernel's, by interface, else in the order of the dump
 * @fdb:	the kernel's MAC tables, by port
 * @networks:	the desired, by bridge
 * @taps:	the desired, by name
 * @sysctls:	the desired that differ, by turn and interface; @n_sysctls of them, of which from
 *		@first_other to @first_last are TURN_OTHER
 * @spare:	what add() gives after -ENOMEM
 */
struct differ {
	const struct desired *d;
	const struct actual *a;
	const struct link_state **links;
	const struct addr_state **addrs;
	struct fdb_index fdb;
	const struct desired_network **networks;
	const struct desired_tap **taps;
	struct sysctl_ref *sysctls;
	size_t n_sysctls;
	size_t first_other;
	size_t first_last;
	struct plan plan;
	size_t cap;
	int error;
	struct plan_step spare;
};

/* ---- indexes ---- */

#define KERNEL_AGEING 30000 /* of a new bridge, in 1/100 s */

#define INDEX(array, n) make_index(array, n, sizeof(*(array)))

/* Pointers to the @n elements of @array; NULL when out of memory. */
static void *make_index(const void *array, size_t n, size_t size)
{
	const char **index = calloc(n + 1, sizeof(*index));

	for (size_t i = 0; index && i < n; i++)
		index[i] = (const char *)array + i * size;
	return index;
}

static int link_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct link_state *const *)a)->name,
		      (*(const struct link_state *const *)b)->name);
}

static int network_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct desired_network *const *)a)->config->bridge,
		      (*(const struct desired_network *const *)b)->config->bridge);
}

static int tap_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct desired_tap *const *)a)->name,
		      (*(const struct desired_tap *const *)b)->name);
}

static int addr_cmp(const void *a, const void *b)
{
	const struct addr_state *x = *(const struct addr_state *const *)a;
	const struct addr_state *y = *(const struct addr_state *const *)b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int sysctl_cmp(const void *a, const void *b)
{
	const struct sysctl_ref *x = a, *y = b;
	int order = strcmp(x->ifname, y->ifname);

	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	if (order)
		return order;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* "net/ipv4/conf/eth0/forwarding" is eth0's, "net/ipv4/ip_forward" and .../all/... nobody's. */
static void sysctl_ifname(const char *path, char ret[static IFNAMSIZ])
{
	const char *name = strstr(path, "/conf/");
	size_t len;

	ret[0] = '\0';
	if (!name)
		return;
	name += strlen("/conf/");
	len = strcspn(name, "/");
	if (len >= IFNAMSIZ || !name[len])
		return;
	memcpy(ret, name, len);
	ret[len] = '\0';
	if (strcmp(ret, "all") == 0 || strcmp(ret, "default") == 0)
		ret[0] = '\0';
}

/*
 * When any interface's IPv6 forwarding goes on, the kernel deletes the default routes that router
 * advertisements gave to interfaces with accept_ra 1 (net/ipv6/route.c: rt6_purge_dflt_routers()).
 * So those have to have 2 before a bridge is made, and 1 only when all else is as it was.
 */
static enum turn turn_of(const struct sysctl_state *s)
{
	size_t len = strlen(s->path), end = strlen("/accept_ra");

	if (len < end || strcmp(s->path + len - end, "/accept_ra") != 0)
		return TURN_OTHER;
	return s->value[0] == '2' ? TURN_FIRST : s->value[0] == '1' ? TURN_LAST : TURN_OTHER;
}

static void index_sysctls(struct differ *x)
{
	const struct desired *d = x->d;

	for (size_t i = 0; i < d->n_sysctls; i++) {
		struct sysctl_ref *ref = &x->sysctls[x->n_sysctls];

		if (strcmp(d->sysctls[i].value, d->sysctls_now[i].value) == 0)
			continue;
		sysctl_ifname(d->sysctls[i].path, ref->ifname);
		ref->turn = turn_of(&d->sysctls[i]);
		ref->index = i;
		x->n_sysctls++;
	}
	qsort(x->sysctls, x->n_sysctls, sizeof(*x->sysctls), sysctl_cmp);
	for (size_t i = 0; i < x->n_sysctls; i++) {
		x->first_other += x->sysctls[i].turn < TURN_OTHER;
		x->first_last += x->sysctls[i].turn < TURN_LAST;
	}
}

static int make_indexes(struct differ *x)
{
	const struct desired *d = x->d;
	const struct actual *a = x->a;

	x->links = INDEX(a->links, a->n_links);
	x->addrs = INDEX(a->addrs, a->n_addrs);
	x->networks = INDEX(d->networks, d->n_networks);
	x->taps = INDEX(d->taps, d->n_taps);
	x->sysctls = calloc(d->n_sysctls + 1, sizeof(*x->sysctls));
	if (fdb_index_init(&x->fdb, a->fdb, a->n_fdb) < 0)
		return -ENOMEM;
	if (!x->links || !x->addrs || !x->networks || !x->taps || !x->sysctls)
		return -ENOMEM;
	qsort(x->links, a->n_links, sizeof(*x->links), link_cmp);
	qsort(x->addrs, a->n_addrs, sizeof(*x->addrs), addr_cmp);
	qsort(x->networks, d->n_networks, sizeof(*x->networks), network_cmp);
	qsort(x->taps, d->n_taps, sizeof(*x->taps), tap_cmp);
	index_sysctls(x);
	return 0;
}

static void differ_done(struct differ *x)
{
	free(x->links);
	free(x->addrs);
	fdb_index_done(&x->fdb);
	free(x->networks);
	free(x->taps);
	free(x->sysctls);
	plan_done(&x->plan);
}

static int link_find_cmp(const void *name, const void *link)
{
	return strcmp(name, (*(const struct link_state *const *)link)->name);
}

static const struct link_state *find_link(const struct differ *x, const char *name)
{
	const struct link_state **l =
		bsearch(name, x->links, x->a->n_links, sizeof(*x->links), link_find_cmp);

	return l ? *l : NULL;
}

static int network_find_cmp(const void *bridge, const void *network)
{
	return strcmp(bridge, (*(const struct desired_network *const *)network)->config->bridge);
}

static const struct desired_network *find_network(const struct differ *x, const char *bridge)
{
	const struct desired_network **n = bsearch(bridge, x->networks, x->d->n_networks,
						   sizeof(*x->networks), network_find_cmp);

	return n ? *n : NULL;
}

static int tap_find_cmp(const void *name, const void *tap)
{
	return strcmp(name, (*(const struct desired_tap *const *)tap)->name);
}

static const struct desired_tap *find_tap(const struct differ *x, const char *name)
{
	const struct desired_tap **t =
		bsearch(name, x->taps, x->d->n_taps, sizeof(*x->taps), tap_find_cmp);

	return t ? *t : NULL;
}

/* ---- whose is it? ---- */

static int check_owners(const struct differ *x, struct err_list *errs)
{
	struct err e;
	int r = 0;

	for (size_t i = 0; i < x->d->n_networks; i++) {
		const struct desired_network *n = &x->d->networks[i];

		if (!plan_bridge_in_way(n, find_link(x, n->config->bridge), &e))
			continue;
		err_list_push(errs, &e);
		r = -EEXIST;
	}
	for (size_t i = 0; i < x->d->n_taps; i++) {
		const struct desired_tap *t = &x->d->taps[i];

		if (!plan_tap_in_way(t, find_link(x, t->name), &e))
			continue;
		err_list_push(errs, &e);
		r = -EEXIST;
	}
	return r;
}

/* ---- steps ---- */

static struct plan_step *add(struct differ *x, enum step_kind kind, const char *ifname)
{
	struct plan_step *s = &x->spare;

	if (x->plan.n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 16;
		struct plan_step *steps = reallocarray(x->plan.steps, cap, sizeof(*steps));

		if (steps) {
			x->plan.steps = steps;
			x->cap = cap;
		}
	}
	if (x->plan.n < x->cap)
		s = &x->plan.steps[x->plan.n++];
	else
		x->error = -ENOMEM;
	*s = (struct plan_step){.kind = kind};
	snprintf(s->ifname, sizeof(s->ifname), "%s", ifname);
	return s;
}

/* What has a wanted name was found to be the wanted thing: check_owners() came first. */
static void add_deletions(struct differ *x)
{
	for (size_t i = 0; i < x->a->n_links; i++) {
		const struct link_state *l = &x->a->links[i];

		if (plan_is_our_tap(l, NULL) && !find_tap(x, l->name))
			add(x, STEP_TAP_DELETE, l->name);
	}
	for (size_t i = 0; i < x->a->n_links; i++) {
		const struct link_state *l = &x->a->links[i];

		if (plan_is_our_bridge(l, NULL) && !find_network(x, l->name))
			add(x, STEP_BRIDGE_DELETE, l->name);
	}
}

static uint32_t mtu_of(const struct desired_network *n)
{
	return n->mtu ? n->mtu : NETWORK_MTU_DEFAULT;
}

/* @l NULL: the interface is new and has the kernel's default. */
static void add_mtu(struct differ *x, const char *ifname, const struct link_state *l,
		    const struct desired_network *n)
{
	uint32_t now = l ? l->mtu : NETWORK_MTU_DEFAULT;
	struct plan_step *s;

	if (mtu_of(n) == now)
		return;
	s = add(x, STEP_LINK_MTU, ifname);
	s->mtu = mtu_of(n);
	snprintf(s->bridge, sizeof(s->bridge), "%s", n->config->bridge);
	snprintf(s->replaces, sizeof(s->replaces), "%u", now);
}

static void add_alias(struct differ *x, const char *ifname, const char *prefix, const char *name)
{
	struct plan_step *s = add(x, STEP_LINK_ALIAS, ifname);

	snprintf(s->alias, sizeof(s->alias), "%s%s", prefix, name);
}

static void add_up(struct differ *x, const char *ifname, const struct link_state *l)
{
	if (!l || !l->up)
		add(x, STEP_LINK_UP, ifname);
}

static void add_sysctl(struct differ *x, const struct sysctl_ref *ref, bool created)
{
	const char *now = x->d->sysctls_now[ref->index].value;
	struct plan_step *s;

	if (!now[0] && !created)
		return; /* this kernel does not have it */
	s = add(x, STEP_SYSCTL_SET, ref->ifname);
	s->sysctl = x->d->sysctls[ref->index];
	snprintf(s->replaces, sizeof(s->replaces), "%s", now);
}

static void add_sysctl_turn(struct differ *x, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		add_sysctl(x, &x->sysctls[i], false);
}

/* The sysctls of @ifname ("" for those of no interface); @created: their files come with it. */
static void add_sysctls(struct differ *x, const char *ifname, bool created)
{
	size_t low = x->first_other, high = x->first_last;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(x->sysctls[mid].ifname, ifname) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < x->first_last && strcmp(x->sysctls[low].ifname, ifname) == 0; low++)
		add_sysctl(x, &x->sysctls[low], created);
}

static void add_other_sysctls(struct differ *x)
{
	const char *last = NULL;

	for (size_t i = x->first_other; i < x->first_last; i++) {
		const char *ifname = x->sysctls[i].ifname;

		if (last && strcmp(last, ifname) == 0)
			continue;
		last = ifname;
		if (!find_network(x, ifname) && !find_tap(x, ifname))
			add_sysctls(x, ifname, false);
	}
}

/* ---- addresses ---- */

/* The first of @x->addrs on @ifindex, or past its end. */
static size_t first_addr(const struct differ *x, int ifindex)
{
	size_t low = 0, high = x->a->n_addrs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->addrs[mid]->ifindex < ifindex)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool prefix_equal(const struct ip4_prefix *a, const struct ip4_prefix *b)
{
	return a->len == b->len && ip4_equal(a->addr, b->addr);
}

static bool same_subnet(const struct ip4_prefix *a, const struct ip4_prefix *b)
{
	return a->len == b->len && ip4_equal(ip4_network(a), ip4_network(b));
}

static void add_addr_step(struct differ *x, enum step_kind kind, const char *ifname,
			  const struct ip4_prefix *p)
{
	add(x, kind, ifname)->addr = *p;
}

/*
 * One address, the gateway's; none in a network without addresses. The kernel deletes an address's
 * secondaries with it (unless promote_secondaries is set), so a gateway that is a secondary of one
 * that has to go is taken off first and put on again.
 */
static void add_addrs(struct differ *x, const struct network_config *c, const struct link_state *l)
{
	const struct ip4_prefix gateway = {c->gateway, c->subnet.len};
	size_t first = l ? first_addr(x, l->ifindex) : x->a->n_addrs;
	size_t end = first;
	bool have = !network_has_ipv4(c), secondary = false, wrong_before = false;

	for (; end < x->a->n_addrs && x->addrs[end]->ifindex == l->ifindex; end++) {
		if (prefix_equal(&x->addrs[end]->prefix, &gateway)) {
			have = true;
			secondary = wrong_before;
		} else if (same_subnet(&x->addrs[end]->prefix, &gateway)) {
			wrong_before = true;
		}
	}
	if (secondary)
		add_addr_step(x, STEP_ADDR_DEL, c->bridge, &gateway);
	for (size_t i = first; i < end; i++)
		if (!prefix_equal(&x->addrs[i]->prefix, &gateway))
			add_addr_step(x, STEP_ADDR_DEL, c->bridge, &x->addrs[i]->prefix);
	if (!have || secondary)
		add_addr_step(x, STEP_ADDR_ADD, c->bridge, &gateway);
}

static void add_addrs6(struct differ *x, const struct desired_network *n,
		       const struct link_state *l)
{
	struct addr6_walk walk = {0};
	struct plan_step step;

	while (ipv6_addr_step(n, x->a, l, &walk, &step))
		add(x, step.kind, n->config->bridge)->addr6 = step.addr6;
}

/* ---- networks and taps ---- */

static void add_bridge_create(struct differ *x, const struct desired_network *n)
{
	struct plan_step *s = add(x, STEP_BRIDGE_CREATE, n->config->bridge);

	s->mac = n->mac;
	snprintf(s->alias, sizeof(s->alias), ALIAS_NETWORK "%s", n->config->name);
}

static void add_bridge_mend(struct differ *x, const struct desired_network *n,
			    const struct link_state *l)
{
	char mac[MAC_STRLEN];
	struct plan_step *s;

	if (!mac_equal(&l->mac, &n->mac)) {
		s = add(x, STEP_LINK_MAC, l->name);
		s->mac = n->mac;
		snprintf(s->replaces, sizeof(s->replaces), "%s", mac_format(&l->mac, mac));
	}
	if (plan_bridge_owner(l, n) == OWNER_US_HALF_MADE)
		add_alias(x, l->name, ALIAS_NETWORK, n->config->name);
}

/* @l NULL: the bridge is new, without STP, and has the kernel's ageing time. */
static void add_switch(struct differ *x, const struct network_config *c, const struct link_state *l)
{
	uint32_t delay = c->stp ? PLAN_FORWARD_DELAY : 0;
	uint32_t ageing = l ? l->ageing : KERNEL_AGEING;
	struct plan_step *s;

	if (c->stp != (l && l->stp) || delay != (l ? l->forward_delay : 0))
		add(x, STEP_BRIDGE_STP, c->bridge)->on = c->stp;
	if (c->ageing_s == 0 || c->ageing_s * 100 == ageing)
		return;
	s = add(x, STEP_BRIDGE_AGEING, c->bridge);
	s->ageing_s = c->ageing_s;
	snprintf(s->replaces, sizeof(s->replaces), "%us", ageing / 100);
}

static void add_vlan_step(void *ctx, const char *ifname, bool wanted, const struct port_vlan *v)
{
	struct plan_step *s = add(ctx, wanted ? STEP_VLAN_ADD : STEP_VLAN_DEL, ifname);

	s->vid = v->vid;
	s->on = v->access;
}

/* The bridge @l that has taken a NIC filters VLANs where guests have one. */
static void add_taken_vlans(struct differ *x, const struct network_config *c,
			    const struct link_state *l)
{
	const struct link_state *nic = find_link(x, c->uplink);
	bool wanted = network_has_vlans(c);

	if (wanted != l->vlan_filtering)
		add(x, STEP_BRIDGE_VLANS, c->bridge)->on = wanted;
	if ((wanted || l->vlan_filtering) && nic && nic->master == l->ifindex)
		vlan_diff_uplink(x->a, l, nic, c, add_vlan_step, x);
}

static void add_network(struct differ *x, const struct desired_network *n)
{
	const struct network_config *c = n->config;
	const struct link_state *l = find_link(x, c->bridge);

	if (n->external) {
		/* It may be another network's way out. */
		if (l)
			add_sysctls(x, c->bridge, false);
		if (vlan_is_taken(c, l) && l->has_vlans)
			add_taken_vlans(x, c, l);
		return;
	}
	if (!l)
		add_bridge_create(x, n);
	/* One that grows waits for its ports: what is larger than theirs they drop. */
	if (!l || mtu_of(n) < l->mtu)
		add_mtu(x, c->bridge, l, n);
	add_switch(x, c, l);
	if (l)
		add_bridge_mend(x, n, l);
	add_addrs(x, c, l);
	add_sysctls(x, c->bridge, !l);
	add_up(x, c->bridge, l);
	/* The kernel takes none while disable_ipv6 is set. */
	add_addrs6(x, n, l);
}

static void add_tap_create(struct differ *x, const struct desired_tap *t, bool bridged)
{
	struct plan_step *s = add(x, STEP_TAP_CREATE, t->name);

	s->queues = t->queues;
	s->owner_uid = t->owner_uid;
	snprintf(s->alias, sizeof(s->alias), ALIAS_GUEST "%s", t->guest);
	if (bridged)
		snprintf(s->bridge, sizeof(s->bridge), "%s", t->bridge);
}

static bool is_port_of(const struct link_state *l, const struct link_state *bridge)
{
	return l && bridge && l->master == bridge->ifindex;
}

static void add_enslave(struct differ *x, const struct desired_tap *t, const struct link_state *l)
{
	const struct link_state *bridge = find_link(x, t->bridge);
	const struct link_state *old = NULL;
	struct plan_step *s;

	if (is_port_of(l, bridge))
		return;
	s = add(x, STEP_TAP_ENSLAVE, t->name);
	snprintf(s->bridge, sizeof(s->bridge), "%s", t->bridge);
	if (l && l->master)
		old = actual_link_by_index(x->a, l->master);
	if (old)
		snprintf(s->replaces, sizeof(s->replaces), "%s", old->name);
}

/* Every port is born without it. */
static void add_isolate(struct differ *x, const struct desired_tap *t, const struct link_state *l)
{
	bool now = is_port_of(l, find_link(x, t->bridge)) && l->isolated;

	if (now != t->isolated)
		add(x, STEP_PORT_ISOLATE, t->name)->on = t->isolated;
}

/* Likewise. */
static void add_root_guard(struct differ *x, const struct desired_tap *t,
			   const struct link_state *l)
{
	bool now = is_port_of(l, find_link(x, t->bridge)) && l->root_guard;

	if (now != t->root_guard)
		add(x, STEP_PORT_ROOT_GUARD, t->name)->on = t->root_guard;
}

static void add_managed(struct differ *x, const struct desired_tap *t, const struct link_state *l)
{
	bool port = is_port_of(l, find_link(x, t->bridge));
	bool learns = !port || !l->no_learning, floods = !port || !l->no_flood;

	if (learns == t->managed || floods == t->managed)
		add(x, STEP_PORT_MANAGE, t->name)->on = t->managed;
}

static void add_mac_step(void *ctx, const struct desired_tap *t, bool wanted, const struct mac *mac)
{
	add(ctx, wanted ? STEP_MAC_ADD : STEP_MAC_DEL, t->name)->mac = *mac;
}

/* A port that is @fresh on its bridge, or in its VLAN, has nothing in the MAC table. */
static void add_macs(struct differ *x, const struct desired_tap *t, const struct link_state *l,
		     bool fresh)
{
	bool port = is_port_of(l, find_link(x, t->bridge));

	fdb_diff(&x->fdb, port && !fresh ? l->ifindex : 0, t, add_mac_step, x);
}

static void add_rate(struct differ *x, const struct desired_tap *t, const struct link_state *l)
{
	uint64_t now = l ? l->rate_down : 0;
	struct plan_step *s;

	if (now == t->rate.down || (l && l->foreign_qdisc))
		return;
	s = add(x, STEP_TAP_RATE, t->name);
	s->rate_down = t->rate.down;
	if (now)
		rate_format(now, s->replaces);
}

/* Of the LAN's VLANs; in other networks there are none. True when it comes into another. */
static bool add_vlans(struct differ *x, const struct desired_tap *t, const struct link_state *l,
		      const struct desired_network *n)
{
	const struct link_state *bridge = find_link(x, t->bridge);
	size_t before = x->plan.n;

	if (n->external && bridge && (t->vlan || bridge->vlan_filtering))
		vlan_diff_tap(x->a, bridge, is_port_of(l, bridge) ? l->ifindex : 0, t,
			      add_vlan_step, x);
	return x->plan.n != before;
}

/* Out of its bridge, unless that goes, and the tap is out of it by that. */
static void add_unplug(struct differ *x, const struct desired_tap *t, const struct link_state *l)
{
	const struct link_state *master =
		l && l->master ? actual_link_by_index(x->a, l->master) : NULL;

	if (master && (!plan_is_our_bridge(master, NULL) || find_network(x, master->name)))
		snprintf(add(x, STEP_TAP_ENSLAVE, t->name)->replaces, REPLACES_MAX, "%s",
			 master->name);
}

static void add_tap(struct differ *x, const struct desired_tap *t)
{
	const struct desired_network *n = find_network(x, t->bridge);
	const struct link_state *l = find_link(x, t->name);
	bool moved, out;

	if (n && n->external && !find_link(x, t->bridge))
		n = NULL; /* it has to come first */
	if (!l && !t->persistent)
		return; /* gone with its VMM */
	if (!l)
		add_tap_create(x, t, n);
	else if (plan_tap_owner(l, t) == OWNER_US_HALF_MADE)
		add_alias(x, t->name, ALIAS_GUEST, t->guest);
	add_sysctls(x, t->name, !l);
	/* Its network was stopped; or it would come into another VLAN than its own. */
	out = !t->bridge[0] ||
	      (n && plan_vlan_refused(n->config, find_link(x, t->bridge), t->vlan, NULL));
	if (out)
		add_unplug(x, t, l);
	if (out || !n) {
		add_rate(x, t, l);
		return;
	}
	/* Before it becomes a port: a bridge takes the lowest MTU of its ports for its own. */
	add_mtu(x, t->name, l, n);
	add_enslave(x, t, l);
	moved = add_vlans(x, t, l, n);
	add_isolate(x, t, l);
	add_root_guard(x, t, l);
	add_managed(x, t, l);
	add_macs(x, t, l, moved);
	add_rate(x, t, l);
	add_up(x, t->name, l);
}

/* Bridges that grow, now that their ports have. */
static void add_grown_bridges(struct differ *x)
{
	for (size_t i = 0; i < x->d->n_networks; i++) {
		const struct desired_network *n = &x->d->networks[i];
		const struct link_state *l = find_link(x, n->config->bridge);

		if (l && !n->external && mtu_of(n) > l->mtu)
			add_mtu(x, l->name, l, n);
	}
}

static int build(struct differ *x, struct err_list *errs)
{
	int r = make_indexes(x);

	if (r == 0)
		r = check_owners(x, errs);
	if (r < 0)
		return r;
	add_deletions(x);
	add_sysctl_turn(x, 0, x->first_other);
	for (size_t i = 0; i < x->d->n_networks; i++)
		add_network(x, &x->d->networks[i]);
	add_other_sysctls(x);
	add_sysctl_turn(x, x->first_last, x->n_sysctls);
	for (size_t i = 0; i < x->d->n_taps; i++)
		add_tap(x, &x->d->taps[i]);
	add_grown_bridges(x);
	return x->error;
}

int plan_diff(const struct desired *desired, const struct actual *actual, struct plan *ret,
	      struct err_list *errs)
{
	struct differ x = {.d = desired, .a = actual};
	int r = build(&x, errs);

	if (r == 0) {
		*ret = x.plan;
		x.plan = (struct plan){0};
	}
	differ_done(&x);
	return r;
}
