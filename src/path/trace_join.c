/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace_join.c - see trace_join.h.
 *
 * Message and event have the same number, mostly. Two CPUs that queue messages at once may be counted
 * in the other order; the id that the event tells is that of the queue's last message, which may be
 * another CPU's, or unreadable where the reader took it at that moment; and what a rule such as
 * `reject` sends at once is seen while the rejected packet is still at hand, and may be at hand when
 * the rejected one's last message is queued. So the messages of one evaluation of a base chain (same
 * id, one with headers first) vote, and only for packets that have such headers.
 */
#include "path/trace_join.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>
#include "base/cursor.h"

#define EVENTS 65536u /* how far numbers reach back; a power of two */
#define IDS 1024u
#define OPEN_MAX 64 /* evaluations at once: CPUs, and answers sent meanwhile */
#define DONE_MAX 4096
#define MSGS_MAX 64 /* of an evaluation; those in between are left out */
#define NEAR 2	    /* by how much numbers may be exchanged */
#define SETTLE_NS 2000000u
#define GIVE_UP_NS 100000000u
#define CANDIDATES_MAX 16

/* struct told - an event, by number; @packet 0: there was none */
struct told {
	uint32_t number;
	uint32_t id;
	uint32_t packet;
	uint64_t time_ns;
};

/**
 * struct group - one evaluation of a base chain
 * @msgs:	its messages, @n of them; owned
 * @last_ns:	when the last was read
 * @before_ns:	when it had been looked for messages the time before the first of them was read
 */
struct group {
	struct nftrace_msg *msgs[MSGS_MAX];
	size_t n;
	uint64_t last_ns;
	uint64_t before_ns;
};

/**
 * struct trace_join - what waits for its counterpart
 * @told:	EVENTS of them, at number % EVENTS
 * @by_id:	the packet that had an id last, at id % IDS
 * @open:	not ended; NULL for a free place
 * @done:	ended, a ring of @n_done from @first_done on
 * @looked_ns:	when messages were looked for last; @before_ns: and the time before
 */
struct trace_join {
	struct told *told;
	struct told by_id[IDS];
	struct group *open[OPEN_MAX];
	struct group *done[DONE_MAX];
	size_t first_done;
	size_t n_done;
	uint64_t looked_ns;
	uint64_t before_ns;
	uint64_t unknown;
};

/* struct candidate - a packet that an evaluation may be about, and what speaks for it */
struct candidate {
	uint32_t packet;
	unsigned int weight;
	uint64_t time_ns;
};

int trace_join_new(struct trace_join **ret)
{
	struct trace_join *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->told = calloc(EVENTS, sizeof(*j->told));
	if (!j->told) {
		free(j);
		return -ENOMEM;
	}
	*ret = j;
	return 0;
}

static void group_free(struct group *g)
{
	if (!g)
		return;
	while (g->n)
		free(g->msgs[--g->n]);
	free(g);
}

static struct group *done_take(struct trace_join *j)
{
	struct group *g = j->done[j->first_done];

	j->first_done = (j->first_done + 1) % DONE_MAX;
	j->n_done--;
	return g;
}

void trace_join_free(struct trace_join *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < OPEN_MAX; i++)
		group_free(j->open[i]);
	while (j->n_done)
		group_free(done_take(j));
	free(j->told);
	free(j);
}

void trace_join_event(struct trace_join *j, const struct path_trace *e)
{
	j->told[e->number % EVENTS] = (struct told){.number = e->number,
						    .id = e->id,
						    .packet = e->head.packet,
						    .time_ns = e->head.time_ns};
}

/* ---- messages to evaluations ---- */

static void done_put(struct trace_join *j, struct group *g)
{
	if (j->n_done == DONE_MAX) {
		j->unknown++;
		group_free(done_take(j));
	}
	j->done[(j->first_done + j->n_done++) % DONE_MAX] = g;
}

static void close_group(struct trace_join *j, struct group **place)
{
	done_put(j, *place);
	*place = NULL;
}

/* A place for a new one; the one that has been silent for longest has to go when there is none. */
static struct group **free_place(struct trace_join *j)
{
	struct group **oldest = &j->open[0];

	for (size_t i = 0; i < OPEN_MAX; i++) {
		if (!j->open[i])
			return &j->open[i];
		if (j->open[i]->last_ns < (*oldest)->last_ns)
			oldest = &j->open[i];
	}
	close_group(j, oldest);
	return oldest;
}

