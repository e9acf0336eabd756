/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/lease/decide.c: what is answered in every state of client and lease, where to, and
 * what changes. test_pool.c is about which address is chosen.
 */
#include "world.h"

#define ACK DHCP4_ACK
#define NAK DHCP4_NAK

/* struct situation - what is known of address 12 when client 2 wants it. */
struct situation {
	const char *what;
	unsigned int holder; /* 99: there is no lease; 0: nobody's, declined */
	enum lease_state state;
	int expires_in_s;
	int answer;
};

static const struct situation situations[] = {
	{"nothing known", 99, 0, 0, ACK},
	{"offered to it", 2, LEASE_OFFERED, 60, ACK},
	{"offered to it, too late", 2, LEASE_OFFERED, -1, ACK},
	{"bound to it", 2, LEASE_BOUND, 1800, ACK},
	{"bound to it until now", 2, LEASE_BOUND, 0, ACK},
	{"bound to it, expired", 2, LEASE_BOUND, -9999, ACK},
	{"given back by it", 2, LEASE_RELEASED, -1, ACK},
	{"offered to another", 3, LEASE_OFFERED, 60, NAK},
	{"offered to another, not taken", 3, LEASE_OFFERED, 0, ACK},
	{"bound to another", 3, LEASE_BOUND, 1, NAK},
	{"bound to another, expired", 3, LEASE_BOUND, 0, ACK},
	{"given back by another", 3, LEASE_RELEASED, 100, ACK},
	{"declined", 0, LEASE_DECLINED, 1, NAK},
	{"declined a while ago", 0, LEASE_DECLINED, 0, ACK},
};

/* RFC 2131 section 4.3.2, its three kinds of REQUEST in all situations. */
static void test_request_matrix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		for (int kind = 0; kind < REQUEST_KINDS; kind++) {
			const struct situation *s = &situations[i];
			struct world w;
			int got;

			world_init(&w);
			if (s->holder != 99)
				have(&w, 12, s->holder, s->state, NOW + s->expires_in_s);
			got = request(&w, 2, (enum request_kind)kind, 12);
			if (got != s->answer)
				fail_msg("%s, kind %d: %s", s->what, kind, w.d.why);
			if (got == ACK) {
				assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);
				assert_int_equal(w.d.change, LEASE_SET);
				assert_int_equal(w.d.lease.expires_s, NOW + LEASE_S);
			} else { /* the other keeps it */
				assert_int_equal(w.d.change, LEASE_KEEP);
				assert_int_equal(lease_of(&w, 12, s->holder), s->state);
			}
			world_done(&w);
		}
	}
}

/* struct wanted - an address that is not ours to lease dynamically, to whatever state. */
struct wanted {
	const char *what;
	const char *addr;
	int answer;
};

static void test_request_addresses(void **state)
{
	static const struct wanted cases[] = {
		{"first of the range", "192.168.122.10", ACK},
		{"last of the range", "192.168.122.19", ACK},
		{"under the range", "192.168.122.9", NAK},
		{"over the range", "192.168.122.20", NAK},
		{"the gateway", "192.168.122.1", NAK},
		{"the network", "192.168.122.0", NAK},
		{"broadcast", "192.168.122.255", NAK},
		{"the neighbour's subnet", "192.168.123.12", NAK},
		{"all ones", "255.255.255.255", NAK},
		{"loopback", "127.0.0.1", NAK},
		{"fixed for client 3", "192.168.122.15", NAK},
		{"fixed for an attached guest", "192.168.122.16", NAK},
		{"fixed for a guest that has no MAC yet", "192.168.122.17", NAK},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int kind = 0; kind < REQUEST_KINDS; kind++) {
			struct dhcp4_msg m = message(2, DHCP4_REQUEST);
			struct world w;

			world_init(&w);
			configure(&w, "db1", 3, 15);
			configure(&w, "db2", 0, 17);
			attach(&w, "run1", 4, 16);
			*(kind == RENEWING ? &m.ciaddr : &m.requested) = ip(cases[i].addr);
			if (kind == SELECTING)
				m.server_id = host(GATEWAY);
			say(&w, &m);
			assert_true(w.d.reply);
			if ((int)w.d.msg.type != cases[i].answer)
				fail_msg("%s, kind %d: %s", cases[i].what, kind, w.d.why);
			if (cases[i].answer == NAK) {
				assert_int_equal(lease_count(w.t), 0);
				assert_string_equal(w.d.msg.message, w.d.why);
			}
			world_done(&w);
		}
	}
}

