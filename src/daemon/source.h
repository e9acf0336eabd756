/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h - the addresses that a network's guests leave the host as (`nat.source`). */
#ifndef VMLANE_DAEMON_SOURCE_H
#define VMLANE_DAEMON_SOURCE_H

#include "daemon/manager.h"

#define SOURCE_ABSENT "source-absent"

/*
 * source_problem() - why replies to running network @n's guests do not come back, into @ret; code ""
 * when they do, as far as can be told. An address that the host does not have is asked for by ARP in
 * vain where it is of an uplink's own subnet. Any other has to be routed to the host, which only the
 * routers out there know.
 */
void source_problem(struct manager *m, const struct network_rt *n, const struct actual *a,
		    struct err *ret);

#endif
