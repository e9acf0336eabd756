/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_compute.c - registers: reading, writing, comparing, and arithmetic as nf_tables does it.
 * Values are in the byte order in which the kernel has them there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include "path/nft_eval_internal.h"

#define FIRST_WORD 4 /* before it is the verdict */

static bool reg_fits(int reg, size_t len)
{
	return reg >= FIRST_WORD && len <= NFTPROG_VALUE_MAX &&
	       (size_t)reg * 4 + len <= NFTPROG_REGS * sizeof(uint32_t);
}

/* All of it exists and is known; otherwise s->why says why not. */
static bool is_known(struct nfteval_state *s, int reg, size_t len)
{
	if (!reg_fits(reg, len)) {
		s->why = "a register that does not exist";
		return false;
	}
	for (size_t i = (size_t)reg; i < (size_t)reg + (len + 3) / 4; i++) {
		if (s->unknown[i]) {
			s->why = s->unknown[i];
			return false;
		}
	}
	return true;
}

const uint8_t *nfteval_get(struct nfteval_state *s, int reg, size_t len)
{
	return is_known(s, reg, len) ? s->reg + (size_t)reg * 4 : NULL;
}

static void mark_words(struct nfteval_state *s, int reg, size_t len, const char *why)
{
	for (size_t i = (size_t)reg; i < (size_t)reg + (len + 3) / 4; i++)
		s->unknown[i] = why;
}

enum nfteval_flow nfteval_put(struct nfteval_state *s, int reg, const void *bytes, size_t len)
{
	size_t at, end;

	if (!reg_fits(reg, len))
		return nfteval_opaque(s, "a register that does not exist");
	at = (size_t)reg * 4;
	end = at + ((len + 3) & ~(size_t)3);
	memmove(s->reg + at, bytes, len);
	memset(s->reg + at + len, 0, end - at - len);
	mark_words(s, reg, len, NULL);
	return NFTEVAL_NEXT;
}

enum nfteval_flow nfteval_put_u8(struct nfteval_state *s, int reg, uint8_t v)
{
	return nfteval_put(s, reg, &v, sizeof(v));
}

enum nfteval_flow nfteval_put_u16(struct nfteval_state *s, int reg, uint16_t v)
{
	return nfteval_put(s, reg, &v, sizeof(v));
}

enum nfteval_flow nfteval_put_u32(struct nfteval_state *s, int reg, uint32_t v)
{
	return nfteval_put(s, reg, &v, sizeof(v));
}

enum nfteval_flow nfteval_put_unknown(struct nfteval_state *s, int reg, size_t len, const char *why)
{
	if (!reg_fits(reg, len))
		return nfteval_opaque(s, "a register that does not exist");
	mark_words(s, reg, len, why);
	return NFTEVAL_NEXT;
}

static enum nfteval_flow truth(bool holds)
{
	return holds ? NFTEVAL_NEXT : NFTEVAL_BREAK;
}

static enum nfteval_flow do_cmp(struct nfteval_state *s, const struct nftprog_expr *e)
{
	int d;

	if (!is_known(s, e->sreg, e->data_len))
		return NFTEVAL_MAYBE;
	d = memcmp(s->reg + (size_t)e->sreg * 4, e->data, e->data_len);
	switch (e->cmp) {
	case NFT_CMP_EQ:
		return truth(d == 0);
	case NFT_CMP_NEQ:
		return truth(d != 0);
	case NFT_CMP_LT:
		return truth(d < 0);
	case NFT_CMP_LTE:
		return truth(d <= 0);
	case NFT_CMP_GT:
		return truth(d > 0);
	case NFT_CMP_GTE:
		return truth(d >= 0);
	}
	return nfteval_opaque(s, "cmp");
}

static enum nfteval_flow do_range(struct nfteval_state *s, const struct nftprog_expr *e)
{
	const uint8_t *v;
	bool within;

	if (!is_known(s, e->sreg, e->data_len))
		return NFTEVAL_MAYBE;
	v = s->reg + (size_t)e->sreg * 4;
	within = memcmp(v, e->data, e->data_len) >= 0 && memcmp(v, e->data2, e->data_len) <= 0;
	if (e->cmp != NFT_RANGE_EQ && e->cmp != NFT_RANGE_NEQ)
		return nfteval_opaque(s, "range");
	return truth(within == (e->cmp == NFT_RANGE_EQ));
}

/* Shifts go from word to word; each word is a number of the host. */
static void shift(uint32_t *to, const uint32_t *from, size_t words, uint32_t by, bool left)
{
	uint32_t carry = 0;

	for (size_t n = 0; n < words; n++) {
		size_t i = left ? words - 1 - n : n;
		uint32_t v = from[i];

		to[i] = carry | (left ? v << by : v >> by);
		carry = by == 0 ? 0 : left ? v >> (32 - by) : v << (32 - by);
	}
}

/* What kernels from 6.12 on also have: and, or, xor of two registers, or of one and a constant. */
enum { BITWISE_AND = NFT_BITWISE_RSHIFT + 1, BITWISE_OR, BITWISE_XOR };

