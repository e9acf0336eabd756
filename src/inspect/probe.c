/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - see probe.h. */
#include "inspect/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "kernel/conntrack.h"
#include "path/inject.h"

#define TTL 64
#define FRAME_ROOM 65550
#define PATIENCE_MS 4500 /* a gateway that does not answer is given up after about 3 s */
#define REPLY_PATIENCE_MS 1500
#define TCP_SYN 2
#define TCP_ACK 16

enum { THERE, BACK };

/**
 * struct way - what is known of one direction
 * @got:	its journey has ended, as @end says; @wrong: but no answer can come
 * @left:	it got to where it would leave the host, device @at, and looked like @last there
 */
struct way {
	bool got;
	bool wrong;
	enum journey_end end;
	bool left;
	struct path_seen last;
	int at;
};

/**
 * struct asking - a probe at work
 * @request:	the frame that was sent
 * @where:	the device it came in by
 * @ways:	there and back
 */
struct asking {
	struct subject *s;
	const struct probe *p;
	struct tracing *t;
	struct injector *injector;
	struct craft request;
	int where;
	probe_fn fn;
	void *ctx;
	struct way ways[2];
};

static const struct path_device *guest_port(const struct subject *s)
{
	return path_device_find(&s->view, s->ports[0]);
}

static size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

