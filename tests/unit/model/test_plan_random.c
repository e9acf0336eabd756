/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A property of plan_diff(): from any state of the kernel, once a plan's steps are done the next
 * plan is empty, each step was possible when its turn came, and nothing foreign was touched.
 *
 * The kernel is a small model of the real one: creating, deleting (ports are freed), enslaving,
 * addresses with secondaries that go with their primary. Seeds are fixed, so failures repeat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model/plan.h"

/* ---- random numbers, the same everywhere ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

/* ---- the kernel ---- */

#define LINKS_MAX 64
#define ADDRS_MAX 128
#define NETWORKS 5
#define GUESTS 8
#define FDB_MAX 128
#define SYSCTLS (NETWORKS + 1)

/**
 * struct kernel - the model
 * @promote:	promote_secondaries is set
 * @foreign:	by ifindex: not ours, must be as it was at the end
 */
struct kernel {
	struct link_state links[LINKS_MAX];
	size_t n_links;
	struct addr_state addrs[ADDRS_MAX];
	size_t n_addrs;
	struct fdb_entry fdb[FDB_MAX];
	size_t n_fdb;
	bool forwarding[1000]; /* by ifindex */
	bool foreign[1000];
	int last_ifindex;
	bool promote;
};

static struct link_state *kernel_link(struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->n_links; i++)
		if (strcmp(k->links[i].name, name) == 0)
			return &k->links[i];
	return NULL;
}

static struct link_state *kernel_add(struct kernel *k, const char *name, const char *kind)
{
	struct link_state *l = &k->links[k->n_links++];

	assert_true(k->n_links <= LINKS_MAX);
	assert_true(k->last_ifindex < 999);
	*l = (struct link_state){.ifindex = ++k->last_ifindex, .mtu = 1500};
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->kind, sizeof(l->kind), "%s", kind);
	if (strcmp(kind, "bridge") == 0)
		l->ageing = 30000;
	return l;
}

static void addr_remove(struct kernel *k, size_t i)
{
	memmove(&k->addrs[i], &k->addrs[i + 1], (k->n_addrs - i - 1) * sizeof(k->addrs[0]));
	k->n_addrs--;
}

static bool one_subnet(const struct addr_state *a, const struct addr_state *b)
{
	return a->ifindex == b->ifindex && a->prefix.len == b->prefix.len &&
	       ip4_in(&a->prefix, b->prefix.addr);
}

/* The first of a subnet is its primary; without promotion the others go with it. */
static void kernel_addr_del(struct kernel *k, int ifindex, const struct ip4_prefix *p)
{
	struct addr_state gone;
	bool primary = true;
	size_t i = 0;

	for (; i < k->n_addrs; i++)
		if (k->addrs[i].ifindex == ifindex && k->addrs[i].prefix.len == p->len &&
		    ip4_equal(k->addrs[i].prefix.addr, p->addr))
			break;
	if (i == k->n_addrs)
		return; /* went with its primary a moment ago; the kernel says EADDRNOTAVAIL */
	gone = k->addrs[i];
	for (size_t j = 0; j < i; j++)
		primary = primary && !one_subnet(&k->addrs[j], &gone);
	addr_remove(k, i);
	for (size_t j = 0; primary && !k->promote && j < k->n_addrs;)
		if (one_subnet(&k->addrs[j], &gone))
			addr_remove(k, j);
		else
			j++;
}

/* ---- MAC tables ---- */

/* An entry is one of its bridge's, whatever its port. */
static struct fdb_entry *fdb_find(struct kernel *k, int bridge, const struct mac *mac)
{
	for (size_t i = 0; i < k->n_fdb; i++)
		if (k->fdb[i].bridge == bridge && mac_equal(&k->fdb[i].mac, mac))
			return &k->fdb[i];
	return NULL;
}

static struct fdb_entry *fdb_add(struct kernel *k, const struct link_state *port,
				 const struct mac *mac)
{
	struct fdb_entry *f = fdb_find(k, port->master, mac);

	if (!f)
		f = &k->fdb[k->n_fdb++];
	assert_true(k->n_fdb <= FDB_MAX);
	*f = (struct fdb_entry){.bridge = port->master, .port = port->ifindex, .mac = *mac};
	return f;
}

