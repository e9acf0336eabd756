/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_program_expr.c - one expression of a rule from its netlink attributes. Pure. One function for
 * each of the kernel's expressions that is modelled; the table at the end says which those are.
 */
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <string.h>
#include "path/nft_program_internal.h"

/**
 * struct parsing - an expression under way
 * @a:	its attributes (NFTA_EXPR_DATA)
 */
struct parsing {
	struct nftprog *p;
	const struct nftprog_table *t;
	struct nftprog_attrs a;
};

/* The kernel's register as word: the old ones of 16 bytes, the new ones of 4. -1: none. */
static int8_t reg_of(const struct parsing *in, int type)
{
	uint32_t reg = nftprog_u32(&in->a, type, UINT32_MAX);

	if (reg <= NFT_REG_4)
		return (int8_t)(reg * NFT_REG_SIZE / NFT_REG32_SIZE);
	if (reg < NFT_REG32_00 || reg > NFT_REG32_15)
		return -1;
	return (int8_t)(reg - NFT_REG32_00 + NFT_REG_SIZE / NFT_REG32_SIZE);
}

static int take_verdict(struct nftprog *p, const struct nftprog_table *t, const struct nlattr *nest,
			struct nftprog_data *ret)
{
	struct nftprog_attrs v;
	struct nftprog_name *n;
	const char *chain;
	int r = nftprog_attrs_nested(nest, &v);

	if (r)
		return r;
	ret->is_verdict = true;
	ret->verdict = (int32_t)nftprog_u32(&v, NFTA_VERDICT_CODE, NF_DROP);
	chain = nftprog_str(&v, NFTA_VERDICT_CHAIN);
	if (!chain)
		return ret->verdict == NFT_JUMP || ret->verdict == NFT_GOTO ? -EBADMSG : 0;
	n = nftprog_find(p, NFTPROG_IS_CHAIN, t->family, t->name, chain);
	if (!n)
		return -ENOENT;
	ret->target = &n->chain;
	return 0;
}

int nftprog_data(struct nftprog *p, const struct nftprog_table *t, const struct nlattr *nest,
		 struct nftprog_data *ret)
{
	struct nftprog_attrs d;
	const struct nlattr *v;
	int r = nftprog_attrs_nested(nest, &d);

	memset(ret, 0, sizeof(*ret));
	if (r)
		return r;
	if (d.tb[NFTA_DATA_VERDICT])
		return take_verdict(p, t, d.tb[NFTA_DATA_VERDICT], ret);
	v = d.tb[NFTA_DATA_VALUE];
	if (!v)
		return 0;
	if (mnl_attr_get_payload_len(v) > NFTPROG_VALUE_MAX)
		return -EBADMSG;
	ret->len = mnl_attr_get_payload_len(v);
	ret->bytes = nftprog_copy(p, mnl_attr_get_payload(v), ret->len);
	return ret->bytes ? 0 : -ENOMEM;
}

/* A constant that has to be there. */
static int data_of(struct parsing *in, int type, const uint8_t **ret, uint32_t *ret_len)
{
	struct nftprog_data d;
	int r;

	if (!in->a.tb[type])
		return -EBADMSG;
	r = nftprog_data(in->p, in->t, in->a.tb[type], &d);
	if (r)
		return r;
	if (!d.bytes)
		return -EBADMSG;
	*ret = d.bytes;
	*ret_len = d.len;
	return 0;
}

static int parse_immediate(struct parsing *in, struct nftprog_expr *e)
{
	struct nftprog_data d;
	int r = nftprog_data(in->p, in->t, in->a.tb[NFTA_IMMEDIATE_DATA], &d);

	if (r)
		return r;
	e->dreg = reg_of(in, NFTA_IMMEDIATE_DREG);
	if (!d.is_verdict && !d.bytes)
		return -EBADMSG;
	e->op = d.is_verdict ? NFTPROG_VERDICT : NFTPROG_IMMEDIATE;
	e->verdict = d.verdict;
	e->target = d.target;
	e->data = d.bytes;
	e->data_len = d.len;
	return 0;
}

static int parse_cmp(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_CMP;
	e->sreg = reg_of(in, NFTA_CMP_SREG);
	e->cmp = nftprog_u32(&in->a, NFTA_CMP_OP, UINT32_MAX);
	return data_of(in, NFTA_CMP_DATA, &e->data, &e->data_len);
}

