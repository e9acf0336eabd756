/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/journey.c and journey_text.c: events as the tracer gives them, in the orders that
 * were seen on a kernel, and the lines that come of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "path/journey_text.h"

enum { TAP = 3, OTHER_TAP = 4, BRIDGE = 5, UPLINK = 6 };

#define NETNS 4026531840u
#define MS 1000000ull

static const struct path_device devices[] = {
	{TAP, BRIDGE, DEVICE_GUEST, {{0}}, "vl-web1", "web1"},
	{OTHER_TAP, BRIDGE, DEVICE_PORT, {{0}}, "vl-web2", "web2"},
	{BRIDGE, 0, DEVICE_BRIDGE, {{0}}, "vl-default", ""},
	{UPLINK, 0, DEVICE_UPLINK, {{0}}, "eth0", ""},
};
static const struct path_address locals[] = {{AF_INET, {192, 168, 122, 1}, 24, BRIDGE}};
static const struct path_view view = {NETNS, devices, 4, locals, 1, 3, 0};

/* struct lines - what journeys_due() gave, a line a hop. */
struct lines {
	struct buf text;
	size_t packets;
	size_t over;
};

static const char *reason_name(uint32_t reason, void *ctx)
{
	return reason == 12 ? "NETFILTER_DROP" : NULL;
}

static const struct journey_words words = {.view = &view, .reason = reason_name};

static void note(const struct journey *j, bool over, void *ctx)
{
	struct lines *l = ctx;

	l->packets++;
	l->over += over;
	buf_printf(&l->text, "#%u ", j->packet);
	packet_text(&j->first, &l->text);
	if (j->answers)
		buf_printf(&l->text, " answers #%u", j->answers);
	buf_puts(&l->text, "\n");
	for (size_t i = j->told; i < j->n_hops; i++) {
		buf_printf(&l->text, "%s ", hop_name(j->hops[i].kind));
		hop_text(&j->hops[i], &words, &l->text);
		buf_puts(&l->text, "\n");
	}
	if (over)
		journey_end_text(j, &words, &l->text);
	buf_puts(&l->text, over ? "\n" : "...\n");
}

static void note_end(const struct journey *j, bool over, void *ctx)
{
	*(enum journey_end *)ctx = j->end;
}

/* An event of packet @packet: a TCP segment @src:@sport > @dst:@dport at @ifindex. */
static struct path_seen seen(enum path_event_type type, uint32_t packet, uint64_t at, int ifindex,
			     const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct path_seen s = {
		.head = {.time_ns = at * 1000,
			 .skb = packet,
			 .packet = packet,
			 .netns = NETNS,
			 .ifindex = (uint32_t)ifindex,
			 .type = (uint16_t)type},
		.ethertype = 0x0800,
		.l4 = 6,
		.flags = PATH_L4,
		.len = 60,
		.sport = sport,
		.dport = dport,
		.tcp_flags = 2,
	};

	assert_int_equal(inet_pton(AF_INET, src, s.src), 1);
	assert_int_equal(inet_pton(AF_INET, dst, s.dst), 1);
	return s;
}

static void give(struct journeys *j, const struct path_seen *s)
{
	assert_int_equal(journeys_event(j, &s->head, sizeof(*s)), 0);
}

static void give_route(struct journeys *j, uint32_t packet, uint64_t at, const char *dst,
		       int ifindex, const char *gateway, int err, uint32_t table)
{
	struct path_route r = {
		.head = {.time_ns = at * 1000,
			 .packet = packet,
			 .netns = NETNS,
			 .ifindex = (uint32_t)ifindex,
			 .type = PATH_ROUTE},
		.table = table,
		.err = err,
		.family = AF_INET,
	};

	assert_int_equal(inet_pton(AF_INET, dst, r.dst), 1);
	if (gateway) {
		r.gw_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, gateway, r.gateway), 1);
	}
	assert_int_equal(journeys_event(j, &r.head, sizeof(r)), 0);
}

#define GUEST "192.168.122.10", 41000
#define HOST "203.0.113.2", 41000
#define SERVER "198.51.100.7", 443

