/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/inspect/inventory_join.c: hosts made up in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/inventory.h"

#define NOW 1000000

/*
 * br0 (1) has eth0 (2), tap vnet0 (3), tap vnet1 (4), veth v1 (5, into namespace 7); vl-lab (10) is
 * network lab of ours with tap vl-db (11); macvtap0 (12) is on eth1 (13); tun0 (14) is a VPN's.
 */
static const struct link_state links[] = {
	{.ifindex = 1, .name = "br0", .kind = "bridge", .up = true},
	{.ifindex = 2, .name = "eth0", .master = 1, .up = true},
	{.ifindex = 3,
	 .name = "vnet0",
	 .kind = "tun",
	 .mac = {{0xfe, 1}},
	 .master = 1,
	 .up = true,
	 .carrier = true},
	{.ifindex = 4, .name = "vnet1", .kind = "tun", .mac = {{0xfe, 2}}, .master = 1, .up = true},
	{.ifindex = 5,
	 .name = "v1",
	 .kind = "veth",
	 .mac = {{0xfe, 3}},
	 .master = 1,
	 .up = true,
	 .carrier = true,
	 .elsewhere = true,
	 .link_netnsid = 7},
	{.ifindex = 10,
	 .name = "vl-lab",
	 .kind = "bridge",
	 .alias = ALIAS_NETWORK "lab",
	 .up = true},
	{.ifindex = 11,
	 .name = "vl-db",
	 .kind = "tun",
	 .alias = ALIAS_GUEST "db",
	 .mac = {{0xfe, 4}},
	 .master = 10},
	{.ifindex = 12,
	 .name = "macvtap0",
	 .kind = "macvtap",
	 .mac = {{0x52, 0x54, 0, 0, 0, 12}},
	 .link = 13,
	 .up = true},
	{.ifindex = 13, .name = "eth1", .up = true},
	{.ifindex = 14, .name = "tun0", .kind = "tun", .up = true, .carrier = true},
};

static struct mac mac(uint8_t last)
{
	return (struct mac){{0x52, 0x54, 0, 0, 0, last}};
}

static struct in_addr ip(uint8_t last)
{
	return ip4_from_host(0xc0a87a00u + last);
}

static const struct inventory_guest *at(const struct inventory *in, const char *port)
{
	for (size_t i = 0; i < in->n; i++)
		if (strcmp(in->v[i].port, port) == 0)
			return &in->v[i];
	return NULL;
}

/* struct world - a look at the host; tests fill in more. */
struct world {
	struct actual actual;
	struct inventory_facts f;
	struct foreign_leases leases;
};

static void world_init(struct world *w)
{
	*w = (struct world){0};
	w->actual.links = (struct link_state *)links;
	w->actual.n_links = ARRAY_SIZE(links);
	w->f = (struct inventory_facts){.actual = &w->actual, .leases = &w->leases, .now_s = NOW};
}

static void test_kinds_and_places(void **state)
{
	struct inventory in;
	struct world w;

	world_init(&w);
	assert_int_equal(inventory_join(&w.f, &in), 0);
	/* Neither the uplinks nor the VPN's interface is a guest. */
	assert_int_equal(in.n, 5);
	assert_int_equal(at(&in, "vnet0")->kind, INVENTORY_TAP);
	assert_string_equal(at(&in, "vnet0")->bridge, "br0");
	assert_string_equal(at(&in, "vnet0")->uplink, "eth0");
	assert_string_equal(at(&in, "vnet0")->network, "");
	assert_int_equal(at(&in, "v1")->kind, INVENTORY_VETH);
	assert_string_equal(at(&in, "vl-db")->name, "db");
	assert_string_equal(at(&in, "vl-db")->network, "lab");
	assert_string_equal(at(&in, "vl-db")->uplink, "");
	assert_int_equal(at(&in, "macvtap0")->kind, INVENTORY_MACVTAP);
	assert_string_equal(at(&in, "macvtap0")->uplink, "eth1");
	assert_true(at(&in, "macvtap0")->has_mac);
	assert_false(at(&in, "vnet0")->has_mac);
	assert_int_equal(at(&in, "vnet0")->seen_s, -1);
	inventory_done(&in);
}

