/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/nft_program*.c and nft_eval*.c on rulesets made by hand: no kernel is asked. That
 * the expressions do what the kernel's do is tests/netns/test_nft_eval.py's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nft_build.h"
#include "path/nft_eval.h"

#define IP4 NFPROTO_IPV4

/* 10.1.0.2:5 > 10.2.0.2:53, UDP, TTL 64 */
static const uint8_t udp_packet[] = {2,	 0, 0,	0, 0, 2, 2, 0,	0,  0, 0, 1,  8, 0, 0x45,
				     0,	 0, 29, 0, 7, 0, 0, 64, 17, 0, 0, 10, 1, 0, 2,
				     10, 2, 0,	2, 0, 5, 0, 53, 0,  9, 0, 0,  65};

struct world {
	struct nft_build b;
	uint8_t bytes[sizeof(udp_packet)];
	struct nfteval_packet pkt;
	struct nfteval_result res;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(nftprog_new(&w->b.p), 0);
	memcpy(w->bytes, udp_packet, sizeof(udp_packet));
	w->pkt = (struct nfteval_packet){
		.bytes = w->bytes, .len = sizeof(w->bytes), .network = 14, .protocol = 0x800};
	assert_int_equal(build_table(&w->b, IP4, "t", 1), 0);
	assert_int_equal(build_table(&w->b, IP4, "u", 2), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nftprog_free(w->b.p);
	free(w);
	return 0;
}

static void base(struct world *w, const char *table, const char *chain, int32_t prio,
		 uint32_t policy)
{
	assert_int_equal(
		build_chain(&w->b, IP4, table, chain, "filter", NF_INET_FORWARD, prio, policy), 0);
}

static enum nfteval_outcome run(struct world *w)
{
	const struct nfteval_at at = {.pf = IP4,
				      .hook = NF_INET_FORWARD,
				      .from = NFTEVAL_FIRST,
				      .to = NFTEVAL_LAST,
				      .now_s = 86400 * 3 + 3600};

	assert_int_equal(nftprog_finish(w->b.p), 0);
	assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), 0);
	return w->res.outcome;
}

static void end(struct world *w)
{
	assert_int_equal(rule_end(&w->b), 0);
}

/* `udp dport == PORT` as two expressions */
static void dport(struct world *w, uint16_t port)
{
	uint16_t be = htons(port);

	expr_payload(&w->b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
	expr_cmp(&w->b, NFT_CMP_EQ, &be, sizeof(be));
}

static void set_mark(struct world *w, uint32_t mark)
{
	expr_immediate(&w->b, NFT_REG_1, &mark, sizeof(mark));
	expr_key(&w->b, "meta", NFT_META_MARK, true);
}

static void rule(struct world *w, const char *chain, uint64_t handle)
{
	rule_begin(&w->b, IP4, "t", chain, handle);
}

static void test_no_chain(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w), NFTEVAL_ACCEPT);
	assert_int_equal(w->res.n_steps, 0);
}

static void test_match_and_policy(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_DROP);
	rule(w, "f", 3);
	dport(w, 54);
	expr_verdict(&w->b, NF_ACCEPT, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_DROP);
	assert_int_equal(w->res.n_steps, 1);
	assert_null(w->res.decided.rule);
	assert_string_equal(w->res.decided.chain->name, "f");
}

static void test_jump_returns(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	assert_int_equal(build_chain(&w->b, IP4, "t", "c", NULL, 0, 0, 0), 0);
	rule(w, "c", 5);
	set_mark(w, 7);
	end(w);
	rule(w, "f", 6);
	expr_verdict(&w->b, NFT_JUMP, "c");
	end(w);
	rule(w, "f", 7);
	dport(w, 53);
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_DROP);
	assert_int_equal(w->res.n_steps, 3);
	assert_int_equal(w->res.steps[0].rule->handle, 6);
	assert_string_equal(w->res.steps[0].target->name, "c");
	assert_int_equal(w->res.steps[1].rule->handle, 5);
	assert_int_equal(w->res.decided.rule->handle, 7);
	assert_int_equal(w->pkt.mark, 7);
}

static void test_goto_does_not_return(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	assert_int_equal(build_chain(&w->b, IP4, "t", "c", NULL, 0, 0, 0), 0);
	rule(w, "f", 6);
	expr_verdict(&w->b, NFT_GOTO, "c");
	end(w);
	rule(w, "f", 7);
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_ACCEPT);
}

