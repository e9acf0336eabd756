/* SPDX-License-Identifier: GPL-2.0-or-later */
/* takeover_store.c - see takeover_store.h. Next on the walk: bridged.c. */
#include "daemon/takeover_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int store_err(sqlite3 *db, struct err *e)
{
	return err_set(e, -EIO, "state", "takeover", "the journal cannot be used: %s",
		       sqlite3_errmsg(db));
}

int takeover_store_init(sqlite3 *db, struct err *e)
{
	static const char schema[] =
		"CREATE TABLE IF NOT EXISTS takeover(network TEXT PRIMARY KEY, uplink TEXT NOT "
		"NULL,"
		" bridge TEXT NOT NULL, phase INTEGER NOT NULL, boot_id TEXT NOT NULL,"
		" reason TEXT NOT NULL, things BLOB NOT NULL) WITHOUT ROWID";

	return sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_err(db, e);
}

static int bind_row(sqlite3_stmt *st, const struct takeover_row *row, const struct buf *things)
{
	const char *const texts[] = {row->network, row->uplink, row->bridge, row->boot_id,
				     row->reason};
	static const int at[] = {1, 2, 3, 5, 6};
	int r = sqlite3_bind_int(st, 4, (int)row->phase);

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == SQLITE_OK; i++)
		r = sqlite3_bind_text(st, at[i], texts[i], -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_bind_blob(st, 7, things->data, (int)things->len, SQLITE_STATIC);
	return r;
}

int takeover_store_put(sqlite3 *db, const struct takeover_row *row, struct err *e)
{
	struct buf things = BUF_INIT(4 * TAKEOVER_BYTES_MAX);
	sqlite3_stmt *st = NULL;
	int r;

	takeover_pack(&row->things, &things);
	if (things.error) {
		buf_done(&things);
		return things.error;
	}
	r = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO takeover VALUES(?,?,?,?,?,?,?)", -1, &st,
			       NULL);
	if (r == SQLITE_OK)
		r = bind_row(st, row, &things);
	if (r == SQLITE_OK)
		r = sqlite3_step(st);
	sqlite3_finalize(st);
	buf_done(&things);
	return r == SQLITE_DONE ? 0 : store_err(db, e);
}

int takeover_store_remove(sqlite3 *db, const char *network, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int r = sqlite3_prepare_v2(db, "DELETE FROM takeover WHERE network=?", -1, &st, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_bind_text(st, 1, network, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_step(st);
	sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : store_err(db, e);
}

static void take_text(sqlite3_stmt *st, int i, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, i);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

static int read_row(sqlite3_stmt *st, struct takeover_row *row, struct err *e)
{
	int phase = sqlite3_column_int(st, 3);
	int r;

	take_text(st, 0, row->network, sizeof(row->network));
	take_text(st, 1, row->uplink, sizeof(row->uplink));
	take_text(st, 2, row->bridge, sizeof(row->bridge));
	take_text(st, 4, row->boot_id, sizeof(row->boot_id));
	take_text(st, 5, row->reason, sizeof(row->reason));
	r = phase < 0 || phase >= PHASE_COUNT
		    ? -EBADMSG
		    : takeover_unpack(sqlite3_column_blob(st, 6),
				      (size_t)sqlite3_column_bytes(st, 6), &row->things);
	if (r == -EBADMSG)
		return err_set(e, -EIO, "state", row->network,
			       "the journal of the take-over of %s is damaged; put its addresses "
			       "back by hand and move the state database away",
			       row->uplink);
	row->phase = (enum takeover_phase)phase;
	return r;
}

int takeover_store_each(sqlite3 *db, int (*fn)(struct takeover_row *row, void *ctx), void *ctx,
			struct err *e)
{
	static const char sql[] =
		"SELECT network, uplink, bridge, phase, boot_id, reason, things FROM takeover "
		"ORDER BY network";
	sqlite3_stmt *st = NULL;
	int r = 0, step = SQLITE_ERROR;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return store_err(db, e);
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct takeover_row row = {0};

		r = read_row(st, &row, e);
		if (r == 0)
			r = fn(&row, ctx);
		if (r < 0)
			takeover_snapshot_done(&row.things);
	}
	if (r == 0 && step != SQLITE_DONE)
		r = store_err(db, e);
	sqlite3_finalize(st);
	return r;
}
