/* SPDX-License-Identifier: GPL-2.0-or-later */
/* egress.c - see egress.h. In the kernel's order: TCX programs, then the filters of clsact. */
#include "inspect/egress.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/rtnl.h"
#include "path/tcx.h"

#define TCX_MAX 64 /* BPF_MPROG_MAX */
#define TYPE_AT 12 /* of the ethertype in a frame */
#define ASK_NEXT 1

/* struct question - the frame, and where. */
struct question {
	int ifindex;
	const void *frame;
	size_t len;
	uint32_t mark;
	struct egress_judgement *ret;
};

/* What the program @fd returns for the frame: TC_ACT_*; or -errno below -1000. */
#define RUN_FAILED (-1000)
static int run(const struct question *q, int fd)
{
	struct __sk_buff skb = {.mark = q->mark, .ifindex = (uint32_t)q->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = q->frame, .data_size_in = (uint32_t)q->len,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb));
	int r = bpf_prog_test_run_opts(fd, &o);

	return r < 0 ? RUN_FAILED + r : (int)o.retval;
}

/* Program @id is asked. ASK_NEXT: it leaves the decision to the next; 0: @ret is the decision. */
static int ask(const struct question *q, uint32_t id)
{
	struct egress_judgement *ret = q->ret;
	int fd = bpf_prog_get_fd_by_id(id), verdict;

	ret->verdict = EGRESS_UNKNOWN;
	if (fd < 0) {
		snprintf(ret->why, sizeof(ret->why), "it cannot be got hold of: %s", strerror(-fd));
		return 0;
	}
	verdict = run(q, fd);
	close(fd);
	if (verdict < RUN_FAILED) {
		snprintf(ret->why, sizeof(ret->why), "it cannot be run: %s",
			 strerror(RUN_FAILED - verdict));
		return 0;
	}
	switch (verdict) {
	case TC_ACT_OK:
	case TC_ACT_RECLASSIFY:
		ret->verdict = EGRESS_PASSES;
		return 0;
	case TC_ACT_SHOT:
		ret->verdict = EGRESS_DROPS;
		return 0;
	case TC_ACT_REDIRECT:
	case TC_ACT_STOLEN:
	case TC_ACT_QUEUED:
	case TC_ACT_TRAP:
		snprintf(ret->why, sizeof(ret->why),
			 "it sends it elsewhere, or keeps it (verdict %d)", verdict);
		return 0;
	default:
		return ASK_NEXT;
	}
}

static void name_program(const struct question *q, uint32_t id)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
			info.name[0] = '\0';
		close(fd);
	}
	snprintf(q->ret->what, sizeof(q->ret->what), "BPF program %u (%.16s)", id, info.name);
}

/* Those of probes, ours among them, know their own frames by their marks and let others pass. */
static int ask_tcx(const struct question *q)
{
	uint32_t ids[TCX_MAX], n = TCX_MAX;

	/* A kernel without TCX has none. */
	if (bpf_prog_query(q->ifindex, TCX_EGRESS, 0, NULL, ids, &n) < 0)
		return ASK_NEXT;
	for (uint32_t i = 0; i < n; i++) {
		name_program(q, ids[i]);
		if (ask(q, ids[i]) == 0)
			return 0;
	}
	return ASK_NEXT;
}

static bool is_asked(const struct question *q, const struct filter_state *f)
{
	const uint8_t *type = (const uint8_t *)q->frame + TYPE_AT;

	return f->protocol == ETH_P_ALL || f->protocol == (type[0] << 8 | type[1]);
}

static int ask_filter(const struct question *q, const struct filter_state *f)
{
	if (!is_asked(q, f))
		return ASK_NEXT;
	snprintf(q->ret->what, sizeof(q->ret->what), "tc filter pref %u %s", f->pref, f->kind);
	q->ret->pref = f->pref;
	if (f->program)
		return ask(q, f->program);
	q->ret->verdict = EGRESS_UNKNOWN;
	snprintf(q->ret->why, sizeof(q->ret->why),
		 "filters of this kind cannot be asked without sending");
	return 0;
}

static int ask_filters(const struct question *q, struct err *e)
{
	struct filter_state *all = NULL;
	struct rtnl *rtnl;
	size_t n = 0;
	int r = rtnl_new(&rtnl), next = ASK_NEXT;

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = rtnl_filter_dump(rtnl, q->ifindex, true, &all, &n, e);
	for (size_t i = 0; i < n && r == 0 && next == ASK_NEXT; i++)
		next = ask_filter(q, &all[i]);
	free(all);
	rtnl_free(rtnl);
	return r < 0 ? r : next;
}

int egress_judge(int ifindex, const void *frame, size_t len, uint32_t mark,
		 struct egress_judgement *ret, struct err *e)
{
	struct egress_judgement j = {.verdict = EGRESS_PASSES};
	struct question q = {
		.ifindex = ifindex, .frame = frame, .len = len, .mark = mark, .ret = &j};
	int r;

	if (len <= ETH_HLEN)
		return err_set(e, -EINVAL, "size", "probe", "no frame");
	r = ask_tcx(&q);
	if (r == ASK_NEXT)
		r = ask_filters(&q, e);
	if (r < 0)
		return r;
	if (r == ASK_NEXT || j.verdict == EGRESS_PASSES)
		j = (struct egress_judgement){.verdict = EGRESS_PASSES};
	*ret = j;
	return 0;
}
