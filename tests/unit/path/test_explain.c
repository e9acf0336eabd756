/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/explain*.c and way.c: a small host made by hand, without a rule, and what becomes of
 * a guest's packet as one thing after the other is otherwise. Rules: tests/netns/test_explain*.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "path/explain.h"
#include "path/journey_text.h"
#include "path/way.h"
#include "wire/craft.h"

enum { TAP = 3, OTHER = 4, BRIDGE = 5, UPLINK = 6 };

#define NETNS 7

static const struct mac guest_mac = {{0x52, 0x54, 0, 0, 0, 1}};
static const struct mac other_mac = {{0x52, 0x54, 0, 0, 0, 2}};
static const struct mac bridge_mac = {{0x52, 0x54, 0, 0, 0, 5}};
static const struct mac router_mac = {{0x52, 0x54, 0, 0, 0, 9}};

/* struct lab - a host that a test can change. */
struct lab {
	struct link_detail links[4];
	struct addr_detail addrs[2];
	struct fdb_detail fdb[3];
	struct neigh_detail neighs[2];
	struct host_detail detail;
	struct path_device devices[4];
	struct path_address locals[2];
	struct path_view view;
	struct explain_host host;
	struct route_answer route;
	const char *forwarding;
	const char *program;
	const char *others;
	unsigned int others_hook;
	int guarded;
	enum explain_answer listens;
	char text[2048];
	enum journey_end end;
	struct way way;
};

static bool ask_sysctl(const char *path, char *ret, size_t size, void *ctx)
{
	const struct lab *l = ctx;

	if (strcmp(path, "net/ipv4/conf/br/forwarding") != 0)
		return false;
	snprintf(ret, size, "%s", l->forwarding);
	return true;
}

/* With an interface it came in by the kernel refuses what it would not forward. */
static int ask_route(const struct route_question *q, struct route_answer *ret, void *ctx)
{
	const struct lab *l = ctx;
	static const uint8_t own[4] = {10, 0, 0, 1};

	if (memcmp(q->dst, own, 4) == 0)
		*ret = (struct route_answer){
			.type = RTN_LOCAL, .oif = BRIDGE, .table = RT_TABLE_LOCAL};
	else if (q->iif && strcmp(l->forwarding, "0") == 0)
		*ret = (struct route_answer){.error = -EHOSTUNREACH};
	else
		*ret = l->route;
	return 0;
}

static enum guard ask_guard(int ifindex, const uint8_t *b, size_t len, int tci, void *ctx)
{
	const struct lab *l = ctx;

	return ifindex == l->guarded && tci < 0 && len >= 14 && b[12] == 8 ? GUARD_IP : GUARD_COUNT;
}

static bool ask_program(int ifindex, bool egress, char *ret, size_t size, void *ctx)
{
	const struct lab *l = ctx;

	if (!l->program || ifindex != UPLINK || !egress)
		return false;
	snprintf(ret, size, "%s", l->program);
	return true;
}

static bool ask_others(const struct explain_hook *at, char *ret, size_t size, void *ctx)
{
	const struct lab *l = ctx;

	if (!l->others || at->hook != l->others_hook)
		return false;
	snprintf(ret, size, "%s", l->others);
	return true;
}

static enum explain_legacy ask_legacy(int family, const char *table, unsigned int hook, void *ctx)
{
	return EXPLAIN_LEGACY_PASS;
}

static enum explain_answer ask_listener(int family, uint8_t l4, const uint8_t addr[16],
					uint16_t port, void *ctx)
{
	const struct lab *l = ctx;

	return l->listens;
}

static bool ask_taken(uint8_t family, uint8_t l4, const struct nfteval_tuple *t, void *ctx)
{
	return false;
}

static bool ask_full(void *ctx)
{
	return false;
}

