/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - a network, its leases and its clients for the tests of lease_decide(). What is decided
 * is put into the table, as the server does.
 *
 * The network is 192.168.122.0/24, gateway .1, range .10 to .19. Client n has the MAC
 * 52:54:00:00:00:n, and address n is 192.168.122.n.
 */
#ifndef VMLANE_TESTS_LEASE_WORLD_H
#define VMLANE_TESTS_LEASE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lease/decide.h"

#define NOW 1700000000
#define LEASE_S 3600
#define GATEWAY 1
#define WORLD_GUESTS 4

/**
 * struct world - see above
 * @now_s:	the tests let it pass
 * @d:		the last decision
 */
struct world {
	struct guest_config configured[WORLD_GUESTS];
	struct lease_guest attached[WORLD_GUESTS];
	struct network_config net;
	struct lease_config cfg;
	struct lease_table *t;
	int64_t now_s;
	struct lease_decision d;
};

static inline struct in_addr ip(const char *text)
{
	struct in_addr a;

	assert_int_equal(ip4_parse(text, &a), 0);
	return a;
}

/* 0 is no address. */
static inline struct in_addr host(unsigned int n)
{
	return n ? ip4_from_host(0xc0a87a00 + n) : (struct in_addr){0};
}

static inline struct mac client(unsigned int n)
{
	return (struct mac){{0x52, 0x54, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static inline void world_init(struct world *w)
{
	*w = (struct world){.now_s = NOW};
	snprintf(w->net.name, sizeof(w->net.name), "default");
	snprintf(w->net.domain, sizeof(w->net.domain), "default.vm");
	w->net.subnet = (struct ip4_prefix){ip("192.168.122.0"), 24};
	w->net.gateway = host(GATEWAY);
	w->net.dhcp = true;
	w->net.range_first = host(10);
	w->net.range_last = host(19);
	w->net.lease_s = LEASE_S;
	w->net.guests = w->configured;
	w->cfg.network = &w->net;
	w->cfg.dns[0] = ip("203.0.113.1");
	w->cfg.n_dns = 1;
	w->cfg.guests = w->attached;
	assert_int_equal(lease_table_new(&w->t), 0);
}

static inline void world_done(struct world *w)
{
	lease_table_free(w->t);
}

/* A guest of the network's file; client 0: no MAC, address 0: none. */
static inline void configure(struct world *w, const char *name, unsigned int c, unsigned int addr)
{
	struct guest_config *g = &w->configured[w->net.n_guests++];

	assert_in_range(w->net.n_guests, 1, WORLD_GUESTS);
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->has_mac = c != 0;
	g->mac = client(c);
	g->has_ipv4 = addr != 0;
	g->ipv4 = host(addr);
}

/* A guest attached at run time; address 0: dynamic. */
static inline void attach(struct world *w, const char *name, unsigned int c, unsigned int addr)
{
	struct lease_guest *g = &w->attached[w->cfg.n_guests++];

	assert_in_range(w->cfg.n_guests, 1, WORLD_GUESTS);
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->mac = client(c);
	g->ipv4 = host(addr);
}

/* A lease from before; client 0: no MAC. */
static inline void have(struct world *w, unsigned int addr, unsigned int c, enum lease_state state,
			int64_t expires_s)
{
	struct lease l = {.addr = host(addr), .state = state, .expires_s = expires_s};

	if (c)
		l.mac = client(c);
	assert_int_equal(lease_put(w->t, &l), 0);
}

static inline struct dhcp4_msg message(unsigned int c, enum dhcp4_type type)
{
	return (struct dhcp4_msg){.op = 1, .xid = 0x1234, .chaddr = client(c), .type = type};
}

/* Let @m, in a frame from @eth_src, be decided, and the table follow. */
static inline const struct lease_decision *say_from(struct world *w, const struct mac *eth_src,
						    const struct dhcp4_msg *m)
{
	lease_decide(&w->cfg, w->t, w->now_s, eth_src, m, &w->d);
	assert_non_null(w->d.why);
	if (w->d.change == LEASE_SET)
		assert_int_equal(lease_put(w->t, &w->d.lease), 0);
	else if (w->d.change == LEASE_FORGET)
		lease_remove(w->t, w->d.lease.addr);
	return &w->d;
}

/* The same from where it should come: the client itself, or its relay. */
static inline const struct lease_decision *say(struct world *w, const struct dhcp4_msg *m)
{
	const struct mac relay = {{0x52, 0x54, 0xee, 0, 0, 1}};

	return say_from(w, m->giaddr.s_addr ? &relay : &m->chaddr, m);
}

/* DISCOVER, wishing for address @wish (0: none); the address offered, or 0. */
static inline unsigned int discover(struct world *w, unsigned int c, unsigned int wish)
{
	struct dhcp4_msg m = message(c, DHCP4_DISCOVER);

	m.requested = host(wish);
	say(w, &m);
	if (!w->d.reply)
		return 0;
	assert_int_equal(w->d.msg.type, DHCP4_OFFER);
	return ip4_host(w->d.msg.yiaddr) - 0xc0a87a00;
}

enum request_kind { SELECTING, REBOOTING, RENEWING, REQUEST_KINDS };

/* REQUEST for @addr; the type of the answer, 0 when there is none. */
static inline int request(struct world *w, unsigned int c, enum request_kind kind,
			  unsigned int addr)
{
	struct dhcp4_msg m = message(c, DHCP4_REQUEST);

	if (kind == RENEWING)
		m.ciaddr = host(addr);
	else
		m.requested = host(addr);
	if (kind == SELECTING)
		m.server_id = w->net.gateway;
	say(w, &m);
	return w->d.reply ? (int)w->d.msg.type : 0;
}

/* The state of address @addr's lease when client @c has it (0: nobody), or -1. */
static inline int lease_of(const struct world *w, unsigned int addr, unsigned int c)
{
	const struct lease *l = lease_find_addr(w->t, host(addr));
	struct mac m = c ? client(c) : (struct mac){{0}};

	return l && mac_equal(&l->mac, &m) ? (int)l->state : -1;
}

#endif
