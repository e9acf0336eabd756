/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of plan_diff() by named cases, told in the words of `vmlane diff`; and of actual.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/config.h"
#include "model/plan.h"

#define MAC_A                                                                                      \
	{                                                                                          \
		{                                                                                  \
			0x52, 0x54, 0, 0, 0, 0xaa                                                  \
		}                                                                                  \
	}
#define MAC_B                                                                                      \
	{                                                                                          \
		{                                                                                  \
			0x52, 0x54, 0, 0, 0, 0xbb                                                  \
		}                                                                                  \
	}
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* ---- a small world: network "a" on vl-a, 10.0.0.0/24, with guest "w" on vl-w ---- */

#define LINKS_MAX 8

/* struct world - what plan_diff() looks at; a test bends it before it asks. */
struct world {
	struct network_config config[2];
	struct desired_network networks[2];
	struct desired_tap taps[2];
	struct sysctl_state sysctls[4];
	struct sysctl_state now[4];
	struct link_state links[LINKS_MAX];
	struct addr_state addrs[LINKS_MAX];
	struct desired d;
	struct actual a;
};

static struct in_addr ip(uint32_t host)
{
	return ip4_from_host(host);
}

/* What is wanted: the network and its guest. The kernel has nothing yet. */
static void world_init(struct world *w)
{
	*w = (struct world){0};
	w->config[0] = (struct network_config){
		.name = "a",
		.bridge = "vl-a",
		.subnet = {ip(IP(10, 0, 0, 0)), 24},
		.gateway = ip(IP(10, 0, 0, 1)),
	};
	w->networks[0] = (struct desired_network){&w->config[0], MAC_A};
	w->taps[0] = (struct desired_tap){.name = "vl-w",
					  .guest = "w",
					  .bridge = "vl-a",
					  .queues = 2,
					  .owner_uid = 1000,
					  .persistent = true};
	w->sysctls[0] = (struct sysctl_state){"net/ipv4/conf/vl-a/forwarding", "1"};
	w->sysctls[1] = (struct sysctl_state){"net/ipv4/conf/eth0.5/forwarding", "1"};
	w->now[1] = (struct sysctl_state){"net/ipv4/conf/eth0.5/forwarding", "0"};
	w->d = (struct desired){w->networks, 1, w->taps, 1, w->sysctls, w->now, 2};
	w->a = (struct actual){.links = w->links, .addrs = w->addrs};
}

static struct link_state *add_link(struct world *w, const char *name, const char *kind,
				   const char *alias)
{
	struct link_state *l = &w->links[w->a.n_links++];

	assert_true(w->a.n_links <= LINKS_MAX);
	*l = (struct link_state){.ifindex = (int)w->a.n_links, .mtu = 1500, .up = true};
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->kind, sizeof(l->kind), "%s", kind);
	snprintf(l->alias, sizeof(l->alias), "%s", alias);
	return l;
}

static void add_addr(struct world *w, int ifindex, uint32_t addr, uint8_t len)
{
	w->addrs[w->a.n_addrs++] = (struct addr_state){ifindex, {ip(addr), len}};
	assert_true(w->a.n_addrs <= LINKS_MAX);
}

/* The kernel has all that is wanted: bridge in links[0], tap in links[1]. */
static void world_settled(struct world *w)
{
	world_init(w);
	add_link(w, "vl-a", "bridge", "vmlane:network=a")->mac = (struct mac)MAC_A;
	add_link(w, "vl-w", "tun", "vmlane:guest=w")->master = 1;
	add_addr(w, 1, IP(10, 0, 0, 1), 24);
	strcpy(w->now[0].value, "1");
	strcpy(w->now[1].value, "1");
}

