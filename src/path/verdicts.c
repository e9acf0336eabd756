/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdicts.c - see verdicts.h; the order of messages is that of nft_do_chain() in
 * net/netfilter/nf_tables_core.c.
 *
 * A jump puts its place on a stack, a goto does not, and where a chain ends the packet goes on at the
 * last jump. So the steps that led to a chain are known by their depth: when it ends, those of its
 * depth go, and the jump that made the depth.
 */
#include "path/verdicts.h"

#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

/**
 * struct evaluation - a base chain that is being evaluated
 * @v:		what is known so far; NULL when nothing is being evaluated
 * @begun:	its first message
 * @depths:	of each of @v->steps
 * @depth:	jumps that have not returned
 */
struct evaluation {
	struct verdict *v;
	const struct nftrace_msg *begun;
	unsigned int depths[VERDICT_STEPS_MAX];
	unsigned int depth;
};

/* Base chains that are evaluated at once: a packet, its answer, an answer to that. */
#define OPEN_MAX 4

static void step_add(struct evaluation *ev, const struct nftrace_msg *m)
{
	struct verdict *v = ev->v;
	bool is_goto = m->verdict == NFT_GOTO;

	if (v->n_steps < VERDICT_STEPS_MAX) {
		ev->depths[v->n_steps] = ev->depth;
		v->steps[v->n_steps++] = (struct verdict_step){.chain = m->chain,
							       .handle = m->handle,
							       .target = m->target,
							       .is_goto = is_goto};
	}
	if (!is_goto)
		ev->depth++;
}

static void step_back(struct evaluation *ev)
{
	struct verdict *v = ev->v;

	while (v->n_steps && ev->depths[v->n_steps - 1] >= ev->depth)
		v->n_steps--;
	if (!ev->depth)
		return;
	ev->depth--;
	if (v->n_steps && ev->depths[v->n_steps - 1] == ev->depth)
		v->n_steps--;
}

bool verdict_ends(const struct nftrace_msg *m)
{
	return m->type == NFTRACE_POLICY || (m->type == NFTRACE_RULE && m->verdict >= 0);
}

bool verdict_continues(const struct nftrace_msg *earlier, const struct nftrace_msg *m)
{
	return earlier->id == m->id && !nftrace_first(m) && earlier->family == m->family &&
	       strcmp(earlier->table, m->table) == 0;
}

/* The evaluation @m belongs to; a slot for a new one (v is NULL) when it begins one. */
static struct evaluation *find(struct evaluation open[OPEN_MAX], const struct nftrace_msg *m)
{
	struct evaluation *slot = NULL;

	for (size_t i = 0; i < OPEN_MAX; i++)
		if (open[i].begun && verdict_continues(open[i].begun, m))
			return &open[i];
	/* One of the same packet's that did not end is given up: messages are missing. */
	for (size_t i = 0; i < OPEN_MAX && !slot; i++)
		if (open[i].v && open[i].v->id == m->id)
			slot = &open[i];
	for (size_t i = 0; i < OPEN_MAX && !slot; i++)
		if (!open[i].v)
			slot = &open[i];
	if (!slot) { /* the oldest */
		slot = &open[0];
		for (size_t i = 1; i < OPEN_MAX; i++)
			if (open[i].v->first < slot->v->first)
				slot = &open[i];
	}
	*slot = (struct evaluation){0};
	return slot;
}

static void begin(struct verdict *v, const struct nftrace_msg *m)
{
	*v = (struct verdict){.id = m->id,
			      .first = m->number,
			      .family = m->family,
			      .proto = m->proto,
			      .table = m->table,
			      .chain = m->chain,
			      .by = VERDICT_UNKNOWN,
			      .decider = "",
			      .whole = nftrace_first(m),
			      .iif = m->iif,
			      .oif = m->oif,
			      .mark = m->mark};
}

