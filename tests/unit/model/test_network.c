/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of model/network.c: names, interface names, MACs, places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/config_value.h"
#include "model/network.h"

static void test_name_valid(void **state)
{
	static const char *const good[] = {"a",	      "0",    "web1",
					   "a.b_c-d", "null", "a2345678901234567890123456789012"};
	static const char *const bad[] = {
		"",    "-a",   ".a",  "_a", "A",    "a b", "a/b",
		"a\n", "\xc3", "a:b", "..", "a\"b", "a%d", "a23456789012345678901234567890123"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(name_valid(bad[i]));
}

static void test_ifname_valid(void **state)
{
	/* What the kernel takes, and what a configuration may say. */
	static const struct {
		const char *name;
		bool kernel;
		bool config;
	} names[] = {
		{"eth0", true, true},
		{"vl-default", true, true},
		{"eth0.5", true, true},
		{"a@b+c_d", true, true},
		{"123456789012345", true, true},
		{"1234567890123456", false, false},
		{"", false, false},
		{".", false, false},
		{"..", false, false},
		{"...", true, false},
		{"a/b", false, false},
		{"a:b", false, false},
		{"a b", false, false},
		{"a\tb", false, false},
		{"a\xa0", false, false},
		{"eth*", true, false},
		{"eth%d", true, false},
		{"a\"b", true, false},
		{"-x", true, false},
		{"\xc3\xa4", true, false},
		{"all", true, false},
		{"default", true, false},
		{"lo", true, false},
		{"lo0", true, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (ifname_valid(names[i].name) != names[i].kernel)
			fail_msg("kernel: %s", names[i].name);
		if (config_ifname_valid(names[i].name) != names[i].config)
			fail_msg("config: %s", names[i].name);
	}
}

static void test_ifname_derive(void **state)
{
	char a[IFNAMSIZ], b[IFNAMSIZ];

	(void)state;
	ifname_derive("default", a);
	assert_string_equal(a, "vl-default");
	ifname_derive("123456789012", a);
	assert_string_equal(a, "vl-123456789012");
	/* Fixed text: interfaces must be found again after an upgrade. */
	ifname_derive("a-long-guest-name-1", a);
	assert_string_equal(a, "vl-a-long--6db3");
	ifname_derive("a-long-guest-name-2", b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(b), IFNAMSIZ - 1);
	assert_memory_equal(a, b, 11);
}

static void test_mac_derive(void **state)
{
	const uint8_t host[16] = {1, 2, 3};
	struct mac base = mac_derive(host, "default", "web1", 0);
	const struct mac others[] = {
		mac_derive(NULL, "default", "web1", 0),	  mac_derive(host, "lab", "web1", 0),
		mac_derive(host, "default", "web2", 0),	  mac_derive(host, "default", "web1", 1),
		mac_derive(host, "default", "web1", 256), mac_derive(host, "default", "", 0),
		mac_derive(host, "defaultw", "eb1", 0),
	};
	struct mac again = mac_derive(host, "default", "web1", 0);
	char text[MAC_STRLEN];

	(void)state;
	assert_true(mac_equal(&base, &again));
	/* Fixed text: a guest keeps its MAC over upgrades. */
	assert_string_equal(mac_format(&base, text), "52:54:00:0f:81:8a");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_memory_equal(others[i].b, "\x52\x54\x00", 3);
		assert_false(mac_equal(&base, &others[i]));
		for (size_t j = 0; j < i; j++)
			assert_false(mac_equal(&others[j], &others[i]));
	}
}

/* Derived MACs are spread well: of 2,000 in 2^24, a collision or two, not dozens. */
static void test_mac_spread(void **state)
{
	struct mac macs[2000];
	size_t collisions = 0;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(macs); i++) {
		char name[16];

		snprintf(name, sizeof(name), "web%u", i);
		macs[i] = mac_derive(NULL, "default", name, 0);
		for (size_t j = 0; j < i; j++)
			collisions += mac_equal(&macs[i], &macs[j]);
	}
	assert_true(collisions <= 3);
}

