/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftrace.c - the socket for nf_tables' trace messages, and the tables that ask for them. The
 * messages themselves are nftrace_msg.c's business, the tables' text is nftrace_text.c's.
 */
#include "path/nftrace.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "path/nftext.h"

#define RECEIVE_BUFFER (8 << 20)
#define DATAGRAM_MAX 8192 /* a trace message has less than 1 KiB */
#define TEXT_MAX (64 * 1024)

/**
 * struct nftrace - the two halves
 * @fd:		joined to NFNLGRP_NFTRACE
 * @text:	owns the tables: they go with its socket
 * @table:	their name
 * @selected:	they are there
 * @number:	the next datagram's
 * @broken:	datagrams that were no (whole) trace message
 */
struct nftrace {
	int fd;
	struct nftext *text;
	char table[32];
	bool selected;
	uint32_t number;
	uint64_t broken;
};

/*
 * With NETLINK_NO_ENOBUFS a message that does not fit is counted and nothing else. Otherwise the
 * kernel would refuse all that follow until the queue is empty.
 */
static int socket_open(void)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	const int group = NFNLGRP_NFTRACE, size = RECEIVE_BUFFER, on = 1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	int r;

	if (fd < 0)
		return -errno;
	/* Without CAP_NET_ADMIN joining fails, and says so; before, a small buffer will do. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int explain(struct err *e, int r)
{
	if (r == -EPERM)
		return err_set(e, r, "not-allowed", "nftables",
			       "tracing rules needs CAP_NET_ADMIN: run it as root");
	return err_set(e, r, "kernel", "nftables", "rules cannot be traced: %s", strerror(-r));
}

int nftrace_open(struct nftrace **ret, struct err *e)
{
	struct nftrace *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return explain(e, -ENOMEM);
	snprintf(n->table, sizeof(n->table), NFTRACE_TABLE_PREFIX "%d", (int)getpid());
	n->fd = socket_open();
	r = n->fd < 0 ? n->fd : nftext_open(&n->text);
	if (r) {
		nftrace_close(n);
		return explain(e, r);
	}
	*ret = n;
	return 0;
}

void nftrace_close(struct nftrace *n)
{
	if (!n)
		return;
	nftext_close(n->text);
	fd_closep(&n->fd);
	free(n);
}

int nftrace_fd(const struct nftrace *n)
{
	return n->fd;
}

uint64_t nftrace_socket_inode(const struct nftrace *n)
{
	struct stat st;

	return fstat(n->fd, &st) < 0 ? 0 : st.st_ino;
}

static ssize_t receive(int fd, void *buf, size_t size, struct sockaddr_nl *from)
{
	socklen_t len = sizeof(*from);
	ssize_t got;

	do
		got = recvfrom(fd, buf, size, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)from,
			       &len);
	while (got < 0 && errno == EINTR);
	return got;
}

int nftrace_read(struct nftrace *n, nftrace_fn fn, void *ctx)
{
	union {
		struct nlmsghdr align;
		uint8_t bytes[DATAGRAM_MAX];
	} buf;
	struct sockaddr_nl from;
	struct nftrace_msg m;
	int count = 0;

	for (; count < NFTRACE_READ_MAX; count++) {
		ssize_t len = receive(n->fd, buf.bytes, sizeof(buf.bytes), &from);
		uint32_t number = n->number;

		if (len < 0)
			return errno == EAGAIN ? count : -errno;
		n->number++;
		/* Only the kernel knows; anybody with enough rights may write to the socket. */
		if (from.nl_pid != 0 || len > DATAGRAM_MAX ||
		    nftrace_parse(buf.bytes, (size_t)len, &m) < 0) {
			n->broken++;
			continue;
		}
		m.number = number;
		fn(&m, ctx);
	}
	return count;
}

void nftrace_restart(struct nftrace *n)
{
	uint8_t byte;

	/* Bounded: under a storm of messages there is always one more. */
	for (int i = 0; i < 64 * NFTRACE_READ_MAX; i++)
		if (recv(n->fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno != EINTR)
			break;
	n->number = 0;
}

uint64_t nftrace_lost(const struct nftrace *n)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(n->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}

uint64_t nftrace_broken(const struct nftrace *n)
{
	return n->broken;
}

static bool address_is_fine(const struct path_address *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static int check_flow(const struct nftrace_flow *f, struct err *e)
{
	bool fine = !f->has_peer || address_is_fine(&f->peer);

	if (!f->mark && !f->has_mac && !f->n_addrs)
		return err_set(e, -EINVAL, "no-guest", "nftables",
			       "neither the guest's MAC nor an address of it is known");
	if (f->n_addrs > PATH_ADDRS_MAX)
		return err_set(e, -EINVAL, "too-many", "nftables",
			       "the guest has %zu addresses; at most %d can be traced", f->n_addrs,
			       PATH_ADDRS_MAX);
	for (size_t i = 0; i < f->n_addrs; i++)
		fine = fine && address_is_fine(&f->addrs[i]);
	if (!fine)
		return err_set(e, -EINVAL, "bad-address", "nftables",
			       "an address to trace is neither IPv4 nor IPv6");
	return 0;
}

int nftrace_select(struct nftrace *n, const struct nftrace_flow *flow, struct err *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	int r = flow ? check_flow(flow, e) : 0;

	if (r)
		return r;
	if (n->selected)
		buf_printf(&text, "delete table inet %s\ndelete table bridge %s\n", n->table,
			   n->table);
	if (flow)
		nftrace_text(n->table, flow, &text);
	if (text.len || text.error)
		r = text.error ? explain(e, text.error)
			       : nftext_run(n->text, buf_str(&text), 0,
					    flow ? "trace the guest's packets" : "stop tracing", e);
	if (!r)
		n->selected = flow != NULL;
	buf_done(&text);
	return r;
}
