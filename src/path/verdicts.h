/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdicts.h - the trace messages of one packet to decisions: one for each base chain that it met.
 * Pure.
 * Next on the walk: trace_join.h, which says whose messages they are.
 */
#ifndef VMLANE_PATH_VERDICTS_H
#define VMLANE_PATH_VERDICTS_H

#include "base/buf.h"
#include "path/journey.h"
#include "path/nftrace_msg.h"
#include "path/rules.h"

#define VERDICT_STEPS_MAX 32

/* struct verdict_step - rule @handle of @chain sent the packet on to @target. */
struct verdict_step {
	const char *chain;
	uint64_t handle;
	const char *target;
	bool is_goto;
};

/* enum verdict_by - what decided */
enum verdict_by {
	VERDICT_RULE,
	VERDICT_POLICY,
	VERDICT_UNKNOWN, /* messages are missing: lost, or yet to come */
};

/**
 * struct verdict - what became of the packet in one base chain
 * @family:	NFPROTO_* of the table; @proto: of the hook
 * @chain:	the base chain (where the first messages are missing: the first chain that is known)
 * @decider:	VERDICT_RULE: the rule's chain and @handle
 * @verdict:	NF_*; VERDICT_UNKNOWN: that of the last message
 * @queue:	NF_QUEUE: its number
 * @steps:	the jumps and gotos that led to the decider, from the base chain on, @n_steps of them;
 *		more than VERDICT_STEPS_MAX are left out
 * @matched:	rules that matched and let the packet go on (mark, count, log, ...)
 * @whole:	no message of it is missing
 * @iif, @oif, @mark: as in the first message
 * @first, @last: numbers of the first and last message
 *
 * Strings are those of the messages.
 */
struct verdict {
	uint32_t id;
	uint32_t first;
	uint32_t last;
	uint8_t family;
	uint8_t proto;
	const char *table;
	const char *chain;
	enum verdict_by by;
	const char *decider;
	uint64_t handle;
	int verdict;
	uint16_t queue;
	struct verdict_step steps[VERDICT_STEPS_MAX];
	size_t n_steps;
	size_t matched;
	bool whole;
	uint32_t iif;
	uint32_t oif;
	uint32_t mark;
};

/*
 * verdicts_fold() - from the @n messages of one packet in the order of their numbers, into @ret of
 * @max; how many there are. Messages about the tables of tracing itself are left out.
 *
 * Chains may be evaluated while another is (a rule that rejects sends its answer at once): they are
 * told apart by the messages' ids.
 */
size_t verdicts_fold(const struct nftrace_msg *const *msgs, size_t n, struct verdict *ret,
		     size_t max);

/* verdict_ends() - with this message a base chain has decided. */
bool verdict_ends(const struct nftrace_msg *m);
/* verdict_continues() - @m is about the same evaluation of a base chain as @earlier. */
bool verdict_continues(const struct nftrace_msg *earlier, const struct nftrace_msg *m);

/*
 * verdict_decision() - as a journey takes it (journeys_decided()). @r may be NULL, or not know the
 * chain or the rule: then without hook and text. What is too long for a field is cut.
 */
void verdict_decision(const struct verdict *v, const struct rules *r, struct path_decision *ret);

/*
 * verdict_print() - in one line: "fw:forward inet vmlane guest #12 "... goto way_out" -> way_out #5
 * "accept" accept"; @r may be NULL, or not know the rule or the chain: then without.
 */
void verdict_print(const struct verdict *v, const struct rules *r, struct buf *out);

#endif