static void fdb_flush(struct kernel *k, int port)
{
	for (size_t i = 0; i < k->n_fdb;)
		if (k->fdb[i].port == port || k->fdb[i].bridge == port)
			k->fdb[i] = k->fdb[--k->n_fdb];
		else
			i++;
}

/* The MACs of guest @i: its own, and those of VMs inside it. */
static struct mac mac_of(uint32_t i, uint8_t nested)
{
	return (struct mac){{0x02, 0, 0, 0, (uint8_t)i, nested}};
}

static void kernel_delete(struct kernel *k, struct link_state *l)
{
	int ifindex = l->ifindex;

	fdb_flush(k, ifindex);
	for (size_t i = 0; i < k->n_addrs;)
		if (k->addrs[i].ifindex == ifindex)
			addr_remove(k, i);
		else
			i++;
	for (size_t i = 0; i < k->n_links; i++)
		if (k->links[i].master == ifindex)
			k->links[i].master = 0;
	*l = k->links[--k->n_links];
}

/* ---- doing a step ---- */

static void do_create(struct kernel *k, const struct plan_step *s, const char *kind)
{
	struct link_state *l;

	assert_null(kernel_link(k, s->ifname));
	l = kernel_add(k, s->ifname, kind);
	l->mac = s->mac;
	strcpy(l->alias, s->alias);
}

static void do_enslave(struct kernel *k, const struct plan_step *s, struct link_state *l)
{
	const struct link_state *bridge = kernel_link(k, s->bridge);

	assert_non_null(bridge);
	assert_string_equal(bridge->kind, "bridge");
	fdb_flush(k, l->ifindex);
	l->master = bridge->ifindex;
	l->isolated = false; /* a new port is not */
	l->no_learning = l->no_flood = false;
}

static void do_port(struct kernel *k, const struct plan_step *s, struct link_state *l)
{
	struct fdb_entry *f = fdb_find(k, l->master, &s->mac);

	assert_string_equal(l->kind, "tun");
	assert_int_not_equal(l->master, 0);
	if (s->kind == STEP_PORT_MANAGE) {
		l->no_learning = l->no_flood = s->on;
	} else if (s->kind == STEP_MAC_ADD) {
		f = fdb_add(k, l, &s->mac);
		f->is_static = f->sticky = true;
	} else if (f && f->port == l->ifindex) {
		*f = k->fdb[--k->n_fdb];
	}
}

/* Steps on an interface that is there. */
static void do_change(struct kernel *k, const struct plan_step *s, struct link_state *l)
{
	assert_non_null(l);
	assert_false(k->foreign[l->ifindex]);
	switch (s->kind) {
	case STEP_LINK_MTU:
		l->mtu = s->mtu;
		break;
	case STEP_LINK_MAC:
		l->mac = s->mac;
		break;
	case STEP_LINK_ALIAS:
		strcpy(l->alias, s->alias);
		break;
	case STEP_BRIDGE_STP:
		assert_string_equal(l->kind, "bridge");
		l->stp = s->on;
		l->forward_delay = s->on ? PLAN_FORWARD_DELAY : 0;
		break;
	case STEP_BRIDGE_AGEING:
		assert_string_equal(l->kind, "bridge");
		l->ageing = 100 * s->ageing_s;
		break;
	case STEP_PORT_ISOLATE:
		assert_string_equal(l->kind, "tun");
		assert_int_not_equal(l->master, 0);
		l->isolated = s->on;
		break;
	case STEP_PORT_ROOT_GUARD:
		assert_string_equal(l->kind, "tun");
		assert_int_not_equal(l->master, 0);
		l->root_guard = s->on;
		break;
	case STEP_PORT_MANAGE:
	case STEP_MAC_ADD:
	case STEP_MAC_DEL:
		do_port(k, s, l);
		break;
	case STEP_ADDR_ADD:
		k->addrs[k->n_addrs++] = (struct addr_state){l->ifindex, s->addr};
		assert_true(k->n_addrs < ADDRS_MAX);
		break;
	case STEP_ADDR_DEL:
		kernel_addr_del(k, l->ifindex, &s->addr);
		break;
	case STEP_LINK_UP:
		l->up = true;
		break;
	case STEP_TAP_ENSLAVE:
		do_enslave(k, s, l);
		break;
	case STEP_TAP_DELETE:
	case STEP_BRIDGE_DELETE:
		kernel_delete(k, l);
		break;
	default:
		fail();
	}
}

