/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracing.h - a guest's packets followed live: the tracer, the rules' messages and the host's interfaces
 * joined to journeys. What trace, probe and capture have in common.
 */
#ifndef VMLANE_INSPECT_TRACING_H
#define VMLANE_INSPECT_TRACING_H

#include "inspect/subject.h"
#include "path/journey.h"
#include "path/journey_text.h"
#include "path/pcap_filter.h"
#include "path/tracer.h"

/**
 * struct tracing_options - what to follow
 * @filter:	only packets that match; NULL: all
 * @detail:	enum tracer_detail
 * @mark:	not 0: only packets with this fwmark, whoever's: a probe's (path/inject.h)
 * @snaplen:	not 0: each frame, too, goes to @on_frame with @frame_ctx, so many bytes of it
 * @on_event:	also each event as it is, for `-v`; may be NULL
 */
struct tracing_options {
	const struct pcap_filter *filter;
	unsigned int detail;
	uint32_t mark;
	uint32_t snaplen;
	tracer_frame_fn on_frame;
	void *frame_ctx;
	tracer_fn on_event;
	void *ctx;
};

struct tracing;

/* tracing_new() - loads and starts; @s stays the caller's and is kept up to date. */
int tracing_new(struct subject *s, const struct tracing_options *o, struct tracing **ret,
		struct err *e) __must_check;
void tracing_free(struct tracing *t);
DEFINE_CLEANUP(struct tracing *, tracing_free)

/*
 * tracing_run() - wait up to @timeout_ms (-1: until something happens) and give what is to be shown to
 * @fn; also returns when @wake_fd (-1: none) is readable. 0 or -errno.
 */
int tracing_run(struct tracing *t, int wake_fd, int timeout_ms, journey_fn fn,
		void *ctx) __must_check;

/* tracing_rest() - all that is under way, to @fn: at the end. */
void tracing_rest(struct tracing *t, journey_fn fn, void *ctx);

/* tracing_words() - to put journeys into words with. */
const struct journey_words *tracing_words(const struct tracing *t);

/*
 * struct tracing_loss - what was not seen; all 0 when nothing was lost. @rested: packets that matched
 * while the trace rested under a load of others, each counted where it came in and where it went out.
 */
struct tracing_loss {
	uint64_t events;
	uint64_t journeys;
	uint64_t unreadable;
	uint64_t rested;
	uint64_t frames;
	uint64_t rules;
};

struct tracing_loss tracing_loss(const struct tracing *t);
uint64_t tracing_filtered(const struct tracing *t);

/* tracing_knows_rules() - this kernel tells which packet a rule has decided about. */
bool tracing_knows_rules(const struct tracing *t);

/* tracing_realtime() - CLOCK_REALTIME for a CLOCK_MONOTONIC time of now. */
uint64_t tracing_realtime(const struct tracing *t, uint64_t monotonic_ns);

#endif
