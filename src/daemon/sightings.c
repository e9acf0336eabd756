/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sightings.c - see sightings.h. Ports have stations, stations have addresses; and all stations that say
 * to have one address are found by it.
 */
#include "daemon/sightings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define RIVALS_MAX 1024 /* looked at for each that is seen */

/* struct addr_key - without padding, since it is hashed as it is. */
struct addr_key {
	int bridge;
	uint16_t vlan;
	uint8_t family;
	uint8_t zero;
	uint8_t addr[16];
};

struct station_key {
	int bridge;
	uint16_t vlan;
	struct mac mac;
};
_Static_assert(sizeof(struct addr_key) == 24 && sizeof(struct station_key) == 12, "padding");

/* struct claim - who has said to have an address; @told_us: when that there are two was last told. */
struct claim {
	struct addr_key key;
	struct seen *all;
	uint64_t told_us;
	UT_hash_handle hh;
};

/* struct seen - an address of a station; in the lists of both. */
struct seen {
	struct claim *claim;
	struct seen_station *station;
	enum sighting_kind kind;
	uint64_t seen_us;
	struct seen *prev, *next;
	struct seen *claim_prev, *claim_next;
};

/**
 * struct seen_station - a MAC
 * @before:	the port where it was last before @port, until @moved_us; 0: none
 * @twin_us:	when it was last found to be behind both; 0: never
 * @addrs:	the last seen first
 */
struct seen_station {
	struct station_key key;
	struct seen_port *port;
	int before;
	uint64_t moved_us;
	uint64_t twin_us;
	uint64_t told_us;
	uint64_t last_us;
	struct seen *addrs;
	unsigned int n;
	struct seen_station *prev, *next;
	struct seen_station *all_prev, *all_next;
	UT_hash_handle hh;
};

/* struct seen_port - @id: a port's ifindex, or that of a bridge, negative; @stations: the last heard first. */
struct seen_port {
	int id;
	int bridge;
	struct seen_station *stations;
	unsigned int n;
	UT_hash_handle hh;
};

/* struct sightings - see sightings.h; @all: the last heard first. */
struct sightings {
	struct seen_port *ports;
	struct seen_station *stations;
	struct seen_station *all;
	struct claim *claims;
	size_t n_addrs;
	uint64_t evicted;
};

struct sightings *sightings_new(void)
{
	return calloc(1, sizeof(struct sightings));
}

/* ---- forgetting ---- */

static void seen_drop(struct sightings *t, struct seen *e)
{
	struct claim *c = e->claim;

	DL_DELETE2(c->all, e, claim_prev, claim_next);
	if (!c->all) {
		HASH_DEL(t->claims, c);
		free(c);
	}
	DL_DELETE(e->station->addrs, e);
	e->station->n--;
	t->n_addrs--;
	free(e);
}

static void port_release(struct sightings *t, struct seen_port *p)
{
	if (p->stations)
		return;
	HASH_DEL(t->ports, p);
	free(p);
}

/* The last one takes its port along. */
static void station_drop(struct sightings *t, struct seen_station *s)
{
	struct seen_port *p = s->port;

	while (s->addrs)
		seen_drop(t, s->addrs);
	DL_DELETE2(t->all, s, all_prev, all_next);
	DL_DELETE(p->stations, s);
	p->n--;
	/* NOLINTNEXTLINE(clang-analyzer-*): the analyzer does not follow uthash's hashing */
	HASH_DEL(t->stations, s);
	free(s);
	port_release(t, p);
}

static void station_evict(struct sightings *t, struct seen_station *s)
{
	t->evicted += s->n;
	station_drop(t, s);
}

void sightings_free(struct sightings *t)
{
	if (!t)
		return;
	while (t->all)
		station_drop(t, t->all);
	free(t);
}

/* In utlist the head's prev is the tail. */
static void forget_silent(struct sightings *t, uint64_t now_us)
{
	while (t->all && now_us - t->all->all_prev->last_us > SIGHTINGS_FORGET_US)
		station_drop(t, t->all->all_prev);
}

static struct seen_port *port_find(struct sightings *t, int id)
{
	struct seen_port *p;

	/* NOLINTNEXTLINE(clang-analyzer-*): the analyzer does not follow uthash's hashing */
	HASH_FIND_INT(t->ports, &id, p);
	return p;
}

static void port_drop(struct sightings *t, struct seen_port *p)
{
	for (unsigned int n = p->n; n > 0; n--)
		station_drop(t, p->stations);
}

int sightings_port_bridge(struct sightings *t, int port)
{
	const struct seen_port *p = port_find(t, port);

	return p ? p->bridge : 0;
}

void sightings_port_gone(struct sightings *t, int port)
{
	struct seen_port *p = port_find(t, port);

	if (p)
		port_drop(t, p);
}

