/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_trace.c - vmlane trace GUEST: each packet's way, hop by hop. Needs no daemon.
 *
 * Next on the walk: tracing.c joins the sources, trace_show.c prints.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/recording_show.h"
#include "cli/request.h"
#include "cli/trace_show.h"
#include "cli/verb.h"
#include "inspect/recording.h"
#include "inspect/tracing.h"

enum {
	TRACE_COUNT,
	TRACE_VERBOSE,
	TRACE_SUMMARY,
	TRACE_WRITE,
	TRACE_PORT,
	TRACE_MAC,
	TRACE_NETNS,
	TRACE_OPTS,
};

static const struct verb_opt opts[] = {
	[TRACE_COUNT] = {"count", "N", "end after N packets", 'c'},
	[TRACE_VERBOSE] = {"verbose", NULL, "every event of the kernel, too", 'v'},
	[TRACE_SUMMARY] = {"summary", NULL, "equal ways folded, with counts and times, at the end"},
	[TRACE_WRITE] = {"write", "FILE", "the frames, too, as a pcapng file", 'w'},
	[TRACE_PORT] = {"port", "IF", "the guest at this port of a bridge, or at this tap"},
	[TRACE_MAC] = {"mac", "MAC", "the guest with this MAC"},
	[TRACE_NETNS] = {"netns", "NAME", "in this network namespace"},
};
_Static_assert(ARRAY_SIZE(opts) == TRACE_OPTS, "an option for each number");

/**
 * struct run - a trace at work
 * @recording:	with -w
 * @left:	packets to go, when @counted
 */
struct run {
	struct trace_show *show;
	struct recording *recording;
	struct err e;
	struct pcap_filter filter;
	uint32_t left;
	bool counted;
	bool enough;
};

static void on_journey(const struct journey *j, bool over, void *ctx)
{
	struct run *run = ctx;

	if (run->enough)
		return;
	trace_show_journey(run->show, j, over);
	if (over && run->counted && --run->left == 0)
		run->enough = true;
}

static int fail(const struct err *e, int r)
{
	struct err_list list = {0};

	err_list_push(&list, e);
	cli_print_errors(&list);
	return r == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
}

static int follow(struct tracing *t, struct run *run, int signals)
{
	int r = 0;

	while (r == 0 && !run->enough && !cli_signalled(signals)) {
		r = tracing_run(t, signals, trace_show_wait_ms(run->show), on_journey, run);
		if (r == 0 && run->recording)
			r = recording_write(run->recording, &run->e);
		trace_show_status(run->show, t);
	}
	if (r == 0 && !run->enough)
		tracing_rest(t, on_journey, run);
	if (r == 0 && run->recording)
		r = recording_write(run->recording, &run->e);
	if (r == 0 && run->recording)
		r = recording_end(run->recording, &run->e);
	trace_show_end(run->show, t);
	if (run->recording)
		recording_report(run->recording);
	return r == -EPIPE || r == -EINTR ? 0 : r; /* the file's reader has had enough */
}

static int open_recording(struct run *run, const char *path, const struct tracing *t, int signals,
			  struct err *e)
{
	struct capture_options o = {.path = path, .filter = run->filter.text, .stop_fd = signals};

	return recording_open(run->recording, t, &o, e);
}

/* A filter that may leave out answers while it shows questions. */
static bool is_one_sided(const char *filter)
{
	struct pcap_filter_flow f;

	return !pcap_filter_flow(filter, &f) || f.src.family || f.dst.family || f.sport || f.dport;
}

