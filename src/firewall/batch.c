/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.c - see batch.h. */
#include "firewall/batch.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which knows of it then */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <sys/socket.h>

#define ANSWERS_MAX 8192

struct nlmsghdr *fw_batch_put(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags,
			      uint8_t family, uint32_t *seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
	bool frame = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = frame ? type : NFNL_SUBSYS_NFTABLES << 8 | type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++*seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = frame ? AF_UNSPEC : family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(frame ? NFNL_SUBSYS_NFTABLES : 0);
	return nlh;
}

int fw_batch_answers(struct mnl_socket *socket, uint32_t last)
{
	_Alignas(struct nlmsghdr) char buf[ANSWERS_MAX];
	int r = -EBADMSG;
	bool failed = false;
	ssize_t len;

	while ((len = recv(mnl_socket_get_fd(socket), buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
		int left = (int)len;

		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR || failed ||
			    mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer))
				continue;
			failed = answer->error != 0;
			if (failed || nlh->nlmsg_seq == last)
				r = answer->error;
		}
	}
	return r;
}