static void do_sysctl(struct kernel *k, const struct plan_step *s)
{
	char name[IFNAMSIZ];
	const struct link_state *l;

	assert_int_equal(sscanf(s->sysctl.path, "net/ipv4/conf/%15[^/]/forwarding", name), 1);
	l = kernel_link(k, name);
	assert_non_null(l);
	k->forwarding[l->ifindex] = strcmp(s->sysctl.value, "1") == 0;
}

static void do_step(struct kernel *k, const struct plan_step *s)
{
	if (s->kind == STEP_BRIDGE_CREATE)
		do_create(k, s, "bridge");
	else if (s->kind == STEP_TAP_CREATE)
		do_create(k, s, "tun");
	else if (s->kind == STEP_SYSCTL_SET)
		do_sysctl(k, s);
	else
		do_change(k, s, kernel_link(k, s->ifname));
}

/* ---- a random wish ---- */

/* struct wish - networks n0.. and guests g0.., each there or not. */
struct wish {
	struct mac macs[GUESTS][2];
	uint32_t shift;
	struct network_config config[NETWORKS];
	struct desired_network networks[NETWORKS];
	struct desired_tap taps[GUESTS];
	struct sysctl_state sysctls[SYSCTLS];
	struct sysctl_state now[SYSCTLS];
	struct desired d;
};

static struct ip4_prefix gateway_of(uint32_t i)
{
	return (struct ip4_prefix){ip4_from_host(0x0a000001 + (i << 8)), 24};
}

static void wish_network(struct wish *w, uint32_t i)
{
	struct network_config *c = &w->config[w->d.n_networks];
	struct desired_network *n = &w->networks[w->d.n_networks++];

	*c = (struct network_config){.gateway = gateway_of(i).addr};
	snprintf(c->name, sizeof(c->name), "n%u", i);
	snprintf(c->bridge, sizeof(c->bridge), "%s-n%u", one_in(4) ? "br" : "vl", i);
	c->subnet = (struct ip4_prefix){ip4_from_host(0x0a000000 + (i << 8)), 24};
	n->mtu = one_in(3) ? 1400 : 0;
	c->stp = one_in(3);
	c->ageing_s = one_in(3) ? 60 : 300;
	n->config = c;
	n->mac = mac_derive(NULL, c->name, "", 0);
}

static void wish_tap(struct wish *w, uint32_t i)
{
	struct desired_tap *t = &w->taps[w->d.n_taps++];
	uint32_t network = random_below(NETWORKS);

	*t = (struct desired_tap){.queues = 1, .owner_uid = UINT32_MAX, .persistent = !one_in(4)};
	t->isolated = one_in(3);
	t->managed = one_in(3);
	t->pinned = one_in(2);
	t->mac = mac_of(i, 0);
	/* Now and then a VM has moved from one guest into another. */
	for (uint8_t nested = 0; nested < 2; nested++)
		w->macs[i][nested] = mac_of((i + w->shift) % GUESTS, (uint8_t)(nested + 1));
	t->macs = w->macs[i];
	t->n_macs = random_below(3);
	snprintf(t->guest, sizeof(t->guest), "g%u", i);
	ifname_derive(t->guest, t->name);
	/* Often of a network that does not run. */
	if (w->d.n_networks > 0 && !one_in(4))
		strcpy(t->bridge, w->config[network % w->d.n_networks].bridge);
	else
		snprintf(t->bridge, sizeof(t->bridge), "vl-n%u", network + NETWORKS);
}

static void wish_sysctl(struct wish *w, const char *ifname)
{
	struct sysctl_state *s = &w->sysctls[w->d.n_sysctls++];

	snprintf(s->path, sizeof(s->path), "net/ipv4/conf/%s/forwarding", ifname);
	strcpy(s->value, "1");
}

static void wish_random(struct wish *w)
{
	*w = (struct wish){.shift = random_below(3)};
	w->d = (struct desired){.networks = w->networks,
				.taps = w->taps,
				.sysctls = w->sysctls,
				.sysctls_now = w->now};
	for (uint32_t i = 0; i < NETWORKS; i++)
		if (!one_in(3))
			wish_network(w, i);
	for (uint32_t i = 0; i < GUESTS; i++)
		if (!one_in(3))
			wish_tap(w, i);
	for (size_t i = 0; i < w->d.n_networks; i++)
		wish_sysctl(w, w->config[i].bridge);
	wish_sysctl(w, "eth0");
}

