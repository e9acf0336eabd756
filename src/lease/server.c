/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.c - the DHCPv4 server of one network, on its bridge's packet socket (socket.c).
 *
 * It joins the pure parts to the world: frames (wire/frame.c) and messages (wire/dhcp4.c) in,
 * lease_decide() (decide.c), the change made durable (store.c), replies out. It decides nothing
 * about addresses itself.
 *
 * INVARIANTS
 * - No ACK leaves before its lease is in the store: a batch is decided, stored with one commit, and
 *   only then answered.
 * - After a batch the table is what the store has, plus offers: when the commit fails, the table is
 *   taken back change by change, and the batch is decided again without what would need storing.
 */
#include "lease/server.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "wire/frame.h"

#define PRUNE_MAX 256
#define REPLY_TTL 64

/**
 * struct lease_server - see server.h
 * @socket:	not owned
 * @stale:	the table may have lost leases that the store has: load it before the next decision
 * @pruned_s:	when expired offers were last cleared away
 * @problem:	why the store last failed; code "" when it works
 */
struct lease_server {
	struct lease_store *store;
	struct lease_table *table;
	struct lease_config cfg;
	struct lease_socket *socket;
	struct mac mac;
	lease_event_fn fn;
	lease_bound_fn bound;
	void *ctx;
	bool stale;
	int64_t pruned_s;
	struct err problem;
	struct lease_counters counters;
};

/* struct request - a message, and the MAC that the frame came from. */
struct request {
	struct mac eth_src;
	struct dhcp4_msg msg;
};

/**
 * struct undo - what one change displaced in the table
 * @addr:	the lease that was put or removed
 * @by_addr, @by_mac: what was there before, when @had_addr, @had_mac
 */
struct undo {
	struct in_addr addr;
	bool had_addr;
	bool had_mac;
	struct lease by_addr;
	struct lease by_mac;
};

/**
 * struct batch - what is read and answered at once; 300 KB, on the stack, and only its used slots
 * are ever touched: most often the first
 * @n:		requests; @decisions and @failed go with them
 * @failed:	the decision could not be carried out, for the store's or the table's sake
 * @undo:	@n_undo changes of the table, in order
 */
struct batch {
	size_t n;
	size_t n_undo;
	int64_t now_s;
	struct request requests[LEASE_BATCH_MAX];
	struct lease_decision decisions[LEASE_BATCH_MAX];
	bool failed[LEASE_BATCH_MAX];
	struct undo undo[LEASE_BATCH_MAX];
};

/* ---- in ---- */

static void on_arp(struct lease_server *s, const struct frame *f, int64_t now_s)
{
	/* Probes have no sender address yet; forged ones would claim other guests' addresses. */
	if (!f->arp_sender_ip.s_addr || !ip4_in(&s->cfg.network->subnet, f->arp_sender_ip))
		return;
	if (!mac_equal(&f->arp_sender_mac, &f->eth_src) || mac_is_multicast(&f->eth_src))
		return;
	lease_seen(s->table, f->arp_sender_ip, &f->arp_sender_mac, now_s);
}

static bool to_us(const struct lease_server *s, const struct frame *f)
{
	return f->dst.s_addr == htonl(INADDR_BROADCAST) ||
	       ip4_equal(f->dst, s->cfg.network->gateway);
}

/* A frame becomes the batch's next request, or is counted as something else. */
static void on_frame(struct lease_server *s, struct batch *b, const struct lease_frame *in)
{
	struct request *req = &b->requests[b->n];
	struct frame f;
	int r;

	/* Guests of this host leave the UDP checksum to a network card that is not there. */
	r = in->cut ? -EBADMSG : frame_parse(in->bytes, in->len, false, &f);
	if (r == 0 && f.kind == FRAME_ARP) {
		on_arp(s, &f, b->now_s);
		return;
	}
	s->counters.received++;
	if (r < 0 || f.kind != FRAME_UDP || f.fragment || f.dport != DHCP4_SERVER_PORT) {
		s->counters.bad++;
		return;
	}
	if (!to_us(s, &f)) {
		s->counters.ignored++;
		return;
	}
	if (dhcp4_parse(f.payload, f.payload_len, &req->msg) < 0) {
		s->counters.bad++;
		return;
	}
	if (dhcp4_is_probe(&req->msg))
		s->counters.received--; /* it was nobody's */
	else
		s->counters.got[req->msg.type]++;
	req->eth_src = f.eth_src;
	b->n++;
}

