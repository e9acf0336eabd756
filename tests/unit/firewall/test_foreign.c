/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What others do to rules (watch.h), and the rules put among theirs (accepts.h): messages alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/accepts.h"
#include "firewall/watch.h"

/* ---- watch ---- */

/* struct heard - the changes told of, the last one whole. */
struct heard {
	unsigned int n;
	struct fw_change last;
};

static void on_change(const struct fw_change *c, void *ctx)
{
	struct heard *h = ctx;

	h->n++;
	h->last = *c;
}

static char bytes[8192] __attribute__((aligned(8)));
static size_t used;

static struct nlmsghdr *begin(uint16_t type)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(bytes + used);

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	return nlh;
}

static void end(const struct nlmsghdr *nlh)
{
	used += (nlh->nlmsg_len + 3) & ~(size_t)3;
}

static void object(uint16_t type, const char *table)
{
	struct nlmsghdr *nlh = begin(type);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "vmlane"); /* a chain's name is no table's */
	end(nlh);
}

static void generation(uint32_t id, const char *process)
{
	struct nlmsghdr *nlh = begin(NFT_MSG_NEWGEN);

	mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(id));
	mnl_attr_put_u32(nlh, NFTA_GEN_PROC_PID, htonl(77));
	mnl_attr_put_strz(nlh, NFTA_GEN_PROC_NAME, process);
	end(nlh);
}

/* As they come: what one transaction changes may be spread over datagrams. */
static void hear(struct heard *h, struct fw_change *open)
{
	fw_watch_take(bytes, used, open, on_change, h);
	used = 0;
}

static void test_whose(void **state)
{
	struct fw_change open = {0};
	struct heard h = {0};

	(void)state;
	object(NFT_MSG_DELRULE, "vmlane");
	object(NFT_MSG_DELTABLE, "vmlane");
	hear(&h, &open);
	assert_int_equal(h.n, 0);
	generation(5, "nft");
	hear(&h, &open);
	assert_int_equal(h.n, 1);
	assert_true(h.last.ours && !h.last.foreign);
	assert_int_equal(h.last.generation, 5);
	assert_int_equal(h.last.pid, 77);
	assert_string_equal(h.last.process, "nft");
	object(NFT_MSG_NEWRULE, "theirs");
	object(NFT_MSG_NEWRULE, "vmlane2");
	object(NFT_MSG_NEWRULE, "vmlan");
	generation(6, "a name that is too long");
	object(NFT_MSG_NEWCHAIN, "filter");
	generation(7, "");
	hear(&h, &open);
	assert_int_equal(h.n, 3);
	assert_true(!h.last.ours && h.last.foreign);
	assert_string_equal(h.last.process, "");
}

static void test_long_name(void **state)
{
	struct fw_change open = {0};
	struct heard h = {0};

	(void)state;
	generation(6, "a name that is too long");
	hear(&h, &open);
	assert_string_equal(h.last.process, "a name that is ");
	assert_true(!h.last.ours && !h.last.foreign);
}

/* Cut anywhere, nothing is read past the end (the sanitizers look) and nothing is made up. */
static void test_cut(void **state)
{
	size_t whole;

	(void)state;
	object(NFT_MSG_NEWRULE, "vmlane");
	generation(9, "nft");
	whole = used;
	for (size_t len = 0; len < whole; len++) {
		struct fw_change open = {0};
		struct heard h = {0};
		void *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, bytes, len);
		fw_watch_take(copy, len, &open, on_change, &h);
		assert_int_equal(h.n, 0);
		free(copy);
	}
	used = 0;
}

/* ---- accepts ---- */

static struct nlmsghdr *rule(const struct fw_accept *a)
{
	struct nlmsghdr *nlh;

	used = 0;
	nlh = begin(NFT_MSG_NEWRULE);
	accept_put(nlh, a);
	return nlh;
}

static const struct fw_accept some[] = {
	{.network = "default", .in = "vl-default", .out = "eth0"},
	{.network = "default", .out = "vl-default", .which = FW_ACCEPT_KNOWN},
	{.network = "a", .out = "vl-a", .which = FW_ACCEPT_KNOWN | FW_ACCEPT_DNAT},
	{.network = "a",
	 .in = "exactly15chars0",
	 .out = "exactly15chars0",
	 .which = FW_ACCEPT_DNAT},
	{.network = "a"},
};

static void test_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		struct fw_accept back;
		bool changed = true;

		assert_true(accept_read(rule(&some[i]), &back, &changed));
		assert_false(changed);
		assert_memory_equal(&back, &some[i], sizeof(back));
	}
}

/* Each byte of a rule changed: either nothing of it matters, or it is not this rule any more. */
static void test_changed(void **state)
{
	struct nlmsghdr *nlh = rule(&some[1]);
	size_t len = nlh->nlmsg_len, noticed = 0;

	(void)state;
	for (size_t i = NLMSG_HDRLEN + sizeof(struct nfgenmsg); i < len; i++) {
		struct fw_accept back = {0};
		bool changed = false;
		char was = bytes[i];

		bytes[i] = (char)(was ^ 1);
		if (!accept_read(nlh, &back, &changed) || changed ||
		    memcmp(&back, &some[1], sizeof(back)) != 0)
			noticed++;
		bytes[i] = was;
	}
	/* Most bytes are the padding of the comment's and the match's fixed sizes. */
	assert_in_range(noticed, 60, len);
}

static void test_of_others(void **state)
{
	struct nlmsghdr *nlh;
	struct fw_accept back;
	bool changed;

	(void)state;
	used = 0;
	nlh = begin(NFT_MSG_NEWRULE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "vmlane: default");
	assert_false(accept_read(nlh, &back, &changed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose),	cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_cut),	cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_changed), cmocka_unit_test(test_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
