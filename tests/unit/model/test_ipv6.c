/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of what the model has of IPv6: ULAs, overlaps between files and with routes, and the plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/config.h"
#include "model/ipv6.h"

static struct ip6_prefix prefix(const char *text)
{
	struct ip6_prefix p;

	assert_int_equal(ip6_prefix_parse(text, &p), 0);
	return p;
}

static void test_ula(void **state)
{
	const uint8_t id[] = {0x12, 0x34, 0x56, 0x78, 0x9a};
	struct ip6_prefix p = ula_subnet(id);
	char text[IP6_PREFIX_STRLEN];

	(void)state;
	assert_string_equal(ip6_prefix_format(&p, text), "fd12:3456:789a::/64");
}

static void test_taken(void **state)
{
	static const struct {
		const char *used;
		bool taken;
	} cases[] = {
		{"::/0", false},
		{"8000::/1", false},
		{"2000::/3", false},
		{"fd00:1::/64", true},
		{"fd00:1::5/128", true},
		{"fd00::/8", true},
		{"fd00:1:0:1::/64", false},
		{"fd00:1:0:0:8000::/65", true},
		{"::/0", false},
	};
	const struct ip6_prefix p = prefix("fd00:1::/64");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ip6_prefix used[] = {prefix("fd00:7::/64"), prefix(cases[i].used)};

		assert_int_equal(ip6_is_taken(used, 2, &p), cases[i].taken);
	}
	assert_false(ip6_is_taken(NULL, 0, &p));
}

/* ---- between files, and with the host's routes ---- */

#define FILES 3
#define ROUTES 3

/* struct overlap_case - IPv6 subnets of files a, b and c, routes with their interface; the errors. */
struct overlap_case {
	const char *subnets[FILES];
	const char *routes[ROUTES][2];
	const char *errs;
};

static const struct overlap_case cases[] = {
	{{"fd00:1::/64", "fd00:2::/64", "auto"}, {{"2001:db8::/64", "eth0"}}, ""},
	{{"fd00:1::/64", "fd00:2::/64", "fd00:1::/64"},
	 {{0}},
	 "c.yaml:3:16: IPv6 subnet fd00:1::/64 is already that of network \"a\" (a.yaml:3:16); "
	 "choose another subnet\n"},
	/* each later one is told of the first */
	{{"fd00:1::/64", "fd00:1::/64", "fd00:1::/64"},
	 {{0}},
	 "b.yaml:3:16: IPv6 subnet fd00:1::/64 is already that of network \"a\" (a.yaml:3:16); "
	 "choose another subnet\n"
	 "c.yaml:3:16: IPv6 subnet fd00:1::/64 is already that of network \"a\" (a.yaml:3:16); "
	 "choose another subnet\n"},
	{{"fd00:1::/64", "fd00:2::/64", "fd00:3::/64"},
	 {{"fd00:2::/48", "wg0"}, {"fd00:3::7/128", ""}},
	 "b.yaml:3:16: IPv6 subnet fd00:2::/64 overlaps with the host's route to fd00:2::/48 over "
	 "wg0; choose another subnet\n"
	 "c.yaml:3:16: IPv6 subnet fd00:3::/64 overlaps with the host's route to fd00:3::7/128 "
	 "over "
	 "several interfaces; choose another subnet\n"},
	/* default routes and their parts, and routes over our own bridges */
	{{"2001:db8::/64", "fd00:2::/64", "auto"},
	 {{"::/0", "eth0"}, {"2000::/3", "tun0"}, {"fd00:2::/64", "vl-b"}},
	 ""},
};

static void set_fill(struct config_set *set, const struct overlap_case *c)
{
	static const char *const names[FILES] = {"a", "b", "c"};
	char text[200], path[16];

	for (size_t i = 0; i < FILES; i++) {
		snprintf(text, sizeof(text),
			 "network: %s\nipv4: {subnet: 10.%zu.0.0/24}\nipv6: {subnet: %s}\n",
			 names[i], i, c->subnets[i]);
		snprintf(path, sizeof(path), "%s.yaml", names[i]);
		set->files[i].path = strdup(path);
		assert_int_equal(network_config_parse(path, text, strlen(text),
						      &set->files[i].network, NULL),
				 0);
	}
	set->n = FILES;
}

