/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accepts.c - see accepts.h. Sources: linux/netfilter/xt_conntrack.h, net/netfilter/nft_compat.c. */
#include "firewall/accepts.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which knows of it then */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "firewall/ask.h"
#include "firewall/batch.h"

#define TABLE "filter"
#define COMMENT "vmlane: "
#define RULE_MAX 1024	  /* bytes of a message with a rule of ours; some 700 are used */
#define RULES_MAX 1000000 /* in one chain */
#define CONNTRACK_REV 3
#define STATES_KNOWN                                                                               \
	(XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) | XT_CONNTRACK_STATE_BIT(IP_CT_RELATED))

const struct fw_place fw_places[FW_PLACE_COUNT] = {
	{"Docker", AF_INET, "DOCKER-USER", "ip filter DOCKER-USER"},
	{"Docker", AF_INET6, "DOCKER-USER", "ip6 filter DOCKER-USER"},
	{"ufw", AF_INET, "ufw-user-forward", "ip filter ufw-user-forward"},
	{"ufw", AF_INET6, "ufw6-user-forward", "ip6 filter ufw6-user-forward"},
};

/* ---- writing a rule ---- */

static struct nlattr *expr_begin(struct nlmsghdr *nlh, const char *name, struct nlattr **ret_data)
{
	struct nlattr *item = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
	*ret_data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return item;
}

static void expr_end(struct nlmsghdr *nlh, struct nlattr *item, struct nlattr *data)
{
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, item);
}

static void put_interface(struct nlmsghdr *nlh, uint32_t key, const char *name)
{
	struct nlattr *item, *data, *value;

	if (!name[0])
		return;
	item = expr_begin(nlh, "meta", &data);
	mnl_attr_put_u32(nlh, NFTA_META_KEY, htonl(key));
	mnl_attr_put_u32(nlh, NFTA_META_DREG, htonl(NFT_REG_1));
	expr_end(nlh, item, data);
	item = expr_begin(nlh, "cmp", &data);
	mnl_attr_put_u32(nlh, NFTA_CMP_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(nlh, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
	value = mnl_attr_nest_start(nlh, NFTA_CMP_DATA);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, strlen(name) + 1, name);
	mnl_attr_nest_end(nlh, value);
	expr_end(nlh, item, data);
}

static void put_match(struct nlmsghdr *nlh, const char *name, uint32_t rev, const void *info,
		      size_t size)
{
	struct nlattr *item, *data;

	item = expr_begin(nlh, "match", &data);
	mnl_attr_put_strz(nlh, NFTA_MATCH_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_MATCH_REV, htonl(rev));
	mnl_attr_put(nlh, NFTA_MATCH_INFO, size, info);
	expr_end(nlh, item, data);
}

static void put_states(struct nlmsghdr *nlh, uint8_t which)
{
	_Alignas(8) uint8_t info[XT_ALIGN(sizeof(struct xt_conntrack_mtinfo3))] = {0};
	struct xt_conntrack_mtinfo3 *m = (struct xt_conntrack_mtinfo3 *)info;

	if (!which)
		return;
	m->match_flags = XT_CONNTRACK_STATE;
	if (which & FW_ACCEPT_KNOWN)
		m->state_mask |= STATES_KNOWN;
	if (which & FW_ACCEPT_DNAT)
		m->state_mask |= XT_CONNTRACK_STATE_DNAT;
	put_match(nlh, "conntrack", CONNTRACK_REV, info, sizeof(info));
}

static void put_comment(struct nlmsghdr *nlh, const char *network)
{
	struct xt_comment_info info = {0};

	snprintf(info.comment, sizeof(info.comment), COMMENT "%s", network);
	put_match(nlh, "comment", 0, &info, sizeof(info));
}

static void put_accept(struct nlmsghdr *nlh)
{
	struct nlattr *item, *data, *value, *verdict;

	item = expr_begin(nlh, "counter", &data);
	expr_end(nlh, item, data);
	item = expr_begin(nlh, "immediate", &data);
	mnl_attr_put_u32(nlh, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	value = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl(NF_ACCEPT));
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, value);
	expr_end(nlh, item, data);
}

void accept_put(struct nlmsghdr *nlh, const struct fw_accept *a)
{
	struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);

	put_interface(nlh, NFT_META_IIFNAME, a->in);
	put_interface(nlh, NFT_META_OIFNAME, a->out);
	put_states(nlh, a->which);
	put_comment(nlh, a->network);
	put_accept(nlh);
	mnl_attr_nest_end(nlh, list);
}

/* ---- reading one ---- */

/**
 * struct reading - a rule that is being read
 * @ours:	it has our comment; @changed: and something that none of ours has
 * @verdict:	NF_ACCEPT, NFT_RETURN, ...; 1000 before it is known
 * @conditions:	it has any
 * @key:	of the last meta expression: what the next comparison is about
 */
