/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - see probe.h. */
#include "inspect/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/footprint.h"
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
 * @egress:	what others' filters there make of it
 */
struct way {
	bool got;
	bool wrong;
	enum journey_end end;
	bool left;
	struct path_seen last;
	int at;
	enum egress_verdict egress;
};

/**
 * struct asking - a probe at work
 * @request:	the frame that is sent, and where; @reply: what was sent back
 * @error:	of what was asked while journeys came
 * @ways:	there and back
 */
struct asking {
	struct subject *s;
	const struct probe *p;
	struct tracing *t;
	struct injector *injector;
	struct probe_request request;
	struct craft reply;
	probe_fn fn;
	void *ctx;
	struct footprint footprint;
	int error;
	struct way ways[2];
};

/* A frame as @c, of FRAME_ROOM bytes at most; free() it. Its length, or -errno with words. */
static int build(const struct craft *c, uint8_t **ret, struct err *e)
{
	uint8_t *frame = malloc(FRAME_ROOM);
	int r;

	if (!frame)
		return err_set(e, -ENOMEM, "memory", "probe", "out of memory");
	r = craft_build(c, frame, FRAME_ROOM);
	if (r < 0) {
		free(frame);
		return err_set(e, r, "size", "probe", "a packet of that size cannot be made");
	}
	*ret = frame;
	return r;
}

/* @c as it was when it was seen as @s: translated, its TTL less. */
static struct craft as_seen(const struct craft *c, const struct path_seen *s)
{
	struct craft now = *c;

	memcpy(now.eth_src.b, s->smac, sizeof(now.eth_src.b));
	memcpy(now.eth_dst.b, s->dmac, sizeof(now.eth_dst.b));
	memcpy(now.src, s->src, sizeof(now.src));
	memcpy(now.dst, s->dst, sizeof(now.dst));
	now.ttl = s->ttl;
	if (c->kind == CRAFT_ARP_REQUEST)
		return now;
	now.sport = s->sport;
	if (c->kind == CRAFT_UDP || c->kind == CRAFT_TCP)
		now.dport = s->dport;
	return now;
}

/*
 * It was taken off before others' filters there have seen it: what would they have said? A mark that
 * nobody has set meanwhile is the probe's own, which a real packet has not.
 */
static int judge(struct asking *a, int which)
{
	struct way *w = &a->ways[which];
	struct egress_judgement j = {.verdict = EGRESS_PASSES};
	struct craft c = as_seen(which == THERE ? &a->request.frame : &a->reply, &w->last);
	bool marked = (w->last.mark & INJECTOR_MARK_MASK) == INJECTOR_MARK;
	uint8_t *frame;
	int r = build(&c, &frame, NULL);

	if (r < 0)
		return r;
	r = egress_judge(w->at, frame, (size_t)r, marked ? 0 : w->last.mark, &j, NULL);
	free(frame);
	w->egress = j.verdict;
	if (r == 0 && j.verdict != EGRESS_PASSES && a->p->judged)
		a->p->judged(w->at, &j, which == BACK, a->ctx);
	return r;
}

