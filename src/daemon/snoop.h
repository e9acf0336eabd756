/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snoop.h - listening on all bridges of the host for who has which address: guests that never talk to the
 * host are known by that. What is heard is shown and told, and decides nothing: anybody can say anything.
 *
 * Next on the walk: kernel/snoop.h has the sockets, sightings.h remembers.
 */
#ifndef VMLANE_DAEMON_SNOOP_H
#define VMLANE_DAEMON_SNOOP_H

#include "daemon/manager.h"

/* snoop_new() - to m->snoop; on the bridges that there are. What cannot be heard is only logged. */
int snoop_new(struct manager *m) __must_check;
void snoop_free(struct snoop *s);
/* snoop_link() - @link came or changed; snoop_link_gone(): it went; snoop_resync(): maybe many did. */
void snoop_link(struct manager *m, const struct link_state *link);
void snoop_link_gone(struct manager *m, int ifindex);
void snoop_resync(struct manager *m);
/* snoop_served() - @n's socket on its bridge came, or is gone: it hears neighbour discovery in passing. */
void snoop_served(struct manager *m, struct network_rt *n);

#endif
