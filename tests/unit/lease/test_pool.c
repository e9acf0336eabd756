/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/lease/pool.c through lease_decide(): which address is chosen for whom. */
#include "world.h"

/* A guest gets the same again, also when we have forgotten it. */
static void test_stable(void **state)
{
	unsigned int first[8];
	struct world w;

	(void)state;
	world_init(&w);
	w.net.range_first = host(2);
	w.net.range_last = host(254);
	for (unsigned int c = 0; c < 8; c++)
		first[c] = discover(&w, 20 + c, 0);
	world_done(&w);
	world_init(&w);
	w.net.range_first = host(2);
	w.net.range_last = host(254);
	for (unsigned int c = 0; c < 8; c++)
		assert_int_equal(discover(&w, 20 + c, 0), first[c]);
	world_done(&w);
	for (unsigned int c = 1; c < 8; c++) /* and they are spread: the hash is used */
		assert_int_not_equal(first[c], first[c - 1] + 1);
}

/* Every address of the range is handed out, each once, and then no more. */
static void test_exhaust(void **state)
{
	bool seen[256] = {false};
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned int c = 20; c < 30; c++) {
		unsigned int addr = discover(&w, c, 0);

		assert_in_range(addr, 10, 19);
		assert_false(seen[addr]);
		seen[addr] = true;
	}
	assert_int_equal(discover(&w, 30, 0), 0);
	assert_string_equal(w.d.why, "no free address");
	assert_int_equal(w.d.change, LEASE_KEEP);
	assert_int_equal(discover(&w, 30, 12), 0);
	w.now_s += LEASE_OFFER_S; /* the offers were not taken */
	assert_in_range(discover(&w, 30, 0), 10, 19);
	world_done(&w);
}

/* struct choice - what there is, and which address client 2 gets. */
struct choice {
	const char *what;
	struct {
		unsigned int addr;
		unsigned int holder;
		enum lease_state state;
		int expires_in_s;
	} leases[3];
	unsigned int wish;
	unsigned int fixed;
	unsigned int expected;
};

/* In the order of preference; the range is .10 to .12, so that the rest is known. */
static void test_preference(void **state)
{
	static const struct choice cases[] = {
		{"fixed before all", {{11, 2, LEASE_BOUND, 99}}, 10, 40, 40},
		{"fixed within the range", {{11, 2, LEASE_BOUND, 99}}, 10, 12, 12},
		{"fixed, lapsed of another", {{12, 3, LEASE_BOUND, 0}}, 10, 12, 12},
		{"own before the wish", {{11, 2, LEASE_BOUND, 99}}, 10, 0, 11},
		{"own expired before the wish", {{11, 2, LEASE_BOUND, -99}}, 10, 0, 11},
		{"own released before the wish", {{11, 2, LEASE_RELEASED, 0}}, 10, 0, 11},
		{"own offer before the wish", {{11, 2, LEASE_OFFERED, 1}}, 10, 0, 11},
		{"the wish", {{11, 3, LEASE_BOUND, 99}}, 12, 0, 12},
		{"a wish for what is lapsed", {{11, 3, LEASE_BOUND, 0}}, 11, 0, 11},
		{"never used before released",
		 {{10, 3, LEASE_RELEASED, -9}, {12, 4, LEASE_BOUND, -9}},
		 0,
		 0,
		 11},
		{"released before expired",
		 {{10, 3, LEASE_BOUND, -99}, {11, 4, LEASE_RELEASED, -1}, {12, 5, LEASE_BOUND, 1}},
		 0,
		 0,
		 11},
		{"the longest expired",
		 {{10, 3, LEASE_BOUND, -5}, {11, 4, LEASE_BOUND, -9}, {12, 5, LEASE_BOUND, -7}},
		 0,
		 0,
		 11},
		{"rested after a decline",
		 {{10, 3, LEASE_BOUND, 5}, {11, 0, LEASE_DECLINED, 0}, {12, 5, LEASE_BOUND, 7}},
		 0,
		 0,
		 11},
		{"not a declined one",
		 {{10, 3, LEASE_BOUND, 5}, {11, 0, LEASE_DECLINED, 1}, {12, 5, LEASE_BOUND, 7}},
		 11,
		 0,
		 0},
		{"a wish for another's",
		 {{10, 3, LEASE_BOUND, 5}, {11, 4, LEASE_OFFERED, 1}},
		 11,
		 0,
		 12},
		{"a wish out of range",
		 {{10, 3, LEASE_BOUND, 5}, {11, 4, LEASE_BOUND, 1}},
		 30,
		 0,
		 12},
		{"a wish for the gateway",
		 {{10, 3, LEASE_BOUND, 5}, {11, 4, LEASE_BOUND, 1}},
		 GATEWAY,
		 0,
		 12},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct choice *c = &cases[i];
		unsigned int got;
		struct world w;

		world_init(&w);
		w.net.range_last = host(12);
		for (size_t j = 0; j < 3 && c->leases[j].addr; j++)
			have(&w, c->leases[j].addr, c->leases[j].holder, c->leases[j].state,
			     NOW + c->leases[j].expires_in_s);
		if (c->fixed)
			configure(&w, "web1", 2, c->fixed);
		got = discover(&w, 2, c->wish);
		if (got != c->expected)
			fail_msg("%s: .%u", c->what, got);
		world_done(&w);
	}
}

