/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftrace_msg.c - see nftrace_msg.h. Pure: no socket, no clock. */
#include "path/nftrace_msg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* A name, or NULL when it is none: not terminated, empty, too long. */
static const char *name_of(const struct nlattr *attr)
{
	if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
		return NULL;
	if (mnl_attr_get_str(attr)[0] == '\0' || strlen(mnl_attr_get_str(attr)) > NFTRACE_NAME_MAX)
		return NULL;
	return mnl_attr_get_str(attr);
}

static int take_name(const struct nlattr *attr, const char **ret)
{
	const char *name = name_of(attr);

	if (!name)
		return -EBADMSG;
	*ret = name;
	return 0;
}

static int take_be32(const struct nlattr *attr, uint32_t *ret)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return -EBADMSG;
	*ret = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

static int take_be64(const struct nlattr *attr, uint64_t *ret)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U64) < 0)
		return -EBADMSG;
	*ret = be64toh(mnl_attr_get_u64(attr));
	return 0;
}

static int take_bytes(const struct nlattr *attr, struct nftrace_bytes *ret)
{
	ret->len = mnl_attr_get_payload_len(attr);
	ret->p = ret->len ? mnl_attr_get_payload(attr) : NULL;
	return 0;
}

/*
 * Verdicts of nf_tables are small negative numbers; those of netfilter have the verdict in the low
 * byte and, above, the queue's number or the error to hand to a local sender.
 */
static void set_verdict(struct nftrace_msg *m, uint32_t code)
{
	m->verdict = (int)code;
	if (m->verdict < 0 && m->verdict >= NFT_RETURN)
		return;
	m->verdict = (int)(code & NF_VERDICT_MASK);
	if (m->verdict == NF_QUEUE)
		m->queue = (uint16_t)(code >> NF_VERDICT_QBITS);
}

static int verdict_attr(const struct nlattr *attr, void *ctx)
{
	struct nftrace_msg *m = ctx;
	uint32_t code;
	int r = 0;

	switch (mnl_attr_get_type(attr)) {
	case NFTA_VERDICT_CODE:
		r = take_be32(attr, &code);
		if (!r)
			set_verdict(m, code);
		break;
	case NFTA_VERDICT_CHAIN:
		r = take_name(attr, &m->target);
		break;
	}
	return r ? MNL_CB_ERROR : MNL_CB_OK;
}

static int take_verdict(const struct nlattr *nest, struct nftrace_msg *m)
{
	if (mnl_attr_validate(nest, MNL_TYPE_NESTED) < 0 ||
	    mnl_attr_parse_nested(nest, verdict_attr, m) < 0)
		return -EBADMSG;
	return 0;
}

static int take_type(const struct nlattr *attr, enum nftrace_type *ret)
{
	uint32_t type;
	int r = take_be32(attr, &type);

	if (r)
		return r;
	switch (type) {
	case NFT_TRACETYPE_RULE:
		*ret = NFTRACE_RULE;
		return 0;
	case NFT_TRACETYPE_RETURN:
		*ret = NFTRACE_RETURN;
		return 0;
	case NFT_TRACETYPE_POLICY:
		*ret = NFTRACE_POLICY;
		return 0;
	}
	return -EBADMSG;
}

static int take_attr(const struct nlattr *attr, struct nftrace_msg *m)
{
	uint32_t v;
	int r;

	switch (mnl_attr_get_type(attr)) {
	case NFTA_TRACE_TABLE:
		return take_name(attr, &m->table);
	case NFTA_TRACE_CHAIN:
		return take_name(attr, &m->chain);
	case NFTA_TRACE_RULE_HANDLE:
		return take_be64(attr, &m->handle);
	case NFTA_TRACE_TYPE:
		return take_type(attr, &m->type);
	case NFTA_TRACE_VERDICT:
		return take_verdict(attr, m);
	case NFTA_TRACE_ID:
		return take_be32(attr, &m->id);
	case NFTA_TRACE_LL_HEADER:
		return take_bytes(attr, &m->l2);
	case NFTA_TRACE_NETWORK_HEADER:
		return take_bytes(attr, &m->l3);
	case NFTA_TRACE_TRANSPORT_HEADER:
		return take_bytes(attr, &m->l4);
	case NFTA_TRACE_IIF:
		return take_be32(attr, &m->iif);
	case NFTA_TRACE_OIF:
		return take_be32(attr, &m->oif);
	case NFTA_TRACE_MARK:
		return take_be32(attr, &m->mark);
	case NFTA_TRACE_NFPROTO:
		r = take_be32(attr, &v);
		m->proto = r ? 0 : (uint8_t)v;
		return r;
	case NFTA_TRACE_POLICY:
		r = take_be32(attr, &v);
		if (!r)
			set_verdict(m, v);
		return r;
	}
	return 0;
}