/* ---- deciding ---- */

/* Offers live in memory only; forgetting one is not worth a commit. */
static bool is_durable(const struct lease_decision *d)
{
	return d->change != LEASE_KEEP && d->lease.state != LEASE_OFFERED;
}

static void remember(const struct lease_table *t, const struct lease *l, struct undo *ret)
{
	const struct lease *by_addr = lease_find_addr(t, l->addr);
	const struct lease *by_mac = mac_is_zero(&l->mac) ? NULL : lease_find_mac(t, &l->mac);

	ret->addr = l->addr;
	ret->had_addr = by_addr != NULL;
	ret->had_mac = by_mac && by_mac != by_addr;
	if (ret->had_addr)
		ret->by_addr = *by_addr;
	if (ret->had_mac)
		ret->by_mac = *by_mac;
}

/* Makes the decision's change in the table, so that the next one in the batch sees it. */
static int apply(struct lease_server *s, struct batch *b, const struct lease_decision *d)
{
	int r = 0;

	if (d->change == LEASE_KEEP)
		return 0;
	remember(s->table, &d->lease, &b->undo[b->n_undo]);
	if (d->change == LEASE_SET)
		r = lease_put(s->table, &d->lease);
	else
		lease_remove(s->table, d->lease.addr);
	if (r == 0)
		b->n_undo++;
	return r;
}

static void take_back(struct lease_server *s, struct batch *b)
{
	while (b->n_undo) {
		const struct undo *u = &b->undo[--b->n_undo];

		lease_remove(s->table, u->addr);
		if ((u->had_mac && lease_put(s->table, &u->by_mac) < 0) ||
		    (u->had_addr && lease_put(s->table, &u->by_addr) < 0))
			s->stale = true;
	}
}

/* @may_store false: what would have to be stored is left undone and unanswered. */
static void decide(struct lease_server *s, struct batch *b, bool may_store)
{
	for (size_t i = 0; i < b->n; i++) {
		struct lease_decision *d = &b->decisions[i];
		const struct request *req = &b->requests[i];

		lease_decide(&s->cfg, s->table, b->now_s, &req->eth_src, &req->msg, d);
		b->failed[i] = (is_durable(d) && !may_store) || apply(s, b, d) < 0;
		if (b->failed[i]) {
			d->reply = false;
			d->change = LEASE_KEEP;
		}
	}
}

/* ---- storing ---- */

static int store_one(struct lease_server *s, const struct lease_decision *d, struct err *e)
{
	const char *network = s->cfg.network->name;

	if (d->change == LEASE_SET)
		return lease_store_put(s->store, network, &d->lease, e);
	return lease_store_remove(s->store, network, d->lease.addr, e);
}

static int store_changes(struct lease_server *s, const struct batch *b, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++)
		if (is_durable(&b->decisions[i]))
			r = store_one(s, &b->decisions[i], e);
	return r;
}

/* The batch's @n changes with one commit; a single one is its own. */
static int store(struct lease_server *s, const struct batch *b, size_t n, struct err *e)
{
	int r;

	if (n == 1)
		return store_changes(s, b, e);
	r = lease_store_begin(s->store, e);
	if (r == 0)
		r = store_changes(s, b, e);
	if (r == 0)
		r = lease_store_commit(s->store, e);
	if (r < 0)
		lease_store_rollback(s->store);
	return r;
}

/* The table after memory ran out in take_back(): the store knows what was promised. */
static bool table_fresh(struct lease_server *s)
{
	if (s->stale &&
	    lease_store_load(s->store, s->cfg.network->name, s->table, &s->problem) == 0)
		s->stale = false;
	return !s->stale;
}

static void decide_and_store(struct lease_server *s, struct batch *b)
{
	struct err e = {.code = ""};
	size_t n = 0;

	if (!table_fresh(s)) {
		s->counters.store_failed += b->n;
		b->n = 0;
		return;
	}
	decide(s, b, true);
	for (size_t i = 0; i < b->n; i++)
		n += is_durable(&b->decisions[i]);
	if (n == 0)
		return;
	if (store(s, b, n, &e) < 0) {
		log_debug("dhcp: %s: %s", s->cfg.network->name, e.message);
		take_back(s, b);
		decide(s, b, false);
	}
	s->problem = e;
}

