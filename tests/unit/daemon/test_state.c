/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/daemon/state.c: what is written is there after a close, and only one may write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/state.h"

static char dir[] = "/tmp/vmlane-test-state-XXXXXX";

static const char *const left_over[] = {"lock", "state.db", "state.db-wal", "state.db-shm"};

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(left_over); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, left_over[i]);
		unlink(path);
	}
	return rmdir(dir);
}

/* struct seen - what the readers met */
struct seen {
	size_t n;
	char text[256];
	bool stopped;
	struct state_guest guest;
};

static int on_network(const struct state_network *n, void *ctx)
{
	struct seen *s = ctx;

	s->n++;
	s->stopped = n->stopped;
	snprintf(s->text, sizeof(s->text), "%s|%s|%s", n->name, n->config, n->file);
	return 0;
}

static int on_guest(const struct state_guest *g, void *ctx)
{
	struct seen *s = ctx;

	s->n++;
	s->guest = *g;
	return 0;
}

static int on_sysctl(const struct sysctl_state *v, void *ctx)
{
	struct seen *s = ctx;

	s->n++;
	snprintf(s->text, sizeof(s->text), "%s=%s", v->path, v->value);
	return 0;
}

static int refuse(const struct state_network *n, void *ctx)
{
	(void)n;
	(void)ctx;
	return -ECANCELED;
}

static void write_all(struct state *s)
{
	const struct state_network n = {"lab", "network: lab\n", "/etc/x.yaml", true};
	const struct state_guest g = {
		.name = "web1",
		.network = "lab",
		.tap = "vl-web1",
		.mac = {{0x52, 0x54, 0, 1, 2, 3}},
		.kind = GUEST_RUN,
		.queues = 4,
		.owner_uid = UINT32_MAX,
		.creator_uid = 1000,
		.pid = 4242,
	};
	const struct sysctl_state old = {"net/ipv4/conf/eth0/forwarding", "0"};
	const struct sysctl_state later = {"net/ipv4/conf/eth0/forwarding", "1"};

	assert_int_equal(state_network_put(s, &n, NULL), 0);
	assert_int_equal(state_guest_put(s, &g, NULL), 0);
	assert_int_equal(state_sysctl_put(s, &old, NULL), 0);
	assert_int_equal(state_sysctl_put(s, &later, NULL), 0);
	assert_int_equal(state_meta_put(s, "k", "v1", NULL), 0);
	assert_int_equal(state_meta_put(s, "k", "v2", NULL), 0);
}

static void check_all(struct state *s)
{
	struct seen seen = {0};
	char *value = NULL;

	assert_int_equal(state_networks(s, on_network, &seen, NULL), 0);
	assert_int_equal(seen.n, 1);
	assert_true(seen.stopped);
	assert_string_equal(seen.text, "lab|network: lab\n|/etc/x.yaml");
	assert_int_equal(state_networks(s, refuse, NULL, NULL), -ECANCELED);
	assert_int_equal(state_guests(s, on_guest, &seen, NULL), 0);
	assert_string_equal(seen.guest.tap, "vl-web1");
	assert_int_equal(seen.guest.mac.b[5], 3);
	assert_int_equal(seen.guest.kind, GUEST_RUN);
	assert_int_equal(seen.guest.owner_uid, UINT32_MAX);
	assert_int_equal(seen.guest.creator_uid, 1000);
	assert_int_equal(seen.guest.pid, 4242);
	/* the first value is the one to put back */
	assert_int_equal(state_sysctls(s, on_sysctl, &seen, NULL), 0);
	assert_string_equal(seen.text, "net/ipv4/conf/eth0/forwarding=0");
	assert_int_equal(state_meta_get(s, "k", &value, NULL), 0);
	assert_string_equal(value, "v2");
	free(value);
	value = NULL;
	assert_int_equal(state_meta_get(s, "absent", &value, NULL), 0);
	assert_null(value);
}

static void test_survives(void **state)
{
	struct state *s = NULL;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(state_open(dir, &s, NULL), 0);
	write_all(s);
	state_close(s);
	assert_int_equal(state_open(dir, &s, NULL), 0);
	check_all(s);
	assert_int_equal(state_network_remove(s, "lab", NULL), 0);
	assert_int_equal(state_guest_remove(s, "web1", NULL), 0);
	assert_int_equal(state_networks(s, on_network, &seen, NULL), 0);
	assert_int_equal(state_guests(s, on_guest, &seen, NULL), 0);
	assert_int_equal(seen.n, 0);
	state_close(s);
}

