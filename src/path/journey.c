/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journey.c - events to hops. Each kind of event has one function; what they mean depends on the
 * role of the device.
 *
 * When a packet has ended is not told by one event: a frame that was flooded has several ends, a
 * guest may read its tap later. So a journey with a known end is kept for SETTLE_NS more, one
 * without for SILENT_NS, and then shown as far as it got; it goes on being kept until LOST_NS, as
 * neighbours are waited for that long. What waits in a guest's tap is kept for READ_NS: on a busy
 * host it takes a while until it is the VM's turn.
 */
#include "path/journey.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uthash.h>

#include "path/pairs.h"
#include "path/guard_mark.h"

#define SETTLE_NS (8 * 1000000ull)
#define SILENT_NS (40 * 1000000ull)
#define READ_NS (1000 * 1000000ull)
#define LOST_NS (4000 * 1000000ull)
#define BEGUN 16384
#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd

/* struct tracked - a journey under way, in the table by its packet's number. */
struct tracked {
	struct journey j;
	UT_hash_handle hh;
};

/**
 * struct journeys - those under way
 * @begun:	by number: packets that had a journey, so that a late event begins no second one
 * @function, @function_ctx: see journeys_functions()
 */
struct journeys {
	const struct path_view *view;
	struct tracked *table;
	struct pairs pairs;
	uint32_t begun[BEGUN];
	uint64_t overflow;
	uint64_t clock_ns;
	const char *(*function)(uint64_t location, void *ctx);
	void *function_ctx;
};

int journeys_new(const struct path_view *view, struct journeys **ret)
{
	struct journeys *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->view = view;
	*ret = j;
	return 0;
}

void journeys_functions(struct journeys *j, const char *(*fn)(uint64_t location, void *ctx),
			void *ctx)
{
	j->function = fn;
	j->function_ctx = ctx;
}

static void forget(struct journeys *j, struct tracked *t)
{
	HASH_DEL(j->table, t);
	free(t->j.hops);
	free(t);
}

void journeys_free(struct journeys *j)
{
	struct tracked *t, *next;

	if (!j)
		return;
	HASH_ITER (hh, j->table, t, next)
		forget(j, t);
	free(j);
}

void journeys_clock(struct journeys *j, uint64_t now_ns)
{
	j->clock_ns = now_ns;
}

uint64_t journeys_overflow(const struct journeys *j)
{
	return j->overflow;
}

static struct journey *journey_find(struct journeys *j, uint32_t packet)
{
	struct tracked *t;

	HASH_FIND(hh, j->table, &packet, sizeof(packet), t);
	return t ? &t->j : NULL;
}

const struct path_seen *journeys_seen(struct journeys *j, uint32_t packet)
{
	const struct journey *g = journey_find(j, packet);

	return g ? &g->first : NULL;
}

static struct journey *journey_begin(struct journeys *j, const struct path_head *head)
{
	struct tracked *t;

	if (HASH_COUNT(j->table) >= JOURNEYS_MAX) {
		j->overflow++;
		forget(j, j->table); /* the table is in the order of insertion */
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->j.packet = head->packet;
	t->j.begin_ns = head->time_ns;
	HASH_ADD(hh, j->table, j.packet, sizeof(t->j.packet), t);
	return &t->j;
}

/* Room for another hop; most journeys have fewer than eight. */
static bool hops_grow(struct journey *g)
{
	size_t room = g->n_room ? g->n_room * 2 : 8;
	struct hop *hops;

	if (g->hops && g->n_hops < g->n_room)
		return true;
	if (g->n_hops >= HOPS_MAX)
		return false;
	hops = reallocarray(g->hops, room, sizeof(*hops));
	if (!hops)
		return false;
	g->hops = hops;
	g->n_room = room;
	return true;
}

static struct hop *hop_add(struct journey *g, enum hop_kind kind, uint64_t time_ns, int ifindex)
{
	struct hop *h;

