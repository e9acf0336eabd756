/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain.h - the same question as probe.h's, answered from the host's state, without sending anything:
 * the way there, and the way of the reply.
 *
 * Next on the walk: explain_state.h, which reads, and path/explain.h, which concludes.
 */
#ifndef VMLANE_INSPECT_EXPLAIN_H
#define VMLANE_INSPECT_EXPLAIN_H

#include "inspect/probe_request.h"
#include "path/explain.h"
#include "path/journey_text.h"

/* enum explain_result - what would come of it */
enum explain_result {
	EXPLAIN_PASSES,	     /* it would get there, and so would the reply */
	EXPLAIN_NO_WAY,	     /* it would be dropped */
	EXPLAIN_NO_WAY_BACK, /* its reply would, or there would be none */
	EXPLAIN_UNKNOWN,     /* it cannot be said */
};

/* Called with each way as it is concluded; true: something is wrong with it, as of probe_fn. */
typedef bool (*explain_fn)(const struct journey *j, const struct journey_words *w, bool reply,
			   void *ctx);

/**
 * struct explain_outcome - what came of an explanation
 * @what:	why there is no answer although it was delivered, "" when a way says so itself
 * @any_port:	the source's port after translation is the kernel's choice
 * @by_host:	it is for the host itself, which answers
 * @undecided:	no answer is known of a rule
 * @policy:	the rules of networks' policies that it met, @n_policy of them
 */
struct explain_outcome {
	enum explain_result result;
	char what[160];
	bool any_port;
	bool by_host;
	bool undecided;
	struct explain_policy policy[EXPLAIN_POLICY_MAX];
	size_t n_policy;
};

/*
 * explain_run() - @r is the question's frame (probe_request_make()). 0 or -errno with words, as of
 * explain_state_new(). @ret->any_port is known when @fn is called.
 */
int explain_run(struct subject *s, const struct probe_request *r, explain_fn fn, void *ctx,
		struct explain_outcome *ret, struct err *e) __must_check;

struct explain_state;

/* explain_run_in() - the same by @state, which was read before with the view of @s. */
int explain_run_in(struct explain_state *state, struct subject *s, const struct probe_request *r,
		   explain_fn fn, void *ctx, struct explain_outcome *ret,
		   struct err *e) __must_check;

#endif