/* The plan of @w is these lines, one a step. */
static void expect_plan(const struct world *w, const char *lines)
{
	struct plan p = {(void *)1, 77};
	struct buf text = BUF_INIT(4096);

	assert_int_equal(plan_diff(&w->d, &w->a, &p, NULL), 0);
	for (size_t i = 0; i < p.n; i++) {
		plan_step_text(&p.steps[i], &text);
		buf_puts(&text, "\n");
	}
	assert_string_equal(buf_str(&text), lines);
	buf_done(&text);
	plan_done(&p);
	assert_null(p.steps);
}

static void expect_in_the_way(const struct world *w, const char *line)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct plan p = {(void *)1, 77};
	char got[1024];

	assert_non_null(errs);
	assert_int_equal(plan_diff(&w->d, &w->a, &p, errs), -EEXIST);
	assert_ptr_equal(p.steps, (void *)1);
	assert_int_equal(p.n, 77);
	assert_int_equal(errs->n, 1);
	assert_string_equal(errs->items[0].code, "in-the-way");
	assert_string_equal(err_format(&errs->items[0], got, sizeof(got)), line);
	assert_int_equal(plan_diff(&w->d, &w->a, &p, NULL), -EEXIST);
	/* Asked one by one, it is the same one for the same reason. */
	errs->items[1].code[0] = '\0';
	if (strncmp(line, "network", 7) == 0) {
		assert_true(plan_network_blocked(&w->networks[0], &w->a, &errs->items[1]));
		assert_false(plan_tap_blocked(&w->taps[0], &w->a, &errs->items[2]));
	} else {
		assert_false(plan_network_blocked(&w->networks[0], &w->a, &errs->items[2]));
		assert_true(plan_tap_blocked(&w->taps[0], &w->a, &errs->items[1]));
	}
	assert_string_equal(err_format(&errs->items[1], got, sizeof(got)), line);
	free(errs);
}

/* ---- plans ---- */

static void test_from_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	expect_plan(&w, "+ bridge vl-a (52:54:00:00:00:aa)\n"
			"+ address 10.0.0.1/24 on vl-a\n"
			"~ net.ipv4.conf.vl-a.forwarding: 1\n"
			"~ vl-a: up\n"
			"~ net.ipv4.conf.eth0/5.forwarding: 0 -> 1\n"
			"+ tap vl-w on vl-a\n"
			"~ vl-w: bridge vl-a\n"
			"~ vl-w: up\n");
}

static void test_settled(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	expect_plan(&w, "");
	/* What others put there is theirs: a port of ours, addresses elsewhere, other links. */
	add_link(&w, "vnet0", "tun", "")->master = 1;
	add_link(&w, "eth0", "", "vmlane:network=gone");
	add_link(&w, "br9", "bridge", "vmlane:other");
	add_addr(&w, 4, IP(10, 0, 0, 9), 24);
	add_addr(&w, 0, IP(10, 0, 0, 1), 24);
	expect_plan(&w, "");
}

static void test_fields_of_steps(void **state)
{
	struct plan p = {0};
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(plan_diff(&w.d, &w.a, &p, NULL), 0);
	assert_int_equal(p.steps[0].kind, STEP_BRIDGE_CREATE);
	assert_string_equal(p.steps[0].alias, "vmlane:network=a");
	assert_string_equal(plan_step_op(&p.steps[0]), "create");
	assert_int_equal(p.steps[2].kind, STEP_SYSCTL_SET);
	assert_string_equal(p.steps[2].ifname, "vl-a");
	assert_string_equal(p.steps[2].sysctl.path, "net/ipv4/conf/vl-a/forwarding");
	assert_string_equal(plan_step_op(&p.steps[2]), "change");
	assert_int_equal(p.steps[5].kind, STEP_TAP_CREATE);
	assert_string_equal(p.steps[5].alias, "vmlane:guest=w");
	assert_int_equal(p.steps[5].queues, 2);
	assert_int_equal(p.steps[5].owner_uid, 1000);
	assert_int_equal(p.steps[6].kind, STEP_TAP_ENSLAVE);
	assert_string_equal(p.steps[6].ifname, "vl-w");
	assert_string_equal(p.steps[6].bridge, "vl-a");
	plan_done(&p);
}

