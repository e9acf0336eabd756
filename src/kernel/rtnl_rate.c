/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_rate.c - how much goes out by an interface: a token bucket filter (net/sched/sch_tbf.c) as
 * its root queueing discipline.
 *
 * Ours is known by its handle. The kernel's own defaults have the handle 0; any other is somebody
 * else's.
 */
#include "kernel/rtnl_internal.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define OUR_HANDLE 0x766c0000u /* "vl" */

/*
 * What may go at once: at least one frame as large as segmentation offload makes them, so that none
 * has to be cut up, and enough to keep the line busy until the kernel's timer comes.
 */
#define BURST_MIN (68 * 1024)
#define BURST_PER_S 100 /* 10 ms of the rate */
#define QUEUE_PER_S 20	/* 50 ms of it wait, what comes on top of that is dropped */

/* struct qdisc - a root queueing discipline; @bits: of one of ours, 0 for somebody else's. */
struct qdisc {
	int ifindex;
	uint64_t bits;
};

static uint64_t tbf_rate(const struct nlattr *options)
{
	struct rtnl_attrs attrs = rtnl_attrs_in(options);
	struct tc_tbf_qopt qopt = {0};
	const struct nlattr *attr;
	uint64_t bytes = 0;

	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == TCA_TBF_PARMS &&
		    mnl_attr_get_payload_len(attr) >= sizeof(qopt))
			memcpy(&qopt, mnl_attr_get_payload(attr), sizeof(qopt));
		else if (mnl_attr_get_type(attr) == TCA_TBF_RATE64 &&
			 mnl_attr_get_payload_len(attr) >= sizeof(bytes))
			memcpy(&bytes, mnl_attr_get_payload(attr), sizeof(bytes));
	}
	return 8 * (bytes ? bytes : qopt.rate.rate);
}

static int on_qdisc(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *options = NULL;
	struct qdisc q = {0};
	struct rtnl_attrs attrs;
	char kind[16] = "";

	if (nlh->nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm) ||
	    tcm->tcm_parent != TC_H_ROOT || tcm->tcm_handle == 0)
		return 0;
	q.ifindex = tcm->tcm_ifindex;
	attrs = rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*tcm)));
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == TCA_KIND)
			rtnl_attr_text(attr, kind, sizeof(kind));
		else if (mnl_attr_get_type(attr) == TCA_OPTIONS)
			options = attr;
	}
	if (tcm->tcm_handle == OUR_HANDLE && strcmp(kind, "tbf") == 0 && options)
		q.bits = tbf_rate(options);
	return rtnl_array_add(out, &q);
}

static int qdisc_cmp(const void *a, const void *b)
{
	const struct qdisc *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int rtnl_rates(struct rtnl *r, struct actual *a, struct err *e)
{
	struct rtnl_array out = {.size = sizeof(struct qdisc)};
	struct rtnl_request q = {.what = "list the queueing disciplines"};
	int err;

	rtnl_request_begin(r, &q, RTM_GETQDISC, NLM_F_DUMP, sizeof(struct tcmsg));
	err = rtnl_request_dump(r, &q, on_qdisc, &out, e);
	if (err == 0 && out.n)
		qsort(out.v, out.n, out.size, qdisc_cmp);
	for (size_t i = 0; err == 0 && out.n && i < a->n_links; i++) {
		const struct qdisc key = {.ifindex = a->links[i].ifindex};
		const struct qdisc *found = bsearch(&key, out.v, out.n, out.size, qdisc_cmp);

		a->links[i].rate_down = found ? found->bits : 0;
		a->links[i].foreign_qdisc = found && !found->bits;
	}
	free(out.v);
	return err;
}

int rtnl_rate_get(struct rtnl *r, int ifindex, uint64_t *ret_bits, bool *ret_foreign, struct err *e)
{
	struct rtnl_array out = {.size = sizeof(struct qdisc)};
	struct rtnl_request q = {.what = "show the queueing discipline"};
	struct tcmsg *tcm = rtnl_request_begin(r, &q, RTM_GETQDISC, NLM_F_ACK, sizeof(*tcm));
	const struct qdisc *found;
	int err;

	tcm->tcm_ifindex = ifindex;
	tcm->tcm_parent = TC_H_ROOT;
	err = rtnl_request_run(r, &q, on_qdisc, &out, NULL);
	/* None, or one that the kernel does not show. */
	if (err == -ENOENT || err == -EINVAL)
		err = 0;
	found = out.n ? (const struct qdisc *)out.v : NULL;
	if (err == 0) {
		*ret_bits = found ? found->bits : 0;
		*ret_foreign = found && !found->bits;
	} else {
		err_set(e, err, "kernel", "", "the queueing discipline cannot be read: %s",
			strerror(-err));
	}
	free(out.v);
	return err;
}

static uint32_t at_most_u32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void put_tbf(struct rtnl_request *q, uint64_t bits)
{
	uint64_t bytes = bits / 8;
	uint64_t burst = bytes / BURST_PER_S > BURST_MIN ? bytes / BURST_PER_S : BURST_MIN;
	struct tc_tbf_qopt qopt = {
		.rate.rate = at_most_u32(bytes),
		.rate.linklayer = TC_LINKLAYER_ETHERNET,
		.limit = at_most_u32(bytes / QUEUE_PER_S + burst),
	};
	struct nlattr *options;

	mnl_attr_put_strz(q->last, TCA_KIND, "tbf");
	options = mnl_attr_nest_start(q->last, TCA_OPTIONS);
	mnl_attr_put(q->last, TCA_TBF_PARMS, sizeof(qopt), &qopt);
	mnl_attr_put_u32(q->last, TCA_TBF_BURST, at_most_u32(burst));
	if (bytes > UINT32_MAX)
		mnl_attr_put_u64(q->last, TCA_TBF_RATE64, bytes);
	mnl_attr_nest_end(q->last, options);
}

int rtnl_rate_set(struct rtnl *r, const char *name, uint64_t bits, struct err *e)
{
	struct rtnl_request q = {.what = bits ? "limit what goes to the guest"
					      : "end the limit of what goes to the guest",
				 .ifname = name};
	uint16_t flags = bits ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	int ifindex, err = rtnl_ifindex(r, name, &ifindex, e);
	struct tcmsg *tcm;

	if (err < 0)
		return err;
	tcm = rtnl_request_begin(r, &q, bits ? RTM_NEWQDISC : RTM_DELQDISC,
				 (uint16_t)(flags | NLM_F_ACK), sizeof(*tcm));
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = ifindex;
	tcm->tcm_parent = TC_H_ROOT;
	tcm->tcm_handle = OUR_HANDLE;
	if (bits)
		put_tbf(&q, bits);
	err = rtnl_request_write(r, &q, e);
	if (err == -ENOENT && bits)
		return err_set(
			e, err, "no-tbf", name,
			"this kernel has no token bucket filter, so what goes to the guest "
			"is not limited; load it (modprobe sch_tbf), then `vmlane apply`, or "
			"leave `down` out");
	return err;
}
