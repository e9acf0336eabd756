/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/kernel_btf.c: the names, and this kernel's own, where it has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/btf.h>
#include <string.h>

#include "path/kernel_btf.h"

static void test_names(void **state)
{
	static const char names[] = "\0btf_trace_net\0net\0my_skb\0";

	assert_true(btf_names_find(names, sizeof(names) - 1, "btf_trace_net"));
	assert_true(btf_names_find(names, sizeof(names) - 1, "net"));
	assert_true(btf_names_find(names, sizeof(names) - 1, "my_skb"));
	/* Neither the end of another nor its beginning. */
	assert_false(btf_names_find(names, sizeof(names) - 1, "skb"));
	assert_false(btf_names_find(names, sizeof(names) - 1, "btf_trace"));
	assert_false(btf_names_find(names, 3, "btf_trace_net"));
	assert_false(btf_names_find(names, 0, "net"));
}

/* A struct with a member, an enum that is not asked for, one that is; then what no kernel has. */
static const uint32_t types[] = {
	1,
	BTF_KIND_STRUCT << 24 | 1,
	4,
	3,
	1,
	0,
	3,
	BTF_KIND_ENUM << 24 | 1,
	4,
	3,
	7,
	5,
	BTF_KIND_ENUM << 24 | 2,
	4,
	1,
	2,
	3,
	9,
	10,
	31u << 24,
	0,
};
static const char type_names[] = "\0s\0m\0reasons\0";

static const struct btf_enum *find(size_t words, const char *name, size_t *ret_n)
{
	return btf_types_find_enum((const uint8_t *)types, words * sizeof(types[0]), type_names,
				   sizeof(type_names), name, ret_n);
}

static void test_enum(void **state)
{
	const struct btf_enum *e;
	size_t n = 0;

	e = find(ARRAY_SIZE(types), "reasons", &n);
	assert_non_null(e);
	assert_int_equal(n, 2);
	assert_int_equal(e[0].val, 2);
	assert_int_equal(e[1].val, 9);
	e = find(ARRAY_SIZE(types), "m", &n);
	assert_non_null(e);
	assert_int_equal(n, 1);
	assert_int_equal(e[0].val, 7);
	/* A struct is none, nor is what is cut off, nor what is behind a kind that nobody knows. */
	assert_null(find(ARRAY_SIZE(types), "s", &n));
	assert_null(find(17, "reasons", &n));
	assert_null(find(ARRAY_SIZE(types), "nobody", &n));
	assert_null(find(0, "reasons", &n));
}

static void test_this_kernel(void **state)
{
	_cleanup_(kernel_btf_freep) struct kernel_btf *k = NULL;
	uint32_t number;

	if (kernel_btf_new(&k) < 0)
		skip();
	assert_true(kernel_btf_has(k, "sk_buff"));
	assert_false(kernel_btf_has(k, "sk_buff_of_nobody"));
	number = kernel_btf_reason_number(k, "NETFILTER_DROP");
	if (!number)
		skip(); /* before 5.17 there are no reasons */
	assert_string_equal(kernel_btf_reason(k, number), "NETFILTER_DROP");
	assert_int_equal(kernel_btf_reason_number(k, "NOBODYS_REASON"), 0);
	assert_null(kernel_btf_reason(k, UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_enum),
		cmocka_unit_test(test_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