static void test_everything_gone(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.d.n_networks = 0;
	w.d.n_taps = 0;
	w.d.n_sysctls = 0;
	expect_plan(&w, "- tap vl-w\n- bridge vl-a\n");
	w.d.n_taps = 1;
	expect_plan(&w, "- bridge vl-a\n");
}

static void test_mtu(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.networks[0].mtu = 1400;
	expect_plan(&w, "~ vl-a: mtu 1500 -> 1400\n~ vl-w: mtu 1500 -> 1400\n");
	w.links[0].mtu = w.links[1].mtu = 1400;
	expect_plan(&w, "");
	w.networks[0].mtu = 0;
	/* Ports grow before their bridge, and shrink after it. */
	expect_plan(&w, "~ vl-w: mtu 1400 -> 1500\n~ vl-a: mtu 1400 -> 1500\n");
	w.links[0].mtu = w.links[1].mtu = 1500;
	expect_plan(&w, "");
	world_init(&w);
	w.networks[0].mtu = 9000;
	w.d.n_sysctls = 0;
	expect_plan(&w, "+ bridge vl-a (52:54:00:00:00:aa)\n"
			"~ vl-a: mtu 1500 -> 9000\n"
			"+ address 10.0.0.1/24 on vl-a\n"
			"~ vl-a: up\n"
			"+ tap vl-w on vl-a\n"
			"~ vl-w: mtu 1500 -> 9000\n"
			"~ vl-w: bridge vl-a\n"
			"~ vl-w: up\n");
}

static void test_pinned_macs(void **state)
{
	const struct mac more[] = {{{2, 0, 0, 0, 0, 2}}, {{2, 0, 0, 0, 0, 3}}};
	struct fdb_entry fdb[] = {
		{.bridge = 1, .port = 2, .mac = {{2, 0, 0, 0, 0, 9}}}, /* learned */
		{.bridge = 1, .port = 2, .mac = {{2, 0, 0, 0, 0, 8}}, .is_static = true},
		{.bridge = 1, .port = 2, .mac = {{0x33, 0x33, 0, 0, 0, 1}}, .is_static = true},
		{.bridge = 1, .port = 2, .mac = {{2, 0, 0, 0, 0, 7}}, .local = true},
		{.bridge = 1, .port = 1, .mac = {{2, 0, 0, 0, 0, 6}}, .is_static = true},
	};
	struct world w;

	(void)state;
	world_settled(&w);
	w.a.fdb = fdb;
	w.a.n_fdb = ARRAY_SIZE(fdb);
	expect_plan(&w, "");
	w.taps[0].mac = (struct mac){{2, 0, 0, 0, 0, 1}};
	w.taps[0].pinned = true;
	w.taps[0].macs = more;
	w.taps[0].n_macs = 2;
	expect_plan(&w, "+ MAC 02:00:00:00:00:01 at vl-w\n"
			"+ MAC 02:00:00:00:00:02 at vl-w\n"
			"+ MAC 02:00:00:00:00:03 at vl-w\n");
	/* Managed, it has nothing else; the host's and the groups' are not the port's. */
	w.taps[0].managed = true;
	w.taps[0].n_macs = 0;
	expect_plan(&w, "~ vl-w: learning and flooding off\n"
			"- MAC 02:00:00:00:00:09 at vl-w\n"
			"- MAC 02:00:00:00:00:08 at vl-w\n"
			"+ MAC 02:00:00:00:00:01 at vl-w\n");
	w.links[1].no_learning = true;
	fdb[0].mac = w.taps[0].mac;
	fdb[0].is_static = fdb[0].sticky = true;
	expect_plan(&w, "~ vl-w: learning and flooding off\n- MAC 02:00:00:00:00:08 at vl-w\n");
	/* Sticky ones are ours, and go when nobody wants them. */
	w.links[1].no_flood = true;
	w.taps[0].managed = w.taps[0].pinned = false;
	expect_plan(&w, "~ vl-w: learning and flooding on\n- MAC 02:00:00:00:00:01 at vl-w\n");
	/* On another bridge it is a new port. */
	w.taps[0].managed = w.taps[0].pinned = true;
	w.links[1].master = 77;
	expect_plan(&w, "~ vl-w: bridge vl-a\n"
			"~ vl-w: learning and flooding off\n"
			"+ MAC 02:00:00:00:00:01 at vl-w\n");
}