static void test_overlaps(void **state)
{
	struct err_list *errs = calloc(1, sizeof(*errs));

	(void)state;
	assert_non_null(errs);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_set set = {.files = calloc(FILES, sizeof(*set.files))};
		struct host_route6 routes[ROUTES];
		struct buf said = BUF_INIT(4096);
		size_t n = 0;
		char line[1024];
		int r;

		assert_non_null(set.files);
		set_fill(&set, &cases[i]);
		for (; n < ROUTES && cases[i].routes[n][0]; n++) {
			routes[n].dst = prefix(cases[i].routes[n][0]);
			strcpy(routes[n].ifname, cases[i].routes[n][1]);
		}
		errs->n = 0;
		r = config_set_validate_ipv6(&set, routes, n, errs);
		assert_int_equal(r, cases[i].errs[0] ? -EINVAL : 0);
		for (size_t k = 0; k < errs->n; k++)
			buf_printf(&said, "%s\n", err_format(&errs->items[k], line, sizeof(line)));
		assert_string_equal(buf_str(&said), cases[i].errs);
		assert_int_equal(config_set_validate_ipv6(&set, routes, n, NULL), r);
		buf_done(&said);
		config_set_done(&set);
	}
	free(errs);
}

static void test_settle(void **state)
{
	static const char text[] =
		"network: a\nipv4: {subnet: 10.0.0.0/24}\nipv6: {subnet: auto}\n";
	const struct ip6_prefix p = prefix("fd00:9::7/64");
	struct network_config *n = NULL, *again = NULL;
	char addr[IP6_STRLEN];

	(void)state;
	assert_int_equal(network_config_parse("a", text, strlen(text), &n, NULL), 0);
	assert_int_equal(network_config_parse("a", text, strlen(text), &again, NULL), 0);
	assert_int_equal(n->ipv6.subnet.len, 0);
	network_config_settle6(n, &p);
	assert_string_equal(ip6_format(&n->ipv6.gateway, addr), "fd00:9::1");
	assert_string_equal(ip6_format(&n->ipv6.subnet.addr, addr), "fd00:9::");
	assert_false(network_config_equal(n, again));
	network_config_settle6(again, &p);
	assert_true(network_config_equal(n, again));
	again->ipv6.dns[again->ipv6.n_dns++] = p.addr;
	assert_false(network_config_equal(n, again));
	network_config_free(n);
	network_config_free(again);
}

/* ---- the plan ---- */

#define LINK_LOCAL "fe80::5054:ff:fe00:aa/64"

/* struct world - network "a" on vl-a (ifindex 2) with IPv6, as it should be. */
struct world {
	struct network_config config;
	struct desired_network network;
	struct sysctl_state sysctls[6];
	struct sysctl_state now[6];
	struct link_state links[3];
	struct addr_state addrs[1];
	struct addr6_state addrs6[6];
	struct desired d;
	struct actual a;
};

static void add_addr6(struct world *w, int ifindex, const char *addr)
{
	w->addrs6[w->a.n_addrs6++] = (struct addr6_state){ifindex, prefix(addr)};
	assert_true(w->a.n_addrs6 <= ARRAY_SIZE(w->addrs6));
}

static void add_sysctl(struct world *w, const char *path, const char *now, const char *value)
{
	size_t i = w->d.n_sysctls++;

	assert_true(i < ARRAY_SIZE(w->sysctls));
	snprintf(w->sysctls[i].path, SYSCTL_PATH_MAX, "%s", path);
	w->now[i] = w->sysctls[i];
	snprintf(w->sysctls[i].value, SYSCTL_VALUE_MAX, "%s", value);
	snprintf(w->now[i].value, SYSCTL_VALUE_MAX, "%s", now);
}

static void world_init(struct world *w)
{
	const struct mac mac = {{0x52, 0x54, 0, 0, 0, 0xaa}};

	*w = (struct world){0};
	w->config = (struct network_config){
		.name = "a",
		.bridge = "vl-a",
		.subnet = {ip4_from_host(0x0a000000), 24},
		.gateway = ip4_from_host(0x0a000001),
	};
	w->config.ipv6 = (struct network_ipv6){.on = true, .subnet = prefix("fd00:1::/64")};
	w->config.ipv6.gateway = prefix("fd00:1::1/64").addr;
	w->network = (struct desired_network){.config = &w->config, .mac = mac, .ipv6 = true};
	w->d = (struct desired){.networks = &w->network,
				.n_networks = 1,
				.sysctls = w->sysctls,
				.sysctls_now = w->now};
	w->links[0] = (struct link_state){
		.ifindex = 2, .name = "vl-a", .kind = "bridge", .mtu = 1500, .up = true};
	strcpy(w->links[0].alias, ALIAS_NETWORK "a");
	w->links[0].mac = mac;
	w->links[1] = (struct link_state){.ifindex = 3, .name = "eth0", .mtu = 1500, .up = true};
	w->links[2] = (struct link_state){.ifindex = 4, .name = "wg0", .mtu = 1500, .up = true};
	w->addrs[0] = (struct addr_state){2, {ip4_from_host(0x0a000001), 24}};
	w->a = (struct actual){.links = w->links,
			       .n_links = 3,
			       .addrs = w->addrs,
			       .n_addrs = 1,
			       .addrs6 = w->addrs6};
}

