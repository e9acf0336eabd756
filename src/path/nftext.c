/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nftext.c - see nftext.h. firewall/nft.c is its sibling for the table that vmlane keeps. */
#include "path/nftext.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <string.h>
#include <sys/socket.h>
#include "base/text.h"

/* struct nftext - @ctx keeps output and errors in memory; owned */
struct nftext {
	struct nft_ctx *ctx;
};

static bool is_netfilter(int fd)
{
	int domain = 0, protocol = -1;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_NETLINK)
		return false;
	len = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == NETLINK_NETFILTER;
}

/*
 * libnftables neither opens its socket with SOCK_CLOEXEC nor tells which it is: all sockets to
 * netfilter get FD_CLOEXEC, which those of ours have anyway.
 */
static int close_on_exec(void)
{
	struct dirent *ent;
	DIR *dir = opendir("/proc/self/fd");
	uint32_t fd;
	int r = 0;

	if (!dir)
		return -errno;
	while ((ent = readdir(dir)))
		if (text_u32(ent->d_name, 0, INT32_MAX, &fd) == 0 && is_netfilter((int)fd) &&
		    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
			r = -errno;
	closedir(dir);
	return r;
}

int nftext_open(struct nftext **ret)
{
	struct nftext *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!n->ctx || nft_ctx_buffer_output(n->ctx) != 0 || nft_ctx_buffer_error(n->ctx) != 0) {
		nftext_close(n);
		return -ENOMEM;
	}
	r = close_on_exec();
	if (r) {
		nftext_close(n);
		return r;
	}
	*ret = n;
	return 0;
}

void nftext_close(struct nftext *n)
{
	if (!n)
		return;
	if (n->ctx)
		nft_ctx_free(n->ctx);
	free(n);
}

/* The first "Error: ..." line; what comes after it follows from it. */
static int set_error(struct nftext *n, const char *what, struct err *e)
{
	const char *line = strstr(nft_ctx_get_error_buffer(n->ctx), "Error: ");
	int r = -EIO;

	if (!line)
		return err_set(e, r, "kernel", "nftables",
			       "nftables refused to %s and did not say why", what);
	if (strstr(line, strerror(EPERM)))
		r = -EPERM;
	line += strlen("Error: ");
	return err_set(e, r, r == -EPERM ? "not-allowed" : "kernel", "nftables",
		       "nftables refused to %s: %.*s%s", what, (int)strcspn(line, "\n"), line,
		       r == -EPERM ? "; CAP_NET_ADMIN is needed: run it as root" : "");
}

int nftext_run(struct nftext *n, const char *text, unsigned int output, const char *what,
	       struct err *e)
{
	nft_ctx_output_set_flags(n->ctx, output);
	if (nft_run_cmd_from_buffer(n->ctx, text) != 0)
		return set_error(n, what, e);
	return 0;
}

const char *nftext_output(const struct nftext *n)
{
	return nft_ctx_get_output_buffer(n->ctx);
}

const char *nftext_warnings(const struct nftext *n)
{
	return nft_ctx_get_error_buffer(n->ctx);
}
