/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/inspect/explain_others.c and kernel/ipsec.h: whom IPsec, IPVS and BPF programs are about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "inspect/explain_others.h"

static bool asked(const struct explain_others *o, unsigned int hook, const char *src,
		  const char *dst, const char *words)
{
	uint8_t from[16] = {0}, to[16] = {0};
	struct explain_hook at = {
		.pf = NFPROTO_IPV4, .l4 = IPPROTO_TCP, .hook = hook, .src = from, .dst = to};
	char text[128] = "";
	bool found;

	assert_int_equal(inet_pton(AF_INET, src, from), 1);
	assert_int_equal(inet_pton(AF_INET, dst, to), 1);
	found = explain_others_ask(o, &at, text, sizeof(text));
	if (found)
		assert_non_null(strstr(text, words));
	return found;
}

static void test_ipsec(void **state)
{
	struct ipsec_policy p = {
		.family = AF_INET, .dir = XFRM_POLICY_OUT, .src_len = 24, .dst_len = 16};
	struct explain_others o = {.policies = &p, .n_policies = 1};

	assert_int_equal(inet_pton(AF_INET, "10.7.0.0", p.src), 1);
	assert_int_equal(inet_pton(AF_INET, "198.51.0.0", p.dst), 1);
	assert_true(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", "IPsec"));
	assert_true(asked(&o, NF_INET_POST_ROUTING, "10.7.0.11", "198.51.100.7", "IPsec"));
	assert_false(asked(&o, NF_INET_LOCAL_IN, "10.7.0.11", "198.51.100.7", ""));
	assert_false(asked(&o, NF_INET_FORWARD, "10.7.1.11", "198.51.100.7", ""));
	assert_false(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.52.100.7", ""));
	p.l4 = IPPROTO_UDP;
	assert_false(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", ""));
	p.l4 = 0;
	p.family = AF_INET6;
	assert_false(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", ""));
	p.family = 0;
	p.dir = XFRM_POLICY_IN;
	assert_true(asked(&o, NF_INET_LOCAL_IN, "10.7.0.11", "198.51.100.7", "IPsec"));
	assert_false(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", ""));
}

static void test_ipvs(void **state)
{
	struct explain_others o = {.ipvs = true};
	static const char empty[] = "IP Virtual Server version 1.2.1 (size=4096)\n"
				    "Prot LocalAddress:Port Scheduler Flags\n"
				    "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
	char full[512];

	assert_false(explain_ipvs_serves(""));
	assert_false(explain_ipvs_serves(empty));
	snprintf(full, sizeof(full), "%sTCP  CB007102:0050 rr\n", empty);
	assert_true(explain_ipvs_serves(full));
	assert_true(asked(&o, NF_INET_LOCAL_IN, "10.7.0.11", "10.7.0.1", "IPVS"));
	assert_true(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", "IPVS"));
	assert_false(asked(&o, NF_INET_PRE_ROUTING, "10.7.0.11", "10.7.0.1", ""));
}

static void test_programs(void **state)
{
	struct explain_others o = {.n_programs = 1};

	o.programs[0] = (struct explain_bpf){.pf = NFPROTO_IPV4, .hook = NF_INET_FORWARD};
	assert_true(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", "BPF program 0"));
	assert_false(asked(&o, NF_INET_LOCAL_IN, "10.7.0.11", "198.51.100.7", ""));
	o.programs[0].pf = NFPROTO_IPV6;
	assert_false(asked(&o, NF_INET_FORWARD, "10.7.0.11", "198.51.100.7", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipsec),
		cmocka_unit_test(test_ipvs),
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
