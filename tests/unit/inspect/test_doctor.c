/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the doctor's checks that need nothing but what was read: hosts made up in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "inspect/doctor_internal.h"

#define NOW 1000000
#define ADDR(a, b, c, d)                                                                           \
	{                                                                                          \
		.s_addr = htonl((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))                  \
	}

/*
 * br0 (1) 10.7.0.1/24 has the taps vnet0 (2), held, tap100i0 (3), mine0 (4) and vl-old (5), which nobody
 * holds; eth0 (9) has 203.0.113.2/24.
 */
static struct link_state links[] = {
	{.ifindex = 1, .name = "br0", .kind = "bridge", .up = true, .carrier = true, .mtu = 1500},
	{.ifindex = 2,
	 .name = "vnet0",
	 .kind = "tun",
	 .mac = {{0xfe, 2}},
	 .master = 1,
	 .up = true,
	 .carrier = true,
	 .mtu = 1500,
	 .port_state = PORT_FORWARDING},
	{.ifindex = 3,
	 .name = "tap100i0",
	 .kind = "tun",
	 .mac = {{0xfe, 3}},
	 .master = 1,
	 .up = true,
	 .mtu = 1500,
	 .port_state = PORT_FORWARDING},
	{.ifindex = 4,
	 .name = "mine0",
	 .kind = "tun",
	 .mac = {{0xfe, 4}},
	 .master = 1,
	 .up = true,
	 .mtu = 1500,
	 .port_state = PORT_FORWARDING},
	{.ifindex = 5,
	 .name = "vl-old",
	 .kind = "tun",
	 .alias = ALIAS_GUEST "old",
	 .mac = {{0xfe, 5}},
	 .master = 1,
	 .up = true,
	 .mtu = 1500,
	 .port_state = PORT_FORWARDING},
	{.ifindex = 9, .name = "eth0", .up = true, .carrier = true, .mtu = 1500},
};

static struct inventory_guest guests[] = {
	{.kind = INVENTORY_TAP,
	 .ifindex = 2,
	 .port = "vnet0",
	 .bridge = "br0",
	 .up = true,
	 .carrier = true,
	 .pid = 77,
	 .has_mac = true,
	 .mac = {{0x52, 0x54, 0, 0, 0, 2}}},
	{.kind = INVENTORY_TAP, .ifindex = 3, .port = "tap100i0", .bridge = "br0", .up = true},
	{.kind = INVENTORY_TAP, .ifindex = 4, .port = "mine0", .bridge = "br0", .up = true},
	{.kind = INVENTORY_TAP, .ifindex = 5, .port = "vl-old", .bridge = "br0", .up = true},
};

static bool no_sysctl(const char *path, char *ret, size_t size, void *ctx)
{
	return false;
}

static bool held(const char *tap, struct fact_vmm *ret, void *ctx)
{
	*ret = (struct fact_vmm){.pid = 77, .comm = "qemu"};
	return strcmp(tap, "vnet0") == 0;
}

/* struct host - one made up; the parts that a test changes. */
struct host {
	struct addr_state addrs[3];
	struct route_state routes[2];
	struct fact_neigh neighs[1];
	struct foreign_lease leases[3];
	struct actual actual;
	struct facts facts;
	struct doctor_net net;
	struct doctor_subnet subnet;
	struct doctor_report report;
	struct doctor d;
};

static struct host *new_host(void)
{
	struct host *h = test_calloc(1, sizeof(*h));

	h->addrs[0] = (struct addr_state){1, {ADDR(10, 7, 0, 1), 24}};
	h->addrs[1] = (struct addr_state){9, {ADDR(203, 0, 113, 2), 24}};
	h->routes[0] = (struct route_state){{ADDR(10, 7, 0, 0), 24}, {0}, 1, 254, 0};
	h->actual = (struct actual){.links = links,
				    .n_links = ARRAY_SIZE(links),
				    .addrs = h->addrs,
				    .n_addrs = 2,
				    .routes = h->routes,
				    .n_routes = 1};
	h->facts = (struct facts){
		.host = &h->actual, .neighs = h->neighs, .sysctl = no_sysctl, .vmm = held};
	h->net = (struct doctor_net){.bridge = &links[0],
				     .addr = &h->addrs[0],
				     .guests = guests,
				     .n_guests = 4,
				     .n_running = 1};
	h->subnet = (struct doctor_subnet){h->addrs[0].prefix, 0};
	h->d = (struct doctor){.f = &h->facts,
			       .guests = {guests, ARRAY_SIZE(guests)},
			       .leases = {.v = h->leases},
			       .nets = &h->net,
			       .n_nets = 1,
			       .subnets = &h->subnet,
			       .n_subnets = 1,
			       .daemon = DAEMON_DOWN,
			       .now_s = NOW,
			       .report = &h->report};
	return h;
}

