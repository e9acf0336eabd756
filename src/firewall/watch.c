/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - see watch.h. Next on the walk: daemon/guardian.c. */
#include "firewall/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WATCH_RCVBUF (8 << 20)
#define WATCH_RECV_SIZE (64 << 10)
/* Datagrams read in one go, so that a flood does not starve the rest of the event loop. */
#define WATCH_BATCH 512

/**
 * struct fw_watch - a listening socket
 * @sk:		owned, non-blocking
 * @buf:	WATCH_RECV_SIZE bytes; owned
 * @open:	the transaction that is being told
 */
struct fw_watch {
	struct mnl_socket *sk;
	char *buf;
	struct fw_change open;
	fw_change_fn fn;
	void *ctx;
};

/* Of all objects the first attribute that tells their table has this number. */
_Static_assert((int)NFTA_TABLE_NAME == 1 && (int)NFTA_CHAIN_TABLE == 1 &&
		       (int)NFTA_RULE_TABLE == 1 && (int)NFTA_SET_TABLE == 1 &&
		       (int)NFTA_SET_ELEM_LIST_TABLE == 1 && (int)NFTA_OBJ_TABLE == 1 &&
		       (int)NFTA_FLOWTABLE_TABLE == 1,
	       "the table's name is another attribute");

static bool text_is(const struct nlattr *attr, const char *text)
{
	size_t len = strlen(text) + 1;

	return mnl_attr_get_payload_len(attr) == len &&
	       memcmp(mnl_attr_get_payload(attr), text, len) == 0;
}

static int take_table(const struct nlattr *attr, void *ctx)
{
	struct fw_change *c = ctx;

	if (mnl_attr_get_type(attr) != NFTA_TABLE_NAME)
		return MNL_CB_OK;
	c->ours = c->ours || text_is(attr, "vmlane");
	c->foreign = c->foreign || text_is(attr, "filter") || text_is(attr, "firewalld");
	return MNL_CB_STOP;
}

static int take_generation(const struct nlattr *attr, void *ctx)
{
	size_t len = mnl_attr_get_payload_len(attr);
	struct fw_change *c = ctx;

	switch (mnl_attr_get_type(attr)) {
	case NFTA_GEN_ID:
		if (len == sizeof(uint32_t))
			c->generation = ntohl(mnl_attr_get_u32(attr));
		break;
	case NFTA_GEN_PROC_PID:
		if (len == sizeof(uint32_t))
			c->pid = ntohl(mnl_attr_get_u32(attr));
		break;
	case NFTA_GEN_PROC_NAME:
		len = size_min(len, sizeof(c->process) - 1);
		memcpy(c->process, mnl_attr_get_payload(attr), len);
		c->process[len] = '\0';
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

void fw_watch_take(const void *data, size_t len, struct fw_change *c, fw_change_fn fn, void *ctx)
{
	const struct nlmsghdr *nlh = data;
	int left = (int)len;

	/* mnl_nlmsg_ok() takes a length above INT_MAX for a short one. */
	for (; mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= INT_MAX;
	     nlh = mnl_nlmsg_next(nlh, &left)) {
		if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
		    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
			continue;
		if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWGEN) {
			mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_table, c);
			continue;
		}
		mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_generation, c);
		if (c->generation)
			fn(c, ctx);
		*c = (struct fw_change){0};
	}
}

static int open_watch(struct fw_watch *w)
{
	int group = NFNLGRP_NFTABLES, size = WATCH_RCVBUF, fd;

	w->sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->sk)
		return -errno;
	fd = mnl_socket_get_fd(w->sk);
	/* FORCE goes past net.core.rmem_max; without CAP_NET_ADMIN take what there is. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		return -errno;
	if (mnl_socket_bind(w->sk, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(w->sk, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

int fw_watch_new(fw_change_fn fn, void *ctx, struct fw_watch **ret, int *ret_fd)
{
	struct fw_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->ctx = ctx;
	w->buf = malloc(WATCH_RECV_SIZE);
	r = w->buf ? open_watch(w) : -ENOMEM;
	if (r < 0) {
		fw_watch_free(w);
		return r;
	}
	*ret = w;
	*ret_fd = mnl_socket_get_fd(w->sk);
	return 0;
}

void fw_watch_free(struct fw_watch *w)
{
	if (!w)
		return;
	if (w->sk)
		mnl_socket_close(w->sk);
	free(w->buf);
	free(w);
}

/* Nobody knows which tables it was about, nor whose it was. */
static void tell_lost(struct fw_watch *w)
{
	const struct fw_change lost = {.ours = true, .foreign = true};

	w->open = (struct fw_change){0};
	w->fn(&lost, w->ctx);
}

int fw_watch_read(struct fw_watch *w)
{
	for (unsigned int i = 0; i < WATCH_BATCH; i++) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = w->buf, .iov_len = WATCH_RECV_SIZE};
		struct msghdr msg = {.msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &iov,
				     .msg_iovlen = 1};
		ssize_t len = recvmsg(mnl_socket_get_fd(w->sk), &msg, 0);

		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno != ENOBUFS)
			return -errno;
		if (len < 0 || (msg.msg_flags & MSG_TRUNC))
			tell_lost(w);
		else if (from.nl_pid == 0) /* others may send here, too */
			fw_watch_take(w->buf, (size_t)len, &w->open, w->fn, w->ctx);
	}
	return 0;
}
