/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/base: addresses, buffers, cursors, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/text.h"

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"52:54:00:aa:bb",
		"52:54:00:aa:bb:cg",
		"52:54-00:aa:bb:cc",
		"525400aabbcc",
		"52:54:00:aa:bb:cc:",
		" 2:54:00:aa:bb:cc",
		"52:54:00:aa:bb:cc0",
	};
	char text[MAC_STRLEN];
	struct mac m;

	(void)state;
	assert_int_equal(mac_parse("52:54:00:Aa:bB:cc", &m), 0);
	assert_string_equal(mac_format(&m, text), "52:54:00:aa:bb:cc");
	assert_int_equal(mac_parse("01-00-5e-00-00-01", &m), 0);
	assert_true(mac_is_multicast(&m));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(mac_parse(bad[i], &m), -EINVAL);
}

static void test_prefix(void **state)
{
	static const char *const bad[] = {
		"192.168.1.0",	    "192.168.1.0/",
		"192.168.1.0/33",   "192.168.1/24",
		"192.168.1.256/24", "192.168.01.0/24",
		"192.168.1.0/024",  "192.168.1.0/-1",
		"192.168.1.0/2 ",   "/24",
	};
	char text[IP4_PREFIX_STRLEN];
	struct ip4_prefix p, q;

	(void)state;
	assert_int_equal(ip4_prefix_parse("192.168.122.7/24", &p), 0);
	assert_string_equal(ip4_prefix_format(&p, text), "192.168.122.7/24");
	assert_int_equal(ip4_host(ip4_network(&p)), 0xc0a87a00);
	assert_int_equal(ip4_host(ip4_broadcast(&p)), 0xc0a87aff);
	assert_int_equal(ip4_prefix_parse("192.168.0.0/16", &q), 0);
	assert_true(ip4_overlap(&p, &q));
	assert_true(ip4_overlap(&q, &p));
	assert_int_equal(ip4_prefix_parse("192.168.123.0/24", &q), 0);
	assert_false(ip4_overlap(&p, &q));
	assert_int_equal(ip4_prefix_parse("0.0.0.0/0", &q), 0);
	assert_true(ip4_overlap(&p, &q));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ip4_prefix_parse(bad[i], &p), -EINVAL);
}

static void test_buf(void **state)
{
	struct buf b = BUF_INIT(8);

	(void)state;
	buf_puts(&b, "1234");
	buf_printf(&b, "%d", 5678);
	assert_int_equal(b.error, 0);
	assert_string_equal(buf_str(&b), "12345678");
	buf_puts(&b, "9");
	assert_int_equal(b.error, -E2BIG);
	assert_string_equal(buf_str(&b), "12345678");
	assert_null(buf_steal(&b));
	buf_done(&b);
}

static void test_cursor(void **state)
{
	const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7};
	struct cursor c = cursor_init(in, sizeof(in));
	struct cursor sub;

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_be16(&c), 0x0203);
	sub = cursor_sub(&c, 3);
	assert_int_equal(cursor_be32(&sub), 0);
	assert_false(cursor_ok(&sub));
	assert_true(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 7);
	assert_int_equal(cursor_u8(&c), 0);
	assert_false(cursor_ok(&c));
}

static void test_writer(void **state)
{
	uint8_t out[4] = {0};
	struct writer w = writer_init(out, 3);

	(void)state;
	writer_be16(&w, 0x1234);
	writer_be16(&w, 0x5678);
	assert_true(w.bad);
	assert_int_equal(w.len, 2);
	assert_memory_equal(out, "\x12\x34\0\0", 4);
}

static void test_text(void **state)
{
	static const char *const words[] = {"subnet", "gateway", "range", "lease"};
	uint32_t v;

	(void)state;
	assert_string_equal(text_suggest("subnt", words, 4), "subnet");
	assert_string_equal(text_suggest("gatway", words, 4), "gateway");
	assert_null(text_suggest("uplink", words, 4));
	assert_null(text_suggest("", words, 4));
	assert_int_equal(text_u32("65535", 1, 65535, &v), 0);
	assert_int_equal(v, 65535);
	assert_int_equal(text_u32("65536", 1, 65535, &v), -ERANGE);
	assert_int_equal(text_u32("-1", 0, 10, &v), -EINVAL);
	assert_int_equal(text_u32("99999999999999999999", 0, 10, &v), -ERANGE);
	assert_int_not_equal(hash_str(hash_str(HASH_INIT, "a"), "bc"),
			     hash_str(hash_str(HASH_INIT, "ab"), "c"));
}

static void test_err_list(void **state)
{
	struct err_list *l = calloc(1, sizeof(*l));
	char line[800];

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < ERR_LIST_MAX + 3; i++)
		assert_int_equal(err_add(l, -EINVAL, "c", "f:1:2", "number %d", i), -EINVAL);
	assert_int_equal(l->n, ERR_LIST_MAX);
	assert_int_equal(l->dropped, 3);
	assert_string_equal(err_format(&l->items[1], line, sizeof(line)), "f:1:2: number 1");
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac),	 cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_buf),	 cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_writer),	 cmocka_unit_test(test_text),
		cmocka_unit_test(test_err_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
