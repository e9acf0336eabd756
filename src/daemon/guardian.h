/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guardian.h - what others do to that which is ours is noticed and put right: rules, bridges, ports,
 * addresses, sysctls. What is theirs is not touched, and who does it again and again is not fought
 * with faster than pace.h says.
 *
 * Noticing is cheap and exact (guardian.c: what is told is looked at alone); only what is found
 * changed has everything looked at and mended, by reconcile(). Silent are sysctls that are written
 * through another mount of /proc, which are read in turn.
 */
#ifndef VMLANE_DAEMON_GUARDIAN_H
#define VMLANE_DAEMON_GUARDIAN_H

#include <jansson.h>
#include "daemon/manager.h"

/* guardian_new() - to m->guardian; it hears of rules from now on, and mends once guardian_on(). */
int guardian_new(struct manager *m) __must_check;
void guardian_free(struct guardian *g);
/* guardian_on() - all is as it should be, or as near as it gets: from now on changes are mended. */
void guardian_on(struct manager *m);

/* guardian_heard() - an event of the kernel's; those that are about nothing of ours are passed over. */
void guardian_heard(struct manager *m, const struct rtnl_event *ev);
/*
 * guardian_wants() - the @n first of @d's sysctls shall stay as they are there, whatever else they
 * were said to be before. Copied.
 */
void guardian_wants(struct manager *m, const struct desired *d, size_t n);
/*
 * guardian_waits() - other firewalls are changing their rules just now: accepts are put among them when
 * they are done.
 */
bool guardian_waits(const struct manager *m);
/*
 * guardian_instead() - somebody has changed something that is ours, it is put right and told, and with
 * it all that following the host's routes would have done.
 */
bool guardian_instead(struct manager *m);
/* guardian_problem() - somebody keeps changing what is ours; code "" when nobody does. */
void guardian_problem(struct manager *m, struct err *ret);
/* guardian_json() - "guardian" of the status: docs/API.md. */
json_t *guardian_json(struct manager *m);

#endif