static void free_host(struct host *h)
{
	free(h->report.findings);
	test_free(h);
}

static const struct doctor_finding *find(const struct host *h, const char *code)
{
	for (size_t i = 0; i < h->report.n_findings; i++)
		if (strcmp(h->report.findings[i].why.code, code) == 0)
			return &h->report.findings[i];
	return NULL;
}

/* ---- findings ---- */

static void test_once(void **state)
{
	struct host *h = new_host();
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "not-translated", &h->net);

	assert_string_equal(f.where, "bridge br0");
	diagnosis_saw(&f.why, "interface", "eth0");
	diagnosis_mend(&f.why, "true");
	doctor_add(&h->d, &f);
	doctor_add(&h->d, &f);
	assert_int_equal(h->report.n_findings, 1);
	assert_int_equal(h->report.n[DOCTOR_ERROR], 1);
	/* Another command, or other evidence, is another finding. */
	diagnosis_mend(&f.why, "false");
	doctor_add(&h->d, &f);
	diagnosis_saw(&f.why, "interface", "eth1");
	doctor_add(&h->d, &f);
	assert_int_equal(h->report.n_findings, 3);
	free_host(h);
}

static void test_counted(void **state)
{
	struct host *h = new_host();

	for (int i = 0; i < DOCTOR_FINDINGS_MAX + 7; i++) {
		struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "x", NULL);

		diagnosis_saw(&f.why, "number", "%d", i);
		doctor_add(&h->d, &f);
	}
	assert_int_equal(h->report.n_findings, DOCTOR_FINDINGS_MAX);
	assert_int_equal(h->report.more, 7);
	assert_int_equal(h->report.n[DOCTOR_NOTE], DOCTOR_FINDINGS_MAX + 7);
	free_host(h);
}

/* What would undo somebody's policy is safe for nobody; what is ours, for us alone. */
static void test_safe(void **state)
{
	static const struct {
		const char *code, *mend;
		bool ours, safe;
	} cases[] = {
		{"firewall-forward", "nft ...", true, false},
		{"ip-forward-off", "sysctl ...", true, false},
		{"route-blackhole", "ip route del ...", false, false},
		{"mac-table-wrong", "bridge fdb del ...", false, false},
		{"not-translated", "nft ...", false, false},
		{"not-translated", "nft ...", true, true},
		{"not-translated", "", true, false},
		{"accept-ra", "sysctl ...", false, true},
		{"port-down", "ip link ...", false, false},
		{"port-down", "ip link ...", true, true},
		{"leaked-tap", "ip link del ...", false, false},
		{"leaked-tap", "ip link del ...", true, true},
	};
	struct host *h = new_host();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, cases[i].code, &h->net);

		diagnosis_saw(&f.why, "number", "%zu", i);
		diagnosis_mend(&f.why, "%s", cases[i].mend);
		f.safe = cases[i].ours;
		doctor_add(&h->d, &f);
		assert_int_equal(h->report.findings[i].safe, cases[i].safe);
	}
	free_host(h);
}

/* Nothing is broken: its command is left to people. */
static void test_notes_are_left(void **state)
{
	struct host *h = new_host();
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "port-down", &h->net);

	diagnosis_mend(&f.why, "true");
	f.safe = true;
	doctor_add(&h->d, &f);
	assert_false(h->report.findings[0].safe);
	free_host(h);
}

/* ---- ports ---- */

/* Taps that libvirt and Proxmox take away with their VMs are left over; one made by hand may be wanted. */
static void test_idle_taps(void **state)
{
	struct host *h = new_host();

	doctor_check_ports(&h->d);
	assert_int_equal(h->report.n_findings, 2);
	assert_string_equal(find(h, "leaked-tap")->where, "port tap100i0");
	assert_string_equal(find(h, "leaked-tap")->why.mend, "ip link del dev tap100i0");
	assert_int_equal(find(h, "leaked-tap")->severity, DOCTOR_WARNING);
	assert_false(find(h, "leaked-tap")->safe);
	assert_string_equal(find(h, "no-vm")->where, "port mine0");
	assert_int_equal(find(h, "no-vm")->severity, DOCTOR_NOTE);
	free_host(h);
}

