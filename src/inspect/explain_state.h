/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_state.h - the host as it is now, for path/explain.h: read once, in the calling thread's network
 * namespace. Nothing is sent to any network, and nothing is changed.
 */
#ifndef VMLANE_INSPECT_EXPLAIN_STATE_H
#define VMLANE_INSPECT_EXPLAIN_STATE_H

#include "base/err.h"
#include "base/macro.h"
#include "path/explain.h"

struct explain_state;

/* explain_state_new() - @view is kept, and its no_socket_reason set. The kernel's errors, -EPERM. */
int explain_state_new(struct path_view *view, struct explain_state **ret,
		      struct err *e) __must_check;
void explain_state_free(struct explain_state *s);
DEFINE_CLEANUP(struct explain_state *, explain_state_free)

/* explain_state_presume() - from now on neighbours that were not asked yet are taken to answer. */
void explain_state_presume(struct explain_state *s);

const struct explain_host *explain_state_host(const struct explain_state *s);

#endif
