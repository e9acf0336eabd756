/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_capture.c - vmlane capture GUEST -w FILE.pcapng: the frames of a guest at each interface of their
 * way, each packet with one number at all of them.
 *
 * Next on the walk: recording.c.
 */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/recording_show.h"
#include "cli/request.h"
#include "cli/verb.h"
#include "inspect/recording.h"
#include "inspect/tracing.h"

enum {
	CAPTURE_WRITE,
	CAPTURE_COUNT,
	CAPTURE_SNAPLEN,
	CAPTURE_SIZE,
	CAPTURE_TIME,
	CAPTURE_FILES,
	CAPTURE_PORT,
	CAPTURE_MAC,
	CAPTURE_NETNS,
	CAPTURE_OPTS,
};

static const struct verb_opt opts[] = {
	[CAPTURE_WRITE] = {"write", "FILE", "the capture file, or - for standard output", 'w'},
	[CAPTURE_COUNT] = {"count", "N", "end after N packets", 'c'},
	[CAPTURE_SNAPLEN] = {"snaplen", "BYTES", "of each frame at most; 60000 by default", 's'},
	[CAPTURE_SIZE] = {"file-size", "MB", "begin another file when one is so large"},
	[CAPTURE_TIME] = {"file-time", "SECONDS", "begin another file after so long"},
	[CAPTURE_FILES] = {"files", "N", "keep the last N files of these"},
	[CAPTURE_PORT] = {"port", "IF", "the guest at this port of a bridge, or at this tap"},
	[CAPTURE_MAC] = {"mac", "MAC", "the guest with this MAC"},
	[CAPTURE_NETNS] = {"netns", "NAME", "in this network namespace"},
};
_Static_assert(ARRAY_SIZE(opts) == CAPTURE_OPTS, "an option for each number");

/* struct capture - a capture at work; @stop: enough packets */
struct capture {
	struct subject *subject;
	struct recording *recording;
	uint32_t max_packets;
	bool stop;
	struct err e;
};

static void on_journey(const struct journey *j, bool over, void *ctx)
{
	struct capture *c = ctx;

	/* All that a packet is seen at has been told by its end. */
	if (over && recording_complete(c->recording, j->packet))
		c->stop = true;
}

static int fail(const struct err *e, int r)
{
	struct err_list list = {0};

	err_list_push(&list, e);
	cli_print_errors(&list);
	return r == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
}

/* A number for @opt from @min on into @ret, 0 when it was not given. */
static int number(const struct verb_args *a, int opt, uint32_t min, uint32_t max, uint32_t *ret)
{
	*ret = 0;
	if (a->opt[opt] && text_u32(a->opt[opt], min, max, ret) < 0)
		return cli_usage_error("capture", "--%s '%s' is not a number from %u to %u",
				       opts[opt].name, a->opt[opt], min, max);
	return EXIT_OK;
}

static int file_options(const struct verb_args *a, struct capture_options *o)
{
	uint32_t mb = 0;
	int r = number(a, CAPTURE_SIZE, 1, 1000000, &mb);

	if (r == EXIT_OK)
		r = number(a, CAPTURE_TIME, 1, 31536000, &o->file_s);
	if (r == EXIT_OK)
		r = number(a, CAPTURE_FILES, 1, CAPTURE_RING_FILES_MAX, &o->files);
	if (r == EXIT_OK && o->files && !mb && !o->file_s)
		return cli_usage_error("capture", "--files is for --file-size or --file-time");
	o->file_bytes = (uint64_t)mb * 1000000;
	o->path = a->opt[CAPTURE_WRITE];
	return r;
}

static int follow(struct capture *c, struct tracing *t, int signals)
{
	int r = 0;

	while (r == 0 && !c->stop && !cli_signalled(signals)) {
		r = tracing_run(t, signals, -1, on_journey, c);
		if (r == 0)
			r = recording_write(c->recording, &c->e);
	}
	if (r < 0)
		return r;
	tracing_rest(t, on_journey, c);
	return recording_write(c->recording, &c->e);
}

