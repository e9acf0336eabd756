/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain.c - see explain.h. */
#include "inspect/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/explain_state.h"

#define FRAME_ROOM 65550

enum { THERE = 1, BACK = 2 };

/**
 * struct explaining - an explanation at work
 * @state:	the host
 * @x:		what is carried from the packet to its reply
 * @got:	the journey that was asked for last was given, and ended as @end says
 * @wrong:	whoever shows it found something wrong with it
 * @strange:	a reply that comes from another than was asked
 * @left:	it got to where it would leave the host, device @at, and looked like @last there
 */
struct explaining {
	struct subject *s;
	const struct probe_request *request;
	struct explain_state *state;
	struct journeys *journeys;
	struct explanation *x;
	struct journey_words words;
	char why[RULE_TEXT_MAX];
	explain_fn fn;
	void *ctx;
	bool got;
	enum journey_end end;
	bool wrong;
	bool left;
	bool strange;
	struct path_seen last;
	int at;
	struct explain_outcome *outcome;
};

static const char *word_reason(uint32_t reason, void *ctx)
{
	return explain_reason(reason);
}

static const char *word_function(uint64_t location, void *ctx)
{
	return explain_function(location);
}

static const char *word_why(const struct hop *h, void *ctx)
{
	struct explaining *a = ctx;

	return explain_why(a->x, h, a->why, sizeof(a->why));
}

static void note(const struct journey *j, bool over, void *ctx)
{
	struct explaining *a = ctx;
	bool reply = j->packet == BACK;

	a->got = true;
	a->end = j->end;
	a->strange = false;
	for (size_t i = 0; i < j->n_hops; i++) {
		const struct hop *h = &j->hops[i];

		if (h->kind != HOP_UPLINK_OUT && h->kind != HOP_BRIDGE_FWD &&
		    h->kind != HOP_TAP_QUEUED)
			continue;
		if (reply) {
			a->strange = !probe_is_from_asked(a->s, a->request, &h->seen);
			continue;
		}
		a->left = true;
		a->last = h->seen;
		a->at = h->kind == HOP_BRIDGE_FWD ? h->ports[0] : h->ifindex;
	}
	a->outcome->any_port = a->x->conn.any_port;
	a->wrong = a->fn(j, &a->words, reply, a->ctx);
}

static int walk(struct explaining *a, const struct craft *c, int where, uint32_t mark,
		uint32_t number, struct err *e)
{
	struct explain_packet p = {
		.number = number, .where = where, .mark = mark, .reply = number == BACK};
	uint8_t *frame = malloc(FRAME_ROOM);
	int r;

	if (!frame)
		return err_set(e, -ENOMEM, "memory", "explain", "out of memory");
	r = craft_build(c, frame, FRAME_ROOM);
	if (r < 0) {
		free(frame);
		return err_set(e, r, "size", "explain", "a packet of that size cannot be made");
	}
	p.frame = frame;
	p.len = (size_t)r;
	a->got = false;
	r = explain_packet_walk(explain_state_host(a->state), &p, a->journeys, a->x);
	free(frame);
	if (r < 0)
		return err_set(e, r, "kernel", "explain", "the way cannot be concluded: %s",
			       strerror(-r));
	journeys_due(a->journeys, UINT64_MAX, note, a);
	return 0;
}