void sightings_bridge_gone(struct sightings *t, int bridge)
{
	struct seen_port *p, *next;

	HASH_ITER (hh, t->ports, p, next) {
		if (p->bridge == bridge)
			port_drop(t, p);
	}
}

/* ---- remembering ---- */

static struct seen_port *port_get(struct sightings *t, const struct sighting_place *at)
{
	int id = at->port ? at->port : -at->bridge;
	struct seen_port *p = port_find(t, id);

	/* Of another bridge's time: nobody told that it left. */
	if (p && p->bridge != at->bridge) {
		port_drop(t, p);
		p = NULL;
	}
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->id = id;
	p->bridge = at->bridge;
	HASH_ADD_INT(t->ports, id, p);
	return p;
}

static struct seen_station *station_find(struct sightings *t, const struct sighting_place *at,
					 const struct mac *mac)
{
	struct station_key key = {.bridge = at->bridge, .vlan = at->vlan, .mac = *mac};
	struct seen_station *s;

	/* NOLINTNEXTLINE(clang-analyzer-*): the analyzer does not follow uthash's hashing */
	HASH_FIND(hh, t->stations, &key, sizeof(key), s);
	return s;
}

static void port_take(struct seen_port *p, struct seen_station *s)
{
	DL_PREPEND(p->stations, s);
	p->n++;
	s->port = p;
}

/* @p keeps the last of its stations: it must not vanish under the new one. */
static void make_room(struct sightings *t, struct seen_port *p)
{
	struct seen_station *oldest;

	if (p->n >= SIGHTINGS_PORT_STATIONS)
		station_evict(t, p->stations->prev);
	if (HASH_COUNT(t->stations) < SIGHTINGS_STATIONS)
		return;
	oldest = t->all->all_prev;
	if (oldest->port == p && p->n == 1)
		oldest = oldest->all_prev;
	station_evict(t, oldest);
}

static struct seen_station *station_new(struct sightings *t, struct seen_port *p,
					const struct sighting_place *at, const struct mac *mac)
{
	struct seen_station *s = calloc(1, sizeof(*s));

	if (!s) {
		port_release(t, p);
		return NULL;
	}
	make_room(t, p);
	s->key = (struct station_key){.bridge = at->bridge, .vlan = at->vlan, .mac = *mac};
	port_take(p, s);
	DL_PREPEND2(t->all, s, all_prev, all_next);
	HASH_ADD(hh, t->stations, key, sizeof(s->key), s);
	return s;
}

static int port_id(const struct seen_port *p)
{
	return p->id > 0 ? p->id : 0;
}

/* Whether its coming here tells that it is at two places. A MAC that moves does so once. */
static bool moved(struct sightings *t, struct seen_station *s, struct seen_port *to,
		  uint64_t now_us)
{
	struct seen_port *from = s->port;
	bool back = s->before && s->before == to->id && now_us - s->moved_us < SIGHTINGS_BACK_US;

	DL_DELETE(from->stations, s);
	from->n--;
	port_take(to, s);
	s->before = port_id(from);
	s->moved_us = now_us;
	port_release(t, from);
	if (!back)
		return false;
	s->twin_us = now_us;
	if (s->told_us && now_us - s->told_us < SIGHTINGS_TELL_US)
		return false;
	s->told_us = now_us;
	return true;
}

static struct seen *seen_find(const struct seen_station *s, uint8_t family, const uint8_t addr[16])
{
	struct seen *e;

	for (e = s->addrs; e; e = e->next)
		if (e->claim->key.family == family && memcmp(e->claim->key.addr, addr, 16) == 0)
			return e;
	return NULL;
}

static struct claim *claim_get(struct sightings *t, const struct seen_station *s,
			       const struct sighting *what)
{
	struct addr_key key = {
		.bridge = s->key.bridge, .vlan = s->key.vlan, .family = what->family};
	struct claim *c;

	memcpy(key.addr, what->addr, sizeof(key.addr));
	/* NOLINTNEXTLINE(clang-analyzer-*): the analyzer does not follow uthash's hashing */
	HASH_FIND(hh, t->claims, &key, sizeof(key), c);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = key;
	HASH_ADD(hh, t->claims, key, sizeof(c->key), c);
	return c;
}

static struct seen *seen_new(struct sightings *t, struct seen_station *s,
			     const struct sighting *what)
{
	struct seen *e = calloc(1, sizeof(*e));
	struct claim *c;

	/* It is the one heard last, and so the last to go. */
	while (t->n_addrs >= SIGHTINGS_ADDRS && t->all->all_prev != s)
		station_evict(t, t->all->all_prev);
	if (s->n >= SIGHTINGS_STATION_ADDRS) {
		t->evicted++;
		seen_drop(t, s->addrs->prev);
	}
	c = e ? claim_get(t, s, what) : NULL;
	if (!c) {
		free(e);
		return NULL;
	}
	e->station = s;
	e->claim = c;
	DL_PREPEND2(c->all, e, claim_prev, claim_next);
	DL_PREPEND(s->addrs, e);
	s->n++;
	t->n_addrs++;
	return e;
}

