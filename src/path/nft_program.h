/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_program.h - the kernel's nftables rules as the kernel itself runs them: chains of expressions
 * that work on registers. Read over netlink in one generation of the ruleset (nft_program_load.c),
 * taken apart by nft_program_parse.c and nft_program_expr.c, run by nft_eval.h.
 *
 * What a rule looks like to its owner is rules.h's business: rules have the same handles there.
 */
#ifndef VMLANE_PATH_NFT_PROGRAM_H
#define VMLANE_PATH_NFT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct nlmsghdr;
struct nftprog_chain;
struct nftprog_object;
struct nftprog_rule;
struct nftprog_set;

/* Registers: 16 words of 4 bytes behind the verdict's 4, as the kernel counts them. */
#define NFTPROG_REGS 20
#define NFTPROG_VALUE_MAX 64
#define NFTPROG_FIELDS_MAX 16

/* enum nftprog_op - what an expression does; the kernel's name for it is in nftprog_expr.name */
enum nftprog_op {
	NFTPROG_UNKNOWN, /* not modelled, anything may happen: @text says which */
	NFTPROG_MAYBE,	 /* agrees or not, nobody knows; what it writes to @dreg neither */
	NFTPROG_NOTHING, /* counter, log, last ...: decides nothing, changes nothing */
	NFTPROG_IMMEDIATE,
	NFTPROG_VERDICT,
	NFTPROG_CMP,
	NFTPROG_RANGE,
	NFTPROG_BITWISE,
	NFTPROG_BYTEORDER,
	NFTPROG_PAYLOAD,
	NFTPROG_PAYLOAD_SET,
	NFTPROG_META,
	NFTPROG_META_SET,
	NFTPROG_CT,
	NFTPROG_CT_SET,
	NFTPROG_FIB,
	NFTPROG_RT,
	NFTPROG_EXTHDR,
	NFTPROG_EXTHDR_SET,
	NFTPROG_LOOKUP,
	NFTPROG_DYNSET,
	NFTPROG_OBJREF,
	NFTPROG_QUOTA,
	NFTPROG_NAT,
	NFTPROG_MASQ,
	NFTPROG_REDIR,
	NFTPROG_REJECT,
	NFTPROG_QUEUE,
	NFTPROG_NOTRACK,
	NFTPROG_FWD,
	NFTPROG_SOCKET,
	NFTPROG_TPROXY,
	NFTPROG_MATCH,
	NFTPROG_TARGET,
};

/**
 * struct nftprog_expr - one expression; which fields mean something depends on @op
 * @name:	as the kernel calls it ("cmp", "payload"); "match"/"target": the extension ("multiport")
 * @text:	for people, when it cannot be evaluated ("limit", "match recent", "meta cpu")
 * @sreg:	first source register, in words, or -1: none; @sreg2 to @sreg4: nat's maximum address and
 *		ports, dynset's data, bitwise's second operand
 * @dreg:	destination register, in words, or -1; 0: the verdict
 * @len:	bytes; byteorder: of all, with @size of each number
 * @offset:	payload, exthdr: where
 * @base:	payload: NFT_PAYLOAD_*
 * @key:	meta, ct, rt, socket, fib's result: NFT_META_*, NFT_CT_*, ...; exthdr: the header's type;
 *		nat: NFT_NAT_SNAT or NFT_NAT_DNAT; objref, quota, socket: NFT_OBJECT_* and the like
 * @cmp:	cmp, range, bitwise, byteorder, exthdr: NFT_CMP_EQ, NFT_BITWISE_*, ...
 * @flags:	of nat: NF_NAT_RANGE_*; fib: NFTA_FIB_F_*; others: as the kernel has them
 * @family:	nat, tproxy: of the addresses
 * @invert:	lookup, dynset
 * @dir:	ct: direction, or -1: none given
 * @verdict:	NFT_JUMP, NF_DROP ...; @target: jump's and goto's
 * @set:	lookup's, dynset's, objref's map; @object: objref's
 * @data:	constant: what cmp compares with, range's lower end, bitwise's mask, immediate's value,
 *		a match's or target's parameters; owned by the program
 * @data2:	range's upper end, bitwise's xor
 * @quota, @consumed: bytes
 */
struct nftprog_expr {
	enum nftprog_op op;
	const char *name;
	const char *text;
	int8_t sreg, sreg2, sreg3, sreg4;
	int8_t dreg;
	int8_t dir;
	uint8_t family;
	bool invert;
	uint32_t len;
	uint32_t offset;
	uint32_t base;
	uint32_t key;
	uint32_t cmp;
	uint32_t flags;
	uint32_t size;
	uint32_t revision;
	int32_t verdict;
	const struct nftprog_chain *target;
	const struct nftprog_set *set;
	const struct nftprog_object *object;
	const uint8_t *data;
	uint32_t data_len;
	const uint8_t *data2;
	uint32_t data2_len;
	uint64_t quota, consumed;
};

/* struct nftprog_rule - @exprs are owned by the program */
struct nftprog_rule {
	const struct nftprog_chain *chain;
	uint64_t handle;
	struct nftprog_expr *exprs;
	size_t n_exprs;
};

/**
 * struct nftprog_table - a table
 * @family:	NFPROTO_*
 * @dormant:	its chains are not asked
 */
struct nftprog_table {
	uint8_t family;
	bool dormant;
	const char *name;
	uint64_t handle;
};

enum nftprog_type { NFTPROG_FILTER, NFTPROG_NAT_CHAIN, NFTPROG_ROUTE };