struct reading {
	struct fw_accept a;
	uint64_t handle;
	bool ours;
	bool changed;
	int verdict;
	bool conditions;
	uint32_t key;
	const char *name;
	const struct nlattr *data;
};

#define NO_VERDICT 1000

static int take_u32(const struct nlattr *attr, uint16_t type, uint32_t *ret)
{
	if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
		*ret = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int on_meta(const struct nlattr *attr, void *ctx)
{
	return take_u32(attr, NFTA_META_KEY, &((struct reading *)ctx)->key);
}

static int on_cmp_value(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;
	char *to = r->key == NFT_META_IIFNAME ? r->a.in : r->a.out;
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) != NFTA_DATA_VALUE)
		return MNL_CB_OK;
	if ((r->key != NFT_META_IIFNAME && r->key != NFT_META_OIFNAME) || len > IFNAMSIZ ||
	    strnlen(mnl_attr_get_payload(attr), len) == len || to[0])
		r->changed = true; /* a prefix, too */
	else
		strcpy(to, mnl_attr_get_payload(attr));
	return MNL_CB_OK;
}

static int on_cmp(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;
	uint32_t op = NFT_CMP_EQ;

	take_u32(attr, NFTA_CMP_OP, &op);
	r->changed = r->changed || op != NFT_CMP_EQ;
	if (mnl_attr_get_type(attr) == NFTA_CMP_DATA)
		mnl_attr_parse_nested(attr, on_cmp_value, r);
	return MNL_CB_OK;
}

/* struct match - the name of a match, and what it is told. */
struct match {
	const char *name;
	const void *info;
	size_t size;
};

static int on_match(const struct nlattr *attr, void *ctx)
{
	struct match *m = ctx;

	if (mnl_attr_get_type(attr) == NFTA_MATCH_NAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		m->name = mnl_attr_get_str(attr);
	if (mnl_attr_get_type(attr) == NFTA_MATCH_INFO) {
		m->info = mnl_attr_get_payload(attr);
		m->size = mnl_attr_get_payload_len(attr);
	}
	return MNL_CB_OK;
}

static void take_comment(struct reading *r, const struct match *m)
{
	char text[sizeof(struct xt_comment_info) + 1] = "";

	if (m->size)
		memcpy(text, m->info, size_min(m->size, sizeof(text) - 1));
	if (strncmp(text, COMMENT, strlen(COMMENT)) != 0)
		return;
	r->changed = r->changed || r->ours;
	r->ours = true;
	if (strlen(text + strlen(COMMENT)) >= sizeof(r->a.network))
		r->changed = true;
	else if (!r->a.network[0])
		strcpy(r->a.network, text + strlen(COMMENT));
}

static void take_states(struct reading *r, const struct match *m)
{
	struct xt_conntrack_mtinfo3 info;
	uint16_t dnat = XT_CONNTRACK_STATE_DNAT;

	if (m->size < sizeof(info)) {
		r->changed = true;
		return;
	}
	memcpy(&info, m->info, sizeof(info));
	if (info.state_mask & dnat)
		r->a.which |= FW_ACCEPT_DNAT;
	if ((info.state_mask & ~dnat) == STATES_KNOWN)
		r->a.which |= FW_ACCEPT_KNOWN;
	else if (info.state_mask & ~dnat)
		r->changed = true;
	if (info.match_flags != XT_CONNTRACK_STATE || info.invert_flags)
		r->changed = true;
}

static void take_match(struct reading *r)
{
	struct match m = {.name = ""};

	mnl_attr_parse_nested(r->data, on_match, &m);
	if (strcmp(m.name, "comment") == 0) {
		take_comment(r, &m);
		return;
	}
	r->conditions = true;
	if (strcmp(m.name, "conntrack") == 0)
		take_states(r, &m);
	else
		r->changed = true;
}

static int on_verdict_code(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;
	uint32_t code = 0;

	if (mnl_attr_get_type(attr) == NFTA_VERDICT_CODE) {
		take_u32(attr, NFTA_VERDICT_CODE, &code);
		r->verdict = (int)code;
	}
	return MNL_CB_OK;
}

static int on_verdict(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == NFTA_DATA_VERDICT)
		mnl_attr_parse_nested(attr, on_verdict_code, ctx);
	return MNL_CB_OK;
}

static int on_immediate(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == NFTA_IMMEDIATE_DATA)
		mnl_attr_parse_nested(attr, on_verdict, ctx);
	return MNL_CB_OK;
}

static int on_expr_part(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;

	if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		r->name = mnl_attr_get_str(attr);
	if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
		r->data = attr;
	return MNL_CB_OK;
}

