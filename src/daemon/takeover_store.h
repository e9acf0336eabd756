/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * takeover_store.h - the journal of NICs that bridged networks have taken, in state.db. Every write
 * is durable when it returns: what it says is what the next daemon goes by, whatever the kernel
 * shows (see bridged.h).
 */
#ifndef VMLANE_DAEMON_TAKEOVER_STORE_H
#define VMLANE_DAEMON_TAKEOVER_STORE_H

#include <sqlite3.h>
#include "base/err.h"
#include "model/network.h"
#include "model/takeover.h"

/* enum takeover_phase - numbers are on disk: append only. */
enum takeover_phase {
	PHASE_TAKING,	 /* under way, or done and not confirmed: goes back at the next start */
	PHASE_HELD,	 /* confirmed: stays */
	PHASE_RETURNING, /* on its way back: finished at the next start */
	PHASE_RETURNED,	 /* is back, for @reason; the row is only there to tell it */
	PHASE_COUNT,
};

#define BOOT_ID_MAX 40

/**
 * struct takeover_row - one take-over
 * @boot_id:	of the boot in which it was done; the kernel of another knows nothing of it
 * @reason:	why it is going or gone back without having been asked to, "" otherwise
 * @things:	what belongs on the NIC; owned
 */
struct takeover_row {
	char network[NAME_MAX_LEN + 1];
	char uplink[IFNAMSIZ];
	char bridge[IFNAMSIZ];
	enum takeover_phase phase;
	char boot_id[BOOT_ID_MAX];
	char reason[256];
	struct takeover_snapshot things;
};

/* takeover_store_init() - make the table where it is missing. */
int takeover_store_init(sqlite3 *db, struct err *e) __must_check;
int takeover_store_put(sqlite3 *db, const struct takeover_row *row, struct err *e) __must_check;
int takeover_store_remove(sqlite3 *db, const char *network, struct err *e) __must_check;
/* takeover_store_each() - @fn takes @row->things over when it returns 0. */
int takeover_store_each(sqlite3 *db, int (*fn)(struct takeover_row *row, void *ctx), void *ctx,
			struct err *e) __must_check;

#endif
