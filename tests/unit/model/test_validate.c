/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of config_set_validate(): mistakes between files, and against the host's routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"

#define FILES_MAX 4
#define ROUTES_MAX 4
#define ERRS_MAX 6

/* struct set_case - files (path, text), routes (prefix, interface), and the lines expected. */
struct set_case {
	const char *name;
	const char *files[FILES_MAX][2];
	const char *routes[ROUTES_MAX][2];
	const char *errs[ERRS_MAX];
};

static const struct set_case cases[] = {
	{"nothing", {{0}}, {{0}}, {0}},
	{"two that go together",
	 {{"/n/a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests: {x: {ipv4: 10.0.0.9}}\n"},
	  {"/n/b.yaml",
	   "network: b\nipv4: {subnet: 10.0.1.0/24}\nguests: {y: {ipv4: 10.0.1.9}}\n"}},
	 {{"10.0.2.0/24", "eth0"}},
	 {0}},
	{"copied file",
	 {{"/n/a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"/n/b.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"}},
	 {{0}},
	 {"/n/b.yaml:1:10: network \"a\" is already defined (/n/a.yaml:1:10); choose another name",
	  "/n/b.yaml:2:16: subnet 10.0.0.0/24 overlaps with 10.0.0.0/24 of network \"a\" "
	  "(/n/a.yaml:2:16); choose another subnet"}},
	{"the file of that name has the better right",
	 {{"/n/a.yaml", "network: z\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"/n/z.yaml", "network: z\nipv4: {subnet: 10.0.1.0/24}\n"}},
	 {{0}},
	 {"/n/a.yaml:1:10: network \"z\" is already defined (/n/z.yaml:1:10); choose another "
	  "name"}},
	{"sources that are guests' own",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nnat:\n  source: 10.0.1.255\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.0.1.0/24}\nnat: {source: 10.0.2.0-10.0.2.9}\n"},
	  {"c.yaml",
	   "network: c\nipv4: {subnet: 10.0.3.0/24}\nnat: {source: 10.0.2.250-10.0.3.0}\n"}},
	 {{"10.0.2.0/24", "eth0"}},
	 {"a.yaml:4:11: `source`: 10.0.1.255 lies in the subnet 10.0.1.0/24 of network \"b\", "
	  "which is not seen from outside; expected addresses of this host",
	  "c.yaml:3:15: `source`: 10.0.2.250-10.0.3.0 lies in the subnet 10.0.3.0/24 of network "
	  "\"c\", which is not seen from outside; expected addresses of this host"}},
	{"wrong file names",
	 {{"/n/a.yaml", "network: b\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"c.yml", "network: c\nipv4: {subnet: 10.0.1.0/24}\n"},
	  {"d.yaml", "network: d\nipv4: {subnet: 10.0.2.0/24}\n"}},
	 {{0}},
	 {"/n/a.yaml:1:10: network \"b\" must be in a file called b.yaml; rename one of the two",
	  "c.yml:1:10: network \"c\" must be in a file called c.yaml; rename one of the two"}},
	{"forwards that go together",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests:\n"
		     "  x: {ipv4: 10.0.0.9, forward: [tcp 80 -> 80, 'udp 10.9.0.1:53 -> 53']}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.0.1.0/24}\nguests:\n"
		     "  y: {ipv4: 10.0.1.9, forward: [udp 80 -> 80, 'udp 10.9.0.2:53 -> 53']}\n"}},
	 {{0}},
	 {0}},
	{"forwards of one port",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests:\n"
		     "  x: {ipv4: 10.0.0.9, forward: [tcp 80-90 -> 80]}\n"},
	  {"b.yaml",
	   "network: b\nipv4: {subnet: 10.0.1.0/24}\nguests:\n"
	   "  y: {ipv4: 10.0.1.9, forward: ['tcp 10.9.0.1:90 -> 1', 'tcp 70-80 -> 1']}\n"}},
	 {{0}},
	 {"b.yaml:4:57: `forward`: \"tcp 70-80 -> 1\" wants port 80, which is that of "
	  "\"tcp 80-90 -> 80\" of guest \"x\" of network \"a\" (a.yaml:4:33); choose another port",
	  "b.yaml:4:33: `forward`: \"tcp 10.9.0.1:90 -> 1\" wants port 90, which is that of "
	  "\"tcp 80-90 -> 80\" of guest \"x\" of network \"a\" (a.yaml:4:33), as without an "
	  "address "
	  "all of the host's are meant; choose another port"}},
	{"a forward of another network's DNS",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests:\n"
		     "  x: {ipv4: 10.0.0.9, forward: ['udp 10.0.1.1:53 -> 53']}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.0.1.0/24}\n"}},
	 {{0}},
	 {"a.yaml:4:33: `forward`: \"udp 10.0.1.1:53 -> 53\" takes port 53, where guests reach the "
	  "host's DNS at the gateway 10.0.1.1 of network \"b\" (b.yaml:2:16); name the one address "
	  "that is meant, such as udp 203.0.113.2:53 -> 53"}},
	{"too many forwarded ports",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests:\n"
		     "  x: {ipv4: 10.0.0.9, forward: ['tcp 10.9.0.1:1000-17383 -> 1', "
		     "'tcp 10.9.0.2:1000-17383 -> 1', 'tcp 10.9.0.3:1000-17383 -> 1', "
		     "'tcp 10.9.0.4:1000-17383 -> 1']}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.0.1.0/24}\nguests:\n"
		     "  y: {ipv4: 10.0.1.9, forward: ['tcp 10.9.0.5:1000-17383 -> 1', "
		     "'tcp 10.9.0.6:1000-17383 -> 1', 'tcp 10.9.0.7:1000-17383 -> 1', "
		     "'tcp 10.9.0.8:1000-17383 -> 1', 'tcp 9 -> 9']}\n"}},
	 {{0}},
	 {"b.yaml:4:161: `forward`: \"tcp 9 -> 9\" makes it more than 131072 forwarded ports on "
	  "this "
	  "host; leave some out"}},
	{"one bridge",
	 {{"a.yaml", "network: a\nbridge: br0\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: b\nbridge: br0\nipv4: {subnet: 10.0.1.0/24}\n"},
	  {"c.yaml", "network: c\nbridge: vl-d\nipv4: {subnet: 10.0.2.0/24}\n"},
	  {"d.yaml", "network: d\nipv4: {subnet: 10.0.3.0/24}\n"}},
	 {{0}},
	 {"b.yaml:1:10: bridge br0 is already that of network \"a\" (a.yaml:1:10); choose another "
	  "with `bridge:`",
	  "d.yaml:1:10: bridge vl-d is already that of network \"c\" (c.yaml:1:10); choose another "
	  "with `bridge:`"}},
	{"guests",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests:\n"
		     "  x: {mac: 52:54:00:00:00:01}\n  y: {mac: 52:54:00:00:00:02}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.0.1.0/24}\nguests:\n"
		     "  y: {mac: 52:54:00:00:00:03}\n  z: {mac: 52:54:00:00:00:01}\n  a: {}\n"}},
	 {{0}},
	 {"b.yaml:6:3: guest \"a\" of network \"b\" and network \"a\" (a.yaml:1:10) would both "
	  "have "
	  "the interface vl-a; rename one of them",
	  "b.yaml:4:3: guest \"y\" is already in network \"a\" (a.yaml:5:3); choose another name",
	  "b.yaml:5:3: MAC 52:54:00:00:00:01 is already that of guest \"x\" of network \"a\" "
	  "(a.yaml:4:3); each guest needs its own"}},
	{"three of one MAC are two mistakes",
	 {{"a.yaml",
	   "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests: {x: {mac: 52:54:00:00:00:01}}"},
	  {"b.yaml",
	   "network: b\nipv4: {subnet: 10.0.1.0/24}\nguests: {y: {mac: 52:54:00:00:00:01}}"},
	  {"c.yaml",
	   "network: c\nipv4: {subnet: 10.0.2.0/24}\nguests: {z: {mac: 52:54:00:00:00:01}}"}},
	 {{0}},
	 {"b.yaml:3:10: MAC 52:54:00:00:00:01 is already that of guest \"x\" of network \"a\" "
	  "(a.yaml:3:10); each guest needs its own",
	  "c.yaml:3:10: MAC 52:54:00:00:00:01 is already that of guest \"x\" of network \"a\" "
	  "(a.yaml:3:10); each guest needs its own"}},
	{"one address in two networks is a mistake of the subnets only",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\nguests: {x: {ipv4: 10.0.0.9}}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.0.0.0/24}\nguests: {y: {ipv4: 10.0.0.9}}\n"}},
	 {{0}},
	 {"b.yaml:2:16: subnet 10.0.0.0/24 overlaps with 10.0.0.0/24 of network \"a\" "
	  "(a.yaml:2:16); choose another subnet"}},
	{"nested subnets, the wider one last",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.5.0/24}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 10.1.0.0/16}\n"},
	  {"c.yaml", "network: c\nipv4: {subnet: 10.0.0.0/16}\n"},
	  {"d.yaml", "network: d\nipv4: {subnet: 10.0.255.0/24}\n"}},
	 {{0}},
	 {"a.yaml:2:16: subnet 10.0.5.0/24 overlaps with 10.0.0.0/16 of network \"c\" "
	  "(c.yaml:2:16); "
	  "choose another subnet",
	  "d.yaml:2:16: subnet 10.0.255.0/24 overlaps with 10.0.0.0/16 of network \"c\" "
	  "(c.yaml:2:16); choose another subnet"}},
	{"routes: own bridges and default routes do not count",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: b\nbridge: br7\nipv4: {subnet: 10.0.1.0/24}\n"}},
	 {{"10.0.0.0/24", "vl-a"},
	  {"10.0.0.0/16", "br7"},
	  {"0.0.0.0/1", "tun0"},
	  {"0.0.0.0/0", "e"}},
	 {0}},
	{"routes in the way, wider and narrower",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: b\nipv4: {subnet: 172.16.0.0/12}\n"}},
	 {{"10.0.0.0/8", "wg0"}, {"172.17.0.0/16", "docker0"}, {"172.18.0.1/32", ""}},
	 {"a.yaml:2:16: subnet 10.0.0.0/24 overlaps with the host's route to 10.0.0.0/8 over wg0; "
	  "choose another subnet",
	  "b.yaml:2:16: subnet 172.16.0.0/12 overlaps with the host's route to 172.17.0.0/16 over "
	  "docker0; choose another subnet"}},
	{"a route over several interfaces",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"}},
	 {{"10.0.0.128/25", ""}},
	 {"a.yaml:2:16: subnet 10.0.0.0/24 overlaps with the host's route to 10.0.0.128/25 over "
	  "several interfaces; choose another subnet"}},
	{"networks without addresses overlap with nothing",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/8}\n"},
	  {"b.yaml", "network: b\nmode: isolated\nhost: false\n"},
	  {"c.yaml", "network: c\nmode: isolated\nhost: false\n"}},
	 {{"1.0.0.0/8", "e"}},
	 {0}},
	{"other modes overlap as nat does",
	 {{"a.yaml", "network: a\nmode: routed\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: b\nmode: isolated\nipv4: {subnet: 10.0.0.0/25}\n"}},
	 {{0}},
	 {"b.yaml:3:16: subnet 10.0.0.0/25 overlaps with 10.0.0.0/24 of network \"a\" "
	  "(a.yaml:3:16); choose another subnet"}},
	{"a file with mistakes is passed over",
	 {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: a\nmtu: x\n"}},
	 {{0}},
	 {0}},
};

