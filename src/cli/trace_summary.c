/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace_summary.c - a way is the hops' names with their devices, rules and routes, without times and
 * without the flows' addresses, and how it ended.
 */
#include "cli/trace_summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/diagnosis_show.h"
#include "cli/output.h"
#include "cli/trace_json.h"

#define WAY_TEXT_MAX 8192

/* struct way_cause - why packets end badly that way, and how many did so. */
struct way_cause {
	struct diagnosis why;
	uint64_t count;
};

/**
 * struct way - one way that packets took
 * @text:	its hops, joined by " > ", and its end; owned
 * @ns:		how long it took, the last SUMMARY_SAMPLES_MAX times; owned
 * @causes:	@n_causes of them; owned, NULL where there is nothing to explain
 */
struct way {
	uint64_t key;
	char *text;
	enum journey_end end;
	uint64_t count;
	uint64_t bytes;
	uint64_t *ns;
	size_t room;
	struct way_cause *causes;
	size_t n_causes;
};

struct trace_summary {
	struct way ways[SUMMARY_WAYS_MAX];
	size_t n;
	uint64_t others;
};

int trace_summary_new(struct trace_summary **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void trace_summary_free(struct trace_summary *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->ways[i].text);
		free(s->ways[i].ns);
		free(s->ways[i].causes);
	}
	free(s);
}

/* Translation is told, but not of what into what: it differs for each connection. */
static void way_text(const struct journey *j, const struct journey_words *w, struct buf *out)
{
	for (size_t i = 0; i < j->n_hops; i++) {
		struct hop whole = j->hops[i];
		const struct hop *h = &whole;

		whole.pieces = 0; /* it is the same way, in however many pieces */
		if (h->kind == HOP_QDISC || (h->kind == HOP_FW && !h->decision.handle))
			continue;
		buf_printf(out, "%s%s", out->len ? " > " : "", hop_name(h->kind));
		if (h->kind == HOP_NAT || h->kind == HOP_JOIN || h->kind == HOP_NEIGH ||
		    (h->kind == HOP_ROUTE && h->route.err))
			continue;
		buf_puts(out, " ");
		hop_text(h, w, out);
	}
	if (j->end == JOURNEY_DROPPED)
		return;
	buf_puts(out, ": ");
	if (j->end == JOURNEY_JOINED)
		buf_puts(out, "JOINED to the last fragment");
	else
		journey_end_text(j, w, out);
}

static struct way *way_find(struct trace_summary *s, uint64_t key, const char *text)
{
	struct way *w;

	for (size_t i = 0; i < s->n; i++)
		if (s->ways[i].key == key)
			return &s->ways[i];
	if (s->n == SUMMARY_WAYS_MAX)
		return NULL;
	w = &s->ways[s->n];
	w->text = strdup(text);
	if (!w->text)
		return NULL;
	w->key = key;
	s->n++;
	return w;
}

static void sample(struct way *w, uint64_t ns)
{
	size_t at = w->count % SUMMARY_SAMPLES_MAX;

	if (at >= w->room && w->room < SUMMARY_SAMPLES_MAX) {
		size_t room = w->room ? w->room * 2 : 64;
		uint64_t *p = reallocarray(w->ns, room, sizeof(*p));

		if (!p)
			return;
		w->ns = p;
		w->room = room;
	}
	w->ns[at] = ns;
	w->count++;
}

static void add_cause(struct way *w, const struct diagnosis *why)
{
	struct way_cause *all;

	for (size_t i = 0; i < w->n_causes; i++) {
		struct way_cause *c = &w->causes[i];

		if (strcmp(c->why.code, why->code) != 0 || strcmp(c->why.mend, why->mend) != 0)
			continue;
		c->count++;
		return;
	}
	if (w->n_causes == SUMMARY_CAUSES_MAX)
		return;
	all = reallocarray(w->causes, w->n_causes + 1, sizeof(*all));
	if (!all)
		return;
	w->causes = all;
	all[w->n_causes++] = (struct way_cause){.why = *why, .count = 1};
}