static void put_link(struct lab *l, size_t i, int ifindex, const char *name, const char *kind,
		     int master)
{
	struct link_detail *d = &l->links[i];

	*d = (struct link_detail){.ifindex = ifindex,
				  .flags = IFF_UP,
				  .carrier = true,
				  .type = ARPHRD_ETHER,
				  .mtu = 1500,
				  .master = master};
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->kind, sizeof(d->kind), "%s", kind);
	d->mac.b[5] = (uint8_t)(0x40 + ifindex);
	l->devices[i] = (struct path_device){.ifindex = ifindex, .master = master};
	memcpy(l->devices[i].name, d->name, sizeof(d->name));
	if (!master)
		return;
	snprintf(d->slave_kind, sizeof(d->slave_kind), "bridge");
	d->port = (struct port_detail){.state = PORT_FORWARDING,
				       .learning = true,
				       .flood = true,
				       .mcast_flood = true,
				       .bcast_flood = true};
}

static void put_addr(struct lab *l, size_t i, int ifindex, uint32_t addr)
{
	uint32_t be = htonl(addr);

	l->addrs[i] = (struct addr_detail){.family = AF_INET, .ifindex = ifindex, .len = 24};
	memcpy(l->addrs[i].addr, &be, 4);
	l->locals[i] = (struct path_address){.family = AF_INET, .len = 24, .ifindex = ifindex};
	memcpy(l->locals[i].addr, &be, 4);
}

static void put_neigh(struct lab *l, size_t i, int ifindex, uint32_t addr, const struct mac *mac)
{
	uint32_t be = htonl(addr);

	l->neighs[i] = (struct neigh_detail){
		.family = AF_INET, .ifindex = ifindex, .mac = *mac, .state = NUD_REACHABLE};
	memcpy(l->neighs[i].addr, &be, 4);
}

static void fill_host(struct lab *l)
{
	l->detail = (struct host_detail){.links = l->links,
					 .n_links = 4,
					 .addrs = l->addrs,
					 .n_addrs = 2,
					 .fdb = l->fdb,
					 .n_fdb = 3,
					 .neighs = l->neighs,
					 .n_neighs = 2};
	l->view = (struct path_view){.netns = NETNS,
				     .devices = l->devices,
				     .n_devices = 4,
				     .locals = l->locals,
				     .n_locals = 2,
				     .no_socket_reason = explain_no_socket()};
	l->host.detail = &l->detail;
	l->host.view = &l->view;
	l->host.sysctl = ask_sysctl;
	l->host.route = ask_route;
	l->host.program = ask_program;
	l->host.others = ask_others;
	l->host.guard = ask_guard;
	l->host.legacy = ask_legacy;
	l->host.listener = ask_listener;
	l->host.taken = ask_taken;
	l->host.conntrack_full = ask_full;
	l->host.ctx = l;
}

static int setup(void **state)
{
	static const uint8_t gateway[4] = {192, 0, 2, 1};
	struct lab *l = calloc(1, sizeof(*l));
	struct nftprog *rules = NULL;

	assert_non_null(l);
	put_link(l, 0, TAP, "tap", "tun", BRIDGE);
	put_link(l, 1, OTHER, "other", "tun", BRIDGE);
	put_link(l, 2, BRIDGE, "br", "bridge", 0);
	put_link(l, 3, UPLINK, "up", "", 0);
	l->links[2].mac = bridge_mac;
	l->devices[0].role = DEVICE_GUEST;
	l->devices[1].role = DEVICE_PORT;
	l->devices[2].role = DEVICE_BRIDGE;
	put_addr(l, 0, BRIDGE, 0x0a000001);
	put_addr(l, 1, UPLINK, 0xc0000202);
	put_neigh(l, 0, UPLINK, 0xc0000201, &router_mac);
	put_neigh(l, 1, BRIDGE, 0x0a00000b, &guest_mac);
	l->fdb[0] = (struct fdb_detail){
		.bridge = BRIDGE, .port = BRIDGE, .mac = bridge_mac, .local = true};
	l->fdb[1] = (struct fdb_detail){.bridge = BRIDGE, .port = TAP, .mac = guest_mac};
	l->fdb[2] = (struct fdb_detail){.bridge = BRIDGE, .port = OTHER, .mac = other_mac};
	l->route = (struct route_answer){
		.type = RTN_UNICAST, .oif = UPLINK, .table = RT_TABLE_MAIN, .gw_family = AF_INET};
	memcpy(l->route.gateway, gateway, 4);
	l->forwarding = "1";
	fill_host(l);
	assert_int_equal(nftprog_new(&rules), 0);
	assert_int_equal(nftprog_finish(rules), 0);
	l->host.rules = rules;
	l->way = (struct way)WAY_INIT;
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct lab *l = *state;

	nftprog_free((struct nftprog *)l->host.rules);
	way_done(&l->way);
	free(l);
	return 0;
}