static void set_fill(struct config_set *set, const struct set_case *c)
{
	set->files = calloc(FILES_MAX, sizeof(*set->files));
	assert_non_null(set->files);
	for (size_t i = 0; i < FILES_MAX && c->files[i][0]; i++) {
		const char *text = c->files[i][1];
		struct config_file *f = &set->files[set->n++];

		f->path = strdup(c->files[i][0]);
		if (network_config_parse(f->path, text, strlen(text), &f->network, NULL) < 0)
			assert_null(f->network);
	}
}

static size_t routes_fill(struct host_route *routes, const struct set_case *c)
{
	size_t n = 0;

	for (; n < ROUTES_MAX && c->routes[n][0]; n++) {
		assert_int_equal(ip4_prefix_parse(c->routes[n][0], &routes[n].dst), 0);
		snprintf(routes[n].ifname, IFNAMSIZ, "%s", c->routes[n][1]);
	}
	return n;
}

static void run_case(const struct set_case *c, struct err_list *errs)
{
	struct host_route routes[ROUTES_MAX];
	struct config_set set = {0};
	size_t n_routes, n = 0;
	char line[1024];
	int r;

	errs->n = 0;
	set_fill(&set, c);
	n_routes = routes_fill(routes, c);
	r = config_set_validate(&set, routes, n_routes, errs);
	assert_int_equal(r, errs->n ? -EINVAL : 0);
	for (; n < ERRS_MAX && c->errs[n]; n++) {
		if (n >= errs->n)
			fail_msg("%s: missing: %s", c->name, c->errs[n]);
		assert_string_equal(err_format(&errs->items[n], line, sizeof(line)), c->errs[n]);
	}
	if (errs->n > n)
		fail_msg("%s: too much: %s", c->name, errs->items[n].message);
	assert_int_equal(config_set_validate(&set, routes, n_routes, NULL), r);
	config_set_done(&set);
}

