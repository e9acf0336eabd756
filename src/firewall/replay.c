/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.c - see replay.h. The kernel takes what it tells of a table (nf_tables_fill_*_info()), but
 * for what it gives out itself: handles, and counts of users. A set or chain that is new in the same
 * transaction is found by its name, also one without a name of its own ("__set0").
 */
#include "firewall/replay.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which knows of it then */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "firewall/ask.h"
#include "firewall/batch.h"

#define TABLE "vmlane"
#define ANSWER_MAX 65536
#define NEST_MAX 32768 /* of elements in a message; a nest has at most 65,535 bytes */

/**
 * struct bytes - netlink messages or attributes, one behind the other
 * @v:		@n bytes, room for @cap; owned
 * @error:	-ENOMEM, -E2BIG; nothing is added any more
 */
struct bytes {
	char *v;
	size_t n;
	size_t cap;
	int error;
};

/* struct fw_replay - the transaction; @last: the number of the message that asks for an answer. */
struct fw_replay {
	struct bytes batch;
	uint32_t last;
};

/* struct told_set - a set whose elements are to be read. */
struct told_set {
	char name[NFT_SET_MAXNAMELEN];
	uint32_t flags;
};

/**
 * struct reader - while the table is read
 * @open:	where in @out->batch the message under construction begins
 * @sets:	all of the table, @n_sets of them; owned; @set: whose elements are being dumped
 * @elements:	of a set that are to be given back in the opposite order
 * @kind:	of what is being dumped
 */
struct reader {
	struct mnl_socket *socket;
	struct fw_replay *out;
	uint32_t seq;
	size_t open;
	struct told_set *sets;
	size_t n_sets;
	const struct told_set *set;
	struct bytes elements;
	const struct object *kind;
	int error;
};

#define ALIGNED(len) (((size_t)(len) + MNL_ALIGNTO - 1) & ~((size_t)MNL_ALIGNTO - 1))
#define KEEP(attr) (1U << (attr))

/* struct object - a kind of objects: how they are asked for and made, and what of them is ours to tell. */
struct object {
	uint16_t get;
	uint16_t make;
	uint16_t flags;
	uint32_t keep;
};

/* Of all the first attribute is the table's name (firewall/watch.c has the assertion). */
static const struct object table_object = {
	NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL,
	KEEP(NFTA_TABLE_NAME) | KEEP(NFTA_TABLE_FLAGS) | KEEP(NFTA_TABLE_USERDATA)};
static const struct object named_object = {
	NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL,
	KEEP(NFTA_OBJ_TABLE) | KEEP(NFTA_OBJ_NAME) | KEEP(NFTA_OBJ_TYPE) | KEEP(NFTA_OBJ_DATA) |
		KEEP(NFTA_OBJ_USERDATA)};
static const struct object set_object = {
	NFT_MSG_GETSET, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL,
	KEEP(NFTA_SET_TABLE) | KEEP(NFTA_SET_NAME) | KEEP(NFTA_SET_FLAGS) |
		KEEP(NFTA_SET_KEY_TYPE) | KEEP(NFTA_SET_KEY_LEN) | KEEP(NFTA_SET_DATA_TYPE) |
		KEEP(NFTA_SET_DATA_LEN) | KEEP(NFTA_SET_POLICY) | KEEP(NFTA_SET_DESC) |
		KEEP(NFTA_SET_TIMEOUT) | KEEP(NFTA_SET_GC_INTERVAL) | KEEP(NFTA_SET_USERDATA) |
		KEEP(NFTA_SET_OBJ_TYPE) | KEEP(NFTA_SET_EXPR) | KEEP(NFTA_SET_EXPRESSIONS)};
static const struct object chain_object = {
	NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL,
	KEEP(NFTA_CHAIN_TABLE) | KEEP(NFTA_CHAIN_NAME) | KEEP(NFTA_CHAIN_HOOK) |
		KEEP(NFTA_CHAIN_POLICY) | KEEP(NFTA_CHAIN_TYPE) | KEEP(NFTA_CHAIN_USERDATA)};
