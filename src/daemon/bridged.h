/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridged.h - networks of `mode: bridged`: their NIC is taken into a bridge, and comes back.
 *
 * The journal (takeover_store.h) is written before the first change and goes by these rules:
 *
 *   TAKING	written with all that belongs to the NIC, then the bridge is made, then everything
 *		moves. Whoever finds this at a start brings everything back.
 *   HELD	written when the take-over is confirmed: by `vmlane confirm` where --confirm was asked
 *		for, else by the default gateway answering as it did before. Left alone at a start.
 *   RETURNING	written with all that belongs to the bridge at that time, then everything moves to
 *		the NIC, then the bridge goes. Whoever finds it at a start does it again.
 *   RETURNED	why it came back by itself. The network is stopped.
 *
 * After a restart of the machine the kernel has no bridge, and the NIC is as the host's own network
 * configuration makes it: TAKING becomes RETURNED without a step, HELD is taken again.
 *
 * A bridge that is named with `bridge:` is somebody else's: only taps are plugged into it.
 *
 * bridged.c decides, bridged_do.c does, bridged_serve.c answers requests and shows.
 */
#ifndef VMLANE_DAEMON_BRIDGED_H
#define VMLANE_DAEMON_BRIDGED_H

#include <jansson.h>
#include "daemon/reconcile.h"
#include "daemon/takeover_store.h"
#include "kernel/rtnl_move.h"

#define GATEWAY_ANSWER_S 5

/**
 * struct takeover_rt - a take-over at run time
 * @row:	as in the journal
 * @gateway:	asked until it answers, when @gateway.family; @known: it was there before
 * @deadline_us: when it goes back, on the clock since boot; 0: nothing is awaited
 * @by_hand:	`vmlane confirm` is awaited, not the gateway
 * @timer:	armed while something is awaited
 */
struct takeover_rt {
	struct takeover_row row;
	struct manager *m;
	struct gateway gateway;
	uint64_t deadline_us;
	bool by_hand;
	sd_event_source *timer;
	UT_hash_handle hh;
};

/* ---- bridged.c ---- */

/* bridged_load() - read the journal, and bring back what was not confirmed. */
int bridged_load(struct manager *m, struct err *e) __must_check;
/*
 * bridged_reconcile() - NICs that no running network wants go back, those that one wants are
 * taken. Problems are kept in the networks; the first error is returned.
 */
int bridged_reconcile(struct manager *m, const struct target *target, json_t *changes,
		      struct err_list *errs) __must_check;
/* bridged_say() - what bridged_reconcile() would do, for `diff`. */
void bridged_say(struct manager *m, const struct target *target, json_t *changes);
/* bridged_end() - the daemon ends: what is not confirmed goes back now. */
void bridged_end(struct manager *m);
void bridged_free(struct manager *m);
struct takeover_rt *bridged_find(struct manager *m, const char *network);
/* bridged_by_uplink() - the take-over that holds NIC @ifname, or NULL. */
struct takeover_rt *bridged_by_uplink(struct manager *m, const char *ifname);
/* bridged_mtu() - of the guests on @c's network: its bridge's; 0 when there is none. */
uint32_t bridged_mtu(const struct actual *a, const struct network_config *c);
/* bridged_forget() - the network goes, and with it why it came back. */
void bridged_forget(struct manager *m, const char *network);

/* bridged_hold() - it is confirmed: it stays, also over restarts. */
int bridged_hold(struct manager *m, struct takeover_rt *t, struct err *e) __must_check;

/* ---- bridged_do.c ---- */

/* bridged_take() - steps and journal of a take-over up to TAKING; on failure all is back. */
int bridged_take(struct manager *m, const struct network_config *c, struct takeover_rt *ret,
		 struct err *e) __must_check;
/* bridged_return() - everything back to the NIC; @reason NULL: somebody asked for it. */
int bridged_return(struct manager *m, struct takeover_rt *t, const char *reason,
		   struct err *e) __must_check;
/* bridged_replug() - a NIC that is held and no port any more is made one. */
int bridged_replug(struct manager *m, const struct takeover_rt *t, struct err *e) __must_check;

/* ---- bridged_serve.c ---- */

/* The one problem with which a network runs all the same: others' rules may let frames pass. */
#define BRIDGED_FILTERED "br-netfilter"

/* bridged_problem() - what is wrong with @n's NIC or bridge now; code "" when nothing is. */
void bridged_problem(struct manager *m, const struct network_rt *n, const struct actual *a,
		     struct err *ret);
/* bridged_json() - "takeover" of the network: docs/API.md. */
json_t *bridged_json(struct manager *m, const struct network_rt *n);

#endif
