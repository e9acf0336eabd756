/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.c - the table `inet vmlane` in the kernel, by libnftables: commit, list, count. What the
 * text says is ruleset.c's business. The walk of an apply ends here.
 */
#include "firewall/nft.h"

#include <errno.h>
#include <jansson.h>
#include <libmnl/libmnl.h>
#include <netinet/in.h> /* before linux/netfilter.h, which knows of it then */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/ask.h"
#include "firewall/replay.h"

/**
 * struct nft - a libnftables context whose output and errors are kept in memory
 * @ctx:		owned
 * @gen_socket:		for what libnftables does not offer: nft_generation(), nft_lifetimes(); owned
 * @transactions:	writes that were sent to the kernel
 * @replay:		the table as it was remembered; owned, NULL when it is not
 */
struct nft {
	struct nft_ctx *ctx;
	struct mnl_socket *gen_socket;
	uint64_t transactions;
	struct fw_replay *replay;
};

int nft_new(struct nft **ret)
{
	struct nft *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!n->ctx || nft_ctx_buffer_output(n->ctx) != 0 || nft_ctx_buffer_error(n->ctx) != 0) {
		nft_free(n);
		return -ENOMEM;
	}
	n->gen_socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!n->gen_socket || mnl_socket_bind(n->gen_socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		nft_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void nft_free(struct nft *n)
{
	if (!n)
		return;
	if (n->ctx)
		nft_ctx_free(n->ctx);
	if (n->gen_socket)
		mnl_socket_close(n->gen_socket);
	nft_forget(n);
	free(n);
}

/* libnftables hands back words only; these are the kernel's errors that callers tell apart. */
static int errno_of_words(const char *words)
{
	static const int known[] = {EPERM, ENOENT, EEXIST, EBUSY, ENOMEM, ENOBUFS, EOPNOTSUPP};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(words, strerror(known[i])))
			return -known[i];
	return -EIO;
}

/*
 * The first "Error: ..." line: what comes after it follows from it. The text that libnftables
 * quotes below is left out, as it is always the buffer's first line, not the offending one.
 */
static int set_error(struct nft *n, const char *what, struct err *e)
{
	const char *line = strstr(nft_ctx_get_error_buffer(n->ctx), "Error: ");
	int r;

	if (!line)
		return err_set(e, -EIO, "firewall", "table inet vmlane",
			       "nftables refused to %s and did not say why", what);
	r = errno_of_words(line);
	line += strlen("Error: ");
	return err_set(e, r, "firewall", "table inet vmlane", "nftables refused to %s: %.*s%s",
		       what, (int)strcspn(line, "\n"), line,
		       r == -EPERM ? "; CAP_NET_ADMIN is needed" : "");
}

static int run(struct nft *n, const char *text, unsigned int output, const char *what,
	       struct err *e)
{
	nft_ctx_output_set_flags(n->ctx, output);
	if (nft_run_cmd_from_buffer(n->ctx, text) != 0)
		return set_error(n, what, e);
	return 0;
}

int nft_run(struct nft *n, const char *text, struct err *e)
{
	n->transactions++;
	return run(n, text, 0, "change the rules", e);
}

int nft_lifetimes(struct nft *n, const uint32_t seconds[static FW_STATE_COUNT])
{
	n->transactions++;
	return lifetime_send(n->gen_socket, seconds);
}

int nft_accepts_look(struct nft *n, const struct fw_place *p, const struct fw_accept *want,
		     size_t count, struct fw_place_diff *ret)
{
	return accepts_look(n->gen_socket, p, want, count, ret);
}

int nft_accepts_send(struct nft *n, const struct fw_place *p, const struct fw_accept *want,
		     size_t count, const struct fw_place_diff *d)
{
	n->transactions++;
	return accepts_send(n->gen_socket, p, want, count, d);
}

static int list_table(struct nft *n, const char *command, struct buf *out, struct err *e)
{
	int r = run(n, command, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_PROTO,
		    "list the rules", e);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	buf_puts(out, nft_ctx_get_output_buffer(n->ctx));
	return out->error;
}

