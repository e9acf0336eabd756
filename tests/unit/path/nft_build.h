/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_build.h - a ruleset of netlink messages as the kernel dumps them, for tests. */
#ifndef VMLANE_TESTS_UNIT_PATH_NFT_BUILD_H
#define VMLANE_TESTS_UNIT_PATH_NFT_BUILD_H

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <string.h>
#include "path/nft_program.h"

/**
 * struct nft_build - a message under construction
 * @p:		where it goes
 * @list, @expr, @data: open nests of a rule
 */
struct nft_build {
	struct nftprog *p;
	_Alignas(8) uint8_t buf[8192];
	struct nlmsghdr *nlh;
	struct nlattr *list, *expr, *data;
};

static inline void build_begin(struct nft_build *b, uint16_t type, uint8_t family)
{
	struct nfgenmsg *g;

	b->nlh = mnl_nlmsg_put_header(b->buf);
	b->nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	g = mnl_nlmsg_put_extra_header(b->nlh, sizeof(*g));
	g->nfgen_family = family;
}

static inline int build_end(struct nft_build *b)
{
	return nftprog_add(b->p, b->nlh);
}

static inline void put_be32(struct nft_build *b, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(b->nlh, type, htonl(v));
}

static inline void put_be64(struct nft_build *b, uint16_t type, uint64_t v)
{
	mnl_attr_put_u64(b->nlh, type, htobe64(v));
}

static inline void put_value(struct nft_build *b, uint16_t type, const void *v, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(b->nlh, type);

	mnl_attr_put(b->nlh, NFTA_DATA_VALUE, len, v);
	mnl_attr_nest_end(b->nlh, nest);
}

static inline void put_verdict(struct nft_build *b, uint16_t type, int32_t code, const char *chain)
{
	struct nlattr *nest = mnl_attr_nest_start(b->nlh, type),
		      *verdict = mnl_attr_nest_start(b->nlh, NFTA_DATA_VERDICT);

	put_be32(b, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		mnl_attr_put_strz(b->nlh, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(b->nlh, verdict);
	mnl_attr_nest_end(b->nlh, nest);
}

static inline int build_table(struct nft_build *b, uint8_t family, const char *name,
			      uint64_t handle)
{
	build_begin(b, NFT_MSG_NEWTABLE, family);
	mnl_attr_put_strz(b->nlh, NFTA_TABLE_NAME, name);
	put_be64(b, NFTA_TABLE_HANDLE, handle);
	return build_end(b);
}

/* @type: NULL for a chain that is jumped to; @hook and @priority of base chains */
static inline int build_chain(struct nft_build *b, uint8_t family, const char *table,
			      const char *name, const char *type, uint32_t hook, int32_t priority,
			      uint32_t policy)
{
	static uint64_t handle;
	struct nlattr *nest;

	build_begin(b, NFT_MSG_NEWCHAIN, family);
	mnl_attr_put_strz(b->nlh, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(b->nlh, NFTA_CHAIN_NAME, name);
	put_be64(b, NFTA_CHAIN_HANDLE, ++handle);
	if (type) {
		nest = mnl_attr_nest_start(b->nlh, NFTA_CHAIN_HOOK);
		put_be32(b, NFTA_HOOK_HOOKNUM, hook);
		put_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)priority);
		mnl_attr_nest_end(b->nlh, nest);
		mnl_attr_put_strz(b->nlh, NFTA_CHAIN_TYPE, type);
		put_be32(b, NFTA_CHAIN_POLICY, policy);
	}
	return build_end(b);
}

static inline void rule_begin(struct nft_build *b, uint8_t family, const char *table,
			      const char *chain, uint64_t handle)
{
	build_begin(b, NFT_MSG_NEWRULE, family);
	mnl_attr_put_strz(b->nlh, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(b->nlh, NFTA_RULE_CHAIN, chain);
	put_be64(b, NFTA_RULE_HANDLE, handle);
	b->list = mnl_attr_nest_start(b->nlh, NFTA_RULE_EXPRESSIONS);
}

static inline int rule_end(struct nft_build *b)
{
	mnl_attr_nest_end(b->nlh, b->list);
	return build_end(b);
}

static inline void expr_begin(struct nft_build *b, const char *name)
{
	b->expr = mnl_attr_nest_start(b->nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(b->nlh, NFTA_EXPR_NAME, name);
	b->data = mnl_attr_nest_start(b->nlh, NFTA_EXPR_DATA);
}

static inline void expr_end(struct nft_build *b)
{
	mnl_attr_nest_end(b->nlh, b->data);
	mnl_attr_nest_end(b->nlh, b->expr);
}

static inline void expr_bare(struct nft_build *b, const char *name)
{
	expr_begin(b, name);
	expr_end(b);
}

static inline void expr_verdict(struct nft_build *b, int32_t code, const char *chain)
{
	expr_begin(b, "immediate");
	put_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	put_verdict(b, NFTA_IMMEDIATE_DATA, code, chain);
	expr_end(b);
}

static inline void expr_immediate(struct nft_build *b, uint32_t reg, const void *v, size_t len)
{
	expr_begin(b, "immediate");
	put_be32(b, NFTA_IMMEDIATE_DREG, reg);
	put_value(b, NFTA_IMMEDIATE_DATA, v, len);
	expr_end(b);
}

static inline void expr_payload(struct nft_build *b, uint32_t base, uint32_t offset, uint32_t len)
{
	expr_begin(b, "payload");
	put_be32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(b, NFTA_PAYLOAD_BASE, base);
	put_be32(b, NFTA_PAYLOAD_OFFSET, offset);
	put_be32(b, NFTA_PAYLOAD_LEN, len);
	expr_end(b);
}

/* meta or ct, into register 1 or (@set) from it */
static inline void expr_key(struct nft_build *b, const char *name, uint32_t key, bool set)
{
	expr_begin(b, name);
	put_be32(b, NFTA_META_KEY, key);
	put_be32(b,
		 set ? (strcmp(name, "ct") == 0 ? NFTA_CT_SREG : NFTA_META_SREG) : NFTA_META_DREG,
		 NFT_REG_1);
	expr_end(b);
}

static inline void expr_cmp(struct nft_build *b, uint32_t op, const void *v, size_t len)
{
	expr_begin(b, "cmp");
	put_be32(b, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(b, NFTA_CMP_OP, op);
	put_value(b, NFTA_CMP_DATA, v, len);
	expr_end(b);
}

#endif
