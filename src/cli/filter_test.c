/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter_test.c - see filter_test.h. */
#include "cli/filter_test.h"

#include <errno.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/output.h"
#include "inspect/explain.h"
#include "path/diagnose_policy.h"

#define EXIT_UNKNOWN 4

const struct verb_opt filter_test_opts[FILTER_TEST_OPTS] = {
	[FILTER_TEST_SOURCE] = {"source", "ADDR",
				"the sender's address; by default the guest's own"},
	[FILTER_TEST_OUTSIDE] = {"from-outside", NULL, "a client outside sends it to DEST"},
};

/**
 * struct verdict - what is said of a packet
 * @dropped:	a rule drops it, @by that
 * @elsewhere:	its way ends, but by no rule: the filters let it go so far
 * @unknown:	its rules cannot be decided
 * @what:	it would take to know
 */
struct verdict {
	bool dropped;
	struct path_decision by;
	bool elsewhere;
	bool unknown;
	char what[RULE_TEXT_MAX];
};

static bool on_way(const struct journey *j, const struct journey_words *w, bool reply, void *ctx)
{
	struct verdict *v = ctx;

	(void)w;
	if (reply)
		return false;
	for (size_t i = 0; i < j->n_hops; i++) {
		const struct hop *h = &j->hops[i];

		if (h->kind == HOP_UNKNOWN)
			snprintf(v->what, sizeof(v->what), "%s", h->decision.rule);
		if (h->kind != HOP_DROP)
			continue;
		v->dropped = h->decision.drops;
		v->elsewhere = !h->decision.drops;
		v->by = h->decision;
	}
	return false;
}

/* Chains of the table that say so themselves why. */
static const struct {
	const char *chain;
	const char *words;
} defaults[] = {
	{"closed_host", "the host is closed: DHCP, DNS and ping, and what rules allow"},
	{"no_metadata", "`metadata: deny`: the cloud's metadata service is out of reach"},
	{"too_many", "`limits`: too many connections"},
	{"too_fast", "`limits`: too many new connections a second"},
	{"refuse_out", "nothing gets from this network to there"},
	{"to_guest", "new connections from outside do not get in"},
	{"new_in_6", "new connections from outside do not get in"},
	{"shut_in", "nothing of the outside gets into this network"},
	{"shut_out", "the host is not in this network"},
};

static const char *why(const struct path_decision *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (strcmp(p->table, "vmlane") == 0 && strcmp(p->chain, defaults[i].chain) == 0)
			return defaults[i].words;
	return NULL;
}

static const char *answer_of(const struct verdict *v)
{
	if (v->unknown)
		return "unknown";
	return v->dropped ? "denied" : "allowed";
}

static int exit_of(const struct verdict *v)
{
	if (v->unknown)
		return EXIT_UNKNOWN;
	return v->dropped ? EXIT_REFUSED : EXIT_OK;
}

static json_t *rules_json(const struct explain_outcome *o)
{
	char network[POLICY_NAME_MAX + 1], rule[POLICY_RULE_STRLEN];
	json_t *list = json_array();

	for (size_t i = 0; i < o->n_policy; i++)
		if (policy_rule_of(&o->policy[i].rule, network, rule))
			json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "network", network,
							      "rule", rule, "allows",
							      o->policy[i].allows));
	return list;
}

static void show_json(const struct verdict *v, const struct explain_outcome *o)
{
	json_t *j = json_pack("{s:s, s:o}", "answer", answer_of(v), "rules", rules_json(o));

	if (v->dropped)
		json_object_set_new(j, "by",
				    json_pack("{s:s, s:s, s:s, s:I, s:s?}", "family", v->by.family,
					      "table", v->by.table, "chain", v->by.chain, "handle",
					      (json_int_t)v->by.handle, "why", why(&v->by)));
	else
		json_object_set_new(j, "by", json_null());
	if (v->unknown)
		json_object_set_new(j, "unknown", json_string(v->what));
	out_json(j);
	json_decref(j);
}

static void show(const struct cli *cli, const struct verdict *v, const struct explain_outcome *o)
{
	char network[POLICY_NAME_MAX + 1], rule[POLICY_RULE_STRLEN];
	enum out_color color = v->unknown ? OUT_YELLOW : v->dropped ? OUT_RED : OUT_GREEN;
	bool told = false;

	printf("%s%s%s", out_color(cli->color, color), answer_of(v),
	       out_color(cli->color, OUT_PLAIN));
	for (size_t i = 0; i < o->n_policy; i++) {
		if (!policy_rule_of(&o->policy[i].rule, network, rule))
			continue;
		printf("%s network %s: %s", told ? "," : ":", network, rule);
		told = true;
	}
	if (v->unknown)
		printf(": %s", v->what);
	else if (v->dropped && why(&v->by))
		printf("%s %s", told ? ";" : ":", why(&v->by));
	else if (v->dropped && (!told || o->policy[o->n_policy - 1].allows))
		printf("%s table %s %s, chain %s, handle %llu", told ? ";" : ":", v->by.family,
		       v->by.table, v->by.chain, (unsigned long long)v->by.handle);
	else if (!told)
		printf(": no rule of a policy matches it");
	puts(v->elsewhere ? "; it would not get there all the same: vmlane explain says why" : "");
}

int filter_test(struct cli *cli, const struct verb_args *a)
{
	struct ask q = {.source = a->opt[FILTER_TEST_SOURCE],
			.from_outside = a->opt[FILTER_TEST_OUTSIDE]};
	struct probe_request request = {0};
	struct explain_outcome o = {0};
	struct verdict v = {0};
	struct err e = {0};
	int r = ask_parse(cli, "filter test", a, &q);

	if (r != EXIT_OK) {
		ask_done(&q);
		return r;
	}
	r = probe_request_make(&q.subject, &q.probe, &request, &e);
	if (r == 0)
		r = explain_run(&q.subject, &request, on_way, &v, &o, &e);
	if (r < 0) {
		r = ask_failed(&e, r);
	} else {
		v.unknown = o.undecided;
		if (cli->json)
			show_json(&v, &o);
		else
			show(cli, &v, &o);
		r = exit_of(&v);
	}
	ask_done(&q);
	return r;
}
