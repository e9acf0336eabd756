/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_explain.c - vmlane explain GUEST tcp 198.51.100.7:443: what would become of it, without sending
 * anything; and with --probe, whether that is so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/ask.h"
#include "cli/trace_json.h"
#include "cli/trace_show.h"
#include "inspect/explain.h"
#include "path/way.h"

#define EXIT_UNKNOWN 4
#define EXIT_DIFFERS 5
#define LINE_MAX_LEN 4096

enum {
	EXPLAIN_SOURCE,
	EXPLAIN_SIZE,
	EXPLAIN_OUTSIDE,
	EXPLAIN_PROBE,
	EXPLAIN_PORT,
	EXPLAIN_MAC,
	EXPLAIN_NETNS,
	EXPLAIN_OPTS,
};

static const struct verb_opt opts[] = {
	[EXPLAIN_SOURCE] = {"source", "ADDR", "the sender's address; by default the guest's own"},
	[EXPLAIN_SIZE] = {"size", "BYTES", "of the whole IP packet, which must not be fragmented"},
	[EXPLAIN_OUTSIDE] = {"from-outside", NULL, "a client outside sends it to DEST"},
	[EXPLAIN_PROBE] = {"probe", NULL, "then probe it, and say what was otherwise"},
	[EXPLAIN_PORT] = {"port", "IF", "the guest at this port of a bridge, or at this tap"},
	[EXPLAIN_MAC] = {"mac", "MAC", "the guest's MAC"},
	[EXPLAIN_NETNS] = {"netns", "NAME", "in this network namespace"},
};
_Static_assert(ARRAY_SIZE(opts) == EXPLAIN_OPTS, "an option for each number");

/**
 * struct telling - what is told of an explanation, or of the probe behind it
 * @started:	@show knows the words
 * @outcome:	of the explanation
 * @ways:	there and back
 * @rules:	the probe could tell which rules decided
 */
struct telling {
	struct trace_show *show;
	bool started;
	const struct explain_outcome *outcome;
	struct way ways[2];
	bool rules;
};

#define TELLING_INIT                                                                               \
	{                                                                                          \
		.ways = { WAY_INIT, WAY_INIT }                                                     \
	}

static void telling_done(struct telling *t)
{
	trace_show_free(t->show);
	way_done(&t->ways[0]);
	way_done(&t->ways[1]);
}

static int telling_show(struct cli *cli, const struct subject *s, struct telling *t)
{
	const struct trace_show_options how = {
		.socket = cli->socket, .json = cli->json, .color = cli->color};
	int r = trace_show_new(&how, s, &t->show);

	return r < 0 ? ask_failed(&(struct err){.message = "out of memory"}, r) : EXIT_OK;
}

static bool on_predicted(const struct journey *j, const struct journey_words *w, bool reply,
			 void *ctx)
{
	struct telling *t = ctx;

	trace_show_predict(t->show, w);
	way_outline(j, w, t->outcome->any_port, &t->ways[reply]);
	return trace_show_journey(t->show, j, true);
}

static bool on_seen(const struct journey *j, const struct tracing *tracing, bool reply, void *ctx)
{
	struct telling *t = ctx;

	if (!t->started)
		trace_show_use(t->show, tracing);
	t->started = true;
	t->rules = tracing_knows_rules(tracing);
	if (!t->ways[reply].got)
		way_outline(j, tracing_words(tracing), t->outcome->any_port, &t->ways[reply]);
	return trace_show_journey(t->show, j, true);
}

/* ---- the answer ---- */

static const struct {
	const char *name;
	const char *meaning;
	enum out_color color;
	int exit;
} results[] = {
	[EXPLAIN_PASSES] = {"reachable", "it would get there, and the reply back", OUT_GREEN,
			    EXIT_OK},
	[EXPLAIN_NO_WAY] = {"not reachable", "it would not get there", OUT_RED, EXIT_REFUSED},
	[EXPLAIN_NO_WAY_BACK] = {"no way back", "it would get there, but no reply back", OUT_RED,
				 EXIT_REFUSED},
	[EXPLAIN_UNKNOWN] = {"unknown", "it cannot be said", OUT_YELLOW, EXIT_UNKNOWN},
};

static void show_outcome(const struct cli *cli, const struct explain_outcome *o)
{
	json_t *line;

	if (!cli->json) {
		printf("%s%s%s: %s%s%s (nothing was sent)\n",
		       out_color(cli->color, results[o->result].color), results[o->result].name,
		       out_color(cli->color, OUT_PLAIN), results[o->result].meaning,
		       o->what[0] ? "; " : "", o->what);
		return;
	}
	line = json_pack("{s:s, s:s, s:b, s:s?}", "event", "answer", "answer",
			 results[o->result].name, "predicted", 1, "what",
			 o->what[0] ? o->what : NULL);
	json_object_set_new(line, "reachable",
			    o->result == EXPLAIN_UNKNOWN
				    ? json_null()
				    : json_boolean(o->result == EXPLAIN_PASSES));
	trace_json_line(line);
}

/* ---- and the truth ---- */

