/* SPDX-License-Identifier: GPL-2.0-or-later */
// libs: lease model wire base
/*
 * fuzz_lease_decide.c - a story of several clients, told by the input: messages, time that passes,
 * changes of the configuration, restarts of the daemon. Each decision is put into the table, as the
 * server does, and held against what the clients believe: that is what must never clash.
 *
 * The network is 10.0.0.0/28; "address n" is 10.0.0.n. Clients 1 to 6 are guests, client 0 has no
 * MAC and client 7 a multicast one. Address 3 (in the range) can be fixed for client 1, address 12
 * (outside) for client 2, address 4 for a guest without a MAC.
 */
#include <stdlib.h>
#include <string.h>
#include "base/cursor.h"
#include "lease/decide.h"

#define CLIENTS 8
#define ADDRS 16
#define BASE 0x0a000000u
#define STEPS_MAX 400
#define CLIENT_NO_MAC 0
#define CLIENT_MULTICAST 7

/**
 * struct belief - what a client thinks that it has
 * @addr:	n of address n; 0: nothing
 * @until_s:	when it stops using it
 * @offered:	the same of the address that it was offered and has not asked for yet
 */
struct belief {
	uint32_t addr;
	int64_t until_s;
	uint32_t offered;
	int64_t offered_until_s;
};

/**
 * struct story - the world between two steps
 * @declined_until_s: by address, as the clients that declined it may expect
 */
