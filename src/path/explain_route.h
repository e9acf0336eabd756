/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain_route.h - where a packet that came in goes: the kernel's answer, and why it refuses. */
#ifndef VMLANE_PATH_EXPLAIN_ROUTE_H
#define VMLANE_PATH_EXPLAIN_ROUTE_H

#include "path/explain_internal.h"

enum routed { ROUTED_NOT, ROUTED_FORWARD, ROUTED_LOCAL };

/*
 * route_receive() - it came in by @in, and its addresses are as they are after prerouting; ROUTED_NOT:
 * it was dropped, or cannot be said, and that has been told. @ret: when it is forwarded.
 */
enum routed route_receive(struct walk *w, const struct link_detail *in, struct route_answer *ret);

#endif
