/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.c - the leases' table in SQLite, by statements that are prepared once.
 *
 * It does not open the database nor choose its durability (the daemon does: WAL, synchronous=FULL)
 * and does not decide anything; server.c brackets what it writes. Next on the walk: server.c sends
 * the replies when lease_store_commit() has returned.
 */
#include "lease/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum statement {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_PUT,
	STMT_REMOVE,
	STMT_FORGET,
	STMT_LOAD,
	STMT_COUNT,
};

/**
 * struct lease_store - the store
 * @db:		the caller's
 * @stmt:	prepared, reset after each use
 */
struct lease_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[STMT_COUNT];
};

/* Written to disk as numbers: these must never change. */
static_assert(LEASE_BOUND == 1 && LEASE_RELEASED == 2 && LEASE_DECLINED == 3,
	      "the states' numbers are in databases out there");

/* addr: IPv4, host byte order; mac: 6 bytes, NULL for declined addresses; expires: s since 1970. */
static const char schema[] = "CREATE TABLE IF NOT EXISTS lease("
			     " network TEXT NOT NULL,"
			     " addr INTEGER NOT NULL CHECK(addr BETWEEN 1 AND 4294967294),"
			     " mac BLOB CHECK(mac IS NULL OR length(mac) = 6),"
			     " state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 3),"
			     " expires INTEGER NOT NULL,"
			     " hostname TEXT NOT NULL,"
			     " client_id BLOB NOT NULL CHECK(length(client_id) <= 255),"
			     " PRIMARY KEY(network, addr)) WITHOUT ROWID;"
			     "CREATE UNIQUE INDEX IF NOT EXISTS lease_by_mac ON lease(network, mac)"
			     " WHERE mac IS NOT NULL;";
static_assert(DHCP4_CLIENT_ID_MAX == 255, "the schema knows this length");

static const char *const sql[] = {
	[STMT_BEGIN] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
	[STMT_ROLLBACK] = "ROLLBACK",
	/* replaces what has the same address, and what has the same MAC */
	[STMT_PUT] = ("INSERT OR REPLACE INTO lease"
		      "(network, addr, mac, state, expires, hostname, client_id)"
		      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
	[STMT_REMOVE] = "DELETE FROM lease WHERE network = ?1 AND addr = ?2",
	[STMT_FORGET] = "DELETE FROM lease WHERE network = ?1",
	[STMT_LOAD] = ("SELECT addr, mac, state, expires, hostname, client_id FROM lease"
		       " WHERE network = ?1 ORDER BY addr"),
};
static_assert(ARRAY_SIZE(sql) == STMT_COUNT, "every statement has its text");

static const char *db_path(sqlite3 *db)
{
	const char *path = sqlite3_db_filename(db, "main");

	return path && *path ? path : "the lease database";
}

/* What went wrong in SQLite, in words that say what to do about it. */
static int store_error(sqlite3 *db, int rc, struct err *e)
{
	const char *path = db_path(db);

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return err_set(e, -ENOSPC, "disk-full", path,
			       "leases cannot be stored: the disk is full; free some space");
	case SQLITE_READONLY:
		return err_set(
			e, -EROFS, "read-only", path,
			"leases cannot be stored: read-only; mount the file system writable, or "
			"give vmlaned's user the right to write");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(
			e, -EBUSY, "locked", path,
			"leases cannot be stored: another program holds the database; find it "
			"with: fuser -v %s",
			path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(
			e, -EUCLEAN, "corrupt", path,
			"the lease database is damaged (%s); stop vmlaned, move the file away and "
			"start it again: guests get their leases anew as they renew",
			sqlite3_errmsg(db));
	case SQLITE_NOMEM:
		return err_set(e, -ENOMEM, "memory", path, "out of memory");
	default:
		return err_set(e, -EIO, "disk", path,
			       "leases cannot be stored: %s; look at the disk: dmesg",
			       sqlite3_errmsg(db));
	}
}

/* Runs a statement that gives no rows, and makes it ready for its next use. */
static int run(struct lease_store *s, enum statement which, struct err *e)
{
	sqlite3_stmt *st = s->stmt[which];
	int rc = sqlite3_step(st);
	int r = rc == SQLITE_DONE ? 0 : store_error(s->db, rc, e);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return r;
}

int lease_store_new(sqlite3 *db, struct lease_store **ret, struct err *e)
{
	struct lease_store *s;
	int rc;

	rc = sqlite3_exec(db, schema, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return store_error(db, rc, e);
	s = calloc(1, sizeof(*s));
	if (!s)
		return store_error(db, SQLITE_NOMEM, e);
	s->db = db;
	for (size_t i = 0; i < STMT_COUNT; i++) {
		rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
					NULL);
		if (rc != SQLITE_OK) {
			int r = store_error(db, rc, e);

			lease_store_free(s);
			return r;
		}
	}
	*ret = s;
	return 0;
}

void lease_store_free(struct lease_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < STMT_COUNT; i++)
		sqlite3_finalize(s->stmt[i]);
	free(s);
}