static void take(struct evaluation *ev, const struct nftrace_msg *m)
{
	struct verdict *v = ev->v;

	v->last = m->number;
	v->verdict = m->verdict;
	v->queue = m->queue;
	if (m->type == NFTRACE_RETURN || m->verdict == NFT_RETURN) {
		step_back(ev);
	} else if (m->verdict == NFT_JUMP || m->verdict == NFT_GOTO) {
		step_add(ev, m);
	} else if (m->type == NFTRACE_POLICY) {
		v->by = VERDICT_POLICY;
		v->chain = m->chain;
		v->n_steps = 0;
	} else if (verdict_ends(m)) {
		v->by = VERDICT_RULE;
		v->decider = m->chain;
		v->handle = m->handle;
	} else {
		v->matched++;
	}
}

size_t verdicts_fold(const struct nftrace_msg *const *msgs, size_t n, struct verdict *ret,
		     size_t max)
{
	struct evaluation open[OPEN_MAX] = {0};
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct nftrace_msg *m = msgs[i];
		struct evaluation *ev;

		if (nftrace_own(m))
			continue;
		ev = find(open, m);
		if (!ev->v) {
			if (count == max)
				continue;
			ev->v = &ret[count++];
			ev->begun = m;
			begin(ev->v, m);
		}
		take(ev, m);
		if (verdict_ends(m))
			*ev = (struct evaluation){0};
	}
	/* What was left open lacks its end. */
	for (size_t i = 0; i < count; i++)
		if (ret[i].by == VERDICT_UNKNOWN)
			ret[i].whole = false;
	return count;
}

void verdict_decision(const struct verdict *v, const struct rules *r, struct path_decision *ret)
{
	const struct rules_chain *base = r ? rules_chain(r, v->family, v->table, v->chain) : NULL;
	const struct rules_rule *rule =
		r && v->by == VERDICT_RULE ? rules_find(r, v->family, v->table, v->handle) : NULL;

	*ret = (struct path_decision){.handle = v->handle,
				      .drops = v->by != VERDICT_UNKNOWN && v->verdict == NF_DROP};
	snprintf(ret->family, sizeof(ret->family), "%s", rules_family_name(v->family));
	snprintf(ret->table, sizeof(ret->table), "%s", v->table);
	snprintf(ret->base, sizeof(ret->base), "%s", v->chain);
	snprintf(ret->chain, sizeof(ret->chain), "%s",
		 v->by == VERDICT_RULE ? v->decider : v->chain);
	snprintf(ret->hook, sizeof(ret->hook), "%s", base ? base->hook : "");
	snprintf(ret->verdict, sizeof(ret->verdict), "%s",
		 v->by == VERDICT_UNKNOWN ? "?" : nftrace_verdict_name(v->verdict));
	snprintf(ret->rule, sizeof(ret->rule), "%s", rule ? rule->text : "");
}

static void print_rule(const struct verdict *v, const struct rules *r, uint64_t handle,
		       struct buf *out)
{
	const struct rules_rule *rule = r ? rules_find(r, v->family, v->table, handle) : NULL;

	buf_printf(out, " #%" PRIu64, handle);
	if (rule)
		buf_printf(out, " \"%s\"", rule->text);
}

void verdict_print(const struct verdict *v, const struct rules *r, struct buf *out)
{
	const struct rules_chain *base = r ? rules_chain(r, v->family, v->table, v->chain) : NULL;

	buf_printf(out, "fw%s%s %s %s ", base && base->base ? ":" : "", base ? base->hook : "",
		   rules_family_name(v->family), v->table);
	for (size_t i = 0; i < v->n_steps; i++) {
		buf_puts(out, v->steps[i].chain);
		print_rule(v, r, v->steps[i].handle, out);
		buf_puts(out, " -> ");
	}
	switch (v->by) {
	case VERDICT_RULE:
		buf_puts(out, v->decider);
		print_rule(v, r, v->handle, out);
		break;
	case VERDICT_POLICY:
		buf_printf(out, "%s policy", v->chain);
		break;
	case VERDICT_UNKNOWN:
		buf_puts(out, "messages are missing");
		return;
	}
	buf_printf(out, " %s", nftrace_verdict_name(v->verdict));
	if (v->verdict == NF_QUEUE)
		buf_printf(out, " %u", v->queue);
}
