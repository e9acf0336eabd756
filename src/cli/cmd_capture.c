/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_capture.c - vmlane capture GUEST -w FILE.pcapng: the frames of a guest at each interface of their
 * way, each packet with one number at all of them.
 *
 * Next on the walk: tracing.c gives the frames, path/capture_file.c writes them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/tracing.h"
#include "cli/verb.h"
#include "config.h"
#include "path/capture_file.h"

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

#define SNAPLEN_MAX PATH_FRAME_BYTES
#define FLOWS 4096 /* packets whose addresses are remembered, to tell of translation */
#define COMMENT_MAX 1024
#define SHOTS_MAX 65536 /* frames between two writes */

/* struct shot - a frame on its way to the file; of a batch, which is sorted by time. */
struct shot {
	struct path_seen seen;
	size_t len;
	size_t whole_len;
	uint8_t *bytes;
};

/**
 * struct capture - a capture at work
 * @ids:	interface numbers by index in @ifindexes
 * @flows:	by packet number: how a packet was last seen
 * @stop:	enough packets, or an error, which is in @r and @e
 */
struct capture {
	struct subject *subject;
	struct tracing *tracing;
	struct capture_file *file;
	struct {
		int ifindex;
		uint32_t id;
	} known[256];
	size_t n_known;
	struct path_seen *flows;
	struct shot *shots;
	size_t n_shots;
	uint64_t skipped;
	uint32_t max_packets;
	uint32_t first_packet;
	bool stop;
	int r;
	struct err e;
};

static void stop(struct capture *c, int r)
{
	c->stop = true;
	c->r = r;
}

/* A place as Wireshark shows it: the interface, and whose it is. */
static int interface_id(struct capture *c, int ifindex, uint32_t *ret)
{
	static const char *const roles[] = {
		[DEVICE_UPLINK] = "uplink",
		[DEVICE_GUEST] = "port of guest",
		[DEVICE_PORT] = "port of guest",
		[DEVICE_BRIDGE] = "bridge",
	};
	const struct path_device *d = path_device_find(&c->subject->view, ifindex);
	char name[IFNAMSIZ], text[128];
	int r;

	for (size_t i = 0; i < c->n_known; i++) {
		if (c->known[i].ifindex != ifindex)
			continue;
		*ret = c->known[i].id;
		return 0;
	}
	snprintf(text, sizeof(text), "%s%s%s", d ? roles[d->role] : "", d && d->guest[0] ? " " : "",
		 d ? d->guest : "");
	r = capture_file_interface(c->file, device_name(&c->subject->view, ifindex, name), text,
				   ret, &c->e);
	if (r == 0 && c->n_known < ARRAY_SIZE(c->known)) {
		c->known[c->n_known].ifindex = ifindex;
		c->known[c->n_known++].id = *ret;
	}
	return r;
}

/* The way a packet's addresses go through translation, and its end, as a comment. */
static void comment(struct capture *c, const struct path_seen *s, struct buf *out)
{
	struct path_seen *before = &c->flows[s->head.packet % FLOWS];
	const struct journey_words *w = tracing_words(c->tracing);
	bool known = before->head.packet == s->head.packet && !s->frag_offset;

	if (s->head.type == PATH_DROP) {
		const char *reason = w->reason(s->reason, w->ctx);
		const char *function = w->function(s->location, w->ctx);

		buf_printf(out, "DROP: %s%s%s", reason ? reason : "reason unknown",
			   function ? " in " : "", function ? function : "");
	} else if (known && (memcmp(before->src, s->src, sizeof(s->src)) != 0 ||
			     memcmp(before->dst, s->dst, sizeof(s->dst)) != 0)) {
		buf_puts(out, "NAT: was ");
		packet_text(before, out);
	}
	*before = *s;
}

static int write_shot(struct capture *c, const struct shot *shot)
{
	const struct path_seen *s = &shot->seen;
	struct buf text = BUF_INIT(COMMENT_MAX);
	struct pcapng_packet p = {
		.time_ns = tracing_realtime(c->tracing, s->head.time_ns),
		.bytes = shot->bytes,
		.len = shot->len,
		.whole_len = shot->whole_len,
		.direction = s->head.type == PATH_RX ? PCAPNG_IN : PCAPNG_OUT,
		.has_id = true,
		.id = s->head.packet,
	};
	int r = interface_id(c, (int)s->head.ifindex, &p.interface);

	if (s->head.type == PATH_DROP)
		p.direction = PCAPNG_NO_DIRECTION;
	comment(c, s, &text);
	p.comment = text.len ? buf_str(&text) : NULL;
	if (r == 0)
		r = capture_file_packet(c->file, &p, &c->e);
	buf_done(&text);
	return r;
}