/* A chosen subnet lives as long as its network, and is nobody else's. */
static void test_subnets(void **state)
{
	struct state *s = NULL;
	char *value = NULL;

	(void)state;
	assert_int_equal(state_open(dir, &s, NULL), 0);
	assert_int_equal(state_subnet_get(s, "a", &value, NULL), 0);
	assert_null(value);
	assert_int_equal(state_subnet_put(s, "a", "192.168.122.0/24", NULL), 0);
	assert_int_equal(state_subnet_put(s, "a", "192.168.123.0/24", NULL), 0);
	assert_int_equal(state_subnet_put(s, "ab", "10.0.0.0/24", NULL), 0);
	state_close(s);
	assert_int_equal(state_open(dir, &s, NULL), 0);
	assert_int_equal(state_network_remove(s, "ab", NULL), 0);
	assert_int_equal(state_subnet_get(s, "ab", &value, NULL), 0);
	assert_null(value);
	assert_int_equal(state_subnet_get(s, "a", &value, NULL), 0);
	assert_string_equal(value, "192.168.123.0/24");
	free(value);
	state_close(s);
}

static int64_t synchronous(struct state *s)
{
	sqlite3_stmt *st = NULL;
	int64_t level = -1;

	assert_int_equal(sqlite3_prepare_v2(state_db(s), "PRAGMA synchronous", -1, &st, NULL), 0);
	if (sqlite3_step(st) == SQLITE_ROW)
		level = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return level;
}

/* What describes the kernel is not waited for; what comes after it is: leases share the handle. */
static void test_leases_stay_durable(void **state)
{
	const struct sysctl_state v = {.path = "net/ipv4/conf/eth9/forwarding", .value = "0"};
	struct state *s = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(state_open(dir, &s, &e), 0);
	assert_int_equal(synchronous(s), 2); /* FULL */
	assert_int_equal(state_meta_put(s, "firewall", "1 2", &e), 0);
	assert_int_equal(synchronous(s), 2);
	assert_int_equal(state_sysctl_put(s, &v, &e), 0);
	assert_int_equal(synchronous(s), 2);
	assert_int_equal(state_sysctl_remove(s, v.path, &e), 0);
	assert_int_equal(synchronous(s), 2);
	state_close(s);
}

/* Written as a whole, or not at all; also when it ends by a kill. */
static void test_whole_or_not(void **state)
{
	const struct state_network n = {
		.name = "whole", .config = "c", .file = "f", .stopped = false};
	struct state *s = NULL;
	struct seen seen = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(state_open(dir, &s, &e), 0);
	assert_int_equal(state_begin(s, &e), 0);
	assert_int_equal(state_network_put(s, &n, &e), 0);
	assert_int_equal(state_end(s, -ENOMEM, &e), -ENOMEM);
	assert_int_equal(state_networks(s, on_network, &seen, NULL), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(state_begin(s, &e), 0);
	assert_int_equal(state_network_put(s, &n, &e), 0);
	state_close(s);
	assert_int_equal(state_open(dir, &s, &e), 0);
	assert_int_equal(state_networks(s, on_network, &seen, NULL), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(state_begin(s, &e), 0);
	assert_int_equal(state_network_put(s, &n, &e), 0);
	assert_int_equal(state_end(s, 0, &e), 0);
	assert_int_equal(state_networks(s, on_network, &seen, NULL), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(state_network_remove(s, "whole", &e), 0);
	state_close(s);
}

static void test_one_writer(void **state)
{
	struct state *a = NULL, *b = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(state_open(dir, &a, NULL), 0);
	assert_int_equal(state_open(dir, &b, &e), -EBUSY);
	assert_non_null(strstr(e.message, "--state-dir"));
	assert_null(b);
	state_close(a);
	assert_int_equal(state_open(dir, &b, NULL), 0);
	state_close(b);
}

static void test_newer_and_damaged(void **state)
{
	struct state *s = NULL;
	struct err e = {0};
	char path[256];
	FILE *f;

	(void)state;
	assert_int_equal(state_open(dir, &s, NULL), 0);
	assert_int_equal(sqlite3_exec(state_db(s), "PRAGMA user_version=99", NULL, NULL, NULL), 0);
	state_close(s);
	assert_int_equal(state_open(dir, &s, &e), -EPROTO);
	assert_non_null(strstr(e.message, "newer"));
	snprintf(path, sizeof(path), "%s/state.db", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database. ", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(state_open(dir, &s, &e), -EIO);
	assert_non_null(strstr(e.message, "damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_leases_stay_durable),
		cmocka_unit_test(test_whole_or_not),
		cmocka_unit_test(test_one_writer),
		cmocka_unit_test(test_newer_and_damaged),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
