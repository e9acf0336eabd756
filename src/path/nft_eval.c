/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval.c - from base chain to base chain and from rule to rule; what is done where a condition is
 * not known. The expressions are in nft_eval_compute.c, nft_eval_look.c, nft_eval_do.c and
 * nft_eval_xt.c.
 */
#include "path/nft_eval.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include "path/nft_eval_internal.h"

#define FORKS_MAX 256
#define RULES_MAX 2000000
#define BASES_MAX 256
#define TIED_MAX 4 /* tables whose chains have one priority, and nobody knows which is first */

static const char *const outcomes[] = {
	[NFTEVAL_ACCEPT] = "accept", [NFTEVAL_DROP] = "drop",	    [NFTEVAL_QUEUE] = "queue",
	[NFTEVAL_STOLEN] = "stolen", [NFTEVAL_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(outcomes) == NFTEVAL_UNKNOWN + 1, "a name for each outcome");

const char *nfteval_outcome_name(enum nfteval_outcome o)
{
	return outcomes[o];
}

enum nfteval_flow nfteval_maybe(struct nfteval_state *s, const char *why)
{
	s->why = why;
	return NFTEVAL_MAYBE;
}

enum nfteval_flow nfteval_opaque(struct nfteval_state *s, const char *why)
{
	s->why = why;
	return NFTEVAL_OPAQUE;
}

enum nfteval_flow nfteval_verdict(struct nfteval_state *s, int32_t verdict,
				  const struct nftprog_chain *target)
{
	s->verdict = verdict;
	s->target = target;
	return NFTEVAL_VERDICT;
}

static enum nfteval_flow do_maybe(struct nfteval *v, struct nfteval_state *s,
				  const struct nftprog_expr *e)
{
	/* The longest value that such an expression writes has 16 bytes. */
	if (e->dreg >= 0)
		for (size_t i = 0; i < 4 && (size_t)e->dreg + i < NFTPROG_REGS; i++)
			s->unknown[(size_t)e->dreg + i] = e->text;
	return e->dreg >= 0 && (strcmp(e->name, "numgen") == 0 || strcmp(e->name, "hash") == 0)
		       ? NFTEVAL_NEXT
		       : nfteval_maybe(s, e->text);
}

static enum nfteval_flow do_nothing(struct nfteval *v, struct nfteval_state *s,
				    const struct nftprog_expr *e)
{
	if (strcmp(e->name, "dup") == 0)
		s->res.dup = true;
	return NFTEVAL_NEXT;
}

static enum nfteval_flow do_unknown(struct nfteval *v, struct nfteval_state *s,
				    const struct nftprog_expr *e)
{
	return nfteval_opaque(s, e->text);
}

static const nfteval_fn functions[] = {
	[NFTPROG_UNKNOWN] = do_unknown,
	[NFTPROG_MAYBE] = do_maybe,
	[NFTPROG_NOTHING] = do_nothing,
	[NFTPROG_IMMEDIATE] = nfteval_compute,
	[NFTPROG_VERDICT] = nfteval_compute,
	[NFTPROG_CMP] = nfteval_compute,
	[NFTPROG_RANGE] = nfteval_compute,
	[NFTPROG_BITWISE] = nfteval_compute,
	[NFTPROG_BYTEORDER] = nfteval_compute,
	[NFTPROG_PAYLOAD] = nfteval_payload,
	[NFTPROG_PAYLOAD_SET] = nfteval_do,
	[NFTPROG_META] = nfteval_meta,
	[NFTPROG_META_SET] = nfteval_do,
	[NFTPROG_CT] = nfteval_ct,
	[NFTPROG_CT_SET] = nfteval_do,
	[NFTPROG_FIB] = nfteval_fib,
	[NFTPROG_RT] = nfteval_rt,
	[NFTPROG_EXTHDR] = nfteval_exthdr,
	[NFTPROG_EXTHDR_SET] = nfteval_do,
	[NFTPROG_LOOKUP] = nfteval_lookup,
	[NFTPROG_DYNSET] = nfteval_do,
	[NFTPROG_OBJREF] = nfteval_do,
	[NFTPROG_QUOTA] = nfteval_do,
	[NFTPROG_NAT] = nfteval_do,
	[NFTPROG_MASQ] = nfteval_do,
	[NFTPROG_REDIR] = nfteval_do,
	[NFTPROG_REJECT] = nfteval_do,
	[NFTPROG_QUEUE] = nfteval_do,
	[NFTPROG_NOTRACK] = nfteval_do,
	[NFTPROG_FWD] = nfteval_do,
	[NFTPROG_SOCKET] = do_maybe,
	[NFTPROG_TPROXY] = nfteval_do,
	[NFTPROG_MATCH] = nfteval_match,
	[NFTPROG_TARGET] = nfteval_target,
};
_Static_assert(ARRAY_SIZE(functions) == NFTPROG_TARGET + 1, "a function for each expression");

static void finish(struct nfteval_state *s, enum nfteval_outcome o)
{
	s->res.outcome = o;
	s->done = true;
}

static void finish_unknown(struct nfteval_state *s, const struct nfteval_place *at, const char *why)
{
	finish(s, NFTEVAL_UNKNOWN);
	snprintf(s->res.unknown, sizeof(s->res.unknown), "%s", why && *why ? why : "an expression");
	s->res.unknown_chain = at->chain;
	s->res.unknown_rule =
		at->chain && at->rule < at->chain->n_rules ? &at->chain->rules[at->rule] : NULL;
}

static void step(struct nfteval_state *s, const struct nftprog_rule *rule, int32_t verdict,
		 const struct nftprog_chain *target)
{
	struct nfteval_step st = {s->at.chain, rule, verdict, target};

	if (s->res.n_steps < NFTEVAL_STEPS_MAX)
		s->res.steps[s->res.n_steps++] = st;
	else
		s->res.more_steps++;
	s->res.decided = st;
}

/* HOOK2MANIP of the kernel: what is translated where. */
static bool is_source_hook(uint32_t hook)
{
	return hook == NF_INET_POST_ROUTING || hook == NF_INET_LOCAL_IN;
}

static bool *nat_done(struct nfteval_state *s, uint32_t hook)
{
	return is_source_hook(hook) ? &s->pkt.ct.snat_done : &s->pkt.ct.dnat_done;
}

/* Nat chains are for what starts a connection; ICMP errors follow the connection that they are of. */
static bool is_for_nat(struct nfteval_state *s, uint32_t hook)
{
	const struct nfteval_ct *ct = &s->pkt.ct;

	if (ct->state == NFTEVAL_CT_RELATED)
		return ct->proto != IPPROTO_ICMP && ct->proto != IPPROTO_ICMPV6 &&
		       !*nat_done(s, hook);
	return ct->state == NFTEVAL_CT_NEW && !*nat_done(s, hook);
}

/* On to base chain @s->base, or a later one; the end of all is acceptance. */
static void enter_base(struct nfteval *v, struct nfteval_state *s)
{
	for (; s->base < v->n_bases; s->base++) {
		const struct nftprog_chain *c = v->bases[s->base];

		if (c->type == NFTPROG_NAT_CHAIN && !is_for_nat(s, c->hook))
			continue;
		nfteval_headers(s, v->at, c);
		/* Inet's ingress chains are asked about IP only. */
		if (c->table->family == NFPROTO_INET && s->h.pf == NFPROTO_NETDEV)
			continue;
		s->at = (struct nfteval_place){c, 0};
		s->depth = 0;
		s->expr = 0;
		return;
	}
	finish(s, NFTEVAL_ACCEPT);
}

static void accepted(struct nfteval *v, struct nfteval_state *s)
{
	const struct nftprog_chain *c = v->bases[s->base++];
	const struct nftprog_chain *next = s->base < v->n_bases ? v->bases[s->base] : NULL;

	/* When no nat chain had anything to say, the kernel remembers that as well. */
	if (c->type == NFTPROG_NAT_CHAIN && (!next || next->type != NFTPROG_NAT_CHAIN))
		*nat_done(s, c->hook) = true;
	enter_base(v, s);
}

/* The end of a chain without a verdict, or `return`. */
static void end_of_chain(struct nfteval *v, struct nfteval_state *s)
{
	const struct nftprog_chain *base = v->bases[s->base];

	s->expr = 0;
	if (s->depth) {
		s->at = s->stack[--s->depth];
		return;
	}
	s->at.chain = base;
	step(s, NULL, base->drop ? NF_DROP : NF_ACCEPT, NULL);
	if (base->drop)
		finish(s, NFTEVAL_DROP);
	else
		accepted(v, s);
}

static void next_rule(struct nfteval_state *s)
{
	s->at.rule++;
	s->expr = 0;
}

static void jump(struct nfteval_state *s, bool comes_back)
{
	const struct nftprog_chain *target = s->target;

	if (!target || (comes_back && s->depth == NFTEVAL_JUMPS)) {
		finish_unknown(s, &s->at, "jump");
		return;
	}
	if (comes_back)
		s->stack[s->depth++] = (struct nfteval_place){s->at.chain, s->at.rule + 1};
	s->at = (struct nfteval_place){target, 0};
	s->expr = 0;
}

static void take_verdict(struct nfteval *v, struct nfteval_state *s,
			 const struct nftprog_rule *rule)
{
	step(s, rule, s->verdict, s->target);
	switch (s->verdict) {
	case NFT_CONTINUE:
		next_rule(s);
		return;
	case NFT_JUMP:
	case NFT_GOTO:
		jump(s, s->verdict == NFT_JUMP);
		return;
	case NFT_RETURN:
		end_of_chain(v, s);
		return;
	}
	switch (s->verdict & NF_VERDICT_MASK) {
	case NF_ACCEPT:
		accepted(v, s);
		return;
	case NF_DROP:
		finish(s, NFTEVAL_DROP);
		return;
	case NF_STOLEN:
		finish(s, NFTEVAL_STOLEN);
		return;
	case NF_QUEUE:
		s->res.queue = (uint16_t)((uint32_t)s->verdict >> NF_VERDICT_QBITS);
		finish(s, NFTEVAL_QUEUE);
		return;
	}
	finish_unknown(s, &s->at, "verdict");
}

/* The expressions of the present rule from s->expr on. */
static enum nfteval_flow run_rule(struct nfteval *v, struct nfteval_state *s, bool past_maybe)
{
	const struct nftprog_rule *rule = &s->at.chain->rules[s->at.rule];

	while (s->expr < rule->n_exprs) {
		const struct nftprog_expr *e = &rule->exprs[s->expr++];
		enum nfteval_flow flow = functions[e->op](v, s, e);

		if (flow == NFTEVAL_NEXT || (flow == NFTEVAL_MAYBE && past_maybe))
			continue;
		return flow;
	}
	return NFTEVAL_NEXT;
}

static bool same_nat(const struct nfteval_nat *a, const struct nfteval_nat *b)
{
	return a->set == b->set && a->masquerade == b->masquerade && a->redirect == b->redirect &&
	       a->has_addr == b->has_addr && a->has_port == b->has_port &&
	       memcmp(&a->min_addr, &b->min_addr, sizeof(a->min_addr)) == 0 &&
	       memcmp(&a->max_addr, &b->max_addr, sizeof(a->max_addr)) == 0 &&
	       a->min_port == b->min_port && a->max_port == b->max_port && a->flags == b->flags;
}

static bool same_writes(const struct nfteval_state *a, const struct nfteval_state *b)
{
	if (a->n_writes != b->n_writes || a->n_touched != b->n_touched)
		return false;
	for (size_t i = 0; i < a->n_writes; i++)
		if (a->writes[i].at != b->writes[i].at || a->writes[i].len != b->writes[i].len ||
		    memcmp(a->writes[i].bytes, b->writes[i].bytes, a->writes[i].len) != 0)
			return false;
	for (size_t i = 0; i < a->n_touched; i++)
		if (a->touched[i].set != b->touched[i].set ||
		    a->touched[i].there != b->touched[i].there ||
		    memcmp(a->touched[i].key, b->touched[i].key, a->touched[i].set->key_len) != 0)
			return false;
	return true;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* What was done to the packet and its connection. */
static bool same_effects(const struct nfteval_state *a, const struct nfteval_state *b)
{
	const struct nfteval_packet *p = &a->pkt, *q = &b->pkt;
	const struct nfteval_result *r = &a->res, *t = &b->res;

	return p->mark == q->mark && p->priority == q->priority &&
	       p->priority_unknown == q->priority_unknown && p->pkttype == q->pkttype &&
	       p->ct.state == q->ct.state && p->ct.mark == q->ct.mark &&
	       p->ct.snat_done == q->ct.snat_done && p->ct.dnat_done == q->ct.dnat_done &&
	       r->notrack == t->notrack && r->set_zone == t->set_zone && r->zone == t->zone &&
	       r->tproxy == t->tproxy && r->dup == t->dup && r->mtu_clamped == t->mtu_clamped &&
	       same_text(r->helper, t->helper) && same_nat(&r->snat, &t->snat) &&
	       same_nat(&r->dnat, &t->dnat) && same_writes(a, b);
}

static bool same_fate(const struct nfteval_state *a, const struct nfteval_state *b)
{
	if (a->res.outcome != b->res.outcome)
		return false;
	switch (a->res.outcome) {
	case NFTEVAL_DROP:
		return true;
	case NFTEVAL_QUEUE:
		return a->res.queue == b->res.queue && same_effects(a, b);
	case NFTEVAL_STOLEN:
		return a->res.fwd_dev == b->res.fwd_dev && same_effects(a, b);
	case NFTEVAL_ACCEPT:
		return same_effects(a, b);
	case NFTEVAL_UNKNOWN:
		break;
	}
	return false;
}

static void run(struct nfteval *v, struct nfteval_state *s);

static struct nfteval_state *copy_of(struct nfteval *v, const struct nfteval_state *s)
{
	struct nfteval_state *t = malloc(sizeof(*t));

	if (t)
		*t = *s;
	else
		v->error = -ENOMEM;
	return t;
}

/*
 * Nobody knows whether the rule goes on: go both ways. When both end alike it does not matter, and
 * the way without the rule is the one that is told.
 */
static void fork_both(struct nfteval *v, struct nfteval_state *s)
{
	const struct nfteval_place at = s->at;
	_cleanup_(freep) struct nfteval_state *matched = copy_of(v, s);
	const char *why = s->why;
	size_t certain = s->res.n_steps;

	if (!matched || v->forks++ >= FORKS_MAX) {
		finish_unknown(s, &at, why);
		return;
	}
	next_rule(s);
	run(v, s);
	if (s->res.outcome == NFTEVAL_UNKNOWN)
		return;
	run(v, matched);
	if (matched->res.outcome == NFTEVAL_UNKNOWN) {
		*s = *matched;
		return;
	}
	if (!same_fate(s, matched)) {
		finish_unknown(s, &at, why);
		return;
	}
	s->res.rejected = s->res.rejected && matched->res.rejected;
	/* The way that was gone may have had a fork of its own, further on. */
	s->res.one_of = why;
	s->res.certain = certain;
}

/*
 * A condition is not known: try the rest of the rule as if it held. When that does nothing, it does
 * not matter. True: decided so, s is at the next rule.
 */
static bool does_not_matter(struct nfteval *v, struct nfteval_state *s)
{
	_cleanup_(freep) struct nfteval_state *t = copy_of(v, s);
	enum nfteval_flow flow;

	if (!t)
		return false;
	flow = run_rule(v, t, true);
	if ((flow != NFTEVAL_NEXT && flow != NFTEVAL_BREAK) || !same_effects(s, t))
		return false;
	next_rule(s);
	return true;
}

static void run_one(struct nfteval *v, struct nfteval_state *s)
{
	const struct nftprog_rule *rule = &s->at.chain->rules[s->at.rule];
	enum nfteval_flow flow = run_rule(v, s, false);

	switch (flow) {
	case NFTEVAL_NEXT:
		step(s, rule, NFT_CONTINUE, NULL);
		next_rule(s);
		return;
	case NFTEVAL_BREAK:
		next_rule(s);
		return;
	case NFTEVAL_VERDICT:
		take_verdict(v, s, rule);
		return;
	case NFTEVAL_MAYBE:
		if (!does_not_matter(v, s))
			fork_both(v, s);
		return;
	case NFTEVAL_OPAQUE:
		finish_unknown(s, &s->at, s->why);
		return;
	}
}

static void run(struct nfteval *v, struct nfteval_state *s)
{
	while (!s->done && !v->error) {
		if (v->rules++ >= RULES_MAX)
			finish_unknown(s, &s->at, "more rules than are looked at");
		else if (s->at.rule >= s->at.chain->n_rules)
			end_of_chain(v, s);
		else
			run_one(v, s);
	}
}

static void run_order(struct nfteval *v, struct nfteval_state *s)
{
	enter_base(v, s);
	run(v, s);
}

static bool is_tied(const struct nftprog_chain *a, const struct nftprog_chain *b)
{
	return nftprog_priority(a) == nftprog_priority(b) && a->type != NFTPROG_NAT_CHAIN &&
	       b->type != NFTPROG_NAT_CHAIN;
}

static bool of_one_table(const struct nfteval *v, size_t from, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v->bases[from + i]->table != v->bases[from]->table)
			return false;
	return true;
}

static void swap(const struct nftprog_chain **a, const struct nftprog_chain **b)
{
	const struct nftprog_chain *c = *a;

	*a = *b;
	*b = c;
}

/* Each order of the chains from @at to @end (Heap's algorithm): does the packet fare otherwise? */
static bool order_matters(struct nfteval *v, size_t at, size_t n,
			  const struct nfteval_state *before, const struct nfteval_state *after)
{
	_cleanup_(freep) struct nfteval_state *s = NULL;

	for (size_t i = 0; n > 1 && i < n; i++) {
		if (order_matters(v, at, n - 1, before, after))
			return true;
		swap(&v->bases[at + (n % 2 ? 0 : i)], &v->bases[at + n - 1]);
	}
	if (n > 1)
		return false;
	s = copy_of(v, before);
	if (!s)
		return false;
	run_order(v, s);
	return !same_fate(s, after);
}

/*
 * Chains of one priority in different tables: the kernel asks the one first that was hung up last,
 * and does not tell which that was. Unless the order makes no difference, it is unknown.
 */
static void check_ties(struct nfteval *v, const struct nfteval_state *before,
		       struct nfteval_state *s)
{
	const struct nftprog_chain *order[BASES_MAX];
	size_t n;

	memcpy(order, v->bases, v->n_bases * sizeof(*order));
	for (size_t i = 0; i < v->n_bases && s->res.outcome != NFTEVAL_UNKNOWN; i += n) {
		for (n = 1; i + n < v->n_bases && is_tied(order[i], order[i + n]);)
			n++;
		if (n == 1 || of_one_table(v, i, n))
			continue;
		if (n > TIED_MAX || order_matters(v, i, n, before, s)) {
			struct nfteval_place at = {order[i], SIZE_MAX};

			finish_unknown(s, &at, "which of the chains of one priority is first");
		}
		memcpy(v->bases, order, v->n_bases * sizeof(*order));
	}
}

static size_t choose_bases(const struct nftprog *p, const struct nfteval_at *at,
			   const struct nftprog_chain **ret)
{
	size_t n = nftprog_bases(p, at->pf, at->hook, at->device, ret, BASES_MAX), kept = 0;

	for (size_t i = 0; i < n && n <= BASES_MAX; i++) {
		int64_t prio = nftprog_priority(ret[i]);

		if (prio >= at->from && prio < at->to)
			ret[kept++] = ret[i];
	}
	return n > BASES_MAX ? SIZE_MAX : kept;
}

/* What the rules have done becomes the packet's. */
static void hand_back(const struct nfteval_state *s, struct nfteval_packet *pkt)
{
	uint8_t *bytes = pkt->bytes;

	if (s->res.outcome == NFTEVAL_UNKNOWN)
		return;
	for (size_t i = 0; i < s->n_writes; i++)
		memcpy(bytes + s->writes[i].at, s->writes[i].bytes, s->writes[i].len);
	*pkt = s->pkt;
}

static bool packet_fits(const struct nfteval_packet *pkt)
{
	return pkt->bytes && pkt->network >= 0 && (size_t)pkt->network <= pkt->len &&
	       pkt->link <= pkt->network;
}

int nfteval_run(const struct nftprog *p, const struct nfteval_at *at,
		const struct nfteval_asked *asked, struct nfteval_packet *pkt,
		struct nfteval_result *ret)
{
	static const struct nfteval_asked nobody;
	const struct nftprog_chain *bases[BASES_MAX];
	struct nfteval v = {.p = p, .at = at, .asked = asked ? asked : &nobody, .bases = bases};
	_cleanup_(freep) struct nfteval_state *before = NULL, *s = NULL;

	if (!packet_fits(pkt))
		return -EINVAL;
	v.n_bases = choose_bases(p, at, bases);
	before = calloc(1, sizeof(*before));
	if (!before)
		return -ENOMEM;
	before->pkt = *pkt;
	s = copy_of(&v, before);
	if (!s)
		return -ENOMEM;
	if (v.n_bases == SIZE_MAX) {
		struct nfteval_place nowhere = {NULL, 0};

		finish_unknown(s, &nowhere, "more chains than are looked at");
	} else {
		run_order(&v, s);
		check_ties(&v, before, s);
	}
	if (v.error)
		return v.error;
	hand_back(s, pkt);
	*ret = s->res;
	return 0;
}
