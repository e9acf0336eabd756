/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * facts.h - the host as it is now, for path/diagnose.h: read when something is to be explained, and
 * not oftener than once in a while.
 */
#ifndef VMLANE_INSPECT_FACTS_H
#define VMLANE_INSPECT_FACTS_H

#include "base/macro.h"
#include "path/diagnose.h"

struct live_facts;

/* live_facts_new() - nothing is read yet; @socket is the daemon's, asked about our networks. */
int live_facts_new(const char *socket, struct live_facts **ret) __must_check;
void live_facts_free(struct live_facts *l);
DEFINE_CLEANUP(struct live_facts *, live_facts_free)

/*
 * live_facts_get() - valid until the next call; NULL when the kernel cannot be asked. What was read
 * less than @max_age_ms ago is taken for true; where reading takes long, for ten times as long, but not
 * for more than a second.
 */
const struct facts *live_facts_get(struct live_facts *l, unsigned int max_age_ms);
/*
 * live_facts_since() - as live_facts_get(), of what was read after @since_ns (CLOCK_MONOTONIC), also where reading takes
 * long; but not sooner after a reading than that has taken.
 */
const struct facts *live_facts_since(struct live_facts *l, uint64_t since_ns);

#endif