/* ---- telling who has which address, before the guests know ---- */

static void tell_bound(const struct lease_server *s, const struct mac *mac, struct in_addr addr,
		       int64_t now_s)
{
	const struct lease *l = lease_find_addr(s->table, addr);
	bool has = l && l->state == LEASE_BOUND && lease_live(l, now_s) && mac_equal(&l->mac, mac);

	if (!mac_is_zero(mac))
		s->bound(s->cfg.network->name, mac, addr, has ? l->expires_s : 0, s->ctx);
}

static void tell_all(const struct lease_server *s, const struct batch *b)
{
	for (size_t i = 0; i < b->n_undo && s->bound; i++) {
		const struct undo *u = &b->undo[i];

		if (u->had_addr && u->by_addr.state != LEASE_OFFERED)
			tell_bound(s, &u->by_addr.mac, u->by_addr.addr, b->now_s);
		if (u->had_mac && u->by_mac.state != LEASE_OFFERED)
			tell_bound(s, &u->by_mac.mac, u->by_mac.addr, b->now_s);
	}
	for (size_t i = 0; i < b->n && s->bound; i++) {
		const struct lease_decision *d = &b->decisions[i];

		if (is_durable(d))
			tell_bound(s, &d->lease.mac, d->lease.addr, b->now_s);
	}
}

/* ---- out ---- */

static int send_reply(const struct lease_server *s, const struct lease_decision *d)
{
	uint8_t payload[DHCP4_MSG_MAX];
	uint8_t frame[LEASE_FRAME_MAX];
	struct udp_send u = {.eth_src = s->mac,
			     .eth_dst = d->eth_dst,
			     .src = s->cfg.network->gateway,
			     .dst = d->dst_ip,
			     .sport = DHCP4_SERVER_PORT,
			     .dport = d->dst_port,
			     .ttl = REPLY_TTL,
			     .payload = payload};
	int n;

	n = dhcp4_build(&d->msg, payload, sizeof(payload));
	if (n < 0)
		return n;
	u.payload_len = (size_t)n;
	n = udp_frame_build(&u, frame, sizeof(frame));
	if (n < 0)
		return n;
	return lease_socket_send(s->socket, frame, (size_t)n);
}

/* What the event tells of the lease when nothing was changed: who asked, for which address. */
static struct lease unchanged_lease(const struct lease_decision *d, const struct dhcp4_msg *req)
{
	struct lease l = {.addr = d->msg.yiaddr, .mac = req->chaddr};

	if (!l.addr.s_addr)
		l.addr = req->ciaddr.s_addr ? req->ciaddr : req->requested;
	memcpy(l.hostname, req->hostname, sizeof(l.hostname));
	return l;
}

static void answer(struct lease_server *s, const struct lease_decision *d,
		   const struct dhcp4_msg *req)
{
	struct lease_event ev = {
		.network = s->cfg.network->name, .request = req->type, .type = d->msg.type};
	int r;

	r = send_reply(s, d);
	if (r < 0) {
		log_debug("dhcp: %s: reply not sent: %s", s->cfg.network->name, strerror(-r));
		s->counters.send_failed++;
		return;
	}
	if (dhcp4_is_probe(req))
		return;
	s->counters.sent[d->msg.type]++;
	if (!s->fn)
		return;
	ev.lease = d->change == LEASE_KEEP ? unchanged_lease(d, req) : d->lease;
	s->fn(&ev, s->ctx);
}

static void answer_all(struct lease_server *s, const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct lease_decision *d = &b->decisions[i];
		const struct dhcp4_msg *req = &b->requests[i].msg;
		char mac[MAC_STRLEN];

		log_debug("dhcp: %s: %s from %s: %s%s", s->cfg.network->name,
			  dhcp4_type_name(req->type), mac_format(&req->chaddr, mac), d->why,
			  b->failed[i] ? ", but it could not be stored" : "");
		if (b->failed[i])
			s->counters.store_failed++;
		else if (d->reply)
			answer(s, d, req);
		else if (d->change == LEASE_KEEP)
			s->counters.ignored++;
	}
}