static void test_processes(void **state)
{
	struct vmm_holder holders[] = {
		/* Somebody who only passed the descriptor on knows less of it. */
		{.tap = "vnet0", .pid = 50, .comm = "libvirtd"},
		{.tap = "vnet0",
		 .pid = 100,
		 .comm = "qemu-system-x86",
		 .nic_model = "e1000e",
		 .vm_name = "win",
		 .has_mac = true,
		 .mac = {{0x52, 0x54, 0, 0, 0, 3}}},
		{.tap = "vl-db", .pid = 101, .comm = "qemu-system-x86", .vm_name = "other"},
	};
	struct netns_holder netns[] = {
		{.id = 6, .pid = 1, .comm = "no", .name = "no"},
		{.id = 7, .pid = 200, .comm = "nginx", .name = "0123456789ab"}};
	struct inventory in;
	struct world w;

	world_init(&w);
	w.f.holders = holders;
	w.f.n_holders = ARRAY_SIZE(holders);
	w.f.netns = netns;
	w.f.n_netns = ARRAY_SIZE(netns);
	assert_int_equal(inventory_join(&w.f, &in), 0);
	assert_string_equal(at(&in, "vnet0")->name, "win");
	assert_int_equal(at(&in, "vnet0")->pid, 100);
	assert_string_equal(at(&in, "vnet0")->nic_model, "e1000e");
	assert_int_equal(at(&in, "vnet0")->mac.b[5], 3);
	assert_string_equal(at(&in, "vl-db")->name, "db");
	assert_string_equal(at(&in, "v1")->name, "0123456789ab");
	assert_string_equal(at(&in, "v1")->comm, "nginx");
	assert_int_equal(at(&in, "vnet1")->pid, 0);
	inventory_done(&in);
}

static const struct inventory_address *address_of(const struct inventory_guest *g, struct in_addr a)
{
	for (size_t i = 0; i < g->n_addrs; i++)
		if (g->addrs[i].family == AF_INET && memcmp(g->addrs[i].addr, &a, 4) == 0)
			return &g->addrs[i];
	return NULL;
}

static void test_addresses(void **state)
{
	struct fdb_entry fdb[] = {
		{.bridge = 1, .port = 3, .mac = {{0x52, 0x54, 0, 0, 0, 33}}, .age_s = 40},
		{.bridge = 1, .port = 3, .mac = {{0x52, 0x54, 0, 0, 0, 3}}, .age_s = 2},
		{.bridge = 1, .port = 3, .mac = {{0xfe, 1}}, .local = true},
		{.bridge = 1, .port = 4, .mac = {{0x52, 0x54, 0, 0, 0, 4}}, .age_s = 500},
	};
	struct neigh_entry neighs[] = {
		{1, ip(3), mac(3), NUD_STALE, 4000},	/* old, but its frames come */
		{1, ip(40), mac(4), NUD_STALE, 4000},	/* old, and silent */
		{1, ip(41), mac(4), NUD_FAILED, 0},	/* none at all */
		{10, ip(42), mac(4), NUD_REACHABLE, 0}, /* on another bridge */
		{1, ip(43), mac(4), NUD_REACHABLE, 1},
	};
	struct neigh6_entry neighs6[] = {{1, {{{0xfe, 0x80, [15] = 3}}}, mac(3), NUD_REACHABLE, 1}};
	struct foreign_lease leases[] = {{mac(4), ip(43), NOW + 10, "host4"},
					 {mac(4), ip(44), NOW - 10, ""},
					 {mac(9), ip(9), 0, ""}};
	const struct inventory_guest *g;
	struct inventory in;
	struct world w;

	world_init(&w);
	w.actual.fdb = fdb;
	w.actual.n_fdb = ARRAY_SIZE(fdb);
	w.f.neighs = neighs;
	w.f.n_neighs = ARRAY_SIZE(neighs);
	w.f.neighs6 = neighs6;
	w.f.n_neighs6 = ARRAY_SIZE(neighs6);
	w.leases.v = leases;
	w.leases.n = ARRAY_SIZE(leases);
	assert_int_equal(inventory_join(&w.f, &in), 0);
	g = at(&in, "vnet0");
	assert_int_equal(g->mac.b[5], 3);
	assert_int_equal(g->more_macs, 1);
	assert_int_equal(g->seen_s, 2);
	assert_int_equal(g->n_addrs, 2);
	assert_false(address_of(g, ip(3))->stale);
	g = at(&in, "vnet1");
	assert_string_equal(g->name, "host4");
	assert_int_equal(g->n_addrs, 3);
	assert_true(address_of(g, ip(40))->stale);
	assert_null(address_of(g, ip(41)));
	assert_null(address_of(g, ip(42)));
	assert_false(address_of(g, ip(43))->stale);
	assert_int_equal(address_of(g, ip(43))->age_s, 1);
	assert_true(address_of(g, ip(44))->stale);
	assert_int_equal(address_of(g, ip(44))->source, INVENTORY_LEASE);
	inventory_done(&in);
}