static const char *reason(uint32_t n, void *ctx)
{
	return explain_reason(n);
}

static const char *function(uint64_t n, void *ctx)
{
	return explain_function(n);
}

/* "vm-out tap; bridge-in br; ..." */
static void note(const struct journey *j, bool over, void *ctx)
{
	struct lab *l = ctx;
	const struct journey_words words = {
		.view = &l->view, .reason = reason, .function = function};
	struct buf out = BUF_INIT(sizeof(l->text) - 1);

	for (size_t i = 0; i < j->n_hops; i++) {
		buf_printf(&out, "%s%s ", i ? "; " : "", hop_name(j->hops[i].kind));
		hop_text(&j->hops[i], &words, &out);
	}
	snprintf(l->text, sizeof(l->text), "%s", buf_str(&out));
	l->end = j->end;
	way_done(&l->way);
	l->way = (struct way)WAY_INIT;
	way_outline(j, &words, false, &l->way);
	buf_done(&out);
}

static struct craft ping(const struct mac *to, uint32_t dst)
{
	struct craft c = {.kind = CRAFT_ECHO,
			  .eth_src = guest_mac,
			  .eth_dst = *to,
			  .family = AF_INET,
			  .src = {10, 0, 0, 11},
			  .sport = 77,
			  .dport = 1,
			  .ttl = 64};
	uint32_t be = htonl(dst);

	memcpy(c.dst, &be, 4);
	return c;
}

static void walk(struct lab *l, const struct craft *c, int where)
{
	struct explain_packet p = {.number = 1, .where = where};
	struct journeys *j = NULL;
	struct explanation x = {0};
	uint8_t frame[4096];
	int n = craft_build(c, frame, sizeof(frame));

	assert_true(n > 0);
	p.frame = frame;
	p.len = (size_t)n;
	l->text[0] = '\0';
	assert_int_equal(journeys_new(&l->view, &j), 0);
	assert_int_equal(explain_packet_walk(&l->host, &p, j, &x), 0);
	journeys_due(j, UINT64_MAX, note, l);
	journeys_free(j);
}

static void expect(struct lab *l, const struct craft *c, enum journey_end end, const char *text)
{
	walk(l, c, TAP);
	assert_string_equal(l->text, text);
	assert_int_equal(l->end, end);
}

#define OUT "vm-out tap; bridge-in br; route via 192.0.2.1 dev up"

static void goes_out(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	expect(l, &c, JOURNEY_DELIVERED, OUT "; uplink-out up");
}

static void forwarding_is_off(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	l->forwarding = "0";
	expect(l, &c, JOURNEY_DROPPED, OUT "; DROP IP_INADDRERRORS in ip_error at br");
}

static void is_too_big(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	c.df = true;
	c.payload_len = 1400;
	l->links[3].mtu = 1000;
	expect(l, &c, JOURNEY_DROPPED,
	       OUT "; icmp-error the host answers: packet too big; DROP PKT_TOO_BIG in ip_forward "
		   "at br");
	c.df = false;
	expect(l, &c, JOURNEY_DELIVERED, OUT "; uplink-out up");
}