struct story {
	struct guest_config configured[3];
	struct lease_guest attached[1];
	struct network_config net;
	struct lease_config cfg;
	struct lease_table *t;
	int64_t now_s;
	struct belief beliefs[CLIENTS];
	int64_t declined_until_s[ADDRS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct mac mac_of(uint32_t client)
{
	if (client == CLIENT_NO_MAC)
		return (struct mac){{0}};
	return (struct mac){
		{client == CLIENT_MULTICAST ? 0x53 : 0x52, 0x54, 0, 0, 0, (uint8_t)client}};
}

static struct in_addr addr_of(uint32_t n)
{
	return ip4_from_host(BASE + n);
}

/* Address 0 to 15 of the network, nothing, or something far away. */
static struct in_addr read_addr(struct cursor *c)
{
	uint8_t v = cursor_u8(c);

	if (v >= 0xf0)
		return ip4_from_host(cursor_be32(c));
	return v >= 0x80 ? (struct in_addr){0} : addr_of(v % ADDRS);
}

static void set_guest(struct guest_config *g, const char *name, uint32_t client, uint32_t addr)
{
	strcpy(g->name, name);
	g->has_mac = client != 0;
	g->mac = mac_of(client);
	g->has_ipv4 = addr != 0;
	g->ipv4 = addr_of(addr);
}

static void configure(struct story *s, uint8_t how)
{
	s->net.range_first = addr_of(how & 1 ? 6 : 2);
	s->net.range_last = addr_of(how & 2 ? 7 : 9);
	s->net.gateway = addr_of(how & 4 ? 5 : 1);
	s->net.lease_s = how & 8 ? 20 : 600;
	s->net.n_guests = (how >> 4) % 4;
	s->cfg.n_guests = how >> 6 & 1;
	s->cfg.n_dns = how >> 7;
}

static void story_init(struct story *s)
{
	*s = (struct story){.now_s = 1000000};
	set_guest(&s->configured[0], "one", 1, 3);
	set_guest(&s->configured[1], "unborn", 0, 4);
	set_guest(&s->configured[2], "six", 6, 0);
	strcpy(s->attached[0].name, "two");
	s->attached[0].mac = mac_of(2);
	s->attached[0].ipv4 = addr_of(12);
	s->net.subnet = (struct ip4_prefix){addr_of(0), 28};
	s->net.guests = s->configured;
	strcpy(s->net.domain, "fuzz.vm");
	s->cfg.network = &s->net;
	s->cfg.guests = s->attached;
	s->cfg.mtu = 1500;
	configure(s, 0);
	if (lease_table_new(&s->t) < 0)
		abort();
}

/* The client for whom address @n is fixed; CLIENTS: for one without MAC; 0: for none. */
static uint32_t fixed_for(const struct story *s, uint32_t n)
{
	static const uint32_t owner[] = {1, CLIENTS};

	for (size_t i = 0; i < s->net.n_guests && i < ARRAY_SIZE(owner); i++) {
		if (ip4_equal(s->configured[i].ipv4, addr_of(n)))
			return owner[i];
	}
	return s->cfg.n_guests && n == 12 ? 2 : 0;
}

static bool in_range(const struct story *s, uint32_t n)
{
	return ip4_host(addr_of(n)) >= ip4_host(s->net.range_first) &&
	       ip4_host(addr_of(n)) <= ip4_host(s->net.range_last);
}

/* May @client be given address @n: as the configuration has it, and as nobody is hurt? */
static void check_address(const struct story *s, uint32_t client, struct in_addr addr)
{
	uint32_t n = ip4_host(addr) - BASE;

	must(n > 0 && n < ADDRS - 1);
	must(!ip4_equal(addr, s->net.gateway));
	must(fixed_for(s, n) == client || (fixed_for(s, n) == 0 && in_range(s, n)));
	must(s->declined_until_s[n] <= s->now_s);
	for (uint32_t other = 0; other < CLIENTS; other++) {
		const struct belief *b = &s->beliefs[other];

		if (other == client)
			continue;
		must(b->addr != n || b->until_s <= s->now_s);
		must(b->offered != n || b->offered_until_s <= s->now_s);
	}
}

static void check_times(const struct dhcp4_msg *m)
{
	must(m->renew_s > 0 && m->renew_s < m->rebind_s && m->rebind_s < m->lease_s);
}

static void check_offer(const struct story *s, uint32_t client, const struct lease_decision *d)
{
	const struct mac mac = mac_of(client);
	const struct lease *l = lease_find_mac(s->t, &mac);

	check_address(s, client, d->msg.yiaddr);
	check_times(&d->msg);
	if (d->change == LEASE_KEEP) { /* because it is leased already */
		must(l && l->state == LEASE_BOUND && ip4_equal(l->addr, d->msg.yiaddr));
		must(l && l->expires_s >= s->now_s + LEASE_OFFER_S);
		return;
	}
	must(d->change == LEASE_SET);
	if (d->lease.state == LEASE_BOUND) /* it is, but would not outlast the offer */
		must(l && l->state == LEASE_BOUND && ip4_equal(l->addr, d->msg.yiaddr));
	else
		must(d->lease.state == LEASE_OFFERED);
	must(ip4_equal(d->lease.addr, d->msg.yiaddr) && mac_equal(&d->lease.mac, &mac));
	must(d->lease.expires_s == s->now_s + LEASE_OFFER_S);
}

static void check_ack(const struct story *s, uint32_t client, const struct dhcp4_msg *req,
		      const struct lease_decision *d)
{
	const struct mac mac = mac_of(client);

	if (req->type == DHCP4_INFORM) {
		must(d->change == LEASE_KEEP && d->msg.yiaddr.s_addr == 0 && d->msg.lease_s == 0);
		must(d->msg.renew_s == 0 && d->msg.rebind_s == 0);
		return;
	}
	must(req->type == DHCP4_REQUEST && d->change == LEASE_SET);
	check_address(s, client, d->msg.yiaddr);
	check_times(&d->msg);
	must(d->lease.state == LEASE_BOUND && ip4_equal(d->lease.addr, d->msg.yiaddr));
	must(mac_equal(&d->lease.mac, &mac));
	must(d->lease.expires_s == s->now_s + d->msg.lease_s);
}

static void check_nak(uint32_t client, const struct dhcp4_msg *req, const struct lease_decision *d)
{
	const struct mac mac = mac_of(client);

	must(req->type == DHCP4_REQUEST && d->change != LEASE_SET);
	must(d->msg.yiaddr.s_addr == 0 && d->msg.lease_s == 0 && d->msg.message[0]);
	must(d->change == LEASE_KEEP || mac_equal(&d->lease.mac, &mac));
	must(req->giaddr.s_addr || d->dst_ip.s_addr == INADDR_BROADCAST);
}

/* Any reply: to whom it goes, what is echoed, and that it can be sent. */
static void check_reply(const struct story *s, const struct dhcp4_msg *req,
			const struct lease_decision *d)
{
	size_t room = req->max_size > 576 ? req->max_size : 576;
	uint8_t bytes[DHCP4_MSG_MAX];
	struct dhcp4_msg back;
	int len;

	must(d->msg.op == 2 && d->msg.xid == req->xid && mac_equal(&d->msg.chaddr, &req->chaddr));
	must(ip4_equal(d->msg.server_id, s->net.gateway) && d->msg.siaddr.s_addr == 0);
	must(d->dst_ip.s_addr != 0 && ip4_equal(d->msg.giaddr, req->giaddr));
	must(d->dst_port == (req->giaddr.s_addr ? DHCP4_SERVER_PORT : DHCP4_CLIENT_PORT));
	len = dhcp4_build(&d->msg, bytes, sizeof(bytes));
	must(len >= 300 && (size_t)len <= room - 28);
	must(dhcp4_parse(bytes, (size_t)len, &back) == 0);
	must(back.type == d->msg.type && back.client_id_len == req->client_id_len);
	must(back.lease_s == d->msg.lease_s && back.rebind_s == d->msg.rebind_s);
}

static void check_decision(const struct story *s, uint32_t client, const struct dhcp4_msg *req,
			   const struct lease_decision *d)
{
	must(d->why != NULL);
	if (client == CLIENT_NO_MAC || client == CLIENT_MULTICAST)
		must(!d->reply && d->change == LEASE_KEEP);
	if (!d->reply) {
		must(d->change != LEASE_SET || req->type == DHCP4_DECLINE ||
		     req->type == DHCP4_RELEASE);
		return;
	}
	check_reply(s, req, d);
	if (d->msg.type == DHCP4_OFFER)
		check_offer(s, client, d);
	else if (d->msg.type == DHCP4_ACK)
		check_ack(s, client, req, d);
	else
		check_nak(client, req, d);
}

/* What the client makes of what it sent and of the answer. */
static void believe(struct story *s, uint32_t client, const struct dhcp4_msg *req,
		    const struct lease_decision *d)
{
	struct belief *b = &s->beliefs[client];

	if (req->op != 1)
		return;
	if (req->type == DHCP4_REQUEST || req->type == DHCP4_DECLINE)
		b->offered = 0;
	if (d->reply && d->msg.type == DHCP4_OFFER) {
		b->offered = ip4_host(d->msg.yiaddr) - BASE;
		b->offered_until_s = s->now_s + LEASE_OFFER_S;
	}
	if (req->type == DHCP4_DISCOVER || (d->reply && d->msg.type == DHCP4_NAK))
		b->addr = 0; /* it begins anew */
	if (req->type == DHCP4_RELEASE && b->addr && ip4_equal(req->ciaddr, addr_of(b->addr)))
		b->addr = 0;
	if (req->type == DHCP4_DECLINE && b->addr && ip4_equal(req->requested, addr_of(b->addr)))
		b->addr = 0;
	if (d->change == LEASE_SET && d->lease.state == LEASE_DECLINED)
		s->declined_until_s[ip4_host(d->lease.addr) - BASE] = d->lease.expires_s;
	if (d->reply && d->msg.type == DHCP4_ACK && d->msg.yiaddr.s_addr) {
		b->addr = ip4_host(d->msg.yiaddr) - BASE;
		b->until_s = s->now_s + d->msg.lease_s;
	}
}

static void read_message(struct cursor *c, uint32_t client, struct dhcp4_msg *m)
{
	uint8_t flags;

	*m = (struct dhcp4_msg){.op = 1, .chaddr = mac_of(client)};
	m->type = (enum dhcp4_type)(cursor_u8(c) % (DHCP4_TYPE_COUNT + 1));
	flags = cursor_u8(c);
	m->requested = read_addr(c);
	if (flags & 1)
		m->ciaddr = read_addr(c);
	if (flags & 2)
		m->server_id = read_addr(c);
	if (flags & 4)
		m->giaddr = read_addr(c);
	m->broadcast = flags & 8;
	if (flags & 16)
		m->max_size = cursor_be16(c);
	if (flags & 32)
		m->client_id_len = cursor_u8(c);
	if (flags & 64)
		m->agent_info_len = cursor_u8(c);
	if (flags & 128)
		strcpy(m->hostname, "guest");
	m->xid = flags;
}

/*
 * Another guest speaks in the client's name. That has no effect, unless it says that it is a relay:
 * then it has none on what the client was promised.
 */
static void step_forged(struct story *s, uint32_t client, struct cursor *c)
{
	const struct mac from = mac_of(client + 1), mac = mac_of(client);
	const struct lease *l = lease_find_mac(s->t, &mac);
	struct lease_decision d;
	struct dhcp4_msg m;

	read_message(c, client, &m);
	lease_decide(&s->cfg, s->t, s->now_s, &from, &m, &d);
	if (m.giaddr.s_addr && m.type != DHCP4_RELEASE && m.type != DHCP4_DECLINE)
		check_decision(s, client, &m, &d);
	else
		must(!d.reply && d.change == LEASE_KEEP && d.why);
	must(d.change == LEASE_KEEP || !l || !lease_live(l, s->now_s) ||
	     (d.change == LEASE_SET && ip4_equal(d.lease.addr, l->addr)));
	if (d.change == LEASE_SET && lease_put(s->t, &d.lease) < 0)
		abort();
	if (d.change == LEASE_FORGET)
		lease_remove(s->t, d.lease.addr);
}

static void step_message(struct story *s, uint32_t client, struct cursor *c)
{
	const struct mac from = mac_of(client);
	struct lease_decision d;
	struct dhcp4_msg m;

	read_message(c, client, &m);
	lease_decide(&s->cfg, s->t, s->now_s, &from, &m, &d);
	check_decision(s, client, &m, &d);
	believe(s, client, &m, &d);
	if (d.change == LEASE_SET && lease_put(s->t, &d.lease) < 0)
		abort();
	if (d.change == LEASE_FORGET)
		lease_remove(s->t, d.lease.addr);
}

/* A client that does as RFC 2131 says: DISCOVER, and REQUEST what is offered. */
static void step_exchange(struct story *s, uint32_t client)
{
	struct dhcp4_msg m = {.op = 1, .chaddr = mac_of(client), .type = DHCP4_DISCOVER};
	const struct mac from = mac_of(client);
	struct lease_decision d;

	for (size_t i = 0; i < 2; i++) {
		lease_decide(&s->cfg, s->t, s->now_s, &from, &m, &d);
		check_decision(s, client, &m, &d);
		believe(s, client, &m, &d);
		if (d.change == LEASE_SET && lease_put(s->t, &d.lease) < 0)
			abort();
		if (!d.reply)
			return;
		must(d.msg.type == (i == 0 ? DHCP4_OFFER : DHCP4_ACK)); /* an offer holds */
		m.type = DHCP4_REQUEST;
		m.requested = d.msg.yiaddr;
		m.server_id = d.msg.server_id;
	}
}

static void drop_offer(const struct lease *l, void *ctx)
{
	struct in_addr *offers = ctx;

	if (l->state == LEASE_OFFERED)
		offers[ip4_host(l->addr) - BASE] = l->addr;
}

/* The daemon is started again: what is not on disk is gone. */
static void step_restart(struct story *s)
{
	struct in_addr offers[ADDRS] = {0};

	lease_each(s->t, drop_offer, offers);
	for (size_t i = 0; i < ADDRS; i++)
		lease_remove(s->t, offers[i]);
	for (size_t i = 0; i < CLIENTS; i++)
		s->beliefs[i].offered = 0;
}

static void step_seen(struct story *s, struct cursor *c)
{
	const struct mac mac = mac_of(cursor_u8(c) % CLIENTS);

	lease_seen(s->t, read_addr(c), &mac, s->now_s);
}

static void count_live(const struct lease *l, void *ctx)
{
	uint32_t *macs = ctx; /* how many leases a client has */

	if (!mac_is_zero(&l->mac))
		must(macs[l->mac.b[5] % CLIENTS]++ == 0);
	else
		must(l->state == LEASE_DECLINED);
}

static void step(struct story *s, struct cursor *c)
{
	uint8_t what = cursor_u8(c);
	uint32_t macs[CLIENTS] = {0};

	switch (what >> 5) {
	case 0:
		s->now_s += (int64_t)cursor_u8(c) * (what & 31);
		break;
	case 1:
		if (what & 1)
			configure(s, cursor_u8(c));
		else
			step_restart(s);
		break;
	case 2:
		step_seen(s, c);
		break;
	case 3:
		if (what % CLIENTS != CLIENT_NO_MAC && what % CLIENTS != CLIENT_MULTICAST)
			step_exchange(s, what % CLIENTS);
		break;
	case 4:
		step_forged(s, what % CLIENTS, c);
		break;
	default:
		step_message(s, what % CLIENTS, c);
		break;
	}
	lease_each(s->t, count_live, macs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_init(data, size);
	struct story s;

	story_init(&s);
	for (size_t i = 0; i < STEPS_MAX && c.left > 0; i++)
		step(&s, &c);
	lease_table_free(s.t);
	return 0;
}