static void test_duplicates(void **state)
{
	struct vmm_holder holders[] = {
		{.tap = "vnet0", .pid = 1, .has_mac = true, .mac = {{0x52, 0x54, 0, 0, 0, 3}}},
		{.tap = "vnet1", .pid = 2, .has_mac = true, .mac = {{0x52, 0x54, 0, 0, 0, 3}}},
		/* The same on another bridge disturbs nobody. */
		{.tap = "vl-db", .pid = 3, .has_mac = true, .mac = {{0x52, 0x54, 0, 0, 0, 3}}},
	};
	struct fdb_entry fdb[] = {{.bridge = 1, .port = 5, .mac = {{0x52, 0x54, 0, 0, 0, 5}}}};
	struct neigh_entry neighs[] = {{1, ip(9), mac(5), NUD_REACHABLE, 0}};
	struct foreign_lease leases[] = {{mac(3), ip(9), 0, ""}};
	struct inventory in;
	struct world w;

	world_init(&w);
	w.f.holders = holders;
	w.f.n_holders = ARRAY_SIZE(holders);
	w.actual.fdb = fdb;
	w.actual.n_fdb = ARRAY_SIZE(fdb);
	w.f.neighs = neighs;
	w.f.n_neighs = ARRAY_SIZE(neighs);
	w.leases.v = leases;
	w.leases.n = ARRAY_SIZE(leases);
	assert_int_equal(inventory_join(&w.f, &in), 0);
	assert_true(at(&in, "vnet0")->duplicate_mac);
	assert_true(at(&in, "vnet1")->duplicate_mac);
	assert_false(at(&in, "vl-db")->duplicate_mac);
	assert_false(at(&in, "v1")->duplicate_mac);
	assert_true(at(&in, "v1")->addrs[0].duplicate);
	assert_false(at(&in, "vl-db")->addrs[0].duplicate);
	inventory_done(&in);
}

static struct inventory_sighting seen(const char *port, uint8_t mac_last, uint8_t ip_last)
{
	struct inventory_sighting s = {.bridge = "br0",
				       .mac = mac(mac_last),
				       .family = AF_INET,
				       .source = INVENTORY_ARP,
				       .age_s = 7};
	struct in_addr a = ip(ip_last);

	snprintf(s.port, sizeof(s.port), "%s", port);
	memcpy(s.addr, &a, sizeof(a));
	return s;
}