/* The first packet is the probe, the second its reply, which the host may give at once. */
static void note(const struct journey *j, bool over, void *ctx)
{
	struct asking *a = ctx;
	int which = a->ways[THERE].got ? BACK : THERE;
	struct way *w = &a->ways[which];

	if (!over || w->got)
		return;
	/*
	 * The guest itself may refuse a reply to what it has not asked. Where the question was for one of
	 * its own forwarded ports, the reply comes from it.
	 */
	if (which == BACK && j->to_guest == a->p->from_outside &&
	    (a->p->from_outside || !probe_is_guests(a->s, a->ways[THERE].at)))
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
	footprint_journey(&a->footprint, j);
	w->wrong = a->fn(j, a->t, which == BACK, a->ctx);
	if (w->left && injector_was_taken(w->last.mark) && !a->error)
		a->error = judge(a, which);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Until the journey @which is known, or the time is over. */
static int await(struct asking *a, int which, int patience_ms, struct err *e)
{
	uint64_t until = now_ms() + (uint64_t)patience_ms;
	bool done = false;
	int r = 0;

	while (r == 0 && !done && now_ms() < until) {
		r = tracing_run(a->t, a->p->done ? a->p->wake_fd : -1, (int)(until - now_ms()) + 1,
				note, a);
		done = a->p->done ? a->p->done(a->ctx) : a->ways[which].got;
	}
	if (r == 0)
		r = a->error;
	return r < 0 ? err_set(e, r, "kernel", "probe", "%s", strerror(-r)) : 0;
}

static bool is_none(const uint8_t addr[16])
{
	static const uint8_t none[16];

	return memcmp(addr, none, sizeof(none)) == 0;
}

/*
 * The guest, which may be off, would answer when the host asks for its MAC: that is taken for done.
 * What the host knows of it already, be it that it does not answer, stays.
 */
static void introduce_guest(struct asking *a)
{
	const struct path_device *port = path_device_find(&a->s->view, a->s->ports[0]);
	const struct craft *c = &a->request.frame;
	const uint8_t *addr = a->p->from_outside ? NULL : c->src;
	struct rtnl *rtnl;

	for (size_t i = 0; i < a->s->n_addrs && !addr; i++)
		if (a->s->addrs[i].family == c->family)
			addr = a->s->addrs[i].addr;
	if (c->kind == CRAFT_ARP_REQUEST || !a->s->has_mac || !addr || is_none(addr) || !port ||
	    !port->master || rtnl_new(&rtnl) < 0)
		return;
	footprint_addr(&a->footprint, (uint8_t)c->family, addr);
	(void)!rtnl_neigh_learn(rtnl, port->master, (uint8_t)c->family, addr, &a->s->mac, NULL);
	rtnl_free(rtnl);
}

static int send_frame(struct asking *a, int ifindex, const struct craft *c, struct err *e)
{
	uint8_t *frame;
	int r = build(c, &frame, e);

	if (r < 0)
		return r;
	footprint_mac(&a->footprint, &c->eth_src);
	footprint_addr(&a->footprint, (uint8_t)c->family, c->src);
	footprint_addr(&a->footprint, (uint8_t)c->family, c->dst);
	r = injector_send(a->injector, ifindex, frame, (size_t)r, e);
	free(frame);
	return r;
}

/* A way out is each device that is neither a bridge nor the loopback: all of them are watched. */
static int swallow_all(struct asking *a, struct err *e)
{
	int *all = calloc(a->s->view.n_devices + 1, sizeof(*all)), r;
	size_t n = 0;

	if (!all)
		return err_set(e, -ENOMEM, "memory", "probe", "out of memory");
	for (size_t i = 0; i < a->s->view.n_devices; i++) {
		const struct path_device *d = &a->s->view.devices[i];

		if (d->role != DEVICE_BRIDGE && strcmp(d->name, "lo") != 0)
			all[n++] = d->ifindex;
	}
	r = injector_swallow(a->injector, all, n, e);
	free(all);
	return r;
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

static bool arrives(const struct way *w)
{
	return w->got && w->end == JOURNEY_DELIVERED && w->egress != EGRESS_DROPS;
}

static int way_back(struct asking *a, enum probe_answer *ret, struct err *e)
{
	const struct way *there = &a->ways[THERE], *back = &a->ways[BACK];
	int r;

	/* The host has answered by itself, or the real server does: that reply is followed. */
	if (there->left && !a->p->send) {
		a->reply = probe_answer(&a->request.frame, &there->last);
		*ret = PROBE_NO_WAY_BACK;
		if (!probe_answer_directly(a->s, &a->request, there->at, &a->reply))
			return 0;
		r = send_frame(a, there->at, &a->reply, e);
		if (r < 0)
			return r;
	}
	r = await(a, BACK, REPLY_PATIENCE_MS, e);
	if (r < 0)
		return r;
	if (!arrives(back) || back->wrong ||
	    (back->left && !probe_is_from_asked(a->s, &a->request, &back->last)))
		*ret = PROBE_NO_WAY_BACK;
	else if (there->egress == EGRESS_UNKNOWN || back->egress == EGRESS_UNKNOWN)
		*ret = PROBE_NOT_KNOWN;
	else
		*ret = PROBE_REACHABLE;
	return 0;
}

static int ask(struct asking *a, enum probe_answer *ret, struct err *e)
{
	const struct way *there = &a->ways[THERE];
	int r = 0;

	if (!a->p->send)
		r = swallow_all(a, e);
	if (r == 0) {
		introduce_guest(a);
		r = send_frame(a, a->request.where, &a->request.frame, e);
	}
	if (r == 0)
		r = await(a, THERE, PATIENCE_MS, e);
	if (r < 0)
		return r;
	*ret = PROBE_NO_WAY;
	if (!arrives(there))
		return 0;
	if (a->p->one_way || a->request.frame.kind == CRAFT_ARP_REQUEST) {
		*ret = there->egress == EGRESS_UNKNOWN ? PROBE_NOT_KNOWN : PROBE_REACHABLE;
		return 0;
	}
	if (there->wrong && !a->p->send) {
		*ret = PROBE_NO_WAY_BACK;
		return 0;
	}
	return way_back(a, ret, e);
}

/* What was not seen must not be taken for what did not happen. */
static int mind_the_loss(const struct asking *a, enum probe_answer answer, struct err *e)
{
	struct tracing_loss loss = tracing_loss(a->t);
	const struct way *w = &a->ways[answer == PROBE_NO_WAY_BACK ? BACK : THERE];

	if (answer == PROBE_REACHABLE || !(loss.events || loss.journeys || loss.unreadable))
		return 0;
	if (w->got && w->end != JOURNEY_LOST_SIGHT)
		return 0;
	return err_set(e, -EAGAIN, "lost", "probe",
		       "%llu of the kernel's events were lost while the packet was followed: the "
		       "host is very busy. Ask again",
		       (unsigned long long)(loss.events + loss.journeys + loss.unreadable));
}

static int start(struct asking *a, const struct tracing_options *o, struct err *e)
{
	int r = footprint_take(&a->footprint, e);

	if (r == 0)
		r = tracing_new(a->s, o, &a->t, e);
	if (r == 0)
		r = injector_new(o->mark, &a->injector, e);
	return r;
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
	r = start(&a, &o, e);
	if (r == 0) {
		r = ask(&a, ret, e);
		if (r == 0)
			r = mind_the_loss(&a, *ret, e);
		forget_connection(&a);
		footprint_wipe(&a.footprint);
	}
	injector_free(a.injector);
	tracing_free(a.t);
	footprint_done(&a.footprint);
	return r;
}