	if (!hops_grow(g)) {
		g->cut++;
		return NULL;
	}
	h = &g->hops[g->n_hops++];
	*h = (struct hop){.kind = kind, .time_ns = time_ns, .ifindex = ifindex};
	return h;
}

static struct hop *hop_add_seen(struct journey *g, enum hop_kind kind, const struct path_seen *s)
{
	struct hop *h = hop_add(g, kind, s->head.time_ns, (int)s->head.ifindex);

	if (h)
		h->seen = *s;
	return h;
}

static struct hop *last_hop(struct journey *g)
{
	return g->n_hops ? &g->hops[g->n_hops - 1] : NULL;
}

/* The last hop becomes the one @at; those from there on come after it. */
static void hop_move(struct journey *g, size_t at)
{
	struct hop moved;

	if (at + 1 >= g->n_hops)
		return;
	moved = g->hops[g->n_hops - 1];
	memmove(&g->hops[at + 1], &g->hops[at], (g->n_hops - 1 - at) * sizeof(g->hops[0]));
	g->hops[at] = moved;
}

static bool has_hop(const struct journey *g, enum hop_kind kind)
{
	for (size_t i = 0; i < g->n_hops; i++)
		if (g->hops[i].kind == kind)
			return true;
	return false;
}

static struct flow flow_of(const struct path_seen *s)
{
	struct flow f = {.l4 = s->l4};

	if (s->ethertype == ETHERTYPE_IP4)
		f.family = AF_INET;
	else if (s->ethertype == ETHERTYPE_IP6)
		f.family = AF_INET6;
	memcpy(f.from.addr, s->src, sizeof(f.from.addr));
	memcpy(f.to.addr, s->dst, sizeof(f.to.addr));
	if (!(s->flags & PATH_L4))
		return f;
	f.from.port = s->sport;
	f.to.port = s->l4 == IPPROTO_ICMP || s->l4 == IPPROTO_ICMPV6 ? 0 : s->dport;
	return f;
}

static bool flow_same(const struct flow *a, const struct flow *b)
{
	return memcmp(a->from.addr, b->from.addr, 16) == 0 &&
	       memcmp(a->to.addr, b->to.addr, 16) == 0 && a->from.port == b->from.port &&
	       a->to.port == b->to.port;
}

static bool address_is_local(const struct path_view *v, uint8_t family, const uint8_t *addr)
{
	size_t len = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < v->n_locals; i++)
		if (v->locals[i].family == family && memcmp(v->locals[i].addr, addr, len) == 0)
			return true;
	return false;
}

/* ---- request and reply ---- */

/* Remember that @g went this way at the guest's side, and find what it is the reply to. */
static void pair_up(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	struct flow f = flow_of(s);

	if (f.family && !g->answers && !s->frag_offset)
		g->answers = pairs_note(&j->pairs, &f, s, g->packet, LOST_NS, &g->answer_ns);
}

/* ---- one function for each kind of event ---- */

/* Its addresses or ports are others than when it was last seen: translated meanwhile. */
static void note_nat(struct journey *g, const struct path_seen *s)
{
	struct flow now = flow_of(s);
	struct hop *h;

	/* Only a first fragment has ports. */
	if (!now.family || !g->flow.family || s->frag_offset || flow_same(&g->flow, &now))
		return;
	if (g->first.frag_offset && !g->flow.from.port && !g->flow.to.port) {
		g->flow.from.port = now.from.port;
		g->flow.to.port = now.to.port;
		if (flow_same(&g->flow, &now))
			return;
	}
	h = hop_add(g, HOP_NAT, s->head.time_ns, (int)s->head.ifindex);
	if (h) {
		h->before = g->flow;
		h->flow = now;
	}
	g->flow = now;
}

