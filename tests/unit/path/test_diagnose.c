/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/diagnose*.c: journeys and facts by hand, what is said of them. What a kernel can be
 * brought to do in a namespace is in tests/netns/test_diagnose.py; here is the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "path/diagnose.h"
#include "path/diagnose_internal.h"
#include "path/inject.h"

enum { TAP = 3, OTHER = 4, BRIDGE = 5, UPLINK = 6 };
enum { R_NETFILTER = 1, R_QDISC, R_TC, R_STRANGE, R_RING, R_NOTHING };

static struct link_state links[] = {
	{.ifindex = TAP,
	 .name = "vnet1",
	 .kind = "tun",
	 .mtu = 1500,
	 .up = true,
	 .carrier = true,
	 .master = BRIDGE,
	 .port_state = PORT_FORWARDING},
	{.ifindex = OTHER,
	 .name = "vnet2",
	 .kind = "tun",
	 .mtu = 1500,
	 .up = true,
	 .carrier = true,
	 .master = BRIDGE,
	 .port_state = PORT_FORWARDING},
	{.ifindex = BRIDGE,
	 .name = "br7",
	 .kind = "bridge",
	 .mtu = 1500,
	 .up = true,
	 .carrier = true},
	{.ifindex = UPLINK, .name = "eth0", .mtu = 1500, .up = true, .carrier = true},
};
static struct addr_state addrs[] = {{BRIDGE, {{0}, 24}}, {UPLINK, {{0}, 24}}};
static const struct path_device devices[] = {
	{TAP, BRIDGE, DEVICE_GUEST, {{0}}, "vnet1", "web1"},
	{OTHER, BRIDGE, DEVICE_PORT, {{0}}, "vnet2", ""},
	{BRIDGE, 0, DEVICE_BRIDGE, {{0}}, "br7", ""},
	{UPLINK, 0, DEVICE_UPLINK, {{0}}, "eth0", ""},
};
static const struct path_address locals[] = {{AF_INET, {10, 7, 0, 1}, 24, BRIDGE}};
static const struct path_view view = {
	.devices = devices, .n_devices = 4, .locals = locals, .n_locals = 1};

/* struct world - what the questions are answered with. */
struct world {
	const char *sysctl, *value;
	const char *sysctl2, *value2;
	const char *chain;
	bool legacy, lease, routed, read_only;
	struct actual host;
	struct facts facts;
	struct in_addr resolvers[4];
	size_t n_resolvers;
	bool isolated;
};

static bool ask_sysctl(const char *path, char *ret, size_t size, void *ctx)
{
	const struct world *w = ctx;

	if (w->sysctl && strcmp(path, w->sysctl) == 0)
		snprintf(ret, size, "%s", w->value);
	else if (w->sysctl2 && strcmp(path, w->sysctl2) == 0)
		snprintf(ret, size, "%s", w->value2);
	else
		return false;
	return true;
}

static bool ask_writable(const char *path, void *ctx)
{
	return !((const struct world *)ctx)->read_only;
}

static bool ask_chain(const char *family, const char *table, const char *chain, void *ctx)
{
	const struct world *w = ctx;

	return w->chain && strcmp(chain, w->chain) == 0;
}

static bool ask_legacy(int family, const char *table, void *ctx)
{
	return ((const struct world *)ctx)->legacy;
}

static bool ask_vmm(const char *tap, struct fact_vmm *ret, void *ctx)
{
	return false;
}

static bool ask_gateway(int ifindex, struct in_addr *ret, char *source, size_t size, void *ctx)
{
	if (!((const struct world *)ctx)->lease || ifindex != UPLINK)
		return false;
	*ret = ip4_from_host(0xcb007101);
	snprintf(source, size, "/run/lease");
	return true;
}

static bool ask_routed(const char *network, void *ctx)
{
	return ((const struct world *)ctx)->routed;
}

static bool ask_isolated(const char *network, void *ctx)
{
	return ((const struct world *)ctx)->isolated;
}

static size_t ask_resolvers(const char *network, struct in_addr *ret, size_t max, void *ctx)
{
	const struct world *w = ctx;
	size_t n = 0;

	for (; n < w->n_resolvers && n < max; n++)
		ret[n] = w->resolvers[n];
	return n;
}

static bool ask_filter(int ifindex, bool egress, uint16_t *ret_pref, char *kind, size_t size,
		       void *ctx)
{
	return false;
}

static bool ask_daemon(void *ctx)
{
	return true;
}