static void on_frame(const struct path_seen *seen, const void *bytes, size_t len, size_t whole_len,
		     void *ctx)
{
	struct capture *c = ctx;
	struct shot *shot = &c->shots[c->n_shots];

	if (!c->first_packet)
		c->first_packet = seen->head.packet;
	if (c->max_packets && seen->head.packet >= c->first_packet + c->max_packets)
		return;
	if (c->n_shots == SHOTS_MAX) {
		c->skipped++;
		return;
	}
	shot->bytes = malloc(len + 1);
	if (!shot->bytes) {
		c->skipped++;
		return;
	}
	memcpy(shot->bytes, bytes, len);
	shot->seen = *seen;
	shot->len = len;
	shot->whole_len = whole_len;
	c->n_shots++;
}

static int compare_shots(const void *a, const void *b)
{
	uint64_t x = ((const struct shot *)a)->seen.head.time_ns;
	uint64_t y = ((const struct shot *)b)->seen.head.time_ns;

	return (x > y) - (x < y);
}

/* What came since the last time, in the order of its times. */
static void write_shots(struct capture *c)
{
	int r = 0;

	qsort(c->shots, c->n_shots, sizeof(*c->shots), compare_shots);
	for (size_t i = 0; i < c->n_shots; i++) {
		if (r == 0 && !c->stop)
			r = write_shot(c, &c->shots[i]);
		free(c->shots[i].bytes);
	}
	c->n_shots = 0;
	if (r == 0 && !c->stop)
		r = capture_file_flush(c->file, &c->e);
	if (r < 0 && !c->stop)
		stop(c, r);
}

static void on_journey(const struct journey *j, bool over, void *ctx)
{
	struct capture *c = ctx;

	/* All that a packet is seen at has been told by its end. */
	if (over && c->max_packets && c->first_packet &&
	    j->packet + 1 >= c->first_packet + c->max_packets)
		c->stop = true;
}

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
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
	o->start_ns = realtime_ns();
	return r;
}

static int follow(struct capture *c, int signals)
{
	int r = 0;

	while (r == 0 && !c->stop && !cli_signalled(signals)) {
		r = tracing_run(c->tracing, signals, -1, on_journey, c);
		write_shots(c);
	}
	tracing_rest(c->tracing, on_journey, c);
	if (c->r == 0)
		c->stop = false;
	write_shots(c);
	return r < 0 ? r : c->r;
}

static void report(const struct capture *c)
{
	struct tracing_loss loss = tracing_loss(c->tracing);

	fprintf(stderr, "%llu frames captured; lost: %llu\n",
		(unsigned long long)capture_file_packets(c->file),
		(unsigned long long)(loss.frames + loss.events + c->skipped));
}

static int capture(struct capture *c, const struct capture_options *o,
		   const struct tracing_options *follow_what, int signals)
{
	int r = tracing_new(c->subject, follow_what, &c->tracing, &c->e);

	if (r == 0)
		r = capture_file_new(o, &c->file, &c->e);
	if (r < 0)
		return fail(&c->e, r);
	fprintf(stderr, "capturing %s to %s; Ctrl-C ends it\n", c->subject->name,
		capture_file_path(c->file));
	r = follow(c, signals);
	if (r == -EPIPE || r == -EINTR) /* the reader has had enough */
		r = 0;
	if (r == 0)
		r = capture_file_end(c->file, realtime_ns(), &c->e);
	report(c);
	return r < 0 && r != -EPIPE && r != -EINTR ? fail(&c->e, r) : EXIT_OK;
}

static int run_here(struct capture *c, struct capture_options *o, struct tracing_options *what)
{
	_cleanup_(fd_closep) int signals = cli_signals();
	struct utsname os = {0};
	char system[sizeof(os.sysname) + sizeof(os.release) + 2];
	int r = EXIT_REFUSED;

	uname(&os);
	snprintf(system, sizeof(system), "%s %s", os.sysname, os.release);
	o->section = (struct pcapng_section){
		.hardware = os.machine, .os = system, .application = "vmlane " VMLANE_VERSION};
	o->filter = what->filter->text;
	o->stop_fd = signals;
	signal(SIGPIPE, SIG_IGN);
	c->flows = calloc(FLOWS, sizeof(*c->flows));
	c->shots = calloc(SHOTS_MAX, sizeof(*c->shots));
	what->on_frame = on_frame;
	what->ctx = c;
	if (c->flows && c->shots)
		r = capture(c, o, what, signals);
	capture_file_free(c->file);
	tracing_free(c->tracing);
	free(c->flows);
	free(c->shots);
	return r;
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
	r = number(a, CAPTURE_SNAPLEN, 64, SNAPLEN_MAX, &what.snaplen);
	if (r == EXIT_OK)
		r = number(a, CAPTURE_COUNT, 1, 1000000000, &c.max_packets);
	if (r == EXIT_OK)
		r = file_options(a, &o);
	if (r != EXIT_OK)
		return r;
	if (!what.snaplen)
		what.snaplen = SNAPLEN_MAX;
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
