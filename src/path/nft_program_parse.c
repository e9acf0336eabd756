/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_program_parse.c - netlink messages to tables, chains, sets, objects and rules. Pure. What is in
 * a rule is nft_program_expr.c's business.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "path/nft_program_internal.h"

#define SETS_ELEMS_MAX (1u << 24)

/* Attributes begin right behind it, aligned. */
_Static_assert(sizeof(struct nfgenmsg) == 4, "as netlink aligns");

static int keep_attr(const struct nlattr *attr, void *ctx)
{
	struct nftprog_attrs *a = ctx;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < NFTPROG_ATTRS)
		a->tb[type] = attr;
	return MNL_CB_OK;
}

int nftprog_attrs_of(const struct nlmsghdr *nlh, struct nftprog_attrs *ret)
{
	const char *payload = mnl_nlmsg_get_payload(nlh);
	size_t len = mnl_nlmsg_get_payload_len(nlh), head = sizeof(struct nfgenmsg);

	memset(ret, 0, sizeof(*ret));
	if (len < head)
		return -EBADMSG;
	/* mnl_attr_parse() would round the length up, beyond the message's end. */
	return mnl_attr_parse_payload(payload + head, len - head, keep_attr, ret) < 0 ? -EBADMSG
										      : 0;
}

int nftprog_attrs_nested(const struct nlattr *nest, struct nftprog_attrs *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!nest)
		return 0;
	return mnl_attr_parse_nested(nest, keep_attr, ret) < 0 ? -EBADMSG : 0;
}

uint32_t nftprog_u32(const struct nftprog_attrs *a, int type, uint32_t otherwise)
{
	const struct nlattr *attr = a->tb[type];
	uint32_t v;

	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(v))
		return otherwise;
	memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return ntohl(v);
}

uint64_t nftprog_u64(const struct nftprog_attrs *a, int type, uint64_t otherwise)
{
	const struct nlattr *attr = a->tb[type];
	uint64_t v;

	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(v))
		return otherwise;
	memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return be64toh(v);
}

const char *nftprog_str(const struct nftprog_attrs *a, int type)
{
	const struct nlattr *attr = a->tb[type];

	return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(attr)
									 : NULL;
}

static const char *copy_str(struct nftprog *p, const char *s)
{
	return s ? (const char *)nftprog_copy(p, s, strlen(s)) : NULL;
}

static const struct nftprog_table *table_of(const struct nftprog *p, uint8_t family,
					    const char *name)
{
	struct nftprog_name *n = name ? nftprog_find(p, NFTPROG_IS_TABLE, family, "", name) : NULL;

	return n ? &n->table : NULL;
}

static int add_table(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a)
{
	const char *name = nftprog_str(a, NFTA_TABLE_NAME);
	struct nftprog_name *n;

	if (!name || table_of(p, family, name))
		return -EBADMSG;
	n = nftprog_make(p, NFTPROG_IS_TABLE, family, "", name);
	if (!n)
		return -ENOMEM;
	n->table.family = family;
	n->table.name = copy_str(p, name);
	n->table.handle = nftprog_u64(a, NFTA_TABLE_HANDLE, 0);
	n->table.dormant = nftprog_u32(a, NFTA_TABLE_FLAGS, 0) & NFT_TABLE_F_DORMANT;
	return n->table.name ? 0 : -ENOMEM;
}

/* Of kernels after 6.16: a device by the beginning of its name. */
#define DEV_PREFIX 2

static int add_device(struct nftprog *p, struct nftprog_chain *c, const struct nlattr *attr,
		      bool prefix)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	c->devices[c->n_devices] = (const char *)nftprog_copy(p, mnl_attr_get_payload(attr), len);
	c->prefix[c->n_devices] = prefix;
	return c->devices[c->n_devices++] ? 0 : -ENOMEM;
}

static int add_devices(struct nftprog *p, struct nftprog_chain *c, const struct nftprog_attrs *hook)
{
	const struct nlattr *list = hook->tb[NFTA_HOOK_DEVS], *attr;
	size_t n = hook->tb[NFTA_HOOK_DEV] ? 1 : 0;
	int r = 0;

	if (list && mnl_attr_validate(list, MNL_TYPE_NESTED) < 0)
		return -EBADMSG;
	if (list)
		NFTPROG_EACH (attr, list)
			n++;
	if (!n)
		return 0;
	c->devices = nftprog_alloc(p, n * sizeof(*c->devices));
	c->prefix = nftprog_alloc(p, n * sizeof(*c->prefix));
	if (!c->devices || !c->prefix)
		return -ENOMEM;
	if (list) {
		NFTPROG_EACH (attr, list) {
			r = r ? r : add_device(p, c, attr, mnl_attr_get_type(attr) == DEV_PREFIX);
		}
		return r;
	}
	return add_device(p, c, hook->tb[NFTA_HOOK_DEV], false);
}

