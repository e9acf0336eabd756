/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject.c - see inject.h. libbpf 1.1 knows no TCX: its link is made with bpf(2) itself. */
#include "path/inject.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/macro.h"
#include "base/test_refuse.h"
#include "path/nftext.h"
#include "path/nftrace_msg.h"
#include "path/tcx.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "bpf/inject.skel.h"
#pragma GCC diagnostic pop

#define NFT_DEVICES_MAX 256u /* NFT_NETDEVICE_MAX */
#define NFT_TEXT_MAX (1u << 20)

/**
 * struct injector - see inject.h
 * @links:	of TCX, @n_links of them
 * @nft:	owns the chains, when there are no links
 */
struct injector {
	struct inject_bpf *skel;
	int links[INJECTOR_LINKS_MAX];
	size_t n_links;
	struct nftext *nft;
	uint32_t mark;
};

int injector_new(uint32_t mark, struct injector **ret, struct err *e)
{
	_cleanup_(injector_freep) struct injector *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return err_set(e, -ENOMEM, "memory", "probe", "out of memory");
	i->skel = inject_bpf__open();
	if (!i->skel)
		return err_set(e, -errno, "kernel", "probe", "the programs cannot be opened: %s",
			       strerror(errno));
	i->mark = mark;
	*(uint32_t *)&i->skel->rodata->mark = mark;
	*(uint32_t *)&i->skel->rodata->taken = injector_taken_mark(mark);
	r = inject_bpf__load(i->skel);
	if (r == -EPERM || r == -EACCES)
		return err_set(
			e, -EPERM, "permission", "probe",
			"the kernel does not let this user load its programs: run it as root");
	if (r < 0)
		return err_set(e, r, "kernel", "probe", "the kernel does not take the programs: %s",
			       strerror(-r));
	*ret = i;
	i = NULL;
	return 0;
}

static void close_links(struct injector *i)
{
	while (i->n_links)
		close(i->links[--i->n_links]);
}

void injector_free(struct injector *i)
{
	if (!i)
		return;
	close_links(i);
	nftext_close(i->nft);
	inject_bpf__destroy(i->skel);
	free(i);
}

static int swallow_by_tcx(struct injector *i, const int *ifindexes, size_t n)
{
	int fd;

	if (n > INJECTOR_LINKS_MAX || test_refused("tcx"))
		return -EOPNOTSUPP;
	for (size_t k = 0; k < n; k++) {
		fd = tcx_attach_first(bpf_program__fd(i->skel->progs.swallow), ifindexes[k], true);
		if (fd == -ENODEV)
			continue; /* it has gone meanwhile */
		if (fd < 0)
			return fd;
		i->links[i->n_links++] = fd;
	}
	return 0;
}

/* The devices' names, as nft takes them; those that have gone are left out. How many, or -errno. */
static int put_devices(struct buf *out, const int *ifindexes, size_t n)
{
	char name[IFNAMSIZ];
	int count = 0;

	for (size_t k = 0; k < n; k++) {
		if (!if_indextoname((unsigned int)ifindexes[k], name))
			continue;
		if (strpbrk(name, "\"\\*"))
			return -EINVAL; /* nft has no words for it */
		buf_printf(out, "%s\"%s\"", count++ ? ", " : "", name);
	}
	return count;
}

/*
 * A chain takes 256 devices. It is the last of all egress chains, so that those of others have
 * decided by then. Its table's name is that of a tracing table, which nobody is told of.
 */
static int put_table(const struct injector *i, struct buf *out, const int *ifindexes, size_t n)
{
	int r = 0;

	buf_printf(out, "table netdev " NFTRACE_TABLE_PREFIX "probe_%d {\n\tflags owner\n",
		   (int)getpid());
	for (size_t at = 0; at < n && r >= 0; at += NFT_DEVICES_MAX) {
		struct buf devices = BUF_INIT(NFT_TEXT_MAX);

		r = put_devices(&devices, ifindexes + at, size_min(n - at, NFT_DEVICES_MAX));
		if (r > 0)
			buf_printf(out,
				   "\tchain out%zu {\n\t\ttype filter hook egress devices = { %s } "
				   "priority %d\n\t\tmeta mark 0x%08x meta mark set 0x%08x "
				   "drop\n\t}\n",
				   at, buf_str(&devices), INT_MAX, i->mark,
				   injector_taken_mark(i->mark));
		buf_done(&devices);
	}
	buf_puts(out, "}\n");
	return r < 0 ? r : 0;
}

static int swallow_by_nft(struct injector *i, const int *ifindexes, size_t n, struct err *e)
{
	struct buf text = BUF_INIT(NFT_TEXT_MAX);
	int r = put_table(i, &text, ifindexes, n);

	if (r == 0 && text.error)
		r = -ENOMEM;
	if (r == 0)
		r = nftext_open(&i->nft);
	if (r < 0)
		err_set(e, r, "kernel", "probe", "%s", strerror(-r));
	else
		r = nftext_run(i->nft, buf_str(&text), 0, "watch the ways out", e);
	buf_done(&text);
	return r;
}

int injector_swallow(struct injector *i, const int *ifindexes, size_t n, struct err *e)
{
	struct err why = {0};
	int tcx = swallow_by_tcx(i, ifindexes, n), r;

	if (tcx == 0)
		return 0;
	close_links(i);
	r = swallow_by_nft(i, ifindexes, n, &why);
	if (r < 0)
		return err_set(
			e, -EOPNOTSUPP, "kernel", "probe",
			"this kernel cannot stop a probe at the way out: it wants TCX (since "
			"6.6: %s) or nftables' egress hook (since 5.16: %s). With --send "
			"nothing is stopped",
			strerror(-tcx), why.message);
	return 0;
}

int injector_send(struct injector *i, int ifindex, const void *frame, size_t len, struct err *e)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)len);
	int r;

	i->skel->bss->target = (uint32_t)ifindex;
	r = bpf_prog_test_run_opts(bpf_program__fd(i->skel->progs.inject), &o);
	if (r == 0 && (int)o.retval < 0)
		r = (int)o.retval;
	/* NET_RX_DROP: the device is not up. */
	if (r == 0 && o.retval != 0)
		r = -ENETDOWN;
	if (r < 0)
		return err_set(e, r, "kernel", "probe",
			       "the frame could not be put into the host: %s", strerror(-r));
	return 0;
}
