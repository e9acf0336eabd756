/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules_live.c - the ruleset of a namespace, kept up to date. A socket in the group of nf_tables'
 * notifications tells whether anything has changed; what exactly is not looked at.
 */
#include "path/rules.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "path/nftext.h"

/**
 * struct rules_live - see rules.h
 * @fd:		joined to NFNLGRP_NFTABLES
 * @rules:	the last listing, or NULL; owned
 * @fresh:	nothing has changed since
 */
struct rules_live {
	int fd;
	struct nftext *text;
	struct rules *rules;
	bool fresh;
};

static int socket_open(void)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK,
				  .nl_groups = 1 << (NFNLGRP_NFTABLES - 1)};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	int r;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd < 0 ? -errno : fd;
}

int rules_live_new(struct rules_live **ret, struct err *e)
{
	struct rules_live *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "kernel", "nftables", "out of memory");
	l->fd = socket_open();
	r = l->fd < 0 ? l->fd : nftext_open(&l->text);
	if (r) {
		rules_live_free(l);
		return err_set(e, r, r == -EPERM ? "not-allowed" : "kernel", "nftables",
			       "the firewall's rules cannot be read: %s%s", strerror(-r),
			       r == -EPERM ? "; CAP_NET_ADMIN is needed: run it as root" : "");
	}
	*ret = l;
	return 0;
}

void rules_live_free(struct rules_live *l)
{
	if (!l)
		return;
	rules_free(l->rules);
	nftext_close(l->text);
	fd_closep(&l->fd);
	free(l);
}

/* Take all that is there; true when there was something, also when there was too much. */
static bool changed(int fd)
{
	bool any = false;
	uint8_t byte;

	for (;;) {
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			return any;
	}
}

static int load(struct rules_live *l, struct err *e)
{
	struct buf text = BUF_INIT(RULES_LISTING_MAX);
	struct rules *rules;
	int r;

	r = nftext_run(l->text, "list ruleset",
		       NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE,
		       "list the rules", e);
	if (r)
		return r;
	buf_puts(&text, nftext_warnings(l->text));
	buf_puts(&text, nftext_output(l->text));
	r = text.error ? text.error : rules_parse(buf_str(&text), text.len, &rules);
	buf_done(&text);
	if (r)
		return err_set(e, r, "kernel", "nftables",
			       "nftables' listing of the rules cannot be understood: %s",
			       strerror(-r));
	rules_free(l->rules);
	l->rules = rules;
	return 0;
}

int rules_live_get(struct rules_live *l, const struct rules **ret, struct err *e)
{
	int r;

	/* What comes in while it is listed makes the next call list again. */
	if (changed(l->fd) || !l->fresh) {
		r = load(l, e);
		if (r)
			return r;
		l->fresh = true;
	}
	*ret = l->rules;
	return 0;
}

int rules_live_fd(const struct rules_live *l)
{
	return l->fd;
}