static void give_request(struct journeys *j)
{
	struct path_seen s = seen(PATH_RX, 1, 100, TAP, GUEST, SERVER);

	give(j, &s);
	s = seen(PATH_RX, 1, 106, BRIDGE, GUEST, SERVER);
	give(j, &s);
	give_route(j, 1, 107, "198.51.100.7", 0, NULL, -11, 255);
	give_route(j, 1, 108, "198.51.100.7", UPLINK, "203.0.113.1", 0, 254);
	s = seen(PATH_TX, 1, 110, UPLINK, HOST, SERVER);
	give(j, &s);
}

static void give_reply(struct journeys *j)
{
	struct path_seen s = seen(PATH_RX, 2, 300, UPLINK, SERVER, HOST);

	give(j, &s);
	give_route(j, 2, 302, "192.168.122.10", BRIDGE, NULL, 0, 254);
	s = seen(PATH_TX, 2, 304, BRIDGE, SERVER, GUEST);
	give(j, &s);
	s = seen(PATH_TX, 2, 305, TAP, SERVER, GUEST);
	give(j, &s);
}

static void test_nat(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};

	assert_int_equal(journeys_new(&view, &j), 0);
	give_request(j);
	give_reply(j);
	/* Not before it is quiet. */
	assert_int_equal(journeys_due(j, 305000, note, &l), 0);
	assert_true(journeys_wait_ms(j, 305000) > 0);
	assert_int_equal(journeys_due(j, 305000 + 50 * MS, note, &l), 2);
	assert_int_equal(l.over, 1);
	/* The guest may take it yet, for a second. */
	assert_int_equal(journeys_due(j, 305000 + 900 * MS, note, &l), 0);
	assert_true(journeys_wait_ms(j, 305000 + 900 * MS) > 50);
	assert_int_equal(journeys_due(j, 305000 + 1050 * MS, note, &l), 1);
	assert_int_equal(l.over, 2);
	assert_string_equal(buf_str(&l.text),
			    "#1 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "vm-out vl-web1\n"
			    "bridge-in vl-default\n"
			    "route via 203.0.113.1 dev eth0\n"
			    "nat 192.168.122.10:41000 > 198.51.100.7:443  ->  203.0.113.2:41000 > "
			    "198.51.100.7:443\n"
			    "uplink-out eth0\n"
			    "DELIVERED out by eth0\n"
			    "#2 tcp 198.51.100.7:443 > 203.0.113.2:41000 SYN, 60 bytes answers #1\n"
			    "uplink-in eth0\n"
			    "route dev vl-default\n"
			    "nat 198.51.100.7:443 > 203.0.113.2:41000  ->  198.51.100.7:443 > "
			    "192.168.122.10:41000\n"
			    "bridge-fwd to vl-web1\n"
			    "tap-queued vl-web1\n"
			    "...\n"
			    "#2 tcp 198.51.100.7:443 > 203.0.113.2:41000 SYN, 60 bytes answers #1\n"
			    "DELIVERED to the guest's port\n");
	assert_int_equal(journeys_wait_ms(j, 0), -1);
	buf_done(&l.text);
}

/* A VM that had to wait for its turn: the same journey goes on. A probe's packet never gets there. */
static void test_guest_reads_late(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_view probing = view;
	struct path_seen s;

	assert_int_equal(journeys_new(&view, &j), 0);
	give_reply(j);
	assert_int_equal(journeys_due(j, 305000 + 50 * MS, note, &l), 1);
	assert_int_equal(l.over, 0);
	s = seen(PATH_READ, 2, 600000, TAP, SERVER, GUEST);
	give(j, &s);
	buf_done(&l.text);
	l.text = BUF_INIT(65536);
	assert_int_equal(journeys_due(j, 610000 * 1000, note, &l), 1);
	assert_string_equal(buf_str(&l.text),
			    "#2 tcp 198.51.100.7:443 > 203.0.113.2:41000 SYN, 60 bytes\n"
			    "vm-read vl-web1\n"
			    "DELIVERED to the guest\n");
	assert_int_equal(l.over, 1);
	journeys_free(j);
	j = NULL;
	probing.taken_mark = 9;
	assert_int_equal(journeys_new(&probing, &j), 0);
	give_reply(j);
	assert_int_equal(journeys_due(j, 305000 + 10 * MS, note, &l), 1);
	assert_int_equal(l.over, 2);
	buf_done(&l.text);
}