static int add_hook(struct nftprog *p, struct nftprog_chain *c, const struct nftprog_attrs *a)
{
	const char *type = nftprog_str(a, NFTA_CHAIN_TYPE);
	struct nftprog_attrs hook;
	int r = nftprog_attrs_nested(a->tb[NFTA_CHAIN_HOOK], &hook);

	if (r)
		return r;
	c->base = true;
	c->hook = nftprog_u32(&hook, NFTA_HOOK_HOOKNUM, UINT32_MAX);
	c->priority = (int32_t)nftprog_u32(&hook, NFTA_HOOK_PRIORITY, 0);
	c->drop = nftprog_u32(a, NFTA_CHAIN_POLICY, NF_ACCEPT) == NF_DROP;
	if (type && strcmp(type, "nat") == 0) {
		c->type = NFTPROG_NAT_CHAIN;
		p->conntrack = true;
	} else if (type && strcmp(type, "route") == 0) {
		c->type = NFTPROG_ROUTE;
	}
	return add_devices(p, c, &hook);
}

static int add_chain(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a)
{
	const char *table = nftprog_str(a, NFTA_CHAIN_TABLE),
		   *name = nftprog_str(a, NFTA_CHAIN_NAME);
	const struct nftprog_table *t = table_of(p, family, table);
	struct nftprog_name *n;

	if (!t || !name || nftprog_find(p, NFTPROG_IS_CHAIN, family, table, name))
		return -EBADMSG;
	n = nftprog_make(p, NFTPROG_IS_CHAIN, family, table, name);
	if (!n)
		return -ENOMEM;
	n->chain.table = t;
	n->chain.name = copy_str(p, name);
	n->chain.handle = nftprog_u64(a, NFTA_CHAIN_HANDLE, 0);
	if (!n->chain.name)
		return -ENOMEM;
	return a->tb[NFTA_CHAIN_HOOK] ? add_hook(p, &n->chain, a) : 0;
}

/* The parts of a concatenation, each a nest with its length. */
static int add_fields(struct nftprog_set *s, const struct nlattr *desc)
{
	const struct nlattr *attr;
	struct nftprog_attrs d;
	int r = nftprog_attrs_nested(desc, &d);

	if (r)
		return r;
	s->max = nftprog_u32(&d, NFTA_SET_DESC_SIZE, 0);
	if (!d.tb[NFTA_SET_DESC_CONCAT])
		return 0;
	NFTPROG_EACH (attr, d.tb[NFTA_SET_DESC_CONCAT]) {
		struct nftprog_attrs field;

		if (s->n_fields == NFTPROG_FIELDS_MAX || nftprog_attrs_nested(attr, &field))
			return -EBADMSG;
		s->fields[s->n_fields++] = nftprog_u32(&field, NFTA_SET_FIELD_LEN, 0);
	}
	return 0;
}

static bool fields_fit(const struct nftprog_set *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s->n_fields; i++)
		sum += ((size_t)s->fields[i] + 3) & ~(size_t)3;
	return s->key_len > 0 && s->key_len <= NFTPROG_VALUE_MAX &&
	       s->data_len <= NFTPROG_VALUE_MAX &&
	       (s->n_fields < 2 || sum <= ((s->key_len + 3) & ~3u));
}

static int add_set(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a)
{
	const char *table = nftprog_str(a, NFTA_SET_TABLE), *name = nftprog_str(a, NFTA_SET_NAME);
	const struct nftprog_table *t = table_of(p, family, table);
	struct nftprog_name *n;
	struct nftprog_set *s;
	int r;

	if (!t || !name || nftprog_find(p, NFTPROG_IS_SET, family, table, name))
		return -EBADMSG;
	n = nftprog_make(p, NFTPROG_IS_SET, family, table, name);
	if (!n)
		return -ENOMEM;
	s = &n->set;
	s->table = t;
	s->name = copy_str(p, name);
	s->id = nftprog_u32(a, NFTA_SET_ID, 0);
	s->flags = nftprog_u32(a, NFTA_SET_FLAGS, 0);
	s->key_len = nftprog_u32(a, NFTA_SET_KEY_LEN, 0);
	s->verdicts = nftprog_u32(a, NFTA_SET_DATA_TYPE, 0) == NFT_DATA_VERDICT;
	s->data_len = s->verdicts ? 0 : nftprog_u32(a, NFTA_SET_DATA_LEN, 0);
	r = add_fields(s, a->tb[NFTA_SET_DESC]);
	if (r || !s->name)
		return r ? r : -ENOMEM;
	return fields_fit(s) ? 0 : -EBADMSG;
}

