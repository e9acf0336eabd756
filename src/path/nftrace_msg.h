/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftrace_msg.h - nf_tables' trace messages: bytes to struct (net/netfilter/nf_tables_trace.c).
 *
 * The kernel sends one for each rule that a traced packet matches, one where a chain ends without a
 * verdict (or by `return`), and one where the policy of the base chain decides. Rules that do not
 * match send none. Next on the walk: verdicts.h, which makes decisions of them.
 */
#ifndef VMLANE_PATH_NFTRACE_MSG_H
#define VMLANE_PATH_NFTRACE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

#define NFTRACE_NAME_MAX 255 /* longest name of a table or chain (NFT_NAME_MAXLEN) */

/* enum nftrace_type - what decided; the kernel's NFT_TRACETYPE_* have other numbers */
enum nftrace_type {
	NFTRACE_RULE,	/* a rule matched: its verdict may also be to go on */
	NFTRACE_RETURN, /* the chain ended, or a rule said `return` */
	NFTRACE_POLICY, /* no rule decided: the base chain's policy did */
};

/* struct nftrace_bytes - not owned; @p is NULL when @len is 0 */
struct nftrace_bytes {
	const uint8_t *p;
	size_t len;
};

/**
 * struct nftrace_msg - one trace message
 * @number:	counts what the socket has received, from 0 (nftrace.h)
 * @id:		of the packet; changes when it comes in by another device (tap, then bridge), and is
 *		used again for later packets with the same addresses and ports
 * @family:	NFPROTO_* of the table
 * @proto:	NFPROTO_* of the hook: NFPROTO_IPV4 or NFPROTO_IPV6 for a table of family inet
 * @verdict:	NF_ACCEPT, NF_DROP, NF_STOLEN, NF_QUEUE, NFT_CONTINUE, NFT_JUMP, NFT_GOTO,
 *		NFT_RETURN, ...; of a policy NF_ACCEPT or NF_DROP
 * @queue:	NF_QUEUE: the queue's number
 * @handle:	the rule's; 0: none
 * @iif, @oif:	interfaces' indexes, 0 for none; as the headers, told at the first message of each
 *		base chain only
 * @mark:	the packet's fwmark
 * @table:	never NULL
 * @chain:	whose rule or end it is; the base chain for a policy; never NULL
 * @target:	NFT_JUMP, NFT_GOTO: the chain to go on in; otherwise ""
 * @l2:		the Ethernet header; @l3: the network header, at most 40 bytes; @l4: the first 20
 *		bytes behind it
 */
struct nftrace_msg {
	uint32_t number;
	uint32_t id;
	uint8_t family;
	uint8_t proto;
	enum nftrace_type type;
	int verdict;
	uint16_t queue;
	uint64_t handle;
	uint32_t iif;
	uint32_t oif;
	uint32_t mark;
	const char *table;
	const char *chain;
	const char *target;
	struct nftrace_bytes l2;
	struct nftrace_bytes l3;
	struct nftrace_bytes l4;
};

/*
 * nftrace_parse() - one netlink message from its struct nlmsghdr on; aligned to 4 bytes. Strings and
 * headers of @ret point into @bytes. @ret->number is left 0. -ENOMSG: it is no trace message;
 * -EBADMSG: it is, and broken.
 */
int nftrace_parse(const void *bytes, size_t len, struct nftrace_msg *ret) __must_check;

/* nftrace_msg_copy() - with all it points to, in one block for free(); NULL without memory. */
struct nftrace_msg *nftrace_msg_copy(const struct nftrace_msg *m);

/* nftrace_first() - it is the first of its packet in a base chain: only that one has headers. */
bool nftrace_first(const struct nftrace_msg *m);

/* nftrace_own() - it is about a table that somebody's tracing put there (nftrace_select()). */
bool nftrace_own(const struct nftrace_msg *m);
#define NFTRACE_TABLE_PREFIX "vmlane_trace_"

/* nftrace_verdict_name() - "accept", "jump", ...; "?" for a number that is not known. */
const char *nftrace_verdict_name(int verdict);

#endif