static void on_receive(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	const struct path_device *d = path_device_find(j->view, (int)s->head.ifindex);
	enum device_role role = d ? d->role : DEVICE_UPLINK;

	if (s->head.netns != j->view->netns) {
		/* It went through a veth pair: if that was a guest's port, the guest has it. */
		if (has_hop(g, HOP_TAP_QUEUED) && !has_hop(g, HOP_VM_READ)) {
			struct hop *h = hop_add_seen(g, HOP_VM_READ, s);

			if (h)
				h->ifindex = 0; /* another namespace's */
		}
		g->end = JOURNEY_DELIVERED;
		return;
	}
	if (role == DEVICE_BRIDGE) {
		if (!has_hop(g, HOP_BRIDGE_IN))
			hop_add_seen(g, HOP_BRIDGE_IN, s);
	} else if (role == DEVICE_GUEST || role == DEVICE_PORT) {
		hop_add_seen(g, HOP_VM_OUT, s);
		if (role == DEVICE_GUEST)
			pair_up(j, g, s);
		else
			g->to_guest = true;
	} else {
		hop_add_seen(g, HOP_UPLINK_IN, s);
		g->to_guest = true;
	}
}

/* ---- fragments and segments ---- */

/* One of several that stand for the same packet, and not the first to go this way. */
static bool is_piece(const struct journey *g, const struct path_seen *s)
{
	if (s->flags & PATH_FRAGMENT)
		return s->frag_offset;
	return g->first.gso_segs > 1 && s->gso_segs <= 1;
}

/* Another piece of what has gone to the same device before: counted there, and no hop of its own. */
static bool counted_as_piece(struct journey *g, enum hop_kind kind, const struct path_seen *s)
{
	if (!g->hops || !is_piece(g, s))
		return false;
	for (size_t i = g->n_hops; i > g->told; i--) {
		struct hop *h = &g->hops[i - 1];

		if (h->kind != kind || h->ifindex != (int)s->head.ifindex)
			continue;
		h->pieces = h->pieces ? h->pieces + 1 : 2;
		return true;
	}
	return false;
}

static bool same_datagram(const struct path_seen *a, const struct path_seen *b)
{
	return a->ethertype == b->ethertype && a->l4 == b->l4 && a->ip_id == b->ip_id &&
	       memcmp(a->src, b->src, sizeof(a->src)) == 0 &&
	       memcmp(a->dst, b->dst, sizeof(a->dst)) == 0;
}

/* @g came as a fragment and is one packet now, seen as @s: the others were waiting for it. */
static void on_whole(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	struct hop *h = hop_add_seen(g, HOP_JOIN, s);
	struct tracked *t, *next;
	unsigned int n = 1;

	g->whole = true;
	HASH_ITER (hh, j->table, t, next) {
		struct journey *piece = &t->j;

		if (piece == g || piece->whole || piece->end != JOURNEY_UNDER_WAY ||
		    !(piece->first.flags & PATH_FRAGMENT) ||
		    !same_datagram(&piece->first, &g->first))
			continue;
		piece->end = JOURNEY_JOINED;
		piece->joined = g->packet;
		n++;
	}
	if (h)
		h->pieces = n;
}

/*
 * It is one packet of @len bytes by the time it is routed, and was seen nowhere as such: conntrack has put
 * it together where it had come in, before the rules there.
 */
static void note_whole(struct journeys *j, struct journey *g, uint32_t len)
{
	struct path_seen whole = g->first;
	size_t at = g->n_hops;

	while (at > g->told && g->hops[at - 1].kind == HOP_FW)
		at--;
	if (at > 0) {
		whole.head.time_ns = g->hops[at - 1].time_ns;
		whole.head.ifindex = (uint32_t)g->hops[at - 1].ifindex;
	}
	whole.len = len;
	on_whole(j, g, &whole);
	if (g->n_hops && g->hops[g->n_hops - 1].kind == HOP_JOIN)
		hop_move(g, at);
}