/* Where @m belongs: what is open with its id, which ends if @m begins another. */
static struct group **find_place(struct trace_join *j, const struct nftrace_msg *m)
{
	for (size_t i = 0; i < OPEN_MAX; i++) {
		if (!j->open[i] || j->open[i]->msgs[0]->id != m->id)
			continue;
		if (verdict_continues(j->open[i]->msgs[0], m))
			return &j->open[i];
		close_group(j, &j->open[i]);
		return &j->open[i];
	}
	return free_place(j);
}

void trace_join_look(struct trace_join *j, uint64_t now_ns)
{
	j->before_ns = j->looked_ns;
	j->looked_ns = now_ns;
}

int trace_join_message(struct trace_join *j, const struct nftrace_msg *m, uint64_t now_ns)
{
	struct nftrace_msg *copy = nftrace_msg_copy(m);
	struct group **place;

	if (!copy)
		return -ENOMEM;
	place = find_place(j, m);
	if (!*place) {
		*place = calloc(1, sizeof(**place));
		if (!*place) {
			free(copy);
			return -ENOMEM;
		}
		(*place)->before_ns = j->before_ns;
	}
	/* The end matters more than what is before it. */
	if ((*place)->n == MSGS_MAX)
		free((*place)->msgs[--(*place)->n]);
	(*place)->msgs[(*place)->n++] = copy;
	(*place)->last_ns = now_ns;
	if (verdict_ends(m))
		close_group(j, place);
	return 0;
}

/* ---- evaluations to packets ---- */

/* struct headers - of a message's network header, as struct path_seen has them */
struct headers {
	uint16_t ip_id;
	uint8_t l4;
	uint8_t src[16];
	uint8_t dst[16];
};

static bool ip_read(const struct nftrace_msg *m, uint16_t ethertype, struct headers *ret)
{
	struct cursor c = cursor_init(m->l3.p, m->l3.len);
	uint8_t version = cursor_u8(&c) >> 4;

	if (ethertype == ETH_P_IPV6) {
		cursor_take(&c, 5);
		ret->l4 = cursor_u8(&c); /* or an extension header, which says nothing */
		cursor_take(&c, 1);
		cursor_copy(&c, ret->src, 16);
		cursor_copy(&c, ret->dst, 16);
		return cursor_ok(&c) && version == 6;
	}
	cursor_take(&c, 3);
	ret->ip_id = cursor_be16(&c);
	cursor_take(&c, 3);
	ret->l4 = cursor_u8(&c);
	cursor_take(&c, 2);
	cursor_copy(&c, ret->src, 4);
	cursor_copy(&c, ret->dst, 4);
	return cursor_ok(&c) && version == 4;
}

static enum trace_fit l4_fits(const struct nftrace_msg *m, const struct path_seen *s,
			      bool addresses)
{
	struct cursor c = cursor_init(m->l4.p, m->l4.len);
	uint16_t sport = cursor_be16(&c), dport = cursor_be16(&c);
	uint32_t seq = cursor_be32(&c);
	bool ports = sport == s->sport && dport == s->dport;

	if (!cursor_ok(&c) || !(s->flags & PATH_L4))
		return addresses ? TRACE_SAME : TRACE_MAYBE;
	switch (s->l4) {
	case IPPROTO_TCP:
		if (seq != s->seq)
			return TRACE_OTHER;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		/* Type and code, checksum; of an echo: id and sequence, the former translated. */
		if (sport != s->dport || (s->seq && path_is_echo(s) && (seq & 0xffff) != s->seq))
			return TRACE_OTHER;
		ports = seq >> 16 == s->sport;
		break;
	default:
		break;
	}
	return addresses && ports ? TRACE_SAME : TRACE_MAYBE;
}

enum trace_fit trace_fits(const struct nftrace_msg *m, const struct path_seen *s)
{
	struct headers h = {0};

	if (!m->l3.len || (s->ethertype != ETH_P_IP && s->ethertype != ETH_P_IPV6))
		return TRACE_MAYBE;
	if (!ip_read(m, s->ethertype, &h))
		return TRACE_OTHER;
	if (s->ethertype == ETH_P_IP && (h.l4 != s->l4 || h.ip_id != s->ip_id))
		return TRACE_OTHER;
	return l4_fits(m, s, memcmp(h.src, s->src, 16) == 0 && memcmp(h.dst, s->dst, 16) == 0);
}

static const struct told *told_at(const struct trace_join *j, uint32_t number)
{
	const struct told *t = &j->told[number % EVENTS];

	return t->packet && t->number == number ? t : NULL;
}