/* What nobody knows, and a verdict that depends on it. */
static void test_unknown_decides(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_bare(&w->b, "limit");
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_UNKNOWN);
	assert_non_null(strstr(w->res.unknown, "limit"));
	assert_int_equal(w->res.unknown_rule->handle, 9);
}

static void test_unknown_but_fails_anyway(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_bare(&w->b, "limit");
	dport(w, 80);
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_ACCEPT);
}

/* Twenty of them would be a million ways. */
static void test_unknown_without_consequence(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_DROP);
	for (uint64_t i = 1; i <= 20; i++) {
		rule(w, "f", i);
		expr_bare(&w->b, "limit");
		expr_bare(&w->b, "log");
		end(w);
	}
	assert_int_equal(run(w), NFTEVAL_DROP);
}

static void test_unknown_but_the_same_verdict(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_DROP);
	rule(w, "f", 9);
	expr_bare(&w->b, "limit");
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_DROP);
}

/* The same verdict, but the packet would be marked. */
static void test_unknown_mark(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_bare(&w->b, "limit");
	set_mark(w, 1);
	end(w);
	assert_int_equal(run(w), NFTEVAL_UNKNOWN);
	assert_int_equal(w->pkt.mark, 0);
}

/* ... and nobody would see, because a later chain drops it anyway. */
static void test_unknown_mark_of_a_dropped_packet(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	base(w, "t", "g", 5, NF_DROP);
	rule(w, "f", 9);
	expr_bare(&w->b, "limit");
	set_mark(w, 1);
	end(w);
	assert_int_equal(run(w), NFTEVAL_DROP);
}

static void test_many_forks_end(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_DROP);
	for (uint64_t i = 1; i <= 40; i++) {
		rule(w, "f", i);
		expr_bare(&w->b, "limit");
		set_mark(w, (uint32_t)i);
		end(w);
	}
	assert_int_equal(run(w), NFTEVAL_UNKNOWN);
}

static void test_an_expression_nobody_knows(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_bare(&w->b, "teleport");
	end(w);
	assert_int_equal(run(w), NFTEVAL_UNKNOWN);
	assert_string_equal(w->res.unknown, "teleport");
}

/* Two tables, one priority: u marks, t drops what is marked. Which is first? */
static void test_order_matters(void **state)
{
	static const uint32_t one = 1;
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	base(w, "u", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_key(&w->b, "meta", NFT_META_MARK, false);
	expr_cmp(&w->b, NFT_CMP_EQ, &one, sizeof(one));
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	rule_begin(&w->b, IP4, "u", "f", 9);
	set_mark(w, 1);
	end(w);
	assert_int_equal(run(w), NFTEVAL_UNKNOWN);
	assert_non_null(strstr(w->res.unknown, "priority"));
}

static void test_order_does_not_matter(void **state)
{
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	base(w, "u", "f", 0, NF_DROP);
	rule(w, "f", 9);
	set_mark(w, 1);
	end(w);
	assert_int_equal(run(w), NFTEVAL_DROP);
}

static void test_range_of_priorities(void **state)
{
	const struct nfteval_at at = {.pf = IP4, .hook = NF_INET_FORWARD, .from = -10, .to = 5};
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	base(w, "t", "g", 5, NF_DROP);
	assert_int_equal(nftprog_finish(w->b.p), 0);
	assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), 0);
	assert_int_equal(w->res.outcome, NFTEVAL_ACCEPT);
	assert_int_equal(w->res.n_steps, 1);
}

/* 1970-01-04 01:00 UTC, a Sunday */
static void test_time(void **state)
{
	static const uint8_t sunday;
	static const uint32_t one_o_clock = 3600;
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_key(&w->b, "meta", NFT_META_TIME_DAY, false);
	expr_cmp(&w->b, NFT_CMP_EQ, &sunday, sizeof(sunday));
	expr_key(&w->b, "meta", NFT_META_TIME_HOUR, false);
	expr_cmp(&w->b, NFT_CMP_EQ, &one_o_clock, sizeof(one_o_clock));
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(run(w), NFTEVAL_DROP);
}

static void quota(struct world *w, uint64_t bytes, uint64_t consumed)
{
	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_begin(&w->b, "quota");
	put_be64(&w->b, NFTA_QUOTA_BYTES, bytes);
	put_be64(&w->b, NFTA_QUOTA_CONSUMED, consumed);
	put_be32(&w->b, NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV);
	expr_end(&w->b);
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
}