/* ---- a random kernel, and the snapshot of one ---- */

static void random_addrs(struct kernel *k, int ifindex, uint32_t network)
{
	for (uint32_t i = random_below(5); i > 0; i--) {
		struct ip4_prefix p = gateway_of(one_in(4) ? 77 : network);
		bool there = false;

		p.len = one_in(5) ? 25 : 24;
		if (!one_in(3))
			p.addr = ip4_from_host(ip4_host(p.addr) + random_below(4));
		for (size_t j = 0; j < k->n_addrs; j++)
			there = there || (k->addrs[j].ifindex == ifindex &&
					  ip4_equal(k->addrs[j].prefix.addr, p.addr));
		if (!there)
			k->addrs[k->n_addrs++] = (struct addr_state){ifindex, p};
	}
}

static void random_bridge(struct kernel *k, uint32_t i)
{
	char name[IFNAMSIZ], network[IFNAMSIZ];
	struct link_state *l;

	snprintf(network, sizeof(network), "n%u", i);
	snprintf(name, sizeof(name), "%s-n%u", one_in(4) ? "br" : "vl", i);
	l = kernel_add(k, name, "bridge");
	l->mac = mac_derive(NULL, network, "", one_in(3));
	snprintf(l->alias, sizeof(l->alias), ALIAS_NETWORK "%s", network);
	if (one_in(4)) { /* killed right after it was made */
		l->mac = mac_derive(NULL, network, "", 0);
		l->alias[0] = '\0';
		return;
	}
	l->stp = one_in(3);
	l->forward_delay = one_in(3) ? 1500 : 0;
	l->ageing = one_in(3) ? 6000 : 30000;
	l->up = !one_in(3);
	l->mtu = one_in(3) ? 1400 : 1500;
	k->forwarding[l->ifindex] = one_in(2);
	random_addrs(k, l->ifindex, i);
}

static void random_tap(struct kernel *k, uint32_t i)
{
	struct link_state *l;
	char guest[IFNAMSIZ], name[IFNAMSIZ];

	snprintf(guest, sizeof(guest), "g%u", i);
	ifname_derive(guest, name);
	l = kernel_add(k, name, "tun");
	l->mtu = one_in(3) ? 1400 : 1500;
	if (one_in(4))
		return; /* killed right after it was made */
	snprintf(l->alias, sizeof(l->alias), ALIAS_GUEST "%s", guest);
	l->up = !one_in(3);
	l->master = one_in(3) ? 0 : 1 + (int)random_below((uint32_t)k->n_links - 1);
	if (strcmp(k->links[l->master ? l->master - 1 : 0].kind, "bridge") != 0)
		l->master = 0;
	l->isolated = l->master && one_in(3);
	l->no_learning = l->master && one_in(3);
	l->no_flood = l->master && one_in(3);
	for (uint8_t n = 0; l->master && n < 3; n++) {
		struct mac mac = mac_of(one_in(2) ? i : random_below(GUESTS), n);
		struct fdb_entry *f = fdb_add(k, l, &mac);

		f->is_static = one_in(2);
		f->sticky = f->is_static && one_in(2);
		f->local = !f->is_static && one_in(4);
	}
}

static void kernel_random(struct kernel *k)
{
	static const char *const strangers[][2] = {
		{"eth0", ""}, {"docker0", "bridge"}, {"vnet0", "tun"}, {"wg0", "wireguard"}};

	*k = (struct kernel){.promote = one_in(2)};
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct link_state *l = kernel_add(k, strangers[i][0], strangers[i][1]);

		l->master = strcmp(l->name, "vnet0") == 0 ? 2 : 0;
		random_addrs(k, l->ifindex, 0);
		k->foreign[l->ifindex] = true;
	}
	for (uint32_t i = 0; i < NETWORKS; i++)
		if (one_in(2))
			random_bridge(k, i);
	for (uint32_t i = 0; i < GUESTS; i++)
		if (one_in(2))
			random_tap(k, i);
}

static void snapshot(struct kernel *k, struct wish *w, struct actual *ret)
{
	*ret = (struct actual){.links = k->links,
			       .n_links = k->n_links,
			       .addrs = k->addrs,
			       .n_addrs = k->n_addrs,
			       .fdb = k->fdb,
			       .n_fdb = k->n_fdb};
	for (size_t i = 0; i < w->d.n_sysctls; i++) {
		const struct link_state *l;
		char name[IFNAMSIZ];

		assert_int_equal(sscanf(w->sysctls[i].path, "net/ipv4/conf/%15[^/]/", name), 1);
		l = kernel_link(k, name);
		strcpy(w->now[i].value, !l ? "" : k->forwarding[l->ifindex] ? "1" : "0");
	}
}