/**
 * struct nftprog_chain - a chain and its rules, in order
 * @base:	it hangs on a hook; what follows up to @rules is of base chains only
 * @hook:	NF_INET_*, NF_BR_*, NF_ARP_*, NF_NETDEV_*; family inet's ingress: NF_INET_INGRESS
 * @drop:	the policy: drop rather than accept
 * @devices:	names, of families netdev and inet's ingress; @prefix[i]: only the name's beginning
 */
struct nftprog_chain {
	const struct nftprog_table *table;
	const char *name;
	uint64_t handle;
	bool base;
	enum nftprog_type type;
	uint32_t hook;
	int32_t priority;
	bool drop;
	const char **devices;
	bool *prefix;
	size_t n_devices;
	struct nftprog_rule *rules;
	size_t n_rules;
};

/**
 * struct nftprog_elem - an element of a set
 * @key:	the set's @key_len bytes; of a set of intervals: where it begins
 * @end:	where it ends, inclusive, or NULL
 * @interval_end: @key is the first that is not in the interval before
 * @data:	of a map, NULL otherwise; of a verdict map: @verdict, @target
 * @stateful:	what must agree too ("limit", "quota"), or NULL
 * @object:	of an object map, or NULL
 */
struct nftprog_elem {
	const uint8_t *key;
	const uint8_t *end;
	bool interval_end;
	const uint8_t *data;
	int32_t verdict;
	const struct nftprog_chain *target;
	const char *stateful;
	const struct nftprog_object *object;
};

/**
 * struct nftprog_object - a named counter, quota, helper ...
 * @type:	NFT_OBJECT_*
 * @helper:	of a ct helper: its name ("ftp")
 * @quota, @consumed: bytes; @over: it matches once they are used up
 */
struct nftprog_object {
	const struct nftprog_table *table;
	const char *name;
	uint32_t type;
	const char *helper;
	uint64_t quota, consumed;
	bool over;
};

/**
 * struct nftprog_set - a set or map; elements sorted by key
 * @flags:	NFT_SET_*
 * @max:	elements at most, 0: no limit
 * @fields:	lengths of a concatenation's parts in bytes; each is padded to 4
 * @catchall:	the element for whatever is not found (`*`), or NULL
 */
struct nftprog_set {
	const struct nftprog_table *table;
	const char *name;
	uint32_t id;
	uint32_t flags;
	uint32_t key_len;
	uint32_t data_len;
	uint32_t max;
	bool verdicts;
	uint32_t fields[NFTPROG_FIELDS_MAX];
	size_t n_fields;
	struct nftprog_elem *elems;
	size_t n_elems;
	size_t cap;
	struct nftprog_elem *catchall;
};

struct nftprog;

/*
 * nftprog_load() - the whole ruleset of the calling thread's network namespace, of one generation.
 * -EPERM, -ENOMEM, -EBUSY when it does not stop changing, -EBADMSG.
 */
int nftprog_load(struct nftprog **ret, struct err *e) __must_check;
void nftprog_free(struct nftprog *p);
DEFINE_CLEANUP(struct nftprog *, nftprog_free)

/* nftprog_generation() - the ruleset's, as NFT_MSG_GETGEN tells it. */
uint32_t nftprog_generation(const struct nftprog *p);

/* nftprog_chain() - by name, or NULL. */
const struct nftprog_chain *nftprog_chain(const struct nftprog *p, uint8_t family,
					  const char *table, const char *chain);
/* nftprog_conntrack() - some rule or chain makes the kernel track connections in this namespace. */
bool nftprog_conntrack(const struct nftprog *p);

/*
 * nftprog_bases() - the base chains that are asked at a hook, in their order; how many there are in
 * all, of which at most @cap are stored.
 * @pf:		NFPROTO_IPV4 or _IPV6 (chains of family inet too), _BRIDGE, _ARP, _NETDEV
 * @hook:	NF_INET_* etc.; of _NETDEV: NF_NETDEV_INGRESS or _EGRESS
 * @device:	of _NETDEV: the interface's name; otherwise ignored
 *
 * nat chains stand where the kernel asks them, which is not where their priority says: at -100 before
 * routing, at 100 behind it (nftprog_priority()); their own priority orders them among themselves.
 */
size_t nftprog_bases(const struct nftprog *p, uint8_t pf, uint32_t hook, const char *device,
		     const struct nftprog_chain **ret, size_t cap);
int32_t nftprog_priority(const struct nftprog_chain *c);

/*
 * nftprog_new() - an empty one; nftprog_add() - one message of a dump (NFT_MSG_NEWTABLE, _NEWCHAIN,
 * _NEWSET, _NEWOBJ, _NEWSETELEM, _NEWRULE; others are ignored), in that order of types;
 * nftprog_finish() once after the last. -EBADMSG when a message is broken or names what is not there,
 * -ENOMEM. An expression that is not understood is no error: it is NFTPROG_UNKNOWN. No I/O.
 */
int nftprog_new(struct nftprog **ret) __must_check;
int nftprog_add(struct nftprog *p, const struct nlmsghdr *nlh) __must_check;
int nftprog_finish(struct nftprog *p) __must_check;

/*
 * nftprog_lookup() - the element that @key matches, or NULL
 * @key: @s->key_len bytes, concatenations padded as in registers
 */
const struct nftprog_elem *nftprog_lookup(const struct nftprog_set *s, const uint8_t *key);

#endif