static int parse_range(struct parsing *in, struct nftprog_expr *e)
{
	int r;

	e->op = NFTPROG_RANGE;
	e->sreg = reg_of(in, NFTA_RANGE_SREG);
	e->cmp = nftprog_u32(&in->a, NFTA_RANGE_OP, UINT32_MAX);
	r = data_of(in, NFTA_RANGE_FROM_DATA, &e->data, &e->data_len);
	if (!r)
		r = data_of(in, NFTA_RANGE_TO_DATA, &e->data2, &e->data2_len);
	return r ? r : e->data_len == e->data2_len ? 0 : -EBADMSG;
}

/* Of kernels from 6.12 on: the second operand in a register. */
#define BITWISE_SREG2 8

static int parse_bitwise(struct parsing *in, struct nftprog_expr *e)
{
	int r;

	e->op = NFTPROG_BITWISE;
	e->sreg = reg_of(in, NFTA_BITWISE_SREG);
	e->sreg2 = reg_of(in, BITWISE_SREG2);
	e->dreg = reg_of(in, NFTA_BITWISE_DREG);
	e->len = nftprog_u32(&in->a, NFTA_BITWISE_LEN, 0);
	e->cmp = nftprog_u32(&in->a, NFTA_BITWISE_OP, NFT_BITWISE_BOOL);
	if (e->cmp != NFT_BITWISE_BOOL)
		return in->a.tb[NFTA_BITWISE_DATA]
			       ? data_of(in, NFTA_BITWISE_DATA, &e->data, &e->data_len)
			       : 0;
	r = data_of(in, NFTA_BITWISE_MASK, &e->data, &e->data_len);
	if (!r)
		r = data_of(in, NFTA_BITWISE_XOR, &e->data2, &e->data2_len);
	return r ? r : e->data_len >= e->len && e->data2_len >= e->len ? 0 : -EBADMSG;
}

static int parse_byteorder(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_BYTEORDER;
	e->sreg = reg_of(in, NFTA_BYTEORDER_SREG);
	e->dreg = reg_of(in, NFTA_BYTEORDER_DREG);
	e->len = nftprog_u32(&in->a, NFTA_BYTEORDER_LEN, 0);
	e->size = nftprog_u32(&in->a, NFTA_BYTEORDER_SIZE, 0);
	return 0;
}

static int parse_payload(struct parsing *in, struct nftprog_expr *e)
{
	e->sreg = reg_of(in, NFTA_PAYLOAD_SREG);
	e->dreg = reg_of(in, NFTA_PAYLOAD_DREG);
	e->op = e->sreg >= 0 ? NFTPROG_PAYLOAD_SET : NFTPROG_PAYLOAD;
	e->base = nftprog_u32(&in->a, NFTA_PAYLOAD_BASE, UINT32_MAX);
	e->offset = nftprog_u32(&in->a, NFTA_PAYLOAD_OFFSET, 0);
	e->len = nftprog_u32(&in->a, NFTA_PAYLOAD_LEN, 0);
	return 0;
}

static int parse_meta(struct parsing *in, struct nftprog_expr *e)
{
	e->sreg = reg_of(in, NFTA_META_SREG);
	e->dreg = reg_of(in, NFTA_META_DREG);
	e->op = e->sreg >= 0 ? NFTPROG_META_SET : NFTPROG_META;
	e->key = nftprog_u32(&in->a, NFTA_META_KEY, UINT32_MAX);
	return 0;
}

static int parse_ct(struct parsing *in, struct nftprog_expr *e)
{
	const struct nlattr *dir = in->a.tb[NFTA_CT_DIRECTION];

	in->p->conntrack = true;
	e->sreg = reg_of(in, NFTA_CT_SREG);
	e->dreg = reg_of(in, NFTA_CT_DREG);
	e->op = e->sreg >= 0 ? NFTPROG_CT_SET : NFTPROG_CT;
	e->key = nftprog_u32(&in->a, NFTA_CT_KEY, UINT32_MAX);
	e->dir = dir && mnl_attr_validate(dir, MNL_TYPE_U8) >= 0 ? (int8_t)mnl_attr_get_u8(dir)
								 : (int8_t)-1;
	return 0;
}

static int parse_fib(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_FIB;
	e->dreg = reg_of(in, NFTA_FIB_DREG);
	e->key = nftprog_u32(&in->a, NFTA_FIB_RESULT, 0);
	e->flags = nftprog_u32(&in->a, NFTA_FIB_FLAGS, 0);
	return 0;
}