static void test_rate(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.taps[0].rate = (struct guest_rate){.up = 10000000, .down = 512000};
	/* What the guest sends is the firewall's. */
	expect_plan(&w, "~ vl-w: rate to the guest 512kbit\n");
	w.links[1].rate_down = 8000000;
	expect_plan(&w, "~ vl-w: rate to the guest 8mbit -> 512kbit\n");
	w.links[1].rate_down = 512000;
	expect_plan(&w, "");
	w.taps[0].rate.down = 0;
	expect_plan(&w, "~ vl-w: rate to the guest 512kbit -> unlimited\n");
	/* Somebody else's stays. */
	w.taps[0].rate.down = 1000;
	w.links[1].rate_down = 0;
	w.links[1].foreign_qdisc = true;
	expect_plan(&w, "");
	/* One in no network has none. */
	world_settled(&w);
	w.links[1].rate_down = 8000000;
	w.links[1].master = 0;
	w.d.n_networks = 0;
	expect_plan(&w, "- bridge vl-a\n~ vl-w: rate to the guest 8mbit -> unlimited\n");
}

static void test_vlans(void **state)
{
	struct guest_config guests[] = {{.name = "w", .vlan = 20}, {.name = "x"}};
	struct port_vlan port_vlans[] = {
		{2, 1, true}, {2, 77, false}, {3, 1, false}, {3, 20, true}, {3, 30, false}};
	struct world w;
	struct err e;

	(void)state;
	world_settled(&w);
	w.d.n_sysctls = 0;
	w.config[0].mode = NETWORK_BRIDGED;
	strcpy(w.config[0].uplink, "eth0");
	w.networks[0].external = true;
	w.config[0].guests = guests;
	w.config[0].n_guests = 2;
	strcpy(w.links[0].alias, "vmlane:bridged=a");
	add_link(&w, "eth0", "", "")->master = 1;
	w.taps[0].vlan = 20;
	/* Where the kernel cannot, the guest comes out of the bridge. */
	expect_plan(&w, "~ vl-w: bridge vl-a -> none\n");
	assert_true(plan_vlan_refused(&w.config[0], &w.links[0], 20, &e));
	assert_non_null(strstr(e.message, "link add eth0.20"));
	w.links[0].has_vlans = true;
	w.links[0].default_pvid = 1;
	assert_false(plan_vlan_refused(&w.config[0], &w.links[0], 20, &e));
	/* Each port is asked what it is in; that the tap has a wrong VLAN besides is mended too. */
	w.a.port_vlans = port_vlans;
	w.a.n_port_vlans = ARRAY_SIZE(port_vlans);
	expect_plan(&w, "~ vl-a: VLAN filtering on\n"
			"+ VLAN 1 untagged at eth0\n+ VLAN 20 tagged at eth0\n- VLAN 30 at eth0\n"
			"+ VLAN 20 untagged at vl-w\n- VLAN 1 at vl-w\n- VLAN 77 at vl-w\n");
	/* A new port is born untagged. */
	w.links[0].vlan_filtering = true;
	w.links[1].master = 0;
	w.a.n_port_vlans = 0;
	expect_plan(&w, "+ VLAN 1 untagged at eth0\n+ VLAN 20 tagged at eth0\n"
			"~ vl-w: bridge vl-a\n+ VLAN 20 untagged at vl-w\n- VLAN 1 at vl-w\n");
	/* Of somebody else's bridge only the guests' ports are ours. */
	w.config[0].adopted = true;
	w.links[0].alias[0] = '\0';
	w.links[0].default_pvid = 0;
	expect_plan(&w, "~ vl-w: bridge vl-a\n+ VLAN 20 untagged at vl-w\n");
	w.links[0].vlan_filtering = false;
	w.links[1].master = 1;
	expect_plan(&w, "~ vl-w: bridge vl-a -> none\n");
	assert_true(plan_vlan_refused(&w.config[0], &w.links[0], 20, &e));
	assert_non_null(strstr(e.message, "as somebody else's"));
	w.taps[0].vlan = 0;
	expect_plan(&w, "");
	/* Nor does it go when the network does. */
	w.taps[0].bridge[0] = '\0';
	w.d.n_networks = 0;
	expect_plan(&w, "~ vl-w: bridge vl-a -> none\n");
}