static void test_whole_exchange(void **state)
{
	struct world w;
	unsigned int addr;

	(void)state;
	world_init(&w);
	addr = discover(&w, 2, 0);
	assert_in_range(addr, 10, 19);
	assert_int_equal(lease_of(&w, addr, 2), LEASE_OFFERED);
	assert_true(w.d.lease.expires_s == NOW + LEASE_OFFER_S);
	assert_int_equal(request(&w, 2, SELECTING, addr), ACK);
	assert_int_equal(lease_of(&w, addr, 2), LEASE_BOUND);
	w.now_s += LEASE_S / 2;
	assert_int_equal(request(&w, 2, RENEWING, addr), ACK);
	assert_true(w.d.lease.expires_s == NOW + LEASE_S / 2 + LEASE_S);
	assert_int_equal(lease_count(w.t), 1);
	world_done(&w);
}

static void test_ack_contents(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_REQUEST);
	const struct dhcp4_msg *ack;
	struct world w;

	(void)state;
	world_init(&w);
	w.cfg.mtu = 1450;
	configure(&w, "web_1", 2, 0);
	m.requested = host(12);
	m.server_id = host(GATEWAY);
	m.client_id_len = 3;
	memcpy(m.client_id, "\1\2\3", 3);
	m.agent_info_len = 2;
	memcpy(m.agent_info, "\1\0", 2);
	m.max_size = 1000;
	m.secs = 9;
	strcpy(m.hostname, "its-own-word");
	ack = &say(&w, &m)->msg;
	assert_int_equal(ack->op, 2);
	assert_int_equal(ack->type, DHCP4_ACK);
	assert_int_equal(ack->xid, 0x1234);
	assert_int_equal(ack->secs, 0);
	assert_int_equal(ack->ciaddr.s_addr, 0);
	assert_true(ip4_equal(ack->yiaddr, host(12)));
	assert_int_equal(ack->siaddr.s_addr, 0);
	assert_true(mac_equal(&ack->chaddr, &m.chaddr));
	assert_true(ip4_equal(ack->server_id, host(GATEWAY)));
	assert_true(ip4_equal(ack->mask, ip("255.255.255.0")));
	assert_true(ip4_equal(ack->router, host(GATEWAY)));
	assert_true(ip4_equal(ack->broadcast_addr, host(255)));
	assert_int_equal(ack->n_dns, 1);
	assert_true(ip4_equal(ack->dns[0], ip("203.0.113.1")));
	assert_string_equal(ack->domain, "default.vm");
	assert_int_equal(ack->mtu, 1450);
	assert_string_equal(ack->hostname, "web-1"); /* a host name has no '_' */
	assert_int_equal(ack->lease_s, LEASE_S);
	assert_int_equal(ack->renew_s, LEASE_S / 2);
	assert_int_equal(ack->rebind_s, LEASE_S / 8 * 7);
	assert_int_equal(ack->client_id_len, 3);
	assert_memory_equal(ack->client_id, "\1\2\3", 3);
	assert_int_equal(ack->agent_info_len, 2);
	assert_memory_equal(ack->agent_info, "\1\0", 2);
	assert_int_equal(ack->max_size, 1000);
	assert_int_equal(ack->requested.s_addr, 0);
	assert_string_equal(ack->message, "");
	assert_string_equal(w.d.lease.hostname, "its-own-word");
	assert_int_equal(w.d.lease.client_id_len, 3);
	world_done(&w);
}