static const struct object rule_object = {
	NFT_MSG_GETRULE, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
	KEEP(NFTA_RULE_TABLE) | KEEP(NFTA_RULE_CHAIN) | KEEP(NFTA_RULE_EXPRESSIONS) |
		KEEP(NFTA_RULE_USERDATA)};
static const struct object element_object = {NFT_MSG_GETSETELEM, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
					     KEEP(NFTA_SET_ELEM_LIST_TABLE) |
						     KEEP(NFTA_SET_ELEM_LIST_SET) |
						     KEEP(NFTA_SET_ELEM_LIST_ELEMENTS)};

/* ---- bytes ---- */

/* Room for @len bytes, zeroed, as netlink aligns them; NULL when there is none. */
static void *bytes_add(struct bytes *b, size_t len)
{
	size_t need = b->n + ALIGNED(len), cap = b->cap ? b->cap : 4096;
	char *v;

	if (b->error)
		return NULL;
	while (cap < need)
		cap *= 2;
	v = cap == b->cap ? b->v : realloc(b->v, cap);
	if (!v || need > FW_REPLAY_MAX) {
		b->error = v ? -E2BIG : -ENOMEM;
		b->v = v ? v : b->v;
		b->cap = v ? cap : b->cap;
		return NULL;
	}
	b->v = v;
	b->cap = cap;
	v += b->n;
	memset(v, 0, ALIGNED(len));
	b->n = need;
	return v;
}

static void bytes_copy(struct bytes *b, const void *data, size_t len)
{
	void *to = bytes_add(b, len);

	if (to)
		memcpy(to, data, len);
}

/* It stays as long as it is now. */
static void bytes_trim(struct bytes *b)
{
	char *v = b->error ? NULL : realloc(b->v, b->n);

	if (!v)
		return;
	b->v = v;
	b->cap = b->n;
}

static void put_attr(struct bytes *b, uint16_t type, const void *data, size_t len)
{
	const struct nlattr head = {.nla_len = (uint16_t)(sizeof(head) + len), .nla_type = type};

	bytes_copy(b, &head, sizeof(head));
	bytes_copy(b, data, len);
}

/* ---- attributes of a message ---- */

/* The attribute at @p, all of it before @end; else NULL. */
static const struct nlattr *attr_at(const char *p, const char *end)
{
	const struct nlattr *attr = (const void *)p;
	size_t left = p < end ? (size_t)(end - p) : 0;

	return left >= sizeof(*attr) && attr->nla_len >= sizeof(*attr) && attr->nla_len <= left
		       ? attr
		       : NULL;
}

static const struct nlattr *attr_next(const struct nlattr *attr, const char *end)
{
	return attr_at((const char *)attr + ALIGNED(attr->nla_len), end);
}

static const char *end_of(const struct nlmsghdr *nlh)
{
	return (const char *)nlh + nlh->nlmsg_len;
}

#define for_each_attr(attr, nlh)                                                                   \
	for (attr = attr_at((const char *)mnl_nlmsg_get_payload(nlh) + sizeof(struct nfgenmsg),    \
			    end_of(nlh));                                                          \
	     attr; attr = attr_next(attr, end_of(nlh)))
#define for_each_inside(attr, nest)                                                                \
	for (attr = attr_at(mnl_attr_get_payload(nest), (const char *)(nest) + (nest)->nla_len);   \
	     attr; attr = attr_next(attr, (const char *)(nest) + (nest)->nla_len))

/* ---- messages of the transaction ---- */

