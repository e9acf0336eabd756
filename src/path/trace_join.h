/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace_join.h - which packet was it that a chain decided about? Trace messages on the one hand, what
 * the BPF program saw of them (struct path_trace) on the other, to verdicts with packets' numbers.
 *
 * Pure: messages, events and the time come from the caller, in whatever order they are read. Next on
 * the walk: journeys_decided().
 */
#ifndef VMLANE_PATH_TRACE_JOIN_H
#define VMLANE_PATH_TRACE_JOIN_H

#include "bpf/path_event.h"
#include "path/verdicts.h"

struct trace_join;

/* trace_join_new() - -ENOMEM */
int trace_join_new(struct trace_join **ret) __must_check;
void trace_join_free(struct trace_join *j);
DEFINE_CLEANUP(struct trace_join *, trace_join_free)

/* trace_join_event() - a message was queued while the packet was at hand. */
void trace_join_event(struct trace_join *j, const struct path_trace *e);

/* trace_join_look() - at @now_ns (CLOCK_MONOTONIC) all messages that are there are going to be read. */
void trace_join_look(struct trace_join *j, uint64_t now_ns);

/* trace_join_message() - a message was read, at @now_ns (CLOCK_MONOTONIC); it is copied. -ENOMEM. */
int trace_join_message(struct trace_join *j, const struct nftrace_msg *m,
		       uint64_t now_ns) __must_check;

/**
 * struct trace_join_ops - what the caller knows, and wants to know
 * @seen:	packet @packet as it was first seen, or NULL when it is not known (any more)
 * @decided:	@packet met a base chain at @time_ns; @v is valid during the call
 */
struct trace_join_ops {
	const struct path_seen *(*seen)(uint32_t packet, void *ctx);
	void (*decided)(uint32_t packet, uint64_t time_ns, const struct verdict *v, void *ctx);
};

/*
 * trace_join_due() - hand out the verdicts whose messages and events had time enough to come in;
 * @now_ns UINT64_MAX for "all, now"
 */
void trace_join_due(struct trace_join *j, uint64_t now_ns, const struct trace_join_ops *ops,
		    void *ctx);

/* trace_join_wait_ms() - when trace_join_due() has something to do; -1: not before a message. */
int trace_join_wait_ms(const struct trace_join *j, uint64_t now_ns);

/*
 * trace_join_settled() - of what was read up to this time (CLOCK_MONOTONIC) no verdict is still kept
 * back; UINT64_MAX: none is kept back at all. A reader that had to wait for its turn finds events and
 * messages that are older than any patience: an event's messages are there at its next look at least.
 */
uint64_t trace_join_settled(const struct trace_join *j);

/*
 * trace_join_unknown() - chains that decided about a packet nobody could name: not followed (others
 * may trace as well, and what the kernel itself answers), or out of step.
 */
uint64_t trace_join_unknown(const struct trace_join *j);

/* enum trace_fit - how well a message's headers and a packet agree */
enum trace_fit {
	TRACE_OTHER, /* another packet's */
	TRACE_MAYBE, /* what translation leaves alone is the same */
	TRACE_SAME,  /* addresses and ports too */
};

/* trace_fits() - the packet of @m, a message with headers, and the one that was seen as @s */
enum trace_fit trace_fits(const struct nftrace_msg *m, const struct path_seen *s);

#endif
