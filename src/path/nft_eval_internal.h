/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_internal.h - what the files nft_eval*.c share: the state of one evaluation, and how
 * expressions read and write it. The whole state is copied where an unknown condition is followed
 * both ways.
 */
#ifndef VMLANE_PATH_NFT_EVAL_INTERNAL_H
#define VMLANE_PATH_NFT_EVAL_INTERNAL_H

#include "path/nft_eval.h"

#define NFTEVAL_JUMPS 16 /* NFT_JUMP_STACK_SIZE of the kernel */
#define NFTEVAL_WRITES 8
#define NFTEVAL_TOUCHED 4

/* enum nfteval_flow - what an expression makes of the rule */
enum nfteval_flow {
	NFTEVAL_NEXT,	 /* on to the rule's next expression */
	NFTEVAL_BREAK,	 /* the rule does not match */
	NFTEVAL_VERDICT, /* state.verdict ends the rule */
	NFTEVAL_MAYBE,	 /* NEXT or BREAK: state.why says why nobody knows */
	NFTEVAL_OPAQUE,	 /* anything may happen: state.why */
};

/* struct nfteval_write - bytes that a rule has put into the packet, at @at from its begin */
struct nfteval_write {
	size_t at;
	uint32_t len;
	uint8_t bytes[NFTPROG_VALUE_MAX];
};

/* struct nfteval_touch - an element that a rule has added to a set, or deleted */
struct nfteval_touch {
	const struct nftprog_set *set;
	bool there;
	uint8_t key[NFTPROG_VALUE_MAX];
};

/**
 * struct nfteval_headers - what the kernel knows of the packet at the begin of a base chain
 * @pf:		NFPROTO_* as rules see it (`meta nfproto`)
 * @l4:		@proto and @transport are known
 * @transport:	from the packet's begin
 * @fragment:	not the first: there is no transport header
 */
struct nfteval_headers {
	uint8_t pf;
	bool l4;
	uint8_t proto;
	bool fragment;
	size_t transport;
};

/* struct nfteval_place - in a chain: the next rule */
struct nfteval_place {
	const struct nftprog_chain *chain;
	size_t rule;
};

/**
 * struct nfteval_state - one evaluation
 * @reg:	the registers; @unknown[i]: why word i is not known, NULL: it is
 * @pkt, @res:	as it has become
 * @writes:	not in @pkt.bytes yet
 * @base:	index of the base chain
 * @expr:	the next of the rule
 * @verdict, @target: NFTEVAL_VERDICT's
 * @why:	NFTEVAL_MAYBE's, NFTEVAL_OPAQUE's
 * @translated:	a nat rule has spoken; what the packet's addresses are now is the caller's to say
 */
struct nfteval_state {
	uint8_t reg[NFTPROG_REGS * 4];
	const char *unknown[NFTPROG_REGS];
	struct nfteval_packet pkt;
	struct nfteval_result res;
	struct nfteval_headers h;
	struct nfteval_write writes[NFTEVAL_WRITES];
	size_t n_writes;
	struct nfteval_touch touched[NFTEVAL_TOUCHED];
	size_t n_touched;
	size_t base;
	struct nfteval_place at;
	struct nfteval_place stack[NFTEVAL_JUMPS];
	size_t depth;
	size_t expr;
	int32_t verdict;
	const struct nftprog_chain *target;
	const char *why;
	bool translated;
	bool options_changed;
	bool done;
};

/**
 * struct nfteval - what does not change while it runs
 * @hook:	as rules see it
 * @forks, @rules: how much work was done
 */
struct nfteval {
	const struct nftprog *p;
	const struct nfteval_at *at;
	const struct nfteval_asked *asked;
	const struct nftprog_chain **bases;
	size_t n_bases;
	unsigned int forks;
	unsigned long rules;
	int error;
};

typedef enum nfteval_flow (*nfteval_fn)(struct nfteval *v, struct nfteval_state *s,
					const struct nftprog_expr *e);

/* nfteval_maybe(), nfteval_opaque() - say why, and return that flow. */
enum nfteval_flow nfteval_maybe(struct nfteval_state *s, const char *why);
enum nfteval_flow nfteval_opaque(struct nfteval_state *s, const char *why);

/*
 * Registers. nfteval_get(): the @len bytes, or NULL: not known (s->why says why), or there is no such
 * register. nfteval_put(): the rest of the last word becomes 0; NEXT, or OPAQUE: no such register.
 */
