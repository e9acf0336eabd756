/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firewalld.h - bridges of networks with a way out are put into firewalld's zone "vmlane", which comes
 * with vmlane (data/firewalld): what its interfaces send is forwarded, and reaches few services of the
 * host. At run time only, by D-Bus; each again when firewalld was loaded anew. An interface that somebody
 * has put into another zone stays there, and a firewalld that does not run is not started.
 *
 * All calls are asynchronous: a firewalld that does not answer delays nothing.
 */
#ifndef VMLANE_DAEMON_FIREWALLD_H
#define VMLANE_DAEMON_FIREWALLD_H

#include <jansson.h>
#include "daemon/work.h"

#define FIREWALLD_ZONE "vmlane"
#define FIREWALLD_PLACE "firewalld zone " FIREWALLD_ZONE

/* firewalld_follow() - the networks that shall be in the zone are those of @w. */
void firewalld_follow(struct work *w);
/* firewalld_again() - firewalld may have come, or gone. */
void firewalld_again(struct manager *m);
/* firewalld_has() - the bridge of @network is in the zone. */
bool firewalld_has(struct manager *m, const char *network);
/* firewalld_json() - append the place to @list, where firewalld runs. */
void firewalld_json(struct manager *m, json_t *list);
/* firewalld_problem() - why bridges are not in the zone. */
void firewalld_problem(struct manager *m, struct err_list *errs);
void firewalld_free(struct firewalld *f);

#endif