/* What the configuration leaves out is left out; a guest it does not name gets no name. */
static void test_offer_contents_bare(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.cfg.n_dns = 0;
	w.net.domain[0] = '\0';
	assert_int_equal(discover(&w, 2, 12), 12);
	assert_int_equal(w.d.msg.n_dns, 0);
	assert_string_equal(w.d.msg.domain, "");
	assert_int_equal(w.d.msg.mtu, 0);
	assert_string_equal(w.d.msg.hostname, "");
	assert_int_equal(w.d.msg.client_id_len, 0);
	assert_int_equal(w.d.msg.lease_s, LEASE_S);
	world_done(&w);
}

static void test_lease_times(void **state)
{
	static const uint32_t times[] = {0, 1, 2, LEASE_MIN_S, 11, 120, 86400, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct world w;

		world_init(&w);
		w.net.lease_s = times[i];
		assert_int_equal(request(&w, 2, SELECTING, 12), ACK);
		assert_in_range(w.d.msg.lease_s, LEASE_MIN_S, UINT32_MAX);
		assert_true(w.d.msg.lease_s >= times[i]);
		assert_true(w.d.msg.renew_s < w.d.msg.rebind_s);
		assert_true(w.d.msg.rebind_s < w.d.msg.lease_s);
		assert_true(w.d.lease.expires_s == NOW + (int64_t)w.d.msg.lease_s);
		world_done(&w);
	}
}

/* A renewal need not say again what the client is called. */
static void test_hostname_kept(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_REQUEST);
	struct world w;

	(void)state;
	world_init(&w);
	m.requested = host(12);
	strcpy(m.hostname, "web1");
	say(&w, &m);
	assert_int_equal(request(&w, 2, RENEWING, 12), ACK);
	assert_string_equal(w.d.lease.hostname, "web1");
	strcpy(m.hostname, "web2");
	say(&w, &m);
	assert_string_equal(w.d.lease.hostname, "web2");
	world_done(&w);
}

enum destination { TO_CLIENT, TO_CIADDR, TO_ALL, TO_RELAY };

/* struct addressing - RFC 2131 section 4.1, its rules in their order. */
struct addressing {
	const char *what;
	enum dhcp4_type type;
	unsigned int wanted; /* 30 is out of the range: NAK */
	unsigned int ciaddr;
	unsigned int giaddr;
	bool broadcast;
	enum destination to;
};

static void check_destination(const struct lease_decision *d, const struct addressing *a)
{
	const struct mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	const struct mac relay = {{0x52, 0x54, 0xee, 0, 0, 1}};
	const struct mac guest = client(2);
	const struct {
		const struct mac *mac;
		struct in_addr ip;
		uint16_t port;
	} expected[] = {
		[TO_CLIENT] = {&guest, host(a->wanted), 68},
		[TO_CIADDR] = {&guest, host(a->ciaddr), 68},
		[TO_ALL] = {&all, ip("255.255.255.255"), 68},
		[TO_RELAY] = {&relay, host(a->giaddr), 67},
	};

	if (!mac_equal(&d->eth_dst, expected[a->to].mac) ||
	    !ip4_equal(d->dst_ip, expected[a->to].ip) || d->dst_port != expected[a->to].port)
		fail_msg("%s: %s", a->what, d->why);
}

