/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace_json.h - journeys as JSON: one object a line on stdout, documented in docs/API.md. */
#ifndef VMLANE_CLI_TRACE_JSON_H
#define VMLANE_CLI_TRACE_JSON_H

#include <stdbool.h>
#include <jansson.h>
#include "inspect/diagnosing.h"
#include "inspect/tracing.h"

/* trace_json_start() - {"event": "start", ...}; @rules: firewalls' rules are told */
void trace_json_start(const struct subject *s, bool rules);
/* trace_json_event() - {"event": "seen", ...}: one event of the kernel, which is called @what; not flushed */
void trace_json_event(const struct path_head *head, size_t len, const char *what,
		      const struct tracing *t);
/*
 * trace_json_journey() - {"event": "packet", ...}; @d is why, or NULL. @t NULL: it is predicted, and has no
 * times.
 */
void trace_json_journey(const struct journey *j, const struct journey_words *w,
			const struct tracing *t, const struct diagnosis *d);
/* trace_json_blocked() - {"event": "blocked", ...}: nothing gets in by the guest's port @dev */
void trace_json_blocked(const char *dev, const struct diagnosis *d);
/* trace_json_end() - {"event": "end", ...} with what was lost */
void trace_json_end(uint64_t shown, uint64_t dropped, const struct tracing *t);

/* trace_json_line() - @j as one line; the reference is taken over. */
void trace_json_line(json_t *j);

#endif