static void expect_plan(const struct world *w, const char *lines)
{
	struct buf text = BUF_INIT(4096);
	struct plan p = {0};

	assert_int_equal(plan_diff(&w->d, &w->a, &p, NULL), 0);
	for (size_t i = 0; i < p.n; i++) {
		plan_step_text(&p.steps[i], &text);
		buf_puts(&text, "\n");
	}
	assert_string_equal(buf_str(&text), lines);
	buf_done(&text);
	plan_done(&p);
}

static void test_plan_addresses(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	expect_plan(&w, "+ address " LINK_LOCAL " on vl-a\n+ address fd00:1::1/64 on vl-a\n");
	add_addr6(&w, 1, "::1/128");
	add_addr6(&w, 2, LINK_LOCAL);
	add_addr6(&w, 2, "fd00:1::1/64");
	add_addr6(&w, 3, "fd00:1::1/64");
	expect_plan(&w, "");
	/* Other addresses go; ours with another length is another. */
	w.addrs6[1].prefix = prefix("fe80::1/64");
	w.addrs6[2].prefix.len = 48;
	expect_plan(&w, "- address fe80::1/64 on vl-a\n- address fd00:1::1/48 on vl-a\n"
			"+ address " LINK_LOCAL " on vl-a\n+ address fd00:1::1/64 on vl-a\n");
	/* Without IPv6 on the host the sysctl does it. */
	w.network.ipv6 = false;
	add_sysctl(&w, "net/ipv6/conf/vl-a/disable_ipv6", "0", "1");
	expect_plan(&w, "~ net.ipv6.conf.vl-a.disable_ipv6: 0 -> 1\n");
}

/* Listening first, then bridges, then the rest; and the other way round. */
static void test_plan_order(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_sysctl(&w, "net/ipv6/conf/all/forwarding", "0", "1");
	add_sysctl(&w, "net/ipv6/conf/vl-a/accept_ra", "", "0");
	add_sysctl(&w, "net/ipv6/conf/vl-a/forwarding", "", "1");
	add_sysctl(&w, "net/ipv6/conf/wg0/accept_ra", "1", "2");
	add_sysctl(&w, "net/ipv6/conf/eth0/accept_ra", "1", "2");
	add_sysctl(&w, "net/ipv6/conf/default/accept_ra", "1", "2");
	w.links[0] = w.links[2];
	w.a.n_links = 2;
	w.a.n_addrs = 0;
	expect_plan(&w, "~ net.ipv6.conf.default.accept_ra: 1 -> 2\n"
			"~ net.ipv6.conf.eth0.accept_ra: 1 -> 2\n"
			"~ net.ipv6.conf.wg0.accept_ra: 1 -> 2\n"
			"+ bridge vl-a (52:54:00:00:00:aa)\n"
			"+ address 10.0.0.1/24 on vl-a\n"
			"~ net.ipv6.conf.vl-a.accept_ra: 0\n"
			"~ net.ipv6.conf.vl-a.forwarding: 1\n"
			"~ vl-a: up\n"
			"+ address " LINK_LOCAL " on vl-a\n"
			"+ address fd00:1::1/64 on vl-a\n"
			"~ net.ipv6.conf.all.forwarding: 0 -> 1\n");
	world_init(&w);
	w.d.n_networks = 0;
	add_sysctl(&w, "net/ipv6/conf/eth0/accept_ra", "2", "1");
	add_sysctl(&w, "net/ipv6/conf/wg0/forwarding", "0", "1");
	add_sysctl(&w, "net/ipv6/conf/all/forwarding", "1", "0");
	expect_plan(&w, "- bridge vl-a\n"
			"~ net.ipv6.conf.all.forwarding: 1 -> 0\n"
			"~ net.ipv6.conf.wg0.forwarding: 0 -> 1\n"
			"~ net.ipv6.conf.eth0.accept_ra: 2 -> 1\n");
}

static void test_uplinks(void **state)
{
	struct route6_state routes[] = {
		{.oif = 3, .table = 254, .metric = 1024, .by_ra = true},
		{.oif = 4, .table = 254, .metric = 512},
		{.oif = 2, .table = 254, .metric = 1}, /* ours */
		{.oif = 3, .table = 77, .metric = 1},
		{.dst = prefix("2001:db8::/64"), .oif = 3, .table = 254},
	};
	char names[4][IFNAMSIZ];
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(actual_uplinks6(&w.a, names, 4), 0);
	w.a.routes6 = routes;
	w.a.n_routes6 = ARRAY_SIZE(routes);
	assert_int_equal(actual_uplinks6(&w.a, names, 4), 2);
	assert_string_equal(names[0], "wg0");
	assert_string_equal(names[1], "eth0");
	assert_int_equal(actual_uplinks(&w.a, names, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ula),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_plan_addresses),
		cmocka_unit_test(test_plan_order),
		cmocka_unit_test(test_uplinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
