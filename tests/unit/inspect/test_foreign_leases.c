/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/inspect/foreign_leases.c: what dnsmasq and libvirt write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "inspect/foreign_leases.h"

static void check(const struct foreign_lease *l, const char *mac, const char *addr,
		  int64_t expires_s, const char *hostname)
{
	char text[MAC_STRLEN], ip[IP4_STRLEN];

	assert_string_equal(mac_format(&l->mac, text), mac);
	assert_string_equal(ip4_format(l->addr, ip), addr);
	assert_int_equal(l->expires_s, expires_s);
	assert_string_equal(l->hostname, hostname);
}

static void test_dnsmasq(void **state)
{
	static const char text[] =
		"1732200000 52:54:00:00:00:01 192.168.122.10 web1 01:52:54:00:00:00:01\n"
		"0 52:54:00:00:00:02 192.168.122.11 * *\n"
		"duid 00:01:00:01:2e\n"
		"1732200000 1234567 fd00::5 web1 00:01\n"
		"not a lease\n"
		"1732200000 52:54:00:00:00:03 192.168.122.12 last ff";
	struct foreign_leases l = {0};

	assert_int_equal(foreign_leases_dnsmasq(text, sizeof(text) - 1, &l), 0);
	assert_int_equal(l.n, 3);
	check(&l.v[0], "52:54:00:00:00:01", "192.168.122.10", 1732200000, "web1");
	check(&l.v[1], "52:54:00:00:00:02", "192.168.122.11", 0, "");
	check(&l.v[2], "52:54:00:00:00:03", "192.168.122.12", 1732200000, "last");
	foreign_leases_done(&l);
}

static void test_dnsmasq_long_lines(void **state)
{
	struct foreign_leases l = {0};
	char text[4096];

	/* A line that is too long is left out; what follows it counts. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "1 52:54:00:00:00:01 10.0.0.1 ", 29);
	memcpy(text + 2000, "\n1 52:54:00:00:00:02 10.0.0.2 b *\n", 34);
	assert_int_equal(foreign_leases_dnsmasq(text, sizeof(text), &l), 0);
	assert_int_equal(l.n, 1);
	check(&l.v[0], "52:54:00:00:00:02", "10.0.0.2", 1, "b");
	foreign_leases_done(&l);
}

static void test_libvirt(void **state)
{
	static const char text[] =
		"[{\"ip-address\": \"192.168.122.76\", \"mac-address\": \"52:54:00:AA:00:01\","
		" \"hostname\": \"debian\", \"client-id\": \"ff\", \"expiry-time\": 1732200000},"
		" {\"ip-address\": \"fd00::1\", \"mac-address\": \"52:54:00:aa:00:02\"},"
		" {\"ip-address\": 7}, [],"
		" {\"ip-address\": \"192.168.122.77\", \"mac-address\": \"52:54:00:aa:00:03\"}]";
	struct foreign_leases l = {0};

	assert_int_equal(foreign_leases_libvirt(text, sizeof(text) - 1, &l), 0);
	assert_int_equal(l.n, 2);
	check(&l.v[0], "52:54:00:aa:00:01", "192.168.122.76", 1732200000, "debian");
	check(&l.v[1], "52:54:00:aa:00:03", "192.168.122.77", 0, "");
	assert_int_equal(foreign_leases_libvirt("{", 1, &l), 0);
	assert_int_equal(foreign_leases_libvirt("", 0, &l), 0);
	assert_int_equal(l.n, 2);
	foreign_leases_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dnsmasq),
		cmocka_unit_test(test_dnsmasq_long_lines),
		cmocka_unit_test(test_libvirt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
