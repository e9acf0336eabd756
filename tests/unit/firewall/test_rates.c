/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of rates.c: from rates to a transaction, into the kernel, and back from its listing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../netns.h"
#include "firewall/nft.h"
#include "firewall/rates.h"

#define TEXT_MAX (1024 * 1024)

static struct nft *nft;

static struct fw_rates read_back(void)
{
	struct buf listing = BUF_INIT(TEXT_MAX);
	struct fw_rates r = {0};

	assert_int_equal(nft_list_rates(nft, &listing, NULL), 0);
	assert_int_equal(fw_rates_read(buf_str(&listing), &r), 0);
	buf_done(&listing);
	return r;
}

/* Commits the way from what the kernel has to @to; how many changes that took. */
static int change_to(const struct fw_rates *to)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct fw_rates now = read_back();
	int changes = fw_rates_delta(&now, to, &text);
	struct err e = {0};

	if (changes > 0 && nft_run(nft, buf_str(&text), &e) < 0)
		fail_msg("%s:\n%s", e.message, buf_str(&text));
	buf_done(&text);
	fw_rates_done(&now);
	return changes;
}

static void expect(const struct fw_rates *to)
{
	struct fw_rates now = read_back();

	assert_int_equal(now.n, to->n);
	assert_int_equal(now.present, to->n > 0);
	for (size_t i = 0; i < now.n; i++) {
		assert_string_equal(now.v[i].ifname, to->v[i].ifname);
		assert_int_equal(now.v[i].bits, to->v[i].bits);
	}
	fw_rates_done(&now);
}

static void test_there_and_back(void **state)
{
	/* Each is listed in another unit: bytes, kbytes, mbytes. */
	static const uint64_t bits[] = {64000, 8192000, 8 * 1024 * 1024 * 125ull, 100000000000};
	struct fw_rates to = {0};

	(void)state;
	assert_int_equal(change_to(&to), 0);
	assert_int_equal(fw_rates_add(&to, "vl-b", bits[0]), 0);
	assert_int_equal(fw_rates_add(&to, "vl-a.c-d_e", bits[1]), 0);
	fw_rates_sort(&to);
	assert_int_equal(change_to(&to), 3);
	expect(&to);
	assert_int_equal(change_to(&to), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		to.v[1].bits = bits[i];
		assert_int_equal(change_to(&to), i > 0);
		expect(&to);
	}
	to.n = 1;
	assert_int_equal(change_to(&to), 1);
	expect(&to);
	to.n = 0;
	assert_int_equal(change_to(&to), 1);
	expect(&to);
	fw_rates_done(&to);
}

static void test_tampered(void **state)
{
	static const char *const how[] = {
		"add rule netdev vmlane vl-b drop",
		"flush chain netdev vmlane vl-b",
		"delete chain netdev vmlane vl-b\nadd chain netdev vmlane vl-b\n",
		"flush chain netdev vmlane vl-b\n"
		"add rule netdev vmlane vl-b limit rate over 1 mbytes/second drop\n",
		"flush chain netdev vmlane vl-b\n"
		"add rule netdev vmlane vl-b limit rate 1/second counter drop\n",
		"add chain netdev vmlane vl-b { policy drop; }",
		"add chain netdev vmlane other",
		"delete table netdev vmlane",
	};
	struct fw_rates to = {0};

	(void)state;
	assert_int_equal(fw_rates_add(&to, "vl-b", 8388608), 0);
	assert_true(change_to(&to) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		assert_int_equal(nft_run(nft, how[i], NULL), 0);
		if (change_to(&to) == 0)
			fail_msg("not seen: %s", how[i]);
		expect(&to);
	}
	to.n = 0;
	assert_int_equal(change_to(&to), 1);
	fw_rates_done(&to);
}

static void run_text(struct buf *text)
{
	struct err e = {0};

	if (nft_run(nft, buf_str(text), &e) < 0)
		fail_msg("%s:\n%s", e.message, buf_str(text));
	buf_done(text);
}

/* One tap at a time, over what was there and beside others. */
static void test_one(void **state)
{
	const struct fw_rate b[] = {{"vl-b", 64000}, {"vl-b", 8192000}};
	const struct fw_rate other = {"vl-a.c-d_e", 1000000};
	struct buf text = BUF_INIT(TEXT_MAX);
	struct fw_rates to = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		fw_rates_put(&b[i], &text);
		run_text(&text);
		assert_int_equal(fw_rates_add(&to, b[i].ifname, b[i].bits), 0);
		expect(&to);
		to.n = 0;
	}
	fw_rates_put(&other, &text);
	run_text(&text);
	fw_rates_drop("vl-b", false, &text);
	run_text(&text);
	assert_int_equal(fw_rates_add(&to, other.ifname, other.bits), 0);
	expect(&to);
	fw_rates_drop(other.ifname, true, &text);
	run_text(&text);
	to.n = 0;
	expect(&to);
	fw_rates_done(&to);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"",	  "1a",	  "vl-\"",	     "vl-a;b",
					  "vl-A", "vl a", "vl-0123456789abc"};
	struct fw_rates r = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(fw_rates_add(&r, bad[i], 64000), -EINVAL);
	assert_null(fw_rates_find(&r, "vl-a"));
	assert_int_equal(fw_rates_add(&r, "vl-0123456789ab", 64000), 0);
	assert_non_null(fw_rates_find(&r, "vl-0123456789ab"));
	fw_rates_done(&r);
}

static void test_no_listing(void **state)
{
	struct fw_rates r = {.n = 77};

	(void)state;
	assert_int_equal(fw_rates_read("table netdev vmlane {\n\tchain vl-a {\n", &r), -EBADMSG);
	assert_int_equal(r.n, 77);
}

static int setup(void **state)
{
	(void)state;
	if (system("ip link add vl-b type veth peer name vl-a.c-d_e") != 0)
		return -1;
	return nft_new(&nft);
}

static int teardown(void **state)
{
	(void)state;
	nft_free(nft);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_listing),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, setup, teardown);
}