static void give_neigh(struct journeys *j, uint32_t packet, uint64_t at)
{
	struct path_neigh n = {.head = {.time_ns = at * 1000,
					.packet = packet,
					.netns = NETNS,
					.ifindex = UPLINK,
					.type = PATH_NEIGH},
			       .family = AF_INET};

	assert_int_equal(inet_pton(AF_INET, "203.0.113.1", n.addr), 1);
	assert_int_equal(journeys_event(j, &n.head, sizeof(n) - 1), -EBADMSG);
	assert_int_equal(journeys_event(j, &n.head, sizeof(n)), 0);
}

/* It waits, and is told so at once; then it goes on, or is dropped. */
static void test_waits_for_a_neighbour(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s;

	assert_int_equal(journeys_new(&view, &j), 0);
	for (uint32_t packet = 1; packet < 3; packet++) {
		s = seen(PATH_RX, packet, 100, TAP, GUEST, SERVER);
		give(j, &s);
		give_neigh(j, packet, 110);
	}
	assert_int_equal(journeys_due(j, 200000 + 50 * MS, note, &l), 2);
	s = seen(PATH_TX, 1, 1310, UPLINK, GUEST, SERVER);
	give(j, &s);
	s = seen(PATH_DROP, 2, 3000110, UPLINK, GUEST, SERVER);
	give(j, &s);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 2);
	assert_string_equal(buf_str(&l.text),
			    "#1 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "vm-out vl-web1\n"
			    "neigh 203.0.113.1 dev eth0: its MAC is asked for\n...\n"
			    "#2 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "vm-out vl-web1\n"
			    "neigh 203.0.113.1 dev eth0: its MAC is asked for\n...\n"
			    "#1 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "uplink-out eth0\n"
			    "DELIVERED out by eth0\n"
			    "#2 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "DROP reason 0 at eth0\n"
			    "DROP\n");
	buf_done(&l.text);
}

static void test_what_packets_say(void **state)
{
	static const struct {
		uint8_t l4;
		uint16_t sport, dport;
		uint32_t seq;
		const char *text;
	} cases[] = {
		{17, 68, 67, 1, "DHCP DISCOVER"},
		{17, 67, 68, 6, "DHCP NAK"},
		{17, 67, 68, 0, "DHCP"},
		{17, 67, 68, 77, "DHCP"},
		{17, 546, 547, 1, "DHCPv6 SOLICIT"},
		{17, 4000, 53, 0x0100, "DNS"},
		{17, 53, 4000, 0x8183, "DNS NXDOMAIN"},
		{17, 53, 4000, 0x8180, "DNS"},
		{17, 4000, 4001, 5, ""},
		{1, 7, 0x0800, 3, "echo request"},
		{1, 0, 0x0303, 17 << 16 | 53, "port unreachable of udp port 53"},
		{1, 0, 0x0304, 6 << 16 | 80, "packet too big of tcp port 80"},
		{58, 0, 0x8600, 0, "router advertisement"},
		{58, 0, 0x0104, 17 << 16 | 53, "port unreachable of udp port 53"},
		{6, 53, 53, 5, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct path_seen s = {.ethertype = cases[i].l4 == 58 ? 0x86dd : 0x0800,
				      .l4 = cases[i].l4,
				      .flags = PATH_L4,
				      .sport = cases[i].sport,
				      .dport = cases[i].dport,
				      .seq = cases[i].seq};
		struct buf text = BUF_INIT(256);

		packet_message(&s, &text);
		assert_string_equal(buf_str(&text), cases[i].text);
		buf_done(&text);
	}
}

static struct path_decision drop_rule(void)
{
	struct path_decision d = {.drops = true, .handle = 7};

	strcpy(d.family, "ip");
	strcpy(d.table, "filter");
	strcpy(d.chain, "FORWARD");
	strcpy(d.base, "FORWARD");
	strcpy(d.hook, "forward");
	strcpy(d.verdict, "drop");
	strcpy(d.rule, "tcp dport 443 drop");
	return d;
}

/* The message of the rule comes after the event of the drop: another socket. */
static void test_drop_by_rule(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s = seen(PATH_RX, 1, 100, TAP, GUEST, SERVER);
	struct path_decision d = drop_rule();

	assert_int_equal(journeys_new(&view, &j), 0);
	give(j, &s);
	s = seen(PATH_DROP, 1, 120, BRIDGE, GUEST, SERVER);
	s.reason = 12;
	give(j, &s);
	assert_int_equal(journeys_decided(j, 1, 119000, &d), 0);
	assert_int_equal(journeys_decided(j, 77, 119000, &d), 0); /* nobody's */
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 1);
	assert_string_equal(
		buf_str(&l.text),
		"#1 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
		"vm-out vl-web1\n"
		"fw drop: ip filter FORWARD handle 7 \"tcp dport 443 drop\"\n"
		"DROP by the firewall's rule, drop: ip filter FORWARD handle 7 \"tcp dport "
		"443 drop\"\n"
		"DROP\n");
	buf_done(&l.text);
}