static int trace(struct cli *cli, const struct verb_args *a, struct subject *s, struct run *run)
{
	_cleanup_(tracing_freep) struct tracing *t = NULL;
	_cleanup_(fd_closep) int signals = cli_signals(); /* before anybody is told that it runs */
	struct tracing_options o = {.detail = TRACER_READ, .filter = &run->filter};
	struct trace_show_options how = {
		.socket = cli->socket,
		.json = cli->json,
		.color = cli->color,
		.verbose = a->opt[TRACE_VERBOSE],
		.summary = a->opt[TRACE_SUMMARY],
		.one_sided = is_one_sided(run->filter.text),
	};
	struct err e = {0};
	int r;

	if (how.verbose) {
		o.detail |= TRACER_QUEUE | TRACER_ICMP;
		o.on_event = trace_show_event;
	}
	r = trace_show_new(&how, s, &run->show);
	if (r < 0)
		return fail(&(struct err){.message = "out of memory"}, r);
	o.ctx = run->show;
	if (a->opt[TRACE_WRITE]) {
		r = recording_new(s, &o, &run->recording);
		if (r < 0)
			return fail(&(struct err){.message = "out of memory"}, r);
	}
	r = tracing_new(s, &o, &t, &e);
	if (r == 0 && run->recording)
		r = open_recording(run, a->opt[TRACE_WRITE], t, signals, &e);
	if (r < 0)
		return fail(&e, r);
	trace_show_start(run->show, t);
	for (size_t i = 0; i < s->n_ports; i++)
		trace_show_blocked(run->show, s->ports[i]);
	r = follow(t, run, signals);
	if (r < 0 && run->e.message[0])
		return fail(&run->e, r);
	if (r < 0) {
		err_set(&e, r, "kernel", "trace", "%s", strerror(-r));
		return fail(&e, r);
	}
	return EXIT_OK;
}

static int run_trace(struct cli *cli, const struct verb_args *a)
{
	struct subject_query q = {.port = a->opt[TRACE_PORT], .mac = a->opt[TRACE_MAC]};
	struct subject s = {0};
	struct run run = {0};
	int words = q.port || q.mac ? 0 : 1;
	struct err e = {0};
	int r;

	if (a->n < words)
		return cli_usage_error("trace", "whose packets? vmlane trace GUEST, or --port IF, "
						"or --mac MAC");
	if (words)
		q.name = a->arg[0];
	if (a->opt[TRACE_WRITE] && strcmp(a->opt[TRACE_WRITE], "-") == 0)
		return cli_usage_error("trace", "standard output has the packets' ways here: "
						"-w FILE, or vmlane capture GUEST -w -");
	run.counted = a->opt[TRACE_COUNT];
	if (run.counted && text_u32(a->opt[TRACE_COUNT], 1, 1000000000, &run.left) < 0)
		return cli_usage_error("trace", "--count '%s' is not a number from 1 on",
				       a->opt[TRACE_COUNT]);
	r = pcap_filter_compile((const char *const *)a->arg + words, (size_t)(a->n - words),
				PATH_FRAME_MAX - 1, &run.filter, &e);
	if (r < 0)
		return fail(&e, r);
	if (a->opt[TRACE_NETNS])
		r = subject_enter_netns(a->opt[TRACE_NETNS], &e);
	if (r == 0)
		r = subject_find(&q, &s, &e);
	r = r < 0 ? fail(&e, r) : trace(cli, a, &s, &run);
	recording_free(run.recording);
	trace_show_free(run.show);
	subject_done(&s);
	return r;
}

static const struct verb verbs[] = {
	{"trace",
	 "GUEST [FILTER...] [-c N] [-v] [--summary] [-w FILE] [--port IF] [--mac MAC] [--netns "
	 "NAME]",
	 "each packet of a guest, hop by hop, live",
	 .more = "FILTER is what tcpdump takes: icmp, tcp port 443, host 8.8.8.8, ...\n"
		 "GUEST is a guest's or VM's name, its tap, MAC or IPv4 address, whoever started "
		 "it.\n"
		 "Needs root, and no daemon. Nothing is changed, and nothing stays behind.\n",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 0, .max = VERB_ANY, .run = run_trace},
};

const struct noun noun_trace = {
	.name = "trace",
	.help = "The way of each packet of a guest, live.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
