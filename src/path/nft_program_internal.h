/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_program_internal.h - what the files nft_program*.c share: where the program's parts are kept,
 * and reading netlink attributes.
 */
#ifndef VMLANE_PATH_NFT_PROGRAM_INTERNAL_H
#define VMLANE_PATH_NFT_PROGRAM_INTERNAL_H

#include <libmnl/libmnl.h>
#include <uthash.h>
#include "path/nft_program.h"

/*
 * Most of a ruleset's parts live as long as the ruleset: they are cut from blocks that are freed at
 * once.
 */
struct nftprog_block {
	struct nftprog_block *next;
	size_t used;
	size_t size;
	uint8_t bytes[];
};

enum nftprog_kind { NFTPROG_IS_TABLE, NFTPROG_IS_CHAIN, NFTPROG_IS_SET, NFTPROG_IS_OBJECT };

/**
 * struct nftprog_name - by which a part is found
 * @key:	kind, family, table, NUL, name
 * @order:	when it was made, among those of its kind
 */
struct nftprog_name {
	UT_hash_handle hh;
	enum nftprog_kind kind;
	size_t order;
	union {
		struct nftprog_table table;
		struct nftprog_chain chain;
		struct nftprog_set set;
		struct nftprog_object object;
	};
	char key[];
};

/**
 * struct nftprog - see nft_program.h
 * @bases:	the base chains, in the order of nftprog_bases(), from nftprog_finish() on
 */
struct nftprog {
	struct nftprog_block *blocks;
	struct nftprog_name *names;
	const struct nftprog_chain **bases;
	size_t n_bases;
	size_t bases_cap;
	size_t n_made;
	uint32_t generation;
	bool conntrack;
};

/* nftprog_alloc() - zeroed, aligned to 8; NULL when there is no memory. */
void *nftprog_alloc(struct nftprog *p, size_t size);
/* nftprog_copy() - of @len bytes with a NUL behind them. */
const uint8_t *nftprog_copy(struct nftprog *p, const void *bytes, size_t len);
/* nftprog_find(), nftprog_make() - NULL when it is not there, or there is no memory. */
struct nftprog_name *nftprog_find(const struct nftprog *p, enum nftprog_kind kind, uint8_t family,
				  const char *table, const char *name);
struct nftprog_name *nftprog_make(struct nftprog *p, enum nftprog_kind kind, uint8_t family,
				  const char *table, const char *name);

/* NFTPROG_EACH() - each attribute of a nest; libmnl's own macro narrows the length silently. */
#define NFTPROG_EACH(attr, nest)                                                                   \
	for ((attr) = mnl_attr_get_payload(nest);                                                  \
	     mnl_attr_ok((attr), (int)((const char *)mnl_attr_get_payload(nest) +                  \
				       mnl_attr_get_payload_len(nest) - (const char *)(attr)));    \
	     (attr) = mnl_attr_next(attr))

#define NFTPROG_ATTRS 32

/* struct nftprog_attrs - attributes by their types; those beyond are ignored */
struct nftprog_attrs {
	const struct nlattr *tb[NFTPROG_ATTRS];
};

/* nftprog_attrs_of() - of a message behind its struct nfgenmsg; _nested(): in @nest, may be NULL. */
int nftprog_attrs_of(const struct nlmsghdr *nlh, struct nftprog_attrs *ret) __must_check;
int nftprog_attrs_nested(const struct nlattr *nest, struct nftprog_attrs *ret) __must_check;

/*
 * What an attribute holds; @otherwise, NULL or false where it is missing or too short. Numbers come
 * in network byte order.
 */
uint32_t nftprog_u32(const struct nftprog_attrs *a, int type, uint32_t otherwise);
uint64_t nftprog_u64(const struct nftprog_attrs *a, int type, uint64_t otherwise);
const char *nftprog_str(const struct nftprog_attrs *a, int type);

/**
 * struct nftprog_data - what a NFTA_*_DATA nest holds: a value or a verdict
 * @bytes:	copied into the program; NULL: none
 */
struct nftprog_data {
	const uint8_t *bytes;
	uint32_t len;
	bool is_verdict;
	int32_t verdict;
	const struct nftprog_chain *target;
};

/* nftprog_data() - -EBADMSG, -ENOMEM; -ENOENT: it jumps to a chain that is not there. */
int nftprog_data(struct nftprog *p, const struct nftprog_table *t, const struct nlattr *nest,
		 struct nftprog_data *ret) __must_check;

/* nftprog_expr_parse() - one expression from its nest. -EBADMSG, -ENOMEM. */
int nftprog_expr_parse(struct nftprog *p, const struct nftprog_table *t, const struct nlattr *nest,
		       struct nftprog_expr *ret) __must_check;
/* nftprog_stateful() - the expression's name when it can fail though nothing is wrong, or NULL. */
const char *nftprog_stateful(const struct nlattr *nest);

#endif