static void test_quota_left(void **state)
{
	quota(*state, 1000, 10);
	assert_int_equal(run(*state), NFTEVAL_ACCEPT);
}

static void test_quota_used_up(void **state)
{
	quota(*state, 1000, 1001);
	assert_int_equal(run(*state), NFTEVAL_DROP);
}

static void test_quota_nearly_used_up(void **state)
{
	quota(*state, 1000, 990);
	assert_int_equal(run(*state), NFTEVAL_UNKNOWN);
}

static void elem(struct world *w, uint32_t addr, bool is_end)
{
	struct nlattr *nest = mnl_attr_nest_start(w->b.nlh, NFTA_LIST_ELEM);
	uint32_t be = htonl(addr);

	put_value(&w->b, NFTA_SET_ELEM_KEY, &be, sizeof(be));
	if (is_end)
		put_be32(&w->b, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	mnl_attr_nest_end(w->b.nlh, nest);
}

/* Elements come as the kernel likes, here the last first; 10.1.0.0/30 and from 10.2.0.0 on. */
static void interval_set(struct world *w)
{
	struct nlattr *nest;

	build_begin(&w->b, NFT_MSG_NEWSET, IP4);
	mnl_attr_put_strz(w->b.nlh, NFTA_SET_TABLE, "t");
	mnl_attr_put_strz(w->b.nlh, NFTA_SET_NAME, "s");
	put_be32(&w->b, NFTA_SET_FLAGS, NFT_SET_INTERVAL);
	put_be32(&w->b, NFTA_SET_KEY_LEN, 4);
	assert_int_equal(build_end(&w->b), 0);
	build_begin(&w->b, NFT_MSG_NEWSETELEM, IP4);
	mnl_attr_put_strz(w->b.nlh, NFTA_SET_ELEM_LIST_TABLE, "t");
	mnl_attr_put_strz(w->b.nlh, NFTA_SET_ELEM_LIST_SET, "s");
	nest = mnl_attr_nest_start(w->b.nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem(w, 0x0a020000, false);
	elem(w, 0x0a010004, true);
	elem(w, 0x0a010000, false);
	elem(w, 0, true);
	mnl_attr_nest_end(w->b.nlh, nest);
	assert_int_equal(build_end(&w->b), 0);
}

static void lookup(struct world *w, uint32_t offset)
{
	expr_payload(&w->b, NFT_PAYLOAD_NETWORK_HEADER, offset, 4);
	expr_begin(&w->b, "lookup");
	mnl_attr_put_strz(w->b.nlh, NFTA_LOOKUP_SET, "s");
	put_be32(&w->b, NFTA_LOOKUP_SREG, NFT_REG_1);
	expr_end(&w->b);
}

static void test_intervals(void **state)
{
	static const struct {
		uint8_t last;
		enum nfteval_outcome outcome;
	} cases[] = {
		{0, NFTEVAL_DROP}, {3, NFTEVAL_DROP}, {4, NFTEVAL_ACCEPT}, {255, NFTEVAL_ACCEPT}};
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	interval_set(w);
	rule(w, "f", 9);
	lookup(w, 12);
	lookup(w, 16);
	expr_verdict(&w->b, NF_DROP, NULL);
	end(w);
	assert_int_equal(nftprog_finish(w->b.p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct nfteval_at at = {.pf = IP4,
					      .hook = NF_INET_FORWARD,
					      .from = NFTEVAL_FIRST,
					      .to = NFTEVAL_LAST};

		w->bytes[29] = cases[i].last;
		assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), 0);
		assert_int_equal(w->res.outcome, cases[i].outcome);
	}
}

static void test_write_is_read_again(void **state)
{
	static const uint8_t nine = 9;
	struct world *w = *state;

	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 9);
	expr_immediate(&w->b, NFT_REG_1, &nine, sizeof(nine));
	expr_begin(&w->b, "payload");
	put_be32(&w->b, NFTA_PAYLOAD_SREG, NFT_REG_1);
	put_be32(&w->b, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	put_be32(&w->b, NFTA_PAYLOAD_OFFSET, 8);
	put_be32(&w->b, NFTA_PAYLOAD_LEN, 1);
	expr_end(&w->b);
	expr_payload(&w->b, NFT_PAYLOAD_NETWORK_HEADER, 8, 1);
	expr_cmp(&w->b, NFT_CMP_EQ, &nine, sizeof(nine));
	set_mark(w, 3);
	end(w);
	assert_int_equal(run(w), NFTEVAL_ACCEPT);
	assert_int_equal(w->pkt.mark, 3);
	assert_int_equal(w->bytes[22], 9);
}

static void nat_rule(struct world *w)
{
	static const uint8_t addr[] = {192, 0, 2, 1};
	uint16_t be = htons(80);

	assert_int_equal(
		build_chain(&w->b, IP4, "t", "n", "nat", NF_INET_PRE_ROUTING, 50, NF_ACCEPT), 0);
	rule(w, "n", 9);
	expr_immediate(&w->b, NFT_REG_1, addr, sizeof(addr));
	expr_immediate(&w->b, NFT_REG_2, &be, sizeof(be));
	expr_begin(&w->b, "nat");
	put_be32(&w->b, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	put_be32(&w->b, NFTA_NAT_FAMILY, IP4);
	put_be32(&w->b, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
	put_be32(&w->b, NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
	expr_end(&w->b);
	end(w);
	assert_int_equal(nftprog_finish(w->b.p), 0);
}

static void test_nat(void **state)
{
	/* Whatever the chain says, the kernel asks it at -100. */
	const struct nfteval_at at = {
		.pf = IP4, .hook = NF_INET_PRE_ROUTING, .from = -100, .to = -99};
	static const uint8_t addr[] = {192, 0, 2, 1};
	struct world *w = *state;

	nat_rule(w);
	assert_true(nftprog_conntrack(w->b.p));
	w->pkt.ct.state = NFTEVAL_CT_NEW;
	assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), 0);
	assert_int_equal(w->res.outcome, NFTEVAL_ACCEPT);
	assert_true(w->res.dnat.set && w->res.dnat.has_addr && w->res.dnat.has_port);
	assert_memory_equal(&w->res.dnat.min_addr, addr, sizeof(addr));
	assert_int_equal(w->res.dnat.max_port, 80);
	assert_true(w->pkt.ct.dnat_done);
	/* What was decided is decided. */
	assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), 0);
	assert_false(w->res.dnat.set);
}

