/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events.h - telling those who listen at GET /v1/events what happens; docs/API.md has the events.
 * While nobody listens, nothing is built and the kernel is not asked for MAC tables' changes.
 */
#ifndef VMLANE_DAEMON_EVENTS_H
#define VMLANE_DAEMON_EVENTS_H

#include "daemon/manager.h"

/**
 * events_emit() - tell of an event
 * @name:	"lease", "guest-attached", ...
 * @network:	NULL when it is not of one
 * @guest:	NULL likewise
 * @more:	further keys, taken over; NULL for none
 * @fmt:	the line for people
 */
void events_emit(struct manager *m, const char *name, const char *network, const char *guest,
		 json_t *more, const char *fmt, ...) __printf(6, 7);

/* events_listeners() - api_server_on_listeners()'s function; @ctx is the manager. */
void events_listeners(bool any, void *ctx);
/* events_link() - a link of the kernel's changed; says so when it is a guest's going up or down. */
void events_link(struct manager *m, const struct link_state *link);
/* events_fdb() - a MAC table's entry came, moved or went. */
void events_fdb(struct manager *m, const struct rtnl_event *ev);
/* events_uplinks() - the host's default routes go out by @names now. */
void events_uplinks(struct manager *m, char (*names)[IFNAMSIZ], size_t n);
/* events_done() - drops what was kept for the events. */
void events_done(struct manager *m);

/* events_hello() - struct service's function: the first event of a stream. */
int events_hello(void *ctx, json_t **ret, struct err_list *errs) __must_check;

#endif