static void world_init(struct world *w)
{
	*w = (struct world){0};
	addrs[0].prefix.addr = ip4_from_host(0x0a070001);
	addrs[1].prefix.addr = ip4_from_host(0xcb007102);
	w->host = (struct actual){.links = links, .n_links = 4, .addrs = addrs, .n_addrs = 2};
	w->facts = (struct facts){.host = &w->host,
				  .sysctl = ask_sysctl,
				  .writable = ask_writable,
				  .chain = ask_chain,
				  .legacy = ask_legacy,
				  .vmm = ask_vmm,
				  .gateway = ask_gateway,
				  .routed = ask_routed,
				  .isolated = ask_isolated,
				  .resolvers = ask_resolvers,
				  .filter = ask_filter,
				  .daemon = ask_daemon,
				  .ctx = w};
}

static const char *reason(uint32_t number, void *ctx)
{
	static const char *const names[] = {
		"",	   "NETFILTER_DROP", "QDISC_DROP",   "TC_EGRESS",
		"STRANGE", "FULL_RING",	     "NOT_SPECIFIED"};

	return names[number];
}

/* The location is the function's name. */
static const char *function(uint64_t location, void *ctx)
{
	return (const char *)(uintptr_t)location;
}

static const struct journey_words words = {.view = &view, .reason = reason, .function = function};

/* struct trip - a journey under construction. */
struct trip {
	struct journey j;
	struct hop hops[8];
};

static struct hop *add(struct trip *t, enum hop_kind kind, int ifindex)
{
	struct hop *h = &t->hops[t->j.n_hops++];

	*h = (struct hop){.kind = kind, .ifindex = ifindex};
	h->seen = t->j.first;
	t->j.hops = t->hops;
	return h;
}

/* TCP from 10.7.0.11 to 198.51.100.7:443, which comes in by the guest's port. */
static void trip_init(struct trip *t)
{
	*t = (struct trip){0};
	t->j.first = (struct path_seen){.ethertype = 0x0800,
					.l4 = IPPROTO_TCP,
					.flags = PATH_L4,
					.sport = 4000,
					.dport = 443,
					.len = 60,
					.ttl = 64,
					.tcp_flags = 2};
	assert_int_equal(inet_pton(AF_INET, "10.7.0.11", t->j.first.src), 1);
	assert_int_equal(inet_pton(AF_INET, "198.51.100.7", t->j.first.dst), 1);
	t->j.flow = (struct flow){.family = AF_INET, .l4 = IPPROTO_TCP};
	memcpy(t->j.flow.from.addr, t->j.first.src, 16);
	memcpy(t->j.flow.to.addr, t->j.first.dst, 16);
	t->j.began = t->j.flow;
	add(t, HOP_VM_OUT, TAP);
	add(t, HOP_BRIDGE_IN, BRIDGE);
}

static void route(struct trip *t, int err)
{
	struct hop *h = add(t, HOP_ROUTE, err ? 0 : UPLINK);

	h->route = (struct path_route){.family = AF_INET, .err = err, .table = 254};
	memcpy(h->route.dst, t->j.first.dst, 16);
}

static struct hop *drop(struct trip *t, uint32_t why, const char *where, int ifindex)
{
	struct hop *h = add(t, HOP_DROP, ifindex);

	h->seen.reason = why;
	h->seen.location = (uint64_t)(uintptr_t)where;
	t->j.end = JOURNEY_DROPPED;
	return h;
}

static struct path_decision decision(const char *family, const char *table, const char *base,
				     const char *hook)
{
	struct path_decision d = {.drops = true};

	snprintf(d.family, sizeof(d.family), "%s", family);
	snprintf(d.table, sizeof(d.table), "%s", table);
	snprintf(d.base, sizeof(d.base), "%s", base);
	snprintf(d.chain, sizeof(d.chain), "%s", base);
	snprintf(d.hook, sizeof(d.hook), "%s", hook);
	snprintf(d.verdict, sizeof(d.verdict), "drop");
	return d;
}

static struct diagnosis ask(const struct trip *t, const struct world *w, const char *code)
{
	struct diagnosis d;

	assert_true(diagnosis_wanted(&t->j, &view, &w->facts.guest));
	assert_true(diagnose(&t->j, &words, &w->facts, &d));
	assert_string_equal(d.code, code);
	assert_string_not_equal(d.cause, "");
	assert_true(d.mend[0] || d.advice[0] || strcmp(code, "unknown") == 0);
	return d;
}