/* The range may hold the gateway, the network's own addresses, and what is fixed. */
static void test_reserved_in_range(void **state)
{
	bool seen[256] = {false};
	unsigned int n = 0, addr;
	struct world w;

	(void)state;
	world_init(&w);
	w.net.range_first = ip("192.168.122.0");
	w.net.range_last = host(255);
	w.net.gateway = host(77);
	configure(&w, "a", 201, 78);
	configure(&w, "b", 0, 79);
	attach(&w, "c", 203, 80);
	while ((addr = discover(&w, 1000 + n, 0)) != 0) {
		assert_false(seen[addr]);
		seen[addr] = true;
		n++;
	}
	assert_int_equal(n, 254 - 4);
	for (size_t i = 77; i <= 80; i++)
		assert_false(seen[i]);
	assert_false(seen[0]);
	assert_false(seen[255]);
	assert_int_equal(discover(&w, 201, 0), 78);
	assert_int_equal(discover(&w, 203, 0), 80);
	world_done(&w);
}

static void test_guest_names(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	configure(&w, "named", 2, 0);
	configure(&w, "by-name", 0, 40);
	attach(&w, "attached", 3, 41);
	attach(&w, "by-name", 4, 0); /* the file has its address, the run time its MAC */
	attach(&w, "other", 2, 42);  /* the file has its name, the run time its address */
	assert_int_equal(discover(&w, 2, 0), 42);
	assert_string_equal(w.d.msg.hostname, "named");
	assert_int_equal(discover(&w, 3, 0), 41);
	assert_string_equal(w.d.msg.hostname, "attached");
	assert_int_equal(discover(&w, 4, 0), 40);
	assert_string_equal(w.d.msg.hostname, "by-name");
	assert_int_equal(discover(&w, 5, 40), discover(&w, 5, 0));
	assert_string_equal(w.d.msg.hostname, "");
	world_done(&w);
}

/* A fixed address that makes no sense is not handed out. */
static void test_fixed_not_usable(void **state)
{
	static const char *const bad[] = {"192.168.122.0", "192.168.122.1", "192.168.122.255",
					  "10.0.0.5"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct world w;

		world_init(&w);
		configure(&w, "web1", 2, 40);
		w.configured[0].ipv4 = ip(bad[i]);
		assert_in_range(discover(&w, 2, 0), 10, 19);
		assert_int_equal(request(&w, 2, SELECTING, discover(&w, 2, 0)), DHCP4_ACK);
		world_done(&w);
	}
}

/* What lapsed outside of the range does not come back when the range is full. */
static void test_lapsed_outside(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.net.range_last = host(10);
	have(&w, 10, 3, LEASE_BOUND, NOW + 5);
	have(&w, 30, 4, LEASE_BOUND, NOW - 5);
	assert_int_equal(discover(&w, 2, 0), 0);
	world_done(&w);
}

/* Two guests for whom one address is fixed, by mistake: the first has it. */
static void test_fixed_twice(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	configure(&w, "a", 2, 40);
	attach(&w, "b", 3, 40);
	assert_int_equal(discover(&w, 3, 0), 40);
	assert_int_equal(request(&w, 3, SELECTING, 40), DHCP4_ACK);
	assert_in_range(discover(&w, 2, 0), 10, 19);
	assert_int_equal(request(&w, 2, REBOOTING, 40), DHCP4_NAK);
	world_done(&w);
}

static void test_fixed_declined(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_DECLINE);
	struct world w;

	(void)state;
	world_init(&w);
	configure(&w, "web1", 2, 40);
	assert_int_equal(discover(&w, 2, 0), 40);
	m.requested = host(40);
	say(&w, &m);
	assert_in_range(discover(&w, 2, 0), 10, 19);
	w.now_s += LEASE_DECLINE_S;
	assert_int_equal(discover(&w, 2, 0), 40);
	world_done(&w);
}