static void test_nat_is_for_new_connections(void **state)
{
	const struct nfteval_at at = {
		.pf = IP4, .hook = NF_INET_PRE_ROUTING, .from = NFTEVAL_FIRST, .to = NFTEVAL_LAST};
	struct world *w = *state;

	nat_rule(w);
	w->pkt.ct.state = NFTEVAL_CT_ESTABLISHED;
	assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), 0);
	assert_int_equal(w->res.n_steps, 0);
	assert_false(w->res.dnat.set);
}

static void test_broken_messages(void **state)
{
	struct world *w = *state;

	assert_int_equal(build_table(&w->b, IP4, "t", 9), -EBADMSG);
	assert_int_equal(build_chain(&w->b, IP4, "nowhere", "c", NULL, 0, 0, 0), -EBADMSG);
	rule_begin(&w->b, IP4, "t", "nowhere", 1);
	assert_int_equal(rule_end(&w->b), -EBADMSG);
	base(w, "t", "f", 0, NF_ACCEPT);
	rule(w, "f", 1);
	expr_verdict(&w->b, NFT_JUMP, "nowhere");
	assert_int_equal(rule_end(&w->b), -ENOENT);
}

static void test_packet_that_is_none(void **state)
{
	const struct nfteval_at at = {.pf = IP4};
	struct world *w = *state;

	w->pkt.network = (int)w->pkt.len + 1;
	assert_int_equal(nfteval_run(w->b.p, &at, NULL, &w->pkt, &w->res), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_chain),
		TEST(test_match_and_policy),
		TEST(test_jump_returns),
		TEST(test_goto_does_not_return),
		TEST(test_unknown_decides),
		TEST(test_unknown_but_fails_anyway),
		TEST(test_unknown_without_consequence),
		TEST(test_unknown_but_the_same_verdict),
		TEST(test_unknown_mark),
		TEST(test_unknown_mark_of_a_dropped_packet),
		TEST(test_many_forks_end),
		TEST(test_an_expression_nobody_knows),
		TEST(test_order_matters),
		TEST(test_order_does_not_matter),
		TEST(test_range_of_priorities),
		TEST(test_time),
		TEST(test_quota_left),
		TEST(test_quota_used_up),
		TEST(test_quota_nearly_used_up),
		TEST(test_intervals),
		TEST(test_write_is_read_again),
		TEST(test_nat),
		TEST(test_nat_is_for_new_connections),
		TEST(test_broken_messages),
		TEST(test_packet_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