const uint8_t *nfteval_get(struct nfteval_state *s, int reg, size_t len);
enum nfteval_flow nfteval_put(struct nfteval_state *s, int reg, const void *bytes, size_t len);
enum nfteval_flow nfteval_put_u8(struct nfteval_state *s, int reg, uint8_t v);
enum nfteval_flow nfteval_put_u16(struct nfteval_state *s, int reg, uint16_t v); /* host order */
enum nfteval_flow nfteval_put_u32(struct nfteval_state *s, int reg, uint32_t v); /* host order */
enum nfteval_flow nfteval_put_unknown(struct nfteval_state *s, int reg, size_t len,
				      const char *why);

/* nfteval_read() - @len bytes of the packet as it is now; false when it is shorter. */
bool nfteval_read(const struct nfteval_state *s, size_t at, void *ret, size_t len);
/* nfteval_ip() - the packet's addresses, 4 or 16 bytes each; false: it is not IP. */
bool nfteval_ip(const struct nfteval_state *s, struct in6_addr *src, struct in6_addr *dst);
/* nfteval_ip6_header() - offset of the extension header @type from the packet's begin, or -ENOENT. */
int nfteval_ip6_header(const struct nfteval_state *s, uint8_t type);
/* nfteval_headers() - at the begin of a base chain. */
void nfteval_headers(struct nfteval_state *s, const struct nfteval_at *at,
		     const struct nftprog_chain *c);
/* nfteval_length() - the skb's at this hook. */
uint32_t nfteval_length(const struct nfteval_state *s, const struct nfteval_at *at);

/* nfteval_found() - look @key up, with what rules have done to the set meanwhile; MAYBE, NEXT, BREAK. */
enum nfteval_flow nfteval_found(struct nfteval_state *s, const struct nftprog_set *set,
				const uint8_t *key, const struct nftprog_elem **ret);
/* nfteval_quota() - is it used up? NEXT (yes), BREAK (no) or MAYBE. */
enum nfteval_flow nfteval_quota(struct nfteval_state *s, uint64_t quota, uint64_t consumed,
				uint32_t len);
/* nfteval_type_of() - RTN_* of an address; false: nobody knows. */
bool nfteval_type_of(struct nfteval *v, const struct nfteval_state *s, const struct in6_addr *addr,
		     uint32_t dev, uint32_t *ret);

/* The expressions that look (nft_eval_look.c), do (nft_eval_do.c), and iptables' (nft_eval_xt*.c). */
enum nfteval_flow nfteval_payload(struct nfteval *v, struct nfteval_state *s,
				  const struct nftprog_expr *e);
enum nfteval_flow nfteval_meta(struct nfteval *v, struct nfteval_state *s,
			       const struct nftprog_expr *e);
enum nfteval_flow nfteval_ct(struct nfteval *v, struct nfteval_state *s,
			     const struct nftprog_expr *e);
enum nfteval_flow nfteval_fib(struct nfteval *v, struct nfteval_state *s,
			      const struct nftprog_expr *e);
enum nfteval_flow nfteval_rt(struct nfteval *v, struct nfteval_state *s,
			     const struct nftprog_expr *e);
enum nfteval_flow nfteval_exthdr(struct nfteval *v, struct nfteval_state *s,
				 const struct nftprog_expr *e);
enum nfteval_flow nfteval_lookup(struct nfteval *v, struct nfteval_state *s,
				 const struct nftprog_expr *e);
enum nfteval_flow nfteval_compute(struct nfteval *v, struct nfteval_state *s,
				  const struct nftprog_expr *e);
enum nfteval_flow nfteval_do(struct nfteval *v, struct nfteval_state *s,
			     const struct nftprog_expr *e);
enum nfteval_flow nfteval_match(struct nfteval *v, struct nfteval_state *s,
				const struct nftprog_expr *e);
enum nfteval_flow nfteval_target(struct nfteval *v, struct nfteval_state *s,
				 const struct nftprog_expr *e);

/* nfteval_verdict() - end the rule with it. */
enum nfteval_flow nfteval_verdict(struct nfteval_state *s, int32_t verdict,
				  const struct nftprog_chain *target);
/* nfteval_translate() - what a nat rule asks for: an effect, and the verdict accept. */
enum nfteval_flow nfteval_translate(struct nfteval_state *s, bool source,
				    const struct nfteval_nat *nat);

#endif