/* The bridge forwards to @d: a line of its own only where a port of the bridge was the way in. */
static void note_forward(struct journeys *j, struct journey *g, const struct path_seen *s,
			 const struct path_device *d)
{
	struct hop *h = NULL;

	for (size_t i = g->hops ? g->n_hops : 0; i > g->told && !h; i--)
		if (g->hops[i - 1].kind == HOP_BRIDGE_FWD)
			h = &g->hops[i - 1];
	if (!h)
		h = hop_add_seen(g, HOP_BRIDGE_FWD, s);
	if (!h)
		return;
	for (size_t i = 0; i < h->copies && i < ARRAY_SIZE(h->ports) && is_piece(g, s); i++)
		if (h->ports[i] == d->ifindex)
			return; /* a piece of what went there before */
	if (h->copies < ARRAY_SIZE(h->ports))
		h->ports[h->copies] = d->ifindex;
	h->copies++;
}

/* The host's own: by its bridge, if it is first seen at a port of that. */
static void note_host_out(struct journey *g, const struct path_seen *s, const struct path_device *d)
{
	struct hop *h = hop_add_seen(g, HOP_HOST_OUT, s);

	if (h && d && d->master)
		h->ifindex = d->master;
	g->to_guest = true;
}

static void on_transmit(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	const struct path_device *d = path_device_find(j->view, (int)s->head.ifindex);
	struct hop *last;

	if (g->n_hops == 0)
		note_host_out(g, s, d);
	if (d && d->role == DEVICE_BRIDGE) /* its ports come next */
		return;
	last = last_hop(g);
	if (last && last->kind == HOP_QDISC && last->ifindex == (int)s->head.ifindex)
		g->n_hops--; /* it did not wait */
	if (d && d->master)
		note_forward(j, g, s, d);
	if (d && d->role == DEVICE_GUEST) {
		if (!counted_as_piece(g, HOP_TAP_QUEUED, s))
			hop_add_seen(g, HOP_TAP_QUEUED, s);
		pair_up(j, g, s);
	} else if (!d || d->role == DEVICE_UPLINK) {
		if (!counted_as_piece(g, HOP_UPLINK_OUT, s))
			hop_add_seen(g, HOP_UPLINK_OUT, s);
	}
	if (g->end != JOURNEY_DROPPED || !(s->flags & PATH_CLONE))
		g->end = JOURNEY_DELIVERED;
}

static void on_queue(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	const struct path_device *d = path_device_find(j->view, (int)s->head.ifindex);

	if (g->n_hops == 0)
		note_host_out(g, s, d);
	if (d && d->role != DEVICE_BRIDGE)
		hop_add_seen(g, HOP_QDISC, s);
}

/* Not for this host: the kernel frees such copies as drops, and nobody has lost anything. */
static bool drop_is_benign(const struct journeys *j, const struct journey *g,
			   const struct path_seen *s)
{
	bool group = s->dmac[0] & 1;
	const struct path_device *d = path_device_find(j->view, (int)s->head.ifindex);

	if (s->head.netns != j->view->netns)
		return true;
	/* What was flooded to the host too, which has no use for it. */
	if (group && d && d->role == DEVICE_BRIDGE && g->end == JOURNEY_DELIVERED)
		return true;
	/* A copy beside the one that was delivered. */
	return s->flags & PATH_CLONE && g->end == JOURNEY_DELIVERED;
}

static void host_in(struct journey *g, const struct path_seen *s)
{
	if (g->end == JOURNEY_UNDER_WAY)
		hop_add_seen(g, HOP_HOST_IN, s);
	g->end = JOURNEY_DELIVERED;
}

/*
 * It has come up to the host as to all others, and nobody there wants it; no rule took it away. What is
 * dropped at a port of the bridge has not come so far.
 */
