/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listener.c - see listener.h: dumps of NETLINK_SOCK_DIAG. Nothing is written. */
#include "kernel/listener.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/rtnl_internal.h"

/* Whether an IPv6 socket is for IPv6 alone; where the kernel does not say so, it is not. */
static bool v6_only(const struct nlmsghdr *nlh)
{
	struct rtnl_attrs attrs =
		rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct inet_diag_msg)));
	const struct nlattr *attr;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY &&
		    mnl_attr_get_payload_len(attr) >= 1)
			return mnl_attr_get_u8(attr) != 0;
	return false;
}

/* The IPv4 address of an IPv6 socket: any, or a mapped one. */
static bool v4_of_v6(const __be32 src[4], struct in_addr *ret)
{
	struct in6_addr a;

	memcpy(&a, src, sizeof(a));
	if (!IN6_IS_ADDR_UNSPECIFIED(&a) && !IN6_IS_ADDR_V4MAPPED(&a))
		return false;
	ret->s_addr = src[3];
	return true;
}

static int on_socket(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
	struct listener l = {.proto = (uint8_t)out->filter};

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->id.idiag_sport == 0 ||
	    m->id.idiag_dport != 0)
		return 0;
	l.addr.s_addr = m->id.idiag_src[0];
	if (m->idiag_family == AF_INET6 && (v6_only(nlh) || !v4_of_v6(m->id.idiag_src, &l.addr)))
		return 0;
	l.port = ntohs(m->id.idiag_sport);
	l.ifindex = (int)m->id.idiag_if;
	l.uid = m->idiag_uid;
	l.inode = m->idiag_inode;
	return rtnl_array_add(out, &l);
}

static int dump(struct rtnl *r, uint8_t family, uint8_t proto, struct rtnl_array *out,
		struct err *e)
{
	struct rtnl_request q = {.what = "list the listening sockets"};
	struct inet_diag_req_v2 *req;

	out->filter = proto;
	req = rtnl_request_begin(r, &q, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = proto;
	req->idiag_states = 1u << (proto == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE);
	return rtnl_request_dump(r, &q, on_socket, out, e);
}

int listeners_read(struct listener **ret, size_t *ret_n, struct err *e)
{
	static const uint8_t families[] = {AF_INET, AF_INET6},
			     protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct rtnl_array all = {.size = sizeof(struct listener)};
	struct rtnl *r = NULL;
	int err = rtnl_new_for(NETLINK_SOCK_DIAG, &r);

	for (size_t i = 0; i < 4 && err == 0; i++) {
		struct rtnl_array some = {.size = sizeof(struct listener)};

		err = dump(r, families[i / 2], protos[i % 2], &some, e);
		for (size_t k = 0; k < some.n && err == 0; k++)
			err = rtnl_array_add(&all, (struct listener *)some.v + k);
		free(some.v);
		/* A host without IPv6 has no such sockets. */
		if (err == -ENOENT && families[i / 2] == AF_INET6)
			err = 0;
	}
	rtnl_free(r);
	if (err < 0) {
		free(all.v);
		return err;
	}
	*ret = all.v;
	*ret_n = all.n;
	return 0;
}
