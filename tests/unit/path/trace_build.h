/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace_build.h - trace messages as the kernel builds them (nf_tables_trace.c), for tests. */
#ifndef VMLANE_TESTS_UNIT_PATH_TRACE_BUILD_H
#define VMLANE_TESTS_UNIT_PATH_TRACE_BUILD_H

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>

/* struct trace_build - @verdict as the kernel has it, with a queue's number in the upper half */
struct trace_build {
	uint32_t id;
	uint8_t family;
	uint32_t type;
	uint32_t verdict;
	uint64_t handle;
	uint32_t iif;
	const char *table;
	const char *chain;
	const char *target;
	const void *l3;
	size_t l3_len;
};

static inline void trace_put_be32(struct nlmsghdr *nlh, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(nlh, type, htonl(v));
}

static inline struct nlmsghdr *trace_build(const struct trace_build *b, void *buf)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	struct nlattr *nest;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE;
	nfg->nfgen_family = b->family;
	trace_put_be32(nlh, NFTA_TRACE_NFPROTO, NFPROTO_IPV4);
	trace_put_be32(nlh, NFTA_TRACE_TYPE, b->type);
	trace_put_be32(nlh, NFTA_TRACE_ID, b->id);
	mnl_attr_put_strz(nlh, NFTA_TRACE_CHAIN, b->chain);
	mnl_attr_put_strz(nlh, NFTA_TRACE_TABLE, b->table);
	if (b->handle)
		mnl_attr_put_u64(nlh, NFTA_TRACE_RULE_HANDLE, htobe64(b->handle));
	if (b->type == NFT_TRACETYPE_POLICY) {
		trace_put_be32(nlh, NFTA_TRACE_POLICY, b->verdict);
	} else {
		nest = mnl_attr_nest_start(nlh, NFTA_TRACE_VERDICT);
		trace_put_be32(nlh, NFTA_VERDICT_CODE, b->verdict);
		if (b->target)
			mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, b->target);
		mnl_attr_nest_end(nlh, nest);
	}
	if (b->iif)
		trace_put_be32(nlh, NFTA_TRACE_IIF, b->iif);
	if (b->l3)
		mnl_attr_put(nlh, NFTA_TRACE_NETWORK_HEADER, b->l3_len, b->l3);
	return nlh;
}

#endif