static void test_addressing(void **state)
{
	static const struct addressing cases[] = {
		{"offer", DHCP4_DISCOVER, 12, 0, 0, false, TO_CLIENT},
		{"offer, broadcast flag", DHCP4_DISCOVER, 12, 0, 0, true, TO_ALL},
		{"offer by relay", DHCP4_DISCOVER, 12, 0, 5, false, TO_RELAY},
		{"offer by relay, broadcast flag", DHCP4_DISCOVER, 12, 0, 5, true, TO_RELAY},
		{"ack", DHCP4_REQUEST, 12, 0, 0, false, TO_CLIENT},
		{"ack, broadcast flag", DHCP4_REQUEST, 12, 0, 0, true, TO_ALL},
		{"ack by relay", DHCP4_REQUEST, 12, 0, 5, false, TO_RELAY},
		{"renewal", DHCP4_REQUEST, 0, 12, 0, false, TO_CIADDR},
		{"renewal, broadcast flag", DHCP4_REQUEST, 0, 12, 0, true, TO_CIADDR},
		{"renewal by relay", DHCP4_REQUEST, 0, 12, 5, false, TO_RELAY},
		{"nak", DHCP4_REQUEST, 30, 0, 0, false, TO_ALL},
		{"nak of a renewal", DHCP4_REQUEST, 0, 30, 0, false, TO_ALL},
		{"nak by relay", DHCP4_REQUEST, 30, 0, 5, false, TO_RELAY},
		{"inform", DHCP4_INFORM, 0, 30, 0, false, TO_CIADDR},
		{"inform, broadcast flag", DHCP4_INFORM, 0, 30, 0, true, TO_CIADDR},
		{"inform by relay", DHCP4_INFORM, 0, 30, 5, false, TO_RELAY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct addressing *a = &cases[i];
		struct dhcp4_msg m = message(2, a->type);
		struct world w;

		world_init(&w);
		m.requested = host(a->wanted);
		m.ciaddr = host(a->ciaddr);
		m.giaddr = host(a->giaddr);
		m.broadcast = a->broadcast;
		say(&w, &m);
		assert_true(w.d.reply);
		check_destination(&w.d, a);
		assert_true(ip4_equal(w.d.msg.giaddr, m.giaddr));
		if (w.d.msg.type == DHCP4_NAK) {
			assert_int_equal(w.d.msg.broadcast, a->giaddr != 0);
			assert_int_equal(w.d.msg.yiaddr.s_addr, 0);
			assert_int_equal(w.d.msg.ciaddr.s_addr, 0);
			assert_int_equal(w.d.msg.lease_s, 0);
			assert_int_equal(w.d.msg.mask.s_addr, 0);
			assert_true(ip4_equal(w.d.msg.server_id, host(GATEWAY)));
		} else {
			assert_int_equal(w.d.msg.broadcast, a->broadcast);
			assert_true(ip4_equal(w.d.msg.ciaddr, m.ciaddr));
		}
		world_done(&w);
	}
}

/* A client that fills ciaddr in where it has none is not answered at an address elsewhere. */
static void test_foreign_ciaddr(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_DISCOVER);
	struct world w;

	(void)state;
	world_init(&w);
	m.ciaddr = ip("203.0.113.9");
	m.requested = host(12);
	say(&w, &m);
	assert_true(ip4_equal(w.d.dst_ip, host(12)));
	world_done(&w);
}