static void test_bent_bridge(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.links[0].stp = true;
	w.links[0].mac = (struct mac)MAC_B;
	w.links[0].up = false;
	strcpy(w.now[0].value, "0");
	expect_plan(&w, "~ vl-a: spanning tree and forward delay off\n"
			"~ vl-a: MAC 52:54:00:00:00:bb -> 52:54:00:00:00:aa\n"
			"~ net.ipv4.conf.vl-a.forwarding: 0 -> 1\n"
			"~ vl-a: up\n");
	world_settled(&w);
	w.links[0].forward_delay = 1500;
	expect_plan(&w, "~ vl-a: spanning tree and forward delay off\n");
}

static void test_switch(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.links[0].ageing = 30000;
	expect_plan(&w, ""); /* 0 seconds are no wish */
	w.config[0].ageing_s = 300;
	expect_plan(&w, "");
	w.config[0].ageing_s = 60;
	w.config[0].stp = true;
	expect_plan(&w, "~ vl-a: spanning tree on, forward delay 2 s\n"
			"~ vl-a: MAC ageing 300s -> 60s\n");
	w.links[0].stp = true;
	w.links[0].forward_delay = 200;
	w.links[0].ageing = 6000;
	expect_plan(&w, "");
	w.links[0].forward_delay = 1500;
	expect_plan(&w, "~ vl-a: spanning tree on, forward delay 2 s\n");
	w.a.n_links = w.a.n_addrs = 0;
	w.d.n_taps = w.d.n_sysctls = 0;
	expect_plan(&w, "+ bridge vl-a (52:54:00:00:00:aa)\n"
			"~ vl-a: spanning tree on, forward delay 2 s\n"
			"~ vl-a: MAC ageing 300s -> 60s\n"
			"+ address 10.0.0.1/24 on vl-a\n"
			"~ vl-a: up\n");
}

static void test_isolated_port(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.taps[0].isolated = true;
	expect_plan(&w, "~ vl-w: isolated\n");
	w.links[1].isolated = true;
	expect_plan(&w, "");
	w.taps[0].isolated = false;
	expect_plan(&w, "~ vl-w: no longer isolated\n");
	/* A new port is not isolated, whatever it was on another bridge. */
	w.taps[0].isolated = true;
	w.links[1].master = 0;
	expect_plan(&w, "~ vl-w: bridge vl-a\n~ vl-w: isolated\n");
	w.a.n_links = 1;
	expect_plan(&w, "+ tap vl-w on vl-a\n"
			"~ vl-w: bridge vl-a\n"
			"~ vl-w: isolated\n"
			"~ vl-w: up\n");
	w.d.n_networks = w.d.n_sysctls = 0; /* not in a bridge, nothing to be isolated in */
	expect_plan(&w, "- bridge vl-a\n+ tap vl-w\n");
}