/* ---- the property ---- */

static void expect_strangers(const struct kernel *before, const struct kernel *after)
{
	size_t n = 0, m = 0;

	for (size_t i = 0; i < 4; i++)
		assert_memory_equal(&before->links[i], &after->links[i], sizeof(before->links[i]));
	for (size_t i = 0; i < before->n_addrs; i++)
		n += before->foreign[before->addrs[i].ifindex];
	for (size_t i = 0; i < after->n_addrs; i++)
		m += after->foreign[after->addrs[i].ifindex];
	assert_int_equal(n, m);
}

static bool wished(const struct desired_tap *t, const struct mac *mac)
{
	bool found = t->pinned && mac_equal(&t->mac, mac);

	for (size_t i = 0; i < t->n_macs; i++)
		found = found || mac_equal(&t->macs[i], mac);
	return found;
}

/* The port of @t has the MACs that it should, and no others of ours or, when managed, at all. */
static void expect_port(struct kernel *k, const struct desired_tap *t, const struct link_state *l)
{
	size_t found = 0;

	assert_true(l->isolated == t->isolated);
	assert_true(l->no_learning == t->managed && l->no_flood == t->managed);
	for (size_t i = 0; i < k->n_fdb; i++) {
		const struct fdb_entry *f = &k->fdb[i];

		if (f->port != l->ifindex || f->local)
			continue;
		if (wished(t, &f->mac)) {
			assert_true(f->is_static && f->sticky);
			found++;
		} else {
			assert_false(t->managed || f->sticky);
		}
	}
	assert_int_equal(found, t->n_macs + t->pinned);
}

/* What must be true of the end, said without plan_diff(). */
static void expect_wish(struct kernel *k, const struct wish *w)
{
	for (size_t i = 0; i < w->d.n_networks; i++) {
		const struct network_config *c = w->networks[i].config;
		const struct link_state *l = kernel_link(k, c->bridge);
		size_t addrs = 0;

		assert_non_null(l);
		assert_true(l->up && l->stp == c->stp && k->forwarding[l->ifindex]);
		assert_int_equal(l->forward_delay, c->stp ? 200 : 0);
		assert_int_equal(l->ageing, 100 * c->ageing_s);
		assert_true(mac_equal(&l->mac, &w->networks[i].mac));
		for (size_t j = 0; j < k->n_addrs; j++)
			if (k->addrs[j].ifindex == l->ifindex) {
				assert_true(ip4_equal(k->addrs[j].prefix.addr, c->gateway));
				addrs++;
			}
		assert_int_equal(addrs, 1);
	}
	for (size_t i = 0; i < w->d.n_taps; i++) {
		const struct link_state *l = kernel_link(k, w->taps[i].name);

		const struct link_state *bridge = kernel_link(k, w->taps[i].bridge);

		if (l && bridge && l->master == bridge->ifindex && !k->foreign[bridge->ifindex])
			expect_port(k, &w->taps[i], l);
	}
	for (size_t i = 0; i < k->n_links; i++)
		assert_true(k->foreign[k->links[i].ifindex] || k->links[i].alias[0] ||
			    !k->links[i].up);
}

static size_t apply(struct kernel *k, struct wish *w)
{
	struct plan p = {0};
	struct actual a;
	size_t n;

	snapshot(k, w, &a);
	assert_int_equal(plan_diff(&w->d, &a, &p, NULL), 0);
	n = p.n;
	for (size_t i = 0; i < p.n; i++)
		do_step(k, &p.steps[i]);
	plan_done(&p);
	return n;
}

static void test_converges(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k)), *before = calloc(1, sizeof(*k));
	struct wish *w = calloc(1, sizeof(*w));
	size_t steps = 0;

	(void)state;
	assert_true(k && before && w);
	for (uint64_t seed = 0; seed < 5000; seed++) {
		random_state = seed * 7919 + 1;
		kernel_random(k);
		*before = *k;
		/* Several wishes one after the other, as a daemon lives through. */
		for (int i = 0; i < 4; i++) {
			wish_random(w);
			steps += apply(k, w);
			if (apply(k, w) != 0)
				fail_msg("seed %llu, wish %d: the second plan is not empty",
					 (unsigned long long)seed, i);
			expect_wish(k, w);
		}
		expect_strangers(before, k);
	}
	assert_true(steps > 100000);
	free(k);
	free(before);
	free(w);
}

