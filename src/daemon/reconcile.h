/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reconcile.h - make the kernel match what is wanted, changing only what differs.
 *
 * snapshot (kernel/) + target -> plan_diff (model/) and fw_ruleset_build (firewall/) -> steps. The
 * same code answers `diff`, which stops before the steps.
 */
#ifndef VMLANE_DAEMON_RECONCILE_H
#define VMLANE_DAEMON_RECONCILE_H

#include <jansson.h>
#include "daemon/manager.h"

/* struct target_network - a network that shall be (with @run) in the kernel; @config not owned. */
struct target_network {
	const struct network_config *config;
	bool run;
};

/* struct target - all networks that shall exist; the array is owned. */
struct target {
	struct target_network *networks;
	size_t n;
};

/* target_runtime() - what the manager's networks ask for. */
int target_runtime(struct manager *m, struct target *ret) __must_check;
void target_done(struct target *t);

enum reconcile_scope {
	RECONCILE_DIFF,	  /* change nothing, only say what would */
	RECONCILE_ALL,	  /* everything */
	RECONCILE_MEND,	  /* everything that is missing: what others have added stays */
	RECONCILE_FOLLOW, /* uplinks only: firewall, forwarding sysctls, MTU */
};

/**
 * reconcile() - see the head of this file
 * @target:	NULL for target_runtime()
 * @changes:	json array that gets an object for each change (docs/API.md), or NULL
 * @errs:	what went wrong, also kept in the networks concerned (network_rt.problem)
 *
 * A network whose step fails is left where it is and marked; the others go on. Returns 0 when all
 * went well, else the first error.
 */
int reconcile(struct manager *m, const struct target *target, enum reconcile_scope scope,
	      json_t *changes, struct err_list *errs) __must_check;

/* reconcile_later() - follow changed routes and links soon; many changes make one look. */
void reconcile_later(struct manager *m);

#endif