/* struct parse - @seen: one bit for each attribute that there was */
struct parse {
	struct nftrace_msg m;
	uint32_t seen;
};

static int trace_attr(const struct nlattr *attr, void *ctx)
{
	uint16_t type = mnl_attr_get_type(attr);
	struct parse *p = ctx;

	if (type < 32)
		p->seen |= 1u << type;
	return take_attr(attr, &p->m) ? MNL_CB_ERROR : MNL_CB_OK;
}

/* What has to be there, whatever the type. */
static bool complete(const struct nftrace_msg *m, uint32_t seen)
{
	const uint32_t needed = 1u << NFTA_TRACE_TABLE | 1u << NFTA_TRACE_CHAIN |
				1u << NFTA_TRACE_TYPE | 1u << NFTA_TRACE_ID;
	const uint32_t decided =
		m->type == NFTRACE_POLICY ? 1u << NFTA_TRACE_POLICY : 1u << NFTA_TRACE_VERDICT;

	if ((seen & needed) != needed || !(seen & decided))
		return false;
	return (m->verdict == NFT_JUMP || m->verdict == NFT_GOTO) == (m->target[0] != '\0');
}

int nftrace_parse(const void *bytes, size_t len, struct nftrace_msg *ret)
{
	struct parse p = {.m = {.table = "", .chain = "", .target = ""}};
	const struct nlmsghdr *nlh = bytes;
	const struct nfgenmsg *nfg;

	/*
	 * Not by mnl_nlmsg_ok(), which takes a length above INT_MAX for a short one. libmnl looks as far as
	 * the end rounded up; the kernel pads each attribute.
	 */
	if (len < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > len ||
	    nlh->nlmsg_len % MNL_ALIGNTO != 0)
		return -EBADMSG;
	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE))
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg))
		return -EBADMSG;
	nfg = mnl_nlmsg_get_payload(nlh);
	p.m.family = nfg->nfgen_family;
	if (mnl_attr_parse(nlh, sizeof(*nfg), trace_attr, &p) < 0 || !complete(&p.m, p.seen))
		return -EBADMSG;
	/* Linux 6.18 tells the end of a chain as a rule that has no handle. */
	if (p.m.type == NFTRACE_RULE && !p.m.handle && p.m.verdict == NFT_CONTINUE)
		p.m.type = NFTRACE_RETURN;
	*ret = p.m;
	return 0;
}

static const char *copy_name(char **at, const char *name)
{
	size_t size = strlen(name) + 1;
	char *to = *at;

	memcpy(to, name, size);
	*at += size;
	return to;
}

static struct nftrace_bytes copy_bytes(char **at, struct nftrace_bytes from)
{
	struct nftrace_bytes to = {.len = from.len};

	if (!from.len)
		return to;
	memcpy(*at, from.p, from.len);
	to.p = (uint8_t *)*at;
	*at += from.len;
	return to;
}

struct nftrace_msg *nftrace_msg_copy(const struct nftrace_msg *m)
{
	size_t names = strlen(m->table) + strlen(m->chain) + strlen(m->target) + 3;
	struct nftrace_msg *copy =
		malloc(sizeof(*copy) + names + m->l2.len + m->l3.len + m->l4.len);
	char *at = (char *)(copy + 1);

	if (!copy)
		return NULL;
	*copy = *m;
	copy->table = copy_name(&at, m->table);
	copy->chain = copy_name(&at, m->chain);
	copy->target = copy_name(&at, m->target);
	copy->l2 = copy_bytes(&at, m->l2);
	copy->l3 = copy_bytes(&at, m->l3);
	copy->l4 = copy_bytes(&at, m->l4);
	return copy;
}

bool nftrace_first(const struct nftrace_msg *m)
{
	return m->l2.len || m->l3.len || m->iif || m->oif;
}

bool nftrace_own(const struct nftrace_msg *m)
{
	return strncmp(m->table, NFTRACE_TABLE_PREFIX, strlen(NFTRACE_TABLE_PREFIX)) == 0;
}

const char *nftrace_verdict_name(int verdict)
{
	static const struct {
		int verdict;
		const char *name;
	} names[] = {
		{NF_DROP, "drop"},	    {NF_ACCEPT, "accept"},  {NF_STOLEN, "stolen"},
		{NF_QUEUE, "queue"},	    {NF_REPEAT, "repeat"},  {NF_STOP, "stop"},
		{NFT_CONTINUE, "continue"}, {NFT_BREAK, "break"},   {NFT_JUMP, "jump"},
		{NFT_GOTO, "goto"},	    {NFT_RETURN, "return"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].verdict == verdict)
			return names[i].name;
	return "?";
}
