/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forwards.h - port forwards at run time: whose ports they take, and the connections that go with
 * them. The rules are firewall/forwards.h's, which says why the sysctl.
 */
#ifndef VMLANE_DAEMON_FORWARDS_H
#define VMLANE_DAEMON_FORWARDS_H

#include "daemon/work.h"

/*
 * forwards_check_ports() - the forwards of @set's networks that are not in effect yet, and whose
 * ports some process of the host listens on. -EBUSY with each in @errs, by name where that can be
 * seen. Networks that are stopped are passed over unless @start.
 */
int forwards_check_ports(struct manager *m, const struct config_set *set, bool start,
			 struct err_list *errs) __must_check;

/*
 * forwards_problems() - of the networks that run: forwards that hide a listener of the host, and
 * those of addresses that the host (@a) does not have.
 */
void forwards_problems(struct manager *m, const struct actual *a, struct err_list *errs);

/* forwards_wait_for() - some network has forwards of @addr alone: which interface has it matters. */
bool forwards_wait_for(const struct manager *m, struct in_addr addr);

/* forwards_want() - route_localnet on the bridges that need it, and on no other of ours. */
int forwards_want(struct work *w) __must_check;
/* forwards_uplink() - the interface that has @f's own address and shall forward, or NULL. */
const char *forwards_uplink(const struct work *w, const struct forward *f);
/*
 * forwards_settle() - @w->fw has come after the manager's: connections by forwards that are no more
 * end, and UDP's that went elsewhere before there was one begin anew.
 */
void forwards_settle(struct work *w);

#endif
