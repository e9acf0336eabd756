/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl_refusal.c - routes that lead nowhere on purpose: blackhole, unreachable, prohibit. */
#include "kernel/rtnl_internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

static bool refuses(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT;
}

#define METRIC_NONE 0xffffffff /* the route of the kernel's own that stands for none */

static int on_route(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct refusal_state r = {0};
	const struct nlattr *attr;
	struct rtnl_attrs attrs;
	int err;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    !refuses(rtm->rtm_type) || rtm->rtm_dst_len > (rtm->rtm_family == AF_INET6 ? 128 : 32))
		return 0;
	r.family = rtm->rtm_family;
	r.type = rtm->rtm_type;
	r.table = rtm->rtm_table;
	r.len = rtm->rtm_dst_len;
	attrs = rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*rtm)));
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_payload_len(attr) < 4)
			continue;
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			r.table = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_DST)
			rtnl_attr_copy(attr, r.dst, r.family == AF_INET6 ? 16 : 4);
		else if (mnl_attr_get_type(attr) == RTA_PRIORITY)
			r.metric = mnl_attr_get_u32(attr);
	}
	err = r.metric == METRIC_NONE ? 0 : rtnl_array_add(out, &r);
	return err < 0 ? err : 0;
}

int rtnl_refusal_dump(struct rtnl *r, int family, struct refusal_state **ret, size_t *ret_n,
		      struct err *e)
{
	struct rtnl_request q = {.what = "list the routes that refuse"};
	struct rtnl_array out = {.size = sizeof(**ret)};
	struct rtmsg *rtm;
	int err;

	rtm = rtnl_request_begin(r, &q, RTM_GETROUTE, NLM_F_DUMP, sizeof(*rtm));
	rtm->rtm_family = (uint8_t)family;
	err = rtnl_request_dump(r, &q, on_route, &out, e);
	if (err < 0) {
		free(out.v);
		if (err != -EOPNOTSUPP)
			return err;
		out.v = NULL;
		out.n = 0;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}