/* The answers have the same order, and of what is not known nothing can be wrong. */
static bool same_answer(enum explain_result predicted, enum probe_answer seen, struct buf *out)
{
	_Static_assert((int)EXPLAIN_PASSES == (int)PROBE_REACHABLE &&
			       (int)EXPLAIN_NO_WAY == (int)PROBE_NO_WAY &&
			       (int)EXPLAIN_NO_WAY_BACK == (int)PROBE_NO_WAY_BACK,
		       "the same order");
	if (predicted == EXPLAIN_UNKNOWN || seen == PROBE_NOT_KNOWN || (int)predicted == (int)seen)
		return true;
	buf_printf(out, "predicted \"%s\", seen \"%s\"", results[predicted].name,
		   results[(int)seen].name);
	return false;
}

static int show_comparison(const struct cli *cli, const struct explain_outcome *o,
			   const struct telling *predicted, const struct telling *seen,
			   enum probe_answer answer)
{
	struct buf words = BUF_INIT(LINE_MAX_LEN);
	/* The host's own answer is not always recognized as such, and not all rules of it are seen. */
	bool unseen = o->by_host && !seen->ways[1].got;
	bool same = way_compare(&predicted->ways[0], &seen->ways[0], seen->rules, &words) &&
		    (unseen || !predicted->ways[1].got ||
		     way_compare(&predicted->ways[1], &seen->ways[1], false, &words)) &&
		    (unseen || same_answer(o->result, answer, &words));

	if (cli->json)
		trace_json_line(json_pack("{s:s, s:b, s:s?}", "event", "comparison", "same", same,
					  "difference", same ? NULL : buf_str(&words)));
	else if (!same)
		printf("%sthe probe differs%s: %s\n", out_color(cli->color, OUT_RED),
		       out_color(cli->color, OUT_PLAIN), buf_str(&words));
	else
		printf("the probe agrees%s\n",
		       o->result == EXPLAIN_UNKNOWN ? ", as far as it could be said" : "");
	buf_done(&words);
	return same ? results[o->result].exit : EXIT_DIFFERS;
}

static int probe(struct cli *cli, struct ask *q, const struct probe_request *request,
		 const struct explain_outcome *o, const struct telling *predicted)
{
	enum probe_answer answer = PROBE_NO_WAY;
	struct telling seen = TELLING_INIT;
	struct err e = {0};
	int r = telling_show(cli, &q->subject, &seen);

	if (r != EXIT_OK)
		return r;
	q->probe.request = request;
	seen.outcome = o;
	if (!cli->json)
		puts("");
	r = probe_run(&q->subject, &q->probe, on_seen, &seen, &answer, &e);
	r = r < 0 ? ask_failed(&e, r) : show_comparison(cli, o, predicted, &seen, answer);
	telling_done(&seen);
	return r;
}

static int explain(struct cli *cli, struct ask *q, bool probed)
{
	struct telling predicted = TELLING_INIT;
	struct probe_request request = {0};
	struct explain_outcome o = {0};
	struct err e = {0};
	int r;

	predicted.outcome = &o;
	r = telling_show(cli, &q->subject, &predicted);
	if (r != EXIT_OK)
		return r;
	if (!q->probe.from_outside && trace_show_blocked(predicted.show, q->subject.ports[0])) {
		telling_done(&predicted);
		o.result = EXPLAIN_NO_WAY;
		show_outcome(cli, &o);
		return EXIT_REFUSED;
	}
	r = probe_request_make(&q->subject, &q->probe, &request, &e);
	if (r == 0) {
		request.mark = probed ? probe_mark() : 0;
		r = explain_run(&q->subject, &request, on_predicted, &predicted, &o, &e);
	}
	if (r < 0) {
		r = ask_failed(&e, r);
	} else {
		show_outcome(cli, &o);
		r = probed ? probe(cli, q, &request, &o, &predicted) : results[o.result].exit;
	}
	telling_done(&predicted);
	return r;
}

static int run_explain(struct cli *cli, const struct verb_args *a)
{
	struct ask q = {
		.source = a->opt[EXPLAIN_SOURCE],
		.size = a->opt[EXPLAIN_SIZE],
		.from_outside = a->opt[EXPLAIN_OUTSIDE],
		.port = a->opt[EXPLAIN_PORT],
		.mac = a->opt[EXPLAIN_MAC],
		.netns = a->opt[EXPLAIN_NETNS],
	};
	int r = ask_parse(cli, "explain", a, &q);

	if (r == EXIT_OK)
		r = explain(cli, &q, a->opt[EXPLAIN_PROBE]);
	ask_done(&q);
	return r;
}

static const struct verb verbs[] = {
	{"explain",
	 "GUEST icmp|arp ADDR | tcp|udp ADDR:PORT [--from-outside] [--source ADDR] "
	 "[--size BYTES] [--probe]",
	 "predict from the host's state what would become of a guest's packet",
	 .more = "Nothing is sent: the way of the packet and of its reply is concluded from ports, "
		 "MAC tables, rules,\n"
		 "routes, sysctls and neighbours as they are now. What is not known is said, "
		 "never guessed.\n"
		 "Exit status 0: both would get there; 2: not; 4: it cannot be said; 5: --probe "
		 "found it otherwise.\n",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 0, .max = VERB_ANY, .run = run_explain},
};

const struct noun noun_explain = {
	.name = "explain",
	.help = "Would it get there? Conclude it from the host's state, without sending anything.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
