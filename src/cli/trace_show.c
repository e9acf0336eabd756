/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace_show.c - see trace_show.h. What is seen of packets is numbers and addresses; names of
 * interfaces and guests come from elsewhere and are escaped.
 */
#include "cli/trace_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/diagnosis_show.h"
#include "cli/output.h"
#include "cli/trace_json.h"
#include "cli/trace_summary.h"
#include "inspect/diagnosing.h"

#define LINE_MAX_LEN 4096
#define STATUS_MS 500

/**
 * struct trace_show - what is printed, and where it stands
 * @tracing:	NULL: ways are predicted, and take no time
 * @status:	the last line on the terminal is the status, to be wiped first
 * @shown:	packets given out; @dropped: of them those that were dropped
 */
struct trace_show {
	struct trace_show_options o;
	const struct subject *subject;
	const struct tracing *tracing;
	const struct journey_words *words;
	struct trace_summary *summary;
	struct diagnosing *diagnosing;
	bool live;
	bool status;
	uint64_t shown;
	uint64_t dropped;
};

int trace_show_new(const struct trace_show_options *o, const struct subject *s,
		   struct trace_show **ret)
{
	struct trace_show *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->o = *o;
	t->subject = s;
	t->live = !o->json && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
	r = diagnosing_new(s, o->socket, o->one_sided, &t->diagnosing);
	if (r == 0 && o->summary)
		r = trace_summary_new(&t->summary);
	if (r < 0) {
		diagnosing_free(t->diagnosing);
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void trace_show_free(struct trace_show *s)
{
	if (!s)
		return;
	trace_summary_free(s->summary);
	diagnosing_free(s->diagnosing);
	free(s);
}

static void wipe_status(struct trace_show *s)
{
	if (s->status)
		fputs("\r\033[K", stderr);
	s->status = false;
}

void trace_show_use(struct trace_show *s, const struct tracing *t)
{
	s->tracing = t;
	s->words = tracing_words(t);
}

void trace_show_predict(struct trace_show *s, const struct journey_words *w)
{
	s->words = w;
}

void trace_show_start(struct trace_show *s, const struct tracing *t)
{
	struct buf who = BUF_INIT(LINE_MAX_LEN);
	char name[IFNAMSIZ];

	trace_show_use(s, t);
	out_escape(&who, s->subject->name);
	for (size_t i = 0; i < s->subject->n_ports; i++)
		buf_printf(&who, "%s%s", i ? ", " : " on ",
			   device_name(&s->subject->view, s->subject->ports[i], name));
	if (s->o.json)
		trace_json_start(s->subject, tracing_knows_rules(t));
	else
		fprintf(stderr, "following %s; Ctrl-C ends it\n", buf_str(&who));
	if (!s->o.json && !tracing_knows_rules(t))
		fputs("this kernel does not tell which packet a firewall's rule has decided about "
		      "(no tracepoint sk_data_ready, nor may a program see sock_def_readable): "
		      "rules are not shown\n",
		      stderr);
	fflush(stdout);
	buf_done(&who);
}

/* 12.3 us, 4.56 ms, 1.23 s */
static void duration(uint64_t ns, char *buf, size_t size)
{
	if (ns < 1000000)
		snprintf(buf, size, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(buf, size, "%.2f ms", (double)ns / 1e6);
	else
		snprintf(buf, size, "%.2f s", (double)ns / 1e9);
}

static void print_predicted_title(struct trace_show *s, const struct journey *j)
{
	struct buf text = BUF_INIT(LINE_MAX_LEN);

	packet_text(&j->first, &text);
	printf("%s#%u%s  %s%s\n", out_color(s->o.color, OUT_BOLD), j->packet,
	       out_color(s->o.color, OUT_PLAIN), buf_str(&text), j->answers ? "  (the reply)" : "");
	buf_done(&text);
}

static void print_title(struct trace_show *s, const struct journey *j)
{
	uint64_t at = tracing_realtime(s->tracing, j->begin_ns);
	time_t seconds = (time_t)(at / 1000000000);
	struct buf text = BUF_INIT(LINE_MAX_LEN);
	char clock[16] = "", took[32];
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	packet_text(&j->first, &text);
	printf("%s#%u%s  %s.%06" PRIu64 "  %s%s", out_color(s->o.color, OUT_BOLD), j->packet,
	       out_color(s->o.color, OUT_PLAIN), clock, at / 1000 % 1000000,
	       j->announced ? "(went on) " : "", buf_str(&text));
	if (j->answers) {
		duration(j->answer_ns, took, sizeof(took));
		printf("  (reply to #%u after %s)", j->answers, took);
	}
	putchar('\n');
	buf_done(&text);
}

/* In the short form: what decided, and where it was; not each chain that had no objection. */
static bool worth_a_line(const struct trace_show *s, const struct journey *j, size_t i)
{
	const struct hop *h = &j->hops[i];

	if (s->o.verbose)
		return true;
	if (h->kind == HOP_FW)
		return h->decision.handle && !h->decision.drops;
	return h->kind != HOP_QDISC;
}

static void hop_label(const struct hop *h, char *buf, size_t size)
{
	if (h->kind == HOP_FW)
		snprintf(buf, size, "fw:%s", h->decision.hook);
	else
		snprintf(buf, size, "%s", hop_name(h->kind));
}

/* What a predicted hop was concluded from, where the hop itself does not say it. */
static void print_why(struct trace_show *s, const struct hop *h)
{
	const char *why = s->words->why ? s->words->why(h, s->words->ctx) : "";
	struct buf safe = BUF_INIT(LINE_MAX_LEN);

	if (!why[0])
		return;
	out_escape(&safe, why);
	printf("  %s(%s)%s", out_color(s->o.color, OUT_DIM), buf_str(&safe),
	       out_color(s->o.color, OUT_PLAIN));
	buf_done(&safe);
}

static void print_hop(struct trace_show *s, const struct hop *h, uint64_t since_ns)
{
	struct buf text = BUF_INIT(LINE_MAX_LEN), safe = BUF_INIT(LINE_MAX_LEN);
	enum out_color color = h->kind == HOP_DROP	? OUT_RED
			       : h->kind == HOP_UNKNOWN ? OUT_YELLOW
							: OUT_PLAIN;
	char label[32], took[32];

	hop_text(h, s->words, &text);
	out_escape(&safe, buf_str(&text));
	hop_label(h, label, sizeof(label));
	duration(since_ns, took, sizeof(took));
	printf("  %s%11s%s  %s%-14s %s%s", out_color(s->o.color, OUT_DIM), s->tracing ? took : "",
	       out_color(s->o.color, OUT_PLAIN), out_color(s->o.color, color), label,
	       buf_str(&safe), out_color(s->o.color, OUT_PLAIN));
	print_why(s, h);
	putchar('\n');
	buf_done(&text);
	buf_done(&safe);
}

static void print_predicted_end(struct trace_show *s, const struct journey *j)
{
	struct buf text = BUF_INIT(LINE_MAX_LEN);
	enum out_color color = j->end == JOURNEY_DELIVERED ? OUT_GREEN
			       : j->end == JOURNEY_DROPPED ? OUT_RED
							   : OUT_YELLOW;

	journey_prediction_text(j, s->words, &text);
	printf("  %11s  %s%s%s\n", "", out_color(s->o.color, color), buf_str(&text),
	       out_color(s->o.color, OUT_PLAIN));
	buf_done(&text);
}

static void print_end(struct trace_show *s, const struct journey *j, bool over)
{
	struct buf text = BUF_INIT(LINE_MAX_LEN);
	char took[32];

	if (j->cut)
		printf("  %11s  and %zu hops more\n", "", j->cut);
	if (!over) {
		printf("  %11s  %s...%s\n", "", out_color(s->o.color, OUT_YELLOW),
		       out_color(s->o.color, OUT_PLAIN));
		return;
	}
	if (!s->tracing) {
		print_predicted_end(s, j);
		return;
	}
	if (j->end == JOURNEY_DROPPED)
		return; /* the last hop has said it */
	journey_end_text(j, s->words, &text);
	duration(j->last_ns - j->begin_ns, took, sizeof(took));
	printf("  %11s  %s%s%s  (%s)\n", "",
	       out_color(s->o.color, j->end == JOURNEY_DELIVERED ? OUT_GREEN : OUT_YELLOW),
	       buf_str(&text), out_color(s->o.color, OUT_PLAIN), took);
	buf_done(&text);
}

static void print_block(struct trace_show *s, const struct journey *j, bool over,
			const struct diagnosis *d)
{
	uint64_t before = j->told ? j->hops[j->told - 1].time_ns : j->begin_ns;

	if (s->tracing)
		print_title(s, j);
	else
		print_predicted_title(s, j);
	for (size_t i = j->told; i < j->n_hops; i++) {
		uint64_t at = j->hops[i].time_ns;

		if (!worth_a_line(s, j, i))
			continue;
		print_hop(s, &j->hops[i], at > before ? at - before : 0);
		before = at;
	}
	print_end(s, j, over);
	if (d)
		diagnosis_print(d, s->o.color, diagnosing_again(s->diagnosing, d));
}

bool trace_show_blocked(struct trace_show *s, int ifindex)
{
	struct diagnosis d;
	char name[IFNAMSIZ];

	if (s->summary || !diagnosing_port(s->diagnosing, ifindex, &d))
		return false;
	if (s->o.json)
		trace_json_blocked(device_name(&s->subject->view, ifindex, name), &d);
	else
		diagnosis_print(&d, s->o.color, false);
	fflush(stdout);
	return true;
}

bool trace_show_journey(struct trace_show *s, const struct journey *j, bool over)
{
	const struct diagnosis *why = NULL;
	struct diagnosis d;

	if (over) {
		s->shown++;
		s->dropped += j->end == JOURNEY_DROPPED;
	}
	if (over && diagnosing_journey(s->diagnosing, j, s->words, &d))
		why = &d;
	if (s->summary) {
		if (over)
			trace_summary_add(s->summary, j, s->words, why);
		return why;
	}
	if (s->o.json) {
		if (over)
			trace_json_journey(j, s->words, s->tracing, why);
	} else {
		wipe_status(s);
		print_block(s, j, over, why);
	}
	fflush(stdout);
	return why;
}

static const char *const event_names[PATH_EVENT_TYPES] = {
	[PATH_RX] = "receive",	   [PATH_TX] = "transmit",  [PATH_QUEUE] = "queue",
	[PATH_DROP] = "kfree",	   [PATH_FREE] = "consume", [PATH_READ] = "read",
	[PATH_ICMP] = "icmp-send", [PATH_ROUTE] = "fib",    [PATH_TRACE] = "nftrace",
	[PATH_CT] = "conntrack",   [PATH_NEIGH] = "neigh",
};

void trace_show_event(const struct path_head *head, size_t len, void *ctx)
{
	struct trace_show *s = ctx;
	struct buf text = BUF_INIT(LINE_MAX_LEN);
	char name[IFNAMSIZ];

	if (s->summary || head->type >= PATH_EVENT_TYPES || !event_names[head->type])
		return;
	if (s->o.json) {
		trace_json_event(head, len, event_names[head->type], s->tracing);
		return;
	}
	if (head->type <= PATH_ICMP && len >= sizeof(struct path_seen))
		packet_text((const struct path_seen *)head, &text);
	wipe_status(s);
	printf("%s    event #%u cpu%u skb %" PRIx64 " %s %s %s%s\n", out_color(s->o.color, OUT_DIM),
	       head->packet, head->cpu, (uint64_t)head->skb, event_names[head->type],
	       device_name(&s->subject->view, (int)head->ifindex, name), buf_str(&text),
	       out_color(s->o.color, OUT_PLAIN));
	buf_done(&text);
}

void trace_show_status(struct trace_show *s, const struct tracing *t)
{
	struct tracing_loss loss = tracing_loss(t);

	if (!s->live)
		return;
	fprintf(stderr, "\r\033[K%" PRIu64 " packets, %" PRIu64 " dropped", s->shown, s->dropped);
	if (loss.events || loss.journeys)
		fprintf(stderr, ", %" PRIu64 " events lost", loss.events + loss.journeys);
	fflush(stderr);
	s->status = true;
}

int trace_show_wait_ms(const struct trace_show *s)
{
	return s->live ? STATUS_MS : -1;
}

void trace_show_end(struct trace_show *s, const struct tracing *t)
{
	struct tracing_loss loss = tracing_loss(t);

	wipe_status(s);
	if (s->o.json) {
		if (s->summary)
			trace_summary_json(s->summary);
		trace_json_end(s->shown, s->dropped, t);
		return;
	}
	if (s->summary)
		trace_summary_print(s->summary, s->o.color);
	fflush(stdout);
	fprintf(stderr,
		"%" PRIu64 " packets, %" PRIu64 " dropped; lost from sight: %" PRIu64 " events",
		s->shown, s->dropped, loss.events);
	if (loss.journeys)
		fprintf(stderr, ", %" PRIu64 " packets", loss.journeys);
	if (loss.unreadable)
		fprintf(stderr, ", %" PRIu64 " headers unreadable", loss.unreadable);
	if (loss.rested)
		fprintf(stderr,
			"; at most %" PRIu64
			" that matched came while it rested under a load of others",
			loss.rested);
	fputc('\n', stderr);
}
