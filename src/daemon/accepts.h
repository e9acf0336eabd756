/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * accepts.h - networks' packets are let through by the firewalls of others, where these leave a place
 * for that: Docker's chain DOCKER-USER, ufw's chain of user's routes (both as iptables-nft has them), and
 * firewalld's zone "vmlane" (firewalld.h). Only what the networks need, and gone with them.
 *
 * Who drops without leaving a place is not overridden, nor is iptables-legacy, whose tables can only be
 * replaced as a whole; that one is told of, with the command.
 */
#ifndef VMLANE_DAEMON_ACCEPTS_H
#define VMLANE_DAEMON_ACCEPTS_H

#include <jansson.h>
#include "daemon/work.h"

/* accepts_say() - what accepts_do() would do, for `diff`. */
void accepts_say(struct work *w);
/* accepts_do() - the accepts of @w's networks to all places there are; what is refused is kept to be told. */
void accepts_do(struct work *w);
/* accepts_again() - the same as the last time: others have changed their rules. How many places were mended. */
unsigned int accepts_again(struct manager *m);
/* accepts_failed() - at the last time there were places that did not take them. */
bool accepts_failed(const struct manager *m);
/* accepts_json() - the places that are there: docs/API.md. */
json_t *accepts_json(struct manager *m);
/* accepts_of() - the names of the places that have accepts of @network. */
json_t *accepts_of(struct manager *m, const char *network);
/* accepts_has() - one of them is place @name ("ip filter DOCKER-USER"), or any when NULL. */
bool accepts_has(struct manager *m, const char *network, const char *name);
/* accepts_problems() - what could not be placed, and the mend. */
void accepts_problems(struct manager *m, struct err_list *errs);
void accepts_free(struct accepts *a);

#endif