static bool nobody_wants(const struct journeys *j, const struct journey *g,
			 const struct path_seen *s)
{
	const struct path_view *v = j->view;
	const struct hop *last = g->n_hops ? &g->hops[g->n_hops - 1] : NULL;
	const struct path_device *d = path_device_find(v, (int)s->head.ifindex);
	bool up = last && (last->kind == HOP_BRIDGE_IN || last->kind == HOP_UPLINK_IN ||
			   last->kind == HOP_FW || last->kind == HOP_ROUTE);
	bool reason = (v->unspecified_reason && s->reason == v->unspecified_reason) ||
		      (v->ipv6_off_reason && s->reason == v->ipv6_off_reason);

	return reason && up && s->dmac[0] & 1 && !(d && d->master) &&
	       (s->l4 == IPPROTO_UDP || path_is_group_control(s)) &&
	       !(g->has_decision && g->last_decision.drops);
}

/*
 * ICMPv6 that the host has taken and, where that is asked for, answered: kernels such as 6.1 free it like a
 * drop, but without a reason. What is wrong with it has one.
 */
static bool icmp6_has_had(const struct journeys *j, const struct path_seen *s)
{
	const char *name;

	if (s->l4 != IPPROTO_ICMPV6 || !j->function || !j->view->unspecified_reason ||
	    s->reason != j->view->unspecified_reason)
		return false;
	name = j->function(s->location, j->function_ctx);
	return name && strcmp(name, "icmpv6_rcv") == 0;
}

/*
 * Addressed to all, and dropped because no UDP socket wants it: what is served by packet sockets (DHCP,
 * as a rule) was. The same is how the kernel frees the reply to a ping of its own.
 */
static bool host_has_had(const struct journeys *j, const struct journey *g,
			 const struct path_seen *s)
{
	if (nobody_wants(j, g, s) || icmp6_has_had(j, s))
		return true;
	if (!j->view->no_socket_reason || s->reason != j->view->no_socket_reason)
		return false;
	return s->dmac[0] & 1 || s->l4 == IPPROTO_ICMP || s->l4 == IPPROTO_ICMPV6;
}

static void on_drop(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	struct hop *h;

	if (drop_is_benign(j, g, s))
		return;
	if (host_has_had(j, g, s)) {
		host_in(g, s);
		return;
	}
	if (j->view->taken_mark && s->mark == j->view->taken_mark) {
		on_transmit(j, g, s);
		return;
	}
	h = hop_add_seen(g, HOP_DROP, s);
	if (h && !guard_mark_decision(s->mark, &h->decision) && g->has_decision &&
	    g->last_decision.drops)
		h->decision = g->last_decision;
	g->end = JOURNEY_DROPPED;
}

static void on_free(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	const struct hop *last = last_hop(g);

	/* Used up where it was handed to the host: an ARP question, a ping that was answered. */
	if (g->end == JOURNEY_UNDER_WAY && last &&
	    (last->kind == HOP_BRIDGE_IN || last->kind == HOP_UPLINK_IN || last->kind == HOP_FW))
		host_in(g, s);
}

static void on_read(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	const struct path_device *d = path_device_find(j->view, (int)s->head.ifindex);

	if (!d || d->role != DEVICE_GUEST)
		return;
	if (!counted_as_piece(g, HOP_VM_READ, s))
		hop_add_seen(g, HOP_VM_READ, s);
	g->end = JOURNEY_DELIVERED;
}

static bool route_same(const struct path_route *a, const struct path_route *b)
{
	return a->err == b->err && a->table == b->table && a->head.ifindex == b->head.ifindex &&
	       memcmp(a->dst, b->dst, sizeof(a->dst)) == 0 &&
	       memcmp(a->gateway, b->gateway, sizeof(a->gateway)) == 0;
}