int nft_list(struct nft *n, struct buf *out, struct err *e)
{
	return list_table(n, "list table inet vmlane", out, e);
}

int nft_list_rates(struct nft *n, struct buf *out, struct err *e)
{
	return list_table(n, "list table netdev vmlane", out, e);
}

int nft_list_guard(struct nft *n, struct buf *out, struct err *e)
{
	return list_table(n, "list table bridge vmlane", out, e);
}

/* "table ip filter {" and "chain FORWARD {": what is between the first word and the brace. */
static void take_name(const char *line, const char *word, char *ret, size_t size)
{
	size_t len = strlen(word);
	const char *end = strrchr(line, '{');

	line += strspn(line, "\t ");
	if (strncmp(line, word, len) == 0 && end && end > line + len)
		snprintf(ret, size, "%.*s", (int)(end - line - (ptrdiff_t)len - 1), line + len);
}

int nft_forward_drop(struct nft *n, char *ret, size_t size, struct err *e)
{
	char table[128] = "", chain[128] = "";
	int r = run(n, "list chains", NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE,
		    "list the chains", e);
	char *text = r < 0 ? NULL : strdup(nft_ctx_get_output_buffer(n->ctx)), *save = NULL;

	if (r < 0)
		return r;
	if (!text)
		return -ENOMEM;
	ret[0] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		take_name(line, "table ", table, sizeof(table));
		take_name(line, "chain ", chain, sizeof(chain));
		if (strstr(line, "hook forward") && strstr(line, "policy drop") &&
		    strncmp(table, "bridge ", 7) != 0 && strncmp(table, "arp ", 4) != 0)
			snprintf(ret, size, "%s %s", table, chain);
	}
	free(text);
	return 0;
}

static int take_generation(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int take_answer(const struct nlmsghdr *nlh, void *ctx)
{
	return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_generation, ctx);
}

int nft_generation(struct nft *n, uint32_t *ret)
{
	char buf[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	uint32_t gen = 0;
	int r;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	r = fw_ask(n->gen_socket, nlh, take_answer, &gen);
	if (r < 0)
		return r;
	if (gen == 0)
		return -EBADMSG;
	*ret = gen;
	return 0;
}

bool nft_table_gone(struct nft *n)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_INET;
	nfg->version = NFNETLINK_V0;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "vmlane");
	return fw_ask(n->gen_socket, nlh, NULL, NULL) == -ENOENT;
}

int nft_remember(struct nft *n)
{
	nft_forget(n);
	return replay_take(&n->replay);
}

int nft_replay(struct nft *n)
{
	if (!n->replay)
		return -ENOENT;
	n->transactions++;
	return replay_send(n->gen_socket, n->replay);
}

void nft_forget(struct nft *n)
{
	fw_replay_free(n->replay);
	n->replay = NULL;
}

bool nft_remembers(const struct nft *n)
{
	return n->replay != NULL;
}

uint64_t nft_transactions(const struct nft *n)
{
	return n->transactions;
}

/* Each name of the table's counters, and where its packets go. */
static const struct {
	const char *name;
	size_t offset;
} counter_fields[] = {
	{"spoofed", offsetof(struct fw_counters, spoofed)},
	{"refused_in", offsetof(struct fw_counters, refused_in)},
	{"refused_out", offsetof(struct fw_counters, refused_out)},
	{"invalid", offsetof(struct fw_counters, invalid)},
	{"refused_host", offsetof(struct fw_counters, refused_host)},
	{"metadata", offsetof(struct fw_counters, metadata)},
	{"limited", offsetof(struct fw_counters, limited)},
	{"closed", offsetof(struct fw_counters, closed)},
};
_Static_assert(ARRAY_SIZE(counter_fields) * sizeof(uint64_t) == sizeof(struct fw_counters),
	       "a counter of struct fw_counters is not read");

