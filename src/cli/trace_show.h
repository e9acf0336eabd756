/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace_show.h - journeys on the terminal: a block a packet and a line a hop, JSON lines, or equal ways
 * folded.
 */
#ifndef VMLANE_CLI_TRACE_SHOW_H
#define VMLANE_CLI_TRACE_SHOW_H

#include "inspect/tracing.h"

/*
 * struct trace_show_options - @socket: the daemon's, to be asked about its networks; may be NULL.
 * @one_sided: not all of what the guest gets is shown, see diagnosing_new()
 */
struct trace_show_options {
	const char *socket;
	bool json;
	bool color;
	bool verbose;
	bool summary;
	bool one_sided;
};

struct trace_show;

int trace_show_new(const struct trace_show_options *o, const struct subject *s,
		   struct trace_show **ret) __must_check;
void trace_show_free(struct trace_show *s);

/* trace_show_start() - says that it follows now, and whom. To be called before the others. */
void trace_show_start(struct trace_show *s, const struct tracing *t);

/* trace_show_use() - the same, silently. */
void trace_show_use(struct trace_show *s, const struct tracing *t);

/*
 * trace_show_predict() - instead: the ways that follow are predicted, and put into words with @w, which
 * is kept.
 */
void trace_show_predict(struct trace_show *s, const struct journey_words *w);

/* trace_show_journey() - what is new of @j; whether something about it had to be explained. */
bool trace_show_journey(struct trace_show *s, const struct journey *j, bool over);

/*
 * trace_show_blocked() - say so when the guest's port @ifindex lets nothing in; whether it is so.
 */
bool trace_show_blocked(struct trace_show *s, int ifindex);

/* trace_show_event() - an event as it is, for -v; @ctx is the struct trace_show. */
void trace_show_event(const struct path_head *head, size_t len, void *ctx);

/* trace_show_status() - on a terminal, the line at the bottom that moves. */
void trace_show_status(struct trace_show *s, const struct tracing *t);
/* trace_show_wait_ms() - when the status wants to be shown again; -1: never. */
int trace_show_wait_ms(const struct trace_show *s);

/* trace_show_end() - the summary, if it was asked for, and what was lost. */
void trace_show_end(struct trace_show *s, const struct tracing *t);

#endif