/* What is told of a packet after its end begins nothing anew. */
static void test_late(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s;

	assert_int_equal(journeys_new(&view, &j), 0);
	give_reply(j);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 1);
	s = seen(PATH_READ, 2, 900000, TAP, SERVER, GUEST);
	give(j, &s);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 0);
	buf_done(&l.text);
}

/* A gateway that does not answer: shown as far as it got, and once more when it fails. */
static void test_goes_on(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s = seen(PATH_RX, 1, 0, TAP, GUEST, SERVER);

	assert_int_equal(journeys_new(&view, &j), 0);
	give(j, &s);
	give_route(j, 1, 5, "198.51.100.7", UPLINK, "203.0.113.1", 0, 254);
	assert_int_equal(journeys_due(j, 60 * MS, note, &l), 1);
	assert_int_equal(l.over, 0);
	assert_int_equal(journeys_due(j, 100 * MS, note, &l), 0);
	s = seen(PATH_DROP, 1, 3000000, UPLINK, HOST, SERVER);
	s.reason = 58;
	give(j, &s);
	assert_int_equal(journeys_due(j, 3020 * MS, note, &l), 1);
	assert_int_equal(l.over, 1);
	assert_string_equal(buf_str(&l.text),
			    "#1 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "vm-out vl-web1\n"
			    "route via 203.0.113.1 dev eth0\n"
			    "...\n"
			    "#1 tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN, 60 bytes\n"
			    "nat 192.168.122.10:41000 > 198.51.100.7:443  ->  203.0.113.2:41000 > "
			    "198.51.100.7:443\n"
			    "DROP reason 58 at eth0\n"
			    "DROP\n");
	buf_done(&l.text);
}

static void test_lost_sight(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s = seen(PATH_RX, 1, 0, TAP, GUEST, SERVER);

	assert_int_equal(journeys_new(&view, &j), 0);
	give(j, &s);
	assert_int_equal(journeys_due(j, 60 * MS, note, &l), 1);
	assert_int_equal(journeys_due(j, 5000 * MS, note, &l), 1);
	assert_non_null(strstr(buf_str(&l.text), "LOST-SIGHT: nothing more was seen of it\n"));
	assert_int_equal(l.over, 1);
	buf_done(&l.text);
}

/* Flooding: the copies go out before the original is handed to the host, which has no use for it. */
static void test_flood(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s =
		seen(PATH_RX, 1, 0, OTHER_TAP, "192.168.122.20", 5, "192.168.122.255", 6);

	assert_int_equal(journeys_new(&view, &j), 0);
	memset(s.dmac, 0xff, sizeof(s.dmac));
	give(j, &s);
	s.head.type = PATH_TX;
	s.head.skb = 77;
	s.head.ifindex = TAP;
	s.flags |= PATH_CLONE;
	give(j, &s);
	s.head.ifindex = UPLINK;
	give(j, &s);
	s.head.type = PATH_RX;
	s.head.skb = 1;
	s.head.ifindex = BRIDGE;
	s.flags &= (uint8_t)~PATH_CLONE;
	give(j, &s);
	s.head.type = PATH_DROP;
	s.reason = 2;
	give(j, &s);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 1);
	assert_string_equal(buf_str(&l.text),
			    "#1 tcp 192.168.122.20:5 > 192.168.122.255:6 SYN, 60 bytes\n"
			    "vm-out vl-web2 (web2)\n"
			    "bridge-fwd to vl-web1\n"
			    "tap-queued vl-web1\n"
			    "uplink-out eth0\n"
			    "bridge-in vl-default\n"
			    "DELIVERED out by eth0\n");
	buf_done(&l.text);
}