static void open_message(struct reader *r, uint16_t type, uint16_t flags)
{
	bool frame = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;
	struct bytes *b = &r->out->batch;
	const struct nlmsghdr head = {
		.nlmsg_type = frame ? type : (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.nlmsg_flags = NLM_F_REQUEST | flags,
		.nlmsg_seq = ++r->seq,
	};
	const struct nfgenmsg nfg = {
		.nfgen_family = frame ? AF_UNSPEC : NFPROTO_INET,
		.version = NFNETLINK_V0,
		.res_id = htons(frame ? NFNL_SUBSYS_NFTABLES : 0),
	};

	r->open = b->n;
	bytes_copy(b, &head, sizeof(head));
	bytes_copy(b, &nfg, sizeof(nfg));
}

static void close_message(struct reader *r)
{
	struct bytes *b = &r->out->batch;
	uint32_t len = (uint32_t)(b->n - r->open);

	if (!b->error)
		memcpy(b->v + r->open + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

static bool text_is(const struct nlattr *attr, const char *text)
{
	size_t len = strlen(text) + 1;

	return mnl_attr_get_payload_len(attr) == len &&
	       memcmp(mnl_attr_get_payload(attr), text, len) == 0;
}

static bool is_ours(const struct nlmsghdr *nlh, const struct object *kind)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | kind->make) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*nfg) || nfg->nfgen_family != NFPROTO_INET)
		return false;
	for_each_attr (attr, nlh)
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME)
			return text_is(attr, TABLE);
	return false;
}

/* Of some expressions the kernel tells a nothing (0) that it does not take there. */
static const struct {
	const char *expression;
	uint16_t attr;
	uint16_t size;
} nothings[] = {
	{"dynset", NFTA_DYNSET_TIMEOUT, sizeof(uint64_t)}, /* nft_dynset_init() */
	{"exthdr", NFTA_EXTHDR_FLAGS, sizeof(uint32_t)},   /* nft_exthdr_tcp_set_init() */
};

/* What it says is passed over, then: attributes without a type are. */
static void adapt_data(const struct nlattr *data, size_t which)
{
	static const char zero[sizeof(uint64_t)];
	const struct nlattr *attr;

	for_each_inside (attr, data)
		if (mnl_attr_get_type(attr) == nothings[which].attr &&
		    mnl_attr_get_payload_len(attr) == nothings[which].size &&
		    memcmp(mnl_attr_get_payload(attr), zero, nothings[which].size) == 0)
			((struct nlattr *)attr)->nla_type = 0;
}

static void adapt_expression(const struct nlattr *expression)
{
	size_t which = ARRAY_SIZE(nothings);
	const struct nlattr *attr;

	for_each_inside (attr, expression) {
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA && which < ARRAY_SIZE(nothings))
			adapt_data(attr, which);
		if (mnl_attr_get_type(attr) != NFTA_EXPR_NAME)
			continue;
		for (which = 0; which < ARRAY_SIZE(nothings); which++)
			if (text_is(attr, nothings[which].expression))
				break;
	}
}

/* The rule that is the last message of @b. */
static void adapt_rule(struct bytes *b, size_t at)
{
	const struct nlmsghdr *nlh = (const void *)(b->v + at);
	const struct nlattr *attr, *expression;

	if (b->error)
		return;
	for_each_attr (attr, nlh) {
		if (mnl_attr_get_type(attr) != NFTA_RULE_EXPRESSIONS)
			continue;
		for_each_inside (expression, attr)
			adapt_expression(expression);
	}
}

/* What was told, as what is to be made. */
static void copy_object(struct reader *r, const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	open_message(r, r->kind->make, r->kind->flags);
	for_each_attr (attr, nlh) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type < 32 && (r->kind->keep & KEEP(type)))
			bytes_copy(&r->out->batch, attr, attr->nla_len);
	}
	if (r->kind == &set_object) {
		uint32_t id = htonl((uint32_t)r->n_sets);

		put_attr(&r->out->batch, NFTA_SET_ID, &id, sizeof(id));
	}
	close_message(r);
	if (r->kind == &rule_object)
		adapt_rule(&r->out->batch, r->open);
}

