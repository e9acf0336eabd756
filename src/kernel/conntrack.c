/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack.c - see conntrack.h. */
#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_SIZE 512

static void put_addresses(struct nlmsghdr *h, const struct conntrack_tuple *t)
{
	struct nlattr *ip = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	if (t->family == AF_INET) {
		mnl_attr_put(h, CTA_IP_V4_SRC, 4, t->src);
		mnl_attr_put(h, CTA_IP_V4_DST, 4, t->dst);
	} else {
		mnl_attr_put(h, CTA_IP_V6_SRC, 16, t->src);
		mnl_attr_put(h, CTA_IP_V6_DST, 16, t->dst);
	}
	mnl_attr_nest_end(h, ip);
}

static void put_protocol(struct nlmsghdr *h, const struct conntrack_tuple *t)
{
	struct nlattr *proto = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(h, CTA_PROTO_NUM, t->l4);
	switch (t->l4) {
	case IPPROTO_ICMP:
		mnl_attr_put_u16(h, CTA_PROTO_ICMP_ID, htons(t->sport));
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_TYPE, 8);
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_CODE, 0);
		break;
	case IPPROTO_ICMPV6:
		mnl_attr_put_u16(h, CTA_PROTO_ICMPV6_ID, htons(t->sport));
		mnl_attr_put_u8(h, CTA_PROTO_ICMPV6_TYPE, 128);
		mnl_attr_put_u8(h, CTA_PROTO_ICMPV6_CODE, 0);
		break;
	default:
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(t->sport));
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(t->dport));
	}
	mnl_attr_nest_end(h, proto);
}

static void request(const struct conntrack_tuple *t, struct nlmsghdr *h)
{
	struct nfgenmsg *nf;
	struct nlattr *tuple;

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1;
	nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));
	nf->nfgen_family = t->family;
	nf->version = NFNETLINK_V0;
	tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG);
	put_addresses(h, t);
	put_protocol(h, t);
	mnl_attr_nest_end(h, tuple);
}

static int answer(struct mnl_socket *sk)
{
	char buf[4096];
	ssize_t n = mnl_socket_recvfrom(sk, buf, sizeof(buf));

	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(sk), NULL, NULL) < 0 ? -errno
											: 0;
}

int conntrack_delete(const struct conntrack_tuple *t)
{
	union {
		char bytes[REQUEST_SIZE];
		struct nlmsghdr align;
	} buf;
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf.bytes);
	struct mnl_socket *sk = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int r = 0;

	if (!sk)
		return -errno;
	request(t, h);
	if (mnl_socket_bind(sk, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(sk, h, h->nlmsg_len) < 0)
		r = -errno;
	if (r == 0)
		r = answer(sk);
	mnl_socket_close(sk);
	return r;
}