static void test_addresses(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.a.n_addrs = 0;
	expect_plan(&w, "+ address 10.0.0.1/24 on vl-a\n");
	add_addr(&w, 1, IP(10, 0, 0, 1), 16);
	expect_plan(&w, "- address 10.0.0.1/16 on vl-a\n+ address 10.0.0.1/24 on vl-a\n");
	/* Behind the gateway it is a secondary and goes alone, before it takes the gateway along. */
	w.a.n_addrs = 0;
	add_addr(&w, 1, IP(10, 0, 0, 1), 24);
	add_addr(&w, 1, IP(10, 0, 0, 7), 24);
	expect_plan(&w, "- address 10.0.0.7/24 on vl-a\n");
	w.a.n_addrs = 0;
	add_addr(&w, 1, IP(192, 168, 0, 1), 24);
	add_addr(&w, 1, IP(10, 0, 0, 7), 24);
	add_addr(&w, 1, IP(10, 0, 0, 1), 24);
	expect_plan(&w, "- address 10.0.0.1/24 on vl-a\n"
			"- address 192.168.0.1/24 on vl-a\n"
			"- address 10.0.0.7/24 on vl-a\n"
			"+ address 10.0.0.1/24 on vl-a\n");
}

static void test_bent_tap(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.links[1].up = false;
	w.links[1].master = 0;
	expect_plan(&w, "~ vl-w: bridge vl-a\n~ vl-w: up\n");
	/* Kept by its VMM: put right just so, but never made. */
	w.taps[0].persistent = false;
	expect_plan(&w, "~ vl-w: bridge vl-a\n~ vl-w: up\n");
	w.a.n_links = 1;
	expect_plan(&w, "");
	world_settled(&w);
	add_link(&w, "br9", "bridge", "");
	w.links[1].master = 3;
	expect_plan(&w, "~ vl-w: bridge br9 -> vl-a\n");
}

/* The network does not run: its guest's tap is there for its VMM, in no bridge. */
static void test_tap_without_network(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.d.n_networks = 0;
	w.d.n_sysctls = 0;
	expect_plan(&w, "+ tap vl-w\n");
	add_link(&w, "vl-w", "tun", "vmlane:guest=w")->up = false;
	expect_plan(&w, "");
}

/* Network "a" changes its bridge; the guest moves over. */
static void test_new_bridge_name(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.d.n_sysctls = 0;
	strcpy(w.config[0].bridge, "br-a");
	strcpy(w.taps[0].bridge, "br-a");
	expect_plan(&w, "- bridge vl-a\n"
			"+ bridge br-a (52:54:00:00:00:aa)\n"
			"+ address 10.0.0.1/24 on br-a\n"
			"~ br-a: up\n"
			"~ vl-w: bridge vl-a -> br-a\n");
}

static void test_half_made(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.links[0].alias[0] = '\0';
	w.links[1].alias[0] = '\0';
	w.links[1].up = false;
	w.links[1].master = 0;
	expect_plan(&w, "~ vl-a: alias vmlane:network=a\n"
			"~ vl-w: alias vmlane:guest=w\n"
			"~ vl-w: bridge vl-a\n"
			"~ vl-w: up\n");
}

static void test_sysctls(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.d.n_sysctls = 4;
	w.sysctls[2] = (struct sysctl_state){"net/ipv4/ip_forward", "1"};
	strcpy(w.now[2].value, "0");
	/* This kernel has no IPv6, and eth0.5 has gone. */
	w.sysctls[3] = (struct sysctl_state){"net/ipv6/conf/vl-a/disable_ipv6", "1"};
	w.now[1].value[0] = '\0';
	expect_plan(&w, "~ net.ipv4.ip_forward: 0 -> 1\n");
	w.sysctls[2] = (struct sysctl_state){"net/ipv4/conf/all/forwarding", "0"};
	strcpy(w.now[2].value, "1");
	expect_plan(&w, "~ net.ipv4.conf.all.forwarding: 1 -> 0\n");
	w.sysctls[2] = (struct sysctl_state){"net/ipv6/conf/vl-w/disable_ipv6", "1"};
	strcpy(w.now[2].value, "0");
	expect_plan(&w, "~ net.ipv6.conf.vl-w.disable_ipv6: 0 -> 1\n");
	/* A tap's come after it and before it is up. */
	w.sysctls[2] = (struct sysctl_state){"net/ipv6/conf/vl-w/disable_ipv6", "1"};
	w.now[2].value[0] = '\0';
	w.a.n_links = 1;
	expect_plan(&w, "+ tap vl-w on vl-a\n"
			"~ net.ipv6.conf.vl-w.disable_ipv6: 1\n"
			"~ vl-w: bridge vl-a\n"
			"~ vl-w: up\n");
}