static void test_names_are_quoted(void **state)
{
	assert_string_equal(shell_quote("br7").text, "br7");
	assert_string_equal(shell_quote("eth0.5").text, "eth0.5");
	assert_string_equal(shell_quote("a;reboot").text, "'a;reboot'");
	assert_string_equal(shell_quote("it's").text, "'it'\\''s'");
	assert_string_equal(shell_quote("-x").text, "'-x'");
	assert_string_equal(shell_quote("$(x)").text, "'$(x)'");
}

static void test_private(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
		{"10.7.0.11", true},	 {"100.64.0.1", true},	 {"172.31.255.255", true},
		{"172.32.0.1", false},	 {"192.168.1.1", true},	 {"169.254.3.4", true},
		{"198.51.100.7", false}, {"100.128.0.1", false}, {"fd00::1", true},
		{"fe80::1", true},	 {"2001:db8::1", false},
	};
	uint8_t addr[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t family = strchr(cases[i].text, ':') ? AF_INET6 : AF_INET;

		assert_int_equal(inet_pton(family, cases[i].text, addr), 1);
		assert_int_equal(address_private(family, addr), cases[i].is);
	}
}

/* A name that a shell or nft would take for more than a name is in no command. */
static void test_wild_name_in_no_rule(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	route(&t, 0);
	drop(&t, R_NETFILTER, "nft_do_chain", BRIDGE)->decision =
		decision("inet", "x", "f", "forward");
	snprintf(links[3].name, sizeof(links[3].name), "e\"th'0");
	d = ask(&t, &w, "firewall-forward");
	snprintf(links[3].name, sizeof(links[3].name), "eth0");
	assert_string_equal(d.mend, "");
	assert_string_not_equal(d.advice, "");
}

static void test_managers(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	route(&t, 0);
	drop(&t, R_NETFILTER, "nft_do_chain", BRIDGE)->decision =
		decision("ip", "filter", "FORWARD", "forward");
	w.chain = "ufw-user-forward";
	d = ask(&t, &w, "firewall-forward");
	assert_string_equal(d.mend, "ufw route allow in on br7 out on eth0 from 10.7.0.11");
	w.chain = NULL;
	t.hops[3].decision = decision("inet", "firewalld", "filter_FORWARD", "forward");
	d = ask(&t, &w, "firewall-forward");
	assert_string_equal(d.mend, "firewall-cmd --zone=trusted --change-interface=br7");
	t.j.to_guest = true;
	assert_string_equal(ask(&t, &w, "firewall-forward").mend, "");
}