static void assert_address(const struct inventory_guest *g, size_t i, uint8_t last,
			   enum inventory_source source, int64_t age_s)
{
	struct in_addr a = ip(last);

	assert_true(i < g->n_addrs);
	assert_memory_equal(g->addrs[i].addr, &a, sizeof(a));
	assert_int_equal(g->addrs[i].source, source);
	assert_int_equal(g->addrs[i].age_s, age_s);
}

/* What the daemon has heard: at the port, or of the MAC where the port is not known. */
static void test_sightings(void **state)
{
	struct fdb_entry fdb[] = {{.bridge = 1, .port = 3, .mac = mac(3)},
				  {.bridge = 1, .port = 4, .mac = mac(4)}};
	struct neigh_entry neighs[] = {
		{.mac = mac(3), .ifindex = 1, .state = NUD_STALE, .age_s = 100, .addr = ip(3)}};
	struct inventory_sighting heard[] = {
		seen("vnet1", 4, 41), seen("", 4, 42),	    seen("eth0", 9, 90),
		seen("vnet0", 3, 3),  seen("vnet0", 5, 50), seen("vnet1", 4, 40),
		seen("", 9, 91),
	};
	const struct inventory_guest *g;
	struct inventory in;
	struct world w;

	world_init(&w);
	w.actual.fdb = fdb;
	w.actual.n_fdb = ARRAY_SIZE(fdb);
	w.f.neighs = neighs;
	w.f.n_neighs = ARRAY_SIZE(neighs);
	w.f.sightings = heard;
	w.f.n_sightings = ARRAY_SIZE(heard);
	heard[0].stale = true;
	heard[4].duplicate = true;
	snprintf(heard[5].also_at, sizeof(heard[5].also_at), "v1");
	assert_int_equal(inventory_join(&w.f, &in), 0);
	g = at(&in, "vnet0");
	assert_int_equal(g->n_addrs, 2);
	/* The host has talked to it, and later it was heard. */
	assert_address(g, 0, 3, INVENTORY_NEIGH, 7);
	/* Somebody inside it. */
	assert_address(g, 1, 50, INVENTORY_ARP, 7);
	assert_true(g->addrs[1].duplicate);
	assert_false(g->duplicate_mac);
	g = at(&in, "vnet1");
	assert_int_equal(g->n_addrs, 3);
	assert_true(g->duplicate_mac);
	assert_true(at(&in, "v1")->duplicate_mac);
	assert_int_equal(at(&in, "v1")->n_addrs, 0);
	inventory_done(&in);
	/* A MAC that is silent for long. */
	fdb[1].age_s = 400;
	assert_int_equal(inventory_join(&w.f, &in), 0);
	g = at(&in, "vnet1");
	for (size_t i = 0; i < g->n_addrs; i++)
		assert_int_equal(g->addrs[i].stale, g->addrs[i].addr[3] == 41);
	inventory_done(&in);
}

static void test_gateway_behind_a_veth(void **state)
{
	struct fdb_entry fdb[] = {{.bridge = 1, .port = 5, .mac = {{0x52, 0x54, 0, 0, 0, 5}}}};
	struct neigh_entry neighs[] = {{1, ip(1), mac(5), NUD_REACHABLE, 0}};
	struct route_state routes[] = {{.gateway = ip(1), .oif = 1}};
	struct inventory in;
	struct world w;

	world_init(&w);
	w.actual.fdb = fdb;
	w.actual.n_fdb = ARRAY_SIZE(fdb);
	w.actual.routes = routes;
	w.actual.n_routes = ARRAY_SIZE(routes);
	w.f.neighs = neighs;
	w.f.n_neighs = ARRAY_SIZE(neighs);
	assert_int_equal(inventory_join(&w.f, &in), 0);
	assert_null(at(&in, "v1"));
	inventory_done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_and_places),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_sightings),
		cmocka_unit_test(test_gateway_behind_a_veth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