/* The names of expressions that elements have; the first that can fail. */
static const char *stateful_of(const struct nftprog_attrs *a)
{
	const struct nlattr *list = a->tb[NFTA_SET_ELEM_EXPRESSIONS], *attr;
	const char *name = NULL;

	if (a->tb[NFTA_SET_ELEM_EXPR])
		return nftprog_stateful(a->tb[NFTA_SET_ELEM_EXPR]);
	if (list)
		NFTPROG_EACH (attr, list)
			name = name ? name : nftprog_stateful(attr);
	return name;
}

/* A key's bytes: exactly the set's length. */
static int key_of(struct nftprog *p, const struct nftprog_set *s, const struct nlattr *nest,
		  const uint8_t **ret)
{
	struct nftprog_data d;
	int r = nftprog_data(p, s->table, nest, &d);

	if (r)
		return r;
	if (!d.bytes || d.len < s->key_len)
		return -EBADMSG;
	*ret = d.bytes;
	return 0;
}

static int elem_data(struct nftprog *p, const struct nftprog_set *s, const struct nftprog_attrs *a,
		     struct nftprog_elem *e)
{
	const char *object = nftprog_str(a, NFTA_SET_ELEM_OBJREF);
	struct nftprog_name *n;
	struct nftprog_data d;
	int r;

	if (object) {
		n = nftprog_find(p, NFTPROG_IS_OBJECT, s->table->family, s->table->name, object);
		e->object = n ? &n->object : NULL;
	}
	if (!a->tb[NFTA_SET_ELEM_DATA])
		return 0;
	r = nftprog_data(p, s->table, a->tb[NFTA_SET_ELEM_DATA], &d);
	if (r)
		return r;
	if (d.is_verdict != s->verdicts || (!d.is_verdict && d.len < s->data_len))
		return -EBADMSG;
	e->data = d.bytes;
	e->verdict = d.verdict;
	e->target = d.target;
	return 0;
}

static struct nftprog_elem *elem_push(struct nftprog_set *s)
{
	size_t cap = s->cap ? 2 * s->cap : 8;
	void *elems = s->elems;

	if (s->n_elems == SETS_ELEMS_MAX)
		return NULL;
	if (s->n_elems == s->cap) {
		elems = reallocarray(s->elems, cap, sizeof(*s->elems));
		if (!elems)
			return NULL;
		s->elems = elems;
		s->cap = cap;
	}
	return &s->elems[s->n_elems++];
}

static int add_elem(struct nftprog *p, struct nftprog_set *s, const struct nlattr *nest)
{
	struct nftprog_elem e = {0}, *to;
	struct nftprog_attrs a;
	uint32_t flags;
	int r = nftprog_attrs_nested(nest, &a);

	if (r)
		return r;
	flags = nftprog_u32(&a, NFTA_SET_ELEM_FLAGS, 0);
	e.interval_end = flags & NFT_SET_ELEM_INTERVAL_END;
	e.stateful = copy_str(p, stateful_of(&a));
	r = elem_data(p, s, &a, &e);
	if (!r && !(flags & NFT_SET_ELEM_CATCHALL))
		r = key_of(p, s, a.tb[NFTA_SET_ELEM_KEY], &e.key);
	if (!r && a.tb[NFTA_SET_ELEM_KEY_END])
		r = key_of(p, s, a.tb[NFTA_SET_ELEM_KEY_END], &e.end);
	if (r)
		return r;
	to = flags & NFT_SET_ELEM_CATCHALL ? nftprog_alloc(p, sizeof(*to)) : elem_push(s);
	if (!to)
		return -ENOMEM;
	*to = e;
	if (flags & NFT_SET_ELEM_CATCHALL)
		s->catchall = to;
	return 0;
}

static int add_elems(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a)
{
	const char *table = nftprog_str(a, NFTA_SET_ELEM_LIST_TABLE),
		   *name = nftprog_str(a, NFTA_SET_ELEM_LIST_SET);
	const struct nlattr *list = a->tb[NFTA_SET_ELEM_LIST_ELEMENTS], *attr;
	struct nftprog_name *n;
	int r = 0;

	if (!table || !name || (list && mnl_attr_validate(list, MNL_TYPE_NESTED) < 0))
		return -EBADMSG;
	n = nftprog_find(p, NFTPROG_IS_SET, family, table, name);
	if (!n)
		return -EBADMSG;
	if (!list)
		return 0;
	NFTPROG_EACH (attr, list) {
		r = add_elem(p, &n->set, attr);
		if (r)
			return r;
	}
	return 0;
}