static void test_inbound_opens_one_port(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	t.j.n_hops = 0;
	memcpy(t.j.first.dst, t.j.first.src, 4);
	add(&t, HOP_UPLINK_IN, UPLINK);
	add(&t, HOP_ROUTE, BRIDGE)->route = (struct path_route){.family = AF_INET};
	t.hops[1].ifindex = BRIDGE;
	t.j.to_guest = true;
	drop(&t, R_NETFILTER, "nft_do_chain", UPLINK)->decision =
		decision("ip", "filter", "FORWARD", "forward");
	d = ask(&t, &w, "firewall-forward");
	assert_string_equal(
		d.mend, "iptables-nft -I FORWARD -i eth0 -o br7 -d 10.7.0.11 -p tcp --dport 443 "
			"-j ACCEPT && iptables-nft -I FORWARD -i br7 -o eth0 -s 10.7.0.11 -m "
			"conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
}

static void test_ours_is_policy(void **state)
{
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	route(&t, 0);
	drop(&t, R_NETFILTER, "nft_do_chain", BRIDGE)->decision =
		decision("inet", "vmlane", "forward", "forward");
	assert_string_equal(ask(&t, &w, "vmlane-policy").mend, "");
}

static void test_conntrack_full(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	drop(&t, R_NETFILTER, "nf_hook_slow", BRIDGE);
	w.sysctl = "net/netfilter/nf_conntrack_max", w.value = "1000";
	w.sysctl2 = "net/netfilter/nf_conntrack_count", w.value2 = "999";
	ask(&t, &w, "unknown");
	w.value2 = "1000";
	d = ask(&t, &w, "conntrack-full");
	assert_string_equal(d.mend, "sysctl -w net.netfilter.nf_conntrack_max=2000");
	w.read_only = true; /* in a namespace that is not the machine's first */
	d = ask(&t, &w, "conntrack-full");
	assert_string_equal(d.mend, "");
	assert_non_null(strstr(d.advice, "sysctl -w net.netfilter.nf_conntrack_max=2000"));
}

/* Which of the hooks it was is not known, and nobody is accused. */
static void test_nobody_is_accused(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	route(&t, 0);
	drop(&t, R_NETFILTER, "nf_hook_slow", BRIDGE);
	d = ask(&t, &w, "unknown");
	assert_string_equal(d.cause, "not known; the kernel says NETFILTER_DROP in nf_hook_slow");
	assert_string_equal(d.mend, "");
	w.legacy = true;
	ask(&t, &w, "firewall-legacy");
}

static void test_unknown(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	drop(&t, R_STRANGE, "some_function.part.0", TAP);
	d = ask(&t, &w, "unknown");
	assert_string_equal(d.cause, "not known; the kernel says STRANGE in some_function");
}

static void test_gateway_of_a_lease(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	w.lease = true;
	trip_init(&t);
	route(&t, -11);
	drop(&t, R_STRANGE, "ip_error", BRIDGE);
	d = ask(&t, &w, "no-default-route");
	assert_string_equal(d.mend, "ip route add default via 203.0.113.1 dev eth0");
	assert_string_equal(d.evidence[1].text, "/run/lease: router 203.0.113.1");
}

static void test_devices(void **state)
{
	static const struct {
		uint32_t why;
		const char *code;
	} cases[] = {{R_QDISC, "qdisc-full"}, {R_TC, "tc"}, {R_RING, "vm-not-reading"}};
	struct world w;
	struct trip t;

	world_init(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		trip_init(&t);
		drop(&t, cases[i].why, "x", UPLINK);
		ask(&t, &w, cases[i].code);
	}
	trip_init(&t);
	drop(&t, R_TC, "x", UPLINK)->seen.mark = injector_taken_mark(injector_mark(0x8007));
	ask(&t, &w, "probe");
	/* Another's filter drops it while it is on its way. */
	trip_init(&t);
	drop(&t, R_TC, "x", UPLINK)->seen.mark = injector_mark(0x8007);
	ask(&t, &w, "tc");
}

static void test_routed_is_no_fault(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	route(&t, 0);
	add(&t, HOP_UPLINK_OUT, UPLINK);
	t.j.end = JOURNEY_DELIVERED;
	d = ask(&t, &w, "not-translated");
	assert_non_null(strstr(d.mend, "ip saddr 10.7.0.0/24 oifname \"eth0\" masquerade"));
	snprintf(links[2].alias, sizeof(links[2].alias), "%slab", ALIAS_NETWORK);
	assert_string_equal(ask(&t, &w, "not-translated").mend, "vmlane apply");
	w.routed = true;
	assert_false(diagnose(&t.j, &words, &w.facts, &d));
	links[2].alias[0] = '\0';
	/* To a private address somebody may well know the way. */
	assert_int_equal(inet_pton(AF_INET, "10.99.0.1", t.j.flow.to.addr), 1);
	assert_false(diagnosis_wanted(&t.j, &view, &w.facts.guest));
}

/* An ARP question in vain: for whom our network has told the guest to ask, and for anybody else. */
static void test_resolver_that_is_nobody(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	t.j.first = (struct path_seen){.ethertype = 0x0806, .sport = 1, .flags = PATH_L4};
	assert_int_equal(inet_pton(AF_INET, "10.7.0.11", t.j.first.src), 1);
	assert_int_equal(inet_pton(AF_INET, "10.7.0.53", t.j.first.dst), 1);
	t.j.flow = (struct flow){0};
	t.j.end = JOURNEY_DELIVERED;
	w.facts.guest.asked =
		(struct asked){.kind = QUESTION_ARP, .times = 3, .for_ns = 2000000000};
	snprintf(links[2].alias, sizeof(links[2].alias), "%slab", ALIAS_NETWORK);
	w.resolvers[w.n_resolvers++] = ip4_from_host(0xcb007101);
	assert_string_equal(ask(&t, &w, "arp-unanswered").mend, "");
	w.resolvers[w.n_resolvers++] = ip4_from_host(0x0a070035);
	w.resolvers[w.n_resolvers++] = ip4_from_host(0xcb007102);
	d = ask(&t, &w, "dns-silent");
	assert_non_null(strstr(d.cause, "resolver 10.7.0.53"));
	assert_string_equal(d.mend,
			    "vmlane network set lab 'dns.servers=[203.0.113.1, 203.0.113.2]'");
	w.resolvers[0] = w.resolvers[1];
	w.n_resolvers = 1;
	assert_string_equal(ask(&t, &w, "dns-silent").mend, "vmlane network set lab dns.servers=");
	links[2].alias[0] = '\0';
	ask(&t, &w, "arp-unanswered");
}

/* What mend_port() has printed was put there on purpose: no command that undoes it. */
static void test_guard_by_hand(void **state)
{
	struct diagnosis d;
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	drop(&t, 1, "nft_do_chain", TAP)->decision =
		decision("bridge", "guests_guard", "in", "prerouting");
	t.hops[t.j.n_hops - 1].decision.handle = 7;
	d = ask(&t, &w, "guard");
	assert_string_equal(d.mend, "");
	assert_non_null(strstr(d.advice, "nft delete rule bridge guests_guard in handle 7"));
}

static void test_fine_is_not_explained(void **state)
{
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	route(&t, 0);
	add(&t, HOP_UPLINK_OUT, UPLINK);
	/* To an address of the host's that is private itself: it is translated all the same. */
	assert_int_equal(inet_pton(AF_INET, "192.168.77.2", t.j.flow.from.addr), 1);
	assert_false(diagnosis_wanted(&t.j, &view, &w.facts.guest));
	assert_int_equal(inet_pton(AF_INET, "203.0.113.2", t.j.flow.from.addr), 1);
	t.j.end = JOURNEY_DELIVERED;
	assert_false(diagnosis_wanted(&t.j, &view, &w.facts.guest));
}

static void test_stp(void **state)
{
	struct diagnosis d;
	struct world w;

	world_init(&w);
	assert_false(diagnose_port(TAP, &view, &w.facts, &d));
	links[0].port_state = PORT_BLOCKING;
	links[2].stp = true;
	assert_true(diagnose_port(TAP, &view, &w.facts, &d));
	assert_string_equal(d.code, "port-blocked");
	assert_string_equal(d.mend, ""); /* a loop is worse */
	links[2].stp = false;
	links[0].port_state = PORT_DISABLED;
	assert_true(diagnose_port(TAP, &view, &w.facts, &d));
	assert_string_equal(d.mend, "bridge link set dev vnet1 state 3");
	links[0].port_state = PORT_FORWARDING;
}

/* What @code a frame to a MAC that the bridge does not know has, dropped without a reason in @where. */
static struct diagnosis ask_unknown_mac(const char *where, const char *code)
{
	struct world w;
	struct trip t;

	world_init(&w);
	trip_init(&t);
	t.j.first.dmac[0] = 2;
	t.j.n_hops = 1; /* not as far as the bridge's own */
	drop(&t, R_NOTHING, where, TAP);
	return ask(&t, &w, code);
}

/* Kernels that have no reason for it: the state of the ports decides. */
static void test_no_port_without_a_reason(void **state)
{
	ask_unknown_mac("br_handle_frame_finish",
			"unknown"); /* the other port would have taken it */
	links[1].up = false;
	assert_string_equal(ask_unknown_mac("br_handle_frame_finish", "no-port").mend,
			    "ip link set dev vnet2 up");
	ask_unknown_mac("br_flood", "no-port");
	ask_unknown_mac("br_forward", "unknown");
	links[0].port_state = PORT_LEARNING;
	ask_unknown_mac("br_handle_frame_finish", "port-blocked");
	links[0].port_state = PORT_FORWARDING;
	links[1].up = true;
	links[1].no_flood = true;
	assert_string_equal(ask_unknown_mac("br_handle_frame_finish", "no-port").mend, "");
	links[1].no_flood = false;
	links[0].isolated = links[1].isolated = true;
	ask_unknown_mac("br_handle_frame_finish", "no-port");
	links[0].isolated = links[1].isolated = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_port_without_a_reason),
		cmocka_unit_test(test_names_are_quoted),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_wild_name_in_no_rule),
		cmocka_unit_test(test_managers),
		cmocka_unit_test(test_inbound_opens_one_port),
		cmocka_unit_test(test_ours_is_policy),
		cmocka_unit_test(test_conntrack_full),
		cmocka_unit_test(test_nobody_is_accused),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_gateway_of_a_lease),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_routed_is_no_fault),
		cmocka_unit_test(test_resolver_that_is_nobody),
		cmocka_unit_test(test_guard_by_hand),
		cmocka_unit_test(test_fine_is_not_explained),
		cmocka_unit_test(test_stp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
