/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_hook.c - netfilter's hooks: nf_tables' chains by nft_eval.h, iptables-legacy's as far as it can
 * be known, in the order of their priorities.
 */
#include "path/explain_internal.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>

#include "path/diagnose_policy.h"
#include "path/nftrace_msg.h"

/* ---- decisions, as a trace tells them ---- */

static const char *hook_name(const struct hook_at *at)
{
	static const char *const inet[] = {"prerouting", "input", "forward", "output",
					   "postrouting"};
	static const char *const netdev[] = {"ingress", "egress"};
	static const char *const arp[] = {"input", "output"};

	switch (at->pf) {
	case NFPROTO_NETDEV:
		return at->hook < ARRAY_SIZE(netdev) ? netdev[at->hook] : "";
	case NFPROTO_ARP:
		return at->hook < ARRAY_SIZE(arp) ? arp[at->hook] : "";
	default:
		return at->hook < ARRAY_SIZE(inet) ? inet[at->hook] : "";
	}
}

static struct path_decision decision_of(struct walk *w, const struct hook_at *at,
					const struct nftprog_chain *base,
					const struct nfteval_result *r, size_t step)
{
	const struct nftprog_table *t = base->table;
	const struct nfteval_step *s = &r->steps[step];
	uint64_t handle = s->rule ? s->rule->handle : 0;
	const struct rules_rule *text =
		handle && w->h->texts ? rules_find(w->h->texts, t->family, t->name, handle) : NULL;
	struct path_decision d = {.handle = handle, .drops = s->verdict == NF_DROP};

	snprintf(d.family, sizeof(d.family), "%s", rules_family_name(t->family));
	snprintf(d.table, sizeof(d.table), "%s", t->name);
	snprintf(d.base, sizeof(d.base), "%s", base->name);
	snprintf(d.chain, sizeof(d.chain), "%s", handle ? s->chain->name : base->name);
	snprintf(d.hook, sizeof(d.hook), "%s", hook_name(at));
	snprintf(d.verdict, sizeof(d.verdict), "%s", nftrace_verdict_name(s->verdict));
	snprintf(d.rule, sizeof(d.rule), "%s", text ? text->text : "");
	if (r->one_of && step >= r->certain)
		snprintf(d.one_of, sizeof(d.one_of), "%s", r->one_of);
	return d;
}

static void decide(struct walk *w, const struct path_decision *d)
{
	int r = journeys_decided(w->j, w->number, w->x->clock_ns += EXPLAIN_STEP_NS, d);

	if (r < 0)
		*w->error = r;
}

static bool goes_on(int32_t verdict)
{
	return verdict == NFT_CONTINUE || verdict == NFT_JUMP || verdict == NFT_GOTO ||
	       verdict == NFT_RETURN || verdict == NFT_BREAK;
}

/* A rule of a policy may let a packet go on to others, by the end of its chain: that is its word, too. */
static void note_policy(struct walk *w, const struct hook_at *at, const struct nftprog_chain *base,
			const struct nfteval_result *r, size_t step)
{
	const struct nfteval_step *s = &r->steps[step];
	struct explanation *x = w->x;
	char network[POLICY_NAME_MAX + 1], rule[POLICY_RULE_STRLEN];
	struct explain_policy p;

	if (w->reply || !s->rule || x->n_policy == EXPLAIN_POLICY_MAX ||
	    (s->verdict != NFT_RETURN && goes_on(s->verdict)))
		return;
	p.rule = decision_of(w, at, base, r, step);
	p.allows = s->verdict != NF_DROP;
	if (policy_rule_of(&p.rule, network, rule))
		x->policy[x->n_policy++] = p;
}

/* One decision for each base chain: its steps end with a verdict, or with the policy. */
static void decide_all(struct walk *w, const struct hook_at *at, const struct nfteval_result *r)
{
	const struct nftprog_chain *base = NULL;
	struct path_decision d;

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct nfteval_step *s = &r->steps[i];

		if (!base || (!s->rule && s->chain->base))
			base = s->chain;
		note_policy(w, at, base, r, i);
		if (s->rule && goes_on(s->verdict))
			continue;
		/* The end of a chain that was jumped to is no decision. */
		if (!s->rule && !s->chain->base)
			continue;
		d = decision_of(w, at, base, r, i);
		decide(w, &d);
		base = NULL;
	}
}

/* ---- what came of it ---- */

static bool unknown_rule(struct walk *w, const struct nfteval_result *r)
{
	const struct nftprog_chain *c = r->unknown_chain;

	if (r->unknown_rule)
		c = r->unknown_rule->chain;
	if (!c)
		return walk_unknown(w, "%s", r->unknown);
	if (!r->unknown_rule)
		return walk_unknown(w, "%s: %s %s %s", r->unknown,
				    rules_family_name(c->table->family), c->table->name, c->name);
	return walk_unknown(w, "%s: %s %s %s handle %llu", r->unknown,
			    rules_family_name(c->table->family), c->table->name, c->name,
			    (unsigned long long)r->unknown_rule->handle);
}

/* Effects that lead where this model does not go. */
static bool follow_effects(struct walk *w, const struct nfteval_result *r)
{
	if (r->tproxy)
		return walk_unknown(w, "tproxy: a socket of this host takes it");
	if (r->set_zone)
		return walk_unknown(w, "ct zone %u: conntrack's zones are not modelled", r->zone);
	if (r->snat.set)
		w->snat = r->snat;
	if (r->dnat.set)
		w->dnat = r->dnat;
	return true;
}

