/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/base/addr.h's IPv6 half: text, prefixes, kinds of addresses, EUI-64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;

	assert_int_equal(ip6_parse(text, &a), 0);
	return a;
}

static struct ip6_prefix prefix(const char *text)
{
	struct ip6_prefix p;

	assert_int_equal(ip6_prefix_parse(text, &p), 0);
	return p;
}

/* What goes in, and what RFC 5952 makes of it: the examples of its section 4, and the borders. */
static void test_text(void **state)
{
	static const char *const forms[][2] = {
		{"::", "::"},
		{"::1", "::1"},
		{"2001:DB8::1", "2001:db8::1"},
		{"2001:0db8::0001", "2001:db8::1"},
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"fd00::", "fd00::"},
		{"0:0:0:0:0:ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	static const char *const bad[] = {
		"",
		":",
		":::",
		"1",
		"fd00",
		"fd00:",
		":fd00::",
		"fd00::1::2",
		"fd00:::1",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7::8:9",
		"1:2:3:4::5:6:7:8",
		"fd00::12345",
		"fd00::g",
		"fe80::1%eth0",
		"[fd00::1]",
		" fd00::1",
		"fd00::1 ",
		"::192.0.2.256",
		"::192.0.2",
		"192.0.2.1",
		"fd00::1/64",
	};
	char text[IP6_STRLEN];
	struct in6_addr a, untouched = addr("fd00::7");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		a = addr(forms[i][0]);
		assert_string_equal(ip6_format(&a, text), forms[i][1]);
	}
	a = untouched;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ip6_parse(bad[i], &a) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(ip6_equal(&a, &untouched));
	}
}

static void test_prefix_text(void **state)
{
	static const char *const good[] = {
		"fd00:1:2:3::/64", "::/0", "fd00::1/128", "fd00:1:2:3::7/64", "2001:db8::/9",
	};
	static const char *const bad[] = {
		"fd00::",     "fd00::/",       "fd00::/129",   "fd00::/064",  "fd00::/-1",
		"fd00::/64 ", "fd00::/+6",     "/64",	       "fd00::/6 4",  "fd00::/1000",
		"fd00::/x",   "fd00::%br0/64", "192.0.2.0/24", "fd00::/64/1",
	};
	char text[IP6_PREFIX_STRLEN];
	struct ip6_prefix p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		p = prefix(good[i]);
		assert_string_equal(ip6_prefix_format(&p, text), good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ip6_prefix_parse(bad[i], &p) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	/* the longest there is fits */
	p = prefix("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128");
	assert_string_equal(ip6_prefix_format(&p, text),
			    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void test_network(void **state)
{
	static const struct {
		const char *prefix;
		const char *network;
	} cases[] = {
		{"fd12:3456:789a:bcde:f012:3456:789a:bcde/0", "::"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcde/7", "fc00::"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcde/8", "fd00::"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcde/9", "fd00::"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcde/48", "fd12:3456:789a::"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcde/63", "fd12:3456:789a:bcde::"},
		{"fd12:3456:789a:bcdf:f012:3456:789a:bcde/63", "fd12:3456:789a:bcde::"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcdf/127",
		 "fd12:3456:789a:bcde:f012:3456:789a:bcde"},
		{"fd12:3456:789a:bcde:f012:3456:789a:bcdf/128",
		 "fd12:3456:789a:bcde:f012:3456:789a:bcdf"},
	};
	char text[IP6_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip6_prefix p = prefix(cases[i].prefix);
		struct in6_addr a = ip6_network(&p);

		assert_string_equal(ip6_format(&a, text), cases[i].network);
	}
}

static void test_in_and_overlap(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool overlap;
		bool equal;
	} cases[] = {
		{"fd00:1::/64", "fd00:1::/64", true, true},
		{"fd00:1::5/64", "fd00:1::/64", true, true},
		{"fd00:1::/64", "fd00:1::/48", true, false},
		{"fd00:1::/64", "fd00:1:0:1::/64", false, false},
		{"fd00:1:0:2::/63", "fd00:1:0:3::/64", true, false},
		{"fd00:1:0:2::/63", "fd00:1:0:4::/64", false, false},
		{"::/0", "fd00:1::/64", true, false},
		{"fd00:1::1/128", "fd00:1::2/128", false, false},
	};
	struct in6_addr in = addr("fd00:1:0:3:ffff::"), out = addr("fd00:1:0:4::");
	struct ip6_prefix p = prefix("fd00:1:0:2::9/63");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip6_prefix a = prefix(cases[i].a), b = prefix(cases[i].b);

		assert_int_equal(ip6_overlap(&a, &b), cases[i].overlap);
		assert_int_equal(ip6_overlap(&b, &a), cases[i].overlap);
		assert_int_equal(ip6_prefix_equal(&a, &b), cases[i].equal);
	}
	assert_true(ip6_in(&p, &in));
	assert_false(ip6_in(&p, &out));
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		char kind;
	} cases[] = {
		{"::", '0'},	      {"::1", '1'},	  {"::2", ' '},
		{"ff02::1", 'm'},     {"ff00::", 'm'},	  {"feff::", ' '},
		{"fe80::1", 'l'},     {"febf::1", 'l'},	  {"fec0::1", ' '},
		{"fe7f::1", ' '},     {"fc00::1", 'u'},	  {"fdff::1", 'u'},
		{"fbff::1", ' '},     {"fe00::1", ' '},	  {"::ffff:192.0.2.1", '4'},
		{"2001:db8::1", ' '}, {"::1:0:0:0", ' '}, {"::fffe:1:2", ' '},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct in6_addr a = addr(cases[i].text);

		assert_int_equal(ip6_is_unspecified(&a), cases[i].kind == '0');
		assert_int_equal(ip6_is_loopback(&a), cases[i].kind == '1');
		assert_int_equal(ip6_is_multicast(&a), cases[i].kind == 'm');
		assert_int_equal(ip6_is_linklocal(&a), cases[i].kind == 'l');
		assert_int_equal(ip6_is_ula(&a), cases[i].kind == 'u');
		assert_int_equal(ip6_is_v4mapped(&a), cases[i].kind == '4');
	}
}

static void test_from_mac(void **state)
{
	struct ip6_prefix p = prefix("fd00:1:2:3:4:5:6:7/64");
	char text[IP6_STRLEN];
	struct in6_addr a;
	struct mac m;

	(void)state;
	assert_int_equal(mac_parse("52:54:00:39:d3:fe", &m), 0);
	a = ip6_linklocal(&m);
	assert_string_equal(ip6_format(&a, text), "fe80::5054:ff:fe39:d3fe");
	a = ip6_from_mac(&p, &m);
	assert_string_equal(ip6_format(&a, text), "fd00:1:2:3:5054:ff:fe39:d3fe");
	/* RFC 4291 appendix A: 34-56-78-9A-BC-DE */
	assert_int_equal(mac_parse("34:56:78:9a:bc:de", &m), 0);
	a = ip6_linklocal(&m);
	assert_string_equal(ip6_format(&a, text), "fe80::3656:78ff:fe9a:bcde");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	cmocka_unit_test(test_prefix_text),
		cmocka_unit_test(test_network), cmocka_unit_test(test_in_and_overlap),
		cmocka_unit_test(test_kinds),	cmocka_unit_test(test_from_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
