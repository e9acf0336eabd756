/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/nftrace_msg.c and nftrace_text.c: no kernel is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "path/nftrace.h"
#include "trace_build.h"

#define ALIGNED _Alignas(struct nlmsghdr)
#define MESSAGE_MAX 2048

static const struct trace_build jump = {.id = 0xdeadbeef,
					.family = NFPROTO_INET,
					.type = NFT_TRACETYPE_RULE,
					.verdict = (uint32_t)NFT_JUMP,
					.handle = 0x100000002,
					.iif = 7,
					.table = "vmlane",
					.chain = "forward",
					.target = "guest",
					.l3 = "0123456789012345678901234",
					.l3_len = 20};

static int parse(const struct trace_build *b, struct nftrace_msg *ret)
{
	static ALIGNED uint8_t buf[MESSAGE_MAX];
	const struct nlmsghdr *nlh = trace_build(b, buf);

	return nftrace_parse(nlh, nlh->nlmsg_len, ret);
}

static void check_jump(const struct nftrace_msg *m)
{
	assert_int_equal(m->id, 0xdeadbeef);
	assert_int_equal(m->family, NFPROTO_INET);
	assert_int_equal(m->proto, NFPROTO_IPV4);
	assert_int_equal(m->type, NFTRACE_RULE);
	assert_int_equal(m->verdict, NFT_JUMP);
	assert_true(m->handle == 0x100000002);
	assert_int_equal(m->iif, 7);
	assert_string_equal(m->table, "vmlane");
	assert_string_equal(m->chain, "forward");
	assert_string_equal(m->target, "guest");
	assert_int_equal(m->l3.len, 20);
	assert_memory_equal(m->l3.p, jump.l3, 20);
	assert_int_equal(m->l4.len, 0);
	assert_true(nftrace_first(m));
	assert_false(nftrace_own(m));
}

static void test_all_fields(void **state)
{
	struct nftrace_msg m, *copy;

	(void)state;
	assert_int_equal(parse(&jump, &m), 0);
	check_jump(&m);
	copy = nftrace_msg_copy(&m);
	assert_non_null(copy);
	memset((void *)(uintptr_t)m.l3.p, 0, 20); /* what it pointed to is gone */
	memset((void *)(uintptr_t)m.table, 0, 6);
	check_jump(copy);
	free(copy);
}