static void test_ignored(void **state)
{
	static const struct {
		const char *what;
		enum dhcp4_type type;
		uint8_t op;
		uint8_t first_mac_byte;
		const char *giaddr;
	} cases[] = {
		{"an offer", DHCP4_OFFER, 1, 0x52, NULL},
		{"an ack", DHCP4_ACK, 1, 0x52, NULL},
		{"a nak", DHCP4_NAK, 1, 0x52, NULL},
		{"no type", (enum dhcp4_type)0, 1, 0x52, NULL},
		{"an unknown type", DHCP4_TYPE_COUNT, 1, 0x52, NULL},
		{"a reply", DHCP4_DISCOVER, 2, 0x52, NULL},
		{"a multicast MAC", DHCP4_DISCOVER, 1, 0x01, NULL},
		{"the broadcast MAC", DHCP4_DISCOVER, 1, 0xff, NULL},
		{"no MAC", DHCP4_DISCOVER, 1, 0, NULL},
		{"a relay elsewhere", DHCP4_DISCOVER, 1, 0x52, "10.0.0.1"},
		{"a relay with the gateway's address", DHCP4_DISCOVER, 1, 0x52, "192.168.122.1"},
		{"a relay with the broadcast address", DHCP4_DISCOVER, 1, 0x52, "192.168.122.255"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dhcp4_msg m = message(2, cases[i].type);
		struct world w;

		world_init(&w);
		m.op = cases[i].op;
		memset(&m.chaddr, cases[i].first_mac_byte, sizeof(m.chaddr));
		if (cases[i].giaddr)
			m.giaddr = ip(cases[i].giaddr);
		say(&w, &m);
		if (w.d.reply || w.d.change != LEASE_KEEP)
			fail_msg("%s: %s", cases[i].what, w.d.why);
		world_done(&w);
	}
}

/* The client chose another server: what we held for it is free, but a lease stays. */
static void test_another_server(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_REQUEST);
	struct world w;

	(void)state;
	world_init(&w);
	m.requested = host(12);
	m.server_id = host(7);
	say(&w, &m);
	assert_false(w.d.reply);
	assert_int_equal(w.d.change, LEASE_KEEP);
	assert_int_equal(discover(&w, 2, 12), 12);
	say(&w, &m);
	assert_false(w.d.reply);
	assert_int_equal(w.d.change, LEASE_FORGET);
	assert_int_equal(lease_count(w.t), 0);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	say(&w, &m);
	assert_false(w.d.reply);
	assert_int_equal(w.d.change, LEASE_KEEP);
	world_done(&w);
}

static void test_request_without_address(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_REQUEST);
	struct world w;

	(void)state;
	world_init(&w);
	say(&w, &m);
	assert_false(w.d.reply);
	m.server_id = host(GATEWAY);
	say(&w, &m);
	assert_false(w.d.reply);
	world_done(&w);
}

/* A client that has one address of ours does not get a second beside it. */
static void test_request_second_address(void **state)
{
	struct world w;

	(void)state;
	for (int kind = 0; kind < REQUEST_KINDS; kind++) {
		world_init(&w);
		have(&w, 12, 2, LEASE_BOUND, NOW + 100);
		assert_int_equal(request(&w, 2, (enum request_kind)kind, 13), NAK);
		assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);
		w.now_s += 100; /* when the first has expired it may move */
		assert_int_equal(request(&w, 2, (enum request_kind)kind, 13), ACK);
		assert_int_equal(lease_of(&w, 13, 2), LEASE_BOUND);
		assert_int_equal(lease_count(w.t), 1);
		world_done(&w);
	}
}

/* A lease in force is not turned into an offer, which would let it go after a minute. */
static void test_discover_while_bound(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	assert_int_equal(discover(&w, 2, 15), 12);
	assert_int_equal(w.d.change, LEASE_KEEP);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);
	w.now_s += 70; /* it would run out before the offer does */
	assert_int_equal(discover(&w, 2, 15), 12);
	assert_int_equal(w.d.change, LEASE_SET);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);
	assert_true(w.d.lease.expires_s == w.now_s + LEASE_OFFER_S);
	w.now_s += LEASE_OFFER_S;
	assert_int_equal(discover(&w, 2, 15), 12);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_OFFERED);
	w.now_s += 30;
	assert_int_equal(discover(&w, 2, 0), 12); /* held anew */
	assert_true(w.d.lease.expires_s == w.now_s + LEASE_OFFER_S);
	world_done(&w);
}

static enum lease_change decline(struct world *w, unsigned int c, unsigned int addr,
				 unsigned int server)
{
	struct dhcp4_msg m = message(c, DHCP4_DECLINE);

	m.requested = host(addr);
	m.server_id = host(server);
	say(w, &m);
	assert_false(w->d.reply);
	return w->d.change;
}