static int combine(uint32_t *to, const uint32_t *a, const uint32_t *b, size_t words, uint32_t op)
{
	for (size_t i = 0; i < words; i++) {
		switch (op) {
		case BITWISE_AND:
			to[i] = a[i] & b[i];
			break;
		case BITWISE_OR:
			to[i] = a[i] | b[i];
			break;
		case BITWISE_XOR:
			to[i] = a[i] ^ b[i];
			break;
		default:
			return -ENOTSUP;
		}
	}
	return 0;
}

static int second_operand(struct nfteval_state *s, const struct nftprog_expr *e, uint32_t *ret)
{
	const uint8_t *v = e->data;

	if (e->sreg2 >= 0)
		v = nfteval_get(s, e->sreg2, e->len);
	else if (e->data_len < e->len)
		return -ENOTSUP;
	if (!v)
		return -ENODATA;
	memcpy(ret, v, e->len);
	return 0;
}

static int bitwise(struct nfteval_state *s, const struct nftprog_expr *e, const uint32_t *from,
		   uint32_t *to)
{
	uint32_t a[NFTPROG_VALUE_MAX / 4] = {0}, b[NFTPROG_VALUE_MAX / 4] = {0};
	size_t words = (e->len + 3) / 4;
	int r;

	switch (e->cmp) {
	case NFT_BITWISE_BOOL:
		memcpy(a, e->data, e->len);
		memcpy(b, e->data2, e->len);
		for (size_t i = 0; i < words; i++)
			to[i] = (from[i] & a[i]) ^ b[i];
		return 0;
	case NFT_BITWISE_LSHIFT:
	case NFT_BITWISE_RSHIFT:
		if (!e->data || e->data_len < sizeof(a[0]))
			return -ENOTSUP;
		memcpy(a, e->data, sizeof(a[0]));
		if (a[0] >= 32)
			return -ENOTSUP;
		shift(to, from, words, a[0], e->cmp == NFT_BITWISE_LSHIFT);
		return 0;
	}
	r = second_operand(s, e, b);
	return r ? r : combine(to, from, b, words, e->cmp);
}

static enum nfteval_flow do_bitwise(struct nfteval_state *s, const struct nftprog_expr *e)
{
	uint32_t from[NFTPROG_VALUE_MAX / 4] = {0}, to[NFTPROG_VALUE_MAX / 4] = {0};
	int r;

	if (e->len > NFTPROG_VALUE_MAX)
		return nfteval_opaque(s, "bitwise");
	if (!is_known(s, e->sreg, e->len))
		return nfteval_put_unknown(s, e->dreg, e->len, s->why);
	/* The kernel works on whole words, whatever the length. */
	memcpy(from, s->reg + (size_t)e->sreg * 4, (e->len + 3) & ~3u);
	r = bitwise(s, e, from, to);
	if (r == -ENODATA)
		return nfteval_put_unknown(s, e->dreg, e->len, s->why);
	if (r)
		return nfteval_opaque(s, "bitwise");
	return nfteval_put(s, e->dreg, to, (e->len + 3) & ~3u);
}

/*
 * On a host of the network's byte order nothing changes; no matter in which direction. What is no
 * whole number stays as it is: nft does ask for that, with one byte of a size of two.
 */
static enum nfteval_flow do_byteorder(struct nfteval_state *s, const struct nftprog_expr *e)
{
	size_t whole = e->size ? e->len - e->len % e->size : 0;
	uint8_t to[NFTPROG_VALUE_MAX];
	const uint8_t *v;

	if (e->len > NFTPROG_VALUE_MAX || (e->size != 2 && e->size != 4 && e->size != 8) ||
	    (whole != e->len && e->sreg != e->dreg))
		return nfteval_opaque(s, "byteorder");
	if (!is_known(s, e->sreg, e->len))
		return nfteval_put_unknown(s, e->dreg, e->len, s->why);
	v = s->reg + (size_t)e->sreg * 4;
	for (size_t i = 0; i < e->len; i++) {
		size_t in = i % e->size;
		bool stays = i >= whole || __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

		to[i] = stays ? v[i] : v[i - in + e->size - 1 - in];
	}
	return nfteval_put(s, e->dreg, to, e->len);
}

enum nfteval_flow nfteval_compute(struct nfteval *v, struct nfteval_state *s,
				  const struct nftprog_expr *e)
{
	switch (e->op) {
	case NFTPROG_IMMEDIATE:
		return nfteval_put(s, e->dreg, e->data, e->data_len);
	case NFTPROG_VERDICT:
		/* `continue` ends nothing. */
		return e->verdict == NFT_CONTINUE ? NFTEVAL_NEXT
						  : nfteval_verdict(s, e->verdict, e->target);
	case NFTPROG_CMP:
		return do_cmp(s, e);
	case NFTPROG_RANGE:
		return do_range(s, e);
	case NFTPROG_BITWISE:
		return do_bitwise(s, e);
	case NFTPROG_BYTEORDER:
		return do_byteorder(s, e);
	default:
		return nfteval_opaque(s, e->text);
	}
}