static bool conclude(struct walk *w, const struct nfteval_result *r, int where)
{
	switch (r->outcome) {
	case NFTEVAL_ACCEPT:
		return follow_effects(w, r);
	case NFTEVAL_DROP:
		walk_drop(w, where, "NETFILTER_DROP", "nft_do_chain");
		if (r->rejected)
			walk_note(w, HOP_DROP, "the sender is told");
		return false;
	case NFTEVAL_QUEUE:
		return walk_unknown(w, "queue %u: a program of this host decides", r->queue);
	case NFTEVAL_STOLEN:
		return walk_unknown(w, "fwd: it leaves by the interface %u at once", r->fwd_dev);
	default:
		return unknown_rule(w, r);
	}
}

/* Networks' limits on guests (firewall/policy.h): nobody can be asked how much of them is used. */
static bool is_limit(const struct nftprog_chain *c)
{
	return c->table->family == NFPROTO_INET && strcmp(c->table->name, "vmlane") == 0 &&
	       strncmp(c->name, "limit/", 6) == 0;
}

static bool run(struct walk *w, const struct hook_at *at, int64_t from, int64_t to, int where)
{
	const struct nfteval_at where_at = {.pf = at->pf,
					    .hook = at->hook,
					    .device = at->device,
					    .from = from,
					    .to = to,
					    .now_s = w->h->now_s,
					    .below = is_limit};
	struct nfteval_result *r;
	bool on;
	int err;

	if (from >= to)
		return true;
	r = calloc(1, sizeof(*r));
	if (!r) {
		*w->error = -ENOMEM;
		return false;
	}
	w->pkt.in = walk_dev(w, at->in);
	w->pkt.out = walk_dev(w, at->out);
	w->pkt.phys_in = walk_dev(w, at->phys_in);
	w->pkt.phys_out = walk_dev(w, at->phys_out);
	err = nfteval_run(w->h->rules, &where_at, &w->h->asked, &w->pkt, r);
	if (err < 0)
		*w->error = err;
	else
		decide_all(w, at, r);
	on = err == 0 && conclude(w, r, where);
	free(r);
	return on;
}

/* ---- iptables-legacy ---- */

/* struct legacy_table - where it has its say: hooks as bits */
struct legacy_table {
	const char *name;
	int priority;
	unsigned int hooks;
};

#define AT(hook) (1u << NF_INET_##hook)

static const struct legacy_table legacy_tables[] = {
	{"raw", NF_IP_PRI_RAW, AT(PRE_ROUTING) | AT(LOCAL_OUT)},
	{"mangle", NF_IP_PRI_MANGLE,
	 AT(PRE_ROUTING) | AT(LOCAL_IN) | AT(FORWARD) | AT(LOCAL_OUT) | AT(POST_ROUTING)},
	{"nat", NF_IP_PRI_NAT_DST, AT(PRE_ROUTING) | AT(LOCAL_OUT)},
	{"filter", NF_IP_PRI_FILTER, AT(LOCAL_IN) | AT(FORWARD) | AT(LOCAL_OUT)},
	{"security", NF_IP_PRI_SECURITY, AT(LOCAL_IN) | AT(FORWARD) | AT(LOCAL_OUT)},
	{"nat", NF_IP_PRI_NAT_SRC, AT(LOCAL_IN) | AT(POST_ROUTING)},
};

static bool ask_legacy(struct walk *w, const struct hook_at *at, const struct legacy_table *t,
		       int where)
{
	int family = at->pf == NFPROTO_IPV4 ? AF_INET : AF_INET6;

	/* Rules of table nat see a connection's first packet only. */
	if (strcmp(t->name, "nat") == 0 && w->pkt.ct.state == NFTEVAL_CT_ESTABLISHED)
		return true;
	switch (w->h->legacy(family, t->name, at->hook, w->h->ctx)) {
	case EXPLAIN_LEGACY_PASS:
		return true;
	case EXPLAIN_LEGACY_DROP:
		walk_drop(w, where, "NETFILTER_DROP", "nf_hook_slow");
		walk_note(w, HOP_DROP, "iptables-legacy table %s policy DROP", t->name);
		return false;
	default:
		return walk_unknown(w, "iptables-legacy table %s: its rules are not modelled",
				    t->name);
	}
}

/* ---- who is no rule ---- */

bool walk_others(struct walk *w, uint8_t pf, unsigned int hook)
{
	struct explain_hook at = {.pf = pf, .hook = hook};
	char who[RULE_TEXT_MAX];

	if (pf != NFPROTO_IPV4 && pf != NFPROTO_IPV6)
		return true;
	at.l4 = walk_l4(w);
	at.src = walk_src(w);
	at.dst = walk_dst(w);
	if (!w->h->others(&at, who, sizeof(who), w->h->ctx))
		return true;
	return walk_unknown(w, "%s", who);
}

bool walk_hook(struct walk *w, const struct hook_at *at, int64_t from, int64_t to, int where)
{
	int64_t done = from;

	if (!walk_others(w, at->pf, at->hook))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(legacy_tables); i++) {
		const struct legacy_table *t = &legacy_tables[i];

		if ((at->pf != NFPROTO_IPV4 && at->pf != NFPROTO_IPV6) || t->priority < from ||
		    t->priority >= to || !(t->hooks & 1u << at->hook))
			continue;
		if (!run(w, at, done, t->priority, where) || !ask_legacy(w, at, t, where))
			return false;
		done = t->priority;
	}
	return run(w, at, done, to, where);
}

bool walk_hook_all(struct walk *w, const struct hook_at *at, int where)
{
	return walk_hook(w, at, NFTEVAL_FIRST, NFTEVAL_LAST, where);
}
