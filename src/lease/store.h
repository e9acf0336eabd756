/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - leases in SQLite (state.db), durable before an ACK leaves; a batch of requests is one
 * commit.
 *
 * Errors name the database, what is wrong with it and the mend: -ENOSPC full, -EROFS read-only,
 * -EBUSY held by another program, -EUCLEAN damaged, -ENOMEM, -EIO anything else.
 */
#ifndef VMLANE_LEASE_STORE_H
#define VMLANE_LEASE_STORE_H

#include <sqlite3.h>
#include "base/err.h"
#include "lease/table.h"

struct lease_store;
/*
 * lease_store_new() - @db stays the caller's, who has chosen its durability (journal_mode=WAL,
 * synchronous=FULL); creates table `lease` when it is missing.
 */
int lease_store_new(sqlite3 *db, struct lease_store **ret, struct err *e) __must_check;
void lease_store_free(struct lease_store *s);

/* lease_store_load() - all leases of @network into @t. */
int lease_store_load(struct lease_store *s, const char *network, struct lease_table *t,
		     struct err *e) __must_check;
/* begin/commit bracket a batch; rollback undoes it. A put or remove outside of one is its own. */
int lease_store_begin(struct lease_store *s, struct err *e) __must_check;
int lease_store_commit(struct lease_store *s, struct err *e) __must_check;
void lease_store_rollback(struct lease_store *s); /* also fine outside of a transaction */
/* lease_store_put() - replaces what has the same address or MAC. Not for LEASE_OFFERED. */
int lease_store_put(struct lease_store *s, const char *network, const struct lease *l,
		    struct err *e) __must_check;
int lease_store_remove(struct lease_store *s, const char *network, struct in_addr addr,
		       struct err *e) __must_check;
/* lease_store_forget() - all of a network that was deleted. */
int lease_store_forget(struct lease_store *s, const char *network, struct err *e) __must_check;

#endif