/* @exact: @t is about the message itself, so that it happened then. */
static void candidate_add(struct candidate *all, const struct told *t, unsigned int weight,
			  bool exact)
{
	struct candidate *c = all;

	while (c < all + CANDIDATES_MAX && c->packet && c->packet != t->packet)
		c++;
	if (c == all + CANDIDATES_MAX)
		return;
	if (!c->packet)
		*c = (struct candidate){.packet = t->packet, .time_ns = t->time_ns};
	if (exact)
		c->time_ns = t->time_ns;
	c->weight += weight;
}

/* The numbers say most; ids help where CPUs were counted in the other order. */
static void vote(const struct trace_join *j, const struct nftrace_msg *m, struct candidate *all)
{
	for (uint32_t i = 0; i <= 2 * NEAR; i++) {
		const struct told *t = told_at(j, m->number + i - NEAR);

		if (!t)
			continue;
		if (i == NEAR)
			candidate_add(all, t, t->id == m->id ? 4 : 2, true);
		else /* without the id, the headers alone may still speak for it */
			candidate_add(all, t, t->id == m->id ? 1 : 0, false);
	}
}

/* What the headers say outweighs one number, as only they cannot be another's by chance. */
static unsigned int weigh(const struct group *g, const struct candidate *c,
			  const struct trace_join_ops *ops, void *ctx)
{
	const struct path_seen *s = c->packet ? ops->seen(c->packet, ctx) : NULL;

	if (!s)
		return 0;
	switch (trace_fits(g->msgs[0], s)) {
	case TRACE_OTHER:
		return 0;
	case TRACE_MAYBE:
		return c->weight;
	case TRACE_SAME:
		return c->weight + 4;
	}
	return 0;
}

static struct candidate elect(struct trace_join *j, const struct group *g,
			      const struct trace_join_ops *ops, void *ctx)
{
	struct candidate all[CANDIDATES_MAX] = {0}, best = {0};
	struct told *last = &j->by_id[g->msgs[0]->id % IDS];

	for (size_t i = 0; i < g->n; i++)
		vote(j, g->msgs[i], all);
	/* The same packet was here before, if it is the id's: as good as a number. */
	if (last->packet && last->id == g->msgs[0]->id)
		candidate_add(all, last, 1, false);
	for (size_t i = 0; i < CANDIDATES_MAX; i++) {
		all[i].weight = weigh(g, &all[i], ops, ctx);
		if (all[i].weight > best.weight)
			best = all[i];
	}
	if (best.packet)
		*last = (struct told){
			.id = g->msgs[0]->id, .packet = best.packet, .time_ns = best.time_ns};
	return best;
}

static void hand_out(struct trace_join *j, const struct group *g, const struct trace_join_ops *ops,
		     void *ctx)
{
	struct candidate c = elect(j, g, ops, ctx);
	struct verdict v;

	if (verdicts_fold((const struct nftrace_msg *const *)g->msgs, g->n, &v, 1) == 0)
		return;
	if (c.packet)
		ops->decided(c.packet, c.time_ns, &v, ctx);
	else
		j->unknown++;
}

void trace_join_due(struct trace_join *j, uint64_t now_ns, const struct trace_join_ops *ops,
		    void *ctx)
{
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (j->open[i] &&
		    (now_ns == UINT64_MAX || now_ns >= j->open[i]->last_ns + GIVE_UP_NS))
			close_group(j, &j->open[i]);
	while (j->n_done) {
		struct group *g = j->done[j->first_done];

		if (now_ns != UINT64_MAX && now_ns < g->last_ns + SETTLE_NS)
			return;
		hand_out(j, g, ops, ctx);
		group_free(done_take(j));
	}
}

int trace_join_wait_ms(const struct trace_join *j, uint64_t now_ns)
{
	uint64_t due = UINT64_MAX;

	if (j->n_done)
		due = j->done[j->first_done]->last_ns + SETTLE_NS;
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (j->open[i] && j->open[i]->last_ns + GIVE_UP_NS < due)
			due = j->open[i]->last_ns + GIVE_UP_NS;
	if (due == UINT64_MAX)
		return -1;
	return due <= now_ns ? 0 : (int)((due - now_ns + 999999) / 1000000);
}

uint64_t trace_join_settled(const struct trace_join *j)
{
	return j->n_done ? j->done[j->first_done]->before_ns : UINT64_MAX;
}

uint64_t trace_join_unknown(const struct trace_join *j)
{
	return j->unknown;
}