static void test_decline(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	assert_int_equal(decline(&w, 3, 12, GATEWAY), LEASE_KEEP); /* not its holder */
	assert_int_equal(decline(&w, 2, 13, GATEWAY), LEASE_KEEP); /* not what it holds */
	assert_int_equal(decline(&w, 2, 0, GATEWAY), LEASE_KEEP);
	assert_int_equal(decline(&w, 2, 12, 7), LEASE_KEEP); /* another's */
	assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);

	assert_int_equal(decline(&w, 2, 12, GATEWAY), LEASE_SET);
	assert_int_equal(lease_of(&w, 12, 0), LEASE_DECLINED);
	assert_true(w.d.lease.expires_s == NOW + LEASE_DECLINE_S);
	assert_int_equal(decline(&w, 2, 12, GATEWAY), LEASE_KEEP); /* again */

	assert_int_not_equal(discover(&w, 2, 12), 12);
	assert_int_equal(request(&w, 3, REBOOTING, 12), NAK);
	w.now_s += LEASE_DECLINE_S;
	assert_int_equal(discover(&w, 3, 12), 12);
	world_done(&w);

	world_init(&w); /* an offer may be declined too, and some do not say to whom */
	assert_int_equal(discover(&w, 2, 12), 12);
	assert_int_equal(decline(&w, 2, 12, 0), LEASE_SET);
	assert_int_equal(lease_of(&w, 12, 0), LEASE_DECLINED);
	world_done(&w);
}

static enum lease_change release(struct world *w, unsigned int c, unsigned int addr,
				 unsigned int server)
{
	struct dhcp4_msg m = message(c, DHCP4_RELEASE);

	m.ciaddr = host(addr);
	m.server_id = host(server);
	say(w, &m);
	assert_false(w->d.reply);
	return w->d.change;
}

/* One guest's words about another's lease change nothing, relayed or not. */
static void test_in_anothers_name(void **state)
{
	static const enum dhcp4_type types[] = {DHCP4_DISCOVER, DHCP4_REQUEST, DHCP4_DECLINE,
						DHCP4_RELEASE, DHCP4_INFORM};
	const struct mac thief = client(3);

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(types); i++) {
		struct dhcp4_msg m = message(2, types[i / 2]);
		struct world w;

		world_init(&w);
		have(&w, 12, 2, LEASE_BOUND, NOW + 100);
		m.giaddr = host(i % 2 ? 9 : 0);
		if (m.type == DHCP4_DECLINE)
			m.requested = host(12);
		else if (m.type != DHCP4_DISCOVER)
			m.ciaddr = host(12);
		if (m.giaddr.s_addr && m.type != DHCP4_RELEASE && m.type != DHCP4_DECLINE) {
			assert_true(say_from(&w, &thief, &m)->reply); /* a relay may */
		} else {
			assert_int_equal(say_from(&w, &thief, &m)->change, LEASE_KEEP);
			assert_false(w.d.reply);
			assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);
		}
		world_done(&w);
	}
}

/* Nor do a guest's that says it is a relay, whatever the configuration has come to. */
static void test_relay_ends_nothing(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_DISCOVER);
	const struct mac thief = client(3);
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	configure(&w, "web1", 2, 40);
	m.giaddr = host(9);
	assert_false(say_from(&w, &thief, &m)->reply);
	m.type = DHCP4_REQUEST;
	m.ciaddr = host(12);
	assert_int_equal(say_from(&w, &thief, &m)->msg.type, NAK);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);
	have(&w, 12, 2, LEASE_OFFERED, NOW + 50);
	m.server_id = host(7);
	assert_false(say_from(&w, &thief, &m)->reply);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_OFFERED);
	w.now_s += 50; /* what has ended of itself does not bind a relayed client */
	m = message(2, DHCP4_DISCOVER);
	m.giaddr = host(9);
	assert_true(say_from(&w, &thief, &m)->reply);
	assert_int_equal(lease_of(&w, 40, 2), LEASE_OFFERED);
	world_done(&w);
}

