/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject.c - see inject.h. libbpf 1.1 knows no TCX: its link is made with bpf(2) itself. */
#include "path/inject.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "path/inject.skel.h"
#pragma GCC diagnostic pop

#define TCX_EGRESS 47 /* BPF_TCX_EGRESS of linux/bpf.h, 6.6 */

struct injector {
	struct inject_bpf *skel;
	int links[INJECTOR_SWALLOWS_MAX];
	size_t n_links;
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
	*(uint32_t *)&i->skel->rodata->mark = mark;
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

void injector_free(struct injector *i)
{
	if (!i)
		return;
	for (size_t n = 0; n < i->n_links; n++)
		close(i->links[n]);
	inject_bpf__destroy(i->skel);
	free(i);
}

/* The part of union bpf_attr that BPF_LINK_CREATE reads for TCX; the headers here are older. */
struct tcx_link_attr {
	uint32_t prog_fd;
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd;
	uint32_t pad;
	uint64_t expected_revision;
};

int injector_swallow(struct injector *i, int ifindex, struct err *e)
{
	struct tcx_link_attr a = {
		.prog_fd = (uint32_t)bpf_program__fd(i->skel->progs.swallow),
		.target_ifindex = (uint32_t)ifindex,
		.attach_type = TCX_EGRESS,
	};
	int fd;

	if (i->n_links == INJECTOR_SWALLOWS_MAX)
		return err_set(e, -E2BIG, "limit", "probe", "more than %d ways out of this host",
			       INJECTOR_SWALLOWS_MAX);
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &a, sizeof(a));
	if (fd < 0)
		return err_set(
			e, errno == EINVAL ? -EOPNOTSUPP : -errno, "kernel", "probe",
			"this kernel cannot stop a probe at the way out (TCX, since 6.6): %s",
			strerror(errno));
	i->links[i->n_links++] = fd;
	return 0;
}

uint64_t injector_swallowed(const struct injector *i)
{
	return __atomic_load_n(&i->skel->bss->swallowed, __ATOMIC_RELAXED);
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