static bool in_prefix(const struct path_address *p, const uint8_t *addr)
{
	for (unsigned int i = 0; i < p->len; i++)
		if ((p->addr[i / 8] ^ addr[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* An address of the host's on interface @ifindex; @near: in whose subnet that address is. */
static const struct path_address *local_on(const struct subject *s, int ifindex, int family,
					   const uint8_t *near)
{
	for (size_t i = 0; i < s->view.n_locals; i++) {
		const struct path_address *l = &s->locals[i];

		if (l->ifindex == ifindex && l->family == family && (!near || in_prefix(l, near)))
			return l;
	}
	return NULL;
}

/* Who the guest says it is. */
static int guest_source(struct asking *a, struct err *e)
{
	const struct subject *s = a->s;

	if (!s->has_mac)
		return err_set(
			e, -ENODATA, "unknown", s->name,
			"the MAC of %s is not known: it has sent nothing yet. Name it: --mac",
			s->name);
	a->request.eth_src = s->mac;
	if (a->p->has_src) {
		memcpy(a->request.src, a->p->src, sizeof(a->request.src));
		return 0;
	}
	for (size_t i = 0; i < s->n_addrs; i++) {
		if (s->addrs[i].family != a->p->family)
			continue;
		memcpy(a->request.src, s->addrs[i].addr, sizeof(a->request.src));
		return 0;
	}
	return err_set(
		e, -ENODATA, "unknown", s->name,
		"the %s address of %s is not known: it has not spoken with this host yet. Name it: "
		"--source ADDRESS",
		a->p->family == AF_INET ? "IPv4" : "IPv6", s->name);
}

/* The MAC behind the router that the guest would use: the bridge's own, or the LAN's gateway. */
static int gateway_mac(struct asking *a, const struct path_device *bridge, struct err *e)
{
	uint8_t addr[16] = {0};
	struct in_addr gateway;

	if (local_on(a->s, bridge->ifindex, a->p->family, a->request.src) &&
	    subject_gateway(bridge->name, &gateway, NULL) < 0) {
		a->request.eth_dst = bridge->mac;
		return 0;
	}
	if (subject_gateway(bridge->name, &gateway, NULL) == 0) {
		memcpy(addr, &gateway, sizeof(gateway));
		if (subject_neighbour(a->s, AF_INET, addr, &a->request.eth_dst))
			return 0;
	}
	/* Not the router as far as its own addresses tell; as a guest's guess it is the best. */
	a->request.eth_dst = bridge->mac;
	return 0;
}

static int next_hop(struct asking *a, struct err *e)
{
	const struct path_device *port = guest_port(a->s);
	const struct path_device *bridge =
		port ? path_device_find(&a->s->view, port->master) : NULL;
	const struct path_address *net;

	if (!bridge)
		return err_set(e, -EHOSTUNREACH, "no-bridge", a->s->name,
			       "the port %s is in no bridge: nothing the guest sends gets "
			       "anywhere. Put it "
			       "into one: ip link set %s master BRIDGE",
			       port ? port->name : "?", port ? port->name : "PORT");
	net = local_on(a->s, bridge->ifindex, a->p->family, a->request.src);
	if (!net || !in_prefix(net, a->p->dst))
		return gateway_mac(a, bridge, e);
	if (memcmp(net->addr, a->p->dst, addr_len(a->p->family)) == 0)
		a->request.eth_dst = bridge->mac;
	else if (!subject_neighbour(a->s, (uint8_t)a->p->family, a->p->dst, &a->request.eth_dst))
		return err_set(
			e, -EHOSTUNREACH, "unknown", a->s->name,
			"the destination is on the guest's own network, and its MAC is not known "
			"to this host: ping it once from here");
	return 0;
}

/* From outside: by the uplink of the default route, from its gateway unless told. */
static int outside(struct asking *a, struct err *e)
{
	for (size_t i = 0; i < a->s->view.n_devices; i++) {
		const struct path_device *d = &a->s->view.devices[i];
		struct in_addr gateway;
		uint8_t addr[16] = {0};

		if (d->role == DEVICE_GUEST || d->role == DEVICE_PORT ||
		    subject_gateway(d->name, &gateway, NULL) < 0)
			continue;
		memcpy(addr, &gateway, sizeof(gateway));
		if (!subject_neighbour(a->s, AF_INET, addr, &a->request.eth_src))
			memcpy(a->request.eth_src.b, "\x52\x54\x00\x00\x00\xfe", 6);
		a->request.eth_dst = d->mac;
		memcpy(a->request.src, a->p->has_src ? a->p->src : addr, sizeof(addr));
		a->where = d->ifindex;
		return 0;
	}
	return err_set(e, -EHOSTUNREACH, "no-uplink", "probe",
		       "this host has no default route: no way in from outside is known");
}

static uint16_t random_port(void)
{
	uint16_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		n = (uint16_t)clock();
	return (uint16_t)(0x8000 | n);
}

/* Bytes behind the headers that make an IP packet of @p->size bytes. */
static size_t payload_len(const struct probe *p)
{
	size_t headers = (p->family == AF_INET ? 20u : 40u) + (p->kind == CRAFT_TCP ? 20u : 8u);

	return p->size > headers ? p->size - headers : 0;
}

static int request_make(struct asking *a, struct err *e)
{
	const struct probe *p = a->p;
	int r;

	a->request = (struct craft){
		.kind = p->kind,
		.family = p->family,
		.sport = random_port(),
		.dport = p->kind == CRAFT_ECHO ? 1 : p->port,
		.ip_id = random_port(),
		.ttl = TTL,
		.tcp_flags = TCP_SYN,
		.tcp_seq = (uint32_t)random_port() << 16,
		.df = p->df,
		.payload_len = payload_len(p),
	};
	memcpy(a->request.dst, p->dst, sizeof(a->request.dst));
	if (p->from_outside)
		return outside(a, e);
	a->where = a->s->ports[0];
	r = guest_source(a, e);
	if (r < 0)
		return r;
	if (p->kind == CRAFT_ARP_REQUEST) {
		memset(a->request.eth_dst.b, 0xff, sizeof(a->request.eth_dst.b));
		return 0;
	}
	return next_hop(a, e);
}

/* The first packet is the probe, the second its reply, which the host may give at once. */
static void note(const struct journey *j, bool over, void *ctx)
{
	struct asking *a = ctx;
	int which = a->ways[THERE].got ? BACK : THERE;
	struct way *w = &a->ways[which];

	if (!over || w->got)
		return;
	/* The guest itself may refuse a reply to what it has not asked. */
	if (which == BACK && j->to_guest == a->p->from_outside)
		return;
	*w = (struct way){.got = true, .end = j->end};
	for (size_t i = 0; i < j->n_hops; i++) {
		const struct hop *h = &j->hops[i];

		if (h->kind != HOP_UPLINK_OUT && h->kind != HOP_BRIDGE_FWD &&
		    h->kind != HOP_TAP_QUEUED)
			continue;
		w->left = true;
		w->last = h->seen;
		w->at = h->kind == HOP_BRIDGE_FWD ? h->ports[0] : h->ifindex;
	}
	w->wrong = a->fn(j, a->t, which == BACK, a->ctx);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Until the journey @which is known, or the time is over. */
static int await(struct asking *a, int which, int patience_ms)
{
	uint64_t until = now_ms() + (uint64_t)patience_ms;
	int r = 0;

	while (r == 0 && !a->ways[which].got && now_ms() < until)
		r = tracing_run(a->t, -1, (int)(until - now_ms()) + 1, note, a);
	return r;
}

static int send_frame(struct asking *a, int ifindex, const struct craft *c, struct err *e)
{
	uint8_t *frame = malloc(FRAME_ROOM);
	int r;

	if (!frame)
		return err_set(e, -ENOMEM, "memory", "probe", "out of memory");
	r = craft_build(c, frame, FRAME_ROOM);
	if (r < 0)
		r = err_set(e, r, "size", "probe", "a packet of that size cannot be made");
	else
		r = injector_send(a->injector, ifindex, frame, (size_t)r, e);
	free(frame);
	return r;
}

/* What whoever gets @seen would answer, as a frame. */
static struct craft answer_of(const struct asking *a, const struct path_seen *seen)
{
	struct craft c = a->request;

	memcpy(c.eth_src.b, seen->dmac, sizeof(c.eth_src.b));
	memcpy(c.eth_dst.b, seen->smac, sizeof(c.eth_dst.b));
	memcpy(c.src, seen->dst, sizeof(c.src));
	memcpy(c.dst, seen->src, sizeof(c.dst));
	c.payload_len = 0;
	c.ip_id = random_port();
	if (c.kind == CRAFT_ECHO) {
		c.kind = CRAFT_ECHO_REPLY;
		c.sport = seen->sport;
		return c;
	}
	c.sport = seen->dport;
	c.dport = seen->sport;
	c.tcp_flags = TCP_SYN | TCP_ACK;
	c.tcp_ack = a->request.tcp_seq + 1;
	return c;
}

/* A way out is each device that is neither a bridge nor the loopback: all of them are watched. */
static int swallow_all(struct asking *a, struct err *e)
{
	for (size_t i = 0; i < a->s->view.n_devices; i++) {
		const struct path_device *d = &a->s->view.devices[i];
		int r;

		if (d->role == DEVICE_BRIDGE || strcmp(d->name, "lo") == 0)
			continue;
		r = injector_swallow(a->injector, d->ifindex, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void forget_connection(const struct asking *a)
{
	const struct craft *c = &a->request;
	struct conntrack_tuple t = {
		.family = (uint8_t)c->family, .sport = c->sport, .dport = c->dport};

	memcpy(t.src, c->src, sizeof(t.src));
	memcpy(t.dst, c->dst, sizeof(t.dst));
	switch (c->kind) {
	case CRAFT_TCP:
		t.l4 = IPPROTO_TCP;
		break;
	case CRAFT_UDP:
		t.l4 = IPPROTO_UDP;
		break;
	default:
		t.l4 = c->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
	/* None is there when it did not get so far, or conntrack is not in use. */
	(void)!conntrack_delete(&t);
}

static int way_back(struct asking *a, enum probe_answer *ret, struct err *e)
{
	const struct way *there = &a->ways[THERE], *back = &a->ways[BACK];
	struct craft c;
	int r;

	/* The host has answered by itself, or the real server does: that reply is followed. */
	if (there->left && !a->p->send) {
		c = answer_of(a, &there->last);
		r = send_frame(a, there->at, &c, e);
		if (r < 0)
			return r;
	}
	r = await(a, BACK, REPLY_PATIENCE_MS);
	if (r < 0)
		return err_set(e, r, "kernel", "probe", "%s", strerror(-r));
	*ret = back->got && back->end == JOURNEY_DELIVERED && !back->wrong ? PROBE_REACHABLE
									   : PROBE_NO_WAY_BACK;
	return 0;
}

static int ask(struct asking *a, enum probe_answer *ret, struct err *e)
{
	int r = request_make(a, e);

	if (r == 0 && !a->p->send)
		r = swallow_all(a, e);
	if (r == 0)
		r = send_frame(a, a->where, &a->request, e);
	if (r < 0)
		return r;
	r = await(a, THERE, PATIENCE_MS);
	if (r < 0)
		return err_set(e, r, "kernel", "probe", "%s", strerror(-r));
	*ret = PROBE_NO_WAY;
	if (!a->ways[THERE].got || a->ways[THERE].end != JOURNEY_DELIVERED)
		return 0;
	if (a->p->kind == CRAFT_ARP_REQUEST) {
		*ret = PROBE_REACHABLE;
		return 0;
	}
	if (a->ways[THERE].wrong && !a->p->send) {
		*ret = PROBE_NO_WAY_BACK;
		return 0;
	}
	return way_back(a, ret, e);
}

int probe_run(struct subject *s, const struct probe *p, probe_fn fn, void *ctx,
	      enum probe_answer *ret, struct err *e)
{
	struct tracing_options o = {.detail = TRACER_FREE | TRACER_ICMP};
	struct asking a = {.s = s, .p = p, .fn = fn, .ctx = ctx};
	int r;

	/* The rest is random. */
	o.mark = INJECTOR_MARK | (uint32_t)random_port() << 4 | 1;
	r = tracing_new(s, &o, &a.t, e);
	if (r == 0)
		r = injector_new(o.mark, &a.injector, e);
	if (r == 0) {
		r = ask(&a, ret, e);
		forget_connection(&a);
	}
	injector_free(a.injector);
	tracing_free(a.t);
	return r;
}
