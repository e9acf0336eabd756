/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deciding.h - which rules decided over the packets that are followed: nf_tables' trace messages, joined
 * to packets by the tracer's events, folded to decisions, and given to the journeys.
 *
 * Next on the walk: path/nftrace.h, path/trace_join.h.
 */
#ifndef VMLANE_INSPECT_DECIDING_H
#define VMLANE_INSPECT_DECIDING_H

#include "base/err.h"
#include "inspect/subject.h"
#include "path/journey.h"
#include "path/pcap_filter.h"

struct deciding;

/* deciding_new() - opens the socket of the trace messages; none are asked for yet. */
int deciding_new(struct deciding **ret, struct err *e) __must_check;
void deciding_free(struct deciding *d);
DEFINE_CLEANUP(struct deciding *, deciding_free)

/* deciding_socket() - for tracer_options.trace_socket; deciding_fd() - for poll. */
uint64_t deciding_socket(const struct deciding *d);
int deciding_fd(const struct deciding *d);

/*
 * deciding_ask() - have the guest's packets traced, in place of what was asked before: those that
 * @filter (may be NULL) lets through, as far as it is plain, and what has the fwmark @mark, if not 0.
 * Nothing is asked while nothing is known of the guest.
 */
int deciding_ask(struct deciding *d, const struct subject *s, const struct pcap_filter *filter,
		 uint32_t mark, struct err *e) __must_check;

/* deciding_pause() - nothing is asked for until deciding_ask(). */
void deciding_pause(struct deciding *d);

/* deciding_restart() - right after the tracer was started: both count messages from here on. */
void deciding_restart(struct deciding *d);

/* deciding_receive() - take the messages that are there at @now_ns; before tracer_read(). */
int deciding_receive(struct deciding *d, uint64_t now_ns) __must_check;
/* deciding_event() - a PATH_TRACE event: which packet message number so-and-so is about. */
void deciding_event(struct deciding *d, const struct path_trace *t);
/*
 * deciding_decide() - tell the journeys what was decided, as far as it is known at @now_ns (UINT64_MAX:
 * whatever is there); after tracer_read(), and before journeys_due().
 */
int deciding_decide(struct deciding *d, uint64_t now_ns, struct journeys *j) __must_check;
/*
 * deciding_settled() - whoever was heard of after this time (CLOCK_MONOTONIC) may still be decided
 * about by what was read already; UINT64_MAX: nobody.
 */
uint64_t deciding_settled(const struct deciding *d);
/* deciding_wait_ms() - when deciding_decide() has something to tell; -1: not before a message. */
int deciding_wait_ms(const struct deciding *d, uint64_t now_ns);

/* deciding_lost() - messages that nobody will ever see. */
uint64_t deciding_lost(const struct deciding *d);

#endif
