/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_program_load.c - the ruleset from the kernel: one dump of each kind of part, and one of each
 * set's elements, between two looks at the generation.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include "path/nft_program_internal.h"

#define RECEIVE_SIZE (256 * 1024)
#define TRIES 20

/**
 * struct load - a dump under way
 * @fd:		to the kernel's nf_tables
 * @generation: what the last answer said
 */
struct load {
	int fd;
	uint32_t seq;
	struct nftprog *p;
	uint8_t *buf;
	uint32_t generation;
	int error;
};

static int got_message(const struct nlmsghdr *nlh, void *ctx)
{
	struct load *l = ctx;
	struct nftprog_attrs a;
	int r;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) == NFNL_SUBSYS_NFTABLES &&
	    NFNL_MSG_TYPE(nlh->nlmsg_type) == NFT_MSG_NEWGEN) {
		r = nftprog_attrs_of(nlh, &a);
		l->generation = r ? 0 : nftprog_u32(&a, NFTA_GEN_ID, 0);
	} else {
		r = nftprog_add(l->p, nlh);
	}
	l->error = r;
	return r ? MNL_CB_ERROR : MNL_CB_OK;
}

static ssize_t receive(struct load *l)
{
	ssize_t len;

	do
		len = recv(l->fd, l->buf, RECEIVE_SIZE, 0);
	while (len < 0 && errno == EINTR);
	return len;
}

/* Until the answer is whole: NLMSG_DONE of a dump, otherwise the acknowledgement. */
static int answers(struct load *l)
{
	for (;;) {
		ssize_t len = receive(l);
		int r;

		if (len < 0)
			return -errno;
		l->error = 0;
		r = mnl_cb_run(l->buf, (size_t)len, l->seq, 0, got_message, l);
		if (r == MNL_CB_ERROR)
			return l->error ? l->error : -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}

static struct nlmsghdr *request(struct load *l, void *buf, uint16_t type, uint16_t flags,
				uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	nlh->nlmsg_type = (uint16_t)((NFNL_SUBSYS_NFTABLES << 8) | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++l->seq;
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return nlh;
}

static int ask(struct load *l, const struct nlmsghdr *nlh)
{
	if (send(l->fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	return answers(l);
}

static int ask_generation(struct load *l)
{
	uint64_t buf[32];

	return ask(l, request(l, buf, NFT_MSG_GETGEN, NLM_F_ACK, NFPROTO_UNSPEC));
}

static int dump(struct load *l, uint16_t type)
{
	uint64_t buf[32];

	return ask(l, request(l, buf, type, NLM_F_DUMP, NFPROTO_UNSPEC));
}

static int dump_elements(struct load *l, const struct nftprog_set *s)
{
	uint64_t buf[128];
	struct nlmsghdr *nlh = request(l, buf, NFT_MSG_GETSETELEM, NLM_F_DUMP, s->table->family);

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, s->table->name);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, s->name);
	return ask(l, nlh);
}

static int dump_all(struct load *l)
{
	static const uint16_t before[] = {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETSET,
					  NFT_MSG_GETOBJ};
	struct nftprog_name *n, *next;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(before) && !r; i++)
		r = dump(l, before[i]);
	HASH_ITER (hh, l->p->names, n, next)
		if (!r && n->kind == NFTPROG_IS_SET)
			r = dump_elements(l, &n->set);
	return r ? r : dump(l, NFT_MSG_GETRULE);
}

/* Errors that a change under way explains: what was named is gone, a dump was interrupted. */
static bool is_change(int r)
{
	return r == -EINTR || r == -ENOENT || r == -EBADMSG;
}

/* 0, 1 when the ruleset changed meanwhile, -errno. */
static int load_once(struct load *l)
{
	uint32_t generation;
	int r = ask_generation(l), changed;

	if (r)
		return r;
	generation = l->generation;
	r = dump_all(l);
	if (r && !is_change(r))
		return r;
	changed = ask_generation(l);
	if (changed)
		return changed;
	if (l->generation != generation || r == -EINTR)
		return 1;
	l->p->generation = generation;
	return r ? r : nftprog_finish(l->p);
}

static int socket_open(void)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int r;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd < 0 ? -errno : fd;
}

static int load_any(struct nftprog **ret)
{
	_cleanup_(fd_closep) int fd = socket_open();
	_cleanup_(freep) void *buf = malloc(RECEIVE_SIZE);
	int r = 1;

	if (fd < 0 || !buf)
		return fd < 0 ? fd : -ENOMEM;
	for (int i = 0; i < TRIES && r == 1; i++) {
		_cleanup_(nftprog_freep) struct nftprog *p = NULL;
		struct load l = {.fd = fd, .seq = (uint32_t)i << 20, .buf = buf};

		r = nftprog_new(&p);
		if (r)
			return r;
		l.p = p;
		r = load_once(&l);
		if (!r) {
			*ret = p;
			p = NULL;
		}
	}
	return r == 1 ? -EBUSY : r;
}

int nftprog_load(struct nftprog **ret, struct err *e)
{
	int r = load_any(ret);

	if (!r)
		return 0;
	if (r == -EPERM)
		return err_set(e, r, "not-allowed", "nftables",
			       "reading the firewall's rules needs CAP_NET_ADMIN: run it as root");
	if (r == -EBUSY)
		return err_set(e, r, "busy", "nftables",
			       "the firewall's rules do not stop changing; try again");
	return err_set(e, r, "kernel", "nftables", "the firewall's rules cannot be read: %s",
		       strerror(-r));
}
