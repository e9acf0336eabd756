/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl_filter.c - the tc filters of an interface's clsact: what may drop a packet there. */
#include "kernel/rtnl_internal.h"

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* The program, when it is one that decides by itself. */
static uint32_t program_of(const struct nlattr *options)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(options);
	uint32_t id = 0, flags = 0;
	const struct nlattr *attr;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == TCA_BPF_ID)
			rtnl_attr_copy(attr, &id, sizeof(id));
		else if (mnl_attr_get_type(attr) == TCA_BPF_FLAGS)
			rtnl_attr_copy(attr, &flags, sizeof(flags));
	}
	return flags & TCA_BPF_FLAG_ACT_DIRECT ? id : 0;
}

/* Some kinds give a message for each of their parts, or one that says nothing but their kind. */
static bool is_part(const struct rtnl_array *out, const struct filter_state *f)
{
	const struct filter_state *all = out->v;

	for (size_t i = 0; i < out->n; i++)
		if (all[i].pref == f->pref && (!f->program || all[i].program == f->program))
			return true;
	return false;
}

/* The parts of a "bpf" filter come after the message that has its kind only. */
static void drop_head(struct rtnl_array *out, const struct filter_state *f)
{
	struct filter_state *all = out->v;

	if (f->program && out->n && all[out->n - 1].pref == f->pref && !all[out->n - 1].program)
		out->n--;
}

static int on_filter(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *options = NULL;
	struct filter_state f = {0};
	struct rtnl_attrs attrs;
	uint32_t chain = 0;
	int err;

	if (nlh->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm) ||
	    (tcm->tcm_ifindex != out->filter && tcm->tcm_ifindex != (int)TCM_IFINDEX_MAGIC_BLOCK))
		return 0;
	f.pref = (uint16_t)(tcm->tcm_info >> 16);
	f.protocol = ntohs((uint16_t)tcm->tcm_info);
	attrs = rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*tcm)));
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			rtnl_attr_text(attr, f.kind, sizeof(f.kind));
		else if (mnl_attr_get_type(attr) == TCA_CHAIN)
			rtnl_attr_copy(attr, &chain, sizeof(chain));
		else if (mnl_attr_get_type(attr) == TCA_OPTIONS)
			options = attr;
	}
	if (options && strcmp(f.kind, "bpf") == 0)
		f.program = program_of(options);
	if (chain || is_part(out, &f))
		return 0;
	drop_head(out, &f);
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