static void take_counter(json_t *counter, struct fw_counters *c)
{
	const char *name = json_string_value(json_object_get(counter, "name"));
	json_t *packets = json_object_get(counter, "packets");

	for (size_t i = 0; name && i < ARRAY_SIZE(counter_fields); i++) {
		uint64_t v = (uint64_t)json_integer_value(packets);

		if (strcmp(name, counter_fields[i].name) == 0)
			memcpy((char *)c + counter_fields[i].offset, &v, sizeof(v));
	}
}

int nft_counters(struct nft *n, struct fw_counters *ret, struct err *e)
{
	struct fw_counters c = {0};
	json_t *root, *item;
	json_error_t why;
	size_t i;
	int r;

	r = run(n, "list counters table inet vmlane", NFT_CTX_OUTPUT_JSON, "list the counters", e);
	if (r < 0)
		return r;
	root = json_loads(nft_ctx_get_output_buffer(n->ctx), 0, &why);
	if (!root)
		return err_set(e, -EBADMSG, "firewall", "table inet vmlane",
			       "nftables' list of counters is not JSON: %s", why.text);
	json_array_foreach (json_object_get(root, "nftables"), i, item)
		take_counter(json_object_get(item, "counter"), &c);
	json_decref(root);
	*ret = c;
	return 0;
}

/* @command's JSON; a new reference. */
static int list_json(struct nft *n, const char *command, json_t **ret, struct err *e)
{
	json_error_t why;
	int r = run(n, command, NFT_CTX_OUTPUT_JSON, "list the rules", e);

	if (r < 0)
		return r;
	*ret = json_loads(nft_ctx_get_output_buffer(n->ctx), 0, &why);
	return *ret ? 0
		    : err_set(e, -EBADMSG, "firewall", "table inet vmlane",
			      "nftables' listing is not JSON: %s", why.text);
}

static uint64_t number_of(const json_t *counter, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(counter, key));
}

#define RULE_COUNTER "rule/"

int nft_rule_counters(struct nft *n, nft_rule_fn fn, void *ctx, struct err *e)
{
	json_t *root, *item;
	size_t i;
	int r = list_json(n, "list counters table inet vmlane", &root, e);

	if (r < 0)
		return r;
	json_array_foreach (json_object_get(root, "nftables"), i, item) {
		const json_t *c = json_object_get(item, "counter");
		const char *name = json_string_value(json_object_get(c, "name"));

		if (name && strncmp(name, RULE_COUNTER, strlen(RULE_COUNTER)) == 0)
			fn(name + strlen(RULE_COUNTER), number_of(c, "packets"),
			   number_of(c, "bytes"), ctx);
	}
	json_decref(root);
	return 0;
}

/* {"elem": {"val": {"concat": ["vl-lab", "52:54:..."]}, "counter": {"packets": 5, ...}}} */
static void take_limited(const json_t *set, enum fw_limit which, nft_limited_fn fn, void *ctx)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(set, "elem"), i, item) {
		const json_t *elem = json_object_get(item, "elem");
		const json_t *key = json_object_get(json_object_get(elem, "val"), "concat");
		const json_t *c = json_object_get(elem, "counter");
		const char *bridge = json_string_value(json_array_get(key, 0));
		const char *mac = json_string_value(json_array_get(key, 1));

		if (bridge && mac && c)
			fn(which, bridge, mac, number_of(c, "packets"), number_of(c, "bytes"), ctx);
	}
}

int nft_limited(struct nft *n, nft_limited_fn fn, void *ctx, struct err *e)
{
	static const char *const commands[] = {
		[FW_LIMIT_CONNECTIONS] = "list set inet vmlane limited_connections",
		[FW_LIMIT_NEW] = "list set inet vmlane limited_new",
	};
	_Static_assert(ARRAY_SIZE(commands) == FW_LIMIT_COUNT, "a limit that is not read");

	for (enum fw_limit which = 0; which < FW_LIMIT_COUNT; which++) {
		json_t *root, *item;
		size_t i;
		int r = list_json(n, commands[which], &root, e);

		if (r < 0)
			return r;
		json_array_foreach (json_object_get(root, "nftables"), i, item)
			take_limited(json_object_get(item, "set"), which, fn, ctx);
		json_decref(root);
	}
	return 0;
}