static void test_to_host(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s = seen(PATH_RX, 1, 0, TAP, GUEST, "192.168.122.1", 53);

	assert_int_equal(journeys_new(&view, &j), 0);
	give(j, &s);
	s.head.ifindex = BRIDGE;
	give(j, &s);
	give_route(j, 1, 5, "192.168.122.1", BRIDGE, NULL, 0, 255);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 1);
	assert_non_null(strstr(buf_str(&l.text), "route dev vl-default (table local)\n"
						 "host-in vl-default\nDELIVERED to the host\n"));
	buf_done(&l.text);
}

static void test_refusals(void **state)
{
	static const struct {
		int err;
		const char *text;
	} cases[] = {
		{-11, "no route to 198.51.100.7"},
		{-22, "blackhole route to 198.51.100.7"},
		{-113, "unreachable route to 198.51.100.7"},
		{-13, "prohibit route to 198.51.100.7"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(journeys_freep) struct journeys *j = NULL;
		struct lines l = {.text = BUF_INIT(65536)};
		struct path_seen s = seen(PATH_RX, 1, 0, TAP, GUEST, SERVER);

		assert_int_equal(journeys_new(&view, &j), 0);
		give(j, &s);
		give_route(j, 1, 5, "198.51.100.7", 0, NULL, cases[i].err, 254);
		assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 1);
		assert_non_null(strstr(buf_str(&l.text), cases[i].text));
		buf_done(&l.text);
	}
}

/* How a group's packet of @l4 with ICMPv6's @type ends that is dropped for @reason at @at, after it came up. */
static enum journey_end end_of_group(uint8_t l4, uint8_t type, uint32_t reason, int at,
				     bool by_rule)
{
	struct path_view v = view;
	struct path_seen s = seen(PATH_RX, 1, 100, TAP, "0.0.0.0", 0, "224.0.0.22", 0);
	struct path_decision drop = {.table = "t", .chain = "c", .verdict = "drop", .drops = true};
	struct journeys *j;
	enum journey_end end = JOURNEY_UNDER_WAY;

	v.unspecified_reason = 2;
	v.ipv6_off_reason = 7;
	s.ethertype = l4 == IPPROTO_ICMPV6 ? 0x86dd : 0x0800;
	s.l4 = l4;
	s.dport = (uint16_t)(type << 8);
	s.dmac[0] = 0x33;
	assert_int_equal(journeys_new(&v, &j), 0);
	give(j, &s);
	s.head.ifindex = BRIDGE;
	give(j, &s);
	if (by_rule)
		assert_int_equal(journeys_decided(j, 1, 107 * 1000, &drop), 0);
	s.head.type = PATH_DROP;
	s.head.ifindex = (uint32_t)at;
	s.reason = reason;
	give(j, &s);
	journeys_due(j, UINT64_MAX, note_end, &end);
	journeys_free(j);
	return end;
}

/* Multicast's own order is no fault where nobody in the host wants it; what is taken away is one. */
static void test_group_control(void **state)
{
	static const uint8_t types[] = {130, 131, 132, 133, 134, 135, 136, 137, 143};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(end_of_group(IPPROTO_ICMPV6, types[i], 2, BRIDGE, false),
				 JOURNEY_DELIVERED);
		assert_int_equal(end_of_group(IPPROTO_ICMPV6, types[i], 7, BRIDGE, false),
				 JOURNEY_DELIVERED);
	}
	assert_int_equal(end_of_group(IPPROTO_IGMP, 0, 2, BRIDGE, false), JOURNEY_DELIVERED);
	/* A ping of all, another reason, at a port already, by a rule. */
	assert_int_equal(end_of_group(IPPROTO_ICMPV6, 128, 2, BRIDGE, false), JOURNEY_DROPPED);
	assert_int_equal(end_of_group(IPPROTO_ICMPV6, 143, 12, BRIDGE, false), JOURNEY_DROPPED);
	assert_int_equal(end_of_group(IPPROTO_ICMPV6, 143, 2, OTHER_TAP, false), JOURNEY_DROPPED);
	assert_int_equal(end_of_group(IPPROTO_ICMPV6, 143, 2, BRIDGE, true), JOURNEY_DROPPED);
}

