/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recording.c - see recording.h. */
#include "inspect/recording.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "config.h"

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
 * struct recording - a file that is being written
 * @known:	interface numbers by ifindex
 * @flows:	by packet number: how a packet was last seen
 * @shots:	what is not written yet
 * @read_at:	CLOCK_MONOTONIC, ns, before what came last was read: all that is older has come
 * @max_packets: 0: no end
 */
struct recording {
	const struct subject *subject;
	const struct tracing *tracing;
	struct capture_file *file;
	struct {
		int ifindex;
		uint32_t id;
	} known[256];
	size_t n_known;
	struct path_seen *flows;
	struct shot *shots;
	size_t n_shots;
	uint64_t read_at;
	uint64_t skipped;
	uint32_t max_packets;
	uint32_t first_packet;
};

static void on_frame(const struct path_seen *seen, const void *bytes, size_t len, size_t whole_len,
		     void *ctx);

int recording_new(const struct subject *s, struct tracing_options *what, struct recording **ret)
{
	struct recording *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->subject = s;
	c->flows = calloc(FLOWS, sizeof(*c->flows));
	c->shots = calloc(SHOTS_MAX, sizeof(*c->shots));
	if (!c->flows || !c->shots) {
		recording_free(c);
		return -ENOMEM;
	}
	if (!what->snaplen)
		what->snaplen = PATH_FRAME_BYTES;
	what->on_frame = on_frame;
	what->frame_ctx = c;
	*ret = c;
	return 0;
}

void recording_free(struct recording *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_shots; i++)
		free(c->shots[i].bytes);
	capture_file_free(c->file);
	free(c->flows);
	free(c->shots);
	free(c);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int recording_open(struct recording *c, const struct tracing *t, const struct capture_options *o,
		   struct err *e)
{
	struct utsname os = {0};
	char system[sizeof(os.sysname) + sizeof(os.release) + 2];
	struct capture_options all = *o;

	uname(&os);
	snprintf(system, sizeof(system), "%s %s", os.sysname, os.release);
	all.section = (struct pcapng_section){
		.hardware = os.machine, .os = system, .application = "vmlane " VMLANE_VERSION};
	all.start_ns = clock_ns(CLOCK_REALTIME);
	signal(SIGPIPE, SIG_IGN);
	c->tracing = t;
	return capture_file_new(&all, &c->file, e);
}

/* A place as Wireshark shows it: the interface, and whose it is. */
static int interface_id(struct recording *c, int ifindex, uint32_t *ret, struct err *e)
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
				   ret, e);
	if (r == 0 && c->n_known < ARRAY_SIZE(c->known)) {
		c->known[c->n_known].ifindex = ifindex;
		c->known[c->n_known++].id = *ret;
	}
	return r;
}

/* The way a packet's addresses go through translation, and its end, as a comment. */
static void comment(struct recording *c, const struct path_seen *s, struct buf *out)
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

static int write_shot(struct recording *c, const struct shot *shot, struct err *e)
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
	int r = interface_id(c, (int)s->head.ifindex, &p.interface, e);

	if (s->head.type == PATH_DROP)
		p.direction = PCAPNG_NO_DIRECTION;
	comment(c, s, &text);
	p.comment = text.len ? buf_str(&text) : NULL;
	if (r == 0)
		r = capture_file_packet(c->file, &p, e);
	buf_done(&text);
	return r;
}

static void on_frame(const struct path_seen *seen, const void *bytes, size_t len, size_t whole_len,
		     void *ctx)
{
	struct recording *c = ctx;
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

/* What happened before @until, and is so far what there is of it. */
static int write_until(struct recording *c, uint64_t until, struct err *e)
{
	size_t n = 0;
	int r = 0;

	qsort(c->shots, c->n_shots, sizeof(*c->shots), compare_shots);
	for (; n < c->n_shots && c->shots[n].seen.head.time_ns < until; n++) {
		if (r == 0)
			r = write_shot(c, &c->shots[n], e);
		free(c->shots[n].bytes);
	}
	c->n_shots -= n;
	memmove(c->shots, c->shots + n, c->n_shots * sizeof(*c->shots));
	return r;
}

/*
 * Each processor has its own buffer, and they are read one after the other: of two frames that come meanwhile the
 * later may be read first. So what is younger than the reading waits for the next, unless it is very much.
 */
int recording_write(struct recording *c, struct err *e)
{
	uint64_t until = c->n_shots > SHOTS_MAX / 2 ? UINT64_MAX : c->read_at;
	int r = write_until(c, until, e);

	c->read_at = clock_ns(CLOCK_MONOTONIC);
	return r < 0 ? r : capture_file_flush(c->file, e);
}

int recording_end(struct recording *c, struct err *e)
{
	int r = write_until(c, UINT64_MAX, e);

	return r < 0 ? r : capture_file_end(c->file, clock_ns(CLOCK_REALTIME), e);
}

void recording_limit(struct recording *c, uint32_t packets)
{
	c->max_packets = packets;
}

bool recording_complete(const struct recording *c, uint32_t packet)
{
	return c->max_packets && c->first_packet && packet + 1 >= c->first_packet + c->max_packets;
}

const char *recording_path(const struct recording *c)
{
	return capture_file_path(c->file);
}

void recording_counts(const struct recording *c, uint64_t *frames, uint64_t *lost)
{
	struct tracing_loss loss = tracing_loss(c->tracing);

	*frames = capture_file_packets(c->file);
	*lost = loss.frames + loss.events + c->skipped;
}