static int parse_rt(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_RT;
	e->dreg = reg_of(in, NFTA_RT_DREG);
	e->key = nftprog_u32(&in->a, NFTA_RT_KEY, UINT32_MAX);
	return 0;
}

static int parse_exthdr(struct parsing *in, struct nftprog_expr *e)
{
	const struct nlattr *type = in->a.tb[NFTA_EXTHDR_TYPE];

	e->sreg = reg_of(in, NFTA_EXTHDR_SREG);
	e->dreg = reg_of(in, NFTA_EXTHDR_DREG);
	/* Without either it removes the option. */
	e->op = e->dreg >= 0 ? NFTPROG_EXTHDR : NFTPROG_EXTHDR_SET;
	e->key = type && mnl_attr_validate(type, MNL_TYPE_U8) >= 0 ? mnl_attr_get_u8(type) : 0;
	e->offset = nftprog_u32(&in->a, NFTA_EXTHDR_OFFSET, 0);
	e->len = nftprog_u32(&in->a, NFTA_EXTHDR_LEN, 0);
	e->flags = nftprog_u32(&in->a, NFTA_EXTHDR_FLAGS, 0);
	e->cmp = nftprog_u32(&in->a, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
	return 0;
}

static int set_of(struct parsing *in, int type, const struct nftprog_set **ret)
{
	const char *name = nftprog_str(&in->a, type);
	struct nftprog_name *n;

	if (!name)
		return -EBADMSG;
	n = nftprog_find(in->p, NFTPROG_IS_SET, in->t->family, in->t->name, name);
	if (!n)
		return -ENOENT;
	*ret = &n->set;
	return 0;
}

static int parse_lookup(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_LOOKUP;
	e->sreg = reg_of(in, NFTA_LOOKUP_SREG);
	e->dreg = reg_of(in, NFTA_LOOKUP_DREG);
	e->invert = nftprog_u32(&in->a, NFTA_LOOKUP_FLAGS, 0) & NFT_LOOKUP_F_INV;
	return set_of(in, NFTA_LOOKUP_SET, &e->set);
}

static int parse_dynset(struct parsing *in, struct nftprog_expr *e)
{
	const struct nlattr *list = in->a.tb[NFTA_DYNSET_EXPRESSIONS], *attr;

	e->op = NFTPROG_DYNSET;
	e->sreg = reg_of(in, NFTA_DYNSET_SREG_KEY);
	e->sreg2 = reg_of(in, NFTA_DYNSET_SREG_DATA);
	e->cmp = nftprog_u32(&in->a, NFTA_DYNSET_OP, 0);
	e->invert = nftprog_u32(&in->a, NFTA_DYNSET_FLAGS, 0) & NFT_DYNSET_F_INV;
	/* @text: of an expression that the element has, which has to agree. */
	if (in->a.tb[NFTA_DYNSET_EXPR])
		e->text = nftprog_stateful(in->a.tb[NFTA_DYNSET_EXPR]);
	if (list)
		NFTPROG_EACH (attr, list)
			e->text = e->text ? e->text : nftprog_stateful(attr);
	if (e->text)
		e->text = (const char *)nftprog_copy(in->p, e->text, strlen(e->text));
	return set_of(in, NFTA_DYNSET_SET_NAME, &e->set);
}

static int parse_objref(struct parsing *in, struct nftprog_expr *e)
{
	const char *name = nftprog_str(&in->a, NFTA_OBJREF_IMM_NAME);
	struct nftprog_name *n = NULL;

	e->op = NFTPROG_OBJREF;
	e->key = nftprog_u32(&in->a, NFTA_OBJREF_IMM_TYPE, 0);
	e->sreg = reg_of(in, NFTA_OBJREF_SET_SREG);
	if (e->sreg >= 0)
		return set_of(in, NFTA_OBJREF_SET_NAME, &e->set);
	if (name)
		n = nftprog_find(in->p, NFTPROG_IS_OBJECT, in->t->family, in->t->name, name);
	e->object = n ? &n->object : NULL;
	return 0;
}

static int parse_quota(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_QUOTA;
	e->quota = nftprog_u64(&in->a, NFTA_QUOTA_BYTES, 0);
	e->consumed = nftprog_u64(&in->a, NFTA_QUOTA_CONSUMED, 0);
	e->invert = nftprog_u32(&in->a, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV;
	return 0;
}

static int parse_nat(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_NAT;
	e->key = nftprog_u32(&in->a, NFTA_NAT_TYPE, 0);
	e->family = (uint8_t)nftprog_u32(&in->a, NFTA_NAT_FAMILY, 0);
	e->sreg = reg_of(in, NFTA_NAT_REG_ADDR_MIN);
	e->sreg2 = reg_of(in, NFTA_NAT_REG_ADDR_MAX);
	e->sreg3 = reg_of(in, NFTA_NAT_REG_PROTO_MIN);
	e->sreg4 = reg_of(in, NFTA_NAT_REG_PROTO_MAX);
	e->flags = nftprog_u32(&in->a, NFTA_NAT_FLAGS, 0);
	return 0;
}

static int parse_masq(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MASQ;
	e->sreg3 = reg_of(in, NFTA_MASQ_REG_PROTO_MIN);
	e->sreg4 = reg_of(in, NFTA_MASQ_REG_PROTO_MAX);
	e->flags = nftprog_u32(&in->a, NFTA_MASQ_FLAGS, 0);
	return 0;
}

static int parse_redir(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_REDIR;
	e->sreg3 = reg_of(in, NFTA_REDIR_REG_PROTO_MIN);
	e->sreg4 = reg_of(in, NFTA_REDIR_REG_PROTO_MAX);
	e->flags = nftprog_u32(&in->a, NFTA_REDIR_FLAGS, 0);
	return 0;
}

static int parse_reject(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_REJECT;
	e->key = nftprog_u32(&in->a, NFTA_REJECT_TYPE, 0);
	return 0;
}

static int parse_queue(struct parsing *in, struct nftprog_expr *e)
{
	const struct nlattr *num = in->a.tb[NFTA_QUEUE_NUM];

	e->op = NFTPROG_QUEUE;
	if (num && mnl_attr_validate(num, MNL_TYPE_U16) >= 0)
		e->key = be16toh(mnl_attr_get_u16(num));
	return 0;
}

static int parse_fwd(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_FWD;
	e->sreg = reg_of(in, NFTA_FWD_SREG_DEV);
	e->sreg2 = reg_of(in, NFTA_FWD_SREG_ADDR);
	return 0;
}

/* What needs a socket that may or may not be there. */
static int parse_socket(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_SOCKET;
	e->dreg = reg_of(in, NFTA_SOCKET_DREG);
	e->key = nftprog_u32(&in->a, NFTA_SOCKET_KEY, 0);
	return 0;
}

static int parse_tproxy(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_TPROXY;
	return 0;
}

static int parse_notrack(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_NOTRACK;
	return 0;
}

static int parse_nothing(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_NOTHING;
	return 0;
}

/* The first register an unknown value is written to has this number in all that write one. */
static int parse_maybe(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MAYBE;
	return 0;
}

static int parse_numgen(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MAYBE;
	e->dreg = reg_of(in, NFTA_NG_DREG);
	return 0;
}

static int parse_hash(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MAYBE;
	e->dreg = reg_of(in, NFTA_HASH_DREG);
	return 0;
}

static int parse_osf(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MAYBE;
	e->dreg = reg_of(in, NFTA_OSF_DREG);
	return 0;
}

static int parse_xfrm(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MAYBE;
	e->dreg = reg_of(in, NFTA_XFRM_DREG);
	return 0;
}

static int parse_tunnel(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_MAYBE;
	e->dreg = reg_of(in, NFTA_TUNNEL_DREG);
	return 0;
}

/* iptables' extensions: which they are and their parameters, as the kernel keeps them. */
static int take_extension(struct parsing *in, struct nftprog_expr *e, const char *kind, int name,
			  int rev, int info)
{
	const char *s = nftprog_str(&in->a, name);
	const struct nlattr *attr = in->a.tb[info];
	char *text;

	if (!s)
		return -EBADMSG;
	text = nftprog_alloc(in->p, strlen(kind) + strlen(s) + 2);
	if (!text)
		return -ENOMEM;
	memcpy(text, kind, strlen(kind));
	text[strlen(kind)] = ' ';
	memcpy(text + strlen(kind) + 1, s, strlen(s));
	e->text = text;
	e->name = text + strlen(kind) + 1;
	e->revision = nftprog_u32(&in->a, rev, 0);
	if (attr) {
		e->data_len = mnl_attr_get_payload_len(attr);
		e->data = nftprog_copy(in->p, mnl_attr_get_payload(attr), e->data_len);
	}
	return e->data || !attr ? 0 : -ENOMEM;
}

static int parse_match(struct parsing *in, struct nftprog_expr *e)
{
	int r;

	e->op = NFTPROG_MATCH;
	r = take_extension(in, e, "match", NFTA_MATCH_NAME, NFTA_MATCH_REV, NFTA_MATCH_INFO);
	if (!r && (strcmp(e->name, "conntrack") == 0 || strcmp(e->name, "state") == 0))
		in->p->conntrack = true;
	return r;
}

static int parse_target(struct parsing *in, struct nftprog_expr *e)
{
	e->op = NFTPROG_TARGET;
	return take_extension(in, e, "target", NFTA_TARGET_NAME, NFTA_TARGET_REV, NFTA_TARGET_INFO);
}

/* @text: of those that are not modelled, for people, where the kernel's name is none */
static const struct {
	const char *name;
	int (*parse)(struct parsing *in, struct nftprog_expr *e);
	const char *text;
} known[] = {
	{"immediate", parse_immediate, NULL},
	{"cmp", parse_cmp, NULL},
	{"range", parse_range, NULL},
	{"bitwise", parse_bitwise, NULL},
	{"byteorder", parse_byteorder, NULL},
	{"payload", parse_payload, NULL},
	{"meta", parse_meta, NULL},
	{"ct", parse_ct, NULL},
	{"fib", parse_fib, NULL},
	{"rt", parse_rt, NULL},
	{"exthdr", parse_exthdr, NULL},
	{"lookup", parse_lookup, NULL},
	{"dynset", parse_dynset, NULL},
	{"objref", parse_objref, NULL},
	{"quota", parse_quota, NULL},
	{"nat", parse_nat, NULL},
	{"masq", parse_masq, NULL},
	{"redir", parse_redir, NULL},
	{"reject", parse_reject, NULL},
	{"queue", parse_queue, NULL},
	{"fwd", parse_fwd, NULL},
	{"socket", parse_socket, "socket"},
	{"tproxy", parse_tproxy, "tproxy"},
	{"notrack", parse_notrack, NULL},
	{"match", parse_match, NULL},
	{"target", parse_target, NULL},
	{"counter", parse_nothing, NULL},
	{"log", parse_nothing, NULL},
	{"last", parse_nothing, NULL},
	{"dup", parse_nothing, NULL},
	{"limit", parse_maybe, "limit (how much of it is left, the kernel does not tell)"},
	{"connlimit", parse_maybe, "ct count"},
	{"flow_offload", parse_maybe, "flow add"},
	{"numgen", parse_numgen, "numgen"},
	{"hash", parse_hash, "hash"},
	{"osf", parse_osf, "osf"},
	{"xfrm", parse_xfrm, "ipsec"},
	{"tunnel", parse_tunnel, "tunnel"},
};

/* Attributes that make no sense to us: whatever it is, it is not modelled. */
static bool is_strange(int r)
{
	return r == -EBADMSG;
}

int nftprog_expr_parse(struct nftprog *p, const struct nftprog_table *t, const struct nlattr *nest,
		       struct nftprog_expr *ret)
{
	struct parsing in = {.p = p, .t = t};
	struct nftprog_attrs a;
	const char *name;
	int r = nftprog_attrs_nested(nest, &a);

	if (r)
		return r;
	name = nftprog_str(&a, NFTA_EXPR_NAME);
	if (!name || nftprog_attrs_nested(a.tb[NFTA_EXPR_DATA], &in.a))
		return -EBADMSG;
	memset(ret, 0, sizeof(*ret));
	ret->sreg = ret->sreg2 = ret->sreg3 = ret->sreg4 = ret->dreg = ret->dir = -1;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		ret->name = known[i].name;
		ret->text = known[i].text ? known[i].text : known[i].name;
		if (known[i].parse == parse_dynset)
			ret->text = NULL;
		r = known[i].parse(&in, ret);
		if (is_strange(r))
			ret->op = NFTPROG_UNKNOWN;
		return is_strange(r) ? 0 : r;
	}
	ret->op = NFTPROG_UNKNOWN;
	ret->name = ret->text = (const char *)nftprog_copy(p, name, strlen(name));
	return ret->name ? 0 : -ENOMEM;
}

const char *nftprog_stateful(const struct nlattr *nest)
{
	static const char *const harmless[] = {"counter", "last"};
	struct nftprog_attrs a;
	const char *name;

	if (nftprog_attrs_nested(nest, &a))
		return "an expression";
	name = nftprog_str(&a, NFTA_EXPR_NAME);
	for (size_t i = 0; name && i < ARRAY_SIZE(harmless); i++)
		if (strcmp(name, harmless[i]) == 0)
			return NULL;
	return name ? name : "an expression";
}