/* Cut records are refused, and what is about nobody is passed over. */
static void test_bad_events(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_seen s = seen(PATH_RX, 1, 0, TAP, GUEST, SERVER);

	assert_int_equal(journeys_new(&view, &j), 0);
	assert_int_equal(journeys_event(j, &s.head, sizeof(s) - 1), -EBADMSG);
	give_route(j, 9, 5, "198.51.100.7", 0, NULL, 0, 254);
	s.head.type = PATH_EVENT_TYPES;
	assert_int_equal(journeys_event(j, &s.head, sizeof(s)), 0);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 0);
	buf_done(&l.text);
}

/* More at once than are kept: the oldest goes, and that is counted. */
static void test_overflow(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(64 << 20)};

	assert_int_equal(journeys_new(&view, &j), 0);
	for (uint32_t i = 1; i <= JOURNEYS_MAX + 5; i++) {
		struct path_seen s = seen(PATH_RX, i, i, TAP, GUEST, SERVER);

		give(j, &s);
	}
	assert_int_equal(journeys_overflow(j), 5);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), JOURNEYS_MAX);
	assert_non_null(strstr(buf_str(&l.text), "#6 "));
	assert_null(strstr(buf_str(&l.text), "#5 "));
	buf_done(&l.text);
}

/* More hops than are kept are counted. */
static void test_many_hops(void **state)
{
	_cleanup_(journeys_freep) struct journeys *j = NULL;
	struct lines l = {.text = BUF_INIT(65536)};
	struct path_decision d = drop_rule();
	struct path_seen s = seen(PATH_RX, 1, 0, TAP, GUEST, SERVER);

	assert_int_equal(journeys_new(&view, &j), 0);
	give(j, &s);
	for (int i = 0; i < HOPS_MAX + 3; i++)
		assert_int_equal(journeys_decided(j, 1, (uint64_t)i, &d), 0);
	assert_int_equal(journeys_due(j, UINT64_MAX, note, &l), 1);
	assert_int_equal(l.packets, 1);
	buf_done(&l.text);
}

/* An event of a fragment of datagram 7, or of the whole. */
static struct path_seen piece(enum path_event_type type, uint32_t packet, uint64_t at, int ifindex,
			      uint16_t offset, uint8_t flags)
{
	bool ports = !offset;
	struct path_seen s = seen(type, packet, at, ifindex, "192.168.122.10", ports ? 41000 : 0,
				  "198.51.100.7", ports ? 443 : 0);

	s.l4 = 17;
	s.ip_id = 7;
	s.frag_offset = offset;
	s.flags = (uint8_t)(flags | (ports ? PATH_L4 : 0));
	return s;
}

/* struct kinds - the hops of what was delivered, and how many were joined to others. */
struct kinds {
	enum hop_kind kinds[16];
	size_t n;
	size_t joined;
};

static void note_kinds(const struct journey *g, bool over, void *ctx)
{
	struct kinds *k = ctx;

	if (g->end == JOURNEY_JOINED)
		k->joined++;
	for (size_t i = 0; g->end == JOURNEY_DELIVERED && i < g->n_hops; i++)
		k->kinds[k->n++] = g->hops[i].kind;
}

static void test_fragments(void **state)
{
	const uint8_t more = PATH_FRAGMENT | PATH_MORE_FRAGMENTS;
	struct path_seen events[] = {
		piece(PATH_RX, 1, 0, TAP, 0, more),
		piece(PATH_RX, 2, 10, TAP, 40, PATH_FRAGMENT),
		piece(PATH_RX, 3, 12, TAP, 0, more), /* of another datagram */
		piece(PATH_RX, 2, 20, BRIDGE, 0, 0),
		piece(PATH_TX, 2, 30, UPLINK, 0, more),
		piece(PATH_TX, 1, 31, UPLINK, 40, PATH_FRAGMENT),
	};
	struct journeys *j;
	struct lines l = {.text = BUF_INIT(65536)};

	events[2].ip_id = 8;
	events[3].len = 100;
	assert_int_equal(journeys_new(&view, &j), 0);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		give(j, &events[i]);
	journeys_due(j, UINT64_MAX, note, &l);
	assert_string_equal(
		buf_str(&l.text),
		"#1 udp 192.168.122.10:41000 > 198.51.100.7:443 fragment at 0, 60 bytes\n"
		"vm-out vl-web1\n"
		"JOINED: goes on in #2\n"
		"#2 udp 192.168.122.10 > 198.51.100.7 fragment at 40 (last), 60 bytes\n"
		"vm-out vl-web1\n"
		"reassembled from 2 fragments, 100 bytes\n"
		"bridge-in vl-default\n"
		"uplink-out eth0 in 2 pieces\n"
		"DELIVERED out by eth0\n"
		"#3 udp 192.168.122.10:41000 > 198.51.100.7:443 fragment at 0, 60 bytes\n"
		"vm-out vl-web1\n"
		"LOST-SIGHT: nothing more was seen of it\n");
	journeys_free(j);
	buf_done(&l.text);
}

