/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sysctl_watch.c - writes to sysctls are heard of; in a network namespace of its own. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/rtnl.h"
#include "kernel/sysctl.h"
#include "kernel/sysctl_watch.h"
#include "../netns.h"

#define DIR4 "net/ipv4/conf/br0"
#define ALL4 "net/ipv4/conf/all"

static const struct mac mac = {{0x52, 0x54, 0, 1, 2, 3}};
static char heard[256];
static struct rtnl *rtnl;
static struct sysctl_watch *watch;
static int fd;

static void on_written(const char *dir, void *ctx)
{
	(void)ctx;
	snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s ", dir);
}

/* What was written has been queued by the time that write() returns. */
static const char *hear(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	heard[0] = '\0';
	while (poll(&p, 1, 0) == 1)
		sysctl_watch_read(watch);
	return heard;
}

static void put(const char *path, const char *value)
{
	assert_int_equal(sysctl_write(path, value, NULL), 0);
}

static void keep(const char *a, const char *b)
{
	sysctl_watch_begin(watch);
	if (a)
		assert_int_equal(sysctl_watch_add(watch, a), 0);
	if (b)
		assert_int_equal(sysctl_watch_add(watch, b), 0);
	assert_int_equal(sysctl_watch_end(watch), 0);
}

static void make_bridge(void)
{
	assert_int_equal(rtnl_bridge_create(rtnl, "br0", &mac, "test", NULL), 0);
}

static int begin(void **state)
{
	(void)state;
	assert_int_equal(rtnl_new(&rtnl), 0);
	assert_int_equal(sysctl_watch_new(on_written, NULL, &watch, &fd), 0);
	make_bridge();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sysctl_watch_free(watch);
	assert_int_equal(rtnl_link_delete(rtnl, "br0", NULL), 0);
	rtnl_free(rtnl);
	return 0;
}

static void test_written(void **state)
{
	char now[SYSCTL_VALUE_MAX];

	(void)state;
	keep(DIR4, ALL4);
	put(DIR4 "/arp_ignore", "8");
	assert_string_equal(hear(), DIR4 " ");
	assert_int_equal(sysctl_read(DIR4 "/arp_ignore", now), 0);
	assert_string_equal(hear(), "");
	put(ALL4 "/arp_ignore", "1");
	assert_string_equal(hear(), ALL4 " ");
	put("net/ipv4/conf/lo/arp_ignore", "1");
	assert_string_equal(hear(), "");
}

static void test_other_directories(void **state)
{
	(void)state;
	keep(DIR4, DIR4);
	keep(ALL4, NULL);
	put(DIR4 "/arp_ignore", "8");
	assert_string_equal(hear(), "");
	keep(ALL4, DIR4);
	put(DIR4 "/arp_ignore", "0");
	put(ALL4 "/arp_ignore", "0");
	assert_string_equal(hear(), DIR4 " " ALL4 " ");
	keep(NULL, NULL);
	put(ALL4 "/arp_ignore", "1");
	assert_string_equal(hear(), "");
}

/* The watch is on what had that name before. */
static void test_made_anew(void **state)
{
	(void)state;
	keep(ALL4, DIR4);
	assert_int_equal(rtnl_link_delete(rtnl, "br0", NULL), 0);
	sysctl_watch_check(watch, 2);
	make_bridge();
	put(DIR4 "/arp_ignore", "8");
	assert_string_equal(hear(), "");
	sysctl_watch_check(watch, 1);
	sysctl_watch_check(watch, 100);
	put(DIR4 "/arp_ignore", "0");
	assert_string_equal(hear(), DIR4 " ");
	keep(DIR4, ALL4);
	put(DIR4 "/arp_ignore", "8");
	assert_string_equal(hear(), DIR4 " ");
}

/* One that is not there is none that could not be watched. */
static void test_not_there(void **state)
{
	(void)state;
	keep("net/ipv4/conf/nowhere", DIR4);
	put(DIR4 "/arp_ignore", "8");
	assert_string_equal(hear(), DIR4 " ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_written, begin, end),
		cmocka_unit_test_setup_teardown(test_other_directories, begin, end),
		cmocka_unit_test_setup_teardown(test_made_anew, begin, end),
		cmocka_unit_test_setup_teardown(test_not_there, begin, end),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