static void test_seen(void **state)
{
	struct mac other = client(99), own = client(2);
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned int i = 10; i < 19; i++)
		lease_seen(w.t, host(i), &other, NOW);
	assert_int_equal(discover(&w, 2, 12), 19);
	assert_int_equal(discover(&w, 3, 12), 0); /* all are in use */
	w.now_s += 601;
	assert_int_equal(discover(&w, 3, 12), 12);
	world_done(&w);

	world_init(&w); /* what it uses itself is no hindrance */
	lease_seen(w.t, host(12), &own, NOW);
	assert_int_equal(discover(&w, 2, 12), 12);
	world_done(&w);

	world_init(&w); /* its own lapsed lease, now used by another */
	have(&w, 12, 2, LEASE_BOUND, NOW - 1);
	lease_seen(w.t, host(12), &other, NOW);
	assert_int_not_equal(discover(&w, 2, 0), 12);
	world_done(&w);

	world_init(&w); /* nor is another's lapsed one taken that is in use */
	w.net.range_last = host(11);
	have(&w, 10, 3, LEASE_BOUND, NOW - 9);
	have(&w, 11, 4, LEASE_BOUND, NOW - 5);
	lease_seen(w.t, host(10), &other, NOW);
	assert_int_equal(discover(&w, 2, 0), 11);
	world_done(&w);
}

static void test_no_range(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.net.range_first = w.net.range_last = (struct in_addr){0};
	configure(&w, "web1", 2, 40);
	assert_int_equal(discover(&w, 2, 0), 40);
	assert_int_equal(discover(&w, 3, 12), 0);
	w.net.range_first = host(20);
	w.net.range_last = host(19);
	assert_int_equal(discover(&w, 3, 12), 0);
	world_done(&w);
}

/* A network of one free address among 65,534, and full tables. */
static void test_large(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.net.subnet = (struct ip4_prefix){ip("10.0.0.0"), 8};
	w.net.gateway = ip("10.0.0.1");
	w.net.range_first = ip("10.1.0.0");
	w.net.range_last = ip("10.1.255.255");
	for (unsigned int i = 0; i < 65536; i++) {
		struct lease l = {.addr = ip4_from_host(0x0a010000 + i),
				  .mac = client(100 + i),
				  .state = LEASE_BOUND,
				  .expires_s = NOW + 100 + i};

		if (i != 0x1234)
			assert_int_equal(lease_put(w.t, &l), 0);
	}
	discover(&w, 2, 0);
	assert_true(ip4_equal(w.d.msg.yiaddr, ip("10.1.18.52")));
	discover(&w, 3, 0);
	assert_false(w.d.reply);

	w.net.range_last = ip("10.2.0.0"); /* there is room in the range, and none in the table */
	discover(&w, 3, 0);
	assert_false(w.d.reply);
	assert_int_equal(request(&w, 3, REBOOTING, 0x0a020000 - 0xc0a87a00), DHCP4_NAK);
	assert_int_equal(request(&w, 100, REBOOTING, 0x0a010000 - 0xc0a87a00), DHCP4_ACK);
	have(&w, 0x0a010000 - 0xc0a87a00, 100, LEASE_RELEASED,
	     NOW); /* it may have the room it had */
	assert_int_equal(request(&w, 100, REBOOTING, 0x0a020000 - 0xc0a87a00), DHCP4_ACK);
	have(&w, 0x0a010000 - 0xc0a87a00, 100, LEASE_BOUND, NOW + 100);
	w.now_s += 101; /* two leases have expired, and the offer */
	discover(&w, 3, 0);
	assert_true(ip4_equal(w.d.msg.yiaddr, ip("10.1.18.52")));
	discover(&w, 4, 0);
	assert_true(ip4_equal(w.d.msg.yiaddr, ip("10.1.0.0")));
	discover(&w, 5, 0);
	assert_true(ip4_equal(w.d.msg.yiaddr, ip("10.1.0.1")));
	discover(&w, 6, 0);
	assert_false(w.d.reply);
	world_done(&w);
}

/* The end of the address space does not make the search run for ever. */
static void test_end_of_space(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.net.subnet = (struct ip4_prefix){ip("255.255.255.0"), 24};
	w.net.gateway = ip("255.255.255.1");
	w.net.range_first = ip("255.255.255.254");
	w.net.range_last = ip("255.255.255.255");
	discover(&w, 2, 0);
	assert_true(ip4_equal(w.d.msg.yiaddr, ip("255.255.255.254")));
	discover(&w, 3, 0);
	assert_false(w.d.reply);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable),	       cmocka_unit_test(test_exhaust),
		cmocka_unit_test(test_preference),     cmocka_unit_test(test_reserved_in_range),
		cmocka_unit_test(test_guest_names),    cmocka_unit_test(test_fixed_not_usable),
		cmocka_unit_test(test_lapsed_outside), cmocka_unit_test(test_fixed_twice),
		cmocka_unit_test(test_fixed_declined), cmocka_unit_test(test_seen),
		cmocka_unit_test(test_no_range),       cmocka_unit_test(test_large),
		cmocka_unit_test(test_end_of_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