static void test_release(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	assert_int_equal(release(&w, 3, 12, GATEWAY), LEASE_KEEP);
	assert_int_equal(release(&w, 2, 13, GATEWAY), LEASE_KEEP);
	assert_int_equal(release(&w, 2, 0, GATEWAY), LEASE_KEEP);
	assert_int_equal(release(&w, 2, 12, 7), LEASE_KEEP);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_BOUND);

	assert_int_equal(release(&w, 2, 12, GATEWAY), LEASE_SET);
	assert_int_equal(lease_of(&w, 12, 2), LEASE_RELEASED);
	assert_true(w.d.lease.expires_s == NOW);
	assert_int_equal(release(&w, 2, 12, GATEWAY), LEASE_KEEP); /* again */
	assert_int_equal(discover(&w, 2, 0), 12);		   /* it gets it back */
	assert_int_equal(release(&w, 2, 12, GATEWAY), LEASE_KEEP); /* only offered */
	world_done(&w);

	world_init(&w); /* later than its end: it is not made to have ended later */
	have(&w, 12, 2, LEASE_BOUND, NOW - 100);
	assert_int_equal(release(&w, 2, 12, 0), LEASE_SET);
	assert_true(w.d.lease.expires_s == NOW - 100);
	world_done(&w);
}

static void test_inform(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_INFORM);
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 30, 3, LEASE_BOUND, NOW + 100); /* no lease is looked for */
	m.ciaddr = host(30);
	say(&w, &m);
	assert_true(w.d.reply);
	assert_int_equal(w.d.change, LEASE_KEEP);
	assert_int_equal(w.d.msg.type, DHCP4_ACK);
	assert_true(ip4_equal(w.d.msg.ciaddr, host(30)));
	assert_int_equal(w.d.msg.yiaddr.s_addr, 0);
	assert_int_equal(w.d.msg.lease_s, 0);
	assert_int_equal(w.d.msg.renew_s, 0);
	assert_int_equal(w.d.msg.rebind_s, 0);
	assert_true(ip4_equal(w.d.msg.router, host(GATEWAY)));
	assert_int_equal(w.d.msg.n_dns, 1);
	w.net.mode = NETWORK_ISOLATED; /* the gateway is the server, and no way out */
	say(&w, &m);
	assert_int_equal(w.d.msg.router.s_addr, 0);
	assert_true(ip4_equal(w.d.msg.server_id, host(GATEWAY)));
	for (size_t i = 0; i < 5; i++) {
		m.ciaddr = ip((const char *[]){"0.0.0.0", "10.0.0.1", "192.168.122.0",
					       "192.168.122.1", "192.168.122.255"}[i]);
		say(&w, &m);
		assert_false(w.d.reply);
	}
	m.ciaddr = host(30);
	m.server_id = host(7);
	say(&w, &m);
	assert_false(w.d.reply);
	world_done(&w);
}

/* The configuration changes under leases that are there. */
static void test_range_shrinks(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	w.net.range_first = host(15);
	assert_int_equal(request(&w, 2, RENEWING, 12), NAK);
	assert_int_equal(w.d.change, LEASE_FORGET);
	assert_int_equal(lease_count(w.t), 0);
	assert_in_range(discover(&w, 2, 12), 15, 19);
	world_done(&w);
}

static void test_becomes_fixed(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	configure(&w, "web1", 2, 40);
	assert_int_equal(discover(&w, 2, 12), 40); /* it has begun anew, and so do we */
	assert_int_equal(lease_of(&w, 40, 2), LEASE_OFFERED);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	assert_int_equal(request(&w, 2, RENEWING, 12), NAK);
	assert_int_equal(discover(&w, 2, 12), 40);
	assert_int_equal(request(&w, 2, SELECTING, 40), ACK);
	assert_string_equal(w.d.msg.hostname, "web1");
	assert_int_equal(lease_count(w.t), 1);
	world_done(&w);
}