static void test_verdicts(void **state)
{
	static const struct {
		uint32_t type, code;
		uint64_t handle;
		enum nftrace_type expected;
		int verdict;
		uint16_t queue;
		const char *name;
	} cases[] = {
		{NFT_TRACETYPE_RULE, NF_ACCEPT, 1, NFTRACE_RULE, NF_ACCEPT, 0, "accept"},
		{NFT_TRACETYPE_RULE, NF_DROP, 1, NFTRACE_RULE, NF_DROP, 0, "drop"},
		/* with an error for a local sender */
		{NFT_TRACETYPE_RULE, EPERM << 16 | NF_DROP, 1, NFTRACE_RULE, NF_DROP, 0, "drop"},
		{NFT_TRACETYPE_RULE, 9u << 16 | NF_QUEUE, 1, NFTRACE_RULE, NF_QUEUE, 9, "queue"},
		{NFT_TRACETYPE_RULE, 0xfffeu << 16 | NF_QUEUE, 1, NFTRACE_RULE, NF_QUEUE, 0xfffe,
		 "queue"},
		{NFT_TRACETYPE_RULE, (uint32_t)NFT_CONTINUE, 1, NFTRACE_RULE, NFT_CONTINUE, 0,
		 "continue"},
		{NFT_TRACETYPE_RULE, (uint32_t)NFT_CONTINUE, 0, NFTRACE_RETURN, NFT_CONTINUE, 0,
		 "continue"},
		{NFT_TRACETYPE_RETURN, (uint32_t)NFT_RETURN, 4, NFTRACE_RETURN, NFT_RETURN, 0,
		 "return"},
		{NFT_TRACETYPE_POLICY, NF_DROP, 0, NFTRACE_POLICY, NF_DROP, 0, "drop"},
		{NFT_TRACETYPE_RULE, 77, 1, NFTRACE_RULE, 77, 0, "?"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct trace_build b = {.type = cases[i].type,
					      .verdict = cases[i].code,
					      .handle = cases[i].handle,
					      .table = "vmlane_trace_1",
					      .chain = "c"};
		struct nftrace_msg m;

		assert_int_equal(parse(&b, &m), 0);
		assert_int_equal(m.type, cases[i].expected);
		assert_int_equal(m.verdict, cases[i].verdict);
		assert_int_equal(m.queue, cases[i].queue);
		assert_string_equal(nftrace_verdict_name(m.verdict), cases[i].name);
		assert_false(nftrace_first(&m));
		assert_true(nftrace_own(&m));
	}
}

static void test_broken(void **state)
{
	static char long_name[NFTRACE_NAME_MAX + 2];
	struct nftrace_msg m = {.number = 42};
	struct trace_build b = jump;

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	b.table = "";
	assert_int_equal(parse(&b, &m), -EBADMSG);
	b.table = long_name;
	assert_int_equal(parse(&b, &m), -EBADMSG);
	b.table = long_name + 1;
	assert_int_equal(parse(&b, &m), 0);
	b = jump;
	b.target = NULL; /* a jump to nowhere */
	assert_int_equal(parse(&b, &m), -EBADMSG);
	b.target = "guest";
	b.verdict = NF_ACCEPT;
	assert_int_equal(parse(&b, &m), -EBADMSG);
	b = jump;
	b.type = 99;
	assert_int_equal(parse(&b, &m), -EBADMSG);
}

/* Cut at each length, also with a header that claims no more than is there. */
static void test_cut(void **state)
{
	ALIGNED uint8_t whole[MESSAGE_MAX];
	const struct nlmsghdr *nlh = trace_build(&jump, whole);

	(void)state;
	for (uint32_t len = 0; len < nlh->nlmsg_len; len++) {
		struct nlmsghdr *cut = malloc(len + 1);
		struct nftrace_msg m;
		int r;

		assert_non_null(cut);
		memcpy(cut, whole, len);
		assert_int_equal(nftrace_parse(cut, len, &m), -EBADMSG);
		if (len >= sizeof(*cut)) {
			/* As an int it would be less than nothing. */
			cut->nlmsg_len = 0x90000000u;
			assert_int_equal(nftrace_parse(cut, len, &m), -EBADMSG);
			cut->nlmsg_len = len;
			r = nftrace_parse(cut, len, &m);
			assert_true(r == 0 || r == -EBADMSG);
		}
		free(cut);
	}
}

static void test_other_messages(void **state)
{
	ALIGNED uint8_t buf[MESSAGE_MAX];
	struct nlmsghdr *nlh = trace_build(&jump, buf);
	struct nftrace_msg m;

	(void)state;
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN;
	assert_int_equal(nftrace_parse(nlh, nlh->nlmsg_len, &m), -ENOMSG);
}

/* Whatever is selected, rules are for the guest's packets alone, and the tables are owned. */
static void test_text(void **state)
{
	const struct path_address addrs[] = {{AF_INET, {192, 168, 122, 10}},
					     {AF_INET6, {0xfd, [15] = 1}},
					     {AF_INET, {192, 168, 122, 11}}};
	struct nftrace_flow f = {.addrs = addrs, .n_addrs = 3, .flood = true};
	struct buf out = BUF_INIT(1 << 16);

	(void)state;
	nftrace_text("t", &f, &out);
	assert_non_null(strstr(buf_str(&out), "table inet t {\n\tflags owner\n"));
	assert_non_null(strstr(buf_str(&out), "table bridge t {\n\tflags owner\n"));
	assert_non_null(strstr(buf_str(&out), "\t\tip saddr { 192.168.122.10, 192.168.122.11 } "
					      "meta nftrace set 1 accept\n"));
	assert_non_null(strstr(buf_str(&out), "\t\tip6 daddr { fd00::1 } meta nftrace set 1"));
	assert_null(strstr(buf_str(&out), "\t\tmeta nftrace"));
	assert_null(strstr(buf_str(&out), "ct "));
	assert_null(strstr(buf_str(&out), "ether"));
	assert_null(strstr(buf_str(&out), "limit"));
	buf_done(&out);

	out = BUF_INIT(1 << 16);
	f.conntrack = true;
	f.port = 53;
	nftrace_text("t", &f, &out);
	assert_non_null(strstr(buf_str(&out), "{ tcp, udp, sctp } th sport 53 meta nftrace set 1"));
	assert_non_null(strstr(buf_str(&out), "ct reply proto-dst 53 meta nftrace set 1"));
	assert_non_null(strstr(buf_str(&out), "ct original ip6 saddr { fd00::1 } jump ct_port\n"));
	assert_null(strstr(buf_str(&out), "arp"));
	buf_done(&out);

	/* Not of a flood. */
	out = BUF_INIT(1 << 16);
	f.flood = false;
	nftrace_text("t", &f, &out);
	assert_non_null(strstr(buf_str(&out),
			       "th sport 53 limit rate 1000/second burst 500 packets "
			       "meta nftrace set 1 accept\n"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),     cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_broken),	       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_other_messages), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
