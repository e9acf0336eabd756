/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec.c - see ipsec.h: one dump. */
#include "kernel/ipsec.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/rtnl_internal.h"

static int on_policy(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(nlh);
	struct ipsec_policy p = {0};

	if (nlh->nlmsg_type != XFRM_MSG_NEWPOLICY ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*info) || info->dir >= XFRM_POLICY_MAX)
		return 0;
	p.family = (uint8_t)info->sel.family;
	p.dir = info->dir;
	p.l4 = info->sel.proto;
	p.src_len = info->sel.prefixlen_s;
	p.dst_len = info->sel.prefixlen_d;
	memcpy(p.src, &info->sel.saddr, sizeof(p.src));
	memcpy(p.dst, &info->sel.daddr, sizeof(p.dst));
	return rtnl_array_add(out, &p);
}

int ipsec_policies(struct ipsec_policy **ret, size_t *ret_n, struct err *e)
{
	struct rtnl_array all = {.size = sizeof(struct ipsec_policy)};
	struct rtnl_request q = {.what = "list the IPsec policies"};
	struct rtnl *r = NULL;
	int err = rtnl_new_for(NETLINK_XFRM, &r);

	*ret = NULL;
	*ret_n = 0;
	if (err == -EPROTONOSUPPORT)
		return 0;
	if (err < 0)
		return err_set(e, err, "kernel", "ipsec", "no netlink socket: %s", strerror(-err));
	rtnl_request_begin(r, &q, XFRM_MSG_GETPOLICY, NLM_F_DUMP,
			   sizeof(struct xfrm_userpolicy_id));
	err = rtnl_request_dump(r, &q, on_policy, &all, e);
	rtnl_free(r);
	if (err < 0) {
		free(all.v);
		return err;
	}
	*ret = all.v;
	*ret_n = all.n;
	return 0;
}

static bool covers(const uint8_t *net, unsigned int len, const uint8_t *addr)
{
	for (unsigned int i = 0; i < len; i++)
		if ((net[i / 8] ^ addr[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

bool ipsec_policy_is_for(const struct ipsec_policy *p, uint8_t family, uint8_t l4,
			 const uint8_t *src, const uint8_t *dst)
{
	unsigned int bits = family == AF_INET ? 32 : 128;

	return (!p->family || p->family == family) && (!p->l4 || p->l4 == l4) &&
	       p->src_len <= bits && p->dst_len <= bits && covers(p->src, p->src_len, src) &&
	       covers(p->dst, p->dst_len, dst);
}
