/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the lease store on a real database: what is kept, what is replaced, and how it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lease/store.h"

static char db_file[64];

static sqlite3 *open_db(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(db_file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	return db;
}

static void remove_db(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[80];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", db_file, ends[i]);
		unlink(name);
	}
}

struct fixture {
	sqlite3 *db;
	struct lease_store *store;
	struct lease_table *t;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	remove_db();
	f->db = open_db();
	assert_int_equal(lease_store_new(f->db, &f->store, &f->e), 0);
	assert_int_equal(lease_table_new(&f->t), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lease_table_free(f->t);
	lease_store_free(f->store);
	/* SQLITE_BUSY would mean a statement that was not finalized */
	assert_int_equal(sqlite3_close(f->db), SQLITE_OK);
	free(f);
	remove_db();
	return 0;
}

static struct lease lease(uint32_t addr, uint8_t mac, enum lease_state state)
{
	struct lease l = {.addr = ip4_from_host(0xc0a87a00 + addr),
			  .state = state,
			  .expires_s = 1700000000 + addr};

	if (mac)
		l.mac = (struct mac){{0x52, 0x54, 0, 0, 0, mac}};
	return l;
}

static void put(struct fixture *f, const char *network, const struct lease *l)
{
	assert_int_equal(lease_store_put(f->store, network, l, &f->e), 0);
}

/* As after a restart: a new connection, a new table. */
static void restart(struct fixture *f, const char *network)
{
	lease_store_free(f->store);
	assert_int_equal(sqlite3_close(f->db), SQLITE_OK);
	lease_table_free(f->t);
	f->db = open_db();
	assert_int_equal(lease_store_new(f->db, &f->store, &f->e), 0);
	assert_int_equal(lease_table_new(&f->t), 0);
	assert_int_equal(lease_store_load(f->store, network, f->t, &f->e), 0);
}

static void test_round_trip(void **state)
{
	struct lease a = lease(10, 1, LEASE_BOUND), b = lease(11, 2, LEASE_RELEASED);
	struct lease c = lease(12, 0, LEASE_DECLINED), other = lease(10, 1, LEASE_BOUND);
	struct fixture *f = *state;
	const struct lease *got;

	strcpy(a.hostname, "web1");
	a.client_id_len = sizeof(a.client_id);
	for (size_t i = 0; i < a.client_id_len; i++)
		a.client_id[i] = (uint8_t)i; /* NULs and all */
	put(f, "default", &a);
	put(f, "default", &b);
	put(f, "default", &c);
	put(f, "other", &other);
	restart(f, "default");
	assert_int_equal(lease_count(f->t), 3);
	got = lease_find_mac(f->t, &a.mac);
	assert_non_null(got);
	assert_memory_equal(got, &a, sizeof(a));
	got = lease_find_addr(f->t, b.addr);
	assert_int_equal(got->state, LEASE_RELEASED);
	assert_int_equal(got->client_id_len, 0);
	got = lease_find_addr(f->t, c.addr);
	assert_int_equal(got->state, LEASE_DECLINED);
	assert_true(mac_is_zero(&got->mac));
	assert_int_equal(got->expires_s, c.expires_s);
}

static void test_replace(void **state)
{
	struct lease a = lease(10, 1, LEASE_BOUND), moved = lease(20, 1, LEASE_BOUND);
	struct lease taken = lease(20, 2, LEASE_BOUND), x = lease(30, 0, LEASE_DECLINED);
	struct lease y = lease(31, 0, LEASE_DECLINED);
	struct fixture *f = *state;

	/* one lease a MAC */
	put(f, "n", &a);
	put(f, "n", &moved);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 1);
	assert_non_null(lease_find_addr(f->t, moved.addr));
	/* one lease an address */
	put(f, "n", &taken);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 1);
	assert_true(mac_equal(&lease_find_addr(f->t, taken.addr)->mac, &taken.mac));
	/* declined addresses have no MAC, and are many all the same */
	put(f, "n", &x);
	put(f, "n", &y);
	/* the same MAC on another network is another guest's business */
	put(f, "m", &taken);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 3);
	assert_int_equal(lease_store_remove(f->store, "n", x.addr, &f->e), 0);
	assert_int_equal(lease_store_remove(f->store, "n", x.addr, &f->e), 0);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 2);
	assert_int_equal(lease_store_forget(f->store, "n", &f->e), 0);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 0);
	restart(f, "m");
	assert_int_equal(lease_count(f->t), 1);
}

static void test_batch(void **state)
{
	struct lease a = lease(10, 1, LEASE_BOUND), b = lease(11, 2, LEASE_BOUND);
	struct fixture *f = *state;

	assert_int_equal(lease_store_begin(f->store, &f->e), 0);
	put(f, "n", &a);
	put(f, "n", &b);
	lease_store_rollback(f->store);
	lease_store_rollback(f->store); /* nothing to undo */
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 0);
	assert_int_equal(lease_store_begin(f->store, &f->e), 0);
	put(f, "n", &a);
	put(f, "n", &b);
	assert_int_equal(lease_store_commit(f->store, &f->e), 0);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 2);
	/* each is its own outside of a batch: a copy made without closing has it */
	put(f, "n", &(struct lease){.addr = ip4_from_host(1), .state = LEASE_DECLINED});
	assert_int_equal(sqlite3_get_autocommit(f->db), 1);
}