static int capture(struct capture *c, const struct capture_options *o, struct tracing_options *what,
		   int signals)
{
	_cleanup_(recording_freep) struct recording *recording = NULL;
	_cleanup_(tracing_freep) struct tracing *t = NULL;
	int r = recording_new(c->subject, what, &recording);

	if (r < 0)
		return fail(&(struct err){.message = "out of memory"}, r);
	c->recording = recording;
	recording_limit(recording, c->max_packets);
	what->ctx = c;
	r = tracing_new(c->subject, what, &t, &c->e);
	if (r == 0)
		r = recording_open(recording, t, o, &c->e);
	if (r < 0)
		return fail(&c->e, r);
	fprintf(stderr, "capturing %s to %s; Ctrl-C ends it\n", c->subject->name,
		recording_path(recording));
	r = follow(c, t, signals);
	if (r == -EPIPE || r == -EINTR) /* the reader has had enough */
		r = 0;
	if (r == 0)
		r = recording_end(recording, &c->e);
	recording_report(recording);
	return r < 0 && r != -EPIPE && r != -EINTR ? fail(&c->e, r) : EXIT_OK;
}

static int run_here(struct capture *c, struct capture_options *o, struct tracing_options *what)
{
	_cleanup_(fd_closep) int signals = cli_signals();

	o->filter = what->filter->text;
	o->stop_fd = signals;
	return capture(c, o, what, signals);
}

static int run_capture(struct cli *cli, const struct verb_args *a)
{
	struct subject_query q = {.port = a->opt[CAPTURE_PORT], .mac = a->opt[CAPTURE_MAC]};
	int words = q.port || q.mac ? 0 : 1;
	struct pcap_filter filter = {0};
	struct tracing_options what = {.filter = &filter};
	struct capture_options o = {0};
	struct subject s = {0};
	struct capture c = {.subject = &s};
	int r;

	if (a->n < words)
		return cli_usage_error("capture", "whose packets? vmlane capture GUEST -w FILE");
	if (!a->opt[CAPTURE_WRITE])
		return cli_usage_error("capture",
				       "where to? -w FILE.pcapng, or -w - for standard output");
	q.name = words ? a->arg[0] : NULL;
	r = number(a, CAPTURE_SNAPLEN, 64, PATH_FRAME_BYTES, &what.snaplen);
	if (r == EXIT_OK)
		r = number(a, CAPTURE_COUNT, 1, 1000000000, &c.max_packets);
	if (r == EXIT_OK)
		r = file_options(a, &o);
	if (r != EXIT_OK)
		return r;
	r = pcap_filter_compile((const char *const *)a->arg + words, (size_t)(a->n - words),
				PATH_FRAME_MAX - 1, &filter, &c.e);
	if (r == 0 && a->opt[CAPTURE_NETNS])
		r = subject_enter_netns(a->opt[CAPTURE_NETNS], &c.e);
	if (r == 0)
		r = subject_find(&q, &s, &c.e);
	r = r < 0 ? fail(&c.e, r) : run_here(&c, &o, &what);
	subject_done(&s);
	return r;
}

static const struct verb verbs[] = {
	{"capture",
	 "GUEST -w FILE [FILTER...] [-c N] [-s BYTES] [--file-size MB] [--file-time S] [--files N]",
	 "a guest's frames at each interface on their way, as a pcapng file",
	 .more = "Wireshark shows each packet at its port, its bridge and its uplink, with one "
		 "packet id, what was\n"
		 "translated and why it was dropped: vmlane capture web1 -w - | wireshark -k -i "
		 "-\n",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 0, .max = VERB_ANY, .run = run_capture},
};

const struct noun noun_capture = {
	.name = "capture",
	.help = "A guest's frames at each interface on their way, for Wireshark.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