/* The daemon knows which taps are its own: of one that it does not know nobody will ask again. */
static void test_idle_tap_of_ours(void **state)
{
	struct host *h = new_host();
	json_t *known = json_pack("{s:[{s:s}]}", "guests", "tap", "vl-old");
	json_t *none = json_pack("{s:[]}", "guests");
	size_t before;

	h->d.daemon = DAEMON_ANSWERS;
	h->d.our_guests = known;
	doctor_check_ports(&h->d);
	before = h->report.n_findings;
	/* It went away before it said which guests it has. */
	h->d.our_guests = NULL;
	doctor_check_ports(&h->d);
	assert_int_equal(h->report.n_findings, before);
	h->d.our_guests = none;
	doctor_check_ports(&h->d);
	assert_int_equal(h->report.n_findings, before + 1);
	assert_string_equal(h->report.findings[before].where, "port vl-old");
	assert_true(h->report.findings[before].safe);
	json_decref(known);
	json_decref(none);
	free_host(h);
}

/* ---- subnets ---- */

static void test_subnets(void **state)
{
	struct host *h = new_host();

	doctor_check_subnets(&h->d);
	assert_int_equal(h->report.n_findings, 0);
	/* A route to a part of it by another way. */
	h->actual.n_routes = 2;
	h->routes[1] =
		(struct route_state){{ADDR(10, 7, 0, 64), 26}, ADDR(203, 0, 113, 1), 9, 254, 0};
	doctor_check_subnets(&h->d);
	assert_int_equal(find(h, "subnet-conflict")->severity, DOCTOR_ERROR);
	assert_null(find(h, "subnet-hides"));
	/* Halves of the Internet hide nothing; a network that it lies in does. */
	h->routes[1].dst = (struct ip4_prefix){ADDR(0, 0, 0, 0), 1};
	doctor_check_subnets(&h->d);
	assert_int_equal(h->report.n_findings, 1);
	h->routes[1].dst = (struct ip4_prefix){ADDR(10, 0, 0, 0), 8};
	doctor_check_subnets(&h->d);
	assert_int_equal(find(h, "subnet-hides")->severity, DOCTOR_NOTE);
	/* The uplink's own network. */
	h->addrs[2] = (struct addr_state){9, {ADDR(10, 7, 0, 200), 16}};
	h->actual.n_addrs = 3;
	h->actual.n_routes = 1;
	doctor_check_subnets(&h->d);
	assert_int_equal(h->report.n[DOCTOR_ERROR], 2);
	free_host(h);
}

/* ---- leases ---- */

static void test_leases(void **state)
{
	static const struct mac other = {{0x52, 0x54, 0, 0, 0, 9}};
	struct host *h = new_host();

	/* Its own, one that is over, and one of another network. */
	h->leases[0] = (struct foreign_lease){guests[0].mac, ADDR(10, 7, 0, 20), NOW + 60, ""};
	h->leases[1] = (struct foreign_lease){other, ADDR(10, 7, 0, 20), NOW - 60, ""};
	h->leases[2] = (struct foreign_lease){other, ADDR(10, 9, 0, 20), NOW + 60, ""};
	h->d.leases.n = 3;
	doctor_check_leases(&h->d);
	assert_int_equal(h->report.n_findings, 0);
	/* Somebody else answers. */
	h->neighs[0] = (struct fact_neigh){
		.ifindex = 1, .family = AF_INET, .mac = other, .state = NUD_STALE};
	memcpy(h->neighs[0].addr, &h->leases[0].addr, 4);
	h->facts.n_neighs = 1;
	doctor_check_leases(&h->d);
	assert_int_equal(find(h, "lease-other-mac")->severity, DOCTOR_WARNING);
	/* It has not answered for long: that says nothing. */
	h->report.n_findings = 0;
	h->neighs[0].state = NUD_FAILED;
	doctor_check_leases(&h->d);
	assert_int_equal(h->report.n_findings, 0);
	/* Both hold; a lease without end does, too. */
	h->leases[1].expires_s = 0;
	doctor_check_leases(&h->d);
	assert_non_null(find(h, "lease-twice"));
	assert_int_equal(find(h, "lease-stale")->severity, DOCTOR_NOTE);
	free_host(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),	  cmocka_unit_test(test_counted),
		cmocka_unit_test(test_safe),	  cmocka_unit_test(test_notes_are_left),
		cmocka_unit_test(test_idle_taps), cmocka_unit_test(test_idle_tap_of_ours),
		cmocka_unit_test(test_subnets),	  cmocka_unit_test(test_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