/* ---- two of them ---- */

static bool is_fresh(const struct seen *e, uint64_t now_us)
{
	return now_us - e->seen_us <= SIGHTINGS_FRESH_US;
}

/* Another one with @e's address, behind another port, that is not stale. */
static const struct seen *rival_of(const struct seen *e, uint64_t now_us)
{
	const struct seen *o;
	unsigned int n = 0;

	for (o = e->claim->all; o && n < RIVALS_MAX; o = o->claim_next, n++)
		if (o != e && o->station->port != e->station->port && o->station->port->id > 0 &&
		    e->station->port->id > 0 && is_fresh(o, now_us))
			return o;
	return NULL;
}

static void look_for_rival(struct seen *e, uint64_t now_us, struct sightings_news *news)
{
	const struct seen *o;

	if (e->claim->told_us && now_us - e->claim->told_us < SIGHTINGS_TELL_US)
		return;
	o = rival_of(e, now_us);
	if (!o)
		return;
	e->claim->told_us = now_us;
	news->duplicate_address = true;
	news->other_mac = o->station->key.mac;
	if (!news->duplicate_mac)
		news->other_port = port_id(o->station->port);
}

/* ---- all of it ---- */

static void take_back(struct sightings *t, struct seen_station *s)
{
	struct seen *e, *next;

	for (e = s->addrs; e; e = next) {
		next = e->next;
		if (e->kind == SIGHTING_DHCP)
			seen_drop(t, e);
	}
	if (!s->addrs)
		station_drop(t, s);
}

static struct seen_station *station_get(struct sightings *t, const struct sighting_place *at,
					const struct mac *mac, uint64_t now_us,
					struct sightings_news *news)
{
	struct seen_station *s = station_find(t, at, mac);
	struct seen_port *p;

	/* Where its port is not known now it is still where it was. */
	if (!s || (at->port && at->port != s->port->id)) {
		p = port_get(t, at);
		if (!p)
			return NULL;
		if (!s)
			return station_new(t, p, at, mac);
		if (p->n >= SIGHTINGS_PORT_STATIONS)
			station_evict(t, p->stations->prev);
		news->other_port = port_id(s->port);
		news->duplicate_mac = moved(t, s, p, now_us);
		return s;
	}
	DL_DELETE(s->port->stations, s);
	DL_PREPEND(s->port->stations, s);
	return s;
}

int sightings_add(struct sightings *t, const struct sighting_place *at, const struct sighting *what,
		  uint64_t now_us, struct sightings_news *ret)
{
	struct sightings_news news = {0};
	struct seen_station *s;
	struct seen *e;

	forget_silent(t, now_us);
	if (what->gone) {
		s = station_find(t, at, &what->mac);
		if (s)
			take_back(t, s);
		*ret = news;
		return 0;
	}
	s = station_get(t, at, &what->mac, now_us, &news);
	if (!s)
		return -ENOMEM;
	s->last_us = now_us;
	DL_DELETE2(t->all, s, all_prev, all_next);
	DL_PREPEND2(t->all, s, all_prev, all_next);
	e = seen_find(s, what->family, what->addr);
	news.address = !e;
	if (!e)
		e = seen_new(t, s, what);
	if (!e) {
		if (!s->addrs)
			station_drop(t, s);
		return -ENOMEM;
	}
	/* What was seen to be used is not less known for being asked for again. */
	if (news.address || what->kind != SIGHTING_DHCP)
		e->kind = what->kind;
	e->seen_us = now_us;
	DL_DELETE(s->addrs, e);
	DL_PREPEND(s->addrs, e);
	look_for_rival(e, now_us, &news);
	*ret = news;
	return 0;
}

void sightings_each(struct sightings *t, uint64_t now_us,
		    void (*fn)(const struct seen_address *a, void *ctx), void *ctx)
{
	const struct seen_station *s;
	const struct seen *e;

	forget_silent(t, now_us);
	for (s = t->all; s; s = s->all_next) {
		struct seen_address a = {
			.at = {s->key.bridge, port_id(s->port), s->key.vlan},
			.mac = s->key.mac,
		};

		if (s->twin_us && now_us - s->twin_us <= SIGHTINGS_FRESH_US)
			a.twin_port = s->before;
		for (e = s->addrs; e; e = e->next) {
			a.family = e->claim->key.family;
			memcpy(a.addr, e->claim->key.addr, sizeof(a.addr));
			a.kind = e->kind;
			a.age_us = now_us - e->seen_us;
			a.stale = !is_fresh(e, now_us);
			a.duplicate = !a.stale && rival_of(e, now_us);
			fn(&a, ctx);
		}
	}
}

size_t sightings_count(const struct sightings *t)
{
	return t->n_addrs;
}

uint64_t sightings_evicted(const struct sightings *t)
{
	return t->evicted;
}