/* The reply's frame and where it comes in; false: there is none, as @ret says. */
static bool reply_of(struct explaining *a, struct craft *c, int *where, struct explain_outcome *ret)
{
	if (!a->x->local) {
		*c = probe_answer(&a->request->frame, &a->last);
		*where = a->at;
		if (a->left && probe_answer_directly(a->s, a->request, a->at, c))
			return true;
		ret->result = a->left ? EXPLAIN_NO_WAY_BACK : EXPLAIN_UNKNOWN;
		if (a->left) {
			snprintf(ret->what, sizeof(ret->what),
				 "it comes back to the guest itself, from its own address");
			return false;
		}
		snprintf(ret->what, sizeof(ret->what),
			 "where its reply would come in is not known");
		return false;
	}
	*c = probe_answer(&a->request->frame, &a->x->last);
	*where = 0;
	if (a->x->answers == EXPLAIN_YES)
		return true;
	ret->result = a->x->answers == EXPLAIN_NO ? EXPLAIN_NO_WAY_BACK : EXPLAIN_UNKNOWN;
	snprintf(ret->what, sizeof(ret->what), "%s",
		 a->x->answers == EXPLAIN_NO ? "the host does not answer it"
					     : "whether the program behind that port answers "
					       "cannot be known");
	return false;
}

static enum explain_result result_of(const struct explaining *a, bool reply)
{
	if (a->got && a->end == JOURNEY_UNKNOWN)
		return EXPLAIN_UNKNOWN;
	if (a->got && a->end == JOURNEY_DELIVERED && !a->wrong)
		return EXPLAIN_PASSES;
	/* It gets there, but nobody can answer to it. */
	if (!reply && a->got && a->end == JOURNEY_DELIVERED)
		return EXPLAIN_NO_WAY_BACK;
	return reply ? EXPLAIN_NO_WAY_BACK : EXPLAIN_NO_WAY;
}

static int both_ways(struct explaining *a, struct explain_outcome *ret, struct err *e)
{
	struct craft c = {0};
	int where = 0;
	int r = walk(a, &a->request->frame, a->request->where, a->request->mark, THERE, e);

	if (r < 0)
		return r;
	/* Who would answer to ARP is said, and whether somebody does, nobody knows. */
	if (a->request->frame.kind == CRAFT_ARP_REQUEST)
		a->wrong = false;
	ret->result = result_of(a, false);
	ret->by_host = a->x->local;
	ret->undecided = a->x->undecided;
	ret->n_policy = a->x->n_policy;
	memcpy(ret->policy, a->x->policy, sizeof(ret->policy));
	if (ret->result != EXPLAIN_PASSES || a->request->frame.kind == CRAFT_ARP_REQUEST)
		return 0;
	if (!reply_of(a, &c, &where, ret))
		return 0;
	r = walk(a, &c, where, where ? a->request->mark : 0, BACK, e);
	if (r < 0)
		return r;
	ret->result = result_of(a, true);
	if (ret->result == EXPLAIN_PASSES && a->strange) {
		ret->result = EXPLAIN_NO_WAY_BACK;
		snprintf(ret->what, sizeof(ret->what),
			 "the answer comes from another address than was asked");
	}
	return 0;
}

int explain_run_in(struct explain_state *state, struct subject *s,
		   const struct probe_request *request, explain_fn fn, void *ctx,
		   struct explain_outcome *ret, struct err *e)
{
	struct explaining a = {
		.s = s, .request = request, .state = state, .fn = fn, .ctx = ctx, .outcome = ret};
	int r;

	*ret = (struct explain_outcome){0};
	a.words = (struct journey_words){.view = &s->view,
					 .reason = word_reason,
					 .function = word_function,
					 .why = word_why,
					 .ctx = &a};
	a.x = calloc(1, sizeof(*a.x));
	if (!a.x || journeys_new(&s->view, &a.journeys) < 0)
		r = err_set(e, -ENOMEM, "memory", "explain", "out of memory");
	else
		r = both_ways(&a, ret, e);
	journeys_free(a.journeys);
	free(a.x);
	return r;
}

int explain_run(struct subject *s, const struct probe_request *request, explain_fn fn, void *ctx,
		struct explain_outcome *ret, struct err *e)
{
	_cleanup_(explain_state_freep) struct explain_state *state = NULL;
	int r = explain_state_new(&s->view, &state, e);

	return r < 0 ? r : explain_run_in(state, s, request, fn, ctx, ret, e);
}