static int on_expr(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;

	r->name = "";
	r->data = NULL;
	mnl_attr_parse_nested(attr, on_expr_part, r);
	if (strcmp(r->name, "counter") == 0)
		return MNL_CB_OK;
	if (!r->data)
		r->name = "";
	if (strcmp(r->name, "meta") == 0) {
		r->conditions = true;
		mnl_attr_parse_nested(r->data, on_meta, r);
	} else if (strcmp(r->name, "cmp") == 0) {
		r->conditions = true;
		mnl_attr_parse_nested(r->data, on_cmp, r);
	} else if (strcmp(r->name, "match") == 0) {
		take_match(r);
	} else if (strcmp(r->name, "immediate") == 0) {
		mnl_attr_parse_nested(r->data, on_immediate, r);
	} else {
		r->changed = r->conditions = true;
	}
	return MNL_CB_OK;
}

static int on_rule_part(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;
	uint64_t handle;

	if (mnl_attr_get_type(attr) == NFTA_RULE_HANDLE &&
	    mnl_attr_get_payload_len(attr) == sizeof(handle)) {
		memcpy(&handle, mnl_attr_get_payload(attr), sizeof(handle));
		r->handle = be64toh(handle);
	}
	if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
		mnl_attr_parse_nested(attr, on_expr, r);
	return MNL_CB_OK;
}

static struct reading read_rule(const struct nlmsghdr *nlh)
{
	struct reading r = {.verdict = NO_VERDICT, .name = ""};

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct nfgenmsg))
		mnl_attr_parse(nlh, sizeof(struct nfgenmsg), on_rule_part, &r);
	r.changed = r.changed || r.verdict != NF_ACCEPT;
	return r;
}

bool accept_read(const struct nlmsghdr *nlh, struct fw_accept *ret, bool *ret_changed)
{
	struct reading r = read_rule(nlh);

	if (!r.ours)
		return false;
	*ret = r.a;
	*ret_changed = r.changed;
	return true;
}

/* ---- a chain ---- */

/* struct walk - a chain's rules on their way; @next: of @want, what probably comes next. */
struct walk {
	const struct fw_accept *want;
	size_t n;
	size_t next;
	bool *have;
	struct fw_place_diff *d;
	size_t rules;
	int error;
};

static bool same(const struct fw_accept *a, const struct fw_accept *b)
{
	return strcmp(a->network, b->network) == 0 && strcmp(a->in, b->in) == 0 &&
	       strcmp(a->out, b->out) == 0 && a->which == b->which;
}

/* One of the wanted rules that is @a and was not found yet. They stand in the order of @want. */
static size_t find_wanted(struct walk *w, const struct fw_accept *a)
{
	for (size_t k = 0; k < w->n; k++) {
		size_t i = (w->next + k) % w->n;

		if (w->have[i] || !same(&w->want[i], a))
			continue;
		w->next = i + 1;
		return i;
	}
	return w->n;
}

static int on_rule(const struct nlmsghdr *nlh, void *ctx)
{
	struct walk *w = ctx;
	struct reading r;
	size_t i;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWRULE)
		return MNL_CB_OK;
	if (++w->rules > RULES_MAX) {
		w->error = -E2BIG;
		return MNL_CB_ERROR;
	}
	r = read_rule(nlh);
	w->d->before = r.verdict == NFT_RETURN && !r.conditions && !r.ours ? r.handle : 0;
	if (!r.ours)
		return MNL_CB_OK;
	i = r.changed ? w->n : find_wanted(w, &r.a);
	if (i < w->n) {
		w->have[i] = true;
	} else {
		uint64_t *del = reallocarray(w->d->del, w->d->n_del + 1, sizeof(*del));

		if (!del) {
			w->error = -ENOMEM;
			return MNL_CB_ERROR;
		}
		w->d->del = del;
		w->d->del[w->d->n_del++] = r.handle;
	}
	return MNL_CB_OK;
}

static uint8_t nf_family(const struct fw_place *p)
{
	return p->family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static struct nlmsghdr *begin(char *buf, uint16_t type, uint16_t flags, const struct fw_place *p)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = nf_family(p);
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static int on_chain_part(const struct nlattr *attr, void *ctx)
{
	return take_u32(attr, NFTA_CHAIN_USE, ctx);
}

static int on_chain(const struct nlmsghdr *nlh, void *ctx)
{
	return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), on_chain_part, ctx);
}

/* @ret_use: how many rules are in it, and how many lead to it, together. */
static int chain_exists(struct mnl_socket *socket, const struct fw_place *p, bool *ret,
			uint32_t *ret_use)
{
	char buf[512];
	struct nlmsghdr *nlh = begin(buf, NFT_MSG_GETCHAIN, NLM_F_ACK, p);
	int r;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, p->chain);
	r = fw_ask(socket, nlh, on_chain, ret_use);
	*ret = r == 0;
	return r == -ENOENT ? 0 : r;
}

