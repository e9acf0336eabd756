/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nflog.c - see nflog.h: the socket. What comes by it is nflog_msg.c's. Messages are those of
 * linux/netfilter/nfnetlink_log.h.
 */
#include "firewall/nflog.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define READS_MAX 100
#define BUFFER_MAX 65536

struct nflog {
	struct mnl_socket *socket;
	uint16_t group;
};

static struct nlmsghdr *config(char *buf, uint16_t group)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = (unsigned int)time(NULL);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(group);
	return nlh;
}

/* Answered before any packet can be told: what comes is the answer. */
static int ask(struct nflog *l, struct nlmsghdr *nlh)
{
	char buf[BUFFER_MAX];
	ssize_t len;

	if (mnl_socket_sendto(l->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(l->socket, buf, sizeof(buf));
	if (len < 0 || mnl_cb_run(buf, (size_t)len, nlh->nlmsg_seq, 0, NULL, NULL) < 0)
		return -errno;
	return 0;
}

/* First how much of each packet, then the group: none comes before it is as it should be. */
static int set_up(struct nflog *l)
{
	struct nfulnl_msg_config_mode mode = {.copy_range = htonl(NFLOG_COPY),
					      .copy_mode = NFULNL_COPY_PACKET};
	struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
	char buf[256];
	struct nlmsghdr *nlh = config(buf, l->group);

	mnl_attr_put(nlh, NFULA_CFG_CMD, sizeof(bind), &bind);
	mnl_attr_put(nlh, NFULA_CFG_MODE, sizeof(mode), &mode);
	/* Each at once, in hundredths of a second: there are few. */
	mnl_attr_put_u32(nlh, NFULA_CFG_TIMEOUT, htonl(1));
	mnl_attr_put_u32(nlh, NFULA_CFG_QTHRESH, htonl(1));
	return ask(l, nlh);
}

int nflog_new(uint16_t group, struct nflog **ret, struct err *e)
{
	struct nflog *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->group = group;
	l->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	r = l->socket && mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
	if (r == 0)
		r = set_up(l);
	if (r == 0) {
		*ret = l;
		return 0;
	}
	nflog_free(l);
	return err_set(e, r, "nflog", "",
		       "the kernel does not tell of packets (NFLOG group %u): %s%s", group,
		       strerror(-r), r == -EBUSY ? "; another program listens to them" : "");
}

void nflog_free(struct nflog *l)
{
	if (!l)
		return;
	if (l->socket)
		mnl_socket_close(l->socket);
	free(l);
}

int nflog_fd(const struct nflog *l)
{
	return mnl_socket_get_fd(l->socket);
}

/* ---- packets ---- */

/* struct telling - a read at work. */
struct telling {
	nflog_fn fn;
	void *ctx;
};

static int take_message(const struct nlmsghdr *nlh, void *ctx)
{
	const struct telling *t = ctx;
	struct nflog_packet p;

	if (nflog_parse(nlh, nlh->nlmsg_len, &p) == 0)
		t->fn(&p, t->ctx);
	return MNL_CB_OK;
}

int nflog_read(struct nflog *l, nflog_fn fn, void *ctx)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER_MAX];
	struct telling t = {.fn = fn, .ctx = ctx};

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t len = recv(nflog_fd(l), buf, sizeof(buf), MSG_DONTWAIT);

		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (mnl_cb_run(buf, (size_t)len, 0, 0, take_message, &t) < 0)
			return -errno;
	}
	return 0;
}