/* ---- reading ---- */

static int remember_set(struct reader *r, const struct nlmsghdr *nlh)
{
	struct told_set *v = reallocarray(r->sets, r->n_sets + 1, sizeof(*v));
	const struct nlattr *attr;

	if (!v)
		return -ENOMEM;
	r->sets = v;
	v += r->n_sets++;
	*v = (struct told_set){0};
	for_each_attr (attr, nlh) {
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == NFTA_SET_NAME)
			memcpy(v->name, mnl_attr_get_payload(attr),
			       size_min(len, sizeof(v->name) - 1));
		else if (mnl_attr_get_type(attr) == NFTA_SET_FLAGS && len == sizeof(uint32_t))
			v->flags = ntohl(mnl_attr_get_u32(attr));
	}
	return 0;
}

/*
 * Of intervals the kernel tells the highest first, and would take an end that comes before its
 * beginning for an overlap (net/netfilter/nft_set_rbtree.c).
 */
static bool is_reversed(const struct told_set *s)
{
	return s->flags & NFT_SET_INTERVAL && !(s->flags & NFT_SET_CONCAT);
}

static void keep_elements(struct reader *r, const struct nlmsghdr *nlh)
{
	const struct nlattr *list, *element;

	for_each_attr (list, nlh) {
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		for_each_inside (element, list)
			bytes_copy(&r->elements, element, element->nla_len);
	}
}

static int on_object(const struct nlmsghdr *nlh, void *ctx)
{
	struct reader *r = ctx;

	if (!is_ours(nlh, r->kind))
		return MNL_CB_OK;
	if (r->kind == &set_object)
		r->error = remember_set(r, nlh);
	if (r->kind == &element_object && is_reversed(r->set))
		keep_elements(r, nlh);
	else
		copy_object(r, nlh);
	if (!r->error)
		r->error = r->elements.error ? r->elements.error : r->out->batch.error;
	return r->error ? MNL_CB_ERROR : MNL_CB_OK;
}

static int receive(struct reader *r, uint32_t seq)
{
	_cleanup_(freep) char *buf = malloc(ANSWER_MAX);
	int more = MNL_CB_OK;

	if (!buf)
		return -ENOMEM;
	while (more > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(r->socket, buf, ANSWER_MAX);

		if (len < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)len, seq, 0, on_object, r);
		if (more < 0)
			return r->error ? r->error : -errno;
	}
	return 0;
}