static int dump(struct mnl_socket *socket, const struct fw_place *p, struct walk *w)
{
	char buf[512];
	struct nlmsghdr *nlh = begin(buf, NFT_MSG_GETRULE, NLM_F_DUMP, p);
	int r;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, p->chain);
	r = fw_ask(socket, nlh, on_rule, w);
	return w->error ? w->error : r;
}

void fw_place_diff_done(struct fw_place_diff *d)
{
	free(d->add);
	free(d->del);
	*d = (struct fw_place_diff){0};
}

int accepts_look(struct mnl_socket *socket, const struct fw_place *p, const struct fw_accept *want,
		 size_t n, struct fw_place_diff *ret)
{
	struct fw_place_diff d = {0};
	struct walk w = {.want = want, .n = n, .d = &d};
	uint32_t use = 0;
	int r = chain_exists(socket, p, &d.present, &use);

	if (r == 0 && d.present) {
		w.have = calloc(n + 1, sizeof(*w.have));
		r = w.have ? dump(socket, p, &w) : -ENOMEM;
	}
	/* Nothing leads there: it is about to go, or to be filled. Ours must not be in the way. */
	if (r == 0 && d.present && use <= w.rules) {
		d.present = false;
		d.n_del = 0;
		memset(w.have, 0, n * sizeof(*w.have));
		w.n = w.next = w.rules = n = 0;
		r = dump(socket, p, &w);
	}
	for (size_t i = 0; r == 0 && w.have && i < n; i++) {
		w.have[i] = !w.have[i];
		d.n_add += w.have[i];
	}
	d.add = w.have;
	if (r < 0)
		fw_place_diff_done(&d);
	else
		*ret = d;
	return r;
}

static void put_head(struct nlmsghdr *nlh, const struct fw_place *p, uint16_t type, uint64_t handle)
{
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, p->chain);
	if (handle)
		mnl_attr_put_u64(nlh, type, htobe64(handle));
}

static uint32_t put_batch(struct mnl_nlmsg_batch *batch, const struct fw_place *p,
			  const struct fw_accept *want, size_t n, const struct fw_place_diff *d)
{
	uint8_t family = nf_family(p);
	size_t left = d->n_del + d->n_add;
	struct nlmsghdr *nlh = NULL;
	uint32_t seq = 0, last;

	fw_batch_put(batch, NFNL_MSG_BATCH_BEGIN, 0, family, &seq);
	mnl_nlmsg_batch_next(batch);
	for (size_t i = 0; i < d->n_del; i++) {
		nlh = fw_batch_put(batch, NFT_MSG_DELRULE, --left ? 0 : NLM_F_ACK, family, &seq);
		put_head(nlh, p, NFTA_RULE_HANDLE, d->del[i]);
		mnl_nlmsg_batch_next(batch);
	}
	for (size_t i = 0; i < n; i++) {
		if (!d->add[i])
			continue;
		nlh = fw_batch_put(batch, NFT_MSG_NEWRULE,
				   (uint16_t)(NLM_F_CREATE | (--left ? 0 : NLM_F_ACK) |
					      (d->before ? 0 : NLM_F_APPEND)),
				   family, &seq);
		put_head(nlh, p, NFTA_RULE_POSITION, d->before);
		accept_put(nlh, &want[i]);
		mnl_nlmsg_batch_next(batch);
	}
	last = seq;
	fw_batch_put(batch, NFNL_MSG_BATCH_END, 0, family, &seq);
	mnl_nlmsg_batch_next(batch);
	return last;
}

int accepts_send(struct mnl_socket *socket, const struct fw_place *p, const struct fw_accept *want,
		 size_t n, const struct fw_place_diff *d)
{
	size_t size = (d->n_del + d->n_add + 4) * RULE_MAX;
	_cleanup_(freep) char *buf = calloc(1, size + RULE_MAX);
	int room = (int)size_min(2 * size, INT32_MAX), r = 0;
	struct mnl_nlmsg_batch *batch;
	uint32_t last;

	if (!buf)
		return -ENOMEM;
	batch = mnl_nlmsg_batch_start(buf, size);
	if (!batch)
		return -ENOMEM;
	last = put_batch(batch, p, want, n, d);
	/* What does not fit is refused below. */
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &room,
			 sizeof(room));
	(void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &room,
			 sizeof(room));
	fw_ask_drop(socket);
	if (mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
		r = -errno;
	mnl_nlmsg_batch_stop(batch);
	return r < 0 ? r : fw_batch_answers(socket, last);
}
