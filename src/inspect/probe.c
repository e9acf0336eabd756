/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - see probe.h. */
#include "inspect/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/probe_request.h"
#include "kernel/conntrack.h"
#include "path/inject.h"

#define FRAME_ROOM 65550
#define PATIENCE_MS 4500 /* a gateway that does not answer is given up after about 3 s */
#define REPLY_PATIENCE_MS 1500

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
 * @request:	the frame that is sent, and where
 * @ways:	there and back
 */
struct asking {
	struct subject *s;
	const struct probe *p;
	struct tracing *t;
	struct injector *injector;
	struct probe_request request;
	probe_fn fn;
	void *ctx;
	struct way ways[2];
};

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
	const struct craft *c = &a->request.frame;
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
		c = probe_answer(&a->request.frame, &there->last);
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
	int r = 0;

	if (!a->p->send)
		r = swallow_all(a, e);
	if (r == 0)
		r = send_frame(a, a->request.where, &a->request.frame, e);
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

	if (p->request)
		a.request = *p->request;
	r = p->request ? 0 : probe_request_make(s, p, &a.request, e);
	if (r < 0)
		return r;
	o.mark = a.request.mark ? a.request.mark : probe_mark();
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