/* Ask for all objects of @kind; @set: of which elements are wanted. */
static int ask(struct reader *r, const struct object *kind, const char *set)
{
	_Alignas(struct nlmsghdr) char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | kind->get);
	nlh->nlmsg_flags = NLM_F_REQUEST | (kind == &table_object ? NLM_F_ACK : NLM_F_DUMP);
	nlh->nlmsg_seq = ++r->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_INET;
	nfg->version = NFNETLINK_V0;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE);
	if (set)
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	r->kind = kind;
	if (mnl_socket_sendto(r->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	return receive(r, nlh->nlmsg_seq);
}

/* ---- sets ---- */

static void open_elements(struct reader *r, const char *set, size_t *ret_nest)
{
	const struct nlattr nest = {.nla_type = NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED};

	open_message(r, NFT_MSG_NEWSETELEM, element_object.flags);
	put_attr(&r->out->batch, NFTA_SET_ELEM_LIST_TABLE, TABLE, sizeof(TABLE));
	put_attr(&r->out->batch, NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
	*ret_nest = r->out->batch.n;
	bytes_copy(&r->out->batch, &nest, sizeof(nest));
}

static void close_elements(struct reader *r, size_t nest)
{
	struct bytes *b = &r->out->batch;
	uint16_t len = (uint16_t)(b->n - nest);

	if (!b->error)
		memcpy(b->v + nest + offsetof(struct nlattr, nla_len), &len, sizeof(len));
	close_message(r);
}

/* Those of @r->elements, the last first. */
static int put_reversed(struct reader *r, const char *set)
{
	size_t n = 0, at, nest = 0;
	_cleanup_(freep) size_t *of =
		calloc(r->elements.n / sizeof(struct nlattr) + 1, sizeof(*of));
	struct bytes *b = &r->out->batch;
	bool open = false;

	if (!of)
		return -ENOMEM;
	for (at = 0; at < r->elements.n; n++) {
		of[n] = at;
		at += ALIGNED(((const struct nlattr *)(r->elements.v + at))->nla_len);
	}
	while (n-- > 0) {
		const struct nlattr *element = (const void *)(r->elements.v + of[n]);

		if (open && b->n - nest > NEST_MAX) {
			close_elements(r, nest);
			open = false;
		}
		if (!open)
			open_elements(r, set, &nest);
		open = true;
		bytes_copy(b, element, element->nla_len);
	}
	if (open)
		close_elements(r, nest);
	return b->error;
}

/* What packets put there comes anew with them. */
static int read_elements(struct reader *r, const struct told_set *s)
{
	int ret;

	if (s->flags & (NFT_SET_EVAL | NFT_SET_TIMEOUT))
		return 0;
	r->set = s;
	r->elements.n = 0;
	ret = ask(r, &element_object, s->name);
	return ret == 0 && is_reversed(s) ? put_reversed(r, s->name) : ret;
}

/* ---- all of it ---- */

/* Chains before the verdicts that lead to them, sets before the rules that look into them. */
static int read_all(struct reader *r)
{
	int ret = ask(r, &table_object, NULL);

	if (ret == 0)
		ret = ask(r, &named_object, NULL);
	if (ret == 0)
		ret = ask(r, &set_object, NULL);
	if (ret == 0)
		ret = ask(r, &chain_object, NULL);
	for (size_t i = 0; ret == 0 && i < r->n_sets; i++)
		ret = read_elements(r, &r->sets[i]);
	return ret ? ret : ask(r, &rule_object, NULL);
}

/* The last message but the end asks for an answer. */
static void finish(struct reader *r)
{
	struct bytes *b = &r->out->batch;
	struct nlmsghdr head;

	if (b->error)
		return;
	memcpy(&head, b->v + r->open, sizeof(head));
	head.nlmsg_flags |= NLM_F_ACK;
	memcpy(b->v + r->open, &head, sizeof(head));
	r->out->last = head.nlmsg_seq;
	open_message(r, NFNL_MSG_BATCH_END, 0);
	close_message(r);
	bytes_trim(b);
}

int replay_take(struct fw_replay **ret)
{
	struct fw_replay *out = calloc(1, sizeof(*out));
	struct reader r = {.out = out};
	int err = -ENOMEM;

	if (out)
		r.socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (r.socket)
		err = mnl_socket_bind(r.socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (err == 0) {
		open_message(&r, NFNL_MSG_BATCH_BEGIN, 0);
		close_message(&r);
		err = read_all(&r);
	}
	if (err == 0) {
		finish(&r);
		err = out->batch.error;
	}
	if (r.socket)
		mnl_socket_close(r.socket);
	free(r.sets);
	free(r.elements.v);
	if (err < 0)
		fw_replay_free(out);
	else
		*ret = out;
	return err;
}

int replay_send(struct mnl_socket *socket, const struct fw_replay *r)
{
	int room = (int)size_min(2 * r->batch.n, INT32_MAX);

	/* What does not fit is refused. */
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &room,
			 sizeof(room));
	fw_ask_drop(socket);
	if (mnl_socket_sendto(socket, r->batch.v, r->batch.n) < 0)
		return -errno;
	return fw_batch_answers(socket, r->last);
}

void fw_replay_free(struct fw_replay *r)
{
	if (!r)
		return;
	free(r->batch.v);
	free(r);
}