static void object_data(struct nftprog *p, struct nftprog_object *o, const struct nlattr *nest)
{
	struct nftprog_attrs d;

	if (nftprog_attrs_nested(nest, &d))
		return;
	if (o->type == NFT_OBJECT_CT_HELPER)
		o->helper = copy_str(p, nftprog_str(&d, NFTA_CT_HELPER_NAME));
	if (o->type == NFT_OBJECT_QUOTA) {
		o->quota = nftprog_u64(&d, NFTA_QUOTA_BYTES, 0);
		o->consumed = nftprog_u64(&d, NFTA_QUOTA_CONSUMED, 0);
		o->over = nftprog_u32(&d, NFTA_QUOTA_FLAGS, 0) & NFT_QUOTA_F_INV;
	}
}

/* Objects of different types may share a name; the helper of that name is not the counter of it. */
static int add_object(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a)
{
	const char *table = nftprog_str(a, NFTA_OBJ_TABLE), *name = nftprog_str(a, NFTA_OBJ_NAME);
	const struct nftprog_table *t = table_of(p, family, table);
	uint32_t type = nftprog_u32(a, NFTA_OBJ_TYPE, 0);
	struct nftprog_name *n;

	if (!t || !name)
		return -EBADMSG;
	n = nftprog_find(p, NFTPROG_IS_OBJECT, family, table, name);
	if (n) {
		n->object.type = type == n->object.type ? type : NFT_OBJECT_UNSPEC;
		return 0;
	}
	n = nftprog_make(p, NFTPROG_IS_OBJECT, family, table, name);
	if (!n)
		return -ENOMEM;
	n->object.table = t;
	n->object.name = copy_str(p, name);
	n->object.type = type;
	object_data(p, &n->object, a->tb[NFTA_OBJ_DATA]);
	return n->object.name ? 0 : -ENOMEM;
}

static struct nftprog_rule *rule_push(struct nftprog_chain *c)
{
	size_t cap;

	/* Grown by doubling: a chain that is full has a power of two of rules. */
	if ((c->n_rules & (c->n_rules - 1)) == 0) {
		void *rules;

		cap = c->n_rules ? 2 * c->n_rules : 1;
		rules = reallocarray(c->rules, cap, sizeof(*c->rules));
		if (!rules)
			return NULL;
		c->rules = rules;
	}
	return &c->rules[c->n_rules++];
}

static int add_exprs(struct nftprog *p, struct nftprog_rule *r, const struct nlattr *list)
{
	const struct nlattr *attr;
	size_t n = 0;
	int err = 0;

	if (!list)
		return 0;
	if (mnl_attr_validate(list, MNL_TYPE_NESTED) < 0)
		return -EBADMSG;
	NFTPROG_EACH (attr, list)
		n++;
	r->exprs = nftprog_alloc(p, n * sizeof(*r->exprs));
	if (!r->exprs)
		return -ENOMEM;
	NFTPROG_EACH (attr, list) {
		err = nftprog_expr_parse(p, r->chain->table, attr, &r->exprs[r->n_exprs]);
		if (err)
			return err;
		r->n_exprs++;
	}
	return 0;
}

static int add_rule(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a)
{
	const char *table = nftprog_str(a, NFTA_RULE_TABLE),
		   *chain = nftprog_str(a, NFTA_RULE_CHAIN);
	struct nftprog_rule *r;
	struct nftprog_name *n;

	if (!table || !chain)
		return -EBADMSG;
	n = nftprog_find(p, NFTPROG_IS_CHAIN, family, table, chain);
	if (!n)
		return -EBADMSG;
	r = rule_push(&n->chain);
	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->chain = &n->chain;
	r->handle = nftprog_u64(a, NFTA_RULE_HANDLE, 0);
	return add_exprs(p, r, a->tb[NFTA_RULE_EXPRESSIONS]);
}

static const struct {
	int type;
	int (*add)(struct nftprog *p, uint8_t family, const struct nftprog_attrs *a);
} messages[] = {
	{NFT_MSG_NEWTABLE, add_table}, {NFT_MSG_NEWCHAIN, add_chain},	{NFT_MSG_NEWSET, add_set},
	{NFT_MSG_NEWOBJ, add_object},  {NFT_MSG_NEWSETELEM, add_elems}, {NFT_MSG_NEWRULE, add_rule},
};

int nftprog_add(struct nftprog *p, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(nlh);
	struct nftprog_attrs a;
	int r;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		if (messages[i].type != NFNL_MSG_TYPE(nlh->nlmsg_type))
			continue;
		r = nftprog_attrs_of(nlh, &a);
		return r ? r : messages[i].add(p, g->nfgen_family, &a);
	}
	return 0;
}