/* The kernel gives the alias after the interface: the last one made may be without. */
static void forget_alias(struct kernel *k, const struct plan_step *s)
{
	if ((s->kind == STEP_BRIDGE_CREATE || s->kind == STEP_TAP_CREATE) && one_in(2))
		kernel_link(k, s->ifname)->alias[0] = '\0';
}

/* A daemon killed after any step finds its way from there. */
static void test_killed(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));
	struct wish *w = calloc(1, sizeof(*w));
	struct plan p = {0};
	struct actual a;
	size_t done;

	(void)state;
	assert_true(k && w);
	for (uint64_t seed = 0; seed < 2000; seed++) {
		random_state = seed * 104729 + 3;
		kernel_random(k);
		wish_random(w);
		snapshot(k, w, &a);
		assert_int_equal(plan_diff(&w->d, &a, &p, NULL), 0);
		done = random_below((uint32_t)p.n + 1);
		for (size_t i = 0; i < done; i++)
			do_step(k, &p.steps[i]);
		if (done)
			forget_alias(k, &p.steps[done - 1]);
		plan_done(&p);
		apply(k, w);
		assert_int_equal(apply(k, w), 0);
		expect_wish(k, w);
	}
	free(k);
	free(w);
}

/* 1,000 networks and 10,000 guests are compared in well under a second. */
static void test_scale(void **state)
{
	const size_t networks = 1000, guests = 10000;
	struct network_config *c = calloc(networks, sizeof(*c));
	struct desired d = {.networks = calloc(networks, sizeof(*d.networks)),
			    .n_networks = networks,
			    .taps = calloc(guests, sizeof(*d.taps)),
			    .n_taps = guests};
	struct actual a = {.links = calloc(networks + guests, sizeof(*a.links)),
			   .addrs = calloc(networks, sizeof(*a.addrs)),
			   .n_addrs = networks};
	struct timespec before, after;
	struct plan p = {0};

	(void)state;
	assert_true(c && d.networks && d.taps && a.links && a.addrs);
	for (uint32_t i = 0; i < networks; i++) {
		struct link_state *l = &a.links[a.n_links++];

		snprintf(c[i].name, sizeof(c[i].name), "n%u", i);
		ifname_derive(c[i].name, c[i].bridge);
		c[i].gateway = gateway_of(i).addr;
		c[i].subnet = (struct ip4_prefix){ip4_from_host(0x0a000000 + (i << 8)), 24};
		d.networks[i].config = &c[i];
		*l = (struct link_state){
			.ifindex = (int)i + 1, .kind = "bridge", .up = true, .mtu = 1500};
		strcpy(l->name, c[i].bridge);
		snprintf(l->alias, sizeof(l->alias), ALIAS_NETWORK "%s", c[i].name);
		a.addrs[i] = (struct addr_state){(int)i + 1, gateway_of(i)};
	}
	for (uint32_t i = 0; i < guests; i++) {
		struct link_state *l = &a.links[a.n_links++];
		struct desired_tap *t = &d.taps[i];

		snprintf(t->guest, sizeof(t->guest), "g%u", i);
		ifname_derive(t->guest, t->name);
		strcpy(t->bridge, c[i % networks].bridge);
		*l = (struct link_state){.ifindex = 2000 + (int)i,
					 .kind = "tun",
					 .up = true,
					 .mtu = 1500,
					 .master = (int)(i % networks) + 1};
		strcpy(l->name, t->name);
		snprintf(l->alias, sizeof(l->alias), ALIAS_GUEST "%s", t->guest);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_int_equal(plan_diff(&d, &a, &p, NULL), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_int_equal(p.n, 0);
	print_message("%zu networks, %zu guests: %.1f ms\n", networks, guests,
		      (double)(after.tv_sec - before.tv_sec) * 1e3 +
			      (double)(after.tv_nsec - before.tv_nsec) / 1e6);
	assert_true(after.tv_sec - before.tv_sec < 2);
	plan_done(&p);
	actual_done(&a);
	desired_done(&d);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_converges),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
