/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/firewall/ask.c: what is left over, and lists that change while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "../netns.h"
#include "base/buf.h"
#include "firewall/ask.h"
#include "firewall/nft.h"

#define RULES 3000 /* more than one read */

static struct nft *nft;
static struct mnl_socket *sock;
static char message[512];

static struct nlmsghdr *question(uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(message);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static struct nlmsghdr *all_rules(void)
{
	struct nlmsghdr *nlh = question(NFT_MSG_GETRULE, NLM_F_DUMP, NFPROTO_IPV4);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, "ask");
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "c");
	return nlh;
}

static int on_gen(const struct nlmsghdr *nlh, void *ctx)
{
	assert_int_equal(NFNL_MSG_TYPE(nlh->nlmsg_type), NFT_MSG_NEWGEN);
	++*(unsigned int *)ctx;
	return MNL_CB_OK;
}

/* What comes now is the answer to this, whatever was asked before. */
static void assert_in_step(void)
{
	unsigned int n = 0;
	uint32_t gen;

	assert_int_equal(fw_ask(sock, question(NFT_MSG_GETGEN, 0, AF_UNSPEC), on_gen, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(nft_generation(nft, &gen), 0);
}

static int count(const struct nlmsghdr *nlh, void *ctx)
{
	(void)nlh;
	++*(unsigned int *)ctx;
	return MNL_CB_OK;
}

static void test_answers(void **state)
{
	struct nlmsghdr *nlh;
	unsigned int n = 0;

	(void)state;
	assert_in_step();
	assert_int_equal(fw_ask(sock, all_rules(), count, &n), 0);
	assert_int_equal(n, RULES);
	nlh = question(NFT_MSG_GETTABLE, NLM_F_ACK, NFPROTO_IPV4);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "ask");
	n = 0;
	assert_int_equal(fw_ask(sock, nlh, count, &n), 0);
	assert_int_equal(n, 1);
	nlh = question(NFT_MSG_GETTABLE, 0, NFPROTO_IPV4);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "none");
	assert_int_equal(fw_ask(sock, nlh, NULL, NULL), -ENOENT);
	assert_in_step();
}

/* An answer that nobody has read, whole or the rest of a list. */
static void test_left_over(void **state)
{
	static char buf[65536];
	struct nlmsghdr *nlh;

	(void)state;
	nlh = question(NFT_MSG_GETTABLE, NLM_F_ACK, NFPROTO_IPV4);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "ask");
	assert_true(mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) > 0);
	assert_in_step();
	nlh = all_rules();
	assert_true(mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) > 0);
	assert_true(mnl_socket_recvfrom(sock, buf, sizeof(buf)) > 0);
	assert_in_step();
}

static int change(const struct nlmsghdr *nlh, void *ctx)
{
	struct err e = {0};

	(void)nlh;
	if (!*(unsigned int *)ctx && nft_run(nft, "add rule ip ask c counter", &e) < 0)
		fail_msg("%s", e.message);
	++*(unsigned int *)ctx;
	return MNL_CB_OK;
}

static void test_torn(void **state)
{
	unsigned int n = 0;

	(void)state;
	assert_int_equal(fw_ask(sock, all_rules(), change, &n), -EINTR);
	assert_true(n > 0);
	assert_in_step();
	n = 0;
	assert_int_equal(fw_ask(sock, all_rules(), count, &n), 0);
	assert_int_equal(n, RULES + 1);
}

static int refuse(const struct nlmsghdr *nlh, void *ctx)
{
	(void)nlh;
	++*(unsigned int *)ctx;
	errno = E2BIG;
	return MNL_CB_ERROR;
}

static void test_refused(void **state)
{
	unsigned int n = 0;

	(void)state;
	assert_int_equal(fw_ask(sock, all_rules(), refuse, &n), -E2BIG);
	assert_int_equal(n, 1);
	assert_in_step();
}

static void fill(void)
{
	struct buf text = BUF_INIT(1 << 20);
	struct err e = {0};

	buf_puts(&text, "table ip ask {\n\tchain c {\n");
	for (unsigned int i = 0; i < RULES; i++)
		buf_puts(&text, "\t\tcounter\n");
	buf_puts(&text, "\t}\n}\n");
	assert_int_equal(nft_run(nft, buf_str(&text), &e), 0);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_torn),
	};
	int failed;

	netns_enter();
	if (nft_new(&nft) < 0)
		netns_skip("libnftables has no context for us");
	sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	assert_non_null(sock);
	assert_int_equal(mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID), 0);
	fill();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mnl_socket_close(sock);
	nft_free(nft);
	return failed;
}