/* An address becomes another's: its holder is told at its renewal; till then both are served. */
static void test_becomes_anothers(void **state)
{
	struct world w;
	unsigned int interim;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	configure(&w, "db1", 3, 12);
	interim = discover(&w, 3, 12); /* it cannot have its own yet */
	assert_in_range(interim, 10, 19);
	assert_int_not_equal(interim, 12);
	assert_int_equal(request(&w, 3, SELECTING, interim), ACK);
	assert_int_equal(request(&w, 3, RENEWING, interim), ACK);
	assert_int_equal(request(&w, 2, RENEWING, 12), NAK);
	assert_int_equal(lease_of(&w, 12, 2), -1);
	assert_int_equal(request(&w, 3, RENEWING, interim), NAK); /* now it can */
	assert_int_equal(discover(&w, 3, interim), 12);
	world_done(&w);
}

/* The daemon forgot an offer (it was started again): the client's choice still stands. */
static void test_offer_lost(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(discover(&w, 2, 12), 12);
	lease_remove(w.t, host(12));
	assert_int_equal(request(&w, 2, SELECTING, 12), ACK);
	world_done(&w);
}

/* A neighbour that claims our client's address does not make us take it away. */
static void test_seen_while_bound(void **state)
{
	struct mac other = client(9);
	struct world w;

	(void)state;
	world_init(&w);
	have(&w, 12, 2, LEASE_BOUND, NOW + 100);
	lease_seen(w.t, host(12), &other, NOW);
	assert_int_equal(request(&w, 2, RENEWING, 12), ACK);
	assert_int_equal(discover(&w, 2, 0), 12);
	assert_int_equal(request(&w, 3, REBOOTING, 12), NAK);
	world_done(&w);

	world_init(&w);
	lease_seen(w.t, host(12), &other, NOW);
	assert_int_equal(request(&w, 2, REBOOTING, 12), NAK);
	assert_int_equal(request(&w, 9, REBOOTING, 12), ACK); /* it is its own */
	world_done(&w);
}

/* All that is decided fits into the message of the client with the least room. */
static void test_reply_fits(void **state)
{
	struct dhcp4_msg m = message(2, DHCP4_DISCOVER);
	uint8_t bytes[DHCP4_MSG_MAX];
	struct world w;

	(void)state;
	world_init(&w);
	memset(w.net.domain, 'd', sizeof(w.net.domain) - 1);
	w.cfg.n_dns = NETWORK_DNS_MAX;
	w.cfg.mtu = 1500;
	configure(&w, "a-name-that-is-32-characters-lon", 2, 0);
	m.client_id_len = sizeof(m.client_id);
	m.agent_info_len = sizeof(m.agent_info);
	say(&w, &m);
	assert_true(w.d.reply);
	assert_in_range(dhcp4_build(&w.d.msg, bytes, sizeof(bytes)), 300, 548);
	m.max_size = 1500;
	say(&w, &m);
	assert_in_range(dhcp4_build(&w.d.msg, bytes, sizeof(bytes)), 700, 1472);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_matrix),
		cmocka_unit_test(test_request_addresses),
		cmocka_unit_test(test_whole_exchange),
		cmocka_unit_test(test_ack_contents),
		cmocka_unit_test(test_offer_contents_bare),
		cmocka_unit_test(test_lease_times),
		cmocka_unit_test(test_hostname_kept),
		cmocka_unit_test(test_addressing),
		cmocka_unit_test(test_foreign_ciaddr),
		cmocka_unit_test(test_in_anothers_name),
		cmocka_unit_test(test_relay_ends_nothing),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_another_server),
		cmocka_unit_test(test_request_without_address),
		cmocka_unit_test(test_request_second_address),
		cmocka_unit_test(test_discover_while_bound),
		cmocka_unit_test(test_decline),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_inform),
		cmocka_unit_test(test_range_shrinks),
		cmocka_unit_test(test_becomes_fixed),
		cmocka_unit_test(test_becomes_anothers),
		cmocka_unit_test(test_offer_lost),
		cmocka_unit_test(test_seen_while_bound),
		cmocka_unit_test(test_reply_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