/* Seen as a whole nowhere, but routed as one: that was before the rules where it had come in. */
static void test_fragments_routed(void **state)
{
	const uint8_t more = PATH_FRAGMENT | PATH_MORE_FRAGMENTS;
	struct path_seen events[] = {
		piece(PATH_RX, 1, 0, TAP, 0, more),
		piece(PATH_RX, 1, 1, BRIDGE, 0, more),
		piece(PATH_RX, 2, 10, TAP, 40, PATH_FRAGMENT),
		piece(PATH_RX, 2, 20, BRIDGE, 40, PATH_FRAGMENT),
		piece(PATH_TX, 2, 30, UPLINK, 0, more),
		piece(PATH_TX, 2, 31, UPLINK, 40, PATH_FRAGMENT),
	};
	struct path_decision d = {.table = "t", .chain = "c", .verdict = "accept"};
	struct path_route r = {
		.head = {.type = PATH_ROUTE, .packet = 2, .time_ns = 25 * 1000, .ifindex = UPLINK},
		.family = AF_INET,
		.table = 254,
		.whole_len = 100};
	static const enum hop_kind want[] = {HOP_VM_OUT, HOP_BRIDGE_IN, HOP_JOIN,      HOP_FW,
					     HOP_ROUTE,	 HOP_NAT,	HOP_UPLINK_OUT};
	struct kinds k = {0};
	struct journeys *j;

	assert_int_equal(inet_pton(AF_INET, "203.0.113.2", events[4].src), 1);
	assert_int_equal(inet_pton(AF_INET, "203.0.113.2", events[5].src), 1);
	assert_int_equal(journeys_new(&view, &j), 0);
	for (size_t i = 0; i < 4; i++)
		give(j, &events[i]);
	assert_int_equal(journeys_decided(j, 2, 22 * 1000, &d), 0);
	assert_int_equal(journeys_event(j, &r.head, sizeof(r)), 0);
	give(j, &events[4]);
	give(j, &events[5]);
	journeys_due(j, UINT64_MAX, note_kinds, &k);
	assert_int_equal(k.joined, 1);
	assert_int_equal(k.n, ARRAY_SIZE(want));
	assert_memory_equal(k.kinds, want, sizeof(want));
	journeys_free(j);
}

static void test_segments(void **state)
{
	struct path_seen s =
		seen(PATH_RX, 1, 0, OTHER_TAP, "192.168.122.11", 443, "192.168.122.10", 41000);
	struct journeys *j;
	struct lines l = {.text = BUF_INIT(65536)};

	assert_int_equal(journeys_new(&view, &j), 0);
	s.len = 3000;
	s.gso_segs = 3;
	s.vlan = 5;
	give(j, &s);
	s.gso_segs = 0;
	for (int i = 0; i < 3; i++) {
		s.head = (struct path_head){.time_ns = (uint64_t)(10 + i) * 1000,
					    .packet = 1,
					    .netns = NETNS,
					    .ifindex = TAP,
					    .type = PATH_TX};
		s.flags |= PATH_CLONE;
		give(j, &s);
	}
	journeys_due(j, UINT64_MAX, note, &l);
	assert_string_equal(buf_str(&l.text), "#1 tcp 192.168.122.11:443 > 192.168.122.10:41000 "
					      "SYN vlan 5, 3000 bytes in 3 segments\n"
					      "vm-out vl-web2 (web2)\n"
					      "bridge-fwd to vl-web1\n"
					      "tap-queued vl-web1 in 3 pieces\n"
					      "DELIVERED to the guest's port\n");
	journeys_free(j);
	buf_done(&l.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_guest_reads_late),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_drop_by_rule),
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_lost_sight),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_to_host),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_group_control),
		cmocka_unit_test(test_bad_events),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_many_hops),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_fragments_routed),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_what_packets_say),
		cmocka_unit_test(test_waits_for_a_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