static void on_route(struct journeys *j, struct journey *g, const struct path_route *r)
{
	struct hop *last, *h;

	if (g->end != JOURNEY_UNDER_WAY)
		return; /* somebody else's question, on the processor that was the packet's last */
	if (r->whole_len && g->first.flags & PATH_FRAGMENT && !g->whole)
		note_whole(j, g, r->whole_len);
	last = last_hop(g);
	if (r->reverse) {
		g->source_route = *r;
		g->has_source_route = true;
		return;
	}
	if (last && last->kind == HOP_ROUTE && route_same(&last->route, r))
		return; /* asked twice */
	/* A table that knew nothing is not a decision once another does. */
	if (last && last->kind == HOP_ROUTE && last->route.err && g->told < g->n_hops)
		h = last;
	else
		h = hop_add(g, HOP_ROUTE, r->head.time_ns, (int)r->head.ifindex);
	if (!h)
		return;
	h->route = *r;
	h->ifindex = (int)r->head.ifindex;
	if (r->err == 0 && address_is_local(j->view, r->family, r->dst)) {
		hop_add(g, HOP_HOST_IN, r->head.time_ns, (int)r->head.ifindex);
		g->end = JOURNEY_DELIVERED;
	}
}

static void on_neigh(struct journey *g, const struct path_neigh *n)
{
	struct hop *h = hop_add(g, HOP_NEIGH, n->head.time_ns, (int)n->head.ifindex);

	if (h)
		h->neigh = *n;
}

/* What it has waited for has come, or will not come any more. */
static void note_waited(struct journey *g, const struct path_seen *s)
{
	struct hop *last = last_hop(g);

	if (!last || last->kind != HOP_NEIGH || last->waited_ns)
		return;
	if (s->head.time_ns > last->time_ns)
		last->waited_ns = s->head.time_ns - last->time_ns;
	last->failed = s->head.type == PATH_DROP;
}

static void on_seen(struct journeys *j, struct journey *g, const struct path_seen *s)
{
	note_waited(g, s);
	if (g->events++ == 0) {
		g->first = *s;
		g->flow = g->began = flow_of(s);
	} else if (s->head.netns == j->view->netns) {
		if (g->first.flags & PATH_FRAGMENT && !g->whole && !(s->flags & PATH_FRAGMENT))
			on_whole(j, g, s);
		note_nat(g, s);
	}
	switch (s->head.type) {
	case PATH_RX:
		on_receive(j, g, s);
		break;
	case PATH_TX:
		on_transmit(j, g, s);
		break;
	case PATH_QUEUE:
		on_queue(j, g, s);
		break;
	case PATH_DROP:
		on_drop(j, g, s);
		break;
	case PATH_FREE:
		on_free(j, g, s);
		break;
	case PATH_READ:
		on_read(j, g, s);
		break;
	case PATH_ICMP:
		hop_add_seen(g, HOP_ICMP, s);
		break;
	default:
		break;
	}
}

int journeys_event(struct journeys *j, const struct path_head *head, size_t len)
{
	struct journey *g = journey_find(j, head->packet);
	bool is_seen = head->type >= PATH_RX && head->type <= PATH_ICMP;

	if (is_seen && len < sizeof(struct path_seen))
		return -EBADMSG;
	if (head->type == PATH_ROUTE && len < sizeof(struct path_route))
		return -EBADMSG;
	if (head->type == PATH_NEIGH && len < sizeof(struct path_neigh))
		return -EBADMSG;
	if (!g && !is_seen)
		return 0;
	if (!g && j->begun[head->packet % BEGUN] == head->packet)
		return 0;
	if (!g)
		g = journey_begin(j, head);
	if (!g)
		return -ENOMEM;
	if (g->joined && journey_find(j, g->joined))
		g = journey_find(j, g->joined);
	j->begun[head->packet % BEGUN] = head->packet;
	g->last_ns = head->time_ns;
	g->heard_ns = j->clock_ns > head->time_ns ? j->clock_ns : head->time_ns;
	if (is_seen)
		on_seen(j, g, (const struct path_seen *)head);
	else if (head->type == PATH_ROUTE)
		on_route(j, g, (const struct path_route *)head);
	else if (head->type == PATH_NEIGH)
		on_neigh(g, (const struct path_neigh *)head);
	return 0;
}