static void test_read_only(void **state)
{
	struct lease a = lease(10, 1, LEASE_BOUND);
	struct fixture *f = *state;

	assert_int_equal(sqlite3_exec(f->db, "PRAGMA query_only=1", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(lease_store_put(f->store, "n", &a, &f->e), -EROFS);
	assert_string_equal(f->e.code, "read-only");
	assert_string_equal(f->e.where, db_file);
	assert_int_equal(sqlite3_exec(f->db, "PRAGMA query_only=0", NULL, NULL, NULL), SQLITE_OK);
	put(f, "n", &a);
}

static void test_full(void **state)
{
	struct lease a = lease(0, 0, LEASE_DECLINED);
	struct fixture *f = *state;
	uint32_t n = 0;
	int r = 0;

	assert_int_equal(sqlite3_exec(f->db, "PRAGMA max_page_count=8", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(lease_store_begin(f->store, &f->e), 0);
	while (r == 0 && ++n < 10000) {
		a.addr = ip4_from_host(n);
		r = lease_store_put(f->store, "n", &a, &f->e);
	}
	assert_int_equal(r, -ENOSPC);
	assert_string_equal(f->e.code, "disk-full");
	lease_store_rollback(f->store);
	assert_int_equal(sqlite3_get_autocommit(f->db), 1);
	restart(f, "n");
	assert_int_equal(lease_count(f->t), 0);
}

static void test_locked(void **state)
{
	struct lease a = lease(10, 1, LEASE_BOUND);
	struct fixture *f = *state;
	sqlite3 *other = open_db();

	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(lease_store_begin(f->store, &f->e), -EBUSY);
	assert_string_equal(f->e.code, "locked");
	assert_non_null(strstr(f->e.message, "fuser"));
	assert_int_equal(lease_store_put(f->store, "n", &a, &f->e), -EBUSY);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	put(f, "n", &a);
}

static void test_not_a_database(void **state)
{
	struct lease_store *store = NULL;
	struct err e = {.code = ""};
	sqlite3 *db;
	int fd;

	remove_db();
	fd = open(db_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(fd, "this is no database, this is text\n", 34), 34);
	close(fd);
	assert_int_equal(sqlite3_open(db_file, &db), SQLITE_OK);
	assert_int_equal(lease_store_new(db, &store, &e), -EUCLEAN);
	assert_null(store);
	assert_string_equal(e.code, "corrupt");
	assert_non_null(strstr(e.message, "move the file away"));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	remove_db();
}

/* Rows that other hands wrote: refused with the words that remove them, never believed. */
static void test_strange_rows(void **state)
{
	static const char *const rows[] = {
		"INSERT INTO lease VALUES('n', 3232266762, x'5254', 1, 1, 'h', x'')",
		"INSERT INTO lease VALUES('n', -1, x'525400000001', 1, 1, 'h', x'')",
		"INSERT INTO lease VALUES('n', 4294967295, x'525400000001', 1, 1, 'h', x'')",
		"INSERT INTO lease VALUES('n', 3232266762, x'525400000001', 0, 1, 'h', x'')",
		"INSERT INTO lease VALUES('n', 3232266762, x'525400000001', 4, 1, 'h', x'')",
		"INSERT INTO lease VALUES('n', 3232266762, x'525400000001', 1, 1, 'h', "
		"zeroblob(256))",
		"INSERT INTO lease VALUES('n', 3232266762, x'525400000001', 1, 1,"
		" 'hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh', x'')",
	};
	struct fixture *f = *state;

	assert_int_equal(sqlite3_exec(f->db, "PRAGMA ignore_check_constraints=1", NULL, NULL, NULL),
			 SQLITE_OK);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lease_table *t;

		assert_int_equal(lease_table_new(&t), 0);
		assert_int_equal(sqlite3_exec(f->db, rows[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(lease_store_load(f->store, "n", t, &f->e), -EUCLEAN);
		assert_non_null(strstr(f->e.message, "DELETE FROM lease WHERE network='n'"));
		assert_int_equal(lease_store_forget(f->store, "n", &f->e), 0);
		assert_int_equal(lease_store_load(f->store, "n", t, &f->e), 0);
		assert_int_equal(lease_count(t), 0);
		lease_table_free(t);
	}
	/* the schema itself refuses them too */
	assert_int_equal(sqlite3_exec(f->db, "PRAGMA ignore_check_constraints=0", NULL, NULL, NULL),
			 SQLITE_OK);
	for (size_t i = 0; i + 1 < ARRAY_SIZE(rows); i++)
		assert_int_equal(sqlite3_exec(f->db, rows[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_round_trip),   T(test_replace),
		T(test_batch),	      T(test_read_only),
		T(test_full),	      T(test_locked),
		T(test_strange_rows), cmocka_unit_test(test_not_a_database),
	};
	char dir[] = "/tmp/vmlane-test-XXXXXX";
	int r;

	if (!mkdtemp(dir))
		return 1;
	snprintf(db_file, sizeof(db_file), "%s/state.db", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return r;
}
