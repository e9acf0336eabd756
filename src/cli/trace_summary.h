/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace_summary.h - equal ways folded into one, with counts, percentiles of the time they took, and why they
 * end badly.
 */
#ifndef VMLANE_CLI_TRACE_SUMMARY_H
#define VMLANE_CLI_TRACE_SUMMARY_H

#include "path/diagnose.h"

#define SUMMARY_WAYS_MAX 256	 /* different ones; the rest is counted as one */
#define SUMMARY_CAUSES_MAX 4	 /* different ones kept for each */
#define SUMMARY_SAMPLES_MAX 4096 /* times kept for each; beyond, every one replaces another */

struct trace_summary;

int trace_summary_new(struct trace_summary **ret) __must_check;
void trace_summary_free(struct trace_summary *s);
/* trace_summary_add() - @why: what is to be said of @j, or NULL; each cause is kept once a way. */
void trace_summary_add(struct trace_summary *s, const struct journey *j,
		       const struct journey_words *w, const struct diagnosis *why);
void trace_summary_print(const struct trace_summary *s, bool color);
/* trace_summary_json() - one line a way, {"event": "way", ...} */
void trace_summary_json(const struct trace_summary *s);

#endif
