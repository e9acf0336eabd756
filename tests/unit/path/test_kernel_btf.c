/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/kernel_btf.c: the names, and this kernel's own, where it has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
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
		cmocka_unit_test(test_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