/* ---- reading ---- */

/* A column's bytes, when they fit: rows may have been written by other hands than ours. */
static int column_bytes(sqlite3_stmt *st, int col, void *ret, size_t max, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(st, col);
	size_t len = (size_t)sqlite3_column_bytes(st, col);

	if (len > max)
		return -EUCLEAN;
	if (len)
		memcpy(ret, bytes, len);
	*ret_len = len;
	return 0;
}

static int read_row(sqlite3_stmt *st, struct lease *ret)
{
	sqlite3_int64 addr = sqlite3_column_int64(st, 0);
	sqlite3_int64 state = sqlite3_column_int64(st, 2);
	struct lease l = {.expires_s = sqlite3_column_int64(st, 3)};
	size_t mac_len, name_len;

	if (addr <= 0 || addr >= UINT32_MAX || state <= LEASE_OFFERED || state >= LEASE_STATE_COUNT)
		return -EUCLEAN;
	if (column_bytes(st, 1, l.mac.b, sizeof(l.mac.b), &mac_len) < 0 ||
	    column_bytes(st, 4, l.hostname, DHCP4_HOSTNAME_MAX, &name_len) < 0 ||
	    column_bytes(st, 5, l.client_id, sizeof(l.client_id), &l.client_id_len) < 0)
		return -EUCLEAN;
	if (mac_len != 0 && mac_len != sizeof(l.mac.b))
		return -EUCLEAN;
	l.addr = ip4_from_host((uint32_t)addr);
	l.state = (enum lease_state)state;
	*ret = l;
	return 0;
}

static int load_row(struct lease_store *s, const char *network, struct lease_table *t,
		    struct err *e)
{
	sqlite3_stmt *st = s->stmt[STMT_LOAD];
	struct lease l;
	int r;

	if (read_row(st, &l) < 0)
		return err_set(
			e, -EUCLEAN, "corrupt", db_path(s->db),
			"a lease of network %s makes no sense; remove it: sqlite3 %s \"DELETE FROM "
			"lease WHERE network='%s' AND addr=%lld\"",
			network, db_path(s->db), network, (long long)sqlite3_column_int64(st, 0));
	r = lease_put(t, &l);
	if (r < 0)
		return err_set(e, r, "leases", network, "leases cannot be loaded: %s",
			       strerror(-r));
	return 0;
}

int lease_store_load(struct lease_store *s, const char *network, struct lease_table *t,
		     struct err *e)
{
	sqlite3_stmt *st = s->stmt[STMT_LOAD];
	int r = 0;
	int rc;

	sqlite3_bind_text(st, 1, network, -1, SQLITE_STATIC);
	for (rc = sqlite3_step(st); rc == SQLITE_ROW && r == 0; rc = r == 0 ? sqlite3_step(st) : rc)
		r = load_row(s, network, t, e);
	if (r == 0 && rc != SQLITE_DONE)
		r = store_error(s->db, rc, e);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return r;
}

/* ---- writing ---- */

int lease_store_begin(struct lease_store *s, struct err *e)
{
	return run(s, STMT_BEGIN, e);
}

int lease_store_commit(struct lease_store *s, struct err *e)
{
	return run(s, STMT_COMMIT, e);
}

void lease_store_rollback(struct lease_store *s)
{
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(s->db))
		(void)run(s, STMT_ROLLBACK, NULL);
}

int lease_store_put(struct lease_store *s, const char *network, const struct lease *l,
		    struct err *e)
{
	sqlite3_stmt *st = s->stmt[STMT_PUT];

	assert(l->state != LEASE_OFFERED);
	sqlite3_bind_text(st, 1, network, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, ip4_host(l->addr));
	if (!mac_is_zero(&l->mac))
		sqlite3_bind_blob(st, 3, l->mac.b, sizeof(l->mac.b), SQLITE_STATIC);
	sqlite3_bind_int(st, 4, (int)l->state);
	sqlite3_bind_int64(st, 5, l->expires_s);
	sqlite3_bind_text(st, 6, l->hostname, -1, SQLITE_STATIC);
	/* a NULL pointer would bind NULL; zero bytes of something is the empty blob */
	sqlite3_bind_blob(st, 7, l->client_id, (int)l->client_id_len, SQLITE_STATIC);
	return run(s, STMT_PUT, e);
}

int lease_store_remove(struct lease_store *s, const char *network, struct in_addr addr,
		       struct err *e)
{
	sqlite3_stmt *st = s->stmt[STMT_REMOVE];

	sqlite3_bind_text(st, 1, network, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, ip4_host(addr));
	return run(s, STMT_REMOVE, e);
}

int lease_store_forget(struct lease_store *s, const char *network, struct err *e)
{
	sqlite3_bind_text(s->stmt[STMT_FORGET], 1, network, -1, SQLITE_STATIC);
	return run(s, STMT_FORGET, e);
}
