/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl_filter.c - the tc filters of an interface's clsact: what may drop a packet there. */
#include "kernel/rtnl_internal.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

static int on_filter(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct filter_state f = {0}, *all = out->v;
	const struct nlattr *attr;
	struct rtnl_attrs attrs;
	int err;

	if (nlh->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm) ||
	    tcm->tcm_ifindex != out->filter)
		return 0;
	f.pref = (uint16_t)(tcm->tcm_info >> 16);
	/* Some kinds give a message for each of their parts. */
	for (size_t i = 0; i < out->n; i++)
		if (all[i].pref == f.pref)
			return 0;
	attrs = rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*tcm)));
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == TCA_KIND)
			rtnl_attr_text(attr, f.kind, sizeof(f.kind));
	err = rtnl_array_add(out, &f);
	return err < 0 ? err : 0;
}

int rtnl_filter_dump(struct rtnl *r, int ifindex, bool egress, struct filter_state **ret,
		     size_t *ret_n, struct err *e)
{
	struct rtnl_array out = {.size = sizeof(**ret), .filter = ifindex};
	struct rtnl_request q = {.what = "list the tc filters"};
	struct tcmsg *tcm;
	int err;

	tcm = rtnl_request_begin(r, &q, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*tcm));
	tcm->tcm_ifindex = ifindex;
	tcm->tcm_parent = TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
	err = rtnl_request_dump(r, &q, on_filter, &out, e);
	if (err < 0) {
		free(out.v);
		return err;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}