void trace_summary_add(struct trace_summary *s, const struct journey *j,
		       const struct journey_words *w, const struct diagnosis *why)
{
	struct buf text = BUF_INIT(WAY_TEXT_MAX);
	struct way *way;

	way_text(j, w, &text);
	way = way_find(s, hash_str(HASH_INIT, buf_str(&text)), buf_str(&text));
	if (way) {
		way->end = j->end;
		way->bytes += j->first.len;
		sample(way, j->last_ns - j->begin_ns);
		if (why)
			add_cause(way, why);
	} else {
		s->others++;
	}
	buf_done(&text);
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The least time that @percent of the samples (sorted) do not exceed, in us. */
static double percentile(const struct way *w, unsigned int percent)
{
	size_t n = (size_t)(w->count < SUMMARY_SAMPLES_MAX ? w->count : SUMMARY_SAMPLES_MAX);
	size_t at = (n * percent + 99) / 100;

	if (n == 0)
		return 0;
	return (double)w->ns[at ? at - 1 : 0] / 1e3;
}

static int compare_ways(const void *a, const void *b)
{
	const struct way *const *x = a, *const *y = b;

	return ((*x)->count < (*y)->count) - ((*x)->count > (*y)->count);
}

/* The ways, most frequent first, their times sorted; how many. */
static size_t ways_sorted(const struct trace_summary *s, const struct way **ret)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct way *w = &s->ways[i];

		qsort(w->ns,
		      (size_t)(w->count < SUMMARY_SAMPLES_MAX ? w->count : SUMMARY_SAMPLES_MAX),
		      sizeof(*w->ns), compare_ns);
		ret[i] = w;
	}
	qsort(ret, s->n, sizeof(*ret), compare_ways);
	return s->n;
}

void trace_summary_print(const struct trace_summary *s, bool color)
{
	const struct way *ways[SUMMARY_WAYS_MAX];
	size_t n = ways_sorted(s, ways);

	for (size_t i = 0; i < n; i++) {
		const struct way *w = ways[i];

		printf("%s%8" PRIu64 "x%s  %" PRIu64
		       " bytes  p50 %.1f us  p99 %.1f us  max %.1f us\n    ",
		       out_color(color, OUT_BOLD), w->count, out_color(color, OUT_PLAIN), w->bytes,
		       percentile(w, 50), percentile(w, 99), percentile(w, 100));
		fputs(out_color(color, w->end == JOURNEY_DROPPED ? OUT_RED : OUT_PLAIN), stdout);
		out_print_escaped(stdout, w->text);
		printf("%s\n", out_color(color, OUT_PLAIN));
		for (size_t c = 0; c < w->n_causes; c++)
			diagnosis_print(&w->causes[c].why, color, false);
	}
	if (s->others)
		printf("%8" PRIu64 "x  other ways\n", s->others);
}

static json_t *causes_json(const struct way *w)
{
	json_t *a = json_array();

	for (size_t i = 0; i < w->n_causes; i++) {
		json_t *o = diagnosis_json(&w->causes[i].why);

		json_object_set_new(o, "packets", json_integer((json_int_t)w->causes[i].count));
		json_array_append_new(a, o);
	}
	return a;
}

void trace_summary_json(const struct trace_summary *s)
{
	const struct way *ways[SUMMARY_WAYS_MAX];
	size_t n = ways_sorted(s, ways);

	for (size_t i = 0; i < n; i++) {
		const struct way *w = ways[i];

		trace_json_line(json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:o}", "event",
					  "way", "way", w->text, "verdict",
					  journey_end_name(w->end), "packets", (json_int_t)w->count,
					  "bytes", (json_int_t)w->bytes, "p50_us",
					  percentile(w, 50), "p99_us", percentile(w, 99), "max_us",
					  percentile(w, 100), "diagnoses", causes_json(w)));
	}
	if (s->others)
		trace_json_line(json_pack("{s:s, s:n, s:I}", "event", "way", "way", "packets",
					  (json_int_t)s->others));
}