int journeys_decided(struct journeys *j, uint32_t packet, uint64_t time_ns,
		     const struct path_decision *d)
{
	struct journey *g = journey_find(j, packet);
	struct hop *h;
	size_t at;

	if (!g)
		return 0;
	g->last_decision = *d;
	g->has_decision = true;
	h = hop_add(g, HOP_FW, time_ns, 0);
	if (!h)
		return 0;
	h->decision = *d;
	/* Messages come by another way than events: put it where it belongs. */
	for (at = g->n_hops - 1; at > g->told && g->hops[at - 1].time_ns > time_ns; at--)
		;
	hop_move(g, at);
	for (size_t i = g->told; i < g->n_hops && d->drops; i++)
		if (g->hops[i].kind == HOP_DROP)
			g->hops[i].decision = *d;
	return 0;
}

int journeys_unknown(struct journeys *j, uint32_t packet, uint64_t time_ns, const char *why)
{
	struct journey *g = journey_find(j, packet);
	struct hop *h = g ? hop_add(g, HOP_UNKNOWN, time_ns, 0) : NULL;

	if (!g)
		return -ENOENT;
	g->end = JOURNEY_UNKNOWN;
	if (h)
		snprintf(h->decision.rule, sizeof(h->decision.rule), "%s", why);
	return 0;
}

/* ---- when there is something to show ---- */

/* It is in the guest's tap, and the guest has yet to take it; a probe's packet was swallowed there. */
static bool awaits_read(const struct journeys *j, const struct journey *g)
{
	return g->end == JOURNEY_DELIVERED && !j->view->taken_mark && has_hop(g, HOP_TAP_QUEUED) &&
	       !has_hop(g, HOP_VM_READ);
}

/* How long to wait for more after the last event. */
static uint64_t patience(const struct journeys *j, const struct journey *g)
{
	bool reading = awaits_read(j, g);

	if (g->end != JOURNEY_UNDER_WAY && !reading)
		return SETTLE_NS;
	if (g->told < g->n_hops)
		return SILENT_NS;
	return reading ? READ_NS : LOST_NS;
}

/* ARP and the like end in the host without a word; all else has been lost from sight. */
static enum journey_end silent_end(const struct journey *g)
{
	const struct hop *last = g->n_hops ? &g->hops[g->n_hops - 1] : NULL;
	bool ip = g->first.ethertype == ETHERTYPE_IP4 || g->first.ethertype == ETHERTYPE_IP6;

	if (last && last->kind == HOP_BRIDGE_IN && !ip)
		return JOURNEY_DELIVERED;
	return JOURNEY_LOST_SIGHT;
}

size_t journeys_due(struct journeys *j, uint64_t now_ns, journey_fn fn, void *ctx)
{
	struct tracked *t, *next;
	size_t given = 0;

	HASH_ITER (hh, j->table, t, next) {
		struct journey *g = &t->j;
		bool over;

		if (now_ns != UINT64_MAX && now_ns < g->heard_ns + patience(j, g))
			continue;
		over = (g->end != JOURNEY_UNDER_WAY && !awaits_read(j, g)) ||
		       g->told == g->n_hops || now_ns == UINT64_MAX;
		if (over && g->end == JOURNEY_UNDER_WAY)
			g->end = silent_end(g);
		fn(g, over, ctx);
		given++;
		g->told = g->n_hops;
		g->announced = true;
		if (over)
			forget(j, t);
	}
	return given;
}

int journeys_wait_ms(const struct journeys *j, uint64_t now_ns)
{
	uint64_t first = UINT64_MAX;
	const struct tracked *t;

	for (t = j->table; t; t = t->hh.next) {
		uint64_t due = t->j.heard_ns + patience(j, &t->j);

		if (due < first)
			first = due;
	}
	if (first == UINT64_MAX)
		return -1;
	return first <= now_ns ? 0 : (int)((first - now_ns) / 1000000 + 1);
}
