/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnosing.h - packets that came to a bad end, and why: path/diagnose.h asked with live facts.
 */
#ifndef VMLANE_INSPECT_DIAGNOSING_H
#define VMLANE_INSPECT_DIAGNOSING_H

#include "inspect/subject.h"
#include "path/diagnose.h"

struct diagnosing;

/*
 * diagnosing_new() - @s and @socket (may be NULL) stay the caller's. @one_sided: not all of what the guest
 * gets is seen, so that nothing follows from an answer that is not.
 */
int diagnosing_new(const struct subject *s, const char *socket, bool one_sided,
		   struct diagnosing **ret) __must_check;
void diagnosing_free(struct diagnosing *d);

/* diagnosing_journey() - @j is over; false when there is nothing to explain, or it cannot be. */
bool diagnosing_journey(struct diagnosing *d, const struct journey *j,
			const struct journey_words *w, struct diagnosis *ret);

/* diagnosing_port() - whether the guest's port @ifindex lets nothing in. */
bool diagnosing_port(struct diagnosing *d, int ifindex, struct diagnosis *ret);

/*
 * diagnosing_again() - the same was said less than a second ago: a line is enough. Remembers what it
 * is asked about.
 */
bool diagnosing_again(struct diagnosing *d, const struct diagnosis *what);

#endif