static void test_cases(void **state)
{
	struct err_list *errs = calloc(1, sizeof(*errs));

	(void)state;
	assert_non_null(errs);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], errs);
	free(errs);
}

/* Structs that no parser has seen: two guests of one network with one address. */
static void test_same_file(void **state)
{
	static const char text[] = "network: a\nipv4: {subnet: 10.0.0.0/24}\n"
				   "guests: {x: {ipv4: 10.0.0.8}, y: {ipv4: 10.0.0.9}}\n";
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct config_file file = {(char *)"a.yaml", NULL};
	struct config_set set = {&file, 1};

	(void)state;
	assert_int_equal(
		network_config_parse("a.yaml", text, sizeof(text) - 1, &file.network, NULL), 0);
	assert_int_equal(config_set_validate(&set, NULL, 0, errs), 0);
	file.network->guests[1].ipv4 = file.network->guests[0].ipv4;
	assert_int_equal(config_set_validate(&set, NULL, 0, errs), -EINVAL);
	assert_int_equal(errs->n, 1);
	assert_string_equal(errs->items[0].message,
			    "address 10.0.0.8 is already that of guest "
			    "\"x\" (a.yaml:3:10); each guest needs its own");
	network_config_free(file.network);
	free(errs);
}

/* What fits each network may be too much for one table. */
static void test_rules_of_all(void **state)
{
	const size_t full = POLICY_HOST_RULES_MAX / POLICY_RULES_MAX;
	struct config_file *files = calloc(full + 1, sizeof(*files));
	struct config_set set = {files, full};
	struct network_config *networks = calloc(full + 1, sizeof(*networks));
	struct err_list errs = {0};

	(void)state;
	assert_non_null(files);
	assert_non_null(networks);
	for (size_t i = 0; i <= full; i++) {
		networks[i].mode = NETWORK_BRIDGED;
		networks[i].adopted = true;
		networks[i].policy.n_rules = POLICY_RULES_MAX;
		snprintf(networks[i].name, sizeof(networks[i].name), "n%zu", i);
		snprintf(networks[i].bridge, sizeof(networks[i].bridge), "b%zu", i);
		files[i].network = &networks[i];
		assert_true(asprintf(&files[i].path, "n%zu.yaml", i) > 0);
	}
	assert_int_equal(config_set_validate(&set, NULL, 0, &errs), 0);
	set.n++;
	networks[full].policy.n_rules = 1;
	assert_int_equal(config_set_validate(&set, NULL, 0, &errs), -EINVAL);
	assert_int_equal(errs.n, 1);
	assert_string_equal(errs.items[0].code, "too-big");
	for (size_t i = 0; i <= full; i++)
		free(files[i].path);
	free(files);
	free(networks);
}