static void ttl_ends(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	c.ttl = 1;
	expect(l, &c, JOURNEY_DROPPED,
	       OUT
	       "; icmp-error the host answers: time exceeded; DROP IP_INHDR in ip_forward at br");
}

static void neighbours(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	l->neighs[0].state = NUD_FAILED;
	expect(l, &c, JOURNEY_UNKNOWN,
	       OUT
	       "; UNKNOWN neighbour unknown: 192.0.2.1 on up will be asked for its MAC, and has "
	       "not answered before");
	l->links[3].carrier = false;
	expect(l, &c, JOURNEY_DROPPED, OUT "; DROP NEIGH_FAILED in neigh_invalidate at up");
}

static void others_are_not_guessed(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	l->others = "somebody else";
	l->others_hook = NF_INET_LOCAL_IN;
	expect(l, &c, JOURNEY_DELIVERED, OUT "; uplink-out up");
	l->others_hook = NF_INET_FORWARD;
	expect(l, &c, JOURNEY_UNKNOWN, OUT "; UNKNOWN somebody else");
	l->others_hook = NF_INET_POST_ROUTING;
	expect(l, &c, JOURNEY_UNKNOWN, OUT "; UNKNOWN somebody else");
}

static void programs_are_not_guessed(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	l->program = "meter";
	expect(l, &c, JOURNEY_UNKNOWN, OUT "; UNKNOWN tc program meter at up egress");
	l->links[0].xdp = 12;
	expect(l, &c, JOURNEY_UNKNOWN, "vm-out tap; UNKNOWN XDP program 12 at tap");
}

static void guards_at_the_port(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	l->guarded = TAP;
	expect(l, &c, JOURNEY_DROPPED, "vm-out tap; DROP by guard `ip` at tap");
}

static void to_the_host(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0x0a000001);

	expect(l, &c, JOURNEY_DELIVERED,
	       "vm-out tap; bridge-in br; route dev br (table local); host-in br");
	c.kind = CRAFT_TCP;
	c.tcp_flags = 2;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; bridge-in br; route dev br (table local); host-in br; DROP NO_SOCKET "
	       "in "
	       "tcp_v4_rcv at br");
	l->listens = EXPLAIN_NOBODY_KNOWS;
	walk(l, &c, TAP);
	assert_int_equal(l->end, JOURNEY_UNKNOWN);
}

static void in_the_bridge(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&other_mac, 0x0a00000c);

	expect(l, &c, JOURNEY_DELIVERED, "vm-out tap; bridge-fwd to other");
	l->links[0].port.isolated = l->links[1].port.isolated = true;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; DROP NOT_SPECIFIED in br_handle_frame_finish at tap");
	l->links[0].port.isolated = false;
	l->fdb[2].bridge = 99;
	expect(l, &c, JOURNEY_DELIVERED, "vm-out tap; bridge-fwd to other"); /* flooded to one */
	l->links[1].port.flood = false;
	expect(l, &c, JOURNEY_DROPPED, "vm-out tap; DROP NO_TX_TARGET in br_flood at tap");
	l->links[0].port.state = PORT_BLOCKING;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; DROP BRIDGE_INGRESS_STP_STATE in br_handle_frame at tap");
}

static void a_port_that_is_locked(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&other_mac, 0x0a00000c);

	l->links[0].port.locked = true;
	expect(l, &c, JOURNEY_DELIVERED, "vm-out tap; bridge-fwd to other");
	l->fdb[1].port = OTHER;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; DROP NOT_SPECIFIED in br_handle_frame_finish at tap");
}