/* ---- what is in the way ---- */

static void test_bridge_in_the_way(void **state)
{
	static const struct {
		const char *kind;
		const char *alias;
		const char *line;
	} cases[] = {
		{"veth", "",
		 "network a: interface vl-a is in the way: it is somebody else's (a veth); choose "
		 "another name with `bridge:` or delete it (ip link delete vl-a)"},
		{"bridge", "",
		 "network a: interface vl-a is in the way: it is somebody else's (a bridge); "
		 "choose "
		 "another name with `bridge:` or delete it (ip link delete vl-a)"},
		{"", "",
		 "network a: interface vl-a is in the way: it is a physical interface; choose "
		 "another name with `bridge:`"},
		{"bridge", "vmlane:network=old",
		 "network a: interface vl-a is in the way: it is the bridge of network \"old\"; "
		 "choose another name with `bridge:` or delete it (ip link delete vl-a)"},
		{"tun", "vmlane:guest=\x1b[31m",
		 "network a: interface vl-a is in the way: it is the tap of guest \"\\x1b[31m\"; "
		 "choose another name with `bridge:` or delete it (ip link delete vl-a)"},
		{"dummy", "vmlane:network=a",
		 "network a: interface vl-a is in the way: it is somebody else's (a dummy); choose "
		 "another name with `bridge:` or delete it (ip link delete vl-a)"},
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_init(&w);
		add_link(&w, "vl-a", cases[i].kind, cases[i].alias)->mac = (struct mac)MAC_B;
		expect_in_the_way(&w, cases[i].line);
	}
}

/* Half made would have no alias at all, and a tap no bridge: these are somebody's. */
static void test_not_half_made(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	strcpy(w.links[0].alias, "my bridge");
	expect_in_the_way(&w, "network a: interface vl-a is in the way: it is somebody else's (a "
			      "bridge); choose another name with `bridge:` or delete it (ip link "
			      "delete vl-a)");
	world_settled(&w);
	w.links[1].alias[0] = '\0';
	w.links[1].up = false;
	expect_in_the_way(&w,
			  "guest w: interface vl-w is in the way: it is somebody else's (a "
			  "tun); choose another name for the guest or delete it (ip link delete "
			  "vl-w)");
}

static void test_tap_in_the_way(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.links[1].alias[0] = '\0';
	expect_in_the_way(&w,
			  "guest w: interface vl-w is in the way: it is somebody else's (a "
			  "tun); choose another name for the guest or delete it (ip link delete "
			  "vl-w)");
	strcpy(w.links[1].alias, "vmlane:guest=x");
	expect_in_the_way(&w,
			  "guest w: interface vl-w is in the way: it is the tap of guest "
			  "\"x\"; choose another name for the guest or delete it (ip link delete "
			  "vl-w)");
	world_settled(&w);
	strcpy(w.links[1].kind, "macvtap");
	strcpy(w.links[1].alias, "");
	w.links[1].up = false;
	w.links[1].master = 0;
	expect_in_the_way(&w, "guest w: interface vl-w is in the way: it is somebody else's (a "
			      "macvtap); choose another name for the guest or delete it (ip link "
			      "delete vl-w)");
}