/* A thousand networks with ten guests each, and a thousand routes. */
static void test_scale(void **state)
{
	struct config_set set = {calloc(1000, sizeof(*set.files)), 1000};
	struct host_route *routes = calloc(1000, sizeof(*routes));
	char text[2048];

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		struct config_file *f = &set.files[i];
		int len = snprintf(text, sizeof(text),
				   "network: n%u\nipv4: {subnet: 10.%u.%u.0/24}\nguests:\n", i,
				   i >> 8, i & 255);

		for (unsigned int g = 0; g < 10; g++)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
					"  g%u-%u: {mac: 52:54:01:%02x:%02x:%02x}\n", i, g, i >> 8,
					i & 255, g);
		assert_true(asprintf(&f->path, "/n/n%u.yaml", i) > 0);
		assert_int_equal(
			network_config_parse(f->path, text, (size_t)len, &f->network, NULL), 0);
		routes[i].dst = (struct ip4_prefix){ip4_from_host(0xc0a80000 + i), 32};
		snprintf(routes[i].ifname, IFNAMSIZ, "eth%u", i);
	}
	assert_int_equal(config_set_validate(&set, routes, 1000, NULL), 0);
	config_set_done(&set);
	free(routes);
}

/* struct peers_case - files whose peers are looked at. */
static const struct set_case peers_cases[] = {
	{"nobody has any", {{"a.yaml", "network: a\nipv4: {subnet: 10.0.0.0/24}\n"}}, {{0}}, {0}},
	{"each other",
	 {{"a.yaml", "network: a\npeers: [b, c]\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: b\nmode: routed\npeers: [a]\nipv4: {subnet: 10.0.1.0/24}\n"},
	  {"c.yaml", "network: c\npeers: [a]\nipv4: {subnet: 10.0.2.0/24}\n"}},
	 {{0}},
	 {0}},
	{"only one of two, and one that is not there",
	 {{"a.yaml", "network: a\npeers: [b, x]\nipv4: {subnet: 10.0.0.0/24}\n"},
	  {"b.yaml", "network: b\npeers: [c]\nipv4: {subnet: 10.0.1.0/24}\n"},
	  {"c.yaml", "network: c\npeers: [b]\nipv4: {subnet: 10.0.2.0/24}\n"}},
	 {{0}},
	 {"a.yaml:2:8: `peers`: network \"b\" does not list \"a\" among its own `peers` "
	  "(b.yaml:1:10); add it there, or leave this one out",
	  "a.yaml:2:8: `peers`: there is no network \"x\"; leave it out"}},
};

static void test_peers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(peers_cases); i++) {
		const struct set_case *c = &peers_cases[i];
		struct err_list *errs = calloc(1, sizeof(*errs));
		struct config_file files[FILES_MAX] = {{0}};
		struct config_set set = {.files = files};
		char line[1024];
		size_t n = 0;

		for (; set.n < FILES_MAX && c->files[set.n][0]; set.n++) {
			const char *text = c->files[set.n][1];

			files[set.n].path = (char *)(uintptr_t)c->files[set.n][0];
			assert_int_equal(network_config_parse(files[set.n].path, text, strlen(text),
							      &files[set.n].network, NULL),
					 0);
		}
		while (n < ERRS_MAX && c->errs[n])
			n++;
		assert_int_equal(config_set_validate_peers(&set, errs), n ? -EINVAL : 0);
		assert_int_equal(errs->n, n);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(err_format(&errs->items[k], line, sizeof(line)),
					    c->errs[k]);
		for (size_t k = 0; k < set.n; k++)
			network_config_free(files[k].network);
		free(errs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peers),	  cmocka_unit_test(test_cases),
		cmocka_unit_test(test_same_file), cmocka_unit_test(test_rules_of_all),
		cmocka_unit_test(test_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