static void a_small_port(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&other_mac, 0x0a00000c);

	l->links[1].mtu = 600;
	c.payload_len = 604 - 28; /* a bridge leaves room for a VLAN tag */
	expect(l, &c, JOURNEY_DELIVERED, "vm-out tap; bridge-fwd to other");
	c.payload_len++;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; DROP NOT_SPECIFIED in br_dev_queue_push_xmit at other");
}

static void vlans(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&other_mac, 0x0a00000c);
	struct vlan_detail in[] = {{TAP, 10, true, true}, {OTHER, 10, true, true}};

	l->links[2].bridge.vlan_filtering = true;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; DROP VLAN_FILTER in br_handle_frame_finish at tap");
	l->detail.vlans = in;
	l->detail.n_vlans = 1;
	l->fdb[2].vlan = 10;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; DROP NOT_SPECIFIED in br_handle_frame_finish at tap");
	l->detail.n_vlans = 2;
	expect(l, &c, JOURNEY_DELIVERED, "vm-out tap; bridge-fwd to other");
}

static void bad_sources(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);

	c.src[0] = 127;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; bridge-in br; DROP IP_LOCALNET in ip_rcv_finish_core at br");
	c.src[0] = 230;
	expect(l, &c, JOURNEY_DROPPED,
	       "vm-out tap; bridge-in br; DROP IP_INVALID_SOURCE in ip_rcv_finish_core at br");
}

/* Frames that are cut short or of other kinds are refused, and nothing is read beyond them. */
static void broken_frames(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);
	struct explanation x = {0};
	uint8_t frame[128];
	int n = craft_build(&c, frame, sizeof(frame));

	for (size_t len = 0; len < (size_t)n; len++) {
		uint8_t *cut = malloc(len ? len : 1);
		struct explain_packet p = {.number = 1, .frame = cut, .len = len, .where = TAP};
		struct journeys *j = NULL;
		int r;

		assert_non_null(cut);
		memcpy(cut, frame, len);
		assert_int_equal(journeys_new(&l->view, &j), 0);
		r = explain_packet_walk(&l->host, &p, j, &x);
		assert_int_equal(r, len < 14 + 20 ? -EINVAL : 0);
		journeys_free(j);
		free(cut);
	}
}

/* The way of @c; way_done(). */
static struct way way_of(struct lab *l, const struct craft *c)
{
	struct way w;

	walk(l, c, TAP);
	w = l->way;
	l->way = (struct way)WAY_INIT;
	return w;
}

static void ways_are_compared(void **state)
{
	struct lab *l = *state;
	struct craft c = ping(&bridge_mac, 0xc6336407);
	struct way open = way_of(l, &c), again = way_of(l, &c), shut, unknown;
	struct buf out = BUF_INIT(512);

	c.ttl = 1;
	shut = way_of(l, &c);
	c.ttl = 64;
	l->neighs[0].state = NUD_NONE;
	unknown = way_of(l, &c);
	assert_true(way_compare(&open, &again, true, &out));
	/* What is not known is not wrong, but what came before it can be. */
	assert_true(way_compare(&unknown, &open, true, &out));
	assert_string_equal(buf_str(&out), "");
	assert_false(way_compare(&open, &shut, true, &out));
	assert_string_equal(buf_str(&out), "predicted \"uplink-out up\", seen \"DROP IP_INHDR\"");
	assert_false(way_compare(&shut, &unknown, true, &out));
	way_done(&open);
	way_done(&again);
	way_done(&shut);
	way_done(&unknown);
	buf_done(&out);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(goes_out),
		CASE(forwarding_is_off),
		CASE(is_too_big),
		CASE(ttl_ends),
		CASE(neighbours),
		CASE(others_are_not_guessed),
		CASE(programs_are_not_guessed),
		CASE(guards_at_the_port),
		CASE(to_the_host),
		CASE(in_the_bridge),
		CASE(a_port_that_is_locked),
		CASE(a_small_port),
		CASE(vlans),
		CASE(bad_sources),
		CASE(broken_frames),
		CASE(ways_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