/* ---- the loop ---- */

struct prune {
	int64_t now_s;
	size_t n;
	struct in_addr addrs[PRUNE_MAX];
};

static void prune_one(const struct lease *l, void *ctx)
{
	struct prune *p = ctx;

	if (l->state == LEASE_OFFERED && l->expires_s <= p->now_s && p->n < PRUNE_MAX)
		p->addrs[p->n++] = l->addr;
}

/* Offers that were not taken; now and then, so that they do not pile up in the table. */
static void prune_offers(struct lease_server *s, int64_t now_s)
{
	struct prune p = {.now_s = now_s, .n = 0};

	/* also when the clock was set back */
	if (now_s >= s->pruned_s && now_s - s->pruned_s < LEASE_OFFER_S)
		return;
	lease_each(s->table, prune_one, &p);
	for (size_t i = 0; i < p.n; i++)
		lease_remove(s->table, p.addrs[i]);
	/* more than fit are left: go on with the next message */
	s->pruned_s = p.n < PRUNE_MAX ? now_s : now_s - LEASE_OFFER_S;
}

static void on_frames(const struct lease_frame *frames, size_t n, void *ctx)
{
	struct lease_server *s = ctx;
	struct batch b;

	b.n = 0;
	b.n_undo = 0;
	b.now_s = clock_wall_s();
	for (size_t i = 0; i < n; i++)
		on_frame(s, &b, &frames[i]);
	if (!b.n)
		return;
	prune_offers(s, b.now_s);
	decide_and_store(s, &b);
	tell_all(s, &b);
	answer_all(s, &b);
}

/* ---- life ---- */

static int load(struct lease_server *s, struct err *e)
{
	int r = lease_table_new(&s->table);

	if (r < 0)
		return err_set(e, r, "memory", NULL, "out of memory");
	return lease_store_load(s->store, s->cfg.network->name, s->table, e);
}

int lease_server_new(struct lease_socket *socket, struct lease_store *store, const struct mac *mac,
		     const struct lease_config *cfg, lease_event_fn fn, void *ctx,
		     struct lease_server **ret, struct err *e)
{
	struct lease_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "memory", NULL, "out of memory");
	s->store = store;
	s->cfg = *cfg;
	s->socket = socket;
	s->mac = *mac;
	s->fn = fn;
	s->ctx = ctx;
	r = load(s, e);
	if (r < 0) {
		lease_server_free(s);
		return r;
	}
	lease_socket_listen(socket, LEASE_IP4, on_frames, s);
	*ret = s;
	return 0;
}

void lease_server_free(struct lease_server *s)
{
	if (!s)
		return;
	lease_socket_listen(s->socket, LEASE_IP4, NULL, NULL);
	lease_table_free(s->table);
	free(s);
}

void lease_server_watch(struct lease_server *s, lease_bound_fn fn)
{
	s->bound = fn;
}

void lease_server_configure(struct lease_server *s, const struct lease_config *cfg)
{
	s->cfg = *cfg;
}

struct lease_table *lease_server_table(struct lease_server *s)
{
	return s->table;
}

int lease_server_release(struct lease_server *s, struct in_addr addr, struct err *e)
{
	char text[IP4_STRLEN];
	const struct lease *l = lease_find_addr(s->table, addr);
	struct mac mac;
	int r;

	if (!l)
		return err_set(e, -ENOENT, "not-found", s->cfg.network->name, "no lease of %s",
			       ip4_format(addr, text));
	mac = l->mac;
	r = lease_store_remove(s->store, s->cfg.network->name, addr, e);
	if (r < 0)
		return r;
	lease_remove(s->table, addr);
	if (s->bound)
		tell_bound(s, &mac, addr, clock_wall_s());
	return 0;
}

const struct err *lease_server_problem(const struct lease_server *s)
{
	return s->problem.code[0] ? &s->problem : NULL;
}

void lease_server_counters(struct lease_server *s, struct lease_counters *ret)
{
	s->counters.socket_drops = lease_socket_drops(s->socket);
	*ret = s->counters;
}