static void test_location(void **state)
{
	char buf[LOCATION_STRLEN], file[400];

	(void)state;
	location_format("a.yaml", (struct location){4, 11}, buf, sizeof(buf));
	assert_string_equal(buf, "a.yaml:4:11");
	location_format("a.yaml", (struct location){0, 0}, buf, sizeof(buf));
	assert_string_equal(buf, "a.yaml");
	memset(file, 'x', sizeof(file));
	strcpy(file + sizeof(file) - 8, "/a.yaml");
	location_format(file, (struct location){4000000000, 4000000000}, buf, sizeof(buf));
	assert_string_equal(buf + strlen(buf) - 29, "/a.yaml:4000000000:4000000000");
	assert_memory_equal(buf, "...xxx", 6);
}

static void test_guest_find(void **state)
{
	struct guest_config guests[] = {{.name = "a"}, {.name = "b"}, {.name = "web1"}};
	struct network_config n = {.guests = guests, .n_guests = 3};
	struct network_config none = {0};

	(void)state;
	assert_ptr_equal(network_guest_find(&n, "web1"), &guests[2]);
	assert_ptr_equal(network_guest_find(&n, "a"), &guests[0]);
	assert_null(network_guest_find(&n, "web"));
	assert_null(network_guest_find(&none, "a"));
	network_config_free(NULL);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint32_t s;
		const char *canonical;
	} cases[] = {
		{"60", 0, 60, "1m"},
		{"60s", 0, 60, "1m"},
		{"61", 0, 61, "61s"},
		{"90m", 0, 5400, "90m"},
		{"3600", 0, 3600, "1h"},
		{"1d", 0, 86400, "1d"},
		{"2w", 0, 1209600, "2w"},
		{"365d", 0, 31536000, "365d"},
		{"31536000", 0, 31536000, "365d"},
		{"31536001", -ERANGE, 0, NULL},
		{"53w", -ERANGE, 0, NULL},
		{"59", -ERANGE, 0, NULL},
		{"0", -ERANGE, 0, NULL},
		{"", -EINVAL, 0, NULL},
		{"h", -EINVAL, 0, NULL},
		{"1y", -EINVAL, 0, NULL},
		{"-60", -EINVAL, 0, NULL},
		{"1 h", -EINVAL, 0, NULL},
		{"1hh", -EINVAL, 0, NULL},
		{"4294967297w", -ERANGE, 0, NULL},
		{"1H", -EINVAL, 0, NULL},
		{"99999999999999999", -EINVAL, 0, NULL},
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t s = 7;

		if (config_duration(cases[i].text, 60, 365 * 86400, &s) != cases[i].r)
			fail_msg("%s", cases[i].text);
		assert_int_equal(s, cases[i].r ? 7 : cases[i].s);
		if (cases[i].r == 0)
			assert_string_equal(config_duration_format(s, buf), cases[i].canonical);
	}
}

/* one letter more than a label may have */
#define LABEL_64 "a234567890123456789012345678901234567890123456789012345678901234"

static void test_domain(void **state)
{
	static const char *const good[] = {"a", "default.vm", "A-1.b", "1.2", "xn--nxasmq6b"};
	static const char *const bad[] = {"",	".",   "a.",  ".a",  "a..b", "-a",
					  "a-", "a_b", "a b", "a\n", "ä",    LABEL_64 ".b"};
	char name[DOMAIN_MAX_LEN + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(config_domain_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(config_domain_valid(bad[i]));
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	name[DOMAIN_MAX_LEN] = '\0';
	assert_true(config_domain_valid(name));
	name[DOMAIN_MAX_LEN] = '.';
	name[DOMAIN_MAX_LEN - 1] = 'a';
	name[DOMAIN_MAX_LEN + 1] = '\0';
	assert_false(config_domain_valid(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_valid),    cmocka_unit_test(test_ifname_valid),
		cmocka_unit_test(test_ifname_derive), cmocka_unit_test(test_mac_derive),
		cmocka_unit_test(test_mac_spread),    cmocka_unit_test(test_location),
		cmocka_unit_test(test_guest_find),    cmocka_unit_test(test_duration),
		cmocka_unit_test(test_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
