/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - see state.h. */
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

struct state {
	sqlite3 *db;
	int lock_fd;
	char path[PATH_MAX];
};

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE IF NOT EXISTS network(name TEXT PRIMARY KEY, config TEXT NOT NULL,"
	" file TEXT NOT NULL, stopped INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS guest(name TEXT PRIMARY KEY, network TEXT NOT NULL,"
	" tap TEXT NOT NULL, mac BLOB NOT NULL, kind INTEGER NOT NULL, queues INTEGER NOT NULL,"
	" owner INTEGER NOT NULL, creator INTEGER NOT NULL, pid INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS sysctl(path TEXT PRIMARY KEY, original TEXT NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"PRAGMA user_version=1;"
	"COMMIT;";

static int db_err(struct state *s, struct err *e)
{
	int code = sqlite3_errcode(s->db);

	if (code == SQLITE_FULL)
		return err_set(e, -ENOSPC, "state", s->path, "the disk is full; make room on it");
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return err_set(e, -EIO, "state", s->path,
			       "the state database is damaged (%s); move it away and start again: "
			       "networks come back from their files, leases are lost",
			       sqlite3_errmsg(s->db));
	return err_set(e, -EIO, "state", s->path, "%s", sqlite3_errmsg(s->db));
}

static int lock_take(struct state *s, const char *dir, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_set(e, -errno, "state", path, "cannot be opened: %s", strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "state", dir,
			       "another vmlaned uses this state directory; stop it, or give this "
			       "one its own with --state-dir");
	return 0;
}

static int schema_check(struct state *s, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int version = 0;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return db_err(s, e);
	if (sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	if (version > STATE_VERSION)
		return err_set(e, -EPROTO, "state", s->path,
			       "was written by a newer vmlaned (version %d, this one knows %d); "
			       "install that one again",
			       version, STATE_VERSION);
	if (version == STATE_VERSION)
		return 0;
	if (sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return db_err(s, e);
	return 0;
}

static int db_open(struct state *s, struct err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
		    SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		return err_set(e, -EIO, "state", s->path, "cannot be opened: %s",
			       s->db ? sqlite3_errmsg(s->db) : "out of memory");
	sqlite3_busy_timeout(s->db, 2000);
	if (sqlite3_exec(s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", NULL, NULL,
			 NULL) != SQLITE_OK)
		return db_err(s, e);
	return schema_check(s, e);
}

int state_open(const char *dir, struct state **ret, struct err *e)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->lock_fd = -1;
	snprintf(s->path, sizeof(s->path), "%s/state.db", dir);
	r = lock_take(s, dir, e);
	if (r == 0)
		r = db_open(s, e);
	if (r < 0) {
		state_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	sqlite3_close_v2(s->db);
	fd_closep(&s->lock_fd);
	free(s);
}

sqlite3 *state_db(struct state *s)
{
	return s->db;
}

/*
 * run() - prepare @sql, bind what @types says ('s' text, 'i' int64, 'm' struct mac *), step it
 * to its end. For statements that give no rows.
 */
static int bind_one(sqlite3_stmt *st, int at, char type, va_list *ap)
{
	switch (type) {
	case 's':
		return sqlite3_bind_text(st, at, va_arg(*ap, const char *), -1, SQLITE_TRANSIENT);
	case 'm':
		return sqlite3_bind_blob(st, at, va_arg(*ap, const struct mac *)->b, 6,
					 SQLITE_TRANSIENT);
	default:
		return sqlite3_bind_int64(st, at, va_arg(*ap, int64_t));
	}
}

static int run(struct state *s, struct err *e, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int r = SQLITE_OK;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return db_err(s, e);
	va_start(ap, types);
	for (int i = 0; types[i] && r == SQLITE_OK; i++)
		r = bind_one(st, i + 1, types[i], &ap);
	va_end(ap);
	if (r == SQLITE_OK)
		r = sqlite3_step(st);
	sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : db_err(s, e);
}

int state_begin(struct state *s, struct err *e)
{
	if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return db_err(s, e);
	return 0;
}

int state_end(struct state *s, int r, struct err *e)
{
	if (r == 0 && sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		r = db_err(s, e);
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int state_network_put(struct state *s, const struct state_network *n, struct err *e)
{
	return run(s, e, "INSERT OR REPLACE INTO network VALUES(?,?,?,?)", "sssi", n->name,
		   n->config, n->file, (int64_t)n->stopped);
}

int state_network_remove(struct state *s, const char *name, struct err *e)
{
	int r = run(s, e, "DELETE FROM network WHERE name=?", "s", name);

	return r < 0 ? r
		     : run(s, e,
			   "DELETE FROM meta WHERE key IN ('subnet ' || ?1, 'subnet6 ' || ?1)", "s",
			   name);
}

int state_guest_put(struct state *s, const struct state_guest *g, struct err *e)
{
	return run(s, e, "INSERT OR REPLACE INTO guest VALUES(?,?,?,?,?,?,?,?,?)", "sssmiiiii",
		   g->name, g->network, g->tap, &g->mac, (int64_t)g->kind, (int64_t)g->queues,
		   (int64_t)g->owner_uid, (int64_t)g->creator_uid, (int64_t)g->pid);
}

int state_guest_remove(struct state *s, const char *name, struct err *e)
{
	return run(s, e, "DELETE FROM guest WHERE name=?", "s", name);
}

/*
 * kernel_fact() - write what is remembered of the kernel. It has to outlive this process, not the
 * machine: when that loses power, the kernel has lost the same. So the disk is not waited for, and
 * a network starts sooner. In WAL mode the next durable write brings these along, in order.
 */
static int kernel_fact(struct state *s, struct err *e, const char *sql, const char *key,
		       const char *value)
{
	int r;

	if (sqlite3_exec(s->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) != SQLITE_OK)
		return db_err(s, e);
	r = run(s, e, sql, value ? "ss" : "s", key, value);
	/* Leases and intentions go the same way: they must find it as it was. */
	if (sqlite3_exec(s->db, "PRAGMA synchronous=FULL", NULL, NULL, NULL) != SQLITE_OK)
		return db_err(s, e);
	return r;
}

int state_sysctl_put(struct state *s, const struct sysctl_state *v, struct err *e)
{
	return kernel_fact(s, e, "INSERT OR IGNORE INTO sysctl VALUES(?,?)", v->path, v->value);
}

int state_sysctl_remove(struct state *s, const char *path, struct err *e)
{
	return kernel_fact(s, e, "DELETE FROM sysctl WHERE path=?", path, NULL);
}

int state_meta_put(struct state *s, const char *key, const char *value, struct err *e)
{
	return kernel_fact(s, e, "INSERT OR REPLACE INTO meta VALUES(?,?)", key, value);
}

static const char *column(sqlite3_stmt *st, int i)
{
	const unsigned char *t = sqlite3_column_text(st, i);

	return t ? (const char *)t : "";
}

int state_meta_get(struct state *s, const char *key, char **ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	char *value = NULL;
	int r;

	if (sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE key=?", -1, &st, NULL) !=
	    SQLITE_OK)
		return db_err(s, e);
	sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
	r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		value = strdup(column(st, 0));
	sqlite3_finalize(st);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return db_err(s, e);
	if (r == SQLITE_ROW && !value)
		return -ENOMEM;
	*ret = value;
	return 0;
}

static int put_subnet(struct state *s, const char *word, const char *network, const char *subnet,
		      struct err *e)
{
	return run(s, e, "INSERT OR REPLACE INTO meta VALUES(? || ' ' || ?,?)", "sss", word,
		   network, subnet);
}

static int get_subnet(struct state *s, const char *word, const char *network, char **ret,
		      struct err *e)
{
	char key[NAME_MAX_LEN + sizeof("subnet6 ")];

	snprintf(key, sizeof(key), "%s %s", word, network);
	return state_meta_get(s, key, ret, e);
}

int state_subnet_put(struct state *s, const char *network, const char *subnet, struct err *e)
{
	return put_subnet(s, "subnet", network, subnet, e);
}

int state_subnet_get(struct state *s, const char *network, char **ret, struct err *e)
{
	return get_subnet(s, "subnet", network, ret, e);
}

int state_subnet6_put(struct state *s, const char *network, const char *subnet, struct err *e)
{
	return put_subnet(s, "subnet6", network, subnet, e);
}

int state_subnet6_get(struct state *s, const char *network, char **ret, struct err *e)
{
	return get_subnet(s, "subnet6", network, ret, e);
}

/* each() - call @row for every row of @sql; it unpacks the columns and calls the user's fn. */
static int each(struct state *s, const char *sql, int (*row)(sqlite3_stmt *, const void *, void *),
		const void *fn, void *ctx, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int r, step;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return db_err(s, e);
	r = 0;
	while (r >= 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
		r = row(st, fn, ctx);
	if (r >= 0 && step != SQLITE_DONE)
		r = db_err(s, e);
	sqlite3_finalize(st);
	return r < 0 ? r : 0;
}

static int network_row(sqlite3_stmt *st, const void *fn, void *ctx)
{
	const struct state_network n = {
		.name = column(st, 0),
		.config = column(st, 1),
		.file = column(st, 2),
		.stopped = sqlite3_column_int(st, 3) != 0,
	};

	return (*(const state_network_fn *)fn)(&n, ctx);
}

static int guest_row(sqlite3_stmt *st, const void *fn, void *ctx)
{
	struct state_guest g = {
		.kind = sqlite3_column_int(st, 4) == GUEST_RUN ? GUEST_RUN : GUEST_ATTACHED,
		.queues = (unsigned int)sqlite3_column_int(st, 5),
		.owner_uid = (uint32_t)sqlite3_column_int64(st, 6),
		.creator_uid = (uint32_t)sqlite3_column_int64(st, 7),
		.pid = sqlite3_column_int(st, 8),
	};

	snprintf(g.name, sizeof(g.name), "%s", column(st, 0));
	snprintf(g.network, sizeof(g.network), "%s", column(st, 1));
	snprintf(g.tap, sizeof(g.tap), "%s", column(st, 2));
	if (sqlite3_column_bytes(st, 3) == (int)sizeof(g.mac.b))
		memcpy(g.mac.b, sqlite3_column_blob(st, 3), sizeof(g.mac.b));
	return (*(const state_guest_fn *)fn)(&g, ctx);
}

static int sysctl_row(sqlite3_stmt *st, const void *fn, void *ctx)
{
	struct sysctl_state v = {0};

	snprintf(v.path, sizeof(v.path), "%s", column(st, 0));
	snprintf(v.value, sizeof(v.value), "%s", column(st, 1));
	return (*(const state_sysctl_fn *)fn)(&v, ctx);
}

int state_networks(struct state *s, state_network_fn fn, void *ctx, struct err *e)
{
	return each(s, "SELECT name, config, file, stopped FROM network ORDER BY name", network_row,
		    &fn, ctx, e);
}

int state_guests(struct state *s, state_guest_fn fn, void *ctx, struct err *e)
{
	return each(s,
		    "SELECT name, network, tap, mac, kind, queues, owner, creator, pid FROM guest "
		    "ORDER BY name",
		    guest_row, &fn, ctx, e);
}

int state_sysctls(struct state *s, state_sysctl_fn fn, void *ctx, struct err *e)
{
	return each(s, "SELECT path, original FROM sysctl ORDER BY path", sysctl_row, &fn, ctx, e);
}