/* ---- actual.c ---- */

static void test_uplinks(void **state)
{
	char names[4][IFNAMSIZ];
	struct route_state routes[] = {
		{{ip(0), 0}, ip(IP(10, 9, 0, 1)), 4, 254, 600},
		{{ip(0), 0}, ip(IP(10, 8, 0, 1)), 3, 254, 100},
		{{ip(0), 0}, ip(IP(10, 8, 0, 2)), 3, 254, 700}, /* again */
		{{ip(0), 0}, ip(IP(10, 0, 0, 2)), 1, 254, 1},	/* our bridge */
		{{ip(0), 0}, ip(0), 5, 100, 0},			/* another table */
		{{ip(0), 1}, ip(0), 5, 254, 0},			/* half a default route */
		{{ip(0), 0}, ip(0), 0, 254, 0},			/* multipath, not known */
		{{ip(0), 0}, ip(0), 99, 254, 0},		/* the link has just gone */
		{{ip(0), 0}, ip(0), 6, 254, 600},		/* as good as the first */
	};
	struct world w;

	(void)state;
	world_settled(&w);
	add_link(&w, "eth0", "", "");
	add_link(&w, "wlan0", "", "");
	add_link(&w, "eth5", "", "");
	add_link(&w, "br9", "bridge", "");
	w.a.routes = routes;
	w.a.n_routes = ARRAY_SIZE(routes);
	assert_int_equal(actual_uplinks(&w.a, names, 4), 3);
	assert_string_equal(names[0], "eth0");
	assert_string_equal(names[1], "wlan0");
	assert_string_equal(names[2], "br9");
	assert_int_equal(actual_uplinks(&w.a, names, 1), 1);
	assert_int_equal(actual_uplinks(&w.a, names, 0), 0);
	w.a.n_routes = 0;
	assert_int_equal(actual_uplinks(&w.a, names, 4), 0);
}

static void test_lookup(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	assert_ptr_equal(actual_link_by_name(&w.a, "vl-w"), &w.links[1]);
	assert_ptr_equal(actual_link_by_index(&w.a, 2), &w.links[1]);
	assert_null(actual_link_by_name(&w.a, "vl-"));
	assert_null(actual_link_by_index(&w.a, 0));
	assert_string_equal(port_state_name(PORT_DISABLED), "disabled");
	assert_string_equal(port_state_name(PORT_FORWARDING), "forwarding");
	assert_string_equal(port_state_name((enum port_state)9), "unknown");
}

/* A host without addresses in its network: every one goes, and none comes. */
static void test_without_addresses(void **state)
{
	struct world w;

	(void)state;
	world_settled(&w);
	w.config[0].mode = NETWORK_ISOLATED;
	w.config[0].subnet = (struct ip4_prefix){0};
	w.config[0].gateway = (struct in_addr){0};
	expect_plan(&w, "- address 10.0.0.1/24 on vl-a\n");
	w.a.n_addrs = 0;
	expect_plan(&w, "");
	w.a.n_links = 0;
	w.d.n_sysctls = w.d.n_taps = 0;
	expect_plan(&w, "+ bridge vl-a (52:54:00:00:00:aa)\n"
			"~ vl-a: up\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_nothing),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_without_addresses),
		cmocka_unit_test(test_fields_of_steps),
		cmocka_unit_test(test_everything_gone),
		cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_pinned_macs),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_bent_bridge),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_isolated_port),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_bent_tap),
		cmocka_unit_test(test_tap_without_network),
		cmocka_unit_test(test_new_bridge_name),
		cmocka_unit_test(test_half_made),
		cmocka_unit_test(test_sysctls),
		cmocka_unit_test(test_bridge_in_the_way),
		cmocka_unit_test(test_not_half_made),
		cmocka_unit_test(test_tap_in_the_way),
		cmocka_unit_test(test_uplinks),
		cmocka_unit_test(test_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
